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
fn m117_decisions_are_found_by_their_ids_or_how_they_begin_and_changes_by_their_numbers() {
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
    // The beginning of an id is shown whose it is, and leads nowhere by itself. Few letters are of what
    // was decided in the same half minute, too: that the operator came in.
    let begins = console.page(&format!("/find?q={}", &id[..4]));
    assert!(found(&begins).contains(&&*place), "{begins:?}");
    let only = console.page(&format!("/find?q={}", &id[..14]));
    assert_eq!(found(&only), [&*place], "{only:?}");
    // The controls: too few letters, letters behind its first, and what is a pattern elsewhere.
    for query in [&id[..3], &id[1..], &format!("{}%25", &id[..4])] {
        let nothing = console.page(&format!("/find?q={query}"));
        assert!(
            nothing.body.contains("Nothing has this name"),
            "{nothing:?}"
        );
        assert!(found(&nothing).is_empty(), "{nothing:?}");
    }
}

#[test]
fn m117_of_many_decisions_that_begin_alike_the_newest_are_shown_and_the_others_a_page_away() {
    let server = Server::start();
    let mut console = server.console();
    // What is decided within half a minute begins alike, unless a half minute ends meanwhile.
    let refuse = || server.token(&[("grant_type", "client_credentials"), ("client_id", "x")]);
    let ids: Vec<_> = (0..60).map(|_| refuse().decision_id()).collect();
    let alike = |id: &&String| id[..4] == ids[59][..4];
    let begins = match ids.iter().filter(alike).count() {
        ..30 => &ids[0][..4],
        _ => &ids[59][..4],
    };
    let mut newest = ids.iter().rev().filter(|id| id.starts_with(begins));
    let newest: Vec<_> = newest.by_ref().take(20).collect();
    let place = format!("/console/decisions/{}", newest[0]);
    server.wait_until("all are kept", || {
        leads_to(&mut console, newest[0]).as_deref() == Some(&place)
    });
    let page = console.page(&format!("/find?q={begins}"));
    let mut expected: Vec<_> = newest
        .iter()
        .map(|id| format!("/console/decisions/{id}"))
        .collect();
    expected.push(format!("/console/decisions?id_begins={begins}"));
    assert_eq!(found(&page), expected, "{page:?}");
    let others = console.page(&format!("/decisions?id_begins={begins}"));
    assert!(others.body.contains(newest[19].as_str()), "{others:?}");
    let none = console.page("/decisions?id_begins=zzzz");
    assert!(!none.body.contains(newest[19].as_str()), "{none:?}");
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
