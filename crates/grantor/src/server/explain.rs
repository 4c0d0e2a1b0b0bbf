//! Explaining an assertion: what the server decided, or would decide, about it, rule by rule.
//!
//! A refusal is explained from what its stage held: nothing is looked up again, later, when it may
//! be different.

use super::{
    AuthorizationServer, ClientAuthError, Context, Decision, GrantError, IssueError, PolicyError,
    Refusal, TokenError, TokenForm, grant, policy,
};
use crate::{
    assertion::{
        Assertion, AssertionError, Broken, CLIENT_AUTHENTICATION_TYP, Expectation, Explanation,
        Held, Known, Party, Signed, Usage,
    },
    clock::UnixTime,
    keys::KeyError,
    storage::StoreError,
    types::{GrantType, Rule},
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
        let context = &self.0.line.context;
        rehearsed(context, token, usage, context.now()).await
    }
}

/// Makes the refusal of a request. The decision is told the explanation of the assertion that was
/// refused, if it was one.
pub(super) fn refused(
    context: &Context,
    form: &TokenForm,
    error: TokenError,
    decision: &mut Decision,
) -> Refusal {
    if let Some(explanation) = explanation(context, form, &error, decision) {
        decision.explained(explanation);
    }
    error.into()
}

/// Explains the assertion that a request was refused for; `None` if the request was refused for
/// something else.
fn explanation(
    context: &Context,
    form: &TokenForm,
    error: &TokenError,
    decision: &Decision,
) -> Option<Explanation> {
    let usage = usage_of(error)?;
    let held = decision.what_held(usage);
    let parameter = match usage {
        Usage::ClientAuthentication => "client_assertion",
        Usage::Grant if decision.grant_type != Some(GrantType::JWT_BEARER) => return None,
        Usage::Grant => "assertion",
    };
    form.parameter(parameter)?;
    let refused = (broken(error, held)?, error.to_string());
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
            let refused = (assertion_rule(&error), error.to_string());
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
            broken(&error, Some(&held)).map(|broken| (broken, error.to_string()))
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
    policy::approve(context, &TokenForm::default(), authorization)?;
    Ok(())
}

/// A storage that fails decides nothing about an assertion.
fn decided(error: TokenError) -> Result<TokenError, StoreError> {
    match error {
        TokenError::Grant(
            GrantError::Store(error)
            | GrantError::Key(KeyError::Store(error))
            | GrantError::Assertion(AssertionError::Store(error)),
        )
        | TokenError::ClientAuth(
            ClientAuthError::Store(error)
            | ClientAuthError::Key(KeyError::Store(error))
            | ClientAuthError::Assertion(AssertionError::Store(error)),
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

/// Which assertion of a request an error is about, if it is about one.
fn usage_of(error: &TokenError) -> Option<Usage> {
    match error {
        TokenError::ClientAuth(_) => Some(Usage::ClientAuthentication),
        TokenError::Grant(_) | TokenError::Policy(_) | TokenError::Issue(_) => Some(Usage::Grant),
        TokenError::Form(_) => None,
    }
}

/// The row that fails.
fn broken(error: &TokenError, held: Option<&Held>) -> Option<Broken> {
    match error {
        TokenError::ClientAuth(error) => Some(client_auth_rule(error)),
        TokenError::Grant(error) => Some(grant_rule(error, held)),
        TokenError::Policy(error) => Some(policy_rule(error)),
        TokenError::Issue(error) => Some(issue_rule(error)),
        TokenError::Form(_) => None,
    }
}

/// The row behind all: every rule of the assertion held, and yet there is no token.
fn issue_rule(error: &IssueError) -> Broken {
    let rule = match error {
        IssueError::Signing(_) | IssueError::OverQuota(_) => Rule::Issue,
        IssueError::Store(_) => Rule::Storage,
    };
    Broken::Beside { rule, before: None }
}

/// The row that fails where client authentication was refused.
fn client_auth_rule(error: &ClientAuthError) -> Broken {
    match error {
        ClientAuthError::Missing
        | ClientAuthError::SeveralMechanisms
        | ClientAuthError::SeveralMechanismsWithAssertion
        | ClientAuthError::NotOffered
        | ClientAuthError::UnreadableHeader(_)
        | ClientAuthError::IncompletePair(_)
        | ClientAuthError::WrongAssertionType(_) => Broken::Beside {
            rule: Rule::Client,
            before: Some(Rule::Jws),
        },
        ClientAuthError::NoIssuer
        | ClientAuthError::UnknownClient(_)
        | ClientAuthError::DisabledClient => Broken::Rule(Rule::Issuer),
        ClientAuthError::Store(_) => Broken::Beside {
            rule: Rule::Storage,
            before: Some(Rule::Issuer),
        },
        ClientAuthError::WrongMethod { .. } => Broken::Rule(Rule::Method),
        ClientAuthError::Key(error) => key_rule(error),
        ClientAuthError::Assertion(error) => assertion_rule(error),
        ClientAuthError::ClientIdMismatch(_)
        | ClientAuthError::MethodNotAccepted(_)
        | ClientAuthError::Refused(_)
        | ClientAuthError::WrongSecret
        | ClientAuthError::OverlongSecret => Broken::Beside {
            rule: Rule::Client,
            before: None,
        },
    }
}

/// The row that fails where a grant was refused; what is held, if the issuer and its keys had been
/// found.
fn grant_rule(error: &GrantError, held: Option<&Held>) -> Broken {
    match error {
        GrantError::Form(_) => Broken::Beside {
            rule: Rule::Form,
            before: Some(Rule::Jws),
        },
        GrantError::ClientIdMismatch(_) | GrantError::CallerIsNotIssuer { .. } => Broken::Beside {
            rule: Rule::Caller,
            before: Some(Rule::Issuer),
        },
        GrantError::NoIssuer | GrantError::UnknownIssuer(_) | GrantError::DisabledIssuer => {
            Broken::Rule(Rule::Issuer)
        }
        GrantError::Key(error) => key_rule(error),
        GrantError::Assertion(error) => assertion_rule(error),
        GrantError::MalformedScopeClaim(_) => Broken::Beside {
            rule: Rule::ScopeClaim,
            before: Some(Rule::Subject),
        },
        GrantError::UnknownSubject(_) | GrantError::DisabledSubject => Broken::Rule(Rule::Subject),
        GrantError::NoPermission(_) => Broken::Rule(Rule::Permission),
        GrantError::NotAllowed | GrantError::Refused(_) => Broken::Rule(Rule::Grant),
        GrantError::Store(_) => Broken::Beside {
            rule: Rule::Storage,
            before: Some(match held.and_then(Held::signed) {
                None => Rule::Issuer,
                Some(_) => Rule::Subject,
            }),
        },
    }
}

fn policy_rule(error: &PolicyError) -> Broken {
    match error {
        PolicyError::MalformedScope(_) | PolicyError::ScopeTooWide { .. } => {
            Broken::Rule(Rule::Scope)
        }
        PolicyError::UnknownResource(_) | PolicyError::SeveralResources => Broken::Beside {
            rule: Rule::Resource,
            before: Some(Rule::Scope),
        },
    }
}

fn key_rule(error: &KeyError) -> Broken {
    match error {
        KeyError::Store(_) => Broken::Beside {
            rule: Rule::Storage,
            before: Some(Rule::Key),
        },
        KeyError::UnknownKeyId
        | KeyError::NoKeyForAlgorithm(_)
        | KeyError::KeyExpired { .. }
        | KeyError::KeyUnusable { .. }
        | KeyError::SecretExpired => Broken::Rule(Rule::Key),
    }
}

/// The row of a rule has the name of the rule.
fn assertion_rule(error: &AssertionError) -> Broken {
    match error {
        AssertionError::Store(_) => Broken::Beside {
            rule: error.rule(),
            before: Some(Rule::Replay),
        },
        AssertionError::BeforeFence(_) => Broken::Beside {
            rule: error.rule(),
            before: Some(Rule::Replay),
        },
        AssertionError::OverQuota(_) => Broken::Beside {
            rule: error.rule(),
            before: Some(Rule::Subject),
        },
        AssertionError::Jws(_)
        | AssertionError::Claims(_)
        | AssertionError::WrongAlgorithm { .. }
        | AssertionError::WrongType { .. }
        | AssertionError::MissingClaim(_)
        | AssertionError::MalformedClaim { .. }
        | AssertionError::WrongIssuer { .. }
        | AssertionError::WrongSubject { .. }
        | AssertionError::WrongAudience { .. }
        | AssertionError::AudienceArray
        | AssertionError::Expired { .. }
        | AssertionError::ExpiresTooLate { .. }
        | AssertionError::NotYetValid { .. }
        | AssertionError::IssuedInFuture { .. }
        | AssertionError::TooOld { .. }
        | AssertionError::EndsBeforeStart(_)
        | AssertionError::Replayed => Broken::Rule(error.rule()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use grantor_jose::{Algorithm, ClaimsError, JsonError, JwkError, JwsError};

    use super::*;
    use crate::{
        assertion::Verdict,
        keys::KeySource,
        server::{FormError, IssueError},
        types::{AuthMethod, ErrorCode, Shown},
    };

    /// The rule of the one row that fails.
    fn failing_row(usage: Usage, broken: Broken) -> Rule {
        let known = Known {
            usage,
            said: None,
            expectation: None,
            now: UnixTime::from_millis(0),
        };
        let explanation = Explanation::refused(&known, broken.clone(), "a cause");
        let verdicts: Vec<_> = explanation
            .checks
            .iter()
            .map(|check| check.verdict)
            .collect();
        let failed = verdicts
            .iter()
            .position(|verdict| *verdict == Verdict::Fail)
            .expect("a row fails");
        assert!(
            verdicts[..failed]
                .iter()
                .all(|verdict| *verdict == Verdict::Pass),
            "{broken:?}: {verdicts:?}"
        );
        assert!(
            verdicts[failed + 1..]
                .iter()
                .all(|verdict| *verdict == Verdict::NotReached),
            "{broken:?}: {verdicts:?}"
        );
        explanation.checks[failed].rule.clone()
    }

    fn store() -> StoreError {
        StoreError::Unavailable("away".into())
    }

    fn key_errors() -> Vec<(KeyError, Rule)> {
        vec![
            (KeyError::UnknownKeyId, Rule::Key),
            (KeyError::NoKeyForAlgorithm(Algorithm::Es256), Rule::Key),
            (
                KeyError::KeyExpired {
                    source_of_key: KeySource::Registered(0),
                    seconds_ago: 1,
                },
                Rule::Key,
            ),
            (
                KeyError::KeyUnusable {
                    source_of_key: KeySource::Registered(0),
                    error: JwkError::Point,
                },
                Rule::Key,
            ),
            (KeyError::SecretExpired, Rule::Key),
            (KeyError::Store(store()), Rule::Storage),
        ]
    }

    fn assertion_errors() -> Vec<(AssertionError, Rule)> {
        let got = || Shown::of("x");
        vec![
            (AssertionError::Jws(JwsError::Segments), Rule::Jws),
            (AssertionError::Jws(JwsError::Signature), Rule::Signature),
            (
                AssertionError::Jws(JwsError::AlgorithmNotForKey(Algorithm::Es256)),
                Rule::Algorithm,
            ),
            (
                AssertionError::Claims(ClaimsError::Json(JsonError::Syntax)),
                Rule::Claims,
            ),
            (
                AssertionError::WrongAlgorithm {
                    expected: String::new(),
                    got: Algorithm::Es256,
                },
                Rule::Algorithm,
            ),
            (
                AssertionError::WrongType {
                    expected: Vec::new(),
                    got: got(),
                },
                Rule::Type,
            ),
            (AssertionError::MissingClaim(Rule::TokenId), Rule::TokenId),
            (
                AssertionError::MalformedClaim {
                    claim: Rule::SubjectClaim,
                    error: String::new(),
                },
                Rule::SubjectClaim,
            ),
            (
                AssertionError::WrongIssuer {
                    expected: got(),
                    got: got(),
                },
                Rule::IssuerClaim,
            ),
            (
                AssertionError::WrongSubject {
                    expected: got(),
                    got: got(),
                },
                Rule::SubjectClaim,
            ),
            (
                AssertionError::WrongAudience {
                    expected: Vec::new(),
                    got: got(),
                },
                Rule::Audience,
            ),
            (AssertionError::AudienceArray, Rule::Audience),
            (AssertionError::Expired { seconds_ago: 1.0 }, Rule::Expiry),
            (
                AssertionError::ExpiresTooLate {
                    seconds_ahead: 1.0,
                    maximum: 1,
                },
                Rule::Expiry,
            ),
            (
                AssertionError::NotYetValid { seconds_ahead: 1.0 },
                Rule::NotBefore,
            ),
            (
                AssertionError::IssuedInFuture { seconds_ahead: 1.0 },
                Rule::IssuedAt,
            ),
            (
                AssertionError::TooOld {
                    seconds: 1.0,
                    maximum: 1,
                },
                Rule::IssuedAt,
            ),
            (AssertionError::EndsBeforeStart("iat"), Rule::Expiry),
            (AssertionError::Replayed, Rule::Replay),
            (AssertionError::BeforeFence(Duration::ZERO), Rule::Fence),
            (AssertionError::OverQuota(1), Rule::ReplayQuota),
            (AssertionError::Store(store()), Rule::Storage),
        ]
    }

    #[test]
    fn every_refusal_of_client_authentication_has_one_failing_row() {
        let got = || Shown::of("x");
        let method = || AuthMethod::NONE;
        let own = [
            (ClientAuthError::Missing, Rule::Client),
            (ClientAuthError::SeveralMechanisms, Rule::Client),
            (
                ClientAuthError::SeveralMechanismsWithAssertion,
                Rule::Client,
            ),
            (ClientAuthError::NotOffered, Rule::Client),
            (ClientAuthError::UnreadableHeader("why"), Rule::Client),
            (ClientAuthError::IncompletePair("client_id"), Rule::Client),
            (ClientAuthError::WrongAssertionType(got()), Rule::Client),
            (ClientAuthError::ClientIdMismatch(got()), Rule::Client),
            (ClientAuthError::NoIssuer, Rule::Issuer),
            (ClientAuthError::UnknownClient(got()), Rule::Issuer),
            (ClientAuthError::DisabledClient, Rule::Issuer),
            (
                ClientAuthError::WrongMethod {
                    expected: method(),
                    got: method(),
                },
                Rule::Method,
            ),
            (ClientAuthError::MethodNotAccepted(method()), Rule::Client),
            (ClientAuthError::WrongSecret, Rule::Client),
            (ClientAuthError::OverlongSecret, Rule::Client),
            (
                ClientAuthError::Refused(Refusal::invalid_grant("why")),
                Rule::Client,
            ),
            (ClientAuthError::Store(store()), Rule::Storage),
        ];
        let keys = key_errors()
            .into_iter()
            .map(|(error, row)| (ClientAuthError::Key(error), row));
        let assertions = assertion_errors()
            .into_iter()
            .map(|(error, row)| (ClientAuthError::Assertion(error), row));
        for (error, row) in own.into_iter().chain(keys).chain(assertions) {
            assert_eq!(
                failing_row(Usage::ClientAuthentication, client_auth_rule(&error)),
                row,
                "{error:?}"
            );
        }
    }

    #[test]
    fn every_refusal_of_a_grant_has_one_failing_row() {
        let got = || Shown::of("x");
        let own = [
            (
                GrantError::Form(FormError::MissingParameter("assertion")),
                Rule::Form,
            ),
            (GrantError::ClientIdMismatch(got()), Rule::Caller),
            (GrantError::NoIssuer, Rule::Issuer),
            (GrantError::UnknownIssuer(got()), Rule::Issuer),
            (GrantError::DisabledIssuer, Rule::Issuer),
            (
                GrantError::CallerIsNotIssuer {
                    caller: got(),
                    issuer: got(),
                },
                Rule::Caller,
            ),
            (GrantError::UnknownSubject(got()), Rule::Subject),
            (GrantError::DisabledSubject, Rule::Subject),
            (GrantError::NoPermission(got()), Rule::Permission),
            (GrantError::NotAllowed, Rule::Grant),
            (GrantError::MalformedScopeClaim(got()), Rule::ScopeClaim),
            (
                GrantError::Refused(Refusal::invalid_grant("why")),
                Rule::Grant,
            ),
            (GrantError::Store(store()), Rule::Storage),
        ];
        let keys = key_errors()
            .into_iter()
            .map(|(error, row)| (GrantError::Key(error), row));
        let assertions = assertion_errors()
            .into_iter()
            .map(|(error, row)| (GrantError::Assertion(error), row));
        for (error, row) in own.into_iter().chain(keys).chain(assertions) {
            assert_eq!(
                failing_row(Usage::Grant, grant_rule(&error, None)),
                row,
                "{error:?}"
            );
        }
        for (error, row) in [
            (PolicyError::MalformedScope(got()), Rule::Scope),
            (
                PolicyError::ScopeTooWide {
                    allowed: got(),
                    beyond: got(),
                },
                Rule::Scope,
            ),
            (PolicyError::UnknownResource(got()), Rule::Resource),
            (PolicyError::SeveralResources, Rule::Resource),
        ] {
            assert_eq!(
                failing_row(Usage::Grant, policy_rule(&error)),
                row,
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_failing_storage_is_one_rule_wherever_it_fails() {
        for error in [
            TokenError::ClientAuth(ClientAuthError::Store(store())),
            TokenError::ClientAuth(ClientAuthError::Key(KeyError::Store(store()))),
            TokenError::ClientAuth(ClientAuthError::Assertion(AssertionError::Store(store()))),
            TokenError::Grant(GrantError::Store(store())),
            TokenError::Grant(GrantError::Key(KeyError::Store(store()))),
            TokenError::Grant(GrantError::Assertion(AssertionError::Store(store()))),
            TokenError::Issue(IssueError::Store(store())),
        ] {
            let refusal = Refusal::from(error);
            assert_eq!(
                (refusal.rule(), refusal.code()),
                (&Rule::Storage, &ErrorCode::TEMPORARILY_UNAVAILABLE),
                "{refusal:?}"
            );
        }
    }
}
