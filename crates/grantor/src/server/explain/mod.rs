//! Explaining an assertion: what the server decided, or would decide, about it, rule by rule.
//!
//! A refusal is explained from what its stage held: nothing is looked up again, later, when it may
//! be different.

mod row;

use row::Failing;

use super::{
    AuthorizationServer, ClientAuthError, Context, Decision, GrantError, Refusal, Request,
    TokenError, grant, policy, presented,
};
use crate::{
    assertion::{
        Assertion, AssertionError, Broken, CLIENT_AUTHENTICATION_TYP, Expectation, Explanation,
        Held, Known, Party, PartyError, Place, Signed, Usage,
    },
    clock::UnixTime,
    keys::KeyError,
    storage::StoreError,
    types::Rule,
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
/// refused, if it was one. The row that fails has the rule of the refusal.
pub(super) fn refused(
    context: &Context,
    request: &Request,
    error: TokenError,
    decision: &mut Decision,
) -> Refusal {
    let Some((usage, failing)) = row::of(&error) else {
        return error.into();
    };
    let cause = error.to_string();
    let refusal = Refusal::from(error);
    let held = match decision.looked_at() {
        Some(looked_at) if looked_at == usage => decision.what_held(),
        // One was sent, and not looked at.
        _ if usage == Usage::ClientAuthentication
            && request.parameter("client_assertion").is_some() =>
        {
            None
        }
        _ => return refusal,
    };
    let broken = behind_what_held(failing, held).of_rule(refusal.rule().clone());
    let explanation = table(context, usage, held, decision.at, Some((broken, cause)));
    decision.explained(explanation);
    refusal
}

/// A stage of an extension may refuse for any reason, also when every rule of the assertion held:
/// its row is behind those then.
fn behind_what_held(mut failing: Failing, held: Option<&Held>) -> Failing {
    let first = Place::Before(Rule::Jws);
    if failing.place == first && held.is_some_and(|held| held.is_proven) {
        failing.place = Place::Before(Rule::Subject);
    }
    failing
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
            let broken = row::assertion(&error).of_rule(error.rule());
            let refused = (broken, error.to_string());
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
    let refused = match outcome {
        Ok(()) => None,
        Err(error) => {
            let error = decided(error)?;
            row::of(&error).map(|(_, failing)| {
                let cause = error.to_string();
                let rule = Refusal::from(error).rule().clone();
                (failing.of_rule(rule), cause)
            })
        }
    };
    let held = Held {
        parameter: None,
        said: assertion.into_said(),
        signed,
        change: None,
        is_proven: refused.is_none(),
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
    let expectation = held.and_then(|held| {
        let signed = held.signed.as_ref()?;
        Some(Expectation {
            // The decoys are for the eyes of those who measure time.
            keys: signed.keys(),
            ..presented::expectation(context, signed, held.change)
        })
    });
    let known = Known {
        usage,
        said: held.map(|held| &held.said),
        expectation: expectation.as_ref(),
        now,
    };
    match refused {
        None => Explanation::accepted(&known),
        Some((broken, cause)) => Explanation::refused(&known, broken, &cause),
    }
}
