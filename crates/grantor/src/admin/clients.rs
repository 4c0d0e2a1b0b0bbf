//! Changes of a client, each made from the registration as it is: a store that finds another one
//! meanwhile calls it again ([`client_change`](crate::storage::client_change)).

use std::time::Duration;

use grantor_jose::JwkError;
use zeroize::Zeroizing;

use crate::{
    clock::UnixTime,
    keys::MAX_CANDIDATES,
    registry::{Client, ClientError, ClientKey, ClientSecret},
    types::{AuthMethod, ClientId, Needs},
};

/// Whether a client may use the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is accepted.
    Enabled,
    /// It is refused from its next request on.
    Disabled,
}

/// Why a client is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientChangeError {
    /// The new registration makes no sense.
    #[error(transparent)]
    Registration(#[from] ClientError),
    /// Two keys of one name could not be told apart.
    #[error("client {0} has a key with kid {1} already")]
    KeyExists(ClientId, String),
    /// There is no key of this name.
    #[error("client {0} has no key with kid {1}")]
    NoKey(ClientId, String),
    /// There is no secret to replace.
    #[error("client {0} has no secret")]
    NoSecret(ClientId),
    /// The server would not try all of them.
    #[error("client {0} would have {1} live secrets, and the server tries {MAX_CANDIDATES}")]
    TooManySecrets(ClientId, usize),
}

/// The client, enabled or disabled.
///
/// # Errors
/// [`ClientChangeError::Registration`]
pub fn with_standing(client: &Client, standing: Standing) -> Result<Client, ClientChangeError> {
    let mut metadata = client.metadata().clone();
    metadata.enabled = standing == Standing::Enabled;
    Ok(client.changed(metadata, client.keys().to_vec(), client.secrets().to_vec())?)
}

/// The client with more keys. Those before work as long as they would or, with an overlap, that
/// much longer at most; those that have ended already are left out then.
///
/// # Errors
/// [`ClientChangeError::KeyExists`], [`ClientChangeError::Registration`]
pub fn with_keys(
    client: &Client,
    added: &[ClientKey],
    overlap: Option<Duration>,
    now: UnixTime,
) -> Result<Client, ClientChangeError> {
    let is_there = |name: &&str| client.keys().iter().any(|key| key.key_id() == Some(name));
    if let Some(name) = added.iter().filter_map(ClientKey::key_id).find(is_there) {
        return Err(ClientChangeError::KeyExists(
            client.id().clone(),
            name.to_owned(),
        ));
    }
    let mut keys = match overlap {
        None => client.keys().to_vec(),
        Some(overlap) => client
            .keys()
            .iter()
            .map(|key| key.clone().ending_at(now.plus(overlap)))
            .filter(|key| key.is_live(now))
            .collect(),
    };
    keys.extend(added.iter().cloned());
    Ok(client.changed(client.metadata().clone(), keys, client.secrets().to_vec())?)
}

/// The client without the key of this name: its `kid` or, where it has none, its thumbprint.
///
/// # Errors
/// [`ClientChangeError::NoKey`], [`ClientChangeError::Registration`]
pub fn without_key(client: &Client, name: &str) -> Result<Client, ClientChangeError> {
    let (removed, kept): (Vec<_>, Vec<_>) = client
        .keys()
        .iter()
        .cloned()
        .partition(|key| key.name() == name);
    if removed.is_empty() {
        return Err(ClientChangeError::NoKey(
            client.id().clone(),
            name.to_owned(),
        ));
    }
    Ok(client.changed(client.metadata().clone(), kept, client.secrets().to_vec())?)
}

/// A secret kept in the form that its method needs.
///
/// # Errors
/// [`JwkError::WeakSecret`] where it signs and is too short.
pub fn new_secret(
    method: &AuthMethod,
    secret: &Zeroizing<String>,
    expires_at: Option<UnixTime>,
) -> Result<ClientSecret, JwkError> {
    match method.needs() {
        Some(Needs::ReadableSecret) => ClientSecret::readable(secret.clone(), expires_at),
        _ => Ok(ClientSecret::digest(secret, expires_at)),
    }
}

/// The client with a new secret, beside those that are still live, each of which works until its
/// end or that of the overlap.
///
/// # Errors
/// [`ClientChangeError::NoSecret`], [`ClientChangeError::TooManySecrets`],
/// [`ClientChangeError::Registration`]
pub fn with_secret(
    client: &Client,
    new: ClientSecret,
    overlap: Duration,
    now: UnixTime,
) -> Result<Client, ClientChangeError> {
    if client.secrets().is_empty() {
        return Err(ClientChangeError::NoSecret(client.id().clone()));
    }
    let live = |secret: &ClientSecret| secret.is_live(now);
    let old = client.secrets().iter().filter(|old| live(old)).cloned();
    let old = old.map(|old| old.ending_at(now.plus(overlap))).filter(live);
    let secrets: Vec<_> = std::iter::once(new).chain(old).collect();
    if secrets.len() > MAX_CANDIDATES {
        return Err(ClientChangeError::TooManySecrets(
            client.id().clone(),
            secrets.len(),
        ));
    }
    Ok(client.changed(client.metadata().clone(), client.keys().to_vec(), secrets)?)
}
