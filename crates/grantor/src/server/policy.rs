//! Policy: how much of what a grant entitles to is given. Scope (RFC 6749 §3.3) and resource (RFC
//! 8707).

use std::{fmt, sync::Arc};

use url::Url;

use super::{
    Authorization, Context, RefreshToken, Refusal, Request,
    grant::{Consent, TokenLimits},
    power,
    still::Permitted,
    token_id::TokenOrigin,
};
use crate::{
    clock::UnixTime,
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
    /// No scope is named at the admin API, where none is the default.
    #[error("no scope is asked for at the resource of the admin API")]
    PowerNotNamed,
    /// A scope of the server's own is asked for at another resource than the admin API.
    #[error("scope {0:?} is granted at the resource of the admin API alone")]
    PowerElsewhere(Shown),
    /// More is asked for at the admin API than client, permission or trust, and subject allow.
    #[error("scope: requested {beyond:?} of the admin API; {limits}")]
    BeyondPower {
        /// What was asked for beyond.
        beyond: Shown,
        /// What each allows.
        limits: String,
    },
    /// `resource` is no absolute URI, has a fragment, or is not served (RFC 8707 §2).
    #[error("resource {0:?} is not served")]
    UnknownResource(Shown),
    /// More than one `resource`: a token is for one (RFC 9068 §3).
    #[error("more than one resource")]
    SeveralResources,
    /// The person has to be asked first.
    #[error("{0}")]
    ConsentRequired(Box<ConsentRequired>),
}

/// Every rule of the request holds, but for what a person has not allowed, and can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsentRequired {
    /// The rule about the subject that does not hold.
    pub rule: Rule,
    /// What is missing, for the decision log alone.
    pub cause: String,
    /// Where the person is asked.
    pub uri: String,
}

impl fmt::Display for ConsentRequired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl From<PolicyError> for Refusal {
    fn from(error: PolicyError) -> Self {
        use PolicyError as E;
        let scope = |text| Self::new(ErrorCode::INVALID_SCOPE, Rule::Scope, text);
        let resource = |text| Self::new(ErrorCode::INVALID_TARGET, Rule::Resource, text);
        let refusal = match &error {
            E::MalformedScope(_) => scope("scope is malformed"),
            E::ScopeTooWide { .. } | E::BeyondPower { .. } => {
                scope("scope exceeds what is allowed")
            }
            E::PowerNotNamed => {
                scope("this resource has no default scope; name grantor:read, write or admin")
            }
            E::PowerElsewhere(_) => {
                scope("the scopes of this server itself are granted for its admin API alone")
            }
            E::UnknownResource(_) => resource("resource is not served here"),
            E::SeveralResources => resource("ask for one resource at a time"),
            E::ConsentRequired(required) => {
                let public = "the subject has not allowed this yet, and can do so at consent_uri";
                Self::new(ErrorCode::CONSENT_REQUIRED, required.rule.clone(), public)
                    .with_member("consent_uri", &*required.uri)
            }
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
    auth_time: Option<UnixTime>,
    refresh_token: Option<RefreshToken>,
    origin: TokenOrigin,
    permitted: Permitted,
    limits: Option<Box<TokenLimits>>,
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

    /// When the subject signed in, if the grant knows.
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.auth_time
    }

    /// What is answered beside the token.
    pub(super) fn take_refresh_token(&mut self) -> Option<RefreshToken> {
        self.refresh_token.take()
    }

    /// What a trust lays down about it.
    pub(super) fn limits(&self) -> Option<&TokenLimits> {
        self.limits.as_deref()
    }

    /// Which states of subject and permissions it rests on.
    pub(super) fn permitted(&self) -> Permitted {
        self.permitted
    }

    /// Which registrations it ends with.
    pub(super) fn origin(&self) -> &TokenOrigin {
        &self.origin
    }
}

/// Approves, if and only if the requested scope is within the authorization and the resource is
/// served. No scope requested means all that is allowed, but at the admin API ([`power`]).
pub(super) fn approve(
    context: &Context,
    request: &Request,
    authorization: Authorization,
) -> Result<Approval, PolicyError> {
    let Authorization {
        client,
        subject,
        widest,
        power,
        requested,
        audience,
        auth_time,
        refresh_token,
        consent,
        origin,
        permitted,
        limits,
    } = authorization;
    let audience = match &limits {
        Some(limits) => limited_audience(context, request, &limits.resources)?,
        None => self::audience(context, request, audience)?,
    };
    let in_form = request.parameter("scope").map(scope).transpose()?;
    let requested = in_form.or(requested);
    let scope = match consent {
        consent if power::is_for_admin(context, &audience) => {
            power::granted(requested, power, &consent)?
        }
        Consent::NotAsked => granted(requested, widest)?,
        consent => {
            let asking = Asking {
                context,
                client: &client,
                subject: &subject,
            };
            asking.granted(requested, widest, consent)?
        }
    };
    Ok(Approval {
        client,
        subject,
        scope,
        audience,
        auth_time,
        refresh_token,
        origin,
        permitted,
        limits,
    })
}

/// Refuses what [`approve`] would, before anything is used up for it, where nobody is asked; and any
/// other `resource` than the one that was asked for at first.
pub(super) fn check(
    context: &Context,
    request: &Request,
    authorization: &Authorization,
    resource: Option<&str>,
) -> Result<(), PolicyError> {
    let is_other = |named: &&str| Some(*named) != resource;
    if let Some(other) = request.parameters("resource").find(is_other) {
        return Err(PolicyError::UnknownResource(other.into()));
    }
    audience(context, request, authorization.audience.clone())?;
    let requested = request.parameter("scope").map(scope).transpose()?;
    granted(requested, authorization.widest.clone()).map(drop)
}

/// What is requested, within what is allowed. No scope requested means all that is allowed.
fn granted(requested: Option<Scope>, allowed: Scope) -> Result<Scope, PolicyError> {
    let Some(requested) = requested else {
        return Ok(allowed);
    };
    power::check_elsewhere(&requested)?;
    within(&requested, &allowed)?;
    Ok(requested)
}

/// A request of a client whose people can be asked.
struct Asking<'a> {
    context: &'a Context,
    client: &'a Client,
    subject: &'a SubjectId,
}

impl Asking<'_> {
    /// As [`granted`]. What is beyond what is permitted is a question for the person, unless it is
    /// beyond the client's registration too.
    fn granted(
        &self,
        requested: Option<Scope>,
        permitted: Scope,
        consent: Consent,
    ) -> Result<Scope, PolicyError> {
        let registered = self.client.metadata().scope.clone().without_reserved();
        let asked = granted(requested.clone(), registered)?;
        let reason = match consent {
            Consent::Lacking(reason) => Refusal::from(*reason),
            Consent::NotAsked | Consent::MayBeAsked => {
                let lacking = match requested {
                    // All that is left, unless nothing is.
                    None if permitted.is_empty() => within(&asked, &permitted),
                    None => return Ok(permitted),
                    Some(_) => within(&asked, &permitted),
                };
                match lacking {
                    Ok(()) => return Ok(asked),
                    Err(error) => error.into(),
                }
            }
        };
        let link = self
            .context
            .consent_link(self.client.id(), requested.as_ref(), self.subject);
        Err(PolicyError::ConsentRequired(Box::new(ConsentRequired {
            rule: reason.rule().clone(),
            cause: reason.cause().to_owned(),
            uri: link.unwrap_or_default(),
        })))
    }
}

/// The resource that is asked for, the one that the grant has fixed, or else the default.
fn audience(
    context: &Context,
    request: &Request,
    fixed: Option<String>,
) -> Result<String, PolicyError> {
    let mut resources = request.parameters("resource");
    match (resources.next(), resources.next(), fixed) {
        (Some(_), Some(_), _) => Err(PolicyError::SeveralResources),
        (Some(resource), None, Some(fixed)) if resource != fixed => {
            Err(PolicyError::UnknownResource(resource.into()))
        }
        (_, None, Some(fixed)) if fixed == default_audience(context) => Ok(fixed),
        (_, None, Some(fixed)) => served(context, &fixed),
        (Some(resource), None, None) if power::is_for_admin(context, resource) => {
            Ok(resource.to_owned())
        }
        (Some(resource), None, None) => served(context, resource),
        (None, _, None) => Ok(default_audience(context).to_owned()),
        (None, Some(_), Some(_)) => unreachable!("the second comes after the first"),
    }
}

/// The resource that is asked for, if it is one of the trust's; the first of them if none is. Of a
/// trust without resources the token is for the default.
fn limited_audience(
    context: &Context,
    request: &Request,
    allowed: &[String],
) -> Result<String, PolicyError> {
    let mut resources = request.parameters("resource");
    let default = default_audience(context);
    match (resources.next(), resources.next(), allowed.first()) {
        (_, Some(_), _) => Err(PolicyError::SeveralResources),
        (None, None, first) => Ok(first.map_or(default, String::as_str).to_owned()),
        (Some(asked), None, None) if asked == default => Ok(asked.to_owned()),
        (Some(asked), None, Some(_)) if allowed.iter().any(|one| one == asked) => {
            Ok(asked.to_owned())
        }
        (Some(asked), None, _) => Err(PolicyError::UnknownResource(asked.into())),
    }
}

/// Whom a token is for if nobody says otherwise.
pub(super) fn default_audience(context: &Context) -> &str {
    let configured = context.settings().default_audience.as_deref();
    configured.unwrap_or_else(|| context.identity().issuer().as_str())
}

/// RFC 8707 §2: the resource, if it is one of those that are served.
pub(super) fn served(context: &Context, resource: &str) -> Result<String, PolicyError> {
    let well_formed = Url::parse(resource).is_ok_and(|url| url.fragment().is_none());
    let mut known = context.settings().resources.iter();
    match well_formed && known.any(|known| known == resource) {
        true => Ok(resource.to_owned()),
        false => Err(PolicyError::UnknownResource(resource.into())),
    }
}

/// The scope that a request names (RFC 6749 §3.3).
pub(super) fn scope(text: &str) -> Result<Scope, PolicyError> {
    Scope::parse(text).map_err(|_| PolicyError::MalformedScope(text.into()))
}

/// A scope is no wider than allowed.
pub(super) fn within(requested: &Scope, allowed: &Scope) -> Result<(), PolicyError> {
    if requested.is_subset(allowed) {
        return Ok(());
    }
    let beyond = requested.without(allowed);
    Err(PolicyError::ScopeTooWide {
        allowed: Shown::known(&allowed.to_string(), Shown::MAX_BYTES),
        beyond: Shown::of(&beyond.to_string()),
    })
}
