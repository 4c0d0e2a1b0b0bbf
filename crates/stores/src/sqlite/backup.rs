//! Backups: a consistent copy while servers run, and bringing one back so that running servers
//! notice, nothing of the database before is applied to it, and no assertion is accepted a second
//! time because its use was lost.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use grantor::clock::UnixTime;
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};

use super::{
    OpenError, Options, SqliteStore, leaving,
    marks::Marks,
    open::{self, sqlite},
    seen::{Numbers, Seen, go_on_from, numbers_of},
    signing_key,
};
use crate::{MasterKey, master_key::sync_directory};

/// Octets of a page of our databases: SQLite's default.
const PAGE_SIZE: u32 = 4096;
/// How long a restore waits for a server that writes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon it tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file is there already, and might be the only backup.
    #[error("{0}: exists already and is never overwritten; name another file")]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// SQLite refused.
    #[error("{path}: {error}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        error: rusqlite::Error,
    },
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Assertions that were not certainly issued after this are refused from now on.
    pub fence: UnixTime,
    /// Whether the database of before told which tokens and signing keys had been revoked since
    /// the backup: they stay so. Where it could not be read, tokens issued before now are
    /// inactive, and a signing key that had leaked has to be revoked again.
    pub revocations: Revocations,
    /// Where the database of before is, if it was damaged.
    pub set_aside: Option<PathBuf>,
}

/// What became of the revocations since the backup. Complete: an operator is told of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocations {
    /// They stay in force.
    Kept,
    /// They are not known.
    Unknown,
}

impl SqliteStore {
    /// Writes a copy of the database as it is now to a file that must not exist yet, mode 0600,
    /// while servers go on. The master key is not in it. Blocks until the copy is on the disk.
    ///
    /// # Errors
    /// [`BackupError`]; then there is no such file.
    pub fn backup(&self, file: &Path) -> Result<(), BackupError> {
        if file.exists() {
            return Err(BackupError::Exists(file.to_owned()));
        }
        // Under another name first: a file of the right name is whole.
        let mut unfinished = file.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let written = self.write_backup(&unfinished, file);
        if written.is_err() {
            for suffix in SUFFIXES {
                let _ = fs::remove_file(format!("{}{suffix}", unfinished.display()));
            }
        }
        written
    }

    fn write_backup(&self, unfinished: &Path, file: &Path) -> Result<(), BackupError> {
        let failed = |error| BackupError::Sqlite {
            path: unfinished.to_owned(),
            error,
        };
        let io = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(file.to_owned()),
            _ => BackupError::Io {
                path: file.to_owned(),
                error,
            },
        };
        remove_if_there(unfinished).map_err(io)?;
        // A file of this run, in whatever directory it is: not one that somebody else has put
        // there.
        let opened = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(unfinished)
            .map_err(io)?;
        let source = open::connect_to_read(self.0.readers().path()).map_err(failed)?;
        let mut copy = Connection::open(unfinished).map_err(failed)?;
        copy_all(&source, &mut copy).map_err(failed)?;
        // One file, without a log beside it.
        copy.pragma_update(None, "journal_mode", "DELETE")
            .map_err(failed)?;
        copy.close().map_err(|(_, error)| failed(error))?;
        opened.sync_all().map_err(io)?;
        fs::hard_link(unfinished, file).map_err(io)?;
        fs::remove_file(unfinished).map_err(io)?;
        sync_directory(file);
        Ok(())
    }

    /// Puts a backup in the place of the database in `directory`, in one step, for running servers
    /// too. What was registered, decided and used since the backup is gone; so that no
    /// assertion is accepted twice, those issued before now are refused from then on.
    ///
    /// # Errors
    /// [`OpenError`] about the backup, the master key or the database; then nothing was changed.
    pub fn restore(
        directory: &Path,
        backup: &Path,
        options: &Options,
    ) -> Result<Restored, OpenError> {
        let io = |error| OpenError::Io {
            path: directory.to_owned(),
            error,
        };
        let path = directory.join("grantor.db");
        let place = Place {
            directory,
            path: &path,
        };
        let lock = open::lock(directory)?;
        let copy = directory.join("grantor.db.restoring");
        place.remove(&copy).map_err(io)?;
        let prepared = place.prepare(backup, &copy, options);
        let restored = prepared.and_then(|successor| place.replace_by(successor));
        if let Err(error) = place.remove(&copy) {
            // What was done is done.
            tracing::warn!(path = %copy.display(), %error, "this copy could not be removed");
        }
        drop(lock);
        restored
    }
}

/// Where the database is.
struct Place<'p> {
    directory: &'p Path,
    path: &'p Path,
}

/// A copy of a backup that is to take the database's place.
struct Successor<'p> {
    path: &'p Path,
    connection: Connection,
    master_key: MasterKey,
    options: &'p Options,
}

impl Place<'_> {
    /// Makes a copy of the backup in the form of this program. Nothing of the database of now is in
    /// it yet: servers go on, and revoke and use meanwhile.
    fn prepare<'s>(
        &self,
        backup: &Path,
        copy: &'s Path,
        options: &'s Options,
    ) -> Result<Successor<'s>, OpenError> {
        if open::inspect(backup)? {
            return Err(OpenError::Foreign(backup.to_owned()));
        }
        let master_key = open::master_key(self.directory, options)?;
        let failed = sqlite(copy);
        open::private_file(copy).map_err(|error| OpenError::Io {
            path: copy.to_owned(),
            error,
        })?;
        let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let source = Connection::open_with_flags(backup, read_only).map_err(sqlite(backup))?;
        let mut unmarked = Connection::open(copy).map_err(&failed)?;
        copy_all(&source, &mut unmarked).map_err(&failed)?;
        // SQLite copies pages, so they have to be of one size.
        let resize =
            format!("PRAGMA journal_mode = DELETE; PRAGMA page_size = {PAGE_SIZE}; VACUUM;");
        unmarked.execute_batch(&resize).map_err(&failed)?;
        drop(unmarked);
        let mut connection = open::connect_to_write(copy).map_err(&failed)?;
        open::migrate(&mut connection, copy)?;
        let key_path = open::master_key_path(self.directory, options);
        open::check_master_key(&connection, &master_key)
            .map_err(&failed)?
            .ok_or(OpenError::WrongMasterKey(key_path))?;
        connection
            .pragma_update(None, "journal_mode", "DELETE")
            .map_err(&failed)?;
        Ok(Successor {
            path: copy,
            connection,
            master_key,
            options,
        })
    }

    /// Puts the successor in the database's place.
    fn replace_by(&self, successor: Successor<'_>) -> Result<Restored, OpenError> {
        let is_damaged = match open::inspect(self.path) {
            Ok(false) => {
                leaving::check(self.path)?;
                return self.replace_content_by(&successor);
            }
            Ok(true) => false,
            Err(OpenError::Damaged { .. }) => true,
            Err(other) => return Err(other),
        };
        let mut restored = successor.mark(&self.numbers(), Revocations::Unknown)?;
        if is_damaged {
            restored.set_aside = Some(self.set_aside()?);
        }
        self.replace_file_by(successor)?;
        Ok(restored)
    }

    /// By SQLite, in one transaction: what a crashed server left in its log is applied to the old
    /// database, never to this one. From the moment of which the revocations and numbers are until
    /// then nobody else writes: what servers answer is either taken over or done in the new database.
    fn replace_content_by(&self, successor: &Successor<'_>) -> Result<Restored, OpenError> {
        let failed = sqlite(self.path);
        let mut database = open::connect_to_write(self.path).map_err(&failed)?;
        let held = hold(&successor.connection, &mut database).map_err(&failed)?;
        let revocations = self.take_over_revocations(&successor.connection);
        let revocations = revocations.map_err(sqlite(successor.path))?;
        let restored = successor.mark(&self.numbers(), revocations)?;
        advance(&held, ALL_PAGES, StepResult::Done).map_err(&failed)?;
        Ok(restored)
    }

    /// Where there is no database that SQLite could write into.
    fn replace_file_by(&self, successor: Successor<'_>) -> Result<(), OpenError> {
        let closed = successor.connection.close();
        closed.map_err(|(_, error)| sqlite(successor.path)(error))?;
        let io = |error| OpenError::Io {
            path: self.path.to_owned(),
            error,
        };
        // A log of no database any more.
        self.remove(self.path).map_err(io)?;
        fs::rename(successor.path, self.path).map_err(io)?;
        sync_directory(self.path);
        Ok(())
    }

    /// What was revoked, taken or replaced since the backup stays so, where the database of now is
    /// of a schema that says it.
    fn take_over_revocations(&self, copy: &Connection) -> rusqlite::Result<Revocations> {
        let version: i64 =
            open::connect_to_read(self.path)?
                .pragma_query_value(None, "user_version", |row| row.get(0))?;
        // Of these the first has no withdrawn keys, and the second no artifacts.
        let ends = match version {
            ..12 => return Ok(Revocations::Unknown),
            12 => {
                "INSERT OR IGNORE INTO main.artifact (digest, kind, created_at, expires_at, owner, version, document)
                 SELECT digest, 'ended', 0, until, client, 1, '' FROM now.revocation;"
            }
            13.. => {
                "INSERT OR IGNORE INTO main.artifact (digest, kind, created_at, expires_at, owner, version, document)
                 SELECT digest, kind, created_at, expires_at, owner, version, document FROM now.artifact WHERE kind = 'ended';
                 DELETE FROM main.artifact AS old WHERE old.kind <> 'ended' AND NOT EXISTS (
                     SELECT 1 FROM now.artifact AS new
                     WHERE new.digest = old.digest AND new.kind = old.kind AND new.version = old.version
                     AND new.created_at = old.created_at
                 );"
            }
        };
        copy.execute("ATTACH ?1 AS now", [self.path.to_string_lossy()])?;
        let transaction = copy.unchecked_transaction()?;
        transaction.execute_batch(&format!(
            "{ends}
             INSERT OR IGNORE INTO main.withdrawn_key SELECT * FROM now.withdrawn_key;
             UPDATE main.meta SET value = (SELECT value FROM now.meta WHERE name = 'sealed_since') WHERE name = 'sealed_since';
             INSERT INTO main.meta SELECT name, value FROM now.meta WHERE name IN ('token_fence', 'swept_to')
             ON CONFLICT (name) DO UPDATE SET value = excluded.value
             WHERE CAST(CAST(excluded.value AS TEXT) AS INTEGER) > CAST(CAST(value AS TEXT) AS INTEGER);",
        ))?;
        transaction.commit()?;
        copy.execute("DETACH now", [])?;
        Ok(Revocations::Kept)
    }

    /// The numbers that were given in this directory, as far as the database of now can be read or
    /// was noted. Where neither is so, nobody knows them: the next ones are far away.
    fn numbers(&self) -> Numbers {
        let read =
            || open::connect_to_read(self.path).and_then(|connection| numbers_of(&connection));
        let now = if self.path.exists() {
            read().ok()
        } else {
            None
        };
        now.unwrap_or_else(|| Seen::in_directory(self.directory).numbers())
    }

    /// Renames what is there, with the files beside it, to names that nothing has yet.
    fn set_aside(&self) -> Result<PathBuf, OpenError> {
        let name = (1..)
            .map(|number| self.directory.join(format!("grantor.db.damaged-{number}")))
            .find(|name| !name.exists());
        let name = name.expect("there are more numbers than files");
        for suffix in SUFFIXES {
            let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            match fs::rename(with(self.path), with(&name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(OpenError::Io {
                        path: self.path.to_owned(),
                        error,
                    });
                }
                _ => {}
            }
        }
        Ok(name)
    }

    /// Removes a database with the files beside it, as far as they are there.
    fn remove(&self, path: &Path) -> io::Result<()> {
        SUFFIXES.iter().try_for_each(|suffix| {
            remove_if_there(Path::new(&format!("{}{suffix}", path.display())))
        })
    }
}

/// The database, and what SQLite keeps beside it.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// How far the numbers jump where it is not known which were given.
const FAR: i64 = 1 << 20;

impl Successor<'_> {
    /// Raises the fence, and sees to it that servers take note, that no number is given again, and
    /// that no withdrawn key signs. Whatever was used before is used before the fence: nobody writes
    /// into the database of now any more.
    fn mark(&self, given: &Numbers, revocations: Revocations) -> Result<Restored, OpenError> {
        let now = self.options.clock.now();
        let failed = sqlite(self.path);
        let transaction = self.connection.unchecked_transaction().map_err(&failed)?;
        let fence = raise_fences(&transaction, given, revocations, now, self.options.leeway);
        let fence = fence.map_err(&failed)?;
        let algorithm = self.options.signing_algorithm;
        signing_key::remove_withdrawn(&transaction, &self.master_key, algorithm, now).map_err(
            |error| OpenError::Content {
                path: self.path.to_owned(),
                error,
            },
        )?;
        transaction.commit().map_err(&failed)?;
        Ok(Restored {
            fence,
            revocations,
            set_aside: None,
        })
    }
}

/// Refuses what was issued before now, where it is not known what became of it, and gives none of the
/// numbers again that were given, or may have been. Answers the fence of assertions.
pub(super) fn raise_fences(
    connection: &Connection,
    given: &Numbers,
    revocations: Revocations,
    now: UnixTime,
    leeway: Duration,
) -> rusqlite::Result<UnixTime> {
    match given.is_empty() {
        true => drop(connection.execute("UPDATE sqlite_sequence SET seq = seq + ?1", [FAR])?),
        false => go_on_from(connection, given)?,
    }
    // Whoever reads this change forgets everything.
    connection.execute("INSERT INTO change (resource) VALUES ('')", [])?;
    let marks = Marks::load(connection)?;
    marks.raise_fence(connection, now, leeway)?;
    if revocations == Revocations::Unknown {
        marks.raise_token_fence(connection, now)?;
    }
    Ok(marks.fence().unwrap_or(now))
}

/// All pages that are left.
const ALL_PAGES: i32 = -1;

/// Lets nobody else write into the target from now on until the copy is whole, or given up: SQLite
/// locks it at the first step, that of no page too. Readers go on with what was committed before.
fn hold<'c>(
    source: &'c Connection,
    target: &'c mut Connection,
) -> rusqlite::Result<Backup<'c, 'c>> {
    let held = Backup::new(source, target)?;
    advance(&held, 0, StepResult::More)?;
    Ok(held)
}

/// All pages in one step, so that nothing changes in between.
fn copy_all(source: &Connection, target: &mut Connection) -> rusqlite::Result<()> {
    let copy = Backup::new(source, target)?;
    advance(&copy, ALL_PAGES, StepResult::Done)
}

/// Takes a step that ends as expected, as soon as nobody else writes.
#[expect(
    clippy::disallowed_methods,
    reason = "another process that writes tells nobody when it ends"
)]
fn advance(copy: &Backup<'_, '_>, pages: i32, expected: StepResult) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        match copy.step(pages)? {
            ended if ended == expected => return Ok(()),
            _ if started.elapsed() >= PATIENCE => {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(
                    busy,
                    Some("another process writes all the time".to_owned()),
                ));
            }
            _ => thread::sleep(PAUSE),
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite_migration::Migrations;

    use super::*;

    /// A database of this version's schema.
    fn database(path: &Path, version: usize) -> Connection {
        let mut connection = Connection::open(path).expect("a database");
        connection
            .pragma_update(None, "application_id", open::APPLICATION_ID)
            .expect("ours");
        Migrations::from_slice(open::MIGRATIONS)
            .to_version(&mut connection, version)
            .expect("migrated");
        connection
    }

    /// Whether this end of a token and this withdrawn key are taken over from a database of this
    /// version.
    fn taken_over(version: usize, end: &str) -> (bool, bool, bool) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("grantor.db");
        let now = database(&path, version);
        now.execute_batch(end).expect("written");
        if version >= 12 {
            now.execute_batch("INSERT INTO withdrawn_key VALUES ('leaked', 1)")
                .expect("written");
        }
        drop(now);
        let copy = database(&directory.path().join("copy"), open::MIGRATIONS.len());
        let place = Place {
            directory: directory.path(),
            path: &path,
        };
        let taken = place.take_over_revocations(&copy).expect("read");
        let is_there = |rows: &str| {
            let query = format!("SELECT EXISTS (SELECT 1 FROM {rows})");
            copy.query_row(&query, [], |row| row.get(0)).expect("read")
        };
        (
            matches!(taken, Revocations::Kept),
            is_there("artifact WHERE kind = 'ended' AND digest = x'01' AND expires_at = 9"),
            is_there("withdrawn_key WHERE kid = 'leaked'"),
        )
    }

    #[test]
    fn what_was_revoked_in_a_database_of_an_earlier_schema_stays_so() {
        let revocation = "INSERT INTO revocation (digest, until) VALUES (x'01', 9)";
        let ended = "INSERT INTO artifact (digest, kind, created_at, expires_at, version, document) VALUES (x'01', 'ended', 0, 9, 1, '')";
        assert_eq!(taken_over(11, revocation), (false, false, false));
        assert_eq!(taken_over(12, revocation), (true, true, true));
        assert_eq!(taken_over(13, ended), (true, true, true));
        assert_eq!(
            taken_over(open::MIGRATIONS.len(), ended),
            (true, true, true)
        );
    }
}
