//! Explaining an assertion: what the server decided, or would decide, about it, rule by rule.
//!
//! A refusal is explained from what its stage held: nothing is looked up again, later, when it may
//! be different.

mod row;

use std::sync::Arc;

use row::Failing;

use super::{
    AuthorizationServer, ClientAuthError, Context, Decision, GrantError, Refusal, Request,
    TokenError, TrustError, UnprovenAssertion, client_auth, grant, policy, presented,
    trust::{self, Asking},
};
use crate::{
    assertion::{
        Assertion, AssertionError, Broken, CLIENT_AUTHENTICATION_TYP, Expectation, Explanation,
        Held, Known, Party, PartyError, Place, Signed, Tried, Usage,
    },
    clock::UnixTime,
    keys::KeyError,
    registry::Trust,
    storage::StoreError,
    types::{Rule, SubjectId},
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
        self.explain_at(token, usage, self.0.context.now()).await
    }

    /// As [`AuthorizationServer::explain`], as of this time. Who is registered, and which keys there
    /// are, is as it is now.
    ///
    /// # Errors
    /// [`StoreError`] if the registry or the replay guard fails.
    pub async fn explain_at(
        &self,
        token: &str,
        usage: Option<Usage>,
        at: UnixTime,
    ) -> Result<Explanation, StoreError> {
        rehearsed(&self.0.context, token, usage, at).await
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
    let mut seen = Seen::default();
    let outcome = match usage {
        Usage::Grant => grant_rehearsed(context, &assertion, now, &mut seen).await,
        Usage::ClientAuthentication => {
            let outcome = client_auth_rehearsed(context, &assertion, now, &mut seen).await;
            outcome.map_err(TokenError::ClientAuth)
        }
    };
    if let Some(issuer) = seen.party().and_then(Party::issuer) {
        let claims = assertion.dangerously_unverified_claims();
        let asking = Asking::rehearsed(usage);
        // Who tests sees every trust, also where a request was refused before they were asked.
        seen.tried.trusts = trust::all(context, issuer, claims, asking).await?;
        seen.tried.others = 0;
    }
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
        signed: seen.signed,
        change: None,
        is_proven: refused.is_none(),
        tried: seen.tried,
    };
    Ok(table(context, usage, Some(&held), now, refused))
}

/// What was found out about an assertion.
#[derive(Default)]
struct Seen {
    signed: Option<Signed>,
    tried: Tried,
}

impl Seen {
    fn party(&self) -> Option<&Party> {
        self.signed.as_ref().map(Signed::party)
    }
}

/// The way that both uses go together: who signed, whom the assertion is about, and which trust
/// would take it.
async fn proof_rehearsed(
    context: &Context,
    assertion: &Assertion<'_>,
    usage: Usage,
    now: UnixTime,
    seen: &mut Seen,
) -> Result<(Party, SubjectId, Option<Arc<Trust>>), UnprovenAssertion> {
    let parties = context.parties();
    let signed = parties.of(assertion, usage, None, now).await;
    let signed = &*seen.signed.insert(signed?);
    let expectation = parties.expectation(signed);
    let verifier = context.verifier();
    let checked = verifier.check(assertion, &expectation, now)?;
    let claims = assertion.dangerously_unverified_claims();
    let trust = match signed.party() {
        Party::Client(_) => None,
        Party::Issuer(issuer) => {
            let asking = Asking::rehearsed(usage);
            let chosen = trust::choose(context, issuer, claims, asking, &mut seen.tried);
            Some(chosen.await?)
        }
    };
    let subject = verifier.rehearse_claim(assertion, &expectation, checked, now);
    let subject = subject.await?;
    let subject = presented::subject(context, usage, trust.as_deref(), subject, claims).await?;
    Ok((signed.party().clone(), subject, trust))
}

async fn client_auth_rehearsed(
    context: &Context,
    assertion: &Assertion<'_>,
    now: UnixTime,
    seen: &mut Seen,
) -> Result<(), ClientAuthError> {
    let usage = Usage::ClientAuthentication;
    let (party, _, trust) = proof_rehearsed(context, assertion, usage, now, seen).await?;
    let client = client_auth::of_party(context, &party, trust.as_deref()).await?;
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
    seen: &mut Seen,
) -> Result<(), TokenError> {
    let proof = proof_rehearsed(context, assertion, Usage::Grant, now, seen).await;
    let (party, subject, trust) = proof.map_err(GrantError::from)?;
    let claims = assertion.dangerously_unverified_claims();
    let party = (&party, trust.as_deref());
    let authorization = grant::entitle(context, party, &subject, claims).await?;
    policy::approve(context, &Request::blank(now), authorization)?;
    Ok(())
}

/// A storage that fails decides nothing about an assertion.
fn decided(error: TokenError) -> Result<TokenError, StoreError> {
    use PartyError as P;
    match error {
        TokenError::Grant(
            GrantError::Store(error)
            | GrantError::Trust(TrustError::Store(error))
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
            | ClientAuthError::Trust(TrustError::Store(error))
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
        tried: held.map(|held| &held.tried),
        now,
    };
    match refused {
        None => Explanation::accepted(&known),
        Some((broken, cause)) => Explanation::refused(&known, broken, &cause),
    }
}
