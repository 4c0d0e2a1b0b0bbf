//! When a document of another server is asked for again: in time, once for all callers, and not at
//! a stranger's word.
//!
//! ```text
//!  loaded        3/4 of its life           its life ends             + stale
//!    |---- used ----|-- used, asked again in --|-- asked again, used if --|-- refused until --
//!    |              |   the background         |   that fails             |   there is an answer
//! ```

use std::{error::Error, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::{sync::Semaphore, time::timeout};

use super::flight::{Flight, Trip};
use crate::clock::{Clock, UnixTime};

/// Loads a document.
#[async_trait]
pub(crate) trait Load: Send + Sync + 'static {
    type Document: Send + Sync + 'static;
    type Error: LoadError;

    /// Loads it once. Answers `previous` itself if and only if nothing has changed.
    async fn load(
        &self,
        previous: Option<&Arc<Self::Document>>,
    ) -> Result<Loaded<Self::Document>, Self::Error>;

    /// What another process has loaded, for want of anything else.
    async fn recall(&self) -> Option<Held<Self::Document>> {
        None
    }

    /// Hears of a load that succeeded, while callers wait for it: it must not take long.
    fn succeeded(&self, _: &Held<Self::Document>) {}

    /// Hears of one that failed.
    fn failed(&self, error: &Self::Error) {
        tracing::warn!(%error, "the authorization server's documents could not be refreshed");
    }
}

/// Why a document was not loaded.
pub(crate) trait LoadError: Error + Send + Sync + Sized + 'static {
    /// It took longer than allowed.
    fn timed_out() -> Self;

    /// So many callers wait for it already that no other may.
    fn crowded() -> Self {
        Self::timed_out()
    }

    /// Whether the server gave no answer, rather than a bad one.
    fn is_transient(&self) -> bool;
}

/// A document, and for how long its server wants it to be used.
pub(crate) struct Loaded<D> {
    pub(crate) document: Arc<D>,
    pub(crate) max_age: Option<Duration>,
}

/// How long documents are used. `maximum` bounds how long a removed key still works while the
/// server answers, `maximum + stale` while it does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lives {
    pub(crate) minimum: Duration,
    pub(crate) maximum: Duration,
    /// Where the server wants nothing.
    pub(crate) usual: Duration,
    pub(crate) stale: Duration,
    /// What a document that has outlived its life is used after.
    pub(crate) stale_after: StaleAfter,
    /// Between two tries that tokens with an unknown `kid` cause.
    pub(crate) cooldown: Duration,
    /// Between a failed try and the next, at least. Twice as long after each further failure,
    pub(crate) pause: Duration,
    /// up to this.
    pub(crate) longest_pause: Duration,
    /// Of one try.
    pub(crate) timeout: Duration,
    pub(crate) crowd: Crowd,
}

/// How many callers wait for a document at once. Each of them is a request that holds a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Those that have none.
    pub(crate) without: usize,
    /// Those that have one, and want another for an unknown `kid`.
    pub(crate) strangers: usize,
}

impl Crowd {
    pub(crate) const ANY: Self = Self {
        without: Semaphore::MAX_PERMITS,
        strangers: Semaphore::MAX_PERMITS,
    };
}

/// Which failures a document outlives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StaleAfter {
    /// Each of them: a bad answer says nothing about the document of before.
    AnyFailure,
    /// Only that there was no answer.
    NoAnswer,
}

/// A document that is loaded when it is first needed, and kept fresh.
pub(crate) struct Refreshing<L: Load>(Arc<Inner<L>>);

struct Inner<L: Load> {
    load: L,
    lives: Lives,
    clock: Arc<dyn Clock>,
    /// Replaced as a whole and read without a lock.
    state: ArcSwap<State<L>>,
    flight: Flight<Arc<State<L>>>,
    without: Semaphore,
    strangers: Semaphore,
}

struct State<L: Load> {
    held: Option<Held<L::Document>>,
    last_try: Option<Try<L::Error>>,
}

/// A document, since when it is held, and for how long it is used.
pub(crate) struct Held<D> {
    pub(crate) document: Arc<D>,
    pub(crate) loaded_at: UnixTime,
    pub(crate) life: Duration,
}

/// What there is, and what came of the last try.
pub(crate) struct Standing<D, E> {
    pub(crate) held: Option<Held<D>>,
    pub(crate) failure: Option<(UnixTime, Arc<E>)>,
    /// How long a document is used after its life.
    pub(crate) stale: Duration,
}

struct Try<E> {
    at: UnixTime,
    failure: Option<Arc<E>>,
    /// How many have failed in a row, this one included.
    failures: u32,
}

/// What a document of some age is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Fresh,
    Ageing,
    Stale,
    Gone,
}

impl<L: Load> Refreshing<L> {
    pub(crate) fn new(load: L, lives: Lives, clock: Arc<dyn Clock>) -> Self {
        let state = ArcSwap::from_pointee(State {
            held: None,
            last_try: None,
        });
        Self(Arc::new(Inner {
            load,
            lives,
            clock,
            state,
            flight: Flight::default(),
            without: Semaphore::new(lives.crowd.without),
            strangers: Semaphore::new(lives.crowd.strangers),
        }))
    }

    /// The document. Waits only if there is none that may be used, or if the one there is has
    /// outlived its life.
    pub(crate) async fn get(&self) -> Result<Arc<L::Document>, Arc<L::Error>> {
        let (state, now) = (self.0.state.load(), self.0.clock.now());
        match self.0.freshness(&state, now) {
            (Freshness::Fresh, Some(held)) => return Ok(held.document.clone()),
            (Freshness::Ageing, Some(held)) => {
                self.refresh_behind(&state, now);
                return Ok(held.document.clone());
            }
            (Freshness::Stale, Some(held))
                if state
                    .failure()
                    .is_some_and(|failure| self.0.outlives(failure)) =>
            {
                self.refresh_behind(&state, now);
                return Ok(held.document.clone());
            }
            _ => {}
        }
        if let Some(failure) = state.recent_failure(&self.0.lives, now) {
            return Err(failure.clone());
        }
        let Ok(_place) = self.0.without.try_acquire() else {
            return Err(Arc::new(LoadError::crowded()));
        };
        let state = arc_swap::Guard::into_inner(state);
        self.refresh(&state).await;
        self.0.usable()
    }

    /// What there is now, and what came of the last try. Asks nothing.
    pub(crate) fn standing(&self) -> Standing<L::Document, L::Error> {
        let state = self.0.state.load();
        let failure = state.last_try.as_ref();
        Standing {
            held: state.held.as_ref().map(Held::again),
            failure: failure.and_then(|last| Some((last.at, last.failure.clone()?))),
            stale: self.0.lives.stale,
        }
    }

    /// A document other than `seen`, if there is one by now, or if asking once more brings one;
    /// asks at most once per cooldown, which begins with the try, whatever that brings. Fails if the
    /// last that was heard is a failure: there may be one, then.
    pub(crate) async fn other_than(
        &self,
        seen: &Arc<L::Document>,
    ) -> Result<Option<Arc<L::Document>>, Arc<L::Error>> {
        let state = self.0.state.load_full();
        let rests = state
            .last_try
            .as_ref()
            .is_some_and(|last| last.is_within(self.0.lives.cooldown, self.0.clock.now()));
        if !rests && state.other_than(seen).is_none() {
            let Ok(_place) = self.0.strangers.try_acquire() else {
                return Ok(None);
            };
            self.refresh(&state).await;
        }
        let state = self.0.state.load();
        match (state.other_than(seen), state.failure()) {
            (None, Some(failure)) => Err(failure.clone()),
            (other, _) => Ok(other),
        }
    }

    /// Waits for a load, unless there has been one since `seen`. What it found stands in the state.
    async fn refresh(&self, seen: &State<L>) {
        let inner = &self.0;
        let found = inner
            .flight
            .join(|| inner.loaded_since(seen), || Reload(inner.clone()));
        // In a box, so that each caller that need not wait moves less memory. A load that was lost
        // with its runtime has found nothing.
        let _ = Box::pin(found).await;
    }

    /// As `refresh`, without waiting, and not too soon after a failure.
    fn refresh_behind(&self, seen: &State<L>, now: UnixTime) {
        let inner = &self.0;
        if seen.recent_failure(&inner.lives, now).is_none() {
            let _ = inner
                .flight
                .board(|| inner.loaded_since(seen), || Reload(inner.clone()));
        }
    }
}

/// One load, for all callers.
struct Reload<L: Load>(Arc<Inner<L>>);

impl<L: Load> Trip for Reload<L> {
    type Found = Arc<State<L>>;

    fn flight(&self) -> &Flight<Self::Found> {
        &self.0.flight
    }

    fn time_limit(&self) -> Duration {
        self.0.lives.timeout
    }

    async fn fly(&self) -> Arc<State<L>> {
        Arc::new(self.0.load_now().await)
    }

    fn keep(&self, state: &Arc<State<L>>) {
        self.0.state.store(state.clone());
    }
}

impl<L: Load> Inner<L> {
    fn freshness<'s>(
        &self,
        state: &'s State<L>,
        now: UnixTime,
    ) -> (Freshness, Option<&'s Held<L::Document>>) {
        let Some(held) = &state.held else {
            return (Freshness::Gone, None);
        };
        let freshness = match now.since(held.loaded_at) {
            Some(age) if age < held.life * 3 / 4 => Freshness::Fresh,
            Some(age) if age < held.life => Freshness::Ageing,
            Some(age) if age < held.life.saturating_add(self.lives.stale) => Freshness::Stale,
            // A clock that was set back tells nothing about the age; one that was set back far
            // would let a document be used for ever.
            None if held.loaded_at <= now.plus(self.lives.stale) => Freshness::Stale,
            _ => Freshness::Gone,
        };
        (freshness, Some(held))
    }

    /// Whether a document that has outlived its life is used after this failure.
    fn outlives(&self, failure: &Arc<L::Error>) -> bool {
        match self.lives.stale_after {
            StaleAfter::AnyFailure => true,
            StaleAfter::NoAnswer => failure.is_transient(),
        }
    }

    /// What there is after a try: fresh, or stale for want of better.
    fn usable(&self) -> Result<Arc<L::Document>, Arc<L::Error>> {
        let state = self.state.load();
        match (self.freshness(&state, self.clock.now()), state.failure()) {
            ((Freshness::Stale, Some(_)), Some(failure)) if !self.outlives(failure) => {
                Err(failure.clone())
            }
            ((Freshness::Gone, _) | (_, None), failure) => Err(failure
                .cloned()
                .unwrap_or_else(|| Arc::new(LoadError::timed_out()))),
            ((_, Some(held)), _) => Ok(held.document.clone()),
        }
    }

    /// The state, if it is another than `seen`.
    fn loaded_since(&self, seen: &State<L>) -> Option<Arc<State<L>>> {
        let state = self.state.load();
        (!std::ptr::eq(seen, &**state)).then(|| arc_swap::Guard::into_inner(state))
    }

    /// Tries once, and answers what there is then.
    async fn load_now(&self) -> State<L> {
        let before = self.state.load_full();
        let at = self.clock.now();
        let previous = before.held.as_ref().map(|held| &held.document);
        let loaded = timeout(self.lives.timeout, self.load.load(previous)).await;
        match loaded.unwrap_or_else(|_| Err(LoadError::timed_out())) {
            Ok(loaded) => {
                let held = self.held(loaded, at);
                self.load.succeeded(&held);
                State {
                    held: Some(held),
                    last_try: Some(Try {
                        at,
                        failure: None,
                        failures: 0,
                    }),
                }
            }
            Err(error) => {
                self.load.failed(&error);
                let held = match &before.held {
                    Some(held) => Some(held.again()),
                    None => self.load.recall().await,
                };
                let before = before.last_try.as_ref().map_or(0, |last| last.failures);
                State {
                    held,
                    last_try: Some(Try {
                        at,
                        failure: Some(Arc::new(error)),
                        failures: before.saturating_add(1),
                    }),
                }
            }
        }
    }

    fn held(&self, loaded: Loaded<L::Document>, at: UnixTime) -> Held<L::Document> {
        let Lives {
            minimum,
            maximum,
            usual,
            ..
        } = self.lives;
        Held {
            document: loaded.document,
            loaded_at: at,
            life: loaded.max_age.unwrap_or(usual).clamp(minimum, maximum),
        }
    }
}

impl<L: Load> State<L> {
    fn other_than(&self, seen: &Arc<L::Document>) -> Option<Arc<L::Document>> {
        self.held
            .as_ref()
            .map(|held| &held.document)
            .filter(|document| !Arc::ptr_eq(document, seen))
            .cloned()
    }

    /// The failure of the last try.
    fn failure(&self) -> Option<&Arc<L::Error>> {
        self.last_try.as_ref()?.failure.as_ref()
    }

    /// The failure of the last try, if it is too early for the next.
    fn recent_failure(&self, lives: &Lives, now: UnixTime) -> Option<&Arc<L::Error>> {
        let last = self.last_try.as_ref()?;
        let doublings = last.failures.saturating_sub(1).min(30);
        let pause = lives.pause.saturating_mul(1 << doublings);
        let rests = last.is_within(pause.min(lives.longest_pause), now);
        last.failure.as_ref().filter(|_| rests)
    }
}

impl<E> Try<E> {
    fn is_within(&self, pause: Duration, now: UnixTime) -> bool {
        now.since(self.at).is_some_and(|ago| ago < pause)
    }
}

impl<D> Held<D> {
    pub(crate) fn again(&self) -> Self {
        Self {
            document: self.document.clone(),
            loaded_at: self.loaded_at,
            life: self.life,
        }
    }
}
