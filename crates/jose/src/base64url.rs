//! Base64url as JOSE wants it: no padding, no other alphabet, no non-zero trailing bits (RFC 7515 §2, RFC 4648 §3.5).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Encodes without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes, if and only if `text` is the one canonical encoding of some bytes.
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_padding_foreign_letters_and_trailing_bits() {
        assert_eq!(decode("-_8"), Some(vec![0xfb, 0xff]));
        for text in ["-_8=", "+/8", "-_9", "-_8\n", " -_8", "-_\08", "-", "-_8?"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_accepted_text_is_the_encoding_of_its_bytes(text in "[-_A-Za-z0-9+/=]{0,40}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(bytes), text);
            }
        }
    }
}
