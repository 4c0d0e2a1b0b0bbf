//! What was counted and is not on the disk yet: in memory, until the writer takes it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use grantor::{clock::UnixTime, storage::DecisionKind};

/// How long counts wait for more of their kind: a row is written once for all of them.
const GATHER: Duration = Duration::from_millis(200);
/// Rows that may wait: those of hours in which nothing can be written.
const ROWS: usize = 8192;

/// The minute and kind of a row.
pub(crate) type Row = (UnixTime, DecisionKind);

/// Counters, one for each row. Counting takes a short lock, and memory for the first of a row.
#[derive(Default)]
pub(crate) struct Tally(Mutex<Counters>);

#[derive(Default)]
struct Counters {
    waiting: HashMap<Row, u64>,
    /// Those in the transaction that is under way.
    taken: Vec<(Row, u64)>,
    /// When they were taken last.
    at: Option<Instant>,
    has_lost: bool,
}

impl Tally {
    /// One more.
    pub(crate) fn count(&self, row: Row) {
        self.counters().add(row, 1);
    }

    /// Whether there is something to write, and more of its kind had time to come.
    pub(crate) fn is_due(&self) -> bool {
        let counters = self.counters();
        !counters.waiting.is_empty() && counters.at.is_none_or(|at| at.elapsed() >= GATHER)
    }

    /// Lets the next group take what there is.
    pub(crate) fn hurry(&self) {
        self.counters().at = None;
    }

    /// Whether all of it is on the disk.
    pub(crate) fn is_written(&self) -> bool {
        let counters = self.counters();
        counters.waiting.is_empty() && counters.taken.is_empty()
    }

    /// Takes all, to be written by a transaction, of which [`Tally::ended`] is told.
    pub(crate) fn take(&self) -> Vec<(Row, u64)> {
        let mut counters = self.counters();
        counters.at = Some(Instant::now());
        let Counters { waiting, taken, .. } = &mut *counters;
        taken.extend(waiting.drain());
        taken.clone()
    }

    /// What was taken is on the disk; or it may not be, and waits again. Where only the answer was
    /// lost, it is counted twice.
    pub(crate) fn ended<E>(&self, committed: &Result<(), E>) {
        let mut counters = self.counters();
        let taken = std::mem::take(&mut counters.taken);
        if committed.is_err() {
            taken
                .into_iter()
                .for_each(|(row, count)| counters.add(row, count));
        }
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    /// Where too many rows wait, none is added.
    fn add(&mut self, row: Row, count: u64) {
        if let Some(counter) = self.waiting.get_mut(&row) {
            *counter += count;
        } else if self.waiting.len() < ROWS {
            self.waiting.insert(row, count);
        } else if !self.has_lost {
            self.has_lost = true;
            tracing::warn!("decisions are not counted: the counts of hours could not be written");
        }
    }
}

#[cfg(test)]
mod tests {
    use grantor::server::Decision;

    use super::*;

    fn row(minute: u32) -> Row {
        let refused = r#"{"id":"x0dk2vq8c3pmz7t","at":0,"endpoint":"token","outcome":
            {"outcome":"refused","error":"invalid_grant","rule":"aud","cause":""}}"#;
        let decision = Decision::read(refused).expect("a decision");
        let minute = UnixTime::from_millis(0).plus(minute * Duration::from_secs(60));
        (minute, DecisionKind::of(&decision))
    }

    #[test]
    fn m084_what_could_not_be_committed_is_added_to_what_came_since() {
        let tally = Tally::default();
        assert!(tally.is_written() && !tally.is_due());
        (0..3).for_each(|_| tally.count(row(1)));
        assert_eq!(tally.take(), [(row(1), 3)]);
        assert!(!tally.is_written() && !tally.is_due());
        tally.count(row(1));
        tally.ended(&Err("full"));
        assert_eq!(tally.take(), [(row(1), 4)]);
        tally.ended(&Ok::<_, ()>(()));
        assert!(tally.is_written() && tally.take().is_empty());
    }

    #[test]
    fn m084_counts_wait_for_more_of_their_kind_unless_told_to_hurry() {
        let tally = Tally::default();
        tally.count(row(1));
        assert!(tally.is_due());
        tally.take();
        tally.ended(&Ok::<_, ()>(()));
        tally.count(row(1));
        assert!(!tally.is_due());
        tally.hurry();
        assert!(tally.is_due());
    }

    #[test]
    fn ma41_rows_that_wait_have_an_end_and_those_that_are_there_are_counted() {
        let tally = Tally::default();
        let many = u32::try_from(ROWS).expect("a number") + 10;
        (0..many).for_each(|minute| tally.count(row(minute)));
        tally.count(row(0));
        let taken = tally.take();
        assert_eq!(taken.len(), ROWS);
        assert!(taken.contains(&(row(0), 2)));
    }
}
