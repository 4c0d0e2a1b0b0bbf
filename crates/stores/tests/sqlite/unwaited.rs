//! Changes that are not waited for, or for no longer than the disk takes: the writer of this process
//! has them done.

use std::{
    task::{Context, Poll, Waker},
    time::Duration,
};

use grantor::{registry::Actor, storage::Registries as _};

use crate::{
    engine::Database,
    feed::{client, found, turned},
    given::id,
};

#[tokio::test]
async fn a_change_that_its_sender_does_not_wait_for_is_in_force_before_the_next_is_answered() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
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
    let Some(database) = Database::new() else {
        return;
    };
    let store = database.open().await;
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
