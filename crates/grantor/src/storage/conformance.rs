//! The laws of storage, written once, run by every backend: `grantor::store_suite!(make)`, where
//! `make` is an async function answering an empty store in an `Arc`, and a guard that is dropped
//! after the test (a temporary directory, or nothing).

use std::sync::Arc;

use grantor_jose::{Algorithm, JwkError, PrivateJwk, VerificationKey};
use zeroize::Zeroizing;

use super::{
    Claim, ClientRegistry, DEFAULT_REPLAY_QUOTA, OpaqueToken, PermissionRegistry, Put, ReplayKey,
    Revocation, Store, StoreError, SubjectRegistry, TokenDigest, TokenOrigin, TokenStore,
    client_change, subject_change,
};
use crate::{
    clock::UnixTime,
    registry::{
        Client, ClientKey, ClientMetadata, ClientSecret, Permission, PresentedSecret, Revision,
        Subject,
    },
    types::{AuthMethod, ClientId, GrantType, Scope, SubjectId},
};

/// A backend with all its halves.
pub trait Registry: Store + ClientRegistry + SubjectRegistry + PermissionRegistry {}

impl<T: Store + ClientRegistry + SubjectRegistry + PermissionRegistry> Registry for T {}

/// Generates one test for each law, against a new store from `$make().await`.
#[macro_export]
macro_rules! store_suite {
    ($make:path) => {
        $crate::store_suite!(@tests $make:
            a_client_comes_back_as_it_went_in
            a_changed_client_is_seen_on_the_next_read
            a_change_that_was_overtaken_changes_nothing
            no_change_is_lost_among_many_at_once
            a_number_is_never_given_again
            names_are_taken_once
            deleting_a_client_takes_its_permissions_along
            deleting_a_subject_takes_its_permissions_along
            permissions_need_both_sides
            lists_are_in_order
            one_of_many_concurrent_claims_wins
            a_claim_ends_when_it_says
            claims_are_kept_apart_by_issuer
            an_issuer_over_its_quota_claims_nothing
            opaque_tokens_are_found_by_digest
            a_revoked_token_stays_revoked
            a_client_over_its_quota_keeps_no_more_tokens
            a_client_over_its_quota_keeps_no_more_revocations
            no_use_is_fresh_that_may_have_been_forgotten
        );
    };
    (@tests $make:path: $($law:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let (store, _guard) = $make().await;
                $crate::storage::conformance::$law(store).await;
            }
        )*
    };
}

/// The time at which the laws are tried: a backend that has a clock gets one that says so.
pub const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const QUOTA: u64 = DEFAULT_REPLAY_QUOTA;

fn id(text: &str) -> ClientId {
    ClientId::parse(text).expect("a client id")
}

fn subject_id(text: &str) -> SubjectId {
    SubjectId::parse(text).expect("a subject id")
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

async fn read(store: &impl Registry, name: &str) -> Option<Arc<Client>> {
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
pub async fn a_client_comes_back_as_it_went_in<S: Registry>(store: Arc<S>) {
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
pub async fn a_changed_client_is_seen_on_the_next_read<S: Registry>(store: Arc<S>) {
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

/// Only what is still as it was read is replaced: not after another change, and not where a later
/// registration has the name.
pub async fn a_change_that_was_overtaken_changes_nothing<S: Registry>(store: Arc<S>) {
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
pub async fn no_change_is_lost_among_many_at_once<S: Registry>(store: Arc<S>) {
    store
        .client_create(public_client("a"))
        .await
        .expect("created");
    let tasks = (0..8).map(|number| {
        let store = store.clone();
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
    let client = read(&*store, "a").await.expect("the client");
    assert_eq!(
        client.metadata().scope.tokens().count(),
        8,
        "{}",
        client.metadata().scope
    );
    assert_eq!(client.revision().version, 9);
}

/// A later registration of the same name is another one.
pub async fn a_number_is_never_given_again<S: Registry>(store: Arc<S>) {
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
pub async fn names_are_taken_once<S: Registry>(store: Arc<S>) {
    store
        .client_create(public_client("a"))
        .await
        .expect("created");
    store.subject_create(subject("b")).await.expect("created");
    assert!(exists(store.client_create(public_client("a")).await));
    assert!(exists(store.client_create(public_client("b")).await));
    assert!(exists(store.subject_create(subject("a")).await));
    assert!(exists(store.subject_create(subject("b")).await));
}

async fn store_with_permission<S: Registry>(store: &S) {
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
pub async fn deleting_a_client_takes_its_permissions_along<S: Registry>(store: Arc<S>) {
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
pub async fn deleting_a_subject_takes_its_permissions_along<S: Registry>(store: Arc<S>) {
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
pub async fn permissions_need_both_sides<S: Registry>(store: Arc<S>) {
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
pub async fn lists_are_in_order<S: Registry>(store: Arc<S>) {
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

/// Law 3: one atomic insert-if-absent.
pub async fn one_of_many_concurrent_claims_wins<S: Registry>(store: Arc<S>) {
    let until = UnixTime::from_millis(NOW.millis() + 60_000);
    for round in 0..8 {
        let key = ReplayKey::new("issuer", &format!("jti {round}"));
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    store
                        .claim(key, until, NOW, QUOTA)
                        .await
                        .expect("the store answers")
                })
            })
            .collect();
        let mut fresh = 0;
        for task in tasks {
            fresh += usize::from(task.await.expect("no panic") == Claim::Fresh);
        }
        assert_eq!(fresh, 1);
    }
}

/// Up to and including its end a claim stands; after that the same jti may come again.
pub async fn a_claim_ends_when_it_says<S: Registry>(store: Arc<S>) {
    let at = |offset: i64| UnixTime::from_millis(NOW.millis() + offset);
    let key = ReplayKey::new("issuer", "jti");
    assert!(
        !store
            .is_claimed(key, at(0))
            .await
            .expect("the store answers")
    );
    assert_eq!(
        store
            .claim(key, at(1000), at(0), QUOTA)
            .await
            .expect("the store answers"),
        Claim::Fresh
    );
    assert!(
        store
            .is_claimed(key, at(1000))
            .await
            .expect("the store answers")
    );
    assert!(
        !store
            .is_claimed(key, at(1001))
            .await
            .expect("the store answers")
    );
    assert_eq!(
        store
            .claim(key, at(1000), at(1000), QUOTA)
            .await
            .expect("the store answers"),
        Claim::Replayed
    );
    assert_eq!(
        store
            .claim(key, at(2000), at(1001), QUOTA)
            .await
            .expect("the store answers"),
        Claim::Fresh
    );
    assert_eq!(
        store
            .claim(key, at(3000), at(2000), QUOTA)
            .await
            .expect("the store answers"),
        Claim::Replayed
    );
}

/// The same jti by two issuers is two things (RFC 7519 §4.1.7), and case matters.
pub async fn claims_are_kept_apart_by_issuer<S: Registry>(store: Arc<S>) {
    let until = UnixTime::from_millis(NOW.millis() + 60_000);
    for (issuer, jti) in [("a", "x"), ("b", "x"), ("a", "X"), ("ax", ""), ("", "ax")] {
        let claim = store
            .claim(ReplayKey::new(issuer, jti), until, NOW, QUOTA)
            .await;
        assert_eq!(claim.expect("the store answers"), Claim::Fresh);
    }
}

/// One issuer cannot fill the store: others still claim, its own claims still stand, and it claims
/// again when some have ended.
pub async fn an_issuer_over_its_quota_claims_nothing<S: Registry>(store: Arc<S>) {
    let at = |seconds: i64| UnixTime::from_millis(NOW.millis() + seconds * 1000);
    let claim = async |issuer: &str, jti: &str, until, now| {
        store
            .claim(ReplayKey::new(issuer, jti), at(until), at(now), 3)
            .await
            .expect("the store answers")
    };
    for jti in ["1", "2", "3"] {
        assert_eq!(claim("a", jti, 60, 0).await, Claim::Fresh);
    }
    assert_eq!(claim("a", "4", 60, 0).await, Claim::OverQuota);
    assert!(
        !store
            .is_claimed(ReplayKey::new("a", "4"), at(0))
            .await
            .expect("the store answers")
    );
    assert_eq!(claim("a", "3", 60, 0).await, Claim::Replayed);
    assert_eq!(claim("b", "4", 60, 0).await, Claim::Fresh);
    assert_eq!(claim("a", "4", 120, 61).await, Claim::Fresh);
}

/// What is recorded about a token is found again.
pub async fn opaque_tokens_are_found_by_digest<S: Registry>(store: Arc<S>) {
    let token = OpaqueToken {
        client: id("a"),
        subject: subject_id("b"),
        scope: Scope::parse("read").expect("a scope"),
        audience: "https://api.example".to_owned(),
        issued_at: NOW,
        expires_at: UnixTime::from_millis(NOW.millis() + 3_600_000),
        origin: Some(TokenOrigin {
            client: 1,
            subject: Some(2),
            permission: None,
        }),
    };
    let put = store
        .token_create(TokenDigest::of("t"), token.clone(), QUOTA)
        .await
        .expect("created");
    assert_eq!(put, Put::Kept);
    assert_eq!(
        TokenStore::token(&*store, &TokenDigest::of("t"))
            .await
            .expect("the store answers"),
        Some(token)
    );
    assert_eq!(
        TokenStore::token(&*store, &TokenDigest::of("u"))
            .await
            .expect("the store answers"),
        None
    );
}

/// Revoking is remembered, for the one token, and may be repeated.
pub async fn a_revoked_token_stays_revoked<S: Registry>(store: Arc<S>) {
    let until = UnixTime::from_millis(NOW.millis() + 60_000);
    let revocation = Revocation {
        client: 1,
        at: NOW,
        until,
    };
    assert!(
        !store
            .token_is_revoked(&TokenDigest::of("t"), NOW)
            .await
            .expect("the store answers")
    );
    for _ in 0..2 {
        let put = store
            .token_revoke(TokenDigest::of("t"), revocation, QUOTA)
            .await
            .expect("revoked");
        assert_eq!(put, Put::Kept);
        assert!(
            store
                .token_is_revoked(&TokenDigest::of("t"), NOW)
                .await
                .expect("the store answers")
        );
    }
    assert!(
        !store
            .token_is_revoked(&TokenDigest::of("u"), NOW)
            .await
            .expect("the store answers")
    );
}

/// One client cannot fill the store with tokens: others still get theirs, and it gets more when
/// some have ended.
pub async fn a_client_over_its_quota_keeps_no_more_tokens<S: Registry>(store: Arc<S>) {
    let at = |seconds: i64| UnixTime::from_millis(NOW.millis() + seconds * 1000);
    let create = async |client: u64, name: &str, now| {
        let token = OpaqueToken {
            client: id("a"),
            subject: subject_id("b"),
            scope: Scope::default(),
            audience: "https://api.example".to_owned(),
            issued_at: at(now),
            expires_at: at(now + 60),
            origin: Some(TokenOrigin {
                client,
                subject: None,
                permission: None,
            }),
        };
        store
            .token_create(TokenDigest::of(name), token, 3)
            .await
            .expect("the store answers")
    };
    for name in ["1", "2", "3"] {
        assert_eq!(create(1, name, 0).await, Put::Kept);
    }
    assert_eq!(create(1, "4", 0).await, Put::OverQuota);
    assert_eq!(
        TokenStore::token(&*store, &TokenDigest::of("4"))
            .await
            .expect("the store answers"),
        None
    );
    assert_eq!(create(2, "5", 0).await, Put::Kept);
}

/// Nor with revocations.
pub async fn a_client_over_its_quota_keeps_no_more_revocations<S: Registry>(store: Arc<S>) {
    let until = UnixTime::from_millis(NOW.millis() + 60_000);
    let revoke = async |client, name: &str| {
        let revocation = Revocation {
            client,
            at: NOW,
            until,
        };
        store
            .token_revoke(TokenDigest::of(name), revocation, 3)
            .await
            .expect("the store answers")
    };
    for name in ["1", "2", "3"] {
        assert_eq!(revoke(1, name).await, Put::Kept);
    }
    assert_eq!(revoke(1, "4").await, Put::OverQuota);
    assert!(
        !store
            .token_is_revoked(&TokenDigest::of("4"), NOW)
            .await
            .expect("the store answers")
    );
    assert_eq!(revoke(2, "5").await, Put::Kept);
}

/// A clock that was two hours ahead for a moment does not let a used assertion in again, also where
/// what has ended is forgotten then.
pub async fn no_use_is_fresh_that_may_have_been_forgotten<S: Registry>(store: Arc<S>) {
    let at = |seconds: i64| UnixTime::from_millis(NOW.millis() + seconds * 1000);
    let claim = async |jti: &str, until, now| {
        store
            .claim(ReplayKey::new("a", jti), at(until), at(now), 3)
            .await
    };
    for jti in ["1", "2", "3"] {
        assert_eq!(
            claim(jti, 60, 0).await.expect("the store answers"),
            Claim::Fresh
        );
    }
    // Over its quota, the issuer is counted anew.
    let _ = claim("4", 7260, 7200).await;
    for jti in ["1", "2", "3"] {
        assert!(
            !matches!(claim(jti, 60, 1).await, Ok(Claim::Fresh)),
            "{jti}"
        );
    }
}
