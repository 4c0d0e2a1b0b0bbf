//! Keys that servers have fetched, as operators see them: which, how old, and until when.

use grantor::{
    admin::Error,
    clock::{UnixTime, rfc3339},
    jose::{Algorithm, KeyType},
    keys::{HeldKeys, KeyFailure, PublishedKey},
    registry::TrustedIssuer,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Administration;
use crate::app;

/// What is known of the keys that servers have fetched.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FetchedKeys {
    /// When they were fetched (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub at: UnixTime,
    /// The keys.
    pub keys: Vec<FetchedKey>,
    /// Until when they are fresh (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub life_ends: UnixTime,
    /// From when on they are refused, unless they can be fetched (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub refused_from: UnixTime,
    /// Whether their life is over.
    pub stale: bool,
}

/// A fetch of keys that failed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FailedFetch {
    /// When it began (RFC 3339).
    #[serde(
        serialize_with = "rfc3339::serialize",
        deserialize_with = "rfc3339::read"
    )]
    #[schemars(with = "String")]
    pub at: UnixTime,
    /// Why.
    pub reason: String,
}

impl FailedFetch {
    /// The last fetch of the keys of an issuer by the server of this process, if it failed.
    pub fn of(admin: &Administration, issuer: &TrustedIssuer) -> Option<Self> {
        let server = admin.server.as_ref()?;
        let KeyFailure { at, reason, .. } = server.context().issuer_keys(issuer)?.last_failure?;
        Some(Self { at, reason })
    }
}

/// A key that was fetched.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FetchedKey {
    /// Its `alg`, where that is known.
    pub alg: Option<String>,
    /// Its kind, with its curve.
    pub kind: String,
    /// Its `kid`.
    pub kid: Option<String>,
}

impl FetchedKeys {
    /// What is kept of the keys of an issuer, whichever server has fetched them.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn of(admin: &Administration, issuer: &TrustedIssuer) -> Result<Option<Self>, Error> {
        let keys = app::remote_keys(&admin.config, &admin.store);
        let held = keys.kept(issuer).await?;
        Ok(held.map(|held| Self::held(&held, admin.now())))
    }

    fn held(held: &HeldKeys, now: UnixTime) -> Self {
        Self {
            at: held.loaded_at,
            keys: held.keys.iter().map(FetchedKey::from).collect(),
            life_ends: held.life_ends,
            refused_from: held.stale_ends,
            stale: held.life_ends < now,
        }
    }
}

impl From<&PublishedKey> for FetchedKey {
    fn from(key: &PublishedKey) -> Self {
        Self {
            alg: key
                .algorithm
                .map(|algorithm| Algorithm::name(algorithm).to_owned()),
            kind: kind(key.key_type),
            kid: key.key_id.clone(),
        }
    }
}

/// A kind of key, with its curve.
fn kind(kind: KeyType) -> String {
    match kind {
        KeyType::Rsa => "RSA".to_owned(),
        KeyType::Ec(curve) => format!("EC {}", curve.name()),
        KeyType::Ed25519 => "Ed25519".to_owned(),
        other => format!("{other:?}"),
    }
}
