//! What can go wrong in a backend.

use crate::registry::Denial;

/// Why a backend did not do as asked. On the request path each of these refuses the request: the
/// server fails closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The backend cannot be reached or is too busy: the same request may succeed later.
    #[error("storage is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was asked of the backend, and no answer came: a change may have been made, a use may have
    /// been recorded. A request is refused as for [`StoreError::Unavailable`], and nothing is
    /// repeated without a look; every other error says that nothing was changed.
    #[error("storage gave no answer; it may have been done: look, then repeat")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The backend answered with an error, or with data that cannot be read.
    #[error("storage failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A resource of this name exists already.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// The resource was changed or replaced since it was read: nothing was changed.
    /// Read it anew.
    #[error("{0} was changed meanwhile")]
    Conflict(&'static str),
    /// A cursor that no list of this store has handed out.
    #[error("not a place in this list")]
    Cursor,
    /// It could be done, and the one who asked may not: nothing was changed.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// No resource of this name exists.
    #[error("{0} does not exist")]
    Missing(&'static str),
}
