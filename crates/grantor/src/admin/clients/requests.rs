//! What operators send to add keys and secrets to a client.

use std::time::Duration;

use grantor_jose::{
    Algorithm, Jwk,
    json::{Object, Value},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::json;

use super::{NewKeys, NewSecret, PublicJwks};
use crate::{
    admin::document::{Document, time},
    clock::UnixTime,
    registry::{algorithm_name, is_default, seconds, whole_seconds},
};

/// Keys that are to be added to a client: those that it brings, or a pair that is made.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NewKeysDocument {
    /// One public key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwk: Option<PublicJwk>,
    /// Several.
    #[serde(skip_serializing_if = "is_default")]
    pub jwks: PublicJwks,
    /// Makes a key pair for this algorithm.
    #[serde(with = "algorithm_name", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub generate: Option<Algorithm>,
    /// When they end (RFC 3339); never if absent.
    #[serde(with = "time::optional", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub expires_at: Option<UnixTime>,
    /// How long the keys before still work, in seconds; as long as they would if absent.
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub overlap: Option<Duration>,
}

/// A public key, as a JWK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicJwk(PublicJwks);

/// A secret that is to be made for a client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct NewSecretDocument {
    /// How long it lives, in seconds; for ever if absent.
    #[serde(with = "seconds", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub lifetime: Option<Duration>,
    /// How long the secrets before still work, in seconds.
    #[serde(with = "whole_seconds", skip_serializing_if = "is_default")]
    #[cfg_attr(feature = "schema", schemars(with = "u64"))]
    pub overlap: Duration,
}

impl Document for NewKeysDocument {
    fn least() -> Object {
        Object::new()
    }
}

impl Document for NewSecretDocument {
    fn least() -> Object {
        Object::new()
    }
}

impl PublicJwk {
    /// The one key.
    pub fn keys(&self) -> &[Jwk] {
        &self.0.keys
    }
}

impl From<NewKeysDocument> for NewKeys {
    fn from(document: NewKeysDocument) -> Self {
        let one = document.jwk.map(|PublicJwk(one)| one.keys);
        let mut keys = one.unwrap_or_default();
        keys.extend(document.jwks.keys);
        Self {
            jwks: PublicJwks::new(keys),
            generate: document.generate,
            expires_at: document.expires_at,
            overlap: document.overlap,
        }
    }
}

impl From<NewSecretDocument> for NewSecret {
    fn from(document: NewSecretDocument) -> Self {
        Self {
            lifetime: document.lifetime,
            overlap: document.overlap,
        }
    }
}

/// Read as the only key of a set.
impl<'de> Deserialize<'de> for PublicJwk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = Value::deserialize(deserializer)?;
        let set = PublicJwks::deserialize(json!({"keys": [key]})).map_err(D::Error::custom)?;
        match set.keys.is_empty() {
            true => Err(D::Error::custom(
                "this key is for others; no server verifies with it",
            )),
            false => Ok(Self(set)),
        }
    }
}

impl Serialize for PublicJwk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.keys.first().serialize(serializer)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for PublicJwk {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PublicJwk".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "description": "A public key, as a JWK."})
    }
}
