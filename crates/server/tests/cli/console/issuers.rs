//! Issuers: third parties whose JWTs are taken.

use std::sync::Arc;

use grantor::jose::Algorithm;
use grantor_testkit::forge::Key;
use serde_json::Value;

use crate::{
    desk::{jwt, key_set},
    support::Server,
};

const ISS: &str = "https://idp.example/";

fn issuer(server: &Server, name: &str) -> Value {
    let shown = server.run(&["issuer", "show", name, "--json"]);
    serde_json::from_str(&shown.stdout).unwrap_or_default()
}

/// With this issuer, whose keys are uploaded, and a trust of it.
fn with_issuer(server: &Server) -> Arc<Key> {
    let key = Key::generate(Algorithm::Es256);
    let mut console = server.console();
    let made = console.submit(
        "/issuers/new/by-hand",
        &[
            ("iss", ISS),
            ("name", "idp"),
            ("from", "jwks"),
            ("keys/jwks", &key_set(&[&key])),
            ("reason", "asked for by partner"),
        ],
    );
    assert_eq!(made.status, 200, "{made:?}");
    assert!(
        made.body
            .contains("is registered. A JWT of it is worth nothing"),
        "{made:?}"
    );
    assert!(
        made.body.contains("/console/trusts/new?issuer=idp"),
        "{made:?}"
    );
    server.ok(&[
        "trust",
        "create",
        "orders",
        "--from",
        "idp",
        "--pin",
        "sub=job-1",
        "--scope",
        "orders:read",
    ]);
    key
}

#[test]
fn m127_an_issuer_is_registered_changed_switched_and_deleted_with_its_trusts() {
    let server = Server::start();
    let mut console = server.console();
    let empty = console.page("/issuers");
    assert!(empty.body.contains("No issuers yet"), "{empty:?}");
    let key = with_issuer(&server);
    let page = console.page("/issuers/idp");
    assert!(page.body.contains(key.key_id().expect("a kid")), "{page:?}");
    assert!(page.body.contains("/console/trusts/orders"), "{page:?}");
    assert!(page.body.contains("Once, by its jti"), "{page:?}");

    // Only what was changed is sent, so the keys that are there stay.
    let changed = console.submit(
        "/issuers/idp/edit",
        &[
            ("replay", "reusable"),
            ("audiences", "https://a.example\r\nhttps://b.example"),
        ],
    );
    assert!(changed.body.contains("is changed."), "{changed:?}");
    let document = issuer(&server, "idp");
    assert_eq!(document["replay"], "reusable");
    assert_eq!(document["audiences"][1], "https://b.example");
    assert_eq!(
        document["keys"]["jwks"]["keys"].as_array().map(Vec::len),
        Some(1)
    );
    let same = console.submit("/issuers/idp/edit", &[]);
    assert!(same.body.contains("was changed"), "{same:?}");

    let question = console.page("/issuers/idp/switch");
    assert!(
        question
            .body
            .contains("One trust is concerned: <bdi>orders</bdi>."),
        "{question:?}"
    );
    let off = console.submit("/issuers/idp/switch", &[("revoke_tokens", "true")]);
    assert!(off.body.contains("is disabled."), "{off:?}");
    let document = issuer(&server, "idp");
    assert_eq!(document["enabled"], false);
    assert!(document["tokens_since"].is_string(), "{document}");
    console.submit("/issuers/idp/switch", &[]);
    assert_eq!(issuer(&server, "idp")["enabled"], true);

    let next = Key::generate(Algorithm::Es256);
    let added = console.submit("/issuers/idp/keys", &[("keys/jwks", &key_set(&[&next]))]);
    assert!(added.body.contains("are uploaded."), "{added:?}");
    assert_eq!(
        issuer(&server, "idp")["keys"]["uploaded"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );

    let refused = console.submit("/issuers/idp/delete", &[]);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(
        refused
            .body
            .contains("It has trusts, so nothing has been deleted."),
        "{refused:?}"
    );
    assert!(issuer(&server, "idp").is_object());
    let deleted = console.submit("/issuers/idp/delete", &[("cascade", "true")]);
    assert!(deleted.body.contains("and its trusts (1)."), "{deleted:?}");
    assert!(issuer(&server, "idp").is_null());
    assert!(
        server
            .ok(&["changes", "list"])
            .contains("asked for by partner")
    );
}

#[test]
fn m030_m166_a_jwt_is_tried_without_being_used_up_or_shown_again() {
    let server = Server::start();
    let key = with_issuer(&server);
    let good = jwt(&key, ISS, &server.issuer, &[]);
    let other = jwt(&key, ISS, &server.issuer, &[("sub", "job-2".into())]);
    let mut reader = server.console_as("rita", "reader");
    for path in ["/issuers/idp/test", "/trusts/orders/test"] {
        let tried = reader.submit(path, &[("jwt", &other)]);
        assert_eq!(tried.status, 200, "{path}: {tried:?}");
        assert!(
            tried.body.contains("It would get nothing."),
            "{path}: {tried:?}"
        );
        assert!(
            tried.body.contains("job-1") && tried.body.contains("job-2"),
            "{path}: {tried:?}"
        );
        assert!(!tried.body.contains(&other), "{path}");
        let tried = reader.submit(path, &[("jwt", &good)]);
        assert!(
            tried.body.contains("It would get a token."),
            "{path}: {tried:?}"
        );
        let signature = good.rsplit('.').next().expect("a part");
        assert!(!tried.body.contains(signature), "{path}");
        let wrong = reader.submit(path, &[("jwt", "no.jwt"), ("at", "yesterday")]);
        assert_eq!(wrong.status, 422, "{path}: {wrong:?}");
        assert!(wrong.body.contains("id=\"at-fault\"") && !wrong.body.contains("no.jwt"));
    }
    // It is good once, and its trial was none of that.
    let form = [
        ("grant_type", crate::support::JWT_BEARER),
        ("assertion", &good),
    ];
    assert_eq!(server.token(&form).status, 200);
    assert_eq!(server.token(&form).status, 400);
    let log = format!("{:?}", server.log());
    assert!(!log.contains(good.rsplit('.').next().expect("a part")));
}

#[test]
fn ma43_m009_an_issuer_is_refused_with_what_is_wrong_at_its_field() {
    let server = Server::start();
    let mut console = server.console();
    for (place, url, field) in [
        ("jwks_uri", "http://127.0.0.1:1/jwks", "keys/jwks_uri"),
        ("jwks_uri", "https://169.254.169.254/jwks", "allow_internal"),
        ("jwks_uri", "https://10.0.0.1/jwks", "allow_internal"),
        ("discovery", "https://127.0.0.1/x", "allow_internal"),
    ] {
        let name = match place {
            "discovery" => "keys/discovery/metadata_url",
            _ => "keys/jwks_uri",
        };
        let typed = [("iss", ISS), ("name", "idp"), ("from", place), (name, url)];
        let refused = console.submit("/issuers/new/by-hand", &typed);
        assert_eq!(refused.status, 422, "{url}: {refused:?}");
        assert!(
            refused.body.contains(&format!("id=\"{field}-fault\"")),
            "{url}: {refused:?}"
        );
        assert!(
            refused.body.contains(&format!("value=\"{url}\"")),
            "{url}: {refused:?}"
        );
        assert!(issuer(&server, "idp").is_null(), "{url}");
    }
    let refused = console.submit(
        "/issuers/new/by-hand",
        &[("iss", ISS), ("from", "jwks_uri")],
    );
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("id=\"keys-fault\""), "{refused:?}");
    let refused = console.submit(
        "/issuers/new/by-hand",
        &[("iss", ISS), ("from", "jwks"), ("keys/jwks", "{")],
    );
    assert!(
        refused.body.contains("id=\"keys/jwks-fault\""),
        "{refused:?}"
    );
    // The control differs in the keys alone.
    with_issuer(&server);
}

#[test]
fn m127_an_issuer_says_which_fetch_of_its_keys_failed() {
    let server = Server::start();
    let mut console = server.console();
    let made = console.submit(
        "/issuers/new/by-hand",
        &[
            ("iss", ISS),
            ("name", "idp"),
            ("from", "jwks_uri"),
            ("keys/jwks_uri", "https://127.0.0.1:1/jwks"),
            ("allow_internal", "127.0.0.0/8"),
            ("skip_check", "true"),
        ],
    );
    assert_eq!(made.status, 200, "{made:?}");
    let page = console.page("/issuers/idp");
    assert!(page.body.contains("They were not fetched yet"), "{page:?}");
    assert!(!page.body.contains("The last fetch failed"), "{page:?}");
    let key = Key::generate(Algorithm::Es256);
    let assertion = jwt(&key, ISS, &server.issuer, &[]);
    let form = [
        ("grant_type", crate::support::JWT_BEARER),
        ("assertion", &assertion),
    ];
    assert_eq!(server.token(&form).status, 503);
    let page = console.page("/issuers/idp");
    assert!(page.body.contains("The last fetch failed"), "{page:?}");
    let refused = console.submit("/issuers/idp/refresh", &[]);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("cannot be had"), "{refused:?}");
}

#[test]
fn ma42_a_reader_is_offered_no_form_of_issuers_and_gets_none() {
    let server = Server::start();
    with_issuer(&server);
    let mut reader = server.console_as("rita", "reader");
    let mut editor = server.console_as("ed", "editor");
    for path in ["edit", "switch", "delete", "keys"] {
        let path = format!("/issuers/idp/{path}");
        assert!(!reader.page("/issuers/idp").body.contains(&path), "{path}");
        assert!(editor.page("/issuers/idp").body.contains(&path), "{path}");
        assert_eq!(reader.open(&path).status, 403, "{path}");
        let form = editor.form(&path);
        assert_eq!(reader.browser.submit(&form, &[]).status, 403, "{path}");
    }
    assert!(issuer(&server, "idp").is_object());
    // Networks are an owner's to open.
    assert!(
        !editor
            .page("/issuers/idp/edit")
            .body
            .contains("name=\"allow_internal\"")
    );
    let form = editor.form("/issuers/idp/edit");
    let opened = editor
        .browser
        .submit(&form, &[("allow_internal", "10.0.0.0/8")]);
    assert_ne!(opened.status, 200, "{opened:?}");
    assert!(issuer(&server, "idp")["allow_internal"].is_null());
}
