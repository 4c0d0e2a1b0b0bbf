//! Key files: one that is read signs what its public half verifies, and reads the same after it is
//! written again.

#![no_main]

use grantor::{
    credential::{Credential, KeyFile},
    jose::{Algorithm, PrivateJwk, Unverified, VerificationKey, sign},
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: &[u8]| {
    let Ok(file) = KeyFile::parse(input) else {
        return;
    };
    is_what_it_says(
        &file,
        &serde_json::from_slice(input).expect("a key file that was read is JSON"),
    );
    match &file.credential {
        Credential::PrivateKey(key) => check_key(key),
        Credential::Secret(secret) => assert_eq!(file.signing_key().is_ok(), secret.len() >= 32),
        _ => unreachable!("a kind of credential that is not tried here"),
    }
    // Only an RSA key has a place in the form of service accounts, and only such a one was read.
    let written = file.to_text().expect("a file that was read can be written");
    let again = KeyFile::parse(written.as_bytes())
        .unwrap_or_else(|(member, problem)| panic!("{member}: {problem}"));
    is_same(&file, &again);
    assert_eq!(again.to_text().as_deref(), Some(&*written));
});

/// Identity, audience and key are those that a lax reading finds.
fn is_what_it_says(file: &KeyFile, lax: &Value) {
    let is_own = lax["type"] == "grantor_client";
    let [client_id, audience, endpoint] = match is_own {
        true => ["client_id", "issuer", "token_endpoint"],
        false => ["client_email", "token_uri", "token_uri"],
    };
    assert_eq!(lax[client_id], file.client_id.as_str());
    assert_eq!(
        (&lax[audience], &lax[endpoint]),
        (
            &file.audience.as_str().into(),
            &file.token_endpoint.as_str().into()
        )
    );
    match &file.credential {
        Credential::Secret(secret) => assert_eq!(lax["client_secret"], secret.as_str()),
        Credential::PrivateKey(key) => {
            let key_id = if is_own {
                &lax["private_key"]["kid"]
            } else {
                &lax["private_key_id"]
            };
            assert!(key_id.is_null() || key_id == key.key_id(), "{key_id}");
            for name in [&lax["alg"], &lax["private_key"]["alg"]]
                .into_iter()
                .filter_map(Value::as_str)
                .filter(|_| is_own)
            {
                assert!(
                    Algorithm::from_name(name)
                        .is_some_and(|algorithm| algorithm.is_same_as(key.algorithm())),
                    "{name}"
                );
            }
        }
        _ => unreachable!("a kind of credential that is not tried here"),
    }
}

fn check_key(key: &PrivateJwk) {
    let signing = key.signing_key().expect("a key that was read signs");
    assert_eq!(
        (signing.key_id(), signing.algorithm()),
        (Some(key.key_id()), key.algorithm())
    );
    let token = sign(&signing, Some("JWT"), b"{}").expect("a token");
    let public = key.public().to_object();
    assert!(
        !["d", "p", "q", "dp", "dq", "qi", "k"]
            .iter()
            .any(|name| public.contains_key(*name)),
        "the private half is out"
    );
    // A key may be marked for other uses than verifying; such a one cannot be registered. A `kid` of
    // thousands of octets makes a header that nobody reads.
    if key.key_id().len() > 1024 {
        return;
    }
    if let Ok(public) = VerificationKey::from_jwk(key.public()) {
        assert!(
            Unverified::parse(&token)
                .and_then(|parsed| parsed.verify(&public))
                .is_ok(),
            "{token}"
        );
    }
}

fn is_same(a: &KeyFile, b: &KeyFile) {
    assert_eq!(
        (a.form, &a.client_id, &a.audience, &a.issuer),
        (b.form, &b.client_id, &b.audience, &b.issuer)
    );
    assert_eq!(
        (&a.token_endpoint, &a.auth_method),
        (&b.token_endpoint, &b.auth_method)
    );
    match (&a.credential, &b.credential) {
        (Credential::PrivateKey(a), Credential::PrivateKey(b)) => {
            assert_eq!(a.expose_json(), b.expose_json())
        }
        (Credential::Secret(a), Credential::Secret(b)) => assert_eq!(a.as_str(), b.as_str()),
        _ => panic!("another kind of credential"),
    }
}
