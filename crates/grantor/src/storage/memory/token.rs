//! Opaque tokens and revocations in memory.

use std::{collections::HashMap, fmt, time::Duration};

use async_trait::async_trait;

use super::{MemoryStore, RECOUNT_AFTER, lock};
use crate::{
    clock::UnixTime,
    storage::{OpaqueToken, Put, Revocation, StoreError, TokenDigest, TokenStore},
};

/// What there is.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    tokens: Expiring<OpaqueToken>,
    revocations: Expiring<()>,
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn token_create(
        &self,
        digest: TokenDigest,
        token: OpaqueToken,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let client = token.origin.map(|origin| origin.client);
        let (now, until) = (token.issued_at, token.expires_at);
        Ok(lock(&self.tokens).tokens.put(
            digest,
            Kept {
                client,
                until,
                value: token,
            },
            now,
            quota,
        ))
    }

    async fn token(&self, digest: &TokenDigest) -> Result<Option<OpaqueToken>, StoreError> {
        Ok(lock(&self.tokens)
            .tokens
            .records
            .get(digest)
            .map(|kept| kept.value.clone()))
    }

    async fn token_revoke(
        &self,
        digest: TokenDigest,
        revocation: Revocation,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let Revocation { client, at, until } = revocation;
        Ok(lock(&self.tokens).revocations.put(
            digest,
            Kept {
                client: Some(client),
                until,
                value: (),
            },
            at,
            quota,
        ))
    }

    async fn token_is_revoked(
        &self,
        digest: &TokenDigest,
        _: UnixTime,
    ) -> Result<bool, StoreError> {
        Ok(lock(&self.tokens).revocations.records.contains_key(digest))
    }
}

/// How much longer a record is kept than it lasts: a clock that is ahead for a while brings no
/// revoked token back.
const KEPT_BEYOND_END: Duration = Duration::from_secs(86_400);

/// Records that end, counted by client.
struct Expiring<T> {
    records: HashMap<TokenDigest, Kept<T>>,
    by_client: HashMap<u64, u64>,
    /// What ended before may be gone.
    swept_to: Option<UnixTime>,
}

/// The records.
impl<T: fmt::Debug> fmt::Debug for Expiring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.records.fmt(f)
    }
}

#[derive(Debug)]
struct Kept<T> {
    client: Option<u64>,
    until: UnixTime,
    value: T,
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self {
            records: HashMap::new(),
            by_client: HashMap::new(),
            swept_to: None,
        }
    }
}

impl<T> Expiring<T> {
    fn put(&mut self, digest: TokenDigest, record: Kept<T>, now: UnixTime, quota: u64) -> Put {
        let client = record.client;
        let recount = self.is_full(client, quota)
            && self
                .swept_to
                .is_none_or(|swept_to| swept_to.plus(RECOUNT_AFTER) <= now);
        if recount || (self.records.len() >= 1024 && self.records.len().is_power_of_two()) {
            self.sweep(now);
        }
        if self.is_full(client, quota) {
            return Put::OverQuota;
        }
        if self.records.insert(digest, record).is_none() {
            client
                .into_iter()
                .for_each(|client| *self.by_client.entry(client).or_default() += 1);
        }
        Put::Kept
    }

    fn is_full(&self, client: Option<u64>, quota: u64) -> bool {
        client
            .and_then(|client| self.by_client.get(&client))
            .is_some_and(|held| *held >= quota)
    }

    fn sweep(&mut self, now: UnixTime) {
        self.swept_to = self.swept_to.max(Some(now));
        self.records
            .retain(|_, record| record.until.plus(KEPT_BEYOND_END) > now);
        self.by_client.clear();
        for client in self
            .records
            .values()
            .filter(|record| record.until > now)
            .filter_map(|record| record.client)
        {
            *self.by_client.entry(client).or_default() += 1;
        }
    }
}
