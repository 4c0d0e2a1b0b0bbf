//! Explaining an assertion: what the server decided, or would decide, about it, rule by rule.
//!
//! A refusal is explained from what its stage held: nothing is looked up again, later, when it may
//! be different.

mod row;

use super::{
    AuthorizationServer, ClientAuthError, Context, Decision, GrantError, Refusal, Request,
    TokenError, grant, policy,
};
use crate::{
    assertion::{
        Assertion, AssertionError, Broken, CLIENT_AUTHENTICATION_TYP, Expectation, Explanation,
        Held, Known, Party, PartyError, Signed, Usage,
    },
    clock::UnixTime,
    keys::KeyError,
    storage::StoreError,
    types::GrantType,
};

impl AuthorizationServer {
    /// What the server would decide about this assertion now, and why. Claims no `jti`. Without a
    /// `usage` the header's `typ` tells: client authentication if it says so, else a grant, of
    /// which subject, permission and scope are part.
    ///
    /// # Errors
    /// [`StoreError`] if the registry or the replay guard fails.
    pub async fn explain(
        &self,
        token: &str,
        usage: Option<Usage>,
    ) -> Result<Explanation, StoreError> {
        let context = &self.0.context;
        rehearsed(context, token, usage, context.now()).await
    }
}

/// Makes the refusal of a request. The decision is told the explanation of the assertion that was
/// refused, if it was one.
pub(super) fn refused(
    context: &Context,
    request: &Request,
    error: TokenError,
    decision: &mut Decision,
) -> Refusal {
    if let Some(explanation) = explanation(context, request, &error, decision) {
        decision.explained(explanation);
    }
    error.into()
}

/// Explains the assertion that a request was refused for; `None` if the request was refused for
/// something else.
fn explanation(
    context: &Context,
    request: &Request,
    error: &TokenError,
    decision: &Decision,
) -> Option<Explanation> {
    let (usage, broken) = row::of(error)?;
    let held = decision.what_held(usage);
    let parameter = match usage {
        Usage::ClientAuthentication => "client_assertion",
        Usage::Grant if decision.grant_type != Some(GrantType::JWT_BEARER) => return None,
        Usage::Grant => "assertion",
    };
    request.parameter(parameter)?;
    let refused = (broken, error.to_string());
    Some(table(context, usage, held, decision.at, Some(refused)))
}

/// What the server would decide: goes the way of a request with this assertion and nothing else in
/// it.
async fn rehearsed(
    context: &Context,
    token: &str,
    usage: Option<Usage>,
    now: UnixTime,
) -> Result<Explanation, StoreError> {
    let assertion = match Assertion::parse(token) {
        Ok(assertion) => assertion,
        Err(error) => {
            let refused = (row::assertion(&error), error.to_string());
            let usage = usage.unwrap_or(Usage::Grant);
            return Ok(table(context, usage, None, now, Some(refused)));
        }
    };
    let usage =
        usage.unwrap_or_else(
            || match assertion.header().typ_is(CLIENT_AUTHENTICATION_TYP) {
                true => Usage::ClientAuthentication,
                false => Usage::Grant,
            },
        );
    let mut signed = None;
    let outcome = match usage {
        Usage::Grant => grant_rehearsed(context, &assertion, now, &mut signed).await,
        Usage::ClientAuthentication => {
            let outcome = client_auth_rehearsed(context, &assertion, now, &mut signed).await;
            outcome.map_err(TokenError::ClientAuth)
        }
    };
    let held = Held::new(usage, assertion, signed);
    let refused = match outcome {
        Ok(()) => None,
        Err(error) => {
            let error = decided(error)?;
            row::of(&error).map(|(_, broken)| (broken, error.to_string()))
        }
    };
    Ok(table(context, usage, Some(&held), now, refused))
}

async fn client_auth_rehearsed(
    context: &Context,
    assertion: &Assertion<'_>,
    now: UnixTime,
    held: &mut Option<Signed>,
) -> Result<(), ClientAuthError> {
    let parties = context.parties();
    let signed = parties.of(assertion, Usage::ClientAuthentication, None, now);
    let signed = &*held.insert(signed.await?);
    let expectation = parties.expectation(signed);
    let verifier = context.verifier();
    let verified = verifier.rehearse(assertion, &expectation, now).await;
    verified.map_err(ClientAuthError::Assertion)?;
    let Party::Client(client) = signed.party();
    let method = &client.metadata().auth_method;
    match context.settings().profile.accepts_method(method) {
        true => Ok(()),
        false => Err(ClientAuthError::MethodNotAccepted(method.clone())),
    }
}

async fn grant_rehearsed(
    context: &Context,
    assertion: &Assertion<'_>,
    now: UnixTime,
    held: &mut Option<Signed>,
) -> Result<(), TokenError> {
    let parties = context.parties();
    let signed = parties.of(assertion, Usage::Grant, None, now).await;
    let signed = &*held.insert(signed.map_err(GrantError::from)?);
    let expectation = parties.expectation(signed);
    let verifier = context.verifier();
    let subject = verifier.rehearse(assertion, &expectation, now).await;
    let subject = subject.map_err(GrantError::Assertion)?;
    let claims = assertion.dangerously_unverified_claims();
    let authorization = grant::entitle(context, signed.party(), &subject, claims).await?;
    policy::approve(context, &Request::blank(now), authorization)?;
    Ok(())
}

/// A storage that fails decides nothing about an assertion.
fn decided(error: TokenError) -> Result<TokenError, StoreError> {
    use PartyError as P;
    match error {
        TokenError::Grant(
            GrantError::Store(error)
            | GrantError::Assertion(AssertionError::Store(error))
            | GrantError::Party(
                P::Store(error)
                | P::Key {
                    error: KeyError::Store(error),
                    ..
                },
            ),
        )
        | TokenError::ClientAuth(
            ClientAuthError::Store(error)
            | ClientAuthError::Assertion(AssertionError::Store(error))
            | ClientAuthError::Party(
                P::Store(error)
                | P::Key {
                    error: KeyError::Store(error),
                    ..
                },
            ),
        ) => Err(error),
        error => Ok(error),
    }
}

/// Writes the table of an assertion, from what was held of it.
fn table(
    context: &Context,
    usage: Usage,
    held: Option<&Held>,
    now: UnixTime,
    refused: Option<(Broken, String)>,
) -> Explanation {
    let signed = held.and_then(|held| held.signed());
    let expectation = signed.map(|signed| Expectation {
        // The decoys are for the eyes of those who measure time.
        keys: signed.keys(),
        ..context.parties().expectation(signed)
    });
    let known = Known {
        usage,
        said: held.map(Held::said),
        expectation: expectation.as_ref(),
        now,
    };
    match refused {
        None => Explanation::accepted(&known),
        Some((broken, cause)) => Explanation::refused(&known, broken, &cause),
    }
}
