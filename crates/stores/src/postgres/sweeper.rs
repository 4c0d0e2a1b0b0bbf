//! Removing what has ended: whichever node gets the lock, a bounded part at a time, never within a
//! request.
//!
//! Each part is a transaction on a lent connection, behind the lock of sweeping: other nodes go by
//! meanwhile, and the next part may be another node's. What is removed had ended by the earlier of
//! two clocks, the node's and the server's.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use grantor::{
    clock::UnixTime,
    storage::{FamilyId, StoreError},
};

use super::{
    Inner, Options, artifact, change_record, connections::Lent, decision, error::Failure,
    fence::Fence, session::Session, source::Source, statistics,
};
use crate::{cached::Cached, steady::Steady};

/// How often.
const EVERY: Duration = Duration::from_secs(10);
/// How long ago something has to have ended to be removed.
const MARGIN: Duration = Duration::from_secs(10);
/// Most rows a statement.
const ROWS: i64 = 20_000;
/// The fewest that it comes down to where statements take too long.
const FEWEST_ROWS: i64 = 1_250;

const LOCK: &str =
    "SELECT pg_try_advisory_xact_lock(7523, 1), (extract(epoch FROM now()) * 1000)::bigint";
const CLAIMS: &str =
    "DELETE FROM claim WHERE ctid = ANY (ARRAY(SELECT ctid FROM claim WHERE until < $1 LIMIT $2))";
/// Rows of the feed, kept for an hour; and where a reader has to be to have missed none, in the same
/// transaction (S038).
const CHANGES: &str = "WITH gone AS (DELETE FROM change WHERE position IN \
        (SELECT position FROM change WHERE at < now() - interval '1 hour' AND xid < pg_snapshot_xmin(pg_current_snapshot()) \
        ORDER BY position LIMIT $1) RETURNING xid) \
    INSERT INTO meta (name, value) \
    SELECT 'pruned', (max(xid::text::numeric) + 1)::text FROM gone HAVING count(*) > 0 \
    ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value::numeric, excluded.value::numeric)::text \
    RETURNING (SELECT count(*) FROM gone)";
const NODES: &str = "DELETE FROM node WHERE seen < now() - interval '1 day'";

/// Removes what has ended, for as long as the store is in use.
pub(super) fn start(store: &Arc<Inner>) {
    let sweeper = Sweeper {
        steady: Steady::new(store.now(), Instant::now()),
        store: Arc::downgrade(store),
        options: store.options.clone(),
        rows: ROWS,
        has_failed: false,
    };
    tokio::spawn(sweeper.run());
}

/// What is removed, in this order: each a part of its own.
#[derive(Clone, Copy, Debug)]
enum Part {
    Claims,
    Artifacts,
    EndedFamilies,
    Decisions,
    ChangeRecords,
    Statistics,
    Changes,
    Nodes,
}

const PARTS: [Part; 8] = [
    Part::Claims,
    Part::Artifacts,
    Part::EndedFamilies,
    Part::Decisions,
    Part::ChangeRecords,
    Part::Statistics,
    Part::Changes,
    Part::Nodes,
];

/// How one transaction went.
enum Swept {
    /// So many rows are gone.
    Rows(u64),
    /// Another node sweeps.
    ByAnother,
}

/// The store is not in use any more.
struct Closed;

struct Sweeper {
    /// Held for no longer than a transaction, and never while it waits for the next time.
    store: Weak<Inner>,
    options: Options,
    steady: Steady,
    /// Most rows a statement: fewer after one that took too long.
    rows: i64,
    has_failed: bool,
}

impl Sweeper {
    async fn run(mut self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.sweep().await {
                Err(Closed) => return,
                Ok(Ok(())) => {
                    self.has_failed = false;
                    self.rows = (self.rows * 2).min(ROWS);
                }
                Ok(Err(failure)) => {
                    self.rows = (self.rows / 4).max(FEWEST_ROWS);
                    if !std::mem::replace(&mut self.has_failed, true) {
                        let error = StoreError::from(failure);
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::warn!(%error, cause, "what has ended could not be removed");
                    }
                }
            }
        }
    }

    /// Everything that has ended, a part at a time. What cannot be removed now is tried again the
    /// next time.
    async fn sweep(&mut self) -> Result<Result<(), Failure>, Closed> {
        if let Err(failure) = self.reload_fence().await? {
            return Ok(Err(failure));
        }
        let mut failed = Ok(());
        for part in PARTS {
            loop {
                match self.sweep_some(part).await? {
                    Ok(Swept::Rows(rows)) if rows >= self.rows.unsigned_abs() => {}
                    Ok(Swept::Rows(_)) => break,
                    Ok(Swept::ByAnother) => return Ok(failed),
                    Err(failure) => {
                        failed = Err(failure);
                        break;
                    }
                }
            }
        }
        Ok(failed)
    }

    /// The database, without the store: it may end meanwhile.
    fn cached(&self) -> Result<Arc<Cached<Source>>, Closed> {
        let store = self.store.upgrade().ok_or(Closed)?;
        Ok(store.cached.clone())
    }

    /// What other nodes have written is known at the latest then.
    async fn reload_fence(&self) -> Result<Result<(), Failure>, Closed> {
        let cached = self.cached()?;
        let source = cached.source();
        Ok(async {
            let session = source.connections.lend_unhurried().await?;
            source.fence.reload(&session).await?;
            session.give_back();
            Ok(())
        }
        .await)
    }

    async fn sweep_some(&mut self, part: Part) -> Result<Result<Swept, Failure>, Closed> {
        let cached = self.cached()?;
        let source = cached.source();
        let session = match source.connections.lend_unhurried().await {
            Ok(session) => session,
            Err(failure) => return Ok(Err(failure)),
        };
        Ok(self.transact(&source.fence, session, part).await)
    }

    /// One transaction. Where it fails, the connection is closed, and nothing was done.
    async fn transact(
        &mut self,
        fence: &Fence,
        session: Lent,
        part: Part,
    ) -> Result<Swept, Failure> {
        session.batch("BEGIN").await?;
        let row = session.query_one(LOCK, &[]).await?;
        if !row.get::<_, bool>(0) {
            session.batch("ROLLBACK").await?;
            session.give_back();
            return Ok(Swept::ByAnother);
        }
        let engine = UnixTime::from_millis(row.get::<_, i64>(1).saturating_add(fence.ahead()));
        fence.check_clock(&session, engine).await?;
        let now = self.options.clock.now();
        let now = self.steady.believe(now, Instant::now());
        let now = now.min(engine).minus(MARGIN);
        let rows = self.sweep_part(&session, fence, part, now).await?;
        session.batch("COMMIT").await?;
        session.give_back();
        Ok(Swept::Rows(rows))
    }

    /// Answers how many rows are gone.
    async fn sweep_part(
        &self,
        session: &Session,
        fence: &Fence,
        part: Part,
        now: UnixTime,
    ) -> Result<u64, Failure> {
        let (options, most) = (&self.options, self.rows);
        match part {
            Part::Claims => {
                let rows = session.execute(CLAIMS, &[&now.millis(), &most]).await?;
                marked(fence, session, now, rows).await
            }
            Part::Artifacts => artifact::sweep(session, now, most).await,
            Part::EndedFamilies => {
                let ended = now.minus(FamilyId::KEPT_BEYOND_END);
                let rows = artifact::sweep_ended(session, ended, most).await?;
                marked(fence, session, now, rows).await
            }
            Part::Decisions => {
                decision::sweep(session, options.retention, now.millis(), most).await
            }
            Part::ChangeRecords => change_record::sweep(session, options.changes, now, most).await,
            Part::Statistics => statistics::sweep(session, now.millis(), most).await,
            Part::Changes => {
                let row = session.query_opt(CHANGES, &[&most]).await?;
                Ok(row.map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
            }
            Part::Nodes => session.execute(NODES, &[]).await,
        }
    }
}

/// Where something is removed that decided about uses and revocations, it is recorded up to when.
async fn marked(
    fence: &Fence,
    session: &Session,
    now: UnixTime,
    rows: u64,
) -> Result<u64, Failure> {
    if rows > 0 {
        fence.note_swept(session, now).await?;
    }
    Ok(rows)
}
