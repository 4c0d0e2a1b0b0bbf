//! Where a request comes from: the peer of its connection or, behind a proxy, what the proxy says.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

/// Whether a proxy stands in front, which alone reaches the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// Clients connect by themselves; whatever they say about their address is ignored.
    Absent,
    /// The last entry of `X-Forwarded-For` is the proxy's word; those before it are the client's.
    InFront,
}

/// The network that a sender can be told by: an IPv4 address, or the 64 bits of an IPv6 address that one site holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(IpAddr);

impl Origin {
    /// `None` where senders cannot be told apart: a peer on this machine may be a proxy that nobody told us of, and a proxy may
    /// keep to itself whom it speaks for.
    pub fn of(peer: SocketAddr, proxy: Proxy, headers: &HeaderMap) -> Option<Self> {
        let address = match proxy {
            Proxy::Absent => Some(peer.ip()),
            Proxy::InFront => forwarded(headers),
        };
        address.map(|address| address.to_canonical()).filter(|address| !address.is_loopback()).map(Self::network)
    }

    fn network(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        })
    }
}

/// The last entry of the last `X-Forwarded-For`, with or without a port.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    let bare = last.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(last);
    bare.parse().ok().or_else(|| last.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: &str, proxy: Proxy, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header value"));
        }
        let peer = SocketAddr::new(peer.parse().expect("an address"), 1234);
        Origin::of(peer, proxy, &headers).map(|origin| origin.0.to_string())
    }

    #[test]
    fn only_a_proxy_is_believed_and_only_its_own_entry() {
        for (peer, proxy, forwarded, expected) in [
            ("192.0.2.1", Proxy::Absent, &[][..], Some("192.0.2.1")),
            ("192.0.2.1", Proxy::Absent, &["198.51.100.7"], Some("192.0.2.1")),
            ("192.0.2.1", Proxy::InFront, &["203.0.113.9, 198.51.100.7"], Some("198.51.100.7")),
            ("192.0.2.1", Proxy::InFront, &["203.0.113.9", "198.51.100.7:443"], Some("198.51.100.7")),
            ("127.0.0.1", Proxy::InFront, &["[2001:db8::1:2:3:4]:443"], Some("2001:db8::")),
            ("127.0.0.1", Proxy::InFront, &["2001:db8::1"], Some("2001:db8::")),
            ("::ffff:192.0.2.1", Proxy::Absent, &[], Some("192.0.2.1")),
            ("192.0.2.1", Proxy::InFront, &[], None),
            ("192.0.2.1", Proxy::InFront, &["unknown"], None),
            ("127.0.0.1", Proxy::Absent, &["198.51.100.7"], None),
            ("::1", Proxy::Absent, &[], None),
        ] {
            assert_eq!(origin(peer, proxy, forwarded).as_deref(), expected, "{peer} {proxy:?} {forwarded:?}");
        }
    }
}
