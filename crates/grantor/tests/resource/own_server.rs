//! Grantor on both sides: its authorization server issues, introspects, revokes and rotates; its
//! resource role notices.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{AUDIENCE, accepted, at, refused};
use bytes::Bytes;
use grantor::{
    clock::ManualClock,
    credential::ClientSecretBasic,
    jose::{Algorithm, PrivateJwk},
    keys::{KeyRing, SigningKeys},
    registry::{Actor, Client, ClientMetadata, ClientSecret, TokenFormat},
    remote::{Fetch, HttpFetch},
    resource::{Introspection, Validator, ValidatorBuilder},
    server::{AuthorizationServer, Settings},
    storage::{MemoryStore, Registries},
    types::{AuthMethod, ClientId, GrantType, Issuer, Scope},
};
use http::{Request, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use url::form_urlencoded::Serializer;

const INACTIVE: &str = "the authorization server says that the token is not active";

/// Keys that a test changes.
struct Rotating(Mutex<Arc<KeyRing>>);

impl SigningKeys for Rotating {
    fn key_ring(&self) -> Arc<KeyRing> {
        self.0.lock().expect("no panic while locked").clone()
    }
}

struct World {
    issuer: String,
    store: Arc<MemoryStore>,
    keys: Arc<Rotating>,
    clock: Arc<ManualClock>,
    http: HttpFetch,
}

impl World {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let (store, clock) = (
            Arc::new(MemoryStore::new()),
            Arc::new(ManualClock::new(at(0.0))),
        );
        let ring = KeyRing::generate(Algorithm::Es256).expect("a key");
        let keys = Arc::new(Rotating(Mutex::new(Arc::new(ring))));
        let server = AuthorizationServer::builder(Issuer::parse(&issuer).expect("an issuer"))
            .store(store.clone())
            .signing_keys(keys.clone())
            .clock(clock.clone())
            .settings(Settings {
                default_audience: Some(AUDIENCE.to_owned()),
                ..Settings::default()
            })
            .standard()
            .build()
            .expect("a server");
        tokio::spawn(async move {
            axum::serve(listener, axum::Router::new().fallback_service(server)).await
        });
        Self {
            issuer,
            store,
            keys,
            clock,
            http: HttpFetch::new().expect("a client"),
        }
    }

    async fn register(&self, id: &str, format: TokenFormat) {
        let id = ClientId::parse(id).expect("a client identifier");
        let mut metadata = ClientMetadata::new(id, AuthMethod::CLIENT_SECRET_POST, at(0.0));
        if metadata.id.as_str() == "api" {
            metadata.auth_method = AuthMethod::CLIENT_SECRET_BASIC;
        }
        metadata.grant_types = vec![GrantType::CLIENT_CREDENTIALS];
        metadata.scope = Scope::parse("invoices:read").expect("a scope");
        metadata.token_format = format;
        let client = Client::new(metadata, vec![], vec![ClientSecret::digest("secret", None)])
            .expect("a client");
        self.store
            .clients()
            .create(client, &Actor::program("test"))
            .await
            .expect("a new name");
    }

    async fn post(&self, path: &str, parameters: &[(&str, &str)]) -> (StatusCode, Bytes) {
        let mut form = Serializer::new(String::new());
        form.append_pair("client_id", "billing")
            .append_pair("client_secret", "secret")
            .extend_pairs(parameters);
        let request = Request::post(format!("{}{path}", self.issuer))
            .header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(form.finish().into()).expect("a request");
        let answer = self
            .http
            .fetch(request, 64 * 1024)
            .await
            .expect("an answer");
        (answer.status(), answer.into_body())
    }

    async fn token(&self) -> String {
        let (status, body) = self
            .post("/token", &[("grant_type", "client_credentials")])
            .await;
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(status, 200, "{body}");
        body["access_token"].as_str().expect("a token").to_owned()
    }

    fn validator(&self, change: impl FnOnce(ValidatorBuilder) -> ValidatorBuilder) -> Validator {
        change(Validator::builder(&self.issuer, AUDIENCE).clock(self.clock.clone()))
            .build()
            .expect("a validator")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_both_formats_are_accepted_until_they_are_revoked() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new().await;
        world.register("billing", format).await;
        world.register("api", TokenFormat::Jwt).await;
        let introspection = Introspection::new(ClientSecretBasic::new("api", "secret"))
            .active_for(Duration::from_secs(30));
        let asking =
            world.validator(|builder| builder.introspection(introspection.of_every_token()));
        let text = world.token().await;
        let token = accepted("issued", asking.validate(&text).await);
        assert_eq!(
            (token.subject(), token.client_id()),
            (Some("billing"), Some("billing"))
        );
        assert_eq!(token.scope().to_string(), "invoices:read");
        assert!(token.audience().eq([AUDIENCE]));

        assert_eq!(world.post("/revoke", &[("token", &text)]).await.0, 200);
        world.clock.set(at(29.999));
        accepted(
            "believed for the configured time",
            asking.validate(&text).await,
        );
        world.clock.set(at(30.0));
        assert_eq!(
            refused("revoked", asking.validate(&text).await),
            INACTIVE,
            "{format:?}"
        );
        accepted("another token", asking.validate(&world.token().await).await);
    }
}

#[tokio::test]
async fn a_token_for_another_resource_is_refused() {
    let world = World::new().await;
    world.register("billing", TokenFormat::Jwt).await;
    let text = world.token().await;
    accepted(
        "the control",
        world.validator(|builder| builder).validate(&text).await,
    );
    let other = Validator::builder(&world.issuer, "https://api.example/other")
        .clock(world.clock.clone())
        .build();
    assert!(
        refused("aud", other.expect("a validator").validate(&text).await)
            .starts_with("claim 'aud'")
    );
}

#[tokio::test]
async fn rotation_loses_no_token() {
    let world = World::new().await;
    world.register("billing", TokenFormat::Jwt).await;
    let validator = world.validator(|builder| builder);
    let before = world.token().await;
    accepted("before", validator.validate(&before).await);

    let old = world.keys.key_ring().published()[0].clone();
    let new = PrivateJwk::generate(Algorithm::Ed25519).expect("a key");
    let set = |ring: KeyRing| *world.keys.0.lock().expect("no panic while locked") = Arc::new(ring);
    set(KeyRing::new(&new, [old.into()]).expect("a ring"));
    world.clock.set(at(30.0));
    let after = world.token().await;
    accepted("after", validator.validate(&after).await);
    accepted(
        "before, its key is still published",
        validator.validate(&before).await,
    );

    set(KeyRing::new(&new, []).expect("a ring"));
    world.clock.set(at(630.0));
    assert!(
        refused(
            "before, its key has gone",
            validator.validate(&before).await
        )
        .contains("no key of the issuer")
    );
    accepted("after", validator.validate(&after).await);
}
