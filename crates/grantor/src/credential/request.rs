//! A request to an endpoint where a party proves who it is: a form and header fields, put together
//! by what is asked for and by the [`ClientAuth`](super::ClientAuth).

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::Server;
use crate::clock::UnixTime;

/// A form request in the making, for one try. `Debug` does not show what is in it.
pub struct EndpointRequest<'a> {
    server: &'a Server,
    endpoint: &'a Url,
    now: UnixTime,
    form: Vec<(Cow<'static, str>, Zeroizing<String>)>,
    headers: HeaderMap,
}

impl<'a> EndpointRequest<'a> {
    pub(crate) fn new(server: &'a Server, endpoint: &'a Url, now: UnixTime) -> Self {
        Self {
            server,
            endpoint,
            now,
            form: Vec::new(),
            headers: HeaderMap::new(),
        }
    }

    /// The server that is asked, as configured.
    pub fn server(&self) -> &'a Server {
        self.server
    }

    /// Where the request goes. It may be discovered: no audience is made of it.
    pub fn endpoint(&self) -> &'a Url {
        self.endpoint
    }

    /// Now, by the clock of the one that asks.
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

    /// Sets a header field, such as `Authorization`. Its value does not show in `Debug`.
    pub fn set_header(&mut self, name: HeaderName, mut value: HeaderValue) {
        value.set_sensitive(true);
        self.headers.insert(name, value);
    }

    /// Sets the `Authorization` header.
    pub fn set_authorization(&mut self, value: HeaderValue) {
        self.set_header(header::AUTHORIZATION, value);
    }

    /// The request as it is sent. An error if the URL is no request target.
    pub(crate) fn into_http(self) -> Result<Request<Bytes>, http::Error> {
        let pairs = self
            .form
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_str()));
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let mut request = Request::post(self.endpoint.as_str()).body(Bytes::from(body))?;
        let headers = request.headers_mut();
        *headers = self.headers;
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(request)
    }
}

impl fmt::Debug for EndpointRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointRequest")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}
