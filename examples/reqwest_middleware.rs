//! An HTTP client whose requests carry a token by themselves, and get a new one when the API wants
//! it. The authorization server and the API run in the same process:
//!
//! ```text
//! cargo run -p grantor --example reqwest_middleware --features reqwest-middleware
//! ```

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::Bytes;
use grantor::{
    client::{ApiAccess, JwtBearer, LocalKey, Server, TokenSource},
    clock::{Clock, SystemClock},
    jose::{Algorithm, PrivateJwk, VerificationKey},
    registry::{Actor, Client, ClientMetadata},
    server::AuthorizationServer,
    storage::{MemoryStore, Registries},
    types::{AuthMethod, Issuer},
};
use http::{Response, StatusCode, header};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use reqwest_middleware::ClientBuilder;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = PrivateJwk::generate(Algorithm::Es256)?;
    let issuer = serve(&key).await?;
    let (api, calls) = serve_api().await?;

    // All that a client needs.
    let source = TokenSource::jwt_bearer(
        Server::discover(issuer.as_str())?,
        JwtBearer::new("billing", LocalKey::new(&key)?),
    )
    .build()?;
    let http = ClientBuilder::new(reqwest::Client::new())
        .with(ApiAccess::new(source.clone(), api.parse()?))
        .build();

    let answer = http.get(format!("{api}/invoices")).send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    let first = source.token().await?;

    // The API refuses the token: a new one is fetched, and the request sent once more.
    calls.store(1, Ordering::Relaxed);
    let answer = http
        .post(format!("{api}/invoices"))
        .body("42 EUR")
        .send()
        .await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_ne!(source.token().await?.expose(), first.expose());

    // Other servers do not see it.
    let answer = http.get(issuer.endpoint("jwks")).send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    Ok(())
}

/// Serves an authorization server on a port of its own that knows the client `billing` with this
/// key.
async fn serve(key: &PrivateJwk) -> Result<Issuer, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let issuer = Issuer::parse(&format!("http://{}", listener.local_addr()?))?;
    let store = Arc::new(MemoryStore::new());
    let billing = ClientMetadata::new(
        "billing".parse()?,
        AuthMethod::PRIVATE_KEY_JWT,
        SystemClock.now(),
    );
    let public = Arc::new(VerificationKey::from_jwk(key.public())?);
    store
        .clients()
        .create(
            Client::new(billing, vec![public.into()], vec![])?,
            &Actor::program("example"),
        )
        .await?;
    let server = AuthorizationServer::builder(issuer.clone())
        .store(store)
        .standard()
        .build()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(server.clone());
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    Ok(issuer)
}

/// Serves an API that refuses the next call where the number says so, and every call without a
/// token. A real one verifies it.
async fn serve_api() -> Result<(String, Arc<AtomicU32>), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let refusals = Arc::new(AtomicU32::new(0));
    let left = Arc::clone(&refusals);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let left = Arc::clone(&left);
            let service = service_fn(move |request: http::Request<_>| {
                let is_refused = left.swap(0, Ordering::Relaxed) > 0;
                let status = match request.headers().get(header::AUTHORIZATION) {
                    Some(_) if !is_refused => StatusCode::OK,
                    _ => StatusCode::UNAUTHORIZED,
                };
                async move {
                    Response::builder()
                        .status(status)
                        .body(Full::<Bytes>::default())
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    Ok((url, refusals))
}
