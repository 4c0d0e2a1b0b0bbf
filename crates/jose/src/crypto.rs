//! The only file that names a cryptographic library: signatures and MACs for the rest of this
//! crate, and the few primitives (randomness, SHA-256, constant-time comparison, sealing,
//! fingerprints) that the other crates take from here.

use std::sync::OnceLock;

use aws_lc_rs::{
    aead::{AES_128_GCM_SIV, AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey},
    constant_time, digest,
    encoding::{AsBigEndian, AsDer, Curve25519SeedBin, EcPrivateKeyBin, Pkcs8V1Der},
    hmac, rand,
    rsa::{KeyPairComponents, KeySize},
    signature::{
        self as sig, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
        Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RsaEncoding, RsaKeyPair, RsaParameters,
        RsaPublicKeyComponents,
    },
};
use polyval::{Polyval, universal_hash::UniversalHash as _};
use zeroize::Zeroizing;

use crate::{Algorithm, Curve, KeyType};

/// `N` octets from the operating system's cryptographic generator: the one source of randomness.
///
/// # Panics
/// If the operating system cannot give randomness; no secret may be made then.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// SHA-256 over the concatenation of `parts`.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let digest = match parts {
        // Without the context, which is made on the heap.
        [whole] => digest::digest(&digest::SHA256, whole),
        parts => {
            let mut context = digest::Context::new(&digest::SHA256);
            parts.iter().for_each(|part| context.update(part));
            context.finish()
        }
    };
    digest.as_ref().try_into().expect("SHA-256 has 32 octets")
}

/// Compares in time that depends on the lengths only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// Seals secrets for storage: AES-256-GCM, a random nonce in front, the purpose bound as associated
/// data.
pub struct SealingKey(RandomizedNonceKey);

impl SealingKey {
    /// A key from 32 random octets.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 octets"))
    }

    /// The same for values without number, one for each token: AES-128-GCM-SIV (RFC 8452), which
    /// bears a nonce that comes twice.
    pub fn for_many(key: &[u8; 16]) -> Self {
        Self(RandomizedNonceKey::new(&AES_128_GCM_SIV, key).expect("AES-128 takes 16 octets"))
    }

    /// Encrypts `secret`, readable only with the same `purpose`.
    pub fn seal(&self, purpose: &[u8], secret: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(NONCE_LEN + secret.len() + MAX_TAG_LEN);
        sealed.extend_from_slice(secret);
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(purpose), &mut sealed)
            .expect("sealing fails only beyond 64 GiB");
        sealed.extend_from_slice(nonce.as_ref());
        sealed.rotate_right(NONCE_LEN);
        sealed
    }

    /// Decrypts what [`SealingKey::seal`] made; `None` for another key, another purpose or altered
    /// octets.
    pub fn open(&self, purpose: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(purpose), &mut buffer)
            .ok()?
            .len();
        buffer.truncate(length);
        Some(buffer)
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// Makes tags that only the holder of the key can make: HMAC-SHA-256 (RFC 2104).
pub struct MacKey(hmac::Key);

impl MacKey {
    /// A key from at least 16 random octets.
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The tag of the concatenation of `parts`.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        let tag = context.sign();
        tag.as_ref().try_into().expect("a tag has 32 octets")
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey(..)")
    }
}

/// Takes fingerprints under a random key of its own: POLYVAL (RFC 8452 §3) of a text and its
/// length, which is a universal hash. Whoever chose them, two texts of at most n blocks of 16
/// octets have the same fingerprint with a chance of at most (n + 1) / 2^128.
pub struct Fingerprints(Polyval);

/// What a text is known by while the process runs. It would betray the key to whoever sees it, so
/// its octets are given to no one but a map's hasher.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprints {
    /// With a new key.
    ///
    /// # Panics
    /// As [`random_bytes`].
    pub fn random() -> Self {
        let key: [u8; 16] = random_bytes();
        Self(Polyval::new(&key.into()))
    }

    /// The fingerprint of a text.
    pub fn of(&self, text: &[u8]) -> Fingerprint {
        let mut hash = self.0.clone();
        hash.update_padded(text);
        hash.update(&[(text.len() as u128).to_le_bytes().into()]);
        Fingerprint(hash.finalize().into())
    }
}

/// What verifies, what signs, and what hashes the message.
type Row<V, S> = (&'static V, &'static S, &'static digest::Algorithm);

fn rsa_parameters(algorithm: Algorithm) -> Option<Row<RsaParameters, dyn RsaEncoding>> {
    Some(match algorithm {
        Algorithm::Rs256 => (
            &sig::RSA_PKCS1_2048_8192_SHA256,
            &sig::RSA_PKCS1_SHA256,
            &digest::SHA256,
        ),
        Algorithm::Rs384 => (
            &sig::RSA_PKCS1_2048_8192_SHA384,
            &sig::RSA_PKCS1_SHA384,
            &digest::SHA384,
        ),
        Algorithm::Rs512 => (
            &sig::RSA_PKCS1_2048_8192_SHA512,
            &sig::RSA_PKCS1_SHA512,
            &digest::SHA512,
        ),
        Algorithm::Ps256 => (
            &sig::RSA_PSS_2048_8192_SHA256,
            &sig::RSA_PSS_SHA256,
            &digest::SHA256,
        ),
        Algorithm::Ps384 => (
            &sig::RSA_PSS_2048_8192_SHA384,
            &sig::RSA_PSS_SHA384,
            &digest::SHA384,
        ),
        Algorithm::Ps512 => (
            &sig::RSA_PSS_2048_8192_SHA512,
            &sig::RSA_PSS_SHA512,
            &digest::SHA512,
        ),
        _ => return None,
    })
}

fn ec_parameters(curve: Curve) -> Row<EcdsaVerificationAlgorithm, EcdsaSigningAlgorithm> {
    match curve {
        Curve::P256 => (
            &sig::ECDSA_P256_SHA256_FIXED,
            &sig::ECDSA_P256_SHA256_FIXED_SIGNING,
            &digest::SHA256,
        ),
        Curve::P384 => (
            &sig::ECDSA_P384_SHA384_FIXED,
            &sig::ECDSA_P384_SHA384_FIXED_SIGNING,
            &digest::SHA384,
        ),
        Curve::P521 => (
            &sig::ECDSA_P521_SHA512_FIXED,
            &sig::ECDSA_P521_SHA512_FIXED_SIGNING,
            &digest::SHA512,
        ),
    }
}

fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

/// A key ready to verify: the work that depends only on the key is done.
#[derive(Debug)]
pub(crate) enum Verifier {
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
        parsed: Box<[OnceLock<Option<ParsedPublicKey>>; 6]>,
    },
    Ec(ParsedPublicKey, &'static digest::Algorithm),
    Ed25519(ParsedPublicKey),
}

impl Verifier {
    pub(crate) fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self::Rsa {
            n: n.into(),
            e: e.into(),
            parsed: Default::default(),
        }
    }

    /// `None` unless (x, y) is a point of the curve.
    pub(crate) fn ec(curve: Curve, x: &[u8], y: &[u8]) -> Option<Self> {
        let point = [&[4], x, y].concat();
        let (parameters, _, hash) = ec_parameters(curve);
        ParsedPublicKey::new(parameters, point)
            .ok()
            .map(|key| Self::Ec(key, hash))
    }

    /// `None` for what [`ed25519_point_is_unsafe`] names. An `x` that decodes to no point is taken
    /// and verifies nothing: the library decodes it only then.
    pub(crate) fn ed25519(x: &[u8]) -> Option<Self> {
        let safe = !ed25519_point_is_unsafe(x);
        ParsedPublicKey::new(&sig::ED25519, x)
            .ok()
            .filter(|_| safe)
            .map(Self::Ed25519)
    }

    /// Whether `signature` over `message` verifies under `algorithm`, which the caller has matched
    /// with the key.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { .. } => self
                .rsa_key(algorithm)
                .is_some_and(|(key, hash)| verify_hashed(key, hash, message, signature)),
            Self::Ec(key, hash) => verify_hashed(key, hash, message, signature),
            Self::Ed25519(key) => {
                !signature.get(..32).is_none_or(ed25519_point_is_unsafe)
                    && key.verify_sig(message, signature).is_ok()
            }
        }
    }

    /// Whether the library takes the key for `algorithm`. RSA keys are parsed once per algorithm,
    /// when first needed.
    pub(crate) fn is_usable(&self, algorithm: Algorithm) -> bool {
        !matches!(self, Self::Rsa { .. }) || self.rsa_key(algorithm).is_some()
    }

    fn rsa_key(
        &self,
        algorithm: Algorithm,
    ) -> Option<(&ParsedPublicKey, &'static digest::Algorithm)> {
        let Self::Rsa { n, e, parsed } = self else {
            return None;
        };
        let (parameters, _, hash) = rsa_parameters(algorithm)?;
        let key = parsed[algorithm as usize].get_or_init(|| {
            RsaPublicKeyComponents { n, e }
                .to_parsed_public_key(parameters)
                .ok()
        });
        key.as_ref().map(|key| (key, hash))
    }
}

/// The message is hashed here, because the library would do it through a context on the heap.
fn verify_hashed(
    key: &ParsedPublicKey,
    hash: &'static digest::Algorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    key.verify_digest_sig(&digest::digest(hash, message), signature)
        .is_ok()
}

/// Verifies a MAC in constant time.
pub(crate) fn verify_mac(algorithm: Algorithm, secret: &[u8], message: &[u8], tag: &[u8]) -> bool {
    hmac_algorithm(algorithm)
        .is_some_and(|hash| hmac::verify(&hmac::Key::new(hash, secret), message, tag).is_ok())
}

/// Encodings of points that no honest key or signature has: the eight of small order, and y at or
/// above the field prime. RFC 8032 §5.1.7 leaves them to the verifier; one message could otherwise
/// verify under many keys.
fn ed25519_point_is_unsafe(point: &[u8]) -> bool {
    // Little-endian y without the sign bit. The four distinct y of the points of order 1, 2, 4 and
    // 8.
    const SMALL_ORDER_Y: [[u8; 32]; 5] = [
        le(0, 0, 0),
        le(1, 0, 0),
        // p - 1
        le(0xec, 0xff, 0x7f),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    const fn le(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    let Ok(mut y) = <[u8; 32]>::try_from(point) else {
        return true;
    };
    y[31] &= 0x7f;
    let at_least_p = y[31] == 0x7f && y[1..31].iter().all(|&byte| byte == 0xff) && y[0] >= 0xed;
    at_least_p || SMALL_ORDER_Y.contains(&y)
}

/// The private parameters of a key pair, big-endian, with the public ones.
pub(crate) enum PrivateParts {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
        crt: Zeroizing<[Vec<u8>; 6]>,
    },
    Ec {
        x: Vec<u8>,
        y: Vec<u8>,
        d: Zeroizing<Vec<u8>>,
    },
    Ed25519 {
        x: Vec<u8>,
        d: Zeroizing<Vec<u8>>,
    },
}

/// A key ready to sign.
pub(crate) enum Signer {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Mac(Box<hmac::Key>),
}

impl Signer {
    /// `None` if the parts contradict each other or do not fit `algorithm`.
    pub(crate) fn from_parts(algorithm: Algorithm, parts: &PrivateParts) -> Option<Self> {
        match (parts, algorithm.key_type()) {
            (PrivateParts::Rsa { n, e, crt }, KeyType::Rsa) => {
                let [d, p, q, dp, dq, qi] = crt.each_ref().map(Vec::as_slice);
                let public_key = RsaPublicKeyComponents {
                    n: n.as_slice(),
                    e: e.as_slice(),
                };
                let components = KeyPairComponents {
                    public_key,
                    d,
                    p,
                    q,
                    dP: dp,
                    dQ: dq,
                    qInv: qi,
                };
                Some(Self::Rsa(
                    RsaKeyPair::from_components(&components).ok()?,
                    rsa_parameters(algorithm)?.1,
                ))
            }
            (PrivateParts::Ec { x, y, d }, KeyType::Ec(curve)) => {
                let point = [&[4], x.as_slice(), y].concat();
                EcdsaKeyPair::from_private_key_and_public_key(ec_parameters(curve).1, d, &point)
                    .ok()
                    .map(Self::Ec)
            }
            (PrivateParts::Ed25519 { x, d }, KeyType::Ed25519) => {
                Ed25519KeyPair::from_seed_and_public_key(d, x)
                    .ok()
                    .map(Self::Ed25519)
            }
            _ => None,
        }
    }

    pub(crate) fn mac(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        Some(Self::Mac(Box::new(hmac::Key::new(
            hmac_algorithm(algorithm)?,
            secret,
        ))))
    }

    /// The signature in JOSE form (ECDSA as R || S, RFC 7518 §3.4).
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = rand::SystemRandom::new();
        match self {
            Self::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ec(key) => key
                .sign(&random, message)
                .ok()
                .map(|signature| signature.as_ref().to_vec()),
            Self::Ed25519(key) => Some(key.sign(message).as_ref().to_vec()),
            Self::Mac(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
        }
    }
}

/// Generates a key pair for `algorithm`: RSA with 2048 bits. `None` for HMAC, or if the library
/// fails.
pub(crate) fn generate(algorithm: Algorithm) -> Option<PrivateParts> {
    match algorithm.key_type() {
        KeyType::Rsa => {
            let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048).ok()?.as_der().ok()?;
            rsa_parts_from_pkcs8(der.as_ref())
        }
        KeyType::Ec(curve) => {
            ec_parts(&EcdsaKeyPair::generate(ec_parameters(curve).1).ok()?, curve)
        }
        KeyType::Ed25519 => ed25519_parts(&Ed25519KeyPair::generate().ok()?),
        KeyType::Oct => None,
    }
}

fn ec_parts(pair: &EcdsaKeyPair, curve: Curve) -> Option<PrivateParts> {
    let d: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
    let (x, y) = pair
        .public_key()
        .as_ref()
        .get(1..)?
        .split_at(curve.coordinate_bytes());
    Some(PrivateParts::Ec {
        x: x.to_vec(),
        y: y.to_vec(),
        d: Zeroizing::new(d.as_ref().to_vec()),
    })
}

fn ed25519_parts(pair: &Ed25519KeyPair) -> Option<PrivateParts> {
    let seed: Curve25519SeedBin<'_> = pair.seed().ok()?.as_be_bytes().ok()?;
    Some(PrivateParts::Ed25519 {
        x: pair.public_key().as_ref().to_vec(),
        d: Zeroizing::new(seed.as_ref().to_vec()),
    })
}

/// Reads the parameters of an unencrypted PKCS#8 key of any type offered here (RFC 5958, RFC 8410
/// §7).
pub(crate) fn parts_from_pkcs8(der: &[u8]) -> Option<PrivateParts> {
    rsa_parts_from_pkcs8(der)
        .or_else(|| ec_parts_by(|algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).ok()))
        .or_else(|| ed25519_parts(&Ed25519KeyPair::from_pkcs8(der).ok()?))
}

/// Reads the parameters of an unencrypted EC key in the form of SEC 1 (RFC 5915).
pub(crate) fn ec_parts_from_sec1(der: &[u8]) -> Option<PrivateParts> {
    ec_parts_by(|algorithm| EcdsaKeyPair::from_private_key_der(algorithm, der).ok())
}

/// The parts of a key pair on whichever curve it can be read for.
fn ec_parts_by(
    read: impl Fn(&'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair>,
) -> Option<PrivateParts> {
    let read = |curve| ec_parts(&read(ec_parameters(curve).1)?, curve);
    [Curve::P256, Curve::P384, Curve::P521]
        .into_iter()
        .find_map(read)
}

/// Reads the parameters of an unencrypted PKCS#8 RSA key (RFC 5958).
pub(crate) fn rsa_parts_from_pkcs8(der: &[u8]) -> Option<PrivateParts> {
    let info = pkcs8::PrivateKeyInfoRef::try_from(der)
        .ok()
        .filter(|info| info.algorithm.oid == pkcs1::ALGORITHM_OID)?;
    rsa_parts_from_pkcs1(info.private_key.as_bytes())
}

/// Reads the parameters of an unencrypted PKCS#1 RSA key (RFC 8017 §A.1.2).
pub(crate) fn rsa_parts_from_pkcs1(der: &[u8]) -> Option<PrivateParts> {
    let key = pkcs1::RsaPrivateKeyRef::try_from(der).ok()?;
    let octets = |number: &pkcs8::der::asn1::UintRef<'_>| number.as_bytes().to_vec();
    Some(PrivateParts::Rsa {
        n: octets(&key.modulus),
        e: octets(&key.public_exponent),
        crt: Zeroizing::new([
            octets(&key.private_exponent),
            octets(&key.prime1),
            octets(&key.prime2),
            octets(&key.exponent1),
            octets(&key.exponent2),
            octets(&key.coefficient),
        ]),
    })
}

/// The PKCS#8 DER of an RSA signer.
pub(crate) fn rsa_pkcs8(signer: &Signer) -> Option<Zeroizing<Vec<u8>>> {
    let Signer::Rsa(pair, _) = signer else {
        return None;
    };
    let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    Some(Zeroizing::new(der.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sealed_secrets_open_only_for_their_key_and_purpose() {
        let key = SealingKey::new(&random_bytes());
        let mut sealed = key.seal(b"signing key a", b"secret");
        assert_eq!(
            key.open(b"signing key a", &sealed)
                .as_deref()
                .map(Vec::as_slice),
            Some(&b"secret"[..])
        );
        assert!(key.open(b"signing key b", &sealed).is_none());
        assert!(
            SealingKey::new(&random_bytes())
                .open(b"signing key a", &sealed)
                .is_none()
        );
        sealed[NONCE_LEN] ^= 1;
        assert!(key.open(b"signing key a", &sealed).is_none());
        assert!(key.open(b"signing key a", &sealed[..5]).is_none());
    }

    /// RFC 4231 §4.2
    #[test]
    fn tags_are_those_of_the_standard() {
        let key = MacKey::new(&[0x0b; 20]);
        let tag = key.tag(&[b"Hi ", b"There"]);
        assert_eq!(tag[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
        assert_eq!(tag, key.tag(&[b"Hi There"]));
        assert_ne!(tag, MacKey::new(&[0x0c; 20]).tag(&[b"Hi There"]));
    }

    #[test]
    fn fingerprints_tell_texts_and_keys_apart() {
        let fingerprints = Fingerprints::random();
        let text = [7; 700];
        let is_known = |other: &[u8]| fingerprints.of(&text) == fingerprints.of(other);
        assert!(is_known(&text));
        for octet in 0..text.len() {
            let mut other = text;
            other[octet] ^= 1;
            assert!(!is_known(&other), "{octet}");
            assert!(!is_known(&text[..octet]), "{octet}");
        }
        assert!(fingerprints.of(&text) != Fingerprints::random().of(&text));
        for (one, other) in [(0, 1), (1, 2), (15, 16), (16, 32), (31, 33)] {
            assert!(
                fingerprints.of(&vec![0; one]) != fingerprints.of(&vec![0; other]),
                "{one} and {other} zeros"
            );
        }
    }

    proptest! {
        /// The library multiplies by instructions of the processor, in unsafe code.
        #[test]
        fn fingerprints_are_polyval_bit_by_bit(key: [u8; 16], text in proptest::collection::vec(any::<u8>(), 0..200)) {
            // RFC 8452 §3: `a * b * x^-128` modulo `x^128 + x^127 + x^126 + x^121 + 1`.
            let over_x = |value: u128| (value >> 1) ^ if value & 1 == 1 { 0b1110_0001 << 120 } else { 0 };
            let dot = |a: u128, b: u128| (0..128).fold(0, |sum, bit| over_x(sum ^ if a >> bit & 1 == 1 { b } else { 0 }));
            let mut padded = text.clone();
            padded.resize(text.len().next_multiple_of(16), 0);
            padded.extend((text.len() as u128).to_le_bytes());
            let (blocks, _) = padded.as_chunks();
            let expected = blocks
                .iter()
                .fold(0, |sum, block| dot(sum ^ u128::from_le_bytes(*block), u128::from_le_bytes(key)));
            let Fingerprint(octets) = Fingerprints(Polyval::new(&key.into())).of(&text);
            prop_assert_eq!(u128::from_le_bytes(octets), expected);
        }
    }
}
