//! What is wrong with a form, and what its sender is told.

use http::StatusCode;

use crate::{
    server::{Blame, Refusal},
    types::{ErrorCode, Rule, Shown},
};

/// The request's form is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// Not exactly one Content-Type of a UTF-8 form, but these.
    #[error("content type is not application/x-www-form-urlencoded: got {0}")]
    ContentType(Shown),
    /// A compressed body.
    #[error("content encoding is not supported: got {0:?}")]
    ContentEncoding(Shown),
    /// More than the endpoint takes.
    #[error("request is too large")]
    TooLarge,
    /// A query of more than 8 KiB.
    #[error("the query is too large")]
    QueryTooLarge,
    /// The body stopped coming.
    #[error("request body was not received")]
    Incomplete,
    /// A bad escape, or not UTF-8, in the parameter of this name.
    #[error("form is not correctly encoded: {0:?}")]
    Encoding(Shown),
    /// The parameter of this name occurs twice (RFC 6749 §3.2).
    #[error("a parameter is repeated: {0:?}")]
    DuplicateParameter(Shown),
    /// More than 64 parameters.
    #[error("too many parameters")]
    TooManyParameters,
    /// Parameters in the request URI (RFC 6749 §2.3.1).
    #[error("parameters belong in the request body: {0} is in the query")]
    ParameterInQuery(&'static str),
    /// Two Authorization headers.
    #[error("more than one Authorization header")]
    DuplicateAuthorization,
    /// A required parameter is absent or empty.
    #[error("parameter {0} is missing")]
    MissingParameter(&'static str),
    /// No grant is registered under this `grant_type`.
    #[error("grant_type is not supported: got {0:?}")]
    UnsupportedGrantType(Shown),
}

/// The sender is told the rule in fixed words, without what was sent.
impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        use FormError as E;
        let invalid = |text: &'static str| {
            Self::new(ErrorCode::INVALID_REQUEST, Rule::Form, text).blaming(Blame::NoProof)
        };
        let refusal = match &error {
            E::ContentType(_) => invalid("content type is not application/x-www-form-urlencoded"),
            E::ContentEncoding(_) => invalid("content encoding is not supported"),
            E::TooLarge => invalid("request is too large")
                .with_status(StatusCode::PAYLOAD_TOO_LARGE)
                .closing_the_connection(),
            E::QueryTooLarge => {
                invalid("the query is too large").with_status(StatusCode::URI_TOO_LONG)
            }
            E::Incomplete => invalid("request body was not received").closing_the_connection(),
            E::Encoding(_) => invalid("form is not correctly encoded"),
            E::DuplicateParameter(_) => invalid("a parameter is repeated"),
            E::TooManyParameters => invalid("too many parameters"),
            E::ParameterInQuery(_) => invalid("parameters belong in the request body"),
            E::DuplicateAuthorization => invalid("more than one Authorization header"),
            E::MissingParameter(name) => Self::new(
                ErrorCode::INVALID_REQUEST,
                Rule::Form,
                format!("parameter {name} is missing"),
            )
            .blaming(Blame::NoProof),
            E::UnsupportedGrantType(_) => Self::new(
                ErrorCode::UNSUPPORTED_GRANT_TYPE,
                Rule::Form,
                "grant_type is not supported",
            )
            .blaming(Blame::NoProof),
        };
        refusal.because(&error)
    }
}
