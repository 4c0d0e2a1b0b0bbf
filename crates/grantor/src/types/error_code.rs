//! OAuth error codes. New ones are values, so that extensions need no new type.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// The value of `error` in an answer (RFC 6749 §5.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorCode(Cow<'static, str>);

impl ErrorCode {
    /// The request is malformed (RFC 6749 §5.2).
    pub const INVALID_REQUEST: Self = Self::from_static("invalid_request");
    /// Client authentication failed (RFC 6749 §5.2).
    pub const INVALID_CLIENT: Self = Self::from_static("invalid_client");
    /// What is presented is not acceptable (RFC 6749 §5.2).
    pub const INVALID_GRANT: Self = Self::from_static("invalid_grant");
    /// The client may not use this grant (RFC 6749 §5.2).
    pub const UNAUTHORIZED_CLIENT: Self = Self::from_static("unauthorized_client");
    /// The server has no such grant (RFC 6749 §5.2).
    pub const UNSUPPORTED_GRANT_TYPE: Self = Self::from_static("unsupported_grant_type");
    /// The scope is malformed, unknown or too wide (RFC 6749 §5.2).
    pub const INVALID_SCOPE: Self = Self::from_static("invalid_scope");
    /// The authorization endpoint gives nothing of this kind (RFC 6749 §4.1.2.1).
    pub const UNSUPPORTED_RESPONSE_TYPE: Self = Self::from_static("unsupported_response_type");
    /// The person, or the server, does not allow it (RFC 6749 §4.1.2.1).
    pub const ACCESS_DENIED: Self = Self::from_static("access_denied");
    /// Somebody has to sign in, which the request forbids (OpenID Connect Core §3.1.2.6).
    pub const LOGIN_REQUIRED: Self = Self::from_static("login_required");
    /// The person has to be asked, which the request forbids (OpenID Connect Core §3.1.2.6).
    pub const CONSENT_REQUIRED: Self = Self::from_static("consent_required");
    /// A request that is a JWT is not taken (OpenID Connect Core §3.1.2.6).
    pub const REQUEST_NOT_SUPPORTED: Self = Self::from_static("request_not_supported");
    /// A request that is elsewhere is not fetched (OpenID Connect Core §3.1.2.6).
    pub const REQUEST_URI_NOT_SUPPORTED: Self = Self::from_static("request_uri_not_supported");
    /// No client registers itself on the way (OpenID Connect Core §3.1.2.6).
    pub const REGISTRATION_NOT_SUPPORTED: Self = Self::from_static("registration_not_supported");
    /// The resource is malformed or not served (RFC 8707 §2).
    pub const INVALID_TARGET: Self = Self::from_static("invalid_target");
    /// The access token is missing, malformed, expired, revoked or another API's (RFC 6750 §3.1).
    pub const INVALID_TOKEN: Self = Self::from_static("invalid_token");
    /// The access token does not allow what is asked (RFC 6750 §3.1).
    pub const INSUFFICIENT_SCOPE: Self = Self::from_static("insufficient_scope");
    /// Something broke; the status is 500.
    pub const SERVER_ERROR: Self = Self::from_static("server_error");
    /// Something is busy or away; the status is 503, or 429 where the sender sent too much.
    pub const TEMPORARILY_UNAVAILABLE: Self = Self::from_static("temporarily_unavailable");

    /// A code known when compiling.
    ///
    /// # Panics
    /// If it contains what an error code must not (RFC 6749 §5.2): other than printable ASCII, `"`
    /// or `\`. In a constant this is an error of the compiler.
    pub const fn from_static(code: &'static str) -> Self {
        let bytes = code.as_bytes();
        let mut index = 0;
        while index < bytes.len() {
            let is_allowed = matches!(bytes[index], b' '..=b'~' if bytes[index] != b'"' && bytes[index] != b'\\');
            assert!(
                is_allowed,
                "an error code is printable ASCII without quotes"
            );
            index += 1;
        }
        Self(Cow::Borrowed(code))
    }

    /// Reads a code that a server sent; `None` if it contains what an error code must not.
    #[cfg(feature = "client")]
    pub(crate) fn parse(code: &str) -> Option<Self> {
        let is_allowed = |octet| matches!(octet, b' '..=b'~' if !matches!(octet, b'"' | b'\\'));
        let is_code = (1..=100).contains(&code.len()) && code.bytes().all(is_allowed);
        is_code.then(|| Self(Cow::Owned(code.to_owned())))
    }

    /// The code, compared to the letter.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
