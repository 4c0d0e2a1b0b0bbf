//! The authorization server that is asked: who it is, and where its token endpoint is. Both are
//! configuration, or the second is learned from the metadata of the first.

use url::Url;

use super::{Audience, CredentialError, KeyFile};
use crate::remote::{FetchError, checked_url};

/// An authorization server, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    issuer: Option<String>,
    /// As configured, for a URL library may write it otherwise; and parsed.
    token_endpoint: Option<(String, Url)>,
}

impl Server {
    /// The server with this issuer identifier. Its token endpoint is read from its metadata (RFC
    /// 8414) when a token is first wanted; a document of another issuer is refused (§3.3).
    ///
    /// # Errors
    /// [`FetchError::Url`] unless the issuer is an https URL, or an http URL of a loopback host.
    pub fn discover(issuer: impl Into<String>) -> Result<Self, FetchError> {
        let issuer = issuer.into();
        checked_url(&issuer)?;
        Ok(Self {
            issuer: Some(issuer),
            token_endpoint: None,
        })
    }

    /// The server with a token endpoint at this URL.
    ///
    /// # Errors
    /// [`FetchError::Url`] unless it is an https URL, or an http URL of a loopback host.
    pub fn at(token_endpoint: &str) -> Result<Self, FetchError> {
        Ok(Self {
            issuer: None,
            token_endpoint: Some((token_endpoint.to_owned(), checked_url(token_endpoint)?)),
        })
    }

    /// The server with this issuer identifier, of which nothing else is asked here.
    #[cfg(feature = "resource")]
    pub(crate) fn named(issuer: String) -> Self {
        Self {
            issuer: Some(issuer),
            token_endpoint: None,
        }
    }

    /// Names its issuer identifier: the audience of what is signed for it.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        Self {
            issuer: Some(issuer.into()),
            ..self
        }
    }

    /// The issuer identifier, if configured.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The token endpoint, if configured.
    pub fn token_endpoint(&self) -> Option<&Url> {
        self.token_endpoint.as_ref().map(|(_, url)| url)
    }

    /// The audience of an assertion for this server. It never depends on what any server says.
    ///
    /// # Errors
    /// [`CredentialError::NoIssuer`], or [`CredentialError::DiscoveredAudience`] for
    /// [`Audience::TokenEndpoint`] without a configured one.
    pub fn audience<'a>(
        &'a self,
        audience: &'a Audience,
    ) -> Result<Option<&'a str>, CredentialError> {
        match audience {
            Audience::Issuer => self
                .issuer
                .as_deref()
                .map(Some)
                .ok_or(CredentialError::NoIssuer),
            Audience::TokenEndpoint => self
                .token_endpoint
                .as_ref()
                .map(|(text, _)| Some(text.as_str()))
                .ok_or(CredentialError::DiscoveredAudience),
            Audience::Exactly(text) => Ok(Some(text)),
            Audience::Nobody => Ok(None),
        }
    }
}

impl KeyFile {
    /// The server it is for.
    ///
    /// # Errors
    /// [`FetchError::Url`] unless `token_endpoint` is an https URL, or an http URL of a loopback
    /// host.
    pub fn server(&self) -> Result<Server, FetchError> {
        Ok(Server::at(&self.token_endpoint)?.with_issuer(&self.issuer))
    }
}
