//! The admin API over HTTP: names in paths, states, methods, challenges, and what is answered once.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use grantor::jose::base64url_encode;
use grantor_testkit::binary::{Answer, Server, admin::Operator, escape};
use serde_json::{Value, json};

/// Names that somebody reads otherwise: a router, a proxy, a person.
const ODD: [&str; 9] = [
    "a/b", "a:b", "a b", "100%", "a%2Fb", "é", "a?b#c", "a\"b'c", "x+y&z=1",
];

fn long_form(name: &str) -> String {
    format!("~{}", base64url_encode(name))
}

/// What stands below `/admin/v1` in a URL.
fn below(url: &Value) -> &str {
    let url = url.as_str().expect("a URL");
    url.split_once("/admin/v1").expect("of the API").1
}

#[test]
fn m005_a_client_and_a_subject_of_any_name_are_found_by_both_forms_and_by_self() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    for name in ODD {
        let client = json!({"client_id": name, "token_endpoint_auth_method": "none"});
        let made = operator.ask("POST", "/clients", &client);
        assert_eq!(made.status, 201, "{name}: {}", made.body);
        let place = made.header("location").expect("a place").to_owned();
        assert_eq!(made.json()["self"], place.as_str(), "{name}");
        for path in [
            format!("/clients/{}", escape(name)),
            format!("/clients/{}", long_form(name)),
            below(&json!(place)).to_owned(),
        ] {
            let shown = operator.ask("GET", &path, &Value::Null);
            assert_eq!(shown.json()["client_id"], name, "{path}: {}", shown.body);
            assert!(!below(&shown.json()["self"]).contains('%'), "{name}");
        }
        let path = format!("/clients/{}", escape(name));
        let off = operator.ask("PATCH", &path, &json!({"enabled": false}));
        assert_eq!(off.json()["enabled"], false, "{name}: {}", off.body);
        let gone = operator.ask("DELETE", &path, &Value::Null);
        assert_eq!((gone.status, gone.body.as_str()), (204, ""), "{name}");
        let again = operator.ask("GET", &path, &Value::Null);
        assert_eq!(again.status, 404, "{name}");

        let made = operator.ask("POST", "/subjects", &json!({"id": name}));
        assert_eq!(made.status, 201, "{name}: {}", made.body);
        let place = below(&made.json()["self"]).to_owned();
        let shown = operator.ask("GET", &place, &Value::Null);
        assert_eq!(shown.json()["id"], name, "{place}");
        let gone = operator.ask("DELETE", &place, &Value::Null);
        assert_eq!(gone.status, 204, "{name}");
    }
}

/// Passes on one request at a time with its path decoded once, as some proxies do.
fn decoding_proxy(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut client = stream.expect("a connection");
            let mut head = Vec::new();
            let mut octet = [0];
            while !head.ends_with(b"\r\n\r\n")
                && client.read(&mut octet).is_ok_and(|read| read == 1)
            {
                head.push(octet[0]);
            }
            let head = String::from_utf8(head).expect("ASCII").replace("%2F", "/");
            let mut upstream = TcpStream::connect(server).expect("the server");
            upstream.write_all(head.as_bytes()).expect("sent");
            let mut answer = Vec::new();
            upstream.read_to_end(&mut answer).expect("an answer");
            client.write_all(&answer).expect("answered");
        }
    });
    address
}

#[test]
fn m005_the_second_form_goes_through_a_proxy_that_decodes() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let client = json!({"client_id": "a/b", "token_endpoint_auth_method": "none"});
    let made = operator.ask("POST", "/clients", &client);
    let proxy = decoding_proxy(server.address);
    let through = |path: &str| {
        let mut stream = TcpStream::connect(proxy).expect("the proxy");
        let head = format!(
            "GET /admin/v1{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: {}\r\nContent-Length: 0\r\n\r\n",
            server.address,
            operator.authorization()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        grantor_testkit::binary::read_answer(&mut stream)
    };
    assert_eq!(
        through("/clients/a%2Fb").status,
        404,
        "the control: it decodes"
    );
    let place = below(&made.json()["self"]).to_owned();
    assert_eq!(through(&place).json()["client_id"], "a/b");
}

#[test]
fn m005_ma11_names_that_a_path_reads_otherwise_are_refused_or_are_exactly_that_resource() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    for name in [".", "..", "~x", "a\0b", "a\nb", "", &"x".repeat(256)] {
        for (path, body) in [
            (
                "/clients",
                json!({"client_id": name, "token_endpoint_auth_method": "none"}),
            ),
            ("/subjects", json!({"id": name})),
        ] {
            let refused = operator.ask("POST", path, &body);
            assert_eq!(refused.status, 422, "{name:?}: {}", refused.body);
            assert!(!refused.body.contains('\0'), "{name:?}");
        }
    }
    for (id, name) in [
        ("a", "a"),
        ("a%2Fb", "a%2Fb"),
        ("%2e", "%2e"),
        ("x..y", "x..y"),
    ] {
        let client = json!({"client_id": id, "token_endpoint_auth_method": "none"});
        let made = operator.ask("POST", "/clients", &client);
        assert_eq!(made.status, 201, "{name}: {}", made.body);
    }
    for (path, found) in [
        ("/clients/.", None),
        ("/clients/..", None),
        ("/clients/%2e%2e", None),
        ("/clients/%2E", None),
        ("/clients/%252e", Some("%2e")),
        ("/clients/a%2Fb", None),
        ("/clients/a%252Fb", Some("a%2Fb")),
        ("/clients/~x", None),
        ("/clients/%00", None),
        ("/clients/a%0a", None),
        ("/clients/%ff", None),
        ("/clients/a%E2%80%AE", None),
        ("/clients/x..y", Some("x..y")),
        ("/clients/a/", None),
        ("/clients//a", None),
    ] {
        let shown = operator.ask("GET", path, &Value::Null);
        let is_right = match found {
            Some(name) => shown.status == 200 && shown.json()["client_id"] == name,
            None => shown.status == 404 && shown.header("location").is_none(),
        };
        assert!(is_right, "{path}: {} {}", shown.status, shown.body);
    }
}

#[test]
fn ma46_names_in_headers_are_encoded() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    for name in ["\"quoted\"", "é\u{202e}x", "a, b; c"] {
        let made = operator.ask("POST", "/subjects", &json!({"id": name}));
        if made.status != 201 {
            assert_eq!(made.status, 422, "{name}: {}", made.body);
            continue;
        }
        let places: Vec<_> = made
            .headers
            .iter()
            .filter(|(header, _)| header == "location")
            .collect();
        assert_eq!(places.len(), 1, "{name}");
        let place = &places[0].1;
        assert!(
            place.starts_with(&server.issuer)
                && place.bytes().all(|octet| octet.is_ascii_graphic())
        );
        assert!(!place.contains('"') && !place.contains(','), "{place}");
        let etag = made.header("etag").expect("a state");
        let is_of_tag = |octet: u8| octet.is_ascii_digit() || b"\".".contains(&octet);
        assert!(etag.bytes().all(is_of_tag), "{etag}");
    }
    let split = operator.ask("POST", "/subjects", &json!({"id": "a\r\nX-Header: x"}));
    assert!(
        split.status == 422 && split.header("x-header").is_none(),
        "{}",
        split.body
    );
}

#[test]
fn m006_ma12_of_two_editors_with_the_same_state_one_is_told() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let client =
        json!({"client_id": "billing", "token_endpoint_auth_method": "none", "scope": "a"});
    let made = operator.ask("POST", "/clients", &client);
    let first = made.header("etag").expect("a state").to_owned();
    let shown = operator.ask("GET", "/clients/billing", &Value::Null);
    assert_eq!(shown.header("etag"), Some(first.as_str()));
    let patch = |scope: &str, conditions: &[&str]| {
        let mut headers = vec![("Content-Type", "application/merge-patch+json")];
        headers.extend(conditions.iter().map(|condition| ("If-Match", *condition)));
        let body = json!({"scope": scope}).to_string();
        operator.send("PATCH", "/clients/billing", &headers, body.as_bytes())
    };
    let one = patch("b", &[&first]);
    assert_eq!(one.status, 200, "{}", one.body);
    let other = patch("c", &[&first]);
    assert_eq!(other.status, 412, "{}", other.body);
    assert!(
        other.json()["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("/problems/changed"))
    );
    let now = one.header("etag").expect("a state").to_owned();
    assert_ne!(now, first);
    let weak = format!("W/{now}");
    let two = format!("{first}, {now}");
    for (conditions, status) in [
        (&["\"1.1\""][..], 412),
        (&[&weak], 412),
        (&["not a tag"], 400),
        (&[&two], 200),
    ] {
        let answer = patch("d", conditions);
        assert_eq!(answer.status, status, "{conditions:?}: {}", answer.body);
    }
    let now = operator.ask("GET", "/clients/billing", &Value::Null);
    let now = now.header("etag").expect("a state").to_owned();
    assert_eq!(
        patch("e", &["\"1.1\"", &now]).status,
        200,
        "two fields are one list"
    );
    assert_eq!(patch("f", &["*"]).status, 200);
    assert_eq!(patch("g", &[]).status, 200, "a request without a condition");
    let there = [("If-Match", "*")];
    let gone = operator.send("DELETE", "/clients/nobody", &there, b"");
    assert!([404, 412].contains(&gone.status), "{}", gone.body);
    let stale = [("If-Match", first.as_str())];
    assert_eq!(
        operator
            .send("DELETE", "/clients/billing", &stale, b"")
            .status,
        412
    );
    let shown = operator.ask("GET", "/clients/billing", &Value::Null);
    assert_eq!(
        shown.json()["scope"],
        "g",
        "refused changes changed nothing"
    );
}

#[test]
fn m006_every_resource_has_a_state() {
    let server = Server::start();
    let operator = server.operator("grantor:admin");
    let client = json!({"client_id": "c", "token_endpoint_auth_method": "none"});
    for (method, path, body, place) in [
        ("POST", "/clients", client, "/clients/c"),
        ("POST", "/subjects", json!({"id": "s"}), "/subjects/s"),
        ("PUT", "/permissions/c/s", json!({}), "/permissions/c/s"),
        ("PUT", "/scopes/a", json!({"en": "A"}), "/scopes/a"),
    ] {
        let made = operator.ask(method, path, &body);
        let state = made.header("etag").map(str::to_owned);
        assert!(
            state.is_some() && made.status < 300,
            "{path}: {}",
            made.body
        );
        let shown = operator.ask("GET", place, &Value::Null);
        assert_eq!(shown.header("etag").map(str::to_owned), state, "{place}");
        let stale = [("If-Match", "\"0.0\"")];
        assert_eq!(
            operator.send("DELETE", place, &stale, b"").status,
            412,
            "{place}"
        );
    }
    let given = operator.ask("PUT", "/subjects/s/role", &json!({"role": "reader"}));
    assert!(
        given.status == 200 && given.header("etag").is_some(),
        "{}",
        given.body
    );
    assert_eq!(
        operator.ask("GET", "/subjects/s", &Value::Null).json()["role"],
        "reader"
    );
    let readers = operator.ask("GET", "/subjects?role=reader", &Value::Null);
    assert_eq!(readers.json()["items"][0]["id"], "s");
    assert_eq!(
        operator
            .ask("GET", "/subjects?role=owner", &Value::Null)
            .json()["items"],
        json!([])
    );
    assert_eq!(
        operator
            .ask("DELETE", "/subjects/s/role", &Value::Null)
            .status,
        204
    );
}

#[test]
fn m011_ma15_a_body_is_json_and_says_so_once() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let body = json!({"id": "alice"}).to_string();
    let json = ("Content-Type", "application/json");
    for headers in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "application/merge-patch+json")],
        &[("Content-Type", "application/jsonx")],
        &[json, ("Content-Type", "application/json")],
        &[json, ("Content-Encoding", "gzip")],
    ] {
        let refused = operator.send("POST", "/subjects", headers, body.as_bytes());
        assert_eq!(refused.status, 415, "{headers:?}: {}", refused.body);
    }
    for media_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let headers = [("Content-Type", media_type)];
        let made = operator.send("POST", "/subjects", &headers, body.as_bytes());
        assert_eq!(made.status, 201, "{media_type}: {}", made.body);
        assert_eq!(
            operator
                .ask("DELETE", "/subjects/alice", &Value::Null)
                .status,
            204
        );
    }
    operator.ask("POST", "/subjects", &json!({"id": "alice"}));
    for media_type in ["application/json", "application/merge-patch+json"] {
        let headers = [("Content-Type", media_type)];
        let patched = operator.send(
            "PATCH",
            "/subjects/alice",
            &headers,
            br#"{"enabled":false}"#,
        );
        assert_eq!(patched.status, 200, "{media_type}: {}", patched.body);
    }
}

#[test]
fn m011_ma14_methods_are_what_they_say_and_nobody_else_s_pages_get_anything() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    operator.ask("POST", "/subjects", &json!({"id": "alice"}));
    let without_origin = |answer: &Answer| {
        let mut names = answer
            .headers
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase());
        assert!(
            !names.any(|name| name.starts_with("access-control-")),
            "{answer:?}"
        );
    };
    for method in ["TRACE", "HEAD", "OPTIONS", "PUT", "LINK"] {
        let headers = [
            ("Origin", "https://evil.example"),
            ("Access-Control-Request-Method", "DELETE"),
        ];
        let refused = operator.send(method, "/subjects/alice", &headers, b"");
        assert_eq!(refused.status, 405, "{method}: {}", refused.body);
        let allow = refused.header("allow").expect("those that are allowed");
        assert!(allow.contains("GET") && allow.contains("PATCH"), "{allow}");
        without_origin(&refused);
    }
    for headers in [
        [("X-HTTP-Method-Override", "DELETE")],
        [("X-Method-Override", "DELETE")],
    ] {
        let shown = operator.send("GET", "/subjects/alice", &headers, b"");
        assert_eq!(shown.json()["id"], "alice", "{headers:?}");
        without_origin(&shown);
    }
    let refused = operator.ask("GET", "/subjects/alice?_method=DELETE", &Value::Null);
    assert_eq!(refused.status, 400, "{}", refused.body);
    let cookie = [("Cookie", "grantor-session=x")];
    let alone = server.send("GET", "/admin/v1/subjects/alice", &cookie, b"");
    assert_eq!(alone.status, 401, "a cookie is no token");
    assert_eq!(
        operator.ask("GET", "/subjects/alice", &Value::Null).status,
        200
    );
}

#[test]
fn m015_a_challenge_says_what_is_missing_and_no_more() {
    let server = Server::start();
    let reader = server.operator("grantor:read");
    let without = server.send("GET", "/admin/v1/clients", &[], b"");
    assert_eq!(
        (without.status, without.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    for token in ["Bearer x", "Bearer ", "Basic eDp4", "Bearer a.b.c"] {
        let headers = [("Authorization", token)];
        let refused = server.send("GET", "/admin/v1/clients", &headers, b"");
        assert_eq!(refused.status, 401, "{token}");
        let challenge = refused.header("www-authenticate");
        assert_eq!(challenge, Some("Bearer error=\"invalid_token\""), "{token}");
    }
    let refused = reader.ask("POST", "/subjects", &json!({"id": "alice"}));
    assert_eq!(refused.status, 403);
    let challenge = refused.header("www-authenticate");
    assert_eq!(
        challenge,
        Some("Bearer error=\"insufficient_scope\", scope=\"grantor:write\"")
    );
    assert_eq!(refused.json()["needed"], "grantor:write");
    let writer = server.operator("grantor:write");
    let refused = writer.ask("PUT", "/subjects/alice/role", &json!({"role": "owner"}));
    assert_eq!(
        refused.json()["needed"],
        "grantor:admin",
        "{}",
        refused.body
    );
    assert_eq!(
        writer
            .ask("POST", "/subjects", &json!({"id": "alice"}))
            .status,
        201
    );
    let me = writer.ask("GET", "/me", &Value::Null).json();
    assert_eq!(
        (&me["client"], &me["role"]),
        (&json!("by-grantor-write"), &json!("editor"))
    );
    assert_eq!(me["scope"], "grantor:write");
    assert!(me["expires_at"].is_string());
}

/// Everything that can be read of a server: by its API, its commands, its log.
fn everything(server: &Server, operator: &Operator<'_>, paths: &[&str]) -> String {
    let mut told = String::new();
    for path in paths {
        let answer = operator.ask("GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        told += &format!("{answer:?}");
    }
    for command in [
        &["changes", "list", "--json"][..],
        &["client", "list", "--json"],
        &["decisions", "list", "--json"],
    ] {
        told += &server.ok(command);
    }
    told + &format!("{:?}", server.log())
}

#[test]
fn m017_what_is_made_once_is_answered_once() {
    let server = Server::start_with("[person]");
    let operator = server.operator("grantor:admin");
    let text = |answer: &Answer, pointer: &str| {
        let value = answer.json().pointer(pointer).cloned();
        let value = value.and_then(|value| value.as_str().map(str::to_owned));
        value.unwrap_or_else(|| unreachable!("{pointer}: {}", answer.body))
    };
    let key = operator.ask(
        "POST",
        "/clients",
        &json!({"client_id": "k", "token_endpoint_auth_method": "private_key_jwt", "generate": "ES256"}),
    );
    let secret = operator.ask(
        "POST",
        "/clients",
        &json!({"client_id": "s", "token_endpoint_auth_method": "client_secret_basic"}),
    );
    let more = operator.ask("POST", "/clients/k/keys", &json!({"generate": "ES256"}));
    let again = operator.ask("POST", "/clients/s/secrets", &json!({"overlap": 60}));
    operator.ask("POST", "/subjects", &json!({"id": "alice"}));
    let invitation = operator.ask(
        "POST",
        "/subjects/alice/invitations",
        &json!({"lifetime": 3600}),
    );
    let link = text(&invitation, "/link");
    let once = [
        text(&key, "/private_key/d"),
        text(&secret, "/client_secret"),
        text(&more, "/private_key/d"),
        text(&again, "/client_secret"),
        link.rsplit_once('=').expect("a token").1.to_owned(),
    ];
    for answer in [&key, &secret, &more, &again, &invitation] {
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let headers = format!("{:?}", answer.headers);
        assert!(once.iter().all(|once| !headers.contains(once)), "{headers}");
    }
    let paths = [
        "/clients",
        "/clients/k",
        "/clients/k/keys",
        "/clients/s",
        "/subjects/alice/invitations",
        "/subjects/alice",
        "/openapi.json",
    ];
    let told = everything(&server, &operator, &paths);
    for once in &once {
        assert!(!told.contains(once), "{once} is told again");
    }
    let open = operator
        .ask("GET", "/subjects/alice/invitations", &Value::Null)
        .json();
    assert_eq!(open["items"].as_array().map(Vec::len), Some(1));
    let ended = operator.ask("DELETE", "/subjects/alice/invitations", &Value::Null);
    assert_eq!(ended.status, 204);
    let open = operator
        .ask("GET", "/subjects/alice/invitations", &Value::Null)
        .json();
    assert_eq!(open["items"], json!([]));
}

#[test]
fn m012_keys_and_secrets_come_and_go_and_the_last_one_stays() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    operator.ask(
        "POST",
        "/clients",
        &json!({"client_id": "k", "token_endpoint_auth_method": "private_key_jwt", "generate": "ES256"}),
    );
    let keys = operator.ask("GET", "/clients/k/keys", &Value::Null).json();
    let name = keys["keys"][0]["name"].as_str().expect("a name").to_owned();
    let path = format!("/clients/k/keys/{name}");
    let last = operator.ask("DELETE", &path, &Value::Null);
    let is_last = last.json()["type"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("/last_key"));
    assert!(last.status == 409 && is_last, "{}", last.body);
    let added = operator.ask("POST", "/clients/k/keys", &json!({"generate": "RS256"}));
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(operator.ask("DELETE", &path, &Value::Null).status, 204);
    assert_eq!(operator.ask("DELETE", &path, &Value::Null).status, 404);
    operator.ask(
        "POST",
        "/clients",
        &json!({"client_id": "s", "token_endpoint_auth_method": "client_secret_basic"}),
    );
    // By the names under which changes have them, whatever comes and goes beside them.
    let secrets = || {
        let shown = operator.ask("GET", "/clients/s", &Value::Null).json();
        let secrets = shown["secrets"].as_array().expect("a list").clone();
        let name = |secret: &Value| secret["name"].as_str().expect("a name").to_owned();
        secrets.iter().map(name).collect::<Vec<_>>()
    };
    let first = format!("/clients/s/secrets/{}", secrets()[0]);
    let last = operator.ask("DELETE", &first, &Value::Null);
    assert_eq!(last.status, 409, "{}", last.body);
    let made = operator.ask(
        "POST",
        "/clients/s/secrets",
        &json!({"overlap": 600, "lifetime": 3600}),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(secrets().len(), 2);
    for (path, status) in [
        ("/clients/s/secrets/1", 404),
        (&*first, 204),
        (&*first, 404),
    ] {
        let removed = operator.ask("DELETE", path, &Value::Null);
        assert_eq!(removed.status, status, "{path}: {}", removed.body);
    }
    assert!(!first.ends_with(&*secrets()[0]), "the new one is left");
    let none = operator.ask("POST", "/clients/k/secrets", &json!({}));
    assert_eq!(none.status, 409, "{}", none.body);
}

#[test]
fn m030_a_preview_uses_nothing_up_and_names_the_rule() {
    let server = Server::start();
    let operator = server.operator("grantor:write");
    let reader = server.operator("grantor:read");
    let client = json!({
        "client_id": "billing", "token_endpoint_auth_method": "private_key_jwt", "generate": "ES256",
        "scope": "a b",
    });
    operator.ask("POST", "/clients", &client);
    operator.ask("POST", "/subjects", &json!({"id": "alice"}));
    let preview = |body: Value| reader.ask("POST", "/clients/billing/preview", &body).json();
    let bearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let before = server.ok(&["changes", "list", "--json"]);
    assert_eq!(
        preview(json!({"grant": "client_credentials"}))["scope"],
        "a b"
    );
    let refused = preview(json!({"grant": bearer, "subject": "alice"}));
    assert_eq!(refused["rule"], "permission", "{refused}");
    operator.ask("PUT", "/permissions/billing/alice", &json!({"scope": "a"}));
    let granted = preview(json!({"grant": bearer, "subject": "alice"}));
    assert_eq!(
        (&granted["scope"], &granted["audience"]),
        (&json!("a"), &json!(server.issuer))
    );
    let wrong = reader.ask(
        "POST",
        "/clients/billing/preview",
        &json!({"grant": bearer}),
    );
    assert_eq!(wrong.status, 422, "{}", wrong.body);
    let nobody = reader.ask("POST", "/clients/nobody/preview", &json!({"grant": bearer}));
    assert_eq!(nobody.status, 404, "{}", nobody.body);
    assert_ne!(
        before,
        server.ok(&["changes", "list", "--json"]),
        "the permission is on record"
    );
}
