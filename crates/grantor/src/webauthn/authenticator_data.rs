//! What the authenticator says (WebAuthn §6.1): 37 octets at fixed places, and what follows them.

use super::{RelyingParty, WebauthnError};

/// The user was there.
const PRESENT: u8 = 1;
/// The user was verified: by PIN, finger or face.
const VERIFIED: u8 = 1 << 2;
/// The credential may be copied to other devices.
const MAY_BE_BACKED_UP: u8 = 1 << 3;
/// It is copied.
const IS_BACKED_UP: u8 = 1 << 4;
/// The new credential follows.
const HAS_CREDENTIAL: u8 = 1 << 6;
/// Extensions follow.
const HAS_EXTENSIONS: u8 = 1 << 7;

/// Octets before the id of a new credential: the model of the authenticator.
const MODEL: usize = 16;

/// Authenticator data taken apart.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    relying_party: &'a [u8; 32],
    flags: u8,
    /// How often it has signed, where it counts that.
    pub(super) counter: u32,
    rest: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, WebauthnError> {
        let parts = octets.split_first_chunk::<32>();
        let parts = parts.and_then(|(party, rest)| Some((party, rest.split_first_chunk::<5>()?)));
        let (relying_party, ([flags, counter @ ..], rest)) = parts.ok_or(
            WebauthnError::AuthenticatorData("is shorter than 37 octets"),
        )?;
        Ok(Self {
            relying_party,
            flags: *flags,
            counter: u32::from_be_bytes(*counter),
            rest,
        })
    }

    /// The rules of both ceremonies.
    pub(super) fn check(&self, expected: &RelyingParty) -> Result<(), WebauthnError> {
        if self.relying_party != expected.digest() {
            return Err(WebauthnError::RelyingParty);
        }
        if !self.has(PRESENT) {
            return Err(WebauthnError::UserPresence);
        }
        if !self.has(VERIFIED) {
            return Err(WebauthnError::UserVerification);
        }
        match self.has(IS_BACKED_UP) && !self.has(MAY_BE_BACKED_UP) {
            true => Err(WebauthnError::BackupState),
            false => Ok(()),
        }
    }

    /// The id of the new credential. The key behind it is CBOR, and not read.
    pub(super) fn new_credential(&self) -> Result<&'a [u8], WebauthnError> {
        if !self.has(HAS_CREDENTIAL) {
            return Err(WebauthnError::AuthenticatorData("has no credential"));
        }
        let id = self.rest.split_at_checked(MODEL).and_then(|(_, rest)| {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (id, key) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
            (!key.is_empty()).then_some(id)
        });
        id.ok_or(WebauthnError::AuthenticatorData(
            "ends within its credential",
        ))
    }

    /// Succeeds if nothing follows but what the flags name, and no new credential (§6.1).
    pub(super) fn check_end(&self) -> Result<(), WebauthnError> {
        if self.has(HAS_CREDENTIAL) {
            return Err(WebauthnError::AuthenticatorData("has a new credential"));
        }
        match self.has(HAS_EXTENSIONS) != self.rest.is_empty() {
            true => Ok(()),
            false => Err(WebauthnError::AuthenticatorData(
                "does not end where its flags say",
            )),
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
