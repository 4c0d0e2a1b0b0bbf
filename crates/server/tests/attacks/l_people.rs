//! CA: attacks on the pages where people sign in, say yes and take it back, at the running binary by
//! plain HTTP. What browsers do is tried in `tests/foreign/browser.rs`.

use std::{
    collections::BTreeSet,
    fs, panic,
    path::Path,
    sync::{LazyLock, mpsc},
    thread,
};

use grantor::clock::{Clock as _, SystemClock};
use grantor_testkit::binary::browser::{Browser, Form};
use grantor_testkit::binary::database::{is_not_of_sqlite, stored};
use rusqlite::Connection;
use serde_json::Value;

use crate::{
    oracle::reap,
    support::{Answer, Server, clock::Clock, escape},
};

const PASSWORD: &str = "correct horse battery staple";
const OTHER: &str = "a quite different sentence";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "http://127.0.0.1:7777/callback";
const AUTHORIZE: &str = "/authorize?response_type=code&client_id=billing&scope=invoices%3Aread&state=abc&redirect_uri=http%3A%2F%2F127.0.0.1%3A7777%2Fcallback&code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CONSENT: &str = "/consent?client_id=billing&scope=invoices%3Aread";

/// A server where people sign in, with clients that ask for their consent.
struct Here {
    server: Server,
    secret: String,
}

fn here() -> &'static Here {
    static HERE: LazyLock<Here> = LazyLock::new(|| {
        let here = Here::start("[person]");
        reap(&here.server);
        here
    });
    &HERE
}

impl Here {
    fn start(configuration: &str) -> Self {
        Self::at(Server::start_with(configuration))
    }

    fn at(server: Server) -> Self {
        server.ok(&[
            "scope",
            "set",
            "invoices:read",
            "--en",
            "Read your invoices",
        ]);
        let file = client(&server, "billing", &["--display-name", "Billing"]);
        client(&server, "orders", &["--display-name", "Orders"]);
        let file: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
        let secret = file["client_secret"].as_str().expect("a secret").to_owned();
        Self { server, secret }
    }

    fn browser(&self) -> Browser<'_> {
        Browser::new(&self.server)
    }

    /// The link of a new invitation.
    fn invitation(&self, name: &str, more: &[&str]) -> String {
        let printed = self
            .server
            .ok(&[&["subject", "invite", name, "--json"], more].concat());
        let printed: Value = serde_json::from_str(&printed).expect("JSON");
        printed["link"].as_str().expect("a link").to_owned()
    }

    /// A person of this name at their browser, signed in.
    fn person(&self, name: &str) -> Browser<'_> {
        self.server.ok(&["subject", "create", name]);
        let mut browser = self.browser();
        browser.accept(&self.invitation(name, &[]), PASSWORD);
        browser
    }

    /// What people allowed.
    fn records(&self, name: &str) -> usize {
        let printed = self.server.ok(&["permission", "list", "--json"]);
        let printed: Value = serde_json::from_str(&printed).expect("JSON");
        let records = printed.as_array().expect("a list").iter();
        records.filter(|record| record["subject"] == name).count()
    }

    /// What the client gets for the code on the way back.
    fn redeem(&self, handed_over: &Answer) -> Answer {
        let code = parameter(handed_over, "code");
        self.server.token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("client_id", "billing"),
            ("client_secret", &self.secret),
        ])
    }
}

/// Registers a client that asks for consent; answers where its secret is.
fn client(server: &Server, id: &str, more: &[&str]) -> std::path::PathBuf {
    let common = [
        "--auth",
        "client_secret_post",
        "--scope",
        "invoices:read",
        "--consent",
        "ask",
        "--redirect-uri",
        CALLBACK,
        "--grant",
        "authorization-code",
    ];
    server.client(id, &[&common, more].concat())
}

/// A parameter on the way back to the client.
fn parameter(handed_over: &Answer, name: &str) -> String {
    let url = handed_over.leads_to().or(handed_over.header("location"));
    let url = url.unwrap_or_else(|| unreachable!("leads nowhere: {handed_over:?}"));
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.into_iter().find(|(known, _)| *known == name);
    found.map_or(String::new(), |(_, value)| value.to_owned())
}

/// The page of consent, and its form.
fn asked(browser: &mut Browser<'_>) -> Form {
    browser.follow(AUTHORIZE).form("/consent/decision")
}

#[test]
fn ca12_no_header_says_where_the_server_is() {
    let here = here();
    let alone = |name: &str, spoofed: bool| {
        here.server.ok(&["subject", "create", name]);
        let mut browser = here.browser();
        if spoofed {
            browser.host = "evil.example".to_owned();
            for (name, value) in [
                ("X-Forwarded-Host", "evil.example"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Prefix", "/evil.example"),
                ("Forwarded", "host=evil.example;proto=https"),
            ] {
                browser.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        let mut seen = vec![browser.open(&here.invitation(name, &[]))];
        let form = seen[0].form("/invitation");
        seen.push(browser.submit(&form, &[("password", PASSWORD)]));
        let cookie = browser.cookie.clone().expect("a cookie");
        seen.extend(
            ["/signout", "/me/withdraw?client=none", AUTHORIZE].map(|path| browser.open(path)),
        );
        let consent = browser.follow(AUTHORIZE);
        let handed_over = browser.submit(&consent.form("/consent/decision"), &[]);
        assert_eq!(
            parameter(&handed_over, "iss"),
            escape_url(&here.server.issuer),
            "{handed_over:?}"
        );
        seen.extend([
            consent,
            handed_over,
            browser.open("/me"),
            browser.open(CONSENT),
        ]);
        seen.push(browser.open("/me/withdraw?client=billing"));
        let mut stranger = browser.clone();
        stranger.cookie = None;
        seen.extend([
            stranger.open(AUTHORIZE),
            stranger.follow("/signin"),
            stranger.open("/me"),
        ]);
        assert!(cookie.starts_with("grantor="), "{cookie}");
        let shape = |answer: &Answer| {
            let text = format!("{:?} {}", answer.headers, answer.body);
            assert!(!text.contains("evil.example"), "{answer:?}");
            let set = answer
                .header("set-cookie")
                .and_then(|set| set.split_once(';'));
            (
                answer.status,
                set.map(|(_, attributes)| attributes.to_owned()),
            )
        };
        seen.iter().map(shape).collect::<Vec<_>>()
    };
    assert_eq!(alone("ca12-plain", false), alone("ca12-spoofed", true));
}

/// As `iss` stands in a query.
fn escape_url(text: &str) -> String {
    text.replace(':', "%3A").replace('/', "%2F")
}

#[test]
fn ca16_a_page_is_good_for_its_own_browser_person_and_purpose_and_for_one_yes() {
    let here = here();
    let mut alice = here.person("ca16-alice");
    let mut bob = here.person("ca16-bob");
    let form = asked(&mut alice);
    let sign_in = here.browser().follow("/signin").form("/signin");
    let sign_in = sign_in.fields[0].1.clone();
    let mut refused = Vec::new();
    let without = Form {
        fields: form
            .fields
            .iter()
            .filter(|field| field.0 != "t")
            .cloned()
            .collect(),
        ..form.clone()
    };
    refused.push(("without a ticket", alice.clone().submit(&without, &[])));
    refused.push(("of another browser", here.browser().submit(&form, &[])));
    refused.push(("of another person", bob.submit(&form, &[])));
    refused.push((
        "of the sign-in page",
        alice.clone().submit(&form, &[("t", &sign_in)]),
    ));
    // Bob signs in where alice was shown the page.
    let mut same = alice.clone();
    let switched = same.sign_in("ca16-bob", PASSWORD);
    assert_eq!(switched.status, 200, "{switched:?}");
    refused.push(("after switching", same.submit(&form, &[])));
    for (row, answer) in refused {
        assert!([400, 403].contains(&answer.status), "{row}: {answer:?}");
        assert_eq!(answer.leads_to(), None, "{row}");
    }
    assert_eq!(here.records("ca16-alice") + here.records("ca16-bob"), 0);
    // The control, and once more.
    alice.sign_in("ca16-alice", PASSWORD);
    let form = asked(&mut alice);
    let handed_over = alice.submit(&form, &[]);
    assert_eq!(here.redeem(&handed_over).status, 200, "{handed_over:?}");
    assert_eq!(here.records("ca16-alice"), 1);
    let again = alice.submit(&form, &[]);
    assert_eq!((again.status, again.leads_to()), (403, None), "{again:?}");
}

/// M162: each form of each page, found by reading the pages.
#[test]
fn ca18_m162_forms_come_from_pages_of_this_server() {
    let here = here();
    let mut alice = here.person("ca18-alice");
    let form = asked(&mut alice);
    alice.submit(&form, &[]);
    here.server.ok(&["subject", "create", "ca18-guest"]);
    let mut stranger = here.browser();
    let mut bob = here.person("ca18-bob");
    let pages = [
        (stranger.follow(AUTHORIZE), stranger.clone()),
        (stranger.open("/signin"), stranger.clone()),
        (
            stranger.open(&here.invitation("ca18-guest", &[])),
            stranger.clone(),
        ),
        (bob.follow(AUTHORIZE), bob.clone()),
        (bob.open("/signout"), bob.clone()),
        (alice.open("/me/withdraw?client=billing"), alice.clone()),
        (alice.open("/me"), alice.clone()),
    ];
    let issuer = here.server.issuer.as_str();
    let port = here.server.address.port();
    let subdomain = format!("http://evil.127.0.0.1:{port}");
    let other_port = "http://127.0.0.1:1".to_owned();
    let https = issuer.replace("http://", "https://");
    let longer = format!("{issuer}.evil.example");
    let attacks: [&[(&str, &str)]; 11] = [
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Origin", &subdomain)],
        &[("Origin", &other_port)],
        &[("Origin", &https)],
        &[("Origin", &longer)],
        &[("Origin", issuer), ("Origin", "https://evil.example")],
        &[("Origin", issuer), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", issuer), ("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[],
    ];
    let mut seen = BTreeSet::new();
    for (page, browser) in &pages {
        assert!(!page.forms().is_empty(), "{page:?}");
        for form in page.forms() {
            seen.insert(form.action.clone());
            let typed = [("username", "ca18-alice"), ("password", PASSWORD)];
            for headers in attacks {
                let answer = browser.clone().submit_as(&form, &typed, headers);
                assert_eq!(answer.status, 403, "{headers:?} to {form:?}: {answer:?}");
                assert_eq!(answer.header("location"), None);
            }
        }
    }
    let all = [
        "/consent/decision",
        "/invitation",
        "/me/withdraw",
        "/signin",
        "/signout",
    ];
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), all);
    assert_eq!(
        (here.records("ca18-alice"), here.records("ca18-bob")),
        (1, 0)
    );
    // The controls: the same forms from here.
    for (page, browser) in &pages {
        for form in page.forms() {
            let typed = [("username", "ca18-alice"), ("password", PASSWORD)];
            let sent = browser
                .clone()
                .submit_as(&form, &typed, &[("Origin", issuer)]);
            // Some forms end what others on the same page stand on: then the ticket is refused.
            let is_of_origin = sent.body.contains("did not come from here");
            assert!(!is_of_origin, "{form:?}: {sent:?}");
        }
    }
    assert_eq!(here.records("ca18-alice"), 0, "withdrawn by the control");
}

#[test]
fn ca21_no_cookie_of_before_is_anybody_afterwards() {
    let here = here();
    let person = here.person("ca21-alice");
    let is_nobody = |cookie: &str| {
        let mut browser = here.browser();
        browser.cookie = Some(cookie.to_owned());
        let answer = browser.open("/me");
        (answer.status, answer.header("location").is_some()) == (303, true)
    };
    let signed_in = person.cookie.expect("a cookie");
    assert!(!is_nobody(&signed_in), "the control");
    // One that the attacker chose, planted before sign-in.
    let chosen = "grantor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let mut victim = here.browser();
    victim.cookie = Some(chosen.to_owned());
    victim.sign_in("ca21-alice", PASSWORD);
    let fresh = victim.cookie.clone().expect("a cookie");
    assert!(fresh != chosen && !is_nobody(&fresh), "signed in");
    assert!(is_nobody(chosen), "the planted one");
    // Each sign-in has a new one, and ends the one before at this browser.
    victim.sign_in("ca21-alice", PASSWORD);
    let form = victim.open("/signout").form("/signout");
    let last = victim.cookie.clone().expect("a cookie");
    victim.submit(&form, &[]);
    assert!(is_nobody(&last), "after signing out");
    assert!(!is_nobody(&signed_in), "another browser stays signed in");
    // All ways to sign in end.
    here.browser()
        .accept(&here.invitation("ca21-alice", &["--recover"]), PASSWORD);
    assert!(is_nobody(&signed_in), "after recovery");
}

#[test]
fn ca31_nobody_withdraws_what_another_allowed() {
    let here = here();
    let mut alice = here.person("ca31-alice");
    let form = asked(&mut alice);
    alice.submit(&form, &[]);
    let mut bob = here.person("ca31-bob");
    let orders = AUTHORIZE.replace("billing", "orders");
    let form = bob.follow(&orders).form("/consent/decision");
    bob.submit(&form, &[]);
    for client in ["billing", "nobody", "", "../billing"] {
        let place = format!("/me/withdraw?client={}", escape(client));
        assert_eq!(bob.open(&place).status, 404, "{client}");
    }
    let form = bob.open("/me/withdraw?client=orders").form("/me/withdraw");
    let foreign = bob.submit(&form, &[("client", "billing")]);
    assert_eq!(foreign.status, 404, "{foreign:?}");
    assert_eq!(
        (here.records("ca31-alice"), here.records("ca31-bob")),
        (1, 1)
    );
    // With alice's own form in bob's browser, too.
    let form_of_alice = alice
        .open("/me/withdraw?client=billing")
        .form("/me/withdraw");
    assert_eq!(bob.submit(&form_of_alice, &[]).status, 403);
    assert_eq!(bob.submit(&form, &[]).status, 200);
    assert_eq!(
        (here.records("ca31-alice"), here.records("ca31-bob")),
        (1, 0)
    );
}

#[test]
fn ca36_whatever_is_wrong_at_sign_in_is_answered_the_same() {
    let here = here();
    here.person("ca36-known");
    here.person("ca36-disabled");
    here.server.ok(&["subject", "disable", "ca36-disabled"]);
    here.server.ok(&["subject", "create", "ca36-without"]);
    let names = ["ca36-nobody", "ca36-known", "ca36-disabled", "ca36-without"];
    let wrong = "not the password of anybody";
    let answers = names.map(|name| {
        let mut browser = here.browser();
        let form = browser.open("/signin").form("/signin");
        let answer = browser.submit(&form, &[("username", name), ("password", wrong)]);
        assert_eq!(
            (answer.status, answer.header("set-cookie")),
            (401, None),
            "{name}"
        );
        let ticket = &form.fields[0].1;
        let headers: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| name != "date")
            .collect();
        let same = |text: &str| {
            text.replace(name, "NAME")
                .replace(ticket.as_str(), "TICKET")
        };
        same(&format!("{} {}", answer.body, headers.len()))
    });
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    // The right password of a disabled account is as wrong.
    here.server.wait_until("the change is in force", || {
        here.browser().sign_in("ca36-disabled", PASSWORD).status == 401
    });
    let disabled = here.browser().sign_in("ca36-disabled", PASSWORD);
    assert_eq!(disabled.status, 401);
    assert_eq!(here.browser().sign_in("ca36-known", PASSWORD).status, 200);
}

#[test]
fn ca37_who_guesses_is_slowed_down_and_nobody_else() {
    let limits = "behind_proxy = true\n[person]\n[limits]\naddress_failures_per_minute = 30";
    let here = Here::start(limits);
    here.person("alice");
    let from = |address: &str| {
        let mut browser = here.browser();
        let header = ("X-Forwarded-For".to_owned(), address.to_owned());
        browser.headers.push(header);
        browser
    };
    let mut guesser = from("198.51.100.1");
    let form = guesser.open("/signin").form("/signin");
    let mut statuses = BTreeSet::new();
    let (began, mut heard) = (SystemClock.now(), 0);
    for count in 0..1000 {
        let name = format!("name-{count}");
        let answer = guesser.submit(&form, &[("username", &name), ("password", "a guess")]);
        statuses.insert(answer.status);
        heard += i64::from(answer.status == 401);
        if count > 100 && answer.status != 401 {
            assert_eq!(answer.status, 429, "{count}: {answer:?}");
            assert!(answer.header("retry-after").is_some(), "{answer:?}");
            assert!(answer.body.contains("Wait a little"), "{answer:?}");
        }
        if count % 200 == 0 {
            let signed_in = from("203.0.113.7").sign_in("alice", PASSWORD);
            assert_eq!(signed_in.status, 200, "{signed_in:?}");
        }
    }
    assert_eq!(statuses, BTreeSet::from([401, 429]));
    // So many at once, and as many a minute.
    let seconds = SystemClock.now().seconds() - began.seconds() + 1;
    assert!(heard <= 31 + seconds / 2, "{heard} in {seconds} s");
    let right = guesser.submit(&form, &[("username", "alice"), ("password", PASSWORD)]);
    assert_eq!(right.status, 429, "not even the right one from there");
}

/// C097: a name has a budget of its own at an address, which no page that everybody is shown gives
/// back, nor credentials of a client beside it.
#[test]
fn c097_a_name_that_is_guessed_at_has_to_wait_and_others_at_the_address_do_not() {
    let limits = "behind_proxy = true\n[person]\n[limits]\nclient_failures_per_minute = 5";
    let here = Here::start(limits);
    for name in ["alice", "bob"] {
        here.person(name);
    }
    let mut browser = here.browser();
    let address = ("X-Forwarded-For".to_owned(), "198.51.100.2".to_owned());
    browser.headers.push(address);
    let form = browser.open("/signin").form("/signin");
    let statuses: Vec<_> = (0..12)
        .map(|_| {
            let guess = [("username", "alice"), ("password", "a guess of somebody")];
            let answer = browser.submit(&form, &guess);
            let basic = ("Authorization", "Basic YWxpY2U6eA==");
            assert_eq!(browser.send("GET", "/me", &[basic], "").status, 303);
            assert_eq!(browser.open("/signin").status, 200);
            answer.status
        })
        .collect();
    assert_eq!((statuses[0], statuses[11]), (401, 429), "{statuses:?}");
    assert_eq!(browser.sign_in("bob", PASSWORD).status, 200, "control");
}

/// C016: whatever a state holds, the way back is found.
#[test]
fn c016_the_longest_state_comes_back_to_the_letter() {
    let here = here();
    let mut browser = here.person("c016-alice");
    for (state, length) in [("%22", 2048), ("%25", 2048), ("x", 2048), ("%20", 2048)] {
        let asked = AUTHORIZE.replace("&state=abc", &format!("&state={}", state.repeat(length)));
        let page = browser.follow(&asked);
        let page = match page
            .forms()
            .iter()
            .any(|form| form.action == "/consent/decision")
        {
            true => {
                let form = page.form("/consent/decision");
                browser.submit(&form, &[("decision", "allow")])
            }
            false => page,
        };
        let back = page
            .leads_to()
            .or(page.header("location"))
            .unwrap_or_else(|| unreachable!("{state} leads nowhere: {page:?}"));
        let back = url::Url::parse(&back.replace("&amp;", "&")).expect("a URL");
        let told = back.query_pairs().find(|(name, _)| name == "state");
        let sent = match state {
            "%22" => "\"",
            "%25" => "%",
            "%20" => " ",
            plain => plain,
        };
        assert_eq!(told.expect("a state").1, sent.repeat(length), "{state}");
    }
}

/// C093: who sets a password ends the sessions that others began.
#[test]
fn c093_another_password_ends_all_other_sessions() {
    let here = here();
    let name = "c093-alice";
    let mut before = here.person(name);
    assert_eq!(before.open("/me").status, 200);
    let link = here.invitation(name, &[]);
    let mut after = here.browser();
    after.accept(&link, "another battery of horses");
    assert_eq!(before.open("/me").status, 303, "to the sign-in page");
    assert_eq!(after.open("/me").status, 200, "control");
}

/// CA47: by direct POST from a page that was open before.
#[test]
fn ca47_who_proved_it_too_long_ago_changes_no_way_to_sign_in() {
    let clock = Clock::new().expect("a compiler");
    let here = Here::at(Server::start_under(&clock, "[person]"));
    let mut alice = here.person("alice");
    let form = alice.open("/me/signin").form("/me/signin");
    clock.set(360);
    for fields in [
        &[("do", "password"), ("password", OTHER)][..],
        &[("do", "passkey"), ("name", "mine"), ("credential", "{}")],
        &[("do", "remove"), ("passkey", "AAAA")],
        &[("do", "end")],
    ] {
        let asked = alice.submit(&form, fields);
        assert!(
            asked.body.contains("<h1>Confirm it is you</h1>"),
            "{fields:?}: {asked:?}"
        );
    }
    assert_eq!(here.browser().sign_in("alice", OTHER).status, 401);
    // The control: with a proof of now.
    let change = [("do", "password"), ("password", OTHER)];
    let anew = alice.submit(&form, &change).form("/signin");
    let page = alice.submit(&anew, &[("username", "alice"), ("password", PASSWORD)]);
    let set = alice.submit(&page.form("/me/signin"), &change);
    assert!(set.body.contains("Your password is set"), "{set:?}");
    assert_eq!(here.browser().sign_in("alice", OTHER).status, 200);
}

/// CA48: a browser is to keep no page, and what it is known by opens none any more.
#[test]
fn ca48_after_signing_out_nothing_private_is_shown() {
    let here = here();
    let name = "ca48-alice";
    let mut alice = here.person(name);
    let mut before = alice.clone();
    let form = alice.open("/me/signin").form("/me/signin");
    let paths = ["/me", "/me/activity", "/me/signin", "/me/not-me", CONSENT];
    for path in paths {
        let page = before.open(path);
        assert_eq!(page.status, 200, "{path}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
    }
    let out = alice.open("/signout").form("/signout");
    alice.submit(&out, &[]);
    for mut browser in [alice, before] {
        for path in paths {
            let page = browser.clone().open(path);
            assert_eq!((page.status, &*page.body), (303, ""), "{path}");
        }
        let sent = browser.submit(&form, &[("do", "password"), ("password", OTHER)]);
        assert_eq!(sent.status, 403, "{sent:?}");
        assert!(!sent.body.contains(name), "{sent:?}");
    }
}

/// CA08, CA10: whatever a kill cuts off, a code gives one token at most; one that was not redeemed
/// works after the restart.
#[test]
fn ca08_a_code_is_redeemed_once_at_most_through_a_kill() {
    let mut here = Here::start("[person]");
    here.person("alice");
    for round in 0..4 {
        let code = |here: &Here| {
            let mut browser = here.browser();
            browser.sign_in("alice", PASSWORD);
            let page = browser.follow(AUTHORIZE);
            let is_consent = |form: &Form| form.action == "/consent/decision";
            match page.forms().iter().find(|form| is_consent(form)) {
                Some(form) => browser.submit(form, &[("decision", "allow")]),
                None => page,
            }
        };
        let (used, unused) = (code(&here), code(&here));
        let answered = thread::scope(|scope| {
            let (told, first) = mpsc::channel();
            let here = &here;
            let redeeming: Vec<_> = (0..24)
                .map(|_| {
                    let (told, used) = (told.clone(), &used);
                    scope.spawn(move || {
                        let answer = panic::catch_unwind(|| here.redeem(used).status);
                        let _ = told.send(());
                        answer.unwrap_or(0)
                    })
                })
                .collect();
            if round % 2 == 1 {
                first.recv().expect("an answer");
            }
            here.server.signal("KILL");
            let answers = redeeming
                .into_iter()
                .map(|each| each.join().expect("ended"));
            answers.filter(|status| *status == 200).count()
        });
        here.server = here.server.kill_and_restart();
        let again = here.redeem(&used).status;
        let successes = answered + usize::from(again == 200);
        assert!(successes <= 1, "round {round}: {successes}");
        assert_eq!(here.redeem(&used).status, 400, "round {round}");
        assert_eq!(here.redeem(&unused).status, 200, "control, round {round}");
    }
}

/// C099, C055: also of somebody who has the name later.
#[test]
fn c099_the_session_of_somebody_disabled_or_deleted_is_nobodys() {
    let here = here();
    let (name, mut other) = ("c099-alice", here.person("c099-bob"));
    let mut browser = here.person(name);
    let mut is_in = |status: u16| browser.open("/me").status == status;
    assert!(is_in(200));
    here.server.ok(&["subject", "disable", name]);
    here.server.wait_until("disabled", || is_in(303));
    here.server.ok(&["subject", "enable", name]);
    here.server.wait_until("enabled", || is_in(200));
    here.server.ok(&["subject", "delete", name]);
    here.server.wait_until("deleted", || is_in(303));
    here.server.ok(&["subject", "create", name]);
    let invitation = here.invitation(name, &[]);
    // The server learns within a second that the name is another subject's now.
    let is_known = || here.browser().open(&invitation).status == 200;
    here.server.wait_until("created anew", is_known);
    here.browser().accept(&invitation, PASSWORD);
    assert!(is_in(303), "the session of the one before");
    assert_eq!(other.open("/me").status, 200, "control");
}

#[test]
fn ca39_what_is_no_password_is_refused_and_costs_no_more() {
    let here = here();
    let name = "ca39-alice";
    here.server.ok(&["subject", "create", name]);
    // e with an acute accent, composed; and as two characters.
    let (composed, decomposed) = (
        "caf\u{e9} au lait, s'il vous pla\u{ee}t",
        "cafe\u{301} au lait, s'il vous plai\u{302}t",
    );
    here.browser().accept(&here.invitation(name, &[]), composed);
    let longest = "x".repeat(1025);
    let with_nul = format!("{composed}\0");
    for wrong in [
        longest.as_str(),
        &with_nul,
        "",
        " ",
        &composed.to_uppercase(),
    ] {
        let answer = here.browser().sign_in(name, wrong);
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let mut browser = here.browser();
    let form = browser.open("/signin").form("/signin");
    let ticket = &form.fields[0].1;
    let origin = [("Origin", here.server.issuer.as_str())];
    for (body, refusals) in [
        (
            format!(
                "t={ticket}&username={name}&password={}",
                "x".repeat(1 << 20)
            ),
            [413, 413],
        ),
        (
            format!("t={ticket}&username={name}&password=%zz"),
            [400, 400],
        ),
        (
            format!("t={ticket}&username={name}&password=%ff"),
            [400, 400],
        ),
        (
            format!("t={ticket}&username={name}&password=a&password=b"),
            [400, 400],
        ),
    ] {
        let answer = browser.send("POST", "/signin", &origin, &body);
        assert!(refusals.contains(&answer.status), "{answer:?}");
    }
    for right in [composed, decomposed] {
        assert_eq!(here.browser().sign_in(name, right).status, 200, "{right:?}");
    }
}

#[test]
fn ca45_an_invitation_is_the_newest_and_works_once() {
    let here = here();
    let name = "ca45-alice";
    here.server.ok(&["subject", "create", name]);
    let older = here.invitation(name, &[]);
    let link = here.invitation(name, &[]);
    let mut browser = here.browser();
    for _ in 0..100 {
        let page = browser.open(&link);
        assert_eq!(
            (page.status, page.header("referrer-policy")),
            (200, Some("same-origin"))
        );
        assert!(
            !page.body.contains("http://") && !page.body.contains("https://"),
            "{page:?}"
        );
    }
    let form = browser.open(&link).form("/invitation");
    let refused = |token_of: &str, row: &str| {
        let (_, token) = token_of.split_once("token=").expect("a token");
        let mut browser = browser.clone();
        let answer = browser.submit(&form, &[("token", token), ("password", PASSWORD)]);
        assert_eq!(answer.status, 400, "{row}: {answer:?}");
        assert_eq!(browser.open(token_of).status, 400, "{row}");
    };
    refused(&older, "older than the newest");
    here.server.ok(&["subject", "disable", name]);
    let opens = |status: u16| browser.clone().open(&link).status == status;
    here.server.wait_until("disabled", || opens(400));
    refused(&link, "of somebody disabled");
    here.server.ok(&["subject", "enable", name]);
    here.server.wait_until("enabled", || opens(200));
    assert_eq!(
        here.browser().sign_in(name, PASSWORD).status,
        401,
        "nothing was set"
    );
    browser.clone().accept(&link, PASSWORD);
    refused(&link, "a second time");
    assert_eq!(here.browser().sign_in(name, PASSWORD).status, 200);
}

#[test]
fn ca49_m161_markup_is_text_wherever_it_comes_from() {
    let here = Here::start("[person]");
    let markup = "\"><svg onload=alert(1)><script>alert(2)</script>{{7*7}}";
    let escaped = "&lt;svg onload=alert(1)&gt;&lt;script&gt;alert(2)&lt;/script&gt;{{7*7}}";
    here.server.ok(&["scope", "set", "markup", "--en", markup]);
    let shown = [
        "--scope",
        "markup",
        "--display-name",
        markup,
        "--description",
        markup,
    ];
    here.server
        .ok(&[&["client", "update", "billing"], &shown[..]].concat());
    let mut alice = here.person("alice");
    let request = AUTHORIZE.replace("invoices%3Aread", "markup");
    let hint = escape(markup);
    let request = request.replace("state=abc", &format!("state={hint}&login_hint={hint}"));
    let sign_in = here.browser().follow(&request);
    let consent = alice.follow(&request);
    let handed_over = alice.submit(&consent.form("/consent/decision"), &[]);
    let own = alice.open("/me");
    let withdraw = alice.open("/me/withdraw?client=billing");
    let done = alice.submit(&withdraw.form("/me/withdraw"), &[]);
    let unknown = alice.open(&format!("/consent?client_id={hint}&scope={hint}"));
    let misled = alice.open(&format!("/authorize?client_id={hint}&redirect_uri={hint}"));
    let named = here.browser().sign_in(markup, PASSWORD);
    for page in [&sign_in, &consent, &own, &withdraw, &done, &named] {
        assert!(page.body.contains(escaped), "{page:?}");
    }
    for page in [
        sign_in,
        consent,
        handed_over,
        own,
        withdraw,
        done,
        unknown,
        misled,
        named,
    ] {
        for tag in [
            "<script>",
            "<svg",
            "onload=alert(1)>",
            ">49<",
            "javascript:",
        ] {
            assert!(!page.body.contains(tag), "{tag}: {page:?}");
        }
        assert!(page.header("content-security-policy").is_some(), "{page:?}");
    }
    for homepage in [
        "javascript:alert(1)",
        "http://app.example",
        "https://a.example/\"><svg>",
    ] {
        let update = ["client", "update", "billing", "--homepage", homepage];
        let taken = here.server.run(&update);
        let page = alice.follow(&request);
        let is_text = !page.body.contains("javascript:") && !page.body.contains("<svg");
        assert!(is_text, "{homepage}: {} {page:?}", taken.stderr);
    }
}

#[test]
fn ca51_m163_no_parameter_leads_elsewhere() {
    let here = here();
    let mut alice = here.person("ca51-alice");
    let evil = [
        "//evil.example",
        "/%5Cevil.example",
        "https%3A%2F%2Fevil.example%2F",
    ];
    let names = [
        "return_to",
        "next",
        "redirect",
        "redirect_uri",
        "url",
        "continue",
        "rd",
    ];
    let paths = [
        "/signin",
        "/signout",
        "/me",
        "/me/withdraw?client=billing",
        "/invitation",
        "/handover",
        "/consent?client_id=billing",
        AUTHORIZE,
    ];
    for path in paths {
        let plain = (alice.open(path).status, here.browser().open(path).status);
        for name in names
            .iter()
            .filter(|name| !path.contains(&format!("{name}=")))
        {
            for evil in evil {
                let joint = if path.contains('?') { '&' } else { '?' };
                let link = format!("{path}{joint}{name}={evil}");
                let mut stranger = here.browser();
                let answers = [alice.open(&link), stranger.open(&link)];
                for answer in &answers {
                    let text = format!("{:?}{}", answer.headers, answer.body);
                    assert!(!text.contains("evil.example"), "{link}: {answer:?}");
                }
                let statuses = (answers[0].status, answers[1].status);
                assert_eq!(statuses, plain, "{link}");
            }
        }
    }
    // The ticket of one page at another.
    let consent = asked(&mut alice).fields[0].1.clone();
    let sign_out = alice.open("/signout").form("/signout").fields[0].1.clone();
    for ticket in [&consent, &sign_out] {
        for page in ["signin", "handover"] {
            let answer = alice.open(&format!("/{page}?t={ticket}"));
            assert_eq!(
                (answer.status, answer.leads_to()),
                (403, None),
                "{page}: {answer:?}"
            );
        }
    }
    let form = asked(&mut alice);
    let to_client = alice.submit(&form, &[("next", "//evil.example")]);
    assert!(
        to_client
            .leads_to()
            .is_some_and(|url| url.starts_with(CALLBACK))
    );
}

#[test]
fn ca58_nothing_that_opens_something_is_kept_or_logged() {
    let here = Here::start("[person]");
    let secret_password = "a password that is nowhere else";
    here.server.ok(&["subject", "create", "alice"]);
    let link = here.invitation("alice", &[]);
    let (_, invitation) = link.split_once("token=").expect("a token");
    let mut alice = here.browser();
    let mut kept = vec![
        invitation.to_owned(),
        secret_password.to_owned(),
        VERIFIER.to_owned(),
    ];
    let page = alice.open(&link);
    kept.extend(
        page.form("/invitation")
            .fields
            .into_iter()
            .filter(|field| field.0 == "t")
            .map(|field| field.1),
    );
    let before = alice.cookie.clone();
    let set = alice.submit(&page.form("/invitation"), &[("password", secret_password)]);
    assert_eq!(set.status, 200, "{set:?}");
    let mut other = here.browser();
    let sign_in = other.follow(AUTHORIZE).form("/signin");
    kept.push(sign_in.fields[0].1.clone());
    other.submit(
        &sign_in,
        &[
            ("username", "alice"),
            ("password", "a wrong password, typed"),
        ],
    );
    kept.push("a wrong password, typed".to_owned());
    let form = asked(&mut alice);
    kept.push(form.fields[0].1.clone());
    let handed_over = alice.submit(&form, &[]);
    let code = parameter(&handed_over, "code");
    let token = here.redeem(&handed_over);
    let token = token.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    // A second use, and what stands where it does not belong.
    assert_eq!(here.redeem(&handed_over).status, 400);
    alice.open(&format!("/signin?t={code}"));
    alice.open(&format!("/invitation?token={code}"));
    here.browser().sign_in(&code, &code);
    let cookies = [before, alice.cookie.clone(), other.cookie.clone()];
    let cookies = cookies.into_iter().flatten();
    kept.extend(cookies.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned())));
    kept.extend([code, here.secret.clone()]);
    kept.extend(token.split('.').next_back().map(str::to_owned));
    let decisions = here.server.ok(&["decisions", "list", "--json"]);
    let log = Value::from(here.server.log()).to_string();
    let changes = here.server.ok(&["permission", "list", "--json"]);
    let files = stored(&here.server.data());
    for credential in kept {
        assert!(credential.len() >= 20, "{credential}");
        for (place, text) in [("decisions", &decisions), ("log", &log), ("list", &changes)] {
            assert!(
                !text.contains(&credential),
                "{credential} is in the {place}"
            );
        }
        let octets = credential.as_bytes();
        let is_there = files.windows(octets.len()).any(|window| window == octets);
        assert!(!is_there, "{credential} is in the database");
    }
    // The controls: what may be there is found.
    assert!(decisions.contains("alice") && log.contains("alice") && changes.contains("alice"));
    assert!(files.windows(7).any(|window| window == b"billing"));
}

/// C020. What is recorded of decisions has a bound of its own, and what only waits is no decision.
#[test]
fn ca59_ten_thousand_strangers_leave_nothing() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let here = Here::start("[person]");
    let rows = || {
        let file = here.server.data().join("grantor.db");
        let database = Connection::open(file).expect("a database");
        // Requests are counted by the minute, which is bounded by itself (M084).
        let text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'statistic'";
        let mut tables = database.prepare(text).expect("a statement");
        let names = tables.query_map([], |row| row.get::<_, String>(0));
        let counts = names.expect("names").map(|name| {
            let count = format!("SELECT count(*) FROM \"{}\"", name.expect("a name"));
            let counted = database.query_row(&count, [], |row| row.get::<_, i64>(0));
            counted.expect("a count")
        });
        let rows = counts.sum::<i64>();
        let size = database.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0));
        (rows, size.expect("a size"))
    };
    let paths = [
        AUTHORIZE,
        "/signin",
        CONSENT,
        "/me",
        "/me/withdraw?client=billing",
    ];
    for path in paths {
        here.browser().open(path);
    }
    let before = rows();
    for count in 0..10_000 {
        let path = paths[count % paths.len()];
        let answer = here.browser().open(path);
        assert!([200, 303].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(rows(), before);
    // The control: what is written shows.
    here.server.ok(&["subject", "create", "somebody"]);
    assert!(rows() > before);
}

/// M160, on each page that there is: their paths are read where they are given.
#[test]
fn m160_every_page_has_its_headers_whatever_is_asked() {
    let here = here();
    let mut alice = here.person("m160-alice");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = BTreeSet::from(["/authorize".to_owned(), "/consent".to_owned()]);
    let files = fs::read_dir(source.join("src/pages")).expect("a directory");
    let files = files.map(|file| file.expect("an entry").path());
    for file in files.filter(|file| file.is_file()) {
        let text = fs::read_to_string(file).expect("a source");
        let routes = text.split("Path::Suffix(\"").skip(1);
        paths.extend(routes.filter_map(|rest| Some(format!("/{}", rest.split_once('"')?.0))));
    }
    // Those that people and operators have alike.
    paths.extend(
        [
            "/signin",
            "/signin/passkey",
            "/signin/passkey/options",
            "/signout",
            "/invitation",
            "/invitation/passkey",
            "/invitation/passkey/options",
            "/me/signin",
            "/me/signin/options",
            "/me/not-me",
        ]
        .map(str::to_owned),
    );
    for path in [
        "/handover",
        "/invitation",
        "/me",
        "/me/withdraw",
        "/signin",
        "/signout",
    ] {
        assert!(paths.contains(path), "{path}: {paths:?}");
    }
    let handed_over = {
        let form = asked(&mut alice);
        alice.submit(&form, &[])
    };
    let style = alice.open("/me").body;
    let (_, style) = style
        .split_once("stylesheet\" href=\"")
        .expect("a style sheet");
    let style = style.split('"').next().expect("a path").to_owned();
    let mut answers = vec![("handover".to_owned(), handed_over)];
    paths.extend([AUTHORIZE.to_owned(), CONSENT.to_owned(), style.clone()]);
    paths.insert("/me/withdraw?client=billing".to_owned());
    paths.insert("/consent/decision".to_owned());
    for path in &paths {
        for mut browser in [alice.clone(), here.browser()] {
            answers.push((format!("GET {path}"), browser.open(path)));
            if *path != style
                && path.as_str() != "/me"
                && !path.starts_with("/authorize")
                && path != "/handover"
                && path != "/me/activity"
            {
                let sent = browser.send("POST", path, &[], "t=x");
                answers.push((format!("POST {path}"), sent));
            }
        }
    }
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let passkeys = "publickey-credentials-get=(self), publickey-credentials-create=(self)";
    for (row, answer) in &answers {
        let leaves = answer
            .header("location")
            .is_some_and(|place| place.starts_with(CALLBACK));
        if leaves {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{row}");
            continue;
        }
        assert!(
            answer.status < 500 && answer.status != 404 || row.contains("withdraw"),
            "{row}: {answer:?}"
        );
        for (name, value) in [
            ("content-security-policy", policy),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", passkeys),
        ] {
            assert_eq!(
                answer.header(name),
                Some(value),
                "{row}: {name} in {answer:?}"
            );
        }
        let is_style = row.ends_with(&style);
        let stored = answer.header("cache-control");
        let kept = stored.is_some_and(|stored| stored.contains("immutable"));
        assert_eq!(
            (kept, stored == Some("no-store")),
            (is_style, !is_style),
            "{row}: {stored:?}"
        );
        let own = row.contains("/me") && answer.status == 200;
        let apart = answer.header("cross-origin-opener-policy");
        assert_eq!(apart, own.then_some("same-origin"), "{row}");
        assert!(
            !answer.body.contains("<script>") && !answer.body.contains(" style="),
            "{row}"
        );
    }
}
