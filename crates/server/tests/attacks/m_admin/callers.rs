//! Who calls: tokens that are none, roles that do not suffice, power that was taken, and how often.

use std::{collections::BTreeMap, time::Duration};

use grantor::jose::{Algorithm, SigningKey, base64url_decode, base64url_encode};
use grantor_testkit::binary::{browser::Browser, signing_key};
use serde_json::{Value, json};

use super::office::{Ask, Office};
use crate::{
    forge::{Jwt, Key, quote},
    oracle::{fresh, now},
    support::{Answer, CLIENT_ASSERTION, JWT_BEARER, assertion},
};

/// The operations of the OpenAPI document: method, path with names of nothing, and what they need.
fn operations(office: &Office) -> Vec<(String, String, String)> {
    let document = office
        .server
        .send("GET", "/admin/v1/openapi.json", &[], b"")
        .json();
    let paths = document["paths"].as_object().expect("paths").clone();
    let mut found = Vec::new();
    for (path, item) in paths {
        let path: Vec<_> = path
            .split('/')
            .map(|part| if part.starts_with('{') { "x1" } else { part })
            .collect();
        for (method, operation) in item.as_object().expect("operations") {
            let Some(description) = operation["description"].as_str() else {
                continue;
            };
            let needs = description.split('`').nth(1).expect("a scope");
            let method = method.to_ascii_uppercase();
            found.push((method, path.join("/"), needs.to_owned()));
        }
    }
    found
}

/// A text with one letter changed.
fn spoilt(text: &str, at: usize) -> String {
    let mut octets = text.as_bytes().to_vec();
    octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(octets).expect("ASCII")
}

/// The claims of a JWT.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).and_then(base64url_decode);
    serde_json::from_slice(&claims.expect("a JWT")).expect("JSON")
}

#[test]
fn ma01_what_is_no_token_for_the_api_is_answered_with_a_challenge_and_nothing_more() {
    let office = Office::open();
    let (issuer, api) = (
        office.server.issuer.clone(),
        format!("{}/admin/v1", office.server.issuer),
    );
    let good = office.token("owner");
    let foreign = Key::generate(Algorithm::Es256);
    let header = good.split('.').next().and_then(base64url_decode);
    let header: Value = serde_json::from_slice(&header.expect("a JWT")).expect("JSON");
    // The claims of a good one, signed by somebody else.
    let forged = |typ: &str, change: &dyn Fn(&mut Value)| {
        let mut claims = claims(&good);
        change(&mut claims);
        let mut jwt = Jwt::new(&foreign)
            .header("alg", quote("ES256"))
            .header("typ", quote(typ))
            .header("kid", header["kid"].to_string());
        for (name, value) in claims.as_object().expect("claims") {
            jwt = jwt.claim(name, value.to_string());
        }
        jwt.sign()
    };
    let keyed = office.server.client(
        "keyed",
        &["--generate-key", "--scope", "grantor:admin read"],
    );
    let key: SigningKey = signing_key(&keyed);
    let minute = Duration::from_secs(60);
    let authentication = assertion(&issuer, "keyed", "keyed", &key, minute);
    let for_api = assertion(&api, "keyed", "keyed", &key, minute);
    let elsewhere = office.server.token(&[
        ("grant_type", "client_credentials"),
        ("client_assertion_type", CLIENT_ASSERTION),
        ("client_assertion", &authentication),
    ]);
    let elsewhere = elsewhere.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let none = {
        let parts: Vec<_> = good.split('.').collect();
        let none = base64url_encode(br#"{"alg":"none","typ":"at+jwt"}"#);
        format!("{none}.{}.", parts[1])
    };
    let rows = [
        ("for another audience", elsewhere),
        ("client assertion", authentication),
        ("assertion for the API", for_api),
        ("no signature", none),
        ("another key", forged("at+jwt", &|_| ())),
        (
            "another key, aud an array",
            forged("at+jwt", &|claims| {
                claims["aud"] = json!([api, "https://api.example"]);
            }),
        ),
        ("typ JWT", forged("JWT", &|_| ())),
        (
            "expired",
            forged("at+jwt", &|claims| claims["exp"] = json!(now() - 3600)),
        ),
        (
            "another issuer",
            forged("at+jwt", &|claims| {
                claims["iss"] = json!("https://as.example");
            }),
        ),
        ("signature changed", spoilt(&good, good.len() - 5)),
        (
            "claims changed",
            spoilt(&good, good.find('.').expect("a JWT") + 5),
        ),
        ("two", format!("{good} {good}")),
        ("comma", format!("{good},{good}")),
        ("garbage", "garbage".to_owned()),
        ("empty", String::new()),
        ("long", "a".repeat(8_000)),
        ("another's jti", fresh()),
    ];
    for (row, token) in &rows {
        let answer = office.ask_as(token, "GET", "/clients", &Value::Null, &[]);
        office.judge(&format!("MA01 {row}"), &answer, 401, "unauthenticated");
        assert!(
            token.len() < 8 || !answer.body.contains(&**token),
            "MA01 {row}: an echo"
        );
    }
    type Place = (&'static str, String, Vec<(&'static str, String)>);
    let places: [Place; 7] = [
        ("no token", "/admin/v1/clients".to_owned(), vec![]),
        (
            "in the query",
            format!("/admin/v1/clients?access_token={good}"),
            vec![],
        ),
        (
            "Basic",
            "/admin/v1/clients".to_owned(),
            vec![("Authorization", format!("Basic {good}"))],
        ),
        (
            "DPoP",
            "/admin/v1/clients".to_owned(),
            vec![("Authorization", format!("DPoP {good}"))],
        ),
        (
            "without scheme",
            "/admin/v1/clients".to_owned(),
            vec![("Authorization", good.clone())],
        ),
        (
            "in a cookie",
            "/admin/v1/clients".to_owned(),
            vec![("Cookie", format!("access_token={good}"))],
        ),
        (
            "twice",
            "/admin/v1/clients".to_owned(),
            vec![
                ("Authorization", format!("Bearer {good}")),
                ("Authorization", format!("Bearer {good}")),
            ],
        ),
    ];
    for (row, path, headers) in &places {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        let answer = office.server.send("GET", path, &headers, b"");
        office.judge(&format!("MA01 {row}"), &answer, 401, "unauthenticated");
        assert!(!answer.body.contains(&good), "MA01 {row}: an echo");
    }
    // In a form body (RFC 6750 §2.2).
    let form = [("access_token", &*good)];
    let answer = office.server.post("/admin/v1/clients", &form, &[]);
    office.judge("MA01 in a form", &answer, 401, "unauthenticated");
    office.done("owner", "GET", "/clients", &Value::Null);
}

/// M001, MA02: for every operation there is.
#[test]
fn ma02_every_operation_is_refused_to_whom_the_document_says_and_nothing_changes() {
    let office = Office::open();
    let operations = operations(&office);
    assert!(operations.len() >= 5, "{operations:?}");
    let scopes = ["grantor:read", "grantor:write", "grantor:admin"];
    let rank = |scope: &str| {
        scopes
            .iter()
            .position(|one| *one == scope)
            .expect("a scope")
    };
    let mut refused = BTreeMap::<&str, usize>::new();
    for (method, path, needs) in &operations {
        let row = format!("MA02 {method} {path}");
        let before = office.last_change();
        let path_of_api = format!("/admin/v1{path}");
        let answer = office.server.send(method, &path_of_api, &[], b"");
        office.judge(
            &format!("{row} without token"),
            &answer,
            401,
            "unauthenticated",
        );
        assert_eq!(
            *needs == "grantor:read",
            method == "GET" || rank(needs) == 0,
            "{row}"
        );
        for (role, scope) in super::office::ROLES {
            let answer = office.ask(role, method, path, &Value::Null);
            if rank(scope) < rank(needs) {
                office.judge(
                    &format!("{row} by {role}"),
                    &answer,
                    403,
                    "insufficient_scope",
                );
                assert_eq!(answer.json()["needed"], needs.as_str(), "{row} by {role}");
                *refused.entry(role).or_default() += 1;
            } else {
                // The control: it is let through to the operation, which wants a body or a name.
                assert!(
                    ![401, 403].contains(&answer.status),
                    "{row} by {role}: {answer:?}"
                );
                assert!(answer.status < 500, "{row} by {role}: {answer:?}");
            }
            if rank(scope) < rank(needs) {
                assert_eq!(office.last_change(), before, "{row}: something was changed");
            }
        }
    }
    assert!(refused["reader"] >= 3, "{refused:?}");
}

/// MA07: the token stays in hand, and what it rests on is taken.
#[test]
fn ma07_what_is_taken_is_gone_with_the_next_request() {
    let office = Office::open();
    let rows: [(&str, &str, Value, u16, &str); 4] = [
        (
            "disabled",
            "PATCH",
            json!({"enabled": false}),
            401,
            "unauthenticated",
        ),
        (
            "scope taken",
            "PATCH",
            json!({"scope": "read"}),
            403,
            "insufficient_scope",
        ),
        (
            "scope lowered",
            "PATCH",
            json!({"scope": "grantor:read"}),
            403,
            "insufficient_scope",
        ),
        ("deleted", "DELETE", Value::Null, 401, "unauthenticated"),
    ];
    for (number, (row, method, body, status, slug)) in rows.iter().enumerate() {
        let name = format!("temp{number}");
        office.hire(&name, "grantor:write");
        let token = office.token_for(&name, "grantor:write");
        let make = |subject: &str| {
            office.ask_as(
                &token,
                "PATCH",
                &format!("/clients/{subject}"),
                &json!({"description": "x"}),
                &[],
            )
        };
        office.done(
            "editor",
            "POST",
            "/clients",
            &super::office::client(&format!("of-{name}"), json!({})),
        );
        let subject = format!("of-{name}");
        assert_eq!(make(&subject).status, 200, "MA07 control of {row}");
        office.done("owner", method, &format!("/clients/{name}"), body);
        let before = office.last_change();
        office.judge(&format!("MA07 {row}"), &make(&subject), *status, slug);
        assert_eq!(office.last_change(), before, "MA07 {row}");
    }
    // The token itself is revoked.
    office.hire("revoked", "grantor:read");
    let token = office.token_for("revoked", "grantor:read");
    let look = || office.ask_as(&token, "GET", "/clients", &Value::Null, &[]);
    assert_eq!(look().status, 200, "MA07 control of revoked");
    let secret = office.secret("revoked");
    let form = [
        ("token", &*token),
        ("client_id", "revoked"),
        ("client_secret", &*secret),
    ];
    assert_eq!(office.server.post("/revoke", &form, &[]).status, 200);
    office.judge("MA07 revoked", &look(), 401, "unauthenticated");
}

#[test]
fn ma03_a_cookie_opens_no_api_and_a_token_no_page() {
    let office = Office::open();
    office.server.ok(&["subject", "create", "alice"]);
    let link = office.server.ok(&["subject", "invite", "alice", "--json"]);
    let link: Value = serde_json::from_str(&link).expect("JSON");
    let mut alice = Browser::new(&office.server);
    alice.accept(
        link["link"].as_str().expect("a link"),
        "correct horse battery staple",
    );
    let cookie = alice.cookie.clone().expect("a session");
    let answer = office
        .server
        .send("GET", "/admin/v1/clients", &[("Cookie", &cookie)], b"");
    office.judge("MA03 cookie at the API", &answer, 401, "unauthenticated");
    assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer"));
    let bearer = format!("Bearer {}", office.token("owner"));
    let token = [("Authorization", &*bearer)];
    let page = office.server.send("GET", "/me", &token, b"");
    assert!(
        page.status != 200 || !page.body.contains("Who may act for you"),
        "MA03: {page:?}"
    );
    // A broken token is not mended by a cookie, and a cookie does not spoil a good token.
    let both = |token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer), ("Cookie", &*cookie)];
        office
            .server
            .send("GET", "/admin/v1/clients", &headers, b"")
    };
    office.judge("MA03 both", &both("garbage"), 401, "unauthenticated");
    assert_eq!(both(&office.token("reader")).status, 200, "MA03 control");
    assert!(
        alice.open("/me").body.contains("Who may act for you"),
        "MA03 control"
    );
}

/// M165: the cookies of people and of the console are two kinds, whatever they are called.
#[test]
fn ma03_m165_the_cookie_of_the_console_opens_no_api_and_no_page_of_people() {
    let office = Office::open();
    let server = &office.server;
    let console = server.console().browser.cookie.expect("a session");
    server.ok(&["subject", "create", "alice"]);
    let link = server.ok(&["subject", "invite", "alice", "--json"]);
    let link: Value = serde_json::from_str(&link).expect("JSON");
    let mut alice = Browser::new(server);
    let link = link["link"].as_str().expect("a link");
    alice.accept(link, "correct horse battery staple");
    let person = alice.cookie.clone().expect("a session");
    let answer = server.send("GET", "/admin/v1/clients", &[("Cookie", &console)], b"");
    office.judge("MA03 console", &answer, 401, "unauthenticated");
    let bearer = format!("Bearer {}", office.token("owner"));
    let page = server.send("GET", "/console", &[("Authorization", &bearer)], b"");
    assert_eq!(page.status, 303, "MA03 a token at the console: {page:?}");
    let called = |name: &str, cookie: &str| {
        let (_, value) = cookie.split_once('=').expect("a cookie");
        format!("{name}={value}")
    };
    for (path, cookie) in [
        ("/console", called("grantor-console", &person)),
        ("/console", person.clone()),
        ("/console", format!("{console}; {console}")),
        ("/me", called("grantor", &console)),
        ("/me", console.clone()),
        ("/me", format!("{person}; {}", called("grantor", &console))),
    ] {
        let page = server.send("GET", path, &[("Cookie", &cookie)], b"");
        let place = page.header("location").unwrap_or_default();
        assert!(place.contains("/signin"), "MA03 {path} {cookie}: {page:?}");
    }
    // The control: each at its own, also beside the other.
    let both = format!("{person}; {console}");
    for (path, cookie) in [
        ("/console", &console),
        ("/me", &person),
        ("/console", &both),
        ("/me", &both),
    ] {
        let page = server.send("GET", path, &[("Cookie", cookie)], b"");
        assert_eq!(page.status, 200, "MA03 {path}: {page:?}");
    }
}

/// A jwt-bearer token about a person with power, through clients with and without it.
#[test]
fn m013_a_token_about_an_owner_has_power_only_where_client_and_permission_name_it() {
    let office = Office::open();
    let api = format!("{}/admin/v1", office.server.issuer);
    for (name, scope) in [("weak", "read"), ("strong", "grantor:admin read")] {
        office
            .server
            .client(name, &["--generate-key", "--scope", scope]);
    }
    office.server.ok(&["subject", "create", "root"]);
    office.done(
        "owner",
        "PUT",
        "/subjects/root/role",
        &json!({"role": "owner"}),
    );
    for name in ["weak", "strong"] {
        office.server.ok(&["permission", "create", name, "root"]);
    }
    let about_root = |client: &str, scope: &str| -> Answer {
        let key = signing_key(&office.server.directory().join(format!("{client}.json")));
        let jwt = assertion(
            &office.server.issuer,
            client,
            "root",
            &key,
            Duration::from_secs(60),
        );
        let mut form = vec![
            ("grant_type", JWT_BEARER),
            ("assertion", &*jwt),
            ("resource", &*api),
        ];
        if !scope.is_empty() {
            form.push(("scope", scope));
        }
        office.server.token(&form)
    };
    for scope in ["grantor:admin", "grantor:read", "read", ""] {
        for client in ["weak", "strong"] {
            let answer = about_root(client, scope);
            assert_eq!(answer.status, 400, "M013 {client} {scope}: {answer:?}");
            assert!(
                !answer.body.contains("access_token"),
                "M013 {client} {scope}"
            );
        }
    }
    // An owner says so by name, and there it is; as much as the role allows.
    let named = json!({"scope": "grantor:admin"});
    office.done("owner", "PUT", "/permissions/strong/root", &named);
    let granted = about_root("strong", "grantor:admin");
    assert_eq!(granted.status, 200, "M013 control: {granted:?}");
    let token = granted.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let me = || office.ask_as(&token, "GET", "/me", &Value::Null, &[]);
    assert_eq!(me().json()["subject"], "root", "{:?}", me());
    assert_eq!(me().json()["role"], "owner");
    office.done(
        "owner",
        "PUT",
        "/subjects/root/role",
        &json!({"role": "reader"}),
    );
    assert_eq!(
        me().json()["role"],
        "reader",
        "MA07 the role is lowered: {:?}",
        me()
    );
    office.done("owner", "DELETE", "/subjects/root/role", &Value::Null);
    office.judge("MA07 the role is taken", &me(), 403, "insufficient_scope");
}

/// The rest of a body is not waited for for ever, and that is told as all else.
#[test]
fn m009_a_body_that_does_not_come_is_a_problem_too() {
    let office = Office::open();
    let request = format!(
        "POST /admin/v1/subjects HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{{",
        office.server.address,
        office.token("editor")
    );
    let answer = office.server.raw(request.as_bytes());
    office.judge("a body that does not come", &answer, 408, "timeout");
    assert_eq!(answer.header("Connection"), Some("close"));
}

/// MA36. The second is the absolute form of a request target (RFC 9112 §3.2.2).
#[test]
fn ma36_no_header_and_no_target_says_where_the_api_is() {
    let office = Office::open();
    let bearer = format!("Bearer {}", office.token("editor"));
    let evil = "evil.example";
    let mut number = 0;
    let mut make = |target: &str, host: &str, more: &[(&str, &str)]| {
        number += 1;
        let body = super::office::client(&format!("c{number}/x"), json!({})).to_string();
        let mut request = format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in more {
            request += &format!("{name}: {value}\r\n");
        }
        office.server.raw(format!("{request}\r\n{body}").as_bytes())
    };
    let own = office.server.address.to_string();
    type Row<'r> = (&'r str, &'r str, &'r [(&'r str, &'r str)]);
    let rows: [Row<'_>; 6] = [
        ("/admin/v1/clients", &own, &[]),
        ("/admin/v1/clients", evil, &[]),
        ("http://evil.example/admin/v1/clients", evil, &[]),
        (
            "/admin/v1/clients",
            &own,
            &[("X-Forwarded-Host", evil), ("X-Forwarded-Proto", "https")],
        ),
        (
            "/admin/v1/clients",
            &own,
            &[("Forwarded", "for=192.0.2.1;host=evil.example;proto=https")],
        ),
        (
            "/admin/v1/clients",
            &own,
            &[
                ("X-Original-URL", "/evil.example"),
                ("X-Rewrite-URL", "/evil.example"),
            ],
        ),
    ];
    for (target, host, more) in rows {
        let row = format!("MA36 {target} {host} {more:?}");
        let answer = make(target, host, more);
        let told = format!("{:?}{}", answer.headers, answer.body);
        assert!(!told.contains("evil"), "{row}: {answer:?}");
        // Another host may be refused; what is answered is on the issuer.
        if answer.status == 201 {
            let at = format!("{}/admin/v1/clients/~", office.server.issuer);
            let location = answer.header("Location").unwrap_or_default();
            assert!(location.starts_with(&at), "{row}: {answer:?}");
            let place = answer.json()["self"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            assert_eq!(place, location, "{row}");
        } else {
            assert!((400..500).contains(&answer.status), "{row}: {answer:?}");
            assert_ne!(
                (target, host),
                ("/admin/v1/clients", &*own),
                "{row}: {answer:?}"
            );
        }
        let mut problem =
            format!("GET {target}/nobody HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        for (name, value) in more {
            problem += &format!("{name}: {value}\r\n");
        }
        let problem = office.server.raw(format!("{problem}\r\n").as_bytes());
        assert!(
            !format!("{problem:?}").contains("evil"),
            "{row}: {problem:?}"
        );
    }
    let document = office.server.send(
        "GET",
        "/admin/v1/openapi.json",
        &[("X-Forwarded-Host", evil)],
        b"",
    );
    assert!(!document.body.contains("evil"), "MA36");
}

#[test]
fn m016_one_caller_who_asks_too_often_waits_and_the_others_do_not() {
    let office = Office::open_with("[admin]\nrequests_per_minute = 20\n[person]");
    office.hire("busy", "grantor:read");
    let token = office.token_for("busy", "grantor:read");
    let look = || office.ask_as(&token, "GET", "/clients?limit=1", &Value::Null, &[]);
    let answers: Vec<_> = (0..60).map(|_| look()).collect();
    let waits: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 429)
        .collect();
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(
        (20..45).contains(&served) && served + waits.len() == 60,
        "{served}: {answers:?}"
    );
    for answer in &waits {
        office.judge("M016", answer, 429, "slow_down");
        let wait: u64 = answer
            .header("Retry-After")
            .and_then(|text| text.parse().ok())
            .expect("seconds");
        assert!((1..=60).contains(&wait), "M016: {answer:?}");
    }
    // Another token of it is the same caller.
    let another = office.token_for("busy", "grantor:read");
    let answer = office.ask_as(&another, "GET", "/clients", &Value::Null, &[]);
    let is_waiting = answer.status == 429 || answer.status == 200;
    assert!(is_waiting, "M016: {answer:?}");
    // The control: another one, and the token endpoint.
    office.done("reader", "GET", "/clients", &Value::Null);
    assert_eq!(office.ask_for_token("busy", "grantor:read").status, 200);
    let reader = Ask {
        by: "reader",
        method: "POST",
        path: "/clients",
    };
    office.refused(reader, &json!({}), 403, "insufficient_scope");
}
