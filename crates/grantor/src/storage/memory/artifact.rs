//! Artifacts in memory.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;

use super::{MemoryStore, RECOUNT_AFTER, lock};
use crate::{
    clock::UnixTime,
    storage::{Artifact, ArtifactKey, ArtifactKind, Artifacts, FamilyId, Put, StoreError},
};

/// How much longer the end of a family is kept than the family would have lasted: a clock that is
/// ahead for a while brings no revoked token back.
const KEPT_BEYOND_END: Duration = Duration::from_secs(86_400);

/// The artifacts, ended families among them, and some that have expired.
#[derive(Debug, Default)]
pub(super) struct Kept {
    records: HashMap<ArtifactKey, Artifact>,
    /// How many of a kind an owner has.
    held: HashMap<(ArtifactKind, u64), u64>,
    swept_at: Option<UnixTime>,
}

impl Kept {
    fn get(&self, key: &ArtifactKey, now: UnixTime) -> Option<&Artifact> {
        let artifact = self.records.get(key)?;
        (artifact.expires_at > now && !self.is_of_the_past(artifact)).then_some(artifact)
    }

    /// Whether its family has ended.
    fn is_of_the_past(&self, artifact: &Artifact) -> bool {
        artifact
            .family
            .is_some_and(|family| self.records.contains_key(&family.ended_key()))
    }

    fn put(&mut self, key: ArtifactKey, artifact: Artifact, quota: u64) -> Put {
        let now = artifact.created_at;
        let owner = artifact.owner.map(|owner| (key.kind(), owner));
        let is_recount_due = self
            .swept_at
            .is_none_or(|swept_at| swept_at.plus(RECOUNT_AFTER) <= now);
        let has_grown = self.records.len() >= 1024 && self.records.len().is_power_of_two();
        if has_grown || (is_recount_due && self.is_full(owner, quota)) {
            self.sweep(now);
        }
        if self.is_full(owner, quota) {
            return Put::OverQuota;
        }
        if self.records.insert(key, artifact).is_none()
            && let Some(owner) = owner
        {
            *self.held.entry(owner).or_default() += 1;
        }
        Put::Kept
    }

    fn is_full(&self, owner: Option<(ArtifactKind, u64)>, quota: u64) -> bool {
        owner
            .and_then(|owner| self.held.get(&owner))
            .is_some_and(|held| *held >= quota)
    }

    /// Forgets what has expired, and counts the rest.
    fn sweep(&mut self, now: UnixTime) {
        self.swept_at = self.swept_at.max(Some(now));
        self.records.retain(|key, artifact| {
            let beyond = match key.kind() {
                ArtifactKind::ENDED => KEPT_BEYOND_END,
                _ => Duration::ZERO,
            };
            artifact.expires_at.plus(beyond) > now
        });
        self.held.clear();
        for (key, artifact) in &self.records {
            if let Some(owner) = artifact.owner
                && artifact.expires_at > now
            {
                *self.held.entry((key.kind(), owner)).or_default() += 1;
            }
        }
    }
}

#[async_trait]
impl Artifacts for MemoryStore {
    async fn put(
        &self,
        key: ArtifactKey,
        artifact: Artifact,
        quota: u64,
    ) -> Result<Put, StoreError> {
        let mut kept = lock(&self.artifacts);
        let is_taken = kept
            .records
            .get(&key)
            .is_some_and(|known| known.expires_at > artifact.created_at);
        match is_taken {
            true => Err(StoreError::Exists("artifact")),
            false => Ok(kept.put(key, artifact, quota)),
        }
    }

    async fn get(&self, key: &ArtifactKey, now: UnixTime) -> Result<Option<Artifact>, StoreError> {
        Ok(lock(&self.artifacts).get(key, now).cloned())
    }

    async fn replace(
        &self,
        key: ArtifactKey,
        artifact: Artifact,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        let mut kept = lock(&self.artifacts);
        let known = kept.get(&key, now).ok_or(StoreError::Missing("artifact"))?;
        if known.version != artifact.version {
            return Err(StoreError::Conflict("artifact"));
        }
        let next = Artifact {
            expires_at: artifact.expires_at,
            document: artifact.document,
            version: known.version + 1,
            ..known.clone()
        };
        kept.records.insert(key, next);
        Ok(())
    }

    async fn take(&self, key: ArtifactKey, now: UnixTime) -> Result<Option<Artifact>, StoreError> {
        let mut kept = lock(&self.artifacts);
        let is_there = kept.get(&key, now).is_some();
        Ok(is_there.then(|| kept.records.remove(&key)).flatten())
    }

    async fn family_has_ended(
        &self,
        family: &FamilyId,
        began_at: UnixTime,
    ) -> Result<bool, StoreError> {
        Ok(lock(&self.artifacts)
            .get(&family.ended_key(), began_at)
            .is_some())
    }
}
