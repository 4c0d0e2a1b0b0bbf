//! When a passkey was last used, and where its counter stood.
//!
//! It changes with each sign-in, so it is no part of the registration: those changes are on record
//! for 400 days. It is an artifact, under the number of the passkey, which is never given again.

use std::{collections::HashMap, time::Duration};

use grantor::{
    clock::UnixTime,
    registry::{Passkey, Subject},
    storage::{Artifact, ArtifactKey, ArtifactKind, Artifacts, GroupId, StoreError},
};
use serde::{Deserialize, Serialize};

const USE: ArtifactKind = ArtifactKind::new("grantor:passkey-use");

/// For so long the last use of a passkey is remembered.
const REMEMBERED: Duration = Duration::from_secs(400 * 86_400);

/// What is kept: a stored format.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// The number of the passkey.
    passkey: u64,
    /// Where its counter stood; 0 if it counts nothing.
    counter: u32,
    /// `None` if it was only made.
    used_at: Option<UnixTime>,
}

/// The last use of a passkey, as it was read.
#[derive(Clone, Debug, Default)]
pub struct LastUse {
    /// Where its counter stood; 0 if it counts nothing.
    pub counter: u32,
    /// The artifact, where there is one.
    kept: Option<Artifact>,
}

impl LastUse {
    /// That of a passkey.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn of(
        artifacts: &dyn Artifacts,
        passkey: &Passkey,
        now: UnixTime,
    ) -> Result<Self, StoreError> {
        let Some(artifact) = artifacts.get(&key_of(passkey), now).await? else {
            return Ok(Self::default());
        };
        let Kept { counter, .. } = artifact.read()?;
        Ok(Self {
            counter,
            kept: Some(artifact),
        })
    }

    /// Keeps where the counter of a new passkey stands.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin(
        artifacts: &dyn Artifacts,
        passkey: &Passkey,
        subject: &Subject,
        counter: u32,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let first = Self::default();
        let kept = Kept {
            passkey: passkey.revision.number,
            counter,
            used_at: None,
        };
        first
            .replaced(artifacts, passkey, subject, &kept, now)
            .await
    }

    /// Keeps a use in place of this one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the passkey was used at the same time.
    pub async fn followed_by(
        self,
        artifacts: &dyn Artifacts,
        passkey: &Passkey,
        subject: &Subject,
        counter: u32,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let kept = Kept {
            passkey: passkey.revision.number,
            counter,
            used_at: Some(now),
        };
        self.replaced(artifacts, passkey, subject, &kept, now).await
    }

    async fn replaced(
        self,
        artifacts: &dyn Artifacts,
        passkey: &Passkey,
        subject: &Subject,
        kept: &Kept,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let (key, end) = (key_of(passkey), now.plus(REMEMBERED));
        let replaced = match self.kept {
            Some(mut artifact) => {
                artifact.expires_at = end;
                artifacts.replace(key, artifact.holding(kept), now).await
            }
            None => {
                let new = Artifact::new(now, end).in_group(Some(group_of(subject)));
                put(artifacts, key, new.holding(kept), now).await
            }
        };
        match replaced {
            Err(StoreError::Exists(kind) | StoreError::Missing(kind)) => {
                Err(StoreError::Conflict(kind))
            }
            replaced => replaced,
        }
    }

    /// When the passkeys of a subject were used, by their numbers.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn all_of(
        artifacts: &dyn Artifacts,
        subject: &Subject,
        now: UnixTime,
    ) -> Result<HashMap<u64, UnixTime>, StoreError> {
        let group = group_of(subject);
        let mut used = HashMap::new();
        for (_, artifact) in artifacts.list(USE, &group, now, u32::MAX).await? {
            let kept: Kept = artifact.read()?;
            used.extend(kept.used_at.map(|at| (kept.passkey, at)));
        }
        Ok(used)
    }
}

/// Puts an artifact. One that is in the way and not there any more, as after a backup was restored,
/// goes first.
async fn put(
    artifacts: &dyn Artifacts,
    key: ArtifactKey,
    artifact: Artifact,
    now: UnixTime,
) -> Result<(), StoreError> {
    match artifacts.put(key, artifact.clone(), u64::MAX).await {
        Err(StoreError::Exists(_)) if artifacts.get(&key, now).await?.is_none() => {
            artifacts.take(key, now).await?;
            artifacts.put(key, artifact, u64::MAX).await.map(drop)
        }
        put => put.map(drop),
    }
}

fn key_of(passkey: &Passkey) -> ArtifactKey {
    ArtifactKey::of(USE, &format!("passkey {}", passkey.revision.number))
}

fn group_of(subject: &Subject) -> GroupId {
    GroupId::of(&format!("passkeys of subject {}", subject.revision.number))
}
