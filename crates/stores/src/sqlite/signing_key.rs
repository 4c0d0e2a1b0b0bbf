//! The server's signing keys in SQLite: private halves sealed under the master key. A new key is published before it signs, an old
//! one until the last token it signed has expired.

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

/// The keys of this moment, and when they will have to be read again because one begins to sign or ends.
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
    /// From when it signs.
    pub signs_from: UnixTime,
    /// Until when it is published; `None` for the newest key.
    pub retires_at: Option<UnixTime>,
    /// Whether it signs now.
    pub is_signing: bool,
}

impl SigningKeys for SqliteStore {
    fn key_ring(&self) -> Arc<KeyRing> {
        self.0.ring.0.load().0.clone()
    }
}

impl SqliteStore {
    /// The signing keys that are published, newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn signing_key_list(&self) -> Result<Vec<SigningKeyInfo>, StoreError> {
        let inner = self.0.clone();
        let read = move |connection: &Connection| {
            let now = inner.clock.now();
            let keys = read_keys(connection, &inner.master_key, now)?;
            let signing = signing_index(&keys, now);
            Ok(keys.iter().enumerate().map(|(index, key)| key.info(signing == Some(index))).collect())
        };
        self.0.readers.read(read).await
    }

    /// Makes a new key, published now, that signs after `ahead`: as long as caches of the key set may take to notice it. The keys
    /// before it stay published for `overlap` after that, which is the longest life of a token.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn signing_key_rotate(
        &self,
        algorithm: Algorithm,
        ahead: Duration,
        overlap: Duration,
    ) -> Result<SigningKeyInfo, StoreError> {
        let now = self.0.clock.now();
        let key = PrivateJwk::generate(algorithm).map_err(|error| StoreError::Failed(Box::new(error)))?;
        let signs_from = now.plus(ahead);
        let info = SigningKeyInfo {
            key_id: key.key_id().to_owned(),
            algorithm,
            created_at: now,
            signs_from,
            retires_at: None,
            is_signing: ahead.is_zero(),
        };
        self.write(move |connection, master_key| {
            let retire = "UPDATE signing_key SET retires_at = ?1 WHERE retires_at IS NULL";
            connection.execute(retire, [signs_from.plus(overlap).millis()]).map_err(Failure::from)?;
            connection.execute("DELETE FROM signing_key WHERE retires_at < ?1", [now.millis()]).map_err(Failure::from)?;
            Ok(insert(connection, master_key, &key, now, signs_from)?)
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
    Ok(insert(connection, master_key, &key, now, now)?)
}

fn insert(
    connection: &Connection,
    master_key: &MasterKey,
    key: &PrivateJwk,
    now: UnixTime,
    signs_from: UnixTime,
) -> Result<(), Failure> {
    let sealed = master_key.seal(&purpose(key.key_id()), key.expose_json().as_bytes());
    let statement = "INSERT INTO signing_key (kid, sealed, created_at, signs_from) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(statement, (key.key_id(), sealed, now.millis(), signs_from.millis()))?;
    Ok(())
}

fn purpose(key_id: &str) -> String {
    format!("signing key {key_id}")
}

struct StoredKey {
    key: PrivateJwk,
    created_at: UnixTime,
    signs_from: UnixTime,
    retires_at: Option<UnixTime>,
}

impl StoredKey {
    fn info(&self, is_signing: bool) -> SigningKeyInfo {
        SigningKeyInfo {
            key_id: self.key.key_id().to_owned(),
            algorithm: self.key.algorithm(),
            created_at: self.created_at,
            signs_from: self.signs_from,
            retires_at: self.retires_at,
            is_signing,
        }
    }
}

/// All keys that are published, newest first.
fn read_keys(connection: &Connection, master_key: &MasterKey, now: UnixTime) -> Result<Vec<StoredKey>, Failure> {
    let query = "SELECT kid, sealed, created_at, signs_from, retires_at FROM signing_key
        WHERE retires_at IS NULL OR retires_at > ?1 ORDER BY position DESC";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([now.millis()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let (key_id, sealed): (String, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let json = master_key.open(&purpose(&key_id), &sealed).ok_or_else(|| unreadable("signing key", "it does not open"))?;
        let key = PrivateJwk::parse(&json, None).map_err(|error| unreadable("signing key", error))?;
        keys.push(StoredKey {
            key,
            created_at: UnixTime::from_millis(row.get(2)?),
            signs_from: UnixTime::from_millis(row.get(3)?),
            retires_at: row.get::<_, Option<i64>>(4)?.map(UnixTime::from_millis),
        });
    }
    Ok(keys)
}

/// The newest key whose time to sign has come.
fn signing_index(keys: &[StoredKey], now: UnixTime) -> Option<usize> {
    keys.iter().position(|key| key.signs_from <= now)
}

fn read_ring(
    connection: &Connection,
    master_key: &MasterKey,
    now: UnixTime,
) -> Result<(Arc<KeyRing>, Option<UnixTime>), StoreError> {
    let mut keys = read_keys(connection, master_key, now)?;
    let events = keys.iter().flat_map(|key| [Some(key.signs_from), key.retires_at]).flatten();
    let next_event = events.filter(|event| *event > now).min();
    let signing = signing_index(&keys, now).ok_or_else(|| unreadable("signing keys", "none may sign yet"))?;
    let current = keys.remove(signing);
    let ring = KeyRing::new(&current.key, keys.iter().map(|other| other.key.public()));
    let ring = ring.map_err(|error| unreadable("signing key", error))?;
    Ok((Arc::new(ring), next_event))
}
