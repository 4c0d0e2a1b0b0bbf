//! Two other implementations as judges: jsonwebtoken, and josekit, which does its arithmetic in
//! OpenSSL.
//!
//! What we sign they accept, what they sign we accept; and of thousands of altered or unusual
//! tokens, whatever we accept they accept too. The converse does not hold: we refuse duplicates,
//! `crit`, padding and more that they let pass.

use std::collections::HashSet;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm,
};
use grantor_jose::{
    Algorithm, PrivateJwk, SigningKey, Unverified, VerificationKey, base64url_decode,
    base64url_encode, sign,
};
use josekit::{
    jwk::{Jwk as JosekitJwk, alg::ed::EdKeyPair},
    jws::{self, JwsHeader, JwsSigner, JwsVerifier},
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// 64 octets: enough for each HMAC.
const SECRET: [u8; 64] = *b"sixty-four octets, which are enough of a secret for every HMAC..";
const PAYLOAD: &str = r#"{"iss":"billing","aud":"https://as.example","n":1}"#;

/// One algorithm, with the same key in each of the three implementations.
struct Judges {
    algorithm: Algorithm,
    signing: SigningKey,
    verification: VerificationKey,
    josekit_signer: Box<dyn JwsSigner>,
    josekit_verifier: Box<dyn JwsVerifier>,
    jsonwebtoken: Option<Jsonwebtoken>,
}

/// jsonwebtoken has no P-521.
struct Jsonwebtoken {
    algorithm: jsonwebtoken::Algorithm,
    encoding: jsonwebtoken::EncodingKey,
    decoding: jsonwebtoken::DecodingKey,
}

impl Judges {
    fn new(algorithm: Algorithm) -> Self {
        if algorithm.is_mac() {
            Self::with_secret(algorithm)
        } else {
            Self::with_key_pair(algorithm)
        }
    }

    fn with_secret(algorithm: Algorithm) -> Self {
        let josekit = match algorithm {
            Algorithm::Hs256 => jws::HS256,
            Algorithm::Hs384 => jws::HS384,
            _ => jws::HS512,
        };
        Self {
            algorithm,
            signing: SigningKey::from_secret(&SECRET, algorithm).expect("64 octets"),
            verification: VerificationKey::from_secret(&SECRET, Some(algorithm))
                .expect("64 octets"),
            josekit_signer: Box::new(josekit.signer_from_bytes(SECRET).expect("a signer")),
            josekit_verifier: Box::new(josekit.verifier_from_bytes(SECRET).expect("a verifier")),
            jsonwebtoken: Some(Jsonwebtoken {
                algorithm: algorithm.name().parse().expect("an HMAC"),
                encoding: jsonwebtoken::EncodingKey::from_secret(&SECRET),
                decoding: jsonwebtoken::DecodingKey::from_secret(&SECRET),
            }),
        }
    }

    fn with_key_pair(algorithm: Algorithm) -> Self {
        let key = PrivateJwk::generate(algorithm).expect("a key");
        let (josekit_signer, josekit_verifier) = josekit(algorithm, &key);
        Self {
            algorithm,
            signing: key.signing_key().expect("a signer"),
            verification: VerificationKey::from_jwk(key.public()).expect("a public key"),
            josekit_signer,
            josekit_verifier,
            jsonwebtoken: algorithm
                .name()
                .parse()
                .ok()
                .map(|name| Jsonwebtoken::new(name, &key)),
        }
    }

    /// Whether we accept, and whether each of the others that has the algorithm does.
    fn ask(&self, token: &str) -> (bool, [bool; 2]) {
        let ours = Unverified::parse(token)
            .and_then(|token| token.verify(&self.verification))
            .is_ok();
        let josekit = jws::deserialize_compact(token, &*self.josekit_verifier).is_ok();
        let jsonwebtoken = self
            .jsonwebtoken
            .as_ref()
            .is_none_or(|judge| judge.accepts(token));
        (ours, [josekit, jsonwebtoken])
    }

    /// A token with any octets for header and payload, rightly signed, which our own `sign` would
    /// not make.
    fn sign_anything(&self, header: &[u8], payload: &[u8]) -> String {
        let signing_input = format!("{}.{}", base64url_encode(header), base64url_encode(payload));
        let signature = self
            .josekit_signer
            .sign(signing_input.as_bytes())
            .expect("a signature");
        format!("{signing_input}.{}", base64url_encode(signature))
    }
}

impl Jsonwebtoken {
    fn new(algorithm: jsonwebtoken::Algorithm, key: &PrivateJwk) -> Self {
        let encoding = match key.algorithm() {
            Algorithm::Es256 => jsonwebtoken::EncodingKey::from_ec_der(&pkcs8(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                key,
            )),
            Algorithm::Es384 => jsonwebtoken::EncodingKey::from_ec_der(&pkcs8(
                &ECDSA_P384_SHA384_FIXED_SIGNING,
                key,
            )),
            Algorithm::EdDsa => jsonwebtoken::EncodingKey::from_ed_der(
                &EdKeyPair::from_jwk(&JosekitJwk::from_bytes(key.expose_json()).expect("a JWK"))
                    .expect("an Ed25519 key")
                    .to_der_private_key(),
            ),
            _ => {
                let pem = key.expose_rsa_pem().expect("an RSA key");
                jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()).expect("our PEM")
            }
        };
        let public = serde_json::to_value(key.public())
            .and_then(serde_json::from_value)
            .expect("a public JWK");
        Self {
            algorithm,
            encoding,
            decoding: jsonwebtoken::DecodingKey::from_jwk(&public).expect("our JWK"),
        }
    }

    /// Signature and form only: the claims are not judged here.
    fn accepts(&self, token: &str) -> bool {
        let mut validation = jsonwebtoken::Validation::new(self.algorithm);
        validation.required_spec_claims = HashSet::new();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        jsonwebtoken::decode::<Value>(token, &self.decoding, &validation).is_ok()
    }
}

/// An EC key in the only form that jsonwebtoken signs with.
fn pkcs8(algorithm: &'static EcdsaSigningAlgorithm, key: &PrivateJwk) -> Vec<u8> {
    let jwk: Value = serde_json::from_str(key.expose_json()).expect("JSON");
    let octets = |member: &str| {
        base64url_decode(jwk[member].as_str().expect("an EC key")).expect("base64url")
    };
    let point = [vec![4], octets("x"), octets("y")].concat();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &octets("d"), &point)
        .expect("a key pair");
    pair.to_pkcs8v1().expect("PKCS#8").as_ref().to_vec()
}

fn josekit(algorithm: Algorithm, key: &PrivateJwk) -> (Box<dyn JwsSigner>, Box<dyn JwsVerifier>) {
    // Without kid, josekit would refuse the tokens that have none.
    let without_key_id = |json: &str| {
        let mut jwk: Value = serde_json::from_str(json).expect("JSON");
        jwk.as_object_mut().expect("an object").remove("kid");
        JosekitJwk::from_bytes(jwk.to_string()).expect("a JWK")
    };
    let private = without_key_id(key.expose_json());
    let public = without_key_id(&serde_json::to_string(&key.public()).expect("JSON"));
    macro_rules! both {
        ($name:expr) => {
            (
                Box::new($name.signer_from_jwk(&private).expect("our private JWK")),
                Box::new($name.verifier_from_jwk(&public).expect("our public JWK")),
            )
        };
    }
    match algorithm {
        Algorithm::Rs256 => both!(jws::RS256),
        Algorithm::Rs384 => both!(jws::RS384),
        Algorithm::Rs512 => both!(jws::RS512),
        Algorithm::Ps256 => both!(jws::PS256),
        Algorithm::Ps384 => both!(jws::PS384),
        Algorithm::Ps512 => both!(jws::PS512),
        Algorithm::Es256 => both!(jws::ES256),
        Algorithm::Es384 => both!(jws::ES384),
        Algorithm::Es512 => both!(jws::ES512),
        Algorithm::EdDsa => both!(jws::EdDSA),
        other => unreachable!("{other} has no key pair in josekit"),
    }
}

/// All but `Ed25519`, the newer name of what both know as `EdDSA`.
fn judged_algorithms() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL
        .into_iter()
        .filter(|algorithm| *algorithm != Algorithm::Ed25519)
}

#[test]
fn the_others_accept_what_we_sign() {
    let mut counts = (0, 0);
    for algorithm in judged_algorithms() {
        let judges = Judges::new(algorithm);
        for (typ, payload) in [
            (None, PAYLOAD),
            (Some("client-authentication+jwt"), "{}"),
            (Some("JWT"), r#"{"é":"\u0000\uD834\uDD1E"}"#),
        ] {
            let token = sign(&judges.signing, typ, payload.as_bytes()).expect("a token");
            assert_eq!(
                judges.ask(&token),
                (true, [true, true]),
                "{algorithm} {payload}"
            );
            let (read, header) =
                jws::deserialize_compact(&token, &*judges.josekit_verifier).expect("as above");
            assert_eq!(
                (read.as_slice(), header.token_type()),
                (payload.as_bytes(), typ),
                "{algorithm}"
            );
        }
        counts = (
            counts.0 + 1,
            counts.1 + usize::from(judges.jsonwebtoken.is_some()),
        );
    }
    assert_eq!(
        counts,
        (13, 12),
        "algorithms shared with josekit and with jsonwebtoken"
    );
}

#[test]
fn we_accept_what_the_others_sign() {
    for algorithm in judged_algorithms() {
        let judges = Judges::new(algorithm);
        let mut header = JwsHeader::new();
        header.set_token_type("JWT");
        let by_josekit =
            jws::serialize_compact(PAYLOAD.as_bytes(), &header, &*judges.josekit_signer)
                .expect("a token");
        assert_eq!(
            judges.ask(&by_josekit),
            (true, [true, true]),
            "{algorithm} by josekit"
        );
        let Some(jsonwebtoken) = &judges.jsonwebtoken else {
            continue;
        };
        let claims: Value = serde_json::from_str(PAYLOAD).expect("JSON");
        let header = jsonwebtoken::Header::new(jsonwebtoken.algorithm);
        let token =
            jsonwebtoken::encode(&header, &claims, &jsonwebtoken.encoding).expect("a token");
        assert_eq!(
            judges.ask(&token),
            (true, [true, true]),
            "{algorithm} by jsonwebtoken"
        );
        let verified = Unverified::parse(&token)
            .and_then(|token| token.verify(&judges.verification))
            .expect("as above");
        assert_eq!(
            serde_json::from_slice::<Value>(verified.payload()).ok(),
            Some(claims)
        );
    }
}

/// `Ed25519` and `EdDSA` are one computation: the signature we make under the newer name is theirs
/// under the older.
#[test]
fn the_others_accept_our_ed25519_signature_under_its_older_name() {
    let key = PrivateJwk::generate(Algorithm::Ed25519).expect("a key");
    let older = PrivateJwk::parse(key.expose_json().as_bytes(), Some(Algorithm::EdDsa))
        .expect("the same key");
    let (_, verifier) = josekit(Algorithm::EdDsa, &older);
    let token = sign(
        &older.signing_key().expect("a signer"),
        None,
        PAYLOAD.as_bytes(),
    )
    .expect("a token");
    assert!(jws::deserialize_compact(&token, &*verifier).is_ok());
    let newer = VerificationKey::from_jwk(key.public()).expect("a public key");
    assert!(
        Unverified::parse(&token)
            .and_then(|token| token.verify(&newer))
            .is_ok()
    );
    let token = sign(
        &key.signing_key().expect("a signer"),
        None,
        PAYLOAD.as_bytes(),
    )
    .expect("a token");
    let (signing_input, signature) = token.rsplit_once('.').expect("dots");
    assert!(
        verifier
            .verify(
                signing_input.as_bytes(),
                &base64url_decode(signature).expect("base64url")
            )
            .is_ok()
    );
}

/// Headers and payloads around a right signature. Asserted besides agreement: that we accept and
/// refuse what is marked so.
#[test]
fn the_others_accept_the_unusual_tokens_that_we_accept() {
    for algorithm in judged_algorithms() {
        let judges = Judges::new(algorithm);
        let alg = algorithm.name();
        let rows = [
            (true, format!(r#"{{"alg":"{alg}"}}"#)),
            (true, format!(" {{ \"alg\" :\r\n\t\"{alg}\" }} ")),
            (true, format!(r#"{{"\u0061lg":"{alg}","kid":""}}"#)),
            (
                true,
                format!(r#"{{"alg":"{alg}","kid":"../../dev/null","typ":"at+jwt"}}"#),
            ),
            (
                true,
                format!(
                    r#"{{"alg":"{alg}","jku":"https://evil.example/jwks","x5u":"https://evil.example/x5u"}}"#
                ),
            ),
            (
                true,
                format!(r#"{{"alg":"{alg}","unknown":"parameter","exp":"1"}}"#),
            ),
            (true, format!(r#"{{"alg":"{alg}","cty":"text"}}"#)),
            (
                false,
                format!(r#"{{"alg":"{alg}","crit":["exp"],"exp":1}}"#),
            ),
            (false, format!(r#"{{"alg":"{alg}","crit":[]}}"#)),
            (
                false,
                format!(r#"{{"alg":"{alg}","b64":true,"crit":["b64"]}}"#),
            ),
            (false, format!(r#"{{"alg":"{alg}","zip":"DEF"}}"#)),
            (false, format!(r#"{{"alg":"{alg}","cty":"JWT"}}"#)),
            (false, format!(r#"{{"alg":"{alg}","alg":"{alg}"}}"#)),
            (false, format!(r#"{{"alg":"none","alg":"{alg}"}}"#)),
            (false, format!(r#"{{"alg":"{}"}}"#, alg.to_lowercase())),
            (false, format!(r#"{{"alg":"{alg} "}}"#)),
            (false, format!(r#"{{"alg":["{alg}"]}}"#)),
            (false, format!(r#"{{"alg":"{alg}","kid":1}}"#)),
            (false, format!(r#"{{"alg":"{alg}"}}{{}}"#)),
            (false, r#"{"alg":"none"}"#.to_owned()),
            (false, "{}".to_owned()),
            (false, "null".to_owned()),
            (false, String::new()),
        ];
        for (expected, header) in rows {
            let token = judges.sign_anything(header.as_bytes(), PAYLOAD.as_bytes());
            let (ours, others) = judges.ask(&token);
            assert_eq!(ours, expected, "{algorithm} {header}");
            assert!(
                !ours || others == [true, true],
                "{algorithm} {header}: {others:?}"
            );
        }
    }
}

/// The header's `alg` changed to each other name, around the signature as it was.
#[test]
fn refuses_a_token_relabelled_with_another_algorithm() {
    for algorithm in judged_algorithms() {
        let judges = Judges::new(algorithm);
        let token = judges.sign_anything(
            json!({"alg": algorithm.name()}).to_string().as_bytes(),
            PAYLOAD.as_bytes(),
        );
        assert_eq!(
            judges.ask(&token),
            (true, [true, true]),
            "{algorithm}: the control"
        );
        let rest = token.split_once('.').expect("dots").1;
        let others = Algorithm::ALL
            .into_iter()
            .map(Algorithm::name)
            .filter(|name| *name != algorithm.name());
        for name in others.chain(["none", "HS1", "ES256K"]) {
            let relabelled = format!(
                "{}.{rest}",
                base64url_encode(json!({"alg": name}).to_string())
            );
            let (ours, _) = judges.ask(&relabelled);
            assert!(!ours, "{algorithm} as {name}");
        }
    }
}

/// A change to the text of a token: what a proxy, an attacker or a bad encoder would do.
#[derive(Clone, Debug)]
enum Change {
    Replace(prop::sample::Index, char),
    Insert(prop::sample::Index, char),
    Remove(prop::sample::Index),
    Truncate(prop::sample::Index),
    SwapSegments(usize, usize),
    Append(&'static str),
}

impl Change {
    fn apply(&self, token: &str) -> String {
        let mut text: Vec<char> = token.chars().collect();
        match self {
            _ if text.is_empty() => {}
            Self::Replace(at, letter) => text[at.index(token.len())] = *letter,
            Self::Insert(at, letter) => text.insert(at.index(token.len()), *letter),
            Self::Remove(at) => drop(text.remove(at.index(token.len()))),
            Self::Truncate(at) => text.truncate(at.index(token.len())),
            Self::Append(tail) => text.extend(tail.chars()),
            Self::SwapSegments(a, b) => {
                let mut segments: Vec<&str> = token.split('.').collect();
                let count = segments.len();
                segments.swap(a % count, b % count);
                return segments.join(".");
            }
        }
        text.into_iter().collect()
    }
}

fn change() -> impl Strategy<Value = Change> {
    let letter = prop::sample::select("ABCXYZabcxyz0189-_+/=.? \n\0{}".chars().collect::<Vec<_>>());
    prop_oneof![
        (any::<prop::sample::Index>(), letter.clone())
            .prop_map(|(at, letter)| Change::Replace(at, letter)),
        (any::<prop::sample::Index>(), letter).prop_map(|(at, letter)| Change::Insert(at, letter)),
        any::<prop::sample::Index>().prop_map(Change::Remove),
        any::<prop::sample::Index>().prop_map(Change::Truncate),
        (0..3usize, 0..3usize).prop_map(|(a, b)| Change::SwapSegments(a, b)),
        prop::sample::select(vec!["=", "==", ".", "\n", " ", "A", ".e30", "\0"])
            .prop_map(Change::Append),
    ]
}

#[test]
fn whatever_altered_token_we_accept_the_others_accept() {
    // RSA keys take long to make and josekit long to sign with: one key each, many alterations.
    for algorithm in judged_algorithms() {
        let judges = Judges::new(algorithm);
        let token = sign(&judges.signing, Some("JWT"), PAYLOAD.as_bytes()).expect("a token");
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(400)
        });
        let changes = proptest::collection::vec(change(), 1..4);
        let law = runner.run(&changes, |changes| {
            let altered = changes
                .iter()
                .fold(token.clone(), |token, change| change.apply(&token));
            let (ours, others) = judges.ask(&altered);
            prop_assert_eq!(ours, altered == token, "{}", &altered);
            prop_assert!(!ours || others == [true, true], "{:?} {}", others, &altered);
            Ok(())
        });
        law.unwrap_or_else(|failure| unreachable!("{algorithm}: {failure}"));
    }
}

/// ECDSA is malleable: (r, n - s) verifies wherever (r, s) does. That is no forgery, but a reason
/// to know replays by `jti` and never by the token's text; so it is pinned here that all three
/// agree.
#[test]
fn everybody_accepts_the_other_ecdsa_signature_of_the_same_token() {
    let orders = [
        (
            Algorithm::Es256,
            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        ),
        (
            Algorithm::Es384,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
        (
            Algorithm::Es512,
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        ),
    ];
    for (algorithm, order) in orders {
        let judges = Judges::new(algorithm);
        let token = sign(&judges.signing, None, PAYLOAD.as_bytes()).expect("a token");
        let (signing_input, signature) = token.rsplit_once('.').expect("dots");
        let mut signature = base64url_decode(signature).expect("base64url");
        let half = signature.len() / 2;
        let order: Vec<u8> = (0..half)
            .map(|at| u8::from_str_radix(&order[2 * at..2 * at + 2], 16).expect("hex"))
            .collect();
        let mut borrow = 0;
        for at in (0..half).rev() {
            let difference = i16::from(order[at]) - i16::from(signature[half + at]) - borrow;
            borrow = i16::from(difference < 0);
            signature[half + at] = difference.rem_euclid(256) as u8;
        }
        let other = format!("{signing_input}.{}", base64url_encode(&signature));
        assert_ne!(other, token);
        assert_eq!(
            judges.ask(&other),
            (true, [true, true]),
            "{}",
            judges.algorithm
        );
    }
}
