//! Why a token cannot be made or recorded, and what the client is told.

use grantor_jose::SigningError;

use crate::{
    server::Refusal,
    storage::StoreError,
    types::{ErrorCode, Rule},
};

/// The token could not be made or recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Signing failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The client has as many opaque tokens, or revocations, in force as it may have. Nothing was
    /// recorded.
    #[error("the client has {0} opaque tokens or revocations in force, which is its quota")]
    OverQuota(u64),
    /// What the token was approved under ended while the request was under way.
    #[error("the client, trust or issuer was disabled while the request was under way")]
    Ended,
    /// This, which the decision rests on, changed while the request was under way.
    #[error("{0} changed while the request was decided")]
    Changed(&'static str),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<IssueError> for Refusal {
    fn from(error: IssueError) -> Self {
        let refusal = match &error {
            IssueError::Signing(_) => Self::broken(Rule::Issue),
            IssueError::OverQuota(_) => Self::over_quota(Rule::Issue),
            IssueError::Ended => Self::new(
                ErrorCode::INVALID_GRANT,
                Rule::Trust,
                "what the token would be issued under has ended",
            ),
            IssueError::Changed(_) => Self::changed(),
            IssueError::Store(store) => Self::of_store(store),
        };
        refusal.because(error)
    }
}
