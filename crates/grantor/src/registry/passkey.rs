//! The passkeys of people: what a subject signs in with, without a password (WebAuthn Level 3).

use std::{fmt, sync::Arc};

use grantor_jose::{
    Algorithm, Jwk, JwkError, VerificationKey, base64url_decode, base64url_encode, crypto,
};

use super::Revision;
use crate::{
    clock::UnixTime,
    types::{DisplayName, SubjectId},
};

/// A text or octets that are no id of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no credential id: 1 to {} octets in base64url without padding",
    CredentialId::MAX_BYTES
)]
pub struct CredentialIdError;

/// The name that an authenticator gives a passkey (WebAuthn §4, credential ID). Names are in order
/// of their texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(Arc<str>);

impl CredentialId {
    /// Most octets (WebAuthn §4).
    pub const MAX_BYTES: usize = 1023;

    /// Takes the octets of an id.
    ///
    /// # Errors
    /// [`CredentialIdError`]
    pub fn new(octets: &[u8]) -> Result<Self, CredentialIdError> {
        match (1..=Self::MAX_BYTES).contains(&octets.len()) {
            true => Ok(Self(base64url_encode(octets).into())),
            false => Err(CredentialIdError),
        }
    }

    /// Reads an id from base64url, as browsers and stores write it.
    ///
    /// # Errors
    /// [`CredentialIdError`]
    pub fn parse(text: &str) -> Result<Self, CredentialIdError> {
        // Four letters hold three octets.
        if text.len() > Self::MAX_BYTES.div_ceil(3) * 4 {
            return Err(CredentialIdError);
        }
        Self::new(&base64url_decode(text).ok_or(CredentialIdError)?)
    }

    /// The id in base64url.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for CredentialId {
    type Err = CredentialIdError;

    fn from_str(text: &str) -> Result<Self, CredentialIdError> {
        Self::parse(text)
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialId({self})")
    }
}

/// Why a public key is not taken as that of a passkey.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasskeyKeyError {
    /// The key is none, or a weak one.
    #[error(transparent)]
    Jwk(#[from] JwkError),
    /// It is for another algorithm.
    #[error("is not for ES256, Ed25519 or RS256")]
    Algorithm,
    /// No authenticator makes such a one, and each signature takes its time.
    #[error("is an RSA key of more than {} bits", PasskeyKey::MAX_RSA_BYTES * 8)]
    Large,
}

/// The public key of a passkey, and the one algorithm that it is used with.
#[derive(Clone, Debug)]
pub struct PasskeyKey {
    key: Arc<VerificationKey>,
    algorithm: Algorithm,
}

impl PasskeyKey {
    /// The algorithms of passkeys, the best first.
    pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Rs256];
    /// Most octets of an RSA modulus.
    pub const MAX_RSA_BYTES: usize = 512;

    /// Takes the key of a new passkey: an RSA modulus is vetted, which takes milliseconds.
    ///
    /// # Errors
    /// [`PasskeyKeyError`]
    pub fn new(jwk: Jwk) -> Result<Self, PasskeyKeyError> {
        let key = Self::from_stored(jwk)?;
        key.jwk().vet()?;
        Ok(key)
    }

    /// Takes a key that was vetted when the passkey was made: for backends.
    ///
    /// # Errors
    /// [`PasskeyKeyError`]
    pub fn from_stored(jwk: Jwk) -> Result<Self, PasskeyKeyError> {
        let key = VerificationKey::from_jwk(jwk)?;
        let mut algorithms = Self::ALGORITHMS.into_iter();
        let algorithm = algorithms.find(|algorithm| key.accepts(*algorithm));
        let algorithm = algorithm.ok_or(PasskeyKeyError::Algorithm)?;
        if key
            .modulus_bytes()
            .is_some_and(|octets| octets > Self::MAX_RSA_BYTES)
        {
            return Err(PasskeyKeyError::Large);
        }
        let key = Arc::new(key);
        Ok(Self { key, algorithm })
    }

    /// The key.
    pub fn key(&self) -> &VerificationKey {
        &self.key
    }

    /// The algorithm of its signatures.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as a JWK.
    pub fn jwk(&self) -> &Jwk {
        self.key.jwk().expect("the key was made of a JWK")
    }

    /// What records call it by: the beginning of its digest.
    pub fn fingerprint(&self) -> String {
        let jwk = serde_json::to_vec(self.jwk()).expect("a JWK is JSON");
        super::fingerprint(&crypto::sha256(&[&jwk]))
    }
}

impl PartialEq for PasskeyKey {
    fn eq(&self, other: &Self) -> bool {
        self.jwk() == other.jwk()
    }
}

impl Eq for PasskeyKey {}

/// A passkey of a subject. It ends with the subject, and a later subject of the same name has none
/// of it. What changes with each sign-in, such as its counter, is no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passkey {
    /// Its id, which no other passkey has, whosever it is (WebAuthn §7.1).
    pub credential: CredentialId,
    /// Whose it is.
    pub subject: SubjectId,
    /// What its signatures are verified with.
    pub key: PasskeyKey,
    /// What its owner calls it.
    pub name: DisplayName,
    /// When it was made.
    pub created_at: UnixTime,
    /// Which passkey this is, and which state of it.
    pub revision: Revision,
}

impl Passkey {
    /// `subject` signs in with this, too, from now on.
    pub fn new(
        subject: SubjectId,
        credential: CredentialId,
        key: PasskeyKey,
        name: DisplayName,
        created_at: UnixTime,
    ) -> Self {
        Self {
            credential,
            subject,
            key,
            name,
            created_at,
            revision: Revision::default(),
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn renamed(&self, name: DisplayName) -> Self {
        Self {
            name,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use grantor_jose::PrivateJwk;

    use super::*;

    fn jwk(algorithm: Algorithm) -> Jwk {
        let private = PrivateJwk::generate(algorithm).expect("a key");
        private.public()
    }

    #[test]
    fn c092_a_credential_id_has_1_to_1023_octets_in_one_spelling() {
        let longest = vec![7; CredentialId::MAX_BYTES];
        for octets in [&[0][..], &[0xfb, 0xff], &longest] {
            let id = CredentialId::new(octets).expect("an id");
            assert_eq!(CredentialId::parse(id.as_str()), Ok(id.clone()));
            assert_eq!(base64url_decode(id.as_str()), Some(octets.to_vec()));
        }
        let too_long = vec![7; CredentialId::MAX_BYTES + 1];
        assert_eq!(CredentialId::new(&[]), Err(CredentialIdError));
        assert_eq!(CredentialId::new(&too_long), Err(CredentialIdError));
        let endless = "A".repeat(1 << 20);
        for text in ["", "A", "AB", "AA==", "+/8", "A A", &endless] {
            assert_eq!(
                CredentialId::parse(text),
                Err(CredentialIdError),
                "{text:.9}"
            );
        }
        assert!(CredentialId::parse("AA").is_ok(), "the control");
    }

    #[test]
    fn c090_a_passkey_is_for_es256_ed25519_or_rs256() {
        for algorithm in PasskeyKey::ALGORITHMS {
            let key = PasskeyKey::new(jwk(algorithm)).expect("a key");
            assert_eq!(key.algorithm(), algorithm);
            assert!(key.fingerprint().starts_with("sha256:"));
        }
        for algorithm in [Algorithm::Es384, Algorithm::Es512, Algorithm::Ps256] {
            let refused = PasskeyKey::new(jwk(algorithm));
            assert_eq!(refused, Err(PasskeyKeyError::Algorithm), "{algorithm}");
        }
    }

    #[test]
    fn ca42_a_weak_or_endless_rsa_key_is_no_passkey() {
        let rsa = |modulus: &[u8]| {
            let n = base64url_encode(modulus);
            let text = format!(r#"{{"kty":"RSA","e":"AQAB","n":"{n}"}}"#);
            PasskeyKey::new(Jwk::parse(text.as_bytes())?)
        };
        let mut divisible = vec![0xff; 256];
        assert!(matches!(
            rsa(&divisible),
            Err(PasskeyKeyError::Jwk(JwkError::RsaModulus(_)))
        ));
        divisible.truncate(128);
        assert_eq!(
            rsa(&divisible),
            Err(PasskeyKeyError::Jwk(JwkError::RsaBits(1024)))
        );
        assert_eq!(rsa(&[0xff; 513]), Err(PasskeyKeyError::Large));
    }

    #[test]
    fn a_name_is_all_that_is_changed() {
        let passkey = Passkey::new(
            SubjectId::parse("alice").expect("a subject"),
            CredentialId::new(b"id").expect("an id"),
            PasskeyKey::new(jwk(Algorithm::Es256)).expect("a key"),
            DisplayName::parse("laptop").expect("a name"),
            UnixTime::from_millis(1),
        );
        let name = DisplayName::parse("phone").expect("a name");
        let renamed = passkey.renamed(name.clone());
        assert_eq!(renamed, Passkey { name, ..passkey });
    }
}
