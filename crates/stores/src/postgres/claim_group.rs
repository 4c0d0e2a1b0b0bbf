//! Claims go in groups: one statement with each use once, and a look at the feed behind it in the same
//! flight.
//!
//! A claim is answered when its commit is, and when what the look has seen is heeded. Where the
//! answer did not come, or the server shows a sign of loss, the outcome is unknown and the claim is
//! never repeated.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock, UnixTime},
    storage::{Claim, ReplayKey, StoreError, Used},
};
use tokio::{sync::mpsc, time::timeout};
use tokio_postgres::{Row, types::ToSql};

use super::{
    Options,
    change::{self, History, LOOK, Seen},
    claim_row::{self, Name, Short},
    error::{Failure, again, because},
    held::{Held, Room},
    queue::{Queued, take_in_groups},
    session::{Session, Values},
    source::Source,
};
use crate::{
    answers::{self, Answer},
    cached::Cached,
    feed::News,
};

/// Most claims in one group.
const GROUP: usize = 256;
/// Claims that may wait. Beyond, requests are told to come back.
const QUEUE: usize = 8192;
/// How often a claim goes to another group because a request before it in the same group was
/// refused.
const MOST_GROUPS: u8 = 3;
/// How long a group waits for a connection, which is opened all the same for the next one.
const CONNECTED_WITHIN: Duration = Duration::from_millis(500);
/// For how long after a failed claim this node calls itself not ready, unless one succeeds.
const FAILURE_TELLS: Duration = Duration::from_secs(5);
/// How long it is tried to send a group's claims one by one, where it was not taken as a whole.
const ONE_BY_ONE: Duration = Duration::from_millis(1_500);

const INSERT: &str = "INSERT INTO claim (issuer, name, until) \
    SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[]) \
    ON CONFLICT (issuer, name) DO NOTHING RETURNING issuer, name, pg_current_wal_insert_lsn() AS place";
const INSERT_ALL_OR_NONE: &str = "SELECT fresh_issuer, fresh_name, pg_current_wal_insert_lsn() AS place \
    FROM claim_all_or_none($1::bigint[], $2::uuid[], $3::bigint[], $4::integer[])";
const INSERT_ANEW: &str = "SELECT claim_anew($1::bigint[], $2::uuid[], $3::bigint[], $4::bigint), \
    pg_current_wal_insert_lsn() AS place";

/// The way to the task, which ends when this is dropped and all claims are answered.
pub(super) struct Claims {
    jobs: mpsc::Sender<Job>,
    held: Arc<Held>,
    sent: Arc<Sent>,
}

/// What was sent to be recorded.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) claims: AtomicU64,
    pub(super) groups: AtomicU64,
    /// When the last ones failed, and why, if they did.
    failed: Mutex<Option<(Instant, String)>>,
}

impl Sent {
    /// Why the next claim would most likely fail: the last one has, a moment ago.
    pub(super) fn failure(&self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = failed
            .as_ref()
            .filter(|(at, _)| at.elapsed() < FAILURE_TELLS);
        recent.map(|(_, cause)| cause.clone())
    }

    fn note_failure(&self, error: &StoreError) {
        let cause = because(error);
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() {
            tracing::error!(cause, "claims fail: this node is not ready");
        }
        *failed = Some((Instant::now(), cause));
    }

    fn note_success(&self) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.take().is_some() {
            tracing::info!("claims succeed again");
        }
    }
}

impl Claims {
    /// Starts the task.
    pub(super) fn start(cached: Arc<Cached<Source>>, options: &Options) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let sent = Arc::<Sent>::default();
        let desk = Desk {
            cached,
            clock: options.clock.clone(),
            again: jobs.downgrade(),
            sent: sent.clone(),
        };
        let desk = Arc::new(desk);
        let group = move |jobs| desk.clone().group(jobs);
        tokio::spawn(take_in_groups(queue, GROUP, group));
        Self {
            jobs,
            held: Arc::default(),
            sent,
        }
    }

    /// How many claims each issuer has.
    pub(super) fn held(&self) -> &Arc<Held> {
        &self.held
    }

    /// How many were sent, and in how many groups.
    pub(super) fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Claims all of `uses`, of which there is at least one, or none.
    pub(super) async fn claim(
        &self,
        uses: &[Used],
        now: UnixTime,
        room: Room,
    ) -> Result<Claim, StoreError> {
        let (answer, answered) = answers::channel();
        let job = Job {
            uses: uses.into(),
            now,
            room,
            asked: Instant::now(),
            groups: 0,
            answer,
        };
        self.jobs.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => unavailable("too many claims are waiting"),
            mpsc::error::TrySendError::Closed(_) => unavailable("claims have ended"),
        })?;
        answered.await.map_err(|_| {
            StoreError::Unknown("the task of claims ended before it answered".into())
        })?
    }
}

fn unavailable(reason: &'static str) -> StoreError {
    StoreError::Unavailable(reason.into())
}

/// How a claim went.
type Outcome = Result<Claim, StoreError>;

/// A claim on its way.
struct Job {
    uses: Box<[Used]>,
    now: UnixTime,
    room: Room,
    /// When it began to wait.
    asked: Instant,
    /// How many groups it was in.
    groups: u8,
    answer: Answer<Outcome>,
}

impl Job {
    fn has(&self, short: Short) -> bool {
        self.uses.iter().any(|used| Short::of(used.key) == short)
    }

    /// Tells whoever asked, who may have gone away.
    fn end(self, outcome: Outcome) {
        if matches!(outcome, Ok(Claim::Fresh) | Err(StoreError::Unknown(_))) {
            self.room.fill();
        }
        self.answer.send(outcome);
    }
}

impl Queued for Job {
    const NAME: &'static str = "claims";

    fn since(&self) -> Instant {
        self.asked
    }

    fn give_up(self) {
        self.end(Err(unavailable("the claims before this one took too long")));
    }
}

/// A claim in a group, and those that came behind it and have a use in common with it.
struct Entry {
    job: Job,
    /// Each with the use.
    followers: Vec<(Job, ReplayKey)>,
}

/// How the uses of a group are recorded.
#[derive(Clone, Copy)]
enum Way {
    /// Each request has one.
    Single,
    /// Those of a request all, or none.
    AllOrNone,
}

/// What the task and its flights share.
struct Desk {
    cached: Arc<Cached<Source>>,
    clock: Arc<dyn Clock>,
    again: mpsc::WeakSender<Job>,
    sent: Arc<Sent>,
}

/// Each use once: what comes behind with one of them waits for the first.
fn entries(jobs: Vec<Job>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut of: HashMap<Short, usize> = HashMap::new();
    for job in jobs {
        let first = job.uses.iter().find_map(|used| {
            let place = of.get(&Short::of(used.key));
            place.map(|place| (*place, used.key))
        });
        if let Some((place, key)) = first {
            entries[place].followers.push((job, key));
            continue;
        }
        for used in &job.uses {
            of.insert(Short::of(used.key), entries.len());
        }
        let followers = Vec::new();
        entries.push(Entry { job, followers });
    }
    entries
}

impl Desk {
    /// Decides a group: requests with one use by one statement, those with several by another.
    async fn group(self: Arc<Self>, jobs: Vec<Job>) {
        let entries = entries(jobs);
        let session = match self.session_in_time().await {
            Ok(session) => session,
            Err(error) => return self.fail(entries, error),
        };
        let (single, several): (Vec<Entry>, Vec<Entry>) = entries
            .into_iter()
            .partition(|entry| entry.job.uses.len() == 1);
        // One flight.
        tokio::join!(
            biased;
            self.part(&session, Way::Single, single),
            self.part(&session, Way::AllOrNone, several),
        );
    }

    async fn part(self: &Arc<Self>, session: &Arc<Session>, way: Way, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        match self.claim(session, way, &entries).await {
            Ok(fresh) => self.sort_out(session, entries, &fresh),
            Err(Refusal::OfAll(error)) => self.fail(entries, error),
            Err(Refusal::ForOthers) => self.one_by_one(session, way, entries).await,
        }
    }

    /// None of them could be sent, or none was done.
    fn fail(&self, entries: Vec<Entry>, error: StoreError) {
        self.sent.note_failure(&error);
        self.end_all(entries, Arc::new(error));
    }

    /// As [`Desk::session`], soon. Where one has to be opened, that goes on for the groups behind.
    async fn session_in_time(self: &Arc<Self>) -> Result<Arc<Session>, StoreError> {
        if self.cached.source().connections.claims.is_open() {
            return self.session().await.map_err(StoreError::from);
        }
        let desk = self.clone();
        let opening = tokio::spawn(async move { desk.session().await });
        match timeout(CONNECTED_WITHIN, opening).await {
            Ok(Ok(opened)) => opened.map_err(StoreError::from),
            Ok(Err(_)) | Err(_) => Err(unavailable("no connection for claims in time")),
        }
    }

    /// The session of claims, once it is known what signs of loss mean.
    async fn session(&self) -> Result<Arc<Session>, Failure> {
        let source = self.cached.source();
        let session = source.connections.claims.session().await?;
        source.fence.settle(&session).await?;
        Ok(session)
    }

    /// Each alone: one whose use another transaction holds costs the others half a second, and not
    /// their answer.
    async fn one_by_one(self: &Arc<Self>, session: &Arc<Session>, way: Way, entries: Vec<Entry>) {
        let begun = Instant::now();
        let (count, mut is_any_done) = (entries.len(), false);
        for entry in entries {
            let alone = vec![entry];
            if begun.elapsed() > ONE_BY_ONE {
                let error = unavailable("others hold too many of the uses in this group");
                self.end_all(alone, Arc::new(error));
                continue;
            }
            match self.claim(session, way, &alone).await {
                Ok(fresh) => {
                    is_any_done = true;
                    self.sort_out(session, alone, &fresh);
                }
                Err(Refusal::OfAll(error)) => self.end_all(alone, Arc::new(error)),
                Err(Refusal::ForOthers) => {
                    let error = unavailable("another transaction holds this use");
                    self.end_all(alone, Arc::new(error));
                }
            }
        }
        if count > 1 && !is_any_done {
            self.sent
                .note_failure(&unavailable("another transaction holds all of them"));
        }
    }

    /// Sends these, and answers which uses were not recorded before. Of an entry whose uses are all
    /// among them, they are recorded now; of any other none is.
    async fn claim(
        &self,
        session: &Session,
        way: Way,
        entries: &[Entry],
    ) -> Result<HashSet<Short>, Refusal> {
        let Columns {
            issuers,
            names,
            untils,
            requests,
        } = Columns::of(entries);
        let claims = u64::try_from(names.len()).unwrap_or(u64::MAX);
        self.sent.claims.fetch_add(claims, Ordering::Relaxed);
        self.sent.groups.fetch_add(1, Ordering::Relaxed);
        let values: [&(dyn ToSql + Sync); 4] = [&issuers, &names, &untils, &requests];
        let (sql, values) = match way {
            Way::Single => (INSERT, &values[..3]),
            Way::AllOrNone => (INSERT_ALL_OR_NONE, &values[..]),
        };
        let rows = self.fly(session, sql, values).await?;
        self.sent.note_success();
        let short = |row: &Row| Short {
            issuer: row.get(0),
            name: row.get(1),
        };
        Ok(rows.iter().map(short).collect())
    }

    /// One statement that writes, a transaction of its own, and a look behind it. Each row tells the
    /// `place` in the log that the commit is behind.
    async fn fly(
        &self,
        session: &Session,
        sql: &str,
        values: &Values<'_>,
    ) -> Result<Vec<Row>, Refusal> {
        let source = self.cached.source();
        let prepared = async { Ok((session.prepared(sql).await?, session.prepared(LOOK).await?)) };
        // Nothing is sent yet that writes.
        let (write, look) = prepared.await.map_err(Refusal::before)?;
        let position = self.cached.position();
        let (epoch, snapshot) = (source.connections.epoch(), position.snapshot());
        let since: &Values<'_> = &[&snapshot];
        let began = Instant::now();
        let (written, looked) = tokio::join!(
            biased;
            session.run(&write, values),
            session.run(&look, since),
        );
        let written = written.map_err(Refusal::of)?;
        if !written.is_empty() {
            source.proof.committed(began);
        }
        // The claims are recorded. Without the look they are not answered.
        let unknown = |error: StoreError| Refusal::OfAll(StoreError::Unknown(Box::new(error)));
        let looked = looked.map_err(|failure| unknown(failure.into()))?;
        let seen = change::read(&looked, &position, epoch);
        let Seen { look, history } = seen.map_err(|failure| unknown(failure.into()))?;
        // The commit is behind the place that the last row tells.
        if let Some(row) = written.last().filter(|_| history == History::Same) {
            let place = row.get("place");
            source.fence.note_confirmed(position.timeline(), place);
        }
        source.fence.heed(&history).await;
        if look.news == News::Everything {
            let reloaded = source.fence.reload(session).await;
            reloaded.map_err(|failure| unknown(failure.into()))?;
        }
        let heeded = self.cached.heed(&position, look).await;
        heeded.map_err(unknown)?;
        source.proof.looked(began);
        if source.fence.is_doubted() {
            let settled = source.fence.settle(session).await;
            settled.map_err(|failure| unknown(failure.into()))?;
            return Err(Refusal::OfAll(StoreError::Unknown(
                "the database may not be the one that it was".into(),
            )));
        }
        Ok(written)
    }

    /// Answers those whose uses are all fresh, and looks into the others.
    fn sort_out(
        self: &Arc<Self>,
        session: &Arc<Session>,
        entries: Vec<Entry>,
        fresh: &HashSet<Short>,
    ) {
        let is_fresh = |used: &Used| fresh.contains(&Short::of(used.key));
        let (fresh, used): (Vec<Entry>, Vec<Entry>) = entries
            .into_iter()
            .partition(|entry| entry.job.uses.iter().all(is_fresh));
        for entry in fresh {
            self.end(entry, Ok(Claim::Fresh));
        }
        if !used.is_empty() {
            // The next group need not wait for it.
            let (desk, session) = (self.clone(), session.clone());
            tokio::spawn(async move { desk.look_into(&session, used).await });
        }
    }

    /// What was recorded before is a replay, unless it has ended.
    async fn look_into(&self, session: &Session, entries: Vec<Entry>) {
        let uses = entries.iter().flat_map(|entry| &entry.job.uses);
        let shorts: Vec<Short> = uses.map(|used| Short::of(used.key)).collect();
        let ends = match claim_row::ends(session, &shorts).await {
            Ok(ends) => ends,
            Err(failure) => return self.end_all(entries, Arc::new(failure.into())),
        };
        for entry in entries {
            let now = entry.job.now;
            let recorded = entry.job.uses.iter().find(|used| {
                let until = ends.get(&Short::of(used.key));
                until.is_some_and(|until| !claim_row::is_over(*until, now))
            });
            let outcome = match recorded {
                Some(used) => Ok(Claim::Replayed(used.key)),
                None => self.claim_anew(session, &entry.job).await,
            };
            self.end(entry, outcome);
        }
    }

    /// Claims what was recorded before and has ended, or has been removed meanwhile.
    async fn claim_anew(&self, session: &Session, job: &Job) -> Outcome {
        let columns = Columns::of_uses(job.uses.iter().map(|used| (*used, 0)));
        let ended_before = claim_row::ended_before(job.now).millis();
        let values: &Values<'_> = &[
            &columns.issuers,
            &columns.names,
            &columns.untils,
            &ended_before,
        ];
        match self.fly(session, INSERT_ANEW, values).await {
            Ok(rows) if !rows.is_empty() => Ok(Claim::Fresh),
            // Another node was faster.
            Ok(_) => Ok(Claim::Replayed(job.uses[0].key)),
            Err(Refusal::OfAll(error)) => Err(error),
            Err(Refusal::ForOthers) => Err(unavailable("another transaction holds this use")),
        }
    }

    /// Answers a claim, and those that waited for it.
    fn end(&self, entry: Entry, outcome: Outcome) {
        let Entry { job, followers } = entry;
        let outcome = outcome.and_then(|claim| self.in_time(&job, claim));
        let outcome = outcome.map_err(Arc::new);
        for (follower, key) in followers {
            match &outcome {
                Ok(Claim::Fresh) => follower.end(Ok(Claim::Replayed(key))),
                Ok(Claim::Replayed(used)) if follower.has(Short::of(*used)) => {
                    follower.end(Ok(Claim::Replayed(*used)));
                }
                Ok(Claim::Replayed(_) | Claim::OverQuota) => self.send_again(follower),
                Err(error) => follower.end(Err(again(error))),
            }
        }
        job.end(outcome.map_err(|error| again(&error)));
    }

    /// A claim that was under way for longer than its assertion is remembered, as where the process
    /// was stopped, may be one of what was forgotten meanwhile.
    fn in_time(&self, job: &Job, claim: Claim) -> Outcome {
        let fence = &self.cached.source().fence;
        let now = self.clock.now();
        let is_late = |used: &Used| fence.may_be_gone(used.until) || used.until < now;
        match claim {
            Claim::Fresh if job.uses.iter().any(is_late) => Err(StoreError::Unknown(
                "the claim waited longer than its assertion is remembered".into(),
            )),
            claim => Ok(claim),
        }
    }

    fn end_all(&self, entries: Vec<Entry>, error: Arc<StoreError>) {
        for entry in entries {
            self.end(entry, Err(again(&error)));
        }
    }

    /// Has it decided by another group: the request that it waited for has recorded nothing.
    fn send_again(&self, mut job: Job) {
        job.groups += 1;
        let busy = || unavailable("too many requests have a use in common with this one");
        if job.groups >= MOST_GROUPS {
            return job.end(Err(busy()));
        }
        let Some(queue) = self.again.upgrade() else {
            return job.end(Err(unavailable("claims have ended")));
        };
        if let Err(refused) = queue.try_send(job) {
            refused.into_inner().end(Err(busy()));
        }
    }
}

/// Why nothing of a group is answered.
enum Refusal {
    /// Not done, or unknown.
    OfAll(StoreError),
    /// Not done because of what others do: it may be done one by one.
    ForOthers,
}

impl Refusal {
    /// Nothing was sent.
    fn before(failure: Failure) -> Self {
        Self::OfAll(failure.into())
    }

    /// Of a statement that commits by itself.
    fn of(failure: Failure) -> Self {
        match failure.may_be_repeated() {
            true => Self::ForOthers,
            false => Self::OfAll(failure.of_commit()),
        }
    }
}

/// The uses of a group in the order in which all nodes record them: two groups with common uses in
/// opposite order would wait for each other (S041).
#[derive(Default)]
struct Columns {
    issuers: Vec<i64>,
    names: Vec<Name>,
    untils: Vec<i64>,
    requests: Vec<i32>,
}

impl Columns {
    fn of(entries: &[Entry]) -> Self {
        Self::of_uses(
            entries.iter().zip(0..).flat_map(|(entry, request)| {
                entry.job.uses.iter().map(move |used| (*used, request))
            }),
        )
    }

    fn of_uses(uses: impl Iterator<Item = (Used, i32)>) -> Self {
        let mut uses: Vec<(Short, i64, i32)> = uses
            .map(|(used, request)| (Short::of(used.key), used.until.millis(), request))
            .collect();
        uses.sort_unstable();
        let mut columns = Self::default();
        for (short, until, request) in uses {
            columns.issuers.push(short.issuer);
            columns.names.push(short.name);
            columns.untils.push(until);
            columns.requests.push(request);
        }
        columns
    }
}
