//! JWK Sets: which keys of a set are used, which are skipped, and what spoils the whole set (RFC
//! 7517 §5).

use crate::{
    Jwk, JwkError, JwkSetError, VerificationKey,
    json::{self, Members, Node},
    jwk::{may_verify, may_verify_as, not_private},
};

/// The usable public keys of a set, and why the others were skipped.
#[derive(Debug, Default)]
pub struct JwkSet {
    /// Keys ready to verify, in the order of the set.
    pub keys: Vec<VerificationKey>,
    /// Each key that is not used (RFC 7517 §5: the rest still works).
    pub skipped: Vec<SkippedKey>,
}

/// A key of a set that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedKey {
    /// Its position in the set, from 0.
    pub index: usize,
    /// Its `kid`, where that can be read.
    pub key_id: Option<String>,
    /// What is wrong with it.
    pub reason: JwkError,
}

impl SkippedKey {
    /// Whether the key is merely not for us: of a type or algorithm that is not known here, or for
    /// encryption. Nobody has to mend it.
    pub fn is_for_others(&self) -> bool {
        matches!(
            self.reason,
            JwkError::Unsupported(_) | JwkError::NotForVerification
        )
    }
}

impl JwkSet {
    /// Most keys in one set.
    pub const MAX_KEYS: usize = 100;

    /// Reads a public set. RSA keys are vetted as by [`Jwk::vet`], but for prime moduli.
    ///
    /// # Errors
    /// [`JwkSetError`] if this is no key set, or if any key in it is private or symmetric.
    pub fn parse(input: &[u8]) -> Result<Self, JwkSetError> {
        Self::read(input, usable)
    }

    /// Reads the keys of a SPIFFE bundle that verify JWT-SVIDs (SPIFFE Trust Domain and Bundle
    /// §4.2.2, JWT-SVID §6): those with `use: jwt-svid` and a `kid`. As [`JwkSet::parse`] else.
    ///
    /// # Errors
    /// As [`JwkSet::parse`].
    pub fn parse_spiffe(input: &[u8]) -> Result<Self, JwkSetError> {
        Self::read(input, usable_for_svids)
    }

    fn read(
        input: &[u8],
        usable: fn(&Members<'_>) -> Result<VerificationKey, JwkError>,
    ) -> Result<Self, JwkSetError> {
        let set = json::members(input)?;
        let Some(Node::Array(nodes)) = set.get("keys") else {
            return Err(JwkSetError::NoKeys);
        };
        if nodes.len() > Self::MAX_KEYS {
            return Err(JwkSetError::TooMany(Self::MAX_KEYS));
        }
        let mut parsed = Self::default();
        for (index, node) in nodes.iter().enumerate() {
            let Node::Object(jwk) = node else {
                return Err(JwkSetError::NoKeys);
            };
            match usable(jwk) {
                Ok(key) => parsed.keys.push(key),
                Err(error @ JwkError::Private(_)) => {
                    return Err(JwkSetError::Private { index, error });
                }
                Err(reason) => {
                    let key_id = jwk.get("kid").and_then(Node::as_text).map(str::to_owned);
                    parsed.skipped.push(SkippedKey {
                        index,
                        key_id,
                        reason,
                    });
                }
            }
        }
        Ok(parsed)
    }
}

fn usable(jwk: &Members<'_>) -> Result<VerificationKey, JwkError> {
    not_private(jwk)?;
    // What is not for verifying is not judged either: the rules for signatures are not its rules.
    if !may_verify(jwk)? {
        return Err(JwkError::NotForVerification);
    }
    vetted(Jwk::public_half(jwk)?)
}

fn usable_for_svids(jwk: &Members<'_>) -> Result<VerificationKey, JwkError> {
    not_private(jwk)?;
    if !may_verify_as(jwk, |key_use| key_use == Some("jwt-svid"))? {
        return Err(JwkError::NotForVerification);
    }
    let jwk = Jwk::public_half(jwk)?.for_verifying();
    match jwk.key_id() {
        None | Some("") => Err(JwkError::Missing("kid")),
        Some(_) => vetted(jwk),
    }
}

fn vetted(jwk: Jwk) -> Result<VerificationKey, JwkError> {
    jwk.vet_briefly()?;
    VerificationKey::from_jwk(jwk)
}
