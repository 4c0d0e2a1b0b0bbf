//! The `iss` of a third party: compared octet for octet, never normalised (RFC 7519 §4.1.1).

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

/// Why a text cannot be the `iss` of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerIdError {
    /// No characters.
    #[error("is empty")]
    Empty,
    /// More than [`IssuerId::MAX_BYTES`] octets.
    #[error("is longer than 512 octets")]
    TooLong,
    /// Control characters could split a log line; white space at an end is a typing error.
    #[error("contains control characters, or white space at its start or end")]
    Characters,
}

/// The `iss` of an issuer. It need not be a URL: legacy Kubernetes is
/// `kubernetes/serviceaccount`, and Entra's ends in a slash.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct IssuerId(Arc<str>);

impl IssuerId {
    /// Most octets of UTF-8.
    pub const MAX_BYTES: usize = 512;

    /// Takes any text of 1 to 512 octets without control characters and without white space at its
    /// ends.
    ///
    /// # Errors
    /// [`IssuerIdError`]
    pub fn parse(text: &str) -> Result<Self, IssuerIdError> {
        match text {
            "" => Err(IssuerIdError::Empty),
            _ if text.len() > Self::MAX_BYTES => Err(IssuerIdError::TooLong),
            _ if text.chars().any(char::is_control) || text.trim() != text => {
                Err(IssuerIdError::Characters)
            }
            _ => Ok(Self(text.into())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for IssuerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IssuerId {
    type Error = IssuerIdError;

    fn try_from(text: String) -> Result<Self, IssuerIdError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for IssuerId {
    type Err = IssuerIdError;

    fn from_str(text: &str) -> Result<Self, IssuerIdError> {
        Self::parse(text)
    }
}

impl Serialize for IssuerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t001_any_text_is_an_issuer_but_one_that_is_empty_long_or_unreadable() {
        for good in [
            "https://sts.windows.net/T/",
            "kubernetes/serviceaccount",
            "accounts.google.com",
            &"a".repeat(512),
        ] {
            assert_eq!(IssuerId::parse(good).expect(good).as_str(), good);
        }
        for (bad, error) in [
            ("", IssuerIdError::Empty),
            (&*"a".repeat(513), IssuerIdError::TooLong),
            (" a", IssuerIdError::Characters),
            ("a\nb", IssuerIdError::Characters),
        ] {
            assert_eq!(IssuerId::parse(bad), Err(error), "{bad}");
        }
    }
}
