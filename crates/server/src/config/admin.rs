//! Whether `/admin/v1` is served, where, and how often a caller is answered.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
};

use grantor::types::Issuer;
use url::{Host, Url};

use super::{ConfigError, raw, value, value_of};
use crate::http::Proxy;

/// How the admin API is served.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// A listener of its own, where it is not at the server's.
    pub listen: Option<SocketAddr>,
    /// The origin of that listener, as clients reach it; the issuer's if not set.
    pub url: Option<String>,
    /// Requests of one caller in a minute.
    pub requests_per_minute: NonZeroU32,
}

/// It is served where the configuration says so, or where nobody but this machine can ask: the
/// issuer and the listener are loopback, and no proxy passes on what strangers send.
pub fn admin(
    raw: raw::Admin,
    issuer: &Issuer,
    listen: SocketAddr,
    proxy: &Proxy,
) -> Result<Option<AdminConfig>, ConfigError> {
    let requests_per_minute = NonZeroU32::new(raw.requests_per_minute)
        .filter(|requests| requests.get() <= 1_000_000)
        .ok_or_else(|| {
            let problem = "is not between 1 and 1000000";
            value_of(
                "admin.requests_per_minute",
                raw.requests_per_minute,
                problem,
            )
        })?;
    if let Some(listen) = raw
        .listen
        .filter(|own| own.port() == listen.port() && own.port() != 0)
    {
        let problem = "is the port of the server itself; choose another, or leave it out and set enabled = true";
        return Err(value_of("admin.listen", listen, problem));
    }
    let url = raw
        .url
        .as_deref()
        .map(|url| origin(url, issuer))
        .transpose()?;
    if url.is_some() && raw.listen.is_none() {
        let problem = "names the origin of a listener of its own, and there is none; add listen under [admin]";
        return Err(value("admin.url", problem));
    }
    let is_local = is_loopback(issuer) && listen.ip().is_loopback() && *proxy == Proxy::Absent;
    let is_served = raw.enabled.unwrap_or(is_local || raw.listen.is_some());
    Ok(is_served.then_some(AdminConfig {
        listen: raw.listen,
        url,
        requests_per_minute,
    }))
}

fn is_loopback(issuer: &Issuer) -> bool {
    let url = Url::parse(issuer.as_str()).expect("an issuer is a URL");
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An origin whose host is the issuer's or below it, so that passkeys of the one fit the other.
fn origin(text: &str, issuer: &Issuer) -> Result<String, ConfigError> {
    let wrong = |problem: &str| value_of("admin.url", text, problem);
    let own = Issuer::parse(text).map_err(|error| wrong(&error.to_string()))?;
    let own = Url::parse(own.as_str()).expect("an issuer is a URL");
    if own.path() != "/" {
        return Err(wrong("is no origin: leave out the path"));
    }
    let of_issuer = Url::parse(issuer.as_str()).expect("an issuer is a URL");
    let (host, parent) = (
        own.host_str().unwrap_or_default(),
        of_issuer.host_str().unwrap_or_default(),
    );
    let is_below = host
        .strip_suffix(parent)
        .is_some_and(|rest| rest.ends_with('.'));
    match host == parent || is_below {
        true => Ok(text.to_owned()),
        false => Err(wrong(&format!(
            "is not on {parent}, the host of the issuer, or below it"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Chain;

    fn read(
        change: impl FnOnce(&mut raw::Admin),
        issuer: &str,
        listen: &str,
        proxy: &Proxy,
    ) -> Result<Option<AdminConfig>, ConfigError> {
        let mut raw = raw::Admin::default();
        change(&mut raw);
        let issuer = Issuer::parse(issuer).expect("an issuer");
        admin(raw, &issuer, listen.parse().expect("an address"), proxy)
    }

    #[test]
    fn m002_it_is_served_where_nobody_but_this_machine_can_ask() {
        let (local, outside) = ("http://127.0.0.1:8080", "https://as.example");
        let proxy = Proxy::InFront(Chain::one());
        for (issuer, listen, proxy, is_served) in [
            (local, "127.0.0.1:8080", &Proxy::Absent, true),
            (outside, "127.0.0.1:8080", &Proxy::Absent, false),
            (local, "0.0.0.0:8080", &Proxy::Absent, false),
            (local, "127.0.0.1:8080", &proxy, false),
        ] {
            let config = read(|_| {}, issuer, listen, proxy).expect("usable");
            assert_eq!(config.is_some(), is_served, "{issuer} {listen} {proxy:?}");
            let on = read(|raw| raw.enabled = Some(true), issuer, listen, proxy);
            assert!(on.expect("usable").is_some());
            let off = read(|raw| raw.enabled = Some(false), issuer, listen, proxy);
            assert!(off.expect("usable").is_none());
        }
    }

    #[test]
    fn m002_a_listener_of_its_own_has_another_port_and_a_host_of_the_issuer() {
        let at = |listen: &str, url: Option<&str>| {
            let set = |raw: &mut raw::Admin| {
                raw.listen = Some(listen.parse().expect("an address"));
                raw.url = url.map(str::to_owned);
            };
            read(set, "https://as.example", "0.0.0.0:443", &Proxy::Absent)
        };
        for good in [
            None,
            Some("https://as.example:8443"),
            Some("https://admin.as.example"),
        ] {
            let config = at("10.0.0.1:8443", good).expect("usable").expect("served");
            assert_eq!(config.url.as_deref(), good);
        }
        for bad in [
            "https://other.example",
            "https://evilas.example",
            "https://as.example/x",
            "http://as.example",
        ] {
            assert!(at("10.0.0.1:8443", Some(bad)).is_err(), "{bad}");
        }
        assert!(at("10.0.0.1:443", None).is_err());
        let without = |raw: &mut raw::Admin| raw.url = Some("https://as.example".to_owned());
        assert!(read(without, "https://as.example", "0.0.0.0:443", &Proxy::Absent).is_err());
    }
}
