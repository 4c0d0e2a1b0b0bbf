//! Where the token stands in a request (RFC 6750 §2.1), and what a request without a good one is
//! told (§3).

use std::{fmt, str, sync::Arc};

use grantor_jose::MAX_TOKEN_BYTES;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use url::Url;

use super::{ValidatedToken, ValidationError, Validator, builder::is_quotable};
use crate::types::Scope;

/// Guards an API: a [`tower_layer::Layer`] around any service over [`http`] types, or a part of it.
///
/// The token is taken from the one place it may be in: a single `Authorization: Bearer` header
/// field. A token in the query or in a form is not looked at (RFC 9700 §4.3.2). The inner service
/// finds a [`ValidatedToken`] in the request's extensions; everybody else gets a challenge:
///
/// | request | status | `error` (RFC 6750 §3.1) |
/// |---|---|---|
/// | without bearer token | 401 | none |
/// | header field twice, or no token in it | 400 | `invalid_request` |
/// | token that is not accepted, for whatever reason | 401 | `invalid_token` |
/// | token without a needed scope | 403 | `insufficient_scope`, with `scope` |
/// | nothing known: the authorization server does not answer | 503 | no challenge |
///
/// The reason is logged with [`tracing`], and never told. Preflight requests of browsers carry no
/// token: a CORS layer belongs outside of this one, as in `examples/protect_axum.rs`. There it
/// answers preflights, and lets pages read the guard's refusals.
///
/// ```
/// use grantor::{resource::{BearerLayer, Validator}, types::Scope};
///
/// let validator = Validator::builder("https://as.example", "https://api.example").build()?;
/// let guard = BearerLayer::new(validator);
/// let may_write = guard.clone().require_scope(Scope::parse("invoices:write")?);
/// # let _ = may_write;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BearerLayer {
    validator: Validator,
    terms: Arc<Terms>,
}

/// What is needed beside a good token, and what challenges say. Shared, because a layer is cloned
/// for every request.
#[derive(Clone, Debug)]
struct Terms {
    realm: String,
    scope: Scope,
    resource_metadata: Option<Url>,
}

/// A text that a challenge cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected printable ASCII without quotes and backslashes")]
pub struct RealmError;

impl BearerLayer {
    /// Guards with `validator`; the realm is its audience.
    pub fn new(validator: Validator) -> Self {
        let realm = validator.audience().to_owned();
        Self {
            validator,
            terms: Arc::new(Terms {
                realm,
                scope: Scope::default(),
                resource_metadata: None,
            }),
        }
    }

    /// Names the realm in challenges (RFC 9110 §11.5).
    ///
    /// # Errors
    /// [`RealmError`]
    pub fn realm(self, realm: &str) -> Result<Self, RealmError> {
        if is_quotable(realm) {
            Ok(self.with(|terms| terms.realm = realm.to_owned()))
        } else {
            Err(RealmError)
        }
    }

    /// Names this resource's metadata in challenges, so that a client can find the authorization
    /// server (RFC 9728 §5.1).
    #[must_use]
    pub fn resource_metadata(self, url: Url) -> Self {
        self.with(|terms| terms.resource_metadata = Some(url))
    }

    /// A token has to allow all of this too. On a clone, it is for one route.
    #[must_use]
    pub fn require_scope(self, scope: Scope) -> Self {
        self.with(|terms| terms.scope = terms.scope.union(&scope))
    }

    fn with(mut self, change: impl FnOnce(&mut Terms)) -> Self {
        change(Arc::make_mut(&mut self.terms));
        self
    }

    /// Finds the token in `headers` and validates it: for frameworks without tower, and for
    /// extractors.
    ///
    /// # Errors
    /// The answer for whoever sent the request.
    pub async fn authorize(&self, headers: &HeaderMap) -> Result<ValidatedToken, Rejection> {
        let found = match token(headers) {
            Ok(token) => self.validator.validate_for(token, &self.terms.scope).await,
            Err(refusal) => return Err(self.rejection(refusal)),
        };
        found.map_err(|reason| self.rejection(Refusal::Token(reason)))
    }

    fn rejection(&self, refusal: Refusal) -> Rejection {
        tracing::debug!(reason = %refusal, realm = self.terms.realm, "a request is refused");
        let status = refusal.status();
        Rejection {
            status,
            challenge: (status != StatusCode::SERVICE_UNAVAILABLE)
                .then(|| self.challenge(&refusal)),
            refusal,
        }
    }

    /// RFC 6750 §3
    fn challenge(&self, refusal: &Refusal) -> HeaderValue {
        let mut challenge = format!("Bearer realm=\"{}\"", self.terms.realm);
        let mut add =
            |name: &str, value: &str| challenge.push_str(&format!(", {name}=\"{value}\""));
        if let Some((error, description)) = refusal.public() {
            add("error", error);
            add("error_description", description);
        }
        if let Refusal::Token(ValidationError::Scope { needed, .. }) = refusal {
            add("scope", &needed.to_string());
        }
        if let Some(url) = &self.terms.resource_metadata {
            add("resource_metadata", url.as_str());
        }
        HeaderValue::try_from(challenge).expect("realm, scope and URL are printable ASCII")
    }
}

/// Why a request does not reach the API.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has no bearer token.
    #[error("no bearer token")]
    NoToken,
    /// It is not what RFC 6750 §2.1 describes.
    #[error("{0}")]
    Malformed(&'static str),
    /// The token is not accepted.
    #[error(transparent)]
    Token(ValidationError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Token(ValidationError::Scope { .. }) => StatusCode::FORBIDDEN,
            Self::Token(ValidationError::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Token(_) => StatusCode::UNAUTHORIZED,
        }
    }

    /// `error` and `error_description`: fixed words, the same for every bad token.
    fn public(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::NoToken | Self::Token(ValidationError::Unavailable(_)) => None,
            Self::Malformed(_) => Some((
                "invalid_request",
                "expected one Authorization header field with a bearer token",
            )),
            Self::Token(ValidationError::Scope { .. }) => {
                Some(("insufficient_scope", "the access token does not allow this"))
            }
            Self::Token(_) => Some((
                "invalid_token",
                "the access token is expired, revoked, malformed or not for this resource",
            )),
        }
    }
}

/// The answer to a request that does not reach the API.
pub struct Rejection {
    status: StatusCode,
    challenge: Option<HeaderValue>,
    refusal: Refusal,
}

impl Rejection {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its `WWW-Authenticate`.
    pub fn challenge(&self) -> Option<&HeaderValue> {
        self.challenge.as_ref()
    }

    /// Why: for the log, and not for the public.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// As a response with an empty body that nobody may store.
    pub fn into_response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("status", &self.status)
            .field("refusal", &self.refusal)
            .finish_non_exhaustive()
    }
}

/// The token of a request: one header field `Authorization: Bearer b64token` (RFC 6750 §2.1).
fn token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut fields = headers.get_all(header::AUTHORIZATION).into_iter();
    let field = fields.next().ok_or(Refusal::NoToken)?;
    if fields.next().is_some() {
        return Err(Refusal::Malformed(
            "the Authorization header field is sent more than once",
        ));
    }
    let (scheme, rest) = field.as_bytes().split_at(
        field
            .as_bytes()
            .iter()
            .position(|&byte| byte == b' ')
            .unwrap_or(field.len()),
    );
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(Refusal::NoToken);
    }
    let token = rest.trim_ascii_start();
    match str::from_utf8(token) {
        _ if token.len() > MAX_TOKEN_BYTES => Err(Refusal::Malformed(
            "the bearer token is longer than any that is looked at",
        )),
        Ok(token) if is_b64token(token) => Ok(token),
        _ => Err(Refusal::Malformed(
            "what follows the scheme is no bearer token",
        )),
    }
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(token: &str) -> bool {
    let bare = token.trim_end_matches('=');
    // Without branches: then the compiler looks at many octets at once.
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            | (byte == b'-')
            | (byte == b'.')
            | (byte == b'/')
            | (byte == b'_')
            | (byte == b'~')
            | (byte == b'+')
    };
    !bare.is_empty() && bare.bytes().fold(true, |all, byte| all & allowed(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(value: &[u8]) -> Option<String> {
        let headers =
            HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_bytes(value).ok()?)]);
        token(&headers).ok().map(str::to_owned)
    }

    #[test]
    fn a_token_has_no_letters_but_those_of_the_rfc() {
        for byte in 0..=u8::MAX {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(
                is_b64token(&char::from(byte).to_string()),
                allowed,
                "{byte:#x}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_found_is_written_like_a_token(value in prop::collection::vec(any::<u8>(), 0..60)) {
            for value in [value.clone(), [&b"Bearer "[..], &value].concat()] {
                if let Some(token) = found(&value) {
                    prop_assert!(token.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)));
                    prop_assert!(value.ends_with(token.as_bytes()) && !token.starts_with('='));
                }
            }
        }

        #[test]
        fn every_token_is_found(token in "[-._~+/A-Za-z0-9]{1,60}={0,3}", scheme in "(?i)bearer", spaces in " {1,3}") {
            prop_assert_eq!(found(format!("{scheme}{spaces}{token}").as_bytes()), Some(token));
        }
    }
}
