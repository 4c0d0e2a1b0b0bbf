//! `grantor permission`

use std::time::Duration;

use clap::{Args, Subcommand};
use grantor::{
    admin::{PermissionDocument, PermissionFilter},
    clock::Clock as _,
    registry::Origin,
    types::{ClientId, GrantType, Scope, SubjectId},
};
use serde_json::json;

use super::{
    CLOCK, Connection, Failure, Global, Output,
    output::{table, time},
    parse::{duration, grant_type, join, short_name},
};
use crate::admin::{
    Input,
    permissions::{
        AskBody, AskPermission, CreatePermission, DeletePermission, ListPermissions,
        ShowPermission, Whose,
    },
};

/// Say which client may act for which subject
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  grantor permission create billing alice@example.com --scope 'invoices:read'
  grantor permission show billing alice@example.com
  grantor permission ask billing alice@example.com
  grantor permission list --subject alice@example.com")]
pub enum PermissionCommand {
    /// Let a client act for a subject
    Create(Create),
    /// List permissions
    List(List),
    /// Show both records of a client and a subject, and what a token request would get now
    Show(Pair),
    /// Print the link at which the person is asked
    Ask(Ask),
    /// Withdraw a permission
    Delete(Delete),
}

/// Which permissions are listed: all that are everything of what is named.
#[derive(Debug, Args)]
pub struct List {
    /// Those of this client
    #[arg(long)]
    client: Option<ClientId>,
    /// Those for this subject
    #[arg(long)]
    subject: Option<SubjectId>,
    /// Those that an operator gave, or the person
    #[arg(long, value_parser = origin, value_name = "PARTY")]
    origin: Option<Origin>,
}

/// What a person is asked.
#[derive(Debug, Args)]
pub struct Ask {
    #[command(flatten)]
    pair: Pair,
    /// For this scope; may be repeated [default: all that the client may get]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
}

/// Which record ends.
#[derive(Debug, Args)]
pub struct Delete {
    #[command(flatten)]
    pair: Pair,
    /// The one that an operator gave, or the person's
    #[arg(long, value_parser = origin, value_name = "PARTY", default_value = "operator")]
    origin: Origin,
}

fn origin(text: &str) -> Result<Origin, String> {
    Origin::from_name(text).ok_or_else(|| "expected operator or person".to_owned())
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
    /// By this grant; may be repeated [default: jwt-bearer]
    #[arg(long = "grant", value_name = "NAME", value_parser = grant_type)]
    grants: Vec<GrantType>,
    /// For this long, such as 90d [default: until it is withdrawn]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    lifetime: Option<Duration>,
}

impl PermissionCommand {
    /// Whether it changes what is registered.
    pub fn is_change(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Show(_) | Self::Ask(_))
    }

    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let connection = &global.connect().await?;
        let output = global.output();
        match self {
            Self::List(filter) => filter.run(connection, output).await,
            Self::Create(command) => command.run(connection, output).await,
            Self::Show(pair) => show(connection, pair, output).await,
            Self::Ask(command) => command.run(connection, output).await,
            Self::Delete(command) => command.run(connection, output).await,
        }
    }
}

impl Delete {
    async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let Pair { client, subject } = self.pair;
        let origin = self.origin;
        let pair = (client.clone(), subject.clone());
        let input = Input::<DeletePermission>::at(pair).asking(Whose {
            origin: Some(origin),
        });
        connection.call(input).await?;
        let whose = match origin {
            Origin::Operator => "by an operator's word",
            Origin::Person => "by the person's own",
        };
        output.done(
            &json!({"deleted": {"client": client, "subject": subject, "origin": origin}}),
            format_args!("client {client} may no longer act for {subject} {whose}"),
        )
    }
}

impl Ask {
    async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let Pair { client, subject } = self.pair;
        let scope = match self.scopes.is_empty() {
            true => None,
            false => Some(join(&self.scopes)?),
        };
        let input = Input::<AskPermission>::with((client, subject), AskBody { scope });
        let link = connection.call(input).await?.consent_uri;
        output.print(&json!({"consent_uri": link}), &link)
    }
}

async fn show(
    connection: &Connection,
    Pair { client, subject }: Pair,
    output: Output,
) -> Result<(), Failure> {
    let input = Input::<ShowPermission>::at((client, subject));
    let shown = connection.call(input).await?;
    let records = table(&shown.records, &RECORD, record);
    let head = ["GRANT", "A REQUEST WOULD GET"];
    let grants = table(&shown.grants, &head, |of| {
        let text = match (&of.scope, &of.refused) {
            (Some(scope), _) if scope.is_empty() => "a token without a scope".to_owned(),
            (Some(scope), _) => scope.to_string(),
            (None, refused) => {
                format!("nothing: {}", refused.as_deref().unwrap_or("it is refused"))
            }
        };
        vec![short_name(&of.grant).to_owned(), text]
    });
    output.print(&shown, format_args!("{records}\n\n{grants}"))
}

impl Create {
    async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let Pair { client, subject } = self.pair;
        let mut document = PermissionDocument::new(client, subject);
        if !self.scopes.is_empty() {
            document.scope = Some(join(&self.scopes)?);
        }
        if !self.grants.is_empty() {
            document.grants = self.grants;
        }
        document.expires_at = self.lifetime.map(|lifetime| CLOCK.now().plus(lifetime));
        let input = Input::<CreatePermission>::with((), document);
        let created = connection.call(input).await?;
        let text = format!("client {} may act for {}", created.client, created.subject);
        output.done(&created, text)
    }
}

/// The columns of a record.
const RECORD: [&str; 7] = [
    "CLIENT",
    "SUBJECT",
    "GIVEN BY",
    "GRANTS",
    "SCOPE",
    "UNTIL",
    "LAST USED",
];

fn record(permission: &PermissionDocument) -> Vec<String> {
    let scope = permission.scope.as_ref();
    let grants: Vec<_> = permission.grants.iter().map(short_name).collect();
    vec![
        permission.client.to_string(),
        permission.subject.to_string(),
        permission.origin.to_string(),
        grants.join(" "),
        scope.map_or_else(|| "(the client's)".to_owned(), Scope::to_string),
        permission
            .expires_at
            .map_or_else(|| "withdrawn".to_owned(), time),
        permission
            .last_used_at
            .map_or_else(|| "never".to_owned(), time),
    ]
}

impl List {
    async fn run(self, connection: &Connection, output: Output) -> Result<(), Failure> {
        let mut filter = PermissionFilter::default();
        filter.client = self.client;
        filter.subject = self.subject;
        filter.origin = self.origin;
        let permissions = connection.every::<ListPermissions, _>((), filter);
        output.print_list(&permissions.await?, &RECORD, record)
    }
}
