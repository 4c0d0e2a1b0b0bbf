//! The record of changes in SQLite: written in the transaction of the change, read in pages, kept
//! for a bounded time and number. What is changed past this program is recorded by triggers.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::ChangeRecord,
    storage::{ChangeFilter, List, Log, LogPage, Logged as _, Start, StoreError},
};
use rusqlite::{Connection, OptionalExtension as _};

use super::{
    SqliteStore,
    error::Failure,
    log::{Query, value},
};
use crate::ChangeRetention;

#[async_trait]
impl Log<ChangeRecord> for SqliteStore {
    async fn page(
        &self,
        filter: &ChangeFilter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let filter = filter.clone();
        self.0
            .lists
            .read(move |connection| {
                let times = [filter.since, filter.until].map(|at| at.map(UnixTime::millis));
                let hours = times.map(|at| at.map(|at| at / HOUR));
                // No number is so great.
                let id = filter.id.map(|id| i64::try_from(id).unwrap_or(i64::MAX));
                query(&filter, &id, &times, &hours).page(connection, &start, limit)
            })
            .await
    }
}

/// The record with its number. One that somebody wrote there by hand hides no other, whatever it is.
const DOCUMENT: &str =
    "CASE WHEN json_valid(record) THEN json_set(record, '$.id', sequence) ELSE record END";

/// As in the table of hours.
const HOUR: i64 = 3_600_000;

fn query<'f>(
    filter: &'f ChangeFilter,
    id: &'f Option<i64>,
    [since, until]: &'f [Option<i64>; 2],
    [first, last]: &'f [Option<i64>; 2],
) -> Query<'f> {
    let conditions = [
        ("sequence = ?", value(id)),
        ("actor = ?", value(&filter.actor)),
        ("resource = ?", value(&filter.resource)),
        ("name = ?", value(&filter.name)),
        ("at >= ?", value(since)),
        ("at < ?", value(until)),
        // Where these may be, so that what is before or behind is not read.
        (
            "sequence >= (SELECT min(first) FROM change_hour WHERE hour >= ?)",
            value(first),
        ),
        (
            "sequence <= (SELECT max(last) FROM change_hour WHERE hour <= ?)",
            value(last),
        ),
    ];
    let from = match filter {
        ChangeFilter { id: Some(_), .. } => "change_record",
        ChangeFilter { name: Some(_), .. } => "change_record INDEXED BY change_record_by_name",
        ChangeFilter {
            actor: Some(_),
            resource: Some(_),
            ..
        } => "change_record INDEXED BY change_record_by_actor_and_resource",
        ChangeFilter { actor: Some(_), .. } => "change_record INDEXED BY change_record_by_actor",
        ChangeFilter {
            resource: Some(_), ..
        } => "change_record INDEXED BY change_record_by_resource",
        _ => "change_record NOT INDEXED",
    };
    let list = List::new(ChangeRecord::NAME, filter);
    Query::new(["change_record", from], DOCUMENT, conditions, list)
}

/// The number of the newest record of a change of this kind, or 0.
pub(super) fn newest(connection: &Connection, kind: &str) -> rusqlite::Result<u64> {
    let newest = "SELECT coalesce(max(sequence), 0) FROM change_record WHERE resource = ?";
    let mut statement = connection.prepare_cached(newest)?;
    let newest: i64 = statement.query_row([kind], |row| row.get(0))?;
    Ok(newest.unsigned_abs())
}

/// Keeps a record, and gives it its number.
pub(super) fn insert(connection: &Connection, record: &mut ChangeRecord) -> Result<(), Failure> {
    let insert =
        "INSERT INTO change_record (at, actor, resource, name, record) VALUES (?1, ?2, ?3, ?4, ?5)";
    let json = serde_json::to_string(record).expect("a record is JSON");
    connection.prepare_cached(insert)?.execute((
        record.at.millis(),
        record.actor.who.to_string(),
        &record.resource,
        &record.name,
        json,
    ))?;
    record.id = connection.last_insert_rowid().unsigned_abs();
    Ok(())
}

/// While it is there, the triggers leave recording to this program.
#[must_use]
pub(super) struct Recording<'c>(&'c Connection);

impl<'c> Recording<'c> {
    /// In a transaction that is rolled back should it not come to the end.
    pub(super) fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        let insert = "INSERT INTO recording (purpose) VALUES ('changes')";
        connection.prepare_cached(insert)?.execute([])?;
        Ok(Self(connection))
    }

    pub(super) fn end(self) -> rusqlite::Result<()> {
        let delete = "DELETE FROM recording WHERE purpose = 'changes'";
        self.0.prepare_cached(delete)?.execute([]).map(drop)
    }
}

/// Removes records whose time is over, and those that are too many: the oldest, at most so many at
/// a time.
pub(super) fn sweep(
    connection: &Connection,
    retention: ChangeRetention,
    now: UnixTime,
    most: i64,
) -> rusqlite::Result<()> {
    let rows = i64::try_from(retention.rows).unwrap_or(i64::MAX);
    let end = now.minus(retention.age).millis();
    let ends = "SELECT at, (SELECT max(sequence) FROM change_record) - sequence FROM change_record ORDER BY sequence LIMIT 1";
    let oldest: Option<(i64, i64)> = connection
        .prepare_cached(ends)?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if !oldest.is_some_and(|(at, behind)| at < end || behind >= rows) {
        return Ok(());
    }
    connection.execute("INSERT INTO recording (purpose) VALUES ('sweep')", [])?;
    let delete = "DELETE FROM change_record WHERE sequence IN (
        SELECT sequence FROM (SELECT sequence, at FROM change_record ORDER BY sequence LIMIT ?3)
        WHERE at < ?1 OR sequence <= (SELECT max(sequence) FROM change_record) - ?2)";
    let removed = connection.execute(delete, (end, rows, most));
    connection.execute("DELETE FROM recording WHERE purpose = 'sweep'", [])?;
    removed?;
    let hours = "DELETE FROM change_hour WHERE last < coalesce((SELECT min(sequence) FROM change_record), last + 1)";
    connection.execute(hours, []).map(drop)
}
