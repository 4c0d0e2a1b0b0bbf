//! The passwords of people, as digests: what a subject signs in with, beside passkeys.

use std::{fmt, sync::Arc};

use super::Revision;
use crate::{clock::UnixTime, types::SubjectId};

/// A text that is no digest of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a digest by Argon2id in PHC string format, of at most {} octets",
    PasswordDigest::MAX_BYTES
)]
pub struct PasswordDigestError;

/// What is kept of a password: the output of Argon2id, with its salt and parameters, as a PHC
/// string. Never shown. Whoever verifies a password with it caps the parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordDigest(Arc<str>);

impl PasswordDigest {
    /// Most octets.
    pub const MAX_BYTES: usize = 512;

    /// Takes a PHC string of Argon2id.
    ///
    /// # Errors
    /// [`PasswordDigestError`] for another algorithm, such as none: a password itself is never kept.
    pub fn parse(text: &str) -> Result<Self, PasswordDigestError> {
        let is_digest =
            text.starts_with("$argon2id$") && text.bytes().all(|octet| octet.is_ascii_graphic());
        match is_digest && text.len() <= Self::MAX_BYTES {
            true => Ok(Self(text.into())),
            false => Err(PasswordDigestError),
        }
    }

    /// The PHC string: for a backend, and for whoever verifies a password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordDigest(..)")
    }
}

/// The password of a subject. It ends with the subject, and a later subject of the same name has
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Password {
    /// Whose it is.
    pub subject: SubjectId,
    /// What is kept of it.
    pub digest: PasswordDigest,
    /// When it was set.
    pub changed_at: UnixTime,
    /// Which password this is, and which state of it.
    pub revision: Revision,
}

impl Password {
    /// `subject` signs in with this from now on.
    pub fn new(subject: SubjectId, digest: PasswordDigest, changed_at: UnixTime) -> Self {
        Self {
            subject,
            digest,
            changed_at,
            revision: Revision::default(),
        }
    }

    /// Another password in the place of this one.
    #[must_use]
    pub fn changed(&self, digest: PasswordDigest, changed_at: UnixTime) -> Self {
        Self {
            subject: self.subject.clone(),
            digest,
            changed_at,
            revision: self.revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA";

    #[test]
    fn c096_only_a_digest_by_argon2id_is_kept() {
        let digest = PasswordDigest::parse(DIGEST).expect("a digest");
        assert_eq!(digest.expose(), DIGEST);
        let too_long = format!("{DIGEST}{}", "x".repeat(PasswordDigest::MAX_BYTES));
        for text in [
            "",
            "correct horse battery staple",
            "$argon2i$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
            "$2b$12$abcdefghijklmnopqrstuv",
            &DIGEST.replace("m=", "m= "),
            &too_long,
        ] {
            assert_eq!(
                PasswordDigest::parse(text),
                Err(PasswordDigestError),
                "{text}"
            );
        }
    }

    #[test]
    fn a_digest_is_not_shown() {
        let digest = PasswordDigest::parse(DIGEST).expect("a digest");
        let subject = SubjectId::parse("alice").expect("a subject");
        let password = Password::new(subject, digest, UnixTime::from_millis(0));
        assert!(!format!("{password:?}").contains("argon2"));
    }
}
