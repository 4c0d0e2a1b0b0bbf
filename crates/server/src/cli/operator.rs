//! `grantor operator`

use clap::{Args, Subcommand};
use grantor::{
    admin::{ClientFilter, OperatorDocument},
    registry::Role,
    types::{ClientId, SubjectId},
};
use serde::Serialize;
use serde_json::json;

use super::{Connection, Failure, Global, Output, connection::warn};
use crate::admin::{
    Input, Warned,
    clients::ListClients,
    subjects::{
        CreateSubject, DeleteRole, ListSubjects, PutRole, RoleBody, ShowSubject, SubjectQuery,
    },
};

/// Say who administers this server
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  grantor operator create alice@example.com --role owner
  grantor subject invite alice@example.com")]
pub enum OperatorCommand {
    /// Give a subject a role; the subject is registered if it is not there yet
    Create(Create),
    /// List who has a role: subjects, and clients by their scope
    List,
    /// Take the role of a subject, which stays registered
    Delete(Named),
}

/// The operator a command is about.
#[derive(Debug, Args)]
pub struct Named {
    /// The value of `sub`
    id: SubjectId,
}

/// Who gets which role.
#[derive(Debug, Args)]
pub struct Create {
    #[command(flatten)]
    named: Named,
    /// reader looks, editor changes what gives no power, owner changes everything
    #[arg(long, value_name = "ROLE", default_value = "reader")]
    role: Role,
}

/// Somebody with a role.
#[derive(Debug, Serialize)]
struct Holder {
    /// A subject with a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<SubjectId>,
    /// A client with a scope that is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<ClientId>,
    role: Role,
    enabled: bool,
}

impl OperatorCommand {
    /// Whether it changes what is registered.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::List)
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let output = global.output();
        match self {
            Self::Create(command) => {
                command
                    .run(&global.connect_or_create().await?, output)
                    .await
            }
            Self::List => list(&global.connect().await?, output).await,
            Self::Delete(Named { id }) => {
                let input = Input::<DeleteRole>::at(id.clone());
                global.connect().await?.call(input).await?;
                output.done(
                    &json!({"deleted": id}),
                    format_args!("{id} is no operator any more"),
                )
            }
        }
    }
}

impl Create {
    async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let (id, role) = (self.named.id, self.role);
        let given = give(connection, &id, role).await?;
        let more = given.warnings.iter();
        let next: String = more.map(|warning| format!("; {warning}")).collect();
        output.done(&given, format_args!("{id} has the role {role}{next}"))
    }
}

/// Gives a subject a role; the subject is registered if it is not there yet.
pub async fn give(
    connection: &Connection,
    id: &SubjectId,
    role: Role,
) -> Result<Warned<OperatorDocument>, Failure> {
    let shown = connection.find(Input::<ShowSubject>::at(id.clone()));
    if shown.await?.is_none() {
        let new = grantor::admin::SubjectDocument::new(id.clone());
        let made = connection.call(Input::<CreateSubject>::with((), new));
        warn(&made.await?.warnings);
    }
    let input = Input::<PutRole>::with(id.clone(), RoleBody { role });
    connection.call(input).await
}

async fn list(connection: &Connection, output: Output) -> Result<(), Failure> {
    let mut holders = Vec::new();
    for role in Role::ALL.into_iter().rev() {
        let query = SubjectQuery {
            role: Some(role),
            ..SubjectQuery::default()
        };
        let subjects = connection.every::<ListSubjects, _>((), query).await?;
        holders.extend(subjects.into_iter().map(|state| Holder {
            subject: Some(state.subject.id),
            client: None,
            role,
            enabled: state.subject.enabled,
        }));
    }
    let mut powerful = ClientFilter::default();
    powerful.power = Some(true);
    let clients = connection.every::<ListClients, _>((), powerful).await?;
    holders.extend(clients.into_iter().filter_map(|client| {
        Some(Holder {
            role: Role::of_scope(&client.scope)?,
            subject: None,
            client: Some(client.client_id),
            enabled: client.enabled,
        })
    }));
    output.print_list(&holders, &["OPERATOR", "KIND", "ROLE", "STATE"], row)
}

fn row(holder: &Holder) -> Vec<String> {
    let (name, kind) = match (&holder.subject, &holder.client) {
        (Some(subject), _) => (subject.to_string(), "subject"),
        (None, client) => (
            client.as_ref().map(ClientId::to_string).unwrap_or_default(),
            "client",
        ),
    };
    let state = match holder.enabled {
        true => "enabled",
        false => "disabled",
    };
    vec![
        name,
        kind.to_owned(),
        holder.role.to_string(),
        state.to_owned(),
    ]
}
