//! A store of one's own, in maps, tried by the laws that every store keeps (in tests, by
//! `replay_suite!(make)`): `cargo run -p grantor --features conformance --example custom_store`.

use std::{collections::HashMap, error::Error, sync::Arc};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::Client,
    server::AuthorizationServer,
    storage::{Claim, ClientSource, MemoryStore, ReplayGuard, ReplayKey, StoreError, Used},
    types::{ClientId, Issuer},
};
use tokio::sync::Mutex;

type Answer<T> = Result<T, StoreError>;

#[derive(Default)]
struct Directory {
    clients: HashMap<ClientId, Arc<Client>>,
    used: Mutex<HashMap<ReplayKey, UnixTime>>,
}

#[async_trait]
impl ClientSource for Directory {
    async fn client(&self, id: &ClientId) -> Answer<Option<Arc<Client>>> {
        Ok(self.clients.get(id).cloned())
    }
}

#[async_trait]
impl ReplayGuard for Directory {
    /// All or none: of an assertion and the proof beside it, neither is used up if the other was.
    /// The lock is held throughout; a database does this in one transaction.
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

/// Handles of one empty store, as several processes have them, and what has to live as long as they
/// do: `()` for a store in memory, its directory (`tempfile::TempDir`) for one on disk.
async fn make(handles: usize) -> (Vec<Arc<Directory>>, ()) {
    (vec![Arc::default(); handles], ())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    grantor::replay_suite!(run make).await;
    let (own, rest) = (Arc::<Directory>::default(), Arc::new(MemoryStore::new()));
    let builder = AuthorizationServer::builder(Issuer::parse("https://as.example")?).store(rest);
    let builder = builder.clients(own.clone()).replay(own);
    builder.standard().build()?;
    Ok(())
}
