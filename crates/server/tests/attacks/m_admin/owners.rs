//! M014, MA08: the last owner.

use std::{sync::Barrier, thread};

use grantor_testkit::binary::browser::Browser;
use serde_json::{Value, json};

use super::office::{Ask, Office};

const PASSWORD: &str = "correct horse battery staple";

/// A person who signs in, with this role.
fn person(office: &Office, name: &str, role: &str) {
    office.server.ok(&["subject", "create", name]);
    let link = office.server.ok(&["subject", "invite", name, "--json"]);
    let link: Value = serde_json::from_str(&link).expect("JSON");
    Browser::new(&office.server).accept(link["link"].as_str().expect("a link"), PASSWORD);
    office.done(
        "owner",
        "PUT",
        &format!("/subjects/{name}/role"),
        &json!({"role": role}),
    );
}

/// What takes the power of a client, and of a person.
fn of_client(name: &str) -> Vec<(&'static str, String, Value)> {
    let path = format!("/clients/{name}");
    vec![
        ("PATCH", path.clone(), json!({"enabled": false})),
        ("PATCH", path.clone(), json!({"scope": "grantor:write"})),
        ("PATCH", path.clone(), json!({"scope": "read"})),
        ("DELETE", path, Value::Null),
    ]
}

fn of_person(name: &str) -> Vec<(&'static str, String, Value)> {
    let path = format!("/subjects/{name}");
    vec![
        ("PATCH", path.clone(), json!({"enabled": false})),
        ("PUT", format!("{path}/role"), json!({"role": "editor"})),
        ("PUT", format!("{path}/role"), json!({"role": "reader"})),
        ("DELETE", format!("{path}/role"), Value::Null),
        ("DELETE", format!("{path}/credentials"), Value::Null),
        ("DELETE", path, Value::Null),
    ]
}

#[test]
fn ma08_the_last_owner_stays_whichever_way_it_would_go() {
    let office = Office::open();
    let refused = |(method, path, body): &(&'static str, String, Value)| {
        let ask = Ask {
            by: "owner",
            method,
            path,
        };
        office.refused(ask, body, 409, "last_owner");
    };
    of_client("owner").iter().for_each(refused);
    // A person who cannot sign in, an owner that is disabled, and who is no owner, count for nothing.
    office.server.ok(&["subject", "create", "nobody"]);
    office.done(
        "owner",
        "PUT",
        "/subjects/nobody/role",
        &json!({"role": "owner"}),
    );
    office.hire("off", "grantor:admin");
    office.done("owner", "PATCH", "/clients/off", &json!({"enabled": false}));
    person(&office, "ed", "editor");
    of_client("owner").iter().for_each(refused);
    // With a person who can, clients may go, and the last such person may not.
    person(&office, "root", "owner");
    of_person("root").iter().for_each(refused);
    // The controls: with another of the kind each is done, one after the other.
    for (number, change) in of_person("x").into_iter().enumerate() {
        let name = format!("p{number}");
        person(&office, &name, "owner");
        let (method, path, body) = change;
        office.done(
            "owner",
            method,
            &path.replace("/x", &format!("/{name}")),
            &body,
        );
    }
    for (number, change) in of_client("x").into_iter().enumerate() {
        let name = format!("c{number}");
        office.hire(&name, "grantor:admin");
        let (method, path, body) = change;
        office.done(
            "owner",
            method,
            &path.replace("/x", &format!("/{name}")),
            &body,
        );
    }
    of_person("root").iter().for_each(refused);
    // Whoever has the database in hand is not held.
    office.server.ok(&["client", "disable", "owner"]);
    office.server.ok(&["subject", "delete", "root"]);
}

/// Both owners remove the other at the same moment: one stays.
#[test]
fn ma08_two_owners_who_remove_each_other_leave_one() {
    const TRIES: usize = 200;
    let office = Office::open();
    let mut left = [0, 0];
    office.hire("one", "grantor:admin");
    office.hire("two", "grantor:admin");
    // From here on there are no others.
    let tokens = ["one", "two"].map(|name| office.token_for(name, "grantor:admin"));
    let asked = office.ask_as(
        &tokens[0],
        "PATCH",
        "/clients/owner",
        &json!({"enabled": false}),
        &[],
    );
    assert_eq!(asked.status, 200, "{asked:?}");
    for number in 0..TRIES {
        let start = Barrier::new(2);
        let remove = |token: &str, other: &str| {
            start.wait();
            let body = json!({"enabled": false});
            office.ask_as(token, "PATCH", &format!("/clients/{other}"), &body, &[])
        };
        let answers = thread::scope(|scope| {
            let first = scope.spawn(|| remove(&tokens[0], "two"));
            let second = scope.spawn(|| remove(&tokens[1], "one"));
            [
                first.join().expect("an answer"),
                second.join().expect("an answer"),
            ]
        });
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1, "try {number}: {answers:?}");
        let other = answers
            .iter()
            .find(|answer| answer.status != 200)
            .expect("the other");
        // It is no caller any more, or it is the last one.
        assert!(
            [401, 409, 412].contains(&other.status),
            "try {number}: {other:?}"
        );
        let stays = usize::from(answers[1].status == 200);
        left[stays] += 1;
        let gone = ["two", "one"][stays];
        let back = office.ask_as(
            &tokens[stays],
            "PATCH",
            &format!("/clients/{gone}"),
            &json!({"enabled": true}),
            &[],
        );
        assert_eq!(back.status, 200, "try {number}, control: {back:?}");
    }
    assert_eq!(left[0] + left[1], TRIES);
}
