//! What a person says to a consent page, and how it is recorded.

use grantor_jose::base64url_encode;
use http::{HeaderMap, HeaderValue, header};

use super::{
    AuthorizationError, AuthorizationRequest, People, SignedIn, Step, advance,
    consent::ShownConsent, request::TICKET_LIFETIME,
};
use crate::{
    registry::{Actor, Permission, Resource as _, Subject, Way, Who},
    server::{Context, Decision, Refusal, Request, SealKind, policy},
    storage::{Change, Claim, ReplayKey, ReplayKind, StoreError},
    types::{Scope, Shown},
};

/// Takes the form of a consent page, records a yes, and goes on with the request. What was shown is
/// what is recorded: of the form only `decision` and the optional ones of `scope` are read.
///
/// # Errors
/// [`Refusal`]; a no goes to the client.
pub async fn decide(
    context: &Context,
    request: &Request,
    signed_in: Option<&SignedIn>,
    decision: &mut Decision,
) -> Result<Step, Refusal> {
    check_origin(context, request)?;
    let signed_in = signed_in.ok_or(AuthorizationError::NobodySignedIn)?;
    let ticket = request.parameter("t").unwrap_or_default();
    let holder = signed_in.holder();
    let opened =
        AuthorizationRequest::opened(context, SealKind::CONSENT, &holder, ticket, decision);
    let (asked, shown): (_, ShownConsent) = opened.await?;
    match answered(context, request, &asked, &shown, signed_in, decision).await {
        Ok(asked) => advance(context, asked, Some(signed_in), decision).await,
        Err(AuthorizationError::Denied) => Err(asked.refused(AuthorizationError::Denied)),
        Err(error) => Err(error.into()),
    }
}

/// Takes up the request of a consent page again, to show the page once more.
///
/// # Errors
/// [`Refusal`]
pub async fn reopen(
    context: &Context,
    ticket: &str,
    signed_in: Option<&SignedIn>,
    decision: &mut Decision,
) -> Result<AuthorizationRequest, Refusal> {
    let signed_in = signed_in.ok_or(AuthorizationError::NobodySignedIn)?;
    let holder = signed_in.holder();
    let opened =
        AuthorizationRequest::opened(context, SealKind::QUESTION, &holder, ticket, decision);
    let (asked, ()) = opened.await?;
    Ok(asked)
}

async fn answered(
    context: &Context,
    request: &Request,
    asked: &AuthorizationRequest,
    shown: &ShownConsent,
    signed_in: &SignedIn,
    decision: &mut Decision,
) -> Result<AuthorizationRequest, AuthorizationError> {
    let people = context.people().ok_or(AuthorizationError::NoPeople)?;
    let subject = context.subjects().subject(signed_in.subject()).await?;
    let subject = subject
        .filter(|subject| subject.enabled)
        .ok_or(AuthorizationError::NobodySignedIn)?;
    decision.is_by(&subject.id);
    match request.parameter("decision") {
        Some("allow") => {}
        Some("deny") => return Err(AuthorizationError::Denied),
        other => {
            let other = other.map(Shown::of);
            let cause = format!("decision is neither allow nor deny: got {other:?}");
            return Err(AuthorizationError::Answer(cause));
        }
    }
    let chosen = chosen(request, shown)?;
    claim(context, &subject, shown).await?;
    if !shown.is_new && asked.client().metadata().permission_lifetime.is_none() {
        return Ok(asked.clone().answered());
    }
    let permission = shown.permission(asked.client(), &subject, &chosen, context.now());
    let actor = actor(request, &subject, decision);
    match record(context, people, shown, permission, &actor).await {
        Ok(()) => Ok(asked.clone().answered()),
        // Something else was decided meanwhile: the page is shown again, as it is now.
        Err(StoreError::Exists(_) | StoreError::Conflict(_)) => Ok(asked.clone()),
        Err(error) => Err(error.into()),
    }
}

/// The optional scopes that the person chose.
fn chosen(request: &Request, shown: &ShownConsent) -> Result<Scope, AuthorizationError> {
    let mut chosen = Scope::default();
    for scope in request.parameters("scope") {
        chosen = chosen.union(&policy::scope(scope)?);
    }
    match chosen.is_subset(&shown.optional) {
        true => Ok(chosen),
        false => Err(AuthorizationError::Answer(
            "scope is not an optional one of the page".to_owned(),
        )),
    }
}

/// A page is good for one yes.
async fn claim(
    context: &Context,
    subject: &Subject,
    shown: &ShownConsent,
) -> Result<(), AuthorizationError> {
    let key = ReplayKey::of(
        ReplayKind::CONSENT,
        subject.id.as_str(),
        &base64url_encode(shown.nonce),
    );
    let now = context.now();
    let used = key.until(now.plus(TICKET_LIFETIME));
    match context.claim(&[used], now).await? {
        Claim::Fresh => Ok(()),
        Claim::Replayed(_) => Err(AuthorizationError::Ticket("was used")),
        Claim::OverQuota => Err(AuthorizationError::OverQuota),
    }
}

/// Records what the person allows, if and only if the record is still as the page showed it.
async fn record(
    context: &Context,
    people: &People,
    shown: &ShownConsent,
    permission: Permission,
    actor: &Actor,
) -> Result<(), StoreError> {
    let changes = match shown.revision() {
        None => vec![Change::Create(permission)],
        Some(revision) => {
            let known = people.permissions.get(&permission.id()).await?;
            let known = known.ok_or(StoreError::Conflict(Permission::NAME))?;
            match known.is_in_force(context.now()) {
                true => vec![Change::Replace(permission.with_revision(revision))],
                // What ended with it does not come back with a new one.
                false => vec![
                    Change::Delete(permission.id(), Some(revision)),
                    Change::Create(permission),
                ],
            }
        }
    };
    people.permissions.apply(changes, actor).await.map(drop)
}

/// The actor of a change that a person makes about themselves, on a page.
pub fn actor(request: &Request, subject: &Subject, decision: &Decision) -> Actor {
    let actor =
        Actor::new(Who::Person(subject.id.clone()), Way::OwnPage).in_request(decision.id.as_str());
    match request.sender() {
        Some(address) => actor.from_address(address),
        None => actor,
    }
}

/// Succeeds if a form comes from a page of this server: browsers say so, and cannot be made to say
/// otherwise.
///
/// # Errors
/// [`Refusal`] for the rule [`Rule::Origin`](crate::types::Rule::Origin).
pub fn check_origin(context: &Context, request: &Request) -> Result<(), Refusal> {
    let own = context.identity().issuer().origin();
    check_origin_is(own, request.headers())
}

/// Succeeds if a form comes from a page of this origin, such as `https://as.example`.
///
/// # Errors
/// [`Refusal`] for the rule [`Rule::Origin`](crate::types::Rule::Origin).
pub fn check_origin_is(own: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let mut sites = headers.get_all("sec-fetch-site").iter().peekable();
    let says_where = sites.peek().is_some();
    let is_own = |value: &HeaderValue| *value == own;
    let is_same_origin = sites.all(|site| site == "same-origin");
    match (origins.next(), origins.next()) {
        (Some(origin), None) if is_own(origin) && is_same_origin => Ok(()),
        (None, None) if says_where && is_same_origin => Ok(()),
        (origin, _) => {
            let got = origin.and_then(|origin| origin.to_str().ok());
            Err(AuthorizationError::Origin(got.unwrap_or("none").into()).into())
        }
    }
}
