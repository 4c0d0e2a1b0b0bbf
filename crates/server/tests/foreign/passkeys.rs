//! Passkeys of Debian's Chromium, with an authenticator that its test interface makes. A walk is a
//! function in `browser/passkeys.mjs`; it asserts.

use grantor_testkit::binary::clock::Clock;
use serde_json::{Value, json};

use crate::{
    browser::{ALICE, PASSWORD, run},
    support::Server,
};

/// A server at a name, under a clock that walks can set.
struct Here {
    server: Server,
    clock: Clock,
}

impl Here {
    fn new() -> Self {
        let clock = Clock::new().expect("a compiler");
        let server = Server::start_at_localhost_under(&clock, "[person]");
        Self { server, clock }
    }

    /// The link that a command prints.
    fn link(&self, command: &[&str]) -> String {
        let printed = self.server.ok(&[command, &["--json"]].concat());
        let printed: Value = serde_json::from_str(&printed).expect("JSON");
        printed["link"].as_str().expect("a link").to_owned()
    }

    /// Alice, who is invited.
    fn invitation(&self) -> String {
        self.server.ok(&["subject", "create", ALICE]);
        self.link(&["subject", "invite", ALICE])
    }

    fn walk(&self, name: &str, link: &str, more: Value) {
        let here = json!({
            "issuer": self.server.issuer,
            "link": link,
            "clock": self.clock.offset(),
            "username": ALICE,
            "password": PASSWORD,
        });
        run("passkeys.mjs", name, &[here, more]);
    }
}

#[test]
fn m110_m112_c090_an_operator_signs_in_and_confirms_by_a_passkey() {
    let here = Here::new();
    let link = here.link(&["console"]);
    here.walk("operator", &link, json!({}));
}

#[test]
fn c082_c084_c090_c093_a_person_has_a_passkey_from_the_invitation_on_until_it_is_removed() {
    let here = Here::new();
    here.walk("person", &here.invitation(), json!({}));
}

/// A fault beside the button, and the password as before.
#[test]
fn c091_a_passkey_that_does_not_answer_leaves_the_password_as_a_way() {
    let here = Here::new();
    here.walk("unanswered", &here.invitation(), json!({}));
}

#[test]
fn c063_m100_without_a_script_a_password_does_and_pages_say_why_passkeys_do_not() {
    let here = Here::new();
    let without = json!({"script": false});
    here.walk("without_script", &here.invitation(), without);
}
