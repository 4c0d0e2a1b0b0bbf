//! The server's own signing keys as an operator changes them.

use std::time::Duration;

use async_trait::async_trait;
use grantor_jose::Algorithm;
use serde_json::{Value, json};

use super::StoreError;
use crate::{
    clock::UnixTime,
    keys::SigningKeys,
    registry::{Action, Actor, ChangeRecord},
};

/// Keeps signing keys. [`SigningKeys::key_ring`] is the ring of this moment: a change by this
/// process is in it before the change is answered, one by another process within a second. What
/// becomes of each key is recorded with the actor, in the transaction of the change.
#[async_trait]
pub trait KeyStore: SigningKeys {
    /// The signing keys that are published, newest first.
    async fn signing_key_list(&self) -> Result<Vec<SigningKeyInfo>, StoreError>;

    /// Makes a new key, published now, that signs after `ahead`: as long as caches of the key set
    /// may take to notice it. The keys before it stay published for `overlap` after that, which
    /// is the longest life of a token.
    async fn signing_key_rotate(
        &self,
        algorithm: Algorithm,
        ahead: Duration,
        overlap: Duration,
        by: &Actor,
    ) -> Result<SigningKeyInfo, StoreError>;

    /// Removes a key at once: nothing that it signed is accepted here any more, and it is no longer
    /// published. Where it was the one that signs, the next one signs from now on, or a new one of
    /// this algorithm. Answers the keys that are left, newest first.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if no key has this `kid`.
    async fn signing_key_revoke(
        &self,
        key_id: &str,
        algorithm: Algorithm,
        by: &Actor,
    ) -> Result<Vec<SigningKeyInfo>, StoreError>;
}

/// A signing key as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SigningKeyInfo {
    /// `kid`
    pub key_id: String,
    /// `alg`
    pub algorithm: Algorithm,
    /// When it was made.
    pub created_at: UnixTime,
    /// From when it signs.
    pub signs_from: UnixTime,
    /// Until when it is published; `None` for the newest key.
    pub retires_at: Option<UnixTime>,
    /// Whether it signs now.
    pub is_signing: bool,
}

impl SigningKeyInfo {
    /// The newest key, which does not sign yet.
    pub fn new(
        key_id: String,
        algorithm: Algorithm,
        created_at: UnixTime,
        signs_from: UnixTime,
    ) -> Self {
        Self {
            key_id,
            algorithm,
            created_at,
            signs_from,
            retires_at: None,
            is_signing: false,
        }
    }

    /// The records of what a change has made of the keys, as they were listed before and after it:
    /// of kind `signing_key`, by their `kid`. For backends.
    pub fn changes(before: &[Self], after: &[Self], by: &Actor, at: UnixTime) -> Vec<ChangeRecord> {
        let of = |keys: &[Self], key_id: &str| {
            let found = keys.iter().find(|key| key.key_id == key_id);
            found.map(Self::document)
        };
        let new = after.iter().filter(|key| of(before, &key.key_id).is_none());
        let record = |key: &Self| {
            let states = [of(before, &key.key_id), of(after, &key.key_id)];
            let action = match &states {
                [before, after] if before == after => return None,
                [None, _] => Action::Create,
                [_, Some(_)] => Action::Replace,
                [_, None] => Action::Delete,
            };
            let name = ("signing_key", key.key_id.clone());
            Some(ChangeRecord::of(name, action, states, by, at))
        };
        before.iter().chain(new).filter_map(record).collect()
    }

    /// For a record: nothing of the key itself, and nothing that time alone changes.
    fn document(&self) -> Value {
        json!({
            "kid": self.key_id,
            "alg": self.algorithm.name(),
            "created_at": self.created_at,
            "signs_from": self.signs_from,
            "retires_at": self.retires_at,
        })
    }
}
