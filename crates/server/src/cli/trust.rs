//! `grantor trust`

mod checked;
mod create;
mod members;
mod options;
mod report;
mod shown;
mod tried;
mod update;

use clap::{Args, Subcommand};
use grantor::{
    admin::{Patch, TrustDocument, TrustFilter},
    registry::Mode,
    types::{ClientId, IssuerId, Name},
};
use serde_json::json;

pub use self::{
    checked::Tables,
    tried::{When, print_tried, tried_jwt},
};
use super::{Connection, Failure, Global, Output};
use crate::admin::{
    Input,
    trusts::{DeleteTrust, ListTrusts, ShowTrust, UpdateTrust},
};

/// Say what JWTs of issuers are worth: which claims they need, and what they get
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  grantor trust create ci --template github-actions --owner-id 123456 --repository-id 456789 --ref refs/heads/main --scope deploy
  grantor trust create batch --from cluster-a --pin /kubernetes.io/namespace=billing --pin /kubernetes.io/serviceaccount/name=deployer
  grantor trust test ci job.jwt
  grantor trust create next --from github --pin repository_owner_id=123456 --shadow
  grantor trust report next --since 7d
  grantor trust disable ci")]
pub enum TrustCommand {
    /// Say what JWTs with these claims are worth
    Create(Box<create::MakeTrust>),
    #[command(flatten)]
    Registered(Registered),
}

/// What is done with trusts that are registered.
#[derive(Debug, Subcommand)]
pub enum Registered {
    /// List trusts
    List(List),
    /// Show one trust
    Show(Named),
    /// Change a trust
    Update(Box<update::Update>),
    /// Say of every rule and every trust whether a JWT keeps it, without using it up; exit 1 if it
    /// would get nothing
    Test(tried::Test),
    /// Count what a trust took and would have taken, and why not, among the newest decisions
    Report(report::Report),
    /// Take no JWT by this trust from the next request on
    Disable(Named),
    /// Let a trust count, also one that was a shadow
    Enable(Named),
    /// Remove a trust; its client stays
    Delete(Named),
}

/// The trust a command is about.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the trust
    name: Name,
}

/// Which trusts are listed: all that are everything of what is named.
#[derive(Debug, Args)]
pub struct List {
    /// Those of this issuer, by `iss` or name
    #[arg(long, value_name = "ISS")]
    from: Option<IssuerId>,
    /// Those for this client
    #[arg(long, value_name = "ID")]
    client: Option<ClientId>,
}

impl TrustCommand {
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
        !matches!(
            self,
            Self::List(_) | Self::Show(_) | Self::Test(_) | Self::Report(_)
        )
    }

    async fn run(self, global: &Global) -> Result<(), Failure> {
        let server = &global.connect().await?;
        let output = global.output();
        match self {
            Self::List(command) => command.run(server, output).await,
            Self::Show(Named { name }) => {
                let trust = server.call::<ShowTrust>(Input::at(name)).await?;
                output.print(&trust, shown::text(&trust))
            }
            Self::Update(command) => command.run(server, output).await,
            Self::Test(command) => command.run(server, output).await,
            Self::Report(command) => command.run(server, output).await,
            Self::Disable(Named { name }) => set_mode(server, name, Mode::Off, output).await,
            Self::Enable(Named { name }) => set_mode(server, name, Mode::On, output).await,
            Self::Delete(Named { name }) => {
                server.call::<DeleteTrust>(Input::at(name.clone())).await?;
                output.done(
                    &json!({"deleted": name}),
                    format_args!("trust {name} deleted"),
                )
            }
        }
    }
}

async fn set_mode(
    server: &Connection,
    name: Name,
    mode: Mode,
    output: Output,
) -> Result<(), Failure> {
    let patch = Patch::default().with("mode", json!(mode));
    let input = Input::<UpdateTrust>::with(name.clone(), patch.into());
    let trust = server.call(input).await?;
    let done = match mode {
        Mode::Off => "disabled",
        _ => "enabled",
    };
    output.done(
        &json!({"name": name, "mode": trust.document.mode}),
        format_args!("trust {name} {done}"),
    )
}

impl List {
    async fn run(self, server: &Connection, output: Output) -> Result<(), Failure> {
        let mut filter = TrustFilter::default();
        (filter.issuer, filter.client) = (self.from, self.client);
        let trusts = server.every::<ListTrusts, _>((), filter).await?;
        let head = ["TRUST", "ISSUER", "CLIENT", "NEEDS", "SCOPE", "MODE"];
        output.print_list(&trusts, &head, |trust| {
            let client = trust.client.as_ref();
            vec![
                trust.name.to_string(),
                trust.issuer.to_string(),
                client.map_or_else(String::new, ClientId::to_string),
                needs(trust),
                trust.scope.to_string(),
                shown::mode(trust.mode).to_owned(),
            ]
        })
    }
}

/// What it compares, in a cell.
fn needs(trust: &TrustDocument) -> String {
    let pins = trust.pins.iter();
    let pins = pins.map(|pin| format!("{}={}", pin.claim, pin.value));
    let matches = trust.matches.iter();
    let matches = matches.map(|one| format!("{}={}", one.claim, one.glob));
    let condition = trust.condition.iter().map(|_| "condition".to_owned());
    let all: Vec<_> = pins.chain(matches).chain(condition).collect();
    all.join(" ")
}
