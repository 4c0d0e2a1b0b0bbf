//! The cookie by which a browser is known again: 256 random bits, before and after sign-in.

use grantor::jose::{base64url_decode, base64url_encode, crypto::random_bytes};
use http::{HeaderMap, HeaderValue, header};

use super::Site;

/// Octets of a browser's secret.
const LENGTH: usize = 32;

/// What a browser is known by: a text that nobody can guess. It opens nothing by itself; a session
/// may be kept under it.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserSecret(String);

impl BrowserSecret {
    /// A new one.
    pub fn random() -> Self {
        Self(base64url_encode(random_bytes::<LENGTH>()))
    }

    /// The one that a browser sent. Two cookies of the name are none: one of them is somebody
    /// else's.
    pub fn sent(site: &Site, headers: &HeaderMap) -> Option<Self> {
        let name = site.cookie();
        let mut values = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| value);
        let (value, None) = (values.next()?, values.next()) else {
            return None;
        };
        let is_ours = base64url_decode(value).is_some_and(|octets| octets.len() == LENGTH);
        is_ours.then(|| Self(value.to_owned()))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// As a browser is told it: until it is closed.
    pub fn set(&self, site: &Site) -> HeaderValue {
        cookie(site, &self.0, "")
    }

    /// As a browser is told to forget it.
    pub fn forget(site: &Site) -> HeaderValue {
        cookie(site, "", "; Max-Age=0")
    }
}

fn cookie(site: &Site, value: &str, more: &str) -> HeaderValue {
    let secure = if site.takes_secure_cookies() {
        "; Secure"
    } else {
        ""
    };
    let name = site.cookie();
    HeaderValue::from_str(&format!(
        "{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}"
    ))
    .expect("base64url is header text")
}

#[cfg(test)]
mod tests {
    use grantor::types::Issuer;

    use super::*;

    fn site(issuer: &str) -> Site {
        Site::of(&Issuer::parse(issuer).expect("an issuer"))
    }

    fn sent(site: &Site, cookies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            let value = HeaderValue::from_str(cookie).expect("header text");
            headers.append(header::COOKIE, value);
        }
        BrowserSecret::sent(site, &headers).map(|secret| secret.0)
    }

    #[test]
    fn c098_a_cookie_is_for_us_alone_and_comes_back() {
        let secret = BrowserSecret::random();
        let text = secret.expose();
        let (https, http) = (site("https://as.example"), site("http://127.0.0.1:8080"));
        let expected = format!("__Host-grantor={text}; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(secret.set(&https), expected.as_str());
        let expected = format!("grantor={text}; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(secret.set(&http), expected.as_str());
        let host = format!("a=b; __Host-grantor={text}; c=d");
        assert_eq!(sent(&https, &[&host]).as_deref(), Some(text));
        assert_eq!(sent(&https, &["a=b", &host]).as_deref(), Some(text));
        // A cookie of the weaker name is nobody's by TLS.
        assert_eq!(sent(&https, &[&format!("grantor={text}")]), None);
        assert_eq!(
            sent(&http, &[&format!("grantor={text}")]).as_deref(),
            Some(text)
        );
        let twice = format!("grantor={text}; grantor={text}");
        assert_eq!(sent(&http, &[&twice]), None);
        for bad in [
            "grantor=",
            "grantor=abc",
            &format!("grantor={text}A"),
            "grantor",
        ] {
            assert_eq!(sent(&http, &[bad]), None, "{bad}");
        }
    }
}
