//! H. The shape of the request: parameters, methods, content types, sizes, scope, resource, origin.

use std::time::Instant;

use crate::{
    oracle::{Because, Use, world},
    support::{Answer, JWT_BEARER, escape},
};

const FORM: &str = "application/x-www-form-urlencoded";

/// POSTs these octets, and asserts that they are refused, for this reason.
fn refused(
    row: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
    expected: (u16, &str),
    because: Because,
) -> Answer {
    let world = world();
    let started = Instant::now();
    let answer = world.server.send("POST", path, headers, body.as_bytes());
    world.judge(row, &answer, started, &[]);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        expected,
        "{row}: {answer:?}"
    );
    world.assert_cause(row, &answer, because);
    answer
}

/// A good request of this use, as text.
fn good(usage: Use) -> String {
    let token = world().jwt(&world().ec, usage).sign();
    let pairs: Vec<_> = usage
        .form(&token)
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    pairs.join("&")
}

fn passes(row: &str, headers: &[(&str, &str)], body: &str) {
    let answer = world()
        .server
        .send("POST", "/token", headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{row}: {answer:?}");
}

#[test]
fn h06_parameters_are_unique() {
    let repeated = ("form", "a parameter is repeated");
    for usage in Use::BOTH {
        for name in [
            "grant_type",
            "assertion",
            "client_assertion",
            "client_assertion_type",
            "client_id",
            "client_secret",
            "scope",
            "code",
            "refresh_token",
            "redirect_uri",
            "x",
        ] {
            for again in [
                format!("{name}=a&{name}=a"),
                format!("{name}=a&{name}="),
                format!("{name}=&{name}=a"),
            ] {
                let base: Vec<_> = good(usage).split('&').map(str::to_owned).collect();
                let kept: Vec<_> = base
                    .into_iter()
                    .filter(|pair| !pair.starts_with(&format!("{name}=")))
                    .collect();
                let body = format!("{}&{again}", kept.join("&"));
                refused(
                    &format!("H06 {again}"),
                    "/token",
                    &[("Content-Type", FORM)],
                    &body,
                    (400, "invalid_request"),
                    repeated,
                );
            }
        }
        let escaped = good(usage) + "&%67rant_type=client_credentials";
        refused(
            "H06 escaped name",
            "/token",
            &[("Content-Type", FORM)],
            &escaped,
            (400, "invalid_request"),
            repeated,
        );
        let unknown = good(usage) + "&foo=bar&assertion%5B%5D=x";
        passes(
            "R003 control: an unknown parameter, an array by convention",
            &[("Content-Type", FORM)],
            &unknown,
        );
    }
    let array = good(Use::Grant).replace("&assertion=", "&assertion%5B%5D=");
    let missing = ("form", "parameter assertion is missing");
    refused(
        "H06 array syntax",
        "/token",
        &[("Content-Type", FORM)],
        &array,
        (400, "invalid_request"),
        missing,
    );
}

#[test]
fn h09_parameters_come_by_post_and_in_the_body() {
    let world = world();
    for usage in Use::BOTH {
        let body = good(usage);
        for method in ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "post"] {
            let headers = [("Content-Type", FORM), ("X-HTTP-Method-Override", "POST")];
            let path = format!("/token?{body}&_method=POST");
            let answer = world.server.send(method, &path, &headers, body.as_bytes());
            assert_eq!(answer.status, 405, "H09 {method}: {answer:?}");
            assert_eq!(answer.header("Allow"), Some("POST"), "H09 {method}");
            assert!(!answer.body.contains("access_token"));
        }
        let query = ("form", "parameters belong in the request body");
        for sent in ["", body.as_str(), "grant_type=client_credentials"] {
            let path = format!("/token?{body}");
            refused(
                "H09 in the query",
                &path,
                &[("Content-Type", FORM)],
                sent,
                (400, "invalid_request"),
                query,
            );
        }
        for path in ["/token", "/introspect", "/revoke"] {
            let path = format!("{path}?token=abc");
            refused(
                "F15 a token in the query",
                &path,
                &[("Content-Type", FORM)],
                &body,
                (400, "invalid_request"),
                query,
            );
        }
        refused(
            "H09 one name",
            "/token?%73cope=read",
            &[("Content-Type", FORM)],
            &body,
            (400, "invalid_request"),
            query,
        );
        passes(
            "H09 control: none of the refusals used it",
            &[("Content-Type", FORM)],
            &body,
        );
    }
    let log = format!("{:?}", world.server.log());
    assert!(!log.contains("_method=POST"), "a query is never logged");
}

#[test]
fn h10_the_content_is_a_form() {
    let wrong = (
        "form",
        "content type is not application/x-www-form-urlencoded",
    );
    let body = good(Use::Grant);
    for content_type in [
        "application/json",
        "multipart/form-data; boundary=x",
        "text/plain",
        "text/[html]",
        "</><script>",
        "",
        "*/*",
        "application/x-www-form-urlencoded; charset=utf-16",
        "application/x-www-form-urlencoded, text/plain",
        "application/x-www-form-urlencodedx",
    ] {
        let row = format!("H10 {content_type:?}");
        let answer = refused(
            &row,
            "/token",
            &[("Content-Type", content_type)],
            &body,
            (400, "invalid_request"),
            wrong,
        );
        assert!(!answer.body.contains("<script"), "{row}");
    }
    refused(
        "H10 none",
        "/token",
        &[],
        &body,
        (400, "invalid_request"),
        wrong,
    );
    let twice = [("Content-Type", FORM), ("Content-Type", FORM)];
    refused(
        "H10 two",
        "/token",
        &twice,
        &body,
        (400, "invalid_request"),
        wrong,
    );
    let json = r#"{"grant_type":"client_credentials"}"#;
    refused(
        "H10 JSON",
        "/token",
        &[("Content-Type", "application/json")],
        json,
        (400, "invalid_request"),
        wrong,
    );
    passes(
        "H10 control",
        &[(
            "Content-Type",
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        )],
        &body,
    );
}

#[test]
fn h11_bodies_are_bounded_and_plain() {
    let form = [("Content-Type", FORM)];
    let bad = (400, "invalid_request");
    let fields: String = (0..10_000).map(|index| format!("&p{index}=1")).collect();
    let small: String = (0..64).map(|index| format!("&p{index}=1")).collect();
    refused(
        "H11 10,000 fields",
        "/token",
        &form,
        &(good(Use::Grant) + &fields),
        (413, "invalid_request"),
        ("form", "too large"),
    );
    refused(
        "H11 66 fields",
        "/token",
        &form,
        &(good(Use::Grant) + &small),
        bad,
        ("form", "too many parameters"),
    );
    let gzip = [("Content-Type", FORM), ("Content-Encoding", "gzip")];
    refused(
        "H11 gzip",
        "/token",
        &gzip,
        &good(Use::Grant),
        bad,
        ("form", "content encoding is not supported"),
    );
    for body in [
        "grant_type=%zz",
        "grant_type=%",
        "%ff=a",
        "grant_type=client_credentials%",
        "grant_type=\u{1}%2",
    ] {
        refused(
            &format!("R005 {body:?}"),
            "/token",
            &form,
            body,
            bad,
            ("form", "form is not correctly encoded"),
        );
    }
    passes("H11 control", &form, &good(Use::Grant));
}

#[test]
fn h11_framing_that_contradicts_itself_is_refused() {
    let world = world();
    let head = "POST /token HTTP/1.1\r\nHost: as\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let body = good(Use::Grant);
    let length = body.len();
    for (row, rest) in [
        (
            "two lengths",
            format!("Content-Length: {length}\r\nContent-Length: 3\r\n\r\n{body}"),
        ),
        (
            "a length of letters",
            format!("Content-Length: abc\r\n\r\n{body}"),
        ),
        (
            "a negative length",
            format!("Content-Length: -1\r\n\r\n{body}"),
        ),
        (
            "a broken chunk",
            format!("Transfer-Encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n"),
        ),
        (
            "an unknown coding",
            format!("Transfer-Encoding: cow\r\n\r\n{body}"),
        ),
        (
            "a header without colon",
            format!("Content-Length {length}\r\n\r\n{body}"),
        ),
        ("no body", "Content-Length: 0\r\n\r\n".to_owned()),
    ] {
        let answer = world.server.raw(format!("{head}{rest}").as_bytes());
        assert_eq!(answer.status, 400, "H11 {row}: {answer:?}");
        assert!(!answer.body.contains("access_token"), "H11 {row}");
    }
    // A second request hidden behind the first is a request of its own, or none: with Connection:
    // close, none.
    let smuggled = format!(
        "{head}Content-Length: {length}\r\n\r\n{body}GET /jwks HTTP/1.1\r\nHost: as\r\n\r\n"
    );
    let answer = world.server.raw(smuggled.as_bytes());
    assert!(
        answer.status == 200 && !answer.body.contains("keys"),
        "H11 smuggling: {answer:?}"
    );
    let body = good(Use::Grant);
    let chunks = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    assert_eq!(
        world.server.raw(chunks.as_bytes()).status,
        200,
        "H11 control: good chunks"
    );
}

#[test]
fn h14_h15_scope_is_never_widened() {
    let world = world();
    let attempt = |usage: Use, scope: &str, claim: Option<&str>, because: Because| {
        let jwt = claim
            .into_iter()
            .fold(world.jwt(&world.ec, usage), |jwt, claim| {
                jwt.text("scope", claim)
            });
        let token = jwt.sign();
        let form = [&usage.form(&token)[..], &[("scope", scope)]].concat();
        let row = format!("H14 H15 {scope:?} {claim:?} as {usage:?}");
        let answer = world.attack(&row, &form, &[]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_scope"),
            "{row}: {answer:?}"
        );
        world.assert_cause(&row, &answer, because);
    };
    let wide = ("scope", "scope: allowed \"read write\"");
    for usage in Use::BOTH {
        for scope in [
            "admin",
            "read write admin",
            "READ",
            "*",
            "read,write",
            "readwrite",
        ] {
            attempt(usage, scope, None, wide);
        }
        attempt(usage, "read admin", Some("read"), wide);
        for scope in [
            "read\twrite",
            "read  write",
            " read",
            "read ",
            "\"read\"",
            "re\\ad",
            "réad",
            "read\0",
            "read\nwrite",
            " ",
        ] {
            attempt(usage, scope, None, ("scope", "scope is malformed"));
        }
        let narrowed = |scope| {
            let token = world.jwt(&world.ec, usage).sign();
            world
                .grants(
                    "H14 control",
                    &[&usage.form(&token)[..], &[("scope", scope)]].concat(),
                    &[],
                )
                .json()["scope"]
                .clone()
        };
        assert_eq!(narrowed("read"), "read", "R022");
        assert_eq!(
            narrowed(""),
            "read write",
            "R023: omitted is all that is registered"
        );
    }
    attempt(Use::Grant, "", Some("admin"), wide);
    attempt(Use::Grant, "", Some("read admin"), wide);
    attempt(
        Use::Grant,
        "",
        Some("read  write"),
        ("scope_claim", "the 'scope' claim is malformed"),
    );
    let narrow = world.passes_as(
        Use::Grant,
        "H14 control: the claim narrows",
        &world.ec,
        |jwt| jwt.text("scope", "write").sign(),
    );
    assert_eq!(narrow.json()["scope"], "write");
    let alice = |jwt: crate::forge::Jwt<'_>| {
        jwt.text("sub", "alice@example.com")
            .text("scope", "write")
            .sign()
    };
    let token = alice(world.jwt(&world.ec, Use::Grant));
    let answer = world.attack("H14 beyond the permission", &Use::Grant.form(&token), &[]);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (400, "invalid_scope")
    );
    world.assert_cause(
        "H14 beyond the permission",
        &answer,
        ("scope", "scope: allowed \"read\", requested also \"write\""),
    );
}

#[test]
fn h16_grant_type_is_a_known_name_to_the_letter() {
    let world = world();
    let token = world.jwt(&world.ec, Use::Grant).sign();
    let cased = JWT_BEARER.replace("jwt", "JWT");
    let twice_escaped = escape(JWT_BEARER);
    let spaced = format!("{JWT_BEARER} ");
    for grant in [
        "password",
        "authorization_code",
        "refresh_token",
        "jwt-bearer",
        "CLIENT_CREDENTIALS",
        "client_credentials ",
        "client",
        &cased,
        &twice_escaped,
        &spaced,
        "\"\\\r\n\u{e9}",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
    ] {
        let answer = world.attack(
            &format!("H16 {grant:?}"),
            &[("grant_type", grant), ("assertion", &token)],
            &[],
        );
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "unsupported_grant_type"),
            "H16 {grant:?}"
        );
    }
    for form in [
        vec![("assertion", token.as_str())],
        vec![("grant_type", ""), ("assertion", &token)],
    ] {
        let answer = world.attack("H16 missing", &form, &[]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_request")
        );
        world.assert_cause(
            "H16 missing",
            &answer,
            ("form", "parameter grant_type is missing"),
        );
    }
    world.grants("H16 control", &Use::Grant.form(&token), &[]);
}

#[test]
fn h17_a_resource_is_one_that_is_served() {
    let world = world();
    let attempt = |resources: &[&str], expected: (u16, &str), because: Because| {
        for usage in Use::BOTH {
            let token = world.jwt(&world.ec, usage).sign();
            let form: Vec<_> = usage
                .form(&token)
                .into_iter()
                .chain(resources.iter().map(|each| ("resource", *each)))
                .collect();
            let row = format!("H17 {} resources, {:?}", resources.len(), resources[0]);
            let answer = world.attack(&row, &form, &[]);
            assert_eq!((answer.status, answer.error().as_str()), expected, "{row}");
            world.assert_cause(&row, &answer, because);
        }
    };
    let target = (400, "invalid_target");
    for resource in [
        "/v1",
        "api.example",
        "https://api.example/v1#a",
        "https://api.example/v1/",
        "https://api.example",
        "https://evil.example/",
        "HTTPS://api.example/v1",
        "javascript:alert(1)",
        "https://api.example/v1?x",
    ] {
        attempt(&[resource], target, ("resource", "is not served"));
    }
    attempt(
        &["https://api.example/v1", "https://evil.example/"],
        target,
        ("resource", "more than one resource"),
    );
    attempt(
        &["https://api.example/v1"; 1_000],
        (400, "invalid_request"),
        ("form", "too many parameters"),
    );
    for usage in Use::BOTH {
        let token = world.jwt(&world.ec, usage).sign();
        let form = [
            &usage.form(&token)[..],
            &[("resource", "https://api.example/v1")],
        ]
        .concat();
        world.grants("H17 control", &form, &[]);
    }
}

#[test]
fn h18_no_origin_is_allowed() {
    let world = world();
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        for usage in Use::BOTH {
            let headers = [("Content-Type", FORM), ("Origin", origin)];
            let answer = world
                .server
                .send("POST", "/token", &headers, good(usage).as_bytes());
            let allowed = answer
                .headers
                .iter()
                .any(|(name, _)| name.to_lowercase().starts_with("access-control-"));
            assert!(answer.status == 200 && !allowed, "H18 {origin}: {answer:?}");
        }
        let preflight = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
        ];
        let answer = world.server.send("OPTIONS", "/token", &preflight, b"");
        let allowed = answer
            .headers
            .iter()
            .any(|(name, _)| name.to_lowercase().starts_with("access-control-"));
        assert!(answer.status == 405 && !allowed, "H18 {origin}: {answer:?}");
    }
}
