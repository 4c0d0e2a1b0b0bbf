//! Where a request comes from: the peer of its connection or, behind proxies, what they say.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU8,
};

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

/// Which proxies stand in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// Clients connect by themselves; whatever they say about their address is ignored.
    Absent,
    /// Only proxies reach the listener, and each appends the address that it was asked from.
    InFront(Chain),
}

/// How the client's entry is found among those of the proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Whose word counts, if not everybody's who reaches the listener. A peer outside of these is
    /// itself the client.
    pub trusted: Option<Vec<IpNet>>,
    /// The client's is this entry from the right. Without it, the first from the right that is not
    /// one of `trusted`.
    pub hops: Option<NonZeroU8>,
    pub header: ForwardedHeader,
}

/// Where proxies write the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// What every common proxy knows: addresses, separated by commas.
    #[default]
    XForwardedFor,
    /// RFC 7239: the parameter `for`.
    Forwarded,
}

/// The network that a sender can be told by: an IPv4 address, or the 64 bits of an IPv6 address
/// that one site holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin(IpAddr);

impl Origin {
    /// `None` where senders cannot be told apart: an address of this machine may be a proxy that
    /// nobody told us of.
    pub fn of(sender: IpAddr) -> Option<Self> {
        (!sender.is_loopback()).then(|| Self::network(sender))
    }

    /// Of the peer of a connection. `None` also for a proxy, which speaks for many.
    pub fn of_peer(peer: SocketAddr, proxy: &Proxy) -> Option<Self> {
        let address = peer.ip().to_canonical();
        if proxy.speaks_for_others(address) {
            None
        } else {
            Self::of(address)
        }
    }

    fn network(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
            }
        })
    }
}

impl Proxy {
    /// The address that sent the request. `None` where a proxy keeps it to itself.
    pub fn sender(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.ip().to_canonical();
        match self {
            Self::InFront(chain) if self.speaks_for_others(peer) => chain.sender(headers),
            _ => Some(peer),
        }
    }

    fn speaks_for_others(&self, peer: IpAddr) -> bool {
        match self {
            Self::Absent => false,
            Self::InFront(chain) => chain.trusted.is_none() || chain.trusts(peer),
        }
    }
}

impl Chain {
    /// One proxy, which alone reaches the listener.
    pub fn one() -> Self {
        Self {
            trusted: None,
            hops: Some(NonZeroU8::MIN),
            header: ForwardedHeader::default(),
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .flatten()
            .any(|network| network.contains(&address))
    }

    /// Entries from the right: each is the word of the proxy that stands right of it. Where there
    /// are fewer than hops, the request came by a shorter way, and the first is the client's.
    fn sender(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let hops = self
            .hops
            .map_or(usize::from(u8::MAX), |hops| hops.get().into());
        let mut sender = None;
        for entry in self.header.entries(headers).into_iter().rev().take(hops) {
            // What cannot be read hides who it is, and what stands left of it is nobody's word.
            sender = Some(self.header.address(&entry)?.to_canonical());
            if self.hops.is_none() && sender.is_some_and(|sender| !self.trusts(sender)) {
                break;
            }
        }
        sender
    }
}

impl ForwardedHeader {
    pub(super) fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Forwarded => header::FORWARDED,
        }
    }

    /// The entries from the left: lines of one name are one list (RFC 9110 §5.3). What a client
    /// wrote in front must not take along what its proxy wrote behind: octets that are no text,
    /// or a quotation mark that is never closed.
    fn entries(self, headers: &HeaderMap) -> Vec<String> {
        let lines = headers
            .get_all(self.name())
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()));
        let entries = |line: &str| match (self, split(line, ',')) {
            (Self::Forwarded, Some(entries)) => entries
                .into_iter()
                .map(|entry| entry.trim().to_owned())
                .collect(),
            _ => line
                .split(',')
                .map(|entry| entry.trim().to_owned())
                .collect::<Vec<_>>(),
        };
        lines.flat_map(|line| entries(&line)).collect()
    }

    fn address(self, entry: &str) -> Option<IpAddr> {
        match self {
            Self::XForwardedFor => node(entry),
            Self::Forwarded => {
                let value = |pair: &str| {
                    let (name, value) = pair.split_once('=')?;
                    name.trim()
                        .eq_ignore_ascii_case("for")
                        .then(|| value.trim().to_owned())
                };
                let value = split(entry, ';')?.into_iter().find_map(value)?;
                node(
                    value
                        .strip_prefix('"')
                        .and_then(|rest| rest.strip_suffix('"'))
                        .unwrap_or(&value),
                )
            }
        }
    }
}

/// The parts between separators, those within quotation marks left alone (RFC 9110 §5.6.4). `None`
/// if a quotation mark is not closed.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = text.split(|each: char| {
        let ends = each == separator && !is_quoted;
        match each {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        ends
    });
    let parts = parts.collect();
    (!is_quoted).then_some(parts)
}

/// An address with or without a port (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse()
        .ok()
        .or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| {
            (
                name.clone(),
                HeaderValue::from_str(value).expect("a header value"),
            )
        });
        values.fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    fn peer(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().expect("an address"), 1234)
    }

    fn chain(trusted: &[&str], hops: u8, header: ForwardedHeader) -> Proxy {
        let trusted: Vec<IpNet> = trusted
            .iter()
            .map(|network| network.parse().expect("a network"))
            .collect();
        Proxy::InFront(Chain {
            trusted: (!trusted.is_empty()).then_some(trusted),
            hops: NonZeroU8::new(hops),
            header,
        })
    }

    fn origin(from: &str, proxy: &Proxy, values: &[&str]) -> Option<String> {
        let header = match proxy {
            Proxy::InFront(chain) => chain.header,
            Proxy::Absent => ForwardedHeader::XForwardedFor,
        };
        let sender = proxy.sender(peer(from), &headers(&header.name(), values));
        sender
            .and_then(Origin::of)
            .map(|origin| origin.0.to_string())
    }

    #[test]
    fn only_a_proxy_is_believed_and_only_its_own_entry() {
        let one = Proxy::InFront(Chain::one());
        for (peer, proxy, forwarded, expected) in [
            ("192.0.2.1", &Proxy::Absent, &[][..], Some("192.0.2.1")),
            (
                "192.0.2.1",
                &Proxy::Absent,
                &["198.51.100.7"],
                Some("192.0.2.1"),
            ),
            (
                "192.0.2.1",
                &one,
                &["203.0.113.9, 198.51.100.7"],
                Some("198.51.100.7"),
            ),
            (
                "192.0.2.1",
                &one,
                &["203.0.113.9", "198.51.100.7:443"],
                Some("198.51.100.7"),
            ),
            (
                "127.0.0.1",
                &one,
                &["[2001:db8::1:2:3:4]:443"],
                Some("2001:db8::"),
            ),
            ("127.0.0.1", &one, &["2001:db8::1"], Some("2001:db8::")),
            ("::ffff:192.0.2.1", &Proxy::Absent, &[], Some("192.0.2.1")),
            (
                "192.0.2.1",
                &one,
                &["\", 198.51.100.7"],
                Some("198.51.100.7"),
            ),
            (
                "192.0.2.1",
                &one,
                &["\u{e9}, 198.51.100.7"],
                Some("198.51.100.7"),
            ),
            ("192.0.2.1", &one, &[], None),
            ("192.0.2.1", &one, &["unknown"], None),
            ("192.0.2.1", &one, &["198.51.100.7, unknown"], None),
            ("127.0.0.1", &Proxy::Absent, &["198.51.100.7"], None),
            ("::1", &Proxy::Absent, &[], None),
        ] {
            assert_eq!(
                origin(peer, proxy, forwarded).as_deref(),
                expected,
                "{peer} {proxy:?} {forwarded:?}"
            );
        }
    }

    #[test]
    fn behind_several_proxies_the_client_is_found_by_networks_or_by_number() {
        use ForwardedHeader::XForwardedFor;
        let networks = chain(
            &["10.0.0.0/8", "127.0.0.1/32", "2001:db8:f::/48"],
            0,
            XForwardedFor,
        );
        let (two, both) = (
            chain(&[], 2, XForwardedFor),
            chain(&["10.0.0.0/8"], 2, XForwardedFor),
        );
        for (peer, proxy, forwarded, expected) in [
            (
                "10.0.0.1",
                &networks,
                &["203.0.113.9, 198.51.100.7, 10.0.0.2"][..],
                Some("198.51.100.7"),
            ),
            (
                "10.0.0.1",
                &networks,
                &["203.0.113.9, 198.51.100.7", "10.1.0.2, 10.0.0.2"],
                Some("198.51.100.7"),
            ),
            (
                "10.0.0.1",
                &networks,
                &["198.51.100.7, 2001:db8:f::2"],
                Some("198.51.100.7"),
            ),
            (
                "127.0.0.1",
                &networks,
                &["198.51.100.7, ::ffff:10.0.0.2"],
                Some("198.51.100.7"),
            ),
            (
                "10.0.0.1",
                &networks,
                &["10.0.0.9, 10.0.0.2"],
                Some("10.0.0.9"),
            ),
            (
                "10.0.0.1",
                &networks,
                &["198.51.100.7, unknown, 10.0.0.2"],
                None,
            ),
            ("10.0.0.1", &networks, &[], None),
            (
                "192.0.2.1",
                &networks,
                &["198.51.100.7, 10.0.0.2"],
                Some("192.0.2.1"),
            ),
            (
                "192.0.2.1",
                &two,
                &["203.0.113.9, 198.51.100.7, 192.0.2.2"],
                Some("198.51.100.7"),
            ),
            ("192.0.2.1", &two, &["198.51.100.7"], Some("198.51.100.7")),
            ("192.0.2.1", &two, &["198.51.100.7, unknown"], None),
            (
                "10.0.0.1",
                &both,
                &["203.0.113.9, 198.51.100.7, 192.0.2.2"],
                Some("198.51.100.7"),
            ),
            (
                "192.0.2.1",
                &both,
                &["203.0.113.9, 198.51.100.7, 192.0.2.2"],
                Some("192.0.2.1"),
            ),
        ] {
            assert_eq!(
                origin(peer, proxy, forwarded).as_deref(),
                expected,
                "{peer} {proxy:?} {forwarded:?}"
            );
        }
    }

    #[test]
    fn the_forwarded_header_is_read_as_rfc_7239_writes_it() {
        let proxy = chain(&["10.0.0.0/8"], 0, ForwardedHeader::Forwarded);
        for (forwarded, expected) in [
            (&["for=198.51.100.7"][..], Some("198.51.100.7")),
            (
                &["For=203.0.113.9, for=198.51.100.7;proto=https;by=10.0.0.1, for=10.0.0.2"],
                Some("198.51.100.7"),
            ),
            (
                &[
                    "for=203.0.113.9",
                    "proto=https; FOR=\"198.51.100.7:4711\"",
                    "for=10.0.0.2",
                ],
                Some("198.51.100.7"),
            ),
            (&["for=\"[2001:db8::1:2:3:4]:443\""], Some("2001:db8::")),
            (
                &["for=\"[2001:db8::1]\";host=\"a,b;for=203.0.113.9\""],
                Some("2001:db8::"),
            ),
            (&["for=\", for=198.51.100.7"], Some("198.51.100.7")),
            (
                &["for=\"\\\", for=198.51.100.7, for=10.0.0.2"],
                Some("198.51.100.7"),
            ),
            (&["for=\", for=\"[2001:db8::1]:443\""], Some("2001:db8::")),
            (&["for=_hidden, for=10.0.0.2"], None),
            (&["for=198.51.100.7, for=unknown"], None),
            (&["proto=https"], None),
            (&["198.51.100.7"], None),
        ] {
            assert_eq!(
                origin("10.0.0.1", &proxy, forwarded).as_deref(),
                expected,
                "{forwarded:?}"
            );
        }
    }

    #[test]
    fn a_proxy_has_no_part_of_the_connections_and_others_have() {
        let trusted = chain(&["10.0.0.0/8"], 0, ForwardedHeader::XForwardedFor);
        for (from, proxy, is_counted) in [
            ("192.0.2.1", &Proxy::Absent, true),
            ("127.0.0.1", &Proxy::Absent, false),
            ("192.0.2.1", &Proxy::InFront(Chain::one()), false),
            ("10.0.0.1", &trusted, false),
            ("192.0.2.1", &trusted, true),
        ] {
            assert_eq!(
                Origin::of_peer(peer(from), proxy).is_some(),
                is_counted,
                "{from} {proxy:?}"
            );
        }
    }
}
