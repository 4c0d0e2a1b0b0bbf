//! Which trust takes a JWT: exactly one, whose client the request names or nobody, by values of the
//! right type and conditions that hold.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::idp::{
    ANY, Idp, NOT_TAKEN, claims, command_refused, grant_with, refused, refused_as, server,
};
use crate::{
    forge::{ATTACKER, Jwt},
    oracle::{Use, world},
    support::CLIENT_ASSERTION,
};

#[test]
fn ta08_exactly_one_trust_takes_a_jwt_and_client_id_says_whose() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta08", &[]);
    idp.trust(server, "ta08-read", &["--pin", "tenant=42"]);
    idp.trust(
        server,
        "ta08-write",
        &["--pin", "tenant=42", "--scope", "write"],
    );
    // A trust of another tenant, for somebody else's client.
    let other = ["--pin", "tenant=7", "--client", world.other.id];
    idp.trust(server, "ta08-other", &other);
    let token = || idp.jwt().sign();
    let both = refused(
        "TA08 nobody is named",
        &Use::Grant.form(&token()),
        "invalid_grant",
        ("trust", "ta08-read, ta08-write"),
    );
    assert!(both.body.contains("send client_id"), "{both:?}");
    for (client, scope) in [("ta08-read", "read"), ("ta08-write", "read write")] {
        let token = token();
        let form = grant_with(&token, &[("client_id", client)]);
        let got = claims(&world.grants(&format!("TA08 {client}"), &form, &[]));
        assert_eq!(
            (&got["client_id"], &got["scope"]),
            (&json!(client), &json!(scope))
        );
    }
    for client in [
        world.other.id,
        "nobody.example",
        world.ec.id,
        "ta08",
        &idp.iss,
    ] {
        let token = token();
        let form = grant_with(&token, &[("client_id", client)]);
        let row = format!("TA08 {client}");
        refused(&row, &form, "invalid_grant", NOT_TAKEN);
        world.grants(
            &format!("control of {row}"),
            &grant_with(&token, &[("client_id", "ta08-read")]),
            &[],
        );
    }
}

/// The form of client authentication with this JWT, naming this client.
fn authentication<'a>(token: &'a str, client: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let named = client.map(|client| ("client_id", client));
    Use::ClientAuth
        .form(token)
        .into_iter()
        .chain(named)
        .collect()
}

#[test]
fn ta11_a_jwt_is_worth_what_its_trust_is_for_and_no_other_use() {
    let server = server();
    let idp = Idp::bare("ta11", &[]);
    idp.trust(server, "ta11", &["--pin", "sub=grant-only"]);
    idp.federated(server, "ta11-job", "job-only");
    let about = |sub: &str| idp.jwt().text("sub", sub).sign();
    refused_as(
        Use::ClientAuth,
        "TA11 of a grant",
        &about("grant-only"),
        NOT_TAKEN,
    );
    refused_as(
        Use::Grant,
        "TA11 of a client",
        &about("job-only"),
        NOT_TAKEN,
    );
    for (usage, sub) in [(Use::Grant, "grant-only"), (Use::ClientAuth, "job-only")] {
        world().grants("TA11 control", &usage.form(&about(sub)), &[]);
    }
}

#[test]
fn ta12_a_foreign_subject_is_no_client_of_the_same_name_and_a_federated_client_has_no_key() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta12", &[]);
    idp.federated(server, "ta12-job", "job");
    // Its sub is the id of a client that has keys of its own.
    let forged = idp.jwt().text("sub", world.ec.id).sign();
    refused_as(
        Use::ClientAuth,
        "TA12 the name of a client",
        &forged,
        NOT_TAKEN,
    );
    refused(
        "TA12 and named",
        &authentication(&forged, Some(world.ec.id)),
        "invalid_client",
        ANY,
    );
    for key in [&idp.key, &*ATTACKER] {
        let own = idp
            .jwt()
            .text("iss", "ta12-job")
            .text("sub", "ta12-job")
            .by(key)
            .sign();
        refused_as(Use::ClientAuth, "TA12 a key of its own", &own, ("key", ""));
    }
    world.passes_as(Use::ClientAuth, "TA12 control", &world.ec, |jwt| jwt.sign());
    let token = idp.jwt().text("sub", "job").sign();
    world.grants("TA12 control", &Use::ClientAuth.form(&token), &[]);
}

#[test]
fn ta13_the_client_that_is_named_is_the_one_that_the_jwt_is_of() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta13", &[]);
    idp.federated(server, "ta13-a", "a");
    idp.federated(server, "ta13-b", "b");
    for (named, sub) in [
        ("ta13-a", "b"),
        ("ta13-b", "a"),
        ("nobody.example", "a"),
        (world.ec.id, "a"),
    ] {
        let token = idp.jwt().text("sub", sub).sign();
        let row = format!("TA13 {named} with the JWT of {sub}");
        refused(
            &row,
            &authentication(&token, Some(named)),
            "invalid_client",
            ANY,
        );
        let right = format!("ta13-{sub}");
        // It was not used up.
        world.grants(
            &format!("control of {row}"),
            &authentication(&token, Some(&right)),
            &[],
        );
    }
}

#[test]
fn ta15_credentials_beside_a_jwt_are_validated_also_where_nobody_asked_for_them() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta15", &[]);
    let post = (world.post.id, &*world.post.secret);
    idp.trust(
        server,
        "ta15-secret",
        &["--pin", "tenant=42", "--client", post.0],
    );
    idp.trust(
        server,
        "ta15-key",
        &["--pin", "tenant=7", "--client", world.ec.id],
    );
    let secret = |secret: &str, row: &str, passes: bool| {
        let token = idp.jwt().sign();
        let form = grant_with(&token, &[("client_id", post.0), ("client_secret", secret)]);
        match passes {
            true => drop(world.grants(row, &form, &[])),
            false => drop(refused(row, &form, "invalid_client", ("client", ""))),
        }
    };
    secret("wrong", "TA15 a wrong secret", false);
    secret(post.1, "TA15 the right secret", true);
    let token = idp.jwt().sign();
    world.grants("TA15 none", &grant_with(&token, &[]), &[]);
    let beside = |assertion: &str, row: &str, passes: bool| {
        let token = idp.jwt().text("tenant", "7").sign();
        let more = [
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", assertion),
        ];
        let form = grant_with(&token, &more);
        match passes {
            true => drop(world.grants(row, &form, &[])),
            false => drop(refused(row, &form, "invalid_client", ANY)),
        }
    };
    let own = |forge: fn(Jwt<'_>) -> String| forge(world.jwt(&world.ec, Use::ClientAuth));
    beside(
        &own(|jwt| jwt.claim("exp", "1000").claim("iat", "900").sign()),
        "TA15 an expired assertion",
        false,
    );
    beside(
        &own(|jwt| jwt.by(&ATTACKER).sign()),
        "TA15 a forged assertion",
        false,
    );
    beside(&own(|jwt| jwt.sign()), "TA15 a good assertion", true);
    // T024: a trust may want them.
    server.ok(&["trust", "update", "ta15-key", "--client-auth", "required"]);
    let token = idp.jwt().text("tenant", "7").sign();
    let form = grant_with(&token, &[("client_id", world.ec.id)]);
    refused(
        "T024 none",
        &form,
        "invalid_client",
        ("client", "wants its client to authenticate"),
    );
    beside(&own(|jwt| jwt.sign()), "T024 a good assertion", true);
}

#[test]
fn ta29_a_pin_holds_for_a_value_of_its_own_type() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta29", &[]);
    // Each trust has a claim of its own, so that no two take one JWT.
    for (claim, value) in [
        ("t", "20"),
        ("i", "int:20"),
        ("b", "bool:true"),
        ("c", "contains:20"),
    ] {
        let pin = format!("{claim}={value}");
        idp.trust(server, &format!("ta29-{claim}"), &["--pin", &pin]);
    }
    idp.trust(server, "ta29-x", &["--pin", "x=text:int:20"]);
    let values = [
        "\"20\"",
        "20",
        "20.0",
        "20.9",
        "2e1",
        "[\"20\"]",
        "[20]",
        "[[\"20\"]]",
        "{\"x\":\"20\"}",
        "true",
        "\"true\"",
        "\"int:20\"",
        "null",
        "\"20 \"",
        "\"\"",
        "[]",
    ];
    for (claim, only) in [
        ("t", "\"20\""),
        ("i", "20"),
        ("b", "true"),
        ("c", "[\"20\"]"),
        ("x", "\"int:20\""),
    ] {
        for value in values {
            let row = format!("TA29 {claim} {value}");
            let token = idp.jwt().claim(claim, value).sign();
            match value == only {
                true => drop(world.grants(&row, &Use::Grant.form(&token), &[])),
                false => drop(refused_as(Use::Grant, &row, &token, NOT_TAKEN)),
            }
        }
        refused_as(
            Use::Grant,
            &format!("TA29 {claim} missing"),
            &idp.jwt().sign(),
            NOT_TAKEN,
        );
    }
}

#[test]
fn ta30_a_condition_that_cannot_be_evaluated_takes_nothing_and_says_why() {
    let (world, server) = (world(), server());
    for (number, (condition, good, bad, reason)) in [
        ("assertion.env == 'prod'", "\"prod\"", None, "env"),
        ("assertion.env == 'prod'", "\"prod\"", Some("null"), "false"),
        (
            "assertion.env.startsWith('prod:')",
            "\"prod:a\"",
            Some("[\"prod:a\"]"),
            "",
        ),
        (
            "assertion.env.startsWith('prod:')",
            "\"prod:a\"",
            Some("{\"a\":1}"),
            "",
        ),
        ("10 / assertion.env == 5", "2", Some("0"), "zero"),
        (
            "assertion.env",
            "true",
            Some("\"true\""),
            "neither true nor false",
        ),
        ("assertion.env", "true", Some("1"), "neither true nor false"),
        (
            "assertion.env + 1 == 3",
            "2",
            Some("9223372036854775807"),
            "",
        ),
        (
            "assertion.env.a.b == 1",
            "{\"a\":{\"b\":1}}",
            Some("{\"a\":1}"),
            "",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let row = format!("TA30 {condition} of {bad:?}");
        let name = format!("ta30-{number}");
        let idp = Idp::bare(&name, &[]);
        idp.trust(server, &name, &["--condition", condition]);
        let with = |value: Option<&str>| match value {
            Some(value) => idp.jwt().claim("env", value).sign(),
            None => idp.jwt().sign(),
        };
        let answer = refused_as(Use::Grant, &row, &with(bad), ("trust", "the condition is"));
        let record = world.decision(&answer);
        let cause = record["cause"].as_str().expect("a cause");
        assert!(cause.contains(reason), "{row}: {cause}");
        world.grants(
            &format!("control of {row}"),
            &Use::Grant.form(&with(Some(good))),
            &[],
        );
    }
}

#[test]
fn ta31_what_is_no_condition_is_refused_at_once_with_its_place() {
    let server = server();
    let idp = Idp::bare("ta31", &[]);
    let nested = format!("{}true{}", "(".repeat(100), ")".repeat(100));
    let bombs = format!("{}true", "!!(!!!!(".repeat(60));
    let nodes = vec!["assertion.a == 1"; 300].join(" || ");
    let long = format!("assertion.a == '{}'", "a".repeat(4097));
    for (row, condition) in [
        ("4,097 octets", &*long),
        ("nesting of 100", &nested),
        ("a bomb", &bombs),
        ("300 tests", &nodes),
        ("an unknown function", "shell(assertion.a) == 'x'"),
        ("an undeclared name", "request.a == 'x'"),
        (
            "a nested comprehension",
            "assertion.a.exists(x, assertion.b.exists(y, x == y))",
        ),
        ("an unanchored search", "assertion.a.matches('main')"),
        ("a pattern of the sender", "glob(assertion.a, assertion.b)"),
        ("no boolean", "'x'"),
        ("nothing but blanks", " "),
        ("no end", "assertion.a =="),
        ("another language", "assertion.a === 'x' && true;"),
    ] {
        let started = Instant::now();
        let made = server.run(&[
            "trust",
            "create",
            "ta31",
            "--from",
            "ta31",
            "--condition",
            condition,
        ]);
        let took = started.elapsed();
        command_refused(&format!("TA31 {row}"), &made, 2, "condition");
        // Of 100 ms for the parser, in a debug build, with the start of a process around it.
        assert!(took < Duration::from_secs(2), "TA31 {row}: {took:?}");
    }
    idp.trust(server, "ta31", &["--condition", "assertion.tenant == '42'"]);
    world().grants("TA31 control", &Use::Grant.form(&idp.jwt().sign()), &[]);
    let changed = server.run(&[
        "trust",
        "update",
        "ta31",
        "--condition",
        "assertion.a.matches('x')",
    ]);
    command_refused("TA31 by an update", &changed, 2, "matches");
    world().grants("TA31 as before", &Use::Grant.form(&idp.jwt().sign()), &[]);
}

#[test]
fn ta33_long_lists_and_texts_are_compared_in_no_time() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta33", &[]);
    idp.trust(
        server,
        "ta33-list",
        &[
            "--pin",
            "tenant=1",
            "--condition",
            "assertion.list.exists(x, x == 9)",
        ],
    );
    let glob = "text=a*a*a*a*a*a*a*b";
    idp.trust(server, "ta33-glob", &["--pin", "tenant=2", "--match", glob]);
    idp.trust(
        server,
        "ta33-glob-deep",
        &[
            "--pin",
            "tenant=3",
            "--match",
            "text=a**a**a**a**a**a**a**b",
        ],
    );
    let list = |last: u8| format!("[{}{last}]", "1,".repeat(3999));
    let text = |last: char| format!("{}{last}", "a".repeat(11_000));
    let jwt = |tenant: &str| idp.jwt().text("tenant", tenant);
    let timed = |row: &str, token: &str, passes: bool| {
        let started = Instant::now();
        match passes {
            true => drop(world.grants(row, &Use::Grant.form(token), &[])),
            false => drop(refused_as(Use::Grant, row, token, NOT_TAKEN)),
        }
        started.elapsed()
    };
    let plain = timed("TA33 a plain one", &jwt("4").sign(), false);
    for (row, jwt, passes) in [
        (
            "a list that has it not",
            jwt("1").claim("list", list(1)),
            false,
        ),
        (
            "a list that has it last",
            jwt("1").claim("list", list(9)),
            true,
        ),
        (
            "a glob that fails late",
            jwt("2").text("text", &text('c')),
            false,
        ),
        (
            "a glob that fails late at every star",
            jwt("3").text("text", &text('c')),
            false,
        ),
        ("a glob that holds", jwt("2").text("text", &text('b')), true),
    ] {
        let took = timed(&format!("TA33 {row}"), &jwt.sign(), passes);
        // 20 ms in a release build; this is a debug build beside other tests.
        assert!(
            took < plain + Duration::from_millis(750),
            "TA33 {row}: {took:?}, plain {plain:?}"
        );
    }
}

#[test]
fn ta65_a_shadow_changes_no_answer_whatever_it_does() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta65", &[]);
    idp.trust(server, "ta65", &["--pin", "tenant=42"]);
    let without = claims(&world.grants("TA65 without", &Use::Grant.form(&idp.jwt().sign()), &[]));
    let refused_without = refused_as(
        Use::Grant,
        "TA65 without",
        &idp.jwt().text("tenant", "7").sign(),
        NOT_TAKEN,
    );
    for (name, options) in [
        (
            "more",
            vec![
                "--pin",
                "tenant=42",
                "--scope",
                "admin",
                "--subject",
                "fixed:root",
            ],
        ),
        ("errs", vec!["--condition", "assertion.missing.deep == 1"]),
        (
            "loops",
            vec![
                "--condition",
                "assertion.list.all(x, x == x && x in assertion.list)",
                "--allow",
                "negative-only",
            ],
        ),
        ("others", vec!["--pin", "tenant=7", "--scope", "admin"]),
    ] {
        let name = format!("ta65-{name}");
        idp.trust(server, &name, &[&options[..], &["--shadow"]].concat());
    }
    let list = format!("[{}0]", "1,".repeat(1999));
    let with = |tenant: &str| idp.jwt().text("tenant", tenant).claim("list", list.clone());
    let answer = world.grants("TA65 with", &Use::Grant.form(&with("42").sign()), &[]);
    let got = claims(&answer);
    for claim in ["client_id", "sub", "scope", "aud"] {
        assert_eq!(got[claim], without[claim], "TA65 {claim}");
    }
    let token = with("7").sign();
    let answer = refused_as(Use::Grant, "TA65 a shadow would take it", &token, NOT_TAKEN);
    assert_eq!(
        without_id(&answer.json()),
        without_id(&refused_without.json())
    );
    let show = ["decisions", "show", &answer.decision_id(), "--json"];
    server.wait_until(
        "the decision is stored with what the shadow made of it",
        || server.run(&show).stdout.contains("ta65-others"),
    );
    // A shadow uses nothing up.
    server.ok(&["trust", "enable", "ta65-others"]);
    server.wait_until("the trust counts", || {
        server.token(&Use::Grant.form(&token)).status == 200
    });
}

/// An answer without the id of its decision.
fn without_id(body: &Value) -> String {
    let text = body["error_description"].as_str().expect("a text");
    format!(
        "{}: {}",
        body["error"],
        text.split(" (decision").next().unwrap_or_default()
    )
}
