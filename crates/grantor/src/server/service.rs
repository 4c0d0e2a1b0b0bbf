//! The HTTP binding: which path and method leads where, and how much of a body is read.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    panic::{self, AssertUnwindSafe},
    pin::{Pin, pin},
    task::{Context as TaskContext, Poll},
};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{Extensions, HeaderMap, HeaderName, Method, Response, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    AccessToken, Answer, Attempt, AuthorizationServer, Body, Context, Decision, DecisionLog,
    Endpoint, FormError, Outcome, Refusal, Request, Route, Sender, answer,
    builder::Inner,
    endpoint::{BodyKind, Record, Registered},
    request::Read,
    throttle,
};
use crate::{storage::StoreError, types::CorrelationId};

/// A head with more fields than this is copied, to be small while a body is waited for.
const SMALL_HEAD: usize = 16;
/// The fields that this server reads itself.
pub(super) const READ: [HeaderName; 4] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
];

impl AuthorizationServer {
    /// The name of the endpoint at this request path, as in decision records: one of a few, and so
    /// fit for a metric's label.
    pub fn endpoint_name(&self, path: &str) -> Option<&'static str> {
        let registered = self.0.context.endpoints().at(path)?;
        Some(registered.route.name())
    }

    /// Whether people's browsers come to this request path: a page, and no endpoint that programs ask.
    pub fn is_page(&self, path: &str) -> bool {
        let registered = self.0.context.endpoints().at(path);
        registered.is_some_and(|registered| registered.route.is_for_people())
    }

    /// The request paths of all endpoints.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.context.endpoints().paths()
    }

    /// What stages and endpoints share, for another part of the program that answers beside them.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// Finds the access token that this text is, if and only if it is in force: see
    /// [`Context::access_token`](super::Context::access_token). For an API in the same process, which
    /// then compares [`AccessToken::audience`] with its own name.
    ///
    /// # Errors
    /// [`StoreError`] if a store fails: then nobody is let in.
    pub async fn access_token(&self, text: &str) -> Result<Option<AccessToken>, StoreError> {
        self.0.context.access_token(text).await
    }

    /// Records that a request was refused by another part of the program than the endpoints here,
    /// such as an API beside them: under this name of an endpoint, and as of the client and subject
    /// of the access token, if there was a good one. `extensions` are those of the request.
    ///
    /// Answers the id of the decision, and the refusal that the sender is told: who sends too much
    /// that proves nothing ([`Blame::NoProof`](super::Blame::NoProof)) is told to wait.
    pub fn record_refusal(
        &self,
        endpoint: &'static str,
        extensions: &Extensions,
        token: Option<&AccessToken>,
        refusal: Refusal,
    ) -> (CorrelationId, Refusal) {
        let server = &*self.0;
        let sender = extensions.get().map(|Sender(address)| *address);
        let mut decision = Decision::about(endpoint, server.context.now(), sender);
        if let Some(token) = token {
            decision.bears(token);
        }
        let refusal = throttle::slow_down(&*server.throttle, extensions, refusal);
        decision.refused(&refusal);
        server.decisions.record(&decision);
        (decision.id, refusal)
    }

    /// Drops the fields of a head that nothing here reads, if there are many: each takes up to
    /// thirty times the memory that it took to send. [`AuthorizationServer::respond`] does so
    /// before it waits for a body. A program that keeps requests before they get there,
    /// in a queue of tasks above all, does it as soon as it has read what it wants itself.
    pub fn forget_unread(&self, headers: &mut HeaderMap) {
        if headers.len() <= SMALL_HEAD {
            return;
        }
        let read = &self.0.read;
        let mut kept = HeaderMap::with_capacity(read.len());
        for name in read {
            for value in headers.get_all(name) {
                kept.append(name, value.clone());
            }
        }
        *headers = kept;
    }
}

/// Answers one request.
pub(super) async fn respond<B>(
    server: &AuthorizationServer,
    request: http::Request<B>,
) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Some(registered) = server.0.context.endpoints().at(request.uri().path()) else {
        return answer::not_found();
    };
    let route = &registered.route;
    if !route.methods().contains(request.method()) {
        return answer::method_not_allowed(route.methods());
    }
    if route.record() == Record::Document && request.method() == Method::OPTIONS {
        return answer::preflight();
    }
    decide(server, registered, request).await
}

/// Reads a request, decides, records the decision, answers.
async fn decide<B>(
    server: &AuthorizationServer,
    Registered { route, endpoint }: &Registered,
    request: http::Request<B>,
) -> Response<Body>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut head, body) = request.into_parts();
    server.forget_unread(&mut head.headers);
    let server = &*server.0;
    let read = match route.record() {
        // Whatever the head says: a document is the same for all.
        Record::Document => Ok(Read::default()),
        Record::Decision => read(route, &head, body).await,
    };
    let (read, unreadable) = match read {
        Ok(read) => (read, None),
        Err(error) => (Read::default(), Some(error)),
    };
    let request = &Request::new(head, read, server.context.now());
    let mut record = Recorded {
        log: &*server.decisions,
        record: route.record(),
        decision: Decision::new(route.name(), request),
    };
    let decision = &mut record.decision;
    let outcome = match unreadable {
        Some(error) => Err(error.into()),
        None => caught(answer(server, route, &**endpoint, request, decision)).await,
    };
    let outcome = outcome
        .map_err(|refusal| throttle::slow_down(&*server.throttle, request.extensions(), refusal));
    match outcome {
        Ok(answer) => {
            decision.granted();
            answer.into_response()
        }
        Err(refusal) => {
            decision.refused(&refusal);
            let answer = endpoint.refuse(&server.context, request, &refusal, decision);
            match caught(async { Ok(answer.await) }).await {
                Ok(answer) => answer,
                Err(_) => Answer::refusal(request, &refusal, decision),
            }
            .into_response()
        }
    }
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
struct Recorded<'l> {
    log: &'l dyn DecisionLog,
    record: Record,
    decision: Decision,
}

impl Drop for Recorded<'_> {
    fn drop(&mut self) {
        let is_refused = matches!(self.decision.outcome, Outcome::Refused { .. });
        if self.record == Record::Decision || is_refused {
            self.log.record(&self.decision);
        }
    }
}

/// Does what the request asks for, if its sender is heard. What decides is in a box of its own, so
/// that a request whose body does not come takes a fifth of the memory.
async fn answer(
    server: &Inner,
    route: &Route,
    endpoint: &dyn Endpoint,
    request: &Request,
    decision: &mut Decision,
) -> Result<Answer, Refusal> {
    let context = &server.context;
    if route.record() == Record::Document {
        return endpoint.answer(context, request, decision).await;
    }
    let attempt = Attempt::new(request, route);
    throttle::check(&*server.throttle, &attempt, decision)?;
    let outcome = endpoint.answer(context, request, decision).await;
    throttle::conclude(&*server.throttle, attempt, decision, &outcome);
    outcome
}

/// Reads a body to its end. One piece, which it nearly always is, is taken as it is. Several are
/// copied together: a piece of one octet keeps alive all that was read from the connection with it.
async fn read_body<B>(body: B, largest: usize) -> Result<Bytes, FormError>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = std::pin::pin!(Limited::new(body, largest));
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

/// Reads what the endpoint takes.
async fn read<B>(route: &Route, head: &Parts, body: B) -> Result<Read, FormError>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let largest = match route.body() {
        BodyKind::Form(largest) => largest,
        BodyKind::Page(largest) if head.method == Method::POST => largest,
        BodyKind::Page(_) | BodyKind::Query => return Read::query(head),
        BodyKind::None => return Read::head(head),
    };
    let declared = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > largest as u64) {
        return Err(FormError::TooLarge);
    }
    let body = read_body(body, largest).await?;
    Read::form(head, &body, route.repeatable())
}

impl<B> tower_service::Service<http::Request<B>> for AuthorizationServer
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

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { Ok(respond(&server, request).await) })
    }
}
