//! Asking other servers: outgoing HTTP behind the trait [`Fetch`], documents and how long they are
//! used, the metadata of authorization servers (RFC 8414) and key sets (RFC 7517). All roles stand on
//! it.
//!
//! What a program configures is asked wherever it is, in private networks too. A URL that a
//! registration or a stranger's document names is fetched by [`VettedFetch`], which looks at each
//! address before it connects: the server has one for each issuer and client, from [`Outgoing`]. The
//! other roles take one too (`fetch` of their builders): then the server
//! that they are configured with, and what its metadata names, has to be at a vetted address.
//!
//! ```
//! use grantor::remote::{KEY_SET, VettedFetch, Vetting};
//! # use grantor::remote::{Connect, FetchError, SystemResolver};
//! # struct Never;
//! # #[async_trait::async_trait]
//! # impl Connect for Never {
//! #     async fn send(
//! #         &self, _: http::Request<bytes::Bytes>, _: &[std::net::SocketAddr], _: usize,
//! #     ) -> Result<http::Response<bytes::Bytes>, FetchError> {
//! #         unreachable!("nothing is connected")
//! #     }
//! # }
//! # let connector = std::sync::Arc::new(Never);
//! # let resolver = std::sync::Arc::new(SystemResolver);
//!
//! let vetting = Vetting::new().allow_internal("10.20.0.0/16".parse()?);
//! // With the feature `reqwest`: VettedFetch::direct(vetting)
//! let fetch = VettedFetch::new(vetting, resolver, connector);
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let refused = KEY_SET.get(&fetch, "https://169.254.169.254/latest/meta-data").await;
//! assert!(refused.is_err_and(|error| error.to_string().contains("169.254.169.254")));
//! assert_eq!(fetch.refused(), 1);
//! # });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod discovery;
mod document;
mod fetch;
#[cfg(any(feature = "server", feature = "client", feature = "resource"))]
pub(crate) mod flight;
#[cfg(feature = "reqwest")]
mod http_fetch;
#[cfg(any(feature = "server", feature = "resource"))]
pub(crate) mod key_set;
mod metadata;
mod obstacle;
mod outgoing;
#[cfg(feature = "reqwest")]
mod pinned;
#[cfg(any(feature = "client", feature = "resource"))]
pub(crate) mod place;
#[cfg(any(feature = "server", feature = "client", feature = "resource"))]
#[cfg_attr(
    not(all(feature = "server", feature = "client", feature = "resource")),
    allow(dead_code, reason = "each role needs a part of it")
)]
pub(crate) mod refreshing;
#[cfg(feature = "server")]
mod spiffe;
mod vetted_fetch;
mod vetting;

#[cfg(feature = "server")]
pub(crate) use discovery::Whereabouts;
pub use discovery::{DiscoveryError, well_known};
pub use document::{DocumentError, DocumentKind, KEY_SET, METADATA};
#[cfg(any(feature = "client", feature = "resource"))]
pub(crate) use fetch::given_or_brought;
pub use fetch::{Fetch, FetchError, TIMEOUT, checked_url};
#[cfg(feature = "reqwest")]
pub use http_fetch::HttpFetch;
#[cfg(any(feature = "server", feature = "resource"))]
pub use key_set::{FirstSkipped, KeySetError};
pub use metadata::{EndpointError, ServerMetadata, endpoint_url};
pub use obstacle::Obstacle;
pub use outgoing::{BearerFile, FetchCounts, FetchTerms, Outgoing};
pub use vetted_fetch::{Connect, Resolve, SystemResolver, VettedFetch};
pub use vetting::{Forbidden, Ports, Vetting};
