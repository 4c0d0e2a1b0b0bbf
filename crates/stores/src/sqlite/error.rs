//! From SQLite's errors to the store's.

use std::{path::PathBuf, sync::Arc};

use grantor::storage::StoreError;
use rusqlite::{ErrorCode, Row};

use crate::{
    Exposure, MasterKeyError,
    form::{Unreadable, unreadable},
};

/// Why a database is not opened. Each text names the file and the remedy; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory or file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// There is none, and none was to be made.
    #[error(
        "no database in {0}; name the right directory with --data, or run `grantor serve` to make one"
    )]
    Absent(PathBuf),
    /// There is a master key, but the database that it opens is gone.
    #[error(
        "{path}: the database is missing or empty, but its master key {key} is there; bring it back with: grantor restore FILE, or, \
         to start anew, move the master key away"
    )]
    Lost {
        /// The database.
        path: PathBuf,
        /// The master key.
        key: PathBuf,
    },
    /// Others may put files into the directory.
    #[error(
        "{0}: others may write in this directory, and so replace the database; run: chmod 700 {0}, or name a directory in it with \
         --data"
    )]
    OpenDirectory(PathBuf),
    /// Others may read or write a file of the database.
    #[error("{path}: others may {exposure} this file; run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// What they may do.
        exposure: Exposure,
    },
    /// A file of something else.
    #[error("{0}: not a Grantor database; name another directory with --data")]
    Foreign(PathBuf),
    /// SQLite finds the file damaged.
    #[error(
        "{path}: the database is damaged ({detail}); restore it from a backup, nothing was changed"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// Written by a newer program.
    #[error(
        "{path}: the database has schema version {found}, this program knows {known}; run a newer grantor, nothing was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The master key is missing or unreadable.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The master key belongs to another database.
    #[error(
        "{0}: this master key does not open the database, which was made with another; name the right file with --master-key, or restore \
         it from a backup; nothing was changed"
    )]
    WrongMasterKey(PathBuf),
    /// SQLite refused.
    #[error("{path}: {error}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        error: rusqlite::Error,
    },
    /// It was moved to another database.
    #[error(
        "{path}: this database was moved to PostgreSQL; set {to} in the section [database] of the configuration, or name another directory \
         with --data"
    )]
    Moved {
        /// The file.
        path: PathBuf,
        /// Where to, as the configuration says it.
        to: String,
    },
    /// A move has begun, and did not end.
    #[error(
        "{path}: a move of this database has begun and did not end; run `grantor move` again with {to}, or give it up: grantor move --abandon"
    )]
    Moving {
        /// The file.
        path: PathBuf,
        /// Where to, as the configuration says it.
        to: String,
    },
    /// The content cannot be read.
    #[error("{path}: {error}{}", because(error))]
    Content {
        /// The file.
        path: PathBuf,
        /// What could not be read.
        error: StoreError,
    },
}

/// What is behind an error, for a text that stands alone.
fn because(error: &StoreError) -> String {
    std::error::Error::source(error)
        .map(|source| format!(": {source}"))
        .unwrap_or_default()
}

/// An error of this module on its way to a [`StoreError`]: `?` on SQLite calls works without words.
pub(super) enum Failure {
    Store(StoreError),
    Sqlite(rusqlite::Error),
    Unreadable(Unreadable),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error,
            Failure::Sqlite(error) => failed(error),
            Failure::Unreadable(unreadable) => unreadable.into(),
        }
    }
}

/// Busy, full and unreachable may pass; everything else is a failure.
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    let passing = [
        ErrorCode::DatabaseBusy,
        ErrorCode::DatabaseLocked,
        ErrorCode::DiskFull,
        ErrorCode::CannotOpen,
    ];
    match error.sqlite_error_code() {
        Some(code) if passing.contains(&code) => StoreError::Unavailable(Box::new(error)),
        _ => StoreError::Failed(Box::new(error)),
    }
}

/// As [`failed`], for a commit that many jobs shared. Where the disk failed, it may hold the commit
/// all the same, and bring it back at the next start.
pub(super) fn commit_failed(error: &Arc<rusqlite::Error>) -> StoreError {
    let was_rolled_back = [
        ErrorCode::CannotOpen,
        ErrorCode::ConstraintViolation,
        ErrorCode::DatabaseBusy,
        ErrorCode::DatabaseLocked,
        ErrorCode::DiskFull,
        ErrorCode::ReadOnly,
        // No transaction is open: SQLite has rolled back by itself before.
        ErrorCode::Unknown,
    ];
    let cause = Box::new(error.clone());
    match error.sqlite_error_code() {
        Some(code) if was_rolled_back.contains(&code) => StoreError::Unavailable(cause),
        _ => StoreError::Unknown(cause),
    }
}

/// The text in a column.
pub(super) fn text<'r>(
    row: &'r Row<'_>,
    column: usize,
    what: &'static str,
) -> Result<&'r str, Failure> {
    let text = row.get_ref(column)?.as_str();
    Ok(text.map_err(|error| unreadable(what, error))?)
}

/// A unique or foreign key constraint that did not hold.
pub(super) fn on_constraint(
    result: rusqlite::Result<usize>,
    error: StoreError,
) -> Result<usize, Failure> {
    result.map_err(|failure| match failure.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Failure::Store(error),
        _ => Failure::Sqlite(failure),
    })
}

/// A change that touched no row touched a resource that does not exist.
pub(super) fn expect_row(changed: usize, resource: &'static str) -> Result<(), Failure> {
    if changed == 0 {
        Err(StoreError::Missing(resource).into())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn whether_a_failed_commit_was_made_is_known_but_where_the_disk_failed() {
        let failure = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            commit_failed(&Arc::new(error))
        };
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_ERROR] {
            let error = failure(code);
            assert!(matches!(error, StoreError::Unavailable(_)), "{code}");
        }
        for code in [
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_CORRUPT,
        ] {
            let error = failure(code);
            assert!(matches!(error, StoreError::Unknown(_)), "{code}");
            assert!(
                error
                    .to_string()
                    .contains("may have been done: look, then repeat")
            );
        }
    }
}
