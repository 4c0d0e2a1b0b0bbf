//! When a document of the authorization server is asked for again: in time, once for everybody, and not at a stranger's word.
//!
//! ```text
//!  loaded        3/4 of its life           its life ends             + stale
//!    |---- used ----|-- used, asked again in --|-- asked again, used if --|-- refused until --
//!    |              |   the background         |   that fails             |   there is an answer
//! ```

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use async_trait::async_trait;

use super::SourceError;
use crate::clock::{Clock, UnixTime};

/// The next try after a failed one, at the earliest.
const RETRY: Duration = Duration::from_secs(5);

/// Loads a document.
#[async_trait]
pub(super) trait Load: Send + Sync + 'static {
    type Document: Send + Sync + 'static;

    /// Loads it once. Answers `previous` itself if and only if nothing has changed.
    async fn load(&self, previous: Option<&Arc<Self::Document>>) -> Result<Loaded<Self::Document>, SourceError>;
}

/// A document, and for how long its server wants it to be used.
pub(super) struct Loaded<D> {
    pub(super) document: Arc<D>,
    pub(super) max_age: Option<Duration>,
}

/// How long documents are used. `maximum` bounds how long a removed key still works while the server answers, `maximum + stale`
/// while it does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lives {
    pub(super) minimum: Duration,
    pub(super) maximum: Duration,
    pub(super) stale: Duration,
    /// Between two tries that tokens with an unknown `kid` cause.
    pub(super) cooldown: Duration,
    /// Of one try.
    pub(super) timeout: Duration,
}

/// A document that is loaded when it is first needed, and kept fresh.
pub(super) struct Refreshing<L: Load>(Arc<Inner<L>>);

struct Inner<L: Load> {
    load: L,
    lives: Lives,
    clock: Arc<dyn Clock>,
    /// Replaced as a whole and read without a lock.
    state: ArcSwap<State<L::Document>>,
    /// Held by whoever loads.
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct State<D> {
    held: Option<Held<D>>,
    last_try: Option<Try>,
}

struct Held<D> {
    document: Arc<D>,
    loaded_at: UnixTime,
    life: Duration,
}

struct Try {
    at: UnixTime,
    failure: Option<Arc<SourceError>>,
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
    pub(super) fn new(load: L, lives: Lives, clock: Arc<dyn Clock>) -> Self {
        let state = ArcSwap::from_pointee(State { held: None, last_try: None });
        Self(Arc::new(Inner { load, lives, clock, state, turn: Arc::default() }))
    }

    /// The document. Waits only if there is none that may be used, or if the one there is has outlived its life.
    pub(super) async fn get(&self) -> Result<Arc<L::Document>, Arc<SourceError>> {
        let (state, now) = (self.0.state.load(), self.0.clock.now());
        match self.0.freshness(&state, now) {
            (Freshness::Fresh, Some(held)) => return Ok(held.document.clone()),
            (Freshness::Ageing, Some(held)) => {
                self.refresh_behind(&state, now);
                return Ok(held.document.clone());
            }
            (Freshness::Stale, Some(held)) if state.has_failed() => {
                self.refresh_behind(&state, now);
                return Ok(held.document.clone());
            }
            _ => {}
        }
        if let Some(failure) = state.failure_within(RETRY, now) {
            return Err(failure);
        }
        let state = arc_swap::Guard::into_inner(state);
        self.refresh(&state).await;
        self.0.usable()
    }

    /// A document other than `seen`, if there is one by now, or if asking once more brings one; asks at most once per cooldown.
    /// Fails if the last that was heard is a failure: there may be one, then.
    pub(super) async fn other_than(&self, seen: &Arc<L::Document>) -> Result<Option<Arc<L::Document>>, Arc<SourceError>> {
        let state = self.0.state.load_full();
        let rests = state.last_try.as_ref().is_some_and(|last| last.is_within(self.0.lives.cooldown, self.0.clock.now()));
        if !rests && state.other_than(seen).is_none() {
            self.refresh(&state).await;
        }
        let state = self.0.state.load();
        match (state.other_than(seen), state.failure()) {
            (None, Some(failure)) => Err(failure),
            (other, _) => Ok(other),
        }
    }

    /// Loads, unless somebody else has since `seen`. In a task of its own: a caller that gives up must not undo the wait of others.
    async fn refresh(&self, seen: &Arc<State<L::Document>>) {
        let (inner, seen) = (self.0.clone(), seen.clone());
        let task = tokio::spawn(async move {
            let _turn = inner.turn.lock().await;
            if Arc::ptr_eq(&seen, &inner.state.load()) {
                inner.load_now().await;
            }
        });
        // It is only cancelled together with the whole runtime, and what it found stands in the state.
        let _ = task.await;
    }

    /// As `refresh`, without waiting, and at most one at a time.
    fn refresh_behind(&self, seen: &State<L::Document>, now: UnixTime) {
        let Ok(turn) = self.0.turn.clone().try_lock_owned() else { return };
        let unchanged = std::ptr::eq(seen, &**self.0.state.load());
        if unchanged && seen.failure_within(RETRY, now).is_none() {
            let inner = self.0.clone();
            tokio::spawn(async move {
                inner.load_now().await;
                drop(turn);
            });
        }
    }
}

impl<L: Load> Inner<L> {
    fn freshness<'s>(&self, state: &'s State<L::Document>, now: UnixTime) -> (Freshness, Option<&'s Held<L::Document>>) {
        let Some(held) = &state.held else { return (Freshness::Gone, None) };
        // A clock that was set back tells nothing about the age.
        let Some(age) = since(held.loaded_at, now) else { return (Freshness::Stale, Some(held)) };
        let freshness = match age {
            _ if age < held.life * 3 / 4 => Freshness::Fresh,
            _ if age < held.life => Freshness::Ageing,
            _ if age < held.life + self.lives.stale => Freshness::Stale,
            _ => Freshness::Gone,
        };
        (freshness, Some(held))
    }

    /// What there is after a try: fresh, or stale for want of better.
    fn usable(&self) -> Result<Arc<L::Document>, Arc<SourceError>> {
        let state = self.state.load();
        match self.freshness(&state, self.clock.now()) {
            (Freshness::Gone, _) | (_, None) => Err(state.failure().unwrap_or_else(|| Arc::new(SourceError::TimedOut))),
            (_, Some(held)) => Ok(held.document.clone()),
        }
    }

    async fn load_now(&self) {
        let before = self.state.load_full();
        let at = self.clock.now();
        let previous = before.held.as_ref().map(|held| &held.document);
        let loaded = tokio::time::timeout(self.lives.timeout, self.load.load(previous)).await;
        let state = match loaded.unwrap_or(Err(SourceError::TimedOut)) {
            Ok(Loaded { document, max_age }) => {
                let life = max_age.unwrap_or(self.lives.maximum).clamp(self.lives.minimum, self.lives.maximum);
                let held = Held { document, loaded_at: at, life };
                State { held: Some(held), last_try: Some(Try { at, failure: None }) }
            }
            Err(error) => {
                tracing::warn!(%error, "the authorization server's documents could not be refreshed");
                let held = before.held.as_ref().map(Held::again);
                State { held, last_try: Some(Try { at, failure: Some(Arc::new(error)) }) }
            }
        };
        self.state.store(Arc::new(state));
    }
}

impl<D> State<D> {
    fn other_than(&self, seen: &Arc<D>) -> Option<Arc<D>> {
        self.held.as_ref().map(|held| &held.document).filter(|document| !Arc::ptr_eq(document, seen)).cloned()
    }

    fn failure(&self) -> Option<Arc<SourceError>> {
        self.last_try.as_ref()?.failure.clone()
    }

    fn has_failed(&self) -> bool {
        self.last_try.as_ref().is_some_and(|last| last.failure.is_some())
    }

    /// The failure of the last try, if it is not longer ago than this.
    fn failure_within(&self, pause: Duration, now: UnixTime) -> Option<Arc<SourceError>> {
        self.last_try.as_ref().filter(|last| last.is_within(pause, now))?.failure.clone()
    }
}

impl Try {
    fn is_within(&self, pause: Duration, now: UnixTime) -> bool {
        since(self.at, now).is_some_and(|ago| ago < pause)
    }
}

impl<D> Held<D> {
    fn again(&self) -> Self {
        Self { document: self.document.clone(), loaded_at: self.loaded_at, life: self.life }
    }
}

/// How long ago `then` was; `None` if it has not been yet.
pub(super) fn since(then: UnixTime, now: UnixTime) -> Option<Duration> {
    u64::try_from(now.millis().saturating_sub(then.millis())).ok().map(Duration::from_millis)
}
