//! Removing what has ended: a little at a time, beside a group of jobs and in its commit, so that no request waits long behind it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use grantor::clock::{Clock, UnixTime};
use rusqlite::Connection;

use super::{
    claim_rows,
    decision::{self, Retention},
    marks::Marks,
    replay::Claims,
    steady::Steady,
};

/// How often.
const EVERY: Duration = Duration::from_millis(100);
/// Most rows of a table at a time: more than can be added in that time.
const ROWS: i64 = 2_500;
/// Changes kept for servers to read; one that fell further behind forgets its whole cache.
const CHANGES_KEPT: i64 = 10_000;

/// When it is due.
pub(super) struct Sweeper {
    clock: Arc<dyn Clock>,
    steady: Steady,
    marks: Arc<Marks>,
    retention: Retention,
    due: UnixTime,
}

impl Sweeper {
    pub(super) fn new(clock: Arc<dyn Clock>, marks: Arc<Marks>, retention: Retention) -> Self {
        let now = clock.now();
        Self { due: now, steady: Steady::new(now, Instant::now()), clock, marks, retention }
    }

    pub(super) fn is_due(&self) -> bool {
        let now = self.clock.now();
        // The second: the clock was set back.
        now >= self.due || now.plus(EVERY) < self.due
    }

    /// Lets the next groups go without it: after a panic, which may have been its own.
    pub(super) fn put_off(&mut self) {
        self.due = self.clock.now().plus(EVERY);
    }

    /// What cannot be removed now is tried again the next time.
    pub(super) fn sweep(&mut self, transaction: &Connection, claims: &mut Claims) {
        let now = self.clock.now();
        self.due = now.plus(EVERY);
        let now = self.steady.believe(now, Instant::now());
        claims.sweep_some(now);
        if let Err(error) = self.sweep_tables(transaction, now) {
            tracing::warn!(%error, "what has ended could not be removed");
        }
    }

    fn sweep_tables(&self, transaction: &Connection, now: UnixTime) -> rusqlite::Result<()> {
        let mut removed = claim_rows::sweep(transaction, now.millis(), ROWS)?;
        for statement in [
            "DELETE FROM token WHERE digest IN (SELECT digest FROM token WHERE expires_at < ?1 LIMIT ?2)",
            "DELETE FROM revocation WHERE digest IN (SELECT digest FROM revocation WHERE until < ?1 LIMIT ?2)",
        ] {
            removed += transaction.prepare_cached(statement)?.execute((now.millis(), ROWS))?;
        }
        if removed > 0 {
            // A clock that was ahead at the start of the process is found out later, when it is set back.
            self.marks.removes(transaction, now)?;
        }
        decision::sweep(transaction, self.retention, now.millis(), ROWS)?;
        let newest = "SELECT coalesce(max(sequence), 0) FROM change";
        let delete = format!("DELETE FROM change WHERE sequence <= ({newest}) - ?1");
        transaction.prepare_cached(&delete)?.execute([CHANGES_KEPT]).map(drop)
    }
}
