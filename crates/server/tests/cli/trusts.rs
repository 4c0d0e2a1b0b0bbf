//! `grantor trust`: what JWTs are worth is said claim by claim; a JWT is tried before it is sent,
//! and what is refused says what differs, and who changes it.

use std::thread;

use grantor::jose::Algorithm;
use grantor_testkit::{
    binary::{JWT_BEARER, Server, held_address},
    forge::Key,
};
use serde_json::{Value, json};

use crate::desk::{Desk, ISS, OURS, jwt};

/// M006: each change of two at once is of what the other has left, or is not made.
#[test]
fn m006_what_was_read_before_a_change_is_not_lost() {
    let desk = Desk::with_issuer();
    desk.ok(&[
        "client",
        "create",
        "job",
        "--auth",
        "none",
        "--grant",
        "jwt-bearer",
        "--scope",
        "read",
    ]);
    desk.ok(&[
        "trust", "create", "ci", "--from", "idp", "--client", "job", "--scope", "read", "--pin",
        "sub=job",
    ]);
    for round in 0..8 {
        let pins = ["a", "b"].map(|claim| format!("{claim}{round}=1"));
        let update = |pin: &str| desk.run(&["trust", "update", "ci", "--pin", pin]);
        let done = thread::scope(|scope| {
            let other = scope.spawn(|| update(&pins[1]));
            let first = update(&pins[0]);
            [first, other.join().expect("it ended")]
        });
        let shown = desk.ok(&["trust", "show", "ci", "--json"]);
        assert!(done.iter().any(|one| one.status.success()), "{done:?}");
        for (pin, done) in pins.iter().zip(&done) {
            let claim = pin.trim_end_matches("=1");
            let is_there = shown.contains(&format!("\"{claim}\""));
            assert_eq!(is_there, done.status.success(), "{pin}: {done:?} {shown}");
        }
    }
}

#[test]
fn a_trust_is_made_listed_shown_and_changed_claim_by_claim() {
    let desk = Desk::with_issuer();
    let flags = [
        "--pin",
        "sub=job-1",
        "--pin",
        "run=int:7",
        "--match",
        "ref=refs/heads/release/*",
        "--condition",
        "assertion.event == 'push'",
        "--scope",
        "deploy",
        "--scope",
        "status",
        "--lifetime",
        "15m",
        "--claim",
        "team=/org/team",
        "--resource",
        "https://api.example",
    ];
    let text = desk.ok(&[&["trust", "create", "ci", "--from", "idp"], &flags[..]].concat());
    assert!(
        text.contains("client ci created") && text.contains("trust ci created\n"),
        "{text}"
    );
    let trust = desk.json(&["trust", "show", "ci"]);
    assert_eq!(
        (
            &trust["issuer"],
            &trust["client"],
            &trust["pins"],
            &trust["subject"]
        ),
        (
            &json!(ISS),
            &json!("ci"),
            &json!([{"claim": "sub", "equals": "job-1"}, {"claim": "run", "equals": 7}]),
            &json!("template:ci:{sub}")
        )
    );
    assert_eq!(
        (&trust["scope"], &trust["lifetime"], &trust["claims"]),
        (
            &json!("deploy status"),
            &json!(900),
            &json!([{"to": "team", "from": "/org/team"}])
        )
    );
    let text = desk.ok(&["trust", "show", "ci"]);
    for line in ["pin", "match", "condition"] {
        assert!(
            text.lines().any(|shown| shown.starts_with(line)),
            "{line}: {text}"
        );
    }
    let list = desk.ok(&["trust", "list", "--from", "idp", "--client", "ci"]);
    assert!(list.contains("run=int:7"), "{list}");
    assert_eq!(
        desk.json(&["trust", "list", "--client", "other"]),
        json!([])
    );

    let update = [
        "trust",
        "update",
        "ci",
        "--pin",
        "sub=job-2",
        "--unpin",
        "run",
        "--unclaim",
        "team",
    ];
    let updated = desk.json(&[&update[..], &["--condition", "", "--unmatch", "ref"]].concat());
    let members: Vec<_> = updated["differences"]
        .as_array()
        .expect("differences")
        .iter()
        .map(|differs| differs["member"].as_str().expect("a member"))
        .collect();
    assert_eq!(members, ["claims", "condition", "matches", "pins"]);
    let trust = &updated["document"];
    assert_eq!(
        (&trust["pins"], &trust["matches"], &trust["condition"]),
        (
            &json!([{"claim": "sub", "equals": "job-2"}]),
            &json!([]),
            &Value::Null
        )
    );
    let again = desk.ok(&["trust", "update", "ci", "--pin", "sub=job-2"]);
    assert_eq!(again, "trust ci is as it was\n");
    desk.ok(&["trust", "delete", "ci"]);
    desk.refuses(
        &["trust", "show", "ci"],
        1,
        &["does not exist", "grantor trust list"],
    );
}

#[test]
fn what_makes_no_sense_names_its_flag_and_stores_nothing() {
    let desk = Desk::with_issuer();
    let pin = ["--pin", "sub=job-1"];
    let rows: &[(&[&str], &[&str])] = &[
        (&[], &["--pin", "at least one pin, match or condition"]),
        (
            &["--pin", "sub"],
            &["--pin", "CLAIM=VALUE", "repository_id=456789"],
        ),
        (&["--pin", "=x"], &["--pin", "the claim is empty"]),
        (&["--pin", "/a~2=x"], &["--pin", "`~1` (for `/`)"]),
        (&["--pin", "sub="], &["--pin"]),
        (&["--match", "ref=*"], &["--match", "literal text"]),
        (
            &["--match", "ref=a*b*c*d*e*f*g*h*i*"],
            &["--match", "8 stars"],
        ),
        (
            &["--pin", "sub=job-1", "--condition", "matches('x')"],
            &["--condition", "at octet"],
        ),
        (
            &["--pin", "sub=job-1", "--condition", "assertion.a =="],
            &["--condition", "at octet"],
        ),
        (
            &["--pin", "sub=job-1", "--subject", "sub"],
            &["--subject", "fixed:SUBJECT", "template:TEXT"],
        ),
        (
            &["--pin", "sub=job-1", "--subject", "template:{sub}"],
            &["--subject", "begins with literal text"],
        ),
        (
            &["--pin", "sub=job-1", "--claim", "sub=x"],
            &["--claim", "sub"],
        ),
        (
            &["--pin", "sub=job-1", "--claim", "team"],
            &["--claim", "OUT=CLAIM"],
        ),
        (
            &["--pin", "sub=job-1", "--resource", "api"],
            &["--resource"],
        ),
        (
            &["--pin", "sub=job-1", "--use", "exchange"],
            &["--use", "client-auth"],
        ),
        (
            &["--pin", "sub=job-1", "--client-auth", "required"],
            &["client ci has the method none"],
        ),
        (
            &["--pin", "sub=job-1", "--lifetime", "long"],
            &["--lifetime", "90s"],
        ),
        (
            &["--pin", "sub=job-1", "--template", "oidc"],
            &["--from", "--template"],
        ),
    ];
    for (flags, words) in rows {
        desk.refuses(
            &[&["trust", "create", "ci", "--from", "idp"], *flags].concat(),
            2,
            words,
        );
    }
    desk.refuses(
        &[&["trust", "create", "c i", "--from", "idp"], &pin[..]].concat(),
        2,
        &["letter or digit"],
    );
    desk.refuses(
        &[&["trust", "create", "ci"], &pin[..]].concat(),
        2,
        &["--from"],
    );
    desk.refuses(
        &[&["trust", "create", "ci", "--from", "nowhere"], &pin[..]].concat(),
        1,
        &["issuer nowhere does not exist", "grantor issuer list"],
    );
    desk.refuses(
        &[
            &[
                "trust", "create", "ci", "--from", "idp", "--client", "nobody",
            ],
            &pin[..],
        ]
        .concat(),
        1,
        &["client nobody does not exist"],
    );
    assert_eq!(
        desk.json(&["trust", "list"]),
        json!([]),
        "nothing is stored"
    );
    assert_eq!(
        desk.json(&["client", "list"]),
        json!([]),
        "no client either"
    );
    desk.ok(&[&["trust", "create", "ci", "--from", "idp"], &pin[..]].concat());
    desk.refuses(
        &[&["trust", "create", "ci", "--from", "idp"], &pin[..]].concat(),
        1,
        &["trust ci exists already"],
    );
}

/// Claims of a JWT, the row that they break, and a part of the advice.
type Row<'a> = (&'a [(&'a str, Value)], &'a str, &'a str);

#[test]
fn t034_a_jwt_is_tried_by_every_rule_and_trust_and_the_exit_code_tells() {
    let desk = Desk::with_issuer();
    desk.ok(&[
        "trust",
        "create",
        "ci",
        "--from",
        "idp",
        "--pin",
        "sub=job-1",
        "--pin",
        "run=int:7",
    ]);
    desk.ok(&[
        "trust",
        "create",
        "next",
        "--from",
        "idp",
        "--match",
        "sub=job-*",
        "--shadow",
    ]);
    let good = desk.jwt("good.jwt", &[("run", json!(7))]);
    for arguments in [
        &["trust", "test", &good][..],
        &["trust", "test", "ci", &good],
        &["trust", "test", "next", &good],
        &["issuer", "test", &good],
        &["issuer", "test", "idp", &good],
        &["issuer", "test", ISS, &good],
    ] {
        let text = desk.ok(arguments);
        assert!(text.contains("pass  signature"), "{arguments:?}: {text}");
    }
    let text = desk.ok(&["trust", "test", &good]);
    for words in [
        "trust ci (client ci): takes it",
        "pass  pin  run  int:7  got int:7",
        "trust next (client next): would take it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(
        !desk
            .ok(&["trust", "test", "ci", &good])
            .contains("trust next")
    );

    let text_run = desk.jwt("text.jwt", &[("run", json!("7"))]);
    let finished = desk.run(&["trust", "test", "ci", &text_run]);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stdout);
    assert!(
        finished
            .stdout
            .contains("FAIL  pin  run  expected int:7  got 7")
            && finished
                .stdout
                .contains("What to do: Claim run is 7 instead of int:7")
            && finished
                .stdout
                .contains("`grantor trust update ci --pin run=7`"),
        "{}",
        finished.stdout
    );
    let finished = desk.run(&["trust", "test", "ci", &text_run, "--json"]);
    let tried: Value = serde_json::from_str(&finished.stdout).expect("JSON");
    assert_eq!(
        (
            &tried["granted"],
            &tried["explanation"]["trusts"][0]["trust"]
        ),
        (&json!(false), &json!("ci"))
    );
    let tests: &[Row<'_>] = &[
        (&[("run", Value::Null)], "FAIL  pin", "claim run is missing"),
        (
            &[("aud", json!("https://other.example"))],
            "FAIL  aud",
            "--audience AUD",
        ),
        (
            &[("exp", json!(1_800_000_000))],
            "FAIL  exp",
            "--max-lifetime TIME",
        ),
        (
            &[("jti", Value::Null), ("run", json!(7))],
            "FAIL  jti",
            "--replay once-by-digest",
        ),
    ];
    for (claims, row, advice) in tests {
        let name = desk.jwt("bad.jwt", claims);
        let finished = desk.run(&["trust", "test", &name]);
        let text = finished.stdout.to_lowercase();
        assert_eq!(finished.status.code(), Some(1), "{text}");
        assert!(
            text.contains(&row.to_lowercase()) && text.contains(&advice.to_lowercase()),
            "{row}, {advice}: {text}"
        );
    }
    let late = desk.run(&["trust", "test", "ci", &good, "--at", "2040-01-01T00:00:00Z"]);
    assert!(
        late.status.code() == Some(1) && late.stdout.contains("FAIL  exp"),
        "{}",
        late.stdout
    );
    desk.refuses(
        &["trust", "test", "ci", &good, "--at", "noon"],
        2,
        &["--at", "2027-01-15T08:00:00Z"],
    );
    desk.refuses(
        &["trust", "test", "ci", "nowhere.jwt"],
        2,
        &["nowhere.jwt", "No such file"],
    );
    desk.ok(&[
        "issuer",
        "create",
        "https://b.example",
        "--name",
        "b",
        "--jwks",
        "idp.jwks",
    ]);
    desk.refuses(
        &["issuer", "test", "b", &good],
        1,
        &[ISS, "https://b.example", "to the letter"],
    );
}

#[test]
fn t034_the_advice_says_who_changes_what() {
    let desk = Desk::with_issuer();
    let advice = |claims: &[(&str, Value)]| {
        let name = desk.jwt("job.jwt", claims);
        let tried = desk.run(&["trust", "test", &name, "--json"]).stdout;
        let tried: Value = serde_json::from_str(&tried).expect("JSON");
        tried["advice"].as_str().unwrap_or_default().to_owned()
    };
    let none = advice(&[]);
    assert!(
        none.contains("grantor trust create NAME --from idp"),
        "{none}"
    );
    desk.ok(&[
        "trust",
        "create",
        "one",
        "--from",
        "idp",
        "--pin",
        "sub=job-1",
    ]);
    assert_eq!(advice(&[]), "", "granted");
    desk.ok(&[
        "trust",
        "create",
        "two",
        "--from",
        "idp",
        "--pin",
        "sub=job-1",
    ]);
    let both = advice(&[]);
    assert!(
        both.contains("client_id=one or client_id=two") && both.contains("Trusts one and two"),
        "{both}"
    );
    desk.ok(&["trust", "disable", "two"]);
    desk.ok(&["trust", "disable", "one"]);
    let off = advice(&[]);
    assert!(off.contains("grantor trust enable "), "{off}");
    desk.ok(&["trust", "enable", "one"]);
    let quoted = advice(&[("sub", json!("it's job 1"))]);
    assert!(quoted.contains(r"--pin 'sub=it'\''s job 1'"), "{quoted}");
    let hidden = advice(&[("sub", json!("job\u{202e}1"))]);
    assert!(hidden.contains("--pin sub=VALUE"), "{hidden}");
    let slash = advice(&[("iss", json!(ISS.trim_end_matches('/')))]);
    assert!(
        slash.contains(&format!("Issuer idp is registered as {ISS}")),
        "{slash}"
    );
    let unknown = advice(&[("iss", json!("https://agent.buildkite.com"))]);
    assert!(
        unknown.contains("`grantor issuer create https://agent.buildkite.com ...`")
            && unknown.contains("--template buildkite"),
        "{unknown}"
    );
    desk.ok(&["trust", "update", "one", "--subject", "claim:who"]);
    let who = |name: &str| advice(&[("who", json!(name))]);
    assert_eq!(who("jo"), "", "the control");
    let taken = who("one");
    assert!(
        taken.contains("`grantor trust update one --subject existing:who`"),
        "{taken}"
    );
    desk.ok(&["client", "disable", "one"]);
    let disabled = who("jo");
    assert!(
        disabled.contains("`grantor client enable one`"),
        "{disabled}"
    );
}

#[test]
fn t034_a_key_that_was_never_uploaded_is_added_and_not_fetched() {
    let desk = Desk::with_issuer();
    let other = Key::generate(Algorithm::Es256);
    let name = desk.file("other.jwt", jwt(&other, ISS, OURS, &[]));
    let text = desk.run(&["trust", "test", &name]).stdout;
    assert!(
        text.contains("`grantor issuer update idp --jwks FILE --add`")
            && !text.contains("issuer refresh"),
        "{text}"
    );
    // Nothing is asked at an internal address.
    let url = "https://127.0.0.1/jwks.json";
    desk.ok(&["client", "create", "portal", "--jwks-uri", url]);
    let claims = [("iss", json!("portal")), ("sub", json!("portal"))];
    let name = desk.jwt("portal.jwt", &claims);
    let text = desk.run(&["trust", "test", &name]).stdout;
    assert!(
        text.contains(&format!("Client portal publishes its keys at {url}"))
            && !text.contains("issuer refresh"),
        "{text}"
    );
}

#[test]
fn t016_t034_the_advice_has_the_hints_of_the_platform_and_asks_nobody_to_trust_strangers() {
    let desk = Desk::new();
    let github = "https://token.actions.githubusercontent.com";
    desk.ok(&[
        "issuer", "create", github, "--name", "github", "--jwks", "idp.jwks", "--alg", "ES256",
    ]);
    let by = [
        "trust",
        "create",
        "ci",
        "--template",
        "github-actions",
        "--owner-id",
        "123456",
    ];
    desk.ok(&[
        &by[..],
        &["--repository-id", "456789", "--ref", "refs/heads/main"],
    ]
    .concat());
    let good = [
        ("repository_owner_id", json!("123456")),
        ("repository_id", json!("456789")),
        ("ref", json!("refs/heads/main")),
        ("event_name", json!("push")),
    ];
    let advice = |change: (&str, Value)| {
        let claims = [&good[..], &[change]].concat();
        let name = desk.file("job.jwt", jwt(&desk.key, github, OURS, &claims));
        let tried = desk.run(&["trust", "test", "ci", &name, "--json"]).stdout;
        let tried: Value = serde_json::from_str(&tried).expect("JSON");
        tried["advice"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(advice(("event_name", json!("push"))), "", "the control");
    let branch = advice(("ref", json!("refs/heads/dev")));
    assert!(
        branch.contains("instead of refs/heads/main (start the workflow on that branch")
            && branch.contains("--pin ref=refs/heads/dev"),
        "{branch}"
    );
    let stranger = advice(("repository_owner_id", json!("666")));
    assert!(
        stranger.contains("another customer of issuer github") && !stranger.contains("--pin"),
        "{stranger}"
    );
    let nobody = advice(("repository_owner_id", Value::Null));
    assert!(
        nobody.starts_with("Claim repository_owner_id is missing (")
            && !nobody.contains("another customer"),
        "{nobody}"
    );
    let event = advice(("event_name", json!("pull_request")));
    assert!(
        event.contains("event_name is pull_request (")
            && event.contains("change the job, or the condition (`grantor trust update ci"),
        "{event}"
    );
    let audience = advice(("aud", json!("https://github.com/acme")));
    assert!(
        audience.contains("core.getIDToken('http://127.0.0.1:8080')"),
        "{audience}"
    );
}

/// A server with an issuer and these trusts.
fn server(desk: &Desk, trusts: &[&[&str]]) -> Server {
    server_with(desk, trusts, "")
}

fn server_with(desk: &Desk, trusts: &[&[&str]], configuration: &str) -> Server {
    let server = Server::start_with(configuration);
    let jwks = std::fs::read(desk.path().join("idp.jwks")).expect("keys");
    std::fs::write(server.directory().join("idp.jwks"), jwks).expect("written");
    server.ok(&[
        "issuer", "create", ISS, "--name", "idp", "--jwks", "idp.jwks",
    ]);
    for flags in trusts {
        server.ok(&[&["trust", "create"], *flags].concat());
    }
    server
}

fn grant(
    desk: &Desk,
    server: &Server,
    number: u32,
    claims: &[(&str, Value)],
) -> crate::support::Answer {
    let id = [("jti", json!(format!("jti-{number}")))];
    let jwt = jwt(&desk.key, ISS, &server.issuer, &[&id, claims].concat());
    server.token(&[("grant_type", JWT_BEARER), ("assertion", &jwt)])
}

#[test]
fn t031_a_decision_shows_every_pin_expected_and_got_and_one_sentence_of_advice() {
    let desk = Desk::new();
    let pins = ["--pin", "sub=job-1", "--pin", "ref=main"];
    let server = server(&desk, &[&[&["ci", "--from", "idp"], &pins[..]].concat()]);
    let refused = grant(
        &desk,
        &server,
        1,
        &[("ref", json!("dev")), ("email", json!("jo@acme.example"))],
    );
    assert_eq!(refused.error(), "invalid_grant", "{refused:?}");
    let id = refused.decision_id();
    server.wait_until("it is recorded", || {
        server.run(&["decisions", "show", &id]).status.success()
    });
    let text = server.ok(&["decisions", "show", &id]);
    for words in [
        "rule       trust",
        "trust ci (client ci): does not take it",
        "pass  pin  sub  job-1          got job-1",
        "FAIL  pin  ref  expected main  got dev",
        "What to do: Claim ref is dev instead of main",
        "`grantor trust update ci --pin ref=dev`",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("jo@acme.example"), "{text}");
    let granted = grant(&desk, &server, 2, &[("ref", json!("main"))]);
    assert_eq!(granted.status, 200, "{granted:?}");
    let record = || {
        let listed = server.ok(&["decisions", "list", "--json"]);
        let listed: Vec<Value> = serde_json::from_str(&listed).expect("a list");
        listed
            .into_iter()
            .find(|one| one["outcome"]["outcome"] == "granted")
    };
    server.wait_until("the grant is recorded", || record().is_some());
    let record = record().expect("waited for");
    assert_eq!(
        (&record["issuer"], &record["trust"]["trust"]),
        (&json!("idp"), &json!("ci"))
    );
    let text = server.ok(&["decisions", "show", record["id"].as_str().expect("an id")]);
    assert!(
        text.contains("trust      ci") && text.contains("trust ci (client ci): takes it"),
        "{text}"
    );
    for (number, name, value, advice) in [
        (
            3,
            "scope",
            "deploy",
            "`grantor trust update ci --scope deploy` and `grantor client update ci --scope deploy`",
        ),
        (
            4,
            "resource",
            "https://api.example",
            "`grantor trust update ci --resource https://api.example`",
        ),
    ] {
        let claims = [
            ("jti", json!(format!("jti-{number}"))),
            ("ref", json!("main")),
        ];
        let jwt = jwt(&desk.key, ISS, &server.issuer, &claims);
        let form = [
            ("grant_type", JWT_BEARER),
            ("assertion", &*jwt),
            (name, value),
        ];
        let id = server.token(&form).decision_id();
        server.wait_until("it is recorded", || {
            server.run(&["decisions", "show", &id]).status.success()
        });
        let text = server.ok(&["decisions", "show", &id]);
        assert!(text.contains(advice), "{advice}: {text}");
    }
    server.ok(&["client", "disable", "ci"]);
    let mut number = 4;
    let mut ask = || {
        number += 1;
        grant(&desk, &server, number, &[("ref", json!("main"))])
    };
    server.wait_until("it is in force", || ask().status == 400);
    let id = ask().decision_id();
    server.wait_until("it is recorded", || {
        server.run(&["decisions", "show", &id]).status.success()
    });
    let text = server.ok(&["decisions", "show", &id]);
    assert!(text.contains("`grantor client enable ci`"), "{text}");
}

#[test]
fn t016_a_second_use_says_what_to_do() {
    let desk = Desk::new();
    let server = server(&desk, &[&["ci", "--from", "idp", "--pin", "sub=job-1"]]);
    assert_eq!(grant(&desk, &server, 1, &[]).status, 200);
    let again = grant(&desk, &server, 1, &[]);
    let id = again.decision_id();
    server.wait_until("it is recorded", || {
        server.run(&["decisions", "show", &id]).status.success()
    });
    let text = server.ok(&["decisions", "show", &id]);
    assert!(
        text.contains("Have the job get another JWT for each request")
            && text.contains("grantor issuer update idp --replay reusable"),
        "{text}"
    );
}

#[test]
fn t033_a_shadow_trust_is_counted_and_grants_nothing() {
    let desk = Desk::new();
    let server = server(
        &desk,
        &[
            &["ci", "--from", "idp", "--pin", "sub=job-1"],
            &["next", "--from", "idp", "--pin", "team=web", "--shadow"],
        ],
    );
    let web = [("team", json!("web"))];
    assert_eq!(grant(&desk, &server, 1, &web).status, 200);
    assert_eq!(grant(&desk, &server, 2, &[]).status, 200);
    let let_in = grant(
        &desk,
        &server,
        3,
        &[&web[..], &[("sub", json!("job-9"))]].concat(),
    );
    assert_eq!(let_in.status, 400, "a shadow grants nothing");
    let report = || -> Value {
        let report = server.ok(&["trust", "report", "next", "--json"]);
        serde_json::from_str(&report).expect("JSON")
    };
    server.wait_until("all are counted", || {
        let report = report();
        report["would_grant"] == json!(2) && report["would_refuse"] == json!(1)
    });
    let report = report();
    assert_eq!(
        (
            &report["would_let_in"],
            &report["would_keep_out"],
            &report["granted"]
        ),
        (&json!(1), &json!(1), &json!(0)),
        "{report}"
    );
    let reason = &report["reasons"][0];
    assert_eq!(
        (
            &reason["claim"],
            &reason["expected"],
            &reason["got"],
            &reason["count"]
        ),
        (&json!("team"), &json!("web"), &json!("missing"), &json!(1))
    );
    let text = server.ok(&["trust", "report", "ci", "--since", "1h"]);
    assert!(
        text.contains("granted        2") && text.contains("refused        1"),
        "{text}"
    );
    let text = server.ok(&["trust", "report", "next"]);
    assert!(
        text.contains("would grant    2 (1 of them were refused)"),
        "{text}"
    );
    assert!(
        server
            .ok(&["trust", "report", "next", "--since", "0s"])
            .contains("about no JWT")
    );
}

#[test]
fn t035_a_change_is_in_force_within_a_second() {
    let desk = Desk::new();
    let server = server(&desk, &[&["ci", "--from", "idp", "--pin", "sub=job-1"]]);
    let mut number = 0;
    let mut status = |claims: &[(&str, Value)]| {
        number += 1;
        grant(&desk, &server, number, claims).status
    };
    assert_eq!(status(&[]), 200);
    for (arguments, expected) in [
        (&["trust", "update", "ci", "--pin", "sub=job-2"][..], 400),
        (&["trust", "update", "ci", "--pin", "sub=job-1"], 200),
        (&["trust", "disable", "ci"], 400),
        (&["trust", "enable", "ci"], 200),
        (&["issuer", "disable", "idp"], 400),
    ] {
        let changed = std::time::Instant::now();
        server.ok(arguments);
        server.wait_until("the change is in force", || status(&[]) == expected);
        assert!(changed.elapsed().as_secs() < 10, "{arguments:?}");
    }
}

#[test]
fn t091_stored_tokens_are_listed_by_issuer_trust_and_subject_and_end_with_their_issuer() {
    let desk = Desk::new();
    let server = server(&desk, &[]);
    let client = [
        "--auth",
        "none",
        "--grant",
        "jwt-bearer",
        "--token-format",
        "opaque",
    ];
    for id in ["one", "two"] {
        server.client(id, &client);
        let pin = format!("team={id}");
        let trust = ["trust", "create", id, "--from", "idp", "--client", id];
        server.ok(&[&trust[..], &["--pin", &pin]].concat());
    }
    for (number, team, sub) in [
        (1, "one", "job-1"),
        (2, "two", "job-1"),
        (3, "two", "job-2"),
    ] {
        let claims = [("team", json!(team)), ("sub", json!(sub))];
        assert_eq!(grant(&desk, &server, number, &claims).status, 200);
    }
    let list = |flags: &[&str]| -> Vec<Value> {
        let text = server.ok(&[&["token", "list", "--json"], flags].concat());
        serde_json::from_str(&text).expect("a list")
    };
    for (flags, subjects) in [
        (
            &["--from", "idp"][..],
            &["two:job-2", "two:job-1", "one:job-1"][..],
        ),
        (&["--trust", "one"], &["one:job-1"]),
        (&["--trust", "two", "--limit", "1"], &["two:job-2"]),
        (&["--subject", "two:job-1"], &["two:job-1"]),
        (&["--from", "idp", "--subject", "two:job-2"], &["two:job-2"]),
        (&["--subject", "nobody"], &[]),
    ] {
        let found = list(flags);
        let found: Vec<_> = found
            .iter()
            .filter_map(|one| one["subject"].as_str())
            .collect();
        assert_eq!(found, subjects, "{flags:?}");
    }
    let one = &list(&["--trust", "one"])[0];
    assert_eq!(
        (&one["kind"], &one["client"], &one["in_force"]),
        (&json!("access_token"), &json!("one"), &json!(true))
    );
    server.ok(&["issuer", "disable", "idp", "--revoke-tokens"]);
    assert_eq!(list(&["--trust", "one"])[0]["in_force"], false);
    server.ok(&["issuer", "enable", "idp"]);
    assert_eq!(list(&["--trust", "one"])[0]["in_force"], false, "for good");
    let text = server.ok(&["token", "list", "--trust", "one"]);
    assert!(text.contains("ended by its issuer or trust"), "{text}");
    desk.refuses(&["token", "list"], 2, &["--from", "--trust", "--subject"]);
    desk.refuses(&["token"], 2, &["--key"]);
}

#[test]
fn t081_a_client_authenticates_by_the_jwts_of_an_issuer_and_one_trust_is_made_with_it() {
    let desk = Desk::with_issuer();
    let made = desk.json(&[
        "client",
        "create",
        "worker",
        "--federated",
        "idp",
        "--sub",
        "job-1",
    ]);
    assert_eq!(
        (
            &made["client"]["federated"],
            &made["trust"]["name"],
            &made["trust"]["uses"]
        ),
        (
            &json!(true),
            &json!("worker"),
            &json!(["client_authentication"])
        )
    );
    assert_eq!(
        made["trust"]["pins"],
        json!([{"claim": "sub", "equals": "job-1"}])
    );
    let name = desk.jwt("worker.jwt", &[]);
    let text = desk.ok(&["trust", "test", "worker", &name]);
    assert!(text.starts_with("as client authentication:"), "{text}");
    let by = ["client", "create", "other", "--federated", "idp"];
    desk.refuses(&by, 2, &["--sub TEXT"]);
    desk.refuses(
        &[&by[..], &["--sub", "job-1"]].concat(),
        1,
        &["job-1", "worker"],
    );
    desk.refuses(
        &[&by[..], &["--sub", "job-2", "--jwks", "idp.jwks"]].concat(),
        2,
        &["--also-keys"],
    );
    desk.refuses(
        &[&by[..], &["--sub", "job-2", "--generate-key"]].concat(),
        2,
        &["--generate-key", "add-key"],
    );
    desk.refuses(
        &[
            "client",
            "create",
            "other",
            "--federated",
            "nowhere",
            "--sub",
            "x",
        ],
        1,
        &["issuer nowhere does not exist"],
    );
    let listed = desk.json(&["client", "list"]);
    assert_eq!(
        listed.as_array().map(Vec::len),
        Some(1),
        "nothing else is stored: {listed}"
    );
    desk.ok(&[
        &by[..],
        &["--sub", "job-2", "--jwks", "idp.jwks", "--also-keys"],
    ]
    .concat());
    desk.refuses(
        &["client", "create", "x", "--sub", "y", "--generate-key"],
        2,
        &["--federated"],
    );
}

#[test]
fn t080_a_clients_keys_are_behind_a_url_or_registered_and_never_both() {
    let desk = Desk::new();
    let url = ["--jwks-uri", "https://portal.example/jwks.json"];
    let made = desk.json(&[&["client", "create", "portal"], &url[..]].concat());
    assert_eq!(
        made["client"]["jwks_uri"],
        "https://portal.example/jwks.json"
    );
    for other in [&["--jwks", "idp.jwks"][..], &["--generate-key"]] {
        desk.refuses(
            &[&["client", "create", "x"], &url[..], other].concat(),
            2,
            &["--jwks-uri"],
        );
    }
    for bad in [
        "http://portal.example/jwks.json",
        "https://portal.example:8443/jwks.json",
        "https://u:p@portal.example/",
    ] {
        desk.refuses(
            &["client", "create", "x", "--jwks-uri", bad],
            2,
            &["--jwks-uri"],
        );
    }
    desk.ok(&["client", "create", "batch", "--jwks", "idp.jwks"]);
    desk.ok(&[&["client", "update", "batch"], &url[..]].concat());
    let batch = desk.json(&["client", "show", "batch"]);
    assert_eq!(batch["jwks"]["keys"], json!([]), "{batch}");
}

#[test]
fn t075_metrics_tell_what_trusts_took_and_how_old_keys_are() {
    let desk = Desk::new();
    let metrics = held_address();
    let server = server_with(
        &desk,
        &[&["ci", "--from", "idp", "--pin", "sub=job-1"]],
        &format!("[metrics]\nlisten = \"{metrics}\""),
    );
    assert_eq!(grant(&desk, &server, 1, &[]).status, 200);
    let scrape = || server.at(metrics, "GET", "/metrics").body;
    let taken = "grantor_trusts_taken_total{trust=\"ci\"} 1";
    server.wait_until("it is counted", || scrape().contains(taken));
    assert!(
        scrape().contains("grantor_outgoing_refused_total 0"),
        "{}",
        scrape()
    );
    // Nothing is connected at an address that nobody has allowed, and that is counted.
    let far = [
        "issuer",
        "create",
        "https://127.0.0.1:1",
        "--name",
        "far",
        "--discover",
        "--no-check",
    ];
    server.ok(&far);
    let jwt = jwt(&desk.key, "https://127.0.0.1:1", &server.issuer, &[]);
    server.wait_until("the issuer is known", || {
        let answer = server.token(&[("grant_type", JWT_BEARER), ("assertion", &jwt)]);
        answer.status == 503
    });
    for line in [
        "grantor_outgoing_refused_total ",
        "grantor_key_fetches_total{issuer=\"far\",outcome=\"failed\"} ",
    ] {
        let count = scrape()
            .lines()
            .find_map(|shown| shown.strip_prefix(line)?.parse().ok());
        assert!(
            count.is_some_and(|count: u64| count > 0),
            "{line}: {}",
            scrape()
        );
    }
    assert!(
        scrape().contains("grantor_issuer_keys{issuer=\"far\"} 0"),
        "{}",
        scrape()
    );
}
