//! What another server has registered, in the form of files: a person reads it first, and then gives
//! it to apply. Nothing is registered here, and no secret of the other server is taken over.

mod jwks;
mod keycloak;
mod made;
mod part;

#[cfg(test)]
mod tests;

use serde::Serialize;

use super::{Error, Registrations};
use crate::types::{ClientId, Scope};

/// What was read of another server.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// What can be registered here.
    pub registrations: Registrations,
    /// What has no meaning here, or a person has to decide about: each once.
    pub left_out: Vec<LeftOut>,
}

/// A part that was read, and is not among the registrations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Where it is, as a JSON Pointer (RFC 6901); the whole if empty.
    pub pointer: String,
    /// What it is called there, where it is called something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it is left out, and what can be done about it.
    pub why: String,
}

impl Imported {
    /// Most octets of a text that is read.
    pub const MAX_BYTES: usize = Registrations::MAX_BYTES;

    /// Reads the export of a realm of Keycloak: clients, client scopes, users, and the identity
    /// providers whose JWTs are taken. All that is made of it can be registered, on a server that
    /// accepts the algorithms and knows none of the names; whatever cannot is left out.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is no such export
    pub fn of_keycloak(export: &[u8]) -> Result<Self, Error> {
        keycloak::read(export)
    }

    /// Reads a JWK Set (RFC 7517 §5): a client with these keys and this scope.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it is no set of public keys, or the client cannot be registered
    pub fn of_jwks(set: &[u8], client: &ClientId, scope: &Scope) -> Result<Self, Error> {
        jwks::read(set, client, scope)
    }
}

impl LeftOut {
    /// Most characters of a name that is repeated.
    const NAME_CHARACTERS: usize = 64;

    fn new(pointer: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            name: None,
            why: why.into(),
        }
    }

    /// The same of what is called so.
    fn called(self, name: &str) -> Self {
        let mut shown: String = name.chars().take(Self::NAME_CHARACTERS).collect();
        if shown.len() < name.len() {
            shown.push('…');
        }
        Self {
            name: Some(shown),
            ..self
        }
    }
}
