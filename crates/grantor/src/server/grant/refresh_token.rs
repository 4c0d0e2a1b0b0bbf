//! `refresh_token`: a client acts again for a person who let it, and who need not be there (RFC 6749
//! §6, RFC 9700 §4.14).

use std::sync::Arc;

use async_trait::async_trait;

use super::{Authorization, AuthorizationCode, ClientAuthRequirement, Grant, subject_of};
use crate::{
    registry::Client,
    server::{
        Blame, Caller, Context, Decision, GrantError, RefreshToken, Refusal, Request, TokenFamily,
        authorization::Code,
        policy,
        refresh_family::{Place, RefreshFamily, Standing, Terms},
    },
    storage::StoreError,
    types::{ErrorCode, GrantType, Rule, Scope},
};

/// The refresh token grant. Only the code grant gives refresh tokens.
#[derive(Clone, Debug)]
pub struct RefreshGrant {
    client_auth: ClientAuthRequirement,
}

/// Why a refresh token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// It is none of this server's.
    #[error("refresh token is none of this server's")]
    Unreadable,
    /// Its family has ended: it was not used for too long, is too old, or was revoked.
    #[error("refresh token has expired, or its family was ended")]
    Ended,
    /// It was issued to another client, or to an earlier one of this name.
    #[error("refresh token is another client's")]
    OtherClient,
    /// The client is registered for another authentication method than when it was issued.
    #[error("refresh token was issued when the client authenticated by another method")]
    OtherMethod,
    /// It was replaced, and presented again too late. Its family has ended.
    #[error("refresh token was used before; its family was ended")]
    Reused,
    /// The subject has ended, is disabled, or is another one of this name.
    #[error("subject of the refresh token has ended")]
    NoSubject,
    /// The permission under which it was issued has ended, or allows nothing of it any more.
    #[error("permission of the refresh token has ended, or allows nothing of it any more")]
    NoPermission,
}

/// The client is told the same of all of them.
impl From<RefreshError> for Refusal {
    fn from(error: RefreshError) -> Self {
        use RefreshError as E;
        let (rule, blame) = match error {
            E::Unreadable | E::OtherClient => (Rule::RefreshToken, Blame::FailedProof),
            E::Ended | E::OtherMethod => (Rule::RefreshToken, Blame::None),
            E::Reused => (Rule::RefreshReuse, Blame::FailedProof),
            E::NoSubject => (Rule::Subject, Blame::None),
            E::NoPermission => (Rule::Permission, Blame::None),
        };
        let public = "the refresh token is not acceptable";
        Self::new(ErrorCode::INVALID_GRANT, rule, public)
            .blaming(blame)
            .because(error)
    }
}

impl From<RefreshError> for GrantError {
    fn from(error: RefreshError) -> Self {
        Self::Refused(error.into())
    }
}

impl Default for RefreshGrant {
    fn default() -> Self {
        Self::with_client_auth(AuthorizationCode::new().client_auth())
    }
}

impl RefreshGrant {
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
impl Grant for RefreshGrant {
    fn grant_type(&self) -> GrantType {
        GrantType::REFRESH_TOKEN
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
        let token = request.required("refresh_token")?;
        let client = caller.client().ok_or(GrantError::NotAllowed)?;
        let place = Place::of(context.seals(), token).ok_or(RefreshError::Unreadable)?;
        let family = own(context, client, place).await?;
        decision.is_about(&family.terms().subject.0);
        let standing = in_turn(context, &family, place).await?;
        let authorization = authorization(context, client, &family).await?;
        // Who asks for too much keeps the token.
        let resource = family.terms().resource.as_deref();
        policy::check(context, request, &authorization, resource).map_err(Refusal::from)?;
        let successor = match standing {
            Standing::Current => replace(context, client, family, place).await?,
            _ => family.token(context),
        };
        Ok(authorization.with_refresh_token(successor))
    }
}

/// The family of a token, if and only if it is this client's. Another client that presents one is no
/// reason to take it away from its own.
async fn own(
    context: &Context,
    client: &Client,
    place: Place,
) -> Result<RefreshFamily, GrantError> {
    let family = RefreshFamily::find(context, place.family).await?;
    let family = family.ok_or(RefreshError::Ended)?;
    if !family.terms().are_of(client) {
        return Err(RefreshError::OtherClient.into());
    }
    match family.terms().method == client.metadata().auth_method {
        true => Ok(family),
        false => Err(RefreshError::OtherMethod.into()),
    }
}

/// How the token stands. One that was stolen, or that a thief has used, ends the family.
async fn in_turn(
    context: &Context,
    family: &RefreshFamily,
    place: Place,
) -> Result<Standing, GrantError> {
    match family.standing(context, place) {
        Standing::Reused => {
            family.revoke(context).await?;
            Err(RefreshError::Reused.into())
        }
        standing => Ok(standing),
    }
}

/// Uses the token up, and answers its successor. Of several requests at once one does so, and the
/// others get the same.
async fn replace(
    context: &Context,
    client: &Client,
    mut family: RefreshFamily,
    place: Place,
) -> Result<RefreshToken, GrantError> {
    match family.advance(context).await {
        Ok(()) => Ok(family.token(context)),
        Err(StoreError::Conflict(_)) => {
            let family = own(context, client, place).await?;
            in_turn(context, &family, place).await?;
            Ok(family.token(context))
        }
        Err(StoreError::Missing(_)) => Err(RefreshError::Ended.into()),
        Err(error) => Err(error.into()),
    }
}

/// What the family still stands for: subject and permission are looked at again.
async fn authorization(
    context: &Context,
    client: &Arc<Client>,
    family: &RefreshFamily,
) -> Result<Authorization, GrantError> {
    let (terms, grant) = (family.terms(), &GrantType::REFRESH_TOKEN);
    let subject = subject_of(context, &terms.subject).await?;
    let subject = subject.ok_or(RefreshError::NoSubject)?;
    let permissions = context.permissions_of(client, &subject.id).await?;
    let permissions = permissions.still(terms.records);
    let limit = permissions.covering(grant, context.now());
    let limit = limit.ok_or(RefreshError::NoPermission)?;
    let authorization = Authorization::permitted(client.clone(), grant, &subject, &limit)?
        .within(&terms.scope)
        .authenticated_at(terms.auth_time)
        .in_family(family.name());
    if authorization.widest.is_empty() && !terms.scope.is_empty() {
        return Err(RefreshError::NoPermission.into());
    }
    Ok(match &terms.resource {
        Some(resource) => authorization.for_audience(resource.clone()),
        None => authorization,
    })
}

/// The first refresh token of an authorization that a client was given by a code, if it may act for
/// the person who is not there: a record has to say so.
pub(super) async fn first(
    context: &Context,
    client: &Arc<Client>,
    code: &Code,
) -> Result<Option<RefreshToken>, GrantError> {
    let grant = &GrantType::REFRESH_TOKEN;
    if code.records.is_none() || !client.may_use(grant) {
        return Ok(None);
    }
    let permissions = context.permissions_of(client, &code.subject.0).await?;
    let permissions = permissions.still(code.records);
    let Some(limit) = permissions.covering(grant, context.now()) else {
        return Ok(None);
    };
    if limit.within(&code.scope).is_empty() && !code.scope.is_empty() {
        return Ok(None);
    }
    let terms = Terms {
        client: code.client.clone(),
        method: client.metadata().auth_method.clone(),
        subject: code.subject.clone(),
        scope: code.scope.clone(),
        resource: code.resource.clone(),
        auth_time: code.auth_time,
        records: limit.numbers(),
        began_at: context.now(),
    };
    let family = TokenFamily::from_bytes(code.nonce);
    let begun = RefreshFamily::begin(context, family, terms).await;
    begun.map(Some).map_err(|error| Refusal::from(error).into())
}

/// The family of this token, and how much of its scope is still allowed, if and only if the client
/// would get a token for it now.
pub(in crate::server) async fn in_force(
    context: &Context,
    client: &Arc<Client>,
    place: Place,
) -> Result<Option<(RefreshFamily, Scope)>, StoreError> {
    let found = async {
        let family = own(context, client, place).await?;
        match family.standing(context, place) {
            Standing::Reused => Err(RefreshError::Reused.into()),
            _ => {
                let authorization = authorization(context, client, &family).await?;
                Ok((family, authorization.widest))
            }
        }
    };
    match found.await {
        Ok(found) => Ok(Some(found)),
        Err(GrantError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
