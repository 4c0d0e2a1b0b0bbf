//! Where an endpoint is, and what it takes.

use http::Method;

use crate::types::Issuer;

/// A place of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Path {
    /// Below the issuer identifier: `token` is at `{issuer}/token`.
    Suffix(&'static str),
    /// A well-known document of the issuer, the well-known part inserted before the path (RFC 8414
    /// §3.1): `oauth-authorization-server`.
    WellKnown(&'static str),
}

impl Path {
    fn of(self, issuer: &Issuer) -> String {
        match self {
            Self::Suffix(suffix) => issuer.endpoint_path(suffix),
            Self::WellKnown(name) => issuer.well_known_path(name),
        }
    }
}

/// What is read of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum BodyKind {
    /// A form of at most this many octets.
    Form(usize),
    /// Nothing: the parameters stand in the query.
    Query,
    /// The query of a GET; a form of at most this many octets otherwise.
    Page(usize),
    /// Nothing.
    None,
}

/// Whether each request is a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Record {
    /// It is: throttled, and recorded.
    Decision,
    /// The answer is the same for everybody: pages of any origin may read it, and only a refusal is
    /// recorded.
    Document,
}

/// Where an endpoint is, what it takes, and its name in decisions and metrics.
#[derive(Clone, Debug)]
pub struct Route {
    name: &'static str,
    paths: Vec<Path>,
    methods: &'static [Method],
    body: BodyKind,
    record: Record,
    repeatable: &'static [&'static str],
    person: Option<&'static str>,
}

/// Largest form, in octets.
const MAX_FORM_BYTES: usize = 64 * 1024;

impl Route {
    /// Takes forms by POST, of at most 64 KiB. Each request is a decision.
    pub fn form(name: &'static str, path: Path) -> Self {
        Self {
            name,
            paths: vec![path],
            methods: &[Method::POST],
            body: BodyKind::Form(MAX_FORM_BYTES),
            record: Record::Decision,
            repeatable: &[],
            person: None,
        }
    }

    /// Takes GET and HEAD, and reads no body. Each request is a decision.
    pub fn get(name: &'static str, path: Path) -> Self {
        Self {
            methods: &[Method::GET, Method::HEAD],
            body: BodyKind::None,
            ..Self::form(name, path)
        }
    }

    /// Takes GET and HEAD with parameters in the query, of at most 8 KiB, read as strictly as a form
    /// ([`Request::query`](crate::server::Request::query)). Each request is a decision.
    pub fn query(name: &'static str, path: Path) -> Self {
        Self {
            body: BodyKind::Query,
            ..Self::get(name, path)
        }
    }

    /// Shows a page by GET and HEAD, as [`Route::query`], and takes the form on it by POST, as
    /// [`Route::form`]. Each request is a decision.
    pub fn page(name: &'static str, path: Path) -> Self {
        Self {
            methods: &[Method::GET, Method::HEAD, Method::POST],
            body: BodyKind::Page(MAX_FORM_BYTES),
            ..Self::form(name, path)
        }
    }

    /// Shows a public document by GET and HEAD: the same for everybody, so that pages of any origin
    /// may read it, and no request is a decision.
    pub fn document(name: &'static str, path: Path) -> Self {
        Self {
            methods: &[Method::GET, Method::HEAD, Method::OPTIONS],
            record: Record::Document,
            ..Self::get(name, path)
        }
    }

    /// Adds another place of the same endpoint.
    #[must_use]
    pub fn also_at(mut self, path: Path) -> Self {
        self.paths.push(path);
        self
    }

    /// Sets how large a form may be, in octets. 64 KiB if it is not set.
    #[must_use]
    pub fn with_largest_form(mut self, octets: usize) -> Self {
        match &mut self.body {
            BodyKind::Form(largest) | BodyKind::Page(largest) => *largest = octets,
            BodyKind::Query | BodyKind::None => {}
        }
        self
    }

    /// Takes these parameters of a form as often as they come, as boxes to tick send theirs.
    #[must_use]
    pub fn repeating(mut self, names: &'static [&'static str]) -> Self {
        self.repeatable = names;
        self
    }

    /// Names the field of a page's form in which people say who they are: wrong tries count against
    /// that name. On a page nothing else says whose a try is.
    #[must_use]
    pub fn naming(mut self, field: &'static str) -> Self {
        self.person = Some(field);
        self
    }

    /// The name in decisions and metrics.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The methods that are taken.
    pub fn methods(&self) -> &'static [Method] {
        self.methods
    }

    /// The paths of requests to it.
    pub fn paths(&self, issuer: &Issuer) -> impl Iterator<Item = String> {
        self.paths.iter().map(|path| path.of(issuer))
    }

    pub(in crate::server) fn body(&self) -> BodyKind {
        self.body
    }

    /// Whether people's browsers come here: what a client would prove itself with is not looked at.
    pub(in crate::server) fn is_for_people(&self) -> bool {
        matches!(self.body, BodyKind::Page(_) | BodyKind::Query)
    }

    /// The field in which people say who they are.
    pub(in crate::server) fn person(&self) -> Option<&'static str> {
        self.person
    }

    pub(in crate::server) fn repeatable(&self) -> &'static [&'static str] {
        self.repeatable
    }

    pub(in crate::server) fn record(&self) -> Record {
        self.record
    }
}
