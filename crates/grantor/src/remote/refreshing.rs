//! When a document of the authorization server is asked for again: in time, once for everybody, and
//! not at a stranger's word.
//!
//! ```text
//!  loaded        3/4 of its life           its life ends             + stale
//!    |---- used ----|-- used, asked again in --|-- asked again, used if --|-- refused until --
//!    |              |   the background         |   that fails             |   there is an answer
//! ```

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::SourceError;
use crate::clock::{Clock, UnixTime};

/// The next try after a failed one, at the earliest.
const RETRY: Duration = Duration::from_secs(5);

/// Loads a document.
#[async_trait]
pub(super) trait Load: Send + Sync + 'static {
    type Document: Send + Sync + 'static;

    /// Loads it once. Answers `previous` itself if and only if nothing has changed.
    async fn load(
        &self,
        previous: Option<&Arc<Self::Document>>,
    ) -> Result<Loaded<Self::Document>, SourceError>;
}

/// A document, and for how long its server wants it to be used.
pub(super) struct Loaded<D> {
    pub(super) document: Arc<D>,
    pub(super) max_age: Option<Duration>,
}

/// How long documents are used. `maximum` bounds how long a removed key still works while the
/// server answers, `maximum + stale` while it does not.
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
    /// Set while a load is under way.
    loading: Mutex<Option<Loading>>,
}

/// A load under way. `end` is closed when it has ended, well or not.
#[derive(Clone)]
struct Loading {
    started: Instant,
    end: watch::Receiver<()>,
}

impl Loading {
    /// How long it is still waited for. One that takes twice its time hangs with a runtime that
    /// nobody drives.
    fn patience(&self, lives: &Lives) -> Duration {
        lives
            .timeout
            .saturating_mul(2)
            .saturating_sub(self.started.elapsed())
    }
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
        let state = ArcSwap::from_pointee(State {
            held: None,
            last_try: None,
        });
        Self(Arc::new(Inner {
            load,
            lives,
            clock,
            state,
            loading: Mutex::default(),
        }))
    }

    /// The document. Waits only if there is none that may be used, or if the one there is has
    /// outlived its life.
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

    /// A document other than `seen`, if there is one by now, or if asking once more brings one;
    /// asks at most once per cooldown. Fails if the last that was heard is a failure: there may
    /// be one, then.
    pub(super) async fn other_than(
        &self,
        seen: &Arc<L::Document>,
    ) -> Result<Option<Arc<L::Document>>, Arc<SourceError>> {
        let state = self.0.state.load_full();
        let rests = state
            .last_try
            .as_ref()
            .is_some_and(|last| last.is_within(self.0.lives.cooldown, self.0.clock.now()));
        if !rests && state.other_than(seen).is_none() {
            self.refresh(&state).await;
        }
        let state = self.0.state.load();
        match (state.other_than(seen), state.failure()) {
            (None, Some(failure)) => Err(failure),
            (other, _) => Ok(other),
        }
    }

    /// Waits for a load, unless there has been one since `seen`.
    async fn refresh(&self, seen: &State<L::Document>) {
        // One that was aborted with somebody else's runtime, or hangs with it, is made once more on
        // this one.
        for _ in 0..2 {
            let Some(mut loading) = self.join(seen) else {
                return;
            };
            let patience = loading.patience(&self.0.lives);
            // What it found stands in the state.
            let _ = timeout(patience, loading.end.changed()).await;
        }
    }

    /// As `refresh`, without waiting.
    fn refresh_behind(&self, seen: &State<L::Document>, now: UnixTime) {
        if seen.failure_within(RETRY, now).is_none() {
            self.join(seen);
        }
    }

    /// Takes the load that is under way, or starts one; neither if there has been one since `seen`.
    /// In a task of its own: a caller that gives up must not undo the wait of others.
    fn join(&self, seen: &State<L::Document>) -> Option<Loading> {
        let mut current = self.0.loading();
        if !std::ptr::eq(seen, &**self.0.state.load()) {
            return None;
        }
        if let Some(loading) = current
            .as_ref()
            .filter(|loading| !loading.patience(&self.0.lives).is_zero())
        {
            return Some(loading.clone());
        }
        let (sender, end) = watch::channel(());
        let loading = Loading {
            started: Instant::now(),
            end,
        };
        *current = Some(loading.clone());
        // A runtime that is shutting down drops the task at once, and the turn takes the lock when
        // dropped.
        drop(current);
        let turn = Turn {
            inner: self.0.clone(),
            sender,
        };
        tokio::spawn(async move {
            let state = turn.inner.load_now().await;
            turn.end(state);
        });
        Some(loading)
    }
}

/// The right to load. However it ends, another may be started.
struct Turn<L: Load> {
    inner: Arc<Inner<L>>,
    sender: watch::Sender<()>,
}

impl<L: Load> Turn<L> {
    /// What a load finds that was taken for lost is too old: another has been started since.
    fn end(self, state: State<L::Document>) {
        let mut current = self.inner.loading();
        if self.is_given_back(&mut current) {
            self.inner.state.store(Arc::new(state));
        }
    }

    /// Whether the load under way was this one. It is so no more.
    fn is_given_back(&self, current: &mut Option<Loading>) -> bool {
        current
            .take_if(|loading| loading.end.same_channel(&self.sender.subscribe()))
            .is_some()
    }
}

impl<L: Load> Drop for Turn<L> {
    fn drop(&mut self) {
        self.is_given_back(&mut self.inner.loading());
    }
}

impl<L: Load> Inner<L> {
    fn freshness<'s>(
        &self,
        state: &'s State<L::Document>,
        now: UnixTime,
    ) -> (Freshness, Option<&'s Held<L::Document>>) {
        let Some(held) = &state.held else {
            return (Freshness::Gone, None);
        };
        let freshness = match since(held.loaded_at, now) {
            Some(age) if age < held.life * 3 / 4 => Freshness::Fresh,
            Some(age) if age < held.life => Freshness::Ageing,
            Some(age) if age < held.life + self.lives.stale => Freshness::Stale,
            // A clock that was set back tells nothing about the age; one that was set back far
            // would let a document be used for ever.
            None if held.loaded_at <= now.plus(self.lives.stale) => Freshness::Stale,
            _ => Freshness::Gone,
        };
        (freshness, Some(held))
    }

    /// What there is after a try: fresh, or stale for want of better.
    fn usable(&self) -> Result<Arc<L::Document>, Arc<SourceError>> {
        let state = self.state.load();
        match self.freshness(&state, self.clock.now()) {
            (Freshness::Gone, _) | (_, None) => Err(state
                .failure()
                .unwrap_or_else(|| Arc::new(SourceError::TimedOut))),
            (_, Some(held)) => Ok(held.document.clone()),
        }
    }

    fn loading(&self) -> MutexGuard<'_, Option<Loading>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries once, and answers what there is then.
    async fn load_now(&self) -> State<L::Document> {
        let before = self.state.load_full();
        let at = self.clock.now();
        let previous = before.held.as_ref().map(|held| &held.document);
        let loaded = timeout(self.lives.timeout, self.load.load(previous)).await;
        match loaded.unwrap_or(Err(SourceError::TimedOut)) {
            Ok(Loaded { document, max_age }) => {
                let life = max_age
                    .unwrap_or(self.lives.maximum)
                    .clamp(self.lives.minimum, self.lives.maximum);
                let held = Held {
                    document,
                    loaded_at: at,
                    life,
                };
                State {
                    held: Some(held),
                    last_try: Some(Try { at, failure: None }),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the authorization server's documents could not be refreshed");
                let held = before.held.as_ref().map(Held::again);
                State {
                    held,
                    last_try: Some(Try {
                        at,
                        failure: Some(Arc::new(error)),
                    }),
                }
            }
        }
    }
}

impl<D> State<D> {
    fn other_than(&self, seen: &Arc<D>) -> Option<Arc<D>> {
        self.held
            .as_ref()
            .map(|held| &held.document)
            .filter(|document| !Arc::ptr_eq(document, seen))
            .cloned()
    }

    fn failure(&self) -> Option<Arc<SourceError>> {
        self.last_try.as_ref()?.failure.clone()
    }

    fn has_failed(&self) -> bool {
        self.last_try
            .as_ref()
            .is_some_and(|last| last.failure.is_some())
    }

    /// The failure of the last try, if it is not longer ago than this.
    fn failure_within(&self, pause: Duration, now: UnixTime) -> Option<Arc<SourceError>> {
        self.last_try
            .as_ref()
            .filter(|last| last.is_within(pause, now))?
            .failure
            .clone()
    }
}

impl Try {
    fn is_within(&self, pause: Duration, now: UnixTime) -> bool {
        since(self.at, now).is_some_and(|ago| ago < pause)
    }
}

impl<D> Held<D> {
    fn again(&self) -> Self {
        Self {
            document: self.document.clone(),
            loaded_at: self.loaded_at,
            life: self.life,
        }
    }
}

/// How long ago `then` was; `None` if it has not been yet.
pub(super) fn since(then: UnixTime, now: UnixTime) -> Option<Duration> {
    u64::try_from(now.millis().saturating_sub(then.millis()))
        .ok()
        .map(Duration::from_millis)
}
