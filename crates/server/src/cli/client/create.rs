//! `grantor client create`

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use grantor::{
    admin::{ClientDocument, NewClient},
    clock::Clock as _,
    credential::KeyFileForm,
    jose::Algorithm,
    registry::AssertionProfile,
    types::{AuthMethod, ClientId},
};
use serde_json::json;

use url::Url;

use super::{
    delivery::{make, no_key_file},
    federated::Federated,
    members::Members,
    public_keys::PublicKeys,
};
use crate::admin::look_alike;
use crate::cli::{
    CLOCK, Failure, Global,
    parse::{duration, methods},
    terms,
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
        let config = global.start()?;
        let output = global.output();
        let prepared = self.client()?.prepare(&terms(&config), CLOCK.now())?;
        if prepared.key_file.is_none() && self.keys.are_named() {
            no_key_file(self.out.as_deref())?;
        }
        let admin = global.administered(&config, global.open_or_create(&config)?);
        admin.clients().check_free(&self.id).await?;
        for warning in look_alike::warning(&admin.store, self.id.as_str()).await? {
            tracing::warn!("{warning}");
        }
        let made = make(&admin, &self.id, prepared, self.out).await?;
        super::warn_of_consent(&admin, &made.client).await?;
        let done = format!("client {} created", self.id);
        match made.key_file() {
            Some(Some(path)) => output.done(
                &json!({"client": made.client, "key_file": path}),
                format_args!("{done}; its key file is {}", path.display()),
            ),
            Some(None) => Ok(()),
            None => output.done(&json!({"client": made.client}), done),
        }
    }

    /// Makes a client without keys of its own, and the trust by which it authenticates.
    async fn run_federated(self, global: &Global) -> Result<(), Failure> {
        let config = global.start()?;
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
        let admin = global.administered(&config, global.open_or_create(&config)?);
        admin.clients().check_free(&self.id).await?;
        for warning in look_alike::warning(&admin.store, self.id.as_str()).await? {
            tracing::warn!("{warning}");
        }
        let new = self.federated.client(document)?;
        let made = admin.trusts().create_federated(new, admin.actor()).await?;
        if let Some(client) = &made.client {
            super::warn_of_consent(&admin, client).await?;
        }
        global.output().done(
            &json!({"client": made.client, "trust": made.trust, "key_file": null}),
            format_args!(
                "client {} created, and trust {} by which it authenticates",
                self.id, made.trust.name
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

    fn client(&self) -> Result<NewClient, Failure> {
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
        let mut client = NewClient::new(document);
        client.generate = generate;
        client.key_lifetime = self.key_lifetime;
        client.secret_lifetime = self.secret_lifetime;
        client.form = match self.format {
            FileForm::Grantor => KeyFileForm::Grantor,
            FileForm::Google => KeyFileForm::ServiceAccount,
        };
        Ok(client)
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
