//! Opening a database: a look before anything is touched, then migrations, then the threads.

use std::{
    fs,
    io::Read as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock, SystemClock},
    jose::Algorithm,
    storage::StoreError,
};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior};
use rusqlite_migration::{M, Migrations};

use super::{
    Inner, LastCheck, Lists, OpenError, Readers, SqliteStore, Writer, access,
    block_on::block_on,
    change::Position,
    error::failed,
    leaving,
    marks::Marks,
    seen::{Seen, go_on_from},
    signing_key,
    source::{Source, add_names},
};
use crate::{
    ChangeRetention, Create, MasterKey, Retention, Upkeep,
    cached::{Cached, KnownNames},
    quota::Quota,
};

/// "GRNT": marks the file as ours.
pub(super) const APPLICATION_ID: i64 = 0x4752_4e54;
/// One entry per schema version, never changed once released.
pub(super) const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("../../migrations/sqlite/0001_initial.sql")),
    M::up(include_str!("../../migrations/sqlite/0002_revocation.sql")),
    M::up(include_str!("../../migrations/sqlite/0003_decision.sql")),
    M::up(include_str!("../../migrations/sqlite/0004_signs_from.sql")),
    M::up(include_str!(
        "../../migrations/sqlite/0005_part_triggers.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0006_claims_in_order.sql"
    )),
    M::up(include_str!("../../migrations/sqlite/0007_key_expiry.sql")),
    M::up(include_str!(
        "../../migrations/sqlite/0008_claims_without_index.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0009_claims_of_a_commit.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0010_keys_in_the_row.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0011_clients_by_number.sql"
    )),
    M::up(include_str!("../../migrations/sqlite/0012_numbers.sql")),
    M::up(include_str!("../../migrations/sqlite/0013_artifact.sql")),
    M::up(include_str!(
        "../../migrations/sqlite/0014_change_records.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0015_artifact_groups.sql"
    )),
    M::up(include_str!("../../migrations/sqlite/0016_scope_text.sql")),
    M::up(include_str!("../../migrations/sqlite/0017_password.sql")),
    M::up(include_str!(
        "../../migrations/sqlite/0018_permission_origin.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0019_permission_use.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0020_issuer_trust.sql"
    )),
    M::up(include_str!("../../migrations/sqlite/0021_operator.sql")),
    M::up(include_str!("../../migrations/sqlite/0022_search.sql")),
    M::up(include_str!("../../migrations/sqlite/0023_statistic.sql")),
    M::up(include_str!("../../migrations/sqlite/0024_passkey.sql")),
    M::up(include_str!(
        "../../migrations/sqlite/0025_signing_key_records.sql"
    )),
    M::up(include_str!(
        "../../migrations/sqlite/0026_subject_name.sql"
    )),
    M::up(include_str!("../../migrations/sqlite/0027_key_ends.sql")),
    M::up(include_str!(
        "../../migrations/sqlite/0028_trust_outcomes.sql"
    )),
];
/// How often a running process looks for changes by others.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a thread of its own moves what was committed from the write-ahead log into the
/// database file.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// Pages in the log from which on the writer does it, while requests wait: it starts the log anew,
/// and finds little left to move.
const LOG_PAGES: i32 = 4000;
/// Pages that cannot be moved out of the log, 64 MiB, from which on somebody is told.
const HELD_UP: i64 = 16_384;
/// How often.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);
/// Memory for pages that are written again and again: negative, for SQLite to read it as KiB.
const CACHE_KIB: i32 = -8192;
/// Larger files are not checked page by page at each start.
const CHECKED_BYTES: u64 = 64 * 1024 * 1024;

/// What may be chosen when a database is opened.
#[derive(Clone)]
pub struct Options {
    /// Whether a database is made where there is none.
    pub create: Create,
    /// The file of the master key, which all nodes are given: one that is named has to be there. Else
    /// it is `master.key` beside the database, made with it.
    pub master_key: Option<PathBuf>,
    /// The algorithm of the first signing key, made with a new database.
    pub signing_algorithm: Algorithm,
    /// How many decisions are kept, and for how long.
    pub retention: Retention,
    /// How many records of changes are kept, and for how long.
    pub changes: ChangeRetention,
    /// Who removes what has ended.
    pub upkeep: Upkeep,
    /// How far ahead of this clock a sender's may be: 30 s.
    pub leeway: Duration,
    /// Who tells the time.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    /// A database is made if there is none, its master key beside it; ES256, the default retention,
    /// the operating system's clock.
    fn default() -> Self {
        Self {
            create: Create::default(),
            master_key: None,
            signing_algorithm: Algorithm::Es256,
            retention: Retention::default(),
            changes: ChangeRetention::default(),
            upkeep: Upkeep::default(),
            leeway: Duration::from_secs(30),
            clock: Arc::new(SystemClock),
        }
    }
}

impl SqliteStore {
    /// Opens `grantor.db` in `directory` with its master key, and creates what does not exist yet
    /// unless told not to, readable by its owner alone. A new database gets a signing key.
    ///
    /// # Errors
    /// [`OpenError`]; a database that is damaged, foreign or newer is left as it is.
    pub fn open(directory: &Path, options: &Options) -> Result<Self, OpenError> {
        Self::open_if(directory, options, leaving::check)
    }

    /// As [`SqliteStore::open`], where a move has begun, or ended.
    pub(super) fn open_though_moved(
        directory: &Path,
        options: &Options,
    ) -> Result<Self, OpenError> {
        Self::open_if(directory, options, |_| Ok(()))
    }

    /// Opens it if a look at the database that is there says nothing against it.
    fn open_if(
        directory: &Path,
        options: &Options,
        check: impl FnOnce(&Path) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let path = directory.join("grantor.db");
        let io = |error| OpenError::Io {
            path: directory.to_owned(),
            error,
        };
        if options.create == Create::Never && !path.try_exists().map_err(io)? {
            let key = master_key_path(directory, options);
            // A mistyped directory has no key either.
            let is_lost = options.master_key.is_none() && key.exists();
            return Err(if is_lost {
                OpenError::Lost { path, key }
            } else {
                OpenError::Absent(directory.to_owned())
            });
        }
        // Two processes that start at once must not both create.
        let lock = lock(directory)?;
        let is_new = inspect(&path)?;
        access::check_files(directory)?;
        if is_new && options.create == Create::Never {
            return Err(OpenError::Absent(directory.to_owned()));
        }
        let key_path = master_key_path(directory, options);
        let master_key = match is_new {
            false => master_key(directory, options)?,
            // A key that all nodes are given is there before the first database.
            true if options.master_key.is_some() => MasterKey::read_given(&key_path)?,
            true if !key_path.exists() => MasterKey::prepare(&key_path)?,
            true => {
                return Err(OpenError::Lost {
                    path,
                    key: key_path,
                });
            }
        };
        let wrong_key = || OpenError::WrongMasterKey(key_path.clone());
        if !is_new {
            check(&path)?;
        }
        if !is_new && is_of_another(&path, &master_key).map_err(sqlite(&path))? {
            return Err(wrong_key());
        }
        private_file(&path).map_err(io)?;
        let mut connection = connect_to_write(&path).map_err(sqlite(&path))?;
        migrate(&mut connection, &path)?;
        check_master_key(&connection, &master_key)
            .map_err(sqlite(&path))?
            .ok_or_else(wrong_key)?;
        // The database that it opens is there.
        MasterKey::keep(&key_path)?;
        let store = start(directory, path, connection, master_key, options);
        drop(lock);
        store
    }
}

/// Makes the directory if there is none, and keeps other processes from opening, making or
/// restoring a database in it.
pub(super) fn lock(directory: &Path) -> Result<fs::File, OpenError> {
    let io = |error| OpenError::Io {
        path: directory.to_owned(),
        error,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(io)?;
    access::check_directory(directory)?;
    let lock = private_file(&directory.join("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    Ok(lock)
}

/// Where the master key is.
pub(crate) fn master_key_path(directory: &Path, options: &Options) -> PathBuf {
    options
        .master_key
        .clone()
        .unwrap_or_else(|| directory.join("master.key"))
}

/// The master key of a database that is there.
pub(super) fn master_key(directory: &Path, options: &Options) -> Result<MasterKey, OpenError> {
    let path = master_key_path(directory, options);
    Ok(MasterKey::read_or_unfinished(&path)?)
}

fn start(
    directory: &Path,
    path: PathBuf,
    mut connection: Connection,
    master_key: MasterKey,
    options: &Options,
) -> Result<SqliteStore, OpenError> {
    let clock = options.clock.clone();
    let content = |error| OpenError::Content {
        path: path.clone(),
        error,
    };
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sqlite(&path))?;
    signing_key::ensure(
        &transaction,
        &master_key,
        options.signing_algorithm,
        clock.now(),
    )
    .map_err(content)?;
    let seen = Seen::in_directory(directory);
    look_back(&transaction, &seen, options).map_err(sqlite(&path))?;
    transaction.commit().map_err(sqlite(&path))?;

    let checkpoints = connect_to_read(&path).map_err(sqlite(&path))?;
    let cached = hold(&path, master_key, seen, clock).map_err(content)?;
    let cached = Arc::new(cached);
    let writer = Writer::start(connection, options, cached.clone());
    let io = |error| OpenError::Io {
        path: path.clone(),
        error,
    };
    let writer = writer.map_err(io)?;
    let inner = Arc::new(Inner {
        writer,
        cached,
        quota: Quota::default(),
        lists: Lists::new(path.clone()),
        last_check: LastCheck::default(),
        checkpoints: Mutex::new(Checkpoints {
            connection: checkpoints,
            warned: None,
        }),
    });
    every(LOOK_EVERY, "sqlite-changes", &inner, look).map_err(io)?;
    every(CHECKPOINT_EVERY, "sqlite-checkpoint", &inner, checkpoint).map_err(io)?;
    Ok(SqliteStore(inner))
}

/// What the database has now, in memory.
pub(super) fn hold(
    path: &Path,
    master_key: MasterKey,
    seen: Seen,
    clock: Arc<dyn Clock>,
) -> Result<Cached<Source>, StoreError> {
    let changes = connect_to_read(path).map_err(failed)?;
    // First how far the log goes: what is added meanwhile is read twice.
    let position = Position::newest(&changes).map_err(failed)?;
    let marks = Arc::new(Marks::load(&changes).map_err(failed)?);
    let names = KnownNames::default();
    add_names(&changes, &names).map_err(failed)?;
    let moment = signing_key::read_moment(&changes, &master_key, clock.now())?;
    let source = Source {
        readers: Readers::new(path.to_owned()),
        master_key,
        marks,
        seen,
        changes: Mutex::new(changes),
    };
    Ok(Cached::new(source, clock, position, names, moment))
}

/// Repeats something on a thread of its own for as long as the store is in use, first after a
/// pause: a store that is used for a moment, as by a command, is closed when its user lets go of
/// it.
#[expect(
    clippy::disallowed_methods,
    reason = "what other processes write tells nobody"
)]
fn every(pause: Duration, name: &str, inner: &Arc<Inner>, work: fn(&Inner)) -> std::io::Result<()> {
    let inner = Arc::downgrade(inner);
    let repeat = move || {
        loop {
            thread::sleep(pause);
            match inner.upgrade() {
                // A panic, which the panic hook tells of, must not be the last look.
                Some(inner) => drop(catch_unwind(AssertUnwindSafe(|| work(&inner)))),
                None => return,
            }
        }
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(repeat)
        .map(drop)
}

/// Looks for changes by other processes, and whether the database is an earlier one now.
fn look(inner: &Inner) {
    if let Err(error) = block_on(inner.cached.look()).and_then(|()| look_for_the_past(inner)) {
        tracing::error!(%error, "changes to the registry cannot be read");
    }
}

/// The change log does not tell of it where nothing was registered since the backup.
fn look_for_the_past(inner: &Inner) -> Result<(), StoreError> {
    let is_ahead = {
        // Not the connection of the change log: a request may wait for that.
        let checkpoints = inner
            .checkpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Another process may have found out before.
        inner
            .source()
            .marks
            .reload(&checkpoints.connection)
            .map_err(failed)?;
        inner
            .source()
            .seen
            .is_ahead_of(&checkpoints.connection)
            .map_err(failed)?
    };
    if is_ahead {
        inner.source().seen.went_back();
    }
    Ok(())
}

/// The connection that moves the write-ahead log, and when it was last said that somebody keeps it
/// from doing so.
pub(super) struct Checkpoints {
    connection: Connection,
    warned: Option<Instant>,
}

/// What a start finds out about the past: a database that is an earlier one than was here before,
/// and a clock that was ahead.
fn look_back(transaction: &Connection, seen: &Seen, options: &Options) -> rusqlite::Result<()> {
    let (now, marks) = (options.clock.now(), Marks::load(transaction)?);
    if seen.is_ahead_of(transaction)? {
        tracing::warn!(
            "the database is an earlier one than was here before: assertions and tokens issued before now are refused"
        );
        marks.raise_fence(transaction, now, options.leeway)?;
        marks.raise_token_fence(transaction, now)?;
        go_on_from(transaction, &seen.numbers())?;
    }
    match options.upkeep {
        Upkeep::Here => marks.check_clock(transaction, now, options.leeway),
        Upkeep::ByOthers => Ok(()),
    }
}

impl Drop for Inner {
    /// A store that is used for a moment has no thread that does it.
    fn drop(&mut self) {
        // A database that cannot be read now was not changed by this store either.
        let _ = self.source().seen.is_ahead_of(
            &self
                .checkpoints
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .connection,
        );
    }
}

/// Moves what was committed into the database file, as far as nobody has to wait for it.
fn checkpoint(inner: &Inner) {
    let mut checkpoints = inner
        .checkpoints
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let moved = checkpoints
        .connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            // Pages in the log, and of them those that were moved.
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
    match moved {
        Ok((pages, done)) if pages - done > HELD_UP => {
            if checkpoints
                .warned
                .is_none_or(|at| at.elapsed() >= WARN_EVERY)
            {
                tracing::warn!(
                    pages,
                    "the write-ahead log grows: another process keeps a read transaction open; end it"
                );
                checkpoints.warned = Some(Instant::now());
            }
        }
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log cannot be moved into the database");
        }
    }
}

/// Looks at the file without changing it. Answers whether there is nothing yet.
pub(super) fn inspect(path: &Path) -> Result<bool, OpenError> {
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(true),
        Err(error) => {
            return Err(OpenError::Io {
                path: path.to_owned(),
                error,
            });
        }
    };
    if size == 0 && !path.with_extension("db-wal").exists() {
        return Ok(true);
    }
    check_magic(path, size)?;
    // A first start that was killed leaves a journal, and SQLite reads nothing before it has rolled
    // that back.
    let access = match path.with_extension("db-journal").exists() {
        true => OpenFlags::SQLITE_OPEN_READ_WRITE,
        false => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let look = || {
        let connection =
            Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        let number =
            |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let sound = match size {
            ..=CHECKED_BYTES => {
                connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0))?
            }
            _ => "ok".to_owned(),
        };
        Ok((number("application_id")?, number("user_version")?, sound))
    };
    let damaged = |detail: String| OpenError::Damaged {
        path: path.to_owned(),
        detail,
    };
    let unread = |error: rusqlite::Error| {
        if is_damage(&error) {
            damaged(error.to_string())
        } else {
            sqlite(path)(error)
        }
    };
    let (application, version, sound) = look().map_err(unread)?;
    let known = MIGRATIONS.len() as i64;
    match () {
        () if application == 0 && version == 0 && sound == "ok" && is_blank(path) => Ok(true),
        () if application != APPLICATION_ID => Err(OpenError::Foreign(path.to_owned())),
        () if version > known => Err(OpenError::Newer {
            path: path.to_owned(),
            found: version,
            known,
        }),
        () if sound != "ok" => Err(damaged(sound)),
        () => Ok(false),
    }
}

/// A disk that is full, or files that cannot be opened, are no reason to bring back a backup.
fn is_damage(error: &rusqlite::Error) -> bool {
    const SHORT_READ: i32 = 522;
    match error.sqlite_error() {
        Some(failure) => {
            matches!(
                failure.code,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase
            ) || failure.extended_code == SHORT_READ
        }
        // A value of another type than SQLite has there.
        None => true,
    }
}

/// A start that was killed before its first commit leaves a database without tables.
fn is_blank(path: &Path) -> bool {
    let count = |connection: Connection| {
        connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
                row.get::<_, i64>(0)
            })
            .is_ok_and(|count| count == 0)
    };
    connect_to_read(path).is_ok_and(count)
}

/// SQLite would take a short or foreign file for an empty database.
fn check_magic(path: &Path, size: u64) -> Result<(), OpenError> {
    let mut magic = [0; 16];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if &magic == b"SQLite format 3\0" => Ok(()),
        _ if size == 0 => Ok(()),
        _ => Err(OpenError::Foreign(path.to_owned())),
    }
}

/// The mark comes first: a start that is killed in between leaves a database that is known to be
/// ours. Foreign keys are not heeded meanwhile: a migration that replaces a table must not take
/// along what refers to its rows.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let prepare = || {
        let number =
            |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        if number("application_id")? != APPLICATION_ID {
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        connection.pragma_update(None, "foreign_keys", false)?;
        number("user_version")
    };
    let version = prepare().map_err(sqlite(path))?;
    if (1..MIGRATIONS.len() as i64).contains(&version) {
        tracing::info!(
            from = version,
            to = MIGRATIONS.len(),
            "the database is brought to this program's schema"
        );
    }
    Migrations::from_slice(MIGRATIONS)
        .to_latest(connection)
        .map_err(|error| OpenError::Damaged {
            path: path.to_owned(),
            detail: error.to_string(),
        })?;
    connection
        .pragma_update(None, "foreign_keys", true)
        .map_err(sqlite(path))
}

/// Whether the database has the proof of another master key, found out before it is opened to be
/// written.
fn is_of_another(path: &Path, master_key: &MasterKey) -> rusqlite::Result<bool> {
    let connection = connect_to_read(path)?;
    // One that an early version has just begun.
    let has_meta = connection.table_exists(None, "meta")?;
    let proof = if has_meta { proof(&connection)? } else { None };
    Ok(proof.is_some_and(|proof| !master_key.made(&proof)))
}

/// What the master key is tried on.
fn proof(connection: &Connection) -> rusqlite::Result<Option<Vec<u8>>> {
    let query = "SELECT value FROM meta WHERE name = 'master_key_proof'";
    connection.query_row(query, [], |row| row.get(0)).optional()
}

/// Proves that the master key is the one this database was made with, writing nothing if it is not;
/// a new database gets its proof.
pub(super) fn check_master_key(
    connection: &Connection,
    master_key: &MasterKey,
) -> rusqlite::Result<Option<()>> {
    if let Some(proof) = proof(connection)? {
        return Ok(master_key.made(&proof).then_some(()));
    }
    let insert = "INSERT INTO meta (name, value) VALUES ('master_key_proof', ?1)";
    connection
        .execute(insert, [master_key.proof()])
        .map(|_| Some(()))
}

/// Creates the file if there is none, for its owner alone: SQLite gives its own files the same
/// mode.
pub(super) fn private_file(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

pub(super) fn connect_to_write(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(connection)
}

pub(super) fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

pub(super) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> OpenError {
    move |error| OpenError::Sqlite {
        path: path.to_owned(),
        error,
    }
}
