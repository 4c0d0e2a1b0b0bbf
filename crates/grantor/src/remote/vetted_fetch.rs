//! Fetching what a registration or a stranger's document names: from addresses that were vetted, and
//! from no others.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use tokio::time::timeout;
use url::{Host, Url};

use super::{Fetch, FetchError, Vetting};

/// How long a vetted fetch takes at most, resolution of the name included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Finds the addresses of a host.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`, of both families (A and AAAA).
    ///
    /// # Errors
    /// There is no such host, or it cannot be told.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let host = host.to_owned();
        let found = tokio::task::spawn_blocking(move || (host, 0).to_socket_addrs());
        let found = found.await.map_err(io::Error::other)??;
        Ok(found.map(|found| found.ip()).collect())
    }
}

/// Sends a request to addresses that were vetted.
#[async_trait]
pub trait Connect: Send + Sync + 'static {
    /// Connects to one of `addresses` and to no other, whatever the URL's name resolves to; sends
    /// `request`, with TLS and `Host` by the name in its URL; and reads an answer of at most `limit`
    /// octets. As [`Fetch::fetch`] else: no redirect is followed. Neither a proxy nor compression
    /// is used, and a connection is kept for 60 s at most.
    ///
    /// # Errors
    /// [`FetchError`]
    async fn send(
        &self,
        request: Request<Bytes>,
        addresses: &[SocketAddr],
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError>;

    /// The same, which trusts the certificate authorities in this PEM text, beside those that it
    /// trusts anyway.
    ///
    /// # Errors
    /// [`FetchError::Authorities`] if there are none in it, or if this cannot be done.
    fn trusting(&self, authorities: &str) -> Result<Arc<dyn Connect>, FetchError> {
        let _ = authorities;
        Err(FetchError::Authorities(
            "this connector trusts no others than those of the system".to_owned(),
        ))
    }
}

/// Fetches URLs that registrations or strangers' documents name, from addresses that were vetted and
/// no others.
///
/// The host's name is resolved once. If any of its addresses is forbidden, nothing is connected; else
/// the connection goes to these addresses, so that a name which is another address a moment later
/// (DNS rebinding) changes nothing. Proxies of the environment are not used.
pub struct VettedFetch {
    vetting: Vetting,
    way: Way,
    refused: AtomicU64,
}

enum Way {
    Direct {
        resolver: Arc<dyn Resolve>,
        connector: Arc<dyn Connect>,
    },
    /// It resolves names, and guards where they lead.
    Proxy(Arc<dyn Fetch>),
}

impl VettedFetch {
    /// Resolves and connects by these.
    pub fn new(vetting: Vetting, resolver: Arc<dyn Resolve>, connector: Arc<dyn Connect>) -> Self {
        let way = Way::Direct {
            resolver,
            connector,
        };
        Self::by(vetting, way)
    }

    /// Resolves by the operating system, and connects by reqwest.
    #[cfg(feature = "reqwest")]
    pub fn direct(vetting: Vetting) -> Self {
        Self::new(
            vetting,
            Arc::new(SystemResolver),
            Arc::new(super::pinned::PinnedHttp::default()),
        )
    }

    /// Sends everything through a proxy, a [`Fetch`] that is known to use one. The proxy resolves
    /// names, so it has to guard where they lead; URLs and the addresses in them are vetted here.
    pub fn through(vetting: Vetting, proxy: Arc<dyn Fetch>) -> Self {
        Self::by(vetting, Way::Proxy(proxy))
    }

    fn by(vetting: Vetting, way: Way) -> Self {
        Self {
            vetting,
            way,
            refused: AtomicU64::new(0),
        }
    }

    /// How many fetches were refused since this was made, for their URL or for an address: what a
    /// metric shows. A server that does not answer is not refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The addresses of the host in `url`, all of which may be connected to.
    async fn addresses(
        &self,
        url: &Url,
        resolver: &dyn Resolve,
    ) -> Result<Vec<SocketAddr>, FetchError> {
        let found = match url.host() {
            Some(Host::Domain(name)) => resolver.resolve(name).await,
            Some(Host::Ipv4(address)) => Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => Ok(vec![address.into()]),
            None => Ok(Vec::new()),
        };
        let found = found.map_err(|error| FetchError::transport(&error))?;
        let port = url.port_or_known_default().unwrap_or_default();
        for address in &found {
            self.vetting.address(url, *address)?;
        }
        if found.is_empty() {
            return Err(FetchError::transport(&io::Error::from(
                io::ErrorKind::HostUnreachable,
            )));
        }
        Ok(found
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect())
    }

    async fn vetted(
        &self,
        mut request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let url = self.vetting.url(&request.uri().to_string())?;
        // As it was vetted, so that no other reader of URLs finds another host in it.
        *request.uri_mut() = url
            .as_str()
            .parse()
            .map_err(|_| FetchError::Url(url.to_string()))?;
        match &self.way {
            Way::Direct {
                resolver,
                connector,
            } => {
                let addresses = self.addresses(&url, &**resolver).await?;
                connector.send(request, &addresses, limit).await
            }
            Way::Proxy(proxy) => {
                if let Some(address) = known_address(&url) {
                    self.vetting.address(&url, address)?;
                }
                proxy.fetch(request, limit).await
            }
        }
    }
}

/// The address of a host that is known without a resolver: one that stands in the URL; and that of
/// the loopback host, the only name that an http URL may have.
fn known_address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => (url.scheme() == "http").then_some(Ipv4Addr::LOCALHOST.into()),
    }
}

#[async_trait]
impl Fetch for VettedFetch {
    async fn fetch(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let answer = timeout(TIMEOUT, self.vetted(request, limit))
            .await
            .unwrap_or(Err(FetchError::TimedOut));
        if let Err(FetchError::Url(_) | FetchError::Forbidden(_)) = answer {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

#[cfg(test)]
mod tests;
