//! Permissions, and what requests would get.

use grantor_testkit::binary::{Server, console::Console};
use serde_json::{Value, json};

/// With the client `billing`, and the subject `alice`.
fn start(configuration: &str) -> Server {
    let server = Server::start_with(configuration);
    server.client("billing", &["--generate-key", "--scope", "r w"]);
    server.ok(&["subject", "create", "alice"]);
    server
}

fn shown(server: &Server) -> Value {
    let shown = server.ok(&["permission", "show", "billing", "alice", "--json"]);
    serde_json::from_str(&shown).expect("JSON")
}

fn give(console: &mut Console<'_>) {
    let values = [("client", "billing"), ("subject", "alice"), ("scope", "r")];
    let given = console.submit("/permissions/new", &values);
    assert!(
        given.body.contains("<bdi>billing</bdi> may act for"),
        "{given:?}"
    );
}

#[test]
fn m125_a_permission_is_given_changed_and_withdrawn() {
    let server = start("");
    let mut console = server.console();
    let empty = console.page("/permissions");
    assert!(empty.body.contains("No permissions yet."), "{empty:?}");
    give(&mut console);
    let records = shown(&server)["records"].clone();
    assert_eq!(records[0]["scope"], "r");
    assert_eq!(records[0]["origin"], "operator");
    // Who may act is said once: what is there is changed and not given anew.
    let values = [("client", "billing"), ("subject", "alice"), ("scope", "w")];
    let again = console.submit("/permissions/new", &values);
    assert_eq!(again.status, 409, "{again:?}");
    assert_eq!(shown(&server)["records"], records);

    let values = [("scope", ""), ("expires_at", "2099-01-02")];
    let changed = console.submit("/permissions/billing/alice/edit", &values);
    assert!(changed.body.contains("is changed."), "{changed:?}");
    let record = shown(&server)["records"][0].clone();
    assert_eq!(record["scope"], Value::Null);
    assert_eq!(record["expires_at"], "2099-01-02T00:00:00Z");
    assert_eq!(record["grants"].as_array().map(Vec::len), Some(1));

    let page = console.page("/permissions/billing/alice/operator/withdraw");
    assert!(page.body.contains("It was never used"), "{page:?}");
    let withdrawn = console.submit("/permissions/billing/alice/operator/withdraw", &[]);
    assert!(
        withdrawn.body.contains("can no longer act for"),
        "{withdrawn:?}"
    );
    assert!(withdrawn.body.contains("Give it again"), "{withdrawn:?}");
    assert_eq!(shown(&server)["records"], json!([]));
    let gone = console.open("/permissions/billing/alice/operator/withdraw");
    assert_eq!(gone.status, 404);
}

#[test]
fn m116_a_permission_says_by_which_command_the_client_uses_it() {
    let server = start("");
    server.client("shop", &["--auth", "client_secret_basic"]);
    let mut console = server.console();
    let command = "grantor token --key billing.json --sub alice";
    let before = console.page("/permissions/billing/alice");
    assert!(!before.body.contains("grantor token"), "{before:?}");
    give(&mut console);
    let given = console.page("/permissions/billing/alice");
    assert!(given.body.contains(command), "{given:?}");
    // A client that signs nothing has no such command.
    let values = [("client", "shop"), ("subject", "alice")];
    let given = console.submit("/permissions/new", &values);
    assert_eq!(given.status, 200, "{given:?}");
    assert!(!given.body.contains("grantor token"), "{given:?}");
}

#[test]
fn m125_what_is_wrong_is_said_at_its_field() {
    let server = start("");
    let mut console = server.console();
    for (values, field) in [
        ([("client", ""), ("subject", "alice")], "client"),
        ([("client", "billing"), ("subject", "")], "subject"),
    ] {
        let refused = console.submit("/permissions/new", &values);
        assert_eq!(refused.status, 422, "{field}: {refused:?}");
        assert!(
            refused.body.contains(&format!("id=\"{field}-fault\"")),
            "{field}"
        );
    }
    for (client, subject, field) in [("nobody", "alice", "client"), ("billing", "bob", "subject")] {
        let values = [("client", client), ("subject", subject), ("scope", "r")];
        let refused = console.submit("/permissions/new", &values);
        assert_eq!(refused.status, 422, "{field}: {refused:?}");
        assert!(
            refused.body.contains(&format!("id=\"{field}-fault\"")),
            "{field}"
        );
        let fault = format!("There is no {field} of this name.");
        assert!(refused.body.contains(&fault), "{field}: {refused:?}");
        // What was typed stays.
        for typed in [client, subject, "r"] {
            assert!(refused.body.contains(&format!("value=\"{typed}\"")));
        }
    }
    let values = [
        ("client", "billing"),
        ("subject", "alice"),
        ("scope", "r x"),
    ];
    let refused = console.submit("/permissions/new", &values);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("id=\"scope-fault\""), "{refused:?}");
    assert!(refused.body.contains("value=\"r x\""), "{refused:?}");
    give(&mut console);
    let values = [("scope", "r \"")];
    let refused = console.submit("/permissions/billing/alice/edit", &values);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("id=\"scope-fault\""), "{refused:?}");
    assert!(refused.body.contains("value=\"r &quot;\""), "{refused:?}");
}

#[test]
fn m125_permissions_are_found_by_each_filter_and_come_as_files() {
    let server = start("");
    server.client("nightly", &["--generate-key", "--scope", "r"]);
    server.ok(&["subject", "create", "bob"]);
    server.ok(&["permission", "create", "billing", "alice"]);
    server.ok(&["permission", "create", "nightly", "bob"]);
    let mut console = server.console();
    for (query, count) in [
        ("", 2),
        ("?client=billing", 1),
        ("?subject=bob", 1),
        ("?origin=operator", 2),
        ("?origin=person", 0),
        ("?unused=90", 0),
    ] {
        let page = console.page(&format!("/permissions{query}"));
        let rows = page.body.matches("<th scope=\"row\">").count();
        assert_eq!(rows, count, "{query}: {page:?}");
    }
    let csv = console.page("/permissions?client=billing&format=csv");
    assert!(
        csv.body.starts_with("\"client\",\"subject\",\"origin\""),
        "{csv:?}"
    );
    assert_eq!(csv.body.split_terminator("\r\n").count(), 2);
    assert_eq!(console.open("/permissions?unused=long").status, 400);
}

#[test]
fn m125_m030_a_preview_says_what_would_be_decided_and_why() {
    let server = start("");
    let mut console = server.console_as("rita", "reader");
    let empty = console.page("/permissions/preview?client=billing");
    assert!(empty.body.contains("value=\"billing\""), "{empty:?}");
    assert!(!empty.body.contains("It would be"), "{empty:?}");
    let asked = "/permissions/preview?client=billing&grant=jwt-bearer&subject=alice";
    let refused = console.page(asked);
    assert!(
        refused.body.contains("✗ It would be refused"),
        "{refused:?}"
    );
    assert!(
        refused.body.contains("<code>permission</code>"),
        "{refused:?}"
    );
    server.ok(&["permission", "create", "billing", "alice", "--scope", "r"]);
    let granted = console.page(asked);
    assert!(
        granted.body.contains("✓ It would be granted"),
        "{granted:?}"
    );
    assert!(granted.body.contains("<code>r</code>"), "{granted:?}");
    let wrong = console.open("/permissions/preview?client=nobody&grant=jwt-bearer");
    assert_eq!(wrong.status, 422, "{wrong:?}");
    assert!(
        wrong.body.contains("There is no client of this name."),
        "{wrong:?}"
    );
    let wrong = console.open("/permissions/preview?client=billing&grant=jwt-bearer&scope=%22");
    assert_eq!(wrong.status, 422, "{wrong:?}");
    assert!(wrong.body.contains("id=\"scope-fault\""), "{wrong:?}");
    // Nothing is decided by looking.
    let decisions = server.ok(&["decisions", "list", "--json"]);
    assert!(!decisions.contains("\"jwt-bearer\""), "{decisions}");
}

#[test]
fn m125_who_has_not_allowed_it_is_asked_by_a_link() {
    let server = start("[person]");
    server.ok(&["client", "update", "billing", "--consent", "ask"]);
    let mut console = server.console();
    let page = console.page("/permissions/billing/alice");
    let link = page.text_of("ask-link").expect("a link");
    assert!(
        link.starts_with(&format!("{}/consent?", server.issuer)),
        "{link}"
    );
    assert!(
        page.body.contains("Neither an operator nor the person"),
        "{page:?}"
    );
    // The control: of a client that asks nobody there is none.
    server.ok(&["client", "update", "billing", "--consent", "off"]);
    let page = console.page("/permissions/billing/alice");
    assert_eq!(page.text_of("ask-link"), None, "{page:?}");
}

#[test]
fn m113_m012_readers_withdraw_nothing_and_editors_no_power() {
    let server = start("");
    server.client("power", &["--generate-key", "--scope", "r grantor:read"]);
    server.ok(&["permission", "create", "power", "alice", "--scope", "r"]);
    server.ok(&["permission", "create", "billing", "alice"]);
    let mut reader = server.console_as("rita", "reader");
    let page = reader.page("/permissions/billing/alice");
    assert!(!page.body.contains("/withdraw\""), "{page:?}");
    for path in [
        "/permissions/new",
        "/permissions/billing/alice/edit",
        "/permissions/billing/alice/operator/withdraw",
    ] {
        assert_eq!(reader.open(path).status, 403, "{path}");
    }
    let mut editor = server.console_as("emil", "editor");
    let page = editor.page("/permissions/power/alice");
    assert!(!page.body.contains("/withdraw\""), "{page:?}");
    for path in ["edit", "operator/withdraw"] {
        let path = format!("/permissions/power/alice/{path}");
        assert_eq!(editor.open(&path).status, 403, "{path}");
    }
    let values = [("client", "power"), ("subject", "alice")];
    assert_eq!(editor.submit("/permissions/new", &values).status, 403);
    // The control: what has no power.
    let withdrawn = editor.submit("/permissions/billing/alice/operator/withdraw", &[]);
    assert!(
        withdrawn.body.contains("can no longer act for"),
        "{withdrawn:?}"
    );
    let mut owner = server.console();
    assert_eq!(owner.open("/permissions/power/alice/edit").status, 200);
}
