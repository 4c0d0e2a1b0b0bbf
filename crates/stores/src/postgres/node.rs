//! The nodes: each says several times a second that it is there, and how far it has heeded the
//! feed, in a commit that proves that the server can still make one.

use std::{
    error::Error as _,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock},
    storage::StoreError,
};
use tokio::{sync::Notify, time::timeout};

use super::{
    Inner, PostgresStore, backoff::pause, error::Failure, fitness::PROVEN, session::Session,
};
use crate::Upkeep;

/// How often a node looks at the feed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often it proves that the server commits, where it has nothing to say.
const PROVE_EVERY: Duration = Duration::from_millis(200);
/// How long a change waits to be heeded by all nodes.
const HEEDED_WITHIN: Duration = Duration::from_secs(2);
/// How soon it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// How long a node that stops waits until the others know.
const LEFT_WITHIN: Duration = Duration::from_secs(1);
/// Nodes that were not seen for so long are gone.
pub(super) const GONE: &str = "interval '10 s'";

/// A running node, as the others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its id, a new one at each start: a UUID.
    pub id: String,
    /// The version of its program.
    pub version: String,
    /// Where it runs ([`Options::place`](super::Options::place)); none where its program does not say
    /// it.
    pub place: Option<String>,
    /// How long ago it was seen, by the server's clock.
    pub seen_ago: Duration,
    /// How far its clock was ahead of the server's, in milliseconds.
    pub clock_ahead: i64,
    /// Whether it has heeded everything that was committed a second ago.
    pub is_current: bool,
}

impl PostgresStore {
    /// The nodes that were seen within the last day, the one seen last first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn nodes(&self) -> Result<Vec<NodeInfo>, StoreError> {
        let select = "SELECT id, version, (extract(epoch FROM clock_timestamp() - seen) * 1000)::bigint, \
            clock_ms - (extract(epoch FROM seen) * 1000)::bigint, \
            NOT EXISTS (SELECT 1 FROM change WHERE at < now() - interval '1 s' \
                AND pg_visible_in_snapshot(xid, pg_current_snapshot()) AND NOT pg_visible_in_snapshot(xid, confirmed)), place \
            FROM node WHERE seen > now() - interval '1 day' ORDER BY seen DESC";
        let session = self.0.connections().reads().session().await?;
        let rows = session.query(select, &[]).await?;
        let info = |row: &tokio_postgres::Row| NodeInfo {
            id: row.get(0),
            version: row.get(1),
            seen_ago: Duration::from_millis(row.get::<_, i64>(2).max(0).unsigned_abs()),
            clock_ahead: row.get(3),
            is_current: row.get(4),
            place: row.get(5),
        };
        Ok(rows.iter().map(info).collect())
    }

    /// Tells the others that this node stops, so that no change waits for it: when no request comes
    /// any more. From then on it does not look at what others change.
    pub async fn leave(&self) {
        if self.0.options.upkeep == Upkeep::Here {
            self.0.leaving.asked.notify_one();
            if timeout(LEFT_WITHIN, self.0.leaving.left.notified())
                .await
                .is_err()
            {
                tracing::warn!("the other nodes do not know yet that this one stops");
            }
        }
    }
}

/// How a node leaves: its pulse is asked, and tells when it has.
#[derive(Default)]
pub(super) struct Leaving {
    asked: Notify,
    left: Notify,
}

/// The transaction that is open in this session, if it has written anything.
pub(super) async fn own_transaction(session: &Session) -> Result<Option<String>, Failure> {
    let select = "SELECT pg_current_xact_id_if_assigned()::text";
    Ok(session.query_one(select, &[]).await?.get(0))
}

impl Inner {
    /// Heeds this process's own change, and waits until every live node has; a node that has not
    /// within two seconds is named in the log.
    pub(super) async fn wait_until_heeded(&self, transaction: Option<String>) {
        if let Err(error) = self.cached.look().await {
            tracing::warn!(%error, "the change is committed, and could not be read back");
        }
        let Some(transaction) = transaction else {
            return;
        };
        let begun = Instant::now();
        let behind = loop {
            let behind = match self.behind(&transaction).await {
                Ok(behind) if behind.is_empty() => return,
                Ok(behind) => behind,
                Err(failure) => {
                    let error = StoreError::from(failure);
                    tracing::warn!(%error, "whether all nodes have heeded the change is not known");
                    return;
                }
            };
            if begun.elapsed() >= HEEDED_WITHIN {
                break behind;
            }
            pause(ASK_AGAIN).await;
        };
        let nodes = behind.join("; ");
        tracing::warn!(
            nodes,
            "these nodes have not heeded the change within 2 s: until they do, they answer as before, or not at all"
        );
    }

    /// The live nodes besides this one that have not heeded what this transaction wrote.
    async fn behind(&self, transaction: &str) -> Result<Vec<String>, Failure> {
        let select = format!(
            "SELECT concat_ws(', ', id, place) FROM node WHERE seen > now() - {GONE} AND id <> $2 \
            AND NOT pg_visible_in_snapshot($1::text::xid8, confirmed)"
        );
        let session = self.connections().reads().session().await?;
        let rows = session.query(&select, &[&transaction, &self.node]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Tells the others how far this node has heeded the feed. The answer proves that the server
    /// commits.
    pub(super) async fn prove(&self) -> Result<(), Failure> {
        let heeded = self.cached.position();
        let put = format!(
            "INSERT INTO node (id, version, seen, clock_ms, confirmed, place) \
            VALUES ($1, $2, clock_timestamp(), $3, $4::text::pg_snapshot, nullif($5, '')) \
            ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, clock_ms = excluded.clock_ms, confirmed = excluded.confirmed \
            RETURNING {PROVEN}, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline, \
                pg_current_wal_insert_lsn() AS place"
        );
        let session = self.connections().looks.session().await?;
        let (began, clock) = (Instant::now(), SystemClock.now().millis());
        let version = env!("CARGO_PKG_VERSION");
        let (snapshot, place) = (heeded.snapshot(), &self.options.place);
        let proof = session
            .query_one(&put, &[&self.node, &version, &clock, &snapshot, place])
            .await;
        let (proof, source) = (proof?, self.source());
        let proven = source.fitness.proven(&proof);
        if source.fitness.is_unreplicated(&proof) {
            source.fence.note_unreplicated(&session).await?;
        }
        proven?;
        if heeded.timeline() == proof.get::<_, &str>("timeline") {
            let place = proof.get("place");
            source.fence.note_confirmed(heeded.timeline(), place);
        }
        source.proof.committed(began);
        Ok(())
    }

    /// The last that the others hear of this node.
    async fn say_goodbye(&self) -> Result<(), Failure> {
        let session = self.connections().looks.session().await?;
        let delete = "DELETE FROM node WHERE id = $1";
        session.execute(delete, &[&self.node]).await.map(drop)
    }
}

/// Looks, and proves, for as long as the store is in use.
pub(super) fn start_pulse(store: &Arc<Inner>) {
    tokio::spawn(pulse(Arc::downgrade(store), store.leaving.clone()));
}

async fn pulse(store: Weak<Inner>, leaving: Arc<Leaving>) {
    let mut pulse = Pulse::default();
    loop {
        let leaves = tokio::select! {
            () = leaving.asked.notified() => true,
            () = pause(LOOK_EVERY) => false,
        };
        let Some(store) = store.upgrade() else {
            return;
        };
        if leaves {
            if let Err(failure) = store.say_goodbye().await {
                let error = StoreError::from(failure);
                tracing::warn!(%error, "the other nodes learn within 10 s that this one has stopped");
            }
            leaving.left.notify_one();
            return;
        }
        pulse.beat(&store).await;
    }
}

/// What one beat leaves for the next.
#[derive(Default)]
struct Pulse {
    /// When the last proof began, and which generation of the cache it told of.
    proved: Option<(Instant, u64)>,
    has_failed: bool,
}

impl Pulse {
    async fn beat(&mut self, store: &Inner) {
        match (self.look_and_prove(store).await, self.has_failed) {
            (Ok(()), true) => tracing::info!("the database answers again"),
            (Err(error), false) => {
                let cause = error.source().map(ToString::to_string);
                tracing::error!(%error, cause, "this node answers nothing that rests on the database until it is back");
            }
            (Ok(()), false) | (Err(_), true) => return,
        }
        self.has_failed = !self.has_failed;
    }

    async fn look_and_prove(&mut self, store: &Inner) -> Result<(), StoreError> {
        store.cached.look().await?;
        let heeded = store.cached.generation();
        let is_told = self
            .proved
            .is_some_and(|(began, told)| began.elapsed() < PROVE_EVERY && told == heeded);
        if !is_told {
            let began = Instant::now();
            store.prove().await?;
            self.proved = Some((began, heeded));
        }
        Ok(())
    }
}
