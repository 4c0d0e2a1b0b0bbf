//! The server's signing keys in SQLite: private halves sealed under the master key. A new key is
//! published before it signs, an old one until the last token it signed has expired.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    jose::{Algorithm, PrivateJwk},
    keys::{KeyRing, OtherKey, SigningKeys},
    registry::Actor,
    storage::{KeyStore, SigningKeyInfo, StoreError},
};
use rusqlite::Connection;

use super::{
    SqliteStore,
    change_record::Recording,
    error::{Failure, expect_row, unreadable},
    registry::Changing,
};
use crate::{MasterKey, cached::Moment};

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
            let signing = signing_index(&keys, now);
            Ok(keys
                .iter()
                .enumerate()
                .map(|(index, key)| key.info(signing == Some(index)))
                .collect())
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
    let gone = changing.at.millis().saturating_sub(KEPT_BEYOND_END);
    connection.execute("DELETE FROM signing_key WHERE retires_at < ?1", [gone])?;
    let all = || {
        // Those that are published no more, too.
        let keys = read_keys(connection, master_key, UnixTime::from_millis(gone))?;
        Ok::<_, Failure>(keys.iter().map(|key| key.info(false)).collect::<Vec<_>>())
    };
    let before = all()?;
    change(connection, master_key)?;
    let records = SigningKeyInfo::changes(&before, &all()?, changing.by, changing.at);
    changing.records.extend(records);
    Ok(())
}

/// No key signs longer than until then, whatever was planned before; one that would begin later
/// never does.
fn end_before(
    connection: &Connection,
    signs_from: UnixTime,
    overlap: Duration,
) -> rusqlite::Result<()> {
    let retire = "UPDATE signing_key SET retires_at = min(coalesce(retires_at, ?1), ?1), \
                  signs_until = min(coalesce(signs_until, ?2), ?2)";
    let (retires_at, signs_until) = (signs_from.plus(overlap).millis(), signs_from.millis());
    connection.execute(retire, [retires_at, signs_until])?;
    let never_signs = "DELETE FROM signing_key WHERE signs_from > signs_until";
    connection.execute(never_signs, []).map(drop)
}

/// Removes a key, and notes that no backup brings it back.
fn withdraw(connection: &Connection, key_id: &str, now: UnixTime) -> Result<(), Failure> {
    let removed = connection.execute("DELETE FROM signing_key WHERE kid = ?1", [key_id])?;
    expect_row(removed, "signing key")?;
    let withdraw = "INSERT OR IGNORE INTO withdrawn_key (kid, withdrawn_at) VALUES (?1, ?2)";
    connection.execute(withdraw, (key_id, now.millis()))?;
    Ok(())
}

fn generate(algorithm: Algorithm) -> Result<PrivateJwk, StoreError> {
    PrivateJwk::generate(algorithm).map_err(|error| StoreError::Failed(Box::new(error)))
}

/// How long a key is kept in the table after it is published no more, in milliseconds: a clock that
/// is ahead for a while must not cost a key.
const KEPT_BEYOND_END: i64 = 86_400_000;

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

/// Sees to it that a key signs from now on, for good: the newest, from now where it was to wait;
/// else, where the newest is gone, the one that signs; else the new one. A key that has ceased to
/// sign never signs again.
fn succeed(
    connection: &Connection,
    master_key: &MasterKey,
    new: &PrivateJwk,
    now: UnixTime,
) -> Result<(), Failure> {
    let signs = "signs_from <= ?1 AND (signs_until IS NULL OR signs_until > ?1)";
    let signing: Option<i64> = connection.query_row(
        &format!("SELECT max(position) FROM signing_key WHERE {signs}"),
        [now.millis()],
        |row| row.get(0),
    )?;
    let newest: Option<i64> = connection.query_row(
        "SELECT max(position) FROM signing_key WHERE signs_until IS NULL",
        [],
        |row| row.get(0),
    )?;
    match (signing, newest) {
        (Some(_), Some(_)) => {}
        (None, Some(newest)) => {
            let start = "UPDATE signing_key SET signs_from = ?1 WHERE position = ?2";
            connection.execute(start, [now.millis(), newest])?;
        }
        (Some(signing), None) => {
            let stay =
                "UPDATE signing_key SET signs_until = NULL, retires_at = NULL WHERE position = ?1";
            connection.execute(stay, [signing])?;
        }
        (None, None) => insert(connection, master_key, new, now, now)?,
    }
    Ok(())
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
    let sealed = master_key.seal(&purpose(key.key_id()), key.expose_json().as_bytes());
    let statement =
        "INSERT INTO signing_key (kid, sealed, created_at, signs_from) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(
        statement,
        (key.key_id(), sealed, now.millis(), signs_from.millis()),
    )?;
    Ok(())
}

fn purpose(key_id: &str) -> String {
    format!("signing key {key_id}")
}

struct StoredKey {
    key: PrivateJwk,
    created_at: UnixTime,
    signs_from: UnixTime,
    signs_until: Option<UnixTime>,
    retires_at: Option<UnixTime>,
}

impl StoredKey {
    fn published(&self) -> OtherKey {
        OtherKey::new(self.key.public(), Some(self.signs_from), self.signs_until)
    }

    fn info(&self, is_signing: bool) -> SigningKeyInfo {
        let key_id = self.key.key_id().to_owned();
        let algorithm = self.key.algorithm();
        let mut info = SigningKeyInfo::new(key_id, algorithm, self.created_at, self.signs_from);
        (info.retires_at, info.is_signing) = (self.retires_at, is_signing);
        info
    }
}

/// All keys that are published, newest first.
fn read_keys(
    connection: &Connection,
    master_key: &MasterKey,
    now: UnixTime,
) -> Result<Vec<StoredKey>, Failure> {
    let query =
        "SELECT kid, sealed, created_at, signs_from, retires_at, signs_until FROM signing_key
        WHERE retires_at IS NULL OR retires_at > ?1 ORDER BY position DESC";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([now.millis()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let (key_id, sealed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let json = master_key
            .open(&purpose(&key_id), &sealed)
            .ok_or_else(|| unreadable("signing key", "it does not open"))?;
        let key =
            PrivateJwk::parse(&json, None).map_err(|error| unreadable("signing key", error))?;
        keys.push(StoredKey {
            key,
            created_at: UnixTime::from_millis(row.get(2)?),
            signs_from: UnixTime::from_millis(row.get(3)?),
            retires_at: row.get::<_, Option<i64>>(4)?.map(UnixTime::from_millis),
            signs_until: row.get::<_, Option<i64>>(5)?.map(UnixTime::from_millis),
        });
    }
    Ok(keys)
}

/// The newest key whose time to sign it is. Where the clock is before the time of all, the oldest:
/// a clock that is wrong must not stop the server.
fn signing_index(keys: &[StoredKey], now: UnixTime) -> Option<usize> {
    let signs =
        |key: &StoredKey| key.signs_from <= now && key.signs_until.is_none_or(|until| now < until);
    keys.iter().position(signs).or(keys.len().checked_sub(1))
}

/// The keys of this moment, ready for use.
pub(super) fn read_moment(
    connection: &Connection,
    master_key: &MasterKey,
    now: UnixTime,
) -> Result<Moment, StoreError> {
    let mut keys = read_keys(connection, master_key, now)?;
    let events = keys
        .iter()
        .flat_map(|key| [Some(key.signs_from), key.retires_at])
        .flatten();
    let next_event = events.filter(|event| *event > now).min();
    let signing =
        signing_index(&keys, now).ok_or_else(|| unreadable("signing keys", "there is none"))?;
    let current = keys.remove(signing);
    if current.signs_from > now {
        tracing::warn!(%now, signs_from = %current.signs_from, "the clock is before the first signing key: set the clock");
    }
    let ring = KeyRing::new(&current.key, keys.iter().map(StoredKey::published));
    let ring = ring.map_err(|error| unreadable("signing key", error))?;
    Ok(Moment {
        ring: Arc::new(ring),
        from: now,
        until: next_event,
    })
}
