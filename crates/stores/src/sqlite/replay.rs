//! Replay claims in SQLite: one statement decides and records, and the answer waits for the commit.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    storage::{Claim, ReplayGuard, ReplayKey, StoreError},
};

use rusqlite::Connection;

use super::SqliteStore;

/// Touches a row if and only if there is none yet, or only one that has ended.
const CLAIM: &str = "INSERT INTO replay (key, until) VALUES (?1, ?2)
    ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE until < ?3";

#[async_trait]
impl ReplayGuard for SqliteStore {
    async fn claim(&self, key: ReplayKey, until: UnixTime, now: UnixTime) -> Result<Claim, StoreError> {
        let touched = self.0.writer.execute(move |transaction| {
            transaction.prepare_cached(CLAIM)?.execute((key.as_bytes(), until.millis(), now.millis()))
        });
        Ok(if touched.await? == 1 { Claim::Fresh } else { Claim::Replayed })
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM replay WHERE key = ?1 AND until >= ?2)";
        let read = move |connection: &Connection| {
            Ok(connection.prepare_cached(query)?.query_row((key.as_bytes(), now.millis()), |row| row.get(0))?)
        };
        self.0.readers.read(read).await
    }
}

impl SqliteStore {
    /// How many claims are still in force: a walk over an index, for metrics.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn replay_count(&self) -> Result<u64, StoreError> {
        let now = self.0.clock.now().millis();
        let query = "SELECT count(*) FROM replay WHERE until >= ?1";
        let count = move |connection: &Connection| {
            Ok(connection.prepare_cached(query)?.query_row([now], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)?)
        };
        self.0.readers.read(count).await
    }
}
