//! Operators, and what changes rest on.

use grantor_jose::{Algorithm, PrivateJwk};

use super::{
    Hooked, by, disabled, exists, is_conflict, is_missing, public_client, read, records::records,
    subject,
};
use crate::{
    clock::UnixTime,
    registry::{
        Action, Client, CredentialId, Operator, Passkey, PasskeyFilter, PasskeyKey, Password,
        PasswordDigest, Resource as _, Revision, Role, Subject,
    },
    storage::{
        AnyChange, Change, StoreError,
        conformance::{Two, id, subject_id},
    },
    types::DisplayName,
};

fn operator(name: &str, role: Role) -> Operator {
    Operator::new(subject_id(name), role)
}

/// A subject has one role at most, which changes and is taken.
pub async fn an_operator_is_a_subject_with_one_role<S: Hooked>([one, two]: Two<S>) {
    let operators = one.operators();
    let without = operators.create(operator("b", Role::Owner), &by()).await;
    assert!(matches!(without, Err(StoreError::Missing("subject"))));
    for name in ["b", "a"] {
        let created = one.subjects().create(subject(name), &by()).await;
        created.expect("created");
    }
    let created = operators.create(operator("b", Role::Owner), &by()).await;
    let created = created.expect("created");
    let again = two
        .operators()
        .create(operator("b", Role::Reader), &by())
        .await;
    assert!(exists(again));
    let found = two.operators().get(&subject_id("b")).await;
    assert_eq!(found.expect("the store answers"), Some(created.clone()));
    assert_eq!(created.role, Role::Owner);

    let lowered = created.with_role(Role::Editor);
    let lowered = two.operators().replace(lowered, &by()).await;
    let lowered = lowered.expect("replaced");
    assert_eq!(lowered.role, Role::Editor);
    assert_eq!(lowered.revision, created.revision.next());
    let stale = operators.replace((*created).clone(), &by()).await;
    assert!(is_conflict(stale), "the role that was read is another");
    operators
        .create(operator("a", Role::Reader), &by())
        .await
        .expect("created");
    let all = two.operators().all().await.expect("a list");
    let all = all.iter().map(|one| (one.subject.as_str(), one.role));
    let all: Vec<_> = all.collect();
    assert_eq!(all, [("a", Role::Reader), ("b", Role::Editor)]);
    let deleted = operators.delete(&subject_id("b"), &by()).await;
    deleted.expect("deleted");
    assert!(is_missing(operators.delete(&subject_id("b"), &by()).await));
    let kept = two.subjects().get(&subject_id("b")).await;
    assert!(kept.expect("the store answers").is_some());
    let told = records(&*one).await;
    let told = told.iter().filter(|record| record.resource == "operator");
    let roles = told.map(|record| {
        let role = |state: &Option<serde_json::Value>| state.as_ref().map(|it| it["role"].clone());
        (record.action, role(&record.before), role(&record.after))
    });
    let role = |role: &str| Some(role.into());
    assert_eq!(
        roles.collect::<Vec<_>>(),
        [
            (Action::Create, None, role("owner")),
            (Action::Replace, role("owner"), role("editor")),
            (Action::Create, None, role("reader")),
            (Action::Delete, role("editor"), None),
        ]
    );
}

/// A later subject of the same name has no role, and nobody's old role comes back.
pub async fn a_role_ends_with_its_subject<S: Hooked>([one, two]: Two<S>) {
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let created = one.subjects().create(subject("b"), &by()).await;
        created.expect("created");
        let none = two.operators().get(&subject_id("b")).await;
        assert_eq!(none.expect("the store answers"), None);
        let made = two
            .operators()
            .create(operator("b", Role::Owner), &by())
            .await;
        let made = made.expect("created");
        numbers.push(made.revision.number);
        let before = records(&*two).await.len();
        let deleted = one.subjects().delete(&subject_id("b"), &by()).await;
        deleted.expect("deleted");
        let told = records(&*two).await;
        let told: Vec<_> = told[before..]
            .iter()
            .map(|record| (&*record.resource, &*record.name, record.action))
            .collect();
        let ended = |resource| (resource, "b", Action::Delete);
        assert_eq!(told, [ended("operator"), ended("subject")]);
        let again = one.operators().replace((*made).clone(), &by()).await;
        assert!(is_missing(again));
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

/// What a subject signed in with before it had a role is nobody's with it. A later role ends nothing.
pub async fn what_a_subject_signs_in_with_ends_with_its_first_role<S: Hooked>([one, two]: Two<S>) {
    for name in ["a", "b"] {
        let created = one.subjects().create(subject(name), &by()).await;
        created.expect("created");
        for change in credentials(name) {
            let set = two.apply_all(vec![change], &by()).await;
            set.expect("set up");
        }
    }
    let before = records(&*one).await.len();
    let first = operator("a", Role::Reader);
    let made = one.operators().create(first, &by()).await;
    let made = made.expect("created");
    let told = records(&*two).await;
    let told: Vec<_> = told[before..]
        .iter()
        .map(|record| (&*record.resource, record.action))
        .collect();
    let ended = |kind| (kind, Action::Delete);
    let made_operator = ("operator", Action::Create);
    assert_eq!(told, [ended("password"), ended("passkey"), made_operator]);
    assert_eq!(ways_in(&*two, "a").await, 0);
    assert_eq!(ways_in(&*two, "b").await, 2, "the control");

    // Set up anew, it stays, whichever role there is.
    let set = two.apply_all(credentials("a").into(), &by()).await;
    set.expect("set up");
    let raised = made.with_role(Role::Owner);
    one.operators()
        .replace(raised, &by())
        .await
        .expect("raised");
    let second = operator("a", Role::Owner);
    let again = one.operators().create(second, &by()).await;
    assert!(exists(again));
    assert_eq!(ways_in(&*two, "a").await, 2);
    // What is not made ends nothing, and a role that is taken does not either.
    let failing = vec![
        Change::Create(operator("b", Role::Reader)).into(),
        Change::<Subject>::Expect(subject_id("a"), None).into(),
    ];
    assert!(is_conflict(two.apply_all(failing, &by()).await));
    assert_eq!(ways_in(&*one, "b").await, 2);
    let taken = one.operators().delete(&subject_id("a"), &by()).await;
    taken.expect("deleted");
    assert_eq!(ways_in(&*one, "a").await, 2);
}

/// A password and a passkey.
fn credentials(name: &str) -> [AnyChange; 2] {
    let digest = PasswordDigest::parse(DIGEST).expect("a digest");
    let at = UnixTime::from_millis(1);
    let password = Password::new(subject_id(name), digest, at);
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let key = PasskeyKey::new(key.public()).expect("a key of a passkey");
    let credential = CredentialId::new(name.as_bytes()).expect("an id");
    let called = DisplayName::parse("laptop").expect("a name");
    let passkey = Passkey::new(subject_id(name), credential, key, called, at);
    [
        Change::Create(password).into(),
        Change::Create(passkey).into(),
    ]
}

async fn ways_in<S: Hooked>(store: &S, name: &str) -> usize {
    let id = subject_id(name);
    let password = store.passwords().get(&id).await;
    let passkeys = store.passkeys().all_of(&PasskeyFilter::of(&id)).await;
    let has_password = password.expect("the store answers").is_some();
    usize::from(has_password) + passkeys.expect("a list").len()
}

const DIGEST: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";

/// Where what a change rests on is not as it was read, nothing is changed; where it is, the
/// condition leaves no trace.
pub async fn a_change_is_made_only_where_what_it_rests_on_is_as_expected<S: Hooked>(
    [one, two]: Two<S>,
) {
    let rest = one.clients().create(public_client("rest"), &by()).await;
    let stale = rest.expect("created").revision();
    let disable = |client: &Client| Ok::<_, StoreError>(disabled(client));
    let current = two.clients().change(&id("rest"), &by(), disable).await;
    let current = current.expect("changed").revision();
    let subject_made = one.subjects().create(subject("b"), &by()).await;
    let of_subject = subject_made.expect("created").revision;
    let before = records(&*one).await;
    let other = Revision::new(current.number + 1000, current.version);
    for wrong in [
        Change::<Client>::Expect(id("rest"), Some(stale)).into(),
        Change::<Client>::Expect(id("rest"), Some(other)).into(),
        Change::<Client>::Expect(id("rest"), None).into(),
        Change::<Client>::Expect(id("nobody"), Some(current)).into(),
        Change::<Subject>::Expect(subject_id("b"), Some(of_subject.next())).into(),
        Change::<Operator>::Expect(subject_id("b"), Some(of_subject)).into(),
        AnyChange::from(Change::<Subject>::Expect(subject_id("b"), None)),
    ] {
        let what = format!("{wrong:?}");
        let create = || Change::Create(public_client("new")).into();
        for changes in [vec![wrong.clone(), create()], vec![create(), wrong.clone()]] {
            let refused = two.apply_all(changes, &by()).await;
            assert!(is_conflict(refused), "{what}");
        }
        assert_eq!(records(&*one).await, before, "{what}");
        assert!(read(&*one, "new").await.is_none(), "{what}");
    }
    let right = vec![
        Change::<Client>::Expect(id("rest"), Some(current)).into(),
        Change::<Client>::Expect(id("new"), None).into(),
        Change::<Operator>::Expect(subject_id("b"), None).into(),
        Change::<Subject>::Expect(subject_id("b"), Some(of_subject)).into(),
        Change::Create(public_client("new")).into(),
    ];
    let made = two.apply_all(right, &by()).await.expect("all is so");
    assert_eq!(made, records(&*one).await[before.len()..]);
    assert_eq!(made.len(), 1, "only the change is on record");
}

/// A condition answers what it found.
pub async fn what_was_expected_is_answered<S: Hooked>([one, two]: Two<S>) {
    let created = one.clients().create(public_client("a"), &by()).await;
    let created = created.expect("created");
    let expect = vec![
        Change::Expect(id("a"), Some(created.revision())),
        Change::Expect(id("b"), None),
    ];
    let answered = two.clients().apply(expect, &by()).await;
    let answered = answered.expect("both are so").resources;
    let revisions = answered
        .iter()
        .map(|found| found.as_ref().map(|client| client.revision()));
    assert_eq!(
        revisions.collect::<Vec<_>>(),
        [Some(created.revision()), None]
    );
    assert_eq!(records(&*one).await.len(), 1);
    let is_there = vec![Change::Expect(id("a"), None)];
    assert!(is_conflict(one.clients().apply(is_there, &by()).await));
}

/// Whoever rests on what a list had names its newest record: the next one of that kind is a conflict,
/// and one of another kind is none.
pub async fn a_change_is_made_only_while_no_other_of_a_kind_has_come<S: Hooked>(
    [one, two]: Two<S>,
) {
    let created = one.clients().create(public_client("a"), &by()).await;
    created.expect("created");
    let none_since = |kind, newest| AnyChange::NoneSince { kind, newest };
    let create = |name| AnyChange::from(Change::Create(public_client(name)));
    let before = records(&*one).await;
    for wrong in [
        none_since(Client::NAME, 0),
        none_since(Client::NAME, before[0].id + 1),
        none_since(Subject::NAME, before[0].id),
    ] {
        let what = format!("{wrong:?}");
        let refused = two.apply_all(vec![wrong, create("b")], &by()).await;
        assert!(is_conflict(refused), "{what}");
        assert_eq!(records(&*one).await, before, "{what}");
    }
    let subject_made = one.subjects().create(subject("s"), &by()).await;
    subject_made.expect("created");
    let right = none_since(Client::NAME, before[0].id);
    let made = two.apply_all(vec![right.clone(), create("b")], &by()).await;
    assert_eq!(made.expect("it is so").len(), 1);
    let refused = two.apply_all(vec![right, create("c")], &by()).await;
    assert!(is_conflict(refused), "b has come");
}
