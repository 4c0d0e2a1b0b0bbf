//! PostgreSQL as what the cache stands on: the feed is looked at on a connection of its own, and
//! rows are read one behind the other on another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::{
    clock::UnixTime,
    registry::{Client, Issuers, Permissions, Subject, Trusts},
    storage::StoreError,
    types::{ClientId, SubjectId},
};

use super::{
    change::{self, LOOK, Position, Seen},
    connections::Connections,
    error::Failure,
    fence::Fence,
    fitness::Fitness,
    issuer, permission, registry, signing_key, trust,
};
use crate::{
    MasterKey, Upkeep,
    cached::{KnownNames, Moment},
    feed::{Feed, Load, Look, News},
};

/// How long what was looked at, and what was committed, says that this node is current.
const CURRENT_FOR: Duration = Duration::from_secs(1);

/// Where the registry is read from.
pub(super) struct Source {
    pub(super) connections: Connections,
    pub(super) master_key: MasterKey,
    pub(super) fence: Fence,
    pub(super) proof: Proof,
    pub(super) fitness: Fitness,
}

/// What shows that this node answers from the state that is in force: a look at the feed, and a
/// commit under the chosen durability, both begun at most a second ago. A server that was cut off
/// from its standby answers looks for ever, and cannot confirm a commit.
pub(super) struct Proof {
    opened: Instant,
    /// In milliseconds after `opened`, and one more: 0 is never.
    looked: AtomicU64,
    committed: AtomicU64,
    /// A command is no node: what it answers was read for it.
    is_asked: bool,
}

impl Proof {
    /// None yet. A node has to have one.
    pub(super) fn new(upkeep: Upkeep) -> Self {
        Self {
            opened: Instant::now(),
            looked: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            is_asked: upkeep == Upkeep::Here,
        }
    }

    /// A look was answered that was sent after this moment.
    pub(super) fn looked(&self, began: Instant) {
        self.looked.fetch_max(self.mark(began), Ordering::AcqRel);
    }

    /// A commit was confirmed that was sent after this moment.
    pub(super) fn committed(&self, began: Instant) {
        self.committed.fetch_max(self.mark(began), Ordering::AcqRel);
    }

    /// How long ago the last look began; `None` if there was none.
    pub(super) fn age_of_look(&self) -> Option<Duration> {
        self.age(&self.looked)
    }

    /// Whether this node is current.
    ///
    /// # Errors
    /// Unavailable: which of the two is missing.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if !self.is_asked {
            return Ok(());
        }
        let missing = |what: &str, age: Option<Duration>| match age {
            Some(age) if age <= CURRENT_FOR => None,
            Some(age) => Some(format!(
                "this node is not current: the database last {what} {} ms ago",
                age.as_millis()
            )),
            None => Some(format!(
                "this node is not current: the database has not yet {what}"
            )),
        };
        let missing = missing("told it of changes", self.age(&self.looked))
            .or_else(|| missing("confirmed a commit", self.age(&self.committed)));
        missing.map_or(Ok(()), |missing| {
            Err(StoreError::Unavailable(missing.into()))
        })
    }

    fn mark(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.opened).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX - 1) + 1
    }

    fn age(&self, mark: &AtomicU64) -> Option<Duration> {
        let mark = mark.load(Ordering::Acquire).checked_sub(1)?;
        Some(
            self.opened
                .elapsed()
                .saturating_sub(Duration::from_millis(mark)),
        )
    }
}

impl Feed for Source {
    type Position = Position;

    /// A look is a way to the server and back: of those within this time one is enough.
    const LOOK_AGAIN: Duration = Duration::from_millis(20);

    async fn look(&self, position: &Position) -> Result<Look<Position>, StoreError> {
        let session = self.connections.looks.session().await?;
        let epoch = self.connections.epoch();
        let began = Instant::now();
        let rows = session.query(LOOK, &[&position.snapshot()]).await?;
        let Seen { look, history } = change::read(&rows, position, epoch)?;
        if look.news == News::Everything {
            self.fence.reload(&session).await?;
        }
        self.fence.heed(&history).await;
        self.fence.settle(&session).await?;
        self.proof.looked(began);
        Ok(look)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.proof.check()?;
        self.fitness.verdict()
    }
}

impl Load for Source {
    async fn client(&self, id: &ClientId, _: i64) -> Result<Option<Arc<Client>>, StoreError> {
        let session = self.connections.reads().session().await?;
        let found = registry::find(&session, &self.master_key, id).await?;
        Ok(found.map(Arc::new))
    }

    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        let session = self.connections.reads().session().await?;
        Ok(registry::find(&session, &self.master_key, id).await?)
    }

    async fn permissions(
        &self,
        key: &(ClientId, SubjectId),
    ) -> Result<Option<Permissions>, StoreError> {
        let session = self.connections.reads().session().await?;
        Ok(permission::load_all(&session, key).await?)
    }

    async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        let session = self.connections.reads().session().await?;
        Ok(issuer::load_all(&session).await?)
    }

    async fn trusts(&self, issuer: u64) -> Result<Option<Arc<Trusts>>, StoreError> {
        let session = self.connections.reads().session().await?;
        Ok(trust::load_all(&session, issuer).await?)
    }

    /// There may be a million: read on a connection of its own.
    async fn names(&self, known: &Arc<KnownNames>) -> Result<(), StoreError> {
        Ok(add_names(&self.connections, known).await?)
    }

    async fn ring(&self, now: UnixTime) -> Result<Moment, StoreError> {
        let session = self.connections.reads().session().await?;
        Ok(signing_key::read_moment(&session, &self.master_key, now).await?)
    }
}

/// Names that are read by one statement.
pub(super) const NAMES: usize = 50_000;

/// Reads the names of all clients. Whoever is added meanwhile is told by the feed, which was looked
/// at before.
pub(super) async fn add_names(
    connections: &Connections,
    known: &KnownNames,
) -> Result<(), Failure> {
    let session = connections.lend().await?;
    let page = format!("SELECT id, number FROM client WHERE id > $1 ORDER BY id LIMIT {NAMES}");
    let mut last = String::new();
    loop {
        let rows = session.query(&page, &[&last]).await?;
        for row in &rows {
            known.insert(row.get(0), row.get(1));
        }
        match rows.last() {
            Some(row) if rows.len() == NAMES => last = row.get(0),
            Some(_) | None => break,
        }
    }
    session.give_back();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s034_a_node_is_current_by_a_look_and_a_commit_of_the_last_second() {
        let proof = Proof::new(Upkeep::Here);
        let ago = |milliseconds| Instant::now() - Duration::from_millis(milliseconds);
        let at = |opened: Instant, looked: Option<Instant>, committed: Option<Instant>| {
            let proof = Proof {
                opened,
                ..Proof::new(Upkeep::Here)
            };
            looked.into_iter().for_each(|began| proof.looked(began));
            committed
                .into_iter()
                .for_each(|began| proof.committed(began));
            proof.check().is_ok()
        };
        assert!(proof.check().is_err());
        let opened = ago(60_000);
        assert!(at(opened, Some(ago(500)), Some(ago(500))));
        assert!(!at(opened, None, Some(ago(500))));
        assert!(!at(opened, Some(ago(500)), None));
        assert!(!at(opened, Some(ago(1_500)), Some(ago(500))));
        assert!(!at(opened, Some(ago(500)), Some(ago(1_500))));
        assert!(Proof::new(Upkeep::ByOthers).check().is_ok(), "a command");
    }
}
