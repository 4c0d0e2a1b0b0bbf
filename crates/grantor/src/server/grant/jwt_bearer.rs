//! `urn:ietf:params:oauth:grant-type:jwt-bearer`: a JWT is presented that a registered client has
//! signed with its own key, or an issuer that one of our trusts takes it from (RFC 7523 §2.1, §3.1).
//! Of a client the subject is the client itself, or somebody it holds a permission for; of an issuer
//! whom the trust says.

use std::sync::Arc;

use async_trait::async_trait;
use grantor_jose::Claims;

use super::{Authorization, ClientAuthRequirement, Grant};
use crate::{
    assertion::{AssertionError, Party, PartyError, signed_part},
    registry::{Client, ConsentPolicy, Trust, TrustedIssuer},
    server::{
        Caller, Context, Decision, GrantError, Presented, Request, TrustError, UnprovenAssertion,
        power::Power,
    },
    types::{GrantType, Scope, Shown, SubjectId},
};

/// The JWT bearer grant, a client or an issuer having signed.
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
        request: &Request,
        caller: &Caller,
        decision: &mut Decision,
    ) -> Result<Authorization, GrantError> {
        let assertion = request.required("assertion")?;
        // One JWT is one use, also where it may be used again, and with whatever signature: one of
        // ECDSA can be rewritten by anybody.
        let other = request.parameter("client_assertion");
        if other.is_some_and(|other| signed_part(other) == signed_part(assertion)) {
            return Err(GrantError::Assertion(AssertionError::Replayed));
        }
        let presented = Presented::grant(assertion, caller).in_parameter("assertion");
        let proven = context.verify(presented, decision).await;
        let proven = proven.map_err(|error| refused(error, caller))?;
        let (party, subject, claims) = (proven.party(), proven.subject(), proven.claims());
        let trust = proven.trust().map(|trust| &**trust);
        let authorization = entitle(context, (party, trust), subject, claims).await?;
        if authorization.is_about_somebody_known() {
            decision.is_about(&authorization.subject);
        }
        Ok(authorization)
    }
}

/// RFC 7523 §3 (1): the issuer is a registered, enabled party, and the one that calls, be it named
/// only, public or authenticated.
fn refused(error: UnprovenAssertion, caller: &Caller) -> GrantError {
    match error {
        UnprovenAssertion::Party(PartyError::NotCaller {
            caller: got,
            issuer: expected,
        }) if caller.authenticated().is_none() => GrantError::ClientIdMismatch { expected, got },
        error => error.into(),
    }
}

/// What the claims of an assertion that verified entitle its issuer to, about this subject.
pub(in crate::server) async fn entitle(
    context: &Context,
    (party, trust): (&Party, Option<&Trust>),
    subject: &SubjectId,
    claims: &Claims,
) -> Result<Authorization, GrantError> {
    let issuer = match (party, trust) {
        (Party::Client(client), _) => client,
        (Party::Issuer(issuer), Some(trust)) => {
            let entitled = entitle_by_trust(context, issuer, trust, subject, claims);
            return Box::pin(entitled).await;
        }
        // Law 11: a JWT of an issuer proves nothing by itself.
        (Party::Issuer(_), None) => {
            return Err(GrantError::Trust(TrustError::NotTaken(None)));
        }
    };
    let requested = scope_claim(claims)?;
    let grant = &GrantType::JWT_BEARER;
    if subject.as_str() == issuer.id().as_str() {
        let authorization = Authorization::for_client(issuer.clone(), grant)?;
        let power = Power::of_client(issuer);
        return Ok(authorization.with_power(power).requesting(requested));
    }
    let asks = issuer.metadata().consent == ConsentPolicy::Ask && context.has_consent_page();
    let authorization = match permission(context, issuer, subject).await {
        // All these are answered alike, behind every other rule, so that nothing is learnt of
        // people who were not asked.
        Err(reason) if asks && is_lack_of_consent(&reason) => {
            Authorization::lacking_consent(issuer.clone(), grant, subject.clone(), reason)?
        }
        Ok(authorization) if asks => authorization.asking_for_more(),
        permitted => permitted?,
    };
    Ok(authorization.requesting(requested))
}

/// What a trust entitles its client to, about the subject that it found. A scope that the JWT names
/// neither asks for anything nor grants it.
async fn entitle_by_trust(
    context: &Context,
    issuer: &TrustedIssuer,
    trust: &Trust,
    subject: &SubjectId,
    claims: &Claims,
) -> Result<Authorization, GrantError> {
    let client = context.clients().client(&trust.client).await?;
    let client = client.filter(|client| client.metadata().enabled);
    let client = client.ok_or_else(|| {
        GrantError::DisabledTrustClient(Shown::known(trust.client.as_str(), Shown::MAX_BYTES))
    })?;
    let authorization = match trust.subject.is_existing() {
        true => permission(context, &client, subject).await?,
        false => {
            // Whom a trust maps is nobody registered, and has no role: the trust speaks for it.
            let (grant, subject) = (&GrantType::JWT_BEARER, subject.clone());
            let power = Power::of_client(&client);
            Authorization::for_subject(client, grant, subject, None)?.with_power(power)
        }
    };
    Ok(authorization.under(issuer, trust, claims))
}

fn is_lack_of_consent(error: &GrantError) -> bool {
    matches!(
        error,
        GrantError::UnknownSubject(_) | GrantError::DisabledSubject | GrantError::NoPermission(_)
    )
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

/// RFC 7523 §3 (2), RFC 7521 §6.3: the subject is somebody enabled whom the client may act for, by
/// this grant, now.
async fn permission(
    context: &Context,
    client: &Arc<Client>,
    subject: &SubjectId,
) -> Result<Authorization, GrantError> {
    let known = match context.subjects().subject(subject).await? {
        None => return Err(GrantError::UnknownSubject(subject.as_str().into())),
        Some(subject) if !subject.enabled => return Err(GrantError::DisabledSubject),
        Some(known) => known,
    };
    let permissions = context.permissions_of(client, subject).await?;
    match permissions.covering(&GrantType::JWT_BEARER, context.now()) {
        Some(limit) => {
            let grant = &GrantType::JWT_BEARER;
            let power = Power::of_client(client).permitted(&limit);
            let power = power.of_subject(context, subject).await?;
            let permitted = Authorization::permitted(client.clone(), grant, &known, &limit)?;
            Ok(permitted.with_power(power))
        }
        None => Err(GrantError::NoPermission(Shown::known(
            subject.as_str(),
            Shown::MAX_BYTES,
        ))),
    }
}
