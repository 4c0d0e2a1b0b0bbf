//! Operators: subjects with a role over this server.

use serde::{Deserialize, Serialize};

use super::{Revision, Role};
use crate::types::SubjectId;

/// The role of a subject. It ends with the subject, and a later subject of the same name has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Operator {
    /// Whose it is.
    pub subject: SubjectId,
    /// What they may do.
    pub role: Role,
    /// Which registration this is, and which state of it.
    #[serde(skip)]
    pub revision: Revision,
}

impl Operator {
    /// This subject, with this role.
    pub fn new(subject: SubjectId, role: Role) -> Self {
        Self {
            subject,
            role,
            revision: Revision::default(),
        }
    }

    /// The same operator, with another role.
    #[must_use]
    pub fn with_role(&self, role: Role) -> Self {
        Self {
            role,
            ..self.clone()
        }
    }
}
