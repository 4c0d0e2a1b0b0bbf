//! Where permissions are found.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::{
    registry::{Permission, Permissions},
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

/// Lists permissions by whom they are about: for the person's own page. No token waits for it.
#[async_trait]
pub trait SubjectPermissions: Send + Sync + 'static {
    /// Every permission for `subject`, by whichever client, in the order of their names; those that
    /// have expired are among them.
    async fn permissions_for(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<Arc<Permission>>, StoreError>;
}
