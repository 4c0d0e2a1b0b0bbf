//! What pages know of where they are: all of it from the issuer identifier, nothing from a request.

use std::net::IpAddr;

use grantor::types::Issuer;
use url::{Host, Url};

/// Where the pages are.
#[derive(Clone, Debug)]
pub struct Site {
    issuer: Issuer,
    host: String,
    is_https: bool,
    is_loopback: bool,
}

impl Site {
    /// That of an issuer.
    pub fn of(issuer: &Issuer) -> Self {
        let url = Url::parse(issuer.as_str()).expect("an issuer is a URL");
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        Self {
            issuer: issuer.clone(),
            host: url.host_str().unwrap_or_default().to_owned(),
            is_https: url.scheme() == "https",
            is_loopback,
        }
    }

    /// The issuer's host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path of a page.
    pub fn path(&self, page: &str) -> String {
        self.issuer.endpoint_path(page)
    }

    /// Whether browsers keep a cookie of this site away from everybody who listens (DC9). Without
    /// TLS only a browser on this machine gets one.
    pub fn takes_secure_cookies(&self) -> bool {
        self.is_https
    }

    /// Whether cookies may be given out at all.
    pub fn may_have_cookies(&self) -> bool {
        self.is_https || self.is_loopback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_what_its_issuer_says() {
        let site = |issuer| Site::of(&Issuer::parse(issuer).expect("an issuer"));
        let tenant = site("https://as.example/tenant");
        assert_eq!(tenant.path("signin"), "/tenant/signin");
        for (issuer, secure, cookies) in [
            ("https://as.example", true, true),
            ("http://127.0.0.1:8080", false, true),
            ("http://localhost:8080", false, true),
            ("http://[::1]:8080", false, true),
        ] {
            let site = site(issuer);
            assert_eq!(site.takes_secure_cookies(), secure, "{issuer}");
            assert_eq!(site.may_have_cookies(), cookies, "{issuer}");
        }
    }
}
