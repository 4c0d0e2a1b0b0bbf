//! What is registered comes back as it went in, under a name and a number of its own.

use grantor_jose::JwkError;

use super::{
    Hooked, UNUSABLE, by, exists, full_client,
    issuers::{iss, issuer, name},
    permission, permissions, public_client, read, store_with_permission, subject,
};
use crate::{
    clock::UnixTime,
    registry::{Permission, PresentedSecret, Resource, ScopeText, Subject, Trust},
    storage::{
        AnyChange, Change, ClientSource, FromRegistry, PermissionSource, Registry, StoreError,
        SubjectSource,
        conformance::{NOW, Two, id, subject_id},
    },
    types::Name,
};

/// Metadata, keys and secrets survive.
pub async fn a_client_comes_back_as_it_went_in<S: Hooked>([store, _]: Two<S>) {
    assert!(read(&*store, "ä:1").await.is_none());
    let client = full_client("ä:1");
    let (metadata, jwk) = (client.metadata().clone(), client.keys()[0].jwk().cloned());
    store
        .clients()
        .create(client, &by())
        .await
        .expect("created");
    let back = read(&*store, "ä:1").await.expect("the client");
    assert_eq!(back.metadata(), &metadata);
    let [key, unusable] = <&[_; 2]>::try_from(back.keys()).expect("two keys");
    assert_eq!(key.jwk(), jwk.as_ref());
    assert_eq!(
        (key.expires_at, unusable.expires_at),
        (Some(UnixTime::from_millis(NOW.millis() + 5)), None)
    );
    assert_eq!(unusable.usable().err(), Some(&JwkError::Missing("n")));
    assert_eq!(
        unusable.to_stored(),
        UNUSABLE,
        "what cannot be used is kept as it was found"
    );
    let [readable, digest] = <&[_; 2]>::try_from(back.secrets()).expect("two secrets");
    assert_eq!(readable.expose(), Some("s".repeat(64).as_str()));
    assert_eq!(
        readable.expires_at,
        Some(UnixTime::from_millis(NOW.millis() + 5))
    );
    let matches = |secret| digest.matches(&PresentedSecret::of(secret).expect("short"), NOW);
    assert!(matches("other") && !matches("Other"));
    assert!(
        read(&*store, "Ä:1").await.is_none(),
        "names are compared to the letter"
    );
}

/// A client and a subject never share a name (RFC 9700 §4.15).
pub async fn names_are_taken_once<S: Hooked>([one, two]: Two<S>) {
    let created = one.clients().create(public_client("a"), &by()).await;
    created.expect("created");
    two.subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    for node in [&one, &two] {
        assert!(exists(
            node.clients().create(public_client("a"), &by()).await
        ));
        assert!(exists(
            node.clients().create(public_client("b"), &by()).await
        ));
        assert!(exists(node.subjects().create(subject("a"), &by()).await));
        assert!(exists(node.subjects().create(subject("b"), &by()).await));
    }
}

/// The name under which files say what something is stays with it, and without one nothing is
/// said of it.
pub async fn a_manager_comes_back_and_goes<S: Hooked>([one, two]: Two<S>) {
    let git = || Some(name("git"));
    store_with_permission(&*one).await;
    let issuers = two.issuer_registry();
    let made = issuers
        .create(issuer("https://idp.example", "idp"), &by())
        .await;
    made.expect("created");
    let trust = Trust::new(name("ci"), iss("https://idp.example"), id("a"), NOW);
    let made = one.trust_registry().create(trust, &by()).await;
    made.expect("created");
    let text = ScopeText::new("read".parse().expect("a token"));
    one.scopes().create(text, &by()).await.expect("created");
    for manager in [git(), None] {
        let set = || manager.clone();
        managed(two.clients(), &manager, |it| it.with_manager(set())).await;
        managed(two.subjects(), &manager, |it| Subject {
            managed_by: set(),
            ..it
        })
        .await;
        managed(two.permissions(), &manager, |it| Permission {
            managed_by: set(),
            ..it
        })
        .await;
        managed(two.scopes(), &manager, |it| ScopeText {
            managed_by: set(),
            ..it
        })
        .await;
        managed(two.issuer_registry(), &manager, |mut it| {
            it.managed_by = set();
            it
        })
        .await;
        managed(two.trust_registry(), &manager, |it| Trust {
            managed_by: set(),
            ..it
        })
        .await;
    }
    for resource in [
        Change::Create(public_client("m").with_manager(git())).into(),
        Change::Create(Subject {
            managed_by: git(),
            ..subject("n")
        })
        .into(),
        AnyChange::from(Change::Create(Permission {
            managed_by: git(),
            ..permission("m", "n")
        })),
    ] {
        let made = one.apply_all(vec![resource], &by()).await;
        let after = made.expect("created").remove(0).after;
        assert_eq!(after.expect("a document")["managed_by"], "git");
    }
    let found = two.permissions_of(&id("m"), &subject_id("n")).await;
    let found = found.expect("the store answers");
    assert_eq!(found.operator().expect("the permission").managed_by, git());
}

/// Sets the manager of the first of a kind, and reads it.
async fn managed<R: Resource>(
    registry: &dyn Registry<R>,
    manager: &Option<Name>,
    set: impl Fn(R) -> R + Send + Sync,
) {
    let first = registry.all().await.expect("a list").remove(0);
    let change = |before: &R| Ok::<_, StoreError>(set(before.clone()));
    let changed = registry.change(&first.id(), &by(), change).await;
    changed.expect("changed");
    let read = registry.get(&first.id()).await.expect("the store answers");
    let read = read.expect("it is there");
    assert_eq!(read.managed_by(), manager.as_ref(), "{}", R::NAME);
    let document = read.document();
    let shown = document.get("managed_by").map(|it| it.as_str());
    assert_eq!(
        shown,
        manager.as_ref().map(|it| Some(it.as_str())),
        "{}",
        R::NAME
    );
}

/// A later registration of the same name is another one.
pub async fn a_number_is_never_given_again<S: Hooked>([store, _]: Two<S>) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        store_with_permission(&*store).await;
        let client = read(&*store, "a")
            .await
            .expect("the client")
            .revision()
            .number;
        let subject = store
            .subject(&subject_id("b"))
            .await
            .expect("the store answers")
            .expect("the subject")
            .revision
            .number;
        let permissions = permissions(&*store, "a", "b").await;
        let permission = permissions.operator().expect("the permission");
        seen.push((client, subject, permission.revision.number));
        store
            .clients()
            .delete(&id("a"), &by())
            .await
            .expect("deleted");
        store
            .subjects()
            .delete(&subject_id("b"), &by())
            .await
            .expect("deleted");
    }
    let numbers = |number: fn(&(u64, u64, u64)) -> u64| seen.iter().map(number).collect::<Vec<_>>();
    for numbers in [
        numbers(|seen| seen.0),
        numbers(|seen| seen.1),
        numbers(|seen| seen.2),
    ] {
        assert!(
            numbers[0] > 0 && numbers.windows(2).all(|pair| pair[0] < pair[1]),
            "{numbers:?}"
        );
    }
}

/// What is registered is found by a request, also where the registry is asked itself.
pub async fn a_registry_satisfies_the_hooks<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    let hooks = FromRegistry::new(store);
    let found = hooks.client(&id("a")).await.expect("the store answers");
    assert!(found.is_some_and(|client| client.metadata().enabled));
    let found = hooks.subject(&subject_id("b")).await;
    assert!(found.expect("the store answers").is_some());
    let found = hooks.permissions_of(&id("a"), &subject_id("b")).await;
    assert!(found.expect("the store answers").operator().is_some());
    let found = hooks.permissions_of(&id("b"), &subject_id("a")).await;
    assert!(found.expect("the store answers").is_empty());
}
