//! Climbing by names and by time: what is called as something with power, what comes after it, and
//! what is made before it or at the same moment.

use std::{sync::Barrier, thread, time::Duration};

use grantor::jose::Algorithm;
use grantor_testkit::binary::{browser::Browser, signing_key};
use serde_json::{Value, json};

use super::office::{Ask, Office, client};
use crate::{
    forge::{Jwt, Key, quote},
    oracle::{fresh, now},
    support::{Answer, CLIENT_ASSERTION, JWT_BEARER, assertion},
};

fn exists(office: &Office, path: &str, body: &Value) {
    let ask = Ask {
        by: "editor",
        method: "POST",
        path,
    };
    let before = office.last_change();
    let answer = office.ask(ask.by, ask.method, path, body);
    let is_refused = [403, 409, 422].contains(&answer.status);
    assert!(is_refused, "{path} {body}: {answer:?}");
    assert_eq!(office.last_change(), before, "{path} {body}");
}

fn issuer(iss: &str, name: &str, key: &Key) -> Value {
    json!({"iss": iss, "name": name, "keys": {"jwks": {"keys": [key.public_jwk(&[])]}}})
}

#[test]
fn m012_nobody_is_called_as_what_has_power() {
    let office = Office::open();
    let url = "https://ops.example";
    office.hire(url, "grantor:admin");
    office.server.ok(&["subject", "create", "root"]);
    office.done(
        "owner",
        "PUT",
        "/subjects/root/role",
        &json!({"role": "owner"}),
    );
    let key = Key::generate(Algorithm::Es256);
    exists(&office, "/clients", &client("root", json!({})));
    exists(&office, "/clients", &client(url, json!({})));
    exists(&office, "/subjects", &json!({"id": "owner"}));
    exists(&office, "/subjects", &json!({"id": "root"}));
    exists(&office, "/issuers", &issuer(url, "mine", &key));
    exists(
        &office,
        "/issuers",
        &issuer(&office.server.issuer, "mine", &key),
    );
    // What only looks like it is something else, and gets nothing.
    for (number, iss) in [
        "https://ops.example/",
        "https://OPS.example",
        "https://ops.example:443",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = office.ask(
            "editor",
            "POST",
            "/issuers",
            &issuer(iss, &format!("like-{number}"), &key),
        );
        assert!([201, 422].contains(&answer.status), "{iss}: {answer:?}");
        for (iss, sub) in [(iss, url), (url, url), (iss, iss)] {
            let answer = office.server.token(&[
                ("grant_type", "client_credentials"),
                ("client_id", url),
                ("client_assertion_type", CLIENT_ASSERTION),
                ("client_assertion", &signed(&office, &key, iss, sub)),
                ("scope", "grantor:read"),
                ("resource", &format!("{}/admin/v1", office.server.issuer)),
            ]);
            assert_eq!(answer.status, 400, "{iss} {sub}: {answer:?}");
        }
    }
    for (path, body) in [
        ("/clients", client("R00t", json!({}))),
        ("/clients", client("r\u{43e}ot", json!({}))),
        ("/subjects", json!({"id": "Root"})),
        ("/subjects", json!({"id": "0wner"})),
    ] {
        let answer = office.ask("editor", "POST", path, &body);
        if answer.status == 201 {
            let role = office.ask(
                "owner",
                "GET",
                &format!("{path}/{}", body["id"].as_str().unwrap_or("R00t")),
                &Value::Null,
            );
            assert_eq!(role.json()["role"], Value::Null, "{body}: {role:?}");
        } else {
            assert!([409, 422].contains(&answer.status), "{body}: {answer:?}");
        }
    }
}

fn signed(office: &Office, key: &Key, iss: &str, sub: &str) -> String {
    Jwt::new(key)
        .header("alg", quote("ES256"))
        .text("iss", iss)
        .text("sub", sub)
        .text("aud", &office.server.issuer)
        .claim("iat", now().to_string())
        .claim("exp", (now() + 60).to_string())
        .text("jti", &fresh())
        .sign()
}

#[test]
fn m012_what_is_made_anew_under_the_name_of_power_has_none() {
    let office = Office::open();
    office.hire("temp", "grantor:admin");
    let token = office.token_for("temp", "grantor:admin");
    let look = || office.ask_as(&token, "GET", "/clients", &Value::Null, &[]);
    assert_eq!(look().status, 200, "control");
    office
        .server
        .client("strong", &["--generate-key", "--scope", "grantor:admin"]);
    office.server.ok(&["subject", "create", "root"]);
    office.done(
        "owner",
        "PUT",
        "/subjects/root/role",
        &json!({"role": "owner"}),
    );
    office.done(
        "owner",
        "PUT",
        "/permissions/strong/root",
        &json!({"scope": "grantor:admin"}),
    );
    let about_root = || about(&office, "strong", "root", "grantor:read");
    let of_root = about_root();
    assert_eq!(of_root.status, 200, "control: {of_root:?}");
    let of_root = of_root.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();

    office.done("owner", "DELETE", "/clients/temp", &Value::Null);
    office.done("owner", "DELETE", "/subjects/root", &Value::Null);
    let made = office.done(
        "editor",
        "POST",
        "/clients",
        &client(
            "temp",
            json!({"token_endpoint_auth_method": "client_secret_post"}),
        ),
    );
    office.done("editor", "POST", "/subjects", &json!({"id": "root"}));
    office.judge("the token of before", &look(), 401, "unauthenticated");
    office.learn(
        "temp",
        made.json()["client_secret"].as_str().expect("a secret"),
    );
    assert_eq!(office.ask_for_token("temp", "grantor:read").status, 400);
    assert_eq!(
        office
            .ask("owner", "GET", "/subjects/root", &Value::Null)
            .json()["role"],
        Value::Null
    );
    let answer = office.ask_as(&of_root, "GET", "/clients", &Value::Null, &[]);
    assert!([401, 403].contains(&answer.status), "{answer:?}");
    assert_eq!(about_root().status, 400, "the permission of before is gone");
}

/// A token of `client` about this subject.
fn about(office: &Office, client: &str, subject: &str, scope: &str) -> Answer {
    let key = signing_key(&office.server.directory().join(format!("{client}.json")));
    let jwt = assertion(
        &office.server.issuer,
        client,
        subject,
        &key,
        Duration::from_secs(60),
    );
    office.server.token(&[
        ("grant_type", JWT_BEARER),
        ("assertion", &jwt),
        ("scope", scope),
        ("resource", &format!("{}/admin/v1", office.server.issuer)),
    ])
}

const PASSWORD: &str = "correct horse battery staple";

/// The editor invites somebody who has no power, keeps the link, and waits until there is some.
#[test]
fn m012_an_invitation_of_before_is_none_of_an_operator() {
    let office = Office::open();
    let link = |by: &str, who: &str, body: Value| {
        let made = office.done(by, "POST", &format!("/subjects/{who}/invitations"), &body);
        made.json()["link"].as_str().expect("a link").to_owned()
    };
    for (who, body) in [("bob", json!({})), ("eve", json!({"recover": true}))] {
        office.done("editor", "POST", "/subjects", &json!({"id": who}));
        let kept = link("editor", who, body);
        let mut browser = Browser::new(&office.server);
        let before = browser.open(&kept);
        assert!(
            before
                .forms()
                .iter()
                .any(|form| form.action == "/invitation"),
            "control: {before:?}"
        );
        let form = before.invitation();
        office.done(
            "owner",
            "PUT",
            &format!("/subjects/{who}/role"),
            &json!({"role": "owner"}),
        );
        let before = office.last_change();
        let answer = browser.submit(&form, &[("password", PASSWORD)]);
        assert!(
            !answer.body.contains("Who may act for you"),
            "{who}: {answer:?}"
        );
        let again = Browser::new(&office.server).open(&kept);
        assert!(!again.body.contains("password"), "{who}: {again:?}");
        assert_eq!(office.last_change(), before, "{who}: a password was set");
        // The control: an owner invites an operator.
        let mut browser = Browser::new(&office.server);
        browser.accept(&link("owner", who, json!({})), PASSWORD);
    }
    // An invitation of an operator by an owner outlives another role, and who is none is invited.
    office.done("editor", "POST", "/subjects", &json!({"id": "carol"}));
    Browser::new(&office.server).accept(&link("editor", "carol", json!({})), PASSWORD);
}

/// Two requests at once: whichever comes first, no editor changes what has power already.
#[test]
fn m012_no_race_leads_past_an_owner() {
    const ROUNDS: usize = 40;
    let office = Office::open();
    let (editor, owner) = (office.token("editor"), office.token("owner"));
    let mut outcomes = [0, 0];
    for round in 0..ROUNDS {
        let (name, who) = (format!("c{round}"), format!("s{round}"));
        office.done("editor", "POST", "/clients", &client(&name, json!({})));
        office.done("editor", "POST", "/subjects", &json!({"id": who}));
        let before = office.last_change();
        type Request = (&'static str, String, Value);
        let (power, climb): (Request, Request) = match round % 4 {
            0 => (
                (
                    "PATCH",
                    format!("/clients/{name}"),
                    json!({"scope": "grantor:admin"}),
                ),
                (
                    "POST",
                    format!("/clients/{name}/secrets"),
                    json!({"overlap": 60}),
                ),
            ),
            1 => (
                (
                    "PUT",
                    format!("/subjects/{who}/role"),
                    json!({"role": "owner"}),
                ),
                (
                    "PUT",
                    format!("/permissions/{name}/{who}"),
                    json!({"scope": "read"}),
                ),
            ),
            2 => (
                (
                    "PATCH",
                    format!("/clients/{name}"),
                    json!({"scope": "grantor:admin"}),
                ),
                (
                    "PATCH",
                    format!("/clients/{name}"),
                    json!({"description": "mine"}),
                ),
            ),
            _ => (
                (
                    "PUT",
                    format!("/subjects/{who}/role"),
                    json!({"role": "owner"}),
                ),
                ("DELETE", format!("/subjects/{who}"), Value::Null),
            ),
        };
        let start = Barrier::new(2);
        let send = |token: &str, (method, path, body): &Request| {
            start.wait();
            office.ask_as(token, method, path, body, &[])
        };
        let (powered, climbed) = thread::scope(|scope| {
            let powered = scope.spawn(|| send(&owner, &power));
            let climbed = scope.spawn(|| send(&editor, &climb));
            (
                powered.join().expect("an answer"),
                climbed.join().expect("an answer"),
            )
        });
        for answer in [&powered, &climbed] {
            assert!(answer.status < 500, "round {round}: {answer:?}");
        }
        let made = office.changes_since(before);
        let by =
            |change: &Value, name: &str| change["who"] == json!({"kind": "client", "name": name});
        let given = made.iter().position(|change| by(change, "owner"));
        let taken = made.iter().position(|change| by(change, "editor"));
        assert_eq!(
            given.is_some(),
            powered.status < 300,
            "round {round}: {powered:?} {made:?}"
        );
        assert_eq!(
            taken.is_some(),
            climbed.status < 300,
            "round {round}: {climbed:?} {made:?}"
        );
        if let (Some(given), Some(taken)) = (given, taken) {
            assert!(taken < given, "round {round}: {made:?}");
        }
        outcomes[usize::from(taken.is_some())] += 1;
    }
    // The editor is refused where it is later; the control is that it is not where it is first.
    assert_eq!(outcomes[0] + outcomes[1], ROUNDS, "{outcomes:?}");
}

/// There is no endpoint at which a stranger registers a client.
#[test]
fn m012_nobody_registers_themselves() {
    let office = Office::open();
    let json = [("Content-Type", "application/json")];
    let body = client("mine", json!({"scope": "grantor:admin"})).to_string();
    for path in [
        "/register",
        "/connect/register",
        "/admin/v1/register",
        "/admin/clients",
        "/admin/v1/clients",
    ] {
        let before = office.last_change();
        let answer = office.server.send("POST", path, &json, body.as_bytes());
        assert!(
            [401, 404, 405].contains(&answer.status),
            "{path}: {answer:?}"
        );
        assert_eq!(office.last_change(), before, "{path}");
    }
}
