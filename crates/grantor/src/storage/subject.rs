//! Where subjects are found.

use async_trait::async_trait;

use super::StoreError;
use crate::{registry::Subject, types::SubjectId};

/// Authenticates the subject of an assertion: finds out whether it is somebody known.
#[async_trait]
pub trait SubjectSource: Send + Sync + 'static {
    /// The subject of this name, if and only if it exists; disabled subjects are answered too.
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError>;
}
