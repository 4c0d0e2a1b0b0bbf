//! The laws of the registries.

use std::sync::Arc;

use grantor_jose::{Algorithm, JwkError, PrivateJwk, VerificationKey};
use zeroize::Zeroizing;

use super::{NOW, Two, id, subject_id, within_a_second};
use crate::{
    clock::UnixTime,
    registry::{
        Client, ClientKey, ClientMetadata, ClientSecret, Permission, PresentedSecret, Revision,
        Subject,
    },
    storage::{
        ClientRegistry, ClientSource, PermissionRegistry, PermissionSource, StoreError,
        SubjectRegistry, SubjectSource, client_change, subject_change,
    },
    types::{AuthMethod, GrantType, Scope},
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
            lists_are_in_order
        }
    };
}

/// A backend with all registries.
pub trait Registries:
    ClientSource
    + SubjectSource
    + PermissionSource
    + ClientRegistry
    + SubjectRegistry
    + PermissionRegistry
{
}

impl<
    T: ClientSource
        + SubjectSource
        + PermissionSource
        + ClientRegistry
        + SubjectRegistry
        + PermissionRegistry,
> Registries for T
{
}

fn subject(text: &str) -> Subject {
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

async fn read(store: &impl Registries, name: &str) -> Option<Arc<Client>> {
    store.client(&id(name)).await.expect("the store answers")
}

fn is_missing<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Missing(_)))
}

fn is_conflict<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict(_)))
}

fn exists<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Exists(_)))
}

/// Metadata, keys and secrets survive.
pub async fn a_client_comes_back_as_it_went_in<S: Registries>([store, _]: Two<S>) {
    assert!(read(&*store, "ä:1").await.is_none());
    let client = full_client("ä:1");
    let (metadata, jwk) = (client.metadata().clone(), client.keys()[0].jwk().cloned());
    store.client_create(client).await.expect("created");
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
pub async fn a_changed_client_is_seen_on_the_next_read<S: Registries>([store, _]: Two<S>) {
    assert!(is_missing(store.client_update(public_client("a")).await));
    store
        .client_create(public_client("a"))
        .await
        .expect("created");
    let before = read(&*store, "a").await.expect("the client");
    assert!(before.metadata().enabled);
    store
        .client_update(disabled(&before))
        .await
        .expect("updated");
    assert!(
        !read(&*store, "a")
            .await
            .expect("the client")
            .metadata()
            .enabled
    );
    store.client_delete(&id("a")).await.expect("deleted");
    assert!(read(&*store, "a").await.is_none());
    assert!(is_missing(store.client_delete(&id("a")).await));
}

/// Law 4: a request to another node finds what was created, changed and deleted here within a
/// second.
pub async fn a_change_by_one_node_is_seen_by_another<S: Registries>([here, there]: Two<S>) {
    assert!(read(&*there, "a").await.is_none());
    let created = here.client_create(public_client("a")).await;
    created.expect("created");
    within_a_second("created", async || read(&*there, "a").await.is_some()).await;
    let before = read(&*there, "a").await.expect("the client");
    let updated = here.client_update(disabled(&before)).await;
    updated.expect("the version that is read there is in force here");
    within_a_second("disabled", async || {
        let found = read(&*there, "a").await.expect("the client");
        !found.metadata().enabled
    })
    .await;
    here.client_delete(&id("a")).await.expect("deleted");
    within_a_second("deleted", async || read(&*there, "a").await.is_none()).await;
}

/// Only what is still as it was read is replaced: not after another change, and not where a later
/// registration has the name.
pub async fn a_change_that_was_overtaken_changes_nothing<S: Registries>([store, _]: Two<S>) {
    store
        .client_create(public_client("a"))
        .await
        .expect("created");
    store.subject_create(subject("b")).await.expect("created");
    let stale = read(&*store, "a").await.expect("the client");
    assert!(
        is_conflict(store.client_update(disabled(&public_client("a"))).await),
        "a client that nobody has read"
    );
    store
        .client_update(
            stale
                .changed(stale.metadata().clone(), vec![], vec![])
                .expect("a client"),
        )
        .await
        .expect("updated");
    assert!(is_conflict(store.client_update(disabled(&stale)).await));
    assert!(
        read(&*store, "a")
            .await
            .expect("the client")
            .metadata()
            .enabled
    );

    store.client_delete(&id("a")).await.expect("deleted");
    assert!(is_missing(store.client_update(disabled(&stale)).await));
    store
        .client_create(public_client("a"))
        .await
        .expect("created");
    assert!(
        is_conflict(store.client_update(disabled(&stale)).await),
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
    store.subject_update(stale.clone()).await.expect("updated");
    assert!(is_conflict(
        store
            .subject_update(Subject {
                enabled: false,
                ..stale
            })
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

/// Everybody who changes by [`client_change`] finds their own change in force in the end.
pub async fn no_change_is_lost_among_many_at_once<S: Registries>(nodes: Two<S>) {
    let store = &*nodes[0];
    store
        .client_create(public_client("a"))
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
            client_change(&*store, &id("a"), widen)
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
pub async fn a_number_is_never_given_again<S: Registries>([store, _]: Two<S>) {
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
        let permission = store
            .permission(&id("a"), &subject_id("b"))
            .await
            .expect("the store answers");
        seen.push((
            client,
            subject,
            permission.expect("the permission").revision.number,
        ));
        store.client_delete(&id("a")).await.expect("deleted");
        store
            .subject_delete(&subject_id("b"))
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
pub async fn names_are_taken_once<S: Registries>([one, two]: Two<S>) {
    let created = one.client_create(public_client("a")).await;
    created.expect("created");
    two.subject_create(subject("b")).await.expect("created");
    for node in [&one, &two] {
        assert!(exists(node.client_create(public_client("a")).await));
        assert!(exists(node.client_create(public_client("b")).await));
        assert!(exists(node.subject_create(subject("a")).await));
        assert!(exists(node.subject_create(subject("b")).await));
    }
}

async fn store_with_permission<S: Registries>(store: &S) {
    store
        .client_create(public_client("a"))
        .await
        .expect("created");
    store.subject_create(subject("b")).await.expect("created");
    store
        .permission_create(permission("a", "b"))
        .await
        .expect("created");
    let found = store
        .permission(&id("a"), &subject_id("b"))
        .await
        .expect("the store answers");
    let found = found.expect("the permission");
    assert!(found.revision.number > 0);
    assert_eq!(
        Permission {
            revision: Revision::default(),
            ..found
        },
        permission("a", "b")
    );
}

/// A later client of the same name inherits nothing.
pub async fn deleting_a_client_takes_its_permissions_along<S: Registries>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    store.client_delete(&id("a")).await.expect("deleted");
    store
        .client_create(public_client("a"))
        .await
        .expect("created");
    assert_eq!(
        store
            .permission(&id("a"), &subject_id("b"))
            .await
            .expect("the store answers"),
        None
    );
}

/// A later subject of the same name is open to nobody.
pub async fn deleting_a_subject_takes_its_permissions_along<S: Registries>([store, _]: Two<S>) {
    store_with_permission(&*store).await;
    subject_change(&*store, &subject_id("b"), |subject| subject.enabled = false)
        .await
        .expect("updated");
    let found = store
        .subject(&subject_id("b"))
        .await
        .expect("the store answers")
        .expect("the subject");
    assert!(!found.enabled && found.created_at == Some(NOW));
    store
        .subject_delete(&subject_id("b"))
        .await
        .expect("deleted");
    assert!(is_missing(store.subject_update(subject("b")).await));
    store.subject_create(subject("b")).await.expect("created");
    assert_eq!(
        store
            .permission(&id("a"), &subject_id("b"))
            .await
            .expect("the store answers"),
        None
    );
}

/// A permission joins two that exist, once.
pub async fn permissions_need_both_sides<S: Registries>([store, _]: Two<S>) {
    assert!(is_missing(
        store.permission_create(permission("a", "b")).await
    ));
    store
        .client_create(public_client("a"))
        .await
        .expect("created");
    assert!(is_missing(
        store.permission_create(permission("a", "b")).await
    ));
    store.subject_create(subject("b")).await.expect("created");
    store
        .permission_create(permission("a", "b"))
        .await
        .expect("created");
    assert!(exists(store.permission_create(permission("a", "b")).await));
    store
        .permission_delete(&id("a"), &subject_id("b"))
        .await
        .expect("deleted");
    assert_eq!(
        store
            .permission(&id("a"), &subject_id("b"))
            .await
            .expect("the store answers"),
        None
    );
    assert!(is_missing(
        store.permission_delete(&id("a"), &subject_id("b")).await
    ));
}

/// Lists are sorted by name, octet by octet.
pub async fn lists_are_in_order<S: Registries>([store, _]: Two<S>) {
    for name in ["b", "a", "C"] {
        store
            .client_create(public_client(name))
            .await
            .expect("created");
        store
            .subject_create(subject(&format!("s-{name}")))
            .await
            .expect("created");
        store
            .permission_create(permission(name, &format!("s-{name}")))
            .await
            .expect("created");
    }
    let clients = store.client_list().await.expect("a list");
    assert_eq!(
        clients
            .iter()
            .map(|client| client.id().as_str())
            .collect::<Vec<_>>(),
        ["C", "a", "b"]
    );
    let subjects = store.subject_list().await.expect("a list");
    assert_eq!(
        subjects
            .iter()
            .map(|subject| subject.id.as_str())
            .collect::<Vec<_>>(),
        ["s-C", "s-a", "s-b"]
    );
    let permissions = store.permission_list().await.expect("a list");
    assert_eq!(
        permissions
            .iter()
            .map(|one| one.client.as_str())
            .collect::<Vec<_>>(),
        ["C", "a", "b"]
    );
}
