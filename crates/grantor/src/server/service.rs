//! The HTTP binding: which path and method leads where, and how much of a body is read.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    AuthorizationServer, Decision, FormError, Outcome, TokenError, TokenForm,
    builder::Inner,
    form::MAX_FORM_BYTES,
    introspection, jwks, metadata,
    response::{self, Body, Challenge},
};

/// Answers one request.
pub(super) async fn respond<B>(server: &Inner, request: Request<B>) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    const READ: &[Method] = &[Method::GET, Method::HEAD];
    const POST: &[Method] = &[Method::POST];
    let path = request.uri().path();
    let paths = &server.paths;
    let allowed = if path == paths.token || path == paths.introspection { POST } else { READ };
    let known = [&paths.token, &paths.introspection, &paths.jwks, &paths.metadata].into_iter().any(|known| known == path);
    if !known {
        return response::not_found();
    }
    if !allowed.contains(request.method()) {
        return response::method_not_allowed(allowed);
    }
    if path == paths.token {
        return token(server, request).await;
    }
    if path == paths.introspection {
        return introspect(server, request).await;
    }
    let mut answer = if path == paths.jwks {
        let ring = server.line.context.signing_keys.key_ring();
        response::json(StatusCode::OK, &jwks::document(&ring))
    } else {
        response::json(StatusCode::OK, &metadata::document(&server.line))
    };
    // Public and the same for everybody: let caches keep it for a moment.
    answer.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("public, max-age=60"));
    answer.headers_mut().remove(header::PRAGMA);
    answer
}

async fn token<B>(server: &Inner, request: Request<B>) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let mut decision = Decision::new("token", server.line.context.now());
    let form = read_form(&parts, body).await;
    let outcome = server.line.token(form, &mut decision).await;
    if let Err(error) = &outcome {
        decision.refused(error);
    }
    debug_assert!(decision.outcome != Outcome::Undecided);
    server.decisions.record(&decision);
    match outcome {
        Ok(token) => response::token(&token),
        Err(error) => {
            let sent = parts.headers.contains_key(header::AUTHORIZATION);
            refusal(&error, &decision, if sent { Challenge::Basic } else { Challenge::None })
        }
    }
}

/// RFC 7662 §2.3: whoever may not ask is challenged.
async fn introspect<B>(server: &Inner, request: Request<B>) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let mut decision = Decision::new("introspection", server.line.context.now());
    let form = read_form(&parts, body).await;
    let outcome = introspection::introspect(&server.line, form, &mut decision).await;
    match &outcome {
        Ok(_) => decision.granted(),
        Err(error) => decision.refused(error),
    }
    server.decisions.record(&decision);
    match outcome {
        Ok(Some(active)) => response::json(StatusCode::OK, &active),
        Ok(None) => response::json(StatusCode::OK, &serde_json::json!({"active": false})),
        Err(error) => refusal(&error, &decision, Challenge::Basic),
    }
}

fn refusal(error: &TokenError, decision: &Decision, challenge: Challenge) -> Response<Body> {
    let mut response = response::error(error, &decision.id, challenge);
    if matches!(error, TokenError::Form(FormError::TooLarge)) {
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    }
    if matches!(error, TokenError::Form(FormError::TooLarge | FormError::Incomplete)) {
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    response
}

async fn read_form<B>(parts: &Parts, body: B) -> Result<TokenForm, FormError>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let declared = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > MAX_FORM_BYTES as u64) {
        return Err(FormError::TooLarge);
    }
    let body: Bytes = match Limited::new(body, MAX_FORM_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(FormError::TooLarge),
        Err(_) => return Err(FormError::Incomplete),
    };
    TokenForm::parse(parts.uri.query(), &parts.headers, &body)
}

impl<B> tower_service::Service<Request<B>> for AuthorizationServer
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = Arc::clone(&self.0);
        Box::pin(async move { Ok(respond(&server, request).await) })
    }
}
