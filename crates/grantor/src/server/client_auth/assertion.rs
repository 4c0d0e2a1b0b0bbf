//! `private_key_jwt` and `client_secret_jwt`: one method over one verifier, told apart by what the
//! client is registered with (RFC 7523 §2.2, §3.2, RFC 10070 §4).

use std::sync::Arc;

use async_trait::async_trait;

use super::{ClientAuthentication, Mechanism, registered};
use crate::{
    assertion::{Assertion, CLIENT_ASSERTION_TYPE, Expectation, Usage},
    clock::UnixTime,
    keys::{Candidate, KeyKind},
    registry::Client,
    server::{ClientAuthError, Context, Decision, TokenForm, audit::Held},
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

    fn is_presented(&self, form: &TokenForm) -> bool {
        form.parameter("client_assertion").is_some()
            || form.parameter("client_assertion_type").is_some()
    }

    async fn authenticate(
        &self,
        context: &Context,
        form: &TokenForm,
        decision: &mut Decision,
    ) -> Result<(Arc<Client>, AuthMethod), ClientAuthError> {
        let assertion = Assertion::parse(extract(form)?).map_err(ClientAuthError::Assertion)?;
        let issuer = assertion
            .dangerously_unverified_claims()
            .issuer
            .as_deref()
            .ok_or(ClientAuthError::NoIssuer)?;
        decision.claims_client(issuer);
        let now = context.now();
        let (client, kind, mut keys) = match party(context, issuer, &assertion, now, decision).await
        {
            Ok(party) => party,
            Err(error) => {
                // Whether the party is unknown, disabled or without this key must not show in the
                // time it takes.
                context.decoys().verify(&assertion);
                return Err(error);
            }
        };
        context.decoys().verify_beside(&assertion, &keys);
        let own = keys.len();
        if kind == KeyKind::Secret {
            context.decoys().fill(&mut keys);
        }
        let expectation = Expectation::client_authentication(context.terms(kind), &client, keys);
        let verified = context
            .verifier()
            .verify(assertion, &expectation, now)
            .await;
        let mut keys = expectation.into_keys();
        keys.truncate(own);
        decision.held(Held {
            usage: Usage::ClientAuthentication,
            client: client.clone(),
            kind,
            keys,
        });
        let verified = verified.map_err(ClientAuthError::Assertion)?;
        decision.authenticated_by(&verified);
        let method = client.metadata().auth_method.clone();
        Ok((client, method))
    }
}

/// The client that the assertion claims, and the keys it may be verified with.
async fn party(
    context: &Context,
    issuer: &str,
    assertion: &Assertion<'_>,
    now: UnixTime,
    decision: &mut Decision,
) -> Result<(Arc<Client>, KeyKind, Vec<Candidate>), ClientAuthError> {
    let client = registered(context, issuer, &METHODS, decision).await?;
    let method = &client.metadata().auth_method;
    let kind = KeyKind::of_method(method)
        .ok_or_else(|| ClientAuthError::MethodNotAccepted(method.clone()))?;
    let keys = context
        .key_resolver()
        .resolve_keys(&client, kind, assertion.header(), now)
        .await;
    Ok((client, kind, keys.map_err(ClientAuthError::Key)?))
}

/// RFC 7521 §4.2: both parameters, and the one type; a half pair is a failed authentication, never
/// none at all.
fn extract(form: &TokenForm) -> Result<&str, ClientAuthError> {
    match form.parameter("client_assertion_type") {
        None => Err(ClientAuthError::IncompletePair("client_assertion_type")),
        Some(CLIENT_ASSERTION_TYPE) => form
            .parameter("client_assertion")
            .ok_or(ClientAuthError::IncompletePair("client_assertion")),
        Some(other) => Err(ClientAuthError::WrongAssertionType(other.into())),
    }
}
