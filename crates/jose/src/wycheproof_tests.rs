//! The published vectors of raw signatures and MACs, against the one crate-private function that
//! all verification goes through.
//!
//! They sign arbitrary octets, which no JWS carries, so they cannot be run through the public
//! surface. Those that are JWS are in `tests/wycheproof.rs`. A case is counted as it is judged, so
//! that no file can pass by running nothing.

#[path = "../tests/jose/vectors/mod.rs"]
mod vectors;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Algorithm, Curve, Jwk, JwkError, VerificationKey, base64url};

/// How many cases ended how: `accepted`, `refused`, or a named reason for which a case was not
/// comparable.
type Tally = BTreeMap<&'static str, usize>;

fn count(tally: &mut Tally, outcome: &'static str) {
    *tally.entry(outcome).or_default() += 1;
}

fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd hex");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

fn octets(value: &Value, name: &str) -> Vec<u8> {
    hex(value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no '{name}'")))
}

fn without_leading_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|&&octet| octet == 0).count();
    number.drain(..zeros);
    number
}

fn jwk(members: Value) -> Result<VerificationKey, JwkError> {
    Jwk::parse(members.to_string().as_bytes()).and_then(VerificationKey::from_jwk)
}

fn rsa_key(public: &Value, algorithm: Option<Algorithm>) -> VerificationKey {
    let number = |name| base64url::encode(without_leading_zeros(octets(public, name)));
    let mut members = json!({"kty": "RSA", "n": number("modulus"), "e": number("publicExponent")});
    if let Some(algorithm) = algorithm {
        members["alg"] = algorithm.name().into();
    }
    jwk(members).expect("Wycheproof's RSA keys are sound")
}

fn ec_key(public: &Value, curve: Curve) -> VerificationKey {
    let coordinate = |name| {
        let number = without_leading_zeros(octets(public, name));
        let mut padded = vec![0; curve.coordinate_bytes() - number.len()];
        padded.extend(number);
        base64url::encode(padded)
    };
    jwk(json!({"kty": "EC", "crv": curve.name(), "x": coordinate("wx"), "y": coordinate("wy")}))
        .expect("Wycheproof's EC keys are sound")
}

fn ed25519_key(x: &[u8]) -> Result<VerificationKey, JwkError> {
    jwk(json!({"kty": "OKP", "crv": "Ed25519", "x": base64url::encode(x)}))
}

/// Judges one Wycheproof case: `valid` must verify, `invalid` must not, `acceptable` may do either.
fn judge(file: &str, test: &Value, key: &VerificationKey, algorithm: Algorithm, tally: &mut Tally) {
    let signature = octets(
        test,
        if test.get("tag").is_some() {
            "tag"
        } else {
            "sig"
        },
    );
    let verifies = key
        .verify(algorithm, &octets(test, "msg"), &signature)
        .is_ok();
    let case = format!("{file} {}: {}", test["tcId"], test["comment"]);
    match test["result"].as_str() {
        Some("valid") => assert!(verifies, "valid, but refused: {case}"),
        Some("invalid") => assert!(!verifies, "invalid, but accepted: {case}"),
        Some("acceptable") => {}
        other => panic!("unknown result {other:?}: {case}"),
    }
    count(tally, if verifies { "accepted" } else { "refused" });
}

#[test]
fn judges_fixed_length_ecdsa_as_wycheproof_does() {
    let rows = [
        (
            "ecdsa_secp256r1_sha256_p1363",
            Algorithm::Es256,
            Curve::P256,
            (173, 89),
        ),
        (
            "ecdsa_secp384r1_sha384_p1363",
            Algorithm::Es384,
            Curve::P384,
            (193, 87),
        ),
        (
            "ecdsa_secp521r1_sha512_p1363",
            Algorithm::Es512,
            Curve::P521,
            (231, 87),
        ),
    ];
    for (file, algorithm, curve, (accepted, refused)) in rows {
        let Some(groups) = vectors::wycheproof(file) else {
            return;
        };
        let mut tally = Tally::new();
        for (group, tests) in groups {
            let key = ec_key(&group["publicKey"], curve);
            if let published @ Value::Object(_) = &group["publicKeyJwk"] {
                let published = Jwk::parse(published.to_string().as_bytes())
                    .expect("Wycheproof's JWKs are sound");
                assert_eq!(key.jwk().map(Jwk::thumbprint), Some(published.thumbprint()));
            }
            tests
                .iter()
                .for_each(|test| judge(file, test, &key, algorithm, &mut tally));
        }
        assert_eq!(
            tally,
            Tally::from([("accepted", accepted), ("refused", refused)]),
            "{file}"
        );
    }
}

/// The two numbers of a DER `Ecdsa-Sig-Value` that is known to be well formed, as JOSE wants them.
fn fixed_length_of_valid_der(der: &[u8], curve: Curve) -> Vec<u8> {
    let integers = if der[1] == 0x81 { &der[3..] } else { &der[2..] };
    let (r_and_tag, rest) = integers.split_at(2 + integers[1] as usize);
    let mut fixed = Vec::new();
    for integer in [r_and_tag, rest] {
        let number = without_leading_zeros(integer[2..].to_vec());
        fixed.resize(fixed.len() + curve.coordinate_bytes() - number.len(), 0);
        fixed.extend(number);
    }
    fixed
}

#[test]
fn refuses_every_der_encoded_ecdsa_signature_also_those_valid_as_der() {
    let rows = [
        (
            "ecdsa_secp256r1_sha256",
            Algorithm::Es256,
            Curve::P256,
            (174, 310),
        ),
        (
            "ecdsa_secp384r1_sha384",
            Algorithm::Es384,
            Curve::P384,
            (194, 310),
        ),
        (
            "ecdsa_secp521r1_sha512",
            Algorithm::Es512,
            Curve::P521,
            (232, 310),
        ),
    ];
    for (file, algorithm, curve, (valid, invalid)) in rows {
        let Some(groups) = vectors::wycheproof(file) else {
            return;
        };
        let mut tally = Tally::new();
        for (group, tests) in groups {
            let key = ec_key(&group["publicKey"], curve);
            for test in tests {
                let (message, der) = (octets(&test, "msg"), octets(&test, "sig"));
                assert!(
                    key.verify(algorithm, &message, &der).is_err(),
                    "{file} {}",
                    test["tcId"]
                );
                let is_valid = test["result"] == "valid";
                count(
                    &mut tally,
                    if is_valid { "valid DER" } else { "invalid DER" },
                );
                // The control: the same signature verifies once R and S stand as RFC 7518 §3.4
                // wants them.
                if is_valid {
                    let fixed = fixed_length_of_valid_der(&der, curve);
                    assert!(
                        key.verify(algorithm, &message, &fixed).is_ok(),
                        "{file} {} as R || S",
                        test["tcId"]
                    );
                }
            }
        }
        assert_eq!(
            tally,
            Tally::from([("valid DER", valid), ("invalid DER", invalid)]),
            "{file}"
        );
    }
}

#[test]
fn judges_rsa_pkcs1_as_wycheproof_does() {
    let rows = [
        ("rsa_signature_2048_sha256", Algorithm::Rs256, (9, 250)),
        ("rsa_signature_2048_sha384", Algorithm::Rs384, (7, 251)),
        ("rsa_signature_2048_sha512", Algorithm::Rs512, (8, 251)),
        ("rsa_signature_3072_sha256", Algorithm::Rs256, (8, 251)),
        ("rsa_signature_3072_sha384", Algorithm::Rs384, (7, 252)),
        ("rsa_signature_3072_sha512", Algorithm::Rs512, (8, 252)),
        ("rsa_signature_4096_sha256", Algorithm::Rs256, (7, 251)),
        ("rsa_signature_4096_sha384", Algorithm::Rs384, (7, 252)),
        ("rsa_signature_4096_sha512", Algorithm::Rs512, (7, 252)),
        ("rsa_signature_8192_sha256", Algorithm::Rs256, (7, 251)),
    ];
    for (file, algorithm, (accepted, refused)) in rows {
        let Some(groups) = vectors::wycheproof(file) else {
            return;
        };
        let mut tally = Tally::new();
        for (group, tests) in groups {
            let key = rsa_key(&group["publicKey"], Some(algorithm));
            tests
                .iter()
                .for_each(|test| judge(file, test, &key, algorithm, &mut tally));
        }
        // The one `acceptable` case of each file lacks the NULL parameter, which RFC 8017 §A.2.4
        // wants: it is refused.
        assert_eq!(
            tally,
            Tally::from([("accepted", accepted), ("refused", refused)]),
            "{file}"
        );
    }
}

#[test]
fn judges_rsa_pss_as_wycheproof_does() {
    let rows = [
        ("rsa_pss_2048_sha256_mgf1_32", Algorithm::Ps256, (63, 45)),
        ("rsa_pss_2048_sha384_mgf1_48", Algorithm::Ps384, (95, 46)),
        ("rsa_pss_3072_sha256_mgf1_32", Algorithm::Ps256, (63, 45)),
        ("rsa_pss_4096_sha256_mgf1_32", Algorithm::Ps256, (63, 45)),
        ("rsa_pss_4096_sha384_mgf1_48", Algorithm::Ps384, (95, 46)),
        ("rsa_pss_4096_sha512_mgf1_64", Algorithm::Ps512, (132, 47)),
    ];
    for (file, algorithm, (accepted, refused)) in rows {
        let Some(groups) = vectors::wycheproof(file) else {
            return;
        };
        let mut tally = Tally::new();
        for (group, tests) in groups {
            let key = rsa_key(&group["publicKey"], Some(algorithm));
            tests
                .iter()
                .for_each(|test| judge(file, test, &key, algorithm, &mut tally));
        }
        assert_eq!(
            tally,
            Tally::from([("accepted", accepted), ("refused", refused)]),
            "{file}"
        );
    }
}

/// All 150 are correct PSS signatures; JOSE has only those whose MGF1 hash is the message's and
/// whose salt is as long as it.
#[test]
fn refuses_pss_parameters_that_jose_does_not_have() {
    let Some(groups) = vectors::wycheproof("rsa_pss_misc") else {
        return;
    };
    let jose = [
        ("SHA-256", 32, Algorithm::Ps256),
        ("SHA-384", 48, Algorithm::Ps384),
        ("SHA-512", 64, Algorithm::Ps512),
    ];
    let mut tally = Tally::new();
    for (group, tests) in groups {
        let key = rsa_key(&group["publicKey"], None);
        let fits = |(hash, salt, _): &(&str, i64, Algorithm)| {
            group["sha"] == *hash && group["mgfSha"] == *hash && group["sLen"] == *salt
        };
        let expected = jose.into_iter().find(fits).map(|row| row.2);
        for test in tests {
            let (message, signature) = (octets(&test, "msg"), octets(&test, "sig"));
            let accepting: Vec<_> = Algorithm::ALL
                .into_iter()
                .filter(|algorithm| key.verify(*algorithm, &message, &signature).is_ok())
                .collect();
            assert_eq!(
                accepting,
                Vec::from_iter(expected),
                "{} {}",
                test["tcId"],
                group["sha"]
            );
            let reason = if group["sha"] != group["mgfSha"] {
                "refused: MGF1 hash"
            } else {
                "refused: hash or salt length"
            };
            count(
                &mut tally,
                if expected.is_some() {
                    "accepted"
                } else {
                    reason
                },
            );
        }
    }
    let expected = [
        ("accepted", 3),
        ("refused: MGF1 hash", 120),
        ("refused: hash or salt length", 27),
    ];
    assert_eq!(tally, Tally::from(expected));
}

#[test]
fn judges_ed25519_as_wycheproof_does() {
    let Some(groups) = vectors::wycheproof("ed25519") else {
        return;
    };
    let mut tally = Tally::new();
    for (group, tests) in groups {
        let key = ed25519_key(&octets(&group["publicKey"], "pk"))
            .expect("Wycheproof's Ed25519 keys are sound");
        for algorithm in [Algorithm::Ed25519, Algorithm::EdDsa] {
            tests
                .iter()
                .for_each(|test| judge("ed25519", test, &key, algorithm, &mut tally));
        }
    }
    assert_eq!(
        tally,
        Tally::from([("accepted", 2 * 88), ("refused", 2 * 63)])
    );
}

/// What each flag of CCTV's edge cases asks for. Our rule is that of ed25519-dalek's
/// `verify_strict`:
///
/// * `low_order_A`, `non_canonical_A`: the key is refused before any signature is seen;
/// * `low_order_R`, `non_canonical_R`: the signature is refused;
/// * `low_order_residue`: refused, because the equation is checked without the cofactor (RFC 8032
///   §5.1.7 leaves the choice);
/// * only `low_order_component_A` or `_R`: no blocklist can tell such a point, and the equation
///   holds: accepted;
/// * `reencoded_k` occurs only together with a non-canonical point.
#[test]
fn refuses_ed25519_edge_cases_by_flag() {
    let Some(cases) = vectors::json("cctv-ed25519/ed25519vectors.json") else {
        return;
    };
    let mut tally = Tally::new();
    for case in cases.as_array().expect("an array") {
        let has = |flag: &str| {
            case["flags"]
                .as_array()
                .is_some_and(|flags| flags.iter().any(|other| other == flag))
        };
        let key = ed25519_key(&octets(case, "key"));
        let unsafe_key = has("low_order_A") || has("non_canonical_A");
        assert_eq!(
            key.as_ref().err(),
            unsafe_key.then_some(&JwkError::Point),
            "{}",
            case["number"]
        );
        let Ok(key) = key else {
            count(&mut tally, "refused: key");
            continue;
        };
        let message = case["msg"].as_str().expect("a message").as_bytes();
        let verifies = key
            .verify(Algorithm::Ed25519, message, &octets(case, "sig"))
            .is_ok();
        let unsafe_point = has("low_order_R") || has("non_canonical_R");
        assert_eq!(
            verifies,
            !unsafe_point && !has("low_order_residue"),
            "{} {}",
            case["number"],
            case["flags"]
        );
        count(
            &mut tally,
            match (unsafe_point, verifies) {
                (true, _) => "refused: R",
                (false, false) => "refused: residue",
                (false, true) => "accepted",
            },
        );
    }
    let expected = [
        ("accepted", 43),
        ("refused: R", 282),
        ("refused: key", 526),
        ("refused: residue", 63),
    ];
    assert_eq!(tally, Tally::from(expected));
}

/// The twelve cases of "Taming the many EdDSAs" (eprint 2020/1244, table 5).
#[test]
fn refuses_the_ed25519_speccheck_cases() {
    let Some(cases) = vectors::json("ed25519-speccheck/cases.json") else {
        return;
    };
    // 0 to 2: small order A or R. 6, 7: S >= L. 8, 9: non-canonical R. 10, 11: non-canonical A of
    // small order. 3 to 5: mixed order; 3 verifies with and without the cofactor, 4 and 5 only
    // with it. Nothing forbids either answer.
    let must_refuse = [0, 1, 2, 6, 7, 8, 9, 10, 11];
    let cases = cases.as_array().expect("an array");
    assert_eq!(cases.len(), 12);
    for (index, case) in cases.iter().enumerate() {
        let verifies = ed25519_key(&octets(case, "pub_key")).is_ok_and(|key| {
            key.verify(
                Algorithm::Ed25519,
                &octets(case, "message"),
                &octets(case, "signature"),
            )
            .is_ok()
        });
        assert!(!(verifies && must_refuse.contains(&index)), "{index}");
    }
}

/// Half of the published tags are truncated, which JOSE does not know: each of those is refused,
/// `valid` or not.
#[test]
fn judges_full_length_hmac_as_wycheproof_does() {
    let rows = [
        ("hmac_sha256", Algorithm::Hs256),
        ("hmac_sha384", Algorithm::Hs384),
        ("hmac_sha512", Algorithm::Hs512),
    ];
    for (file, algorithm) in rows {
        let Some(groups) = vectors::wycheproof(file) else {
            return;
        };
        let mut tally = Tally::new();
        for (group, tests) in groups {
            let full = group["tagSize"] == algorithm.minimum_secret_bytes() * 8;
            for test in tests {
                let secret = octets(&test, "key");
                match VerificationKey::from_secret(&secret, Some(algorithm)) {
                    Err(error) => {
                        let needed = algorithm.minimum_secret_bytes();
                        assert_eq!(
                            error,
                            JwkError::WeakSecret {
                                algorithm,
                                needed,
                                got: secret.len()
                            }
                        );
                        count(&mut tally, "refused: weak secret");
                    }
                    Ok(key) if full => judge(file, &test, &key, algorithm, &mut tally),
                    Ok(key) => {
                        assert!(
                            key.verify(algorithm, &octets(&test, "msg"), &octets(&test, "tag"))
                                .is_err()
                        );
                        count(&mut tally, "refused: truncated tag");
                    }
                }
            }
        }
        let expected = [
            ("accepted", 30),
            ("refused", 54),
            ("refused: truncated tag", 84),
            ("refused: weak secret", 6),
        ];
        assert_eq!(tally, Tally::from(expected), "{file}");
    }
}

#[test]
fn refuses_keys_on_curves_jose_does_not_offer_here() {
    for (file, crv) in [
        ("ecdsa_secp256k1_sha256_p1363", "secp256k1"),
        ("ed448", "Ed448"),
    ] {
        let Some(groups) = vectors::wycheproof(file) else {
            return;
        };
        let mut refused = 0;
        for members in groups
            .iter()
            .filter_map(|(group, _)| group.get("publicKeyJwk"))
        {
            assert_eq!(
                jwk(members.clone()).err(),
                Some(JwkError::Unsupported("crv")),
                "{crv} {members}"
            );
            refused += 1;
        }
        assert!(refused >= 1, "{file}");
    }
}

/// Without the published vectors: CCTV's numbers 305 and 304, the same key with an honest R and
/// with R the identity. The equation holds for both; only the look at R tells them apart.
#[test]
fn refuses_a_typed_in_ed25519_signature_with_r_of_small_order() {
    let key = ed25519_key(&hex(
        "ef75b20e7540e3dff77404193652ba2bd13df99c1508eee1515e27ae25f28076",
    ))
    .expect("a sound key");
    let honest = "b62cf890de42c413b11b1411c9f01f1c4d77aa87ef182258d1251f69af2a350640657f1cb030f12543549bbabd848dc6403d354e7c99c4d0dcee9f63c9033b00";
    let identity = "0100000000000000000000000000000000000000000000000000000000000000330b30d6c1f07511e2208d233b6a34d4ed7109da2dea615bcd97daee3a842704";
    assert!(
        key.verify(Algorithm::Ed25519, b"ed25519vectors 5", &hex(honest))
            .is_ok()
    );
    assert!(
        key.verify(Algorithm::Ed25519, b"ed25519vectors 7", &hex(identity))
            .is_err()
    );
}

/// Without the published vectors: one typed-in signature of two families, and the same one changed
/// in its last octet.
#[test]
fn accepts_a_typed_in_signature_and_refuses_it_changed() {
    // RFC 8032 §7.1, test 2.
    let x = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let mut signature = hex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    let key = ed25519_key(&x).expect("a sound key");
    assert!(key.verify(Algorithm::Ed25519, &[0x72], &signature).is_ok());
    signature[63] ^= 1;
    assert!(key.verify(Algorithm::Ed25519, &[0x72], &signature).is_err());
    // RFC 4231 §4.8, test case 7: the one whose key is long enough for RFC 7518 §3.2.
    let key =
        VerificationKey::from_secret(&[0xaa; 131], Some(Algorithm::Hs256)).expect("a long secret");
    let message =
        b"This is a test using a larger than block-size key and a larger than block-size data. \
        The key needs to be hashed before being used by the HMAC algorithm.";
    let mut tag = hex("9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    assert!(key.verify(Algorithm::Hs256, message, &tag).is_ok());
    assert!(
        key.verify(Algorithm::Hs256, message, &tag[..16]).is_err(),
        "truncated"
    );
    tag[31] ^= 1;
    assert!(key.verify(Algorithm::Hs256, message, &tag).is_err());
}
