//! What an assertion says; and, for tests, benches and examples, a whole one with one call.

use std::{ops::Range, time::Duration};

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
        let expires =
            issued_at.saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX));
        let (subject, audience) = (Some(self.subject), Some(self.audience));
        sign(
            key,
            self.typ,
            &payload(
                self.claims.clone(),
                self.issuer,
                subject,
                audience,
                issued_at..expires,
            ),
        )
    }
}

/// The claims of a new assertion with a new `jti`, as JSON. The six named here replace those in
/// `claims`.
pub(crate) fn payload(
    mut claims: Object,
    issuer: &str,
    subject: Option<&str>,
    audience: Option<&str>,
    valid: Range<i64>,
) -> Vec<u8> {
    let texts = [("iss", Some(issuer)), ("sub", subject), ("aud", audience)];
    for (name, value) in texts {
        match value {
            Some(value) => claims.insert(name.to_owned(), value.into()),
            None => claims.remove(name),
        };
    }
    claims.insert("iat".to_owned(), valid.start.into());
    claims.insert("exp".to_owned(), valid.end.into());
    claims.insert(
        "jti".to_owned(),
        base64url_encode(crypto::random_bytes::<16>()).into(),
    );
    serde_json::to_vec(&claims).expect("a JSON object is JSON")
}
