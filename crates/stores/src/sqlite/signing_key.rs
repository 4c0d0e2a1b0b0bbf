//! The server's signing keys in SQLite.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    jose::{Algorithm, PrivateJwk},
    keys::{KeyRing, SigningKeys},
    registry::Actor,
    storage::{KeyStore, SigningKeyInfo, StoreError},
};
use rusqlite::Connection;

use super::{
    SqliteStore,
    change_record::Recording,
    error::{Failure, expect_row},
    registry::Changing,
};
use crate::{
    MasterKey,
    cached::Moment,
    form::signing_key::{
        KEPT_BEYOND_END, StoredKey, Successor, Times, generate, infos, moment, sealed, successor,
    },
};

impl SigningKeys for SqliteStore {
    fn key_ring(&self) -> Arc<KeyRing> {
        self.0.cached.key_ring()
    }
}

#[async_trait]
impl KeyStore for SqliteStore {
    async fn signing_key_list(&self) -> Result<Vec<SigningKeyInfo>, StoreError> {
        let cached = self.0.cached.clone();
        let read = move |connection: &Connection| {
            let now = cached.clock().now();
            let keys = read_keys(connection, &cached.source().master_key, now)?;
            Ok(infos(&keys, now))
        };
        self.0.readers().read(read).await
    }

    async fn signing_key_rotate(
        &self,
        algorithm: Algorithm,
        ahead: Duration,
        overlap: Duration,
        by: &Actor,
    ) -> Result<SigningKeyInfo, StoreError> {
        let now = self.0.cached.clock().now();
        let key = generate(algorithm)?;
        let signs_from = now.plus(ahead);
        let mut info = SigningKeyInfo::new(key.key_id().to_owned(), algorithm, now, signs_from);
        info.is_signing = ahead.is_zero();
        let rotate = move |changing: &mut Changing<'_>| {
            change_keys(changing, |connection, master_key| {
                end_before(connection, signs_from, overlap)?;
                insert(connection, master_key, &key, now, signs_from)
            })
        };
        self.record_changes(by, rotate).await?;
        Ok(info)
    }

    async fn signing_key_revoke(
        &self,
        key_id: &str,
        algorithm: Algorithm,
        by: &Actor,
    ) -> Result<Vec<SigningKeyInfo>, StoreError> {
        let now = self.0.cached.clock().now();
        let new = generate(algorithm)?;
        let key_id = key_id.to_owned();
        let revoke = move |changing: &mut Changing<'_>| {
            change_keys(changing, |connection, master_key| {
                withdraw(connection, &key_id, now)?;
                succeed(connection, master_key, &new, now)
            })
        };
        self.record_changes(by, revoke).await?;
        self.signing_key_list().await
    }
}

/// Changes the keys, and records what became of each.
fn change_keys(
    changing: &mut Changing<'_>,
    change: impl FnOnce(&Connection, &MasterKey) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (connection, master_key) = (changing.connection, changing.master_key);
    let gone = changing.at.minus(KEPT_BEYOND_END);
    let delete = "DELETE FROM signing_key WHERE retires_at < ?1";
    connection.execute(delete, [gone.millis()])?;
    let all = || {
        // Those that are published no more, too.
        let keys = read_keys(connection, master_key, gone)?;
        Ok::<_, Failure>(keys.iter().map(StoredKey::info).collect::<Vec<_>>())
    };
    let before = all()?;
    change(connection, master_key)?;
    let records = SigningKeyInfo::changes(&before, &all()?, changing.by, changing.at);
    changing.records.extend(records);
    Ok(())
}

/// No key signs longer than until then.
fn end_before(
    connection: &Connection,
    signs_from: UnixTime,
    overlap: Duration,
) -> rusqlite::Result<()> {
    for (position, times) in read_times(connection)? {
        match times.end_before(signs_from, overlap) {
            Some(times) => write_times(connection, position, times)?,
            None => {
                let never_signs = "DELETE FROM signing_key WHERE position = ?1";
                connection.execute(never_signs, [position])?;
            }
        }
    }
    Ok(())
}

/// The times of all keys in the table, newest first, and where each is.
fn read_times(connection: &Connection) -> rusqlite::Result<Vec<(i64, Times)>> {
    let query = "SELECT position, signs_from, signs_until, retires_at FROM signing_key ORDER BY position DESC";
    let mut statement = connection.prepare_cached(query)?;
    let times = statement.query_map([], |row| {
        let times = Times::new(row.get(1)?, row.get(2)?, row.get(3)?);
        Ok((row.get(0)?, times))
    })?;
    times.collect()
}

fn write_times(connection: &Connection, position: i64, times: Times) -> rusqlite::Result<()> {
    let update = "UPDATE signing_key SET signs_from = ?2, signs_until = ?3, retires_at = ?4 WHERE position = ?1";
    let values = (
        position,
        times.signs_from.millis(),
        times.signs_until.map(UnixTime::millis),
        times.retires_at.map(UnixTime::millis),
    );
    connection.execute(update, values).map(drop)
}

/// Removes a key, and notes that no backup brings it back.
fn withdraw(connection: &Connection, key_id: &str, now: UnixTime) -> Result<(), Failure> {
    let removed = connection.execute("DELETE FROM signing_key WHERE kid = ?1", [key_id])?;
    expect_row(removed, "signing key")?;
    let withdraw = "INSERT OR IGNORE INTO withdrawn_key (kid, withdrawn_at) VALUES (?1, ?2)";
    connection.execute(withdraw, (key_id, now.millis()))?;
    Ok(())
}

/// Removes the keys that were withdrawn after this backup was made, and sees to it that one signs.
pub(super) fn remove_withdrawn(
    connection: &Connection,
    master_key: &MasterKey,
    algorithm: Algorithm,
    now: UnixTime,
) -> Result<(), StoreError> {
    by_the_program(connection, || {
        let remove = "DELETE FROM signing_key WHERE kid IN (SELECT kid FROM withdrawn_key)";
        if connection.execute(remove, [])? > 0 {
            succeed(connection, master_key, &generate(algorithm)?, now)?;
        }
        Ok(())
    })
}

/// Sees to it that a key signs from now on, for good: `new`, if no other can.
fn succeed(
    connection: &Connection,
    master_key: &MasterKey,
    new: &PrivateJwk,
    now: UnixTime,
) -> Result<(), Failure> {
    let (positions, times): (Vec<_>, Vec<_>) = read_times(connection)?.into_iter().unzip();
    match successor(&times, now) {
        Successor::Signs => Ok(()),
        Successor::Takes(place, times) => Ok(write_times(connection, positions[place], times)?),
        Successor::New => insert(connection, master_key, new, now, now),
    }
}

/// Makes the first key, if there is none.
pub(super) fn ensure(
    connection: &Connection,
    master_key: &MasterKey,
    algorithm: Algorithm,
    now: UnixTime,
) -> Result<(), StoreError> {
    let count: i64 = connection
        .query_row("SELECT count(*) FROM signing_key", [], |row| row.get(0))
        .map_err(super::failed)?;
    if count > 0 {
        return Ok(());
    }
    by_the_program(connection, || {
        insert(connection, master_key, &generate(algorithm)?, now, now)
    })
}

/// Changes keys where nobody has asked for it: no change by hand, either.
fn by_the_program(
    connection: &Connection,
    change: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), StoreError> {
    let work = || {
        let recording = Recording::begin(connection)?;
        change()?;
        Ok::<_, Failure>(recording.end()?)
    };
    Ok(work()?)
}

fn insert(
    connection: &Connection,
    master_key: &MasterKey,
    key: &PrivateJwk,
    now: UnixTime,
    signs_from: UnixTime,
) -> Result<(), Failure> {
    let sealed = sealed(key, master_key);
    let statement =
        "INSERT INTO signing_key (kid, sealed, created_at, signs_from) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(
        statement,
        (key.key_id(), sealed, now.millis(), signs_from.millis()),
    )?;
    Ok(())
}

/// All keys that are published, newest first.
fn read_keys(
    connection: &Connection,
    master_key: &MasterKey,
    now: UnixTime,
) -> Result<Vec<StoredKey>, Failure> {
    let query =
        "SELECT kid, sealed, created_at, signs_from, signs_until, retires_at FROM signing_key
        WHERE retires_at IS NULL OR retires_at > ?1 ORDER BY position DESC";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([now.millis()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let (key_id, sealed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let times = Times::new(row.get(3)?, row.get(4)?, row.get(5)?);
        let created_at = row.get(2)?;
        keys.push(StoredKey::open(
            &key_id, &sealed, created_at, times, master_key,
        )?);
    }
    Ok(keys)
}

/// The keys of this moment, ready for use.
pub(super) fn read_moment(
    connection: &Connection,
    master_key: &MasterKey,
    now: UnixTime,
) -> Result<Moment, StoreError> {
    Ok(moment(read_keys(connection, master_key, now)?, now)?)
}
