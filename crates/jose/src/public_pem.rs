//! Reading a public key in PEM, in the forms in which partners hand theirs out: SPKI (RFC 5280
//! §4.1.2.7), PKCS#1 (RFC 8017 §A.1.1), or inside a certificate, of which nothing but the key is
//! looked at.

use pkcs8::{
    ObjectIdentifier,
    der::{
        self, Decode as _, Encode as _, Reader as _, SliceReader, Tag, Tagged as _, asn1::AnyRef,
    },
    spki::SubjectPublicKeyInfoRef,
};
use serde_json::{Value, json};

use crate::{
    Curve, Jwk, JwkError, base64url,
    pem::{self, Block},
};

/// RFC 5480 §2.1.1
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 8410 §3
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 5480 §2.1.1.1
const CURVES: [(ObjectIdentifier, Curve); 3] = [
    (
        ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        Curve::P256,
    ),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), Curve::P384),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), Curve::P521),
];
/// Members of a certificate between its version and its key: serial number, signature, issuer,
/// validity, subject.
const BEFORE_KEY: usize = 5;

/// Why a text holds no public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicPemError {
    /// No block of a form that is read.
    #[error("no public key in PEM: expected a block PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")]
    Absent,
    /// A private key, which nobody but its owner should have.
    #[error(
        "it holds a private key; register its public half only, and replace the key if others have seen the file"
    )]
    Private,
    /// Several keys, or a key beside certificates: which is meant is not said.
    #[error("it holds {0} public keys; expected one, or a certificate with its chain after it")]
    Several(usize),
    /// The block is cut off, or is not base64 of the structure that its label names.
    #[error("its block {0} is malformed")]
    Malformed(&'static str),
    /// A key for something else.
    #[error(
        "its algorithm {0} is not supported; RSA, EC on P-256, P-384 and P-521, and Ed25519 are"
    )]
    Algorithm(String),
    /// The key is refused.
    #[error(transparent)]
    Jwk(#[from] JwkError),
}

/// The public key in a text in PEM, without `kid`: the key of the first certificate, where there is
/// a chain of them. Whether a certificate has expired, and who signed it, is not looked at.
///
/// # Errors
/// [`PublicPemError`]
pub fn public_key_from_pem(text: &str) -> Result<Jwk, PublicPemError> {
    let mut found = Vec::new();
    for block in pem::blocks(text) {
        match block.label {
            label if label.ends_with("PRIVATE KEY") => return Err(PublicPemError::Private),
            "PUBLIC KEY" => found.push(("PUBLIC KEY", block)),
            "RSA PUBLIC KEY" => found.push(("RSA PUBLIC KEY", block)),
            "CERTIFICATE" => found.push(("CERTIFICATE", block)),
            _ => {}
        }
    }
    let are_certificates = found.iter().all(|(label, _)| *label == "CERTIFICATE");
    match &found[..] {
        [] => Err(PublicPemError::Absent),
        [(label, block), ..] if found.len() == 1 || are_certificates => key_of_block(label, block),
        _ => Err(PublicPemError::Several(found.len())),
    }
}

/// The public key of the first block PUBLIC KEY or CERTIFICATE in a text in PEM, as X.509 writes it
/// (`SubjectPublicKeyInfo`, RFC 5280 §4.1.2.7), in DER. Some servers name a key by the digest of it.
pub fn spki_from_pem(text: &str) -> Option<Vec<u8>> {
    let is_one = |block: &Block<'_>| matches!(block.label, "PUBLIC KEY" | "CERTIFICATE");
    let block = pem::blocks(text).into_iter().find(is_one)?;
    let document = block.document()?;
    let der = document.as_bytes();
    let key = match block.label {
        "CERTIFICATE" => key_of_certificate(der).ok(),
        _ => SubjectPublicKeyInfoRef::try_from(der).ok(),
    };
    key?.to_der().ok()
}

/// The public key in a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) in DER, without `kid`. Nothing
/// follows it, and the parameters of its algorithm are what they have to be: NULL for RSA (RFC 8017
/// §A.1), the curve for EC (RFC 5480 §2.1.1), none for Ed25519 (RFC 8410 §3).
///
/// # Errors
/// [`PublicPemError::Malformed`], [`PublicPemError::Algorithm`], [`PublicPemError::Jwk`]
pub fn public_key_from_spki(der: &[u8]) -> Result<Jwk, PublicPemError> {
    let malformed = || PublicPemError::Malformed("PUBLIC KEY");
    let key = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| malformed())?;
    let has_its_parameters = match (key.algorithm.oid, key.algorithm.parameters) {
        (pkcs1::ALGORITHM_OID, parameters) => parameters == Some(AnyRef::NULL),
        (ED25519, parameters) => parameters.is_none(),
        // The curve is read with the point.
        _ => true,
    };
    if !has_its_parameters {
        return Err(malformed());
    }
    Ok(Jwk::parse(
        of_spki(&key, malformed)?.to_string().as_bytes(),
    )?)
}

fn key_of_block(label: &'static str, block: &Block<'_>) -> Result<Jwk, PublicPemError> {
    let malformed = || PublicPemError::Malformed(label);
    let document = block.document().ok_or_else(malformed)?;
    let der = document.as_bytes();
    let jwk = match label {
        "RSA PUBLIC KEY" => rsa(der).map_err(|_| malformed())?,
        "CERTIFICATE" => of_spki(
            &key_of_certificate(der).map_err(|_| malformed())?,
            malformed,
        )?,
        _ => of_spki(
            &SubjectPublicKeyInfoRef::try_from(der).map_err(|_| malformed())?,
            malformed,
        )?,
    };
    Ok(Jwk::parse(jwk.to_string().as_bytes())?)
}

/// RFC 5280 §4.1
fn key_of_certificate(der: &[u8]) -> der::Result<SubjectPublicKeyInfoRef<'_>> {
    let certificate = AnyRef::from_der(der)?;
    certificate.tag().assert_eq(Tag::Sequence)?;
    let signed = AnyRef::decode(&mut SliceReader::new(certificate.value())?)?;
    signed.tag().assert_eq(Tag::Sequence)?;
    let mut members = SliceReader::new(signed.value())?;
    if members.peek_byte().is_some_and(|tag| tag & 0xc0 == 0x80) {
        AnyRef::decode(&mut members)?;
    }
    for _ in 0..BEFORE_KEY {
        AnyRef::decode(&mut members)?;
    }
    SubjectPublicKeyInfoRef::decode(&mut members)
}

fn of_spki(
    key: &SubjectPublicKeyInfoRef<'_>,
    malformed: impl Fn() -> PublicPemError,
) -> Result<Value, PublicPemError> {
    let unsupported = |oid: ObjectIdentifier| PublicPemError::Algorithm(oid.to_string());
    let bits = key.subject_public_key.as_bytes().ok_or_else(&malformed)?;
    match key.algorithm.oid {
        pkcs1::ALGORITHM_OID => rsa(bits).map_err(|_| malformed()),
        ED25519 => Ok(json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(bits)})),
        EC => {
            let named = key.algorithm.parameters_oid().map_err(|_| malformed())?;
            let curve = CURVES
                .iter()
                .find(|(oid, _)| *oid == named)
                .ok_or_else(|| unsupported(named))?
                .1;
            // SEC 1 §2.3.3: 4 and both coordinates. Tools write no other form unless told to.
            let point = bits
                .strip_prefix(&[4])
                .filter(|point| point.len() == 2 * curve.coordinate_bytes());
            let (x, y) = point
                .ok_or_else(malformed)?
                .split_at(curve.coordinate_bytes());
            Ok(
                json!({"kty": "EC", "crv": curve.name(), "x": base64url::encode(x), "y": base64url::encode(y)}),
            )
        }
        other => Err(unsupported(other)),
    }
}

fn rsa(der: &[u8]) -> der::Result<Value> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der)?;
    let number = |number: &der::asn1::UintRef<'_>| base64url::encode(number.as_bytes());
    Ok(json!({"kty": "RSA", "n": number(&key.modulus), "e": number(&key.public_exponent)}))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;

    use super::*;

    /// Self-signed, and long expired.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBbTCCAROgAwIBAgIUDCNxfbJ2s8XBCmXySGDlPq9aagswCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBdDAeFw0yNjExMjcwMzE5MzNaFw0yNjExMjgwMzE5MzNaMAwx
CjAIBgNVBAMMAXQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR0LP+cqRJNcl8t
yAZPv5wL7IH6JlEOkJ3RtyL/2vAxz3nURwB5GgsvrUuxd4iRQX0H3iZWlWTA6H2T
hwcDi94ro1MwUTAdBgNVHQ4EFgQUB7XW7RMn4H3yWaupXox+tmRxWwgwHwYDVR0j
BBgwFoAUB7XW7RMn4H3yWaupXox+tmRxWwgwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNIADBFAiEA59C7qkYRMYGjg/0WCpaHcRoQRNAP8tBMuiA5gF9qL2EC
IAl/VVF9/QAsn0QgeIaecPk7VxBwpYONjlmQC0HeH92k
-----END CERTIFICATE-----
";
    /// Its key.
    const KEY: &str = "\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdCz/nKkSTXJfLcgGT7+cC+yB+iZR
DpCd0bci/9rwMc951EcAeRoLL61LsXeIkUF9B94mVpVkwOh9k4cHA4veKw==
-----END PUBLIC KEY-----
";

    #[test]
    fn a_certificate_has_the_key_that_it_was_made_for() {
        let key = public_key_from_pem(KEY).expect("a key");
        assert_eq!(
            (key.algorithm(), key.key_id()),
            (Some(crate::Algorithm::Es256), None)
        );
        for text in [
            CERTIFICATE.to_owned(),
            format!(
                "\u{feff}Bag Attributes\r\n{}",
                CERTIFICATE.replace('\n', "\r\n")
            ),
            CERTIFICATE.repeat(3),
        ] {
            assert_eq!(public_key_from_pem(&text), Ok(key.clone()), "{text}");
        }
        assert_eq!(
            public_key_from_pem(&KEY.repeat(2)),
            Err(PublicPemError::Several(2))
        );
        assert_eq!(
            public_key_from_pem(&format!("{KEY}{CERTIFICATE}")),
            Err(PublicPemError::Several(2))
        );
        let encrypted = KEY.replace("PUBLIC KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(
            public_key_from_pem(&format!("{CERTIFICATE}{encrypted}")),
            Err(PublicPemError::Private)
        );
    }

    #[test]
    fn a_certificate_has_its_key_as_the_key_alone_is_written() {
        let base64: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(base64).expect("base64");
        assert_eq!(spki_from_pem(KEY), Some(der.clone()));
        assert_eq!(spki_from_pem(CERTIFICATE), Some(der));
        assert_eq!(spki_from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n"), None);
    }

    /// The same key as X.509 writes it.
    fn spki() -> Vec<u8> {
        spki_from_pem(KEY).expect("a key")
    }

    #[test]
    fn ca42_a_key_as_x509_writes_it_is_read_to_the_last_octet() {
        let key = public_key_from_pem(KEY).expect("a key");
        assert_eq!(public_key_from_spki(&spki()), Ok(key));
        let behind = [&spki()[..], &[0]].concat();
        let short = &spki()[..90];
        let mut off_the_curve = spki();
        off_the_curve[90] ^= 1;
        let mut compressed = spki();
        compressed[26] = 2;
        for der in [&behind[..], short, &[], &compressed] {
            let refused = public_key_from_spki(der);
            assert_eq!(refused, Err(PublicPemError::Malformed("PUBLIC KEY")));
        }
        let jwk = public_key_from_spki(&off_the_curve).expect("two coordinates");
        let refused = crate::VerificationKey::from_jwk(jwk).err();
        assert_eq!(refused, Some(JwkError::Point));
    }

    #[test]
    fn ca42_parameters_of_an_algorithm_are_what_they_have_to_be() {
        // SEQUENCE { SEQUENCE { id-Ed25519, parameters }, BIT STRING }
        let ed25519 = |parameters: &[u8]| {
            let point = [&[3, 33, 0][..], &[9; 32]].concat();
            let algorithm = [&[6, 3, 0x2b, 0x65, 0x70], parameters].concat();
            let algorithm = [&[0x30, algorithm.len() as u8], &algorithm[..]].concat();
            let length = (algorithm.len() + point.len()) as u8;
            [&[0x30, length], &algorithm[..], &point].concat()
        };
        assert!(public_key_from_spki(&ed25519(&[])).is_ok());
        let malformed = Err(PublicPemError::Malformed("PUBLIC KEY"));
        assert_eq!(public_key_from_spki(&ed25519(&[5, 0])), malformed);
        let rsa = |parameters: &[u8]| {
            let modulus = [&[2, 0x82, 1, 1, 0][..], &[0xff; 256]].concat();
            let numbers = [&modulus[..], &[2, 3, 1, 0, 1]].concat();
            let sequence = |tag: &[u8], content: &[u8]| {
                let length = (content.len() as u16).to_be_bytes();
                [tag, &[0x82], &length, content].concat()
            };
            let bits = sequence(&[3], &[&[0], &sequence(&[0x30], &numbers)[..]].concat());
            let oid = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
            let algorithm = [&oid[..], parameters].concat();
            let algorithm = [&[0x30, algorithm.len() as u8], &algorithm[..]].concat();
            sequence(&[0x30], &[algorithm, bits].concat())
        };
        let key = public_key_from_spki(&rsa(&[5, 0])).expect("a key");
        assert_eq!(key.key_type(), crate::KeyType::Rsa);
        assert_eq!(public_key_from_spki(&rsa(&[])), malformed);
        assert_eq!(public_key_from_spki(&rsa(&[4, 0])), malformed);
    }

    proptest! {
        #[test]
        fn no_text_and_no_der_panics(text in any::<String>(), mut der in prop::collection::vec(any::<u8>(), 0..300), at in 0..400_usize) {
            let _ = (public_key_from_pem(&text), spki_from_pem(&text));
            let label = if at % 2 == 0 { "CERTIFICATE" } else { "PUBLIC KEY" };
            let block = |der: &[u8]| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der));
            let _ = (public_key_from_pem(&block(&der)), spki_from_pem(&block(&der)));
            let base64: String = CERTIFICATE.lines().filter(|line| !line.starts_with('-')).collect();
            let whole = STANDARD.decode(base64).expect("base64");
            der.truncate(3);
            let place = at.min(whole.len() - der.len());
            let changed = [&whole[..place], &der[..], &whole[place + der.len()..]].concat();
            let _ = public_key_from_spki(&der);
            let _ = public_key_from_pem(&block(&changed));
            let _ = public_key_from_pem(&block(&changed[..place]));
        }
    }
}
