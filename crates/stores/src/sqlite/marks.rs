//! Times that the database keeps beside its rows (table `meta`), and that decide what its rows can tell.

use std::sync::atomic::{AtomicI64, Ordering};

use grantor::clock::UnixTime;
use rusqlite::{Connection, OptionalExtension as _};

/// The times in force, read without a lock.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// When tokens began to tell their origin.
    sealed_since: AtomicI64,
}

impl Marks {
    /// As the database has them.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let marks = Self::default();
        marks.reload(connection)?;
        Ok(marks)
    }

    pub(super) fn reload(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.sealed_since.store(read(connection, "sealed_since")?, Ordering::Release);
        Ok(())
    }

    pub(super) fn sealed_since(&self) -> UnixTime {
        UnixTime::from_millis(self.sealed_since.load(Ordering::Acquire))
    }
}

/// Milliseconds since 1970; 0 where there is nothing.
fn read(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached("SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?.unwrap_or_default())
}
