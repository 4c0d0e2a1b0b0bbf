//! The way to the client, once an authorization request is decided.
//!
//! A browser holds all redirects that a form starts against the `form-action` of the form's page.
//! So whoever comes from a form gets a page of this server that leads on, and only who comes from
//! the client gets a redirect.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{AuthorizationError, target::Passage};
use crate::{
    clock::UnixTime,
    server::{Answer, Body, Context, Refusal, SealKind},
};

/// How long a sealed way can be opened: longer than the code in it lives.
const LIFETIME: Duration = Duration::from_secs(300);

/// Where a browser goes with the answer to its request. `Debug` does not show the code in it.
#[derive(Clone)]
pub struct HandOver {
    url: String,
    place: String,
    passage: Passage,
}

/// What a sealed way is inside.
#[derive(Serialize, Deserialize)]
struct Sealed {
    url: String,
    place: String,
    until: UnixTime,
}

impl HandOver {
    pub(super) fn new(url: String, redirect_uri: &str, passage: Passage) -> Self {
        let place = place(redirect_uri);
        Self {
            url,
            place,
            passage,
        }
    }

    /// The client's redirect URI with the answer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where that is, in a word: the host of the redirect URI or, of a private one, the scheme.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether a page has to lead there, because a redirect might be stopped.
    pub(super) fn needs_page(&self) -> bool {
        self.passage == Passage::Page
    }

    /// As a text for a page of its own, to which a form is answered by a redirect. It opens for five
    /// minutes.
    pub fn sealed(&self, context: &Context) -> String {
        let sealed = Sealed {
            url: self.url.clone(),
            place: self.place.clone(),
            until: context.now().plus(LIFETIME),
        };
        context.seals().seal(SealKind::HAND_OVER, "", &sealed)
    }

    /// Opens what [`HandOver::sealed`] made.
    ///
    /// # Errors
    /// [`Refusal`] for the rule [`Rule::Ticket`](crate::types::Rule::Ticket) if it is anything else
    /// or too old.
    pub fn open(context: &Context, sealed: &str) -> Result<Self, Refusal> {
        let opened: Option<Sealed> = context.seals().open(SealKind::HAND_OVER, "", sealed);
        let sealed = opened
            .filter(|sealed| context.now() < sealed.until)
            .ok_or(AuthorizationError::Ticket("does not open, or no more"))?;
        Ok(Self {
            url: sealed.url,
            place: sealed.place,
            passage: Passage::Page,
        })
    }

    /// The way by a redirect that turns a POST into a GET (RFC 9110 §15.4.4).
    pub(super) fn redirect(&self) -> Answer {
        Answer::see_other(&self.url)
    }

    /// The way by a page that leads on by itself, with a link for browsers that do not: any HTML
    /// that a [`ConsentPage`](super::ConsentPage) makes.
    pub fn page(&self, html: String) -> Answer {
        self.lead(page(StatusCode::OK, html))
    }

    /// As [`HandOver::page`], by a response with a head of its own.
    pub fn lead(&self, mut response: Response<Body>) -> Answer {
        if let Ok(refresh) = HeaderValue::from_str(&format!("0; url={}", self.url)) {
            response.headers_mut().insert(header::REFRESH, refresh);
        }
        Answer::new(response)
    }
}

/// A page that loads nothing, runs nothing and is in no frame.
pub(super) fn page(status: StatusCode, html: String) -> Response<Body> {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let fields = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fields {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

/// The host of a redirect URI, or its private scheme.
pub(super) fn place(redirect_uri: &str) -> String {
    let url = Url::parse(redirect_uri).ok();
    let host = url
        .as_ref()
        .filter(|url| matches!(url.scheme(), "https" | "http"))
        .and_then(|url| url.host_str());
    let scheme = || redirect_uri.split(':').next().unwrap_or_default();
    host.unwrap_or_else(scheme).to_owned()
}

impl std::fmt::Debug for HandOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandOver")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
