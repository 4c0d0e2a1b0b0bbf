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
    /// The resource is malformed or not served (RFC 8707 §2).
    pub const INVALID_TARGET: Self = Self::from_static("invalid_target");
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
