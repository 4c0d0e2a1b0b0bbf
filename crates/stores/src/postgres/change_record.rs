//! The record of changes in PostgreSQL: written in the transaction of the change, read in pages,
//! kept for a bounded time and number. What is changed past this program is recorded by triggers.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::ChangeRecord,
    storage::{ChangeFilter, List, Log, LogPage, Logged as _, Start, StoreError},
};

use super::{
    PostgresStore,
    error::Failure,
    log::{Query, value},
    session::Session,
};
use crate::ChangeRetention;

#[async_trait]
impl Log<ChangeRecord> for PostgresStore {
    async fn page(
        &self,
        filter: &ChangeFilter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let times = [filter.since, filter.until].map(|at| at.map(UnixTime::millis));
        let hours = times.map(|at| at.map(|at| at / HOUR));
        // No number is so great.
        let id = filter.id.map(|id| i64::try_from(id).unwrap_or(i64::MAX));
        let session = self.0.connections().lend_in_turn().await?;
        let query = query(filter, &id, &times, &hours);
        let page = query.page(&session, &start, limit).await?;
        session.give_back();
        Ok(page)
    }
}

/// The record with its number. One that somebody wrote there by hand hides no other, whatever it is.
const DOCUMENT: &str = "CASE jsonb_typeof(json_or_null(record)) WHEN 'object' \
    THEN jsonb_set(json_or_null(record), '{id}', to_jsonb(sequence))::text ELSE record END";

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
    let list = List::new(ChangeRecord::NAME, filter);
    Query::new("change_record", DOCUMENT, conditions, list)
}

/// Whoever adds records is alone with it until the commit, so that numbers are in the order of
/// commits.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7523, 4)";
/// Most records in one statement, which has two seconds.
const AT_ONCE: usize = 200;
/// In the order of the arrays.
const INSERT: &str = "INSERT INTO change_record (at, actor, resource, name, record) \
    SELECT at, actor, resource, name, record \
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY \
    AS added (at, actor, resource, name, record, place) ORDER BY place RETURNING sequence";

/// The number of the newest record of a change of this kind, or 0.
pub(super) async fn newest(session: &Session, kind: &str) -> Result<u64, Failure> {
    let newest = "SELECT coalesce(max(sequence), 0) FROM change_record WHERE resource = $1";
    let row = session.query_one(newest, &[&kind]).await?;
    Ok(row.get::<_, i64>(0).unsigned_abs())
}

/// Keeps records, and gives them their numbers.
pub(super) async fn insert_all(
    session: &Session,
    records: &mut [ChangeRecord],
) -> Result<(), Failure> {
    if records.is_empty() {
        return Ok(());
    }
    session.query(LOCK, &[]).await?;
    for some in records.chunks_mut(AT_ONCE) {
        insert_some(session, some).await?;
    }
    Ok(())
}

async fn insert_some(session: &Session, records: &mut [ChangeRecord]) -> Result<(), Failure> {
    let at: Vec<_> = records.iter().map(|record| record.at.millis()).collect();
    let actors: Vec<_> = records
        .iter()
        .map(|record| record.actor.who.to_string())
        .collect();
    let resources: Vec<_> = records
        .iter()
        .map(|record| record.resource.clone())
        .collect();
    let names: Vec<_> = records.iter().map(|record| record.name.clone()).collect();
    let json = |record: &ChangeRecord| serde_json::to_string(record).expect("a record is JSON");
    let json: Vec<_> = records.iter().map(json).collect();
    let added = session
        .query(INSERT, &[&at, &actors, &resources, &names, &json])
        .await;
    let mut numbers: Vec<i64> = added?.iter().map(|row| row.get(0)).collect();
    // They are drawn in the order of the rows.
    numbers.sort_unstable();
    for (record, number) in records.iter_mut().zip(numbers) {
        record.id = number.unsigned_abs();
    }
    Ok(())
}

/// Removes records whose time is over, and those that are too many: the oldest, at most so many at
/// a time. In a transaction.
pub(super) async fn sweep(
    session: &Session,
    retention: ChangeRetention,
    now: UnixTime,
    most: i64,
) -> Result<u64, Failure> {
    let rows = i64::try_from(retention.rows).unwrap_or(i64::MAX);
    let end = now.minus(retention.age).millis();
    let ends = "SELECT at, (SELECT max(sequence) FROM change_record) - sequence \
        FROM change_record ORDER BY sequence LIMIT 1";
    let oldest = session.query_opt(ends, &[]).await?;
    let is_due = |at: i64, behind: i64| at < end || behind >= rows;
    if !oldest.is_some_and(|row| is_due(row.get(0), row.get(1))) {
        return Ok(0);
    }
    let sweeping = "SELECT set_config('grantor.recording', $1::text, true)";
    session.query(sweeping, &[&"sweep"]).await?;
    let delete = "DELETE FROM change_record WHERE sequence IN ( \
        SELECT sequence FROM (SELECT sequence, at FROM change_record ORDER BY sequence LIMIT $3) AS oldest \
        WHERE at < $1 OR sequence <= (SELECT max(sequence) FROM change_record) - $2)";
    let removed = session.execute(delete, &[&end, &rows, &most]).await?;
    session.query(sweeping, &[&""]).await?;
    let hours = "DELETE FROM change_hour WHERE last < coalesce((SELECT min(sequence) FROM change_record), last + 1)";
    session.execute(hours, &[]).await?;
    Ok(removed)
}
