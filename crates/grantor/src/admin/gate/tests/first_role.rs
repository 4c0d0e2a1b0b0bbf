//! M012: what a subject signed in with before it had a role.

use super::*;
use crate::registry::Action;

/// What is recorded last, as kind and action, the newest first.
async fn last_records(store: &MemoryStore, count: u32) -> Vec<(String, Action)> {
    let all = ChangeFilter::default();
    let page = store.changes().page(&all, Start::Last(count), count);
    let page = page.await.expect("a page");
    let records = page.entries.iter().rev();
    let read = records.map(|entry| ChangeRecord::read(&entry.document).expect("a record"));
    read.map(|record| (record.resource, record.action))
        .collect()
}

async fn has_password(store: &MemoryStore, who: &str) -> bool {
    let found = store.passwords().get(&subject_id(who)).await;
    found.expect("it answers").is_some()
}

#[tokio::test]
async fn m012_a_first_role_ends_the_password_in_the_same_commit() {
    for rights in [owner(), Rights::local()] {
        let store = world().await;
        let gate = gate(&store, rights);
        let operators = gate.operators();
        let given = operators.create(operator("bob", Role::Reader), &by()).await;
        assert_eq!(given.expect("given").role, Role::Reader);
        assert!(!has_password(&store, "bob").await);
        let recorded = last_records(&store, 2).await;
        let kind = |kind: &str, action| (kind.to_owned(), action);
        assert_eq!(
            recorded,
            [
                kind("operator", Action::Create),
                kind("password", Action::Delete)
            ]
        );
        // The control: another role, with the password that was set under the first.
        let set = gate.passwords().create(password("bob"), &by()).await;
        set.expect("an owner may");
        let raise = |operator: &Operator| Ok::<_, StoreError>(operator.with_role(Role::Editor));
        let raised = operators.change(&subject_id("bob"), &by(), raise).await;
        raised.expect("raised");
        assert!(has_password(&store, "bob").await);
        // Taken and given again, it is a first role.
        let id = subject_id("bob");
        operators.delete(&id, &by()).await.expect("taken");
        assert!(has_password(&store, "bob").await);
        let again = operators.create(operator("bob", Role::Reader), &by()).await;
        again.expect("given");
        assert!(!has_password(&store, "bob").await);
    }
}

#[tokio::test]
async fn m012_a_first_role_that_is_not_given_ends_nothing() {
    let store = world().await;
    let role = || Change::Create(operator("bob", Role::Reader)).into();
    assert!(denial(&store, editor(), role()).await.is_some());
    assert!(has_password(&store, "bob").await);
    let stale = Change::<Subject>::Expect(subject_id("carol"), None).into();
    let failed = gate(&store, owner())
        .apply_all(vec![role(), stale], &by())
        .await;
    assert!(matches!(failed, Err(StoreError::Conflict(_))));
    assert!(has_password(&store, "bob").await);
}

#[tokio::test]
async fn m012_a_password_that_is_set_while_a_first_role_is_decided_ends_too() {
    for (who, meanwhile) in [
        ("carol", Change::Create(password("carol")).into()),
        ("bob", delete::<Password>(subject_id("bob"))),
    ] {
        let store = world().await;
        let ports = overtaken(&store, meanwhile);
        let gate = Gate::new(ports, owner());
        let operators = gate.operators();
        let given = operators.create(operator(who, Role::Reader), &by()).await;
        given.expect("it is decided anew");
        assert!(!has_password(&store, who).await, "{who}");
    }
}

#[tokio::test]
async fn m012_a_first_role_ends_the_passkeys_in_the_same_commit() {
    let store = world().await;
    let made = [("bob", "one"), ("bob", "two"), ("carol", "of carol")];
    let made = made.map(|(who, id)| Change::Create(passkey(who, id)).into());
    store.apply_all(made.into(), &by()).await.expect("made");
    let left = async || {
        let left = store.passkeys().all().await.expect("a list");
        let ids = left.iter().map(|passkey| passkey.credential.clone());
        ids.collect::<Vec<_>>()
    };
    let gate = gate(&store, owner());
    let operators = gate.operators();
    let given = operators.create(operator("bob", Role::Reader), &by()).await;
    given.expect("given");
    assert_eq!(left().await, [credential("of carol")]);
    // The control: another role, with the passkey that was made under the first.
    let made = Change::Create(passkey("bob", "one")).into();
    store.apply_all(vec![made], &by()).await.expect("made");
    let raise = |operator: &Operator| Ok::<_, StoreError>(operator.with_role(Role::Editor));
    let raised = operators.change(&subject_id("bob"), &by(), raise).await;
    raised.expect("raised");
    assert_eq!(left().await.len(), 2);
}

#[tokio::test]
async fn m012_a_passkey_that_is_renamed_while_a_first_role_is_decided_ends_too() {
    let store = world().await;
    let made = Change::Create(passkey("bob", "one")).into();
    store.apply_all(vec![made], &by()).await.expect("made");
    let renamed = replace(&store, credential("one"), |it: &mut Passkey| {
        it.name = DisplayName::parse("phone").expect("a name");
    });
    let gate = Gate::new(overtaken(&store, renamed.await), owner());
    let operators = gate.operators();
    let given = operators.create(operator("bob", Role::Reader), &by()).await;
    given.expect("it is decided anew");
    assert!(store.passkeys().all().await.expect("a list").is_empty());
}
