//! Clocks of nodes and of PostgreSQL that are wrong, from the start or by a step under load; and
//! time that passes.

use std::time::{Duration, Instant};

use grantor::clock::{Clock as _, SystemClock};
use grantor_testkit::{
    binary::clock::Clock,
    postgres::{Postgres, skipped, skipped_for},
    wait::blocking,
};

use crate::{
    faults::{HEALED, NOTICED, all_granted, all_unavailable, between},
    load::{Load, pause},
    nodes::{Link, Nodes, Wire, database, is_replay},
};

/// What is said of a clock that is off.
const OFF: &str = "this machine's clock: found";

/// A clock that can be set. Where there is none, the test says that it is skipped.
fn clock() -> Option<Clock> {
    let made = Clock::new();
    if let Err(why) = &made {
        skipped_for(&format!("no library for the clock: {why}"));
    }
    made.ok()
}

#[test]
#[ignore = "nightly: several servers, ten seconds"]
fn sa09_a_node_starts_within_10_s_of_the_servers_clock_and_not_beyond() {
    let (Some((_server, database)), Some(clock)) = (database(), clock()) else {
        return;
    };
    let nodes = Nodes::start(&database, 1);
    let link = Link::local(&database.url).under(&clock);
    for seconds in [9, -9] {
        clock.set(seconds);
        let (_server, wire) = nodes.one_more(&link);
        blocking::until("it is ready", || wire.get("/health/ready").status == 200);
        assert_eq!(wire.send(&wire.assertion()).status, 200, "{seconds} s");
    }
    for seconds in [11, -11, 3600, -3600] {
        clock.set(seconds);
        let finished = nodes.refused(&link);
        assert_eq!(finished.status.code(), Some(2), "{seconds} s: {finished:?}");
        assert!(finished.stderr.contains(OFF), "{seconds} s: {finished:?}");
    }
}

/// Asks for so long; answers what was granted. Later than a node may take to notice, there is
/// nothing but 503.
fn grants_until_noticed(wire: &Wire, time: Duration) -> Vec<String> {
    let (begun, mut granted, mut refused) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < time {
        let is_late = begun.elapsed() > NOTICED;
        let assertion = wire.assertion();
        let answer = wire.send(&assertion);
        match answer.status {
            503 => refused += 1,
            200 if !is_late => granted.push(assertion),
            // By its clock it is too old, or of the future.
            400 if !is_late => {}
            _ => unreachable!("{answer:?} after {:?}", begun.elapsed()),
        }
    }
    assert!(refused >= 5, "too few to tell");
    granted
}

#[test]
#[ignore = "nightly: several servers, a minute of turned clocks"]
fn sa09_a_nodes_clock_that_steps_under_load_stops_that_node_alone() {
    let (Some((_server, database)), Some(clock)) = (database(), clock()) else {
        return;
    };
    let local = Link::local(&database.url);
    let nodes = Nodes::start_on(vec![local.clone(), local.clone(), local.under(&clock)]);
    for seconds in [9, -9, 11, -11, 3600, -3600_i64] {
        let what = format!("{seconds} s");
        // An hour off it refuses what is honest until it notices: it is asked apart.
        let is_far = seconds.abs() > 60;
        let load = match is_far {
            true => Load::of(&nodes.wires[..2], 2, Duration::from_millis(25)),
            false => Load::begin(&nodes),
        };
        clock.set(seconds);
        let stepped = Instant::now();
        let mut granted = Vec::new();
        match is_far {
            true => granted = grants_until_noticed(&nodes.wires[2], Duration::from_secs(4)),
            false => pause(Duration::from_secs(4)),
        }
        let seen = load.history.answers();
        let now = Instant::now();
        all_granted(&between(&seen, stepped, now, |node| node != 2), &what);
        match seconds.abs() {
            9 => all_granted(&between(&seen, stepped, now, |node| node == 2), &what),
            11 => all_unavailable(
                &between(&seen, stepped + NOTICED, now, |node| node == 2),
                &what,
            ),
            _ => {}
        }
        if seconds.abs() > 10 {
            let ready = nodes.ready(2);
            assert_eq!(ready.status, 503, "{what}: {ready:?}");
            let log = format!("{ready:?} {:?}", nodes.servers[2].log());
            assert!(log.contains(OFF), "{what}: {log}");
        }
        clock.set(0);
        nodes.serve_within(HEALED, &what);
        load.grants(20);
        load.end().holds(&nodes, &what);
        for assertion in &granted {
            for wire in &nodes.wires {
                let answer = wire.send(assertion);
                assert!(is_replay(&answer), "{what}: {answer:?}");
            }
        }
    }
}

#[test]
#[ignore = "nightly: several servers, two minutes of a turned clock"]
fn sa10_postgresqls_clock_that_steps_under_load_removes_nothing_in_force() {
    let Some(clock) = clock() else {
        return;
    };
    let Some(server) = Postgres::new_under(&clock, &[]) else {
        return skipped();
    };
    let database = server.database();
    let nodes = Nodes::start(&database, 3);
    for seconds in [300, -300_i64] {
        let what = format!("PostgreSQL's clock, {seconds} s");
        let load = Load::begin(&nodes);
        // By a clock that is 300 s ahead they have ended; by the true one they are in force
        // when all is over.
        let mut wires = nodes.wires.clone();
        for wire in &mut wires {
            wire.lifetime = Duration::from_secs(180);
        }
        let made = |count: usize| -> Vec<String> {
            let turns = wires.iter().cycle().take(count);
            turns.map(Wire::assertion).collect()
        };
        let (used, unused) = (made(30), made(3));
        for (assertion, wire) in used.iter().zip(wires.iter().cycle()) {
            assert_eq!(wire.send(assertion).status, 200, "{what}: control");
        }
        let ended = "INSERT INTO claim (issuer, name, until) VALUES (0, gen_random_uuid(), 0)";
        clock.set(seconds);
        let stepped = Instant::now();
        database.psql(ended).expect("one that has ended");
        pause(Duration::from_secs(60));
        let seen = load.history.answers();
        let meanwhile = between(&seen, stepped + NOTICED, Instant::now(), |_| true);
        all_unavailable(&meanwhile, &what);
        for node in 0..3 {
            let log = format!("{:?} {:?}", nodes.ready(node), nodes.servers[node].log());
            assert!(log.contains(OFF), "{what}: {log}");
        }
        let left = database.psql("SELECT count(*) FROM claim WHERE until = 0");
        assert_eq!(left.as_deref(), Ok("0"), "control: removal goes on");
        clock.set(0);
        nodes.serve_within(HEALED, &what);
        for assertion in &used {
            for wire in &wires {
                let answer = wire.send(assertion);
                assert!(
                    is_replay(&answer),
                    "{what}: {answer:?}; {:?}",
                    nodes.servers[wire.node].log()
                );
            }
        }
        for (assertion, wire) in unused.iter().zip(&wires) {
            let answer = wire.send(assertion);
            assert_eq!(answer.status, 200, "{what}: it is in force: {answer:?}");
        }
        load.grants(20);
        load.end().holds(&nodes, &what);
    }
}

/// How long after `exp` a use is in force: the leeway, and as much for clocks that are apart (S047).
const IN_FORCE_BEYOND: u64 = 60;

/// Its end is that of what is recorded, as in the law (S002).
#[test]
#[ignore = "nightly: two minutes pass"]
fn sa12_a_jti_is_free_61_s_after_its_claim_has_ended() {
    let Some((_server, database)) = database() else {
        return;
    };
    let nodes = Nodes::start(&database, 2);
    let (one, other) = (&nodes.wires[0], &nodes.wires[1]);
    let long = Duration::from_secs(300);
    let short = Duration::from_secs(3);
    for jti in ["soon", "late"] {
        let first = one.assertion_with(jti, short);
        assert_eq!(one.send(&first).status, 200, "{jti}");
        let again = other.send(&other.assertion_with(jti, long));
        assert!(is_replay(&again), "control, before its end: {again:?}");
    }
    let ended = SystemClock.now().plus(short);
    let passed = |seconds| SystemClock.now() >= ended.plus(Duration::from_secs(seconds));
    let wait = |seconds| {
        let limit = Duration::from_secs(seconds + 10);
        blocking::within(limit, "time passes", || passed(seconds));
    };
    wait(IN_FORCE_BEYOND - 10);
    let again = other.send(&other.assertion_with("soon", long));
    assert!(is_replay(&again), "before its end: {again:?}");
    wait(IN_FORCE_BEYOND + 1);
    let answer = other.send(&other.assertion_with("soon", long));
    assert!(answer.status == 200 || is_replay(&answer), "{answer:?}");
    wait(IN_FORCE_BEYOND + 61);
    let new = other.assertion_with("late", long);
    let answer = other.send(&new);
    assert_eq!(answer.status, 200, "{answer:?}");
    for wire in &nodes.wires {
        let again = wire.send(&new);
        assert!(is_replay(&again), "it is used: {again:?}");
    }
}
