//! Public keys that clients made themselves: read from their files, and registered only if this
//! server would ever take what they sign.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use grantor::{
    clock::Clock as _,
    file,
    jose::{Algorithm, Jwk, JwkSet, VerificationKey, public_key_from_pem},
    keys::MAX_CANDIDATES,
    registry::{Client, ClientKey},
};
use zeroize::Zeroizing;

use crate::{
    cli::{CLOCK, Failure},
    config::AssertionConfig,
};

/// Where they are read from.
#[derive(Debug, Args)]
pub struct PublicKeys {
    /// Register the public keys of a JWK Set file; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["generate_key", "pem"])]
    jwks: Option<PathBuf>,
    /// Register a public key in PEM: PUBLIC KEY, RSA PUBLIC KEY, or the key of a CERTIFICATE,
    /// whose expiry and chain are not checked; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "generate_key")]
    pem: Option<PathBuf>,
    /// `kid` with which the client will name the key in PEM [default: its thumbprint (RFC 7638)]
    #[arg(long, value_name = "KID", requires = "pem", allow_hyphen_values = true)]
    kid: Option<String>,
}

impl PublicKeys {
    /// Whether a file of public keys is named.
    pub fn are_named(&self) -> bool {
        self.jwks.is_some() || self.pem.is_some()
    }

    /// The keys of the file that was named, if one was.
    pub fn read(&self) -> Result<Option<Vec<Arc<VerificationKey>>>, Failure> {
        match (&self.jwks, &self.pem) {
            (Some(path), _) => read_jwks(path).map(Some),
            (None, Some(path)) => {
                read_pem(path, self.kid.as_deref()).map(|key| Some(vec![Arc::new(key)]))
            }
            (None, None) => Ok(None),
        }
    }
}

/// `-` is standard input.
fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    match path == Path::new("-") {
        true => file::read_from(io::stdin().lock(), file::DOCUMENT_BYTES),
        false => file::read(path, file::DOCUMENT_BYTES),
    }
}

/// The keys of a JWK Set file. A key this server cannot use is an error, but for those that are for
/// others: of a type it does not know (RFC 7517 §5), or for encryption.
fn read_jwks(path: &Path) -> Result<Vec<Arc<VerificationKey>>, Failure> {
    let wrong = |problem: String| Failure::usage(format!("--jwks {}: {problem}", path.display()));
    let text = read_file(path).map_err(|error| wrong(error.to_string()))?;
    if text.starts_with(b"-----BEGIN ") {
        return Err(wrong("it is PEM; name it with --pem".to_owned()));
    }
    // Some editors write a byte order mark (RFC 8259 §8.1).
    let set = JwkSet::parse(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text))
        .map_err(|error| wrong(error.to_string()))?;
    if let Some(unusable) = set.skipped.iter().find(|skipped| !skipped.is_for_others()) {
        return Err(wrong(format!(
            "key {} of the set: {}",
            unusable.index, unusable.reason
        )));
    }
    for jwk in set.keys.iter().filter_map(VerificationKey::jwk) {
        jwk.vet().map_err(|error| {
            wrong(format!(
                "key {}: {error}",
                jwk.key_id().unwrap_or("without kid")
            ))
        })?;
    }
    if set.keys.is_empty() {
        let reasons = set
            .skipped
            .iter()
            .map(|skipped| format!("; key {}: {}", skipped.index, skipped.reason));
        return Err(wrong(format!(
            "there is no usable key in it{}",
            reasons.collect::<String>()
        )));
    }
    Ok(set.keys.into_iter().map(Arc::new).collect())
}

/// What is no text is most often the same thing in another form.
const BINARY: &str = "it is binary (DER?): convert it to PEM, with 'openssl x509 -inform DER -in FILE -out NEWFILE' for a certificate \
                      or 'openssl pkey -pubin -inform DER -in FILE -out NEWFILE' for a public key";

fn read_pem(path: &Path, key_id: Option<&str>) -> Result<VerificationKey, Failure> {
    let wrong = |problem: String| Failure::usage(format!("--pem {}: {problem}", path.display()));
    let octets = read_file(path).map_err(|error| wrong(error.to_string()))?;
    // DER is an ASN.1 SEQUENCE: a long one is no UTF-8, but a short one may be.
    let text = file::text(octets)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| wrong(BINARY.to_owned()))?;
    if text.trim_start().starts_with('{') {
        return Err(wrong("it is JSON; name a JWK Set with --jwks".to_owned()));
    }
    let jwk = public_key_from_pem(&text).map_err(|error| wrong(error.to_string()))?;
    let key_id = key_id.map_or_else(|| jwk.thumbprint(), str::to_owned);
    let key = |jwk: Jwk| jwk.vet().and_then(|()| VerificationKey::from_jwk(jwk));
    key(jwk.with_key_id(key_id)).map_err(|error| wrong(error.to_string()))
}

/// Warns of keys that may not be tried: an assertion without `kid`, or with one that several keys
/// have, is verified with the first [`MAX_CANDIDATES`] that fit.
pub fn warn_of_untried(assertion: &AssertionConfig, keys: &[ClientKey]) {
    for algorithm in &assertion.algorithms {
        let fits = |key: &&ClientKey| {
            key.is_live(CLOCK.now()) && key.usable().is_ok_and(|key| key.accepts(*algorithm))
        };
        let alike = |one: &ClientKey| {
            keys.iter()
                .filter(fits)
                .filter(|other| other.key_id() == one.key_id())
                .count()
        };
        if let Some(key) = keys
            .iter()
            .filter(fits)
            .find(|key| alike(key) > MAX_CANDIDATES)
        {
            let (count, tried) = (alike(key), MAX_CANDIDATES);
            let kid = key.key_id();
            return tracing::warn!(kid, count, tried, %algorithm, "not all of these keys are tried: give each a kid of its own");
        }
    }
}

/// Refuses keys whose signatures this server would never take.
pub fn check_keys(assertion: &AssertionConfig, keys: &[ClientKey]) -> Result<(), Failure> {
    warn_of_untried(assertion, keys);
    for (registered, key) in keys
        .iter()
        .filter_map(|key| Some((key, key.usable().ok()?)))
    {
        if assertion
            .algorithms
            .iter()
            .any(|algorithm| key.accepts(*algorithm))
        {
            continue;
        }
        let own = key.jwk().and_then(Jwk::algorithm);
        let what = own.map_or("RSA", Algorithm::name);
        return Err(Failure::usage(format!(
            "key {}: nothing signed with it would be accepted, for it is for {what}; {}",
            registered.name(),
            allowed(assertion, own)
        )));
    }
    Ok(())
}

/// Refuses an algorithm that this server does not take, or that none of the client's keys is for.
pub fn check_signing_algorithm(
    assertion: &AssertionConfig,
    client: &Client,
) -> Result<(), Failure> {
    // A secret is for all HMAC algorithms.
    let Some(algorithm) = client
        .metadata()
        .signing_algorithm
        .filter(|algorithm| !algorithm.is_mac())
    else {
        return Ok(());
    };
    if !assertion
        .algorithms
        .iter()
        .any(|allowed| allowed.is_same_as(algorithm))
    {
        return Err(Failure::usage(format!(
            "--signing-alg {algorithm}: no assertion signed with it would be accepted; {}",
            allowed(assertion, Some(algorithm))
        )));
    }
    let fits = |key: &ClientKey| key.usable().is_ok_and(|key| key.accepts(algorithm));
    if !client.keys().is_empty() && !client.keys().iter().any(fits) {
        let problem = "none of the client's keys is for it; name the algorithm of a key, or add one for it first";
        return Err(Failure::usage(format!(
            "--signing-alg {algorithm}: {problem}"
        )));
    }
    Ok(())
}

/// Warns of added keys that the client's registered algorithm keeps from being used. No refusal:
/// who changes the algorithm of a client adds a key for the new one first.
pub fn warn_of_unused_keys(client: &Client, added: &[ClientKey]) {
    let Some(algorithm) = client
        .metadata()
        .signing_algorithm
        .filter(|algorithm| !algorithm.is_mac())
    else {
        return;
    };
    for key in added
        .iter()
        .filter(|key| !key.usable().is_ok_and(|key| key.accepts(algorithm)))
    {
        tracing::warn!(
            "key {} is not used while client {id} signs with {algorithm} only; change that with: grantor client update {id} --signing-alg ALG",
            key.name(),
            id = client.id()
        );
    }
}

/// What the configuration says, and what can be done about it.
fn allowed(assertion: &AssertionConfig, wanted: Option<Algorithm>) -> String {
    let names = assertion
        .algorithms
        .iter()
        .map(|algorithm| algorithm.name())
        .collect::<Vec<_>>()
        .join(", ");
    let remedy = match wanted {
        Some(wanted) if !assertion.profile.accepts_algorithm(wanted) => {
            format!("profile fapi2 does not allow {wanted}")
        }
        Some(wanted) => format!("to accept {wanted}, name it there"),
        None => "to accept the key, name one for RSA there".to_owned(),
    };
    format!("configuration key 'assertion.algorithms' has {names}: {remedy}")
}
