//! Keys of nobody: an assertion that is refused before its signature was looked at is verified with one of these, and the result
//! thrown away, so that the time of the answer does not tell who is registered (RFC 6749 §10.2 asks for as much of secrets).

use std::sync::Arc;

use grantor_jose::{Algorithm, Jwk, PrivateJwk, SigningError, VerificationKey, crypto};

use super::{Candidate, KeySource, MAX_CANDIDATES};
use crate::assertion::Assertion;

/// The RSA key of RFC 7515 appendix A.2: a key of that size takes seconds to make.
const RSA: &str = concat!(
    r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0"#,
    r#"Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7"#,
    r#"WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5"#,
    r#"4h4FRWyuXpoQ"}"#
);

/// One key for each kind of signature, and as many secrets as are tried for an assertion at most: how many a client has must not show
/// either.
pub struct Decoys {
    keys: Vec<VerificationKey>,
    secrets: Vec<Candidate>,
}

impl Decoys {
    /// Keys whose private halves are forgotten at once, or known to everybody and registered by nobody.
    ///
    /// # Errors
    /// [`SigningError`] if the library makes none.
    pub fn new() -> Result<Self, SigningError> {
        let made = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Ed25519].map(PrivateJwk::generate);
        let public = made.into_iter().map(|key| key.map(|key| key.public()));
        let all = public.chain([Jwk::parse(RSA.as_bytes()).map_err(SigningError::from)]);
        let keys = all.map(|jwk| Ok::<_, SigningError>(VerificationKey::from_jwk(jwk?)?)).collect::<Result<_, _>>()?;
        let secret = || -> Result<Candidate, SigningError> {
            // 64 octets, as the server's own.
            let key = VerificationKey::from_secret(&crypto::random_bytes::<64>(), None)?;
            Ok(Candidate { key: Arc::new(key), source: KeySource::Other("decoy") })
        };
        Ok(Self { keys, secrets: (0..MAX_CANDIDATES).map(|_| secret()).collect::<Result<_, _>>()? })
    }

    /// Does the work of verifying, and says nothing about the outcome.
    pub fn verify(&self, assertion: &Assertion<'_>) {
        let algorithm = assertion.header().algorithm();
        let keys = self.keys.iter().chain(self.secrets.iter().map(AsRef::as_ref));
        // Whatever comes of it, the caller has refused already.
        let _ = assertion.verified_by(keys.filter(|key| key.accepts(algorithm)));
    }

    /// Fills the secrets that an assertion is tried with up to [`MAX_CANDIDATES`]. They come last, so that an assertion that is right
    /// costs no more; none of them verifies anything, for nobody knows them.
    pub fn fill(&self, secrets: &mut Vec<Candidate>) {
        let missing = MAX_CANDIDATES.saturating_sub(secrets.len());
        secrets.extend(self.secrets.iter().take(missing).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_tried_with_as_many_secrets_for_nobody_as_for_anybody() {
        let decoys = Decoys::new().expect("keys");
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            assert_eq!(decoys.secrets.iter().filter(|secret| secret.key.accepts(algorithm)).count(), MAX_CANDIDATES);
        }
        let own = Candidate { key: decoys.secrets[0].key.clone(), source: KeySource::Secret(1) };
        for count in 0..=MAX_CANDIDATES {
            let mut secrets = vec![own.clone(); count];
            decoys.fill(&mut secrets);
            assert_eq!(secrets.len(), MAX_CANDIDATES);
            assert!(secrets[..count].iter().all(|secret| secret.source == own.source), "the client's own come first");
        }
    }
}
