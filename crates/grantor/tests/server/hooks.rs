//! Everything an embedder may want to decide is a trait, and a replacement takes effect: clients,
//! keys, subjects, permissions, replay, tokens, signing keys, grants, client authentication, the
//! clock and the log.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    jose::{Algorithm, Header, VerificationKey},
    keys::{Candidate, KeyError, KeyKind, KeyResolver, KeyRing, KeySource, SigningKeys},
    registry::{Client, Permission, Permissions, Subject},
    server::{
        Authorization, Caller, ClientAuthError, ClientAuthRequirement, ClientAuthentication,
        Context, Decision, Grant, GrantError, Mechanism, Refusal, Request,
    },
    storage::{
        Claim, ClientSource, PermissionSource, ReplayGuard, ReplayKey, StoreError, SubjectSource,
        Used,
    },
    types::{AuthMethod, ClientId, GrantType, Scope, SubjectId},
};
use grantor_testkit::{Form, Jwt, Key, Party, Reason::Same, Use, World, keys, metadata};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

/// Knows one client, under whatever case its name is written.
struct OneClient(Arc<Client>);

#[async_trait]
impl ClientSource for OneClient {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(id
            .as_str()
            .eq_ignore_ascii_case(self.0.id().as_str())
            .then(|| self.0.clone()))
    }
}

#[tokio::test]
async fn clients_can_come_from_elsewhere() {
    for usage in Use::PUBLIC_KEY {
        let id = "client-from-elsewhere";
        let client = Client::new(
            metadata(id, usage.method()),
            vec![keys::P256.public().into()],
            vec![],
        )
        .expect("a client");
        let world = World::with(|builder| builder.clients(Arc::new(OneClient(Arc::new(client)))));
        let party = Party {
            id: id.to_owned(),
            usage,
            key: keys::P256.clone(),
        };
        world.accepts(&party, "known elsewhere", |jwt| jwt).await;
        let shout = |jwt: Jwt| jwt.text("iss", &id.to_uppercase());
        world
            .refuses(
                &party,
                "a lenient source does not loosen the rule",
                shout,
                Same("iss", "iss: expected"),
            )
            .await;
        let stranger = world.party(usage).await;
        world.send(&stranger.good_form()).await.refused(
            "in the store only",
            usage.error(),
            "issuer",
            "is not registered",
        );
    }
}

/// Answers these keys whatever was registered.
struct TheseKeys(Result<Vec<Arc<VerificationKey>>, ()>);

#[async_trait]
impl KeyResolver for TheseKeys {
    async fn resolve_keys(
        &self,
        _: &Client,
        _: KeyKind,
        _: &Header,
        _: UnixTime,
    ) -> Result<Vec<Candidate>, KeyError> {
        let named = |key: &Arc<VerificationKey>| Candidate {
            key: key.clone(),
            source: KeySource::Other("the key server"),
        };
        self.0
            .as_ref()
            .map(|keys| keys.iter().map(named).collect())
            .map_err(|()| StoreError::Unavailable("the key server does not answer".into()).into())
    }
}

#[tokio::test]
async fn keys_can_come_from_elsewhere() {
    let resolved = [
        (Ok(vec![keys::P256_OTHER.public()]), None),
        (
            Ok(vec![keys::P384.public()]),
            Some(("alg", "the key is not for algorithm ES256")),
        ),
        (Ok(vec![]), Some(("signature", "signature does not verify"))),
    ];
    for usage in Use::PUBLIC_KEY {
        for (keys, refused) in &resolved {
            let world =
                World::with(|builder| builder.key_resolver(Arc::new(TheseKeys(keys.clone()))));
            let party = Party {
                key: keys::P256_OTHER.clone(),
                ..world.party(usage).await
            };
            let answer = world.send(&party.good_form()).await;
            match refused {
                None => drop(answer.granted("the resolved key")),
                Some((rule, cause)) => answer.refused(cause, usage.error(), rule, cause),
            }
        }
        let world = World::with(|builder| builder.key_resolver(Arc::new(TheseKeys(Err(())))));
        let answer = world.send(&world.party(usage).await.good_form()).await;
        answer.refused(
            "no answer",
            "temporarily_unavailable",
            "storage",
            "the key server does not answer",
        );
    }
}

/// A directory of people, and what each allows.
struct Directory;

#[async_trait]
impl SubjectSource for Directory {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        match id.as_str().strip_prefix("employee-") {
            Some("crash") => Err(StoreError::Failed("the directory crashed".into())),
            Some(rest) => {
                let mut subject = Subject::new(id.clone());
                subject.enabled = rest != "retired";
                Ok(Some(subject))
            }
            None => Ok(None),
        }
    }
}

#[async_trait]
impl PermissionSource for Directory {
    async fn permissions_of(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError> {
        let scope = match subject.as_str() {
            "employee-reader" => Some(Scope::parse("read").expect("a scope")),
            "employee-private" => return Ok(Permissions::default()),
            "employee-broken" => {
                return Err(StoreError::Unavailable("the directory is away".into()));
            }
            _ => None,
        };
        let permission = Permission::new(client.clone(), subject.clone(), scope);
        Ok(Permissions::of([Arc::new(permission)]))
    }
}

#[tokio::test]
async fn subjects_and_permissions_can_come_from_elsewhere() {
    let world = World::with(|builder| {
        builder
            .subjects(Arc::new(Directory))
            .permissions(Arc::new(Directory))
    });
    let party = world.party(Use::Grant).await;
    let send = async |subject: &str| {
        world
            .send(&party.form(&party.jwt().text("sub", subject).sign(&party.key)))
            .await
    };
    assert_eq!(send("employee-writer").await.body["scope"], "read write");
    assert_eq!(send("employee-reader").await.body["scope"], "read");
    for (subject, error, rule, cause) in [
        (
            "employee-retired",
            "invalid_grant",
            "subject",
            "subject is disabled",
        ),
        (
            "employee-private",
            "invalid_grant",
            "permission",
            "no permission",
        ),
        ("customer-1", "invalid_grant", "subject", "is not known"),
        (
            "employee-crash",
            "server_error",
            "storage",
            "storage failed: the directory crashed",
        ),
        (
            "employee-broken",
            "temporarily_unavailable",
            "storage",
            "storage is not available: the directory is away",
        ),
    ] {
        send(subject).await.refused(subject, error, rule, cause);
    }
}

/// A client registry that fails.
struct NoRegistry;

#[async_trait]
impl ClientSource for NoRegistry {
    async fn client(&self, _: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        Err(StoreError::Unavailable("the registry is away".into()))
    }
}

#[tokio::test]
async fn a_failing_registry_is_not_the_clients_fault() {
    let world = World::with(|builder| builder.clients(Arc::new(NoRegistry)));
    let party = |usage, key: &Arc<Key>| Party {
        id: "any-client".to_owned(),
        usage,
        key: key.clone(),
    };
    let forms = [
        party(Use::Grant, &keys::P256).good_form(),
        party(Use::Grant, &keys::P256)
            .good_form()
            .with("client_id", "any-client"),
        party(Use::PrivateKeyJwt, &keys::P256).good_form(),
        party(Use::ClientSecretJwt, &keys::SECRET).good_form(),
        Form::new("client_credentials").basic("any-client", "any-secret"),
        Form::new("client_credentials")
            .with("client_id", "any-client")
            .with("client_secret", "any-secret"),
    ];
    for form in forms {
        let cause = "storage is not available: the registry is away";
        world
            .send(&form)
            .await
            .refused("away", "temporarily_unavailable", "storage", cause);
    }
}

/// Remembers nothing but what it was asked.
#[derive(Default)]
struct Forgetful(Mutex<Vec<(Vec<Used>, UnixTime)>>);

#[async_trait]
impl ReplayGuard for Forgetful {
    async fn claim(&self, uses: &[Used], now: UnixTime, _: u64) -> Result<Claim, StoreError> {
        self.0.lock().expect("no panic").push((uses.to_vec(), now));
        Ok(Claim::Fresh)
    }

    async fn is_claimed(&self, _: ReplayKey, _: UnixTime) -> Result<bool, StoreError> {
        Ok(false)
    }
}

#[tokio::test]
async fn replay_protection_can_be_replaced() {
    for usage in Use::ALL {
        let guard = Arc::new(Forgetful::default());
        let world = World::with(|builder| builder.replay(guard.clone()));
        let party = world.party(usage).await;
        let form = party.form(&party.jwt().text("jti", "the-token-id").sign(&party.key));
        world.send(&form).await.granted("once");
        world
            .send(&form)
            .await
            .granted("and again, because this guard forgets");
        let claim = (
            vec![ReplayKey::new(&party.id, "the-token-id").until(grantor_testkit::at(120.0))],
            grantor_testkit::at(0.0),
        );
        assert_eq!(*guard.0.lock().expect("no panic"), [claim.clone(), claim]);
    }
}

/// Two rings, and which of them is in use.
struct Rotating([Arc<KeyRing>; 2], AtomicBool);

impl SigningKeys for Rotating {
    fn key_ring(&self) -> Arc<KeyRing> {
        self.0[usize::from(self.1.load(Ordering::SeqCst))].clone()
    }
}

#[tokio::test]
async fn signing_keys_rotate_without_a_restart() {
    let ring = |algorithm| Arc::new(KeyRing::generate(algorithm).expect("a key ring"));
    let rotating = Arc::new(Rotating(
        [ring(Algorithm::Es256), ring(Algorithm::Ed25519)],
        AtomicBool::new(false),
    ));
    let world = World::with(|builder| builder.signing_keys(rotating.clone()));
    let party = world.party(Use::Grant).await;
    for (rotated, expected) in [(false, "ES256"), (true, "Ed25519")] {
        rotating.1.store(rotated, Ordering::SeqCst);
        let answer = world.send(&party.good_form()).await;
        let header = grantor::jose::Unverified::parse(answer.granted(expected))
            .expect("a JWS")
            .header()
            .algorithm();
        assert_eq!(header.name(), expected);
    }
}

/// A grant of one's own: a voucher is worth a token for its client.
struct Voucher;

const VOUCHER: GrantType = GrantType::from_static("https://as.example/grants/voucher");

#[async_trait]
impl Grant for Voucher {
    fn grant_type(&self) -> GrantType {
        VOUCHER
    }

    fn client_auth(&self) -> ClientAuthRequirement {
        ClientAuthRequirement {
            methods: vec![
                AuthMethod::from_static("badge"),
                AuthMethod::PRIVATE_KEY_JWT,
            ],
            optional: false,
        }
    }

    async fn authorize(
        &self,
        _: &Context,
        request: &Request,
        caller: &Caller,
        _: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let client = caller.authenticated().ok_or(GrantError::NotAllowed)?;
        match request.required("voucher")? {
            "good" => Authorization::for_client(client.clone(), &VOUCHER),
            "panics" => defect(),
            _ => Err(Refusal::invalid_grant("the voucher is not valid").into()),
        }
    }
}

#[expect(clippy::panic, reason = "a defect of an extension")]
fn defect() -> ! {
    panic!("a defect of an extension")
}

/// A client authentication method of one's own: a badge in the form.
struct Badge;

static BADGE: [AuthMethod; 1] = [AuthMethod::from_static("badge")];

#[async_trait]
impl ClientAuthentication for Badge {
    fn methods(&self) -> &[AuthMethod] {
        &BADGE
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Secret
    }

    fn is_presented(&self, request: &Request) -> bool {
        request.parameter("badge").is_some()
    }

    async fn authenticate(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
        let id = request.parameter("badge").unwrap_or_default();
        decision.claims_client(id);
        let client = context.client(id).await.map_err(ClientAuthError::Store)?;
        client
            .map(|client| (client, BADGE[0].clone()))
            .ok_or_else(|| ClientAuthError::UnknownClient(id.into()))
    }
}

#[tokio::test]
async fn grants_and_client_authentication_can_be_added() {
    let world = World::with(|builder| builder.grant(Voucher).client_auth(Badge));
    let mut badged = metadata("client-with-badge", BADGE[0].clone());
    badged.grant_types = vec![VOUCHER];
    world.register(badged.clone(), vec![], vec![]).await;
    // Its implementation looks at neither.
    let mut disabled = badged.clone();
    disabled.id = ClientId::parse("client-that-is-disabled").expect("a name");
    disabled.enabled = false;
    world.register(disabled, vec![], vec![]).await;
    badged.id = ClientId::parse("client-without-badge").expect("a name");
    badged.auth_method = AuthMethod::NONE;
    world.register(badged, vec![], vec![]).await;
    let form = Form::new(VOUCHER.as_str())
        .with("badge", "client-with-badge")
        .with("voucher", "good");
    let answer = world.send(&form).await;
    answer.granted("a good voucher");
    assert_eq!(
        (answer.decision.grant_type, answer.decision.auth_method),
        (Some(VOUCHER), Some(BADGE[0].clone()))
    );
    let rows = [
        (
            form.clone().set("voucher", "bad-voucher"),
            "invalid_grant",
            "grant",
            "the voucher is not valid",
        ),
        (
            form.clone().without("voucher"),
            "invalid_request",
            "form",
            "parameter voucher is missing",
        ),
        (
            form.clone().without("badge"),
            "invalid_client",
            "client",
            "the grant requires it",
        ),
        (
            form.clone().set("badge", "nobody-here"),
            "invalid_client",
            "client",
            "is not registered",
        ),
        (
            form.clone().set("badge", "client-that-is-disabled"),
            "invalid_client",
            "client",
            "client is disabled",
        ),
        (
            form.clone().set("badge", "client-without-badge"),
            "invalid_client",
            "method",
            "client is registered with none, used badge",
        ),
        (
            form.clone().set("grant_type", "client_credentials"),
            "invalid_client",
            "method",
            "badge is not accepted by this grant",
        ),
        (
            form.clone().basic("client-with-badge", "some-secret"),
            "invalid_request",
            "client",
            "more than one",
        ),
        (
            form.clone().with("scope", "administrate"),
            "invalid_scope",
            "scope",
            "scope: allowed",
        ),
    ];
    for (form, error, rule, cause) in rows {
        world.send(&form).await.refused(cause, error, rule, cause);
    }
    let defect = world.send(&form.clone().set("voucher", "panics")).await;
    assert_eq!(defect.status, 500);
    defect.refused(
        "a panic is answered and recorded",
        "server_error",
        "defect",
        "a panic while the request was decided",
    );
    world.send(&form).await.granted("and the server goes on");
    let other = metadata("client-without-voucher", BADGE[0].clone());
    world.register(other, vec![], vec![]).await;
    let answer = world
        .send(&form.set("badge", "client-without-voucher"))
        .await;
    answer.refused(
        "another grant",
        "unauthorized_client",
        "grant",
        "not registered for this grant",
    );
}
