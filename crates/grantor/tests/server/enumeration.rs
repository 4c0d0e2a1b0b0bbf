//! An answer to somebody who has proved nothing does not tell who is registered (law 6, RFC 6749
//! §10.2).

use grantor::{registry::Actor, storage::Registries, types::AuthMethod};
use grantor_testkit::{
    Answer, Form, JWT_BEARER, Jwt, Key, Party, Use,
    credentials::{METHODS, client, world_with},
    keys, metadata, with_client_assertion,
};
use http::StatusCode;

/// Status, code, words and header names: all that the public can compare.
fn public_face(answer: &Answer) -> (StatusCode, String, String, Vec<String>) {
    let headers = answer.headers.keys().map(|name| name.to_string()).collect();
    (
        answer.status,
        answer.body["error"].to_string(),
        answer.description().to_owned(),
        headers,
    )
}

#[tokio::test]
async fn a_stranger_cannot_tell_who_is_registered() {
    let disabled = |id: &str, method: &AuthMethod| {
        let mut changed = metadata(id, method.clone());
        changed.enabled = false;
        changed
    };
    let ids = [
        "no-client-of-ours",
        "client-enabled",
        "client-disabled",
        "client-of-other-method",
    ];
    for method in &METHODS[..4] {
        let world = world_with("client-enabled", method).await;
        let other = if *method == METHODS[2] {
            &METHODS[3]
        } else {
            &METHODS[2]
        };
        for metadata in [
            disabled("client-disabled", method),
            metadata("client-of-other-method", other.clone()),
        ] {
            world
                .store
                .clients()
                .create(client(metadata), &Actor::program("test"))
                .await
                .expect("a new name");
        }
        let forge = |id: &str, jwt: fn(Jwt) -> Jwt| {
            let usage = if *method == METHODS[1] {
                Use::ClientSecretJwt
            } else {
                Use::PrivateKeyJwt
            };
            let key = if *method == METHODS[1] {
                Key::secret("a-guess-at-the-secret")
            } else {
                keys::P256_OTHER.clone()
            };
            jwt(Party {
                id: id.to_owned(),
                usage,
                key: key.clone(),
            }
            .jwt())
            .sign(&key)
        };
        let mut faces = Vec::new();
        for id in ids {
            let start = Form::new("client_credentials");
            let form = match method.as_str() {
                "client_secret_basic" => start.basic(id, "a-guess-at-the-secret"),
                "client_secret_post" => start
                    .with("client_id", id)
                    .with("client_secret", "a-guess-at-the-secret"),
                _ => with_client_assertion(start, &forge(id, |jwt| jwt)),
            };
            faces.push(public_face(&world.send(&form).await));
        }
        assert!(
            faces.windows(2).all(|pair| pair[0] == pair[1]),
            "{method}: {faces:#?}"
        );
        let forged = |id: &str| forge(id, |jwt| jwt.header("alg", "\"ES256\""));
        for is_jwt in [true, false] {
            let mut faces = Vec::new();
            for id in ids {
                let form = Form::new(JWT_BEARER).with("client_id", id).with(
                    "assertion",
                    &if is_jwt {
                        forged(id)
                    } else {
                        "no-jwt".to_owned()
                    },
                );
                faces.push(public_face(&world.send(&form).await));
            }
            assert!(
                faces.windows(2).all(|pair| pair[0] == pair[1]),
                "client_id as issuer: {faces:#?}"
            );
        }
        let named = [
            None,
            Some("no-client-of-ours"),
            Some("client-enabled"),
            Some("client-disabled"),
            Some("client-of-other-method"),
        ];
        for client_id in named {
            let mut faces = Vec::new();
            for id in ids
                .into_iter()
                .filter(|id| client_id.is_none_or(|named| named != *id))
            {
                let token = forged(id);
                let form = Form::new(JWT_BEARER).with("assertion", &token);
                let form = client_id.map_or(form.clone(), |named| form.with("client_id", named));
                faces.push(public_face(&world.send(&form).await));
            }
            assert!(
                faces.windows(2).all(|pair| pair[0] == pair[1]),
                "client_id {client_id:?}: {faces:#?}"
            );
        }
    }
}
