//! One token request and its answer; and again, while that may help.

use std::{sync::Arc, time::Duration};

use grantor_jose::crypto::random_bytes;
use http::{StatusCode, header};
use tokio::time::timeout;
use url::Url;

use super::{
    AccessToken, ClientAuth, Server, TokenError, TokenRequest, TokenType, Wanted,
    credentials::{Credentials, Supply},
    refresh_token::Rotation,
    token::{self, Answer, MAX_ANSWER_BYTES},
};
use crate::{
    clock::{Clock, UnixTime},
    remote::{Fetch, FetchError, place::Place},
    types::member,
};

/// How often a token request is tried, and how far apart. Tried again is what got no answer or a
/// 5xx, never a 4xx; each try has a new assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries, the first included.
    pub tries: u32,
    /// Longest wait before the second try. It doubles for each further one, and is cut by up to a
    /// half at random.
    pub first_wait: Duration,
    /// Longest wait there is. A server that asks for a longer one (`Retry-After`) is not asked
    /// again at once.
    pub longest_wait: Duration,
    /// All tries together.
    pub timeout: Duration,
}

impl Default for RetryPolicy {
    /// 3 tries, at most 250 ms and 500 ms apart, 60 s in all.
    fn default() -> Self {
        Self {
            tries: 3,
            first_wait: Duration::from_millis(250),
            longest_wait: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
        }
    }
}

/// Everything that a token request is made of.
pub(super) struct Exchange {
    pub server: Server,
    pub endpoint: Place,
    pub supply: Supply,
    /// In place of that of the supply.
    pub client_auth: Option<Box<dyn ClientAuth>>,
    pub parameters: Vec<(String, String)>,
    pub accepted: Vec<TokenType>,
    /// Of a source that refreshes.
    pub rotation: Option<Arc<Rotation>>,
    pub retry: RetryPolicy,
    pub fetch: Arc<dyn Fetch>,
    pub clock: Arc<dyn Clock>,
}

/// Why there is no token, and how long the server wants to be left alone.
#[derive(Clone)]
pub(super) struct Failure {
    pub error: TokenError,
    pub retry_after: Option<Duration>,
}

impl<E: Into<TokenError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            retry_after: None,
        }
    }
}

impl Exchange {
    /// Gets a token, with as many tries as allowed.
    pub async fn token(&self, wanted: &Wanted) -> Result<AccessToken, Failure> {
        Ok(self.answer(wanted).await?.token)
    }

    /// As [`Self::token`], with the refresh token beside it, which a source that refreshes has kept.
    pub async fn answer(&self, wanted: &Wanted) -> Result<Answer, Failure> {
        let tries = async {
            let _turn = match &self.rotation {
                Some(rotation) => Some(rotation.turn().await),
                None => None,
            };
            self.tries(wanted).await
        };
        let tries = timeout(self.retry.timeout, tries).await;
        tries.unwrap_or_else(|_| Err(TokenError::TimedOut(self.retry.timeout).into()))
    }

    async fn tries(&self, wanted: &Wanted) -> Result<Answer, Failure> {
        let mut credentials = self.supply.fresh().await;
        let mut renewed = None;
        let mut number = 1;
        loop {
            let failure = match self.once(wanted, &credentials).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            // Once in a fetch: what is refused with the credential that is there now is refused.
            if renewed.is_none() && is_about_the_credential(&failure.error) {
                renewed = self.supply.other_than(&credentials).await;
                if let Some(other) = &renewed {
                    credentials = other.clone();
                    continue;
                }
            }
            let backoff = backoff(self.retry.first_wait, self.retry.longest_wait, number);
            let wait = failure
                .retry_after
                .map_or(backoff, |wait| wait.max(backoff));
            if number >= self.retry.tries
                || !failure.error.is_transient()
                || wait > self.retry.longest_wait
            {
                return Err(failure);
            }
            tracing::debug!(error = %failure.error, number, "token request failed, trying again");
            #[expect(
                clippy::disallowed_methods,
                reason = "a server that fails is asked again later, as it said or ever more seldom"
            )]
            tokio::time::sleep(wait).await;
            number += 1;
        }
    }

    async fn once(&self, wanted: &Wanted, credentials: &Credentials) -> Result<Answer, Failure> {
        let endpoint = self
            .endpoint
            .url(member::TOKEN_ENDPOINT, |metadata| {
                metadata.token_endpoint.as_ref()
            })
            .await?;
        let now = self.clock.now();
        let request = self.request(wanted, credentials, &endpoint, now).await?;
        let request = request
            .into_http()
            .map_err(|error| FetchError::transport(&error))?;
        let answer = self.fetch.fetch(request, MAX_ANSWER_BYTES).await?;
        let retry_after = match answer.status() {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                seconds(answer.headers().get(header::RETRY_AFTER))
            }
            _ => None,
        };
        let answer = token::read(answer, now, &self.accepted)
            .map_err(|error| Failure { error, retry_after })?;
        if let Some(rotation) = &self.rotation {
            let successor = answer.refresh_token.clone();
            rotation.keep(&self.server, successor).await?;
        }
        Ok(answer)
    }

    async fn request<'a>(
        &'a self,
        wanted: &'a Wanted,
        credentials: &Credentials,
        endpoint: &'a Url,
        now: UnixTime,
    ) -> Result<TokenRequest<'a>, TokenError> {
        let mut request = TokenRequest::new(&self.server, endpoint, wanted, now);
        for (name, value) in &self.parameters {
            request.set(name.clone(), value.as_str());
        }
        request.set("grant_type", credentials.grant.grant_type().as_str());
        if let Some(scope) = request.scope().filter(|scope| !scope.is_empty()) {
            request.set("scope", scope.to_string());
        }
        if let Some(resource) = request.resource() {
            request.set("resource", resource);
        }
        credentials.grant.fill(&mut request).await?;
        if let Some(client_auth) = self
            .client_auth
            .as_ref()
            .or(credentials.client_auth.as_ref())
        {
            client_auth.authenticate(&mut request).await?;
        }
        Ok(request)
    }
}

/// Whether the server does not know the key or secret (RFC 6749 §5.2); it may have been replaced.
fn is_about_the_credential(error: &TokenError) -> bool {
    matches!(error.oauth_code(), Some("invalid_client" | "invalid_grant"))
}

/// The wait after this many failures: doubling from `first` up to `longest`, and cut by up to a
/// half at random so that many clients do not come back together.
pub(super) fn backoff(first: Duration, longest: Duration, failures: u32) -> Duration {
    let whole = first
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(longest);
    let random = u16::from_le_bytes(random_bytes());
    whole / 2 + (whole / 2).saturating_mul(u32::from(random)) / u32::from(u16::MAX)
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3). A date is not read.
fn seconds(value: Option<&http::HeaderValue>) -> Option<Duration> {
    value?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}
