//! A database of an earlier version is opened by this one, and nothing in it is lost: see
//! `f815b76/README.md`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use grantor::{
    clock::{ManualClock, UnixTime},
    registry::Actor,
    server::AuthorizationServer,
    storage::{
        ClientSource, DecisionFilter, KeyStore as _, PermissionSource, Registries, Start,
        SubjectSource,
    },
    types::{ClientId, Issuer, SubjectId},
};
use grantor_stores::sqlite::{Options, SqliteStore};
use http::{Request, header};
use http_body_util::BodyExt as _;
use serde_json::Value;

const ISSUER: &str = "http://127.0.0.1:18199";
/// A second after the last request to the earlier version.
const THEN: UnixTime = UnixTime::from_millis(1_795_750_075_000);

fn fixture(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/sqlite/f815b76")
            .join(name),
    )
    .expect("a file of the fixture")
}

fn text(name: &str) -> String {
    String::from_utf8(fixture(name)).expect("a text")
}

struct World {
    _directory: tempfile::TempDir,
    store: Arc<SqliteStore>,
    server: AuthorizationServer,
}

impl World {
    fn open() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for name in ["grantor.db", "master.key"] {
            let path = directory.path().join(name);
            fs::write(&path, fixture(name)).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        }
        let clock = Arc::new(ManualClock::new(THEN));
        let options = Options {
            clock: clock.clone(),
            ..Options::default()
        };
        let store = Arc::new(SqliteStore::open(directory.path(), &options).expect("it opens"));
        let server = AuthorizationServer::builder(Issuer::parse(ISSUER).expect("an issuer"))
            .store(store.clone())
            .signing_keys(store.clone())
            .token_ids(store.token_ids())
            .clock(clock)
            .standard();
        Self {
            _directory: directory,
            store,
            server: server.build().expect("a server"),
        }
    }

    async fn post(&self, path: &str, form: &str) -> Value {
        let request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(form.to_owned()).expect("a request");
        let answer = self
            .server
            .respond(request)
            .await
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        serde_json::from_slice(&answer).expect("JSON")
    }

    async fn active(&self, token: &str) -> bool {
        let basic = grantor::jose::base64url_encode(format!("legacy:{}", text("legacy-secret")));
        // The one alphabet is the other's, but for two characters and the padding.
        let basic = basic.replace('-', "+").replace('_', "/");
        let padding = "=".repeat((4 - basic.len() % 4) % 4);
        let request = Request::post("/introspect")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, format!("Basic {basic}{padding}"))
            .body(format!("token={token}"))
            .expect("a request");
        let answer = self
            .server
            .respond(request)
            .await
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        serde_json::from_slice::<Value>(&answer).expect("JSON")["active"]
            .as_bool()
            .expect("an answer")
    }
}

fn client(name: &str) -> ClientId {
    ClientId::parse(name).expect("a client")
}

fn subject(name: &str) -> SubjectId {
    SubjectId::parse(name).expect("a subject")
}

#[tokio::test]
async fn nothing_is_lost_that_was_registered_used_issued_revoked_or_decided() {
    let world = World::open();
    let store = &world.store;
    let clients = store.clients().all().await.expect("a list");
    let names: Vec<_> = clients.iter().map(|client| client.id().as_str()).collect();
    assert_eq!(names, ["billing", "legacy", "mac", "opaque"]);
    assert!(
        clients
            .iter()
            .all(|client| client.revision().number > 0 && client.revision().version == 1)
    );
    let subjects = store.subjects().all().await.expect("a list");
    let subjects: Vec<_> = subjects
        .iter()
        .map(|subject| (subject.id.as_str(), subject.enabled, subject.created_at))
        .collect();
    assert_eq!(subjects, [("alice", true, None), ("bob", false, None)]);
    assert_eq!(store.permissions().all().await.expect("a list").len(), 1);
    assert_eq!(store.signing_key_list().await.expect("a list").len(), 2);
    let all = DecisionFilter::default();
    let decisions = crate::decisions::decisions(store)
        .page(&all, Start::Oldest, 100)
        .await
        .expect("a page");
    assert_eq!(decisions.entries.len(), 6);

    let grant = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={}",
        text("used")
    );
    let replayed = world.post("/token", &grant).await;
    assert!(
        replayed["error_description"]
            .as_str()
            .is_some_and(|text| text.contains("jti was used before")),
        "{replayed}"
    );

    assert!(world.active(&text("jwt")).await && world.active(&text("opaque-token")).await);
    assert!(!world.active(&text("revoked")).await);
}

#[tokio::test]
async fn what_is_changed_then_is_in_force_for_tokens_of_before() {
    let world = World::open();
    let store = &world.store;
    let (jwt, opaque) = (text("jwt"), text("opaque-token"));
    store
        .clients()
        .delete(&client("opaque"), &Actor::program("test"))
        .await
        .expect("deleted");
    assert!(!world.active(&opaque).await && world.active(&jwt).await);
    store
        .clients()
        .delete(&client("billing"), &Actor::program("test"))
        .await
        .expect("deleted");
    assert!(!world.active(&jwt).await);
    assert!(
        store
            .permissions_of(&client("billing"), &subject("alice"))
            .await
            .expect("read")
            .is_empty(),
        "it went along"
    );
    assert!(
        store
            .subject(&subject("alice"))
            .await
            .expect("read")
            .is_some()
    );
    assert!(
        store
            .client(&client("billing"))
            .await
            .expect("read")
            .is_none()
    );
}
