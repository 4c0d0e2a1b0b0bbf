//! Which addresses may be reached where a stranger says so: the table of RFC 6890 and of the IANA
//! registries for special-purpose addresses. What is not known to be global unicast is not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Who is at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Global unicast, which the whole internet reaches.
    Global,
    /// Private, local, reserved, or for documentation: only where it is allowed.
    Internal,
    /// Link-local, or where a cloud gives its machines their credentials: never.
    Shut,
}

/// IPv4 blocks that are not global unicast.
const SPECIAL_V4: [Ipv4Net; 18] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    // AS112, and automatic multicast tunnels: they lead to no issuer.
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([192, 175, 48, 0], 24),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// All IPv6 that is global unicast,
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// but for these: protocols (Teredo and ORCHID among them), documentation (RFC 3849, RFC 9637), 6to4,
/// AS112.
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// Link-local, and where clouds serve metadata and credentials outside of it.
const SHUT: [IpNet; 8] = [
    IpNet::V4(v4([169, 254, 0, 0], 16)),
    IpNet::V6(v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10)),
    // Alibaba Cloud, Azure (a public address), Oracle Cloud.
    IpNet::V4(v4([100, 100, 100, 200], 32)),
    IpNet::V4(v4([168, 63, 129, 16], 32)),
    IpNet::V4(v4([192, 0, 0, 192], 32)),
    // AWS, Google Cloud, Scaleway.
    IpNet::V6(v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32)),
    IpNet::V6(v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128)),
    IpNet::V6(v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128)),
];

/// IPv6 that is one IPv4 address in another notation: compatible, mapped (RFC 4291 §2.5.5), and
/// NAT64 with the well-known prefix (RFC 6052 §2.1), by which a network without IPv4 reaches all of it.
const NOTATIONS: [Ipv6Net; 3] = [
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
];

const TRANSLATED: Ipv6Net = v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96);
const LOCAL_NAT64: Ipv6Net = v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48);
const TEREDO: Ipv6Net = v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), length)
}

/// Who is at `address`. One that is written as another is judged as that other.
pub(super) fn reach(address: IpAddr) -> Reach {
    let judged = plain(address);
    let is_shut = |address: &IpAddr| SHUT.iter().any(|network| network.contains(address));
    if is_shut(&judged) || carried(address).any(|inner| is_shut(&IpAddr::V4(inner))) {
        return Reach::Shut;
    }
    let is_global = match judged {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address)
                && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    };
    match is_global {
        true => Reach::Global,
        false => Reach::Internal,
    }
}

/// The IPv4 address, where an IPv6 address is that in another notation.
pub(super) fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if NOTATIONS.iter().any(|network| network.contains(&v6)) => {
            IpAddr::V4(low(v6))
        }
        other => other,
    }
}

/// The IPv4 addresses that something on the way may make of an address that is none in another
/// notation: translators and tunnels.
fn carried(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    let mut found = [None; 4];
    if let IpAddr::V6(v6) = address {
        let o = v6.octets();
        let at =
            |a: usize, b: usize, c: usize, d: usize| Some(Ipv4Addr::new(o[a], o[b], o[c], o[d]));
        if TRANSLATED.contains(&v6) {
            found[0] = Some(low(v6));
        } else if LOCAL_NAT64.contains(&v6) {
            // RFC 6052 §2.2: prefixes of 48, 56, 64 and 96 bits, with octet 8 left out.
            found = [
                at(6, 7, 9, 10),
                at(7, 9, 10, 11),
                at(9, 10, 11, 12),
                Some(low(v6)),
            ];
        } else if TEREDO.contains(&v6) {
            // RFC 4380 §4: the server, and the client with its bits turned.
            found = [at(4, 5, 6, 7), Some(!low(v6)), None, None];
        } else if SIX_TO_FOUR.contains(&v6) {
            found[0] = at(2, 3, 4, 5);
        }
    }
    found.into_iter().flatten()
}

fn low(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(expected: Reach, addresses: &[&str]) {
        for address in addresses {
            let parsed = address.parse().expect("an address");
            assert_eq!(reach(parsed), expected, "{address}");
        }
    }

    #[test]
    fn global_unicast_is_global() {
        all(
            Reach::Global,
            &[
                "1.1.1.1",
                "8.8.8.8",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.0",
                "192.167.255.255",
                "192.169.0.0",
                "198.17.255.255",
                "198.20.0.0",
                "223.255.255.255",
                "168.63.129.15",
                "2001:200::1",
                "2606:4700:4700::1111",
                "2a00:1450::1",
                "3fff:1000::1",
                // In another notation.
                "::ffff:8.8.8.8",
                "64:ff9b::8.8.8.8",
            ],
        );
    }

    #[test]
    fn what_is_not_global_unicast_is_internal() {
        all(
            Reach::Internal,
            &[
                "0.0.0.0",
                "0.255.255.255",
                "10.0.0.1",
                "10.255.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "127.0.0.1",
                "127.255.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.0.0.0",
                "192.0.0.255",
                "192.0.2.1",
                "192.31.196.1",
                "192.52.193.1",
                "192.88.99.1",
                "192.168.0.0",
                "192.168.255.255",
                "192.175.48.1",
                "198.18.0.0",
                "198.19.255.255",
                "198.51.100.1",
                "203.0.113.1",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.0",
                "255.255.255.255",
                "::",
                "::1",
                "::7f00:1",
                "::10.0.0.1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "::ffff:0:127.0.0.1",
                "::ffff:0:8.8.8.8",
                "64:ff9b::10.0.0.1",
                "64:ff9b::7f00:1",
                "64:ff9b:1::8.8.8.8",
                "100::1",
                "1fff:ffff::1",
                "2001::1",
                "2001:1ff:ffff::1",
                "2001:db8::1",
                "2002:808:808::1",
                "2002:7f00:1::1",
                "2620:4f:8000::1",
                "3fff::1",
                "3fff:fff:ffff::1",
                "4000::1",
                "5f00::1",
                "fc00::1",
                "fd12:3456::1",
                "fec0::1",
                "ff02::1",
                "ff0e::1",
            ],
        );
    }

    /// One address in 65,521, so that every block of the table is met.
    #[test]
    fn an_address_in_another_notation_is_judged_alike() {
        for bits in (0..=u32::MAX).step_by(65_521) {
            let address = Ipv4Addr::from_bits(bits);
            let nat64 = 0x0064_ff9b_u128 << 96 | u128::from(bits);
            let notations = [
                address.to_ipv6_mapped(),
                address.to_ipv6_compatible(),
                Ipv6Addr::from_bits(nat64),
            ];
            for notation in notations {
                let expected = reach(address.into());
                assert_eq!(reach(notation.into()), expected, "{notation} {address}");
            }
        }
    }

    #[test]
    fn link_local_and_the_metadata_of_clouds_are_shut_in_every_notation() {
        all(
            Reach::Shut,
            &[
                "169.254.0.0",
                "169.254.169.254",
                "169.254.170.2",
                "169.254.255.255",
                "fe80::1",
                "febf:ffff::1",
                "100.100.100.200",
                "168.63.129.16",
                "192.0.0.192",
                "fd00:ec2::254",
                "fd00:ec2::23",
                "fd20:ce::254",
                "fd00:42::42",
                "::169.254.169.254",
                "::ffff:169.254.169.254",
                "::ffff:168.63.129.16",
                "::ffff:0:169.254.169.254",
                "64:ff9b::169.254.169.254",
                // A translator of the network's own, by each length of its prefix.
                "64:ff9b:1::169.254.169.254",
                "64:ff9b:1:a9fe:a9:fe00::",
                "64:ff9b:1:a9:fe:a9fe::",
                "64:ff9b:1:0:a9:fea9:fe00::",
                // Teredo by server, and by client; 6to4.
                "2001:0:a9fe:a9fe::1",
                "2001:0:808:808:0:0:5601:5601",
                "2002:a9fe:a9fe::1",
            ],
        );
    }
}
