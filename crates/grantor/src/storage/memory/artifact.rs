//! Artifacts in memory.

use std::{cmp::Reverse, collections::HashMap, time::Duration};

use async_trait::async_trait;

use super::{MemoryStore, RECOUNT_AFTER, lock};
use crate::{
    clock::UnixTime,
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, Ending, FamilyId, GroupId, Put, Spared,
        StoreError,
    },
};

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

    /// What is there of a kind in a group, newest first. Looks at every record.
    fn list(
        &self,
        kind: ArtifactKind,
        group: &GroupId,
        now: UnixTime,
    ) -> Vec<(ArtifactKey, Artifact)> {
        let is_in_it = |key: &ArtifactKey, artifact: &Artifact| {
            key.kind() == kind
                && artifact.group.as_ref() == Some(group)
                && self.get(key, now).is_some()
        };
        let mut found: Vec<_> = self
            .records
            .iter()
            .filter(|(key, artifact)| is_in_it(key, artifact))
            .map(|(key, artifact)| (*key, artifact.clone()))
            .collect();
        found.sort_by_key(|(key, artifact)| (Reverse(artifact.created_at), *key.digest()));
        found
    }

    /// Records the end of a family, or moves it to a later time.
    fn end_family(&mut self, family: FamilyId, ending: Ending) {
        let end = Artifact::new(ending.at, ending.until).owned_by(ending.owner);
        let known = self.records.entry(family.ended_key()).or_insert(end);
        known.expires_at = known.expires_at.max(ending.until);
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
                ArtifactKind::ENDED => FamilyId::KEPT_BEYOND_END,
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

    async fn list(
        &self,
        kind: ArtifactKind,
        group: &GroupId,
        now: UnixTime,
        limit: u32,
    ) -> Result<Vec<(ArtifactKey, Artifact)>, StoreError> {
        let mut found = lock(&self.artifacts).list(kind, group, now);
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn end_group(
        &self,
        kind: ArtifactKind,
        group: GroupId,
        spared: Spared,
        ending: Ending,
    ) -> Result<(), StoreError> {
        let mut kept = lock(&self.artifacts);
        for (place, (key, artifact)) in kept.list(kind, &group, ending.at).into_iter().enumerate() {
            if spared.has(place, &key) {
                continue;
            }
            kept.records.remove(&key);
            if let Some(family) = artifact.family {
                kept.end_family(family, ending);
            }
        }
        Ok(())
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
