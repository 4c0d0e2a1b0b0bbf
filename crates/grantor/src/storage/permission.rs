//! Where permissions are found.

use async_trait::async_trait;

use super::StoreError;
use crate::{
    registry::Permissions,
    types::{ClientId, SubjectId},
};

/// Checks permissions.
#[async_trait]
pub trait PermissionSource: Send + Sync + 'static {
    /// The permissions of `client` for `subject`, one for each party that gave one, as they are
    /// now; those that have expired may be among them.
    async fn permissions_of(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError>;
}
