//! Permissions that nobody uses end: looked for every hour.

use std::{sync::Arc, time::Duration};

use grantor::{
    admin::Permissions,
    clock::{Clock as _, SystemClock},
    registry::{Actor, Permission, Way, Who},
    storage::Registry,
};
use tokio::time::{MissedTickBehavior, interval_at};

/// How often. The first time is behind the first hour: by then it is known whether the clock is
/// right.
const EVERY: Duration = Duration::from_secs(3600);

/// Ends the permissions by which nothing was granted for so long, as long as it is polled.
pub async fn end_unused(registry: Arc<dyn Registry<Permission>>, unused: Duration) {
    let by = Actor::new(Who::Program("grantor".to_owned()), Way::Program)
        .because(format!("not used for {} days", unused.as_secs() / 86_400));
    let mut hours = interval_at(tokio::time::Instant::now() + EVERY, EVERY);
    hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        hours.tick().await;
        let permissions = Permissions::new(&*registry, SystemClock.now());
        match permissions.end_unused(unused, &by).await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(ended, "permissions that nobody used have ended"),
            Err(error) => tracing::warn!(%error, "permissions that nobody uses could not be ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use grantor::{
        clock::UnixTime,
        registry::{Client, ClientMetadata, Subject},
        storage::{MemoryStore, Registries as _},
        types::{AuthMethod, ClientId, SubjectId},
    };
    use tokio::{task::yield_now, time::advance};

    use super::*;

    /// With a permission of long ago, and one of now.
    async fn store() -> Arc<MemoryStore> {
        let (store, by) = (Arc::new(MemoryStore::new()), Actor::program("test"));
        let client = ClientId::parse("a").expect("a client");
        let metadata =
            ClientMetadata::new(client.clone(), AuthMethod::NONE, UnixTime::from_millis(0));
        let registered = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
        let registered = store.clients().create(registered, &by).await;
        registered.expect("registered");
        for (name, given_at) in [
            ("alice", UnixTime::from_millis(0)),
            ("bob", SystemClock.now()),
        ] {
            let subject = SubjectId::parse(name).expect("a subject");
            let registered = Subject::new(subject.clone());
            let registered = store.subjects().create(registered, &by).await;
            registered.expect("registered");
            let given = Permission::new(client.clone(), subject, None).given_at(given_at);
            store.permissions().create(given, &by).await.expect("given");
        }
        store
    }

    async fn left(store: &MemoryStore) -> Vec<String> {
        // Nothing that is waited for is outside of this thread.
        for _ in 0..100 {
            yield_now().await;
        }
        let all = store.permissions().all().await.expect("a list");
        all.iter().map(|one| one.subject.to_string()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_uses_ends_behind_the_first_hour() {
        let store = store().await;
        let unused = Duration::from_secs(400 * 86_400);
        let looking = tokio::spawn(end_unused(store.clone(), unused));
        yield_now().await;
        advance(EVERY - Duration::from_secs(1)).await;
        assert_eq!(left(&store).await, ["alice", "bob"]);
        advance(Duration::from_secs(2)).await;
        assert_eq!(left(&store).await, ["bob"]);
        looking.abort();
    }
}
