//! `grantor client add-key`, `remove-key`, `rotate-secret`

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use grantor::{
    admin::{ClientDocument, NewKeysDocument, NewSecretDocument, PublicJwks},
    clock::Clock as _,
    credential::{Credential, KeyFile},
    jose::{Algorithm, Jwk, PrivateJwk},
    types::{ClientId, Issuer},
};
use serde_json::json;

use super::{
    delivery::{Made, no_key_file, with_key, with_secret},
    key_pair,
    public_keys::PublicKeys,
};
use crate::{
    admin::{
        Input, State,
        clients::{AddKeys, AddedKeys, MakeSecret, RemoveKey as Remove, ShowClient},
    },
    cli::{
        CLOCK, Connection, Failure, Output,
        connection::warn,
        parse::{algorithm, duration},
    },
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

/// Most tries of a command that other changes keep overtaking.
const TRIES: u32 = 8;

impl AddKey {
    pub async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        if self.generate_key.is_none() {
            no_key_file(self.out.as_deref())?;
        }
        let mut keys = NewKeysDocument::default();
        keys.jwks = self.keys.read()?.unwrap_or_default();
        keys.expires_at = self.key_lifetime.map(|lifetime| CLOCK.now().plus(lifetime));
        keys.overlap = self.overlap;
        // What was printed cannot be taken back.
        let is_printed = self.out.as_deref() == Some(Path::new("-"));
        let mut tries = 1;
        let (added, made) = loop {
            match self.add(connection, keys.clone()).await {
                Err(failure) if failure.is_overtaken() && !is_printed && tries < TRIES => {
                    tries += 1;
                }
                added => break added?,
            }
        };
        warn(&made.answer.warnings);
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

    /// Adds these keys, or a new pair, to the client as it is now: with the `kid` of each. Of a pair,
    /// the key file tells how the client authenticates, so it is added to the client that was read.
    async fn add(
        &self,
        connection: &Connection,
        mut keys: NewKeysDocument,
    ) -> Result<(Vec<Option<String>>, Made<AddedKeys>), Failure> {
        let (mut file, mut state) = (None, State::default());
        if let Some(pair) = self.generate_key.map(key_pair).transpose()? {
            keys.jwks = PublicJwks::new(vec![pair.public()]);
            let shown = connection.look(Input::<ShowClient>::at(self.id.clone()));
            let shown = shown.await?;
            file = Some(key_file(&connection.issuer()?, &shown.document, pair));
            state = shown.state;
        }
        let kids = keys.jwks.keys.iter().map(Jwk::key_id);
        let added = kids.map(|kid| kid.map(str::to_owned)).collect();
        let input = Input::<AddKeys>::with(self.id.clone(), keys);
        let file = (file.as_ref(), &state);
        let made = with_key(connection, file, self.out.clone(), &self.id, input).await?;
        Ok((added, made))
    }
}

/// The file of a new key of a client.
fn key_file(issuer: &Issuer, client: &ClientDocument, pair: PrivateJwk) -> KeyFile {
    KeyFile::new(
        issuer,
        client.client_id.clone(),
        client.token_endpoint_auth_method.clone(),
        Credential::PrivateKey(pair),
    )
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
    pub async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let key = (self.id.clone(), self.kid.clone());
        connection.call(Input::<Remove>::at(key)).await?;
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
    pub async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let mut secret = NewSecretDocument::default();
        secret.lifetime = self.secret_lifetime;
        secret.overlap = self.overlap;
        let input = Input::<MakeSecret>::with(self.id.clone(), secret);
        let made = with_secret(connection, self.out, &self.id, input).await?;
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
