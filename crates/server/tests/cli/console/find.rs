//! The one field on top of the console's pages (M117).

use std::fs;

use grantor_testkit::binary::{Answer, Server, console::Console};
use serde_json::json;

/// With a client `partner`, and forty that have this in their names and come before it.
fn server() -> Server {
    let server = Server::start();
    let client = |id: String| {
        json!({
            "client_id": id,
            "client_name": format!("Partner {id}"),
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": id,
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]},
        })
    };
    let alike = (1..=40).map(|number| format!("a-partner-{number:02}"));
    let clients: Vec<_> = alike.chain(["partner".to_owned()]).map(client).collect();
    let file = server.directory().join("partners.json");
    let document = json!({"client": clients});
    fs::write(&file, document.to_string()).expect("a file");
    let file = file.to_str().expect("a path in UTF-8");
    server.ok(&["apply", file, "--owner", "platform-git"]);
    server
}

/// What a page of what was found leads to, in its order.
fn found(page: &Answer) -> Vec<&str> {
    let items = page.body.split("<li><p><a href=\"").skip(1);
    items.filter_map(|item| item.split('"').next()).collect()
}

/// Where looking for this leads at once.
fn leads_to(console: &mut Console<'_>, query: &str) -> Option<String> {
    let answer = console.browser.open(&format!("/console/find?q={query}"));
    answer.header("location").map(str::to_owned)
}

#[test]
fn m117_what_has_exactly_the_name_comes_first_and_forty_alike_hide_nothing() {
    let server = server();
    let mut console = server.console();
    // The only thing of exactly this name is what was meant.
    for name in ["partner", "a-partner-40"] {
        let place = format!("/console/clients/{name}");
        assert_eq!(leads_to(&mut console, name), Some(place));
    }
    let page = console.page("/find?q=a-part");
    let found = found(&page);
    assert_eq!(found[0], "/console/clients/a-partner-01", "{page:?}");
    // The others are a page away, not gone.
    assert_eq!(found.len(), 21, "{page:?}");
    assert_eq!(found[20], "/console/clients?q=a-part", "{page:?}");
    let part = console.page("/find?q=tner-40");
    assert_eq!(self::found(&part), ["/console/clients/a-partner-40"]);
}

#[test]
fn m117_decisions_and_changes_are_found_by_their_whole_ids() {
    let server = Server::start();
    let mut console = server.console();
    let refused = server.token(&[("grant_type", "client_credentials"), ("client_id", "x")]);
    let id = refused.decision_id();
    let place = format!("/console/decisions/{id}");
    server.wait_until("the decision is kept", || {
        leads_to(&mut console, &id).as_deref() == Some(&place)
    });
    assert_eq!(
        leads_to(&mut console, "1").as_deref(),
        Some("/console/changes/1")
    );
    // The control: half of an id is nobody's.
    let half = console.page(&format!("/find?q={}", &id[..id.len() / 2]));
    assert!(half.body.contains("Nothing has this name"), "{half:?}");
    assert!(found(&half).is_empty(), "{half:?}");
}

#[test]
fn m117_what_is_typed_is_text_and_nothing_is_asked_for_by_nothing() {
    let server = Server::start();
    let mut console = server.console();
    let empty = console.page("/find?q=");
    assert!(empty.body.contains("Type a name"), "{empty:?}");
    for query in ["%3Cb%3E", "%25", "_", "..", "%00", "%C2%AE%E2%80%AE"] {
        let page = console.page(&format!("/find?q={query}"));
        assert!(
            page.body.contains("Nothing has this name"),
            "{query}: {page:?}"
        );
        assert!(!page.body.contains("<b>"), "{query}: {page:?}");
    }
}
