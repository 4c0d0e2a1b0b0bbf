//! Keys of nobody: an assertion that is refused before its signature was looked at is verified with one of these, and the result
//! thrown away, so that the time of the answer does not tell who is registered (RFC 6749 §10.2 asks for as much of secrets).

use grantor_jose::{Algorithm, Jwk, PrivateJwk, SigningError, VerificationKey};

use crate::assertion::Assertion;

/// The RSA key of RFC 7515 appendix A.2: a key of that size takes seconds to make.
const RSA: &str = concat!(
    r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0"#,
    r#"Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7"#,
    r#"WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5"#,
    r#"4h4FRWyuXpoQ"}"#
);

/// One key for each kind of signature.
pub struct Decoys(Vec<VerificationKey>);

impl Decoys {
    /// Keys whose private halves are forgotten at once, or known to everybody and registered by nobody.
    ///
    /// # Errors
    /// [`SigningError`] if the library makes none.
    pub fn new() -> Result<Self, SigningError> {
        let made = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Ed25519].map(PrivateJwk::generate);
        let public = made.into_iter().map(|key| key.map(|key| key.public()));
        let all = public.chain([Jwk::parse(RSA.as_bytes()).map_err(SigningError::from)]);
        all.map(|jwk| Ok(VerificationKey::from_jwk(jwk?)?)).collect::<Result<_, _>>().map(Self)
    }

    /// Does the work of verifying, and says nothing about the outcome.
    pub fn verify(&self, assertion: &Assertion<'_>) {
        let algorithm = assertion.header().algorithm();
        // Whatever comes of it, the caller has refused already.
        let _ = assertion.verified_by(self.0.iter().filter(|key| key.accepts(algorithm)));
    }
}
