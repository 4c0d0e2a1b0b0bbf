//! Finding out who changed what: the record of changes, through the real binary and a real database.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use grantor_testkit::binary::database::is_not_of_sqlite;
use grantor_testkit::binary::{browser::Browser, grantor};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    desk::{Desk, ISS},
    support::Server,
};

/// A desk at which there is one of each kind.
fn furnished() -> Desk {
    let desk = Desk::with_issuer();
    for arguments in [
        &["client", "create", "billing", "--generate-key"][..],
        &[
            "client",
            "create",
            "legacy",
            "--auth",
            "client_secret_basic",
        ],
        &["subject", "create", "alice"],
        &["permission", "create", "billing", "alice"],
        &["scope", "set", "read", "--en", "Read"],
        &[
            "trust",
            "create",
            "ci",
            "--from",
            "idp",
            "--pin",
            "sub=job-1",
        ],
    ] {
        desk.ok(arguments);
    }
    desk
}

/// All changes, oldest first.
fn changes(desk: &Desk) -> Vec<Value> {
    let listed = desk.json(&["changes", "list", "--limit", "1000"]);
    listed.as_array().expect("a list").clone()
}

/// The changes that a command makes.
fn made_by(desk: &Desk, arguments: &[&str]) -> Vec<Value> {
    let before = changes(desk).len();
    desk.ok(arguments);
    changes(desk).split_off(before)
}

/// What differs, by member: before and now.
fn differing(change: &Value) -> Vec<(&str, &Value, &Value)> {
    let differences = change["differences"].as_array().expect("a list").iter();
    differences
        .map(|one| {
            let member = one["member"].as_str().expect("a name");
            (member, &one["before"], &one["after"])
        })
        .collect()
}

/// The user who runs the commands of this test.
fn me() -> String {
    format!("local user {}", rustix::process::getuid().as_raw())
}

/// The `kid` of the key that signs, or comes first.
fn first_kid(desk: &Desk, arguments: &[&str]) -> String {
    desk.json(arguments)[0]["kid"]
        .as_str()
        .expect("a kid")
        .to_owned()
}

#[test]
fn m061_the_reason_is_kept_with_every_change_of_every_command() {
    let desk = Desk::new();
    let mut kid = desk.key.key_id().expect("a kid").to_owned();
    let commands = [
        "issuer create https://idp.example/ --name idp --jwks idp.jwks",
        "issuer update idp --leeway 20s",
        "issuer disable idp --revoke-tokens",
        "issuer enable idp",
        "client create billing --generate-key",
        "client update billing --scope read",
        "client disable billing",
        "client enable billing",
        "client add-key billing --jwks idp.jwks",
        "client remove-key billing --kid KID",
        "client create legacy --auth client_secret_basic",
        "client rotate-secret legacy --out new.json",
        "client create worker --federated idp --sub job-2",
        "subject create alice",
        "subject disable alice",
        "subject enable alice",
        "operator create alice --role editor",
        "operator create alice",
        "operator delete alice",
        "permission create billing alice",
        "permission delete billing alice",
        "permission create billing alice",
        "scope set unused --en Unused",
        "scope delete unused",
        "trust create ci --from idp --pin sub=job-1",
        "trust update ci --lifetime 20m",
        "trust disable ci",
        "trust enable ci",
        "trust delete ci",
        "key rotate --ahead 0s",
        "key revoke SIGNING",
        "subject delete alice",
        "client delete legacy",
        "issuer delete idp --cascade",
    ];
    let mut several = 0;
    for (number, command) in commands.into_iter().enumerate() {
        if command.contains("SIGNING") {
            kid = first_kid(&desk, &["key", "list"]);
        }
        let reason = format!("INC-{number}: {command}");
        let words = command.split(' ');
        let words = words.map(|word| match word {
            "KID" | "SIGNING" => &*kid,
            word => word,
        });
        let arguments: Vec<_> = words.chain(["--reason", &reason]).collect();
        let made = match number {
            // Before it there is no database.
            0 => {
                desk.ok(&arguments);
                changes(&desk)
            }
            _ => made_by(&desk, &arguments),
        };
        assert!(!made.is_empty(), "{command}: a change");
        several += usize::from(made.len() > 1);
        for change in made {
            assert_eq!(change["reason"], reason, "{command}: {change}");
            assert_eq!(change["way"], "command", "{command}: {change}");
        }
    }
    assert!(several >= 4, "some commands make several changes at once");
    let made = made_by(&desk, &["client", "disable", "billing"]);
    assert_eq!(made[0].get("reason"), None, "the control: {made:?}");
    let id = made[0]["id"].to_string();
    assert!(!desk.ok(&["changes", "show", &id]).contains("\nreason"));
}

#[test]
fn m061_a_reason_is_one_line_of_1_to_256_characters() {
    let desk = furnished();
    let before = changes(&desk).len();
    let (most, more) = ("é".repeat(256), "é".repeat(257));
    for reason in [
        "",
        " ",
        &*more,
        "two\nlines",
        "a\ttab",
        "\u{1b}[2J",
        "a\u{9b}",
    ] {
        let arguments = ["client", "disable", "billing", "--reason", reason];
        desk.refuses(&arguments, 2, &["--reason"]);
    }
    assert_eq!(changes(&desk).len(), before, "nothing was changed");
    for reason in ["x", &*most] {
        let turn = if reason == "x" { "disable" } else { "enable" };
        let made = made_by(&desk, &["client", turn, "billing", "--reason", reason]);
        assert_eq!(made[0]["reason"], reason, "the control");
    }
}

#[test]
fn m061_a_command_that_changes_nothing_takes_no_reason() {
    let desk = furnished();
    let commands = [
        "client list",
        "client show billing",
        "subject list",
        "permission list",
        "permission show billing alice",
        "scope list",
        "issuer list",
        "issuer show idp",
        "trust list",
        "trust show ci",
        "trust report ci",
        "template list",
        "key list",
        "decisions list",
        "changes list",
        "changes show 1",
    ];
    for command in commands {
        let arguments: Vec<_> = command.split(' ').collect();
        desk.ok(&arguments);
        let with_reason = [&arguments[..], &["--reason", "x"]].concat();
        desk.refuses(&with_reason, 2, &["--reason", "leave it out"]);
    }
}

#[test]
fn m063_changes_are_listed_by_what_they_say_and_shown_member_by_member() {
    let desk = furnished();
    desk.ok(&[
        "client", "update", "billing", "--scope", "read", "--reason", "INC-1",
    ]);
    let count = |arguments: &[&str]| {
        let listed = desk.json(&[&["changes", "list"], arguments].concat());
        listed.as_array().expect("a list").len()
    };
    let all = changes(&desk);
    let of_clients = all.iter().filter(|one| one["resource"] == "client").count();
    assert!(of_clients >= 3 && of_clients < all.len(), "{all:?}");
    assert_eq!(count(&["--resource", "client"]), of_clients);
    assert_eq!(count(&["--resource", "client", "--name", "billing"]), 2);
    assert_eq!(count(&["--name", r#"["billing","alice"]"#]), 1);
    assert_eq!(count(&["--name", "nobody"]), 0);
    assert_eq!(
        count(&["--actor", &me(), "--resource", "client"]),
        of_clients
    );
    assert_eq!(count(&["--actor", "operator anna"]), 0);
    assert_eq!(count(&["--since", "1h"]), all.len());
    assert_eq!(count(&["--since", "2000-01-01T00:00:00Z"]), all.len());
    assert_eq!(count(&["--since", "2999-01-01T00:00:00Z"]), 0);
    assert_eq!(count(&["--limit", "2"]), 2);
    desk.refuses(&["changes", "list", "--since", "soon"], 2, &["12h or 30d"]);
    let last = all.last().expect("a change");
    let newest = desk.json(&["changes", "list", "--limit", "1"]);
    assert_eq!(&newest[0], last);

    let text = desk.ok(&["changes", "list", "--name", "billing"]);
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].contains("ID") && lines[0].contains("WHO") && lines[0].contains("REASON"),
        "{text}"
    );
    assert!(
        lines[1].contains("create") && lines[2].contains("replace") && lines[2].ends_with("INC-1"),
        "oldest first: {text}"
    );
    assert_eq!(desk.ok(&["changes", "list", "--name", "nobody"]), "none\n");

    let id = last["id"].to_string();
    assert_eq!(&desk.json(&["changes", "show", &id]), last);
    let text = desk.ok(&["changes", "show", &id]);
    for line in [
        format!("change    {id}"),
        format!("who       {}", me()),
        "way       command".to_owned(),
        "reason    INC-1".to_owned(),
        "resource  client".to_owned(),
        "name      billing".to_owned(),
        "action    replace".to_owned(),
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
    let (_, table) = text.split_once("\n\n").expect("a head, and the table");
    let rows: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows,
        [vec!["MEMBER", "BEFORE", "NOW"], vec!["scope", "read"]]
    );
    let at = last["at"].as_str().expect("a time");
    assert!(at.starts_with('2') && at.ends_with('Z'), "{at}");
}

#[test]
fn m063_an_id_that_no_change_has_is_an_error_with_a_hint() {
    let desk = furnished();
    for id in [
        "0",
        "999999",
        "18446744073709551615",
        "-1",
        "x0dk2vq8c3pmz7t",
        "",
    ] {
        let words = [
            &*format!("no change {id} is recorded"),
            "grantor changes list",
        ];
        desk.refuses(&["changes", "show", id], 1, &words);
    }
    desk.ok(&["changes", "show", "1"]);
}

#[test]
fn m063_changes_are_printed_as_they_are_made() {
    let desk = furnished();
    let mut tail = grantor(&desk.path().join("data"))
        .args(["changes", "tail", "--resource", "client", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut printed = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let (line, first) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        // Nothing that was there before is printed.
        line.send(printed.next()).expect("somebody waits");
        printed.next()
    });
    let mut turns = ["disable", "enable"].iter().cycle();
    let mut turned = None;
    grantor_testkit::wait::blocking::until("a change is printed", || {
        desk.ok(&["subject", "create", &format!("s{}", changes(&desk).len())]);
        let turn = turns.next().expect("a turn");
        desk.ok(&["client", turn, "billing", "--reason", "now"]);
        turned = first.try_recv().ok();
        turned.is_some()
    });
    let line = turned.flatten().expect("a line").expect("UTF-8");
    let change: Value = serde_json::from_str(&line).expect("a JSON line");
    assert_eq!(
        (&change["resource"], &change["name"], &change["reason"]),
        (&json!("client"), &json!("billing"), &json!("now"))
    );
    tail.kill().expect("it is killed");
    tail.wait().expect("it ends");
    drop(reader.join().expect("it reads to the end"));
}

#[test]
fn m080_a_change_of_each_kind_shows_who_which_way_before_and_after() {
    let desk = furnished();
    let kid = desk.key.key_id().expect("a kid").to_owned();
    // The kind, the name, the action, and the member that differs, before and now, where it says
    // all of the change.
    type Row<'r> = (
        &'r str,
        &'r str,
        &'r str,
        &'r str,
        Option<(&'r str, Value, Value)>,
    );
    let rows: [Row<'_>; 10] = [
        (
            "client disable billing",
            "client",
            "billing",
            "replace",
            Some(("enabled", json!(true), json!(false))),
        ),
        (
            "client add-key billing --jwks idp.jwks",
            "client",
            "billing",
            "replace",
            None,
        ),
        (
            "client rotate-secret legacy --out new.json",
            "client",
            "legacy",
            "replace",
            None,
        ),
        (
            "subject disable alice",
            "subject",
            "alice",
            "replace",
            Some(("enabled", json!(true), json!(false))),
        ),
        (
            "permission delete billing alice",
            "permission",
            r#"["billing","alice"]"#,
            "delete",
            None,
        ),
        (
            "scope set read --en Look",
            "scope",
            "read",
            "replace",
            Some(("en", json!("Read"), json!("Look"))),
        ),
        (
            "issuer update idp --leeway 20s",
            "issuer",
            ISS,
            "replace",
            Some(("leeway", json!(30), json!(20))),
        ),
        (
            "trust update ci --lifetime 5m",
            "trust",
            "ci",
            "replace",
            Some(("lifetime", Value::Null, json!(300))),
        ),
        ("trust delete ci", "trust", "ci", "delete", None),
        ("client delete billing", "client", "billing", "delete", None),
    ];
    for (command, resource, name, action, member) in rows {
        let made = made_by(&desk, &command.split(' ').collect::<Vec<_>>());
        let change = made.last().expect(command);
        assert_eq!(
            (
                &change["resource"],
                &change["name"],
                &change["action"],
                &change["way"]
            ),
            (
                &json!(resource),
                &json!(name),
                &json!(action),
                &json!("command")
            ),
            "{command}"
        );
        let uid = rustix::process::getuid().as_raw();
        assert_eq!(
            change["who"],
            json!({"kind": "local_user", "name": uid}),
            "{command}"
        );
        let differences = differing(change);
        if let Some((member, before, now)) = member {
            assert_eq!(
                differences,
                [(member, &before, &now)],
                "{command}: {change}"
            );
        }
        let is_fingerprint = |value: &Value| {
            let hex = value.as_str().and_then(|text| text.strip_prefix("sha256:"));
            hex.is_some_and(|hex| hex.len() == 8 && hex.bytes().all(|one| one.is_ascii_hexdigit()))
        };
        match command.split(' ').nth(1) {
            Some("add-key") => {
                let [("keys", before, now)] = differences[..] else {
                    panic!("{change}")
                };
                let (before, now) = (
                    before.as_array().expect("keys"),
                    now.as_array().expect("keys"),
                );
                assert_eq!((before.len(), now.len()), (1, 2), "{change}");
                assert_eq!(before[0], now[0]);
                assert_eq!(now[1]["name"], kid);
                assert!(is_fingerprint(&now[1]["fingerprint"]), "{change}");
            }
            Some("rotate-secret") => {
                let [("secrets", before, now)] = differences[..] else {
                    panic!("{change}")
                };
                assert!(is_fingerprint(&before[0]["fingerprint"]), "{change}");
                assert!(is_fingerprint(&now[0]["fingerprint"]), "{change}");
                assert_ne!(before[0]["fingerprint"], now[0]["fingerprint"]);
            }
            Some("delete") => {
                assert!(!differences.is_empty(), "{change}");
                assert!(
                    differences.iter().all(|(_, _, now)| now.is_null()),
                    "{change}"
                );
                let created = differences
                    .iter()
                    .find(|(member, ..)| *member == "created_at");
                let created = created.expect("when it was made").1.as_str();
                assert!(created.is_some_and(|at| at.ends_with('Z')), "{change}");
            }
            _ => {}
        }
    }
    let made = made_by(&desk, &["key", "rotate"]);
    let kinds: Vec<_> = made
        .iter()
        .map(|one| {
            (
                one["resource"].as_str().expect("a kind"),
                one["action"].as_str().expect("one"),
            )
        })
        .collect();
    assert!(kinds.contains(&("signing_key", "create")), "{made:?}");
}

#[test]
fn m080_m081_of_a_password_it_is_on_record_who_set_it_and_when() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    const PASSWORD: &str = "correct horse battery staple";
    let server = Server::start_with("log.level = \"debug\"\n[person]");
    server.ok(&["subject", "create", "alice"]);
    let invited = server.ok(&["subject", "invite", "alice", "--json"]);
    let invited: Value = serde_json::from_str(&invited).expect("JSON");
    let link = invited["link"].as_str().expect("a link");
    Browser::new(&server).accept(link, PASSWORD);
    let listed = server.ok(&["changes", "list", "--resource", "password", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let change = &listed[0];
    assert_eq!(
        change["who"],
        json!({"kind": "person", "name": "alice"}),
        "{listed}"
    );
    assert_eq!(
        (&change["way"], &change["name"], &change["action"]),
        (&json!("own_page"), &json!("alice"), &json!("create"))
    );
    let members: Vec<_> = differing(change).iter().map(|one| one.0).collect();
    assert_eq!(
        members,
        ["changed_at", "subject"],
        "and nothing of the password"
    );
    let (_, token) = link.split_once("token=").expect("a token");
    let log = serde_json::to_string(&server.log()).expect("JSON");
    let printed = server.ok(&["changes", "list", "--json"]) + &server.ok(&["changes", "list"]);
    for secret in [PASSWORD, token, "argon2"] {
        assert!(
            !printed.contains(secret) && !log.contains(secret),
            "{secret}"
        );
        for file in ["grantor.db", "grantor.db-wal"] {
            let octets = fs::read(server.data().join(file)).expect("a file of the database");
            assert!(
                !String::from_utf8_lossy(&octets).contains(secret),
                "{secret} in {file}"
            );
        }
    }
}

#[test]
fn m081_no_secret_is_printed_stored_or_logged() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let server = Server::start_with("log.level = \"debug\"");
    let desk = Desk::new();
    let key_set = desk.path().join("idp.jwks");
    let key_set = key_set.to_string_lossy();
    let read = |name: &str| -> Value {
        let file = fs::read(server.directory().join(name)).expect("a key file");
        serde_json::from_slice(&file).expect("JSON")
    };
    let mut secrets = Vec::new();
    for (id, method) in [
        ("basic", "client_secret_basic"),
        ("mac", "client_secret_jwt"),
    ] {
        server.client(id, &["--auth", method]);
        let out = format!("{id}-new.json");
        server.ok(&["client", "rotate-secret", id, "--out", &out]);
        for file in [format!("{id}.json"), out] {
            secrets.push(
                read(&file)["client_secret"]
                    .as_str()
                    .expect("a secret")
                    .to_owned(),
            );
        }
    }
    server.client("billing", &["--generate-key"]);
    let key = read("billing.json");
    let private = key.to_string();
    let (_, private) = private.split_once("\"d\":\"").expect("a private key");
    secrets.push(private.split('"').next().expect("its end").to_owned());
    server.ok(&["issuer", "create", ISS, "--name", "idp", "--jwks", &key_set]);
    server.ok(&["client", "delete", "basic"]);

    let list = server.ok(&["changes", "list", "--json"]);
    let changes: Vec<Value> = serde_json::from_str(&list).expect("JSON");
    assert!(
        list.matches("sha256:").count() >= 8,
        "fingerprints are there: {list}"
    );
    let mut printed = list + &server.ok(&["changes", "list"]);
    for change in &changes {
        printed += &server.ok(&["changes", "show", &change["id"].to_string()]);
    }
    let public = desk.key.public_jwk(&[]);
    let public = public["x"].as_str().expect("a coordinate");
    assert!(!printed.contains(public), "nor a public key");
    let log = serde_json::to_string(&server.log()).expect("JSON");
    assert_eq!(secrets.len(), 5);
    for secret in &secrets {
        assert!(secret.len() >= 40, "a secret");
        for (at, part) in [
            ("its beginning", &secret[..20]),
            ("its end", &secret[secret.len() - 20..]),
        ] {
            assert!(!printed.contains(part), "{at} is printed");
            assert!(!log.contains(part), "{at} is in the log");
            for file in ["grantor.db", "grantor.db-wal"] {
                let octets = fs::read(server.data().join(file)).expect("a file of the database");
                let kept = String::from_utf8_lossy(&octets).into_owned();
                assert!(!kept.contains(part), "{at} is in {file}");
            }
        }
    }
}

#[test]
fn m082_a_change_directly_in_the_database_is_shown_as_unknown() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let desk = furnished();
    let database = Connection::open(desk.path().join("data/grantor.db")).expect("the database");
    database
        .execute("UPDATE subject SET enabled = 0 WHERE id = 'alice'", [])
        .expect("changed");
    let found = desk.json(&["changes", "list", "--actor", "unknown"]);
    let found = found.as_array().expect("a list");
    let [change] = &found[..] else {
        panic!("that one only: {found:?}")
    };
    assert_eq!(
        (&change["who"], &change["way"]),
        (&json!({"kind": "unknown"}), &json!("database"))
    );
    assert_eq!(
        differing(change),
        [("enabled", &json!(true), &json!(false))]
    );
    let listed = desk.ok(&[
        "changes",
        "list",
        "--resource",
        "subject",
        "--name",
        "alice",
    ]);
    let last = listed.lines().last().expect("a line");
    let words: Vec<_> = last.split_whitespace().skip(2).collect();
    let expected = "unknown directly in the database replace subject alice";
    assert_eq!(words.join(" "), expected, "{listed}");
    let shown = desk.ok(&["changes", "show", &change["id"].to_string()]);
    assert!(
        shown.contains("\nway       directly in the database\n"),
        "{shown}"
    );
    let own = desk.json(&["changes", "list", "--actor", &me(), "--name", "alice"]);
    assert_eq!(own.as_array().map(Vec::len), Some(1), "the control: {own}");
}

#[test]
fn m083_the_record_is_bounded_by_the_configuration_and_no_command_edits_it() {
    let server = Server::start_with("[changes]\nrows = 3");
    for name in ["a", "b", "c", "d", "e"] {
        server.ok(&["subject", "create", name]);
    }
    let names = || -> Vec<String> {
        let listed = server.ok(&["changes", "list", "--json"]);
        let listed: Vec<Value> = serde_json::from_str(&listed).expect("JSON");
        let names = listed
            .iter()
            .map(|one| one["name"].as_str().expect("a name").to_owned());
        names.collect()
    };
    server.wait_until("the oldest are gone", || names().len() == 3);
    assert_eq!(names(), ["c", "d", "e"]);
    for verb in ["delete", "update", "create"] {
        assert_eq!(
            server.run(&["changes", verb, "3"]).status.code(),
            Some(2),
            "{verb}"
        );
    }
}

/// What another tool wrote there, and what somebody gave as a reason.
#[test]
fn m063_nothing_in_a_change_moves_the_cursor_and_a_damaged_one_hides_no_other() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let desk = furnished();
    let reason = "for\u{202e}bob\u{2028}\u{200e}";
    desk.ok(&["client", "disable", "billing", "--reason", reason]);
    let hostile = "bill\u{9b}2J\u{202e}ing\u{2028}\u{7f}\u{1b}[2J\nx";
    let record = json!({
        "at": 1_800_000_000_000_i64, "who": {"kind": "program", "name": hostile}, "way": "program",
        "request": hostile, "resource": hostile, "name": hostile, "action": "replace",
        "before": {hostile: hostile}, "after": {hostile: [hostile]},
    });
    let database = Connection::open(desk.path().join("data/grantor.db")).expect("the database");
    let insert = "INSERT INTO change_record (at, actor, resource, name, record)
        VALUES (1800000000000, 'x', 'x', 'x', ?)";
    for record in ["spoilt", &record.to_string()] {
        database.execute(insert, [record]).expect("inserted");
    }
    let all = changes(&desk);
    let [.., disabled, written] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(
        (&disabled["reason"], &written["name"]),
        (&json!(reason), &json!(hostile))
    );
    let ids = [disabled, written].map(|change| change["id"].to_string());
    for arguments in [
        &["changes", "list"][..],
        &["changes", "show", &ids[0]],
        &["changes", "show", &ids[1]],
        &["changes", "show", hostile],
        &["changes", "list", "--name", hostile],
    ] {
        for json in [&[][..], &["--json"]] {
            let finished = desk.run(&[json, arguments].concat());
            let printed = finished.stdout + &finished.stderr;
            let hidden = |each: char| {
                (each.is_control() && each != '\n')
                    || matches!(each, '\u{200e}' | '\u{202e}' | '\u{2028}')
            };
            assert!(
                !printed.is_empty() && !printed.contains(hidden),
                "{arguments:?}: {printed:?}"
            );
        }
    }
    let shown = desk.ok(&["changes", "show", &ids[1]]);
    assert_eq!(shown.lines().count(), 11, "no line is added: {shown}");
}
