//! What stages and endpoints share: the server's identity and settings, the clock, the stores, the
//! verifier, and what is registered.

use std::{sync::Arc, time::Duration};

use grantor_jose::Algorithm;

use super::{
    AccessToken, Caller, ClientAuthRequirement, ClientAuthentication, Decision, Grant, Refusal,
    Request, Seals, TokenIds, access_token,
    authorization::People,
    client_auth,
    consent_link::{CONSENT, consent_link},
    endpoint::Endpoints,
    explain,
    refresh_family::RefreshFamily,
    still,
};
use crate::{
    assertion::{Parties, Profile, ServerIdentity, Verifier},
    clock::{Clock, UnixTime},
    keys::{KeyStatus, SigningKeys},
    registry::{Client, ConsentPolicy, Issuers, Permissions, Role, Subject, TrustedIssuer, Trusts},
    storage::{
        Artifacts, Claim, ClientSource, IssuerSource, PermissionSource, ReplayGuard, RoleSource,
        StoreError, SubjectSource, Used,
    },
    types::{ClientId, Scope, SubjectId},
};

/// What an operator may set. Each has a safe default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How strict the server is where the specifications leave a choice.
    pub profile: Profile,
    /// The signature algorithms accepted in assertions: RS256 PS256 ES256 ES384 Ed25519 EdDSA.
    pub assertion_algorithms: Vec<Algorithm>,
    /// The HMAC algorithms accepted for `client_secret_jwt`: HS256 HS384 HS512.
    pub secret_algorithms: Vec<Algorithm>,
    /// Lifetime of access tokens: 1 h.
    pub token_lifetime: Duration,
    /// Lifetime of authorization codes: 60 s.
    pub code_lifetime: Duration,
    /// A refresh token ends when it was not used for so long: 30 days.
    pub refresh_idle: Duration,
    /// The refresh tokens of an authorization end after this time in any case: 365 days.
    pub refresh_lifetime: Duration,
    /// For so long after its use a refresh token of a public client gets the same successor again,
    /// for whoever has lost the answer: 10 s.
    pub refresh_retry: Duration,
    /// The `aud` of access tokens where the request names no `resource`; the issuer identifier if
    /// absent.
    pub default_audience: Option<String>,
    /// What `resource` may name (RFC 8707).
    pub resources: Vec<String>,
    /// The resource of the admin API, `<issuer>/admin/v1`; absent where there is none. Tokens for it
    /// are got by `client_credentials` and `jwt-bearer` alone, have `grantor:read`, `grantor:write` and
    /// `grantor:admin` in them and nothing else, and live for ten minutes at most.
    pub admin_resource: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(Profile::Default)
    }
}

impl Settings {
    /// The settings of a profile.
    pub fn of(profile: Profile) -> Self {
        Self {
            profile,
            assertion_algorithms: profile.default_algorithms(),
            secret_algorithms: vec![Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512],
            token_lifetime: Duration::from_secs(3600),
            code_lifetime: Duration::from_secs(60),
            refresh_idle: Duration::from_secs(30 * 86_400),
            refresh_lifetime: Duration::from_secs(365 * 86_400),
            refresh_retry: Duration::from_secs(10),
            default_audience: None,
            resources: Vec::new(),
            admin_resource: None,
        }
    }
}

/// The server, as every stage and every endpoint may use it.
pub struct Context(Parts);

/// What the builder puts together.
pub(super) struct Parts {
    pub(super) identity: ServerIdentity,
    pub(super) settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clients: Arc<dyn ClientSource>,
    pub(super) subjects: Arc<dyn SubjectSource>,
    pub(super) permissions: Arc<dyn PermissionSource>,
    pub(super) artifacts: Arc<dyn Artifacts>,
    pub(super) token_quota: u64,
    pub(super) signing_keys: Arc<dyn SigningKeys>,
    pub(super) token_ids: TokenIds,
    pub(super) parties: Parties,
    pub(super) verifier: Verifier,
    pub(super) grants: Vec<Box<dyn Grant>>,
    pub(super) client_auth: Vec<Box<dyn ClientAuthentication>>,
    pub(super) endpoints: Endpoints,
    pub(super) replay: Arc<dyn ReplayGuard>,
    pub(super) replay_quota: u64,
    pub(super) seals: Seals,
    pub(super) people: Option<People>,
    pub(super) issuers: Option<Arc<dyn IssuerSource>>,
    pub(super) operators: Option<Arc<dyn RoleSource>>,
}

impl From<Parts> for Context {
    fn from(parts: Parts) -> Self {
        Self(parts)
    }
}

impl Context {
    /// The names this server answers to.
    pub fn identity(&self) -> &ServerIdentity {
        &self.0.identity
    }

    /// What the operator set.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Now.
    pub fn now(&self) -> UnixTime {
        self.0.clock.now()
    }

    /// The registered client of this name. A text that cannot be a client identifier names none.
    ///
    /// # Errors
    /// [`StoreError`] if the registry fails.
    pub async fn client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        match ClientId::parse(id) {
            Ok(id) => self.0.clients.client(&id).await,
            Err(_) => Ok(None),
        }
    }

    /// Finds clients.
    pub fn clients(&self) -> &dyn ClientSource {
        &*self.0.clients
    }

    /// Finds subjects.
    pub fn subjects(&self) -> &dyn SubjectSource {
        &*self.0.subjects
    }

    /// Finds permissions.
    pub fn permissions(&self) -> &dyn PermissionSource {
        &*self.0.permissions
    }

    /// The permissions of a client for a subject that count. A person's does not where the client
    /// is registered to ask nobody.
    ///
    /// # Errors
    /// [`StoreError`] if the registry fails.
    pub async fn permissions_of(
        &self,
        client: &Client,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError> {
        let found = self
            .permissions()
            .permissions_of(client.id(), subject)
            .await?;
        Ok(match client.metadata().consent {
            ConsentPolicy::Off => found.of_operator(),
            ConsentPolicy::Ask | ConsentPolicy::Implied => found,
        })
    }

    /// What this subject may do over this server: nothing, where nobody says who may.
    pub(super) async fn role(&self, subject: &SubjectId) -> Result<Option<Role>, StoreError> {
        match &self.0.operators {
            Some(operators) => operators.role(subject).await,
            None => Ok(None),
        }
    }

    /// Keeps what expires: for a grant's own records too, under a kind of their own.
    pub fn artifacts(&self) -> &dyn Artifacts {
        &*self.0.artifacts
    }

    /// All issuers whose JWTs are taken.
    pub(super) async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        match &self.0.issuers {
            Some(source) => source.issuers().await,
            None => Ok(Arc::default()),
        }
    }

    /// All trusts of this issuer.
    pub(super) async fn trusts(&self, issuer: &TrustedIssuer) -> Result<Arc<Trusts>, StoreError> {
        match &self.0.issuers {
            Some(source) => source.trusts(issuer).await,
            None => Ok(Arc::default()),
        }
    }

    /// What this process holds of the keys of an issuer, and why there is nothing newer; `None` if it
    /// fetches none, or has not needed them yet.
    pub fn issuer_keys(&self, issuer: &TrustedIssuer) -> Option<KeyStatus> {
        self.parties().key_status(issuer)
    }

    /// Finds the party behind an assertion, and says what is expected of it.
    pub(super) fn parties(&self) -> &Parties {
        &self.0.parties
    }

    /// Holds assertions against what is expected.
    pub(super) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// How many opaque tokens, how many families of refresh tokens, and how many revocations, of one
    /// client may be in force at once.
    pub fn token_quota(&self) -> u64 {
        self.0.token_quota
    }

    /// The server's own keys.
    pub fn signing_keys(&self) -> &dyn SigningKeys {
        &*self.0.signing_keys
    }

    /// Makes the `jti` of access tokens.
    pub fn token_ids(&self) -> &TokenIds {
        &self.0.token_ids
    }

    /// Seals what leaves the server and comes back.
    pub fn seals(&self) -> &Seals {
        &self.0.seals
    }

    /// The people who sign in and are asked, where the server has the code grant.
    pub(super) fn people(&self) -> Option<&People> {
        self.0.people.as_ref()
    }

    /// Claims uses that are no assertions.
    pub(super) async fn claim(&self, uses: &[Used], now: UnixTime) -> Result<Claim, StoreError> {
        self.0.replay.claim(uses, now, self.0.replay_quota).await
    }

    /// Claims the one use of what this server made at `made_at`, such as a challenge. Of what was
    /// made before a backup was restored a use may have been lost: it counts as used.
    ///
    /// # Errors
    /// [`StoreError`]: it is not known whether it was used.
    pub async fn claim_once(&self, used: Used, made_at: UnixTime) -> Result<Claim, StoreError> {
        let is_fenced = || self.fence().is_some_and(|fence| made_at <= fence);
        if is_fenced() {
            return Ok(Claim::Replayed(used.key));
        }
        let claim = self.claim(&[used], self.now()).await?;
        match is_fenced() {
            true => Ok(Claim::Replayed(used.key)),
            false => Ok(claim),
        }
    }

    /// Before when uses may have been lost ([`ReplayGuard::fence`]).
    pub(super) fn fence(&self) -> Option<UnixTime> {
        self.0.replay.fence()
    }

    /// The grants, in the order of registration.
    pub fn grants(&self) -> &[Box<dyn Grant>] {
        &self.0.grants
    }

    /// The client authentication methods, in the order of registration.
    pub fn client_auth(&self) -> &[Box<dyn ClientAuthentication>] {
        &self.0.client_auth
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.0.endpoints
    }

    /// Where the person of a subject is asked whether a client may act for them within a scope,
    /// all that the client may get if `None`; `None` if nobody is asked here.
    pub fn consent_link(
        &self,
        client: &ClientId,
        scope: Option<&Scope>,
        subject: &SubjectId,
    ) -> Option<String> {
        let link = || consent_link(self.identity().issuer(), client, scope, subject);
        self.has_consent_page().then(link)
    }

    /// Whether people are asked here.
    pub(super) fn has_consent_page(&self) -> bool {
        let mut endpoints = self.0.endpoints.iter();
        endpoints.any(|registered| registered.route.name() == CONSENT)
    }

    /// Finds out who is calling, if and only if the request uses at most one client authentication
    /// mechanism, its credentials are right, the client is enabled and registered for the method,
    /// and `requirement` accepts the method. Its registration did not change meanwhile.
    ///
    /// # Errors
    /// [`Refusal`]; where an assertion was refused, the decision explains it.
    pub async fn authenticate(
        &self,
        request: &Request,
        requirement: &ClientAuthRequirement,
        decision: &mut Decision,
    ) -> Result<Caller, Refusal> {
        let caller = client_auth::authenticate(self, request, requirement, decision).await;
        let caller =
            caller.map_err(|error| explain::refused(self, request, error.into(), decision))?;
        still::check_proofs(self, decision).await?;
        Ok(caller)
    }

    /// Ends the refresh tokens of this client for this subject, and the access tokens that came of
    /// them.
    ///
    /// # Errors
    /// [`StoreError`] if the store fails.
    pub async fn end_refresh_tokens(
        &self,
        client: &Client,
        subject: &Subject,
    ) -> Result<(), StoreError> {
        let (client, subject) = (client.revision().number, subject.revision.number);
        RefreshFamily::end_all(self, client, subject).await
    }

    /// The access token of this server that this text is, if and only if it is in force: it has
    /// neither expired nor been revoked, and neither its client nor its subject nor the permission
    /// it was issued under has ended. Its scope is what they still allow.
    ///
    /// # Errors
    /// [`StoreError`] if a store fails.
    pub async fn access_token(&self, text: &str) -> Result<Option<AccessToken>, StoreError> {
        access_token::in_force(self, text).await
    }
}
