//! Decisions in SQLite: written beside the claims, never waited for, kept for a bounded time and number.

use std::time::Duration;

use grantor::{
    clock::UnixTime,
    server::{Decision, DecisionLog, Outcome},
    storage::StoreError,
    types::Shown,
};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params_from_iter};

use super::{SqliteStore, error::Failure};

/// How many decisions are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Most rows.
    pub rows: u64,
    /// Longest age.
    pub age: Duration,
}

impl Default for Retention {
    /// 100,000 decisions, 30 days.
    fn default() -> Self {
        Self { rows: 100_000, age: Duration::from_secs(30 * 86_400) }
    }
}

/// Which decisions are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Only those refused.
    pub refused: bool,
    /// Only the one with this id.
    pub id: Option<String>,
    /// Only those of this party: the client, else the claimed client or issuer.
    pub party: Option<String>,
    /// Only those refused for this rule.
    pub rule: Option<String>,
    /// Only those not older than this.
    pub since: Option<UnixTime>,
    /// Only those after this position.
    pub after: Option<i64>,
}

/// A stored decision: its position, which only grows, and its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDecision {
    /// Position in the order of recording.
    pub sequence: i64,
    /// The decision as JSON.
    pub record: String,
}

/// One row on its way to the writer.
pub(super) struct DecisionRow {
    id: String,
    at: i64,
    refused: bool,
    rule: Option<&'static str>,
    party: Option<String>,
    record: String,
}

impl DecisionRow {
    fn new(decision: &Decision) -> Self {
        let rule = match &decision.outcome {
            Outcome::Refused { rule, .. } => Some(*rule),
            Outcome::Granted | Outcome::Undecided => None,
        };
        let client = decision.client.as_ref().map(ToString::to_string);
        let claimed = |name: &Option<Shown>| name.as_ref().map(ToString::to_string);
        Self {
            id: decision.id.to_string(),
            at: decision.at.millis(),
            refused: rule.is_some(),
            rule,
            party: client.or_else(|| claimed(&decision.claimed_issuer)).or_else(|| claimed(&decision.claimed_client)),
            record: decision.record(),
        }
    }

    fn columns(&self) -> [&dyn ToSql; COLUMNS] {
        [&self.id, &self.at, &self.refused, &self.rule, &self.party, &self.record]
    }
}

/// Columns of a row that are written.
const COLUMNS: usize = 6;
/// Rows in a statement: one for several costs less than several.
const ROWS: [usize; 3] = [16, 4, 1];

/// Writes the decisions to the end of the table. Answers how many could not be recorded.
pub(super) fn append(connection: &Connection, mut decisions: &[DecisionRow]) -> usize {
    let mut lost = 0;
    for rows in ROWS {
        while let Some((some, rest)) = decisions.split_at_checked(rows) {
            if let Err(error) = insert(connection, some) {
                tracing::warn!(%error, "decisions could not be recorded");
                lost += rows;
            }
            decisions = rest;
        }
    }
    lost
}

fn insert(connection: &Connection, decisions: &[DecisionRow]) -> rusqlite::Result<()> {
    let rows = vec!["(?, ?, ?, ?, ?, ?)"; decisions.len()].join(", ");
    let insert = format!("INSERT INTO decision (id, at, refused, rule, party, record) VALUES {rows}");
    let values = params_from_iter(decisions.iter().flat_map(DecisionRow::columns));
    connection.prepare_cached(&insert)?.execute(values).map(drop)
}

impl DecisionLog for SqliteStore {
    /// Hands the decision to the writer. Where too many wait, it is dropped and counted: a request never waits for its record.
    fn record(&self, decision: &Decision) {
        self.0.writer.record(DecisionRow::new(decision));
    }
}

impl SqliteStore {
    /// Decisions that were lost since the start: too many were waiting to be written, or the database could not be written.
    pub fn decisions_dropped(&self) -> u64 {
        self.0.writer.decisions_dropped()
    }

    /// Waits until every decision recorded so far is on disk: before the process ends.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.writer.flush().await
    }

    /// The newest decisions that pass the filter, at most `limit`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn decision_list(&self, filter: DecisionFilter, limit: u32) -> Result<Vec<StoredDecision>, StoreError> {
        let mut found = self.0.readers.read(move |connection| select(connection, &filter, Order::NewestFirst, limit)).await?;
        found.reverse();
        Ok(found)
    }

    /// The oldest decisions that pass the filter, at most `limit`, oldest first: to read on behind them, ask for those after the last.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn decision_page(&self, filter: DecisionFilter, limit: u32) -> Result<Vec<StoredDecision>, StoreError> {
        self.0.readers.read(move |connection| select(connection, &filter, Order::OldestFirst, limit)).await
    }

    /// The position behind which the newest decisions are that pass the filter, at most `newest` of them.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn decision_before(&self, filter: DecisionFilter, newest: u32) -> Result<i64, StoreError> {
        self.0.readers.read(move |connection| before(connection, &filter, newest)).await
    }
}

/// Which end of the table is read from.
#[derive(Clone, Copy)]
enum Order {
    OldestFirst,
    NewestFirst,
}

fn select(connection: &Connection, filter: &DecisionFilter, order: Order, limit: u32) -> Result<Vec<StoredDecision>, Failure> {
    let order = match order {
        Order::OldestFirst => "ASC",
        Order::NewestFirst => "DESC",
    };
    let decision = |row: &Row<'_>| Ok(StoredDecision { sequence: row.get(0)?, record: row.get(1)? });
    filtered(filter, |wanted, values| {
        let query = format!("SELECT sequence, record FROM decision WHERE {wanted} ORDER BY sequence {order} LIMIT ?");
        let mut statement = connection.prepare_cached(&query)?;
        Ok(statement.query_map([values, &[&limit]].concat().as_slice(), decision)?.collect::<rusqlite::Result<_>>()?)
    })
}

fn before(connection: &Connection, filter: &DecisionFilter, newest: u32) -> Result<i64, Failure> {
    filtered(filter, |wanted, values| {
        let query = format!("SELECT sequence FROM decision WHERE {wanted} ORDER BY sequence DESC LIMIT 1 OFFSET ?");
        let mut statement = connection.prepare_cached(&query)?;
        let found = statement.query_row([values, &[&newest]].concat().as_slice(), |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(0))
    })
}

/// Calls `query` with the condition of this filter and its values.
fn filtered<T>(filter: &DecisionFilter, query: impl FnOnce(&str, &[&dyn ToSql]) -> Result<T, Failure>) -> Result<T, Failure> {
    let since = filter.since.map(UnixTime::millis);
    let conditions: [(&str, Option<&dyn ToSql>); 6] = [
        ("refused = ?", filter.refused.then_some(&true)),
        ("id = ?", filter.id.as_ref().map(|id| id as &dyn ToSql)),
        ("party = ?", filter.party.as_ref().map(|party| party as &dyn ToSql)),
        ("rule = ?", filter.rule.as_ref().map(|rule| rule as &dyn ToSql)),
        ("at >= ?", since.as_ref().map(|since| since as &dyn ToSql)),
        ("sequence > ?", filter.after.as_ref().map(|after| after as &dyn ToSql)),
    ];
    let used: Vec<_> = conditions.into_iter().filter_map(|(condition, value)| Some((condition, value?))).collect();
    let wanted = used.iter().fold("1".to_owned(), |all, (condition, _)| format!("{all} AND {condition}"));
    let values: Vec<&dyn ToSql> = used.iter().map(|(_, value)| *value).collect();
    query(&wanted, &values)
}

/// Removes what is beyond the retention from the beginning, a bounded number of rows at a time. Reads no more rows than it removes,
/// and one.
pub(super) fn sweep(connection: &Connection, retention: Retention, now: i64, most: i64) -> rusqlite::Result<()> {
    let rows = i64::try_from(retention.rows).unwrap_or(i64::MAX);
    let too_many = "DELETE FROM decision WHERE sequence IN (
        SELECT sequence FROM decision
        WHERE sequence <= (SELECT coalesce(max(sequence), 0) FROM decision) - ?1 ORDER BY sequence LIMIT ?2)";
    connection.prepare_cached(too_many)?.execute((rows, most))?;

    let end = now.saturating_sub(i64::try_from(retention.age.as_millis()).unwrap_or(i64::MAX));
    let oldest = "SELECT at FROM decision ORDER BY sequence LIMIT 1";
    let oldest: Option<i64> = connection.prepare_cached(oldest)?.query_row([], |row| row.get(0)).optional()?;
    if oldest.is_some_and(|at| at < end) {
        let too_old = "DELETE FROM decision WHERE sequence IN (
            SELECT sequence FROM (SELECT sequence, at FROM decision ORDER BY sequence LIMIT ?2) WHERE at < ?1)";
        connection.prepare_cached(too_old)?.execute((end, most))?;
    }
    Ok(())
}
