//! Authorization server metadata (RFC 8414), read by the client and the resource role.

use bytes::Bytes;
use grantor_jose::{JsonError, json};
use http::{Request, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::fetch::{Fetch, FetchError, checked_url};

/// Largest metadata document read, in octets.
const MAX_METADATA_BYTES: usize = 256 * 1024;

/// Most characters of a stranger's issuer identifier that are repeated in an error.
const MAX_SHOWN_CHARS: usize = 300;

/// What an authorization server says about itself. All URLs are ones that credentials may be sent to.
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
    #[error("issuer {0:?}: expected an https URL (http for loopback hosts) without query and fragment")]
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
    /// There is no document at either well-known place.
    #[error("metadata of {url}: {status}")]
    Status {
        /// What was asked for last.
        url: String,
        /// The answer.
        status: StatusCode,
    },
    /// Not JSON, or with members twice.
    #[error("metadata of {url}: {error}")]
    Json {
        /// What was asked for.
        url: String,
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
    /// Whether it may be gone when it is tried again: there was no answer, or the server could not give one.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch { error, .. } => error.is_transient(),
            Self::Status { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Issuer(_) | Self::Json { .. } | Self::Member { .. } | Self::OtherIssuer { .. } => false,
        }
    }
}

impl ServerMetadata {
    /// Reads the metadata of `issuer`: at the place of RFC 8414 §3.1, else at that of OpenID Connect Discovery.
    ///
    /// # Errors
    /// [`DiscoveryError`]; a document that names another issuer is refused as a whole.
    pub async fn discover(fetch: &dyn Fetch, issuer: &str) -> Result<Self, DiscoveryError> {
        let [first, second] = well_known(issuer)?;
        match Self::read(fetch, issuer, &first).await {
            Err(first @ DiscoveryError::Status { .. }) => match Self::read(fetch, issuer, &second).await {
                // A server that cannot answer now at its one place has nothing at the other.
                Err(DiscoveryError::Status { .. }) if first.is_transient() => Err(first),
                found => found,
            },
            found => found,
        }
    }

    async fn read(fetch: &dyn Fetch, issuer: &str, url: &str) -> Result<Self, DiscoveryError> {
        let failed = |error| DiscoveryError::Fetch { url: url.to_owned(), error };
        let request = Request::get(url).header(header::ACCEPT, "application/json").body(Bytes::new());
        let request = request.map_err(|_| DiscoveryError::Issuer(issuer.to_owned()))?;
        let answer = fetch.fetch(request, MAX_METADATA_BYTES).await.map_err(failed)?;
        if answer.status() != StatusCode::OK {
            return Err(DiscoveryError::Status { url: url.to_owned(), status: answer.status() });
        }
        Self::parse(issuer, url, answer.body())
    }

    fn parse(issuer: &str, url: &str, document: &[u8]) -> Result<Self, DiscoveryError> {
        let document = json::parse(document).map_err(|error| DiscoveryError::Json { url: url.to_owned(), error })?;
        let wrong = |member, problem: String| {
            let problem = problem.chars().take(MAX_SHOWN_CHARS).collect();
            DiscoveryError::Member { url: url.to_owned(), member, problem }
        };
        let got: String = member(&document, "issuer")
            .map_err(|problem| wrong("issuer", problem))?
            .ok_or_else(|| wrong("issuer", "missing".to_owned()))?;
        if got != issuer {
            let got = got.chars().take(MAX_SHOWN_CHARS).collect();
            return Err(DiscoveryError::OtherIssuer { url: url.to_owned(), expected: issuer.to_owned(), got });
        }
        let endpoint = |name| {
            let text: Option<String> = member(&document, name).map_err(|problem| wrong(name, problem))?;
            text.map(|text| checked_url(&text).map_err(|error| wrong(name, error.to_string()))).transpose()
        };
        let names = |name| member(&document, name).map_err(|problem| wrong(name, problem));
        Ok(Self {
            issuer: got,
            token_endpoint: endpoint("token_endpoint")?,
            jwks_uri: endpoint("jwks_uri")?,
            introspection_endpoint: endpoint("introspection_endpoint")?,
            token_endpoint_auth_methods: names("token_endpoint_auth_methods_supported")?,
            token_endpoint_auth_signing_algorithms: names("token_endpoint_auth_signing_alg_values_supported")?,
            grant_types: names("grant_types_supported")?,
        })
    }
}

/// A member, if it is there and not null.
fn member<'d, T: Deserialize<'d>>(document: &'d Value, name: &str) -> Result<Option<T>, String> {
    document.get(name).map_or(Ok(None), |value| Option::deserialize(value).map_err(|error| error.to_string()))
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
    let (origin, path) = (url.origin().ascii_serialization(), url.path().trim_end_matches('/'));
    let oauth = format!("{origin}/.well-known/oauth-authorization-server{path}");
    Ok([oauth, format!("{origin}{path}/.well-known/openid-configuration")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(document: &str) -> Result<ServerMetadata, DiscoveryError> {
        ServerMetadata::parse("https://as.example", "https://as.example/.well-known/x", document.as_bytes())
    }

    #[test]
    fn what_is_there_is_read() {
        let metadata = parse(
            r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/t","jwks_uri":null,
            "signed_metadata":"e30.e30.","x":1}"#,
        );
        let metadata = metadata.expect("metadata");
        assert_eq!(metadata.token_endpoint.map(|url| url.to_string()).as_deref(), Some("https://as.example/t"));
        assert_eq!(metadata.jwks_uri, None);
    }

    #[test]
    fn another_issuer_is_refused() {
        for got in ["https://evil.example", "https://as.example/", "https://AS.example", ""] {
            let document = format!(r#"{{"issuer":"{got}","token_endpoint":"https://as.example/t"}}"#);
            assert!(matches!(parse(&document), Err(DiscoveryError::OtherIssuer { .. })), "{got}");
        }
    }

    #[test]
    fn wrong_members_are_named() {
        for (document, expected) in [
            (r#"{"token_endpoint":"https://as.example/t"}"#, "issuer"),
            (r#"{"issuer":1}"#, "issuer"),
            (r#"{"issuer":"https://as.example","token_endpoint":"http://as.example/t"}"#, "token_endpoint"),
            (r#"{"issuer":"https://as.example","jwks_uri":["https://as.example/t"]}"#, "jwks_uri"),
            (r#"{"issuer":"https://as.example","grant_types_supported":"x"}"#, "grant_types_supported"),
        ] {
            let error = parse(document).expect_err(document);
            assert!(matches!(error, DiscoveryError::Member { member, .. } if member == expected), "{document}: {error}");
        }
        for document in ["", "[]x", r#"{"issuer":"https://as.example","issuer":"https://as.example"}"#] {
            assert!(matches!(parse(document), Err(DiscoveryError::Json { .. })), "{document}");
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

    /// Answers with these statuses, one after the other.
    struct Statuses(std::sync::Mutex<Vec<u16>>);

    #[async_trait::async_trait]
    impl Fetch for Statuses {
        async fn fetch(&self, _: Request<Bytes>, _: usize) -> Result<http::Response<Bytes>, FetchError> {
            let status = self.0.lock().expect("no panic").remove(0);
            Ok(http::Response::builder().status(status).body(Bytes::new()).expect("an answer"))
        }
    }

    #[tokio::test]
    async fn a_server_that_cannot_answer_now_is_not_one_without_metadata() {
        for (statuses, transient, status) in
            [([503, 404], true, 503), ([429, 404], true, 429), ([404, 404], false, 404), ([404, 503], true, 503)]
        {
            let fetch = Statuses(std::sync::Mutex::new(statuses.to_vec()));
            let error = ServerMetadata::discover(&fetch, "https://as.example").await.expect_err("no metadata");
            assert_eq!(error.is_transient(), transient, "{statuses:?}");
            assert!(matches!(&error, DiscoveryError::Status { status: got, .. } if *got == status), "{statuses:?}: {error}");
        }
    }

    #[test]
    fn the_well_known_part_goes_before_the_path_and_for_openid_behind_it() {
        let places = |issuer| well_known(issuer).map(|places| places.join(" ")).map_err(drop);
        assert_eq!(
            places("https://as.example/tenant"),
            Ok("https://as.example/.well-known/oauth-authorization-server/tenant https://as.example/tenant/.well-known/openid-configuration".to_owned())
        );
        assert_eq!(
            places("https://as.example/"),
            Ok("https://as.example/.well-known/oauth-authorization-server https://as.example/.well-known/openid-configuration"
                .to_owned())
        );
        for bad in ["http://as.example", "https://as.example?x", "https://as.example#x", "x"] {
            assert_eq!(places(bad), Err(()), "{bad}");
        }
    }
}
