//! Policy: how much of what a grant entitles to is given. Scope (RFC 6749 §3.3) and resource (RFC 8707).

use std::sync::Arc;

use url::Url;

use super::{Authorization, Context, PolicyError, TokenForm};
use crate::{
    storage::{Client, TokenOrigin},
    types::{Scope, SubjectId},
};

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

/// Approves, if and only if the requested scope is within the authorization and the resource is served. No scope requested
/// means all that is allowed.
pub(super) fn approve(context: &Context, form: &TokenForm, authorization: Authorization) -> Result<Approval, PolicyError> {
    let audience = audience(context, form)?;
    let Authorization { client, subject, widest, requested, origin } = authorization;
    let in_form = form.parameter("scope").map(Scope::parse).transpose().map_err(|_| PolicyError::MalformedScope)?;
    let scope = match in_form.or(requested) {
        None => widest,
        Some(requested) if requested.is_subset(&widest) => requested,
        Some(requested) => {
            let beyond = requested.tokens().filter(|token| !widest.tokens().any(|allowed| allowed == *token));
            let beyond: Vec<String> = beyond.map(excerpt).collect();
            return Err(PolicyError::ScopeTooWide { allowed: widest.to_string(), beyond: beyond.join(" ") });
        }
    };
    Ok(Approval { client, subject, scope, audience, origin })
}

/// The beginning of what was sent: enough to recognise a misspelling, too little for a secret that was sent in the wrong place.
fn excerpt(text: &str) -> String {
    text.chars().take(32).collect()
}

fn audience(context: &Context, form: &TokenForm) -> Result<String, PolicyError> {
    let settings = context.settings();
    let mut resources = form.resources();
    match (resources.next(), resources.next()) {
        (None, _) => Ok(settings.default_audience.clone().unwrap_or_else(|| context.identity().issuer().to_string())),
        (Some(_), Some(_)) => Err(PolicyError::SeveralResources),
        (Some(resource), None) => {
            let well_formed = Url::parse(resource).is_ok_and(|url| url.fragment().is_none());
            let served = well_formed && settings.resources.iter().any(|known| known == resource);
            if served { Ok(resource.to_owned()) } else { Err(PolicyError::UnknownResource(excerpt(resource))) }
        }
    }
}
