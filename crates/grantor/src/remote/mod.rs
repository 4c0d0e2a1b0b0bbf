//! Asking other servers: outgoing HTTP behind the trait [`Fetch`], and the metadata of
//! authorization servers (RFC 8414). The client and the resource role stand on it.

#[cfg(any(feature = "client", feature = "resource"))]
pub(crate) mod basic;
mod fetch;
mod metadata;
mod obstacle;

pub use fetch::{Fetch, FetchError, HttpFetch, TIMEOUT, checked_url};
pub use metadata::{DiscoveryError, EndpointError, ServerMetadata, endpoint_url, well_known};
pub use obstacle::Obstacle;
