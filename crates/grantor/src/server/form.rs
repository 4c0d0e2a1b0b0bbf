//! The form of a request, strictly read (RFC 6749 §3.2, §2.3.1, appendix B).

mod error;

use http::{HeaderMap, HeaderValue, header};
use zeroize::Zeroizing;

pub use error::FormError;

use crate::types::Shown;

/// Most parameters in a form.
const MAX_PARAMETERS: usize = 64;
/// Largest query, in octets.
const MAX_QUERY_BYTES: usize = 8 * 1024;
/// The only parameters that may occur more than once (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];
/// Parameters that carry credentials or choose what happens: never taken from the URI, and refused
/// there (RFC 6749 §2.3.1), for a URI is logged by whatever it passes. Those of grants that others
/// may add are among them.
const NEVER_IN_QUERY: [&str; 23] = [
    "grant_type",
    "scope",
    "resource",
    "audience",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "assertion",
    "token",
    "token_type_hint",
    "access_token",
    "refresh_token",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "code",
    "code_verifier",
    "device_code",
    "auth_req_id",
    "username",
    "password",
];

/// The parameters of a request.
#[derive(Default)]
pub(super) struct Form {
    /// As they came, those without a value among them.
    parameters: Vec<(Zeroizing<String>, Zeroizing<String>)>,
}

impl Form {
    /// Reads a body. Parameters without a value count as omitted (RFC 6749 §3.2), but still as sent
    /// twice when they are.
    pub(super) fn parse(body: &[u8]) -> Result<Self, FormError> {
        Self::parse_repeating(body, &[])
    }

    /// As [`Form::parse`], where these may occur more than once too.
    pub(super) fn parse_repeating(body: &[u8], repeatable: &[&str]) -> Result<Self, FormError> {
        let mut form = Self::default();
        let body = std::str::from_utf8(body).map_err(|_| FormError::Encoding("the body".into()))?;
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            form.add(pair, repeatable)?;
        }
        Ok(form)
    }

    /// Reads the query of a request whose parameters stand there, by the same rules.
    pub(super) fn parse_query(query: Option<&str>) -> Result<Self, FormError> {
        match query {
            None => Ok(Self::default()),
            Some(query) if query.len() > MAX_QUERY_BYTES => Err(FormError::QueryTooLarge),
            Some(query) => Self::parse(query.as_bytes()),
        }
    }

    fn add(&mut self, pair: &str, repeatable: &[&str]) -> Result<(), FormError> {
        if self.parameters.len() == MAX_PARAMETERS {
            return Err(FormError::TooManyParameters);
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let badly_encoded = |BadEncoding| FormError::Encoding(name.into());
        let (name, value) = (
            decode(name).map_err(badly_encoded)?,
            decode(value).map_err(badly_encoded)?,
        );
        if !REPEATABLE.contains(&name.as_str())
            && !repeatable.contains(&name.as_str())
            && self.parameters.iter().any(|(known, _)| *known == name)
        {
            return Err(FormError::DuplicateParameter(name.as_str().into()));
        }
        self.parameters.push((name, value));
        Ok(())
    }

    /// The non-empty values of a parameter.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self
            .parameters
            .iter()
            .filter(move |(known, value)| known.as_str() == name && !value.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    /// The names of all parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| name.as_str())
    }
}

/// The one media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// Whether a head says that a form follows, and has no parameters itself.
pub(super) fn check_head(query: Option<&str>, headers: &HeaderMap) -> Result<(), FormError> {
    check_content_type(headers)?;
    check_query(query)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), FormError> {
    if let Some(encoding) = headers
        .get(header::CONTENT_ENCODING)
        .filter(|encoding| *encoding != "identity")
    {
        return Err(FormError::ContentEncoding(shown(encoding)));
    }
    let wrong = || {
        let values: Vec<_> = headers
            .get_all(header::CONTENT_TYPE)
            .iter()
            .map(|value| value.to_str().unwrap_or("not ASCII"))
            .collect();
        FormError::ContentType(Shown::list(values.into_iter()))
    };
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(wrong());
    };
    // What nearly everybody sends.
    if value == FORM {
        return Ok(());
    }
    let value = value.to_str().map_err(|_| wrong())?.to_ascii_lowercase();
    let (essence, parameters) = value.split_once(';').unwrap_or((&value, ""));
    let utf8 = ["", "charset=utf-8", "charset=\"utf-8\""].contains(&parameters.trim());
    if essence.trim() == FORM && utf8 {
        Ok(())
    } else {
        Err(wrong())
    }
}

fn shown(value: &HeaderValue) -> Shown {
    value.to_str().unwrap_or("not ASCII").into()
}

fn check_query(query: Option<&str>) -> Result<(), FormError> {
    let Some(query) = query else { return Ok(()) };
    for pair in query.split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        let name = decode(name).map_err(|BadEncoding| FormError::Encoding(name.into()))?;
        if let Some(name) = NEVER_IN_QUERY.iter().find(|never| **never == *name) {
            return Err(FormError::ParameterInQuery(name));
        }
    }
    Ok(())
}

/// A bad escape, or not UTF-8.
pub(super) struct BadEncoding;

/// Decodes `application/x-www-form-urlencoded` once: `+` is a space, every `%` starts an octet, the
/// result is UTF-8.
pub(super) fn decode(text: &str) -> Result<Zeroizing<String>, BadEncoding> {
    // Nothing to decode in most texts, in assertions above all.
    if !text.as_bytes().contains(&b'%') && !text.as_bytes().contains(&b'+') {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let is_escape = |after: &str| {
        after.len() >= 2 && after.bytes().take(2).all(|byte| byte.is_ascii_hexdigit())
    };
    if !text.split('%').skip(1).all(is_escape) {
        return Err(BadEncoding);
    }
    let spaced = Zeroizing::new(text.replace('+', " "));
    let decoded = percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| BadEncoding)?;
    Ok(Zeroizing::new(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a header value"));
        }
        headers
    }

    fn parse(body: &str) -> Result<Form, FormError> {
        Form::parse(body.as_bytes())
    }

    fn refusal(body: &str) -> FormError {
        parse(body).err().expect(body)
    }

    #[test]
    fn decodes_once_and_treats_empty_as_omitted() {
        let form = parse("a=x+y%20z&b=%2520&c=&d&=e").expect("a form");
        assert_eq!(form.values("a").next(), Some("x y z"));
        assert_eq!(form.values("b").next(), Some("%20"));
        assert_eq!(
            (form.values("c").next(), form.values("d").next()),
            (None, None)
        );
    }

    #[test]
    fn refuses_duplicates_bad_escapes_and_floods() {
        assert_eq!(
            refusal("a=1&a=1"),
            FormError::DuplicateParameter("a".into())
        );
        assert_eq!(refusal("a=1&a="), FormError::DuplicateParameter("a".into()));
        assert_eq!(
            refusal("a=1&%61=2"),
            FormError::DuplicateParameter("a".into())
        );
        assert!(parse("resource=a&resource=b").is_ok());
        for (body, name) in [
            ("a=%zz", "a"),
            ("a=%", "a"),
            ("a=%2", "a"),
            ("a=%ff", "a"),
            ("%zz=a", "%zz"),
            ("a=%+1", "a"),
        ] {
            assert_eq!(refusal(body), FormError::Encoding(name.into()), "{body}");
        }
        let flood = |count: usize| {
            (0..count)
                .map(|index| format!("p{index}=1"))
                .collect::<Vec<_>>()
                .join("&")
        };
        assert!(parse(&flood(MAX_PARAMETERS)).is_ok());
        assert_eq!(
            refusal(&flood(MAX_PARAMETERS + 1)),
            FormError::TooManyParameters
        );
    }

    #[test]
    fn content_type_is_the_form_in_utf8() {
        let with = |value| check_head(None, &headers(&[("content-type", value)]));
        for value in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        ] {
            assert_eq!(with(value), Ok(()), "{value}");
        }
        for value in [
            "application/json",
            "text/[html]",
            "</><script>",
            "application/x-www-form-urlencoded;charset=latin1",
            "",
        ] {
            assert_eq!(
                with(value),
                Err(FormError::ContentType(Shown::list([value].into_iter()))),
                "{value}"
            );
        }
        let none = FormError::ContentType(Shown::list([].into_iter()));
        assert_eq!(check_head(None, &HeaderMap::new()), Err(none));
    }

    #[test]
    fn parameters_in_the_query_are_refused() {
        let with = |query| {
            check_head(
                Some(query),
                &headers(&[("content-type", "application/x-www-form-urlencoded")]),
            )
        };
        assert_eq!(with("foo=bar"), Ok(()));
        for (query, name) in [
            ("client_secret=x", "client_secret"),
            ("a=b&%63lient_id=x", "client_id"),
            ("assertion", "assertion"),
            ("token=x", "token"),
            ("refresh_token=", "refresh_token"),
            ("code=x", "code"),
        ] {
            assert_eq!(
                with(query),
                Err(FormError::ParameterInQuery(name)),
                "{query}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let headers = headers(&[("content-type", "application/x-www-form-urlencoded")]);
            let _ = check_head(std::str::from_utf8(&body).ok(), &headers);
            let _ = Form::parse(&body);
        }
    }
}
