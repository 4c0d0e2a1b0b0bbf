//! ECDSA signatures as X.509 and WebAuthn write them: both numbers in DER (RFC 3279 §2.2.3).

use pkcs8::der::{Decode as _, Reader as _, SliceReader, asn1::UintRef};

/// R || S, each with this many octets (RFC 7518 §3.4), if and only if this is the one encoding of
/// two such numbers.
pub(crate) fn to_fixed(signature: &[u8], octets: usize) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let numbers = reader.sequence(|numbers| {
        let (r, s) = (UintRef::decode(numbers)?, UintRef::decode(numbers)?);
        Ok::<_, pkcs8::der::Error>([r, s])
    });
    let numbers = numbers.ok()?;
    reader.finish().ok()?;
    let mut fixed = Vec::with_capacity(2 * octets);
    for number in &numbers {
        let number = number.as_bytes();
        let padding = octets.checked_sub(number.len())?;
        fixed.resize(fixed.len() + padding, 0);
        fixed.extend_from_slice(number);
    }
    Some(fixed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_numbers_are_padded_to_their_length() {
        let signature = [0x30, 7, 2, 1, 1, 2, 2, 0, 0x80];
        assert_eq!(to_fixed(&signature, 2), Some(vec![0, 1, 0, 0x80]));
        assert_eq!(to_fixed(&signature, 1), Some(vec![1, 0x80]));
        let (more, less) = ([&signature[..], &[0]].concat(), &signature[..8]);
        for other in [
            &more[..],
            less,
            &[],
            // A number that is longer, negative, empty, or not in its shortest form; a third one.
            &[0x30, 7, 2, 2, 1, 1, 2, 1, 1],
            &[0x30, 6, 2, 1, 0x80, 2, 1, 1],
            &[0x30, 5, 2, 0, 2, 1, 1],
            &[0x30, 7, 2, 2, 0, 1, 2, 1, 1],
            &[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1],
            // A length that is not in its shortest form, and none.
            &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1],
            &[0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0],
        ] {
            assert_eq!(to_fixed(other, 1), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = to_fixed(&octets, 32);
        }
    }
}
