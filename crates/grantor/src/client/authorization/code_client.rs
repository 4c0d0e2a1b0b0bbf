//! A client to which people are sent back with a code, and what it gets for that.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::{AuthorizationRequest, Code};
use crate::{
    client::{
        AccessToken, Builder, ClientAuth, ConfigError, CredentialError, Grant, RefreshToken,
        RefreshTokenStore, RetryPolicy, Server, TokenError, TokenRequest, TokenType, Wanted,
        credentials::{Credentials, Supply},
        exchange::Exchange,
        source::{metadata, token_place},
    },
    clock::{Clock, SystemClock},
    remote::{
        DiscoveryError, Fetch, ServerMetadata, given_or_brought,
        place::{MetadataSource, Place},
        refreshing::Refreshing,
    },
    types::{GrantType, RedirectUri},
};

/// A client of the authorization code grant (RFC 6749 §4.1) at one server. A clone is the same
/// client: make one per server, and clone it to wherever it is needed.
///
/// ```no_run
/// use grantor::client::{CodeClient, LocalKey, PrivateKeyJwt, Server};
///
/// # async fn example(query: &str, store: std::sync::Arc<dyn grantor::client::RefreshTokenStore>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let auth = PrivateKeyJwt::new("billing", LocalKey::from_file("billing.pem", None)?);
/// let server = Server::discover("https://as.example")?;
/// let client = CodeClient::builder(server, "billing", "https://billing.example/callback".parse()?, auth).build()?;
///
/// let started = client.request().scope("invoices:read".parse()?).start().await?;
/// // Keep `started.pending` in the browser's session, and send the browser to `started.url`.
/// // It comes back to the redirect URI with `query`.
/// let code = started.pending.answer(query)?;
/// let redeemed = client.redeem(code).await?;
/// if let Some(refresh_token) = &redeemed.refresh_token {
///     store.save(refresh_token).await?;
/// }
/// // From now on, for this person:
/// let source = client.tokens(store).holding(redeemed.token).build()?;
/// let token = source.token().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CodeClient {
    inner: Arc<CodeClientBuilder>,
    fetch: Arc<dyn Fetch>,
    metadata: Arc<Refreshing<MetadataSource>>,
}

/// The settings of a [`CodeClient`].
#[must_use]
pub struct CodeClientBuilder {
    server: Server,
    client_id: String,
    redirect_uri: RedirectUri,
    client_auth: Arc<dyn ClientAuth>,
    accepted: Vec<TokenType>,
    retry: RetryPolicy,
    fetch: Option<Arc<dyn Fetch>>,
    clock: Arc<dyn Clock>,
}

/// What a code was exchanged for (RFC 6749 §5.1).
#[derive(Debug)]
#[non_exhaustive]
pub struct Redeemed {
    /// The access token.
    pub token: AccessToken,
    /// For further ones, if the client gets one. Save it before anything else is done.
    pub refresh_token: Option<RefreshToken>,
}

impl CodeClient {
    /// The client `client_id` of `server`, to which people come back at `redirect_uri` as it is
    /// registered; a program on a person's own machine names the port that it listens at (RFC 8252
    /// §7.3). A public client has [`NoneAuth`](crate::client::NoneAuth).
    pub fn builder(
        server: Server,
        client_id: impl Into<String>,
        redirect_uri: RedirectUri,
        client_auth: impl ClientAuth,
    ) -> CodeClientBuilder {
        CodeClientBuilder {
            server,
            client_id: client_id.into(),
            redirect_uri,
            client_auth: Arc::new(client_auth),
            accepted: vec![TokenType::Bearer],
            retry: RetryPolicy::default(),
            fetch: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Begins a request to a person.
    pub fn request(&self) -> AuthorizationRequest<'_> {
        AuthorizationRequest::new(self)
    }

    /// Exchanges a code for a token, in one try: a code works once, and a second use ends what the
    /// first one gave (RFC 6749 §4.1.2). Where there is no answer, begin again.
    ///
    /// # Errors
    /// [`TokenError`]; [`TokenError::OtherIssuer`] if another server was asked for the code: nothing
    /// is sent then (RFC 9700 §4.4).
    pub async fn redeem(&self, code: Code) -> Result<Redeemed, TokenError> {
        let issuer = self.issuer().to_owned();
        if code.issuer() != issuer {
            return Err(TokenError::OtherIssuer {
                expected: issuer,
                got: code.issuer().to_owned(),
            });
        }
        let wanted = match code.resource() {
            Some(resource) => Wanted::new().resource(resource),
            None => Wanted::new(),
        };
        let exchange = self.exchange(Exchanged(code));
        let answer = exchange.answer(&wanted).await;
        let answer = answer.map_err(|failure| failure.error)?;
        let text = answer.refresh_token;
        Ok(Redeemed {
            token: answer.token,
            refresh_token: text.map(|text| RefreshToken::new(issuer, text.as_str())),
        })
    }

    /// The source of tokens for the person whose refresh token `store` keeps. It shares connections
    /// and metadata with this client.
    pub fn tokens(&self, store: Arc<dyn RefreshTokenStore>) -> Builder {
        let server = self.inner.server.clone();
        Builder::refreshing(server, self.inner.client_auth.clone(), store)
            .endpoint(self.token_place())
            .retry(self.inner.retry)
            .fetch(self.fetch.clone())
            .clock(self.inner.clock.clone())
    }

    pub(super) async fn metadata(&self) -> Result<Arc<ServerMetadata>, Arc<DiscoveryError>> {
        self.metadata.get().await
    }

    pub(super) fn client_id(&self) -> &str {
        &self.inner.client_id
    }

    pub(super) fn redirect_uri(&self) -> &RedirectUri {
        &self.inner.redirect_uri
    }

    fn issuer(&self) -> &str {
        self.inner.server.issuer().unwrap_or_default()
    }

    fn token_place(&self) -> Place {
        token_place(&self.inner.server, || self.metadata.clone())
    }

    fn exchange(&self, grant: Exchanged) -> Exchange {
        let credentials = Credentials {
            grant: Box::new(grant),
            client_auth: Some(Box::new(self.inner.client_auth.clone())),
        };
        Exchange {
            server: self.inner.server.clone(),
            endpoint: self.token_place(),
            supply: Supply::new(credentials, None),
            client_auth: None,
            parameters: Vec::new(),
            accepted: self.inner.accepted.clone(),
            rotation: None,
            retry: RetryPolicy {
                tries: 1,
                ..self.inner.retry
            },
            fetch: self.fetch.clone(),
            clock: self.inner.clock.clone(),
        }
    }
}

impl fmt::Debug for CodeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeClient")
            .field("server", &self.inner.server)
            .field("client_id", &self.inner.client_id)
            .field("redirect_uri", &self.inner.redirect_uri.as_str())
            .field("client_auth", &self.inner.client_auth.method())
            .finish_non_exhaustive()
    }
}

impl CodeClientBuilder {
    /// How long a token request may take, and how often one that refreshes is tried. A code is sent
    /// once, whatever this says.
    pub fn retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// The HTTP client. If not set, the one that the feature `reqwest` brings.
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
    /// [`ConfigError`]; [`CredentialError::NoIssuer`] without an issuer identifier, by whose metadata
    /// the authorization endpoint is found.
    pub fn build(self) -> Result<CodeClient, ConfigError> {
        if self.server.issuer().is_none() {
            return Err(CredentialError::NoIssuer.into());
        }
        self.client_auth.check(&self.server)?;
        let fetch = given_or_brought(self.fetch.clone())?;
        Ok(CodeClient {
            metadata: metadata(&self.server, self.retry, &fetch, &self.clock),
            fetch,
            inner: Arc::new(self),
        })
    }
}

impl fmt::Debug for CodeClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeClientBuilder")
            .field("server", &self.server)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// The grant of one code.
struct Exchanged(Code);

#[async_trait]
impl Grant for Exchanged {
    fn grant_type(&self) -> GrantType {
        GrantType::AUTHORIZATION_CODE
    }

    async fn fill(&self, request: &mut TokenRequest<'_>) -> Result<(), TokenError> {
        self.0.fill(request);
        Ok(())
    }
}
