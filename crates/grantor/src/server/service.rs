//! The HTTP binding: which path and method leads where, and how much of a body is read.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    panic::{self, AssertUnwindSafe},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Method, Request, Response, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    Attempt, AuthorizationServer, Decision, DecisionLog, FormError, Refusal, TokenForm,
    builder::{Inner, Paths},
    explain,
    form::MAX_FORM_BYTES,
    introspection, jwks, metadata,
    response::{self, Body, Challenge},
    revocation, throttle,
};

/// A head with more fields than this is copied, to be small while a body is waited for.
const SMALL_HEAD: usize = 16;
/// The fields that are read of a request with a form.
const READ: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
];

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Token,
    Introspection,
    Revocation,
    Jwks,
    Metadata,
}

impl Endpoint {
    /// Its name in decision records.
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
            Self::Jwks => "jwks",
            Self::Metadata => "metadata",
        }
    }

    fn methods(self) -> &'static [Method] {
        match self {
            Self::Token | Self::Introspection | Self::Revocation => &[Method::POST],
            Self::Jwks | Self::Metadata => &[Method::GET, Method::HEAD, Method::OPTIONS],
        }
    }
}

impl Paths {
    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        match path {
            _ if path == self.token => Some(Endpoint::Token),
            _ if path == self.introspection => Some(Endpoint::Introspection),
            _ if path == self.revocation => Some(Endpoint::Revocation),
            _ if path == self.jwks => Some(Endpoint::Jwks),
            _ if path == self.metadata => Some(Endpoint::Metadata),
            _ if self.openid_metadata.iter().any(|alias| path == alias) => Some(Endpoint::Metadata),
            _ => None,
        }
    }
}

impl AuthorizationServer {
    /// The name of the endpoint at this request path, as in decision records: one of a few, and so
    /// fit for a metric's label.
    pub fn endpoint_name(&self, path: &str) -> Option<&'static str> {
        self.0.paths.endpoint(path).map(Endpoint::name)
    }

    /// Drops the fields of a head that no endpoint reads, if there are many: each takes up to
    /// thirty times the memory that it took to send. [`AuthorizationServer::respond`] does so
    /// before it waits for a body. A program that keeps requests before they get there,
    /// in a queue of tasks above all, does it as soon as it has read what it wants itself.
    pub fn forget_unread(headers: &mut HeaderMap) {
        if headers.len() <= SMALL_HEAD {
            return;
        }
        let mut kept = HeaderMap::with_capacity(READ.len());
        for name in READ {
            for value in headers.get_all(&name) {
                kept.append(&name, value.clone());
            }
        }
        *headers = kept;
    }
}

/// Answers one request.
pub(super) async fn respond<B>(server: &Inner, request: Request<B>) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Some(endpoint) = server.paths.endpoint(request.uri().path()) else {
        return response::not_found();
    };
    if !endpoint.methods().contains(request.method()) {
        return response::method_not_allowed(endpoint.methods());
    }
    match endpoint {
        Endpoint::Jwks | Endpoint::Metadata if request.method() == Method::OPTIONS => {
            response::preflight()
        }
        Endpoint::Jwks => response::document(&jwks::document(
            &server.line.context.signing_keys.key_ring(),
        )),
        Endpoint::Metadata => response::document(&metadata::document(&server.line)),
        Endpoint::Token | Endpoint::Introspection | Endpoint::Revocation => {
            decide(server, endpoint, request).await
        }
    }
}

/// Reads a form, decides, records the decision, answers.
async fn decide<B>(server: &Inner, endpoint: Endpoint, request: Request<B>) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut parts, body) = request.into_parts();
    AuthorizationServer::forget_unread(&mut parts.headers);
    let line = &server.line;
    let form = read_form(&parts, body).await;
    let sender = parts.extensions.get().copied();
    let mut record = Record {
        log: &*server.decisions,
        decision: Decision::new(endpoint.name(), line.context.now(), sender),
    };
    let decision = &mut record.decision;
    let outcome = match &form {
        // Apart, so that a request whose body does not come takes a fifth of the memory.
        Ok(form) => caught(Box::pin(answer(server, endpoint, &parts, form, decision))).await,
        Err(error) => Err(error.clone().into()),
    };
    let outcome = outcome
        .map_err(|refusal| throttle::slow_down(&*server.throttle, &parts.extensions, refusal));
    match &outcome {
        Ok(_) => decision.granted(),
        Err(refusal) => decision.refused(refusal),
    }
    // RFC 7662 §2.3: whoever may not introspect is always challenged.
    let challenged =
        endpoint == Endpoint::Introspection || parts.headers.contains_key(header::AUTHORIZATION);
    let challenge = if challenged {
        Challenge::Basic
    } else {
        Challenge::None
    };
    outcome.unwrap_or_else(|refusal| response::error(&refusal, &decision.id, challenge))
}

/// Answers also where what decides panics: the request is refused, and its decision recorded. The
/// panic itself is for the panic hook.
async fn caught<T>(decided: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
    let mut decided = pin!(decided);
    poll_fn(|context| {
        // What the panic left half-done is dropped with the future; a decision holds facts, each
        // true by itself.
        panic::catch_unwind(AssertUnwindSafe(|| decided.as_mut().poll(context)))
            .unwrap_or(Poll::Ready(Err(Refusal::panicked())))
    })
    .await
}

/// A decision that is recorded, however the request ends: one that is cut off while it is decided
/// may have used up its assertion.
struct Record<'l> {
    log: &'l dyn DecisionLog,
    decision: Decision,
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.log.record(&self.decision);
    }
}

/// Does what the form asks for, if its sender is heard.
async fn answer(
    server: &Inner,
    endpoint: Endpoint,
    parts: &Parts,
    form: &TokenForm,
    decision: &mut Decision,
) -> Result<Response<Body>, Refusal> {
    let (line, attempt) = (&server.line, Attempt::new(&parts.extensions, form));
    throttle::check(&*server.throttle, &attempt, decision)?;
    let outcome = match endpoint {
        Endpoint::Introspection => introspection::introspect(line, form, decision)
            .await
            .map(response::introspection),
        Endpoint::Revocation => revocation::revoke(line, form, decision)
            .await
            .map(|()| response::revoked()),
        Endpoint::Token | Endpoint::Jwks | Endpoint::Metadata => line
            .token(form, decision)
            .await
            .map(|token| response::token(&token)),
    };
    let outcome = outcome.map_err(|error| explain::refused(&line.context, form, error, decision));
    throttle::conclude(&*server.throttle, &attempt, &outcome);
    outcome
}

/// Reads a body to its end. One piece, which it nearly always is, is taken as it is. Several are
/// copied together: a piece of one octet keeps alive all that was read from the connection with it.
async fn read_body<B>(body: B) -> Result<Bytes, FormError>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = std::pin::pin!(Limited::new(body, MAX_FORM_BYTES));
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(mut data) = frame.map_err(refused_body)?.into_data() else {
            continue;
        };
        if read.is_empty() && http_body::Body::is_end_stream(&*body) {
            return Ok(data.copy_to_bytes(data.remaining()));
        }
        read.put(data);
    }
    Ok(read.freeze())
}

fn refused_body(error: Box<dyn std::error::Error + Send + Sync>) -> FormError {
    if error.is::<LengthLimitError>() {
        FormError::TooLarge
    } else {
        FormError::Incomplete
    }
}

async fn read_form<B>(parts: &Parts, body: B) -> Result<TokenForm, FormError>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let declared = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > MAX_FORM_BYTES as u64) {
        return Err(FormError::TooLarge);
    }
    let body = read_body(body).await?;
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
