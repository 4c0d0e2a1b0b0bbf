//! `grantor issuer`

mod create;
mod key_check;
mod key_source;
mod members;
mod shown;
mod update;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use grantor::admin::{Cascade, IssuerDocument, IssuerFilter, Patch, Tokens};
use serde_json::json;

pub use self::{key_check::Fetched, shown::shared_audiences};
use super::{
    Administered, Failure, Global, Output, PAGE, every,
    trust::{Tried, When},
};
use crate::config::Config;

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
        let (config, store) = global.open()?;
        let admin = &global.administered(&config, store);
        let output = global.output();
        match self {
            Self::List(command) => command.run(admin, output).await,
            Self::Show(Named { iss }) => shown::show(&config, admin, &iss, output).await,
            Self::Update(command) => command.run(&config, admin, output).await,
            Self::Refresh(Named { iss }) => refresh(&config, admin, &iss, output).await,
            Self::Test(command) => command.run(&config, admin, output).await,
            Self::Disable(command) => command.run(admin, output).await,
            Self::Enable(Named { iss }) => {
                let issuer = admin.issuers().enable(&iss, admin.actor()).await?;
                output.done(
                    &json!({"iss": issuer.iss, "name": issuer.name, "enabled": issuer.enabled}),
                    format_args!("issuer {} enabled", issuer.name),
                )
            }
            Self::Delete(command) => command.run(admin, output).await,
        }
    }
}

impl List {
    async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let mut filter = IssuerFilter::default();
        (filter.q, filter.template) = (self.search, self.template);
        let issuers = every(async |after| admin.issuers().page(&filter, after, PAGE).await);
        let head = ["NAME", "ISS", "KEYS", "REPLAY", "STATE"];
        output.print_list(&issuers.await?, &head, |issuer| {
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

/// Fetches the keys here first: servers begin anew with an issuer that has changed, and are not to
/// lose the keys that they hold to a place without any.
async fn refresh(
    config: &Config,
    admin: &Administered,
    iss: &str,
    output: Output,
) -> Result<(), Failure> {
    let issuers = admin.issuers();
    let issuer = issuers.find(iss).await?;
    if issuer.keys.uploaded().is_some() {
        return Err(Failure::failed(format!(
            "the keys of issuer {iss} were uploaded; upload others with `grantor issuer update {iss} --jwks FILE`"
        )));
    }
    let found = Fetched::new(config).report(&issuer).await;
    let found = found.map_err(|error| {
        Failure::failed(format!(
            "the keys of issuer {iss} cannot be had: {error}; servers go on with those that they hold"
        ))
    })?;
    issuers
        .update(iss, &Patch::default(), None, admin.actor())
        .await?;
    let keys: Vec<_> = found.keys.iter().map(shown::published).collect();
    let skipped: Vec<_> = found.skipped.iter().map(shown::skipped).collect();
    output.done(
        &json!({
            "iss": issuer.id,
            "name": issuer.name,
            "jwks_uri": found.jwks_uri,
            "keys": keys,
            "skipped": skipped,
        }),
        shown::fetched(&issuer, &found),
    )
}

impl Test {
    async fn run(
        self,
        config: &Config,
        admin: &Administered,
        output: Output,
    ) -> Result<(), Failure> {
        let issuer = match &self.iss {
            Some(iss) => Some(admin.issuers().get(iss).await?),
            None => None,
        };
        let tried = Tried::of(config, admin, &self.file, &self.when).await?;
        match (&tried.iss, issuer) {
            (Some(iss), Some(issuer)) if iss != issuer.iss.as_str() => {
                Err(Failure::failed(format!(
                    "the JWT says that its issuer is {iss}, and {} is {}: they have to be the same to the letter",
                    issuer.name, issuer.iss
                )))
            }
            _ => tried.print(admin, output).await,
        }
    }
}

impl Disable {
    async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let tokens = match self.revoke_tokens {
            true => Tokens::Revoke,
            false => Tokens::Stay,
        };
        let issuers = admin.issuers();
        let issuer = issuers
            .disable(&self.issuer.iss, tokens, admin.actor())
            .await?;
        let ended = match tokens {
            Tokens::Revoke => ", and the tokens given for its JWTs ended",
            Tokens::Stay => "",
        };
        output.done(
            &json!({"iss": issuer.iss, "name": issuer.name, "enabled": issuer.enabled, "tokens_revoked": self.revoke_tokens}),
            format_args!("issuer {} disabled{ended}", issuer.name),
        )
    }
}

impl Delete {
    async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let iss = &self.issuer.iss;
        let cascade = match self.cascade {
            true => Cascade::Trusts,
            false => Cascade::Refuse,
        };
        let trusts = admin.issuers().delete(iss, cascade, admin.actor()).await?;
        let names: Vec<_> = trusts.iter().map(ToString::to_string).collect();
        let along = match names.is_empty() {
            true => String::new(),
            false => format!(", with its trusts {}", names.join(", ")),
        };
        output.done(
            &json!({"deleted": iss, "trusts": trusts}),
            format_args!("issuer {iss} deleted{along}"),
        )
    }
}
