//! Reading a document of another server: by GET, up to a limit, and only with status 200.

#[cfg(any(feature = "server", feature = "resource"))]
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};

use super::{Fetch, FetchError};

/// A kind of document: what is asked for, and how much of it is read.
#[derive(Clone, Copy, Debug)]
pub struct DocumentKind {
    media_types: &'static str,
    limit: usize,
}

/// Authorization server metadata (RFC 8414), of at most 256 KiB.
pub const METADATA: DocumentKind = DocumentKind {
    media_types: "application/json",
    limit: 256 * 1024,
};

/// A key set (RFC 7517 §5), of at most 256 KiB: a hundred RSA keys with certificate chains.
pub const KEY_SET: DocumentKind = DocumentKind {
    media_types: "application/jwk-set+json, application/json",
    limit: 256 * 1024,
};

/// Why a document is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// There was no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Anything but 200; a redirect is not followed.
    #[error("{status}")]
    Status {
        /// The answer's.
        status: StatusCode,
        /// The answer's.
        headers: HeaderMap,
    },
}

impl DocumentKind {
    /// Reads the document at `url`. The answer has status 200; what its body is, is not looked at.
    ///
    /// # Errors
    /// [`DocumentError`]
    pub async fn get(
        &self,
        fetch: &dyn Fetch,
        url: &str,
    ) -> Result<Response<Bytes>, DocumentError> {
        let request = Request::get(url)
            .header(header::ACCEPT, self.media_types)
            .body(Bytes::new())
            .map_err(|_| FetchError::Url(url.to_owned()))?;
        let answer = fetch.fetch(request, self.limit).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => Err(DocumentError::Status {
                status,
                headers: answer.into_parts().0.headers,
            }),
        }
    }
}

/// How long the answer may be used (RFC 9111 §5.2.2): zero if it says that it may not. `Expires` is
/// not read: a server's clock is no measure of ours, and the configured maximum bounds its absence.
#[cfg(any(feature = "server", feature = "resource"))]
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers
        .get_all(header::CACHE_CONTROL)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let lives = values
        .flat_map(|value| value.split(','))
        .filter_map(|directive| {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" => Some(Duration::ZERO),
                // More digits than fit mean a long time; what is no number means nothing that could
                // be relied on.
                "max-age" => {
                    let digits = value.trim().trim_matches('"');
                    let number =
                        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                    Some(Duration::from_secs(if number {
                        digits.parse().unwrap_or(u64::MAX)
                    } else {
                        0
                    }))
                }
                _ => None,
            }
        });
    lives.min()
}

#[cfg(all(test, any(feature = "server", feature = "resource")))]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_shortest_life_that_is_told_counts() {
        let rows: [(&[&'static str], Option<u64>); 10] = [
            (&[], None),
            (&["public"], None),
            (&["max-age=60"], Some(60)),
            (&["public, Max-Age=\"60\" , must-revalidate"], Some(60)),
            (&["max-age=60", "max-age=30"], Some(30)),
            (&["no-store, max-age=60"], Some(0)),
            (&["max-age=-1"], Some(0)),
            (&["max-age=x"], Some(0)),
            (&["max-age=1000000000000"], Some(1_000_000_000_000)),
            (&["max-age=99999999999999999999999"], Some(u64::MAX)),
        ];
        for (values, expected) in rows {
            let headers = values
                .iter()
                .map(|value| (header::CACHE_CONTROL, HeaderValue::from_static(value)))
                .collect();
            assert_eq!(
                max_age(&headers),
                expected.map(Duration::from_secs),
                "{values:?}"
            );
        }
    }
}
