//! What was fetched is kept among the artifacts: a process that starts while a server is down has
//! its keys, and another process can tell how old they are.

use std::{sync::Arc, time::Duration};

use grantor_jose::JwkSet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::{KeyOwner, report::HeldKeys};
use crate::{
    clock::UnixTime,
    remote::{key_set::KeySet, refreshing::Held},
    storage::{Artifact, ArtifactKey, ArtifactKind, Artifacts, StoreError},
};

/// Keys as they are kept: the public keys that can be used, as a JWK Set.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// From where, in words: of a registration that names another place by now, they are not used.
    place: String,
    jwks: Value,
    /// Where the metadata said that the keys are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) jwks_uri: Option<Url>,
    loaded_at: UnixTime,
    /// In seconds.
    life: u64,
    /// In seconds.
    stale: u64,
}

impl Kept {
    pub(super) fn new(
        place: &str,
        jwks_uri: Option<Url>,
        held: &Held<KeySet>,
        stale: Duration,
    ) -> Self {
        let jwks: Vec<_> = held.document.jwks().collect();
        Self {
            place: place.to_owned(),
            jwks: json!({"keys": jwks}),
            jwks_uri,
            loaded_at: held.loaded_at,
            life: held.life.as_secs(),
            stale: stale.as_secs(),
        }
    }

    /// What is kept of this owner's keys that were fetched from this place.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) async fn read(
        artifacts: &dyn Artifacts,
        owner: &KeyOwner,
        place: &str,
        now: UnixTime,
    ) -> Result<Option<Self>, StoreError> {
        let artifact = artifacts.get(&key(owner), now).await?;
        let kept = artifact
            .map(|artifact| artifact.read::<Self>())
            .transpose()?;
        Ok(kept.filter(|kept| kept.place == place))
    }

    /// Keeps it, in place of what is there.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Conflict`] or [`StoreError::Exists`] where another process has
    /// just done the same.
    pub(super) async fn write(
        self,
        artifacts: &dyn Artifacts,
        owner: &KeyOwner,
    ) -> Result<(), StoreError> {
        let (key, now) = (key(owner), self.loaded_at);
        let mut artifact = Artifact::new(now, self.stale_ends()).holding(&self);
        match artifacts.get(&key, now).await? {
            Some(before) => {
                artifact.version = before.version;
                artifacts.replace(key, artifact, now).await
            }
            None => artifacts.put(key, artifact, u64::MAX).await.map(drop),
        }
    }

    fn life(&self) -> Duration {
        Duration::from_secs(self.life)
    }

    fn stale_ends(&self) -> UnixTime {
        self.loaded_at
            .plus(self.life())
            .plus(Duration::from_secs(self.stale))
    }

    /// As they were held; `None` if they cannot be read any more.
    pub(super) fn held(&self) -> Option<Held<KeySet>> {
        let set = JwkSet::parse(self.jwks.to_string().as_bytes()).ok()?;
        Some(Held {
            document: KeySet::new(set),
            loaded_at: self.loaded_at,
            life: self.life(),
        })
    }

    /// As operators see them.
    pub(super) fn shown(&self) -> Option<HeldKeys> {
        Some(HeldKeys::new(
            &self.held()?,
            Duration::from_secs(self.stale),
        ))
    }
}

/// By the number of the registration: one that is made again has other keys.
fn key(owner: &KeyOwner) -> ArtifactKey {
    let text = match owner {
        KeyOwner::Client { number, .. } => format!("client {number}"),
        KeyOwner::Issuer { number, .. } => format!("issuer {number}"),
    };
    ArtifactKey::of(ArtifactKind::ISSUER_KEYS, &text)
}

/// Keeps it without making anyone wait.
pub(super) fn write_behind(kept: Kept, artifacts: Arc<dyn Artifacts>, owner: KeyOwner) {
    tokio::spawn(async move {
        match kept.write(&*artifacts, &owner).await {
            // Another process has just done the same.
            Ok(()) | Err(StoreError::Conflict(_) | StoreError::Exists(_)) => {}
            Err(error) => tracing::warn!(%owner, %error, "fetched keys could not be kept"),
        }
    });
}
