//! How long keys are used, and what happens while they cannot be fetched.

use std::{sync::Arc, time::Duration};

use grantor::{keys::KeyError, registry::Revision, storage::MemoryStore, types::Name};
use grantor_testkit::{at, keys, wait};
use http::header;
use serde_json::json;
use tokio::sync::Semaphore;

use super::web::{
    Bench, ISS, JWKS, METADATA, Page, accepted, at_once, at_url, bundle, discovered, issuer,
    metadata, spiffe, takes, token, unavailable, unknown,
};

const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;

#[tokio::test]
async fn t050_many_first_requests_fetch_once() {
    let bench = Bench::publishing(&[&keys::P256]);
    let gate = Arc::new(Semaphore::new(0));
    bench
        .web
        .says(JWKS, Page::keys(&[&keys::P256]).behind(&gate));
    let ask = || {
        let (keys, issuer) = (bench.keys.clone(), discovered());
        tokio::spawn(async move { takes(&keys, &issuer, &token(&keys::P256)).await })
    };
    let first = ask();
    bench.web.hits_become(JWKS, 1).await;
    let others: Vec<_> = (0..200).map(|_| ask()).collect();
    tokio::task::yield_now().await;
    // A caller that gives up does not end the fetch for the others.
    first.abort();
    gate.add_permits(1);
    for other in others {
        accepted("a caller that waits", other.await.expect("no panic"));
    }
    assert_eq!(bench.web.urls(), [METADATA, JWKS]);
}

#[tokio::test]
async fn t051_keys_are_used_as_long_as_their_server_says_within_bounds() {
    for (cache_control, life) in [
        (None, HOUR),
        (Some("max-age=10"), 60.0),
        (Some("public, max-age=120"), 120.0),
        (Some("max-age=10000000"), DAY),
        (Some("no-store"), 60.0),
    ] {
        let with = |page: Page| match cache_control {
            Some(value) => page.with(header::CACHE_CONTROL, value),
            None => page,
        };
        let (issuer, old) = (at_url(JWKS), token(&keys::P256));
        let bench = Bench::new();
        bench.web.says(JWKS, with(Page::keys(&[&keys::P256])));
        accepted("first", bench.takes(&issuer, &old).await);
        assert_eq!(bench.held(&issuer).life_ends, at(life), "{cache_control:?}");
        bench.web.says(JWKS, with(Page::keys(&[&keys::ED25519])));

        bench.set(life * 0.75 - 1.0);
        accepted("before three quarters", bench.takes(&issuer, &old).await);
        assert_eq!(bench.web.hits(JWKS), 1);
        bench.set(life * 0.75);
        accepted(
            "answered with what there is",
            bench.takes(&issuer, &old).await,
        );
        wait::until("what was fetched behind is in force", async || {
            bench.takes(&issuer, &old).await.is_err()
        })
        .await;
        assert_eq!(bench.web.hits(JWKS), 2, "{cache_control:?}");
        accepted(
            "the new key",
            bench.takes(&issuer, &token(&keys::ED25519)).await,
        );
    }
}

#[tokio::test]
async fn ta54_a_key_that_was_removed_works_no_longer_than_it_may() {
    let (issuer, old) = (discovered(), token(&keys::P256));
    let bench = Bench::publishing(&[&keys::P256]);
    accepted("within its life", bench.takes(&issuer, &old).await);
    bench.web.says(JWKS, Page::keys(&[&keys::ED25519]));
    bench.set(HOUR);
    unknown("after its life", bench.takes(&issuer, &old).await);

    let bench = Bench::publishing(&[&keys::P256]);
    accepted("within its life", bench.takes(&issuer, &old).await);
    bench.web.falls_silent(JWKS);
    bench.set(HOUR + DAY - 1.0);
    accepted("in an outage", bench.takes(&issuer, &old).await);
    bench.set(HOUR + DAY);
    let why = unavailable("after all", bench.takes(&issuer, &old).await);
    assert!(why.contains(JWKS) && why.contains("no answer"), "{why}");
}

#[tokio::test]
async fn t053_keys_of_spiffe_outlive_an_outage_by_an_hour() {
    let (issuer, svid) = (spiffe(), token(&keys::P256));
    let bench = Bench::new();
    bench.web.says(JWKS, Page::json(&bundle(&[&keys::P256])));
    accepted("first", bench.takes(&issuer, &svid).await);
    bench.web.falls_silent(JWKS);
    bench.set(300.0 + HOUR - 1.0);
    accepted("in an outage", bench.takes(&issuer, &svid).await);
    bench.set(300.0 + HOUR);
    unavailable("after that", bench.takes(&issuer, &svid).await);
}

#[tokio::test]
async fn t053_tries_are_5_s_apart_and_then_more_up_to_5_minutes() {
    let (issuer, token) = (at_url(JWKS), token(&keys::P256));
    let bench = Bench::new();
    bench.web.says(JWKS, Page::keys(&[&keys::P256]));
    accepted("first", bench.takes(&issuer, &token).await);
    bench.web.falls_silent(JWKS);
    let mut now = HOUR;
    bench.set(now);
    accepted("with held keys", bench.takes(&issuer, &token).await);
    assert_eq!(bench.web.hits(JWKS), 2);
    for (tries, pause) in (3..).zip([5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]) {
        bench.set(now + pause - 0.001);
        accepted("within the pause", bench.takes(&issuer, &token).await);
        tokio::task::yield_now().await;
        assert_eq!(bench.web.hits(JWKS), tries - 1, "{pause}");
        now += pause;
        bench.set(now);
        let result = at_once("with held keys", bench.takes(&issuer, &token)).await;
        accepted("after the pause", result);
        bench.failure_is_at(&issuer, now).await;
        assert_eq!(bench.web.hits(JWKS), tries, "{pause}");
    }
    // One success, and it is as before.
    bench.web.says(JWKS, Page::keys(&[&keys::P256]));
    bench.set(now + 300.0);
    accepted("again", bench.takes(&issuer, &token).await);
    wait::until("nothing failed last", async || {
        bench
            .keys
            .status(&issuer)
            .expect("a status")
            .last_failure
            .is_none()
    })
    .await;
    assert_eq!(bench.held(&issuer).loaded_at, at(now + 300.0));
}

#[tokio::test]
async fn t053_operators_see_what_is_held_and_why_there_is_nothing_newer() {
    let issuer = at_url(JWKS);
    let bench = Bench::new();
    assert_eq!(
        bench.keys.status(&issuer),
        None,
        "nothing was asked for yet"
    );
    bench
        .web
        .says(JWKS, Page::keys(&[&keys::P256]).max_age(600));
    accepted("first", bench.takes(&issuer, &token(&keys::P256)).await);
    bench.web.says(JWKS, Page::text(500, ""));
    bench.set(700.0);
    accepted("stale", bench.takes(&issuer, &token(&keys::P256)).await);
    let other = bench.takes(&issuer, &token(&keys::ED25519)).await;
    let why = other.expect_err("another key").to_string();
    assert!(
        why.contains("no published key") && why.contains("500"),
        "{why}"
    );
    let status = bench.keys.status(&issuer).expect("a status");
    let held = status.held.expect("held keys");
    let ends = (held.loaded_at, held.life_ends, held.stale_ends);
    assert_eq!(ends, (at(0.0), at(600.0), at(600.0 + DAY)));
    assert_eq!(held.keys[0].key_id.as_deref(), keys::P256.key_id());
    let failure = status.last_failure.expect("a failure");
    assert_eq!(failure.at, at(700.0));
    assert!(failure.reason.contains("500"), "{}", failure.reason);
    let all = bench.keys.statuses();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].0.to_string(), "issuer ci");
    let heard = bench.heard.take();
    assert_eq!(heard[0], "issuer ci: 1 keys");
    assert!(heard[1].contains("500") && heard.len() == 2, "{heard:?}");
}

#[tokio::test]
async fn t058_without_any_keys_there_is_no_answer_rather_than_a_refusal() {
    let (issuer, token) = (discovered(), token(&keys::P256));
    for page in [None, Some(500), Some(404)] {
        let bench = Bench::publishing(&[&keys::P256]);
        match page {
            Some(status) => bench.web.says(JWKS, Page::text(status, "")),
            None => bench.web.falls_silent(JWKS),
        }
        unavailable("down at the start", bench.takes(&issuer, &token).await);
        bench.web.says(JWKS, Page::keys(&[&keys::P256]));
        bench.set(4.999);
        let result = at_once("too early", bench.takes(&issuer, &token)).await;
        unavailable("too early for the next try", result);
        assert_eq!(bench.web.hits(JWKS), 1);
        bench.set(5.0);
        accepted("it is up", bench.takes(&issuer, &token).await);
    }
}

#[tokio::test]
async fn ta56_a_registration_that_is_changed_or_made_again_starts_anew() {
    let token = token(&keys::P256);
    for revision in [Revision::new(7, 2), Revision::new(8, 1)] {
        let bench = Bench::publishing(&[&keys::P256]);
        accepted("before", bench.takes(&discovered(), &token).await);
        bench.web.says(JWKS, Page::keys(&[&keys::ED25519]));
        let mut again = discovered();
        again.revision = revision;
        unknown("the old key", bench.takes(&again, &token).await);
        assert_eq!(bench.web.hits(JWKS), 2, "{revision:?}");
        // A request that has read the registration of before does not bring its keys back.
        if revision.number == 7 {
            unknown(
                "the old registration",
                bench.takes(&discovered(), &token).await,
            );
            assert_eq!(bench.web.hits(JWKS), 2);
        }
    }
}

#[tokio::test]
async fn t092_an_issuer_that_was_renamed_is_shown_once() {
    let bench = Bench::publishing(&[&keys::P256]);
    let token = token(&keys::P256);
    accepted("before", bench.takes(&discovered(), &token).await);
    let mut renamed = discovered();
    renamed.name = Name::parse("builds").expect("a name");
    renamed.revision = Revision::new(7, 2);
    accepted("renamed", bench.takes(&renamed, &token).await);
    let owners = bench.keys.statuses();
    let names: Vec<_> = owners.iter().map(|(owner, _)| owner.to_string()).collect();
    assert_eq!(names, ["issuer builds"]);
}

/// Another process that keeps what it fetches in the same store.
fn process(bench: &Bench, store: &Arc<MemoryStore>) -> Bench {
    let store = store.clone();
    Bench::on(
        bench.web.clone(),
        bench.clock.clone(),
        |outgoing| outgoing,
        |keys| keys.keeping(store),
    )
}

#[tokio::test]
async fn t058_a_process_that_starts_in_an_outage_has_the_keys_of_the_one_before() {
    let (issuer, token) = (discovered(), token(&keys::P256));
    let (store, bench) = (
        Arc::new(MemoryStore::new()),
        Bench::publishing(&[&keys::P256]),
    );
    let first = process(&bench, &store);
    assert_eq!(first.keys.kept(&issuer).await.expect("a store"), None);
    accepted("first", first.takes(&issuer, &token).await);
    let kept = async || first.keys.kept(&issuer).await.expect("a store");
    wait::until("the keys are kept", async || kept().await.is_some()).await;
    assert_eq!(kept().await, Some(first.held(&issuer)));

    bench.web.falls_silent(JWKS);
    bench.set(HOUR + DAY - 1.0);
    let second = process(&bench, &store);
    accepted("in the outage", second.takes(&issuer, &token).await);
    assert_eq!(
        second.held(&issuer).loaded_at,
        at(0.0),
        "their age is the old one"
    );
    unavailable("without a store", bench.takes(&issuer, &token).await);
    bench.set(HOUR + DAY);
    unavailable(
        "too old",
        process(&bench, &store).takes(&issuer, &token).await,
    );
    unavailable(
        "too old, in the second",
        second.takes(&issuer, &token).await,
    );
}

#[tokio::test]
async fn t092_what_is_kept_is_of_this_registration_and_from_its_place() {
    let (good, token) = (discovered(), token(&keys::P256));
    let (store, bench) = (
        Arc::new(MemoryStore::new()),
        Bench::publishing(&[&keys::P256]),
    );
    let first = process(&bench, &store);
    accepted("first", first.takes(&good, &token).await);
    wait::until("the keys are kept", async || {
        first.keys.kept(&good).await.expect("a store").is_some()
    })
    .await;
    bench.web.falls_silent(JWKS);
    let mut again = discovered();
    again.revision = Revision::first(8);
    let mut updated = discovered();
    updated.revision = Revision::new(7, 2);
    let moved = at_url(JWKS);
    for (row, issuer, is_good) in [
        ("made again", &again, false),
        ("another place", &moved, false),
        ("another leeway", &updated, true),
    ] {
        let result = process(&bench, &store).takes(issuer, &token).await;
        match is_good {
            true => accepted(row, result),
            false => drop(unavailable(row, result)),
        }
    }
}

#[tokio::test]
async fn t009_a_bundle_that_was_emptied_is_kept_empty() {
    let (issuer, svid) = (spiffe(), token(&keys::P256));
    let (store, bench) = (Arc::new(MemoryStore::new()), Bench::new());
    let first = process(&bench, &store);
    bench.web.says(JWKS, Page::json(&bundle(&[&keys::P256])));
    accepted("first", first.takes(&issuer, &svid).await);
    bench.web.says(JWKS, Page::json(&json!({"keys": []})));
    bench.set(300.0);
    unknown("emptied", first.takes(&issuer, &svid).await);
    wait::until("that is kept", async || {
        let kept = first.keys.kept(&issuer).await.expect("a store");
        kept.is_some_and(|kept| kept.keys.is_empty())
    })
    .await;
    bench.web.falls_silent(JWKS);
    unknown(
        "in an outage",
        process(&bench, &store).takes(&issuer, &svid).await,
    );
}

#[tokio::test]
async fn t005_a_move_of_the_keys_is_seen_by_the_next_process_too() {
    let (issuer, token) = (discovered(), token(&keys::P256));
    let (store, bench) = (
        Arc::new(MemoryStore::new()),
        Bench::publishing(&[&keys::P256]),
    );
    let first = process(&bench, &store);
    accepted("first", first.takes(&issuer, &token).await);
    wait::until("the keys are kept", async || {
        first.keys.kept(&issuer).await.expect("a store").is_some()
    })
    .await;
    let elsewhere = "https://keys.example/ci";
    bench.web.says(METADATA, Page::json(&metadata(elsewhere)));
    bench.web.says(elsewhere, Page::keys(&[&keys::P256]));
    let second = process(&bench, &store);
    accepted("moved", second.takes(&issuer, &token).await);
    let heard = second.heard.take();
    assert_eq!(heard[0], format!("issuer ci: {JWKS} is {elsewhere}"));
}

#[tokio::test]
async fn t059_an_issuer_that_hangs_delays_nobody_else() {
    let gate = Arc::new(Semaphore::new(0));
    let bench = Bench::publishing(&[&keys::P256]);
    let dead = "https://dead.example/jwks";
    bench.web.says(dead, Page::keys(&[]).behind(&gate));
    let hanging = {
        let (keys, url) = (bench.keys.clone(), dead.parse().expect("a URL"));
        let mut issuer = issuer(grantor::registry::KeyOrigin::JwksUri { url });
        issuer.revision = Revision::first(99);
        tokio::spawn(async move { takes(&keys, &issuer, &token(&keys::P256)).await })
    };
    bench.web.hits_become(dead, 1).await;
    let (other, token) = (discovered(), token(&keys::P256));
    let result = at_once(ISS, bench.takes(&other, &token)).await;
    accepted("another issuer", result);
    assert!(!hanging.is_finished());
    hanging.abort();
}

#[tokio::test]
async fn t054_at_most_eight_fetches_are_under_way_and_one_of_an_issuer() {
    let gate = Arc::new(Semaphore::new(0));
    let bench = Bench::new();
    let of = |number: u64| {
        let url = format!("https://ci-{number}.example/jwks");
        let mut issuer = at_url(&url);
        issuer.revision = Revision::first(number);
        (url, issuer)
    };
    let mut asking = Vec::new();
    for number in 1..=12 {
        let (url, issuer) = of(number);
        bench
            .web
            .says(&url, Page::keys(&[&keys::P256]).behind(&gate));
        for _ in 0..3 {
            let (keys, issuer) = (bench.keys.clone(), issuer.clone());
            asking.push(tokio::spawn(async move {
                takes(&keys, &issuer, &token(&keys::P256)).await
            }));
        }
    }
    wait::until("eight are under way", async || bench.web.at_once() == 8).await;
    gate.add_permits(12);
    for asked in asking {
        accepted("in its turn", asked.await.expect("no panic"));
    }
    assert_eq!((bench.web.most_at_once(), bench.web.sent().len()), (8, 12));
}

#[tokio::test(start_paused = true)]
async fn t054_servers_that_hang_leave_places_to_the_others() {
    let gate = Arc::new(Semaphore::new(0));
    let bench = Bench::new();
    let mut dead = Vec::new();
    for number in 1..=8 {
        let url = format!("https://dead-{number}.example/jwks");
        let mut issuer = at_url(&url);
        issuer.revision = Revision::first(number);
        bench.web.says(&url, Page::keys(&[]).behind(&gate));
        dead.push(issuer);
    }
    let ask_all = || -> Vec<_> {
        dead.iter()
            .map(|issuer| {
                let (keys, issuer) = (bench.keys.clone(), issuer.clone());
                tokio::spawn(async move { takes(&keys, &issuer, &token(&keys::P256)).await })
            })
            .collect()
    };
    for asked in ask_all() {
        unavailable("hangs", asked.await.expect("no panic"));
    }
    assert_eq!(bench.web.most_at_once(), 8);
    bench.clock.advance(Duration::from_secs(5));
    let again = ask_all();
    wait::until("four of those that failed are under way", async || {
        bench.web.at_once() == 4
    })
    .await;
    bench.web.says(JWKS, Page::keys(&[&keys::P256]));
    let mut good = at_url(JWKS);
    good.revision = Revision::first(9);
    let before = tokio::time::Instant::now();
    accepted("another", bench.takes(&good, &token(&keys::P256)).await);
    assert!(
        before.elapsed() < Duration::from_secs(1),
        "{:?}",
        before.elapsed()
    );
    for asked in again {
        let result = asked.await.expect("no panic");
        assert!(
            matches!(result, Err(KeyError::Unavailable(_))),
            "{result:?}"
        );
    }
}
