//! Answers of `/admin/v1`: documents, and problems with their challenges.

use std::error::Error as _;

use grantor::{
    admin,
    server::{AccessToken, Blame, Body, ErrorCode, Refusal, Retry},
    types::{CorrelationId, Rule},
};
use http::{HeaderValue, Response, StatusCode, header, request::Parts};
use serde::Serialize;
use serde_json::Value;

use super::{
    Answered, Api, NAME, Problem, ProblemDocument, Route, Slug, content::SELF, etag, path_of,
};

/// A problem, and what is private about it.
#[derive(Debug)]
pub struct Rejected {
    /// What is told.
    pub problem: Box<Problem>,
    /// What went wrong, where that is more.
    cause: Option<Box<admin::Error>>,
    /// The token of its sender, where that is good.
    token: Option<Box<AccessToken>>,
    /// The methods that would do.
    allow: Option<String>,
    /// When to go on, in seconds.
    retry_after: Option<u64>,
    /// Whether a token came with the request.
    had_token: bool,
}

impl From<Problem> for Rejected {
    fn from(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            cause: None,
            token: None,
            allow: None,
            retry_after: None,
            had_token: true,
        }
    }
}

impl From<admin::Error> for Rejected {
    fn from(error: admin::Error) -> Self {
        let told = Self::from(Problem::from(&error));
        Self {
            cause: Some(Box::new(error)),
            ..told
        }
    }
}

impl Rejected {
    /// The path takes these methods.
    pub fn method(allow: String) -> Self {
        Self {
            allow: Some(allow),
            ..Problem::plain(Slug::Method).into()
        }
    }

    /// There is no token.
    pub fn no_token() -> Self {
        Self {
            had_token: false,
            ..Problem::plain(Slug::Unauthenticated).into()
        }
    }

    /// The caller has to wait.
    pub fn wait(seconds: u64) -> Self {
        let detail = format!("go on in {seconds} s");
        Self {
            retry_after: Some(seconds),
            ..Problem::new(Slug::SlowDown, detail).into()
        }
    }

    /// The sender has this token, which is good.
    pub fn bearing(self, token: AccessToken) -> Self {
        Self {
            token: Some(Box::new(token)),
            ..self
        }
    }

    /// What the record of decisions says of it.
    fn refusal(&self) -> Refusal {
        let slug = self.problem.slug;
        // Anybody can ask for what is not there.
        let blame = match self.token {
            Some(_) => Blame::None,
            None => Blame::NoProof,
        };
        let (code, rule, blame) = match slug {
            Slug::Unauthenticated if self.had_token => (
                ErrorCode::INVALID_TOKEN,
                Rule::AccessToken,
                Blame::FailedProof,
            ),
            Slug::Unauthenticated => (ErrorCode::INVALID_TOKEN, Rule::AccessToken, blame),
            Slug::InsufficientScope => (ErrorCode::INSUFFICIENT_SCOPE, Rule::Role, Blame::None),
            Slug::SlowDown => (
                ErrorCode::TEMPORARILY_UNAVAILABLE,
                Rule::Throttled,
                Blame::None,
            ),
            Slug::Busy => (
                ErrorCode::TEMPORARILY_UNAVAILABLE,
                Rule::Storage,
                Blame::None,
            ),
            Slug::Broken => (ErrorCode::SERVER_ERROR, Rule::Defect, Blame::None),
            _ => (ErrorCode::INVALID_REQUEST, Rule::Form, blame),
        };
        let cause = match &self.cause {
            Some(cause) => cause.to_string(),
            None => self.problem.to_string(),
        };
        Refusal::new(code, rule, slug.title())
            .because(cause)
            .blaming(blame)
    }
}

/// JSON that is there already.
pub fn json(text: &str) -> Response<Body> {
    with_type("application/json", text.to_owned())
}

/// A text that people read.
pub fn text(text: &str) -> Response<Body> {
    with_type("text/plain; charset=utf-8", text.to_owned())
}

fn with_type(media_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("it is made of words and encoded names")
}

impl Api {
    /// The answer of an operation that was done.
    pub fn answer<T: Serialize>(
        &self,
        route: &Route,
        names: &[String],
        answered: Answered<T>,
    ) -> Response<Body> {
        let Answered {
            document,
            revision,
            place,
        } = answered;
        let is_new = place.is_some();
        let place = place.or_else(|| revision.map(|_| path_of(route.path, names)));
        let place = place.map(|place| format!("{}{place}", self.base));
        let mut document = serde_json::to_value(&document).expect("documents have texts for keys");
        if let (Value::Object(members), Some(place)) = (&mut document, &place) {
            members.insert(SELF.to_owned(), place.as_str().into());
        }
        let mut response = match document {
            Value::Null => empty(),
            document => {
                let mut response = json(&document.to_string());
                *response.status_mut() = route.success;
                response
            }
        };
        let headers = response.headers_mut();
        if let Some(revision) = revision {
            headers.insert(header::ETAG, etag(revision));
        }
        if let Some(place) = place.filter(|_| is_new) {
            headers.insert(header::LOCATION, header_value(&place));
        }
        response
    }

    /// The answer to a request that was refused, which is recorded.
    pub fn reject(&self, head: &Parts, rejected: Rejected) -> Response<Body> {
        let (instance, rejected) = self.record(head, rejected);
        let problem = &rejected.problem;
        let slug = problem.slug;
        let instance = format!("urn:grantor:decision:{instance}");
        let document = ProblemDocument::of(problem, &self.base, Some(instance));
        let document = serde_json::to_string(&document).expect("a problem is JSON");
        let mut response = with_type("application/problem+json", document);
        *response.status_mut() = slug.status();
        let headers = response.headers_mut();
        if let Some(challenge) = challenge(&rejected) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(allow) = &rejected.allow {
            headers.insert(header::ALLOW, header_value(allow));
        }
        if let Some(seconds) = rejected.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if slug == Slug::Timeout {
            // What is left of the request is not read.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Records the refusal, and answers the id under which it is found. A sender of too much that
    /// proves nothing is told to wait.
    fn record(&self, head: &Parts, rejected: Rejected) -> (CorrelationId, Rejected) {
        if let Some(error) = &rejected.cause
            && rejected.problem.slug.status().is_server_error()
        {
            let source = error.source().map(tracing::field::display);
            tracing::error!(%error, source, "the admin API could not do as asked");
        }
        let token = rejected.token.as_deref();
        let refusal = rejected.refusal();
        let recorded = self
            .server
            .record_refusal(NAME, &head.extensions, token, refusal);
        match recorded {
            (id, told) if rejected.retry_after.is_none() => match told.retry() {
                Some(Retry::TooMany(wait)) => (id, Rejected::wait(wait.as_secs() + 1)),
                _ => (id, rejected),
            },
            (id, _) => (id, rejected),
        }
    }
}

fn empty() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}

/// RFC 6750 §3: nothing is said of a token that did not come.
fn challenge(rejected: &Rejected) -> Option<HeaderValue> {
    match rejected.problem.slug {
        Slug::Unauthenticated if !rejected.had_token => Some(HeaderValue::from_static("Bearer")),
        Slug::Unauthenticated => Some(HeaderValue::from_static("Bearer error=\"invalid_token\"")),
        Slug::InsufficientScope => {
            let role = rejected.problem.needed?;
            let text = format!(
                "Bearer error=\"insufficient_scope\", scope=\"{}\"",
                role.scope()
            );
            Some(header_value(&text))
        }
        _ => None,
    }
}
