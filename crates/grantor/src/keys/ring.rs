//! The server's own keys: one that signs, and all that are published.

use std::{sync::Arc, time::Duration};

use grantor_jose::{Algorithm, Jwk, PrivateJwk, SigningError, SigningKey, VerificationKey};

use crate::clock::UnixTime;

/// How long before and after its time a key may still have signed: another process learns of a
/// rotation within a second, and `iat` has whole seconds.
const SLACK: Duration = Duration::from_secs(5);

/// The keys of one moment.
#[derive(Debug)]
pub struct KeyRing {
    signing: SigningKey,
    published: Vec<Jwk>,
    own: Vec<OwnKey>,
}

/// A key that is published beside the one that signs: an older one whose tokens live on, or a newer
/// one not yet in use.
#[derive(Clone, Debug)]
pub struct OtherKey {
    jwk: Jwk,
    signs_from: Option<UnixTime>,
    signs_until: Option<UnixTime>,
}

impl OtherKey {
    /// A key that signs nothing before `from` and nothing after `until`, where they are known.
    pub fn new(jwk: Jwk, from: Option<UnixTime>, until: Option<UnixTime>) -> Self {
        Self {
            jwk,
            signs_from: from,
            signs_until: until,
        }
    }
}

/// It may have signed at any time.
impl From<Jwk> for OtherKey {
    fn from(jwk: Jwk) -> Self {
        Self::new(jwk, None, None)
    }
}

/// A published key, ready to verify the server's own tokens.
#[derive(Debug)]
pub struct OwnKey {
    verification: VerificationKey,
    signs_from: Option<UnixTime>,
    signs_until: Option<UnixTime>,
}

impl OwnKey {
    /// The key.
    pub fn verification(&self) -> &VerificationKey {
        &self.verification
    }

    /// Whether this server signed with it at this time, give or take five seconds.
    pub fn signs_at(&self, time: UnixTime) -> bool {
        self.signs_from.is_none_or(|from| time.plus(SLACK) >= from)
            && self
                .signs_until
                .is_none_or(|until| time <= until.plus(SLACK))
    }
}

impl KeyRing {
    /// `current` signs; it and the `others` are published.
    ///
    /// # Errors
    /// [`SigningError`] if the library does not take the key.
    pub fn new(
        current: &PrivateJwk,
        others: impl IntoIterator<Item = OtherKey>,
    ) -> Result<Self, SigningError> {
        let keys: Vec<OtherKey> = std::iter::once(current.public().into())
            .chain(others)
            .collect();
        let own = |key: &OtherKey| {
            let verification = VerificationKey::from_jwk(key.jwk.clone())?;
            Ok(OwnKey {
                verification,
                signs_from: key.signs_from,
                signs_until: key.signs_until,
            })
        };
        let own = keys.iter().map(own).collect::<Result<_, SigningError>>()?;
        let published = keys.into_iter().map(|key| key.jwk).collect();
        Ok(Self {
            signing: current.signing_key()?,
            published,
            own,
        })
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

    /// The published key of this `kid`.
    pub fn own(&self, key_id: &str) -> Option<&OwnKey> {
        self.own
            .iter()
            .find(|key| key.verification.key_id() == Some(key_id))
    }

    /// The public keys of the JWK Set.
    pub fn published(&self) -> &[Jwk] {
        &self.published
    }
}

/// Gives the keys of this moment, without waiting: rotation happens elsewhere and is seen on the
/// next call.
pub trait SigningKeys: Send + Sync + 'static {
    /// The current ring.
    fn key_ring(&self) -> Arc<KeyRing>;
}

impl SigningKeys for Arc<KeyRing> {
    fn key_ring(&self) -> Arc<KeyRing> {
        self.clone()
    }
}
