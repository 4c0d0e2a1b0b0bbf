//! The one writer: a thread that takes jobs from a queue and commits as many as wait in one transaction, so that concurrent
//! requests share the wait for the disk. A job's answer goes out after the commit that holds its work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use grantor::{clock::Clock, storage::StoreError};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    decision::{self, DecisionRow, Retention},
    error::commit_failed,
};

/// Jobs that may wait. Beyond, requests are told to come back.
const QUEUE: usize = 8192;
/// Most jobs in one commit.
const GROUP: usize = 256;
/// Decisions that may wait to be recorded. Beyond, they are dropped and counted.
const DECISION_QUEUE: usize = 16_384;
/// Most decisions recorded beside one group of jobs, so that no claim waits long behind them.
const DECISION_GROUP: usize = 512;
/// How long decisions wait for a group of jobs to go with.
const DECISION_WAIT: Duration = Duration::from_millis(200);
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
    decisions: SyncSender<DecisionRow>,
    decisions_waiting: Arc<AtomicU64>,
    decisions_dropped: AtomicU64,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, clock: Arc<dyn Clock>, retention: Retention) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let (decisions, decision_queue) = sync_channel(DECISION_QUEUE);
        let decisions_waiting = Arc::<AtomicU64>::default();
        let queues = Queues { jobs: queue, decisions: decision_queue, decisions_waiting: decisions_waiting.clone() };
        let run = move || run(connection, &queues, &*clock, retention);
        let thread = thread::Builder::new().name("sqlite-writer".to_owned()).spawn(run)?;
        let decisions_dropped = AtomicU64::new(0);
        Ok(Self { jobs: Some(jobs), decisions, decisions_waiting, decisions_dropped, thread: Some(thread) })
    }

    /// Records a decision soon, or drops it if too many are waiting.
    pub(super) fn record(&self, decision: DecisionRow) {
        self.decisions_waiting.fetch_add(1, Ordering::SeqCst);
        if self.decisions.try_send(decision).is_err() {
            self.decisions_waiting.fetch_sub(1, Ordering::SeqCst);
            if self.decisions_dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!("decisions are dropped: more come in than can be recorded");
            }
        }
    }

    /// Waits until every decision handed over before is recorded.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        while self.decisions_waiting.load(Ordering::SeqCst) > 0 {
            self.execute(|_| Ok(())).await?;
        }
        Ok(())
    }

    pub(super) fn decisions_dropped(&self) -> u64 {
        self.decisions_dropped.load(Ordering::Relaxed)
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
        jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => unavailable("too many writes are waiting"),
            TrySendError::Disconnected(_) => unavailable("the writer has ended"),
        })?;
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

/// What waits for the writer.
struct Queues {
    jobs: Receiver<Job>,
    decisions: Receiver<DecisionRow>,
    decisions_waiting: Arc<AtomicU64>,
}

fn run(mut connection: Connection, queues: &Queues, clock: &dyn Clock, retention: Retention) {
    let mut sweep_at = clock.now();
    loop {
        match queues.jobs.recv_timeout(DECISION_WAIT) {
            Ok(first) => commit_group(&mut connection, Some(first), queues),
            Err(RecvTimeoutError::Timeout) => commit_group(&mut connection, None, queues),
            // The end: record what is left, so that nothing is lost at shutdown.
            Err(RecvTimeoutError::Disconnected) => {
                while commit_group(&mut connection, None, queues) > 0 {}
                return;
            }
        };
        let now = clock.now();
        if now >= sweep_at {
            if let Err(error) = sweep(&connection, retention, now.millis()) {
                tracing::warn!(%error, "expired rows could not be removed");
            }
            sweep_at = now.plus(SWEEP_EVERY);
        }
    }
}

/// Commits the first job together with those that wait behind it and the decisions that wait to be recorded. Answers how many
/// there were.
fn commit_group(connection: &mut Connection, first: Option<Job>, queues: &Queues) -> usize {
    let decisions: Vec<DecisionRow> = queues.decisions.try_iter().take(DECISION_GROUP).collect();
    if first.is_none() && decisions.is_empty() {
        return 0;
    }
    let recorded = decisions.len() as u64;
    let jobs = first.into_iter().chain(queues.jobs.try_iter()).take(GROUP);
    let mut transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            refuse(jobs, &error);
            queues.decisions_waiting.fetch_sub(recorded, Ordering::SeqCst);
            return decisions.len();
        }
    };
    let answers: Vec<Answer> = jobs.map(|job| job(&mut transaction)).collect();
    for decision in &decisions {
        if let Err(error) = decision.insert(&transaction) {
            tracing::warn!(%error, "a decision could not be recorded");
        }
    }
    // If SQLite has rolled back by itself (disk full, I/O error), there is nothing to commit and this fails: nobody is told
    // that lost work was done.
    let committed = transaction.commit().map_err(Arc::new);
    if let Err(error) = &committed {
        tracing::error!(%error, "commit failed");
    }
    queues.decisions_waiting.fetch_sub(recorded, Ordering::SeqCst);
    let count = answers.len() + decisions.len();
    for answer in answers {
        answer(committed.as_ref().copied());
    }
    count
}

/// Nothing can be written now: every waiting job is told so. A job that is dropped tells its submitter.
fn refuse(jobs: impl Iterator<Item = Job>, error: &rusqlite::Error) {
    tracing::error!(%error, "no write transaction");
    jobs.for_each(drop);
}

fn sweep(connection: &Connection, retention: Retention, now: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM replay WHERE key IN (SELECT key FROM replay WHERE until < ?1 LIMIT ?2)",
        "DELETE FROM token WHERE digest IN (SELECT digest FROM token WHERE expires_at < ?1 LIMIT ?2)",
        "DELETE FROM revocation WHERE digest IN (SELECT digest FROM revocation WHERE until < ?1 LIMIT ?2)",
    ] {
        connection.prepare_cached(statement)?.execute((now, SWEEP_ROWS))?;
    }
    decision::sweep(connection, retention, now, SWEEP_ROWS)?;
    let newest = "SELECT coalesce(max(sequence), 0) FROM change";
    let delete = format!("DELETE FROM change WHERE sequence <= ({newest}) - ?1");
    connection.prepare_cached(&delete)?.execute([CHANGES_KEPT])?;
    Ok(())
}
