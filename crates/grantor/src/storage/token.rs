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

/// Which registrations an access token was issued for, by their numbers ([`Revision::number`](super::Revision)): it ends with them, also
/// when others take over their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenOrigin {
    /// The client.
    pub client: u64,
    /// The subject; `None` where the token is about the client itself, or a grant of the embedder's own knows no number.
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

/// Keeps opaque access tokens, and which access tokens of either form were revoked.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// Records a token. When this returns, the token may be answered.
    async fn token_create(&self, digest: TokenDigest, token: OpaqueToken) -> Result<(), StoreError>;
    /// The token with this digest, if and only if it is recorded; an expired one may be gone.
    async fn token(&self, digest: &TokenDigest) -> Result<Option<OpaqueToken>, StoreError>;

    /// Records that the token with this digest is revoked, until it would have expired. When this returns, it is in force.
    async fn token_revoke(&self, digest: TokenDigest, until: UnixTime) -> Result<(), StoreError>;
    /// Whether [`TokenStore::token_revoke`] was called for this digest; a record past its end may be gone.
    async fn token_is_revoked(&self, digest: &TokenDigest) -> Result<bool, StoreError>;
}
