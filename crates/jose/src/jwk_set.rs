//! JWK Sets: which keys of a set are used, which are skipped, and what spoils the whole set (RFC 7517 §5).

use crate::{
    Jwk, JwkError, JwkSetError, VerificationKey,
    json::{self, Node},
};

/// The usable public keys of a set, and why the others were skipped.
#[derive(Debug, Default)]
pub struct JwkSet {
    /// Keys ready to verify, in the order of the set.
    pub keys: Vec<VerificationKey>,
    /// Position in the set (from 0) and reason of each key that is not used (RFC 7517 §5: the rest still works).
    pub skipped: Vec<(usize, JwkError)>,
}

impl JwkSet {
    /// Most keys in one set.
    pub const MAX_KEYS: usize = 100;

    /// Reads a public set. RSA keys are vetted as by [`Jwk::vet`], but for prime moduli.
    ///
    /// # Errors
    /// [`JwkSetError`] if this is no key set, or if any key in it is private or symmetric.
    pub fn parse(input: &[u8]) -> Result<Self, JwkSetError> {
        let set = json::members(input)?;
        let Some(Node::Array(nodes)) = set.get("keys") else { return Err(JwkSetError::NoKeys) };
        if nodes.len() > Self::MAX_KEYS {
            return Err(JwkSetError::TooMany(Self::MAX_KEYS));
        }
        let mut parsed = Self::default();
        for (index, node) in nodes.iter().enumerate() {
            let Node::Object(jwk) = node else { return Err(JwkSetError::NoKeys) };
            let vetted = Jwk::from_members(jwk).and_then(|jwk| jwk.vet_briefly().map(|()| jwk));
            match vetted.and_then(VerificationKey::from_jwk) {
                Ok(key) => parsed.keys.push(key),
                Err(error @ JwkError::Private(_)) => return Err(JwkSetError::Private { index, error }),
                Err(error) => parsed.skipped.push((index, error)),
            }
        }
        Ok(parsed)
    }
}
