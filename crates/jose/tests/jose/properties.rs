//! Laws of tokens, tried on random ones: no input panics, no bit of a token is free, there is one
//! spelling of each, and size is bounded before anything is read.

use std::sync::{Arc, LazyLock};

use grantor_jose::{
    Algorithm, Claims, Jwk, JwkSet, JwsError, MAX_HEADER_BYTES, MAX_TOKEN_BYTES, PrivateJwk,
    SigningKey, Unverified, VerificationKey, Verified, base64url_decode, base64url_encode, sign,
};
use proptest::{collection::vec, prelude::*, sample};
use serde_json::json;

const SECRET: [u8; 64] = [0x5a; 64];

/// A key pair for each algorithm, made once.
static KEYS: LazyLock<Vec<(SigningKey, Arc<VerificationKey>)>> = LazyLock::new(|| {
    let pair = |algorithm: Algorithm| {
        if algorithm.is_mac() {
            let signing = SigningKey::from_secret(&SECRET, algorithm).expect("64 octets");
            return (
                signing,
                Arc::new(
                    VerificationKey::from_secret(&SECRET, Some(algorithm)).expect("64 octets"),
                ),
            );
        }
        let key = PrivateJwk::generate(algorithm).expect("a key");
        (
            key.signing_key().expect("a signer"),
            Arc::new(VerificationKey::from_jwk(key.public()).expect("a public key")),
        )
    };
    Algorithm::ALL.map(pair).into()
});

fn verify(token: &str, key: &VerificationKey) -> Result<Verified, JwsError> {
    Unverified::parse(token)?.verify(key)
}

/// HS256 under [`SECRET`], the cheapest.
fn hmac_keys() -> &'static (SigningKey, Arc<VerificationKey>) {
    &KEYS[Algorithm::Hs256 as usize]
}

/// The token with one bit of the octets of one segment changed.
fn with_bit_flipped(token: &str, segment: usize, bit: usize) -> String {
    let mut segments: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut octets = base64url_decode(&segments[segment]).expect("base64url");
    octets[bit / 8] ^= 1 << (bit % 8);
    segments[segment] = base64url_encode(octets);
    segments.join(".")
}

/// Exhaustive: every bit of header, payload and signature, for every algorithm.
#[test]
fn refuses_a_token_with_any_bit_changed() {
    for (signing, verification) in KEYS.iter() {
        let token = sign(signing, Some("JWT"), br#"{"iss":"a","exp":1}"#).expect("a token");
        assert!(
            verify(&token, verification).is_ok(),
            "the control: {}",
            signing.algorithm()
        );
        let mut flipped = 0;
        for (segment, text) in token.split('.').enumerate() {
            for bit in 0..base64url_decode(text).expect("base64url").len() * 8 {
                let altered = with_bit_flipped(&token, segment, bit);
                assert!(
                    verify(&altered, verification).is_err(),
                    "{} {segment} {bit}",
                    signing.algorithm()
                );
                flipped += 1;
            }
        }
        assert!(flipped > 8 * (20 + 19 + 32), "{flipped}");
    }
}

/// Exhaustive: every letter of one token replaced by every other octet of ASCII.
#[test]
fn refuses_a_token_with_any_letter_replaced() {
    let (signing, verification) = hmac_keys();
    let token = sign(signing, None, b"{}").expect("a token");
    for at in 0..token.len() {
        for letter in (0..=127_u8)
            .map(char::from)
            .filter(|letter| !token[at..].starts_with(*letter))
        {
            let altered = format!("{}{letter}{}", &token[..at], &token[at + 1..]);
            assert!(verify(&altered, verification).is_err(), "{altered:?}");
        }
    }
}

#[test]
fn refuses_every_second_spelling_of_a_segment() {
    let (signing, verification) = hmac_keys();
    // Lengths 1, 2 and 3 modulo 3, so that each kind of unused bits occurs in the payload; the
    // signature has 32 octets.
    for payload in ["a", "ab", "abc"] {
        let token = sign(signing, None, payload.as_bytes()).expect("a token");
        assert!(verify(&token, verification).is_ok(), "the control");
        let segments: Vec<&str> = token.split('.').collect();
        for (at, segment) in segments.iter().enumerate() {
            let mut spellings: Vec<String> = ["=", "==", "\n", " ", "\0", "A", "."]
                .iter()
                .map(|tail| format!("{segment}{tail}"))
                .collect();
            spellings.extend(
                [" ", "\t", "=", "\u{feff}"]
                    .iter()
                    .map(|head| format!("{head}{segment}")),
            );
            spellings.push(format!("{}\r\n{}", &segment[..1], &segment[1..]));
            spellings.extend(same_octets_otherwise(segment));
            for spelling in spellings {
                let mut altered = segments.clone();
                altered[at] = &spelling;
                let altered = altered.join(".");
                assert!(verify(&altered, verification).is_err(), "{altered:?}");
            }
        }
    }
}

/// The spellings of the same octets with other values of the bits that no octet uses (RFC 4648
/// §3.5).
fn same_octets_otherwise(segment: &str) -> Vec<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unused = [0, 0, 16, 4][segment.len() % 4];
    let (rest, last) = segment.split_at(segment.len() - 1);
    let value = ALPHABET.find(last).expect("a letter of the alphabet");
    (1..unused)
        .map(|bits| format!("{rest}{}", &ALPHABET[value + bits..=value + bits]))
        .collect()
}

#[test]
fn size_is_bounded_at_the_limit_and_before_anything_else() {
    let (signing, verification) = hmac_keys();
    let overhead = sign(signing, None, b"").expect("a token").len();
    let payload = |length: usize| vec![b'a'; (length - overhead) * 3 / 4];
    let token = sign(signing, None, &payload(MAX_TOKEN_BYTES)).expect("a token");
    assert!(
        MAX_TOKEN_BYTES - token.len() < 4,
        "as near to the limit as base64 allows: {}",
        token.len()
    );
    assert!(verify(&token, verification).is_ok());
    let token = sign(signing, None, &payload(MAX_TOKEN_BYTES + 4)).expect("a token");
    assert_eq!(verify(&token, verification).err(), Some(JwsError::TooLarge));
    for garbage in ["a", ".", "=", "{", "\u{1f600}"] {
        let long = garbage.repeat(MAX_TOKEN_BYTES / garbage.len() + 1);
        assert_eq!(
            Unverified::parse(&long).err(),
            Some(JwsError::TooLarge),
            "{garbage}"
        );
        assert_ne!(
            Unverified::parse(&garbage.repeat(MAX_TOKEN_BYTES / garbage.len())).err(),
            Some(JwsError::TooLarge),
            "{garbage}"
        );
    }
}

#[test]
fn the_header_is_bounded_at_its_own_limit() {
    let token = |kid_length: usize| {
        let header = json!({"alg": "HS256", "kid": "a".repeat(kid_length)}).to_string();
        format!("{}.e30.AAAA", base64url_encode(header))
    };
    let overhead = json!({"alg": "HS256", "kid": ""}).to_string().len();
    let fits = MAX_HEADER_BYTES * 3 / 4 - overhead;
    assert_eq!(token(fits).find('.'), Some(MAX_HEADER_BYTES));
    assert!(Unverified::parse(&token(fits)).is_ok());
    assert_eq!(
        Unverified::parse(&token(fits + 1)).err(),
        Some(JwsError::TooLarge)
    );
}

fn object_text() -> impl Strategy<Value = String> {
    let member = sample::select(vec![
        "alg", "kid", "typ", "crit", "b64", "zip", "enc", "cty", "kty", "crv", "x", "y", "n", "e",
        "d", "k", "use", "key_ops", "keys", "iss", "sub", "aud", "exp", "nbf", "iat", "jti",
    ]);
    let value = prop_oneof![
        sample::select(vec![
            "\"ES256\"",
            "\"RSA\"",
            "\"EC\"",
            "\"OKP\"",
            "\"oct\"",
            "\"P-256\"",
            "\"Ed25519\"",
            "\"none\"",
            "\"AQAB\"",
            "\"JWT\"",
            "\"\"",
            "null",
            "true",
            "1",
            "-0",
            "1e308",
            "1e999",
            "[]",
            "{}",
            "[[]]",
            "[\"verify\"]",
            "{\"keys\":[{}]}",
            "[{\"kty\":\"EC\"}]",
            "\"\\uD800\"",
        ])
        .prop_map(str::to_owned),
        "[A-Za-z0-9_=-]{0,90}".prop_map(|text| format!("\"{text}\"")),
        (0..200usize).prop_map(|length| format!("\"{}\"", base64url_encode(vec![0xa5; length]))),
    ];
    vec((member, value), 0..8).prop_map(|members| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn parsing_never_panics_on_random_text(text in any::<String>(), octets in vec(any::<u8>(), 0..300)) {
        let _ = Unverified::parse(&text);
        let _ = (Claims::parse(&octets), Jwk::parse(&octets), JwkSet::parse(&octets));
        let _ = PrivateJwk::parse(&octets, Some(Algorithm::Rs256));
        let _ = PrivateJwk::from_pem(&text, Some(Algorithm::Rs256), None);
        let _ = base64url_decode(&octets);
    }

    #[test]
    fn pem_that_looks_right_is_a_key_or_an_error(
        pieces in vec(prop_oneof![
            Just("-----BEGIN ".to_owned()), Just("-----END ".to_owned()), Just("PRIVATE KEY-----".to_owned()),
            Just("EC ".to_owned()), Just("RSA ".to_owned()), Just("ENCRYPTED ".to_owned()), Just("CERTIFICATE-----".to_owned()),
            Just("\n".to_owned()), Just("Proc-Type: 4,ENCRYPTED\n".to_owned()), "[A-Za-z0-9+/=]{0,90}", any::<String>(),
        ], 0..20),
        algorithm in prop_oneof![Just(None), Just(Some(Algorithm::Rs256)), Just(Some(Algorithm::Es256))],
    ) {
        let text = pieces.concat();
        let _ = (PrivateJwk::from_pem(&text, algorithm, None), grantor_jose::certificate_from_pem(&text));
    }

    #[test]
    fn parsing_never_panics_on_text_that_looks_right(text in object_text(), payload in object_text(), tail in "[.A-Za-z0-9_=-]{0,90}") {
        let token = format!("{}.{}.{tail}", base64url_encode(&text), base64url_encode(&payload));
        if let Ok(parsed) = Unverified::parse(&token) {
            let _ = Claims::parse(parsed.dangerously_unverified_payload());
            prop_assert!(parsed.verified_by(KEYS.iter().map(|(_, key)| key)).is_err(), "nobody signed it");
        }
        let _ = (Jwk::parse(text.as_bytes()).map(VerificationKey::from_jwk), JwkSet::parse(text.as_bytes()));
        let _ = PrivateJwk::parse(text.as_bytes(), None).and_then(|key| key.signing_key());
        let _ = PrivateJwk::parse(text.as_bytes(), Some(Algorithm::Ps384));
    }

    #[test]
    fn a_header_reads_the_same_whatever_is_known(
        typs in [proptest::option::of("[ab]"), proptest::option::of("[ab]")],
        payload in vec(any::<u8>(), 0..100),
    ) {
        let (signing, key) = hmac_keys();
        let [before, token] = typs.clone().map(|typ| sign(signing, typ.as_deref(), &payload).expect("a token"));
        let known = Unverified::parse(&before).expect("a JWS").header_to_know();
        let parsed = Unverified::parse_knowing(&token, known.as_ref()).expect("a JWS");
        prop_assert_eq!(parsed.header_to_know().is_none(), typs[0] == typs[1]);
        let read = Unverified::parse(&token).expect("a JWS");
        prop_assert_eq!(parsed.header(), read.header());
        let verified = parsed.verify(key).expect("as signed");
        prop_assert_eq!((verified.header().typ(), verified.payload()), (typs[1].as_deref(), payload.as_slice()));
    }

    #[test]
    fn what_is_signed_verifies_and_reads_back(
        index in any::<sample::Index>(),
        payload in vec(any::<u8>(), 0..2000),
        typ in proptest::option::of(".{0,40}"),
    ) {
        let (signing, verification) = &KEYS[index.index(KEYS.len())];
        let token = sign(signing, typ.as_deref(), &payload).expect("a token");
        let verified = verify(&token, verification).expect("our own signature");
        prop_assert_eq!(verified.payload(), payload.as_slice());
        prop_assert_eq!(verified.header().typ(), typ.as_deref());
        prop_assert_eq!((verified.header().algorithm(), verified.header().key_id()), (signing.algorithm(), signing.key_id()));
        prop_assert_eq!(signing.key_id(), verification.key_id());
    }

    #[test]
    fn refuses_a_longer_or_shorter_signature(index in any::<sample::Index>(), octets in vec(any::<u8>(), 1..20), cut in 1..32usize) {
        let (signing, verification) = &KEYS[index.index(KEYS.len())];
        let token = sign(signing, None, b"{}").expect("a token");
        let (signing_input, signature) = token.rsplit_once('.').expect("dots");
        let signature = base64url_decode(signature).expect("base64url");
        let appended = [signature.as_slice(), &octets].concat();
        let prepended = [octets.as_slice(), &signature].concat();
        for altered in [&appended[..], &prepended, &signature[cut..], &signature[..signature.len() - cut]] {
            let token = format!("{signing_input}.{}", base64url_encode(altered));
            prop_assert!(verify(&token, verification).is_err());
        }
    }

    #[test]
    fn of_several_keys_the_one_that_signed_is_named(index in any::<sample::Index>(), skip in any::<bool>()) {
        let own = index.index(KEYS.len());
        let token = sign(&KEYS[own].0, None, b"{}").expect("a token");
        let keys = KEYS.iter().enumerate().filter(|(at, _)| !(skip && *at == own)).map(|(_, (_, key))| key);
        match Unverified::parse(&token).expect("a JWS").verified_by(keys) {
            Ok(key) => prop_assert!(!skip && Arc::ptr_eq(key, &KEYS[own].1)),
            Err(_) => prop_assert!(skip),
        }
    }
}
