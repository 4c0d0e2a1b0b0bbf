//! The ceremonies of passkeys (WebAuthn Level 3 §7): whether a browser says the truth about a new
//! passkey, and whether a passkey's owner is at it.
//!
//! Pure and synchronous, over the JOSE layer: no clock, no store, no session. What is expected is a
//! value, [`Expectation`]; each rule is a variant of [`WebauthnError`]. No CBOR is read. Attestation
//! is `none`, so that nobody but the browser speaks for a new key, and browsers give it as X.509
//! writes it; authenticator data begins with 37 octets at fixed places; an assertion is one
//! signature.
//!
//! Whoever calls this has made the challenge, lets it be used once, and knows the passkeys.

mod assertion;
mod authenticator_data;
mod client_data;
mod error;
mod members;
mod registration;
mod relying_party;

use grantor_jose::Algorithm;

use authenticator_data::AuthenticatorData;
use client_data::{Ceremony, ClientData};

pub use self::{
    assertion::{Assertion, Known, Proven},
    error::WebauthnError,
    registration::{Made, Registration},
    relying_party::RelyingParty,
};

/// Longest answer of a browser that is looked at, in octets.
pub const MAX_BYTES: usize = 16 * 1024;

/// What a ceremony is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The challenge that this browser was given for this purpose, in base64url.
    pub challenge: &'a str,
    /// The origin of the page that asked, as browsers write it (RFC 6454 §6.2).
    pub origin: &'a str,
    /// The party that passkeys are for.
    pub relying_party: &'a RelyingParty,
}

impl Expectation<'_> {
    /// §7.1 and §7.2, as far as both ceremonies have the same rules.
    fn check(
        &self,
        ceremony: Ceremony,
        client_data: &ClientData,
        authenticator_data: &AuthenticatorData<'_>,
    ) -> Result<(), WebauthnError> {
        client_data.check(ceremony, self)?;
        authenticator_data.check(self.relying_party)
    }
}

/// The number of an algorithm in COSE (RFC 9053 §2, RFC 8812 §2), of those that passkeys have.
pub fn cose_number(algorithm: Algorithm) -> Option<i64> {
    match algorithm {
        Algorithm::Es256 => Some(-7),
        Algorithm::Ed25519 => Some(-8),
        Algorithm::Rs256 => Some(-257),
        _ => None,
    }
}
