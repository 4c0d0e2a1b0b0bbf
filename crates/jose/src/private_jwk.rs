//! Private keys: generating one, reading one, and signing with it.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    Algorithm, Curve, Jwk, KeyType, SigningError, base64url,
    crypto::{self, PrivateParts, Signer},
    json::{self, Members, Object},
    jwk::{octets, octets_of_length},
    pem,
};

/// The private members of an RSA JWK in the order of [`PrivateParts::Rsa`] (RFC 7518 §6.3.2).
const RSA_PRIVATE: [&str; 6] = ["d", "p", "q", "dp", "dq", "qi"];

/// A private JWK. `Debug` shows the public half only; the text is wiped when dropped.
pub struct PrivateJwk {
    json: Zeroizing<String>,
    public: Jwk,
    algorithm: Algorithm,
}

impl PrivateJwk {
    /// A new key pair for `algorithm`, with the RFC 7638 thumbprint as `kid`. RSA keys have 2048
    /// bits.
    ///
    /// # Errors
    /// [`SigningError::NoAlgorithm`] for an HMAC algorithm, which has no key pair;
    /// [`SigningError::Crypto`].
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningError> {
        if algorithm.is_mac() {
            return Err(SigningError::NoAlgorithm);
        }
        Self::from_parts(
            algorithm,
            &crypto::generate(algorithm).ok_or(SigningError::Crypto)?,
            None,
        )
    }

    /// Reads a private JWK. `algorithm` is needed for an RSA key without `alg`, and must otherwise
    /// agree.
    ///
    /// # Errors
    /// [`SigningError`]: not private, malformed, halves that do not belong together, or no algorithm.
    pub fn parse(input: &[u8], algorithm: Option<Algorithm>) -> Result<Self, SigningError> {
        let jwk = json::members(input).map_err(crate::JwkError::from)?;
        if jwk
            .get("use")
            .is_some_and(|key_use| key_use.as_text() != Some("sig"))
        {
            return Err(SigningError::NotForSigning);
        }
        let public = Jwk::public_half(&jwk)?;
        let algorithm = agree(public.algorithm(), algorithm)?;
        let key_id = public.key_id().map(str::to_owned);
        Self::from_parts(algorithm, &private_parts(&jwk, public.key_type())?, key_id)
    }

    /// Reads the one private key in a PEM text, of any form that tools write: PKCS#8 (`PRIVATE
    /// KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`), unencrypted. What else is
    /// there is passed over: bag attributes and other text (RFC 7468 §5.2), certificates.
    /// `algorithm` is needed for RSA, and must otherwise agree. Without `key_id` it is the RFC 7638
    /// thumbprint.
    ///
    /// # Errors
    /// [`SigningError::Pem`] if there is no such key, or more than one;
    /// [`SigningError::NoAlgorithm`], [`crate::JwkError::AlgorithmMismatch`].
    pub fn from_pem(
        pem: &str,
        algorithm: Option<Algorithm>,
        key_id: Option<String>,
    ) -> Result<Self, SigningError> {
        let parts = pem::private_parts(pem)?;
        let public = public_half(&to_json(&private_members(&parts)))?;
        Self::from_parts(agree(public.algorithm(), algorithm)?, &parts, key_id)
    }

    fn from_parts(
        algorithm: Algorithm,
        parts: &PrivateParts,
        key_id: Option<String>,
    ) -> Result<Self, SigningError> {
        Signer::from_parts(algorithm, parts).ok_or(SigningError::Inconsistent)?;
        let mut jwk = private_members(parts);
        jwk.insert("alg".to_owned(), algorithm.name().into());
        let key_id = match key_id {
            Some(key_id) => key_id,
            None => public_half(&to_json(&jwk))?.thumbprint(),
        };
        jwk.insert("kid".to_owned(), key_id.into());
        let json = to_json(&jwk);
        Ok(Self {
            public: public_half(&json)?,
            json,
            algorithm,
        })
    }

    /// The public half, to register with a server.
    pub fn public(&self) -> Jwk {
        self.public.clone()
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`
    pub fn key_id(&self) -> &str {
        self.public
            .key_id()
            .expect("every private JWK is given a kid when made")
    }

    /// The private JWK as JSON. It is the secret: write it where only its owner reads.
    pub fn expose_json(&self) -> &str {
        &self.json
    }

    /// An RSA key as PKCS#8 in PEM; `None` for other keys.
    pub fn expose_rsa_pem(&self) -> Option<Zeroizing<String>> {
        let der = crypto::rsa_pkcs8(&self.signer().ok()?)?;
        let document = pkcs8::SecretDocument::try_from(der.as_slice()).ok()?;
        document.to_pem("PRIVATE KEY", pkcs8::LineEnding::LF).ok()
    }

    /// The key ready to sign.
    ///
    /// # Errors
    /// [`SigningError::Inconsistent`] if the library does not take the key.
    pub fn signing_key(&self) -> Result<SigningKey, SigningError> {
        Ok(SigningKey {
            algorithm: self.algorithm,
            key_id: Some(self.key_id().to_owned()),
            signer: self.signer()?,
        })
    }

    fn signer(&self) -> Result<Signer, SigningError> {
        let jwk = json::members(self.json.as_bytes()).map_err(crate::JwkError::from)?;
        let parts = private_parts(&jwk, self.public.key_type())?;
        Signer::from_parts(self.algorithm, &parts).ok_or(SigningError::Inconsistent)
    }
}

impl fmt::Debug for PrivateJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateJwk")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// The DER of the first certificate in PEM (RFC 7468 §5), for its thumbprint.
///
/// # Errors
/// [`SigningError::CertificatePem`]
pub fn certificate_from_pem(pem: &str) -> Result<Vec<u8>, SigningError> {
    pem::certificate(pem).ok_or(SigningError::CertificatePem)
}

fn to_json(jwk: &Object) -> Zeroizing<String> {
    Zeroizing::new(serde_json::to_string(jwk).expect("a map of strings is JSON"))
}

fn public_half(jwk: &str) -> Result<Jwk, crate::JwkError> {
    Jwk::public_half(&json::members(jwk.as_bytes())?)
}

fn agree(of_key: Option<Algorithm>, asked: Option<Algorithm>) -> Result<Algorithm, SigningError> {
    match (of_key, asked) {
        (Some(key), Some(asked)) if !key.is_same_as(asked) => {
            Err(crate::JwkError::AlgorithmMismatch(key).into())
        }
        (_, Some(algorithm)) | (Some(algorithm), None) => Ok(algorithm),
        (None, None) => Err(SigningError::NoAlgorithm),
    }
}

fn private_parts(jwk: &Members<'_>, key_type: KeyType) -> Result<PrivateParts, SigningError> {
    if jwk.get("d").is_none() {
        return Err(SigningError::NotPrivate);
    }
    Ok(match key_type {
        KeyType::Rsa => {
            let mut crt = Zeroizing::new([const { Vec::new() }; 6]);
            for (part, name) in crt.iter_mut().zip(RSA_PRIVATE) {
                *part = octets(jwk, name)?;
            }
            PrivateParts::Rsa {
                n: octets(jwk, "n")?,
                e: octets(jwk, "e")?,
                crt,
            }
        }
        KeyType::Ec(curve) => {
            let scalar = |name| octets_of_length(jwk, name, curve.coordinate_bytes());
            PrivateParts::Ec {
                x: scalar("x")?,
                y: scalar("y")?,
                d: Zeroizing::new(scalar("d")?),
            }
        }
        KeyType::Ed25519 | KeyType::Oct => PrivateParts::Ed25519 {
            x: octets(jwk, "x")?,
            d: Zeroizing::new(octets_of_length(jwk, "d", 32)?),
        },
    })
}

fn private_members(parts: &PrivateParts) -> Object {
    let encode = |octets: &Vec<u8>| base64url::encode(octets);
    let members: Vec<(&str, String)> = match parts {
        PrivateParts::Rsa { n, e, crt } => {
            let private = RSA_PRIVATE.into_iter().zip(crt.iter().map(encode));
            [
                ("kty", "RSA".to_owned()),
                ("n", encode(n)),
                ("e", encode(e)),
            ]
            .into_iter()
            .chain(private)
            .collect()
        }
        PrivateParts::Ec { x, y, d } => {
            let curve = [Curve::P256, Curve::P384, Curve::P521]
                .into_iter()
                .find(|curve| curve.coordinate_bytes() == x.len());
            let curve = curve.expect("coordinates have the length of their curve");
            vec![
                ("kty", "EC".into()),
                ("crv", curve.name().into()),
                ("x", encode(x)),
                ("y", encode(y)),
                ("d", encode(d)),
            ]
        }
        PrivateParts::Ed25519 { x, d } => {
            vec![
                ("kty", "OKP".into()),
                ("crv", "Ed25519".into()),
                ("x", encode(x)),
                ("d", encode(d)),
            ]
        }
    };
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

/// A key ready to sign with its one algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    key_id: Option<String>,
    signer: Signer,
}

impl SigningKey {
    /// A shared secret for HMAC (`client_secret_jwt`). It has no `kid`.
    ///
    /// # Errors
    /// [`crate::JwkError::WeakSecret`] or [`crate::JwkError::AlgorithmMismatch`].
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, SigningError> {
        crate::VerificationKey::from_secret(secret, Some(algorithm))?;
        let signer = Signer::mac(algorithm, secret).ok_or(SigningError::Crypto)?;
        Ok(Self {
            algorithm,
            key_id: None,
            signer,
        })
    }

    /// The algorithm this key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// `kid`
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The signature of `signing_input` (see [`crate::signing_input`]) in JOSE form (ECDSA as R ||
    /// S, RFC 7518 §3.4).
    ///
    /// # Errors
    /// [`SigningError::Crypto`] if the cryptographic library fails.
    pub fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.signer.sign(signing_input).ok_or(SigningError::Crypto)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("alg", &self.algorithm)
            .field("kid", &self.key_id)
            .finish_non_exhaustive()
    }
}
