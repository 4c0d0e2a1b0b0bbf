//! What an operator changes is in force on the very next request (law 4).

use grantor::{
    registry::{Actor, Client, ClientKey, ClientSecret},
    storage::Registries,
    types::{AuthMethod, GrantType},
};
use grantor_testkit::{
    Form, Jwt, Key, Party, Use, World, at,
    credentials::{METHODS, client, disabled_rule, grant_form, with_credentials, world_with},
    keys, metadata,
};

#[tokio::test]
async fn a_client_is_refused_on_the_first_request_after_it_was_disabled_or_deleted() {
    let id = "client-with-a-past";
    for method in &METHODS[..4] {
        let world = world_with(id, method).await;
        let send = async || {
            world
                .send(&with_credentials(
                    Form::new("client_credentials"),
                    id,
                    method,
                ))
                .await
        };
        let rule = disabled_rule(method);
        send().await.granted("enabled");
        let mut disabled = metadata(id, method.clone());
        disabled.enabled = false;
        world.replace(client(disabled)).await;
        send()
            .await
            .refused("disabled", "invalid_client", rule, "client is disabled");
        world.send(&grant_form(id)).await.refused(
            "disabled issuer",
            "invalid_grant",
            "issuer",
            "issuer is disabled",
        );
        let named = grant_form(id).with("client_id", id);
        world.send(&named).await.refused(
            "disabled and named",
            "invalid_grant",
            "issuer",
            "issuer is disabled",
        );
        world.replace(client(metadata(id, method.clone()))).await;
        send().await.granted("enabled again");
        world
            .store
            .clients()
            .delete(&metadata(id, method.clone()).id, &Actor::program("test"))
            .await
            .expect("a known client");
        send()
            .await
            .refused("deleted", "invalid_client", rule, "is not registered");
        world.send(&grant_form(id)).await.refused(
            "deleted issuer",
            "invalid_grant",
            "issuer",
            "is not registered",
        );
    }
}

#[tokio::test]
async fn a_replaced_key_is_refused_on_the_next_request() {
    for usage in Use::PUBLIC_KEY {
        let (world, party) = World::with_party(usage).await;
        world.accepts(&party, "the registered key", |jwt| jwt).await;
        let rotated = Client::new(
            metadata(&party.id, usage.method()),
            vec![keys::P256_OTHER.public().into()],
            vec![],
        )
        .expect("a client");
        world.replace(rotated).await;
        world.send(&party.good_form()).await.refused(
            "the old key",
            usage.error(),
            "key",
            "no key with this kid",
        );
        let party = Party {
            key: keys::P256_OTHER.clone(),
            ..party
        };
        world.accepts(&party, "the new key", |jwt| jwt).await;
    }
}

#[tokio::test]
async fn a_key_ends_at_its_time_without_a_word_to_strangers_and_the_others_go_on() {
    let id = "client-with-an-ending-key";
    for usage in Use::PUBLIC_KEY {
        let world = World::new();
        let ending = ClientKey::new(keys::P256.public(), Some(at(60.0)));
        world
            .register(
                metadata(id, usage.method()),
                vec![ending, keys::P256_OTHER.public().into()],
                vec![],
            )
            .await;
        let [old, new] = [keys::P256.clone(), keys::P256_OTHER.clone()].map(|key| Party {
            id: id.to_owned(),
            usage,
            key,
        });
        let send = async |jwt: Jwt| world.send(&old.form(&jwt.sign(&old.key))).await;
        world.set_clock(59.999);
        send(old.jwt()).await.granted("before the end");
        send(old.jwt().without_header("kid"))
            .await
            .granted("before the end, not named");
        world.set_clock(60.0);
        let expired = send(old.jwt()).await;
        expired.refused(
            "at the end",
            usage.error(),
            "key",
            "the issuer's key has expired: registered key 1 ended 0 s ago",
        );
        let unknown = send(old.jwt().header("kid", "\"no-such-key\"")).await;
        unknown.refused(
            "the control",
            usage.error(),
            "key",
            "the issuer has no key with this kid",
        );
        assert_eq!(expired.description(), unknown.description(), "law 6");
        let unnamed = send(old.jwt().without_header("kid")).await;
        unnamed.refused(
            "not named",
            usage.error(),
            "signature",
            "signature does not verify",
        );
        world
            .accepts(&new, "the key without an end", |jwt| jwt)
            .await;
        world
            .accepts(&new, "the key without an end, not named", |jwt| {
                jwt.without_header("kid")
            })
            .await;
    }
}

#[tokio::test]
async fn a_stored_key_that_is_too_weak_verifies_nothing_and_the_others_go_on() {
    let id = "client-with-a-weak-key";
    let weak = ClientKey::from_stored(
        &format!(
            r#"{{"kty":"RSA","kid":"weak","e":"AQAB","n":"{}8"}}"#,
            "_".repeat(170)
        ),
        None,
    );
    for usage in Use::PUBLIC_KEY {
        let world = World::new();
        world
            .register(
                metadata(id, usage.method()),
                vec![weak.clone(), keys::P256.public().into()],
                vec![],
            )
            .await;
        let good = Party {
            id: id.to_owned(),
            usage,
            key: keys::P256.clone(),
        };
        let rsa = Party {
            key: keys::RSA.clone(),
            ..good.clone()
        };
        let send = async |jwt: Jwt| world.send(&rsa.form(&jwt.sign(&rsa.key))).await;
        let named = send(rsa.jwt().header("kid", "\"weak\"")).await;
        named.refused(
            "named",
            usage.error(),
            "key",
            "cannot be used: registered key 1: RSA key has 1024 bits",
        );
        let unnamed = send(rsa.jwt().without_header("kid")).await;
        unnamed.refused(
            "not named",
            usage.error(),
            "key",
            "cannot be used: registered key 1: RSA key has 1024 bits",
        );
        let unknown = send(rsa.jwt().header("kid", "\"no-such-key\"")).await;
        assert_eq!(
            (named.description(), unnamed.description()),
            (unknown.description(), unknown.description()),
            "law 6"
        );
        world.accepts(&good, "the other key", |jwt| jwt).await;
        world
            .accepts(&good, "the other key, not named", |jwt| {
                jwt.without_header("kid")
            })
            .await;
    }
}

#[tokio::test]
async fn a_secret_ends_at_its_time_by_every_method() {
    let id = "client-with-old-secret";
    let (old, new) = (keys::SECRET.text(), "n".repeat(64));
    for method in &METHODS[1..4] {
        let world = World::new();
        let kept = |secret: &str, end| match *method == AuthMethod::CLIENT_SECRET_JWT {
            true => ClientSecret::readable(secret.to_owned().into(), end).expect("a long secret"),
            false => ClientSecret::digest(secret, end),
        };
        let register = async |secrets| {
            let _ = world
                .store
                .clients()
                .delete(&metadata(id, method.clone()).id, &Actor::program("test"))
                .await;
            world
                .register(metadata(id, method.clone()), vec![], secrets)
                .await;
        };
        let send = async || {
            world
                .send(&with_credentials(
                    Form::new("client_credentials"),
                    id,
                    method,
                ))
                .await
        };
        register(vec![kept(old, Some(at(60.0)))]).await;
        world.set_clock(59.999);
        send().await.granted("before the end");
        world.set_clock(60.0);
        let (rule, cause) = match *method == AuthMethod::CLIENT_SECRET_JWT {
            true => ("key", "the client's secrets have expired"),
            false => ("client", "client secret is wrong or has expired"),
        };
        send()
            .await
            .refused("at the end", "invalid_client", rule, cause);
        register(vec![kept(&new, None), kept(old, Some(at(61.0)))]).await;
        send().await.granted("old and new together");
    }
}

#[tokio::test]
async fn a_client_not_registered_for_a_grant_is_unauthorized_once_it_is_known() {
    for usage in Use::ALL {
        let grant = if usage == Use::Grant {
            GrantType::JWT_BEARER
        } else {
            GrantType::CLIENT_CREDENTIALS
        };
        let world = World::new();
        let key = if usage == Use::ClientSecretJwt {
            keys::SECRET.clone()
        } else {
            keys::P256.clone()
        };
        let party = world
            .party_with(usage, key, |metadata| {
                grantor_testkit::without_grant(metadata, &grant);
            })
            .await;
        world.send(&party.good_form()).await.refused(
            "not allowed",
            "unauthorized_client",
            "grant",
            "not registered for this grant",
        );
        let forger = if usage == Use::ClientSecretJwt {
            Key::secret("a-guess")
        } else {
            keys::P256_OTHER.clone()
        };
        let forged = party.form(&party.jwt().sign(&forger));
        world
            .send(&forged)
            .await
            .refused("forged", usage.error(), "signature", "does not verify");
    }
}
