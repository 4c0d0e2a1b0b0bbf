//! Answers: tokens and errors as JSON, never cached (RFC 6749 §5.1, §5.2).

use std::{
    mem,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use serde::Serialize;
use serde_json::{Map, json};

use super::{Decision, Refusal, Request, Retry};
use crate::types::ErrorCode;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that came bit by bit has ended early.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the answer is missing")]
pub struct BodyError(#[source] BoxError);

/// The body of an answer: nearly always octets that are there already, else a stream.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Full(Full<Bytes>),
    Stream(UnsyncBoxBody<Bytes, BodyError>),
}

impl Body {
    /// A body that comes bit by bit.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Kind::Stream(
            body.map_err(|error| BodyError(error.into())).boxed_unsync(),
        ))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self(Kind::Full(Full::default()))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(octets: T) -> Self {
        Self(Kind::Full(Full::new(octets.into())))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Kind::Full(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Kind::Stream(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(body) => body.is_end_stream(),
            Kind::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(body) => body.size_hint(),
            Kind::Stream(body) => body.size_hint(),
        }
    }
}

/// What an endpoint answers.
#[derive(Debug)]
pub struct Answer(Response<Body>);

impl Answer {
    /// Any response. One that does not say how it may be stored may not be.
    pub fn new(mut response: Response<Body>) -> Self {
        response
            .headers_mut()
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        Self(response)
    }

    /// JSON that nobody may store.
    ///
    /// # Panics
    /// If `body` cannot be written as JSON: a map whose keys are no text, or a failing
    /// implementation of `Serialize`.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self(json(status, body))
    }

    /// JSON that is public and the same for everybody: caches may keep it for a moment, and pages of
    /// any origin may read it.
    ///
    /// # Panics
    /// As [`Answer::json`].
    pub fn document(body: &impl Serialize) -> Self {
        let mut response = json(StatusCode::OK, body);
        let headers = response.headers_mut();
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=60"),
        );
        headers.remove(header::PRAGMA);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
        Self(response)
    }

    /// A refusal as JSON (RFC 6749 §5.2): the code, fixed words, and the id under which the operator
    /// finds the cause. A failed client authentication is challenged where the request carried an
    /// Authorization header, or the refusal asks for it: some clients hide the body of an answer
    /// that has a challenge.
    pub fn refusal(request: &Request, refusal: &Refusal, decision: &Decision) -> Self {
        let code = refusal.code();
        let description = public_description(refusal, decision);
        let is_challenged = *code == ErrorCode::INVALID_CLIENT
            && (refusal.is_challenging() || request.headers().contains_key(header::AUTHORIZATION));
        let mut body = Map::new();
        for (name, value) in refusal.members() {
            body.insert((*name).to_owned(), (**value).into());
        }
        body.insert("error".to_owned(), code.as_str().into());
        body.insert("error_description".to_owned(), (*description).into());
        let mut response = json(StatusCode::BAD_REQUEST, &body);
        if is_challenged {
            let challenge = format!(
                r#"Basic realm="grantor", charset="UTF-8", error="{code}", error_description="{description}""#
            );
            if let Ok(challenge) = HeaderValue::from_str(&challenge) {
                let headers = response.headers_mut();
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        let mut answer = Self::refusing(refusal, response);
        let has_status_of_its_own = refusal.status().is_some() || refusal.retry().is_some();
        if is_challenged && !has_status_of_its_own {
            *answer.0.status_mut() = StatusCode::UNAUTHORIZED;
        }
        answer
    }

    /// Any response, such as a page, as the answer to a refused request: with the refusal's status,
    /// `Retry-After` and fields. Those of the response are kept, `no-store` above all (law 9).
    pub fn refusing(refusal: &Refusal, response: Response<Body>) -> Self {
        let Self(mut response) = Self::new(response);
        *response.status_mut() = status(refusal);
        let headers = response.headers_mut();
        if let Some(value) = retry_after(refusal) {
            headers.insert(header::RETRY_AFTER, value);
        }
        let usual = mem::replace(headers, refusal.headers().clone());
        headers.extend(usual);
        Self(response)
    }

    /// Sends a browser to another page, by GET (RFC 9110 §15.4.4).
    ///
    /// # Panics
    /// If `location` has characters that no URL has.
    pub fn see_other(location: &str) -> Self {
        let location = HeaderValue::from_str(location).expect("a URL is header text");
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, location);
        Self::new(response)
    }

    /// Done, and nothing to say (RFC 7009 §2.2).
    pub fn empty() -> Self {
        Self::new(Response::default())
    }

    /// The response.
    pub fn into_response(self) -> Response<Body> {
        self.0
    }
}

/// What is told of a refusal, with the id of its decision.
pub(super) fn public_description(refusal: &Refusal, decision: &Decision) -> String {
    format!("{} (decision {})", refusal.public_text(), decision.id)
        .replace(|each| !is_description(each), "?")
}

/// A JSON answer that nobody may store.
fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(body).expect("answers are JSON");
    let mut response = Response::new(Body::from(body));
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

/// What a browser asks before a page reads an [`Answer::document`] in a way of its own, with further
/// headers say. No other endpoint has this: credentials are not for pages.
pub(super) fn preflight() -> Response<Body> {
    let mut response = Response::new(Body::default());
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

/// The status of a refusal's answer, if it is not challenged.
fn status(refusal: &Refusal) -> StatusCode {
    let code = refusal.code();
    match (refusal.status(), refusal.retry()) {
        (Some(status), _) => status,
        (None, Some(Retry::TooMany(_))) => StatusCode::TOO_MANY_REQUESTS,
        (None, Some(Retry::Unavailable(_))) => StatusCode::SERVICE_UNAVAILABLE,
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
