//! `grantor permission`

use clap::{Args, Subcommand};
use grantor::{
    admin::{PermissionDocument, PermissionFilter},
    registry::PermissionId,
    types::{ClientId, Scope, SubjectId},
};
use serde_json::json;

use super::{Administered, Failure, Global, Output, PAGE, actor, every, parse::join};

/// Say which client may act for which subject
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  grantor permission create billing alice@example.com --scope 'invoices:read'")]
pub enum PermissionCommand {
    /// Let a client act for a subject
    Create(Create),
    /// List all permissions
    List,
    /// Withdraw a permission
    Delete(Pair),
}

/// Whose permission for whom.
#[derive(Debug, Args)]
pub struct Pair {
    /// Client identifier
    client: ClientId,
    /// The value of `sub`
    subject: SubjectId,
}

/// Let a client act for a subject
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    pair: Pair,
    /// Within this scope; may be repeated [default: all that the client may get]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
}

impl PermissionCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let admin = global.administer()?;
        let output = global.output();
        match self {
            Self::List => list(&admin, output).await,
            Self::Create(command) => command.run(&admin, output).await,
            Self::Delete(Pair { client, subject }) => {
                let id = PermissionId::by_operator(client.clone(), subject.clone());
                admin.permissions().delete(&id, &actor()).await?;
                output.done(
                    &json!({"deleted": {"client": client, "subject": subject}}),
                    format_args!("client {client} may no longer act for {subject}"),
                )
            }
        }
    }
}

impl Create {
    async fn run(self, admin: &Administered, output: Output) -> Result<(), Failure> {
        let Pair { client, subject } = self.pair;
        let mut document = PermissionDocument::new(client, subject);
        if !self.scopes.is_empty() {
            document.scope = Some(join(&self.scopes)?);
        }
        let created = admin.permissions().create(document, &actor()).await?;
        let text = format!("client {} may act for {}", created.client, created.subject);
        output.done(&created, text)
    }
}

async fn list(admin: &Administered, output: Output) -> Result<(), Failure> {
    let permissions = every(async |after| {
        let all = PermissionFilter::default();
        admin.permissions().page(&all, after, PAGE).await
    });
    let head = ["CLIENT", "SUBJECT", "SCOPE"];
    output.print_list(&permissions.await?, &head, |permission| {
        let scope = permission.scope.as_ref();
        vec![
            permission.client.to_string(),
            permission.subject.to_string(),
            scope.map_or_else(|| "(the client's)".to_owned(), Scope::to_string),
        ]
    })
}
