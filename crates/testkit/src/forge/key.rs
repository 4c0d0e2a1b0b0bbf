//! Keys that sign anything: any header, any claims, any algorithm the key can do, also where
//! Grantor itself would not.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::KeyPairComponents,
    signature::{self as sig, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use grantor::jose::{
    Algorithm, Curve, Jwk, KeyType, PrivateJwk, VerificationKey, base64url_decode, base64url_encode,
};
use serde_json::{Map, Value};

/// What is before a point in a `SubjectPublicKeyInfo` (RFC 5480 §2).
const P256_SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 3, 1, 7, 3, 0x42, 0,
];
const P384_SPKI: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x22,
    3, 0x62, 0,
];
/// RFC 8410 §4
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// A key pair or a shared secret.
#[derive(Clone)]
pub struct Key {
    /// What it signs with unless told otherwise.
    pub algorithm: Algorithm,
    jwk: Map<String, Value>,
    /// Empty, of a key pair.
    secret: Vec<u8>,
}

impl Key {
    /// A new key pair.
    pub fn generate(algorithm: Algorithm) -> Arc<Self> {
        let pair = PrivateJwk::generate(algorithm).expect("a key pair");
        let jwk = serde_json::from_str(pair.expose_json()).expect("a JWK is JSON");
        Arc::new(Self {
            algorithm,
            jwk,
            secret: Vec::new(),
        })
    }

    /// A shared secret, for HS256.
    pub fn secret(secret: impl AsRef<[u8]>) -> Arc<Self> {
        Arc::new(Self {
            algorithm: Algorithm::Hs256,
            jwk: Map::new(),
            secret: secret.as_ref().to_vec(),
        })
    }

    /// The same key, signing with another algorithm.
    pub fn with(&self, algorithm: Algorithm) -> Arc<Self> {
        Arc::new(Self {
            algorithm,
            ..self.clone()
        })
    }

    /// The secret, of a shared secret that is text.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.secret).expect("UTF-8")
    }

    /// `kid`; a secret has none.
    pub fn key_id(&self) -> Option<&str> {
        self.jwk.get("kid").and_then(Value::as_str)
    }

    /// The public half as it would be registered; an RSA key without `alg`.
    pub fn public(&self) -> Arc<VerificationKey> {
        self.public_with(&[(
            "alg",
            if self.algorithm.key_type() == KeyType::Rsa {
                Value::Null
            } else {
                self.jwk["alg"].clone()
            },
        )])
    }

    /// The public half with these members instead; `null` removes one.
    pub fn public_with(&self, members: &[(&str, Value)]) -> Arc<VerificationKey> {
        let jwk = self.public_jwk(members).to_string();
        let jwk = Jwk::parse(jwk.as_bytes()).expect("a public JWK");
        Arc::new(VerificationKey::from_jwk(jwk).expect("a usable key"))
    }

    /// The public JWK with these members instead; `null` removes one.
    pub fn public_jwk(&self, members: &[(&str, Value)]) -> Value {
        let mut jwk = self.jwk.clone();
        jwk.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
        for (name, value) in members {
            jwk.insert((*name).to_owned(), value.clone());
        }
        jwk.retain(|_, value| !value.is_null());
        Value::Object(jwk)
    }

    /// The public half as X.509 has it, in DER (SPKI): of an RSA key, what an attacker would use for
    /// an HMAC key.
    pub fn spki(&self) -> Vec<u8> {
        let head: &[u8] = match self.algorithm {
            Algorithm::Es256 => &P256_SPKI,
            Algorithm::Es384 => &P384_SPKI,
            Algorithm::Ed25519 | Algorithm::EdDsa => {
                return [&ED25519_SPKI[..], &self.octets("x")].concat();
            }
            _ => return self.rsa_spki(),
        };
        [head, &[4], &self.octets("x"), &self.octets("y")].concat()
    }

    fn rsa_spki(&self) -> Vec<u8> {
        let pair = self.rsa();
        let der: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .expect("an RSA key has a DER form");
        der.as_ref().to_vec()
    }

    /// A compact JWS of these very octets.
    pub fn jws(&self, header: &str, payload: &[u8]) -> String {
        self.seal(&format!(
            "{}.{}",
            base64url_encode(header),
            base64url_encode(payload)
        ))
    }

    /// A compact JWS over this text, which is to be its first two segments.
    pub(super) fn seal(&self, input: &str) -> String {
        let signature = base64url_encode(self.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// The signature or MAC over `message`, in JOSE form.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self.algorithm.key_type() {
            KeyType::Rsa => {
                let pair = self.rsa();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    rsa_encoding(self.algorithm),
                    &random,
                    message,
                    &mut signature,
                )
                .expect("RSA signs");
                signature
            }
            KeyType::Ec(curve) => {
                let pair = self.ec(curve);
                pair.sign(&random, message)
                    .expect("ECDSA signs")
                    .as_ref()
                    .to_vec()
            }
            KeyType::Ed25519 => {
                let pair =
                    Ed25519KeyPair::from_seed_and_public_key(&self.octets("d"), &self.octets("x"))
                        .expect("a pair");
                pair.sign(message).as_ref().to_vec()
            }
            KeyType::Oct => {
                let key = hmac::Key::new(mac(self.algorithm), &self.secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
            other => unreachable!("{other:?} is not forged"),
        }
    }

    fn rsa(&self) -> RsaKeyPair {
        let [n, e, d, p, q, dp, dq, qi] =
            ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(|name| self.octets(name));
        let public_key = sig::RsaPublicKeyComponents { n, e };
        let components = KeyPairComponents {
            public_key,
            d,
            p,
            q,
            dP: dp,
            dQ: dq,
            qInv: qi,
        };
        RsaKeyPair::from_components(&components).expect("an RSA pair")
    }

    fn ec(&self, curve: Curve) -> EcdsaKeyPair {
        let algorithm = match curve {
            Curve::P256 => &sig::ECDSA_P256_SHA256_FIXED_SIGNING,
            Curve::P384 => &sig::ECDSA_P384_SHA384_FIXED_SIGNING,
            Curve::P521 => &sig::ECDSA_P521_SHA512_FIXED_SIGNING,
            other => unreachable!("{other:?} is not forged"),
        };
        let point = [&[4][..], &self.octets("x"), &self.octets("y")].concat();
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, &self.octets("d"), &point)
            .expect("an EC pair")
    }

    /// A member of the JWK of a key pair, decoded.
    pub fn octets(&self, member: &str) -> Vec<u8> {
        base64url_decode(self.jwk[member].as_str().expect("a text")).expect("base64url")
    }
}

fn rsa_encoding(algorithm: Algorithm) -> &'static dyn sig::RsaEncoding {
    match algorithm {
        Algorithm::Rs256 => &sig::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &sig::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &sig::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &sig::RSA_PSS_SHA256,
        Algorithm::Ps384 => &sig::RSA_PSS_SHA384,
        Algorithm::Ps512 => &sig::RSA_PSS_SHA512,
        other => unreachable!("{other} is not RSA"),
    }
}

fn mac(algorithm: Algorithm) -> hmac::Algorithm {
    match algorithm {
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    }
}

/// The same ES256 token with the other signature that everybody can make of it: (r, n - s) verifies
/// where (r, s) does.
pub fn with_other_s(token: &str) -> String {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (signed, signature) = token.rsplit_once('.').expect("a JWS");
    let mut signature = base64url_decode(signature).expect("base64url");
    let mut borrow = 0;
    for (index, order) in ORDER.into_iter().enumerate().rev() {
        let difference = i16::from(order) - i16::from(signature[32 + index]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + index] = difference.rem_euclid(256) as u8;
    }
    format!("{signed}.{}", base64url_encode(signature))
}
