//! One connection: TLS where it is configured, then HTTP/1.1 or HTTP/2 as the client chooses, and
//! an end for those who ask nothing.

use std::{convert::Infallible, future::Future, pin::Pin, time::Duration};

use grantor::server::ClientCertificate;
use http::{HeaderValue, Request, Response, Version, header};
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

use super::{
    Tls,
    admission::{Held, MAX_FIELDS, MAX_HEAD_BYTES, Refusal},
    client_certificate,
    guests::Seat,
};

/// How long a client may take for the TLS handshake, and again for the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long after a request began the next one must have come; longer than any request may take.
const QUIET_TIMEOUT: Duration = Duration::from_secs(30);
/// How long what is under way may go on once a connection is to end.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// How long a connection without a request may take to end when another wants its place.
const GRACE_FOR_THE_IDLE: Duration = Duration::from_secs(1);
/// Most requests at once on one HTTP/2 connection; RFC 9113 §6.5.2 wants no fewer.
const MAX_STREAMS: u32 = 100;
/// The same for a connection beside many others: a hundred streams take 300 KiB for as long as the
/// connection lasts.
const MAX_STREAMS_OF_MANY: u32 = 16;
/// How much of one HTTP/2 request body may wait unread.
const STREAM_WINDOW: u32 = 64 * 1024;
/// How much of all bodies on one HTTP/2 connection may wait unread.
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;
/// How often a quiet HTTP/2 client is asked whether it is there, and how long it may take to say
/// so.
const PING_EVERY: Duration = Duration::from_secs(10);

/// What becomes of a request: an answer, kept apart so that a connection holds its memory only
/// while it is made; or a refusal.
pub(super) type Answer = Result<Pin<Box<dyn Future<Output = Response<Held>> + Send>>, Refusal>;

/// Serves a connection until the client or `stop` ends it, the client is too slow, or its seat is
/// wanted by another.
pub(super) async fn run<A>(
    stream: TcpStream,
    tls: Option<Tls>,
    seat: Seat,
    answer: A,
    mut stop: watch::Receiver<()>,
) where
    A: Fn(Request<Incoming>) -> Answer,
{
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(tls) = tls else {
        return speak(stream, Security::None, &seat, answer, stop).await;
    };
    let shaken = tokio::select! {
        shaken = timeout(HEADER_TIMEOUT, tls.accept(stream)) => shaken,
        _ = stop.changed() => return,
        () = seat.guest().asked_to_leave() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let security = Security::Tls(client_certificate::of(stream.get_ref().1));
            speak(stream, security, &seat, answer, stop).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake"),
        Err(_) => tracing::debug!("TLS handshake timed out"),
    }
}

/// What protects a connection.
enum Security {
    /// Nothing here: a proxy does, or nobody.
    None,
    /// TLS, with the certificate by which the client authenticated, if it did.
    Tls(Option<ClientCertificate>),
}

/// Speaks whichever HTTP the first octets are. Each request carries the certificate by which the
/// client authenticated the connection.
async fn speak<I, A>(
    stream: I,
    security: Security,
    seat: &Seat,
    answer: A,
    mut stop: watch::Receiver<()>,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>) -> Answer,
{
    let (deadline, quiet) = watch::channel(Instant::now() + HEADER_TIMEOUT);
    let service = service_fn(move |mut request: Request<Incoming>| {
        deadline.send_replace(Instant::now() + QUIET_TIMEOUT);
        seat.guest().stir();
        let version = request.version();
        if let Security::Tls(Some(certificate)) = &security {
            request.extensions_mut().insert(certificate.clone());
        }
        let answer = answer(request);
        let by_tls = matches!(security, Security::Tls(_));
        async move {
            let response = match answer {
                Ok(answer) => answer.await,
                Err(refusal) => refusal.response(),
            };
            Ok::<_, Infallible>(suited(version, by_tls, response))
        }
    });
    let builder = builder(if seat.is_one_of_few {
        MAX_STREAMS
    } else {
        MAX_STREAMS_OF_MANY
    });
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => Ok(ended),
        // The sender is gone when the server stops.
        _ = stop.changed() => Err(GRACE),
        () = passed(quiet) => Err(GRACE),
        () = seat.guest().asked_to_leave() => match seat.guest().is_awaited() {
            // At once, or each of those who send nothing would keep the next one waiting for the grace.
            true => return tracing::debug!("a connection whose client kept others waiting was cut off"),
            false => Err(GRACE_FOR_THE_IDLE),
        },
    };
    let ended = match ended {
        Ok(ended) => Ok(ended),
        Err(grace) => {
            connection.as_mut().graceful_shutdown();
            timeout(grace, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "connection"),
        Err(_) => tracing::debug!("connection was cut off"),
    }
}

fn builder(streams: u32) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_FIELDS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        // With 32 octets more for each field (RFC 9113 §6.5.2).
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .max_concurrent_streams(streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// Ready once the deadline has passed without having been moved.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a request may take is time itself"
)]
async fn passed(deadline: watch::Receiver<Instant>) {
    loop {
        let until = *deadline.borrow();
        sleep_until(until).await;
        if *deadline.borrow() == until {
            return;
        }
    }
}

/// RFC 9113 §8.2.2: HTTP/2 knows no `Connection` header. M160: a browser that was shown a page where
/// TLS ends here comes by TLS for a year (RFC 6797).
fn suited(version: Version, by_tls: bool, mut response: Response<Held>) -> Response<Held> {
    let is_page = response
        .headers()
        .contains_key(header::CONTENT_SECURITY_POLICY);
    if by_tls && is_page {
        let year = HeaderValue::from_static("max-age=31536000");
        response
            .headers_mut()
            .insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if version == Version::HTTP_2 {
        response.headers_mut().remove(header::CONNECTION);
    }
    response
}
