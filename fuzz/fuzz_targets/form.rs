//! Token requests: a form that is accepted is what an ordinary form parser reads, each parameter
//! once.
//!
//! An input is written like an HTTP request: the query on the first line, the headers, an empty
//! line, the body.

#![no_main]

use std::borrow::Cow;

use form_urlencoded::Serializer;
use grantor::{
    clock::UnixTime,
    server::{AuthorizationHeader, FormError, Request},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

const REPEATABLE: [&str; 2] = ["resource", "audience"];
const NEVER_IN_QUERY: [&str; 8] = [
    "grant_type",
    "assertion",
    "scope",
    "resource",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

fuzz_target!(|input: &[u8]| {
    let Some((query, headers, body)) = request(input) else {
        return;
    };
    let pairs: Vec<_> = form_urlencoded::parse(body).collect();
    match read(query, &headers, body) {
        Ok(form) => {
            check_headers(&form, &headers);
            // A query ends where a fragment begins, which an HTTP library leaves out.
            let query = query.and_then(|query| query.split('#').next());
            let in_query = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
            assert!(
                !in_query
                    .into_iter()
                    .any(|(name, _)| NEVER_IN_QUERY.contains(&&*name)),
                "{query:?}"
            );
            check_parameters(&form, &pairs);
            reads_back(&form, &headers, &pairs);
        }
        Err(FormError::DuplicateParameter(_)) => assert!(repeated(&pairs)),
        Err(FormError::TooManyParameters) => assert!(pairs.len() > 64),
        Err(_) => (),
    }
});

fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<Request, FormError> {
    let (mut head, ()) = http::Request::new(()).into_parts();
    let target = query.map_or("/token".to_owned(), |query| format!("/token?{query}"));
    // What no request line can hold, an HTTP library refuses.
    head.uri = target
        .parse()
        .map_err(|_| FormError::Encoding("the target".into()))?;
    head.headers = headers.clone();
    Request::parse(head, body, UnixTime::from_millis(0))
}

/// `None` if this is nothing that an HTTP library would hand on.
fn request(input: &[u8]) -> Option<(Option<&str>, HeaderMap, &[u8])> {
    let (query, mut rest) = split_line(input)?;
    let mut headers = HeaderMap::new();
    loop {
        let (line, after) = split_line(rest)?;
        rest = after;
        if line.is_empty() {
            let query = std::str::from_utf8(query).ok()?;
            return Some(((!query.is_empty()).then_some(query), headers, rest));
        }
        let colon = line.iter().position(|octet| *octet == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        headers.append(
            name,
            HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?,
        );
    }
}

fn split_line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|octet| *octet == b'\n')?;
    Some((&text[..end], &text[end + 1..]))
}

fn check_headers(form: &Request, headers: &HeaderMap) {
    let content_types: Vec<_> = headers.get_all(header::CONTENT_TYPE).iter().collect();
    let [content_type] = content_types[..] else {
        panic!("{content_types:?}")
    };
    assert!(content_type.to_str().is_ok_and(|value| {
        value
            .to_ascii_lowercase()
            .contains("application/x-www-form-urlencoded")
    }));
    let authorizations = headers.get_all(header::AUTHORIZATION).iter().count();
    assert_eq!(
        authorizations,
        usize::from(!matches!(form.authorization(), AuthorizationHeader::Absent))
    );
}

type Pairs<'a> = [(Cow<'a, str>, Cow<'a, str>)];

fn check_parameters(form: &Request, pairs: &Pairs<'_>) {
    assert!(pairs.len() <= 64 && !repeated(pairs));
    for (name, value) in pairs
        .iter()
        .filter(|(name, _)| !REPEATABLE.contains(&&**name))
    {
        assert_eq!(
            form.parameter(name),
            Some(&**value).filter(|value| !value.is_empty()),
            "{name}"
        );
    }
    let resources = pairs
        .iter()
        .filter(|(name, value)| name == "resource" && !value.is_empty());
    assert!(
        form.parameters("resource")
            .eq(resources.map(|(_, value)| &**value))
    );
}

fn repeated(pairs: &Pairs<'_>) -> bool {
    let names = || {
        pairs
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !REPEATABLE.contains(&&***name))
    };
    names()
        .enumerate()
        .any(|(at, name)| names().take(at).any(|earlier| earlier == name))
}

/// The same form in another library's spelling is the same form.
fn reads_back(form: &Request, headers: &HeaderMap, pairs: &Pairs<'_>) {
    let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let again = read(None, headers, body.as_bytes()).expect("a form in plain spelling");
    assert!(
        pairs
            .iter()
            .all(|(name, _)| again.parameter(name) == form.parameter(name))
    );
    assert!(again.parameters("resource").eq(form.parameters("resource")));
    assert_eq!(format!("{again:?}"), format!("{form:?}"));
}
