//! Strict JWS, JWK and JWT claims over aws-lc-rs.
//!
//! This crate decides whether a compact JWS (RFC 7515) was made by the holder of a given key, and
//! nothing else: it has no clock, no network and no policy. Whoever calls it says which key and
//! which algorithm may be used; the token may only agree (RFC 8725 §3.1). What it refuses, it
//! refuses before any cryptography:
//!
//! * `alg: none` and every algorithm outside [`Algorithm::ALL`], JWE, JSON serialisation, nested
//!   JWTs (`cty: JWT`);
//! * any `crit`, `b64` or `zip` header parameter;
//! * padded, non-canonical or non-alphabet base64url; duplicate JSON members, deep or oversized
//!   JSON;
//! * keys inside a token (`jwk`, `jku`, `x5c`, `x5u` are never read).
//!
//! ```
//! use grantor_jose::{Algorithm, PrivateJwk, Unverified, VerificationKey, sign};
//!
//! let private = PrivateJwk::generate(Algorithm::Es256)?;
//! let token = sign(&private.signing_key()?, Some("JWT"), br#"{"iss":"billing"}"#)?;
//!
//! let key = VerificationKey::from_jwk(private.public())?;
//! let verified = Unverified::parse(&token)?.verify(&key)?;
//! assert_eq!(verified.payload(), br#"{"iss":"billing"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading order: [`Algorithm`] (the one table), [`Unverified`] to [`Verified`],
//! [`VerificationKey`], [`Claims`].

mod algorithm;
mod base64url;
mod claims;
pub mod crypto;
mod ecdsa_der;
mod error;
mod header;
pub mod json;
mod jwk;
mod jwk_set;
mod jws;
mod pem;
mod private_jwk;
mod public_pem;
mod rsa_modulus;
#[cfg(test)]
mod wycheproof_tests;

pub use algorithm::{Algorithm, Curve, KeyType};
pub use base64url::{decode as base64url_decode, encode as base64url_encode};
pub use claims::{AudienceClaim, Claims, NumericDate, OtherClaims};
pub use error::{
    ClaimsError, HeaderError, JsonError, JwkError, JwkSetError, JwsError, PemError, SigningError,
};
pub use header::{Header, KnownHeader};
pub use jwk::{Jwk, VerificationKey};
pub use jwk_set::{JwkSet, SkippedKey};
pub use jws::{
    MAX_HEADER_BYTES, MAX_TOKEN_BYTES, Unverified, Verified, compact, sign, signing_input,
};
pub use private_jwk::{PrivateJwk, SigningKey, certificate_from_pem};
pub use public_pem::{PublicPemError, public_key_from_pem, public_key_from_spki, spki_from_pem};
pub use rsa_modulus::RsaDefect;
/// The text of a claim: one of up to 23 octets needs no memory of its own.
pub use smol_str::SmolStr;
