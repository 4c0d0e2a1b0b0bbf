//! What operators see of published keys: what a fetch finds, and what is held.

use std::time::Duration;

use grantor_jose::{Algorithm, Jwk, KeyType, SkippedKey};
use url::Url;

use crate::{
    clock::UnixTime,
    remote::{key_set::KeySet, refreshing::Held},
};

/// What one fetch of an issuer's keys found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyReport {
    /// The places of the metadata that were asked, the one that has them last; none where the
    /// metadata are not needed.
    pub asked: Vec<String>,
    /// Where the keys are; `None` where they were uploaded.
    pub jwks_uri: Option<Url>,
    /// The keys that can be used.
    pub keys: Vec<PublishedKey>,
    /// The keys that cannot, and why: those that are not for signatures among them.
    pub skipped: Vec<SkippedKey>,
}

/// A public key that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedKey {
    /// `kid`
    pub key_id: Option<String>,
    /// The kind of key.
    pub key_type: KeyType,
    /// The one algorithm it is for; `None` for RSA without `alg`.
    pub algorithm: Option<Algorithm>,
}

impl From<&Jwk> for PublishedKey {
    fn from(jwk: &Jwk) -> Self {
        Self {
            key_id: jwk.key_id().map(str::to_owned),
            key_type: jwk.key_type(),
            algorithm: jwk.algorithm(),
        }
    }
}

/// What is held of an owner's keys, and why there is nothing newer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyStatus {
    /// The keys that are held, whether they may still be used or not.
    pub held: Option<HeldKeys>,
    /// The last fetch, if it failed.
    pub last_failure: Option<KeyFailure>,
}

/// Keys that are held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldKeys {
    /// When they were fetched.
    pub loaded_at: UnixTime,
    /// Until then they are used like new ones.
    pub life_ends: UnixTime,
    /// Until then they are used while there are no newer ones.
    pub stale_ends: UnixTime,
    /// The keys that can be used.
    pub keys: Vec<PublishedKey>,
}

impl HeldKeys {
    pub(super) fn new(held: &Held<KeySet>, stale: Duration) -> Self {
        let life_ends = held.loaded_at.plus(held.life);
        Self {
            loaded_at: held.loaded_at,
            life_ends,
            stale_ends: life_ends.plus(stale),
            keys: usable(&held.document),
        }
    }
}

/// A fetch that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyFailure {
    /// When it began.
    pub at: UnixTime,
    /// Why, for operators only: it may name addresses.
    pub reason: String,
}

/// The keys of a set that can be used.
pub(super) fn usable(keys: &KeySet) -> Vec<PublishedKey> {
    keys.jwks().map(PublishedKey::from).collect()
}
