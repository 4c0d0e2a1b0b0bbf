//! The record of changes: what comes past the program is in it too, nothing edits it, and it does
//! not grow for ever.

use std::{sync::Arc, time::Duration};

use grantor::{
    clock::{Clock as _, ManualClock, SystemClock},
    jose::{Algorithm, PrivateJwk},
    registry::{
        Action, Actor, ChangeRecord, Client, ClientMetadata, ClientSecret, CredentialId, Operator,
        Passkey, PasskeyKey, Password, PasswordDigest, Permission, Role, ScopeText, Subject, Way,
        Who,
    },
    storage::{ChangeFilter, KeyStore as _, Readiness as _, Registries as _, Start},
    types::{AuthMethod, DisplayName, ScopeToken, SubjectId},
};
use grantor_testkit::wait;

use crate::{
    engine::{Database, REPLACE_RECORDS, Store, octets, set},
    given::id,
};

pub fn by() -> Actor {
    Actor::program("test")
}

fn client(name: &str) -> Client {
    let metadata =
        ClientMetadata::new(id(name), AuthMethod::CLIENT_SECRET_BASIC, SystemClock.now());
    let secret = ClientSecret::digest("secret", None);
    Client::new(metadata, Vec::new(), vec![secret]).expect("a client")
}

async fn records(store: &Store) -> Vec<ChangeRecord> {
    let all = ChangeFilter::default();
    let page = store.changes().page(&all, Start::Oldest, 1000).await;
    let entries = page.expect("read").entries.into_iter();
    let read = entries.map(|entry| ChangeRecord::read(&entry.document).expect("a record"));
    read.collect()
}

/// In hexadecimal; long enough to be nowhere by chance.
const OCTETS: &str = "6162636465666768";

#[tokio::test]
async fn changes_by_hand_are_recorded_as_unknown() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    let alice = SubjectId::parse("alice").expect("a subject");
    store
        .clients()
        .create(client("a"), &by())
        .await
        .expect("created");
    store
        .subjects()
        .create(Subject::new(alice.clone()), &by())
        .await
        .expect("created");
    store
        .permissions()
        .create(Permission::new(id("a"), alice, None), &by())
        .await
        .expect("created");
    let before = records(&store).await.len();
    assert_eq!(before, 3, "the program's own changes are recorded once");

    let disable = set("metadata", "enabled", "false");
    let statements = [
        &*format!("UPDATE client SET metadata = {disable}"),
        "UPDATE client SET keys = '[{}]'",
        "UPDATE client_secret SET expires_at = 5",
        "INSERT INTO party (name, kind) VALUES ('b', 'subject');
         INSERT INTO subject (id, enabled) VALUES ('b', TRUE)",
        "UPDATE subject SET enabled = FALSE WHERE id = 'b'",
        "DELETE FROM party WHERE name = 'a'",
        "UPDATE subject SET version = version + 1",
    ];
    for statement in statements {
        database.by_hand(statement).expect(statement);
    }
    let records = records(&store).await;
    let told: Vec<_> = records[before..]
        .iter()
        .map(|record| (&*record.resource, &*record.name, record.action))
        .collect();
    use Action::{Create, Delete, Replace};
    let expected = [
        ("client", "a", Replace),
        ("client", "a", Replace),
        ("client", "a", Replace),
        ("subject", "b", Create),
        ("subject", "b", Replace),
        ("permission", r#"["a","alice"]"#, Delete),
        ("client", "a", Delete),
    ];
    let mut sorted = told.clone();
    // What goes along is removed in an order of the engine's own.
    sorted[5..].sort_by_key(|(resource, ..)| *resource != "permission");
    assert_eq!(sorted, expected);
    for record in &records[before..] {
        assert_eq!(record.actor, Actor::new(Who::Unknown, Way::Database));
        assert!(record.at.millis() > 1_700_000_000_000, "{record:?}");
    }
    let [disabled, keys, secret, made, turned, ..] = &records[before..] else {
        panic!("{told:?}")
    };
    let document = |document: &Option<serde_json::Value>| document.clone().expect("a document");
    assert_eq!(document(&disabled.before)["enabled"], true);
    assert_eq!(document(&disabled.after)["enabled"], false);
    assert_eq!(document(&keys.after)["keys"], "changed");
    assert_eq!(document(&secret.after)["secrets"], "changed");
    assert_eq!(document(&made.after)["enabled"], true);
    assert_eq!(document(&turned.after)["enabled"], false);
}

#[tokio::test]
async fn changes_of_texts_and_passwords_by_hand_are_recorded_without_a_digest() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    let alice = with_password(&store, "alice").await;
    let text = ScopeText::new(ScopeToken::parse("read").expect("a scope token"));
    store.scopes().create(text, &by()).await.expect("created");
    let before = records(&store).await.len();
    assert_eq!(before, 3, "the program's own changes are recorded once");
    let (sensitive, digest) = (set("document", "sensitive", "true"), octets(OCTETS));
    for statement in [
        &*format!("UPDATE scope_text SET document = {sensitive}"),
        "DELETE FROM scope_text",
        &*format!("UPDATE password SET digest = {digest}, changed_at = 5"),
        "DELETE FROM password",
        &*format!(
            "INSERT INTO password (subject, digest, changed_at) SELECT number, {digest}, 6 FROM subject"
        ),
    ] {
        database.by_hand(statement).expect(statement);
    }
    let records = records(&store).await;
    let told: Vec<_> = records[before..]
        .iter()
        .map(|record| (&*record.resource, &*record.name, record.action))
        .collect();
    let expected = [
        ("scope", "read", Action::Replace),
        ("scope", "read", Action::Delete),
        ("password", "alice", Action::Replace),
        ("password", "alice", Action::Delete),
        ("password", "alice", Action::Create),
    ];
    assert_eq!(told, expected);
    let [text, _, replaced, ..] = &records[before..] else {
        panic!("{told:?}")
    };
    assert_eq!(text.after.as_ref().expect("a document")["sensitive"], true);
    let replaced = replaced.after.as_ref().expect("a document");
    assert_eq!(
        (&replaced["digest"], &replaced["changed_at"]),
        (&"changed".into(), &5.into())
    );
    assert!(!format!("{records:?}").contains(OCTETS));
    let found = store.passwords().get(&alice).await;
    found.expect_err("what was put in by hand does not open");
}

#[tokio::test]
async fn m082_signing_keys_that_are_changed_by_hand_are_recorded_without_the_key() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    assert_eq!(records(&store).await, [], "the first key is the program's");
    let (ahead, overlap) = (Duration::from_secs(3600), Duration::from_secs(60));
    let rotated = store
        .signing_key_rotate(Algorithm::Es256, ahead, overlap, &by())
        .await;
    let kid = rotated.expect("rotated").key_id;
    let before = records(&store).await;
    assert!(
        before.iter().all(|record| record.actor == by()),
        "{before:?}"
    );
    let sealed = octets(OCTETS);
    for statement in [
        "UPDATE signing_key SET signs_from = signs_from + 1 WHERE signs_until IS NULL",
        &*format!("UPDATE signing_key SET sealed = {sealed} WHERE signs_until IS NULL"),
        "UPDATE signing_key SET kid = kid",
        "DELETE FROM signing_key WHERE signs_until IS NULL",
        &*format!("INSERT INTO signing_key (kid, sealed, created_at) VALUES ('mine', {sealed}, 7)"),
    ] {
        database.by_hand(statement).expect(statement);
    }
    let records = records(&store).await;
    let told: Vec<_> = records[before.len()..]
        .iter()
        .map(|record| {
            assert_eq!(record.actor, Actor::new(Who::Unknown, Way::Database));
            assert_eq!(record.resource, "signing_key");
            assert!(!format!("{record:?}").contains(OCTETS), "{record:?}");
            (&*record.name, record.action)
        })
        .collect();
    use Action::{Create, Delete, Replace};
    let expected = [
        (&*kid, Replace),
        (&*kid, Replace),
        (&*kid, Delete),
        ("mine", Create),
    ];
    assert_eq!(told, expected);
    let [moved, changed, ..] = &records[before.len()..] else {
        unreachable!("{told:?}")
    };
    let of = |state: &Option<serde_json::Value>, member: &str| {
        let state = state.as_ref().expect("a document");
        state.get(member).cloned().unwrap_or_default()
    };
    assert_ne!(
        of(&moved.before, "signs_from"),
        of(&moved.after, "signs_from")
    );
    assert_eq!(of(&moved.after, "key"), serde_json::Value::Null);
    assert_eq!(of(&changed.after, "key"), "changed");
}

#[tokio::test]
async fn m082_a_role_that_is_given_by_hand_is_recorded_as_unknown() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    let alice = with_password(&store, "alice").await;
    let operator = Operator::new(alice.clone(), Role::Reader);
    let made = store.operators().create(operator, &by()).await;
    made.expect("created");
    let before = records(&store).await.len();
    for statement in [
        "UPDATE operator SET role = 'owner'",
        "DELETE FROM operator",
        "INSERT INTO operator (subject, role) SELECT number, 'editor' FROM subject",
        "UPDATE subject SET managed_by = 'git'",
        "UPDATE subject SET managed_by = NULL, enabled = FALSE",
        "UPDATE subject SET display_name = 'Alice', language = 'fr'",
        "UPDATE subject SET version = version + 1",
    ] {
        database.by_hand(statement).expect(statement);
    }
    let unknown_role = "UPDATE operator SET role = 'root'";
    database.by_hand(unknown_role).expect_err("no role");
    let records = records(&store).await;
    let told: Vec<_> = records[before..]
        .iter()
        .map(|record| {
            assert_eq!(record.actor, Actor::new(Who::Unknown, Way::Database));
            let of = |state: &Option<serde_json::Value>| {
                let state = state.as_ref()?;
                let members = ["role", "managed_by", "display_name"];
                let mut named = members.iter().filter_map(|member| state.get(member));
                Some(named.next()?.as_str()?.to_owned())
            };
            (&*record.resource, of(&record.before), of(&record.after))
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        ("operator", some("reader"), some("owner")),
        ("operator", some("owner"), None),
        ("operator", None, some("editor")),
        ("subject", None, some("git")),
        ("subject", some("git"), None),
        ("subject", None, some("Alice")),
    ];
    assert_eq!(told, expected);
    let found = store.operators().get(&alice).await.expect("it answers");
    assert_eq!(found.expect("the operator").role, Role::Editor);
}

#[tokio::test]
async fn m082_passkeys_that_are_changed_by_hand_are_recorded_without_their_keys() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    let alice = with_password(&store, "alice").await;
    let made = with_passkey(&store, &alice, "one").await;
    let other = with_passkey(&store, &alice, "two").await;
    let before = records(&store).await.len();
    let id = &made.credential;
    for statement in [
        format!("UPDATE passkey SET key = (SELECT key FROM passkey WHERE credential <> '{id}') WHERE credential = '{id}'"),
        format!("UPDATE passkey SET name = 'phone' WHERE credential = '{id}'"),
        format!("DELETE FROM passkey WHERE credential <> '{id}'"),
        "INSERT INTO passkey (subject, credential, key, name, created_at) SELECT subject, 'AAAA', key, name, 5 FROM passkey".to_owned(),
    ] {
        database.by_hand(&statement).expect(&statement);
    }
    let taken = format!(
        "INSERT INTO passkey (subject, credential, key, name, created_at) SELECT subject, '{id}', key, name, 5 FROM passkey"
    );
    database.by_hand(&taken).expect_err("C092: the id is taken");
    let records = records(&store).await;
    let told: Vec<_> = records[before..]
        .iter()
        .map(|record| {
            assert_eq!(record.actor, Actor::new(Who::Unknown, Way::Database));
            (&*record.resource, &*record.name, record.action)
        })
        .collect();
    let expected = [
        ("passkey", id.as_str(), Action::Replace),
        ("passkey", id.as_str(), Action::Replace),
        ("passkey", other.credential.as_str(), Action::Delete),
        ("passkey", "AAAA", Action::Create),
    ];
    assert_eq!(told, expected);
    let [key, name, ..] = &records[before..] else {
        panic!("{told:?}")
    };
    let after = |record: &ChangeRecord| record.after.clone().expect("a document");
    assert_eq!(after(key)["key"], "changed");
    assert_eq!(
        (&after(name)["key"], &after(name)["name"]),
        (&"kept".into(), &"phone".into())
    );
    assert_eq!(after(name)["subject"], "alice");
    let x = other.key.jwk().to_object()["x"].to_string();
    assert!(!format!("{records:?}").contains(x.trim_matches('"')));
    // What was changed so is another state, and a passkey all the same.
    let found = store.passkeys().get(id).await.expect("it answers");
    let found = found.expect("the passkey");
    assert_eq!(found.key, other.key);
    assert!(found.revision.version > made.revision.version);
}

/// A passkey of this subject.
pub async fn with_passkey(store: &Store, subject: &SubjectId, id: &str) -> Arc<Passkey> {
    let private = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let passkey = Passkey::new(
        subject.clone(),
        CredentialId::new(id.as_bytes()).expect("an id"),
        PasskeyKey::new(private.public()).expect("a key of a passkey"),
        DisplayName::parse("laptop").expect("a name"),
        SystemClock.now(),
    );
    let made = store.passkeys().create(passkey, &by()).await;
    made.expect("created")
}

/// A subject that has a password.
pub async fn with_password(store: &Store, name: &str) -> SubjectId {
    let id = SubjectId::parse(name).expect("a subject");
    let subject = Subject::new(id.clone());
    store
        .subjects()
        .create(subject, &by())
        .await
        .expect("created");
    let digest = PasswordDigest::parse("$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA");
    let password = Password::new(id.clone(), digest.expect("a digest"), SystemClock.now());
    store
        .passwords()
        .create(password, &by())
        .await
        .expect("created");
    id
}

#[tokio::test]
async fn nothing_edits_or_removes_a_record() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    store
        .clients()
        .create(client("a"), &by())
        .await
        .expect("created");
    let before = records(&store).await;
    for statement in [
        "UPDATE change_record SET record = '{}'",
        "UPDATE change_record SET at = 0",
        "DELETE FROM change_record",
    ]
    .iter()
    .chain(REPLACE_RECORDS)
    {
        let refused = database.by_hand(statement).expect_err(statement);
        assert!(
            refused.contains("a record of a change is never"),
            "{refused}"
        );
    }
    assert_eq!(records(&store).await, before);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_can_be_removed_and_is_recorded() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    store
        .clients()
        .create(client("a"), &by())
        .await
        .expect("created");
    database
        .by_hand("UPDATE client SET metadata = 'spoilt'")
        .expect("spoilt");
    store.clients().get(&id("a")).await.expect_err("unreadable");
    store
        .clients()
        .delete(&id("a"), &by())
        .await
        .expect("deleted");
    let records = records(&store).await;
    let [_, spoilt, deleted] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!(spoilt.after, Some("spoilt".into()));
    assert_eq!((deleted.action, &deleted.actor), (Action::Delete, &by()));
    assert!(store.clients().get(&id("a")).await.expect("read").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_oldest_records_go_where_there_are_too_many() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open_with(|options| options.changes.rows = 3);
    let store = store.await;
    for name in ["a", "b", "c", "d", "e"] {
        store
            .clients()
            .create(client(name), &by())
            .await
            .expect("created");
    }
    wait::until("two are gone", async || names(&store).await.len() == 3).await;
    assert_eq!(names(&store).await, ["c", "d", "e"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_goes_when_its_time_is_over() {
    let Some(database) = Database::new() else {
        return;
    };
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let store = database.open_at(clock.clone()).await;
    store
        .clients()
        .create(client("a"), &by())
        .await
        .expect("created");
    let days = |days: u64| clock.advance(Duration::from_secs(days * 86_400));
    days(399);
    // Whatever is written is answered behind the sweep that was due.
    store.check().await.expect("written");
    assert_eq!(names(&store).await, ["a"]);
    drop(store);
    // A start believes its clock.
    days(2);
    let store = database.open_at(clock.clone()).await;
    store.check().await.expect("written");
    wait::until("it is gone", async || names(&store).await.is_empty()).await;
    // With the place of its hour in the order of all.
    let hours = || database.number("SELECT count(*) FROM change_hour");
    wait::until("its hour is gone", async || hours() == 0).await;
}

/// The names in the records.
async fn names(store: &Store) -> Vec<String> {
    let records = records(store).await.into_iter();
    records.map(|record| record.name).collect()
}
