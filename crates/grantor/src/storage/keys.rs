//! The server's own signing keys as an operator changes them.

use std::time::Duration;

use async_trait::async_trait;
use grantor_jose::Algorithm;

use super::StoreError;
use crate::{clock::UnixTime, keys::SigningKeys};

/// Keeps signing keys. [`SigningKeys::key_ring`] is the ring of this moment: a change by this
/// process is in it before the change is answered, one by another process within a second.
#[async_trait]
pub trait KeyStore: SigningKeys {
    /// The signing keys that are published, newest first.
    async fn signing_key_list(&self) -> Result<Vec<SigningKeyInfo>, StoreError>;

    /// Makes a new key, published now, that signs after `ahead`: as long as caches of the key set
    /// may take to notice it. The keys before it stay published for `overlap` after that, which
    /// is the longest life of a token.
    async fn signing_key_rotate(
        &self,
        algorithm: Algorithm,
        ahead: Duration,
        overlap: Duration,
    ) -> Result<SigningKeyInfo, StoreError>;

    /// Removes a key at once: nothing that it signed is accepted here any more, and it is no longer
    /// published. Where it was the one that signs, the next one signs from now on, or a new one of
    /// this algorithm. Answers the keys that are left, newest first.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if no key has this `kid`.
    async fn signing_key_revoke(
        &self,
        key_id: &str,
        algorithm: Algorithm,
    ) -> Result<Vec<SigningKeyInfo>, StoreError>;
}

/// A signing key as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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

impl SigningKeyInfo {
    /// The newest key, which does not sign yet.
    pub fn new(
        key_id: String,
        algorithm: Algorithm,
        created_at: UnixTime,
        signs_from: UnixTime,
    ) -> Self {
        Self {
            key_id,
            algorithm,
            created_at,
            signs_from,
            retires_at: None,
            is_signing: false,
        }
    }
}
