//! Subjects: whom clients may act for.

use serde::{Deserialize, Serialize};

use super::Revision;
use crate::{
    clock::UnixTime,
    types::{DisplayName, Language, Name, SubjectId},
};

/// Somebody a client may act for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Subject {
    /// The value of `sub`.
    pub id: SubjectId,
    /// For a disabled subject no token is issued.
    pub enabled: bool,
    /// What operators call it; its id if not set. Lists find it by either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// In which language it wants to be addressed: for programs that do. Pages go by the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// When it was registered; `None` if nobody has kept that.
    pub created_at: Option<UnixTime>,
    /// The name under which files say what it is (`apply`); `None` where commands and pages do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// Which registration this is, and which state of it.
    #[serde(skip)]
    pub revision: Revision,
}

impl Subject {
    /// An enabled subject.
    pub fn new(id: SubjectId) -> Self {
        Self {
            id,
            enabled: true,
            display_name: None,
            language: None,
            created_at: None,
            managed_by: None,
            revision: Revision::default(),
        }
    }

    /// The same subject, for which tokens are issued.
    #[must_use]
    pub fn enabled(self) -> Self {
        Self {
            enabled: true,
            ..self
        }
    }

    /// The same subject, for which no token is issued.
    #[must_use]
    pub fn disabled(self) -> Self {
        Self {
            enabled: false,
            ..self
        }
    }

    /// The same subject, registered at this time.
    #[must_use]
    pub fn registered_at(self, created_at: UnixTime) -> Self {
        Self {
            created_at: Some(created_at),
            ..self
        }
    }
}
