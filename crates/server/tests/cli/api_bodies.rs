//! What is sent to the admin API: read strictly, all that is wrong at once, and nothing kept of it.

use grantor::jose::{Algorithm, PrivateJwk, base64url_encode};
use grantor_testkit::{
    binary::{Answer, Server, admin::Operator},
    forge::Key,
};
use serde_json::{Value, json};

/// The members at fault, of a refusal that names at least one.
fn pointers(answer: &Answer) -> Vec<String> {
    let document = answer.json();
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    assert!(!errors.is_empty(), "{}", answer.body);
    let pointer = |error: &Value| error["pointer"].as_str().unwrap_or_default().to_owned();
    errors.iter().map(pointer).collect()
}

fn send(operator: &Operator<'_>, method: &str, path: &str, body: &str) -> Answer {
    let headers = [("Content-Type", "application/json")];
    operator.send(method, path, &headers, body.as_bytes())
}

#[test]
fn m009_every_fault_is_named_at_once() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let body = json!({
        "client_id": 7,
        "token_endpoint_auth_method": "none",
        "scope": ["a"],
        "colour": "red",
        "redirect_uris": "https://a.example/",
        "generate": "HS256",
        "key_lifetime": -1,
        "trust": {"colour": "red"},
    });
    let refused = operator.ask("POST", "/clients", &body);
    assert_eq!(refused.status, 422, "{}", refused.body);
    let mut named = pointers(&refused);
    named.sort();
    let expected = [
        "/client_id",
        "/colour",
        "/generate",
        "/key_lifetime",
        "/redirect_uris",
        "/scope",
        "/trust",
    ];
    assert_eq!(named, expected, "{}", refused.body);
    let missing = operator.ask("POST", "/clients", &json!({}));
    assert_eq!(
        pointers(&missing),
        ["/client_id", "/token_endpoint_auth_method"]
    );
    for (path, body, pointer) in [
        ("/subjects", json!({"id": "a", "name": "A"}), "/name"),
        ("/subjects", json!({"id": null}), "/id"),
        (
            "/subjects",
            json!({"id": "a", "enabled": "yes"}),
            "/enabled",
        ),
        (
            "/subjects",
            json!({"id": "a", "__proto__": {}}),
            "/__proto__",
        ),
        (
            "/clients/billing/keys",
            json!({"overlap": "1d"}),
            "/overlap",
        ),
        ("/clients/billing/keys", json!({}), "/jwks"),
        ("/clients/billing/secrets", json!({"for": 1}), "/for"),
        ("/clients/billing/preview", json!({}), "/grant"),
        ("/permissions", json!({"client": "billing"}), "/subject"),
    ] {
        operator.ask(
            "POST",
            "/clients",
            &json!({"client_id": "billing", "token_endpoint_auth_method": "client_secret_basic"}),
        );
        let refused = operator.ask("POST", path, &body);
        assert_eq!(refused.status, 422, "{path} {body}: {}", refused.body);
        assert_eq!(pointers(&refused), [pointer], "{path} {body}");
    }
    for (path, body, pointer) in [
        ("/scopes/a", json!({"en": 1}), "/en"),
        ("/scopes/a", json!({"name": "b"}), "/name"),
        (
            "/permissions/billing/alice",
            json!({"client": "other"}),
            "/client",
        ),
        (
            "/permissions/billing/alice",
            json!({"grants": []}),
            "/grants",
        ),
        (
            "/permissions/billing/alice",
            json!({"origin": "person"}),
            "/origin",
        ),
    ] {
        let refused = operator.ask("PUT", path, &body);
        assert_eq!(refused.status, 422, "{path} {body}: {}", refused.body);
        assert_eq!(pointers(&refused), [pointer], "{path} {body}");
    }
}

#[test]
fn m009_ma09_what_is_no_object_too_long_or_too_deep_is_refused_and_not_echoed() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let deep = format!(
        "{}{}",
        "{\"a\":".repeat(200),
        "1".to_owned() + &"}".repeat(200)
    );
    for body in [
        "",
        "null",
        "[]",
        "\"text\"",
        "{",
        "{\"id\":\"a\"}x",
        "{\"id\":\"a\",\"id\":\"b\"}",
        "{\"id\":\"secret-of-mine\"",
        &deep,
    ] {
        let refused = send(&operator, "POST", "/subjects", body);
        assert!(
            [400, 422].contains(&refused.status),
            "{body}: {}",
            refused.body
        );
        assert_eq!(
            refused.header("content-type"),
            Some("application/problem+json")
        );
        assert!(!refused.body.contains("secret-of-mine"), "{}", refused.body);
    }
    for (path, body) in [
        (
            "/clients",
            r#"{"client_id":"a","token_endpoint_auth_method":"none","secrets":"secret-of-mine"}"#,
        ),
        (
            "/clients",
            r#"{"client_id":"a","token_endpoint_auth_method":"none","consent":"secret-of-mine"}"#,
        ),
        (
            "/clients",
            r#"{"client_id":"a","token_endpoint_auth_method":"none","trust":"secret-of-mine"}"#,
        ),
        ("/apply", r#"{"resources":{},"prune":"secret-of-mine"}"#),
        (
            "/apply",
            r#"{"resources":{"client":[{"client_id":"a","keys":"secret-of-mine"}]}}"#,
        ),
    ] {
        let refused = send(&operator, "POST", path, body);
        assert_eq!(refused.status, 422, "{body}: {}", refused.body);
        assert!(!refused.body.contains("secret-of-mine"), "{}", refused.body);
    }
    let kept = server.ok(&["decisions", "list", "--json"]);
    assert!(!kept.contains("secret-of-mine"), "{kept}");
    let long = |length: usize| {
        let frame = json!({"id": "a", "x": ""}).to_string().len();
        json!({"id": "a", "x": "y".repeat(length - frame)}).to_string()
    };
    let refused = send(&operator, "POST", "/subjects", &long(64 * 1024));
    assert_eq!(
        (refused.status, pointers(&refused)),
        (422, vec!["/x".to_owned()])
    );
    for length in [64 * 1024 + 1, 65 * 1024, 1024 * 1024] {
        let refused = send(&operator, "POST", "/subjects", &long(length));
        assert_eq!(refused.status, 413, "{length}: {}", refused.body);
    }
    let beside = send(&operator, "DELETE", "/subjects/a", "{}");
    assert_eq!(beside.status, 400, "{}", beside.body);
    assert_eq!(
        send(&operator, "POST", "/subjects", "{\"id\":\"a\"}").status,
        201
    );
}

#[test]
fn m010_ma09_members_that_do_not_change_are_accepted_only_if_equal() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let client =
        json!({"client_id": "billing", "token_endpoint_auth_method": "none", "scope": "a"});
    operator.ask("POST", "/clients", &client);
    operator.ask("POST", "/subjects", &json!({"id": "alice"}));
    for path in ["/clients/billing", "/subjects/alice"] {
        let shown = operator.ask("GET", path, &Value::Null);
        let id = match path {
            "/clients/billing" => "client_id",
            _ => "id",
        };
        let before = shown.header("etag").map(str::to_owned);
        for (member, value) in [
            (id, json!("other")),
            (id, Value::Null),
            ("created_at", json!("2020-01-01T00:00:00Z")),
            ("managed_by", json!("git")),
            ("colour", json!("red")),
            ("enabled", json!("yes")),
            ("__proto__", json!({"enabled": false})),
        ] {
            let refused = operator.ask("PATCH", path, &json!({member: value}));
            assert_eq!(refused.status, 422, "{path} {member}: {}", refused.body);
            assert_eq!(pointers(&refused), [format!("/{member}")], "{path}");
        }
        let twice = send(
            &operator,
            "PATCH",
            path,
            "{\"enabled\":true,\"enabled\":false}",
        );
        assert_eq!(twice.status, 400, "{}", twice.body);
        let now = operator.ask("GET", path, &Value::Null);
        assert_eq!(
            now.header("etag").map(str::to_owned),
            before,
            "nothing was changed"
        );
        // What was answered may be sent back.
        let document = now.json();
        let same = operator.ask("PATCH", path, &without_state(&document));
        assert_eq!(same.status, 200, "{path}: {}", same.body);
        let off = operator.ask("PATCH", path, &json!({"enabled": false}));
        assert_eq!(off.json()["enabled"], false, "{}", off.body);
        let usual = operator.ask("PATCH", path, &json!({"enabled": null}));
        assert_eq!(
            usual.json()["enabled"],
            true,
            "null is the default: {}",
            usual.body
        );
    }
}

/// A document as it was answered, with `self`.
fn without_state(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(members) = document.as_object_mut() {
        members.remove("role");
    }
    document
}

#[test]
fn ma10_key_sets_that_would_be_no_good_are_refused() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let good = |kid: &str| Key::generate(Algorithm::Es256).public_jwk(&[("kid", kid.into())]);
    let private = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let private: Value = serde_json::from_str(private.expose_json()).expect("JSON");
    let d = private["d"].as_str().expect("a private half").to_owned();
    let mut modulus = [0xc1; 128];
    modulus[127] |= 1;
    let weak = json!({"kty": "RSA", "kid": "w", "n": base64url_encode(modulus), "e": "AQAB"});
    let mut bent = good("o");
    bent["y"] = base64url_encode([7; 32]).into();
    let oct = json!({"kty": "oct", "kid": "s", "k": base64url_encode([7; 32])});
    for (what, keys) in [
        ("a private half", vec![private]),
        ("a secret", vec![oct]),
        ("RSA 1024", vec![weak]),
        ("a point off the curve", vec![bent]),
        ("one good, one bad", vec![good("a"), json!({"kty": "EC"})]),
        ("no key", vec![]),
        ("no object", vec![json!("key")]),
    ] {
        let client = json!({"client_id": "c", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys}});
        let refused = operator.ask("POST", "/clients", &client);
        assert_eq!(refused.status, 422, "{what}: {}", refused.body);
        assert!(
            pointers(&refused)[0].starts_with("/jwks"),
            "{what}: {}",
            refused.body
        );
        assert!(!refused.body.contains(&d), "{what}: {}", refused.body);
    }
    let client = |keys: Vec<Value>| json!({"client_id": "c", "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys}});
    let twice = operator.ask("POST", "/clients", &client(vec![good("a"), good("a")]));
    assert_eq!(
        (twice.status, pointers(&twice)),
        (422, vec!["/jwks/keys/1".to_owned()]),
        "{}",
        twice.body
    );
    let many: Vec<_> = (0..1000).map(|number| good(&number.to_string())).collect();
    let many = operator.ask("POST", "/clients", &client(many));
    assert!(
        [413, 422].contains(&many.status),
        "{}: {}",
        many.status,
        many.body
    );
    let long = operator.ask(
        "POST",
        "/clients",
        &client(vec![good(&"k".repeat(1024 * 1024))]),
    );
    assert_eq!(long.status, 413, "{}", long.body);
    let made = operator.ask("POST", "/clients", &client(vec![good("a"), good("b")]));
    assert_eq!(made.status, 201, "{}", made.body);
    for (body, pointer) in [
        (json!({"jwk": {"kty": "oct", "k": "AAAA"}}), "/jwk"),
        (
            json!({"jwks": {"keys": [{"kty": "RSA", "n": base64url_encode(modulus), "e": "AQAB"}]}}),
            "/jwks",
        ),
    ] {
        let refused = operator.ask("POST", "/clients/c/keys", &body);
        assert_eq!(
            (refused.status, pointers(&refused)),
            (422, vec![pointer.to_owned()]),
            "{}",
            refused.body
        );
    }
    let there = operator.ask("POST", "/clients/c/keys", &json!({"jwk": good("a")}));
    assert_eq!(there.status, 409, "{}", there.body);
    let added = operator.ask("POST", "/clients/c/keys", &json!({"jwk": good("c")}));
    assert_eq!(added.json()["added"], json!(["c"]), "{}", added.body);
}
