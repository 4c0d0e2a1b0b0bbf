//! M006, M112: the same grave form, sent by two at once: from two tabs of one browser, and from the
//! sessions of two owners. It is done once and on record once, and the other is told.

use std::{sync::Barrier, thread};

use serde_json::Value;

use crate::support::{
    Answer, Server,
    browser::Browser,
    console::{Console, text},
};

/// How often each is tried: who comes first is chance.
const ROUNDS: usize = 8;
/// What the other is told: it is gone, or was changed.
const TOLD: [&str; 2] = [
    "No page or no record has this address",
    "Somebody changed this meanwhile",
];

fn json(server: &Server, command: &[&str]) -> Value {
    let printed = server.ok(&[command, &["--json"]].concat());
    serde_json::from_str(&printed).expect("JSON")
}

/// What is on record of this resource.
fn recorded(server: &Server, resource: &str, name: &str) -> usize {
    let of_it = ["changes", "list", "--resource", resource, "--name", name];
    let found = json(server, &[&of_it[..], &["--limit", "100"]].concat());
    found.as_array().expect("changes").len()
}

/// Sends the form of this page from both, at once.
fn both_send(
    server: &Server,
    path: &str,
    values: &[(&str, &str)],
    both: [Console<'_>; 2],
) -> [Answer; 2] {
    let start = Barrier::new(2);
    let both = both.map(|mut console| (console.form(path), console.browser));
    thread::scope(|scope| {
        let sending = both.map(|(form, mut browser)| {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                browser.submit_as(&form, values, &[("Origin", &server.issuer)])
            })
        });
        sending.map(|sending| sending.join().expect("an answer"))
    })
}

/// One is led on, and the other is told.
fn one_is_told(row: &str, answers: &[Answer; 2]) {
    let is_done = |answer: &&Answer| answer.status == 303;
    assert_eq!(
        answers.iter().filter(is_done).count(),
        1,
        "{row}: {answers:?}"
    );
    let done = answers.iter().find(is_done).expect("one of them");
    let place = done.header("location").expect("a page");
    assert!(place.contains("done="), "{row}: {place}");
    let other = answers.iter().find(|answer| !is_done(answer));
    let other = other.expect("one of them");
    assert!([404, 409, 412].contains(&other.status), "{row}: {other:?}");
    let page = text(&other.body);
    assert!(
        TOLD.iter().any(|told| page.contains(told)),
        "{row}: {} {page}",
        other.status
    );
}

/// Two tabs of one browser, then two owners, in turns.
fn pairs<'s>(one: &Console<'s>, other: &Console<'s>, round: usize) -> [Console<'s>; 2] {
    match round % 2 {
        0 => [one.clone(), one.clone()],
        _ => [one.clone(), other.clone()],
    }
}

#[test]
fn m006_m112_a_client_that_two_delete_at_once_is_deleted_once() {
    let server = Server::start();
    let (one, other) = (server.console(), server.console_as("olga", "owner"));
    for round in 0..ROUNDS {
        let name = format!("billing-{round}");
        server.client(&name, &["--generate-key"]);
        let before = recorded(&server, "client", &name);
        let path = format!("/clients/{name}/delete");
        let answers = both_send(&server, &path, &[], pairs(&one, &other, round));
        one_is_told(&name, &answers);
        assert_eq!(recorded(&server, "client", &name), before + 1, "{name}");
        assert!(!server.run(&["client", "show", &name]).status.success());
    }
    // The control: alone each is done, and of another name nothing was taken.
    server.client("alone", &["--generate-key"]);
    let deleted = one.clone().submit("/clients/alone/delete", &[]);
    assert!(deleted.body.contains("is deleted"), "{deleted:?}");
}

#[test]
fn m006_m112_a_signing_key_that_two_withdraw_at_once_is_withdrawn_once() {
    let server = Server::start();
    let (one, other) = (server.console(), server.console_as("olga", "owner"));
    let keys = || {
        json(&server, &["key", "list"])
            .as_array()
            .expect("keys")
            .clone()
    };
    for round in 0..ROUNDS {
        server.ok(&["key", "rotate", "--ahead", "0s"]);
        let all = keys();
        let signs = |key: &&Value| key["state"] == "signing";
        // One that signs no more, then the one that signs now.
        let is_signing = round % 4 > 1;
        let meant = all.iter().find(|key| signs(key) == is_signing);
        let kid = meant.expect("a key")["kid"].as_str().expect("a kid");
        let before = recorded(&server, "signing_key", kid);
        let path = format!("/signing-keys/{kid}/revoke");
        let ticked: &[_] = match is_signing {
            true => &[("while_signing", "true")],
            false => &[],
        };
        let answers = both_send(&server, &path, ticked, pairs(&one, &other, round));
        one_is_told(kid, &answers);
        assert_eq!(recorded(&server, "signing_key", kid), before + 1, "{kid}");
        let left = keys();
        assert_eq!(left.iter().filter(signs).count(), 1, "{left:?}");
        assert!(left.iter().all(|key| key["kid"] != kid), "{left:?}");
        let others = all.iter().filter(|key| key["kid"] != kid);
        for key in others {
            assert!(left.iter().any(|left| left["kid"] == key["kid"]), "{key}");
        }
    }
}

#[test]
fn m006_m112_a_role_that_two_take_at_once_is_taken_once() {
    let server = Server::start();
    let (one, other) = (server.console(), server.console_as("olga", "owner"));
    for round in 0..ROUNDS {
        let name = format!("eve-{round}");
        let mut eve: Browser<'_> = server.console_as(&name, "editor").browser;
        assert_eq!(eve.open("/console/account").status, 200);
        let before = recorded(&server, "operator", &name);
        let path = format!("/operators/{name}/role");
        let answers = both_send(
            &server,
            &path,
            &[("role", "none")],
            pairs(&one, &other, round),
        );
        one_is_told(&name, &answers);
        assert_eq!(recorded(&server, "operator", &name), before + 1, "{name}");
        assert_eq!(eve.open("/console/account").status, 303);
    }
    // The control: who kept the role is there still.
    assert_eq!(other.clone().open("/console/account").status, 200);
}
