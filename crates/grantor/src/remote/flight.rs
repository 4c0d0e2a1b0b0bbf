//! Single flight: one job at a time, however many callers want what it brings. It runs in a task of
//! its own, so that a caller that gives up does not end it for the others, and it is started again
//! where the runtime that ran it is gone.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout},
};

/// How long after its own time limit a flight is taken for lost: its runtime is not driven.
const OVERDUE: Duration = Duration::from_secs(5);

/// A job that is done once for all callers that want it.
pub(crate) trait Trip: Send + Sync + 'static {
    /// What it brings.
    type Found: Clone + Send + Sync + 'static;

    /// The flight in which it is the only one.
    fn flight(&self) -> &Flight<Self::Found>;

    /// How long it takes at most.
    fn time_limit(&self) -> Duration;

    /// Does the job.
    fn fly(&self) -> impl Future<Output = Self::Found> + Send;

    /// Keeps what was found for later callers. No flight starts or lands meanwhile.
    fn keep(&self, found: &Self::Found);
}

/// The job that is under way, if any.
pub(crate) struct Flight<T>(Mutex<Option<Ticket<T>>>);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A wait for a flight. `landing` is closed without a value if the flight was aborted.
#[derive(Clone)]
pub(crate) struct Ticket<T> {
    started: Instant,
    /// How long after its start it is waited for.
    longest: Duration,
    landing: watch::Receiver<Option<T>>,
}

/// What became of wanting what a flight brings.
pub(crate) enum Boarding<T> {
    /// It is there, and nothing is flown for it.
    There(T),
    Flying(Ticket<T>),
}

/// Why nothing came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A flight runs on a tokio runtime, and the caller is in none.
    NoRuntime,
    /// The runtimes that flew were shut down, or are not driven.
    Aborted,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Waits for what the flight under way brings, or for that of a new one; does neither if `there`
    /// has it.
    ///
    /// # Errors
    /// [`Lost`]
    pub(crate) async fn join<P: Trip<Found = T>>(
        &self,
        there: impl Fn() -> Option<T>,
        trip: impl Fn() -> P,
    ) -> Result<T, Lost> {
        // A flight that was aborted with the runtime of another caller, or hangs with it, is flown
        // once more on this one.
        for _ in 0..2 {
            match self.board(&there, &trip)? {
                Boarding::There(found) => return Ok(found),
                Boarding::Flying(ticket) => {
                    if let Some(found) = ticket.landing().await {
                        return Ok(found);
                    }
                }
            }
        }
        Err(Lost::Aborted)
    }

    /// Takes the flight under way, or starts one; neither if `there` has what it would bring. No
    /// flight lands while `there` is asked.
    ///
    /// # Errors
    /// [`Lost::NoRuntime`]
    pub(crate) fn board<P: Trip<Found = T>>(
        &self,
        there: impl FnOnce() -> Option<T>,
        trip: impl FnOnce() -> P,
    ) -> Result<Boarding<T>, Lost> {
        let mut current = self.current();
        if let Some(found) = there() {
            return Ok(Boarding::There(found));
        }
        // Waiting needs one too.
        let runtime = Handle::try_current().map_err(|_| Lost::NoRuntime)?;
        if let Some(ticket) = current.as_ref().filter(|ticket| ticket.is_under_way()) {
            return Ok(Boarding::Flying(ticket.clone()));
        }
        let trip = trip();
        let limit = trip.time_limit();
        let (sender, landing) = watch::channel(None);
        let ticket = Ticket {
            started: Instant::now(),
            longest: limit.saturating_add(OVERDUE.min(limit)),
            landing,
        };
        *current = Some(ticket.clone());
        // A runtime that is shutting down drops the task at once, and the pilot takes the lock when
        // dropped.
        drop(current);
        let pilot = Pilot { trip, sender };
        runtime.spawn(async move {
            let found = pilot.trip.fly().await;
            pilot.land(found);
        });
        Ok(Boarding::Flying(ticket))
    }

    fn current(&self) -> MutexGuard<'_, Option<Ticket<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Ticket<T> {
    /// What the flight brings; `None` if it was lost with its runtime.
    async fn landing(mut self) -> Option<T> {
        let patience = self.patience();
        let landed = timeout(patience, self.landing.wait_for(Option::is_some)).await;
        landed.ok()?.ok()?.clone()
    }

    /// How long it is still waited for.
    fn patience(&self) -> Duration {
        self.longest.saturating_sub(self.started.elapsed())
    }

    fn is_under_way(&self) -> bool {
        self.landing.has_changed().is_ok() && !self.patience().is_zero()
    }
}

/// The right to end a flight. However it ends, the next caller may start another.
struct Pilot<P: Trip> {
    trip: P,
    sender: watch::Sender<Option<P::Found>>,
}

impl<P: Trip> Pilot<P> {
    /// Ends the flight. If it was taken for lost, another has been started since: then what it
    /// brings is kept for no later callers, and given only to those that still wait for it.
    fn land(self, found: P::Found) {
        let mut current = self.trip.flight().current();
        if self.give_back(&mut current) {
            self.trip.keep(&found);
        }
        drop(current);
        self.sender.send_replace(Some(found));
    }

    /// Takes this flight out of its place. Answers whether it was still there.
    fn give_back(&self, current: &mut Option<Ticket<P::Found>>) -> bool {
        current
            .take_if(|ticket| ticket.landing.same_channel(&self.sender.subscribe()))
            .is_some()
    }
}

impl<P: Trip> Drop for Pilot<P> {
    fn drop(&mut self) {
        self.give_back(&mut self.trip.flight().current());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::sync::Semaphore;

    use super::*;

    /// Counts its flights, each of which lands with its number when it is allowed to.
    #[derive(Default)]
    struct Field {
        flight: Flight<usize>,
        flown: AtomicUsize,
        kept: Mutex<Vec<usize>>,
        landings: Option<Semaphore>,
    }

    struct Counted(Arc<Field>);

    impl Trip for Counted {
        type Found = usize;

        fn flight(&self) -> &Flight<usize> {
            &self.0.flight
        }

        fn time_limit(&self) -> Duration {
            Duration::from_secs(10)
        }

        async fn fly(&self) -> usize {
            let number = self.0.flown.fetch_add(1, Ordering::SeqCst);
            if let Some(landings) = &self.0.landings {
                landings.acquire().await.expect("open").forget();
            }
            number
        }

        fn keep(&self, found: &usize) {
            self.0.kept.lock().expect("no panic").push(*found);
        }
    }

    async fn wanted(field: &Arc<Field>) -> Result<usize, Lost> {
        field.flight.join(|| None, || Counted(field.clone())).await
    }

    fn waiting() -> Arc<Field> {
        Arc::new(Field {
            landings: Some(Semaphore::new(0)),
            ..Field::default()
        })
    }

    fn land(field: &Field) {
        let landings = field.landings.as_ref().expect("a field that waits");
        landings.add_permits(1);
    }

    #[tokio::test]
    async fn many_callers_share_one_flight_and_the_next_starts_another() {
        let field = waiting();
        let callers: Vec<_> = (0..50)
            .map(|_| {
                let field = field.clone();
                tokio::spawn(async move { wanted(&field).await })
            })
            .collect();
        // Every caller has boarded once the tasks before this one have run.
        tokio::task::yield_now().await;
        land(&field);
        for caller in callers {
            assert_eq!(caller.await.expect("no panic"), Ok(0));
        }
        land(&field);
        assert_eq!(wanted(&field).await, Ok(1));
        assert_eq!(*field.kept.lock().expect("no panic"), [0, 1]);
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_does_not_end_the_flight() {
        let field = waiting();
        let first = tokio::spawn({
            let field = field.clone();
            async move { wanted(&field).await }
        });
        tokio::task::yield_now().await;
        first.abort();
        land(&field);
        assert_eq!(wanted(&field).await, Ok(0));
        assert_eq!(field.flown.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nothing_is_flown_for_what_is_there() {
        let field = Arc::new(Field::default());
        let there = field.flight.join(|| Some(7), || Counted(field.clone()));
        assert_eq!(there.await, Ok(7));
        assert_eq!(field.flown.load(Ordering::SeqCst), 0);
        assert_eq!(wanted(&field).await, Ok(0), "the control");
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_that_is_lost_is_flown_again_and_what_it_brings_late_is_not_kept() {
        let field = waiting();
        // Both flights of this caller hang, which takes twice 15 s.
        assert_eq!(wanted(&field).await, Err(Lost::Aborted));
        assert_eq!(field.flown.load(Ordering::SeqCst), 2);
        let third = tokio::spawn({
            let field = field.clone();
            async move { wanted(&field).await }
        });
        tokio::task::yield_now().await;
        for _ in 0..3 {
            land(&field);
        }
        assert_eq!(third.await.expect("no panic"), Ok(2));
        assert_eq!(*field.kept.lock().expect("no panic"), [2]);
    }

    #[test]
    fn a_flight_that_ended_with_its_runtime_is_flown_on_another() {
        let runtime = || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
        };
        let (doomed, other) = (runtime().expect("a runtime"), runtime().expect("a runtime"));
        let field = waiting();
        let first = field.clone();
        doomed.block_on(async {
            tokio::spawn(async move { wanted(&first).await });
            while field.flown.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        });
        drop(doomed);
        land(&field);
        assert_eq!(other.block_on(wanted(&field)), Ok(1));
    }

    #[test]
    fn without_a_runtime_only_what_is_there_is_given() {
        let field = Arc::new(Field::default());
        let board = |there| field.flight.board(|| there, || Counted(field.clone()));
        assert!(matches!(board(Some(7)), Ok(Boarding::There(7))));
        assert!(matches!(board(None), Err(Lost::NoRuntime)));
    }
}
