//! How far the database of this directory had come, in a file beside it: a copy put in its place by
//! hand is noticed, because it has not come as far, and no number is given again.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use grantor::file;
use rusqlite::Connection;

/// The last number of each table that gives numbers, as `sqlite_sequence` has it. They only grow.
pub(super) type Numbers = BTreeMap<String, i64>;

/// The file, and what this process knows beyond it.
pub(super) struct Seen {
    path: PathBuf,
    highest: Mutex<Numbers>,
    /// How often the database was found to be an earlier one.
    went_back: AtomicU64,
}

impl Seen {
    /// What was written down in this directory. A file that cannot be read says nothing.
    pub(super) fn in_directory(directory: &Path) -> Self {
        let path = directory.join("seen");
        let highest = file::read_text(&path, LONGEST)
            .map(|text| parse(&text))
            .unwrap_or_default();
        Self {
            path,
            highest: Mutex::new(highest),
            went_back: AtomicU64::new(0),
        }
    }

    /// The database is an earlier one now: the writer notes it before it decides anything else.
    pub(super) fn went_back(&self) {
        self.went_back.fetch_add(1, Ordering::AcqRel);
    }

    /// How often it did since the start.
    pub(super) fn times_back(&self) -> u64 {
        self.went_back.load(Ordering::Acquire)
    }

    /// The highest numbers that are known to have been given.
    pub(super) fn numbers(&self) -> Numbers {
        self.highest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the database has not come as far as it once had. What it has now, if more, is
    /// written down; a note that cannot be written is worth a line in the log, no more.
    pub(super) fn is_ahead_of(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let now = numbers_of(connection)?;
        let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_ahead = WATCHED
            .iter()
            .any(|table| now.get(*table) < highest.get(*table));
        let mut higher = highest.clone();
        for (table, number) in now {
            let known = higher.entry(table).or_default();
            *known = number.max(*known);
        }
        if higher != *highest || !self.path.exists() {
            match self.write(&higher) {
                Ok(()) => *highest = higher,
                Err(error) => {
                    tracing::warn!(path = %self.path.display(), %error, "it could not be written down how far the database has come");
                }
            }
        }
        Ok(is_ahead)
    }

    /// Whole or not at all: a disk that is full must not cost what was known.
    fn write(&self, numbers: &Numbers) -> io::Result<()> {
        let text: String = numbers
            .iter()
            .map(|(table, number)| format!("{table} {number}\n"))
            .collect();
        // Another process may write at the same time.
        let part = format!("part-{}", std::process::id());
        let part = self.path.with_extension(part);
        fs::write(&part, text)?;
        fs::rename(&part, &self.path)
    }
}

/// Octets read of the file, which has a short line for each table.
const LONGEST: u64 = 4096;
/// The tables by which a database that went back is told: their rows are not seen in any other way.
const WATCHED: [&str; 2] = ["change", "replay"];

fn parse(text: &str) -> Numbers {
    let number = |line: &str| {
        let (table, number) = line.split_once(' ')?;
        Some((table.to_owned(), number.parse().ok()?))
    };
    text.lines().filter_map(number).collect()
}

/// The last numbers that a database has given.
pub(super) fn numbers_of(connection: &Connection) -> rusqlite::Result<Numbers> {
    let mut statement = connection.prepare_cached("SELECT name, seq FROM sqlite_sequence")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// No number is given again.
pub(super) fn go_on_from(connection: &Connection, given: &Numbers) -> rusqlite::Result<()> {
    for (table, number) in given {
        let raise = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
        if connection.execute(raise, (table, number))? == 0 {
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                (table, number),
            )?;
        }
    }
    Ok(())
}
