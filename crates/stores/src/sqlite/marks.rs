//! Times that the database keeps beside its rows (table `meta`), and that decide what its rows can tell.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use grantor::clock::UnixTime;
use rusqlite::{Connection, OptionalExtension as _};

/// The times in force, read without a lock. Each only grows.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// When tokens began to tell their origin.
    sealed_since: AtomicI64,
    /// Uses of assertions issued up to then may have been lost.
    fence: AtomicI64,
    /// What ended up to then may have been removed.
    swept_to: AtomicI64,
}

/// Their names in the table.
const SEALED_SINCE: &str = "sealed_since";
const FENCE: &str = "fence";
const SWEPT_TO: &str = "swept_to";

impl Marks {
    /// As the database has them.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let marks = Self::default();
        marks.reload(connection)?;
        Ok(marks)
    }

    /// Takes over what others have written.
    pub(super) fn reload(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (mark, name) in [(&self.sealed_since, SEALED_SINCE), (&self.fence, FENCE), (&self.swept_to, SWEPT_TO)] {
            mark.fetch_max(read(connection, name)?, Ordering::AcqRel);
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

    /// Uses were lost before `now`: whatever an assertion of a sender whose clock is ahead by `leeway` says.
    pub(super) fn raise_fence(&self, connection: &Connection, now: UnixTime, leeway: Duration) -> rusqlite::Result<()> {
        raise(connection, &self.fence, FENCE, now.plus(leeway))
    }

    /// Whether a row that ends then may have been removed, although the clock says that it is in force.
    pub(super) fn may_be_gone(&self, until: UnixTime) -> bool {
        until.millis() <= self.swept_to.load(Ordering::Acquire)
    }

    /// What ended before `now` is removed from memory.
    pub(super) fn forgets(&self, now: UnixTime) {
        self.swept_to.fetch_max(now.millis(), Ordering::AcqRel);
    }

    /// What ended before `now` is removed from the database.
    pub(super) fn removes(&self, connection: &Connection, now: UnixTime) -> rusqlite::Result<()> {
        raise(connection, &self.swept_to, SWEPT_TO, now)
    }
}

fn raise(connection: &Connection, mark: &AtomicI64, name: &str, to: UnixTime) -> rusqlite::Result<()> {
    let value = mark.fetch_max(to.millis(), Ordering::AcqRel).max(to.millis());
    write(connection, name, value)
}

/// Milliseconds since 1970; 0 where there is nothing.
fn read(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached("SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?.unwrap_or_default())
}

fn write(connection: &Connection, name: &str, millis: i64) -> rusqlite::Result<()> {
    let write = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(write)?.execute((name, millis.to_string().into_bytes())).map(drop)
}
