//! Tokens with keys that nobody knows, beside those of honest senders.

use std::sync::Arc;

use grantor_testkit::{keys, wait};
use serde_json::json;
use tokio::sync::Semaphore;

use super::web::{
    Bench, JWKS, Page, accepted, at_once, at_url, bundle, discovered, spiffe, takes, token,
    token_of, unavailable, unknown,
};

#[tokio::test]
async fn t052_ta46_unknown_keys_fetch_once_in_30_s_whatever_that_brings() {
    let pages = [
        ("the same", Page::keys(&[&keys::P256])),
        ("500", Page::text(500, "")),
        ("empty", Page::json(&json!({"keys": []}))),
        ("a page", Page::text(200, "<!DOCTYPE html>")),
    ];
    for (row, page) in pages {
        let bench = Bench::publishing(&[&keys::P256]);
        let issuer = discovered();
        accepted(row, bench.takes(&issuer, &token(&keys::P256)).await);
        bench.web.says(JWKS, page);
        let mut hits = 1;
        for second in (0..120).map(f64::from) {
            bench.set(second);
            for number in 0..50 {
                let kid = format!("{second} {number}");
                let result = bench.takes(&issuer, &token_of(&keys::P256, &kid)).await;
                unknown(row, result);
            }
            accepted(row, bench.takes(&issuer, &token(&keys::P256)).await);
            hits += usize::from(second > 0.0 && second % 30.0 == 0.0);
            assert_eq!(bench.web.hits(JWKS), hits, "{row}, second {second}");
        }
    }
}

#[tokio::test]
async fn t052_an_empty_bundle_is_no_way_around_the_cooldown() {
    let bench = Bench::new();
    bench.web.says(JWKS, Page::json(&bundle(&[])));
    for second in (0..30).map(f64::from) {
        bench.set(second);
        unknown("empty", bench.takes(&spiffe(), &token(&keys::P256)).await);
    }
    assert_eq!(bench.web.hits(JWKS), 1);
}

#[tokio::test]
async fn t052_a_new_key_works_at_once_and_the_next_after_30_s() {
    let issuer = at_url(JWKS);
    let bench = Bench::new();
    bench.web.says(JWKS, Page::keys(&[&keys::P256]));
    accepted("first", bench.takes(&issuer, &token(&keys::P256)).await);
    bench
        .web
        .says(JWKS, Page::keys(&[&keys::P256, &keys::ED25519]));
    bench.set(30.0);
    accepted("new", bench.takes(&issuer, &token(&keys::ED25519)).await);
    bench
        .web
        .says(JWKS, Page::keys(&[&keys::P256, &keys::P256_OTHER]));
    bench.set(59.999);
    unknown(
        "too early",
        bench.takes(&issuer, &token(&keys::P256_OTHER)).await,
    );
    bench.set(60.0);
    accepted(
        "newer",
        bench.takes(&issuer, &token(&keys::P256_OTHER)).await,
    );
    assert_eq!(bench.web.hits(JWKS), 3);
}

#[tokio::test]
async fn t052_at_most_64_wait_for_a_fetch_that_is_under_way_and_known_keys_do_not() {
    let issuer = at_url(JWKS);
    let gate = Arc::new(Semaphore::new(0));
    let bench = Bench::new();
    bench.web.says(JWKS, Page::keys(&[&keys::P256]));
    accepted("first", bench.takes(&issuer, &token(&keys::P256)).await);
    let both = Page::keys(&[&keys::P256, &keys::ED25519]);
    bench.web.says(JWKS, both.behind(&gate));
    bench.set(30.0);
    let waiting: Vec<_> = (0..64)
        .map(|_| {
            let (keys, issuer) = (bench.keys.clone(), issuer.clone());
            tokio::spawn(async move { takes(&keys, &issuer, &token(&keys::ED25519)).await })
        })
        .collect();
    bench.web.hits_become(JWKS, 2).await;
    // All of them have run up to their wait: this runtime has one thread.
    tokio::task::yield_now().await;
    assert!(waiting.iter().all(|waits| !waits.is_finished()));
    let (new, known) = (token(&keys::ED25519), token(&keys::P256));
    let another = at_once("one more", bench.takes(&issuer, &new)).await;
    unknown("one more", another);
    let known = at_once("known", bench.takes(&issuer, &known)).await;
    accepted("known", known);
    // The slot is taken since the fetch began.
    bench.set(59.0);
    gate.add_permits(1);
    for waits in waiting {
        accepted("waited", waits.await.expect("no panic"));
    }
    unknown(
        "later",
        bench.takes(&issuer, &token(&keys::P256_OTHER)).await,
    );
    assert_eq!(bench.web.hits(JWKS), 2);
    bench.set(60.0);
    gate.add_permits(1);
    unknown(
        "30 s after",
        bench.takes(&issuer, &token(&keys::P256_OTHER)).await,
    );
    assert_eq!(bench.web.hits(JWKS), 3);
}

#[tokio::test]
async fn t052_at_most_256_wait_where_there_are_no_keys_yet() {
    let issuer = at_url(JWKS);
    let gate = Arc::new(Semaphore::new(0));
    let bench = Bench::new();
    bench
        .web
        .says(JWKS, Page::keys(&[&keys::P256]).behind(&gate));
    let waiting: Vec<_> = (0..256)
        .map(|_| {
            let (keys, issuer) = (bench.keys.clone(), issuer.clone());
            tokio::spawn(async move { takes(&keys, &issuer, &token(&keys::P256)).await })
        })
        .collect();
    bench.web.hits_become(JWKS, 1).await;
    tokio::task::yield_now().await;
    let token = token(&keys::P256);
    let another = at_once("one more", bench.takes(&issuer, &token)).await;
    let why = unavailable("one more", another);
    assert!(why.contains("too many requests wait"), "{why}");
    gate.add_permits(1);
    for waits in waiting {
        accepted("waited", waits.await.expect("no panic"));
    }
    wait::until("others find the keys", async || {
        bench.takes(&issuer, &token).await.is_ok()
    })
    .await;
    assert_eq!(bench.web.hits(JWKS), 1);
}
