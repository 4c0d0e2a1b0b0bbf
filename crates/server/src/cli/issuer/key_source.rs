//! Where the keys of an issuer come from: exactly one place.

use std::path::{Path, PathBuf};

use clap::Args;
use grantor::{
    admin::{BundleDocument, KeysDocument, PublicJwks},
    file,
};
use url::Url;

use crate::cli::{
    Failure,
    client::{read_input, read_jwks},
};

/// The places, of which one is named.
#[derive(Debug, Args)]
#[group(id = "key_source", multiple = false)]
pub struct KeySource {
    /// By its metadata: at the place of OpenID Connect Discovery, else at that of RFC 8414
    #[arg(long)]
    discover: bool,
    /// At this URL, as a JWK Set
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<Url>,
    /// Those of a JWK Set file, for what cannot be reached, such as the output of
    /// `kubectl get --raw /openid/v1/jwks`; - is standard input
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// The one in PEM: PUBLIC KEY, RSA PUBLIC KEY, or that of a CERTIFICATE, whose expiry and chain
    /// are not checked; - is standard input
    #[arg(long, value_name = "FILE")]
    pem: Option<PathBuf>,
    /// Those of a SPIFFE bundle, at a URL or in a file
    #[arg(long, value_name = "URL|FILE")]
    spiffe_bundle: Option<String>,
}

/// The flags, as a sentence names them.
pub const FLAGS: &str =
    "one of --discover, --jwks-uri URL, --jwks FILE, --pem FILE and --spiffe-bundle URL|FILE";

impl KeySource {
    /// Whether keys of a file are named.
    pub fn is_upload(&self) -> bool {
        let is_file = |bundle: &String| !is_url(bundle);
        self.jwks.is_some()
            || self.pem.is_some()
            || self.spiffe_bundle.as_ref().is_some_and(is_file)
    }

    /// The place that is named, with the keys in it if that is a file.
    pub fn read(&self, metadata_url: Option<Url>) -> Result<Option<KeysDocument>, Failure> {
        if metadata_url.is_some() && !self.discover {
            return Err(Failure::usage(
                "--metadata-url says where the metadata is; add --discover",
            ));
        }
        if self.discover {
            return Ok(Some(KeysDocument::discovery(metadata_url)));
        }
        if let Some(url) = self.jwks_uri.clone() {
            return Ok(Some(KeysDocument::jwks_uri(url)));
        }
        if let Some(path) = &self.jwks {
            let keys = PublicJwks::new(read_jwks(path)?);
            return Ok(Some(KeysDocument::jwks(keys)));
        }
        if let Some(path) = &self.pem {
            let pem = read_text("--pem", path)?;
            return Ok(Some(KeysDocument::pem(pem)));
        }
        let bundle = self.spiffe_bundle.as_deref().map(bundle).transpose()?;
        Ok(bundle.map(KeysDocument::spiffe_bundle))
    }
}

fn is_url(text: &str) -> bool {
    text.contains("://")
}

fn bundle(text: &str) -> Result<BundleDocument, Failure> {
    if is_url(text) {
        let url = Url::parse(text);
        let url = url.map_err(|error| {
            Failure::usage(format!(
                "--spiffe-bundle {text}: {error}; expected an https URL, or a file"
            ))
        });
        return url.map(BundleDocument::Url);
    }
    let json = read_text("--spiffe-bundle", Path::new(text))?;
    let object = serde_json::from_str(&json).map_err(|error| {
        Failure::usage(format!(
            "--spiffe-bundle {text}: {error}; expected a SPIFFE bundle, a JSON object with an array 'keys'"
        ))
    });
    object.map(BundleDocument::Bundle)
}

fn read_text(flag: &str, path: &Path) -> Result<String, Failure> {
    let wrong = |problem: String| Failure::usage(format!("{flag} {}: {problem}", path.display()));
    let octets = read_input(path).map_err(|error| wrong(error.to_string()))?;
    let text = file::text(octets)
        .map_err(|_| wrong("it is binary (DER?); expected PEM or JSON text".to_owned()))?;
    Ok(text.as_str().to_owned())
}
