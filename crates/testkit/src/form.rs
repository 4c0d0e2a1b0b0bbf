//! Token requests: a form as a list of pairs, in order, duplicates allowed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A token request that can be changed in one place at a time.
#[derive(Clone, Debug)]
pub struct Form {
    pub uri: String,
    pub headers: Vec<(&'static str, String)>,
    pub pairs: Vec<(String, String)>,
}

impl Form {
    /// An empty form for `/token`.
    pub fn new(grant_type: &str) -> Self {
        let headers = vec![(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )];
        Self {
            uri: "/token".to_owned(),
            headers,
            pairs: Vec::new(),
        }
        .with("grant_type", grant_type)
    }

    /// One more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.pairs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// This parameter and no other of the name.
    #[must_use]
    pub fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    /// Without this parameter.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(known, _)| known != name);
        self
    }

    /// One more header line.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// This header line and no other of the name.
    #[must_use]
    pub fn set_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.header(name, value)
    }

    /// Basic credentials, form-encoded as RFC 6749 §2.3.1 has it.
    #[must_use]
    pub fn basic(self, id: &str, secret: &str) -> Self {
        self.header(
            "authorization",
            &basic_of(format!("{}:{}", encode(id), encode(secret))),
        )
    }

    /// The first value of a parameter.
    pub fn value(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .expect("the parameter is there")
    }

    /// The body.
    pub fn body(&self) -> String {
        let pairs: Vec<_> = self
            .pairs
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.join("&")
    }

    /// The request.
    pub fn request(&self) -> Request<Full<Bytes>> {
        self.request_of(self.body())
    }

    /// The request with another body.
    pub fn request_of(&self, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(Method::POST).uri(&self.uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value.as_bytes());
        }
        request.body(Full::new(body.into())).expect("a request")
    }

    /// Whether there is an Authorization header.
    pub fn is_challenged(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| *name == header::AUTHORIZATION.as_str())
    }
}

/// An Authorization header of this very text.
pub fn basic_of(text: impl AsRef<[u8]>) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

/// Form-encodes.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
