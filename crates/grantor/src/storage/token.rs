//! Opaque access tokens: stored by digest, so that a copy of the store holds no usable token.

use async_trait::async_trait;
use grantor_jose::crypto;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::{
    clock::UnixTime,
    types::{ClientId, Scope, SubjectId},
};

/// SHA-256 of an opaque access token, or of the `jti` of a JWT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Digests a token.
    pub fn of(token: &str) -> Self {
        Self(crypto::sha256(&[token.as_bytes()]))
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Which registrations an access token was issued for, by their numbers
/// ([`Revision::number`](crate::registry::Revision)): it ends with them, also when others take over their
/// names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenOrigin {
    /// The client.
    pub client: u64,
    /// The subject; `None` where the token is about the client itself, or a grant of the
    /// embedder's own knows no number.
    pub subject: Option<u64>,
    /// The permission that it was issued under.
    pub permission: Option<u64>,
}

/// What an opaque access token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpaqueToken {
    /// Who got it.
    pub client: ClientId,
    /// Whom it is about.
    pub subject: SubjectId,
    /// What it allows.
    pub scope: Scope,
    /// Whom it is for.
    pub audience: String,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// Which registrations it was issued for; `None` in a record of an earlier version.
    #[serde(default)]
    pub origin: Option<TokenOrigin>,
}

/// How keeping something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// It is recorded, durably where the backend is durable.
    Kept,
    /// Its client has as much in force as it may have. Nothing is recorded.
    OverQuota,
}

/// A client gives a token back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The number of the client ([`TokenOrigin::client`]).
    pub client: u64,
    /// When it did.
    pub at: UnixTime,
    /// When the token would have expired.
    pub until: UnixTime,
}

/// How many opaque tokens, and how many revocations, of one client may be in force at once where
/// nothing else is set: 100,000.
pub const DEFAULT_TOKEN_QUOTA: u64 = 100_000;

/// Keeps opaque access tokens, and which access tokens of either form were revoked.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// Records a token, unless its client (by [`TokenOrigin::client`]) has `quota` of them in
    /// force. When this answers [`Put::Kept`], the token may be answered. A client over its
    /// quota is counted again ten seconds later at the latest.
    async fn token_create(
        &self,
        digest: TokenDigest,
        token: OpaqueToken,
        quota: u64,
    ) -> Result<Put, StoreError>;
    /// The token with this digest, if and only if it is recorded; an expired one may be gone.
    async fn token(&self, digest: &TokenDigest) -> Result<Option<OpaqueToken>, StoreError>;

    /// Records that the token with this digest is revoked, until it would have expired, unless its
    /// client has `quota` revocations in force. When this answers [`Put::Kept`], it is in
    /// force.
    async fn token_revoke(
        &self,
        digest: TokenDigest,
        revocation: Revocation,
        quota: u64,
    ) -> Result<Put, StoreError>;
    /// Whether [`TokenStore::token_revoke`] was called for this digest, or may have been for a
    /// token issued then: the backend may have lost that, as when a backup was restored, or the
    /// clock was far ahead for a while.
    async fn token_is_revoked(
        &self,
        digest: &TokenDigest,
        issued_at: UnixTime,
    ) -> Result<bool, StoreError>;
}
