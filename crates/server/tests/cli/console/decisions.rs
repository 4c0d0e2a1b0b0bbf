//! Decisions: grouped, one by one, one of them.

use grantor_testkit::binary::console::text;
use serde_json::Value;

use crate::support::{Answer, CLIENT_ASSERTION, JWT_BEARER, Server};

/// Asks for a token with an assertion of this client, with these flags of `assertion mint`.
fn asks(server: &Server, key: &std::path::Path, arguments: &[&str]) -> Answer {
    let mint = ["assertion", "mint", "--key", &key.to_string_lossy()];
    let assertion = server.ok(&[&mint[..], arguments].concat());
    server.token(&[("grant_type", JWT_BEARER), ("assertion", assertion.trim())])
}

fn wait_for(server: &Server, id: &str) {
    server.wait_until("the decision is recorded", || {
        server.run(&["decisions", "show", id]).status.success()
    });
}

/// The part of a page between the tags of a section.
fn section<'p>(page: &'p Answer, id: &str) -> &'p str {
    let (_, rest) = page
        .body
        .split_once(&format!("id=\"{id}\""))
        .unwrap_or_else(|| unreachable!("no {id} in {page:?}"));
    rest.split("</section>").next().unwrap_or_default()
}

#[test]
fn m121_refusals_are_grouped_by_rule_and_party_and_a_group_leads_to_its_decisions() {
    let server = Server::start();
    let billing = server.client("billing", &["--generate-key"]);
    let nightly = server.client("nightly", &["--generate-key"]);
    let mut console = server.console();
    let empty = console.page("/decisions?rule=aud");
    assert!(section(&empty, "groups").contains("No refusals in this time. Good."));
    for _ in 0..3 {
        assert_eq!(
            asks(&server, &billing, &["--aud", "https://other.example"]).error(),
            "invalid_grant"
        );
    }
    asks(&server, &nightly, &["--aud", "https://other.example"]);
    let granted = asks(&server, &billing, &[]);
    assert_eq!(granted.status, 200, "{granted:?}");
    let last = asks(&server, &nightly, &["--lifetime", "2h"]);
    wait_for(&server, &last.decision_id());

    let page = console.page("/decisions");
    let groups = section(&page, "groups");
    assert!(groups.contains("data-live"), "{groups}");
    let rows: Vec<_> = groups.split("<tr>").skip(2).map(text).collect();
    assert!(
        rows[0].contains("aud") && rows[0].contains("billing") && rows[0].contains('3'),
        "{rows:?}"
    );
    assert!(rows.iter().any(|row| row.contains("nightly")), "{rows:?}");
    assert!(text(groups).contains("5 refusals in 3 groups"), "{groups}");

    let link = "/console/decisions?refused=true&party=billing&rule=aud";
    assert!(groups.contains(&link.replace('&', "&amp;")), "{groups}");
    let of_group = console.page(link);
    let single = section(&of_group, "decisions");
    assert_eq!(single.matches("<tr>").count(), 1 + 3, "{single}");
    // The control: without the filter what was granted is there too.
    assert!(section(&page, "decisions").contains("✓ Granted"));
    assert!(!single.contains("✓ Granted") && single.contains("✗ Refused"));

    let csv = console.page("/decisions?rule=aud&format=csv");
    assert_eq!(csv.body.split_terminator("\r\n").count(), 1 + 4, "{csv:?}");
    let json = console.page("/decisions?rule=aud&format=json");
    assert_eq!(json.json().as_array().map(Vec::len), Some(4));
    assert_eq!(console.open("/decisions?colour=red").status, 400);
}

#[test]
fn m121_older_decisions_are_on_the_next_pages_whatever_comes_meanwhile() {
    let server = Server::start();
    let send = |number: usize| {
        let id = format!("client-{number:03}");
        let sent = server.token(&[("grant_type", "client_credentials"), ("client_id", &id)]);
        sent.decision_id()
    };
    let ids: Vec<_> = (0..120).map(send).collect();
    wait_for(&server, &ids[119]);
    let mut console = server.console();
    let next = |page: &Answer| {
        let (_, rest) = page.body.split_once("rel=\"next\" href=\"")?;
        Some(rest.split('"').next()?.replace("&amp;", "&"))
    };
    let (mut seen, mut path) = (Vec::new(), "/decisions?endpoint=token".to_owned());
    loop {
        let page = console.page(&path);
        let rows = section(&page, "decisions");
        let links = rows.split("href=\"/console/decisions/").skip(1);
        seen.extend(links.filter_map(|link| Some(link.split('"').next()?.to_owned())));
        wait_for(&server, &send(seen.len()));
        match next(&page) {
            Some(next) => path = next,
            None => break,
        }
    }
    let newest_first: Vec<_> = ids.into_iter().rev().collect();
    assert_eq!(seen, newest_first);
}

#[test]
fn m126_a_refusal_says_what_is_wrong_what_to_do_and_who_has_to_do_it() {
    let server = Server::start();
    let billing = server.client("billing", &["--generate-key"]);
    let refused = asks(&server, &billing, &["--aud", "https://other.example"]);
    let id = refused.decision_id();
    wait_for(&server, &id);
    let mut console = server.console();
    let page = console.page(&format!("/decisions/{id}"));
    let shown = text(&page.body);
    for said in [
        "✗ Refused The audience is another server's",
        "token · urn:ietf:params:oauth:grant-type:jwt-bearer",
        "It says it is billing; its signature is right.",
        "Its sender has to do it",
        "Have the sender set aud to this server's issuer identifier",
        "https://other.example",
        "The same for billing: once since",
        "This server's clock said",
    ] {
        assert!(shown.contains(said), "no {said:?} in {shown}");
    }
    let results = ["✓ pass", "✗ fail", "– not reached"];
    assert!(
        results.iter().all(|result| shown.contains(result)),
        "{shown}"
    );
    assert!(page.body.contains("data-copy=\"#advice\""));

    let mut french = console.clone();
    french.browser.headers = vec![("Accept-Language".to_owned(), "fr".to_owned())];
    let french = text(&french.page(&format!("/decisions/{id}")).body);
    for said in [
        "✗ Refusée L'audience est celle d'un autre serveur",
        "C'est à son expéditeur de le faire",
        "✗ enfreinte",
    ] {
        assert!(french.contains(said), "no {said:?} in {french}");
    }
    // What the API answers is the same.
    let json: Value =
        serde_json::from_str(&server.ok(&["decisions", "show", &id, "--json"])).expect("JSON");
    assert_eq!(json["whose"], "sender");
    assert_eq!(console.open("/decisions/nothing").status, 404);
}

#[test]
fn m126_a_refusal_for_want_of_a_permission_leads_to_the_form_that_gives_it() {
    let server = Server::start();
    let billing = server.client("billing", &["--generate-key"]);
    server.ok(&["subject", "create", "alice"]);
    let refused = asks(&server, &billing, &["--sub", "alice"]);
    let id = refused.decision_id();
    wait_for(&server, &id);
    let path = format!("/decisions/{id}");
    let form = "href=\"/console/permissions/new?client=billing\"";
    let mut console = server.console();
    let page = console.page(&path);
    assert!(page.body.contains(form), "{page:?}");
    let given = console.page("/permissions/new?client=billing");
    assert!(given.body.contains("value=\"billing\""), "{given:?}");
    // Who may not give one reads the advice alone.
    let mut reader = server.console_as("rita", "reader");
    let page = reader.page(&path);
    assert!(page.body.contains("grantor permission create"), "{page:?}");
    assert!(!page.body.contains("/permissions/new"), "{page:?}");
}

#[test]
fn m126_what_was_granted_needs_no_advice() {
    let server = Server::start();
    let billing = server.client("billing", &["--generate-key"]);
    assert_eq!(asks(&server, &billing, &[]).status, 200);
    let newest = || {
        let listed = server.ok(&["decisions", "list", "--client", "billing", "--json"]);
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        listed[0]["id"].as_str().map(str::to_owned)
    };
    server.wait_until("the decision is recorded", || newest().is_some());
    let mut console = server.console();
    let page = console.page(&format!("/decisions/{}", newest().expect("one")));
    assert!(page.body.contains("✓ Granted") && !page.body.contains("What to do"));
}

/// What strangers put into requests stands in pages as text, and what hides is seen.
#[test]
fn ma16_what_strangers_send_is_text_on_the_pages_of_decisions_and_in_csv() {
    let server = Server::start();
    let hostile = [
        "<script>alert(1)</script>",
        "\"><svg onload=alert(1)>",
        "</script><b>",
        "{{7*7}}",
        "javascript:alert(1)",
        "a\u{202e}b",
        "=1+1",
        &"x".repeat(10 * 1024),
    ];
    let mut ids = Vec::new();
    for text in hostile {
        let sent = server.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", text),
            ("client_secret", "secret-that-is-long-enough"),
            ("scope", text),
        ]);
        ids.push(sent.decision_id());
        let jwt = forged(text);
        let sent = server.token(&[("grant_type", JWT_BEARER), ("assertion", &jwt)]);
        ids.push(sent.decision_id());
        let sent = server.token(&[
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", &jwt),
        ]);
        ids.push(sent.decision_id());
    }
    wait_for(&server, ids.last().expect("some"));
    let mut console = server.console();
    let mut paths: Vec<_> = ids.iter().map(|id| format!("/decisions/{id}")).collect();
    paths.push("/decisions".to_owned());
    paths.push("/decisions?party=%22%3E%3Csvg%20onload%3Dalert(1)%3E&rule=%3Cb%3E".to_owned());
    for path in paths {
        let page = console.page(&path);
        let lower = page.body.to_lowercase();
        for markup in ["<script>", "<svg onload", "<b>", "href=\"javascript"] {
            assert!(!lower.contains(markup), "{markup} on {path}");
        }
        assert!(!page.body.contains('\u{202e}'), "{path}");
        assert!(!page.body.contains(&"x".repeat(200)), "{path}");
    }
    let list = console.page("/decisions");
    assert!(
        list.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{list:?}"
    );
    assert!(list.body.contains("a\\u{202e}b"), "{list:?}");
    let csv = console.page("/decisions?format=csv").body;
    assert!(
        !csv.contains('\u{202e}') && !csv.contains(",\"=1+1\""),
        "{csv}"
    );
    assert!(csv.contains("\"'=1+1\""), "{csv}");
}

/// A JWT with this in its header and claims, which nobody has signed.
fn forged(text: &str) -> String {
    use grantor::jose::base64url_encode;
    let quoted = Value::from(text);
    let header = format!(r#"{{"alg":"ES256","kid":{quoted}}}"#);
    let claims = format!(
        r#"{{"iss":{quoted},"sub":{quoted},"aud":{quoted},"exp":9999999999,"jti":{quoted},"scope":{quoted}}}"#
    );
    let [header, claims] = [header, claims].map(base64url_encode);
    format!("{header}.{claims}.c2ln")
}
