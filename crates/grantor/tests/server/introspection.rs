//! Introspection tells an authenticated client what a token stands for, and of any other token only
//! that it is not active (RFC 7662).

use grantor::{
    clock::UnixTime,
    jose::{Algorithm, PrivateJwk, base64url_decode, sign},
    keys::{KeyRing, OtherKey},
    registry::{Actor, Client, ClientMetadata, Permission, Subject, TokenFormat},
    server::TokenIds,
    storage::{ClientSource, Registries, StoreError},
    types::{AuthMethod, ClientId, Scope, SubjectId},
};
use grantor_testkit::{
    Answer, Form, ISSUER, NOW, Party, Use, World,
    credentials::{METHODS, client, disabled_rule, with_credentials, world_with},
    keys, metadata,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Asks about `token`, authenticated as a client of this use.
pub(crate) async fn introspect(world: &World, asker: &Party, token: &str) -> Value {
    let mut form = asker.good_form().without("grant_type").with("token", token);
    form.uri = "/introspect".to_owned();
    let answer = world.send(&form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

pub(crate) fn inactive() -> Value {
    json!({"active": false})
}

pub(crate) async fn token_of(world: &World, party: &Party, subject: &str) -> String {
    let answer = world
        .accepts(party, "a token", |jwt| jwt.text("sub", subject))
        .await;
    answer.granted("a token").to_owned()
}

pub(crate) async fn party_of(world: &World, format: TokenFormat) -> Party {
    world
        .party_with(Use::Grant, keys::P256.clone(), |metadata| {
            metadata.token_format = format;
        })
        .await
}

#[tokio::test]
async fn an_active_token_is_described_the_same_in_both_formats() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let party = party_of(&world, format).await;
        world.permit(&party, "somebody", Some("read")).await;
        let token = token_of(&world, &party, "somebody").await;
        for usage in Use::CLIENT {
            let asker = world.party(usage).await;
            let mut described = introspect(&world, &asker, &token).await;
            let jti = described.as_object_mut().expect("an object").remove("jti");
            assert_eq!(
                jti.is_some_and(|jti| jti.is_string()),
                format == TokenFormat::Jwt
            );
            let expected = json!({
                "active": true, "client_id": party.id, "sub": "somebody", "aud": ISSUER, "iss": ISSUER,
                "iat": NOW, "exp": NOW + 3600, "token_type": "Bearer", "scope": "read"
            });
            assert_eq!(described, expected, "{format:?}");
        }
    }
}

#[tokio::test]
async fn a_token_is_active_until_it_expires() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let party = party_of(&world, format).await;
        let token = token_of(&world, &party, &party.id.clone()).await;
        let asker = world.party(Use::ClientSecretJwt).await;
        for (seconds, active) in [
            (0.0, true),
            (3599.999, true),
            (3600.0, false),
            (9000.0, false),
        ] {
            world.set_clock(seconds);
            let now = NOW + seconds as i64;
            let jwt = asker
                .jwt()
                .claim("iat", now.to_string())
                .claim("exp", (now + 60).to_string());
            let mut form = asker.form(&jwt.sign(&asker.key)).with("token", &token);
            form.uri = "/introspect".to_owned();
            assert_eq!(
                world.send(&form).await.body["active"],
                active,
                "{format:?} {seconds}"
            );
        }
    }
}

#[tokio::test]
async fn tokens_of_disabled_or_deleted_parties_are_inactive_at_once() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let party = party_of(&world, format).await;
        world.permit(&party, "somebody", None).await;
        let token = token_of(&world, &party, "somebody").await;
        let asker = world.party(Use::PrivateKeyJwt).await;
        let subject = SubjectId::parse("somebody").expect("a subject");
        let client = |enabled| {
            let mut metadata = metadata(&party.id, AuthMethod::PRIVATE_KEY_JWT);
            metadata.enabled = enabled;
            Client::new(metadata, vec![keys::P256.public().into()], vec![]).expect("a client")
        };
        for enabled in [true, false, true] {
            world
                .store
                .subjects()
                .change(&subject, &Actor::program("test"), |subject: &Subject| {
                    let subject = subject.clone();
                    Ok::<_, StoreError>(if enabled {
                        subject.enabled()
                    } else {
                        subject.disabled()
                    })
                })
                .await
                .expect("a known subject");
            assert_eq!(
                introspect(&world, &asker, &token).await["active"],
                enabled,
                "{format:?} subject"
            );
        }
        for enabled in [true, false, true] {
            world.replace(client(enabled)).await;
            assert_eq!(
                introspect(&world, &asker, &token).await["active"],
                enabled,
                "{format:?} client"
            );
        }
        world
            .store
            .subjects()
            .delete(&subject, &Actor::program("test"))
            .await
            .expect("a known subject");
        assert_eq!(
            introspect(&world, &asker, &token).await,
            inactive(),
            "{format:?} subject deleted"
        );
        let own = token_of(&world, &party, &party.id.clone()).await;
        assert_eq!(
            introspect(&world, &asker, &own).await["active"],
            true,
            "{format:?} for itself"
        );
        world
            .store
            .clients()
            .delete(client(true).id(), &Actor::program("test"))
            .await
            .expect("a known client");
        assert_eq!(
            introspect(&world, &asker, &own).await,
            inactive(),
            "{format:?} client deleted"
        );
    }
}

#[tokio::test]
async fn whatever_is_no_access_token_of_this_server_is_inactive_without_a_reason() {
    let server_key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let signing = server_key.signing_key().expect("a key");
    let ring = std::sync::Arc::new(KeyRing::new(&server_key, []).expect("a ring"));
    let world = World::with(|builder| builder.signing_keys(std::sync::Arc::new(ring)));
    let party = world.party(Use::Grant).await;
    let good = token_of(&world, &party, &party.id.clone()).await;
    let payload = base64url_decode(good.split('.').nth(1).expect("a payload")).expect("base64url");
    let claims: Value = serde_json::from_slice(&payload).expect("JSON");
    let jti = claims["jti"].clone();
    let own =
        |typ, claims: &Value| sign(&signing, typ, claims.to_string().as_bytes()).expect("a token");
    let other = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        own(Some("at+jwt"), &claims)
    };
    let (input, signature) = good.rsplit_once('.').expect("segments");
    let rows = [
        party.jwt().sign(&party.key),
        party.jwt().header("typ", "\"at+jwt\"").sign(&party.key),
        own(Some("JWT"), &claims),
        own(None, &claims),
        other("iss", json!("https://other.example")),
        other("client_id", json!("no-client-of-ours")),
        other("exp", json!(NOW)),
        // Whoever has the key and a token of their own cannot make another one of it.
        other("exp", json!(NOW + 7200)),
        other("iat", json!(NOW - 1)),
        other("scope", json!("administrate")),
        other("aud", json!("https://other.example")),
        other("sub", json!("somebody")),
        other("jti", json!("1")),
        other(
            "jti",
            json!(
                jti.as_str()
                    .expect("a text")
                    .chars()
                    .rev()
                    .collect::<String>()
            ),
        ),
        format!("{input}.{}", signature.chars().rev().collect::<String>()),
        format!("{good}x"),
        input.to_owned(),
        "an-opaque-token-nobody-got".to_owned(),
        "..".to_owned(),
        "x".repeat(20_000),
    ];
    for usage in Use::CLIENT {
        let asker = world.party(usage).await;
        for token in &rows {
            assert_eq!(
                introspect(&world, &asker, token).await,
                inactive(),
                "{token}"
            );
        }
        assert_eq!(
            introspect(&world, &asker, &own(Some("at+jwt"), &claims)).await["active"],
            true
        );
        assert_eq!(introspect(&world, &asker, &good).await["active"], true);
    }
}

#[tokio::test]
async fn a_token_ends_with_its_permission_and_another_one_does_not_bring_it_back() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let party = party_of(&world, format).await;
        world.permit(&party, "somebody", None).await;
        let token = token_of(&world, &party, "somebody").await;
        let own = token_of(&world, &party, &party.id.clone()).await;
        let asker = world.party(Use::PrivateKeyJwt).await;
        assert_eq!(
            introspect(&world, &asker, &token).await["active"],
            true,
            "{format:?}"
        );
        let (client, subject) = (
            ClientId::parse(&party.id).expect("an id"),
            SubjectId::parse("somebody").expect("a subject"),
        );
        let permission = Permission::new(client, subject, None);
        world
            .store
            .permissions()
            .delete(&permission.id(), &Actor::program("test"))
            .await
            .expect("a permission");
        assert_eq!(
            introspect(&world, &asker, &token).await,
            inactive(),
            "{format:?} withdrawn"
        );
        world
            .store
            .permissions()
            .create(permission, &Actor::program("test"))
            .await
            .expect("a permission");
        assert_eq!(
            introspect(&world, &asker, &token).await,
            inactive(),
            "{format:?} given again"
        );
        assert_eq!(
            introspect(&world, &asker, &own).await["active"],
            true,
            "{format:?} its own token"
        );
        let new = token_of(&world, &party, "somebody").await;
        assert_eq!(
            introspect(&world, &asker, &new).await["active"],
            true,
            "{format:?} under the new permission"
        );
    }
}

#[tokio::test]
async fn a_name_that_is_registered_anew_inherits_no_token() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let party = party_of(&world, format).await;
        world.permit(&party, "somebody", None).await;
        let asker = world.party(Use::PrivateKeyJwt).await;
        let client = ClientId::parse(&party.id).expect("an id");
        let about = token_of(&world, &party, "somebody").await;
        let own = token_of(&world, &party, &party.id.clone()).await;

        let subject = SubjectId::parse("somebody").expect("a subject");
        world
            .store
            .subjects()
            .delete(&subject, &Actor::program("test"))
            .await
            .expect("a subject");
        world.permit(&party, "somebody", None).await;
        assert_eq!(
            introspect(&world, &asker, &about).await,
            inactive(),
            "{format:?} another subject"
        );
        assert_eq!(
            introspect(&world, &asker, &own).await["active"],
            true,
            "{format:?} the same client"
        );

        let registered = world
            .store
            .client(&client)
            .await
            .expect("read")
            .expect("the client");
        world
            .store
            .clients()
            .delete(&client, &Actor::program("test"))
            .await
            .expect("a client");
        world
            .register(
                registered.metadata().clone(),
                registered.keys().to_vec(),
                vec![],
            )
            .await;
        assert_eq!(
            introspect(&world, &asker, &own).await,
            inactive(),
            "{format:?} another client"
        );
        let new = token_of(&world, &party, &party.id.clone()).await;
        assert_eq!(
            introspect(&world, &asker, &new).await["active"],
            true,
            "{format:?} its own token"
        );
    }
}

#[tokio::test]
async fn a_retired_key_makes_no_token_of_now() {
    let (old, new) = (
        PrivateJwk::generate(Algorithm::Es256).expect("a key"),
        PrivateJwk::generate(Algorithm::Es256).expect("a key"),
    );
    let time = |seconds: i64| UnixTime::from_millis(seconds * 1000);
    let retired = OtherKey::new(old.public(), None, Some(time(NOW - 10)));
    let next = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let waiting = OtherKey::new(next.public(), Some(time(NOW + 10)), None);
    let ring = std::sync::Arc::new(KeyRing::new(&new, [retired, waiting]).expect("a ring"));
    // Tokens of an earlier version, so that keys alone decide.
    let ids = TokenIds::random().since(time(NOW + 60));
    let world = World::with(|builder| {
        builder
            .signing_keys(std::sync::Arc::new(ring))
            .token_ids(ids)
    });
    let old_enough = |metadata: &mut ClientMetadata| metadata.created_at = time(NOW - 3600);
    let party = world
        .party_with(Use::Grant, keys::P256.clone(), old_enough)
        .await;
    let claims = json!({
        "iss": ISSUER, "sub": party.id, "aud": ISSUER, "client_id": party.id, "exp": NOW + 3600, "jti": "1"
    });
    let asker = world.party(Use::PrivateKeyJwt).await;
    for (key, issued_at, active) in [
        (&old, NOW, false),
        (&old, NOW - 4, false),
        (&old, NOW - 5, true),
        (&old, NOW - 60, true),
        (&next, NOW, false),
        (&next, NOW + 5, true),
        (&new, NOW, true),
    ] {
        let mut claims = claims.clone();
        claims["iat"] = json!(issued_at);
        let token = sign(
            &key.signing_key().expect("a key"),
            Some("at+jwt"),
            claims.to_string().as_bytes(),
        )
        .expect("a token");
        assert_eq!(
            introspect(&world, &asker, &token).await["active"],
            active,
            "{} {issued_at}",
            key.key_id()
        );
    }
}

#[tokio::test]
async fn a_token_of_an_earlier_version_is_not_that_of_a_client_registered_later() {
    let time = |seconds: i64| UnixTime::from_millis(seconds * 1000);
    let server_key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let ring = std::sync::Arc::new(KeyRing::new(&server_key, []).expect("a ring"));
    let ids = TokenIds::random().since(time(NOW + 60));
    let world = World::with(|builder| {
        builder
            .signing_keys(std::sync::Arc::new(ring))
            .token_ids(ids)
    });
    let asker = world.party(Use::PrivateKeyJwt).await;
    for (registered_at, active) in [
        (NOW - 60, true),
        (NOW - 10, true),
        (NOW - 9, false),
        (NOW, false),
    ] {
        let created = |metadata: &mut ClientMetadata| metadata.created_at = time(registered_at);
        let party = world
            .party_with(Use::Grant, keys::P256.clone(), created)
            .await;
        let claims = json!({
            "iss": ISSUER, "sub": party.id, "aud": ISSUER, "client_id": party.id, "iat": NOW - 10, "exp": NOW + 60, "jti": "1"
        });
        let token = sign(
            &server_key.signing_key().expect("a key"),
            Some("at+jwt"),
            claims.to_string().as_bytes(),
        );
        assert_eq!(
            introspect(&world, &asker, &token.expect("a token")).await["active"],
            active,
            "{registered_at}"
        );
    }
}

#[tokio::test]
async fn no_more_of_a_tokens_scope_is_told_than_is_still_allowed() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let party = party_of(&world, format).await;
        world.permit(&party, "somebody", None).await;
        let tokens = [
            token_of(&world, &party, "somebody").await,
            token_of(&world, &party, &party.id.clone()).await,
        ];
        let asker = world.party(Use::PrivateKeyJwt).await;
        for scope in ["read write", "read", "write", ""] {
            let client = world
                .store
                .client(&ClientId::parse(&party.id).expect("an id"))
                .await
                .expect("read")
                .expect("there");
            let mut metadata = client.metadata().clone();
            metadata.scope = Scope::parse(scope).expect("a scope");
            world
                .replace(Client::new(metadata, client.keys().to_vec(), vec![]).expect("a client"))
                .await;
            for token in &tokens {
                let described = introspect(&world, &asker, token).await;
                assert_eq!(
                    (
                        &described["active"],
                        described["scope"].as_str().unwrap_or_default()
                    ),
                    (&json!(true), scope)
                );
            }
        }
    }
}

fn question() -> Form {
    Form {
        uri: "/introspect".to_owned(),
        ..Form::new("ignored").without("grant_type")
    }
}

#[tokio::test]
async fn nobody_asks_without_authentication() {
    let id = "client-that-asks";
    for method in &METHODS {
        let world = world_with(id, method).await;
        let party = world.party(Use::Grant).await;
        let token = token_of(&world, &party, &party.id.clone()).await;
        let ask = question().with("token", &token);
        world.send(&ask).await.refused(
            "anonymous",
            "invalid_client",
            "client",
            "the grant requires it",
        );
        let bearer = ask
            .clone()
            .header("authorization", &format!("Bearer {token}"));
        world.send(&bearer).await.refused(
            "bearer",
            "invalid_client",
            "client",
            "the scheme is not Basic",
        );
        let answer: Answer = world.send(&with_credentials(ask, id, method)).await;
        match *method == AuthMethod::NONE {
            true => answer.refused("public", "invalid_client", "method", "none is not accepted"),
            false => assert_eq!(answer.body["active"], true, "{method}"),
        }
        let mut disabled = metadata(id, method.clone());
        disabled.enabled = false;
        world.replace(client(disabled)).await;
        let answer = world
            .send(&with_credentials(
                question().with("token", &token),
                id,
                method,
            ))
            .await;
        answer.refused(
            "disabled",
            "invalid_client",
            disabled_rule(method),
            "client is disabled",
        );
    }
}

#[tokio::test]
async fn assertions_are_judged_as_at_the_token_endpoint_and_used_up_for_both() {
    for usage in Use::CLIENT {
        let (world, party) = World::with_party(usage).await;
        let ask = |assertion: &str| {
            grantor_testkit::with_client_assertion(question().with("token", "any-token"), assertion)
        };
        let once = party.jwt().sign(&party.key);
        world
            .send(&party.form(&once))
            .await
            .granted("at the token endpoint");
        world.send(&ask(&once)).await.refused(
            "replayed",
            "invalid_client",
            "replay",
            "jti: used before",
        );
        let once = party.jwt().sign(&party.key);
        assert_eq!(world.send(&ask(&once)).await.body, inactive());
        world.send(&party.form(&once)).await.refused(
            "replayed",
            "invalid_client",
            "replay",
            "jti: used before",
        );
        for audience in [
            "https://as.example/introspect",
            grantor_testkit::TOKEN_ENDPOINT,
            "https://evil.example",
        ] {
            let token = party.jwt().text("aud", audience).sign(&party.key);
            world.send(&ask(&token)).await.refused(
                audience,
                "invalid_client",
                "aud",
                "aud: expected one of",
            );
        }
        let late = party
            .jwt()
            .without("iat")
            .claim("exp", (NOW - 60).to_string())
            .sign(&party.key);
        world
            .send(&ask(&late))
            .await
            .refused("late", "invalid_client", "exp", "exp: expired");
    }
}

#[tokio::test]
async fn questions_come_by_post() {
    let world = World::new();
    let asker = world.party(Use::PrivateKeyJwt).await;
    let ask = || {
        asker
            .good_form()
            .without("grant_type")
            .with("token", "some-token")
    };
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
        let form = ask();
        for uri in [
            "/introspect".to_owned(),
            format!("/introspect?{}", form.body()),
        ] {
            let mut request = form.request();
            *request.method_mut() = method.clone();
            *request.uri_mut() = uri.parse().expect("a URI");
            let response = world.server.respond(request).await;
            assert_eq!(
                response.status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{method}"
            );
            assert_eq!(response.headers()["allow"], "POST", "{method}");
        }
    }
    assert!(world.log.take().is_empty(), "nothing was decided");
    assert_eq!(
        world
            .send(&Form {
                uri: "/introspect".to_owned(),
                ..ask()
            })
            .await
            .body,
        inactive(),
        "by POST"
    );
}

#[tokio::test]
async fn the_form_is_read_as_strictly_as_at_the_token_endpoint() {
    let world = World::new();
    let asker = world.party(Use::PrivateKeyJwt).await;
    let ask = || {
        asker
            .good_form()
            .without("grant_type")
            .with("token", "some-token")
    };
    let at = |form: Form| Form {
        uri: "/introspect".to_owned(),
        ..form
    };
    for (form, cause) in [
        (ask().without("token"), "parameter token is missing"),
        (ask().set("token", ""), "parameter token is missing"),
        (
            ask().with("token", "other-token"),
            "a parameter is repeated",
        ),
        (
            ask().set_header("content-type", "application/jwt"),
            "content type is not",
        ),
    ] {
        world
            .send(&at(form))
            .await
            .refused(cause, "invalid_request", "form", cause);
    }
    assert_eq!(
        world
            .send(&at(ask().with("token_type_hint", "unknown_hint")))
            .await
            .body,
        inactive()
    );
}
