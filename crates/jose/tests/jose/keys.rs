//! Which keys are taken and which refused: each refusal changes one member of a key that is taken
//! unchanged. Then what a key may be used for, how it travels as JSON and PEM, and that no `Debug`
//! shows its private part.

use aws_lc_rs::hmac;
use grantor_jose::{
    Algorithm, Curve, Jwk, JwkError, JwkSet, JwkSetError, JwsError, KeyType, PemError, PrivateJwk,
    RsaDefect, SigningError, SigningKey, Unverified, VerificationKey, base64url_decode,
    base64url_encode, compact, sign, signing_input,
};
use josekit::jwk::alg::{ec::EcCurve, ec::EcKeyPair, ed::EdCurve, ed::EdKeyPair, rsa::RsaKeyPair};
use num_bigint::BigUint;
use serde_json::{Value, json};

/// Every algorithm with a public key.
fn signature_algorithms() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL
        .into_iter()
        .filter(|algorithm| !algorithm.is_mac())
}

/// RFC 7515 §A.2.
fn rsa() -> Value {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W\
        _YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4u\
        DZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    json!({"kty": "RSA", "n": n, "e": "AQAB"})
}

/// RFC 7515 §A.3.
fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

/// RFC 8037 §A.2.
fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn with(mut jwk: Value, member: &str, value: impl Into<Value>) -> Value {
    jwk[member] = value.into();
    jwk
}

fn without(mut jwk: Value, member: &str) -> Value {
    jwk.as_object_mut()
        .expect("a JWK is an object")
        .remove(member);
    jwk
}

fn read(jwk: &Value) -> Result<VerificationKey, JwkError> {
    Jwk::parse(jwk.to_string().as_bytes()).and_then(VerificationKey::from_jwk)
}

fn refusal(jwk: &Value) -> Option<JwkError> {
    read(jwk).err()
}

/// A big-endian number of `octets` octets that starts and ends as given, ones between.
fn number(octets: usize, first: u8, last: u8) -> String {
    let mut number = vec![0xff; octets];
    (number[0], number[octets - 1]) = (first, last);
    base64url_encode(number)
}

fn accepts(token: &str, key: &VerificationKey) -> Result<(), JwsError> {
    Unverified::parse(token)?.verify(key).map(drop)
}

#[test]
fn accepts_the_keys_that_the_refusals_start_from() {
    for jwk in [rsa(), p256(), ed25519()] {
        assert_eq!(refusal(&jwk), None, "{jwk}");
        // Members that say nothing about verification are not read, whatever they hold.
        for (member, value) in [
            ("x5c", json!(["!"])),
            ("x5u", json!("file:///etc/passwd")),
            ("exp", json!(1)),
            ("p2", json!(null)),
        ] {
            assert_eq!(refusal(&with(jwk.clone(), member, value)), None, "{member}");
        }
    }
}

#[test]
fn refuses_private_and_symmetric_members_in_a_public_key() {
    for member in ["d", "k", "p", "q", "dp", "dq", "qi", "oth"] {
        for jwk in [rsa(), p256(), ed25519(), json!({"kty": "oct"}), json!({})] {
            for value in [json!("AQ"), json!(""), json!(null), json!([])] {
                assert_eq!(
                    refusal(&with(jwk.clone(), member, value)),
                    Some(JwkError::Private(member)),
                    "{member} {jwk}"
                );
            }
        }
    }
    // Without its secret an `oct` is only a type that is not offered.
    assert_eq!(
        refusal(&json!({"kty": "oct", "alg": "HS256"})),
        Some(JwkError::Unsupported("kty"))
    );
}

#[test]
fn refuses_rsa_keys_outside_2048_to_8192_bits() {
    for (octets, first, bits) in [
        (256, 0x80, 2048),
        (257, 0x01, 2049),
        (384, 0x80, 3072),
        (1024, 0xff, 8192),
    ] {
        assert_eq!(
            refusal(&with(rsa(), "n", number(octets, first, 1))),
            None,
            "{bits}"
        );
    }
    for (octets, first, bits) in [
        (1, 1, 1),
        (64, 0x80, 512),
        (128, 0xff, 1024),
        (256, 0x7f, 2047),
        (256, 0x40, 2047),
        (1025, 0x01, 8193),
    ] {
        assert_eq!(
            refusal(&with(rsa(), "n", number(octets, first, 1))),
            Some(JwkError::RsaBits(bits)),
            "{bits}"
        );
    }
}

#[test]
fn refuses_unsafe_rsa_moduli_and_exponents() {
    for e in ["Aw", "BQ", "AQAB", "_____w"] {
        assert_eq!(refusal(&with(rsa(), "e", e)), None, "{e}");
    }
    let rows = [
        // 0 is no positive number, with or without octets; 65537 with a leading zero is not
        // minimal (RFC 7518 §2).
        ("e", "", JwkError::Malformed("e")),
        ("e", "AA", JwkError::Malformed("e")),
        ("e", "AAEAAQ", JwkError::Malformed("e")),
        ("e", "AQAB=", JwkError::Malformed("e")),
        ("e", "AQ", JwkError::RsaExponent),
        ("e", "Ag", JwkError::RsaExponent),
        ("e", "AQAA", JwkError::RsaExponent),
        ("e", "AQAAAAE", JwkError::RsaExponent),
        ("n", "", JwkError::Malformed("n")),
        ("n", "AA", JwkError::Malformed("n")),
        ("n", "+/+/", JwkError::Malformed("n")),
    ];
    for (member, value, error) in rows {
        assert_eq!(
            refusal(&with(rsa(), member, value)),
            Some(error),
            "{member} {value}"
        );
    }
    assert_eq!(
        refusal(&with(rsa(), "n", number(257, 0, 1))),
        Some(JwkError::Malformed("n")),
        "a leading zero"
    );
}

/// The modulus of [`rsa`].
fn modulus() -> BigUint {
    BigUint::from_bytes_be(
        &base64url_decode(rsa()["n"].as_str().expect("a text")).expect("base64url"),
    )
}

/// What registration says to [`rsa`] with another modulus.
fn vetted(modulus: &BigUint) -> Result<(), JwkError> {
    let jwk = with(rsa(), "n", base64url_encode(modulus.to_bytes_be()));
    Jwk::parse(jwk.to_string().as_bytes())?.vet()
}

fn defect(defect: RsaDefect) -> Result<(), JwkError> {
    Err(JwkError::RsaModulus(defect))
}

/// The next number up that `is_so`.
fn next(start: BigUint, is_so: impl Fn(&BigUint) -> bool) -> BigUint {
    std::iter::successors(Some(start), |number| Some(number + 1_u8))
        .find(is_so)
        .expect("some number is")
}

#[test]
fn refuses_rsa_moduli_with_a_small_factor() {
    assert_eq!(vetted(&modulus()), Ok(()), "the control");
    for prime in [2_u32, 3, 5, 257, 2053, 4091, 4093] {
        let multiple = next(modulus(), |number| {
            number % prime == BigUint::ZERO
                && !(2..prime).any(|factor| number % factor == BigUint::ZERO)
        });
        assert_eq!(
            vetted(&multiple),
            defect(RsaDefect::SmallFactor(prime)),
            "{prime}"
        );
    }
}

/// CVE-2017-15361: p = k·M + (65537^a mod M), M the product of the first 126 primes for keys of
/// 2048 bits. Two factors of this form, prime or not, make a modulus that is told by its
/// remainders.
#[test]
fn refuses_rsa_moduli_of_the_roca_generator() {
    let is_prime = |number: &u32| (2..*number).all(|factor| !number.is_multiple_of(factor));
    let primorial: BigUint = (2..=701).filter(is_prime).map(BigUint::from).product();
    let factor = |exponent: u32, k: u64| {
        let residue = BigUint::from(65537_u32).modpow(&exponent.into(), &primorial);
        &primorial * (BigUint::from(1_u8) << 53) + &primorial * k + residue
    };
    // Some have a small factor beyond 701, and are refused for that.
    let judged = (1..30).map(|k| vetted(&(factor(1234, k) * factor(5678, k + 1))));
    assert!(
        judged
            .filter(|judged| *judged == defect(RsaDefect::Roca))
            .count()
            > 10
    );
    // The control: the same, but one remainder is no power of 65537.
    let mut odd_ones =
        (1..11_u8).map(|times| factor(1234, 1) * factor(5678, 2) + &primorial / 11_u8 * times);
    assert!(odd_ones.any(|modulus| vetted(&modulus) == Ok(())));
}

/// Whoever knows such a public key knows the private one. The control is the product of two primes.
#[test]
fn vetting_refuses_prime_moduli() {
    assert_eq!(vetted(&modulus()), Ok(()));
    assert_eq!(
        Jwk::parse(p256().to_string().as_bytes())
            .expect("a key")
            .vet(),
        Ok(())
    );
    // The largest prime of 2048 bits.
    assert_eq!(
        vetted(&(BigUint::from(2_u8).pow(2048) - 1557_u16)),
        defect(RsaDefect::Prime)
    );
}

/// The points of each curve with x = 0, and the same points with x written as the field prime (RFC
/// 8725 §3.4).
#[test]
fn refuses_coordinates_that_are_not_reduced() {
    let rows = [
        (
            "P-256",
            32,
            "ZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q",
            "_____wAAAAEAAAAAAAAAAAAAAAD_______________8",
        ),
        (
            "P-384",
            48,
            "wwZhD7CuWhWc9FwGBp8ipsXrNkHGAtQt6ixLT3VVB5NAbYDSuRrVT5BIvUh68a3h",
            "__________________________________________7_____AAAAAAAAAAD_____",
        ),
        (
            "P-521",
            66,
            "AS3xNgFZSog-8tk15Eu5C_TWYZt05Sr3VS-XdpARwHGetDnPqyqI1A_lmivtH0NVcWmi0KLM0oDGB7krv1H_4LB4",
            "Af______________________________________________________________________________________",
        ),
    ];
    for (crv, octets, y, p) in rows {
        let point =
            json!({"kty": "EC", "crv": crv, "x": base64url_encode(vec![0; octets]), "y": y});
        assert_eq!(refusal(&point), None, "{crv}: a point, if an unlikely one");
        assert_eq!(
            refusal(&with(point, "x", p)),
            Some(JwkError::Point),
            "{crv}"
        );
    }
}

#[test]
fn refuses_what_is_no_point_of_its_curve() {
    let zero = base64url_encode([0; 32]);
    let rows = [
        with(p256(), "y", p256()["x"].clone()),
        with(p256(), "x", p256()["y"].clone()),
        with(
            with(p256(), "x", p256()["y"].clone()),
            "y",
            p256()["x"].clone(),
        ),
        with(p256(), "y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a4"),
        // The point at infinity has no affine coordinates; zeros are the usual attempt at it.
        with(with(p256(), "x", zero.clone()), "y", zero),
    ];
    for jwk in rows {
        assert_eq!(refusal(&jwk), Some(JwkError::Point), "{jwk}");
    }
}

#[test]
fn refuses_coordinates_of_another_length() {
    let coordinate =
        base64url_decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU").expect("base64url");
    let padded = [&[0], coordinate.as_slice()].concat();
    for octets in [
        &coordinate[..31],
        &coordinate[1..],
        &padded,
        &[],
        &[4],
        &[0; 48],
        &[0; 64],
        &[0; 66],
    ] {
        let value = base64url_encode(octets);
        for (jwk, member) in [(p256(), "x"), (p256(), "y"), (ed25519(), "x")] {
            assert_eq!(
                refusal(&with(jwk, member, value.clone())),
                Some(JwkError::Malformed(member)),
                "{member} {value}"
            );
        }
    }
    // A P-256 point under the name of a larger curve.
    for crv in ["P-384", "P-521"] {
        assert_eq!(
            refusal(&with(p256(), "crv", crv)),
            Some(JwkError::Malformed("x")),
            "{crv}"
        );
    }
}

/// The eight points of small order of edwards25519 and their other encodings (CCTV lists them), and
/// y at or above the prime.
#[test]
fn refuses_ed25519_points_of_small_order_and_not_reduced() {
    let ff = "ff".repeat(30);
    let points = [
        format!("00{}", "00".repeat(31)),
        format!("00{}80", "00".repeat(30)),
        format!("01{}", "00".repeat(31)),
        format!("01{}80", "00".repeat(30)),
        format!("ec{ff}7f"),
        format!("ec{ff}ff"),
        format!("ed{ff}7f"),
        format!("ed{ff}ff"),
        format!("ee{ff}7f"),
        format!("ee{ff}ff"),
        format!("ff{ff}7f"),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned(),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa".to_owned(),
    ];
    for point in points {
        let octets: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&point[2 * at..2 * at + 2], 16).expect("hex"))
            .collect();
        assert_eq!(
            refusal(&with(ed25519(), "x", base64url_encode(octets))),
            Some(JwkError::Point),
            "{point}"
        );
    }
}

/// The library decodes an Ed25519 key only when it verifies: y = 2 is no point, and is found out
/// then.
#[test]
fn refuses_every_signature_under_an_ed25519_key_that_is_no_point() {
    let mut y = [0; 32];
    y[0] = 2;
    let no_point =
        read(&with(ed25519(), "x", base64url_encode(y))).expect("not seen to be no point");
    let key = PrivateJwk::generate(Algorithm::EdDsa).expect("a key");
    let token = sign(&key.signing_key().expect("a signer"), None, b"{}").expect("a token");
    assert_eq!(accepts(&token, &no_point), Err(JwsError::Signature));
    let signing_input = token.rsplit_once('.').expect("dots").0;
    for r in [
        y.to_vec(),
        base64url_decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").expect("base64url"),
        vec![3; 32],
    ] {
        let signature = [r, vec![0; 32]].concat();
        assert_eq!(
            accepts(
                &format!("{signing_input}.{}", base64url_encode(signature)),
                &no_point
            ),
            Err(JwsError::Signature)
        );
    }
    assert_eq!(
        accepts(
            &token,
            &VerificationKey::from_jwk(key.public()).expect("a point")
        ),
        Ok(()),
        "the control"
    );
}

#[test]
fn refuses_an_alg_that_does_not_fit_the_key() {
    for jwk in [rsa(), p256(), ed25519()] {
        let key_type = Jwk::parse(jwk.to_string().as_bytes())
            .expect("a sound key")
            .key_type();
        for algorithm in Algorithm::ALL {
            let expected = (algorithm.key_type() != key_type)
                .then_some(JwkError::AlgorithmMismatch(algorithm));
            assert_eq!(
                refusal(&with(jwk.clone(), "alg", algorithm.name())),
                expected,
                "{algorithm} {jwk}"
            );
        }
        for alg in [
            "none", "ES521", "ES224", "ES256K", "RS1", "rs256", "RSA-OAEP", "RSA1_5", "A256GCM",
            "Ed448", "",
        ] {
            assert_eq!(
                refusal(&with(jwk.clone(), "alg", alg)),
                Some(JwkError::Unsupported("alg")),
                "{alg}"
            );
        }
    }
}

#[test]
fn refuses_types_and_curves_that_are_not_offered() {
    let rows = [
        (with(p256(), "kty", "ec"), JwkError::Unsupported("kty")),
        (with(p256(), "kty", "AKP"), JwkError::Unsupported("kty")),
        (with(p256(), "kty", ""), JwkError::Unsupported("kty")),
        (with(p256(), "kty", "RSA"), JwkError::Missing("n")),
        (with(p256(), "kty", "OKP"), JwkError::Unsupported("crv")),
        (with(rsa(), "kty", "EC"), JwkError::Missing("crv")),
        (
            with(p256(), "crv", "secp256k1"),
            JwkError::Unsupported("crv"),
        ),
        (with(p256(), "crv", "p-256"), JwkError::Unsupported("crv")),
        (with(p256(), "crv", "Ed25519"), JwkError::Unsupported("crv")),
        (
            with(ed25519(), "crv", "X25519"),
            JwkError::Unsupported("crv"),
        ),
        (
            with(ed25519(), "crv", "Ed448"),
            JwkError::Unsupported("crv"),
        ),
    ];
    for (jwk, error) in rows {
        assert_eq!(refusal(&jwk), Some(error), "{jwk}");
    }
}

#[test]
fn refuses_members_that_are_missing_or_no_strings() {
    for (jwk, members) in [
        (rsa(), &["kty", "n", "e"][..]),
        (p256(), &["kty", "crv", "x", "y"]),
        (ed25519(), &["kty", "crv", "x"]),
    ] {
        for &member in members {
            assert_eq!(
                refusal(&without(jwk.clone(), member)),
                Some(JwkError::Missing(member)),
                "{member}"
            );
            for value in [
                json!(null),
                json!(1),
                json!(true),
                json!([]),
                json!({}),
                json!([member]),
            ] {
                assert_eq!(
                    refusal(&with(jwk.clone(), member, value)),
                    Some(JwkError::Malformed(member)),
                    "{member}"
                );
            }
        }
        for (member, value) in [
            ("alg", json!(["RS256"])),
            ("kid", json!(1)),
            ("use", json!(["sig"])),
            ("key_ops", json!("verify")),
        ] {
            assert_eq!(
                refusal(&with(jwk.clone(), member, value)),
                Some(JwkError::Malformed(member)),
                "{member}"
            );
        }
    }
}

#[test]
fn refuses_a_key_whose_use_or_operations_exclude_verifying() {
    let rows = [
        (json!({"use": "sig"}), None),
        (json!({"key_ops": ["verify"]}), None),
        (json!({"key_ops": ["sign", "verify"]}), None),
        (json!({"use": "sig", "key_ops": ["verify"]}), None),
        (json!({"use": "enc"}), Some(JwkError::NotForVerification)),
        (json!({"use": "SIG"}), Some(JwkError::NotForVerification)),
        (json!({"use": ""}), Some(JwkError::NotForVerification)),
        (json!({"key_ops": []}), Some(JwkError::NotForVerification)),
        (
            json!({"key_ops": ["sign"]}),
            Some(JwkError::NotForVerification),
        ),
        (
            json!({"key_ops": ["encrypt", "wrapKey"]}),
            Some(JwkError::NotForVerification),
        ),
        (
            json!({"use": "sig", "key_ops": ["encrypt"]}),
            Some(JwkError::NotForVerification),
        ),
        (
            json!({"use": "enc", "key_ops": ["encrypt"]}),
            Some(JwkError::NotForVerification),
        ),
        (
            json!({"use": "enc", "key_ops": ["verify"]}),
            Some(JwkError::Use),
        ),
        (
            json!({"key_ops": ["verify", "verify"]}),
            Some(JwkError::Use),
        ),
        (
            json!({"key_ops": ["verify", "x", "y", "x"]}),
            Some(JwkError::Use),
        ),
        (
            json!({"key_ops": ["verify", 1]}),
            Some(JwkError::Malformed("key_ops")),
        ),
        (
            json!({"key_ops": {"verify": true}}),
            Some(JwkError::Malformed("key_ops")),
        ),
    ];
    for (members, error) in rows {
        for mut jwk in [rsa(), p256(), ed25519()] {
            jwk.as_object_mut()
                .expect("an object")
                .extend(members.as_object().expect("an object").clone());
            assert_eq!(refusal(&jwk), error, "{members}");
        }
    }
}

#[test]
fn refuses_duplicate_members_in_a_key_and_in_a_set() {
    let text = p256().to_string();
    for member in [
        r#""kty":"EC""#,
        r#""crv":"P-256""#,
        r#""alg":"ES256","alg":"ES256""#,
        r#""\u006bty":"RSA""#,
    ] {
        let twice = text.replacen('{', &format!("{{{member},"), 1);
        assert_eq!(
            Jwk::parse(twice.as_bytes()),
            Err(JwkError::Json(grantor_jose::JsonError::DuplicateMember)),
            "{member}"
        );
    }
    let set = format!(r#"{{"keys":[],"keys":[{text}]}}"#);
    assert!(matches!(
        JwkSet::parse(set.as_bytes()),
        Err(JwkSetError::Json(grantor_jose::JsonError::DuplicateMember))
    ));
}

/// RFC 7517 §5: a key that is not understood or not for this is skipped, and the others work.
/// What a client publishes for others to encrypt to is no reason to refuse its signing keys,
/// whatever it looks like.
#[test]
fn an_encryption_key_is_skipped_unseen() {
    let good = with(p256(), "kid", "sig");
    let base = || with(with(rsa(), "use", "enc"), "kid", "enc");
    let x25519 = json!({"kty": "OKP", "crv": "X25519", "x": base64url_encode([9; 32]), "use": "enc", "kid": "enc"});
    let mut by_operations = with(rsa(), "kid", "enc");
    by_operations["key_ops"] = json!(["wrapKey", "encrypt"]);
    for encryption in [
        base(),
        with(base(), "alg", "RSA-OAEP"),
        with(base(), "n", number(128, 0xff, 1)),
        with(base(), "n", "="),
        x25519,
        by_operations,
    ] {
        let set = JwkSet::parse(json!({"keys": [encryption, good]}).to_string().as_bytes())
            .expect("a set");
        assert_eq!(
            set.keys
                .iter()
                .map(VerificationKey::key_id)
                .collect::<Vec<_>>(),
            [Some("sig")],
            "{encryption}"
        );
        let [skipped] = &set.skipped[..] else {
            panic!("{encryption}")
        };
        assert_eq!(
            (skipped.index, skipped.key_id.as_deref(), &skipped.reason),
            (0, Some("enc"), &JwkError::NotForVerification)
        );
        assert!(skipped.is_for_others());
    }
    // The control: a private one spoils the set all the same, and a signing key with the same
    // defect is not for others.
    let private = json!({"keys": [with(base(), "d", "AA"), good]}).to_string();
    assert!(matches!(
        JwkSet::parse(private.as_bytes()),
        Err(JwkSetError::Private { index: 0, .. })
    ));
    let weak = json!({"keys": [with(rsa(), "n", number(128, 0xff, 1)), good]}).to_string();
    assert!(!JwkSet::parse(weak.as_bytes()).expect("a set").skipped[0].is_for_others());
}

/// SPIFFE Trust Domain and Bundle §4.2.2: what is published for certificates signs no JWT-SVID, and a
/// key without a name is none.
#[test]
fn t008_only_named_keys_for_svids_are_used_of_a_spiffe_bundle() {
    let svid = |key_use| with(with(p256(), "use", key_use), "kid", "svid");
    let nameless = with(p256(), "use", "jwt-svid");
    let parse = |set: &Value| JwkSet::parse_spiffe(set.to_string().as_bytes());
    let set = json!({"keys": [
        svid("x509-svid"), svid("sig"), with(p256(), "kid", "none"), nameless, svid("jwt-svid"),
    ], "spiffe_sequence": 1, "spiffe_refresh_hint": 600});
    let read = parse(&set).expect("a bundle");
    let [key] = &read.keys[..] else {
        panic!("{read:?}")
    };
    assert_eq!(key.key_id(), Some("svid"));
    let reasons: Vec<_> = read.skipped.iter().map(|skipped| &skipped.reason).collect();
    let other = &JwkError::NotForVerification;
    assert_eq!(reasons, [other, other, other, &JwkError::Missing("kid")]);
    // It is written as a key for signatures, so that it can be kept like any other.
    let written = json!({"keys": [key.jwk()]}).to_string();
    let again = JwkSet::parse(written.as_bytes()).expect("a set");
    assert_eq!(again.keys[0].jwk(), key.jwk());
    let plain = JwkSet::parse(set.to_string().as_bytes()).expect("a set");
    assert_eq!(plain.keys.len(), 2);
    let private = json!({"keys": [with(svid("x509-svid"), "d", "AA"), svid("jwt-svid")]});
    assert!(matches!(
        parse(&private),
        Err(JwkSetError::Private { index: 0, .. })
    ));
    assert!(
        parse(&json!({"keys": []}))
            .expect("all revoked")
            .keys
            .is_empty()
    );
    assert!(parse(&json!({})).is_err());
}

#[test]
fn skips_unusable_keys_of_a_set_and_keeps_the_others() {
    let multiple_of_3 = next(modulus(), |number| (number % 6_u8) == BigUint::from(3_u8));
    let multiple_of_3 = base64url_encode(multiple_of_3.to_bytes_be());
    let unusable = [
        (
            json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA"}),
            JwkError::Unsupported("kty"),
        ),
        (
            with(p256(), "crv", "secp256k1"),
            JwkError::Unsupported("crv"),
        ),
        (
            with(rsa(), "alg", "RSA-OAEP-256"),
            JwkError::Unsupported("alg"),
        ),
        (with(rsa(), "use", "enc"), JwkError::NotForVerification),
        (
            with(rsa(), "n", number(128, 0xff, 1)),
            JwkError::RsaBits(1024),
        ),
        (
            with(rsa(), "n", multiple_of_3),
            JwkError::RsaModulus(RsaDefect::SmallFactor(3)),
        ),
        (
            with(p256(), "alg", "ES384"),
            JwkError::AlgorithmMismatch(Algorithm::Es384),
        ),
        (
            with(ed25519(), "x", base64url_encode([0; 32])),
            JwkError::Point,
        ),
        (json!({}), JwkError::Missing("kty")),
    ];
    let good = [with(p256(), "kid", "a"), with(rsa(), "kid", "b")];
    let mut keys = vec![good[0].clone()];
    keys.extend(unusable.iter().map(|(jwk, _)| jwk.clone()));
    keys.push(good[1].clone());
    let set =
        JwkSet::parse(json!({"keys": keys, "other": 1}).to_string().as_bytes()).expect("a set");
    assert_eq!(
        set.keys
            .iter()
            .map(VerificationKey::key_id)
            .collect::<Vec<_>>(),
        [Some("a"), Some("b")]
    );
    let expected: Vec<_> = unusable
        .into_iter()
        .enumerate()
        .map(|(at, (_, error))| (at + 1, error))
        .collect();
    let skipped: Vec<_> = set
        .skipped
        .iter()
        .map(|skipped| (skipped.index, skipped.reason.clone()))
        .collect();
    assert_eq!(skipped, expected);
}

#[test]
fn refuses_a_set_that_is_none_or_holds_a_private_key() {
    let parse = |set: Value| JwkSet::parse(set.to_string().as_bytes()).map(|set| set.keys.len());
    assert_eq!(parse(json!({"keys": []})), Ok(0));
    assert_eq!(
        parse(json!({"keys": [p256(), p256()]})),
        Ok(2),
        "the same key twice"
    );
    assert_eq!(
        parse(json!({"keys": [with(p256(), "kid", "a"), with(rsa(), "kid", "a")]})),
        Ok(2),
        "one kid for two keys"
    );
    for set in [
        json!({}),
        p256(),
        json!({"keys": null}),
        json!({"keys": p256()}),
        json!({"keys": ["a"]}),
        json!({"keys": [p256(), null]}),
    ] {
        assert_eq!(parse(set.clone()), Err(JwkSetError::NoKeys), "{set}");
    }
    for (jwk, member) in [
        (with(p256(), "d", "AA"), "d"),
        (json!({"kty": "oct", "k": "AA"}), "k"),
        (json!({"kty": "AKP", "d": ""}), "d"),
    ] {
        let error = JwkSetError::Private {
            index: 1,
            error: JwkError::Private(member),
        };
        assert_eq!(parse(json!({"keys": [p256(), jwk]})), Err(error));
    }
    let many = |count| json!({"keys": vec![ed25519(); count]});
    assert_eq!(parse(many(JwkSet::MAX_KEYS)), Ok(JwkSet::MAX_KEYS));
    assert_eq!(
        parse(many(JwkSet::MAX_KEYS + 1)),
        Err(JwkSetError::TooMany(JwkSet::MAX_KEYS))
    );
}

/// Attack A06 and A10: an HMAC keyed with whatever of a public key an attacker knows, or with
/// nothing.
#[test]
fn refuses_an_hmac_keyed_with_the_public_key() {
    let private =
        PrivateJwk::parse(rsa_private().expose_json().as_bytes(), None).expect("a private key");
    let pair = RsaKeyPair::from_pem(PEM).expect("the same key");
    let modulus = rsa()["n"].as_str().expect("n").to_owned();
    let guesses = [
        pair.to_pem_public_key(),
        pair.to_traditional_pem_public_key(),
        pair.to_der_public_key(),
        pair.to_pem_public_key().trim_ascii().to_vec(),
        base64url_decode(&modulus).expect("base64url"),
        modulus.into_bytes(),
        private.public().thumbprint().into_bytes(),
        rsa().to_string().into_bytes(),
        Vec::new(),
    ];
    let bound = VerificationKey::from_jwk(private.public()).expect("a public key");
    let free = read(&rsa()).expect("a public key without alg");
    assert_eq!(
        (
            bound.jwk().and_then(Jwk::algorithm),
            free.jwk().and_then(Jwk::algorithm)
        ),
        (Some(Algorithm::Rs256), None)
    );
    for secret in &guesses {
        for (algorithm, hash) in [
            (Algorithm::Hs256, hmac::HMAC_SHA256),
            (Algorithm::Hs384, hmac::HMAC_SHA384),
            (Algorithm::Hs512, hmac::HMAC_SHA512),
        ] {
            let signing_input = format!(
                "{}.e30",
                base64url_encode(json!({"alg": algorithm.name()}).to_string())
            );
            let tag = hmac::sign(&hmac::Key::new(hash, secret), signing_input.as_bytes());
            let token = format!("{signing_input}.{}", base64url_encode(tag));
            for key in [&bound, &free] {
                assert_eq!(
                    accepts(&token, key),
                    Err(JwsError::AlgorithmNotForKey(algorithm))
                );
            }
            // The control: the MAC is right, only the kind of key is not.
            if let Ok(key) = VerificationKey::from_secret(secret, Some(algorithm)) {
                assert_eq!(accepts(&token, &key), Ok(()), "{algorithm}");
            }
        }
    }
    let good = sign(&private.signing_key().expect("a signer"), None, b"{}").expect("a token");
    assert_eq!(
        (accepts(&good, &bound), accepts(&good, &free)),
        (Ok(()), Ok(()))
    );
}

/// Each signature of each algorithm against each key: accepted by its own, refused as another's
/// before any arithmetic.
#[test]
fn refuses_a_signature_of_one_algorithm_under_every_other() {
    let secret = [7; 64];
    let mut pairs: Vec<(Algorithm, SigningKey, VerificationKey)> = signature_algorithms()
        .map(|algorithm| {
            let key = PrivateJwk::generate(algorithm).expect("a key");
            (
                algorithm,
                key.signing_key().expect("a signer"),
                VerificationKey::from_jwk(key.public()).expect("a public key"),
            )
        })
        .collect();
    for algorithm in Algorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithm.is_mac())
    {
        let signing = SigningKey::from_secret(&secret, algorithm).expect("64 octets");
        pairs.push((
            algorithm,
            signing,
            VerificationKey::from_secret(&secret, Some(algorithm)).expect("64 octets"),
        ));
    }
    for (own, signing, _) in &pairs {
        let token = sign(signing, None, b"{}").expect("a token");
        for (other, _, verification) in &pairs {
            let expected = match (own == other, own.is_same_as(*other)) {
                (true, _) => Ok(()),
                // The two names of Ed25519: a key for either reads both, and these are two
                // different keys.
                (false, true) => Err(JwsError::Signature),
                (false, false) => Err(JwsError::AlgorithmNotForKey(*own)),
            };
            assert_eq!(
                accepts(&token, verification),
                expected,
                "{own} under {other}"
            );
        }
    }
}

/// Attack A14: one RSA key, whose `alg` says which padding and hash it is for (RFC 7517 §4.4).
#[test]
fn refuses_another_rsa_algorithm_where_the_key_names_one() {
    let family = || {
        Algorithm::ALL
            .into_iter()
            .filter(|algorithm| algorithm.key_type() == KeyType::Rsa)
    };
    let free = read(&rsa()).expect("a key without alg");
    let private = without(
        serde_json::from_str(rsa_private().expose_json()).expect("JSON"),
        "alg",
    )
    .to_string();
    for signed in family() {
        let key = PrivateJwk::parse(private.as_bytes(), Some(signed)).expect("a private key");
        let token = sign(&key.signing_key().expect("a signer"), None, b"{}").expect("a token");
        assert_eq!(
            accepts(&token, &free),
            Ok(()),
            "a key without alg leaves the choice to its user: {signed}"
        );
        for pinned in family() {
            let key = read(&with(rsa(), "alg", pinned.name())).expect("a key with alg");
            let expected = if signed == pinned {
                Ok(())
            } else {
                Err(JwsError::AlgorithmNotForKey(signed))
            };
            assert_eq!(accepts(&token, &key), expected, "{signed} under {pinned}");
            // Without the pin the swap fails too, in the arithmetic: the header is changed to the
            // other name.
            let header = base64url_encode(json!({"alg": pinned.name()}).to_string());
            let swapped = [&header, token.split_once('.').expect("two dots").1].join(".");
            assert_eq!(
                accepts(&swapped, &free),
                Err(JwsError::Signature),
                "{signed} relabelled {pinned}"
            );
        }
    }
}

#[test]
fn refuses_secrets_shorter_than_their_hash() {
    for (algorithm, needed) in [
        (Algorithm::Hs256, 32),
        (Algorithm::Hs384, 48),
        (Algorithm::Hs512, 64),
    ] {
        let weak = |got| JwkError::WeakSecret {
            algorithm,
            needed,
            got,
        };
        for got in [0, 1, 16, needed - 1] {
            assert_eq!(
                VerificationKey::from_secret(&vec![1; got], Some(algorithm)).err(),
                Some(weak(got))
            );
            assert_eq!(
                SigningKey::from_secret(&vec![1; got], algorithm).err(),
                Some(SigningError::Jwk(weak(got)))
            );
        }
        assert!(VerificationKey::from_secret(&vec![1; needed], Some(algorithm)).is_ok());
        // A secret without a named algorithm reads each HMAC that it is long enough for.
        let free =
            VerificationKey::from_secret(&vec![1; needed], None).expect("at least 32 octets");
        let read: Vec<_> = Algorithm::ALL
            .into_iter()
            .filter(|other| free.accepts(*other))
            .collect();
        let expected: Vec<_> = Algorithm::ALL
            .into_iter()
            .filter(|other| other.is_mac() && other.minimum_secret_bytes() <= needed)
            .collect();
        assert_eq!(read, expected);
    }
    for algorithm in signature_algorithms() {
        assert_eq!(
            VerificationKey::from_secret(&[1; 64], Some(algorithm)).err(),
            Some(JwkError::AlgorithmMismatch(algorithm))
        );
    }
}

#[test]
fn generated_keys_round_trip_through_json() {
    for algorithm in signature_algorithms() {
        let key = PrivateJwk::generate(algorithm).expect("a key");
        assert_eq!(
            (key.algorithm(), key.key_id()),
            (algorithm, key.public().thumbprint().as_str())
        );
        let again = PrivateJwk::parse(key.expose_json().as_bytes(), None).expect("its own JSON");
        assert_eq!(
            (again.public(), again.algorithm(), again.expose_json()),
            (key.public(), algorithm, key.expose_json())
        );
        let public = serde_json::to_string(&key.public()).expect("JSON");
        assert_eq!(
            Jwk::parse(public.as_bytes()).as_ref(),
            Ok(&key.public()),
            "{public}"
        );
        assert_eq!(
            Jwk::parse(key.expose_json().as_bytes()),
            Err(JwkError::Private("d"))
        );
        let token =
            sign(&again.signing_key().expect("a signer"), Some("JWT"), b"{}").expect("a token");
        let parsed = Unverified::parse(&token).expect("a JWS");
        assert_eq!(
            (parsed.header().key_id(), parsed.header().typ()),
            (Some(key.key_id()), Some("JWT"))
        );
        assert_eq!(
            accepts(
                &token,
                &read(&serde_json::from_str(&public).expect("JSON")).expect("a public key")
            ),
            Ok(())
        );
    }
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        assert_eq!(
            PrivateJwk::generate(algorithm).err(),
            Some(SigningError::NoAlgorithm)
        );
    }
}

#[test]
fn refuses_private_keys_that_do_not_belong_to_their_public_half() {
    let changed = |text: &str| {
        let mut octets = base64url_decode(text).expect("base64url");
        let last = octets.len() - 1;
        octets[last] ^= 2;
        base64url_encode(octets)
    };
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::Ed25519,
    ] {
        let key: Value = serde_json::from_str(
            PrivateJwk::generate(algorithm)
                .expect("a key")
                .expose_json(),
        )
        .expect("JSON");
        let parse = |jwk: &Value| PrivateJwk::parse(jwk.to_string().as_bytes(), None).err();
        assert_eq!(parse(&key), None);
        assert_eq!(
            parse(&without(key.clone(), "d")),
            Some(SigningError::NotPrivate),
            "{algorithm}"
        );
        let private = ["d", "p", "q", "dp", "dq", "qi"]
            .into_iter()
            .filter(|member| key.get(member).is_some());
        for member in private {
            let wrong = changed(key[member].as_str().expect("a string"));
            assert_eq!(
                parse(&with(key.clone(), member, wrong)),
                Some(SigningError::Inconsistent),
                "{algorithm} {member}"
            );
            assert_eq!(
                parse(&with(key.clone(), member, "=")),
                Some(JwkError::Malformed(member).into()),
                "{algorithm} {member}"
            );
        }
        let other = PrivateJwk::generate(algorithm).expect("another key");
        let other: Value = serde_json::from_str(other.expose_json()).expect("JSON");
        assert_eq!(
            parse(&with(key.clone(), "d", other["d"].clone())),
            Some(SigningError::Inconsistent),
            "{algorithm}"
        );
    }
}

#[test]
fn refuses_a_private_key_for_an_algorithm_it_is_not_for() {
    let json = rsa_private().expose_json().to_owned();
    let parse = |json: &str, algorithm| {
        PrivateJwk::parse(json.as_bytes(), algorithm).map(|key| key.algorithm())
    };
    assert_eq!(parse(&json, None), Ok(Algorithm::Rs256));
    assert_eq!(
        parse(&json, Some(Algorithm::Ps256)),
        Err(JwkError::AlgorithmMismatch(Algorithm::Rs256).into())
    );
    let free = without(serde_json::from_str(&json).expect("JSON"), "alg").to_string();
    assert_eq!(parse(&free, None), Err(SigningError::NoAlgorithm));
    assert_eq!(parse(&free, Some(Algorithm::Ps256)), Ok(Algorithm::Ps256));
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Hs256] {
        assert!(parse(&free, Some(algorithm)).is_err(), "{algorithm}");
    }
    assert_eq!(
        parse(&json!({"kty": "oct", "k": "AA"}).to_string(), None),
        Err(JwkError::Unsupported("kty").into())
    );
}

/// RFC 7515 §A.2 as PKCS#8, written by OpenSSL.
const PEM: &str = "\
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXO
jS1lYmM2K5J9vinh8CR3/BYlzJChNuOL2TSXxbbqY913EeZ8dCn5VrD7io8ImtxL
aYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn
juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5
ROjtZMEQxrZHYJqkeDrrnGya11UxMFBji4NmXG9veoKjlnAqH2QbgtPr8jkiGUkf
toaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg
VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyW
PEAeP88vLNO97IjlA7/GQ5sLKMgvfTeXZx9SE+7YwVol2NXOoAJe46sui395IW/G
O+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj
kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6
XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl/x/jTj3ccPDVZFD9pIuhLhBOneufuBiB
4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K
pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr
0AHQfD8/Lk8l1Mk09jxxCfui5nYooNyac8YFjm3vItzVCVDnEd3BbVWG8qf6deqE
lMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6
kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAP
rq3rbAOal78eUH5OcED6eNuCV8ixEu1eWcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNw
kgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp
5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds2
9+DAncu3KXU4f2Fa+7bLNrur53k8KwPOq2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/
evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG
yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZj
OYiIDktVWZzmevJuv6WywUqd57LE3Zar3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2
tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3
ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A56
03k2+ZQwVK0JKSHuLFkuQ3U=
-----END PRIVATE KEY-----
";

fn rsa_private() -> PrivateJwk {
    PrivateJwk::from_pem(PEM, Some(Algorithm::Rs256), None).expect("a PKCS#8 key")
}

#[test]
fn reads_an_rsa_key_from_pem_and_writes_the_same_pem() {
    let key = rsa_private();
    let public = Jwk::parse(rsa().to_string().as_bytes()).expect("the same key as JWK");
    assert_eq!(key.public().thumbprint(), public.thumbprint());
    assert_eq!(key.key_id(), public.thumbprint());
    let pem = key.expose_rsa_pem().expect("an RSA key");
    assert_eq!(pem.as_str(), PEM);
    let again = PrivateJwk::from_pem(&pem, Some(Algorithm::Ps512), Some("mine".to_owned()))
        .expect("our own PEM");
    assert_eq!(
        (
            again.key_id(),
            again.algorithm(),
            again.public().thumbprint()
        ),
        ("mine", Algorithm::Ps512, public.thumbprint())
    );
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519] {
        assert!(
            PrivateJwk::generate(algorithm)
                .expect("a key")
                .expose_rsa_pem()
                .is_none()
        );
    }
}

/// The form in which Google hands out a service account's key: PEM with its line ends escaped, and
/// the kid beside it.
#[test]
fn reads_the_pem_of_a_service_account_file() {
    let file = json!({"type": "service_account", "private_key_id": "b3f1", "private_key": PEM, "client_email": "a@b.example"});
    let file: Value = serde_json::from_str(&file.to_string()).expect("JSON");
    let text = |member: &str| file[member].as_str().expect("a string").to_owned();
    let key = PrivateJwk::from_pem(
        &text("private_key"),
        Some(Algorithm::Rs256),
        Some(text("private_key_id")),
    )
    .expect("a key");
    let token = sign(&key.signing_key().expect("a signer"), Some("JWT"), b"{}").expect("a token");
    assert_eq!(
        Unverified::parse(&token).expect("a JWS").header().key_id(),
        Some("b3f1")
    );
    assert_eq!(
        accepts(&token, &read(&rsa()).expect("the public key")),
        Ok(())
    );
    for form in [PEM.trim_end().to_owned(), PEM.replace('\n', "\r\n")] {
        assert!(
            PrivateJwk::from_pem(&form, Some(Algorithm::Rs256), None).is_ok(),
            "{form}"
        );
    }
}

/// Every form in which tools write a private key, by a library that is not ours.
#[test]
fn reads_private_keys_of_every_type_and_form_in_pem() {
    let text = |pem: Vec<u8>| String::from_utf8(pem).expect("PEM is text");
    let rsa = RsaKeyPair::from_pem(PEM).expect("the key");
    let mut rows = vec![
        (
            Algorithm::Ps256,
            "PKCS#8 RSA",
            text(rsa.to_pem_private_key()),
        ),
        (
            Algorithm::Rs256,
            "PKCS#1",
            text(rsa.to_traditional_pem_private_key()),
        ),
    ];
    for (algorithm, curve) in [
        (Algorithm::Es256, EcCurve::P256),
        (Algorithm::Es384, EcCurve::P384),
        (Algorithm::Es512, EcCurve::P521),
    ] {
        let pair = EcKeyPair::generate(curve).expect("a key");
        let sec1 = text(pair.to_traditional_pem_private_key());
        rows.push((algorithm, "PKCS#8 EC", text(pair.to_pem_private_key())));
        rows.push((
            algorithm,
            "SEC 1 behind its curve",
            format!("-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n{sec1}"),
        ));
        rows.push((algorithm, "SEC 1", sec1));
    }
    let pair = EdKeyPair::generate(EdCurve::Ed25519).expect("a key");
    rows.push((
        Algorithm::Ed25519,
        "PKCS#8 Ed25519",
        text(pair.to_pem_private_key()),
    ));
    for (algorithm, what, pem) in rows {
        let key = PrivateJwk::from_pem(&pem, Some(algorithm), None)
            .unwrap_or_else(|error| panic!("{what} {algorithm}: {error}"));
        assert_eq!(
            (key.algorithm(), key.key_id()),
            (algorithm, key.public().thumbprint().as_str()),
            "{what}"
        );
        let token = sign(&key.signing_key().expect("a signer"), None, b"{}").expect("a token");
        let public = VerificationKey::from_jwk(key.public()).expect("a public key");
        assert_eq!(accepts(&token, &public), Ok(()), "{what} {algorithm}");
        match key.public().key_type() {
            KeyType::Rsa => {
                assert_eq!(
                    PrivateJwk::from_pem(&pem, None, None).err(),
                    Some(SigningError::NoAlgorithm),
                    "{what}"
                );
            }
            _ => assert_eq!(
                PrivateJwk::from_pem(&pem, None, None)
                    .map(|key| key.algorithm())
                    .ok(),
                Some(algorithm),
                "{what}"
            ),
        }
        let other = if algorithm == Algorithm::Es384 {
            Algorithm::Es256
        } else {
            Algorithm::Es384
        };
        assert!(
            PrivateJwk::from_pem(&pem, Some(other), None).is_err(),
            "{what} for {other}"
        );
    }
}

/// `openssl pkcs12 -nodes` writes attributes before each block, and the certificate beside the key;
/// mail and YAML indent and wrap.
#[test]
fn what_stands_beside_the_private_key_is_passed_over() {
    let certificate = pem_of("CERTIFICATE", &base64_of_pem(PEM));
    let attributes = "Bag Attributes\n    localKeyID: 54 69 6D\n    friendlyName: billing -----BEGIN of it\nKey Attributes: <No Attributes>\n";
    let public = String::from_utf8(
        RsaKeyPair::from_pem(PEM)
            .expect("the key")
            .to_pem_public_key(),
    )
    .expect("PEM is text");
    let one_line = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        PEM.lines()
            .filter(|line| !line.starts_with('-'))
            .collect::<String>()
    );
    let expected = rsa_private().public().thumbprint();
    for (what, pem) in [
        ("bag attributes", format!("{attributes}{PEM}")),
        (
            "pkcs12 -nodes",
            format!(
                "{attributes}{PEM}{attributes}subject=CN = billing\nissuer=CN = ca\n{certificate}{certificate}"
            ),
        ),
        ("certificate first", format!("{certificate}{PEM}")),
        ("its public key beside it", format!("{public}{PEM}")),
        (
            "text before and after",
            format!("# the key of billing\n\n{PEM}\nend"),
        ),
        ("one line", one_line),
        (
            "indented",
            PEM.lines()
                .map(|line| format!("    {line}  \r\n"))
                .collect(),
        ),
        (
            "PKCS#1",
            String::from_utf8(
                RsaKeyPair::from_pem(PEM)
                    .expect("the key")
                    .to_traditional_pem_private_key(),
            )
            .expect("PEM is text"),
        ),
    ] {
        let key = PrivateJwk::from_pem(&pem, Some(Algorithm::Rs256), None)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(key.public().thumbprint(), expected, "{what}");
    }
    // And the certificate of such a text is found, for its thumbprint.
    let both = format!("{attributes}{PEM}{attributes}{certificate}");
    assert_eq!(
        grantor_jose::certificate_from_pem(&both),
        Ok(base64_of_pem(PEM))
    );
    assert_eq!(
        grantor_jose::certificate_from_pem(PEM),
        Err(SigningError::CertificatePem)
    );
}

#[test]
fn what_a_pem_holds_instead_of_a_private_key_is_said_by_name() {
    let text = |pem: Vec<u8>| String::from_utf8(pem).expect("PEM is text");
    let (own, der) = (
        RsaKeyPair::from_pem(PEM).expect("the key"),
        base64_of_pem(PEM),
    );
    let ec = EcKeyPair::generate(EcCurve::P256).expect("a key");
    let other_curve = EcKeyPair::generate(EcCurve::Secp256k1).expect("a key");
    // The same key, said to be for PSS only (RFC 4055 §1.2): another algorithm's key is not taken
    // for one of rsaEncryption.
    let rsa_encryption = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let at = der
        .windows(9)
        .position(|window| window == rsa_encryption)
        .expect("the key's algorithm");
    let mut for_pss = der.clone();
    for_pss[at + 8] = 0x0a;
    let certificate = pem_of("CERTIFICATE", &der);
    let ec_der = base64_of_pem(&text(ec.to_pem_private_key()));
    let legacy = PEM.replace(
        "PRIVATE KEY-----\nMII",
        "RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AA\n\nMII",
    );
    let rows = [
        ("empty", String::new(), PemError::Empty),
        ("white", " \n".to_owned(), PemError::Empty),
        ("not PEM", "not PEM".to_owned(), PemError::NoBlock),
        (
            "JSON",
            rsa_private().expose_json().to_owned(),
            PemError::NoBlock,
        ),
        (
            "a public key",
            text(own.to_pem_public_key()),
            PemError::PublicKey,
        ),
        (
            "a PKCS#1 public key",
            text(own.to_traditional_pem_public_key()),
            PemError::PublicKey,
        ),
        ("a certificate", certificate.clone(), PemError::Certificate),
        (
            "a certificate's label",
            text(ec.to_pem_private_key()).replace("PRIVATE KEY", "CERTIFICATE"),
            PemError::Certificate,
        ),
        (
            "a request",
            pem_of("CERTIFICATE REQUEST", &der),
            PemError::CertificateRequest,
        ),
        ("parameters", pem_of("DH PARAMETERS", &der), PemError::NoKey),
        (
            "encrypted",
            PEM.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            PemError::Encrypted,
        ),
        (
            "encrypted, with its certificate",
            format!(
                "{}{certificate}",
                PEM.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
            ),
            PemError::Encrypted,
        ),
        (
            "encrypted in the old way",
            legacy.replace("END PRIVATE", "END RSA PRIVATE"),
            PemError::Encrypted,
        ),
        (
            "OpenSSH",
            pem_of("OPENSSH PRIVATE KEY", b"openssh-key-v1"),
            PemError::OpenSsh,
        ),
        (
            "two keys",
            format!("{PEM}{}", text(ec.to_pem_private_key())),
            PemError::Several(2),
        ),
        (
            "another curve",
            text(other_curve.to_pem_private_key()),
            PemError::Curve,
        ),
        (
            "another curve, SEC 1",
            text(other_curve.to_traditional_pem_private_key()),
            PemError::Curve,
        ),
        (
            "Ed448",
            text(
                EdKeyPair::generate(EdCurve::Ed448)
                    .expect("a key")
                    .to_pem_private_key(),
            ),
            PemError::KeyType,
        ),
        ("DSA", pem_of("DSA PRIVATE KEY", &der), PemError::KeyType),
        (
            "a key for PSS",
            pem_of("PRIVATE KEY", &for_pss),
            PemError::KeyType,
        ),
        (
            "PKCS#8 labelled PKCS#1",
            PEM.replace("PRIVATE KEY", "RSA PRIVATE KEY"),
            PemError::Damaged,
        ),
        (
            "truncated",
            pem_of("PRIVATE KEY", &der[..der.len() - 1]),
            PemError::Damaged,
        ),
        (
            "followed by an octet",
            pem_of("PRIVATE KEY", &[der.as_slice(), &[0]].concat()),
            PemError::Damaged,
        ),
        (
            "a truncated EC key",
            pem_of("PRIVATE KEY", &ec_der[..ec_der.len() - 1]),
            PemError::Damaged,
        ),
        (
            "no base64",
            "-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----\n".to_owned(),
            PemError::Damaged,
        ),
        (
            "cut off",
            PEM[..PEM.len() - 30].to_owned(),
            PemError::Unfinished,
        ),
    ];
    let mut words = Vec::new();
    for (what, pem, expected) in rows {
        assert_eq!(
            PrivateJwk::from_pem(&pem, Some(Algorithm::Rs256), None).err(),
            Some(SigningError::Pem(expected)),
            "{what}"
        );
        words.push(expected.to_string());
    }
    words.sort_unstable();
    words.dedup();
    assert_eq!(
        words.len(),
        13,
        "each cause has words of its own: {words:#?}"
    );
    assert!(
        PrivateJwk::from_pem(PEM, Some(Algorithm::Rs256), None).is_ok(),
        "the control"
    );
    let small = text(
        RsaKeyPair::generate(1024)
            .expect("a key")
            .to_pem_private_key(),
    );
    let small = PrivateJwk::from_pem(&small, Some(Algorithm::Rs256), None).err();
    assert_eq!(small, Some(JwkError::RsaBits(1024).into()));
    for algorithm in [Algorithm::Es256, Algorithm::Ed25519, Algorithm::Hs256] {
        assert!(
            PrivateJwk::from_pem(PEM, Some(algorithm), None).is_err(),
            "{algorithm}"
        );
    }
}

/// A header with members of the caller's, signed by somebody else.
#[test]
fn a_signing_input_with_a_foreign_signature_is_a_token() {
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let header = [("x5t#S256", "abc"), ("alg", "none"), ("kid", "a")]
        .map(|(name, value)| (name.to_owned(), value.into()));
    let input = signing_input(Algorithm::Es256, header.into_iter().collect(), b"{}");
    let signature = key
        .signing_key()
        .expect("a signer")
        .sign(input.as_bytes())
        .expect("a signature");
    let token = compact(input, &signature);
    let public = VerificationKey::from_jwk(key.public()).expect("a public key");
    assert_eq!(accepts(&token, &public), Ok(()));
    let header = base64url_decode(token.split('.').next().expect("a header")).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    assert_eq!(
        header,
        json!({"alg": "ES256", "kid": "a", "x5t#S256": "abc"})
    );
}

/// The DER in a PEM, which base64url has but for two letters and the padding.
fn base64_of_pem(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64url_decode(
        lines
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_"),
    )
    .expect("base64")
}

fn pem_of(label: &str, der: &[u8]) -> String {
    let mut base64 = base64url_encode(der).replace('-', "+").replace('_', "/");
    base64.push_str(["", "", "==", "="][base64.len() % 4]);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).expect("ASCII"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// Whatever is written to a log with `{:?}`: no private number in any of the forms in which it
/// could be written.
#[test]
fn debug_output_never_shows_private_material_or_a_whole_token() {
    for algorithm in signature_algorithms() {
        let key = PrivateJwk::generate(algorithm).expect("a key");
        let jwk: Value = serde_json::from_str(key.expose_json()).expect("JSON");
        let signing = key.signing_key().expect("a signer");
        let token = sign(&signing, None, b"{}").expect("a token");
        let output = format!(
            "{key:?} {key:#?} {signing:?} {:?} {:?} {:?}",
            key.public(),
            VerificationKey::from_jwk(key.public()),
            PrivateJwk::parse(key.expose_json().as_bytes(), None),
        );
        assert!(
            output.contains(key.key_id()),
            "the kid tells keys apart in a log"
        );
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            if let Some(secret) = jwk.get(member).and_then(Value::as_str) {
                assert_hides(
                    &output,
                    &base64url_decode(secret).expect("base64url"),
                    member,
                );
            }
        }
        let signature =
            base64url_decode(token.rsplit('.').next().expect("a signature")).expect("base64url");
        assert_hides(
            &format!("{:?}", Unverified::parse(&token)),
            &signature,
            "the signature of a token that may still be valid",
        );
    }
    let secret = *b"a client's secret of enough octets: sixty-four of them at least!";
    let (signing, verification) = (
        SigningKey::from_secret(&secret, Algorithm::Hs512),
        VerificationKey::from_secret(&secret, Some(Algorithm::Hs512)),
    );
    let sealing = grantor_jose::crypto::SealingKey::new(&[0xa7; 32]);
    assert!(signing.is_ok() && verification.is_ok());
    assert_hides(
        &format!("{signing:?} {verification:?} {verification:#?}"),
        &secret,
        "a shared secret",
    );
    assert_hides(&format!("{sealing:?}"), &[0xa7; 32], "a sealing key");
}

fn assert_hides(output: &str, secret: &[u8], what: &str) {
    let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
    let decimal = format!("{secret:?}");
    let forms = [
        base64url_encode(secret),
        hex,
        decimal.trim_matches(['[', ']']).to_owned(),
        String::from_utf8_lossy(secret).into_owned(),
    ];
    for form in forms {
        assert!(!output.contains(&form), "{what} is shown");
    }
}

#[test]
fn curves_and_algorithms_agree_on_lengths() {
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        assert_eq!(Curve::from_name(curve.name()), Some(curve));
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.key_type() == KeyType::Ec(curve))
            .expect("one each");
        assert_eq!(
            algorithm.signature_bytes(),
            Some(2 * curve.coordinate_bytes())
        );
    }
}
