//! `grantor issuer`

mod create;
mod key_source;
mod members;
mod shown;
mod update;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use grantor::admin::{IssuerDocument, IssuerFilter, Patch, Updated};
use serde_json::json;

pub use self::shown::shared_audiences;
use super::{
    Connection, Failure, Global, Output,
    trust::{When, print_tried, tried_jwt},
};
use crate::admin::{
    Input,
    issuers::{
        CascadeQuery, DeleteIssuer, IssuerChange, ListIssuers, RefreshIssuer, ShowIssuer,
        UpdateIssuer,
    },
    tried::{TestIssuer, TestJwt},
};

/// Register and change issuers: third parties whose JWTs are taken where a trust takes them
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  grantor issuer create https://token.actions.githubusercontent.com --name github --discover
  grantor issuer show github
  grantor issuer test github job.jwt
  grantor issuer disable github --revoke-tokens

ISS is the issuer's `iss` to the letter, or the name that you gave it.")]
pub enum IssuerCommand {
    /// Register an issuer
    Create(Box<create::Create>),
    #[command(flatten)]
    Registered(Registered),
}

/// What is done with issuers that are registered.
#[derive(Debug, Subcommand)]
pub enum Registered {
    /// List issuers
    List(List),
    /// Show one issuer: its keys, how old they are, and its audiences
    Show(Named),
    /// Change an issuer
    Update(Box<update::Update>),
    /// Fetch the keys of an issuer now, here and in every server
    Refresh(Named),
    /// Say of every rule and every trust whether a JWT keeps it, without using it up; exit 1 if it
    /// would get nothing
    Test(Test),
    /// Refuse its JWTs from the next request on
    Disable(Disable),
    /// Take the JWTs of a disabled issuer again
    Enable(Named),
    /// Remove an issuer with its keys
    Delete(Delete),
}

/// The issuer a command is about.
#[derive(Debug, Args)]
pub struct Named {
    /// The issuer, by `iss` or name
    #[arg(value_name = "ISS")]
    pub iss: String,
}

/// Which issuers are listed: all that are everything of what is named.
#[derive(Debug, Args)]
pub struct List {
    /// Those with this in `iss` or name
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Those that were made by this template
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
}

/// Say of every rule and every trust whether a JWT keeps it, without using it up
///
/// Exit code 0 if it would get something, else 1.
#[derive(Debug, Args)]
#[command(
    allow_missing_positional = true,
    after_help = "Examples:
  grantor issuer test job.jwt
  grantor issuer test github job.jwt --at 2027-01-15T08:00:00Z"
)]
pub struct Test {
    /// The issuer that it has to be of, by `iss` or name [default: any that is registered]
    #[arg(value_name = "ISS")]
    iss: Option<String>,
    /// File with the JWT; - is standard input
    #[arg(value_name = "FILE.jwt")]
    file: PathBuf,
    #[command(flatten)]
    when: When,
}

/// Refuse its JWTs from the next request on
///
/// While it is disabled, the tokens that were given for its JWTs are inactive at introspection.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  grantor issuer disable github
  grantor issuer disable github --revoke-tokens     for good: also when it is enabled again")]
pub struct Disable {
    #[command(flatten)]
    issuer: Named,
    /// End for good the tokens that were given for its JWTs so far, JWTs among them
    #[arg(long)]
    revoke_tokens: bool,
}

/// Remove an issuer with its keys
///
/// One that is registered again under the same `iss` has none of its keys and trusts. JWTs of it
/// that were used stay used.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  grantor issuer delete github --cascade")]
pub struct Delete {
    #[command(flatten)]
    issuer: Named,
    /// Remove its trusts too
    #[arg(long)]
    cascade: bool,
}

impl IssuerCommand {
    /// Whether it changes what is registered.
    pub fn is_change(&self) -> bool {
        match self {
            Self::Create(_) => true,
            Self::Registered(command) => command.is_change(),
        }
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run(global).await,
            Self::Registered(command) => command.run(global).await,
        }
    }
}

impl Registered {
    /// Whether it changes what is registered.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Show(_) | Self::Test(_))
    }

    async fn run(self, global: &Global) -> Result<(), Failure> {
        let server = &global.connect().await?;
        let output = global.output();
        match self {
            Self::List(command) => command.run(server, output).await,
            Self::Show(Named { iss }) => {
                let issuer = server.call::<ShowIssuer>(Input::at(iss)).await?;
                output.print(&issuer, shown::text(&issuer))
            }
            Self::Update(command) => command.run(server, output).await,
            Self::Refresh(Named { iss }) => {
                let found = server.call::<RefreshIssuer>(Input::at(iss)).await?;
                output.done(&json!(found), shown::fetched(&found))
            }
            Self::Test(command) => command.run(server, output).await,
            Self::Disable(command) => command.run(server, output).await,
            Self::Enable(Named { iss }) => {
                let issuer = switch(server, iss, true, IssuerChange::default()).await?;
                output.done(
                    &json!({"iss": issuer.iss, "name": issuer.name, "enabled": issuer.enabled}),
                    format_args!("issuer {} enabled", issuer.name),
                )
            }
            Self::Delete(command) => command.run(server, output).await,
        }
    }
}

/// Sets whether its JWTs are taken.
async fn switch(
    server: &Connection,
    iss: String,
    enabled: impl Into<serde_json::Value>,
    change: IssuerChange,
) -> Result<IssuerDocument, Failure> {
    let patch = Patch::default().with("enabled", enabled);
    let input = Input::<UpdateIssuer>::with(iss, patch.into()).asking(change);
    let Updated { document, .. } = server.call(input).await?;
    Ok(document)
}

impl List {
    async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let mut filter = IssuerFilter::default();
        (filter.q, filter.template) = (self.search, self.template);
        let issuers = server.every::<ListIssuers, _>((), filter).await?;
        let head = ["NAME", "ISS", "KEYS", "REPLAY", "STATE"];
        output.print_list(&issuers, &head, |issuer| {
            vec![
                issuer.name.to_string(),
                issuer.iss.to_string(),
                shown::key_place(issuer).to_owned(),
                shown::word(&issuer.replay),
                state(issuer),
            ]
        })
    }
}

/// Whether its JWTs are taken, and whether strangers share it.
fn state(issuer: &IssuerDocument) -> String {
    let enabled = match issuer.enabled {
        true => "enabled",
        false => "disabled",
    };
    match issuer.tenant_claims.is_empty() {
        true => enabled.to_owned(),
        false => format!("{enabled}, shared"),
    }
}

impl Test {
    async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let jwt = tried_jwt(&self.file, &self.when)?;
        let tried = match self.iss {
            Some(iss) => server.call(Input::<TestIssuer>::with(iss, jwt)).await?,
            None => server.call(Input::<TestJwt>::with((), jwt)).await?,
        };
        print_tried(&tried, output)
    }
}

impl Disable {
    async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let revokes = self.revoke_tokens;
        let change = IssuerChange {
            check: None,
            revoke_tokens: revokes.then_some(true),
        };
        let issuer = switch(server, self.issuer.iss, false, change).await?;
        let ended = match revokes {
            true => ", and the tokens given for its JWTs ended",
            false => "",
        };
        output.done(
            &json!({"iss": issuer.iss, "name": issuer.name, "enabled": issuer.enabled, "tokens_revoked": revokes}),
            format_args!("issuer {} disabled{ended}", issuer.name),
        )
    }
}

impl Delete {
    async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let cascade = self.cascade.then_some(true);
        let input = Input::<DeleteIssuer>::at(self.issuer.iss).asking(CascadeQuery { cascade });
        let done = server.call(input).await?;
        let names: Vec<_> = done.trusts.iter().map(ToString::to_string).collect();
        let along = match names.is_empty() {
            true => String::new(),
            false => format!(", with its trusts {}", names.join(", ")),
        };
        let text = format!("issuer {} deleted{along}", done.deleted);
        output.done(&json!(done), text)
    }
}
