//! `private_key_jwt` and `client_secret_jwt`: one method over one verifier, told apart by what the
//! client is registered with (RFC 7523 §2.2, §3.2, RFC 10070 §4).

use std::sync::Arc;

use async_trait::async_trait;

use super::{ClientAuthentication, Mechanism};
use crate::{
    assertion::{CLIENT_ASSERTION_TYPE, Party},
    registry::Client,
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
        let presented = Presented::client_authentication(extract(request)?);
        let presented = presented.in_parameter("client_assertion");
        let proven = context.verify(presented, decision).await?;
        let Party::Client(client) = proven.party();
        Ok((client.clone(), client.metadata().auth_method.clone()))
    }
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
