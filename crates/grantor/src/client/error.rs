//! Why there is no token. What a server said is shown escaped and shortened: it may have been
//! written to deceive whoever reads the log.

use std::{fmt, sync::Arc, time::Duration};

use grantor_jose::JsonError;
use http::StatusCode;
use url::Url;

use super::RefreshTokenStoreError;
use crate::{
    credential::{CredentialError, SignerError},
    remote::{DiscoveryError, FetchError},
    types::{GrantType, Shown},
};

/// Why a source cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A URL that credentials must not be sent to; or the default HTTP client cannot be made.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The grant proves nothing by itself, and there is no client authentication.
    #[error("grant {0} needs client authentication")]
    NoClientAuth(GrantType),
    /// The credential does not fit the server.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

/// Why there is no token. Cheap to clone: everybody who waited for the same request gets the same
/// error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The server refused (RFC 6749 §5.2).
    #[error(transparent)]
    Refused(Arc<OAuthError>),
    /// The server refused with `consent_required`, and says where the person can allow it: show them
    /// the link, and ask again afterwards.
    #[error("{error}; the person allows it at {uri}")]
    ConsentRequired {
        /// `consent_uri`: an https URL, or an http URL of a loopback host. It is the server's word:
        /// give it to the person, and fetch nothing from it.
        uri: Url,
        /// What the server said.
        error: Arc<OAuthError>,
    },
    /// An answer that is neither a token nor an OAuth error.
    #[error("the token endpoint answered {0}")]
    Status(StatusCode),
    /// A redirect. It is never followed: credentials would go where it points (RFC 9700 §4.12).
    #[error("the token endpoint answered {0}, a redirect, which is not followed")]
    Redirect(StatusCode),
    /// No answer.
    #[error("token endpoint: {0}")]
    Fetch(#[source] Arc<FetchError>),
    /// The token endpoint could not be learned from the metadata.
    #[error(transparent)]
    Discovery(Arc<DiscoveryError>),
    /// The answer is not `application/json` (RFC 6749 §5.1).
    #[error("the token answer has content type {}, expected application/json", shown(.0))]
    ContentType(String),
    /// The answer is not JSON, or has members twice.
    #[error("token answer: {0}")]
    Json(#[from] JsonError),
    /// A member of the answer is missing or not what RFC 6749 §5.1 says.
    #[error("token answer: member '{member}' is not {expected}")]
    Member {
        /// Its name.
        member: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A token of a type that was not asked for, and whose use is not understood (RFC 6749 §7.1).
    #[error("the token is of type {}, which is not accepted", shown(.0))]
    TokenType(String),
    /// The credential could not be signed.
    #[error(transparent)]
    Signer(Arc<SignerError>),
    /// What was configured does not work.
    #[error(transparent)]
    Config(Arc<ConfigError>),
    /// This grant is for the client itself, and a subject was wanted.
    #[error("grant {0} cannot act for a subject")]
    SubjectNotPossible(GrantType),
    /// The store has no refresh token: the person has to be asked first.
    #[error("there is no refresh token; the person has to be asked first")]
    NoRefreshToken,
    /// The refresh token could not be loaded, or its successor not be saved. No token is given then
    /// whose refresh token might be lost.
    #[error("the store of the refresh token: {0}")]
    RefreshTokenStore(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// A code or a refresh token is another server's; it was not sent.
    #[error("it was given by {}, and is not sent to {expected}", shown(.got))]
    OtherIssuer {
        /// The server that this source or client asks.
        expected: String,
        /// The server that gave it.
        got: String,
    },
    /// All tries together took too long.
    #[error("no token within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// There is no tokio runtime here, and a request runs on one.
    #[error("tokens are fetched on a tokio runtime, and none runs here")]
    NoRuntime,
    /// The runtime that made the request was shut down.
    #[error("the token request was aborted with its runtime")]
    Aborted,
}

impl TokenError {
    /// Whether another try may succeed by itself: no answer, or a failure of the server (5xx).
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused(error) => error.status.is_server_error(),
            Self::Status(status) => status.is_server_error(),
            Self::Fetch(error) => error.is_transient(),
            Self::Discovery(error) => error.is_transient(),
            _ => false,
        }
    }

    /// The server's error code, if it refused.
    pub fn oauth_code(&self) -> Option<&str> {
        match self {
            Self::Refused(error) | Self::ConsentRequired { error, .. } => Some(&error.code),
            _ => None,
        }
    }
}

impl TokenError {
    pub(super) fn store(error: RefreshTokenStoreError) -> Self {
        Self::RefreshTokenStore(error.into())
    }
}

impl From<SignerError> for TokenError {
    fn from(error: SignerError) -> Self {
        Self::Signer(Arc::new(error))
    }
}

impl From<CredentialError> for TokenError {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Signer(error) => error.into(),
            error => ConfigError::from(error).into(),
        }
    }
}

impl From<ConfigError> for TokenError {
    fn from(error: ConfigError) -> Self {
        Self::Config(Arc::new(error))
    }
}

impl From<FetchError> for TokenError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(Arc::new(error))
    }
}

impl From<Arc<DiscoveryError>> for TokenError {
    fn from(error: Arc<DiscoveryError>) -> Self {
        Self::Discovery(error)
    }
}

/// What a server says when it refuses (RFC 6749 §5.2). The fields are its words; `Display` shows
/// them escaped and shortened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OAuthError {
    /// The status of the answer.
    pub status: StatusCode,
    /// `error`, such as `invalid_client`.
    pub code: String,
    /// `error_description`
    pub description: Option<String>,
    /// `error_uri`
    pub uri: Option<String>,
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "refused with {}: {}",
            self.status.as_u16(),
            shown(&self.code)
        )?;
        if let Some(description) = &self.description {
            write!(f, ": {}", shown(description))?;
        }
        match &self.uri {
            Some(uri) => write!(f, " (see {})", shown(uri)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for OAuthError {}

/// Most octets of a server's text that are shown.
const MAX_SHOWN_BYTES: usize = 300;

/// A server's text as it may be shown: escaped and cut.
pub(super) fn shown(text: &str) -> Shown {
    Shown::known(text, MAX_SHOWN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_cannot_command_a_terminal_or_forge_a_log_line() {
        let error = OAuthError {
            status: StatusCode::BAD_REQUEST,
            code: "invalid_grant\u{1b}[31m".to_owned(),
            description: Some(format!(
                "a\r\nINFO all is well \u{202e}\u{0}\u{9b}1m {}",
                "x".repeat(2000)
            )),
            uri: Some("https://as.example/\u{7}".to_owned()),
        };
        let shown = TokenError::Refused(Arc::new(error)).to_string();
        assert!(
            !shown
                .chars()
                .any(|char| char.is_control() || char == '\u{202e}'),
            "{shown:?}"
        );
        assert!(
            shown
                .starts_with(r"refused with 400: invalid_grant\u{1b}[31m: a\u{d}\u{a}INFO all is well \u{202e}\u{0}\u{9b}1m xxx"),
            "{shown}"
        );
        assert!(
            shown.len() < 500
                && shown.ends_with(r"xx… (2029 octets) (see https://as.example/\u{7})"),
            "{shown}"
        );
    }

    #[test]
    fn plain_text_is_shown_as_it_is() {
        let error = OAuthError {
            status: StatusCode::UNAUTHORIZED,
            code: "invalid_client".to_owned(),
            description: Some("der Schlüssel ist \"abgelaufen\"".to_owned()),
            uri: None,
        };
        assert_eq!(
            error.to_string(),
            "refused with 401: invalid_client: der Schlüssel ist \"abgelaufen\""
        );
    }
}
