//! The part of the registry that this process has in memory, and how it follows the change log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grantor::{clock::Clock, storage::StoreError};
use rusqlite::Connection;

use super::{
    cache::{self, Cache, Change, KnownNames, Position},
    error::failed,
    marks::Marks,
    signing_key::Ring,
};
use crate::MasterKey;

/// Parsed registrations, the signing keys, the times of `meta`, and how far the change log was
/// read.
pub(super) struct Held {
    pub(super) cache: Cache,
    pub(super) ring: Ring,
    pub(super) marks: Arc<Marks>,
    pub(super) master_key: MasterKey,
    pub(super) clock: Arc<dyn Clock>,
    /// What is before it was heeded. Copied, never kept locked: a look by the writer and one for
    /// a request do not wait for each other, and what is heeded twice does no harm.
    pub(super) position: Mutex<Position>,
}

impl Held {
    /// What the database has now.
    pub(super) fn load(
        connection: &Connection,
        master_key: MasterKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        // First how far the log goes: what is added meanwhile is read twice.
        let position = Position::newest(connection).map_err(failed)?;
        Ok(Self {
            cache: Cache::new(KnownNames::load(connection).map_err(failed)?),
            ring: Ring::load(connection, &master_key, clock.now())?,
            marks: Arc::new(Marks::load(connection).map_err(failed)?),
            master_key,
            clock,
            position: Mutex::new(position),
        })
    }

    /// Forgets what has changed since the last time, and reads the signing keys anew where they
    /// are due. `went_back` is called where the database is an earlier one now; where that fails,
    /// the next look finds it out again.
    pub(super) fn catch_up(
        &self,
        connection: &Connection,
        went_back: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let last = *self.position();
        let news = cache::news(connection, last).map_err(|error| {
            // Not knowing what changed, trust nothing that was read before.
            self.cache.clear();
            failed(error)
        })?;
        // First forget: should what follows fail, nothing stale is left in force.
        let keys_changed = self.cache.forget(&news.changes);
        let generation = self.cache.generation();
        if news.changes.iter().any(Change::is_everything) {
            self.cache.names.add_all(connection).map_err(failed)?;
            self.marks.reload(connection).map_err(failed)?;
        }
        if news.went_back {
            went_back()?;
        }
        if keys_changed || self.ring.is_due(self.clock.now()) {
            self.ring
                .reload(connection, &self.master_key, self.clock.now(), generation)?;
        }
        *self.position() = news.position;
        Ok(())
    }

    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
