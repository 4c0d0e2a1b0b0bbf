//! The admin API over HTTP, about what the server trusts and decides: issuers, trusts, signing keys,
//! records, explanations, and the server itself.

use std::fs;

use grantor::jose::Algorithm;
use grantor_testkit::{
    binary::{Answer, JWT_BEARER, Server, admin::Operator},
    double::{Canary, Foreign},
    forge::Key,
};
use serde_json::{Value, json};

use crate::desk::{ISS, jwt, key_set};

/// The slug of a problem.
fn slug(answer: &Answer) -> String {
    let document = answer.json();
    let kind = document["type"].as_str().unwrap_or_default();
    kind.rsplit('/').next().unwrap_or_default().to_owned()
}

fn pointers(answer: &Answer) -> Vec<String> {
    let document = answer.json();
    let errors = document["errors"].as_array().cloned().unwrap_or_default();
    let pointer = |error: &Value| error["pointer"].as_str().unwrap_or_default().to_owned();
    errors.iter().map(pointer).collect()
}

fn get(operator: &Operator<'_>, path: &str) -> Value {
    let answer = operator.ask("GET", path, &Value::Null);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

/// Registers an issuer with this key, and a trust of it.
fn with_trust(operator: &Operator<'_>, key: &Key) {
    let keys: Value = serde_json::from_str(&key_set(&[key])).expect("JSON");
    let issuer = json!({"iss": ISS, "name": "idp", "keys": {"jwks": keys}, "audiences": ["ours"]});
    let made = operator.ask("POST", "/issuers", &issuer);
    assert_eq!(made.status, 201, "{}", made.body);
    let pins = json!([{"claim": "sub", "equals": "job-1"}]);
    let trust = json!({"name": "ci", "issuer": "idp", "pins": pins});
    let made = operator.ask("POST", "/trusts", &trust);
    assert_eq!(made.status, 201, "{}", made.body);
}

#[test]
fn m006_m010_issuers_and_trusts_are_made_changed_switched_and_removed() {
    let server = Server::start();
    let editor = server.operator("grantor:write");
    let key = Key::generate(Algorithm::Es256);
    with_trust(&editor, &key);
    let issuer = editor.ask("GET", "/issuers/idp", &Value::Null);
    let state = issuer.header("etag").expect("a state").to_owned();
    assert_eq!(issuer.json()["fetched"], Value::Null);
    let stale = [
        ("If-Match", "\"0.0\""),
        ("Content-Type", "application/json"),
    ];
    let body = json!({"leeway": 10}).to_string();
    let refused = editor.send("PATCH", "/issuers/idp", &stale, body.as_bytes());
    assert_eq!(
        (refused.status, slug(&refused)),
        (412, "changed".to_owned())
    );
    let right = [("If-Match", &*state), ("Content-Type", "application/json")];
    let changed = editor.send("PATCH", "/issuers/idp", &right, body.as_bytes());
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.json()["differences"][0]["member"], "leeway");
    assert_ne!(changed.header("etag"), Some(&*state));
    let named = editor.ask(
        "PATCH",
        "/issuers/idp",
        &json!({"iss": "https://b.example"}),
    );
    assert_eq!(
        (named.status, pointers(&named)),
        (422, vec!["/iss".to_owned()])
    );
    let off = editor.ask(
        "PATCH",
        "/issuers/idp?revoke_tokens=true",
        &json!({"enabled": false}),
    );
    assert_eq!(off.json()["document"]["enabled"], false, "{}", off.body);
    assert!(off.json()["document"]["tokens_since"].is_string());

    let off = editor.ask("PATCH", "/trusts/ci", &json!({"mode": "off"}));
    assert_eq!(off.json()["document"]["mode"], "off", "{}", off.body);
    assert_eq!(get(&editor, "/trusts?issuer=idp")["items"][0]["name"], "ci");
    assert_eq!(get(&editor, "/trusts/ci/report")["granted"], 0);
    let refused = editor.ask("DELETE", "/issuers/idp", &Value::Null);
    assert_eq!((refused.status, slug(&refused)), (409, "in_use".to_owned()));
    let gone = editor.ask("DELETE", "/issuers/idp?cascade=true", &Value::Null);
    assert_eq!(gone.json()["trusts"], json!(["ci"]), "{}", gone.body);
    assert_eq!(editor.ask("GET", "/trusts/ci", &Value::Null).status, 404);
}

#[test]
fn t094_a_template_makes_a_trust_and_its_issuer_and_names_the_options_at_fault() {
    let server = Server::start();
    let editor = server.operator("grantor:write");
    let body =
        |options: Value| json!({"name": "ci", "template": "github-actions", "options": options});
    let refused = editor.ask(
        "POST",
        "/trusts?check=false",
        &body(json!({"owner-id": "x"})),
    );
    assert_eq!(refused.status, 422, "{}", refused.body);
    let named = pointers(&refused);
    assert!(
        named.iter().any(|at| at.starts_with("/options/")),
        "{named:?}"
    );
    let unknown = json!({"name": "ci", "template": "nothing", "options": {}});
    let unknown = editor.ask("POST", "/trusts", &unknown);
    assert_eq!(pointers(&unknown), ["/template"], "{}", unknown.body);
    let options =
        json!({"owner-id": "123456", "repository-id": "456789", "ref": "refs/heads/main"});
    let made = editor.ask("POST", "/trusts?check=false", &body(options));
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.json()["trust"]["template"]["name"], "github-actions");
    assert!(made.json()["issuer"].is_object() && made.json()["client"].is_object());
    let templates = get(&editor, "/templates?limit=2");
    assert_eq!(templates["items"].as_array().map(Vec::len), Some(2));
    let next = templates["next"].as_str().expect("more");
    let more = get(&editor, &format!("/templates?limit=2&after={next}"));
    assert_ne!(more["items"][0], templates["items"][0]);
    let wrong = editor.ask("GET", "/templates?after=nowhere", &Value::Null);
    assert!((400..=422).contains(&wrong.status), "{}", wrong.body);
}

#[test]
fn m083_nothing_edits_or_deletes_a_record() {
    let server = Server::start();
    let owner = server.operator("grantor:admin");
    let before = get(&owner, "/changes");
    let id = before["items"][0]["id"].clone();
    for path in [
        "/changes",
        "/decisions",
        &format!("/changes/{id}"),
        "/decisions/x",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let refused = owner.ask(method, path, &Value::Null);
            assert_eq!(refused.status, 405, "{method} {path}: {}", refused.body);
            assert_eq!(refused.header("allow"), Some("GET"), "{method} {path}");
        }
    }
    assert_eq!(get(&owner, "/changes")["items"], before["items"]);
    assert_eq!(
        get(&owner, &format!("/changes/{id}"))["id"],
        id,
        "the control"
    );
}

#[test]
fn m063_records_are_followed_by_their_next() {
    let server = Server::start();
    let editor = server.operator("grantor:write");
    let end = get(&editor, "/changes?last=0");
    assert_eq!((&end["items"], &end["more"]), (&json!([]), &json!(false)));
    editor.ask("POST", "/subjects", &json!({"id": "alice"}));
    editor.ask("POST", "/subjects", &json!({"id": "bob"}));
    let next = end["next"].as_str().expect("a place");
    let first = get(&editor, &format!("/changes?limit=1&after={next}"));
    assert_eq!(first["items"][0]["name"], "alice");
    let next = first["next"].as_str().expect("a place");
    let second = get(&editor, &format!("/changes?after={next}"));
    let names: Vec<_> = second["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["bob"]);
    let decided = server.token(&[("grant_type", "client_credentials"), ("client_id", "ghost")]);
    let id = decided.decision_id();
    server.wait_until("the decision", || {
        let found = get(&editor, "/decisions?refused=true&party=ghost");
        found["items"]
            .as_array()
            .is_some_and(|items| items.len() == 1)
    });
    assert_eq!(get(&editor, &format!("/decisions/{id}"))["id"], id.as_str());
    for (query, count) in [
        ("client=ghost&endpoint=token&until=2099-01-31T12:00:00Z", 1),
        ("client=ghost&until=2020-01-31T12:00:00Z", 0),
        ("client=other", 0),
        ("client=ghost&issuer=idp", 0),
        ("client=ghost&trust=ci", 0),
        ("client=ghost&subject=alice", 0),
        ("client=ghost&endpoint=introspect", 0),
        ("client=ghost&since=2020-01-31T12:00:00Z", 1),
    ] {
        let found = get(&editor, &format!("/decisions?{query}"));
        let found = found["items"].as_array().map(Vec::len);
        assert_eq!(found, Some(count), "{query}");
    }
    for wrong in [
        "/decisions?refused=yes",
        "/decisions?colour=red",
        "/changes?since=yesterday",
    ] {
        let refused = editor.ask("GET", wrong, &Value::Null);
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.body);
    }
}

#[test]
fn ma44_the_key_that_signs_stays_rotation_is_bounded_and_nonsense_is_refused() {
    let server = Server::start();
    let editor = server.operator("grantor:write");
    let keys = get(&editor, "/signing-keys")["items"].clone();
    let kid = keys[0]["kid"].as_str().expect("a kid").to_owned();
    let path = format!("/signing-keys/{kid}");
    for (method, path) in [("POST", "/signing-keys"), ("DELETE", &*path)] {
        let body = if method == "POST" {
            json!({})
        } else {
            Value::Null
        };
        let refused = editor.ask(method, path, &body);
        assert_eq!(
            (refused.status, &refused.json()["needed"]),
            (403, &json!("grantor:admin"))
        );
    }
    let owner = server.operator("grantor:admin");
    let refused = owner.ask("DELETE", &path, &Value::Null);
    assert_eq!(
        (refused.status, slug(&refused)),
        (409, "signs_now".to_owned()),
        "{}",
        refused.body
    );
    assert_eq!(
        owner
            .ask("DELETE", "/signing-keys/nobody", &Value::Null)
            .status,
        404
    );
    for (body, pointer) in [
        (json!({"alg": "HS256"}), "/alg"),
        (json!({"alg": "none"}), "/alg"),
        (json!({"ahead": -1}), "/ahead"),
        (json!({"ahead": 10 * 365 * 86_400}), "/ahead"),
        (json!({"ahead": 0.5}), "/ahead"),
        (json!({"ahead": "2m"}), "/ahead"),
        (json!({"kid": "mine"}), "/kid"),
    ] {
        let refused = owner.ask("POST", "/signing-keys", &body);
        assert_eq!(
            (refused.status, pointers(&refused)),
            (422, vec![pointer.to_owned()]),
            "{body}"
        );
    }
    assert_eq!(
        get(&owner, "/signing-keys")["items"],
        keys,
        "nothing has changed"
    );
    let next = owner.ask("POST", "/signing-keys", &json!({"ahead": 3600}));
    assert_eq!(next.status, 201, "{}", next.body);
    let next = next.json()["kid"].as_str().expect("a kid").to_owned();
    let gone = owner.ask("DELETE", &format!("/signing-keys/{next}"), &Value::Null);
    assert_eq!(
        gone.status, 200,
        "the control: one that does not sign: {}",
        gone.body
    );
    let mut statuses = Vec::new();
    for _ in 0..100 {
        statuses.push(
            owner
                .ask("POST", "/signing-keys", &json!({"ahead": 0}))
                .status,
        );
    }
    assert!(
        statuses.contains(&201) && statuses.last() == Some(&409),
        "{statuses:?}"
    );
    let published = get(&owner, "/signing-keys")["items"]
        .as_array()
        .map(Vec::len);
    assert!(published.is_some_and(|count| count <= 16), "{published:?}");
    let keys = server.send("GET", "/jwks", &[], b"");
    assert_eq!(
        keys.json()["keys"].as_array().map(Vec::len),
        published,
        "{}",
        keys.body
    );
    let signing = get(&owner, "/signing-keys")["items"][0]["kid"].clone();
    let path = format!(
        "/signing-keys/{}?while_signing=true",
        signing.as_str().expect("a kid")
    );
    let gone = owner.ask("DELETE", &path, &Value::Null);
    assert_eq!(gone.status, 200, "{}", gone.body);
    assert_ne!(gone.json()["keys"][0]["kid"], signing);
}

/// Places of keys that nothing is fetched from.
fn inside(canary: &Canary) -> Vec<Value> {
    let port = canary.address.port();
    let url = |host: &str| format!("https://{host}:{port}/jwks");
    let mut places: Vec<_> = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ]
    .into_iter()
    .map(|host| json!({"jwks_uri": url(host)}))
    .collect();
    places.extend([
        json!({"jwks_uri": canary.url("127.0.0.1")}),
        json!({"jwks_uri": "https://169.254.169.254/latest/meta-data"}),
        json!({"jwks_uri": "https://[fe80::1]/jwks"}),
        json!({"jwks_uri": "https://10.0.0.1/jwks"}),
        json!({"discovery": {"metadata_url": url("127.0.0.1")}}),
        json!({"spiffe_bundle": url("127.0.0.1")}),
    ]);
    places
}

#[test]
fn ma43_what_an_issuer_names_is_fetched_by_the_guard_of_addresses_alone() {
    let server = Server::start();
    let canary = Canary::at("127.0.0.1");
    let roles = [
        server.operator("grantor:write"),
        server.operator("grantor:admin"),
    ];
    let key = Key::generate(Algorithm::Es256);
    with_trust(&roles[0], &key);
    let mut number = 0;
    for operator in &roles {
        for keys in inside(&canary) {
            number += 1;
            let name = format!("i{number}");
            let iss = format!("https://{name}.example");
            let mut issuer = json!({"iss": iss, "name": name, "keys": keys});
            if keys.get("spiffe_bundle").is_some() {
                issuer["trust_domain"] = json!("acme.example");
            }
            let refused = operator.ask("POST", "/issuers", &issuer);
            assert!(
                [409, 422].contains(&refused.status),
                "{keys}: {}",
                refused.body
            );
            let pins = json!([{"claim": "sub", "equals": "x"}]);
            let trust = json!({"name": name, "issuer": iss, "pins": pins, "new_issuer": issuer});
            let refused = operator.ask("POST", "/trusts", &trust);
            assert!(
                [409, 422].contains(&refused.status),
                "{keys}: {}",
                refused.body
            );
            let refused = operator.ask("PATCH", "/issuers/idp", &json!({"keys": keys}));
            assert!(
                [409, 422].contains(&refused.status),
                "{keys}: {}",
                refused.body
            );
            // Without a check it may be registered; it is not asked all the same.
            let made = operator.ask("POST", "/issuers?check=false", &issuer);
            if made.status == 201 {
                let refused =
                    operator.ask("POST", &format!("/issuers/{name}/refresh"), &Value::Null);
                assert_eq!(refused.status, 409, "{keys}: {}", refused.body);
                let jwt = jwt(&key, &iss, "ours", &[]);
                let path = format!("/issuers/{name}/test");
                let tried = operator.ask("POST", &path, &json!({"jwt": jwt}));
                assert_eq!(tried.json()["granted"], false, "{keys}: {}", tried.body);
                let path = format!("/issuers/{name}");
                assert_eq!(operator.ask("DELETE", &path, &Value::Null).status, 200);
            }
            assert!(canary.saw_nothing(), "{keys}");
        }
    }
}

#[test]
fn ma43_an_internal_network_is_an_owners_to_open_and_a_file_nobodys() {
    let server = Server::start();
    let [editor, owner] = ["grantor:write", "grantor:admin"].map(|scope| server.operator(scope));
    let foreign = Foreign::start(|_, _| {});
    let issuer = json!({
        "iss": foreign.issuer, "name": "near", "keys": {"discovery": {}},
        "allow_internal": ["127.0.0.0/8"],
    });
    let refused = editor.ask("POST", "/issuers", &issuer);
    assert_eq!(
        (refused.status, &refused.json()["needed"]),
        (403, &json!("grantor:admin"))
    );
    assert_eq!(foreign.count(), 0, "nothing is asked for whoever may not");
    let made = owner.ask("POST", "/issuers", &issuer);
    assert_eq!(made.status, 201, "the control: {}", made.body);
    assert!(foreign.count() > 0);
    let fresh = owner.ask("POST", "/issuers/near/refresh", &Value::Null);
    assert_eq!(fresh.json()["keys"][0]["kid"], "first", "{}", fresh.body);

    let token = server.directory().join("token");
    fs::write(&token, "of-this-machine").expect("a file");
    let file = json!({"bearer_token_file": token});
    let asked = foreign.count();
    for (method, path, body) in [
        ("PATCH", "/issuers/near", file.clone()),
        ("POST", "/issuers", {
            let mut issuer = issuer;
            issuer["name"] = json!("other");
            issuer["iss"] = json!("https://other.example");
            issuer["bearer_token_file"] = file["bearer_token_file"].clone();
            issuer
        }),
    ] {
        let refused = owner.ask(method, path, &body);
        assert_eq!(
            (refused.status, pointers(&refused)),
            (422, vec!["/bearer_token_file".to_owned()])
        );
    }
    assert_eq!(foreign.count(), asked, "the file has not been sent");
    let file = token.to_string_lossy().into_owned();
    server.ok(&["issuer", "update", "near", "--bearer-token-file", &file]);
    let changed = owner.ask("PATCH", "/issuers/near", &json!({"leeway": 10}));
    assert_eq!(
        changed.status, 200,
        "the control: as it was: {}",
        changed.body
    );
    let moved = json!({"keys": {"jwks_uri": format!("{}/jwks", foreign.issuer)}});
    let moved = owner.ask("PATCH", "/issuers/near", &moved);
    assert_eq!(pointers(&moved), ["/bearer_token_file"], "{}", moved.body);
}

/// A JWT of a client for the grant.
fn live(server: &Server, key: &std::path::Path) -> String {
    let key = key.to_string_lossy().into_owned();
    let minted = server.ok(&["assertion", "mint", "--key", &key]);
    minted.trim().to_owned()
}

#[test]
fn m030_ma19_an_explanation_uses_nothing_up_keeps_nothing_and_fetches_nothing() {
    let server = Server::start();
    let reader = server.operator("grantor:read");
    let key = server.client("billing", &["--generate-key", "--scope", "read"]);
    let canary = Canary::at("127.0.0.1");
    let assertion = live(&server, &key);
    let newest = |operator: &Operator<'_>| get(operator, "/decisions?last=200")["items"].clone();
    let before = newest(&reader);
    let told = reader.ask(
        "POST",
        "/explain",
        &json!({"jwt": assertion, "use": "grant"}),
    );
    assert_eq!(
        (told.status, &told.json()["explanation"]["cause"]),
        (200, &Value::Null),
        "{}",
        told.body
    );
    assert!(
        !told.body.contains(&assertion)
            && !told
                .body
                .contains(assertion.rsplit('.').next().expect("a signature"))
    );
    let jwe = "e30.e30.e30.e30.e30".to_owned();
    let other = Key::generate(Algorithm::Es256);
    let named = grantor_testkit::forge::Jwt::default()
        .header("alg", "\"ES256\"".to_owned())
        .header("jku", format!("{:?}", canary.url("127.0.0.1")))
        .text("iss", "billing")
        .sign(&other);
    for text in ["no JWT at all", "", &jwe, &named, "a.b.c"] {
        let told = reader.ask("POST", "/explain", &json!({"jwt": text}));
        assert_eq!(told.status, 200, "{text}: {}", told.body);
        assert!(
            told.json()["explanation"]["cause"].is_string(),
            "{}",
            told.body
        );
    }
    assert!(canary.saw_nothing());
    let long = reader.ask("POST", "/explain", &json!({"jwt": "x".repeat(17 * 1024)}));
    assert_eq!((long.status, slug(&long)), (413, "too_large".to_owned()));
    for (body, pointer) in [
        (json!({}), "/jwt"),
        (json!({"jwt": 5}), "/jwt"),
        (json!({"jwt": "x", "use": assertion}), "/use"),
        (json!({"jwt": "x", "at": "2030-01-31T12:00:00Z"}), "/at"),
    ] {
        let refused = reader.ask("POST", "/explain", &body);
        assert_eq!(
            (refused.status, pointers(&refused)),
            (422, vec![pointer.to_owned()])
        );
        assert!(!refused.body.contains(&assertion), "{}", refused.body);
    }
    let count = |items: &Value| items.as_array().map_or(0, Vec::len);
    // What is refused is on record, the explanations are not.
    let more = || count(&newest(&reader)) - count(&before);
    server.wait_until("five refusals on record", || more() >= 5);
    assert_eq!(more(), 5);
    let signature = assertion.rsplit('.').next().expect("a signature");
    assert!(
        !server
            .log()
            .iter()
            .any(|line| line.to_string().contains(signature))
    );
    let send = || server.token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
    assert_eq!(send().status, 200, "it still works");
    assert_eq!(send().status, 400, "once");
    let told = reader.ask("POST", "/explain", &json!({"jwt": assertion}));
    assert!(
        told.json()["explanation"]["cause"]
            .as_str()
            .is_some_and(|cause| cause.contains("jti")),
        "{}",
        told.body
    );
}

#[test]
fn m030_m166_explanations_have_a_budget_of_their_own_and_keys_are_those_that_were_fetched() {
    let server = Server::start();
    let [reader, owner] = ["grantor:read", "grantor:admin"].map(|scope| server.operator(scope));
    let key = Key::generate(Algorithm::Es256);
    let keys: Value = serde_json::from_str(&key_set(&[&key])).expect("JSON");
    let foreign = Foreign::start(|_, script| {
        script.documents.insert("/jwks".to_owned(), keys);
    });
    let issuer = json!({
        "iss": foreign.issuer, "name": "near", "keys": {"discovery": {}}, "audiences": ["ours"],
        "allow_internal": ["127.0.0.0/8"],
    });
    let made = owner.ask("POST", "/issuers?check=false", &issuer);
    assert_eq!(made.status, 201, "{}", made.body);
    let pins = json!([{"claim": "sub", "equals": "job-1"}]);
    let made = owner.ask(
        "POST",
        "/trusts",
        &json!({"name": "ci", "issuer": "near", "pins": pins}),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    let jwt = json!({"jwt": jwt(&key, &foreign.issuer, "ours", &[])});
    let told = reader.ask("POST", "/explain", &jwt).json();
    let cause = told["explanation"]["cause"].as_str().unwrap_or_default();
    assert!(cause.contains("not fetched yet"), "{told}");
    assert_eq!(foreign.count(), 0, "nothing is fetched for it");
    // A test fetches, as a request does. It tells a reader what it tells an owner.
    let without_clock = |mut told: Value| {
        told["explanation"]["clock"] = Value::Null;
        let checks = told["explanation"]["checks"].as_array_mut();
        for check in checks.expect("rows") {
            if ["exp", "iat"].contains(&check["rule"].as_str().unwrap_or_default()) {
                check["got"] = Value::Null;
            }
        }
        told
    };
    for path in ["/test", "/issuers/near/test", "/trusts/ci/test"] {
        let [low, high] = [&reader, &owner].map(|operator| operator.ask("POST", path, &jwt));
        assert_eq!(low.json()["granted"], true, "{path}: {}", low.body);
        assert_eq!(
            without_clock(low.json()),
            without_clock(high.json()),
            "{path}"
        );
    }
    assert!(foreign.count() > 0);
    server.wait_until("the keys are kept", || {
        !get(&reader, "/issuers/near")["fetched"].is_null()
    });
    let asked = foreign.count();
    let told = reader.ask("POST", "/explain", &jwt);
    assert_eq!(
        told.json()["explanation"]["cause"],
        Value::Null,
        "{}",
        told.body
    );
    assert_eq!(foreign.count(), asked);
    let answers: Vec<_> = (0..31)
        .map(|_| reader.ask("POST", "/explain", &jwt))
        .collect();
    let last = answers.last().expect("answers");
    assert_eq!(
        (last.status, slug(last)),
        (429, "slow_down".to_owned()),
        "{}",
        last.body
    );
    assert!(last.header("retry-after").is_some());
    assert_eq!(
        owner.ask("POST", "/explain", &jwt).status,
        200,
        "another caller goes on"
    );
    assert_eq!(
        reader.ask("GET", "/issuers", &Value::Null).status,
        200,
        "the rest goes on"
    );
}

#[test]
fn m030_a_jwt_of_another_issuer_is_told_from_one_that_no_trust_takes() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let key = Key::generate(Algorithm::Es256);
    with_trust(&operator, &key);
    let other = jwt(&key, "https://other.example", "ours", &[]);
    let refused = operator.ask("POST", "/issuers/idp/test", &json!({"jwt": other}));
    assert_eq!(
        (refused.status, slug(&refused)),
        (409, "state".to_owned()),
        "{}",
        refused.body
    );
    let untaken = jwt(&key, ISS, "ours", &[("sub", json!("job-2"))]);
    let tried = operator.ask("POST", "/trusts/ci/test", &json!({"jwt": untaken}));
    assert_eq!(
        tried.json()["cause"],
        "trust ci does not take it",
        "{}",
        tried.body
    );
    assert!(tried.json()["advice"].is_string());
    let taken = jwt(&key, ISS, "ours", &[]);
    let tried = operator.ask("POST", "/trusts/ci/test", &json!({"jwt": taken}));
    assert_eq!(tried.json()["granted"], true, "{}", tried.body);
    let later = json!({"jwt": taken, "at": "2099-01-31T12:00:00Z"});
    let tried = operator.ask("POST", "/trusts/ci/test", &later);
    assert_eq!(tried.json()["granted"], false, "{}", tried.body);
    let listed = operator.ask("GET", "/tokens", &Value::Null);
    assert!((400..=422).contains(&listed.status), "{}", listed.body);
    assert_eq!(get(&operator, "/tokens?issuer=idp")["items"], json!([]));
}

#[test]
fn m030_the_server_shows_its_configuration_without_secrets() {
    let server =
        Server::start_with("[outgoing]\nproxy = \"http://user:hunter2@proxy.example:3128\"\n");
    let reader = server.operator("grantor:read");
    let shown = reader.ask("GET", "/server", &Value::Null);
    assert_eq!(shown.status, 200, "{}", shown.body);
    let document = shown.json();
    assert_eq!(
        (&document["issuer"], &document["ready"]),
        (&json!(server.issuer), &json!(true))
    );
    assert_eq!(
        document["configuration"]["outgoing"]["proxy"],
        "http://proxy.example:3128"
    );
    assert!(
        !shown.body.contains("hunter2") && !shown.body.contains("master"),
        "{}",
        shown.body
    );
    let counted = get(&reader, "/statistics?by=endpoint&step=hour");
    assert_eq!(counted["by"], "endpoint");
    assert_eq!(
        reader
            .ask("GET", "/statistics?by=party", &Value::Null)
            .status,
        400
    );
}
