//! The rules of RFC 7523 §3, each tried through the grant and through both assertion methods of
//! client authentication.

use grantor::{
    assertion::MAX_TOKEN_ID_BYTES,
    registry::{AssertionProfile, AudiencePolicy},
    types::ClientId,
};
use grantor_testkit::{ISSUER, Jwt, NOW, Party, Reason, TOKEN_ENDPOINT, Use, World, keys, quote};

use Reason::{Each, Same};

/// A world and a party for each use.
async fn each_use() -> Vec<(World, Party)> {
    let mut all = Vec::new();
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        all.push((world, party));
    }
    all
}

/// Tries rows of (JSON value of `claim`, reason) with every use.
async fn refuses_values(claim: &str, rows: &[(&str, Reason<'_>)]) {
    for (world, party) in each_use().await {
        for (json, reason) in rows {
            world
                .refuses(
                    &party,
                    &format!("{claim}: {json}"),
                    |jwt| jwt.claim(claim, *json),
                    *reason,
                )
                .await;
        }
    }
}

/// Refuses an assertion without this claim, and one in which it has another JSON type: wrong type
/// is never absent.
async fn refuses_absence_and_wrong_types(claim: &'static str, absent: Reason<'_>, values: &[&str]) {
    for (world, party) in each_use().await {
        world
            .refuses(
                &party,
                &format!("no {claim}"),
                |jwt| jwt.without(claim),
                absent,
            )
            .await;
    }
    let cause = format!("assertion: claim '{claim}' is not a");
    let rows: Vec<_> = values
        .iter()
        .map(|value| (*value, Same("claims", cause.as_str())))
        .collect();
    refuses_values(claim, &rows).await;
}

const NO_STRING: [&str; 5] = ["1", "null", "true", "[\"x\"]", "{}"];
const NO_NUMBER: [&str; 5] = ["\"9999999999\"", "null", "true", "[1]", "{}"];

#[tokio::test]
async fn rejects_assertion_without_issuer() {
    let absent = Same("issuer", "claim 'iss' is missing");
    refuses_absence_and_wrong_types("iss", absent, &NO_STRING).await;
}

#[tokio::test]
async fn rejects_assertion_without_subject() {
    refuses_absence_and_wrong_types("sub", Same("sub", "claim 'sub' is missing"), &NO_STRING).await;
}

#[tokio::test]
async fn rejects_assertion_without_audience() {
    let values = [
        "1",
        "null",
        "true",
        "{}",
        "[1]",
        "[null]",
        "[\"https://as.example\",1]",
        "[[\"https://as.example\"]]",
    ];
    refuses_absence_and_wrong_types("aud", Same("aud", "claim 'aud' is missing"), &values).await;
}

#[tokio::test]
async fn rejects_assertion_without_expiry() {
    refuses_absence_and_wrong_types("exp", Same("exp", "claim 'exp' is missing"), &NO_NUMBER).await;
}

#[tokio::test]
async fn rejects_assertion_without_token_id() {
    refuses_absence_and_wrong_types("jti", Same("jti", "claim 'jti' is missing"), &NO_STRING).await;
}

#[tokio::test]
async fn rejects_dates_that_are_no_numbers() {
    for claim in ["iat", "nbf"] {
        let cause = format!("claim '{claim}' is not a number");
        refuses_values(
            claim,
            &NO_NUMBER.map(|value| (value, Same("claims", cause.as_str()))),
        )
        .await;
    }
}

#[tokio::test]
async fn accepts_assertion_without_the_optional_claims() {
    for (world, party) in each_use().await {
        world
            .accepts(&party, "no iat", |jwt| jwt.without("iat"))
            .await;
        world
            .accepts(&party, "unknown claims", |jwt| {
                jwt.claim("cnf", "{\"a\":[1]}").claim("x", "null")
            })
            .await;
    }
}

#[tokio::test]
async fn rejects_claims_that_are_repeated() {
    for (world, party) in each_use().await {
        for claim in ["iss", "sub", "aud", "exp", "jti", "x"] {
            let again = |jwt: Jwt| {
                jwt.claim(claim, NOW.to_string())
                    .claim_again(claim, NOW.to_string())
            };
            world
                .refuses(
                    &party,
                    claim,
                    again,
                    Same("claims", "duplicate member name"),
                )
                .await;
        }
    }
}

#[tokio::test]
async fn compares_issuer_to_the_letter() {
    for usage in Use::ALL {
        let world = World::new();
        let key = if usage == Use::ClientSecretJwt {
            keys::SECRET.clone()
        } else {
            keys::P256.clone()
        };
        let named = |metadata: &mut grantor::registry::ClientMetadata| {
            metadata.id =
                ClientId::parse("https://client.example/caf\u{e9}").expect("an identifier");
        };
        let party = world.party_with(usage, key, named).await;
        for other in [
            "HTTPS://client.example/caf\u{e9}",
            "https://CLIENT.example/caf\u{e9}",
            "https://client.example/caf\u{e9}/",
            "https://client.example:443/caf\u{e9}",
            "https://client.example/caf%C3%A9",
            "https://client.example/cafe\u{301}",
            "https://client.example/./caf\u{e9}",
            " https://client.example/caf\u{e9}",
            "https://client.example/caf\u{e9}\u{0}",
            "",
        ] {
            let both = |jwt: Jwt| jwt.text("iss", other).text("sub", other);
            let reason = Same("issuer", "is not registered");
            world.refuses(&party, other, both, reason).await;
        }
    }
}

#[tokio::test]
async fn rejects_assertion_that_another_client_signed() {
    for (world, party) in each_use().await {
        let victim = match party.usage {
            Use::ClientSecretJwt => {
                world
                    .party_with(
                        party.usage,
                        grantor_testkit::Key::secret("v".repeat(64)),
                        |_| (),
                    )
                    .await
            }
            usage => {
                world
                    .party_with(usage, keys::P256_OTHER.clone(), |_| ())
                    .await
            }
        };
        let impersonate = |jwt: Jwt| {
            jwt.without_header("kid")
                .text("iss", &victim.id)
                .text("sub", &victim.id)
        };
        world
            .refuses(
                &party,
                "the victim's name",
                impersonate,
                Same("signature", "signature does not verify"),
            )
            .await;
    }
}

#[tokio::test]
async fn rejects_subject_that_the_client_may_not_be() {
    for (world, party) in each_use().await {
        world.permit(&party, "user-of-this-client", None).await;
        let other = world.party(Use::Grant).await;
        for (subject, rule, cause) in [
            (&*other.id, "subject", "is not known"),
            ("nobody-in-particular", "subject", "is not known"),
            ("", "sub", "is empty"),
        ] {
            let client = ("sub", "sub: expected the client");
            let change = |jwt: Jwt| jwt.text("sub", subject);
            world
                .refuses(
                    &party,
                    subject,
                    change,
                    Each {
                        grant: (rule, cause),
                        client,
                    },
                )
                .await;
        }
        if party.usage == Use::Grant {
            world
                .accepts(&party, "a permitted subject", |jwt| {
                    jwt.text("sub", "user-of-this-client")
                })
                .await;
        } else {
            let change = |jwt: Jwt| jwt.text("sub", "user-of-this-client");
            world
                .refuses(
                    &party,
                    "a permitted subject",
                    change,
                    Same("sub", "sub: expected the client"),
                )
                .await;
        }
    }
}

#[tokio::test]
async fn rejects_subject_that_no_log_could_hold() {
    for (world, party) in each_use().await {
        let long = "x".repeat(256);
        for (subject, cause) in [
            ("a\u{0}b-nul", "control characters"),
            ("a\r\nb-lines", "control"),
            (&*long, "255 octets"),
        ] {
            let reason = Each {
                grant: ("sub", cause),
                client: ("sub", "sub: expected the client"),
            };
            world
                .refuses(&party, cause, |jwt| jwt.text("sub", subject), reason)
                .await;
        }
    }
}

#[tokio::test]
async fn accepts_this_servers_issuer_as_sole_audience() {
    for (world, party) in each_use().await {
        world
            .accepts(&party, "a string", |jwt| jwt.text("aud", ISSUER))
            .await;
        world
            .accepts(&party, "an array of one", |jwt| {
                jwt.claim("aud", format!("[{}]", quote(ISSUER)))
            })
            .await;
    }
}

#[tokio::test]
async fn rejects_assertion_for_another_audience() {
    let issuer = quote(ISSUER);
    let rows = [
        r#""""#.to_owned(),
        "[]".to_owned(),
        r#""https://other.example""#.to_owned(),
        r#""https://as.example/""#.to_owned(),
        r#""https://AS.example""#.to_owned(),
        r#""HTTPS://as.example""#.to_owned(),
        r#""https://as.example:443""#.to_owned(),
        r#""https://as.exampl""#.to_owned(),
        r#""https://as.example.evil.example""#.to_owned(),
        r#""https://as.example/introspect""#.to_owned(),
        r#""https://as.example/token/""#.to_owned(),
        format!("[{issuer},\"https://evil.example\"]"),
        format!("[{issuer},{}]", quote(TOKEN_ENDPOINT)),
        format!("[{issuer},{issuer}]"),
        format!("[\"https://evil.example\",{issuer}]"),
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|json| (json.as_str(), Same("aud", "aud: expected one of")))
        .collect();
    refuses_values("aud", &rows).await;
}

#[tokio::test]
async fn token_endpoint_as_audience_is_for_grants_and_legacy_clients() {
    let to_endpoint = |jwt: Jwt| jwt.text("aud", TOKEN_ENDPOINT);
    for (world, party) in each_use().await {
        let legacy = world.party_with(party.usage, party.key.clone(), |metadata| {
            metadata.audience_policy = AudiencePolicy::Legacy;
        });
        world.accepts(&legacy.await, "legacy", to_endpoint).await;
        match party.usage {
            Use::Grant => drop(world.accepts(&party, "grant", to_endpoint).await),
            _ => {
                world
                    .refuses(
                        &party,
                        "strict",
                        to_endpoint,
                        Same("aud", "aud: expected one of"),
                    )
                    .await;
            }
        }
    }
}

#[tokio::test]
async fn explains_the_audience_once_the_signature_has_verified() {
    let (world, party) = World::with_party(Use::PrivateKeyJwt).await;
    let jwt = party.jwt().text("aud", TOKEN_ENDPOINT);
    let answer = world.send(&party.form(&jwt.sign(&party.key))).await;
    assert!(
        answer.description().contains("audience policy legacy"),
        "{}",
        answer.description()
    );
    let forged = world.send(&party.form(&jwt.sign(&keys::P256_OTHER))).await;
    assert_eq!(forged.description(), "client authentication failed");
}

#[tokio::test]
async fn service_account_profile_loosens_grants_of_that_client_alone() {
    let world = World::new();
    let google = |metadata: &mut grantor::registry::ClientMetadata| {
        metadata.assertion_profile = AssertionProfile::ServiceAccount;
    };
    let loose = |jwt: Jwt| {
        jwt.without("sub")
            .without("jti")
            .text("aud", "https://oauth2.googleapis.com/token")
    };
    let party = world
        .party_with(Use::Grant, keys::RSA.clone(), google)
        .await;
    world.accepts(&party, "all three liberties", loose).await;
    world
        .refuses(
            &party,
            "another audience",
            |jwt| loose(jwt).text("aud", "https://evil.example"),
            Same("aud", "aud:"),
        )
        .await;
    let client = Party {
        usage: Use::PrivateKeyJwt,
        ..party
    };
    for (claim, change) in [("sub", "sub"), ("jti", "jti")] {
        let cause = format!("claim '{claim}' is missing");
        world
            .refuses(
                &client,
                claim,
                |jwt| jwt.without(change),
                Same(claim, &cause),
            )
            .await;
    }
    let fixed = |jwt: Jwt| jwt.text("aud", "https://oauth2.googleapis.com/token");
    world
        .refuses(
            &client,
            "audience",
            fixed,
            Same("aud", "aud: expected one of"),
        )
        .await;
    let standard = world.party(Use::Grant).await;
    world
        .refuses(
            &standard,
            "audience of a standard client",
            fixed,
            Same("aud", "aud: expected one of"),
        )
        .await;
}

#[tokio::test]
async fn rejects_token_ids_that_cannot_be_remembered() {
    let longest = quote(&"x".repeat(MAX_TOKEN_ID_BYTES));
    let long = quote(&"x".repeat(MAX_TOKEN_ID_BYTES + 1));
    let rows = [
        (r#""""#, Same("jti", "claim 'jti' is empty")),
        (r#""   ""#, Same("jti", "claim 'jti' is empty")),
        (r#""a\u0000b""#, Same("jti", "control characters")),
        (r#""a\r\nb""#, Same("jti", "control characters")),
        (&*long, Same("jti", "longer than 255 octets")),
    ];
    refuses_values("jti", &rows).await;
    for (world, party) in each_use().await {
        world
            .accepts(&party, "the longest jti", |jwt| {
                jwt.claim("jti", longest.as_str())
            })
            .await;
    }
}

#[tokio::test]
async fn typ_is_absent_or_names_this_kind_of_jwt() {
    for (world, party) in each_use().await {
        for typ in ["JWT", "jwt", "application/jwt"] {
            world
                .accepts(&party, typ, |jwt| jwt.header("typ", quote(typ)))
                .await;
        }
        world
            .accepts(&party, "no typ", |jwt| jwt.without_header("typ"))
            .await;
        for typ in [
            "client-authentication+jwt",
            "Client-Authentication+JWT",
            "application/client-authentication+jwt",
        ] {
            let change = |jwt: Jwt| jwt.header("typ", quote(typ));
            match party.usage {
                Use::Grant => {
                    world
                        .refuses(&party, typ, change, Same("typ", "typ: expected none, JWT"))
                        .await;
                }
                _ => drop(world.accepts(&party, typ, change).await),
            }
        }
    }
}

#[tokio::test]
async fn rejects_jwts_of_another_kind() {
    let kinds = "at+jwt dpop+jwt oauth-id-jag+jwt logout+jwt secevent+jwt token-introspection+jwt oauth-authz-req+jwt JOSE x/jwt";
    for (world, party) in each_use().await {
        for typ in kinds.split(' ').chain([""]) {
            let change = |jwt: Jwt| jwt.header("typ", quote(typ));
            world
                .refuses(&party, typ, change, Same("typ", "typ: expected none, JWT"))
                .await;
        }
    }
}

#[tokio::test]
async fn rejects_headers_that_change_processing_and_ignores_the_unknown() {
    let rows = [
        ("crit", "[\"exp\"]", "'crit' is not supported"),
        ("crit", "[]", "'crit' is not supported"),
        ("b64", "false", "'b64' is not allowed"),
        ("b64", "true", "'b64' is not allowed"),
        ("zip", "\"DEF\"", "'zip' is not supported"),
        ("enc", "\"A128GCM\"", "encrypted"),
        ("cty", "\"JWT\"", "nested"),
        ("kid", "1", "'kid' has the wrong type"),
        ("kid", "null", "'kid' has the wrong type"),
        ("typ", "{}", "'typ' has the wrong type"),
    ];
    for (world, party) in each_use().await {
        for (name, json, cause) in rows {
            world
                .refuses(
                    &party,
                    name,
                    |jwt| jwt.header(name, json),
                    Same("jws", cause),
                )
                .await;
        }
        for name in ["alg", "typ", "x"] {
            let again = |jwt: Jwt| {
                jwt.header(name, quote("JWT"))
                    .header_again(name, quote("JWT"))
            };
            world
                .refuses(&party, name, again, Same("jws", "duplicate member name"))
                .await;
        }
        let pointers = |jwt: Jwt| {
            jwt.header("jku", quote("https://evil.example/jwks"))
                .header("x5u", "7")
                .header("jwk", "{}")
        };
        world
            .accepts(&party, "pointers to keys are not followed", pointers)
            .await;
    }
}

#[tokio::test]
async fn rejects_what_is_no_single_compact_jws() {
    for (world, party) in each_use().await {
        let good = party.jwt().sign(&party.key);
        let (input, signature) = good.rsplit_once('.').expect("three segments");
        let header = format!(r#"{{"alg":"{}"}}"#, party.key.algorithm);
        let json = format!(r#"{{"payload":"{input}","signature":"{signature}"}}"#);
        let rows = [
            ("not-a-jwt".to_owned(), "jws", "three segments"),
            (".".to_owned(), "jws", "three segments"),
            ("...".to_owned(), "jws", "three segments"),
            ("a.b.c".to_owned(), "jws", "not base64url"),
            (" ".to_owned(), "jws", "three segments"),
            (format!("{input}."), "jws", "signature is empty"),
            (input.to_owned(), "jws", "three segments"),
            (format!("{good}.{good}"), "jws", "three segments"),
            (format!("{good} {good}"), "jws", "encrypted"),
            (format!("{good},{good}"), "jws", "encrypted"),
            (format!("{good}.x.y"), "jws", "encrypted"),
            (format!("{good}="), "jws", "not base64url"),
            (format!("{good}\n"), "jws", "not base64url"),
            (format!(" {good}"), "jws", "not base64url"),
            (json, "jws", "JSON serialisation"),
            (".".repeat(20_000), "jws", "too large"),
            (party.key.jws("null", b"{}"), "jws", "not a JSON object"),
            (party.key.jws("{}", b"{}"), "jws", "'alg' is missing"),
            (
                party.key.jws(&header, b"[\"text\"]"),
                "claims",
                "not a JSON object",
            ),
            (party.key.jws(&header, b"text"), "claims", "not valid JSON"),
            (party.key.jws(&header, b"{} {}"), "claims", "not valid JSON"),
            (party.key.jws(&header, b""), "claims", "not valid JSON"),
        ];
        for (token, rule, cause) in rows {
            world
                .send(&party.form(&token))
                .await
                .refused(&token, party.usage.error(), rule, cause);
        }
        world
            .send(&party.form(&good))
            .await
            .granted("the good assertion was not used up");
    }
}
