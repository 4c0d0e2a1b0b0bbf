//! `grantor client`

mod audience;
mod create;
mod delivery;
mod federated;
mod keys;
mod members;
mod public_keys;
mod update;

use std::time::Duration;

use clap::{Args, Subcommand};
use grantor::{
    admin::{ClientDocument, ClientFilter, Patch, Standing},
    clock::{Clock as _, UnixTime},
    jose::{Algorithm, PrivateJwk},
    types::ClientId,
};
use serde_json::json;

pub use self::{
    delivery::key_file_name,
    public_keys::{read_input, read_jwks},
};
use super::{CLOCK, Connection, Failure, Global, Output, output::time, parse::short_name};
use crate::admin::{
    Input,
    clients::{DeleteClient, ListClients, ShowClient, UpdateClient},
};

/// Register and change clients
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a client
    Create(Box<create::Create>),
    #[command(flatten)]
    Registered(Registered),
}

/// What is done with clients that are registered.
#[derive(Debug, Subcommand)]
pub enum Registered {
    /// List all clients
    List(List),
    /// Show one client
    Show(Named),
    /// Change a client
    Update(Box<update::Update>),
    /// Refuse a client from its next request on
    Disable(Named),
    /// Accept a disabled client again
    Enable(Named),
    /// Remove a client with its keys, secrets and permissions
    Delete(Named),
    /// Add a public key
    AddKey(keys::AddKey),
    /// Remove a public key
    RemoveKey(keys::RemoveKey),
    /// Make a new secret
    RotateSecret(keys::RotateSecret),
}

/// List all clients
#[derive(Debug, Args)]
pub struct List {
    /// Count, from the decisions that are kept, which audience each client put into its
    /// authentication JWT
    #[arg(long)]
    audience: bool,
}

/// The client a command is about.
#[derive(Debug, Args)]
pub struct Named {
    /// Client identifier
    id: ClientId,
}

impl ClientCommand {
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
        !matches!(self, Self::List(_) | Self::Show(_))
    }

    async fn run(self, global: &Global) -> Result<(), Failure> {
        let connection = &global.connect().await?;
        let output = global.output();
        match self {
            Self::List(List { audience: true }) => audience::report(connection, output).await,
            Self::List(List { audience: false }) => list(connection, output).await,
            Self::Show(Named { id }) => {
                let shown = connection.call(Input::<ShowClient>::at(id));
                show(&shown.await?, output)
            }
            Self::Update(command) => command.run(connection, output).await,
            Self::Disable(Named { id }) => {
                enable(connection, &id, Standing::Disabled, output).await
            }
            Self::Enable(Named { id }) => enable(connection, &id, Standing::Enabled, output).await,
            Self::Delete(Named { id }) => {
                connection
                    .call(Input::<DeleteClient>::at(id.clone()))
                    .await?;
                output.done(&json!({"deleted": id}), format_args!("client {id} deleted"))
            }
            Self::AddKey(command) => command.run(connection, output).await,
            Self::RemoveKey(command) => command.run(connection, output).await,
            Self::RotateSecret(command) => command.run(connection, output).await,
        }
    }
}

async fn enable(
    connection: &Connection,
    id: &ClientId,
    standing: Standing,
    output: Output,
) -> Result<(), Failure> {
    let patch = Patch::default().with("enabled", standing == Standing::Enabled);
    let input = Input::<UpdateClient>::with(id.clone(), patch.into());
    let changed = connection.call(input).await?.document;
    output.done(
        &json!({"client_id": id, "enabled": changed.enabled}),
        format_args!("client {id} {}", state(&changed)),
    )
}

fn state(client: &ClientDocument) -> &'static str {
    if client.enabled {
        "enabled"
    } else {
        "disabled"
    }
}

async fn list(connection: &Connection, output: Output) -> Result<(), Failure> {
    let clients = connection.every::<ListClients, _>((), ClientFilter::default());
    let head = ["CLIENT", "AUTHENTICATION", "GRANTS", "SCOPE", "STATE"];
    let now = CLOCK.now();
    output.print_list(&clients.await?, &head, |client| {
        let grants: Vec<_> = client.grant_types.iter().map(short_name).collect();
        let ends = ends_soon(client, now)
            .map(|end| format!(", a key or secret ends {}", time(end)))
            .unwrap_or_default();
        vec![
            client.client_id.to_string(),
            authentication(client),
            grants.join(" "),
            client.scope.to_string(),
            format!("{}{ends}", state(client)),
        ]
    })
}

/// How it authenticates, and where its keys are if they are not registered.
fn authentication(client: &ClientDocument) -> String {
    let method = &client.token_endpoint_auth_method;
    match (client.federated, &client.jwks_uri) {
        (true, _) => format!("{method}, by an issuer"),
        (false, Some(url)) => format!("{method}, keys at {url}"),
        (false, None) => method.to_string(),
    }
}

fn show(document: &ClientDocument, output: Output) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(Failure::failed)?;
    output.print(document, text)
}

/// How long before its end `client list` warns of a key.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// The next end of a key or secret within [`SOON`].
fn ends_soon(client: &ClientDocument, now: UnixTime) -> Option<UnixTime> {
    let keys = client.keys.iter().map(|key| key.expires_at);
    let secrets = client.secrets.iter().map(|secret| secret.expires_at);
    let ends = keys.chain(secrets).flatten();
    ends.filter(|end| (now..now.plus(SOON)).contains(end)).min()
}

/// A new key pair, whose private half stays here.
fn key_pair(algorithm: Algorithm) -> Result<PrivateJwk, Failure> {
    PrivateJwk::generate(algorithm)
        .map_err(|error| Failure::usage(format_args!("--generate-key {algorithm}: {error}")))
}
