//! Explanations: the one broken rule is named, nothing is used up, and the server then decides just so.
#![cfg(feature = "server")]

mod common;

use common::{Jwt, NOW, TOKEN_ENDPOINT, Use, World, keys};
use grantor::assertion::{Explanation, Usage, Verdict};

fn usage(of: Use) -> Option<Usage> {
    Some(if of == Use::Grant { Usage::Grant } else { Usage::ClientAuthentication })
}

/// The rule that failed, those before it having passed and those after it not reached.
fn broken_rule(explanation: &Explanation) -> Option<&str> {
    let position = explanation.checks.iter().position(|check| check.verdict == Verdict::Fail);
    let (before, after) = explanation.checks.split_at(position.unwrap_or(explanation.checks.len()));
    assert!(before.iter().all(|check| check.verdict == Verdict::Pass));
    assert!(after.iter().skip(1).all(|check| check.verdict == Verdict::NotReached));
    assert_eq!(explanation.is_accepted(), position.is_none());
    after.first().map(|check| check.rule.as_ref())
}

#[tokio::test]
async fn names_the_one_broken_rule_and_the_server_decides_just_so() {
    type Change = fn(Jwt) -> Jwt;
    let rows: [(&str, &str, Change); 20] = [
        ("a nested JWT", "jws", |jwt| jwt.header("cty", "\"JWT\"")),
        ("alg none", "jws", |jwt| jwt.header("alg", "\"none\"")),
        ("crit", "jws", |jwt| jwt.header("crit", "[\"exp\"]")),
        ("a claim twice", "claims", |jwt| jwt.claim_again("aud", "\"x\"")),
        ("exp as text", "claims", |jwt| jwt.claim("exp", "\"9999999999\"")),
        ("no issuer", "issuer", |jwt| jwt.without("iss")),
        ("an unknown issuer", "issuer", |jwt| jwt.text("iss", "nobody")),
        ("an unknown kid", "key", |jwt| jwt.header("kid", "\"x\"")),
        ("another kind of JWT", "typ", |jwt| jwt.header("typ", "\"at+jwt\"")),
        ("no subject", "sub", |jwt| jwt.without("sub")),
        ("no audience", "aud", |jwt| jwt.without("aud")),
        ("another audience", "aud", |jwt| jwt.text("aud", "https://other.example")),
        ("two audiences", "aud", |jwt| jwt.claim("aud", format!("[\"https://as.example\",\"{TOKEN_ENDPOINT}\"]"))),
        ("no expiry", "exp", |jwt| jwt.without("exp")),
        ("an expired one", "exp", |jwt| jwt.claim("exp", (NOW - 31).to_string())),
        ("one for ten years", "exp", |jwt| jwt.claim("exp", (NOW + 315_360_000).to_string())),
        ("not yet valid", "nbf", |jwt| jwt.claim("nbf", (NOW + 45).to_string())),
        ("of the future", "iat", |jwt| jwt.claim("iat", (NOW + 45).to_string())),
        ("an old one", "iat", |jwt| jwt.claim("iat", (NOW - 4000).to_string())),
        ("no jti", "jti", |jwt| jwt.without("jti")),
    ];
    for of in Use::PUBLIC_KEY {
        let world = World::new();
        let party = world.party(of).await;
        for (row, rule, change) in rows {
            let token = change(party.jwt()).sign(&party.key);
            let explanation = world.server.explain(&token, usage(of)).await.expect("the store answers");
            assert_eq!(broken_rule(&explanation), Some(rule), "{of:?}, {row}: {explanation:?}");
            let answer = world.send(&party.form(&token)).await;
            assert_eq!(answer.body["error"], of.error(), "{of:?}, {row}");
        }
    }
}

#[tokio::test]
async fn says_what_was_expected_and_what_came() {
    let world = World::new();
    let party = world.party(Use::PrivateKeyJwt).await;
    let token = party.jwt().text("aud", "https://other.example").sign(&party.key);
    let explanation = world.server.explain(&token, usage(Use::PrivateKeyJwt)).await.expect("the store answers");
    let check = explanation.checks.iter().find(|check| check.verdict == Verdict::Fail).expect("a broken rule");
    assert_eq!((check.expected.as_str(), check.got.as_str()), ("https://as.example as sole value", "\"https://other.example\""));
    let exp = explanation.checks.iter().find(|check| check.rule == "exp").expect("a row for each rule");
    assert_eq!((exp.verdict, exp.expected.as_str(), exp.got.as_str()), (Verdict::NotReached, "", ""));
}

#[tokio::test]
async fn tells_the_keys_tried_their_source_and_the_difference_of_the_clocks() {
    for of in Use::PUBLIC_KEY {
        let world = World::new();
        let id = "client-of-two-keys";
        let nameless = keys::P384.public_with(&[("kid", serde_json::Value::Null)]);
        let thumbprint = nameless.jwk().expect("a public key").thumbprint();
        world.register(common::metadata(id, of.method()), vec![keys::P256.public().into(), nameless.into()], vec![]).await;
        let explain = async |token: &str| world.server.explain(token, usage(of)).await.expect("the store answers");
        let tried = |explanation: &Explanation| explanation.keys.iter().map(ToString::to_string).collect::<Vec<_>>();

        let first = common::Party { id: id.to_owned(), usage: of, key: keys::P256.clone() };
        let token = first.jwt().claim("iat", (NOW - 100).to_string()).claim("exp", (NOW - 40).to_string()).sign(&first.key);
        let explanation = explain(&token).await;
        assert_eq!(broken_rule(&explanation), Some("exp"));
        let kid = first.key.key_id().expect("a kid");
        assert_eq!(tried(&explanation), [format!("registered key 1 of {id} (kid {kid:?})")]);
        assert_eq!(explanation.keys[0].thumbprint, None, "its kid names it");
        let clock = explanation.clock.expect("a JWT has times");
        assert_eq!((clock.now, clock.since_issued, clock.until_expiry), (common::at(0.0), Some(100.0), Some(-40.0)));
        // The decision of the request holds the same.
        let refused = world.send(&first.form(&token)).await;
        let decided = refused.decision.explanation.expect("an explanation");
        assert_eq!((&decided.keys, decided.clock), (&explanation.keys, explanation.clock));

        let second = common::Party { key: keys::P384.clone(), ..first };
        let token = second.jwt().without_header("kid").without("iat").sign(&second.key);
        let explanation = explain(&token).await;
        assert_eq!(tried(&explanation), [format!("registered key 2 of {id} (thumbprint {thumbprint})")]);
        assert_eq!(explanation.clock.map(|clock| (clock.since_issued, clock.until_expiry)), Some((None, Some(60.0))));
        let granted = world.send(&second.form(&token)).await;
        assert_eq!(granted.decision.key_source, Some(format!("registered key 2 of {id}")));
        let unknown = explain(&second.jwt().header("kid", "\"x\"").sign(&second.key)).await;
        assert_eq!((broken_rule(&unknown), tried(&unknown)), (Some("key"), Vec::new()), "no key was tried");
    }
}

#[tokio::test]
async fn a_client_secret_is_named_as_the_key_tried_and_shows_nothing_of_itself() {
    let world = World::new();
    let party = world.party(Use::ClientSecretJwt).await;
    let explanation = world.server.explain(&party.jwt().sign(&party.key), usage(Use::ClientSecretJwt)).await.expect("an answer");
    assert_eq!(explanation.keys.len(), 1);
    assert_eq!((&explanation.keys[0].key_id, &explanation.keys[0].thumbprint), (&None, &None));
    assert_eq!(explanation.keys[0].source, format!("client secret 1 of {}", party.id));
}

#[tokio::test]
async fn a_good_assertion_is_not_used_up_and_a_used_one_is_named_a_replay() {
    for of in Use::ALL {
        let world = World::new();
        let party = world.party(of).await;
        let token = party.jwt().sign(&party.key);
        for _ in 0..2 {
            let explanation = world.server.explain(&token, usage(of)).await.expect("the store answers");
            assert_eq!(broken_rule(&explanation), None, "{of:?}: {explanation:?}");
        }
        world.send(&party.form(&token)).await.granted("used once");
        let explanation = world.server.explain(&token, usage(of)).await.expect("the store answers");
        assert_eq!(broken_rule(&explanation), Some("replay"), "{of:?}");
    }
}

#[tokio::test]
async fn a_forged_signature_and_a_foreign_algorithm_are_told_apart() {
    let world = World::new();
    let party = world.party(Use::Grant).await;
    let forged = party.jwt().sign(&common::Key::generate(party.key.algorithm));
    let explanation = world.server.explain(&forged, None).await.expect("the store answers");
    assert_eq!(broken_rule(&explanation), Some("signature"), "{explanation:?}");
    let party = world.party_with(Use::Grant, keys::P256.clone(), |client| {
        client.signing_algorithm = Some(grantor::jose::Algorithm::Rs256);
    });
    let party = party.await;
    let explanation = world.server.explain(&party.jwt().sign(&party.key), None).await.expect("the store answers");
    assert_eq!(broken_rule(&explanation), Some("alg"), "{explanation:?}");
}
