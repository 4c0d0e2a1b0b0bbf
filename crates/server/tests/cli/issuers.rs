//! `grantor issuer`: third parties are registered if all of it makes sense and their keys can be
//! had; what is refused says which flag, why, and what would be accepted, and stores nothing.

use std::net::TcpListener;

use grantor_testkit::binary::database::is_not_of_sqlite;
use grantor_testkit::{
    binary::Server,
    double::{Foreign, Script, redirect},
};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::desk::{Desk, ISS, OURS, jwt, key_set};

/// A third party that publishes the desk's key, on a loopback address.
fn publisher(desk: &Desk, change: impl FnOnce(&str, &mut Script)) -> Foreign {
    let keys: Value = serde_json::from_str(&key_set(&[&desk.key])).expect("JSON");
    Foreign::start(|issuer, script| {
        script.documents.insert("/jwks".to_owned(), keys);
        change(issuer, script);
    })
}

const LOOPBACK: [&str; 2] = ["--allow-internal", "127.0.0.0/8"];

#[test]
fn t001_an_issuer_is_registered_listed_and_shown_by_iss_and_by_name() {
    let desk = Desk::new();
    let text = desk.ok(&[
        "issuer", "create", ISS, "--name", "idp", "--jwks", "idp.jwks",
    ]);
    assert_eq!(text, format!("issuer {ISS} created, named idp\n"));
    let by_iss = desk.json(&["issuer", "show", ISS]);
    assert_eq!(desk.json(&["issuer", "show", "idp"]), by_iss);
    assert_eq!(
        (&by_iss["iss"], &by_iss["replay"], &by_iss["max_lifetime"]),
        (&json!(ISS), &json!("once"), &json!(3600))
    );
    let list = desk.json(&["issuer", "list"]);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    desk.refuses(
        &["issuer", "show", ISS.trim_end_matches('/')],
        1,
        &["does not exist", "grantor issuer list"],
    );
}

#[test]
fn t003_what_makes_no_sense_names_its_flag_and_stores_nothing() {
    let desk = Desk::new();
    let pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    desk.file("key.pem", pem);
    desk.file("no.json", "[]");
    let keys = ["--jwks", "idp.jwks"];
    let rows: &[(&str, &[&str], &[&str])] = &[
        (ISS, &[], &["--discover", "--jwks-uri", "--spiffe-bundle"]),
        (
            ISS,
            &["--jwks", "idp.jwks", "--discover"],
            &["--discover", "--jwks"],
        ),
        (
            ISS,
            &["--jwks-uri", "https://a.example/k", "--pem", "key.pem"],
            &["--pem", "--jwks-uri"],
        ),
        (
            ISS,
            &["--jwks", "nowhere.jwks"],
            &["--jwks nowhere.jwks", "No such file"],
        ),
        (
            ISS,
            &["--jwks", "key.pem"],
            &["--jwks", "name it with --pem"],
        ),
        (ISS, &["--pem", "key.pem"], &["--pem"]),
        (
            ISS,
            &["--spiffe-bundle", "no.json"],
            &["--spiffe-bundle", "expected"],
        ),
        (
            ISS,
            &["--jwks-uri", "http://idp.example/keys"],
            &["--jwks-uri", "https"],
        ),
        (
            ISS,
            &["--jwks-uri", "https://u:p@idp.example/keys"],
            &["--jwks-uri", "user"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--metadata-url", "https://a.example"],
            &["--metadata-url", "--discover"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--max-lifetime", "26h"],
            &["--max-lifetime", "25"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--leeway", "6m"],
            &["--leeway", "5 min"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--alg", "HS256"],
            &["--alg", "ES256"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--alg", "RS256"],
            &["ES256", "--alg"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--typ", "wit+jwt"],
            &["--typ", "wit+jwt"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--audience", ""],
            &["--audience"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--replay", "twice"],
            &["--replay", "once-by-digest"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--shared"],
            &["--tenant-claim"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--tenant-claim", "org"],
            &["--shared"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--allow-internal", "everywhere"],
            &["--allow-internal", "10.0.0.0/8"],
        ),
        (
            ISS,
            &["--jwks", "idp.jwks", "--name", "two words"],
            &["--name", "letter or digit"],
        ),
        (ISS, &["--discover", "--ca-file", "no.json"], &["--ca-file"]),
        ("", &keys, &["ISS", "empty"]),
        (OURS, &keys, &["ISS", "own name"]),
        ("idp", &["--discover"], &["ISS", "no URL", "metadata_url"]),
    ];
    for (iss, flags, words) in rows {
        desk.refuses(&[&["issuer", "create", iss], *flags].concat(), 2, words);
    }
    desk.ok(&[&["issuer", "create", ISS], &keys[..]].concat());
    let listed = desk.json(&["issuer", "list"]);
    assert_eq!(
        listed.as_array().map(Vec::len),
        Some(1),
        "the control alone"
    );
}

#[test]
fn t017_t018_a_name_is_one_partys() {
    let desk = Desk::with_issuer();
    desk.refuses(
        &["issuer", "create", ISS, "--jwks", "idp.jwks"],
        1,
        &[ISS, "exists already"],
    );
    let kubeadm = "https://kubernetes.default.svc.cluster.local";
    desk.ok(&["issuer", "create", kubeadm, "--jwks", "idp.jwks"]);
    desk.refuses(
        &["issuer", "create", kubeadm, "--jwks", "idp.jwks"],
        1,
        &["--service-account-issuer"],
    );
    desk.refuses(
        &["client", "create", ISS, "--generate-key"],
        1,
        &[ISS, "exists already"],
    );
    desk.ok(&["client", "create", "billing", "--generate-key"]);
    desk.refuses(
        &["issuer", "create", "billing", "--jwks", "idp.jwks"],
        1,
        &["billing", "exists already"],
    );
}

#[test]
fn t020_keys_are_fetched_once_before_an_issuer_is_registered() {
    let desk = Desk::new();
    let good = publisher(&desk, |_, _| {});
    let create = |issuer: &str, more: &[&str]| -> Vec<String> {
        let arguments = [&["issuer", "create", issuer, "--discover"], more].concat();
        arguments.into_iter().map(str::to_owned).collect()
    };
    let refuses = |issuer: &str, more: &[&str], words: &[&str]| {
        let arguments = create(issuer, more);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        desk.refuses(
            &arguments,
            1,
            &[words, &["nothing was registered"]].concat(),
        );
    };
    let other = publisher(&desk, |_, script| {
        script.metadata()["issuer"] = json!("https://other.example");
    });
    refuses(
        &other.issuer,
        &LOOPBACK,
        &["https://other.example", &other.issuer],
    );
    let keyless = publisher(&desk, |_, script| {
        script
            .documents
            .insert("/jwks".to_owned(), json!({"keys": []}));
    });
    refuses(&keyless.issuer, &LOOPBACK, &["/jwks"]);
    assert_eq!(
        desk.json(&["issuer", "list"]),
        json!([]),
        "nothing is stored"
    );
    let arguments = create(&good.issuer, &LOOPBACK);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    desk.ok(&arguments);
}

#[test]
fn t075_what_the_guard_refuses_is_named_and_nothing_is_asked() {
    let desk = Desk::new();
    let good = publisher(&desk, |_, _| {});
    // The control of the test above opens the network: the same is refused without it.
    desk.refuses(
        &[
            "issuer",
            "create",
            ISS,
            "--jwks-uri",
            &format!("{}/jwks", good.issuer),
        ],
        2,
        &["--jwks-uri", "allow_internal"],
    );
    let at = good.issuer.replace("http://", "https://");
    desk.refuses(
        &["issuer", "create", &at, "--discover"],
        2,
        &[
            "--allow-internal",
            "127.0.0.1",
            "not public and not allowed",
        ],
    );
    assert_eq!(good.count(), 0);
    desk.ok(&["issuer", "create", &at, "--discover", "--no-check"]);
    assert_eq!(good.count(), 0);
}

#[test]
fn t006_keys_are_replaced_or_added_and_their_age_is_shown() {
    let desk = Desk::with_issuer();
    let next = grantor_testkit::forge::Key::generate(grantor::jose::Algorithm::Es256);
    desk.file("next.jwks", key_set(&[&next]));
    let kids = || -> Vec<(String, bool)> {
        let issuer = desk.json(&["issuer", "show", "idp"]);
        let keys = issuer["keys"]["uploaded"].as_array().cloned();
        let keys = keys.unwrap_or_default().into_iter();
        keys.map(|key| {
            assert!(key["added_at"].is_string(), "{key}");
            let name = key["name"].as_str().expect("a name").to_owned();
            (name, key["expires_at"].is_string())
        })
        .collect()
    };
    let [old, new] = [&desk.key, &next].map(|key| key.key_id().expect("a kid").to_owned());
    desk.ok(&[
        "issuer",
        "update",
        "idp",
        "--jwks",
        "next.jwks",
        "--overlap",
        "7d",
    ]);
    assert_eq!(kids(), [(old.clone(), true), (new.clone(), false)]);
    desk.ok(&["issuer", "update", "idp", "--jwks", "idp.jwks"]);
    assert_eq!(kids().len(), 1, "replaced");
    let text = desk.ok(&["issuer", "update", "idp", "--jwks", "next.jwks", "--add"]);
    assert!(text.starts_with("issuer idp updated\n"), "{text}");
    let names: Vec<_> = kids().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [old, new]);
    let text = desk.ok(&["issuer", "show", "idp"]);
    assert!(
        text.contains(", uploaded ") && text.contains(" ago"),
        "{text}"
    );
    for flags in [
        &["--add"][..],
        &["--add", "--discover"],
        &["--overlap", "7d", "--discover"],
    ] {
        desk.refuses(&[&["issuer", "update", "idp"], flags].concat(), 2, &["--"]);
    }
}

#[test]
fn t013_an_audience_that_is_not_ours_alone_is_marked() {
    let desk = Desk::new();
    let flags = [
        "--jwks",
        "idp.jwks",
        "--audience",
        "https://vercel.com/acme",
        "--audience",
        OURS,
    ];
    let text = desk.ok(&[&["issuer", "create", ISS, "--name", "idp"], &flags[..]].concat());
    assert!(text.contains("shared: https://vercel.com/acme"), "{text}");
    let issuer = desk.json(&["issuer", "show", "idp"]);
    assert_eq!(
        issuer["shared_audiences"],
        json!(["https://vercel.com/acme"])
    );
    let text = desk.ok(&["issuer", "show", "idp"]);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("audience"))
        .collect();
    assert!(
        lines.len() == 2 && lines[0].contains("(shared") && !lines[1].contains("(shared"),
        "{text}"
    );
}

#[test]
fn an_update_prints_what_differs() {
    let desk = Desk::with_issuer();
    let text = desk.ok(&[
        "issuer", "update", "idp", "--leeway", "1m", "--alg", "ES256",
    ]);
    assert!(
        text.contains("algorithms") && text.contains("leeway") && text.contains("60"),
        "{text}"
    );
    let text = desk.ok(&["issuer", "update", "idp", "--leeway", "1m"]);
    assert_eq!(text, "issuer idp is as it was\n");
    let updated = desk.json(&["issuer", "update", "idp", "--leeway", "30s"]);
    let differs = &updated["differences"][0];
    assert_eq!(
        (&differs["member"], &differs["before"], &differs["after"]),
        (&json!("leeway"), &json!(60), &json!(30))
    );
    desk.refuses(
        &["issuer", "update", "idp", "--leeway", "6m"],
        2,
        &["--leeway"],
    );
}

#[test]
fn keys_are_fetched_anew_on_request_and_a_failure_says_why() {
    let desk = Desk::new();
    let good = publisher(&desk, |_, _| {});
    let create = [
        "issuer",
        "create",
        &good.issuer,
        "--name",
        "far",
        "--discover",
    ];
    desk.ok(&[&create[..], &LOOPBACK].concat());
    let text = desk.ok(&["issuer", "refresh", "far"]);
    let kid = desk.key.key_id().expect("a kid");
    assert!(text.contains(kid) && text.contains("EC P-256"), "{text}");
    let shown = desk.ok(&["issuer", "show", "far"]);
    assert!(
        shown.contains("fetched") && shown.contains("not yet"),
        "{shown}"
    );
    desk.ok(&[
        "issuer",
        "update",
        "far",
        "--jwks-uri",
        &format!("{}/nowhere", good.issuer),
        "--no-check",
    ]);
    desk.refuses(
        &["issuer", "refresh", "far"],
        1,
        &["404", "go on with those"],
    );
    desk.ok(&[
        "issuer", "create", ISS, "--name", "idp", "--jwks", "idp.jwks",
    ]);
    desk.refuses(
        &["issuer", "refresh", "idp"],
        1,
        &["uploaded", "--jwks FILE"],
    );
}

#[test]
fn t092_an_issuer_with_trusts_is_deleted_with_them_or_not_at_all() {
    let desk = Desk::with_issuer();
    desk.ok(&[
        "trust",
        "create",
        "ci",
        "--from",
        "idp",
        "--pin",
        "sub=job-1",
    ]);
    desk.refuses(&["issuer", "delete", "idp"], 1, &["ci", "--cascade"]);
    let deleted = desk.json(&["issuer", "delete", "idp", "--cascade"]);
    assert_eq!(deleted, json!({"deleted": "idp", "trusts": ["ci"]}));
    assert_eq!(desk.json(&["trust", "list"]), json!([]));
    desk.refuses(&["issuer", "delete", "idp"], 1, &["does not exist"]);
}

#[test]
fn t035_t053_a_server_takes_jwts_of_published_keys_and_commands_tell_their_age() {
    let desk = Desk::new();
    let published = publisher(&desk, |_, _| {});
    let server = Server::start();
    let create = [
        "issuer",
        "create",
        &published.issuer,
        "--name",
        "far",
        "--discover",
    ];
    server.ok(&[&create[..], &LOOPBACK].concat());
    server.ok(&[
        "trust",
        "create",
        "ci",
        "--from",
        "far",
        "--pin",
        "sub=job-1",
    ]);
    let mut number = 0;
    let mut grant = || {
        number += 1;
        let claims = [("jti", json!(format!("jti-{number}")))];
        let jwt = jwt(&desk.key, &published.issuer, &server.issuer, &claims);
        server.token(&[
            ("grant_type", crate::support::JWT_BEARER),
            ("assertion", &jwt),
        ])
    };
    let granted = grant();
    assert_eq!(granted.status, 200, "{granted:?}");
    server.wait_until("the keys are kept", || {
        let shown = server.ok(&["issuer", "show", "far", "--json"]);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        shown["fetched"]["stale"] == json!(false) && shown["fetched"]["at"].is_string()
    });
    let text = server.ok(&["issuer", "show", "far"]);
    assert!(
        text.lines()
            .any(|line| line.starts_with("fetched") && line.ends_with("ago")),
        "{text}"
    );
    let hits = published.count();
    server.ok(&["issuer", "refresh", "far"]);
    server.wait_until("the server fetches anew", || {
        grant();
        // The command asks for the metadata and the keys, and so does the server.
        published.count() >= hits + 4
    });
    server.ok(&["issuer", "disable", "far", "--revoke-tokens"]);
    server.wait_until("its JWTs are refused", || grant().status == 400);
    let text = server.ok(&["issuer", "show", "far"]);
    assert!(
        text.contains("disabled") && text.contains("tokens revoked"),
        "{text}"
    );
    server.ok(&["issuer", "enable", "far"]);
    server.wait_until("its JWTs are taken", || grant().status == 200);
}

#[test]
fn doctor_names_what_is_wrong_with_each_issuer() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let desk = Desk::new();
    let server = Server::start();
    let keys = server.directory().join("idp.jwks");
    std::fs::write(&keys, key_set(&[&desk.key])).expect("written");
    let other = publisher(&desk, |_, script| {
        script.metadata()["issuer"] = json!("https://other.example");
    });
    let moved = Foreign::start(|_, script| {
        script.token = Box::new(|_| redirect("https://new.example/keys"));
    });
    let create = |iss: &str, name: &str, flags: &[&str]| {
        server.ok(&[&["issuer", "create", iss, "--name", name], flags].concat());
    };
    let [allow, loopback] = LOOPBACK;
    create(
        &other.issuer,
        "other",
        &["--discover", "--no-check", allow, loopback],
    );
    let place = format!("{}/token", moved.issuer);
    create(
        "https://moved.example",
        "moved",
        &["--jwks-uri", &place, "--no-check", allow, loopback],
    );
    create(
        ISS,
        "idp",
        &[
            "--jwks",
            "idp.jwks",
            "--audience",
            "https://vercel.com/acme",
        ],
    );
    let pin = ["--pin", "sub=job-1", "--condition", "assertion.a == 'b'"];
    server.ok(&[&["trust", "create", "ci", "--from", "idp"], &pin[..]].concat());
    let database = Connection::open(server.data().join("grantor.db")).expect("the database");
    let spoil = "UPDATE trust SET document = json_set(document, '$.condition', 'matches(')";
    database.execute(spoil, ()).expect("spoilt");
    let output = crate::support::grantor(&server.data())
        .args(["doctor", "--json"])
        .output();
    let finished = crate::support::finished(output.expect("the binary runs"));
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
    let report: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    let find = |words: &[&str], verdict: &str| {
        let is_it = |finding: &&Value| {
            let message = finding["message"].as_str().unwrap_or_default();
            words.iter().all(|word| message.contains(word)) && finding["verdict"] == verdict
        };
        assert!(
            findings.iter().any(|finding| is_it(&finding)),
            "{words:?}: {report:#}"
        );
    };
    find(
        &["issuer other", "https://other.example", &other.issuer],
        "wrong",
    );
    find(&["issuer moved", "30", "https://new.example/keys"], "wrong");
    find(&["issuer idp", "1 usable keys"], "ok");
    find(&["issuer idp", "https://vercel.com/acme"], "note");
    find(
        &[
            "trust ci takes nothing",
            "its condition is none",
            "at octet",
        ],
        "wrong",
    );
}

#[test]
fn t074_a_proxy_of_the_environment_is_not_asked_and_a_configured_one_is() {
    let desk = Desk::new();
    let canary = TcpListener::bind("127.0.0.1:0").expect("a port");
    canary
        .set_nonblocking(true)
        .expect("a listener that does not wait");
    let at = format!("http://{}", canary.local_addr().expect("an address"));
    let create = |variables: &[&str]| {
        let output = crate::support::grantor(&desk.path().join("data"))
            .args(["issuer", "create", "https://idp.invalid", "--discover"])
            .envs(variables.iter().map(|name| (*name, &at)))
            .output();
        let finished = crate::support::finished(output.expect("the binary runs"));
        assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
        std::iter::from_fn(|| canary.accept().ok()).count()
    };
    assert_eq!(
        create(&["HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"]),
        0
    );
    assert!(create(&["GRANTOR_OUTGOING_PROXY"]) > 0, "the control");
}

#[test]
fn a_key_set_for_an_issuer_with_a_bundle_names_its_flag() {
    let desk = Desk::new();
    let mut key = desk.key.public_jwk(&[]);
    key["use"] = json!("jwt-svid");
    desk.file("bundle.json", json!({"keys": [key]}).to_string());
    let bundle = ["--spiffe-bundle", "bundle.json"];
    let create = [
        "issuer",
        "create",
        "spiffe://acme.example",
        "--name",
        "acme",
    ];
    desk.ok(&[&create[..], &bundle].concat());
    for add in [&[][..], &["--add"]] {
        let update = ["issuer", "update", "acme", "--jwks", "idp.jwks"];
        desk.refuses(
            &[&update[..], add].concat(),
            2,
            &["--jwks: the issuer has a SPIFFE bundle"],
        );
    }
    desk.ok(&[&["issuer", "update", "acme"], &bundle[..]].concat());
}
