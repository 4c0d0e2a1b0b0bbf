//! Opaque tokens in SQLite.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    storage::{OpaqueToken, StoreError, TokenDigest, TokenStore},
};
use rusqlite::OptionalExtension as _;

use super::{SqliteStore, error::unreadable};

#[async_trait]
impl TokenStore for SqliteStore {
    async fn token_create(&self, digest: TokenDigest, token: OpaqueToken) -> Result<(), StoreError> {
        let record = serde_json::to_string(&token).expect("a token record is JSON");
        let insert = "INSERT INTO token (digest, record, expires_at) VALUES (?1, ?2, ?3)";
        let inserted = self.0.writer.execute(move |transaction| {
            transaction.prepare_cached(insert)?.execute((digest.as_bytes(), record, token.expires_at.millis()))
        });
        inserted.await.map(drop)
    }

    async fn token(&self, digest: &TokenDigest) -> Result<Option<OpaqueToken>, StoreError> {
        let query = |connection: &rusqlite::Connection| {
            let mut statement = connection.prepare_cached("SELECT record FROM token WHERE digest = ?1")?;
            Ok(statement.query_row([digest.as_bytes()], |row| row.get::<_, String>(0)).optional()?)
        };
        let record = self.0.readers.read_here(query)?;
        let parse = |record: String| serde_json::from_str(&record).map_err(|error| unreadable("token", error));
        record.map(parse).transpose()
    }

    async fn token_revoke(&self, digest: TokenDigest, until: UnixTime) -> Result<(), StoreError> {
        let insert = "INSERT INTO revocation (digest, until) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let inserted = self
            .0
            .writer
            .execute(move |connection| connection.prepare_cached(insert)?.execute((digest.as_bytes(), until.millis())));
        inserted.await.map(drop)
    }

    async fn token_is_revoked(&self, digest: &TokenDigest) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM revocation WHERE digest = ?1)";
        self.0
            .readers
            .read_here(|connection| Ok(connection.prepare_cached(query)?.query_row([digest.as_bytes()], |row| row.get(0))?))
    }
}
