//! Whose turn it is to do what takes long: each caller has one at a time, and waits for it without
//! taking another's. So many callers have one at once, in the order in which they came.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns.
pub struct Turns {
    of_all: Arc<Semaphore>,
    /// Of callers who have theirs, or wait for it.
    of_callers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A turn, until it is dropped.
pub struct Turn {
    _own: OwnedSemaphorePermit,
    _one_of_all: OwnedSemaphorePermit,
}

impl Turns {
    /// So many at once.
    pub fn new(at_once: usize) -> Self {
        Self {
            of_all: Arc::new(Semaphore::new(at_once)),
            of_callers: Mutex::default(),
        }
    }

    /// Waits for the turn of a caller. `None` once there are no turns any more.
    pub async fn take(&self, caller: &str) -> Option<Turn> {
        let own = self.of_caller(caller).acquire_owned().await.ok()?;
        let one_of_all = self.of_all.clone().acquire_owned().await.ok()?;
        Some(Turn {
            _own: own,
            _one_of_all: one_of_all,
        })
    }

    fn of_caller(&self, caller: &str) -> Arc<Semaphore> {
        let mut own = self
            .of_callers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Whoever has a turn, or waits for it, holds on to it.
        own.retain(|_, turn| Arc::strong_count(turn) > 1);
        let turn = own.entry(caller.to_owned());
        turn.or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// Whether there is a turn for this caller, without waiting for others to end theirs.
    async fn at_once(turns: &Turns, caller: &str) -> Option<Turn> {
        let taken = timeout(Duration::from_secs(1), turns.take(caller)).await;
        taken.ok().flatten()
    }

    #[tokio::test(start_paused = true)]
    async fn m016_a_caller_has_one_turn_and_waits_for_it_out_of_the_way() {
        let turns = Arc::new(Turns::new(2));
        let first = at_once(&turns, "a").await.expect("a turn");
        assert!(at_once(&turns, "a").await.is_none(), "a second one");
        // Many requests of the one take nothing from another.
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let turns = turns.clone();
                tokio::spawn(async move { drop(turns.take("a").await) })
            })
            .collect();
        tokio::task::yield_now().await;
        let other = at_once(&turns, "b").await.expect("the control");
        assert!(at_once(&turns, "c").await.is_none(), "there are two");
        drop(other);
        assert!(at_once(&turns, "c").await.is_some(), "the control");
        drop(first);
        for each in waiting {
            each.await.expect("it had its turn");
        }
        assert!(at_once(&turns, "a").await.is_some());
        at_once(&turns, "b").await.expect("a turn");
        let known = turns.of_callers.lock().expect("no test fails in between");
        assert_eq!(known.len(), 1, "whoever has gone is forgotten");
    }
}
