//! Whether an authorization answer is the one that was asked for (RFC 6749 §4.1.2, RFC 9207 §2.4),
//! and what it says.

use std::fmt;

use grantor_jose::crypto::constant_time_eq;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::PendingAuthorization;
use crate::{client::error::shown, types::ErrorCode};

/// Why an answer gives no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// A parameter is there twice (RFC 6749 §3.1).
    #[error("the authorization answer has {0} twice")]
    Twice(&'static str),
    /// `state` is missing or not that of this request: somebody else's answer (RFC 6749 §10.12).
    /// The request is still open.
    #[error("the authorization answer has another state than the request")]
    State,
    /// `iss` is not the server that was asked, or is missing although its metadata says that it is
    /// sent (RFC 9207 §2.4).
    #[error("the authorization answer is by {}, expected {expected}", by(got.as_deref()))]
    Issuer {
        /// The server that was asked.
        expected: String,
        /// `iss`
        got: Option<String>,
    },
    /// The server, or the person, said no.
    #[error(transparent)]
    Refused(AuthorizationRefusal),
    /// There is neither a code nor an error that RFC 6749 §4.1.2 would allow.
    #[error("the authorization answer has neither a code nor an error")]
    Empty,
}

fn by(got: Option<&str>) -> String {
    got.map_or_else(|| "nobody".to_owned(), |got| shown(got).to_string())
}

/// What a server says when it gives no code (RFC 6749 §4.1.2.1). The texts are its words; `Display`
/// shows them escaped and shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorizationRefusal {
    /// `error`, to be compared: [`ErrorCode::ACCESS_DENIED`] is a person who said no.
    pub code: ErrorCode,
    /// `error_description`
    pub description: Option<String>,
    /// `error_uri`
    pub uri: Option<String>,
}

impl AuthorizationRefusal {
    /// Whether the same request may succeed later (`server_error`, `temporarily_unavailable`).
    pub fn is_transient(&self) -> bool {
        [ErrorCode::SERVER_ERROR, ErrorCode::TEMPORARILY_UNAVAILABLE].contains(&self.code)
    }
}

impl fmt::Display for AuthorizationRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no authorization: {}", self.code)?;
        if let Some(description) = &self.description {
            write!(f, ": {}", shown(description))?;
        }
        match &self.uri {
            Some(uri) => write!(f, " (see {})", shown(uri)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for AuthorizationRefusal {}

/// The parameters of an answer that mean something here.
#[derive(Default)]
struct Parameters {
    state: Option<Zeroizing<String>>,
    iss: Option<String>,
    code: Option<Zeroizing<String>>,
    error: Option<String>,
    description: Option<String>,
    uri: Option<String>,
}

impl Parameters {
    fn read(query: &str) -> Result<Self, AnswerError> {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "state" => once("state", &mut read.state, value.into())?,
                "iss" => once("iss", &mut read.iss, value)?,
                "code" => once("code", &mut read.code, value.into())?,
                "error" => once("error", &mut read.error, value)?,
                "error_description" => once("error_description", &mut read.description, value)?,
                "error_uri" => once("error_uri", &mut read.uri, value)?,
                _ => {}
            }
        }
        Ok(read)
    }
}

fn once<T>(name: &'static str, place: &mut Option<T>, value: T) -> Result<(), AnswerError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(AnswerError::Twice(name)),
    }
}

/// Reads the code of an answer to `pending`. Errors are believed under the same rules as codes.
pub(super) fn read(
    pending: &PendingAuthorization,
    query: &str,
) -> Result<Zeroizing<String>, AnswerError> {
    let answer = Parameters::read(query)?;
    let state = answer.state.as_ref().map_or("", |state| state.as_str());
    if !constant_time_eq(state.as_bytes(), pending.state().as_bytes()) {
        return Err(AnswerError::State);
    }
    let is_of_server = match &answer.iss {
        Some(iss) => iss == pending.issuer(),
        None => !pending.expects_issuer(),
    };
    if !is_of_server {
        return Err(AnswerError::Issuer {
            expected: pending.issuer().to_owned(),
            got: answer.iss,
        });
    }
    if let Some(error) = answer.error {
        return Err(match ErrorCode::parse(&error) {
            Some(code) => AnswerError::Refused(AuthorizationRefusal {
                code,
                description: answer.description,
                uri: answer.uri,
            }),
            None => AnswerError::Empty,
        });
    }
    // RFC 6749, appendix A.11
    let is_code = |code: &Zeroizing<String>| {
        !code.is_empty() && code.bytes().all(|octet| matches!(octet, b' '..=b'~'))
    };
    answer.code.filter(is_code).ok_or(AnswerError::Empty)
}
