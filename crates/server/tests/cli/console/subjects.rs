//! Subjects at the console: registered, invited, disabled and deleted, by whoever may.

use grantor_testkit::binary::{Answer, Server, browser::Browser, clock::Clock, console::Console};

const PASSWORD: &str = "correct horse battery staple";

/// A server with the subject `alice`, for whom `billing` may act, and an owner.
fn server_with(configuration: &str) -> Server {
    furnished(Server::start_with(configuration))
}

fn furnished(server: Server) -> Server {
    server.client("billing", &["--generate-key", "--scope", "invoices:read"]);
    server.ok(&["subject", "create", "alice"]);
    server.ok(&["permission", "create", "billing", "alice"]);
    server
}

fn enabled(server: &Server, subject: &str) -> bool {
    let listed = server.ok(&["subject", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let found = listed.as_array().expect("a list").iter();
    let mut found = found.filter(|one| one["id"] == subject);
    found.next().is_some_and(|one| one["enabled"] == true)
}

/// The link that a page shows once.
fn link_of(page: &Answer) -> String {
    page.text_of("link").expect("a link")
}

#[test]
fn m124_a_subject_is_registered_found_and_shown() {
    let server = Server::start();
    let mut console = server.console();
    let made = console.submit(
        "/subjects/new",
        &[("id", " bob@example.com "), ("reason", "new")],
    );
    assert!(
        made.body
            .contains("<bdi>bob@example.com</bdi> is registered"),
        "{made:?}"
    );
    assert!(
        made.body
            .contains("/console/subjects/bob@example.com/invite"),
        "{made:?}"
    );
    let again = console.submit("/subjects/new", &[("id", "bob@example.com")]);
    assert_eq!(again.status, 409, "{again:?}");
    assert!(
        again.body.contains("value=\"bob@example.com\""),
        "{again:?}"
    );
    let odd = console.submit("/subjects/new", &[("id", "..")]);
    assert_eq!(odd.status, 422, "{odd:?}");
    assert!(odd.body.contains("id=\"id-fault\""), "{odd:?}");
    // A subject may be called as the page for new ones is.
    let new = console.submit("/subjects/new", &[("id", "new")]);
    assert!(new.body.contains("<h1><bdi>new</bdi>"), "{new:?}");
    for (query, found) in [
        ("q=bob", vec!["bob@example.com"]),
        ("role=owner", vec!["admin"]),
        ("enabled=false", vec![]),
        ("", vec!["admin", "bob@example.com", "new"]),
    ] {
        let page = console.page(&format!("/subjects?{query}"));
        let rows = page.body.split("<th scope=\"row\">").skip(1);
        let names: Vec<_> = rows
            .filter_map(|row| row.split("<bdi>").nth(1)?.split("</bdi>").next())
            .collect();
        assert_eq!(names, found, "{query}");
    }
    let file = console.page("/subjects?q=bob&format=csv");
    assert!(
        file.body.contains("\"bob@example.com\",\"true\",\"\""),
        "{file:?}"
    );
    assert_eq!(console.open("/subjects?colour=red").status, 400);
    assert_eq!(console.open("/subjects/nobody").status, 404);
}

#[test]
fn m124_a_subject_is_called_otherwise_by_its_form_and_found_by_that() {
    let server = Server::start();
    let mut console = server.console();
    let values = [("id", "4711"), ("display_name", "Bob"), ("language", "fr")];
    console.submit("/subjects/new", &values);
    let page = console.page("/subjects/4711");
    assert!(page.body.contains("called <bdi>Bob</bdi>"), "{page:?}");
    assert!(page.body.contains("Français</span>"), "{page:?}");
    let form = console.form("/subjects/4711/edit");
    let nothing = console.browser.submit(&form, &[]);
    let said = "Nothing in <bdi>4711</bdi> was changed";
    assert!(nothing.body.contains(said), "{nothing:?}");
    let refused = console.browser.submit(&form, &[("language", "de")]);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.body.contains("id=\"language-fault\""),
        "{refused:?}"
    );
    // The control: another name, and no language.
    let values = [("display_name", "Robert"), ("language", "")];
    let changed = console.browser.submit(&form, &values);
    let said = "called <bdi>Robert</bdi>";
    assert!(changed.body.contains(said), "{changed:?}");
    assert!(!changed.body.contains("Français</span>"), "{changed:?}");
    let found = console.page("/subjects?q=Robert");
    assert!(found.body.contains("/console/subjects/4711"), "{found:?}");
    let found = console.page("/subjects?q=Bob");
    assert!(!found.body.contains("/console/subjects/4711"), "{found:?}");
}

#[test]
fn m124_a_page_says_how_a_subject_signs_in_who_acts_for_it_and_what_was_done() {
    let server = server_with("[person]");
    let mut console = server.console();
    let page = console.page("/subjects/alice");
    for text in [
        "They have no way to sign in",
        "They are signed in nowhere",
        "/console/permissions/billing/alice",
        "all that it may get",
        "an operator",
        "registered by local user",
        "/console/changes?resource=subject&amp;name=alice",
        "/console/decisions?subject=alice",
    ] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
    let invited = console.submit("/subjects/alice/invite", &[]);
    Browser::new(&server).accept(&link_of(&invited), PASSWORD);
    // Decisions are kept a little later.
    let mut page = console.page("/subjects/alice");
    server.wait_until("kept", || {
        page = console.page("/subjects/alice");
        page.body.contains("<code>invitation</code>")
    });
    for text in ["By a password, set on", "their own pages", "✓ granted"] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
    assert!(
        !page.body.contains("They are signed in nowhere"),
        "{page:?}"
    );
}

#[test]
fn m112_m114_a_subject_is_disabled_by_a_page_that_says_what_stops_and_enabled_by_undo() {
    let server = server_with("");
    let mut console = server.console();
    let asked = console.page("/subjects/alice/switch");
    assert!(
        asked.body.contains("<h1>Disable <bdi>alice</bdi>?</h1>"),
        "{asked:?}"
    );
    assert!(
        asked.body.contains("1 client may act for them"),
        "{asked:?}"
    );
    assert!(
        asked.body.contains("No token about it was granted lately"),
        "{asked:?}"
    );
    let done = console.submit("/subjects/alice/switch", &[("reason", "left the company")]);
    assert!(
        done.body.contains("✓ <bdi>alice</bdi> is disabled"),
        "{done:?}"
    );
    assert!(done.body.contains(">Undo</a>"), "{done:?}");
    assert!(!enabled(&server, "alice"));
    let changes = server.ok(&["changes", "list", "--json"]);
    assert!(changes.contains("left the company"), "{changes}");
    // Somebody else changes it while the form is open.
    let stale = console.form("/subjects/alice/switch");
    server.ok(&["subject", "enable", "alice"]);
    server.ok(&["subject", "disable", "alice"]);
    let refused = console.browser.submit(&stale, &[]);
    assert_eq!(refused.status, 412, "{refused:?}");
    assert!(
        refused.body.contains("Somebody changed this meanwhile"),
        "{refused:?}"
    );
    assert!(!enabled(&server, "alice"));
    console.submit("/subjects/alice/switch", &[]);
    assert!(enabled(&server, "alice"));
}

#[test]
fn m115_ma26_an_invitation_is_shown_once_and_its_form_is_taken_once() {
    let server = server_with("[person]");
    let mut console = server.console();
    let form = console.form("/subjects/alice/invite");
    let shown = console.browser.submit(&form, &[("lifetime", "86400")]);
    assert_eq!(shown.status, 200);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    assert!(shown.body.contains("This is shown once"), "{shown:?}");
    assert!(shown.body.contains("in 1 day"), "{shown:?}");
    assert!(shown.body.contains("I have kept it"), "{shown:?}");
    let link = link_of(&shown);
    assert!(
        link.starts_with(&format!("{}/invitation?token=", server.issuer)),
        "{link}"
    );
    let (_, token) = link.split_once("token=").expect("a token");
    // Reloading sends the same form again.
    let again = console.browser.submit(&form, &[("lifetime", "86400")]);
    assert_eq!(again.status, 409, "{again:?}");
    assert!(again.body.contains("This was shown once"), "{again:?}");
    for page in ["/subjects/alice", "/subjects/alice/invite", "/changes/5"] {
        let page = console.open(page);
        assert!(!page.body.contains(token), "{page:?}");
    }
    for record in ["changes", "decisions"] {
        assert!(
            !server.ok(&[record, "list", "--json"]).contains(token),
            "{record}"
        );
    }
    // The link that was shown is still good, and a newer one ends it.
    assert_eq!(Browser::new(&server).open(&link).status, 200);
    let newer = console.submit("/subjects/alice/invite", &[]);
    assert_eq!(Browser::new(&server).open(&link).status, 400);
    let page = console.page("/subjects/alice");
    assert!(page.body.contains("An invitation is open"), "{page:?}");
    let ended = console.submit("/subjects/alice/invitations", &[]);
    assert!(
        ended
            .body
            .contains("The invitation of <bdi>alice</bdi> has ended"),
        "{ended:?}"
    );
    assert_eq!(Browser::new(&server).open(&link_of(&newer)).status, 400);
    let long = console.submit("/subjects/alice/invite", &[("lifetime", "99999999")]);
    assert_eq!(long.status, 422, "{long:?}");
    assert!(long.body.contains("id=\"lifetime-fault\""), "{long:?}");
}

#[test]
fn m110_m124_operators_are_invited_to_the_console_without_pages_of_people() {
    let server = server_with("");
    let mut console = server.console();
    server.ok(&["operator", "create", "olga", "--role", "editor"]);
    let shown = console.submit("/subjects/olga/invite", &[]);
    let link = link_of(&shown);
    assert!(
        link.starts_with(&format!("{}/console/invitation?token=", server.issuer)),
        "{link}"
    );
    let mut browser = Browser::new(&server);
    let page = browser.open(&link);
    assert_eq!(
        page.header("cross-origin-opener-policy"),
        Some("same-origin")
    );
    let accepted = browser.submit(&page.form("/console/invitation"), &[("password", PASSWORD)]);
    assert!(
        accepted.body.contains("<h1>Your ways to sign in</h1>"),
        "{accepted:?}"
    );
    assert!(
        accepted.body.contains("<bdi>olga</bdi></a>, editor"),
        "{accepted:?}"
    );
    // It is no person's session.
    assert_eq!(browser.open("/me").status, 404);
    let mut other = Browser::new(&server);
    let form = other.open("/console/signin").form("/console/signin");
    let values = [("username", "olga"), ("password", PASSWORD)];
    let answer = other.submit_as(&form, &values, &[("Origin", &server.issuer)]);
    assert_eq!(answer.header("location"), Some("/console"));
    // The control: nobody else is invited here, by whichever way.
    let refused = console.submit("/subjects/alice/invite", &[]);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("[person]"), "{refused:?}");
    let refused = server.run(&["subject", "invite", "alice"]);
    assert!(refused.stderr.contains("[person]"), "{}", refused.stderr);
    let printed = server.ok(&["subject", "invite", "olga"]);
    assert!(printed.contains("/console/invitation?token="), "{printed}");
}

#[test]
fn m124_an_invitation_to_the_console_is_good_for_nobody_without_the_role() {
    let server = server_with("[person]");
    let mut console = server.console();
    server.ok(&["operator", "create", "olga", "--role", "editor"]);
    let link = link_of(&console.submit("/subjects/olga/invite", &[]));
    assert_eq!(Browser::new(&server).open(&link).status, 200);
    server.ok(&["operator", "delete", "olga"]);
    assert_eq!(Browser::new(&server).open(&link).status, 400);
    // As a person they are who was meant.
    let elsewhere = link.replace("/console/invitation", "/invitation");
    assert_eq!(Browser::new(&server).open(&elsewhere).status, 200);
}

#[test]
fn c083_m124_recovering_ends_every_session_and_way_to_sign_in_when_it_is_accepted() {
    let server = server_with("[person]");
    let mut console = server.console();
    let first = link_of(&console.submit("/subjects/alice/invite", &[]));
    let mut browser = Browser::new(&server);
    browser.accept(&first, PASSWORD);
    let asked = console.page("/subjects/alice/recover");
    assert!(
        asked.body.contains("all their passkeys and passwords"),
        "{asked:?}"
    );
    let link = link_of(&console.submit("/subjects/alice/recover", &[]));
    let page = console.page("/subjects/alice");
    assert!(
        page.body.contains("A link to recover access is open"),
        "{page:?}"
    );
    assert_eq!(browser.open("/me").status, 200);
    Browser::new(&server).accept(&link, "another quite long sentence");
    assert_eq!(browser.open("/me").status, 303);
    assert_eq!(Browser::new(&server).sign_in("alice", PASSWORD).status, 401);
}

#[test]
fn m124_sessions_end_and_ways_to_sign_in_are_taken() {
    let server = server_with("[person]");
    let mut console = server.console();
    let first = link_of(&console.submit("/subjects/alice/invite", &[]));
    let mut browser = Browser::new(&server);
    browser.accept(&first, PASSWORD);
    let ended = console.submit("/subjects/alice/sessions", &[]);
    assert!(
        ended
            .body
            .contains("<bdi>alice</bdi> is signed out everywhere"),
        "{ended:?}"
    );
    assert_eq!(browser.open("/me").status, 303);
    // The control: they sign in again.
    assert_eq!(browser.sign_in("alice", PASSWORD).status, 200);
    let taken = console.submit("/subjects/alice/credentials", &[]);
    assert!(
        taken.body.contains("has no way to sign in any more"),
        "{taken:?}"
    );
    assert_eq!(browser.open("/me").status, 303);
    assert_eq!(browser.sign_in("alice", PASSWORD).status, 401);
}

#[test]
fn m112_deleting_says_what_goes_along_and_needs_a_fresh_proof() {
    let clock = Clock::new().expect("a compiler");
    let server = furnished(Server::start_under(&clock, "[person]"));
    let mut console = server.console();
    console.submit("/account/password", &[("password", PASSWORD)]);
    let early = console.form("/subjects/alice/delete");
    clock.set(301);
    let asked = console.browser.submit(&early, &[]);
    assert!(
        asked.body.contains("<h1>Confirm it is you</h1>"),
        "{asked:?}"
    );
    let form = asked.form("/console/signin");
    let values = [("username", "admin"), ("password", PASSWORD)];
    let page = console.browser.submit(&form, &values);
    for text in [
        "Delete <bdi>alice</bdi>?",
        "all permissions for it",
        "1 client may act for them",
        "cannot be undone",
    ] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
    assert!(enabled(&server, "alice"));
    let deleted = console
        .browser
        .submit(&page.filled("/console/subjects/alice/delete"), &[]);
    assert!(
        deleted.body.contains("✓ <bdi>alice</bdi> is deleted"),
        "{deleted:?}"
    );
    assert_eq!(console.open("/subjects/alice").status, 404);
    let left = server.ok(&["permission", "list", "--json"]);
    assert!(!left.contains("alice"), "{left}");
}

const FORMS: [&str; 7] = [
    "switch",
    "delete",
    "invite",
    "recover",
    "sessions",
    "credentials",
    "invitations",
];

#[test]
fn m012_m113_what_hangs_on_an_operator_is_offered_to_owners_alone() {
    let server = server_with("[person]");
    let mut owner = server.console();
    let mut editor = server.console_as("erik", "editor");
    let mut reader = server.console_as("rita", "reader");
    let offers = |console: &mut Console<'_>, subject: &str| {
        let page = console.page(&format!("/subjects/{subject}")).body;
        let offered = |form: &&str| page.contains(&format!("/console/subjects/{subject}/{form}\""));
        FORMS.iter().filter(|form| offered(form)).count()
    };
    assert_eq!(offers(&mut reader, "alice"), 0);
    assert_eq!(offers(&mut editor, "rita"), 0);
    // No invitation is open, and there is nothing to sign in with or out of.
    assert_eq!(offers(&mut editor, "alice"), 4);
    assert_eq!(offers(&mut owner, "rita"), 5);
    let page = editor.page("/subjects/rita");
    assert!(
        page.body.contains("only an owner changes what is here"),
        "{page:?}"
    );
    for form in FORMS {
        for (role, subject, status) in [
            ("reader", "alice", 403),
            ("editor", "rita", 403),
            ("editor", "alice", 200),
            ("owner", "rita", 200),
        ] {
            let console = match role {
                "reader" => &mut reader,
                "editor" => &mut editor,
                _ => &mut owner,
            };
            let page = console.open(&format!("/subjects/{subject}/{form}"));
            assert_eq!(page.status, status, "{role}: {subject}/{form}");
            let has_form = page
                .body
                .contains(&format!("action=\"/console/subjects/{subject}"));
            assert_eq!(has_form, status == 200, "{role}: {subject}/{form}");
        }
    }
    // Sent from a page that was open while it was no operator.
    let form = editor.form("/subjects/alice/switch");
    server.ok(&["operator", "create", "alice", "--role", "reader"]);
    let refused = editor.browser.submit(&form, &[]);
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(enabled(&server, "alice"));
}

#[test]
fn m119_every_page_of_a_subject_is_in_french_too() {
    let server = server_with("[person]");
    let mut console = server.console();
    let language = ("Accept-Language".to_owned(), "fr".to_owned());
    console.browser.headers.push(language);
    for (page, text) in [
        ("/subjects", "<h1>Sujets</h1>"),
        ("/subjects/new", "<h1>Nouveau sujet</h1>"),
        ("/subjects/alice", "Qui peut agir pour lui"),
        (
            "/subjects/alice/switch",
            "Désactiver <bdi>alice</bdi>\u{202f}?",
        ),
        (
            "/subjects/alice/delete",
            "Supprimer <bdi>alice</bdi>\u{202f}?",
        ),
        ("/subjects/alice/invite", "Durée de validité du lien"),
        ("/account", "<h1>Vos moyens de connexion</h1>"),
        ("/account/password", "Nouveau mot de passe"),
    ] {
        let shown = console.page(page);
        assert!(shown.body.contains("<html lang=\"fr\""), "{page}");
        assert!(shown.body.contains(text), "{page}: {shown:?}");
    }
}
