//! A server that makes no sense is not built.

use grantor::{
    jose::Algorithm,
    server::{
        AuthorizationServer, BuildError, Builder, ClientAssertion, ClientCredentials, JwtBearer,
        Settings,
    },
    storage::MemoryStore,
    types::{AuthMethod, GrantType, Issuer},
};
use grantor_testkit::{ISSUER, Use, World};
use std::{sync::Arc, time::Duration};

fn builder() -> Builder {
    AuthorizationServer::builder(Issuer::parse(ISSUER).expect("an issuer"))
}

fn with_store() -> Builder {
    builder().store(Arc::new(MemoryStore::new()))
}

#[track_caller]
fn refused(builder: Builder) -> BuildError {
    builder.build().err().expect("not built")
}

/// Adds one part of the storage.
type Add = fn(Builder, Arc<MemoryStore>) -> Builder;

#[test]
fn each_part_of_the_storage_is_needed() {
    let store = || Arc::new(MemoryStore::new());
    let parts: [(&str, Add); 5] = [
        ("clients", |builder, store| builder.clients(store)),
        ("subjects", |builder, store| builder.subjects(store)),
        ("permissions", |builder, store| builder.permissions(store)),
        ("a replay guard", |builder, store| builder.replay(store)),
        ("artifacts", |builder, store| builder.artifacts(store)),
    ];
    for (missing, _) in parts {
        let others = parts.iter().filter(|(name, _)| *name != missing);
        let builder = others.fold(builder().standard(), |builder, (_, add)| {
            add(builder, store())
        });
        assert_eq!(
            refused(builder).to_string(),
            format!("the builder needs {missing}")
        );
    }
    let all = parts
        .iter()
        .fold(builder().standard(), |builder, (_, add)| {
            add(builder, store())
        });
    assert!(all.build().is_ok());
}

#[test]
fn grants_and_methods_are_registered_once() {
    assert!(matches!(
        refused(with_store()),
        BuildError::Missing("a grant")
    ));
    let twice = with_store().standard().grant(JwtBearer::new());
    assert!(
        matches!(refused(twice), BuildError::DuplicateGrant(grant) if grant == GrantType::JWT_BEARER)
    );
    let twice = with_store().standard().client_auth(ClientAssertion);
    assert!(
        matches!(refused(twice), BuildError::DuplicateMethod(method) if method == AuthMethod::PRIVATE_KEY_JWT)
    );
    assert!(with_store().grant(ClientCredentials::new()).build().is_ok());
}

#[test]
fn settings_keep_secrets_and_public_keys_apart() {
    let built = |settings| {
        with_store()
            .standard()
            .settings(settings)
            .build()
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let rows = [
        (
            Settings {
                assertion_algorithms: vec![Algorithm::Es256, Algorithm::Hs256],
                ..Settings::default()
            },
            "setting assertion_algorithms",
        ),
        (
            Settings {
                secret_algorithms: vec![Algorithm::Hs256, Algorithm::Es256],
                ..Settings::default()
            },
            "setting secret_algorithms",
        ),
        (
            Settings {
                token_lifetime: Duration::ZERO,
                ..Settings::default()
            },
            "setting token_lifetime",
        ),
        (
            Settings {
                token_lifetime: Duration::from_millis(999),
                ..Settings::default()
            },
            "setting token_lifetime",
        ),
    ];
    for (settings, error) in rows {
        assert!(
            built(settings).is_err_and(|text| text.starts_with(error)),
            "{error}"
        );
    }
    assert_eq!(
        built(Settings {
            token_lifetime: Duration::from_secs(1),
            ..Settings::default()
        }),
        Ok(())
    );
}

#[tokio::test]
async fn clones_of_a_server_share_everything() {
    let (world, party) = World::with_party(Use::Grant).await;
    let clone = world.server.clone();
    let form = party.good_form();
    assert_eq!(clone.respond(form.request()).await.status(), 200);
    world.send_request(&form, form.request()).await.refused(
        "replayed",
        "invalid_grant",
        "replay",
        "used before",
    );
}
