//! `grantor client add-key`, `remove-key`, `rotate-secret`

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use grantor::{
    admin::{new_secret, with_keys, with_secret, without_key},
    clock::Clock as _,
    credential::{Credential, KeyFile},
    jose::{Algorithm, PrivateJwk, VerificationKey},
    registry::{Client, ClientSecret},
    types::ClientId,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    change,
    delivery::{Destination, Unregistered, no_key_file},
    ending_after, find,
    public_keys::{PublicKeys, check_keys, warn_of_untried, warn_of_unused_keys},
    unchanged,
};
use crate::{
    backend::Backend,
    cli::{
        CLOCK, Failure, Output, actor,
        parse::{algorithm, duration},
    },
    config::Config,
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
    pub async fn run(
        self,
        config: &Config,
        store: &Backend,
        output: Output,
    ) -> Result<(), Failure> {
        if self.generate_key.is_none() {
            no_key_file(self.out.as_deref())?;
        }
        let client = find(store, &self.id).await?;
        let generated = self
            .generate_key
            .map(PrivateJwk::generate)
            .transpose()
            .map_err(Failure::usage)?;
        let added = match (self.keys.read()?, &generated) {
            (Some(keys), _) => keys,
            (None, Some(key)) => vec![Arc::new(
                VerificationKey::from_jwk(key.public()).map_err(Failure::failed)?,
            )],
            (None, None) => Vec::new(),
        };
        let names: Vec<_> = added
            .iter()
            .map(|key| key.key_id().map(str::to_owned))
            .collect();
        let added = ending_after(added, self.key_lifetime);
        check_keys(&config.assertion, &added)?;
        let (now, overlap) = (CLOCK.now(), self.overlap);
        let add = |client: &Client| with_keys(client, &added, overlap, now).map_err(unchanged);
        // Before a key file is written.
        warn_of_untried(&config.assertion, add(&client)?.keys());
        warn_of_unused_keys(&client, &added);
        let Some(key) = generated else {
            change(store, &self.id, add).await?;
            let value = json!({"client_id": self.id, "added": names, "key_file": null});
            return output.done(&value, format_args!("key added to client {}", self.id));
        };
        let file = KeyFile::new(
            &config.issuer,
            self.id.clone(),
            client.metadata().auth_method.clone(),
            Credential::PrivateKey(key),
        );
        let delivered = Destination::of(self.out, &self.id).deliver(&file)?;
        if let Err(error) = store
            .clients()
            .change(&self.id, &actor(), |client| {
                add(client).map_err(Unregistered::Refused)
            })
            .await
        {
            return Err(delivered.take_back(&self.id, error));
        }
        match delivered.path() {
            Some(path) => output.done(
                &json!({"client_id": self.id, "added": names, "key_file": path}),
                format_args!(
                    "key added to client {}; its key file is {}",
                    self.id,
                    path.display()
                ),
            ),
            None => Ok(()),
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
    pub async fn run(self, store: &Backend, output: Output) -> Result<(), Failure> {
        let remove = |client: &Client| without_key(client, &self.kid).map_err(unchanged);
        change(store, &self.id, remove).await?;
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
    pub async fn run(
        self,
        config: &Config,
        store: &Backend,
        output: Output,
    ) -> Result<(), Failure> {
        let client = find(store, &self.id).await?;
        let (now, overlap) = (CLOCK.now(), self.overlap);
        let method = &client.metadata().auth_method;
        let secret: Zeroizing<String> = ClientSecret::generate();
        let new = new_secret(
            method,
            &secret,
            self.secret_lifetime.map(|lifetime| now.plus(lifetime)),
        )
        .map_err(Failure::failed)?;
        let rotate =
            |client: &Client| with_secret(client, new.clone(), overlap, now).map_err(unchanged);
        // Before a key file is written.
        rotate(&client)?;
        let file = KeyFile::new(
            &config.issuer,
            self.id.clone(),
            method.clone(),
            Credential::Secret(secret),
        );
        let delivered = Destination::of(self.out, &self.id).deliver(&file)?;
        if let Err(error) = store
            .clients()
            .change(&self.id, &actor(), |client| {
                rotate(client).map_err(Unregistered::Refused)
            })
            .await
        {
            return Err(delivered.take_back(&self.id, error));
        }
        match delivered.path() {
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
