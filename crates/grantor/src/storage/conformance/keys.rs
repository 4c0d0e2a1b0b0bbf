//! The laws of [`KeyStore`].

use std::{collections::BTreeSet, time::Duration};

use grantor_jose::Algorithm;

use super::{Two, within_a_second};
use crate::{
    registry::{Action, Actor, ChangeRecord, Way, Who},
    storage::{ChangeFilter, KeyStore, Log, SigningKeyInfo, Start, StoreError},
    types::SubjectId,
};

/// Generates one test for each law of a [`KeyStore`]. `key_suite!(run make)` is a future that tries
/// them one after the other.
#[macro_export]
macro_rules! key_suite {
    ($make:path) => { $crate::key_suite!(@tests $make); };
    (run $make:path) => { $crate::key_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how keys $make:
            a_new_store_has_one_key_and_it_signs
            a_rotation_is_in_force_here_at_once_and_elsewhere_within_a_second
            a_new_key_is_published_before_it_signs
            a_key_that_is_overtaken_before_it_signs_is_gone
            a_revoked_key_is_gone_and_another_signs
            what_becomes_of_signing_keys_is_recorded_and_no_secret_of_them
        }
    };
}

/// A key store that records its changes.
pub trait Recorded: KeyStore + Log<ChangeRecord> {}

impl<T: KeyStore + Log<ChangeRecord>> Recorded for T {}

const HOUR: Duration = Duration::from_secs(3600);

fn by() -> Actor {
    let anna = SubjectId::parse("anna").expect("a subject id");
    Actor::new(Who::Operator(anna), Way::Console).because("a test")
}

async fn list(store: &impl KeyStore) -> Vec<SigningKeyInfo> {
    store.signing_key_list().await.expect("the store answers")
}

/// Rotates to a key that signs so much later.
async fn rotate(store: &impl KeyStore, ahead: Duration) -> SigningKeyInfo {
    let by = by();
    let rotated = store.signing_key_rotate(Algorithm::Ed25519, ahead, HOUR, &by);
    rotated.await.expect("the store answers")
}

async fn revoke(store: &impl KeyStore, key_id: &str) -> Result<Vec<SigningKeyInfo>, StoreError> {
    let by = by();
    store
        .signing_key_revoke(key_id, Algorithm::Es384, &by)
        .await
}

fn signing(store: &impl KeyStore) -> String {
    let ring = store.key_ring();
    ring.signing().key_id().expect("a kid").to_owned()
}

fn published(store: &impl KeyStore) -> BTreeSet<String> {
    let ring = store.key_ring();
    let ids = ring
        .published()
        .iter()
        .map(|key| key.key_id().map(str::to_owned));
    ids.collect::<Option<_>>().expect("each has a kid")
}

fn ids(keys: &[SigningKeyInfo]) -> Vec<&str> {
    keys.iter().map(|key| &*key.key_id).collect()
}

/// The same one at every node.
pub async fn a_new_store_has_one_key_and_it_signs<S: Recorded>([one, two]: Two<S>) {
    let keys = list(&*one).await;
    let [key] = <&[_; 1]>::try_from(&keys[..]).expect("one key");
    assert!(key.is_signing && key.retires_at.is_none());
    for node in [&*one, &*two] {
        assert_eq!(signing(node), key.key_id);
        assert_eq!(published(node), BTreeSet::from([key.key_id.clone()]));
        assert_eq!(list(node).await, keys);
    }
}

/// The old one is published on: its tokens are.
pub async fn a_rotation_is_in_force_here_at_once_and_elsewhere_within_a_second<S: Recorded>(
    [one, two]: Two<S>,
) {
    let old = signing(&*one);
    let new = rotate(&*one, Duration::ZERO).await;
    assert!(new.is_signing && new.algorithm == Algorithm::Ed25519);
    assert_eq!(signing(&*one), new.key_id);
    let both = BTreeSet::from([old.clone(), new.key_id.clone()]);
    assert_eq!(published(&*one), both);
    within_a_second("rotated", async || signing(&*two) == new.key_id).await;
    assert_eq!(published(&*two), both);
    for node in [&*one, &*two] {
        let keys = list(node).await;
        assert_eq!(ids(&keys), [&new.key_id, &old]);
        assert_eq!(keys[0], new);
        let until = new.signs_from.plus(HOUR);
        assert_eq!(
            (keys[1].retires_at, keys[1].is_signing),
            (Some(until), false)
        );
    }
}

/// So that caches of the key set have it when it does.
pub async fn a_new_key_is_published_before_it_signs<S: Recorded>([one, two]: Two<S>) {
    let old = signing(&*one);
    let new = rotate(&*one, HOUR).await;
    assert_eq!(new.signs_from, new.created_at.plus(HOUR));
    let both = BTreeSet::from([old.clone(), new.key_id.clone()]);
    assert_eq!(published(&*one), both);
    within_a_second("published", async || published(&*two) == both).await;
    for node in [&*one, &*two] {
        assert_eq!(signing(node), old);
        let keys = list(node).await;
        assert_eq!(ids(&keys), [&new.key_id, &old]);
        assert!(!keys[0].is_signing && keys[1].is_signing);
    }
}

/// It would never sign, so nobody need know it.
pub async fn a_key_that_is_overtaken_before_it_signs_is_gone<S: Recorded>([one, two]: Two<S>) {
    let old = signing(&*one);
    let planned = rotate(&*one, HOUR).await;
    let new = rotate(&*two, Duration::ZERO).await;
    assert_eq!(ids(&list(&*one).await), [&new.key_id, &old]);
    within_a_second("gone", async || {
        signing(&*one) == new.key_id && !published(&*one).contains(&planned.key_id)
    })
    .await;
}

/// Where it signed, the next one does from now on, else one of the algorithm that is named.
pub async fn a_revoked_key_is_gone_and_another_signs<S: Recorded>([one, two]: Two<S>) {
    let first = signing(&*one);
    let planned = rotate(&*one, HOUR).await.key_id;
    for node in [&*one, &*two] {
        let unknown = revoke(node, "unknown").await;
        assert!(
            matches!(unknown, Err(StoreError::Missing(_))),
            "{unknown:?}"
        );
    }
    let left = revoke(&*two, &first).await.expect("revoked");
    assert_eq!(ids(&left), [&planned]);
    assert!(left[0].is_signing);
    assert_eq!(signing(&*two), planned);
    let again = revoke(&*one, &first).await;
    assert!(matches!(again, Err(StoreError::Missing(_))), "{again:?}");

    let left = revoke(&*one, &planned).await.expect("revoked");
    let [new] = <&[_; 1]>::try_from(&left[..]).expect("a new key");
    assert!(new.is_signing && new.algorithm == Algorithm::Es384);
    assert!(![&first, &planned].contains(&&new.key_id));
    assert_eq!(published(&*one), BTreeSet::from([new.key_id.clone()]));
    within_a_second("revoked", async || signing(&*two) == new.key_id).await;
    assert_eq!(published(&*two), BTreeSet::from([new.key_id.clone()]));
}

/// Law 14: who, by which way, why, and what became of each key.
pub async fn what_becomes_of_signing_keys_is_recorded_and_no_secret_of_them<S: Recorded>(
    [one, two]: Two<S>,
) {
    let first = signing(&*one);
    let records = async || {
        let log: &dyn Log<ChangeRecord> = &*two;
        let page = log.page(&ChangeFilter::default(), Start::Oldest, 100).await;
        let entries = page.expect("a page").entries.into_iter();
        let read = entries.map(|entry| ChangeRecord::read(&entry.document).expect("a record"));
        read.collect::<Vec<_>>()
    };
    assert_eq!(records().await, [], "the first key is no change");
    let new = rotate(&*one, Duration::ZERO).await.key_id;
    let missing = revoke(&*one, "unknown").await;
    assert!(matches!(missing, Err(StoreError::Missing(_))));
    revoke(&*one, &new).await.expect("revoked");
    let last = signing(&*one);
    let records = records().await;
    let told: Vec<_> = records.iter().map(|one| (&*one.name, one.action)).collect();
    let (create, replace, delete) = (Action::Create, Action::Replace, Action::Delete);
    let rotation = [(&*first, replace), (&*new, create)];
    assert_eq!(told[..2], rotation);
    // The first key has ceased to sign, for good.
    assert_eq!(told[2..], [(&*new, delete), (&*last, create)]);
    for record in &records {
        assert_eq!((&record.actor, &*record.resource), (&by(), "signing_key"));
        let states = [&record.before, &record.after].into_iter().flatten();
        for state in states {
            let members = state.as_object().expect("an object").keys();
            let shown = ["alg", "created_at", "kid", "retires_at", "signs_from"];
            assert_eq!(
                members.map(|name| &**name).collect::<BTreeSet<_>>(),
                shown.into()
            );
            assert_eq!(state["kid"], *record.name);
        }
    }
}
