//! How many requests were decided, and how: through the real binary, a real database and a restart.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{desk::Desk, support::Server};

/// Many more than are kept of one address and rule at once.
const GARBAGE: u64 = 600;
const THROTTLED: u64 = 60;

/// How often each was counted, whenever.
fn counted(server: &Server, by: &str) -> BTreeMap<String, u64> {
    let printed = server.ok(&["statistics", "--by", by, "--json"]);
    let told: Value = serde_json::from_str(&printed).expect("JSON");
    let mut sums = BTreeMap::new();
    for row in told["counts"].as_array().expect("rows") {
        let key = row["key"].as_str().expect("a key").to_owned();
        *sums.entry(key).or_default() += row["count"].as_u64().expect("a number");
    }
    sums
}

fn sums<const N: usize>(rows: [(&str, u64); N]) -> BTreeMap<String, u64> {
    rows.map(|(key, count)| (key.to_owned(), count)).into()
}

/// One that guesses, from an address.
fn guess(server: &Server) -> u16 {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "billing"),
        ("client_secret", "guess"),
    ];
    let from = [("X-Forwarded-For", "198.51.100.1")];
    server.post("/token", &form, &from).status
}

#[test]
fn m084_throttled_requests_and_those_whose_decisions_are_not_kept_count_and_a_restart_keeps_them() {
    let limits = "client_failures_per_minute = 1\naddress_failures_per_minute = 0";
    let mut server = Server::start_with(&format!("behind_proxy = true\n[limits]\n{limits}"));
    server.client("billing", &["--auth", "client_secret_post"]);
    assert_eq!(guess(&server), 400);
    for _ in 0..THROTTLED {
        assert_eq!(guess(&server), 429);
    }
    for _ in 0..GARBAGE {
        let from = [("X-Forwarded-For", "198.51.100.2")];
        assert_eq!(server.post("/token", &[("a", "")], &from).status, 400);
    }
    let rules = sums([("client", 1), ("form", GARBAGE), ("throttled", THROTTLED)]);
    server.wait_until("all are counted", || counted(&server, "rule") == rules);
    // The control: fewer decisions are kept.
    let list = ["decisions", "list", "--limit", "3000", "--json"];
    let kept: Vec<Value> = serde_json::from_str(&server.ok(&list)).expect("JSON");
    assert!((kept.len() as u64) < GARBAGE, "{}", kept.len());

    // What was counted in the last moment too.
    assert_eq!(guess(&server), 429);
    assert!(server.terminate().success());
    let refused = sums([("refused", 2 + GARBAGE + THROTTLED)]);
    assert_eq!(counted(&server, "outcome"), refused);
    let server = server.restart();
    assert_eq!(server.post("/token", &[("a", "")], &[]).status, 400);
    let endpoints = sums([("token", 3 + GARBAGE + THROTTLED)]);
    server.wait_until("added up", || counted(&server, "endpoint") == endpoints);
    let table = server.ok(&["statistics"]);
    let mut lines = table.lines();
    let head: Vec<_> = lines.next().expect("a head").split_whitespace().collect();
    assert_eq!(head, ["TIME", "OUTCOME", "COUNT"]);
    assert!(lines.all(|line| line.contains("Z  refused  ")), "{table}");
}

#[test]
fn m084_statistics_of_nothing_are_none_and_a_time_that_ends_before_it_begins_is_refused() {
    let desk = Desk::with_issuer();
    assert_eq!(desk.ok(&["statistics"]).trim(), "none");
    assert_eq!(
        desk.json(&["statistics"])["counts"],
        Value::Array(Vec::new())
    );
    let backwards = ["statistics", "--from", "1h", "--to", "2h"];
    desk.refuses(&backwards, 2, &["--to: ", "choose a later time"]);
    desk.refuses(&["statistics", "--step", "week"], 2, &["minute, hour, day"]);
    desk.ok(&["statistics", "--from", "2h", "--to", "1h", "--step", "hour"]);
}
