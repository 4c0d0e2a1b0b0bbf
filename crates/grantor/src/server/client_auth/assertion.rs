//! `private_key_jwt` and `client_secret_jwt`: one method over one verifier, told apart by what the
//! client is registered with (RFC 7523 §2.2, §3.2, RFC 10070 §4).

use std::sync::Arc;

use async_trait::async_trait;

use super::{ClientAuthentication, Mechanism};
use crate::{
    assertion::{Assertion, CLIENT_ASSERTION_TYPE, Party, Signed, Usage},
    registry::Client,
    server::{ClientAuthError, Context, Decision, Request, party},
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
        let assertion = Assertion::parse(extract(request)?).map_err(ClientAuthError::Assertion)?;
        let mut signed = None;
        let outcome = client(context, &assertion, decision, &mut signed).await;
        decision.held(Usage::ClientAuthentication, assertion, signed);
        outcome
    }
}

/// The client that signed, and its method. What the assertion is held against is left in `held`.
async fn client(
    context: &Context,
    assertion: &Assertion<'_>,
    decision: &mut Decision,
    held: &mut Option<Signed>,
) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
    let (usage, now) = (Usage::ClientAuthentication, context.now());
    let signed = party::find(context, assertion, usage, None, now, decision).await;
    let signed = &*held.insert(signed?);
    let expectation = context.parties().expectation(signed);
    let verified = context.verifier().verify(assertion, &expectation, now);
    let verified = verified.await.map_err(ClientAuthError::Assertion)?;
    decision.authenticated_by(&verified);
    let Party::Client(client) = signed.party();
    Ok((client.clone(), client.metadata().auth_method.clone()))
}

/// RFC 7521 §4.2: both parameters, and the one type; a half pair is a failed authentication, never
/// none at all.
fn extract(request: &Request) -> Result<&str, ClientAuthError> {
    match request.parameter("client_assertion_type") {
        None => Err(ClientAuthError::IncompletePair("client_assertion_type")),
        Some(CLIENT_ASSERTION_TYPE) => request
            .parameter("client_assertion")
            .ok_or(ClientAuthError::IncompletePair("client_assertion")),
        Some(other) => Err(ClientAuthError::WrongAssertionType(other.into())),
    }
}
