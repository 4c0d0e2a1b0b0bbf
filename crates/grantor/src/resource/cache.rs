//! Tokens that were just seen: accepted ones, and ones that the authorization server says are not
//! active. Under a fingerprint, so that the cache holds nothing that could be sent somewhere.

use std::{sync::Arc, time::Duration};

use grantor_jose::crypto::{Fingerprint, Fingerprints};
use quick_cache::{
    DefaultHashBuilder, UnitWeighter,
    sync::{Cache, DefaultLifecycle, PlaceholderGuard},
};

use super::{ValidatedToken, ValidationError};
use crate::{clock::UnixTime, remote::key_set::KeySet};

/// For how long what came of asking about a token is the answer for everybody who brings it, where
/// it is no plain "not active": whoever waited for it does not ask again in turn, and a failing
/// issuer is not asked more because it fails.
const FAILURE_HELD: Duration = Duration::from_secs(1);

/// Most failures held. They are larger than the rest: a claim that is wrong is in them.
const MAX_FAILURES: usize = 1024;

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
        now.since(self.from).is_some_and(|age| age < self.duration)
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
        let left = end.map_or(duration, |end| end.since(now).unwrap_or_default());
        Self {
            token,
            keys,
            life: Life {
                from: now,
                duration: duration.min(left),
            },
        }
    }

    /// Whether it need not be looked at again: its time is not over, and the issuer's keys are the
    /// same.
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
pub(super) type Turn<'c> = PlaceholderGuard<
    'c,
    Fingerprint,
    Seen,
    UnitWeighter,
    DefaultHashBuilder,
    DefaultLifecycle<Fingerprint, Seen>,
>;

/// Bounded by number: strangers cannot put anything into `accepted`, and what they put into
/// `inactive` pushes out only its like.
pub(super) struct TokenCache {
    fingerprints: Fingerprints,
    accepted: Cache<Fingerprint, Seen>,
    inactive: Cache<Fingerprint, Life>,
    failed: Cache<Fingerprint, (ValidationError, Life)>,
}

impl TokenCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            fingerprints: Fingerprints::random(),
            accepted: Cache::new(capacity),
            inactive: Cache::new(capacity),
            failed: Cache::new(capacity.min(MAX_FAILURES)),
        }
    }

    /// The fingerprint of a token's text.
    pub(super) fn fingerprint(&self, token: &str) -> Fingerprint {
        self.fingerprints.of(token.as_bytes())
    }

    pub(super) fn accepted(&self, fingerprint: &Fingerprint) -> Option<Seen> {
        self.accepted.get(fingerprint)
    }

    /// Forgets what does not stand any more, so that somebody can take the turn.
    pub(super) fn forget(
        &self,
        fingerprint: &Fingerprint,
        now: UnixTime,
        current: Option<&Arc<KeySet>>,
    ) {
        self.accepted
            .remove_if(fingerprint, |seen| !seen.stands(now, current));
    }

    /// The token, if somebody else found out; else the turn to find out.
    pub(super) async fn accepted_or_turn(
        &self,
        fingerprint: &Fingerprint,
    ) -> Result<Seen, Turn<'_>> {
        self.accepted.get_value_or_guard_async(fingerprint).await
    }

    pub(super) fn accept(&self, fingerprint: Fingerprint, seen: Seen) {
        self.accepted.insert(fingerprint, seen);
    }

    /// Why the token was refused a moment ago, when the authorization server was asked about it.
    pub(super) fn refused(
        &self,
        fingerprint: &Fingerprint,
        now: UnixTime,
    ) -> Option<ValidationError> {
        if self
            .inactive
            .get(fingerprint)
            .is_some_and(|life| life.includes(now))
        {
            return Some(ValidationError::Inactive);
        }
        self.failed
            .get(fingerprint)
            .filter(|(_, life)| life.includes(now))
            .map(|(error, _)| error)
    }

    /// Keeps why it is refused: that it is not active for `inactive`, anything else for a moment.
    pub(super) fn refuse(
        &self,
        fingerprint: Fingerprint,
        error: &ValidationError,
        now: UnixTime,
        inactive: Duration,
    ) {
        match error {
            ValidationError::Inactive => self.inactive.insert(
                fingerprint,
                Life {
                    from: now,
                    duration: inactive,
                },
            ),
            error => self.failed.insert(
                fingerprint,
                (
                    error.clone(),
                    Life {
                        from: now,
                        duration: FAILURE_HELD,
                    },
                ),
            ),
        }
    }
}
