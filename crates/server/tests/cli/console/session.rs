//! Sessions of the console: when they end, what is asked for anew, and what becomes of a form that
//! was open meanwhile.

use grantor_testkit::binary::{
    Answer, Server,
    browser::{Browser, Form},
    clock::Clock,
    console::Console,
};

const PASSWORD: &str = "correct horse battery staple";
const OTHER: &str = "a quite different sentence";

/// An owner at the console, who has a password.
pub fn owner(server: &Server) -> Console<'_> {
    let mut console = server.console();
    let set = console.submit("/account/password", &[("password", PASSWORD)]);
    assert!(set.body.contains("✓ Your password is set"), "{set:?}");
    console
}

fn is_sign_in(page: &Answer) -> bool {
    page.status == 200 && page.body.contains("<h1>Sign in</h1>")
}

fn is_anew(page: &Answer) -> bool {
    page.status == 200 && page.body.contains("<h1>Confirm it is you</h1>")
}

/// Sends the sign-in form of a page.
pub fn sign_in(console: &mut Console<'_>, page: &Answer) -> Answer {
    let form = page.form("/console/signin");
    let values = [("username", "admin"), ("password", PASSWORD)];
    console.browser.submit(&form, &values)
}

#[test]
fn ma22_after_signing_out_in_another_tab_the_next_click_is_the_sign_in_page() {
    let server = Server::start();
    let mut console = server.console();
    assert!(!is_sign_in(&console.page("/clients")));
    let mut tab = console.clone();
    let form = tab.page("/clients").form("/console/signout");
    tab.browser.submit(&form, &[]);
    assert!(is_sign_in(&console.open("/clients")));
    assert!(is_sign_in(&tab.open("/clients")));
}

#[test]
fn ma22_m110_after_the_role_was_taken_or_the_subject_disabled_it_is_the_sign_in_page() {
    let server = Server::start();
    let mut bystander = server.console();
    for (name, command) in [
        ("olga", ["operator", "delete", "olga"]),
        ("otto", ["subject", "disable", "otto"]),
    ] {
        let mut console = server.console_as(name, "editor");
        assert!(!is_sign_in(&console.page("/clients")), "{name}");
        server.ok(&command);
        server.wait_until(name, || is_sign_in(&console.open("/clients")));
        assert!(is_sign_in(&console.open("/console/signin")), "{name}");
    }
    // The control: somebody else goes on.
    assert!(!is_sign_in(&bystander.page("/clients")));
}

#[test]
fn ma22_a_restart_ends_no_session_and_half_an_hour_without_a_click_does() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    let cookie = server.console().browser.cookie;
    let server = clock.restart(server);
    let mut console = Console {
        browser: Browser::new(&server),
    };
    console.browser.cookie = cookie;
    assert!(!is_sign_in(&console.page("/clients")));
    for (minutes, goes_on) in [(29, true), (58, true), (89, false)] {
        clock.set(minutes * 60);
        assert_eq!(!is_sign_in(&console.open("/clients")), goes_on, "{minutes}");
    }
}

#[test]
fn m110_m120_a_page_that_renews_itself_keeps_no_session_alive() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    for (destination, goes_on) in [("empty", false), ("document", true)] {
        clock.set(0);
        let mut console = server.console();
        let dest = ("Sec-Fetch-Dest".to_owned(), destination.to_owned());
        console.browser.headers.push(dest);
        for minutes in [10, 20, 29] {
            clock.set(minutes * 60);
            assert!(
                !is_sign_in(&console.open("/clients")),
                "{destination} {minutes}"
            );
        }
        clock.set(31 * 60);
        console.browser.headers.clear();
        assert_eq!(
            !is_sign_in(&console.open("/clients")),
            goes_on,
            "{destination}"
        );
    }
}

#[test]
fn m110_a_session_ends_after_twelve_hours_whatever_is_done_in_it() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    let mut console = server.console();
    for quarters in 1..48 {
        clock.set(quarters * 900);
        assert!(!is_sign_in(&console.open("/clients")), "{quarters}");
    }
    clock.set(48 * 900 + 1);
    assert!(is_sign_in(&console.open("/clients")));
}

#[test]
fn m111_a_form_that_is_sent_after_the_sessions_end_comes_back_filled_in() {
    let server = Server::start();
    server.client("billing", &["--generate-key"]);
    let mut console = owner(&server);
    let mut tab = console.clone();
    let form = console.form("/clients/billing/switch");
    let password = console.form("/account/password");
    let out = tab.page("/clients").form("/console/signout");
    tab.browser.submit(&out, &[]);
    let asked = console.browser.submit(&form, &[("reason", "it leaks")]);
    assert!(is_sign_in(&asked), "{asked:?}");
    let back = sign_in(&mut console, &asked);
    assert_eq!(back.status, 200);
    assert!(back.body.contains("You had been signed out"), "{back:?}");
    assert!(back.body.contains("value=\"it leaks\""), "{back:?}");
    let shown = server.ok(&["client", "show", "billing", "--json"]);
    assert!(shown.contains("\"enabled\":true"), "{shown}");
    // It is as good as any other form.
    let sent = console.browser.submit(&back.filled(&form.action), &[]);
    assert!(sent.body.contains("is disabled"), "{sent:?}");
    // The control: what is secret does not come back.
    let out = console.page("/clients").form("/console/signout");
    console.browser.submit(&out, &[]);
    let asked = console.browser.submit(&password, &[("password", OTHER)]);
    let back = sign_in(&mut console, &asked);
    assert!(back.body.contains("name=\"password\""), "{back:?}");
    assert!(!back.body.contains(OTHER), "{back:?}");
}

#[test]
fn ma24_what_is_grave_needs_a_proof_that_is_fresh() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    let mut console = owner(&server);
    let early = console.form("/account/password");
    clock.set(360);
    // Looking at it, and sending what was open before.
    assert!(is_anew(&console.open("/account/password")));
    let asked = console.browser.submit(&early, &[("password", OTHER)]);
    assert!(is_anew(&asked), "{asked:?}");
    // Nobody else can prove it.
    server.ok(&["operator", "create", "olga", "--role", "owner"]);
    let form = asked.form("/console/signin");
    let values = [("username", "olga"), ("password", PASSWORD)];
    assert_eq!(console.browser.submit(&form, &values).status, 401);
    // The control: what is not grave is done as before.
    assert_eq!(console.page("/clients").status, 200);
    let back = sign_in(&mut console, &asked);
    let form = back.filled("/console/account/password");
    let set = console.browser.submit(&form, &[("password", OTHER)]);
    assert!(set.body.contains("✓ Your password is set"), "{set:?}");
}

#[test]
fn ma21_ma24_a_form_that_skips_its_page_does_nothing() {
    let server = Server::start();
    server.client("billing", &["--generate-key"]);
    let mut console = owner(&server);
    let mut other = server.console_as("olga", "owner");
    let form = console.form("/account/password");
    let without = |name: &str| {
        let mut form = form.clone();
        form.fields.retain(|(field, _)| field != name);
        form
    };
    let ticket_of = |form: &Form| {
        let ticket = form.fields.iter().find(|(name, _)| name == "t");
        ticket.expect("a ticket").1.clone()
    };
    let elsewhere = ticket_of(&console.form("/clients/billing/switch"));
    let of_another = ticket_of(&other.form("/account/password"));
    let twice = format!("{}&t={}", ticket_of(&form), ticket_of(&form));
    let refused = [
        console
            .browser
            .submit(&without("t"), &[("password", OTHER)]),
        console
            .browser
            .submit(&form, &[("t", &elsewhere), ("password", OTHER)]),
        console
            .browser
            .submit(&form, &[("t", &of_another), ("password", OTHER)]),
        console
            .browser
            .submit(&form, &[("t", &twice), ("password", OTHER)]),
        console.browser.submit_as(
            &form,
            &[("password", OTHER)],
            &[("Origin", "https://evil.example")],
        ),
        console
            .browser
            .submit_as(&form, &[("password", OTHER)], &[]),
        console.browser.send(
            "POST",
            "/console/account",
            &[("Origin", &server.issuer)],
            "",
        ),
    ];
    let statuses: Vec<_> = refused.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [403, 403, 403, 403, 403, 403, 405], "{refused:?}");
    for answer in &refused {
        assert!(!answer.body.contains(OTHER), "{answer:?}");
    }
    let asked = console.open(&format!("/account/password?password={OTHER}").replace(' ', "+"));
    assert!(!asked.body.contains(OTHER), "{asked:?}");
    let (_, signed_in) = by_password(&server, OTHER);
    assert_eq!(signed_in.status, 401);
    // The control: the ticket of its own page.
    console.browser.submit(&form, &[("password", OTHER)]);
    assert_eq!(by_password(&server, OTHER).1.status, 303);
}

fn by_password<'s>(server: &'s Server, password: &str) -> (Browser<'s>, Answer) {
    let mut browser = Browser::new(server);
    let form = browser.open("/console/signin").form("/console/signin");
    let values = [("username", "admin"), ("password", password)];
    let answer = browser.submit_as(&form, &values, &[("Origin", &server.issuer)]);
    (browser, answer)
}

#[test]
fn m187_a_form_that_was_open_too_long_comes_back_filled_in_and_is_not_done() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    server.client("billing", &["--generate-key"]);
    let mut console = server.console();
    let form = console.form("/clients/billing/switch");
    clock.set(16 * 60);
    let refused = console.browser.submit(&form, &[("reason", "it leaks")]);
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(
        refused.body.contains("This page was open too long"),
        "{refused:?}"
    );
    assert!(refused.body.contains("value=\"it leaks\""), "{refused:?}");
    let sent = console.browser.submit(&refused.filled(&form.action), &[]);
    assert!(sent.body.contains("is disabled"), "{sent:?}");
}

#[test]
fn ma21_a_strangers_link_fills_in_no_form() {
    let server = Server::start();
    server.client("billing", &["--generate-key", "--display-name", "Billing"]);
    server.ok(&["subject", "create", "alice"]);
    let mut console = server.console();
    let plain = console.form("/clients/billing/edit");
    let evil = "https%3A%2F%2Fevil.example%2Fkeys";
    for query in [
        format!("jwks_uri={evil}"),
        "client_name=Evil".to_owned(),
        "reason=x".to_owned(),
        format!("reason=x&jwks_uri={evil}&override=true"),
    ] {
        let filled = console.page(&format!("/clients/billing/edit?{query}"));
        let values = |form: Form| {
            let fields = form.fields.into_iter();
            fields.filter(|(name, _)| name != "t").collect::<Vec<_>>()
        };
        let form = filled.filled("/console/clients/billing/edit");
        assert_eq!(values(form), values(plain.clone()), "{query}");
    }
    let role = console.form("/operators/new?role=owner&id=mallory");
    assert!(!role.fields.iter().any(|(_, value)| value == "mallory"));
    // The control: links of our own pages name the client and the subject of a permission.
    let own = console.form("/permissions/new?client=billing&subject=alice&scope=read");
    let value = |name: &str| own.fields.iter().find(|(field, _)| field == name);
    let is = |name: &str, expected: &str| value(name).is_some_and(|(_, value)| value == expected);
    assert!(is("client", "billing") && is("subject", "alice"), "{own:?}");
    assert!(is("scope", ""), "{own:?}");
}

#[test]
fn m114_a_reason_that_can_be_none_is_said_at_its_field_and_nothing_is_lost() {
    let server = Server::start();
    server.client("billing", &["--generate-key"]);
    let mut console = server.console();
    let form = console.form("/clients/billing/edit");
    let long = "x".repeat(257);
    let typed = [("client_name", "Billing 2"), ("reason", long.as_str())];
    let refused = console.browser.submit(&form, &typed);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("id=\"reason-fault\""), "{refused:?}");
    let again = refused.filled(&form.action);
    assert!(
        again
            .fields
            .contains(&("client_name".into(), "Billing 2".into()))
    );
    assert!(again.fields.contains(&("reason".into(), long)));
    // The control: a shorter one.
    let sent = console
        .browser
        .submit(&again, &[("reason", "it was bought")]);
    assert!(sent.body.contains("Billing 2"), "{sent:?}");
}
