//! Making assertions, for the command line, tests and clients.

use std::time::Duration;

use grantor_jose::{SigningError, SigningKey, base64url_encode, crypto, json::Object, sign};

use crate::clock::UnixTime;

/// What goes into a new assertion. `jti` is always new: 128 random bits.
#[derive(Clone, Debug)]
pub struct NewAssertion<'a> {
    /// `iss`
    pub issuer: &'a str,
    /// `sub`
    pub subject: &'a str,
    /// `aud`, as a plain string.
    pub audience: &'a str,
    /// `exp` is this long after `iat`.
    pub lifetime: Duration,
    /// The header's `typ`.
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
        let mut claims = self.claims.clone();
        for (name, value) in [("iss", self.issuer), ("sub", self.subject), ("aud", self.audience)] {
            claims.insert(name.to_owned(), value.into());
        }
        claims.insert("iat".to_owned(), issued_at.into());
        claims.insert("exp".to_owned(), issued_at.saturating_add(lifetime).into());
        claims.insert("jti".to_owned(), base64url_encode(crypto::random_bytes::<16>()).into());
        let payload = serde_json::to_vec(&claims).expect("a JSON object is JSON");
        sign(key, self.typ, &payload)
    }
}
