//! Which keys of a set are used, which sets are used at all, and what an empty one means.

use grantor::{
    jose::Algorithm,
    keys::{KeyError, KeyResolver as _, KeySource},
};
use grantor_testkit::{Key, at, keys};
use http::header;
use serde_json::{Value, json};

use super::web::{
    Bench, JWKS, Page, accepted, anonymous, at_url, bundle, spiffe, token, token_of, unavailable,
    unknown,
};

const HOUR: f64 = 3600.0;

fn p256() -> Value {
    keys::P256.public_jwk(&[])
}

/// A set with the honest key among these.
fn with_honest(others: &[Value]) -> Page {
    let mut all = others.to_vec();
    all.push(p256());
    Page::json(&json!({"keys": all}))
}

#[tokio::test]
async fn t055_ta42_one_odd_key_is_not_the_whole_set() {
    let mut big = keys::RSA.public_jwk(&[]);
    big["n"] = json!("_".repeat(1368));
    let odd = [
        json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA", "kid": "later"}),
        keys::ED25519.public_jwk(&[("use", json!("enc"))]),
        keys::ED25519.public_jwk(&[("alg", json!("XX256"))]),
        keys::P256_OTHER.public_jwk(&[("crv", json!("secp256k1"))]),
        keys::P256_OTHER.public_jwk(&[("x", p256()["y"].clone())]),
        keys::P256_OTHER.public_jwk(&[("kid", json!(7))]),
        json!({}),
        big,
    ];
    for odd in odd {
        let bench = Bench::new();
        bench
            .web
            .says(JWKS, with_honest(std::slice::from_ref(&odd)));
        let result = bench.takes(&at_url(JWKS), &token(&keys::P256)).await;
        accepted(&odd.to_string(), result);
        assert_eq!(bench.held(&at_url(JWKS)).keys.len(), 1, "{odd}");
    }
}

#[tokio::test]
async fn ta42_a_set_with_a_secret_in_it_or_without_sense_is_refused_whole() {
    let good = p256().to_string();
    let many = vec![good.clone(); 101].join(",");
    let nested = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let rows = [
        (
            "a private key",
            format!(r#"{{"keys":[{good},{{"kty":"EC","d":"AA"}}]}}"#),
        ),
        (
            "a symmetric key",
            format!(r#"{{"keys":[{good},{{"kty":"oct","k":"AA"}}]}}"#),
        ),
        ("101 keys", format!(r#"{{"keys":[{many}]}}"#)),
        ("nested", format!(r#"{{"keys":[{good}],"x":{nested}}}"#)),
        ("keys twice", format!(r#"{{"keys":[],"keys":[{good}]}}"#)),
        ("no keys", format!(r#"{{"key":[{good}]}}"#)),
        ("an array", format!("[{good}]")),
        ("a key that is none", format!(r#"{{"keys":[{good},7]}}"#)),
        ("a page", "<!DOCTYPE html>".to_owned()),
        ("nothing", String::new()),
    ];
    for (row, body) in rows {
        let bench = Bench::new();
        bench.web.says(JWKS, Page::text(200, body.clone()));
        let result = bench.takes(&at_url(JWKS), &token(&keys::P256)).await;
        let why = unavailable(row, result);
        assert!(why.starts_with(JWKS), "{row}: {why}");
    }
    let bench = Bench::new();
    bench
        .web
        .says(JWKS, Page::text(200, format!(r#"{{"keys":[{good}]}}"#)));
    let result = bench.takes(&at_url(JWKS), &token(&keys::P256)).await;
    accepted("the control", result);
}

#[tokio::test]
async fn t055_keys_of_one_kid_are_told_apart_by_their_algorithm_and_at_most_four_are_tried() {
    let one = |key: &Key| key.public_jwk(&[("kid", json!("one"))]);
    let bench = Bench::new();
    let mut all: Vec<_> = (0..5)
        .map(|_| one(&Key::generate(Algorithm::Ed25519)))
        .collect();
    all.push(one(&keys::P256));
    bench.web.says(JWKS, Page::json(&json!({"keys": all})));
    let issuer = at_url(JWKS);
    let result = bench.takes(&issuer, &token_of(&keys::P256, "one")).await;
    accepted("behind five of another algorithm", result);
    let jws = token_of(&keys::ED25519, "one");
    let jws = grantor::jose::Unverified::parse(&jws).expect("a JWS");
    let found = bench
        .keys
        .resolve_issuer_keys(&issuer, jws.header(), at(0.0));
    let found = found.await.expect("candidates");
    let sources: Vec<_> = found.iter().map(|candidate| candidate.source).collect();
    assert_eq!(sources, [1, 2, 3, 4].map(KeySource::Published));
    let result = bench.takes(&issuer, &anonymous(&keys::P256)).await;
    accepted("without a kid", result);
    assert_eq!(bench.web.hits(JWKS), 1);
}

#[tokio::test]
async fn t012_an_algorithm_that_issuer_or_key_does_not_have_is_refused_and_fetches_nothing() {
    let mut issuer = at_url(JWKS);
    issuer.algorithms = vec![Algorithm::Es256];
    let bench = Bench::new();
    bench
        .web
        .says(JWKS, Page::keys(&[&keys::P256, &keys::P384, &keys::RSA]));
    let refused = |row: &str, result: Result<(), KeyError>| {
        let is_so = matches!(result, Err(KeyError::NoKeyForAlgorithm(_)));
        assert!(is_so, "{row}: {result:?}");
    };
    refused(
        "not the issuer's",
        bench.takes(&issuer, &token(&keys::P384)).await,
    );
    refused(
        "an HMAC",
        bench.takes(&issuer, &token_of(&keys::SECRET, "x")).await,
    );
    assert_eq!(bench.web.sent().len(), 0);
    accepted(
        "the control",
        bench.takes(&issuer, &token(&keys::P256)).await,
    );
    issuer.algorithms.push(Algorithm::Es384);
    accepted(
        "the issuer's",
        bench.takes(&issuer, &token(&keys::P384)).await,
    );
    let other = token_of(&keys::P256, keys::P384.key_id().expect("a name"));
    refused("not the key's", bench.takes(&issuer, &other).await);
    assert_eq!(bench.web.hits(JWKS), 1);
}

#[tokio::test]
async fn t056_an_accident_of_a_key_set_is_an_outage() {
    let (issuer, honest) = (at_url(JWKS), token(&keys::P256));
    let for_others = keys::P256.public_jwk(&[("use", json!("enc"))]);
    for (row, page) in [
        ("empty", Page::json(&json!({"keys": []}))),
        ("no usable key", Page::json(&json!({"keys": [for_others]}))),
        ("404", Page::text(404, "")),
        ("204", Page::text(204, "")),
        ("500", Page::text(500, "")),
        ("a page", Page::text(200, "<!DOCTYPE html>")),
        ("too long", Page::text(200, " ".repeat(256 * 1024 + 1))),
    ] {
        let bench = Bench::new();
        bench.web.says(JWKS, page.clone());
        unavailable(row, bench.takes(&issuer, &honest).await);

        let bench = Bench::new();
        bench.web.says(JWKS, Page::keys(&[&keys::P256]));
        accepted(row, bench.takes(&issuer, &honest).await);
        bench.web.says(JWKS, page);
        for at in [HOUR, 24.0 * HOUR] {
            bench.set(at);
            accepted(row, bench.takes(&issuer, &honest).await);
        }
        bench.failure_is_at(&issuer, 24.0 * HOUR).await;
        bench.web.says(JWKS, Page::keys(&[&keys::ED25519]));
        bench.set(25.0 * HOUR);
        let new = token(&keys::ED25519);
        accepted(row, bench.takes(&issuer, &new).await);
    }
}

#[tokio::test]
async fn ta47_answers_are_read_up_to_256_kib() {
    let bench = Bench::new();
    bench.web.says(JWKS, Page::keys(&[&keys::P256]));
    accepted(
        "read",
        bench.takes(&at_url(JWKS), &token(&keys::P256)).await,
    );
    assert_eq!(bench.web.sent()[0].limit, 256 * 1024);
}

#[tokio::test]
async fn t057_ta48_redirects_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        for to in [
            "https://ci.example/keys",
            "https://keys.example/jwks",
            "http://127.0.0.1/jwks",
        ] {
            let bench = Bench::new();
            bench.web.says(to, Page::keys(&[&keys::P256]));
            let page = Page::text(status, "").with(header::LOCATION, to);
            bench.web.says(JWKS, page);
            let result = bench.takes(&at_url(JWKS), &token(&keys::P256)).await;
            let why = unavailable(to, result);
            assert!(why.contains(&status.to_string()), "{why}");
            assert_eq!(bench.web.urls(), [JWKS], "{status} {to}");
        }
    }
}

#[tokio::test]
async fn t008_ta44_only_named_keys_for_svids_verify_svids() {
    let svid = |members: &[(&str, Value)]| {
        let mut all = vec![("use", json!("jwt-svid"))];
        all.extend_from_slice(members);
        keys::P256.public_jwk(&all)
    };
    for (row, jwk, is_good) in [
        ("jwt-svid", svid(&[]), true),
        ("without alg", svid(&[("alg", Value::Null)]), true),
        ("x509-svid", svid(&[("use", json!("x509-svid"))]), false),
        ("wit-svid", svid(&[("use", json!("wit-svid"))]), false),
        ("sig", svid(&[("use", json!("sig"))]), false),
        ("without use", svid(&[("use", Value::Null)]), false),
        ("without a kid", svid(&[("kid", Value::Null)]), false),
        ("with an empty kid", svid(&[("kid", json!(""))]), false),
        (
            "not for verifying",
            svid(&[("key_ops", json!(["encrypt"]))]),
            false,
        ),
    ] {
        let bench = Bench::new();
        let other = keys::ED25519.public_jwk(&[("use", json!("jwt-svid"))]);
        bench
            .web
            .says(JWKS, Page::json(&json!({"keys": [jwk, other]})));
        let named = bench.takes(&spiffe(), &token(&keys::P256)).await;
        let nameless = bench.takes(&spiffe(), &anonymous(&keys::P256)).await;
        assert_eq!(
            (named.is_ok(), nameless.is_ok()),
            (is_good, is_good),
            "{row}"
        );
        let control = bench.takes(&spiffe(), &token(&keys::ED25519)).await;
        accepted(row, control);
    }
}

#[tokio::test]
async fn t009_an_empty_bundle_revokes_all_keys_at_once() {
    let (issuer, svid) = (spiffe(), token(&keys::P256));
    let x509 = keys::P256.public_jwk(&[("use", json!("x509-svid"))]);
    for empty in [json!({"keys": []}), json!({"keys": [x509]})] {
        let bench = Bench::new();
        bench.web.says(JWKS, Page::json(&bundle(&[&keys::P256])));
        accepted("first", bench.takes(&issuer, &svid).await);
        bench.web.says(JWKS, Page::json(&empty));
        bench.set(300.0);
        let result = bench.takes(&issuer, &svid).await;
        let is_refused = matches!(
            result,
            Err(KeyError::NotPublished(_) | KeyError::KeyUnusable { .. })
        );
        assert!(is_refused, "{result:?}");
        assert!(bench.held(&issuer).keys.is_empty());
    }
    // What is no bundle revokes nothing.
    for accident in [
        Page::json(&json!({})),
        Page::text(200, ""),
        Page::text(404, ""),
    ] {
        let bench = Bench::new();
        bench.web.says(JWKS, Page::json(&bundle(&[&keys::P256])));
        accepted("first", bench.takes(&issuer, &svid).await);
        bench.web.says(JWKS, accident);
        bench.set(300.0);
        accepted("an outage", bench.takes(&issuer, &svid).await);
    }
}

#[tokio::test]
async fn t009_a_bundle_is_used_as_long_as_its_hint_says_within_bounds() {
    for (hint, life) in [
        (None, 300.0),
        (Some(json!(10)), 60.0),
        (Some(json!(120)), 120.0),
        (Some(json!(86_400)), HOUR),
        (Some(json!("120")), 300.0),
    ] {
        let mut document = bundle(&[&keys::P256]);
        if let Some(hint) = &hint {
            document["spiffe_refresh_hint"] = hint.clone();
        }
        let bench = Bench::new();
        // What HTTP says of it counts for nothing beside the hint, and within the same bounds else.
        bench.web.says(JWKS, Page::json(&document));
        accepted("first", bench.takes(&spiffe(), &token(&keys::P256)).await);
        assert_eq!(bench.held(&spiffe()).life_ends, at(life), "{hint:?}");
    }
}

#[tokio::test]
async fn ta64_what_a_header_brings_along_is_no_key_and_leads_nowhere() {
    let bench = Bench::new();
    bench.web.says(JWKS, Page::keys(&[&keys::ED25519]));
    let canary = "https://canary.example/jwks";
    bench.web.says(canary, Page::keys(&[&keys::P256]));
    for (name, value) in [
        ("jku", json!(canary).to_string()),
        ("x5u", json!(canary).to_string()),
        ("jwk", p256().to_string()),
    ] {
        let jwt = grantor_testkit::Jwt::default()
            .header("alg", r#""ES256""#)
            .header("kid", json!(keys::P256.key_id()).to_string())
            .header(name, value);
        let result = bench.takes(&at_url(JWKS), &jwt.sign(&keys::P256)).await;
        unknown(name, result);
    }
    assert_eq!(bench.web.hits(canary), 0);
    let control = bench.takes(&at_url(JWKS), &token(&keys::ED25519)).await;
    accepted("the control", control);
}
