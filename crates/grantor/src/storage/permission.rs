//! Permissions: which client may act for which subject.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Revision, StoreError};
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

/// Checks permissions.
#[async_trait]
pub trait PermissionSource: Send + Sync + 'static {
    /// The permission of `client` for `subject`, if and only if there is one.
    async fn permission(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Option<Permission>, StoreError>;
}

/// Changes permissions.
#[async_trait]
pub trait PermissionRegistry: PermissionSource {
    /// Grants a permission, if and only if client and subject exist and there is none yet.
    async fn permission_create(&self, permission: Permission) -> Result<(), StoreError>;
    /// Withdraws a permission, if and only if there is one.
    async fn permission_delete(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<(), StoreError>;
    /// All permissions in order of client, then subject.
    async fn permission_list(&self) -> Result<Vec<Permission>, StoreError>;
}
