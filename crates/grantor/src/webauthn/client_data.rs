//! What the browser says of a ceremony, and is signed with it (WebAuthn §5.8.1).

use grantor_jose::{
    crypto::sha256,
    json::{self, Object},
};
use serde_json::Value;

use super::{Expectation, WebauthnError};
use crate::types::Shown;

/// What a passkey is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ceremony {
    /// To be made.
    Create,
    /// To prove that its owner is there.
    Get,
}

impl Ceremony {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// The members of `clientDataJSON`, and its digest.
#[derive(Debug)]
pub(super) struct ClientData {
    ceremony: String,
    challenge: String,
    origin: String,
    cross_origin: bool,
    digest: [u8; 32],
}

impl ClientData {
    pub(super) fn parse(input: &[u8]) -> Result<Self, WebauthnError> {
        let object = json::parse_object(input).map_err(WebauthnError::ClientData)?;
        let text = |name| {
            let text = object.get(name).and_then(Value::as_str);
            text.map(str::to_owned)
                .ok_or(WebauthnError::Malformed(name))
        };
        Ok(Self {
            ceremony: text("type")?,
            challenge: text("challenge")?,
            origin: text("origin")?,
            cross_origin: is_cross_origin(&object)?,
            digest: sha256(&[input]),
        })
    }

    /// The challenge that the browser says it was given, in base64url: nothing is proven by it.
    pub(super) fn challenge(&self) -> &str {
        &self.challenge
    }

    /// SHA-256 of the whole, which the authenticator signs.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(super) fn check(
        &self,
        ceremony: Ceremony,
        expected: &Expectation<'_>,
    ) -> Result<(), WebauthnError> {
        if self.ceremony != ceremony.name() {
            return Err(WebauthnError::Type {
                expected: ceremony.name(),
                got: Shown::of(&self.ceremony),
            });
        }
        if self.challenge != expected.challenge {
            return Err(WebauthnError::Challenge);
        }
        if self.origin != expected.origin {
            return Err(WebauthnError::Origin {
                got: Shown::of(&self.origin),
            });
        }
        match self.cross_origin {
            true => Err(WebauthnError::CrossOrigin),
            false => Ok(()),
        }
    }
}

/// Whether a frame within another origin's page asked. Only such a one has a `topOrigin`.
fn is_cross_origin(object: &Object) -> Result<bool, WebauthnError> {
    match object.get("crossOrigin") {
        None | Some(Value::Bool(false)) => Ok(object.contains_key("topOrigin")),
        Some(Value::Bool(true)) => Ok(true),
        Some(_) => Err(WebauthnError::Malformed("crossOrigin")),
    }
}
