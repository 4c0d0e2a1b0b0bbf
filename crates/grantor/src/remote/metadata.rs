//! Authorization server metadata (RFC 8414), read by the client and the resource role.

use bytes::Bytes;
use grantor_jose::{
    JsonError,
    json::{self, Object},
};
use http::{HeaderMap, Request, StatusCode, header};
use serde::Deserialize;
use url::Url;

use crate::{
    remote::{Fetch, FetchError, checked_url},
    types::Shown,
};

/// Largest metadata document read, in octets.
const MAX_METADATA_BYTES: usize = 256 * 1024;

/// Most octets of what a server says that are repeated in an error.
const MAX_SHOWN_BYTES: usize = 300;

/// What an authorization server says about itself. All URLs are ones that credentials may be sent
/// to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// The issuer identifier, the one that was asked for to the letter.
    pub issuer: String,
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
}

/// Why a server's metadata cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The issuer identifier is no URL that metadata may be read from.
    #[error(
        "issuer {0:?}: expected an https URL (http for loopback hosts) without query and fragment"
    )]
    Issuer(String),
    /// There was no answer.
    #[error("metadata of {url}: {error}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        error: FetchError,
    },
    /// There is no metadata at either well-known place: what each of them answered.
    #[error("no metadata of this issuer: {0}; {1}")]
    Nowhere(Box<Self>, Box<Self>),
    /// There is no document at this place.
    #[error("metadata of {url}: {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// Not JSON, or with members twice: a page for people, for example.
    #[error("metadata of {url}: {error}, content type {content_type:?}")]
    Json {
        /// What was asked for.
        url: String,
        /// What the answer says that it is.
        content_type: String,
        /// Why.
        #[source]
        error: JsonError,
    },
    /// A member is missing or has a wrong type.
    #[error("metadata of {url}: member '{member}': {problem}")]
    Member {
        /// What was asked for.
        url: String,
        /// Its name.
        member: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// It describes another server (RFC 8414 §3.3): what it says must not be used (CVE-2025-27370).
    #[error("metadata of {url}: issuer is {got:?}, expected {expected:?}")]
    OtherIssuer {
        /// What was asked for.
        url: String,
        /// The configured issuer.
        expected: String,
        /// What the document says.
        got: String,
    },
}

impl DiscoveryError {
    /// Whether it may be gone when it is tried again: there was no answer, or the server could not
    /// give one.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch { error, .. } => error.is_transient(),
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            // A server that cannot answer now at its one place has nothing at the other.
            Self::Nowhere(first, second) => first.is_transient() || second.is_transient(),
            Self::Issuer(_)
            | Self::Json { .. }
            | Self::Member { .. }
            | Self::OtherIssuer { .. } => false,
        }
    }

    /// Whether there is no metadata at a place, rather than bad metadata: the other place may have
    /// it. Many servers answer 200 and a page to whatever path they do not know.
    fn is_no_metadata(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Json {
                    error: JsonError::Syntax | JsonError::NotAnObject,
                    ..
                }
        )
    }
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
    /// Reads the metadata of `issuer`: at the place of RFC 8414 §3.1, else at that of OpenID
    /// Connect Discovery.
    ///
    /// # Errors
    /// [`DiscoveryError`]; a document that names another issuer, or an endpoint in the clear, is
    /// refused as a whole.
    pub async fn discover(fetch: &dyn Fetch, issuer: &str) -> Result<Self, DiscoveryError> {
        let [first, second] = well_known(issuer)?;
        match Self::read(fetch, issuer, &first).await {
            Err(first) if first.is_no_metadata() => {
                match Self::read(fetch, issuer, &second).await {
                    Err(second) if second.is_no_metadata() => {
                        Err(DiscoveryError::Nowhere(Box::new(first), Box::new(second)))
                    }
                    found => found,
                }
            }
            found => found,
        }
    }

    async fn read(fetch: &dyn Fetch, issuer: &str, url: &str) -> Result<Self, DiscoveryError> {
        let failed = |error| DiscoveryError::Fetch {
            url: url.to_owned(),
            error,
        };
        let request = Request::get(url)
            .header(header::ACCEPT, "application/json")
            .body(Bytes::new());
        let request = request.map_err(|_| DiscoveryError::Issuer(issuer.to_owned()))?;
        let answer = fetch
            .fetch(request, MAX_METADATA_BYTES)
            .await
            .map_err(failed)?;
        if answer.status() != StatusCode::OK {
            return Err(DiscoveryError::Status {
                url: url.to_owned(),
                status: answer.status(),
            });
        }
        let not_json = |error| DiscoveryError::Json {
            url: url.to_owned(),
            content_type: content_type(answer.headers()),
            error,
        };
        Self::interpret(
            issuer,
            url,
            &json::parse_object(answer.body()).map_err(not_json)?,
        )
    }

    fn interpret(issuer: &str, url: &str, document: &Object) -> Result<Self, DiscoveryError> {
        let wrong = |member, problem: String| {
            let problem = shown(&problem);
            DiscoveryError::Member {
                url: url.to_owned(),
                member,
                problem,
            }
        };
        let got: String = member(document, "issuer")
            .map_err(|problem| wrong("issuer", problem))?
            .ok_or_else(|| wrong("issuer", "missing".to_owned()))?;
        if got != issuer {
            let got = shown(&got);
            return Err(DiscoveryError::OtherIssuer {
                url: url.to_owned(),
                expected: issuer.to_owned(),
                got,
            });
        }
        let endpoint = |name| {
            let text: Option<String> =
                member(document, name).map_err(|problem| wrong(name, problem))?;
            text.map(|text| {
                endpoint_url(issuer, &text).map_err(|error| wrong(name, error.to_string()))
            })
            .transpose()
        };
        let names = |name| member(document, name).map_err(|problem| wrong(name, problem));
        Ok(Self {
            issuer: got,
            token_endpoint: endpoint("token_endpoint")?,
            jwks_uri: endpoint("jwks_uri")?,
            introspection_endpoint: endpoint("introspection_endpoint")?,
            token_endpoint_auth_methods: names("token_endpoint_auth_methods_supported")?,
            token_endpoint_auth_signing_algorithms: names(
                "token_endpoint_auth_signing_alg_values_supported",
            )?,
            grant_types: names("grant_types_supported")?,
        })
    }
}

/// What an answer says that it is, shortened.
fn content_type(headers: &HeaderMap) -> String {
    let text = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    shown(&text.unwrap_or_default())
}

fn shown(text: &str) -> String {
    Shown::known(text, MAX_SHOWN_BYTES).to_string()
}

/// A member, if it is there and not null.
fn member<'d, T: Deserialize<'d>>(document: &'d Object, name: &str) -> Result<Option<T>, String> {
    document.get(name).map_or(Ok(None), |value| {
        Option::deserialize(value).map_err(|error| error.to_string())
    })
}

/// Where the metadata of an issuer may be: RFC 8414 §3.1, and OpenID Connect Discovery 1.0 §4.
///
/// # Errors
/// [`DiscoveryError::Issuer`]
pub fn well_known(issuer: &str) -> Result<[String; 2], DiscoveryError> {
    let refused = || DiscoveryError::Issuer(issuer.to_owned());
    let url = checked_url(issuer).map_err(|_| refused())?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused());
    }
    let (origin, path) = (
        url.origin().ascii_serialization(),
        url.path().trim_end_matches('/'),
    );
    let oauth = format!("{origin}/.well-known/oauth-authorization-server{path}");
    Ok([
        oauth,
        format!("{origin}{path}/.well-known/openid-configuration"),
    ])
}

#[cfg(test)]
mod tests {
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

    /// Answers with these, one after the other: a status and a body.
    struct Answers(std::sync::Mutex<Vec<(u16, &'static str)>>);

    #[async_trait::async_trait]
    impl Fetch for Answers {
        async fn fetch(
            &self,
            _: Request<Bytes>,
            _: usize,
        ) -> Result<http::Response<Bytes>, FetchError> {
            let (status, body) = self.0.lock().expect("no panic").remove(0);
            let answer = http::Response::builder()
                .status(status)
                .header("content-type", "text/html");
            Ok(answer
                .body(Bytes::from_static(body.as_bytes()))
                .expect("an answer"))
        }
    }

    async fn discover(answers: [(u16, &'static str); 2]) -> Result<ServerMetadata, DiscoveryError> {
        let fetch = Answers(std::sync::Mutex::new(answers.to_vec()));
        ServerMetadata::discover(&fetch, "https://as.example").await
    }

    #[tokio::test]
    async fn a_server_that_cannot_answer_now_is_not_one_without_metadata() {
        for (first, second, transient) in [
            (503, 404, true),
            (429, 404, true),
            (404, 404, false),
            (404, 503, true),
        ] {
            let error = discover([(first, ""), (second, "")])
                .await
                .expect_err("no metadata");
            assert_eq!(error.is_transient(), transient, "{first} {second}");
            assert!(matches!(&error, DiscoveryError::Nowhere(..)), "{error}");
            let shown = error.to_string();
            assert!(
                shown.contains(&first.to_string()) && shown.contains(&second.to_string()),
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn a_page_at_the_first_place_does_not_hide_the_document_at_the_second() {
        const GOOD: &str = r#"{"issuer":"https://as.example"}"#;
        for page in [
            "<!DOCTYPE html><title>Sign in</title>",
            "",
            "[]",
            "null",
            "\"ok\"",
        ] {
            assert!(discover([(200, page), (200, GOOD)]).await.is_ok(), "{page}");
            let error = discover([(200, page), (404, "")])
                .await
                .expect_err("nothing")
                .to_string();
            for words in [
                "oauth-authorization-server",
                "text/html",
                "openid-configuration",
                "404",
            ] {
                assert!(error.contains(words), "{page}: {error}");
            }
        }
        // What is bad metadata is not made good by another document.
        for bad in [
            r#"{"issuer":"https://evil.example"}"#,
            r#"{"issuer":"https://as.example","issuer":"https://as.example"}"#,
            "{}",
        ] {
            let error = discover([(200, bad), (200, GOOD)]).await.expect_err(bad);
            assert!(
                !matches!(error, DiscoveryError::Nowhere(..)),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn the_well_known_part_goes_before_the_path_and_for_openid_behind_it() {
        let places = |issuer| {
            well_known(issuer)
                .map(|places| places.join(" "))
                .map_err(drop)
        };
        assert_eq!(
            places("https://as.example/tenant"),
            Ok("https://as.example/.well-known/oauth-authorization-server/tenant https://as.example/tenant/.well-known/openid-configuration".to_owned())
        );
        assert_eq!(
            places("https://as.example/"),
            Ok("https://as.example/.well-known/oauth-authorization-server https://as.example/.well-known/openid-configuration"
                .to_owned())
        );
        for bad in [
            "http://as.example",
            "https://as.example?x",
            "https://as.example#x",
            "x",
        ] {
            assert_eq!(places(bad), Err(()), "{bad}");
        }
    }
}
