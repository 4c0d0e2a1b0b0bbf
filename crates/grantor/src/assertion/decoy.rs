//! Keys of nobody: an assertion that is refused before its signature was looked at is verified with
//! one of these, and the result thrown away, so that the time of the answer does not tell who is
//! registered (RFC 6749 §10.2 asks for as much of secrets).

use std::sync::Arc;

use grantor_jose::{
    Algorithm, Jwk, JwkError, PrivateJwk, SigningError, VerificationKey, base64url_encode, crypto,
};

use super::Assertion;
use crate::keys::{Candidate, KeySource, MAX_CANDIDATES};

/// Octets of RSA moduli: those of nearly all keys.
const RSA_BYTES: [usize; 3] = [256, 384, 512];

/// One key for each kind of signature, and as many secrets as are tried for an assertion at most:
/// how many a client has must not show either.
pub struct Decoys {
    keys: Vec<VerificationKey>,
    secrets: Vec<Candidate>,
}

impl Decoys {
    /// Keys whose private halves are forgotten at once, or that have none.
    ///
    /// # Errors
    /// [`SigningError`] if the library makes none.
    pub fn new() -> Result<Self, SigningError> {
        let made = [
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Es512,
            Algorithm::Ed25519,
        ]
        .map(PrivateJwk::generate);
        let public = made.into_iter().map(|key| key.map(|key| key.public()));
        let all = public.chain(RSA_BYTES.map(|bytes| Ok(rsa(bytes)?)));
        let keys = all
            .map(|jwk| Ok::<_, SigningError>(VerificationKey::from_jwk(jwk?)?))
            .collect::<Result<_, _>>()?;
        let secret = || -> Result<Candidate, SigningError> {
            // 64 octets, as the server's own.
            let key = VerificationKey::from_secret(&crypto::random_bytes::<64>(), None)?;
            Ok(Candidate {
                key: Arc::new(key),
                source: KeySource::Other("decoy"),
            })
        };
        Ok(Self {
            keys,
            secrets: (0..MAX_CANDIDATES)
                .map(|_| secret())
                .collect::<Result<_, _>>()?,
        })
    }

    /// Does the work of verifying, and says nothing about the outcome.
    pub fn verify(&self, assertion: &Assertion<'_>) {
        let algorithm = assertion.header().algorithm();
        // A signature of another length than its RSA key's is refused at once, whoever's key that
        // is.
        let is_as_long = |key: &VerificationKey| {
            key.modulus_bytes()
                .is_none_or(|bytes| bytes == assertion.signature_bytes())
        };
        let keys = self
            .keys
            .iter()
            .chain(self.secrets.iter().map(AsRef::as_ref));
        // Whatever comes of it, the caller refuses.
        let _ = assertion.verified_by(keys.filter(|key| key.accepts(algorithm) && is_as_long(key)));
    }

    /// Does the work of verifying if `keys` are for RSA and none of them can have made a signature
    /// of this length: they are refused at once, and that must not tell how long they are.
    pub fn verify_beside(&self, assertion: &Assertion<'_>, keys: &[Candidate]) {
        let mut lengths = keys
            .iter()
            .filter_map(|candidate| candidate.key.modulus_bytes())
            .peekable();
        if lengths.peek().is_some() && lengths.all(|bytes| bytes != assertion.signature_bytes()) {
            self.verify(assertion);
        }
    }

    /// Fills the secrets that an assertion is tried with up to [`MAX_CANDIDATES`]. They come last,
    /// so that an assertion that is right costs no more; none of them verifies anything, for
    /// nobody knows them.
    pub fn fill(&self, secrets: &mut Vec<Candidate>) {
        let missing = MAX_CANDIDATES.saturating_sub(secrets.len());
        secrets.extend(self.secrets.iter().take(missing).cloned());
    }
}

/// An RSA key of this length. Its modulus is a number at random: no one can tell, or has its
/// factors, and a product of two primes takes seconds to make.
pub(super) fn rsa(bytes: usize) -> Result<Jwk, JwkError> {
    let mut modulus: Vec<u8> = crypto::random_bytes::<512>()[..bytes].to_vec();
    modulus[0] |= 0x80;
    modulus[bytes - 1] |= 1;
    Jwk::parse(
        format!(
            r#"{{"kty":"RSA","e":"AQAB","n":"{}"}}"#,
            base64url_encode(modulus)
        )
        .as_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use grantor_jose::{KeyType, compact, json::Object, signing_input};

    use super::*;

    #[test]
    fn a_mac_is_tried_with_as_many_secrets_for_nobody_as_for_anybody() {
        let decoys = Decoys::new().expect("keys");
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            assert_eq!(
                decoys
                    .secrets
                    .iter()
                    .filter(|secret| secret.key.accepts(algorithm))
                    .count(),
                MAX_CANDIDATES
            );
        }
        let own = Candidate {
            key: decoys.secrets[0].key.clone(),
            source: KeySource::Secret(1),
        };
        for count in 0..=MAX_CANDIDATES {
            let mut secrets = vec![own.clone(); count];
            decoys.fill(&mut secrets);
            assert_eq!(secrets.len(), MAX_CANDIDATES);
            assert!(
                secrets[..count]
                    .iter()
                    .all(|secret| secret.source == own.source),
                "the client's own come first"
            );
        }
    }

    #[test]
    fn there_is_a_key_of_nobody_for_every_algorithm_and_usual_length() {
        let decoys = Decoys::new().expect("keys");
        for algorithm in Algorithm::ALL
            .into_iter()
            .filter(|algorithm| !algorithm.is_mac())
        {
            let lengths: Vec<_> = decoys
                .keys
                .iter()
                .filter(|key| key.accepts(algorithm))
                .map(VerificationKey::modulus_bytes)
                .collect();
            let is_rsa = algorithm.key_type() == KeyType::Rsa;
            assert_eq!(
                lengths,
                if is_rsa {
                    vec![Some(256), Some(384), Some(512)]
                } else {
                    vec![None]
                },
                "{algorithm}"
            );
        }
    }

    /// Of one length a signature took 16 us for nobody, and under 1 us for keys of another. Within
    /// a process there is little noise.
    #[test]
    fn an_rsa_signature_takes_as_long_for_nobody_as_for_a_key_of_any_length() {
        let decoys = Decoys::new().expect("keys");
        for signature in RSA_BYTES {
            let input = signing_input(Algorithm::Rs256, Object::new(), br#"{"iss":"a"}"#);
            // Below every modulus of its length.
            let token = compact(input, &[&[0][..], &vec![7; signature - 1]].concat());
            let assertion = Assertion::parse(&token).expect("an assertion");
            let nobody = median(|| decoys.verify(&assertion));
            for bytes in RSA_BYTES {
                let key = VerificationKey::from_jwk(rsa(bytes).expect("a key")).expect("a key");
                let keys = [Candidate {
                    key: Arc::new(key),
                    source: KeySource::Registered(1),
                }];
                let known = median(|| {
                    decoys.verify_beside(&assertion, &keys);
                    assert!(
                        assertion
                            .verified_by(keys.iter().map(AsRef::as_ref))
                            .is_none()
                    );
                });
                let is_close = nobody < known * 2 && known < nobody * 2;
                assert!(
                    is_close,
                    "a signature of {signature} octets: {nobody:?} for nobody, {known:?} for a key of {bytes}"
                );
            }
        }
    }

    fn median(work: impl Fn()) -> std::time::Duration {
        let mut times = (0..101)
            .map(|_| {
                let started = std::time::Instant::now();
                work();
                started.elapsed()
            })
            .collect::<Vec<_>>();
        times.sort_unstable();
        times[50]
    }
}
