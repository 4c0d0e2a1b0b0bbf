//! H. Client authentication mixed up: two at once, halves, the wrong method, headers that cannot be
//! read.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    oracle::{Because, SecretParty, Use, world},
    support::{Answer, CLIENT_ASSERTION, JWT_BEARER},
};

type Form<'a> = Vec<(&'a str, &'a str)>;

const SEVERAL: Because = ("client", "more than one client authentication mechanism");

fn basic(party: &SecretParty) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", party.id, party.secret))
    )
}

fn refused(
    row: &str,
    form: &[(&str, &str)],
    headers: &[(&str, &str)],
    expected: (u16, &str),
    because: Because,
) -> Answer {
    let world = world();
    let answer = world.attack(row, form, headers);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        expected,
        "{row}: {answer:?}"
    );
    world.assert_cause(row, &answer, because);
    let challenged = answer
        .header("WWW-Authenticate")
        .is_some_and(|challenge| challenge.starts_with("Basic realm="));
    assert_eq!(
        challenged,
        answer.status == 401,
        "{row}: a challenge comes with 401 and only then: {answer:?}"
    );
    answer
}

#[test]
fn h01_one_mechanism_at_a_time() {
    let world = world();
    let header = basic(&world.basic);
    let with_header = [("Authorization", header.as_str())];
    let secret: Form<'_> = vec![
        ("client_id", world.post.id),
        ("client_secret", &world.post.secret),
    ];
    let fresh = || world.jwt(&world.ec, Use::ClientAuth).sign();
    let token = fresh();
    refused(
        "H01 Basic and assertion",
        &Use::ClientAuth.form(&token),
        &with_header,
        (401, "invalid_client"),
        SEVERAL,
    );
    let token = fresh();
    let both = [&Use::ClientAuth.form(&token)[..], &secret].concat();
    refused(
        "H01 secret and assertion",
        &both,
        &[],
        (400, "invalid_client"),
        SEVERAL,
    );
    let plain = [&[("grant_type", "client_credentials")][..], &secret].concat();
    refused(
        "H01 Basic and secret",
        &plain,
        &with_header,
        (400, "invalid_request"),
        SEVERAL,
    );
    let own = [
        ("grant_type", "client_credentials"),
        ("client_id", world.basic.id),
        ("client_secret", &world.basic.secret),
    ];
    refused(
        "H01 the same secret twice",
        &own,
        &with_header,
        (400, "invalid_request"),
        SEVERAL,
    );
    // Each half alone is good, and none of the refusals used up anything.
    world.grants(
        "H01 control: the assertion",
        &Use::ClientAuth.form(&token),
        &[],
    );
    world.grants("H01 control: the secret", &plain, &[]);
    world.grants(
        "H01 control: Basic",
        &[("grant_type", "client_credentials")],
        &with_header,
    );
    let basic_and_id = [
        ("grant_type", "client_credentials"),
        ("client_id", world.basic.id),
    ];
    world.grants(
        "H01 control: Basic and its client_id",
        &basic_and_id,
        &with_header,
    );
}

#[test]
fn h04_the_pair_is_complete_and_of_the_one_type() {
    let world = world();
    let token = world.jwt(&world.ec, Use::ClientAuth).sign();
    let grant = ("grant_type", "client_credentials");
    let half = ("client", "is missing beside the other half");
    let refusal = (400, "invalid_client");
    refused(
        "H04 no type",
        &[grant, ("client_assertion", &token)],
        &[],
        refusal,
        half,
    );
    refused(
        "H04 no assertion",
        &[grant, ("client_assertion_type", CLIENT_ASSERTION)],
        &[],
        refusal,
        half,
    );
    refused(
        "H04 empty type",
        &[
            grant,
            ("client_assertion", &token),
            ("client_assertion_type", ""),
        ],
        &[],
        refusal,
        half,
    );
    let upper = CLIENT_ASSERTION.to_uppercase();
    let spaced = format!(" {CLIENT_ASSERTION}");
    let behind = format!("{CLIENT_ASSERTION} ");
    for wrong in [
        "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        JWT_BEARER,
        "jwt-bearer",
        &upper,
        &spaced,
        &behind,
        "x",
    ] {
        let form = [
            grant,
            ("client_assertion", &token),
            ("client_assertion_type", wrong),
        ];
        refused(
            &format!("H04 {wrong}"),
            &form,
            &[],
            refusal,
            ("client", "client_assertion_type is not jwt-bearer"),
        );
    }
    // T085: that type is for the JWTs of SPIFFE issuers. Whose JWT it is shows when it is proven: it is
    // used up then.
    let own = world.jwt(&world.ec, Use::ClientAuth).sign();
    let form = [
        grant,
        ("client_assertion", &*own),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe",
        ),
    ];
    refused("H04 jwt-spiffe", &form, &[], refusal, ("client", ""));
    // A half pair never falls through to another mechanism, or to none.
    let header = basic(&world.basic);
    let form = [grant, ("client_assertion_type", CLIENT_ASSERTION)];
    refused(
        "H04 half and Basic",
        &form,
        &[("Authorization", &header)],
        (401, "invalid_client"),
        SEVERAL,
    );
    let assertion = world.jwt(&world.ec, Use::Grant).sign();
    let form = [
        &Use::Grant.form(&assertion)[..],
        &[("client_assertion", "x")],
    ]
    .concat();
    refused("H04 half beside a grant", &form, &[], refusal, half);
    world.grants(
        "H04 control: the grant alone",
        &Use::Grant.form(&assertion),
        &[],
    );
    world.grants(
        "H04 control: the whole pair",
        &Use::ClientAuth.form(&token),
        &[],
    );
    let header = [("Authorization", header.as_str())];
    let empty = [
        grant,
        ("client_assertion", ""),
        ("client_assertion_type", ""),
    ];
    world.grants("H04 control: an empty pair is none (C12)", &empty, &header);
}

#[test]
fn h08_unreadable_headers_are_failed_authentication() {
    let world = world();
    let form = [("grant_type", "client_credentials")];
    let good = basic(&world.basic);
    let encoded = good.trim_start_matches("Basic ");
    let raw = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let long = format!("Basic {}", "A".repeat(8 * 1024));
    for (row, value, because) in [
        ("two in one", format!("{good}, {good}"), "not base64"),
        (
            "a tab",
            format!("Basic\t{encoded}"),
            "no credentials after the scheme",
        ),
        ("not base64", "Basic !!!!".to_owned(), "not base64"),
        (
            "no padding",
            format!("Basic {}", STANDARD.encode("ab:cd").trim_end_matches('=')),
            "not base64",
        ),
        ("no colon", raw("basic.example"), "no colon"),
        ("nothing", "Basic".to_owned(), "no credentials"),
        ("an empty scheme", format!(" {encoded}"), "no credentials"),
        (
            "Bearer",
            format!("Bearer {encoded}"),
            "the scheme is not Basic",
        ),
        (
            "Negotiate",
            "Negotiate YII=".to_owned(),
            "the scheme is not Basic",
        ),
        ("bad escapes", raw("a%zz:b"), "not form-encoded"),
        ("long", long, "no colon"),
        ("NUL for id", raw("\0:x"), "is not registered"),
        ("no id", raw(":x"), "is not registered"),
        ("nobody", raw("nobody.example:x"), "is not registered"),
        (
            "wrong secret",
            raw("basic.example:not-the-secret-at-all"),
            "client secret is wrong",
        ),
        ("no secret", raw("basic.example:"), "client secret is wrong"),
    ] {
        let row = format!("H08 {row}");
        let headers = [("Authorization", value.as_str())];
        refused(
            &row,
            &form,
            &headers,
            (401, "invalid_client"),
            ("client", because),
        );
        let assertion = world.jwt(&world.ec, Use::Grant).sign();
        refused(
            &format!("{row}, R063"),
            &Use::Grant.form(&assertion),
            &headers,
            (401, "invalid_client"),
            ("client", because),
        );
        world.grants("H08 control", &Use::Grant.form(&assertion), &[]);
    }
    let twice = [
        ("Authorization", good.as_str()),
        ("Authorization", good.as_str()),
    ];
    let answer = world.attack("H08 two headers", &form, &twice);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (400, "invalid_request")
    );
    let lower = good.replace("Basic", "bAsIc");
    world.grants(
        "H08 control: the scheme in any case",
        &form,
        &[("Authorization", &lower)],
    );
}

/// The HTTP library ends it before the authorization server sees it.
#[test]
fn h08_a_header_of_a_megabyte_is_cut_off() {
    let world = world();
    let value = format!("Basic {}", "A".repeat(1 << 20));
    let answer = world.server.post(
        "/token",
        &[("grant_type", "client_credentials")],
        &[("Authorization", &value)],
    );
    assert!([400, 431].contains(&answer.status), "{answer:?}");
    assert!(!answer.body.contains("AAAA"));
    world.passes("control", &world.ec, |jwt| jwt.sign());
}

#[test]
fn r012_only_the_registered_method_works() {
    let world = world();
    let grant = ("grant_type", "client_credentials");
    let (basic_party, post) = (&world.basic, &world.post);
    let crossed = basic(&SecretParty {
        id: post.id,
        secret: post.secret.clone(),
    });
    let method = ("method", "method: client is registered with");
    refused(
        "R012 Basic for post",
        &[grant],
        &[("Authorization", &crossed)],
        (401, "invalid_client"),
        method,
    );
    let form = [
        grant,
        ("client_id", basic_party.id),
        ("client_secret", &basic_party.secret),
    ];
    refused(
        "R012 post for Basic",
        &form,
        &[],
        (400, "invalid_client"),
        method,
    );
    for party in [&world.ec, &world.hmac] {
        let form = [grant, ("client_id", party.id), ("client_secret", "x")];
        refused(
            "R012 a secret for an assertion client",
            &form,
            &[],
            (400, "invalid_client"),
            method,
        );
        let form = [grant, ("client_id", party.id)];
        refused(
            "R011 a name for an assertion client",
            &form,
            &[],
            (400, "invalid_client"),
            method,
        );
    }
    let hmac = world.hmac.key.text();
    let form = [grant, ("client_id", world.hmac.id), ("client_secret", hmac)];
    refused(
        "R012 the MAC secret in the clear",
        &form,
        &[],
        (400, "invalid_client"),
        method,
    );
    refused(
        "R011 nobody",
        &[grant],
        &[],
        (400, "invalid_client"),
        ("client", "no client authentication"),
    );
}

/// RFC 7523 §3.1: credentials beside a grant are validated although the grant could do without.
#[test]
fn r063_bad_credentials_spoil_a_good_grant() {
    let world = world();
    let wrong = format!("Basic {}", STANDARD.encode("basic.example:wrong"));
    let assertion = world.jwt(&world.ec, Use::Grant).sign();
    let form = Use::Grant.form(&assertion);
    let because = ("client", "client secret is wrong");
    refused(
        "R063 wrong secret",
        &form,
        &[("Authorization", &wrong)],
        (401, "invalid_client"),
        because,
    );
    let spoilt = world
        .jwt(&world.ec, Use::ClientAuth)
        .by(&world.other.key)
        .sign();
    let pair = [
        ("client_assertion_type", CLIENT_ASSERTION),
        ("client_assertion", spoilt.as_str()),
    ];
    let both = [&form[..], &pair].concat();
    refused(
        "R063 bad assertion",
        &both,
        &[],
        (400, "invalid_client"),
        ("signature", "signature does not verify"),
    );
    let good = basic(&world.basic);
    let other = ("caller", "is not the issuer");
    refused(
        "R063 another client's good secret",
        &form,
        &[("Authorization", &good)],
        (400, "invalid_grant"),
        other,
    );
    world.grants("R063 control", &form, &[]);
}
