//! How many requests were decided, in SQLite: one row per minute and kind, written beside the
//! decisions, never waited for. Several processes add to the same row.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    server::Decision,
    storage::{
        Count, CountBy, CountQuery, CountStep, DecisionKind, HOURS_KEPT, MINUTES_KEPT,
        StatisticsStore, StoreError,
    },
};
use rusqlite::Connection;

use super::SqliteStore;
use crate::tally::Row;

/// Adds to the rows. What cannot be written is lost.
pub(super) fn write(connection: &Connection, counts: &[(Row, u64)]) {
    for ((minute, kind), count) in counts {
        if let Err(error) = add(connection, *minute, kind, *count) {
            tracing::warn!(%error, "decisions could not be counted");
        }
    }
}

fn add(
    connection: &Connection,
    minute: UnixTime,
    kind: &DecisionKind,
    count: u64,
) -> rusqlite::Result<()> {
    let add = "INSERT INTO statistic (span, start, endpoint, outcome, rule, count) VALUES (1, ?1, ?2, ?3, ?4, ?5) \
        ON CONFLICT DO UPDATE SET count = count + excluded.count";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rule = kind.rule().unwrap_or_default();
    let values = (
        minute.millis(),
        kind.endpoint(),
        kind.outcome(),
        rule,
        count,
    );
    connection.prepare_cached(add)?.execute(values).map(drop)
}

#[async_trait]
impl StatisticsStore for SqliteStore {
    fn count(&self, decision: &Decision) {
        let minute = CountStep::Minute.start(decision.at);
        let kind = DecisionKind::of(decision);
        self.0.writer.count((minute, kind));
    }

    async fn counts(&self, query: &CountQuery, limit: u32) -> Result<Vec<Count>, StoreError> {
        let query = *query;
        let read = move |connection: &Connection| Ok(read(connection, &query, limit)?);
        self.0.lists.read(read).await
    }
}

fn read(connection: &Connection, query: &CountQuery, limit: u32) -> rusqlite::Result<Vec<Count>> {
    let (key, which) = match query.by {
        CountBy::Outcome => ("outcome", ""),
        CountBy::Rule => ("rule", " AND rule <> ''"),
        CountBy::Endpoint => ("endpoint", ""),
    };
    // No row begins before 1970.
    let select = format!(
        "SELECT start / ?1 * ?1 AS step, {key} AS key, sum(count) FROM statistic \
            WHERE span IN (1, 60) AND start >= ?2 AND start < ?3{which} GROUP BY step, key ORDER BY step, key LIMIT ?4"
    );
    let step = i64::try_from(query.step.length().as_millis()).unwrap_or(i64::MAX);
    let values = (step, query.from.millis(), query.to.millis(), limit);
    let mut statement = connection.prepare_cached(&select)?;
    let rows = statement.query_map(values, |row| {
        Ok(Count {
            start: UnixTime::from_millis(row.get(0)?),
            key: row.get(1)?,
            count: row.get::<_, i64>(2)?.unsigned_abs(),
        })
    })?;
    rows.collect()
}

/// Adds up by the hour what is old, and removes what is older, a bounded number of rows at a time.
pub(super) fn sweep(connection: &Connection, now: UnixTime, most: i64) -> rusqlite::Result<()> {
    let until = now.minus(MINUTES_KEPT).start_of_hour().millis();
    if is_before(connection, 1, until)? {
        // Both or neither: what is added up and stays would count twice.
        connection.execute_batch("SAVEPOINT fold")?;
        let folded = fold(connection, until, most);
        let end = match folded {
            Ok(()) => "RELEASE fold",
            Err(_) => "ROLLBACK TO fold; RELEASE fold",
        };
        folded.and(connection.execute_batch(end))?;
    }
    let until = now.minus(HOURS_KEPT).millis();
    if is_before(connection, 60, until)? {
        let mut statement = connection.prepare_cached(&remove(60))?;
        statement.execute((until, most))?;
    }
    Ok(())
}

/// `?1` is a span, `?2` when the first others begin.
const IS_BEFORE: &str = "SELECT min(start) < ?2 FROM statistic WHERE span = ?1";

fn is_before(connection: &Connection, span: u8, until: i64) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(IS_BEFORE)?;
    let is_before = statement.query_row((span, until), |row| row.get::<_, Option<bool>>(0))?;
    Ok(is_before == Some(true))
}

fn fold(connection: &Connection, until: i64, most: i64) -> rusqlite::Result<()> {
    let values = (until, most);
    connection.prepare_cached(&add_up())?.execute(values)?;
    let mut remove = connection.prepare_cached(&remove(1))?;
    remove.execute(values).map(drop)
}

/// The oldest rows of a span: `?1` is when the first others begin, `?2` how many at most.
fn oldest(span: u8, columns: &str) -> String {
    format!(
        "SELECT {columns} FROM statistic WHERE span = {span} AND start < ?1 \
            ORDER BY span, start, endpoint, outcome, rule LIMIT ?2"
    )
}

fn add_up() -> String {
    let oldest = oldest(1, "*");
    let hour = CountStep::Hour.length().as_millis();
    format!(
        "INSERT INTO statistic (span, start, endpoint, outcome, rule, count) \
            SELECT 60, start / {hour} * {hour} AS hour, endpoint, outcome, rule, sum(count) FROM ({oldest}) WHERE true \
            GROUP BY hour, endpoint, outcome, rule \
            ON CONFLICT DO UPDATE SET count = count + excluded.count"
    )
}

fn remove(span: u8) -> String {
    let key = "span, start, endpoint, outcome, rule";
    let oldest = oldest(span, key);
    format!("DELETE FROM statistic WHERE ({key}) IN ({oldest})")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sqlite::{Options, open};

    const HOUR: Duration = CountStep::Hour.length();

    /// Rows of this span: how many, and how often something was counted.
    fn rows(connection: &Connection, span: u8) -> (i64, i64) {
        let sum = "SELECT count(*), coalesce(sum(count), 0) FROM statistic WHERE span = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        connection.query_row(sum, [span], read).expect("a sum")
    }

    /// However the pieces lie in the hours, each count is there once.
    #[test]
    fn m084_a_piece_at_a_time_is_added_up_and_then_removed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        drop(SqliteStore::open(directory.path(), &Options::default()).expect("the store opens"));
        let path = directory.path().join("grantor.db");
        let connection = open::connect_to_write(&path).expect("a connection");
        let fill = "WITH RECURSIVE minute(number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM minute WHERE number < 119), \
            kind(rule) AS (VALUES (''), ('aud'), ('exp')) \
            INSERT INTO statistic SELECT 1, number * 60000, 'token', 'refused', rule, 2 FROM minute, kind";
        connection.execute_batch(fill).expect("filled");
        assert_eq!(rows(&connection, 1), (360, 720));

        let now = UnixTime::from_millis(0).plus(MINUTES_KEPT + HOUR);
        for left in [80, 0, 0] {
            sweep(&connection, now, 100).expect("swept");
            assert_eq!(rows(&connection, 1).0, 180 + left);
            let (_, minutes) = rows(&connection, 1);
            let (_, hours) = rows(&connection, 60);
            assert_eq!(minutes + hours, 720);
        }
        assert_eq!(rows(&connection, 60), (3, 360));

        let now = UnixTime::from_millis(0).plus(HOURS_KEPT + HOUR);
        (0..3).for_each(|_| sweep(&connection, now, 100).expect("swept"));
        assert_eq!(rows(&connection, 60), (3, 360));
        assert_eq!(rows(&connection, 1), (0, 0));
    }

    /// A sweep that has to look at all rows would make requests wait.
    #[test]
    fn m084_a_sweep_finds_what_is_old_by_its_place() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        drop(SqliteStore::open(directory.path(), &Options::default()).expect("the store opens"));
        let path = directory.path().join("grantor.db");
        let connection = open::connect_to_write(&path).expect("a connection");
        for statement in [IS_BEFORE.to_owned(), add_up(), remove(1)] {
            let explain = format!("EXPLAIN QUERY PLAN {statement}");
            let mut plan = connection.prepare(&explain).expect("a statement");
            let steps = plan.query_map((1, 1), |row| row.get::<_, String>(3));
            for step in steps.expect("a plan") {
                let step = step.expect("a step");
                assert!(!step.starts_with("SCAN statistic"), "{step}: {statement}");
            }
        }
    }
}
