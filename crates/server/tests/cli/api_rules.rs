//! The admin API over HTTP: what the document promises, which states are looked at, and what has to
//! go together.

use grantor_testkit::binary::Server;
use serde_json::{Value, json};

/// M006: `If-Match` is offered where it is held against a state, and refused where there is none.
#[test]
fn m006_if_match_is_offered_where_there_is_a_state_and_refused_elsewhere() {
    let server = Server::start_with("[person]");
    let owner = server.operator("grantor:admin");
    owner.ask("POST", "/subjects", &json!({"id": "alice"}));
    let document = owner.ask("GET", "/openapi.json", &Value::Null).json();
    let is_offered = |path: &str, method: &str| {
        let operation = &document["paths"][path][method.to_ascii_lowercase()];
        let parameters = operation["parameters"].as_array().expect("parameters");
        parameters.iter().any(|one| one["name"] == "If-Match")
    };
    for (method, path, at, body) in [
        ("POST", "/subjects", "/subjects", json!({"id": "bob"})),
        (
            "POST",
            "/subjects/{subject}/invitations",
            "/subjects/alice/invitations",
            json!({}),
        ),
        (
            "DELETE",
            "/subjects/{subject}/invitations",
            "/subjects/alice/invitations",
            Value::Null,
        ),
        (
            "DELETE",
            "/subjects/{subject}/sessions",
            "/subjects/alice/sessions",
            Value::Null,
        ),
        ("POST", "/signing-keys", "/signing-keys", json!({})),
        ("POST", "/apply", "/apply", json!({"resources": {}})),
        ("GET", "/subjects/{subject}", "/subjects/alice", Value::Null),
    ] {
        assert!(!is_offered(path, method), "{method} {path}");
        let headers = [("If-Match", "*"), ("Content-Type", "application/json")];
        let text = match &body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let refused = owner.send(method, at, &headers, text.as_bytes());
        assert_eq!(refused.status, 412, "{method} {path}: {}", refused.body);
        // The control: without it.
        let done = owner.ask(method, at, &body);
        assert!(done.status < 300, "{method} {path}: {}", done.body);
    }
    for (method, path) in [
        ("PATCH", "/subjects/{subject}"),
        ("PUT", "/subjects/{subject}/role"),
        ("DELETE", "/clients/{client}/secrets/{name}"),
        ("POST", "/clients/{client}/keys"),
        ("POST", "/issuers/{issuer}/refresh"),
    ] {
        assert!(is_offered(path, method), "{method} {path}");
    }
}

/// The document takes what the server takes: what may be left out, and what may be null.
#[test]
fn m001_bodies_of_the_document_ask_for_no_more_than_the_server() {
    let server = Server::start_with("[person]");
    let owner = server.operator("grantor:admin");
    let document = owner.ask("GET", "/openapi.json", &Value::Null).json();
    let body = |path: &str, method: &str| {
        document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
            .clone()
    };
    let required = |schema: &Value| {
        let names = schema["required"].as_array().cloned().unwrap_or_default();
        let names = names.iter().filter_map(Value::as_str).map(str::to_owned);
        names.collect::<Vec<_>>()
    };
    for (path, method, expected) in [
        ("/apply", "post", &[][..]),
        ("/subjects", "post", &["id"]),
        ("/scopes/{name}", "put", &[]),
        ("/subjects/{subject}/invitations", "post", &[]),
        (
            "/clients",
            "post",
            &["client_id", "token_endpoint_auth_method"],
        ),
    ] {
        let schema = body(path, method);
        assert_eq!(required(&schema), expected, "{path}: {schema}");
        assert!(schema["properties"]["self"].is_object(), "{path}: {schema}");
    }
    let may_be_null = |schema: &Value| {
        let kinds = schema["anyOf"].as_array().expect("one of several");
        kinds.iter().any(|kind| kind["type"] == "null")
    };
    for (path, member) in [
        ("/explain", "use"),
        ("/test", "at"),
        ("/signing-keys", "alg"),
        ("/signing-keys", "ahead"),
        ("/clients", "generate"),
        ("/clients", "trust"),
    ] {
        let schema = body(path, "post");
        let member_schema = &schema["properties"][member];
        assert!(may_be_null(member_schema), "{path}: {member_schema}");
    }
    // So the server does.
    let jwt = json!({"jwt": "x", "use": null});
    assert_eq!(owner.ask("POST", "/explain", &jwt).status, 200);
    let rotation = json!({"alg": null, "ahead": null});
    let rotated = owner.ask("POST", "/signing-keys", &rotation);
    assert_eq!(rotated.status, 201, "{}", rotated.body);
    let client = json!({
        "client_id": "c", "token_endpoint_auth_method": "none", "generate": null,
        "key_lifetime": null, "trust": null, "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
    });
    let made = owner.ask("POST", "/clients", &client);
    assert_eq!(made.status, 201, "{}", made.body);
    let method = &body("/clients", "post")["properties"]["token_endpoint_auth_method"];
    assert_eq!(method["maxLength"], 256, "{method}");
    for (length, status) in [(256, 200), (257, 400)] {
        let path = format!("/clients?auth_method={}", "m".repeat(length));
        let listed = owner.ask("GET", &path, &Value::Null);
        assert_eq!(listed.status, status, "{length}: {}", listed.body);
    }
}

/// What is made for a client that authenticates by a trust would be lost.
#[test]
fn m009_a_client_with_a_trust_has_nothing_made() {
    let server = Server::start();
    let owner = server.operator("grantor:admin");
    let issuer = json!({"iss": "https://idp.example", "name": "idp", "keys": {"discovery": {}}});
    let made = owner.ask("POST", "/issuers?check=false", &issuer);
    assert_eq!(made.status, 201, "{}", made.body);
    let mut client = json!({
        "client_id": "job", "token_endpoint_auth_method": "private_key_jwt", "federated": true,
        "trust": {"issuer": "idp", "sub": "job"},
    });
    for (member, value) in [
        ("generate", json!("ES256")),
        ("key_lifetime", json!(60)),
        ("secret_lifetime", json!(60)),
    ] {
        let mut with = client.clone();
        with[member] = value;
        let refused = owner.ask("POST", "/clients", &with);
        assert_eq!(refused.status, 422, "{member}: {}", refused.body);
        let pointer = &refused.json()["errors"][0]["pointer"];
        assert_eq!(*pointer, format!("/{member}"), "{}", refused.body);
    }
    client["generate"] = Value::Null;
    let made = owner.ask("POST", "/clients", &client);
    assert_eq!(made.status, 201, "{}", made.body);
}

/// M012: a scope that a client may get keeps its description, and no permission goes beyond it.
#[test]
fn m012_what_clients_may_get_is_held_against_scopes_and_permissions() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let client = json!({
        "client_id": "c", "token_endpoint_auth_method": "none", "scope": "read",
        "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
    });
    operator.ask("POST", "/clients", &client);
    operator.ask("POST", "/subjects", &json!({"id": "alice"}));
    for (scope, status) in [("read write", 422), ("read", 200)] {
        let given = operator.ask("PUT", "/permissions/c/alice", &json!({"scope": scope}));
        assert_eq!(given.status, status, "{}", given.body);
        if status == 422 {
            assert_eq!(given.json()["errors"][0]["pointer"], "/scope");
        }
    }
    operator.ask("PUT", "/scopes/read", &json!({"en": "Read"}));
    let listed = |query: &str| {
        let listed = operator.ask("GET", &format!("/clients?{query}"), &Value::Null);
        let items = listed.json()["items"].as_array().expect("a list").clone();
        items.len()
    };
    assert_eq!((listed("scope=read"), listed("scope=rea")), (1, 0));
    assert_eq!(listed("managed_by=git"), 0);
    let kept = operator.ask("DELETE", "/scopes/read", &Value::Null);
    assert_eq!(kept.status, 409, "{}", kept.body);
    let kind = kept.json()["type"].as_str().map(str::to_owned);
    assert!(
        kind.is_some_and(|kind| kind.ends_with("/in_use")),
        "{}",
        kept.body
    );
    operator.ask("PATCH", "/clients/c", &json!({"scope": "write"}));
    let gone = operator.ask("DELETE", "/scopes/read", &Value::Null);
    assert_eq!(gone.status, 204, "{}", gone.body);
}
