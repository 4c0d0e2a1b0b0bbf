//! The documents of the authorization server as [`Refreshing`](super::refreshing) loads them: its
//! metadata, and its keys.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use grantor_jose::{JwkSet, SkippedKey};
use http::{HeaderMap, Request, StatusCode, header};
use url::Url;

use super::{
    SourceError,
    key_set::KeySet,
    refreshing::{Load, Loaded, Refreshing},
};
use crate::remote::{Fetch, FetchError, ServerMetadata};

/// Largest key set read, in octets: a hundred RSA keys with certificate chains.
pub(super) const MAX_KEY_SET_BYTES: usize = 256 * 1024;

/// The metadata of an issuer (RFC 8414).
pub(super) struct MetadataSource {
    pub(super) issuer: String,
    pub(super) fetch: Arc<dyn Fetch>,
}

#[async_trait]
impl Load for MetadataSource {
    type Document = ServerMetadata;

    async fn load(
        &self,
        _: Option<&Arc<ServerMetadata>>,
    ) -> Result<Loaded<ServerMetadata>, SourceError> {
        let document = ServerMetadata::discover(&*self.fetch, &self.issuer).await?;
        Ok(Loaded {
            document: Arc::new(document),
            max_age: None,
        })
    }
}

/// An endpoint whose URL is configured, or stands in the metadata.
pub(super) enum Endpoint {
    Configured(Url),
    Discovered(Arc<Refreshing<MetadataSource>>),
}

impl Endpoint {
    /// Its URL; `named` picks it from the metadata, where it is called `member`.
    pub(super) async fn url(
        &self,
        member: &'static str,
        named: fn(&ServerMetadata) -> Option<&Url>,
    ) -> Result<Url, Arc<SourceError>> {
        match self {
            Self::Configured(url) => Ok(url.clone()),
            Self::Discovered(metadata) => {
                let metadata = metadata.get().await?;
                let missing = || SourceError::NotInMetadata {
                    issuer: metadata.issuer.clone(),
                    member,
                };
                Ok(named(&metadata).ok_or_else(missing)?.clone())
            }
        }
    }
}

/// The keys behind a `jwks_uri` (RFC 7517 §5).
pub(super) struct KeySource {
    pub(super) place: Endpoint,
    pub(super) fetch: Arc<dyn Fetch>,
}

#[async_trait]
impl Load for KeySource {
    type Document = KeySet;

    async fn load(&self, previous: Option<&Arc<KeySet>>) -> Result<Loaded<KeySet>, SourceError> {
        let url = self
            .place
            .url("jwks_uri", |metadata| metadata.jwks_uri.as_ref())
            .await
            .map_err(SourceError::Metadata)?;
        let answer = get(&*self.fetch, &url).await?;
        let set = JwkSet::parse(answer.body()).map_err(|error| SourceError::Keys {
            url: url.to_string(),
            error,
        })?;
        for SkippedKey {
            index,
            key_id,
            reason,
            ..
        } in set
            .skipped
            .iter()
            .filter(|skipped| !skipped.is_for_others())
        {
            tracing::warn!(%url, index, kid = key_id, %reason, "a key of the issuer's set cannot be used");
        }
        Ok(Loaded {
            document: KeySet::replacing(previous, set),
            max_age: max_age(answer.headers()),
        })
    }
}

async fn get(fetch: &dyn Fetch, url: &Url) -> Result<http::Response<Bytes>, SourceError> {
    let failed = |error| SourceError::Fetch {
        url: url.to_string(),
        error,
    };
    let request = Request::get(url.as_str())
        .header(header::ACCEPT, "application/jwk-set+json, application/json");
    let request = request
        .body(Bytes::new())
        .map_err(|_| failed(FetchError::Url(url.to_string())))?;
    let answer = fetch
        .fetch(request, MAX_KEY_SET_BYTES)
        .await
        .map_err(failed)?;
    match answer.status() {
        StatusCode::OK => Ok(answer),
        status => Err(SourceError::Status {
            url: url.to_string(),
            status,
        }),
    }
}

/// How long the answer may be used (RFC 9111 §5.2.2): zero if it says that it may not. `Expires` is
/// not read: a server's clock is no measure of ours, and the configured maximum bounds its absence.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
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

#[cfg(test)]
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
