//! Policy: how much of what a grant entitles to is given. Scope (RFC 6749 §3.3) and resource (RFC
//! 8707).

use std::sync::Arc;

use url::Url;

use super::{Authorization, Context, Refusal, Request, token_id::TokenOrigin};
use crate::{
    registry::Client,
    types::{ErrorCode, Rule, Scope, Shown, SubjectId},
};

/// The policy refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// `scope` is no scope (RFC 6749 §3.3).
    #[error("scope is malformed: got {0:?}")]
    MalformedScope(Shown),
    /// More than the client, or the permission, allows.
    #[error("scope: allowed {allowed:?}, requested also {beyond:?}")]
    ScopeTooWide {
        /// What could be granted.
        allowed: Shown,
        /// What was asked for beyond.
        beyond: Shown,
    },
    /// `resource` is no absolute URI, has a fragment, or is not served (RFC 8707 §2).
    #[error("resource {0:?} is not served")]
    UnknownResource(Shown),
    /// More than one `resource`: a token is for one (RFC 9068 §3).
    #[error("more than one resource")]
    SeveralResources,
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        use PolicyError as E;
        let scope = |text| Self::new(ErrorCode::INVALID_SCOPE, Rule::Scope, text);
        let resource = |text| Self::new(ErrorCode::INVALID_TARGET, Rule::Resource, text);
        let refusal = match &error {
            E::MalformedScope(_) => scope("scope is malformed"),
            E::ScopeTooWide { .. } => scope("scope exceeds what is allowed"),
            E::UnknownResource(_) => resource("resource is not served here"),
            E::SeveralResources => resource("ask for one resource at a time"),
        };
        refusal.because(error)
    }
}

/// A token that may be issued. Only policy makes one.
#[derive(Debug)]
pub struct Approval {
    client: Arc<Client>,
    subject: SubjectId,
    scope: Scope,
    audience: String,
    origin: TokenOrigin,
}

impl Approval {
    /// Who gets the token.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Whom it is about.
    pub fn subject(&self) -> &SubjectId {
        &self.subject
    }

    /// What it allows.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whom it is for.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Which registrations it ends with.
    pub(super) fn origin(&self) -> &TokenOrigin {
        &self.origin
    }
}

/// Approves, if and only if the requested scope is within the authorization and the resource is
/// served. No scope requested means all that is allowed.
pub(super) fn approve(
    context: &Context,
    request: &Request,
    authorization: Authorization,
) -> Result<Approval, PolicyError> {
    let audience = audience(context, request)?;
    let Authorization {
        client,
        subject,
        widest,
        requested,
        origin,
    } = authorization;
    let parse =
        |text: &str| Scope::parse(text).map_err(|_| PolicyError::MalformedScope(text.into()));
    let in_form = request.parameter("scope").map(parse).transpose()?;
    let scope = match in_form.or(requested) {
        None => widest,
        Some(requested) if requested.is_subset(&widest) => requested,
        Some(requested) => {
            let beyond = requested
                .tokens()
                .filter(|token| !widest.tokens().any(|allowed| allowed == *token));
            let beyond = Shown::of(&beyond.collect::<Vec<_>>().join(" "));
            return Err(PolicyError::ScopeTooWide {
                allowed: Shown::known(&widest.to_string(), Shown::MAX_BYTES),
                beyond,
            });
        }
    };
    Ok(Approval {
        client,
        subject,
        scope,
        audience,
        origin,
    })
}

fn audience(context: &Context, request: &Request) -> Result<String, PolicyError> {
    let settings = context.settings();
    let mut resources = request.parameters("resource");
    match (resources.next(), resources.next()) {
        (None, _) => Ok(settings
            .default_audience
            .clone()
            .unwrap_or_else(|| context.identity().issuer().to_string())),
        (Some(_), Some(_)) => Err(PolicyError::SeveralResources),
        (Some(resource), None) => {
            let well_formed = Url::parse(resource).is_ok_and(|url| url.fragment().is_none());
            let served = well_formed && settings.resources.iter().any(|known| known == resource);
            if served {
                Ok(resource.to_owned())
            } else {
                Err(PolicyError::UnknownResource(resource.into()))
            }
        }
    }
}
