//! A database that is moved to another engine. No other process has it open meanwhile, and it says
//! of itself what became of it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use grantor::{clock::UnixTime, storage::ReplayKey};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use super::{
    OpenError, Options, SqliteStore,
    backup::{Revocations, raise_fences},
    claim_rows,
    open::{self, sqlite},
    seen::{Numbers, numbers_of},
};
use crate::transfer::{Row, Table};

/// The name of the mark of a move that has begun, which holds a [`Begun`].
const MOVING: &str = "moving";
/// The name of the mark of a move that is done, which holds where to.
const MOVED_TO: &str = "moved_to";
/// How long a command that is about to end is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon the database is asked for again.
const PAUSE: Duration = Duration::from_millis(50);

/// A move that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// What tells it from others: no space is in it.
    pub(crate) id: String,
    /// Where to, as the configuration says it.
    pub(crate) to: String,
}

/// Why a database is not moved.
#[derive(Debug)]
pub(crate) enum Kept {
    Open(OpenError),
    /// Another process has it open.
    InUse(PathBuf),
}

impl From<OpenError> for Kept {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// Refuses a database that is being moved, or was: what was committed elsewhere since is not known
/// here.
pub(super) fn check(path: &Path) -> Result<(), OpenError> {
    let failed = sqlite(path);
    let connection = open::connect_to_read(path).map_err(&failed)?;
    if !connection.table_exists(None, "meta").map_err(&failed)? {
        return Ok(());
    }
    let path = path.to_owned();
    if let Some(to) = mark(&connection, MOVED_TO).map_err(&failed)? {
        return Err(OpenError::Moved { path, to });
    }
    match begun(&connection).map_err(&failed)? {
        Some(Begun { to, .. }) => Err(OpenError::Moving { path, to }),
        None => Ok(()),
    }
}

fn begun(connection: &Connection) -> rusqlite::Result<Option<Begun>> {
    let mark = mark(connection, MOVING)?;
    Ok(mark.map(|mark| {
        let (id, to) = mark.split_once(' ').unwrap_or((&mark, ""));
        Begun {
            id: id.to_owned(),
            to: to.to_owned(),
        }
    }))
}

/// Writes a mark.
const PUT: &str = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, CAST(?2 AS BLOB))";

fn mark(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let query = "SELECT CAST(value AS TEXT) FROM meta WHERE name = ?1";
    connection
        .query_row(query, [name], |row| row.get(0))
        .optional()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process that ends with a database tells nobody"
)]
async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// The database, which no other process opens until this is let go.
pub(crate) struct Leaving {
    path: PathBuf,
    connection: Mutex<Connection>,
    _lock: fs::File,
}

impl Leaving {
    /// Brings the database to this program's schema, as a start does, and takes it for itself.
    pub(crate) async fn begin(directory: &Path, options: &Options) -> Result<Self, Kept> {
        drop(SqliteStore::open_though_moved(directory, options)?);
        let path = directory.join("grantor.db");
        let lock = open::lock(directory)?;
        let mut waited = Duration::ZERO;
        loop {
            match take(&path) {
                Ok(connection) => {
                    return Ok(Self {
                        path,
                        connection: Mutex::new(connection),
                        _lock: lock,
                    });
                }
                Err(error) if !is_busy(&error) => return Err(sqlite(&path)(error).into()),
                Err(_) if waited >= PATIENCE => return Err(Kept::InUse(path)),
                Err(_) => pause().await,
            }
            waited += PAUSE;
        }
    }

    /// Runs a statement, and says of an error which file it is about.
    fn with<T>(
        &self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, OpenError> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        run(&connection).map_err(sqlite(&self.path))
    }

    /// Where it was moved to, if it was.
    pub(crate) fn moved_to(&self) -> Result<Option<String>, OpenError> {
        self.with(|connection| mark(connection, MOVED_TO))
    }

    /// The move that has begun, if one has.
    pub(crate) fn begun(&self) -> Result<Option<Begun>, OpenError> {
        self.with(begun)
    }

    /// Marks the database as one that is being moved.
    pub(crate) fn begins(&self, Begun { id, to }: &Begun) -> Result<(), OpenError> {
        self.with(|connection| {
            connection
                .execute(PUT, [MOVING, &format!("{id} {to}")])
                .map(drop)
        })
    }

    /// Marks the database as moved.
    pub(crate) fn ends(&self, to: &str) -> Result<(), OpenError> {
        self.with(|connection| {
            let transaction = connection.unchecked_transaction()?;
            transaction.execute(PUT, [MOVED_TO, to])?;
            transaction.execute("DELETE FROM meta WHERE name = ?1", [MOVING])?;
            transaction.commit()
        })
    }

    /// Takes back that it is being moved: nothing was committed elsewhere.
    pub(crate) fn stays(&self) -> Result<(), OpenError> {
        let delete = "DELETE FROM meta WHERE name = ?1";
        self.with(|connection| connection.execute(delete, [MOVING]).map(drop))
    }

    /// Takes back that it is being moved, where servers may have worked on what was moved: what was
    /// used or revoked there is not known here. Answers where the fence is.
    pub(crate) fn abandon(&self, options: &Options) -> Result<UnixTime, OpenError> {
        let now = options.clock.now();
        self.with(|connection| {
            let transaction = connection.unchecked_transaction()?;
            // Which numbers were given there is not known either.
            let fence = raise_fences(
                &transaction,
                &Numbers::new(),
                Revocations::Unknown,
                now,
                options.leeway,
            )?;
            transaction.execute("DELETE FROM meta WHERE name = ?1", [MOVING])?;
            transaction.commit()?;
            Ok(fence)
        })
    }

    /// The next rows behind a row, at most so many.
    pub(crate) fn rows(
        &self,
        table: &Table,
        behind: Option<&Row>,
        most: usize,
    ) -> Result<Vec<Row>, OpenError> {
        let names: Vec<_> = table.columns.iter().map(|column| column.from).collect();
        let key = names[..table.key].join(", ");
        let marks = vec!["?"; table.key].join(", ");
        let further = match behind {
            Some(_) => format!("AND ({key}) > ({marks})"),
            None => String::new(),
        };
        let select = format!(
            "SELECT {} FROM {} WHERE {} {further} ORDER BY {key} LIMIT {most}",
            names.join(", "),
            table.from,
            table.only,
        );
        self.with(|connection| {
            let mut statement = connection.prepare_cached(&select)?;
            let key = behind.map_or(&[][..], |row| &row[..table.key]);
            let rows = statement.query_map(rusqlite::params_from_iter(key), |row| {
                (0..names.len()).map(|column| row.get(column)).collect()
            })?;
            rows.collect()
        })
    }

    /// When each claim ends. Those that have ended are among them: whether they have, no single clock
    /// decides.
    pub(crate) fn claims<K: Ord>(
        &self,
        short: impl Fn(ReplayKey) -> K,
    ) -> Result<BTreeMap<K, UnixTime>, OpenError> {
        let mut ends = BTreeMap::new();
        self.with(|connection| {
            claim_rows::read_after(connection, i64::MIN, |key, until| {
                let end = ends.entry(short(key)).or_insert(until);
                *end = until.max(*end);
            })
        })?;
        Ok(ends)
    }

    /// The last number that a table has given.
    pub(crate) fn last_number(&self, table: &str) -> Result<i64, OpenError> {
        let numbers = self.with(numbers_of)?;
        Ok(numbers.get(table).copied().unwrap_or_default())
    }
}

/// A connection beside which there is no other, of any process.
fn take(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
    Ok(connection)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}
