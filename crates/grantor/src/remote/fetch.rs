//! Outgoing HTTP. Everything here that asks another server does it through [`Fetch`], so that a
//! program can bring an HTTP client of its own. With the feature `reqwest`, [`HttpFetch`](super::HttpFetch)
//! is the one used where it brings none.

#[cfg(any(feature = "client", feature = "resource"))]
use std::sync::Arc;
use std::{error::Error, io, path::PathBuf, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use super::{
    Forbidden,
    obstacle::{Cause, Obstacle},
};
use crate::types::is_loopback;

/// How long `HttpFetch` waits for a whole answer.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends a request and reads the answer to its end.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Sends `request` once, to exactly the URL it names, and reads an answer of at most `limit`
    /// octets of body.
    ///
    /// An implementation follows no redirect: requests carry credentials, and a server must not
    /// choose which other server gets them next (RFC 9700 §4.12). It ends after a bounded time, and
    /// never keeps more than `limit` octets.
    ///
    /// # Errors
    /// [`FetchError`]; an answer of any status is an answer.
    async fn fetch(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError>;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// Credentials and keys travel over TLS, or do not leave the machine.
    #[error("{0:?}: expected an https URL, or an http URL of a loopback host")]
    Url(String),
    /// The guard of addresses refuses to connect. For operators only: it names addresses.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// No connection, no TLS, or it broke off.
    #[error("no answer: {0}")]
    Transport(#[source] Box<dyn Error + Send + Sync>),
    /// It took too long.
    #[error("no answer in time")]
    TimedOut,
    /// No HTTP client was given, and the feature `reqwest`, which brings one, is off.
    #[error("no HTTP client: give one, or enable the feature `reqwest`")]
    NoHttpClient,
    /// The bearer token that the request needs cannot be read from its file. For operators only.
    #[error("bearer token file {}: {error}", path.display())]
    BearerToken {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// No certificate authorities in PEM, or no way to trust them beside those of the system.
    #[error("certificate authorities: {0}")]
    Authorities(String),
    /// The body is longer than what was asked for can be.
    #[error("the answer is longer than {0} octets")]
    TooLong(usize),
}

impl FetchError {
    /// Whether the guard of addresses refuses the URL, or an address of its host.
    #[cfg(any(feature = "server", feature = "resource"))]
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Url(_) | Self::Forbidden(_))
    }

    /// Whether another try may succeed by itself: there was no answer.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::TimedOut)
    }

    /// From the error of an HTTP client, of which only the innermost cause tells something new.
    pub fn transport(error: &(dyn Error + 'static)) -> Self {
        Self::Transport(Box::new(Cause::of(error)))
    }

    /// What stood between the request and its answer, if it can be told.
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::Transport(cause) => cause.downcast_ref::<Cause>()?.obstacle,
            _ => None,
        }
    }
}

/// Accepts the URLs that credentials may be sent to and keys be read from: https with a host, http
/// on a loopback host; no user.
///
/// # Errors
/// [`FetchError::Url`]
pub fn checked_url(text: &str) -> Result<Url, FetchError> {
    let refused = || FetchError::Url(text.to_owned());
    let url = Url::parse(text).map_err(|_| refused())?;
    let loopback = is_loopback(&url.host().ok_or_else(refused)?);
    let encrypted_or_local = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if encrypted_or_local && url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err(refused())
    }
}

/// An HTTP client, or why there is none.
#[cfg(any(feature = "client", feature = "resource"))]
type Chosen = Result<Arc<dyn Fetch>, FetchError>;

/// The HTTP client that a program gave, else the one that the feature `reqwest` brings.
///
/// # Errors
/// As [`HttpFetch::new`](super::HttpFetch::new); without the feature `reqwest`
/// [`FetchError::NoHttpClient`].
#[cfg(any(feature = "client", feature = "resource"))]
pub(crate) fn given_or_brought(
    given: Option<Arc<dyn Fetch>>,
) -> Result<Arc<dyn Fetch>, FetchError> {
    choose(given, brought)
}

#[cfg(any(feature = "client", feature = "resource"))]
fn choose(given: Option<Arc<dyn Fetch>>, brought: fn() -> Option<Chosen>) -> Chosen {
    match given {
        Some(given) => Ok(given),
        None => brought().ok_or(FetchError::NoHttpClient)?,
    }
}

/// What the feature `reqwest` brings, if it is on.
#[cfg(any(feature = "client", feature = "resource"))]
fn brought() -> Option<Chosen> {
    #[cfg(feature = "reqwest")]
    return Some(super::HttpFetch::new().map(|fetch| Arc::new(fetch) as _));
    #[cfg(not(feature = "reqwest"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_where_nobody_listens() {
        for good in [
            "https://as.example/token",
            "http://127.0.0.1:8080/token",
            "http://[::1]/token",
            "http://localhost/token?a=b",
        ] {
            assert!(checked_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://as.example/token",
            "http://localhost.as.example/token",
            "http://127.0.0.1.as.example/token",
            "https://me:secret@as.example/token",
            "ftp://127.0.0.1/token",
            "file:///etc/passwd",
            "data:,x",
            "as.example/token",
            "",
        ] {
            assert!(matches!(checked_url(bad), Err(FetchError::Url(_))), "{bad}");
        }
    }

    struct Given;

    #[async_trait]
    impl Fetch for Given {
        async fn fetch(&self, _: Request<Bytes>, _: usize) -> Result<Response<Bytes>, FetchError> {
            Err(FetchError::TimedOut)
        }
    }

    /// Tests are built with the feature `reqwest`, so what it brings is left out by hand.
    #[test]
    fn without_a_client_of_its_own_a_program_needs_the_one_that_is_brought() {
        let given = || -> Arc<dyn Fetch> { Arc::new(Given) };
        let error = choose(None, || None).err().expect("there is none");
        assert!(matches!(error, FetchError::NoHttpClient), "{error}");
        assert!(error.to_string().contains("`reqwest`"), "{error}");
        let brought = || Some(Ok(Arc::new(Given) as Arc<dyn Fetch>));
        assert!(choose(None, brought).is_ok());
        let only = given();
        let chosen = choose(Some(only.clone()), || None).expect("the given one");
        assert!(Arc::ptr_eq(&only, &chosen));
    }
}
