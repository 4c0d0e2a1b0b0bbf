//! One cached token, and the one request that is under way for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    AccessToken, TokenError, Wanted,
    exchange::{Exchange, Failure, backoff},
};
use crate::{
    clock::UnixTime,
    remote::flight::{Flight, Lost, Trip},
};
use arc_swap::ArcSwapOption;
use grantor_jose::crypto::random_bytes;

/// Waits after failed requests: from this
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// to this, doubling;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// and the longest that a server's `Retry-After` is respected.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// A token that replaced a refused one, and is refused too, is not replaced again within this time:
/// the token is not the reason.
const REJECTION_COOLDOWN: Duration = Duration::from_secs(10);
/// The longest life of a token that is believed.
const LONGEST_LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// How far the clock may be set back before the times of a token mean nothing.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// When tokens are refreshed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// Before the end, at most a quarter of the token's life.
    pub refresh_ahead: Duration,
    /// Of a token whose answer has no `expires_in`.
    pub assumed_lifetime: Duration,
}

/// A place in the cache. Reading a token that is fresh takes no lock.
#[derive(Default)]
pub(super) struct Slot {
    current: ArcSwapOption<Held>,
    /// The request that is under way.
    flight: Flight<Landing>,
    failures: Mutex<Failures>,
}

/// What the last requests came to.
#[derive(Default)]
struct Failures {
    in_a_row: u32,
    pause: Option<Pause>,
}

type Landing = Result<AccessToken, Failure>;

/// No request is made for `wait` from `since`; callers get what came of the last.
struct Pause {
    since: UnixTime,
    wait: Duration,
    landing: Landing,
}

/// A token with the moments that matter.
struct Held {
    token: AccessToken,
    refresh: UnixTime,
    end: UnixTime,
    /// The one before was refused by an API.
    is_replacement: bool,
}

enum Freshness {
    Fresh,
    /// Valid, and to be refreshed.
    Due,
    Stale,
}

impl Held {
    fn new(token: AccessToken, timing: Timing, before: Option<&Self>) -> Self {
        let lifetime = token
            .lifetime()
            .unwrap_or(timing.assumed_lifetime)
            .min(LONGEST_LIFETIME);
        // Some of the life is lost on the way to the API.
        let usable = lifetime - (lifetime / 10).min(Duration::from_secs(10));
        let ahead = timing.refresh_ahead.min(lifetime / 4);
        // Many processes that started together do not refresh together.
        let jitter = (ahead / 10) * u32::from(random_bytes::<1>()[0]) / 255;
        let refresh = usable.saturating_sub(ahead + jitter);
        let from = token.obtained();
        let is_replacement = before.is_some_and(|held| held.token.is_rejected());
        Self {
            refresh: from.plus(refresh),
            end: from.plus(usable),
            token,
            is_replacement,
        }
    }

    fn freshness(&self, now: UnixTime) -> Freshness {
        let obtained = self.token.obtained();
        let spared = self.is_replacement && now < obtained.plus(REJECTION_COOLDOWN);
        let is_rejected = self.token.is_rejected() && !spared;
        let is_before_its_time = now.plus(CLOCK_TOLERANCE) < obtained;
        if is_rejected || is_before_its_time || now >= self.end {
            Freshness::Stale
        } else if now >= self.refresh {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }
}

impl Slot {
    /// A place with a token in it.
    pub fn holding(token: AccessToken, timing: Timing) -> Self {
        let slot = Self::default();
        let held = Held::new(token, timing, None);
        slot.current.store(Some(Arc::new(held)));
        slot
    }

    /// The token: at once while it is valid, also while it is being refreshed; else when the one
    /// request for it has its answer.
    pub async fn token(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        timing: Timing,
        wanted: &Wanted,
    ) -> Result<AccessToken, TokenError> {
        if let Some(token) = self.valid(exchange, timing, wanted) {
            return Ok(token);
        }
        let landing = self
            .flight
            .join(
                || self.known(exchange.clock.now()),
                || self.trip(exchange, timing, wanted),
            )
            .await;
        match landing {
            Ok(landing) => landing.map_err(|failure| failure.error),
            Err(Lost::NoRuntime) => Err(TokenError::NoRuntime),
            Err(Lost::Aborted) => Err(TokenError::Aborted),
        }
    }

    /// The token if it is valid. If it is to be refreshed, that is under way afterwards.
    fn valid(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        timing: Timing,
        wanted: &Wanted,
    ) -> Option<AccessToken> {
        let held = self.current.load();
        let held = held.as_ref()?;
        match held.freshness(exchange.clock.now()) {
            Freshness::Fresh => {}
            Freshness::Due => {
                // Outside of a runtime nothing is refreshed: the token is valid all the same.
                let _ = self.flight.board(
                    || self.known(exchange.clock.now()),
                    || self.trip(exchange, timing, wanted),
                );
            }
            Freshness::Stale => return None,
        }
        Some(held.token.clone())
    }

    /// What is known without a request: a fresh token, or during a pause what came of the last.
    fn known(&self, now: UnixTime) -> Option<Landing> {
        let held = self.current.load();
        if let Some(held) = held
            .as_ref()
            .filter(|held| matches!(held.freshness(now), Freshness::Fresh))
        {
            return Some(Ok(held.token.clone()));
        }
        let failures = self.failures();
        let pause = failures.pause.as_ref()?;
        (pause.since <= now && now < pause.since.plus(pause.wait)).then(|| pause.landing.clone())
    }

    fn trip(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        timing: Timing,
        wanted: &Wanted,
    ) -> TokenTrip {
        TokenTrip {
            slot: self.clone(),
            exchange: exchange.clone(),
            timing,
            wanted: wanted.clone(),
        }
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request for a token, with its retries, for all callers.
struct TokenTrip {
    slot: Arc<Slot>,
    exchange: Arc<Exchange>,
    timing: Timing,
    wanted: Wanted,
}

impl Trip for TokenTrip {
    type Found = Landing;

    fn flight(&self) -> &Flight<Landing> {
        &self.slot.flight
    }

    fn time_limit(&self) -> Duration {
        self.exchange.retry.timeout
    }

    async fn fly(&self) -> Landing {
        self.exchange.token(&self.wanted).await
    }

    fn keep(&self, landing: &Landing) {
        let now = self.exchange.clock.now();
        let mut failures = self.slot.failures();
        match landing {
            Ok(token) => {
                let before = self.slot.current.load();
                let held = Held::new(token.clone(), self.timing, before.as_deref());
                // One that has ended already is given for a moment: else each call would make a
                // request.
                let has_ended = matches!(held.freshness(now), Freshness::Stale);
                failures.in_a_row = 0;
                failures.pause = has_ended.then(|| Pause {
                    since: now,
                    wait: FIRST_PAUSE,
                    landing: landing.clone(),
                });
                self.slot.current.store(Some(Arc::new(held)));
            }
            Err(Failure { error, retry_after }) => {
                tracing::warn!(%error, "no access token");
                failures.in_a_row = failures.in_a_row.saturating_add(1);
                let wait = retry_after.map(|wait| wait.clamp(FIRST_PAUSE, LONGEST_RETRY_AFTER));
                let wait =
                    wait.unwrap_or_else(|| backoff(FIRST_PAUSE, LONGEST_PAUSE, failures.in_a_row));
                failures.pause = Some(Pause {
                    since: now,
                    wait,
                    landing: landing.clone(),
                });
            }
        }
    }
}
