//! Asking the authorization server about a token (RFC 7662): the only way to know about an opaque
//! token, and about revocation.

use std::{fmt, num::NonZero, sync::Arc, time::Duration};

use grantor_jose::{Claims, json};
use http::StatusCode;
use url::Url;

use super::{IntrospectionError, SourceError, ValidationError};
use crate::{
    clock::UnixTime,
    credential::{ClientAuth, EndpointRequest, Server},
    remote::{Fetch, FetchError, place::Place},
    types::member,
};

/// Largest introspection answer read, in octets.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Questions under way at once unless told otherwise: a server that answers within 10 ms is asked
/// 3,200 times a second.
const DEFAULT_AT_ONCE: NonZero<usize> = NonZero::new(32).expect("not zero");

/// When and how the authorization server is asked about tokens.
///
/// An answer may leave out `aud` (RFC 7662 §2.2); "active" then means active for whoever asks (§4),
/// and the token is accepted. Where the server has neighbours of this resource and does not tell
/// them apart, require a scope that only this resource knows.
///
/// ```
/// use std::time::Duration;
/// use grantor::{credential::ClientSecretBasic, resource::Introspection};
///
/// let introspection = Introspection::new(ClientSecretBasic::new("invoices-api", "its secret"))
///     .of_every_token()
///     .active_for(Duration::from_secs(30));
/// # let _ = introspection;
/// ```
pub struct Introspection {
    pub(super) credentials: Arc<dyn ClientAuth>,
    pub(super) endpoint: Option<Url>,
    pub(super) tokens: IntrospectedTokens,
    pub(super) active: Duration,
    pub(super) inactive: Duration,
    pub(super) at_once: NonZero<usize>,
}

/// Which tokens the authorization server is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntrospectedTokens {
    Opaque,
    All,
}

impl Introspection {
    /// Asks about opaque tokens, with these credentials; JWTs are still validated here alone.
    ///
    /// The endpoint is the `introspection_endpoint` of the issuer's metadata. An active token is
    /// taken for active for another minute, an inactive one for inactive for another 5 s.
    pub fn new(credentials: impl ClientAuth) -> Self {
        Self {
            credentials: Arc::new(credentials),
            endpoint: None,
            tokens: IntrospectedTokens::Opaque,
            active: Duration::from_secs(60),
            inactive: Duration::from_secs(5),
            at_once: DEFAULT_AT_ONCE,
        }
    }

    /// Asks at this URL, whatever the metadata say.
    #[must_use]
    pub fn endpoint(self, endpoint: Url) -> Self {
        Self {
            endpoint: Some(endpoint),
            ..self
        }
    }

    /// Asks about JWTs too, once they have passed validation here, so that their revocation is
    /// honoured. A forged JWT never reaches the authorization server.
    #[must_use]
    pub fn of_every_token(self) -> Self {
        Self {
            tokens: IntrospectedTokens::All,
            ..self
        }
    }

    /// How long an answer "active" is used, never beyond the token's `exp`. A revoked token is
    /// refused after this time at the latest.
    #[must_use]
    pub fn active_for(self, duration: Duration) -> Self {
        Self {
            active: duration,
            ..self
        }
    }

    /// How many questions are under way at once; 32 unless set. Anybody can make up opaque tokens,
    /// and each has to be asked about, so this is what a flood of them costs the authorization
    /// server. Requests beyond it wait, for at most half the
    /// [timeout](super::ValidatorBuilder::timeout), and are then answered 503. Many requests with
    /// the same token are one question.
    #[must_use]
    pub fn at_once(self, questions: NonZero<usize>) -> Self {
        Self {
            at_once: questions,
            ..self
        }
    }

    /// How long an answer "not active" is used. Short: a token may become known a moment after it
    /// was issued.
    #[must_use]
    pub fn inactive_for(self, duration: Duration) -> Self {
        Self {
            inactive: duration,
            ..self
        }
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Introspection");
        shown
            .field("tokens", &self.tokens)
            .field("active", &self.active)
            .field("inactive", &self.inactive);
        shown.finish_non_exhaustive()
    }
}

/// Asks.
pub(super) struct Introspector {
    pub(super) credentials: Arc<dyn ClientAuth>,
    pub(super) endpoint: Place,
    /// For whom assertions are: the configured issuer.
    pub(super) server: Server,
    pub(super) fetch: Arc<dyn Fetch>,
}

impl Introspector {
    /// What the server says about an active token.
    pub(super) async fn ask(&self, token: &str, now: UnixTime) -> Result<Claims, ValidationError> {
        let url = self
            .endpoint
            .url(member::INTROSPECTION_ENDPOINT, |metadata| {
                metadata.introspection_endpoint.as_ref()
            })
            .await
            .map_err(SourceError::Discovery)?;
        let body = self.send(&url, token, now).await?;
        let unreadable = |error| SourceError::Introspection {
            url: url.to_string(),
            error,
        };
        let answer = json::parse_object(&body).map_err(|error| unreadable(error.into()))?;
        match answer.get("active").and_then(json::Value::as_bool) {
            Some(true) => Ok(Claims::parse(&body)?),
            Some(false) => Err(ValidationError::Inactive),
            None => Err(unreadable(IntrospectionError::Active).into()),
        }
    }

    async fn send(
        &self,
        url: &Url,
        token: &str,
        now: UnixTime,
    ) -> Result<bytes::Bytes, SourceError> {
        let mut request = EndpointRequest::new(&self.server, url, now);
        request.set("token", token);
        request.set("token_type_hint", "access_token");
        self.credentials
            .authenticate(&mut request)
            .await
            .map_err(SourceError::Credentials)?;
        let failed = |error| SourceError::Fetch {
            url: url.to_string(),
            error,
        };
        let request = request
            .into_http()
            .map_err(|_| failed(FetchError::Url(url.to_string())))?;
        let answer = self
            .fetch
            .fetch(request, MAX_ANSWER_BYTES)
            .await
            .map_err(failed)?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            status => Err(SourceError::Status {
                url: url.to_string(),
                status,
            }),
        }
    }
}
