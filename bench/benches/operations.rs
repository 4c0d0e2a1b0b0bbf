//! Single operations of the hot paths: how long each takes (`cargo bench -p grantor-bench`), and
//! how many instructions it is (`bench/instructions`, which runs this with `count NAME TIMES` under
//! valgrind).

use std::{
    env, fmt,
    hint::black_box,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use divan::Bencher;
use grantor::{
    assertion::{Assertion, Expectation, Lifetimes, Profile, ServerIdentity, Terms, Verifier},
    client::{ClientSecretPost, Server, TokenSource},
    clock::{Clock as _, SystemClock, UnixTime},
    jose::{
        Algorithm, Claims, Jwk, JwkSet, PrivateJwk, SigningKey, Unverified, VerificationKey,
        json::Object, sign,
    },
    keys::{Candidate, KeySource},
    registry::{
        Actor, Client, ClientMetadata, Condition, KeyOrigin, Pin, PinValue, Trust, TrustedIssuer,
        Trusts, UploadedKey,
    },
    remote::{Fetch, FetchError},
    resource::Validator,
    server::{self, AuthorizationServer},
    storage::{Change, Claim, MemoryStore, Registries, ReplayGuard, ReplayKey, StoreError, Used},
    types::{AuthMethod, ClaimPath, ClientId, Issuer, IssuerId, Name},
};
use grantor_stores::sqlite::{Options, SqliteStore};
use grantor_testkit::NewAssertion;
use http::{HeaderValue, Request, Response, header};
use http_body_util::Full;
use tokio::{runtime::Runtime, task::JoinSet};

const ISSUER: &str = "https://as.example";
const QUOTA: u64 = u64::MAX;

/// What is measured, once everything it needs is there.
type Work = Box<dyn FnMut()>;

struct Operation {
    name: &'static str,
    prepare: fn() -> Work,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "jose: parse RS256",
        prepare: parse,
    },
    Operation {
        name: "jose: claims",
        prepare: claims,
    },
    Operation {
        name: "jose: read a key, ES256",
        prepare: || read_key(Algorithm::Es256),
    },
    Operation {
        name: "jose: read a key, RS256",
        prepare: || read_key(Algorithm::Rs256),
    },
    Operation {
        name: "jose: parse and verify RS256",
        prepare: || verify(Algorithm::Rs256),
    },
    Operation {
        name: "jose: parse and verify ES256",
        prepare: || verify(Algorithm::Es256),
    },
    Operation {
        name: "jose: parse and verify Ed25519",
        prepare: || verify(Algorithm::Ed25519),
    },
    Operation {
        name: "jose: parse and verify HS256",
        prepare: || verify(Algorithm::Hs256),
    },
    Operation {
        name: "jose: sign RS256",
        prepare: || signature(Algorithm::Rs256),
    },
    Operation {
        name: "jose: sign ES256",
        prepare: || signature(Algorithm::Es256),
    },
    Operation {
        name: "jose: sign Ed25519",
        prepare: || signature(Algorithm::Ed25519),
    },
    Operation {
        name: "jose: sign HS256",
        prepare: || signature(Algorithm::Hs256),
    },
    Operation {
        name: "verifier: RS256 assertion, without replay",
        prepare: verifier,
    },
    Operation {
        name: "condition: parse",
        prepare: parse_condition,
    },
    Operation {
        name: "condition: the claims of a job of GitHub",
        prepare: condition,
    },
    Operation {
        name: "trust: three pins and a condition, one of 10",
        prepare: || trust(10),
    },
    Operation {
        name: "trust: three pins and a condition, one of 10,000",
        prepare: || trust(10_000),
    },
    Operation {
        name: "form: parse a grant request",
        prepare: form,
    },
    Operation {
        name: "replay: claim in memory",
        prepare: claim_in_memory,
    },
    Operation {
        name: "replay: 64 claims at once in SQLite",
        prepare: claim_in_sqlite,
    },
    Operation {
        name: "server: RS256 grant to ES256 JWT, without HTTP and replay",
        prepare: server,
    },
    Operation {
        name: "server: RS256 grant to ES256 JWT, without HTTP, replay in SQLite",
        prepare: server_with_sqlite,
    },
    Operation {
        name: "server: RS256 grant of an issuer, 3 pins and a condition, 10 trusts",
        prepare: || foreign(10),
    },
    Operation {
        name: "server: RS256 grant of an issuer, 3 pins and a condition, 10000 trusts",
        prepare: || foreign(10_000),
    },
    Operation {
        name: "client: a token that is kept",
        prepare: token_source,
    },
    Operation {
        name: "resource: a new token, RS256",
        prepare: new_token,
    },
    Operation {
        name: "resource: a token that is known",
        prepare: known_token,
    },
];

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["count", name, times] => {
            let operation = OPERATIONS
                .iter()
                .find(|operation| operation.name == *name)
                .expect("an operation of this name");
            let mut work = prepared(operation);
            // What is done once only.
            work();
            counted(&mut work, times.parse().expect("a number"));
        }
        _ => divan::main(),
    }
}

/// The name by which valgrind is told what not to count.
#[inline(never)]
fn prepared(operation: &Operation) -> Work {
    (operation.prepare)()
}

/// The name by which valgrind is told what to count.
#[inline(never)]
fn counted(work: &mut Work, times: usize) {
    (0..times).for_each(|_| work());
}

#[divan::bench(args = OPERATIONS)]
fn operation(bencher: Bencher<'_, '_>, operation: &Operation) {
    let mut work = (operation.prepare)();
    work();
    bencher.bench_local(work);
}

/// A client's key and its public half; of a secret, twice the same.
fn key_pair(algorithm: Algorithm) -> (SigningKey, VerificationKey) {
    if algorithm.is_mac() {
        let secret = [7; 64];
        let verification =
            VerificationKey::from_secret(&secret, Some(algorithm)).expect("a secret");
        return (
            SigningKey::from_secret(&secret, algorithm).expect("a secret"),
            verification,
        );
    }
    let private = PrivateJwk::generate(algorithm).expect("a key");
    (
        private.signing_key().expect("a key"),
        VerificationKey::from_jwk(private.public()).expect("a key"),
    )
}

fn assertion(key: &SigningKey) -> String {
    let new = NewAssertion {
        issuer: "billing",
        subject: "billing",
        audience: ISSUER,
        lifetime: Duration::from_secs(3000),
        typ: Some("JWT"),
        claims: Object::new(),
    };
    new.sign(key, SystemClock.now()).expect("a signature")
}

fn parse() -> Work {
    let token = assertion(&key_pair(Algorithm::Rs256).0);
    Box::new(move || drop(black_box(Unverified::parse(&token).expect("a JWS"))))
}

fn claims() -> Work {
    let token = assertion(&key_pair(Algorithm::Rs256).0);
    let payload = Unverified::parse(&token)
        .expect("a JWS")
        .dangerously_unverified_payload()
        .to_vec();
    Box::new(move || drop(black_box(Claims::parse(&payload).expect("claims"))))
}

fn read_key(algorithm: Algorithm) -> Work {
    let public = PrivateJwk::generate(algorithm).expect("a key").public();
    let text = serde_json::to_vec(&public).expect("a JWK is JSON");
    Box::new(move || {
        drop(black_box(
            Jwk::parse(&text)
                .and_then(VerificationKey::from_jwk)
                .expect("a key"),
        ));
    })
}

fn verify(algorithm: Algorithm) -> Work {
    let (signing, verification) = key_pair(algorithm);
    let token = assertion(&signing);
    Box::new(move || {
        drop(black_box(
            Unverified::parse(&token)
                .expect("a JWS")
                .verify(&verification)
                .expect("a signature"),
        ));
    })
}

fn signature(algorithm: Algorithm) -> Work {
    let (signing, _) = key_pair(algorithm);
    let payload = [b'a'; 250];
    Box::new(move || {
        drop(black_box(
            sign(&signing, Some("at+jwt"), &payload).expect("a signature"),
        ));
    })
}

fn verifier() -> Work {
    let (signing, verification) = key_pair(Algorithm::Rs256);
    let token = assertion(&signing);
    let key = Arc::new(verification);
    let client = client(key.jwk().expect("a public key").clone());
    let identity = ServerIdentity::new(issuer());
    let terms = Terms::new(&identity, Profile::Default, Lifetimes::default());
    let verifier = Verifier::new(Arc::new(Forgetful), QUOTA);
    Box::new(move || {
        let keys = [Candidate {
            key: key.clone(),
            source: KeySource::Registered(1),
        }];
        let expectation = Expectation::grant(&terms, &client, &keys);
        let assertion = Assertion::parse(&token).expect("an assertion");
        let verified = at_once(verifier.verify(&assertion, &expectation, SystemClock.now()));
        drop(black_box(verified.expect("verified")));
    })
}

/// What a job of GitHub sends, and what is asked of it.
const JOB: &[u8] = br#"{"iss":"https://token.actions.githubusercontent.com","aud":"https://as.example",
    "sub":"repo:acme@123456/widgets@456789:ref:refs/heads/main","jti":"6f4762ed-33b5-4fbb-9a2c-6a3d3d2c1b0a",
    "iat":1750000000,"nbf":1749999400,"exp":1750000300,"repository":"acme/widgets","repository_id":"456789",
    "repository_owner":"acme","repository_owner_id":"123456","repository_visibility":"private",
    "ref":"refs/heads/main","ref_type":"branch","ref_protected":"true","head_ref":"","base_ref":"",
    "sha":"9f31c0ffee","event_name":"push","workflow":"release",
    "workflow_ref":"acme/widgets/.github/workflows/release.yml@refs/heads/main","workflow_sha":"9f31c0ffee",
    "job_workflow_ref":"acme/shared/.github/workflows/deploy.yml@refs/heads/main",
    "job_workflow_sha":"9f31c0ffee","environment":"prod","actor":"jo","actor_id":"12","run_id":"77",
    "run_number":"10","run_attempt":"1","runner_environment":"github-hosted","environment_node_id":"EN_1",
    "check_run_id":"9","enterprise":"acme-corp","enterprise_id":"2","repo_property_team":"web"}"#;
const EVENTS: &str = "assertion.event_name in ['push','release','workflow_dispatch','schedule']";

fn parse_condition() -> Work {
    Box::new(|| drop(black_box(Condition::parse(black_box(EVENTS)))))
}

fn condition() -> Work {
    let claims = Claims::parse(JOB).expect("claims");
    let condition = Condition::parse(EVENTS).expect("a condition");
    Box::new(move || assert_eq!(condition.holds(black_box(&claims)), Ok(true)))
}

/// The trust of this job, among those of other repositories.
fn trust(count: u64) -> Work {
    let claims = Claims::parse(JOB).expect("claims");
    let condition = Condition::parse(EVENTS).expect("a condition");
    let pin = |claim: &str, value: String| {
        Pin::new(claim.parse().expect("a claim"), PinValue::Text(value))
    };
    let trusts = Trusts::new((0..count).map(|number| {
        let name = format!("ci-{number}").parse().expect("a name");
        let issuer = IssuerId::parse("https://token.actions.githubusercontent.com");
        let client = "deployer".parse().expect("a client");
        let (issuer, now) = (issuer.expect("an issuer"), UnixTime::from_millis(0));
        let mut trust = Trust::new(name, issuer, client, now);
        trust.pins = vec![
            pin("repository_owner_id", "123456".to_owned()),
            pin("repository_id", (456_789 + number).to_string()),
            pin("ref", "refs/heads/main".to_owned()),
        ];
        trust.condition = Some(condition.clone());
        Arc::new(trust)
    }));
    Box::new(move || {
        let candidates = trusts.candidates(black_box(&claims));
        let taking = candidates.iter().filter(|trust| trust.takes(&claims));
        assert_eq!(taking.count(), 1);
    })
}

fn form() -> Work {
    let body = grant_form(&assertion(&key_pair(Algorithm::Rs256).0));
    let head = || {
        let request = Request::post("/token").header(header::CONTENT_TYPE, FORM);
        request.body(()).expect("a request").into_parts().0
    };
    Box::new(move || {
        drop(black_box(
            server::Request::parse(head(), body.as_bytes(), SystemClock.now()).expect("a form"),
        ));
    })
}

fn claim_in_memory() -> Work {
    let store = MemoryStore::new();
    let mut number = 0_u64;
    Box::new(move || {
        number += 1;
        let (now, key) = (
            SystemClock.now(),
            ReplayKey::new("billing", &number.to_string()),
        );
        let claim =
            at_once(store.claim(&[key.until(now.plus(Duration::from_secs(60)))], now, QUOTA));
        assert_eq!(claim.expect("a claim"), Claim::Fresh);
    })
}

fn claim_in_sqlite() -> Work {
    let runtime = runtime();
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path(), &Options::default()).expect("a store");
    let mut number = 0_u64;
    Box::new(move || {
        // The directory lives as long as what is done in it.
        let _ = &directory;
        runtime.block_on(async {
            let mut claims = JoinSet::new();
            for _ in 0..64 {
                number += 1;
                let (store, key, now) = (
                    store.clone(),
                    ReplayKey::new("billing", &number.to_string()),
                    SystemClock.now(),
                );
                claims.spawn(async move {
                    store
                        .claim(&[key.until(now.plus(Duration::from_secs(60)))], now, QUOTA)
                        .await
                });
            }
            for claim in claims.join_all().await {
                assert_eq!(claim.expect("a claim"), Claim::Fresh);
            }
        });
    })
}

fn server() -> Work {
    let grant = grant(Arc::new(Forgetful));
    Box::new(move || at_once(grant()))
}

fn server_with_sqlite() -> Work {
    let runtime = runtime();
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path(), &Options::default()).expect("a store");
    let grant = grant(Arc::new(Renumbering {
        store,
        next: AtomicU64::new(0),
    }));
    Box::new(move || {
        // The directory lives as long as what is done in it.
        let _ = &directory;
        runtime.block_on(grant());
    })
}

/// A JWT as GitHub Actions issues them, for one of many trusts.
fn foreign(count: usize) -> Work {
    let (signing, verification) = key_pair(Algorithm::Rs256);
    let (store, now) = (Arc::new(MemoryStore::new()), SystemClock.now());
    let id = IssuerId::parse("https://token.actions.githubusercontent.com").expect("an issuer");
    let keys = vec![UploadedKey::new(verification.into(), now)];
    let name = |text: &str| Name::parse(text).expect("a name");
    let mut issuer = TrustedIssuer::new(
        id.clone(),
        name("github"),
        KeyOrigin::Uploaded { keys },
        now,
    );
    let claim = |text: &str| text.parse::<ClaimPath>().expect("a claim");
    issuer.tenant_claims = vec![claim("repository_owner_id")];
    let by = Actor::program("bench");
    at_once(store.issuer_registry().create(issuer, &by)).expect("registered");
    let client_id = ClientId::parse("deployer").expect("a client_id");
    let metadata = ClientMetadata::new(client_id.clone(), AuthMethod::NONE, now);
    let client = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
    at_once(store.clients().create(client, &by)).expect("registered");
    let condition = Condition::parse(EVENTS).expect("a condition");
    let trusts = (0..count).map(|number| {
        let mut trust = Trust::new(
            name(&format!("ci-{number}")),
            id.clone(),
            client_id.clone(),
            now,
        );
        let pin = |path: &str, text: String| Pin::new(claim(path), PinValue::Text(text));
        trust.pins = vec![
            pin("repository_owner_id", "123456".to_owned()),
            pin("repository_id", (456_789 + number).to_string()),
            pin("ref", "refs/heads/main".to_owned()),
        ];
        trust.condition = Some(condition.clone());
        Change::Create(trust)
    });
    at_once(store.trust_registry().apply(trusts.collect(), &by)).expect("registered");
    let server = AuthorizationServer::builder(self::issuer())
        .store(store.clone())
        .trusted_issuers(store)
        .replay(Arc::new(Forgetful))
        .standard()
        .build();
    let server = server.expect("a server");
    let body = Bytes::from(grant_form(&github_token(&signing, now)));
    let grant = async move || {
        let request = Request::post("/token")
            .header(header::CONTENT_TYPE, FORM)
            .body(Full::new(body.clone()));
        let response = server.respond(request.expect("a request")).await;
        assert_eq!(response.status(), 200);
    };
    at_once(grant());
    Box::new(move || at_once(grant()))
}

/// With every claim that GitHub sends.
fn github_token(key: &SigningKey, now: UnixTime) -> String {
    let claims = serde_json::json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": ISSUER,
        "sub": "repo:acme@123456/widgets@456789:ref:refs/heads/main",
        "jti": "6f4762ed-0ca0-4c4b-9f2c-5d0c7c5ac1ef",
        "iat": now.seconds(), "nbf": now.seconds() - 600, "exp": now.seconds() + 3600,
        "repository": "acme/widgets", "repository_id": "456789", "repository_owner": "acme",
        "repository_owner_id": "123456", "repository_visibility": "private",
        "ref": "refs/heads/main", "ref_type": "branch", "ref_protected": "true", "head_ref": "",
        "base_ref": "", "sha": "9f31e3f0b1a35d7ff4a8bd1bd0d9ef31bd7dd9e4", "event_name": "push",
        "workflow": "release",
        "workflow_ref": "acme/widgets/.github/workflows/release.yml@refs/heads/main",
        "workflow_sha": "9f31e3f0b1a35d7ff4a8bd1bd0d9ef31bd7dd9e4",
        "job_workflow_ref": "acme/shared/.github/workflows/deploy.yml@refs/heads/main",
        "job_workflow_sha": "1b31e3f0b1a35d7ff4a8bd1bd0d9ef31bd7dd9e4", "environment": "prod",
        "actor": "jo", "actor_id": "12", "run_id": "77", "run_number": "10", "run_attempt": "1",
        "runner_environment": "github-hosted", "environment_node_id": "EN_1",
        "check_run_id": "9", "enterprise": "acme-corp", "enterprise_id": "2",
        "repo_property_team": "web",
    });
    sign(key, Some("JWT"), claims.to_string().as_bytes()).expect("a JWT")
}

/// A server that remembers assertions in `replay`, and a request for a token, the same each time.
fn grant(replay: Arc<dyn ReplayGuard>) -> impl AsyncFn() {
    let (signing, verification) = key_pair(Algorithm::Rs256);
    let store = Arc::new(MemoryStore::new());
    at_once(store.clients().create(
        client(verification.jwk().expect("a public key").clone()),
        &Actor::program("bench"),
    ))
    .expect("registered");
    let server = AuthorizationServer::builder(issuer())
        .store(store)
        .replay(replay)
        .standard()
        .build();
    let server = server.expect("a server");
    let body = Bytes::from(grant_form(&assertion(&signing)));
    async move || {
        let request = Request::post("/token")
            .header(header::CONTENT_TYPE, FORM)
            .body(Full::new(body.clone()));
        let response = server.respond(request.expect("a request")).await;
        assert_eq!(response.status(), 200);
    }
}

fn token_source() -> Work {
    let server = Server::at("https://as.example/token").expect("a URL");
    let source =
        TokenSource::client_credentials(server, ClientSecretPost::new("billing", "secret"));
    let source = source.fetch(Arc::new(SameToken)).build().expect("a source");
    runtime().block_on(source.token()).expect("a token");
    Box::new(move || drop(black_box(at_once(source.token()).expect("a token"))))
}

/// A guard that remembers this many tokens, and `count` tokens for it.
fn guard(algorithm: Algorithm, remembered: usize, count: usize) -> (Validator, Vec<String>) {
    let private = PrivateJwk::generate(algorithm).expect("a key");
    let keys = format!(
        r#"{{"keys":[{}]}}"#,
        serde_json::to_string(&private.public()).expect("a JWK is JSON")
    );
    let keys = JwkSet::parse(keys.as_bytes()).expect("keys");
    let key = private.signing_key().expect("a key");
    let now = SystemClock.now().seconds();
    let (audience, end) = ("https://api.example", now + 3600);
    let token = |number| {
        let claims = format!(
            r#"{{"iss":"{ISSUER}","sub":"billing","aud":"{audience}","client_id":"billing","iat":{now},"exp":{end},"jti":"{number}"}}"#
        );
        sign(&key, Some("at+jwt"), claims.as_bytes()).expect("a token")
    };
    let builder = Validator::builder(ISSUER, audience)
        .key_set(keys)
        .remember(Duration::from_secs(300), remembered);
    (
        builder.build().expect("a validator"),
        (0..count).map(token).collect(),
    )
}

/// Nearly every token has been forgotten when its turn comes again: the cache keeps a few that it
/// has met twice.
fn new_token() -> Work {
    let (validator, tokens) = guard(Algorithm::Rs256, 10, 300);
    let mut turns = (0..tokens.len()).cycle();
    Box::new(move || {
        let token = &tokens[turns.next().expect("endless")];
        drop(black_box(
            at_once(validator.validate(token)).expect("valid"),
        ));
    })
}

fn known_token() -> Work {
    let (validator, tokens) = guard(Algorithm::Es256, 10, 1);
    Box::new(move || {
        drop(black_box(
            at_once(validator.validate(&tokens[0])).expect("valid"),
        ));
    })
}

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

fn grant_form(assertion: &str) -> String {
    format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
    )
}

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).expect("an issuer")
}

fn client(key: Jwk) -> Client {
    let id = ClientId::parse("billing").expect("a client_id");
    let metadata = ClientMetadata::new(id, AuthMethod::PRIVATE_KEY_JWT, SystemClock.now());
    Client::new(
        metadata,
        vec![VerificationKey::from_jwk(key).expect("a key").into()],
        Vec::new(),
    )
    .expect("a client")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The result of what never waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("it waits"),
    }
}

/// Remembers nothing, so that one assertion can be verified again and again.
struct Forgetful;

#[async_trait]
impl ReplayGuard for Forgetful {
    async fn claim(&self, _: &[Used], _: UnixTime, _: u64) -> Result<Claim, StoreError> {
        Ok(Claim::Fresh)
    }

    async fn is_claimed(&self, _: ReplayKey, _: UnixTime) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// Gives each claim another key, so that one assertion is fresh again and again.
struct Renumbering {
    store: SqliteStore,
    next: AtomicU64,
}

#[async_trait]
impl ReplayGuard for Renumbering {
    async fn claim(&self, uses: &[Used], now: UnixTime, quota: u64) -> Result<Claim, StoreError> {
        assert_eq!(uses.len(), 1);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let key = ReplayKey::new("billing", &number.to_string());
        let until = now.plus(Duration::from_secs(3000));
        self.store.claim(&[key.until(until)], now, quota).await
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        self.store.is_claimed(key, now).await
    }
}

/// A server that always gives the same token.
struct SameToken;

#[async_trait]
impl Fetch for SameToken {
    async fn fetch(&self, _: Request<Bytes>, _: usize) -> Result<Response<Bytes>, FetchError> {
        let json =
            r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600}"#;
        let mut response = Response::new(Bytes::from(json));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        Ok(response)
    }
}
