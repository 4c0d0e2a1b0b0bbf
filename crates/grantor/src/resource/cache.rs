//! Tokens that were just seen: accepted ones, and ones that the authorization server says are not active. Under a digest, so that
//! the cache holds nothing that could be sent somewhere.

use std::{sync::Arc, time::Duration};

use grantor_jose::crypto;
use quick_cache::{
    DefaultHashBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle, PlaceholderGuard},
};

use super::{ValidatedToken, key_set::KeySet, refreshing::since};
use crate::clock::UnixTime;

/// SHA-256 of a token's text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &str) -> Self {
        Self(crypto::sha256(&[token.as_bytes()]))
    }
}

/// An accepted token, for as long as it need not be looked at again.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) token: ValidatedToken,
    /// The keys of which one has signed it; `None` for an opaque token.
    pub(super) keys: Option<Arc<KeySet>>,
    life: Life,
}

/// From a moment on, for a while. A clock that was set back is outside of it.
#[derive(Clone, Copy)]
struct Life {
    from: UnixTime,
    duration: Duration,
}

impl Life {
    fn includes(self, now: UnixTime) -> bool {
        since(self.from, now).is_some_and(|age| age < self.duration)
    }
}

impl Seen {
    /// Good from `now` for at most `duration`, and not beyond `end`.
    pub(super) fn new(
        token: ValidatedToken,
        keys: Option<Arc<KeySet>>,
        now: UnixTime,
        duration: Duration,
        end: Option<UnixTime>,
    ) -> Self {
        let left = end.map_or(duration, |end| since(now, end).unwrap_or_default());
        Self { token, keys, life: Life { from: now, duration: duration.min(left) } }
    }

    /// Whether it need not be looked at again: its time is not over, and the issuer's keys are the same.
    pub(super) fn stands(&self, now: UnixTime, current: Option<&Arc<KeySet>>) -> bool {
        let same_keys = match (&self.keys, current) {
            (Some(then), Some(current)) => Arc::ptr_eq(then, current),
            (None, _) => true,
            (Some(_), None) => false,
        };
        same_keys && self.life.includes(now)
    }
}

/// The right to find out about a token, for one at a time.
pub(super) type Turn<'c> = PlaceholderGuard<'c, Digest, Seen, UnitWeighter, DefaultHashBuilder, DefaultLifecycle<Digest, Seen>>;

/// Bounded by number: strangers cannot put anything into `accepted`, and what they put into `inactive` pushes out only its like.
pub(super) struct TokenCache {
    accepted: Cache<Digest, Seen>,
    inactive: Cache<Digest, Life>,
}

impl TokenCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { accepted: Cache::new(capacity), inactive: Cache::new(capacity) }
    }

    pub(super) fn accepted(&self, digest: &Digest) -> Option<Seen> {
        self.accepted.get(digest)
    }

    /// Forgets what does not stand any more, so that somebody can take the turn.
    pub(super) fn forget(&self, digest: &Digest, now: UnixTime, current: Option<&Arc<KeySet>>) {
        self.accepted.remove_if(digest, |seen| !seen.stands(now, current));
    }

    /// The token, if somebody else found out; else the turn to find out.
    pub(super) async fn accepted_or_turn(&self, digest: &Digest) -> Result<Seen, Turn<'_>> {
        self.accepted.get_value_or_guard_async(digest).await
    }

    pub(super) fn accept(&self, digest: Digest, seen: Seen) {
        self.accepted.insert(digest, seen);
    }

    pub(super) fn is_inactive(&self, digest: &Digest, now: UnixTime) -> bool {
        self.inactive.get(digest).is_some_and(|life| life.includes(now))
    }

    pub(super) fn set_inactive(&self, digest: Digest, now: UnixTime, duration: Duration) {
        self.inactive.insert(digest, Life { from: now, duration });
    }
}
