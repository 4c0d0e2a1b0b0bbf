//! A. Confusion between public keys and shared secrets.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    forge::{Jwt, Key},
    oracle::{Because, Use, world},
};

const SIGNATURE: Because = ("signature", "signature does not verify");
const NO_KEY: Because = ("key", "the issuer has no key for algorithm HS256");

/// The public key of the RSA clients in every form in which somebody may have pasted it into a
/// configuration.
fn public_forms() -> Vec<(&'static str, Vec<u8>)> {
    let key = &world().rsa.key;
    let der = key.spki();
    let base64 = STANDARD.encode(&der);
    let lines: Vec<_> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line))
        .collect();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        lines.join("\n")
    );
    vec![
        ("PEM", pem.clone().into_bytes()),
        ("PEM and a line break", format!("{pem}\n").into_bytes()),
        ("DER", der),
        ("base64", base64.into_bytes()),
        ("JWK", key.public_jwk(&[]).to_string().into_bytes()),
        ("modulus", key.octets("n")),
    ]
}

fn mac<'k>(jwt: Jwt<'k>, key: &'k Key) -> Jwt<'k> {
    jwt.openly_by(key)
}

#[test]
fn a06_a_public_key_is_no_secret() {
    let world = world();
    for (form, octets) in public_forms() {
        let key = Key::secret(octets);
        for party in [&world.rsa, &world.rsa_open] {
            world.refuses(
                &format!("A06 {form}, no kid"),
                party,
                |jwt| mac(jwt, &key).sign(),
                NO_KEY,
            );
            world.refuses(
                &format!("A06 {form}"),
                party,
                |jwt| jwt.header("alg", "\"HS256\"").by(&key).sign(),
                NO_KEY,
            );
        }
        world.refuses_as(
            Use::ClientAuth,
            &format!("A06 {form}"),
            &world.hmac,
            |jwt| mac(jwt, &key).sign(),
            SIGNATURE,
        );
    }
}

#[test]
fn a10_an_rsa_key_without_alg_takes_no_empty_secret() {
    let world = world();
    for (name, octets) in [("no octets", vec![]), ("zeros", vec![0; 32])] {
        let key = Key::secret(octets);
        world.refuses(
            &format!("A10 {name}"),
            &world.rsa_open,
            |jwt| mac(jwt, &key).sign(),
            NO_KEY,
        );
        world.refuses(
            &format!("A10 {name}"),
            &world.ec,
            |jwt| mac(jwt, &key).sign(),
            NO_KEY,
        );
    }
}

#[test]
fn a11_a_secret_is_not_guessed() {
    let world = world();
    for guess in [
        "",
        "hmac.example",
        "null",
        "undefined",
        "secret",
        "client_secret",
        "\0",
    ] {
        let key = Key::secret(guess);
        world.refuses_as(
            Use::ClientAuth,
            &format!("A11 {guess:?}"),
            &world.hmac,
            |jwt| mac(jwt, &key).sign(),
            SIGNATURE,
        );
    }
    let secret = &world.hmac.key;
    let short = Key::secret(&secret.text()[..63]);
    world.refuses_as(
        Use::ClientAuth,
        "A11 all but the last octet",
        &world.hmac,
        |jwt| jwt.by(&short).sign(),
        SIGNATURE,
    );
    let cut = |jwt: Jwt<'_>| jwt.with_signature(|tag| tag[..16].to_vec());
    world.refuses_as(
        Use::ClientAuth,
        "A11 half a tag",
        &world.hmac,
        cut,
        SIGNATURE,
    );
    let named = |jwt: Jwt<'_>| jwt.header("kid", "\"invented\"").sign();
    world.passes_as(
        Use::ClientAuth,
        "a secret has no kid: it is ignored",
        &world.hmac,
        named,
    );
}

/// A client has secrets or keys for its authentication, never both: `client create` and
/// `rotate-secret` see to it. So the other method's credential is of no use.
#[test]
fn a12_each_method_takes_its_own_kind_of_key() {
    let world = world();
    let rotated = world.server.run(&[
        "client",
        "rotate-secret",
        world.ec.id,
        "--out",
        "never.json",
    ]);
    assert_eq!(rotated.status.code(), Some(1), "{}", rotated.stderr);
    let secret = &world.hmac.key;
    world.refuses(
        "A12 another client's secret",
        &world.ec,
        |jwt| mac(jwt, secret).sign(),
        NO_KEY,
    );
    let by_key = |jwt: Jwt<'_>| jwt.sign();
    let token = by_key(world.jwt(&world.hmac_and_key, Use::ClientAuth));
    let answer = world.attack(
        "A12 a public key where a secret is registered",
        &Use::ClientAuth.form(&token),
        &[],
    );
    assert_eq!(answer.error(), "invalid_client");
    world.assert_cause(
        "A12",
        &answer,
        ("key", "the issuer has no key for algorithm ES256"),
    );
    world.passes_as(
        Use::Grant,
        "A12 control: the same key for a grant",
        &world.hmac_and_key,
        by_key,
    );
    let token = world.jwt(&world.hmac, Use::Grant).sign();
    let answer = world.attack("A12 a grant by secret", &Use::Grant.form(&token), &[]);
    assert_eq!(answer.error(), "invalid_grant");
    world.assert_cause("A12", &answer, NO_KEY);
}

#[test]
fn i08_an_expired_secret_signs_nothing() {
    let world = world();
    let token = world.jwt(&world.expired, Use::ClientAuth).sign();
    let answer = world.attack("I08", &Use::ClientAuth.form(&token), &[]);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (400, "invalid_client")
    );
    world.assert_cause("I08", &answer, ("key", "the client's secrets have expired"));
    world.passes_as(
        Use::ClientAuth,
        "I08 control: a live secret",
        &world.hmac,
        |jwt| jwt.sign(),
    );
}
