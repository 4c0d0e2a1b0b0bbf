//! Client credentials in an `Authorization` header (RFC 6749 §2.3.1).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

/// `Basic`, both halves form-encoded. A space is `%20` and not `+`: decoders of forms read either,
/// and some servers decode `%` only (Authlib).
pub(crate) fn credentials(client_id: &str, secret: &str) -> HeaderValue {
    let encoded = |text| byte_serialize(text).map(|part| if part == "+" { "%20" } else { part });
    let mut pair = Zeroizing::new(String::new());
    pair.extend(encoded(client_id.as_bytes()));
    pair.push(':');
    pair.extend(encoded(secret.as_bytes()));
    let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&header).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_encoded_for_every_decoder() {
        let value = credentials("a b:c", "p+q%\u{e9} r");
        let encoded = value
            .to_str()
            .expect("ASCII")
            .strip_prefix("Basic ")
            .expect("Basic");
        let pair = String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("UTF-8");
        assert_eq!(pair, "a%20b%3Ac:p%2Bq%25%C3%A9%20r");
        assert!(value.is_sensitive());
    }
}
