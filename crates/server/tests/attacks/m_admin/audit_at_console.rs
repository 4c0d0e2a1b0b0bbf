//! MA27, M080, M081: who changed what by the forms of the console.

use grantor::jose::Algorithm;
use grantor_testkit::binary::database::stored;
use grantor_testkit::binary::{Answer, browser::Browser, console::Console};
use serde_json::{Value, json};

use super::{
    audit::{REASON, What, told},
    office::Office,
};
use crate::forge::Key;

const PASSWORD: &str = "correct horse battery staple";

/// An operator at the console, whose every change is looked up in the record as soon as it is made.
struct Clerk<'o> {
    office: &'o Office,
    console: Console<'o>,
    /// What was shown once, or typed, and may be in no record.
    secrets: Vec<String>,
}

impl Clerk<'_> {
    /// Sends the form of a page with the reason. Exactly these changes are made by it, and all are
    /// recorded as this operator's.
    #[track_caller]
    fn sends(&mut self, path: &str, values: &[(&str, &str)], expected: &[What<'_>]) -> Answer {
        let before = self.office.last_change();
        let values = [values, &[("reason", REASON)]].concat();
        let page = self.console.submit(path, &values);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        let made = self.office.changes_since(before);
        let operator = json!({"kind": "operator", "name": "olga"});
        let by =
            json!({"who": operator, "way": "console", "reason": REASON, "address": "127.0.0.1"});
        for what in expected {
            told(&made, *what, "console", &by);
        }
        assert_eq!(made.len(), expected.len(), "M080 {path}: {made:?}");
        let is_of_one_request = made
            .iter()
            .all(|change| change["request"].is_string() && change["request"] == made[0]["request"]);
        assert!(is_of_one_request, "M080 {path}: {made:?}");
        page
    }

    /// Keeps what is secret in the key file that a page shows once.
    fn keeps_file(&mut self, page: &Answer) {
        let file = page.text_of("once-file").expect("a key file");
        let file: Value = serde_json::from_str(&file).expect("JSON");
        let secret = [&file["client_secret"], &file["private_key"]["d"]];
        let secret = secret.into_iter().find_map(Value::as_str);
        self.secrets.push(secret.expect("a secret").to_owned());
    }

    /// Keeps the token of the link that a page shows once, and answers the link.
    fn keeps_link(&mut self, page: &Answer) -> String {
        let link = page.text_of("link").expect("a link");
        let (_, token) = link.split_once("token=").expect("a token");
        self.secrets.push(token.to_owned());
        link
    }

    /// What a command prints as JSON.
    fn printed(&self, command: &[&str]) -> Value {
        let printed = self.office.server.ok(&[command, &["--json"]].concat());
        serde_json::from_str(&printed).expect("JSON")
    }

    /// The name of the first key or secret of a client.
    fn first(&self, client: &str, of: &str) -> String {
        let client = self.printed(&["client", "show", client]);
        let name = client[of][0]["name"].as_str();
        name.expect("a name").to_owned()
    }
}

#[test]
fn ma27_m080_each_form_of_the_console_says_who_how_why_and_what_it_was() {
    let office = Office::open();
    let console = office.server.console_as("olga", "owner");
    let cookie = console.browser.cookie.clone().expect("a cookie");
    let (_, cookie) = cookie.split_once('=').expect("a value");
    let mut clerk = Clerk {
        office: &office,
        console,
        secrets: vec![cookie.to_owned()],
    };
    let before = office.last_change();
    clients(&mut clerk);
    subjects(&mut clerk);
    permissions_and_scopes(&mut clerk);
    people(&mut clerk);
    issuers_and_trusts(&mut clerk);
    signing_keys(&mut clerk);
    for (path, what) in [
        ("/clients/k/delete", ("client", "k", "delete")),
        ("/clients/c/delete", ("client", "c", "delete")),
        ("/subjects/s/delete", ("subject", "s", "delete")),
    ] {
        clerk.sends(path, &[], &[what]);
    }
    own_password(&mut clerk);

    let record = json!(office.changes_since(before)).to_string();
    let log = json!(office.server.log()).to_string();
    let kept = stored(&office.server.data());
    let kept = String::from_utf8_lossy(&kept);
    // The control: what is public is there.
    assert!(record.contains("authorization_code") && kept.contains("INC-7"));
    assert!(!record.contains("argon2"), "M081: {record}");
    for secret in &clerk.secrets {
        assert!(secret.len() >= 25, "control");
        assert!(!record.contains(secret), "M081: {record}");
        assert!(!log.contains(secret), "M081: in the log");
        assert!(!kept.contains(secret), "M081: in the database");
    }
}

fn clients(clerk: &mut Clerk<'_>) {
    let changed = ("client", "k", "replace");
    let values = [("client_id", "k"), ("scope", "read write")];
    let made = clerk.sends("/clients/new", &values, &[("client", "k", "create")]);
    clerk.keeps_file(&made);
    clerk.sends("/clients/k/edit", &[("scope", "read")], &[changed]);
    for _ in ["off", "on"] {
        clerk.sends("/clients/k/switch", &[], &[changed]);
    }
    let old = clerk.first("k", "keys");
    let added = clerk.sends("/clients/k/keys/new", &[], &[changed]);
    clerk.keeps_file(&added);
    clerk.sends(&format!("/clients/k/keys/{old}/remove"), &[], &[changed]);

    let values = [("client_id", "c"), ("kind", "secret"), ("scope", "read")];
    let made = clerk.sends("/clients/new", &values, &[("client", "c", "create")]);
    clerk.keeps_file(&made);
    let old = clerk.first("c", "secrets");
    let changed = ("client", "c", "replace");
    let renewed = clerk.sends("/clients/c/secrets/new", &[("overlap", "1d")], &[changed]);
    clerk.keeps_file(&renewed);
    clerk.sends(&format!("/clients/c/secrets/{old}/remove"), &[], &[changed]);

    let values = [
        ("client_id", "app"),
        ("kind", "app"),
        ("app_method", "none"),
        ("redirect_uris", "https://app.example/cb"),
    ];
    clerk.sends("/clients/new", &values, &[("client", "app", "create")]);
}

fn subjects(clerk: &mut Clerk<'_>) {
    let (made, changed) = (("subject", "s", "create"), ("subject", "s", "replace"));
    clerk.sends("/subjects/new", &[("id", "s")], &[made]);
    clerk.sends("/subjects/s/edit", &[("display_name", "Sue")], &[changed]);
    for _ in ["off", "on"] {
        clerk.sends("/subjects/s/switch", &[], &[changed]);
    }
    let made = [
        ("subject", "otto", "create"),
        ("operator", "otto", "create"),
    ];
    let values = [("id", "otto"), ("role", "reader")];
    clerk.sends("/operators/new", &values, &made);
    for (role, action) in [("editor", "replace"), ("none", "delete")] {
        let what = ("operator", "otto", action);
        clerk.sends("/operators/otto/role", &[("role", role)], &[what]);
    }
}

fn permissions_and_scopes(clerk: &mut Clerk<'_>) {
    let name = "[\"k\",\"s\"]";
    for (path, values, action) in [
        (
            "/permissions/new",
            &[("client", "k"), ("subject", "s")][..],
            "create",
        ),
        (
            "/permissions/k/s/edit",
            &[("expires_at", "2099-01-02")],
            "replace",
        ),
        ("/permissions/k/s/operator/withdraw", &[], "delete"),
    ] {
        clerk.sends(path, values, &[("permission", name, action)]);
    }
    for (path, values, action) in [
        (
            "/scopes/new",
            &[("name", "x"), ("en", "Text")][..],
            "create",
        ),
        ("/scopes/x/edit", &[("en", "Another text")], "replace"),
        ("/scopes/x/delete", &[], "delete"),
    ] {
        clerk.sends(path, values, &[("scope", "x", action)]);
    }
}

/// Who is let in, and put out.
fn people(clerk: &mut Clerk<'_>) {
    let (invited, ended) = (("invitation", "s", "create"), ("invitation", "s", "delete"));
    let page = clerk.sends("/subjects/s/invite", &[], &[invited]);
    clerk.keeps_link(&page);
    clerk.sends("/subjects/s/invitations", &[], &[ended]);
    let page = clerk.sends("/subjects/s/invite", &[], &[invited]);
    let link = clerk.keeps_link(&page);
    let mut browser = Browser::new(&clerk.office.server);
    browser.accept(&link, PASSWORD);
    let out = ("session", "s", "delete");
    clerk.sends("/subjects/s/sessions", &[], &[out]);
    assert_eq!(browser.sign_in("s", PASSWORD).status, 200, "control");
    let taken = [("password", "s", "delete"), out];
    clerk.sends("/subjects/s/credentials", &[], &taken);
}

fn issuers_and_trusts(clerk: &mut Clerk<'_>) {
    let key = |kid: &str| {
        let mut jwk = Key::generate(Algorithm::Es256).public_jwk(&[]);
        jwk["kid"] = json!(kid);
        json!({"keys": [jwk]}).to_string()
    };
    let (first, second) = (key("k1"), key("k2"));
    let iss = "https://idp.example";
    let values = [
        ("iss", iss),
        ("name", "idp"),
        ("from", "jwks"),
        ("keys/jwks", &first),
    ];
    let (made, changed) = (("issuer", iss, "create"), ("issuer", iss, "replace"));
    clerk.sends("/issuers/new/by-hand", &values, &[made]);
    clerk.sends("/issuers/idp/edit", &[("leeway", "20")], &[changed]);
    clerk.sends("/issuers/idp/keys", &[("keys/jwks", &second)], &[changed]);
    for _ in ["off", "on"] {
        clerk.sends("/issuers/idp/switch", &[], &[changed]);
    }

    let values = [
        ("name", "t"),
        ("issuer", "idp"),
        ("client", "k"),
        ("pins", "sub=job"),
        ("scope", "read"),
    ];
    let (made, changed) = (("trust", "t", "create"), ("trust", "t", "replace"));
    clerk.sends("/trusts/new", &values, &[made]);
    clerk.sends("/trusts/t/edit", &[("lifetime", "60")], &[changed]);
    for mode in ["shadow", "off", "on"] {
        clerk.sends(&format!("/trusts/t/mode?mode={mode}"), &[], &[changed]);
    }
    clerk.sends("/trusts/t/delete", &[], &[("trust", "t", "delete")]);
    clerk.sends("/issuers/idp/delete", &[], &[("issuer", iss, "delete")]);

    // One form makes three.
    let values = [
        ("name", "deploy"),
        ("options/owner-id", "123456"),
        ("options/repository-id", "456789"),
        ("options/ref", "refs/heads/main"),
        ("scope", "deploy"),
        ("skip_check", "true"),
    ];
    let github = "https://token.actions.githubusercontent.com";
    let made = [
        ("issuer", github, "create"),
        ("client", "deploy", "create"),
        ("trust", "deploy", "create"),
    ];
    clerk.sends("/issuers/new?template=github-actions", &values, &made);
}

fn signing_keys(clerk: &mut Clerk<'_>) {
    let keys = clerk.printed(&["key", "list"]);
    let first = keys[0]["kid"].as_str().expect("a kid").to_owned();
    // The one that signed until now retires.
    let rotated = [
        ("signing_key", &*first, "replace"),
        ("signing_key", "", "create"),
    ];
    clerk.sends("/signing-keys/new", &[("ahead", "0")], &rotated);
    // Nodes that share a database publish a key for 10 s before any of them signs with it.
    clerk.office.server.wait_until("the new key signs", || {
        let keys = clerk.printed(&["key", "list"]);
        let keys = keys.as_array().expect("a list");
        keys.iter()
            .any(|key| key["kid"] != first.as_str() && key["state"] == "signing")
    });
    let revoked = ("signing_key", &*first, "delete");
    clerk.sends(&format!("/signing-keys/{first}/revoke"), &[], &[revoked]);
}

fn own_password(clerk: &mut Clerk<'_>) {
    let (path, typed) = ("/account/password", "a sentence nobody has typed before");
    clerk.secrets.push(typed.to_owned());
    clerk.sends(
        path,
        &[("password", typed)],
        &[("password", "olga", "create")],
    );
}
