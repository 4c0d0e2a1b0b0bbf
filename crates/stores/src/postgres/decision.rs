//! Decisions in PostgreSQL: written on a connection of their own, never waited for, kept for a
//! bounded time and number.
//!
//! A task takes those that wait every 200 ms, or sooner where many wait, and writes them in one
//! transaction with what was counted. A commit does not wait for the disk. A group whose connection
//! is lost is lost, and counted as lost; while there is no connection, decisions wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    server::{Decision, DecisionLog},
    storage::{
        DecisionFilter, DecisionStore, GROUPED, LOOKED_THROUGH, List, Log, LogPage, Logged as _,
        RefusalGroup, RefusalGroups, Start, StoreError, TrustOutcome, TrustOutcomes,
    },
    types::{ClientId, Name, Rule, SubjectId},
};
use tokio::{sync::Notify, time::timeout};
use tokio_postgres::Row;

use super::{
    Options, PostgresStore,
    backoff::pause,
    error::Failure,
    log::{Query, value},
    permission_use::{self, Uses},
    session::{Session, Value},
    source::Source,
    statistics,
};
use crate::{
    Retention,
    cached::Cached,
    tally::Tally,
    waiting::{DecisionRow, Taking, Waiting},
};

/// How long decisions wait for more of them.
const GATHER: Duration = Duration::from_millis(200);
/// Most decisions in one transaction. Where more wait, the next begins at once.
const GROUP: usize = 1024;
/// How long the server is left alone that could not be written to.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest wait for all to be kept.
const FLUSH: Duration = Duration::from_secs(5);

/// The way to the task that writes. The task writes what waits, and ends, when this is dropped.
pub(super) struct Writer {
    waiting: Waiting,
    /// How many were handed over.
    count: AtomicUsize,
    signals: Arc<Signals>,
}

/// What both ends tell each other.
#[derive(Default)]
struct Signals {
    hurry: Notify,
    /// A group has ended.
    ended: Notify,
}

impl Writer {
    fn record(&self, decision: DecisionRow) {
        self.waiting.record(decision);
        if self.count.fetch_add(1, Ordering::Relaxed) % GROUP == GROUP - 1 {
            self.signals.hurry.notify_one();
        }
    }

    /// How many could not be recorded.
    pub(super) fn dropped(&self) -> u64 {
        self.waiting.dropped()
    }

    /// Waits until all that was handed over before is written, and counted.
    async fn flush(&self, counts: &Tally) {
        loop {
            let ended = self.signals.ended.notified();
            tokio::pin!(ended);
            // From now on, so that no end is missed.
            ended.as_mut().enable();
            if self.waiting.is_empty() && counts.is_written() {
                return;
            }
            self.signals.hurry.notify_one();
            ended.await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.signals.hurry.notify_one();
    }
}

/// Starts the task that writes decisions and counts.
pub(super) fn start(cached: Arc<Cached<Source>>, options: &Options) -> (Writer, Arc<Tally>) {
    let (waiting, taking) = Waiting::new();
    let (signals, counts) = <(Arc<Signals>, Arc<Tally>)>::default();
    let writing = Writing {
        cached,
        taking,
        again: Vec::new(),
        counts: counts.clone(),
        uses: Uses::default(),
        retention: options.retention,
        signals: signals.clone(),
    };
    tokio::spawn(writing.run());
    let writer = Writer {
        waiting,
        count: AtomicUsize::new(0),
        signals,
    };
    (writer, counts)
}

/// The task's side.
struct Writing {
    /// Kept when the store is gone, for what waits then.
    cached: Arc<Cached<Source>>,
    taking: Taking,
    /// Those that were taken, and that the server may take now.
    again: Vec<DecisionRow>,
    counts: Arc<Tally>,
    uses: Uses,
    retention: Retention,
    signals: Arc<Signals>,
}

impl Writing {
    async fn run(mut self) {
        let mut has_failed = false;
        loop {
            if self.taking.waiting() < GROUP as u64 {
                let _ = timeout(GATHER, self.signals.hurry.notified()).await;
                // What is counted had as much time.
                self.counts.hurry();
            }
            // The other end is gone, and hands nothing over any more.
            let is_over = Arc::strong_count(&self.signals) == 1;
            let written = self.write_group().await;
            if let Some(error) = written.as_ref().err().filter(|_| !has_failed) {
                tracing::warn!(?error, "decisions could not be recorded");
            }
            has_failed = written.is_err();
            self.signals.ended.notify_waiters();
            let is_done = self.taking.waiting() == 0 && self.counts.is_written();
            match written {
                _ if is_over && is_done => return,
                Err(_) if is_over => return self.end(),
                Err(_) => pause(PAUSE).await,
                Ok(()) => {}
            }
        }
    }

    /// Nothing can be written any more.
    fn end(mut self) {
        let _ = self.taking.take(usize::MAX);
        let lost = self.taking.waiting();
        self.taking.lost();
        tracing::error!(lost, "the last decisions could not be recorded");
    }

    /// Writes some of what waits. Where the server took nothing and may take it now, it is tried
    /// again.
    async fn write_group(&mut self) -> Result<(), Failure> {
        if self.taking.waiting() == 0 && !self.counts.is_due() {
            return Ok(());
        }
        let connections = &self.cached.source().connections;
        let session = connections.records.session().await?;
        let mut group = std::mem::take(&mut self.again);
        group.extend(self.taking.take(GROUP - group.len()));
        let counts = self.counts.take();
        let kept: Vec<&DecisionRow> = group
            .iter()
            .filter(|decision| self.retention.keeps(decision))
            .collect();
        let written = transaction(&session, &kept, &counts).await;
        self.counts.ended(&written);
        if let Err(failure) = written {
            match failure.may_be_repeated() {
                true => self.again = group,
                // Or kept, and nobody knows.
                false => self.taking.lost(),
            }
            if session.batch("ROLLBACK").await.is_err() {
                session.end();
            }
            return Err(failure);
        }
        // Not in the same transaction: it may wait for a change of the registry.
        let used = self.uses.take(&group);
        if let Err(error) = permission_use::write(&session, &used).await {
            self.uses.forget();
            tracing::warn!(?error, "the use of a permission could not be recorded");
        }
        self.taking.recorded(0);
        Ok(())
    }
}

/// Without a wait for the disk. Where decisions are written, behind the lock that makes their numbers
/// be in the order of commits.
async fn transaction(
    session: &Session,
    decisions: &[&DecisionRow],
    counts: &[(crate::tally::Row, u64)],
) -> Result<(), Failure> {
    if decisions.is_empty() && counts.is_empty() {
        return Ok(());
    }
    session
        .batch("BEGIN; SET LOCAL synchronous_commit = off")
        .await?;
    if !decisions.is_empty() {
        session
            .batch("SELECT pg_advisory_xact_lock(7523, 3)")
            .await?;
        append(session, decisions).await?;
    }
    statistics::write(session, counts).await?;
    session.batch("COMMIT").await
}

/// A row of `record` has the octets of all records up to and including it.
const APPEND: &str = "WITH new AS MATERIALIZED ( \
        SELECT nextval(pg_get_serial_sequence('decision', 'sequence')) AS sequence, row.* FROM ( \
            SELECT *, octet_length(record) AS octets, sum(octet_length(record)) OVER (ORDER BY number) AS octets_so_far \
            FROM unnest($1::bigint[], $2::boolean[], $3::boolean[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[]) \
                WITH ORDINALITY AS row (at, refused, granted, id, rule, record, party, client, issuer, \
                claimed_issuer, trust, subject, endpoint, trusts, number) \
            ORDER BY number \
        ) AS row \
    ), recorded AS (INSERT INTO decision_record (sequence, record) SELECT sequence, record FROM new) \
    INSERT INTO decision (sequence, at, total, octets, refused, granted, id, rule, party, client, issuer, \
        claimed_issuer, trust, subject, endpoint, trusts) OVERRIDING SYSTEM VALUE \
    SELECT sequence, at, \
        octets_so_far + coalesce((SELECT total FROM decision ORDER BY sequence DESC LIMIT 1), 0), \
        octets, refused, granted, id, rule, party, client, issuer, claimed_issuer, trust, subject, endpoint, trusts \
    FROM new";

/// Writes the decisions to the end of the table.
async fn append(session: &Session, decisions: &[&DecisionRow]) -> Result<(), Failure> {
    let all = || decisions.iter();
    let at: Vec<i64> = all().map(|row| row.at).collect();
    let refused: Vec<bool> = all().map(|row| row.index.refused).collect();
    let granted: Vec<bool> = all().map(|row| row.is_granted).collect();
    let ids: Vec<&str> = all().map(|row| row.index.id.as_str()).collect();
    let rules: Vec<Option<&str>> = all()
        .map(|row| row.index.rule.as_ref().map(Rule::name))
        .collect();
    let records: Vec<&str> = all().map(|row| row.record.as_str()).collect();
    let mut texts = [const { Vec::<Option<&str>>::new() }; 8];
    for row in decisions {
        for (column, text) in texts.iter_mut().zip(row.texts()) {
            column.push(text.as_deref());
        }
    }
    let mut values: Vec<Value<'_>> = vec![&at, &refused, &granted, &ids, &rules, &records];
    values.extend(texts.iter().map(|column| column as Value<'_>));
    session.execute(APPEND, &values).await.map(drop)
}

impl DecisionLog for PostgresStore {
    /// Hands the decision to the task that writes. Where too many wait, it is dropped and counted: a
    /// request never waits for its record.
    fn record(&self, decision: &Decision) {
        self.0.decisions.record(DecisionRow::new(decision));
    }
}

#[async_trait]
impl DecisionStore for PostgresStore {
    async fn flush(&self) -> Result<(), StoreError> {
        let flushed = timeout(FLUSH, self.0.decisions.flush(&self.0.counts)).await;
        flushed.map_err(|_| {
            let error = format!(
                "decisions could not be recorded within {} s",
                FLUSH.as_secs()
            );
            StoreError::Unavailable(error.into())
        })
    }

    fn dropped(&self) -> u64 {
        self.0.decisions.dropped()
    }

    async fn groups(
        &self,
        filter: &DecisionFilter,
        limit: u32,
    ) -> Result<RefusalGroups, StoreError> {
        let bounds = Bounds::of(filter);
        let session = self.0.connections().lend_in_turn().await?;
        let found = groups(&session, &query(filter, &bounds), limit).await?;
        session.give_back();
        Ok(found)
    }

    async fn newest_of(&self, clients: &[ClientId], limit: u32) -> Result<Vec<String>, StoreError> {
        let clients: Vec<&str> = clients.iter().map(ClientId::as_str).collect();
        let session = self.0.connections().lend_in_turn().await?;
        let limit = i64::from(limit);
        let values: [Value<'_>; 3] = [&clients, &LOOKED, &limit];
        let found = session.query(&newest_of(), &values).await?;
        session.give_back();
        Ok(found.iter().map(|row| row.get(0)).collect())
    }

    async fn last_granted(
        &self,
        subjects: &[SubjectId],
        endpoints: &[&str],
    ) -> Result<Vec<(SubjectId, UnixTime)>, StoreError> {
        let subjects: Vec<&str> = subjects.iter().map(SubjectId::as_str).collect();
        let session = self.0.connections().lend_in_turn().await?;
        let most = i64::from(GROUPED);
        let values: [Value<'_>; 4] = [&subjects, &endpoints, &LOOKED, &most];
        let found = session.query(LAST_GRANTED, &values).await?;
        session.give_back();
        let time = |row: Row| {
            let subject = SubjectId::parse(row.get(0)).ok()?;
            Some((subject, UnixTime::from_millis(row.get(1))))
        };
        Ok(found.into_iter().filter_map(time).collect())
    }

    async fn outcomes_of(
        &self,
        trust: &Name,
        since: Option<UnixTime>,
        limit: u32,
    ) -> Result<TrustOutcomes, StoreError> {
        let trust = format!(":{trust} ");
        let since = since.map_or(i64::MIN, UnixTime::millis);
        let session = self.0.connections().lend_in_turn().await?;
        let found = outcomes_of(&session, &trust, since, limit).await?;
        session.give_back();
        Ok(found)
    }
}

/// How many of the newest are looked through.
const LOOKED: i64 = LOOKED_THROUGH as i64;
/// The record of a decision that is found.
const RECORD: &str = "coalesce((SELECT record FROM decision_record AS kept WHERE kept.sequence = decision.sequence), 'null')";
/// Where the newest decisions are that are looked through, of which `?` says how many.
const AMONG_THE_NEWEST: &str = "sequence > (SELECT coalesce(max(sequence), 0) FROM decision) - ?";

/// The newest decisions of clients.
fn newest_of() -> String {
    let among = AMONG_THE_NEWEST.replace('?', "$2");
    format!(
        "SELECT {RECORD} FROM (SELECT sequence FROM decision WHERE client = ANY($1) AND {among} \
            ORDER BY sequence DESC LIMIT $3) AS decision ORDER BY sequence DESC"
    )
}

/// When each of these subjects was last granted something at one of these endpoints.
const LAST_GRANTED: &str = "SELECT subject, max(at) FROM ( \
        SELECT subject, at, granted FROM decision \
        WHERE subject = ANY($1) AND endpoint = ANY($2) AND NOT refused \
            AND sequence > (SELECT coalesce(max(sequence), 0) FROM decision) - $3 \
        ORDER BY sequence DESC LIMIT $4 \
    ) AS found WHERE granted GROUP BY subject";

/// What a trust made of JWTs: `trust` is its name as the column has it.
async fn outcomes_of(
    session: &Session,
    trust: &str,
    since: i64,
    limit: u32,
) -> Result<TrustOutcomes, Failure> {
    let among = AMONG_THE_NEWEST.replace('?', "$3");
    let found = format!("FROM decision WHERE strpos(trusts, $1) > 0 AND at >= $2 AND {among}");
    let letter = "substr(trusts, strpos(trusts, $1) - 1, 1)";
    // There are few different texts, and a letter takes longer to find than a text to compare.
    let count = format!(
        "SELECT {letter} AS letter, sum(times)::bigint \
            FROM (SELECT trusts, count(*) AS times {found} GROUP BY trusts) AS found GROUP BY letter"
    );
    let newest = format!(
        "SELECT {RECORD} FROM (SELECT sequence {found} AND strpos($4, {letter}) > 0 \
            ORDER BY sequence DESC LIMIT $5) AS decision ORDER BY sequence DESC"
    );
    let mut outcomes = TrustOutcomes::default();
    for row in session.query(&count, &[&trust, &since, &LOOKED]).await? {
        let letter: &str = row.get(0);
        let mut all = TrustOutcome::ALL.into_iter();
        if let Some(outcome) = all.find(|outcome| letter.starts_with(outcome.letter())) {
            let count: i64 = row.get(1);
            outcomes.counts.insert(outcome, count.unsigned_abs());
        }
    }
    // Where there are no more, the search has found its end.
    let limit = outcomes.all_against().min(limit.into());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let against = TrustOutcome::ALL.into_iter();
    let against = against.filter(|outcome| outcome.is_against());
    let against: String = against.map(TrustOutcome::letter).collect();
    let values: [Value<'_>; 5] = [&trust, &since, &LOOKED, &against, &limit];
    let found = session.query(&newest, &values).await?;
    outcomes.against = found.iter().map(|row| row.get(0)).collect();
    Ok(outcomes)
}

/// The refusals among the newest decisions, by rule and party.
async fn groups(
    session: &Session,
    query: &Query<'_>,
    limit: u32,
) -> Result<RefusalGroups, Failure> {
    let select = |wanted: &str| {
        format!(
            "SELECT rule, party, count, first, last, (SELECT id FROM decision WHERE sequence = newest), \
                count(*) OVER () AS groups, (sum(count) OVER ())::bigint AS refusals FROM ( \
                SELECT rule, party, count(*) AS count, min(at) AS first, max(at) AS last, max(sequence) AS newest FROM ( \
                    SELECT rule, party, at, sequence FROM decision WHERE {wanted} AND refused AND {AMONG_THE_NEWEST} \
                    ORDER BY sequence DESC LIMIT ? \
                ) AS refusal GROUP BY rule, party \
            ) AS grouped ORDER BY grouped.count DESC, newest DESC LIMIT ?"
        )
    };
    let (most, limit) = (i64::from(GROUPED), i64::from(limit));
    let (select, values) = query.statement(select, &[&LOOKED, &most, &limit]);
    let rows = match session.query(&select, &values).await {
        Err(failure) if failure.is_of_text() => Vec::new(),
        rows => rows?,
    };
    let mut found = RefusalGroups::default();
    for row in rows {
        let number = |column: usize| row.get::<_, i64>(column).unsigned_abs();
        found.groups.push(RefusalGroup {
            rule: Rule::named(row.get::<_, Option<String>>(0).unwrap_or_default()),
            party: row.get(1),
            count: number(2),
            first: UnixTime::from_millis(row.get(3)),
            last: UnixTime::from_millis(row.get(4)),
            newest: row.get(5),
        });
        (found.all, found.refused) = (number(6), number(7));
    }
    Ok(found)
}

#[async_trait]
impl Log<Decision> for PostgresStore {
    async fn page(
        &self,
        filter: &DecisionFilter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let bounds = Bounds::of(filter);
        let session = self.0.connections().lend_in_turn().await?;
        let page = query(filter, &bounds).page(&session, &start, limit).await?;
        session.give_back();
        Ok(page)
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
    let list = List::new(Decision::NAME, filter);
    Query::new("decision", RECORD, conditions, list)
}

/// Whether the first row is to go: `$1` and `$2` are how many rows and octets stay, `$3` is when the
/// oldest that stays was.
const IS_DUE: &str = "SELECT first.sequence <= last.sequence - $1 OR first.total - first.octets < last.total - $2 OR first.at < $3 \
    FROM (SELECT * FROM decision ORDER BY sequence LIMIT 1) AS first, \
        (SELECT * FROM decision ORDER BY sequence DESC LIMIT 1) AS last";
/// `$4` is how many go at most.
const REMOVE: &str = "WITH removed AS (DELETE FROM decision WHERE sequence IN ( \
        SELECT oldest.sequence \
        FROM (SELECT sequence, total, octets, at FROM decision ORDER BY sequence LIMIT $4) AS oldest, \
            (SELECT sequence, total FROM decision ORDER BY sequence DESC LIMIT 1) AS last \
        WHERE oldest.sequence <= last.sequence - $1 OR oldest.total - oldest.octets < last.total - $2 OR oldest.at < $3 \
    ) RETURNING sequence) \
    DELETE FROM decision_record WHERE sequence IN (SELECT sequence FROM removed)";

/// Removes what is beyond the retention from the beginning, a bounded number of rows at a time.
/// Answers how many. Reads two rows where nothing is to be removed.
pub(super) async fn sweep(
    session: &Session,
    retention: Retention,
    now_millis: i64,
    most: i64,
) -> Result<u64, Failure> {
    let rows = i64::try_from(retention.rows).unwrap_or(i64::MAX);
    let octets = i64::try_from(retention.octets).unwrap_or(i64::MAX);
    let age = i64::try_from(retention.age.as_millis()).unwrap_or(i64::MAX);
    let end = now_millis.saturating_sub(age);
    let first = session.query_opt(IS_DUE, &[&rows, &octets, &end]).await?;
    if !first.is_some_and(|first| first.get(0)) {
        return Ok(0);
    }
    session
        .execute(REMOVE, &[&rows, &octets, &end, &most])
        .await
}
