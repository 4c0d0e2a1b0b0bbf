//! Choosing a client's key for an assertion. Keys come from the registry only; the token merely points at one (RFC 8725 §3.1).

use std::sync::Arc;

use async_trait::async_trait;
use grantor_jose::{Algorithm, Header, VerificationKey};

use crate::{
    clock::UnixTime,
    storage::{Client, StoreError},
    types::AuthMethod,
};

/// Most keys tried for an assertion without `kid`.
pub const MAX_CANDIDATES: usize = 4;

/// Which of a client's keys an assertion may be verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Its registered public keys.
    Public,
    /// Its client secret: `client_secret_jwt` and nothing else.
    Secret,
}

impl KeyKind {
    /// The keys behind a client authentication method; `None` for one without assertions.
    pub fn of_method(method: &AuthMethod) -> Option<Self> {
        match method {
            _ if *method == AuthMethod::PRIVATE_KEY_JWT => Some(Self::Public),
            _ if *method == AuthMethod::CLIENT_SECRET_JWT => Some(Self::Secret),
            _ => None,
        }
    }
}

/// Why no key was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The client has no key of this `kid` (RFC 7515 §4.1.4).
    #[error("the client has no key with this kid")]
    UnknownKeyId,
    /// None of the client's keys may be used with this algorithm.
    #[error("the client has no key for algorithm {0}")]
    NoKeyForAlgorithm(Algorithm),
    /// All secrets have expired (RFC 7591 §3.2.1).
    #[error("the client's secrets have expired")]
    SecretExpired,
    /// The key's source failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Resolves a client's key.
#[async_trait]
pub trait KeyResolver: Send + Sync + 'static {
    /// The keys of `client` that may verify a token with this header: all of the `kind`, for the header's algorithm, and,
    /// where the header has a `kid`, of that `kid` to the letter. At most [`MAX_CANDIDATES`], and never none.
    async fn resolve_keys(
        &self,
        client: &Client,
        kind: KeyKind,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Arc<VerificationKey>>, KeyError>;
}

/// The keys that were registered with the client.
#[derive(Clone, Copy, Debug, Default)]
pub struct RegisteredKeys;

#[async_trait]
impl KeyResolver for RegisteredKeys {
    async fn resolve_keys(
        &self,
        client: &Client,
        kind: KeyKind,
        header: &Header,
        now: UnixTime,
    ) -> Result<Vec<Arc<VerificationKey>>, KeyError> {
        let algorithm = header.algorithm();
        let keys: Vec<_> = match kind {
            KeyKind::Public => {
                let named = |key: &&Arc<VerificationKey>| header.key_id().is_none() || key.key_id() == header.key_id();
                let mut named = client.keys().iter().filter(named).peekable();
                if header.key_id().is_some() && named.peek().is_none() {
                    return Err(KeyError::UnknownKeyId);
                }
                named.filter(|key| key.accepts(algorithm)).take(MAX_CANDIDATES).cloned().collect()
            }
            // A secret has no kid; some clients invent one, which is ignored.
            KeyKind::Secret => {
                let mut live = client.secrets().iter().filter_map(|secret| secret.mac_key(now)).peekable();
                if live.peek().is_none() {
                    return Err(KeyError::SecretExpired);
                }
                live.filter(|key| key.accepts(algorithm)).take(MAX_CANDIDATES).cloned().collect()
            }
        };
        if keys.is_empty() { Err(KeyError::NoKeyForAlgorithm(algorithm)) } else { Ok(keys) }
    }
}
