//! Tokens that no honest library makes: any header, any claims, any octets for a signature. Every
//! member of header and claims is JSON as written, so that a test can say `1e400`, or say a thing
//! twice.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::KeyPairComponents,
    signature::{self as sig, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair},
};
use grantor::jose::{Algorithm, Curve, KeyType, PrivateJwk, base64url_decode, base64url_encode};
use serde_json::{Map, Value};

/// A key that is registered nowhere.
pub static ATTACKER: LazyLock<Key> = LazyLock::new(|| Key::generate(Algorithm::Es256));

/// A key pair or a shared secret.
#[derive(Clone)]
pub struct Key {
    pub algorithm: Algorithm,
    jwk: Map<String, Value>,
}

impl Key {
    pub fn generate(algorithm: Algorithm) -> Self {
        let pair = PrivateJwk::generate(algorithm).expect("a key pair");
        Self {
            algorithm,
            jwk: serde_json::from_str(pair.expose_json()).expect("a JWK is JSON"),
        }
    }

    /// A shared secret, for HS256.
    pub fn secret(octets: impl AsRef<[u8]>) -> Self {
        let k = ("k".to_owned(), base64url_encode(octets).into());
        Self {
            algorithm: Algorithm::Hs256,
            jwk: Map::from_iter([k]),
        }
    }

    /// The same key, signing with another algorithm.
    pub fn with(&self, algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            jwk: self.jwk.clone(),
        }
    }

    /// `kid`; a secret has none.
    pub fn key_id(&self) -> Option<&str> {
        self.jwk.get("kid")?.as_str()
    }

    /// The public JWK with these members instead; `null` removes one.
    pub fn public(&self, members: &[(&str, Value)]) -> Value {
        let mut jwk = self.jwk.clone();
        jwk.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
        jwk.extend(
            members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        jwk.retain(|_, value| !value.is_null());
        Value::Object(jwk)
    }

    /// The public half as DER (SPKI): what an attacker would use for an HMAC key.
    pub fn spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self
            .rsa()
            .public_key()
            .as_der()
            .expect("an RSA key has a DER form");
        der.as_ref().to_vec()
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
            KeyType::Ec(curve) => self
                .ec(curve)
                .sign(&random, message)
                .expect("ECDSA signs")
                .as_ref()
                .to_vec(),
            KeyType::Ed25519 => {
                let pair =
                    Ed25519KeyPair::from_seed_and_public_key(&self.octets("d"), &self.octets("x"))
                        .expect("a pair");
                pair.sign(message).as_ref().to_vec()
            }
            KeyType::Oct => {
                let hash = match self.algorithm {
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    Algorithm::Hs512 => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                hmac::sign(&hmac::Key::new(hash, &self.octets("k")), message)
                    .as_ref()
                    .to_vec()
            }
        }
    }

    /// A member of the JWK, decoded.
    pub fn octets(&self, member: &str) -> Vec<u8> {
        base64url_decode(self.jwk[member].as_str().expect("a text")).expect("base64url")
    }

    fn rsa(&self) -> RsaKeyPair {
        let [n, e, d, p, q, dp, dq, qi] =
            ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(|name| self.octets(name));
        let public_key = sig::RsaPublicKeyComponents { n, e };
        RsaKeyPair::from_components(&KeyPairComponents {
            public_key,
            d,
            p,
            q,
            dP: dp,
            dQ: dq,
            qInv: qi,
        })
        .expect("an RSA pair")
    }

    fn ec(&self, curve: Curve) -> EcdsaKeyPair {
        let algorithm = match curve {
            Curve::P256 => &sig::ECDSA_P256_SHA256_FIXED_SIGNING,
            Curve::P384 => &sig::ECDSA_P384_SHA384_FIXED_SIGNING,
            Curve::P521 => &sig::ECDSA_P521_SHA512_FIXED_SIGNING,
        };
        let point = [&[4][..], &self.octets("x"), &self.octets("y")].concat();
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, &self.octets("d"), &point)
            .expect("an EC pair")
    }
}

fn rsa_encoding(algorithm: Algorithm) -> &'static dyn sig::RsaEncoding {
    match algorithm {
        Algorithm::Rs384 => &sig::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &sig::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &sig::RSA_PSS_SHA256,
        Algorithm::Ps384 => &sig::RSA_PSS_SHA384,
        Algorithm::Ps512 => &sig::RSA_PSS_SHA512,
        _ => &sig::RSA_PKCS1_SHA256,
    }
}

/// Header and claims, each a list of names and JSON texts, and the key that signs.
#[derive(Clone)]
pub struct Jwt<'k> {
    header: Vec<(String, String)>,
    claims: Vec<(String, String)>,
    key: &'k Key,
}

impl<'k> Jwt<'k> {
    /// Without any member.
    pub fn new(key: &'k Key) -> Self {
        Self {
            header: Vec::new(),
            claims: Vec::new(),
            key,
        }
    }

    /// Signed by this key, whatever the header says.
    pub fn by(self, key: &'k Key) -> Self {
        Self { key, ..self }
    }

    /// As [`Jwt::by`], the header naming the key's algorithm, and no `kid`.
    pub fn openly_by(self, key: &'k Key) -> Self {
        self.header("alg", quote(key.algorithm.name()))
            .without_header("kid")
            .by(key)
    }

    /// This header parameter and no other of the name.
    pub fn header(mut self, name: &str, json: impl Into<String>) -> Self {
        put(&mut self.header, name, json.into());
        self
    }

    /// This header parameter once more.
    pub fn header_again(mut self, name: &str, json: impl Into<String>) -> Self {
        self.header.push((name.to_owned(), json.into()));
        self
    }

    pub fn without_header(mut self, name: &str) -> Self {
        self.header.retain(|(known, _)| known != name);
        self
    }

    /// This claim and no other of the name.
    pub fn claim(mut self, name: &str, json: impl Into<String>) -> Self {
        put(&mut self.claims, name, json.into());
        self
    }

    /// As [`Jwt::claim`], the value being a text.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.claim(name, quote(value))
    }

    /// This claim once more.
    pub fn claim_again(mut self, name: &str, json: impl Into<String>) -> Self {
        self.claims.push((name.to_owned(), json.into()));
        self
    }

    /// This claim in front of all others, once more.
    pub fn claim_before(mut self, name: &str, json: impl Into<String>) -> Self {
        self.claims.insert(0, (name.to_owned(), json.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.claims.retain(|(known, _)| known != name);
        self
    }

    pub fn header_text(&self) -> String {
        object(&self.header)
    }

    pub fn payload_text(&self) -> String {
        object(&self.claims)
    }

    /// The first two segments.
    pub fn signing_input(&self) -> String {
        format!(
            "{}.{}",
            base64url_encode(self.header_text()),
            base64url_encode(self.payload_text())
        )
    }

    /// A compact JWS.
    pub fn sign(&self) -> String {
        self.with_signature(|signature| signature)
    }

    /// A compact JWS with what is made of its signature.
    pub fn with_signature(&self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        let input = self.signing_input();
        let signature = change(self.key.sign(input.as_bytes()));
        format!("{input}.{}", base64url_encode(signature))
    }

    /// A compact JWS over this text in place of the header.
    pub fn with_header_octets(&self, header: impl AsRef<[u8]>) -> String {
        self.seal(
            base64url_encode(header),
            base64url_encode(self.payload_text()),
        )
    }

    /// A compact JWS over these octets in place of the claims.
    pub fn with_payload_octets(&self, payload: impl AsRef<[u8]>) -> String {
        self.seal(
            base64url_encode(self.header_text()),
            base64url_encode(payload),
        )
    }

    /// A compact JWS over these two segments, as they are.
    pub fn seal(&self, header: String, payload: String) -> String {
        let input = format!("{header}.{payload}");
        let signature = self.key.sign(input.as_bytes());
        format!("{input}.{}", base64url_encode(signature))
    }
}

/// A JSON string.
pub fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// The three segments of a compact JWS.
pub fn segments(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().expect("three segments")
}

fn put(members: &mut Vec<(String, String)>, name: &str, json: String) {
    match members.iter_mut().find(|(known, _)| known == name) {
        Some((_, value)) => *value = json,
        None => members.push((name.to_owned(), json)),
    }
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(name, json)| format!("{}:{json}", quote(name)))
        .collect();
    format!("{{{}}}", members.join(","))
}
