//! A small HTTP client for the commands that talk to a server. Redirects are never followed: a token request carries credentials.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Largest answer read, in octets.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What went wrong between here and there.
#[derive(Debug)]
pub enum ClientError {
    /// Not a URL that credentials may be sent to.
    Url(String),
    /// No answer.
    Transport(String),
    /// An answer that is too long, or not JSON.
    Answer(&'static str),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url:?}: expected an https URL, or an http URL of a loopback host"),
            Self::Transport(reason) => write!(f, "no answer: {reason}"),
            Self::Answer(problem) => write!(f, "the answer {problem}"),
        }
    }
}

/// Speaks HTTP/1.1, over TLS with the roots of the Mozilla programme where the URL says https.
pub struct Client(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// A client without open connections.
    pub fn new() -> Self {
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        Self(Pool::builder(TokioExecutor::new()).build(connector))
    }

    /// GETs a JSON document.
    pub async fn get(&self, url: &str) -> Result<(StatusCode, serde_json::Value), ClientError> {
        self.send(request(Method::GET, url, String::new(), None)?).await
    }

    /// POSTs a form, with an Authorization header where given, and reads a JSON answer.
    pub async fn post_form(
        &self,
        url: &str,
        form: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<(StatusCode, serde_json::Value), ClientError> {
        self.send(request(Method::POST, url, encode(form), authorization)?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, serde_json::Value), ClientError> {
        let exchange = async {
            let response = self.0.request(request).await.map_err(|error| ClientError::Transport(deepest(&error)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|_| ClientError::Answer("is too long, or broke off"))?.to_bytes();
            let json = serde_json::from_slice(&body).map_err(|_| ClientError::Answer("is not JSON"))?;
            Ok((status, json))
        };
        tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or(Err(ClientError::Transport("timed out".to_owned())))
    }
}

fn request(method: Method, url: &str, body: String, authorization: Option<&str>) -> Result<Request<Full<Bytes>>, ClientError> {
    let refused = || ClientError::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| refused())?;
    let host = uri.host().ok_or_else(refused)?;
    let loopback =
        host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    if uri.scheme_str() != Some("https") && !(uri.scheme_str() == Some("http") && loopback) {
        return Err(refused());
    }
    let mut request = Request::builder().method(method).uri(uri).header(header::ACCEPT, "application/json");
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request.body(Full::from(body)).map_err(|_| refused())
}

/// `application/x-www-form-urlencoded`, everything but letters, digits and `-_.*` escaped.
fn encode(form: &[(&str, &str)]) -> String {
    form.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

/// Escapes one field of a form, or one half of Basic credentials (RFC 6749 appendix B).
pub fn escape(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const FIELD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*');
    utf8_percent_encode(text, FIELD).to_string()
}

fn deepest(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}
