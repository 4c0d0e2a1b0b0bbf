//! SQLite: write-ahead log, `synchronous=FULL`, one writer that commits in groups, readers beside
//! it, and a cache of parsed registrations that is told of every change.
//!
//! What was answered is on disk: a claim or a token is answered only after the commit that holds
//! it.

mod access;
mod backup;
mod cache;
mod check;
mod claim_rows;
mod client;
mod decision;
mod error;
mod held;
mod marks;
mod open;
mod permission;
mod quota;
mod readers;
mod replay;
mod revision;
mod seen;
mod signing_key;
mod steady;
mod subject;
mod sweeper;
mod token;
mod writer;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::{server::TokenIds, storage::StoreError};
use rusqlite::Connection;

pub use backup::{BackupError, Restored, Revocations};
pub use decision::{DecisionFilter, Retention, StoredDecision};
pub use error::{OpenError, left_unchanged};
pub use open::{Create, Options, Upkeep};
pub use signing_key::SigningKeyInfo;

use self::{
    check::LastCheck, error::failed, held::Held, marks::Marks, open::Checkpoints, quota::Quota,
    readers::Readers, seen::Seen, writer::Writer,
};
use crate::MasterKey;

/// A store in one SQLite file. Cloning it shares everything.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    writer: Writer,
    readers: Readers,
    held: Arc<Held>,
    tokens: Quota,
    revocations: Quota,
    last_check: LastCheck,
    /// The connection that reads the change log.
    changes: Mutex<Connection>,
    /// The connection that moves the write-ahead log into the database file.
    checkpoints: Mutex<Checkpoints>,
    seen: Seen,
    opened: Instant,
    /// When the change log was last read for a request, in milliseconds after `opened`.
    looked_at: AtomicU64,
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
        self.0.readers.read(read).await
    }

    /// Makes the `jti` of access tokens under a key that comes from the master key: every process
    /// that opens this database knows them.
    pub fn token_ids(&self) -> TokenIds {
        self.0
            .held
            .master_key
            .token_ids()
            .clone()
            .since(self.0.held.marks.sealed_since())
    }

    /// Runs `work` in the writer's transaction, all or nothing. The effect is in force in this
    /// process before the answer, and in others by their next look.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, &MasterKey) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let held = self.0.held.clone();
        self.0
            .writer
            .change(move |transaction| work(transaction, &held.master_key))
            .await
    }
}

/// How soon after one look at the change log a request makes another: a client that was just
/// created is found, and no number of requests makes the database look more often.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl Inner {
    /// Where a client of this name may be, by the change log of this moment. The look, where it is
    /// due, is for known names too: a request now and then would otherwise be answered sooner
    /// where the client exists.
    async fn known_number(self: &Arc<Self>, name: &str) -> Result<Option<i64>, StoreError> {
        let looked = if self.is_look_due() {
            let inner = self.clone();
            let look = tokio::task::spawn_blocking(move || inner.look_again()).await;
            look.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))))
        } else {
            Ok(())
        };
        // What is at hand does not need the database.
        let known = self.held.cache.names.number(name);
        if known.is_some() {
            Ok(known)
        } else {
            looked.map(|()| None)
        }
    }

    /// Whether the last look at the change log is some time ago. Who comes while one is under way
    /// waits for it.
    fn is_look_due(&self) -> bool {
        self.opened.elapsed()
            >= Duration::from_millis(self.looked_at.load(Ordering::Acquire)) + LOOK_AGAIN
    }

    /// A look for a request.
    fn look_again(&self) -> Result<(), StoreError> {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.catch_up();
        // Last, so that no request takes a look that has not ended for one that has.
        self.looked_at.store(now, Ordering::Release);
        looked
    }

    /// Reads the changes since the last time, by whatever process, and forgets what they touched.
    fn catch_up(&self) -> Result<(), StoreError> {
        let connection = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = || self.writer.went_back(self.seen.numbers());
        self.held.catch_up(&connection, noted)
    }
}
