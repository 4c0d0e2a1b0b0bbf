//! `grantor client create`

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use grantor::{
    admin::{ClientDocument, new_secret},
    clock::Clock as _,
    credential::{Credential, KeyFile},
    jose::{Algorithm, PrivateJwk, VerificationKey},
    registry::{AssertionProfile, Client, ClientMetadata, ClientSecret},
    storage::StoreError,
    types::{AuthMethod, ClientId, GrantType, Needs, Scope},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    FormatName, PolicyName, about,
    delivery::{Destination, no_key_file},
    ending_after,
    public_keys::{PublicKeys, check_keys, check_signing_algorithm},
};
use crate::{
    cli::{
        CLOCK, Failure, Global, actor, look_alike,
        parse::{algorithm, duration, grant_type, join},
    },
    config::Config,
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
  grantor client create legacy --auth client_secret_basic --out legacy.json
  grantor client create pipeline@ci.example --generate-key --format google")]
pub struct Create {
    /// Client identifier
    id: ClientId,
    /// How the client authenticates
    #[arg(long, value_enum, default_value_t = AuthName::PrivateKeyJwt, value_name = "METHOD")]
    auth: AuthName,
    /// Make a key pair, for ES256 unless another algorithm is named (for Ed25519 some libraries
    /// want the name EdDSA)
    #[arg(long, value_name = "ALG", num_args = 0..=1, default_missing_value = "")]
    generate_key: Option<String>,
    #[command(flatten)]
    keys: PublicKeys,
    /// Grant it may use: jwt-bearer, client-credentials [default: both]
    #[arg(long = "grant", value_name = "NAME", value_parser = grant_type)]
    grants: Vec<GrantType>,
    /// Scope it may get; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// Audience of its client authentication JWT: the issuer identifier only, or the token
    /// endpoint URL too
    #[arg(long, value_enum, default_value_t = PolicyName::Strict, value_name = "POLICY")]
    audience_policy: PolicyName,
    /// The one algorithm its assertions must be signed with
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    signing_alg: Option<Algorithm>,
    /// Form of its access tokens
    #[arg(long, value_enum, default_value_t = FormatName::Jwt, value_name = "FORMAT")]
    token_format: FormatName,
    /// How long a secret lives, such as 90d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    secret_lifetime: Option<std::time::Duration>,
    /// How long its keys live, such as 90d [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    key_lifetime: Option<std::time::Duration>,
    /// Form of the key file
    #[arg(long, value_enum, default_value_t = FileForm::Grantor, value_name = "FORM")]
    format: FileForm,
    /// Where the key file goes; - is standard output [default: ID.json]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What `--auth` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum AuthName {
    PrivateKeyJwt,
    ClientSecretJwt,
    ClientSecretBasic,
    ClientSecretPost,
    None,
}

impl AuthName {
    fn method(self) -> AuthMethod {
        match self {
            Self::PrivateKeyJwt => AuthMethod::PRIVATE_KEY_JWT,
            Self::ClientSecretJwt => AuthMethod::CLIENT_SECRET_JWT,
            Self::ClientSecretBasic => AuthMethod::CLIENT_SECRET_BASIC,
            Self::ClientSecretPost => AuthMethod::CLIENT_SECRET_POST,
            Self::None => AuthMethod::NONE,
        }
    }

    fn has_secret(self) -> bool {
        self.method().needs().is_some_and(Needs::is_secret)
    }
}

/// What `--format` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FileForm {
    Grantor,
    Google,
}

impl Create {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let config = &global.start()?;
        let output = global.output();
        let key = self.generate()?;
        let secret = self.auth.has_secret().then(ClientSecret::generate);
        let client = self.client(key.as_ref(), secret.as_ref())?;
        self.check_method(config)?;
        check_keys(&config.assertion, client.keys())?;
        check_signing_algorithm(&config.assertion, &client)?;
        let view = ClientDocument::of(&client, CLOCK.now());
        let file = self.key_file(config, key, secret);
        if file.is_none() && self.keys.are_named() {
            no_key_file(self.out.as_deref())?;
        }
        let store = global.open_or_create(config)?;
        if store.clients().get(&self.id).await?.is_some() {
            return Err(about(&self.id, StoreError::Exists("client")));
        }
        look_alike::warn(&store, self.id.as_str()).await?;
        // The key first: a client whose key was lost would be of no use.
        let delivered = file
            .map(|file| Destination::of(self.out.clone(), &self.id).deliver(&file))
            .transpose()?;
        let created = store.clients().create(client, &actor()).await;
        match (delivered, created) {
            (Some(delivered), Err(error)) => Err(delivered.take_back(&self.id, error.into())),
            (None, Err(error)) => Err(about(&self.id, error)),
            (Some(delivered), Ok(_)) => match delivered.path() {
                Some(path) => {
                    let text = format!(
                        "client {} created; its key file is {}",
                        self.id,
                        path.display()
                    );
                    output.done(&json!({"client": view, "key_file": path}), text)
                }
                None => Ok(()),
            },
            (None, Ok(_)) => output.done(
                &json!({"client": view}),
                format_args!("client {} created", self.id),
            ),
        }
    }

    /// Refuses a secret that this server would never take.
    fn check_method(&self, config: &Config) -> Result<(), Failure> {
        let method = self.auth.method();
        if self.auth.has_secret() && !config.assertion.profile.accepts_method(&method) {
            let problem = "configuration key 'profile' says fapi2, with which clients authenticate with private_key_jwt only";
            return Err(Failure::usage(format!(
                "--auth {method}: {problem}; register a key instead"
            )));
        }
        Ok(())
    }

    fn generate(&self) -> Result<Option<PrivateJwk>, Failure> {
        let Some(name) = &self.generate_key else {
            if self.format == FileForm::Google {
                return Err(Failure::usage("--format google needs --generate-key"));
            }
            return Ok(None);
        };
        let algorithm = match (name.as_str(), self.format) {
            ("", FileForm::Grantor) => Algorithm::Es256,
            ("" | "RS256", FileForm::Google) => Algorithm::Rs256,
            (_, FileForm::Google) => {
                return Err(Failure::usage("--format google has RS256 keys only"));
            }
            (name, FileForm::Grantor) => Algorithm::from_name(name)
                .filter(|algorithm| !algorithm.is_mac())
                .ok_or_else(|| {
                    Failure::usage(format!(
                        "--generate-key {name}: expected ES256, RS256, PS256, ES384 or Ed25519"
                    ))
                })?,
        };
        PrivateJwk::generate(algorithm)
            .map(Some)
            .map_err(Failure::failed)
    }

    fn client(
        &self,
        key: Option<&PrivateJwk>,
        secret: Option<&Zeroizing<String>>,
    ) -> Result<Client, Failure> {
        let now = CLOCK.now();
        let mut metadata = ClientMetadata::new(self.id.clone(), self.auth.method(), now);
        if !self.grants.is_empty() {
            metadata.grant_types.clone_from(&self.grants);
        }
        metadata.scope = join(&self.scopes)?;
        metadata.audience_policy = self.audience_policy.into();
        metadata.signing_algorithm = self.signing_alg;
        metadata.token_format = self.token_format.into();
        if self.format == FileForm::Google {
            metadata.assertion_profile = AssertionProfile::ServiceAccount;
        }
        let expires_at = self.secret_lifetime.map(|lifetime| now.plus(lifetime));
        let secret = secret
            .map(|secret| new_secret(&metadata.auth_method, secret, expires_at))
            .transpose()
            .map_err(Failure::failed)?;
        let keys = match (self.keys.read()?, key) {
            (Some(keys), _) => keys,
            (None, Some(key)) => vec![Arc::new(
                VerificationKey::from_jwk(key.public()).map_err(Failure::failed)?,
            )],
            (None, None) => Vec::new(),
        };
        if self.auth == AuthName::PrivateKeyJwt && keys.is_empty() {
            return Err(Failure::usage(
                "private_key_jwt needs a key: add --generate-key, --jwks FILE or --pem FILE",
            ));
        }
        let keys = ending_after(keys, self.key_lifetime);
        Client::new(metadata, keys, secret.into_iter().collect()).map_err(Failure::usage)
    }

    fn key_file(
        &self,
        config: &Config,
        key: Option<PrivateJwk>,
        secret: Option<Zeroizing<String>>,
    ) -> Option<KeyFile> {
        let credential = match (self.format, key, secret) {
            (FileForm::Google, Some(key), _) => {
                return Some(KeyFile::service_account(
                    &config.issuer,
                    self.id.clone(),
                    key,
                ));
            }
            (_, Some(key), _) => Credential::PrivateKey(key),
            (_, None, Some(secret)) => Credential::Secret(secret),
            (_, None, None) => return None,
        };
        Some(KeyFile::new(
            &config.issuer,
            self.id.clone(),
            self.auth.method(),
            credential,
        ))
    }
}
