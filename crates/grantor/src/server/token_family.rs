//! The tokens that come from one authorization: they end together.

use std::fmt;

use grantor_jose::{base64url_decode, base64url_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::storage::FamilyId;

/// All tokens that come from one authorization, by 16 random octets of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenFamily([u8; 16]);

impl TokenFamily {
    /// The family of these octets, which nobody can guess.
    pub fn from_bytes(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Under what its end is kept.
    pub fn id(&self) -> FamilyId {
        FamilyId::of(&self.to_string())
    }
}

/// In base64url.
impl fmt::Display for TokenFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url_encode(self.0))
    }
}

/// Its octets are part of codes and refresh tokens.
impl fmt::Debug for TokenFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenFamily(..)")
    }
}

impl Serialize for TokenFamily {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenFamily {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets = base64url_decode(&text).and_then(|octets| octets.try_into().ok());
        octets
            .map(Self)
            .ok_or_else(|| D::Error::custom("a token family is 16 octets in base64url"))
    }
}
