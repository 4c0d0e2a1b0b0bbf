//! Paths of claims: what is written is read again, and what is found is what the JSON pointers of
//! serde_json find in the same claims.
//!
//! An input is a path, and, after a line feed, the claims of a JWT.

#![no_main]

use grantor::{
    jose::{
        Claims,
        json::{self, Value},
    },
    types::ClaimPath,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let split = input.iter().position(|octet| *octet == b'\n');
    let (text, claims) = input.split_at(split.unwrap_or(input.len()));
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let Ok(path) = ClaimPath::parse(text) else {
        return;
    };
    let segments: Vec<String> = path.segments().map(String::from).collect();
    assert_eq!(ClaimPath::of_segments(&segments).as_ref(), Ok(&path));
    assert_eq!(ClaimPath::parse(path.as_str()).as_ref(), Ok(&path));
    assert_eq!(path.claim(), segments[0].as_str());
    assert!((1..=ClaimPath::MAX_SEGMENTS).contains(&segments.len()));

    let claims = claims.get(1..).unwrap_or_default();
    let (Ok(typed), Ok(members)) = (Claims::parse(claims), json::parse_object(claims)) else {
        return;
    };
    let whole = Value::Object(members);
    let expected = if text.starts_with('/') {
        whole.pointer(text)
    } else {
        whole.get(text)
    };
    let found = path.find(&typed);
    match segments[0].as_str() {
        // A time is a number, however it was written.
        "exp" | "nbf" | "iat" => assert_eq!(
            found.and_then(|found| found.as_f64()),
            expected.and_then(Value::as_f64)
        ),
        _ => assert_eq!(found.as_deref(), expected),
    }
});
