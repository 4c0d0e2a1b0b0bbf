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
    replay::{ClaimJob, Claims},
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
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// Most rows of a table removed in one sweep, so that no request waits long behind it: more than can be added in that time.
const SWEEP_ROWS: i64 = 10_000;
/// How many of the maps of claims are swept with them: all within 16 s.
const SWEEP_SHARDS: usize = 4;
/// Changes kept for servers to read; one that fell further behind forgets its whole cache.
const CHANGES_KEPT: i64 = 10_000;

/// What is done in a transaction.
enum Job {
    Claim(ClaimJob),
    Work(Work),
}

/// What it gives back is called with the outcome of the commit.
type Work = Box<dyn FnOnce(&mut Transaction<'_>, &mut Claims) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), &Arc<rusqlite::Error>>) + Send>;

/// The way to the writer's thread, which ends when this is dropped and all jobs are done.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    decisions: SyncSender<DecisionRow>,
    decisions_waiting: Arc<AtomicU64>,
    decisions_dropped: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, clock: Arc<dyn Clock>, retention: Retention) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let (decisions, decision_queue) = sync_channel(DECISION_QUEUE);
        let decisions_waiting = Arc::<AtomicU64>::default();
        let decisions_dropped = Arc::<AtomicU64>::default();
        let queues = Queues {
            jobs: queue,
            decisions: decision_queue,
            decisions_waiting: decisions_waiting.clone(),
            decisions_dropped: decisions_dropped.clone(),
        };
        let run = move || run(connection, &queues, &*clock, retention);
        let thread = thread::Builder::new().name("sqlite-writer".to_owned()).spawn(run)?;
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
        self.submit(move |transaction, _| {
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
        self.submit(move |transaction, _| statement(transaction).map_err(super::failed)).await
    }

    /// Has a claim decided; its job is answered after the commit.
    pub(super) fn claim(&self, job: ClaimJob) -> Result<(), StoreError> {
        self.send(Job::Claim(job))
    }

    /// Waits until the claims in force are in memory.
    pub(super) async fn load_claims(&self) -> Result<(), StoreError> {
        self.submit(|transaction, claims| claims.catch_up(transaction).map_err(super::failed)).await
    }

    async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>, &mut Claims) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Job::Work(Box::new(move |transaction, claims| {
            let outcome = work(transaction, claims);
            Box::new(move |committed| answer(sender, committed, outcome))
        })))?;
        receiver.await.map_err(|_| unavailable("the writer could not write"))?
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self.jobs.as_ref().ok_or_else(|| unavailable("the writer has stopped"))?;
        jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => unavailable("too many writes are waiting"),
            TrySendError::Disconnected(_) => unavailable("the writer has ended"),
        })
    }
}

pub(super) fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.into())
}

/// Tells whoever asked, who may have gone away; the work is done all the same.
fn answer<T>(
    sender: oneshot::Sender<Result<T, StoreError>>,
    committed: Result<(), &Arc<rusqlite::Error>>,
    outcome: Result<T, StoreError>,
) {
    let _ = sender.send(committed.map_err(commit_failed).and(outcome));
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
    decisions_dropped: Arc<AtomicU64>,
}

fn run(mut connection: Connection, queues: &Queues, clock: &dyn Clock, retention: Retention) {
    let mut claims = Claims::new();
    let mut sweep_at = clock.now();
    loop {
        match queues.jobs.recv_timeout(DECISION_WAIT) {
            Ok(first) => commit_group(&mut connection, &mut claims, Some(first), queues),
            Err(RecvTimeoutError::Timeout) => commit_group(&mut connection, &mut claims, None, queues),
            // The end: record what is left, so that nothing is lost at shutdown.
            Err(RecvTimeoutError::Disconnected) => {
                while commit_group(&mut connection, &mut claims, None, queues) > 0 {}
                let lost = queues.decisions.try_iter().count();
                if lost > 0 {
                    tracing::error!(lost, "the last decisions could not be recorded");
                }
                return;
            }
        };
        let now = clock.now();
        // The second: the clock was set back.
        if now >= sweep_at || now.plus(SWEEP_EVERY) < sweep_at {
            (0..SWEEP_SHARDS).for_each(|_| claims.sweep_some(now));
            if let Err(error) = sweep(&mut connection, retention, now.millis()) {
                tracing::warn!(%error, "expired rows could not be removed");
            }
            sweep_at = now.plus(SWEEP_EVERY);
        }
    }
}

/// Commits the first job together with those that wait behind it and the decisions that wait to be recorded. Answers how many
/// there were.
fn commit_group(connection: &mut Connection, claims: &mut Claims, first: Option<Job>, queues: &Queues) -> usize {
    if first.is_none() && queues.decisions_waiting.load(Ordering::SeqCst) == 0 {
        return 0;
    }
    let jobs = first.into_iter().chain(queues.jobs.try_iter()).take(GROUP);
    let mut transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            refuse(jobs, &error);
            return 0;
        }
    };
    let answers: Vec<Answer> = jobs.map(|job| work(job, &mut transaction, claims)).collect();
    let decisions: Vec<DecisionRow> = queues.decisions.try_iter().take(DECISION_GROUP).collect();
    let mut lost = 0;
    for decision in &decisions {
        if let Err(error) = decision.insert(&transaction) {
            tracing::warn!(%error, "a decision could not be recorded");
            lost += 1;
        }
    }
    // If SQLite has rolled back by itself (disk full, I/O error), there is nothing to commit and this fails: nobody is told
    // that lost work was done.
    let committed = transaction.commit().map_err(Arc::new);
    if let Err(error) = &committed {
        tracing::error!(%error, "commit failed");
        lost = decisions.len() as u64;
    }
    claims.settle(committed.is_ok());
    queues.decisions_dropped.fetch_add(lost, Ordering::Relaxed);
    queues.decisions_waiting.fetch_sub(decisions.len() as u64, Ordering::SeqCst);
    let count = answers.len() + decisions.len();
    for answer in answers {
        answer(committed.as_ref().copied());
    }
    count
}

fn work(job: Job, transaction: &mut Transaction<'_>, claims: &mut Claims) -> Answer {
    match job {
        Job::Work(work) => work(transaction, claims),
        Job::Claim(job) => {
            let outcome = claims.claim(transaction, &job).map_err(super::failed);
            Box::new(move |committed| answer(job.answer, committed, outcome))
        }
    }
}

/// Nothing can be written now: every waiting job is told so. A job that is dropped tells its submitter.
fn refuse(jobs: impl Iterator<Item = Job>, error: &rusqlite::Error) {
    tracing::error!(%error, "no write transaction");
    jobs.for_each(drop);
}

/// Removes what has ended, all of it in one transaction.
fn sweep(connection: &mut Connection, retention: Retention, now: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for statement in [
        "DELETE FROM replay WHERE sequence IN (SELECT sequence FROM replay WHERE until < ?1 LIMIT ?2)",
        "DELETE FROM token WHERE digest IN (SELECT digest FROM token WHERE expires_at < ?1 LIMIT ?2)",
        "DELETE FROM revocation WHERE digest IN (SELECT digest FROM revocation WHERE until < ?1 LIMIT ?2)",
    ] {
        transaction.prepare_cached(statement)?.execute((now, SWEEP_ROWS))?;
    }
    decision::sweep(&transaction, retention, now, SWEEP_ROWS)?;
    let newest = "SELECT coalesce(max(sequence), 0) FROM change";
    let delete = format!("DELETE FROM change WHERE sequence <= ({newest}) - ?1");
    transaction.prepare_cached(&delete)?.execute([CHANGES_KEPT])?;
    transaction.commit()
}
