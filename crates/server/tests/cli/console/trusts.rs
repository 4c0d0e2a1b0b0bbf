//! Trusts: what JWTs of issuers are worth.

use serde_json::Value;

use super::session::{owner, sign_in};
use crate::support::{Server, clock::Clock, console::text};

fn trust(server: &Server, name: &str) -> Value {
    let shown = server.run(&["trust", "show", name, "--json"]);
    serde_json::from_str(&shown.stdout).unwrap_or_default()
}

const GITHUB: [(&str, &str); 7] = [
    ("name", "deploy"),
    ("options/owner-id", "123456"),
    ("options/repository-id", "456789"),
    ("options/ref", "refs/heads/release/*"),
    ("scope", "deploy"),
    ("skip_check", "true"),
    ("reason", "ticket 7"),
];

#[test]
fn m116_a_ci_job_gets_an_issuer_a_trust_and_a_client_by_one_form_and_reads_what_to_do() {
    let server = Server::start();
    let mut console = server.console();
    let platforms = console.page("/issuers/new");
    assert!(platforms.body.contains("GitHub Actions"), "{platforms:?}");
    let path = "/issuers/new?template=github-actions";
    let made = console.submit(path, &GITHUB);
    assert_eq!(made.status, 200, "{made:?}");
    let said = text(&made.body);
    assert!(
        said.contains("deploy is made, with the issuer github-actions and the client deploy."),
        "{said}"
    );
    for line in [
        "repository_owner_id is 123456",
        "ref matches refs/heads/release/*, from its beginning to its end",
        "id-token: write",
        &format!("$ACTIONS_ID_TOKEN_REQUEST_URL&audience={}", server.issuer),
        &format!("curl {}/token", server.issuer),
        "client_id=deploy",
    ] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    let document = trust(&server, "deploy");
    assert_eq!(
        (&document["client"], &document["scope"]),
        (&"deploy".into(), &"deploy".into())
    );
    assert_eq!(document["template"]["name"], "github-actions");
    assert!(server.ok(&["changes", "list"]).contains("ticket 7"));
    // A second one needs its issuer no more.
    let mut other =
        GITHUB.map(|(name, value)| (name, if name == "name" { "other" } else { value }));
    other[3] = ("options/ref", "refs/heads/main");
    let made = text(&console.submit(path, &other).body);
    assert!(
        made.contains("other is made, with the client other."),
        "{made}"
    );
}

#[test]
fn m127_what_a_template_needs_and_what_it_warns_of_is_said_at_its_field() {
    let server = Server::start();
    let mut console = server.console();
    let path = "/issuers/new?template=github-actions";
    let without = GITHUB.map(|(name, value)| match name {
        "options/owner-id" | "name" => (name, ""),
        _ => (name, value),
    });
    let refused = console.submit(path, &without);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.body.contains("id=\"options/owner-id-fault\""),
        "{refused:?}"
    );
    assert!(refused.body.contains("id=\"name-fault\""), "{refused:?}");
    assert!(refused.body.contains("value=\"456789\""), "{refused:?}");
    assert!(trust(&server, "deploy").is_null());
    console.submit(path, &GITHUB);

    // Claim by claim: what is probably a mistake is refused, and says how it is allowed.
    let typed = [
        ("name", "named"),
        ("issuer", "github-actions"),
        (
            "pins",
            "repository_owner_id=123456\r\nrepository=acme/widgets",
        ),
        ("condition", "assertion.event_name == 'push'"),
    ];
    let refused = console.submit("/trusts/new", &typed);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(
        refused.body.contains("or allow mutable-names"),
        "{refused:?}"
    );
    assert!(
        refused.body.contains("value=\"mutable-names\""),
        "{refused:?}"
    );
    assert!(trust(&server, "named").is_null());
    let allowed = [&typed[..], &[("allowed_lints", "mutable-names")]].concat();
    let made = console.submit("/trusts/new", &allowed);
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(trust(&server, "named")["allowed_lints"][0], "mutable-names");
    let none = console.submit(
        "/trusts/new",
        &[
            ("name", "x"),
            ("issuer", "nobody"),
            ("pins", "sub=a"),
            ("client", "nobody"),
        ],
    );
    assert_eq!(none.status, 422, "{none:?}");
    assert!(none.body.contains("id=\"issuer-fault\""), "{none:?}");
    assert!(none.body.contains("id=\"client-fault\""), "{none:?}");
    let wrong = console.submit(
        "/trusts/new",
        &[
            ("name", "x"),
            ("issuer", "github-actions"),
            ("pins", "sub=a\r\nb"),
        ],
    );
    assert!(wrong.body.contains("line 2: expected a claim"), "{wrong:?}");
}

#[test]
fn m127_m113_a_trust_is_changed_made_a_shadow_turned_off_reported_and_deleted() {
    let server = Server::start();
    let mut console = server.console();
    console.submit("/issuers/new?template=github-actions", &GITHUB);
    let form = console.form("/trusts/deploy/edit");
    let pins = form
        .fields
        .iter()
        .find(|(name, _)| name == "pins")
        .map(|(_, pins)| &**pins);
    assert_eq!(
        pins,
        Some("repository_owner_id=123456\nrepository_id=456789")
    );
    let changed = console.submit(
        "/trusts/deploy/edit",
        &[
            (
                "pins",
                "repository_owner_id=123456\r\nrepository_id=456789\r\nrun_attempt=int:1",
            ),
            ("cap_to_assertion", "true"),
        ],
    );
    assert!(changed.body.contains("is changed."), "{changed:?}");
    assert!(
        text(&changed.body).contains("run_attempt is the number 1"),
        "{changed:?}"
    );
    let document = trust(&server, "deploy");
    assert_eq!(document["pins"][2]["equals"], 1);
    assert_eq!(document["cap_to_assertion"], true);
    assert_eq!(document["matches"][0]["glob"], "refs/heads/release/*");

    for (mode, said) in [
        ("shadow", "is a shadow."),
        ("off", "is off."),
        ("on", "is on."),
    ] {
        let path = format!("/trusts/deploy/mode?mode={mode}");
        let done = console.submit(&path, &[]);
        assert!(done.body.contains(said), "{mode}: {done:?}");
        assert_eq!(trust(&server, "deploy")["mode"], mode);
    }
    assert_eq!(console.open("/trusts/deploy/mode?mode=x").status, 400);
    let report = console.page("/trusts/deploy/report");
    assert!(
        report.body.contains("No JWT was turned away. Good."),
        "{report:?}"
    );
    let list = console.page("/trusts?issuer=github-actions");
    assert!(list.body.contains("/console/trusts/deploy"), "{list:?}");

    let mut reader = server.console_as("rita", "reader");
    for path in ["edit", "mode?mode=off", "delete"] {
        let path = format!("/trusts/deploy/{path}");
        assert!(
            !reader.page("/trusts/deploy").body.contains(&path),
            "{path}"
        );
        assert!(
            console.page("/trusts/deploy").body.contains(&path),
            "{path}"
        );
        assert_eq!(reader.open(&path).status, 403, "{path}");
    }
    let deleted = console.submit("/trusts/deploy/delete", &[]);
    assert!(
        deleted.body.contains("is deleted. Its client stays."),
        "{deleted:?}"
    );
    assert!(trust(&server, "deploy").is_null());
    assert!(server.ok(&["client", "list"]).contains("deploy"));
}

/// Whoever changes what a CI job with power signs with could come in as that job.
#[test]
fn m112_ma24_what_gives_power_to_a_job_is_changed_with_a_fresh_proof_only() {
    let clock = Clock::new().expect("a compiler");
    let server = Server::start_under(&clock, "");
    let mut console = owner(&server);
    let path = "/issuers/new?template=github-actions";
    console.submit(path, &GITHUB);
    let mut other =
        GITHUB.map(|(name, value)| (name, if name == "name" { "other" } else { value }));
    other[3] = ("options/ref", "refs/heads/main");
    console.submit(path, &other);
    server.ok(&[
        "client",
        "update",
        "deploy",
        "--scope",
        "deploy grantor:read",
    ]);
    let before = server.ok(&["export"]);
    clock.set(360);
    for (path, field) in [
        ("/trusts/deploy/edit", ("lifetime", "60")),
        ("/issuers/github-actions/edit", ("leeway", "7")),
        ("/issuers/github-actions/switch", ("enabled", "false")),
        ("/trusts/deploy/mode?mode=off", ("mode", "off")),
    ] {
        let asked = console.submit(path, &[field]);
        assert!(
            asked.body.contains("<h1>Confirm it is you</h1>"),
            "{path}: {asked:?}"
        );
    }
    assert_eq!(server.ok(&["export"]), before);
    // The control: a trust that gives no power.
    let changed = console.submit("/trusts/other/edit", &[("lifetime", "60")]);
    assert!(changed.body.contains("is changed."), "{changed:?}");
    // With the proof the form comes back, and is taken.
    let asked = console.submit("/trusts/deploy/mode?mode=off", &[]);
    let back = sign_in(&mut console, &asked);
    let form = back.filled("/console/trusts/deploy/mode");
    let done = console.browser.submit(&form, &[]);
    assert!(done.body.contains("is off."), "{done:?}");
}

#[test]
fn ma16_what_strangers_name_is_text_on_pages_of_trusts() {
    let server = Server::start();
    let mut console = server.console();
    let typed = [
        ("iss", "https://idp.example/<script>\u{202e}"),
        ("name", "idp"),
        ("from", "discovery"),
        ("skip_check", "true"),
    ];
    let made = console.submit("/issuers/new/by-hand", &typed);
    assert_eq!(made.status, 200, "{made:?}");
    let typed = [
        ("name", "t"),
        ("issuer", "idp"),
        ("pins", "a=<img src=x onerror=alert(1)>"),
    ];
    let made = console.submit("/trusts/new", &typed);
    assert_eq!(made.status, 200, "{made:?}");
    for path in [
        "/issuers",
        "/issuers/idp",
        "/trusts",
        "/trusts/t",
        "/trusts/t/edit",
    ] {
        let page = console.page(path).body;
        assert!(
            !page.contains("<script>") && !page.contains("<img"),
            "{path}: {page}"
        );
        assert!(!page.contains('\u{202e}'), "{path}: {page}");
    }
    assert!(
        console
            .page("/issuers/idp")
            .body
            .contains("&lt;script&gt;\\u{202e}")
    );
}
