//! The same over real connections: what a bad server sends, and that a canary sees nothing.

use std::sync::Arc;

use grantor::{
    clock::ManualClock,
    keys::RemoteKeys,
    registry::{KeyOrigin, TrustedIssuer},
    remote::Outgoing,
};
use grantor_testkit::{
    at,
    double::{
        Publisher, Reply,
        publisher::{JWKS, METADATA},
    },
    keys,
};
use http::header;

use super::web::{accepted, failure_is_at, named, takes, token, unavailable};

fn discovered(server: &Publisher) -> TrustedIssuer {
    let mut issuer = named(&server.issuer, KeyOrigin::Discovery { metadata_url: None });
    issuer.fetching.allow_internal = vec!["127.0.0.0/8".parse().expect("a network")];
    issuer
}

fn remote_keys() -> (RemoteKeys, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(0.0)));
    (RemoteKeys::new(Outgoing::direct(), clock.clone()), clock)
}

#[tokio::test]
async fn ta47_a_bad_server_costs_no_more_than_is_allowed_and_old_keys_serve() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (keys, clock) = remote_keys();
    let (issuer, token) = (discovered(&server), token(&keys::P256));
    accepted("first", takes(&keys, &issuer, &token).await);
    let redirect = Reply::status(301).with_header(header::LOCATION, "/jwks");
    for (hour, reply) in (1..).zip([Reply::Endless, Reply::status(500), redirect]) {
        server.says(JWKS, reply);
        let seconds = f64::from(hour) * 3600.0;
        clock.set(at(seconds));
        accepted("the old keys", takes(&keys, &issuer, &token).await);
        failure_is_at(&keys, &issuer, seconds).await;
        assert_eq!(server.hits(JWKS), 1 + hour as usize);
    }
    // The OpenID place was asked first, each time.
    let first = server.hits("/.well-known/openid-configuration");
    assert_eq!((first, server.hits(METADATA)), (4, 4));
}

#[tokio::test]
async fn t073_a_loopback_issuer_that_is_not_allowed_is_not_connected_to() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (keys, _) = remote_keys();
    let mut issuer = discovered(&server);
    issuer.fetching.allow_internal.clear();
    let why = unavailable("shut", takes(&keys, &issuer, &token(&keys::P256)).await);
    assert!(why.contains("127.0.0.1"), "{why}");
    assert_eq!(server.hits(METADATA) + server.hits(JWKS), 0);
    assert_eq!(keys.outgoing().counts().refused, 1);
}
