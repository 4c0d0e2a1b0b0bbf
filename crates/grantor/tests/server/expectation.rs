//! What is expected of an assertion is data: a party of another kind may have other types,
//! audiences, lifetimes and uses, and the rules follow.

use std::{borrow::Cow, sync::Arc, time::Duration};

use grantor::{
    assertion::{
        Assertion, AssertionError, AudienceForm, Expectation, Lifetimes, Profile, ServerIdentity,
        SubjectRule, Terms, TokenIdRule, Verifier,
    },
    keys::{Candidate, KeySource},
    registry::Client,
    storage::MemoryStore,
    types::{Issuer, Rule},
};
use grantor_testkit::{ISSUER, Jwt, NOW, Party, Use, at, keys, metadata};

/// A client, and a verifier that remembers what it accepted.
struct Bench {
    terms: Terms,
    client: Client,
    keys: [Candidate; 1],
    party: Party,
    verifier: Verifier,
}

impl Bench {
    fn new() -> Self {
        let party = Party {
            id: "client-of-expectations".to_owned(),
            usage: Use::Grant,
            key: keys::P256.clone(),
        };
        let public = party.key.public();
        let identity = ServerIdentity::new(Issuer::parse(ISSUER).expect("an issuer"));
        let metadata = metadata(&party.id, Use::Grant.method());
        Self {
            terms: Terms::new(&identity, Profile::Default, Lifetimes::default()),
            client: Client::new(metadata, vec![public.clone().into()], vec![]).expect("a client"),
            keys: [Candidate {
                key: public,
                source: KeySource::Other("a test"),
            }],
            party,
            verifier: Verifier::new(Arc::new(MemoryStore::new()), 10),
        }
    }

    /// The rule that the assertion breaks, if it breaks one.
    async fn broken(&self, jwt: &Jwt, change: impl FnOnce(&mut Expectation<'_>)) -> Option<Rule> {
        let token = jwt.sign(&self.party.key);
        let assertion = Assertion::parse(&token).expect("a JWT");
        let mut expectation = Expectation::grant(&self.terms, &self.client, &self.keys);
        change(&mut expectation);
        let verified = self.verifier.verify(&assertion, &expectation, at(0.0));
        verified.await.err().as_ref().map(AssertionError::rule)
    }
}

/// A change of what is expected, an assertion, and the rule that it breaks by default and after the
/// change.
type Row = (
    &'static str,
    fn(&mut Expectation<'_>),
    fn(Jwt) -> Jwt,
    Option<Rule>,
    Option<Rule>,
);

static TYPES: [Cow<'static, str>; 2] = [Cow::Borrowed("at+jwt"), Cow::Borrowed("x+jwt")];

fn rows() -> [Row; 12] {
    let (shorter, longer) = (
        |expectation: &mut Expectation<'_>| {
            expectation.lifetimes.leeway = Duration::ZERO;
            expectation.lifetimes.maximum = Duration::from_secs(10);
        },
        |expectation: &mut Expectation<'_>| {
            expectation.lifetimes.leeway = Duration::from_secs(120);
            expectation.lifetimes.maximum = Duration::from_secs(25 * 3600);
        },
    );
    let types = |expectation: &mut Expectation<'_>| expectation.typ = &TYPES;
    let reusable = |expectation: &mut Expectation<'_>| expectation.token_id = TokenIdRule::Reusable;
    [
        (
            "a shorter life",
            shorter,
            |jwt| jwt,
            None,
            Some(Rule::Expiry),
        ),
        (
            "no leeway",
            shorter,
            |jwt| jwt.claim("exp", (NOW - 5).to_string()).without("iat"),
            None,
            Some(Rule::Expiry),
        ),
        (
            "a longer life",
            longer,
            |jwt| jwt.claim("exp", (NOW + 24 * 3600).to_string()),
            Some(Rule::Expiry),
            None,
        ),
        (
            "an earlier issue",
            longer,
            |jwt| jwt.claim("iat", (NOW - 24 * 3600).to_string()),
            Some(Rule::IssuedAt),
            None,
        ),
        (
            "more leeway",
            longer,
            |jwt| jwt.claim("nbf", (NOW + 50).to_string()),
            Some(Rule::NotBefore),
            None,
        ),
        (
            "one of two types",
            types,
            |jwt| jwt.header("typ", "\"x+jwt\""),
            Some(Rule::Type),
            None,
        ),
        ("another type", types, |jwt| jwt, None, Some(Rule::Type)),
        (
            "another subject",
            |expectation| expectation.subject = SubjectRule::IsIssuer,
            |jwt| jwt.text("sub", "employee"),
            None,
            Some(Rule::SubjectClaim),
        ),
        (
            "an array",
            |expectation| expectation.audience.form = AudienceForm::Plain,
            |jwt| jwt.claim("aud", format!("[\"{ISSUER}\"]")),
            None,
            Some(Rule::Audience),
        ),
        (
            "no jti",
            |expectation| expectation.token_id = TokenIdRule::Optional,
            |jwt| jwt.without("jti"),
            Some(Rule::TokenId),
            None,
        ),
        (
            "no jti, any number of uses",
            reusable,
            |jwt| jwt.without("jti"),
            Some(Rule::TokenId),
            None,
        ),
        (
            "a long jti, any number of uses",
            reusable,
            |jwt| jwt.text("jti", &"x".repeat(300)),
            Some(Rule::TokenId),
            None,
        ),
    ]
}

#[tokio::test]
async fn the_rules_follow_what_is_expected() {
    let bench = Bench::new();
    for (row, change, written, by_default, changed) in rows() {
        let jwt = written(bench.party.jwt());
        assert_eq!(bench.broken(&jwt, |_| ()).await, by_default, "{row}");
        let jwt = written(bench.party.jwt());
        assert_eq!(bench.broken(&jwt, change).await, changed, "{row}, changed");
    }
}

#[tokio::test]
async fn an_audience_is_one_of_those_allowed() {
    let bench = Bench::new();
    let others = ["https://a.example".to_owned(), "b".to_owned()];
    for (audience, by_default, changed) in [
        (ISSUER, None, Some(Rule::Audience)),
        ("b", Some(Rule::Audience), None),
    ] {
        let jwt = || bench.party.jwt().text("aud", audience);
        assert_eq!(bench.broken(&jwt(), |_| ()).await, by_default, "{audience}");
        let token = jwt().sign(&bench.party.key);
        let assertion = Assertion::parse(&token).expect("a JWT");
        let mut expectation = Expectation::grant(&bench.terms, &bench.client, &bench.keys);
        expectation.audience.allowed = &others;
        let verified = bench
            .verifier
            .verify(&assertion, &expectation, at(0.0))
            .await;
        assert_eq!(
            verified.err().map(|error| error.rule()),
            changed,
            "{audience}"
        );
    }
}

#[tokio::test]
async fn what_is_reusable_is_never_used_up() {
    let bench = Bench::new();
    let jwt = bench.party.jwt();
    let reusable = |expectation: &mut Expectation<'_>| expectation.token_id = TokenIdRule::Reusable;
    for _ in 0..3 {
        assert_eq!(bench.broken(&jwt, reusable).await, None);
    }
    // Nothing was claimed; what is claimed is good for one use.
    assert_eq!(bench.broken(&jwt, |_| ()).await, None);
    assert_eq!(bench.broken(&jwt, |_| ()).await, Some(Rule::Replay));
    assert_eq!(bench.broken(&jwt, reusable).await, None);
}
