//! Grants: what a request is entitled to (RFC 6749 §1.3, §4.5).

mod client_credentials;
mod error;
mod jwt_bearer;

use std::sync::Arc;

use async_trait::async_trait;

pub use client_credentials::ClientCredentials;
pub use error::GrantError;
pub use jwt_bearer::JwtBearer;
pub(super) use jwt_bearer::entitle;

use super::{Caller, Context, Decision, Request, token_id::TokenOrigin};
use crate::{
    registry::{Client, Permission, Subject},
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

/// What a grant entitles to: a token for this client, about this subject, at most within this
/// scope.
#[derive(Debug)]
pub struct Authorization {
    pub(super) client: Arc<Client>,
    pub(super) subject: SubjectId,
    pub(super) widest: Scope,
    pub(super) requested: Option<Scope>,
    pub(super) origin: TokenOrigin,
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
        if !client.may_use(grant) {
            return Err(GrantError::NotAllowed);
        }
        let registered = &client.metadata().scope;
        let widest = limit.map_or_else(
            || registered.clone(),
            |limit| registered.intersection(limit),
        );
        let origin = TokenOrigin {
            client: client.revision().number,
            subject: None,
            permission: None,
        };
        Ok(Self {
            client,
            subject,
            widest,
            requested: None,
            origin,
        })
    }

    /// Under a permission for a registered subject, within its scope: the token ends with both.
    ///
    /// # Errors
    /// As for [`Authorization::for_client`].
    pub fn permitted(
        client: Arc<Client>,
        grant: &GrantType,
        subject: &Subject,
        permission: &Permission,
    ) -> Result<Self, GrantError> {
        let mut permitted =
            Self::for_subject(client, grant, subject.id.clone(), permission.scope.as_ref())?;
        permitted.origin.subject = Some(subject.revision.number);
        permitted.origin.permission = Some(permission.revision.number);
        Ok(permitted)
    }

    /// Takes `scope` for the requested one where the form has none. It never widens anything.
    #[must_use]
    pub fn requesting(self, scope: Option<Scope>) -> Self {
        Self {
            requested: scope,
            ..self
        }
    }
}
