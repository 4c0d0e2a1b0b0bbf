//! `grantor client add-key`, `remove-key`, `rotate-secret`

use std::{path::PathBuf, time::Duration};

use clap::Args;
use grantor::{
    admin::{NewKeys, NewSecret},
    clock::Clock as _,
    credential::Credential,
    jose::{Algorithm, Jwk},
    types::ClientId,
};
use serde_json::json;

use super::{
    delivery::{make, no_key_file},
    public_keys::PublicKeys,
};
use crate::cli::{
    Administered, CLOCK, Failure, Output,
    parse::{algorithm, duration},
};

/// Add a public key: of a JWK Set file, in PEM, or of a new pair
///
/// The keys before go on working, for ever or, with --overlap, that much longer.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor client add-key billing --jwks new-keys.json
  grantor client add-key billing --pem new-certificate.pem --kid 2027
  grantor client add-key billing --generate-key ES256 --out billing-2027.json
  grantor client add-key billing --generate-key --key-lifetime 90d --overlap 7d --out billing-2027.json")]
pub struct AddKey {
    /// Client identifier
    id: ClientId,
    #[command(flatten)]
    keys: PublicKeys,
    /// Make a key pair, for ES256 unless another algorithm is named
    #[arg(long, value_name = "ALG", required_unless_present_any = ["jwks", "pem"], num_args = 0..=1, default_missing_value = "ES256", value_parser = algorithm)]
    generate_key: Option<Algorithm>,
    /// How long the keys before still work, such as 7d [default: as long as they would]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    overlap: Option<Duration>,
    /// How long the added key lives, such as 90d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    key_lifetime: Option<Duration>,
    /// Where the key file of a new pair goes; - is standard output [default: ID.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl AddKey {
    pub async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        if self.generate_key.is_none() {
            no_key_file(self.out.as_deref())?;
        }
        let mut keys = NewKeys::default();
        keys.jwks = self.keys.read()?.unwrap_or_default();
        keys.generate = self.generate_key;
        keys.expires_at = self.key_lifetime.map(|lifetime| CLOCK.now().plus(lifetime));
        keys.overlap = self.overlap;
        let brought = keys.jwks.keys.iter().map(Jwk::key_id);
        let mut added: Vec<_> = brought.map(|kid| kid.map(str::to_owned)).collect();
        let prepared = admin.clients().prepare_keys(&self.id, keys).await?;
        if let Some(Credential::PrivateKey(key)) =
            prepared.key_file.as_ref().map(|file| &file.credential)
        {
            added.push(Some(key.key_id().to_owned()));
        }
        let made = make(admin, &self.id, prepared, self.out).await?;
        let done = format!("key added to client {}", self.id);
        match made.key_file() {
            Some(Some(path)) => output.done(
                &json!({"client_id": self.id, "added": added, "key_file": path}),
                format_args!("{done}; its key file is {}", path.display()),
            ),
            Some(None) => Ok(()),
            None => output.done(
                &json!({"client_id": self.id, "added": added, "key_file": null}),
                done,
            ),
        }
    }
}

/// Remove a public key: what it signed is refused from the next request on
#[derive(Debug, Args)]
pub struct RemoveKey {
    /// Client identifier
    id: ClientId,
    /// `kid` of the key or, where it has none, its name in `client show`
    #[arg(long, allow_hyphen_values = true, value_name = "KID")]
    kid: String,
}

impl RemoveKey {
    pub async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let clients = admin.clients();
        clients
            .remove_key(&self.id, &self.kid, admin.actor())
            .await?;
        output.done(
            &json!({"client_id": self.id, "removed": self.kid}),
            format_args!("key removed from client {}", self.id),
        )
    }
}

/// Make a new secret; the old one ends at once, or after an overlap
#[derive(Debug, Args)]
#[command(after_help = "Example:
  grantor client rotate-secret legacy --overlap 1d --out legacy-new.json")]
pub struct RotateSecret {
    /// Client identifier
    id: ClientId,
    /// How long the old secret still works
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration)]
    overlap: Duration,
    /// How long the new secret lives, such as 90d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    secret_lifetime: Option<Duration>,
    /// Where the new key file goes, which must not exist yet; - is standard output [default:
    /// ID.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl RotateSecret {
    pub async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let mut secret = NewSecret::default();
        secret.lifetime = self.secret_lifetime;
        secret.overlap = self.overlap;
        let prepared = admin.clients().prepare_secret(&self.id, secret).await?;
        let made = make(admin, &self.id, prepared, self.out).await?;
        match made.key_file().flatten() {
            Some(path) => output.done(
                &json!({"client_id": self.id, "key_file": path}),
                format_args!(
                    "client {} has a new secret; its key file is {}",
                    self.id,
                    path.display()
                ),
            ),
            None => Ok(()),
        }
    }
}
