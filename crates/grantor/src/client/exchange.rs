//! One token request and its answer; and again, while that may help.

use std::{sync::Arc, time::Duration};

use grantor_jose::crypto::random_bytes;
use http::{StatusCode, header};
use tokio::{sync::Mutex, time::timeout};
use url::Url;

use super::{
    AccessToken, ClientAuth, Server, TokenError, TokenRequest, TokenType, Wanted,
    credentials::{Credentials, Supply},
    token::{self, MAX_ANSWER_BYTES},
};
use crate::{
    clock::{Clock, UnixTime},
    remote::{Fetch, ServerMetadata},
};

/// How long a discovered token endpoint is used before the metadata is read again.
const METADATA_LIFETIME: Duration = Duration::from_secs(3600);
/// How long a request waits for the metadata that another reads, and at most half its time.
const METADATA_PATIENCE: Duration = Duration::from_secs(5);

/// How often a token request is tried, and how far apart. Tried again is what got no answer or a
/// 5xx, never a 4xx; each try has a new assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
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

impl Default for Retry {
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
    pub supply: Supply,
    /// In place of that of the supply.
    pub client_auth: Option<Box<dyn ClientAuth>>,
    pub parameters: Vec<(String, String)>,
    pub accepted: Vec<TokenType>,
    pub retry: Retry,
    pub fetch: Arc<dyn Fetch>,
    pub clock: Arc<dyn Clock>,
    /// The token endpoint that the metadata named, and when it was read. Waiting for this lock is
    /// waiting for the document.
    pub discovered: Mutex<Option<(Url, UnixTime)>>,
}

/// Why there is no token, and how long the server wants to be left alone.
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
        let tries = timeout(self.retry.timeout, self.tries(wanted)).await;
        tries.unwrap_or_else(|_| Err(TokenError::TimedOut(self.retry.timeout).into()))
    }

    async fn tries(&self, wanted: &Wanted) -> Result<AccessToken, Failure> {
        let mut credentials = self.supply.fresh().await;
        let mut renewed = None;
        let mut number = 1;
        loop {
            let failure = match self.once(wanted, &credentials).await {
                Ok(token) => return Ok(token),
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
            tokio::time::sleep(wait).await;
            number += 1;
        }
    }

    async fn once(
        &self,
        wanted: &Wanted,
        credentials: &Credentials,
    ) -> Result<AccessToken, Failure> {
        let endpoint = self.endpoint().await?;
        let now = self.clock.now();
        let request = self.request(wanted, credentials, now).await?;
        let request = request
            .into_http(&endpoint)
            .map_err(|error| crate::remote::FetchError::transport(&error))?;
        let answer = self.fetch.fetch(request, MAX_ANSWER_BYTES).await?;
        let retry_after = match answer.status() {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                seconds(answer.headers().get(header::RETRY_AFTER))
            }
            _ => None,
        };
        token::read(answer, now, &self.accepted).map_err(|error| Failure { error, retry_after })
    }

    async fn request<'a>(
        &'a self,
        wanted: &'a Wanted,
        credentials: &Credentials,
        now: UnixTime,
    ) -> Result<TokenRequest<'a>, TokenError> {
        let mut request = TokenRequest::new(&self.server, wanted, now);
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

    /// The token endpoint: as configured, or by the metadata. Metadata that can no longer be read
    /// is used on.
    async fn endpoint(&self) -> Result<Url, TokenError> {
        let issuer = match (self.server.token_endpoint(), self.server.issuer()) {
            (Some(url), _) => return Ok(url.clone()),
            (None, issuer) => issuer.unwrap_or_default(),
        };
        // Whoever reads it may hang with a runtime that nobody drives: then each reads it for
        // itself.
        let patience = METADATA_PATIENCE.min(self.retry.timeout / 2);
        let mut discovered = timeout(patience, self.discovered.lock()).await.ok();
        let known = discovered.as_deref().cloned().flatten();
        let now = self.clock.now();
        match &known {
            Some((url, read)) if *read <= now && now < read.plus(METADATA_LIFETIME) => {
                return Ok(url.clone());
            }
            _ => {}
        }
        match (
            ServerMetadata::discover(&*self.fetch, issuer)
                .await
                .map_err(TokenError::from),
            known,
        ) {
            (Err(error), Some((url, _))) if error.is_transient() => Ok(url),
            (metadata, _) => {
                let url = metadata?
                    .token_endpoint
                    .ok_or(TokenError::NoTokenEndpoint)?;
                if let Some(discovered) = &mut discovered {
                    **discovered = Some((url.clone(), now));
                }
                Ok(url)
            }
        }
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
