//! How many artifacts of one kind a client has at once: a client must not fill the disk.
//!
//! A client's rows are counted when it is first seen, again behind each sixteenth of its quota,
//! because other processes write too, and again when it has reached its quota.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use grantor::{clock::UnixTime, storage::StoreError};
use rusqlite::Connection;

use super::readers::Readers;

/// How soon a client that has reached its quota is counted again.
const RECOUNT_AFTER: Duration = Duration::from_secs(10);

/// Whose rows are counted: of which kind, and of the client with which number.
pub(super) type Owner = (&'static str, i64);

/// The rows of each kind and client.
#[derive(Default)]
pub(super) struct Quota(Mutex<HashMap<Owner, Held>>);

/// An owner's rows.
struct Held {
    rows: u64,
    counted: Instant,
    /// Rows since then.
    since: u64,
}

/// What a count does to the number that is known.
enum Recount {
    /// Rows of others are added; those of ours that are under way, which it misses, stay.
    Upwards,
    /// Rows that have ended are let go.
    Anew,
}

impl Quota {
    fn held(&self) -> MutexGuard<'_, HashMap<Owner, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this owner may have a row more, which is counted from then on.
    pub(super) fn take(
        &self,
        readers: &Readers,
        owner: Owner,
        now: UnixTime,
        quota: u64,
    ) -> Result<bool, StoreError> {
        let known = self
            .held()
            .get(&owner)
            .map(|held| (held.rows, held.counted, held.since));
        let recount = match known {
            Some((rows, _, since)) if rows < quota && since < (quota / 16).max(1) => None,
            Some((rows, _, _)) if rows < quota => Some(Recount::Upwards),
            Some((_, counted, _)) if counted.elapsed() < RECOUNT_AFTER => return Ok(false),
            Some(_) | None => Some(Recount::Anew),
        };
        // Counted without the lock: others need not wait for it.
        if let Some(recount) = recount {
            let rows = readers.read_here(|connection| Ok(count(connection, owner, now)?))?;
            let mut held = self.held();
            let known = held.get(&owner).map_or(0, |held| held.rows);
            let recounted = Held {
                rows: match recount {
                    Recount::Upwards => rows.max(known),
                    Recount::Anew => rows,
                },
                counted: Instant::now(),
                since: 0,
            };
            held.insert(owner, recounted);
        }
        let mut held = self.held();
        let Some(held) = held.get_mut(&owner).filter(|held| held.rows < quota) else {
            return Ok(false);
        };
        held.rows += 1;
        held.since += 1;
        Ok(true)
    }
}

/// The rows that end at `now` or later.
fn count(connection: &Connection, (kind, client): Owner, now: UnixTime) -> rusqlite::Result<u64> {
    let count = "SELECT count(*) FROM artifact WHERE owner = ?1 AND kind = ?2 AND expires_at >= ?3";
    let rows = connection
        .prepare_cached(count)?
        .query_row((client, kind, now.millis()), |row| row.get::<_, i64>(0))?;
    Ok(rows.unsigned_abs())
}
