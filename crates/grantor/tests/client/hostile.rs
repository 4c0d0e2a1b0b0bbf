//! An authorization server that means harm: whatever it answers is a typed error, costs bounded
//! memory, and never gets a signature for somebody else's audience. Each row has its control: the
//! same exchange with a good answer gives a token.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use crate::support::{
    Body, Double, ReadJwt, answer, clock, key, redirect, refusal, text, token, with_header,
};
use async_trait::async_trait;
use bytes::Bytes;
use grantor::{
    client::{
        AccessToken, Audience, ClientSecretPost, ConfigError, CredentialError, JwtBearer, LocalKey,
        PrivateKeyJwt, RetryPolicy, Server as AuthorizationServer, Signer, SignerError, TokenError,
        TokenSource, TokenType,
    },
    jose::{Algorithm, JsonError},
    remote::{DiscoveryError, FetchError},
};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde_json::json;

const ONCE: RetryPolicy = RetryPolicy {
    tries: 1,
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
    timeout: Duration::from_secs(20),
};

/// What a source makes of this answer.
async fn outcome(
    make: impl Fn() -> Response<Body> + Send + Sync + 'static,
) -> Result<String, TokenError> {
    Ok(answered(make).await?.expose().to_owned())
}

async fn answered(
    make: impl Fn() -> Response<Body> + Send + Sync + 'static,
) -> Result<AccessToken, TokenError> {
    let server = Double::start(move |_, _| {
        let answer = make();
        async move { answer }
    })
    .await;
    let at = AuthorizationServer::at(&server.token_endpoint()).expect("a URL");
    let source = TokenSource::client_credentials(at, ClientSecretPost::new("billing", "secret"))
        .retry(ONCE)
        .clock(clock());
    source.build().expect("a source").token().await
}

fn raw(body: &'static str) -> impl Fn() -> Response<Body> {
    move || text(200, "application/json", body)
}

#[tokio::test]
async fn the_control_is_accepted() {
    assert_eq!(
        outcome(|| token("good", 3600)).await.ok().as_deref(),
        Some("good")
    );
    let odd = || {
        text(
            200,
            "Application/JSON; charset=UTF-8",
            r#"{"token_type":"bEARER","access_token":"good","other":[{}]}"#,
        )
    };
    assert_eq!(outcome(odd).await.ok().as_deref(), Some("good"));
}

/// What is not encrypted does not leave the machine, whatever proxy the environment names. It has
/// to be another process's.
#[test]
fn plain_http_does_not_go_through_a_proxy() {
    let nowhere = "http://127.0.0.1:1";
    let child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "the_control_is_accepted"])
        .envs([
            ("http_proxy", nowhere),
            ("HTTP_PROXY", nowhere),
            ("ALL_PROXY", nowhere),
            ("no_proxy", ""),
            ("NO_PROXY", ""),
        ])
        .output();
    let child = child.expect("it runs");
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
}

#[tokio::test]
async fn a_lifetime_that_is_no_whole_number_of_seconds_is_refused() {
    for lifetime in [
        "-1",
        "3599.5",
        "-3600.0",
        "\"3600\"",
        "true",
        "[3600]",
        "1e30",
        "99999999999999999999999",
    ] {
        let body =
            format!(r#"{{"access_token":"good","token_type":"Bearer","expires_in":{lifetime}}}"#);
        let error = outcome(move || text(200, "application/json", body.clone()))
            .await
            .expect_err(lifetime);
        assert!(
            matches!(
                error,
                TokenError::Member {
                    member: "expires_in",
                    ..
                }
            ),
            "{lifetime}: {error}"
        );
    }
    let beyond = raw(r#"{"access_token":"good","token_type":"Bearer","expires_in":1e400}"#);
    assert!(matches!(
        outcome(beyond).await,
        Err(TokenError::Json(JsonError::Syntax))
    ));
    // As long as the universe: no overflow, whatever is configured.
    let long = Double::always(
        200,
        json!({"access_token": "good", "token_type": "Bearer", "expires_in": u64::MAX}),
    )
    .await;
    let at = AuthorizationServer::at(&long.token_endpoint()).expect("a URL");
    let source = TokenSource::client_credentials(at, ClientSecretPost::new("billing", "secret"))
        .refresh_ahead(Duration::MAX);
    let source = source.build().expect("a source");
    for _ in 0..2 {
        assert_eq!(source.token().await.expect("a token").expose(), "good");
    }
    assert_eq!(long.count(), 1);
}

/// Servers in languages that know one kind of number, and those that write out what they do not
/// know.
#[tokio::test]
async fn a_whole_number_of_seconds_is_one_however_it_is_written() {
    for (lifetime, seconds) in [
        ("3600", Some(3600)),
        ("3600.0", Some(3600)),
        ("3.6e3", Some(3600)),
        ("0", Some(0)),
        ("null", None),
    ] {
        let body =
            format!(r#"{{"access_token":"good","token_type":"Bearer","expires_in":{lifetime}}}"#);
        let token = answered(move || text(200, "application/json", body.clone()))
            .await
            .expect(lifetime);
        assert_eq!(
            token.lifetime(),
            seconds.map(Duration::from_secs),
            "{lifetime}"
        );
    }
}

#[tokio::test]
async fn a_scope_may_come_as_a_list() {
    for (scope, expected) in [
        (r#"["b","a"]"#, Some("a b")),
        (r#""b a""#, Some("a b")),
        ("[]", Some("")),
        ("null", None),
    ] {
        let body = format!(r#"{{"access_token":"good","token_type":"Bearer","scope":{scope}}}"#);
        let token = answered(move || text(200, "application/json", body.clone()))
            .await
            .expect(scope);
        assert_eq!(
            token.scope().map(ToString::to_string).as_deref(),
            expected,
            "{scope}"
        );
    }
}

#[tokio::test]
async fn a_type_of_token_that_nobody_asked_for_is_refused() {
    for kind in ["mac", "N_A", "DPoP", "Bearer2"] {
        let answer = move || {
            answer(
                200,
                &json!({"access_token": "good", "token_type": kind, "expires_in": 3600}),
            )
        };
        let error = outcome(answer).await.expect_err(kind);
        assert!(
            matches!(&error, TokenError::TokenType(got) if got.eq_ignore_ascii_case(kind)),
            "{kind}: {error}"
        );
    }
    let server = Double::always(200, json!({"access_token": "good", "token_type": "N_A"})).await;
    let at = AuthorizationServer::at(&server.token_endpoint()).expect("a URL");
    let source = TokenSource::client_credentials(at, ClientSecretPost::new("billing", "secret"));
    let source = source
        .accept(TokenType::parse("n_a"))
        .build()
        .expect("a source");
    assert_eq!(
        source.token().await.expect("asked for").token_type(),
        &TokenType::Other("n_a".to_owned()),
        "the control"
    );
}

#[tokio::test]
async fn members_that_are_missing_or_could_not_stand_in_a_header_are_refused() {
    for (body, expected) in [
        (r#"{"token_type":"Bearer"}"#, "access_token"),
        (
            r#"{"access_token":"","token_type":"Bearer"}"#,
            "access_token",
        ),
        (
            r#"{"access_token":1,"token_type":"Bearer"}"#,
            "access_token",
        ),
        (
            r#"{"access_token":null,"token_type":"Bearer"}"#,
            "access_token",
        ),
        (
            r#"{"access_token":"a\r\nX-Evil: 1","token_type":"Bearer"}"#,
            "access_token",
        ),
        (
            r#"{"access_token":"a b","token_type":"Bearer"}"#,
            "access_token",
        ),
        (
            r#"{"access_token":"ä","token_type":"Bearer"}"#,
            "access_token",
        ),
        (r#"{"access_token":"good"}"#, "token_type"),
        (
            r#"{"access_token":"good","token_type":["Bearer"]}"#,
            "token_type",
        ),
        (
            r#"{"access_token":"good","token_type":"Bearer\n"}"#,
            "token_type",
        ),
        (
            r#"{"access_token":"good","token_type":"Bearer","scope":["a",1]}"#,
            "scope",
        ),
        (
            r#"{"access_token":"good","token_type":"Bearer","scope":{"a":true}}"#,
            "scope",
        ),
        (
            r#"{"access_token":"good","token_type":"Bearer","scope":"a\u001b[31m"}"#,
            "scope",
        ),
    ] {
        let error = outcome(raw(body)).await.expect_err(body);
        assert!(
            matches!(error, TokenError::Member { member, .. } if member == expected),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_two_parsers_could_read_differently_is_refused() {
    for (body, expected) in [
        (
            r#"{"access_token":"good","access_token":"evil","token_type":"Bearer"}"#,
            JsonError::DuplicateMember,
        ),
        (
            r#"{"access_token":"good","token_type":"Bearer","x":{"a":1,"a":2}}"#,
            JsonError::DuplicateMember,
        ),
        (
            r#"{"access_token":"good","token_type":"Bearer"}{}"#,
            JsonError::Syntax,
        ),
        (r#"["good"]"#, JsonError::NotAnObject),
        ("access_token=good&token_type=Bearer", JsonError::Syntax),
        ("", JsonError::Syntax),
        (
            r#"{"a":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}"#,
            JsonError::TooDeep,
        ),
    ] {
        let error = outcome(raw(body)).await.expect_err(body);
        assert!(
            matches!(error, TokenError::Json(error) if error == expected),
            "{body}: {error}"
        );
    }
}

#[tokio::test]
async fn an_answer_of_another_type_is_refused() {
    const GOOD: &str = r#"{"access_token":"good","token_type":"Bearer"}"#;
    for kind in [
        "text/html",
        "text/plain",
        "application/jwt",
        "application/json-seq",
        "text/json\u{9}",
        "application/x-www-form-urlencoded",
    ] {
        let error = outcome(move || text(200, kind, GOOD))
            .await
            .expect_err(kind);
        assert!(
            matches!(&error, TokenError::ContentType(got) if got == kind.trim()),
            "{kind}: {error}"
        );
    }
    let error = outcome(|| {
        let mut answer = text(200, "x", GOOD);
        answer.headers_mut().clear();
        answer
    });
    assert!(matches!(error.await, Err(TokenError::ContentType(_))));
}

#[tokio::test]
async fn a_status_other_than_200_is_no_token() {
    const GOOD: &str = r#"{"access_token":"good","token_type":"Bearer"}"#;
    for status in [201, 202, 206, 400, 418, 500] {
        let error = outcome(move || text(status, "application/json", GOOD))
            .await
            .expect_err("no token");
        assert!(
            matches!(error, TokenError::Status(got) if got.as_u16() == status),
            "{status}: {error}"
        );
    }
    let html = outcome(|| text(502, "text/html", "<html>\u{1b}[31m bad gateway"))
        .await
        .expect_err("no token");
    assert_eq!(
        html.to_string(),
        "the token endpoint answered 502 Bad Gateway"
    );
    let hidden = outcome(|| answer(200, &json!({"error": "bad_verification_code"})))
        .await
        .expect_err("no token");
    assert_eq!(
        hidden.oauth_code(),
        Some("bad_verification_code"),
        "an error with status 200"
    );
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Double::tokens().await;
    for status in [301, 302, 303, 307, 308] {
        let target = elsewhere.token_endpoint();
        let answer = move || {
            let mut answer = redirect(&target);
            *answer.status_mut() = StatusCode::from_u16(status).expect("a status");
            answer
        };
        let error = outcome(answer).await.expect_err("a redirect");
        assert!(
            matches!(error, TokenError::Redirect(got) if got.as_u16() == status),
            "{error}"
        );
    }
    assert_eq!(elsewhere.count(), 0, "credentials went elsewhere");
}

/// A body that never ends, and counts what was taken of it.
struct Endless(Arc<AtomicUsize>);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        const PART: &[u8] = &[b' '; 16 * 1024];
        self.0.fetch_add(PART.len(), Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PART)))))
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let sent = Arc::new(AtomicUsize::new(0));
    for status in [200, 400, 500] {
        let counter = Arc::clone(&sent);
        let answer = move || {
            let body = Endless(Arc::clone(&counter)).boxed();
            Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(body)
                .expect("an answer")
        };
        let error = outcome(answer).await.expect_err("too long");
        assert!(
            matches!(&error, TokenError::Fetch(error) if matches!(**error, FetchError::TooLong(_))),
            "{status}: {error}"
        );
    }
    // What lies in the buffers of both sides is a few megabytes at most.
    assert!(
        sent.load(Ordering::SeqCst) < 64 << 20,
        "{} octets",
        sent.load(Ordering::SeqCst)
    );
}

#[tokio::test]
async fn a_token_of_a_mebibyte_is_refused_and_one_that_fits_a_header_is_not() {
    let huge = || token(&"x".repeat(1 << 20), 3600);
    let error = outcome(huge).await.expect_err("too long");
    assert!(
        matches!(&error, TokenError::Fetch(error) if matches!(**error, FetchError::TooLong(_))),
        "{error}"
    );
    assert_eq!(
        outcome(|| token(&"x".repeat(32 << 10), 3600))
            .await
            .map(|token| token.len())
            .ok(),
        Some(32 << 10)
    );
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_in_time() {
    let server = Double::start(|_, _| std::future::pending()).await;
    let at = AuthorizationServer::at(&server.token_endpoint()).expect("a URL");
    let source = TokenSource::client_credentials(at, ClientSecretPost::new("billing", "secret"));
    let source = source
        .retry(RetryPolicy {
            timeout: Duration::from_millis(100),
            ..ONCE
        })
        .build()
        .expect("a source");
    assert!(matches!(source.token().await, Err(TokenError::TimedOut(_))));
}

#[tokio::test]
async fn what_a_server_says_is_shown_escaped_everywhere() {
    let poison = "\u{1b}[2J\r\nINFO token granted\u{202e}\u{0}";
    let refusals = [
        json!({"error": "invalid_client", "error_description": poison, "error_uri": poison}),
        json!({"error": poison}),
        json!({"error": "e".repeat(100_000)}),
    ];
    for refusal in refusals {
        let error = outcome(move || answer(400, &refusal))
            .await
            .expect_err("a refusal");
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(
                !shown.contains(['\u{1b}', '\r', '\n', '\u{202e}', '\u{0}']),
                "{shown:?}"
            );
        }
        assert!(error.to_string().len() < 1000);
    }
    let kind = outcome(move || answer(200, &json!({"access_token": "a", "token_type": "x\u{7f}"})))
        .await
        .expect_err("a type");
    assert!(!kind.to_string().contains('\u{7f}'));
    let lie = format!("https://evil.example{poison}{}", "x".repeat(100_000));
    let server = Double::always(200, json!({"issuer": lie})).await;
    let error = witnessed(&server.url)
        .0
        .token()
        .await
        .expect_err("another issuer")
        .to_string();
    assert!(
        error.contains("evil.example")
            && error.len() < 1000
            && !error.contains(['\u{1b}', '\r', '\n']),
        "{error:?}"
    );
    let with_tab = || with_header(token("a", 1), "content-type", "text/\u{e4}\tx");
    let kind = outcome(with_tab)
        .await
        .expect_err("a content type")
        .to_string();
    assert!(!kind.contains('\t'), "{kind:?}");
}

/// A key that remembers what it signed.
struct Witness(LocalKey, Arc<Mutex<Vec<ReadJwt>>>);

#[async_trait]
impl Signer for Witness {
    fn algorithm(&self) -> Algorithm {
        self.0.algorithm()
    }

    fn key_id(&self) -> Option<&str> {
        self.0.key_id()
    }

    async fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignerError> {
        let text = String::from_utf8(signing_input.to_vec()).expect("ASCII");
        self.1.lock().expect("no panic").push(ReadJwt::read(&text));
        self.0.sign(signing_input).await
    }
}

/// A client of `issuer`, for which everything is signed by the witness: grant and client
/// authentication.
fn witnessed(issuer: &str) -> (TokenSource, Arc<Mutex<Vec<ReadJwt>>>) {
    let signed: Arc<Mutex<Vec<ReadJwt>>> = Arc::default();
    let witness = || Witness(key(Algorithm::Es256).1, Arc::clone(&signed));
    let server = AuthorizationServer::discover(issuer).expect("an issuer");
    let source = TokenSource::jwt_bearer(server, JwtBearer::new("billing", witness()));
    let source = source
        .client_auth(PrivateKeyJwt::new("billing", witness()))
        .retry(ONCE)
        .clock(clock());
    (source.build().expect("a source"), signed)
}

/// CVE-2025-27370: the metadata of one server names another, whose tokens the client could also
/// get.
#[tokio::test]
async fn nothing_is_signed_for_the_audience_that_metadata_names() {
    const VICTIM: &str = "https://victim.example";
    let lies = [
        // Another issuer (RFC 8414 §3.3).
        json!({"issuer": VICTIM, "token_endpoint": "TOKEN"}),
        json!({"issuer": "ISSUER/", "token_endpoint": "TOKEN"}),
        // No issuer, or two.
        json!({"token_endpoint": "TOKEN"}),
        json!({"issuer": ["ISSUER", VICTIM], "token_endpoint": "TOKEN"}),
        // Endpoints where anybody could listen.
        json!({"issuer": "ISSUER", "token_endpoint": "http://victim.example/token"}),
        json!({"issuer": "ISSUER", "token_endpoint": "https://user:pass@victim.example/token"}),
        json!({"issuer": "ISSUER", "token_endpoint": "file:///etc/passwd"}),
        json!({"issuer": "ISSUER"}),
    ];
    for lie in lies {
        let server = metadata(lie.to_string()).await;
        let (source, signed) = witnessed(&server.url);
        let error = source.token().await.expect_err("a lie");
        assert!(matches!(error, TokenError::Discovery(_)), "{lie}: {error}");
        assert_eq!(
            signed.lock().expect("no panic").len(),
            0,
            "{lie}: something was signed"
        );
    }

    // A token endpoint of the victim's in otherwise good metadata: what gets there names whom the
    // client meant, and the victim refuses it.
    let victim = Double::tokens().await;
    let document = json!({"issuer": "ISSUER", "token_endpoint": victim.token_endpoint()});
    let evil = metadata(document.to_string()).await;
    let (source, signed) = witnessed(&evil.url);
    source
        .token()
        .await
        .expect("this victim gives tokens to anybody");
    let signed = signed.lock().expect("no panic").clone();
    assert_eq!(signed.len(), 2);
    for jwt in signed {
        assert_eq!(jwt.claim("aud"), &json!(evil.url));
    }

    // The control: good metadata.
    let good = metadata(json!({"issuer": "ISSUER", "token_endpoint": "TOKEN"}).to_string()).await;
    let (source, signed) = witnessed(&good.url);
    assert_eq!(source.token().await.expect("a token").expose(), "good");
    assert!(
        signed
            .lock()
            .expect("no panic")
            .iter()
            .all(|jwt| jwt.claim("aud") == &json!(good.url))
    );
}

/// Answers the metadata of an https issuer, and remembers what else it was asked for.
struct Elsewhere {
    metadata: serde_json::Value,
    asked: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl grantor::remote::Fetch for Elsewhere {
    async fn fetch(
        &self,
        request: http::Request<Bytes>,
        _: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        if request.uri().path().starts_with("/.well-known/") {
            return Ok(Response::new(self.metadata.to_string().into()));
        }
        self.asked
            .lock()
            .expect("no panic")
            .push(request.uri().to_string());
        let token = json!({"access_token": "good", "token_type": "Bearer", "expires_in": 60, "active": true});
        Ok(Response::builder()
            .header("content-type", "application/json")
            .body(token.to_string().into())
            .expect("an answer"))
    }
}

/// An https issuer whose metadata names a port of the client's own machine would get the secret in
/// the clear, or somebody there asked.
#[tokio::test]
async fn metadata_of_an_https_issuer_leads_nowhere_in_the_clear() {
    for (endpoint, good) in [
        ("https://as.example/token", true),
        ("http://127.0.0.1:9200/token", false),
    ] {
        let metadata = json!({"issuer": "https://as.example", "token_endpoint": endpoint});
        let fetch = Arc::new(Elsewhere {
            metadata,
            asked: Mutex::default(),
        });
        let server = AuthorizationServer::discover("https://as.example").expect("an issuer");
        let source =
            TokenSource::client_credentials(server, ClientSecretPost::new("billing", "secret"));
        let token = source
            .fetch(fetch.clone())
            .build()
            .expect("a source")
            .token()
            .await;
        assert_eq!(token.is_ok(), good, "{endpoint}: {token:?}");
        let asked = fetch.asked.lock().expect("no panic").clone();
        assert_eq!(
            asked,
            if good {
                vec![endpoint.to_owned()]
            } else {
                Vec::new()
            }
        );
    }
}

/// A server with this metadata, in which ISSUER and TOKEN stand for its own.
async fn metadata(document: String) -> Double {
    let document = Arc::new(document);
    Double::start(move |_, asked| {
        let document = Arc::clone(&document);
        async move {
            let url = format!("http://{}", asked.headers["host"].to_str().expect("ASCII"));
            match asked.uri.path() {
                "/token" => token("good", 3600),
                _ => {
                    let document = document
                        .replace("ISSUER", &url)
                        .replace("TOKEN", &format!("{url}/token"));
                    text(200, "application/json", document)
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn metadata_that_redirects_or_never_ends_is_refused() {
    let good = metadata(json!({"issuer": "ISSUER", "token_endpoint": "TOKEN"}).to_string()).await;
    let target = format!("{}/.well-known/oauth-authorization-server", good.url);
    let server = Double::start(move |_, _| {
        let answer = redirect(&target);
        async move { answer }
    })
    .await;
    let (source, signed) = witnessed(&server.url);
    let error = source.token().await.expect_err("a redirect");
    assert!(
        matches!(&error, TokenError::Discovery(error) if matches!(**error, DiscoveryError::Nowhere(..))),
        "{error}"
    );
    assert_eq!(
        (good.count(), signed.lock().expect("no panic").len()),
        (0, 0)
    );

    let server = Double::start(|_, _| async {
        let body = Endless(Arc::default()).boxed();
        Response::builder()
            .header("content-type", "application/json")
            .body(body)
            .expect("an answer")
    })
    .await;
    let (source, _) = witnessed(&server.url);
    let error = source.token().await.expect_err("too long");
    let too_long = |error: &DiscoveryError| {
        matches!(
            error,
            DiscoveryError::Fetch {
                error: FetchError::TooLong(_),
                ..
            }
        )
    };
    assert!(
        matches!(&error, TokenError::Discovery(error) if too_long(error)),
        "{error}"
    );
}

#[test]
fn a_discovered_endpoint_is_no_audience() {
    let (_, signer) = key(Algorithm::Es256);
    let grant = JwtBearer::new("billing", signer).audience(Audience::TokenEndpoint);
    let discovered = AuthorizationServer::discover("https://as.example").expect("an issuer");
    let error = TokenSource::jwt_bearer(discovered, grant.clone())
        .build()
        .err();
    assert!(
        matches!(
            error,
            Some(ConfigError::Credential(CredentialError::DiscoveredAudience))
        ),
        "{error:?}"
    );
    let configured = AuthorizationServer::at("https://as.example/token").expect("a URL");
    assert!(
        TokenSource::jwt_bearer(configured.clone(), grant)
            .build()
            .is_ok(),
        "the control"
    );
    let (_, signer) = key(Algorithm::Es256);
    let error = TokenSource::jwt_bearer(configured, JwtBearer::new("billing", signer))
        .build()
        .err();
    assert!(
        matches!(
            error,
            Some(ConfigError::Credential(CredentialError::NoIssuer))
        ),
        "{error:?}"
    );
}

#[test]
fn credentials_are_sent_over_tls_or_not_at_all() {
    for url in [
        "http://as.example/token",
        "https://me@as.example/token",
        "ftp://127.0.0.1/token",
        "as.example",
    ] {
        assert!(AuthorizationServer::at(url).is_err(), "{url}");
        assert!(AuthorizationServer::discover(url).is_err(), "{url}");
    }
    for url in ["https://as.example/token", "http://127.0.0.1:8080/token"] {
        assert!(AuthorizationServer::at(url).is_ok(), "{url}");
    }
}

#[tokio::test]
async fn a_refusal_and_a_token_do_not_show_secrets_in_debug() {
    let server = Double::start(|number, _| async move {
        match number {
            0 => answer(
                200,
                &json!({"access_token": "s3cr3t-token", "token_type": "Bearer", "id_token": "s3cr3t-id", "expires_in": 1}),
            ),
            _ => refusal(400, "invalid_client"),
        }
    })
    .await;
    let at = AuthorizationServer::at(&server.token_endpoint()).expect("a URL");
    let auth = ClientSecretPost::new("billing", "s3cr3t-secret");
    let shown = format!("{auth:?}");
    let source = TokenSource::client_credentials(at, auth)
        .build()
        .expect("a source");
    let token = source.token().await.expect("a token");
    let shown = format!(
        "{shown} {source:?} {token:?} {:?} {:?}",
        token.header_value(),
        source.token().await
    );
    assert!(!shown.contains("s3cr3t"), "{shown}");
    assert_eq!(token.expose(), "s3cr3t-token");
    assert_eq!(token.member("id_token"), Some(&json!("s3cr3t-id")));
}
