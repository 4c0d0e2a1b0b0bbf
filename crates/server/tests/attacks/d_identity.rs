//! D. Who speaks, and for whom: `iss`, `sub`, `client_id`, and what is registered about them.

use crate::{
    forge::{Jwt, quote},
    oracle::{Because, Use, world},
    support::{CLIENT_ASSERTION, JWT_BEARER},
};

const NOT_A_STRING: [&str; 5] = ["1", "null", "[\"ec.example\"]", "{}", "true"];

/// An issuer that is not registered is one rule for each use.
const UNKNOWN: Because = ("issuer", "is not registered");

#[test]
fn d01_iss_is_a_registered_name_to_the_letter() {
    let world = world();
    for usage in Use::BOTH {
        let (rule, _) = UNKNOWN;
        world.refuses_as(
            usage,
            "D01 missing",
            &world.ec,
            |jwt| jwt.without("iss").sign(),
            (rule, "claim 'iss' is missing"),
        );
        for name in [
            "",
            "EC.EXAMPLE",
            "ec.example ",
            " ec.example",
            "ec.example/",
            "ec%2Eexample",
            "https://ec.example",
            "ec.example.",
            "ec.example\0",
            "e\u{441}.example",
            "ec",
            "*",
            "nobody.example",
        ] {
            let forge = |jwt: Jwt<'_>| jwt.text("iss", name).text("sub", name).sign();
            world.refuses_as(
                usage,
                &format!("D01 R053 {name:?}"),
                &world.ec,
                forge,
                UNKNOWN,
            );
        }
    }
    for json in NOT_A_STRING {
        let because = ("claims", "claim 'iss' is not a string");
        world.refuses(
            &format!("D01 {json}"),
            &world.ec,
            |jwt| jwt.claim("iss", json).sign(),
            because,
        );
    }
}

#[test]
fn d04_sub_is_required() {
    let world = world();
    let missing = ("sub", "claim 'sub' is missing");
    world.refuses(
        "D04 missing",
        &world.ec,
        |jwt| jwt.without("sub").sign(),
        missing,
    );
    for json in NOT_A_STRING {
        let because = ("claims", "claim 'sub' is not a string");
        world.refuses(
            &format!("D04 {json}"),
            &world.ec,
            |jwt| jwt.claim("sub", json).sign(),
            because,
        );
    }
    let empty = |jwt: Jwt<'_>| jwt.text("sub", "").sign();
    world.refuses_as(
        Use::Grant,
        "D04 empty",
        &world.ec,
        empty,
        ("sub", "claim 'sub' is empty"),
    );
    world.refuses_as(
        Use::ClientAuth,
        "D04 empty",
        &world.ec,
        empty,
        ("sub", "sub: expected the client"),
    );
}

#[test]
fn d05_a_client_authenticates_as_itself_only() {
    let world = world();
    let other = world.other.id;
    let kid = ("key", "the issuer has no key with this kid");
    let wrong = (
        "sub",
        "sub: expected the client \"ec.example\", got \"other.example\"",
    );
    world.refuses_as(
        Use::ClientAuth,
        "D05 sub of another",
        &world.ec,
        |jwt| jwt.text("sub", other).sign(),
        wrong,
    );
    world.refuses(
        "D05 iss of another",
        &world.ec,
        |jwt| jwt.text("iss", other).sign(),
        kid,
    );
    world.refuses(
        "D05 both of another",
        &world.ec,
        |jwt| jwt.text("iss", other).text("sub", other).sign(),
        kid,
    );
    let anonymous = |jwt: Jwt<'_>| {
        jwt.text("iss", other)
            .text("sub", other)
            .without_header("kid")
            .sign()
    };
    world.refuses(
        "D05 both of another, no kid",
        &world.ec,
        anonymous,
        ("signature", "signature does not verify"),
    );
    for usage in Use::BOTH {
        let provider = |jwt: Jwt<'_>| jwt.text("iss", "https://idp.example").sign();
        world.refuses_as(
            usage,
            "D05 iss of an identity provider",
            &world.ec,
            provider,
            UNKNOWN,
        );
    }
}

#[test]
fn d06_client_id_agrees_with_the_assertion() {
    let world = world();
    for (id, because) in [
        (world.other.id, "client_id does not match"),
        ("nobody.example", "client_id does not match"),
        ("EC.EXAMPLE", "client_id does not match"),
    ] {
        let token = world.jwt(&world.ec, Use::ClientAuth).sign();
        let form = [&Use::ClientAuth.form(&token)[..], &[("client_id", id)]].concat();
        let answer = world.attack("D06", &form, &[]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_client")
        );
        world.assert_cause("D06", &answer, ("client", because));

        let token = world.jwt(&world.ec, Use::Grant).sign();
        let form = [&Use::Grant.form(&token)[..], &[("client_id", id)]].concat();
        let answer = world.attack("D06 grant", &form, &[]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            // As a forged one: it would tell who is registered (T024).
            (400, "invalid_grant")
        );
        world.assert_cause("D06 grant", &answer, ("caller", because));
    }
    for usage in Use::BOTH {
        let token = world.jwt(&world.ec, usage).sign();
        world.grants(
            "D06 control",
            &[&usage.form(&token)[..], &[("client_id", world.ec.id)]].concat(),
            &[],
        );
    }
}

#[test]
fn d06_a_grant_is_for_the_client_that_calls() {
    let world = world();
    let together = |issuer, caller| {
        let grant = world.jwt(issuer, Use::Grant).sign();
        let client = world.jwt(caller, Use::ClientAuth).sign();
        (grant, client)
    };
    let form = |(grant, client): &(String, String)| {
        let form = [
            ("grant_type", JWT_BEARER),
            ("assertion", grant.as_str()),
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", client.as_str()),
        ];
        form.map(|(name, value)| (name, value.to_owned()))
    };
    let stolen = form(&together(&world.other, &world.ec));
    let stolen: Vec<_> = stolen
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = world.attack("D06 a stolen grant", &stolen, &[]);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (400, "invalid_grant")
    );
    world.assert_cause(
        "D06 a stolen grant",
        &answer,
        ("caller", "is not the issuer"),
    );
    let own = form(&together(&world.ec, &world.ec));
    let own: Vec<_> = own
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    world.grants("D06 control: its own grant", &own, &[]);
}

#[test]
fn d08_strange_names_are_nobody() {
    let world = world();
    let strange = [
        "a\0b",
        "a\r\nb: forged",
        "\u{202e}evil",
        "*)(uid=*))(|(uid=*",
        "' OR '1'='1",
        "\u{feff}",
        "<script>alert(1)</script>",
        "%s%s%n%n",
        "../../etc/passwd",
        "$(reboot)",
        "\u{1b}[2J",
        "\u{1F4A9}",
        "Ω≈ç√∫",
        "田中さん",
        "[object Object]",
        "NaN",
    ];
    for name in strange {
        let row = format!("D08 {name:?}");
        for usage in Use::BOTH {
            let forge = |jwt: Jwt<'_>| jwt.text("iss", name).text("sub", name).sign();
            world.refuses_as(usage, &row, &world.ec, forge, UNKNOWN);
        }
        let because = if name.chars().any(char::is_control) {
            ("sub", "control characters")
        } else {
            ("subject", "is not known")
        };
        let subject = |jwt: Jwt<'_>| jwt.text("sub", name).sign();
        world.refuses_as(Use::Grant, &row, &world.ec, subject, because);
        world.refuses_as(
            Use::ClientAuth,
            &row,
            &world.ec,
            subject,
            ("sub", "sub: expected the client"),
        );
    }
    for claim in ["iss", "sub"] {
        let huge = |jwt: Jwt<'_>| jwt.claim(claim, quote(&"a".repeat(30_000))).sign();
        world.refuses(
            &format!("D08 30,000 octets of {claim}"),
            &world.ec,
            huge,
            ("jws", "token is too large"),
        );
    }
    let long = |jwt: Jwt<'_>| jwt.text("sub", &"a".repeat(256)).sign();
    world.refuses_as(
        Use::Grant,
        "D08 256 octets",
        &world.ec,
        long,
        ("sub", "longer than 255 octets"),
    );
}

#[test]
fn d10_disabled_and_unknown_issuers_are_refused() {
    let world = world();
    for (usage, because) in [
        (Use::Grant, ("issuer", "issuer is disabled")),
        (Use::ClientAuth, ("issuer", "client is disabled")),
    ] {
        let token = world.jwt(&world.disabled, usage).sign();
        let answer = world.attack("D10 disabled", &usage.form(&token), &[]);
        assert_eq!((answer.status, answer.error().as_str()), usage.refusal());
        world.assert_cause("D10 disabled", &answer, because);
    }
}

#[test]
fn d11_a_subject_must_be_known_enabled_and_permitted() {
    let world = world();
    for (subject, because) in [
        ("carol@example.com", ("subject", "subject is disabled")),
        ("dave@example.com", ("subject", "is not known")),
        ("nobody@example.com", ("subject", "is not known")),
        (
            "bob@example.com",
            ("permission", "client holds no permission"),
        ),
        ("ALICE@example.com", ("subject", "is not known")),
        ("other.example", ("subject", "is not known")),
    ] {
        let row = format!("D11 {subject}");
        let answer = world.refuses_as(
            Use::Grant,
            &row,
            &world.ec,
            |jwt| jwt.text("sub", subject).sign(),
            because,
        );
        let text = answer.json()["error_description"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            text.starts_with("the client may not act for this subject ("),
            "{row}: told apart: {text}"
        );
    }
    let permitted = |jwt: Jwt<'_>| jwt.text("sub", "alice@example.com").sign();
    let answer = world.passes_as(Use::Grant, "D11 control", &world.ec, permitted);
    assert_eq!(
        answer.json()["scope"],
        "read",
        "the permission's scope, not the client's"
    );
    let by_other = |jwt: Jwt<'_>| jwt.text("sub", "alice@example.com").sign();
    world.refuses_as(
        Use::Grant,
        "D11 another's permission",
        &world.other,
        by_other,
        ("permission", "holds no permission"),
    );
}

#[test]
fn d13_a_client_uses_the_grants_it_is_registered_for() {
    let world = world();
    for (party, usage, control) in [
        (&world.no_bearer, Use::Grant, Use::ClientAuth),
        (&world.bearer_only, Use::ClientAuth, Use::Grant),
    ] {
        let token = world.jwt(party, usage).sign();
        let answer = world.attack("D13", &usage.form(&token), &[]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "unauthorized_client")
        );
        world.assert_cause(
            "D13",
            &answer,
            ("grant", "client is not registered for this grant"),
        );
        world.passes_as(control, "D13 control", party, |jwt| jwt.sign());
    }
}

/// There is no registration endpoint by which a client could change anything about itself.
#[test]
fn d14_nobody_registers_over_http() {
    let world = world();
    for (method, path) in [
        ("POST", "/register"),
        ("PUT", "/register/ec.example"),
        ("PATCH", "/clients/ec.example"),
    ] {
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", "Bearer x"),
        ];
        let answer = world.server.send(
            method,
            path,
            &headers,
            br#"{"grant_types":["client_credentials"]}"#,
        );
        assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
    }
}
