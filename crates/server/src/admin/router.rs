//! `/admin/v1`: from a request to its operation, and from what that came to, to the answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use grantor::{
    admin::Expected,
    registry::{Actor, Way},
    server::{Body, Sender},
};
use http::{HeaderMap, Method, Response, header, request::Parts};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::{
    Api, Caller, Me, Problem, Route, Slug,
    answer::{self, Rejected},
    etag::expected,
    handler::{Asked, Handler},
    name_of,
};

/// The header with the reason of a change, percent-encoded.
pub const REASON: &str = "grantor-reason";
/// How long a request may take: a little less than the listener lets any.
const LATEST: Duration = Duration::from_millis(14_500);

type BodyError = Box<dyn std::error::Error + Send + Sync>;

impl Api {
    /// Whether this path is one of the interface.
    pub fn is_at(&self, path: &str) -> bool {
        self.below(path).is_some()
    }

    /// What is behind `/admin/v1` in a path: nothing, or a path of its own.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(&*self.path)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }

    /// Answers a request.
    pub async fn respond<B>(self: &Arc<Self>, request: http::Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send,
        B::Error: Into<BodyError>,
    {
        let (head, body) = request.into_parts();
        let below = self.below(head.uri.path()).unwrap_or_default();
        let decided = match self.document(below, &head.method) {
            Some(document) => document,
            None => Box::pin(self.decide(&head, below, body)).await,
        };
        decided.unwrap_or_else(|rejected| self.reject(&head, rejected))
    }

    /// What is the same for everybody: the OpenAPI document, and the pages of problems.
    fn document(&self, below: &str, method: &Method) -> Option<Result<Response<Body>, Rejected>> {
        let slug = below.strip_prefix("/problems/").and_then(Slug::named);
        let document = match (below, slug) {
            ("/openapi.json", _) => answer::json(&self.openapi),
            (_, Some(slug)) => {
                answer::text(&format!("{}\n\n{}\n", slug.title(), slug.explanation()))
            }
            _ => return None,
        };
        Some(match *method {
            Method::GET => Ok(document),
            _ => Err(Rejected::method("GET".to_owned())),
        })
    }

    async fn decide<B>(
        self: &Arc<Self>,
        head: &Parts,
        below: &str,
        body: B,
    ) -> Result<Response<Body>, Rejected>
    where
        B: http_body::Body + Send,
        B::Error: Into<BodyError>,
    {
        let found = self.routes.at(below).map_err(|_| nothing_here())?;
        let handlers = &self.operations[*found.value];
        let handler = handlers
            .iter()
            .find(|handler| handler.route().verb.method() == head.method)
            .ok_or_else(|| Rejected::method(methods(handlers)))?;
        let names = found.params.iter().map(|(_, value)| name_of(value));
        let names: Option<Vec<String>> = names.collect();
        let caller = self.authenticate(head).await?;
        let answered = async {
            self.check_budget(&caller, &handler.route())?;
            caller.check(handler.route().needs)?;
            let asked = Asked {
                names: names.ok_or_else(nothing_here)?,
                query: head.uri.query().unwrap_or_default().to_owned(),
                expected: expected_by(head, &handler.route())?,
                body: read(head, body, handler.body()).await?,
                caller: Me::from(&caller),
                actor: actor(head, &caller)?,
            };
            handler.answer(self, asked).await
        };
        let late = |_| Err(Problem::plain(Slug::Timeout).into());
        let answered = timeout(LATEST, answered).await.unwrap_or_else(late);
        answered.map_err(|rejected: Rejected| rejected.bearing(caller.token))
    }
}

fn nothing_here() -> Problem {
    Problem::new(Slug::NotFound, "there is nothing here")
}

/// The methods at a path, for `Allow`.
fn methods(handlers: &[Box<dyn Handler>]) -> String {
    let methods: Vec<_> = handlers
        .iter()
        .map(|handler| handler.route().verb.method().to_string())
        .collect();
    methods.join(", ")
}

/// The states in which the resource of a request may be. Nothing is held against what has none.
fn expected_by(head: &Parts, route: &Route) -> Result<Expected, Problem> {
    match expected(&head.headers)? {
        named if named != Expected::Anything && !route.has_state => Err(Problem::new(
            Slug::Changed,
            "there is nothing here whose state If-Match could name; leave it out",
        )),
        named => Ok(named),
    }
}

/// The actor of what a request changes.
fn actor(head: &Parts, caller: &Caller) -> Result<Actor, Problem> {
    let mut actor = Actor::new(caller.who(), Way::Api).in_request(caller.request.as_str());
    if let Some(Sender(address)) = head.extensions.get::<Sender>() {
        actor = actor.from_address(*address);
    }
    actor.reason = reason(&head.headers)?;
    Ok(actor)
}

fn reason(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let wrong = |detail: String| Problem::new(Slug::Malformed, detail);
    let Some(value) = headers.get(REASON) else {
        return Ok(None);
    };
    let text = value.to_str().ok().map(percent_decode_str);
    let text = text.and_then(|text| text.decode_utf8().ok());
    let text = text.ok_or_else(|| wrong("Grantor-Reason is no percent-encoded text".to_owned()))?;
    let reason = Actor::reason(&text);
    let reason = reason.map_err(|error| wrong(format!("Grantor-Reason {error}")))?;
    Ok(Some(reason))
}

/// Reads what an operation takes: so many octets, and whether they may be a merge patch.
async fn read<B>(
    head: &Parts,
    body: B,
    takes: Option<(usize, MediaTypes)>,
) -> Result<Bytes, Problem>
where
    B: http_body::Body + Send,
    B::Error: Into<BodyError>,
{
    let (largest, media_types) = takes.unwrap_or((0, MediaTypes::None));
    let body = std::pin::pin!(Limited::new(body, largest)).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true if largest == 0 => malformed("this takes no body"),
        true => Problem::new(
            Slug::TooLarge,
            format!("the body has more than {} KiB", largest / 1024),
        ),
        false => malformed("the body did not come whole"),
    })?;
    let body = body.to_bytes();
    media_types.check(&head.headers)?;
    Ok(body)
}

fn malformed(detail: &str) -> Problem {
    Problem::new(Slug::Malformed, detail)
}

/// What the body of an operation may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaTypes {
    /// There is none.
    None,
    /// `application/json`
    Json,
    /// That, or `application/merge-patch+json`.
    Patch,
}

impl MediaTypes {
    fn check(self, headers: &HeaderMap) -> Result<(), Problem> {
        if self == Self::None {
            return Ok(());
        }
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let only = types.next().filter(|_| types.next().is_none());
        let essence = only.and_then(|value| value.to_str().ok()?.split(';').next());
        let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
        let is_taken = match &*essence {
            "application/json" => true,
            "application/merge-patch+json" => self == Self::Patch,
            _ => false,
        };
        match is_taken && !headers.contains_key(header::CONTENT_ENCODING) {
            true => Ok(()),
            false => Err(Problem::new(
                Slug::MediaType,
                "send the body as application/json, named once, without a content encoding",
            )),
        }
    }
}
