//! Whether the next request could be decided: a read answers, and a write reaches the disk.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use grantor::storage::{Disk, Figures, Readiness, StoreError, StoreFigures};
use rustix::fs::statvfs;
use tokio::sync::Mutex;

use super::SqliteStore;

/// Longest wait for the writer. A healthy disk needs milliseconds.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer holds: whoever may ask for it unauthenticated must not make the disk work
/// more often.
const ANSWER_HOLDS: Duration = Duration::from_secs(1);
/// Writes a page, as a claim does, and adds no second row: only what was written tells that there
/// is space and that the writer lives. The value is new each time, because SQLite writes nothing
/// where nothing changes.
const WRITE: &str = "INSERT INTO meta (name, value) VALUES ('last_check', randomblob(8)) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// The last answer and its moment. Whoever asks while a check runs waits for it.
#[derive(Default)]
pub(super) struct LastCheck(Mutex<Option<(Instant, Result<(), String>)>>);

#[async_trait]
impl Readiness for SqliteStore {
    /// The claims in force, of which there may be millions.
    async fn prepare(&self) -> Result<(), StoreError> {
        self.0.writer.load_claims().await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let mut last = self.0.last_check.0.lock().await;
        let outcome = match &*last {
            Some((at, outcome)) if at.elapsed() < ANSWER_HOLDS => outcome.clone(),
            _ => {
                let outcome = self.read_and_write().await;
                last.insert((Instant::now(), outcome)).1.clone()
            }
        };
        outcome.map_err(|cause| StoreError::Unavailable(cause.into()))
    }

    /// The thread that writes has ended.
    fn has_ended(&self) -> bool {
        self.0.writer.has_ended()
    }

    async fn ended(&self) {
        self.0.writer.ended().await;
    }
}

impl StoreFigures for SqliteStore {
    fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        figures.claims_held = Some(self.0.writer.claims_held());
        figures.disk = disk(self.0.lists.path());
        figures
    }
}

/// The disk that a file is on.
fn disk(file: &Path) -> Option<Disk> {
    let told = statvfs(file).ok()?;
    let size = told.f_blocks.saturating_mul(told.f_frsize);
    let free = told.f_bavail.saturating_mul(told.f_frsize);
    Some(Disk::new(size, free))
}

impl SqliteStore {
    async fn read_and_write(&self) -> Result<(), String> {
        let read = self.0.readers().read(|connection| {
            Ok(connection.query_row("SELECT 1 FROM meta LIMIT 1", [], |_| Ok(()))?)
        });
        read.await.map_err(cause)?;
        let write = self
            .0
            .writer
            .execute(|transaction| transaction.prepare_cached(WRITE)?.execute([]));
        match tokio::time::timeout(WRITE_TIMEOUT, write).await {
            Ok(written) => written.map(drop).map_err(cause),
            Err(_) => Err(format!(
                "the writer did not answer within {} s",
                WRITE_TIMEOUT.as_secs()
            )),
        }
    }
}

/// What SQLite said, below what the store makes of it.
fn cause(error: StoreError) -> String {
    match error {
        StoreError::Unavailable(cause) | StoreError::Failed(cause) => cause.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use grantor::{
        clock::{Clock as _, SystemClock},
        storage::{Claim, DecisionStore as _, ReplayGuard as _, ReplayKey},
    };
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::Options;

    fn open() -> (SqliteStore, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        (
            SqliteStore::open(directory.path(), &Options::default()).expect("the store opens"),
            directory,
        )
    }

    /// As if the last answer were as old as one may be.
    async fn after_the_last_answer(store: &SqliteStore) -> Result<(), String> {
        if let Some((at, _)) = &mut *store.0.last_check.0.lock().await {
            *at -= ANSWER_HOLDS;
        }
        store.check().await.map_err(cause)
    }

    #[tokio::test]
    async fn a_panic_in_a_job_costs_its_group_and_nothing_that_was_committed() {
        let (store, directory) = open();
        let key = |jti: &str| ReplayKey::new("issuer", jti);
        let (now, until) = (
            SystemClock.now(),
            SystemClock.now().plus(Duration::from_secs(60)),
        );
        let claim = async |jti: &str| store.claim(&[key(jti).until(until)], now, 2).await;
        assert_eq!(claim("committed").await.map_err(cause), Ok(Claim::Fresh));
        // The lock keeps the writer from its first job until the rest waits beside it: all are of
        // one group.
        let other = Connection::open(directory.path().join("grantor.db")).expect("a connection");
        other
            .execute_batch("BEGIN IMMEDIATE")
            .expect("the write lock");
        let work = store
            .0
            .writer
            .execute(|transaction| transaction.execute("DELETE FROM meta", []));
        let defect = store
            .0
            .writer
            .execute(|_| -> rusqlite::Result<()> { panic!("a defect in a statement") });
        let (work, beside, defect, ()) = tokio::join!(work, claim("beside"), defect, async {
            other.execute_batch("ROLLBACK").expect("released");
        });
        assert!(
            work.is_err() && beside.is_err() && defect.is_err(),
            "{work:?} {beside:?} {defect:?}"
        );
        assert!(!store.has_ended());
        assert_eq!(
            store.check().await.map_err(cause),
            Ok(()),
            "nothing was deleted, and the writer goes on"
        );
        assert_eq!(
            claim("committed").await.map_err(cause),
            Ok(Claim::Replayed(key("committed")))
        );
        assert_eq!(
            claim("beside").await.map_err(cause),
            Ok(Claim::Fresh),
            "it was never claimed"
        );
        assert_eq!(
            claim("a third").await.map_err(cause),
            Ok(Claim::OverQuota),
            "each is counted once"
        );
        store
            .flush()
            .await
            .expect("no decision is waited for that is not there");
    }

    #[tokio::test]
    async fn a_writer_that_waits_is_told_in_time_and_again_when_it_is_back() {
        let (store, directory) = open();
        let other = Connection::open(directory.path().join("grantor.db")).expect("a connection");
        other
            .execute_batch("BEGIN IMMEDIATE")
            .expect("the write lock");
        let started = Instant::now();
        let error = store
            .check()
            .await
            .map_err(cause)
            .expect_err("the writer waits");
        assert_eq!(error, "the writer did not answer within 2 s");
        assert!(started.elapsed() < Duration::from_secs(3));
        assert!(
            store.check().await.is_err(),
            "the answer holds for a moment"
        );
        other.execute_batch("ROLLBACK").expect("released");
        assert_eq!(after_the_last_answer(&store).await, Ok(()));
    }

    #[tokio::test]
    async fn checks_at_once_share_one_write() {
        let (store, _directory) = open();
        let counted = |store: &SqliteStore| {
            let changes = store.clone();
            async move {
                changes
                    .0
                    .writer
                    .execute(|connection| Ok(connection.total_changes()))
                    .await
                    .expect("a count")
            }
        };
        let before = counted(&store).await;
        let checks: Vec<_> = (0..100)
            .map(|_| {
                tokio::spawn({
                    let store = store.clone();
                    async move { store.check().await.is_ok() }
                })
            })
            .collect();
        for check in checks {
            assert!(check.await.expect("an answer"));
        }
        assert_eq!(counted(&store).await - before, 1);
    }
}
