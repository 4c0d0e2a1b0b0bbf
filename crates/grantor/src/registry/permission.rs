//! Permissions: which client may act for which subject.

use serde::{Deserialize, Serialize};

use super::Revision;
use crate::{
    clock::UnixTime,
    types::{ClientId, Scope, SubjectId},
};

/// This client may act for this subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Permission {
    /// Who may act.
    pub client: ClientId,
    /// For whom.
    pub subject: SubjectId,
    /// Within which scope; `None` for all that the client may get.
    pub scope: Option<Scope>,
    /// When it was given; `None` if nobody has kept that.
    pub created_at: Option<UnixTime>,
    /// Which permission this is.
    #[serde(skip)]
    pub revision: Revision,
}

impl Permission {
    /// `client` may act for `subject`.
    pub fn new(client: ClientId, subject: SubjectId, scope: Option<Scope>) -> Self {
        Self {
            client,
            subject,
            scope,
            created_at: None,
            revision: Revision::default(),
        }
    }

    /// The same permission, given at this time.
    #[must_use]
    pub fn given_at(self, created_at: UnixTime) -> Self {
        Self {
            created_at: Some(created_at),
            ..self
        }
    }
}
