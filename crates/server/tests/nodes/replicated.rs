//! Two servers hold each claim: one of them is lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use grantor_testkit::{
    postgres::{Postgres, ROLE},
    wait::blocking,
};

use crate::{
    load::{Load, pause},
    nodes::{Link, Nodes, database},
};

/// How soon nodes serve again where they look for it themselves.
const FOUND: Duration = Duration::from_secs(11);
/// How long they may take to notice: twice what is promised.
const NOTICED: Duration = Duration::from_secs(2);

/// A standby that each commit waits for, and that nodes may see.
pub fn standby_of(primary: &Postgres) -> Arc<Postgres> {
    let standby = primary.standby("other");
    let grant = format!("GRANT pg_monitor TO {ROLE}");
    primary.psql("postgres", &grant).expect("a grant");
    standby
}

pub fn replicated(url: String) -> Link {
    Link {
        durability: "replicated",
        ..Link::local(&url)
    }
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa05_after_a_failover_the_new_primary_is_found_and_knows_each_use() {
    let Some((primary, database)) = database() else {
        return;
    };
    let standby = standby_of(&primary);
    let hosts = format!("{},{}", primary.address(), standby.address());
    let url = database.url.replace(&primary.address().to_string(), &hosts);
    let nodes = Nodes::start_on(vec![replicated(url); 3]);
    let load = Load::begin(&nodes);
    primary.kill();
    pause(NOTICED);
    standby.promote();
    let third = standby.standby("third");
    nodes.serve_within(FOUND, "after the promotion");
    load.grants(20);
    load.end().holds(&nodes, "another primary");
    drop((nodes, third));
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa08_without_its_standby_nothing_is_granted_and_keys_are_published() {
    let Some((primary, database)) = database() else {
        return;
    };
    let standby = standby_of(&primary);
    let nodes = Nodes::start_on(vec![replicated(database.url.clone()); 3]);
    let load = Load::begin(&nodes);
    standby.stop();
    let stopped = Instant::now();
    pause(Duration::from_secs(5));
    let seen = load.history.answers();
    for wire in &nodes.wires {
        assert_eq!(wire.get("/jwks").status, 200, "node {}", wire.node);
    }
    standby.start();
    let meanwhile = seen.iter().filter(|seen| seen.sent > stopped);
    let statuses: Vec<_> = meanwhile.map(|seen| seen.status).collect();
    assert!(statuses.len() >= 5, "too few to tell: {statuses:?}");
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    nodes.serve_within(FOUND, "with its standby");
    load.grants(20);
    load.end().holds(&nodes, "without a standby");
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa32_a_right_that_is_taken_away_is_named() {
    let Some((server, database)) = database() else {
        return;
    };
    let nodes = Nodes::start(&database, 3);
    let load = Load::begin(&nodes);
    let take = "REVOKE INSERT ON grantor.claim FROM grantor";
    let give = "GRANT INSERT ON grantor.claim TO grantor";
    server.psql(&database.name, take).expect("taken");
    for (node, wire) in nodes.wires.iter().enumerate() {
        blocking::until("503", || wire.send(&wire.assertion()).status == 503);
        blocking::within(FOUND, "not ready", || nodes.ready(node).status == 503);
        blocking::within(FOUND, "the statement that helps", || {
            let told = nodes.servers[node].log();
            told.iter().any(|line| line.to_string().contains(give))
        });
    }
    server.psql(&database.name, give).expect("given");
    nodes.serve_within(FOUND, "with the right");
    load.grants(20);
    load.end().holds(&nodes, "a right was taken");
}
