//! Changes of the registry: in force in this process before they are answered.

use std::{sync::Arc, time::Duration};

use grantor::{
    clock::SystemClock,
    jose::Algorithm,
    keys::SigningKeys as _,
    registry::{Actor, Client, ClientMetadata},
    storage::{ClientSource as _, KeyStore as _, Registries},
    types::{AuthMethod, ClientId},
};

use crate::{
    engine::{Database, Store},
    given::id,
};

pub fn client(name: &str) -> Client {
    let metadata = ClientMetadata::new(
        id(name),
        AuthMethod::NONE,
        grantor::clock::Clock::now(&SystemClock),
    );
    Client::new(metadata, Vec::new(), Vec::new()).expect("a client")
}

pub async fn found(store: &Store, id: &ClientId) -> Arc<Client> {
    store.client(id).await.expect("read").expect("there")
}

/// The same client, enabled or not as it was not before.
pub fn turned(client: &Client) -> Client {
    let mut metadata = client.metadata().clone();
    metadata.enabled = !metadata.enabled;
    client.changed(metadata, vec![], vec![]).expect("a client")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_seen_by_the_next_read_however_many_others_read() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
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
