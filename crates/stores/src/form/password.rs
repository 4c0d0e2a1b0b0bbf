//! Passwords: digests, sealed by the master key, so that a copied database is not enough to guess
//! them.

use grantor::{
    clock::UnixTime,
    registry::{Password, PasswordDigest, Revision},
    types::SubjectId,
};

use super::{Unreadable, unreadable};
use crate::MasterKey;

const WHAT: &str = "password";

/// A password as it is stored, and whose it is.
pub(crate) struct PasswordRow {
    pub(crate) subject: String,
    /// The number of the subject's row.
    pub(crate) number: i64,
    pub(crate) sealed: Vec<u8>,
    /// Milliseconds since 1970.
    pub(crate) changed_at: i64,
    pub(crate) revision: Revision,
}

impl PasswordRow {
    pub(crate) fn open(self, master_key: &MasterKey) -> Result<Password, Unreadable> {
        let subject = SubjectId::parse(&self.subject).map_err(|error| unreadable(WHAT, error))?;
        let opened = master_key
            .open(&purpose(self.number), &self.sealed)
            .ok_or_else(|| unreadable(WHAT, "it does not open"))?;
        let text = std::str::from_utf8(&opened).map_err(|error| unreadable(WHAT, error))?;
        let digest = PasswordDigest::parse(text).map_err(|error| unreadable(WHAT, error))?;
        let changed_at = UnixTime::from_millis(self.changed_at);
        let mut password = Password::new(subject, digest, changed_at);
        password.revision = self.revision;
        Ok(password)
    }
}

/// The digest of a password, sealed for the subject whose row has this number.
pub(crate) fn sealed(password: &Password, number: i64, master_key: &MasterKey) -> Vec<u8> {
    master_key.seal(&purpose(number), password.digest.expose().as_bytes())
}

/// Binds a sealed digest to its subject: moved to another row, it does not open.
fn purpose(number: i64) -> String {
    format!("password of subject {number}")
}
