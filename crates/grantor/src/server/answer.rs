//! Answers: tokens and errors as JSON, never cached (RFC 6749 §5.1, §5.2).

use std::mem;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;
use serde_json::json;

use super::{IssuedToken, Refusal, Retry, introspection::Active};
use crate::types::{CorrelationId, ErrorCode};

/// What every answer's body is.
pub(super) type Body = Full<Bytes>;

/// Whether the request carried an Authorization header: only then is a failure answered with a
/// challenge (RFC 6749 §5.2). Some clients hide the body of an answer that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    None,
}

/// A JSON answer that nobody may store.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(body).expect("answers are JSON");
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// RFC 6749 §5.1. `scope` is always told, so that a client never has to guess.
#[derive(Serialize)]
struct TokenResponse<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
}

pub(super) fn token(token: &IssuedToken) -> Response<Body> {
    let body = TokenResponse {
        access_token: token.expose(),
        token_type: "Bearer",
        expires_in: token.lifetime().as_secs(),
        scope: token.scope().to_string(),
    };
    json(StatusCode::OK, &body)
}

/// RFC 7662 §2.2: what the token stands for, or that it is not active and nothing more.
pub(super) fn introspection(active: Option<Active>) -> Response<Body> {
    match active {
        Some(active) => json(StatusCode::OK, &active),
        None => json(StatusCode::OK, &json!({"active": false})),
    }
}

/// Public and the same for everybody: caches may keep it for a moment, and pages of any origin may
/// read it.
pub(super) fn document(body: &impl Serialize) -> Response<Body> {
    let mut response = json(StatusCode::OK, body);
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    response.headers_mut().remove(header::PRAGMA);
    response.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

/// What a browser asks before a page reads a [`document`] in a way of its own, with further headers
/// say. No other endpoint has this: credentials are not for pages.
pub(super) fn preflight() -> Response<Body> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("*"),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("86400"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    response
}

/// RFC 7009 §2.2: done, and nothing to say.
pub(super) fn revoked() -> Response<Body> {
    let mut response = Response::new(Full::default());
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// RFC 6749 §5.2: the code, fixed words, and the id under which the operator finds the cause.
pub(super) fn error(refusal: &Refusal, id: &CorrelationId, challenge: Challenge) -> Response<Body> {
    let code = refusal.code();
    let description = format!("{} (decision {id})", refusal.public_text())
        .replace(|each| !is_description(each), "?");
    let challenge = (*code == ErrorCode::INVALID_CLIENT && challenge == Challenge::Basic).then(|| {
        format!(r#"Basic realm="grantor", charset="UTF-8", error="{code}", error_description="{description}""#)
    });
    let mut response = json(
        status(refusal, challenge.is_some()),
        &json!({"error": code.as_str(), "error_description": description}),
    );
    let headers = response.headers_mut();
    if let Some(value) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
    if let Some(value) = retry_after(refusal) {
        headers.insert(header::RETRY_AFTER, value);
    }
    // Fields of the refusal's own replace none of these, `no-store` above all (law 9).
    let usual = mem::replace(headers, refusal.headers().clone());
    headers.extend(usual);
    response
}

fn status(refusal: &Refusal, is_challenged: bool) -> StatusCode {
    let code = refusal.code();
    match (refusal.status(), refusal.retry()) {
        (Some(status), _) => status,
        (None, Some(Retry::TooMany(_))) => StatusCode::TOO_MANY_REQUESTS,
        (None, Some(Retry::Unavailable(_))) => StatusCode::SERVICE_UNAVAILABLE,
        (None, None) if is_challenged => StatusCode::UNAUTHORIZED,
        (None, None) if *code == ErrorCode::SERVER_ERROR => StatusCode::INTERNAL_SERVER_ERROR,
        (None, None) if *code == ErrorCode::TEMPORARILY_UNAVAILABLE => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        (None, None) => StatusCode::BAD_REQUEST,
    }
}

/// RFC 9110 §10.2.3: whole seconds, rounded up.
fn retry_after(refusal: &Refusal) -> Option<HeaderValue> {
    match refusal.retry() {
        Some(Retry::TooMany(wait) | Retry::Unavailable(wait)) => Some((wait.as_secs() + 1).into()),
        None if *refusal.code() == ErrorCode::TEMPORARILY_UNAVAILABLE => {
            Some(HeaderValue::from_static("1"))
        }
        None => None,
    }
}

/// RFC 6749 §5.2: what an `error_description` may contain. Ours does; a custom grant's own words
/// might not.
fn is_description(each: char) -> bool {
    matches!(each, ' '..='~') && each != '"' && each != '\\'
}

pub(super) fn not_found() -> Response<Body> {
    json(StatusCode::NOT_FOUND, &json!({"error": "not_found"}))
}

pub(super) fn method_not_allowed(allowed: &'static [Method]) -> Response<Body> {
    let names: Vec<_> = allowed.iter().map(Method::as_str).collect();
    let mut response = json(
        StatusCode::METHOD_NOT_ALLOWED,
        &json!({"error": "method_not_allowed"}),
    );
    let allow = HeaderValue::from_str(&names.join(", ")).expect("method names are header text");
    response.headers_mut().insert(header::ALLOW, allow);
    response
}
