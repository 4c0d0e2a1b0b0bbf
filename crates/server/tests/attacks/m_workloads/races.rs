//! The same JWT from all sides at once, and what is disabled while a request is under way.

use std::{
    collections::BTreeMap,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use grantor::jose::Algorithm;
use grantor_testkit::double::{
    Gate, Publisher, Reply,
    publisher::{JWKS, key_set},
};

use super::idp::{Idp, jwks_file};
use crate::{forge::Key, oracle::Use, support::Server};

/// A server with an issuer whose JWTs every trust takes: a grant for whom the request names, and as
/// the authentication of a client.
fn server() -> (Server, Idp) {
    let server = Server::start();
    let idp = Idp::uploaded(&server, "idp", &Key::generate(Algorithm::Es256), &[]);
    for name in ["one", "two"] {
        idp.trust(&server, name, &["--pin", "tenant=42"]);
    }
    idp.federated(&server, "job", "repo:acme/widgets");
    (server, idp)
}

#[test]
fn ta09_a_jwt_is_used_once_over_trusts_and_uses_also_by_64_threads() {
    let (server, idp) = server();
    let forms = |token: &str| {
        let grant = |client| {
            let mut form = Use::Grant.form(token);
            form.push(("client_id", client));
            form.into_iter().map(owned).collect::<Vec<_>>()
        };
        let authentication = Use::ClientAuth.form(token).into_iter().map(owned).collect();
        [grant("one"), grant("two"), authentication]
    };
    let ask = |form: &[(&'static str, String)]| {
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
        server.token(&form)
    };
    // One after another, whichever is first.
    for first in 0..3 {
        let forms = forms(&idp.jwt().sign());
        assert_eq!(ask(&forms[first]).status, 200, "TA09 control {first}");
        for (number, form) in forms.iter().enumerate() {
            let answer = ask(form);
            assert_eq!(
                answer.status, 400,
                "TA09 {number} after {first}: {answer:?}"
            );
            assert!(answer.body.contains("used before"), "TA09: {answer:?}");
        }
    }
    for round in 0..8 {
        let forms = forms(&idp.jwt().sign());
        let start = Barrier::new(64);
        let answers: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..64)
                .map(|number| {
                    let (start, ask, form) = (&start, &ask, &forms[number % 3]);
                    scope.spawn(move || {
                        start.wait();
                        ask(form).status
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("an answer"))
                .collect()
        });
        let granted = answers.iter().filter(|status| **status == 200).count();
        assert_eq!(granted, 1, "TA09 round {round}: {answers:?}");
        assert!(
            answers.iter().all(|status| [200, 400].contains(status)),
            "TA09: {answers:?}"
        );
    }
}

fn owned<'a>((name, value): (&'a str, &str)) -> (&'a str, String) {
    (name, value.to_owned())
}

/// What ends the JWTs of an issuer, what brings them back, and by which rule they are refused.
const SWITCHES: [(&[&str], &[&str], &str); 4] = [
    (
        &["issuer", "disable", "idp"],
        &["issuer", "enable", "idp"],
        "issuer",
    ),
    (
        &["trust", "disable", "one"],
        &["trust", "enable", "one"],
        "trust",
    ),
    (
        &["client", "disable", "one"],
        &["client", "enable", "one"],
        "client",
    ),
    (
        &["subject", "disable", "alice"],
        &["subject", "enable", "alice"],
        "subject",
    ),
];

/// A server with a trust `one` for the subject `alice`, who is registered.
fn with_subject(options: &[&str]) -> (Server, Idp) {
    let server = Server::start();
    let idp = Idp::uploaded(&server, "idp", &Key::generate(Algorithm::Es256), options);
    idp.trust(
        &server,
        "one",
        &["--pin", "tenant=42", "--subject", "existing:who"],
    );
    for subject in ["alice", "bob"] {
        server.ok(&["subject", "create", subject]);
        server.ok(&["permission", "create", "one", subject, "--scope", "read"]);
    }
    (server, idp)
}

#[test]
fn ta55_what_another_process_disables_is_refused_within_a_second_and_ends_its_tokens() {
    let (server, idp) = with_subject(&[]);
    let api = server.client("api", &["--auth", "client_secret_post"]);
    let file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(api).expect("a file")).expect("JSON");
    let secret = file["client_secret"].as_str().expect("a secret").to_owned();
    let ask = || server.token(&Use::Grant.form(&idp.jwt().text("who", "alice").sign()));
    let is_active = |token: &str| {
        let form = [
            ("token", token),
            ("client_id", "api"),
            ("client_secret", &*secret),
        ];
        server.post("/introspect", &form, &[]).json()["active"].clone()
    };
    for (disable, enable, _) in SWITCHES {
        let granted = ask();
        assert_eq!(
            granted.status, 200,
            "TA55 control of {disable:?}: {granted:?}"
        );
        let token = granted.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        assert_eq!(is_active(&token), true, "T090 control of {disable:?}");
        server.ok(disable);
        let disabled = Instant::now();
        server.wait_until("it is refused", || ask().status != 200);
        assert!(
            disabled.elapsed() < Duration::from_secs(1),
            "TA55 {disable:?}: {:?}",
            disabled.elapsed()
        );
        let answer = ask();
        assert_eq!(answer.status, 400, "TA55 {disable:?}: {answer:?}");
        server.wait_until("its tokens are inactive", || is_active(&token) == false);
        assert!(
            disabled.elapsed() < Duration::from_secs(2),
            "T090 {disable:?}"
        );
        server.ok(enable);
        server.wait_until("it is granted again", || ask().status == 200);
    }
}

/// The switch is thrown while the server waits for the keys of the issuer.
#[test]
fn ta55_what_is_disabled_while_a_request_waits_grants_nothing() {
    let server = Server::start();
    let key = Key::generate(Algorithm::Es256);
    let publisher = Publisher::apart(&[&key]);
    let idp = Idp::published(&server, &publisher, "idp", &key, &[]);
    idp.trust(
        &server,
        "one",
        &["--pin", "tenant=42", "--subject", "existing:who"],
    );
    server.ok(&["subject", "create", "alice"]);
    server.ok(&["permission", "create", "one", "alice", "--scope", "read"]);
    for (disable, enable, rule) in SWITCHES {
        for throws in [true, false] {
            // Its keys are asked for again after each change of it.
            server.ok(&[
                "issuer",
                "update",
                "idp",
                "--leeway",
                if throws { "31s" } else { "32s" },
            ]);
            let (gate, asked) = (Gate::new(), publisher.hits(JWKS));
            publisher.says(JWKS, Reply::json(&key_set(&[&key])).behind(&gate));
            let token = idp.jwt().text("who", "alice").sign();
            let answer = thread::scope(|scope| {
                let waiting = scope.spawn(|| server.token(&Use::Grant.form(&token)));
                server.wait_until("the keys are asked for", || publisher.hits(JWKS) > asked);
                if throws {
                    server.ok(disable);
                }
                gate.open();
                waiting.join().expect("an answer")
            });
            if throws {
                assert!(
                    (400..500).contains(&answer.status),
                    "TA55 {rule}: {answer:?}"
                );
                server.ok(enable);
            } else {
                assert_eq!(answer.status, 200, "TA55 control of {rule}: {answer:?}");
            }
        }
    }
}

/// Many requests are under way whenever the switch is thrown; those that come behind it get nothing.
#[test]
fn ta55_no_request_that_begins_behind_the_switch_is_granted() {
    let (server, idp) = with_subject(&["--replay", "reusable"]);
    for (disable, enable, rule) in SWITCHES {
        let (over, late) = (AtomicBool::new(false), AtomicUsize::new(0));
        let counts = thread::scope(|scope| {
            let asking: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut counts = BTreeMap::<String, usize>::new();
                        let token = idp.jwt().text("who", "alice").sign();
                        for _ in 0..20_000 {
                            let was_over = over.load(Ordering::SeqCst);
                            let answer = server.token(&Use::Grant.form(&token));
                            if was_over && answer.status == 200 {
                                late.fetch_add(1, Ordering::SeqCst);
                            }
                            let what = match answer.status {
                                200 => "granted".to_owned(),
                                _ => answer.error(),
                            };
                            *counts.entry(what).or_default() += 1;
                            if was_over {
                                break;
                            }
                        }
                        counts
                    })
                })
                .collect();
            server.wait_until("they are granted", || {
                server
                    .token(&Use::Grant.form(&idp.jwt().text("who", "alice").sign()))
                    .status
                    == 200
            });
            server.ok(disable);
            let thrown = Instant::now();
            // T035: in force within one second, in whatever process.
            server.wait_until("a second is over", || {
                thrown.elapsed() >= Duration::from_secs(1)
            });
            over.store(true, Ordering::SeqCst);
            asking
                .into_iter()
                .map(|thread| thread.join().expect("answers"))
                .collect::<Vec<_>>()
        });
        assert_eq!(late.load(Ordering::SeqCst), 0, "TA55 {rule}: {counts:?}");
        let granted: usize = counts
            .iter()
            .filter_map(|counts| counts.get("granted"))
            .sum();
        assert!(
            granted > 0,
            "TA55 {rule}: nothing was granted before: {counts:?}"
        );
        server.ok(enable);
    }
}

#[test]
fn ta56_an_issuer_that_is_made_again_has_nothing_of_the_one_before() {
    let server = Server::start();
    let (old, new) = (
        Key::generate(Algorithm::Es256),
        Key::generate(Algorithm::Es256),
    );
    let idp = Idp::uploaded(&server, "idp", &old, &[]);
    idp.trust(&server, "one", &["--pin", "tenant=42"]);
    let ask = |token: &str| server.token(&Use::Grant.form(token));
    let (used, unused) = (idp.jwt().sign(), idp.jwt().sign());
    assert_eq!(ask(&used).status, 200, "TA56 control");
    let kept = server.run(&["issuer", "delete", "idp"]);
    assert_eq!(
        kept.status.code(),
        Some(1),
        "T092 it has trusts: {}",
        kept.stderr
    );
    server.ok(&["issuer", "delete", "idp", "--cascade"]);
    server.wait_until("it is gone", || ask(&unused).status == 400);
    // Under another key, then under the same.
    let again = Idp::uploaded(&server, "idp", &new, &[]);
    for token in [&used, &unused] {
        assert_eq!(ask(token).error(), "invalid_grant", "TA56 an old key");
    }
    assert_eq!(
        ask(&again.jwt().sign()).error(),
        "invalid_grant",
        "TA56 the old trust is gone"
    );
    assert!(
        !server.run(&["trust", "show", "one"]).status.success(),
        "TA56"
    );
    again.trust(&server, "one-again", &["--pin", "tenant=42"]);
    server.wait_until("the new trust is there", || {
        ask(&again.jwt().sign()).status == 200
    });
    assert_eq!(ask(&unused).error(), "invalid_grant", "TA56 an old key");
    let path = jwks_file(&server, "both", &[old.public_jwk(&[]), new.public_jwk(&[])]);
    server.ok(&["issuer", "update", "idp", "--jwks", &path]);
    server.wait_until("the old key is uploaded again", || {
        ask(&idp.jwt().sign()).status == 200
    });
    let replayed = ask(&used);
    assert!(
        replayed.body.contains("used before"),
        "T092 a used JWT stays used: {replayed:?}"
    );
    assert_eq!(
        ask(&unused).status,
        200,
        "TA56 control: one that was not used"
    );
}
