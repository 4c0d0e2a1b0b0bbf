//! `grantor doctor`: what is wrong with an authorization server, or between it and a key, in
//! sentences with remedies.

mod credential;
mod database;
mod issuers;
mod keys;
mod metadata;
mod obstacle;
mod report;

use std::path::PathBuf;

use clap::Args;
use grantor::{
    remote::{HttpFetch, checked_url},
    types::Scope,
};

pub use self::obstacle::remedy;
use self::{credential::Examination, metadata::Metadata, report::Report};
use super::{
    Failure, Global,
    credential::{BareKey, ClientCredential},
    token::GrantName,
};
use crate::config::Overrides;

/// Find out what is wrong with a server, or between it and a key
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor doctor --issuer https://login.example/realms/a
  grantor doctor --issuer https://as.example --key billing.json
  grantor doctor --key billing.json --grant client-credentials --json
  grantor doctor --database
  grantor doctor --issuer https://as.example --key key.pem --iss billing --alg RS256 --kid 2026-01

Without --issuer, the server of the key file is meant, else the configured one: then the issuers that are registered here are looked at too.
With --key, tokens are asked for, as `grantor token` does, and forgotten. Exit code 0: all is well; 1: something is wrong.")]
pub struct Doctor {
    /// Check the database server of the configuration instead: what a start would check, and what is
    /// promised there
    #[arg(long, conflicts_with = "key")]
    database: bool,
    /// Key file of a client: asks for tokens with it. Or its private key alone (PEM or JWK), with
    /// --iss; - is standard input
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    bare: BareKey,
    /// Try this grant only [default: each that the server says it has]
    #[arg(long, value_enum, value_name = "GRANT", requires = "key")]
    grant: Option<GrantName>,
    /// Subject to ask a token for [default: the client itself]
    #[arg(long, value_name = "SUB", requires = "key")]
    sub: Option<String>,
    /// Scope to ask for [default: all that is allowed]
    #[arg(long, value_name = "SCOPE", requires = "key")]
    scope: Option<Scope>,
}

impl Doctor {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        Global::start_log()?;
        if self.database {
            return database::examine(global).await;
        }
        let key = self
            .key
            .as_deref()
            .map(|path| ClientCredential::read(path, self.bare))
            .transpose()?;
        let file = key.as_ref().and_then(ClientCredential::file);
        let issuer = match (&global.issuer, file) {
            (Some(issuer), _) => issuer.clone(),
            (None, Some(file)) => file.issuer.clone(),
            (None, None) => global.load_config(Overrides::default())?.issuer.to_string(),
        };
        checked_url(&issuer).map_err(|error| Failure::usage(format!("--issuer {error}")))?;
        let fetch = HttpFetch::new().map_err(Failure::failed)?;

        let mut report = Report::new(&issuer);
        let metadata = Metadata::examine(&fetch, &issuer, &mut report).await?;
        keys::examine(&fetch, &metadata, &mut report).await;
        if let Some(key) = &key {
            let examination = Examination {
                key,
                issuer: &issuer,
                metadata: &metadata,
                grant: self.grant,
            };
            examination
                .run(self.sub.as_deref(), self.scope.as_ref(), &mut report)
                .await?;
        }
        if global.issuer.is_none() && file.is_none() {
            issuers::of_this_server(global, &mut report).await?;
        }
        global.output().print(&report, &report)?;
        match report.count() {
            0 => Ok(()),
            1 => Err(Failure::failed("something is wrong")),
            number => Err(Failure::failed(format!("{number} things are wrong"))),
        }
    }
}
