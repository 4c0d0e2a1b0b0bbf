//! Key sets: every key is used or skipped with a reason, none is private, and a key that is used
//! means what it said.

#![no_main]

use grantor::jose::{
    Algorithm, Jwk, JwkError, JwkSet, JwkSetError, KeyType, Unverified, VerificationKey,
    base64url_decode,
    json::{Object, Value},
};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

/// Members that a public key does not have.
const PRIVATE: [&str; 9] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/// One token of each kind of key, made by keys that are in `corpus/jwk_set/every_kind`.
const SIGNED: [&str; 5] = [
    include_str!("../corpus/jws/RS256"),
    include_str!("../corpus/jws/ES256"),
    include_str!("../corpus/jws/ES384"),
    include_str!("../corpus/jws/ES512"),
    include_str!("../corpus/jws/Ed25519"),
];

/// Keys of one set whose use is tried; each costs a signature or two.
const TRIED: usize = 4;

fuzz_target!(|input: &[u8]| {
    match JwkSet::parse(input) {
        Ok(set) => check(&set, &members(input).expect("an accepted set has keys")),
        Err(JwkSetError::Private {
            index,
            error: JwkError::Private(name),
        }) => {
            let members = members(input).expect("a set with a private key has keys");
            assert!(
                members[index].contains_key(name) && PRIVATE.contains(&name),
                "{index} {name}"
            );
        }
        Err(_) => (),
    }
});

/// The keys as a lax parser reads them.
fn members(input: &[u8]) -> Option<Vec<Object>> {
    let set: Value = serde_json::from_slice(input).ok()?;
    set.get("keys")?
        .as_array()?
        .iter()
        .map(|key| key.as_object().cloned())
        .collect()
}

fn check(set: &JwkSet, members: &[Object]) {
    assert!(members.len() <= JwkSet::MAX_KEYS);
    assert!(
        !members
            .iter()
            .any(|key| PRIVATE.iter().any(|name| key.contains_key(*name))),
        "a private key was overlooked"
    );
    assert!(
        set.skipped.is_sorted_by(|a, b| a.index < b.index),
        "{:?}",
        set.skipped
    );
    let is_used = |index: &usize| !set.skipped.iter().any(|skipped| skipped.index == *index);
    let used: Vec<usize> = (0..members.len()).filter(is_used).collect();
    assert_eq!(
        (used.len(), used.len() + set.skipped.len()),
        (set.keys.len(), members.len())
    );

    for (key, index) in set.keys.iter().zip(used) {
        let jwk = key.jwk().expect("a public key");
        check_key(key, jwk, &members[index]);
    }
    for key in set.keys.iter().take(TRIED) {
        verifies_its_own(key);
    }
    let written =
        json!({ "keys": set.keys.iter().filter_map(VerificationKey::jwk).collect::<Vec<_>>() })
            .to_string();
    let again = JwkSet::parse(written.as_bytes()).expect("what the server publishes");
    assert!(again.skipped.is_empty(), "{:?}", again.skipped);
    assert!(
        again
            .keys
            .iter()
            .map(VerificationKey::jwk)
            .eq(set.keys.iter().map(VerificationKey::jwk)),
        "{written}"
    );
}

/// The key is the one that the member says, and is for what the member says.
fn check_key(key: &VerificationKey, jwk: &Jwk, member: &Object) {
    let text = |name| member.get(name).and_then(Value::as_str);
    assert_eq!(
        (jwk.key_id().map(Value::from).as_ref(), key.key_id()),
        (member.get("kid"), jwk.key_id())
    );
    assert!(member.get("use").is_none_or(|named| named == "sig"));
    let operations = member.get("key_ops").and_then(Value::as_array);
    assert!(operations.is_none_or(|names| names.iter().any(|name| name == "verify")));

    let written = jwk.to_object();
    for name in ["kty", "crv", "n", "e", "x", "y"] {
        assert!(
            written
                .get(name)
                .is_none_or(|value| Some(value) == member.get(name)),
            "{name}"
        );
    }
    let bits = text("n")
        .filter(|_| jwk.key_type() == KeyType::Rsa)
        .and_then(base64url_decode)
        .map(|n| n.len() * 8);
    assert!(
        bits.is_none_or(|bits| (2048..=8192).contains(&bits)),
        "{bits:?}"
    );

    let named = text("alg")
        .map(|name| Algorithm::from_name(name).expect("a key of an unknown algorithm is skipped"));
    let accepted: Vec<Algorithm> = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| key.accepts(*algorithm))
        .collect();
    assert!(
        accepted
            .iter()
            .all(|algorithm| algorithm.key_type() == jwk.key_type()),
        "{accepted:?}"
    );
    match named {
        Some(named) => assert!(
            accepted.contains(&named)
                && accepted.iter().all(|algorithm| algorithm.is_same_as(named))
        ),
        None => assert!(!accepted.is_empty()),
    }
}

/// A known token verifies only with the key that signed it.
fn verifies_its_own(key: &VerificationKey) {
    let thumbprint = key.jwk().map(Jwk::thumbprint);
    for token in SIGNED {
        let parsed = Unverified::parse(token).expect("a token");
        let is_own = parsed.header().key_id() == thumbprint.as_deref()
            && key.accepts(parsed.header().algorithm());
        assert_eq!(parsed.verified_by([key]).is_ok(), is_own, "{token}");
    }
}
