//! People at Debian's Chromium, and the programs that send them there: sign-in, consent, the way
//! back, the person's page. A walk is a function in `browser/walks.mjs`; it asserts.

#![expect(
    clippy::disallowed_methods,
    reason = "where Chromium is, and whether pictures are wanted, is for who runs the tests"
)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use grantor_testkit::foreign::{packages, servers};
use serde_json::{Value, json};

use crate::{
    person::Person,
    support::{self, Server, finished},
};

pub(crate) const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser");
pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A server where alice signs in, with the client `billing` that asks for consent.
pub(crate) struct Here {
    pub(crate) server: Server,
    pub(crate) key: PathBuf,
}

impl Here {
    pub(crate) fn new() -> Self {
        let here = Self::without_password();
        accept(&here);
        here
    }

    /// Alice has not accepted her invitation yet.
    fn without_password() -> Self {
        let server = Server::start_with("[person]");
        server.ok(&[
            "scope",
            "set",
            "invoices:read",
            "--en",
            "Read your invoices",
        ]);
        let key = server.client("billing", &[&["--generate-key"], CODE_GRANT].concat());
        server.ok(&["subject", "create", ALICE]);
        Self { server, key }
    }

    /// The link of a new invitation for alice.
    fn invitation(&self) -> String {
        self.json(&["subject", "invite", ALICE])["link"]
            .as_str()
            .expect("a link")
            .to_owned()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.server.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&printed).expect("JSON")
    }

    /// Walks with and without script, on a wide and on a narrow page, in the light and in the dark.
    fn walk_each_way(name: &str) {
        for way in [
            json!({}),
            json!({"script": false}),
            json!({"narrow": true, "dark": true}),
        ] {
            Self::new().walk(name, way);
        }
    }

    fn walk(&self, name: &str, more: Value) {
        let here = json!({
            "issuer": self.server.issuer,
            "key": self.key,
            "username": ALICE,
            "password": PASSWORD,
        });
        run("walks.mjs", name, &[here, more]);
    }
}

/// What the client is registered with.
pub(crate) const CODE_GRANT: &[&str] = &[
    "--scope",
    "invoices:read",
    "--display-name",
    "Billing",
    "--consent",
    "ask",
    "--redirect-uri",
    "http://127.0.0.1/callback",
    "--grant",
    "authorization-code",
    "--grant",
    "refresh-token",
    "--grant",
    "jwt-bearer",
];

/// Alice accepts an invitation, without a browser.
fn accept(here: &Here) {
    let mut alice = Person::at(&here.server);
    let page = alice.open(&here.invitation());
    let answer = alice.fill_in(&page);
    assert_eq!(answer.status, 303, "{}", answer.body);
}

#[test]
fn c080_c081_an_invitation_is_looked_at_often_and_accepted_once() {
    let here = Here::without_password();
    here.walk("invitation", json!({"link": here.invitation()}));
    let here = Here::without_password();
    let without_script = json!({"link": here.invitation(), "script": false});
    here.walk("invitation", without_script);
}

#[test]
fn c024_c027_c036_a_person_says_yes_once_and_is_led_back_also_where_the_callback_leads_on() {
    Here::walk_each_way("code_grant");
}

#[test]
fn c039_a_no_is_told_and_nothing_is_recorded() {
    let here = Here::new();
    here.walk("deny", json!({}));
    assert_eq!(here.json(&["permission", "list"]), json!([]));
}

#[test]
fn c095_whatever_is_wrong_at_sign_in_is_told_in_one_text() {
    let here = Here::new();
    here.server.ok(&["subject", "create", "bob@example.com"]);
    here.server.ok(&["subject", "disable", "bob@example.com"]);
    here.walk("wrong_password", json!({"disabled": "bob@example.com"}));
}

#[test]
fn ca19_no_page_is_in_a_frame_and_popups_know_their_opener_where_clients_need_it() {
    Here::new().walk("frames", json!({}));
}

#[test]
fn c106_openid_client_gets_a_code_a_token_and_a_refreshed_one() {
    Here::new().walk("openid_client", json!({}));
}

/// The whole story: a job's log, a person's yes, a job while nobody is there, the end of it.
#[test]
fn a_job_acts_for_a_person_who_said_yes_once_until_that_is_withdrawn() {
    for script in [true, false] {
        let here = Here::new();
        let key = here.key.to_str().expect("a path in UTF-8");
        let job = [
            "token",
            "--key",
            key,
            "--sub",
            ALICE,
            "--scope",
            "invoices:read",
        ];
        let refused = here.server.run(&job);
        assert_eq!(refused.status.code(), Some(1));
        let place = format!("{}/consent?", here.server.issuer);
        let link = refused.stderr.split_whitespace();
        let link = link
            .filter_map(|word| word.find(&place).map(|at| &word[at..]))
            .next();
        let link = link.unwrap_or_else(|| unreachable!("no link: {}", refused.stderr));
        here.walk(
            "consent_link",
            json!({"consent_uri": link, "script": script}),
        );
        let token = here.server.ok(&job);
        let is_active = |token: &str| {
            let introspected = here.introspect(token);
            introspected["active"].as_bool().expect("a truth")
        };
        assert!(is_active(&token));
        here.walk("withdraw", json!({"script": script}));
        assert!(!is_active(&token));
        let refused = here.server.run(&job);
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            refused.stderr.contains("consent_required"),
            "{}",
            refused.stderr
        );
    }
}

impl Here {
    /// What the server says of a token, to its own client.
    fn introspect(&self, token: &str) -> Value {
        let key = support::signing_key(&self.key);
        let lifetime = Duration::from_secs(60);
        let assertion =
            support::assertion(&self.server.issuer, "billing", "billing", &key, lifetime);
        let form = [
            ("token", token),
            ("client_assertion", assertion.as_str()),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
        ];
        let answer = self.server.post("/introspect", &form, &[]);
        answer.json()
    }
}

/// Runs a walk of a script, with all these options. Answers what it prints.
pub(crate) fn run(script: &str, name: &str, more: &[Value]) -> String {
    let mut options = json!({
        "chromium": chromium(),
        "shots": env::var("BROWSER_SHOTS").ok(),
    });
    for more in more {
        let more = more.as_object().expect("options").clone();
        options.as_object_mut().expect("options").extend(more);
    }
    let directory = packages();
    let node = interpreter().with_file_name("node");
    let mut command = Command::new(node);
    command
        .arg(directory.join(script))
        .args([name, &options.to_string()]);
    let outcome = finished(command.output().expect("Node.js starts"));
    assert!(
        outcome.status.success(),
        "{name} {options}:\n{}{}",
        outcome.stdout,
        outcome.stderr
    );
    outcome.stdout
}

/// Debian's Chromium, or the one that the variable names.
fn chromium() -> String {
    env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned())
}

#[expect(clippy::panic, reason = "the problem in plain words is the message")]
fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = INTERPRETER.get_or_init(servers::interpreter);
    made.as_ref().unwrap_or_else(|problem| panic!("{problem}"))
}

/// The walks, beside the packages that they need.
#[expect(clippy::panic, reason = "the problem in plain words is the message")]
fn packages() -> &'static Path {
    static DIRECTORY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = DIRECTORY.get_or_init(|| {
        let files = [
            "package.json",
            "package-lock.json",
            "browser.mjs",
            "console.mjs",
            "keyboard.mjs",
            "passkeys.mjs",
            "tasks.mjs",
            "walks.mjs",
        ]
        .map(|file| Path::new(SCRIPTS).join(file));
        packages::node("browser-node", &files, interpreter())
    });
    made.as_ref().unwrap_or_else(|problem| panic!("{problem}"))
}
