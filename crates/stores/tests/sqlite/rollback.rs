//! Decisions that wait behind a transaction which SQLite rolls back.

use grantor::{
    clock::Clock as _,
    registry::{Actor, Client, ClientMetadata},
    storage::{DecisionFilter, DecisionStore as _, Registries as _},
    types::AuthMethod,
};
use grantor_stores::Retention;

use crate::{
    decisions::{GRANT, World, clock},
    engine::Database,
    given::id,
};

#[tokio::test]
async fn a_decision_behind_a_rollback_is_recorded_with_the_next_commit() {
    let Some(database) = Database::new() else {
        return;
    };
    let world = World::open(&database, clock(), Retention::default()).await;
    let connection = database.connection();
    let failing = "CREATE TRIGGER fails BEFORE INSERT ON party BEGIN SELECT RAISE(ROLLBACK, 'full'); END; BEGIN IMMEDIATE";
    connection
        .execute_batch(failing)
        .expect("a registration fails, and waits for this transaction");
    let metadata = ClientMetadata::new(id("a"), AuthMethod::NONE, clock().now());
    let client = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
    let by = Actor::program("test");
    let (registered, ()) = tokio::join!(world.store.clients().create(client, &by), async {
        world.refused(GRANT).await;
        connection
            .execute_batch("COMMIT")
            .expect("the lock is released");
    });
    assert!(registered.is_err());
    assert_eq!(world.list(DecisionFilter::default()).await.len(), 1);
    assert_eq!(world.store.dropped(), 0);
}
