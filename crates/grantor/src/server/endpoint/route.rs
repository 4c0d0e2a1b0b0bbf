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
        if self.body != BodyKind::None {
            self.body = BodyKind::Form(octets);
        }
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

    pub(in crate::server) fn record(&self) -> Record {
        self.record
    }
}
