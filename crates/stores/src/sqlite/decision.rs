//! Decisions in SQLite: written beside the claims, never waited for, kept for a bounded time and
//! number.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    server::{Decision, DecisionLog},
    storage::{
        DecisionFilter, DecisionIndex, DecisionStore, GROUPED, LOOKED_THROUGH, List, Log, LogPage,
        Logged as _, RefusalGroup, RefusalGroups, Start, StoreError, TrustOutcome, TrustOutcomes,
    },
    types::{ClientId, Name, Rule, SubjectId},
};
use rusqlite::{Connection, OptionalExtension as _, ToSql, params_from_iter};

use super::{
    SqliteStore,
    log::{Query, value},
};
use crate::{Retention, waiting::DecisionRow};

/// Columns of a row that are written.
const COLUMNS: usize = 14;
const NAMES: &str = "id, at, refused, rule, party, client, issuer, claimed_issuer, trust, subject, endpoint, trusts, record, total";
/// Rows in a statement: one for several costs less than several.
const ROWS: [usize; 3] = [16, 4, 1];

/// The values of a row, the last of them `total`.
fn columns<'r>(
    decision: &'r DecisionRow,
    rule: &'r Option<&'r str>,
    total: &'r i64,
) -> [&'r dyn ToSql; COLUMNS] {
    let DecisionIndex { id, refused, .. } = &decision.index;
    let [
        party,
        client,
        issuer,
        claimed_issuer,
        trust,
        subject,
        endpoint,
        trusts,
    ] = decision.texts();
    [
        id,
        &decision.at,
        refused,
        rule,
        party,
        client,
        issuer,
        claimed_issuer,
        trust,
        subject,
        endpoint,
        trusts,
        &decision.record,
        total,
    ]
}

/// Writes the decisions to the end of the table. Answers how many could not be recorded.
pub(super) fn append(connection: &Connection, mut decisions: &[DecisionRow]) -> usize {
    if decisions.is_empty() {
        return 0;
    }
    let mut total = match total(connection) {
        Ok(total) => total,
        Err(error) => {
            tracing::warn!(%error, "decisions could not be recorded");
            return decisions.len();
        }
    };
    let mut lost = 0;
    for rows in ROWS {
        while let Some((some, rest)) = decisions.split_at_checked(rows) {
            match insert(connection, some, total) {
                Ok(now) => total = now,
                Err(error) => {
                    tracing::warn!(%error, "decisions could not be recorded");
                    lost += rows;
                }
            }
            decisions = rest;
        }
    }
    lost
}

/// Octets of the records up to and including the last row: what is in the table is this less that
/// of the first.
fn total(connection: &Connection) -> rusqlite::Result<i64> {
    let last = "SELECT total FROM decision ORDER BY sequence DESC LIMIT 1";
    Ok(connection
        .prepare_cached(last)?
        .query_row([], |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}

/// Answers the total behind these rows; `total` is that before them.
fn insert(connection: &Connection, decisions: &[DecisionRow], total: i64) -> rusqlite::Result<i64> {
    let row = format!("({})", vec!["?"; COLUMNS].join(", "));
    let rows = vec![row; decisions.len()].join(", ");
    let insert = format!("INSERT INTO decision ({NAMES}) VALUES {rows}");
    let totals: Vec<i64> = decisions
        .iter()
        .scan(total, |total, decision| {
            *total = total.saturating_add_unsigned(decision.record.len() as u64);
            Some(*total)
        })
        .collect();
    let rules: Vec<Option<&str>> = decisions
        .iter()
        .map(|decision| decision.index.rule.as_ref().map(Rule::name))
        .collect();
    let values = decisions
        .iter()
        .zip(rules.iter().zip(&totals))
        .flat_map(|(decision, (rule, total))| columns(decision, rule, total));
    connection
        .prepare_cached(&insert)?
        .execute(params_from_iter(values))?;
    Ok(totals.last().copied().unwrap_or(total))
}

impl DecisionLog for SqliteStore {
    /// Hands the decision to the writer. Where too many wait, it is dropped and counted: a request
    /// never waits for its record.
    fn record(&self, decision: &Decision) {
        self.0.writer.record(DecisionRow::new(decision));
    }
}

#[async_trait]
impl DecisionStore for SqliteStore {
    async fn flush(&self) -> Result<(), StoreError> {
        self.0.writer.flush().await
    }

    fn dropped(&self) -> u64 {
        self.0.writer.decisions_dropped()
    }

    async fn groups(
        &self,
        filter: &DecisionFilter,
        limit: u32,
    ) -> Result<RefusalGroups, StoreError> {
        let filter = filter.clone();
        self.0
            .lists
            .read(move |connection| {
                let bounds = Bounds::of(&filter);
                Ok(groups(connection, &query(&filter, &bounds), limit)?)
            })
            .await
    }

    async fn newest_of(&self, clients: &[ClientId], limit: u32) -> Result<Vec<String>, StoreError> {
        let clients = serde_json::to_string(clients).expect("names are JSON");
        let read = move |connection: &Connection| Ok(newest_of(connection, &clients, limit)?);
        self.0.lists.read(read).await
    }

    async fn last_granted(
        &self,
        subjects: &[SubjectId],
        endpoints: &[&str],
    ) -> Result<Vec<(SubjectId, UnixTime)>, StoreError> {
        let json = |names: &[&str]| serde_json::to_string(names).expect("names are JSON");
        let subjects: Vec<_> = subjects.iter().map(SubjectId::as_str).collect();
        let meant = [&*subjects, endpoints].map(json);
        let read = move |connection: &Connection| Ok(last_granted(connection, &meant)?);
        self.0.lists.read(read).await
    }

    async fn outcomes_of(
        &self,
        trust: &Name,
        since: Option<UnixTime>,
        limit: u32,
    ) -> Result<TrustOutcomes, StoreError> {
        let trust = format!(":{trust} ");
        let since = since.map_or(i64::MIN, UnixTime::millis);
        let read =
            move |connection: &Connection| Ok(outcomes_of(connection, &trust, since, limit)?);
        self.0.lists.read(read).await
    }
}

/// When each of these subjects was last granted something at one of these endpoints.
fn last_granted(
    connection: &Connection,
    [subjects, endpoints]: &[String; 2],
) -> rusqlite::Result<Vec<(SubjectId, UnixTime)>> {
    // Records are read of those alone that are found in the index.
    let select = "SELECT subject, max(at) FROM decision WHERE sequence IN (
            SELECT sequence FROM decision INDEXED BY decision_in_order
            WHERE subject IN (SELECT value FROM json_each(?1)) AND endpoint IN (SELECT value FROM json_each(?2)) AND refused = 0
                AND sequence > (SELECT coalesce(max(sequence), 0) FROM decision) - ?3
            ORDER BY sequence DESC LIMIT ?4
        ) AND iif(json_valid(record), record ->> '$.outcome.outcome' = 'granted', 0) GROUP BY subject";
    let mut statement = connection.prepare_cached(select)?;
    let mut rows = statement.query((subjects, endpoints, LOOKED_THROUGH, GROUPED))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let subject: String = row.get(0)?;
        if let Ok(subject) = SubjectId::parse(&subject) {
            found.push((subject, UnixTime::from_millis(row.get(1)?)));
        }
    }
    Ok(found)
}

/// What a trust made of JWTs: `trust` is its name as the column has it.
fn outcomes_of(
    connection: &Connection,
    trust: &str,
    since: i64,
    limit: u32,
) -> rusqlite::Result<TrustOutcomes> {
    // Both are found in the index, and records are read of those alone that are told.
    let found = "FROM decision INDEXED BY decision_in_order
        WHERE instr(trusts, ?1) > 0 AND at >= ?2 AND sequence > (SELECT coalesce(max(sequence), 0) FROM decision) - ?3";
    let letter = "substr(trusts, instr(trusts, ?1) - 1, 1)";
    let count = format!("SELECT {letter} AS letter, count(*) {found} GROUP BY letter");
    let newest = format!(
        "SELECT record FROM decision WHERE sequence IN (
            SELECT sequence {found} AND instr(?4, {letter}) > 0 ORDER BY sequence DESC LIMIT ?5
        ) ORDER BY sequence DESC"
    );
    let mut outcomes = TrustOutcomes::default();
    let mut statement = connection.prepare_cached(&count)?;
    let mut rows = statement.query((trust, since, LOOKED_THROUGH))?;
    while let Some(row) = rows.next()? {
        let letter: String = row.get(0)?;
        let mut all = TrustOutcome::ALL.into_iter();
        if let Some(outcome) = all.find(|outcome| letter.starts_with(outcome.letter())) {
            let count: i64 = row.get(1)?;
            outcomes.counts.insert(outcome, count.unsigned_abs());
        }
    }
    // Where there are no more, the search has found its end.
    let limit = outcomes.all_against().min(limit.into());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let against = TrustOutcome::ALL.into_iter();
    let against = against.filter(|outcome| outcome.is_against());
    let against: String = against.map(TrustOutcome::letter).collect();
    let mut statement = connection.prepare_cached(&newest)?;
    let found = statement.query_map((trust, since, LOOKED_THROUGH, against, limit), |row| {
        row.get(0)
    })?;
    outcomes.against = found.collect::<Result<_, _>>()?;
    Ok(outcomes)
}

/// The newest decisions of clients.
fn newest_of(connection: &Connection, clients: &str, limit: u32) -> rusqlite::Result<Vec<String>> {
    // Records are read of those alone that are found in the index.
    let select = "SELECT record FROM decision WHERE sequence IN (
            SELECT sequence FROM decision INDEXED BY decision_in_order
            WHERE client IN (SELECT value FROM json_each(?1)) AND sequence > (SELECT coalesce(max(sequence), 0) FROM decision) - ?2
            ORDER BY sequence DESC LIMIT ?3
        ) ORDER BY sequence DESC";
    let mut statement = connection.prepare_cached(select)?;
    let rows = statement.query_map((clients, LOOKED_THROUGH, limit), |row| row.get(0))?;
    rows.collect()
}

/// The refusals among the newest decisions, by rule and party.
fn groups(
    connection: &Connection,
    query: &Query<'_>,
    limit: u32,
) -> rusqlite::Result<RefusalGroups> {
    let (from, wanted, values) = query.conditions();
    // All of it is read from the index; only of the groups that are told the newest is looked for.
    // To sort takes longest: that is what the number of refusals is bounded for.
    let select = format!(
        "SELECT rule, party, count, first, last, (SELECT id FROM decision WHERE sequence = newest), groups, refused FROM (
            SELECT *, count(*) OVER () AS groups, sum(count) OVER () AS refused FROM (
                SELECT rule, party, count(*) AS count, min(at) AS first, max(at) AS last, max(sequence) AS newest FROM (
                    SELECT rule, party, at, sequence FROM {from}
                    WHERE {wanted} AND refused = 1 AND sequence > (SELECT coalesce(max(sequence), 0) FROM decision) - ?
                    ORDER BY sequence DESC LIMIT ?
                ) GROUP BY rule, party
            ) ORDER BY count DESC, newest DESC LIMIT ?
        )"
    );
    let values = [values, &[&LOOKED_THROUGH, &GROUPED, &limit]].concat();
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query(values.as_slice())?;
    let mut found = RefusalGroups::default();
    while let Some(row) = rows.next()? {
        let number = |column| row.get(column).map(i64::unsigned_abs);
        found.groups.push(RefusalGroup {
            rule: Rule::named(row.get::<_, Option<String>>(0)?.unwrap_or_default()),
            party: row.get(1)?,
            count: number(2)?,
            first: UnixTime::from_millis(row.get(3)?),
            last: UnixTime::from_millis(row.get(4)?),
            newest: row.get(5)?,
        });
        (found.all, found.refused) = (number(6)?, number(7)?);
    }
    Ok(found)
}

#[async_trait]
impl Log<Decision> for SqliteStore {
    async fn page(
        &self,
        filter: &DecisionFilter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let filter = filter.clone();
        self.0
            .lists
            .read(move |connection| {
                let bounds = Bounds::of(&filter);
                query(&filter, &bounds).page(connection, &start, limit)
            })
            .await
    }
}

/// Between what a filter finds decisions, as the columns have it.
struct Bounds {
    since: Option<i64>,
    until: Option<i64>,
    /// Behind all ids that begin with what is asked for.
    id_end: Option<String>,
}

impl Bounds {
    fn of(filter: &DecisionFilter) -> Self {
        let begins = filter.id_begins.as_ref();
        Self {
            since: filter.since.map(UnixTime::millis),
            until: filter.until.map(UnixTime::millis),
            id_end: begins.map(|begins| format!("{begins}{}", char::MAX)),
        }
    }
}

fn query<'f>(filter: &'f DecisionFilter, bounds: &'f Bounds) -> Query<'f> {
    let conditions = [
        ("refused = ?", filter.refused.then_some(&true as _)),
        ("id = ?", value(&filter.id)),
        ("id >= ?", value(&filter.id_begins)),
        ("id < ?", value(&bounds.id_end)),
        ("party = ?", value(&filter.party)),
        ("rule = ?", value(&filter.rule)),
        ("client = ?", value(&filter.client)),
        ("? IN (issuer, claimed_issuer)", value(&filter.issuer)),
        ("trust = ?", value(&filter.trust)),
        ("subject = ?", value(&filter.subject)),
        ("endpoint = ?", value(&filter.endpoint)),
        ("at >= ?", value(&bounds.since)),
        ("at < ?", value(&bounds.until)),
    ];
    let from = match filter.id.as_ref().or(filter.id_begins.as_ref()) {
        Some(_) => "decision INDEXED BY decision_by_id",
        // All that is asked for is in it, and it is in order.
        None => "decision INDEXED BY decision_in_order",
    };
    let list = List::new(Decision::NAME, filter);
    Query::new(["decision", from], "record", conditions, list)
}

/// Removes what is beyond the retention from the beginning, a bounded number of rows at a time.
/// Reads no more rows than it removes, and one.
pub(super) fn sweep(
    connection: &Connection,
    retention: Retention,
    now: i64,
    most: i64,
) -> rusqlite::Result<()> {
    let rows = i64::try_from(retention.rows).unwrap_or(i64::MAX);
    let too_many = "DELETE FROM decision WHERE sequence IN (
        SELECT sequence FROM decision
        WHERE sequence <= (SELECT coalesce(max(sequence), 0) FROM decision) - ?1 ORDER BY sequence LIMIT ?2)";
    connection.prepare_cached(too_many)?.execute((rows, most))?;

    let octets = i64::try_from(retention.octets).unwrap_or(i64::MAX);
    let first = "SELECT total - octet_length(record) FROM decision ORDER BY sequence LIMIT 1";
    let first: Option<i64> = connection
        .prepare_cached(first)?
        .query_row([], |row| row.get(0))
        .optional()?;
    let end = total(connection)?.saturating_sub(octets);
    if first.is_some_and(|before| before < end) {
        let too_much = "DELETE FROM decision WHERE sequence IN (
            SELECT sequence FROM (SELECT sequence, total, record FROM decision ORDER BY sequence LIMIT ?2)
            WHERE total - octet_length(record) < ?1)";
        connection.prepare_cached(too_much)?.execute((end, most))?;
    }

    let end = now.saturating_sub(i64::try_from(retention.age.as_millis()).unwrap_or(i64::MAX));
    let oldest = "SELECT at FROM decision ORDER BY sequence LIMIT 1";
    let oldest: Option<i64> = connection
        .prepare_cached(oldest)?
        .query_row([], |row| row.get(0))
        .optional()?;
    if oldest.is_some_and(|at| at < end) {
        let too_old = "DELETE FROM decision WHERE sequence IN (
            SELECT sequence FROM (SELECT sequence, at FROM decision ORDER BY sequence LIMIT ?2) WHERE at < ?1)";
        connection.prepare_cached(too_old)?.execute((end, most))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use grantor_testkit::wait;
    use serde_json::{Value, json};

    use super::*;
    use crate::{sqlite::Options, waiting::tests::row};

    /// What is recorded of what came while nothing could be written: cheap decisions, then dear
    /// ones, of so many octets each.
    async fn recorded(cheap: usize, dear: usize, length: usize) -> (usize, usize) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store =
            SqliteStore::open(directory.path(), &Options::default()).expect("the store opens");
        let other = Connection::open(directory.path().join("grantor.db")).expect("a connection");
        other
            .execute_batch("BEGIN IMMEDIATE")
            .expect("the write lock");
        (0..cheap).for_each(|_| store.0.writer.record(row("cheap", length, true)));
        (0..dear).for_each(|_| store.0.writer.record(row("dear", length, false)));
        other.execute_batch("ROLLBACK").expect("released");
        store.flush().await.expect("flushed");
        let count = |id: &str| {
            let query = "SELECT count(*) FROM decision WHERE id = ?";
            other
                .query_row(query, [id], |row| row.get::<_, i64>(0))
                .expect("a number") as usize
        };
        let found = (count("cheap"), count("dear"));
        assert_eq!(store.dropped() as usize, cheap + dear - found.0 - found.1);
        // A total is the octets up to and including its row.
        let sum =
            "SELECT (SELECT sum(octet_length(record)) FROM decision) - max(total) FROM decision";
        assert_eq!(other.query_row(sum, [], |row| row.get::<_, i64>(0)), Ok(0));
        found
    }

    #[test]
    fn decisions_are_recorded_as_fast_as_the_disk_takes_them() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store =
            SqliteStore::open(directory.path(), &Options::default()).expect("the store opens");
        let reader = Connection::open(directory.path().join("grantor.db")).expect("a connection");
        (0..10_000).for_each(|_| store.0.writer.record(row("dear", 10, false)));
        let count = || {
            reader
                .query_row("SELECT count(*) FROM decision", [], |row| {
                    row.get::<_, i64>(0)
                })
                .expect("a number")
        };
        // At one commit in 200 ms it would take four seconds.
        let limit = Duration::from_secs(3);
        wait::blocking::within(limit, "all are recorded", || count() >= 10_000);
    }

    /// MA38: a report counts what was recorded before it had a column as what is recorded with it.
    #[test]
    fn what_trusts_made_of_jwts_is_read_from_earlier_records() {
        let decision = |outcome: &Value| {
            let row = |verdict| json!({"rule": "pin", "claim": "team", "expected": "web", "got": "ops", "verdict": verdict});
            let check = |trust, rows: Value| json!({"trust": trust, "client": "a", "mode": "on", "rows": rows});
            let (takes, takes_not) = (json!([row("pass")]), json!([row("pass"), row("fail")]));
            let mut aside = check("aside", takes_not.clone());
            aside["set_aside"] = json!("off");
            let record = json!({
                "id": "GUh6hQcaTtaH2WdpMNzYNA", "at": 1_800_000_000_000_i64, "endpoint": "token", "outcome": outcome, "issuer": "idp",
                "trust": check("ci", takes.clone()),
                "shadows": [check("next", takes.clone()), check("last", takes_not.clone()), check("rowless", json!([])), aside],
                "explanation": {"usage": "grant", "checks": [], "keys": [], "other_keys": 0, "other_trusts": 0,
                    "trusts": [check("next", takes_not.clone()), check("other", takes_not), check("both", takes), aside]},
            });
            Decision::read(&record.to_string()).expect("a decision")
        };
        let connection = Connection::open_in_memory().expect("a database");
        let before = "CREATE TABLE decision (sequence INTEGER PRIMARY KEY, at, refused, rule, party, client, issuer,
            claimed_issuer, trust, subject, endpoint, record); CREATE INDEX decision_in_order ON decision (sequence);";
        connection.execute_batch(before).expect("a table");
        let refused = json!({"outcome": "refused", "error": "invalid_grant", "rule": "trust", "cause": "other"});
        let undecided = json!({"outcome": "undecided"});
        let rows = [json!({"outcome": "granted"}), refused, undecided]
            .map(|outcome| DecisionRow::new(&decision(&outcome)));
        for row in &rows {
            let insert = "INSERT INTO decision (issuer, record) VALUES ('idp', ?)";
            connection.execute(insert, [&row.record]).expect("inserted");
        }
        let migration = include_str!("../../migrations/sqlite/0028_trust_outcomes.sql");
        connection.execute_batch(migration).expect("migrated");
        let mut statement = connection
            .prepare("SELECT trusts FROM decision ORDER BY sequence")
            .expect("a statement");
        let trusts = statement.query_map([], |row| row.get(0)).expect("rows");
        let trusts: Vec<Option<String>> = trusts.map(|trusts| trusts.expect("a row")).collect();
        assert_eq!(trusts, rows.map(|row| row.trusts));
        let granted = trusts[0].as_deref();
        assert_eq!(granted, Some(" G:next K:last K:rowless g:ci r:other "));
    }

    #[tokio::test]
    async fn cheap_decisions_leave_room_for_the_rest_in_number_and_in_octets() {
        let (cheap, dear) = recorded(20_000, 5_000, 10).await;
        // What the writer takes before it finds the database locked makes room for more.
        assert!(
            (8_192..=8_192 + 512).contains(&cheap) && dear == 5_000,
            "{cheap} {dear}"
        );
        let (cheap, dear) = recorded(4_000, 800, 8_000).await;
        assert!(
            (1_000..1_700).contains(&cheap) && dear == 800,
            "{cheap} {dear}"
        );
        let (cheap, dear) = recorded(0, 4_000, 8_000).await;
        assert!(cheap == 0 && (2_000..2_800).contains(&dear), "{dear}");
    }
}
