//! What a request is told (RFC 6750 §2.1, §3), through the tower layer.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use crate::support::{AUDIENCE, JWKS, Publisher, Reply, keys};
use grantor::{
    resource::{BearerLayer, Refusal, ValidatedToken, Validator},
    types::Scope,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tower_layer::Layer;
use tower_service::Service;

const INVALID_TOKEN: &str = concat!(
    r#"Bearer realm="https://api.example/invoices", error="invalid_token", "#,
    r#"error_description="the access token is expired, revoked, malformed or not for this resource""#
);
const INVALID_REQUEST: &str = concat!(
    r#"Bearer realm="https://api.example/invoices", error="invalid_request", "#,
    r#"error_description="expected one Authorization header field with a bearer token""#
);
const NO_TOKEN: &str = r#"Bearer realm="https://api.example/invoices""#;

/// Says who is calling, and counts.
#[derive(Clone, Default)]
struct Api(Arc<AtomicUsize>);

impl Service<Request<()>> for Api {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
        let token = request
            .extensions()
            .get::<ValidatedToken>()
            .expect("a token that was validated");
        ready(Ok(Response::new(
            token.subject().expect("a subject").to_owned(),
        )))
    }
}

struct Guarded {
    api: Api,
    guard: BearerLayer,
}

impl Guarded {
    fn new(validator: Validator) -> Self {
        Self {
            api: Api::default(),
            guard: BearerLayer::new(validator),
        }
    }

    /// Sends a request with these Authorization header fields: status, challenge, and whether the
    /// API was called.
    async fn send(&self, uri: &str, authorization: &[&[u8]]) -> (StatusCode, Option<String>, bool) {
        let mut request = Request::get(uri).body(()).expect("a request");
        for value in authorization {
            request.headers_mut().append(
                header::AUTHORIZATION,
                HeaderValue::from_bytes(value).expect("a value"),
            );
        }
        let calls = self.api.0.load(Ordering::Relaxed);
        let response = self
            .guard
            .layer(self.api.clone())
            .call(request)
            .await
            .expect("infallible");
        let challenge = response
            .headers()
            .get(header::WWW_AUTHENTICATE)
            .map(|value| value.to_str().expect("ASCII").to_owned());
        if response.status() != StatusCode::OK {
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            assert_eq!(response.body(), "");
        }
        (
            response.status(),
            challenge,
            self.api.0.load(Ordering::Relaxed) > calls,
        )
    }

    async fn is_told(
        &self,
        row: &str,
        authorization: &[&[u8]],
        status: u16,
        challenge: Option<&str>,
    ) {
        let (got, told, called) = self.send("/", authorization).await;
        assert_eq!(
            (got.as_u16(), told.as_deref()),
            (status, challenge),
            "{row}"
        );
        assert_eq!(called, status == 200, "{row}");
    }
}

async fn guarded() -> (Publisher, Guarded) {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, _) = server.validator(|builder| builder);
    (server, Guarded::new(validator))
}

fn bearer(token: &str) -> Vec<u8> {
    format!("Bearer {token}").into_bytes()
}

#[tokio::test]
async fn the_token_is_in_one_header_field() {
    let (server, api) = guarded().await;
    let token = server.token(&keys::P256).sign(&keys::P256);
    let good = bearer(&token);
    for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer   "] {
        api.is_told(scheme, &[format!("{scheme}{token}").as_bytes()], 200, None)
            .await;
    }
    api.is_told("none", &[], 401, Some(NO_TOKEN)).await;
    for other in ["Basic YTpi", "DPoP abc", "Bearerx abc", "", "Token abc"] {
        api.is_told(other, &[other.as_bytes()], 401, Some(NO_TOKEN))
            .await;
    }
    api.is_told("twice", &[&good, &good], 400, Some(INVALID_REQUEST))
        .await;
    api.is_told(
        "with another",
        &[&good, b"Basic YTpi"],
        400,
        Some(INVALID_REQUEST),
    )
    .await;
    let second = [&good[..], b", ", &good[..]].concat();
    api.is_told("two in one", &[&second], 400, Some(INVALID_REQUEST))
        .await;
    for malformed in [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer \"a\"",
        "Bearer =",
        "Bearer a=b",
        "Bearer a,b",
        "Bearer\ta",
    ] {
        let status = if malformed.contains('\t') {
            (401, NO_TOKEN)
        } else {
            (400, INVALID_REQUEST)
        };
        api.is_told(malformed, &[malformed.as_bytes()], status.0, Some(status.1))
            .await;
    }
    api.is_told(
        "not ASCII",
        &[b"Bearer \xc3\xa4"],
        400,
        Some(INVALID_REQUEST),
    )
    .await;
    api.is_told(
        "huge",
        &[&bearer(&"a".repeat(16 * 1024 + 1))],
        400,
        Some(INVALID_REQUEST),
    )
    .await;
    api.is_told("the control", &[&good], 200, None).await;
}

#[tokio::test]
async fn a_token_elsewhere_is_not_looked_at() {
    let (server, api) = guarded().await;
    let token = server.token(&keys::P256).sign(&keys::P256);
    let uri = format!("/?access_token={token}");
    assert_eq!(
        api.send(&uri, &[]).await,
        (StatusCode::UNAUTHORIZED, Some(NO_TOKEN.to_owned()), false)
    );
    let good = bearer(&token);
    assert_eq!(api.send("/?access_token=evil", &[&good]).await.0, 200);
}

#[tokio::test]
async fn every_bad_token_is_told_the_same() {
    let (server, api) = guarded().await;
    let good = server.token(&keys::P256);
    for (row, token) in [
        ("expired", good.clone().claim("exp", "1")),
        (
            "another audience",
            good.clone().text("aud", "https://api.example/other"),
        ),
        (
            "another issuer",
            good.clone().text("iss", "https://evil.example"),
        ),
        ("typ", good.clone().header("typ", "\"JWT\"")),
        ("alg", good.clone().header("alg", "\"none\"")),
        ("unknown key", good.clone().header("kid", "\"x\"")),
        ("no subject", good.clone().without("sub")),
    ] {
        api.is_told(
            row,
            &[&bearer(&token.sign(&keys::P256))],
            401,
            Some(INVALID_TOKEN),
        )
        .await;
    }
    api.is_told(
        "forged",
        &[&bearer(&good.clone().sign(&keys::P256_OTHER))],
        401,
        Some(INVALID_TOKEN),
    )
    .await;
    api.is_told("opaque", &[&bearer("opaque")], 401, Some(INVALID_TOKEN))
        .await;
    // E12: a client assertion is no access token.
    let assertion = good
        .clone()
        .header("typ", "\"client-authentication+jwt\"")
        .without("client_id")
        .text("aud", AUDIENCE);
    api.is_told(
        "client assertion",
        &[&bearer(&assertion.sign(&keys::P256))],
        401,
        Some(INVALID_TOKEN),
    )
    .await;
    api.is_told(
        "the control",
        &[&bearer(&good.sign(&keys::P256))],
        200,
        None,
    )
    .await;
}

#[tokio::test]
async fn scope_is_required_per_route() {
    let (server, reading) = guarded().await;
    let scope = |text: &str| Scope::parse(text).expect("a scope");
    let writing = Guarded {
        api: Api::default(),
        guard: reading.guard.clone().require_scope(scope("invoices:write")),
    };
    let deleting = Guarded {
        api: Api::default(),
        guard: writing
            .guard
            .clone()
            .require_scope(scope("invoices:delete")),
    };
    let token = |text: &str| {
        bearer(
            &server
                .token(&keys::P256)
                .text("scope", text)
                .sign(&keys::P256),
        )
    };
    let (read, write) = (
        token("invoices:read"),
        token("invoices:read invoices:write"),
    );
    let needs = |scope: &str| {
        let told = "error=\"insufficient_scope\", error_description=\"the access token does not allow this\"";
        format!("{NO_TOKEN}, {told}, scope=\"{scope}\"")
    };
    reading.is_told("read", &[&read], 200, None).await;
    writing
        .is_told("read", &[&read], 403, Some(&needs("invoices:write")))
        .await;
    writing.is_told("write", &[&write], 200, None).await;
    deleting
        .is_told(
            "write",
            &[&write],
            403,
            Some(&needs("invoices:delete invoices:write")),
        )
        .await;
    let expired = server
        .token(&keys::P256)
        .text("scope", "")
        .claim("exp", "1")
        .sign(&keys::P256);
    writing
        .is_told(
            "a bad token is told nothing of scope",
            &[&bearer(&expired)],
            401,
            Some(INVALID_TOKEN),
        )
        .await;
    writing
        .is_told("nor is a stranger", &[], 401, Some(NO_TOKEN))
        .await;
}

#[tokio::test]
async fn without_keys_nothing_can_be_said() {
    let (server, api) = guarded().await;
    server.says(JWKS, Reply::status(500));
    let token = bearer(&server.token(&keys::P256).sign(&keys::P256));
    api.is_told("unavailable", &[&token], 503, None).await;
    api.is_told("still no token", &[], 401, Some(NO_TOKEN))
        .await;
}

#[tokio::test]
async fn realm_and_metadata_are_named() {
    let (server, api) = guarded().await;
    for realm in ["", "a\"b", "a\\b", "a\r\nb", "ä"] {
        assert!(api.guard.clone().realm(realm).is_err(), "{realm:?}");
    }
    let metadata = "https://api.example/.well-known/oauth-protected-resource/invoices"
        .parse()
        .expect("a URL");
    let guard = api
        .guard
        .clone()
        .realm("invoices")
        .expect("a realm")
        .resource_metadata(metadata);
    let api = Guarded {
        api: Api::default(),
        guard,
    };
    let resource =
        "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/invoices\"";
    api.is_told(
        "none",
        &[],
        401,
        Some(&format!("Bearer realm=\"invoices\", {resource}")),
    )
    .await;
    api.is_told(
        "good",
        &[&bearer(&server.token(&keys::P256).sign(&keys::P256))],
        200,
        None,
    )
    .await;
}

#[tokio::test]
async fn a_rejection_tells_the_program_why() {
    let (server, api) = guarded().await;
    let rejection = api
        .guard
        .authorize(&HeaderMap::new())
        .await
        .expect_err("no token");
    assert!(matches!(rejection.refusal(), Refusal::NoToken));
    assert_eq!(
        (rejection.status(), rejection.challenge()),
        (
            StatusCode::UNAUTHORIZED,
            Some(&HeaderValue::from_static(NO_TOKEN))
        )
    );
    let token = server
        .token(&keys::P256)
        .claim("exp", "1")
        .sign(&keys::P256);
    let headers = HeaderMap::from_iter([(
        header::AUTHORIZATION,
        HeaderValue::from_str(&format!("Bearer {token}")).expect("ASCII"),
    )]);
    let rejection = api.guard.authorize(&headers).await.expect_err("expired");
    assert!(rejection.refusal().to_string().starts_with("expired"));
    assert!(!format!("{rejection:?}").contains(&token));
}
