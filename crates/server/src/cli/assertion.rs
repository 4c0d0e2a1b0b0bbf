//! `grantor assertion`

mod explain;

pub use self::explain::{nearest, table};

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use grantor::{
    assertion::{CLIENT_AUTHENTICATION_TYP, NewAssertion, Usage},
    client::KeyFile,
    clock::Clock as _,
    jose::json::Object,
    types::Scope,
};
use serde_json::json;

use super::{CLOCK, Failure, Global, duration};

/// Make and explain assertions
#[derive(Debug, Subcommand)]
pub enum AssertionCommand {
    /// Sign an assertion with a key file, and print it
    Mint(Mint),
    /// Say of every rule whether an assertion keeps it, without using it up; exit 1 if it would be refused
    Explain(explain::Explain),
}

/// Sign an assertion with a key file, and print it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor assertion mint --key billing.json
  grantor assertion mint --key billing.json --sub alice@example.com --scope 'invoices:read'
  curl -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer \\
       -d assertion=\"$(grantor assertion mint --key billing.json)\" http://127.0.0.1:8080/token")]
pub struct Mint {
    /// Key file of the client
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Subject [default: the client itself]
    #[arg(long, value_name = "SUB")]
    sub: Option<String>,
    /// Audience [default: the issuer identifier in the key file]
    #[arg(long, value_name = "URL")]
    aud: Option<String>,
    /// `scope` claim
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,
    /// How long it is valid
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    lifetime: Duration,
    /// For client authentication instead of the jwt-bearer grant
    #[arg(long, conflicts_with_all = ["sub", "scope"])]
    client_auth: bool,
}

impl AssertionCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Mint(command) => command.run(global),
            Self::Explain(command) => command.run(global).await,
        }
    }
}

impl Mint {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let key = KeyFile::read(&self.key).map_err(Failure::usage)?;
        let usage = if self.client_auth { Usage::ClientAuthentication } else { Usage::Grant };
        let audience = self.aud.as_deref().or(global.issuer.as_deref());
        let assertion = sign(&key, usage, self.sub.as_deref(), audience, self.scope.as_ref(), self.lifetime)?;
        global.output().print(&json!({"assertion": assertion}), &assertion);
        Ok(())
    }
}

/// Signs an assertion with a key file.
pub fn sign(
    key: &KeyFile,
    usage: Usage,
    subject: Option<&str>,
    audience: Option<&str>,
    scope: Option<&Scope>,
    lifetime: Duration,
) -> Result<String, Failure> {
    let client = key.client_id.as_str();
    let mut claims = Object::new();
    if let Some(scope) = scope {
        claims.insert("scope".to_owned(), scope.to_string().into());
    }
    let assertion = NewAssertion {
        issuer: client,
        subject: subject.unwrap_or(client),
        audience: audience.unwrap_or(if usage == Usage::Grant { &key.audience } else { &key.issuer }),
        lifetime,
        typ: Some(if usage == Usage::ClientAuthentication { CLIENT_AUTHENTICATION_TYP } else { "JWT" }),
        claims,
    };
    let signing_key = key.signing_key().map_err(Failure::usage)?;
    assertion.sign(&signing_key, CLOCK.now()).map_err(Failure::failed)
}
