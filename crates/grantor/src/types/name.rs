//! What operators call issuers and trusts.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no name: expected 1 to 64 of the characters A-Z a-z 0-9 . _ - of which the first is a \
     letter or digit"
)]
pub struct NotAName;

/// A name of 1 to 64 letters, digits, dots, underscores and hyphens; the first is a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// Most octets.
    pub const MAX_BYTES: usize = 64;

    /// Takes a name.
    ///
    /// # Errors
    /// [`NotAName`]
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        let starts = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match starts && text.len() <= Self::MAX_BYTES && text.bytes().all(goes_on) {
            true => Ok(Self(text.into())),
            false => Err(NotAName),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::parse(text)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["ci", "A1", "acme.ci_main-2", &"a".repeat(64)] {
            assert_eq!(Name::parse(good).expect(good).as_str(), good);
        }
        for bad in ["", ".a", "-a", "a b", "é", "a/b", &"a".repeat(65)] {
            assert_eq!(Name::parse(bad), Err(NotAName), "{bad}");
        }
    }
}
