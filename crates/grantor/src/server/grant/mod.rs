//! Grants: what a request is entitled to (RFC 6749 §1.3, §4.5).

mod authorization_code;
mod client_credentials;
mod error;
mod jwt_bearer;
mod refresh_token;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor_jose::{Claims, json::Value};

pub use authorization_code::{AuthorizationCode, CodeError};
pub use client_credentials::ClientCredentials;
pub use error::GrantError;
pub use jwt_bearer::JwtBearer;
pub(super) use jwt_bearer::entitle;
pub(super) use refresh_token::in_force;
pub use refresh_token::{RefreshError, RefreshGrant};

use super::{
    Caller, Context, Decision, RefreshToken, Request, TokenFamily, power::Power, still::Permitted,
    token_id::TokenOrigin,
};
use crate::{
    clock::UnixTime,
    registry::{Client, Limit, PermissionNumbers, Subject, Trust, TrustedIssuer},
    storage::StoreError,
    types::{AuthMethod, GrantType, Needs, Scope, SubjectId},
};

/// Which client authentication a grant takes: its own list, whatever else the server can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuthRequirement {
    /// The methods accepted.
    pub methods: Vec<AuthMethod>,
    /// Whether a request without any client authentication goes on. Credentials that are sent are
    /// validated all the same.
    pub optional: bool,
}

impl ClientAuthRequirement {
    /// Every method by which a client proves itself: all but `none`.
    pub fn confidential() -> Self {
        let proves = |method: &&AuthMethod| method.needs() != Some(Needs::Nothing);
        Self {
            methods: AuthMethod::known().filter(proves).cloned().collect(),
            optional: false,
        }
    }

    /// Every method or none at all: the grant proves by itself who is asking.
    pub fn optional() -> Self {
        let mut requirement = Self {
            optional: true,
            ..Self::confidential()
        };
        requirement.methods.push(AuthMethod::NONE);
        requirement
    }

    /// Accepts this method, too: one of an extension's own.
    #[must_use]
    pub fn accepting(mut self, method: AuthMethod) -> Self {
        self.methods.push(method);
        self
    }
}

/// A grant.
#[async_trait]
pub trait Grant: Send + Sync + 'static {
    /// The value of `grant_type`.
    fn grant_type(&self) -> GrantType;

    /// Which client authentication this grant takes.
    fn client_auth(&self) -> ClientAuthRequirement;

    /// What the request is entitled to, if and only if the grant it presents is good.
    async fn authorize(
        &self,
        context: &Context,
        request: &Request,
        caller: &Caller,
        decision: &mut Decision,
    ) -> Result<Authorization, GrantError>;
}

/// The subject of this name and this number, if it is there and enabled.
async fn subject_of(
    context: &Context,
    (id, number): &(SubjectId, u64),
) -> Result<Option<Subject>, StoreError> {
    let known = context.subjects().subject(id).await?;
    Ok(known.filter(|known| known.enabled && known.revision.number == *number))
}

/// Whether a person can be asked for what is not permitted.
#[derive(Debug)]
pub(super) enum Consent {
    /// Nobody is asked: what is not permitted is refused.
    NotAsked,
    /// A person can be asked for more.
    MayBeAsked,
    /// A person has to be asked, for this reason, whatever the scope.
    Lacking(Box<GrantError>),
}

/// What a grant entitles to: a token for this client, about this subject, at most within this
/// scope.
#[derive(Debug)]
pub struct Authorization {
    pub(super) client: Arc<Client>,
    pub(super) subject: SubjectId,
    /// Without the server's own scopes: of them `power` tells.
    pub(super) widest: Scope,
    pub(super) power: Power,
    pub(super) requested: Option<Scope>,
    pub(super) audience: Option<String>,
    pub(super) auth_time: Option<UnixTime>,
    pub(super) refresh_token: Option<RefreshToken>,
    pub(super) consent: Consent,
    pub(super) origin: TokenOrigin,
    /// Which states of subject and permissions it rests on.
    pub(super) permitted: Permitted,
    /// What a trust lays down about the token.
    pub(super) limits: Option<Box<TokenLimits>>,
}

/// What a trust lays down about an access token, beside its subject and scope.
#[derive(Debug)]
pub(super) struct TokenLimits {
    /// What it may be for; the default alone if empty.
    pub(super) resources: Vec<String>,
    /// How long it lives at most.
    pub(super) lifetime: Option<Duration>,
    /// When it ends at the latest.
    pub(super) end: Option<UnixTime>,
    /// Claims that it has beside its own.
    pub(super) claims: BTreeMap<String, Value>,
}

impl Authorization {
    /// For a client that may use `grant`, about itself, within its registered scope.
    ///
    /// # Errors
    /// [`GrantError::NotAllowed`] if the client is not registered for this grant.
    pub fn for_client(client: Arc<Client>, grant: &GrantType) -> Result<Self, GrantError> {
        let subject = client.id().clone().into();
        Self::for_subject(client, grant, subject, None)
    }

    /// As [`Authorization::for_client`], about another subject, within `limit` where there is one.
    ///
    /// # Errors
    /// As for [`Authorization::for_client`].
    pub fn for_subject(
        client: Arc<Client>,
        grant: &GrantType,
        subject: SubjectId,
        limit: Option<&Scope>,
    ) -> Result<Self, GrantError> {
        let registered = &client.metadata().scope;
        let widest = match limit {
            Some(limit) => registered.intersection(limit),
            None => registered.clone(),
        };
        Self::new(client, grant, subject, widest)
    }

    /// About a registered subject, under no permission: the token ends with the subject too.
    ///
    /// # Errors
    /// As for [`Authorization::for_client`].
    pub fn for_registered(
        client: Arc<Client>,
        grant: &GrantType,
        subject: &Subject,
    ) -> Result<Self, GrantError> {
        let mut authorization = Self::for_subject(client, grant, subject.id.clone(), None)?;
        authorization.origin.subject = Some(subject.revision.number);
        authorization.permitted = Permitted::about(subject);
        Ok(authorization)
    }

    /// Under the permissions for a registered subject that cover the grant, within what they allow
    /// together: the token ends with them and with the subject.
    ///
    /// # Errors
    /// As for [`Authorization::for_client`].
    pub fn permitted(
        client: Arc<Client>,
        grant: &GrantType,
        subject: &Subject,
        limit: &Limit<'_>,
    ) -> Result<Self, GrantError> {
        let widest = limit.within(&client.metadata().scope);
        let mut permitted = Self::new(client, grant, subject.id.clone(), widest)?;
        let PermissionNumbers { operator, person } = limit.numbers();
        permitted.origin.subject = Some(subject.revision.number);
        permitted.origin.permission = operator;
        permitted.origin.consent = person;
        permitted.permitted = Permitted::about(subject).by(limit);
        Ok(permitted)
    }

    /// About a subject of whom nothing is told: it may be nobody, and policy refuses.
    pub(super) fn lacking_consent(
        client: Arc<Client>,
        grant: &GrantType,
        subject: SubjectId,
        reason: GrantError,
    ) -> Result<Self, GrantError> {
        let mut lacking = Self::for_subject(client, grant, subject, None)?;
        lacking.consent = Consent::Lacking(Box::new(reason));
        Ok(lacking)
    }

    /// Whether the subject is registered, or the client itself.
    pub(super) fn is_about_somebody_known(&self) -> bool {
        match &self.consent {
            Consent::Lacking(reason) => !matches!(**reason, GrantError::UnknownSubject(_)),
            Consent::NotAsked | Consent::MayBeAsked => true,
        }
    }

    /// The person can be asked for more than is permitted.
    pub(super) fn asking_for_more(self) -> Self {
        let consent = Consent::MayBeAsked;
        Self { consent, ..self }
    }

    fn new(
        client: Arc<Client>,
        grant: &GrantType,
        subject: SubjectId,
        widest: Scope,
    ) -> Result<Self, GrantError> {
        if !client.may_use(grant) {
            return Err(GrantError::NotAllowed);
        }
        let origin = TokenOrigin::of_client(client.revision().number);
        Ok(Self {
            client,
            subject,
            widest: widest.without_reserved(),
            power: Power::default(),
            requested: None,
            audience: None,
            auth_time: None,
            refresh_token: None,
            consent: Consent::NotAsked,
            origin,
            permitted: Permitted::default(),
            limits: None,
        })
    }

    /// Under a trust that took this JWT: within its scope, and with what else it lays down. The
    /// token ends with the trust and its issuer.
    fn under(mut self, issuer: &TrustedIssuer, trust: &Trust, claims: &Claims) -> Self {
        self.origin.issuer = Some(issuer.revision.number);
        self.origin.trust = Some(trust.revision.number);
        let end = claims.expires.filter(|_| trust.cap_to_assertion);
        self.limits = Some(Box::new(TokenLimits {
            resources: trust.resources.clone(),
            lifetime: trust.lifetime,
            end: end.map(UnixTime::from_date_rounded_up),
            claims: trust.copied(claims),
        }));
        self.within(&trust.scope)
    }

    /// Takes `scope` for the requested one where the form has none. It never widens anything.
    #[must_use]
    pub fn requesting(self, scope: Option<Scope>) -> Self {
        Self {
            requested: scope,
            ..self
        }
    }

    /// Gives power over this server too, to be asked for by name.
    pub(super) fn with_power(self, power: Power) -> Self {
        Self { power, ..self }
    }

    /// Allows no more than this scope.
    #[must_use]
    pub fn within(self, scope: &Scope) -> Self {
        Self {
            widest: self.widest.intersection(scope),
            power: self.power.named_in(scope),
            ..self
        }
    }

    /// Fixes whom the token is for. The form may name this resource, and no other.
    #[must_use]
    pub fn for_audience(self, audience: impl Into<String>) -> Self {
        Self {
            audience: Some(audience.into()),
            ..self
        }
    }

    /// Says when the subject signed in: `auth_time` (RFC 9068 §2.2.1).
    #[must_use]
    pub fn authenticated_at(self, auth_time: UnixTime) -> Self {
        Self {
            auth_time: Some(auth_time),
            ..self
        }
    }

    /// Lets the token end with this family.
    #[must_use]
    pub fn in_family(mut self, family: TokenFamily) -> Self {
        self.origin.family = Some(family);
        self
    }

    /// Answers this refresh token with the access token (RFC 6749 §5.1).
    #[must_use]
    pub fn with_refresh_token(self, refresh_token: RefreshToken) -> Self {
        Self {
            refresh_token: Some(refresh_token),
            ..self
        }
    }
}
