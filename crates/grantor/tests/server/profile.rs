//! The `fapi2` profile: what FAPI 2.0 says of client assertions, each refusal with the same request
//! passing by default.

use grantor::{
    assertion::Profile, jose::Algorithm, registry::Actor, registry::AudiencePolicy,
    server::Settings, storage::Registries,
};
use grantor_testkit::{
    ISSUER, NOW, TOKEN_ENDPOINT, Use, World,
    credentials::{METHODS, client, with_credentials},
    keys, metadata,
};

fn world(profile: Profile) -> World {
    World::with(|builder| builder.settings(Settings::of(profile)))
}

#[tokio::test]
async fn only_private_key_jwt_authenticates() {
    for method in &METHODS[..4] {
        for profile in [Profile::Default, Profile::Fapi2] {
            let world = world(profile);
            world
                .store
                .clients()
                .create(
                    client(metadata("a", method.clone())),
                    &Actor::program("test"),
                )
                .await
                .expect("a new name");
            let form = grantor_testkit::Form::new("client_credentials");
            let answer = world.send(&with_credentials(form, "a", method)).await;
            match profile == Profile::Default || *method == METHODS[0] {
                true => drop(answer.granted(method.as_str()).to_owned()),
                false => answer.refused(
                    method.as_str(),
                    "invalid_client",
                    "method",
                    "is not accepted",
                ),
            }
        }
    }
}

#[tokio::test]
async fn the_audience_is_a_plain_string_and_never_the_token_endpoint() {
    for (audience, by_default) in [
        (format!("[\"{ISSUER}\"]"), true),
        (format!("\"{TOKEN_ENDPOINT}\""), true),
    ] {
        for profile in [Profile::Default, Profile::Fapi2] {
            let world = world(profile);
            let legacy = |client: &mut grantor::registry::ClientMetadata| {
                client.audience_policy = AudiencePolicy::Legacy;
            };
            let party = world
                .party_with(Use::PrivateKeyJwt, keys::P256.clone(), legacy)
                .await;
            let token = party.jwt().claim("aud", audience.clone()).sign(&party.key);
            let answer = world.send(&party.form(&token)).await;
            match profile == Profile::Default && by_default {
                true => drop(answer.granted(&audience).to_owned()),
                false => answer.refused(&audience, "invalid_client", "aud", "expected"),
            }
            world
                .send(&party.good_form())
                .await
                .granted("a plain string");
        }
    }
}

#[tokio::test]
async fn only_ps256_es256_and_ed25519_are_accepted() {
    let rows = [
        (keys::RSA.with(Algorithm::Rs256), false),
        (keys::RSA.with(Algorithm::Ps256), true),
        (keys::P256.clone(), true),
        (keys::P384.clone(), false),
        (keys::ED25519.clone(), true),
    ];
    for (key, by_fapi2) in rows {
        for usage in Use::PUBLIC_KEY {
            for profile in [Profile::Default, Profile::Fapi2] {
                let world = world(profile);
                let party = world.party_with(usage, key.clone(), |_| ()).await;
                let answer = world.send(&party.good_form()).await;
                match profile == Profile::Default || by_fapi2 {
                    true => drop(answer.granted(key.algorithm.name()).to_owned()),
                    false => answer.refused(
                        key.algorithm.name(),
                        usage.error(),
                        "alg",
                        "expected PS256 ES256",
                    ),
                }
            }
        }
    }
}

#[tokio::test]
async fn clocks_may_be_ten_seconds_off_and_not_more_than_a_minute() {
    let world = world(Profile::Fapi2);
    let party = world.party(Use::PrivateKeyJwt).await;
    for claim in ["iat", "nbf"] {
        let at = |seconds: i64| {
            party
                .jwt()
                .claim(claim, (NOW + seconds).to_string())
                .claim("exp", (NOW + 300).to_string())
        };
        world
            .send(&party.form(&at(10).sign(&party.key)))
            .await
            .granted(claim);
        let answer = world.send(&party.form(&at(61).sign(&party.key))).await;
        answer.refused(claim, "invalid_client", claim, "61 s");
    }
}

#[tokio::test]
async fn metadata_tells_what_is_left() {
    let world = world(Profile::Fapi2);
    let request = http::Request::get("/.well-known/oauth-authorization-server")
        .body(String::new())
        .expect("a request");
    let body = http_body_util::BodyExt::collect(world.server.respond(request).await.into_body())
        .await
        .expect("a body");
    let document: serde_json::Value = serde_json::from_slice(&body.to_bytes()).expect("JSON");
    for endpoint in ["token", "introspection", "revocation"] {
        assert_eq!(
            document[format!("{endpoint}_endpoint_auth_methods_supported")],
            serde_json::json!(["private_key_jwt"])
        );
        let algorithms =
            &document[format!("{endpoint}_endpoint_auth_signing_alg_values_supported")];
        assert_eq!(
            *algorithms,
            serde_json::json!(["PS256", "ES256", "Ed25519", "EdDSA"])
        );
    }
}
