//! An API in axum behind the resource role: who may come in is decided by a layer, who it was is
//! told by an extractor.
//!
//! ```text
//! cargo run -p grantor --features resource,reqwest --example protect_axum -- --once
//! cargo run -p grantor --features resource,reqwest --example protect_axum -- https://as.example https://api.example
//! ```
//!
//! The first starts an authorization server too, gets a token, calls the API with and without it,
//! and ends. The second serves on port 3000 for tokens of that issuer for that resource.

use std::{error::Error, sync::Arc};

use axum::{
    Json, Router,
    extract::FromRequestParts,
    routing::{get, post},
};
use bytes::Bytes;
use grantor::{
    clock::{Clock, SystemClock},
    registry::{Actor, Client, ClientMetadata, ClientSecret},
    remote::{Fetch, HttpFetch},
    resource::{BearerLayer, ValidatedToken, Validator},
    server::{AuthorizationServer, Settings},
    storage::{MemoryStore, Registries},
    types::{AuthMethod, Issuer, Scope, ScopeError},
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_http::cors::CorsLayer;

/// Whose token the request came with. An extractor is four lines.
struct Caller(ValidatedToken);

impl<S: Sync> FromRequestParts<S> for Caller {
    /// A route that asks for a caller and stands behind no guard is a mistake in this program.
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts
            .extensions
            .get()
            .cloned()
            .map(Self)
            .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

async fn list(Caller(token): Caller) -> Json<Value> {
    Json(json!({"invoices": [1, 2, 3], "asked by": token.subject()}))
}

async fn create(Caller(token): Caller) -> (StatusCode, Json<Value>) {
    (
        StatusCode::CREATED,
        Json(json!({"created by": token.client_id()})),
    )
}

/// The page in browsers that may call the API from its own origin.
const PAGE: &str = "https://app.example";

/// Reading needs one scope, writing another; the health check needs nothing.
///
/// The CORS layer is the last one, and so the outermost. A preflight (`OPTIONS`, sent by a browser
/// before a request with a token) carries no token, so it has to be answered before the guard sees
/// it; and a refusal by the guard needs the CORS headers too, or the page cannot read why.
fn api(validator: Validator) -> Result<Router, ScopeError> {
    let cors = CorsLayer::new()
        .allow_origin(HeaderValue::from_static(PAGE))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::WWW_AUTHENTICATE]);
    let guard = BearerLayer::new(validator);
    let may = |scope| Ok(guard.clone().require_scope(Scope::parse(scope)?));
    Ok(Router::new()
        .route("/invoices", get(list).layer(may("invoices:read")?))
        .route("/invoices", post(create).layer(may("invoices:write")?))
        .route("/health", get(|| async { "well" }))
        .layer(cors))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--once"] => once().await,
        [issuer, audience] => {
            let validator = Validator::builder(issuer, audience).build()?;
            // Not needed, but it tells at once whether the issuer is the right one.
            validator.prepare().await?;
            Ok(axum::serve(TcpListener::bind("127.0.0.1:3000").await?, api(validator)?).await?)
        }
        _ => Err("usage: protect_axum --once | protect_axum ISSUER AUDIENCE".into()),
    }
}

/// The API and its authorization server in one program.
async fn once() -> Result<(), Box<dyn Error>> {
    let (listener, issuer) = listen().await?;
    let (api_listener, audience) = listen().await?;
    let server = authorization_server(&issuer, &audience).await?;
    tokio::spawn(
        async move { axum::serve(listener, Router::new().fallback_service(server)).await },
    );
    let validator = Validator::builder(&issuer, &audience).build()?;
    let api = api(validator)?;
    tokio::spawn(async move { axum::serve(api_listener, api).await });

    let http = HttpFetch::new()?;
    let form = "grant_type=client_credentials&client_id=billing&client_secret=a-secret";
    let request = Request::post(format!("{issuer}/token"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer: Value = serde_json::from_slice(
        http.fetch(request.body(form.into())?, 64 * 1024)
            .await?
            .body(),
    )?;
    let token = answer["access_token"].as_str().ok_or("no access token")?;

    let call = async |method: &str, path: &str, authorization: Option<String>| {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{audience}{path}"));
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        Ok::<_, Box<dyn Error>>(http.fetch(request.body(Bytes::new())?, 64 * 1024).await?)
    };
    let good = || Some(format!("Bearer {token}"));

    let answer = call("GET", "/invoices", good()).await?;
    assert_eq!(
        serde_json::from_slice::<Value>(answer.body())?["asked by"],
        "billing"
    );

    let answer = call("POST", "/invoices", good()).await?;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let challenge = answer.headers()[header::WWW_AUTHENTICATE].to_str()?;
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("scope=\"invoices:write\"")
    );

    let answer = call("GET", "/invoices", None).await?;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.headers()[header::WWW_AUTHENTICATE].to_str()?,
        format!("Bearer realm=\"{audience}\"")
    );

    assert_eq!(
        call("GET", "/invoices", Some(format!("Bearer {token}x")))
            .await?
            .status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(call("GET", "/health", None).await?.status(), StatusCode::OK);
    preflight(&http, &format!("{audience}/invoices")).await
}

/// What the page's browser does: it asks without a token, and reads the guard's refusal.
async fn preflight(http: &HttpFetch, url: &str) -> Result<(), Box<dyn Error>> {
    let allowed = |answer: &Response<Bytes>| {
        answer
            .headers()
            .get(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            .cloned()
    };
    let asked = Request::options(url)
        .header(header::ORIGIN, PAGE)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
    let answer = http.fetch(asked.body(Bytes::new())?, 64 * 1024).await?;
    assert_eq!(
        (answer.status(), allowed(&answer)),
        (StatusCode::OK, Some(HeaderValue::from_static(PAGE)))
    );

    let without_token = Request::get(url)
        .header(header::ORIGIN, PAGE)
        .body(Bytes::new())?;
    let answer = http.fetch(without_token, 64 * 1024).await?;
    assert_eq!(
        (answer.status(), allowed(&answer)),
        (
            StatusCode::UNAUTHORIZED,
            Some(HeaderValue::from_static(PAGE))
        )
    );
    Ok(())
}

async fn listen() -> Result<(TcpListener, String), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}

/// Grantor with one client, which may read.
async fn authorization_server(
    issuer: &str,
    audience: &str,
) -> Result<AuthorizationServer, Box<dyn Error>> {
    let mut billing = ClientMetadata::new(
        "billing".parse()?,
        AuthMethod::CLIENT_SECRET_POST,
        SystemClock.now(),
    );
    billing.scope = Scope::parse("invoices:read")?;
    let store = Arc::new(MemoryStore::new());
    store
        .clients()
        .create(
            Client::new(
                billing,
                vec![],
                vec![ClientSecret::digest("a-secret", None)],
            )?,
            &Actor::program("example"),
        )
        .await?;
    let settings = Settings {
        default_audience: Some(audience.to_owned()),
        ..Settings::default()
    };
    Ok(AuthorizationServer::builder(Issuer::parse(issuer)?)
        .store(store)
        .settings(settings)
        .standard()
        .build()?)
}
