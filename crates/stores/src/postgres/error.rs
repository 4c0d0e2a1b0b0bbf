//! From PostgreSQL's errors to the store's.

use std::sync::Arc;

use grantor::storage::StoreError;
use tokio_postgres::error::SqlState;

use crate::form::Unreadable;

/// What caused a failure: a text, or an error of the connection.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of this module on its way to a [`StoreError`].
#[derive(Debug)]
pub(crate) enum Failure {
    /// The store's own answer.
    Store(StoreError),
    /// The server answered with an error: nothing was done.
    Refused(tokio_postgres::Error),
    /// The connection ended before an answer, or its answer cannot be believed. What was asked for
    /// may have been done, if it was a write.
    Lost(Cause),
    /// A row that does not hold what this program once wrote there.
    Unreadable(Unreadable),
}

impl Failure {
    /// Nobody can be asked: nothing was done.
    pub(super) fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Store(StoreError::Unavailable(cause.into()))
    }

    /// As the answer to a write that its statement commits by itself, or to a commit: what got no
    /// answer may have been done.
    pub(super) fn of_commit(self) -> StoreError {
        match self {
            Self::Lost(cause) => StoreError::Unknown(cause),
            other => other.into(),
        }
    }

    /// The SQLSTATE, where the server answered with one.
    pub(super) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Refused(error) => error.code(),
            Self::Store(_) | Self::Lost(_) | Self::Unreadable(_) => None,
        }
    }

    /// Whether this role lacks a right. An operator took it away, and can give it back.
    pub(super) fn is_denied(&self) -> bool {
        self.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)
    }

    /// Whether a text was sent that no database keeps: one with a NUL in it. A filter that has one finds
    /// nothing.
    pub(super) fn is_of_text(&self) -> bool {
        self.code() == Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE)
    }

    /// Whether the server took it back because of others, and may take it now.
    pub(super) fn may_be_repeated(&self) -> bool {
        let again = [
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::QUERY_CANCELED,
        ];
        self.code().is_some_and(|code| again.contains(code))
    }
}

/// Whether the server refused for want of connections, memory or disk: class 53.
pub(super) fn has_no_room(code: Option<&SqlState>) -> bool {
    code.is_some_and(|code| code.code().starts_with("53"))
}

/// Whether the session is of no use after this: the server ends, or has become a standby
/// (keycloak#24493).
fn ends_session(error: &tokio_postgres::Error) -> bool {
    let Some(code) = error.code() else {
        return true;
    };
    let text = code.code();
    text.starts_with("08")
        || text.starts_with("57P")
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        match ends_session(&error) {
            true => Self::Lost(because(&error).into()),
            false => Self::Refused(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let may_pass =
            failure.may_be_repeated() || failure.is_denied() || has_no_room(failure.code());
        match failure {
            Failure::Store(error) => error,
            Failure::Unreadable(unreadable) => unreadable.into(),
            Failure::Lost(cause) => Self::Unavailable(cause),
            Failure::Refused(error) if may_pass => Self::Unavailable(because(&error).into()),
            Failure::Refused(error) => Self::Failed(because(&error).into()),
        }
    }
}

/// An error and what it comes from, in one line.
pub(super) fn because(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut texts: Vec<_> = causes
        .map(|error| error.to_string().replace('\n', " "))
        .collect();
    texts.dedup();
    texts.join(": ")
}

/// The same error for another request of a group.
pub(super) fn again(error: &Arc<StoreError>) -> StoreError {
    let cause = Box::new(error.clone());
    match **error {
        StoreError::Unknown(_) => StoreError::Unknown(cause),
        StoreError::Unavailable(_) => StoreError::Unavailable(cause),
        _ => StoreError::Failed(cause),
    }
}
