//! A page as an answer: from a template that escapes, under the headers that every page has (M160).

use askama::Template;
use grantor::server::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use percent_encoding::{CONTROLS, utf8_percent_encode};

use super::{Language, Look, Site, assets, look::choosing, words::Words};

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// What stands around each page.
#[derive(Clone, Debug)]
pub struct Frame {
    pub style: String,
    pub script: String,
    pub icon: String,
    pub host: String,
    /// Where the page's form goes.
    pub action: String,
    pub look: Look,
    /// This page in the other language, and in the other theme.
    pub other_language: String,
    pub light: String,
    pub dark: String,
}

impl Frame {
    /// Of a page that was asked for by this URI, and whose form goes to this path below the issuer.
    ///
    /// `kept` is what of its query the same page is asked for with in another language.
    pub fn new(site: &Site, headers: &HeaderMap, uri: &Uri, kept: &str, action: &str) -> Self {
        let look = Look::of(headers, uri.query().unwrap_or_default());
        let choosing = |name, value| choosing(uri.path(), kept, name, value);
        Self {
            style: site.path(assets::STYLE.path()),
            script: site.path(assets::SCRIPT.path()),
            icon: site.path(assets::ICON.path()),
            host: site.host().to_owned(),
            action: site.path(action),
            look,
            other_language: choosing("lang", look.language.other().tag()),
            light: choosing("theme", "light"),
            dark: choosing("theme", "dark"),
        }
    }

    /// The language.
    pub fn language(&self) -> Language {
        self.look.language
    }

    /// What pages share.
    pub fn words(&self) -> Words {
        Words(self.look.language)
    }
}

/// A page. It says 200 until [`Answer::refusing`] says something else.
pub fn page(template: &impl Template) -> Response<Body> {
    let html = template.render().expect("a template of text renders");
    let mut response = page_of(Body::from(html));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// An answer of this body, under the headers of a page, which no cache keeps.
pub fn page_of(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    guard(headers);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A file, which is saved under this name.
pub fn file(name: &str, media_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    guard(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_DISPOSITION, attachment(name));
    response
}

/// Longest name of a file.
const LONGEST_NAME: usize = 100;

/// What is left of a name that is safe in a header, in every file system and in a shell.
pub fn safe_name(name: &str) -> String {
    let is_plain = |each: char| each.is_ascii_alphanumeric() || "-_.".contains(each);
    let plain = name
        .chars()
        .map(|each| if is_plain(each) { each } else { '_' });
    let plain: String = plain.collect();
    let plain = plain.trim_start_matches(['.', '-']);
    // The end, as what it is stands there.
    plain[plain.len().saturating_sub(LONGEST_NAME)..].to_owned()
}

/// One header, whatever the name (MA46).
fn attachment(name: &str) -> HeaderValue {
    let value = format!("attachment; filename=\"{}\"", safe_name(name));
    HeaderValue::from_str(&value).expect("such names are header text")
}

/// That a page opened by another origin does not know its opener, nor the opener the page.
pub fn apart(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}

/// The same, with which a browser keeps, or forgets, what it is known by.
pub fn with_cookie(mut response: Response<Body>, cookie: HeaderValue) -> Response<Body> {
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie);
    response
}

/// On to another page of ours.
pub fn see_other(location: &str) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    guard(headers);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::LOCATION, location_of(location));
    response
}

/// A path that a browser sent may have octets in it that no header has (MA46).
fn location_of(path: &str) -> HeaderValue {
    let encoded = utf8_percent_encode(path, CONTROLS).to_string();
    HeaderValue::from_str(&encoded).expect("what is percent-encoded is header text")
}

/// Adds what every page says of itself (M160).
pub fn guard(headers: &mut HeaderMap) {
    let fields = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "publickey-credentials-get=(self), publickey-credentials-create=(self)",
        ),
    ];
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ma46_a_browser_is_led_on_by_one_header_of_ascii() {
        for (path, sent) in [
            (
                "/console/clients?q=a&lang=fr#job",
                "/console/clients?q=a&lang=fr#job",
            ),
            ("/console/clients/\u{e9}", "/console/clients/%C3%A9"),
            (
                "/console?q=a\u{7f}b\r\nX: y\0",
                "/console?q=a%7Fb%0D%0AX: y%00",
            ),
            ("/console?q=%C3%A9", "/console?q=%C3%A9"),
        ] {
            let response = see_other(path);
            assert_eq!(response.headers()[header::LOCATION], sent, "{path}");
        }
    }

    #[test]
    fn ma46_a_file_has_a_name_that_is_safe_in_a_header_and_in_every_file_system() {
        let long = format!("{}.csv", "é".repeat(300));
        let cut = format!("{}.csv", "_".repeat(96));
        for (name, kept) in [
            ("clients-2026-11-27.csv", "clients-2026-11-27.csv"),
            ("a\r\nSet-Cookie: x=y\".json", "a__Set-Cookie__x_y_.json"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("é:/\\.key.json", "____.key.json"),
            (&long, &cut),
        ] {
            let expected = format!("attachment; filename=\"{kept}\"");
            assert_eq!(attachment(name), expected.as_str());
        }
    }
}
