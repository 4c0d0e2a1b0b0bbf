//! Globs over claims: anchored, octet by octet, linear.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

/// Why a text is no glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// More than [`Glob::MAX_STARS`] stars.
    #[error("has more than 8 stars")]
    TooManyStars,
    /// It begins with a star, or has no characters.
    #[error("needs literal text before its first star")]
    NoLiteral,
}

/// A pattern that a whole text has to match: `*` is one or more octets other than `/` and `:`, `**`
/// one or more of any.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Glob(Arc<str>);

impl Glob {
    /// Most stars.
    pub const MAX_STARS: usize = 8;

    /// Takes a pattern.
    ///
    /// # Errors
    /// [`GlobError`]
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        match text {
            _ if text.is_empty() || text.starts_with('*') => Err(GlobError::NoLiteral),
            _ if text.matches('*').count() > Self::MAX_STARS => Err(GlobError::TooManyStars),
            _ => Ok(Self(text.into())),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        *self.0 == *text
    }
}

impl TryFrom<String> for Glob {
    type Error = GlobError;

    fn try_from(text: String) -> Result<Self, GlobError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        Self::parse(text)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
