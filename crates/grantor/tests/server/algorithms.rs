//! Which algorithm verifies which key: chosen by what is registered, the token may only agree (law
//! 2, RFC 8725 §3.1).

use grantor::{
    jose::{Algorithm, VerificationKey, base64url_decode, base64url_encode},
    keys::MAX_CANDIDATES,
    registry::ClientMetadata,
    server::Settings,
    types::AuthMethod,
};
use grantor_testkit::{
    Jwt, Key, NOW, Party, Reason::Same, Use, World, keys, metadata, quote, readable,
};
use serde_json::{Value, json};
use std::sync::Arc;

use Algorithm::*;

/// A key that can sign with this algorithm.
fn key_for(algorithm: Algorithm) -> Arc<Key> {
    match algorithm {
        Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512 => keys::RSA.with(algorithm),
        Es256 => keys::P256.clone(),
        Es384 => keys::P384.clone(),
        Es512 => keys::P521.clone(),
        Ed25519 | EdDsa => keys::ED25519.with(algorithm),
        Hs256 | Hs384 | Hs512 => keys::SECRET.with(algorithm),
        other => unreachable!("{other} has no key here"),
    }
}

fn accepting(algorithms: &[Algorithm]) -> Settings {
    let (secret, public) = algorithms.iter().partition(|algorithm| algorithm.is_mac());
    Settings {
        assertion_algorithms: public,
        secret_algorithms: secret,
        ..Settings::default()
    }
}

/// A client of this use with these public keys; it signs with `key`.
async fn party_with_keys(
    world: &World,
    usage: Use,
    key: &Arc<Key>,
    registered: Vec<Arc<VerificationKey>>,
) -> Party {
    let id = format!("client-with-keys-{}", grantor_testkit::new_token_id());
    let registered = registered.into_iter().map(Into::into).collect();
    world
        .register(metadata(&id, usage.method()), registered, vec![])
        .await;
    Party {
        id,
        usage,
        key: key.clone(),
    }
}

#[tokio::test]
async fn accepts_each_default_algorithm_in_both_uses() {
    for algorithm in [Rs256, Ps256, Es256, Es384, Ed25519, EdDsa] {
        for usage in Use::PUBLIC_KEY {
            let world = World::new();
            let party = world.party_with(usage, key_for(algorithm), |_| ()).await;
            world.accepts(&party, algorithm.name(), |jwt| jwt).await;
        }
    }
    for algorithm in [Hs256, Hs384, Hs512] {
        let world = World::new();
        let party = world
            .party_with(Use::ClientSecretJwt, key_for(algorithm), |_| ())
            .await;
        world.accepts(&party, algorithm.name(), |jwt| jwt).await;
    }
}

#[tokio::test]
async fn other_algorithms_are_refused_until_settings_enable_them() {
    for algorithm in [Rs384, Rs512, Ps384, Ps512, Es512] {
        for usage in Use::PUBLIC_KEY {
            let world = World::new();
            let party = world.party_with(usage, key_for(algorithm), |_| ()).await;
            let cause = format!(
                "algorithm: expected RS256 PS256 ES256 ES384 Ed25519 EdDSA, got {algorithm}"
            );
            world.send(&party.good_form()).await.refused(
                algorithm.name(),
                usage.error(),
                "alg",
                &cause,
            );
            let world = World::with(|builder| builder.settings(accepting(&[algorithm])));
            let party = world.party_with(usage, key_for(algorithm), |_| ()).await;
            world.accepts(&party, algorithm.name(), |jwt| jwt).await;
        }
    }
}

#[tokio::test]
async fn settings_switch_default_algorithms_off_even_for_clients_registered_with_them() {
    for (algorithm, usage) in [
        (Rs256, Use::Grant),
        (Rs256, Use::PrivateKeyJwt),
        (Hs256, Use::ClientSecretJwt),
    ] {
        let world = World::with(|builder| builder.settings(accepting(&[Ps256, Es256, Hs512])));
        let pinned = |metadata: &mut ClientMetadata| metadata.signing_algorithm = Some(algorithm);
        let party = world.party_with(usage, key_for(algorithm), pinned).await;
        world.send(&party.good_form()).await.refused(
            algorithm.name(),
            usage.error(),
            "alg",
            &format!("got {algorithm}"),
        );
        let other = if usage == Use::ClientSecretJwt {
            Hs512
        } else {
            Ps256
        };
        let party = world.party_with(usage, key_for(other), |_| ()).await;
        world.accepts(&party, other.name(), |jwt| jwt).await;
    }
}

#[tokio::test]
async fn rejects_alg_none_and_every_unknown_name() {
    let names = [
        "\"none\"",
        "\"None\"",
        "\"NONE\"",
        "\"nOnE\"",
        "\"RS1\"",
        "\"HS1\"",
        "\"ES256K\"",
        "\"es256\"",
        "\"ES256 \"",
        "\"ES256,HS256\"",
        "\"\"",
    ];
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        for name in names {
            let change = |jwt: Jwt| jwt.header("alg", name);
            world
                .refuses(
                    &party,
                    name,
                    change,
                    Same("jws", "'alg' names no supported algorithm"),
                )
                .await;
        }
        for value in ["null", "256", "[\"ES256\"]", "{}"] {
            let change = |jwt: Jwt| jwt.header("alg", value);
            world
                .refuses(
                    &party,
                    value,
                    change,
                    Same("jws", "'alg' has the wrong type"),
                )
                .await;
        }
        world
            .refuses(
                &party,
                "absent",
                |jwt| jwt.without_header("alg"),
                Same("jws", "'alg' is missing"),
            )
            .await;
        let unsigned = |jwt: Jwt| jwt.header("alg", quote("none")).sign(&party.key);
        let (input, _) = unsigned(party.jwt())
            .rsplit_once('.')
            .map(|(input, rest)| (input.to_owned(), rest.len()))
            .expect("dots");
        world.send(&party.form(&format!("{input}."))).await.refused(
            "none",
            usage.error(),
            "jws",
            "signature is empty",
        );
    }
}

#[tokio::test]
async fn rejects_hmac_with_anything_public_as_its_key() {
    for usage in Use::PUBLIC_KEY {
        for pair in [keys::RSA.clone(), keys::P256.clone()] {
            let world = World::new();
            let party = world.party_with(usage, pair.clone(), |_| ()).await;
            let public = pair.public();
            let jwk = public.jwk().expect("a public key");
            let members = jwk.to_object();
            let member = |name: &str| {
                members
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let candidates = [
                Value::Object(members.clone()).to_string(),
                member("n"),
                member("x"),
                party.id.clone(),
                "null".to_owned(),
                String::new(),
            ];
            for secret in candidates {
                let forger = Key::secret(&secret);
                let jwt = party.jwt().header("alg", quote("HS256"));
                let answer = world.send(&party.form(&jwt.sign(&forger))).await;
                answer.refused(
                    &secret,
                    usage.error(),
                    "key",
                    "the issuer has no key for algorithm HS256",
                );
            }
            world.accepts(&party, "its own signature", |jwt| jwt).await;
        }
    }
}

#[tokio::test]
async fn rejects_weak_secrets_of_client_secret_jwt() {
    let (world, party) = World::with_party(Use::ClientSecretJwt).await;
    for guess in [
        "",
        "null",
        "undefined",
        &party.id,
        "a-client-secret-of-at-least-64-octets",
    ] {
        let answer = world
            .send(&party.form(&party.jwt().sign(&Key::secret(guess))))
            .await;
        answer.refused(
            guess,
            "invalid_client",
            "signature",
            "signature does not verify",
        );
    }
    world.accepts(&party, "the secret", |jwt| jwt).await;
}

#[tokio::test]
async fn a_secret_must_be_as_long_as_its_hash() {
    let world = World::new();
    for (length, algorithm, is_long_enough) in [
        (32, Hs256, true),
        (47, Hs384, false),
        (48, Hs384, true),
        (63, Hs512, false),
    ] {
        let key = Key::secret("s".repeat(length)).with(algorithm);
        let party = world.party_with(Use::ClientSecretJwt, key, |_| ()).await;
        let answer = world.send(&party.good_form()).await;
        match is_long_enough {
            true => drop(answer.granted(algorithm.name())),
            false => answer.refused(
                algorithm.name(),
                "invalid_client",
                "key",
                "no key for algorithm",
            ),
        }
    }
}

#[tokio::test]
async fn rejects_public_key_signatures_of_a_secret_client_and_the_reverse() {
    let world = World::new();
    let secret = readable(keys::SECRET.text(), None);
    let id = "client-with-both-keys";
    world
        .register(
            metadata(id, AuthMethod::CLIENT_SECRET_JWT),
            vec![keys::P256.public().into()],
            vec![secret],
        )
        .await;
    let by = |usage, key: &Arc<Key>| Party {
        id: id.to_owned(),
        usage,
        key: key.clone(),
    };
    let rows = [
        (Use::ClientSecretJwt, &keys::SECRET, None),
        (
            Use::ClientSecretJwt,
            &keys::P256,
            Some("no key for algorithm ES256"),
        ),
        (Use::Grant, &keys::P256, None),
        (
            Use::Grant,
            &keys::SECRET,
            Some("no key for algorithm HS256"),
        ),
    ];
    for (usage, key, refused) in rows {
        let answer = world.send(&by(usage, key).good_form()).await;
        match refused {
            None => drop(answer.granted("the registered kind of key")),
            Some(cause) => answer.refused("the other kind of key", usage.error(), "key", cause),
        }
    }
}

#[tokio::test]
async fn a_registered_signing_algorithm_is_the_only_one() {
    for usage in Use::PUBLIC_KEY {
        let world = World::new();
        let pinned = |metadata: &mut ClientMetadata| metadata.signing_algorithm = Some(Ps256);
        let party = world.party_with(usage, keys::RSA.with(Ps256), pinned).await;
        world.accepts(&party, "PS256", |jwt| jwt).await;
        let swapped = Party {
            key: keys::RSA.with(Rs256),
            ..party
        };
        world.send(&swapped.good_form()).await.refused(
            "RS256",
            usage.error(),
            "alg",
            "algorithm: expected PS256, got RS256",
        );
    }
    let world = World::new();
    let pinned = |metadata: &mut ClientMetadata| metadata.signing_algorithm = Some(Hs512);
    let party = world
        .party_with(Use::ClientSecretJwt, keys::SECRET.with(Hs512), pinned)
        .await;
    world.accepts(&party, "HS512", |jwt| jwt).await;
    let swapped = Party {
        key: keys::SECRET.with(Hs256),
        ..party
    };
    world.send(&swapped.good_form()).await.refused(
        "HS256",
        "invalid_client",
        "alg",
        "algorithm: expected HS512, got HS256",
    );
}

#[tokio::test]
async fn a_pinned_hmac_does_not_bind_the_grants_of_the_same_client() {
    let world = World::new();
    let mut pinned = metadata("pinned-client", AuthMethod::CLIENT_SECRET_JWT);
    pinned.signing_algorithm = Some(Hs256);
    world
        .register(
            pinned,
            vec![keys::P256.public().into()],
            vec![readable(keys::SECRET.text(), None)],
        )
        .await;
    let party = Party {
        id: "pinned-client".to_owned(),
        usage: Use::Grant,
        key: keys::P256.clone(),
    };
    world.accepts(&party, "ES256", |jwt| jwt).await;
}

#[tokio::test]
async fn a_key_with_alg_verifies_nothing_else() {
    for usage in Use::PUBLIC_KEY {
        for (bound, other) in [(Rs256, Ps256), (Ps256, Rs256)] {
            let world = World::new();
            let registered = keys::RSA.public_with(&[("alg", json!(bound.name()))]);
            let party =
                party_with_keys(&world, usage, &keys::RSA.with(bound), vec![registered]).await;
            world.accepts(&party, bound.name(), |jwt| jwt).await;
            let swapped = Party {
                key: keys::RSA.with(other),
                ..party
            };
            let cause = format!("no key for algorithm {other}");
            world.send(&swapped.good_form()).await.refused(
                other.name(),
                usage.error(),
                "key",
                &cause,
            );
        }
    }
}

#[tokio::test]
async fn a_curve_belongs_to_one_algorithm() {
    for usage in Use::PUBLIC_KEY {
        let world = World::new();
        let party = world.party_with(usage, keys::P384.clone(), |_| ()).await;
        for name in ["ES256", "RS256", "EdDSA"] {
            let change = |jwt: Jwt| jwt.header("alg", quote(name));
            world
                .refuses(
                    &party,
                    name,
                    change,
                    Same("key", &format!("no key for algorithm {name}")),
                )
                .await;
        }
    }
}

#[tokio::test]
async fn kid_selects_the_key_to_the_letter() {
    for usage in Use::PUBLIC_KEY {
        let world = World::new();
        let [mine, other] = [&keys::P256, &keys::P256_OTHER].map(|key| key.public());
        let party = party_with_keys(&world, usage, &keys::P256, vec![other, mine]).await;
        let key_id = party.key.key_id().expect("a kid").to_owned();
        let unknown = [
            key_id.to_uppercase(),
            format!("{key_id} "),
            "../../../../dev/null".into(),
            "' OR 1=1--".into(),
            String::new(),
        ];
        for kid in unknown {
            let change = |jwt: Jwt| jwt.header("kid", quote(&kid));
            world
                .refuses(
                    &party,
                    &kid,
                    change,
                    Same("key", "the issuer has no key with this kid"),
                )
                .await;
        }
        let of_other =
            |jwt: Jwt| jwt.header("kid", quote(keys::P256_OTHER.key_id().expect("a kid")));
        world
            .refuses(
                &party,
                "the other key's kid",
                of_other,
                Same("signature", "signature does not verify"),
            )
            .await;
        world
            .accepts(&party, "no kid", |jwt| jwt.without_header("kid"))
            .await;
    }
}

#[tokio::test]
async fn kid_is_ignored_for_client_secrets() {
    let (world, party) = World::with_party(Use::ClientSecretJwt).await;
    world
        .accepts(&party, "an invented kid", |jwt| {
            jwt.header("kid", quote("an-invented-kid"))
        })
        .await;
}

#[tokio::test]
async fn keys_of_the_same_kid_are_told_apart_by_type() {
    for usage in Use::PUBLIC_KEY {
        let world = World::new();
        let same = |key: &Key| key.public_with(&[("kid", json!("shared")), ("alg", Value::Null)]);
        let registered = vec![
            same(&keys::RSA),
            same(&keys::P256_OTHER),
            same(&keys::P256),
            same(&keys::ED25519),
        ];
        let party = party_with_keys(&world, usage, &keys::P256, registered).await;
        world
            .accepts(&party, "shared kid", |jwt| {
                jwt.header("kid", quote("shared"))
            })
            .await;
    }
}

#[tokio::test]
async fn without_kid_at_most_four_keys_of_the_algorithm_are_tried() {
    let others: Vec<_> = (0..MAX_CANDIDATES)
        .map(|_| Key::generate(Es256).public())
        .collect();
    for usage in Use::PUBLIC_KEY {
        for (before, good) in [(MAX_CANDIDATES - 1, true), (MAX_CANDIDATES, false)] {
            let world = World::new();
            let mut registered = vec![keys::RSA.public(), keys::P384.public()];
            registered.extend(others[..before].iter().cloned());
            registered.push(keys::P256.public());
            let party = party_with_keys(&world, usage, &keys::P256, registered).await;
            let answer = world
                .send(&party.form(&party.jwt().without_header("kid").sign(&party.key)))
                .await;
            match good {
                true => drop(answer.granted("the fourth key")),
                false => answer.refused(
                    "the fifth key",
                    usage.error(),
                    "signature",
                    "signature does not verify",
                ),
            }
            world.accepts(&party, "with kid", |jwt| jwt).await;
        }
    }
}

#[tokio::test]
async fn rejects_signatures_over_anything_else() {
    for usage in Use::ALL {
        let (world, party) = World::with_party(usage).await;
        let good = party.jwt().sign(&party.key);
        let [header, payload, signature] =
            <[&str; 3]>::try_from(good.split('.').collect::<Vec<_>>()).expect("three");
        let spaced =
            base64url_encode([&base64url_decode(payload).expect("octets")[..], b" "].concat());
        let mut flipped = base64url_decode(signature).expect("octets");
        flipped[9] ^= 1;
        let other = party
            .jwt()
            .claim("exp", (NOW + 61).to_string())
            .sign(&party.key);
        let other_payload = other.split('.').nth(1).expect("three segments");
        let rows = [
            format!("{header}.{spaced}.{signature}"),
            format!("{header}.{other_payload}.{signature}"),
            format!("{header}.{payload}.{}", base64url_encode(flipped)),
            format!("{header}.{payload}.{}", base64url_encode([0; 64])),
            format!("{header}.{payload}.{}", base64url_encode([1; 63])),
            format!("{header}.{payload}.{}", base64url_encode([1; 72])),
        ];
        for token in rows {
            let answer = world.send(&party.form(&token)).await;
            answer.refused(
                &token,
                usage.error(),
                "signature",
                "signature does not verify",
            );
        }
        world.send(&party.form(&good)).await.granted("the good one");
    }
}
