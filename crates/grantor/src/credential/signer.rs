//! Whoever holds a private key and signs with it: this process, or a key management service.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use grantor_jose::{
    Algorithm, PrivateJwk, SigningError, SigningKey, base64url_encode, crypto, json::Object,
};

use super::{Credential, KeyFile, KeyText, KeyTextError, KeyTextForm};

/// Signs assertions with one key. [`LocalKey`] does it in this process; implement it for a KMS or a
/// hardware module that keeps the key to itself.
///
/// ```
/// use grantor::{credential::{Signer, SignerError}, jose::Algorithm};
/// # struct Kms;
/// # impl Kms { async fn sign(&self, _: &[u8]) -> std::io::Result<Vec<u8>> { Ok(vec![0; 64]) } }
///
/// struct KmsKey { kms: Kms, key_id: String }
///
/// #[async_trait::async_trait]
/// impl Signer for KmsKey {
///     fn algorithm(&self) -> Algorithm { Algorithm::Es256 }
///     fn key_id(&self) -> Option<&str> { Some(&self.key_id) }
///     async fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignerError> {
///         self.kms.sign(signing_input).await.map_err(SignerError::remote)
///     }
/// }
/// ```
#[async_trait]
pub trait Signer: Send + Sync + 'static {
    /// The `alg` of what it signs.
    fn algorithm(&self) -> Algorithm;

    /// The `kid` under which the server knows the key. `None` leaves it out of the header.
    fn key_id(&self) -> Option<&str>;

    /// Further protected header parameters that belong to the key, such as `x5t#S256` (RFC 7515
    /// §4.1.8).
    fn header(&self) -> Object {
        Object::new()
    }

    /// The signature of `signing_input` in JOSE form: for ECDSA R and S side by side and not DER
    /// (RFC 7518 §3.4).
    ///
    /// # Errors
    /// [`SignerError`]
    async fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignerError>;
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The key in this process cannot sign.
    #[error(transparent)]
    Local(#[from] SigningError),
    /// The file with the key cannot be read, or holds none.
    #[error("key {}: {}", .0.display(), .1)]
    File(PathBuf, #[source] KeyTextError),
    /// The file is a key file, which says more than a key: [`KeyFile`](super::KeyFile) reads it.
    #[error("it is a key file, and a private key alone (PEM or JWK) is expected")]
    KeyFile,
    /// A signer elsewhere failed.
    #[error("signer: {0}")]
    Remote(#[source] Box<dyn Error + Send + Sync>),
    /// The signature has not the length of its algorithm. Several KMS answer ECDSA signatures as
    /// DER.
    #[error(
        "the signer's {algorithm} signature has {got} octets, expected {expected} (R and S side by side, not DER)"
    )]
    Length {
        /// The algorithm it signs with.
        algorithm: Algorithm,
        /// Octets of its signatures.
        expected: usize,
        /// Octets that came.
        got: usize,
    },
}

impl SignerError {
    /// From the error of a signer elsewhere.
    pub fn remote(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Remote(error.into())
    }
}

/// A private key in this process.
pub struct LocalKey {
    key: SigningKey,
    key_id: Option<String>,
    header: Object,
}

impl LocalKey {
    /// From a private JWK, under its `kid`.
    ///
    /// # Errors
    /// [`SigningError::Inconsistent`] if the cryptographic library does not take the key.
    pub fn new(key: &PrivateJwk) -> Result<Self, SigningError> {
        Ok(Self {
            key: key.signing_key()?,
            key_id: Some(key.key_id().to_owned()),
            header: Object::new(),
        })
    }

    /// Reads a private JWK (RFC 7517). Its `kid`, where it has one, goes into the header.
    /// `algorithm` is needed for an RSA key without `alg`, and must otherwise agree.
    ///
    /// # Errors
    /// [`SigningError`]
    pub fn from_jwk(json: &[u8], algorithm: Option<Algorithm>) -> Result<Self, SigningError> {
        let key = Self::new(&PrivateJwk::parse(json, algorithm)?)?;
        // `PrivateJwk` names every key; a name the server was not told of would be refused by it.
        let named = grantor_jose::json::parse_object(json).is_ok_and(|jwk| jwk.contains_key("kid"));
        Ok(if named { key } else { key.without_key_id() })
    }

    /// Reads an unencrypted private key in PEM: PKCS#8, PKCS#1 or SEC 1. `algorithm` is needed for
    /// RSA, and must otherwise agree. A PEM has no `kid`; [`LocalKey::with_key_id`] gives it
    /// one.
    ///
    /// # Errors
    /// [`SigningError`]
    pub fn from_pem(pem: &str, algorithm: Option<Algorithm>) -> Result<Self, SigningError> {
        Ok(Self::new(&PrivateJwk::from_pem(pem, algorithm, None)?)?.without_key_id())
    }

    /// Reads a file that holds a private key in PEM or as a JWK, and nothing else.
    ///
    /// # Errors
    /// [`SignerError::File`], [`SignerError::KeyFile`], [`SignerError::Local`]
    pub fn from_file(
        path: impl AsRef<Path>,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, SignerError> {
        let path = path.as_ref();
        Self::from_text(
            &KeyText::read(path).map_err(|error| SignerError::File(path.to_owned(), error))?,
            algorithm,
        )
    }

    /// As [`LocalKey::from_file`], of a file that is read already.
    ///
    /// # Errors
    /// [`SignerError::KeyFile`], [`SignerError::Local`]
    pub fn from_text(text: &KeyText, algorithm: Option<Algorithm>) -> Result<Self, SignerError> {
        match text.form() {
            KeyTextForm::Jwk => Ok(Self::from_jwk(text.expose().as_bytes(), algorithm)?),
            KeyTextForm::Pem => Ok(Self::from_pem(text.expose(), algorithm)?),
            KeyTextForm::KeyFile => Err(SignerError::KeyFile),
        }
    }

    /// A client secret, for `client_secret_jwt` only: elsewhere an HMAC key is no client's key.
    pub(super) fn from_secret(secret: &str, algorithm: Algorithm) -> Result<Self, SigningError> {
        Ok(Self {
            key: SigningKey::from_secret(secret.as_bytes(), algorithm)?,
            key_id: None,
            header: Object::new(),
        })
    }

    /// The same key under another `kid`: the one the server gave it.
    #[must_use]
    pub fn with_key_id(self, key_id: impl Into<String>) -> Self {
        Self {
            key_id: Some(key_id.into()),
            ..self
        }
    }

    /// The same key, without `kid` in the header.
    #[must_use]
    pub fn without_key_id(self) -> Self {
        Self {
            key_id: None,
            ..self
        }
    }

    /// Adds the SHA-256 thumbprint of the key's certificate, in DER, to the header (`x5t#S256`, RFC
    /// 7515 §4.1.8). That it is the certificate of this key is not checked.
    #[must_use]
    pub fn with_certificate_der(mut self, certificate: &[u8]) -> Self {
        let thumbprint = base64url_encode(crypto::sha256(&[certificate]));
        self.header.insert("x5t#S256".to_owned(), thumbprint.into());
        self
    }

    /// As [`LocalKey::with_certificate_der`], from PEM.
    ///
    /// # Errors
    /// [`SigningError::CertificatePem`] if the text is no certificate in PEM.
    pub fn with_certificate_pem(self, pem: &str) -> Result<Self, SigningError> {
        Ok(self.with_certificate_der(&grantor_jose::certificate_from_pem(pem)?))
    }
}

impl KeyFile {
    /// As [`KeyFile::signing_key`], to make assertions with.
    ///
    /// # Errors
    /// [`SigningError`]
    pub fn signer(&self) -> Result<LocalKey, SigningError> {
        match &self.credential {
            Credential::PrivateKey(key) => LocalKey::new(key),
            Credential::Secret(secret) => LocalKey::from_secret(secret, Algorithm::Hs256),
        }
    }
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey")
            .field("alg", &self.key.algorithm())
            .field("kid", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Signer for LocalKey {
    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    fn header(&self) -> Object {
        self.header.clone()
    }

    async fn sign(&self, signing_input: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.key.sign(signing_input)?)
    }
}
