//! Base64url as JOSE wants it: no padding, no other alphabet, no non-zero trailing bits (RFC 7515
//! §2, RFC 4648 §3.5).

use std::sync::LazyLock;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use base64::engine::GeneralPurpose;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use base64::engine::Simd;
use base64::{Engine as _, engine::general_purpose::NO_PAD};

/// With the widest instructions that this machine has.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(NO_PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static ENGINE: LazyLock<GeneralPurpose> =
    LazyLock::new(|| GeneralPurpose::new(&base64::alphabet::URL_SAFE, NO_PAD));

/// Encodes without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    ENGINE.encode(bytes)
}

/// Decodes, if and only if `text` is the one canonical encoding of some bytes.
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    ENGINE.decode(text).ok()
}

/// As [`decode`], behind what is in `buffer` already. What is behind it after a refusal is of no
/// use.
pub(crate) fn decode_onto(buffer: &mut Vec<u8>, text: &str) -> Option<()> {
    ENGINE.decode_vec(text, buffer).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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

        #[test]
        fn agrees_with_the_engine_that_takes_one_letter_at_a_time(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            at in any::<proptest::sample::Index>(),
            letter in any::<u8>(),
        ) {
            let mut text = encode(&bytes).into_bytes();
            prop_assert_eq!(decode(&text), Some(bytes));
            if !text.is_empty() {
                let at = at.index(text.len());
                text[at] = letter;
            }
            prop_assert_eq!(decode(&text), URL_SAFE_NO_PAD.decode(&text).ok());
        }
    }
}
