//! Clients registered for each of the five methods, and their right credentials.

use std::sync::Arc;

use grantor::{
    registry::{Actor, Client, ClientMetadata, ClientSecret},
    storage::Registries,
    types::AuthMethod,
};

use crate::{
    Form, JWT_BEARER, Key, Party, Use, World, keys, metadata, readable, with_client_assertion,
};

pub const METHODS: [AuthMethod; 5] = [
    AuthMethod::PRIVATE_KEY_JWT,
    AuthMethod::CLIENT_SECRET_JWT,
    AuthMethod::CLIENT_SECRET_BASIC,
    AuthMethod::CLIENT_SECRET_POST,
    AuthMethod::NONE,
];

/// The rule that a disabled or unknown client breaks: the party that signs an assertion is an
/// issuer, also where it authenticates by it.
pub fn disabled_rule(method: &AuthMethod) -> &'static str {
    if METHODS[..2].contains(method) {
        "issuer"
    } else {
        "client"
    }
}

/// A client with every kind of credentials that its registration may hold.
pub fn client(metadata: ClientMetadata) -> Client {
    let takes_secrets =
        ![AuthMethod::PRIVATE_KEY_JWT, AuthMethod::NONE].contains(&metadata.auth_method);
    let secrets = vec![
        ClientSecret::digest(keys::SECRET.text(), None),
        readable(keys::SECRET.text(), None),
    ];
    Client::new(
        metadata,
        vec![keys::P256.public().into()],
        if takes_secrets { secrets } else { vec![] },
    )
    .expect("a client")
}

pub async fn world_with(id: &str, method: &AuthMethod) -> World {
    let world = World::new();
    world
        .store
        .clients()
        .create(
            client(metadata(id, method.clone())),
            &Actor::program("test"),
        )
        .await
        .expect("a new name");
    world
}

pub fn signed(id: &str, usage: Use, key: &Arc<Key>) -> String {
    let party = Party {
        id: id.to_owned(),
        usage,
        key: key.clone(),
    };
    party.jwt().sign(key)
}

/// A jwt-bearer request whose grant assertion is good.
pub fn grant_form(id: &str) -> Form {
    Form::new(JWT_BEARER).with("assertion", &signed(id, Use::Grant, &keys::P256))
}

/// Adds right credentials by this method.
pub fn with_credentials(form: Form, id: &str, method: &AuthMethod) -> Form {
    match method.as_str() {
        "private_key_jwt" => {
            with_client_assertion(form, &signed(id, Use::PrivateKeyJwt, &keys::P256))
        }
        "client_secret_jwt" => {
            with_client_assertion(form, &signed(id, Use::ClientSecretJwt, &keys::SECRET))
        }
        "client_secret_basic" => form.basic(id, keys::SECRET.text()),
        "client_secret_post" => form
            .with("client_id", id)
            .with("client_secret", keys::SECRET.text()),
        _ => form.with("client_id", id),
    }
}
