//! `grantor client create`

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use grantor::{
    admin::{ClientDocument, Error, Named, PublicJwks},
    clock::Clock as _,
    credential::{Credential, KeyFile},
    jose::{Algorithm, PrivateJwk},
    registry::AssertionProfile,
    types::{AuthMethod, ClientId, Issuer, Needs},
};
use serde_json::json;
use url::Url;

use super::{
    delivery::{no_key_file, with_key, with_secret},
    federated::Federated,
    key_pair,
    members::Members,
    public_keys::PublicKeys,
};
use crate::{
    admin::{
        Input, State,
        clients::{ClientBody, CreateClient, ShowClient},
    },
    cli::{
        CLOCK, Connection, Failure, Global,
        connection::warn,
        parse::{duration, methods},
    },
};

/// Register a client
///
/// A key pair or secret that is made here goes into a key file for the client (mode 0600). The
/// server keeps the public half of the key only: the file is shown nowhere again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor client create billing --generate-key
  grantor client create partner --jwks partner-jwks.json --scope 'orders:read'
  grantor client create bank --pem bank-certificate.pem
  grantor client create portal --jwks-uri https://portal.example/jwks.json
  grantor client create legacy --auth client_secret_basic --out legacy.json
  grantor client create worker --federated cluster-a --sub system:serviceaccount:billing:worker
  grantor client create pipeline@ci.example --generate-key --format google")]
pub struct Create {
    /// Client identifier
    id: ClientId,
    /// How the client authenticates
    #[arg(long, value_parser = methods(), default_value = "private_key_jwt", value_name = "METHOD")]
    auth: AuthMethod,
    /// Make a key pair, for ES256 unless another algorithm is named (for Ed25519 some libraries
    /// want the name EdDSA)
    #[arg(long, value_name = "ALG", num_args = 0..=1, default_missing_value = "")]
    generate_key: Option<String>,
    #[command(flatten)]
    keys: PublicKeys,
    /// Fetch its public keys from this URL (https, port 443), a JWK Set, whenever they are needed
    #[arg(long, value_name = "URL", conflicts_with_all = ["generate_key", "jwks", "pem"])]
    jwks_uri: Option<Url>,
    #[command(flatten)]
    federated: Federated,
    #[command(flatten)]
    members: Members,
    /// How long a secret lives, such as 90d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    secret_lifetime: Option<Duration>,
    /// How long its keys live, such as 90d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    key_lifetime: Option<Duration>,
    /// Form of the key file
    #[arg(long, value_enum, default_value_t = FileForm::Grantor, value_name = "FORM")]
    format: FileForm,
    /// Where the key file goes; - is standard output [default: ID.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What `--format` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FileForm {
    Grantor,
    Google,
}

impl Create {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        if self.federated.is_named() {
            return self.run_federated(global).await;
        }
        let (body, pair) = self.client()?;
        if let Some(terms) = global.terms_here()? {
            // What is wrong makes no database.
            drop(body.clone().client().prepare(&terms, CLOCK.now())?);
        }
        let has_secret = self.auth.needs().is_some_and(Needs::is_secret);
        if pair.is_none() && !has_secret && self.keys.are_named() {
            no_key_file(self.out.as_deref())?;
        }
        let connection = global.connect_or_create().await?;
        check_free(&connection, &self.id).await?;
        let file = pair.map(|pair| self.key_file(&connection.issuer()?, pair));
        let file = file.transpose()?;
        let (id, input) = (self.id, Input::<CreateClient>::with((), body));
        let made = match has_secret {
            true => with_secret(&connection, self.out, &id, input).await?,
            false => {
                let file = (file.as_ref(), &State::default());
                with_key(&connection, file, self.out, &id, input).await?
            }
        };
        warn(&made.answer.warnings);
        let (client, done) = (&made.answer.client, format!("client {id} created"));
        match made.key_file() {
            Some(Some(path)) => global.output().done(
                &json!({"client": client, "key_file": path}),
                format_args!("{done}; its key file is {}", path.display()),
            ),
            Some(None) => Ok(()),
            None => global.output().done(&json!({"client": client}), done),
        }
    }

    /// Makes a client without keys of its own, and the trust by which it authenticates.
    async fn run_federated(self, global: &Global) -> Result<(), Failure> {
        if self.generate_key.is_some() {
            return Err(Failure::usage(
                "--generate-key does not go with --federated: have the key made afterwards, with `grantor client add-key ID --generate-key`",
            ));
        }
        no_key_file(self.out.as_deref())?;
        let mut document = self.document()?;
        let brings_keys = self.jwks_uri.is_some() || self.keys.are_named();
        if brings_keys && !self.federated.also_keys {
            return Err(Failure::usage(
                "a federated client has no keys of its own, unless it is told to: add --also-keys, or leave the keys out",
            ));
        }
        document.federated = true;
        document.jwks = self.keys.read()?.unwrap_or_default();
        let mut body = ClientBody::new(document);
        body.trust = Some(self.federated.trust()?);
        // They are refused, by the one who knows why.
        body.key_lifetime = self.key_lifetime;
        body.secret_lifetime = self.secret_lifetime;
        body.check()?;
        let connection = global.connect_or_create().await?;
        check_free(&connection, &self.id).await?;
        let made = connection.call(Input::<CreateClient>::with((), body));
        let made = made.await?;
        warn(&made.warnings);
        let trust = made.trust.as_ref().map(|trust| trust.name.to_string());
        global.output().done(
            &json!({"client": made.client, "trust": made.trust, "key_file": null}),
            format_args!(
                "client {} created, and trust {} by which it authenticates",
                self.id,
                trust.unwrap_or_default()
            ),
        )
    }

    /// The client, without the keys of files.
    fn document(&self) -> Result<ClientDocument, Failure> {
        let mut document = ClientDocument::new(self.id.clone(), self.auth.clone());
        if self.format == FileForm::Google {
            document.assertion_profile = AssertionProfile::ServiceAccount;
        }
        document.jwks_uri.clone_from(&self.jwks_uri);
        Ok(document.with(&self.members.patch()?)?)
    }

    /// The client, and the key pair that was made for it. The server gets the public half.
    fn client(&self) -> Result<(ClientBody, Option<PrivateJwk>), Failure> {
        let mut document = self.document()?;
        let generate = self.algorithm()?;
        match self.keys.read()? {
            Some(keys) => document.jwks = keys,
            None if self.auth == AuthMethod::PRIVATE_KEY_JWT
                && generate.is_none()
                && self.jwks_uri.is_none() =>
            {
                return Err(Failure::usage(
                    "private_key_jwt needs a key: add --generate-key, --jwks FILE, --pem FILE or --jwks-uri URL; or --federated ISS",
                ));
            }
            None => {}
        }
        let mut body = ClientBody::new(document);
        body.key_lifetime = self.key_lifetime;
        body.secret_lifetime = self.secret_lifetime;
        if self.auth.needs().is_some_and(Needs::is_secret) {
            // It is refused, by the one who knows why.
            body.generate = generate;
            return Ok((body, None));
        }
        let pair = generate.map(key_pair).transpose()?;
        if let Some(pair) = &pair {
            body.document.jwks = PublicJwks::new(vec![pair.public()]);
        }
        Ok((body, pair))
    }

    fn key_file(&self, issuer: &Issuer, pair: PrivateJwk) -> Result<KeyFile, Failure> {
        let id = self.id.clone();
        Ok(match self.format {
            FileForm::Google => KeyFile::service_account(issuer, id, pair),
            FileForm::Grantor => {
                KeyFile::new(issuer, id, self.auth.clone(), Credential::PrivateKey(pair))
            }
        })
    }

    /// The algorithm of the key pair to make.
    fn algorithm(&self) -> Result<Option<Algorithm>, Failure> {
        let Some(name) = self.generate_key.as_deref() else {
            return match self.format {
                FileForm::Grantor => Ok(None),
                FileForm::Google => Err(Failure::usage("--format google needs --generate-key")),
            };
        };
        match (name, self.format) {
            ("", FileForm::Grantor) => Ok(Some(Algorithm::Es256)),
            ("" | "RS256", FileForm::Google) => Ok(Some(Algorithm::Rs256)),
            (_, FileForm::Google) => Err(Failure::usage("--format google has RS256 keys only")),
            (name, FileForm::Grantor) => {
                let algorithm = Algorithm::from_name(name).filter(|algorithm| !algorithm.is_mac());
                algorithm.map(Some).ok_or_else(|| {
                    Failure::usage(format!(
                        "--generate-key {name}: expected ES256, RS256, PS256, ES384 or Ed25519"
                    ))
                })
            }
        }
    }
}

/// Succeeds if no client has this name now: before a key is handed over that could not be
/// registered.
async fn check_free(connection: &Connection, id: &ClientId) -> Result<(), Failure> {
    let found = connection.find(Input::<ShowClient>::at(id.clone()));
    match found.await? {
        Some(_) => Err(Error::Exists(Named::Client(id.clone())).into()),
        None => Ok(()),
    }
}
