//! S080: what is put goes in groups, durably, and each is told what became of its own.

use std::time::Duration;

use grantor::{
    clock::{Clock as _, SystemClock},
    storage::{Artifact, ArtifactKey, ArtifactKind, Artifacts as _, Put, StoreError},
};
use grantor_testkit::{postgres::Cut, wait};

use crate::engine::{Database, Store};

const KIND: ArtifactKind = ArtifactKind::new("urn:example:ticket");

fn key(text: &str) -> ArtifactKey {
    ArtifactKey::of(KIND, text)
}

async fn put(store: &Store, key: ArtifactKey, document: &str) -> Result<Put, StoreError> {
    let now = SystemClock.now();
    let artifact = Artifact::new(now, now.plus(Duration::from_secs(60))).holding(&document);
    store.put(key, artifact, 100).await
}

async fn is_there(store: &Store, key: &ArtifactKey) -> bool {
    let found = store.get(key, SystemClock.now()).await;
    found.expect("an answer").is_some()
}

/// Among others at once, which all are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s080_of_many_that_put_under_one_key_at_once_one_is_kept() {
    let Some(database) = Database::new() else {
        return;
    };
    let nodes = [database.open().await, database.open().await];
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let node = nodes[number % 2].clone();
            tokio::spawn(async move {
                let own = key(&number.to_string());
                let own = put(&node, own, "own").await.expect("kept") == Put::Kept;
                (own, put(&node, key("common"), &number.to_string()).await)
            })
        })
        .collect();
    let mut kept = 0;
    for task in tasks {
        let (own, common) = task.await.expect("no panic");
        assert!(own);
        match common {
            Ok(Put::Kept) => kept += 1,
            Err(StoreError::Exists(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kept, 1);
    for node in &nodes {
        assert!(is_there(node, &key("common")).await);
        assert!(is_there(node, &key("63")).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s080_what_is_put_and_gets_no_answer_is_unknown_and_may_be_there() {
    let Some(database) = Database::new() else {
        return;
    };
    let other = database.open().await;
    let cut = Cut::before(database.database.server().address());
    let mut target = database.target();
    target.url = database.database.url_at(cut.address());
    let node = Store::open(&target, &database.options()).await;
    let node = node.expect("the store opens");
    let before = put(&node, key("before"), "").await;
    assert_eq!(before.expect("control"), Put::Kept);
    let lost = key("lost");
    cut.lose_answer_to(&lost.digest()[..]);
    let outcome = put(&node, lost, "").await;
    assert_eq!(cut.losses(), 1);
    assert!(
        matches!(outcome, Err(StoreError::Unknown(_))),
        "{outcome:?}"
    );
    assert!(is_there(&other, &lost).await, "it was committed");
    wait::until("it keeps again", async || {
        put(&node, key("after"), "").await.is_ok() || is_there(&other, &key("after")).await
    })
    .await;
}
