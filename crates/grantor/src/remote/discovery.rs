//! Where the metadata of an authorization server is found (RFC 8414 §3), how it is read, and why it
//! cannot be used.

use grantor_jose::{
    JsonError,
    json::{self, Object},
};
use http::{HeaderMap, StatusCode, header};

#[cfg(feature = "server")]
use url::Url;

#[cfg(feature = "server")]
use super::metadata::jwks_uri;
use super::{
    DocumentError, Fetch, FetchError, METADATA, ServerMetadata, checked_url, metadata::shown,
};

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
    /// It does not name what is needed.
    #[error("the metadata of {issuer:?} has no '{member}'")]
    NotInMetadata {
        /// Whose metadata.
        issuer: String,
        /// What is missing.
        member: &'static str,
    },
    /// It took longer than configured.
    #[error("the server of the metadata does not answer in time")]
    TimedOut,
}

impl DiscoveryError {
    /// Whether nothing was sent, because the guard of addresses refuses what was asked for.
    #[cfg(any(feature = "server", feature = "resource"))]
    pub(crate) fn is_forbidden(&self) -> bool {
        match self {
            Self::Fetch { error, .. } => error.is_forbidden(),
            Self::Nowhere(first, second) => first.is_forbidden() || second.is_forbidden(),
            _ => false,
        }
    }

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
            Self::TimedOut => true,
            Self::Issuer(_)
            | Self::Json { .. }
            | Self::Member { .. }
            | Self::OtherIssuer { .. }
            | Self::NotInMetadata { .. } => false,
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

impl ServerMetadata {
    /// Reads the metadata of `issuer`: at the place of RFC 8414 §3.1, else at that of OpenID
    /// Connect Discovery.
    ///
    /// # Errors
    /// [`DiscoveryError`]; a document that names another issuer, or an endpoint in the clear, is
    /// refused as a whole.
    pub async fn discover(fetch: &dyn Fetch, issuer: &str) -> Result<Self, DiscoveryError> {
        let read = |url: &str, document: &Object| Self::interpret(issuer, url, document);
        let (_, metadata) = first_of(fetch, &well_known(issuer)?, read).await?;
        Ok(metadata)
    }
}

/// Where the metadata of an issuer say that its keys are.
#[cfg(feature = "server")]
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts {
    issuer: String,
    places: Places,
}

#[cfg(feature = "server")]
#[derive(Clone, Debug)]
enum Places {
    /// Those of OpenID Connect Discovery and of RFC 8414, in this order: issuers of workload
    /// identities are OpenID providers.
    WellKnown([String; 2]),
    Configured(String),
}

#[cfg(feature = "server")]
impl Whereabouts {
    /// By the metadata of `issuer`: where they are configured to be, else at the well-known places.
    ///
    /// # Errors
    /// [`DiscoveryError::Issuer`] if it is no URL, and no place is configured.
    pub(crate) fn new(issuer: &str, configured: Option<&Url>) -> Result<Self, DiscoveryError> {
        let places = match configured {
            Some(url) => Places::Configured(url.to_string()),
            None => {
                let [oauth, openid] = well_known(issuer)?;
                Places::WellKnown([openid, oauth])
            }
        };
        let issuer = issuer.to_owned();
        Ok(Self { issuer, places })
    }

    /// The places, in the order in which they are asked.
    pub(crate) fn places(&self) -> &[String] {
        match &self.places {
            Places::WellKnown(places) => places,
            Places::Configured(place) => std::slice::from_ref(place),
        }
    }

    /// Reads the metadata. Answers their place, and the `jwks_uri` in them.
    ///
    /// # Errors
    /// [`DiscoveryError`]
    pub(crate) async fn ask(&self, fetch: &dyn Fetch) -> Result<(&str, Url), DiscoveryError> {
        let read_it = |url: &str, document: &Object| jwks_uri(&self.issuer, url, document);
        match &self.places {
            Places::WellKnown(places) => first_of(fetch, places, read_it).await,
            Places::Configured(place) => Ok((place, read(fetch, place, read_it).await?)),
        }
    }
}

/// Reads the metadata at the first of two places that has any. Answers the place, too.
async fn first_of<'p, T>(
    fetch: &dyn Fetch,
    [first, second]: &'p [String; 2],
    interpret: impl Fn(&str, &Object) -> Result<T, DiscoveryError>,
) -> Result<(&'p str, T), DiscoveryError> {
    let earlier = match read(fetch, first, &interpret).await {
        Err(error) if error.is_no_metadata() => error,
        found => return Ok((first, found?)),
    };
    match read(fetch, second, &interpret).await {
        Err(error) if error.is_no_metadata() => {
            Err(DiscoveryError::Nowhere(Box::new(earlier), Box::new(error)))
        }
        found => Ok((second, found?)),
    }
}

/// Reads the metadata at `url`.
async fn read<T>(
    fetch: &dyn Fetch,
    url: &str,
    interpret: impl Fn(&str, &Object) -> Result<T, DiscoveryError>,
) -> Result<T, DiscoveryError> {
    let answer = METADATA.get(fetch, url).await;
    let answer = answer.map_err(|error| failed(url.to_owned(), error))?;
    let not_json = |error| DiscoveryError::Json {
        url: url.to_owned(),
        content_type: content_type(answer.headers()),
        error,
    };
    let document = json::parse_object(answer.body()).map_err(not_json)?;
    interpret(url, &document)
}

fn failed(url: String, error: DocumentError) -> DiscoveryError {
    match error {
        DocumentError::Fetch(error) => DiscoveryError::Fetch { url, error },
        DocumentError::Status { status, .. } => DiscoveryError::Status { url, status },
    }
}

/// What an answer says that it is, shortened.
fn content_type(headers: &HeaderMap) -> String {
    let text = headers
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    shown(&text.unwrap_or_default())
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
    use bytes::Bytes;
    use http::Request;

    use super::*;

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
