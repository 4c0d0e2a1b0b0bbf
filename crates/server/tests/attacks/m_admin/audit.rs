//! MA27, M080, M081: who changed what, by whichever way it came.

use grantor::jose::Algorithm;
use grantor_testkit::binary::browser::Browser;
use grantor_testkit::binary::database::stored;
use serde_json::{Value, json};

use super::office::{Office, client};
use crate::{forge::Key, support::JWT_BEARER};

pub const REASON: &str = "INC-7: as agreed";

/// What a change is recorded as: the kind of resource, its name, and what is done with it.
pub type What<'a> = (&'a str, &'a str, &'a str);

/// A change: what it is recorded as, and how it is made by a command, by a request, and by a file.
struct Kind {
    what: What<'static>,
    command: &'static str,
    request: (&'static str, &'static str, Value),
    /// The member of the file, and its document.
    file: Option<(&'static str, Value)>,
}

fn kind(
    what: What<'static>,
    command: &'static str,
    request: (&'static str, &'static str, Value),
    file: Option<(&'static str, Value)>,
) -> Kind {
    Kind {
        what,
        command,
        request,
        file,
    }
}

/// All kinds, in an order in which each can be made; `%` stands for the way.
fn kinds(jwk: &Value) -> Vec<Kind> {
    let null = || Value::Null;
    let made = |more: Value| client("c%", more);
    let jwks = |keys: &[&str]| -> Value {
        let keys: Vec<_> = keys
            .iter()
            .map(|kid| {
                let mut jwk = jwk.clone();
                jwk["kid"] = json!(kid);
                jwk
            })
            .collect();
        json!({"keys": keys})
    };
    let keyed = |keys: &[&str]| {
        let more = json!({"token_endpoint_auth_method": "private_key_jwt", "grant_types": [JWT_BEARER], "jwks": jwks(keys)});
        client("k%", more)
    };
    let issuer = json!({"iss": "https://%.example", "name": "i%", "keys": {"jwks": jwks(&["k1"])}});
    let mut slow = issuer.clone();
    slow["leeway"] = json!(20);
    let trust = json!({"name": "t%", "issuer": "https://%.example", "client": "k%", "scope": "read", "pins": [{"claim": "sub", "equals": "job"}]});
    let mut short = trust.clone();
    short["lifetime"] = json!(60);
    let jwk_of = |kid: &str| jwks(&[kid])["keys"][0].clone();
    vec![
        kind(
            ("client", "c%", "create"),
            "client create c% --auth client_secret_basic --grant client-credentials --scope read --out c%.json",
            ("POST", "/clients", made(json!({}))),
            Some(("client", made(json!({"secret": "make"})))),
        ),
        kind(
            ("client", "c%", "replace"),
            "client update c% --scope write",
            ("PATCH", "/clients/c%", json!({"scope": "write"})),
            Some(("client", made(json!({"scope": "write"})))),
        ),
        kind(
            ("client", "c%", "replace"),
            "client disable c%",
            ("PATCH", "/clients/c%", json!({"enabled": false})),
            Some(("client", made(json!({"scope": "write", "enabled": false})))),
        ),
        kind(
            ("client", "c%", "replace"),
            "client rotate-secret c% --out c%2.json",
            ("POST", "/clients/c%/secrets", json!({})),
            None,
        ),
        kind(
            ("client", "k%", "create"),
            "client create k% --jwks k1.jwks --scope read",
            ("POST", "/clients", keyed(&["k1"])),
            Some(("client", keyed(&["k1"]))),
        ),
        kind(
            ("client", "k%", "replace"),
            "client add-key k% --jwks k2.jwks",
            ("POST", "/clients/k%/keys", json!({"jwk": jwk_of("k2")})),
            Some(("client", keyed(&["k1", "k2"]))),
        ),
        kind(
            ("client", "k%", "replace"),
            "client remove-key k% --kid k2",
            ("DELETE", "/clients/k%/keys/k2", null()),
            Some(("client", keyed(&["k1"]))),
        ),
        kind(
            ("subject", "s%", "create"),
            "subject create s%",
            ("POST", "/subjects", json!({"id": "s%"})),
            Some(("subject", json!({"id": "s%"}))),
        ),
        kind(
            ("subject", "s%", "replace"),
            "subject disable s%",
            ("PATCH", "/subjects/s%", json!({"enabled": false})),
            Some(("subject", json!({"id": "s%", "enabled": false}))),
        ),
        kind(
            ("operator", "s%", "create"),
            "operator create s% --role reader",
            ("PUT", "/subjects/s%/role", json!({"role": "reader"})),
            None,
        ),
        kind(
            ("operator", "s%", "replace"),
            "operator create s% --role owner",
            ("PUT", "/subjects/s%/role", json!({"role": "owner"})),
            None,
        ),
        kind(
            ("operator", "s%", "delete"),
            "operator delete s%",
            ("DELETE", "/subjects/s%/role", null()),
            None,
        ),
        kind(
            ("permission", "[\"k%\",\"s%\"]", "create"),
            "permission create k% s%",
            ("PUT", "/permissions/k%/s%", json!({})),
            Some(("permission", json!({"client": "k%", "subject": "s%"}))),
        ),
        kind(
            ("permission", "[\"k%\",\"s%\"]", "delete"),
            "permission delete k% s%",
            ("DELETE", "/permissions/k%/s%", null()),
            None,
        ),
        kind(
            ("scope", "x%", "create"),
            "scope set x% --en Text",
            ("PUT", "/scopes/x%", json!({"en": "Text"})),
            Some(("scope", json!({"name": "x%", "en": "Text"}))),
        ),
        kind(
            ("scope", "x%", "delete"),
            "scope delete x%",
            ("DELETE", "/scopes/x%", null()),
            None,
        ),
        kind(
            ("issuer", "https://%.example", "create"),
            "issuer create https://%.example --name i% --jwks k1.jwks",
            ("POST", "/issuers", issuer.clone()),
            Some(("issuer", issuer)),
        ),
        kind(
            ("issuer", "https://%.example", "replace"),
            "issuer update i% --leeway 20s",
            ("PATCH", "/issuers/i%", json!({"leeway": 20})),
            Some(("issuer", slow)),
        ),
        kind(
            ("trust", "t%", "create"),
            "trust create t% --from i% --client k% --scope read --pin sub=job",
            ("POST", "/trusts", trust.clone()),
            Some(("trust", trust)),
        ),
        kind(
            ("trust", "t%", "replace"),
            "trust update t% --lifetime 60s",
            ("PATCH", "/trusts/t%", json!({"lifetime": 60})),
            Some(("trust", short)),
        ),
        kind(
            ("trust", "t%", "delete"),
            "trust delete t%",
            ("DELETE", "/trusts/t%", null()),
            None,
        ),
        kind(
            ("issuer", "https://%.example", "delete"),
            "issuer delete i%",
            ("DELETE", "/issuers/i%", null()),
            None,
        ),
        kind(
            ("signing_key", "", "create"),
            "key rotate --ahead 1h",
            ("POST", "/signing-keys", json!({"ahead": 3600})),
            None,
        ),
        kind(
            ("invitation", "s%", "create"),
            "subject invite s%",
            ("POST", "/subjects/s%/invitations", json!({})),
            None,
        ),
        kind(
            ("client", "c%", "delete"),
            "client delete c%",
            ("DELETE", "/clients/c%", null()),
            None,
        ),
        kind(
            ("subject", "s%", "delete"),
            "subject delete s%",
            ("DELETE", "/subjects/s%", null()),
            None,
        ),
    ]
}

/// The record of one change, with what it has to say of the way it came.
pub fn told(made: &[Value], (resource, name, action): What<'_>, way: &str, expected: &Value) {
    let name = name.replace('%', way);
    let row = format!("{resource} {name} {action} by {way}");
    let is_it = |change: &&Value| {
        change["resource"] == resource
            && (name.is_empty() || change["name"] == name.as_str())
            && change["action"] == action
    };
    let found = made.iter().find(is_it);
    let change = found.unwrap_or_else(|| unreachable!("M080 {row}: {made:?}"));
    for (member, value) in expected.as_object().expect("members") {
        assert_eq!(&change[member], value, "M080 {row}: {member}: {change}");
    }
    assert!(
        change["id"].as_u64().is_some() && change["at"].is_string(),
        "M080 {row}: {change}"
    );
    let differences = change["differences"].as_array().expect("what differs");
    let is_right = !differences.is_empty()
        && differences.iter().all(|one| {
            let (before, after) = (&one["before"], &one["after"]);
            match action {
                "create" => before.is_null() && !after.is_null(),
                "delete" => !before.is_null() && after.is_null(),
                _ => before != after,
            }
        });
    assert!(is_right, "M080 {row}: {change}");
    if resource == "invitation" && action == "create" {
        let until = &differences[0]["after"];
        assert_eq!(differences, invited(until).as_slice(), "M081 {row}");
    }
}

/// All that differs where somebody was invited until then: nothing of the link.
fn invited(until: &Value) -> [Value; 2] {
    let is_time = until.as_str().is_some_and(|text| text.ends_with('Z'));
    assert!(is_time, "M080: {until}");
    [
        json!({"member": "expires_at", "before": null, "after": until}),
        json!({"member": "recover", "before": null, "after": false}),
    ]
}

/// All that differs where what was open was ended.
fn ended() -> [Value; 1] {
    [json!({"member": "which", "before": "all that are open", "after": null})]
}

/// Text of a way in the place of `%`.
fn of_way(value: &Value, way: &str) -> Value {
    serde_json::from_str(&value.to_string().replace('%', way)).expect("JSON")
}

#[test]
fn ma27_m080_each_kind_of_change_by_each_way_says_who_how_why_and_what_it_was() {
    let office = Office::open();
    let jwk = Key::generate(Algorithm::Es256).public_jwk(&[]);
    let kinds = kinds(&jwk);
    assert!(kinds.len() >= 20, "{}", kinds.len());
    for kid in ["k1", "k2"] {
        let mut jwk = jwk.clone();
        jwk["kid"] = json!(kid);
        let file = office.server.directory().join(format!("{kid}.jwks"));
        std::fs::write(file, json!({"keys": [jwk]}).to_string()).expect("a file");
    }
    let keyed = office
        .server
        .client("ops", &["--generate-key", "--scope", "grantor:admin"]);
    let keyed = keyed.to_string_lossy().into_owned();
    let me = json!({"kind": "local_user", "name": rustix::process::getuid().as_raw()});
    let by_command = |kind: &Kind, way: &str, leading: &[&str]| {
        let command = kind.command.replace('%', way);
        let words: Vec<_> = command.split(' ').collect();
        office
            .server
            .ok(&[leading, &words, &["--reason", REASON]].concat());
    };
    let percent = "INC-7%3A%20as%20agreed";
    let since = |make: &dyn Fn()| {
        let before = office.last_change();
        make();
        office.changes_since(before)
    };
    let nothing = Value::Null;
    for kind in &kinds {
        let made = since(&|| by_command(kind, "command", &[]));
        let expected = json!({"who": me, "way": "command", "reason": REASON, "address": nothing, "request": nothing});
        told(&made, kind.what, "command", &expected);
        let made = since(&|| by_command(kind, "remote", &["--as", &keyed]));
        let ops = json!({"kind": "client", "name": "ops"});
        let expected = json!({"who": ops, "way": "api", "reason": REASON, "address": "127.0.0.1"});
        told(&made, kind.what, "remote", &expected);
        assert!(
            made.iter().all(|change| change["request"].is_string()),
            "M080: {made:?}"
        );
        let made = since(&|| {
            let (method, path, body) = &kind.request;
            let (path, body) = (path.replace('%', "rest"), of_way(body, "rest"));
            let answer = office.ask_saying(
                "owner",
                method,
                &path,
                &body,
                &[("Grantor-Reason", percent)],
            );
            assert!(answer.status < 300, "{method} {path} {body}: {answer:?}");
        });
        let owner = json!({"kind": "client", "name": "owner"});
        let expected =
            json!({"who": owner, "way": "api", "reason": REASON, "address": "127.0.0.1"});
        told(&made, kind.what, "rest", &expected);
        if let Some((member, document)) = &kind.file {
            let made = since(&|| {
                let mut resources = json!({});
                resources[*member] = json!([of_way(document, "file")]);
                let body = json!({"resources": resources});
                let answer = office.ask_saying(
                    "owner",
                    "POST",
                    "/apply",
                    &body,
                    &[("Grantor-Reason", percent)],
                );
                assert!(answer.status < 300, "{body}: {answer:?}");
            });
            let expected =
                json!({"who": owner, "way": "apply", "reason": REASON, "address": "127.0.0.1"});
            told(&made, kind.what, "file", &expected);
        }
    }
    // Own page: a person's password.
    let made = since(&|| {
        office.server.ok(&["subject", "create", "anna"]);
        let link = office.server.ok(&["subject", "invite", "anna", "--json"]);
        let link: Value = serde_json::from_str(&link).expect("JSON");
        Browser::new(&office.server).accept(
            link["link"].as_str().expect("a link"),
            "correct horse battery staple",
        );
    });
    let password = made
        .iter()
        .find(|change| change["resource"] == "password")
        .expect("M080 a password");
    assert_eq!(
        password["who"],
        json!({"kind": "person", "name": "anna"}),
        "{password}"
    );
    assert_eq!(
        (&password["way"], &password["address"]),
        (&json!("own_page"), &json!("127.0.0.1")),
        "{password}"
    );
    assert!(!password.to_string().contains("argon2"), "M081: {password}");
}

/// What is no registration is on record too: that somebody is let in, and that somebody is put out.
/// The whole record is compared, so there is room for no link, no cookie, and no digest of one.
#[test]
fn m080_m081_invitations_and_ended_sessions_say_who_what_and_no_secret() {
    let office = Office::open();
    office.server.ok(&["subject", "create", "anna"]);
    let before = office.last_change();
    let ask = |method: &str, of: &str| {
        let reason = ("Grantor-Reason", "INC-7%3A%20as%20agreed");
        let (path, body) = (format!("/subjects/anna/{of}"), json!({}));
        let body = if method == "POST" {
            &body
        } else {
            &Value::Null
        };
        let answer = office.ask_saying("owner", method, &path, body, &[reason]);
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.json()
    };
    let mut browser = Browser::new(&office.server);
    let first = ask("POST", "invitations");
    let link = |made: &Value| made["link"].as_str().expect("a link").to_owned();
    browser.accept(&link(&first), "correct horse battery staple");
    let cookie = browser.cookie.clone().expect("a cookie");
    let second = ask("POST", "invitations");
    let status = |link: &str| Browser::new(&office.server).open(link).status;
    assert_eq!(browser.open("/me").status, 200, "control");
    assert_eq!(status(&link(&second)), 200, "control");
    ask("DELETE", "sessions");
    ask("DELETE", "invitations");
    assert_eq!(browser.open("/me").status, 303, "it has ended");
    assert_ne!(status(&link(&second)), 200, "it has ended");

    let mut made = office.changes_since(before);
    let printed = json!(made).to_string();
    made.retain(|change| change["resource"] != "password");
    for change in &mut made {
        let change = change.as_object_mut().expect("a record");
        let id = change.remove("id");
        assert!(id.is_some_and(|id| id.is_u64()), "M080: {printed}");
        for member in ["at", "request"] {
            let value = change.remove(member);
            let is_text = value.is_some_and(|value| value.is_string());
            assert!(is_text, "M080 {member}: {printed}");
        }
    }
    let record = |resource: &str, action: &str, differences: &[Value]| {
        json!({
            "who": {"kind": "client", "name": "owner"}, "way": "api", "reason": REASON,
            "address": "127.0.0.1", "resource": resource, "name": "anna", "action": action,
            "differences": differences,
        })
    };
    let expected = [
        record("invitation", "create", &invited(&first["expires_at"])),
        record("invitation", "create", &invited(&second["expires_at"])),
        record("session", "delete", &ended()),
        record("invitation", "delete", &ended()),
    ];
    assert_eq!(made, expected, "M080");

    let log = json!(office.server.log()).to_string();
    let kept = stored(&office.server.data());
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("anna"), "control");
    let (_, cookie) = cookie.split_once('=').expect("a value");
    for link in [link(&first), link(&second)] {
        let (_, token) = link.split_once("token=").expect("a token");
        for secret in [token, cookie] {
            assert!(secret.len() >= 40, "control");
            assert!(!printed.contains(secret), "M081: {printed}");
            assert!(!log.contains(secret), "M081: in the log");
            assert!(!kept.contains(secret), "M081: in the database");
        }
    }
}
