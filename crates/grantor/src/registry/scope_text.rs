//! The catalogue of scopes: what a person reads before they say yes.

use serde::{Deserialize, Serialize};

use super::Revision;
use crate::types::{Description, Name, ScopeToken};

/// What is shown of a scope. A scope may be granted without one; then its name is all there is to
/// show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScopeText {
    /// The scope.
    pub name: ScopeToken,
    /// What it allows, as a sentence in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<Description>,
    /// The same in French.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fr: Option<Description>,
    /// Whether a mistake would hurt: shown with a sign, never granted without a question, and for
    /// absent use only after a fresh authentication.
    #[serde(default)]
    pub sensitive: bool,
    /// Whether a person may say yes to the rest without it.
    #[serde(default)]
    pub optional: bool,
    /// The name under which files say what it is (`apply`); `None` where commands and pages do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// Which registration this is, and which state of it.
    #[serde(skip)]
    pub revision: Revision,
}

impl ScopeText {
    /// A scope of which nothing is said yet.
    pub fn new(name: ScopeToken) -> Self {
        Self {
            name,
            en: None,
            fr: None,
            sensitive: false,
            optional: false,
            managed_by: None,
            revision: Revision::default(),
        }
    }
}
