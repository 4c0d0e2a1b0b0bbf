//! The replay guard: each (issuer, jti) is accepted once while its assertion could still be valid
//! (RFC 7523 §3 (7)).

use async_trait::async_trait;
use grantor_jose::crypto;

use super::StoreError;
use crate::clock::UnixTime;

/// A fixed-size name for one (issuer, jti): 8 octets that tell the issuer, 24 that tell both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplayKey([u8; 32]);

/// Which issuer a [`ReplayKey`] is of.
pub type IssuerTag = [u8; 8];

impl ReplayKey {
    /// Digests issuer and jti, the issuer's length in front so that no two pairs run together.
    pub fn new(issuer: &str, token_id: &str) -> Self {
        let length = (issuer.len() as u64).to_be_bytes();
        let mut key = crypto::sha256(&[&length, issuer.as_bytes(), token_id.as_bytes()]);
        key[..8].copy_from_slice(&crypto::sha256(&[issuer.as_bytes()])[..8]);
        Self(key)
    }

    /// The key of these octets, as a backend kept them.
    pub fn from_bytes(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same for all keys of one issuer.
    pub fn issuer(&self) -> IssuerTag {
        self.0[..8].try_into().expect("8 octets")
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
    /// New, but its issuer has as many claims in force as it may have. Nothing is recorded.
    OverQuota,
}

/// How many claims of one issuer may be in force at once where nothing else is set: 1,000,000.
pub const DEFAULT_REPLAY_QUOTA: u64 = 1_000_000;

/// Remembers which assertions were used.
#[async_trait]
pub trait ReplayGuard: Send + Sync + 'static {
    /// Claims `key` in one atomic step: [`Claim::Fresh`] if and only if no claim of it with an end
    /// at or after `now` is recorded, by any node that shares the backend. The record is kept
    /// until `until` at least, and never evicted before.
    ///
    /// A backend that may have removed this very claim already, because its clock was ahead for a
    /// while, answers [`StoreError::Unavailable`], and never [`Claim::Fresh`].
    ///
    /// An issuer with `quota` claims in force gets [`Claim::OverQuota`], so that no party can fill
    /// the backend; it is counted again at the latest ten seconds after claims have ended.
    async fn claim(
        &self,
        key: ReplayKey,
        until: UnixTime,
        now: UnixTime,
        quota: u64,
    ) -> Result<Claim, StoreError>;

    /// The time before which uses may have been lost, as when a backup was restored: an assertion
    /// is taken only if it was certainly issued after it. `None` if none was ever lost.
    fn fence(&self) -> Option<UnixTime> {
        None
    }

    /// Whether [`ReplayGuard::claim`] would answer [`Claim::Replayed`] now. Claims nothing: for
    /// explanations, never for decisions.
    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Result<bool, StoreError>;
}
