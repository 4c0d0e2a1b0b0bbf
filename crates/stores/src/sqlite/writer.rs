//! The one writer: a thread that takes jobs from a queue and commits as many as wait in one
//! transaction, so that concurrent requests share the wait for the disk. A job's answer goes out
//! after the commit that holds its work.
//!
//! A panic costs its group, not the thread. In a job it leaves nothing of the group committed; behind
//! the commit all of it is. Either way the jobs of the group are not answered, which is
//! [`StoreError::Unknown`], and the claims in force are read from the table again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use grantor::storage::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::watch;

use super::{
    block_on::block_on,
    decision,
    error::commit_failed,
    open::Options,
    permission_use::Uses,
    replay::{ClaimJob, Claims},
    seen::{Seen, go_on_from},
    source::Source,
    statistics,
    sweeper::Sweeper,
};
use crate::{
    Retention, answers,
    cached::Cached,
    tally::{Row, Tally},
    waiting::{DecisionRow, Taking, Waiting},
};

/// Jobs and decisions in a group from which on the writer lets more gather before the next: a
/// commit costs much the same for a few as for many. Where fewer come, nobody waits.
const BUSY_GROUP: usize = 32;
/// How long it lets them.
const GATHER: Duration = Duration::from_millis(1);
/// Jobs that may wait. Beyond, requests are told to come back.
const QUEUE: usize = 8192;
/// Most jobs in one commit.
const GROUP: usize = 256;
/// Most decisions recorded beside one group of jobs, so that no claim waits long behind them.
const DECISION_GROUP: usize = 512;
/// How long decisions wait for a group of jobs to go with; where more wait than one commit takes,
/// they do not.
const DECISION_WAIT: Duration = Duration::from_millis(200);

/// What is done in a transaction.
enum Job {
    Claim(ClaimJob),
    Work(Work),
    /// A change of the registry: in force in this process before it is answered.
    Change(Work),
}

/// What it gives back is called with the outcome of the commit.
type Work = Box<dyn FnOnce(&mut Transaction<'_>, &mut Claims) -> Answer + Send>;
type Answer = Box<dyn FnOnce(&Ended) + Send>;

/// The way to the writer's thread, which ends when this is dropped and all jobs are done.
pub(super) struct Writer {
    jobs: Option<SyncSender<Job>>,
    decisions: Waiting,
    claims_held: Arc<AtomicU64>,
    tally: Arc<Tally>,
    /// Closed when the thread ends.
    running: watch::Receiver<()>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        options: &Options,
        cached: Arc<Cached<Source>>,
    ) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let (decisions, taking) = Waiting::new();
        let committing = Committing::new(connection, options, cached, (queue, taking));
        let (claims_held, tally) = (committing.claims_held.clone(), committing.tally.clone());
        let (alive, running) = watch::channel(());
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let _alive = alive;
                committing.run();
            })?;
        Ok(Self {
            jobs: Some(jobs),
            decisions,
            claims_held,
            tally,
            running,
            thread: Some(thread),
        })
    }

    /// Whether the thread has ended, and nothing can be written any more.
    pub(super) fn has_ended(&self) -> bool {
        self.running.has_changed().is_err()
    }

    /// Ready once the thread has ended.
    pub(super) async fn ended(&self) {
        let mut running = self.running.clone();
        while running.changed().await.is_ok() {}
    }

    /// Records a decision soon, or drops it.
    pub(super) fn record(&self, decision: DecisionRow) {
        self.decisions.record(decision);
    }

    /// Counts a decision soon.
    pub(super) fn count(&self, row: Row) {
        self.tally.count(row);
    }

    /// Waits until every decision handed over before is recorded and counted.
    pub(super) async fn flush(&self) -> Result<(), StoreError> {
        while !self.decisions.is_empty() || !self.tally.is_written() {
            self.tally.hurry();
            self.execute(|_| Ok(())).await?;
        }
        Ok(())
    }

    pub(super) fn decisions_dropped(&self) -> u64 {
        self.decisions.dropped()
    }

    pub(super) fn claims_held(&self) -> u64 {
        self.claims_held.load(Ordering::Relaxed)
    }

    /// Changes the registry by several statements, all or nothing, and waits until the change is
    /// committed and in force in this process.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(Job::Change, Ended::in_force, all_or_nothing(work))
            .await
    }

    /// Runs several statements, all or nothing, and waits for the commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(Job::Work, Ended::committed, all_or_nothing(work))
            .await
    }

    /// Runs one statement, and waits for the commit.
    pub(super) async fn execute<T: Send + 'static>(
        &self,
        statement: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.submit(Job::Work, Ended::committed, move |transaction, _| {
            statement(transaction).map_err(super::failed)
        })
        .await
    }

    /// Has a claim decided; its job is answered after the commit.
    pub(super) fn claim(&self, job: ClaimJob) -> Result<(), StoreError> {
        self.send(Job::Claim(job))
    }

    /// Waits until the claims in force are in memory.
    pub(super) async fn load_claims(&self) -> Result<(), StoreError> {
        self.submit(Job::Work, Ended::committed, |transaction, claims| {
            claims.catch_up(transaction).map_err(super::failed)
        })
        .await
    }

    async fn submit<T: Send + 'static>(
        &self,
        job: fn(Work) -> Job,
        ended: fn(&Ended) -> Result<(), StoreError>,
        work: impl FnOnce(&mut Transaction<'_>, &mut Claims) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = answers::channel();
        self.send(job(Box::new(move |transaction, claims| {
            let outcome = work(transaction, claims);
            Box::new(move |group| {
                let outcome = group.committed().and(outcome);
                answer.send(outcome.and_then(|done| ended(group).map(|()| done)));
            })
        })))?;
        answered.await.map_err(|_| unanswered())?
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        let jobs = self
            .jobs
            .as_ref()
            .ok_or_else(|| unavailable("the writer has stopped"))?;
        jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => unavailable("too many writes are waiting"),
            TrySendError::Disconnected(_) => unavailable("the writer has ended"),
        })
    }
}

/// Work that leaves nothing in its group's transaction if it fails.
fn all_or_nothing<T>(
    work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> impl FnOnce(&mut Transaction<'_>, &mut Claims) -> Result<T, StoreError> + Send + 'static {
    move |transaction, _| {
        let savepoint = transaction.savepoint().map_err(super::failed)?;
        let outcome = work(&savepoint)?;
        savepoint.commit().map_err(super::failed)?;
        Ok(outcome)
    }
}

/// The writer took a job and did not answer: it may have been done.
pub(super) fn unanswered() -> StoreError {
    StoreError::Unknown("the writer ended before it answered".into())
}

pub(super) fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable(reason.into())
}

/// Whether a group is on the disk.
type Committed = Result<(), Arc<rusqlite::Error>>;

/// How a group has ended.
struct Ended {
    committed: Committed,
    followed: Result<(), Arc<StoreError>>,
}

impl Ended {
    /// Whether it is on the disk.
    fn committed(&self) -> Result<(), StoreError> {
        self.committed.as_ref().copied().map_err(commit_failed)
    }

    /// Whether what it changed is in force in this process.
    fn in_force(&self) -> Result<(), StoreError> {
        let followed = self.followed.as_ref().copied();
        followed.map_err(|error| StoreError::Unknown(Box::new(error.clone())))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // Panics in there were reported when they happened.
            let _ = thread.join();
        }
    }
}

/// A panic left a transaction open.
struct CannotGoOn;

/// The thread's side.
struct Committing {
    connection: Connection,
    claims: Claims,
    sweeper: Sweeper,
    cached: Arc<Cached<Source>>,
    jobs: Receiver<Job>,
    decisions: Taking,
    retention: Retention,
    uses: Uses,
    /// How often it was noted that the database is an earlier one.
    times_back: u64,
    claims_held: Arc<AtomicU64>,
    tally: Arc<Tally>,
}

impl Committing {
    fn new(
        connection: Connection,
        options: &Options,
        cached: Arc<Cached<Source>>,
        (jobs, decisions): (Receiver<Job>, Taking),
    ) -> Self {
        let marks = cached.source().marks.clone();
        Self {
            connection,
            claims: Claims::new(marks.clone(), options.clock.clone(), options.leeway),
            sweeper: Sweeper::new(options, marks),
            cached,
            jobs,
            decisions,
            retention: options.retention,
            uses: Uses::default(),
            times_back: 0,
            claims_held: Arc::default(),
            tally: Arc::default(),
        }
    }

    fn run(mut self) {
        let (mut is_busy, mut is_stuck) = (false, false);
        loop {
            // Where nothing can be written now, haste is of no use.
            let has_more = !is_stuck && self.decisions.waiting() >= DECISION_GROUP as u64;
            let first = match self
                .jobs
                .recv_timeout(if has_more { GATHER } else { DECISION_WAIT })
            {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            };
            if is_busy {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "for so short a time that a wait for jobs would cost more; they gather meanwhile"
                )]
                thread::sleep(GATHER);
            }
            is_busy = match self.try_group(first) {
                Ok(done) => {
                    is_stuck = done == 0;
                    done >= BUSY_GROUP
                }
                Err(CannotGoOn) => {
                    return tracing::error!(
                        "the writer of the database ends: it could not roll back after a panic"
                    );
                }
            };
        }
    }

    /// As [`Committing::commit_group`], and goes on after a panic. What panicked is a defect of ours.
    fn try_group(&mut self, first: Option<Job>) -> Result<usize, CannotGoOn> {
        if let Ok(done) = catch_unwind(AssertUnwindSafe(|| self.commit_group(first))) {
            return Ok(done);
        }
        tracing::error!("a panic in the writer of the database: its group of jobs is not answered");
        // What the panic has left half-done in memory is thrown away. The table knows all that was
        // committed.
        self.claims.start_anew();
        self.uses.forget();
        self.sweeper.put_off();
        self.decisions.lost();
        // Lost, or counted: nobody knows.
        self.tally.ended(&Ok::<_, ()>(()));
        // The transaction was rolled back when it was dropped; where that failed, nothing could be
        // written any more.
        match self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok() {
            true => Ok(0),
            false => Err(CannotGoOn),
        }
    }

    /// Records the decisions that are left, and counts them, so that nothing is lost at shutdown.
    fn end(mut self) {
        self.tally.hurry();
        while self.try_group(None).is_ok_and(|done| done > 0) {}
        let lost = self.decisions.take(usize::MAX).len();
        if lost > 0 {
            tracing::error!(lost, "the last decisions could not be recorded");
        }
    }

    /// Commits the first job together with those that wait behind it, the decisions that wait to be
    /// recorded, and the removal of what has ended. Answers how many jobs and decisions there
    /// were.
    fn commit_group(&mut self, first: impl IntoIterator<Item = Job>) -> usize {
        let mut first = first.into_iter().peekable();
        let is_sweep_due = self.sweeper.is_due();
        let seen = &self.cached.source().seen;
        if first.peek().is_none()
            && self.decisions.waiting() == 0
            && !is_sweep_due
            && !self.tally.is_due()
            && seen.times_back() == self.times_back
        {
            return 0;
        }
        let jobs = first.chain(self.jobs.try_iter()).take(GROUP);
        let mut transaction = match self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
        {
            Ok(transaction) => transaction,
            Err(error) => {
                refuse(jobs, &error);
                return 0;
            }
        };
        // The jobs are taken first: a look that a request made before it sent its job is known then.
        let jobs: Vec<Job> = jobs.collect();
        let times_back = seen.times_back();
        if times_back != self.times_back {
            Self::note_the_past(&transaction, &mut self.claims, seen);
        }
        let has_changes = jobs.iter().any(|job| matches!(job, Job::Change(_)));
        let answers: Vec<Answer> = jobs
            .into_iter()
            .filter_map(|job| work(job, &mut transaction, &mut self.claims))
            .collect();
        // Behind a rollback by SQLite itself, what is left waits for the next group.
        let goes_on = !transaction.is_autocommit();
        let mut decisions = self
            .decisions
            .take(if goes_on { DECISION_GROUP } else { 0 });
        let count = answers.len() + decisions.len();
        self.uses.write(&transaction, &decisions);
        decisions.retain(|decision| self.retention.keeps(decision));
        let lost = decision::append(&transaction, &decisions);
        if !transaction.is_autocommit() && self.tally.is_due() {
            statistics::write(&transaction, &self.tally.take());
        }
        if is_sweep_due && goes_on {
            self.sweeper.sweep(&transaction, &mut self.claims);
        }
        let committed = self.claims.commit(transaction).map_err(Arc::new);
        match &committed {
            Ok(()) => {
                self.times_back = times_back;
                self.decisions.recorded(lost);
            }
            Err(error) => {
                tracing::error!(%error, "commit failed");
                self.uses.forget();
                self.decisions.lost();
            }
        }
        self.tally.ended(&committed);
        self.answer(answers, committed, has_changes);
        count
    }

    /// Tells the submitters how their group has ended: of a change not before it is in force in this
    /// process.
    fn answer(&self, answers: Vec<Answer>, committed: Committed, has_changes: bool) {
        self.claims_held.store(self.claims.len(), Ordering::Relaxed);
        let followed = if has_changes { self.follow() } else { Ok(()) };
        let ended = Ended {
            committed,
            followed: followed.map_err(Arc::new),
        };
        for answer in answers {
            answer(&ended);
        }
    }

    /// Brings what this process has in memory up to what was committed. Also where a change was
    /// refused: what overtook it has to be seen before it is tried again.
    fn follow(&self) -> Result<(), StoreError> {
        block_on(self.cached.look()).inspect_err(|error| {
            tracing::error!(%error, "changes to the registry cannot be read");
        })
    }

    /// Notes that the database is an earlier one now.
    fn note_the_past(transaction: &Connection, claims: &mut Claims, seen: &Seen) {
        let noted = claims
            .went_back(transaction)
            .and_then(|()| go_on_from(transaction, &seen.numbers()));
        if let Err(error) = noted {
            tracing::error!(%error, "it could not be recorded that the database was replaced");
        }
    }
}

/// No job is done once SQLite has rolled back by itself: its work would stay, and be called failed.
/// A job that is dropped tells its submitter.
fn work(job: Job, transaction: &mut Transaction<'_>, claims: &mut Claims) -> Option<Answer> {
    if transaction.is_autocommit() {
        return None;
    }
    Some(match job {
        Job::Work(work) | Job::Change(work) => work(transaction, claims),
        Job::Claim(job) => {
            let outcome = claims.claim(transaction, &job);
            Box::new(move |group| job.answer.send(group.committed().and(outcome)))
        }
    })
}

/// Nothing can be written now: every waiting job is told so. A job that is dropped tells its
/// submitter.
fn refuse(jobs: impl Iterator<Item = Job>, error: &rusqlite::Error) {
    tracing::error!(%error, "no write transaction");
    jobs.for_each(drop);
}

#[cfg(test)]
mod tests {
    use std::{panic::resume_unwind, path::Path};

    use grantor::{
        clock::{Clock as _, SystemClock},
        registry::{Actor, Subject},
        storage::{Claim, Registries as _, ReplayGuard as _, ReplayKey, SubjectSource as _},
        types::SubjectId,
    };

    use super::*;
    use crate::{
        MasterKey,
        sqlite::{SqliteStore, open},
    };

    /// A new database, and what the process has in memory of it.
    fn new_database(at: &Path) -> (Connection, Options, Arc<Cached<Source>>) {
        let options = Options::default();
        drop(SqliteStore::open(at, &options).expect("the store opens"));
        let path = at.join("grantor.db");
        let master_key = MasterKey::read(&at.join("master.key")).expect("a key");
        let seen = Seen::in_directory(at);
        let cached = open::hold(&path, master_key, seen, options.clock.clone()).expect("read");
        let connection = open::connect_to_write(&path).expect("a connection");
        (connection, options, Arc::new(cached))
    }

    #[tokio::test]
    async fn the_end_of_the_thread_is_told() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (connection, options, cached) = new_database(directory.path());
        let mut writer = Writer::start(connection, &options, cached).expect("a thread");
        assert!(!writer.has_ended());
        drop(writer.jobs.take());
        writer.ended().await;
        assert!(writer.has_ended());
    }

    /// A request looks, finds the database an earlier one, and then sends its claim: that the claim
    /// is decided in a group that was already begun must not hide it.
    #[test]
    fn what_a_request_saw_before_it_sent_its_job_is_known_to_the_group() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (connection, options, cached) = new_database(directory.path());
        let queues = (sync_channel(1).1, Waiting::new().1);
        let mut committing = Committing::new(connection, &options, cached.clone(), queues);
        let (marks, seen) = (&cached.source().marks, &cached.source().seen);
        let claim = |jti: &str| {
            let (answer, answered) = answers::channel();
            let until = SystemClock.now().plus(Duration::from_secs(60));
            let job = Job::Claim(ClaimJob {
                first: ReplayKey::new("issuer", jti).until(until),
                rest: Box::default(),
                now: SystemClock.now(),
                quota: 10,
                answer,
            });
            (job, answered)
        };
        let (job, mut answered) = claim("before");
        assert_eq!(committing.commit_group([job]), 1);
        let decided = answered.try_recv().expect("answered");
        assert_eq!(decided.expect("decided"), Claim::Fresh);
        assert_eq!(marks.fence(), None);

        let (job, mut answered) = claim("behind");
        let looks_and_sends = std::iter::once_with(|| {
            seen.went_back();
            job
        });
        // The group was begun for another job.
        let (other, _) = claim("other");
        assert_eq!(
            committing.commit_group([other].into_iter().chain(looks_and_sends)),
            2
        );
        let decided = answered.try_recv().expect("answered");
        assert_eq!(decided.expect("decided"), Claim::Fresh);
        assert!(
            marks.fence().is_some(),
            "it was decided as if nothing were lost"
        );
    }

    /// A claim and a change that share a group with a panic are unknown to their submitters. Answers
    /// how the claim is decided when it is made again, and whether the change was made.
    async fn beside_a_panic(panics: Work) -> (Claim, bool) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let options = Options::default();
        let store = SqliteStore::open(directory.path(), &options).expect("the store opens");
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        let waits: Work = Box::new(move |_, _| {
            begin.send(()).expect("the test waits");
            let _ = released.recv();
            Box::new(|_| ())
        });
        let send = |job| store.0.writer.send(Job::Work(job)).expect("room");
        send(waits);
        // Its group is full: what comes now is in the next.
        begun.recv().expect("the writer begins");
        send(panics);
        let now = SystemClock.now();
        let uses = [ReplayKey::new("issuer", "1").until(now.plus(Duration::from_secs(60)))];
        let alice = SubjectId::parse("alice").expect("a subject id");
        let by = Actor::program("test");
        let (claimed, created, ()) = tokio::join!(
            store.claim(&uses, now, 10),
            store.subjects().create(Subject::new(alice.clone()), &by),
            async { release.send(()).expect("the writer waits") },
        );
        assert!(
            matches!(claimed, Err(StoreError::Unknown(_))),
            "{claimed:?}"
        );
        assert!(
            matches!(created, Err(StoreError::Unknown(_))),
            "{created:?}"
        );
        let again = store.claim(&uses, now, 10).await;
        let found = store.subject(&alice).await.expect("the store answers");
        (again.expect("the writer goes on"), found.is_some())
    }

    #[tokio::test]
    async fn behind_a_commit_a_panic_leaves_all_of_the_group_done_and_unknown() {
        let panics: Work = Box::new(|_, _| Box::new(|_| resume_unwind(Box::new("a defect"))));
        let (claimed, is_created) = beside_a_panic(panics).await;
        assert_eq!(claimed, Claim::Replayed(ReplayKey::new("issuer", "1")));
        assert!(is_created);
    }

    #[tokio::test]
    async fn before_a_commit_a_panic_leaves_nothing_of_the_group_and_unknown() {
        let panics: Work = Box::new(|_, _| resume_unwind(Box::new("a defect")));
        let (claimed, is_created) = beside_a_panic(panics).await;
        assert_eq!(claimed, Claim::Fresh);
        assert!(!is_created);
    }
}
