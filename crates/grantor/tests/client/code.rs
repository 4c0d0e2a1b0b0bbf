//! The code grant from the client's side: what is asked, which answers are believed, and what a code
//! is exchanged for.

use std::collections::BTreeMap;

use crate::support::{Double, answer, clock, key};
use grantor::{
    client::{
        AnswerError, AuthorizationRequestError, ClientSecretBasic, CodeClient, ConfigError,
        CredentialError, NoneAuth, PendingAuthorization, PrivateKeyJwt, Server, TokenError,
    },
    jose::{Algorithm, base64url_encode, crypto::sha256},
    types::ErrorCode,
};
use grantor_testkit::CALLBACK;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

/// A server with these further members in its metadata, which answers `status` at its token endpoint.
async fn server(further: Value, status: u16) -> Double {
    Double::start(move |_, asked| {
        let further = further.clone();
        async move {
            let issuer = format!("http://{}", asked.headers["host"].to_str().expect("ASCII"));
            if asked.uri.path() == "/token" {
                let body = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 60, "refresh_token": "r"});
                return answer(status, &body);
            }
            let mut metadata = json!({
                "issuer": issuer, "token_endpoint": format!("{issuer}/token"),
                "authorization_endpoint": format!("{issuer}/authorize?tenant=a"),
            });
            for (name, value) in further.as_object().expect("an object") {
                metadata[name] = value.clone();
            }
            answer(200, &metadata)
        }
    })
    .await
}

fn client(server: &Double) -> CodeClient {
    let auth = PrivateKeyJwt::new("billing", key(Algorithm::Es256).1);
    let at = Server::discover(&server.url).expect("a URL");
    let callback = CALLBACK.parse().expect("a redirect URI");
    let client = CodeClient::builder(at, "billing", callback, auth).clock(clock());
    client.build().expect("a client")
}

async fn pending(server: &Double) -> PendingAuthorization {
    let started = client(server).request().start().await;
    started.expect("a request").pending
}

fn parameters(url: &Url) -> BTreeMap<String, String> {
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(pairs.len(), map.len(), "none is there twice: {url}");
    map
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

#[tokio::test]
async fn a_request_says_what_it_must_and_no_parameter_replaces_that() {
    let server = server(
        json!({"code_challenge_methods_supported": ["plain", "S256"]}),
        200,
    )
    .await;
    let client = client(&server);
    let request = client
        .request()
        .scope("invoices:read invoices:write".parse().expect("a scope"))
        .resource("https://api.example")
        .login_hint("alice & bob+1@example.com")
        .parameter("prompt", "login")
        .parameter("prompt", "consent")
        .parameter("state", "mine")
        .parameter("code_challenge_method", "plain");
    let one = request.clone().start().await.expect("a request");
    let other = request.start().await.expect("a request");
    let mut said = parameters(&one.url);
    assert_eq!(one.url.path(), "/authorize");
    let state = said.remove("state").expect("a state");
    let challenge = said.remove("code_challenge").expect("a challenge");
    let expected = [
        ("tenant", "a"),
        ("response_type", "code"),
        ("client_id", "billing"),
        ("redirect_uri", CALLBACK),
        ("code_challenge_method", "S256"),
        ("scope", "invoices:read invoices:write"),
        ("resource", "https://api.example"),
        ("login_hint", "alice & bob+1@example.com"),
        ("prompt", "consent"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(said, expected.into());
    assert_eq!(
        (state.len(), challenge.len(), state.as_str()),
        (43, 43, one.pending.state())
    );
    let others = parameters(&other.url);
    assert!(others["state"] != state && others["code_challenge"] != challenge);
}

#[tokio::test]
async fn what_is_kept_can_be_stored_and_shows_no_secret() {
    let server = server(json!({}), 200).await;
    let pending = pending(&server).await;
    let stored = serde_json::to_string(&pending).expect("JSON");
    let again: PendingAuthorization = serde_json::from_str(&stored).expect("the same");
    assert_eq!(serde_json::to_string(&again).expect("JSON"), stored);
    let code = again.answer(&query(&[("state", again.state()), ("code", "the-code")]));
    let code = code.expect("a code");
    let verifier: Value = serde_json::from_str(&stored).expect("JSON");
    let verifier = verifier["verifier"].as_str().expect("a verifier");
    let shown = format!("{again:?} {code:?}");
    for secret in [verifier, again.state(), "the-code"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains(CALLBACK), "{shown}");
}

#[tokio::test]
async fn an_answer_is_believed_only_with_state_and_issuer() {
    let supported = json!({"authorization_response_iss_parameter_supported": true});
    let (with, without) = (server(supported, 200).await, server(json!({}), 200).await);
    for server in [&with, &without] {
        let names_itself = std::ptr::eq(server, &with);
        let pending = pending(server).await;
        let (state, iss) = (pending.state(), server.url.as_str());
        let slash = format!("{iss}/");
        for outcome in [("code", "c"), ("error", "access_denied")] {
            let read = |pairs: &[(&str, &str)]| {
                let pairs = [pairs, &[outcome]].concat();
                pending.answer(&query(&pairs)).map(drop)
            };
            let believed = match outcome.0 {
                "code" => read(&[("state", state), ("iss", iss)]).is_ok(),
                _ => matches!(
                    read(&[("state", state), ("iss", iss)]),
                    Err(AnswerError::Refused(refusal)) if refusal.code == ErrorCode::ACCESS_DENIED
                ),
            };
            assert!(believed, "the control: {outcome:?}");
            for other in [
                "",
                "x",
                &state[1..],
                &state.to_uppercase(),
                &format!("{state}x"),
            ] {
                let pairs = [("state", other), ("iss", iss)];
                assert_eq!(read(&pairs), Err(AnswerError::State), "{other:?}");
            }
            assert_eq!(read(&[("iss", iss)]), Err(AnswerError::State));
            for other in ["", "https://evil.example", &slash] {
                let expected = AnswerError::Issuer {
                    expected: iss.to_owned(),
                    got: Some(other.to_owned()),
                };
                assert_eq!(read(&[("state", state), ("iss", other)]), Err(expected));
            }
            let nameless = read(&[("state", state)]);
            let is_other = matches!(nameless, Err(AnswerError::Issuer { got: None, .. }));
            assert_eq!(is_other, names_itself, "{nameless:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_says_one_thing_once() {
    let server = server(json!({}), 200).await;
    let pending = pending(&server).await;
    let state = ("state", pending.state());
    let read = |pairs: &[(&str, &str)]| {
        let pairs = [&[state], pairs].concat();
        pending.answer(&query(&pairs)).map(drop)
    };
    assert_eq!(read(&[("code", "c"), ("session_state", "x")]), Ok(()));
    for name in ["code", "iss", "error", "error_description", "error_uri"] {
        let twice = read(&[(name, "a"), (name, "a")]);
        assert_eq!(twice, Err(AnswerError::Twice(name)));
    }
    assert_eq!(read(&[state]), Err(AnswerError::Twice("state")));
    for empty in [
        &[][..],
        &[("code", "")],
        &[("code", "a\nb")],
        &[("code", "é")],
        &[("error", "")],
        &[("error", "a\"b")],
    ] {
        assert_eq!(read(empty), Err(AnswerError::Empty), "{empty:?}");
    }
    assert_eq!(
        read(&[("code", "c"), ("error", "")]),
        Err(AnswerError::Empty),
        "what is both is an error"
    );
    let evil = "no\r\nINFO all is well \u{202e}";
    let refused = read(&[
        ("error", "temporarily_unavailable"),
        ("error_description", evil),
    ]);
    let Err(AnswerError::Refused(refusal)) = refused else {
        unreachable!("{refused:?}")
    };
    assert!(refusal.is_transient());
    assert_eq!(refusal.description.as_deref(), Some(evil));
    let shown = AnswerError::Refused(refusal).to_string();
    assert!(
        !shown
            .chars()
            .any(|char| char.is_control() || char == '\u{202e}'),
        "{shown}"
    );
}

#[tokio::test]
async fn a_code_is_exchanged_as_it_was_asked_for() {
    let server = server(json!({}), 200).await;
    let client = client(&server);
    let request = client.request().resource("https://api.example");
    let started = request.start().await.expect("a request");
    let answered = query(&[("state", started.pending.state()), ("code", "the code")]);
    let code = started.pending.answer(&answered).expect("a code");
    let redeemed = client.redeem(code).await.expect("a token");
    assert_eq!(redeemed.token.expose(), "a");
    let refresh = redeemed.refresh_token.expect("a refresh token");
    assert_eq!((refresh.issuer(), refresh.expose()), (&*server.url, "r"));
    assert!(!format!("{refresh:?}").contains("\"r\""));

    let asked = server.last();
    let assertion = asked.jwt("client_assertion");
    assert_eq!(assertion.claim("aud"), &json!(server.url));
    let mut form = asked.form();
    let verifier = form.remove("code_verifier").expect("a verifier");
    assert_eq!(
        base64url_encode(sha256(&[verifier.as_bytes()])),
        parameters(&started.url)["code_challenge"]
    );
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "the code"),
        ("redirect_uri", CALLBACK),
        ("resource", "https://api.example"),
        ("client_id", "billing"),
    ] {
        assert_eq!(form.remove(name).as_deref(), Some(value), "{name}");
    }
    let rest: Vec<_> = form.into_keys().collect();
    assert_eq!(rest, ["client_assertion", "client_assertion_type"]);
}

#[tokio::test]
async fn a_code_is_sent_once_whatever_comes_of_it() {
    let server = server(json!({}), 503).await;
    let pending = pending(&server).await;
    let code = pending.answer(&query(&[("state", pending.state()), ("code", "c")]));
    let error = client(&server).redeem(code.expect("a code")).await;
    let error = error.expect_err("no token");
    assert!(error.is_transient(), "{error}");
    assert_eq!(server.asked_at("/token").len(), 1);
}

/// RFC 9700 §4.4
#[tokio::test]
async fn a_code_of_another_server_is_not_sent() {
    let (one, other) = (server(json!({}), 200).await, server(json!({}), 200).await);
    let pending = pending(&one).await;
    let code = || {
        let answered = query(&[("state", pending.state()), ("code", "c")]);
        pending.answer(&answered).expect("a code")
    };
    let error = client(&other).redeem(code()).await.expect_err("no token");
    assert!(matches!(error, TokenError::OtherIssuer { .. }), "{error}");
    assert!(other.asked_at("/token").is_empty());
    client(&one).redeem(code()).await.expect("the control");
}

#[tokio::test]
async fn nobody_is_sent_to_a_server_that_has_no_s256_or_no_such_endpoint() {
    let plain = server(json!({"code_challenge_methods_supported": ["plain"]}), 200).await;
    let error = client(&plain).request().start().await.expect_err("no S256");
    assert!(
        matches!(error, AuthorizationRequestError::NoS256(_)),
        "{error}"
    );
    let none = server(json!({"authorization_endpoint": null}), 200).await;
    let error = client(&none)
        .request()
        .start()
        .await
        .expect_err("no endpoint");
    assert!(
        error.to_string().contains("authorization_endpoint"),
        "{error}"
    );
    let clear = server(
        json!({"authorization_endpoint": "http://evil.example/"}),
        200,
    )
    .await;
    let error = client(&clear)
        .request()
        .start()
        .await
        .expect_err("in the clear");
    assert!(
        matches!(error, AuthorizationRequestError::Discovery(_)),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_may_be_public_or_have_a_secret_and_needs_an_issuer() {
    let server = server(json!({}), 200).await;
    let callback = || CALLBACK.parse().expect("a redirect URI");
    let at = || Server::discover(&server.url).expect("a URL");
    let public = CodeClient::builder(at(), "app", callback(), NoneAuth::new("app"));
    let secret = CodeClient::builder(at(), "app", callback(), ClientSecretBasic::new("app", "s"));
    for (client, authorization) in [(public, None), (secret, Some("Basic YXBwOnM="))] {
        let client = client.build().expect("a client");
        let pending = client.request().start().await.expect("a request").pending;
        let answered = query(&[("state", pending.state()), ("code", "c")]);
        let code = pending.answer(&answered).expect("a code");
        client.redeem(code).await.expect("a token");
        let asked = server.last();
        assert_eq!(asked.authorization(), authorization);
        let named = asked.parameter("client_id");
        assert_eq!(named.is_some(), authorization.is_none());
    }
    let nameless = Server::at(&server.token_endpoint()).expect("a URL");
    let nameless = CodeClient::builder(nameless, "app", callback(), NoneAuth::new("app")).build();
    assert!(matches!(
        nameless,
        Err(ConfigError::Credential(CredentialError::NoIssuer))
    ));
}
