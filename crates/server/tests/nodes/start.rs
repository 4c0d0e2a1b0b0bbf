//! Nodes that start at once on an empty database.

use std::{sync::Barrier, thread};

use grantor_testkit::{binary::held_address, wait::blocking};

use crate::nodes::{Link, database, get, start};

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa17_eight_nodes_started_at_once_make_one_schema_and_one_key() {
    let Some((server, database)) = database() else {
        return;
    };
    // Its master key is the nodes' own; its database is another.
    let other = server.database();
    let maker = start(
        held_address(),
        "http://127.0.0.1:9",
        &Link::local(&other.url),
        None,
    );
    let key = maker.data().join("master.key");
    let link = Link::local(&database.url);
    let barrier = Barrier::new(8);
    let issuer = "http://127.0.0.1:10";
    let servers: Vec<_> = thread::scope(|scope| {
        let begin = || {
            barrier.wait();
            start(held_address(), issuer, &link, Some(&key))
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(begin)).collect();
        let started = threads
            .into_iter()
            .map(|thread| thread.join().expect("it starts"));
        started.collect()
    });
    for server in &servers {
        blocking::until("ready", || {
            get(server.address, "/health/ready").status == 200
        });
    }
    assert_eq!(
        database.psql("SELECT count(*) FROM signing_key").as_deref(),
        Ok("1")
    );
    let keys: Vec<_> = servers
        .iter()
        .map(|server| get(server.address, "/jwks").body)
        .collect();
    assert!(keys[0].contains("kid"), "{keys:?}");
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}
