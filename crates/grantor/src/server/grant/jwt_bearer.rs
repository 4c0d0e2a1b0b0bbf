//! `urn:ietf:params:oauth:grant-type:jwt-bearer`: a registered client presents a JWT signed with
//! its own key (RFC 7523 §2.1, §3.1). The subject is the client itself, or somebody it holds a
//! permission for.

use std::sync::Arc;

use async_trait::async_trait;
use grantor_jose::Claims;

use super::{Authorization, ClientAuthRequirement, Grant};
use crate::{
    assertion::{Assertion, Expectation, Usage},
    clock::UnixTime,
    keys::{Candidate, KeyKind},
    registry::{Client, Permission, Subject},
    server::{Caller, Context, Decision, GrantError, TokenForm, audit::Held},
    types::{GrantType, Scope, Shown, SubjectId},
};

/// The JWT bearer grant, the client being the issuer.
#[derive(Clone, Debug)]
pub struct JwtBearer {
    client_auth: ClientAuthRequirement,
}

impl Default for JwtBearer {
    fn default() -> Self {
        Self {
            client_auth: ClientAuthRequirement::optional(),
        }
    }
}

impl JwtBearer {
    /// Client authentication is optional, any method is taken (RFC 7523 §3.1).
    pub fn new() -> Self {
        Self::default()
    }

    /// With another list of client authentication methods, or with client authentication required.
    #[must_use]
    pub fn with_client_auth(client_auth: ClientAuthRequirement) -> Self {
        Self { client_auth }
    }
}

#[async_trait]
impl Grant for JwtBearer {
    fn grant_type(&self) -> GrantType {
        GrantType::JWT_BEARER
    }

    fn client_auth(&self) -> ClientAuthRequirement {
        self.client_auth.clone()
    }

    async fn authorize(
        &self,
        context: &Context,
        form: &TokenForm,
        caller: &Caller,
        decision: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let assertion =
            Assertion::parse(form.required("assertion")?).map_err(GrantError::Assertion)?;
        let now = context.now();
        let (issuer, keys) = match issuer(context, &assertion, caller, now, decision).await {
            Ok(found) => found,
            Err(error) => {
                // Whether the issuer is unknown, disabled or without this key must not show in the
                // time it takes.
                context.decoys().verify(&assertion);
                return Err(error);
            }
        };
        context.decoys().verify_beside(&assertion, &keys);
        let expectation = Expectation::grant(context.terms(KeyKind::Public), &issuer, keys);
        let verified = context
            .verifier()
            .verify(assertion, &expectation, now)
            .await;
        let keys = expectation.into_keys();
        decision.held(Held {
            usage: Usage::Grant,
            client: issuer.clone(),
            kind: KeyKind::Public,
            keys,
        });
        let verified = verified.map_err(GrantError::Assertion)?;
        decision.used_assertion(&verified);
        let authorization = entitle(context, issuer, verified.subject(), verified.claims()).await?;
        decision.is_about(&authorization.subject);
        Ok(authorization)
    }
}

/// What the claims of an assertion that verified entitle its issuer to, about this subject.
pub(in crate::server) async fn entitle(
    context: &Context,
    issuer: Arc<Client>,
    subject: &SubjectId,
    claims: &Claims,
) -> Result<Authorization, GrantError> {
    let requested = scope_claim(claims)?;
    let authorization = match permission(context, &issuer, subject).await? {
        None => Authorization::for_client(issuer, &GrantType::JWT_BEARER),
        Some((subject, permission)) => {
            Authorization::permitted(issuer, &GrantType::JWT_BEARER, &subject, &permission)
        }
    }?;
    Ok(authorization.requesting(requested))
}

/// RFC 7523 §3 (1): the issuer is a registered, enabled client, and the one that calls. Answers the
/// keys that the assertion may be verified with, too.
async fn issuer(
    context: &Context,
    assertion: &Assertion<'_>,
    caller: &Caller,
    now: UnixTime,
    decision: &mut Decision,
) -> Result<(Arc<Client>, Vec<Candidate>), GrantError> {
    let client = issuing_client(context, assertion, caller, decision).await?;
    let keys = context
        .key_resolver()
        .resolve_keys(&client, KeyKind::Public, assertion.header(), now)
        .await;
    Ok((client, keys.map_err(GrantError::Key)?))
}

/// The client behind `iss`. The names are compared before the
/// registry is asked, so that an answer to a mismatch does not tell who is registered.
async fn issuing_client(
    context: &Context,
    assertion: &Assertion<'_>,
    caller: &Caller,
    decision: &mut Decision,
) -> Result<Arc<Client>, GrantError> {
    let issuer = assertion
        .dangerously_unverified_claims()
        .issuer
        .as_deref()
        .ok_or(GrantError::NoIssuer)?;
    decision.claims_issuer(issuer);
    check_caller(caller, issuer)?;
    let client = context
        .client(issuer)
        .await?
        .ok_or_else(|| GrantError::UnknownIssuer(issuer.into()))?;
    decision.claims_registered_issuer(&client);
    if client.metadata().enabled {
        Ok(client)
    } else {
        Err(GrantError::DisabledIssuer)
    }
}

/// Whoever calls, named, public or authenticated, is the issuer.
fn check_caller(caller: &Caller, issuer: &str) -> Result<(), GrantError> {
    let named = caller
        .client()
        .map(|client| client.id())
        .or(caller.claimed_id());
    match named {
        Some(id) if id.as_str() != issuer && caller.authenticated().is_some() => {
            Err(GrantError::CallerIsNotIssuer {
                caller: id.as_str().into(),
                issuer: issuer.into(),
            })
        }
        Some(id) if id.as_str() != issuer => Err(GrantError::ClientIdMismatch(id.as_str().into())),
        _ => Ok(()),
    }
}

/// A `scope` claim is the requested scope where the form has none, as service-account libraries
/// send it.
fn scope_claim(claims: &Claims) -> Result<Option<Scope>, GrantError> {
    let Some(claim) = claims.other.get("scope") else {
        return Ok(None);
    };
    let malformed = || {
        GrantError::MalformedScopeClaim(
            claim
                .as_str()
                .map_or_else(|| Shown::of(&claim.to_string()), Shown::of),
        )
    };
    let scope = claim
        .as_str()
        .and_then(|text| Scope::parse(text).ok())
        .ok_or_else(malformed)?;
    Ok(if scope.is_empty() { None } else { Some(scope) })
}

/// RFC 7523 §3 (2), RFC 7521 §6.3: the subject is the client, or somebody enabled whom the client
/// may act for. Answers the subject with the permission, unless it is the client.
async fn permission(
    context: &Context,
    client: &Client,
    subject: &SubjectId,
) -> Result<Option<(Subject, Permission)>, GrantError> {
    if subject.as_str() == client.id().as_str() {
        return Ok(None);
    }
    match context.subjects().subject(subject).await? {
        None => Err(GrantError::UnknownSubject(subject.as_str().into())),
        Some(subject) if !subject.enabled => Err(GrantError::DisabledSubject),
        Some(known) => match context
            .permissions()
            .permission(client.id(), subject)
            .await?
        {
            None => Err(GrantError::NoPermission(Shown::known(
                subject.as_str(),
                Shown::MAX_BYTES,
            ))),
            Some(permission) => Ok(Some((known, permission))),
        },
    }
}
