//! How far the database of this directory had come, in a file beside it: a copy put in its place by hand is noticed at the next start,
//! because it has not come as far.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use grantor::file;
use rusqlite::Connection;

/// Octets read of the file, of which two numbers have 40.
const LONGEST: u64 = 64;

/// The file.
pub(super) struct Seen {
    path: PathBuf,
    written: Mutex<Option<Progress>>,
}

/// The last numbers of the tables that only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    change: i64,
    replay: i64,
}

impl Progress {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let query = "SELECT coalesce(max(seq) FILTER (WHERE name = 'change'), 0), coalesce(max(seq) FILTER (WHERE name = 'replay'), 0) \
                     FROM sqlite_sequence";
        connection.prepare_cached(query)?.query_row([], |row| Ok(Self { change: row.get(0)?, replay: row.get(1)? }))
    }

    fn parse(text: &str) -> Option<Self> {
        let (change, replay) = text.trim_end().split_once(' ')?;
        Some(Self { change: change.parse().ok()?, replay: replay.parse().ok()? })
    }

    fn is_behind(self, other: Self) -> bool {
        self.change < other.change || self.replay < other.replay
    }
}

impl Seen {
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self { path: directory.join("seen"), written: Mutex::default() }
    }

    /// Whether the database has not come as far as it once had.
    pub(super) fn is_ahead_of(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let before = file::read_text(&self.path, LONGEST).ok().and_then(|text| Progress::parse(&text));
        Ok(before.is_some_and(|before| Progress::of(connection).is_ok_and(|now| now.is_behind(before))))
    }

    /// Writes down how far the database has come. A note that cannot be written is worth a line in the log, no more.
    pub(super) fn note(&self, connection: &Connection) {
        let noted = Progress::of(connection).map_err(|error| error.to_string()).and_then(|now| self.write(now));
        if let Err(error) = noted {
            tracing::warn!(path = %self.path.display(), error, "it could not be written down how far the database has come");
        }
    }

    fn write(&self, now: Progress) -> Result<(), String> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written == Some(now) {
            return Ok(());
        }
        fs::write(&self.path, format!("{} {}\n", now.change, now.replay)).map_err(|error| error.to_string())?;
        *written = Some(now);
        Ok(())
    }

    /// Another database is in the directory.
    pub(super) fn forget(&self) {
        let _ = fs::remove_file(&self.path);
    }
}
