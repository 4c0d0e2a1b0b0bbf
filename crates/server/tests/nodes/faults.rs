//! Processes that are killed or stand still, and lines that are cut, under load.

use std::time::{Duration, Instant};

use grantor_testkit::postgres::{Cut, Way};

use crate::{
    history::Seen,
    load::{Load, pause},
    nodes::{Link, Nodes, database},
};

/// How soon nodes serve again.
pub const HEALED: Duration = Duration::from_secs(2);
/// How soon a node says 503: what is promised, and as much for a busy machine.
pub const NOTICED: Duration = Duration::from_secs(2);

/// Requests sent between these moments to nodes of which this is so.
pub fn between(
    seen: &[Seen],
    from: Instant,
    to: Instant,
    is_asked: impl Fn(usize) -> bool,
) -> Vec<Seen> {
    let is_it = |seen: &&Seen| seen.sent >= from && seen.sent < to && is_asked(seen.node);
    seen.iter().filter(is_it).copied().collect()
}

/// All of them were granted, and there are some.
pub fn all_granted(seen: &[Seen], what: &str) {
    assert!(seen.len() >= 5, "{what}: too few to tell: {seen:?}");
    let not: Vec<_> = seen.iter().filter(|seen| seen.status != 200).collect();
    assert!(not.is_empty(), "{what}: {not:?}");
}

/// All but one in a hundred were answered within half a second: ten times what is promised, for
/// busy machines.
fn are_quick(seen: &[Seen], what: &str) {
    let mut times: Vec<_> = seen.iter().map(|seen| seen.took).collect();
    times.sort_unstable();
    let slow = times.len() - 1 - times.len() / 100;
    assert!(
        times[slow] < Duration::from_millis(500),
        "{what}: {:?}",
        times[slow]
    );
}

/// None of them was granted, and each got 503.
pub fn all_unavailable(seen: &[Seen], what: &str) {
    assert!(seen.len() >= 5, "{what}: too few to tell: {seen:?}");
    let not: Vec<_> = seen.iter().filter(|seen| seen.status != 503).collect();
    assert!(not.is_empty(), "{what}: {not:?}");
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa02_a_node_killed_under_load_takes_nothing_with_it() {
    kill_a_node(3);
}

#[test]
#[ignore = "nightly: 50 kills of a node, about a minute"]
fn sa02_a_node_killed_fifty_times_under_load_takes_nothing_with_it() {
    kill_a_node(50);
}

fn kill_a_node(kills: u64) {
    let Some((_server, database)) = database() else {
        return;
    };
    let mut nodes = Nodes::start(&database, 3);
    let load = Load::begin(&nodes);
    let begun = Instant::now();
    for kill in 0..kills {
        // Not in step with the clients.
        pause(Duration::from_millis(137 + 61 * (kill % 11)));
        nodes.restart(2);
    }
    load.grants(20);
    let history = load.end();
    nodes.serve_within(HEALED, "after the kills");
    let others = between(&history.answers(), begun, Instant::now(), |node| node != 2);
    all_granted(&others, "the others");
    are_quick(&others, "the others");
    history.holds(&nodes, "killed");
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa03_a_node_that_is_asked_to_end_loses_no_request() {
    let Some((_server, database)) = database() else {
        return;
    };
    let mut nodes = Nodes::start(&database, 3);
    let load = Load::begin(&nodes);
    let asked = Instant::now();
    let status = nodes.servers[2].terminate();
    assert!(status.success(), "{status:?}");
    nodes.restart(2);
    load.grants(20);
    let history = load.end();
    nodes.serve_within(HEALED, "after the end");
    // What was sent before is answered; later ones find nobody there, or 503.
    let before: Vec<_> = history
        .answers()
        .into_iter()
        .filter(|seen| seen.sent < asked)
        .collect();
    all_granted(&before, "sent before the end");
    let logged = database
        .psql("SELECT count(*) FROM decision")
        .expect("a number");
    let logged: usize = logged.parse().expect("a number");
    assert!(logged > 0, "decisions are written");
    history.holds(&nodes, "ended");
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa04_postgresql_killed_under_load_forgets_no_use() {
    kill_postgresql(2);
}

#[test]
#[ignore = "nightly: 20 kills of PostgreSQL, about two minutes"]
fn sa04_postgresql_killed_twenty_times_under_load_forgets_no_use() {
    kill_postgresql(20);
}

fn kill_postgresql(kills: u32) {
    let Some((server, database)) = database() else {
        return;
    };
    let nodes = Nodes::start(&database, 3);
    let load = Load::begin(&nodes);
    for _ in 0..kills {
        server.kill();
        let killed = Instant::now();
        pause(Duration::from_secs(3));
        let still = killed + NOTICED;
        let meanwhile = between(&load.history.answers(), still, Instant::now(), |_| true);
        all_unavailable(&meanwhile, "without a database");
        server.start();
        nodes.serve_within(HEALED, "after the restart");
        load.grants(20);
    }
    load.end().holds(&nodes, "PostgreSQL was killed");
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa06_postgresql_that_stands_still_is_noticed_and_nobody_hangs() {
    let Some((server, database)) = database() else {
        return;
    };
    let nodes = Nodes::start(&database, 3);
    let load = Load::begin(&nodes);
    server.pause();
    let paused = Instant::now();
    pause(Duration::from_secs(5));
    let still = paused + NOTICED;
    let meanwhile = between(&load.history.answers(), still, Instant::now(), |_| true);
    server.resume();
    nodes.serve_within(HEALED, "after the pause");
    all_unavailable(&meanwhile, "while it stands still");
    load.grants(20);
    load.end().holds(&nodes, "PostgreSQL stood still");
}

#[test]
#[ignore = "several servers and seconds of faults: nightly"]
fn sa07_a_node_that_is_cut_off_says_so_and_the_others_go_on() {
    let Some((server, database)) = database() else {
        return;
    };
    let line = Cut::before(server.address());
    let url = database.url_at(line.address());
    let local = Link::local(&database.url);
    let nodes = Nodes::start_on(vec![local.clone(), local, Link::local(&url)]);
    let load = Load::begin(&nodes);
    for ways in [&[Way::There, Way::Back][..], &[Way::There], &[Way::Back]] {
        for way in ways {
            line.hold(*way);
        }
        let cut = Instant::now();
        pause(Duration::from_secs(4));
        let seen = load.history.answers();
        let until = Instant::now();
        line.release();
        nodes.serve_within(HEALED, "after the line is whole");
        all_unavailable(
            &between(&seen, cut + NOTICED, until, |node| node == 2),
            "cut off",
        );
        all_granted(&between(&seen, cut, until, |node| node != 2), "the others");
    }
    load.end().holds(&nodes, "cut off");
}
