//! PKCE (RFC 7636): who redeems a code is who asked for it. S256 only, required of every client, so
//! that there is nothing to downgrade to (RFC 9700 §2.1.1).

use grantor_jose::{
    base64url_encode,
    crypto::{constant_time_eq, sha256},
};
use serde::{Deserialize, Serialize};

/// A `code_challenge` of the method S256: 43 characters of base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::server) struct Challenge(String);

impl Challenge {
    /// RFC 7636 §4.2
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_digest = text.len() == 43
            && text
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
        is_digest.then(|| Self(text.to_owned()))
    }

    /// Whether it is that of this verifier (RFC 7636 §4.1, §4.6).
    pub(in crate::server) fn is_of(&self, verifier: &str) -> bool {
        let is_verifier = (43..=128).contains(&verifier.len())
            && verifier.bytes().all(|octet| {
                octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
            });
        let challenge = base64url_encode(sha256(&[verifier.as_bytes()]));
        is_verifier && constant_time_eq(challenge.as_bytes(), self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B
    #[test]
    fn the_example_of_the_rfc_verifies_and_nothing_else_does() {
        let challenge = Challenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let challenge = challenge.expect("a challenge");
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(challenge.is_of(verifier));
        assert!(!challenge.is_of(&verifier[1..]));
        assert!(!challenge.is_of(&format!("{verifier}k")));
        assert!(!challenge.is_of(&verifier.replacen('d', "e", 1)));
        assert!(!challenge.is_of("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for (verifier, fits) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("a.~-_".repeat(20), true),
            ("a".repeat(128), true),
            ("a".repeat(129), false),
            ("a b".repeat(20), false),
            ("é".repeat(30), false),
        ] {
            let challenge = Challenge(base64url_encode(sha256(&[verifier.as_bytes()])));
            assert_eq!(challenge.is_of(&verifier), fits, "{verifier}");
        }
    }
}
