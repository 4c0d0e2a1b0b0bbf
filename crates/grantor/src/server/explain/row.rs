//! Which row of an explanation fails, for every way to refuse an assertion.

use crate::{
    assertion::{AssertionError, Broken, PartyError, Usage},
    keys::KeyError,
    server::{ClientAuthError, GrantError, IssueError, PolicyError, TokenError},
    types::Rule,
};

/// Which assertion of a request an error is about, and the row that fails; `None` if it is about
/// neither.
pub(super) fn of(error: &TokenError) -> Option<(Usage, Broken)> {
    match error {
        TokenError::ClientAuth(error) => Some((Usage::ClientAuthentication, client_auth(error))),
        TokenError::Grant(error) => Some((Usage::Grant, grant(error))),
        TokenError::Policy(error) => Some((Usage::Grant, policy(error))),
        TokenError::Issue(error) => Some((Usage::Grant, issue(error))),
        TokenError::Form(_) => None,
    }
}

/// The row behind all: every rule of the assertion held, and yet there is no token.
fn issue(error: &IssueError) -> Broken {
    let rule = match error {
        IssueError::Signing(_) | IssueError::OverQuota(_) => Rule::Issue,
        IssueError::Store(_) => Rule::Storage,
    };
    Broken::Beside { rule, before: None }
}

/// The row that fails where client authentication was refused.
fn client_auth(error: &ClientAuthError) -> Broken {
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
        ClientAuthError::UnknownClient(_) | ClientAuthError::DisabledClient => {
            Broken::Rule(Rule::Issuer)
        }
        ClientAuthError::Store(_) => Broken::Beside {
            rule: Rule::Storage,
            before: Some(Rule::Issuer),
        },
        ClientAuthError::WrongMethod { .. } => Broken::Rule(Rule::Method),
        ClientAuthError::Party(error) => party(error),
        ClientAuthError::Assertion(error) => assertion(error),
        ClientAuthError::ClientIdMismatch(_)
        | ClientAuthError::MethodNotAccepted(_)
        | ClientAuthError::WrongSecret
        | ClientAuthError::OverlongSecret => Broken::Beside {
            rule: Rule::Client,
            before: None,
        },
        ClientAuthError::Refused(refusal) => Broken::Beside {
            rule: refusal.rule().clone(),
            before: None,
        },
    }
}

/// The row that fails where a grant was refused.
fn grant(error: &GrantError) -> Broken {
    match error {
        GrantError::Form(_) => Broken::Beside {
            rule: Rule::Form,
            before: Some(Rule::Jws),
        },
        GrantError::ClientIdMismatch(_) => CALLER,
        GrantError::Party(error) => party(error),
        GrantError::Assertion(error) => assertion(error),
        GrantError::MalformedScopeClaim(_) => Broken::Beside {
            rule: Rule::ScopeClaim,
            before: Some(Rule::Subject),
        },
        GrantError::UnknownSubject(_) | GrantError::DisabledSubject => Broken::Rule(Rule::Subject),
        GrantError::NoPermission(_) => Broken::Rule(Rule::Permission),
        GrantError::NotAllowed => Broken::Rule(Rule::Grant),
        GrantError::Refused(refusal) => Broken::Beside {
            rule: refusal.rule().clone(),
            before: Some(Rule::Scope),
        },
        GrantError::Store(_) => Broken::Beside {
            rule: Rule::Storage,
            before: Some(Rule::Subject),
        },
    }
}

fn policy(error: &PolicyError) -> Broken {
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

/// The caller of a grant is compared with the issuer before that is looked up.
const CALLER: Broken = Broken::Beside {
    rule: Rule::Caller,
    before: Some(Rule::Issuer),
};

/// The row that fails where no party was found that could have signed.
fn party(error: &PartyError) -> Broken {
    match error {
        PartyError::NoIssuer | PartyError::Unknown(_) | PartyError::Disabled(_) => {
            Broken::Rule(Rule::Issuer)
        }
        PartyError::NotCaller { .. } => CALLER,
        PartyError::WrongMethod { .. } => Broken::Rule(Rule::Method),
        PartyError::Key { error, .. } => key(error),
        PartyError::Store(_) => Broken::Beside {
            rule: Rule::Storage,
            before: Some(Rule::Issuer),
        },
    }
}

fn key(error: &KeyError) -> Broken {
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
pub(super) fn assertion(error: &AssertionError) -> Broken {
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
    use std::{sync::Arc, time::Duration};

    use grantor_jose::{Algorithm, ClaimsError, JsonError, JwkError, JwsError, SigningError};

    use super::*;
    use crate::{
        assertion::{Explanation, Known, Party, Verdict},
        clock::UnixTime,
        keys::KeySource,
        registry::{Client, ClientMetadata},
        server::{FormError, Refusal},
        storage::StoreError,
        types::{AuthMethod, ErrorCode, Shown},
    };

    /// Errors with the rule of the row that fails, one line or more for each variant: a variant
    /// without one does not compile.
    macro_rules! every {
        ($error:ident: $($variant:pat => [$(($sample:expr, $rule:ident)),+ $(,)?],)*) => {{
            let is_told = |error: &$error| match error {
                $($variant => {})*
            };
            let mut all = Vec::new();
            $($(
                let sample = $sample;
                is_told(&sample);
                assert!(matches!(sample, $variant), "{sample:?} is no {}", stringify!($variant));
                all.push((sample, Rule::$rule));
            )+)*
            all
        }};
    }

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
        let (before, after) = (&verdicts[..failed], &verdicts[failed + 1..]);
        assert!(
            before.iter().all(|verdict| *verdict == Verdict::Pass)
                && after.iter().all(|verdict| *verdict == Verdict::NotReached),
            "{broken:?}: {verdicts:?}"
        );
        explanation.checks[failed].rule.clone()
    }

    fn got() -> Shown {
        Shown::of("x")
    }

    fn store() -> StoreError {
        StoreError::Unavailable("away".into())
    }

    fn a_party() -> Party {
        let metadata = ClientMetadata::new(
            "x".parse().expect("a name"),
            AuthMethod::NONE,
            UnixTime::from_millis(0),
        );
        Party::Client(Arc::new(
            Client::new(metadata, vec![], vec![]).expect("a client"),
        ))
    }

    fn key_errors() -> Vec<(KeyError, Rule)> {
        let source_of_key = KeySource::Registered(1);
        every!(KeyError:
            KeyError::UnknownKeyId => [(KeyError::UnknownKeyId, Key)],
            KeyError::NoKeyForAlgorithm(_) => [
                (KeyError::NoKeyForAlgorithm(Algorithm::Es256), Key),
            ],
            KeyError::KeyExpired { .. } => [
                (KeyError::KeyExpired { source_of_key, seconds_ago: 1 }, Key),
            ],
            KeyError::KeyUnusable { .. } => [
                (KeyError::KeyUnusable { source_of_key, error: JwkError::Point }, Key),
            ],
            KeyError::SecretExpired => [(KeyError::SecretExpired, Key)],
            KeyError::Store(_) => [(KeyError::Store(store()), Storage)],
        )
    }

    fn party_errors() -> Vec<(PartyError, Rule)> {
        let by_key = |(error, rule)| {
            let party = a_party();
            (PartyError::Key { party, error }, rule)
        };
        let own = every!(PartyError:
            PartyError::NoIssuer => [(PartyError::NoIssuer, Issuer)],
            PartyError::NotCaller { .. } => [
                (PartyError::NotCaller { caller: got(), issuer: got() }, Caller),
            ],
            PartyError::Unknown(_) => [(PartyError::Unknown(got()), Issuer)],
            PartyError::Disabled(_) => [(PartyError::Disabled(a_party()), Issuer)],
            PartyError::WrongMethod { .. } => [
                (PartyError::WrongMethod { party: a_party(), method: AuthMethod::NONE }, Method),
            ],
            PartyError::Key { .. } => [
                (PartyError::Key { party: a_party(), error: KeyError::SecretExpired }, Key),
            ],
            PartyError::Store(_) => [(PartyError::Store(store()), Storage)],
        );
        own.into_iter()
            .chain(key_errors().into_iter().map(by_key))
            .collect()
    }

    fn assertion_errors() -> Vec<(AssertionError, Rule)> {
        use AssertionError as E;
        every!(AssertionError:
            E::Jws(_) => [
                (E::Jws(JwsError::Segments), Jws),
                (E::Jws(JwsError::Signature), Signature),
                (E::Jws(JwsError::AlgorithmNotForKey(Algorithm::Es256)), Algorithm),
            ],
            E::Claims(_) => [(E::Claims(ClaimsError::Json(JsonError::Syntax)), Claims)],
            E::WrongAlgorithm { .. } => [
                (E::WrongAlgorithm { expected: String::new(), got: Algorithm::Es256 }, Algorithm),
            ],
            E::WrongType { .. } => [(E::WrongType { expected: Vec::new(), got: got() }, Type)],
            E::MissingClaim(_) => [
                (E::MissingClaim(Rule::TokenId), TokenId), (E::MissingClaim(Rule::Audience), Audience),
            ],
            E::MalformedClaim { .. } => [
                (E::MalformedClaim { claim: Rule::SubjectClaim, error: String::new() }, SubjectClaim),
            ],
            E::WrongIssuer { .. } => [
                (E::WrongIssuer { expected: got(), got: got() }, IssuerClaim),
            ],
            E::WrongSubject { .. } => [
                (E::WrongSubject { expected: got(), got: got() }, SubjectClaim),
            ],
            E::WrongAudience { .. } => [
                (E::WrongAudience { expected: Vec::new(), got: got() }, Audience),
            ],
            E::AudienceArray => [(E::AudienceArray, Audience)],
            E::Expired { .. } => [(E::Expired { seconds_ago: 1.0 }, Expiry)],
            E::ExpiresTooLate { .. } => [
                (E::ExpiresTooLate { seconds_ahead: 1.0, maximum: 1 }, Expiry),
            ],
            E::NotYetValid { .. } => [(E::NotYetValid { seconds_ahead: 1.0 }, NotBefore)],
            E::IssuedInFuture { .. } => [(E::IssuedInFuture { seconds_ahead: 1.0 }, IssuedAt)],
            E::TooOld { .. } => [(E::TooOld { seconds: 1.0, maximum: 1 }, IssuedAt)],
            E::EndsBeforeStart(_) => [(E::EndsBeforeStart("iat"), Expiry)],
            E::Replayed => [(E::Replayed, Replay)],
            E::OverQuota(_) => [(E::OverQuota(1), ReplayQuota)],
            E::BeforeFence(_) => [(E::BeforeFence(Duration::ZERO), Fence)],
            E::Store(_) => [(E::Store(store()), Storage)],
        )
    }

    fn client_auth_errors() -> Vec<(ClientAuthError, Rule)> {
        use ClientAuthError as E;
        let method = || AuthMethod::NONE;
        let own = every!(ClientAuthError:
            E::Missing => [(E::Missing, Client)],
            E::SeveralMechanisms => [(E::SeveralMechanisms, Client)],
            E::SeveralMechanismsWithAssertion => [(E::SeveralMechanismsWithAssertion, Client)],
            E::NotOffered => [(E::NotOffered, Client)],
            E::UnreadableHeader(_) => [(E::UnreadableHeader("why"), Client)],
            E::IncompletePair(_) => [(E::IncompletePair("client_id"), Client)],
            E::WrongAssertionType(_) => [(E::WrongAssertionType(got()), Client)],
            E::ClientIdMismatch(_) => [(E::ClientIdMismatch(got()), Client)],
            E::Party(_) => [(E::Party(PartyError::NoIssuer), Issuer)],
            E::UnknownClient(_) => [(E::UnknownClient(got()), Issuer)],
            E::DisabledClient => [(E::DisabledClient, Issuer)],
            E::WrongMethod { .. } => [
                (E::WrongMethod { expected: method(), got: method() }, Method),
            ],
            E::MethodNotAccepted(_) => [(E::MethodNotAccepted(method()), Client)],
            E::WrongSecret => [(E::WrongSecret, Client)],
            E::OverlongSecret => [(E::OverlongSecret, Client)],
            E::Assertion(_) => [(E::Assertion(AssertionError::Replayed), Replay)],
            E::Store(_) => [(E::Store(store()), Storage)],
            E::Refused(_) => [
                (E::Refused(Refusal::new(ErrorCode::INVALID_CLIENT, Rule::Client, "why")), Client),
            ],
        );
        let parties = party_errors()
            .into_iter()
            .map(|(error, rule)| (E::Party(error), rule));
        let assertions = assertion_errors()
            .into_iter()
            .map(|(error, rule)| (E::Assertion(error), rule));
        own.into_iter().chain(parties).chain(assertions).collect()
    }

    fn grant_errors() -> Vec<(GrantError, Rule)> {
        use GrantError as E;
        let own = every!(GrantError:
            E::Form(_) => [(E::Form(FormError::MissingParameter("assertion")), Form)],
            E::ClientIdMismatch(_) => [(E::ClientIdMismatch(got()), Caller)],
            E::Party(_) => [(E::Party(PartyError::NoIssuer), Issuer)],
            E::Assertion(_) => [(E::Assertion(AssertionError::Replayed), Replay)],
            E::UnknownSubject(_) => [(E::UnknownSubject(got()), Subject)],
            E::DisabledSubject => [(E::DisabledSubject, Subject)],
            E::NoPermission(_) => [(E::NoPermission(got()), Permission)],
            E::NotAllowed => [(E::NotAllowed, Grant)],
            E::MalformedScopeClaim(_) => [(E::MalformedScopeClaim(got()), ScopeClaim)],
            E::Refused(_) => [
                (E::Refused(Refusal::invalid_grant("why")), Grant),
                (E::Refused(Refusal::new(ErrorCode::INVALID_GRANT, Rule::Defect, "why")), Defect),
            ],
            E::Store(_) => [(E::Store(store()), Storage)],
        );
        let parties = party_errors()
            .into_iter()
            .map(|(error, rule)| (E::Party(error), rule));
        let assertions = assertion_errors()
            .into_iter()
            .map(|(error, rule)| (E::Assertion(error), rule));
        own.into_iter().chain(parties).chain(assertions).collect()
    }

    fn policy_errors() -> Vec<(PolicyError, Rule)> {
        use PolicyError as E;
        every!(PolicyError:
            E::MalformedScope(_) => [(E::MalformedScope(got()), Scope)],
            E::ScopeTooWide { .. } => [(E::ScopeTooWide { allowed: got(), beyond: got() }, Scope)],
            E::UnknownResource(_) => [(E::UnknownResource(got()), Resource)],
            E::SeveralResources => [(E::SeveralResources, Resource)],
        )
    }

    fn issue_errors() -> Vec<(IssueError, Rule)> {
        use IssueError as E;
        every!(IssueError:
            E::Signing(_) => [(E::Signing(SigningError::NotPrivate), Issue)],
            E::OverQuota(_) => [(E::OverQuota(1), Issue)],
            E::Store(_) => [(E::Store(store()), Storage)],
        )
    }

    /// Every way to refuse a request for a token, but for what is wrong with its form.
    fn all() -> Vec<(TokenError, Rule)> {
        fn stage<E: Into<TokenError>>(
            errors: Vec<(E, Rule)>,
        ) -> impl Iterator<Item = (TokenError, Rule)> {
            errors.into_iter().map(|(error, rule)| (error.into(), rule))
        }
        stage(client_auth_errors())
            .chain(stage(grant_errors()))
            .chain(stage(policy_errors()))
            .chain(stage(issue_errors()))
            .collect()
    }

    #[test]
    fn every_refusal_has_exactly_one_failing_row() {
        for (error, rule) in all() {
            let (usage, broken) = of(&error).expect("it is about an assertion");
            assert_eq!(failing_row(usage, broken), rule, "{error:?}");
        }
        assert_eq!(of(&FormError::TooLarge.into()), None);
    }

    #[test]
    fn a_failing_storage_is_one_rule_wherever_it_fails() {
        let failing = all().into_iter().filter(|(_, rule)| *rule == Rule::Storage);
        for (error, _) in failing {
            let refusal = Refusal::from(error);
            assert_eq!(
                (refusal.rule(), refusal.code()),
                (&Rule::Storage, &ErrorCode::TEMPORARILY_UNAVAILABLE),
                "{refusal:?}"
            );
        }
    }

    /// An unregistered signer has one name in the decision and in its table.
    #[test]
    fn an_unknown_signer_is_one_rule_in_the_refusal_and_in_the_explanation() {
        for (error, rule) in all() {
            if matches!(
                error,
                TokenError::ClientAuth(ClientAuthError::Party(_))
                    | TokenError::Grant(GrantError::Party(_))
            ) && rule == Rule::Issuer
            {
                assert_eq!(Refusal::from(error).rule(), &rule);
            }
        }
    }
}
