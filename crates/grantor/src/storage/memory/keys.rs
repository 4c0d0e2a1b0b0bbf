//! Signing keys in memory.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor_jose::{Algorithm, PrivateJwk};

use super::{MemoryStore, lock};
use crate::{
    clock::{Clock as _, SystemClock, UnixTime},
    keys::{KeyRing, OtherKey, SigningKeys},
    registry::Actor,
    storage::{KeyStore, SigningKeyInfo, StoreError},
};

/// What the first key is for, which is made when it is first asked for.
const FIRST: Algorithm = Algorithm::Es256;

/// The keys, newest first.
#[derive(Debug, Default)]
pub(super) struct Keys {
    kept: Vec<Kept>,
    /// The ring, from when and until when it is as it is.
    ring: Option<(Arc<KeyRing>, UnixTime, Option<UnixTime>)>,
}

#[derive(Debug)]
struct Kept {
    key: PrivateJwk,
    created_at: UnixTime,
    signs_from: UnixTime,
    signs_until: Option<UnixTime>,
    retires_at: Option<UnixTime>,
}

impl Kept {
    fn signs(&self, now: UnixTime) -> bool {
        self.signs_from <= now && self.signs_until.is_none_or(|until| now < until)
    }

    fn is_published(&self, now: UnixTime) -> bool {
        self.retires_at.is_none_or(|at| now < at)
    }

    fn published(&self) -> OtherKey {
        OtherKey::new(self.key.public(), Some(self.signs_from), self.signs_until)
    }
}

impl Keys {
    /// The keys of this moment, with a first one if there was none.
    fn ring(&mut self, now: UnixTime) -> Arc<KeyRing> {
        match &self.ring {
            Some((ring, from, until)) if *from <= now && until.is_none_or(|until| now < until) => {
                ring.clone()
            }
            _ => {
                if self.kept.is_empty() {
                    let first = PrivateJwk::generate(FIRST);
                    self.add(first.expect("the library makes such keys"), now, now);
                }
                let ring = Arc::new(self.make_ring(now));
                self.ring = Some((ring.clone(), now, self.next_event(now)));
                ring
            }
        }
    }

    fn make_ring(&self, now: UnixTime) -> KeyRing {
        let signing = self.signing(now);
        let others = self.kept.iter().enumerate();
        let others = others
            .filter(|(place, key)| *place != signing && key.is_published(now))
            .map(|(_, key)| key.published());
        let ring = KeyRing::new(&self.kept[signing].key, others);
        ring.expect("a key that the library made")
    }

    /// The place of the key that signs. Where the clock is before the time of all, the oldest.
    fn signing(&self, now: UnixTime) -> usize {
        let signs = self.kept.iter().position(|key| key.signs(now));
        signs.unwrap_or(self.kept.len() - 1)
    }

    fn next_event(&self, now: UnixTime) -> Option<UnixTime> {
        let events = |key: &Kept| [Some(key.signs_from), key.retires_at];
        let events = self.kept.iter().flat_map(events).flatten();
        events.filter(|event| *event > now).min()
    }

    fn list(&self, now: UnixTime) -> Vec<SigningKeyInfo> {
        let signing = self.signing(now);
        let info = |(place, kept): (usize, &Kept)| {
            let (key_id, algorithm) = (kept.key.key_id().to_owned(), kept.key.algorithm());
            let mut info = SigningKeyInfo::new(key_id, algorithm, kept.created_at, kept.signs_from);
            (info.retires_at, info.is_signing) = (kept.retires_at, place == signing);
            info
        };
        let published = self.kept.iter().enumerate();
        let published = published.filter(|(_, key)| key.is_published(now));
        published.map(info).collect()
    }

    fn add(&mut self, key: PrivateJwk, now: UnixTime, signs_from: UnixTime) {
        let new = Kept {
            key,
            created_at: now,
            signs_from,
            signs_until: None,
            retires_at: None,
        };
        self.kept.insert(0, new);
    }

    /// The keys before it sign until it does, and are published for `overlap` more.
    fn rotate(&mut self, key: PrivateJwk, now: UnixTime, signs_from: UnixTime, overlap: Duration) {
        let earlier = |known: Option<UnixTime>, then| Some(known.map_or(then, |at| at.min(then)));
        for kept in &mut self.kept {
            kept.retires_at = earlier(kept.retires_at, signs_from.plus(overlap));
            kept.signs_until = earlier(kept.signs_until, signs_from);
        }
        let never_signs = |key: &Kept| key.signs_until.is_some_and(|until| key.signs_from > until);
        self.kept.retain(|key| !never_signs(key));
        self.add(key, now, signs_from);
    }

    fn revoke(&mut self, key_id: &str, new: PrivateJwk, now: UnixTime) -> Result<(), StoreError> {
        let place = self
            .kept
            .iter()
            .position(|kept| kept.key.key_id() == key_id);
        self.kept
            .remove(place.ok_or(StoreError::Missing("signing key"))?);
        let signing = self.kept.iter().position(|key| key.signs(now));
        let newest = self.kept.iter().position(|key| key.signs_until.is_none());
        match (signing, newest) {
            (Some(_), Some(_)) => {}
            (None, Some(newest)) => self.kept[newest].signs_from = now,
            (Some(signing), None) => {
                let stays = &mut self.kept[signing];
                (stays.signs_until, stays.retires_at) = (None, None);
            }
            (None, None) => self.add(new, now, now),
        }
        Ok(())
    }
}

impl MemoryStore {
    /// Changes the keys, with a record of what became of each.
    fn change_keys<T>(
        &self,
        by: &Actor,
        change: impl FnOnce(&mut Keys, UnixTime) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let now = SystemClock.now();
        let mut keys = lock(&self.keys);
        keys.ring(now);
        keys.kept.retain(|key| key.is_published(now));
        let before = keys.list(now);
        let changed = change(&mut keys, now)?;
        keys.ring = None;
        let records = SigningKeyInfo::changes(&before, &keys.list(now), by, now);
        lock(&self.registered).keep(records);
        Ok(changed)
    }
}

impl SigningKeys for MemoryStore {
    fn key_ring(&self) -> Arc<KeyRing> {
        lock(&self.keys).ring(SystemClock.now())
    }
}

#[async_trait]
impl KeyStore for MemoryStore {
    async fn signing_key_list(&self) -> Result<Vec<SigningKeyInfo>, StoreError> {
        let (mut keys, now) = (lock(&self.keys), SystemClock.now());
        keys.ring(now);
        Ok(keys.list(now))
    }

    async fn signing_key_rotate(
        &self,
        algorithm: Algorithm,
        ahead: Duration,
        overlap: Duration,
        by: &Actor,
    ) -> Result<SigningKeyInfo, StoreError> {
        let key = generate(algorithm)?;
        self.change_keys(by, |keys, now| {
            keys.rotate(key, now, now.plus(ahead), overlap);
            Ok(keys.list(now).swap_remove(0))
        })
    }

    async fn signing_key_revoke(
        &self,
        key_id: &str,
        algorithm: Algorithm,
        by: &Actor,
    ) -> Result<Vec<SigningKeyInfo>, StoreError> {
        let new = generate(algorithm)?;
        self.change_keys(by, |keys, now| {
            keys.revoke(key_id, new, now)?;
            Ok(keys.list(now))
        })
    }
}

fn generate(algorithm: Algorithm) -> Result<PrivateJwk, StoreError> {
    PrivateJwk::generate(algorithm).map_err(|error| StoreError::Failed(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_signs_when_its_time_has_come_and_an_old_one_ends_behind_its_overlap() {
        let at = |seconds: i64| UnixTime::from_millis(1_800_000_000_000 + seconds * 1000);
        let ids = |ring: &KeyRing| {
            let ids = ring
                .published()
                .iter()
                .map(|key| key.key_id().map(str::to_owned));
            ids.collect::<Option<Vec<_>>>().expect("each has one")
        };
        let mut keys = Keys::default();
        let old = ids(&keys.ring(at(0))).swap_remove(0);
        let key = generate(Algorithm::Ed25519).expect("a key");
        let new = key.key_id().to_owned();
        keys.rotate(key, at(0), at(30), Duration::from_secs(60));
        keys.ring = None;
        for (time, expected) in [
            (0, vec![&*old, &*new]),
            (29, vec![&*old, &*new]),
            (30, vec![&*new, &*old]),
            (89, vec![&*new, &*old]),
            (90, vec![&*new]),
            (29, vec![&*old, &*new]),
        ] {
            assert_eq!(ids(&keys.ring(at(time))), expected, "{time}");
            let signing = keys.list(at(time)).into_iter().find(|key| key.is_signing);
            assert_eq!(signing.expect("one signs").key_id, expected[0], "{time}");
        }
    }
}
