//! What pages know of where they are: all of it from the issuer identifier, nothing from a request.

use std::net::IpAddr;

use grantor::types::Issuer;
use url::{Host, Url};

/// Where the pages are.
#[derive(Clone, Debug)]
pub struct Site {
    issuer: Issuer,
    /// Where forms come from, and links go to.
    origin: String,
    host: String,
    cookie: &'static str,
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
            origin: issuer.origin().to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            cookie: "grantor",
            is_https: url.scheme() == "https",
            is_loopback,
        }
    }

    /// That of the console: at this origin if it has a listener of its own, and with a cookie of its
    /// own, which a path could not tell apart (DC9).
    pub fn of_console(issuer: &Issuer, origin: Option<&str>) -> Self {
        let site = Self {
            cookie: "grantor-console",
            ..Self::of(issuer)
        };
        let Some(origin) = origin else {
            return site;
        };
        let url = Url::parse(origin).expect("a configured origin is a URL");
        Self {
            origin: origin.to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            is_https: url.scheme() == "https",
            ..site
        }
    }

    /// The origin, such as `https://as.example`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The URL of a page.
    pub fn url(&self, page: &str) -> String {
        format!("{}{}", self.origin, self.path(page))
    }

    /// The host of the origin.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path of a page.
    pub fn path(&self, page: &str) -> String {
        self.issuer.endpoint_path(page)
    }

    /// The name of the cookie by which a browser is known. Browsers take `__Host-` by TLS only (DC9).
    pub fn cookie(&self) -> String {
        match self.is_https {
            true => format!("__Host-{}", self.cookie),
            false => self.cookie.to_owned(),
        }
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
