//! A token request while it is put together: the grant and the client authentication each add their
//! part.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use http::Request;
use url::Url;

use crate::{
    clock::UnixTime,
    credential::{EndpointRequest, Server},
    types::Scope,
};

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

/// A token request in the making, for one try. It is an [`EndpointRequest`], and says what is
/// wanted.
#[derive(Debug)]
pub struct TokenRequest<'a> {
    request: EndpointRequest<'a>,
    wanted: &'a Wanted,
}

impl<'a> TokenRequest<'a> {
    pub(super) fn new(
        server: &'a Server,
        endpoint: &'a Url,
        wanted: &'a Wanted,
        now: UnixTime,
    ) -> Self {
        Self {
            request: EndpointRequest::new(server, endpoint, now),
            wanted,
        }
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

    pub(super) fn into_http(self) -> Result<Request<Bytes>, http::Error> {
        self.request.into_http()
    }
}

impl<'a> Deref for TokenRequest<'a> {
    type Target = EndpointRequest<'a>;

    fn deref(&self) -> &Self::Target {
        &self.request
    }
}

impl DerefMut for TokenRequest<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.request
    }
}
