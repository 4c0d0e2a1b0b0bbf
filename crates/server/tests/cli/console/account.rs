//! The operator's own ways to sign in.

use grantor_testkit::binary::{Answer, Server, browser::Browser, console::Console};

const PASSWORD: &str = "correct horse battery staple";
const OTHER: &str = "a quite different sentence";

/// Signs in at the console by a password.
fn sign_in<'s>(server: &'s Server, name: &str, password: &str) -> (Browser<'s>, Answer) {
    let mut browser = Browser::new(server);
    let form = browser.open("/console/signin").form("/console/signin");
    let origin = [("Origin", server.issuer.as_str())];
    let values = [("username", name), ("password", password)];
    let answer = browser.submit_as(&form, &values, &origin);
    (browser, answer)
}

fn is_signed_out(console: &mut Console<'_>) -> bool {
    let page = console.open("/account");
    page.body.contains("action=\"/console/signin\"")
}

#[test]
fn m062_who_comes_in_without_a_way_to_sign_in_is_asked_to_set_one() {
    let server = Server::start();
    let mut console = server.console();
    let page = console.page("/account");
    assert!(
        page.body.contains("You have no way to sign in yet"),
        "{page:?}"
    );
    let set = console.submit("/account/password", &[("password", PASSWORD)]);
    assert!(set.body.contains("✓ Your password is set"), "{set:?}");
    assert!(
        !set.body.contains("You have no way to sign in yet"),
        "{set:?}"
    );
    let (_, answer) = sign_in(&server, "admin", PASSWORD);
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/console"))
    );
    let (_, refused) = sign_in(&server, "admin", OTHER);
    assert_eq!(refused.status, 401);
    assert!(!refused.body.contains(OTHER), "{refused:?}");
}

#[test]
fn c094_a_password_that_is_none_is_a_fault_at_its_field_and_changes_nothing() {
    let server = Server::start();
    let mut console = server.console();
    console.submit("/account/password", &[("password", PASSWORD)]);
    for unfit in ["too short", "admin", "a\tquite different sentence"] {
        let refused = console.submit("/account/password", &[("password", unfit)]);
        assert_eq!(refused.status, 422, "{unfit}: {refused:?}");
        assert!(refused.body.contains("id=\"password-fault\">✗ "), "{unfit}");
        assert!(refused.body.contains("<a href=\"#password\">"), "{unfit}");
        assert!(!refused.body.contains("value=\"too short"), "{unfit}");
    }
    assert_eq!(sign_in(&server, "admin", PASSWORD).1.status, 303);
    // The control: one that may be a password.
    console.submit("/account/password", &[("password", OTHER)]);
    assert_eq!(sign_in(&server, "admin", OTHER).1.status, 303);
}

#[test]
fn c093_another_password_ends_the_other_sessions_of_both_kinds() {
    let server = Server::start_with("[person]");
    let mut console = server.console();
    console.submit("/account/password", &[("password", PASSWORD)]);
    let mut person = Browser::new(&server);
    assert_eq!(person.sign_in("admin", PASSWORD).status, 200);
    let (browser, _) = sign_in(&server, "admin", PASSWORD);
    let mut other = Console { browser };
    assert!(!is_signed_out(&mut other));
    assert_eq!(person.open("/me").status, 200);
    let listed = console.page("/account").body;
    assert_eq!(
        listed.matches("<tr><th scope=\"row\">").count(),
        3,
        "{listed}"
    );
    assert_eq!(listed.matches("this one").count(), 1, "{listed}");
    console.submit("/account/password", &[("password", OTHER)]);
    assert!(is_signed_out(&mut other));
    assert_eq!(person.open("/me").header("location"), Some("/signin"));
    // The control: the session in which it was changed goes on.
    let listed = console.page("/account").body;
    assert_eq!(
        listed.matches("<tr><th scope=\"row\">").count(),
        1,
        "{listed}"
    );
    assert_eq!(sign_in(&server, "admin", PASSWORD).1.status, 401);
    assert_eq!(sign_in(&server, "admin", OTHER).1.status, 303);
}

#[test]
fn m124_all_other_sessions_of_ones_own_end_by_a_button() {
    let server = Server::start_with("[person]");
    let mut console = server.console();
    console.submit("/account/password", &[("password", PASSWORD)]);
    let alone = console.page("/account").body;
    assert!(!alone.contains("/console/account/sessions"), "{alone}");
    let (browser, _) = sign_in(&server, "admin", PASSWORD);
    let mut other = Console { browser };
    let mut person = Browser::new(&server);
    person.sign_in("admin", PASSWORD);
    let ended = console.submit("/account/sessions", &[]);
    assert!(
        ended.body.contains("✓ Your other sessions have ended"),
        "{ended:?}"
    );
    assert!(is_signed_out(&mut other));
    assert_eq!(person.open("/me").header("location"), Some("/signin"));
    assert!(!is_signed_out(&mut console));
    let changes = server.ok(&["changes", "list", "--json"]);
    assert!(
        changes.contains("all but the one that ends them"),
        "{changes}"
    );
}

#[test]
fn m119_what_is_no_text_of_the_console_says_that_it_is_english() {
    let server = Server::start();
    let mut console = server.console();
    let french = ("Accept-Language".to_owned(), "fr".to_owned());
    console.browser.headers.push(french);
    let odd = console.submit("/subjects/new", &[("id", "..")]);
    assert_eq!(odd.status, 422, "{odd:?}");
    let at_field = "id=\"id-fault\">✗ <span lang=\"en\">";
    let on_top = "<a href=\"#id\">id</a>: <span lang=\"en\">";
    for marked in ["<html lang=\"fr\"", at_field, on_top] {
        assert!(odd.body.contains(marked), "{marked}: {odd:?}");
    }
    // The control: what the console says itself is in the language of the page.
    let short = console.submit("/account/password", &[("password", "short")]);
    let on_top = "<span lang=\"fr\">Un mot de passe a au moins 15 caractères";
    assert!(short.body.contains(on_top), "{short:?}");
    let nobody = [("client", "nobody"), ("subject", "nobody")];
    for (path, values, fault) in [
        ("/clients/new", &[("kind", "")][..], "kind-fault"),
        ("/permissions/new", &nobody, "subject-fault"),
    ] {
        let refused = console.submit(path, values);
        assert!(refused.body.contains(fault), "{refused:?}");
        assert!(!refused.body.contains("<span lang=\"en\">"), "{refused:?}");
    }
}
