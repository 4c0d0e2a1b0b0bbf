//! M012, M014, MA08: the first role of a subject, and the last owner.

use std::{sync::Barrier, thread};

use grantor_testkit::binary::browser::Browser;
use serde_json::{Value, json};

use super::office::{Ask, Office};
use crate::support::Answer;

const PASSWORD: &str = "correct horse battery staple";

/// The link of a new invitation, by one of the roles.
fn invitation(office: &Office, by: &str, name: &str) -> String {
    let path = format!("/subjects/{name}/invitations");
    let made = office.done(by, "POST", &path, &json!({})).json();
    made["link"].as_str().expect("a link").to_owned()
}

/// Gives a role, and answers what the answer says beside.
fn give(office: &Office, name: &str, role: &str) -> Value {
    let path = format!("/subjects/{name}/role");
    let given = office.done("owner", "PUT", &path, &json!({"role": role}));
    given.json()["warnings"].clone()
}

/// A person who signs in, with this role.
fn person(office: &Office, name: &str, role: &str) {
    office.server.ok(&["subject", "create", name]);
    give(office, name, role);
    let link = invitation(office, "owner", name);
    Browser::new(&office.server).accept(&link, PASSWORD);
}

/// Whoever set up how a subject signs in before it had a role comes in by nothing of it: password,
/// session, invitations. Beside it a subject that gets no role.
#[test]
fn m012_ma04_what_was_set_up_before_the_first_role_is_over_with_it() {
    let office = Office::open();
    let set_up = |name: &str| {
        office.done("editor", "POST", "/subjects", &json!({"id": name}));
        let mut browser = Browser::new(&office.server);
        browser.accept(&invitation(&office, "editor", name), PASSWORD);
        let links = ["editor", "owner"].map(|by| invitation(&office, by, name));
        (browser, links)
    };
    let (mut eve, [_, link]) = set_up("eve");
    let (mut bob, [_, other_link]) = set_up("bob");
    assert_eq!(
        give(&office, "eve", "reader"),
        json!([
            "what eve signed in with has ended",
            "invite it: grantor subject invite eve"
        ])
    );
    assert_eq!(eve.open("/me").status, 303, "a session");
    assert_eq!(eve.open(&link).status, 400, "an invitation, by whomever");
    let signed_in = Browser::new(&office.server).sign_in("eve", PASSWORD);
    assert_eq!(signed_in.status, 401, "a password: {signed_in:?}");
    let look = |path: &str| office.done("reader", "GET", path, &Value::Null).json();
    let credentials = look("/subjects/eve/credentials");
    assert_eq!(credentials["password"], Value::Null);
    for path in ["/subjects/eve/sessions", "/subjects/eve/invitations"] {
        assert_eq!(look(path), json!({"items": [], "next": null}), "{path}");
    }
    // The controls.
    assert_eq!(bob.open("/me").status, 200);
    assert_eq!(bob.clone().open(&other_link).status, 200);
    for path in ["/subjects/bob/sessions", "/subjects/bob/invitations"] {
        assert_ne!(look(path)["items"], json!([]), "{path}");
    }
    let signed_in = Browser::new(&office.server).sign_in("bob", PASSWORD);
    assert_eq!(signed_in.status, 200, "{signed_in:?}");

    // An owner invites, and from then on other roles keep what there is.
    eve.accept(&invitation(&office, "owner", "eve"), PASSWORD);
    let link = invitation(&office, "owner", "eve");
    for role in ["editor", "reader"] {
        assert_eq!(give(&office, "eve", role), Value::Null);
        assert_eq!(eve.open("/console/account").status, 200, "{role}");
    }
    assert_eq!(eve.clone().open(&link).status, 200);
    // The role is taken, and given again: in between an editor could have come.
    office.done("owner", "DELETE", "/subjects/eve/role", &Value::Null);
    assert_eq!(eve.open("/console/account").status, 303);
    let as_person = eve.sign_in("eve", PASSWORD);
    assert_eq!(as_person.status, 200, "{as_person:?}");
    assert_eq!(eve.open("/me").status, 200);
    office.server.ok(&["operator", "create", "eve"]);
    assert_eq!(eve.open("/me").status, 303);
    assert_eq!(eve.open(&link).status, 400);
}

/// The first role comes while an invitation of before is accepted: whichever is first, nobody comes
/// in.
#[test]
fn m012_nobody_comes_to_a_first_role_by_an_invitation_that_is_being_accepted() {
    let office = Office::open();
    for number in 0..16 {
        let name = format!("eve{number}");
        office.done("editor", "POST", "/subjects", &json!({"id": name}));
        let mut browser = Browser::new(&office.server);
        let form = browser.open(&invitation(&office, "editor", &name));
        let form = form.invitation();
        let start = Barrier::new(2);
        let accepted: Answer = thread::scope(|scope| {
            let accepting = scope.spawn(|| {
                start.wait();
                browser.submit(&form, &[("password", PASSWORD)])
            });
            start.wait();
            give(&office, &name, "owner");
            accepting.join().expect("an answer")
        });
        let row = format!("try {number}: {accepted:?}");
        assert!([200, 400].contains(&accepted.status), "{row}");
        assert_eq!(browser.open("/me").status, 303, "{row}");
        let signed_in = Browser::new(&office.server).sign_in(&name, PASSWORD);
        assert_eq!(signed_in.status, 401, "{row}");
    }
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
