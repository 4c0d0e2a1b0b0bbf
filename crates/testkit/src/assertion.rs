//! A whole assertion with one call, as an honest client makes it.

use std::time::Duration;

use grantor::{
    clock::UnixTime,
    jose::{SigningError, SigningKey, base64url_encode, crypto, json::Object, sign},
};
use serde_json::json;

/// What goes into a new assertion. `jti` is always new: 128 random bits.
#[derive(Clone, Debug)]
pub struct NewAssertion<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    /// As a plain string.
    pub audience: &'a str,
    /// `exp` is this long after `iat`.
    pub lifetime: Duration,
    pub typ: Option<&'a str>,
    /// Further claims. They cannot replace those above.
    pub claims: Object,
}

impl NewAssertion<'_> {
    /// Signs the assertion with `iat` = `now`.
    ///
    /// # Errors
    /// [`SigningError::Crypto`]
    pub fn sign(&self, key: &SigningKey, now: UnixTime) -> Result<String, SigningError> {
        let issued_at = now.seconds();
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let jti = base64url_encode(crypto::random_bytes::<16>());
        let mut claims = self.claims.clone();
        for (name, value) in [
            ("iss", json!(self.issuer)),
            ("sub", json!(self.subject)),
            ("aud", json!(self.audience)),
            ("iat", json!(issued_at)),
            ("exp", json!(issued_at.saturating_add(lifetime))),
            ("jti", json!(jti)),
        ] {
            claims.insert(name.to_owned(), value);
        }
        let payload = serde_json::to_vec(&claims).expect("a JSON object is JSON");
        sign(key, self.typ, &payload)
    }
}
