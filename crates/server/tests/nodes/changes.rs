//! A change is in force at each node, however it came and whatever else goes on.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use grantor::jose::SigningKey;
use grantor_testkit::wait::blocking;

use crate::{
    load::{Load, pause},
    nodes::{Nodes, database},
};

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

/// How many are imported.
const IMPORTED: u32 = 100_000;

/// What this program says in each transaction of its own: that it keeps the records of its changes.
const AS_PROGRAM: &str = "SET LOCAL grantor.recording = 'on'";

/// Copies of the client `billing` under other names.
fn import() -> String {
    format!(
        "{AS_PROGRAM}; INSERT INTO party (name, kind) SELECT 'imported-' || n, 'client' FROM generate_series(1, {IMPORTED}) AS n; \
         INSERT INTO client (id, metadata, keys) \
         SELECT 'imported-' || n, replace(metadata, '\"billing\"', '\"imported-' || n || '\"'), keys \
         FROM client, generate_series(1, {IMPORTED}) AS n WHERE id = 'billing'; \
         SELECT pg_sleep(2)"
    )
}

#[test]
#[ignore = "nightly: several servers, and 100,000 clients in one transaction"]
fn sa15_beside_a_large_import_a_disable_is_in_force_within_a_second() {
    let Some((_server, database)) = database() else {
        return;
    };
    let (nodes, key) = knowing(&database);
    let load = Load::begin(&nodes);
    let turn = |enabled: bool| {
        format!(
            "{AS_PROGRAM}; UPDATE client SET metadata = (metadata::jsonb || '{{\"enabled\": {enabled}}}')::text WHERE id = 'late'"
        )
    };
    thread::scope(|scope| {
        // It may take longer than others are given.
        let mut psql = database.server().as_its_user("psql");
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", &database.url])
            .args(["-c", &import()])
            .env("PGOPTIONS", "-c search_path=grantor,public");
        let importing = scope.spawn(move || psql.status().expect("psql runs"));
        let mut turns = 0;
        while !importing.is_finished() {
            for (enabled, status) in [(false, 400), (true, 200)] {
                database.psql(&turn(enabled)).expect("turned");
                let committed = Instant::now();
                // Nodes that read a hundred thousand names anew may be slow to answer, and do not
                // answer by what was in force before.
                blocking::until("in force at each node", || {
                    let is_late = committed.elapsed() > IN_FORCE;
                    let told = statuses(&nodes, &key);
                    let is_stale = !enabled && told.contains(&200);
                    assert!(!is_late || !is_stale, "{told:?}: {:?}", committed.elapsed());
                    told == [status; 3]
                });
                turns += 1;
            }
        }
        let imported = importing.join().expect("it ends");
        assert!(imported.success(), "{imported:?}");
        assert!(turns >= 4, "{turns} turns meanwhile");
        // All nodes know them: each is asked for other ones.
        let wires: Vec<_> = nodes.wires.iter().collect();
        for (wire, number) in wires.iter().cycle().zip((1..=IMPORTED).step_by(331)) {
            let answer = wire.send(&wire.assertion_of(&format!("imported-{number}")));
            assert_eq!(answer.status, 200, "{number} at {}: {answer:?}", wire.node);
        }
    });
    let begun = Instant::now();
    nodes.ok(&["client", "disable", "imported-77777"]);
    let wires = nodes.wires.iter();
    let statuses = wires.map(|wire| wire.send(&wire.assertion_of("imported-77777")).status);
    let statuses: Vec<_> = statuses.collect();
    assert_eq!(statuses, [400; 3], "after {:?}", begun.elapsed());
    load.grants(20);
    load.end().holds(&nodes, "a large import");
}

#[test]
#[ignore = "nightly: several servers, and a sweep or two"]
fn sa16_a_node_that_stood_still_over_a_pruning_forgets_everything_before_it_answers() {
    let Some((_server, database)) = database() else {
        return;
    };
    let (nodes, key) = knowing(&database);
    let load = Load::of(&nodes.wires[..2], 2, Duration::from_millis(25));
    nodes.servers[2].signal("STOP");
    database.psql(DISABLE).expect("committed");
    // As if an hour had passed: whichever other node sweeps next removes what tells of it.
    database
        .psql("UPDATE change SET at = at - interval '2 hours'")
        .expect("older");
    blocking::within(Duration::from_secs(30), "it is pruned", || {
        let left = "SELECT count(*) FROM change WHERE client = 'late'";
        database.psql(left).as_deref() == Ok("0")
    });
    let pruned = database.psql("SELECT count(*) FROM meta WHERE name = 'pruned'");
    assert_eq!(pruned.as_deref(), Ok("1"), "control");
    let sleeper = nodes.wires[2].of(&key);
    thread::scope(|scope| {
        // They wait at its door.
        let waiting: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| sleeper.send(&sleeper.assertion_of("late"))))
            .collect();
        pause(Duration::from_millis(300));
        nodes.servers[2].signal("CONT");
        let mut last = 0;
        blocking::within(IN_FORCE * 2, "it refuses what is disabled", || {
            let answer = sleeper.send(&sleeper.assertion_of("late"));
            last = answer.status;
            assert!([400, 503].contains(&last), "{answer:?}");
            last == 400
        });
        for one in waiting {
            let answer = one.join().expect("it ends");
            assert!([400, 503].contains(&answer.status), "{answer:?}");
        }
    });
    nodes.serve_within(IN_FORCE * 2, "after its sleep");
    load.grants(20);
    load.end().holds(&nodes, "a node stood still");
}
