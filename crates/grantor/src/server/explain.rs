//! Explaining an assertion: what the server would decide about it, rule by rule, without using it up.

use std::sync::Arc;

use super::{AuthorizationServer, Context, TokenError, TokenForm};
use crate::{
    assertion::{Assertion, AssertionError, CLIENT_AUTHENTICATION_TYP, Expectation, Explanation, Known, Usage},
    clock::UnixTime,
    keys::{Candidate, KeyError, KeyKind},
    storage::{Client, StoreError},
};

impl AuthorizationServer {
    /// What the server would decide about this assertion now, and why. Claims no `jti`. Without a `usage` the header's `typ` tells:
    /// client authentication if it says so, else a grant. Subject, permission and scope are not part of it.
    ///
    /// # Errors
    /// [`StoreError`] if the registry or the replay guard fails.
    pub async fn explain(&self, token: &str, usage: Option<Usage>) -> Result<Explanation, StoreError> {
        let context = &self.0.line.context;
        explain(context, token, usage, context.now(), None).await
    }
}

/// Explains the assertion that a request was refused for, as it stood when the request was read; `None` if the request was refused
/// for something else, or the registry fails now.
pub(super) async fn refusal(
    context: &Context,
    form: &TokenForm,
    error: &TokenError,
    decided_at: UnixTime,
) -> Option<Explanation> {
    let (usage, parameter) = match error {
        TokenError::ClientAuth(_) => (Usage::ClientAuthentication, "client_assertion"),
        TokenError::Grant(error) if error.is_about_assertion() => (Usage::Grant, "assertion"),
        _ => return None,
    };
    let token = form.parameter(parameter)?;
    explain(context, token, Some(usage), decided_at, Some((error.rule(), error.to_string()))).await.ok()
}

/// `decided` is the broken rule and its cause where the server has decided already; else the assertion is rehearsed.
async fn explain(
    context: &Context,
    token: &str,
    usage: Option<Usage>,
    now: UnixTime,
    decided: Option<(&str, String)>,
) -> Result<Explanation, StoreError> {
    let lifetimes = context.verifier().lifetimes();
    let mut known = Known { usage: usage.unwrap_or(Usage::Grant), assertion: None, expectation: None, lifetimes, now };
    let assertion = match Assertion::parse(token) {
        Ok(assertion) => assertion,
        Err(error) => return Ok(Explanation::refused(&known, error.rule(), error.to_string())),
    };
    if usage.is_none() && assertion.header().typ_is(CLIENT_AUTHENTICATION_TYP) {
        known.usage = Usage::ClientAuthentication;
    }
    known.assertion = Some(&assertion);
    let (client, kind, keys) = match party(context, &assertion, known.usage, now).await? {
        Ok(party) => party,
        Err((rule, cause)) => return Ok(Explanation::refused(&known, rule, cause)),
    };
    let terms = context.terms(kind);
    let expectation = match known.usage {
        Usage::Grant => Expectation::grant(terms, &client, keys),
        Usage::ClientAuthentication => Expectation::client_authentication(terms, &client, keys),
    };
    known.expectation = Some(&expectation);
    if let Some((rule, cause)) = decided {
        return Ok(Explanation::refused(&known, rule, cause));
    }
    match context.verifier().rehearse(&assertion, &expectation, now).await {
        Ok(()) => Ok(Explanation::accepted(&known)),
        Err(AssertionError::Store(error)) => Err(error),
        Err(error) => Ok(Explanation::refused(&known, error.rule(), error.to_string())),
    }
}

/// Who issued an assertion, and what it may be verified with; else the broken rule and its cause.
type Party = Result<(Arc<Client>, KeyKind, Vec<Candidate>), (&'static str, String)>;

async fn party(context: &Context, assertion: &Assertion<'_>, usage: Usage, now: UnixTime) -> Result<Party, StoreError> {
    let Some(issuer) = assertion.dangerously_unverified_claims().issuer.as_deref() else {
        return Ok(Err(("issuer", "claim 'iss' is missing".to_owned())));
    };
    let client = match context.client(issuer).await? {
        None => return Ok(Err(("issuer", format!("no client {issuer:?} is registered")))),
        Some(client) if !client.metadata().enabled => return Ok(Err(("issuer", "the client is disabled".to_owned()))),
        Some(client) => client,
    };
    let Some(kind) = key_kind(&client, usage) else {
        let method = &client.metadata().auth_method;
        return Ok(Err(("method", format!("the client authenticates with {method}, not with an assertion"))));
    };
    match context.key_resolver().resolve_keys(&client, kind, assertion.header(), now).await {
        Ok(keys) => Ok(Ok((client, kind, keys))),
        Err(KeyError::Store(error)) => Err(error),
        Err(error) => Ok(Err(("key", error.to_string()))),
    }
}

/// Which keys an assertion of this client is verified with; `None` if the client does not authenticate with assertions.
fn key_kind(client: &Client, usage: Usage) -> Option<KeyKind> {
    match usage {
        Usage::Grant => Some(KeyKind::Public),
        Usage::ClientAuthentication => KeyKind::of_method(&client.metadata().auth_method),
    }
}
