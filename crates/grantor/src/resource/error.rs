//! Why a token is refused, and why a document of the authorization server is not there. None of
//! this is for the public: the challenge has fixed words, these go to the log.

use std::sync::Arc;

use grantor_jose::{Algorithm, ClaimsError, JsonError, JwkError, JwsError};
use http::StatusCode;

use crate::{
    credential::CredentialError,
    remote::{DiscoveryError, FetchError, KeySetError, key_set::SignatureError},
    types::Scope,
};

/// Why an access token is not accepted. A variant is a broken rule; no message contains a token.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValidationError {
    /// No JWS that is looked at, or a signature that does not verify (RFC 9068 §4).
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// The claims are no strict JSON, or one has a wrong type (RFC 7519 §7.2).
    #[error(transparent)]
    Claims(#[from] ClaimsError),
    /// `alg` is not among those configured (RFC 8725 §3.1).
    #[error("algorithm {0} is not among those accepted")]
    Algorithm(Algorithm),
    /// `typ` says that this is something else than an access token (RFC 9068 §4, RFC 8725 §3.11).
    #[error("header parameter 'typ' is {got:?}, expected \"at+jwt\"")]
    Type {
        /// What the header says.
        got: Option<String>,
    },
    /// A claim or member that belongs to another kind of token: an ID token, a refresh token, a
    /// logout token (RFC 8725 §3.12).
    #[error("'{0}' says that this is no access token")]
    NotAnAccessToken(&'static str),
    /// The issuer publishes no key of this `kid`, or none for this algorithm.
    #[error("no key of the issuer has this 'kid'")]
    UnknownKey,
    /// The issuer publishes a key of this `kid`, and it cannot be used.
    #[error("key {index} of the issuer's set has this 'kid', and cannot be used: {reason}")]
    UnusableKey {
        /// Its position in the set, from 0.
        index: usize,
        /// What is wrong with it.
        reason: JwkError,
    },
    /// A required claim is absent (RFC 9068 §2.2).
    #[error("claim '{0}' is missing")]
    MissingClaim(&'static str),
    /// A claim has a value that its definition does not allow.
    #[error("claim '{0}' is malformed")]
    MalformedClaim(&'static str),
    /// `iss` is not the configured issuer, to the letter (RFC 9068 §4).
    #[error("claim 'iss' is {got:?}, expected {expected:?}")]
    Issuer {
        /// The configured issuer.
        expected: String,
        /// What the token says.
        got: String,
    },
    /// `aud` does not contain this resource (RFC 9068 §4).
    #[error("claim 'aud' is {got:?}, expected one of {expected:?} among them")]
    Audience {
        /// The names of this resource.
        expected: Vec<String>,
        /// What the token says.
        got: Vec<String>,
    },
    /// `exp` has passed (RFC 7519 §4.1.4).
    #[error("expired {seconds_ago} s ago")]
    Expired {
        /// How long ago.
        seconds_ago: f64,
    },
    /// `nbf` has not come (RFC 7519 §4.1.5).
    #[error("not valid for another {seconds_ahead} s")]
    NotYetValid {
        /// How long until then.
        seconds_ahead: f64,
    },
    /// `iat` is in the future.
    #[error("issued {seconds_ahead} s in the future")]
    IssuedInFuture {
        /// How far.
        seconds_ahead: f64,
    },
    /// `cnf` binds the token to a key, whose possession a bearer request does not prove (RFC 9449
    /// §7.2, RFC 8705 §3).
    #[error("claim 'cnf' binds the token to a key; it is not a bearer token")]
    SenderConstrained,
    /// The authorization server says that the token is not active (RFC 7662 §2.2).
    #[error("the authorization server says that the token is not active")]
    Inactive,
    /// The token is good, but does not allow this (RFC 6750 §3.1).
    #[error("scope is '{got}', needed is '{needed}'")]
    Scope {
        /// What the request needs.
        needed: Scope,
        /// What the token allows.
        got: Scope,
    },
    /// Nothing is known about the token, because the authorization server does not answer.
    #[error(transparent)]
    Unavailable(Arc<SourceError>),
}

impl From<Arc<SourceError>> for ValidationError {
    fn from(error: Arc<SourceError>) -> Self {
        Self::Unavailable(error)
    }
}

impl From<SourceError> for ValidationError {
    fn from(error: SourceError) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}

impl From<SignatureError> for ValidationError {
    fn from(error: SignatureError) -> Self {
        match error {
            SignatureError::Jws(error) => Self::Jws(error),
            SignatureError::UnknownKey => Self::UnknownKey,
            SignatureError::UnusableKey { index, reason } => Self::UnusableKey { index, reason },
            SignatureError::Unavailable(error) => SourceError::Keys(error).into(),
        }
    }
}

/// Why metadata, keys or an introspection answer of the authorization server are not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The metadata is not there, or does not say where to ask about a token.
    #[error(transparent)]
    Discovery(#[from] Arc<DiscoveryError>),
    /// The keys are not there.
    #[error(transparent)]
    Keys(#[from] Arc<KeySetError>),
    /// There was no answer about a token.
    #[error("{url}: {error}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        error: FetchError,
    },
    /// Anything but 200; a redirect is not followed.
    #[error("{url}: {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// The introspection answer is no JSON object, or does not say whether the token is active (RFC
    /// 7662 §2.2).
    #[error("{url}: introspection answer: {error}")]
    Introspection {
        /// What was asked.
        url: String,
        /// Why.
        #[source]
        error: IntrospectionError,
    },
    /// The credentials for introspection could not be made.
    #[error("credentials for introspection: {0}")]
    Credentials(#[source] CredentialError),
    /// So many questions were under way to the authorization server that there was [no
    /// place](super::Introspection::at_once) for another in time.
    #[error("too many questions to the authorization server are under way")]
    Busy,
    /// It took longer than [configured](super::ValidatorBuilder::timeout).
    #[error("the authorization server does not answer in time")]
    TimedOut,
}

/// What is wrong with an introspection answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntrospectionError {
    /// Not a strict JSON object.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// `active` is absent or no boolean.
    #[error("member 'active' is not a boolean")]
    Active,
}
