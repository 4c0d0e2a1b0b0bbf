//! Finding out why: what an operator sees of decisions, through the real binary.

use crate::support::{CLIENT_ASSERTION, JWT_BEARER, Server};
use serde_json::Value;

fn mint(server: &Server, key: &std::path::Path, arguments: &[&str]) -> String {
    server.ok(&[
        &["assertion", "mint", "--key", &key.to_string_lossy()],
        arguments,
    ]
    .concat())
}

fn authenticate(server: &Server, assertion: &str) -> crate::support::Answer {
    let credentials = [
        ("client_assertion_type", CLIENT_ASSERTION),
        ("client_assertion", assertion),
    ];
    server.token(&[&[("grant_type", "client_credentials")], &credentials[..]].concat())
}

/// What is recorded for this id, as soon as it is.
fn show(server: &Server, id: &str) -> Value {
    server.wait_until("the decision is recorded", || {
        server.run(&["decisions", "show", id]).status.success()
    });
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
    let checks = decision["explanation"]["checks"]
        .as_array()
        .expect("a table");
    let verdict = |rule: &str| {
        checks
            .iter()
            .find(|check| check["rule"] == rule)
            .expect(rule)["verdict"]
            .clone()
    };
    assert_eq!(
        (verdict("signature"), verdict("aud"), verdict("exp")),
        ("pass".into(), "fail".into(), "not_reached".into())
    );
    let text = server.ok(&["decisions", "show", &refused.decision_id()]);
    assert!(
        text.contains("FAIL  aud") && text.contains("got \"https://other.example\""),
        "{text}"
    );
    let (head, below) = text.split_once("\n\n").expect("a head, and the table");
    let names: Vec<_> = head
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        names,
        [
            "decision", "time", "outcome", "rule", "cause", "endpoint", "grant", "issuer", "from"
        ],
        "only what is known: {head}"
    );
    let time = head.lines().nth(1).expect("the time");
    assert!(time.contains("T") && time.ends_with('Z'), "{time}");
    for line in [
        "outcome    refused: invalid_grant",
        "rule       aud",
        "issuer     billing, not proven",
    ] {
        assert!(head.lines().any(|shown| shown == line), "{line}: {head}");
    }
    assert!(
        below.contains("\n-: not looked at, because a rule above failed\n")
            && below.contains("\n\nWhat to do: Have the sender set `aud`"),
        "{below}"
    );
    let kid = decision["explanation"]["keys"][0]["key_id"]
        .as_str()
        .expect("the key tried");
    assert_eq!(
        decision["explanation"]["keys"][0]["source"],
        "registered key 1 of billing"
    );
    assert!(
        text.contains(&format!(
            "key tried: registered key 1 of billing (kid {kid:?})"
        )),
        "{text}"
    );
    let clock = &decision["explanation"]["clock"];
    let [issued, expiry] =
        ["since_issued", "until_expiry"].map(|name| clock[name].as_f64().expect("seconds"));
    assert!(issued.abs() < 30.0 && expiry > 0.0, "{clock}");
    assert!(
        text.contains("clock: ours was 2") && text.contains(", exp "),
        "{text}"
    );
    let granted = server.token(&[
        ("grant_type", JWT_BEARER),
        ("assertion", &mint(&server, &key, &[])),
    ]);
    assert_eq!(granted.status, 200, "the control: {granted:?}");
    let grants = || -> Vec<Value> {
        let listed = server.ok(&["decisions", "list", "--json"]);
        let mut listed: Vec<Value> = serde_json::from_str(&listed).expect("a list");
        listed.retain(|decision| decision["key_source"] == "registered key 1 of billing");
        listed
    };
    server.wait_until("the grant is recorded", || grants().len() == 1);
    let grant = grants()[0]["id"].as_str().expect("an id").to_owned();
    let text = server.ok(&["decisions", "show", &grant]);
    for line in [
        "outcome    granted",
        "client     billing",
        &format!("key        registered key 1 of billing (kid {kid:?})"),
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
    assert!(!text.contains("What to do"), "nothing: {text}");
}

#[test]
fn decisions_are_listed_by_filter_and_survive_a_restart() {
    let mut server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let good = mint(&server, &key, &[]);
    assert_eq!(
        server
            .token(&[("grant_type", JWT_BEARER), ("assertion", &good)])
            .status,
        200
    );
    assert_eq!(
        server
            .token(&[("grant_type", JWT_BEARER), ("assertion", &good)])
            .error(),
        "invalid_grant"
    );
    assert!(server.terminate().success());
    let count = |arguments: &[&str]| {
        let text = server.ok(&[&["decisions", "list", "--json"], arguments].concat());
        serde_json::from_str::<Vec<Value>>(&text)
            .expect("a list")
            .len()
    };
    assert_eq!((count(&[]), count(&["--refused"])), (2, 1));
    assert_eq!(
        (count(&["--rule", "replay"]), count(&["--rule", "exp"])),
        (1, 0)
    );
    assert_eq!(
        (
            count(&["--party", "billing"]),
            count(&["--party", "nobody"])
        ),
        (2, 0)
    );
    assert_eq!(
        (count(&["--since", "1h"]), count(&["--limit", "1"])),
        (2, 1)
    );
    assert_eq!(
        server.run(&["decisions", "show", "nothing"]).status.code(),
        Some(1)
    );
}

/// Damage to one record hides no other.
#[test]
fn a_record_that_is_damaged_is_left_out_of_a_list() {
    if grantor_testkit::binary::database::is_not_of_sqlite("it looks at the file") {
        return;
    }
    let mut server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    for _ in 0..3 {
        assert_eq!(
            server
                .token(&[
                    ("grant_type", JWT_BEARER),
                    ("assertion", &mint(&server, &key, &[]))
                ])
                .status,
            200
        );
    }
    assert!(server.terminate().success());
    let database =
        rusqlite::Connection::open(server.data().join("grantor.db")).expect("the database");
    let ids = |text: &str| -> Vec<String> {
        let decisions: Vec<Value> = serde_json::from_str(text).expect("a list");
        decisions
            .iter()
            .map(|decision| decision["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let whole = ids(&server.ok(&["decisions", "list", "--json"]));
    assert_eq!(whole.len(), 3);
    for (id, record) in [(&whole[0], "{"), (&whole[1], "5")] {
        let spoilt = database.execute(
            "UPDATE decision SET record = ?1 WHERE id = ?2",
            [record, id],
        );
        assert_eq!(spoilt.expect("spoilt"), 1);
        let shown = server.run(&["decisions", "show", id]);
        assert!(
            shown.status.code() == Some(1) && shown.stderr.contains("no JSON object"),
            "{}",
            shown.stderr
        );
    }
    let listed = server.run(&["decisions", "list", "--json"]);
    assert_eq!(ids(&listed.stdout), whole[2..], "{}", listed.stderr);
    assert_eq!(
        listed.stderr.matches("left out").count(),
        2,
        "{}",
        listed.stderr
    );
    assert!(server.ok(&["decisions", "list"]).contains(&whole[2]));
}

#[test]
fn who_still_sends_the_token_endpoint_is_reported() {
    let server = Server::start();
    let endpoint = format!("{}/token", server.issuer);
    for (name, policy) in [("old", "legacy"), ("new", "strict")] {
        let key = server.client(name, &["--generate-key", "--audience-policy", policy]);
        assert_eq!(
            authenticate(&server, &mint(&server, &key, &["--client-auth"])).status,
            200
        );
        let legacy = authenticate(
            &server,
            &mint(&server, &key, &["--client-auth", "--aud", &endpoint]),
        );
        assert_eq!(legacy.status, if policy == "legacy" { 200 } else { 400 });
    }
    let report = || -> Vec<Value> {
        serde_json::from_str(&server.ok(&["client", "list", "--audience", "--json"]))
            .expect("a list")
    };
    let counts =
        |row: &Value| ["issuer", "token_endpoint", "refused"].map(|name| row[name].as_u64());
    server.wait_until("all four are recorded", || {
        let report = report();
        counts(&report[0]) == [Some(1), Some(0), Some(1)]
            && counts(&report[1]) == [Some(1), Some(1), Some(0)]
    });
}

#[test]
fn an_unknown_issuer_is_told_from_a_misspelt_one() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let misspelt = std::fs::read_to_string(&key)
        .expect("the key file")
        .replace("\"billing\"", "\"biling\"");
    let path = server.directory().join("misspelt.json");
    std::fs::write(&path, misspelt).expect("written");
    let explained = server.run(&["assertion", "explain", &mint(&server, &path, &[])]);
    assert_eq!(explained.status.code(), Some(1));
    assert!(
        explained
            .stderr
            .contains("issuer \"biling\" is not registered; did its sender mean \"billing\"?"),
        "{}",
        explained.stderr
    );
    let refused = server.token(&[
        ("grant_type", JWT_BEARER),
        ("assertion", &mint(&server, &path, &[])),
    ]);
    assert_eq!(
        show(&server, &refused.decision_id())["nearest_client"],
        "billing"
    );
    let text = server.ok(&["decisions", "show", &refused.decision_id()]);
    assert!(text.contains("nearest client: billing"), "{text}");
    let good = server.run(&["assertion", "explain", &mint(&server, &key, &[])]);
    assert_eq!(good.status.code(), Some(0), "the control: {}", good.stderr);
}

/// What a terminal would act on, or a reader would not see.
fn is_hidden(each: char) -> bool {
    (each.is_control() && each != '\n')
        || matches!(
            each,
            '\u{200e}' | '\u{202e}' | '\u{2066}' | '\u{2028}' | '\u{feff}'
        )
}

#[test]
fn nothing_that_a_stranger_sent_moves_the_cursor_of_whoever_reads_decisions() {
    if grantor_testkit::binary::database::is_not_of_sqlite("it looks at the file") {
        return;
    }
    let server = Server::start();
    let hostile = "bill\u{9b}2J\u{202e}ing\u{2028}\u{200e}\u{7f}\u{1b}[2J";
    let sent = server.token(&[
        ("grant_type", "client_credentials"),
        ("client_id", hostile),
        ("client_secret", "x"),
    ]);
    let grant = server.token(&[("grant_type", hostile)]);
    server.wait_until("recorded", || {
        server
            .ok(&["--json", "decisions", "list"])
            .matches("\"id\"")
            .count()
            == 2
    });
    // As records were kept that were made before names were escaped.
    let record = serde_json::json!({
        "id": "old", "at": 1_800_000_000_000_i64, "endpoint": "token", "claimed_client": hostile,
        "outcome": {"outcome": "refused", "error": "invalid_client", "rule": "client", "cause": hostile},
    });
    let database =
        rusqlite::Connection::open(server.data().join("grantor.db")).expect("the database");
    let insert = "INSERT INTO decision (id, at, refused, rule, party, record) VALUES ('old', 1800000000000, 1, 'client', 'x', ?)";
    database
        .execute(insert, [record.to_string()])
        .expect("inserted");
    let (sent, grant) = (sent.decision_id(), grant.decision_id());
    for arguments in [
        &["decisions", "list"][..],
        &["decisions", "show", &sent],
        &["decisions", "show", &grant],
        &["decisions", "show", "old"],
        &["decisions", "show", hostile],
        &["decisions", "list", "--party", hostile],
    ] {
        for json in [&[][..], &["--json"]] {
            let finished = server.run(&[json, arguments].concat());
            let printed = finished.stdout + &finished.stderr;
            assert!(
                !printed.is_empty() && !printed.chars().any(is_hidden),
                "{arguments:?}: {printed:?}"
            );
        }
    }
    let listed: Vec<Value> =
        serde_json::from_str(&server.ok(&["--json", "decisions", "list"])).expect("JSON");
    assert_eq!(
        listed[2]["claimed_client"], hostile,
        "JSON says the same in escapes"
    );
}

#[test]
fn a_credential_in_the_wrong_field_is_kept_nowhere() {
    if grantor_testkit::binary::database::is_not_of_sqlite("it looks at the file") {
        return;
    }
    let server = Server::start_with("log.level = \"debug\"");
    let path = server.client("billing", &["--auth", "client_secret_basic"]);
    let file: Value =
        serde_json::from_slice(&std::fs::read(path).expect("a key file")).expect("JSON");
    let secret = file["client_secret"].as_str().expect("a secret");
    let key = server.client("orders", &["--generate-key"]);
    let token = mint(&server, &key, &[]);
    let basic = |id: &str, secret: &str| {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    };
    let mut ids = Vec::new();
    for credential in [secret, &token] {
        let swapped = basic(credential, "billing");
        let form = [("grant_type", "client_credentials")];
        ids.push(
            server
                .post("/token", &form, &[("Authorization", &swapped)])
                .decision_id(),
        );
        for name in [
            "grant_type",
            "client_id",
            "scope",
            "resource",
            "client_assertion_type",
            "client_assertion",
            "assertion",
        ] {
            for grant in ["client_credentials", JWT_BEARER] {
                let form = [
                    ("grant_type", grant),
                    (name, credential),
                    ("client_secret", "x"),
                ];
                let form = if name == "grant_type" {
                    &form[1..]
                } else {
                    &form[..]
                };
                ids.push(server.token(form).decision_id());
            }
        }
        ids.push(server.token(&[(credential, "x")]).decision_id());
        ids.push(
            server
                .post(&format!("/{credential}"), &form, &[])
                .decision_id(),
        );
        ids.push(
            server
                .post(
                    "/introspect",
                    &[("token", credential), ("client_id", credential)],
                    &[],
                )
                .decision_id(),
        );
    }
    assert_eq!(
        server
            .post(
                "/token",
                &[("grant_type", "client_credentials")],
                &[("Authorization", &basic("billing", secret))]
            )
            .status,
        200
    );
    ids.iter()
        .filter(|id| !id.is_empty())
        .for_each(|id| drop(server.decision(id)));
    server.wait_until("recorded", || {
        server
            .ok(&["decisions", "list", "--limit", "1000"])
            .lines()
            .count()
            > ids.len() - 2
    });
    let log = serde_json::to_string(&server.log()).expect("JSON");
    for file in ["grantor.db", "grantor.db-wal"] {
        let octets = std::fs::read(server.data().join(file)).expect("a file of the database");
        let kept = String::from_utf8_lossy(&octets).into_owned() + &log;
        for credential in [secret, &token] {
            for (at, part) in [
                ("its beginning", &credential[..20]),
                ("its end", &credential[credential.len() - 20..]),
            ] {
                assert!(!kept.contains(part), "{at} is in {file} or in the log");
            }
        }
    }
}

#[test]
fn an_assertion_is_explained_as_the_server_decides_it() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key", "--scope", "read"]);
    server.ok(&["subject", "create", "alice"]);
    let send =
        |assertion: &str| server.token(&[("grant_type", JWT_BEARER), ("assertion", assertion)]);
    for (arguments, rule) in [
        (&["--sub", "nobody"][..], Some("subject")),
        (&["--sub", "alice"], Some("permission")),
        (&["--scope", "write"], Some("scope")),
        (&["--scope", "read"], None),
    ] {
        let assertion = mint(&server, &key, arguments);
        let explained = server.run(&["--json", "assertion", "explain", &assertion]);
        assert_eq!(
            explained.status.success(),
            rule.is_none(),
            "{arguments:?}: {}",
            explained.stderr
        );
        let checks = serde_json::from_str::<Value>(&explained.stdout).expect("JSON")["explanation"]
            ["checks"]
            .clone();
        let failed: Vec<_> = checks
            .as_array()
            .expect("rows")
            .iter()
            .filter(|check| check["verdict"] == "fail")
            .collect();
        assert_eq!(
            failed
                .first()
                .map(|check| check["rule"].as_str().expect("a name")),
            rule,
            "{arguments:?}: {failed:?}"
        );
        assert_eq!(
            (failed.len(), send(&assertion).status == 200),
            (usize::from(rule.is_some()), rule.is_none()),
            "{arguments:?}"
        );
    }
    let with_a_line_break = mint(&server, &key, &[]) + "\n";
    assert!(
        !server
            .run(&["assertion", "explain", &with_a_line_break])
            .status
            .success()
    );
    assert_eq!(
        send(&with_a_line_break).status,
        400,
        "the server decides just so"
    );
}

/// What is kept of a grant where only refusals are: that the permission is used, by which the server
/// ends those that nobody uses.
#[test]
fn where_only_refusals_are_kept_a_grant_leaves_no_record_and_its_permission_is_used() {
    let server = Server::start_with("[decisions]\ngranted = false\n");
    let key = server.client("billing", &["--generate-key"]);
    server.ok(&["subject", "create", "alice"]);
    server.ok(&["permission", "create", "billing", "alice"]);
    let last_use = || -> Value {
        let listed = server.ok(&["permission", "list", "--json"]);
        let listed: Value = serde_json::from_str(&listed).expect("a list");
        listed[0]["last_used_at"].clone()
    };
    assert_eq!(last_use(), Value::Null, "control: nothing was granted");
    let grant = |audience: &[&str]| {
        let assertion = mint(&server, &key, &[&["--sub", "alice"], audience].concat());
        server.token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)])
    };
    assert_eq!(grant(&[]).status, 200);
    let refused = grant(&["--aud", "https://other.example"]);
    show(&server, &refused.decision_id());
    let listed = server.ok(&["decisions", "list", "--json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).expect("a list");
    assert_eq!(listed.len(), 1, "the refusal: {listed:?}");
    assert_eq!(listed[0]["id"], *refused.decision_id());
    assert!(last_use().is_string(), "{}", last_use());
}
