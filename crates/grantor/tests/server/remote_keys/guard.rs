//! Where fetches for issuers may lead, with which credentials, and what is counted.

use std::fs;

use grantor::registry::{Fetching, KeyOrigin, TrustedIssuer};
use grantor_testkit::keys;
use url::Url;

use super::web::{
    Bench, JWKS, METADATA, Page, accepted, at_url, discovered, issuer, metadata, token, unavailable,
};

#[tokio::test]
async fn t071_ta49_nothing_is_connected_at_addresses_that_are_not_public() {
    for host in [
        "127.0.0.1",
        "[::1]",
        "0.0.0.0",
        "10.1.2.3",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
        "[fc00::1]",
        "[fe80::1]",
        "100.64.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost.",
    ] {
        let url = format!("https://{host}/jwks");
        let bench = Bench::publishing(&[&keys::P256]);
        bench.web.resolves("localhost.", &["127.0.0.1"]);
        bench.web.says(&url, Page::keys(&[&keys::P256]));
        let why = unavailable(host, bench.takes(&at_url(&url), &token(&keys::P256)).await);
        assert!(why.contains("not public"), "{why}");
        assert!(bench.web.sent().is_empty(), "{host}");

        // As the metadata name it.
        bench.web.says(METADATA, Page::json(&metadata(&url)));
        unavailable(
            host,
            bench.takes(&again(discovered()), &token(&keys::P256)).await,
        );
        assert_eq!(bench.web.urls(), [METADATA], "{host}");
        let counts = bench.keys.outgoing().counts();
        assert_eq!(
            (counts.fetches, counts.failures, counts.refused),
            (3, 2, 2),
            "{host}"
        );
    }
}

/// Another registration of the same issuer.
fn again(mut issuer: TrustedIssuer) -> TrustedIssuer {
    issuer.revision = grantor::registry::Revision::first(8);
    issuer
}

#[tokio::test]
async fn t071_ta50_a_name_with_one_private_address_is_not_connected_to() {
    let bench = Bench::publishing(&[&keys::P256]);
    bench.web.resolves("ci.example", &["1.1.1.1", "fd00::1"]);
    let why = unavailable(
        "mixed",
        bench.takes(&at_url(JWKS), &token(&keys::P256)).await,
    );
    assert!(why.contains("fd00::1"), "the operator is told: {why}");
    assert!(bench.web.sent().is_empty());
    bench
        .web
        .resolves("ci.example", &["1.1.1.1", "2606:4700:4700::1111"]);
    accepted(
        "public",
        bench.takes(&again(at_url(JWKS)), &token(&keys::P256)).await,
    );
    let addresses: Vec<_> = bench.web.sent()[0]
        .addresses
        .iter()
        .map(|to| to.ip())
        .collect();
    assert_eq!(addresses.len(), 2);
}

#[tokio::test]
async fn t073_an_internal_network_is_open_to_the_issuer_that_names_it_or_to_all() {
    let mut issuer = at_url(JWKS);
    let token = token(&keys::P256);
    let resolving = |bench: Bench| {
        bench.web.resolves("ci.example", &["172.18.0.2"]);
        bench.web.says(JWKS, Page::keys(&[&keys::P256]));
        bench
    };
    let bench = resolving(Bench::new());
    unavailable("shut", bench.takes(&issuer, &token).await);
    let network = "172.18.0.0/16".parse().expect("a network");
    issuer.fetching.allow_internal = vec![network];
    accepted("its own", bench.takes(&again(issuer.clone()), &token).await);
    issuer.fetching = Fetching::default();
    let bench = resolving(Bench::with(
        |outgoing| outgoing.allow_internal(network),
        |keys| keys,
    ));
    accepted("everybody's", bench.takes(&issuer, &token).await);

    issuer.fetching.allow_internal = vec!["0.0.0.0/0".parse().expect("a network")];
    let bench = resolving(Bench::new());
    bench.web.resolves("ci.example", &["169.254.169.254"]);
    unavailable("link-local stays shut", bench.takes(&issuer, &token).await);
}

#[tokio::test]
async fn t007_a_bearer_token_goes_to_the_issuers_own_origin_and_is_read_each_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    fs::write(&file, "first\n").expect("written");
    let with_token = |mut issuer: TrustedIssuer| {
        issuer.fetching.bearer_token_file = Some(file.clone());
        issuer
    };
    let elsewhere = "https://keys.example/jwks";
    let same_host = "https://ci.example:8443/jwks";
    let bench = Bench::publishing(&[&keys::P256]);
    let sent = |bench: &Bench| -> Vec<_> {
        let sent = bench.web.sent();
        sent.into_iter().map(|sent| sent.authorization).collect()
    };
    let first = Some("Bearer first".to_owned());
    let issuer = with_token(discovered());
    accepted("at home", bench.takes(&issuer, &token(&keys::P256)).await);
    assert_eq!(sent(&bench), [first.clone(), first.clone()]);

    for place in [elsewhere, same_host] {
        let bench = Bench::publishing(&[]);
        bench.web.says(METADATA, Page::json(&metadata(place)));
        bench.web.says(place, Page::keys(&[&keys::P256]));
        accepted(place, bench.takes(&issuer, &token(&keys::P256)).await);
        assert_eq!(sent(&bench), [first.clone(), None], "{place}");
    }

    fs::write(&file, "second").expect("written");
    bench.set(3600.0);
    accepted(
        "read again",
        bench.takes(&issuer, &token(&keys::P256)).await,
    );
    assert_eq!(sent(&bench)[2].as_deref(), Some("Bearer second"));

    // The place of the metadata is the configured origin, where there is one.
    let place = "https://api.example/openid";
    let metadata_url = Some(Url::parse(place).expect("a URL"));
    let moved = with_token(self::issuer(KeyOrigin::Discovery { metadata_url }));
    let bench = Bench::publishing(&[&keys::P256]);
    bench.web.says(place, Page::json(&metadata(JWKS)));
    accepted("moved", bench.takes(&moved, &token(&keys::P256)).await);
    assert_eq!(sent(&bench), [Some("Bearer second".to_owned()), None]);

    for bad in ["", "a\nb"] {
        fs::write(&file, bad).expect("written");
        let bench = Bench::publishing(&[&keys::P256]);
        let why = unavailable(bad, bench.takes(&issuer, &token(&keys::P256)).await);
        assert!(why.contains("bearer token file"), "{why}");
        assert!(bench.web.sent().is_empty(), "{bad:?}");
    }
}

#[tokio::test]
async fn t007_authorities_that_cannot_be_trusted_are_told() {
    let mut issuer = at_url(JWKS);
    issuer.fetching.ca = Some("no PEM".to_owned());
    let bench = Bench::publishing(&[&keys::P256]);
    let why = unavailable("no PEM", bench.takes(&issuer, &token(&keys::P256)).await);
    assert!(why.contains("certificate authorities"), "{why}");
    assert!(bench.web.sent().is_empty());
}
