//! The one writer: a thread that takes jobs from a queue and commits as many as wait in one transaction, so that concurrent
//! requests share the wait for the disk. A job's answer goes out after the commit that holds its work.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use grantor::{clock::Clock, storage::StoreError};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::error::commit_failed;

/// Jobs that may wait. Beyond, requests are told to come back.
const QUEUE: usize = 8192;
/// Most jobs in one commit.
const GROUP: usize = 256;
/// How often expired rows are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Most rows removed in one sweep, so that no request waits long behind it.
const SWEEP_ROWS: i64 = 10_000;
/// Changes kept for servers to read; one that fell further behind forgets its whole cache.
const CHANGES_KEPT: i64 = 10_000;

/// Work in the transaction; what it gives back is called with the outcome of the commit.
type Job = Box<dyn FnOnce(&mut Transaction<'_>) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), &Arc<rusqlite::Error>>) + Send>;

/// The way to the writer's thread, which ends when this is dropped and all jobs are done.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let run = move || run(connection, &queue, &*clock);
        let thread = thread::Builder::new().name("sqlite-writer".to_owned()).spawn(run)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs several statements, all or nothing, and waits for the commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(move |transaction| {
            let savepoint = transaction.savepoint().map_err(super::failed)?;
            let outcome = work(&savepoint)?;
            savepoint.commit().map_err(super::failed)?;
            Ok(outcome)
        })
        .await
    }

    /// Runs one statement, and waits for the commit.
    pub(super) async fn execute<T: Send + 'static>(
        &self,
        statement: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(move |transaction| statement(transaction).map_err(super::failed)).await
    }

    async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let outcome = work(transaction);
            Box::new(move |committed| {
                // Whoever asked may have gone away; the work is done all the same.
                let _ = sender.send(committed.map_err(commit_failed).and(outcome));
            })
        });
        let unavailable = |reason: &str| StoreError::Unavailable(reason.into());
        let jobs = self.jobs.as_ref().ok_or_else(|| unavailable("the writer has stopped"))?;
        jobs.try_send(job).map_err(|_| unavailable("too many writes are waiting"))?;
        receiver.await.map_err(|_| unavailable("the writer could not write"))?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Connection, queue: &Receiver<Job>, clock: &dyn Clock) {
    let mut sweep_at = clock.now();
    loop {
        match queue.recv_timeout(SWEEP_EVERY) {
            Ok(first) => commit_group(&mut connection, first, queue),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = clock.now();
        if now >= sweep_at {
            if let Err(error) = sweep(&connection, now.millis()) {
                tracing::warn!(%error, "expired rows could not be removed");
            }
            sweep_at = now.plus(SWEEP_EVERY);
        }
    }
}

/// Commits the first job together with those that wait behind it.
fn commit_group(connection: &mut Connection, first: Job, queue: &Receiver<Job>) {
    let jobs = std::iter::once(first).chain(queue.try_iter()).take(GROUP);
    let mut transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => return refuse(jobs, error),
    };
    let answers: Vec<Answer> = jobs.map(|job| job(&mut transaction)).collect();
    // If SQLite has rolled back by itself (disk full, I/O error), there is nothing to commit and this fails: nobody is told
    // that lost work was done.
    let committed = transaction.commit().map_err(Arc::new);
    if let Err(error) = &committed {
        tracing::error!(%error, "commit failed");
    }
    for answer in answers {
        answer(committed.as_ref().copied());
    }
}

/// Nothing can be written now: every waiting job is told so. A job that is dropped tells its submitter.
fn refuse(jobs: impl Iterator<Item = Job>, error: rusqlite::Error) {
    tracing::error!(%error, "no write transaction");
    jobs.for_each(drop);
}

fn sweep(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM replay WHERE key IN (SELECT key FROM replay WHERE until < ?1 LIMIT ?2)",
        "DELETE FROM token WHERE digest IN (SELECT digest FROM token WHERE expires_at < ?1 LIMIT ?2)",
        "DELETE FROM revocation WHERE digest IN (SELECT digest FROM revocation WHERE until < ?1 LIMIT ?2)",
    ] {
        connection.prepare_cached(statement)?.execute((now, SWEEP_ROWS))?;
    }
    let newest = "SELECT coalesce(max(sequence), 0) FROM change";
    let delete = format!("DELETE FROM change WHERE sequence <= ({newest}) - ?1");
    connection.prepare_cached(&delete)?.execute([CHANGES_KEPT])?;
    Ok(())
}
