//! What the guard costs beside the bare verification of one signature. Run it by hand, optimised as
//! the benchmarks are:
//!
//! ```text
//! cargo test --profile dist -p grantor --no-default-features --features resource --test resource cost -- --ignored --nocapture
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::support::{AUDIENCE, Key, NOW, good_token, keys, parsed_key_set};
use grantor::{
    jose::{Algorithm, Unverified, VerificationKey, base64url_decode},
    resource::{BearerLayer, Validator},
};
use http::{HeaderMap, HeaderValue, header};

const ISSUER: &str = "https://as.example";
const TOKENS: usize = 2000;
const BATCH: usize = 20;
const ROUNDS: usize = 9;

/// What short batches of tokens took.
#[derive(Default)]
struct Cost(Vec<Duration>);

impl Cost {
    /// Works once on each token.
    async fn round<F: AsyncFnMut(usize)>(&mut self, mut work: F) {
        for batch in 0..TOKENS / BATCH {
            let start = Instant::now();
            for index in batch * BATCH..(batch + 1) * BATCH {
                work(index).await;
            }
            self.0.push(start.elapsed());
        }
    }

    /// How much dearer than `other`, in per cent: the median of what the two took for the same
    /// batch in the same round, because the machine's speed changes.
    fn beside(&self, other: &Self) -> f64 {
        let pairs = self.0.iter().zip(&other.0);
        let mut ratios: Vec<f64> = pairs
            .map(|(ours, theirs)| ours.as_secs_f64() / theirs.as_secs_f64())
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        (ratios[ratios.len() / 2] - 1.0) * 100.0
    }

    /// What one token costs: the tenth percentile, because a busy machine only ever adds to the
    /// time.
    fn per_token(mut self) -> Duration {
        self.0.sort_unstable();
        self.0[self.0.len() / 10] / u32::try_from(BATCH).expect("few")
    }
}

fn validator(key: &Key) -> Validator {
    let clock = Arc::new(grantor::clock::ManualClock::new(crate::support::at(0.0)));
    let builder = Validator::builder(ISSUER, AUDIENCE)
        .key_set(parsed_key_set(&[key]))
        .clock(clock);
    builder.build().expect("a validator")
}

/// The library's verification of a signature, and nothing else.
fn bare(algorithm: Algorithm, key: &VerificationKey) -> impl Fn(&[u8], &[u8]) -> bool {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        RsaPublicKeyComponents,
    };
    let jwk = key.jwk().expect("a public key").to_object();
    let octets =
        |name: &str| base64url_decode(jwk[name].as_str().expect("a text")).expect("base64url");
    let parsed = match algorithm {
        Algorithm::Rs256 => RsaPublicKeyComponents {
            n: octets("n"),
            e: octets("e"),
        }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Es256 => ParsedPublicKey::new(
            &ECDSA_P256_SHA256_FIXED,
            [&[4][..], &octets("x"), &octets("y")].concat(),
        ),
        _ => ParsedPublicKey::new(&ED25519, octets("x")),
    };
    let parsed = parsed.expect("a key");
    move |message, signature| parsed.verify_sig(message, signature).is_ok()
}

#[tokio::test]
#[ignore = "a measurement: only an optimised build on a quiet machine tells something"]
async fn a_new_token_costs_its_signature_and_a_seen_one_nearly_nothing() {
    for key in [&keys::RSA, &keys::P256, &keys::ED25519] {
        let tokens: Vec<String> = (0..TOKENS)
            .map(|number| {
                good_token(key)
                    .text("iss", ISSUER)
                    .text("jti", &format!("{NOW}-{number}"))
                    .sign(key)
            })
            .collect();
        let parts: Vec<(&str, Vec<u8>)> = tokens
            .iter()
            .map(|token| token.rsplit_once('.').expect("a JWS"))
            .map(|(message, signature)| (message, base64url_decode(signature).expect("base64url")))
            .collect();
        let public = key.public();
        let verifies = bare(key.algorithm, &public);
        let headers: Vec<HeaderMap> = tokens
            .iter()
            .map(|token| {
                (
                    header::AUTHORIZATION,
                    HeaderValue::try_from(format!("Bearer {token}")).expect("ASCII"),
                )
            })
            .map(|field| HeaderMap::from_iter([field]))
            .collect();
        let [mut signature, mut jws, mut new, mut seen, mut guarded] =
            [(); 5].map(|()| Cost::default());
        for _ in 0..ROUNDS {
            signature
                .round(async |index| assert!(verifies(parts[index].0.as_bytes(), &parts[index].1)))
                .await;
            jws.round(async |index| {
                Unverified::parse(&tokens[index])
                    .expect("a JWS")
                    .verify(&public)
                    .expect("a signature");
            })
            .await;
            // It has not seen any of them.
            let validator = validator(key);
            let accepts = async |index: usize| {
                drop(validator.validate(&tokens[index]).await.expect("a token"));
            };
            new.round(accepts).await;
            seen.round(accepts).await;
            let guard = BearerLayer::new(validator.clone());
            guarded
                .round(async |index| drop(guard.authorize(&headers[index]).await.expect("a token")))
                .await;
        }
        let beside = new.beside(&signature);
        let [signature, jws, new, seen, guarded] =
            [signature, jws, new, seen, guarded].map(Cost::per_token);
        println!(
            "{:7} signature {signature:9.2?}   JWS {jws:9.2?}   new token {new:9.2?} ({beside:+.1} %)   \
             just seen {seen:9.2?}   just seen, with the header {guarded:9.2?}   token of {} octets",
            key.algorithm.name(),
            tokens[0].len()
        );
    }
}
