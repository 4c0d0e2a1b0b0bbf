//! Why client authentication fails, and what the client is told.

use crate::{
    assertion::{AssertionError, PartyError},
    server::{Blame, Refusal, TrustError, UnprovenAssertion},
    storage::StoreError,
    types::{AuthMethod, ClientId, ErrorCode, Rule, Shown},
};

/// Client authentication failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientAuthError {
    /// No credentials, and the grant wants some.
    #[error("no client authentication, but the grant requires it")]
    Missing,
    /// More than one mechanism, none of them an assertion (RFC 6749 §2.3).
    #[error("more than one client authentication mechanism")]
    SeveralMechanisms,
    /// More than one mechanism, an assertion among them (RFC 7521 §4.2.1).
    #[error("more than one client authentication mechanism, one of them an assertion")]
    SeveralMechanismsWithAssertion,
    /// Credentials of a mechanism for which no method is registered here.
    #[error("credentials of a mechanism that this server does not offer")]
    NotOffered,
    /// The Authorization header cannot be read.
    #[error("authorization header: {0}")]
    UnreadableHeader(&'static str),
    /// One half of `client_assertion` and `client_assertion_type` is absent (RFC 7521 §4.2).
    #[error("parameter '{0}' is missing beside the other half of the pair")]
    IncompletePair(&'static str),
    /// `client_assertion_type` is not that of a JWT.
    #[error("client_assertion_type is not jwt-bearer: got {0:?}")]
    WrongAssertionType(Shown),
    /// `client_id` names another client than the credentials do (RFC 7521 §4.2).
    #[error("client_id does not match the credentials: got {got:?}")]
    ClientIdMismatch {
        /// The client whose credentials these are; `None` if there are none.
        expected: Option<ClientId>,
        /// `client_id`
        got: Shown,
    },
    /// The assertion has no party that could have signed it.
    #[error("{}", cause(.0))]
    Party(#[from] PartyError),
    /// No such client.
    #[error("client {0:?} is not registered")]
    UnknownClient(Shown),
    /// An operator has disabled the client.
    #[error("client is disabled")]
    DisabledClient,
    /// The client is registered with another method (RFC 7591 §2).
    #[error("method: client is registered with {expected}, used {got}")]
    WrongMethod {
        /// The registered method.
        expected: AuthMethod,
        /// The method of the request.
        got: AuthMethod,
    },
    /// The grant does not accept this method.
    #[error("method: {0} is not accepted by this grant")]
    MethodNotAccepted(AuthMethod),
    /// The secret is wrong or has expired.
    #[error("client secret is wrong or has expired")]
    WrongSecret,
    /// The secret is longer than any; nobody was looked up.
    #[error("client secret is longer than any")]
    OverlongSecret,
    /// The assertion broke a rule.
    #[error("assertion: {0}")]
    Assertion(AssertionError),
    /// It is of an issuer, and no trust grants anything for it.
    #[error(transparent)]
    Trust(TrustError),
    /// The trust names a client that is not registered to authenticate by the JWTs of others.
    #[error("method: client is not federated, used the JWT of an issuer")]
    NotFederated,
    /// The registry failed.
    #[error(transparent)]
    Store(StoreError),
    /// A custom method's own refusal.
    #[error("{0}")]
    Refused(#[from] Refusal),
}

/// In the words of the other methods: the party that signs a client assertion is the client.
fn cause(error: &PartyError) -> String {
    match error {
        PartyError::Unknown(name) => ClientAuthError::UnknownClient(name.clone()).to_string(),
        PartyError::Disabled(_) => ClientAuthError::DisabledClient.to_string(),
        PartyError::WrongMethod { method, .. } => ClientAuthError::WrongMethod {
            expected: method.clone(),
            got: AuthMethod::PRIVATE_KEY_JWT,
        }
        .to_string(),
        PartyError::NoIssuer
        | PartyError::NotCaller { .. }
        | PartyError::Key { .. }
        | PartyError::Store(_) => error.to_string(),
    }
}

/// What is told of everything by which a caller could find out who is registered (law 6).
const FAILED: &str = "client authentication failed";

impl From<UnprovenAssertion> for ClientAuthError {
    fn from(error: UnprovenAssertion) -> Self {
        match error {
            UnprovenAssertion::Party(error) => Self::Party(error),
            UnprovenAssertion::Assertion(error) => Self::Assertion(error),
            UnprovenAssertion::Trust(error) => Self::Trust(error),
        }
    }
}

impl From<ClientAuthError> for Refusal {
    fn from(error: ClientAuthError) -> Self {
        use ClientAuthError as E;
        let refused = |code, text| Self::new(code, Rule::Client, text).blaming(Blame::FailedProof);
        let cause = error.to_string();
        let refusal = match error {
            E::Missing => refused(
                ErrorCode::INVALID_CLIENT,
                "this grant requires client authentication",
            )
            .blaming(Blame::NoProof),
            E::SeveralMechanisms => refused(
                ErrorCode::INVALID_REQUEST,
                "use one client authentication mechanism at a time",
            ),
            E::SeveralMechanismsWithAssertion => refused(
                ErrorCode::INVALID_CLIENT,
                "use one client authentication mechanism at a time",
            ),
            E::NotOffered
            | E::UnreadableHeader(_)
            | E::IncompletePair(_)
            | E::WrongAssertionType(_)
            | E::ClientIdMismatch { .. }
            | E::UnknownClient(_)
            | E::DisabledClient
            | E::WrongSecret
            | E::OverlongSecret => refused(ErrorCode::INVALID_CLIENT, FAILED),
            E::WrongMethod { .. } | E::MethodNotAccepted(_) | E::NotFederated => {
                Self::new(ErrorCode::INVALID_CLIENT, Rule::Method, FAILED)
                    .blaming(Blame::FailedProof)
            }
            E::Party(party) => Self::of_party(&party, ErrorCode::INVALID_CLIENT, FAILED),
            E::Assertion(assertion) => {
                Self::of_assertion(&assertion, ErrorCode::INVALID_CLIENT, FAILED)
            }
            E::Trust(trust) => Self::of_trust(&trust, ErrorCode::INVALID_CLIENT, FAILED),
            E::Store(store) => Self::of_store(&store),
            E::Refused(refusal) => return refusal,
        };
        refusal.because(cause)
    }
}
