//! Where subjects are found and changed.

use async_trait::async_trait;

use super::{StoreError, TRIES};
use crate::{registry::Subject, types::SubjectId};

/// Authenticates the subject of an assertion: finds out whether it is somebody known.
#[async_trait]
pub trait SubjectSource: Send + Sync + 'static {
    /// The subject of this name, if and only if it exists; disabled subjects are answered too.
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError>;
}

/// Changes subjects.
#[async_trait]
pub trait SubjectRegistry: SubjectSource {
    /// Creates a subject, if and only if neither a subject nor a client has this name (RFC 9700
    /// §4.15).
    async fn subject_create(&self, subject: Subject) -> Result<(), StoreError>;
    /// Replaces the subject of this name, if and only if its revision is still the one that
    /// `subject` was read at; else [`StoreError::Conflict`]. [`subject_change`] reads, changes
    /// and replaces.
    async fn subject_update(&self, subject: Subject) -> Result<(), StoreError>;
    /// Removes a subject with all permissions for it, if and only if there is one.
    async fn subject_delete(&self, id: &SubjectId) -> Result<(), StoreError>;
    /// All subjects in order of their names.
    async fn subject_list(&self) -> Result<Vec<Subject>, StoreError>;
}

/// Changes a subject, as [`client_change`](super::client_change) does a client.
///
/// # Errors
/// [`StoreError::Missing`] without such a subject; [`StoreError::Conflict`] if others change it all
/// the time.
pub async fn subject_change(
    registry: &(impl SubjectRegistry + ?Sized),
    id: &SubjectId,
    mut change: impl FnMut(&mut Subject),
) -> Result<Subject, StoreError> {
    for _ in 0..TRIES {
        let mut subject = registry
            .subject(id)
            .await?
            .ok_or(StoreError::Missing("subject"))?;
        change(&mut subject);
        match registry.subject_update(subject.clone()).await {
            Err(StoreError::Conflict(_)) => {}
            replaced => return replaced.map(|()| subject),
        }
    }
    Err(StoreError::Conflict("subject"))
}
