//! How many requests were decided, in PostgreSQL: one row per minute and kind, written beside the
//! decisions, never waited for. All nodes add to the same row.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    server::Decision,
    storage::{
        Count, CountBy, CountQuery, CountStep, DecisionKind, HOURS_KEPT, MINUTES_KEPT,
        StatisticsStore, StoreError,
    },
};

use super::{
    PostgresStore,
    error::Failure,
    session::{Session, Value},
};
use crate::tally::Row;

/// In the order of the key: nodes that add to the same rows wait for each other, and never in a
/// circle.
const ADD: &str = "INSERT INTO statistic (span, start, endpoint, outcome, rule, count) \
    SELECT 1, start, endpoint, outcome, rule, sum(count)::bigint \
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS row (start, endpoint, outcome, rule, count) \
    GROUP BY start, endpoint, outcome, rule \
    ORDER BY start, endpoint COLLATE \"C\", outcome COLLATE \"C\", rule COLLATE \"C\" \
    ON CONFLICT (span, start, endpoint, outcome, rule) DO UPDATE SET count = statistic.count + excluded.count";

/// Adds to the rows.
pub(super) async fn write(session: &Session, counts: &[(Row, u64)]) -> Result<(), Failure> {
    if counts.is_empty() {
        return Ok(());
    }
    let kinds = || counts.iter().map(|((_, kind), _)| kind);
    let starts: Vec<i64> = counts.iter().map(|((at, _), _)| at.millis()).collect();
    let endpoints: Vec<&str> = kinds().map(DecisionKind::endpoint).collect();
    let outcomes: Vec<&str> = kinds().map(DecisionKind::outcome).collect();
    let rules: Vec<&str> = kinds()
        .map(|kind| kind.rule().unwrap_or_default())
        .collect();
    let counts: Vec<i64> = counts
        .iter()
        .map(|(_, count)| i64::try_from(*count).unwrap_or(i64::MAX))
        .collect();
    let values: [Value<'_>; 5] = [&starts, &endpoints, &outcomes, &rules, &counts];
    session.execute(ADD, &values).await.map(drop)
}

#[async_trait]
impl StatisticsStore for PostgresStore {
    fn count(&self, decision: &Decision) {
        let minute = CountStep::Minute.start(decision.at);
        let kind = DecisionKind::of(decision);
        self.0.counts.count((minute, kind));
    }

    async fn counts(&self, query: &CountQuery, limit: u32) -> Result<Vec<Count>, StoreError> {
        let session = self.0.connections().lend_in_turn().await?;
        let found = read(&session, query, limit).await?;
        session.give_back();
        Ok(found)
    }
}

async fn read(session: &Session, query: &CountQuery, limit: u32) -> Result<Vec<Count>, Failure> {
    let (key, which) = match query.by {
        CountBy::Outcome => ("outcome", ""),
        CountBy::Rule => ("rule", " AND rule <> ''"),
        CountBy::Endpoint => ("endpoint", ""),
    };
    // No row begins before 1970.
    let select = format!(
        "SELECT start / $1 * $1 AS step, {key} AS key, sum(count)::bigint FROM statistic \
        WHERE span IN (1, 60) AND start >= $2 AND start < $3{which} GROUP BY 1, 2 ORDER BY 1, 2 LIMIT $4"
    );
    let step = i64::try_from(query.step.length().as_millis()).unwrap_or(i64::MAX);
    let (from, to) = (query.from.millis(), query.to.millis());
    let limit = i64::from(limit);
    let found = session.query(&select, &[&step, &from, &to, &limit]).await?;
    let found = found.into_iter().map(|row| Count {
        start: UnixTime::from_millis(row.get(0)),
        key: row.get(1),
        count: row.get::<_, i64>(2).unsigned_abs(),
    });
    Ok(found.collect())
}

/// Adds up by the hour what is old, and removes what is older, a bounded number of rows at a time.
/// Answers how many rows were removed. It is called in a transaction, or each of the two is one.
pub(super) async fn sweep(session: &Session, now_millis: i64, most: i64) -> Result<u64, Failure> {
    let now = UnixTime::from_millis(now_millis);
    let until = now.minus(MINUTES_KEPT).start_of_hour().millis();
    let folded = session.query_one(&fold(), &[&until, &most]).await?;
    let until = now.minus(HOURS_KEPT).millis();
    let removed = session.execute(&remove(60), &[&until, &most]).await?;
    Ok(removed + folded.get::<_, i64>(0).unsigned_abs())
}

/// The oldest rows of a span: `$1` is when the first others begin, `$2` how many at most.
fn remove(span: u8) -> String {
    let key = "span, start, endpoint, outcome, rule";
    format!(
        "DELETE FROM statistic WHERE ({key}) IN (SELECT {key} FROM statistic \
            WHERE span = {span} AND start < $1 ORDER BY {key} LIMIT $2)"
    )
}

/// What is removed is what is added up, also where more was counted meanwhile. Has one row: how many
/// were removed.
fn fold() -> String {
    let remove = remove(1);
    let hour = CountStep::Hour.length().as_millis();
    format!(
        "WITH removed AS ({remove} RETURNING start / {hour} * {hour} AS hour, endpoint, outcome, rule, count), \
        added_up AS (INSERT INTO statistic (span, start, endpoint, outcome, rule, count) \
            SELECT 60, hour, endpoint, outcome, rule, sum(count)::bigint FROM removed \
            GROUP BY hour, endpoint, outcome, rule ORDER BY hour, endpoint, outcome, rule \
            ON CONFLICT (span, start, endpoint, outcome, rule) DO UPDATE SET count = statistic.count + excluded.count) \
        SELECT count(*) FROM removed"
    )
}
