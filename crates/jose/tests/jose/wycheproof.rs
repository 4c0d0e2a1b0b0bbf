//! The Wycheproof files whose cases are compact JWS, judged through the public surface. Raw
//! signatures are in `src/wycheproof_tests.rs`.
//!
//! Where a published result and this crate's policy differ, the case is listed here by number with
//! the reason, and a control shows that the reason is the only one.

use std::collections::BTreeMap;

use grantor_jose::{
    Algorithm, HeaderError, Jwk, JwkError, JwkSet, JwkSetError, JwsError, RsaDefect, SigningKey,
    Unverified, VerificationKey, base64url_decode, sign,
};
use serde_json::Value;

/// The public or symmetric key of a test group as it would be registered, under the rules of this
/// crate. Some groups wrap it in a set of one.
fn key_of(group: &Value) -> Result<VerificationKey, JwkError> {
    let sole = |key: &Value| {
        key.get("keys")
            .map_or_else(|| key.clone(), |keys| keys[0].clone())
    };
    match group.get("public") {
        Some(public) => public_key(&sole(public)),
        None => secret_key(&sole(&group["private"])),
    }
}

fn public_key(jwk: &Value) -> Result<VerificationKey, JwkError> {
    let jwk = Jwk::parse(jwk.to_string().as_bytes())?;
    jwk.vet()?;
    VerificationKey::from_jwk(jwk)
}

/// A client secret: this crate takes it with the algorithm it is registered for, and never from a
/// key set.
fn secret_key(jwk: &Value) -> Result<VerificationKey, JwkError> {
    assert_eq!(jwk["kty"], "oct");
    let algorithm = jwk["alg"]
        .as_str()
        .and_then(Algorithm::from_name)
        .ok_or(JwkError::Unsupported("alg"))?;
    let secret = base64url_decode(jwk["k"].as_str().expect("k")).ok_or(JwkError::Malformed("k"))?;
    VerificationKey::from_secret(&secret, Some(algorithm))
}

/// A token as it would arrive in the form field: also where Wycheproof gives a JSON serialisation.
fn token_of(test: &Value) -> String {
    match &test["jws"] {
        Value::String(token) => token.clone(),
        json => json.to_string(),
    }
}

fn accepts(token: &str, key: &VerificationKey) -> bool {
    Unverified::parse(token)
        .and_then(|token| token.verify(key))
        .is_ok()
}

fn number(test: &Value) -> u64 {
    test["tcId"].as_u64().expect("a case has a number")
}

fn published_as_valid(test: &Value) -> bool {
    match test["result"].as_str() {
        Some("valid") => true,
        Some("invalid") => false,
        other => unreachable!("unknown result {other:?}"),
    }
}

#[test]
fn judges_json_web_signatures_as_wycheproof_does() {
    const KEY_NAMES_ANOTHER_ALGORITHM: &str =
        "the key says PS256, the token PS384 (RFC 7517 §4.4, RFC 8725 §3.1)";
    const NO_SUCH_ALGORITHM: &str =
        "the key says ES521, which no registry has; the token ES512 (RFC 7517 §4.4)";
    let stricter = BTreeMap::from([
        (346, KEY_NAMES_ANOTHER_ALGORITHM),
        (350, KEY_NAMES_ANOTHER_ALGORITHM),
        (347, NO_SUCH_ALGORITHM),
        (351, NO_SUCH_ALGORITHM),
    ]);
    let Some(groups) = crate::vectors::wycheproof("json_web_signature") else {
        return;
    };
    let overrides = overrides();
    let (mut accepted, mut refused, mut overridden) = (0, 0, 0);
    for (group, tests) in groups {
        let key = key_of(&group);
        for test in tests {
            let (number, token) = (number(&test), token_of(&test));
            let published = published_as_valid(&test);
            let corrected = overrides.get(&number).copied().unwrap_or(published);
            overridden += usize::from(corrected != published);
            let actual = key.as_ref().is_ok_and(|key| accepts(&token, key));
            if let Some(reason) = stricter.get(&number) {
                assert!(corrected && !actual, "{number}: {reason}");
                let mut without_alg = group["public"].clone();
                without_alg.as_object_mut().expect("a JWK").remove("alg");
                assert!(
                    accepts(&token, &public_key(&without_alg).expect("a sound key")),
                    "the control of {number}: {reason}"
                );
            } else {
                assert_eq!(
                    actual, corrected,
                    "{number}: {} {}",
                    group["comment"], test["comment"]
                );
            }
            *if actual { &mut accepted } else { &mut refused } += 1;
        }
    }
    assert_eq!((accepted, refused, overridden), (42, 359, 4));
}

/// Corrections to published results, kept beside the vectors with their reasons: `tcId` to whether
/// the case is valid.
fn overrides() -> BTreeMap<u64, bool> {
    let file = crate::vectors::json("wycheproof-overrides.json")
        .expect("the vectors are there, so the overrides are");
    let rows = file["overrides"].as_array().expect("an array of overrides");
    rows.iter()
        .map(|row| (number(row), row["use"] == "valid"))
        .collect()
}

#[test]
fn judges_json_web_keys_as_wycheproof_does() {
    let Some(groups) = crate::vectors::wycheproof("json_web_key") else {
        return;
    };
    let (mut accepted, mut refused, mut sets) = (0, 0, 0);
    for (group, tests) in groups {
        if is_set_of_several(&group) {
            sets += refuses_symmetric_set(&group, &tests);
            continue;
        }
        let key = key_of(&group);
        if let Some(public) = group.get("public") {
            let set = JwkSet::parse(public.to_string().as_bytes())
                .expect("a public key does not spoil its set");
            assert_eq!(
                (set.keys.len(), set.skipped.len()),
                (usize::from(key.is_ok()), usize::from(key.is_err())),
                "{public}"
            );
        }
        for test in tests {
            let actual = key.as_ref().is_ok_and(|key| accepts(&token_of(&test), key));
            assert_eq!(
                actual,
                published_as_valid(&test),
                "{}: {}",
                number(&test),
                test["comment"]
            );
            if test["comment"] == "rejectsKeyWithRocaVulnerability" {
                assert_eq!(
                    key.as_ref().err(),
                    Some(&JwkError::RsaModulus(RsaDefect::Roca))
                );
            }
            *if actual { &mut accepted } else { &mut refused } += 1;
        }
    }
    // Cases 1 to 4 are sets with symmetric keys. Case 2 is published as valid; here no set may hold
    // a secret.
    assert_eq!((accepted, refused, sets), (4, 18, 4));
}

fn is_set_of_several(group: &Value) -> bool {
    group["private"]["keys"]
        .as_array()
        .is_some_and(|keys| keys.len() > 1)
}

/// A set with a shared secret in it is refused whole, whatever its tokens are. The control: each
/// token that was published as valid verifies with that secret where it belongs, in the client's
/// registration.
fn refuses_symmetric_set(group: &Value, tests: &[Value]) -> usize {
    let set = JwkSet::parse(group["private"].to_string().as_bytes());
    assert!(matches!(
        set.err(),
        Some(JwkSetError::Private {
            index: 0,
            error: JwkError::Private("k")
        })
    ));
    let secrets = group["private"]["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .filter(|key| key["kty"] == "oct");
    // One of the published secrets is no canonical base64url, which is refused too; no token is
    // made with it.
    let secrets: Vec<VerificationKey> = secrets.filter_map(|key| secret_key(key).ok()).collect();
    for test in tests.iter().filter(|test| published_as_valid(test)) {
        assert!(
            secrets.iter().any(|key| accepts(&token_of(test), key)),
            "{}",
            number(test)
        );
    }
    tests.len()
}

#[test]
fn judges_the_older_json_web_crypto_file_and_refuses_each_jwe() {
    let Some(groups) = crate::vectors::wycheproof("json_web_crypto") else {
        return;
    };
    let (mut accepted, mut refused, mut sets, mut encrypted) = (0, 0, 0, 0);
    for (group, tests) in groups {
        let comment = group["comment"].as_str().expect("a comment");
        if is_set_of_several(&group) {
            sets += refuses_symmetric_set(&group, &tests);
        } else if comment.starts_with("jwe_") {
            for test in tests {
                let token = test["jwe"]
                    .as_str()
                    .map_or_else(|| test["jwe"].to_string(), str::to_owned);
                let error = Unverified::parse(&token).expect_err("a JWE is no JWS");
                assert!(
                    token.matches('.').count() != 4 || error == JwsError::Encrypted,
                    "{}",
                    number(&test)
                );
                encrypted += 1;
            }
        } else {
            let key = key_of(&group);
            let roca =
                (comment == "jws_rsa_roca_key").then_some(JwkError::RsaModulus(RsaDefect::Roca));
            assert_eq!(key.as_ref().err(), roca.as_ref(), "{comment}");
            for test in tests {
                let actual = key.as_ref().is_ok_and(|key| accepts(&token_of(&test), key));
                assert_eq!(
                    actual,
                    published_as_valid(&test),
                    "{}: {}",
                    number(&test),
                    test["comment"]
                );
                *if actual { &mut accepted } else { &mut refused } += 1;
            }
        }
    }
    assert_eq!((accepted, refused, sets, encrypted), (3, 43, 3, 34));
}

/// Without the published vectors: what the files above try most, on one token of our own.
#[test]
fn refuses_the_classic_variations_of_one_good_token() {
    let secret = *b"thirty-two octets of a secret ok";
    let key = VerificationKey::from_secret(&secret, Some(Algorithm::Hs256)).expect("32 octets");
    let good = sign(
        &SigningKey::from_secret(&secret, Algorithm::Hs256).expect("32 octets"),
        None,
        b"Test",
    )
    .expect("a token");
    assert!(accepts(&good, &key));
    let [header, payload, signature] = good.split('.').collect::<Vec<_>>()[..] else {
        unreachable!("three segments")
    };
    let rows = [
        (format!("{header}.{payload}."), JwsError::MissingSignature),
        (format!("{header}.{payload}"), JwsError::Segments),
        (format!("{payload}.{signature}"), JwsError::Segments),
        (format!("{header}..{signature}"), JwsError::Signature),
        (
            format!("{header}.{payload}.{signature}."),
            JwsError::Segments,
        ),
        (
            format!("{header}.{payload}.{signature}.."),
            JwsError::Encrypted,
        ),
        (
            format!("{header}.{payload}.{signature}..."),
            JwsError::Segments,
        ),
        (
            format!("eyJhbGciOiJub25lIn0.{payload}.{signature}"),
            JwsError::Header(HeaderError::UnknownAlgorithm),
        ),
        (
            format!("eyJhbGciOiJOT05FIn0.{payload}.{signature}"),
            JwsError::Header(HeaderError::UnknownAlgorithm),
        ),
        (
            format!("{header}?.{payload}.{signature}"),
            JwsError::Base64("header"),
        ),
        (
            format!("{header}.{payload}?.{signature}"),
            JwsError::Base64("payload"),
        ),
        (
            format!("{header}.{payload}.{signature}="),
            JwsError::Base64("signature"),
        ),
        (
            format!("{header}. {payload}.{signature}"),
            JwsError::Base64("payload"),
        ),
        // "Test" is VGVzdA; the last letter's four low bits are not used, and must be zero.
        (
            format!("{header}.VGVzdB.{signature}"),
            JwsError::Base64("payload"),
        ),
        (String::new(), JwsError::Segments),
        ("..".to_owned(), JwsError::MissingSignature),
        ("...".to_owned(), JwsError::Segments),
        ("....".to_owned(), JwsError::Encrypted),
    ];
    for (token, error) in rows {
        assert_eq!(
            Unverified::parse(&token)
                .and_then(|token| token.verify(&key))
                .err(),
            Some(error),
            "{token}"
        );
    }
}
