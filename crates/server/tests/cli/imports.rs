//! `grantor import`: what another server has registered becomes a file that can be applied, and what
//! is not in it is said.

use std::fs;

use grantor::jose::{Algorithm, PrivateJwk};
use grantor_testkit::forge::Key;
use serde_json::{Value, json};

use crate::desk::{Desk, key_set};

/// Never to be seen again.
const SECRET: &str = "Zq3-9hT7-of-another-server";

/// A small realm: a service with a secret, an application, one with a key of its own, and users.
fn realm(key: &Key) -> Value {
    json!({
        "realm": "acme",
        "accessTokenLifespan": 300,
        "clients": [
            {"clientId": "account", "enabled": true},
            {"clientId": "billing", "enabled": true, "secret": SECRET, "clientAuthenticatorType": "client-secret", "serviceAccountsEnabled": true, "defaultClientScopes": ["email", "invoices:read"]},
            {"clientId": "app", "name": "Invoices", "enabled": true, "publicClient": true, "standardFlowEnabled": true, "consentRequired": true, "redirectUris": ["https://app.example/back", "https://app.example/*"]},
            {"clientId": "partner", "enabled": false, "clientAuthenticatorType": "client-jwt", "serviceAccountsEnabled": true, "attributes": {"use.jwks.string": "true", "jwks.string": key_set(&[key])}},
            {"clientId": "\u{1b}[2Jx\n# left out: nothing", "serviceAccountsEnabled": true},
        ],
        "clientScopes": [{"name": "invoices:read", "protocol": "openid-connect", "attributes": {"consent.screen.text": "Read your \"invoices\""}}],
        "users": [
            {"id": "5e1e0b9c-7a57-4a35-9b53-5f2a6e1d0c11", "username": "alice", "enabled": true, "credentials": [{"type": "password", "secretData": SECRET}]},
            {"id": "5e1e0b9c-7a57-4a35-9b53-5f2a6e1d0c12", "username": "bob", "enabled": false},
        ],
        "identityProviders": [{"alias": "ci", "providerId": "oidc", "enabled": true, "config": {"issuer": "https://ci.example", "useJwksUrl": "true", "jwksUrl": "https://ci.example/jwks", "clientSecret": SECRET}}],
        "roles": {"realm": [{"name": "admin"}]},
    })
}

#[test]
fn m075_an_export_of_keycloak_becomes_a_file_that_is_applied_once() {
    let desk = Desk::new();
    let export = desk.file("export.json", realm(&desk.key).to_string());
    let import = ["import", "keycloak", &export, "--out", "acme.toml"];
    let finished = desk.run(&import);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.stderr);
    assert!(
        finished
            .stdout
            .contains("3 clients, 2 subjects, 1 scope, 1 issuer; "),
        "{}",
        finished.stdout
    );
    let text = fs::read_to_string(desk.path().join("acme.toml")).expect("a file");
    let said: Vec<_> = finished.stderr.lines().collect();
    let comments: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .collect();
    assert_eq!(said, comments[1..], "{text}");
    for place in [
        "/clients/2/redirectUris/1 (app)",
        "/clients/4",
        "/roles",
        "/accessTokenLifespan",
    ] {
        let is_it = |line: &&str| line.starts_with(&format!("left out: {place}"));
        assert_eq!(
            said.iter().copied().filter(is_it).count(),
            1,
            "{place}: {said:?}"
        );
    }
    for shown in [&text, &finished.stderr] {
        assert!(
            !shown.contains(SECRET) && !shown.contains('\u{1b}'),
            "{shown}"
        );
    }
    desk.ok(&["subject", "create", "somebody"]);
    let dry = desk.run(&["apply", "acme.toml", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(3), "{}", dry.stderr);
    desk.ok(&["apply", "acme.toml", "--secrets-out", "secrets"]);
    let billing = desk.json(&["client", "show", "billing"]);
    assert_eq!(billing["scope"], json!("invoices:read"));
    assert_eq!(
        desk.json(&["client", "show", "partner"])["enabled"],
        json!(false)
    );
    let again = desk.run(&["apply", "acme.toml", "--dry-run"]);
    assert_eq!(
        again.status.code(),
        Some(0),
        "{}{}",
        again.stdout,
        again.stderr
    );

    desk.refuses(&import, 2, &["acme.toml exists"]);
}

#[test]
fn m075_as_json_it_is_the_same() {
    let desk = Desk::new();
    let export = desk.file("export.json", realm(&desk.key).to_string());
    let printed = desk.json(&["import", "keycloak", &export]);
    assert_eq!(
        printed["resources"]["client"].as_array().map(Vec::len),
        Some(3)
    );
    let import = ["import", "keycloak", &export, "--out", "acme.json"];
    let written = desk.json(&import);
    assert_eq!(written["left_out"], printed["left_out"]);
    let text = fs::read(desk.path().join("acme.json")).expect("a file");
    let file: Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(file, printed["resources"]);
    desk.ok(&["subject", "create", "somebody"]);
    let dry = desk.run(&["apply", "acme.json", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(3), "{}", dry.stderr);
}

#[test]
fn m075_what_cannot_be_read_is_one_line_with_its_place() {
    let desk = Desk::new();
    desk.file("list.json", "[]");
    desk.file("wrong.json", "{\"clients\":{}}");
    for (arguments, words) in [
        (&["missing.json"][..], &["missing.json"][..]),
        (&["list.json"], &["list.json", "is a list"]),
        (&["wrong.json"], &["/clients", "expected an array"]),
        (&["/dev/zero"], &["16777216"]),
    ] {
        desk.refuses(&[&["import", "keycloak"], arguments].concat(), 2, words);
    }
    let wrong = desk.run(&["import", "keycloak", "list.json", "--out", "acme.yaml"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stderr.contains("ends with .toml"), "{}", wrong.stderr);
}

#[test]
fn m076_a_key_set_becomes_a_client_that_is_applied_once() {
    let desk = Desk::new();
    let import = [
        "import",
        "jwks",
        "idp.jwks",
        "--client",
        "partner",
        "--scope",
        "invoices:read",
    ];
    desk.ok(&[&import[..], &["--out", "partner.toml"]].concat());
    desk.ok(&["apply", "partner.toml"]);
    let client = desk.json(&["client", "show", "partner"]);
    assert_eq!(client["scope"], json!("invoices:read"));
    assert_eq!(
        client["token_endpoint_auth_method"],
        json!("private_key_jwt")
    );
    let again = desk.run(&["apply", "partner.toml", "--dry-run"]);
    assert_eq!(again.status.code(), Some(0), "{}", again.stderr);

    let private = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let private = format!("{{\"keys\":[{}]}}", private.expose_json());
    desk.file("private.jwks", private);
    let refused = ["import", "jwks", "private.jwks", "--client", "partner"];
    desk.refuses(&refused, 2, &["private"]);
    let without = desk.run(&["import", "jwks", "idp.jwks"]);
    assert_eq!(without.status.code(), Some(2));
}
