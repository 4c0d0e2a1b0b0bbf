//! Where roles are found.

use async_trait::async_trait;

use super::StoreError;
use crate::{registry::Role, types::SubjectId};

/// Says what a subject may do over this server.
#[async_trait]
pub trait RoleSource: Send + Sync + 'static {
    /// The role that this subject has now; `None` if and only if it has none. Whether the subject is
    /// enabled is not asked here.
    ///
    /// # Errors
    /// [`StoreError`]: then nobody has a role.
    async fn role(&self, subject: &SubjectId) -> Result<Option<Role>, StoreError>;
}
