//! Which requests get a token: those to the origins of an API, and no others. What is done about a
//! 401 is decided here too, for every HTTP client alike.

use std::{fmt, str::FromStr, sync::Arc};

use http::Uri;
use url::Url;

use super::{AccessToken, TokenError, TokenSource};
use crate::remote::{FetchError, checked_url};

/// An API's tokens, put on each request to it. It is a [`tower_layer::Layer`] for clients that
/// speak [`http::Request`], and with the feature `reqwest-middleware` a
/// `reqwest_middleware::Middleware`.
///
/// * A token goes to the origins that are named here, and nowhere else: a request to another host,
///   port or scheme passes without one, so one HTTP client may call many servers. A request that
///   has an `Authorization` header keeps it.
/// * An answer 401 means that the token was refused. It is [invalidated](TokenSource::invalidate),
///   and the request is sent once more with a new one, if its body can be sent again; the second
///   answer is passed on, whatever it is.
/// * Where there is no new token, the 401 is passed on. Where there is no token to begin with,
///   nothing is sent: the error is [`AccessError::Token`], which `reqwest_middleware` carries in
///   its `Error::Middleware` as `AccessError<Infallible>`.
///
/// **Redirects.** `reqwest` follows redirects beneath its middleware, and takes the `Authorization`
/// header off where the host, port or scheme changes; a 401 from there says nothing about the
/// token, and none is asked for anew. In a stack of tower services, a layer that follows redirects
/// belongs outside of this one: then each hop is judged by itself.
///
/// ```
/// use grantor::client::{ApiAccess, TokenSource};
///
/// # fn example(source: TokenSource) -> Result<(), Box<dyn std::error::Error>> {
/// let access = ApiAccess::new(source, "https://api.example".parse()?).and("https://files.example:8443".parse()?);
/// # #[cfg(feature = "reqwest-middleware")]
/// let http = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(access).build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ApiAccess {
    source: TokenSource,
    origins: Arc<[Origin]>,
}

impl ApiAccess {
    /// Tokens of `source` for the API at `origin`. [`TokenSource::wanting`] gives the source of
    /// tokens for something in particular.
    pub fn new(source: TokenSource, origin: Origin) -> Self {
        Self {
            source,
            origins: Arc::new([origin]),
        }
    }

    /// The API is at this origin too.
    #[must_use]
    pub fn and(self, origin: Origin) -> Self {
        Self {
            origins: self.origins.iter().cloned().chain([origin]).collect(),
            ..self
        }
    }

    /// Whether requests to this origin get a token.
    pub(super) fn covers(&self, origin: Option<&Origin>) -> bool {
        origin.is_some_and(|origin| self.origins.contains(origin))
    }

    pub(super) async fn token(&self) -> Result<AccessToken, TokenError> {
        self.source.token().await
    }

    /// Hands the token out no more, because the API refused it.
    pub(super) fn invalidate(&self, refused: &AccessToken) {
        self.source.invalidate(refused);
    }

    /// A token to try once more with, if there is another.
    pub(super) async fn other_than(&self, refused: &AccessToken) -> Option<AccessToken> {
        match self.token().await {
            // The source keeps a token whose predecessor was refused a moment ago.
            Ok(token) => Some(token).filter(|token| token.expose() != refused.expose()),
            Err(error) => {
                tracing::warn!(%error, "an API refused an access token, and there is no new one");
                None
            }
        }
    }
}

/// Scheme, host and port (RFC 6454): how far a token may go. Paths do not count, so none can be
/// given.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an origin such as `https://api.example` or `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`FetchError::Url`] unless it is https, or http on a loopback host, with no more than host
    /// and port.
    pub fn parse(text: &str) -> Result<Self, FetchError> {
        let url = checked_url(text)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        Self::of_url(&url)
            .filter(|_| is_bare)
            .ok_or_else(|| FetchError::Url(text.to_owned()))
    }

    pub(super) fn of_url(url: &Url) -> Option<Self> {
        let (host, port) = (url.host_str()?, url.port_or_known_default()?);
        Some(Self {
            scheme: url.scheme().to_owned(),
            host: host.to_owned(),
            port,
        })
    }

    /// Of the parts by which a request is sent, so that there are no two opinions on where it goes.
    pub(super) fn of_uri(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?;
        let default = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let port = uri.port_u16().unwrap_or(default);
        Some(Self {
            scheme: scheme.to_owned(),
            host: uri.host()?.to_ascii_lowercase(),
            port,
        })
    }
}

impl FromStr for Origin {
    type Err = FetchError;

    fn from_str(text: &str) -> Result<Self, FetchError> {
        Self::parse(text)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError<E> {
    /// There is no token; nothing was sent.
    #[error("no access token: {0}")]
    Token(#[source] TokenError),
    /// The HTTP client failed.
    #[error(transparent)]
    Http(E),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).expect("an origin")
    }

    #[test]
    fn an_origin_is_https_or_stays_on_the_machine() {
        for good in [
            "https://api.example",
            "https://api.example/",
            "https://API.example:443",
            "http://127.0.0.1:1",
            "http://[::1]",
        ] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example",
            "https://api.example/v1",
            "https://api.example?a",
            "https://api.example#a",
            "https://me@api.example",
            "ftp://127.0.0.1",
            "api.example",
            "",
        ] {
            assert!(
                matches!(Origin::parse(bad), Err(FetchError::Url(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_request_belongs_to_one_origin_only() {
        let api = origin("https://api.example");
        for (uri, belongs) in [
            ("https://api.example/v1?a=b", true),
            ("https://API.EXAMPLE:443/", true),
            ("HTTPS://api.example/", true),
            ("http://api.example/", false),
            ("http://api.example:443/", false),
            ("https://api.example:8443/", false),
            ("https://api.example.evil.example/", false),
            ("https://evil.example/https://api.example", false),
            ("https://api.example@evil.example/", false),
            ("/v1", false),
            ("api.example:443", false),
        ] {
            let parsed: Uri = uri.parse().expect("a URI");
            assert_eq!(
                Origin::of_uri(&parsed).as_ref() == Some(&api),
                belongs,
                "{uri}"
            );
            if let Ok(url) = Url::parse(uri) {
                assert_eq!(
                    Origin::of_url(&url).as_ref() == Some(&api),
                    belongs,
                    "{uri}"
                );
            }
        }
        let local = origin("http://[::1]:8080");
        assert_eq!(
            Origin::of_uri(&"http://[::1]:8080/a".parse().expect("a URI")),
            Some(local)
        );
    }
}
