//! One cached token, and the one request that is under way for it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use grantor_jose::crypto::random_bytes;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    AccessToken, TokenError, Wanted,
    exchange::{Exchange, Failure, backoff},
};
use crate::clock::UnixTime;

/// Waits after failed requests: from this
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// to this, doubling;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// and the longest that a server's `Retry-After` is respected.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);
/// A flight that has not landed this long after its own time limit is not being flown: nobody
/// drives its runtime.
const OVERDUE: Duration = Duration::from_secs(5);
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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Set while a request is under way.
    flight: Option<Flight>,
    failures: u32,
    pause: Option<Pause>,
}

type Landing = Result<AccessToken, TokenError>;

/// A request under way. `landing` is closed without a value if it was aborted.
#[derive(Clone)]
struct Flight {
    started: Instant,
    landing: watch::Receiver<Option<Landing>>,
}

impl Flight {
    /// How long it is still waited for.
    fn patience(&self, exchange: &Exchange) -> Duration {
        exchange
            .retry
            .timeout
            .saturating_add(OVERDUE)
            .saturating_sub(self.started.elapsed())
    }

    fn is_under_way(&self, exchange: &Exchange) -> bool {
        self.landing.has_changed().is_ok() && !self.patience(exchange).is_zero()
    }
}

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

/// What became of wanting a token that is not there.
enum Joined {
    Landed(Landing),
    Flying(Flight),
}

impl Slot {
    /// The token: at once while it is valid, also while it is being refreshed; else when the one
    /// request for it has its answer.
    pub async fn token(
        self: &Arc<Self>,
        exchange: &Arc<Exchange>,
        timing: Timing,
        wanted: &Wanted,
    ) -> Landing {
        if let Some(token) = self.valid(exchange, timing, wanted) {
            return Ok(token);
        }
        // A flight that was aborted with somebody else's runtime, or hangs with it, is flown once
        // more on this one.
        for _ in 0..2 {
            match self.join(exchange, timing, wanted) {
                Joined::Landed(landing) => return landing,
                Joined::Flying(mut flight) => {
                    let patience = flight.patience(exchange);
                    if let Ok(Ok(landing)) =
                        timeout(patience, flight.landing.wait_for(Option::is_some)).await
                    {
                        return landing.clone().unwrap_or(Err(TokenError::Aborted));
                    }
                }
            }
        }
        Err(TokenError::Aborted)
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
            Freshness::Due => drop(self.join(exchange, timing, wanted)),
            Freshness::Stale => return None,
        }
        Some(held.token.clone())
    }

    /// Takes the flight that is under way, or starts one.
    fn join(self: &Arc<Self>, exchange: &Arc<Exchange>, timing: Timing, wanted: &Wanted) -> Joined {
        let now = exchange.clock.now();
        let mut state = self.state();
        if let Some(held) = self
            .current
            .load()
            .as_ref()
            .filter(|held| matches!(held.freshness(now), Freshness::Fresh))
        {
            return Joined::Landed(Ok(held.token.clone()));
        }
        // Waiting needs one too.
        let Ok(runtime) = Handle::try_current() else {
            return Joined::Landed(Err(TokenError::NoRuntime));
        };
        if let Some(flight) = state
            .flight
            .as_ref()
            .filter(|flight| flight.is_under_way(exchange))
        {
            return Joined::Flying(flight.clone());
        }
        if let Some(pause) = state
            .pause
            .as_ref()
            .filter(|pause| pause.since <= now && now < pause.since.plus(pause.wait))
        {
            return Joined::Landed(pause.landing.clone());
        }
        let (sender, landing) = watch::channel(None);
        let flight = Flight {
            started: Instant::now(),
            landing,
        };
        state.flight = Some(flight.clone());
        // A runtime that is shutting down drops the task at once, and the ticket takes the lock
        // when dropped.
        drop(state);
        let ticket = Ticket {
            slot: Arc::clone(self),
            sender,
        };
        let (exchange, wanted) = (Arc::clone(exchange), wanted.clone());
        runtime.spawn(async move {
            let landing = exchange.token(&wanted).await;
            ticket.land(landing, timing, exchange.clock.now());
        });
        Joined::Flying(flight)
    }

    /// What later callers find.
    fn keep(
        &self,
        state: &mut State,
        outcome: &Result<AccessToken, Failure>,
        timing: Timing,
        now: UnixTime,
    ) {
        match outcome {
            Ok(token) => {
                let held = Held::new(token.clone(), timing, self.current.load().as_deref());
                // One that has ended already is given for a moment: else each call would make a
                // request.
                let has_ended = matches!(held.freshness(now), Freshness::Stale);
                state.failures = 0;
                state.pause = has_ended.then(|| Pause {
                    since: now,
                    wait: FIRST_PAUSE,
                    landing: Ok(token.clone()),
                });
                self.current.store(Some(Arc::new(held)));
            }
            Err(Failure { error, retry_after }) => {
                tracing::warn!(%error, "no access token");
                state.failures = state.failures.saturating_add(1);
                let wait = retry_after.map(|wait| wait.clamp(FIRST_PAUSE, LONGEST_RETRY_AFTER));
                let wait =
                    wait.unwrap_or_else(|| backoff(FIRST_PAUSE, LONGEST_PAUSE, state.failures));
                state.pause = Some(Pause {
                    since: now,
                    wait,
                    landing: Err(error.clone()),
                });
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to end a flight. However it ends, the next caller may start another.
struct Ticket {
    slot: Arc<Slot>,
    sender: watch::Sender<Option<Landing>>,
}

impl Ticket {
    /// What a flight brings that was taken for lost is for those only who still wait for it:
    /// another has been started since.
    fn land(self, outcome: Result<AccessToken, Failure>, timing: Timing, now: UnixTime) {
        let mut state = self.slot.state();
        if self.is_given_back(&mut state) {
            self.slot.keep(&mut state, &outcome, timing, now);
        }
        drop(state);
        self.sender
            .send_replace(Some(outcome.map_err(|failure| failure.error)));
    }

    /// Whether the flight in the state was this one. It is there no more.
    fn is_given_back(&self, state: &mut State) -> bool {
        state
            .flight
            .take_if(|flight| flight.landing.same_channel(&self.sender.subscribe()))
            .is_some()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.is_given_back(&mut self.slot.state());
    }
}
