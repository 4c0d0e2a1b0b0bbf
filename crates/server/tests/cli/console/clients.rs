//! Clients.

use std::fs;

use serde_json::{Value, json};

use crate::support::Server;

#[test]
fn m118_what_is_filtered_comes_as_csv_and_json_however_long_it_is() {
    let server = Server::start();
    let client = |number: usize| {
        let scope = if number.is_multiple_of(2) {
            "even"
        } else {
            "odd"
        };
        json!({"client_id": format!("client-{number:03}"), "token_endpoint_auth_method": "none", "scope": scope})
    };
    let clients: Vec<_> = (0..205).map(client).collect();
    let file = server.directory().join("clients.json");
    fs::write(&file, json!({ "client": clients }).to_string()).expect("a file");
    server.ok(&["apply", &file.to_string_lossy()]);
    let mut console = server.console();
    let page = console.page("/clients?q=client-1");
    assert!(
        page.body
            .contains("/console/clients?q=client-1&amp;format=csv"),
        "{page:?}"
    );

    let json = console.page("/clients?format=json");
    assert_eq!(json.header("content-type"), Some("application/json"));
    let items: Vec<Value> = serde_json::from_str(&json.body).expect("an array");
    assert_eq!(items.len(), 205);
    let csv = console.page("/clients?q=client-1&format=csv");
    let lines: Vec<_> = csv.body.split_terminator("\r\n").collect();
    assert!(
        lines[0].starts_with("\"client_id\",\"client_name\""),
        "{}",
        lines[0]
    );
    assert_eq!(lines.len(), 101);
    let named = csv.header("content-disposition").unwrap_or_default();
    assert!(
        named.starts_with("attachment; filename=\"clients-20"),
        "{named}"
    );
    assert!(
        csv.header("cache-control") == Some("no-store")
            && csv.header("content-security-policy").is_some()
    );
    assert_eq!(console.open("/clients?format=xml").status, 400);
    assert_eq!(console.open("/clients?format=csv&colour=red").status, 400);
}
