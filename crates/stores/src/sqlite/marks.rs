//! Times that the database keeps beside its rows (table `meta`), and that decide what its rows can
//! tell.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use grantor::{clock::UnixTime, storage::FamilyId};
use rusqlite::Connection;

/// The times in force, in milliseconds since 1970, read without a lock; 0 is none. All only grow
/// but `swept_to`, which a clock that is found to have been ahead sets back.
#[derive(Debug, Default)]
pub(super) struct Marks {
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
    /// As the database has them.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let marks = Self::default();
        marks.reload(connection)?;
        Ok(marks)
    }

    /// Takes over what others have written.
    pub(super) fn reload(&self, connection: &Connection) -> rusqlite::Result<()> {
        let query = "SELECT name, CAST(CAST(value AS TEXT) AS INTEGER) FROM meta \
                     WHERE name IN ('sealed_since', 'fence', 'token_fence', 'swept_to')";
        let mut statement = connection.prepare_cached(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let mark = match row.get_ref(0)?.as_str()? {
                "sealed_since" => &self.sealed_since,
                "fence" => &self.fence,
                "token_fence" => &self.token_fence,
                _ => &self.swept_to,
            };
            mark.fetch_max(row.get(1)?, Ordering::AcqRel);
        }
        Ok(())
    }

    pub(super) fn sealed_since(&self) -> UnixTime {
        UnixTime::from_millis(self.sealed_since.load(Ordering::Acquire))
    }

    /// `None` if no use was ever lost.
    pub(super) fn fence(&self) -> Option<UnixTime> {
        let fence = self.fence.load(Ordering::Acquire);
        (fence > 0).then_some(UnixTime::from_millis(fence))
    }

    /// Uses were lost before `now`: whatever an assertion of a sender whose clock is ahead by
    /// `leeway` says.
    pub(super) fn raise_fence(
        &self,
        connection: &Connection,
        now: UnixTime,
        leeway: Duration,
    ) -> rusqlite::Result<()> {
        raise(connection, &self.fence, "fence", now.plus(leeway))
    }

    /// Revocations were lost before `now`.
    pub(super) fn raise_token_fence(
        &self,
        connection: &Connection,
        now: UnixTime,
    ) -> rusqlite::Result<()> {
        raise(connection, &self.token_fence, "token_fence", now)
    }

    /// Whether the revocation of a token issued then may be gone.
    pub(super) fn may_have_been_revoked(&self, issued_at: UnixTime, now: UnixTime) -> bool {
        let swept_to = UnixTime::from_millis(self.swept_to.load(Ordering::Acquire));
        issued_at.millis() <= self.token_fence.load(Ordering::Acquire)
            || now.plus(FamilyId::KEPT_BEYOND_END) < swept_to
    }

    /// Whether a claim that ends then may have been removed, although the clock says that it is in
    /// force.
    pub(super) fn may_be_gone(&self, until: UnixTime) -> bool {
        until.millis() <= self.swept_to.load(Ordering::Acquire)
    }

    /// What ended before `now` is removed from memory.
    pub(super) fn forgets(&self, now: UnixTime) {
        self.swept_to.fetch_max(now.millis(), Ordering::AcqRel);
    }

    /// What ended before `now` is removed from the database.
    pub(super) fn removes(&self, connection: &Connection, now: UnixTime) -> rusqlite::Result<()> {
        raise(connection, &self.swept_to, "swept_to", now)
    }

    /// Finds out whether the clock is before what was removed by it: then it was ahead, and what it
    /// removed was used, or revoked, before now. From then on only what is issued later is
    /// decided.
    pub(super) fn check_clock(
        &self,
        connection: &Connection,
        now: UnixTime,
        leeway: Duration,
    ) -> rusqlite::Result<()> {
        let swept_to = UnixTime::from_millis(self.swept_to.load(Ordering::Acquire));
        if now >= swept_to {
            return Ok(());
        }
        tracing::warn!(%now, ahead = %swept_to, "the clock was ahead for a while: assertions issued before now are refused");
        self.raise_fence(connection, now, leeway)?;
        if now.plus(FamilyId::KEPT_BEYOND_END) < swept_to {
            self.raise_token_fence(connection, now)?;
        }
        write(connection, "swept_to", now.millis())?;
        self.swept_to.store(now.millis(), Ordering::Release);
        Ok(())
    }
}

fn raise(
    connection: &Connection,
    mark: &AtomicI64,
    name: &str,
    to: UnixTime,
) -> rusqlite::Result<()> {
    let value = mark
        .fetch_max(to.millis(), Ordering::AcqRel)
        .max(to.millis());
    write(connection, name, value)
}

/// As text, for whoever looks into the table.
pub(super) fn write(connection: &Connection, name: &str, millis: i64) -> rusqlite::Result<()> {
    let write = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection
        .prepare_cached(write)?
        .execute((name, millis.to_string().into_bytes()))
        .map(drop)
}
