//! `grantor assertion`

mod explain;

pub use self::explain::table;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use grantor::{
    assertion::{CLIENT_AUTHENTICATION_TYP, Usage},
    client::AssertionMaker,
    clock::Clock as _,
    types::Scope,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    CLOCK, Failure, Global,
    credential::{BareKey, ClientCredential},
    parse::duration,
};

/// Make and explain assertions
#[derive(Debug, Subcommand)]
pub enum AssertionCommand {
    /// Sign an assertion with a key file, and print it
    Mint(Mint),
    /// Say of every rule whether an assertion keeps it, without using it up; exit 1 if it would be
    /// refused
    Explain(explain::Explain),
}

/// Sign an assertion with a key file, and print it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor assertion mint --key billing.json
  grantor assertion mint --key billing.json --sub alice@example.com --scope 'invoices:read'
  grantor assertion mint --key key.pem --alg RS256 --iss billing --aud https://login.example --client-auth
  curl -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer \\
       -d assertion=\"$(grantor assertion mint --key billing.json)\" http://127.0.0.1:8080/token")]
pub struct Mint {
    /// Key file of the client; or its private key alone (PEM or JWK), with --iss and --aud; - is
    /// standard input
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    bare: BareKey,
    /// Subject [default: the client itself]
    #[arg(long, value_name = "SUB")]
    sub: Option<String>,
    /// Audience [default: --issuer, else the issuer identifier in the key file, or the token
    /// endpoint of a service account]
    #[arg(long, value_name = "URL")]
    aud: Option<String>,
    /// `scope` claim
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,
    /// How long it is valid. To see one expire, say 1s and wait out the 30 s of leeway that servers
    /// add (assertion.leeway_seconds)
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    lifetime: Duration,
    /// For client authentication instead of the jwt-bearer grant
    #[arg(long, conflicts_with_all = ["sub", "scope"])]
    client_auth: bool,
}

impl AssertionCommand {
    /// Whether it may be done at a server elsewhere.
    pub fn may_be_elsewhere(&self) -> bool {
        matches!(self, Self::Explain(_))
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Mint(command) => command.run(global).await,
            Self::Explain(command) => command.run(global).await,
        }
    }
}

impl Mint {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        Global::start_log()?;
        let key = ClientCredential::read(&self.key, self.bare)?;
        let usage = if self.client_auth {
            Usage::ClientAuthentication
        } else {
            Usage::Grant
        };
        let audience = self.aud.as_deref().or(global.issuer.as_deref());
        let assertion = sign(
            &key,
            usage,
            self.sub.as_deref(),
            audience,
            self.scope.as_ref(),
            self.lifetime,
        )
        .await?;
        global
            .output()
            .print(&json!({"assertion": *assertion}), &*assertion)
    }
}

/// Signs an assertion.
pub async fn sign(
    key: &ClientCredential,
    usage: Usage,
    subject: Option<&str>,
    audience: Option<&str>,
    scope: Option<&Scope>,
    lifetime: Duration,
) -> Result<Zeroizing<String>, Failure> {
    let from_file = || {
        key.file().map(|file| {
            if usage == Usage::Grant {
                &*file.audience
            } else {
                &*file.issuer
            }
        })
    };
    let audience = audience.or_else(from_file);
    let audience = audience.ok_or_else(|| {
        Failure::usage("a private key alone does not name its audience; say --aud URL")
    })?;
    let typ = if usage == Usage::ClientAuthentication {
        CLIENT_AUTHENTICATION_TYP
    } else {
        "JWT"
    };
    let client = key.client_id();
    let mut maker = AssertionMaker::new(client, key.signer()?)
        .lifetime(lifetime)
        .typ(Some(typ.into()));
    if let Some(scope) = scope {
        maker = maker.claim("scope", scope.to_string());
    }
    let assertion = maker.make(Some(subject.unwrap_or(client)), Some(audience), CLOCK.now());
    assertion.await.map_err(Failure::failed)
}
