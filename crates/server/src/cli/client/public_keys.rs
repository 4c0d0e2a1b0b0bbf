//! Public keys that clients made themselves, read from their files. Which are registered, the use case
//! decides.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Args;
use grantor::{
    admin::PublicJwks,
    file,
    jose::{Jwk, JwkSet, VerificationKey, public_key_from_pem},
};
use zeroize::Zeroizing;

use crate::cli::Failure;

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
    pub fn read(&self) -> Result<Option<PublicJwks>, Failure> {
        let keys = match (&self.jwks, &self.pem) {
            (Some(path), _) => read_jwks(path)?,
            (None, Some(path)) => vec![read_pem(path, self.kid.as_deref())?],
            (None, None) => return Ok(None),
        };
        Ok(Some(PublicJwks::new(keys)))
    }
}

/// `-` is standard input.
pub fn read_input(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    match path == Path::new("-") {
        true => file::read_from(io::stdin().lock(), file::DOCUMENT_BYTES),
        false => file::read(path, file::DOCUMENT_BYTES),
    }
}

/// The keys of a JWK Set file. A key this server cannot use is an error, but for those that are for
/// others: of a type it does not know (RFC 7517 §5), or for encryption.
pub fn read_jwks(path: &Path) -> Result<Vec<Jwk>, Failure> {
    let wrong = |problem: String| Failure::usage(format!("--jwks {}: {problem}", path.display()));
    let text = read_input(path).map_err(|error| wrong(error.to_string()))?;
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
    let keys = set.keys.iter().filter_map(VerificationKey::jwk);
    Ok(keys.cloned().collect())
}

/// What is no text is most often the same thing in another form.
const BINARY: &str = "it is binary (DER?): convert it to PEM, with 'openssl x509 -inform DER -in FILE -out NEWFILE' for a certificate \
                      or 'openssl pkey -pubin -inform DER -in FILE -out NEWFILE' for a public key";

fn read_pem(path: &Path, key_id: Option<&str>) -> Result<Jwk, Failure> {
    let wrong = |problem: String| Failure::usage(format!("--pem {}: {problem}", path.display()));
    let octets = read_input(path).map_err(|error| wrong(error.to_string()))?;
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
    let jwk = jwk.with_key_id(key_id);
    VerificationKey::from_jwk(jwk.clone()).map_err(|error| wrong(error.to_string()))?;
    Ok(jwk)
}
