//! Explaining an assertion: what the server decided, or would decide, about it, rule by rule.
//!
//! A refusal is explained from what its stage held: nothing is looked up again, later, when it may
//! be different.

use std::sync::Arc;

use super::{
    Authorization, AuthorizationServer, ClientAuthError, Context, Decision, GrantError,
    PolicyError, Refusal, TokenError, TokenForm, audit::Held, grant, policy,
};
use crate::{
    assertion::{
        Assertion, AssertionError, Broken, CLIENT_AUTHENTICATION_TYP, Expectation, Explanation,
        Known, Usage,
    },
    clock::UnixTime,
    keys::{KeyError, KeyKind},
    registry::Client,
    storage::StoreError,
    types::{GrantType, Rule, Shown, SubjectId},
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
    let (usage, parameter, broken) = match error {
        TokenError::ClientAuth(error) => (
            Usage::ClientAuthentication,
            "client_assertion",
            client_auth_rule(error),
        ),
        TokenError::Grant(error) => (
            Usage::Grant,
            "assertion",
            grant_rule(error, decision.what_held(Usage::Grant)),
        ),
        TokenError::Policy(error) => (Usage::Grant, "assertion", policy_rule(error)),
        TokenError::Form(_) | TokenError::Issue(_) => return None,
    };
    if usage == Usage::Grant && decision.grant_type != Some(GrantType::JWT_BEARER) {
        return None;
    }
    let assertion = Assertion::parse(form.parameter(parameter)?).ok();
    let explained = Explained {
        context,
        usage,
        assertion: assertion.as_ref(),
        now: decision.at,
    };
    Some(explained.table(decision.what_held(usage), Some((broken, error.to_string()))))
}

/// What the server would decide.
async fn rehearsed(
    context: &Context,
    token: &str,
    usage: Option<Usage>,
    now: UnixTime,
) -> Result<Explanation, StoreError> {
    let explained = Explained {
        context,
        usage: usage.unwrap_or(Usage::Grant),
        assertion: None,
        now,
    };
    let assertion = match Assertion::parse(token) {
        Ok(assertion) => assertion,
        Err(error) => {
            return Ok(explained.table(None, Some((assertion_rule(&error), error.to_string()))));
        }
    };
    let says_client_authentication =
        usage.is_none() && assertion.header().typ_is(CLIENT_AUTHENTICATION_TYP);
    let usage = if says_client_authentication {
        Usage::ClientAuthentication
    } else {
        explained.usage
    };
    let explained = Explained {
        usage,
        assertion: Some(&assertion),
        ..explained
    };
    let held = match held(context, &assertion, usage, now).await {
        Ok(held) => held,
        Err(Foreseen::Store(error)) => return Err(error),
        Err(Foreseen::Rule(broken, cause)) => {
            return Ok(explained.table(None, Some((broken, cause))));
        }
    };
    let refused = match would_refuse(context, &assertion, &held, now).await {
        Ok(()) => None,
        Err(Foreseen::Store(error)) => return Err(error),
        Err(Foreseen::Rule(broken, cause)) => Some((broken, cause)),
    };
    Ok(explained.table(Some(&held), refused))
}

/// Why an assertion would be refused, or why nobody can tell.
enum Foreseen {
    Rule(Broken, String),
    Store(StoreError),
}

impl From<StoreError> for Foreseen {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AssertionError> for Foreseen {
    fn from(error: AssertionError) -> Self {
        match error {
            AssertionError::Store(error) => Self::Store(error),
            error => Self::Rule(assertion_rule(&error), error.to_string()),
        }
    }
}

impl From<GrantError> for Foreseen {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Store(error) => Self::Store(error),
            error => Self::Rule(grant_rule(&error, None), error.to_string()),
        }
    }
}

impl From<PolicyError> for Foreseen {
    fn from(error: PolicyError) -> Self {
        Self::Rule(policy_rule(&error), error.to_string())
    }
}

/// Who issued an assertion, and what it may be verified with.
async fn held(
    context: &Context,
    assertion: &Assertion<'_>,
    usage: Usage,
    now: UnixTime,
) -> Result<Held, Foreseen> {
    let refused = |rule, cause: String| Err(Foreseen::Rule(Broken::Rule(rule), cause));
    let Some(issuer) = assertion.dangerously_unverified_claims().issuer.as_deref() else {
        return refused(Rule::Issuer, "claim 'iss' is missing".to_owned());
    };
    let client = match context.client(issuer).await? {
        None => {
            return refused(
                Rule::Issuer,
                format!("no client {:?} is registered", Shown::of(issuer)),
            );
        }
        Some(client) if !client.metadata().enabled => {
            return refused(Rule::Issuer, "the client is disabled".to_owned());
        }
        Some(client) => client,
    };
    let Some(kind) = key_kind(&client, usage) else {
        let method = &client.metadata().auth_method;
        return refused(
            Rule::Method,
            format!("the client authenticates with {method}, not with an assertion"),
        );
    };
    match context
        .key_resolver()
        .resolve_keys(&client, kind, assertion.header(), now)
        .await
    {
        Ok(keys) => Ok(Held {
            usage,
            client,
            kind,
            keys,
        }),
        Err(KeyError::Store(error)) => Err(error.into()),
        Err(error) => refused(Rule::Key, error.to_string()),
    }
}

/// Which keys an assertion of this client is verified with; `None` if the client does not
/// authenticate with assertions.
fn key_kind(client: &Client, usage: Usage) -> Option<KeyKind> {
    match usage {
        Usage::Grant => Some(KeyKind::Public),
        Usage::ClientAuthentication => KeyKind::of_method(&client.metadata().auth_method),
    }
}

/// Goes the way of a request with this assertion and nothing else in it.
async fn would_refuse(
    context: &Context,
    assertion: &Assertion<'_>,
    held: &Held,
    now: UnixTime,
) -> Result<(), Foreseen> {
    let subject = context
        .verifier()
        .rehearse(assertion, &expectation(context, held), now)
        .await?;
    match held.usage {
        Usage::Grant => {
            let authorization = entitled(context, assertion, &held.client, &subject).await?;
            policy::approve(context, &TokenForm::default(), authorization)?;
        }
        Usage::ClientAuthentication => {
            let method = &held.client.metadata().auth_method;
            if !context.settings().profile.accepts_method(method) {
                let error = ClientAuthError::MethodNotAccepted(method.clone());
                return Err(Foreseen::Rule(client_auth_rule(&error), error.to_string()));
            }
        }
    }
    Ok(())
}

async fn entitled(
    context: &Context,
    assertion: &Assertion<'_>,
    client: &Arc<Client>,
    subject: &SubjectId,
) -> Result<Authorization, GrantError> {
    grant::entitle(
        context,
        client.clone(),
        subject,
        assertion.dangerously_unverified_claims(),
    )
    .await
}

fn expectation<'h>(context: &'h Context, held: &'h Held) -> Expectation<'h> {
    let terms = context.terms(held.kind);
    match held.usage {
        Usage::Grant => Expectation::grant(terms, &held.client, held.keys.clone()),
        Usage::ClientAuthentication => {
            Expectation::client_authentication(terms, &held.client, held.keys.clone())
        }
    }
}

/// An assertion, if it is one, and what it was used for.
struct Explained<'a> {
    context: &'a Context,
    usage: Usage,
    assertion: Option<&'a Assertion<'a>>,
    now: UnixTime,
}

impl Explained<'_> {
    /// Writes the table.
    fn table(&self, held: Option<&Held>, refused: Option<(Broken, String)>) -> Explanation {
        let expectation = held.map(|held| expectation(self.context, held));
        let known = Known {
            usage: self.usage,
            assertion: self.assertion,
            expectation: expectation.as_ref(),
            lifetimes: self.context.verifier().lifetimes(),
            now: self.now,
        };
        match refused {
            None => Explanation::accepted(&known),
            Some((broken, cause)) => Explanation::refused(&known, broken, &cause),
        }
    }
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
            before: Some(held.map_or(Rule::Issuer, |_| Rule::Subject)),
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
        assertion::{Lifetimes, Verdict},
        keys::KeySource,
        server::{FormError, IssueError},
        types::{AuthMethod, ErrorCode},
    };

    /// The rule of the one row that fails.
    fn failing_row(usage: Usage, broken: Broken) -> Rule {
        let lifetimes = Lifetimes {
            leeway: Duration::ZERO,
            maximum: Duration::ZERO,
        };
        let known = Known {
            usage,
            assertion: None,
            expectation: None,
            lifetimes,
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
            (AssertionError::WrongType { got: got() }, Rule::Type),
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
