//! Why a passkey lets nobody in, or is not made.

use grantor::{
    server::{Blame, Refusal},
    storage::StoreError,
    types::{ErrorCode, Rule},
    webauthn::WebauthnError,
};
use http::StatusCode;

use super::MOST;
use crate::pages::Words;

/// The rule that is broken.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// What the browser and the authenticator say is not by the rules of WebAuthn.
    #[error(transparent)]
    Ceremony(#[from] WebauthnError),
    /// The challenge is not good here, or no more.
    #[error("the challenge {0}")]
    Challenge(&'static str),
    /// Nobody has this passkey.
    #[error("no such passkey")]
    Unknown,
    /// Its owner cannot sign in.
    #[error("the subject is disabled")]
    Disabled,
    /// It is somebody else's than the person's who is signed in.
    #[error("the passkey is another person's")]
    OtherPerson,
    /// C092: the passkey is somebody's already.
    #[error("the credential id is taken")]
    Taken,
    /// The person has so many.
    #[error("the person has {MOST} passkeys already")]
    TooMany,
    /// C093: the person could not sign in any more.
    #[error("it is the last way to sign in")]
    LastWay,
    /// Something else was changed at the same time.
    #[error("{0} meanwhile")]
    Overtaken(&'static str),
    /// It is not known: the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PasskeyError {
    /// What a sign-in is answered: one text, one status, whatever is wrong.
    pub fn at_sign_in(self) -> Refusal {
        match self {
            Self::Store(error) => error.into(),
            cause => Refusal::new(
                ErrorCode::ACCESS_DENIED,
                Rule::Passkey,
                "The passkey was not accepted, or this account cannot sign in.",
            )
            .with_status(StatusCode::UNAUTHORIZED)
            .blaming(Blame::FailedProof)
            .because(cause),
        }
    }

    /// What somebody is answered, in these words, who makes or removes one. Somebody else's is not
    /// there (CA31).
    pub fn at_change(self, words: Words) -> Refusal {
        let (status, text) = match &self {
            Self::Store(_) => return self.at_sign_in(),
            Self::Unknown => (StatusCode::NOT_FOUND, words.passkey_unchanged()),
            Self::TooMany => (StatusCode::BAD_REQUEST, words.passkeys_too_many()),
            Self::LastWay => (StatusCode::BAD_REQUEST, words.passkey_last()),
            _ => (StatusCode::BAD_REQUEST, words.passkey_unchanged()),
        };
        Refusal::new(ErrorCode::INVALID_REQUEST, Rule::Passkey, text)
            .with_status(status)
            .because(self)
    }
}
