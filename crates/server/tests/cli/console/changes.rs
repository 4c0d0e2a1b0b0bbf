//! The record of changes at the console.

use std::fs;

use grantor_testkit::binary::Server;
use serde_json::Value;

/// The names of what the rows of a list are about.
fn names(page: &str) -> Vec<String> {
    let cells = page.split("data-label=\"What\"").skip(1);
    let name = |cell: &str| {
        Some(
            cell.split("<bdi>")
                .nth(1)?
                .split("</bdi>")
                .next()?
                .to_owned(),
        )
    };
    cells.filter_map(name).collect()
}

#[test]
fn m129_changes_are_listed_the_newest_first_and_found_by_who_what_and_when() {
    let server = Server::start();
    let mut console = server.console();
    console.submit(
        "/subjects/new",
        &[("id", "alice"), ("reason", "a new colleague")],
    );
    console.submit("/subjects/new", &[("id", "bob")]);
    let longer = "x".repeat(257);
    let refused = console.submit("/subjects/alice/switch", &[("reason", &longer)]);
    assert_eq!(refused.status, 422, "{refused:?}");
    console.submit("/subjects/alice/switch", &[("reason", "on leave")]);
    let page = console.page("/changes");
    assert_eq!(names(&page.body)[..3], ["alice", "bob", "alice"]);
    for text in [
        "operator <bdi>admin</bdi> <span class=\"muted\">the console</span>",
        "<bdi>a new colleague</bdi>",
        "<td data-label=\"Members\">enabled</td>",
        "local user ",
        "href=\"/console/subjects/alice\"",
    ] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
    for (query, found) in [
        ("resource=subject&name=alice", vec!["alice", "alice"]),
        (
            "resource=subject&actor=operator+admin",
            vec!["alice", "bob", "alice"],
        ),
        ("name=nobody&resource=subject", vec![]),
        ("resource=subject&since=2000-01-01&until=2001-01-01", vec![]),
        ("resource=subject&name=bob&since=2020-01-01", vec!["bob"]),
        (
            "resource=subject&name=bob&since=2020-01-01T00%3A00%3A00Z",
            vec!["bob"],
        ),
    ] {
        let page = console.page(&format!("/changes?{query}"));
        assert_eq!(names(&page.body), found, "{query}");
    }
    for wrong in ["since=yesterday", "colour=red", "before=x"] {
        let status = console.open(&format!("/changes?{wrong}")).status;
        assert!([400, 422].contains(&status), "{wrong}: {status}");
    }
    let csv = console.page("/changes?resource=subject&name=bob&format=csv");
    assert_eq!(csv.body.lines().count(), 2, "{csv:?}");
    let json = console.page("/changes?resource=subject&format=json").json();
    // With the owner, who was registered by the first command.
    assert_eq!(json.as_array().map(Vec::len), Some(4));
}

#[test]
fn m118_m129_older_changes_are_pages_away() {
    let server = Server::start();
    let subject = |number: usize| format!("[[subject]]\nid = \"person-{number:03}\"\n");
    let file = server.directory().join("people.toml");
    fs::write(&file, (0..120).map(subject).collect::<String>()).expect("a file");
    server.ok(&["apply", &file.to_string_lossy(), "--owner", "people"]);
    let mut console = server.console();
    let (mut path, mut all) = ("/changes?resource=subject&actor=".to_owned(), Vec::new());
    for expected in [50, 50, 20] {
        let page = console.page(&path);
        let found = names(&page.body);
        let people: Vec<_> = found.into_iter().filter(|name| name != "admin").collect();
        assert!(people.len() >= expected - 1, "{path}: {}", people.len());
        all.extend(people);
        let next = page.body.split("rel=\"next\" href=\"").nth(1);
        match next.and_then(|rest| rest.split('"').next()) {
            Some(next) => path = next.replace("&amp;", "&"),
            None => break,
        }
    }
    let expected: Vec<_> = (0..120)
        .rev()
        .map(|number| format!("person-{number:03}"))
        .collect();
    assert_eq!(all, expected);
    let json = console.page("/changes?resource=subject&format=json").json();
    assert_eq!(json.as_array().map(Vec::len), Some(121));
}

#[test]
fn m129_a_change_says_who_by_which_way_what_and_why() {
    let server = Server::start();
    let mut console = server.console();
    server.client("billing", &["--generate-key", "--scope", "invoices:read"]);
    server.ok(&[
        "client",
        "update",
        "billing",
        "--scope",
        "invoices:read invoices:write",
        "--reason",
        "</code><script>alert(1)</script>\u{202e}",
    ]);
    let listed: Value =
        serde_json::from_str(&server.ok(&["changes", "list", "--json"])).expect("JSON");
    let last = listed
        .as_array()
        .and_then(|all| all.last())
        .expect("a change");
    let id = last["id"].as_u64().expect("a number");
    let page = console.page(&format!("/changes/{id}"));
    for text in [
        &*format!("<h1>Change {id}</h1>"),
        "local user ",
        "<dd>a command</dd>",
        "<a href=\"/console/clients/billing\"><bdi>billing</bdi></a>",
        "<del><code>invoices:read</code></del>",
        "<ins><code>invoices:read invoices:write</code></ins>",
        "&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}",
        "/console/changes?resource=client&amp;name=billing",
        "/console/changes?actor=local+user+",
    ] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
    assert!(!page.body.contains("<script>alert"), "{page:?}");
    assert_eq!(console.open("/changes/999999").status, 404);
    assert_eq!(console.open("/changes/x").status, 404);
    let permission = server.ok(&["subject", "create", "alice"]);
    assert!(!permission.is_empty());
    server.ok(&["permission", "create", "billing", "alice"]);
    let page = console.page("/changes?resource=permission");
    assert!(
        page.body
            .contains("href=\"/console/permissions/billing/alice\""),
        "{page:?}"
    );
    assert!(page.body.contains("<bdi>billing, alice</bdi>"), "{page:?}");
}

#[test]
fn m083_ma27_nothing_at_the_console_edits_a_change() {
    let server = Server::start();
    let mut console = server.console();
    let origin = server.issuer.clone();
    for path in ["/console/changes", "/console/changes/1"] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let refused = console
                .browser
                .send(method, path, &[("Origin", &origin)], "");
            assert_eq!(refused.status, 405, "{method} {path}");
            assert_eq!(
                refused.header("allow"),
                Some("GET, HEAD"),
                "{method} {path}"
            );
        }
        assert_eq!(console.open(path).status, 200);
    }
}
