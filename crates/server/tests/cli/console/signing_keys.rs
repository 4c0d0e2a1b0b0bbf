//! The keys that tokens are signed with.

use std::fs;

use grantor_testkit::binary::database::is_postgres;
use serde_json::Value;

use crate::support::Server;

fn keys(server: &Server) -> Vec<Value> {
    serde_json::from_str(&server.ok(&["key", "list", "--json"])).expect("JSON")
}

fn kid(key: &Value) -> &str {
    key["kid"].as_str().unwrap_or_default()
}

/// Gets so many tokens.
fn tokens(server: &Server, count: usize) {
    let out = server.directory().join("billing.json");
    let path = out.to_string_lossy();
    let command = [
        "client",
        "create",
        "billing",
        "--auth",
        "client_secret_post",
    ];
    server.ok(&[&command[..], &["--scope", "a", "--out", &path]].concat());
    let file = fs::read(&out).expect("a key file");
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    let secret = file["client_secret"].as_str().expect("a secret");
    for _ in 0..count {
        let answer = server.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", "billing"),
            ("client_secret", secret),
        ]);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[test]
fn m128_keys_are_on_a_time_line_and_a_new_one_is_made() {
    let server = Server::start();
    let mut console = server.console();
    let page = console.page("/signing-keys");
    assert!(page.body.contains("<svg"), "{page:?}");
    assert!(page.body.contains("✓ signing"), "{page:?}");
    assert!(page.body.contains("/jwks"), "{page:?}");
    let form = console.page("/signing-keys/new");
    assert!(
        form.body.contains("stay published until the last token"),
        "{form:?}"
    );
    let made = console.submit("/signing-keys/new", &[("alg", "ES256"), ("ahead", "3600")]);
    assert_eq!(made.status, 200, "{made:?}");
    assert!(
        made.body.contains("is published, and signs from"),
        "{made:?}"
    );
    assert!(made.body.contains("! upcoming"), "{made:?}");
    let keys = keys(&server);
    assert_eq!(
        (keys.len(), &keys[0]["state"], &keys[0]["alg"]),
        (2, &"next".into(), &"ES256".into())
    );
}

#[test]
fn m112_m128_revoking_says_what_breaks_by_count_and_the_key_that_signs_stays() {
    let server = Server::start();
    tokens(&server, 3);
    let mut console = server.console();
    let first = kid(&keys(&server)[0]).to_owned();
    let path = format!("/signing-keys/{first}/revoke");
    server.wait_until("the tokens are counted", || {
        console.page(&path).body.contains("at most 3 are alive")
    });
    let question = console.page(&path);
    assert!(question.body.contains("It signs now"), "{question:?}");
    let refused = console.submit(&path, &[]);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(
        refused
            .body
            .contains("This key signs now, so it has not been revoked."),
        "{refused:?}"
    );
    assert_eq!(kid(&keys(&server)[0]), first);
    let mut french = console.clone();
    french.browser.headers = vec![("Accept-Language".to_owned(), "fr".to_owned())];
    let refused = french.submit(&path, &[]);
    assert!(
        refused.body.contains("Cette clé signe à présent"),
        "{refused:?}"
    );

    let rotated = console.submit("/signing-keys/new", &[("ahead", "0")]);
    if is_postgres() {
        // Nodes that share a database publish a key for 10 s before any of them signs with it.
        let told = "is published, and signs from";
        assert!(rotated.body.contains(told), "{rotated:?}");
        server.wait_until("the new key signs", || {
            let page = console.page("/signing-keys");
            page.body.contains("– previous")
        });
    } else {
        let told = "is published, and signs.";
        assert!(rotated.body.contains(told), "{rotated:?}");
        assert!(rotated.body.contains("– previous"), "{rotated:?}");
    }
    let question = console.page(&path);
    assert!(
        question.body.contains("at most 3 are alive"),
        "{question:?}"
    );
    let revoked = console.submit(&path, &[("reason", "in wrong hands")]);
    assert!(revoked.body.contains("is revoked."), "{revoked:?}");
    let left = keys(&server);
    assert!(left.iter().all(|key| kid(key) != first), "{left:?}");
    // One that signs, where that is said.
    let second = kid(&left[0]).to_owned();
    let path = format!("/signing-keys/{second}/revoke");
    let revoked = console.submit(&path, &[("while_signing", "true")]);
    assert!(revoked.body.contains("is revoked."), "{revoked:?}");
    assert!(keys(&server).iter().any(|key| key["state"] == "signing"));
}

#[test]
fn ma44_a_key_is_made_within_bounds_only() {
    let server = Server::start();
    let mut console = server.console();
    for (field, value, fault) in [
        ("ahead", "-1", "ahead-fault"),
        ("ahead", "315360000", "ahead-fault"),
        ("alg", "HS256", "alg-fault"),
        ("alg", "none", "alg-fault"),
    ] {
        let refused = console.submit("/signing-keys/new", &[(field, value)]);
        assert_eq!(refused.status, 422, "{value}: {refused:?}");
        assert!(refused.body.contains(fault), "{value}: {refused:?}");
    }
    assert_eq!(keys(&server).len(), 1);
    for _ in 1..16 {
        let made = console.submit("/signing-keys/new", &[]);
        assert_eq!(made.status, 200, "{made:?}");
    }
    let refused = console.submit("/signing-keys/new", &[]);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(
        refused.body.contains("16 keys are published already"),
        "{refused:?}"
    );
    assert_eq!(keys(&server).len(), 16);
}

#[test]
fn m113_ma24_signing_keys_are_an_owners_and_no_form_of_them_is_sent_past_its_page() {
    let server = Server::start();
    let mut owner = server.console();
    let mut editor = server.console_as("ed", "editor");
    assert!(
        owner
            .page("/signing-keys")
            .body
            .contains("/signing-keys/new")
    );
    assert!(
        !editor
            .page("/signing-keys")
            .body
            .contains("/signing-keys/new")
    );
    assert_eq!(editor.open("/signing-keys/new").status, 403);
    let form = owner.form("/signing-keys/new");
    assert_eq!(editor.browser.submit(&form, &[]).status, 403);
    let mut forged = form.clone();
    forged.fields.retain(|(name, _)| name != "t");
    assert_eq!(owner.browser.submit(&forged, &[]).status, 403);
    assert_eq!(keys(&server).len(), 1);
    assert_eq!(owner.browser.submit(&form, &[]).status, 200);
    assert_eq!(keys(&server).len(), 2);
}
