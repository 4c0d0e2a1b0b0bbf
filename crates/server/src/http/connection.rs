//! One connection: TLS where it is configured, then HTTP/1.1 or HTTP/2 as the client chooses, and an end for those who ask nothing.

use std::{convert::Infallible, future::Future, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Version, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::Tls;

/// How long a client may take for the TLS handshake, and again for the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after a request began the next one must have come; longer than any request may take.
const QUIET_TIMEOUT: Duration = Duration::from_secs(30);
/// How long what is under way may go on once a connection is to end.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// Largest request head, and largest chunk of a body read at once.
const MAX_HEAD_BYTES: u32 = 64 * 1024;
/// Most requests at once on one HTTP/2 connection; RFC 9113 §6.5.2 wants no fewer.
const MAX_STREAMS: u32 = 100;
/// How much of one HTTP/2 request body may wait unread.
const STREAM_WINDOW: u32 = 64 * 1024;
/// How much of all bodies on one HTTP/2 connection may wait unread.
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;
/// How often a quiet HTTP/2 client is asked whether it is there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(10);

/// Serves a connection until the client or `stop` ends it, or the client is too slow.
pub(super) async fn run<A, F>(stream: TcpStream, tls: Option<Tls>, answer: A, mut stop: watch::Receiver<()>)
where
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(tls) = tls else { return speak(stream, answer, stop).await };
    let shaken = tokio::select! {
        shaken = timeout(HEADER_TIMEOUT, tls.accept(stream)) => shaken,
        _ = stop.changed() => return,
    };
    match shaken {
        Ok(Ok(stream)) => speak(stream, answer, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake"),
        Err(_) => tracing::debug!("TLS handshake timed out"),
    }
}

/// Speaks whichever HTTP the first octets are.
async fn speak<I, A, F>(stream: I, answer: A, mut stop: watch::Receiver<()>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let (deadline, quiet) = watch::channel(Instant::now() + HEADER_TIMEOUT);
    let service = service_fn(move |request: Request<Incoming>| {
        deadline.send_replace(Instant::now() + QUIET_TIMEOUT);
        let version = request.version();
        let answer = answer(request);
        async move { Ok::<_, Infallible>(suited(version, answer.await)) }
    });
    let builder = builder();
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        // The sender is gone when the server stops.
        _ = stop.changed() => None,
        () = passed(quiet) => None,
    };
    let ended = match ended {
        Some(ended) => Ok(ended),
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(GRACE, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "connection"),
        Err(_) => tracing::debug!("connection was cut off"),
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .max_header_list_size(MAX_HEAD_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// Ready once the deadline has passed without having been moved.
async fn passed(deadline: watch::Receiver<Instant>) {
    loop {
        let until = *deadline.borrow();
        sleep_until(until).await;
        if *deadline.borrow() == until {
            return;
        }
    }
}

/// RFC 9113 §8.2.2: HTTP/2 knows no `Connection` header.
fn suited(version: Version, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    if version == Version::HTTP_2 {
        response.headers_mut().remove(header::CONNECTION);
    }
    response
}
