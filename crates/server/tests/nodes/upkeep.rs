//! What nodes do now and then: sign with another key, and remove what has ended.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use grantor::jose::base64url_decode;
use grantor_testkit::{
    postgres::{Database, Postgres, skipped},
    wait::blocking,
};
use serde_json::Value;

use crate::{
    load::{Load, pause},
    nodes::{Link, Nodes, Wire, database},
};

/// The key that a token is signed with.
fn key_of(token: &str) -> String {
    let header = token.split('.').next().expect("a header");
    let header = base64url_decode(header).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

/// The key of a new token of this node.
fn signed_with(wire: &Wire) -> String {
    let answer = wire.send(&wire.assertion());
    assert_eq!(answer.status, 200, "node {}: {answer:?}", wire.node);
    key_of(answer.json()["access_token"].as_str().expect("a token"))
}

#[test]
#[ignore = "nightly: several servers, and the ten seconds before a key signs"]
fn s039_each_node_publishes_a_key_before_any_signs_with_it() {
    let Some((_server, database)) = database() else {
        return;
    };
    let nodes = Nodes::start(&database, 3);
    let load = Load::begin(&nodes);
    let old = signed_with(&nodes.wires[0]);
    let told = nodes.ok(&["key", "rotate", "--ahead", "0s"]);
    let rotated = Instant::now();
    assert!(
        told.stderr.contains("raised to 10s") || told.stdout.contains("raised to 10s"),
        "{told:?}"
    );
    let mut by_new = HashSet::new();
    blocking::within(Duration::from_secs(30), "each node signs with it", || {
        for wire in &nodes.wires {
            let key = signed_with(wire);
            for other in &nodes.wires {
                let published = other.get("/jwks").body;
                assert!(
                    published.contains(&key),
                    "node {} signs with {key}, which node {} does not publish: {published}",
                    wire.node,
                    other.node
                );
            }
            if key != old {
                by_new.insert(wire.node);
            }
        }
        by_new.len() == nodes.wires.len()
    });
    assert!(
        rotated.elapsed() >= Duration::from_secs(9),
        "sooner than it said: {:?}",
        rotated.elapsed()
    );
    load.grants(20);
    load.end().holds(&nodes, "another key");
}

/// How soon another node takes over.
const TAKEN_OVER: Duration = Duration::from_secs(20);

/// Records a use that has ended, and waits until it is removed.
fn waits_for_a_sweep(database: &Database) {
    let ended = "INSERT INTO claim (issuer, name, until) VALUES (1, gen_random_uuid(), 1)";
    database.psql(ended).expect("recorded");
    let left = "SELECT count(*) FROM claim WHERE issuer = 1";
    assert_eq!(database.psql(left).as_deref(), Ok("1"), "control");
    blocking::within(TAKEN_OVER, "it is removed", || {
        database.psql(left).as_deref() == Ok("0")
    });
}

#[test]
#[ignore = "nightly: several servers, and several sweeps"]
fn s082_whichever_node_lives_removes_what_has_ended_and_nothing_else() {
    // By no local time is anything removed too early or too late.
    let Some(server) = Postgres::new(&[("timezone", "America/New_York")]) else {
        return skipped();
    };
    let database = server.database();
    let mut nodes = Nodes::start_on(vec![Link::local(&database.url); 2]);
    let load = Load::begin(&nodes);
    waits_for_a_sweep(&database);
    for node in [0, 1] {
        nodes.servers[node].kill();
        waits_for_a_sweep(&database);
        nodes.restart(node);
        nodes.serve_within(TAKEN_OVER, "after a kill");
    }
    pause(Duration::from_secs(1));
    load.grants(20);
    load.end().holds(&nodes, "sweeps");
}
