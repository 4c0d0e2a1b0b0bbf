//! Where an issuer's metadata are found, what of them is believed, and what a check reports.

use grantor::{
    jose::Algorithm,
    registry::{KeyOrigin, TrustedIssuer},
};
use grantor_testkit::keys;
use serde_json::{Value, json};
use url::Url;

use super::web::{
    Bench, ISS, JWKS, METADATA, OTHER_METADATA, Page, accepted, at_url, discovered, metadata,
    named, spiffe, token, unavailable,
};

fn configured(iss: &str, metadata_url: &str) -> TrustedIssuer {
    let metadata_url = Some(Url::parse(metadata_url).expect("a URL"));
    named(iss, KeyOrigin::Discovery { metadata_url })
}

#[tokio::test]
async fn t004_the_openid_place_is_asked_first_and_leads_to_the_other() {
    let html = || Page::text(200, "<!DOCTYPE html><title>Sign in</title>");
    let good = || Page::json(&metadata(JWKS));
    let rows: [(&str, Page, Page, &[&str]); 5] = [
        ("both", good(), good(), &[METADATA, JWKS]),
        ("a page", html(), good(), &[METADATA, OTHER_METADATA, JWKS]),
        (
            "404",
            Page::text(404, ""),
            good(),
            &[METADATA, OTHER_METADATA, JWKS],
        ),
        ("a page at the other", good(), html(), &[METADATA, JWKS]),
        (
            "503",
            Page::text(503, ""),
            good(),
            &[METADATA, OTHER_METADATA, JWKS],
        ),
    ];
    for (row, openid, oauth, asked) in rows {
        let bench = Bench::publishing(&[&keys::P256]);
        bench.web.says(METADATA, openid);
        bench.web.says(OTHER_METADATA, oauth);
        accepted(row, bench.takes(&discovered(), &token(&keys::P256)).await);
        assert_eq!(bench.web.urls(), asked, "{row}");
    }
    let bench = Bench::publishing(&[&keys::P256]);
    bench.web.says(METADATA, html());
    bench.web.says(OTHER_METADATA, Page::text(404, ""));
    let why = unavailable(
        "nowhere",
        bench.takes(&discovered(), &token(&keys::P256)).await,
    );
    for words in [METADATA, OTHER_METADATA, "not valid JSON", "404"] {
        assert!(why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn ta40_metadata_that_are_not_this_issuers_lead_to_no_keys() {
    let with = |change: fn(&mut Value)| {
        let mut document = metadata(JWKS);
        change(&mut document);
        document.to_string()
    };
    let twice = format!(r#"{{"issuer":"{ISS}","issuer":"{ISS}","jwks_uri":"{JWKS}"}}"#);
    let rows = [
        (
            "no issuer",
            with(|document| drop(document["issuer"].take())),
        ),
        (
            "other",
            with(|document| document["issuer"] = json!("https://evil.example")),
        ),
        (
            "slash",
            with(|document| document["issuer"] = json!("https://ci.example/")),
        ),
        (
            "case",
            with(|document| document["issuer"] = json!("https://CI.example")),
        ),
        (
            "a list",
            with(|document| document["issuer"] = json!(["https://ci.example"])),
        ),
        (
            "no jwks_uri",
            with(|document| drop(document["jwks_uri"].take())),
        ),
        (
            "http",
            with(|document| document["jwks_uri"] = json!("http://ci.example/jwks")),
        ),
        (
            "loopback",
            with(|document| document["jwks_uri"] = json!("http://127.0.0.1/jwks")),
        ),
        (
            "file",
            with(|document| document["jwks_uri"] = json!("file:///etc/passwd")),
        ),
        (
            "a user",
            with(|document| document["jwks_uri"] = json!("https://me@ci.example/jwks")),
        ),
        ("a number", with(|document| document["jwks_uri"] = json!(7))),
        (
            "long",
            with(|document| {
                document["jwks_uri"] = json!(format!("https://ci.example/{}", "a".repeat(2048)));
            }),
        ),
        ("twice", twice),
        ("1 MiB", " ".repeat(1024 * 1024)),
    ];
    for (row, document) in rows {
        let bench = Bench::publishing(&[&keys::P256]);
        // The other place would be right.
        bench.web.says(OTHER_METADATA, Page::json(&metadata(JWKS)));
        bench.web.says(METADATA, Page::text(200, document.clone()));
        unavailable(row, bench.takes(&discovered(), &token(&keys::P256)).await);
        assert_eq!(bench.web.urls(), [METADATA], "{row}");

        let bench = Bench::publishing(&[&keys::P256]);
        accepted(
            "before",
            bench.takes(&discovered(), &token(&keys::P256)).await,
        );
        bench.web.says(METADATA, Page::text(200, document));
        bench.set(3600.0);
        let result = bench.takes(&discovered(), &token(&keys::P256)).await;
        accepted("the old keys stay", result);
        assert_eq!(bench.web.hits(JWKS), 1, "{row}");
    }
}

#[tokio::test]
async fn t004_a_configured_place_moves_the_metadata_and_not_the_rule() {
    let place = "https://10.example/openid/config";
    for iss in [ISS, "kubernetes/serviceaccount", "accounts.google.com"] {
        let issuer = configured(iss, place);
        let document = json!({"issuer": iss, "jwks_uri": JWKS});
        let bench = Bench::new();
        bench.web.says(JWKS, Page::keys(&[&keys::P256]));
        bench.web.says(place, Page::json(&document));
        accepted(iss, bench.takes(&issuer, &token(&keys::P256)).await);
        assert_eq!(bench.web.urls(), [place, JWKS], "{iss}");

        let bench = Bench::new();
        bench.web.says(JWKS, Page::keys(&[&keys::P256]));
        bench
            .web
            .says(place, Page::json(&json!({"issuer": "x", "jwks_uri": JWKS})));
        let why = unavailable(iss, bench.takes(&issuer, &token(&keys::P256)).await);
        assert!(why.contains(iss) && why.contains(r#""x""#), "{why}");
    }
    // Without one, an iss that is no URL leads nowhere.
    let issuer = named(
        "accounts.google.com",
        KeyOrigin::Discovery { metadata_url: None },
    );
    let bench = Bench::new();
    let why = unavailable("no URL", bench.takes(&issuer, &token(&keys::P256)).await);
    assert!(why.contains("accounts.google.com"), "{why}");
    let status = bench.keys.status(&issuer).expect("a status");
    assert_eq!(status.last_failure.expect("a failure").reason, why);
    assert_eq!(bench.web.sent().len(), 0);
}

#[tokio::test]
async fn t005_keys_may_be_at_another_host_and_a_move_is_told() {
    let (there, then) = ("https://keys.example/ci", "https://keys.example/ci-2");
    let bench = Bench::publishing(&[]);
    bench.web.says(METADATA, Page::json(&metadata(there)));
    bench.web.says(there, Page::keys(&[&keys::P256]));
    accepted(
        "elsewhere",
        bench.takes(&discovered(), &token(&keys::P256)).await,
    );
    assert_eq!(bench.heard.take(), ["issuer ci: 1 keys"]);

    bench.web.says(METADATA, Page::json(&metadata(then)));
    bench
        .web
        .says(then, Page::keys(&[&keys::P256, &keys::ED25519]));
    bench.set(3600.0);
    accepted(
        "moved",
        bench.takes(&discovered(), &token(&keys::ED25519)).await,
    );
    let heard = [
        format!("issuer ci: {there} is {then}"),
        "issuer ci: 2 keys".to_owned(),
    ];
    assert_eq!(bench.heard.take(), heard);
    bench.set(7200.0);
    accepted(
        "not again",
        bench.takes(&discovered(), &token(&keys::P256)).await,
    );
    assert_eq!(bench.heard.take(), ["issuer ci: 2 keys"]);
}

#[tokio::test]
async fn t020_a_check_fetches_once_and_says_what_it_found() {
    let x509 = keys::P256.public_jwk(&[("use", json!("x509-svid"))]);
    let rsa = keys::RSA.public_jwk(&[("alg", Value::Null), ("kid", json!("rsa"))]);
    let bench = Bench::publishing(&[]);
    bench.web.says(METADATA, Page::text(404, ""));
    bench.web.says(OTHER_METADATA, Page::json(&metadata(JWKS)));
    let set = json!({"keys": [x509, rsa, keys::ED25519.public_jwk(&[])]});
    bench.web.says(JWKS, Page::json(&set));
    let report = bench.keys.check(&discovered()).await.expect("a report");
    assert_eq!(report.asked, [METADATA, OTHER_METADATA]);
    assert_eq!(report.jwks_uri.expect("a place").as_str(), JWKS);
    let found: Vec<_> = report
        .keys
        .iter()
        .map(|key| (key.key_id.as_deref(), key.algorithm))
        .collect();
    let ed25519 = (keys::ED25519.key_id(), Some(Algorithm::Ed25519));
    assert_eq!(found, [(Some("rsa"), None), ed25519]);
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].key_id.as_deref(), keys::P256.key_id());
    assert_eq!(bench.web.sent().len(), 3);
    // It leaves nothing behind.
    assert_eq!(bench.keys.status(&discovered()), None);
    assert!(bench.heard.take().is_empty());

    let report = bench.keys.check(&spiffe()).await.expect("a report");
    assert!(report.asked.is_empty() && report.keys.is_empty());
    bench.web.falls_silent(JWKS);
    for issuer in [discovered(), at_url(JWKS), spiffe()] {
        let error = bench.keys.check(&issuer).await.expect_err("no keys");
        assert!(error.to_string().starts_with(JWKS), "{error}");
    }
}
