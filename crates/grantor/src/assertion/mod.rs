//! Assertions: the rules of RFC 7523 §3 (with RFC 7521 §5 and RFC 10070), written once for both
//! uses.
//!
//! [`Assertion::parse`] takes a JWT apart; the caller finds out who issued it and fixes an
//! [`Expectation`]; [`Verifier::verify`] holds the JWT against it and, last of all, claims its
//! `jti`. What comes out is a [`VerifiedAssertion`], which nothing else can make.

#[cfg(feature = "server")]
mod decoy;
#[cfg(feature = "server")]
mod error;
#[cfg(feature = "server")]
mod expectation;
#[cfg(feature = "server")]
mod explanation;
#[cfg(feature = "server")]
mod party;
#[cfg(feature = "server")]
mod profile;
#[cfg(feature = "server")]
mod rules;
#[cfg(feature = "server")]
mod spiffe;
#[cfg(feature = "server")]
mod trust_check;
#[cfg(feature = "server")]
mod verifier;

#[cfg(feature = "server")]
pub use decoy::Decoys;
#[cfg(feature = "server")]
pub use error::AssertionError;
#[cfg(feature = "server")]
pub use expectation::{
    AudienceForm, AudienceRule, ConfirmationRule, Expectation, IssuedAtRule, IssuerRule, Lifetimes,
    ServerIdentity, SubjectRule, Terms, TokenIdRule, Usage, issuer_types,
};
#[cfg(feature = "server")]
pub(crate) use explanation::{Broken, Change, Held, Known, Place};
#[cfg(feature = "server")]
pub use explanation::{Check, ClockDifference, Explanation, KeyTried, Verdict};
#[cfg(feature = "server")]
pub use party::{Parties, Party, PartyError, Signed};
#[cfg(feature = "server")]
pub use profile::Profile;
#[cfg(feature = "server")]
pub use rules::MAX_TOKEN_ID_BYTES;
#[cfg(feature = "server")]
pub use spiffe::is_trust_domain;
#[cfg(feature = "server")]
pub(crate) use spiffe::spiffe_id;
#[cfg(feature = "server")]
pub(crate) use trust_check::Tried;
#[cfg(feature = "server")]
pub use trust_check::{ClaimCheck, ClaimRule, SetAside, TrustCheck};
#[cfg(feature = "server")]
pub(crate) use verifier::signed_part;
#[cfg(feature = "server")]
pub use verifier::{Assertion, VerifiedAssertion, Verifier};

/// The `client_assertion_type` of RFC 7523 §2.2.
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The `client_assertion_type` of a JWT-SVID (draft-ietf-oauth-spiffe-client-auth).
pub const SPIFFE_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";
/// The `typ` of a client authentication JWT (RFC 10070 §4).
pub const CLIENT_AUTHENTICATION_TYP: &str = "client-authentication+jwt";
