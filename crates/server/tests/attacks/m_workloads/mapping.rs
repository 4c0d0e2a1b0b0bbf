//! Whom a token is about, what it allows and whom it is for: never more than the trust says.

use serde_json::json;

use super::idp::{ANY, Idp, NOT_TAKEN, claims, grant_with, refused, refused_as, server};
use crate::oracle::{Because, Use, world};

const UNMAPPED: Because = ("mapped_subject", "");

#[test]
fn ta34_claims_that_look_like_code_are_data() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta34", &[]);
    let condition = "assertion.who == 'jo' && !(assertion.who == 'eve')";
    idp.trust(
        server,
        "ta34-cel",
        &["--pin", "tenant=1", "--condition", condition],
    );
    idp.trust(
        server,
        "ta34-map",
        &["--pin", "tenant=2", "--subject", "template:ci:{who}"],
    );
    idp.trust(
        server,
        "ta34-glob",
        &["--pin", "tenant=3", "--match", "who=jo-*"],
    );
    let with = |tenant: &str, who: &str| idp.jwt().text("tenant", tenant).text("who", who).sign();
    for code in [
        "' || true || '",
        "jo' || 'x' == 'x",
        "\") || true || (\"",
        "${x}",
        "{sub}",
        "{who}",
        "`id`",
        "$(id)",
        "{{7*7}}",
        "%s%n",
        "jo\\",
    ] {
        let row = format!("TA34 {code}");
        refused_as(Use::Grant, &row, &with("1", code), NOT_TAKEN);
        let token = with("2", code);
        let answer = world.grants(&row, &Use::Grant.form(&token), &[]);
        assert_eq!(claims(&answer)["sub"], format!("ci:{code}"), "{row}");
    }
    for pattern in ["jo-*", "jo-", "*", "**", "jo-?/", "jo-[a]:x"] {
        let passes = pattern == "jo-*";
        let row = format!("TA34 {pattern} is compared as a text");
        match passes {
            true => drop(world.grants(&row, &Use::Grant.form(&with("3", pattern)), &[])),
            false => drop(refused_as(Use::Grant, &row, &with("3", pattern), NOT_TAKEN)),
        }
    }
    world.grants("TA34 control", &Use::Grant.form(&with("1", "jo")), &[]);
}

#[test]
fn ta35_what_is_no_subject_makes_none() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta35", &[]);
    idp.trust(
        server,
        "ta35-claim",
        &["--pin", "tenant=1", "--subject", "claim:who"],
    );
    idp.trust(
        server,
        "ta35-template",
        &["--pin", "tenant=2", "--subject", "template:ci:{who}"],
    );
    let long = format!("\"{}\"", "a".repeat(300));
    for tenant in ["1", "2"] {
        let with = |who: &str| idp.jwt().text("tenant", tenant).claim("who", who).sign();
        for who in [
            "\"\"",
            "\" \"",
            &long,
            "\"a\\u0000b\"",
            "\"a\\nb\"",
            "\"a\\u202eb\"",
            "\"\\u200f\"",
            "null",
            "true",
            "1.5",
            "[\"jo\"]",
            "{\"who\":\"jo\"}",
            "9007199254740993",
        ] {
            let row = format!("TA35 {tenant} {who}");
            let token = with(who);
            refused_as(Use::Grant, &row, &token, UNMAPPED);
            // T022: from the chosen trust on it is used.
            refused_as(Use::Grant, &row, &token, ("replay", "used before"));
        }
        let missing = idp.jwt().text("tenant", tenant).sign();
        refused_as(Use::Grant, "TA35 missing", &missing, UNMAPPED);
        for who in ["\"jo\"", "20"] {
            world.grants("TA35 control", &Use::Grant.form(&with(who)), &[]);
        }
    }
}

#[test]
fn ta36_no_foreign_claim_makes_a_client_or_a_registered_subject_of_anybody() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta36", &[]);
    server.ok(&[
        "client",
        "create",
        "ta36-billing",
        "--auth",
        "client_secret_basic",
        "--out",
        "-",
    ]);
    for (tenant, mapping) in [
        ("1", "claim:who"),
        ("2", "template:ta36-{who}"),
        ("3", "existing:who"),
        ("4", "template:ci:{who}"),
    ] {
        let pin = format!("tenant={tenant}");
        let name = format!("ta36-{tenant}");
        idp.trust(server, &name, &["--pin", &pin, "--subject", mapping]);
    }
    for subject in ["ta36@acme.example", "ta36-alice", "ta36-disabled"] {
        server.ok(&["subject", "create", subject]);
    }
    let with = |tenant: &str, who: &str| idp.jwt().text("tenant", tenant).text("who", who).sign();
    for (tenant, who) in [
        ("1", "ta36-billing"),
        ("1", "ta36@acme.example"),
        ("1", &world.server.issuer),
        ("1", world.ec.id),
        ("2", "billing"),
        ("2", "alice"),
        ("3", "ta36-billing"),
        ("3", "nobody@acme.example"),
        ("3", "ta36@acme.example"),
    ] {
        let row = format!("TA36 {tenant} {who}");
        // The server's own name is nobody's subject either way.
        if who == world.server.issuer {
            continue;
        }
        refused(
            &row,
            &Use::Grant.form(&with(tenant, who)),
            "invalid_grant",
            ANY,
        );
    }
    for (tenant, who, subject) in [
        ("1", "jo", "jo"),
        ("2", "jo", "ta36-jo"),
        ("4", "ta36-billing", "ci:ta36-billing"),
    ] {
        let token = with(tenant, who);
        let answer = world.grants(
            &format!("TA36 control {tenant}"),
            &Use::Grant.form(&token),
            &[],
        );
        assert_eq!(claims(&answer)["sub"], subject);
    }
    server.ok(&[
        "permission",
        "create",
        "ta36-3",
        "ta36@acme.example",
        "--scope",
        "read",
    ]);
    server.ok(&[
        "permission",
        "create",
        "ta36-3",
        "ta36-disabled",
        "--scope",
        "read",
    ]);
    server.ok(&["subject", "disable", "ta36-disabled"]);
    let answer = world.grants(
        "TA36 existing",
        &Use::Grant.form(&with("3", "ta36@acme.example")),
        &[],
    );
    assert_eq!(claims(&answer)["sub"], "ta36@acme.example");
    let disabled = with("3", "ta36-disabled");
    refused(
        "TA36 disabled",
        &Use::Grant.form(&disabled),
        "invalid_grant",
        ("subject", "disabled"),
    );
}

#[test]
fn ta38_the_scope_claim_of_others_neither_asks_nor_grants() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta38", &[]);
    idp.trust(server, "ta38", &["--pin", "tenant=42"]);
    let with = |name: &str, value: &str| idp.jwt().claim(name, value).sign();
    for (name, value) in [
        ("scope", "\"admin\""),
        ("scope", "\"read admin\""),
        ("scope", "\"\""),
        ("scope", "1"),
        ("scope", "\"a\\u0000\""),
        ("scp", "[\"admin\"]"),
        ("roles", "[\"admin\"]"),
    ] {
        let token = with(name, value);
        let row = format!("TA38 {name} {value}");
        let answer = world.grants(&row, &Use::Grant.form(&token), &[]);
        let got = claims(&answer);
        assert_eq!(got["scope"], "read", "{row}");
        assert!(
            got.get("scp").is_none() && got.get("roles").is_none(),
            "{row}: {got}"
        );
        let token = with(name, value);
        let asks = grant_with(&token, &[("scope", "admin")]);
        refused(&row, &asks, "invalid_scope", ("scope", "admin"));
    }
}

#[test]
fn ta39_a_token_is_for_a_resource_of_its_trust_and_one_alone() {
    let (world, server) = (world(), server());
    let idp = Idp::bare("ta39", &[]);
    let (a, b) = ("https://a.api.example/mcp", "https://b.api.example/mcp");
    idp.trust(
        server,
        "ta39",
        &["--pin", "tenant=42", "--resource", a, "--resource", b],
    );
    let asks = |token: &str, resources: &[&str]| {
        let resources: Vec<_> = resources.iter().map(|url| ("resource", *url)).collect();
        let form = grant_with(token, &resources);
        form.into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Vec<_>>()
    };
    for resources in [
        &["https://c.api.example/mcp"][..],
        &["https://a.api.example/mcp/"],
        &["https://a.api.example"],
        &["https://A.api.example/mcp"],
        &["https://api.example/v1"],
        &[a, b],
        &[a, "https://c.api.example/mcp"],
        &["no url"],
        &["https://a.api.example/mcp#x"],
    ] {
        let token = idp.jwt().sign();
        let form = asks(&token, resources);
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let answer = world.attack(&format!("TA39 {resources:?}"), &form, &[]);
        assert_eq!(
            answer.error(),
            "invalid_target",
            "TA39 {resources:?}: {answer:?}"
        );
    }
    for resource in [a, b] {
        let token = idp.jwt().sign();
        let form = grant_with(&token, &[("resource", resource)]);
        let answer = world.grants("TA39 control", &form, &[]);
        assert_eq!(claims(&answer)["aud"], json!(resource));
    }
}
