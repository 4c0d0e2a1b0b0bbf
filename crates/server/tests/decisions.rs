//! Finding out why: what an operator sees of decisions, through the real binary.

mod support;

use serde_json::Value;
use support::{CLIENT_ASSERTION, JWT_BEARER, Server};

fn mint(server: &Server, key: &std::path::Path, arguments: &[&str]) -> String {
    server.ok(&[&["assertion", "mint", "--key", &key.to_string_lossy()], arguments].concat())
}

fn authenticate(server: &Server, assertion: &str) -> support::Answer {
    let credentials = [("client_assertion_type", CLIENT_ASSERTION), ("client_assertion", assertion)];
    server.token(&[&[("grant_type", "client_credentials")], &credentials[..]].concat())
}

/// What is recorded for this id, as soon as it is.
fn show(server: &Server, id: &str) -> Value {
    server.wait_until("the decision is recorded", || server.run(&["decisions", "show", id]).status.success());
    serde_json::from_str(&server.ok(&["decisions", "show", id, "--json"])).expect("JSON")
}

#[test]
fn a_refused_assertion_is_explained_rule_by_rule_under_the_id_of_the_answer() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let assertion = mint(&server, &key, &["--aud", "https://other.example"]);
    let refused = server.token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
    let decision = show(&server, &refused.decision_id());
    assert_eq!(decision["outcome"]["rule"], "aud");
    let checks = decision["explanation"]["checks"].as_array().expect("a table");
    let verdict = |rule: &str| checks.iter().find(|check| check["rule"] == rule).expect(rule)["verdict"].clone();
    assert_eq!((verdict("signature"), verdict("aud"), verdict("exp")), ("pass".into(), "fail".into(), "not_reached".into()));
    let text = server.ok(&["decisions", "show", &refused.decision_id()]);
    assert!(text.contains("FAIL  aud") && text.contains("got \"https://other.example\""), "{text}");
    let kid = decision["explanation"]["keys"][0]["key_id"].as_str().expect("the key tried");
    assert_eq!(decision["explanation"]["keys"][0]["source"], "registered key 1 of billing");
    assert!(text.contains(&format!("key tried: registered key 1 of billing (kid {kid:?})")), "{text}");
    let clock = &decision["explanation"]["clock"];
    let [issued, expiry] = ["since_issued", "until_expiry"].map(|name| clock[name].as_f64().expect("seconds"));
    assert!(issued.abs() < 30.0 && expiry > 0.0, "{clock}");
    assert!(text.contains("clock: ours was 2") && text.contains(", exp "), "{text}");
    let granted = server.token(&[("grant_type", JWT_BEARER), ("assertion", &mint(&server, &key, &[]))]);
    assert_eq!(granted.status, 200, "the control: {granted:?}");
    let sources = || server.ok(&["decisions", "list", "--json"]);
    server.wait_until("the grant is recorded", || sources().contains(r#""key_source":"registered key 1 of billing""#));
}

#[test]
fn decisions_are_listed_by_filter_and_survive_a_restart() {
    let mut server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let good = mint(&server, &key, &[]);
    assert_eq!(server.token(&[("grant_type", JWT_BEARER), ("assertion", &good)]).status, 200);
    assert_eq!(server.token(&[("grant_type", JWT_BEARER), ("assertion", &good)]).error(), "invalid_grant");
    assert!(server.terminate().success());
    let count = |arguments: &[&str]| {
        let text = server.ok(&[&["decisions", "list", "--json"], arguments].concat());
        serde_json::from_str::<Vec<Value>>(&text).expect("a list").len()
    };
    assert_eq!((count(&[]), count(&["--refused"])), (2, 1));
    assert_eq!((count(&["--rule", "replay"]), count(&["--rule", "exp"])), (1, 0));
    assert_eq!((count(&["--party", "billing"]), count(&["--party", "nobody"])), (2, 0));
    assert_eq!((count(&["--since", "1h"]), count(&["--limit", "1"])), (2, 1));
    assert_eq!(server.run(&["decisions", "show", "nothing"]).status.code(), Some(1));
}

#[test]
fn who_still_sends_the_token_endpoint_is_reported() {
    let server = Server::start();
    let endpoint = format!("{}/token", server.issuer);
    for (name, policy) in [("old", "legacy"), ("new", "strict")] {
        let key = server.client(name, &["--generate-key", "--audience-policy", policy]);
        assert_eq!(authenticate(&server, &mint(&server, &key, &["--client-auth"])).status, 200);
        let legacy = authenticate(&server, &mint(&server, &key, &["--client-auth", "--aud", &endpoint]));
        assert_eq!(legacy.status, if policy == "legacy" { 200 } else { 400 });
    }
    let report =
        || -> Vec<Value> { serde_json::from_str(&server.ok(&["client", "list", "--audience", "--json"])).expect("a list") };
    let counts = |row: &Value| ["issuer", "token_endpoint", "refused"].map(|name| row[name].as_u64());
    server.wait_until("all four are recorded", || {
        let report = report();
        counts(&report[0]) == [Some(1), Some(0), Some(1)] && counts(&report[1]) == [Some(1), Some(1), Some(0)]
    });
}

#[test]
fn an_unknown_issuer_is_told_from_a_misspelt_one() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let misspelt = std::fs::read_to_string(&key).expect("the key file").replace("\"billing\"", "\"biling\"");
    let path = server.directory().join("misspelt.json");
    std::fs::write(&path, misspelt).expect("written");
    let explained = server.run(&["assertion", "explain", &mint(&server, &path, &[])]);
    assert_eq!(explained.status.code(), Some(1));
    assert!(
        explained.stderr.contains("no client \"biling\" is registered; did its sender mean \"billing\"?"),
        "{}",
        explained.stderr
    );
    let refused = server.token(&[("grant_type", JWT_BEARER), ("assertion", &mint(&server, &path, &[]))]);
    assert_eq!(show(&server, &refused.decision_id())["nearest_client"], "billing");
    let text = server.ok(&["decisions", "show", &refused.decision_id()]);
    assert!(text.contains("nearest client: billing"), "{text}");
    let good = server.run(&["assertion", "explain", &mint(&server, &key, &[])]);
    assert_eq!(good.status.code(), Some(0), "the control: {}", good.stderr);
}
