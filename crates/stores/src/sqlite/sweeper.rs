//! Removing what has ended: a little at a time, beside a group of jobs and in its commit, so that no request waits long behind it.

use std::{sync::Arc, time::Duration};

use grantor::clock::{Clock, UnixTime};
use rusqlite::Connection;

use super::{
    decision::{self, Retention},
    replay::Claims,
};

/// How often.
const EVERY: Duration = Duration::from_millis(100);
/// Most rows of a table at a time: more than can be added in that time.
const ROWS: i64 = 2_500;
/// Changes kept for servers to read; one that fell further behind forgets its whole cache.
const CHANGES_KEPT: i64 = 10_000;

/// When it is due, and how far it has come.
pub(super) struct Sweeper {
    clock: Arc<dyn Clock>,
    retention: Retention,
    due: UnixTime,
    /// Up to where the table of claims was walked through.
    claims_walked: i64,
}

impl Sweeper {
    pub(super) fn new(clock: Arc<dyn Clock>, retention: Retention) -> Self {
        Self { due: clock.now(), clock, retention, claims_walked: 0 }
    }

    pub(super) fn is_due(&self) -> bool {
        let now = self.clock.now();
        // The second: the clock was set back.
        now >= self.due || now.plus(EVERY) < self.due
    }

    /// What cannot be removed now is tried again the next time.
    pub(super) fn sweep(&mut self, transaction: &Connection, claims: &mut Claims) {
        let now = self.clock.now();
        self.due = now.plus(EVERY);
        claims.sweep_some(now);
        if let Err(error) = self.sweep_tables(transaction, now.millis()) {
            tracing::warn!(%error, "what has ended could not be removed");
        }
    }

    fn sweep_tables(&mut self, transaction: &Connection, now: i64) -> rusqlite::Result<()> {
        self.sweep_claims(transaction, now)?;
        for statement in [
            "DELETE FROM token WHERE digest IN (SELECT digest FROM token WHERE expires_at < ?1 LIMIT ?2)",
            "DELETE FROM revocation WHERE digest IN (SELECT digest FROM revocation WHERE until < ?1 LIMIT ?2)",
        ] {
            transaction.prepare_cached(statement)?.execute((now, ROWS))?;
        }
        decision::sweep(transaction, self.retention, now, ROWS)?;
        let newest = "SELECT coalesce(max(sequence), 0) FROM change";
        let delete = format!("DELETE FROM change WHERE sequence <= ({newest}) - ?1");
        transaction.prepare_cached(&delete)?.execute([CHANGES_KEPT]).map(drop)
    }

    /// Walks on through the table, and begins anew at its end.
    fn sweep_claims(&mut self, transaction: &Connection, now: i64) -> rusqlite::Result<()> {
        let range = "SELECT count(*), max(sequence) FROM (
            SELECT sequence FROM replay WHERE sequence > ?1 ORDER BY sequence LIMIT ?2)";
        let ends = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (rows, last): (i64, Option<i64>) = transaction.prepare_cached(range)?.query_row((self.claims_walked, ROWS), ends)?;
        if let Some(last) = last {
            let delete = "DELETE FROM replay WHERE sequence > ?1 AND sequence <= ?2 AND until < ?3";
            transaction.prepare_cached(delete)?.execute((self.claims_walked, last, now))?;
        }
        self.claims_walked = last.filter(|_| rows == ROWS).unwrap_or_default();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use grantor::clock::ManualClock;

    use super::*;

    #[test]
    fn claims_that_last_hide_none_that_have_ended_behind_them() {
        let connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch("CREATE TABLE replay (key, until)").expect("an earlier table");
        connection.execute_batch(include_str!("../../migrations/0006_claims_in_order.sql")).expect("a table");
        let add = |until: i64| {
            connection.execute("INSERT INTO replay (key, until) VALUES (x'', ?1)", [until]).expect("added");
        };
        (0..ROWS + 10).for_each(|_| add(2000));
        (0..ROWS).for_each(|_| add(999));
        add(1000);
        let mut sweeper = Sweeper::new(Arc::new(ManualClock::new(UnixTime::from_millis(1000))), Retention::default());
        let left = |ended: &str| {
            let query = format!("SELECT count(*) FROM replay WHERE until {ended} 1000");
            connection.query_row(&query, [], |row| row.get::<_, i64>(0)).expect("a count")
        };
        sweeper.sweep_claims(&connection, 1000).expect("swept");
        assert_eq!((left("<"), left(">=")), (ROWS, ROWS + 11), "the first part has none that ended");
        (0..2).for_each(|_| sweeper.sweep_claims(&connection, 1000).expect("swept"));
        assert_eq!((left("<"), left(">=")), (0, ROWS + 11));
        // At the end it begins anew.
        (0..2).for_each(|_| sweeper.sweep_claims(&connection, 3000).expect("swept"));
        assert_eq!(left(">="), 0);
    }
}
