//! Our client with our server, in one process: every method and both grants, through the server's
//! own rules.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    client::{
        Audience, Builder, ClientAuth, ClientCredentials, ClientSecretBasic, ClientSecretJwt,
        ClientSecretPost, JwtBearer, LocalKey, NoneAuth, PrivateKeyJwt, Server, TokenSource,
        Wanted,
    },
    clock::{Clock, SystemClock},
    jose::{Algorithm, PrivateJwk, VerificationKey},
    registry::{Actor, AudiencePolicy, Client, ClientMetadata, ClientSecret, Permission, Subject},
    remote::{Fetch, FetchError},
    server::AuthorizationServer,
    storage::{MemoryStore, Registries},
    types::{AuthMethod, GrantType, Issuer, Scope, SubjectId},
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};

const ISSUER: &str = "https://as.example";

/// Reaches the server without a network.
struct InProcess(AuthorizationServer, AtomicUsize);

#[async_trait]
impl Fetch for InProcess {
    async fn fetch(
        &self,
        request: Request<Bytes>,
        _: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        if request.uri().path() == "/token" {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
        let (parts, body) = self.0.respond(request.map(Full::new)).await.into_parts();
        Ok(Response::from_parts(
            parts,
            body.collect()
                .await
                .map_err(|error| FetchError::Transport(error.into()))?
                .to_bytes(),
        ))
    }
}

/// A server that knows one client of this method, with its key or secret.
async fn server(
    method: AuthMethod,
    policy: AudiencePolicy,
) -> (Arc<InProcess>, PrivateJwk, String) {
    let store = Arc::new(MemoryStore::new());
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let secret = ClientSecret::generate().to_string();
    let mut billing = ClientMetadata::new(
        "billing".parse().expect("an id"),
        method.clone(),
        SystemClock.now(),
    );
    billing.grant_types = vec![GrantType::JWT_BEARER, GrantType::CLIENT_CREDENTIALS];
    billing.scope = Scope::parse("invoices:read invoices:write").expect("a scope");
    billing.audience_policy = policy;
    let (keys, secrets) = match method {
        method if method == AuthMethod::PRIVATE_KEY_JWT => (
            vec![
                VerificationKey::from_jwk(key.public())
                    .expect("a key")
                    .into(),
            ],
            vec![],
        ),
        method if method == AuthMethod::CLIENT_SECRET_JWT => (
            vec![],
            vec![ClientSecret::readable(secret.clone().into(), None).expect("a secret")],
        ),
        method if method == AuthMethod::NONE => (vec![], vec![]),
        _ => (vec![], vec![ClientSecret::digest(&secret, None)]),
    };
    store
        .clients()
        .create(
            Client::new(billing, keys, secrets).expect("a client"),
            &Actor::program("test"),
        )
        .await
        .expect("a new name");
    let alice: SubjectId = "alice".parse().expect("a name");
    store
        .subjects()
        .create(Subject::new(alice.clone()), &Actor::program("test"))
        .await
        .expect("a new name");
    let scope = Scope::parse("invoices:read").ok();
    let permission = Permission::new("billing".parse().expect("an id"), alice, scope);
    store
        .permissions()
        .create(permission, &Actor::program("test"))
        .await
        .expect("a new permission");
    let server = AuthorizationServer::builder(Issuer::parse(ISSUER).expect("an issuer"))
        .store(store)
        .standard();
    (
        Arc::new(InProcess(
            server.build().expect("a server"),
            AtomicUsize::new(0),
        )),
        key,
        secret,
    )
}

fn discovered() -> Server {
    Server::discover(ISSUER).expect("an issuer")
}

async fn granted(source: Builder, server: &Arc<InProcess>) -> Option<String> {
    let source = source.fetch(server.clone()).build().expect("a source");
    source
        .token()
        .await
        .ok()
        .and_then(|token| token.scope().map(ToString::to_string))
}

#[tokio::test]
async fn every_client_authentication_method_is_understood() {
    const ALL: Option<&str> = Some("invoices:read invoices:write");
    for method in [
        AuthMethod::PRIVATE_KEY_JWT,
        AuthMethod::CLIENT_SECRET_JWT,
        AuthMethod::CLIENT_SECRET_BASIC,
        AuthMethod::CLIENT_SECRET_POST,
    ] {
        let (server, key, secret) = server(method.clone(), AudiencePolicy::default()).await;
        let auth: Box<dyn ClientAuth> = match &method {
            method if *method == AuthMethod::PRIVATE_KEY_JWT => Box::new(PrivateKeyJwt::new(
                "billing",
                LocalKey::new(&key).expect("a signer"),
            )),
            method if *method == AuthMethod::CLIENT_SECRET_JWT => Box::new(
                ClientSecretJwt::new("billing", &secret, Some(Algorithm::Hs256)).expect("a secret"),
            ),
            method if *method == AuthMethod::CLIENT_SECRET_BASIC => {
                Box::new(ClientSecretBasic::new("billing", secret))
            }
            _ => Box::new(ClientSecretPost::new("billing", secret)),
        };
        assert_eq!(auth.method(), method);
        assert_eq!(
            granted(TokenSource::client_credentials(discovered(), auth), &server)
                .await
                .as_deref(),
            ALL,
            "{method}"
        );
        let nobody =
            Builder::new(discovered(), ClientCredentials).client_auth(NoneAuth::new("billing"));
        assert_eq!(
            granted(nobody, &server).await,
            None,
            "{method}: the control"
        );
    }
}

#[tokio::test]
async fn the_legacy_audience_is_for_clients_registered_with_it() {
    for (policy, granted_one) in [
        (AudiencePolicy::default(), false),
        (AudiencePolicy::Legacy, true),
    ] {
        let (server, key, _) = server(AuthMethod::PRIVATE_KEY_JWT, policy).await;
        let at = Server::at(&format!("{ISSUER}/token")).expect("a URL");
        let auth = PrivateKeyJwt::new("billing", LocalKey::new(&key).expect("a signer"))
            .audience(Audience::TokenEndpoint);
        assert_eq!(
            granted(TokenSource::client_credentials(at, auth), &server)
                .await
                .is_some(),
            granted_one
        );
    }
}

#[tokio::test]
async fn a_grant_is_for_oneself_or_for_a_subject_and_each_token_is_asked_for_once() {
    let (server, key, _) = server(AuthMethod::PRIVATE_KEY_JWT, AudiencePolicy::default()).await;
    let grant = JwtBearer::new("billing", LocalKey::new(&key).expect("a signer"));
    let source = TokenSource::jwt_bearer(discovered(), grant)
        .fetch(server.clone())
        .build()
        .expect("a source");
    for _ in 0..3 {
        let own = source.token().await.expect("a token");
        assert_eq!(
            own.scope().map(ToString::to_string).as_deref(),
            Some("invoices:read invoices:write")
        );
        let alice = source
            .token_for(Wanted::new().subject("alice"))
            .await
            .expect("a token");
        assert_eq!(
            alice.scope().map(ToString::to_string).as_deref(),
            Some("invoices:read")
        );
    }
    assert_eq!(server.1.load(Ordering::SeqCst), 2);
    let error = source
        .token_for(Wanted::new().subject("bob"))
        .await
        .expect_err("no permission");
    assert_eq!(error.oauth_code(), Some("invalid_grant"));
}
