//! Connections in, requests to the authorization server, a clean end on a signal.

use std::{
    error::Error as _,
    future::Future,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use grantor::{
    server::{AuthorizationServer, Body, Sender},
    storage::Readiness,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::{net::TcpStream, sync::watch};

use super::{
    Listener, Origin, Proxy,
    admission::{Coming, Held, Place, Places, check_head},
    connection::{self, Answer, GRACE},
    guests::Guest,
    workers::Workers,
};
use crate::{
    admin::{self, Api},
    console::{self, Console},
    metrics::Metrics,
    pages::{Asset, html},
    telemetry::panics,
};

/// How long one request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Serves until `stop` is ready, and goes on for as long as load balancers take to hear of it, while
/// it is not ready any more and ends each connection with its answer. Then it lets open requests
/// finish. Fails if no threads can be started.
pub async fn serve(
    listener: Listener,
    front: Front,
    store: Arc<dyn Readiness>,
    metrics: Metrics,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut workers = Workers::start()?;
    let following = listener.tls.clone().map(|tls| tokio::spawn(tls.follow()));
    let places = Places::new(listener.room, listener.guests.clone());
    let answering = Arc::new(Answering {
        front,
        store,
        metrics,
        proxy: listener.proxy.clone(),
        places,
        ends: AtomicBool::new(false),
    });
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(drained(stop, &answering, listener.drain));
    loop {
        let (stream, peer, seat) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (answering, tls, stopped) = (answering.clone(), listener.tls.clone(), stopped.clone());
        workers.spawn(async move {
            let guest = seat.guest().clone();
            let answer = move |request| answering.admit(peer, &guest, request);
            match TcpStream::from_std(stream) {
                Ok(stream) => connection::run(stream, tls, seat, answer, stopped).await,
                Err(error) => tracing::warn!(%error, "a connection could not be taken over"),
            }
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

/// Says that the server ends when `stop` is ready, and is ready when all have heard of it. A server
/// whose store has ended has nothing to answer meanwhile.
async fn drained(stop: impl Future<Output = ()>, answering: &Answering, drain: Duration) {
    stop.await;
    answering.ends.store(true, Ordering::Relaxed);
    if drain.is_zero() || answering.store.has_ended() {
        return;
    }
    tracing::info!(
        seconds = drain.as_secs(),
        "not ready any more, and still answering"
    );
    #[expect(
        clippy::disallowed_methods,
        reason = "a load balancer asks now and then, and tells nobody what it has heard"
    )]
    tokio::time::sleep(drain).await;
}

/// What a listener answers for.
#[derive(Clone)]
pub enum Front {
    /// The authorization server, and what is for operators where it is there too.
    Server(AuthorizationServer, Option<Operations>),
    /// What is for operators alone, with the pages of this server by which they sign in.
    Admin(AuthorizationServer, Operations),
}

/// What is for operators: the API and the console.
#[derive(Clone)]
pub struct Operations {
    pub api: Arc<Api>,
    pub console: Arc<Console>,
}

/// Where a request leads.
enum Way<'f> {
    Server(&'f AuthorizationServer),
    Api(&'f Arc<Api>),
    Console(&'f Arc<Console>),
    Nowhere,
}

impl Way<'_> {
    /// Whether a browser shows what is at this path: a page, or that there is none. Programs ask for
    /// the rest.
    fn is_shown(&self, path: &str) -> bool {
        match self {
            Self::Server(server) => server.is_page(path) || server.endpoint_name(path).is_none(),
            Self::Console(_) | Self::Nowhere => true,
            Self::Api(_) => false,
        }
    }
}

impl Front {
    /// Where a path leads. The server is asked first: it has the pages by which operators sign in.
    fn way(&self, path: &str) -> Way<'_> {
        let (server, operations) = match self {
            Self::Server(server, operations) => (server, operations.as_ref()),
            Self::Admin(server, operations) => (server, Some(operations)),
        };
        let name = server.endpoint_name(path).unwrap_or_default();
        let is_of_console = name.starts_with(console::NAME);
        let is_asset = Asset::is_named(name);
        match (self, operations) {
            (_, Some(Operations { api, .. })) if api.is_at(path) => Way::Api(api),
            (_, Some(_)) if is_of_console => Way::Server(server),
            (_, Some(Operations { console, .. })) if console.is_at(path) => Way::Console(console),
            (Self::Admin(..), _) if is_asset => Way::Server(server),
            // The console is elsewhere.
            (Self::Server(..), None) if is_of_console => Way::Nowhere,
            (Self::Server(..), _) => Way::Server(server),
            (Self::Admin(..), _) => Way::Nowhere,
        }
    }

    /// Answers a request. What a browser shows has the headers of a page, whatever it is (M160): also
    /// what is not there, and what says so.
    pub async fn respond<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let way = self.way(request.uri().path());
        let is_shown = way.is_shown(request.uri().path());
        let mut response = match way {
            Way::Server(server) => server.respond(request).await,
            Way::Api(api) => api.respond(request).await,
            Way::Console(console) => console.respond(request).await,
            Way::Nowhere => plain(StatusCode::NOT_FOUND, r#"{"error":"not_found"}"#),
        };
        if is_shown {
            html::guard(response.headers_mut());
        }
        response
    }

    /// Drops fields of a head that nothing reads. The API reads fields of its own.
    fn forget_unread<B>(&self, request: &mut Request<B>) {
        if let Way::Server(server) = self.way(request.uri().path()) {
            server.forget_unread(request.headers_mut());
        }
    }

    /// What requests are counted under.
    fn endpoint_name(&self, path: &str) -> Option<&'static str> {
        match self.way(path) {
            Way::Server(server) => server.endpoint_name(path),
            Way::Api(_) => Some(admin::NAME),
            Way::Console(_) => Some(console::NAME),
            Way::Nowhere => None,
        }
    }
}

/// What every connection answers with.
struct Answering {
    front: Front,
    store: Arc<dyn Readiness>,
    metrics: Metrics,
    proxy: Arc<Proxy>,
    places: Arc<Places>,
    /// No new connection is to come.
    ends: AtomicBool,
}

impl Answering {
    /// Answers a request, or refuses it. Of its head no more is kept than will be read: the answer
    /// waits for its turn on this core, and for the body.
    fn admit(
        self: &Arc<Self>,
        peer: SocketAddr,
        guest: &Arc<Guest>,
        mut request: Request<Incoming>,
    ) -> Answer {
        let place = match check_head(&request).and_then(|()| self.places.take(guest)) {
            Ok(place) => place,
            Err(refusal) => {
                self.metrics
                    .refused(self.endpoint_name(request.uri().path()), refusal.status());
                return Err(refusal);
            }
        };
        let sender = self.proxy.sender(peer, request.headers());
        if let Some(address) = sender {
            request.extensions_mut().insert(Sender(address));
        }
        if let Some(origin) = sender.and_then(Origin::of) {
            request.extensions_mut().insert(origin);
        }
        self.front.forget_unread(&mut request);
        let request = request.map(|body| Coming::new(body, guest));
        Ok(Box::pin(self.clone().answer(request, place)))
    }

    /// Answers a request in time, and counts it.
    async fn answer(self: Arc<Self>, request: Request<Coming>, place: Place) -> Response<Held> {
        let endpoint = self.endpoint_name(request.uri().path());
        // By reference: a future that is handed on by value is in memory at each place it was
        // handed to.
        let answer = pin!(self.respond_always(request));
        let mut answer = self.metrics.observe(endpoint, within_time(answer)).await;
        if self.ends.load(Ordering::Relaxed) {
            close_behind(&mut answer);
        }
        answer.map(|body| Held::new(body, place))
    }

    /// Answers also where a defect of ours panics.
    async fn respond_always(&self, request: Request<Coming>) -> Response<Body> {
        let answer = pin!(self.respond(request));
        let answer = panics::caught(answer).await;
        answer.unwrap_or_else(|| {
            plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                r#"{"error":"server_error"}"#,
            )
        })
    }

    async fn respond(&self, request: Request<Coming>) -> Response<Body> {
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        match request.uri().path() {
            "/health/live" if reads => live(&*self.store),
            "/health/ready" if reads && self.ends.load(Ordering::Relaxed) => ending(),
            "/health/ready" if reads => ready(&*self.store).await,
            _ => self.front.respond(request).await,
        }
    }

    /// What the request is counted under.
    fn endpoint_name(&self, path: &str) -> &'static str {
        match path {
            "/health/live" | "/health/ready" => "health",
            _ => self.front.endpoint_name(path).unwrap_or("unknown"),
        }
    }
}

async fn within_time(answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    match tokio::time::timeout(REQUEST_TIMEOUT, answer).await {
        Ok(response) => response,
        Err(_) => {
            let mut response = plain(
                StatusCode::REQUEST_TIMEOUT,
                r#"{"error":"invalid_request"}"#,
            );
            close_behind(&mut response);
            response
        }
    }
}

/// The next request comes on another connection.
fn close_behind<B>(response: &mut Response<B>) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
}

/// Live means that the process can go on: without the thread that writes to the database it has to
/// be started anew.
fn live(store: &dyn Readiness) -> Response<Body> {
    match store.has_ended() {
        false => plain(StatusCode::OK, r#"{"status":"live"}"#),
        true => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            r#"{"status":"the storage has ended"}"#,
        ),
    }
}

/// Ready means that the next request could be decided: the database can be read and written.
async fn ready(store: &dyn Readiness) -> Response<Body> {
    match store.check().await {
        Ok(()) => plain(StatusCode::OK, r#"{"status":"ready"}"#),
        Err(error) => {
            let cause = error.source().map(tracing::field::display);
            tracing::error!(%error, cause, "not ready");
            plain(
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"status":"storage is not available"}"#,
            )
        }
    }
}

/// Not ready: the next request is to go to another server.
fn ending() -> Response<Body> {
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        r#"{"status":"the server is about to end"}"#,
    )
}

fn plain(status: StatusCode, json: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    html::guard(headers);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
