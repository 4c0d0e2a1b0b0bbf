//! The server's signing keys in SQLite: private halves sealed under the master key, the newest signs, retired ones are published
//! until the last token they signed has expired.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use grantor::{
    clock::UnixTime,
    jose::{Algorithm, PrivateJwk},
    keys::{KeyRing, SigningKeys},
    storage::StoreError,
};
use rusqlite::Connection;

use super::{
    SqliteStore,
    error::{Failure, unreadable},
};
use crate::MasterKey;

/// The keys of this moment, and when they will have to be read again because one ends.
pub(super) struct Ring(ArcSwap<(Arc<KeyRing>, Option<UnixTime>)>);

impl Ring {
    pub(super) fn load(connection: &Connection, master_key: &MasterKey, now: UnixTime) -> Result<Self, StoreError> {
        Ok(Self(ArcSwap::from_pointee(read_ring(connection, master_key, now)?)))
    }

    pub(super) fn reload(&self, connection: &Connection, master_key: &MasterKey, now: UnixTime) -> Result<(), StoreError> {
        self.0.store(Arc::new(read_ring(connection, master_key, now)?));
        Ok(())
    }

    pub(super) fn is_due(&self, now: UnixTime) -> bool {
        self.0.load().1.is_some_and(|due| due <= now)
    }
}

/// A signing key as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyInfo {
    /// `kid`
    pub key_id: String,
    /// `alg`
    pub algorithm: Algorithm,
    /// When it was made.
    pub created_at: UnixTime,
    /// Until when it is published; `None` for the key that signs.
    pub retires_at: Option<UnixTime>,
}

impl SigningKeys for SqliteStore {
    fn key_ring(&self) -> Arc<KeyRing> {
        self.0.ring.0.load().0.clone()
    }
}

impl SqliteStore {
    /// The signing keys that are published, the one that signs first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn signing_key_list(&self) -> Result<Vec<SigningKeyInfo>, StoreError> {
        let inner = self.0.clone();
        let read = move |connection: &Connection| {
            let keys = read_keys(connection, &inner.master_key, inner.clock.now())?;
            Ok(keys.iter().map(StoredKey::info).collect())
        };
        self.0.readers.read(read).await
    }

    /// Makes a new key that signs from now on. The keys before it stay published for `overlap`, which is the longest life of a
    /// token signed until now.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn signing_key_rotate(&self, algorithm: Algorithm, overlap: Duration) -> Result<SigningKeyInfo, StoreError> {
        let now = self.0.clock.now();
        let key = PrivateJwk::generate(algorithm).map_err(|error| StoreError::Failed(Box::new(error)))?;
        let info = SigningKeyInfo { key_id: key.key_id().to_owned(), algorithm, created_at: now, retires_at: None };
        self.write(move |connection, master_key| {
            let retire = "UPDATE signing_key SET retires_at = ?1 WHERE retires_at IS NULL";
            connection.execute(retire, [now.plus(overlap).millis()]).map_err(Failure::from)?;
            connection.execute("DELETE FROM signing_key WHERE retires_at < ?1", [now.millis()]).map_err(Failure::from)?;
            Ok(insert(connection, master_key, &key, now)?)
        })
        .await?;
        Ok(info)
    }
}

/// Makes the first key, if there is none.
pub(super) fn ensure(
    connection: &Connection,
    master_key: &MasterKey,
    algorithm: Algorithm,
    now: UnixTime,
) -> Result<(), StoreError> {
    let count: i64 = connection.query_row("SELECT count(*) FROM signing_key", [], |row| row.get(0)).map_err(super::failed)?;
    if count > 0 {
        return Ok(());
    }
    let key = PrivateJwk::generate(algorithm).map_err(|error| StoreError::Failed(Box::new(error)))?;
    Ok(insert(connection, master_key, &key, now)?)
}

fn insert(connection: &Connection, master_key: &MasterKey, key: &PrivateJwk, now: UnixTime) -> Result<(), Failure> {
    let sealed = master_key.seal(&purpose(key.key_id()), key.expose_json().as_bytes());
    let statement = "INSERT INTO signing_key (kid, sealed, created_at) VALUES (?1, ?2, ?3)";
    connection.execute(statement, (key.key_id(), sealed, now.millis()))?;
    Ok(())
}

fn purpose(key_id: &str) -> String {
    format!("signing key {key_id}")
}

struct StoredKey {
    key: PrivateJwk,
    created_at: UnixTime,
    retires_at: Option<UnixTime>,
}

impl StoredKey {
    fn info(&self) -> SigningKeyInfo {
        SigningKeyInfo {
            key_id: self.key.key_id().to_owned(),
            algorithm: self.key.algorithm(),
            created_at: self.created_at,
            retires_at: self.retires_at,
        }
    }
}

/// All keys still published, newest first.
fn read_keys(connection: &Connection, master_key: &MasterKey, now: UnixTime) -> Result<Vec<StoredKey>, Failure> {
    let query = "SELECT kid, sealed, created_at, retires_at FROM signing_key
        WHERE retires_at IS NULL OR retires_at > ?1 ORDER BY retires_at IS NULL DESC, position DESC";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([now.millis()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let (key_id, sealed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let json = master_key.open(&purpose(&key_id), &sealed).ok_or_else(|| unreadable("signing key", "it does not open"))?;
        let key = PrivateJwk::parse(&json, None).map_err(|error| unreadable("signing key", error))?;
        let retires_at = row.get::<_, Option<i64>>(3)?.map(UnixTime::from_millis);
        keys.push(StoredKey { key, created_at: UnixTime::from_millis(row.get(2)?), retires_at });
    }
    Ok(keys)
}

fn read_ring(
    connection: &Connection,
    master_key: &MasterKey,
    now: UnixTime,
) -> Result<(Arc<KeyRing>, Option<UnixTime>), StoreError> {
    let keys = read_keys(connection, master_key, now)?;
    let [current, others @ ..] = keys.as_slice() else { return Err(unreadable("signing keys", "there are none")) };
    let ring = KeyRing::new(&current.key, others.iter().map(|other| other.key.public()));
    let ring = ring.map_err(|error| unreadable("signing key", error))?;
    Ok((Arc::new(ring), others.iter().filter_map(|other| other.retires_at).min()))
}
