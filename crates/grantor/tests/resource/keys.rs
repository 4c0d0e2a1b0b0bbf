//! When the issuer's keys are asked for, how long they are believed, and what a bad issuer cannot
//! do. A real server on loopback.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::support::{
    JWKS, METADATA, Publisher, Reply, accepted, at, key_set, keys, refused, unavailable,
};
use grantor::{
    jose::JwkSetError,
    remote::{DiscoveryError, FetchError, KeySetError, VettedFetch, Vetting},
    resource::{SourceError, ValidatorBuilder},
};
use grantor_testkit::wait::until;
use http::header;
use serde_json::{Value, json};

const NO_KEY: &str = "no key of the issuer has this 'kid'";

/// Used for 1 to 10 minutes, 20 more while nobody answers; a token of an unknown key asks every 30
/// s.
fn times(builder: ValidatorBuilder) -> ValidatorBuilder {
    // A busy machine is slow to answer.
    impatient(builder).timeout(Duration::from_secs(20))
}

fn impatient(builder: ValidatorBuilder) -> ValidatorBuilder {
    let builder = builder
        .keys_for(Duration::from_secs(60), Duration::from_secs(600))
        .stale_keys_for(Duration::from_secs(1200));
    builder
        .unknown_key_cooldown(Duration::from_secs(30))
        .timeout(Duration::from_secs(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_first_requests_ask_once() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, _) = server.validator(times);
    assert_eq!(
        server.hits(METADATA),
        0,
        "nothing is asked before a token comes"
    );
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let (validator, token) = (
                validator.clone(),
                server.token(&keys::P256).text("jti", &number.to_string()),
            );
            tokio::spawn(async move { validator.validate(&token.sign(&keys::P256)).await })
        })
        .collect();
    for task in tasks {
        accepted("first", task.await.expect("no panic"));
    }
    assert_eq!((server.hits(METADATA), server.hits(JWKS)), (1, 1));
    validator.prepare().await.expect("keys");
    assert_eq!((server.hits(METADATA), server.hits(JWKS)), (1, 1));
}

#[tokio::test]
async fn what_is_refused_anyway_asks_for_nothing() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(times);
    let expired = server.token(&keys::P256).sign(&keys::P256);
    clock.set(at(2000.0));
    assert!(refused("expired", validator.validate(&expired).await).starts_with("expired"));
    let foreign = server
        .token(&keys::P256)
        .text("iss", "https://evil.example")
        .sign(&keys::P256);
    assert!(refused("foreign", validator.validate(&foreign).await).starts_with("claim 'iss'"));
    assert_eq!((server.hits(METADATA), server.hits(JWKS)), (0, 0));
}

#[tokio::test]
async fn a_new_key_works_at_once_and_a_removed_one_no_longer_than_configured() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(times);
    let long = |key| server.token(key).claim("exp", "1900000000").sign(key);
    let (old, new) = (long(&keys::P256), long(&keys::ED25519));
    accepted("old", validator.validate(&old).await);

    server.publishes(&[&keys::P256, &keys::ED25519]);
    clock.set(at(29.0));
    assert_eq!(
        refused("within the cooldown", validator.validate(&new).await),
        NO_KEY
    );
    clock.set(at(30.0));
    accepted("new", validator.validate(&new).await);
    accepted(
        "old, the other key still there",
        validator.validate(&old).await,
    );
    assert_eq!(server.hits(JWKS), 2);

    server.publishes(&[&keys::ED25519]);
    clock.set(at(30.0 + 449.0));
    accepted("old, within its time", validator.validate(&old).await);
    assert_eq!(
        server.hits(JWKS),
        2,
        "not asked before three quarters of the time"
    );
    clock.set(at(30.0 + 600.0));
    assert_eq!(
        refused("old, after its time", validator.validate(&old).await),
        NO_KEY
    );
    accepted("new", validator.validate(&new).await);
}

#[tokio::test]
async fn keys_in_use_are_refreshed_in_the_background() {
    let server = Publisher::of(&[&keys::P256, &keys::ED25519]).await;
    let (validator, clock) = server.validator(times);
    let token = server
        .token(&keys::P256)
        .claim("exp", "1900000000")
        .sign(&keys::P256);
    accepted("first", validator.validate(&token).await);
    server.publishes(&[&keys::ED25519]);
    clock.set(at(450.0));
    accepted(
        "answered with what there is",
        validator.validate(&token).await,
    );
    server.hits_become(JWKS, 2).await;
    until("what was published is in force", async || {
        validator.validate(&token).await.is_err()
    })
    .await;
    assert_eq!(
        refused("a moment later", validator.validate(&token).await),
        NO_KEY
    );
}

#[tokio::test]
async fn the_life_the_server_wants_is_clamped() {
    for (cache_control, life) in [
        (None, 600.0),
        (Some("max-age=120"), 120.0),
        (Some("public, max-age=1000000000000"), 600.0),
        (Some("max-age=99999999999999999999999999"), 600.0),
        (Some("max-age=0"), 60.0),
        (Some("no-store"), 60.0),
        (Some("max-age=x"), 60.0),
    ] {
        let server = Publisher::of(&[&keys::P256]).await;
        let reply = |key| {
            let reply = Reply::json(&key_set(&[key]))
                .with_header(header::EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT");
            match cache_control {
                Some(value) => reply.with_header(header::CACHE_CONTROL, value),
                None => reply,
            }
        };
        let (validator, clock) = server.validator(times);
        server.says(JWKS, reply(&keys::P256));
        let token = server
            .token(&keys::P256)
            .claim("exp", "1900000000")
            .sign(&keys::P256);
        accepted("first", validator.validate(&token).await);
        server.says(JWKS, reply(&keys::ED25519));
        clock.set(at(life * 3.0 / 4.0 - 1.0));
        accepted("young", validator.validate(&token).await);
        assert_eq!(server.hits(JWKS), 1, "{cache_control:?}");
        clock.set(at(life));
        assert_eq!(
            refused("removed", validator.validate(&token).await),
            NO_KEY,
            "{cache_control:?}"
        );
        assert_eq!(server.hits(JWKS), 2, "{cache_control:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_unknown_keys_asks_once_per_cooldown() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(times);
    let good = server.token(&keys::P256).sign(&keys::P256);
    accepted("good", validator.validate(&good).await);
    clock.set(at(31.0));
    let storm = |round: usize| {
        let tasks: Vec<_> = (0..10_000)
            .map(|number| {
                let jwt = server
                    .token(&keys::P256)
                    .header("kid", format!("\"{round}-{number}\""));
                let validator = validator.clone();
                // One signature for all: it is not looked at.
                let token = jwt.sign(&keys::SECRET);
                tokio::spawn(async move { validator.validate(&token).await })
            })
            .collect();
        async move {
            for task in tasks {
                assert_eq!(refused("storm", task.await.expect("no panic")), NO_KEY);
            }
        }
    };
    storm(1).await;
    assert_eq!(server.hits(JWKS), 2);
    storm(2).await;
    assert_eq!(server.hits(JWKS), 2, "the cooldown is not over");
    accepted("good, all the while", validator.validate(&good).await);
    clock.set(at(61.0));
    server.publishes(&[&keys::P256, &keys::ED25519]);
    storm(3).await;
    assert_eq!(server.hits(JWKS), 3);
    accepted(
        "a new key, all the while",
        validator
            .validate(&server.token(&keys::ED25519).sign(&keys::ED25519))
            .await,
    );
    assert!(server.hits(METADATA) <= 2, "{}", server.hits(METADATA));
}

#[tokio::test]
async fn stale_keys_are_used_while_nobody_answers_and_then_no_more() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(times);
    let token = server
        .token(&keys::P256)
        .claim("exp", "1900000000")
        .sign(&keys::P256);
    accepted("fresh", validator.validate(&token).await);
    server.says(JWKS, Reply::status(500));
    for (seconds, hits) in [(599.0, 2), (600.0, 2), (601.0, 2), (1200.0, 3), (1799.0, 4)] {
        clock.set(at(seconds));
        // Keys are asked for in the background.
        until("they are asked for", async || {
            accepted(&seconds.to_string(), validator.validate(&token).await);
            server.hits(JWKS) >= hits
        })
        .await;
    }
    clock.set(at(1800.0));
    let source = unavailable("too old", validator.validate(&token).await);
    assert!(
        matches!(&*of_keys(&source), KeySetError::Status { status, .. } if *status == 500),
        "{source}"
    );
    let hits = server.hits(JWKS);
    for _ in 0..10 {
        unavailable("not asked again at once", validator.validate(&token).await);
    }
    assert_eq!(server.hits(JWKS), hits);
    server.publishes(&[&keys::P256]);
    clock.set(at(1806.0));
    accepted("back again", validator.validate(&token).await);
}

#[tokio::test]
async fn a_key_that_cannot_be_asked_for_is_not_called_unknown() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(times);
    let new = server.token(&keys::ED25519).sign(&keys::ED25519);
    accepted(
        "old",
        validator
            .validate(&server.token(&keys::P256).sign(&keys::P256))
            .await,
    );
    server.says(JWKS, Reply::status(500));
    clock.set(at(30.0));
    for _ in 0..10 {
        unavailable("new", validator.validate(&new).await);
    }
    assert_eq!(server.hits(JWKS), 2);
    server.publishes(&[&keys::ED25519]);
    clock.set(at(60.0));
    accepted("new", validator.validate(&new).await);
}

#[tokio::test]
async fn a_server_that_hangs_costs_one_wait() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(impatient);
    let token = server
        .token(&keys::P256)
        .claim("exp", "1900000000")
        .sign(&keys::P256);
    accepted("fresh", validator.validate(&token).await);
    server.says(JWKS, Reply::Hang);
    clock.set(at(601.0));
    let start = Instant::now();
    accepted("after one wait", validator.validate(&token).await);
    assert!(
        start.elapsed() >= Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    let start = Instant::now();
    for seconds in [602.0, 620.0, 640.0] {
        clock.set(at(seconds));
        accepted("without a wait", validator.validate(&token).await);
    }
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );

    let (cold, _) = server.validator(impatient);
    assert!(matches!(
        &*of_keys(&unavailable("cold", cold.validate(&token).await)),
        KeySetError::TimedOut
    ));
}

#[tokio::test]
async fn a_request_that_gives_up_does_not_undo_the_fetch() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, _) = server.validator(times);
    let token = server.token(&keys::P256).sign(&keys::P256);
    for _ in 0..20 {
        let impatient = validator.validate(&token);
        drop(tokio::time::timeout(Duration::from_micros(1), impatient).await);
    }
    accepted("patient", validator.validate(&token).await);
    assert_eq!((server.hits(METADATA), server.hits(JWKS)), (1, 1));
}

#[tokio::test]
async fn an_accepted_token_is_looked_at_again_when_the_keys_change() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(times);
    let token = server
        .token(&keys::P256)
        .claim("exp", "1900000000")
        .sign(&keys::P256);
    accepted("seen", validator.validate(&token).await);
    server.publishes(&[&keys::ED25519]);
    clock.set(at(31.0));
    let unknown = server.token(&keys::RSA).sign(&keys::RSA);
    assert_eq!(
        refused("makes us ask", validator.validate(&unknown).await),
        NO_KEY
    );
    assert_eq!(
        refused(
            "seen, but the key has gone",
            validator.validate(&token).await
        ),
        NO_KEY
    );
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_no_harm() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(times);
    let token = server
        .token(&keys::P256)
        .claim("iat", "0")
        .sign(&keys::P256);
    accepted("first", validator.validate(&token).await);
    server.publishes(&[&keys::ED25519]);
    clock.set(at(-100_000.0));
    assert_eq!(
        refused("asked again", validator.validate(&token).await),
        NO_KEY
    );
}

#[tokio::test]
async fn a_clock_that_is_set_back_far_does_not_keep_keys_for_ever() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = server.validator(times);
    let token = server
        .token(&keys::P256)
        .claim("iat", "0")
        .sign(&keys::P256);
    accepted("first", validator.validate(&token).await);
    server.says(JWKS, Reply::status(500));
    clock.set(at(-1200.0));
    accepted(
        "the control: as far as stale keys are used",
        validator.validate(&token).await,
    );
    clock.set(at(-1200.001));
    let source = unavailable("further", validator.validate(&token).await);
    assert!(
        matches!(&*of_keys(&source), KeySetError::Status { status, .. } if *status == 500),
        "{source}"
    );
    server.publishes(&[&keys::P256]);
    clock.set(at(-1210.0));
    accepted("back again", validator.validate(&token).await);
}

/// A load that begins on a runtime which then nobody drives: for the first keys, for a refresh
/// behind a request, and for a document that another waits for.
#[test]
fn a_load_whose_runtime_nobody_drives_is_made_again_on_another() {
    for (row, path, seconds) in [
        ("first keys", JWKS, 0.0),
        ("first metadata", METADATA, 0.0),
        ("behind", JWKS, 450.0),
    ] {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let server = runtime.block_on(Publisher::of(&[&keys::P256]));
        let url = format!("{}{JWKS}", server.issuer).parse().expect("a URL");
        let (validator, clock) = server.validator(|builder| {
            if path == JWKS {
                impatient(builder).jwks_uri(url)
            } else {
                impatient(builder)
            }
        });
        let token = server
            .token(&keys::P256)
            .claim("exp", "1900000000")
            .sign(&keys::P256);
        if seconds > 0.0 {
            accepted(row, runtime.block_on(validator.validate(&token)));
            clock.set(at(seconds));
        }
        server.says(path, Reply::Hang);
        let stuck = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (caller, first) = (validator.clone(), token.clone());
        stuck.spawn(async move { caller.validate(&first).await });
        stuck.block_on(server.hits_become(path, server.hits(path) + 1));

        server.says(METADATA, Reply::json(&server.metadata()));
        server.publishes(&[&keys::P256, &keys::ED25519]);
        clock.set(at(seconds + 600.0));
        let start = Instant::now();
        accepted(row, runtime.block_on(validator.validate(&token)));
        assert!(
            start.elapsed() < Duration::from_secs(8),
            "{row}: {:?}",
            start.elapsed()
        );

        // Driven again, the first load times out, and what has been found since stands.
        let metrics = stuck.metrics();
        let ends = async || metrics.num_alive_tasks() == 0;
        stuck.block_on(until("all tasks end", ends));
        let hits = server.hits(JWKS);
        let new = server
            .token(&keys::ED25519)
            .claim("exp", "1900000000")
            .sign(&keys::ED25519);
        accepted(row, runtime.block_on(validator.validate(&new)));
        assert_eq!(server.hits(JWKS), hits, "{row}");
        server.publishes(&[&keys::ED25519]);
        clock.set(at(seconds + 1200.0));
        assert_eq!(
            refused(row, runtime.block_on(validator.validate(&token))),
            NO_KEY,
            "the control: keys are still refreshed"
        );
    }
}

/// Why the keys are not there.
fn of_keys(source: &SourceError) -> Arc<KeySetError> {
    match source {
        SourceError::Keys(error) => error.clone(),
        other => unreachable!("{other}"),
    }
}

/// What the server says instead of its keys, and why that is not used.
async fn refuses_keys(row: &str, reply: Reply, is_reason: impl Fn(&KeySetError) -> bool) {
    let server = Publisher::of(&[&keys::P256]).await;
    let token = server
        .token(&keys::P256)
        .claim("exp", "1900000000")
        .sign(&keys::P256);
    let (validator, clock) = server.validator(impatient);
    accepted(row, validator.validate(&token).await);

    server.says(JWKS, reply);
    let (cold, _) = server.validator(impatient);
    let source = unavailable(row, cold.validate(&token).await);
    assert!(is_reason(&of_keys(&source)), "{row}: {source}");
    clock.set(at(601.0));
    accepted(
        "the keys of before still work",
        validator.validate(&token).await,
    );
    clock.set(at(1801.0));
    assert!(
        is_reason(&of_keys(&unavailable(
            row,
            validator.validate(&token).await
        ))),
        "{row}"
    );
}

#[tokio::test]
async fn a_set_with_private_keys_is_refused_and_not_kept() {
    for (member, value) in [("d", "AA"), ("k", "AA"), ("p", "AA")] {
        let mut set = key_set(&[&keys::P256, &keys::ED25519]);
        set["keys"][1][member] = value.into();
        let is_private = |source: &KeySetError| {
            matches!(
                source,
                KeySetError::Content {
                    error: JwkSetError::Private { index: 1, .. },
                    ..
                }
            )
        };
        refuses_keys(member, Reply::json(&set), is_private).await;
    }
}

#[tokio::test]
async fn what_is_no_key_set_is_refused() {
    let is_keys = |source: &KeySetError| matches!(source, KeySetError::Content { .. });
    for body in [
        json!({}),
        json!([]),
        json!({"keys": 1}),
        json!({"keys": vec![json!({}); 101]}),
    ] {
        refuses_keys(&body.to_string(), Reply::json(&body), is_keys).await;
    }
    refuses_keys("endless", Reply::Endless, |source| {
        matches!(
            source,
            KeySetError::Fetch {
                error: FetchError::TooLong(_),
                ..
            } | KeySetError::TimedOut
        )
    })
    .await;
    refuses_keys("hang", Reply::Hang, |source| {
        matches!(source, KeySetError::TimedOut)
    })
    .await;
    for status in [201, 204, 304, 401, 404, 503] {
        let is_status = |source: &KeySetError| matches!(source, KeySetError::Status { status: got, .. } if got.as_u16() == status);
        refuses_keys(&status.to_string(), Reply::status(status), is_status).await;
    }
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Publisher::of(&[&keys::P256]).await;
    let location = format!("{}{JWKS}", elsewhere.issuer);
    let redirect = Reply::status(302).with_header(header::LOCATION, &location);
    let is_redirect = |source: &KeySetError| matches!(source, KeySetError::Status { status, .. } if status.as_u16() == 302);
    refuses_keys("redirect", redirect, is_redirect).await;
    assert_eq!(elsewhere.hits(JWKS), 0);
}

/// Whoever looks into the log learns which key the issuer has to mend.
#[tokio::test]
async fn a_malformed_key_of_the_issuer_is_named() {
    let server = Publisher::of(&[&keys::P256]).await;
    let good = key_set(&[&keys::P256, &keys::P384]);
    let (validator, clock) = server.validator(times);
    let token = server.token(&keys::P384).sign(&keys::P384);
    for (row, member, value, reason) in [
        (
            "short",
            "x",
            json!("AAAA"),
            "key parameter 'x' is malformed",
        ),
        (
            "wrong alg",
            "alg",
            json!("ES256"),
            "key parameter 'alg' is ES256, which does not fit the key's type",
        ),
        (
            "for encryption",
            "use",
            json!("enc"),
            "key is not for verifying signatures",
        ),
    ] {
        let mut set = good.clone();
        set["keys"][1][member] = value;
        server.says(JWKS, Reply::json(&set));
        clock.advance(Duration::from_secs(600));
        let token = server
            .token(&keys::P384)
            .claim("exp", "1900000000")
            .sign(&keys::P384);
        let expected =
            format!("key 1 of the issuer's set has this 'kid', and cannot be used: {reason}");
        assert_eq!(refused(row, validator.validate(&token).await), expected);
        let token = server
            .token(&keys::P256)
            .claim("exp", "1900000000")
            .sign(&keys::P256);
        accepted("the good one beside it", validator.validate(&token).await);
        let unknown = server
            .token(&keys::P256)
            .header("kid", "\"unknown\"")
            .claim("exp", "1900000000")
            .sign(&keys::P256);
        assert_eq!(refused(row, validator.validate(&unknown).await), NO_KEY);
    }
    server.says(JWKS, Reply::json(&good));
    let (fresh, _) = server.validator(times);
    accepted("the control", fresh.validate(&token).await);
}

#[tokio::test]
async fn an_empty_set_is_a_statement() {
    let server = Publisher::of(&[&keys::P256]).await;
    let token = server
        .token(&keys::P256)
        .claim("exp", "1900000000")
        .sign(&keys::P256);
    let (validator, clock) = server.validator(times);
    accepted("before", validator.validate(&token).await);
    server.publishes(&[]);
    clock.set(at(600.0));
    assert_eq!(refused("after", validator.validate(&token).await), NO_KEY);
}

#[tokio::test]
async fn metadata_that_cannot_be_trusted_is_not_used() {
    let metadata = |server: &Publisher, change: fn(&mut Value)| {
        let mut metadata = server.metadata();
        change(&mut metadata);
        Reply::json(&metadata)
    };
    type Row = (&'static str, fn(&mut Value), fn(&DiscoveryError) -> bool);
    let rows: [Row; 4] = [
        (
            "another issuer",
            |metadata| metadata["issuer"] = "https://evil.example".into(),
            |source| matches!(source, DiscoveryError::OtherIssuer { .. }),
        ),
        (
            "no issuer",
            |metadata| metadata["issuer"] = Value::Null,
            |source| {
                matches!(
                    source,
                    DiscoveryError::Member {
                        member: "issuer",
                        ..
                    }
                )
            },
        ),
        (
            "keys in the clear",
            |metadata| metadata["jwks_uri"] = "http://keys.example/jwks".into(),
            |source| {
                matches!(
                    source,
                    DiscoveryError::Member {
                        member: "jwks_uri",
                        ..
                    }
                )
            },
        ),
        (
            "no keys",
            |metadata| metadata["jwks_uri"] = Value::Null,
            |source| {
                matches!(
                    source,
                    DiscoveryError::NotInMetadata {
                        member: "jwks_uri",
                        ..
                    }
                )
            },
        ),
    ];
    for (row, change, is_reason) in rows {
        let server = Publisher::of(&[&keys::P256]).await;
        let token = server.token(&keys::P256).sign(&keys::P256);
        server.says(METADATA, metadata(&server, change));
        let (validator, clock) = server.validator(times);
        let source = unavailable(row, validator.validate(&token).await);
        let keys = of_keys(&source);
        let KeySetError::Discovery(cause) = &*keys else {
            unreachable!("{row}: {source}")
        };
        assert!(is_reason(cause), "{row}: {source}");
        assert_eq!(server.hits(JWKS), 0, "{row}");
        assert!(validator.prepare().await.is_err(), "{row}");
        server.says(METADATA, metadata(&server, |_| ()));
        clock.set(at(600.0));
        accepted(row, validator.validate(&token).await);
    }
}

/// T073: an issuer on loopback is asked where its address is opened, and not else.
#[tokio::test]
async fn a_guard_can_be_kept_out_of_private_networks() {
    let server = Publisher::of(&[&keys::P256]).await;
    let token = server.token(&keys::P256).sign(&keys::P256);
    let guard = |vetting| {
        let fetch = Arc::new(VettedFetch::direct(vetting));
        let (validator, _) = server.validator(|builder| times(builder).fetch(fetch.clone()));
        (validator, fetch)
    };

    let (validator, fetch) = guard(Vetting::new());
    let source = unavailable("shut", validator.validate(&token).await);
    assert!(source.to_string().contains("127.0.0.1"), "{source}");
    assert_eq!((fetch.refused(), server.hits(METADATA)), (1, 0));

    let opened = "127.0.0.1/32".parse().expect("a network");
    let (validator, fetch) = guard(Vetting::new().allow_internal(opened));
    accepted("opened", validator.validate(&token).await);
    assert_eq!((fetch.refused(), server.hits(JWKS)), (0, 1));
}

#[tokio::test]
async fn keys_can_be_read_from_a_place_of_their_own() {
    let server = Publisher::of(&[&keys::P256]).await;
    let url = format!("{}{JWKS}", server.issuer).parse().expect("a URL");
    let (validator, _) = server.validator(|builder| times(builder).jwks_uri(url));
    accepted(
        "good",
        validator
            .validate(&server.token(&keys::P256).sign(&keys::P256))
            .await,
    );
    assert_eq!((server.hits(METADATA), server.hits(JWKS)), (0, 1));
}
