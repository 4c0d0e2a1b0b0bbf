//! Tokens: one spelling each, nothing accepted that nobody signed, and claims that lose nothing.
//!
//! An input is tried as a token. If it has a line feed, it is also tried as the header and the
//! payload of one, with a good HMAC.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use grantor::jose::{
    Algorithm, AudienceClaim, Claims, JwkSet, MAX_HEADER_BYTES, MAX_TOKEN_BYTES, Unverified,
    VerificationKey, base64url_decode, base64url_encode,
    json::{Object, Value},
};
use libfuzzer_sys::fuzz_target;

/// One secret for all three HMACs.
const SECRET: [u8; 64] = [0x5a; 64];

/// All that was ever signed with the keys of [`KEYS`], whose private halves are gone.
const SIGNED: [&str; 11] = [
    include_str!("../corpus/jws/RS256"),
    include_str!("../corpus/jws/RS384"),
    include_str!("../corpus/jws/RS512"),
    include_str!("../corpus/jws/PS256"),
    include_str!("../corpus/jws/PS384"),
    include_str!("../corpus/jws/PS512"),
    include_str!("../corpus/jws/ES256"),
    include_str!("../corpus/jws/ES384"),
    include_str!("../corpus/jws/ES512"),
    include_str!("../corpus/jws/Ed25519"),
    include_str!("../corpus/jws/EdDSA"),
];

/// A public key of each kind, and the secret.
static KEYS: LazyLock<Vec<VerificationKey>> = LazyLock::new(|| {
    let set = JwkSet::parse(include_bytes!("../corpus/jwk_set/every_kind")).expect("a key set");
    let secret = VerificationKey::from_secret(&SECRET, None).expect("64 octets");
    let keys: Vec<VerificationKey> = set.keys.into_iter().chain([secret]).collect();
    for token in SIGNED {
        assert!(
            Unverified::parse(token)
                .expect(token)
                .verified_by(&keys)
                .is_ok(),
            "{token}"
        );
    }
    keys
});

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    read(text);
    if let Some((header, payload)) = text.split_once('\n') {
        read(&with_mac(header, payload));
    }
});

fn read(token: &str) {
    let Ok(parsed) = Unverified::parse(token) else {
        return;
    };
    let segments: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = segments[..] else {
        panic!("{} segments", segments.len())
    };
    assert!(
        token.len() <= MAX_TOKEN_BYTES && header.len() <= MAX_HEADER_BYTES && !signature.is_empty()
    );
    let [header, payload, signature] = [header, payload, signature].map(octets);
    assert_eq!(parsed.dangerously_unverified_payload(), payload);
    let algorithm = parsed.header().algorithm();
    check_header(
        &parsed,
        &serde_json::from_slice(&header).expect("an accepted header is JSON"),
    );
    check_claims(&payload);

    let verified = parsed.verified_by(&*KEYS);
    let (signing_input, _) = token.rsplit_once('.').expect("dots");
    match mac(algorithm, signing_input) {
        Some(expected) => assert_eq!(verified.is_ok(), signature == expected, "{token}"),
        None => {
            let is_known = SIGNED.iter().any(|signed| {
                signed
                    .rsplit_once('.')
                    .is_some_and(|(input, _)| input == signing_input)
            });
            assert!(verified.is_err() || is_known, "nobody signed it: {token}");
        }
    }
    if let Ok(key) = verified {
        assert!(key.accepts(algorithm));
        let verified = Unverified::parse(token)
            .and_then(|parsed| parsed.verify(key))
            .expect("it has just verified");
        assert_eq!(
            (verified.header().algorithm(), verified.payload()),
            (algorithm, &payload[..])
        );
    }
}

/// The octets of a segment, in the only spelling they may have.
fn octets(segment: &str) -> Vec<u8> {
    let octets = base64url_decode(segment).expect("an accepted segment is base64url");
    assert_eq!(base64url_encode(&octets), segment, "a second spelling");
    octets
}

/// A lax reading of the header finds the same, and nothing that changes processing.
fn check_header(parsed: &Unverified<'_>, lax: &Object) {
    let header = parsed.header();
    for (name, value) in [
        ("alg", Some(header.algorithm().name())),
        ("kid", header.key_id()),
        ("typ", header.typ()),
    ] {
        assert_eq!(value.map(Value::from).as_ref(), lax.get(name), "{name}");
    }
    for name in ["crit", "b64", "zip", "enc"] {
        assert!(!lax.contains_key(name), "{name}");
    }
}

/// Every claim is kept, under its name and with its type.
fn check_claims(payload: &[u8]) {
    let Ok(claims) = Claims::parse(payload) else {
        return;
    };
    let lax: Object = serde_json::from_slice(payload).expect("accepted claims are JSON");
    for (name, value) in [
        ("iss", &claims.issuer),
        ("sub", &claims.subject),
        ("jti", &claims.token_id),
    ] {
        assert_eq!(
            value.as_deref().map(Value::from).as_ref(),
            lax.get(name),
            "{name}"
        );
    }
    let audience = claims.audience.as_ref().map(|audience| match audience {
        AudienceClaim::One(value) => Value::from(value.as_str()),
        AudienceClaim::Many(values) => values.iter().map(|value| value.as_str()).collect(),
    });
    assert_eq!(audience.as_ref(), lax.get("aud"));
    for (name, date) in [
        ("exp", claims.expires),
        ("nbf", claims.not_before),
        ("iat", claims.issued_at),
    ] {
        assert_eq!(
            date.map(|date| date.seconds()),
            lax.get(name).and_then(Value::as_f64),
            "{name}"
        );
        assert!(
            date.is_some_and(|date| date.seconds().is_finite()) == lax.contains_key(name),
            "{name}"
        );
    }
    let registered = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]
        .into_iter()
        .filter(|name| lax.contains_key(*name))
        .count();
    assert_eq!(claims.other.iter().len() + registered, lax.len());
    assert!(
        claims
            .other
            .iter()
            .all(|(name, value)| lax.get(name) == Some(value))
    );
}

/// The MAC that the library makes over `message`, if the algorithm is one.
fn mac(algorithm: Algorithm, message: &str) -> Option<Vec<u8>> {
    let hash = match algorithm {
        Algorithm::Hs256 => hmac::HMAC_SHA256,
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => return None,
    };
    Some(
        hmac::sign(&hmac::Key::new(hash, &SECRET), message.as_bytes())
            .as_ref()
            .to_vec(),
    )
}

/// A token of this header and payload; with HS256 where the header names no HMAC.
fn with_mac(header: &str, payload: &str) -> String {
    let signing_input = format!("{}.{}", base64url_encode(header), base64url_encode(payload));
    let lax: Value = serde_json::from_str(header).unwrap_or_default();
    let algorithm = lax["alg"]
        .as_str()
        .and_then(Algorithm::from_name)
        .filter(|algorithm| algorithm.is_mac());
    let tag = mac(algorithm.unwrap_or(Algorithm::Hs256), &signing_input).expect("an HMAC");
    format!("{signing_input}.{}", base64url_encode(tag))
}
