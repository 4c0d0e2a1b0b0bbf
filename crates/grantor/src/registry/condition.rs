//! Conditions over the claims of a JWT, in CEL. A condition narrows what pins and matches let
//! through, and nothing else.

use std::{fmt, sync::Arc};

use grantor_jose::Claims;
use serde::{Deserialize, Serialize, Serializer};

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at octet {at}: {problem}")]
#[non_exhaustive]
pub struct ConditionError {
    /// Where, in octets.
    pub at: usize,
    /// What is wrong, and what would be accepted.
    pub problem: String,
}

/// A condition that was parsed and checked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Condition {
    text: Arc<str>,
}

impl Condition {
    /// Parses and checks a condition.
    ///
    /// # Errors
    /// [`ConditionError`]
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        Ok(Self { text: text.into() })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it holds of these claims.
    ///
    /// # Errors
    /// Why it could not be evaluated: then it does not hold.
    pub fn holds(&self, claims: &Claims) -> Result<bool, String> {
        let _ = claims;
        Err("conditions are not evaluated yet".to_owned())
    }
}

impl TryFrom<String> for Condition {
    type Error = ConditionError;

    fn try_from(text: String) -> Result<Self, ConditionError> {
        Self::parse(&text)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
