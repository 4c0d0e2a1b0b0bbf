//! Which JWTs are access tokens for this resource (RFC 9068 §4, RFC 8725). Each refusal has a
//! control that differs in one place.

use std::{sync::Arc, time::Duration};

use crate::support::{
    AUDIENCE, Jwt, Key, NOW, accepted, at, good_token, key_set, keys, parsed_key_set, quote,
    refused,
};
use grantor::{
    clock::ManualClock,
    jose::{Algorithm, JwkSet, MAX_TOKEN_BYTES, base64url_decode, base64url_encode},
    resource::{TokenProfile, Validator, ValidatorBuilder, ValidatorError},
    types::Scope,
};
use serde_json::{Value, json};

const ISSUER: &str = "https://as.example";

fn builder(clock: &Arc<ManualClock>) -> ValidatorBuilder {
    let keys = parsed_key_set(&[
        &keys::RSA,
        &keys::P256,
        &keys::P384,
        &keys::P521,
        &keys::ED25519,
    ]);
    Validator::builder(ISSUER, AUDIENCE)
        .key_set(keys)
        .clock(clock.clone())
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(at(0.0)))
}

fn validator() -> Validator {
    builder(&clock()).build().expect("a validator")
}

fn token(key: &Key) -> Jwt {
    good_token(key).text("iss", ISSUER)
}

/// The changed token is refused for this reason, the one without the change is accepted.
async fn refuses(validator: &Validator, row: &str, change: impl FnOnce(Jwt) -> Jwt, reason: &str) {
    let good = token(&keys::P256);
    accepted(
        row,
        validator.validate(&good.clone().sign(&keys::P256)).await,
    );
    let got = refused(
        row,
        validator.validate(&change(good).sign(&keys::P256)).await,
    );
    assert!(got.contains(reason), "{row}: {got}");
}

#[tokio::test]
async fn what_a_token_says_is_told() {
    let jwt = token(&keys::P256)
        .claim("groups", "[\"accounting\"]")
        .sign(&keys::P256);
    let token = accepted("good", validator().validate(&jwt).await);
    assert_eq!(
        (token.subject(), token.client_id(), token.token_id()),
        (Some("alice"), Some("billing"), Some("token-1"))
    );
    assert_eq!(
        (token.issuer(), token.audience().collect::<Vec<_>>()),
        (Some(ISSUER), vec![AUDIENCE])
    );
    assert_eq!(token.scope().to_string(), "invoices:read invoices:write");
    assert_eq!(
        (token.issued_at(), token.expires_at()),
        (Some(at(0.0)), Some(at(600.0)))
    );
    assert_eq!(token.claim("groups"), Some(&json!(["accounting"])));
    assert!(token.allows(&Scope::parse("invoices:read").expect("a scope")));
    assert!(!token.allows(&Scope::parse("invoices:read invoices:delete").expect("a scope")));
    let shown = format!("{token:?}");
    assert!(
        shown.contains("alice") && !shown.contains("accounting") && !shown.contains(&jwt),
        "{shown}"
    );
}

#[tokio::test]
async fn the_default_algorithms_pass_and_no_others() {
    let (default, all) = (validator(), builder(&clock()));
    let all = all
        .algorithms(
            Algorithm::ALL
                .into_iter()
                .filter(|algorithm| !algorithm.is_mac()),
        )
        .build()
        .expect("a validator");
    let keys = [
        &keys::RSA,
        &keys::P256,
        &keys::P384,
        &keys::P521,
        &keys::ED25519,
    ];
    for algorithm in Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.is_mac())
    {
        let key = keys
            .into_iter()
            .find(|key| key.algorithm.key_type() == algorithm.key_type())
            .expect("a key")
            .with(algorithm);
        let token = token(&key).sign(&key);
        accepted(algorithm.name(), all.validate(&token).await);
        match algorithm.name() {
            "RS256" | "PS256" | "ES256" | "ES384" | "Ed25519" | "EdDSA" => {
                accepted(algorithm.name(), default.validate(&token).await);
            }
            name => assert!(
                refused(name, default.validate(&token).await).contains("not among those accepted"),
                "{name}"
            ),
        }
    }
}

#[tokio::test]
async fn no_signature_is_no_token() {
    let validator = validator();
    refuses(
        &validator,
        "alg none",
        |jwt| jwt.header("alg", "\"none\""),
        "names no supported algorithm",
    )
    .await;
    refuses(
        &validator,
        "alg missing",
        |jwt| jwt.without_header("alg"),
        "'alg' is missing",
    )
    .await;
    let good = token(&keys::P256).sign(&keys::P256);
    let (signed, signature) = good.rsplit_once('.').expect("a JWS");
    assert_eq!(
        refused("empty", validator.validate(&format!("{signed}.")).await),
        "signature is empty"
    );
    let stripped = format!(
        "{}.{}.",
        base64url_encode(r#"{"alg":"none"}"#),
        signed.split_once('.').expect("a JWS").1
    );
    assert!(refused("stripped", validator.validate(&stripped).await).contains("is empty"));
    let altered = format!(
        "{signed}.{}{}",
        if signature.starts_with('A') { 'B' } else { 'A' },
        &signature[1..]
    );
    assert_eq!(
        refused("altered", validator.validate(&altered).await),
        "signature does not verify"
    );
    let other = token(&keys::P256).sign(&keys::P256_OTHER);
    assert_eq!(
        refused("another key", validator.validate(&other).await),
        "signature does not verify"
    );
    accepted("the control", validator.validate(&good).await);
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let public = keys::RSA.public();
    let jwk =
        serde_json::to_string(&public.jwk().expect("a public key").to_object()).expect("JSON");
    let validator = validator();
    accepted(
        "control",
        validator
            .validate(&token(&keys::RSA).sign(&keys::RSA))
            .await,
    );
    let secret = Key::secret(&jwk);
    let forged = token(&keys::RSA).header("alg", "\"HS256\"").sign(&secret);
    assert_eq!(
        refused("HS256", validator.validate(&forged).await),
        "algorithm HS256 is not among those accepted"
    );
    let built = builder(&clock())
        .algorithms([Algorithm::Rs256, Algorithm::Hs256])
        .build();
    assert!(matches!(
        built,
        Err(ValidatorError::Symmetric(Algorithm::Hs256))
    ));
}

#[tokio::test]
async fn the_type_is_access_token() {
    let validator = validator();
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/AT+JWT",
    ] {
        accepted(
            typ,
            validator
                .validate(
                    &token(&keys::P256)
                        .header("typ", quote(typ))
                        .sign(&keys::P256),
                )
                .await,
        );
    }
    for typ in [
        "JWT",
        "jwt",
        "client-authentication+jwt",
        "id_token",
        "logout+jwt",
        "dpop+jwt",
        "token-introspection+jwt",
        "at+jw",
        "",
    ] {
        refuses(
            &validator,
            typ,
            |jwt| jwt.header("typ", quote(typ)),
            "expected \"at+jwt\"",
        )
        .await;
    }
    refuses(
        &validator,
        "absent",
        |jwt| jwt.without_header("typ"),
        "'typ' is None",
    )
    .await;
}

#[tokio::test]
async fn other_jwts_of_the_same_issuer_are_no_access_tokens() {
    let validator = validator();
    // E12: a client assertion for this very resource, signed with a key that the issuer also
    // publishes.
    let assertion = |jwt: Jwt| {
        jwt.header("typ", "\"JWT\"")
            .text("sub", ISSUER)
            .without("client_id")
            .without("scope")
    };
    refuses(
        &validator,
        "client assertion",
        assertion,
        "'typ' is Some(\"JWT\")",
    )
    .await;
    let id_token = |jwt: Jwt| {
        jwt.without_header("typ")
            .text("nonce", "n")
            .text("at_hash", "h")
            .without("scope")
    };
    refuses(&validator, "ID token", id_token, "'typ' is None").await;
    for claim in ["at_hash", "c_hash", "s_hash", "events", "htm", "htu"] {
        refuses(
            &validator,
            claim,
            |jwt| jwt.text(claim, "x"),
            "no access token",
        )
        .await;
    }
    for kind in ["ID", "Refresh", "Offline", "Logout"] {
        refuses(
            &validator,
            kind,
            |jwt| jwt.text("typ", kind),
            "'typ' says that this is no access token",
        )
        .await;
    }
    accepted(
        "Bearer",
        validator
            .validate(&token(&keys::P256).text("typ", "Bearer").sign(&keys::P256))
            .await,
    );
}

#[tokio::test]
async fn a_token_bound_to_a_key_is_no_bearer_token() {
    let validator = validator();
    for confirmation in [r#"{"jkt":"x"}"#, r#"{"x5t#S256":"x"}"#, "{}", "null"] {
        refuses(
            &validator,
            confirmation,
            |jwt| jwt.claim("cnf", confirmation),
            "binds the token to a key",
        )
        .await;
    }
}

#[tokio::test]
async fn required_claims_are_there() {
    let validator = validator();
    for claim in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        refuses(
            &validator,
            claim,
            |jwt| jwt.without(claim),
            &format!("claim '{claim}' is missing"),
        )
        .await;
    }
    for claim in ["sub", "jti"] {
        refuses(
            &validator,
            claim,
            |jwt| jwt.text(claim, ""),
            &format!("claim '{claim}' is missing"),
        )
        .await;
    }
    for (claim, value) in [
        ("iss", "null"),
        ("sub", "1"),
        ("aud", "{}"),
        ("exp", "\"9999999999\""),
        ("iat", "true"),
        ("jti", "[]"),
    ] {
        refuses(
            &validator,
            claim,
            |jwt| jwt.claim(claim, value),
            &format!("claim '{claim}' is not a"),
        )
        .await;
    }
    for value in ["1", "null", "\"\"", "[\"billing\"]"] {
        refuses(
            &validator,
            value,
            |jwt| jwt.claim("client_id", value),
            "claim 'client_id' is malformed",
        )
        .await;
    }
    for value in ["1", "[\"a\"]", "\" a\"", "\"a  b\""] {
        refuses(
            &validator,
            value,
            |jwt| jwt.claim("scope", value),
            "claim 'scope' is malformed",
        )
        .await;
    }
    accepted(
        "no scope",
        validator
            .validate(&token(&keys::P256).without("scope").sign(&keys::P256))
            .await,
    );
    let twice = |jwt: Jwt| jwt.claim_again("aud", quote(AUDIENCE));
    refuses(&validator, "twice", twice, "duplicate member name").await;
}

#[tokio::test]
async fn issuer_and_audience_are_compared_to_the_letter() {
    let validator = validator();
    for issuer in [
        "https://as.example/",
        "https://AS.example",
        "https://evil.example",
        "http://as.example",
        "",
    ] {
        refuses(
            &validator,
            issuer,
            |jwt| jwt.text("iss", issuer),
            "claim 'iss' is",
        )
        .await;
    }
    for audience in [
        "https://api.example",
        "https://api.example/invoices/",
        "https://API.example/invoices",
        "billing",
        ISSUER,
        "",
    ] {
        refuses(
            &validator,
            audience,
            |jwt| jwt.text("aud", audience),
            "claim 'aud' is",
        )
        .await;
    }
    for audience in ["[]", "[\"https://api.example/other\"]"] {
        refuses(
            &validator,
            audience,
            |jwt| jwt.claim("aud", audience),
            "claim 'aud' is",
        )
        .await;
    }
    let among = format!("[\"https://api.example/other\",\"{AUDIENCE}\"]");
    accepted(
        "among others",
        validator
            .validate(&token(&keys::P256).claim("aud", among).sign(&keys::P256))
            .await,
    );
}

#[tokio::test]
async fn a_token_is_good_from_its_beginning_to_its_end() {
    let times = |leeway: u64| {
        let clock = clock();
        (
            builder(&clock)
                .leeway(Duration::from_secs(leeway))
                .remember(Duration::ZERO, 0)
                .build()
                .expect("a validator"),
            clock,
        )
    };
    let jwt = token(&keys::P256)
        .claim("nbf", (NOW + 10).to_string())
        .sign(&keys::P256);
    for (leeway, seconds, reason) in [
        (0, 9.999, Some("not valid for another 0.0")),
        (0, 10.0, None),
        (0, 599.999, None),
        (0, 600.0, Some("expired 0 s ago")),
        (30, -20.001, Some("not valid for another 30.0")),
        (30, -20.0, None),
        (30, 629.999, None),
        (30, 630.0, Some("expired 30 s ago")),
    ] {
        let (validator, clock) = times(leeway);
        clock.set(at(seconds));
        let row = format!("{leeway} {seconds}");
        match reason {
            None => drop(accepted(&row, validator.validate(&jwt).await)),
            Some(reason) => {
                let got = refused(&row, validator.validate(&jwt).await);
                assert!(got.starts_with(reason), "{row}: {got}");
            }
        }
    }
    let (validator, _) = times(30);
    refuses(
        &validator,
        "iat",
        |jwt| jwt.claim("iat", (NOW + 31).to_string()),
        "issued 31 s in the future",
    )
    .await;
    refuses(&validator, "exp", |jwt| jwt.claim("exp", "-1"), "expired").await;
    accepted(
        "1e308",
        validator
            .validate(&token(&keys::P256).claim("exp", "1e308").sign(&keys::P256))
            .await,
    );
}

#[tokio::test]
async fn a_token_just_seen_still_ends() {
    let clock = clock();
    let validator = builder(&clock).build().expect("a validator");
    let jwt = token(&keys::P256).sign(&keys::P256);
    for (seconds, passes) in [
        (0.0, true),
        (299.0, true),
        (301.0, true),
        (629.999, true),
        (630.0, false),
        (0.0, true),
    ] {
        clock.set(at(seconds));
        assert_eq!(validator.validate(&jwt).await.is_ok(), passes, "{seconds}");
    }
}

#[tokio::test]
async fn a_token_just_seen_lets_no_other_text_in() {
    let validator = validator();
    let (jwt, other) = (
        token(&keys::P256).sign(&keys::P256),
        token(&keys::P256).text("jti", "other").sign(&keys::P256),
    );
    let (input, signature) = jwt.rsplit_once('.').expect("a JWS");
    let octets = base64url_decode(signature).expect("base64url");
    let (_, signature_of_other) = other.rsplit_once('.').expect("a JWS");
    let forged = token(&keys::P256).sign(&keys::P256_OTHER);
    let texts = [
        (format!("{input}."), "signature is empty"),
        (
            format!("{input}.{signature_of_other}"),
            "signature does not verify",
        ),
        (
            format!("{input}.{}", base64url_encode(&octets[..61])),
            "signature does not verify",
        ),
        (
            format!(
                "{input}.{}",
                base64url_encode([&octets[..], &[0; 3]].concat())
            ),
            "signature does not verify",
        ),
        (input.to_owned(), "not a compact JWS of three segments"),
        (forged, "signature does not verify"),
    ];
    for (text, cause) in texts {
        accepted(&jwt, validator.validate(&jwt).await);
        assert_eq!(
            refused(&text, validator.validate(&text).await),
            cause,
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_known_header_lets_no_other_header_in() {
    let validator = validator();
    for key in [&keys::RSA, &keys::P256, &keys::RSA] {
        accepted(
            "the control",
            validator.validate(&token(key).sign(key)).await,
        );
        refuses(
            &validator,
            "typ",
            |jwt| jwt.header("typ", "\"JWT\""),
            "'typ'",
        )
        .await;
        refuses(
            &validator,
            "crit",
            |jwt| jwt.header("crit", "[\"exp\"]"),
            "'crit' is not supported",
        )
        .await;
        let as_another = token(key)
            .header("kid", quote(keys::P384.key_id().expect("a name")))
            .sign(key);
        assert!(
            refused("kid", validator.validate(&as_another).await)
                .contains("the key is not for algorithm")
        );
        let (good, later) = (
            token(key).sign(key),
            token(key).claim("exp", (NOW + 601).to_string()).sign(key),
        );
        let (Some((input, _)), Some((_, signature))) =
            (later.rsplit_once('.'), good.rsplit_once('.'))
        else {
            unreachable!()
        };
        let forged = format!("{input}.{signature}");
        assert_eq!(
            refused("signature", validator.validate(&forged).await),
            "signature does not verify"
        );
    }
}

#[tokio::test]
async fn keys_come_from_the_issuer_and_never_from_the_token() {
    let validator = validator();
    let jwk = serde_json::to_string(&key_set(&[&keys::P256_OTHER])["keys"][0]).expect("JSON");
    for (name, value) in [
        ("jwk", jwk.as_str()),
        ("jku", "\"http://127.0.0.1:1/jwks\""),
        ("x5u", "\"http://127.0.0.1:1/\""),
        ("x5c", "[\"AA==\"]"),
    ] {
        let jwt = token(&keys::P256).header(name, value);
        accepted(
            name,
            validator.validate(&jwt.clone().sign(&keys::P256)).await,
        );
        assert_eq!(
            refused(name, validator.validate(&jwt.sign(&keys::P256_OTHER)).await),
            "signature does not verify"
        );
    }
}

#[tokio::test]
async fn the_key_is_the_one_of_the_kid_and_the_algorithm() {
    let validator = validator();
    for kid in ["unknown", "", "../../etc/passwd", "' OR 1=1"] {
        refuses(
            &validator,
            kid,
            |jwt| jwt.header("kid", quote(kid)),
            "no key of the issuer has this 'kid'",
        )
        .await;
    }
    let p384 = quote(keys::P384.key_id().expect("a name"));
    refuses(
        &validator,
        "the kid of another key",
        |jwt| jwt.header("kid", p384),
        "the key is not for algorithm ES256",
    )
    .await;
    accepted(
        "no kid",
        validator
            .validate(&token(&keys::P256).without_header("kid").sign(&keys::P256))
            .await,
    );
    let only_rsa = Validator::builder(ISSUER, AUDIENCE)
        .key_set(parsed_key_set(&[&keys::RSA]))
        .clock(clock())
        .build();
    let no_kid = token(&keys::P256).without_header("kid").sign(&keys::P256);
    assert!(
        refused(
            "no key fits",
            only_rsa.expect("a validator").validate(&no_kid).await
        )
        .contains("no key of the issuer")
    );

    // An RSA key that says which algorithm it is for is for no other.
    let mut set = key_set(&[&keys::RSA]);
    set["keys"][0]["alg"] = "PS256".into();
    let set = JwkSet::parse(set.to_string().as_bytes()).expect("a key set");
    let validator = Validator::builder(ISSUER, AUDIENCE)
        .key_set(set)
        .clock(clock())
        .build()
        .expect("a validator");
    let ps256 = keys::RSA.with(Algorithm::Ps256);
    accepted(
        "PS256",
        validator.validate(&token(&ps256).sign(&ps256)).await,
    );
    let got = refused(
        "RS256",
        validator
            .validate(&token(&keys::RSA).sign(&keys::RSA))
            .await,
    );
    assert_eq!(got, "the key is not for algorithm RS256");
}

#[tokio::test]
async fn size_and_form_are_bounded() {
    let validator = validator();
    let long = token(&keys::P256)
        .text("x", &"x".repeat(MAX_TOKEN_BYTES))
        .sign(&keys::P256);
    assert_eq!(
        refused("long", validator.validate(&long).await),
        "token is too large"
    );
    let padded = format!("{}=", token(&keys::P256).sign(&keys::P256));
    assert!(refused("padding", validator.validate(&padded).await).contains("base64url"));
    for text in [
        "",
        "opaque",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "{\"payload\":\"\"}",
    ] {
        refused(text, validator.validate(text).await);
    }
    refuses(
        &validator,
        "crit",
        |jwt| jwt.header("crit", "[\"exp\"]"),
        "'crit' is not supported",
    )
    .await;
    refuses(
        &validator,
        "nested",
        |jwt| jwt.header("cty", "\"JWT\""),
        "nested JWTs",
    )
    .await;
}

#[tokio::test]
async fn the_plain_profile_takes_what_entra_keycloak_and_okta_issue() {
    let strict = validator();
    let plain = builder(&clock())
        .profile(TokenProfile::PlainJwt)
        .build()
        .expect("a validator");
    let base = || {
        token(&keys::P256)
            .header("typ", "\"JWT\"")
            .without("client_id")
            .without("scope")
    };
    let entra = base()
        .without("jti")
        .text("azp", "app")
        .text("scp", "invoices:read")
        .text("ver", "2.0");
    let keycloak = base()
        .text("azp", "app")
        .text("scope", "invoices:read")
        .text("typ", "Bearer");
    let okta = base()
        .without_header("typ")
        .text("cid", "app")
        .claim("scp", "[\"invoices:read\"]");
    for (row, jwt) in [("entra", entra), ("keycloak", keycloak), ("okta", okta)] {
        let jwt = jwt.sign(&keys::P256);
        let token = accepted(row, plain.validate(&jwt).await);
        assert_eq!(
            (token.client_id(), token.scope().to_string().as_str()),
            (Some("app"), "invoices:read"),
            "{row}"
        );
        assert!(
            refused(row, strict.validate(&jwt).await).contains("'typ'"),
            "{row}"
        );
    }
    accepted(
        "at+jwt",
        plain.validate(&token(&keys::P256).sign(&keys::P256)).await,
    );
    refuses(
        &plain,
        "another type",
        |jwt| jwt.header("typ", "\"client-authentication+jwt\""),
        "'typ' is",
    )
    .await;
    refuses(
        &plain,
        "ID token",
        |jwt| jwt.header("typ", "\"JWT\"").text("at_hash", "x"),
        "no access token",
    )
    .await;
    for claim in ["iss", "aud", "exp"] {
        refuses(
            &plain,
            claim,
            |jwt| jwt.without(claim),
            &format!("claim '{claim}' is missing"),
        )
        .await;
    }
    for value in ["1", "[1]", "[\"a b\"]", "[\"\"]", "{\"a\":true}"] {
        refuses(
            &plain,
            value,
            |jwt| jwt.without("scope").claim("scp", value),
            "claim 'scp' is malformed",
        )
        .await;
        refuses(
            &plain,
            value,
            |jwt| jwt.claim("scope", value),
            "claim 'scope' is malformed",
        )
        .await;
    }
}

/// Tokens that these servers issue to clients for themselves, claim by claim; only issuer,
/// audience, scope and times are ours.
#[tokio::test]
async fn the_plain_profile_takes_machine_tokens_of_duende_spring_uaa_and_rauthy() {
    let plain = builder(&clock())
        .profile(TokenProfile::PlainJwt)
        .build()
        .expect("a validator");
    let issued = |header: Option<&str>, claims: Value| {
        let kid = quote(keys::P256.key_id().expect("a key with a name"));
        let jwt = Jwt::default()
            .header("alg", quote("ES256"))
            .header("kid", kid);
        let jwt = header
            .into_iter()
            .fold(jwt, |jwt, typ| jwt.header("typ", quote(typ)));
        let jwt = jwt
            .text("iss", ISSUER)
            .claim("iat", NOW.to_string())
            .claim("exp", (NOW + 600).to_string());
        claims
            .as_object()
            .expect("claims")
            .iter()
            .fold(jwt, |jwt, (name, value)| jwt.claim(name, value.to_string()))
    };
    // Duende IdentityServer: EmitScopesAsSpaceDelimitedStringInJwt is off by default; no subject
    // where there is no user.
    let duende = issued(
        Some("at+jwt"),
        json!({"nbf": NOW, "aud": AUDIENCE, "scope": ["invoices:read"], "client_id": "app", "jti": "5F1C0A93D31A0D2F"}),
    );
    let spring = issued(
        None,
        json!({"sub": "app", "aud": ["app", AUDIENCE], "nbf": NOW, "scope": ["invoices:read"], "jti": "d3f7c1a0-0f3b-4b53"}),
    );
    let uaa = issued(
        Some("JWT"),
        json!({
            "jti": "67cc5918171f44a5b4adcdac7642ad6d", "sub": "app", "authorities": ["invoices:read"], "scope": ["invoices:read"],
            "client_id": "app", "cid": "app", "azp": "app", "grant_type": "client_credentials", "rev_sig": "416147db",
            "zid": "uaa", "aud": ["app", AUDIENCE]
        }),
    );
    let rauthy = issued(
        Some("JWT"),
        json!({"nbf": NOW, "aud": AUDIENCE, "typ": "Bearer", "azp": "app", "scope": "invoices:read", "allowed_origins": []}),
    );
    let rows = [
        ("duende", duende, None, Some("app")),
        ("spring", spring, Some("app"), None),
        ("uaa", uaa, Some("app"), Some("app")),
        ("rauthy", rauthy, None, Some("app")),
    ];
    let strict = validator();
    for (row, jwt, subject, client) in rows {
        let token = accepted(row, plain.validate(&jwt.clone().sign(&keys::P256)).await);
        assert_eq!(
            (
                token.subject(),
                token.client_id(),
                token.scope().to_string().as_str()
            ),
            (subject, client, "invoices:read"),
            "{row}"
        );
        refused(row, strict.validate(&jwt.clone().sign(&keys::P256)).await);
        // Somebody has to be named, in every one of them.
        let nobody = ["sub", "client_id", "cid", "azp"]
            .into_iter()
            .fold(jwt.clone(), |jwt, name| jwt.without(name));
        assert_eq!(
            refused(row, plain.validate(&nobody.sign(&keys::P256)).await),
            "claim 'sub' is missing",
            "{row}"
        );
        let empty = jwt.text("sub", "");
        assert_eq!(
            refused(row, plain.validate(&empty.sign(&keys::P256)).await),
            "claim 'sub' is missing",
            "{row}"
        );
    }
    refuses(
        &strict,
        "no sub",
        |jwt| jwt.without("sub"),
        "claim 'sub' is missing",
    )
    .await;
    refuses(
        &strict,
        "a list",
        |jwt| jwt.claim("scope", "[\"invoices:read\"]"),
        "claim 'scope' is malformed",
    )
    .await;
}

#[tokio::test]
async fn a_token_for_any_name_of_the_resource_is_for_it() {
    const OLD: &str = "invoices-api";
    let both = builder(&clock())
        .audience(OLD)
        .build()
        .expect("a validator");
    let one = validator();
    for (aud, by_both, by_one) in [
        (quote(AUDIENCE), true, true),
        (quote(OLD), true, false),
        (format!("[\"x\",{}]", quote(OLD)), true, false),
        (quote("invoices"), false, false),
        (quote("invoices-api2"), false, false),
    ] {
        let jwt = token(&keys::P256)
            .claim("aud", aud.clone())
            .sign(&keys::P256);
        assert_eq!(
            (
                both.validate(&jwt).await.is_ok(),
                one.validate(&jwt).await.is_ok()
            ),
            (by_both, by_one),
            "{aud}"
        );
    }
    assert_eq!(both.audience(), AUDIENCE, "the first is its own");
    let bad = builder(&clock()).audience("a\"b").build();
    assert!(matches!(bad, Err(ValidatorError::Audience(bad)) if bad == "a\"b"));
}

#[tokio::test]
async fn the_scope_of_the_validator_is_needed_for_every_token() {
    let needed = Scope::parse("invoices:read").expect("a scope");
    let validator = builder(&clock())
        .scope(needed)
        .build()
        .expect("a validator");
    let without = |jwt: Jwt| jwt.text("scope", "invoices:write");
    refuses(
        &validator,
        "scope",
        without,
        "scope is 'invoices:write', needed is 'invoices:read'",
    )
    .await;
}

#[test]
fn what_cannot_work_is_not_built() {
    let build = |issuer: &str, audience: &str| Validator::builder(issuer, audience).build();
    assert!(build(ISSUER, AUDIENCE).is_ok());
    for audience in ["", "a\"b", "a\\b", "a\nb", "ä"] {
        assert!(
            matches!(build(ISSUER, audience), Err(ValidatorError::Audience(_))),
            "{audience:?}"
        );
    }
    for issuer in [
        "",
        "as.example",
        "http://as.example",
        "https://me@as.example",
    ] {
        assert!(
            matches!(build(issuer, AUDIENCE), Err(ValidatorError::Issuer(_))),
            "{issuer:?}"
        );
    }
    let named = Validator::builder("accounts", AUDIENCE).key_set(parsed_key_set(&[&keys::P256]));
    assert!(
        named.build().is_ok(),
        "with keys of its own, an issuer is a name"
    );
    let keys = |url: &str| {
        Validator::builder("accounts", AUDIENCE)
            .jwks_uri(url.parse().expect("a URL"))
            .build()
    };
    assert!(keys("https://as.example/jwks").is_ok());
    for url in [
        "http://as.example/jwks",
        "file:///etc/passwd",
        "https://a:b@as.example/",
    ] {
        assert!(matches!(keys(url), Err(ValidatorError::Url(_))), "{url}");
    }
    assert!(matches!(
        Validator::builder(ISSUER, AUDIENCE).algorithms([]).build(),
        Err(ValidatorError::NoAlgorithm)
    ));
    let times = Validator::builder(ISSUER, AUDIENCE)
        .keys_for(Duration::from_secs(2), Duration::from_secs(1));
    assert!(matches!(times.build(), Err(ValidatorError::Times(_))));
}
