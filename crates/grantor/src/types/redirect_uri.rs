//! Where a client takes a person back after the authorization endpoint (RFC 6749 §3.1.2), and which
//! of them match (RFC 9700 §4.1.3). Also the page of a client, which is a URI of the same kind.
//!
//! Read strictly (RFC 3986): browsers mend what they do not understand, and would go elsewhere than
//! was registered.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use super::Shown;

/// Why a text is no redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectUriError {
    /// No characters.
    #[error("is empty")]
    Empty,
    /// More than [`RedirectUri::MAX_BYTES`] octets.
    #[error("is longer than {} octets", RedirectUri::MAX_BYTES)]
    TooLong,
    /// Not of the characters and form of RFC 3986, or with capitals in its scheme.
    #[error("is not an absolute URI (RFC 3986), its scheme in lower case")]
    Malformed,
    /// RFC 6749 §3.1.2
    #[error("must not contain a fragment")]
    Fragment,
    /// A user name makes a host look like another.
    #[error("must not contain a user")]
    User,
    /// No host, a pattern, or a spelling that browsers replace, such as `127.1`.
    #[error("needs a host in its normal form: no wildcard, no other spelling of an address")]
    Host,
    /// No number from 0 to 65535 behind the colon.
    #[error("its port is not a number from 0 to 65535")]
    Port,
    /// Codes in plain text across a network.
    #[error("must use https; http is for 127.0.0.1, [::1] and localhost only")]
    Http,
    /// A scheme that is nobody's own (RFC 8252 §7.1).
    #[error(
        "must use https, http to this machine, or a private scheme with a dot in it, such as com.example.app"
    )]
    Scheme,
}

/// A redirect URI as it was registered. Compared as a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RedirectUri(Arc<str>);

/// Before the port, where the port may differ (RFC 8252 §7.3).
const ANY_PORT: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

impl RedirectUri {
    /// Most octets.
    pub const MAX_BYTES: usize = 2048;

    /// Takes https with a host; http with the host `127.0.0.1`, `[::1]` or `localhost`; or a private
    /// scheme with a dot in it (RFC 8252 §7). Without fragment and user. Kept to the letter.
    ///
    /// ```
    /// use grantor::types::{RedirectUri, RedirectUriError};
    /// assert!(RedirectUri::parse("https://app.example/callback").is_ok());
    /// assert!(RedirectUri::parse("com.example.app:/callback").is_ok());
    /// assert_eq!(RedirectUri::parse("javascript:alert(1)"), Err(RedirectUriError::Scheme));
    /// ```
    ///
    /// # Errors
    /// [`RedirectUriError`]
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        let parts = Parts::of(text)?;
        match parts.scheme {
            "https" => parts.check_host()?,
            "http" => match parts.authority.map(|authority| authority.host) {
                Some("127.0.0.1" | "[::1]" | "localhost") => {}
                _ => return Err(RedirectUriError::Http),
            },
            private if is_private(private) => {}
            _ => return Err(RedirectUriError::Scheme),
        }
        match Url::parse(text) {
            Ok(_) => Ok(Self(text.into())),
            Err(_) => Err(RedirectUriError::Malformed),
        }
    }

    /// Whether a request may name this text for it: the same to the letter, but for the port of
    /// `http://127.0.0.1` and `http://[::1]`.
    pub fn matches(&self, asked: &str) -> bool {
        let is_same_elsewhere = |origin: &&str| {
            let registered = behind_port(self.as_str(), origin);
            registered.is_some() && registered == behind_port(asked, origin)
        };
        let is_same = self.as_str() == asked || ANY_PORT.iter().any(is_same_elsewhere);
        // What matches is a redirect URI itself, in its length too.
        is_same && asked.len() <= Self::MAX_BYTES
    }

    /// Whether it leads to a program on the person's own machine. Another one there can take it
    /// over (RFC 8252 §8.6).
    pub fn is_native(&self) -> bool {
        match self.host() {
            Some(host) => matches!(host, "127.0.0.1" | "[::1]" | "localhost"),
            None => true,
        }
    }

    /// The host, without its port; `None` of a private scheme.
    pub fn host(&self) -> Option<&str> {
        let parts = Parts::of(self.as_str()).ok()?;
        let is_web = matches!(parts.scheme, "https" | "http");
        parts.authority.filter(|_| is_web).map(|found| found.host)
    }

    /// The scheme.
    pub fn scheme(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What follows the port, if the text begins so and a port follows, or none.
fn behind_port<'t>(text: &'t str, origin: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(origin)?;
    let Some(rest) = rest.strip_prefix(':') else {
        return Some(rest);
    };
    let end = rest.find(|letter: char| !letter.is_ascii_digit());
    let (number, rest) = rest.split_at(end.unwrap_or(rest.len()));
    is_port(number).then_some(rest)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The name of a domain turned round (RFC 8252 §7.1): at least two labels.
fn is_private(scheme: &str) -> bool {
    scheme.contains('.') && scheme.split('.').all(|label| !label.is_empty())
}

/// An absolute URI, taken apart.
struct Parts<'t> {
    scheme: &'t str,
    authority: Option<Authority<'t>>,
    text: &'t str,
}

#[derive(Clone, Copy)]
struct Authority<'t> {
    host: &'t str,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Result<Self, RedirectUriError> {
        match text {
            "" => return Err(RedirectUriError::Empty),
            _ if text.len() > RedirectUri::MAX_BYTES => return Err(RedirectUriError::TooLong),
            _ if !has_only_uri_characters(text) => return Err(RedirectUriError::Malformed),
            _ if text.contains('#') => return Err(RedirectUriError::Fragment),
            _ => {}
        }
        let (scheme, rest) = text.split_once(':').ok_or(RedirectUriError::Malformed)?;
        let (authority, rest) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(Authority::of(authority)?), rest)
            }
            None => (None, rest),
        };
        match is_scheme(scheme) && !rest.contains(['[', ']']) {
            true => Ok(Self {
                scheme,
                authority,
                text,
            }),
            false => Err(RedirectUriError::Malformed),
        }
    }

    /// The host is one, and spelt as browsers show it but for capitals.
    fn check_host(&self) -> Result<(), RedirectUriError> {
        let host = self.authority.map_or("", |authority| authority.host);
        let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
        let is_spelt = host.starts_with('[') || host.bytes().all(is_name);
        let url = Url::parse(self.text).map_err(|_| RedirectUriError::Host)?;
        let shown = url.host_str().unwrap_or_default();
        match !host.is_empty() && is_spelt && shown.eq_ignore_ascii_case(host) {
            true => Ok(()),
            false => Err(RedirectUriError::Host),
        }
    }
}

impl<'t> Authority<'t> {
    fn of(text: &'t str) -> Result<Self, RedirectUriError> {
        if text.contains('@') {
            return Err(RedirectUriError::User);
        }
        match text.rsplit_once(':') {
            // A colon within the brackets of an IPv6 address.
            Some((_, behind)) if behind.contains(']') => Ok(Self { host: text }),
            Some((host, port)) if is_port(port) => Ok(Self { host }),
            Some(_) => Err(RedirectUriError::Port),
            None => Ok(Self { host: text }),
        }
    }
}

/// RFC 3986 §3.1; capitals mean the same, and are not written.
fn is_scheme(text: &str) -> bool {
    let is_allowed =
        |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || b"+-.".contains(&octet);
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(is_allowed)
}

/// Unreserved and reserved characters, and percent signs before two hexadecimal digits (RFC 3986
/// §2).
fn has_only_uri_characters(text: &str) -> bool {
    let is_allowed =
        |octet: u8| octet.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&octet);
    let is_encoded = |behind: &str| matches!(behind.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    text.bytes().all(is_allowed) && text.split('%').skip(1).all(is_encoded)
}

/// With the text in the error: documents hold several.
impl TryFrom<String> for RedirectUri {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|error| format!("'{}' {error}", Shown::of(&text)))
    }
}

impl std::str::FromStr for RedirectUri {
    type Err = RedirectUriError;

    fn from_str(text: &str) -> Result<Self, RedirectUriError> {
        Self::parse(text)
    }
}

impl Serialize for RedirectUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no home page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not an https URL with a host, without user and fragment, of at most {} octets",
    RedirectUri::MAX_BYTES
)]
pub struct HomepageError;

/// A page about a client (`client_uri`, RFC 7591 §2): https, for people to follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Homepage(Arc<str>);

impl Homepage {
    /// Takes an https URL with a host, without user and fragment. Kept to the letter.
    ///
    /// # Errors
    /// [`HomepageError`]
    pub fn parse(text: &str) -> Result<Self, HomepageError> {
        match RedirectUri::parse(text) {
            Ok(uri) if uri.scheme() == "https" => Ok(Self(uri.0)),
            _ => Err(HomepageError),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Homepage {
    type Error = HomepageError;

    fn try_from(text: String) -> Result<Self, HomepageError> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for Homepage {
    type Err = HomepageError;

    fn from_str(text: &str) -> Result<Self, HomepageError> {
        Self::parse(text)
    }
}

impl Serialize for Homepage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Homepage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
