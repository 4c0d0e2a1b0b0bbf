//! Which URLs and addresses are fetched from, where a registration or a stranger's document names
//! the URL: it must not lead into the network of the server that fetches it (RFC 7591 §5).

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use super::{
    FetchError,
    address::{Reach, plain, reach},
    checked_url,
};

/// Which URLs and addresses are fetched from. As it is made, that is global unicast by https.
#[derive(Clone, Debug, Default)]
pub struct Vetting {
    internal: Vec<IpNet>,
    ports: Ports,
}

/// Which ports a URL may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ports {
    /// Any.
    #[default]
    Any,
    /// That of https, 443: for what a client registers for itself.
    Https,
}

/// Why a URL is not fetched. It names addresses of the network, so it is for operators only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Forbidden {
    /// A port that is not allowed.
    #[error("port {0} is not allowed, expected 443")]
    Port(u16),
    /// The host has an address that is not global unicast. That it may have others beside it
    /// changes nothing.
    #[error("{host:?} has the address {address}, which is not public and not allowed")]
    Address {
        /// The host in the URL.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// The host of an http URL has an address that is not a loopback address.
    #[error("{host:?} has the address {address}; expected https, or a loopback address")]
    Clear {
        /// The host in the URL.
        host: String,
        /// Its address.
        address: IpAddr,
    },
}

impl Vetting {
    /// Global unicast by https, at any port.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens exactly the addresses of `network`, http to loopback addresses in it included.
    /// Link-local addresses and the metadata services of clouds stay shut.
    #[must_use]
    pub fn allow_internal(mut self, network: IpNet) -> Self {
        self.internal.push(network);
        self
    }

    /// Sets which ports a URL may name.
    #[must_use]
    pub fn ports(self, ports: Ports) -> Self {
        Self { ports, ..self }
    }

    /// Accepts a URL by what it says, if and only if it is https (http on a loopback host), has no
    /// user, and names a port that is allowed. An address in it is not looked at.
    ///
    /// # Errors
    /// [`FetchError::Url`], [`FetchError::Forbidden`]
    pub fn url(&self, text: &str) -> Result<Url, FetchError> {
        let url = checked_url(text)?;
        match (self.ports, url.port_or_known_default()) {
            (Ports::Https, Some(port)) if port != 443 => Err(Forbidden::Port(port).into()),
            _ => Ok(url),
        }
    }

    /// Accepts an address of the host in `url` if and only if it may be connected to.
    ///
    /// # Errors
    /// [`Forbidden`]
    pub fn address(&self, url: &Url, address: IpAddr) -> Result<(), Forbidden> {
        let host = || url.host_str().unwrap_or_default().to_owned();
        let is_allowed = match reach(address) {
            Reach::Global => true,
            Reach::Internal => self
                .internal
                .iter()
                .any(|network| network.contains(&address) || network.contains(&plain(address))),
            Reach::Shut => false,
        };
        if !is_allowed {
            return Err(Forbidden::Address {
                host: host(),
                address,
            });
        }
        if url.scheme() != "https" && !plain(address).is_loopback() {
            return Err(Forbidden::Clear {
                host: host(),
                address,
            });
        }
        Ok(())
    }
}
