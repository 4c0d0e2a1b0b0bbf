//! Who stands in front, and whose word about senders is taken.

use std::{net::IpAddr, num::NonZeroU8};

use ipnet::IpNet;

use super::{ConfigError, raw, value, value_of};
use crate::http::{Chain, Proxy};

/// `behind_proxy` is the short form: one proxy, whatever its address.
pub fn proxy(behind_one: bool, raw: Option<raw::Proxy>) -> Result<Proxy, ConfigError> {
    let Some(raw) = raw else {
        return Ok(if behind_one {
            Proxy::InFront(Chain::one())
        } else {
            Proxy::Absent
        });
    };
    let trusted = raw.trusted.map(|networks| {
        networks
            .iter()
            .map(|text| network("proxy.trusted", text))
            .collect::<Result<Vec<_>, _>>()
    });
    let trusted = trusted.transpose()?;
    if trusted.as_ref().is_some_and(Vec::is_empty) {
        return Err(value(
            "proxy.trusted",
            "name at least one address or network such as 10.0.0.0/8, or leave it out",
        ));
    }
    let hops = match raw.hops {
        Some(hops) => {
            let none = || {
                value(
                    "proxy.hops",
                    "0 is no proxy; the number of proxies in front, or leave out the section [proxy]",
                )
            };
            Some(NonZeroU8::new(hops).ok_or_else(none)?)
        }
        None if trusted.is_none() => Some(NonZeroU8::MIN),
        None => None,
    };
    Ok(Proxy::InFront(Chain {
        trusted,
        hops,
        header: raw.header,
    }))
}

/// A network, or one address.
pub fn network(key: &'static str, text: &str) -> Result<IpNet, ConfigError> {
    let address = || {
        text.parse()
            .ok()
            .map(|address: IpAddr| IpNet::from(address.to_canonical()))
    };
    let network = text.parse().ok().or_else(address);
    network.ok_or_else(|| value_of(key, text, "is not an address or network such as 10.0.0.0/8"))
}
