//! The listener for scrapes: its own socket, so that metrics are never where tokens are asked for.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use super::Exposition;
use crate::http::{MAX_FIELDS, MAX_HEAD_BYTES, check_head};

/// What OpenMetrics calls its text format.
const OPENMETRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// Scrapes at once. Further ones wait for their turn to be accepted.
const CONNECTIONS: usize = 16;
/// How long a connection may last; it serves one scrape.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers scrapes for as long as it is polled.
pub async fn serve(listener: TcpListener, exposition: Exposition) {
    let exposition = Arc::new(exposition);
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = free.clone().acquire_owned().await.expect("never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let exposition = exposition.clone();
                tokio::spawn(async move {
                    answer(stream, exposition).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: give connections time to end.
                tracing::warn!(%error, "a scrape could not be accepted");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the system tells nobody that there are descriptors again"
                )]
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, exposition: Arc<Exposition>) {
    let service = service_fn(move |request| {
        let exposition = exposition.clone();
        async move { Ok::<_, Infallible>(respond(&exposition, &request).await) }
    });
    let mut connection = http1::Builder::new();
    connection
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_FIELDS);
    let connection = connection.serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "scrape"),
        Err(_) => tracing::debug!("a scrape took too long"),
    }
}

async fn respond(exposition: &Exposition, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if let Err(refusal) = check_head(request) {
        let mut response = Response::new(Full::default());
        *response.status_mut() = refusal.status();
        return response;
    }
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let mut response = match request.uri().path() {
        "/metrics" if reads => Response::new(Full::from(exposition.text().await)),
        _ => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return response;
        }
    };
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, OPENMETRICS);
    response
}
