//! The worked examples of the specifications: RFC 7515 Appendix A, RFC 7638 §3.1 and RFC 8037
//! Appendix A typed in, and the RFC 7520 cookbook where the published vectors are.

use grantor_jose::{
    Algorithm, HeaderError, Jwk, JwkError, JwkSet, JwkSetError, JwsError, PrivateJwk, SigningKey,
    Unverified, VerificationKey, Verified, base64url_decode, base64url_encode, sign,
};
use serde_json::{Value, json};

/// RFC 7515 §A.1.1, the claims that A.1 to A.3 sign.
const CLAIMS: &str =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

const A1_SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const A1_TOKEN: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

const A2_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_\
    YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv\
    b3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
const A2_PRIVATE: [(&str, &str); 6] = [
    (
        "d",
        "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTG\
        oVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQ\
        UShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
    ),
    (
        "p",
        "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t\
        7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    ),
    (
        "q",
        "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njb\
        glfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
    ),
    (
        "dp",
        "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCd\
        y7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
    ),
    (
        "dq",
        "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr\
        2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
    ),
    (
        "qi",
        "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0IT\
        rJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
    ),
];
const A2_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKB\
    YNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6Bf\
    I7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

const A3_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

const A4_TOKEN: &str = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.\
    AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdO\
    O8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";

const ED25519_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
    hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

fn a2_key() -> Value {
    json!({"kty": "RSA", "n": A2_N, "e": "AQAB"})
}

fn a2_private_key() -> Value {
    let mut key = a2_key();
    for (name, value) in A2_PRIVATE {
        key[name] = value.into();
    }
    key
}

fn a3_key() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn a4_key() -> Value {
    json!({
        "kty": "EC", "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    })
}

fn ed25519_key() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn verification_key(jwk: &Value) -> VerificationKey {
    Jwk::parse(jwk.to_string().as_bytes())
        .and_then(VerificationKey::from_jwk)
        .expect("the example's key is sound")
}

fn a1_secret() -> Vec<u8> {
    base64url_decode(A1_SECRET).expect("base64url")
}

fn verify(token: &str, key: &VerificationKey) -> Result<Verified, JwsError> {
    Unverified::parse(token)?.verify(key)
}

/// The token with one bit of its payload changed, everything else as it was.
fn with_another_payload(token: &str) -> String {
    let segments: Vec<&str> = token.split('.').collect();
    let mut payload = base64url_decode(segments[1]).expect("base64url");
    payload[0] ^= 1;
    [segments[0], &base64url_encode(payload), segments[2]].join(".")
}

#[test]
fn accepts_the_examples_of_rfc_7515_and_rfc_8037_and_refuses_them_changed() {
    let secret = VerificationKey::from_secret(&a1_secret(), None).expect("64 octets");
    let rows = [
        ("RFC 7515 §A.1", A1_TOKEN, secret, Algorithm::Hs256, CLAIMS),
        (
            "RFC 7515 §A.2",
            A2_TOKEN,
            verification_key(&a2_key()),
            Algorithm::Rs256,
            CLAIMS,
        ),
        (
            "RFC 7515 §A.3",
            A3_TOKEN,
            verification_key(&a3_key()),
            Algorithm::Es256,
            CLAIMS,
        ),
        (
            "RFC 7515 §A.4",
            A4_TOKEN,
            verification_key(&a4_key()),
            Algorithm::Es512,
            "Payload",
        ),
        (
            "RFC 8037 §A.4",
            ED25519_TOKEN,
            verification_key(&ed25519_key()),
            Algorithm::EdDsa,
            "Example of Ed25519 signing",
        ),
    ];
    for (source, token, key, algorithm, payload) in rows {
        let verified = verify(token, &key).expect(source);
        assert_eq!(verified.payload(), payload.as_bytes(), "{source}");
        assert_eq!(verified.header().algorithm(), algorithm, "{source}");
        assert_eq!(
            verify(&with_another_payload(token), &key).err(),
            Some(JwsError::Signature),
            "{source}"
        );
    }
}

#[test]
fn the_header_of_rfc_7515_a1_is_read_with_its_line_breaks() {
    let token = Unverified::parse(A1_TOKEN).expect("a JWS");
    assert_eq!(token.header().typ(), Some("JWT"));
    assert_eq!(token.header().key_id(), None);
}

#[test]
fn refuses_the_unsecured_example_of_rfc_7515_a5() {
    let header = "eyJhbGciOiJub25lIn0";
    let payload = A1_TOKEN.split('.').nth(1).expect("a payload");
    assert_eq!(
        Unverified::parse(&format!("{header}.{payload}.")).err(),
        Some(JwsError::MissingSignature)
    );
    let with_something = format!("{header}.{payload}.AA");
    assert_eq!(
        Unverified::parse(&with_something).err(),
        Some(JwsError::Header(HeaderError::UnknownAlgorithm))
    );
}

#[test]
fn refuses_the_json_serialisations_of_rfc_7515_a6_and_a7() {
    let signature = A3_TOKEN.rsplit('.').next().expect("a signature");
    let payload = A3_TOKEN.split('.').nth(1).expect("a payload");
    let kid = json!({"kid": "e9bc097a-ce51-4036-9562-d2ade882db0d"});
    let flattened = json!({"payload": payload, "protected": "eyJhbGciOiJFUzI1NiJ9", "header": kid, "signature": signature});
    let one = json!({"protected": "eyJhbGciOiJFUzI1NiJ9", "header": kid, "signature": signature});
    let general = json!({"payload": payload, "signatures": [one]});
    for json in [flattened, general] {
        assert_eq!(
            Unverified::parse(&json.to_string()).err(),
            Some(JwsError::JsonSerialization)
        );
    }
}

/// Our own header differs (it has a `kid`, and no line breaks), so the example's payload must come
/// out, not its signature.
#[test]
fn signs_the_claims_of_rfc_7515_with_the_keys_of_the_examples() {
    let key = PrivateJwk::parse(
        a2_private_key().to_string().as_bytes(),
        Some(Algorithm::Rs256),
    )
    .expect("the example's key");
    let token = sign(
        &key.signing_key().expect("a signer"),
        None,
        CLAIMS.as_bytes(),
    )
    .expect("a token");
    assert_eq!(
        verify(&token, &verification_key(&a2_key()))
            .expect("our own signature")
            .payload(),
        CLAIMS.as_bytes()
    );
    assert_eq!(token.split('.').nth(1), A2_TOKEN.split('.').nth(1));

    let key = SigningKey::from_secret(&a1_secret(), Algorithm::Hs256).expect("64 octets");
    let token = sign(&key, Some("JWT"), CLAIMS.as_bytes()).expect("a token");
    assert_eq!(
        base64url_decode(token.split('.').next().expect("a header")),
        Some(br#"{"alg":"HS256","typ":"JWT"}"#.to_vec())
    );
}

#[test]
fn refuses_each_example_key_under_another_algorithm() {
    let rows = [
        (A2_TOKEN, a3_key()),
        (A3_TOKEN, a2_key()),
        (A4_TOKEN, a3_key()),
        (ED25519_TOKEN, a4_key()),
        (A1_TOKEN, a2_key()),
    ];
    for (token, jwk) in rows {
        let parsed = Unverified::parse(token).expect("a JWS");
        let algorithm = parsed.header().algorithm();
        assert_eq!(
            parsed.verify(&verification_key(&jwk)).err(),
            Some(JwsError::AlgorithmNotForKey(algorithm)),
            "{jwk}"
        );
    }
}

#[test]
fn thumbprints_are_those_of_rfc_7638_and_rfc_8037() {
    // RFC 7638 §3.1: alg and kid are not part of it.
    let rsa = json!({
        "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst\
            n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9\
            1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    });
    let rows = [
        (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ed25519_key(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ];
    for (jwk, thumbprint) in rows {
        assert_eq!(
            Jwk::parse(jwk.to_string().as_bytes())
                .expect("a sound key")
                .thumbprint(),
            thumbprint
        );
    }
}

#[test]
fn the_private_keys_of_the_examples_match_their_public_halves() {
    let with_d = |mut key: Value, d: &str| {
        key["d"] = d.into();
        key
    };
    let p521 =
        "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C";
    let rows = [
        (a2_private_key(), a2_key(), Algorithm::Rs256),
        (
            with_d(a3_key(), "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
            a3_key(),
            Algorithm::Es256,
        ),
        (with_d(a4_key(), p521), a4_key(), Algorithm::Es512),
        (
            with_d(ed25519_key(), "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"),
            ed25519_key(),
            Algorithm::EdDsa,
        ),
    ];
    for (private, public, algorithm) in rows {
        let key = PrivateJwk::parse(private.to_string().as_bytes(), Some(algorithm))
            .expect("the example's key");
        let token = sign(&key.signing_key().expect("a signer"), None, b"payload").expect("a token");
        assert_eq!(
            verify(&token, &verification_key(&public))
                .expect("our signature")
                .payload(),
            b"payload",
            "{algorithm}"
        );
    }
}

/// RFC 7520 §4.1 to §4.4 in compact form, and RFC 8037 from the same collection.
#[test]
fn accepts_the_compact_signatures_of_the_cookbook() {
    let files = [
        ("jws/4_1.rsa_v15_signature", Algorithm::Rs256),
        ("jws/4_2.rsa-pss_signature", Algorithm::Ps384),
        ("jws/4_3.ecdsa_signature", Algorithm::Es512),
        ("jws/4_4.hmac-sha2_integrity_protection", Algorithm::Hs256),
        ("curve25519/jws", Algorithm::EdDsa),
    ];
    for (file, algorithm) in files {
        let Some(example) = crate::vectors::json(&format!("jose-cookbook/{file}.json")) else {
            return;
        };
        let key = cookbook_key(&example["input"]["key"], algorithm);
        let token = text(&example["output"]["compact"]);
        let verified = verify(token, &key).expect(file);
        assert_eq!(
            verified.payload(),
            text(&example["input"]["payload"]).as_bytes(),
            "{file}"
        );
        assert_eq!(
            verify(&with_another_payload(token), &key).err(),
            Some(JwsError::Signature),
            "{file}"
        );
        for serialisation in ["json", "json_flat"] {
            let json = example["output"][serialisation].to_string();
            assert_eq!(
                Unverified::parse(&json).err(),
                Some(JwsError::JsonSerialization),
                "{file}"
            );
        }
    }
}

/// RFC 7520 §4.1 is reproducible and has our header: the same key and payload give the very same
/// token.
#[test]
fn reproduces_the_rs256_token_of_the_cookbook() {
    let Some(example) = crate::vectors::json("jose-cookbook/jws/4_1.rsa_v15_signature.json") else {
        return;
    };
    let private = PrivateJwk::parse(
        example["input"]["key"].to_string().as_bytes(),
        Some(Algorithm::Rs256),
    )
    .expect("the key");
    let token = sign(
        &private.signing_key().expect("a signer"),
        None,
        text(&example["input"]["payload"]).as_bytes(),
    );
    assert_eq!(token.as_deref(), Ok(text(&example["output"]["compact"])));
}

#[test]
fn refuses_what_the_cookbook_serialises_otherwise() {
    let Some(detached) =
        crate::vectors::json("jose-cookbook/jws/4_5.signature_with_detached_content.json")
    else {
        return;
    };
    let key = cookbook_key(&detached["input"]["key"], Algorithm::Hs256);
    let token = text(&detached["output"]["compact"]);
    assert_eq!(
        verify(token, &key).err(),
        Some(JwsError::Signature),
        "an empty payload was not what was signed"
    );
    let attached = token.replace(
        "..",
        &format!(
            ".{}.",
            base64url_encode(text(&detached["input"]["payload"]))
        ),
    );
    assert!(
        verify(&attached, &key).is_ok(),
        "the control: the same signature with its payload"
    );

    for file in [
        "jws/4_6.protecting_specific_header_fields",
        "jws/4_7.protecting_content_only",
        "jws/4_8.multiple_signatures",
        "rfc7797/4.2.hmac-sha2_b64_false",
        "rfc7797/hmac-sha2_b64_false",
    ] {
        let example = crate::vectors::json(&format!("jose-cookbook/{file}.json"))
            .expect("the vectors are there");
        for serialisation in ["json", "json_flat", "compact"] {
            let Some(output) = example["output"].get(serialisation) else {
                continue;
            };
            let token = output
                .as_str()
                .map_or_else(|| output.to_string(), str::to_owned);
            assert!(Unverified::parse(&token).is_err(), "{file} {serialisation}");
        }
    }

    let nested = crate::vectors::json("jose-cookbook/6.nesting_signatures_and_encryption.json")
        .expect("the vectors are there");
    let token = text(&nested["encrypt"]["output"]["compact"]);
    assert_eq!(Unverified::parse(token).err(), Some(JwsError::Encrypted));
}

#[test]
fn reads_the_keys_of_the_cookbook_where_they_belong() {
    let Some(public) = crate::vectors::json("jose-cookbook/jwk/3_1.ec_public_key.json") else {
        return;
    };
    let read = |file: &str| {
        crate::vectors::json(&format!("jose-cookbook/jwk/{file}.json"))
            .expect("the vectors are there")
    };
    let rsa_public = read("3_3.rsa_public_key");
    for key in [&public, &rsa_public] {
        assert_eq!(
            verification_key(key).key_id(),
            Some("bilbo.baggins@hobbiton.example")
        );
    }
    for (file, member) in [
        ("3_2.ec_private_key", "d"),
        ("3_4.rsa_private_key", "d"),
        ("3_5.symmetric_key_mac_computation", "k"),
        ("3_6.symmetric_key_encryption", "k"),
    ] {
        let key = read(file);
        assert_eq!(
            Jwk::parse(key.to_string().as_bytes()),
            Err(JwkError::Private(member)),
            "{file}"
        );
        let set = json!({"keys": [public, key]}).to_string();
        let error = JwkError::Private(member);
        assert_eq!(
            JwkSet::parse(set.as_bytes()).err(),
            Some(JwkSetError::Private { index: 1, error }),
            "{file}"
        );
    }
    for (file, public, algorithm) in [
        ("3_2.ec_private_key", &public, None),
        ("3_4.rsa_private_key", &rsa_public, Some(Algorithm::Rs256)),
    ] {
        let key = PrivateJwk::parse(read(file).to_string().as_bytes(), algorithm).expect(file);
        let token = sign(&key.signing_key().expect("a signer"), None, b"payload").expect("a token");
        assert!(verify(&token, &verification_key(public)).is_ok(), "{file}");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// The key of a cookbook example, which gives the private or symmetric key with each signature.
fn cookbook_key(key: &Value, algorithm: Algorithm) -> VerificationKey {
    if algorithm.is_mac() {
        let secret = base64url_decode(text(&key["k"])).expect("base64url");
        return VerificationKey::from_secret(&secret, Some(algorithm))
            .expect("a long enough secret");
    }
    let private =
        PrivateJwk::parse(key.to_string().as_bytes(), Some(algorithm)).expect("a private key");
    VerificationKey::from_jwk(private.public()).expect("its public half")
}
