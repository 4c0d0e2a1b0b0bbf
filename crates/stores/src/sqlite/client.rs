//! Clients in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    storage::{Client, ClientKey, ClientRegistry, ClientSecret, ClientSource, StoreError},
    types::ClientId,
};
use rusqlite::{Connection, OptionalExtension as _, Row};
use zeroize::Zeroizing;

use super::{
    SqliteStore,
    error::{Failure, expect_row, on_constraint, unreadable},
};
use crate::MasterKey;

#[async_trait]
impl ClientSource for SqliteStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        if !self.0.may_know(id.as_str()).await? {
            return Ok(None);
        }
        let load = || self.0.readers.read_here(|connection| load(connection, &self.0.master_key, id.as_str()));
        self.0.cache.get_or_load(&self.0.cache.clients, id, load)
    }
}

#[async_trait]
impl ClientRegistry for SqliteStore {
    async fn client_create(&self, client: Client) -> Result<(), StoreError> {
        self.write(move |transaction, master_key| Ok(create(transaction, master_key, &client)?)).await
    }

    async fn client_update(&self, client: Client) -> Result<(), StoreError> {
        self.write(move |transaction, master_key| Ok(update(transaction, master_key, &client)?)).await
    }

    async fn client_delete(&self, id: &ClientId) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |transaction, _| Ok(delete(transaction, &id)?)).await
    }

    async fn client_list(&self) -> Result<Vec<Arc<Client>>, StoreError> {
        let inner = self.0.clone();
        self.0.readers.read(move |connection| list(connection, &inner.master_key)).await
    }
}

fn create(connection: &Connection, master_key: &MasterKey, client: &Client) -> Result<(), Failure> {
    let id = client.id().as_str();
    let taken = StoreError::Exists("client or subject");
    on_constraint(connection.execute("INSERT INTO party (name, kind) VALUES (?1, 'client')", [id]), taken)?;
    connection.execute("INSERT INTO client (id, metadata) VALUES (?1, ?2)", (id, metadata(client)))?;
    write_parts(connection, master_key, client)
}

fn update(connection: &Connection, master_key: &MasterKey, client: &Client) -> Result<(), Failure> {
    let id = client.id().as_str();
    let changed = connection.execute("UPDATE client SET metadata = ?2 WHERE id = ?1", (id, metadata(client)))?;
    expect_row(changed, "client")?;
    connection.execute("DELETE FROM client_key WHERE client = ?1", [id])?;
    connection.execute("DELETE FROM client_secret WHERE client = ?1", [id])?;
    write_parts(connection, master_key, client)
}

fn delete(connection: &Connection, id: &ClientId) -> Result<(), Failure> {
    let changed = connection.execute("DELETE FROM party WHERE name = ?1 AND kind = 'client'", [id.as_str()])?;
    expect_row(changed, "client")
}

fn metadata(client: &Client) -> String {
    serde_json::to_string(client.metadata()).expect("metadata is JSON")
}

fn write_parts(connection: &Connection, master_key: &MasterKey, client: &Client) -> Result<(), Failure> {
    let id = client.id().as_str();
    let mut insert =
        connection.prepare_cached("INSERT INTO client_key (client, position, jwk, expires_at) VALUES (?1, ?2, ?3, ?4)")?;
    for (key, position) in client.keys().iter().zip(0_i64..) {
        insert.execute((id, position, key.to_stored(), key.expires_at.map(UnixTime::millis)))?;
    }
    let mut insert = connection
        .prepare_cached("INSERT INTO client_secret (client, position, kind, value, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (secret, position) in client.secrets().iter().zip(0_i64..) {
        let (kind, value) = match (secret.stored_digest(), secret.expose()) {
            (Some(digest), _) => ("digest", digest.to_vec()),
            (None, secret) => ("sealed", master_key.seal(&purpose(id), secret.unwrap_or_default().as_bytes())),
        };
        insert.execute((id, position, kind, value, secret.expires_at.map(UnixTime::millis)))?;
    }
    Ok(())
}

/// Binds a sealed secret to its client: moved to another row, it does not open.
fn purpose(id: &str) -> String {
    format!("client secret {id}")
}

fn list(connection: &Connection, master_key: &MasterKey) -> Result<Vec<Arc<Client>>, Failure> {
    let mut statement = connection.prepare_cached("SELECT id FROM client ORDER BY id")?;
    let ids = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    ids.iter().filter_map(|id| load(connection, master_key, id).transpose()).collect()
}

/// Reads one client within one read transaction, so that its parts belong together.
fn load(connection: &Connection, master_key: &MasterKey, id: &str) -> Result<Option<Arc<Client>>, Failure> {
    let snapshot = connection.unchecked_transaction()?;
    let mut statement = snapshot.prepare_cached("SELECT metadata FROM client WHERE id = ?1")?;
    let Some(metadata) = statement.query_row([id], |row| row.get::<_, String>(0)).optional()? else { return Ok(None) };
    let metadata = serde_json::from_str(&metadata).map_err(|error| unreadable("client", error))?;
    let client = Client::new(metadata, keys(&snapshot, id)?, secrets(&snapshot, master_key, id)?);
    Ok(Some(Arc::new(client.map_err(|error| unreadable("client", error))?)))
}

/// A key that cannot be used is an error in the log and no obstacle to the client's other keys.
fn keys(connection: &Connection, id: &str) -> Result<Vec<ClientKey>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT jwk, expires_at FROM client_key WHERE client = ?1 ORDER BY position")?;
    let mut rows = statement.query([id])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let expires_at = row.get::<_, Option<i64>>(1)?.map(UnixTime::from_millis);
        let key = ClientKey::from_stored(row.get_ref(0)?.as_str().map_err(|error| unreadable("client key", error))?, expires_at);
        if let Err(error) = key.usable() {
            tracing::error!(client = id, key = %key.name(), %error, "a stored key cannot be used; remove it");
        }
        keys.push(key);
    }
    Ok(keys)
}

fn secrets(connection: &Connection, master_key: &MasterKey, id: &str) -> Result<Vec<ClientSecret>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT kind, value, expires_at FROM client_secret WHERE client = ?1 ORDER BY position")?;
    let mut rows = statement.query([id])?;
    let mut secrets = Vec::new();
    while let Some(row) = rows.next()? {
        secrets.push(secret(row, master_key, id)?);
    }
    Ok(secrets)
}

fn secret(row: &Row<'_>, master_key: &MasterKey, id: &str) -> Result<ClientSecret, Failure> {
    let kind: String = row.get(0)?;
    let value: Vec<u8> = row.get(1)?;
    let expires_at = row.get::<_, Option<i64>>(2)?.map(UnixTime::from_millis);
    if kind == "digest" {
        let digest = value.try_into().map_err(|_| unreadable("client secret", "not 32 octets"))?;
        return Ok(ClientSecret::from_digest(digest, expires_at));
    }
    let opened = master_key.open(&purpose(id), &value).ok_or_else(|| unreadable("client secret", "it does not open"))?;
    let text = std::str::from_utf8(&opened).map_err(|error| unreadable("client secret", error))?;
    let secret = ClientSecret::readable(Zeroizing::new(text.to_owned()), expires_at);
    Ok(secret.map_err(|error| unreadable("client secret", error))?)
}
