//! A JWK Set: the client whose keys they are.

use grantor_jose::{
    JwkSet, VerificationKey,
    json::{Object, Value},
};
use serde_json::json;

use super::{
    Imported, LeftOut,
    made::{any_terms, fault_of_client},
};
use crate::{
    admin::{Error, Fault, PublicJwks},
    types::{ClientId, Scope},
};

/// The public keys of a set, and what is not taken of it.
pub(super) struct PublicSet {
    pub keys: Value,
    pub is_empty: bool,
    /// The place of each key within the set, and why it is not taken.
    pub skipped: Vec<(String, String)>,
}

impl PublicSet {
    /// Reads a set. The keys in it that cannot be used are passed over.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        // Some editors write a byte order mark (RFC 8259 §8.1).
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let set = JwkSet::parse(text).map_err(|error| error.to_string())?;
        let keys: Vec<_> = set.keys.iter().filter_map(VerificationKey::jwk).collect();
        let skipped = set.skipped.iter().map(|key| {
            let why = format!("this key is not taken: {}", key.reason);
            (format!("/keys/{}", key.index), why)
        });
        Ok(Self {
            is_empty: keys.is_empty(),
            keys: json!(PublicJwks::new(keys.into_iter().cloned().collect())),
            skipped: skipped.collect(),
        })
    }
}

pub(super) fn read(text: &[u8], client: &ClientId, scope: &Scope) -> Result<Imported, Error> {
    let set = PublicSet::parse(text).map_err(|detail| Error::from(Fault::of_all(detail)))?;
    if set.is_empty {
        let reasons = set
            .skipped
            .iter()
            .map(|(place, why)| format!("; {place}: {why}"));
        let detail = format!("no key in it can be used{}", reasons.collect::<String>());
        return Err(Fault::new("keys", detail).into());
    }
    let mut object = Object::new();
    object.insert("client_id".to_owned(), client.as_str().into());
    object.insert(
        "token_endpoint_auth_method".to_owned(),
        "private_key_jwt".into(),
    );
    object.insert("jwks".to_owned(), set.keys);
    if !scope.is_empty() {
        object.insert("scope".to_owned(), scope.to_string().into());
    }
    if let Some(detail) = fault_of_client(object.clone(), &any_terms()) {
        return Err(Fault::of_all(detail).into());
    }
    let mut imported = Imported::default();
    imported.registrations.client.push(Value::Object(object));
    let left_out = set.skipped.into_iter();
    imported.left_out = left_out
        .map(|(place, why)| LeftOut::new(place, why))
        .collect();
    Ok(imported)
}
