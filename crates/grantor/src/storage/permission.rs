//! Where permissions are found.

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
