//! Putting a validator together: whose tokens, for whom, with which keys, and for how long anything
//! is believed.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use grantor_jose::{Algorithm, JwkSet};
use tokio::sync::Semaphore;
use url::Url;

use super::{
    Introspection, TokenProfile, Validator,
    cache::TokenCache,
    introspection::Introspector,
    rules::Rules,
    validator::{Asking, Inner},
};
use crate::{
    clock::{Clock, SystemClock},
    credential::{CredentialError, Server},
    remote::{
        Fetch, FetchError, checked_url, given_or_brought,
        key_set::{KeySet, KeySetSource, Keys},
        place::{MetadataSource, Place},
        refreshing::{Crowd, Lives, Refreshing, StaleAfter},
    },
    types::Scope,
};

/// Signatures that are accepted unless told otherwise. Ed25519 also under its older name EdDSA (RFC
/// 9864).
pub const DEFAULT_ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Rs256,
    Algorithm::Ps256,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Ed25519,
];

/// The longest wait for an introspection answer: its end has to be a moment that can be told.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

/// Why a validator cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValidatorError {
    /// The issuer is no URL that metadata may be read from, and neither keys nor their URL are
    /// given.
    #[error("the issuer's metadata: {0}")]
    Issuer(#[source] FetchError),
    /// The URL of keys or introspection is none that credentials may be sent to and keys be read
    /// from.
    #[error(transparent)]
    Url(FetchError),
    /// The audience is empty, or has characters that no challenge can hold.
    #[error("audience {0:?}: expected printable ASCII without quotes and backslashes")]
    Audience(String),
    /// An HMAC key verifies and signs; a resource must not be able to make tokens.
    #[error("algorithm {0} is symmetric; access tokens are verified with public keys")]
    Symmetric(Algorithm),
    /// Without an algorithm no token could pass.
    #[error("no algorithm is accepted")]
    NoAlgorithm,
    /// Times that contradict each other.
    #[error("{0}")]
    Times(&'static str),
    /// The credentials for introspection do not fit the issuer.
    #[error("credentials for introspection: {0}")]
    Credentials(#[from] CredentialError),
    /// There is no HTTP client, or it cannot be made.
    #[error(transparent)]
    Fetch(FetchError),
}

/// Builds a [`Validator`]. What is not set has a safe default.
pub struct ValidatorBuilder {
    rules: Rules,
    keys: KeysFrom,
    introspection: Option<Introspection>,
    lives: Lives,
    remembered: Duration,
    capacity: usize,
    clock: Arc<dyn Clock>,
    fetch: Option<Arc<dyn Fetch>>,
}

enum KeysFrom {
    Metadata,
    Url(Url),
    Fixed(Arc<KeySet>),
}

impl ValidatorBuilder {
    pub(super) fn new(issuer: String, audience: String) -> Self {
        Self {
            rules: Rules {
                issuer,
                audiences: vec![audience],
                profile: TokenProfile::default(),
                algorithms: DEFAULT_ALGORITHMS.to_vec(),
                leeway: Duration::from_secs(30),
                scope: Scope::default(),
            },
            keys: KeysFrom::Metadata,
            introspection: None,
            lives: Lives {
                minimum: Duration::from_secs(60),
                maximum: Duration::from_secs(600),
                usual: Duration::from_secs(600),
                stale: Duration::from_secs(3600),
                stale_after: StaleAfter::AnyFailure,
                cooldown: Duration::from_secs(30),
                pause: Duration::from_secs(5),
                longest_pause: Duration::from_secs(5),
                timeout: Duration::from_secs(5),
                crowd: Crowd::ANY,
            },
            remembered: Duration::from_secs(300),
            capacity: 10_000,
            clock: Arc::new(SystemClock),
            fetch: None,
        }
    }

    /// Another name of this resource: a token for any of its names is for it. For a resource that
    /// is moving from one name to another, or that authorization servers know by different
    /// ones. The first stays its own: [`Validator::audience`], and the realm of challenges.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.rules.audiences.push(audience.into());
        self
    }

    /// Every token has to allow all of this. Scope of single routes:
    /// [`BearerLayer::require_scope`](super::BearerLayer).
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.rules.scope = scope;
        self
    }

    /// What a JWT has to look like. [`TokenProfile::Rfc9068`] unless set.
    #[must_use]
    pub fn profile(mut self, profile: TokenProfile) -> Self {
        self.rules.profile = profile;
        self
    }

    /// The accepted signature algorithms. [`DEFAULT_ALGORITHMS`] unless set.
    #[must_use]
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.rules.algorithms = algorithms.into_iter().collect();
        self
    }

    /// How far the issuer's clock may be off, either way (RFC 7519 §4.1.4). 30 s unless set.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.rules.leeway = leeway;
        self
    }

    /// Uses these keys for good, and reads neither metadata nor a `jwks_uri`.
    #[must_use]
    pub fn key_set(self, keys: JwkSet) -> Self {
        Self {
            keys: KeysFrom::Fixed(KeySet::new(keys)),
            ..self
        }
    }

    /// Reads the keys here, whatever the metadata say, or where there are none.
    #[must_use]
    pub fn jwks_uri(self, url: Url) -> Self {
        Self {
            keys: KeysFrom::Url(url),
            ..self
        }
    }

    /// Asks the authorization server about opaque tokens, or about all. Without it, opaque tokens
    /// are refused.
    #[must_use]
    pub fn introspection(self, introspection: Introspection) -> Self {
        Self {
            introspection: Some(introspection),
            ..self
        }
    }

    /// How long fetched keys are used: what `Cache-Control: max-age` says, but at least `minimum`
    /// and at most `maximum`; without it `maximum`. 1 and 10 minutes unless set. They are read
    /// again in the background when three quarters have passed.
    ///
    /// A key that the issuer removes is refused after `maximum` at the latest, while the issuer can
    /// be asked.
    #[must_use]
    pub fn keys_for(mut self, minimum: Duration, maximum: Duration) -> Self {
        (self.lives.minimum, self.lives.maximum) = (minimum, maximum);
        self.lives.usual = maximum;
        self
    }

    /// How long keys are used beyond that while the issuer does not answer. 1 hour unless set; then
    /// requests are refused with [`Unavailable`](super::ValidationError::Unavailable).
    #[must_use]
    pub fn stale_keys_for(mut self, duration: Duration) -> Self {
        self.lives.stale = duration;
        self
    }

    /// The shortest time between two reads of the keys that tokens with an unknown `kid` cause: so
    /// long can it take until a key is known that signs at the moment it is published. 30 s
    /// unless set.
    #[must_use]
    pub fn unknown_key_cooldown(mut self, cooldown: Duration) -> Self {
        self.lives.cooldown = cooldown;
        self
    }

    /// How long a request waits for the authorization server. 5 s unless set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.lives.timeout = timeout;
        self
    }

    /// How long an accepted JWT is not verified again, never beyond its `exp` nor a change of the
    /// issuer's keys, and how many tokens are remembered. 5 minutes and 10,000 tokens unless
    /// set; a token takes one to two KiB.
    #[must_use]
    pub fn remember(self, duration: Duration, tokens: usize) -> Self {
        Self {
            remembered: duration,
            capacity: tokens,
            ..self
        }
    }

    /// Another clock, for tests.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Sets the HTTP client. Without it and without the feature `reqwest`, [`build`](Self::build)
    /// fails. A [`VettedFetch`](crate::remote::VettedFetch) keeps the guard out of private networks.
    #[must_use]
    pub fn fetch(self, fetch: Arc<dyn Fetch>) -> Self {
        Self {
            fetch: Some(fetch),
            ..self
        }
    }

    /// Makes the validator. Nothing is read yet: see [`Validator::prepare`].
    ///
    /// # Errors
    /// [`ValidatorError`]
    pub fn build(self) -> Result<Validator, ValidatorError> {
        self.check()?;
        let fetch = given_or_brought(self.fetch).map_err(ValidatorError::Fetch)?;
        let source = MetadataSource {
            issuer: self.rules.issuer.clone(),
            fetch: fetch.clone(),
        };
        let metadata = Arc::new(Refreshing::new(source, self.lives, self.clock.clone()));
        let discovered = || Place::Discovered(metadata.clone());
        let fetched = |place| {
            Keys::Fetched(Refreshing::new(
                KeySetSource {
                    place,
                    fetch: fetch.clone(),
                },
                self.lives,
                self.clock.clone(),
            ))
        };
        let keys = match self.keys {
            KeysFrom::Metadata => fetched(discovered()),
            KeysFrom::Url(url) => fetched(Place::Configured(url)),
            KeysFrom::Fixed(keys) => Keys::Fixed(keys),
        };
        let server = Server::named(self.rules.issuer.clone());
        if let Some(introspection) = &self.introspection {
            introspection.credentials.check(&server)?;
        }
        let introspection = self.introspection.map(|introspection| Asking {
            introspector: Introspector {
                credentials: introspection.credentials,
                endpoint: introspection
                    .endpoint
                    .map_or_else(discovered, Place::Configured),
                server,
                fetch: fetch.clone(),
            },
            tokens: introspection.tokens,
            active: introspection.active,
            inactive: introspection.inactive,
            places: Semaphore::new(introspection.at_once.get()),
            timeout: self.lives.timeout.min(LONGEST_TIMEOUT),
        });
        Ok(Validator(Arc::new(Inner {
            rules: self.rules,
            keys,
            introspection,
            header: ArcSwapOption::empty(),
            tokens: TokenCache::new(self.capacity),
            remembered: self.remembered,
            clock: self.clock,
        })))
    }

    fn check(&self) -> Result<(), ValidatorError> {
        if let Some(bad) = self
            .rules
            .audiences
            .iter()
            .find(|audience| !is_quotable(audience))
        {
            return Err(ValidatorError::Audience(bad.clone()));
        }
        if self.rules.algorithms.is_empty() {
            return Err(ValidatorError::NoAlgorithm);
        }
        if let Some(symmetric) = self
            .rules
            .algorithms
            .iter()
            .copied()
            .find(|algorithm| algorithm.is_mac())
        {
            return Err(ValidatorError::Symmetric(symmetric));
        }
        if self.lives.minimum > self.lives.maximum {
            return Err(ValidatorError::Times(
                "keys are used for a minimum that is longer than the maximum",
            ));
        }
        let asked_at = self
            .introspection
            .as_ref()
            .map(|introspection| &introspection.endpoint);
        if matches!(self.keys, KeysFrom::Metadata) || matches!(asked_at, Some(None)) {
            checked_url(&self.rules.issuer).map_err(ValidatorError::Issuer)?;
        }
        let configured = match &self.keys {
            KeysFrom::Url(url) => Some(url),
            _ => None,
        };
        for url in configured
            .into_iter()
            .chain(asked_at.and_then(Option::as_ref))
        {
            checked_url(url.as_str()).map_err(ValidatorError::Url)?;
        }
        Ok(())
    }
}

/// Whether a challenge can hold it as it is (RFC 6750 §3, RFC 9110 §5.6.4).
pub(super) fn is_quotable(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

impl fmt::Debug for ValidatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatorBuilder")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
