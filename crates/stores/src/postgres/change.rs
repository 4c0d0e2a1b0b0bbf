//! The feed in PostgreSQL: what to forget.
//!
//! Numbers are drawn before commits, so that no number says how far the feed was read: a slow
//! transaction commits a smaller one later. What is read is what was not visible at the look before.

use grantor::types::{ClientId, SubjectId};
use tokio_postgres::Row;

use super::{error::Failure, session::Session};
use crate::feed::{Change, Look, News};

/// A look: rows and horizon from one snapshot. The parameter is the snapshot of the look before:
/// what was visible then is not read again, however long a transaction holds the horizon back.
pub(super) const LOOK: &str = "SELECT here.horizon::text, here.snapshot::text, here.timeline, here.pruned, here.flushed, \
    change.position, change.resource, change.client, client.number, change.subject, change.issuer \
    FROM (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon, pg_current_snapshot() AS snapshot, \
        substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline, \
        (SELECT value FROM meta WHERE name = 'pruned') AS pruned, \
        (pg_current_wal_flush_lsn() - '0/0')::bigint AS flushed) AS here \
    LEFT JOIN change ON change.xid >= pg_snapshot_xmin($1::text::pg_snapshot) \
        AND NOT pg_visible_in_snapshot(change.xid, $1::text::pg_snapshot) \
    LEFT JOIN client ON client.id = change.client \
    ORDER BY change.position LIMIT 10001";
/// More rows than these mean everything.
const MOST: usize = 10_000;
/// A snapshot in which everything is visible: no transaction has such a number.
const ALL: &str = "9223372036854775807:9223372036854775807:";

/// How far the feed was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Position {
    /// Every transaction below it was over.
    horizon: u64,
    /// What was visible, and heeded, as `pg_snapshot` has it.
    snapshot: String,
    /// The history of the server: another one after each promotion.
    timeline: String,
    /// How much of its log was on the disk: a server that was killed has all of that.
    flushed: i64,
    /// How many connections had been opened.
    epoch: u64,
}

impl Position {
    /// The end of the feed: what is committed from now on is behind it.
    pub(super) async fn newest(session: &Session, epoch: u64) -> Result<Self, Failure> {
        let row = session.query_one(LOOK, &[&ALL]).await?;
        Ok(Self {
            horizon: number(&row, 0)?,
            snapshot: row.get(1),
            timeline: row.get(2),
            flushed: row.get(4),
            epoch,
        })
    }

    /// The history of the server.
    pub(super) fn timeline(&self) -> &str {
        &self.timeline
    }

    /// What was visible, as `pg_snapshot` has it: everything in it was heeded. The parameter of
    /// [`LOOK`].
    pub(super) fn snapshot(&self) -> &str {
        &self.snapshot
    }
}

/// What a look has seen.
pub(super) struct Seen {
    pub(super) look: Look<Position>,
    pub(super) history: History,
}

/// Whether the server goes on from what was there at the look before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum History {
    Same,
    /// It was promoted, and has this timeline now: what was committed last may be gone.
    Promoted(String),
    /// It was restored or replaced: what was committed last is gone.
    Another,
}

/// Reads the rows of [`LOOK`], which was asked at `last` when so many connections had been opened.
pub(super) fn read(rows: &[Row], last: &Position, epoch: u64) -> Result<Seen, Failure> {
    let Some(first) = rows.first() else {
        return Err(Failure::Lost("a look always has a row".into()));
    };
    let horizon = number(first, 0)?;
    let pruned = first.get::<_, Option<&str>>(3).map_or(Ok(0), parsed)?;
    let timeline: String = first.get(2);
    let flushed: i64 = first.get(4);
    let mut changes = (rows.len() <= MOST && pruned <= last.horizon).then(Vec::new);
    for row in rows {
        // There is always a row, that of the look itself.
        if row.get::<_, Option<i64>>(5).is_none() {
            continue;
        }
        changes = changes.zip(change(row)).map(|(mut changes, change)| {
            changes.push(change);
            changes
        });
    }
    // The horizon may go back where a server was killed: what its transactions wrote for which
    // nobody waited is gone, and their numbers are used again.
    let history = match (timeline == last.timeline, flushed >= last.flushed) {
        (false, _) => History::Promoted(timeline.clone()),
        (true, false) => History::Another,
        (true, true) => History::Same,
    };
    let goes_on = history == History::Same && horizon >= last.horizon && epoch == last.epoch;
    let news = changes.filter(|_| goes_on).map(News::Changes);
    let position = Position {
        horizon,
        snapshot: first.get(1),
        timeline,
        flushed,
        epoch,
    };
    let news = news.unwrap_or(News::Everything);
    let look = Look { news, position };
    Ok(Seen { look, history })
}

fn number(row: &Row, column: usize) -> Result<u64, Failure> {
    parsed(row.get(column))
}

fn parsed(number: &str) -> Result<u64, Failure> {
    let parsed = number.parse();
    parsed.map_err(|_| Failure::Lost(format!("{number:?} is no number of a transaction").into()))
}

/// What a row tells. `None` where it is not understood: then anything may have changed.
fn change(row: &Row) -> Option<Change> {
    let client: Option<&str> = row.get(7);
    let subject: Option<&str> = row.get(9);
    let issuer = row.get::<_, Option<i64>>(10).map(i64::unsigned_abs);
    let client = client.and_then(|client| ClientId::parse(client).ok());
    let subject = subject.and_then(|subject| SubjectId::parse(subject).ok());
    match (row.get(6), client, subject) {
        ("issuer", None, None) => issuer.map(Change::Issuer),
        ("trust", None, None) => issuer.map(Change::TrustsOf),
        ("client", Some(id), None) => Some(Change::Client {
            id,
            number: row.get(8),
        }),
        ("subject", None, Some(id)) => Some(Change::Subject(id)),
        ("permission", Some(client), Some(subject)) => Some(Change::Permission(client, subject)),
        ("signing_key", ..) => Some(Change::SigningKeys),
        _ => None,
    }
}
