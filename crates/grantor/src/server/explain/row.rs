//! The row of an explanation that fails, for every way to refuse an assertion: where it stands, and
//! what can be read in it. Its rule is that of the refusal.

use crate::{
    assertion::{AssertionError, Broken, CLIENT_ASSERTION_TYPE, Party, PartyError, Place, Usage},
    keys::KeyError,
    server::{ClientAuthError, GrantError, IssueError, PolicyError, TokenError, TrustError},
    types::{Rule, Shown},
};

/// A row that fails, but for its rule.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failing {
    pub(super) place: Place,
    expected: Option<String>,
    got: Option<String>,
}

impl Failing {
    fn at(place: Place) -> Self {
        Self {
            place,
            expected: None,
            got: None,
        }
    }

    fn before(rule: Rule) -> Self {
        Self::at(Place::Before(rule))
    }

    fn expected(mut self, expected: impl ToString) -> Self {
        self.expected = Some(expected.to_string());
        self
    }

    fn got(mut self, got: impl ToString) -> Self {
        self.got = Some(got.to_string());
        self
    }

    /// The row of this rule.
    pub(super) fn of_rule(self, rule: Rule) -> Broken {
        Broken {
            rule,
            place: self.place,
            expected: self.expected,
            got: self.got,
        }
    }
}

/// Which assertion of a request an error is about, and the row that fails; `None` if it is about
/// neither.
pub(super) fn of(error: &TokenError) -> Option<(Usage, Failing)> {
    match error {
        TokenError::ClientAuth(error) => Some((Usage::ClientAuthentication, client_auth(error))),
        TokenError::Grant(error) => Some((Usage::Grant, grant(error))),
        TokenError::Policy(error) => Some((Usage::Grant, policy(error))),
        TokenError::Issue(error) => Some((Usage::Grant, issue(error))),
        TokenError::Form(_) => None,
    }
}

/// The row behind all: every rule of the assertion held, and yet there is no token.
fn issue(error: &IssueError) -> Failing {
    let last = Failing::at(Place::Last);
    match error {
        IssueError::Signing(_) | IssueError::Store(_) => last,
        IssueError::Ended => last.expected("client, trust and issuer still in force"),
        IssueError::Changed(what) => last.expected(format_args!("{what} as it was read")),
        IssueError::OverQuota(quota) => last.expected(format_args!(
            "at most {quota} tokens or revocations in force"
        )),
    }
}

/// The row that fails where client authentication was refused.
fn client_auth(error: &ClientAuthError) -> Failing {
    use ClientAuthError as E;
    let (first, last) = (Failing::before(Rule::Jws), Failing::at(Place::Last));
    match error {
        E::Missing => first.expected("client authentication").got("none"),
        E::SeveralMechanisms | E::SeveralMechanismsWithAssertion => {
            first.expected("one mechanism").got("several")
        }
        E::NotOffered | E::UnreadableHeader(_) => first,
        E::IncompletePair(missing) => first.expected(missing),
        E::WrongAssertionType(got) => first
            .expected(CLIENT_ASSERTION_TYPE)
            .got(format_args!("{got:?}")),
        E::UnknownClient(name) => last
            .expected("a registered client")
            .got(format_args!("{name:?}")),
        E::DisabledClient => last.expected("an enabled client"),
        E::WrongMethod { expected, got } => last.expected(expected).got(got),
        E::Party(error) => party(error),
        E::Assertion(error) => assertion(error),
        E::ClientIdMismatch { expected, got } => {
            let last = last.got(format_args!("client_id {got:?}"));
            match expected {
                Some(expected) => last.expected(expected),
                None => last,
            }
        }
        E::Trust(error) => trust(error),
        E::NotFederated => last
            .expected("a federated client")
            .got("one with keys or secrets of its own"),
        E::MethodNotAccepted(method) => {
            last.expected("a method that the grant accepts").got(method)
        }
        E::WrongSecret | E::OverlongSecret | E::Store(_) | E::Refused(_) => last,
    }
}

/// The row that fails where a grant was refused.
fn grant(error: &GrantError) -> Failing {
    use GrantError as E;
    let own = Failing::at(Place::Own);
    match error {
        E::Form(_) => Failing::before(Rule::Jws),
        E::ClientIdMismatch { expected, got } => caller(expected, got),
        E::Party(error) => party(error),
        E::Assertion(error) => assertion(error),
        E::Trust(error) => trust(error),
        E::DisabledTrustClient(client) => own
            .expected("an enabled client")
            .got(format_args!("{client:?}")),
        E::MalformedScopeClaim(got) => Failing::before(Rule::Subject)
            .expected("a scope")
            .got(format_args!("{got:?}")),
        E::UnknownSubject(_) | E::DisabledSubject | E::NotAllowed => own,
        E::NoPermission(subject) => own.got(format_args!("none for {subject:?}")),
        E::Refused(_) => Failing::before(Rule::Scope),
        E::Store(_) => Failing::before(Rule::Subject),
    }
}

/// The row that fails where no trust grants anything.
fn trust(error: &TrustError) -> Failing {
    let own = Failing::at(Place::Own);
    match error {
        TrustError::NotTaken(_) => own.got("none takes it"),
        TrustError::OtherTenant(tenant) => own.got(format_args!("none for this tenant: {tenant}")),
        TrustError::Several(names) => own.got(format_args!("{} take it", names.len())),
        TrustError::NeedsClientAuth(name) => Failing::before(Rule::TokenId)
            .expected(format_args!("the authentication of trust {name}'s client"))
            .got("none"),
        TrustError::Unmapped { error, .. } => own.got(error),
        TrustError::SubjectTaken { subject, .. } => own.got(format_args!("{subject:?}")),
        TrustError::Ended(name) => own
            .expected(format_args!("trust {name} and its issuer in force"))
            .got("one was disabled"),
        TrustError::Store(_) => Failing::before(Rule::TokenId),
    }
}

fn policy(error: &PolicyError) -> Failing {
    let resource = || Failing::before(Rule::Scope);
    match error {
        PolicyError::MalformedScope(got) => Failing::at(Place::Own)
            .expected("a scope")
            .got(format_args!("{got:?}")),
        PolicyError::ScopeTooWide { allowed, beyond } => Failing::at(Place::Own)
            .expected(format_args!("no more than {allowed:?}"))
            .got(format_args!("also {beyond:?}")),
        PolicyError::PowerNotNamed => Failing::at(Place::Own)
            .expected("a scope by name")
            .got("none"),
        PolicyError::PowerElsewhere(got) => Failing::at(Place::Own)
            .expected("none of the server's own scopes")
            .got(format_args!("{got:?}")),
        PolicyError::BeyondPower { beyond, limits } => Failing::at(Place::Own)
            .expected("no more power than each limit allows")
            .got(format_args!("also {beyond:?}; {limits}")),
        PolicyError::UnknownResource(got) => resource()
            .expected("a resource that is served")
            .got(format_args!("{got:?}")),
        PolicyError::SeveralResources => resource().expected("one resource").got("several"),
        PolicyError::ConsentRequired(_) => Failing::at(Place::Own).expected("the person's consent"),
    }
}

/// The caller of a grant is compared with the issuer before that is looked up.
fn caller(issuer: &Shown, caller: &Shown) -> Failing {
    Failing::before(Rule::Issuer)
        .expected(format_args!("the issuer {issuer:?}"))
        .got(format_args!("{caller:?}"))
}

/// The row that fails where no party was found that could have signed.
fn party(error: &PartyError) -> Failing {
    let own = Failing::at(Place::Own);
    match error {
        PartyError::NoIssuer | PartyError::Unknown(_) => own.expected("a registered party"),
        PartyError::Disabled(_) => own.expected("an enabled party"),
        PartyError::NotCaller {
            caller: got,
            issuer,
        } => caller(issuer, got),
        PartyError::WrongMethod { method, .. } => own.expected(method).got("an assertion"),
        PartyError::Key { party, error } => key(party.name(), error),
        PartyError::Store(_) => Failing::before(Rule::Issuer),
    }
}

/// A row without a key: none was tried.
fn key(party: &str, error: &KeyError) -> Failing {
    let party = Shown::known(party, Party::MAX_NAME_BYTES);
    let own = Failing::at(Place::Own).expected(format_args!("a key of {party:?} in force"));
    match error {
        KeyError::Store(_) => Failing::before(Rule::Key),
        KeyError::Unavailable(error) => Failing::before(Rule::Key).got(error),
        KeyError::UnknownKeyId => own,
        KeyError::NotPublished(_)
        | KeyError::NoKeyForAlgorithm(_)
        | KeyError::KeyExpired { .. }
        | KeyError::KeyUnusable { .. }
        | KeyError::SecretExpired => own.got(error),
    }
}

/// Expectation and assertion say what stands in the rows of their rules.
pub(super) fn assertion(error: &AssertionError) -> Failing {
    use AssertionError as E;
    match error {
        E::Store(_) => Failing::before(Rule::Replay),
        E::Bound => Failing::before(Rule::IssuerClaim)
            .expected("absent")
            .got("present"),
        E::BeforeFence(_) => {
            Failing::before(Rule::Replay).expected("issued after the storage was restored")
        }
        E::OverQuota(quota) => Failing::before(Rule::Subject).expected(format_args!(
            "at most {quota} used assertions that have not expired"
        )),
        E::Jws(_)
        | E::Claims(_)
        | E::WrongAlgorithm { .. }
        | E::WrongType { .. }
        | E::WrongTrustDomain { .. }
        | E::LivesTooLong { .. }
        | E::MissingClaim(_)
        | E::MalformedClaim { .. }
        | E::WrongIssuer { .. }
        | E::WrongSubject { .. }
        | E::WrongAudience { .. }
        | E::AudienceArray
        | E::Expired { .. }
        | E::ExpiresTooLate { .. }
        | E::NotYetValid { .. }
        | E::IssuedInFuture { .. }
        | E::TooOld { .. }
        | E::EndsBeforeStart(_)
        | E::Replayed => Failing::at(Place::Own),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use grantor_jose::{
        Algorithm, ClaimsError, JsonError, JwkError, JwsError, SigningError, compact, json::Object,
        signing_input,
    };

    use super::*;
    use crate::{
        assertion::{Assertion, Check, Explanation, Known, Party, Verdict},
        clock::UnixTime,
        keys::KeySource,
        registry::{Client, ClientMetadata, Unmapped},
        server::{ConsentRequired, FormError, Refusal},
        storage::StoreError,
        types::{AuthMethod, ErrorCode},
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

    /// The one row that fails, of an assertion that could be read.
    fn failing_row(usage: Usage, broken: Broken) -> Check {
        let signed = compact(signing_input(Algorithm::Es256, Object::new(), b"{}"), &[7]);
        let said = Assertion::parse(&signed).expect("a JWT").into_said();
        let known = Known {
            usage,
            said: Some(&said),
            expectation: None,
            tried: None,
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
        let mut rules: Vec<_> = explanation.checks.iter().map(|check| &check.rule).collect();
        rules.sort_by_key(|rule| rule.name());
        assert!(
            rules.is_sorted_by(|a, b| a.name() < b.name()),
            "a row twice: {rules:?}"
        );
        explanation.checks[failed].clone()
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
            KeyError::NotPublished(_) => [(KeyError::NotPublished(None), Key)],
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
            KeyError::Unavailable(_) => [(KeyError::Unavailable("away".into()), IssuerKeys)],
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
            E::Bound => [(E::Bound, Confirmation)],
            E::WrongTrustDomain { .. } => [
                (E::WrongTrustDomain { expected: got(), got: got() }, SubjectClaim),
            ],
            E::LivesTooLong { .. } => [(E::LivesTooLong { seconds: 2.0, maximum: 1 }, Expiry)],
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
                (E::WrongAudience { is_of_issuer: false, expected: Vec::new(), got: got() }, Audience),
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

    fn trust_errors() -> Vec<(TrustError, Rule)> {
        use TrustError as E;
        let name = || "ci".parse().expect("a name");
        let error = Unmapped::Missing("sub".parse().expect("a claim"));
        every!(TrustError:
            E::NotTaken(_) => [(E::NotTaken(None), Trust)],
            E::OtherTenant(_) => [(E::OtherTenant("a is 1".to_owned()), Trust)],
            E::Several(_) => [(E::Several(vec![name(), name()]), Trust)],
            E::Ended(_) => [(E::Ended(name()), Trust)],
            E::NeedsClientAuth(_) => [(E::NeedsClientAuth(name()), Client)],
            E::Unmapped { .. } => [(E::Unmapped { trust: name(), error }, MappedSubject)],
            E::SubjectTaken { .. } => [
                (E::SubjectTaken { trust: name(), subject: got() }, MappedSubject),
            ],
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
            E::ClientIdMismatch { .. } => [
                (E::ClientIdMismatch { expected: None, got: got() }, Client),
            ],
            E::Party(_) => [(E::Party(PartyError::NoIssuer), Issuer)],
            E::UnknownClient(_) => [(E::UnknownClient(got()), Client)],
            E::DisabledClient => [(E::DisabledClient, Client)],
            E::WrongMethod { .. } => [
                (E::WrongMethod { expected: method(), got: method() }, Method),
            ],
            E::MethodNotAccepted(_) => [(E::MethodNotAccepted(method()), Method)],
            E::WrongSecret => [(E::WrongSecret, Client)],
            E::OverlongSecret => [(E::OverlongSecret, Client)],
            E::Assertion(_) => [(E::Assertion(AssertionError::Replayed), Replay)],
            E::Trust(_) => [(E::Trust(TrustError::Several(vec![])), Trust)],
            E::NotFederated => [(E::NotFederated, Method)],
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
        let trusts = trust_errors()
            .into_iter()
            .map(|(error, rule)| (E::Trust(error), rule));
        let causes = parties.chain(assertions).chain(trusts);
        own.into_iter().chain(causes).collect()
    }

    fn grant_errors() -> Vec<(GrantError, Rule)> {
        use GrantError as E;
        let own = every!(GrantError:
            E::Form(_) => [(E::Form(FormError::MissingParameter("assertion")), Form)],
            E::ClientIdMismatch { .. } => [
                (E::ClientIdMismatch { expected: got(), got: got() }, Caller),
            ],
            E::Party(_) => [(E::Party(PartyError::NoIssuer), Issuer)],
            E::Assertion(_) => [(E::Assertion(AssertionError::Replayed), Replay)],
            E::Trust(_) => [(E::Trust(TrustError::Several(vec![])), Trust)],
            E::DisabledTrustClient(_) => [(E::DisabledTrustClient(got()), Grant)],
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
        let trusts = trust_errors()
            .into_iter()
            .map(|(error, rule)| (E::Trust(error), rule));
        let causes = parties.chain(assertions).chain(trusts);
        own.into_iter().chain(causes).collect()
    }

    fn policy_errors() -> Vec<(PolicyError, Rule)> {
        use PolicyError as E;
        every!(PolicyError:
            E::MalformedScope(_) => [(E::MalformedScope(got()), Scope)],
            E::ScopeTooWide { .. } => [(E::ScopeTooWide { allowed: got(), beyond: got() }, Scope)],
            E::PowerNotNamed => [(E::PowerNotNamed, Scope)],
            E::PowerElsewhere(_) => [(E::PowerElsewhere(got()), Scope)],
            E::BeyondPower { .. } => [(E::BeyondPower { beyond: got(), limits: String::new() }, Scope)],
            E::UnknownResource(_) => [(E::UnknownResource(got()), Resource)],
            E::SeveralResources => [(E::SeveralResources, Resource)],
            E::ConsentRequired(_) => [(consent_required(Rule::Subject), Subject), (consent_required(Rule::Scope), Scope)],
        )
    }

    fn consent_required(rule: Rule) -> PolicyError {
        PolicyError::ConsentRequired(Box::new(ConsentRequired {
            rule,
            cause: "why".to_owned(),
            uri: String::new(),
        }))
    }

    fn issue_errors() -> Vec<(IssueError, Rule)> {
        use IssueError as E;
        every!(IssueError:
            E::Signing(_) => [(E::Signing(SigningError::NotPrivate), Issue)],
            E::OverQuota(_) => [(E::OverQuota(1), Issue)],
            E::Ended => [(E::Ended, Trust)],
            E::Changed(_) => [(E::Changed("client"), Unchanged)],
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
    fn every_refusal_has_exactly_one_failing_row_of_its_own_rule() {
        for (error, rule) in all() {
            let text = format!("{error:?}");
            let (usage, failing) = of(&error).expect("it is about an assertion");
            let refusal = Refusal::from(error);
            assert_eq!(refusal.rule(), &rule, "{text}");
            let row = failing_row(usage, failing.of_rule(refusal.rule().clone()));
            assert_eq!(row.rule, rule, "{text}");
        }
        assert_eq!(of(&FormError::TooLarge.into()), None);
    }

    /// What two names disagree about is in the row.
    #[test]
    fn a_mismatch_shows_what_was_expected_and_what_came() {
        let (billing, other) = (|| Shown::of("billing"), || Shown::of("other"));
        let client_id = ClientAuthError::ClientIdMismatch {
            expected: Some("billing".parse().expect("a name")),
            got: other(),
        };
        let method = ClientAuthError::WrongMethod {
            expected: AuthMethod::CLIENT_SECRET_BASIC,
            got: AuthMethod::CLIENT_SECRET_POST,
        };
        let named = GrantError::ClientIdMismatch {
            expected: billing(),
            got: other(),
        };
        let authenticated = PartyError::NotCaller {
            caller: other(),
            issuer: billing(),
        };
        let scope = PolicyError::ScopeTooWide {
            allowed: Shown::of("a b"),
            beyond: Shown::of("c"),
        };
        let by_secret = PartyError::WrongMethod {
            party: a_party(),
            method: AuthMethod::CLIENT_SECRET_BASIC,
        };
        let rows: [(TokenError, &str, &str, &str); 6] = [
            (client_id.into(), "client", "billing", "client_id \"other\""),
            (
                method.into(),
                "method",
                "client_secret_basic",
                "client_secret_post",
            ),
            (
                GrantError::from(authenticated).into(),
                "caller",
                "the issuer \"billing\"",
                "\"other\"",
            ),
            (
                named.into(),
                "caller",
                "the issuer \"billing\"",
                "\"other\"",
            ),
            (scope.into(), "scope", "no more than \"a b\"", "also \"c\""),
            (
                ClientAuthError::from(by_secret).into(),
                "method",
                "client_secret_basic",
                "an assertion",
            ),
        ];
        for (error, rule, expected, got) in rows {
            let (usage, failing) = of(&error).expect("it is about an assertion");
            let row = failing_row(usage, failing.of_rule(Refusal::from(error).rule().clone()));
            let row = (row.rule.name(), &*row.expected, &*row.got);
            assert_eq!(row, (rule, expected, got));
        }
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
}
