//! Subjects: whom clients may act for.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::types::SubjectId;

/// Somebody a client may act for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The value of `sub`.
    pub id: SubjectId,
    /// For a disabled subject no token is issued.
    pub enabled: bool,
}

/// Authenticates the subject of an assertion: finds out whether it is somebody known.
#[async_trait]
pub trait SubjectSource: Send + Sync + 'static {
    /// The subject of this name, if and only if it exists; disabled subjects are answered too.
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError>;
}

/// Changes subjects.
#[async_trait]
pub trait SubjectRegistry: SubjectSource {
    /// Creates a subject, if and only if neither a subject nor a client has this name (RFC 9700 §4.15).
    async fn subject_create(&self, subject: Subject) -> Result<(), StoreError>;
    /// Replaces a subject, if and only if there is one of this name.
    async fn subject_update(&self, subject: Subject) -> Result<(), StoreError>;
    /// Removes a subject with all permissions for it, if and only if there is one.
    async fn subject_delete(&self, id: &SubjectId) -> Result<(), StoreError>;
    /// All subjects in order of their names.
    async fn subject_list(&self) -> Result<Vec<Subject>, StoreError>;
}
