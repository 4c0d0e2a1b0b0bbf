//! The server's own keys: one that signs, and all that are published.

use std::sync::Arc;

use grantor_jose::{Algorithm, Jwk, PrivateJwk, SigningError, SigningKey, VerificationKey};

/// The keys of one moment.
#[derive(Debug)]
pub struct KeyRing {
    signing: SigningKey,
    published: Vec<Jwk>,
    verification: Vec<VerificationKey>,
}

impl KeyRing {
    /// `current` signs; it and the `others` (older keys whose tokens live on, newer ones not yet in use) are published.
    ///
    /// # Errors
    /// [`SigningError`] if the library does not take the key.
    pub fn new(current: &PrivateJwk, others: impl IntoIterator<Item = Jwk>) -> Result<Self, SigningError> {
        let published: Vec<Jwk> = std::iter::once(current.public()).chain(others).collect();
        let verification = published.iter().cloned().map(VerificationKey::from_jwk).collect::<Result<_, _>>()?;
        Ok(Self { signing: current.signing_key()?, published, verification })
    }

    /// A ring of one new key.
    ///
    /// # Errors
    /// As [`PrivateJwk::generate`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningError> {
        Self::new(&PrivateJwk::generate(algorithm)?, [])
    }

    /// The key that signs access tokens now.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The published key of this `kid`, ready to verify the server's own tokens.
    pub fn verification(&self, key_id: &str) -> Option<&VerificationKey> {
        self.verification.iter().find(|key| key.key_id() == Some(key_id))
    }

    /// The public keys of the JWK Set.
    pub fn published(&self) -> &[Jwk] {
        &self.published
    }
}

/// Gives the keys of this moment, without waiting: rotation happens elsewhere and is seen on the next call.
pub trait SigningKeys: Send + Sync + 'static {
    /// The current ring.
    fn key_ring(&self) -> Arc<KeyRing>;
}

impl SigningKeys for Arc<KeyRing> {
    fn key_ring(&self) -> Arc<KeyRing> {
        self.clone()
    }
}
