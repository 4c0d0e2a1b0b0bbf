//! A client's secret: kept as a digest, or readable where its MAC must be verified.

use std::sync::Arc;

use grantor_jose::{VerificationKey, crypto};
use zeroize::Zeroizing;

use crate::clock::UnixTime;

/// A secret the server made for a client, with an optional end (RFC 7591 §3.2.1,
/// `client_secret_expires_at`).
#[derive(Clone, Debug)]
pub struct ClientSecret {
    value: SecretValue,
    /// From then on the secret is refused; `None` for never.
    pub expires_at: Option<UnixTime>,
}

#[derive(Clone)]
enum SecretValue {
    Digest([u8; 32]),
    Readable {
        secret: Zeroizing<String>,
        key: Arc<VerificationKey>,
    },
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

impl ClientSecret {
    /// A new random secret of 64 characters of `[A-Za-z0-9_-]`: 384 bits, enough for HS512.
    pub fn generate() -> Zeroizing<String> {
        Zeroizing::new(grantor_jose::base64url_encode(crypto::random_bytes::<48>()))
    }

    /// Keeps only the SHA-256 digest: for `client_secret_basic` and `client_secret_post`. A random
    /// secret of 384 bits needs no slow hash. One longer than [`PresentedSecret::MAX_BYTES`]
    /// never matches.
    pub fn digest(secret: &str, expires_at: Option<UnixTime>) -> Self {
        Self::from_digest(crypto::sha256(&[secret.as_bytes()]), expires_at)
    }

    /// From a stored digest.
    pub fn from_digest(digest: [u8; 32], expires_at: Option<UnixTime>) -> Self {
        Self {
            value: SecretValue::Digest(digest),
            expires_at,
        }
    }

    /// Keeps the secret itself: for `client_secret_jwt`, whose MAC cannot be verified without.
    ///
    /// # Errors
    /// [`grantor_jose::JwkError::WeakSecret`] below 32 octets (RFC 7518 §3.2).
    pub fn readable(
        secret: Zeroizing<String>,
        expires_at: Option<UnixTime>,
    ) -> Result<Self, grantor_jose::JwkError> {
        let key = Arc::new(VerificationKey::from_secret(secret.as_bytes(), None)?);
        Ok(Self {
            value: SecretValue::Readable { secret, key },
            expires_at,
        })
    }

    /// Whether `presented` is this secret and `now` is before its end. Takes the same time for
    /// every wrong secret.
    pub fn matches(&self, presented: &PresentedSecret, now: UnixTime) -> bool {
        let SecretValue::Digest(digest) = &self.value else {
            return false;
        };
        crypto::constant_time_eq(digest, &presented.0) && self.is_live(now)
    }

    /// The HMAC key, of a readable secret before its end.
    pub fn mac_key(&self, now: UnixTime) -> Option<&Arc<VerificationKey>> {
        match &self.value {
            SecretValue::Readable { key, .. } if self.is_live(now) => Some(key),
            _ => None,
        }
    }

    /// The digest, if that is what is kept.
    pub fn stored_digest(&self) -> Option<&[u8; 32]> {
        match &self.value {
            SecretValue::Digest(digest) => Some(digest),
            SecretValue::Readable { .. } => None,
        }
    }

    /// The secret itself, if that is what is kept: to be encrypted before it is written anywhere.
    pub fn expose(&self) -> Option<&str> {
        match &self.value {
            SecretValue::Readable { secret, .. } => Some(secret),
            SecretValue::Digest(_) => None,
        }
    }

    /// What records call it by: the beginning of its digest, whichever way it is kept.
    pub fn fingerprint(&self) -> String {
        super::fingerprint(&match &self.value {
            SecretValue::Digest(digest) => *digest,
            SecretValue::Readable { secret, .. } => crypto::sha256(&[secret.as_bytes()]),
        })
    }

    /// The same secret, ending at `end` at the latest.
    #[must_use]
    pub fn ending_at(self, end: UnixTime) -> Self {
        Self {
            expires_at: Some(self.expires_at.map_or(end, |expiry| expiry.min(end))),
            ..self
        }
    }

    /// Whether `now` is before its end.
    pub fn is_live(&self, now: UnixTime) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// The digest of a secret that somebody presents: taken once, whether or not there is anything to
/// compare it with, so that the time does not tell how many secrets a client has, nor whether there
/// is such a client.
pub struct PresentedSecret([u8; 32]);

impl PresentedSecret {
    /// Octets of the longest secret that is looked at; the server's own have 64.
    pub const MAX_BYTES: usize = 1024;

    /// `None` if the secret is longer than any.
    pub fn of(secret: &str) -> Option<Self> {
        (secret.len() <= Self::MAX_BYTES).then(|| Self(crypto::sha256(&[secret.as_bytes()])))
    }
}

impl std::fmt::Debug for PresentedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PresentedSecret(..)")
    }
}
