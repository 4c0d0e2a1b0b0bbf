//! Revocation: a client gives back a token of its own, and nobody else's (RFC 7009).

use grantor::{registry::Actor, registry::TokenFormat, storage::Registries};
use grantor_testkit::{
    Answer, Form, Party, Use, World,
    credentials::{METHODS, client, with_credentials},
    keys, metadata,
};
use http::{Method, StatusCode};

fn at(uri: &str, form: Form, token: &str) -> Form {
    let mut form = form.without("grant_type").with("token", token);
    form.uri = uri.to_owned();
    form
}

async fn revoke(world: &World, party: &Party, token: &str) {
    let answer = world
        .send_plain(&at("/revoke", party.good_form(), token))
        .await;
    assert_eq!((answer.0.as_u16(), answer.1.as_str()), (200, ""));
}

async fn is_active(world: &World, token: &str) -> bool {
    let asker = world.party(Use::PrivateKeyJwt).await;
    let answer = world
        .send(&at("/introspect", asker.good_form(), token))
        .await;
    answer.body["active"].as_bool().expect("RFC 7662 §2.2")
}

async fn owner_and_token(world: &World, format: TokenFormat) -> (Party, String) {
    let party = world
        .party_with(Use::PrivateKeyJwt, keys::P256.clone(), |metadata| {
            metadata.token_format = format;
        })
        .await;
    let token = world
        .send(&party.good_form())
        .await
        .granted("a token")
        .to_owned();
    (party, token)
}

#[tokio::test]
async fn a_revoked_token_is_inactive_at_once_in_both_formats() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let (owner, token) = owner_and_token(&world, format).await;
        let (_, other) = owner_and_token(&world, format).await;
        assert!(is_active(&world, &token).await, "{format:?}, the control");
        revoke(&world, &owner, &token).await;
        assert!(!is_active(&world, &token).await, "{format:?}");
        assert!(is_active(&world, &other).await, "{format:?}, another token");
        revoke(&world, &owner, &token).await;
    }
}

#[tokio::test]
async fn another_clients_token_stays_active_and_the_answer_does_not_tell() {
    for format in [TokenFormat::Jwt, TokenFormat::Opaque] {
        let world = World::new();
        let (_, token) = owner_and_token(&world, format).await;
        let thief = world.party(Use::PrivateKeyJwt).await;
        revoke(&world, &thief, &token).await;
        assert!(is_active(&world, &token).await, "{format:?}");
    }
}

#[tokio::test]
async fn unknown_malformed_and_foreign_tokens_are_answered_alike() {
    let (world, party) = World::with_party(Use::PrivateKeyJwt).await;
    let forged = party.jwt().header("typ", "\"at+jwt\"").sign(&party.key);
    for token in ["nothing", "a.b.c", forged.as_str()] {
        revoke(&world, &party, token).await;
    }
}

#[tokio::test]
async fn a_rewritten_ecdsa_signature_does_not_escape_revocation() {
    let world = World::new();
    let (owner, token) = owner_and_token(&world, TokenFormat::Jwt).await;
    let rewritten = grantor_testkit::forge::with_other_s(&token);
    assert_ne!(rewritten, token);
    assert!(
        is_active(&world, &rewritten).await,
        "the control: the rewritten signature verifies"
    );
    revoke(&world, &owner, &token).await;
    assert!(!is_active(&world, &rewritten).await);
}

#[tokio::test]
async fn the_rules_of_client_authentication_hold_here_too() {
    let world = World::new();
    let (owner, token) = owner_and_token(&world, TokenFormat::Jwt).await;
    let form = at("/revoke", owner.good_form(), &token);
    let refused =
        |answer: Answer, error: &str| assert_eq!(answer.body["error"], error, "{}", answer.body);
    refused(
        world.send(&form.clone().without("client_assertion")).await,
        "invalid_client",
    );
    refused(
        world
            .send(
                &form
                    .clone()
                    .without("client_assertion")
                    .without("client_assertion_type"),
            )
            .await,
        "invalid_client",
    );
    refused(
        world.send(&form.clone().without("token")).await,
        "invalid_request",
    );
    assert!(is_active(&world, &token).await);

    let used = at("/revoke", owner.good_form(), &token);
    assert_eq!(world.send_plain(&used).await.0, 200);
    refused(world.send(&used).await, "invalid_client");
    assert!(!is_active(&world, &token).await);
}

#[tokio::test]
async fn a_public_client_may_revoke() {
    let world = World::new();
    let id = "public-client";
    world
        .store
        .clients()
        .create(
            client(metadata(id, METHODS[4].clone())),
            &Actor::program("test"),
        )
        .await
        .expect("a new name");
    let token = world
        .send(&grantor_testkit::credentials::grant_form(id))
        .await
        .granted("a token")
        .to_owned();
    let form = at(
        "/revoke",
        with_credentials(Form::new("x"), id, &METHODS[4]),
        &token,
    );
    assert_eq!(world.send_plain(&form).await.0, 200);
    assert!(!is_active(&world, &token).await);
}

#[tokio::test]
async fn revocation_comes_by_post_and_a_hint_changes_nothing() {
    let world = World::new();
    for hint in ["access_token", "refresh_token", "unknown-hint"] {
        let (owner, token) = owner_and_token(&world, TokenFormat::Jwt).await;
        let form = at("/revoke", owner.good_form(), &token).with("token_type_hint", hint);
        let mut request = form.request();
        *request.method_mut() = Method::GET;
        let response = world.server.respond(request).await;
        assert_eq!(
            (response.status(), response.headers()["allow"].to_str().ok()),
            (StatusCode::METHOD_NOT_ALLOWED, Some("POST"))
        );
        assert!(is_active(&world, &token).await, "{hint}: by GET");
        assert_eq!(world.send_plain(&form).await.0, 200);
        assert!(!is_active(&world, &token).await, "{hint}");
    }
}

#[tokio::test]
async fn an_assertion_used_for_a_token_does_not_revoke_it() {
    let world = World::new();
    let owner = world.party(Use::PrivateKeyJwt).await;
    let used = owner.good_form();
    let token = world.send(&used).await.granted("a token").to_owned();
    let answer = world.send(&at("/revoke", used, &token)).await;
    answer.refused(
        "used at the token endpoint",
        "invalid_client",
        "replay",
        "jti: used before",
    );
    assert!(is_active(&world, &token).await);
    revoke(&world, &owner, &token).await;
    assert!(!is_active(&world, &token).await, "with a new one");
}
