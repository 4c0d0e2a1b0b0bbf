//! Changes: in force at once, all or none, and lost nowhere.

use std::sync::Arc;

use super::{
    Hooked, by, disabled, is_conflict, is_missing, permission, permissions, public_client, read,
    records::records, store_with_permission, subject,
};
use crate::{
    registry::{Action, Client, Permission, Subject},
    storage::{
        AnyChange, Change, StoreError,
        conformance::{Two, id, subject_id, within_a_second},
    },
    types::Scope,
};

/// Law 4: what was read before does not linger.
pub async fn a_changed_client_is_seen_on_the_next_read<S: Hooked>([store, _]: Two<S>) {
    assert!(is_missing(
        store.clients().replace(public_client("a"), &by()).await
    ));
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    let before = read(&*store, "a").await.expect("the client");
    assert!(before.metadata().enabled);
    store
        .clients()
        .replace(disabled(&before), &by())
        .await
        .expect("updated");
    assert!(
        !read(&*store, "a")
            .await
            .expect("the client")
            .metadata()
            .enabled
    );
    store
        .clients()
        .delete(&id("a"), &by())
        .await
        .expect("deleted");
    assert!(read(&*store, "a").await.is_none());
    assert!(is_missing(store.clients().delete(&id("a"), &by()).await));
}

/// Law 4: a request to another node finds what was created, changed and deleted here within a
/// second.
pub async fn a_change_by_one_node_is_seen_by_another<S: Hooked>([here, there]: Two<S>) {
    assert!(read(&*there, "a").await.is_none());
    let created = here.clients().create(public_client("a"), &by()).await;
    created.expect("created");
    within_a_second("created", async || read(&*there, "a").await.is_some()).await;
    let before = read(&*there, "a").await.expect("the client");
    let updated = here.clients().replace(disabled(&before), &by()).await;
    updated.expect("the version that is read there is in force here");
    within_a_second("disabled", async || {
        let found = read(&*there, "a").await.expect("the client");
        !found.metadata().enabled
    })
    .await;
    here.clients()
        .delete(&id("a"), &by())
        .await
        .expect("deleted");
    within_a_second("deleted", async || read(&*there, "a").await.is_none()).await;
}

/// Only what is still as it was read is replaced.
pub async fn a_change_that_was_overtaken_changes_nothing<S: Hooked>([store, _]: Two<S>) {
    let clients = store.clients();
    let created = clients.create(public_client("a"), &by()).await;
    created.expect("created");
    let stale = read(&*store, "a").await.expect("the client");
    let unread = clients.replace(disabled(&public_client("a")), &by()).await;
    assert!(is_conflict(unread), "a client that nobody has read");
    let same = stale.changed(stale.metadata().clone(), vec![], vec![]);
    let updated = clients.replace(same.expect("a client"), &by()).await;
    updated.expect("it is as it was read");
    let overtaken = clients.replace(disabled(&stale), &by()).await;
    assert!(is_conflict(overtaken));
    let found = read(&*store, "a").await.expect("the client");
    assert!(found.metadata().enabled);

    let (subjects, b) = (store.subjects(), subject_id("b"));
    let created = subjects.create(subject("b"), &by()).await;
    created.expect("created");
    let read = async || {
        let found = store.subject(&b).await.expect("the store answers");
        found.expect("the subject")
    };
    let stale = read().await;
    let updated = subjects.replace(stale.clone(), &by()).await;
    updated.expect("it is as it was read");
    let overtaken = subjects.replace(stale.disabled(), &by()).await;
    assert!(is_conflict(overtaken));
    assert!(read().await.enabled);
}

/// A later registration of the same name is another one, also where its version is the same.
pub async fn a_change_of_an_earlier_registration_changes_nothing<S: Hooked>([store, _]: Two<S>) {
    let clients = store.clients();
    let created = clients.create(public_client("a"), &by()).await;
    created.expect("created");
    let stale = read(&*store, "a").await.expect("the client");
    let deleted = clients.delete(&id("a"), &by()).await;
    deleted.expect("deleted");
    let gone = clients.replace(disabled(&stale), &by()).await;
    assert!(is_missing(gone));
    let created = clients.create(public_client("a"), &by()).await;
    created.expect("created");
    let another = clients.replace(disabled(&stale), &by()).await;
    assert!(is_conflict(another));
    let found = read(&*store, "a").await.expect("the client");
    assert_eq!(found.revision().version, stale.revision().version);
    assert!(found.metadata().enabled);
}

/// Everybody who changes by [`change`](crate::storage::Registry#method.change) finds their own change in force in the end.
pub async fn no_change_is_lost_among_many_at_once<S: Hooked>(nodes: Two<S>) {
    let store = &*nodes[0];
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    let tasks = (0..8).map(|number| {
        let store = nodes[number % 2].clone();
        tokio::spawn(async move {
            let widen = |client: &Client| -> Result<Client, StoreError> {
                let mut metadata = client.metadata().clone();
                let scope = format!("{} s{number}", metadata.scope);
                metadata.scope = Scope::parse(scope.trim_start()).expect("a scope");
                Ok(client
                    .changed(metadata, Vec::new(), Vec::new())
                    .expect("a client"))
            };
            store
                .clients()
                .change(&id("a"), &by(), widen)
                .await
                .expect("changed");
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    for node in &nodes {
        within_a_second("eight changes", async || {
            let client = read(&**node, "a").await.expect("the client");
            client.metadata().scope.tokens().count() == 8 && client.revision().version == 9
        })
        .await;
    }
}

/// A removal that names a revision removes no other.
pub async fn only_the_expected_state_is_removed<S: Hooked>([one, two]: Two<S>) {
    let client = one.clients().create(public_client("a"), &by()).await;
    let stale = client.expect("created").revision();
    let disable = |client: &Client| Ok::<_, StoreError>(disabled(client));
    let updated = two.clients().change(&id("a"), &by(), disable).await;
    let current = updated.expect("changed").revision();
    let delete = |revision| vec![Change::Delete(id("a"), Some(revision))];
    assert!(is_conflict(one.clients().apply(delete(stale), &by()).await));
    let deleted = one.clients().apply(delete(current), &by()).await;
    deleted.expect("it is what was read");
    assert!(is_missing(
        one.clients().apply(delete(current), &by()).await
    ));
}

/// All changes of a call, or none, be it the last one that may not be made.
pub async fn nothing_is_changed_unless_everything_is<S: Hooked>([one, two]: Two<S>) {
    let names = |node: Arc<S>| async move {
        let clients = node.clients().all().await.expect("a list");
        let names = clients.iter().map(|client| client.id().to_string());
        names.collect::<Vec<_>>()
    };
    let clients = one.clients();
    let kept = clients.create(public_client("kept"), &by()).await;
    let kept = kept.expect("created");
    let gone = clients.create(public_client("gone"), &by()).await;
    gone.expect("created");
    one.subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    one.permissions()
        .create(permission("gone", "b"), &by())
        .await
        .expect("created");
    let good = || {
        vec![
            Change::Create(public_client("new")),
            Change::Replace(disabled(&kept)),
            Change::Delete(id("gone"), None),
        ]
    };
    let bad = [
        Change::Create(public_client("b")),
        Change::Create(public_client("new")),
        Change::Replace(disabled(&kept)),
        Change::Delete(id("gone"), None),
    ];
    for bad in bad {
        let changes = good().into_iter().chain([bad.clone()]).collect();
        let refused = one.clients().apply(changes, &by()).await;
        assert!(refused.is_err(), "{bad:?}");
        assert_eq!(names(one.clone()).await, ["gone", "kept"], "{bad:?}");
        let read = read(&*one, "kept").await.expect("the client");
        assert_eq!(read.revision(), kept.revision(), "{bad:?}");
        let permissions = permissions(&*one, "gone", "b").await;
        assert!(!permissions.is_empty(), "{bad:?}");
    }
    let applied = two.clients().apply(good(), &by()).await;
    let applied = applied.expect("each may be made").resources;
    let [new, replaced, removed] = <&[_; 3]>::try_from(&applied[..]).expect("as many as asked for");
    let (new, replaced) = new.as_ref().zip(replaced.as_ref()).expect("both are there");
    assert!(removed.is_none());
    assert_eq!((new.id(), new.revision().version), (&id("new"), 1));
    assert_eq!(replaced.revision(), kept.revision().next());
    assert_eq!(names(two).await, ["kept", "new"]);
}

/// In the order that is given, each recorded, and told as it is recorded; what goes along too.
pub async fn several_kinds_are_changed_at_once<S: Hooked>([one, two]: Two<S>) {
    let register = vec![
        Change::Create(public_client("a")).into(),
        Change::Create(subject("b")).into(),
        Change::Create(permission("a", "b")).into(),
    ];
    let made = one.apply_all(register, &by()).await.expect("each may be");
    assert_eq!(made, records(&*two).await);
    let told: Vec<_> = made
        .iter()
        .map(|one| (&*one.resource, &*one.name))
        .collect();
    let both = ("permission", r#"["a","b"]"#);
    assert_eq!(told, [("client", "a"), ("subject", "b"), both]);
    assert!(!permissions(&*one, "a", "b").await.is_empty());
    within_a_second("registered", async || read(&*two, "a").await.is_some()).await;

    let exchange = vec![
        Change::<Subject>::Delete(subject_id("b"), None).into(),
        Change::Create(public_client("b")).into(),
    ];
    let made = two
        .apply_all(exchange, &by())
        .await
        .expect("its name is free");
    assert_eq!(made, records(&*one).await[3..]);
    let told: Vec<_> = made
        .iter()
        .map(|one| (&*one.resource, one.action))
        .collect();
    let (gone, new) = (Action::Delete, Action::Create);
    assert_eq!(
        told,
        [("permission", gone), ("subject", gone), ("client", new)]
    );
    assert!(made.iter().all(|record| record.actor == by()));
}

/// Be it the last one, of another kind, that may not be made, or that was overtaken.
pub async fn of_several_kinds_nothing_is_changed_unless_everything_is<S: Hooked>(
    [one, two]: Two<S>,
) {
    store_with_permission(&*one).await;
    let read_before = one.subjects().get(&subject_id("b")).await;
    let stale = read_before.expect("read").expect("the subject");
    let disable = |subject: &Subject| Ok::<_, StoreError>(subject.clone().disabled());
    let changed = two
        .subjects()
        .change(&subject_id("b"), &by(), disable)
        .await;
    let current = changed.expect("changed");
    let before = records(&*one).await;
    let batch = |last: AnyChange| {
        vec![
            Change::Create(public_client("new")).into(),
            Change::<Client>::Delete(id("a"), None).into(),
            Change::Create(subject("c")).into(),
            Change::Create(permission("new", "c")).into(),
            last,
        ]
    };
    let enabled = |subject: &Subject| {
        let enabled = true;
        Change::Replace(Subject {
            enabled,
            ..subject.clone()
        })
    };
    for bad in [
        enabled(&stale).into(),
        Change::Create(subject("new")).into(),
        Change::Create(permission("a", "b")).into(),
        Change::<Permission>::Delete(permission("a", "b").id(), None).into(),
    ] {
        let what = format!("{bad:?}");
        let refused = one.apply_all(batch(bad), &by()).await;
        assert!(refused.is_err(), "{what}");
        for node in [&*one, &*two] {
            assert_eq!(records(node).await, before, "{what}");
            assert!(read(node, "new").await.is_none(), "{what}");
            assert!(read(node, "a").await.is_some(), "{what}");
            let permitted = permissions(node, "a", "b").await;
            assert!(!permitted.is_empty(), "{what}");
            let subjects = node.subjects().all().await.expect("a list");
            assert_eq!(subjects, std::slice::from_ref(&current), "{what}");
        }
    }
    let made = one.apply_all(batch(enabled(&current).into()), &by()).await;
    let made = made.expect("it is what was read");
    assert_eq!(made, records(&*two).await[before.len()..]);
    assert_eq!(made.len(), 6, "the permission went along");
}
