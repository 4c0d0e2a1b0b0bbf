//! The server's own name: an issuer identifier (RFC 8414 §2), and the endpoint URLs that follow
//! from it.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

/// Why a text is no issuer identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// No absolute URL with a host.
    #[error("is not an absolute URL such as https://as.example")]
    NotAUrl,
    /// Neither https nor http on a loopback host.
    #[error("must use https; http is for loopback hosts only")]
    Scheme,
    /// A user, query or fragment.
    #[error("must not contain a user, query or fragment")]
    Parts,
    /// A slash at the end would make two names of one server.
    #[error("must not end with a slash")]
    TrailingSlash,
    /// Not in the form that URL libraries write, so that others would see another name.
    #[error("is not in normal form (lower-case host, no default port, no dot segments)")]
    NotNormal,
}

/// An issuer identifier. Compared to the letter everywhere (RFC 8414 §3.3), so only one spelling is
/// accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Issuer {
    text: String,
    path: String,
}

impl Issuer {
    /// Reads an issuer identifier such as `https://as.example` or `https://as.example/tenant`.
    ///
    /// # Errors
    /// [`IssuerError`]
    pub fn parse(text: &str) -> Result<Self, IssuerError> {
        let url = Url::parse(text).map_err(|_| IssuerError::NotAUrl)?;
        let host = url.host().ok_or(IssuerError::NotAUrl)?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&host)) {
            return Err(IssuerError::Scheme);
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(IssuerError::Parts);
        }
        if text.ends_with('/') {
            return Err(IssuerError::TrailingSlash);
        }
        // `Url` writes an empty path as "/".
        let path = url.path().trim_end_matches('/').to_owned();
        if url.as_str().trim_end_matches('/') != text {
            return Err(IssuerError::NotNormal);
        }
        Ok(Self {
            text: text.to_owned(),
            path,
        })
    }

    /// The identifier.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its origin, as browsers write it (RFC 6454 §6.2): scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.text[..self.text.len() - self.path.len()]
    }

    /// The URL of an endpoint, `name` without a slash.
    pub fn endpoint(&self, name: &str) -> String {
        format!("{}/{name}", self.text)
    }

    /// The request path of an endpoint.
    pub fn endpoint_path(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// The request path of a well-known document, the well-known part inserted before the path (RFC
    /// 8414 §3.1).
    pub fn well_known_path(&self, name: &str) -> String {
        format!("/.well-known/{name}{}", self.path)
    }
}

/// Whether what is sent there stays on this machine.
pub(crate) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Issuer {
    type Err = IssuerError;

    fn from_str(text: &str) -> Result<Self, IssuerError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_is_accepted() {
        for text in [
            "https://as.example",
            "https://as.example/tenant",
            "http://127.0.0.1:8080",
            "http://localhost",
            "http://[::1]:1",
        ] {
            assert_eq!(
                Issuer::parse(text).map(|issuer| issuer.to_string()),
                Ok(text.to_owned())
            );
        }
        for (text, error) in [
            ("as.example", IssuerError::NotAUrl),
            ("http://as.example", IssuerError::Scheme),
            ("ftp://127.0.0.1", IssuerError::Scheme),
            ("https://as.example/", IssuerError::TrailingSlash),
            ("https://as.example?x", IssuerError::Parts),
            ("https://as.example#x", IssuerError::Parts),
            ("https://me@as.example", IssuerError::Parts),
            ("https://AS.example", IssuerError::NotNormal),
            ("https://as.example:443", IssuerError::NotNormal),
            ("https://as.example/a/../b", IssuerError::NotNormal),
        ] {
            assert_eq!(Issuer::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_well_known_part_goes_before_the_path() {
        let issuer = Issuer::parse("https://as.example/tenant").expect("an issuer");
        assert_eq!(
            issuer.well_known_path("oauth-authorization-server"),
            "/.well-known/oauth-authorization-server/tenant"
        );
        assert_eq!(issuer.origin(), "https://as.example");
        assert_eq!(issuer.endpoint("token"), "https://as.example/tenant/token");
        assert_eq!(issuer.endpoint_path("token"), "/tenant/token");
    }
}
