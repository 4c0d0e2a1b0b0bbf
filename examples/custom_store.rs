//! A store of one's own, in maps, tried by the laws that every store keeps (in tests, by
//! `replay_suite!(make)`): `cargo run -p grantor --features conformance --example custom_store`.

use std::{collections::HashMap, error::Error, sync::Arc};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::Client,
    server::AuthorizationServer,
    storage::{
        Artifact, ArtifactKey, Artifacts, Claim, ClientSource, FamilyId, MemoryStore, Put,
        ReplayGuard, ReplayKey, StoreError, Used,
    },
    types::{ClientId, Issuer},
};
use tokio::sync::Mutex;

type Answer<T> = Result<T, StoreError>;

#[derive(Default)]
struct Directory {
    clients: HashMap<ClientId, Arc<Client>>,
    used: Mutex<HashMap<ReplayKey, UnixTime>>,
    kept: Mutex<HashMap<ArtifactKey, Artifact>>,
}

#[async_trait]
impl ClientSource for Directory {
    async fn client(&self, id: &ClientId) -> Answer<Option<Arc<Client>>> {
        Ok(self.clients.get(id).cloned())
    }
}

#[async_trait]
impl ReplayGuard for Directory {
    async fn claim(&self, uses: &[Used], now: UnixTime, quota: u64) -> Answer<Claim> {
        let mut used = self.used.lock().await;
        let is_claimed = |key| used.get(key).is_some_and(|end| *end >= now);
        if let Some(one) = uses.iter().find(|one| is_claimed(&one.key)) {
            return Ok(Claim::Replayed(one.key));
        }
        let is_theirs = |key: &ReplayKey| uses.iter().any(|one| one.key.issuer() == key.issuer());
        let in_force = used.iter().filter(|(_, end)| **end >= now);
        let held = in_force.filter(|(key, _)| is_theirs(key)).count();
        if (held + uses.len()) as u64 > quota {
            return Ok(Claim::OverQuota);
        }
        used.extend(uses.iter().map(|one| (one.key, one.until)));
        Ok(Claim::Fresh)
    }

    async fn is_claimed(&self, key: ReplayKey, now: UnixTime) -> Answer<bool> {
        let used = self.used.lock().await;
        Ok(used.get(&key).is_some_and(|end| *end >= now))
    }
}

#[async_trait]
impl Artifacts for Directory {
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
        let has_ended = |family: FamilyId| kept.contains_key(&family.ended_key());
        let is_there =
            |found: &&Artifact| found.expires_at > now && !found.family.is_some_and(has_ended);
        Ok(kept.get(key).filter(is_there).cloned())
    }

    async fn replace(&self, key: ArtifactKey, mut next: Artifact, now: UnixTime) -> Answer<()> {
        let known = self.get(&key, now).await?;
        let known = known.ok_or(StoreError::Missing("artifact"))?;
        let mut kept = self.kept.lock().await;
        if known.version != next.version || kept.get(&key) != Some(&known) {
            return Err(StoreError::Conflict("artifact"));
        }
        next.version += 1;
        kept.insert(key, next);
        Ok(())
    }

    async fn take(&self, key: ArtifactKey, now: UnixTime) -> Answer<Option<Artifact>> {
        let known = self.get(&key, now).await?;
        Ok(known.and(self.kept.lock().await.remove(&key)))
    }

    async fn family_has_ended(&self, family: &FamilyId, _: UnixTime) -> Answer<bool> {
        Ok(self.kept.lock().await.contains_key(&family.ended_key()))
    }
}

/// Handles of one empty store, and what has to live as long as they do.
async fn make(handles: usize) -> (Vec<Arc<Directory>>, ()) {
    (vec![Arc::default(); handles], ())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    grantor::replay_suite!(run make).await;
    grantor::artifact_suite!(run make).await;
    let (own, rest) = (Arc::<Directory>::default(), Arc::new(MemoryStore::new()));
    let builder = AuthorizationServer::builder(Issuer::parse("https://as.example")?).store(rest);
    let builder = builder.clients(own.clone()).replay(own.clone());
    builder.artifacts(own).standard().build()?;
    Ok(())
}
