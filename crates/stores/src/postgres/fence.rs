//! Times that the database keeps beside its rows (table `meta`), and that decide what its rows can
//! tell; and which server was seen last, by which it is found out that claims were lost.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use grantor::{
    clock::{Clock, SystemClock, UnixTime},
    storage::{FamilyId, StoreError},
};
use tokio_postgres::types::PgLsn;

use super::{
    Durability, Options, PostgresStore, change::History, error::Failure, meta, session::Session,
};

/// Under which name it is kept that commits were let go without a standby.
const UNREPLICATED: &str = "unreplicated";

/// Raises marks to a time, which is the later of the server's and the node's, and tells all nodes.
/// $1: how far the node's clock is ahead of its machine's; $2: its time; $3: names; $4: what is
/// added for each, in milliseconds.
const RAISE: &str = "WITH told AS (INSERT INTO change (resource) VALUES ('everything')), \
    here AS (SELECT greatest((extract(epoch FROM clock_timestamp()) * 1000)::bigint + $1::bigint, $2::bigint) AS now) \
    INSERT INTO meta (name, value) \
    SELECT mark.name, (here.now + mark.later)::text FROM here, unnest($3::text[], $4::bigint[]) AS mark (name, later) \
    ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value::bigint, excluded.value::bigint)::text \
    RETURNING name, value::bigint, pg_current_xact_id()::text";

/// The server as it is, and as it was recorded; and up to where its log is that of the server before:
/// what was replayed when it was promoted. One that was started again since tells no more than how far
/// it has come by now: then nothing shows what it lacked.
const SERVER: &str = "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || \
        (SELECT oid FROM pg_database WHERE datname = current_database()), \
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), \
    (SELECT value FROM meta WHERE name = 'system'), (SELECT value FROM meta WHERE name = 'timeline'), \
    EXISTS (SELECT FROM meta WHERE name = 'unreplicated'), \
    coalesce(pg_last_wal_replay_lsn(), pg_current_wal_flush_lsn())";

/// What is noted by numbers of transactions that this server has not come to: they are another's.
const FORGET_NUMBERS: &str = "DELETE FROM change WHERE xid >= pg_snapshot_xmax(pg_current_snapshot()); \
    DELETE FROM meta WHERE name = 'pruned' \
        AND value::numeric > pg_snapshot_xmax(pg_current_snapshot())::text::numeric";

/// The times in force, in milliseconds since 1970, read without a lock; 0 is none. All only grow
/// but `swept_to`, which a clock that is found to have been ahead sets back.
#[derive(Debug, Default)]
struct Marks {
    /// When tokens began to tell their origin.
    sealed_since: AtomicI64,
    /// Uses of assertions issued up to then may have been lost.
    fence: AtomicI64,
    /// Revocations of tokens issued up to then may have been lost.
    token_fence: AtomicI64,
    /// What ended up to then may have been removed.
    swept_to: AtomicI64,
}

impl Marks {
    fn take_over(&self, name: &str, millis: i64) {
        match name {
            "sealed_since" => self.sealed_since.fetch_max(millis, Ordering::AcqRel),
            "fence" => self.fence.fetch_max(millis, Ordering::AcqRel),
            "token_fence" => self.token_fence.fetch_max(millis, Ordering::AcqRel),
            _ => self.swept_to.swap(millis, Ordering::AcqRel),
        };
    }
}

/// Which server it is, and which of its histories: there is another one after each promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    /// With the number of the database: one that was restored beside another has another.
    system: String,
    timeline: String,
}

/// Up to where the log of a server is confirmed.
struct Confirmed {
    timeline: String,
    /// A confirmed commit is behind it.
    place: PgLsn,
    /// When it was confirmed.
    at: UnixTime,
}

/// What another server, or another history, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Same,
    /// Everything that was answered is there. It has to be recorded.
    GoesOn,
    /// Claims and revocations may be gone.
    Lost,
}

/// The fence of uses, the other marks, and whether the fence has to be raised.
pub(super) struct Fence {
    marks: Marks,
    /// How many signs of loss were seen, and up to which of them that was looked into.
    signs: AtomicU64,
    settled: AtomicU64,
    /// Commits were let go without a standby.
    unreplicated: AtomicBool,
    /// That is recorded.
    is_unreplicated_told: AtomicBool,
    /// The server that this node has seen last.
    known: tokio::sync::Mutex<Option<Server>>,
    /// What this node knows to be confirmed: each server that follows has to have it.
    confirmed: Mutex<Option<Confirmed>>,
    durability: Durability,
    leeway: Duration,
    clock: Arc<dyn Clock>,
}

impl Fence {
    /// As the database has it; it is raised where the database is not the one that was seen last.
    pub(super) async fn load(
        session: &Session,
        durability: Durability,
        options: &Options,
    ) -> Result<Self, Failure> {
        let fence = Self::new(durability, options);
        fence.reload(session).await?;
        fence
            .compare(session, &mut *fence.known.lock().await)
            .await?;
        Ok(fence)
    }

    /// Nothing is known yet.
    fn new(durability: Durability, options: &Options) -> Self {
        Self {
            marks: Marks::default(),
            signs: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            unreplicated: AtomicBool::new(false),
            is_unreplicated_told: AtomicBool::new(false),
            known: tokio::sync::Mutex::default(),
            confirmed: Mutex::default(),
            durability,
            leeway: options.leeway,
            clock: options.clock.clone(),
        }
    }

    /// Takes over what others have written.
    pub(super) async fn reload(&self, session: &Session) -> Result<(), Failure> {
        let select = "SELECT name, value::bigint FROM meta \
            WHERE name IN ('sealed_since', 'fence', 'token_fence', 'swept_to')";
        for row in session.query(select, &[]).await? {
            self.marks.take_over(row.get(0), row.get(1));
        }
        Ok(())
    }

    pub(super) fn sealed_since(&self) -> UnixTime {
        UnixTime::from_millis(self.marks.sealed_since.load(Ordering::Acquire))
    }

    /// `None` if no use was ever lost.
    pub(super) fn fence(&self) -> Option<UnixTime> {
        let fence = self.marks.fence.load(Ordering::Acquire);
        (fence > 0).then_some(UnixTime::from_millis(fence))
    }

    /// Whether the revocation of a token issued then may be gone.
    pub(super) fn may_have_been_revoked(&self, issued_at: UnixTime, now: UnixTime) -> bool {
        self.is_fenced_since(issued_at) || now.plus(FamilyId::KEPT_BEYOND_END) < self.swept_to()
    }

    /// Whether the fence was raised then or later.
    fn is_fenced_since(&self, at: UnixTime) -> bool {
        at.millis() <= self.marks.token_fence.load(Ordering::Acquire)
    }

    /// Whether a claim that ends then may have been removed, although the clock says that it is in
    /// force.
    pub(super) fn may_be_gone(&self, until: UnixTime) -> bool {
        until <= self.swept_to()
    }

    fn swept_to(&self) -> UnixTime {
        UnixTime::from_millis(self.marks.swept_to.load(Ordering::Acquire))
    }

    /// A sign of loss was seen: nothing is answered as fresh before [`Fence::settle`].
    fn doubt(&self) {
        self.signs.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes what a look has seen for a sign of loss, if it is one. A timeline that was looked into is
    /// none: after a promotion each connection finds it.
    pub(super) async fn heed(&self, history: &History) {
        match history {
            History::Same => {}
            History::Another => self.doubt(),
            History::Promoted(timeline) => {
                let known = self.known.lock().await;
                let is_known = known.as_ref().is_some_and(|it| it.timeline == *timeline);
                if !is_known {
                    self.doubt();
                }
            }
        }
    }

    /// Takes for a sign of loss that the server has this timeline and another one is recorded: it was
    /// promoted; or that was looked into, and somebody else has written what is recorded.
    pub(super) async fn heed_unrecorded(
        &self,
        session: &Session,
        timeline: &str,
    ) -> Result<(), Failure> {
        self.heed(&History::Promoted(timeline.to_owned())).await;
        let recorded = meta::get(session, "timeline").await?;
        if recorded.as_deref() != Some(timeline) {
            self.doubt();
        }
        Ok(())
    }

    /// Whether a sign of loss was seen that was not looked into.
    pub(super) fn is_doubted(&self) -> bool {
        self.settled.load(Ordering::Acquire) < self.signs.load(Ordering::Acquire)
    }

    /// Commits were let go without a standby: the next server may lack them.
    pub(super) async fn note_unreplicated(&self, session: &Session) -> Result<(), Failure> {
        if self.durability == Durability::Local {
            return Ok(());
        }
        self.unreplicated.store(true, Ordering::Release);
        if !self.is_unreplicated_told.load(Ordering::Acquire) {
            meta::put(session, UNREPLICATED, "1").await?;
            self.is_unreplicated_told.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// A commit was confirmed that is behind this place in the log of the server with this timeline.
    /// While a sign of loss is looked into, that may be the server that is asked about.
    pub(super) fn note_confirmed(&self, timeline: &str, place: PgLsn) {
        if self.is_doubted() {
            return;
        }
        let at = self.clock.now();
        let mut confirmed = self.confirmed();
        match &mut *confirmed {
            Some(known) if known.timeline == timeline => {
                known.place = known.place.max(place);
                known.at = known.at.max(at);
            }
            _ => {
                let timeline = timeline.to_owned();
                *confirmed = Some(Confirmed {
                    timeline,
                    place,
                    at,
                });
            }
        }
    }

    /// Whether this server lacks what was confirmed at the known one, whose log it left at `place`, and
    /// no fence was raised since.
    fn is_lacking(&self, known: &Server, found: &Server, place: PgLsn) -> bool {
        self.confirmed().as_ref().is_some_and(|confirmed| {
            known.system == found.system
                && known.timeline != found.timeline
                && known.timeline == confirmed.timeline
                && place <= confirmed.place
                && !self.is_fenced_since(confirmed.at)
        })
    }

    fn confirmed(&self) -> MutexGuard<'_, Option<Confirmed>> {
        self.confirmed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks into the signs of loss that were seen, and raises the fence if it was one.
    pub(super) async fn settle(&self, session: &Session) -> Result<(), Failure> {
        if !self.is_doubted() {
            return Ok(());
        }
        let mut known = self.known.lock().await;
        let signs = self.signs.load(Ordering::Acquire);
        if self.is_doubted() {
            self.compare(session, &mut known).await?;
            self.settled.fetch_max(signs, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Compares the server with the one that was seen last, and records it.
    async fn compare(&self, session: &Session, known: &mut Option<Server>) -> Result<(), Failure> {
        let row = session.query_one(SERVER, &[]).await?;
        let found = Server {
            system: row.get(0),
            timeline: row.get(1),
        };
        let recorded = row.get::<_, Option<String>>(2).zip(row.get(3));
        let recorded = recorded.map(|(system, timeline)| Server { system, timeline });
        // Another node may have raised it.
        self.reload(session).await?;
        let is_unreplicated = self.unreplicated.load(Ordering::Acquire);
        let place = row.get(5);
        let is_lacking = |known| self.is_lacking(known, &found, place);
        let unknown_to_others = is_unreplicated || known.as_ref().is_some_and(is_lacking);
        let loses = Loses {
            by_promotion: self.durability == Durability::Local || row.get(4) || unknown_to_others,
            unknown_to_others,
            is_doubted: self.is_doubted(),
        };
        let verdict = loses.verdict(&found, recorded.as_ref(), known.as_ref());
        if recorded.is_some_and(|recorded| recorded.system != found.system) {
            session.batch(FORGET_NUMBERS).await?;
        }
        if verdict == Verdict::Lost {
            let (fence, _) = self.raise_all(session).await?;
            tracing::warn!(
                system = found.system,
                timeline = found.timeline,
                %fence,
                "the database may lack what was committed last: assertions and tokens issued before now are refused"
            );
        }
        if verdict != Verdict::Same {
            meta::put(session, "system", &found.system).await?;
            meta::put(session, "timeline", &found.timeline).await?;
            let delete = "DELETE FROM meta WHERE name = $1";
            session.execute(delete, &[&UNREPLICATED]).await?;
            self.unreplicated.store(false, Ordering::Release);
            self.is_unreplicated_told.store(false, Ordering::Release);
        }
        if verdict != Verdict::Same || known.as_ref() != Some(&found) {
            *self.confirmed() = None;
        }
        *known = Some(found);
        Ok(())
    }

    /// Uses and revocations were lost before now. Answers the fence, and the transaction.
    async fn raise_all(&self, session: &Session) -> Result<(UnixTime, String), Failure> {
        let marks = [("fence", self.leeway), ("token_fence", Duration::ZERO)];
        self.raise(session, &marks).await
    }

    /// Raises these marks to now and so much more. Answers the first, and the transaction.
    async fn raise(
        &self,
        session: &Session,
        marks: &[(&str, Duration)],
    ) -> Result<(UnixTime, String), Failure> {
        let now = self.clock.now().millis();
        let names: Vec<&str> = marks.iter().map(|(name, _)| *name).collect();
        let later = |later: &Duration| i64::try_from(later.as_millis()).unwrap_or(i64::MAX);
        let later: Vec<i64> = marks.iter().map(|(_, more)| later(more)).collect();
        let ahead = self.ahead();
        let rows = session
            .query(RAISE, &[&ahead, &now, &names, &later])
            .await?;
        let mut raised = None;
        for row in rows {
            let (name, millis): (&str, i64) = (row.get(0), row.get(1));
            self.marks.take_over(name, millis);
            if marks.first().is_some_and(|(first, _)| *first == name) {
                raised = Some((UnixTime::from_millis(millis), row.get(2)));
            }
        }
        raised.ok_or_else(|| Failure::Lost("a mark was not raised".into()))
    }

    /// How far the chosen clock is ahead of this machine's, in milliseconds: nothing, but in tests.
    pub(super) fn ahead(&self) -> i64 {
        self.clock.now().millis() - SystemClock.now().millis()
    }

    /// Notes, in the open transaction, that what ended before `now` is removed.
    pub(super) async fn note_swept(&self, session: &Session, now: UnixTime) -> Result<(), Failure> {
        self.marks
            .swept_to
            .fetch_max(now.millis(), Ordering::AcqRel);
        let put = "INSERT INTO meta (name, value) VALUES ('swept_to', $1::bigint::text) \
            ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value::bigint, excluded.value::bigint)::text";
        session.execute(put, &[&now.millis()]).await.map(drop)
    }

    /// Finds out whether both clocks, the server's and this node's, are before what was removed by
    /// them: then they were ahead, and what they removed was used, or revoked, before now. From then on
    /// only what is issued later is decided. Where one clock alone is behind, that one is wrong: what
    /// was removed had ended by the other.
    pub(super) async fn check_clock(
        &self,
        session: &Session,
        engine: UnixTime,
    ) -> Result<(), Failure> {
        let swept_to = self.swept_to();
        if engine.max(self.clock.now()) >= swept_to {
            return Ok(());
        }
        tracing::warn!(now = %engine, ahead = %swept_to, "the clock was ahead for a while: assertions issued before now are refused");
        match engine.plus(FamilyId::KEPT_BEYOND_END) < swept_to {
            true => self.raise_all(session).await.map(drop)?,
            false => self
                .raise(session, &[("fence", self.leeway)])
                .await
                .map(drop)?,
        }
        meta::put(session, "swept_to", &engine.millis().to_string()).await?;
        self.marks
            .swept_to
            .store(engine.millis(), Ordering::Release);
        Ok(())
    }
}

/// In which cases committed writes are lost.
#[derive(Clone, Copy)]
struct Loses {
    /// The server that was promoted may lack what was committed before.
    by_promotion: bool,
    /// Only this node knows that it may.
    unknown_to_others: bool,
    /// A sign of loss was seen.
    is_doubted: bool,
}

impl Loses {
    /// What it means that this server is found, where the database tells of one, and this node knows
    /// one.
    fn verdict(self, found: &Server, recorded: Option<&Server>, known: Option<&Server>) -> Verdict {
        let Some(recorded) = recorded else {
            return match known {
                None => Verdict::GoesOn,
                Some(_) => Verdict::Lost,
            };
        };
        if found.system != recorded.system {
            return Verdict::Lost;
        }
        if found.timeline != recorded.timeline {
            // What this node has recorded was put back by somebody else.
            let is_put_back = known == Some(found);
            return match self.by_promotion || is_put_back {
                true => Verdict::Lost,
                false => Verdict::GoesOn,
            };
        }
        match known {
            // Nothing else explains the sign: transactions were numbered again.
            Some(known) if known == found && self.is_doubted => Verdict::Lost,
            Some(known) if known != found && self.unknown_to_others => Verdict::Lost,
            // Another node has recorded it, and raised the fence if it had to.
            Some(_) | None => Verdict::Same,
        }
    }
}

impl PostgresStore {
    /// Refuses every assertion that may have been issued before now, and every token whose revocation
    /// may be gone: where the operator knows that claims were lost, as after a restore. Answers the
    /// fence, when every live node has heard of it, or after two seconds.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn raise_fence(&self) -> Result<UnixTime, StoreError> {
        let fence = &self.0.source().fence;
        let session = self.0.connections().lend().await?;
        let raised = fence.raise_all(&session).await;
        let (raised, transaction) = raised.map_err(Failure::of_commit)?;
        session.give_back();
        self.0.wait_until_heeded(Some(transaction)).await;
        Ok(raised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(system: &str, timeline: &str) -> Server {
        Server {
            system: system.to_owned(),
            timeline: timeline.to_owned(),
        }
    }

    #[tokio::test]
    async fn a_promotion_is_a_sign_of_loss_until_it_was_looked_into() {
        let promoted = |timeline: &str| History::Promoted(timeline.to_owned());
        for (seen, is_sign) in [
            (History::Same, false),
            (promoted("2"), false),
            (promoted("3"), true),
            (History::Another, true),
        ] {
            let fence = Fence::new(Durability::Replicated, &Options::new("master.key"));
            *fence.known.lock().await = Some(server("1", "2"));
            fence.heed(&seen).await;
            assert_eq!(fence.is_doubted(), is_sign, "{seen:?}");
        }
    }

    #[test]
    fn s066_the_fence_is_raised_where_claims_may_be_lost() {
        let (one, promoted, other) = (server("1", "1"), server("1", "2"), server("2", "1"));
        let (no, local, doubted, alone) = (
            Loses {
                by_promotion: false,
                unknown_to_others: false,
                is_doubted: false,
            },
            Loses {
                by_promotion: true,
                unknown_to_others: false,
                is_doubted: false,
            },
            Loses {
                by_promotion: false,
                unknown_to_others: false,
                is_doubted: true,
            },
            Loses {
                by_promotion: true,
                unknown_to_others: true,
                is_doubted: true,
            },
        );
        let rows = [
            // A new database, and the same one again.
            (no, &one, None, None, Verdict::GoesOn),
            (local, &one, Some(&one), None, Verdict::Same),
            (local, &one, Some(&one), Some(&one), Verdict::Same),
            // Another database, or one whose table was emptied.
            (no, &other, Some(&one), None, Verdict::Lost),
            (no, &one, None, Some(&one), Verdict::Lost),
            // A promotion.
            (local, &promoted, Some(&one), None, Verdict::Lost),
            (no, &promoted, Some(&one), None, Verdict::GoesOn),
            (doubted, &promoted, Some(&one), Some(&one), Verdict::GoesOn),
            (no, &promoted, Some(&one), Some(&promoted), Verdict::Lost),
            // Another node has recorded it.
            (
                doubted,
                &promoted,
                Some(&promoted),
                Some(&one),
                Verdict::Same,
            ),
            (alone, &promoted, Some(&promoted), Some(&one), Verdict::Lost),
            // The horizon went back, and the history is the same.
            (doubted, &one, Some(&one), Some(&one), Verdict::Lost),
        ];
        for (number, (loses, found, recorded, known, verdict)) in rows.into_iter().enumerate() {
            assert_eq!(loses.verdict(found, recorded, known), verdict, "{number}");
        }
    }
}
