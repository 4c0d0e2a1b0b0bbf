//! Who has which connection. This process never holds more than were chosen, whatever the load: one
//! carries claims, one looks at the feed, one writes decisions, one reads, and the others are lent for
//! one change at a time.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::storage::StoreError;
use tokio::{
    sync::{AcquireError, Mutex, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    backoff::{Backoff, Reason},
    connect::Connector,
    error::{Failure, because, has_no_room},
    session::{Failures, Session},
};

/// Longest wait for a lent connection.
const LENT_WITHIN: Duration = Duration::from_secs(2);
/// How long a look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(1);
/// How long any other statement may take.
const STATEMENT_WITHIN: Duration = Duration::from_secs(2);
/// How long a statement may take for which nobody waits.
const RECORD_WITHIN: Duration = Duration::from_secs(30);

/// The connections of a process.
pub(super) struct Connections {
    /// That of claims.
    pub(super) claims: Line,
    /// That of looks.
    pub(super) looks: Line,
    /// That of decisions, counts and removals: nobody waits for it.
    pub(super) records: Line,
    reads: Option<Line>,
    changes: Pool,
    /// The turn of what may wait.
    turn: Arc<Semaphore>,
    /// The turn of changes.
    changing: Arc<Semaphore>,
}

impl Connections {
    /// None is open yet.
    pub(super) fn new(connector: Connector, most: u8) -> Self {
        let connector = Arc::new(connector);
        let epoch = Arc::<AtomicU64>::default();
        let line = |limit, role| Line::new(connector.clone(), limit, epoch.clone(), role);
        let shared = 4_u8;
        Self {
            claims: line(STATEMENT_WITHIN, Role::Leads),
            looks: line(LOOK_WITHIN, Role::Leads),
            records: line(RECORD_WITHIN, Role::Writes),
            reads: (most > shared).then(|| line(STATEMENT_WITHIN, Role::Follows)),
            changes: Pool::new(
                connector.clone(),
                usize::from(most.saturating_sub(shared)).max(1),
                epoch.clone(),
            ),
            turn: Arc::new(Semaphore::new(1)),
            changing: Arc::new(Semaphore::new(1)),
        }
    }

    /// A node runs: from now on its requests wait for what is opened.
    pub(super) fn hurry(&self) {
        self.looks.connector.hurry();
    }

    /// The connection of reads: each is one statement, and they are sent one behind the other.
    pub(super) fn reads(&self) -> &Line {
        self.reads.as_ref().unwrap_or(&self.looks)
    }

    /// A connection of one's own, for a transaction or for what takes longer. Others wait for it
    /// meanwhile.
    pub(super) async fn lend(&self) -> Result<Lent, Failure> {
        self.changes.lend().await
    }

    /// The same for lists and whatever else may wait: one at a time, so that what tokens need finds a
    /// connection.
    pub(super) async fn lend_in_turn(&self) -> Result<Lent, Failure> {
        let turn = timeout(LENT_WITHIN, self.turn.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| Failure::unavailable("all connections are busy"))?;
        self.lend_with(turn).await
    }

    /// The same for what nobody waits for, however long its turn takes to come.
    pub(super) async fn lend_unhurried(&self) -> Result<Lent, Failure> {
        self.lend_with(self.turn.clone().acquire_owned().await)
            .await
    }

    /// The same for a change of the registry, which may wait for those of other processes: one at a
    /// time, so that what tokens need finds a connection.
    pub(super) async fn lend_for_change(&self) -> Result<Lent, Failure> {
        self.lend_with(self.changing.clone().acquire_owned().await)
            .await
    }

    /// The turns are never closed.
    async fn lend_with(
        &self,
        turn: Result<OwnedSemaphorePermit, AcquireError>,
    ) -> Result<Lent, Failure> {
        let mut lent = self.changes.lend().await?;
        lent.turn = turn.ok();
        Ok(lent)
    }

    /// How long a change may wait for others: not as long as others wait for a connection, where
    /// there is but one for all of them.
    pub(super) fn change_waits(&self) -> Duration {
        match self.changes.most {
            0 | 1 => LENT_WITHIN * 3 / 4,
            _ => LENT_WITHIN * 2,
        }
    }

    /// How many are open now.
    pub(super) fn open(&self) -> u64 {
        let lines = [
            Some(&self.claims),
            Some(&self.looks),
            Some(&self.records),
            self.reads.as_ref(),
        ];
        let lines = lines
            .into_iter()
            .flatten()
            .filter(|line| line.is_open())
            .count();
        u64::try_from(lines + self.changes.open()).unwrap_or(u64::MAX)
    }

    /// How many attempts to open one have failed.
    pub(super) fn failed(&self) -> u64 {
        self.looks.connector.failed()
    }

    /// The statements that have failed.
    pub(super) fn failed_statements(&self) -> &Arc<Failures> {
        self.looks.connector.failed_statements()
    }

    /// How many connections of claims and looks were opened so far: with a new one, what was read
    /// before counts for nothing.
    pub(super) fn epoch(&self) -> u64 {
        self.looks.epoch.load(Ordering::Acquire)
    }
}

/// One connection, opened when it is first asked for and again when it has ended.
pub(super) struct Line {
    connector: Arc<Connector>,
    limit: Duration,
    session: Mutex<Option<(Arc<Session>, u64)>>,
    backoff: Backoff,
    /// How many were opened by those that lead.
    epoch: Arc<AtomicU64>,
    role: Role,
}

/// What a line has to do with a new connection of claims or looks: the server that it leads to may
/// be another one. One that was the primary before goes on answering reads, of what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A new one counts. What it writes shows whether its server still is the primary.
    Leads,
    /// The same, and nothing rests on it.
    Writes,
    /// Opened anew behind each that counts.
    Follows,
}

impl Line {
    fn new(connector: Arc<Connector>, limit: Duration, epoch: Arc<AtomicU64>, role: Role) -> Self {
        Self {
            connector,
            limit,
            session: Mutex::default(),
            backoff: Backoff::default(),
            epoch,
            role,
        }
    }

    /// Whether a session of this epoch is of use now.
    fn is_of_use(&self, session: &Session, epoch: u64) -> bool {
        let is_outdated = self.role == Role::Follows && epoch != self.epoch.load(Ordering::Acquire);
        !session.has_ended() && !is_outdated
    }

    /// The session of now. Where there is none, one of those who ask opens it, and the others wait for
    /// that; after a failure nobody waits, and one tries again after a while.
    ///
    /// # Errors
    /// Unavailable, if none can be opened: nothing was asked.
    pub(super) async fn session(&self) -> Result<Arc<Session>, Failure> {
        let mut session = self.session.lock().await;
        if let Some((open, epoch)) = &*session
            && self.is_of_use(open, *epoch)
        {
            return Ok(open.clone());
        }
        *session = None;
        // Of before: where another line opens one meanwhile, this one is opened again.
        let epoch = self.epoch.load(Ordering::Acquire);
        let opened = Arc::new(connect(&self.connector, self.limit, &self.backoff).await?);
        if self.role == Role::Leads {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        *session = Some((opened.clone(), epoch));
        Ok(opened)
    }

    /// Whether it is open, as far as it is known without waiting.
    pub(super) fn is_open(&self) -> bool {
        let session = self.session.try_lock();
        session.is_ok_and(|session| {
            let open = session.as_ref();
            open.is_some_and(|(open, epoch)| self.is_of_use(open, *epoch))
        })
    }
}

/// Opens a session, unless an attempt has failed a moment ago.
async fn connect(
    connector: &Connector,
    limit: Duration,
    backoff: &Backoff,
) -> Result<Session, Failure> {
    backoff.may_try(Instant::now())?;
    match connector.connect(limit).await {
        Ok(session) => {
            backoff.succeeded();
            Ok(session)
        }
        Err(failure) => {
            let reason = match has_no_room(failure.code()) {
                true => Reason::Full,
                false => Reason::Away,
            };
            let error = StoreError::from(failure);
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), because);
            backoff.failed_by(cause, reason, Instant::now());
            Err(error.into())
        }
    }
}

/// Connections that are lent, the one that was used last first.
struct Pool {
    connector: Arc<Connector>,
    free: Arc<std::sync::Mutex<Vec<(Session, u64)>>>,
    places: Arc<Semaphore>,
    most: usize,
    backoff: Backoff,
    /// As a line's: those that are free follow it.
    epoch: Arc<AtomicU64>,
}

impl Pool {
    fn new(connector: Arc<Connector>, most: usize, epoch: Arc<AtomicU64>) -> Self {
        Self {
            connector,
            free: Arc::default(),
            places: Arc::new(Semaphore::new(most)),
            most,
            backoff: Backoff::default(),
            epoch,
        }
    }

    async fn lend(&self) -> Result<Lent, Failure> {
        let place = timeout(LENT_WITHIN, self.places.clone().acquire_owned());
        let Ok(Ok(place)) = place.await else {
            return Err(Failure::unavailable("all connections are busy"));
        };
        let epoch = self.epoch.load(Ordering::Acquire);
        let free = {
            let mut free = self.free.lock().unwrap_or_else(|error| error.into_inner());
            free.retain(|(session, of)| *of == epoch && !session.has_ended());
            free.pop()
        };
        let session = match free {
            Some((session, _)) => session,
            None => connect(&self.connector, STATEMENT_WITHIN, &self.backoff).await?,
        };
        Ok(Lent {
            session: Some((session, epoch)),
            free: self.free.clone(),
            _place: place,
            turn: None,
        })
    }

    /// How many are open: those that are lent, and those that wait to be.
    fn open(&self) -> usize {
        let free = self
            .free
            .lock()
            .unwrap_or_else(|error| error.into_inner())
            .len();
        self.most - self.places.available_permits().min(self.most) + free
    }
}

/// A lent connection. It is closed when it is let go, unless it is given back: whoever goes away in
/// the middle of a transaction leaves nothing open.
pub(super) struct Lent {
    session: Option<(Session, u64)>,
    free: Arc<std::sync::Mutex<Vec<(Session, u64)>>>,
    _place: OwnedSemaphorePermit,
    turn: Option<OwnedSemaphorePermit>,
}

impl Lent {
    /// For others to use: nothing is open in it.
    pub(super) fn give_back(mut self) {
        let session = self.session.take();
        if let Some(session) = session.filter(|(session, _)| !session.has_ended()) {
            let mut free = self.free.lock().unwrap_or_else(|error| error.into_inner());
            free.push(session);
        }
    }
}

impl Deref for Lent {
    type Target = Session;

    fn deref(&self) -> &Session {
        let session = self.session.as_ref();
        &session.expect("it is there until it is given back").0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{Durability, Target};

    #[test]
    fn s033_a_new_connection_counts_where_claims_or_looks_go_over_it() {
        for most in [4, 6] {
            let target = Target::new("postgres://a@127.0.0.1/b", Durability::Local);
            let connections = Connections::new(Connector::new(&target).expect("a target"), most);
            let parts = [
                connections.claims.role,
                connections.looks.role,
                connections.records.role,
            ];
            assert_eq!(parts, [Role::Leads, Role::Leads, Role::Writes], "{most}");
            // With few connections, reads go over that of looks.
            let reads = match most {
                4 => Role::Leads,
                _ => Role::Follows,
            };
            assert_eq!(connections.reads().role, reads, "{most}");
            for line in [&connections.claims, connections.reads()] {
                assert!(Arc::ptr_eq(&line.epoch, &connections.changes.epoch));
            }
        }
    }
}
