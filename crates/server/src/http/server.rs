//! The listener: connections in, requests to the authorization server, a clean end on a signal.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use grantor::server::AuthorizationServer;
use grantor_stores::sqlite::SqliteStore;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::{TcpListener, TcpStream};

/// How long a client may take to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest request head, and largest chunk of a body read at once.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long one request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How long open requests may go on after a signal.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// Binds the listening socket.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `stop` is ready, then lets open requests finish.
pub async fn serve(listener: TcpListener, server: AuthorizationServer, store: Arc<SqliteStore>, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, most likely: give connections time to end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        accept(stream, &server, &store, &connections);
    }
    drop(listener);
    tracing::info!("shutting down");
    if tokio::time::timeout(SHUTDOWN_GRACE, connections.shutdown()).await.is_err() {
        tracing::warn!("requests were cut off after {} s", SHUTDOWN_GRACE.as_secs());
    }
}

fn accept(stream: TcpStream, server: &AuthorizationServer, store: &Arc<SqliteStore>, connections: &GracefulShutdown) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let (server, store) = (server.clone(), store.clone());
    let service = service_fn(move |request| {
        let (server, store) = (server.clone(), store.clone());
        async move { Ok::<_, Infallible>(within_time(respond(&server, &store, request)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection");
        }
    });
}

async fn within_time(answer: impl Future<Output = Response<Full<Bytes>>>) -> Response<Full<Bytes>> {
    match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
        Ok(response) => response,
        Err(_) => {
            let mut response = plain(StatusCode::REQUEST_TIMEOUT, r#"{"error":"invalid_request"}"#);
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

async fn respond(server: &AuthorizationServer, store: &SqliteStore, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    match request.uri().path() {
        "/health/live" if reads => plain(StatusCode::OK, r#"{"status":"live"}"#),
        "/health/ready" if reads => ready(store).await,
        _ => server.respond(request).await,
    }
}

/// Ready means that the next request could be decided: the database answers.
async fn ready(store: &SqliteStore) -> Response<Full<Bytes>> {
    match store.check().await {
        Ok(()) => plain(StatusCode::OK, r#"{"status":"ready"}"#),
        Err(error) => {
            tracing::error!(%error, "not ready");
            plain(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"storage is not available"}"#)
        }
    }
}

fn plain(status: StatusCode, json: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
