//! Tokens in a program without tokio: plain threads share one source. The authorization server,
//! which does need a runtime, runs in a thread of the same process:
//!
//! ```text
//! cargo run -p grantor --example blocking --features client,reqwest
//! ```

use std::{
    error::Error,
    sync::{Arc, mpsc},
    thread,
};

use grantor::{
    client::{JwtBearer, LocalKey, Server, TokenSource, Wanted, blocking},
    clock::{Clock, SystemClock},
    jose::{Algorithm, PrivateJwk, VerificationKey},
    registry::{Actor, Client, ClientMetadata},
    server::AuthorizationServer,
    storage::{MemoryStore, Registries},
    types::{AuthMethod, Issuer, Scope},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;

fn main() -> Result<(), Box<dyn Error>> {
    let key = PrivateJwk::generate(Algorithm::Es256)?;
    let issuer = start_server(&key)?;

    // All that a client needs; `blocking::TokenSource::from_key_file("billing.json")` does the same
    // from a key file.
    let grant = JwtBearer::new("billing", LocalKey::new(&key)?);
    let source = blocking::TokenSource::new(
        TokenSource::jwt_bearer(Server::discover(issuer)?, grant).build()?,
    )?;

    // However many threads ask, there is one request, and one token.
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let source = source.clone();
            thread::spawn(move || source.token())
        })
        .collect();
    let token = source.token()?;
    for worker in workers {
        assert_eq!(worker.join().expect("no panic")?.expose(), token.expose());
    }

    let reading = source.token_for(Wanted::new().scope("invoices:read".parse()?))?;
    assert_eq!(
        reading.scope().map(ToString::to_string).as_deref(),
        Some("invoices:read")
    );

    // On a request of any HTTP client that speaks `http`.
    let (mut request, ()) = http::Request::get("https://api.example/invoices")
        .body(())?
        .into_parts();
    source.authorize(&mut request)?;
    assert!(request.headers["authorization"].is_sensitive());
    Ok(())
}

/// Runs a server that knows the client `billing` with this key, and answers its issuer identifier.
fn start_server(key: &PrivateJwk) -> Result<String, Box<dyn Error>> {
    let public = Arc::new(VerificationKey::from_jwk(key.public())?);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(serve(public, sender)).expect("a server");
    });
    Ok(receiver.recv()?)
}

async fn serve(
    public: Arc<VerificationKey>,
    started: mpsc::Sender<String>,
) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let issuer = Issuer::parse(&format!("http://{}", listener.local_addr()?))?;
    let store = Arc::new(MemoryStore::new());
    let mut billing = ClientMetadata::new(
        "billing".parse()?,
        AuthMethod::PRIVATE_KEY_JWT,
        SystemClock.now(),
    );
    billing.scope = Scope::parse("invoices:read invoices:write")?;
    store
        .clients()
        .create(
            Client::new(billing, vec![public.into()], vec![])?,
            &Actor::program("example"),
        )
        .await?;
    let service = TowerToHyperService::new(
        AuthorizationServer::builder(issuer.clone())
            .store(store)
            .standard()
            .build()?,
    );
    started.send(issuer.to_string())?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service.clone()),
        );
    }
}
