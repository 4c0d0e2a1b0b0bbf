//! SQLite: write-ahead log, `synchronous=FULL`, one writer that commits in groups, readers beside
//! it, and a cache of parsed registrations that is told of every change.
//!
//! What was answered is on disk: a claim or a token is answered only after the commit that holds
//! it.

mod access;
mod artifact;
mod backup;
mod block_on;
mod change;
mod change_record;
mod check;
mod claim_rows;
mod client;
mod decision;
mod error;
mod issuer;
mod leaving;
mod log;
mod marks;
mod open;
mod operator;
mod passkey;
mod password;
mod permission;
mod permission_use;
mod readers;
mod registry;
mod replay;
mod revision;
mod scope_text;
mod search;
mod seen;
mod signing_key;
mod source;
mod statistics;
mod subject;
mod sweeper;
mod trigrams;
mod trust;
mod writer;

use std::sync::{Arc, Mutex};

use grantor::{
    server::{Seals, TokenIds},
    storage::StoreError,
};
use rusqlite::Connection;

pub use backup::{BackupError, Restored, Revocations};
pub use error::OpenError;
pub(crate) use leaving::{Begun, Kept, Leaving};
pub use open::Options;
pub(crate) use open::master_key_path;

use self::{
    check::LastCheck,
    error::failed,
    open::Checkpoints,
    readers::{Lists, Readers},
    source::Source,
    writer::Writer,
};
use crate::{MasterKey, cached::Cached, quota::Quota};

/// A store in one SQLite file. Cloning it shares everything.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    writer: Writer,
    cached: Arc<Cached<Source>>,
    quota: Quota,
    lists: Lists,
    last_check: LastCheck,
    /// The connection that moves the write-ahead log into the database file.
    checkpoints: Mutex<Checkpoints>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteStore(..)")
    }
}

impl SqliteStore {
    /// The names of all clients and subjects.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn names(&self) -> Result<Vec<String>, StoreError> {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare("SELECT name FROM party ORDER BY name")?;
            let names = statement.query_map([], |row| row.get(0))?;
            Ok(names.collect::<rusqlite::Result<_>>()?)
        };
        self.0.lists.read(read).await
    }

    /// Makes the `jti` of access tokens under a key that comes from the master key: every process
    /// that opens this database knows them.
    pub fn token_ids(&self) -> TokenIds {
        let Source {
            master_key, marks, ..
        } = self.0.source();
        master_key.token_ids().clone().since(marks.sealed_since())
    }

    /// Seals codes and tickets under a key that comes from the master key: those of one process are
    /// good in every other that opens this database.
    pub fn seals(&self) -> Seals {
        self.0.source().master_key.seals().clone()
    }

    /// Runs `work` in the writer's transaction, all or nothing. The effect is in force in this
    /// process before the answer, and in others by their next look.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &MasterKey) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let cached = self.0.cached.clone();
        self.0
            .writer
            .change(move |transaction| work(transaction, &cached.source().master_key))
            .await
    }
}

impl Inner {
    fn source(&self) -> &Source {
        self.cached.source()
    }

    fn readers(&self) -> &Readers {
        &self.source().readers
    }
}
