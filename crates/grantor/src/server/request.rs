//! A request as it came, about whose sender nothing is known yet.

use std::{fmt, net::IpAddr};

use bytes::Bytes;
use http::{Extensions, HeaderMap, Method, Uri, request::Parts};

use super::{
    AuthorizationHeader, FormError,
    form::{self, Form},
};
use crate::clock::UnixTime;

/// The address that a request was sent from. The embedder puts one into the request's extensions,
/// if it knows; decisions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sender(pub IpAddr);

/// The certificate by which a client authenticated its TLS connection, in DER (RFC 5280 §4.1). The
/// embedder puts one into the request's extensions, if there is one: that the client holds the
/// private key is then proven, and nothing else about the certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate(Bytes);

impl ClientCertificate {
    /// A certificate in DER.
    pub fn from_der(der: impl Into<Bytes>) -> Self {
        Self(der.into())
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} octets)", self.0.len())
    }
}

/// A request: its form, its head, and what the embedder knows about its connection. `Debug` shows
/// parameter names, never values.
pub struct Request {
    form: Form,
    query: Form,
    authorization: AuthorizationHeader,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
    at: UnixTime,
}

/// What is read of a request before it is one.
#[derive(Default)]
pub(super) struct Read {
    form: Form,
    query: Form,
    authorization: AuthorizationHeader,
}

impl Read {
    /// Reads a request with a form.
    pub(super) fn form(head: &Parts, body: &[u8], repeatable: &[&str]) -> Result<Self, FormError> {
        form::check_head(head.uri.query(), &head.headers)?;
        Ok(Self {
            authorization: AuthorizationHeader::read(&head.headers)?,
            form: Form::parse_repeating(body, repeatable)?,
            query: Form::default(),
        })
    }

    /// Reads a request whose parameters stand in the query.
    pub(super) fn query(head: &Parts) -> Result<Self, FormError> {
        Ok(Self {
            query: Form::parse_query(head.uri.query())?,
            ..Self::head(head)?
        })
    }

    /// Reads a request whose body does not matter.
    pub(super) fn head(head: &Parts) -> Result<Self, FormError> {
        Ok(Self {
            authorization: AuthorizationHeader::read(&head.headers)?,
            ..Self::default()
        })
    }
}

impl Request {
    /// Reads the request of a form.
    ///
    /// # Errors
    /// [`FormError`], one variant per refusal. Parameters without a value count as omitted (RFC
    /// 6749 §3.2), but still as sent twice when they are.
    pub fn parse(head: Parts, body: &[u8], at: UnixTime) -> Result<Self, FormError> {
        let read = Read::form(&head, body, &[])?;
        Ok(Self::new(head, read, at))
    }

    pub(super) fn new(head: Parts, read: Read, at: UnixTime) -> Self {
        Self {
            form: read.form,
            query: read.query,
            authorization: read.authorization,
            method: head.method,
            uri: head.uri,
            headers: head.headers,
            extensions: head.extensions,
            at,
        }
    }

    /// A request that says nothing.
    pub(crate) fn blank(at: UnixTime) -> Self {
        let (head, ()) = http::Request::new(()).into_parts();
        Self::new(head, Read::default(), at)
    }

    /// The value of a parameter of the form, if it was sent with one; the first, of one that may be
    /// repeated.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.form.values(name).next()
    }

    /// As [`Request::parameter`], for one that the request cannot do without.
    ///
    /// # Errors
    /// [`FormError::MissingParameter`]
    pub fn required(&self, name: &'static str) -> Result<&str, FormError> {
        self.parameter(name)
            .ok_or(FormError::MissingParameter(name))
    }

    /// The non-empty values of a parameter that may be repeated: `resource` (RFC 8707 §2) and
    /// `audience` (RFC 8693 §2.1).
    pub fn parameters(&self, name: &str) -> impl Iterator<Item = &str> {
        self.form.values(name)
    }

    /// The value of a parameter of the query, as [`Request::parameter`]. Only requests by GET to a
    /// [`Route::page`](super::Route::page) or [`Route::query`](super::Route::query) have any.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.values(name).next()
    }

    /// The non-empty values of a parameter of the query that may be repeated: `resource`.
    pub fn queries(&self, name: &str) -> impl Iterator<Item = &str> {
        self.query.values(name)
    }

    /// What the Authorization header said.
    pub fn authorization(&self) -> &AuthorizationHeader {
        &self.authorization
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The target.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The fields of the head. Of a head with many only those are kept that something here reads: an
    /// extension names what it reads ([`Builder::keep_header`](super::Builder::keep_header)).
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// What the embedder attached to the request.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The certificate by which the client authenticated its connection, if the embedder told one.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.extensions.get()
    }

    /// The address that the request was sent from, if the embedder told it.
    pub fn sender(&self) -> Option<IpAddr> {
        self.extensions.get().map(|Sender(address)| *address)
    }

    /// When the request had been read, by the server's clock.
    pub fn at(&self) -> UnixTime {
        self.at
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.form.names().chain(self.query.names()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.uri.path())
            .field("parameters", &names)
            .finish_non_exhaustive()
    }
}
