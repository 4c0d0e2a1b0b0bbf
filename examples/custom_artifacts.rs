//! A store of one's own for what expires, in a map, tried by the laws that every store keeps (in
//! tests, by `artifact_suite!(make)`):
//! `cargo run -p grantor --features conformance --example custom_artifacts`.

use std::{cmp::Reverse, collections::HashMap, error::Error, sync::Arc};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    server::AuthorizationServer,
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, FamilyId, GroupId, MemoryStore, Put,
        StoreError,
    },
    types::Issuer,
};
use tokio::sync::Mutex;

type Answer<T> = Result<T, StoreError>;
type Kept = HashMap<ArtifactKey, Artifact>;

#[derive(Default)]
struct Records {
    kept: Mutex<Kept>,
}

/// What has neither expired nor ended with its family: the tokens of one consent, say. The end of a
/// family is kept as a record of its own.
fn there(kept: &Kept, now: UnixTime) -> impl Iterator<Item = (ArtifactKey, Artifact)> {
    let has_ended = |family: FamilyId| kept.contains_key(&family.ended_key());
    let is_there = move |(_, one): &(&ArtifactKey, &Artifact)| {
        one.expires_at > now && !one.family.is_some_and(has_ended)
    };
    let found = kept.iter().filter(is_there);
    found.map(|(key, one)| (*key, one.clone()))
}

#[async_trait]
impl Artifacts for Records {
    async fn put(&self, key: ArtifactKey, new: Artifact, quota: u64) -> Answer<Put> {
        let mut kept = self.kept.lock().await;
        kept.retain(|_, one| one.expires_at > new.created_at);
        let owner = (key.kind(), new.owner);
        let is_owners = |(key, one): &(&ArtifactKey, &Artifact)| (key.kind(), one.owner) == owner;
        let held = kept.iter().filter(is_owners).count() as u64;
        match () {
            () if kept.contains_key(&key) => return Err(StoreError::Exists("artifact")),
            () if new.owner.is_some() && held >= quota => return Ok(Put::OverQuota),
            () => drop(kept.insert(key, new)),
        }
        Ok(Put::Kept)
    }

    async fn get(&self, key: &ArtifactKey, now: UnixTime) -> Answer<Option<Artifact>> {
        let kept = self.kept.lock().await;
        Ok(there(&kept, now)
            .find(|(id, _)| id == key)
            .map(|(_, one)| one))
    }

    async fn replace(&self, key: ArtifactKey, mut next: Artifact, now: UnixTime) -> Answer<()> {
        let mut kept = self.kept.lock().await;
        let known = there(&kept, now).find(|(id, _)| *id == key);
        if known.ok_or(StoreError::Missing("artifact"))?.1.version != next.version {
            return Err(StoreError::Conflict("artifact"));
        }
        next.version += 1;
        kept.insert(key, next);
        Ok(())
    }

    async fn take(&self, key: ArtifactKey, now: UnixTime) -> Answer<Option<Artifact>> {
        let mut kept = self.kept.lock().await;
        let is_there = there(&kept, now).any(|(id, _)| id == key);
        Ok(kept.remove(&key).filter(|_| is_there))
    }

    async fn list(
        &self,
        kind: ArtifactKind,
        group: &GroupId,
        now: UnixTime,
        limit: u32,
    ) -> Answer<Vec<(ArtifactKey, Artifact)>> {
        let kept = self.kept.lock().await;
        let is_in_it = |(key, one): &(ArtifactKey, Artifact)| {
            key.kind() == kind && one.group.as_ref() == Some(group)
        };
        let mut found: Vec<_> = there(&kept, now).filter(is_in_it).collect();
        found.sort_by_key(|(key, one)| (Reverse(one.created_at), *key.digest()));
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn family_has_ended(&self, family: &FamilyId, _: UnixTime) -> Answer<bool> {
        Ok(self.kept.lock().await.contains_key(&family.ended_key()))
    }
}

/// Handles of one empty store, and what has to live as long as they do (`custom_store.rs`).
async fn make(handles: usize) -> (Vec<Arc<Records>>, ()) {
    (vec![Arc::default(); handles], ())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    grantor::artifact_suite!(run make).await;
    let (own, rest) = (Arc::<Records>::default(), Arc::new(MemoryStore::new()));
    let builder = AuthorizationServer::builder(Issuer::parse("https://as.example")?).store(rest);
    builder.artifacts(own).standard().build()?;
    Ok(())
}
