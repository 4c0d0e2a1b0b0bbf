//! The server's metadata: is it there, is it this server's, may credentials be sent where it
//! points, and what time is it there.

use std::time::Duration;

use grantor::{
    clock::{Clock as _, UnixTime},
    jose::json::{self, Object, Value},
    remote::{DocumentError, EndpointError, HttpFetch, METADATA, endpoint_url, well_known},
    types::member,
};
use http::{HeaderMap, StatusCode, header};

use super::{Report, obstacle::remedy, report::Verdict};
use crate::cli::{CLOCK, Failure};

/// How far clocks may be apart: what Grantor allows by default, and others about.
const LEEWAY: Duration = Duration::from_secs(30);

/// What is asked where there is no answer, and nothing says why.
const RUNNING: &str = "Is the server running, and can it be reached from here under this name?";

/// What could be learned.
#[derive(Debug, Default)]
pub struct Metadata {
    issuer: String,
    document: Object,
    /// The document names this issuer: only then may anything be signed on its word.
    pub is_of_issuer: bool,
}

/// What is at one of the two places.
enum Place {
    Document(Object),
    Absent(StatusCode),
    Bad(String),
    /// What is wrong, and what can be done about it.
    Unreachable(String, String),
}

impl Metadata {
    /// Reads it, and says what is wrong with it.
    pub async fn examine(
        fetch: &HttpFetch,
        issuer: &str,
        report: &mut Report,
    ) -> Result<Self, Failure> {
        let places = well_known(issuer).map_err(Failure::usage)?;
        let (first, clock) = read(fetch, &places[0]).await;
        let (second, second_clock) = match &first {
            Place::Unreachable(..) => (Place::Absent(StatusCode::NOT_FOUND), None),
            _ => read(fetch, &places[1]).await,
        };
        let Some(document) = choose(first, second, &places, report) else {
            return Ok(Self::default());
        };
        let is_of_issuer = names(&document, issuer, report);
        endpoints(issuer, &document, report);
        if let Some(difference) = clock.or(second_clock) {
            time(difference, report);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            document,
            is_of_issuer,
        })
    }

    /// The URL of an endpoint, if it is one that clients use.
    pub fn endpoint(&self, name: &str) -> Option<&str> {
        self.text(name)
            .filter(|url| endpoint_url(&self.issuer, url).is_ok())
    }

    /// A text member.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name).and_then(Value::as_str)
    }

    /// A list of names; `None` if the server does not say.
    pub fn names(&self, name: &str) -> Option<Vec<&str>> {
        let names = self.document.get(name)?.as_array()?;
        Some(names.iter().filter_map(Value::as_str).collect())
    }

    /// Whether there is any.
    pub fn is_there(&self) -> bool {
        !self.document.is_empty()
    }
}

/// Fetches one place; answers also by how many seconds its clock is ahead of ours.
async fn read(fetch: &HttpFetch, url: &str) -> (Place, Option<i64>) {
    let before = CLOCK.now();
    let answer = METADATA.get(fetch, url).await;
    let clock = |headers| ahead(headers, before, CLOCK.now());
    match answer {
        Ok(answer) => {
            let place = match json::parse_object(answer.body()) {
                Ok(document) => Place::Document(document),
                Err(error) => Place::Bad(error.to_string()),
            };
            (place, clock(answer.headers()))
        }
        Err(DocumentError::Status { status, headers }) => (Place::Absent(status), clock(&headers)),
        Err(DocumentError::Fetch(error)) => {
            let remedy = remedy(&error, RUNNING);
            (Place::Unreachable(error.to_string(), remedy), None)
        }
        Err(error) => (
            Place::Unreachable(error.to_string(), RUNNING.to_owned()),
            None,
        ),
    }
}

/// The `Date` of an answer (RFC 9110 §6.6.1) against our time, its age in caches added. It has
/// whole seconds, rounded down.
fn ahead(headers: &HeaderMap, before: UnixTime, after: UnixTime) -> Option<i64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let date = jiff::fmt::rfc2822::parse(text(header::DATE)?)
        .ok()?
        .timestamp()
        .as_second();
    let age: i64 = text(header::AGE)
        .and_then(|age| age.parse().ok())
        .unwrap_or(0);
    let there = date.saturating_add(age);
    // Within the time of the exchange nobody is ahead.
    match () {
        () if there < before.seconds() => Some(there.saturating_sub(before.seconds())),
        () if there > after.seconds() => Some(there.saturating_sub(after.seconds())),
        () => Some(0),
    }
}

/// What a place without a document answers, in a few words.
fn said(place: &Place) -> String {
    match place {
        Place::Absent(status) => status.to_string(),
        Place::Bad(why) => format!("200 with what is no metadata ({why})"),
        Place::Document(_) | Place::Unreachable(..) => String::new(),
    }
}

fn choose(
    first: Place,
    second: Place,
    [oauth, openid]: &[String; 2],
    report: &mut Report,
) -> Option<Object> {
    match (first, second) {
        (Place::Document(document), second) => {
            report.ok("metadata", format!("at {oauth} (RFC 8414)"));
            if let Place::Document(other) = second
                && other.get(member::TOKEN_ENDPOINT) != document.get(member::TOKEN_ENDPOINT)
            {
                let message = format!("{oauth} and {openid} name different token endpoints");
                report.wrong(
                    "metadata",
                    message,
                    "Clients read either: let both say the same.",
                );
            }
            Some(document)
        }
        (first @ (Place::Absent(_) | Place::Bad(_)), Place::Document(document)) => {
            let message = format!(
                "only at {openid}, the place of OpenID Connect Discovery; {oauth} answers {}",
                said(&first)
            );
            report.note(
                "metadata",
                message,
                format!("Clients that know RFC 8414 only look at {oauth}: serve it there too."),
            );
            Some(document)
        }
        (Place::Unreachable(why, remedy), _) => {
            report.wrong("metadata", format!("{oauth}: {why}"), remedy);
            None
        }
        (Place::Bad(why), _) => {
            report.wrong(
                "metadata",
                format!("{oauth}: {why}"),
                "The answer has to be one JSON object (RFC 8414 §3.2).",
            );
            None
        }
        (Place::Absent(_), Place::Unreachable(why, remedy)) => {
            report.wrong("metadata", format!("{openid}: {why}"), remedy);
            None
        }
        (Place::Absent(_), Place::Bad(why)) => {
            report.wrong(
                "metadata",
                format!("{openid}: {why}"),
                "The answer has to be one JSON object (RFC 8414 §3.2).",
            );
            None
        }
        (Place::Absent(first), Place::Absent(second)) => {
            let message =
                format!("there is none: {oauth} answers {first}, {openid} answers {second}");
            let remedy = "Is the issuer identifier right, path included? A server without metadata works with a key file that \
                          names its token_endpoint.";
            report.wrong("metadata", message, remedy);
            None
        }
    }
}

/// RFC 8414 §3.3: identical, or the document must not be used.
fn names(document: &Object, issuer: &str, report: &mut Report) -> bool {
    match document.get("issuer") {
        Some(Value::String(got)) if got == issuer => {
            report.ok("issuer", "the metadata names this issuer, to the letter");
            return true;
        }
        Some(Value::String(got)) if got.trim_end_matches('/') == issuer.trim_end_matches('/') => {
            let message = format!(
                "the metadata says {got:?}, which differs from {issuer:?} in the slash at the end"
            );
            report.wrong(
                "issuer",
                message,
                format!("Names are compared to the letter: write {got:?} wherever the server is configured."),
            );
        }
        Some(got) => {
            let remedy = "Nothing that it says may be used (RFC 8414 §3.3), so no token is asked for. If that is the server's name, \
                          configure it everywhere; if not, this is another server's document.";
            report.wrong(
                "issuer",
                format!("the metadata says {got}, expected {issuer:?}"),
                remedy,
            );
        }
        None => {
            let remedy = "The server has to name its issuer identifier there (RFC 8414 §2).";
            report.wrong("issuer", "the metadata has no member 'issuer'", remedy);
        }
    }
    false
}

/// Every URL that a client would send credentials to, or read keys from.
fn endpoints(issuer: &str, document: &Object, report: &mut Report) {
    let urls = document
        .iter()
        .filter(|(name, _)| name.ends_with("_endpoint") || *name == member::JWKS_URI);
    let mut good = Vec::new();
    for (name, url) in urls {
        match url.as_str().map(|url| endpoint_url(issuer, url)) {
            Some(Ok(_)) => good.push(name.as_str()),
            Some(Err(EndpointError::Clear(_))) => {
                let message = format!("{name} is {url}: http, though the issuer has an https URL");
                let remedy = "Clients would send credentials in the clear, or ask a port of their own machine, so they refuse the \
                              whole document: let the server name https URLs (behind a proxy: those that clients use).";
                report.wrong("endpoints", message, remedy);
            }
            Some(Err(_)) => {
                let message = format!("{name} is {url}: neither https nor on this machine");
                let remedy = match name.as_str() {
                    member::JWKS_URI => {
                        "Whoever is on the way can put keys of their own there: serve it by https."
                    }
                    _ => {
                        "Tokens and credentials would travel where everybody on the way can read them: serve it by https."
                    }
                };
                report.wrong("endpoints", message, remedy);
            }
            None => report.wrong(
                "endpoints",
                format!("{name} is {url}"),
                "It has to be a URL, as a string.",
            ),
        }
    }
    if !document.contains_key(member::TOKEN_ENDPOINT) {
        let remedy = "Without it no token can be asked for, but with a key file that names it.";
        report.wrong(
            "endpoints",
            "the metadata has no member 'token_endpoint'",
            remedy,
        );
    }
    if !good.is_empty() {
        report.ok(
            "endpoints",
            format!("{}: https, or on this machine", good.join(", ")),
        );
    }
}

fn time(ahead: i64, report: &mut Report) {
    let seconds = ahead.unsigned_abs();
    let verdict = if seconds > LEEWAY.as_secs() {
        Verdict::Wrong
    } else {
        Verdict::Ok
    };
    let (direction, effect) = match ahead {
        0 => return report.ok("clock", "the server's clock and ours agree"),
        ..0 => (
            "behind",
            "Assertions made here are from its future, and refused where `iat` is checked",
        ),
        1.. => (
            "ahead of",
            "Assertions made here have less time than they say, and short ones have expired when they arrive",
        ),
    };
    let message = format!("the server's clock is {seconds} s {direction} ours");
    match verdict {
        Verdict::Wrong => {
            let remedy = format!(
                "{effect}: servers allow about {} s. Set both clocks by NTP.",
                LEEWAY.as_secs()
            );
            report.wrong("clock", message, remedy);
        }
        _ => report.ok("clock", message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_in_the_clear_is_named_where_the_issuer_is_https() {
        let metadata = |issuer: &str, endpoint: &str| {
            let document = serde_json::json!({"token_endpoint": endpoint});
            let document = document.as_object().expect("an object").clone();
            let mut report = Report::new(issuer);
            endpoints(issuer, &document, &mut report);
            (
                Metadata {
                    issuer: issuer.to_owned(),
                    document,
                    is_of_issuer: true,
                },
                report,
            )
        };
        let clear = "http://127.0.0.1:8080/token";
        let (known, report) = metadata("https://as.example", clear);
        assert_eq!(
            (known.endpoint("token_endpoint"), report.count()),
            (None, 1),
            "{report}"
        );
        assert!(
            report
                .to_string()
                .contains("http, though the issuer has an https URL"),
            "{report}"
        );
        let (known, report) = metadata("http://127.0.0.1:8080", clear);
        assert_eq!(
            (known.endpoint("token_endpoint"), report.count()),
            (Some(clear), 0),
            "the control: {report}"
        );
    }

    #[test]
    fn a_date_is_compared_with_the_time_of_the_exchange() {
        let at = |seconds: i64| UnixTime::from_millis(seconds * 1000);
        let ahead = |date: &str, age: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::DATE, date.parse().expect("a header"));
            headers.extend(age.map(|age| (header::AGE, age.parse().expect("a header"))));
            ahead(&headers, at(784_111_777), at(784_111_779))
        };
        assert_eq!(ahead("Sun, 06 Nov 1994 08:49:37 GMT", None), Some(0));
        assert_eq!(ahead("Sun, 06 Nov 1994 08:49:39 GMT", None), Some(0));
        assert_eq!(ahead("Sun, 06 Nov 1994 08:50:39 GMT", None), Some(60));
        assert_eq!(ahead("Sun, 06 Nov 1994 08:48:37 GMT", None), Some(-60));
        assert_eq!(
            ahead("Sun, 06 Nov 1994 08:48:37 GMT", Some("60")),
            Some(0),
            "a cache has had it for a minute"
        );
        assert_eq!(ahead("yesterday", None), None);
    }
}
