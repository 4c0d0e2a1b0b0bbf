//! Clients that publish their keys at a `jwks_uri`.

use std::sync::Arc;

use grantor::{
    keys::KeyError,
    registry::{Client, ClientError, ClientMetadata, Revision},
    types::AuthMethod,
};
use grantor_testkit::{Key, Party, Use, World, keys, metadata};
use serde_json::json;
use url::Url;

use super::web::{Bench, Page, accepted, token, token_of, unavailable, unknown};

const JWKS: &str = "https://billing.example/jwks.json";

fn published_at(url: &str) -> ClientMetadata {
    let mut metadata = metadata("billing", AuthMethod::PRIVATE_KEY_JWT);
    metadata.jwks_uri = Some(Url::parse(url).expect("a URL"));
    metadata
}

fn client(url: &str) -> Client {
    let client = Client::new(published_at(url), vec![], vec![]).expect("a client");
    client.with_revision(Revision::first(3))
}

#[tokio::test]
async fn t080_keys_of_a_client_are_fetched_and_rotate_as_those_of_an_issuer() {
    let (bench, client) = (Bench::new(), client(JWKS));
    bench.web.says(JWKS, Page::keys(&[&keys::P256]));
    accepted("first", bench.takes_of(&client, &token(&keys::P256)).await);
    bench.web.says(JWKS, Page::keys(&[&keys::ED25519]));
    bench.set(30.0);
    accepted(
        "rotated",
        bench.takes_of(&client, &token(&keys::ED25519)).await,
    );
    unknown(
        "removed",
        bench.takes_of(&client, &token(&keys::P256)).await,
    );
    let heard = bench.heard.take();
    assert_eq!(heard, ["client billing: 1 keys", "client billing: 1 keys"]);
    let status = bench.keys.client_status(&client).expect("a status");
    assert_eq!(status.held.expect("keys").keys.len(), 1);

    bench.web.says(JWKS, Page::json(&json!({"keys": []})));
    bench.set(30.0 + 3600.0);
    accepted(
        "an accident",
        bench.takes_of(&client, &token(&keys::ED25519)).await,
    );
}

#[tokio::test]
async fn t080_ta68_a_storm_of_kids_fetches_once_in_30_s() {
    let (bench, client) = (Bench::new(), client(JWKS));
    bench.web.says(JWKS, Page::keys(&[&keys::P256]));
    for second in (0..90).map(f64::from) {
        bench.set(second);
        for number in 0..10 {
            let kid = format!("{second} {number}");
            let result = bench.takes_of(&client, &token_of(&keys::P256, &kid)).await;
            unknown("made up", result);
        }
        accepted("honest", bench.takes_of(&client, &token(&keys::P256)).await);
    }
    assert_eq!(bench.web.hits(JWKS), 3);
}

#[tokio::test]
async fn t080_ta68_keys_and_their_place_exclude_each_other() {
    let key = || keys::P256.public().into();
    let both = Client::new(published_at(JWKS), vec![key()], vec![]);
    assert_eq!(both.err(), Some(ClientError::KeysBesideUri));
    let neither = metadata("billing", AuthMethod::PRIVATE_KEY_JWT);
    let neither = Client::new(neither, vec![], vec![]);
    assert_eq!(neither.err(), Some(ClientError::NoKey));
    let registered = metadata("billing", AuthMethod::PRIVATE_KEY_JWT);
    let registered = Client::new(registered, vec![key()], vec![]).expect("a client");
    let bench = Bench::new();
    accepted(
        "registered",
        bench.takes_of(&registered, &token(&keys::P256)).await,
    );
    assert!(bench.web.sent().is_empty());
}

#[tokio::test]
async fn t070_the_place_is_https_at_its_port() {
    for bad in [
        "http://billing.example/jwks",
        "http://127.0.0.1/jwks",
        "https://billing.example:8443/jwks",
        "https://me@billing.example/jwks",
        "https://billing.example/jwks#a",
        "file:///jwks",
    ] {
        let refused = Client::new(published_at(bad), vec![], vec![]).err();
        assert!(
            matches!(refused, Some(ClientError::JwksUri(_))),
            "{bad}: {refused:?}"
        );
    }
    // One that a database has all the same is not connected to.
    let client = Client::from_stored(
        published_at("https://billing.example:8443/jwks"),
        vec![],
        vec![],
    );
    let bench = Bench::new();
    let result = bench
        .takes_of(&client.expect("stored"), &token(&keys::P256))
        .await;
    let why = unavailable("a port", result);
    assert!(why.contains("port 8443"), "{why}");
    for internal in ["10.0.0.1", "127.0.0.1"] {
        let bench = Bench::new();
        bench.web.says(JWKS, Page::keys(&[&keys::P256]));
        bench.web.resolves("billing.example", &[internal]);
        unavailable(
            internal,
            bench
                .takes_of(&self::client(JWKS), &token(&keys::P256))
                .await,
        );
        assert!(bench.web.sent().is_empty(), "{internal}");
    }
}

#[tokio::test]
async fn t080_without_a_way_out_such_a_client_has_no_keys() {
    use grantor::keys::{KeyKind, KeyResolver as _, RegisteredKeys};
    let jws = token(&keys::P256);
    let jws = grantor::jose::Unverified::parse(&jws).expect("a JWS");
    let (client, now) = (client(JWKS), grantor_testkit::at(0.0));
    let found = RegisteredKeys.resolve_keys(&client, KeyKind::Public, jws.header(), now);
    assert!(matches!(found.await, Err(KeyError::Unavailable(_))));
}

#[tokio::test]
async fn ta68_nothing_is_fetched_for_clients_that_are_unknown_or_disabled() {
    for usage in Use::PUBLIC_KEY {
        let bench = Bench::new();
        bench.web.says(JWKS, Page::keys(&[&keys::P256]));
        let resolver = bench.keys.clone();
        let world = World::with(|builder| builder.key_resolver(resolver));
        let mut metadata = metadata("billing", usage.method());
        metadata.jwks_uri = Some(Url::parse(JWKS).expect("a URL"));
        world.register(metadata.clone(), vec![], vec![]).await;
        let party = |id: &str, key: &Arc<Key>| Party {
            id: id.to_owned(),
            usage,
            key: key.clone(),
        };
        for number in 0..100 {
            let stranger = party(&format!("stranger-{number}"), &keys::P256);
            let answer = world.send(&stranger.good_form()).await;
            answer.refused("unknown", usage.error(), "issuer", "is not registered");
        }
        metadata.enabled = false;
        let disabled = Client::new(metadata.clone(), vec![], vec![]).expect("a client");
        world.replace(disabled).await;
        let billing = party("billing", &keys::P256);
        let answer = world.send(&billing.good_form()).await;
        answer.refused("disabled", usage.error(), "issuer", "is disabled");
        assert!(bench.web.sent().is_empty());

        metadata.enabled = true;
        let enabled = Client::new(metadata, vec![], vec![]).expect("a client");
        world.replace(enabled).await;
        bench.web.falls_silent(JWKS);
        let answer = world.send(&billing.good_form()).await;
        let cause = "billing.example";
        answer.refused("an outage", "temporarily_unavailable", "issuer_keys", cause);
        bench.web.says(JWKS, Page::keys(&[&keys::P256]));
        bench.set(5.0);
        world
            .send(&billing.good_form())
            .await
            .granted("the control");
        assert_eq!(bench.web.hits(JWKS), 2);
        let other = party("billing", &keys::P256_OTHER);
        let answer = world.send(&other.good_form()).await;
        let cause = "no published key has this kid";
        answer.refused("another key", usage.error(), "key", cause);
    }
}
