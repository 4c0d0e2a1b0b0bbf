//! How many tokens, and how many revocations, of one client are kept at once: whoever holds a key
//! must not fill the disk.
//!
//! A client's rows are counted when it is first seen, and again when it has reached its quota: soft
//! where several processes share a database.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use grantor::{clock::UnixTime, storage::StoreError};
use rusqlite::Connection;

use super::{error::Failure, readers::Readers};

/// How soon a client that has reached its quota is counted again.
const RECOUNT_AFTER: Duration = Duration::from_secs(10);

/// The rows of one table.
pub(super) struct Quota {
    count: &'static str,
    held: Mutex<HashMap<i64, Held>>,
}

/// A client's rows.
struct Held {
    rows: u64,
    counted: Instant,
}

impl Quota {
    /// `count` counts the rows of client ?1 that end at ?2 or later.
    pub(super) fn new(count: &'static str) -> Self {
        Self {
            count,
            held: Mutex::default(),
        }
    }

    /// Whether this client may have a row more, which is counted from then on.
    pub(super) fn take(
        &self,
        readers: &Readers,
        client: i64,
        now: UnixTime,
        quota: u64,
    ) -> Result<bool, StoreError> {
        let known = self
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&client)
            .map(|held| (held.rows, held.counted));
        match known {
            Some((rows, _)) if rows < quota => {}
            Some((_, counted)) if counted.elapsed() < RECOUNT_AFTER => return Ok(false),
            // Counted without the lock: others need not wait for it.
            Some(_) | None => {
                let rows = readers.read_here(|connection| self.count(connection, client, now))?;
                let held = Held {
                    rows,
                    counted: Instant::now(),
                };
                self.held
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(client, held);
            }
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held) = held.get_mut(&client).filter(|held| held.rows < quota) else {
            return Ok(false);
        };
        held.rows += 1;
        Ok(true)
    }

    fn count(&self, connection: &Connection, client: i64, now: UnixTime) -> Result<u64, Failure> {
        let rows = connection
            .prepare_cached(self.count)?
            .query_row((client, now.millis()), |row| row.get::<_, i64>(0))?;
        Ok(rows.unsigned_abs())
    }
}
