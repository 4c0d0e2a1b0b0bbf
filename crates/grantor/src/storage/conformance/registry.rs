//! The laws of the registries.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use grantor_jose::{Algorithm, JwkError, PrivateJwk, VerificationKey, base64url_encode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{NOW, Two, at, id, subject_id, within_a_second};
use crate::{
    clock::UnixTime,
    registry::{
        Action, Actor, ChangeRecord, Client, ClientKey, ClientMetadata, ClientSecret, Permission,
        Permissions, PresentedSecret, Resource as _, Revision, Subject, Way, Who,
    },
    storage::{
        AnyChange, Change, ChangeFilter, ClientSource, Cursor, FromRegistry, LogPage,
        PermissionSource, Registries, Start, StoreError, SubjectPermissions, SubjectSource,
    },
    types::{AuthMethod, GrantType, Scope},
};

pub use super::person::{
    c005_a_text_of_a_scope_is_kept, c055_a_password_ends_with_its_subject,
    c094_a_password_is_a_subjects, no_digest_is_in_a_record,
};

/// Generates one test for each law of the registries. `registry_suite!(run make)` is a future that
/// tries them one after the other.
#[macro_export]
macro_rules! registry_suite {
    ($make:path) => { $crate::registry_suite!(@tests $make); };
    (run $make:path) => { $crate::registry_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how registry $make:
            a_client_comes_back_as_it_went_in
            a_changed_client_is_seen_on_the_next_read
            a_change_by_one_node_is_seen_by_another
            a_change_that_was_overtaken_changes_nothing
            no_change_is_lost_among_many_at_once
            a_number_is_never_given_again
            names_are_taken_once
            deleting_a_client_takes_its_permissions_along
            deleting_a_subject_takes_its_permissions_along
            permissions_need_both_sides
            operator_and_person_give_apart
            a_permission_that_is_withdrawn_is_gone_at_every_node
            permissions_are_found_by_their_subject
            lists_are_in_order
            nothing_is_changed_unless_everything_is
            pages_hold_everything_once_while_rows_come_and_go
            a_cursor_of_another_list_is_refused
            only_the_expected_state_is_removed
            a_change_is_recorded_with_what_was_and_what_is
            what_goes_along_is_recorded_too
            what_was_not_changed_is_not_recorded
            no_secret_is_in_a_record
            several_kinds_are_changed_at_once
            of_several_kinds_nothing_is_changed_unless_everything_is
            changes_are_found_by_what_they_say
            the_last_changes_are_found_and_then_followed
            a_record_of_changes_that_is_followed_gives_each_once
            a_registry_satisfies_the_hooks
            c005_a_text_of_a_scope_is_kept
            c094_a_password_is_a_subjects
            c055_a_password_ends_with_its_subject
            no_digest_is_in_a_record
        }
    };
}

/// A backend with all registries, and the hooks of the request path that they satisfy.
pub trait Hooked:
    Registries + ClientSource + SubjectSource + PermissionSource + SubjectPermissions
{
}

impl<T> Hooked for T where
    T: Registries + ClientSource + SubjectSource + PermissionSource + SubjectPermissions
{
}

/// The actor of all changes here.
pub(super) fn by() -> Actor {
    Actor::program("laws")
}

pub(super) fn subject(text: &str) -> Subject {
    Subject::new(subject_id(text)).registered_at(NOW)
}

fn permission(client: &str, subject: &str) -> Permission {
    let scope = Scope::parse("read").expect("a scope");
    Permission::new(id(client), subject_id(subject), Some(scope)).given_at(NOW)
}

fn public_client(name: &str) -> Client {
    Client::new(
        ClientMetadata::new(id(name), AuthMethod::NONE, NOW),
        Vec::new(),
        Vec::new(),
    )
    .expect("a client")
}

/// A key as another program might have written it into a database.
const UNUSABLE: &str = r#"{ "kty": "RSA", "kid": "no n" }"#;

/// A client with one of everything.
fn full_client(name: &str) -> Client {
    let key = PrivateJwk::generate(Algorithm::Es256)
        .expect("a key")
        .public();
    let expiry = Some(UnixTime::from_millis(NOW.millis() + 5));
    let key = ClientKey::new(VerificationKey::from_jwk(key).expect("a key"), expiry);
    let readable =
        ClientSecret::readable(Zeroizing::new("s".repeat(64)), expiry).expect("a secret");
    let mut metadata = ClientMetadata::new(id(name), AuthMethod::CLIENT_SECRET_JWT, NOW);
    metadata.scope = Scope::parse("read write").expect("a scope");
    metadata.signing_algorithm = Some(Algorithm::Hs384);
    metadata.grant_types = vec![
        GrantType::CLIENT_CREDENTIALS,
        GrantType::from_static("urn:example:own"),
    ];
    let unusable = ClientKey::from_stored(UNUSABLE, None);
    Client::new(
        metadata,
        vec![key, unusable],
        vec![readable, ClientSecret::digest("other", None)],
    )
    .expect("a client")
}

fn disabled(client: &Client) -> Client {
    let mut metadata = client.metadata().clone();
    metadata.enabled = false;
    client
        .changed(metadata, client.keys().to_vec(), client.secrets().to_vec())
        .expect("a client")
}

async fn read(store: &impl Hooked, name: &str) -> Option<Arc<Client>> {
    store.client(&id(name)).await.expect("the store answers")
}

pub(super) fn is_missing<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Missing(_)))
}

pub(super) fn is_conflict<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

pub(super) fn exists<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Exists(_)))
}

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

/// Only what is still as it was read is replaced: not after another change, and not where a later
/// registration has the name.
pub async fn a_change_that_was_overtaken_changes_nothing<S: Hooked>([store, _]: Two<S>) {
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    store
        .subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    let stale = read(&*store, "a").await.expect("the client");
    assert!(
        is_conflict(
            store
                .clients()
                .replace(disabled(&public_client("a")), &by())
                .await
        ),
        "a client that nobody has read"
    );
    store
        .clients()
        .replace(
            stale
                .changed(stale.metadata().clone(), vec![], vec![])
                .expect("a client"),
            &by(),
        )
        .await
        .expect("updated");
    assert!(is_conflict(
        store.clients().replace(disabled(&stale), &by()).await
    ));
    assert!(
        read(&*store, "a")
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
    assert!(is_missing(
        store.clients().replace(disabled(&stale), &by()).await
    ));
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    assert!(
        is_conflict(store.clients().replace(disabled(&stale), &by()).await),
        "the version is the same, the client another"
    );
    assert!(
        read(&*store, "a")
            .await
            .expect("the client")
            .metadata()
            .enabled
    );

    let stale = store
        .subject(&subject_id("b"))
        .await
        .expect("the store answers")
        .expect("the subject");
    store
        .subjects()
        .replace(stale.clone(), &by())
        .await
        .expect("updated");
    assert!(is_conflict(
        store
            .subjects()
            .replace(
                Subject {
                    enabled: false,
                    ..stale
                },
                &by()
            )
            .await
    ));
    assert!(
        store
            .subject(&subject_id("b"))
            .await
            .expect("the store answers")
            .expect("the subject")
            .enabled
    );
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

async fn store_with_permission<S: Hooked>(store: &S) {
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    store
        .subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    store
        .permissions()
        .create(permission("a", "b"), &by())
        .await
        .expect("created");
    let found = permissions(store, "a", "b").await;
    let found = found.operator().expect("the permission");
    assert!(found.revision.number > 0);
    assert_eq!(as_given(found), permission("a", "b"));
}

/// What client and subject of these names have.
async fn permissions<S: Hooked>(store: &S, client: &str, subject: &str) -> Permissions {
    let found = store
        .permissions_of(&id(client), &subject_id(subject))
        .await;
    found.expect("the store answers")
}

/// A permission as it was before it was registered.
fn as_given(permission: &Permission) -> Permission {
    Permission {
        revision: Revision::default(),
        ..permission.clone()
    }
}

/// One with everything that a person may say.
fn consent(client: &str, subject: &str) -> Permission {
    let scope = Scope::parse("read write").expect("a scope");
    let grants = vec![
        GrantType::from_static("urn:example:own"),
        GrantType::JWT_BEARER,
    ];
    Permission::consented(id(client), subject_id(subject), scope, grants)
        .given_at(NOW)
        .until(Some(at(60)))
        .with_text_version("1")
}

/// A later client of the same name inherits nothing.
pub async fn deleting_a_client_takes_its_permissions_along<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    store
        .clients()
        .delete(&id("a"), &by())
        .await
        .expect("deleted");
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    assert!(permissions(&*store, "a", "b").await.is_empty());
}

/// A later subject of the same name is open to nobody.
pub async fn deleting_a_subject_takes_its_permissions_along<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    store
        .subjects()
        .change(&subject_id("b"), &by(), |subject: &Subject| {
            Ok::<_, StoreError>(subject.clone().disabled())
        })
        .await
        .expect("updated");
    let found = store
        .subject(&subject_id("b"))
        .await
        .expect("the store answers")
        .expect("the subject");
    assert!(!found.enabled && found.created_at == Some(NOW));
    store
        .subjects()
        .delete(&subject_id("b"), &by())
        .await
        .expect("deleted");
    assert!(is_missing(
        store.subjects().replace(subject("b"), &by()).await
    ));
    store
        .subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    assert!(permissions(&*store, "a", "b").await.is_empty());
}

/// A permission joins two that exist, once.
pub async fn permissions_need_both_sides<S: Hooked>([store, _]: Two<S>) {
    assert!(is_missing(
        store
            .permissions()
            .create(permission("a", "b"), &by())
            .await
    ));
    store
        .clients()
        .create(public_client("a"), &by())
        .await
        .expect("created");
    assert!(is_missing(
        store
            .permissions()
            .create(permission("a", "b"), &by())
            .await
    ));
    store
        .subjects()
        .create(subject("b"), &by())
        .await
        .expect("created");
    store
        .permissions()
        .create(permission("a", "b"), &by())
        .await
        .expect("created");
    assert!(exists(
        store
            .permissions()
            .create(permission("a", "b"), &by())
            .await
    ));
    store
        .permissions()
        .delete(&permission("a", "b").id(), &by())
        .await
        .expect("deleted");
    assert!(permissions(&*store, "a", "b").await.is_empty());
    assert!(is_missing(
        store
            .permissions()
            .delete(&permission("a", "b").id(), &by())
            .await
    ));
}

/// Each record is given, changed and withdrawn by itself, and comes back as it went in.
pub async fn operator_and_person_give_apart<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    let operators = permission("a", "b");
    let given = store.permissions().create(consent("a", "b"), &by()).await;
    let given = given.expect("created");
    assert_eq!(as_given(&given), consent("a", "b"));
    assert!(exists(
        store.permissions().create(consent("a", "b"), &by()).await
    ));
    let both = permissions(&*store, "a", "b").await;
    let (operator, person) = both.operator().zip(both.person()).expect("both");
    assert_eq!(as_given(operator), operators);
    assert_eq!(person, &given);
    assert_ne!(operator.revision.number, person.revision.number);
    let listed = store.permissions().all().await.expect("a list");
    assert_eq!(listed, [operator.clone(), person.clone()]);
    let page = store.permissions().page(None, 1).await.expect("a page");
    let rest = store.permissions().page(page.next.as_ref(), 1).await;
    assert_eq!(rest.expect("a page").items, [person.clone()]);

    let wider = |permission: &Permission| {
        let scope = Scope::parse("other read write").ok();
        let permission = Permission {
            scope,
            ..permission.clone()
        };
        Ok::<_, StoreError>(
            permission
                .by_grants(vec![GrantType::JWT_BEARER])
                .given_at(at(1))
                .until(None)
                .with_text_version("2"),
        )
    };
    let changed = store.permissions().change(&given.id(), &by(), wider).await;
    let changed = changed.expect("changed");
    let wider = wider(&consent("a", "b")).expect("a permission");
    assert_eq!(as_given(&changed), wider);
    assert_eq!(changed.revision, given.revision.next());
    let both = permissions(&*store, "a", "b").await;
    assert_eq!(both.person(), Some(&changed));
    assert_eq!(both.operator().map(|one| as_given(one)), Some(operators));

    let withdrawn = store.permissions().delete(&given.id(), &by()).await;
    withdrawn.expect("deleted");
    let rest = permissions(&*store, "a", "b").await;
    assert!(rest.person().is_none() && rest.operator().is_some());
    store
        .permissions()
        .create(consent("a", "b"), &by())
        .await
        .expect("created");
    let operators = permission("a", "b").id();
    let withdrawn = store.permissions().delete(&operators, &by()).await;
    withdrawn.expect("deleted");
    let rest = permissions(&*store, "a", "b").await;
    assert!(rest.operator().is_none());
    let again = rest.person().expect("the person's");
    assert!(again.revision.number > given.revision.number);
}

/// Also where the other record stays in force.
pub async fn a_permission_that_is_withdrawn_is_gone_at_every_node<S: Hooked>(
    [here, there]: Two<S>,
) {
    store_with_permission(&*here).await;
    here.permissions()
        .create(consent("a", "b"), &by())
        .await
        .expect("created");
    within_a_second("given", async || {
        permissions(&*there, "a", "b").await.person().is_some()
    })
    .await;
    let withdrawn = here
        .permissions()
        .delete(&consent("a", "b").id(), &by())
        .await;
    withdrawn.expect("deleted");
    let rest = permissions(&*here, "a", "b").await;
    assert!(rest.person().is_none() && rest.operator().is_some());
    within_a_second("withdrawn", async || {
        let rest = permissions(&*there, "a", "b").await;
        rest.person().is_none() && rest.operator().is_some()
    })
    .await;
}

/// Those of everybody else are left out.
pub async fn permissions_are_found_by_their_subject<S: Hooked>([here, there]: Two<S>) {
    store_with_permission(&*here).await;
    here.clients()
        .create(public_client("c"), &by())
        .await
        .expect("created");
    here.subjects()
        .create(subject("d"), &by())
        .await
        .expect("created");
    for given in [
        consent("a", "b"),
        permission("c", "b"),
        permission("a", "d"),
    ] {
        let created = here.permissions().create(given, &by()).await;
        created.expect("created");
    }
    let expected = [
        permission("a", "b"),
        consent("a", "b"),
        permission("c", "b"),
    ];
    for store in [here, there] {
        let found = store.permissions_for(&subject_id("b")).await;
        let found: Vec<_> = found
            .expect("a list")
            .iter()
            .map(|one| as_given(one))
            .collect();
        assert_eq!(found, expected);
        let nobody = store.permissions_for(&subject_id("nobody")).await;
        assert!(nobody.expect("a list").is_empty());
    }
}

/// Lists are sorted by name, octet by octet.
pub async fn lists_are_in_order<S: Hooked>([store, _]: Two<S>) {
    for name in ["b", "a", "C"] {
        store
            .clients()
            .create(public_client(name), &by())
            .await
            .expect("created");
        store
            .subjects()
            .create(subject(&format!("s-{name}")), &by())
            .await
            .expect("created");
        store
            .permissions()
            .create(permission(name, &format!("s-{name}")), &by())
            .await
            .expect("created");
    }
    let clients = store.clients().all().await.expect("a list");
    assert_eq!(
        clients
            .iter()
            .map(|client| client.id().as_str())
            .collect::<Vec<_>>(),
        ["C", "a", "b"]
    );
    let subjects = store.subjects().all().await.expect("a list");
    assert_eq!(
        subjects
            .iter()
            .map(|subject| subject.id.as_str())
            .collect::<Vec<_>>(),
        ["s-C", "s-a", "s-b"]
    );
    let permissions = store.permissions().all().await.expect("a list");
    assert_eq!(
        permissions
            .iter()
            .map(|one| one.client.as_str())
            .collect::<Vec<_>>(),
        ["C", "a", "b"]
    );
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

/// What is there from the first page to the last is on one page, whatever comes and goes meanwhile.
pub async fn pages_hold_everything_once_while_rows_come_and_go<S: Hooked>([one, two]: Two<S>) {
    for name in ["b", "d", "f", "h", "j"] {
        let created = one.clients().create(public_client(name), &by()).await;
        created.expect("created");
    }
    let (mut seen, mut after) = (Vec::new(), None);
    for passing in ["a", "e", "i", "k"] {
        let page = two.clients().page(after.as_ref(), 2).await;
        let page = page.expect("a page");
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|client| client.id().to_string()));
        let created = one.clients().create(public_client(passing), &by()).await;
        created.expect("created");
        if let Some(first) = page.items.first() {
            let passed = one.clients().delete(first.id(), &by()).await;
            passed.expect("deleted behind the reader");
        }
        let Some(next) = page.next else { break };
        after = Some(Cursor::from_text(next.to_string()));
    }
    let stayed: Vec<_> = seen.iter().filter(|name| "bdfhj".contains(*name)).collect();
    assert_eq!(stayed, ["b", "d", "f", "h", "j"], "{seen:?}");
    let last = one.clients().page(None, 100).await.expect("a page");
    assert!(last.next.is_none() && !last.items.is_empty());
}

/// A text that no list has handed out is no place in it.
pub async fn a_cursor_of_another_list_is_refused<S: Hooked>([store, _]: Two<S>) {
    for text in ["", "?", "%00", "W10"] {
        let cursor = Cursor::from_text(text);
        let page = store.permissions().page(Some(&cursor), 1).await;
        assert!(matches!(page, Err(StoreError::Cursor)), "{text:?}");
        let start = Start::After(cursor);
        let all = ChangeFilter::default();
        let page = store.changes().page(&all, start, 1).await;
        assert!(matches!(page, Err(StoreError::Cursor)), "{text:?}");
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

/// The changes from there on that pass, page by page, and the place behind them.
async fn changes_from(
    store: &impl Registries,
    filter: &ChangeFilter,
    mut start: Start,
) -> (Vec<ChangeRecord>, Cursor) {
    let mut records = Vec::new();
    loop {
        let page = store.changes().page(filter, start, 2).await;
        let LogPage { entries, next } = page.expect("a page");
        if entries.is_empty() {
            return (records, next);
        }
        for entry in &entries {
            records.push(ChangeRecord::read(&entry.document).expect("a record"));
        }
        start = Start::After(next);
    }
}

pub(super) async fn records(store: &impl Registries) -> Vec<ChangeRecord> {
    let all = ChangeFilter::default();
    changes_from(store, &all, Start::Oldest).await.0
}

/// Law 14: who, by which way, why, what, before and after.
pub async fn a_change_is_recorded_with_what_was_and_what_is<S: Hooked>([one, two]: Two<S>) {
    let actor = Actor::new(Who::Operator(subject_id("anna")), Way::Console)
        .because("a test")
        .from_address([192, 0, 2, 1].into())
        .in_request("request-1");
    let clients = one.clients();
    let created = clients.create(public_client("a"), &actor).await;
    let created = created.expect("created");
    let replaced = clients.replace(disabled(&created), &by()).await;
    let replaced = replaced.expect("replaced");
    clients.delete(&id("a"), &by()).await.expect("deleted");
    let records = records(&*two).await;
    let [create, replace, delete] = <&[_; 3]>::try_from(&records[..]).expect("three records");
    assert_eq!(create.actor, actor);
    assert_eq!(replace.actor, by());
    assert!(create.id > 0 && create.id < replace.id && replace.id < delete.id);
    for (record, action, before, after) in [
        (create, Action::Create, None, Some(&created)),
        (replace, Action::Replace, Some(&created), Some(&replaced)),
        (delete, Action::Delete, Some(&replaced), None),
    ] {
        let document = |client: Option<&Arc<Client>>| client.map(|client| client.document());
        assert_eq!((&*record.resource, &*record.name), ("client", "a"));
        assert_eq!(record.action, action);
        assert_eq!(record.before, document(before), "{action:?}");
        assert_eq!(record.after, document(after), "{action:?}");
    }
    let after = replace.after.as_ref().expect("a document");
    assert_eq!(
        (&after["enabled"], &after["id"]),
        (&json!(false), &json!("a"))
    );
}

/// A permission that ends with its client or subject is a change of its own.
pub async fn what_goes_along_is_recorded_too<S: Hooked>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    let before = records(&*store).await.len();
    let deleted = store.subjects().delete(&subject_id("b"), &by()).await;
    deleted.expect("deleted");
    let records = records(&*store).await;
    let told: Vec<_> = records[before..]
        .iter()
        .map(|record| (&*record.resource, &*record.name, record.action))
        .collect();
    assert_eq!(
        told,
        [
            ("permission", r#"["a","b"]"#, Action::Delete),
            ("subject", "b", Action::Delete)
        ]
    );
    let permission = records[before].before.as_ref().expect("a document");
    assert_eq!(permission["scope"], "read");
}

/// Nothing is said of what was refused.
pub async fn what_was_not_changed_is_not_recorded<S: Hooked>([store, _]: Two<S>) {
    let twice = vec![Change::Create(public_client("a")); 2];
    assert!(exists(store.clients().apply(twice, &by()).await));
    assert!(is_missing(store.clients().delete(&id("a"), &by()).await));
    assert_eq!(records(&*store).await, []);
}

/// A secret is told by the beginning of its digest, the same whichever way it is kept.
pub async fn no_secret_is_in_a_record<S: Hooked>([store, _]: Two<S>) {
    let client = full_client("a");
    let key = client.keys()[0].to_stored().into_owned();
    let created = store.clients().create(client, &by()).await;
    created.expect("created");
    store
        .clients()
        .delete(&id("a"), &by())
        .await
        .expect("deleted");
    let records = records(&*store).await;
    let text = serde_json::to_string(&records).expect("JSON");
    let secret = "s".repeat(64);
    let digest = ClientSecret::digest(&secret, None);
    let octets = digest.stored_digest().expect("a digest");
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let x = serde_json::from_str::<Value>(&key).expect("a JWK")["x"].to_string();
    for secret in [&*secret, &*hex, &*base64url_encode(octets), &*x] {
        assert!(!text.contains(secret), "{secret}");
    }
    let document = records[0].after.as_ref().expect("a document");
    let [readable, other] = <&[_; 2]>::try_from(&document["secrets"].as_array().expect("two")[..])
        .expect("two secrets");
    assert_eq!(readable["fingerprint"], format!("sha256:{}", &hex[..8]));
    assert_eq!(readable["fingerprint"], digest.fingerprint());
    assert_ne!(readable["fingerprint"], other["fingerprint"]);
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
            assert_eq!(subjects, [current.clone()], "{what}");
        }
    }
    let made = one.apply_all(batch(enabled(&current).into()), &by()).await;
    let made = made.expect("it is what was read");
    assert_eq!(made, records(&*two).await[before.len()..]);
    assert_eq!(made.len(), 6, "the permission went along");
}

/// Each member of the filter, and two at once.
pub async fn changes_are_found_by_what_they_say<S: Hooked>([one, other]: Two<S>) {
    let anna = Actor::new(Who::Operator(subject_id("anna")), Way::Console);
    let created = one.clients().create(public_client("a"), &anna).await;
    created.expect("created");
    let created = one.subjects().create(subject("b"), &by()).await;
    created.expect("created");
    let deleted = one.clients().delete(&id("a"), &by()).await;
    deleted.expect("deleted");
    let all = records(&*other).await;
    let found = async |set: fn(&mut ChangeFilter)| {
        let mut filter = ChangeFilter::default();
        set(&mut filter);
        let (found, _) = changes_from(&*other, &filter, Start::Oldest).await;
        found
            .iter()
            .map(|one| one.id - all[0].id)
            .collect::<Vec<_>>()
    };
    let by_anna = |filter: &mut ChangeFilter| filter.actor = Some("operator anna".to_owned());
    assert_eq!(found(by_anna).await, [0]);
    let by_laws = |filter: &mut ChangeFilter| filter.actor = Some("program laws".to_owned());
    assert_eq!(found(by_laws).await, [1, 2]);
    let of_clients = |filter: &mut ChangeFilter| filter.resource = Some("client".to_owned());
    assert_eq!(found(of_clients).await, [0, 2]);
    let of_b = |filter: &mut ChangeFilter| filter.name = Some("b".to_owned());
    assert_eq!(found(of_b).await, [1]);
    let both = |filter: &mut ChangeFilter| {
        filter.actor = Some("program laws".to_owned());
        filter.name = Some("a".to_owned());
    };
    assert_eq!(found(both).await, [2]);
    let none = |filter: &mut ChangeFilter| filter.name = Some("A".to_owned());
    assert!(found(none).await.is_empty());
    for (since, count) in [
        (all[0].at, 3),
        (all[2].at.plus(Duration::from_millis(1)), 0),
    ] {
        let mut filter = ChangeFilter::default();
        filter.since = Some(since);
        let (found, _) = changes_from(&*other, &filter, Start::Oldest).await;
        assert_eq!(found.len(), count);
    }
}

/// The newest so many that pass the filter, or only what comes from now on.
pub async fn the_last_changes_are_found_and_then_followed<S: Hooked>([one, other]: Two<S>) {
    let mut of_clients = ChangeFilter::default();
    of_clients.resource = Some("client".to_owned());
    for name in ["a", "b", "c"] {
        let created = one.clients().create(public_client(name), &by()).await;
        created.expect("created");
        let subject = subject(&format!("s-{name}"));
        let created = one.subjects().create(subject, &by()).await;
        created.expect("created");
    }
    let names = |records: &[ChangeRecord]| {
        let names = records.iter().map(|record| record.name.clone());
        names.collect::<Vec<_>>()
    };
    let (last, next) = changes_from(&*other, &of_clients, Start::Last(2)).await;
    assert_eq!(names(&last), ["b", "c"]);
    let (none, end) = changes_from(&*other, &of_clients, Start::Last(0)).await;
    assert_eq!((none.len(), &end), (0, &next));
    let created = one.clients().create(public_client("late"), &by()).await;
    created.expect("created");
    let next = Cursor::from_text(next.to_string());
    let (late, _) = changes_from(&*other, &of_clients, Start::After(next)).await;
    assert_eq!(names(&late), ["late"]);
}

/// Two handles change at the same time; the one that follows reads neither too little nor twice.
pub async fn a_record_of_changes_that_is_followed_gives_each_once<S: Hooked>([one, other]: Two<S>) {
    const EACH: usize = 40;
    let registering = |store: Arc<S>, which: &'static str| {
        tokio::spawn(async move {
            for number in 0..EACH {
                let client = public_client(&format!("{which} {number}"));
                let created = store.clients().create(client, &by()).await;
                created.expect("created");
            }
        })
    };
    let all = ChangeFilter::default();
    let (_, mut next) = changes_from(&*one, &all, Start::Last(0)).await;
    let tasks = [registering(one.clone(), "one"), registering(other, "other")];
    let mut seen = Vec::new();
    loop {
        // First: what was changed before is on the pages that follow.
        let is_done = tasks.iter().all(tokio::task::JoinHandle::is_finished);
        let (records, then) = changes_from(&*one, &all, Start::After(next)).await;
        next = then;
        seen.extend(records.into_iter().map(|record| record.name));
        if is_done {
            break;
        }
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    assert_eq!(seen.len(), 2 * EACH);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 2 * EACH);
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
