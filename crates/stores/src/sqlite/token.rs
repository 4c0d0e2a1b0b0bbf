//! Opaque tokens and revocations in SQLite.

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    storage::{OpaqueToken, Put, Revocation, StoreError, TokenDigest, TokenStore},
};
use rusqlite::OptionalExtension as _;

use super::{SqliteStore, error::unreadable, revision::column};

/// Counts the tokens of a client that end at a time or later.
pub(super) const COUNT_TOKENS: &str =
    "SELECT count(*) FROM token WHERE client = ?1 AND expires_at >= ?2";
/// Counts the revocations of a client that end at a time or later.
pub(super) const COUNT_REVOCATIONS: &str =
    "SELECT count(*) FROM revocation WHERE client = ?1 AND until >= ?2";

#[async_trait]
impl TokenStore for SqliteStore {
    async fn token_create(
        &self,
        digest: TokenDigest,
        token: OpaqueToken,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let client = token.origin.map(|origin| column(origin.client));
        if let Some(client) = client
            && !self
                .0
                .tokens
                .take(self.0.readers(), client, token.issued_at, quota)?
        {
            return Ok(Put::OverQuota);
        }
        let record = serde_json::to_string(&token).expect("a token record is JSON");
        let insert =
            "INSERT INTO token (digest, record, expires_at, client) VALUES (?1, ?2, ?3, ?4)";
        let inserted = self.0.writer.execute(move |transaction| {
            transaction.prepare_cached(insert)?.execute((
                digest.as_bytes(),
                record,
                token.expires_at.millis(),
                client,
            ))
        });
        inserted.await.map(|_| Put::Kept)
    }

    async fn token(&self, digest: &TokenDigest) -> Result<Option<OpaqueToken>, StoreError> {
        let query = |connection: &rusqlite::Connection| {
            let mut statement =
                connection.prepare_cached("SELECT record FROM token WHERE digest = ?1")?;
            Ok(statement
                .query_row([digest.as_bytes()], |row| row.get::<_, String>(0))
                .optional()?)
        };
        let record = self.0.readers().read_here(query)?;
        let parse = |record: String| {
            serde_json::from_str(&record).map_err(|error| unreadable("token", error))
        };
        record.map(parse).transpose()
    }

    async fn token_revoke(
        &self,
        digest: TokenDigest,
        revocation: Revocation,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let (client, until) = (column(revocation.client), revocation.until.millis());
        if !self
            .0
            .revocations
            .take(self.0.readers(), client, revocation.at, quota)?
        {
            return Ok(Put::OverQuota);
        }
        let insert = "INSERT INTO revocation (digest, until, client) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        let inserted = self.0.writer.execute(move |connection| {
            connection
                .prepare_cached(insert)?
                .execute((digest.as_bytes(), until, client))
        });
        inserted.await.map(|_| Put::Kept)
    }

    async fn token_is_revoked(
        &self,
        digest: &TokenDigest,
        issued_at: UnixTime,
    ) -> Result<bool, StoreError> {
        let query = "SELECT EXISTS (SELECT 1 FROM revocation WHERE digest = ?1)";
        let is_recorded = self.0.readers().read_here(|connection| {
            // Whoever else removes revocations has said so in the state that is read here.
            let transaction = connection.unchecked_transaction()?;
            self.0.source().marks.reload(&transaction)?;
            Ok(transaction
                .prepare_cached(query)?
                .query_row([digest.as_bytes()], |row| row.get::<_, bool>(0))?)
        })?;
        Ok(is_recorded
            || self
                .0
                .source()
                .marks
                .may_have_been_revoked(issued_at, self.0.cached.clock().now()))
    }
}
