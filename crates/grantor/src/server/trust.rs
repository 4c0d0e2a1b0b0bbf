//! The choice of the one trust that takes a JWT of an issuer, and of whom it is about then.
//!
//! A JWT of an issuer proves something only together with a trust that took it: exactly one, never
//! the first, never a union (law 11). It is chosen when signature and rules hold, and before the JWT
//! is used up: what no trust takes can be tried again once the trust is mended.

use std::sync::Arc;

use grantor_jose::Claims;

use super::{Blame, Context, Refusal};
use crate::{
    assertion::{SetAside, Tried, TrustCheck, Usage},
    registry::{Mode, Trust, TrustedIssuer, Trusts, Unmapped},
    storage::StoreError,
    types::{ClaimPath, ErrorCode, Name, Rule, Shown, SubjectId},
};

/// Why no trust grants anything for a JWT of an issuer. The text is the private cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No trust takes it.
    #[error("{}", not_taken(.0.as_deref()))]
    NotTaken(
        /// What the trust that came nearest made of it.
        Option<Box<TrustCheck>>,
    ),
    /// No trust is for the tenant that it is of, on an issuer that strangers share. The sender is
    /// told no more than a forger is.
    #[error("no trust of the issuer is for the tenant of the JWT: {0}")]
    OtherTenant(
        /// The claims that tell tenants apart.
        String,
    ),
    /// More than one takes it.
    #[error("more than one trust takes the JWT: {}", list(.0))]
    Several(Vec<Name>),
    /// The trust wants its client to authenticate beside the JWT.
    #[error("trust {0} wants its client to authenticate")]
    NeedsClientAuth(Name),
    /// The trust finds no subject in the JWT.
    #[error("trust {trust}: {error}")]
    Unmapped {
        /// The trust.
        trust: Name,
        /// Why.
        error: Unmapped,
    },
    /// The subject that the trust finds is somebody else: a client, or a subject that is
    /// registered.
    #[error("trust {trust}: the mapped subject {subject:?} is the name of a client or subject")]
    SubjectTaken {
        /// The trust.
        trust: Name,
        /// Whom it would be about.
        subject: Shown,
    },
    /// The trust, or its issuer, was disabled while the request was under way.
    #[error("trust {0} or its issuer was disabled while the request was under way")]
    Ended(Name),
    /// The registry failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(names: &[Name]) -> String {
    let names: Vec<_> = names.iter().map(Name::as_str).collect();
    names.join(", ")
}

fn not_taken(nearest: Option<&TrustCheck>) -> String {
    let Some(nearest) = nearest else {
        return "no trust of the issuer takes the JWT".to_owned();
    };
    let name = &nearest.trust;
    if let Some(reason) = nearest.set_aside {
        return format!("no trust takes the JWT; trust {name} was not asked: {reason}");
    }
    let failing = nearest.failing().map(|row| match &*row.claim {
        "" => format!("the condition is {}", row.got),
        claim if row.got == "missing" => format!("{claim} is missing, expected {:?}", row.expected),
        claim => format!("{claim} is {:?}, expected {:?}", row.got, row.expected),
    });
    let failing: Vec<_> = failing.collect();
    format!(
        "no trust takes the JWT; nearest is trust {name}: {}",
        failing.join("; ")
    )
}

/// What is told of a JWT that one trust nearly took: the rule and the claim, never the value.
fn told(nearest: Option<&TrustCheck>) -> String {
    let row = nearest
        .filter(|nearest| nearest.set_aside.is_none())
        .and_then(|nearest| Some((&nearest.trust, nearest.failing().next()?)));
    match row {
        None => "no trust takes this JWT".to_owned(),
        Some((trust, row)) if row.claim.is_empty() => {
            format!("the condition of trust {trust} does not hold")
        }
        // Its name is an operator's text, and goes into an answer as it may (RFC 6749 §5.2).
        Some((trust, row)) => {
            let is_allowed = |one: &char| matches!(one, ' ' | '!' | '#'..='[' | ']'..='~');
            let claim: String = row.claim.chars().filter(is_allowed).collect();
            format!("claim {claim} is not what trust {trust} expects")
        }
    }
}

impl Refusal {
    /// No trust grants anything. `code` and `public` are those of the use that the JWT was put to.
    pub(super) fn of_trust(error: &TrustError, code: ErrorCode, public: &'static str) -> Self {
        match error {
            TrustError::OtherTenant(_) => {
                Self::new(code, Rule::Trust, public).blaming(Blame::FailedProof)
            }
            TrustError::NotTaken(nearest) => Self::new(code, Rule::Trust, told(nearest.as_deref())),
            TrustError::Several(_) => Self::new(
                code,
                Rule::Trust,
                "more than one trust takes this JWT; send client_id",
            ),
            TrustError::NeedsClientAuth(_) => Self::new(
                ErrorCode::INVALID_CLIENT,
                Rule::Client,
                "the trust that takes this JWT requires client authentication",
            )
            .blaming(Blame::NoProof),
            TrustError::Unmapped { .. } | TrustError::SubjectTaken { .. } => Self::new(
                code,
                Rule::MappedSubject,
                "the trust that takes this JWT finds no subject in it",
            ),
            TrustError::Ended(_) => {
                Self::new(code, Rule::Trust, "the trust that takes this JWT has ended")
            }
            TrustError::Store(error) => Self::of_store(error),
        }
    }
}

/// Who asks for what, as far as the choice depends on it.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) usage: Usage,
    /// The client that the request names, proven or not: then only its trusts count.
    pub(super) client: Option<&'a str>,
    /// The client that has authenticated beside the JWT.
    pub(super) proven: Option<&'a str>,
    /// Whether there is no request, so that nobody knows whom it would name.
    pub(super) is_rehearsed: bool,
}

impl Asking<'_> {
    /// Without a request: nobody is named beside the JWT.
    pub(super) fn rehearsed(usage: Usage) -> Self {
        Self {
            usage,
            client: None,
            proven: None,
            is_rehearsed: true,
        }
    }

    /// Whether this trust wants its client to authenticate beside the JWT, which that has not done.
    fn lacks_client_auth(&self, trust: &Trust) -> bool {
        let is_wanted = trust.needs_client_auth && self.usage == Usage::Grant;
        is_wanted && self.proven != Some(trust.client.as_str())
    }

    /// Whether this trust authenticates whoever sends `client_id` too, which the request does not.
    fn lacks_client_id(&self, trust: &Trust) -> bool {
        let is_wanted = self.usage == Usage::ClientAuthentication && trust.pinned_sub().is_none();
        is_wanted && self.client.is_none() && !self.is_rehearsed
    }

    /// Why this trust is not asked.
    fn sets_aside(&self, trust: &Trust) -> Option<SetAside> {
        match trust {
            _ if trust.mode == Mode::Off => Some(SetAside::Off),
            _ if !trust.is_for(self.usage) => Some(SetAside::OtherUse),
            _ if self
                .client
                .is_some_and(|client| client != trust.client.as_str()) =>
            {
                Some(SetAside::OtherClient)
            }
            _ if self.lacks_client_id(trust) => Some(SetAside::NoClient),
            _ => None,
        }
    }
}

/// Most trusts in a record.
const NEAREST: usize = 8;
/// Most trusts that a refusal is explained by.
const LOOKED_AT: usize = 200;
/// Most shadows in a record.
const SHADOWS: usize = 4;

/// The one trust that takes a verified JWT of this issuer. What was tried is told for the record.
///
/// # Errors
/// [`TrustError`]
pub(super) async fn choose(
    context: &Context,
    issuer: &TrustedIssuer,
    claims: &Claims,
    asking: Asking<'_>,
    tried: &mut Tried,
) -> Result<Arc<Trust>, TrustError> {
    let trusts = context.trusts(issuer).await?;
    let tenants = &issuer.tenant_claims;
    let is_told = !issuer.is_shared() || trusts.know_tenant(tenants, claims);
    // Nobody reads of the trusts of others.
    let is_theirs = |trust: &Trust| !issuer.is_shared() || trust.is_of_tenant(tenants, claims);
    let is_shown = |trust: &Trust| trust.mode != Mode::Shadow && is_theirs(trust);
    // Also of a trust that was made before its issuer was known to be shared.
    let takes = |trust: &&Arc<Trust>| {
        let is_asked = trust.mode == Mode::On && asking.sets_aside(trust).is_none();
        is_asked && is_theirs(trust) && trust.takes(claims)
    };
    let mut taking = trusts.candidates(claims).into_iter().filter(takes);
    let (first, second) = (taking.next().cloned(), taking.next());
    let asked = trusts.shadows().take(LOOKED_AT);
    let asked = asked.filter(|trust| asking.sets_aside(trust).is_none() && is_theirs(trust));
    let asked = asked.take(SHADOWS);
    tried.shadows = asked.map(|trust| TrustCheck::of(trust, claims)).collect();
    match (first, second) {
        (Some(only), None) if asking.lacks_client_auth(&only) => {
            Err(TrustError::NeedsClientAuth(only.name.clone()))
        }
        (Some(only), None) => Ok(only),
        (Some(first), Some(second)) => {
            let names = [&first, second].into_iter().chain(taking);
            let names = names.map(|trust| trust.name.clone()).collect();
            (tried.trusts, tried.others) = nearest(&trusts, claims, asking, NEAREST, is_shown);
            Err(TrustError::Several(names))
        }
        (None, _) if !is_told => {
            tried.others = u32::try_from(trusts.all().len()).unwrap_or(u32::MAX);
            Err(TrustError::OtherTenant(tenant(tenants, claims)))
        }
        (None, _) => {
            (tried.trusts, tried.others) = nearest(&trusts, claims, asking, NEAREST, is_shown);
            let nearest = tried.trusts.first().cloned().map(Box::new);
            Err(TrustError::NotTaken(nearest))
        }
    }
}

/// The claims that tell tenants apart, as the private cause has them.
fn tenant(tenants: &[ClaimPath], claims: &Claims) -> String {
    let told = tenants.iter().map(|claim| match claim.find(claims) {
        Some(value) => format!("{claim} is {:?}", Shown::of(&value.to_string())),
        None => format!("{claim} is missing"),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Succeeds if and only if the trust that was chosen, and its issuer, are in force now: a fetch of
/// keys, and the claim, may have taken seconds.
///
/// # Errors
/// [`TrustError::Ended`]
pub(super) async fn still_in_force(
    context: &Context,
    issuer: &TrustedIssuer,
    trust: &Trust,
) -> Result<(), TrustError> {
    let under = (issuer.revision.number, trust.revision.number);
    match in_force(context, under, None).await? {
        Some(_) => Ok(()),
        None => Err(TrustError::Ended(trust.name.clone())),
    }
}

/// The trust of these numbers, of an issuer and of itself, if both are in force and, of a token of
/// this time, the issuer's were not revoked. Another registration of the same name is none of it.
pub(super) async fn in_force(
    context: &Context,
    (issuer, trust): (u64, u64),
    issued_at: Option<i64>,
) -> Result<Option<Arc<Trust>>, StoreError> {
    let issuers = context.issuers().await?;
    let upholds = |issuer: &&Arc<TrustedIssuer>| match issued_at {
        Some(issued_at) => issuer.upholds_tokens_of(issued_at),
        None => issuer.enabled,
    };
    let Some(issuer) = issuers.numbered(issuer).filter(upholds) else {
        return Ok(None);
    };
    let trusts = context.trusts(issuer).await?;
    let trust = trusts.numbered(trust);
    Ok(trust.filter(|trust| trust.mode == Mode::On).cloned())
}

/// All trusts of the issuer, tried.
pub(super) async fn all(
    context: &Context,
    issuer: &TrustedIssuer,
    claims: &Claims,
    asking: Asking<'_>,
) -> Result<Vec<TrustCheck>, StoreError> {
    let trusts = context.trusts(issuer).await?;
    Ok(nearest(&trusts, claims, asking, usize::MAX, |_| true).0)
}

/// The trusts that came nearest of those that are shown, and how many others there are.
fn nearest(
    trusts: &Trusts,
    claims: &Claims,
    asking: Asking<'_>,
    most: usize,
    is_shown: impl Fn(&Trust) -> bool,
) -> (Vec<TrustCheck>, u32) {
    // Claims first, for a condition costs more than they do; it is looked at in those that are kept.
    let shown = trusts.all().iter().filter(|trust| is_shown(trust));
    let ranked = shown.take(LOOKED_AT.max(most)).map(|trust| {
        let set_aside = asking.sets_aside(trust);
        (
            (set_aside.is_some(), trust.differences(claims)),
            set_aside,
            trust,
        )
    });
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_by_key(|(rank, ..)| *rank);
    ranked.truncate(most);
    let checked = ranked
        .into_iter()
        .map(|(_, set_aside, trust)| TrustCheck::of(trust, claims).aside(set_aside));
    let mut checked: Vec<_> = checked.collect();
    checked.sort_by_key(|check| (check.set_aside.is_some(), check.failing().count()));
    let others = trusts.all().len() - checked.len();
    (checked, u32::try_from(others).unwrap_or(u32::MAX))
}

/// Whom a JWT that this trust took is about.
///
/// # Errors
/// [`TrustError::Unmapped`], [`TrustError::SubjectTaken`]
pub(super) async fn subject(
    context: &Context,
    trust: &Trust,
    claims: &Claims,
) -> Result<SubjectId, TrustError> {
    let subject = trust.subject.subject(claims);
    let subject = subject.map_err(|error| TrustError::Unmapped {
        trust: trust.name.clone(),
        error,
    })?;
    if trust.subject.is_existing() {
        return Ok(subject);
    }
    // Nobody is to be taken for somebody who is registered here.
    let is_taken = context.client(subject.as_str()).await?.is_some()
        || context.subjects().subject(&subject).await?.is_some();
    match is_taken {
        false => Ok(subject),
        true => Err(TrustError::SubjectTaken {
            trust: trust.name.clone(),
            subject: Shown::of(subject.as_str()),
        }),
    }
}
