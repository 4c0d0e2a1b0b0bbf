//! Replay claims in SQLite. Those in force are kept in memory, where they are decided; the table,
//! to whose end those of each commit are written, keeps them for the next start and tells other
//! processes. The answer waits for the commit.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor::{
    clock::{Clock, UnixTime},
    storage::{Claim, IssuerTag, ReplayGuard, ReplayKey, StoreError, Used},
};
use rusqlite::{Connection, Transaction};

use super::{
    SqliteStore,
    claim_rows::{self, NewClaim},
    error::failed,
    marks::Marks,
    writer::{unanswered, unavailable},
};
use crate::answers::{self, Answer};

/// How many maps share the claims: one is swept at a time, and one grows at a time.
const SHARDS: usize = 128;
/// How soon an issuer over its quota is counted again.
const RECOUNT_AFTER: Duration = Duration::from_secs(10);

#[async_trait]
impl ReplayGuard for SqliteStore {
    async fn claim(&self, uses: &[Used], now: UnixTime, quota: u64) -> Result<Claim, StoreError> {
        let Some((first, rest)) = uses.split_first() else {
            return Ok(Claim::Fresh);
        };
        let (answer, answered) = answers::channel();
        self.0.writer.claim(ClaimJob {
            first: *first,
            rest: rest.into(),
            now,
            quota,
            answer,
        })?;
        answered.await.map_err(|_| unanswered())?
    }

    fn fence(&self) -> Option<UnixTime> {
        self.0.source().marks.fence()
    }

    /// Reads every claim in force.
    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError> {
        self.0
            .readers()
            .read(move |connection| Ok(claim_rows::contain(connection, key, now)?))
            .await
    }
}

/// A claim on its way to the writer: of one use nearly always, which takes no allocation.
pub(super) struct ClaimJob {
    pub(super) first: Used,
    pub(super) rest: Box<[Used]>,
    pub(super) now: UnixTime,
    pub(super) quota: u64,
    pub(super) answer: Answer<Result<Claim, StoreError>>,
}

impl ClaimJob {
    fn uses(&self) -> impl Iterator<Item = &Used> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

/// The claims in force, and some that have ended.
pub(super) struct Claims {
    shards: Vec<HashMap<Key, UnixTime>>,
    held_by: HashMap<IssuerTag, Held>,
    marks: Arc<Marks>,
    clock: Arc<dyn Clock>,
    /// How far ahead of ours a sender's clock may be.
    leeway: Duration,
    /// When this transaction began.
    now: UnixTime,
    /// Position in the table up to which everything is known: with what this transaction wrote,
    /// and without.
    known: i64,
    committed: i64,
    /// The version of the database, as others made it, that is known.
    version: Option<i64>,
    /// Whether this transaction has read what others claimed before it.
    caught_up: bool,
    /// What this transaction claimed, and has to write.
    uncommitted: Vec<NewClaim>,
    sweep_next: usize,
    recounted_at: Option<UnixTime>,
}

/// An issuer's claims that are in memory.
#[derive(Clone, Copy, Default)]
struct Held {
    claims: u64,
    /// Those that had ended when they were last counted.
    ended: u64,
}

/// The issuer's tag, and 128 bits of the rest.
type Key = [u8; 24];

impl Claims {
    /// None, until [`Claims::catch_up`].
    pub(super) fn new(marks: Arc<Marks>, clock: Arc<dyn Clock>, leeway: Duration) -> Self {
        Self {
            now: clock.now(),
            marks,
            clock,
            leeway,
            shards: vec![HashMap::new(); SHARDS],
            held_by: HashMap::new(),
            known: 0,
            committed: 0,
            version: None,
            caught_up: false,
            uncommitted: Vec::new(),
            sweep_next: 0,
            recounted_at: None,
        }
    }

    /// Forgets everything, to read it again: after a panic has left it half-done.
    pub(super) fn start_anew(&mut self) {
        *self = Self::new(self.marks.clone(), self.clock.clone(), self.leeway);
    }

    /// Reads what others have claimed, once in a transaction: nobody adds to it before that ends.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.caught_up {
            return Ok(());
        }
        self.now = self.clock.now();
        let version = connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        if self.version != Some(version) {
            self.read_others(connection)?;
            self.version = Some(version);
        }
        self.caught_up = true;
        Ok(())
    }

    /// Other connections have written since the last time.
    fn read_others(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.marks.reload(connection)?;
        if claim_rows::newest(connection)? < self.known {
            self.went_back(connection)?;
        }
        let last =
            claim_rows::read_after(connection, self.known, |key, until| self.insert(key, until))?;
        self.known = last.unwrap_or(self.known);
        self.committed = self.known;
        Ok(())
    }

    /// The database is an earlier one now: a backup was restored, and uses were lost with what came
    /// after it. Those in memory stay.
    pub(super) fn went_back(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        tracing::warn!(
            "the database was replaced by an earlier one: assertions and tokens issued before now are refused"
        );
        self.known = 0;
        self.version = None;
        self.marks.reload(connection)?;
        self.marks
            .raise_fence(connection, self.clock.now(), self.leeway)?;
        self.marks.raise_token_fence(connection, self.clock.now())
    }

    /// Decides, until the transaction ends by [`Claims::commit`].
    pub(super) fn claim(
        &mut self,
        connection: &Connection,
        job: &ClaimJob,
    ) -> Result<Claim, StoreError> {
        self.catch_up(connection).map_err(failed)?;
        for used in job.uses() {
            if self.is_claimed(used, job.now)? {
                return Ok(Claim::Replayed(used.key));
            }
        }
        if self.is_over_quota(job)
            && self
                .recounted_at
                .is_none_or(|at| at.plus(RECOUNT_AFTER) <= job.now)
        {
            self.recount(job.now);
        }
        if self.is_over_quota(job) {
            return Ok(Claim::OverQuota);
        }
        for Used { key, until } in job.uses().copied() {
            self.insert(key, until);
            self.uncommitted.push(NewClaim::new(key, until, job.now));
        }
        Ok(Claim::Fresh)
    }

    /// Whether this use was claimed before. What may be forgotten, or is about to be, is not
    /// decided.
    fn is_claimed(&self, used: &Used, now: UnixTime) -> Result<bool, StoreError> {
        let (short, shard) = split(used.key);
        if self.shards[shard]
            .get(&short)
            .is_some_and(|until| *until >= now)
        {
            return Ok(true);
        }
        if used.until < self.now {
            return Err(unavailable(
                "the claim waited longer than its assertion is remembered",
            ));
        }
        if self.marks.may_be_gone(used.until) {
            return Err(unavailable(
                "the clock was ahead for a while, and this use may have been forgotten; set the clock",
            ));
        }
        Ok(false)
    }

    /// Writes what this transaction claimed to the end of the table, and commits all of it.
    /// Otherwise it was never claimed.
    pub(super) fn commit(&mut self, transaction: Transaction<'_>) -> rusqlite::Result<()> {
        let committed = self.write(&transaction).and_then(|()| transaction.commit());
        self.caught_up = false;
        match committed {
            Ok(()) => self.keep(),
            Err(_) => self.forget(),
        }
        committed
    }

    fn write(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        // SQLite has rolled back by itself (disk full, I/O error): what is written now would stay,
        // and the commit fails.
        if transaction.is_autocommit() {
            return Ok(());
        }
        let last = claim_rows::append(transaction, &mut self.uncommitted)?;
        self.known = last.unwrap_or(self.known);
        Ok(())
    }

    fn keep(&mut self) {
        self.committed = self.known;
        self.uncommitted.clear();
    }

    /// Goes back to what was known before the transaction.
    fn forget(&mut self) {
        self.known = self.committed;
        for claim in std::mem::take(&mut self.uncommitted) {
            let (short, shard) = split(claim.key);
            if self.shards[shard].remove(&short).is_some() {
                release(&mut self.held_by, claim.key.issuer());
            }
        }
    }

    /// Counts for each issuer those that have ended, and forgets none: this time may be wrong.
    fn recount(&mut self, now: UnixTime) {
        self.held_by.values_mut().for_each(|held| held.ended = 0);
        for (key, _) in self
            .shards
            .iter()
            .flatten()
            .filter(|(_, until)| **until < now)
        {
            self.held_by.entry(issuer(key)).or_default().ended += 1;
        }
        self.recounted_at = Some(now);
    }

    /// Forgets those of the next shard that have ended.
    pub(super) fn sweep_some(&mut self, now: UnixTime) {
        self.marks.forgets(now);
        let held_by = &mut self.held_by;
        self.shards[self.sweep_next].retain(|key, until| {
            let in_force = *until >= now;
            if !in_force {
                release(held_by, issuer(key));
            }
            in_force
        });
        self.sweep_next = (self.sweep_next + 1) % SHARDS;
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.shards.iter().map(|shard| shard.len() as u64).sum()
    }

    fn insert(&mut self, key: ReplayKey, until: UnixTime) {
        let (short, shard) = split(key);
        if self.shards[shard].insert(short, until).is_none() {
            self.held_by.entry(key.issuer()).or_default().claims += 1;
        }
    }

    /// Whether one of the issuers may have no claim more, beside those that it gets by this job.
    fn is_over_quota(&self, job: &ClaimJob) -> bool {
        job.uses().enumerate().any(|(number, used)| {
            let issuer = used.key.issuer();
            let held = self.held_by.get(&issuer).copied().unwrap_or_default();
            let beside = job
                .uses()
                .take(number)
                .filter(|other| other.key.issuer() == issuer);
            held.claims - held.ended.min(held.claims) + beside.count() as u64 >= job.quota
        })
    }
}

/// One claim less of this issuer.
fn release(held_by: &mut HashMap<IssuerTag, Held>, issuer: IssuerTag) {
    if let Some(held) = held_by.get_mut(&issuer) {
        held.claims -= 1;
        held.ended = held.ended.saturating_sub(1);
        if held.claims == 0 {
            held_by.remove(&issuer);
        }
    }
}

fn split(key: ReplayKey) -> (Key, usize) {
    let octets = key.as_bytes();
    let short = octets[..24].try_into().expect("24 octets");
    let last = octets[28..].try_into().expect("4 octets");
    (
        short,
        shard_of(f64::from(u32::from_be_bytes(last)) / 2_f64.powi(32)),
    )
}

/// The shard of a part of the claims, from 0 to below 1. The last shard's share is twice the
/// first's, and those between in proportion: maps double when they are full, and of maps of one
/// size all would double at once.
fn shard_of(part: f64) -> usize {
    ((1.0 + part).log2() * SHARDS as f64) as usize
}

fn issuer(key: &Key) -> IssuerTag {
    key[..8].try_into().expect("8 octets")
}

#[cfg(test)]
mod tests {
    use grantor::clock::ManualClock;

    use super::{super::claim_rows::tests::table, *};

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    fn none() -> Claims {
        let clock = Arc::new(ManualClock::new(NOW));
        Claims::new(Arc::default(), clock, Duration::from_secs(30))
    }

    fn claim(claims: &mut Claims, connection: &Connection, jti: &str) -> Claim {
        let (answer, _) = answers::channel();
        let until = NOW.plus(Duration::from_secs(60));
        let job = ClaimJob {
            first: ReplayKey::new("a", jti).until(until),
            rest: Box::default(),
            now: NOW,
            quota: 2,
            answer,
        };
        claims.claim(connection, &job).expect("decided")
    }

    fn commit(claims: &mut Claims, connection: &Connection) {
        claims
            .commit(connection.unchecked_transaction().expect("a transaction"))
            .expect("committed");
    }

    #[test]
    fn what_is_rolled_back_was_never_claimed() {
        let mut connection = table();
        let mut claims = none();
        for committed in [false, true] {
            let transaction = connection.transaction().expect("a transaction");
            assert_eq!(
                claim(&mut claims, &transaction, "1"),
                Claim::Fresh,
                "{committed}"
            );
            assert_eq!(
                claim(&mut claims, &transaction, "1"),
                Claim::Replayed(ReplayKey::new("a", "1")),
                "{committed}"
            );
            assert_eq!(
                claim(&mut claims, &transaction, "2"),
                Claim::Fresh,
                "{committed}"
            );
            assert_eq!(
                claim(&mut claims, &transaction, "3"),
                Claim::OverQuota,
                "{committed}"
            );
            if !committed {
                transaction
                    .execute_batch("ROLLBACK")
                    .expect("what SQLite does by itself when the disk is full");
            }
            assert_eq!(claims.commit(transaction).is_ok(), committed);
            let rows = connection.query_row("SELECT count(*) FROM replay", [], |row| {
                row.get::<_, i64>(0)
            });
            assert_eq!(rows, Ok(i64::from(committed)));
        }
        assert_eq!(
            claim(&mut claims, &connection, "1"),
            Claim::Replayed(ReplayKey::new("a", "1"))
        );
        assert_eq!(
            claims.held_by.values().map(|held| held.claims).sum::<u64>(),
            2
        );
    }

    #[test]
    fn what_others_claim_is_known_in_the_next_transaction() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("database");
        table().backup("main", &path, None).expect("copied");
        let open = || (none(), Connection::open(&path).expect("a connection"));
        let ((mut ours, our_connection), (mut theirs, their_connection)) = (open(), open());
        assert_eq!(claim(&mut ours, &our_connection, "1"), Claim::Fresh);
        commit(&mut ours, &our_connection);
        assert_eq!(
            claim(&mut theirs, &their_connection, "1"),
            Claim::Replayed(ReplayKey::new("a", "1"))
        );
        assert_eq!(claim(&mut theirs, &their_connection, "2"), Claim::Fresh);
        commit(&mut theirs, &their_connection);
        assert_eq!(
            claim(&mut ours, &our_connection, "2"),
            Claim::Replayed(ReplayKey::new("a", "2"))
        );
        // Positions are never used twice, or a claim made after all had been removed would be
        // overlooked.
        commit(&mut ours, &our_connection);
        their_connection
            .execute("DELETE FROM replay", [])
            .expect("removed");
        let (mut third, third_connection) = open();
        assert_eq!(claim(&mut third, &third_connection, "3"), Claim::Fresh);
        commit(&mut third, &third_connection);
        assert_eq!(
            claim(&mut ours, &our_connection, "3"),
            Claim::Replayed(ReplayKey::new("a", "3"))
        );
    }

    #[test]
    fn the_shares_of_the_maps_grow_from_one_to_two() {
        let mut shares = [0; SHARDS];
        (0..1_000_000).for_each(|number| shares[shard_of(f64::from(number) / 1e6)] += 1);
        assert!(shares.is_sorted() && shares[0] > 5000, "{shares:?}");
        assert!(
            (195..205).contains(&(shares[SHARDS - 1] * 100 / shares[0])),
            "{shares:?}"
        );
        assert_eq!(shard_of(1.0 - f64::EPSILON), SHARDS - 1);
    }

    #[test]
    fn what_has_ended_is_forgotten() {
        let connection = table();
        let mut claims = none();
        assert_eq!(claim(&mut claims, &connection, "1"), Claim::Fresh);
        (0..SHARDS).for_each(|_| claims.sweep_some(NOW.plus(Duration::from_secs(60))));
        assert_eq!(
            claim(&mut claims, &connection, "1"),
            Claim::Replayed(ReplayKey::new("a", "1"))
        );
        (0..SHARDS).for_each(|_| claims.sweep_some(NOW.plus(Duration::from_secs(61))));
        assert!(claims.held_by.is_empty() && claims.shards.iter().all(HashMap::is_empty));
    }
}
