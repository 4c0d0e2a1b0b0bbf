//! What an authorization server says about itself (RFC 8414): the members that are read, and which
//! URLs they may name.

use grantor_jose::json::Object;
use serde::Deserialize;
use url::Url;

use super::{DiscoveryError, FetchError, checked_url};
use crate::types::{Shown, member};

/// Most octets of what a server says that are repeated in an error.
const MAX_SHOWN_BYTES: usize = 300;

/// Most octets of the `jwks_uri` of an issuer.
#[cfg(feature = "server")]
const MAX_URL_BYTES: usize = 2048;

/// What an authorization server says about itself. All URLs are ones that credentials may be sent
/// to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// The issuer identifier, the one that was asked for to the letter.
    pub issuer: String,
    /// `authorization_endpoint`
    pub authorization_endpoint: Option<Url>,
    /// `token_endpoint`
    pub token_endpoint: Option<Url>,
    /// `jwks_uri`
    pub jwks_uri: Option<Url>,
    /// `introspection_endpoint`
    pub introspection_endpoint: Option<Url>,
    /// `token_endpoint_auth_methods_supported`; `None` means `client_secret_basic` (RFC 8414 §2).
    pub token_endpoint_auth_methods: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`
    pub token_endpoint_auth_signing_algorithms: Option<Vec<String>>,
    /// `grant_types_supported`; `None` means `authorization_code` and `implicit`.
    pub grant_types: Option<Vec<String>>,
    /// `code_challenge_methods_supported`; `None` says nothing about PKCE.
    pub code_challenge_methods: Option<Vec<String>>,
    /// `authorization_response_iss_parameter_supported`: an answer without `iss` is not this
    /// server's (RFC 9207 §2.4).
    pub authorization_response_iss: bool,
}

/// Why metadata may not name a URL.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// No URL that credentials may be sent to and keys be read from.
    #[error(transparent)]
    Url(#[from] FetchError),
    /// An https issuer sends its clients into the clear, and to the ports of their own machine.
    #[error("{0:?}: expected an https URL, because the issuer has one")]
    Clear(String),
}

/// Accepts the URLs that the metadata of `issuer` may name: those of [`checked_url`], and http only
/// where the issuer itself is http, which is a server on this machine (RFC 8414 §2, §6.1).
///
/// # Errors
/// [`EndpointError`]
pub fn endpoint_url(issuer: &str, text: &str) -> Result<Url, EndpointError> {
    let url = checked_url(text)?;
    let issuer_is_clear = checked_url(issuer).is_ok_and(|issuer| issuer.scheme() == "http");
    if url.scheme() == "https" || issuer_is_clear {
        Ok(url)
    } else {
        Err(EndpointError::Clear(text.to_owned()))
    }
}

impl ServerMetadata {
    /// Reads the members of a document that was found at `url`.
    ///
    /// # Errors
    /// [`DiscoveryError`]; one that names another issuer, or an endpoint in the clear, is refused as
    /// a whole.
    pub(super) fn interpret(
        issuer: &str,
        url: &str,
        document: &Object,
    ) -> Result<Self, DiscoveryError> {
        let found = Found { url, document };
        let endpoint = |name| found.endpoint(issuer, name);
        let names = |name| found.read(name);
        Ok(Self {
            issuer: found.issuer(issuer)?,
            authorization_endpoint: endpoint(member::AUTHORIZATION_ENDPOINT)?,
            token_endpoint: endpoint(member::TOKEN_ENDPOINT)?,
            jwks_uri: endpoint(member::JWKS_URI)?,
            introspection_endpoint: endpoint(member::INTROSPECTION_ENDPOINT)?,
            token_endpoint_auth_methods: names(member::TOKEN_AUTH_METHODS)?,
            token_endpoint_auth_signing_algorithms: names(member::TOKEN_AUTH_ALGORITHMS)?,
            grant_types: names(member::GRANT_TYPES)?,
            code_challenge_methods: names(member::CODE_CHALLENGE_METHODS)?,
            authorization_response_iss: found
                .read(member::AUTHORIZATION_RESPONSE_ISS)?
                .unwrap_or_default(),
        })
    }
}

/// The `jwks_uri` in the metadata of `issuer` that were found at `url`. Other members are not looked
/// at: those of issuers that are no authorization servers hold what they like.
///
/// `issuer` need not be a URL. Keys are read in the clear only where the metadata were.
///
/// # Errors
/// [`DiscoveryError`]
#[cfg(feature = "server")]
pub(super) fn jwks_uri(issuer: &str, url: &str, document: &Object) -> Result<Url, DiscoveryError> {
    let found = Found { url, document };
    let issuer = found.issuer(issuer)?;
    let named = found.endpoint(url, member::JWKS_URI)?;
    // It is kept, logged and shown.
    if named
        .as_ref()
        .is_some_and(|named| named.as_str().len() > MAX_URL_BYTES)
    {
        let problem = format!("longer than {MAX_URL_BYTES} octets");
        return Err(found.wrong(member::JWKS_URI, &problem));
    }
    named.ok_or(DiscoveryError::NotInMetadata {
        issuer,
        member: member::JWKS_URI,
    })
}

/// A document, and where it was found.
struct Found<'d> {
    url: &'d str,
    document: &'d Object,
}

impl<'d> Found<'d> {
    /// `issuer`, if and only if it is the expected one to the letter (RFC 8414 §3.3).
    fn issuer(&self, expected: &str) -> Result<String, DiscoveryError> {
        let got: Option<String> = self.read(member::ISSUER)?;
        let got = got.ok_or_else(|| self.wrong(member::ISSUER, "missing"))?;
        if got == expected {
            return Ok(got);
        }
        Err(DiscoveryError::OtherIssuer {
            url: self.url.to_owned(),
            expected: expected.to_owned(),
            got: shown(&got),
        })
    }

    /// A URL, if it is there, that what is at `base` may name.
    fn endpoint(&self, base: &str, name: &'static str) -> Result<Option<Url>, DiscoveryError> {
        let text: Option<String> = self.read(name)?;
        text.map(|text| {
            endpoint_url(base, &text).map_err(|error| self.wrong(name, &error.to_string()))
        })
        .transpose()
    }

    /// A member, if it is there and not null.
    fn read<T: Deserialize<'d>>(&self, name: &'static str) -> Result<Option<T>, DiscoveryError> {
        self.document.get(name).map_or(Ok(None), |value| {
            Option::deserialize(value).map_err(|error| self.wrong(name, &error.to_string()))
        })
    }

    fn wrong(&self, member: &'static str, problem: &str) -> DiscoveryError {
        DiscoveryError::Member {
            url: self.url.to_owned(),
            member,
            problem: shown(problem),
        }
    }
}

/// A server's text, escaped and shortened.
pub(super) fn shown(text: &str) -> String {
    Shown::known(text, MAX_SHOWN_BYTES).to_string()
}

#[cfg(test)]
mod tests {
    use grantor_jose::json;

    use super::*;

    fn parse(document: &str) -> Result<ServerMetadata, DiscoveryError> {
        parse_of("https://as.example", document)
    }

    fn parse_of(issuer: &str, document: &str) -> Result<ServerMetadata, DiscoveryError> {
        ServerMetadata::interpret(
            issuer,
            "https://as.example/.well-known/x",
            &json::parse_object(document.as_bytes()).expect("JSON"),
        )
    }

    #[test]
    fn what_is_there_is_read() {
        let metadata = parse(
            r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/t","jwks_uri":null,
            "signed_metadata":"e30.e30.","x":1}"#,
        );
        let metadata = metadata.expect("metadata");
        assert_eq!(
            metadata
                .token_endpoint
                .map(|url| url.to_string())
                .as_deref(),
            Some("https://as.example/t")
        );
        assert_eq!(metadata.jwks_uri, None);
    }

    #[test]
    fn another_issuer_is_refused() {
        for got in [
            "https://evil.example",
            "https://as.example/",
            "https://AS.example",
            "",
        ] {
            let document =
                format!(r#"{{"issuer":"{got}","token_endpoint":"https://as.example/t"}}"#);
            assert!(
                matches!(parse(&document), Err(DiscoveryError::OtherIssuer { .. })),
                "{got}"
            );
        }
    }

    #[test]
    fn wrong_members_are_named() {
        for (document, expected) in [
            (r#"{"token_endpoint":"https://as.example/t"}"#, "issuer"),
            (r#"{"issuer":1}"#, "issuer"),
            (
                r#"{"issuer":"https://as.example","token_endpoint":"http://as.example/t"}"#,
                "token_endpoint",
            ),
            (
                r#"{"issuer":"https://as.example","jwks_uri":["https://as.example/t"]}"#,
                "jwks_uri",
            ),
            (
                r#"{"issuer":"https://as.example","grant_types_supported":"x"}"#,
                "grant_types_supported",
            ),
        ] {
            let error = parse(document).expect_err(document);
            assert!(
                matches!(error, DiscoveryError::Member { member, .. } if member == expected),
                "{document}: {error}"
            );
        }
    }

    #[test]
    fn only_an_http_issuer_names_http_endpoints() {
        for member in ["token_endpoint", "jwks_uri", "introspection_endpoint"] {
            for (issuer, endpoint, good) in [
                ("https://as.example", "https://as.example/x", true),
                ("https://as.example", "https://elsewhere.example/x", true),
                ("https://as.example", "http://127.0.0.1:9200/x", false),
                ("https://as.example", "http://localhost/x", false),
                ("https://as.example", "HTTP://[::1]/x", false),
                ("https://127.0.0.1", "http://127.0.0.1/x", false),
                ("http://127.0.0.1:8080", "http://127.0.0.1:8080/x", true),
                ("http://127.0.0.1:8080", "https://as.example/x", true),
            ] {
                let parsed = parse_of(
                    issuer,
                    &serde_json::json!({"issuer": issuer, member: endpoint}).to_string(),
                );
                assert_eq!(parsed.is_ok(), good, "{issuer} {member} {endpoint}");
                if let Err(error) = parsed {
                    let named = matches!(error, DiscoveryError::Member { member: got, .. } if got == member);
                    assert!(named && error.to_string().contains("https"), "{error}");
                }
            }
        }
    }

    #[test]
    fn what_a_stranger_wrote_is_shortened() {
        let long = "x".repeat(200_000);
        for document in [
            format!(r#"{{"issuer":"https://as.example","token_endpoint":"http://{long}"}}"#),
            format!(r#"{{"issuer":"https://as.example","grant_types_supported":"{long}"}}"#),
            format!(r#"{{"issuer":"{long}"}}"#),
        ] {
            let error = parse(&document).expect_err("refused").to_string();
            assert!(error.len() < 1000, "{}", error.len());
        }
    }
}
