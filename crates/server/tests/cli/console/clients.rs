//! Clients.

use std::{fs, process::Command};

use grantor_testkit::binary::{
    Answer, Server, browser::Form, clock::Clock, console::Console, program,
};
use serde_json::{Value, json};

fn is_anew(page: &Answer) -> bool {
    page.status == 200 && page.body.contains("<h1>Confirm it is you</h1>")
}

/// A client as it is registered.
fn registered(server: &Server, id: &str) -> Value {
    let shown = server.ok(&["client", "show", id, "--json"]);
    serde_json::from_str(&shown).expect("JSON")
}

/// The file that a page shows once, saved in the directory of the server; what is in it.
fn kept(server: &Server, page: &Answer, name: &str) -> String {
    let text = page.text_of("once-file").expect("a key file");
    fs::write(server.directory().join(name), &text).expect("a file");
    text
}

/// Runs a snippet of a page as it stands there, in the directory of the server.
#[expect(
    clippy::disallowed_methods,
    reason = "where programs are is for who runs the tests"
)]
fn run(server: &Server, snippet: &str) -> String {
    let program = program();
    let path = program.parent().expect("a directory").to_string_lossy();
    let path = format!("{path}:{}", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", snippet])
        .current_dir(server.directory())
        .env("PATH", path)
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{snippet}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// Makes a client with a key, and answers the page that shows that.
fn make(console: &mut Console<'_>, id: &str) -> Answer {
    let made = console.submit("/clients/new", &[("client_id", id), ("scope", "r w")]);
    assert_eq!(made.status, 200, "{made:?}");
    made
}

#[test]
fn m118_what_is_filtered_comes_as_csv_and_json_however_long_it_is() {
    let server = Server::start();
    let client = |number: usize| {
        let scope = if number.is_multiple_of(2) {
            "even"
        } else {
            "odd"
        };
        json!({"client_id": format!("client-{number:03}"), "token_endpoint_auth_method": "none", "scope": scope})
    };
    let clients: Vec<_> = (0..205).map(client).collect();
    let file = server.directory().join("clients.json");
    fs::write(&file, json!({ "client": clients }).to_string()).expect("a file");
    server.ok(&["apply", &file.to_string_lossy()]);
    let mut console = server.console();
    let page = console.page("/clients?q=client-1");
    assert!(
        page.body
            .contains("/console/clients?q=client-1&amp;format=csv"),
        "{page:?}"
    );
    assert_eq!(page.body.matches("<th scope=\"row\">").count(), 50);
    assert!(page.body.contains("rel=\"next\""));

    let json = console.page("/clients?format=json");
    assert_eq!(json.header("content-type"), Some("application/json"));
    let items: Vec<Value> = serde_json::from_str(&json.body).expect("an array");
    assert_eq!(items.len(), 205);
    let csv = console.page("/clients?q=client-1&format=csv");
    let lines: Vec<_> = csv.body.split_terminator("\r\n").collect();
    assert!(
        lines[0].starts_with("\"client_id\",\"client_name\""),
        "{}",
        lines[0]
    );
    assert_eq!(lines.len(), 101);
    let named = csv.header("content-disposition").unwrap_or_default();
    assert!(
        named.starts_with("attachment; filename=\"clients-20"),
        "{named}"
    );
    assert!(
        csv.header("cache-control") == Some("no-store")
            && csv.header("content-security-policy").is_some()
    );
    assert_eq!(console.open("/clients?format=xml").status, 400);
    assert_eq!(console.open("/clients?format=csv&colour=red").status, 400);
}

#[test]
fn m118_clients_are_found_by_each_filter() {
    let server = Server::start();
    server.client("with-key", &["--generate-key", "--key-lifetime", "20d"]);
    server.client("with-secret", &["--auth", "client_secret_basic"]);
    server.client("legacy", &["--generate-key", "--audience-policy", "legacy"]);
    server.client("app", &["--auth", "none", "--consent", "ask"]);
    server.client("power", &["--generate-key", "--scope", "grantor:read"]);
    server.ok(&["client", "disable", "with-secret"]);
    let mut console = server.console();
    for (query, found) in [
        ("q=th-k", "with-key"),
        ("enabled=false", "with-secret"),
        ("auth_method=client_secret_basic", "with-secret"),
        ("audience_policy=legacy", "legacy"),
        ("consent=ask", "app"),
        ("ends_within=30", "with-key"),
        ("power=true", "power"),
    ] {
        let page = console.page(&format!("/clients?{query}"));
        let rows: Vec<_> = page.body.split("<th scope=\"row\">").skip(1).collect();
        assert_eq!(rows.len(), 1, "{query}: {page:?}");
        assert!(
            rows[0].contains(&format!("/console/clients/{found}\"")),
            "{query}"
        );
    }
    let none = console.page("/clients?ends_within=7");
    assert!(none.body.contains("No client matches."), "{none:?}");
    assert_eq!(console.open("/clients?ends_within=soon").status, 400);
}

#[test]
fn m118_a_client_with_many_scopes_shows_the_first_and_how_many_more_there_are() {
    let server = Server::start();
    server.client("wide", &["--generate-key", "--scope", "a b c d e f g h"]);
    let mut console = server.console();
    let page = console.page("/clients");
    assert!(page.body.contains("<code>a b c d e f</code>"), "{page:?}");
    assert!(page.body.contains("and 2 more"), "{page:?}");
    // The file has them all, and so has a row of few.
    let file = console.page("/clients?format=csv");
    assert!(file.body.contains("a b c d e f g h"), "{file:?}");
    server.ok(&["client", "update", "wide", "--scope", "a b c d e f"]);
    let page = console.page("/clients");
    assert!(page.body.contains("<code>a b c d e f</code>"), "{page:?}");
    assert!(!page.body.contains("more</span>"), "{page:?}");
}

#[test]
fn m116_a_client_with_a_key_is_made_in_one_page_whose_command_gets_a_token() {
    let server = Server::start();
    let mut console = server.console();
    let empty = console.page("/clients");
    assert!(empty.body.contains("Make the first one"), "{empty:?}");
    let values = [
        ("client_id", "billing"),
        ("client_name", "Billing"),
        ("scope", "invoices:read"),
        ("reason", "a new partner"),
    ];
    let made = console.submit("/clients/new", &values);
    assert_eq!(made.status, 200, "{made:?}");
    assert!(
        made.body.contains("<bdi>Billing</bdi> is registered"),
        "{made:?}"
    );
    assert!(made.body.contains("I have kept it"));
    let client = registered(&server, "billing");
    assert_eq!(client["scope"], "invoices:read");
    assert_eq!(client["token_endpoint_auth_method"], "private_key_jwt");
    kept(&server, &made, "billing.json");
    let command = made.text_of("by-grantor").expect("a command");
    assert_eq!(command, "grantor token --key billing.json");
    let token = run(&server, &command);
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
    for id in ["by-curl", "by-python"] {
        let snippet = made.text_of(id).expect("a snippet");
        assert!(snippet.contains("billing.json"), "{snippet}");
    }
    let changes = server.ok(&["changes", "list", "--json"]);
    assert!(changes.contains("a new partner"), "{changes}");
}

#[test]
fn m116_a_client_with_a_secret_is_made_whose_command_gets_a_token() {
    let server = Server::start();
    let mut console = server.console();
    let values = [("client_id", "nightly"), ("kind", "secret"), ("scope", "r")];
    let made = console.submit("/clients/new", &values);
    assert_eq!(made.status, 200, "{made:?}");
    let file = kept(&server, &made, "nightly.json");
    let file: Value = serde_json::from_str(&file).expect("JSON");
    assert!(file["client_secret"].is_string());
    run(&server, &made.text_of("by-grantor").expect("a command"));
    // The secret stands in no snippet.
    let secret = file["client_secret"].as_str().expect("a secret");
    for id in ["by-grantor", "by-curl", "by-python"] {
        let snippet = made.text_of(id).expect("a snippet");
        assert!(!snippet.contains(secret), "{snippet}");
    }
}

#[test]
fn m116_an_app_asks_people_and_needs_a_place_to_come_back_to() {
    let server = Server::start();
    let mut console = server.console();
    let values = [
        ("client_id", "portal"),
        ("kind", "app"),
        ("app_method", "none"),
        ("scope", "r w"),
    ];
    let refused = console.submit("/clients/new", &values);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.body.contains("id=\"redirect_uris-fault\""),
        "{refused:?}"
    );
    assert!(refused.body.contains("<title>Fault: "), "{refused:?}");
    // What was typed stays, and the form that came back is as good as any.
    let again = refused.filled("/console/clients/new");
    assert!(
        again
            .fields
            .contains(&("scope".to_owned(), "r w".to_owned()))
    );
    let values = [("redirect_uris", "https://portal.example/cb\r\n")];
    let made = console.browser.submit(&again, &values);
    assert_eq!(made.status, 200, "{made:?}");
    let begin = made.text_of("authorize").expect("where people are sent");
    assert!(
        begin.contains("redirect_uri=https%3A%2F%2Fportal"),
        "{begin}"
    );
    assert!(!made.body.contains("once-file"));
    let client = registered(&server, "portal");
    assert_eq!(client["consent"], "ask");
    assert_eq!(
        client["redirect_uris"],
        json!(["https://portal.example/cb"])
    );
    assert_eq!(
        client["grant_types"],
        json!(["authorization_code", "refresh_token"])
    );
}

#[test]
fn m115_ma26_what_is_shown_once_is_nowhere_afterwards() {
    let server = Server::start();
    let mut console = server.console();
    let form = console.form("/clients/new");
    let values = [("client_id", "billing"), ("scope", "r")];
    let made = console.browser.submit(&form, &values);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let file = kept(&server, &made, "billing.json");
    let file: Value = serde_json::from_str(&file).expect("JSON");
    let private = file["private_key"]["d"].as_str().expect("a private key");
    // Without script it is saved by a form that sends it back.
    let save = made.filled("/console/save");
    let saved = console.browser.submit(&save, &[]);
    let named = saved.header("content-disposition");
    assert_eq!(named, Some("attachment; filename=\"billing.json\""));
    assert!(saved.body.contains(private), "{saved:?}");
    // Reloading sends the form again.
    let again = console.browser.submit(&form, &values);
    assert!(!again.body.contains(private), "{again:?}");
    assert_ne!(again.status, 200);
    // In another session it opens nothing.
    let mut other = server.console();
    let own = make(&mut other, "other").filled("/console/save");
    let ticket = |form: &Form| {
        let mut fields = form.fields.iter();
        let field = fields.find(|(name, _)| name == "t");
        field.map(|(_, value)| value.clone()).expect("a ticket")
    };
    let refused = other.browser.submit(&save, &[("t", &ticket(&own))]);
    assert!(
        refused.header("content-disposition").is_none(),
        "{refused:?}"
    );
    assert!(!refused.body.contains(private), "{refused:?}");
    // The control: what was made in that session.
    let saved = other.browser.submit(&own, &[]);
    assert!(saved.header("content-disposition").is_some(), "{saved:?}");
    for path in [
        "/clients/billing",
        "/clients?format=json",
        "/clients?format=csv",
    ] {
        let page = console.page(path);
        assert!(!page.body.contains(private), "{path}");
    }
    let printed = [
        server.ok(&["client", "show", "billing", "--json"]),
        server.ok(&["changes", "list", "--json"]),
        server.ok(&["export"]),
        format!("{:?}", server.log()),
    ];
    for text in printed {
        assert!(!text.contains(private), "{text}");
    }
    // The control: the public half is there.
    let public = file["private_key"]["x"].as_str().expect("a public key");
    assert!(
        server
            .ok(&["client", "show", "billing", "--json"])
            .contains(public)
    );
}

#[test]
fn m115_what_is_saved_is_what_was_shown_in_this_browser() {
    let server = Server::start();
    let mut console = server.console();
    let first = make(&mut console, "a").filled("/console/save");
    let mut other = server.console();
    let own = make(&mut other, "b").filled("/console/save");
    let sealed = |form: &Form| {
        let field = form.fields.iter().find(|(name, _)| name == "sealed");
        field
            .map(|(_, value)| value.clone())
            .expect("what is sealed")
    };
    let foreign = sealed(&first);
    let refused = other.browser.submit(&own, &[("sealed", &foreign)]);
    assert!(
        refused.header("content-disposition").is_none(),
        "{refused:?}"
    );
    let changed = sealed(&own).replace('A', "B") + "A";
    let refused = other.browser.submit(&own, &[("sealed", &changed)]);
    assert!(
        refused.header("content-disposition").is_none(),
        "{refused:?}"
    );
    // The control.
    let saved = other.browser.submit(&own, &[]);
    assert!(saved.header("content-disposition").is_some(), "{saved:?}");
    assert_eq!(other.open("/save").status, 404);
}

#[test]
fn ma10_a_private_key_that_is_pasted_is_refused_and_not_sent_back() {
    let server = Server::start();
    let mut console = server.console();
    let file = kept(&server, &make(&mut console, "a"), "a.json");
    let file: Value = serde_json::from_str(&file).expect("JSON");
    let mut key = file["private_key"].clone();
    let private = key["d"].as_str().expect("a private key").to_owned();
    let pasted = key.to_string();
    let values = [("client_id", "b"), ("scope", "r"), ("jwks", &pasted)];
    let refused = console.submit("/clients/new", &values);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("id=\"jwks-fault\""), "{refused:?}");
    assert!(!refused.body.contains(&private), "{refused:?}");
    // The control: its public half.
    key.as_object_mut().expect("an object").remove("d");
    let public = key.to_string();
    let values = [("client_id", "b"), ("scope", "r"), ("jwks", &public)];
    let made = console.submit("/clients/new", &values);
    assert_eq!(made.status, 200, "{made:?}");
    assert!(!made.body.contains("once-file"), "{made:?}");
    assert_eq!(registered(&server, "b")["jwks"]["keys"][0]["x"], key["x"]);
}

#[test]
fn m122_a_client_shows_who_it_is_and_whether_it_is_well() {
    let server = Server::start();
    let path = server.client(
        "billing",
        &["--generate-key", "--key-lifetime", "9d", "--scope", "r w"],
    );
    let mut console = server.console();
    let page = console.page("/clients/billing");
    for said in [
        "<code class=\"id\">billing</code>",
        "✓ enabled",
        "private_key_jwt",
        "! ends in ",
        "Nothing was decided about this client yet.",
        "It acts for nobody but itself.",
        "local user",
        "<svg role=\"img\"",
        "/console/clients/billing/switch\" data-confirm>Disable",
    ] {
        assert!(page.body.contains(said), "{said}: {page:?}");
    }
    let key = path.to_string_lossy();
    server.ok(&["token", "--key", &key]);
    server.run(&["token", "--key", &key, "--scope", "x"]);
    let shown = || {
        let page = server.console().page("/clients/billing");
        page.body
            .contains("1 were granted and 1 refused")
            .then_some(page)
    };
    server.wait_until("both are decided", || shown().is_some());
    let page = shown().expect("waited for");
    assert!(page.body.contains("Latest refusals"), "{page:?}");
    assert!(page.body.contains("/console/decisions/"), "{page:?}");
    server.ok(&["subject", "create", "alice"]);
    server.ok(&["permission", "create", "billing", "alice"]);
    let page = console.page("/clients/billing");
    assert!(page.body.contains("It acts for 1 person."), "{page:?}");
    assert!(
        page.body.contains("/console/permissions?client=billing"),
        "{page:?}"
    );
}

#[test]
fn m006_a_form_of_a_client_changes_what_was_typed_and_undoes_nothing_of_others() {
    let server = Server::start();
    server.client("billing", &["--generate-key", "--scope", "r"]);
    let mut console = server.console();
    let form = console.form("/clients/billing/edit");
    let nothing = console.browser.submit(&form, &[]);
    let said = "Nothing in <bdi>billing</bdi> was changed";
    assert!(nothing.body.contains(said), "{nothing:?}");
    server.ok(&["client", "update", "billing", "--scope", "r w"]);
    let typed = [("description", "Sends bills")];
    let late = console.browser.submit(&form, &typed);
    assert_eq!(late.status, 412, "{late:?}");
    assert_eq!(registered(&server, "billing")["description"], Value::Null);
    let again = late.filled("/console/clients/billing/edit");
    let saved = console.browser.submit(&again, &[]);
    assert!(saved.body.contains("is changed"), "{saved:?}");
    let client = registered(&server, "billing");
    assert_eq!(client["scope"], "r w", "{client}");
    assert_eq!(client["description"], "Sends bills", "{client}");
    // The control: a scope that is typed is changed.
    let saved = console.submit("/clients/billing/edit", &[("scope", "r")]);
    assert!(saved.body.contains("is changed"), "{saved:?}");
    assert_eq!(registered(&server, "billing")["scope"], "r");
}

#[test]
fn m122_a_client_that_was_silent_for_long_is_asked_about() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    server.client("billing", &["--generate-key"]);
    let mut console = server.console();
    let password = "correct horse battery staple";
    console.submit("/account/password", &[("password", password)]);
    clock.set(31 * 86_400);
    let form = console.open("/clients/billing").form("/console/signin");
    let values = [("username", "admin"), ("password", password)];
    let page = console.browser.submit(&form, &values);
    assert!(page.body.contains("Is it still in use?"), "{page:?}");
    // The control: of a client that is new nothing is known yet.
    make(&mut console, "young");
    let page = console.page("/clients/young");
    assert!(!page.body.contains("Is it still in use?"), "{page:?}");
    assert!(page.body.contains("yet."), "{page:?}");
}

#[test]
fn m123_a_key_is_added_that_works_and_the_one_before_ends() {
    let server = Server::start();
    let mut console = server.console();
    kept(&server, &make(&mut console, "billing"), "old.json");
    let values = [
        ("overlap", "7d"),
        ("expires_at", "2099-01-02"),
        ("reason", "rotation"),
    ];
    let added = console.submit("/clients/billing/keys/new", &values);
    assert_eq!(added.status, 200, "{added:?}");
    kept(&server, &added, "billing.json");
    run(&server, &added.text_of("by-grantor").expect("a command"));
    run(&server, "grantor token --key old.json");
    let client = registered(&server, "billing");
    let ends: Vec<_> = client["keys"].as_array().expect("keys").iter().collect();
    assert_eq!(ends.len(), 2);
    assert_eq!(ends[1]["expires_at"], "2099-01-02T00:00:00Z", "{ends:?}");
    assert!(ends[0]["expires_at"].is_string(), "{ends:?}");

    // Both are wrong, and both are said at their fields.
    let values = [("overlap", "soon"), ("expires_at", "tomorrow")];
    let refused = console.submit("/clients/billing/keys/new", &values);
    assert_eq!(refused.status, 422);
    for field in ["overlap", "expires_at"] {
        let fault = format!("id=\"{field}-fault\"");
        assert!(refused.body.contains(&fault), "{field}: {refused:?}");
    }
}

#[test]
fn m123_a_key_in_pem_is_registered_under_the_name_that_is_typed() {
    let server = Server::start();
    let mut console = server.console();
    make(&mut console, "billing");
    let pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----\n";
    let values = [("source", "brought"), ("jwks", pem), ("kid", "2026-12")];
    let added = console.submit("/clients/billing/keys/new", &values);
    assert!(
        added.body.contains("is registered. It is accepted"),
        "{added:?}"
    );
    let client = registered(&server, "billing");
    let names: Vec<_> = client["keys"].as_array().expect("keys").iter().collect();
    assert!(
        names.iter().any(|key| key["name"] == "2026-12"),
        "{names:?}"
    );
    let broken = pem.replace("MFkw", "MFkx");
    let values = [("source", "brought"), ("jwks", &*broken), ("kid", "other")];
    let refused = console.submit("/clients/billing/keys/new", &values);
    assert_eq!(refused.status, 422, "{refused:?}");
}

#[test]
fn m123_a_key_is_removed_after_what_stops_working_is_said_and_the_last_one_stays() {
    let server = Server::start();
    let mut console = server.console();
    make(&mut console, "billing");
    let name_of = |server: &Server, place: usize| {
        let keys = registered(server, "billing")["keys"].clone();
        keys[place]["name"].as_str().unwrap_or_default().to_owned()
    };
    let first = name_of(&server, 0);
    let path = format!("/clients/billing/keys/{first}/remove");
    let page = console.page(&path);
    assert!(
        page.body.contains("It is the only key that works."),
        "{page:?}"
    );
    assert_eq!(console.submit(&path, &[]).status, 409);
    console.submit("/clients/billing/keys/new", &[]);
    let page = console.page(&path);
    assert!(
        !page.body.contains("It is the only key that works."),
        "{page:?}"
    );
    let removed = console.submit(&path, &[("reason", "it leaked")]);
    assert!(removed.body.contains("is removed."), "{removed:?}");
    assert_ne!(name_of(&server, 0), first);
    assert_eq!(console.open(&path).status, 404);
}

#[test]
fn m123_a_secret_is_made_anew_and_removed() {
    let server = Server::start();
    let mut console = server.console();
    let values = [("client_id", "nightly"), ("kind", "secret"), ("scope", "r")];
    let made = console.submit("/clients/new", &values);
    kept(&server, &made, "old.json");
    let form = console.form("/clients/nightly/secrets/new");
    let values = [("overlap", "1d"), ("lifetime", "90d")];
    let renewed = console.browser.submit(&form, &values);
    assert_eq!(renewed.status, 200, "{renewed:?}");
    kept(&server, &renewed, "nightly.json");
    run(&server, "grantor token --key nightly.json");
    run(&server, "grantor token --key old.json");
    // Sent again it makes no other one.
    console.browser.submit(&form, &values);
    assert_eq!(
        registered(&server, "nightly")["secrets"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let secrets = registered(&server, "nightly")["secrets"].clone();
    let remove = |is_old: bool| {
        let mut all = secrets.as_array().into_iter().flatten();
        let secret = all.find(|secret| (secret["expires_at"].as_str() < Some("2027-02")) == is_old);
        let name = secret.and_then(|secret| secret["name"].as_str());
        format!("/clients/nightly/secrets/{}/remove", name.expect("a name"))
    };
    let removed = console.submit(&remove(true), &[]);
    assert!(
        removed.body.contains("The secret is removed."),
        "{removed:?}"
    );
    let left = registered(&server, "nightly")["secrets"].clone();
    assert_eq!(left.as_array().map(Vec::len), Some(1));
    assert_eq!(console.submit(&remove(false), &[]).status, 409);
    assert_eq!(
        console.open("/clients/nightly/secrets/none/remove").status,
        404
    );
}

#[test]
fn m114_members_are_changed_and_a_stale_form_changes_nothing() {
    let server = Server::start();
    let mut console = server.console();
    make(&mut console, "billing");
    let stale = console.form("/clients/billing/edit");
    let values = [
        ("client_name", "Facturation"),
        ("scope", "r"),
        (
            "redirect_uris",
            "https://a.example/cb\nhttps://b.example/cb",
        ),
        ("permission_lifetime", "90d"),
        ("consent", "ask"),
        ("token_format", "opaque"),
    ];
    let changed = console.browser.submit(&stale, &values);
    assert!(changed.body.contains("is changed."), "{changed:?}");
    let client = registered(&server, "billing");
    assert_eq!(client["client_name"], "Facturation");
    assert_eq!(client["scope"], "r");
    assert_eq!(client["permission_lifetime"], 90 * 86_400);
    assert_eq!(client["token_format"], "opaque");
    assert_eq!(client["redirect_uris"].as_array().map(Vec::len), Some(2));
    // An untouched form changes nothing.
    let untouched = console.submit("/clients/billing/edit", &[]);
    let says = "Nothing in <bdi>Facturation</bdi> was changed";
    assert!(untouched.body.contains(says), "{untouched:?}");
    assert_eq!(registered(&server, "billing"), client);

    let refused = console.browser.submit(&stale, &[("scope", "w")]);
    assert_eq!(refused.status, 412, "{refused:?}");
    assert!(
        refused.body.contains("Somebody changed this meanwhile"),
        "{refused:?}"
    );
    assert!(refused.body.contains("value=\"w\""), "{refused:?}");
    assert_eq!(registered(&server, "billing")["scope"], "r");
    // The form that came back knows the state.
    let again = console
        .browser
        .submit(&refused.filled("/console/clients/billing/edit"), &[]);
    assert!(again.body.contains("is changed."), "{again:?}");
    assert_eq!(registered(&server, "billing")["scope"], "w");
    let refused = console.submit("/clients/billing/edit", &[("redirect_uris", "nowhere")]);
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("id=\"redirect_uris-fault\""),
        "{refused:?}"
    );
}

#[test]
fn m112_a_client_is_deleted_after_what_stops_working_is_said() {
    let server = Server::start();
    let path = server.client("billing", &["--generate-key", "--scope", "r"]);
    server.ok(&["subject", "create", "alice"]);
    server.ok(&["permission", "create", "billing", "alice"]);
    server.ok(&["token", "--key", &path.to_string_lossy()]);
    let mut console = server.console();
    let said = |console: &mut Console<'_>| console.page("/clients/billing/delete").body;
    server.wait_until("its token is known", || {
        said(&mut server.console()).contains("1 may still be in force")
    });
    let page = said(&mut console);
    assert!(
        page.contains("1 person loses what it does for them."),
        "{page}"
    );
    assert!(page.contains("It last got a token on "), "{page}");
    assert!(page.contains("disable it instead"), "{page}");
    let deleted = console.submit("/clients/billing/delete", &[("reason", "gone")]);
    assert!(deleted.body.contains("is deleted."), "{deleted:?}");
    assert_eq!(console.open("/clients/billing").status, 404);
    assert!(!server.run(&["client", "show", "billing"]).status.success());
}

#[test]
fn m112_ma24_what_has_power_is_changed_with_a_fresh_proof_only() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    server.client("power", &["--generate-key", "--scope", "grantor:read"]);
    server.client("billing", &["--generate-key", "--scope", "r"]);
    let mut console = server.console();
    let password = [("password", "correct horse battery staple")];
    console.submit("/account/password", &password);
    let form = console.form("/clients/power/edit");
    let giving = console.form("/clients/billing/edit");
    clock.set(360);
    assert!(is_anew(&console.open("/clients/power/edit")));
    assert!(is_anew(&console.open("/clients/power/switch")));
    assert!(is_anew(&console.open("/clients/new")));
    assert!(is_anew(&console.open("/clients/billing/delete")));
    assert!(is_anew(
        &console.browser.submit(&form, &[("description", "x")])
    ));
    assert!(is_anew(
        &console
            .browser
            .submit(&giving, &[("scope", "grantor:admin")])
    ));
    assert!(registered(&server, "power")["description"].is_null());
    assert_eq!(registered(&server, "billing")["scope"], "r");
    // The control: what has and gives no power.
    let changed = console.submit("/clients/billing/edit", &[("scope", "r w")]);
    assert!(changed.body.contains("is changed."), "{changed:?}");
}

#[test]
fn m113_ma42_readers_are_offered_nothing_and_editors_nothing_with_power() {
    let server = Server::start();
    server.client("power", &["--generate-key", "--scope", "grantor:read"]);
    server.client("billing", &["--generate-key", "--scope", "r"]);
    let mut reader = server.console_as("rita", "reader");
    let page = reader.page("/clients/billing");
    assert!(page.body.contains("You can look at this."), "{page:?}");
    for offered in [
        "/edit\"",
        "/switch\"",
        "/delete\"",
        "/keys/new\"",
        "/remove\"",
    ] {
        assert!(!page.body.contains(offered), "{offered}");
    }
    assert!(!reader.page("/clients").body.contains("/clients/new"));
    for path in [
        "/clients/new",
        "/clients/billing/edit",
        "/clients/billing/delete",
        "/clients/billing/keys/new",
        "/clients/billing/secrets/new",
    ] {
        assert_eq!(reader.open(path).status, 403, "{path}");
    }
    let mut editor = server.console_as("emil", "editor");
    let page = editor.page("/clients/power");
    assert!(
        page.body.contains("needs the role <code>owner</code>"),
        "{page:?}"
    );
    assert!(!page.body.contains("/edit\""), "{page:?}");
    for path in ["edit", "switch", "delete", "keys/new"] {
        let path = format!("/clients/power/{path}");
        assert_eq!(editor.open(&path).status, 403, "{path}");
    }
    // MA04: nobody gives what they have not.
    let widened = editor.submit("/clients/billing/edit", &[("scope", "r grantor:admin")]);
    assert_eq!(widened.status, 403, "{widened:?}");
    let values = [("client_id", "mine"), ("scope", "grantor:admin")];
    assert_eq!(editor.submit("/clients/new", &values).status, 403);
    assert_eq!(registered(&server, "billing")["scope"], "r");
    // The control: an owner may, and an editor may the rest.
    assert_eq!(server.console().open("/clients/power/edit").status, 200);
    assert_eq!(editor.open("/clients/billing/edit").status, 200);
}

#[test]
fn m073_what_files_manage_is_changed_here_only_when_that_is_said() {
    let server = Server::start();
    let file = server.directory().join("git.json");
    let client =
        json!({"client_id": "billing", "token_endpoint_auth_method": "none", "scope": "r"});
    fs::write(&file, json!({"client": [client]}).to_string()).expect("a file");
    server.ok(&["apply", &file.to_string_lossy(), "--owner", "platform-git"]);
    let mut console = server.console();
    let page = console.page("/clients/billing");
    assert!(
        page.body.contains("Managed by <bdi>platform-git</bdi>"),
        "{page:?}"
    );
    let refused = console.submit("/clients/billing/edit", &[("scope", "w")]);
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(registered(&server, "billing")["scope"], "r");
    let values = [("scope", "w"), ("override", "true")];
    let changed = console.submit("/clients/billing/edit", &values);
    assert!(changed.body.contains("is changed."), "{changed:?}");
    assert_eq!(registered(&server, "billing")["scope"], "w");
}

#[test]
fn m005_a_client_whose_name_is_a_word_of_the_console_has_its_page_too() {
    let server = Server::start();
    let mut console = server.console();
    for id in ["new", "a/b", "ü x", "keys"] {
        server.ok(&["client", "create", id, "--auth", "none"]);
        let list = console.page(&format!("/clients?q={}", id.replace(' ', "+")));
        let (_, row) = list
            .body
            .split_once("<th scope=\"row\"><a href=\"")
            .expect("a row");
        let (path, _) = row.split_once('"').expect("a path");
        let page = console.page(path);
        assert!(
            page.body
                .contains(&format!("<code class=\"id\">{id}</code>")),
            "{id}"
        );
        let (_, rest) = page.body.split_once("/switch\"").expect("a switch");
        assert!(rest.contains("Disable"));
    }
}

#[test]
fn m119_the_pages_of_clients_speak_french() {
    let server = Server::start();
    server.client("billing", &["--generate-key", "--key-lifetime", "9d"]);
    let mut console = server.console();
    let french = ("Accept-Language".to_owned(), "fr".to_owned());
    console.browser.headers.push(french);
    let page = console.page("/clients/billing");
    for said in [
        "✓ actif",
        "! finit dans ",
        "Désactiver",
        "Il n&#39;agit pour personne",
    ] {
        let plain = said.replace("&#39;", "'");
        assert!(
            page.body.contains(said) || page.body.contains(&plain),
            "{said}: {page:?}"
        );
    }
    let page = console.page("/clients/billing/delete");
    assert!(
        page.body.contains("Supprimer <bdi>billing</bdi>\u{202f}?"),
        "{page:?}"
    );
    let page = console.page("/clients/new");
    assert!(page.body.contains("De quoi s&#39;agit-il"), "{page:?}");
}
