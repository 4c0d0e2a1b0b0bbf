//! Asking other servers: outgoing HTTP behind the trait [`Fetch`], documents and how long they are
//! used, the metadata of authorization servers (RFC 8414) and key sets (RFC 7517). The client and the
//! resource role stand on it.

#[cfg(any(feature = "client", feature = "resource"))]
pub(crate) mod basic;
mod discovery;
mod document;
#[cfg(any(feature = "client", feature = "resource"))]
pub(crate) mod endpoint;
mod fetch;
#[cfg(any(feature = "client", feature = "resource"))]
pub(crate) mod flight;
#[cfg(feature = "reqwest")]
mod http_fetch;
#[cfg(feature = "resource")]
pub(crate) mod key_set;
mod metadata;
mod obstacle;
#[cfg(any(feature = "client", feature = "resource"))]
#[cfg_attr(
    not(feature = "resource"),
    expect(dead_code, reason = "only keys are asked for before their time")
)]
pub(crate) mod refreshing;

pub use discovery::{DiscoveryError, well_known};
pub use document::{DocumentError, DocumentKind, KEY_SET, METADATA};
#[cfg(any(feature = "client", feature = "resource"))]
pub(crate) use fetch::default_fetch;
pub use fetch::{Fetch, FetchError, TIMEOUT, checked_url};
#[cfg(feature = "reqwest")]
pub use http_fetch::HttpFetch;
#[cfg(feature = "resource")]
pub use key_set::KeySetError;
pub use metadata::{EndpointError, ServerMetadata, endpoint_url};
pub use obstacle::Obstacle;
