//! Where an endpoint or a document of a server is: at a URL that is configured, or that stands in the
//! server's metadata, which is kept fresh.

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use super::{
    DiscoveryError, Fetch, ServerMetadata,
    refreshing::{Load, LoadError, Loaded, Refreshing},
};

/// Loads the metadata of an issuer (RFC 8414).
pub(crate) struct MetadataSource {
    pub(crate) issuer: String,
    pub(crate) fetch: Arc<dyn Fetch>,
}

#[async_trait]
impl Load for MetadataSource {
    type Document = ServerMetadata;
    type Error = DiscoveryError;

    async fn load(
        &self,
        _: Option<&Arc<ServerMetadata>>,
    ) -> Result<Loaded<ServerMetadata>, DiscoveryError> {
        let document = ServerMetadata::discover(&*self.fetch, &self.issuer).await?;
        Ok(Loaded {
            document: Arc::new(document),
            max_age: None,
        })
    }
}

impl LoadError for DiscoveryError {
    fn timed_out() -> Self {
        Self::TimedOut
    }

    fn is_transient(&self) -> bool {
        Self::is_transient(self)
    }
}

/// Where an endpoint or a document of a server is.
pub(crate) enum Place {
    Configured(Url),
    Discovered(Arc<Refreshing<MetadataSource>>),
}

impl Place {
    /// Its URL; `named` picks it from the metadata, where it is called `member`.
    pub(crate) async fn url(
        &self,
        member: &'static str,
        named: fn(&ServerMetadata) -> Option<&Url>,
    ) -> Result<Url, Arc<DiscoveryError>> {
        match self {
            Self::Configured(url) => Ok(url.clone()),
            Self::Discovered(metadata) => {
                let metadata = metadata.get().await?;
                let missing = || DiscoveryError::NotInMetadata {
                    issuer: metadata.issuer.clone(),
                    member,
                };
                Ok(named(&metadata).ok_or_else(missing)?.clone())
            }
        }
    }
}
