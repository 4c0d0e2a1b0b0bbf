//! What is disabled while a request is under way: as its keys are fetched, and as its JWT is claimed.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use grantor::{
    assertion::Usage,
    clock::UnixTime,
    jose::Header,
    keys::{Candidate, KeyError, KeyKind, KeyResolver, KeySource, RegisteredKeys},
    registry::{Actor, Client, Mode, Permissions, Subject, SubjectMapping, Trust, TrustedIssuer},
    storage::{
        Claim, MemoryStore, PermissionSource, Registries as _, ReplayGuard, ReplayKey, StoreError,
        Used,
    },
    types::{AuthMethod, ClientId, SubjectId},
};
use grantor_testkit::{
    Answer, Form, JWT_BEARER, Party, ThirdParty, Use, World, keys, metadata, pin,
    with_client_assertion,
};

pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a request is when something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    Keys,
    Claim,
    /// Subject and permissions have just been read.
    Permissions,
}

/// Does something once, in the middle of a request.
#[derive(Default)]
pub struct Meanwhile {
    pub work: Mutex<Option<(At, Work)>>,
    pub store: OnceLock<Arc<MemoryStore>>,
}

impl Meanwhile {
    async fn is(&self, here: At) {
        let work = {
            let mut work = self.work.lock().expect("no panic");
            work.take_if(|(at, _)| *at == here)
        };
        if let Some((_, work)) = work {
            work.await;
        }
    }
}

#[async_trait]
impl KeyResolver for Meanwhile {
    async fn resolve_keys(
        &self,
        client: &Client,
        kind: KeyKind,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        self.is(At::Keys).await;
        if client.metadata().jwks_uri.is_some() {
            // They were fetched.
            let key = keys::P256.public();
            let source = KeySource::Published(1);
            return Ok(vec![Candidate { key, source }]);
        }
        RegisteredKeys.resolve_keys(client, kind, header, now).await
    }

    async fn resolve_issuer_keys(
        &self,
        issuer: &TrustedIssuer,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        self.is(At::Keys).await;
        RegisteredKeys
            .resolve_issuer_keys(issuer, header, now)
            .await
    }
}

#[async_trait]
impl ReplayGuard for Meanwhile {
    async fn claim(&self, uses: &[Used], now: UnixTime, quota: u64) -> Result<Claim, StoreError> {
        self.is(At::Claim).await;
        let store = self.store.get().expect("a store");
        store.claim(uses, now, quota).await
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        let store = self.store.get().expect("a store");
        store.is_claimed(key, now).await
    }
}

#[async_trait]
impl PermissionSource for Meanwhile {
    async fn permissions_of(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError> {
        let store = self.store.get().expect("a store");
        let read = store.permissions_of(client, subject).await;
        self.is(At::Permissions).await;
        read
    }
}

/// What an operator switches.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Switch {
    Issuer,
    Trust,
    Client,
    Subject,
}

async fn set(store: Arc<MemoryStore>, switch: Switch, enabled: bool) {
    let by = Actor::program("test");
    let fail = "it is registered";
    match switch {
        Switch::Issuer => {
            let change = |issuer: &TrustedIssuer| {
                let mut issuer = issuer.clone();
                issuer.enabled = enabled;
                Ok::<_, StoreError>(issuer)
            };
            let id = "https://idp.example".parse().expect("an issuer");
            let registry = store.issuer_registry();
            registry.change(&id, &by, change).await.expect(fail);
        }
        Switch::Trust => {
            let change = |trust: &Trust| {
                let mut trust = trust.clone();
                trust.mode = if enabled { Mode::On } else { Mode::Off };
                Ok::<_, StoreError>(trust)
            };
            for name in ["ci", "job"] {
                let name = name.parse().expect("a name");
                let registry = store.trust_registry();
                registry.change(&name, &by, change).await.expect(fail);
            }
        }
        Switch::Client => {
            let change = |client: &Client| {
                let mut metadata = client.metadata().clone();
                metadata.enabled = enabled;
                let changed = Client::new(metadata, vec![], vec![]).expect("as it was");
                Ok::<_, StoreError>(changed.with_revision(client.revision()))
            };
            for id in ["deployer", "job", "published"] {
                let id = id.parse().expect("a client");
                store.clients().change(&id, &by, change).await.expect(fail);
            }
        }
        Switch::Subject => {
            let change = |subject: &Subject| {
                let mut subject = subject.clone();
                subject.enabled = enabled;
                Ok::<_, StoreError>(subject)
            };
            let id = "alice".parse().expect("a subject");
            store.subjects().change(&id, &by, change).await.expect(fail);
        }
    }
}

/// A world with an issuer, a trust of it for a registered subject, and a federated client.
pub async fn world() -> (World, ThirdParty, Arc<Meanwhile>) {
    let meanwhile = Arc::<Meanwhile>::default();
    let world = World::with(|builder| {
        let builder = builder.key_resolver(meanwhile.clone());
        builder.replay(meanwhile.clone())
    });
    let _ = meanwhile.store.set(world.store.clone());
    let idp = world.third_party("idp", |_| ()).await;
    world.trusted_client("deployer").await;
    world
        .trust(&idp, "ci", "deployer", |trust| {
            let who = "who".parse().expect("a claim");
            trust.subject = SubjectMapping::Existing(who);
        })
        .await;
    let by = Actor::program("test");
    let mut federated = metadata("job", AuthMethod::PRIVATE_KEY_JWT);
    federated.federated = true;
    let client = Client::new(federated, vec![], vec![]).expect("a federated client");
    let clients = world.store.clients();
    clients.create(client, &by).await.expect("a new name");
    world
        .trust(&idp, "job", "job", |trust| {
            trust.uses = vec![Usage::ClientAuthentication];
            trust.pins = vec![pin("sub", "repo:acme/widgets")];
        })
        .await;
    let mut published = metadata("published", AuthMethod::PRIVATE_KEY_JWT);
    published.jwks_uri = Some("https://keys.example/jwks".parse().expect("a URL"));
    let client = Client::new(published, vec![], vec![]).expect("a client with published keys");
    clients.create(client, &by).await.expect("a new name");
    (world, idp, meanwhile)
}

pub async fn ask(world: &World, idp: &ThirdParty, usage: Usage) -> Answer {
    let token = idp.jwt().text("who", "alice").sign(&idp.key);
    let form = match usage {
        Usage::Grant => Form::new(JWT_BEARER).with("assertion", &token),
        Usage::ClientAuthentication => {
            with_client_assertion(Form::new("client_credentials"), &token)
        }
    };
    world.send(&form).await
}

#[tokio::test]
async fn t090_ta55_what_is_disabled_while_a_request_is_under_way_grants_nothing() {
    use Switch::{Client, Issuer, Subject, Trust};
    let (world, idp, meanwhile) = world().await;
    let deployer = Party {
        id: "deployer".to_owned(),
        usage: Use::PrivateKeyJwt,
        key: idp.key.clone(),
    };
    world.permit(&deployer, "alice", Some("read")).await;
    for usage in [Usage::Grant, Usage::ClientAuthentication] {
        for at in [At::Keys, At::Claim] {
            for switch in [Issuer, Trust, Client, Subject] {
                if (usage, switch) == (Usage::ClientAuthentication, Subject) {
                    continue;
                }
                let row = format!("{switch:?} at {at:?} for {usage:?}");
                ask(&world, &idp, usage).await.granted(&row);
                let work = set(world.store.clone(), switch, false);
                *meanwhile.work.lock().expect("no panic") = Some((at, Box::pin(work)));
                let answer = ask(&world, &idp, usage).await;
                assert_ne!(answer.status, 200, "{row}");
                assert!(meanwhile.work.lock().expect("no panic").is_none(), "{row}");
                set(world.store.clone(), switch, true).await;
                ask(&world, &idp, usage).await.granted(&row);
            }
        }
    }
}

#[tokio::test]
async fn t080_t090_a_client_that_is_disabled_while_its_keys_are_fetched_gets_nothing() {
    let (world, _, meanwhile) = world().await;
    for usage in [Use::PrivateKeyJwt, Use::Grant] {
        let party = Party {
            id: "published".to_owned(),
            usage,
            key: keys::P256.clone(),
        };
        let send = async || world.send(&party.form(&party.jwt().sign(&party.key))).await;
        send().await.granted("enabled");
        let work = set(world.store.clone(), Switch::Client, false);
        *meanwhile.work.lock().expect("no panic") = Some((At::Keys, Box::pin(work)));
        let code = match usage {
            Use::Grant => "invalid_grant",
            _ => "invalid_client",
        };
        send()
            .await
            .refused("meanwhile", code, "issuer", "disabled");
        set(world.store.clone(), Switch::Client, true).await;
        send().await.granted("again");
    }
}
