//! E. For whom a token was made: other audiences, other servers, other kinds of token.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    forge::{Jwt, quote},
    oracle::{Because, Use, world},
    support::escape,
};

const WRONG: Because = ("aud", "aud: expected one of");

#[test]
fn e01_the_token_endpoint_is_no_audience_of_client_authentication() {
    let world = world();
    let endpoint = format!("{}/token", world.server.issuer);
    let forge = |jwt: Jwt<'_>| jwt.text("aud", &endpoint).sign();
    let answer = world.refuses_as(Use::ClientAuth, "E01", &world.ec, forge, WRONG);
    assert!(
        answer.body.contains("audience policy legacy"),
        "the remedy is named: {}",
        answer.body
    );
    world.passes_as(
        Use::Grant,
        "E01 control: a grant may name it",
        &world.ec,
        forge,
    );
    world.passes(
        "E01 control: a client registered as legacy",
        &world.legacy,
        forge,
    );
}

#[test]
fn e02_the_audience_is_this_server_alone_and_to_the_letter() {
    let world = world();
    let issuer = &world.server.issuer;
    let address = world.server.address;
    let all = |values: &[&str]| {
        format!(
            "[{}]",
            values
                .iter()
                .map(|value| quote(value))
                .collect::<Vec<_>>()
                .join(",")
        )
    };
    let endpoint = format!("{issuer}/token");
    let arrays = [
        all(&[issuer, "https://evil.example"]),
        all(&["https://evil.example", issuer]),
        all(&[issuer, &endpoint]),
        all(&[issuer, issuer]),
        all(&[]),
    ];
    for json in &arrays {
        world.refuses(
            &format!("E02 {json}"),
            &world.ec,
            |jwt| jwt.claim("aud", json.as_str()).sign(),
            WRONG,
        );
        world.refuses(
            &format!("E02 legacy {json}"),
            &world.legacy,
            |jwt| jwt.claim("aud", json.as_str()).sign(),
            WRONG,
        );
    }
    for value in [
        String::new(),
        "https://evil.example".to_owned(),
        format!("{issuer}/"),
        format!("{issuer}/introspect"),
        format!("{issuer}/par"),
        format!("{issuer}/register"),
        format!("{issuer}/token/"),
        format!("{issuer}?x"),
        format!("{issuer}#x"),
        format!("{issuer} "),
        format!(" {issuer}"),
        issuer.replace("http:", "HTTP:"),
        issuer.replace("http:", "https:"),
        format!("http://user@{address}"),
        format!("http://localhost:{}", address.port()),
        format!("{issuer}.evil.example"),
        issuer[..issuer.len() - 1].to_owned(),
        address.to_string(),
    ] {
        world.refuses(
            &format!("E02 R055 R075 {value:?}"),
            &world.ec,
            |jwt| jwt.text("aud", &value).sign(),
            WRONG,
        );
    }
    for json in [
        format!("[{},1]", quote(issuer)),
        format!("[{},null]", quote(issuer)),
        "null".into(),
        "1".into(),
        "{}".into(),
    ] {
        let because = (
            "claims",
            "claim 'aud' is not a string or an array of strings",
        );
        world.refuses(
            &format!("R111 {json}"),
            &world.ec,
            |jwt| jwt.claim("aud", json.as_str()).sign(),
            because,
        );
    }
    world.refuses(
        "R055 missing",
        &world.ec,
        |jwt| jwt.without("aud").sign(),
        ("aud", "claim 'aud' is missing"),
    );
    world.passes("E02 control: an array of one", &world.ec, |jwt| {
        jwt.claim("aud", all(&[issuer])).sign()
    });
}

/// The server's name comes from its configuration, whatever a request says (R188).
#[test]
fn e07_another_servers_assertion_is_refused_whatever_the_headers_say() {
    let world = world();
    for usage in Use::BOTH {
        for headers in [
            "Host: other-as.example\r\n",
            "Host: 127.0.0.1\r\nX-Forwarded-Host: other-as.example\r\nX-Forwarded-Proto: http\r\n",
            "Host: 127.0.0.1\r\nForwarded: host=other-as.example;proto=http\r\n",
            "Host: 127.0.0.1\r\nX-Original-URL: http://other-as.example/token\r\n",
        ] {
            let send = |audience: &str| {
                let token = world.jwt(&world.ec, usage).text("aud", audience).sign();
                let form = usage.form(&token);
                let body: Vec<_> = form
                    .iter()
                    .map(|(name, value)| format!("{name}={}", escape(value)))
                    .collect();
                let body = body.join("&");
                let head =
                    "Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n";
                let length = body.len();
                world
                    .server
                    .raw(format!("POST /token HTTP/1.1\r\n{headers}{head}Content-Length: {length}\r\n\r\n{body}").as_bytes())
            };
            let answer = send("http://other-as.example");
            assert_eq!(
                (answer.status, answer.error().as_str()),
                usage.refusal(),
                "{headers}"
            );
            world.assert_cause("E07", &answer, WRONG);
            assert_eq!(send(&world.server.issuer).status, 200, "control: {headers}");
        }
    }
}

#[test]
fn e08_the_servers_own_tokens_are_no_assertions() {
    let world = world();
    let granted = world.passes_as(Use::Grant, "E08", &world.ec, |jwt| jwt.sign());
    let own = granted.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let because = ("issuer", "is not registered");
    for usage in Use::BOTH {
        world.refuses_as(
            usage,
            "E08 access token",
            &world.ec,
            |_| own.clone(),
            because,
        );
    }
    world.refuses(
        "E08 typ of an access token",
        &world.ec,
        |jwt| jwt.header("typ", "\"at+jwt\"").sign(),
        ("typ", "at+jwt"),
    );
}

#[test]
fn e11_tokens_of_other_profiles_are_no_assertions() {
    let world = world();
    let proof = |jwt: Jwt<'_>| {
        let jwk = world.ec.key.public_jwk(&[]).to_string();
        jwt.header("typ", "\"dpop+jwt\"")
            .header("jwk", jwk)
            .text("htm", "POST")
            .text("htu", "http://127.0.0.1/token")
            .sign()
    };
    world.refuses("E11 DPoP proof", &world.ec, proof, ("typ", "dpop+jwt"));
    for usage in Use::BOTH {
        let statement = |jwt: Jwt<'_>| {
            jwt.without("iss")
                .text("software_id", "x")
                .text("client_name", "x")
                .sign()
        };
        world.refuses_as(
            usage,
            "E11 software statement",
            &world.ec,
            statement,
            ("issuer", "claim 'iss' is missing"),
        );
    }
    let request = |jwt: Jwt<'_>| {
        jwt.without("sub")
            .text("response_type", "code")
            .text("client_id", "ec.example")
            .sign()
    };
    world.refuses(
        "E11 signed request",
        &world.ec,
        request,
        ("sub", "claim 'sub' is missing"),
    );
}

#[test]
fn e12_an_assertion_is_no_access_token() {
    let world = world();
    let assertion = world.jwt(&world.ec, Use::ClientAuth).sign();
    let bearer = format!("Bearer {assertion}");
    let form = [("token", "anything")];
    let answer = world
        .server
        .post("/introspect", &form, &[("Authorization", &bearer)]);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (401, "invalid_client")
    );
    assert!(
        answer
            .header("WWW-Authenticate")
            .is_some_and(|challenge| challenge.starts_with("Basic "))
    );
    world.assert_cause(
        "E12 as Bearer",
        &answer,
        ("client", "the scheme is not Basic"),
    );

    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", world.basic.id, world.basic.secret))
    );
    let ask = |token: &str| {
        world.server.post(
            "/introspect",
            &[("token", token)],
            &[("Authorization", &basic)],
        )
    };
    assert_eq!(ask(&assertion).body, r#"{"active":false}"#);
    let granted = world.passes_as(Use::ClientAuth, "E12", &world.ec, |jwt| jwt.sign());
    assert_eq!(
        ask(granted.json()["access_token"].as_str().expect("a token")).json()["active"],
        true,
        "control"
    );
}
