//! HTTP Basic: every credential that can be written is read back, and what is read is what the
//! header spelt (RFC 6749 §2.3.1).
//!
//! An input is tried as a header. If it has a line feed, it is also tried as the id and the secret
//! that a client sends.

#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use form_urlencoded::byte_serialize;
use grantor::{
    clock::UnixTime,
    server::{AuthorizationHeader, FormError, Request},
};
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Ok(value) = HeaderValue::from_bytes(input) {
        match read(&[&value]).expect("one header is no refusal of the form") {
            AuthorizationHeader::Absent => panic!("the header was overlooked"),
            AuthorizationHeader::Basic { id, secret } => {
                assert_eq!(
                    (id.clone(), secret.to_string()),
                    spelt(&value),
                    "another reading"
                );
                is_read_back(&id, &secret);
            }
            AuthorizationHeader::Unreadable(reason) => assert!(!reason.is_empty()),
            _ => panic!("another reading"),
        }
        assert!(matches!(
            read(&[&value, &value]),
            Err(FormError::DuplicateAuthorization)
        ));
    }
    if let Ok(Some((id, secret))) = std::str::from_utf8(input).map(|text| text.split_once('\n')) {
        is_read_back(id, secret);
    }
});

fn read(values: &[&HeaderValue]) -> Result<AuthorizationHeader, FormError> {
    let mut headers = HeaderMap::new();
    headers.append(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    for value in values {
        headers.append(header::AUTHORIZATION, (*value).clone());
    }
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.headers = headers;
    let read = Request::parse(head, b"", UnixTime::from_millis(0));
    read.map(|request| match request.authorization() {
        AuthorizationHeader::Absent => AuthorizationHeader::Absent,
        AuthorizationHeader::Basic { id, secret } => AuthorizationHeader::Basic {
            id: id.clone(),
            secret: secret.clone(),
        },
        AuthorizationHeader::Unreadable(reason) => AuthorizationHeader::Unreadable(reason),
        _ => panic!("another reading"),
    })
}

/// The credentials as other libraries read them.
fn spelt(value: &HeaderValue) -> (String, String) {
    let (scheme, credentials) = value
        .to_str()
        .expect("ASCII")
        .split_once(' ')
        .expect("a space");
    assert!(scheme.eq_ignore_ascii_case("Basic"));
    let decoded = String::from_utf8(
        STANDARD
            .decode(credentials.trim_matches(' '))
            .expect("base64"),
    )
    .expect("UTF-8");
    let (id, secret) = decoded.split_once(':').expect("a colon");
    (form_decoded(id), form_decoded(secret))
}

/// As the value of a form with one parameter.
fn form_decoded(text: &str) -> String {
    let form = format!("value={}", text.replace('&', "%26"));
    form_urlencoded::parse(form.as_bytes())
        .map(|(_, value)| value.into_owned())
        .collect()
}

fn is_read_back(id: &str, secret: &str) {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let header = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(id), encode(secret)))
    );
    let header = HeaderValue::from_str(&header).expect("base64 is ASCII");
    let Ok(AuthorizationHeader::Basic {
        id: got_id,
        secret: got_secret,
    }) = read(&[&header])
    else {
        panic!("{header:?}")
    };
    assert_eq!((got_id.as_str(), got_secret.as_str()), (id, secret));
}
