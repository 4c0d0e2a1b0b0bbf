//! The first page: is anything wrong?

use grantor_testkit::binary::console::{Console, text};
use serde_json::Value;

use crate::support::{JWT_BEARER, Server};

/// What stands in the card about what needs attention.
fn attention(console: &mut Console<'_>) -> String {
    let page = console.page("");
    let (_, rest) = page.body.split_once("id=\"attention\"").expect("the card");
    text(rest.split("</section>").next().unwrap_or_default())
}

#[test]
fn m120_nothing_is_wrong_is_said_at_first_sight() {
    let server = Server::start();
    let mut console = server.console();
    let shown = attention(&mut console);
    assert!(shown.contains("✓ Nothing is wrong"), "{shown}");
    assert!(shown.contains("No clients yet."), "{shown}");
    server.client("billing", &["--generate-key"]);
    let shown = attention(&mut console);
    assert!(shown.contains("✓ Nothing is wrong"), "{shown}");
    assert!(!shown.contains("No clients yet."), "{shown}");

    let page = console.page("");
    for part in ["attention", "requests-card", "rules-card", "ends-card"] {
        let live = format!("id=\"{part}\"");
        let (_, rest) = page.body.split_once(&live).expect(part);
        let tag = rest.split('>').next().unwrap_or_default();
        assert!(tag.contains("data-live"), "{part}");
    }
    assert_eq!(page.body.matches("role=\"img\"").count(), 2);
    for time in ["day", "month"] {
        let page = console.page(&format!("?time={time}"));
        let here = format!("time={time}\" aria-current=\"true\"");
        assert!(page.body.contains(&here), "{page:?}");
    }
    assert_eq!(console.open("?time=year").status, 400);
}

#[test]
fn m120_what_ends_is_told_where_nothing_is_left_then_and_what_can_be_done() {
    let server = Server::start();
    server.client("lonely", &["--generate-key", "--key-lifetime", "9d"]);
    server.client("paired", &["--generate-key", "--key-lifetime", "5d"]);
    let next = ["client", "add-key", "paired", "--generate-key"];
    server.ok(&[&next[..], &["--out", "paired-2.json"]].concat());
    server.client("later", &["--generate-key", "--key-lifetime", "60d"]);
    server.client("gone", &["--generate-key", "--key-lifetime", "3d"]);
    server.ok(&["client", "disable", "gone"]);
    let mut console = server.console();
    let shown = attention(&mut console);
    assert!(
        shown.contains("! Ends in 9 days The only key of lonely. Add its next key"),
        "{shown}"
    );
    // The control: a key without an end stays, and one that is far away is no news.
    for other in ["paired", "later", "gone"] {
        assert!(!shown.contains(other), "{other}: {shown}");
    }
    let page = console.page("");
    let next = "href=\"/console/clients/lonely/keys/new\"";
    assert!(page.body.contains(next), "{page:?}");
    let all = "/console/clients?ends_within=30";
    assert!(page.body.contains(&format!("href=\"{all}\"")), "{page:?}");
    let all = console.page(all);
    assert!(
        all.body.contains("lonely") && !all.body.contains("later"),
        "{all:?}"
    );
    let (_, ends) = page.body.split_once("id=\"ends-card\"").expect("the card");
    let ends = ends.split("</section>").next().unwrap_or_default();
    let place = |name: &str| ends.find(name);
    assert!(
        place("paired") < place("lonely") && place("lonely").is_some(),
        "{ends}"
    );
    assert!(
        place("later").is_none() && place("gone").is_none(),
        "{ends}"
    );

    let mut reader = server.console_as("rita", "reader");
    let shown = attention(&mut reader);
    assert!(
        shown.contains("The only key of lonely. Look at the client"),
        "{shown}"
    );
}

#[test]
fn m120_what_is_refused_again_and_again_is_told_with_its_party_and_rule() {
    let server = Server::start();
    let key = server.client("partner-a", &["--generate-key"]);
    let mint = |aud: &str| {
        let key = key.to_string_lossy();
        let arguments = ["assertion", "mint", "--key", &key, "--aud", aud];
        server.ok(&arguments).trim().to_owned()
    };
    let mut console = server.console();
    for number in 1..=12 {
        let jwt = mint("https://other.example");
        let sent = server.token(&[("grant_type", JWT_BEARER), ("assertion", &jwt)]);
        assert_eq!(sent.error(), "invalid_grant");
        if number == 9 {
            server.wait_until("all are on record", || {
                console
                    .page("/decisions?refused=true")
                    .body
                    .matches(">9<")
                    .count()
                    > 0
            });
            let shown = attention(&mut console);
            assert!(!shown.contains("partner-a"), "so few are usual: {shown}");
        }
    }
    server.wait_until("it is told", || {
        attention(&mut console).contains("partner-a")
    });
    let shown = attention(&mut console);
    assert!(
        shown.contains("partner-a is refused for aud since"),
        "{shown}"
    );
    let page = console.page("");
    let link = "/console/decisions?refused=true&amp;party=partner-a&amp;rule=aud";
    assert!(page.body.contains(link), "{page:?}");

    let french = {
        console.browser.headers = vec![("Accept-Language".to_owned(), "fr".to_owned())];
        attention(&mut console)
    };
    assert!(
        french.contains("partner-a est refusé pour aud depuis"),
        "{french}"
    );
    // The API tells the same.
    let told = server
        .operator("grantor:read")
        .ask("GET", "/attention", &Value::Null);
    let refused = &told.json()["items"][0];
    assert_eq!(refused["kind"], "refused", "{told:?}");
    assert_eq!(
        (&refused["party"], &refused["rule"]),
        (&"partner-a".into(), &"aud".into())
    );
}

#[test]
fn m120_legacy_clients_that_name_only_the_issuer_are_ready_to_be_strict() {
    let server = Server::start();
    let arguments = ["--generate-key", "--audience-policy", "legacy"];
    let ready = server.client("ready", &arguments);
    let not_yet = server.client("not-yet", &arguments);
    let endpoint = format!("{}/token", server.issuer);
    let ask = |key: &std::path::Path, aud: &str| {
        let key = key.to_string_lossy();
        let mint = [
            "assertion",
            "mint",
            "--key",
            &key,
            "--aud",
            aud,
            "--client-auth",
        ];
        let jwt = server.ok(&mint);
        let sent = server.token(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", crate::support::CLIENT_ASSERTION),
            ("client_assertion", jwt.trim()),
        ]);
        assert_eq!(sent.status, 200, "{sent:?}");
    };
    let mut console = server.console();
    for _ in 0..3 {
        ask(&ready, &server.issuer);
        ask(&not_yet, &endpoint);
    }
    server.wait_until("it is told", || attention(&mut console).contains("✓ Ready"));
    let shown = attention(&mut console);
    assert!(shown.contains("can be strict: ready."), "{shown}");
    assert!(!shown.contains("not-yet"), "{shown}");
    let page = text(&console.page("").body);
    assert!(
        page.contains("not-yet") && page.contains("as before RFC 10070"),
        "{page}"
    );
}

#[test]
fn m120_senders_that_wait_are_told() {
    let limits = "client_failures_per_minute = 2";
    let admin = "[admin]\nenabled = true";
    let server = Server::start_with(&format!(
        "behind_proxy = true\n[limits]\n{limits}\n{admin}\n"
    ));
    server.client("billing", &["--auth", "client_secret_post"]);
    let mut console = server.console();
    let guess = [
        ("grant_type", "client_credentials"),
        ("client_id", "billing"),
        ("client_secret", "wrong"),
    ];
    let guess = || server.post("/token", &guess, &[("X-Forwarded-For", "198.51.100.1")]);
    assert_eq!([guess().status, guess().status], [400, 400]);
    assert!(!attention(&mut console).contains("have to wait"));
    assert_eq!(guess().status, 429);
    server.wait_until("it is told", || {
        attention(&mut console).contains("have to wait")
    });
}
