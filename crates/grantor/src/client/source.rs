//! Where tokens come from: asked for once, kept, and refreshed before they end.

use std::{convert::Infallible, fmt, path::Path, sync::Arc, time::Duration};

use http::request;
use quick_cache::sync::Cache;

use super::{
    AccessToken, ClientAuth, ClientCredentials, ConfigError, Grant, JwtBearer, KeySourceError,
    RefreshTokenStore, RetryPolicy, Server, TokenError, TokenType, Wanted,
    credentials::{self, Credentials, Supply},
    exchange::Exchange,
    refresh_token::{Refresh, Rotation},
    slot::{Slot, Timing},
};
use crate::{
    clock::{Clock, SystemClock},
    remote::{
        Fetch, given_or_brought,
        place::{MetadataSource, Place},
        refreshing::{Crowd, Lives, Refreshing, StaleAfter},
    },
    types::{GrantType, Scope},
};

/// How long one try to read the metadata takes, and at most a third of the time for a token.
const METADATA_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the metadata is used: an hour, and for as long as there is no answer after that. Each
/// token request that needs it tries again.
const METADATA_LIVES: Lives = Lives {
    minimum: Duration::from_secs(3600),
    maximum: Duration::from_secs(3600),
    usual: Duration::from_secs(3600),
    stale: Duration::MAX,
    stale_after: StaleAfter::NoAnswer,
    cooldown: Duration::ZERO,
    pause: Duration::ZERO,
    longest_pause: Duration::ZERO,
    timeout: METADATA_TIMEOUT,
    crowd: Crowd::ANY,
};

/// Gives access tokens. A clone is the same source: make one per server and credential, and clone
/// it to wherever it is needed.
///
/// * A token is kept, for each [`Wanted`] its own, and handed out until shortly before it ends.
/// * It is refreshed ahead of that by whoever asks for it next, in the background: nobody who could
///   have the valid token waits.
/// * There is one request at a time for each token, however many ask. It runs in a task of its own,
///   so a caller that gives up does not end it for the others.
/// * A request that fails is [tried again](RetryPolicy) where that may help. After that the source waits,
///   longer with each failure (1 s to 60 s, or what `Retry-After` says): callers get the valid
///   token if there is one, else the last error at once.
///
/// Requests run on the tokio runtime of the caller that starts them; outside of one only a kept
/// token is given.
///
/// ```
/// use grantor::client::{JwtBearer, LocalKey, Server, TokenSource};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let key = LocalKey::from_file("billing.pem", None)?.with_key_id("2026-01");
/// let source = TokenSource::jwt_bearer(Server::discover("https://as.example")?, JwtBearer::new("billing", key))
///     .scope("invoices:read".parse()?)
///     .build()?;
/// let token = source.token().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenSource {
    exchange: Arc<Exchange>,
    timing: Timing,
    wanted: Arc<Wanted>,
    slot: Arc<Slot>,
    /// Those of all that is wanted from this source.
    slots: Arc<Cache<Wanted, Arc<Slot>>>,
}

impl TokenSource {
    /// From a key file: Grantor's own form, or that of service accounts (Google's). With a private
    /// key by the JWT bearer grant, with a secret by client credentials.
    /// [`TokenSource::key_file`] gives the builder.
    ///
    /// # Errors
    /// [`KeySourceError`]
    pub fn from_key_file(path: impl AsRef<Path>) -> Result<Self, KeySourceError> {
        let path = path.as_ref();
        Self::key_file(path)?
            .build()
            .map_err(|error| KeySourceError::Config(path.to_owned(), error))
    }

    /// As [`TokenSource::from_key_file`], with settings to change.
    ///
    /// The file is read again when a token is fetched and it has changed since, and once more if
    /// the server then refuses the credential (`invalid_client`, `invalid_grant`): a new key is
    /// used from the next token on, without a restart. A file that cannot be read then, or is
    /// for another client or server, is passed over. A token that is kept costs no look at the
    /// file.
    ///
    /// # Errors
    /// [`KeySourceError`]
    pub fn key_file(path: impl AsRef<Path>) -> Result<Builder, KeySourceError> {
        let path = path.as_ref();
        let (file, origin) = credentials::Origin::read(path)?;
        let source = file
            .source()
            .map_err(|error| KeySourceError::Config(path.to_owned(), error))?;
        Ok(Builder { origin, ..source })
    }

    /// Tokens for signed assertions (RFC 7523 §2.1).
    pub fn jwt_bearer(server: Server, grant: JwtBearer) -> Builder {
        Builder::new(server, grant)
    }

    /// Tokens for the client itself (RFC 6749 §4.4).
    pub fn client_credentials(server: Server, client_auth: impl ClientAuth) -> Builder {
        Builder::new(server, ClientCredentials).client_auth(client_auth)
    }

    /// Tokens by the refresh token of one person, which `store` keeps (RFC 6749 §6).
    /// [`CodeClient::tokens`](super::CodeClient::tokens) makes the same where there is such a client.
    ///
    /// * The successor that an answer brings is saved before its access token is given to anybody, and
    ///   before it is sent itself.
    /// * A request whose answer is lost is made again with the same refresh token.
    /// * One request is under way at a time, whatever is wanted.
    /// * A refresh token is sent to the server that gave it, and to no other.
    ///
    /// Refused with `invalid_grant`, the refresh token has ended: the person has to be asked anew.
    pub fn refresh_token(
        server: Server,
        client_auth: impl ClientAuth,
        store: Arc<dyn RefreshTokenStore>,
    ) -> Builder {
        Builder::refreshing(server, client_auth, store)
    }

    /// Tokens by any grant, from the token endpoint at this URL.
    ///
    /// # Errors
    /// [`ConfigError::Fetch`] unless it is an https URL, or an http URL of a loopback host.
    pub fn token_endpoint(url: &str, grant: impl Grant) -> Result<Builder, ConfigError> {
        Ok(Builder::new(Server::at(url)?, grant))
    }

    /// A token for what the source is configured for.
    ///
    /// # Errors
    /// [`TokenError`]
    pub async fn token(&self) -> Result<AccessToken, TokenError> {
        self.slot
            .token(&self.exchange, self.timing, &self.wanted)
            .await
    }

    /// A token for something in particular. What `wanted` leaves open is what the source is
    /// configured for.
    ///
    /// # Errors
    /// [`TokenError`]
    pub async fn token_for(&self, wanted: Wanted) -> Result<AccessToken, TokenError> {
        self.wanting(wanted).token().await
    }

    /// The source of tokens for something in particular: for what takes a source and asks for
    /// [`token`](Self::token). It shares cache and connections with this one.
    #[must_use]
    pub fn wanting(&self, wanted: Wanted) -> Self {
        let wanted = wanted.or(&self.wanted);
        if wanted == *self.wanted {
            return self.clone();
        }
        let slot = match self
            .slots
            .get_or_insert_with(&wanted, || Ok::<_, Infallible>(Arc::default()))
        {
            Ok(slot) => slot,
            Err(never) => match never {},
        };
        Self {
            wanted: Arc::new(wanted),
            slot,
            ..self.clone()
        }
    }

    /// Puts a token on a request, and answers which: to be [invalidated](Self::invalidate) if the
    /// API answers 401. Programs should prefer this to writing the header themselves: a token
    /// bound to a key (DPoP) needs more than a header value.
    ///
    /// # Errors
    /// [`TokenError`]
    pub async fn authorize(&self, request: &mut request::Parts) -> Result<AccessToken, TokenError> {
        let token = self.token().await?;
        token.authorize(request);
        Ok(token)
    }

    /// Says that an API refused this token (401, `invalid_token`): it is not handed out again, and
    /// the next caller gets a new one. However many say so of the same token, one request
    /// follows. If the new one is refused within 10 s too, it is kept: then the
    /// reason is another.
    pub fn invalidate(&self, token: &AccessToken) {
        token.reject();
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exchange = &self.exchange;
        let credentials = exchange.supply.current();
        let client_auth = exchange
            .client_auth
            .as_ref()
            .or(credentials.client_auth.as_ref());
        f.debug_struct("TokenSource")
            .field("server", &exchange.server)
            .field("grant", &credentials.grant.grant_type())
            .field(
                "client_auth",
                &client_auth.map(|client_auth| client_auth.method()),
            )
            .finish_non_exhaustive()
    }
}

/// The settings of a [`TokenSource`].
#[must_use]
pub struct Builder {
    server: Server,
    credentials: Credentials,
    /// Where the credentials come from, if they may change there.
    origin: Option<credentials::Origin>,
    /// In place of that in the credentials.
    client_auth: Option<Box<dyn ClientAuth>>,
    /// Where its token endpoint is, if that is known better than by `server`.
    endpoint: Option<Place>,
    rotation: Option<Arc<Rotation>>,
    wanted: Wanted,
    first: Option<AccessToken>,
    parameters: Vec<(String, String)>,
    accepted: Vec<TokenType>,
    retry: RetryPolicy,
    timing: Timing,
    capacity: usize,
    fetch: Option<Arc<dyn Fetch>>,
    clock: Arc<dyn Clock>,
}

impl Builder {
    /// Tokens from `server` by `grant`.
    pub fn new(server: Server, grant: impl Grant) -> Self {
        Self::with(
            server,
            Credentials {
                grant: Box::new(grant),
                client_auth: None,
            },
        )
    }

    pub(super) fn with(server: Server, credentials: Credentials) -> Self {
        let timing = Timing {
            refresh_ahead: Duration::from_secs(300),
            assumed_lifetime: credentials
                .grant
                .token_lifetime()
                .unwrap_or(Duration::from_secs(300)),
        };
        Self {
            server,
            credentials,
            origin: None,
            client_auth: None,
            endpoint: None,
            rotation: None,
            wanted: Wanted::new(),
            first: None,
            parameters: Vec::new(),
            accepted: vec![TokenType::Bearer],
            retry: RetryPolicy::default(),
            timing,
            capacity: 1024,
            fetch: None,
            clock: Arc::new(SystemClock),
        }
    }

    pub(super) fn refreshing(
        server: Server,
        client_auth: impl ClientAuth,
        store: Arc<dyn RefreshTokenStore>,
    ) -> Self {
        let rotation = Arc::new(Rotation::new(store));
        Self {
            rotation: Some(rotation.clone()),
            ..Self::new(server, Refresh(rotation)).client_auth(client_auth)
        }
    }

    pub(super) fn endpoint(self, place: Place) -> Self {
        Self {
            endpoint: Some(place),
            ..self
        }
    }

    /// How the client proves who it is. A JWT bearer grant needs none, for the assertion does.
    pub fn client_auth(self, client_auth: impl ClientAuth) -> Self {
        Self {
            client_auth: Some(Box::new(client_auth)),
            ..self
        }
    }

    /// The scope of a token where no other is wanted.
    pub fn scope(self, scope: Scope) -> Self {
        Self {
            wanted: self.wanted.scope(scope),
            ..self
        }
    }

    /// The subject of a token where no other is wanted.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Self {
            wanted: self.wanted.subject(subject),
            ..self
        }
    }

    /// The API a token is for (RFC 8707) where no other is wanted.
    pub fn resource(self, resource: impl Into<String>) -> Self {
        Self {
            wanted: self.wanted.resource(resource),
            ..self
        }
    }

    /// A further form parameter of every token request: Auth0's `audience`, for example.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Takes tokens of this type too. Without it anything but a Bearer token is refused (RFC 6749
    /// §7.1).
    pub fn accept(mut self, token_type: TokenType) -> Self {
        self.accepted.push(token_type);
        self
    }

    /// Begins with this token: the one that came with a code, for example. It is the one for what the
    /// source is configured for.
    pub fn holding(self, token: AccessToken) -> Self {
        Self {
            first: Some(token),
            ..self
        }
    }

    /// How often and how long a token request is tried.
    pub fn retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// How long before its end a token is refreshed: 5 minutes if not set, and at most a quarter of
    /// its life. Up to a tenth is added at random.
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.timing.refresh_ahead = ahead;
        self
    }

    /// How long a token is kept whose answer has no `expires_in`: 5 minutes, or what the preset
    /// says, if not set.
    pub fn assumed_lifetime(mut self, lifetime: Duration) -> Self {
        self.timing.assumed_lifetime = lifetime;
        self
    }

    /// Most tokens kept; 1024 if not set. The least used are forgotten.
    pub fn capacity(self, tokens: usize) -> Self {
        Self {
            capacity: tokens,
            ..self
        }
    }

    /// The HTTP client. If not set, the one that the feature `reqwest` brings. A
    /// [`VettedFetch`](crate::remote::VettedFetch) keeps the client out of private networks.
    pub fn fetch(self, fetch: Arc<dyn Fetch>) -> Self {
        Self {
            fetch: Some(fetch),
            ..self
        }
    }

    /// The clock. The operating system's if not set.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn build(self) -> Result<TokenSource, ConfigError> {
        self.credentials.check(&self.server)?;
        match self
            .client_auth
            .as_ref()
            .or(self.credentials.client_auth.as_ref())
        {
            Some(client_auth) => client_auth.check(&self.server)?,
            None if self.credentials.grant.grant_type() == GrantType::CLIENT_CREDENTIALS => {
                return Err(ConfigError::NoClientAuth(GrantType::CLIENT_CREDENTIALS));
            }
            None => {}
        }
        let fetch = given_or_brought(self.fetch)?;
        let find = || metadata(&self.server, self.retry, &fetch, &self.clock);
        let exchange = Exchange {
            endpoint: self
                .endpoint
                .unwrap_or_else(|| token_place(&self.server, find)),
            server: self.server,
            supply: Supply::new(self.credentials, self.origin),
            client_auth: self.client_auth,
            parameters: self.parameters,
            accepted: self.accepted,
            rotation: self.rotation,
            retry: self.retry,
            fetch,
            clock: self.clock,
        };
        let (wanted, slots) = (self.wanted, Cache::new(self.capacity));
        let slot = match self.first {
            Some(token) => Slot::holding(token, self.timing),
            None => Slot::default(),
        };
        let slot = Arc::new(slot);
        slots.insert(wanted.clone(), slot.clone());
        Ok(TokenSource {
            exchange: Arc::new(exchange),
            timing: self.timing,
            wanted: Arc::new(wanted),
            slot,
            slots: Arc::new(slots),
        })
    }
}

/// Where the token endpoint is: as configured, or by the metadata.
pub(super) fn token_place(
    server: &Server,
    metadata: impl FnOnce() -> Arc<Refreshing<MetadataSource>>,
) -> Place {
    match server.token_endpoint() {
        Some(url) => Place::Configured(url.clone()),
        None => Place::Discovered(metadata()),
    }
}

/// The metadata of the server, read when it is first wanted.
pub(super) fn metadata(
    server: &Server,
    retry: RetryPolicy,
    fetch: &Arc<dyn Fetch>,
    clock: &Arc<dyn Clock>,
) -> Arc<Refreshing<MetadataSource>> {
    let source = MetadataSource {
        issuer: server.issuer().unwrap_or_default().to_owned(),
        fetch: fetch.clone(),
    };
    // A reader whose runtime is not driven must leave time for another.
    let timeout = METADATA_TIMEOUT.min(retry.timeout / 3);
    let lives = Lives {
        timeout,
        ..METADATA_LIVES
    };
    Arc::new(Refreshing::new(source, lives, clock.clone()))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("server", &self.server)
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}
