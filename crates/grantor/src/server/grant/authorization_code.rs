//! `authorization_code`: a client redeems the code that a person's browser brought it (RFC 6749
//! §4.1.3, RFC 7636 §4.5).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use grantor_jose::base64url_encode;

use super::{Authorization, ClientAuthRequirement, Grant, refresh_token, subject_of};
use crate::{
    clock::UnixTime,
    registry::{Client, ConsentPolicy},
    server::{
        Blame, Caller, Context, Decision, GrantError, PolicyError, Refusal, Request, TokenFamily,
        authorization::{Code, is_registered},
        policy, refresh_family,
    },
    storage::{Claim, Ending, Put, ReplayKey, ReplayKind},
    types::{ErrorCode, GrantType, Rule},
};

/// The authorization code grant.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    client_auth: ClientAuthRequirement,
}

/// How much longer a use is remembered than its code works, for a clock that is set back.
const REMEMBERED_BEYOND: Duration = Duration::from_secs(30);

/// Why a code is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// It does not open: it is none of this server's.
    #[error("code does not open")]
    Unreadable,
    /// It was issued to another client, or to an earlier one of this name.
    #[error("code is another client's")]
    OtherClient,
    /// It is too old.
    #[error("code has expired")]
    Expired,
    /// It was issued before the storage was restored, and may have been used then.
    #[error("code may have been used before the storage was restored")]
    BeforeFence,
    /// It was used before. What was made of it has ended.
    #[error("code was used before; what was made of it has ended")]
    Replayed,
    /// `code_verifier` is absent, or not that of the challenge (RFC 7636 §4.6).
    #[error("code_verifier is not that of the code's challenge")]
    WrongVerifier,
    /// `redirect_uri` is another one than that of the request (RFC 6749 §4.1.3).
    #[error("redirect_uri is not that of the code")]
    WrongRedirectUri,
    /// The redirect URI is not registered any more.
    #[error("redirect_uri of the code is not registered any more")]
    UnregisteredRedirectUri,
    /// The subject has ended, is disabled, or is another one of this name.
    #[error("subject of the code has ended")]
    NoSubject,
    /// The permission under which it was issued has ended, or allows less now.
    #[error("permission of the code has ended, or allows less now")]
    NoPermission,
}

/// The client is told the same of all of them.
impl From<CodeError> for Refusal {
    fn from(error: CodeError) -> Self {
        use CodeError as E;
        let (rule, blame) = match error {
            E::Unreadable | E::OtherClient | E::Replayed => (Rule::Code, Blame::FailedProof),
            E::Expired => (Rule::Code, Blame::None),
            E::BeforeFence => (Rule::Fence, Blame::None),
            E::WrongVerifier => (Rule::Pkce, Blame::FailedProof),
            E::WrongRedirectUri | E::UnregisteredRedirectUri => (Rule::RedirectUri, Blame::None),
            E::NoSubject => (Rule::Subject, Blame::None),
            E::NoPermission => (Rule::Permission, Blame::None),
        };
        Self::new(ErrorCode::INVALID_GRANT, rule, "the code is not acceptable")
            .blaming(blame)
            .because(error)
    }
}

impl From<CodeError> for GrantError {
    fn from(error: CodeError) -> Self {
        Self::Refused(error.into())
    }
}

fn refused(error: PolicyError) -> GrantError {
    GrantError::Refused(error.into())
}

fn over_quota() -> GrantError {
    GrantError::Refused(Refusal::over_quota(Rule::ReplayQuota))
}

impl Default for AuthorizationCode {
    fn default() -> Self {
        Self {
            client_auth: ClientAuthRequirement {
                optional: false,
                ..ClientAuthRequirement::optional()
            },
        }
    }
}

impl AuthorizationCode {
    /// Every client authentication method is taken, `none` of public clients among them.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another list of client authentication methods.
    #[must_use]
    pub fn with_client_auth(client_auth: ClientAuthRequirement) -> Self {
        Self { client_auth }
    }
}

#[async_trait]
impl Grant for AuthorizationCode {
    fn grant_type(&self) -> GrantType {
        GrantType::AUTHORIZATION_CODE
    }

    fn client_auth(&self) -> ClientAuthRequirement {
        self.client_auth.clone()
    }

    async fn authorize(
        &self,
        context: &Context,
        request: &Request,
        caller: &Caller,
        decision: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let code = request.required("code")?;
        let client = caller.client().ok_or(GrantError::NotAllowed)?;
        let code = Code::open(context, code).ok_or(CodeError::Unreadable)?;
        check_client(&code, client)?;
        take(context, client, &code).await?;
        check_request(request, client, &code)?;
        let authorization = authorization(context, client, &code).await?;
        decision.is_about(&authorization.subject);
        // Nothing is kept for what is refused.
        let resource = code.resource.as_deref();
        policy::check(context, request, &authorization, resource).map_err(refused)?;
        Ok(match refresh_token::first(context, client, &code).await? {
            Some(token) => authorization.with_refresh_token(token),
            None => authorization,
        })
    }
}

/// Another client that presents a code is no reason to take it away from its own.
fn check_client(code: &Code, client: &Client) -> Result<(), CodeError> {
    let (id, number) = &code.client;
    match id == client.id() && *number == client.revision().number {
        true => Ok(()),
        false => Err(CodeError::OtherClient),
    }
}

/// Takes the code, which works once: on a second use all ends that was made of it (RFC 6749
/// §4.1.2). Nothing that is wrong with the request gives it back.
async fn take(context: &Context, client: &Client, code: &Code) -> Result<(), GrantError> {
    let (now, end) = (context.now(), code.end(context));
    if end <= now || now.plus(REMEMBERED_BEYOND) < code.issued_at {
        return Err(CodeError::Expired.into());
    }
    check_fence(context, code)?;
    let name = base64url_encode(code.nonce);
    let key = ReplayKey::of(ReplayKind::CODE, client.id().as_str(), &name);
    let used = key.until(end.plus(REMEMBERED_BEYOND));
    match context.claim(&[used], now).await? {
        Claim::Fresh => Ok(check_fence(context, code)?),
        Claim::Replayed(_) => {
            end_family(context, client, code, now).await?;
            Err(CodeError::Replayed.into())
        }
        Claim::OverQuota => Err(over_quota()),
    }
}

fn check_fence(context: &Context, code: &Code) -> Result<(), CodeError> {
    match context.fence() {
        Some(fence) if code.issued_at <= fence => Err(CodeError::BeforeFence),
        _ => Ok(()),
    }
}

async fn end_family(
    context: &Context,
    client: &Client,
    code: &Code,
    now: UnixTime,
) -> Result<(), GrantError> {
    let ending = Ending {
        owner: Some(client.revision().number),
        ..refresh_family::ending(context, now)
    };
    let family = TokenFamily::from_bytes(code.nonce).id();
    let quota = context.token_quota();
    match context
        .artifacts()
        .end_family(family, ending, quota)
        .await?
    {
        Put::Kept => Ok(()),
        Put::OverQuota => Err(over_quota()),
    }
}

/// Whoever redeems the code is who asked for it, and where it was sent is still the client's.
fn check_request(request: &Request, client: &Client, code: &Code) -> Result<(), GrantError> {
    let verifier = request.parameter("code_verifier").unwrap_or_default();
    if !code.challenge.is_of(verifier) {
        return Err(CodeError::WrongVerifier.into());
    }
    // The challenge binds the code: who leaves this out loses nothing.
    if request
        .parameter("redirect_uri")
        .is_some_and(|uri| uri != code.redirect_uri)
    {
        return Err(CodeError::WrongRedirectUri.into());
    }
    if !is_registered(client, &code.redirect_uri) {
        return Err(CodeError::UnregisteredRedirectUri.into());
    }
    Ok(())
}

/// What the code still stands for: subject and permission are looked at again.
async fn authorization(
    context: &Context,
    client: &Arc<Client>,
    code: &Code,
) -> Result<Authorization, GrantError> {
    let subject = subject_of(context, &code.subject).await?;
    let subject = subject.ok_or(CodeError::NoSubject)?;
    let grant = &GrantType::AUTHORIZATION_CODE;
    let authorization = if code.records.is_none() {
        check_implied(client)?;
        Authorization::for_registered(client.clone(), grant, &subject)?
    } else {
        let permissions = context.permissions_of(client, &subject.id).await?;
        let permissions = permissions.still(code.records);
        let limit = permissions.covering(grant, context.now());
        let limit = limit.filter(|limit| limit.within(&code.scope) == code.scope);
        let limit = limit.ok_or(CodeError::NoPermission)?;
        Authorization::permitted(client.clone(), grant, &subject, &limit)?
    };
    policy::within(&code.scope, &client.metadata().scope).map_err(refused)?;
    let authorization = authorization
        .within(&code.scope)
        .authenticated_at(code.auth_time)
        .in_family(TokenFamily::from_bytes(code.nonce));
    Ok(match &code.resource {
        Some(resource) => authorization.for_audience(resource.clone()),
        None => authorization,
    })
}

/// Without a record a code is good only as long as nobody has to be asked.
fn check_implied(client: &Client) -> Result<(), CodeError> {
    match client.metadata().consent {
        ConsentPolicy::Implied => Ok(()),
        ConsentPolicy::Ask | ConsentPolicy::Off => Err(CodeError::NoPermission),
    }
}
