//! Connections in, requests to the authorization server, a clean end on a signal.

use std::{error::Error as _, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use grantor::server::AuthorizationServer;
use grantor_stores::sqlite::SqliteStore;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{net::TcpStream, sync::watch};

use super::{
    Listener, Origin, Proxy,
    connection::{self, GRACE},
    workers::Workers,
};
use crate::{metrics::Metrics, telemetry::panics};

/// How long one request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Serves until `stop` is ready, then lets open requests finish. Fails if no threads can be started.
pub async fn serve(
    listener: Listener,
    server: AuthorizationServer,
    store: Arc<SqliteStore>,
    metrics: Metrics,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut workers = Workers::start()?;
    let following = listener.tls.clone().map(|tls| tokio::spawn(tls.follow()));
    let answering = Arc::new(Answering { server, store, metrics, proxy: listener.proxy });
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let (stream, peer, slot) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (answering, tls, stopped) = (answering.clone(), listener.tls.clone(), stopped.clone());
        workers.spawn(async move {
            let answer = move |request| answering.clone().answer(peer, request);
            match TcpStream::from_std(stream) {
                Ok(stream) => connection::run(stream, tls, answer, stopped).await,
                Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
            }
            drop(slot);
        });
    }
    tracing::info!("shutting down");
    drop(stopping);
    if tokio::time::timeout(GRACE, listener.close()).await.is_err() {
        tracing::warn!("requests were cut off after {} s", GRACE.as_secs());
    }
    if let Some(following) = following {
        following.abort();
    }
    Ok(())
}

/// What every connection answers with.
struct Answering {
    server: AuthorizationServer,
    store: Arc<SqliteStore>,
    metrics: Metrics,
    proxy: Proxy,
}

impl Answering {
    /// Answers a request in time, and counts it.
    async fn answer(self: Arc<Self>, peer: SocketAddr, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(origin) = Origin::of(peer, self.proxy, request.headers()) {
            request.extensions_mut().insert(origin);
        }
        let endpoint = self.endpoint_name(request.uri().path());
        let answer = pin!(within_time(self.respond_always(request)));
        self.metrics.observe(endpoint, answer).await
    }

    /// Answers also where a defect of ours panics.
    async fn respond_always(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answer = panics::caught(self.respond(request)).await;
        answer.unwrap_or_else(|| plain(StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"server_error"}"#))
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        match request.uri().path() {
            "/health/live" if reads => live(&self.store),
            "/health/ready" if reads => ready(&self.store).await,
            _ => self.server.respond(request).await,
        }
    }

    /// What the request is counted under.
    fn endpoint_name(&self, path: &str) -> &'static str {
        match path {
            "/health/live" | "/health/ready" => "health",
            _ => self.server.endpoint_name(path).unwrap_or("unknown"),
        }
    }
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

/// Live means that the process can go on: without the thread that writes to the database it has to be started anew.
fn live(store: &SqliteStore) -> Response<Full<Bytes>> {
    match store.has_ended() {
        false => plain(StatusCode::OK, r#"{"status":"live"}"#),
        true => plain(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"the storage has ended"}"#),
    }
}

/// Ready means that the next request could be decided: the database can be read and written.
async fn ready(store: &SqliteStore) -> Response<Full<Bytes>> {
    match store.check().await {
        Ok(()) => plain(StatusCode::OK, r#"{"status":"ready"}"#),
        Err(error) => {
            let cause = error.source().map(tracing::field::display);
            tracing::error!(%error, cause, "not ready");
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
