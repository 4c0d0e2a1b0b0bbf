//! Tokens that the authorization server is asked about (RFC 7662): what is believed, for how long,
//! and what a bad answer is worth.

use std::{
    num::NonZero,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::support::{
    AUDIENCE, INTROSPECT, JWKS, METADATA, NOW, Publisher, Reply, accepted, at, keys, refused,
    unavailable,
};
use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use grantor::{
    clock::ManualClock,
    credential::{ClientAuth, ClientSecretBasic, CredentialError, EndpointRequest},
    remote::{DiscoveryError, Fetch, FetchError},
    resource::{Introspection, SourceError, TokenProfile, Validator, ValidatorError},
    types::AuthMethod,
};
use http::{HeaderValue, header};
use serde_json::{Value, json};

const OPAQUE: &str = "mF_9.B5f-4.1JqM+/~==";
const INACTIVE: &str = "the authorization server says that the token is not active";

fn introspection() -> Introspection {
    Introspection::new(ClientSecretBasic::new("api", "secret"))
        .active_for(Duration::from_secs(60))
        .inactive_for(Duration::from_secs(5))
}

fn validator(server: &Publisher, introspection: Introspection) -> (Validator, Arc<ManualClock>) {
    server.validator(|builder| {
        builder
            .introspection(introspection)
            .timeout(Duration::from_secs(2))
    })
}

fn active(server: &Publisher) -> Value {
    json!({
        "active": true, "iss": server.issuer, "aud": AUDIENCE, "sub": "alice", "client_id": "billing", "token_type": "Bearer",
        "scope": "invoices:read", "iat": NOW, "exp": NOW + 600, "jti": "token-1", "groups": ["accounting"]
    })
}

/// A server that says this about every token.
async fn saying(change: impl FnOnce(&mut Value)) -> Publisher {
    let server = Publisher::of(&[&keys::P256]).await;
    let mut answer = active(&server);
    change(&mut answer);
    answer
        .as_object_mut()
        .expect("an object")
        .retain(|_, value| *value != "absent");
    server.says(INTROSPECT, Reply::json(&answer));
    server
}

#[tokio::test]
async fn an_opaque_token_is_what_the_server_says() {
    let server = saying(|_| ()).await;
    let (validator, _) = validator(&server, introspection());
    let token = accepted("active", validator.validate(OPAQUE).await);
    assert_eq!(
        (token.subject(), token.client_id(), token.token_id()),
        (Some("alice"), Some("billing"), Some("token-1"))
    );
    assert_eq!(
        (token.issuer(), token.audience().collect::<Vec<_>>()),
        (Some(server.issuer.as_str()), vec![AUDIENCE])
    );
    assert_eq!(
        (token.scope().to_string().as_str(), token.expires_at()),
        ("invoices:read", Some(at(600.0)))
    );
    assert_eq!(token.claim("groups"), Some(&json!(["accounting"])));

    let [asked] = <[_; 1]>::try_from(server.asked(INTROSPECT)).expect("asked once");
    assert_eq!(
        asked.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        asked.headers["authorization"],
        format!("Basic {}", STANDARD.encode("api:secret"))
    );
    let form: Vec<_> = url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(
        form,
        [("token", OPAQUE), ("token_type_hint", "access_token")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
    );
    assert_eq!(
        (server.hits(METADATA), server.hits(JWKS)),
        (1, 0),
        "an opaque token needs no keys"
    );
}

#[tokio::test]
async fn without_introspection_an_opaque_token_is_refused() {
    let server = saying(|_| ()).await;
    let (without, _) = server.validator(|builder| builder);
    assert_eq!(
        refused("without", without.validate(OPAQUE).await),
        "header: not valid JSON"
    );
    assert_eq!(
        refused("without", without.validate("opaque").await),
        "not a compact JWS of three segments"
    );
    assert_eq!(server.hits(INTROSPECT), 0);
    accepted(
        "control",
        validator(&server, introspection()).0.validate(OPAQUE).await,
    );
}

#[tokio::test]
async fn what_the_server_says_has_to_be_right() {
    let rows: [(&str, Value, &str); 19] = [
        ("active", json!(false), INACTIVE),
        ("iss", json!("https://evil.example"), "claim 'iss' is"),
        ("iss", json!(1), "claim 'iss' is not a string"),
        ("aud", json!("https://api.example/other"), "claim 'aud' is"),
        ("aud", json!([]), "claim 'aud' is"),
        ("exp", json!(NOW - 30), "expired 30 s ago"),
        ("exp", json!("soon"), "claim 'exp' is not a number"),
        ("nbf", json!(NOW + 31), "not valid for another 31 s"),
        ("iat", json!(NOW + 31), "issued 31 s in the future"),
        (
            "token_type",
            json!("DPoP"),
            "'token_type' says that this is no access token",
        ),
        (
            "token_type",
            json!(1),
            "'token_type' says that this is no access token",
        ),
        (
            "token_use",
            json!("refresh_token"),
            "'token_use' says that this is no access token",
        ),
        (
            "typ",
            json!("Refresh"),
            "'typ' says that this is no access token",
        ),
        (
            "at_hash",
            json!("x"),
            "'at_hash' says that this is no access token",
        ),
        ("cnf", json!({"jkt": "x"}), "binds the token to a key"),
        (
            "scope",
            json!(["invoices:read"]),
            "claim 'scope' is malformed",
        ),
        ("scope", json!(" "), "claim 'scope' is malformed"),
        ("client_id", json!(1), "claim 'client_id' is malformed"),
        ("client_id", json!(""), "claim 'client_id' is malformed"),
    ];
    for (member, value, reason) in rows {
        let row = format!("{member} {value}");
        let control = saying(|_| ()).await;
        accepted(
            &row,
            validator(&control, introspection())
                .0
                .validate(OPAQUE)
                .await,
        );
        let server = saying(|answer| answer[member] = value).await;
        let got = refused(
            &row,
            validator(&server, introspection()).0.validate(OPAQUE).await,
        );
        assert!(got.contains(reason), "{row}: {got}");
    }
}

/// As of JWTs: what a server writes as a list there it may write so here.
#[tokio::test]
async fn the_plain_profile_takes_a_scope_as_a_list_and_any_name_of_the_resource() {
    let server = saying(|answer| {
        answer["scope"] = json!(["invoices:read", "invoices:write"]);
        answer["aud"] = "invoices-api".into();
    })
    .await;
    let (plain, _) = server.validator(|builder| {
        builder
            .introspection(introspection())
            .profile(TokenProfile::PlainJwt)
            .audience("invoices-api")
    });
    assert_eq!(
        accepted("plain", plain.validate(OPAQUE).await)
            .scope()
            .to_string(),
        "invoices:read invoices:write"
    );
    let (strict, _) = server.validator(|builder| {
        builder
            .introspection(introspection())
            .audience("invoices-api")
    });
    assert_eq!(
        refused("strict", strict.validate(OPAQUE).await),
        "claim 'scope' is malformed"
    );
    let (one, _) = server.validator(|builder| {
        builder
            .introspection(introspection())
            .profile(TokenProfile::PlainJwt)
    });
    assert!(refused("one name", one.validate(OPAQUE).await).starts_with("claim 'aud' is"));
}

#[tokio::test]
async fn what_the_server_leaves_out_is_not_missed() {
    for member in [
        "iss",
        "aud",
        "sub",
        "client_id",
        "token_type",
        "scope",
        "iat",
        "exp",
        "jti",
    ] {
        let server = saying(|answer| answer[member] = "absent".into()).await;
        accepted(
            member,
            validator(&server, introspection()).0.validate(OPAQUE).await,
        );
    }
    let server = saying(|answer| answer["token_type"] = "bearer".into()).await;
    accepted(
        "bearer",
        validator(&server, introspection()).0.validate(OPAQUE).await,
    );
}

#[tokio::test]
async fn an_answer_that_says_nothing_is_no_refusal_of_the_token() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, clock) = validator(&server, introspection());
    let replies = [
        ("no active", Reply::json(&json!({}))),
        ("active a text", Reply::json(&json!({"active": "true"}))),
        ("active null", Reply::json(&json!({"active": null}))),
        ("no object", Reply::json(&json!([true]))),
        ("401: our credentials", Reply::status(401)),
        ("500", Reply::status(500)),
        (
            "redirect",
            Reply::status(307).with_header(header::LOCATION, "http://127.0.0.1:1/"),
        ),
        ("hang", Reply::Hang),
        ("endless", Reply::Endless),
    ];
    for (row, reply) in replies {
        server.says(INTROSPECT, reply);
        unavailable(row, validator.validate(OPAQUE).await);
        clock.advance(Duration::from_secs(1));
    }
    server.says(INTROSPECT, Reply::json(&active(&server)));
    accepted("nothing of it was kept", validator.validate(OPAQUE).await);

    // Where it is to be asked is as uncertain.
    let server = Publisher::of(&[&keys::P256]).await;
    let mut metadata = server.metadata();
    metadata["introspection_endpoint"] = Value::Null;
    server.says(METADATA, Reply::json(&metadata));
    let (validator, _) =
        server.validator(|builder| builder.introspection(introspection()).clock(clock));
    let source = unavailable("no endpoint", validator.validate(OPAQUE).await);
    assert!(
        matches!(
            &*source,
            SourceError::Discovery(error)
                if matches!(
                    **error,
                    DiscoveryError::NotInMetadata {
                        member: "introspection_endpoint",
                        ..
                    }
                )
        ),
        "{source}"
    );
}

#[tokio::test]
async fn a_revoked_token_is_refused_after_the_configured_time() {
    let server = saying(|_| ()).await;
    let (validator, clock) = validator(&server, introspection());
    accepted("active", validator.validate(OPAQUE).await);
    server.says(INTROSPECT, Reply::json(&json!({"active": false})));
    clock.set(at(59.999));
    accepted("still believed", validator.validate(OPAQUE).await);
    assert_eq!(server.hits(INTROSPECT), 1);
    clock.set(at(60.0));
    assert_eq!(
        refused("revoked", validator.validate(OPAQUE).await),
        INACTIVE
    );
    assert_eq!(server.hits(INTROSPECT), 2);
}

#[tokio::test]
async fn an_inactive_token_is_not_asked_about_again_for_a_moment() {
    let server = saying(|answer| answer["active"] = false.into()).await;
    let (validator, clock) = validator(&server, introspection());
    for seconds in [0.0, 1.0, 4.999] {
        clock.set(at(seconds));
        assert_eq!(
            refused("inactive", validator.validate(OPAQUE).await),
            INACTIVE
        );
    }
    assert_eq!(server.hits(INTROSPECT), 1);
    server.says(INTROSPECT, Reply::json(&active(&server)));
    clock.set(at(5.0));
    accepted("known by now", validator.validate(OPAQUE).await);
}

#[tokio::test]
async fn active_is_not_believed_beyond_the_end_of_the_token() {
    let server = saying(|answer| answer["exp"] = (NOW + 10).into()).await;
    let (validator, clock) = validator(&server, introspection());
    accepted("active", validator.validate(OPAQUE).await);
    // 10 s and the leeway.
    clock.set(at(39.999));
    accepted("active", validator.validate(OPAQUE).await);
    clock.set(at(40.0));
    assert!(refused("ended", validator.validate(OPAQUE).await).starts_with("expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_with_one_token_ask_once() {
    for answer in [true, false] {
        let server = saying(|said| said["active"] = answer.into()).await;
        let (validator, _) = server.validator(|builder| builder.introspection(introspection()));
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let validator = validator.clone();
                tokio::spawn(async move { validator.validate(OPAQUE).await.is_ok() })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.expect("no panic"), answer);
        }
        assert_eq!(server.hits(INTROSPECT), 1, "{answer}");
    }
}

/// Whoever waited for an answer that did not come does not ask in turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_shared_and_held_for_a_second() {
    for (row, reply) in [
        ("500", Reply::status(500)),
        ("hang", Reply::Hang),
        (
            "another audience",
            Reply::json(&json!({"active": true, "aud": "https://api.example/other"})),
        ),
    ] {
        let server = Publisher::of(&[&keys::P256]).await;
        server.says(INTROSPECT, reply);
        let (validator, clock) = server.validator(|builder| {
            builder
                .introspection(introspection())
                .timeout(Duration::from_secs(2))
        });
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let validator = validator.clone();
                tokio::spawn(async move { validator.validate(OPAQUE).await })
            })
            .collect();
        for task in tasks {
            refused(row, task.await.expect("no panic"));
        }
        clock.set(at(0.999));
        refused(row, validator.validate(OPAQUE).await);
        assert_eq!(server.hits(INTROSPECT), 1, "{row}");
        server.says(INTROSPECT, Reply::json(&active(&server)));
        accepted(
            "another token is not meant",
            validator.validate("another").await,
        );
        clock.set(at(1.0));
        accepted(row, validator.validate(OPAQUE).await);
        assert_eq!(server.hits(INTROSPECT), 3, "{row}");
    }
}

/// A flood of made-up tokens is no flood for the authorization server; whoever finds no place in
/// time is told so.
#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_questions_are_under_way_at_once() {
    let server = Publisher::of(&[&keys::P256]).await;
    let (validator, _) = server.validator(|builder| {
        let introspection = introspection().at_once(NonZero::new(4).expect("not zero"));
        builder
            .introspection(introspection)
            .timeout(Duration::from_secs(2))
    });
    server.says(INTROSPECT, Reply::Hang);
    let started = Instant::now();
    let flood: Vec<_> = (0..200)
        .map(|number| {
            let validator = validator.clone();
            tokio::spawn(async move { validator.validate(&format!("made-up-{number}")).await })
        })
        .collect();
    let mut busy = 0;
    for task in flood {
        let source = unavailable("flood", task.await.expect("no panic"));
        busy += usize::from(matches!(&*source, SourceError::Busy));
    }
    assert_eq!((server.hits(INTROSPECT), busy), (4, 196));
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "nobody waits longer than the timeout: {:?}",
        started.elapsed()
    );
    // The control: places are given back.
    server.says(INTROSPECT, Reply::json(&active(&server)));
    for number in 0..20 {
        accepted("good", validator.validate(&format!("good-{number}")).await);
    }
}

#[tokio::test]
async fn a_flood_of_bad_tokens_forgets_no_good_one() {
    let server = saying(|_| ()).await;
    let (validator, _) = server.validator(|builder| {
        builder
            .introspection(introspection())
            .remember(Duration::from_secs(60), 64)
    });
    accepted("good", validator.validate(OPAQUE).await);
    server.says(INTROSPECT, Reply::json(&json!({"active": false})));
    for number in 0..500 {
        refused("bad", validator.validate(&format!("bad-{number}")).await);
    }
    accepted("good", validator.validate(OPAQUE).await);
}

#[tokio::test]
async fn a_jwt_is_asked_about_where_every_token_is() {
    let server = saying(|answer| answer["sub"] = "ignored: the JWT says it".into()).await;
    let jwt = server.token(&keys::P256).sign(&keys::P256);
    let (opaque_only, _) = validator(&server, introspection());
    accepted("validated here", opaque_only.validate(&jwt).await);
    assert_eq!(server.hits(INTROSPECT), 0);

    let (every, clock) = validator(&server, introspection().of_every_token());
    let token = accepted("asked about", every.validate(&jwt).await);
    assert_eq!(
        (token.subject(), server.hits(INTROSPECT)),
        (Some("alice"), 1)
    );
    accepted("believed", every.validate(&jwt).await);
    let forged = server.token(&keys::P256).sign(&keys::P256_OTHER);
    assert_eq!(
        refused("forged", every.validate(&forged).await),
        "signature does not verify"
    );
    assert_eq!(
        server.hits(INTROSPECT),
        1,
        "a forged one is not asked about"
    );

    server.says(INTROSPECT, Reply::json(&json!({"active": false})));
    clock.set(at(60.0));
    assert_eq!(refused("revoked", every.validate(&jwt).await), INACTIVE);
    accepted("the control", opaque_only.validate(&jwt).await);
}

#[tokio::test]
async fn what_is_a_bad_jwt_is_not_asked_about_as_something_else() {
    let server = saying(|_| ()).await;
    let (validator, _) = validator(&server, introspection());
    let good = server.token(&keys::P256);
    for (row, jwt) in [
        ("alg none", good.clone().header("alg", "\"none\"")),
        ("crit", good.clone().header("crit", "[\"exp\"]")),
        ("typ", good.clone().header("typ", "\"JWT\"")),
        ("iss", good.clone().text("iss", "https://evil.example")),
    ] {
        refused(row, validator.validate(&jwt.sign(&keys::P256)).await);
    }
    assert_eq!(server.hits(INTROSPECT), 0);
    accepted(
        "the control",
        validator.validate(&good.sign(&keys::P256)).await,
    );
    // Three parts and yet no JWT: only the server knows.
    accepted("opaque", validator.validate("a.b.c").await);
    assert_eq!(server.hits(INTROSPECT), 1);
}

#[tokio::test]
async fn basic_credentials_are_form_encoded_inside() {
    let server = saying(|_| ()).await;
    let (validator, _) = validator(
        &server,
        Introspection::new(ClientSecretBasic::new("https://api.example", "a b:%ä")),
    );
    accepted("active", validator.validate(OPAQUE).await);
    let expected = STANDARD.encode("https%3A%2F%2Fapi.example:a%20b%3A%25%C3%A4");
    assert_eq!(
        server.asked(INTROSPECT)[0].headers["authorization"],
        format!("Basic {expected}")
    );
    let shown = format!("{:?}", ClientSecretBasic::new("api", "do-not-show"));
    assert!(
        shown.contains("api") && !shown.contains("do-not-show"),
        "{shown}"
    );
}

/// As a client of its own kind does: an assertion in the form, or a header.
struct Assertion;

#[async_trait]
impl ClientAuth for Assertion {
    fn method(&self) -> AuthMethod {
        AuthMethod::PRIVATE_KEY_JWT
    }

    async fn authenticate(&self, request: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        let issuer = request.server().issuer().expect("a resource has an issuer");
        request.set("client_assertion", format!("assertion for {issuer}"));
        request.set_header(
            header::HeaderName::from_static("x-endpoint"),
            HeaderValue::from_str(request.endpoint().as_str()).map_err(CredentialError::foreign)?,
        );
        Ok(())
    }
}

struct NoCredentials;

#[async_trait]
impl ClientAuth for NoCredentials {
    fn method(&self) -> AuthMethod {
        AuthMethod::PRIVATE_KEY_JWT
    }

    async fn authenticate(&self, _: &mut EndpointRequest<'_>) -> Result<(), CredentialError> {
        Err(CredentialError::foreign("the key is not there"))
    }
}

#[tokio::test]
async fn any_method_of_client_authentication_can_be_used() {
    let server = saying(|_| ()).await;
    let elsewhere = format!("{}/elsewhere", server.issuer);
    server.says("/elsewhere", Reply::json(&active(&server)));
    let at_elsewhere = Introspection::new(Assertion).endpoint(elsewhere.parse().expect("a URL"));
    accepted(
        "active",
        validator(&server, at_elsewhere).0.validate(OPAQUE).await,
    );
    let [asked] = <[_; 1]>::try_from(server.asked("/elsewhere")).expect("asked once");
    assert_eq!(asked.headers["x-endpoint"], elsewhere);
    let form: Vec<_> = url::form_urlencoded::parse(asked.body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(
        form[2],
        (
            "client_assertion".to_owned(),
            format!("assertion for {}", server.issuer)
        )
    );
    assert_eq!(server.hits(METADATA), 0, "nothing else is needed");

    let source = unavailable(
        "none",
        validator(&server, Introspection::new(NoCredentials))
            .0
            .validate(OPAQUE)
            .await,
    );
    assert!(matches!(&*source, SourceError::Credentials(_)), "{source}");
    assert_eq!(server.hits(INTROSPECT), 0);
}

#[tokio::test]
async fn the_methods_of_a_client_authenticate_a_resource_too() {
    use grantor::{
        credential::{Audience, ClientSecretPost, LocalKey, PrivateKeyJwt},
        jose::{Algorithm, Claims, PrivateJwk, Unverified, VerificationKey},
    };

    let server = saying(|_| ()).await;
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let by_key = || {
        PrivateKeyJwt::new(
            "api",
            LocalKey::from_jwk(key.expose_json().as_bytes(), None).expect("a key"),
        )
    };
    let ask = async |auth: Box<dyn ClientAuth>| {
        validator(&server, Introspection::new(auth))
            .0
            .validate(OPAQUE)
            .await
    };
    let sent = |number: usize| {
        let form: Vec<_> =
            url::form_urlencoded::parse(server.asked(INTROSPECT)[number].body.as_bytes())
                .into_owned()
                .collect();
        form.into_iter()
            .collect::<std::collections::HashMap<_, _>>()
    };
    accepted("private_key_jwt", ask(Box::new(by_key())).await);
    let form = sent(0);
    assert_eq!(
        (
            form["token"].as_str(),
            form["client_assertion_type"].as_str()
        ),
        (OPAQUE, grantor::assertion::CLIENT_ASSERTION_TYPE)
    );
    let public = VerificationKey::from_jwk(key.public()).expect("a public key");
    let jws = Unverified::parse(&form["client_assertion"])
        .and_then(|jws| jws.verify(&public))
        .expect("a signature by the key");
    let claims = Claims::parse(jws.payload()).expect("claims");
    assert_eq!(
        (claims.issuer.as_deref(), claims.subject.as_deref()),
        (Some("api"), Some("api"))
    );
    assert_eq!(
        claims.issued_at.map(|date| date.seconds()),
        Some(NOW as f64),
        "by the validator's clock"
    );
    assert_eq!(
        claims.audience.expect("aud").sole(),
        Some(server.issuer.as_str())
    );

    accepted(
        "client_secret_post",
        ask(Box::new(ClientSecretPost::new("api", "secret"))).await,
    );
    assert_eq!(
        (
            sent(1)["client_id"].as_str(),
            sent(1)["client_secret"].as_str()
        ),
        ("api", "secret")
    );

    // A server must not choose for whom it gets signatures: its endpoint is from its metadata.
    let of_the_endpoint = Introspection::new(by_key().audience(Audience::TokenEndpoint));
    let refused = Validator::builder(&server.issuer, AUDIENCE)
        .introspection(of_the_endpoint)
        .build();
    assert!(
        matches!(
            refused.err(),
            Some(ValidatorError::Credentials(
                CredentialError::DiscoveredAudience
            ))
        ),
        "an audience that is not configured"
    );
    assert_eq!(server.hits(INTROSPECT), 2);
}

/// Answers the metadata of an https issuer, and remembers what else it was asked for.
struct Elsewhere {
    metadata: Value,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Fetch for Elsewhere {
    async fn fetch(
        &self,
        request: http::Request<Bytes>,
        _: usize,
    ) -> Result<http::Response<Bytes>, FetchError> {
        if request.uri().path().starts_with("/.well-known/") {
            return Ok(http::Response::new(self.metadata.to_string().into()));
        }
        self.asked
            .lock()
            .expect("no panic")
            .push(request.uri().to_string());
        Ok(http::Response::new(
            json!({"active": true, "sub": "alice"}).to_string().into(),
        ))
    }
}

/// An https issuer whose metadata names a port of this machine would get the token and our secret
/// in the clear.
#[tokio::test]
async fn metadata_of_an_https_issuer_leads_nowhere_in_the_clear() {
    for (endpoint, good) in [
        ("https://as.example/introspect", true),
        ("http://127.0.0.1:9200/introspect", false),
    ] {
        let metadata = json!({"issuer": "https://as.example", "introspection_endpoint": endpoint});
        let fetch = Arc::new(Elsewhere {
            metadata,
            asked: Mutex::default(),
        });
        let validator = Validator::builder("https://as.example", AUDIENCE)
            .fetch(fetch.clone())
            .introspection(introspection());
        let token = validator
            .build()
            .expect("a validator")
            .validate(OPAQUE)
            .await;
        assert_eq!(token.is_ok(), good, "{endpoint}: {token:?}");
        let asked = fetch.asked.lock().expect("no panic").clone();
        assert_eq!(
            asked,
            if good {
                vec![endpoint.to_owned()]
            } else {
                Vec::new()
            }
        );
    }
}
