//! `grantor permission`

use clap::{Args, Subcommand};
use grantor::{
    clock::Clock as _,
    registry::{Permission, PermissionId},
    storage::StoreError,
    types::{ClientId, Scope, SubjectId},
};
use serde::Serialize;
use serde_json::json;

use super::{CLOCK, Failure, Global, actor, output::time, parse::join};

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

/// A permission as operators see it.
#[derive(Serialize)]
struct View {
    client: ClientId,
    subject: SubjectId,
    scope: Option<Scope>,
    created_at: Option<String>,
}

impl View {
    fn of(permission: &Permission) -> Self {
        Self {
            client: permission.client.clone(),
            subject: permission.subject.clone(),
            scope: permission.scope.clone(),
            created_at: permission.created_at.map(time),
        }
    }
}

impl PermissionCommand {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let (_, store) = global.open()?;
        let output = global.output();
        match self {
            Self::List => {
                let permissions: Vec<View> = store
                    .permissions()
                    .all()
                    .await?
                    .iter()
                    .map(|permission| View::of(permission))
                    .collect();
                output.print_list(
                    &permissions,
                    &["CLIENT", "SUBJECT", "SCOPE"],
                    |permission| {
                        let scope = permission
                            .scope
                            .as_ref()
                            .map_or_else(|| "(the client's)".to_owned(), Scope::to_string);
                        vec![
                            permission.client.to_string(),
                            permission.subject.to_string(),
                            scope,
                        ]
                    },
                )
            }
            Self::Create(Create {
                pair: Pair { client, subject },
                scopes,
            }) => {
                let scope = if scopes.is_empty() {
                    None
                } else {
                    Some(join(&scopes)?)
                };
                let permission = Permission::new(client, subject, scope).given_at(CLOCK.now());
                let created = store
                    .permissions()
                    .create(permission.clone(), &actor())
                    .await;
                created.map_err(|error| about(&permission.client, &permission.subject, error))?;
                let text = format!(
                    "client {} may act for {}",
                    permission.client, permission.subject
                );
                output.done(&View::of(&permission), text)
            }
            Self::Delete(Pair { client, subject }) => {
                let id = PermissionId::by_operator(client.clone(), subject.clone());
                let deleted = store.permissions().delete(&id, &actor()).await;
                deleted.map_err(|error| about(&client, &subject, error))?;
                let value = json!({"deleted": {"client": client, "subject": subject}});
                output.done(
                    &value,
                    format_args!("client {client} may no longer act for {subject}"),
                )
            }
        }
    }
}

fn about(client: &ClientId, subject: &SubjectId, error: StoreError) -> Failure {
    Failure::failed(match error {
        StoreError::Missing("client") => format!("client {client} does not exist"),
        StoreError::Missing("subject") => format!("subject {subject} does not exist"),
        StoreError::Missing(_) => format!("client {client} has no permission for {subject}"),
        StoreError::Exists(_) => {
            format!("client {client} has a permission for {subject} already; delete it first")
        }
        other => return other.into(),
    })
}
