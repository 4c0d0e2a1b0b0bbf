//! How JWTs of issuers are verified, before any trust is asked; and what ends with an issuer.

use std::time::Duration;

use grantor::{
    assertion::{SPIFFE_ASSERTION_TYPE, SetAside, Usage},
    registry::{
        Actor, AudienceMatch, Client, KeyOrigin, Match, Mode, ReplayPolicy, Trust, TrustedIssuer,
        UploadedKey,
    },
    storage::{Registries as _, StoreError},
    types::AuthMethod,
};
use grantor_testkit::{
    Form, ISSUER, JWT_BEARER, Jwt, NOW, Party, ThirdParty, Use, World, at, keys, metadata, pin,
    quote, with_client_assertion,
};
use serde_json::{Value, json};

/// A world with one issuer, changed, and a trust `ci` for the client `deployer`.
async fn world(change: impl FnOnce(&mut TrustedIssuer)) -> (World, ThirdParty) {
    let world = World::new();
    let idp = world.third_party("idp", change).await;
    world.trusted_client("deployer").await;
    world.trust(&idp, "ci", "deployer", |_| ()).await;
    (world, idp)
}

fn form(token: &str) -> Form {
    Form::new(JWT_BEARER).with("assertion", token)
}

async fn change_issuer(world: &World, idp: &ThirdParty, change: impl Fn(&mut TrustedIssuer)) {
    let registry = world.store.issuer_registry();
    let changed = |issuer: &TrustedIssuer| {
        let mut issuer = issuer.clone();
        change(&mut issuer);
        Ok::<_, StoreError>(issuer)
    };
    let by = Actor::program("test");
    let changed = registry.change(&idp.issuer.id, &by, changed).await;
    changed.expect("an issuer");
}

/// What it is, the change of a good JWT, and the rule that it breaks.
type Row = (&'static str, fn(Jwt) -> Jwt, &'static str);

/// Each change of a good JWT is refused for this rule, and the JWT that was not changed passes.
async fn refuses(world: &World, idp: &ThirdParty, rows: &[Row]) {
    for (row, change, rule) in rows {
        let answer = world.send(&form(&change(idp.jwt()).sign(&idp.key))).await;
        answer.refused(row, "invalid_grant", rule, "");
        world.send(&form(&idp.token())).await.granted(row);
    }
}

#[tokio::test]
async fn ta01_ta04_ta06_only_the_issuers_own_key_signs_for_it() {
    let (world, idp) = world(|_| ()).await;
    let other = world.third_party("other", |_| ()).await;
    world.trusted_client("else").await;
    world.trust(&other, "else", "else", |_| ()).await;
    // Both have the same key here, so each is told by its name.
    let answer = world.send(&form(&other.token())).await;
    answer.granted("the other");
    assert_eq!(
        answer.decision.client.as_ref().map(|id| id.as_str()),
        Some("else")
    );
    let forged = idp.jwt().sign(&keys::P256_OTHER);
    world
        .send(&form(&forged))
        .await
        .refused("forged", "invalid_grant", "signature", "");
    refuses(
        &world,
        &idp,
        &[
            ("no iss", |jwt| jwt.without("iss"), "issuer"),
            ("ours", |jwt| jwt.text("iss", ISSUER), "issuer"),
            (
                "slash",
                |jwt| jwt.text("iss", "https://idp.example/"),
                "issuer",
            ),
            (
                "case",
                |jwt| jwt.text("iss", "https://IDP.example"),
                "issuer",
            ),
            (
                "port",
                |jwt| jwt.text("iss", "https://idp.example:443"),
                "issuer",
            ),
            (
                "escape",
                |jwt| jwt.text("iss", "https://idp%2eexample"),
                "issuer",
            ),
            (
                "confusable",
                |jwt| jwt.text("iss", "https://\u{456}dp.example"),
                "issuer",
            ),
            (
                "zero width",
                |jwt| jwt.text("iss", "https://idp\u{200b}.example"),
                "issuer",
            ),
            ("null", |jwt| jwt.claim("iss", "null".to_owned()), "claims"),
            ("number", |jwt| jwt.claim("iss", "1".to_owned()), "claims"),
            (
                "list",
                |jwt| jwt.claim("iss", "[\"https://idp.example\"]".to_owned()),
                "claims",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn t011_ta63_typ_and_cnf_say_what_is_no_bearer_token() {
    let (world, idp) = world(|_| ()).await;
    let typ = |typ: &str| idp.jwt().header("typ", quote(typ)).sign(&idp.key);
    world.send(&form(&typ("JWT"))).await.granted("JWT");
    world.send(&form(&typ("jwt"))).await.granted("jwt");
    for other in ["at+jwt", "wit+jwt", "dpop+jwt", "JOSE", "logout+jwt", "x"] {
        let answer = world.send(&form(&typ(other))).await;
        answer.refused(other, "invalid_grant", "typ", other);
    }
    let bound: fn(Jwt) -> Jwt = |jwt| jwt.claim("cnf", "{\"jkt\":\"x\"}".to_owned());
    refuses(&world, &idp, &[("cnf", bound, "cnf")]).await;
    change_issuer(&world, &idp, |issuer| {
        issuer.types = vec!["at+jwt".to_owned()];
    })
    .await;
    world.send(&form(&typ("at+jwt"))).await.granted("named");
    world
        .send(&form(&typ("application/at+jwt")))
        .await
        .granted("named");
    world
        .send(&form(&typ("JOSE")))
        .await
        .refused("JOSE", "invalid_grant", "typ", "JOSE");
}

#[tokio::test]
async fn t012_algorithms_are_those_of_the_issuer() {
    let (world, idp) = world(|_| ()).await;
    world.send(&form(&idp.token())).await.granted("ES256");
    change_issuer(&world, &idp, |issuer| {
        issuer.algorithms = vec![grantor::jose::Algorithm::Rs256];
    })
    .await;
    let answer = world.send(&form(&idp.token())).await;
    answer.refused("RS256", "invalid_grant", "alg", "expected RS256, got ES256");
}

#[tokio::test]
async fn t013_ta16_the_audience_is_ours_and_alone() {
    let (world, idp) = world(|_| ()).await;
    let aud = |aud: Value| idp.jwt().claim("aud", aud.to_string()).sign(&idp.key);
    let token_endpoint = "https://as.example/token";
    for good in [json!(ISSUER), json!([ISSUER]), json!(token_endpoint)] {
        world
            .send(&form(&aud(good.clone())))
            .await
            .granted(&good.to_string());
    }
    for (bad, rule) in [
        (json!("https://as.example/"), "aud"),
        (json!("https://as.example.evil"), "aud"),
        (json!("https://AS.example"), "aud"),
        (json!("https://as.exampl"), "aud"),
        (json!([ISSUER, "https://other.example"]), "aud"),
        (json!([]), "aud"),
        (json!(""), "aud"),
        (json!([ISSUER, null]), "claims"),
        (json!(null), "claims"),
    ] {
        let answer = world.send(&form(&aud(bad.clone()))).await;
        answer.refused(&bad.to_string(), "invalid_grant", rule, "");
    }
    let missing = idp.jwt().without("aud").sign(&idp.key);
    world
        .send(&form(&missing))
        .await
        .refused("none", "invalid_grant", "aud", "missing");
    change_issuer(&world, &idp, |issuer| {
        issuer.audiences = vec!["api://grantor".to_owned()];
        issuer.audience_match = AudienceMatch::Any;
    })
    .await;
    for good in [json!("api://grantor"), json!(["x", "api://grantor"])] {
        world
            .send(&form(&aud(good.clone())))
            .await
            .granted(&good.to_string());
    }
    for bad in [json!(ISSUER), json!(["x"]), json!([])] {
        let answer = world.send(&form(&aud(bad.clone()))).await;
        answer.refused(&bad.to_string(), "invalid_grant", "aud", "");
    }
}

#[tokio::test]
async fn t014_ta61_it_says_when_it_was_issued_and_lives_no_longer_than_is_configured() {
    let (world, idp) = world(|_| ()).await;
    let times = |iat: i64, exp: i64| {
        let jwt = idp.jwt().claim("iat", (NOW + iat).to_string());
        jwt.claim("exp", (NOW + exp).to_string()).sign(&idp.key)
    };
    for (iat, exp) in [(0, 3600), (-1800, 1800), (-3590, 10), (0, 1)] {
        world
            .send(&form(&times(iat, exp)))
            .await
            .granted(&format!("{iat} {exp}"));
    }
    for (iat, exp, rule) in [
        (0, 7200, "exp"),
        (-1800, 1801, "exp"),
        (0, 86_400, "exp"),
        (0, 31_536_000, "exp"),
        (-86_400, 10, "exp"),
        (10, 10, "exp"),
        (31, 60, "iat"),
    ] {
        let answer = world.send(&form(&times(iat, exp))).await;
        answer.refused(&format!("{iat} {exp}"), "invalid_grant", rule, "");
    }
    let missing = idp.jwt().without("iat").sign(&idp.key);
    world
        .send(&form(&missing))
        .await
        .refused("none", "invalid_grant", "iat", "missing");
    let early = idp
        .jwt()
        .claim("nbf", (NOW - 600).to_string())
        .sign(&idp.key);
    world
        .send(&form(&early))
        .await
        .granted("nbf ten minutes before iat");
    change_issuer(&world, &idp, |issuer| {
        issuer.max_lifetime = Duration::from_secs(86_400);
    })
    .await;
    world.send(&form(&times(0, 86_400))).await.granted("a day");
}

#[tokio::test]
async fn t015_t016_ta09_ta59_a_jwt_is_used_as_often_as_the_issuer_says() {
    let (world, idp) = world(|_| ()).await;
    let token = idp.token();
    world.send(&form(&token)).await.granted("once");
    let again = world.send(&form(&token)).await;
    again.refused("twice", "invalid_grant", "replay", "used before");
    assert!(
        again.description().contains("used before"),
        "{}",
        again.description()
    );
    let without = || idp.jwt().without("jti");
    let answer = world.send(&form(&without().sign(&idp.key))).await;
    answer.refused("none", "invalid_grant", "jti", "missing");
    change_issuer(&world, &idp, |issuer| {
        issuer.replay = ReplayPolicy::OnceByDigest;
    })
    .await;
    let token = without().sign(&idp.key);
    world.send(&form(&token)).await.granted("once");
    world
        .send(&form(&token))
        .await
        .refused("twice", "invalid_grant", "replay", "used before");
    // The same header and payload under another signature: ECDSA has many.
    let resigned = without().sign(&idp.key);
    assert_ne!(resigned, token);
    let answer = world.send(&form(&resigned)).await;
    answer.refused("signed again", "invalid_grant", "replay", "used before");
    world
        .send(&form(&without().text("n", "2").sign(&idp.key)))
        .await
        .granted("another");
    change_issuer(&world, &idp, |issuer| {
        issuer.replay = ReplayPolicy::Reusable;
    })
    .await;
    let token = without().text("n", "3").sign(&idp.key);
    for _ in 0..3 {
        world.send(&form(&token)).await.granted("as often");
    }
}

/// The certificate's domain, an uploaded bundle.
fn spiffe(issuer: &mut TrustedIssuer) {
    let KeyOrigin::Uploaded { keys } = issuer.keys.clone() else {
        unreachable!("an uploaded key")
    };
    issuer.keys = KeyOrigin::UploadedSpiffeBundle { keys };
    issuer.trust_domain = Some("acme.example".to_owned());
    issuer.replay = ReplayPolicy::Reusable;
}

#[tokio::test]
async fn t010_t085_a_spiffe_id_says_whose_jwt_it_is_where_there_is_no_iss() {
    let (world, idp) = world(spiffe).await;
    let sub = "spiffe://acme.example/ns/billing/sa/deployer";
    let jwt = || idp.jwt().text("sub", sub);
    world
        .send(&form(&jwt().sign(&idp.key)))
        .await
        .granted("with iss");
    world
        .send(&form(&jwt().without("iss").sign(&idp.key)))
        .await
        .granted("without");
    let jose = jwt().header("typ", quote("JOSE")).sign(&idp.key);
    world.send(&form(&jose)).await.granted("JOSE");
    for (row, jwt, rule) in [
        (
            "foreign iss",
            jwt().text("iss", "https://else.example"),
            "issuer",
        ),
        (
            "foreign domain",
            jwt().text("sub", "spiffe://evil.example/a"),
            "sub",
        ),
        (
            "no id",
            jwt().text("sub", "spiffe://acme.example//a"),
            "sub",
        ),
        ("no spiffe", jwt().text("sub", "acme.example"), "sub"),
        (
            "no iss, unknown domain",
            jwt().without("iss").text("sub", "spiffe://evil.example/a"),
            "issuer",
        ),
        (
            "no iss, no id",
            jwt()
                .without("iss")
                .text("sub", "spiffe://acme.example/../a"),
            "issuer",
        ),
    ] {
        let answer = world.send(&form(&jwt.sign(&idp.key))).await;
        answer.refused(row, "invalid_grant", rule, "");
    }
    federated(&world, &idp, "workload", sub).await;
    let token = jwt().without("iss").sign(&idp.key);
    let credentials = Form::new("client_credentials");
    let by = |kind: &str| {
        let form = credentials.clone().with("client_assertion_type", kind);
        form.with("client_assertion", &token)
    };
    world
        .send(&by(SPIFFE_ASSERTION_TYPE))
        .await
        .granted("jwt-spiffe");
    world
        .send(&with_client_assertion(credentials.clone(), &token))
        .await
        .granted("jwt-bearer");
    let ours = world.party(Use::PrivateKeyJwt).await;
    let own = credentials
        .clone()
        .with("client_assertion_type", SPIFFE_ASSERTION_TYPE);
    let own = own.with("client_assertion", &ours.jwt().sign(&ours.key));
    world
        .send(&own)
        .await
        .refused("its own", "invalid_client", "client", "jwt-spiffe");
}

/// Registers a client that authenticates by JWTs of this issuer with this `sub`.
async fn federated(world: &World, idp: &ThirdParty, id: &str, sub: &str) {
    federated_by(world, idp, id, |trust| trust.pins = vec![pin("sub", sub)]).await;
}

/// As [`federated`], by a trust that is changed.
async fn federated_by(world: &World, idp: &ThirdParty, id: &str, change: impl FnOnce(&mut Trust)) {
    let mut metadata = metadata(id, AuthMethod::PRIVATE_KEY_JWT);
    metadata.federated = true;
    let client = Client::new(metadata, vec![], vec![]).expect("a federated client");
    let clients = world.store.clients();
    clients
        .create(client, &Actor::program("test"))
        .await
        .expect("a new name");
    world
        .trust(idp, id, id, |trust| {
            trust.uses = vec![Usage::ClientAuthentication];
            change(trust);
        })
        .await;
}

#[tokio::test]
async fn t081_t082_t084_ta11_ta12_ta13_a_federated_client_authenticates_by_the_jwt_of_its_issuer() {
    let (world, idp) = world(|_| ()).await;
    federated(&world, &idp, "job", "job-of-acme").await;
    federated(&world, &idp, "other", "other-of-acme").await;
    let jwt = |sub: &str| {
        idp.jwt()
            .text("sub", sub)
            .text("tenant", "1")
            .sign(&idp.key)
    };
    let send = |token: String| {
        let form = with_client_assertion(Form::new("client_credentials"), &token);
        let world = &world;
        async move { world.send(&form).await }
    };
    let answer = send(jwt("job-of-acme")).await;
    answer.granted("by sub");
    assert_eq!(
        answer.decision.client.as_ref().map(|id| id.as_str()),
        Some("job")
    );
    let answer = send(jwt("nobody-of-acme")).await;
    answer.refused("another sub", "invalid_client", "trust", "no trust takes");
    let named = |client: &str| {
        let form = Form::new("client_credentials").with("client_id", client);
        with_client_assertion(form, &jwt("job-of-acme"))
    };
    world.send(&named("job")).await.granted("named");
    let answer = world.send(&named("other")).await;
    answer.refused(
        "another's name",
        "invalid_client",
        "trust",
        "no trust takes",
    );
    // A JWT of a grant's trust is no authentication, nor the other way round.
    let answer = send(idp.token()).await;
    answer.refused("of a grant", "invalid_client", "trust", "no trust takes");
    let answer = world.send(&form(&jwt("job-of-acme"))).await;
    answer.refused("of a client", "invalid_grant", "trust", "no trust takes");
    // Its own key would be one that nobody has registered.
    let own = Party {
        id: "job".to_owned(),
        usage: Use::PrivateKeyJwt,
        key: keys::P256.clone(),
    };
    let answer = send(own.jwt().sign(&own.key)).await;
    answer.refused("its own", "invalid_client", "key", "");
    // A client whose name is somebody's foreign sub, with keys of its own, is not that one.
    let ours = world.party(Use::PrivateKeyJwt).await;
    world
        .trust(&idp, "wrong", &ours.id, |trust| {
            trust.uses = vec![Usage::ClientAuthentication];
            trust.pins = vec![pin("sub", &ours.id)];
        })
        .await;
    let answer = send(jwt(&ours.id)).await;
    answer.refused("not federated", "invalid_client", "method", "not federated");
}

#[tokio::test]
async fn t082_a_pattern_of_sub_authenticates_whom_the_request_names() {
    let (world, idp) = world(|_| ()).await;
    federated(&world, &idp, "exact", "repo:acme/gadgets").await;
    federated_by(&world, &idp, "many", |trust| {
        let (sub, glob) = ("sub".parse(), "repo:acme/*".parse());
        let one = Match::new(sub.expect("a claim"), glob.expect("a glob"));
        (trust.pins, trust.matches) = (Vec::new(), vec![one]);
    })
    .await;
    let authenticated = |sub: &str, client: Option<&str>| {
        let form = Form::new("client_credentials");
        let form = match client {
            Some(client) => form.with("client_id", client),
            None => form,
        };
        let form = with_client_assertion(form, &idp.jwt().text("sub", sub).sign(&idp.key));
        let world = &world;
        async move { world.send(&form).await }
    };
    let answer = authenticated("repo:acme/widgets", None).await;
    answer.refused("nobody named", "invalid_client", "trust", "no trust takes");
    let explained = answer.decision.explanation.as_ref().expect("a table");
    let aside: Vec<_> = explained.trusts.iter().map(|one| one.set_aside).collect();
    assert_eq!(
        aside,
        [None, Some(SetAside::OtherUse), Some(SetAside::NoClient)]
    );
    let answer = authenticated("repo:acme/widgets", Some("many")).await;
    answer.granted("named");
    // So it takes nothing from the client whose sub is pinned.
    let answer = authenticated("repo:acme/gadgets", None).await;
    answer.granted("by sub");
    let client = answer.decision.client.as_ref();
    assert_eq!(client.map(|id| id.as_str()), Some("exact"));
}

#[tokio::test]
async fn t021_a_trust_of_both_uses_may_want_its_client_to_authenticate() {
    let (world, idp) = world(|_| ()).await;
    federated_by(&world, &idp, "job", |trust| {
        trust.pins = vec![pin("sub", "job-of-acme")];
        trust.uses.push(Usage::Grant);
        trust.needs_client_auth = true;
    })
    .await;
    let token = || idp.jwt().text("sub", "job-of-acme").text("tenant", "1");
    let token = || token().sign(&idp.key);
    let answer = world.send(&form(&token())).await;
    answer.refused("alone", "invalid_client", "client", "to authenticate");
    let form = with_client_assertion(form(&token()), &token());
    world.send(&form).await.granted("authenticated");
}

#[tokio::test]
async fn t083_the_audience_of_federated_authentication_is_the_issuer_identifier_alone() {
    let (world, idp) = world(|_| ()).await;
    federated(&world, &idp, "job", "job-of-acme").await;
    let jwt = |aud: Value| {
        let jwt = idp.jwt().text("sub", "job-of-acme").text("tenant", "1");
        jwt.claim("aud", aud.to_string()).sign(&idp.key)
    };
    let send = |aud: Value| {
        let form = with_client_assertion(Form::new("client_credentials"), &jwt(aud));
        let world = &world;
        async move { world.send(&form).await }
    };
    send(json!(ISSUER)).await.granted("ours");
    for bad in [json!("https://as.example/token"), json!([ISSUER, "x"])] {
        send(bad.clone())
            .await
            .refused(&bad.to_string(), "invalid_client", "aud", "");
    }
    change_issuer(&world, &idp, |issuer| {
        issuer.audiences = vec!["api://x".to_owned()];
    })
    .await;
    send(json!("api://x")).await.granted("listed");
    send(json!(ISSUER))
        .await
        .refused("not listed", "invalid_client", "aud", "");
}

#[tokio::test]
async fn t086_one_jwt_is_not_both_grant_and_authentication() {
    let (world, idp) = world(|issuer| issuer.replay = ReplayPolicy::Reusable).await;
    federated(&world, &idp, "job", "repo:acme/widgets").await;
    world
        .trust(&idp, "both", "job", |trust| {
            trust.pins = vec![pin("tenant", "43")];
        })
        .await;
    let token = || idp.jwt().text("tenant", "43").sign(&idp.key);
    let one = token();
    let answer = world.send(&with_client_assertion(form(&one), &one)).await;
    answer.refused("one", "invalid_grant", "replay", "used before");
    // Nor with another signature of it, which anybody can make.
    let rewritten = grantor_testkit::forge::with_other_s(&one);
    let rewritten = with_client_assertion(form(&one), &rewritten);
    let answer = world.send(&rewritten).await;
    answer.refused("rewritten", "invalid_grant", "replay", "used before");
    world
        .send(&with_client_assertion(form(&token()), &token()))
        .await
        .granted("two");
    // T086: it is good at introspection, too.
    let answer = world
        .send(&with_client_assertion(form(&token()), &token()))
        .await;
    let issued = answer.granted("a token").to_owned();
    let body = introspected(&world, &token(), &issued).await;
    assert_eq!(body["active"], true, "{body}");
}

/// What introspection says about a token, asked by a federated client.
async fn introspected(world: &World, jwt: &str, token: &str) -> Value {
    let form = Form::new("x").without("grant_type").with("token", token);
    let mut form = with_client_assertion(form, jwt);
    form.uri = "/introspect".to_owned();
    let (_, body) = world.send_plain(&form).await;
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test]
async fn t090_t091_t092_what_is_disabled_or_gone_ends_its_tokens() {
    let (world, idp) = world(|issuer| issuer.replay = ReplayPolicy::Reusable).await;
    federated(&world, &idp, "asks", "asks").await;
    world
        .trust(&idp, "own", "asks", |trust| {
            trust.pins = vec![pin("tenant", "44")];
        })
        .await;
    let asks = || idp.jwt().text("sub", "asks").sign(&idp.key);
    let job = || {
        idp.jwt()
            .text("tenant", "44")
            .text("sub", "asks")
            .sign(&idp.key)
    };
    let answer = world
        .send(&with_client_assertion(form(&job()), &asks()))
        .await;
    let token = answer.granted("a token").to_owned();
    let is_active = async || introspected(&world, &asks(), &token).await["active"].clone();
    assert_eq!(is_active().await, true);
    let mode = async |mode: Mode| {
        let name = "own".parse().expect("a name");
        let changed = |trust: &Trust| {
            let mut trust = trust.clone();
            trust.mode = mode;
            Ok::<_, StoreError>(trust)
        };
        let trusts = world.store.trust_registry();
        let by = Actor::program("test");
        trusts.change(&name, &by, changed).await.expect("a trust");
    };
    mode(Mode::Off).await;
    assert_eq!(is_active().await, false);
    mode(Mode::On).await;
    assert_eq!(is_active().await, true);
    change_issuer(&world, &idp, |issuer| issuer.enabled = false).await;
    let answer = world.send(&form(&job())).await;
    answer.refused("disabled", "invalid_grant", "issuer", "disabled");
    change_issuer(&world, &idp, |issuer| issuer.enabled = true).await;
    assert_eq!(is_active().await, true);
    // Revoked for good, also when the issuer is enabled again.
    change_issuer(&world, &idp, |issuer| issuer.tokens_since = Some(at(0.0))).await;
    assert_eq!(is_active().await, false);
    // Made again, it has neither the old trusts nor what they granted.
    let issuers = world.store.issuer_registry();
    let by = Actor::program("test");
    issuers
        .delete(&idp.issuer.id, &by)
        .await
        .expect("an issuer");
    let again = world
        .third_party("idp", |issuer| issuer.replay = ReplayPolicy::Reusable)
        .await;
    let answer = world.send(&form(&job())).await;
    answer.refused(
        "no trust",
        "invalid_grant",
        "trust",
        "no trust of the issuer",
    );
    assert_ne!(again.issuer.revision.number, idp.issuer.revision.number);
}

#[tokio::test]
async fn t092_a_used_jti_stays_used_when_its_issuer_is_made_again() {
    let (world, idp) = world(|_| ()).await;
    let token = idp.token();
    world.send(&form(&token)).await.granted("once");
    let issuers = world.store.issuer_registry();
    let by = Actor::program("test");
    issuers
        .delete(&idp.issuer.id, &by)
        .await
        .expect("an issuer");
    let again = world.third_party("idp", |_| ()).await;
    world.trust(&again, "ci", "deployer", |_| ()).await;
    world
        .send(&form(&token))
        .await
        .refused("twice", "invalid_grant", "replay", "used before");
    world.send(&form(&again.token())).await.granted("another");
}

#[tokio::test]
async fn t006_an_uploaded_key_ends_when_its_successor_is_in_use() {
    let (world, idp) = world(|_| ()).await;
    world.send(&form(&idp.token())).await.granted("the key");
    change_issuer(&world, &idp, |issuer| {
        let old = grantor::registry::ClientKey::new(keys::P256.public(), Some(at(10.0)));
        let keys = vec![UploadedKey::new(old, at(0.0))];
        issuer.keys = KeyOrigin::Uploaded { keys };
    })
    .await;
    world.send(&form(&idp.token())).await.granted("not ended");
    world.set_clock(10.0);
    world
        .send(&form(&idp.token()))
        .await
        .refused("ended", "invalid_grant", "key", "has expired");
}

#[tokio::test]
async fn t058_an_issuer_whose_keys_cannot_be_had_is_told_to_try_again() {
    let (world, idp) = world(|_| ()).await;
    change_issuer(&world, &idp, |issuer| {
        issuer.keys = KeyOrigin::Discovery { metadata_url: None };
    })
    .await;
    let answer = world.send(&form(&idp.token())).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.body["error"], "temporarily_unavailable");
    assert!(answer.headers.contains_key("retry-after"));
}
