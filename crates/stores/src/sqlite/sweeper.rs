//! Removing what has ended: a little at a time, beside a group of jobs and in its commit, so that
//! no request waits long behind it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock, UnixTime},
    storage::FamilyId,
};
use rusqlite::Connection;

use super::{
    artifact, change_record, claim_rows, decision, marks::Marks, open::Options, replay::Claims,
    statistics,
};
use crate::{ChangeRetention, Retention, Upkeep, steady::Steady};

/// How often.
const EVERY: Duration = Duration::from_millis(100);
/// How long ago something has to have ended to be removed.
const MARGIN: Duration = Duration::from_secs(10);
/// Most rows of a table at a time: more than can be added in that time.
const ROWS: i64 = 2_500;
/// Changes kept for servers to read; one that fell further behind forgets its whole cache.
const CHANGES_KEPT: i64 = 10_000;

/// When it is due.
pub(super) struct Sweeper {
    clock: Arc<dyn Clock>,
    steady: Steady,
    marks: Arc<Marks>,
    leeway: Duration,
    upkeep: Upkeep,
    retention: Retention,
    changes: ChangeRetention,
    due: UnixTime,
}

impl Sweeper {
    pub(super) fn new(options: &Options, marks: Arc<Marks>) -> Self {
        let now = options.clock.now();
        Self {
            clock: options.clock.clone(),
            steady: Steady::new(now, Instant::now()),
            marks,
            leeway: options.leeway,
            upkeep: options.upkeep,
            retention: options.retention,
            changes: options.changes,
            due: now,
        }
    }

    pub(super) fn is_due(&self) -> bool {
        if self.upkeep == Upkeep::ByOthers {
            return false;
        }
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
        if let Err(error) = self.marks.check_clock(transaction, now, self.leeway) {
            tracing::error!(%error, "it could not be recorded that the clock was ahead");
        }
        // A clock that is set back a little is nothing to speak of.
        let now = self.steady.believe(now, Instant::now()).minus(MARGIN);
        claims.sweep_some(now);
        if let Err(error) = self.sweep_tables(transaction, now) {
            tracing::warn!(%error, "what has ended could not be removed");
        }
    }

    fn sweep_tables(&self, transaction: &Connection, now: UnixTime) -> rusqlite::Result<()> {
        let claims = claim_rows::sweep(transaction, now.millis(), ROWS)?;
        let ended = now.minus(FamilyId::KEPT_BEYOND_END);
        let families = artifact::sweep_ended(transaction, ended, ROWS)?;
        if claims + families > 0 {
            // A clock that was ahead at the start of the process is found out later, when it is set
            // back.
            self.marks.removes(transaction, now)?;
        }
        artifact::sweep(transaction, now, ROWS)?;
        decision::sweep(transaction, self.retention, now.millis(), ROWS)?;
        change_record::sweep(transaction, self.changes, now, ROWS)?;
        statistics::sweep(transaction, now, ROWS)?;
        let newest = "SELECT coalesce(max(sequence), 0) FROM change";
        let delete = format!("DELETE FROM change WHERE sequence <= ({newest}) - ?1");
        transaction
            .prepare_cached(&delete)?
            .execute([CHANGES_KEPT])
            .map(drop)
    }
}
