//! `grantor scope`

use clap::{Args, Subcommand};
use grantor::{
    admin::ScopeFilter,
    types::{Description, ScopeToken},
};
use serde_json::json;

use super::{Connection, Failure, Global, Output};
use crate::admin::{
    Input,
    scopes::{DeleteScope, ListScopes, PutScope, ScopeBody},
};

/// Say what scopes mean to people who are asked for them
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  grantor scope set invoices:read --en 'Read your invoices' --fr 'Lire vos factures'")]
pub enum ScopeCommand {
    /// Describe a scope; what was there before is replaced
    Set(Set),
    /// List all scopes that are described
    List,
    /// Take the description of a scope away; clients keep the scope
    Delete(Named),
}

/// The scope a command is about.
#[derive(Debug, Args)]
pub struct Named {
    /// The scope
    name: ScopeToken,
}

/// What is said of a scope.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    scope: Named,
    /// What it allows, in English
    #[arg(long, value_name = "TEXT", value_parser = Description::parse)]
    en: Option<Description>,
    /// What it allows, in French
    #[arg(long, value_name = "TEXT", value_parser = Description::parse)]
    fr: Option<Description>,
    /// Mark it, and ask for a fresh sign-in where a client uses it while nobody is there
    #[arg(long)]
    sensitive: bool,
    /// Let people say yes to the rest without it
    #[arg(long)]
    optional: bool,
}

impl ScopeCommand {
    /// Whether it changes what is registered.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::List)
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let connection = &global.connect().await?;
        let output = global.output();
        match self {
            Self::Set(set) => set.run(connection, output).await,
            Self::List => list(connection, output).await,
            Self::Delete(Named { name }) => {
                let input = Input::<DeleteScope>::at(name.clone());
                connection.call(input).await?;
                output.done(
                    &json!({"deleted": name}),
                    format_args!("scope {name} has no description any more"),
                )
            }
        }
    }
}

impl Set {
    async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let name = self.scope.name;
        let body = ScopeBody {
            en: self.en,
            fr: self.fr,
            sensitive: self.sensitive,
            optional: self.optional,
            ..ScopeBody::default()
        };
        let input = Input::<PutScope>::with(name.clone(), body);
        let set = connection.call(input).await?;
        output.done(&set, format_args!("scope {name} set"))
    }
}

async fn list(connection: &Connection, output: Output) -> Result<(), Failure> {
    let scopes = connection.every::<ListScopes, _>((), ScopeFilter::default());
    let head = ["SCOPE", "ENGLISH", "FRENCH", "KIND"];
    output.print_list(&scopes.await?, &head, |scope| {
        let text = |text: &Option<Description>| {
            let text = text.as_ref().map(Description::as_str);
            text.unwrap_or("(no description)").to_owned()
        };
        let kinds = [("sensitive", scope.sensitive), ("optional", scope.optional)];
        let kinds = kinds.into_iter().filter(|(_, is_so)| *is_so);
        vec![
            scope.name.to_string(),
            text(&scope.en),
            text(&scope.fr),
            kinds.map(|(kind, _)| kind).collect::<Vec<_>>().join(" "),
        ]
    })
}
