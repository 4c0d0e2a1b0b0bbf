//! MA27, M082, M083: what nobody's code changed, and that the record itself is changed by nobody.

use grantor::jose::Algorithm;
use grantor_testkit::binary::{browser::Browser, database::is_not_of_sqlite};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::office::Office;
use crate::forge::Key;

#[test]
fn ma27_m082_what_is_done_in_the_database_is_recorded_as_of_nobody() {
    if is_not_of_sqlite("it writes to the file") {
        return;
    }
    let office = Office::open();
    let server = &office.server;
    let key = Key::generate(Algorithm::Es256).public_jwk(&[]);
    let file = server.directory().join("k.jwks");
    std::fs::write(&file, json!({"keys": [key]}).to_string()).expect("a file");
    for command in [
        "client create billing --auth client_secret_basic --scope read --out b.json",
        "client create worker --jwks k.jwks --scope read",
        "subject create alice",
        "subject create bob",
        "permission create worker alice",
        "scope set read --en Read",
        "issuer create https://idp.example --name idp --jwks k.jwks",
        "trust create ci --from idp --client worker --scope read --pin sub=job",
    ] {
        server.ok(&command.split(' ').collect::<Vec<_>>());
    }
    let link = server.ok(&["subject", "invite", "alice", "--json"]);
    let link: Value = serde_json::from_str(&link).expect("JSON");
    Browser::new(server).accept(
        link["link"].as_str().expect("a link"),
        "correct horse battery staple",
    );
    let database = Connection::open(office.database()).expect("the database");
    database
        .execute_batch("PRAGMA foreign_keys = ON")
        .expect("set");
    let rows = [
        (
            "UPDATE client SET metadata = json_set(metadata, '$.scope', 'grantor:admin') WHERE id = 'billing'",
            "client",
            "replace",
        ),
        (
            "UPDATE client SET keys = '[]' WHERE id = 'worker'",
            "client",
            "replace",
        ),
        (
            "UPDATE client_secret SET expires_at = 1 WHERE client = 'billing'",
            "client",
            "replace",
        ),
        (
            "DELETE FROM client_secret WHERE client = 'billing'",
            "client",
            "replace",
        ),
        (
            "INSERT INTO client_secret (client, position, kind, value) VALUES ('billing', 0, 'digest', x'00')",
            "client",
            "replace",
        ),
        (
            "UPDATE subject SET enabled = 0 WHERE id = 'alice'",
            "subject",
            "replace",
        ),
        (
            "INSERT INTO operator (subject, role) SELECT number, 'reader' FROM subject WHERE id = 'alice'",
            "operator",
            "create",
        ),
        ("UPDATE operator SET role = 'owner'", "operator", "replace"),
        ("DELETE FROM operator", "operator", "delete"),
        ("UPDATE password SET digest = x'00'", "password", "replace"),
        ("DELETE FROM password", "password", "delete"),
        (
            "UPDATE permission SET scope = 'grantor:admin'",
            "permission",
            "replace",
        ),
        ("DELETE FROM permission", "permission", "delete"),
        (
            "INSERT INTO permission (client, subject) VALUES ('worker', 'bob')",
            "permission",
            "create",
        ),
        (
            "UPDATE scope_text SET document = json_set(document, '$.en', 'Nothing')",
            "scope",
            "replace",
        ),
        ("DELETE FROM scope_text", "scope", "delete"),
        (
            "UPDATE issuer SET document = json_set(document, '$.leeway', 20)",
            "issuer",
            "replace",
        ),
        (
            "UPDATE trust SET document = json_set(document, '$.scope', 'grantor:admin')",
            "trust",
            "replace",
        ),
        ("DELETE FROM trust", "trust", "delete"),
        ("DELETE FROM issuer", "issuer", "delete"),
        (
            "DELETE FROM subject WHERE id = 'alice'",
            "subject",
            "delete",
        ),
        (
            "DELETE FROM client WHERE id = 'billing'",
            "client",
            "delete",
        ),
    ];
    let mut missing = Vec::new();
    for (sql, resource, action) in rows {
        let before = office.last_change();
        let changed = database.execute(sql, []);
        assert!(
            changed.as_ref().is_ok_and(|rows| *rows > 0),
            "{sql}: {changed:?}"
        );
        let made = office.changes_since(before);
        let is_it = |change: &Value| {
            change["who"] == json!({"kind": "unknown"})
                && change["way"] == "database"
                && change["resource"] == resource
                && change["action"] == action
        };
        if !made.iter().any(is_it) {
            missing.push((sql, made));
        }
    }
    assert!(missing.is_empty(), "M082: {missing:#?}");
}

/// M083: the record itself.
#[test]
fn ma27_m083_no_verb_edits_the_record_of_changes() {
    let office = Office::open();
    let first = office.changes_since(0).first().expect("a change").clone();
    let path = format!("/changes/{}", first["id"]);
    for path in ["/changes", &*path] {
        for method in ["PUT", "PATCH", "DELETE", "POST"] {
            let answer = office.ask("owner", method, path, &json!({}));
            office.judge(&format!("MA27 {method} {path}"), &answer, 405, "method");
            assert_eq!(answer.header("Allow"), Some("GET"), "MA27 {method} {path}");
        }
    }
    let shown = office.done("reader", "GET", &path, &Value::Null).json();
    assert_eq!(shown["differences"], first["differences"]);
}
