//! The languages in which people are addressed.

use serde::{Deserialize, Serialize};

/// A language in which every page can be had, by its tag (RFC 5646).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub enum Language {
    /// `en`
    #[serde(rename = "en")]
    English,
    /// `fr`
    #[serde(rename = "fr")]
    French,
}

/// A text that names no language of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is neither en nor fr")]
pub struct LanguageError;

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// Its tag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }
}

impl std::str::FromStr for Language {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Self, LanguageError> {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.as_str() == text).ok_or(LanguageError)
    }
}
