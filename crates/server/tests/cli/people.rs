//! What people see on their own pages of what was done in their name, and of how they sign in.

use std::fs;

use grantor_testkit::binary::{
    Answer, Server,
    browser::{Browser, Form},
    clock::Clock,
};
use serde_json::Value;

const PASSWORD: &str = "correct horse battery staple";
const OTHER: &str = "a quite different sentence";
const CALLBACK: &str = "http://127.0.0.1:7777/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const AUTHORIZE: &str = "/authorize?response_type=code&client_id=billing&scope=invoices%3Aread&state=abc&redirect_uri=http%3A%2F%2F127.0.0.1%3A7777%2Fcallback&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const DAY: i64 = 86_400;

/// A server where `billing` asks people for their consent, and gets refresh tokens.
struct Here {
    server: Server,
    secret: String,
}

impl Here {
    fn at(server: Server) -> Self {
        let client = [
            "--auth",
            "client_secret_post",
            "--scope",
            "invoices:read",
            "--display-name",
            "Billing",
            "--consent",
            "ask",
            "--redirect-uri",
            CALLBACK,
            "--grant",
            "authorization-code",
            "--grant",
            "refresh-token",
        ];
        let file = server.client("billing", &client);
        let file: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
        let secret = file["client_secret"].as_str().expect("a secret").to_owned();
        Self { server, secret }
    }

    fn new() -> Self {
        Self::at(Server::start_with("[person]"))
    }

    /// A person of this name at their browser, signed in.
    fn person(&self, name: &str) -> Browser<'_> {
        self.server.ok(&["subject", "create", name]);
        let invited = self.server.ok(&["subject", "invite", name, "--json"]);
        let invited: Value = serde_json::from_str(&invited).expect("JSON");
        let mut browser = Browser::new(&self.server);
        browser.accept(invited["link"].as_str().expect("a link"), PASSWORD);
        browser
    }

    fn ask(&self, form: &[(&str, &str)]) -> Answer {
        let client = [("client_id", "billing"), ("client_secret", &self.secret)];
        self.server.token(&[form, &client].concat())
    }

    /// The person says yes, and the client gets a token. Answers its refresh token.
    fn acts(&self, person: &mut Browser<'_>) -> String {
        let asked = person.follow(AUTHORIZE);
        let back = match asked.status {
            // It was allowed before.
            303 => asked,
            _ => person.submit(&asked.form("/consent/decision"), &[("decision", "allow")]),
        };
        let back = back.leads_to().or(back.header("location"));
        let back = back.expect("a way back").replace("&amp;", "&");
        let back = url::Url::parse(&back).expect("a URL");
        let (_, code) = back
            .query_pairs()
            .find(|(name, _)| name == "code")
            .expect("a code");
        let answer = self.ask(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ]);
        refresh_token(&answer)
    }

    fn refresh(&self, token: &str) -> Answer {
        self.ask(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// A refresh token of the person that is sent again after its successor was.
    fn sends_twice(&self, person: &mut Browser<'_>) {
        let first = self.acts(person);
        let second = refresh_token(&self.refresh(&first));
        refresh_token(&self.refresh(&second));
        let refused = self.refresh(&first);
        assert_eq!(refused.error(), "invalid_grant", "{refused:?}");
    }

    /// Opens a page until it says so: decisions are kept a little later than they are answered.
    fn comes(&self, person: &mut Browser<'_>, path: &str, text: &str) -> Answer {
        let mut page = person.open(path);
        self.server.wait_until(text, || {
            page = person.open(path);
            page.body.contains(text)
        });
        page
    }
}

fn refresh_token(answer: &Answer) -> String {
    let token = answer.json()["refresh_token"].as_str().map(str::to_owned);
    token.unwrap_or_else(|| unreachable!("no refresh token: {answer:?}"))
}

/// The form of the page of ways to sign in that does this.
fn doing(page: &Answer, what: &str) -> Form {
    let does = |form: &Form| form.fields.contains(&("do".to_owned(), what.to_owned()));
    let found = page.forms().into_iter().find(does);
    found.unwrap_or_else(|| unreachable!("no form to {what}: {page:?}"))
}

fn has_signed_in(page: &Answer) -> bool {
    page.body.contains("Who may act for you")
}

#[test]
fn c060_c061_who_acted_within_thirty_days_and_may_no_more_is_listed_and_can_be_allowed_again() {
    let clock = Clock::new().expect("a compiler");
    let here = Here::at(Server::start_under(&clock, "[person]"));
    let mut alice = here.person("alice");
    let mut bob = here.person("bob");
    here.acts(&mut alice);
    // The control: bob allowed it too, and it did nothing for him.
    let form = bob.follow(AUTHORIZE).form("/consent/decision");
    bob.submit(&form, &[("decision", "allow")]);
    here.comes(&mut alice, "/me/activity", "billing");
    for person in [&mut alice, &mut bob] {
        assert!(person.open("/me").body.contains("You allowed it on"));
        let form = person
            .open("/me/withdraw?client=billing")
            .form("/me/withdraw");
        assert_eq!(person.submit(&form, &[]).status, 200);
    }
    let page = alice.open("/me");
    assert!(
        page.body
            .contains("It may not act for you now. It acted last on"),
        "{page:?}"
    );
    assert!(!page.body.contains("/me/withdraw?"), "{page:?}");
    let none = bob.open("/me");
    assert!(none.body.contains("Nobody may act for you"), "{none:?}");
    let (_, again) = page
        .body
        .split_once("<a class=\"button\" href=\"")
        .expect("a link");
    let again = again
        .split('"')
        .next()
        .unwrap_or_default()
        .replace("&amp;", "&");
    let asked = alice.follow(&again);
    assert!(
        asked.body.contains("action=\"/consent/decision\""),
        "{asked:?}"
    );
    for (days, is_listed) in [(29, true), (31, false)] {
        clock.set(days * DAY);
        alice.sign_in("alice", PASSWORD);
        let page = alice.open("/me");
        assert!(has_signed_in(&page), "{page:?}");
        assert_eq!(
            page.body.contains("It acted last on"),
            is_listed,
            "{days}: {page:?}"
        );
    }
}

#[test]
fn c062_ca31_activity_is_a_persons_own_and_without_private_causes() {
    let here = Here::new();
    let (mut alice, mut bob) = (here.person("alice"), here.person("bob"));
    let empty = alice.open("/me/activity");
    assert!(empty.body.contains("Nothing yet"), "{empty:?}");
    here.sends_twice(&mut alice);
    let page = here.comes(&mut alice, "/me/activity", "✗ refused");
    for shown in [
        "✓ granted",
        "<code>billing</code>",
        "<code>invoices:read</code>",
    ] {
        assert!(page.body.contains(shown), "{shown}: {page:?}");
    }
    for private in ["refresh_reuse", "used before", "invalid_grant"] {
        assert!(!page.body.contains(private), "{private}: {page:?}");
    }
    // The newest first.
    let [refused, granted] = ["✗ refused", "✓ granted"].map(|text| page.body.find(text));
    assert!(refused < granted, "{page:?}");
    let of_bob = bob.open("/me/activity");
    assert!(of_bob.body.contains("Nothing yet"), "{of_bob:?}");
    for client in ["billing", "nobody", ""] {
        let told = bob.open(&format!("/me/not-me?client={client}"));
        assert_eq!(told.status, 200);
        assert!(!told.body.contains("Billing"), "{told:?}");
        assert!(!told.body.contains("acted in your name"), "{told:?}");
    }
    let mut stranger = Browser::new(&here.server);
    for path in ["/me/activity", "/me/not-me?client=billing"] {
        assert_eq!(
            stranger.open(path).header("location"),
            Some("/signin"),
            "{path}"
        );
    }
}

#[test]
fn c062_this_was_not_me_leads_to_withdrawing_and_ends_all_other_sessions() {
    let here = Here::new();
    let mut alice = here.person("alice");
    here.acts(&mut alice);
    let page = here.comes(&mut alice, "/me/activity", "/me/not-me?client=billing");
    assert!(page.body.contains("This was not me"), "{page:?}");
    let mut other = Browser::new(&here.server);
    other.sign_in("alice", PASSWORD);
    let asked = alice.open("/me/not-me?client=billing");
    assert!(
        asked.body.contains("<bdi>Billing</bdi> acted in your name"),
        "{asked:?}"
    );
    assert!(
        asked.body.contains("/me/withdraw?client=billing"),
        "{asked:?}"
    );
    // Looking ends nothing, nor does a form of another browser.
    assert!(has_signed_in(&other.open("/me")));
    let form = asked.form("/me/not-me");
    assert_eq!(other.submit(&form, &[]).status, 403);
    assert!(has_signed_in(&alice.open("/me")));
    let ended = alice.submit(&form, &[]);
    assert!(
        ended.body.contains("All other sessions have ended"),
        "{ended:?}"
    );
    assert_eq!(other.open("/me").header("location"), Some("/signin"));
    assert!(has_signed_in(&alice.open("/me")));
    // What was withdrawn cannot be withdrawn again: nothing leads there.
    let form = alice
        .open("/me/withdraw?client=billing")
        .form("/me/withdraw");
    alice.submit(&form, &[]);
    let asked = alice.open("/me/not-me?client=billing");
    assert!(asked.body.contains("or have withdrawn it"), "{asked:?}");
    assert!(!asked.body.contains("/me/withdraw"), "{asked:?}");
}

#[test]
fn c064_c072_a_refresh_token_that_was_sent_twice_is_told_until_that_is_seen_and_so_is_the_next() {
    const TOLD: &str = "A refresh token of yours was used twice";
    let here = Here::new();
    let (mut alice, mut bob) = (here.person("alice"), here.person("bob"));
    here.acts(&mut bob);
    for _ in 0..2 {
        here.sends_twice(&mut alice);
        let page = here.comes(&mut alice, "/me", TOLD);
        assert!(page.body.contains("href=\"/me/activity\""), "{page:?}");
        assert!(
            alice.open("/me").body.contains(TOLD),
            "looking puts nothing away"
        );
        let form = page.form("/me");
        assert_eq!(bob.submit(&form, &[]).status, 403, "a form of alice's");
        let seen = alice.submit(&form, &[]);
        assert!(has_signed_in(&seen), "{seen:?}");
        for page in [seen, alice.open("/me")] {
            assert!(!page.body.contains(TOLD), "{page:?}");
        }
    }
    // The control: bob's was sent once.
    assert!(!bob.open("/me").body.contains(TOLD));
}

#[test]
fn c063_c093_ca47_a_password_is_changed_with_a_proof_of_the_last_five_minutes_only() {
    let clock = Clock::new().expect("a compiler");
    let here = Here::at(Server::start_under(&clock, "[person]"));
    let mut alice = here.person("alice");
    let page = alice.open("/me/signin");
    for shown in ["Set on ", "Where you are signed in", "this one"] {
        assert!(page.body.contains(shown), "{shown}: {page:?}");
    }
    // There is no passkey where the server is called by an address (DC8).
    assert!(!page.body.contains("Passkeys"), "{page:?}");
    let form = doing(&page, "password");
    clock.set(301);
    assert!(
        alice
            .open("/me/signin")
            .body
            .contains("more than five minutes ago")
    );
    let asked = alice.submit(&form, &[("password", OTHER)]);
    assert!(
        asked.body.contains("<h1>Confirm it is you</h1>"),
        "{asked:?}"
    );
    let mut other = Browser::new(&here.server);
    assert_eq!(
        other.sign_in("alice", OTHER).status,
        401,
        "nothing was changed"
    );
    assert!(has_signed_in(&other.sign_in("alice", PASSWORD)));
    // The control: after the proof it is changed, and all other sessions end.
    let back = alice.submit(&asked.form("/signin"), &[("password", PASSWORD)]);
    let set = alice.submit(&doing(&back, "password"), &[("password", OTHER)]);
    assert!(set.body.contains("Your password is set"), "{set:?}");
    assert_eq!(other.open("/me").header("location"), Some("/signin"));
    assert!(has_signed_in(&other.sign_in("alice", OTHER)));
}

#[test]
fn c063_all_other_sessions_of_a_person_end_by_a_button() {
    let here = Here::new();
    let mut alice = here.person("alice");
    let alone = alice.open("/me/signin");
    assert!(!alone.body.contains("End all other sessions"), "{alone:?}");
    let (mut other, mut bob) = (Browser::new(&here.server), here.person("bob"));
    other.sign_in("alice", PASSWORD);
    let page = alice.open("/me/signin");
    assert_eq!(page.body.matches("signed in on").count(), 2, "{page:?}");
    let ended = alice.submit(&doing(&page, "end"), &[]);
    assert!(
        ended.body.contains("All other sessions have ended"),
        "{ended:?}"
    );
    assert_eq!(other.open("/me").header("location"), Some("/signin"));
    assert!(has_signed_in(&alice.open("/me")) && has_signed_in(&bob.open("/me")));
}

#[test]
fn m114_what_was_done_is_told_to_the_browser_that_did_it_and_by_no_link_of_a_stranger() {
    const ENDED: &str = "All other sessions have ended";
    let here = Here::new();
    let (mut alice, mut bob) = (here.person("alice"), here.person("bob"));
    Browser::new(&here.server).sign_in("alice", PASSWORD);
    let page = alice.open("/me/signin");
    let origin = here.server.issuer.clone();
    let sent = alice.submit_as(&doing(&page, "end"), &[], &[("Origin", &origin)]);
    let told = sent.header("location").expect("on to a page").to_owned();
    // The control: the browser that did it is told, on the other page of the person too.
    let (_, done) = told.split_once("?done=").expect("what was done");
    let on_list = format!("/me?done={done}");
    for link in [&*told, &*on_list] {
        assert!(alice.open(link).body.contains(ENDED), "{link}");
        let of_another = bob.open(link);
        assert!(has_signed_in(&of_another), "{of_another:?}");
        assert!(!of_another.body.contains("class=\"note good\""), "{link}");
    }
    for link in ["/me?ended", "/me?recovered", "/me?done=ended", "/me?done="] {
        let page = alice.open(link);
        assert!(has_signed_in(&page), "{page:?}");
        assert!(!page.body.contains("class=\"note good\""), "{link}");
    }
    for done in ["password", "added", "removed", "ended"] {
        let page = alice.open(&format!("/me/signin?done={done}"));
        assert_eq!(page.status, 200, "{page:?}");
        assert!(!page.body.contains("class=\"note good\""), "{done}");
    }
}

#[test]
fn ca31_a_passkey_that_is_not_ones_own_is_not_there() {
    let here = Here::at(Server::start_at_localhost("[person]"));
    let mut alice = here.person("alice");
    let page = alice.open("/me/signin");
    let (form, ticket) = (doing(&page, "password"), "t".to_owned());
    let ticket = form.fields.iter().find(|(name, _)| *name == ticket);
    let (_, ticket) = ticket.expect("a ticket");
    for passkey in ["AAAA", "", "no/passkey"] {
        let fields = [("t", &**ticket), ("do", "remove"), ("passkey", passkey)];
        let form = Form {
            action: "/me/signin".to_owned(),
            fields: Vec::new(),
        };
        let refused = alice.submit(&form, &fields);
        assert_eq!(refused.status, 404, "{passkey}: {refused:?}");
        assert!(
            refused.body.contains("could not be added or removed"),
            "{refused:?}"
        );
        // What is wrong is not the password's fault.
        assert!(!refused.body.contains("aria-invalid"), "{refused:?}");
    }
    let page = alice.open("/me/signin?remove=AAAA");
    assert!(!page.body.contains("id=\"removing\""), "{page:?}");
}

#[test]
fn c094_m119_what_is_wrong_with_a_password_is_said_in_the_language_of_the_page() {
    const NAME: &str = "alice@example.com";
    let here = Here::new();
    let mut alice = here.person(NAME);
    for (language, short, name) in [
        ("en", "at least 15 characters", "is your name"),
        ("fr", "au moins 15 caractères", "est votre nom"),
    ] {
        alice.headers = vec![("Accept-Language".to_owned(), language.to_owned())];
        for (password, text) in [("short", short), (NAME, name)] {
            let form = doing(&alice.open("/me/signin"), "password");
            let refused = alice.submit(&form, &[("password", password)]);
            assert_eq!(refused.status, 400, "{refused:?}");
            assert!(refused.body.contains(text), "{text}: {refused:?}");
            assert!(refused.body.contains("aria-invalid"), "{refused:?}");
        }
    }
    // A sentence of the library stays English, and says so.
    let refused = alice.open("/me/withdraw?client=nobody");
    assert_eq!(refused.status, 404);
    assert!(refused.body.contains("<html lang=\"fr\""), "{refused:?}");
    let sentence = "<p lang=\"en\">You have not allowed";
    assert!(refused.body.contains(sentence), "{refused:?}");
}
