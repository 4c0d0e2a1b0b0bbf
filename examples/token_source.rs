//! A client from its key file to a token, against a server in the same process:
//!
//! ```text
//! cargo run -p grantor --example token_source --features client,reqwest
//! ```

use std::{error::Error, sync::Arc};

use grantor::{
    client::{TokenSource, Wanted},
    clock::{Clock, SystemClock},
    jose::{Algorithm, PrivateJwk, VerificationKey},
    registry::{Actor, Client, ClientMetadata},
    server::AuthorizationServer,
    storage::{MemoryStore, Registries},
    types::{AuthMethod, Issuer, Scope},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::json;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let key_file = directory.path().join("billing.json");
    serve_and_register(&key_file).await?;

    // All that a client needs.
    let source = TokenSource::from_key_file(&key_file)?;
    let token = source.token().await?;
    assert_eq!(
        token.scope().map(ToString::to_string).as_deref(),
        Some("invoices:read invoices:write")
    );

    // The next ones are the same token, until shortly before it ends.
    assert_eq!(source.token().await?.expose(), token.expose());

    // Less than all: a token of its own.
    let reading = source
        .token_for(Wanted::new().scope("invoices:read".parse()?))
        .await?;
    assert_ne!(reading.expose(), token.expose());
    assert_eq!(
        reading.scope().map(ToString::to_string).as_deref(),
        Some("invoices:read")
    );

    // On a request. Should the API answer 401, `source.invalidate(&used)` makes the next token a
    // new one.
    let (mut request, ()) = http::Request::get("https://api.example/invoices")
        .body(())?
        .into_parts();
    let used = source.authorize(&mut request).await?;
    assert_eq!(
        request.headers["authorization"],
        format!("Bearer {}", used.expose()).as_str()
    );

    // What is refused says why.
    let refused = source
        .token_for(Wanted::new().scope("payroll:read".parse()?))
        .await
        .expect_err("not registered for it");
    assert_eq!(refused.oauth_code(), Some("invalid_scope"));
    assert!(
        refused
            .to_string()
            .starts_with("refused with 400: invalid_scope: scope exceeds what is allowed"),
        "{refused}"
    );
    Ok(())
}

/// Serves on a port of its own, and registers the client `billing`: what `grantor serve` and
/// `grantor client create` do.
async fn serve_and_register(key_file: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let issuer = Issuer::parse(&format!("http://{}", listener.local_addr()?))?;
    let store = Arc::new(MemoryStore::new());

    let key = PrivateJwk::generate(Algorithm::Es256)?;
    let mut billing = ClientMetadata::new(
        "billing".parse()?,
        AuthMethod::PRIVATE_KEY_JWT,
        SystemClock.now(),
    );
    billing.scope = Scope::parse("invoices:read invoices:write")?;
    let public = Arc::new(VerificationKey::from_jwk(key.public())?);
    store
        .clients()
        .create(
            Client::new(billing, vec![public.into()], vec![])?,
            &Actor::program("example"),
        )
        .await?;
    let private_key: serde_json::Value = serde_json::from_str(key.expose_json())?;
    let text = json!({
        "type": "grantor_client", "issuer": issuer.as_str(), "token_endpoint": issuer.endpoint("token"),
        "client_id": "billing", "alg": "ES256", "private_key": private_key,
    });
    std::fs::write(key_file, text.to_string())?;

    let service = TowerToHyperService::new(
        AuthorizationServer::builder(issuer)
            .store(store)
            .standard()
            .build()?,
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(connection);
        }
    });
    Ok(())
}
