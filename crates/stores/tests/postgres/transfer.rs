//! An SQLite database moved to PostgreSQL: everything is there, what was used stays used, and
//! whatever interrupts the move, one of the two has all and says so.

use std::{path::Path, time::Duration};

use grantor::{
    clock::{Clock as _, SystemClock, UnixTime},
    jose::{Algorithm, PrivateJwk},
    keys::SigningKeys as _,
    registry::{
        Actor, Client, ClientMetadata, ClientSecret, CredentialId, KeyOrigin, Operator, Passkey,
        PasskeyKey, Password, PasswordDigest, Permission, Role, ScopeText, Subject, Trust,
        TrustedIssuer,
    },
    server::{Decision, DecisionLog as _},
    storage::{
        AnyChange, Artifact, ArtifactKey, ArtifactKind, Artifacts, Batch as _, Change,
        ChangeFilter, Claim, CountBy, CountQuery, CountStep, DecisionFilter, DecisionStore, Ending,
        FamilyId, KeyStore, Log, Put, Registries, ReplayGuard, ReplayKey, Start, StatisticsStore,
    },
    types::{AuthMethod, DisplayName, IssuerId, Name, ScopeToken, SubjectId},
};
use grantor_stores::{
    MasterKey,
    sqlite::{self, SqliteStore},
    transfer::{Abandoned, Moved, TransferError, abandon, transfer},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{engine::Database, given::id};

const IDP: &str = "https://idp.example";
const TICKET: ArtifactKind = ArtifactKind::new("urn:example:ticket");

fn by() -> Actor {
    Actor::program("test")
}

fn subject(name: &str) -> SubjectId {
    SubjectId::parse(name).expect("a subject")
}

fn client(name: &str) -> Client {
    let method = AuthMethod::CLIENT_SECRET_BASIC;
    let metadata = ClientMetadata::new(id(name), method, SystemClock.now());
    let secret = ClientSecret::digest("secret", None);
    Client::new(metadata, Vec::new(), vec![secret]).expect("a client")
}

/// A minute of now.
fn later() -> UnixTime {
    SystemClock.now().plus(Duration::from_secs(600))
}

async fn claim(store: &impl ReplayGuard, token: &str) -> Claim {
    let key = ReplayKey::new("a", token);
    let wanted = [key.until(later())];
    let claimed = store.claim(&wanted, SystemClock.now(), 1000).await;
    claimed.expect("the store answers")
}

/// One of everything.
async fn fill(store: &SqliteStore) {
    let now = SystemClock.now();
    let digest = PasswordDigest::parse("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA");
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let passkey = Passkey::new(
        subject("anna"),
        CredentialId::new(b"credential").expect("an id"),
        PasskeyKey::new(key.public()).expect("a key of a passkey"),
        DisplayName::parse("laptop").expect("a name"),
        now,
    );
    let iss = IssuerId::parse(IDP).expect("an iss");
    let called = |name: &str| Name::parse(name).expect("a name");
    let keys = KeyOrigin::Uploaded { keys: Vec::new() };
    let mut trust = Trust::new(called("t"), iss.clone(), id("a"), now);
    let pin = json!({"claim": "sub", "text": "t"});
    trust.pins = vec![serde_json::from_value(pin).expect("a pin")];
    let scope = ScopeToken::parse("read").expect("a scope token");
    let changes: Vec<AnyChange> = vec![
        Change::Create(client("a")).into(),
        Change::Create(client("gone")).into(),
        Change::Create(Subject::new(subject("anna"))).into(),
        Change::Create(Subject::new(subject("Zoë 'x'"))).into(),
        Change::Create(Operator::new(subject("Zoë 'x'"), Role::Owner)).into(),
        Change::Create(Password::new(
            subject("anna"),
            digest.expect("a digest"),
            now,
        ))
        .into(),
        Change::Create(passkey).into(),
        Change::Create(ScopeText::new(scope)).into(),
        Change::Create(Permission::new(id("a"), subject("anna"), None)).into(),
        Change::Create(TrustedIssuer::new(iss, called("idp"), keys, now)).into(),
        Change::Create(trust).into(),
    ];
    store.apply_all(changes, &by()).await.expect("made");
    let deleted = store.clients().delete(&id("gone"), &by()).await;
    deleted.expect("deleted");
    let (by, ahead, overlap) = (by(), Duration::ZERO, Duration::from_secs(60));
    let rotated = store.signing_key_rotate(Algorithm::Ed25519, ahead, overlap, &by);
    rotated.await.expect("rotated");
    let ticket = Artifact::new(now, later()).holding(&"a ticket");
    let put = store.put(ArtifactKey::of(TICKET, "t"), ticket, 10).await;
    assert_eq!(put.expect("kept"), Put::Kept);
    let ending = Ending {
        owner: None,
        at: now,
        until: later(),
    };
    let ended = store.end_family(FamilyId::of("f"), ending, 10).await;
    assert_eq!(ended.expect("ended"), Put::Kept);
    for token in ["1", "2", "3"] {
        assert_eq!(claim(store, token).await, Claim::Fresh);
    }
    for outcome in [r#"{"outcome":"granted"}"#, REFUSED] {
        let decision = format!(
            r#"{{"id":"x0dk2vq8c3pmz7t","at":{},"endpoint":"token","client":"a","outcome":{outcome}}}"#,
            now.millis()
        );
        let decision = Decision::read(&decision).expect("a decision");
        store.record(&decision);
        store.count(&decision);
    }
    store.flush().await.expect("flushed");
}

fn text(value: &impl std::fmt::Debug) -> Value {
    Value::String(format!("{value:?}"))
}

/// All that the ports tell.
async fn told<S>(store: &S) -> Vec<(&'static str, Value)>
where
    S: Registries + KeyStore + DecisionStore + StatisticsStore + Artifacts + ReplayGuard,
{
    macro_rules! all {
        ($registry:ident) => {
            text(&store.$registry().all().await.expect("a list"))
        };
    }
    // In which order the members of a document are, an engine may choose.
    let document = |text: String| -> Value { serde_json::from_str(&text).expect("JSON") };
    let now = SystemClock.now();
    let changes = ChangeFilter::default();
    let changes = store.changes().page(&changes, Start::Oldest, 1000).await;
    let changes = changes.expect("read").entries.into_iter();
    let changes: Value = changes.map(|entry| document(entry.document)).collect();
    let decisions = DecisionFilter::default();
    let decisions = Log::<Decision>::page(store, &decisions, Start::Oldest, 1000).await;
    let decisions = decisions.expect("read").entries.into_iter();
    let decisions: Value = decisions.map(|entry| document(entry.document)).collect();
    let day = Duration::from_secs(86_400);
    let counts = CountQuery {
        from: UnixTime::from_millis(now.minus(day).millis() / 86_400_000 * 86_400_000),
        to: now.plus(day),
        step: CountStep::Day,
        by: CountBy::Outcome,
    };
    let counts = store.counts(&counts, 100).await.expect("counts");
    let ticket = Artifacts::get(store, &ArtifactKey::of(TICKET, "t"), now).await;
    let ended = store.family_has_ended(&FamilyId::of("f"), now).await;
    let mut claimed = Vec::new();
    for token in ["1", "2", "3", "4"] {
        let key = ReplayKey::new("a", token);
        claimed.push(store.is_claimed(key, now).await.expect("the store answers"));
    }
    vec![
        ("clients", all!(clients)),
        ("subjects", all!(subjects)),
        ("operators", all!(operators)),
        ("permissions", all!(permissions)),
        ("scopes", all!(scopes)),
        ("passwords", all!(passwords)),
        ("passkeys", all!(passkeys)),
        ("issuers", all!(issuer_registry)),
        ("trusts", all!(trust_registry)),
        ("keys", text(&store.signing_key_list().await.expect("keys"))),
        ("changes", changes),
        ("decisions", decisions),
        ("counts", text(&counts)),
        ("ticket", text(&ticket.expect("answered"))),
        ("ended", text(&ended.expect("answered"))),
        ("claimed", text(&claimed)),
    ]
}

/// A filled database in a directory of its own.
async fn filled() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path()).expect("it opens");
    fill(&store).await;
    directory
}

fn open(directory: &Path) -> Result<SqliteStore, sqlite::OpenError> {
    SqliteStore::open(directory, &sqlite::Options::default())
}

async fn moved(directory: &Path, database: &Database) -> Result<Moved, TransferError> {
    let options = sqlite::Options::default();
    let (target, to) = (database.target(), database.options());
    transfer(directory, &options, &target, &to, |_, _, _| ()).await
}

/// The store that was moved to.
async fn arrived(directory: &Path, database: &Database) -> crate::engine::Store {
    let key = directory.join("master.key");
    database.open_with(|options| options.master_key = key).await
}

const REFUSED: &str =
    r#"{"outcome":"refused","error":"invalid_grant","rule":"aud","cause":"other"}"#;
const TABLES: &str =
    "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'grantor'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_is_there_and_what_was_used_stays_used() {
    let Some(database) = Database::new() else {
        return;
    };
    let directory = filled().await;
    let (before, highest) = {
        let store = open(directory.path()).expect("it opens");
        let all = store.clients().all().await.expect("a list");
        (told(&store).await, all[0].revision().number)
    };
    let moved = moved(directory.path(), &database).await.expect("moved");
    let rows = |name| moved.tables.iter().find(|(table, _)| *table == name);
    assert_eq!(rows("client"), Some(&("client", 1)));
    assert_eq!(rows("claim"), Some(&("claim", 3)));
    let store = arrived(directory.path(), &database).await;
    for (before, after) in before.iter().zip(told(&store).await) {
        assert_eq!(*before, after);
    }
    assert!(store.key_ring().signing().key_id().is_some());
    let replayed = Claim::Replayed(ReplayKey::new("a", "1"));
    assert_eq!(claim(&store, "1").await, replayed);
    assert_eq!(claim(&store, "4").await, Claim::Fresh, "the control");
    // A client that was removed had the number behind the first.
    let created = store.clients().create(client("b"), &by()).await;
    let number = created.expect("created").revision().number;
    assert!(number > highest + 1, "{number} after {highest}");
    let text = open(directory.path())
        .expect_err("it was moved")
        .to_string();
    let to = format!(
        "was moved to PostgreSQL; set url = {:?} in",
        database.target().url
    );
    assert!(text.contains(&to), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_in_which_something_is_and_a_database_in_use_are_refused() {
    let Some(database) = Database::new() else {
        return;
    };
    let directory = filled().await;
    let running = open(directory.path()).expect("it opens");
    let refused = moved(directory.path(), &database).await;
    let refused = refused.expect_err("a server runs");
    assert!(matches!(refused, TransferError::InUse(_)), "{refused}");
    assert_eq!(database.number(TABLES), 0);
    drop(running);

    drop(arrived(directory.path(), &database).await);
    let refused = moved(directory.path(), &database).await;
    let refused = refused.expect_err("it has a signing key");
    let text = refused.to_string();
    assert!(matches!(refused, TransferError::NotEmpty { .. }), "{text}");
    open(directory.path()).expect("nothing was changed");

    let other = Database::new().expect("it is there");
    moved(directory.path(), &other).await.expect("the control");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_master_key_is_refused() {
    let Some(database) = Database::new() else {
        return;
    };
    let directory = filled().await;
    let wrong = directory.path().join("wrong.key");
    MasterKey::create(&wrong).expect("made");
    let options = sqlite::Options {
        master_key: Some(wrong),
        ..sqlite::Options::default()
    };
    let (target, to) = (database.target(), database.options());
    let refused = transfer(directory.path(), &options, &target, &to, |_, _, _| ()).await;
    let is_wrong_key = matches!(
        refused,
        Err(TransferError::Source(sqlite::OpenError::WrongMasterKey(_)))
    );
    assert!(is_wrong_key, "{refused:?}");
    assert_eq!(database.number(TABLES), 0);
    moved(directory.path(), &database)
        .await
        .expect("the control");
}

/// Drops the move when it writes this table.
async fn interrupted(directory: &Path, database: &Database, table: &str) {
    let stopped = tokio::sync::Notify::new();
    let options = sqlite::Options::default();
    let (target, to) = (database.target(), database.options());
    let told = |_, name: &'static str, _| {
        if name == table {
            stopped.notify_one();
        }
    };
    tokio::select! {
        biased;
        () = stopped.notified() => {}
        done = transfer(directory, &options, &target, &to, told) => panic!("{done:?}"),
    }
    let refused = open(directory).expect_err("it is being moved");
    let is_moving = matches!(refused, sqlite::OpenError::Moving { .. });
    assert!(is_moving, "{refused}");
    assert_eq!(database.number(TABLES), 0, "nothing is there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_interrupted_is_repeated() {
    let Some(database) = Database::new() else {
        return;
    };
    let directory = filled().await;
    for table in ["client", "claim"] {
        interrupted(directory.path(), &database, table).await;
    }
    let other = Database::new().expect("it is there");
    let refused = moved(directory.path(), &other).await;
    let refused = refused.expect_err("all may be in the first");
    let is_elsewhere = matches!(refused, TransferError::Elsewhere { .. });
    assert!(is_elsewhere, "{refused}");
    assert!(refused.to_string().contains(&database.target().url));

    moved(directory.path(), &database).await.expect("repeated");
    let store = arrived(directory.path(), &database).await;
    assert_ne!(claim(&store, "1").await, Claim::Fresh);
    assert_eq!(claim(&store, "4").await, Claim::Fresh, "the control");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_interrupted_is_given_up() {
    let Some(database) = Database::new() else {
        return;
    };
    let directory = filled().await;
    let options = sqlite::Options::default();
    let none = abandon(directory.path(), &options, None).await;
    let none = none.expect_err("none has begun");
    assert!(matches!(none, TransferError::NotMoving(_)), "{none}");

    interrupted(directory.path(), &database, "client").await;
    let (target, to) = (database.target(), database.options());
    let given_up = abandon(directory.path(), &options, Some((&target, &to))).await;
    assert_eq!(given_up.expect("given up"), Abandoned::Clean);
    let store = open(directory.path()).expect("it opens");
    assert_eq!(store.fence(), None);
    drop(store);

    // Nobody is asked: servers may have worked there.
    interrupted(directory.path(), &database, "client").await;
    let given = || -> i64 {
        let file = directory.path().join("grantor.db");
        let sqlite = rusqlite::Connection::open(file).expect("the database");
        let last = "SELECT seq FROM sqlite_sequence WHERE name = 'client'";
        let last = sqlite.query_row(last, [], |row| row.get(0));
        last.expect("a number")
    };
    let before = given();
    let given_up = abandon(directory.path(), &options, None).await;
    assert!(
        given() > before + 1_000_000,
        "none of theirs is given again"
    );
    let store = open(directory.path()).expect("it opens");
    let fence = store.fence().map(Abandoned::Fenced);
    assert_eq!(fence, Some(given_up.expect("given up")));
}

/// What was committed, and not marked, is marked by the next attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_is_not_moved_again() {
    let Some(database) = Database::new() else {
        return;
    };
    let directory = filled().await;
    moved(directory.path(), &database).await.expect("moved");
    let id = "SELECT value FROM grantor.meta WHERE name = 'moved_by'";
    let id = database.database.psql(id).expect("the mark");
    let sqlite = rusqlite::Connection::open(directory.path().join("grantor.db"));
    let sqlite = sqlite.expect("the database");
    let back = "UPDATE meta SET name = 'moving', value = CAST(?1 || ' ' || CAST(value AS TEXT) AS BLOB) WHERE name = 'moved_to'";
    assert_eq!(sqlite.execute(back, [id]).expect("as before"), 1);
    drop(sqlite);
    let options = sqlite::Options::default();
    let (target, to) = (database.target(), database.options());
    let given_up = abandon(directory.path(), &options, Some((&target, &to))).await;
    let refused = given_up.expect_err("it is there");
    assert!(matches!(refused, TransferError::Committed(_)), "{refused}");
    let again = moved(directory.path(), &database).await.expect("marked");
    assert!(again.tables.is_empty());
    let refused = open(directory.path()).expect_err("it was moved");
    assert!(
        matches!(refused, sqlite::OpenError::Moved { .. }),
        "{refused}"
    );
}
