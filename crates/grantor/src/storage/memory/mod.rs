//! A store in memory: for tests and for programs that keep their registry elsewhere. Nothing
//! survives the process.

mod artifact;
mod keys;
mod log;
mod registry;
mod replay;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use self::{artifact::Kept, keys::Keys, log::Records, registry::Registered, replay::Claims};

use crate::storage::DecisionIndex;

/// Everything in maps, each kind of state behind a lock of its own.
#[derive(Debug, Default)]
pub struct MemoryStore {
    registered: Mutex<Registered>,
    claims: Mutex<Claims>,
    artifacts: Mutex<Kept>,
    keys: Mutex<Keys>,
    decisions: Mutex<Records<DecisionIndex>>,
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

    async fn nodes(count: usize) -> (Vec<Arc<MemoryStore>>, ()) {
        let store = Arc::new(MemoryStore::new());
        (vec![store; count], ())
    }

    crate::store_suite!(nodes);
}
