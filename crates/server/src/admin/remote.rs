//! Operations on another machine's server, over `/admin/v1`, by the key file of a client that has
//! a role there.

use std::sync::Arc;

use bytes::Bytes;
use grantor::{
    client::{TokenError, TokenSource, Wanted},
    registry::Role,
    remote::{Fetch, FetchError},
    types::Scope,
};
use http::{Request, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{
    Content as _, Input, Operation, PATH, Problem, ProblemDocument, Seen, Segments as _, Slug,
    State, content::SELF, path_of, router::REASON, written,
};

/// Longest answer that is read, in octets.
const LONGEST: usize = 64 * 1024 * 1024;

/// A server elsewhere.
pub struct Remote {
    /// Where its interface is.
    base: String,
    /// The resource that its tokens are for.
    resource: String,
    tokens: TokenSource,
    fetch: Arc<dyn Fetch>,
    /// Why things are changed.
    pub reason: Option<String>,
    /// Whether what a file manages is changed all the same.
    pub overrides: bool,
}

/// Why an operation was not done there.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The server says why.
    #[error("{0}")]
    Problem(Problem),
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// There is no answer.
    #[error("{url}: {error}")]
    Fetch {
        /// What was asked.
        url: String,
        /// Why.
        error: FetchError,
    },
    /// The answer is none of this interface.
    #[error("{url}: the answer ({status}) is none of the admin API{hint}")]
    Answer {
        /// What was asked.
        url: String,
        /// The status.
        status: StatusCode,
        /// What to do.
        hint: &'static str,
    },
}

impl Remote {
    /// The server of this issuer, whose interface is at an origin of its own where one is named.
    pub fn new(
        issuer: &str,
        origin: Option<&str>,
        tokens: TokenSource,
        fetch: Arc<dyn Fetch>,
    ) -> Self {
        Self {
            base: format!("{}/{PATH}", origin.unwrap_or(issuer)),
            resource: format!("{issuer}/{PATH}"),
            tokens,
            fetch,
            reason: None,
            overrides: false,
        }
    }

    /// The issuer of the server.
    pub fn issuer(&self) -> &str {
        let issuer = self.resource.strip_suffix(PATH);
        issuer
            .and_then(|issuer| issuer.strip_suffix('/'))
            .unwrap_or(&self.resource)
    }

    /// Does an operation with the least role; with the greater one that it turns out to need, if
    /// the client has that.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn call<O: Operation>(&self, input: &Input<O>) -> Result<O::Answer, RemoteError> {
        let answered = self.call_at(input, &State::default()).await;
        Ok(answered?.document)
    }

    /// As [`Remote::call`], of what is in this state.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn call_at<O: Operation>(
        &self,
        input: &Input<O>,
        state: &State,
    ) -> Result<Seen<O::Answer>, RemoteError> {
        match self.call_as(input, state, O::ROUTE.needs).await {
            Err(RemoteError::Problem(problem)) => match problem.needed {
                Some(more) if more > O::ROUTE.needs => match self.call_as(input, state, more).await
                {
                    // The client has no more, and the server has said what is missing.
                    Err(RemoteError::Token(_)) => Err(RemoteError::Problem(problem)),
                    answered => answered,
                },
                _ => Err(RemoteError::Problem(problem)),
            },
            answered => answered,
        }
    }

    async fn call_as<O: Operation>(
        &self,
        input: &Input<O>,
        state: &State,
        role: Role,
    ) -> Result<Seen<O::Answer>, RemoteError> {
        let scope = Scope::parse(role.scope()).expect("a role is a scope");
        let wanted = Wanted::new().scope(scope).resource(&self.resource);
        let token = self.tokens.token_for(wanted).await;
        let token = token.map_err(|error| not_given(error, role))?;
        let request = self.request(input, state, token.expose());
        let url = request.uri().to_string();
        let fetched = self.fetch.fetch(request, LONGEST).await;
        let response = fetched.map_err(|error| RemoteError::Fetch {
            url: url.clone(),
            error,
        })?;
        let (status, body) = (response.status(), response.body());
        let no_answer = |hint| RemoteError::Answer { url, status, hint };
        match status.is_success() {
            true => match answer(body) {
                Some(document) => Ok(Seen {
                    document,
                    state: State::answered(response.headers()),
                }),
                None => Err(no_answer("")),
            },
            false => Err(match problem(body) {
                Some(problem) => RemoteError::Problem(problem),
                None if status == StatusCode::NOT_FOUND => no_answer(
                    "; it is off there unless enabled = true under [admin], or at an origin of its own (--admin-url)",
                ),
                None => no_answer(""),
            }),
        }
    }

    fn request<O: Operation>(
        &self,
        input: &Input<O>,
        state: &State,
        token: &str,
    ) -> Request<Bytes> {
        let route = O::ROUTE;
        let portion = route.is_list.then_some(&input.portion);
        let overrides = self.overrides && route.is_change;
        let query = written(&input.query, portion, overrides);
        let mut url = format!("{}{}", self.base, path_of(route.path, &input.path.names()));
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }
        let mut request = Request::builder()
            .method(route.verb.method())
            .uri(url)
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(reason) = self.reason.as_ref().filter(|_| route.is_change) {
            let encoded = utf8_percent_encode(reason, NON_ALPHANUMERIC).to_string();
            request = request.header(REASON, encoded);
        }
        if let Some(state) = state.tag() {
            request = request.header(header::IF_MATCH, state);
        }
        let body = input.body.to_json();
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(Bytes::from).unwrap_or_default();
        request.body(body).expect("its parts are encoded")
    }
}

/// Why there is no token: a client that may not have the scope is told so as by the interface.
fn not_given(error: TokenError, role: Role) -> RemoteError {
    match &error {
        TokenError::Refused(refused) if refused.code == "invalid_scope" => {
            RemoteError::Problem(Problem::needs(role))
        }
        _ => RemoteError::Token(error),
    }
}

fn answer<T: serde::de::DeserializeOwned>(body: &[u8]) -> Option<T> {
    let mut document = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(body).ok()?,
    };
    if let Value::Object(members) = &mut document {
        members.remove(SELF);
    }
    serde_json::from_value(document).ok()
}

fn problem(body: &[u8]) -> Option<Problem> {
    let document: ProblemDocument = serde_json::from_slice(body).ok()?;
    let slug = Slug::named(document.r#type.rsplit('/').next()?)?;
    let mut roles = Role::ALL.into_iter();
    Some(Problem {
        slug,
        detail: document.detail,
        errors: document.errors,
        needed: document
            .needed
            .and_then(|needed| roles.find(|role| role.scope() == needed)),
        resource: document.resource,
    })
}
