//! Whose keys are published, and who hears of it when they are fetched.

use std::fmt;

use url::Url;

use crate::{
    registry::{Client, TrustedIssuer},
    remote::KeySetError,
    types::{ClientId, IssuerId, Name},
};

/// The owner of keys that are published: a registration, which another of the same name is not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyOwner {
    /// A client with a `jwks_uri`.
    Client {
        /// `client_id`
        id: ClientId,
        /// The number of the registration ([`Revision::number`](crate::registry::Revision)).
        number: u64,
    },
    /// An issuer.
    Issuer {
        /// `iss`
        id: IssuerId,
        /// What operators call it.
        name: Name,
        /// The number of the registration ([`Revision::number`](crate::registry::Revision)).
        number: u64,
    },
}

impl KeyOwner {
    /// This client.
    pub fn of_client(client: &Client) -> Self {
        Self::Client {
            id: client.id().clone(),
            number: client.revision().number,
        }
    }

    /// This issuer.
    pub fn of_issuer(issuer: &TrustedIssuer) -> Self {
        Self::Issuer {
            id: issuer.id.clone(),
            name: issuer.name.clone(),
            number: issuer.revision.number,
        }
    }
}

/// What a registration is told by, whatever it is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum OwnerId {
    Client(ClientId, u64),
    Issuer(IssuerId, u64),
}

impl From<&KeyOwner> for OwnerId {
    fn from(owner: &KeyOwner) -> Self {
        match owner {
            KeyOwner::Client { id, number } => Self::Client(id.clone(), *number),
            KeyOwner::Issuer { id, number, .. } => Self::Issuer(id.clone(), *number),
        }
    }
}

impl fmt::Display for KeyOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client { id, .. } => write!(f, "client {id}"),
            Self::Issuer { name, .. } => write!(f, "issuer {name}"),
        }
    }
}

/// Hears what becomes of fetches: for metrics and records. Callers wait for keys meanwhile, so it
/// must not take long.
pub trait KeysObserver: Send + Sync + 'static {
    /// Keys were fetched. `keys` of them can be used.
    fn fetched(&self, owner: &KeyOwner, keys: usize);

    /// Keys could not be fetched. The reason is for operators only: it may name addresses.
    fn failed(&self, owner: &KeyOwner, error: &KeySetError);

    /// An issuer's metadata name another place for its keys than before.
    fn jwks_uri_changed(&self, owner: &KeyOwner, before: &Url, now: &Url);
}
