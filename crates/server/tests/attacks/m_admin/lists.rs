//! MA13: what is asked of lists.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::office::{Ask, Office, client};
use crate::support::escape;

fn names(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("a list").iter();
    items
        .map(|item| item["client_id"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn ma13_cursors_limits_and_texts_are_read_to_the_letter() {
    let office = Office::open();
    let odd = [
        "a%b", "a_b", "a\\b", "a'b", "a\"b", "aXb", "a*b", "a[b", "a--b",
    ];
    for name in odd {
        office.done("editor", "POST", "/clients", &client(name, json!({})));
    }
    let look =
        |query: &str| office.ask("reader", "GET", &format!("/clients?{query}"), &Value::Null);
    let refused = |query: &str| {
        let path = format!("/clients?{query}");
        let ask = Ask {
            by: "reader",
            method: "GET",
            path: &path,
        };
        let answer = office.ask(ask.by, ask.method, ask.path, &Value::Null);
        let is_refused = [400, 422].contains(&answer.status);
        assert!(is_refused, "MA13 {query:.80}: {answer:?}");
    };
    for limit in [
        "0",
        "-1",
        "201",
        "1000000000",
        "99999999999999999999",
        "1e2",
        "0x10",
        "",
        "ten",
        "%31%00",
    ] {
        refused(&format!("limit={limit}"));
    }
    for twice in [
        "limit=1&limit=2",
        "q=a&q=b",
        "after=a&after=b",
        "colour=red",
        "Q=a",
        "q[]=a",
        "override=true",
        "enabled=maybe",
    ] {
        refused(twice);
    }
    assert_eq!(names(&look("limit=1").json()).len(), 1, "MA13 control");
    assert_eq!(look("limit=200").status, 200, "MA13 control");
    // Taken literally: each finds itself alone.
    for name in odd {
        let found = look(&format!("q={}", escape(name)));
        assert_eq!(names(&found.json()), [name], "MA13 {name}: {found:?}");
    }
    for nothing in [
        "%",
        "_",
        "\\",
        "'",
        "\"",
        "' OR '1'='1",
        "'; DROP TABLE client; --",
        "*",
        "a AND b",
        "NEAR(a b)",
        "\u{0}",
        "a*",
    ] {
        let found = look(&format!("q={}", escape(nothing)));
        let is_literal = match found.status {
            200 => names(&found.json())
                .iter()
                .all(|name| name.contains(nothing)),
            status => [400, 422].contains(&status),
        };
        assert!(is_literal, "MA13 {nothing:?}: {found:?}");
    }
    let long = look(&format!("q={}", "x".repeat(10 * 1024)));
    let is_bounded =
        long.status == 200 && names(&long.json()).is_empty() || (400..500).contains(&long.status);
    assert!(is_bounded, "MA13 10 KiB: {long:?}");
    assert_eq!(
        names(&look("").json()).len(),
        odd.len() + 3,
        "MA13 control: nothing was dropped"
    );
}

#[test]
fn ma13_a_cursor_is_that_of_its_list_and_shows_nothing_else() {
    let office = Office::open();
    for number in 0..5 {
        office.done(
            "editor",
            "POST",
            "/clients",
            &client(&format!("c{number}"), json!({})),
        );
        office.done(
            "editor",
            "POST",
            "/subjects",
            &json!({"id": format!("s{number}")}),
        );
    }
    let page = |list: &str, after: &str| {
        office.ask(
            "reader",
            "GET",
            &format!("/{list}?limit=2&after={}", escape(after)),
            &Value::Null,
        )
    };
    let first = office
        .ask("reader", "GET", "/clients?limit=2", &Value::Null)
        .json();
    let cursor = first["next"].as_str().expect("there is more").to_owned();
    let all: BTreeSet<String> = names(
        &office
            .ask("reader", "GET", "/clients?limit=200", &Value::Null)
            .json(),
    )
    .into_iter()
    .collect();
    for at in 0..cursor.len() {
        let mut letters = cursor.clone().into_bytes();
        letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
        let answer = page("clients", &String::from_utf8_lossy(&letters));
        let is_right = match answer.status {
            200 => names(&answer.json()).iter().all(|name| all.contains(name)),
            status => [400, 422].contains(&status),
        };
        assert!(is_right, "MA13 letter {at}: {answer:?}");
    }
    for cursor in [
        "",
        "x",
        "-1",
        "99999999999999999999",
        "' OR 1=1 --",
        "\u{0}",
        "../../x",
        &"A".repeat(8_000),
    ] {
        let answer = page("clients", cursor);
        let is_right = [200, 400, 422].contains(&answer.status) || answer.status == 414;
        assert!(is_right, "MA13 {cursor:.40?}: {answer:?}");
    }
    // Of another list: refused, or a place in this one.
    let answer = page("subjects", &cursor);
    assert!(
        [200, 400, 422].contains(&answer.status),
        "MA13 of another list: {answer:?}"
    );
    assert!(
        !answer.body.contains("client_id"),
        "MA13 of another list: {answer:?}"
    );
    // The control: to the end, each once.
    let (mut seen, mut after) = (names(&first), Some(cursor));
    while let Some(cursor) = after {
        let next = page("clients", &cursor).json();
        seen.extend(names(&next));
        after = next["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, Vec::from_iter(all), "MA13 control");
}
