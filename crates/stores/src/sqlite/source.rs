//! SQLite as what the cache stands on: the change log is its feed, and rows are read on the thread
//! that wants them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use grantor::{
    clock::UnixTime,
    registry::{Client, Issuers, Permissions, Subject, Trusts},
    storage::StoreError,
    types::{ClientId, SubjectId},
};
use rusqlite::Connection;
use tokio::runtime::Handle;

use super::{
    change::{self, Position, Replaced},
    client,
    error::{Failure, failed},
    issuer,
    marks::Marks,
    permission,
    readers::Readers,
    seen::Seen,
    signing_key, subject, trust,
};
use crate::{
    MasterKey,
    cached::{KnownNames, Moment},
    feed::{Feed, Load, Look, News},
};

/// Where the registry is read from.
pub(super) struct Source {
    pub(super) readers: Readers,
    pub(super) master_key: MasterKey,
    pub(super) marks: Arc<Marks>,
    pub(super) seen: Seen,
    /// The connection that reads the change log.
    pub(super) changes: Mutex<Connection>,
}

/// A look is a row or two, in less time than the way to another thread and back.
impl Feed for Source {
    type Position = Position;

    /// A command needs longer to end after its commit, so a client that it created is found by the
    /// request that follows. No number of requests makes the database look more often: at full load a
    /// token costs as much with this time as with five times as much.
    const LOOK_AGAIN: Duration = Duration::from_millis(2);

    async fn look(&self, position: &Position) -> Result<Look<Position>, StoreError> {
        let connection = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let (look, replaced) = change::look(&connection, *position).map_err(failed)?;
        if look.news == News::Everything {
            self.marks.reload(&connection).map_err(failed)?;
        }
        match replaced {
            Replaced::ByEarlier => self.seen.went_back(),
            Replaced::No => {}
        }
        Ok(look)
    }
}

impl Load for Source {
    async fn client(&self, id: &ClientId, number: i64) -> Result<Option<Arc<Client>>, StoreError> {
        let find = |connection: &_| client::find(connection, &self.master_key, id.as_str(), number);
        self.readers.read_here(find)
    }

    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        self.readers
            .read_here(|connection| subject::load(connection, id))
    }

    async fn permissions(
        &self,
        key: &(ClientId, SubjectId),
    ) -> Result<Option<Permissions>, StoreError> {
        self.readers
            .read_here(|connection| permission::load_all(connection, key))
    }

    /// There may be many.
    async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        self.readers.read(issuer::load_all).await
    }

    /// There may be thousands.
    async fn trusts(&self, issuer: u64) -> Result<Option<Arc<Trusts>>, StoreError> {
        let read = move |connection: &Connection| trust::load_all(connection, issuer);
        self.readers.read(read).await
    }

    /// A read that takes long. The store's own threads may wait for it.
    async fn names(&self, known: &Arc<KnownNames>) -> Result<(), StoreError> {
        let known = known.clone();
        let read = move |connection: &Connection| Ok(add_names(connection, &known)?);
        match Handle::try_current() {
            Ok(_) => self.readers.read(read).await,
            Err(_) => self.readers.read_here(read),
        }
    }

    async fn ring(&self, now: UnixTime) -> Result<Moment, StoreError> {
        let read = |connection: &Connection| {
            signing_key::read_moment(connection, &self.master_key, now).map_err(Failure::from)
        };
        self.readers.read_here(read)
    }
}

/// Reads the names of all clients.
pub(super) fn add_names(connection: &Connection, known: &KnownNames) -> rusqlite::Result<()> {
    let count: u32 = connection.query_row("SELECT count(*) FROM client", [], |row| row.get(0))?;
    known.reserve(count as usize);
    let mut statement = connection.prepare_cached("SELECT id, number FROM client")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        known.insert(row.get_ref(0)?.as_str()?, row.get(1)?);
    }
    Ok(())
}
