//! Clients: metadata and keys are documents of one row, each secret is a row of its own.

use std::borrow::Cow;

use grantor::{
    clock::UnixTime,
    registry::{Client, ClientKey, ClientMetadata, ClientSecret, Revision},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{Unreadable, document, from_document, unreadable};
use crate::MasterKey;

const WHAT: &str = "client";
const SECRET: &str = "client secret";

/// The kind of a secret of which only the digest is kept.
const DIGEST: &str = "digest";
/// That of one that must be readable.
const SEALED: &str = "sealed";

/// A client, of the parts that were read.
pub(crate) fn read(
    metadata: ClientMetadata,
    keys: Vec<ClientKey>,
    secrets: Vec<ClientSecret>,
    revision: Revision,
) -> Result<Client, Unreadable> {
    let client = Client::from_stored(metadata, keys, secrets);
    let client = client.map_err(|error| unreadable(WHAT, error))?;
    Ok(client.with_revision(revision))
}

pub(crate) fn read_metadata(document: &str) -> Result<ClientMetadata, Unreadable> {
    from_document(WHAT, document)
}

/// A key as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredKey<J> {
    /// The JWK: as an object where that keeps it to the letter, otherwise as a text.
    jwk: J,
    /// Milliseconds since 1970.
    expires_at: Option<i64>,
}

/// A client's keys as a document.
pub(crate) fn keys(client: &Client) -> String {
    let stored = |key: &ClientKey| StoredKey {
        jwk: embedded(&key.to_stored()),
        expires_at: key.expires_at.map(UnixTime::millis),
    };
    document(&client.keys().iter().map(stored).collect::<Vec<_>>())
}

/// The inverse of [`keys`]. A key that cannot be used is an error in the log and no obstacle to the
/// client's other keys.
pub(crate) fn read_keys(document: &str, id: &str) -> Result<Vec<ClientKey>, Unreadable> {
    let key = |stored: StoredKey<&RawValue>| {
        let key = ClientKey::from_stored(
            &text_of(stored.jwk)?,
            stored.expires_at.map(UnixTime::from_millis),
        );
        if let Err(error) = key.usable() {
            tracing::error!(client = id, key = %key.name(), %error, "a stored key cannot be used; remove it");
        }
        Ok(key)
    };
    from_document::<Vec<StoredKey<&RawValue>>>(WHAT, document)?
        .into_iter()
        .map(key)
        .collect()
}

/// A JWK's text as a part of JSON.
fn embedded(jwk: &str) -> Box<RawValue> {
    match RawValue::from_string(jwk.to_owned()) {
        // RawValue trims: with space around it the text would not be kept to the letter.
        Ok(object) if object.get().starts_with('{') && object.get().len() == jwk.len() => object,
        _ => serde_json::value::to_raw_value(jwk).expect("a text is JSON"),
    }
}

/// The inverse of [`embedded`].
fn text_of(jwk: &RawValue) -> Result<Cow<'_, str>, Unreadable> {
    match jwk.get() {
        object if object.starts_with('{') => Ok(object.into()),
        text => Ok(Cow::Owned(from_document(WHAT, text)?)),
    }
}

/// A secret as it is stored.
pub(crate) struct SecretRow {
    pub(crate) kind: Cow<'static, str>,
    /// The digest, or the secret sealed by the master key.
    pub(crate) value: Vec<u8>,
    /// Milliseconds since 1970.
    pub(crate) expires_at: Option<i64>,
}

impl SecretRow {
    /// A secret of the client with this id.
    pub(crate) fn new(secret: &ClientSecret, id: &str, master_key: &MasterKey) -> Self {
        let (kind, value) = match (secret.stored_digest(), secret.expose()) {
            (Some(digest), _) => (DIGEST, digest.to_vec()),
            (None, secret) => (
                SEALED,
                master_key.seal(&purpose(id), secret.unwrap_or_default().as_bytes()),
            ),
        };
        Self {
            kind: kind.into(),
            value,
            expires_at: secret.expires_at.map(UnixTime::millis),
        }
    }

    /// The inverse of [`SecretRow::new`].
    pub(crate) fn open(self, id: &str, master_key: &MasterKey) -> Result<ClientSecret, Unreadable> {
        let expires_at = self.expires_at.map(UnixTime::from_millis);
        if self.kind == DIGEST {
            let digest = self.value.try_into();
            let digest = digest.map_err(|_| unreadable(SECRET, "not 32 octets"))?;
            return Ok(ClientSecret::from_digest(digest, expires_at));
        }
        let opened = master_key
            .open(&purpose(id), &self.value)
            .ok_or_else(|| unreadable(SECRET, "it does not open"))?;
        let text = std::str::from_utf8(&opened).map_err(|error| unreadable(SECRET, error))?;
        let secret = ClientSecret::readable(Zeroizing::new(text.to_owned()), expires_at);
        secret.map_err(|error| unreadable(SECRET, error))
    }
}

/// Binds a sealed secret to its client: moved to another row, it does not open.
fn purpose(id: &str) -> String {
    format!("client secret {id}")
}

/// The one word that a value is in documents.
pub(crate) fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value);
    value
        .ok()
        .as_ref()
        .and_then(|value| value.as_str())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_for_its_client_alone() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let master_key = MasterKey::create(&directory.path().join("master.key")).expect("a key");
        let text = "k".repeat(64);
        let end = Some(UnixTime::from_millis(5_000));
        let secret = ClientSecret::readable(Zeroizing::new(text.clone()), end).expect("a secret");
        let row = || SecretRow::new(&secret, "a", &master_key);
        let opened = row().open("a", &master_key).expect("it opens");
        assert_eq!(
            (opened.expose(), opened.expires_at),
            (Some(text.as_str()), end)
        );
        let error = row().open("b", &master_key).expect_err("of another client");
        assert_eq!(
            error.to_string(),
            "stored client secret cannot be read: it does not open"
        );
    }

    #[test]
    fn a_digest_is_kept_as_it_is() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let master_key = MasterKey::create(&directory.path().join("master.key")).expect("a key");
        let row = SecretRow::new(&ClientSecret::from_digest([7; 32], None), "a", &master_key);
        assert_eq!((&*row.kind, &row.value), ("digest", &vec![7; 32]));
        let read = row.open("a", &master_key).expect("it is one");
        assert_eq!(read.stored_digest(), Some(&[7; 32]));
        let short = SecretRow {
            kind: DIGEST.into(),
            value: vec![7; 31],
            expires_at: None,
        };
        assert!(short.open("a", &master_key).is_err());
    }
}
