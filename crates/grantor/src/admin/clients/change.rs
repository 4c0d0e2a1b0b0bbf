//! Changes of a client, each made from the registration as it is: a store that finds another one
//! meanwhile calls it again.

use std::time::Duration;

use super::{
    super::{Conflict, Error, Fault, Named, Patch, ServerTerms, Standing, document::Document as _},
    ClientDocument,
    document::{JWKS, KEYS},
};
use crate::{
    admin::{error::none_of, terms::SIGNING_ALGORITHM},
    clock::UnixTime,
    keys::MAX_CANDIDATES,
    registry::{Client, ClientError, ClientKey, ClientMetadata, ClientSecret},
};

/// The client with other parts.
fn with(
    client: &Client,
    metadata: ClientMetadata,
    keys: Vec<ClientKey>,
    secrets: Vec<ClientSecret>,
) -> Result<Client, Error> {
    let changed = client.changed(metadata, keys, secrets);
    changed.map_err(|error: ClientError| Fault::from(error).into())
}

/// The client, enabled or disabled.
pub(super) fn with_standing(client: &Client, standing: Standing) -> Result<Client, Error> {
    let mut metadata = client.metadata().clone();
    metadata.enabled = standing == Standing::Enabled;
    with(
        client,
        metadata,
        client.keys().to_vec(),
        client.secrets().to_vec(),
    )
}

/// The client with the members of a patch. Keys and secrets that it does not name stay as they are,
/// unusable ones included.
pub(super) fn with_patch(
    client: &Client,
    patch: &Patch,
    terms: &ServerTerms,
    now: UnixTime,
) -> Result<Client, Error> {
    let before = ClientDocument::of(client, now);
    let after = before.patched(patch)?;
    none_of(after.faults_as_successor_of(&before))?;
    let keys = match patch.names(JWKS) || patch.names(KEYS) {
        true => after.public_keys()?,
        false => client.keys().to_vec(),
    };
    let metadata = after.metadata(client.metadata().created_at);
    let mut faults = Vec::new();
    if patch.names(JWKS) {
        faults.extend(terms.faults_of_keys(&keys));
    }
    if patch.names(SIGNING_ALGORITHM) {
        faults.extend(terms.fault_of_algorithm(&metadata, &keys));
    }
    let changed = with(client, metadata, keys, client.secrets().to_vec());
    match changed {
        Err(Error::Invalid(more)) => Err(Error::Invalid([more, faults].concat())),
        changed => none_of(faults).and(changed),
    }
}

/// The client as this document has it, with these secrets. Keys of which the document says nothing
/// new stay as they are, unusable ones included.
///
/// # Errors
/// All faults.
pub(in crate::admin) fn with_document(
    client: &Client,
    after: &ClientDocument,
    secrets: Vec<ClientSecret>,
    terms: &ServerTerms,
    now: UnixTime,
) -> Result<Client, Vec<Fault>> {
    let before = ClientDocument::of(client, now);
    let has_other_keys = !after.has_keys_of(&before);
    let keys = match has_other_keys {
        true => after.public_keys()?,
        false => client.keys().to_vec(),
    };
    let metadata = after.metadata(client.metadata().created_at);
    let mut faults = Vec::new();
    if metadata.auth_method != client.metadata().auth_method {
        faults.extend(terms.fault_of_method(&metadata.auth_method));
    }
    if has_other_keys {
        faults.extend(terms.faults_of_keys(&keys));
    }
    if has_other_keys || metadata.signing_algorithm != client.metadata().signing_algorithm {
        faults.extend(terms.fault_of_algorithm(&metadata, &keys));
    }
    match client.changed(metadata.clone(), keys.clone(), secrets.clone()) {
        Ok(changed) if faults.is_empty() => Ok(changed),
        Ok(_) => Err(faults),
        Err(first) => {
            let all = Client::problems(&metadata, &keys, &secrets);
            let all = if all.is_empty() { vec![first] } else { all };
            faults.extend(all.into_iter().map(Fault::from));
            Err(faults)
        }
    }
}

/// The client with more keys. Those before work as long as they would or, with an overlap, that
/// much longer at most; those that have ended already are left out then.
pub(super) fn with_keys(
    client: &Client,
    added: &[ClientKey],
    overlap: Option<Duration>,
    now: UnixTime,
) -> Result<Client, Error> {
    let is_there = |name: &&str| client.keys().iter().any(|key| key.key_id() == Some(name));
    if let Some(name) = added.iter().filter_map(ClientKey::key_id).find(is_there) {
        let named = Named::ClientKey(client.id().clone(), name.to_owned());
        return Err(Error::Exists(named));
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
    with(
        client,
        client.metadata().clone(),
        keys,
        client.secrets().to_vec(),
    )
}

/// The client without the key of this name: its `kid` or, where it has none, its thumbprint.
pub(super) fn without_key(client: &Client, name: &str) -> Result<Client, Error> {
    let (removed, kept): (Vec<_>, Vec<_>) = client
        .keys()
        .iter()
        .cloned()
        .partition(|key| key.name() == name);
    if removed.is_empty() {
        let named = Named::ClientKey(client.id().clone(), name.to_owned());
        return Err(Error::NotFound(named));
    }
    let changed = client.changed(client.metadata().clone(), kept, client.secrets().to_vec());
    of_last(client, changed)
}

/// The client without the secret of this name: the beginning of its digest.
pub(super) fn without_secret(client: &Client, name: &str) -> Result<Client, Error> {
    let mut secrets = client.secrets().to_vec();
    secrets.retain(|secret| secret.fingerprint() != name);
    if secrets.len() == client.secrets().len() {
        let named = Named::ClientSecret(client.id().clone(), name.to_owned());
        return Err(Error::NotFound(named));
    }
    let keys = client.keys().to_vec();
    of_last(
        client,
        client.changed(client.metadata().clone(), keys, secrets),
    )
}

/// A client that would be left without a key or secret is in the way, and nothing is malformed.
fn of_last(client: &Client, changed: Result<Client, ClientError>) -> Result<Client, Error> {
    changed.map_err(|error| match error {
        ClientError::NoKey | ClientError::NoSecret(_) => {
            Error::Conflict(Conflict::LastKey(client.id().clone(), error))
        }
        other => Fault::from(other).into(),
    })
}

/// The client with a new secret, beside those that are still live, each of which works until its
/// end or that of the overlap.
pub(super) fn with_secret(
    client: &Client,
    new: ClientSecret,
    overlap: Duration,
    now: UnixTime,
) -> Result<Client, Error> {
    let id = || client.id().clone();
    if client.secrets().is_empty() {
        return Err(Error::Conflict(Conflict::NoSecret(id())));
    }
    let live = |secret: &ClientSecret| secret.is_live(now);
    let old = client.secrets().iter().filter(|old| live(old)).cloned();
    let old = old.map(|old| old.ending_at(now.plus(overlap))).filter(live);
    let secrets: Vec<_> = std::iter::once(new).chain(old).collect();
    if secrets.len() > MAX_CANDIDATES {
        let conflict = Conflict::TooManySecrets(id(), secrets.len(), MAX_CANDIDATES);
        return Err(Error::Conflict(conflict));
    }
    with(
        client,
        client.metadata().clone(),
        client.keys().to_vec(),
        secrets,
    )
}
