//! What the client keeps between the request and its answer, and the code that the answer brings.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{AnswerError, answer};
use crate::{client::TokenRequest, types::RedirectUri};

/// An authorization request whose answer is awaited. Keep it where only the browser that was sent
/// away gets at it: in the program's session of that browser, or sealed in a cookie of its own.
/// What ties an answer to that browser is its `state` (RFC 6749 §10.12).
///
/// Serialised it is a secret: it has the PKCE verifier. `Debug` does not show that.
///
/// ```
/// # fn example(session: &str, query: &str) -> Result<(), Box<dyn std::error::Error>> {
/// use grantor::{client::{AnswerError, PendingAuthorization}, types::ErrorCode};
///
/// let pending: PendingAuthorization = serde_json::from_str(session)?;
/// match pending.answer(query) {
///     Ok(code) => println!("to be redeemed: {code:?}"),
///     Err(AnswerError::Refused(refusal)) if refusal.code == ErrorCode::ACCESS_DENIED => {
///         println!("the person said no")
///     }
///     Err(error) => println!("no code: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct PendingAuthorization {
    issuer: String,
    /// The metadata says that answers have `iss`.
    expects_issuer: bool,
    redirect_uri: RedirectUri,
    state: String,
    verifier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
}

impl PendingAuthorization {
    pub(super) fn new(
        issuer: String,
        expects_issuer: bool,
        redirect_uri: RedirectUri,
        [state, verifier]: [String; 2],
        resource: Option<String>,
    ) -> Self {
        Self {
            issuer,
            expects_issuer,
            redirect_uri,
            state,
            verifier,
            resource,
        }
    }

    /// The server that was asked.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `state`: by which a program finds the request that an answer belongs to.
    pub fn state(&self) -> &str {
        &self.state
    }

    pub(super) fn expects_issuer(&self) -> bool {
        self.expects_issuer
    }

    pub(super) fn verifier(&self) -> &str {
        &self.verifier
    }

    /// Reads the answer: the query of the redirect URI, without `?`, as it came. Another's answer
    /// ([`AnswerError::State`]) says nothing of this request, which stays open.
    ///
    /// # Errors
    /// [`AnswerError`]
    pub fn answer(&self, query: &str) -> Result<Code, AnswerError> {
        let code = answer::read(self, query)?;
        Ok(Code {
            code,
            pending: self.clone(),
        })
    }
}

impl Drop for PendingAuthorization {
    fn drop(&mut self) {
        self.verifier.zeroize();
    }
}

impl fmt::Debug for PendingAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuthorization")
            .field("issuer", &self.issuer)
            .field("redirect_uri", &self.redirect_uri.as_str())
            .field("resource", &self.resource)
            .finish_non_exhaustive()
    }
}

/// A code in an answer that was read: good for one exchange, within a minute or so. `Debug` does not
/// show it.
pub struct Code {
    code: Zeroizing<String>,
    pending: PendingAuthorization,
}

impl Code {
    pub(super) fn issuer(&self) -> &str {
        &self.pending.issuer
    }

    pub(super) fn resource(&self) -> Option<&str> {
        self.pending.resource.as_deref()
    }

    /// RFC 6749 §4.1.3, RFC 7636 §4.5
    pub(super) fn fill(&self, request: &mut TokenRequest<'_>) {
        request.set("code", self.code.as_str());
        request.set("redirect_uri", self.pending.redirect_uri.as_str());
        request.set("code_verifier", self.pending.verifier.as_str());
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}
