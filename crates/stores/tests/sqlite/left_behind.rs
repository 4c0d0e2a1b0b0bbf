//! What SQLite leaves behind when another tool does not heed foreign keys: it is nobody's.

use grantor::{
    registry::{PasskeyFilter, Subject},
    storage::Registries as _,
};

use crate::{
    change_records::{by, with_passkey, with_password},
    engine::Database,
    given::within_a_second,
    issuers::{IDP, issuer, names, trust, with_trusts},
};

#[tokio::test]
async fn c055_a_password_left_behind_is_nobodys() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    let [alice, bob] = [
        with_password(&store, "alice").await,
        with_password(&store, "bob").await,
    ];
    let readable = "SELECT count(*) FROM password WHERE instr(digest, CAST('argon2' AS BLOB)) > 0";
    assert_eq!(database.number(readable), 0, "at rest it is sealed");
    // Other tools do not heed foreign keys unless they are told to.
    let remove = "PRAGMA foreign_keys = OFF; DELETE FROM party WHERE name = 'alice'; DELETE FROM subject WHERE id = 'alice'";
    database.by_hand(remove).expect("removed");
    let again = store
        .subjects()
        .create(Subject::new(alice.clone()), &by())
        .await;
    again.expect("created");
    let found = store.passwords().get(&alice).await;
    assert_eq!(found.expect("the store answers"), None);
    let found = store.passwords().get(&bob).await;
    assert!(found.expect("the store answers").is_some());
    let copy = "UPDATE password SET subject = (SELECT number FROM subject WHERE id = 'alice')
        WHERE subject = (SELECT number FROM subject WHERE id = 'bob')";
    database.by_hand(copy).expect("copied");
    let found = store.passwords().get(&alice).await;
    found.expect_err("a password of another does not open");
}

#[tokio::test]
async fn c055_a_passkey_left_behind_is_nobodys() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    let alice = with_password(&store, "alice").await;
    let made = with_passkey(&store, &alice, "one").await;
    // Other tools do not heed foreign keys unless they are told to.
    let remove = "PRAGMA foreign_keys = OFF; DELETE FROM party WHERE name = 'alice'; DELETE FROM subject WHERE id = 'alice'";
    database.by_hand(remove).expect("removed");
    let again = Subject::new(alice.clone());
    let again = store.subjects().create(again, &by()).await;
    again.expect("created");
    let found = store.passkeys().get(&made.credential).await;
    assert_eq!(found.expect("the store answers"), None);
    let found = store.passkeys().all_of(&PasskeyFilter::of(&alice)).await;
    assert!(found.expect("a list").is_empty());
}

/// T092: other tools do not heed foreign keys unless they are told to.
#[tokio::test]
async fn t092_trusts_left_behind_are_nobodys() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
    let first = with_trusts(&store, [trust("t")]).await;
    let remove = "PRAGMA foreign_keys = OFF; DELETE FROM issuer";
    database.by_hand(remove).expect("removed");
    let created = store
        .issuer_registry()
        .create(issuer(IDP, "idp"), &by())
        .await;
    let second = created.expect("its name is free");
    assert!(second.revision.number > first.revision.number);
    for issuer in [&first, &second] {
        assert!(names(&store, issuer).await.is_empty());
    }
    // As far as it can be read, it is of the second.
    let adopt = "UPDATE trust SET issuer = (SELECT number FROM issuer)";
    database.by_hand(adopt).expect("moved");
    within_a_second(async || names(&store, &second).await == ["t"]).await;
}
