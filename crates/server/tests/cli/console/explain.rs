//! The page into which a JWT is pasted.

use std::path::Path;

use grantor_testkit::binary::console::{Console, text};

use super::session::{owner, sign_in};
use crate::support::{Answer, CLIENT_ASSERTION, JWT_BEARER, Server};

fn mint(server: &Server, key: &Path, arguments: &[&str]) -> String {
    let mint = ["assertion", "mint", "--key", &key.to_string_lossy()];
    let minted = server.ok(&[&mint[..], arguments].concat());
    minted.trim().to_owned()
}

fn paste(console: &mut Console<'_>, jwt: &str) -> Answer {
    let answer = console.submit("/explain", &[("jwt", jwt), ("use", "")]);
    // Nothing of it comes back but what a record would show.
    for part in jwt.split('.').filter(|part| part.len() > 40) {
        assert!(!answer.body.contains(part), "{answer:?}");
    }
    answer
}

fn redeem(server: &Server, jwt: &str) -> Answer {
    server.token(&[("grant_type", JWT_BEARER), ("assertion", jwt)])
}

#[test]
fn ma19_m166_a_live_assertion_is_explained_and_can_be_used_afterwards_once() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let mut console = server.console();
    let jwt = mint(&server, &key, &[]);
    for _ in 0..2 {
        let page = paste(&mut console, &format!("  {jwt}\r\n"));
        assert_eq!(page.status, 200, "{page:?}");
        let shown = text(&page.body);
        assert!(
            shown.contains("✓ Would be accepted It keeps every rule"),
            "{shown}"
        );
        assert!(
            shown.contains("Whoever has it can still use it, for another"),
            "{shown}"
        );
    }
    assert_eq!(redeem(&server, &jwt).status, 200);
    let shown = text(&paste(&mut console, &jwt).body);
    assert!(
        shown.contains("✗ Would be refused The assertion was used before"),
        "{shown}"
    );
    assert!(shown.contains("nobody can use it again"), "{shown}");
    assert_eq!(redeem(&server, &jwt).error(), "invalid_grant");
    let log = format!("{:?}", server.log());
    assert!(
        !log.contains(jwt.rsplit_once('.').expect("parts").1),
        "{log}"
    );
    // Nothing was decided about it, but what the token endpoint decided.
    let decisions = server.ok(&["decisions", "list", "--client", "billing", "--json"]);
    let decisions: serde_json::Value = serde_json::from_str(&decisions).expect("JSON");
    assert!(
        decisions.as_array().is_some_and(|all| all.len() <= 2),
        "{decisions}"
    );
}

#[test]
fn m126_a_refusal_is_explained_as_what_it_is_pasted_for() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let mut console = server.console();
    let jwt = mint(&server, &key, &["--aud", "https://other.example"]);
    let shown = text(&paste(&mut console, &jwt).body);
    for said in [
        "✗ Would be refused The audience is another server's",
        "It has not ended: it lasts another",
        "What to do Have the sender set aud",
        "The JWT as a grant",
        "https://other.example",
    ] {
        assert!(shown.contains(said), "no {said:?} in {shown}");
    }
    let values = [("jwt", jwt.as_str()), ("use", "client_authentication")];
    let page = console.submit("/explain", &values);
    assert!(
        page.body.contains("The JWT as client authentication"),
        "{page:?}"
    );
    assert!(
        page.body
            .contains("<option value=\"client_authentication\" selected>"),
        "{page:?}"
    );
}

#[test]
fn ma19_what_is_no_jwt_or_too_long_is_told_and_nothing_is_fetched() {
    let server = Server::start();
    let mut console = server.console();
    let canary = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    canary.set_nonblocking(true).expect("a setting");
    let url = format!("http://{}/keys", canary.local_addr().expect("an address"));
    let encoded = |text: &str| grantor::jose::base64url_encode(text.as_bytes());
    let jku = format!(
        "{}.{}.c2ln",
        encoded(&format!(r#"{{"alg":"ES256","jku":"{url}","x5u":"{url}"}}"#)),
        encoded(&format!(r#"{{"iss":"{url}","sub":"x"}}"#))
    );
    let jwe = format!("{}.a.b.c.d", encoded(r#"{"alg":"dir","enc":"A256GCM"}"#));
    for jwt in [jku.as_str(), &jwe, "not a JWT", "<script>alert(1)</script>"] {
        let page = paste(&mut console, jwt);
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.body.contains("✗ Would be refused"), "{page:?}");
        assert!(!page.body.contains("<script>alert"), "{page:?}");
    }
    assert!(canary.accept().is_err(), "something was fetched");
    for (jwt, said) in [
        ("x".repeat(16 * 1024 + 1), "This is longer than 16 KiB"),
        (String::new(), "Nothing is pasted here"),
    ] {
        let page = paste(&mut console, &jwt);
        assert_eq!(page.status, 422, "{page:?}");
        assert!(text(&page.body).contains(said), "{page:?}");
        assert!(page.body.contains("aria-invalid=\"true\""), "{page:?}");
        assert!(!page.body.contains("xxxxxxxx"), "{page:?}");
    }
    // The control: as long as it may be.
    let page = paste(&mut console, &"x".repeat(16 * 1024));
    assert_eq!(page.status, 200, "{page:?}");
}

/// A JWT does not wait for its sender to sign in, nor does the address take one.
#[test]
fn m166_what_was_pasted_is_not_kept_for_after_signing_in() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let jwt = mint(&server, &key, &[]);
    let mut console = owner(&server);
    let page = console.page(&format!("/explain?jwt={jwt}"));
    assert!(
        page.body
            .contains("aria-describedby=\"jwt-hint\"></textarea>"),
        "{page:?}"
    );
    assert!(!page.body.contains("Would be"), "{page:?}");

    let form = console.form("/explain");
    let out = console.clone().page("/explain").form("/console/signout");
    console.clone().browser.submit(&out, &[]);
    let values = [("jwt", jwt.as_str()), ("use", "grant")];
    let asked = console.browser.submit(&form, &values);
    let back = sign_in(&mut console, &asked);
    assert!(back.body.contains("<h1>Explain a JWT</h1>"), "{back:?}");
    // The control: what is not secret is there again.
    assert!(
        back.body.contains("<option value=\"grant\" selected>"),
        "{back:?}"
    );
    assert!(!back.body.contains(&jwt[..40]), "{back:?}");
}

#[test]
fn m166_thirty_a_minute_are_explained() {
    let server = Server::start();
    let mut console = server.console();
    let statuses: Vec<_> = (0..32)
        .map(|_| paste(&mut console, "a.b.c").status)
        .collect();
    assert_eq!(statuses[..30], [200; 30]);
    assert!(statuses[30..].contains(&429), "{statuses:?}");
    let page = paste(&mut console, "a.b.c");
    assert!(
        page.status != 429 || page.body.contains("You asked for this too often"),
        "{page:?}"
    );
}

#[test]
fn m166_a_reader_explains_too_and_only_by_post_with_a_ticket() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let jwt = mint(&server, &key, &[]);
    let mut reader = server.console_as("rita", "reader");
    assert!(
        paste(&mut reader, &jwt)
            .body
            .contains("✓ Would be accepted")
    );
    let mut form = reader.form("/explain");
    form.fields.retain(|(name, _)| name != "t");
    let origin = [("Origin", server.issuer.as_str())];
    let sent = reader.browser.submit_as(&form, &[("jwt", &jwt)], &origin);
    assert!(!sent.body.contains("Would be accepted"), "{sent:?}");
    // What it would be used for is a matter of the server's.
    let used = server.token(&[
        ("grant_type", "client_credentials"),
        ("client_assertion_type", CLIENT_ASSERTION),
        ("client_assertion", &jwt),
    ]);
    assert_eq!(used.status, 200, "{used:?}");
}
