//! A token request while it is put together: the grant and the client authentication each add their
//! part.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::Server;
use crate::{clock::UnixTime, types::Scope};

/// What a token is wanted for, beyond what its source is configured for. It is the key under which
/// tokens are cached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Wanted {
    scope: Option<Scope>,
    subject: Option<String>,
    resource: Option<String>,
}

impl Wanted {
    /// Nothing in particular: what the source is configured for.
    pub fn new() -> Self {
        Self::default()
    }

    /// This scope (RFC 6749 §3.3).
    #[must_use]
    pub fn scope(self, scope: Scope) -> Self {
        Self {
            scope: Some(scope),
            ..self
        }
    }

    /// To act for this subject: `sub` of a grant assertion.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    /// For the API at this URI (RFC 8707 §2).
    #[must_use]
    pub fn resource(self, resource: impl Into<String>) -> Self {
        Self {
            resource: Some(resource.into()),
            ..self
        }
    }

    /// What is left open here is taken from `defaults`.
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            scope: self.scope.or_else(|| defaults.scope.clone()),
            subject: self.subject.or_else(|| defaults.subject.clone()),
            resource: self.resource.or_else(|| defaults.resource.clone()),
        }
    }
}

/// Names and values.
type Form = Vec<(Cow<'static, str>, Zeroizing<String>)>;

/// A token request in the making, for one try.
pub struct TokenRequest<'a> {
    server: &'a Server,
    wanted: &'a Wanted,
    now: UnixTime,
    form: Form,
    authorization: Option<HeaderValue>,
}

impl<'a> TokenRequest<'a> {
    pub(crate) fn new(server: &'a Server, wanted: &'a Wanted, now: UnixTime) -> Self {
        Self {
            server,
            wanted,
            now,
            form: Vec::new(),
            authorization: None,
        }
    }

    /// The server that is asked, as configured.
    pub fn server(&self) -> &'a Server {
        self.server
    }

    /// The scope that is wanted.
    pub fn scope(&self) -> Option<&'a Scope> {
        self.wanted.scope.as_ref()
    }

    /// The subject that is wanted.
    pub fn subject(&self) -> Option<&'a str> {
        self.wanted.subject.as_deref()
    }

    /// The resource that is wanted.
    pub fn resource(&self) -> Option<&'a str> {
        self.wanted.resource.as_deref()
    }

    /// Now, by the source's clock.
    pub fn now(&self) -> UnixTime {
        self.now
    }

    /// Sets a form parameter, in place of one of the same name: none may be there twice (RFC 6749
    /// §3.2).
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let name = name.into();
        self.remove(&name);
        self.form.push((name, Zeroizing::new(value.into())));
    }

    /// Takes a form parameter out again.
    pub fn remove(&mut self, name: &str) {
        self.form.retain(|(present, _)| present != name);
    }

    /// Sets the `Authorization` header.
    pub fn set_authorization(&mut self, mut value: HeaderValue) {
        value.set_sensitive(true);
        self.authorization = Some(value);
    }

    /// The form, and the `Authorization` header.
    #[cfg(feature = "resource")]
    pub(crate) fn into_parts(self) -> (Form, Option<HeaderValue>) {
        (self.form, self.authorization)
    }

    pub(super) fn into_http(self, endpoint: &Url) -> Result<Request<Bytes>, http::Error> {
        let pairs = self
            .form
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_str()));
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let mut request = Request::post(endpoint.as_str())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        if let Some(authorization) = self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.body(Bytes::from(body))
    }
}
