//! The catalogue of scopes.

use serde_json::Value;

use crate::support::Server;

/// What is said of a scope; null if nothing is.
fn said(server: &Server, name: &str) -> Value {
    let list = server.ok(&["scope", "list", "--json"]);
    let list: Vec<Value> = serde_json::from_str(&list).expect("JSON");
    let found = list.into_iter().find(|scope| scope["name"] == name);
    found.unwrap_or_default()
}

#[test]
fn m127_a_scope_is_described_shown_as_people_read_it_changed_and_deleted() {
    let server = Server::start();
    let mut console = server.console();
    let empty = console.page("/scopes");
    assert!(
        empty.body.contains("No scope is described yet"),
        "{empty:?}"
    );
    let made = console.submit(
        "/scopes/new",
        &[
            ("name", "invoices:read"),
            ("en", "Read your invoices"),
            ("sensitive", "true"),
            ("reason", "asked for by billing"),
        ],
    );
    assert_eq!(made.status, 200, "{made:?}");
    assert!(
        made.body
            .contains("<code>invoices:read</code> is described."),
        "{made:?}"
    );
    assert!(made.body.contains("Read your invoices"), "{made:?}");
    assert!(made.body.contains("! Sensitive"), "{made:?}");
    assert!(
        made.body.contains("People read the name alone."),
        "{made:?}"
    );
    let path = "/scopes/~aW52b2ljZXM6cmVhZA";
    let form = console.form(&format!("{path}/edit"));
    let filled = |name: &str| form.fields.iter().any(|(field, _)| field == name);
    assert!(filled("sensitive") && !filled("optional"), "{form:?}");
    let changed = console.submit(
        &format!("{path}/edit"),
        &[("fr", "Lire vos factures"), ("optional", "true")],
    );
    assert!(changed.body.contains("Lire vos factures"), "{changed:?}");
    let document = said(&server, "invoices:read");
    assert_eq!(document["en"], "Read your invoices");
    assert_eq!(
        (&document["sensitive"], &document["optional"]),
        (&true.into(), &true.into())
    );

    let mut french = console.clone();
    french.browser.headers = vec![("Accept-Language".to_owned(), "fr".to_owned())];
    let list = french.page("/scopes");
    assert!(list.body.contains("Portées et leurs textes"), "{list:?}");
    let csv = console.page("/scopes?format=csv");
    assert!(
        csv.body
            .contains("\"invoices:read\",\"Read your invoices\""),
        "{csv:?}"
    );
    let question = console.page(&format!("{path}/delete"));
    assert!(
        question
            .body
            .contains("as long as a client may get the scope"),
        "{question:?}"
    );
    assert!(question.body.contains("no longer marked"), "{question:?}");
    let deleted = console.submit(&format!("{path}/delete"), &[]);
    assert!(deleted.body.contains("are deleted"), "{deleted:?}");
    assert_eq!(said(&server, "invoices:read"), Value::Null);
    let record = server.ok(&["changes", "list"]);
    assert!(record.contains("asked for by billing"), "{record}");
}

#[test]
fn m009_m114_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays() {
    let server = Server::start();
    let mut console = server.console();
    let typed = [("name", "a b"), ("en", "Do a")];
    let refused = console.submit("/scopes/new", &typed);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("<title>Fault: "), "{refused:?}");
    assert!(refused.body.contains("id=\"name-fault\""), "{refused:?}");
    assert!(refused.body.contains("value=\"a b\"") && refused.body.contains("value=\"Do a\""));
    let made = console.submit("/scopes/new", &[("name", "a"), ("en", "Do a")]);
    assert_eq!(made.status, 200, "{made:?}");
    // What is there is not written over.
    let again = console.submit("/scopes/new", &[("name", "a"), ("en", "Do b")]);
    assert_eq!(again.status, 422, "{again:?}");
    assert_eq!(said(&server, "a")["en"], "Do a");
}

#[test]
fn m006_a_change_of_a_scope_that_others_have_changed_meanwhile_is_not_made() {
    let server = Server::start();
    let mut console = server.console();
    console.submit("/scopes/new", &[("name", "a"), ("en", "Do a")]);
    let form = console.form("/scopes/a/edit");
    server.ok(&["scope", "set", "a", "--en", "Do b"]);
    let late = console.browser.submit(&form, &[("en", "Do c")]);
    assert_eq!(late.status, 412, "{late:?}");
    assert!(
        late.body.contains("Somebody changed this meanwhile"),
        "{late:?}"
    );
    assert!(late.body.contains("value=\"Do c\""), "{late:?}");
    assert_eq!(said(&server, "a")["en"], "Do b");
    let form = console.form("/scopes/a/edit");
    assert_eq!(console.browser.submit(&form, &[("en", "Do c")]).status, 200);
    assert_eq!(said(&server, "a")["en"], "Do c");
}

#[test]
fn ma42_a_reader_is_offered_no_form_of_scopes_and_gets_none() {
    let server = Server::start();
    let mut owner = server.console();
    owner.submit("/scopes/new", &[("name", "a"), ("en", "Do a")]);
    let form = owner.form("/scopes/a/edit");
    let mut reader = server.console_as("rita", "reader");
    for (path, at) in [("/scopes", "/scopes/new"), ("/scopes/a", "/scopes/a/edit")] {
        assert!(!reader.page(path).body.contains(at), "{path}");
        assert!(owner.page(path).body.contains(at), "{path}");
        assert_eq!(reader.open(at).status, 403, "{at}");
    }
    assert_eq!(reader.browser.submit(&form, &[("en", "Do b")]).status, 403);
    assert_eq!(said(&server, "a")["en"], "Do a");
}
