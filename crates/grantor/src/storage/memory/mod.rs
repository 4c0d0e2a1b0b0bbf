//! A store in memory: for tests and for programs that keep their registry elsewhere. Nothing
//! survives the process.

mod artifact;
mod keys;
mod log;
mod registry;
mod replay;
mod statistics;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use self::{
    artifact::Kept, keys::Keys, log::Records, registry::Registered, replay::Claims,
    statistics::Counts,
};

use crate::storage::DecisionIndex;

/// Everything in maps, each kind of state behind a lock of its own.
#[derive(Debug, Default)]
pub struct MemoryStore {
    registered: Mutex<Registered>,
    claims: Mutex<Claims>,
    artifacts: Mutex<Kept>,
    keys: Mutex<Keys>,
    decisions: Mutex<Records<DecisionIndex>>,
    counts: Mutex<Counts>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

/// A panic in a holder of the lock leaves whole values behind.
fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How soon a party over its quota is counted again.
const RECOUNT_AFTER: Duration = Duration::from_secs(10);

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use std::sync::Arc;

    use super::MemoryStore;
    use crate::{
        registry::{Actor, KeyOrigin, TrustedIssuer},
        storage::{IssuerSource as _, Registries as _, conformance::NOW},
        types::{IssuerId, Name},
    };

    async fn nodes(count: usize) -> (Vec<Arc<MemoryStore>>, ()) {
        let store = Arc::new(MemoryStore::new());
        (vec![store; count], ())
    }

    crate::store_suite!(nodes);

    /// Whoever asks again before something has changed waits for nothing to be made.
    #[tokio::test]
    async fn issuers_and_trusts_are_made_once_until_they_change() {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        let issuer = |id: &str, name: &str| {
            let (id, name) = (IssuerId::parse(id), Name::parse(name));
            let keys = KeyOrigin::Uploaded { keys: Vec::new() };
            TrustedIssuer::new(id.expect("an iss"), name.expect("a name"), keys, NOW)
        };
        let idp = store.issuer_registry().create(issuer("i", "i"), &by).await;
        let idp = idp.expect("created");
        let issuers = async || store.issuers().await.expect("answered");
        let trusts = async || store.trusts(&idp).await.expect("answered");
        let (seen, taken) = (issuers().await, trusts().await);
        assert!(Arc::ptr_eq(&seen, &issuers().await) && Arc::ptr_eq(&taken, &trusts().await));
        let other = store.issuer_registry().create(issuer("j", "j"), &by).await;
        other.expect("created");
        assert!(!Arc::ptr_eq(&seen, &issuers().await) && Arc::ptr_eq(&taken, &trusts().await));
    }
}
