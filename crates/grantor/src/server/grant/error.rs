//! Why a grant refuses, and what the client is told.

use crate::{
    assertion::{AssertionError, PartyError},
    server::{Blame, FormError, Refusal, TrustError, UnprovenAssertion},
    storage::StoreError,
    types::{ErrorCode, Rule, Shown},
};

/// The grant refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// A parameter of this grant is absent.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A `client_id` without credentials beside the assertion names another client than its issuer.
    #[error(
        "client_id does not match the issuer of the assertion: expected {expected:?}, got {got:?}"
    )]
    ClientIdMismatch {
        /// `iss`
        expected: Shown,
        /// `client_id`
        got: Shown,
    },
    /// The assertion has no party that could have signed it.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// The assertion broke a rule.
    #[error("assertion: {0}")]
    Assertion(AssertionError),
    /// It is of an issuer, and no trust grants anything for it.
    #[error(transparent)]
    Trust(TrustError),
    /// The client of the trust that takes it is not there, or disabled.
    #[error("the client {0:?} of the trust is disabled")]
    DisabledTrustClient(Shown),
    /// `sub` is neither the client nor anybody known.
    #[error("subject {0:?} is not known")]
    UnknownSubject(Shown),
    /// An operator has disabled the subject.
    #[error("subject is disabled")]
    DisabledSubject,
    /// The client holds no permission for the subject.
    #[error("client holds no permission for subject {0:?}")]
    NoPermission(Shown),
    /// The client is not registered for this grant.
    #[error("client is not registered for this grant")]
    NotAllowed,
    /// The `scope` claim is no scope.
    #[error("the 'scope' claim is malformed: got {0:?}")]
    MalformedScopeClaim(Shown),
    /// A custom grant's own refusal.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The registry failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is told of everything by which a caller could find out who is registered (law 6).
const NOT_ACCEPTABLE: &str = "the assertion is not acceptable";

impl From<UnprovenAssertion> for GrantError {
    fn from(error: UnprovenAssertion) -> Self {
        match error {
            UnprovenAssertion::Party(error) => Self::Party(error),
            UnprovenAssertion::Assertion(error) => Self::Assertion(error),
            UnprovenAssertion::Trust(error) => Self::Trust(error),
        }
    }
}

impl From<GrantError> for Refusal {
    fn from(error: GrantError) -> Self {
        use GrantError as E;
        let refused = |rule, text| Self::new(ErrorCode::INVALID_GRANT, rule, text);
        let cause = error.to_string();
        let refusal = match error {
            // As a forged assertion is, which tells nothing about who is registered.
            E::ClientIdMismatch { .. } => {
                refused(Rule::Caller, NOT_ACCEPTABLE).blaming(Blame::FailedProof)
            }
            E::Trust(trust) => Self::of_trust(&trust, ErrorCode::INVALID_GRANT, NOT_ACCEPTABLE),
            E::Party(party) => Self::of_party(&party, ErrorCode::INVALID_GRANT, NOT_ACCEPTABLE),
            E::Assertion(assertion) => {
                Self::of_assertion(&assertion, ErrorCode::INVALID_GRANT, NOT_ACCEPTABLE)
            }
            E::UnknownSubject(_) | E::DisabledSubject => {
                refused(Rule::Subject, "the client may not act for this subject")
            }
            E::NoPermission(_) => {
                refused(Rule::Permission, "the client may not act for this subject")
            }
            E::NotAllowed | E::DisabledTrustClient(_) => Self::new(
                ErrorCode::UNAUTHORIZED_CLIENT,
                Rule::Grant,
                "the client may not use this grant",
            ),
            E::MalformedScopeClaim(_) => Self::new(
                ErrorCode::INVALID_SCOPE,
                Rule::ScopeClaim,
                "the scope claim is malformed",
            ),
            E::Store(store) => Self::of_store(&store),
            E::Form(form) => return form.into(),
            E::Refused(refusal) => return refusal,
        };
        refusal.because(cause)
    }
}
