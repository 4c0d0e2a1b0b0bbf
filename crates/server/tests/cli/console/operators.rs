//! Operators at the console: roles are given, raised, lowered and taken by owners.

use grantor_testkit::binary::{Server, browser::Browser, clock::Clock, console::Console};
use serde_json::Value;

const PASSWORD: &str = "correct horse battery staple";

fn role(server: &Server, subject: &str) -> Option<String> {
    let listed = server.ok(&["operator", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let found = listed.as_array().expect("a list").iter();
    let mut found = found.filter(|one| one["subject"] == subject);
    found.next()?["role"].as_str().map(str::to_owned)
}

#[test]
fn m130_a_role_is_given_raised_lowered_and_taken() {
    let server = Server::start_with("[person]");
    let mut console = server.console();
    let given = console.submit("/operators/new", &[("id", "olga"), ("role", "reader")]);
    assert!(
        given
            .body
            .contains("<bdi>olga</bdi> has the role <code>reader</code>"),
        "{given:?}"
    );
    assert!(
        given.body.contains("/console/subjects/olga/invite"),
        "{given:?}"
    );
    assert_eq!(role(&server, "olga").as_deref(), Some("reader"));
    for wanted in ["owner", "editor"] {
        let page = console.page("/operators/olga/role");
        assert!(
            page.body
                .contains("<h1>What may <bdi>olga</bdi> do here?</h1>"),
            "{page:?}"
        );
        let set = console.submit(
            "/operators/olga/role",
            &[("role", wanted), ("reason", "shift")],
        );
        assert!(
            set.body
                .contains(&format!("has the role <code>{wanted}</code>")),
            "{set:?}"
        );
        assert_eq!(role(&server, "olga").as_deref(), Some(wanted));
    }
    let taken = console.submit("/operators/olga/role", &[("role", "none")]);
    assert!(
        taken
            .body
            .contains("<bdi>olga</bdi> administers nothing here any more"),
        "{taken:?}"
    );
    assert_eq!(role(&server, "olga"), None);
    // It stays registered, and has what is offered to those without a role.
    let page = console.page("/operators/olga/role");
    assert!(
        page.body
            .contains("With a first role what they signed in with so far ends"),
        "{page:?}"
    );
    for (values, status) in [
        ([("id", "otto"), ("role", "king")], 422),
        ([("id", ".."), ("role", "reader")], 422),
    ] {
        let refused = console.submit("/operators/new", &values);
        assert_eq!(refused.status, status, "{refused:?}");
    }
    assert_eq!(console.open("/subjects/otto").status, 404);
    assert_eq!(console.open("/operators/nobody/role").status, 404);
}

#[test]
fn m130_the_list_says_who_does_what_how_they_sign_in_and_when_they_were_here() {
    let server = Server::start();
    server.client("robot", &["--generate-key", "--scope", "grantor:read"]);
    let mut console = server.console();
    let mut reader = server.console_as("rita", "reader");
    let page = console.page("/operators");
    let rows: Vec<_> = page.body.split("<th scope=\"row\">").skip(1).collect();
    for (row, texts) in rows.iter().zip([
        ["<bdi>admin</bdi>", "owner", "nothing yet", "just now"],
        ["<bdi>rita</bdi>", "reader", "nothing yet", "just now"],
        [
            "<bdi>robot</bdi>",
            "reader",
            "/console/clients/robot",
            "enabled",
        ],
    ]) {
        for text in texts {
            assert!(row.contains(text), "{text}: {row}");
        }
    }
    assert_eq!(rows.len(), 3);
    console.submit("/account/password", &[("password", PASSWORD)]);
    let page = reader.page("/operators");
    assert!(page.body.contains(">password</td>"), "{page:?}");
    // Giving roles is for owners.
    assert!(!page.body.contains("/operators/new"), "{page:?}");
    assert!(!page.body.contains("/operators/rita/role"), "{page:?}");
    for form in ["/operators/new", "/operators/rita/role"] {
        let refused = reader.open(form);
        assert_eq!(refused.status, 403, "{form}");
        assert!(!refused.body.contains("name=\"role\""), "{refused:?}");
    }
    server.ok(&["operator", "create", "rita", "--role", "editor"]);
    assert_eq!(reader.open("/operators/new").status, 403);
}

/// Without a session it is on record when somebody came in, if they ever did.
#[test]
fn m130_who_is_signed_out_was_seen_when_they_came_in() {
    let server = Server::start();
    let mut console = server.console();
    for name in ["rita", "olga"] {
        let mut other = server.console_as(name, "reader");
        let out = other.page("/clients").form("/console/signout");
        other.browser.submit(&out, &[]);
        assert_eq!(other.browser.open("/console").status, 303, "{name}");
    }
    server.ok(&["operator", "create", "nora", "--role", "reader"]);
    let seen = |console: &mut Console<'_>| -> Vec<_> {
        let page = console.page("/operators");
        let rows = page.body.split("<th scope=\"row\">").skip(1);
        rows.map(|row| row.contains("just now")).collect()
    };
    // The control: who never came was not seen.
    server.wait_until("all is on record", || {
        seen(&mut console.clone()) == [true, false, true, true]
    });
    let never = console.page("/operators/nora/role");
    assert!(!never.body.contains("Last seen here"), "{never:?}");
    let came = console.page("/operators/olga/role");
    assert!(came.body.contains("Last seen here just now"), "{came:?}");
    let api = server.operator("grantor:read");
    let listed = |path: &str| api.ask("GET", path, &Value::Null);
    let by_role = listed("/subjects?role=reader").json();
    let items = by_role["items"].as_array().expect("subjects");
    let told: Vec<_> = items
        .iter()
        .map(|one| one["last_seen"].is_string())
        .collect();
    assert_eq!(told, [false, true, true], "{by_role}");
    assert!(listed("/subjects/rita").json()["last_seen"].is_string());
}

#[test]
fn ma08_m014_the_last_owner_cannot_be_lowered_removed_disabled_or_deleted() {
    let server = Server::start();
    let mut console = server.console();
    console.submit("/account/password", &[("password", PASSWORD)]);
    let sentence = "This is the last owner who can sign in. Make another one first.";
    let tries: [(&str, &[(&str, &str)]); 5] = [
        ("/operators/admin/role", &[("role", "editor")]),
        ("/operators/admin/role", &[("role", "none")]),
        ("/subjects/admin/switch", &[]),
        ("/subjects/admin/delete", &[]),
        ("/subjects/admin/credentials", &[]),
    ];
    for (form, values) in tries {
        let refused = console.submit(form, values);
        assert_eq!(refused.status, 409, "{form}: {refused:?}");
        assert!(refused.body.contains(sentence), "{form}: {refused:?}");
        assert_eq!(role(&server, "admin").as_deref(), Some("owner"), "{form}");
    }
    // In French, too.
    let language = ("Accept-Language".to_owned(), "fr".to_owned());
    console.browser.headers.push(language);
    let refused = console.submit("/operators/admin/role", &[("role", "reader")]);
    assert!(
        refused
            .body
            .contains("C&#39;est le dernier propriétaire qui peut se connecter"),
        "{refused:?}"
    );
    console.browser.headers.clear();
    // The control: another owner who can sign in.
    server.ok(&["operator", "create", "olga", "--role", "owner"]);
    let shown = console.submit("/subjects/olga/invite", &[]);
    let link = shown.text_of("link").expect("a link");
    let mut olga = Browser::new(&server);
    let form = olga.open(&link).form("/console/invitation");
    olga.submit(&form, &[("password", PASSWORD)]);
    let lowered = console.submit("/operators/admin/role", &[("role", "editor")]);
    assert!(
        lowered.body.contains("has the role <code>editor</code>"),
        "{lowered:?}"
    );
    let mut olga = Console { browser: olga };
    assert_eq!(olga.page("/operators").status, 200);
}

#[test]
fn m112_ma24_a_role_is_given_with_a_proof_that_is_fresh() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    let mut console = server.console();
    server.ok(&["operator", "create", "olga", "--role", "reader"]);
    let early = console.form("/operators/olga/role");
    clock.set(301);
    let asked = console.browser.submit(&early, &[("role", "owner")]);
    assert!(
        asked.body.contains("<h1>Confirm it is you</h1>"),
        "{asked:?}"
    );
    assert_eq!(role(&server, "olga").as_deref(), Some("reader"));
    // So is every change of what hangs on an operator, and of nobody else's.
    server.ok(&["subject", "create", "alice"]);
    let asked = console.open("/subjects/olga/switch");
    assert!(
        asked.body.contains("<h1>Confirm it is you</h1>"),
        "{asked:?}"
    );
    assert_eq!(console.page("/subjects/alice/switch").forms().len(), 3);
}

#[test]
fn m006_a_role_that_was_changed_meanwhile_is_not_overwritten() {
    let server = Server::start();
    let mut console = server.console();
    server.ok(&["operator", "create", "olga", "--role", "reader"]);
    let form = console.form("/operators/olga/role");
    server.ok(&["operator", "create", "olga", "--role", "editor"]);
    let refused = console.browser.submit(&form, &[("role", "owner")]);
    assert_eq!(refused.status, 412, "{refused:?}");
    assert!(
        refused.body.contains("Somebody changed this meanwhile"),
        "{refused:?}"
    );
    assert_eq!(role(&server, "olga").as_deref(), Some("editor"));
    let set = console.submit("/operators/olga/role", &[("role", "owner")]);
    assert!(
        set.body.contains("has the role <code>owner</code>"),
        "{set:?}"
    );
}
