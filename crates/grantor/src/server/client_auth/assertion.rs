//! `private_key_jwt` and `client_secret_jwt`: one method over one verifier, told apart by what the
//! client is registered with (RFC 7523 §2.2, §3.2, RFC 10070 §4).

use std::sync::Arc;

use async_trait::async_trait;

use super::{ClientAuthentication, Mechanism};
use crate::{
    assertion::{Assertion, CLIENT_ASSERTION_TYPE, Party, SPIFFE_ASSERTION_TYPE, spiffe_id},
    registry::{Client, Trust},
    server::{ClientAuthError, Context, Decision, Presented, Request},
    types::AuthMethod,
};

/// `private_key_jwt` and `client_secret_jwt`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientAssertion;

static METHODS: [AuthMethod; 2] = [AuthMethod::PRIVATE_KEY_JWT, AuthMethod::CLIENT_SECRET_JWT];

#[async_trait]
impl ClientAuthentication for ClientAssertion {
    fn methods(&self) -> &[AuthMethod] {
        &METHODS
    }

    fn mechanism(&self) -> Mechanism {
        Mechanism::Assertion
    }

    fn is_presented(&self, request: &Request) -> bool {
        request.parameter("client_assertion").is_some()
            || request.parameter("client_assertion_type").is_some()
    }

    async fn authenticate(
        &self,
        context: &Context,
        request: &Request,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
        let (assertion, kind) = extract(request)?;
        // Nothing is used up, nor looked up, for what cannot be of the type.
        if kind == SPIFFE_ASSERTION_TYPE && names_no_workload(assertion) {
            return Err(ClientAuthError::WrongAssertionType(kind.into()));
        }
        let presented = Presented::client_authentication(assertion)
            .naming(request.parameter("client_id"))
            .in_parameter("client_assertion");
        let proven = context.verify(presented, decision).await?;
        let issuer = proven.party().issuer();
        let is_spiffe = issuer.is_some_and(|issuer| issuer.keys.is_spiffe());
        if kind == SPIFFE_ASSERTION_TYPE && !is_spiffe {
            return Err(ClientAuthError::WrongAssertionType(kind.into()));
        }
        let trust = proven.trust().map(|trust| &**trust);
        let client = of_party(context, proven.party(), trust).await?;
        let method = client.metadata().auth_method.clone();
        Ok((client, method))
    }
}

/// Whether a JWT is about anything but a SPIFFE ID, as far as it can be read.
fn names_no_workload(token: &str) -> bool {
    Assertion::parse(token).is_ok_and(|assertion| {
        let subject = assertion.dangerously_unverified_claims().subject.as_deref();
        subject.and_then(spiffe_id).is_none()
    })
}

/// The client that an assertion of this party authenticates: the client that signed it, or the one
/// that a trust lets the JWT of an issuer authenticate. That is registered for it, so that nobody's
/// own key is bypassed.
pub(in crate::server) async fn of_party(
    context: &Context,
    party: &Party,
    trust: Option<&Trust>,
) -> Result<Arc<Client>, ClientAuthError> {
    let trust = match (party, trust) {
        (Party::Client(client), _) => return Ok(client.clone()),
        (Party::Issuer(_), Some(trust)) => trust,
        (Party::Issuer(_), None) => return Err(ClientAuthError::NotFederated),
    };
    let client = context.clients().client(&trust.client).await;
    let client = client.map_err(ClientAuthError::Store)?;
    match client {
        Some(client) if client.metadata().federated => Ok(client),
        Some(_) | None => Err(ClientAuthError::NotFederated),
    }
}

/// RFC 7521 §4.2: both parameters, and the one type; a half pair is a failed authentication, never
/// none at all. Answers the assertion and its type.
fn extract(request: &Request) -> Result<(&str, &str), ClientAuthError> {
    match request.parameter("client_assertion_type") {
        None => Err(ClientAuthError::IncompletePair("client_assertion_type")),
        Some(kind @ (CLIENT_ASSERTION_TYPE | SPIFFE_ASSERTION_TYPE)) => {
            let assertion = request.parameter("client_assertion");
            let assertion = assertion.ok_or(ClientAuthError::IncompletePair("client_assertion"))?;
            Ok((assertion, kind))
        }
        Some(other) => Err(ClientAuthError::WrongAssertionType(other.into())),
    }
}
