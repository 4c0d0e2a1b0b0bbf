//! Passkeys: the public key is a JWK.

use grantor::{
    clock::UnixTime,
    jose::Jwk,
    registry::{CredentialId, Passkey, PasskeyKey, Revision},
    types::{DisplayName, SubjectId},
};

use super::{Unreadable, unreadable};

const WHAT: &str = "passkey";

/// A passkey as it is stored, and whose it is.
pub(crate) struct PasskeyRow<'r> {
    pub(crate) credential: &'r str,
    pub(crate) subject: &'r str,
    pub(crate) key: &'r str,
    pub(crate) name: &'r str,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
    pub(crate) revision: Revision,
}

impl PasskeyRow<'_> {
    pub(crate) fn read(self) -> Result<Passkey, Unreadable> {
        let credential = CredentialId::parse(self.credential);
        let credential = credential.map_err(|error| unreadable(WHAT, error))?;
        let subject = SubjectId::parse(self.subject).map_err(|error| unreadable(WHAT, error))?;
        let jwk = Jwk::parse(self.key.as_bytes()).map_err(|error| unreadable(WHAT, error))?;
        let key = PasskeyKey::from_stored(jwk).map_err(|error| unreadable(WHAT, error))?;
        let name = DisplayName::parse(self.name).map_err(|error| unreadable(WHAT, error))?;
        let created_at = UnixTime::from_millis(self.created_at);
        let mut passkey = Passkey::new(subject, credential, key, name, created_at);
        passkey.revision = self.revision;
        Ok(passkey)
    }
}

/// The public key as a document.
pub(crate) fn key(passkey: &Passkey) -> String {
    serde_json::to_string(passkey.key.jwk()).expect("a JWK is JSON")
}
