//! The HTTP client that is used where a program brings none: reqwest, with TLS by rustls.

use std::{error::Error, fmt, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use reqwest::{Certificate, ClientBuilder};
use url::Url;

use super::{Fetch, FetchError, TIMEOUT, checked_url};

/// How long a connection may take to be made to what a stranger names.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The default: pooled connections, TLS by rustls with the operating system's roots, the system's
/// proxy settings for https, no redirects, and no request sent twice: an assertion is good for one.
#[derive(Clone)]
pub struct HttpFetch {
    client: reqwest::Client,
    /// For plain HTTP, which is for this machine only: through a proxy it would leave it.
    direct: reqwest::Client,
}

impl HttpFetch {
    /// A client without open connections. It trusts what `SSL_CERT_FILE` and `SSL_CERT_DIR` name
    /// or, where neither is set, the roots of the operating system. Where there are none, as in
    /// a bare container, it trusts no server, and reaches http URLs of loopback hosts only.
    ///
    /// # Errors
    /// [`FetchError::Transport`] if TLS cannot be set up.
    pub fn new() -> Result<Self, FetchError> {
        Self::with(settings)
    }

    /// As [`new`](Self::new), through the proxy at this URL for https, and through no other.
    ///
    /// # Errors
    /// [`FetchError::Transport`] if TLS cannot be set up, or the URL is none of a proxy.
    pub fn through(proxy: &Url) -> Result<Self, FetchError> {
        Self::through_trusting(proxy, None)
    }

    /// As [`through`](Self::through), trusting these certificate authorities too.
    pub(super) fn through_trusting(
        proxy: &Url,
        authorities: Option<&str>,
    ) -> Result<Self, FetchError> {
        let proxy = reqwest::Proxy::all(proxy.as_str()).map_err(failed)?;
        let authorities = authorities.map_or(Ok(Vec::new()), certificates)?;
        Self::with(|| {
            let settings = bare().proxy(proxy.clone());
            settings.tls_certs_merge(authorities.clone())
        })
    }

    fn with(encrypted: impl Fn() -> ClientBuilder) -> Result<Self, FetchError> {
        let direct = settings().no_proxy().tls_certs_only([]).build();
        Ok(Self {
            client: trusting(encrypted)?,
            direct: direct.map_err(failed)?,
        })
    }
}

/// The certificates in a PEM text, at least one.
pub(super) fn certificates(pem: &str) -> Result<Vec<Certificate>, FetchError> {
    let refused = |problem: String| FetchError::Authorities(problem);
    let found = Certificate::from_pem_bundle(pem.as_bytes());
    let found = found.map_err(|error| refused(innermost(&error).to_string()))?;
    match found.is_empty() {
        true => Err(refused("there is no certificate in the PEM".to_owned())),
        false => Ok(found),
    }
}

/// What all requests have in common.
pub(super) fn settings() -> ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(TIMEOUT)
        .user_agent(concat!("grantor/", env!("CARGO_PKG_VERSION")))
}

/// What requests have in common that strangers cause: no proxy of the environment, and answers that
/// are no larger than they were sent.
pub(super) fn bare() -> ClientBuilder {
    settings()
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .connect_timeout(CONNECT_TIMEOUT)
}

/// A client that trusts the roots of the operating system; no server, where there are none.
pub(super) fn trusting(
    settings: impl Fn() -> ClientBuilder,
) -> Result<reqwest::Client, FetchError> {
    let client = settings().build().or_else(|error| {
        tracing::warn!(error = %innermost(&error), "no https connection will be possible");
        settings().tls_certs_only([]).build()
    });
    client.map_err(failed)
}

impl fmt::Debug for HttpFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpFetch")
    }
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn fetch(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let url = checked_url(&request.uri().to_string())?;
        let client = if url.scheme() == "https" {
            &self.client
        } else {
            &self.direct
        };
        send(client, request, limit).await
    }
}

/// Sends a request and reads at most `limit` octets of the answer's body.
pub(super) async fn send(
    client: &reqwest::Client,
    request: Request<Bytes>,
    limit: usize,
) -> Result<Response<Bytes>, FetchError> {
    let request = reqwest::Request::try_from(request).map_err(failed)?;
    let mut answer = client.execute(request).await.map_err(failed)?;
    let mut body = BytesMut::new();
    while let Some(part) = answer.chunk().await.map_err(failed)? {
        if body.len() + part.len() > limit {
            return Err(FetchError::TooLong(limit));
        }
        body.extend_from_slice(&part);
    }
    let mut response = Response::new(body.freeze());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

fn failed(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        FetchError::TimedOut
    } else {
        FetchError::transport(&error)
    }
}

fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}
