//! Putting a server together: identity, storage, grants, client authentication methods.

use std::sync::Arc;

use grantor_jose::{Algorithm, SigningError};
use http::{HeaderName, Request, Response, header};
use url::Url;

use super::{
    AuthorizationCode, AuthorizationEndpoint, Body, ClientAssertion, ClientAuthentication,
    ClientCredentials, ClientSecretBasic, ClientSecretPost, ConsentEndpoint, Context, DecisionLog,
    Endpoint, Grant, IntrospectionEndpoint, JwkSetEndpoint, JwtBearer, MetadataEndpoint,
    PublicClient, RefreshGrant, RevocationEndpoint, Seals, Settings, Throttle, TokenEndpoint,
    TokenIds, TracingLog, Unthrottled,
    authorization::People,
    context::Parts,
    endpoint::Endpoints,
    service::{READ, respond},
};
use crate::{
    assertion::{Decoys, Lifetimes, Parties, ServerIdentity, Terms, Verifier},
    clock::{Clock, SystemClock},
    keys::{KeyKind, KeyResolver, KeyRing, RegisteredKeys, SigningKeys},
    storage::{
        Artifacts, ClientSource, DEFAULT_REPLAY_QUOTA, DEFAULT_TOKEN_QUOTA, IssuerSource,
        PermissionSource, ReplayGuard, RoleSource, Store, SubjectSource,
    },
    types::{AuthMethod, GrantType, Issuer},
};

/// An authorization server. Cloning it shares everything.
///
/// It is a [`tower_service::Service`] over [`http::Request`]; [`AuthorizationServer::respond`] is
/// the same without tower.
#[derive(Clone)]
pub struct AuthorizationServer(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) context: Context,
    pub(super) decisions: Box<dyn DecisionLog>,
    pub(super) throttle: Box<dyn Throttle>,
    /// The fields of a head that something here reads.
    pub(super) read: Vec<HeaderName>,
}

impl AuthorizationServer {
    /// Starts building a server of this name.
    pub fn builder(issuer: Issuer) -> Builder {
        Builder::new(issuer)
    }

    /// Answers one HTTP request by the endpoint at its path; 404 where there is none.
    pub async fn respond<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        respond(self, request).await
    }
}

/// Why a server cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A part without which no request could be answered.
    #[error("the builder needs {0}")]
    Missing(&'static str),
    /// Two grants of one type.
    #[error("grant type {0} is registered twice")]
    DuplicateGrant(GrantType),
    /// Two client authentication methods of one name.
    #[error("client authentication method {0} is registered twice")]
    DuplicateMethod(AuthMethod),
    /// Two endpoints of one name or at one path.
    #[error("endpoint {0} is registered twice")]
    DuplicateEndpoint(&'static str),
    /// A setting that makes no sense.
    #[error("setting {0}")]
    Setting(&'static str),
    /// No signing key could be made.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

/// Builds an [`AuthorizationServer`]. What is not set has a safe default, but for the storage.
pub struct Builder {
    issuer: Issuer,
    settings: Settings,
    lifetimes: Lifetimes,
    clock: Arc<dyn Clock>,
    clients: Option<Arc<dyn ClientSource>>,
    subjects: Option<Arc<dyn SubjectSource>>,
    permissions: Option<Arc<dyn PermissionSource>>,
    replay: Option<Arc<dyn ReplayGuard>>,
    replay_quota: u64,
    artifacts: Option<Arc<dyn Artifacts>>,
    token_quota: u64,
    key_resolver: Arc<dyn KeyResolver>,
    signing_keys: Option<Arc<dyn SigningKeys>>,
    token_ids: Option<TokenIds>,
    seals: Option<Seals>,
    people: Option<People>,
    issuers: Option<Arc<dyn IssuerSource>>,
    operators: Option<Arc<dyn RoleSource>>,
    decisions: Box<dyn DecisionLog>,
    throttle: Box<dyn Throttle>,
    grants: Vec<Box<dyn Grant>>,
    client_auth: Vec<Box<dyn ClientAuthentication>>,
    endpoints: Vec<Box<dyn Endpoint>>,
    read: Vec<HeaderName>,
}

impl Builder {
    fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            settings: Settings::default(),
            lifetimes: Lifetimes::default(),
            clock: Arc::new(SystemClock),
            clients: None,
            subjects: None,
            permissions: None,
            replay: None,
            replay_quota: DEFAULT_REPLAY_QUOTA,
            artifacts: None,
            token_quota: DEFAULT_TOKEN_QUOTA,
            key_resolver: Arc::new(RegisteredKeys),
            signing_keys: None,
            token_ids: None,
            seals: None,
            people: None,
            issuers: None,
            operators: None,
            decisions: Box::new(TracingLog),
            throttle: Box::new(Unthrottled),
            grants: Vec::new(),
            client_auth: Vec::new(),
            endpoints: Vec::new(),
            read: READ.to_vec(),
        }
        .endpoint(TokenEndpoint)
        .endpoint(IntrospectionEndpoint)
        .endpoint(RevocationEndpoint)
        .endpoint(JwkSetEndpoint)
        .endpoint(MetadataEndpoint)
    }

    /// Takes everything from one backend. The methods below replace single parts.
    #[must_use]
    pub fn store(self, store: Arc<impl Store>) -> Self {
        self.clients(store.clone())
            .subjects(store.clone())
            .permissions(store.clone())
            .replay(store.clone())
            .artifacts(store)
    }

    /// Who resolves the client behind a `client_id` or an assertion's issuer.
    #[must_use]
    pub fn clients(mut self, clients: Arc<dyn ClientSource>) -> Self {
        self.clients = Some(clients);
        self
    }

    /// Who authenticates the subject of an assertion.
    #[must_use]
    pub fn subjects(mut self, subjects: Arc<dyn SubjectSource>) -> Self {
        self.subjects = Some(subjects);
        self
    }

    /// Who checks that a client may act for a subject.
    #[must_use]
    pub fn permissions(mut self, permissions: Arc<dyn PermissionSource>) -> Self {
        self.permissions = Some(permissions);
        self
    }

    /// Who validates that a `jti` is new.
    #[must_use]
    pub fn replay(mut self, replay: Arc<dyn ReplayGuard>) -> Self {
        self.replay = Some(replay);
        self
    }

    /// How many used assertions of one issuer may be remembered at once. Beyond, it is told to wait
    /// (429) until some have expired. Default: [`DEFAULT_REPLAY_QUOTA`].
    #[must_use]
    pub fn replay_quota(mut self, quota: u64) -> Self {
        self.replay_quota = quota;
        self
    }

    /// Sets what keeps opaque access tokens, and whatever else expires.
    #[must_use]
    pub fn artifacts(mut self, artifacts: Arc<dyn Artifacts>) -> Self {
        self.artifacts = Some(artifacts);
        self
    }

    /// Sets how many opaque tokens, how many families of refresh tokens, and how many revocations,
    /// of one client may be in force at once. Beyond, it is told to wait (429) until some have
    /// expired. Default: [`DEFAULT_TOKEN_QUOTA`].
    #[must_use]
    pub fn token_quota(mut self, quota: u64) -> Self {
        self.token_quota = quota;
        self
    }

    /// Who resolves the key of a client. Default: the keys registered with it.
    #[must_use]
    pub fn key_resolver(mut self, resolver: Arc<dyn KeyResolver>) -> Self {
        self.key_resolver = resolver;
        self
    }

    /// The server's own keys. Default: one new ES256 key, gone with the process.
    #[must_use]
    pub fn signing_keys(mut self, keys: Arc<dyn SigningKeys>) -> Self {
        self.signing_keys = Some(keys);
        self
    }

    /// Sets how the `jti` of access tokens is made. Default: [`TokenIds::random`], so that
    /// introspection knows the tokens of this process only.
    #[must_use]
    pub fn token_ids(mut self, ids: TokenIds) -> Self {
        self.token_ids = Some(ids);
        self
    }

    /// Sets what seals codes and tickets, and makes refresh tokens. Default: [`Seals::random`], so
    /// that they are of no use to another process.
    #[must_use]
    pub fn seals(mut self, seals: Seals) -> Self {
        self.seals = Some(seals);
        self
    }

    /// Takes the JWTs of these issuers, where one of their trusts takes them: as grants, and as the
    /// authentication of clients. Keys that are fetched take a [`KeyResolver`] that fetches; without
    /// one, only uploaded keys are known.
    #[must_use]
    pub fn trusted_issuers(mut self, issuers: Arc<dyn IssuerSource>) -> Self {
        self.issuers = Some(issuers);
        self
    }

    /// Sets who says which subjects have a role over this server: a token about a subject opens the
    /// admin API ([`Settings::admin_resource`]) no further than the subject's role. Without it no
    /// subject has one.
    #[must_use]
    pub fn operators(mut self, operators: Arc<dyn RoleSource>) -> Self {
        self.operators = Some(operators);
        self
    }

    /// Adds the authorization code grant, for which people sign in and are asked
    /// ([`authorization`](super::authorization)): the grant, that of refresh tokens, the
    /// authorization endpoint and the consent page. Without it nothing of the kind is there.
    #[must_use]
    pub fn code_grant(mut self, people: People) -> Self {
        self.people = Some(people);
        [
            header::COOKIE,
            header::ORIGIN,
            header::ACCEPT_LANGUAGE,
            HeaderName::from_static("sec-fetch-site"),
        ]
        .into_iter()
        .fold(self, Self::keep_header)
        .grant(AuthorizationCode::new())
        .grant(RefreshGrant::new())
        .endpoint(AuthorizationEndpoint)
        .endpoint(ConsentEndpoint)
    }

    /// Who receives the decisions. Default: [`TracingLog`].
    #[must_use]
    pub fn decisions(mut self, log: impl DecisionLog) -> Self {
        self.decisions = Box::new(log);
        self
    }

    /// Who counts failures. Default: nobody, [`Unthrottled`].
    #[must_use]
    pub fn throttle(mut self, throttle: impl Throttle) -> Self {
        self.throttle = Box::new(throttle);
        self
    }

    /// Who tells the time. Default: the operating system.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What the operator set.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// How old and how young assertions may be.
    #[must_use]
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Adds a grant.
    #[must_use]
    pub fn grant(mut self, grant: impl Grant) -> Self {
        self.grants.push(Box::new(grant));
        self
    }

    /// Adds a client authentication method. Metadata lists them in this order, and some clients
    /// take the first they know.
    #[must_use]
    pub fn client_auth(mut self, method: impl ClientAuthentication) -> Self {
        self.client_auth.push(Box::new(method));
        self
    }

    /// Adds an endpoint. Those for tokens, introspection, revocation, the JWK Set and the metadata
    /// are there from the beginning. The endpoint that is asked most comes first.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Endpoint) -> Self {
        self.endpoints.push(Box::new(endpoint));
        self
    }

    /// Removes all endpoints, those that are there from the beginning among them.
    #[must_use]
    pub fn without_endpoints(mut self) -> Self {
        self.endpoints.clear();
        self
    }

    /// Keeps this field of a request's head for an extension that reads it. Of a head with many
    /// fields those that nothing reads are dropped, to save memory.
    #[must_use]
    pub fn keep_header(mut self, name: HeaderName) -> Self {
        if !self.read.contains(&name) {
            self.read.push(name);
        }
        self
    }

    /// Adds both grants and all five client authentication methods.
    #[must_use]
    pub fn standard(self) -> Self {
        self.grant(JwtBearer::new())
            .grant(ClientCredentials::new())
            .client_auth(ClientAssertion)
            .client_auth(ClientSecretBasic)
            .client_auth(ClientSecretPost)
            .client_auth(PublicClient)
    }

    /// Puts the server together.
    ///
    /// # Errors
    /// [`BuildError`]
    pub fn build(self) -> Result<AuthorizationServer, BuildError> {
        self.check()?;
        let signing_keys = match self.signing_keys {
            Some(keys) => keys,
            None => Arc::new(Arc::new(KeyRing::generate(Algorithm::Es256)?)),
        };
        let endpoints = Endpoints::new(self.endpoints, &self.issuer)?;
        let replay = self.replay.ok_or(BuildError::Missing("a replay guard"))?;
        let clients = self.clients.ok_or(BuildError::Missing("clients"))?;
        let identity = ServerIdentity::new(self.issuer);
        let (public, secret) = (
            self.settings.assertion_algorithms.clone(),
            self.settings.secret_algorithms.clone(),
        );
        let terms = Terms::new(&identity, self.settings.profile, self.lifetimes)
            .with_algorithms(KeyKind::Public, public)
            .with_algorithms(KeyKind::Secret, secret);
        let parties = Parties::new(clients.clone(), self.key_resolver, terms, Decoys::new()?)
            .with_issuers(self.issuers.clone());
        let context = Context::from(Parts {
            identity,
            settings: self.settings,
            clock: self.clock,
            clients,
            subjects: self.subjects.ok_or(BuildError::Missing("subjects"))?,
            permissions: self.permissions.ok_or(BuildError::Missing("permissions"))?,
            artifacts: self.artifacts.ok_or(BuildError::Missing("artifacts"))?,
            token_quota: self.token_quota,
            signing_keys,
            token_ids: self.token_ids.unwrap_or_else(TokenIds::random),
            parties,
            verifier: Verifier::new(replay.clone(), self.replay_quota),
            replay,
            replay_quota: self.replay_quota,
            seals: self.seals.unwrap_or_else(Seals::random),
            people: self.people,
            issuers: self.issuers,
            operators: self.operators,
            grants: self.grants,
            client_auth: self.client_auth,
            endpoints,
        });
        Ok(AuthorizationServer(Arc::new(Inner {
            context,
            decisions: self.decisions,
            throttle: self.throttle,
            read: self.read,
        })))
    }

    fn check(&self) -> Result<(), BuildError> {
        if self.grants.is_empty() {
            return Err(BuildError::Missing("a grant"));
        }
        if let Some(repeated) = first_repeated(self.grants.iter().map(|grant| grant.grant_type())) {
            return Err(BuildError::DuplicateGrant(repeated));
        }
        if let Some(repeated) =
            first_repeated(self.client_auth.iter().flat_map(|method| method.methods()))
        {
            return Err(BuildError::DuplicateMethod(repeated.clone()));
        }
        if self
            .settings
            .assertion_algorithms
            .iter()
            .any(|algorithm| algorithm.is_mac())
        {
            return Err(BuildError::Setting(
                "assertion_algorithms must not name an HMAC algorithm",
            ));
        }
        let profile = self.settings.profile;
        if !self
            .settings
            .assertion_algorithms
            .iter()
            .all(|algorithm| profile.accepts_algorithm(*algorithm))
        {
            return Err(BuildError::Setting(
                "assertion_algorithms names one that the profile does not allow",
            ));
        }
        if !self
            .settings
            .secret_algorithms
            .iter()
            .all(|algorithm| algorithm.is_mac())
        {
            return Err(BuildError::Setting(
                "secret_algorithms must name HMAC algorithms only",
            ));
        }
        self.check_admin_resource()?;
        let settings = &self.settings;
        for (lifetime, problem) in [
            (
                settings.code_lifetime,
                "code_lifetime must be at least one second",
            ),
            (
                settings.refresh_idle,
                "refresh_idle must be at least one second",
            ),
            (
                settings.refresh_lifetime,
                "refresh_lifetime must be at least one second",
            ),
            (
                settings.token_lifetime,
                "token_lifetime must be at least one second",
            ),
        ] {
            if lifetime.as_secs() == 0 {
                return Err(BuildError::Setting(problem));
            }
        }
        Ok(())
    }

    /// A token for anything else opens the admin API nowhere.
    fn check_admin_resource(&self) -> Result<(), BuildError> {
        let Some(admin) = &self.settings.admin_resource else {
            return Ok(());
        };
        let well_formed = Url::parse(admin).is_ok_and(|url| url.fragment().is_none());
        let others = self.settings.resources.iter();
        let mut others = others.chain(&self.settings.default_audience);
        let is_another = *admin == *self.issuer.as_str() || others.any(|other| other == admin);
        match well_formed && !is_another {
            true => Ok(()),
            false => Err(BuildError::Setting(
                "admin_resource must be an absolute URI that is no other resource, nor the issuer",
            )),
        }
    }
}

fn first_repeated<T: PartialEq>(items: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = Vec::new();
    for item in items {
        if seen.contains(&item) {
            return Some(item);
        }
        seen.push(item);
    }
    None
}
