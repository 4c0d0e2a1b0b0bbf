//! The server's signing keys: private halves sealed by the master key, and the times of each. A new
//! key is published before it signs, an old one until the last token it signed has expired. Which
//! key signs, and what becomes of the others, is decided here; a database reads and writes rows.

use std::{sync::Arc, time::Duration};

use grantor::{
    clock::UnixTime,
    jose::{Algorithm, PrivateJwk},
    keys::{KeyRing, OtherKey},
    storage::{SigningKeyInfo, StoreError},
};

use super::{Unreadable, unreadable};
use crate::{MasterKey, cached::Moment};

const WHAT: &str = "signing key";

/// How long a key is kept in the table after it is published no more: a clock that is ahead for a
/// while must not cost a key.
pub(crate) const KEPT_BEYOND_END: Duration = Duration::from_secs(86_400);

/// Makes a key.
pub(crate) fn generate(algorithm: Algorithm) -> Result<PrivateJwk, StoreError> {
    PrivateJwk::generate(algorithm).map_err(|error| StoreError::Failed(Box::new(error)))
}

/// The private half of a key as it is stored.
pub(crate) fn sealed(key: &PrivateJwk, master_key: &MasterKey) -> Vec<u8> {
    master_key.seal(&purpose(key.key_id()), key.expose_json().as_bytes())
}

/// Binds a sealed key to its row: moved to another, it does not open.
fn purpose(key_id: &str) -> String {
    format!("signing key {key_id}")
}

/// When a key signs, and until when it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) signs_from: UnixTime,
    pub(crate) signs_until: Option<UnixTime>,
    pub(crate) retires_at: Option<UnixTime>,
}

impl Times {
    /// From the columns, in milliseconds since 1970.
    pub(crate) fn new(signs_from: i64, signs_until: Option<i64>, retires_at: Option<i64>) -> Self {
        Self {
            signs_from: UnixTime::from_millis(signs_from),
            signs_until: signs_until.map(UnixTime::from_millis),
            retires_at: retires_at.map(UnixTime::from_millis),
        }
    }

    /// Of a key without an end.
    pub(crate) fn from(signs_from: UnixTime) -> Self {
        Self {
            signs_from,
            signs_until: None,
            retires_at: None,
        }
    }

    fn signs_at(&self, now: UnixTime) -> bool {
        self.signs_from <= now && self.signs_until.is_none_or(|until| now < until)
    }

    /// Signs no longer than until `end`, whatever was planned before, and is published for so long
    /// after it. `None` for a key that would begin later: it never signs, and goes.
    pub(crate) fn end_before(self, end: UnixTime, overlap: Duration) -> Option<Self> {
        let earlier = |planned: Option<UnixTime>, end| Some(planned.map_or(end, |at| at.min(end)));
        let ended = Self {
            signs_from: self.signs_from,
            signs_until: earlier(self.signs_until, end),
            retires_at: earlier(self.retires_at, end.plus(overlap)),
        };
        Some(ended).filter(|ended| ended.signs_until >= Some(ended.signs_from))
    }
}

/// Who signs from now on, for good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// Nothing has to be done.
    Signs,
    /// The key in this place, with other times.
    Takes(usize, Times),
    /// A new key.
    New,
}

/// Sees to it that a key signs from now on, for good: the newest, from now where it was to wait;
/// else, where the newest is gone, the one that signs; else the new one. A key that has ceased to
/// sign never signs again. `keys` are all that are in the table, newest first.
pub(crate) fn successor(keys: &[Times], now: UnixTime) -> Successor {
    let place_of = |wanted: fn(&Times, UnixTime) -> bool| {
        let mut places = keys.iter().enumerate();
        places.find(|(_, times)| wanted(times, now))
    };
    let signing = place_of(|times, now| times.signs_at(now));
    let newest = place_of(|times, _| times.signs_until.is_none());
    match (signing, newest) {
        (Some(_), Some(_)) => Successor::Signs,
        (None, Some((newest, times))) => {
            let at_once = Times {
                signs_from: now,
                ..*times
            };
            Successor::Takes(newest, at_once)
        }
        (Some((signing, times)), None) => Successor::Takes(signing, Times::from(times.signs_from)),
        (None, None) => Successor::New,
    }
}

/// A key in the table.
pub(crate) struct StoredKey {
    key: PrivateJwk,
    created_at: UnixTime,
    times: Times,
}

impl StoredKey {
    /// The key with this id, opened.
    pub(crate) fn open(
        key_id: &str,
        sealed: &[u8],
        created_at: i64,
        times: Times,
        master_key: &MasterKey,
    ) -> Result<Self, Unreadable> {
        let json = master_key
            .open(&purpose(key_id), sealed)
            .ok_or_else(|| unreadable(WHAT, "it does not open"))?;
        let key = PrivateJwk::parse(&json, None).map_err(|error| unreadable(WHAT, error))?;
        Ok(Self {
            key,
            created_at: UnixTime::from_millis(created_at),
            times,
        })
    }

    fn published(&self) -> OtherKey {
        let Times {
            signs_from,
            signs_until,
            ..
        } = self.times;
        OtherKey::new(self.key.public(), Some(signs_from), signs_until)
    }

    /// What is told of it, but for whether it signs.
    pub(crate) fn info(&self) -> SigningKeyInfo {
        let key_id = self.key.key_id().to_owned();
        let (algorithm, signs_from) = (self.key.algorithm(), self.times.signs_from);
        let mut info = SigningKeyInfo::new(key_id, algorithm, self.created_at, signs_from);
        info.retires_at = self.times.retires_at;
        info
    }
}

/// What is told of keys that are published, newest first.
pub(crate) fn infos(keys: &[StoredKey], now: UnixTime) -> Vec<SigningKeyInfo> {
    let mut infos: Vec<_> = keys.iter().map(StoredKey::info).collect();
    if let Some(signing) = signing_index(keys, now) {
        infos[signing].is_signing = true;
    }
    infos
}

/// The newest key whose time to sign it is. Where the clock is before the time of all, the oldest:
/// a clock that is wrong must not stop the server.
fn signing_index(keys: &[StoredKey], now: UnixTime) -> Option<usize> {
    let signs = |key: &StoredKey| key.times.signs_at(now);
    keys.iter().position(signs).or(keys.len().checked_sub(1))
}

/// The keys of this moment, ready for use. `keys` are those that are published, newest first.
pub(crate) fn moment(mut keys: Vec<StoredKey>, now: UnixTime) -> Result<Moment, Unreadable> {
    let events = keys
        .iter()
        .flat_map(|key| [Some(key.times.signs_from), key.times.retires_at])
        .flatten();
    let next_event = events.filter(|event| *event > now).min();
    let signing =
        signing_index(&keys, now).ok_or_else(|| unreadable("signing keys", "there is none"))?;
    let current = keys.remove(signing);
    let signs_from = current.times.signs_from;
    if signs_from > now {
        tracing::warn!(%now, %signs_from, "the clock is before the first signing key: set the clock");
    }
    let ring = KeyRing::new(&current.key, keys.iter().map(StoredKey::published));
    let ring = ring.map_err(|error| unreadable(WHAT, error))?;
    Ok(Moment {
        ring: Arc::new(ring),
        from: now,
        until: next_event,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn until(times: Times, end: UnixTime) -> Times {
        times.end_before(end, HOUR).expect("it signs")
    }

    #[test]
    fn an_earlier_end_stays_and_a_key_that_never_signs_goes() {
        let ended = until(Times::from(NOW), NOW.plus(HOUR));
        assert_eq!(ended.signs_until, Some(NOW.plus(HOUR)));
        assert_eq!(ended.retires_at, Some(NOW.plus(2 * HOUR)));
        assert_eq!(ended.end_before(NOW.plus(3 * HOUR), HOUR), Some(ended));
        let begins_later = Times::from(NOW.plus(HOUR));
        assert_eq!(begins_later.end_before(NOW, HOUR), None);
        // What begins as it ends is there.
        assert!(Times::from(NOW).end_before(NOW, HOUR).is_some());
    }

    #[test]
    fn the_newest_signs_at_once_else_the_one_that_signs_stays_else_a_new_one_comes() {
        let (signs, waits) = (Times::from(NOW), Times::from(NOW.plus(HOUR)));
        let ends = until(Times::from(NOW.minus(HOUR)), NOW.plus(HOUR));
        let ceased = until(Times::from(NOW.minus(HOUR)), NOW);
        assert_eq!(successor(&[signs, ceased], NOW), Successor::Signs);
        assert_eq!(successor(&[waits, ends], NOW), Successor::Signs);
        assert_eq!(successor(&[waits, ceased], NOW), Successor::Takes(0, signs));
        let stays = Times::from(NOW.minus(HOUR));
        assert_eq!(successor(&[ceased, ends], NOW), Successor::Takes(1, stays));
        assert_eq!(successor(&[ceased], NOW), Successor::New);
        assert_eq!(successor(&[], NOW), Successor::New);
    }
}
