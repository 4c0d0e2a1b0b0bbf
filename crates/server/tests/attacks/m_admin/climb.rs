//! Climbing: an editor reaches for what an owner alone has (M012, M013). Each row goes against what
//! carries power and is refused, and then against its twin without any, where it is done.

use grantor::jose::Algorithm;
use grantor_testkit::double::Canary;
use serde_json::{Value, json};

use super::office::{Ask, Office, client};
use crate::forge::Key;

/// What stands in the braces of a row: a client, a subject, an issuer, its `iss`, a trust, a scope
/// text.
struct Names([(&'static str, &'static str); 6]);

const POWERFUL: Names = Names([
    ("{c}", "ops"),
    ("{s}", "root"),
    ("{i}", "idp"),
    ("{iss}", "https://idp.example"),
    ("{t}", "deploy"),
    ("{x}", "grantor:read"),
]);

const TWINS: Names = Names([
    ("{c}", "billing"),
    ("{s}", "alice"),
    ("{i}", "plain"),
    ("{iss}", "https://plain.example"),
    ("{t}", "ci"),
    ("{x}", "read"),
]);

impl Names {
    fn put_into(&self, text: &str) -> String {
        let fill = |text: String, (hole, name): &(&str, &str)| text.replace(hole, name);
        self.0.iter().fold(text.to_owned(), fill)
    }

    fn put_into_json(&self, value: &Value) -> Value {
        serde_json::from_str(&self.put_into(&value.to_string())).expect("JSON")
    }
}

/// Each of [`POWERFUL`] and its twin: clients with two keys, two secrets and a permission, people
/// with a password, issuers with a key and a trust.
fn furnished() -> Office {
    let office = Office::open();
    let server = &office.server;
    let directory = server.directory();
    for (name, scope, issuer, trust, who) in [
        ("ops", "grantor:admin read", "idp", "deploy", "root"),
        ("billing", "read", "plain", "ci", "alice"),
    ] {
        let keys = [
            Key::generate(Algorithm::Es256),
            Key::generate(Algorithm::Es256),
        ];
        let names = [("kid", json!("k1")), ("kid", json!("k2"))];
        let public: Vec<_> = keys
            .iter()
            .zip(&names)
            .map(|(key, name)| key.public_jwk(std::slice::from_ref(name)))
            .collect();
        let file = directory.join(format!("{name}.jwks"));
        std::fs::write(&file, json!({"keys": public}).to_string()).expect("a file");
        let file = file.to_string_lossy().into_owned();
        server.ok(&["client", "create", name, "--jwks", &file, "--scope", scope]);
        let by_secret = format!("{name}-by-secret");
        server.client(
            &by_secret,
            &["--auth", "client_secret_basic", "--scope", scope],
        );
        let out = directory.join(format!("{name}-second.json"));
        let out = out.to_string_lossy().into_owned();
        server.ok(&[
            "client",
            "rotate-secret",
            &by_secret,
            "--overlap",
            "1h",
            "--out",
            &out,
        ]);
        let pages = format!("{name}-pages");
        server.client(
            &pages,
            &[
                "--auth",
                "client_secret_basic",
                "--scope",
                scope,
                "--grant",
                "authorization-code",
                "--redirect-uri",
                "https://shop.example/callback",
            ],
        );
        server.ok(&["subject", "create", who]);
        if who == "root" {
            let owner = json!({"role": "owner"});
            office.done("owner", "PUT", "/subjects/root/role", &owner);
        }
        server.ok(&["permission", "create", name, who]);
        let iss = format!("https://{issuer}.example");
        server.ok(&["issuer", "create", &iss, "--name", issuer, "--jwks", &file]);
        server.ok(&[
            "trust", "create", trust, "--from", issuer, "--pin", "sub=job", "--client", name,
            "--scope", "read",
        ]);
        let link = server.ok(&["subject", "invite", who, "--json"]);
        let link: Value = serde_json::from_str(&link).expect("JSON");
        let mut browser = grantor_testkit::binary::browser::Browser::new(server);
        browser.accept(
            link["link"].as_str().expect("a link"),
            "correct horse battery staple",
        );
    }
    server.ok(&["subject", "create", "bob"]);
    server.ok(&["permission", "create", "billing", "bob"]);
    office
}

/// A public key of a climber.
fn own_jwk(kid: &str) -> Value {
    Key::generate(Algorithm::Es256).public_jwk(&[("kid", json!(kid))])
}

/// Everything that hangs on what carries power: M012, MA05, the patterns of keycloak#46719, #50445,
/// #50615 and #50350.
fn rows() -> Vec<(&'static str, &'static str, Value)> {
    let null = Value::Null;
    let jwks = || json!({"keys": [own_jwk("k1"), own_jwk("k2"), own_jwk("k3")]});
    let trust = json!({
        "name": "{t}-2", "issuer": "{iss}", "client": "{c}", "scope": "read",
        "pins": [{"claim": "sub", "equals": "job-2"}],
    });
    let of_client = json!({
        "name": "{c}-3", "issuer": "https://plain.example", "client": "{c}", "scope": "read",
        "pins": [{"claim": "sub", "equals": "job-3"}],
    });
    vec![
        ("PATCH", "/clients/{c}", json!({"description": "mine"})),
        ("PATCH", "/clients/{c}", json!({"client_name": "Mine"})),
        ("PATCH", "/clients/{c}", json!({"enabled": false})),
        ("PATCH", "/clients/{c}", json!({"enabled": true})),
        ("PATCH", "/clients/{c}", json!({"token_format": "opaque"})),
        (
            "PATCH",
            "/clients/{c}",
            json!({"audience_policy": "legacy"}),
        ),
        ("PATCH", "/clients/{c}", json!({"jwks": jwks()})),
        (
            "PATCH",
            "/clients/{c}",
            json!({"jwks": null, "keys": null, "jwks_uri": "https://mine.example/jwks"}),
        ),
        (
            "PATCH",
            "/clients/{c}",
            json!({"jwks": jwks(), "jwks_uri": null}),
        ),
        (
            "PATCH",
            "/clients/{c}-pages",
            json!({"redirect_uris": ["https://mine.example/callback"]}),
        ),
        ("PATCH", "/clients/{c}-pages", json!({"consent": "ask"})),
        (
            "PATCH",
            "/clients/{c}-pages",
            json!({"permission_lifetime": 60}),
        ),
        (
            "PATCH",
            "/clients/{c}-by-secret",
            json!({"token_endpoint_auth_method": "client_secret_post"}),
        ),
        ("POST", "/clients/{c}/keys", json!({"jwk": own_jwk("mine")})),
        ("POST", "/clients/{c}/keys", json!({"generate": "ES256"})),
        ("DELETE", "/clients/{c}/keys/k2", null.clone()),
        (
            "POST",
            "/clients/{c}-by-secret/secrets",
            json!({"overlap": 60}),
        ),
        (
            "DELETE",
            "/clients/{c}-by-secret/secrets/{secret}",
            null.clone(),
        ),
        ("PATCH", "/subjects/{s}", json!({"enabled": false})),
        ("PATCH", "/subjects/{s}", json!({"enabled": true})),
        ("POST", "/subjects/{s}/invitations", json!({})),
        (
            "POST",
            "/subjects/{s}/invitations",
            json!({"recover": true}),
        ),
        ("DELETE", "/subjects/{s}/invitations", null.clone()),
        ("DELETE", "/subjects/{s}/sessions", null.clone()),
        ("DELETE", "/subjects/{s}/credentials", null.clone()),
        ("PUT", "/permissions/{c}/bob", json!({"scope": "read"})),
        ("PUT", "/permissions/billing/{s}", json!({"scope": "read"})),
        (
            "POST",
            "/permissions",
            json!({"client": "{c}-by-secret", "subject": "bob"}),
        ),
        (
            "POST",
            "/permissions",
            json!({"client": "billing-pages", "subject": "{s}"}),
        ),
        ("DELETE", "/permissions/{c}/{s}", null.clone()),
        ("POST", "/trusts", trust),
        ("POST", "/trusts", of_client),
        ("PATCH", "/trusts/{t}", json!({"lifetime": 60})),
        (
            "PATCH",
            "/trusts/{t}",
            json!({"pins": [{"claim": "sub", "equals": "mine"}]}),
        ),
        ("PATCH", "/trusts/{t}", json!({"mode": "off"})),
        ("PATCH", "/issuers/{i}", json!({"leeway": 20})),
        ("PATCH", "/issuers/{i}", json!({"enabled": false})),
        (
            "PATCH",
            "/issuers/{i}",
            json!({"keys": {"jwks": {"keys": [own_jwk("mine")]}}}),
        ),
        (
            "POST",
            "/issuers/{i}/keys",
            json!({"keys": {"jwks": {"keys": [own_jwk("mine-2")]}}}),
        ),
        ("PUT", "/scopes/{x}", json!({"en": "Mine"})),
        ("DELETE", "/trusts/{t}", null.clone()),
        ("DELETE", "/issuers/{i}?cascade=true", null.clone()),
        ("DELETE", "/clients/{c}-pages", null.clone()),
        ("DELETE", "/clients/{c}", null.clone()),
        ("DELETE", "/subjects/{s}", null),
    ]
}

/// A path with the name of the newest secret of its client, where it is about one.
fn with_secret(office: &Office, path: String) -> String {
    let Some((client, _)) = path.split_once("/secrets/{secret}") else {
        return path;
    };
    let shown = office.done("reader", "GET", client, &Value::Null).json();
    let name = shown["secrets"][0]["name"].as_str().expect("a name");
    format!("{client}/secrets/{name}")
}

#[test]
fn ma05_m012_an_editor_touches_nothing_that_carries_power() {
    let office = furnished();
    for (method, path, body) in rows() {
        let asked = with_secret(&office, POWERFUL.put_into(path));
        let ask = |path| Ask {
            by: "editor",
            method,
            path,
        };
        office.needs_owner(ask(&asked), &POWERFUL.put_into_json(&body));
        let overridden = match asked.contains('?') {
            true => format!("{asked}&override=true"),
            false => format!("{asked}?override=true"),
        };
        office.needs_owner(ask(&overridden), &POWERFUL.put_into_json(&body));
        office.done(
            "editor",
            method,
            &with_secret(&office, TWINS.put_into(path)),
            &TWINS.put_into_json(&body),
        );
    }
    for role in ["reader", "editor", "owner"] {
        let path = "/subjects/bob/role";
        for by in ["reader", "editor"] {
            office.needs_owner(
                Ask {
                    by,
                    method: "PUT",
                    path,
                },
                &json!({"role": role}),
            );
            office.needs_owner(
                Ask {
                    by,
                    method: "DELETE",
                    path,
                },
                &Value::Null,
            );
        }
        office.done("owner", "PUT", path, &json!({"role": role}));
    }
}

/// MA04: by the scope of a client, of a permission, of a trust, and by names that look like one.
#[test]
fn ma04_an_editor_gives_no_power_by_any_scope() {
    let office = furnished();
    let trust = |scope: &str| {
        json!({
            "name": "new", "issuer": "https://plain.example", "client": "billing",
            "scope": scope, "pins": [{"claim": "sub", "equals": "job-9"}],
        })
    };
    let powers = [
        "grantor:admin",
        "grantor:write",
        "grantor:read",
        "read grantor:read",
    ];
    for (number, scope) in powers.into_iter().enumerate() {
        let made = |scope: &str| client(&format!("made-{number}"), json!({"scope": scope}));
        let widen = json!({"scope": scope});
        let rows = [
            ("POST", "/clients", made(scope)),
            ("PATCH", "/clients/billing", widen.clone()),
            // Its own.
            (
                "PATCH",
                "/clients/editor",
                json!({"scope": format!("grantor:write {scope}")}),
            ),
            ("PUT", "/permissions/billing/alice", widen.clone()),
            (
                "POST",
                "/permissions",
                json!({"client": "billing-pages", "subject": "bob", "scope": scope}),
            ),
            ("POST", "/trusts", trust(scope)),
            ("PATCH", "/trusts/ci", widen),
        ];
        for (method, path, body) in rows {
            let before = office.last_change();
            let answer = office.ask("editor", method, path, &body);
            // A scope beyond the client's is a fault before it is a right.
            let is_refused = [403, 422].contains(&answer.status);
            assert!(is_refused, "MA04 {method} {path} {body}: {answer:?}");
            assert_eq!(office.last_change(), before, "MA04 {method} {path} {body}");
        }
        let ask = Ask {
            by: "editor",
            method: "POST",
            path: "/clients",
        };
        office.needs_owner(ask, &made(scope));
        office.done("editor", "POST", "/clients", &made("read"));
    }
    let alike = [
        "grantor:admin ",
        " grantor:admin",
        "Grantor:admin",
        "GRANTOR:ADMIN",
        "grantor:Admin",
        "grantor:owner",
        "grantor:",
        "grantor:admin\u{200b}",
        "grantor\u{ff1a}admin",
        "gr\u{430}ntor:admin",
        "grantor:admin\n",
        "grantor:admin\u{0}",
        "read\tgrantor:admin",
        "read\u{a0}grantor:admin",
    ];
    for scope in alike {
        let body = client("alike", json!({"scope": scope}));
        for by in ["editor", "owner"] {
            let before = office.last_change();
            let answer = office.ask(by, "POST", "/clients", &body);
            // Blanks around it are refused, or it is the scope itself, which an owner gives.
            let is_itself =
                by == "owner" && answer.status == 201 && scope.trim() == "grantor:admin";
            if is_itself {
                assert_eq!(
                    answer.json()["client"]["scope"],
                    "grantor:admin",
                    "{scope:?}: {answer:?}"
                );
                office.done("owner", "DELETE", "/clients/alike", &Value::Null);
                continue;
            }
            assert!(
                [403, 422].contains(&answer.status),
                "MA04 {scope:?} by {by}: {answer:?}"
            );
            assert_eq!(office.last_change(), before, "MA04 {scope:?} by {by}");
        }
    }
    for name in [
        "grantor:admin",
        "grantor:read",
        "Grantor:admin",
        "GRANTOR:x",
    ] {
        let path = format!("/scopes/{name}");
        office.needs_owner(
            Ask {
                by: "editor",
                method: "PUT",
                path: &path,
            },
            &json!({"en": "Mine"}),
        );
        office.done("owner", "PUT", &path, &json!({"en": "Power"}));
        office.needs_owner(
            Ask {
                by: "editor",
                method: "DELETE",
                path: &path,
            },
            &Value::Null,
        );
    }
    // The control of all: what nobody has gained.
    for by in ["editor", "reader"] {
        assert_eq!(office.ask_for_token(by, "grantor:admin").status, 400);
    }
    assert_eq!(office.ask_for_token("owner", "grantor:admin").status, 200);
}

/// An owner's machine is not reached through the API: a file that is sent to a stranger as a bearer
/// token, a network that only the server reaches.
#[test]
fn ma43_nobody_makes_the_server_send_a_file_and_no_editor_opens_its_networks() {
    let office = Office::open();
    let canary = Canary::at("127.0.0.1");
    let url = canary.url("127.0.0.1");
    let secret = office.server.data().join("grantor.toml");
    let issuer = |more: Value| {
        let mut issuer =
            json!({"iss": "https://new.example", "name": "new", "keys": {"jwks_uri": url}});
        for (member, value) in more.as_object().expect("members") {
            issuer[member] = value.clone();
        }
        issuer
    };
    let rows = [
        (issuer(json!({})), vec!["editor", "owner"]),
        (
            issuer(json!({"allow_internal": ["127.0.0.0/8"]})),
            vec!["editor"],
        ),
        (
            issuer(json!({"allow_internal": ["0.0.0.0/0"]})),
            vec!["editor"],
        ),
        (
            issuer(json!({"bearer_token_file": secret})),
            vec!["editor", "owner"],
        ),
        (
            issuer(json!({"bearer_token_file": secret, "allow_internal": ["127.0.0.0/8"]})),
            vec!["editor", "owner"],
        ),
        (
            issuer(json!({"keys": {"discovery": {}}, "iss": canary.url("127.0.0.1")})),
            vec!["editor", "owner"],
        ),
    ];
    for (body, callers) in &rows {
        for by in callers {
            for check in ["", "?check=false"] {
                let path = format!("/issuers{check}");
                let before = office.last_change();
                let answer = office.ask(by, "POST", &path, body);
                let is_refused = (400..500).contains(&answer.status);
                // Nothing is asked for without the check; where it is made the guard holds later.
                let is_plain = !check.is_empty()
                    && answer.status == 201
                    && body.get("allow_internal").is_none()
                    && body.get("bearer_token_file").is_none();
                assert!(
                    is_refused || is_plain,
                    "MA43 {path} {body} by {by}: {answer:?}"
                );
                if is_plain {
                    office.done("owner", "DELETE", "/issuers/new", &Value::Null);
                } else {
                    assert_eq!(office.last_change(), before, "MA43 {path} {body} by {by}");
                }
                assert!(
                    canary.saw_nothing(),
                    "MA43 {path} {body} by {by}: it called out"
                );
            }
        }
    }
}
