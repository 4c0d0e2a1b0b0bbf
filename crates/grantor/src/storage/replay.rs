//! The replay guard: each (issuer, jti) is accepted once while its assertion could still be valid (RFC 7523 §3 (7)).

use async_trait::async_trait;
use grantor_jose::crypto;

use super::StoreError;
use crate::clock::UnixTime;

/// A fixed-size name for one (issuer, jti).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    /// Digests issuer and jti, the issuer's length in front so that no two pairs run together.
    pub fn new(issuer: &str, token_id: &str) -> Self {
        let length = (issuer.len() as u64).to_be_bytes();
        Self(crypto::sha256(&[&length, issuer.as_bytes(), token_id.as_bytes()]))
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How a claim went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Claim {
    /// The first use. It is recorded, durably where the backend is durable.
    Fresh,
    /// Used before.
    Replayed,
}

/// Remembers which assertions were used.
#[async_trait]
pub trait ReplayGuard: Send + Sync + 'static {
    /// Claims `key` in one atomic step: [`Claim::Fresh`] if and only if no claim of it with an end at or after `now` is
    /// recorded, by any node that shares the backend. The record is kept until `until` at least, and never evicted before.
    async fn claim(&self, key: ReplayKey, until: UnixTime, now: UnixTime) -> Result<Claim, StoreError>;

    /// Whether [`ReplayGuard::claim`] would answer [`Claim::Replayed`] now. Claims nothing: for explanations, never for decisions.
    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError>;
}
