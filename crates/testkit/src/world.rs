//! A server under test with its store, clock and decision log; the parties that call it; and the
//! one oracle that every answer of the token endpoint has to pass.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use grantor::{
    assertion::CLIENT_ASSERTION_TYPE,
    clock::{ManualClock, UnixTime},
    registry::{Actor, Client, ClientKey, ClientMetadata, ClientSecret, Permission, Subject},
    server::{AuthorizationServer, Builder, Decision, DecisionLog},
    storage::{MemoryStore, Registries, StoreError},
    types::{AuthMethod, ClientId, GrantType, Issuer, Scope, SubjectId},
};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};

use crate::{
    answer::Answer,
    forge::{Jwt, Key, keys, quote},
    form::Form,
    people::Sessions,
};

pub const ISSUER: &str = "https://as.example";
pub const TOKEN_ENDPOINT: &str = "https://as.example/token";
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// When the clock stands at the start, in seconds.
pub const NOW: i64 = 1_800_000_000;

/// What an assertion is used for, and for client authentication by which method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Grant,
    PrivateKeyJwt,
    ClientSecretJwt,
}

impl Use {
    pub const ALL: [Self; 3] = [Self::Grant, Self::PrivateKeyJwt, Self::ClientSecretJwt];
    /// Those that verify with a public key.
    pub const PUBLIC_KEY: [Self; 2] = [Self::Grant, Self::PrivateKeyJwt];
    /// Those that authenticate a client.
    pub const CLIENT: [Self; 2] = [Self::PrivateKeyJwt, Self::ClientSecretJwt];

    /// The error code of a bad assertion.
    pub fn error(self) -> &'static str {
        if self == Self::Grant {
            "invalid_grant"
        } else {
            "invalid_client"
        }
    }

    /// The method a client of this use is registered with.
    pub fn method(self) -> AuthMethod {
        if self == Self::ClientSecretJwt {
            AuthMethod::CLIENT_SECRET_JWT
        } else {
            AuthMethod::PRIVATE_KEY_JWT
        }
    }
}

/// A registered client together with the key it signs with.
#[derive(Clone)]
pub struct Party {
    pub id: String,
    pub usage: Use,
    pub key: Arc<Key>,
}

impl Party {
    /// A good assertion by this party, valid for both uses, with a new `jti`.
    pub fn jwt(&self) -> Jwt {
        let jwt = Jwt::default()
            .header("alg", quote(self.key.algorithm.name()))
            .header("typ", quote("JWT"));
        let jwt = match self.key.key_id() {
            Some(key_id) => jwt.header("kid", quote(key_id)),
            None => jwt,
        };
        let times = jwt
            .claim("iat", NOW.to_string())
            .claim("exp", (NOW + 60).to_string())
            .text("jti", &new_token_id());
        times
            .text("iss", &self.id)
            .text("sub", &self.id)
            .text("aud", ISSUER)
    }

    /// A request that uses this assertion.
    pub fn form(&self, assertion: &str) -> Form {
        match self.usage {
            Use::Grant => Form::new(JWT_BEARER).with("assertion", assertion),
            _ => with_client_assertion(Form::new("client_credentials"), assertion),
        }
    }

    /// A good request.
    pub fn good_form(&self) -> Form {
        self.form(&self.jwt().sign(&self.key))
    }
}

/// Adds client authentication by assertion.
pub fn with_client_assertion(form: Form, assertion: &str) -> Form {
    form.with("client_assertion_type", CLIENT_ASSERTION_TYPE)
        .with("client_assertion", assertion)
}

/// A `jti` nobody used.
pub fn new_token_id() -> String {
    format!("token-id-{}", next())
}

fn next() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Keeps decisions until a test takes them.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Decision>>>);

impl Log {
    pub fn take(&self) -> Vec<Decision> {
        std::mem::take(&mut *self.0.lock().expect("no panic while locked"))
    }
}

impl DecisionLog for Log {
    fn record(&self, decision: &Decision) {
        self.0
            .lock()
            .expect("no panic while locked")
            .push(decision.clone());
    }
}

/// A server with everything a test turns.
pub struct World {
    pub store: Arc<MemoryStore>,
    pub clock: Arc<ManualClock>,
    pub log: Log,
    pub server: AuthorizationServer,
}

impl World {
    /// The standard server.
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// The standard server, changed.
    pub fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::bare(|builder| change(builder.standard()))
    }

    /// The standard server with the code grant, and the people who sign in.
    pub fn with_people(change: impl FnOnce(Builder) -> Builder) -> (Self, Sessions) {
        let (store, sessions) = (Arc::new(MemoryStore::new()), Sessions::default());
        let people = sessions.people(&store);
        let add = |builder: Builder| {
            let builder = builder.standard().code_grant(people);
            change(builder.endpoint(sessions.clone()))
        };
        (Self::on(store, add), sessions)
    }

    /// A server with whatever grants and methods are added.
    pub fn bare(add: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(Arc::new(MemoryStore::new()), add)
    }

    fn on(store: Arc<MemoryStore>, add: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(ManualClock::new(at(0.0)));
        let log = Log::default();
        let issuer = Issuer::parse(ISSUER).expect("an issuer");
        let builder = AuthorizationServer::builder(issuer)
            .store(store.clone())
            .trusted_issuers(store.clone())
            .clock(clock.clone())
            .decisions(log.clone());
        let server = add(builder).build().expect("a server");
        Self {
            store,
            clock,
            log,
            server,
        }
    }

    /// Sets the clock this many seconds after [`NOW`].
    pub fn set_clock(&self, seconds: f64) {
        self.clock.set(at(seconds));
    }

    /// A new one, and a party of it.
    pub async fn with_party(usage: Use) -> (Self, Party) {
        let world = Self::new();
        let party = world.party(usage).await;
        (world, party)
    }

    /// Registers a new client that is fit for this use, with the usual key.
    pub async fn party(&self, usage: Use) -> Party {
        let key = if usage == Use::ClientSecretJwt {
            keys::SECRET.clone()
        } else {
            keys::P256.clone()
        };
        self.party_with(usage, key, |_| ()).await
    }

    /// As [`World::party`], with this key and with changed metadata.
    pub async fn party_with(
        &self,
        usage: Use,
        key: Arc<Key>,
        change: impl FnOnce(&mut ClientMetadata),
    ) -> Party {
        let id = format!("https://client.example/{}", next());
        let mut metadata = metadata(&id, usage.method());
        change(&mut metadata);
        let id = metadata.id.to_string();
        let (keys, secrets) = match usage {
            Use::ClientSecretJwt => (vec![], vec![readable(key.text(), None)]),
            _ => (vec![key.public().into()], vec![]),
        };
        self.register(metadata, keys, secrets).await;
        Party { id, usage, key }
    }

    /// Registers a client.
    pub async fn register(
        &self,
        metadata: ClientMetadata,
        keys: Vec<ClientKey>,
        secrets: Vec<ClientSecret>,
    ) {
        let client = Client::new(metadata, keys, secrets).expect("a client that makes sense");
        self.store
            .clients()
            .create(client, &Actor::program("test"))
            .await
            .expect("a new name");
    }

    /// Replaces the registration of a client, whatever it is now.
    pub async fn replace(&self, client: Client) {
        let replace =
            |old: &Client| Ok::<_, StoreError>(client.clone().with_revision(old.revision()));
        self.store
            .clients()
            .change(client.id(), &Actor::program("test"), replace)
            .await
            .expect("a known client");
    }

    /// Registers a subject for whom `party` may act.
    pub async fn permit(&self, party: &Party, subject: &str, scope: Option<&str>) {
        let id = SubjectId::parse(subject).expect("a subject");
        self.store
            .subjects()
            .create(Subject::new(id.clone()), &Actor::program("test"))
            .await
            .expect("a new name");
        let client = ClientId::parse(&party.id).expect("a client");
        let scope = scope.map(|text| Scope::parse(text).expect("a scope"));
        self.store
            .permissions()
            .create(Permission::new(client, id, scope), &Actor::program("test"))
            .await
            .expect("a new permission");
    }

    /// Sends a form and holds the answer against the oracle.
    pub async fn send(&self, form: &Form) -> Answer {
        self.send_request(form, form.request()).await
    }

    /// Sends a form whose answer has no JSON body: status and body.
    pub async fn send_plain(&self, form: &Form) -> (StatusCode, String) {
        let (parts, body) = self.server.respond(form.request()).await.into_parts();
        assert_eq!(parts.headers["cache-control"], "no-store");
        let body = body.collect().await.expect("a body").to_bytes();
        (
            parts.status,
            String::from_utf8(body.to_vec()).expect("UTF-8"),
        )
    }

    /// As [`World::send`], with a request made from `form` by hand.
    pub async fn send_request(&self, form: &Form, request: Request<Full<Bytes>>) -> Answer {
        self.log.take();
        let response = self.server.respond(request).await;
        Answer::read(form, response, self.log.take()).await
    }

    /// One row of a table, tried with a party of this use: the good assertion passes, the changed
    /// one is refused for this reason, and a good one passes again.
    pub async fn refuses(
        &self,
        party: &Party,
        row: &str,
        change: impl FnOnce(Jwt) -> Jwt,
        reason: Reason<'_>,
    ) {
        let row = format!("{:?}: {row}", party.usage);
        self.send(&party.good_form()).await.granted(&row);
        let changed = change(party.jwt()).sign(&party.key);
        let (rule, cause) = reason.of(party.usage);
        self.send(&party.form(&changed))
            .await
            .refused(&row, party.usage.error(), rule, cause);
        self.send(&party.good_form()).await.granted(&row);
    }

    /// The changed assertion passes.
    pub async fn accepts(
        &self,
        party: &Party,
        row: &str,
        change: impl FnOnce(Jwt) -> Jwt,
    ) -> Answer {
        let row = format!("{:?}: {row}", party.usage);
        let answer = self
            .send(&party.form(&change(party.jwt()).sign(&party.key)))
            .await;
        answer.granted(&row);
        answer
    }
}

/// The rule and the private cause expected in the decision, for both uses or for each.
#[derive(Clone, Copy, Debug)]
pub enum Reason<'a> {
    Same(&'a str, &'a str),
    Each {
        grant: (&'a str, &'a str),
        client: (&'a str, &'a str),
    },
}

impl<'a> Reason<'a> {
    fn of(self, usage: Use) -> (&'a str, &'a str) {
        match self {
            Self::Same(rule, cause) => (rule, cause),
            Self::Each { grant, .. } if usage == Use::Grant => grant,
            Self::Each { client, .. } => client,
        }
    }
}

/// This many seconds after [`NOW`].
pub fn at(seconds: f64) -> UnixTime {
    UnixTime::from_millis(NOW * 1000 + (seconds * 1000.0).round() as i64)
}

/// The registration every test starts from: both grants, scope `read write`.
pub fn metadata(id: &str, method: AuthMethod) -> ClientMetadata {
    let id = ClientId::parse(id).expect("a client identifier");
    let mut metadata = ClientMetadata::new(id, method, at(0.0));
    metadata.scope = Scope::parse("read write").expect("a scope");
    metadata
}

/// A secret kept readable, for `client_secret_jwt`.
pub fn readable(secret: &str, expires_after: Option<Duration>) -> ClientSecret {
    let end = expires_after.map(|after| at(0.0).plus(after));
    ClientSecret::readable(secret.to_owned().into(), end).expect("a long secret")
}

/// Removes a grant from a registration.
pub fn without_grant(metadata: &mut ClientMetadata, grant: &GrantType) {
    metadata.grant_types.retain(|known| known != grant);
}
