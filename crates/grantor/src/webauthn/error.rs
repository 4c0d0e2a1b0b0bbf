//! Why a ceremony proves nothing.

use grantor_jose::{JsonError, PublicPemError};

use crate::{registry::PasskeyKeyError, types::Shown};

/// The rule of WebAuthn §7 that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebauthnError {
    /// More octets than [`MAX_BYTES`](super::MAX_BYTES).
    #[error("what the browser sent is too large")]
    TooLarge,
    /// What was sent is no JSON object.
    #[error("credential: {0}")]
    Json(JsonError),
    /// `clientDataJSON` is no JSON object.
    #[error("client data: {0}")]
    ClientData(JsonError),
    /// A member is missing, or is something else than it has to be.
    #[error("member '{0}' is missing or malformed")]
    Malformed(&'static str),
    /// It is about another ceremony.
    #[error("client data is for {got}, expected {expected}")]
    Type {
        /// The ceremony.
        expected: &'static str,
        /// What it says.
        got: Shown,
    },
    /// The challenge is not the one that this browser was given for this purpose.
    #[error("the challenge is another one")]
    Challenge,
    /// A page of another origin asked.
    #[error("client data is of the origin {got}")]
    Origin {
        /// The origin that it says.
        got: Shown,
    },
    /// A frame in a page of another origin asked.
    #[error("a frame within another origin's page asked")]
    CrossOrigin,
    /// The authenticator data is not of its form.
    #[error("authenticator data {0}")]
    AuthenticatorData(&'static str),
    /// The authenticator signed for another party.
    #[error("authenticator data is for another relying party")]
    RelyingParty,
    /// Nobody touched the authenticator.
    #[error("the user was not present")]
    UserPresence,
    /// The authenticator did not ask for PIN, finger or face.
    #[error("the user was not verified")]
    UserVerification,
    /// A credential that cannot be copied is copied.
    #[error("the credential is backed up, and may not be")]
    BackupState,
    /// The new credential has another id than the browser says, or none.
    #[error("the credential id is another one than in the authenticator data")]
    CredentialId,
    /// The new key cannot be read.
    #[error("public key: {0}")]
    Spki(#[from] PublicPemError),
    /// The new key is refused.
    #[error("public key: {0}")]
    Key(#[from] PasskeyKeyError),
    /// The new key is said to be for another algorithm than it is, or for one that nobody asked
    /// for.
    #[error("public key is said to be for the COSE algorithm {0}")]
    Algorithm(i64),
    /// The passkey is somebody else's.
    #[error("the passkey is not of the user that its authenticator names")]
    UserHandle,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// The counter did not grow: somebody may have copied the authenticator.
    #[error("the counter went from {known} to {got}")]
    Counter {
        /// Where it stood.
        known: u32,
        /// Where it is said to stand.
        got: u32,
    },
}
