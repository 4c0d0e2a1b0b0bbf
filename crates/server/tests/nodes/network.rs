//! The network itself loses what is sent between one node and PostgreSQL: by a rule of routing, in a
//! network namespace that this program is started in once more.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use grantor_testkit::postgres::{Postgres, ROLE, skipped, skipped_for};

use crate::{
    faults::{HEALED, NOTICED, all_granted, all_unavailable, between},
    load::{Load, pause},
    nodes::{Link, Nodes},
};

/// Tells the program that it is within the namespace.
const WITHIN: &str = "TEST_WITHIN_NAMESPACE";
/// The address by which one node, and nobody else, reaches PostgreSQL.
const OTHER: &str = "127.0.0.2";
/// How long a direction is cut.
const CUT: Duration = Duration::from_secs(30);

/// Whether this process is within a namespace of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "the outer process tells the inner one"
)]
fn is_within() -> bool {
    std::env::var(WITHIN).is_ok()
}

/// Runs this test once more, in a network namespace of its own, whose rules of routing may come
/// before those of the machine's own addresses.
fn within_a_namespace(test: &str) {
    let script = "ip link set lo up && ip rule add pref 10 lookup local && ip rule del pref 0 && exec \"$@\"";
    let tried = Command::new("unshare")
        .args(["-n", "sh", "-c", script, "sh", "true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !tried.is_ok_and(|tried| tried.success()) {
        return skipped_for("no network namespace can be made; sa07 in faults.rs cuts by a proxy");
    }
    let program = std::env::current_exe().expect("a test program has a path");
    let mut inner = Command::new("unshare");
    inner.args(["-n", "sh", "-c", script, "sh"]).arg(program);
    inner.args(["--exact", test, "--ignored", "--nocapture"]);
    let status = inner.env(WITHIN, "1").status().expect("it runs");
    assert!(status.success(), "within the namespace: {status:?}");
}

/// Drops what this rule tells, for as long as it lives.
struct Blackhole(Vec<[&'static str; 2]>);

impl Blackhole {
    fn new(rules: &[[&'static str; 2]]) -> Self {
        for rule in rules {
            ip("add", *rule);
        }
        Self(rules.to_vec())
    }
}

impl Drop for Blackhole {
    fn drop(&mut self) {
        for rule in &self.0 {
            ip("del", *rule);
        }
    }
}

fn ip(verb: &str, rule: [&str; 2]) {
    let mut command = Command::new("ip");
    command.args(["rule", verb, "pref", "5"]).args(rule);
    let done = command.arg("blackhole").status().expect("ip runs");
    assert!(done.success(), "{verb} {rule:?}");
}

#[test]
#[ignore = "nightly: several servers, two minutes of a cut network"]
fn sa07_s084_a_node_whose_packets_are_lost_says_so_and_the_others_go_on() {
    if !is_within() {
        return within_a_namespace(
            "network::sa07_s084_a_node_whose_packets_are_lost_says_so_and_the_others_go_on",
        );
    }
    let Some(server) = Postgres::new(&[("listen_addresses", "127.0.0.1,127.0.0.2")]) else {
        return skipped();
    };
    let database = server.database();
    let port = server.address().port();
    let url = format!("postgres://{ROLE}@{OTHER}:{port}/{}", database.name);
    let local = Link::local(&database.url);
    let nodes = Nodes::start_on(vec![local.clone(), local, Link::local(&url)]);
    let load = Load::begin(&nodes);
    let (there, back) = (["to", OTHER], ["from", OTHER]);
    for rules in [&[there, back][..], &[there], &[back]] {
        let what = format!("{rules:?}");
        let blackhole = Blackhole::new(rules);
        let cut = Instant::now();
        pause(CUT);
        let seen = load.history.answers();
        let until = Instant::now();
        drop(blackhole);
        let healed = Instant::now();
        nodes.serve_within(HEALED, &what);
        let took = healed.elapsed();
        let of_node = between(&seen, cut + NOTICED, until, |node| node == 2);
        all_unavailable(&of_node, &what);
        all_granted(&between(&seen, cut, until, |node| node != 2), &what);
        assert!(took < 2 * HEALED, "{what}: {took:?}");
        load.grants(20);
    }
    load.end().holds(&nodes, "packets were lost");
}
