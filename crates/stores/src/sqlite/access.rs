//! Whether others can read or change the database behind its back: it holds digests and sealed
//! secrets, and whoever writes into it decides who gets tokens.

use std::{fs, io, path::Path};

use super::OpenError;
use crate::Exposure;

/// The database, what SQLite keeps beside it, and the lock of a start.
const FILES: [&str; 5] = [
    "grantor.db",
    "grantor.db-wal",
    "grantor.db-shm",
    "grantor.db-journal",
    "lock",
];

/// Refuses a directory in which others may put files.
pub(super) fn check_directory(directory: &Path) -> Result<(), OpenError> {
    match exposure(directory)? {
        Some(Exposure::Writable) => Err(OpenError::OpenDirectory(directory.to_owned())),
        _ => Ok(()),
    }
}

/// Refuses files that others may read or write. What does not exist is made for the owner alone.
pub(super) fn check_files(directory: &Path) -> Result<(), OpenError> {
    FILES.iter().try_for_each(|name| {
        let path = directory.join(name);
        exposure(&path)?.map_or(Ok(()), |exposure| {
            Err(OpenError::Exposed { path, exposure })
        })
    })
}

fn exposure(path: &Path) -> Result<Option<Exposure>, OpenError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Exposure::of(&metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OpenError::Io {
            path: path.to_owned(),
            error,
        }),
    }
}
