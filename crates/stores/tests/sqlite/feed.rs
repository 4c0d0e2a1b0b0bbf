//! Changes of the registry: in force in this process before they are answered, elsewhere within a
//! second, and never waited for longer than the disk takes.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use grantor::{
    clock::SystemClock,
    jose::Algorithm,
    keys::SigningKeys as _,
    registry::{Actor, Client, ClientMetadata},
    storage::{ClientSource as _, KeyStore as _, Registries},
    types::{AuthMethod, ClientId},
};
use grantor_stores::sqlite::SqliteStore;

use crate::laws::{id, open};

fn client(name: &str) -> Client {
    let metadata = ClientMetadata::new(
        id(name),
        AuthMethod::NONE,
        grantor::clock::Clock::now(&SystemClock),
    );
    Client::new(metadata, Vec::new(), Vec::new()).expect("a client")
}

async fn found(store: &SqliteStore, id: &ClientId) -> Arc<Client> {
    store.client(id).await.expect("read").expect("there")
}

/// The same client, enabled or not as it was not before.
fn turned(client: &Client) -> Client {
    let mut metadata = client.metadata().clone();
    metadata.enabled = !metadata.enabled;
    client.changed(metadata, vec![], vec![]).expect("a client")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_by_the_next_read_however_many_others_read() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    store
        .clients()
        .create(client("a"), &Actor::program("test"))
        .await
        .expect("created");
    let reading = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                found(&store, &id("a")).await;
                tokio::task::yield_now().await;
            }
        }
    });
    for _ in 0..100 {
        let before = found(&store, &id("a")).await;
        store
            .clients()
            .replace(turned(&before), &Actor::program("test"))
            .await
            .expect("updated");
        let after = found(&store, &id("a")).await;
        assert_ne!(after.metadata().enabled, before.metadata().enabled);
        let name = format!("new-{}", after.revision().version);
        store
            .clients()
            .create(client(&name), &Actor::program("test"))
            .await
            .expect("created");
        found(&store, &id(&name)).await;
        store
            .clients()
            .delete(&id(&name), &Actor::program("test"))
            .await
            .expect("deleted");
        assert!(store.client(&id(&name)).await.expect("read").is_none());
    }
    reading.abort();
    let rotated = store
        .signing_key_rotate(
            Algorithm::Ed25519,
            Duration::ZERO,
            Duration::from_secs(60),
            &Actor::program("test"),
        )
        .await
        .expect("rotated");
    assert_eq!(store.key_ring().signing().key_id(), Some(&*rotated.key_id));
}

#[tokio::test]
async fn a_change_that_its_sender_does_not_wait_for_is_in_force_before_the_next_is_answered() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    store
        .clients()
        .create(client("a"), &Actor::program("test"))
        .await
        .expect("created");
    store
        .clients()
        .create(client("b"), &Actor::program("test"))
        .await
        .expect("created");
    let mut abandoned_early = 0;
    for _ in 0..20 {
        let (a, b) = (found(&store, &id("a")).await, found(&store, &id("b")).await);
        let by = Actor::program("test");
        let mut abandoned = Box::pin(store.clients().replace(turned(&a), &by));
        let polled = abandoned
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        // A thread that is held up here may find the change made already.
        match polled {
            Poll::Pending => abandoned_early += 1,
            Poll::Ready(made) => drop(made.expect("updated")),
        }
        drop(abandoned);
        store
            .clients()
            .replace(turned(&b), &Actor::program("test"))
            .await
            .expect("updated");
        assert_ne!(
            found(&store, &id("a")).await.metadata().enabled,
            a.metadata().enabled
        );
    }
    assert!(abandoned_early > 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_for_no_time_to_pass() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let started = tokio::time::Instant::now();
    for number in 0..10 {
        let name = number.to_string();
        store
            .clients()
            .create(client(&name), &Actor::program("test"))
            .await
            .expect("created");
    }
    // This clock stands still unless somebody waits for it.
    assert_eq!(started.elapsed(), Duration::ZERO);
}
