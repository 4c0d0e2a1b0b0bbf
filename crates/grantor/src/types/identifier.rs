//! Names of parties: compared to the letter, never normalised (RFC 7523 §3 (1), RFC 3986 §6.2.1).

use std::{fmt, sync::Arc};

use grantor_jose::crypto;
use serde::{Deserialize, Serialize, Serializer};

use crate::clock::UnixTime;

/// Why a text is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// No characters.
    #[error("is empty")]
    Empty,
    /// More than [`ClientId::MAX_BYTES`] octets.
    #[error("is longer than 255 octets")]
    TooLong,
    /// Control characters could split a log line; white space at an end is a typing error.
    #[error("contains control characters, or white space at its start or end")]
    Characters,
}

fn check(text: &str) -> Result<(), IdentifierError> {
    match text {
        "" => Err(IdentifierError::Empty),
        _ if text.len() > ClientId::MAX_BYTES => Err(IdentifierError::TooLong),
        _ if text.chars().any(char::is_control) || text.trim() != text => {
            Err(IdentifierError::Characters)
        }
        _ => Ok(()),
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Most octets of UTF-8.
            pub const MAX_BYTES: usize = 255;

            /// Takes any text of 1 to 255 octets without control characters and without white space at its ends.
            ///
            /// # Errors
            /// [`IdentifierError`]
            pub fn parse(text: &str) -> Result<Self, IdentifierError> {
                check(text).map(|()| Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdentifierError;

            fn try_from(text: String) -> Result<Self, IdentifierError> {
                Self::parse(&text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdentifierError;

            fn from_str(text: &str) -> Result<Self, IdentifierError> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier! {
    /// A client identifier (RFC 6749 §2.2).
    ClientId
}

identifier! {
    /// Whom a token is about: a client itself, or somebody a client may act for.
    SubjectId
}

impl From<ClientId> for SubjectId {
    fn from(client: ClientId) -> Self {
        Self(client.0)
    }
}

/// Joins what a client was told with what the log knows: 15 letters and digits, of which the first
/// six grow with the time, so that what is recorded together is found together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// A new one: 30 bits of the time in units of 32 ms, 45 bits of chance.
    pub fn new(at: UnixTime) -> Self {
        let time = (at.millis() / 32).unsigned_abs();
        let chance = u64::from_be_bytes(crypto::random_bytes::<8>());
        Self(digits::<6>(time).chain(digits::<9>(chance)).collect())
    }

    /// The text: letters and digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The last `N` digits of a number to the base 32.
fn digits<const N: u32>(number: u64) -> impl Iterator<Item = char> {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..N)
        .rev()
        .map(move |place| char::from(DIGITS[(number >> (5 * place)) as usize % 32]))
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
