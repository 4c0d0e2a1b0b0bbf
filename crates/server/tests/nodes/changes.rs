//! A change is in force at each node, however it came and whatever else goes on.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use grantor::jose::SigningKey;
use grantor_testkit::wait::blocking;

use crate::nodes::{Nodes, database};

/// How soon a change is in force that nobody waits for.
const IN_FORCE: Duration = Duration::from_secs(1);
/// How soon the command is back, on a quiet machine.
const BACK: Duration = Duration::from_millis(500);

/// Disables the client `late`, as the program would write it.
const DISABLE: &str = "UPDATE client SET metadata = (metadata::jsonb || '{\"enabled\": false}')::text WHERE id = 'late'";

/// What each node answers to a new assertion of `late`.
fn statuses(nodes: &Nodes, key: &Arc<SigningKey>) -> Vec<u16> {
    let wires = nodes.wires.iter().map(|wire| wire.of(key));
    wires
        .map(|wire| wire.send(&wire.assertion_of("late")).status)
        .collect()
}

/// Three nodes that know the client `late`.
fn knowing(database: &grantor_testkit::postgres::Database) -> (Nodes, Arc<SigningKey>) {
    let nodes = Nodes::start(database, 3);
    let key = nodes.client("late");
    assert_eq!(statuses(&nodes, &key), [200; 3], "control");
    (nodes, key)
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn s008_a_disabled_client_is_refused_everywhere_when_the_command_is_back() {
    let Some((_server, database)) = database() else {
        return;
    };
    let (nodes, key) = knowing(&database);
    let begun = Instant::now();
    nodes.ok(&["client", "disable", "late"]);
    let took = begun.elapsed();
    assert_eq!(statuses(&nodes, &key), [400; 3], "after {took:?}");
    assert!(took < BACK, "{took:?}");
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa13_a_slow_change_is_in_force_within_a_second_of_its_commit() {
    let Some((_server, database)) = database() else {
        return;
    };
    let (nodes, key) = knowing(&database);
    thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let done = database.psql(&format!("{DISABLE}; SELECT pg_sleep(4)"));
            (done, Instant::now())
        });
        let mut others = 0;
        while !slow.is_finished() {
            let other = "UPDATE client SET metadata = metadata WHERE id = 'billing'";
            database.psql(other).expect("another change");
            others += 1;
        }
        let (done, committed) = slow.join().expect("it ends");
        done.expect("committed");
        assert!(others >= 5, "other changes meanwhile: {others}");
        blocking::within(IN_FORCE, "refused everywhere", || {
            statuses(&nodes, &key) == [400; 3]
        });
        assert!(
            committed.elapsed() < 2 * IN_FORCE,
            "{:?}",
            committed.elapsed()
        );
    });
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa14_a_transaction_of_another_database_holds_up_no_change() {
    let Some((server, database)) = database() else {
        return;
    };
    let (nodes, key) = knowing(&database);
    let other = server.database();
    thread::scope(|scope| {
        let open = scope.spawn(|| other.psql("CREATE TABLE t (n int); SELECT pg_sleep(6)"));
        let is_open = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE t %'";
        blocking::until("it is open", || {
            server.psql("postgres", is_open).as_deref() == Ok("1")
        });
        database.psql(DISABLE).expect("committed");
        blocking::within(IN_FORCE, "refused everywhere", || {
            statuses(&nodes, &key) == [400; 3]
        });
        assert!(!open.is_finished(), "it is open all the while");
        open.join().expect("it ends").expect("done");
    });
}
