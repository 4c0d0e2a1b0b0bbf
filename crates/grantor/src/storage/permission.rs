//! Where permissions are found and changed.

use async_trait::async_trait;

use super::StoreError;
use crate::{
    registry::Permission,
    types::{ClientId, SubjectId},
};

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
