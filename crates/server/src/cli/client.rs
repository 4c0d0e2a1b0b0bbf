//! `grantor client`

mod audience;
mod create;
mod delivery;
mod keys;
mod public_keys;
mod update;

use std::{sync::Arc, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use grantor::{
    admin::{ClientChangeError, ClientDocument, Standing, with_standing},
    clock::{Clock as _, UnixTime},
    jose::VerificationKey,
    registry::{AudiencePolicy, Client, ClientKey, TokenFormat},
    storage::StoreError,
    types::{ClientId, GrantType},
};
use serde::Serialize;
use serde_json::json;

use super::{CLOCK, Failure, Global, Output, actor, output::time};
use crate::backend::Backend;

/// Register and change clients
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register a client
    Create(create::Create),
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
    Update(update::Update),
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
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Create(command) => command.run(global).await,
            Self::Registered(command) => command.run(global).await,
        }
    }
}

impl Registered {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let (config, store) = global.open()?;
        let output = global.output();
        match self {
            Self::List(List { audience: true }) => audience::report(&config, &store, output).await,
            Self::List(List { audience: false }) => list(&store, output).await,
            Self::Show(Named { id }) => show(&*find(&store, &id).await?, output),
            Self::Update(command) => command.run(&config, &store, output).await,
            Self::Disable(Named { id }) => enable(&store, &id, Standing::Disabled, output).await,
            Self::Enable(Named { id }) => enable(&store, &id, Standing::Enabled, output).await,
            Self::Delete(Named { id }) => {
                store
                    .clients()
                    .delete(&id, &actor())
                    .await
                    .map_err(|error| about(&id, error))?;
                output.done(&json!({"deleted": id}), format_args!("client {id} deleted"))
            }
            Self::AddKey(command) => command.run(&config, &store, output).await,
            Self::RemoveKey(command) => command.run(&store, output).await,
            Self::RotateSecret(command) => command.run(&config, &store, output).await,
        }
    }
}

async fn enable(
    store: &Backend,
    id: &ClientId,
    standing: Standing,
    output: Output,
) -> Result<(), Failure> {
    let enable = |client: &Client| with_standing(client, standing).map_err(unchanged);
    change(store, id, enable).await?;
    let word = if standing == Standing::Enabled {
        "enabled"
    } else {
        "disabled"
    };
    output.done(
        &json!({"client_id": id, "enabled": standing == Standing::Enabled}),
        format_args!("client {id} {word}"),
    )
}

async fn list(store: &Backend, output: Output) -> Result<(), Failure> {
    let clients = store.clients().all().await?;
    let now = CLOCK.now();
    let listed: Vec<Listed> = clients
        .iter()
        .map(|client| Listed {
            document: ClientDocument::of(client, now),
            ends_soon: ends_soon(client, now),
        })
        .collect();
    output.print_list(
        &listed,
        &["CLIENT", "AUTHENTICATION", "GRANTS", "SCOPE", "STATE"],
        Listed::row,
    )
}

/// A client in a list.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    document: ClientDocument,
    #[serde(skip)]
    ends_soon: Option<UnixTime>,
}

impl Listed {
    fn row(&self) -> Vec<String> {
        let client = &self.document;
        let grants: Vec<_> = client.grant_types.iter().map(short_name).collect();
        let state = if client.enabled {
            "enabled"
        } else {
            "disabled"
        };
        let ends = self
            .ends_soon
            .map(|end| format!(", a key or secret ends {}", time(end)))
            .unwrap_or_default();
        vec![
            client.client_id.to_string(),
            client.token_endpoint_auth_method.to_string(),
            grants.join(" "),
            client.scope.to_string(),
            format!("{state}{ends}"),
        ]
    }
}

fn show(client: &Client, output: Output) -> Result<(), Failure> {
    let document = ClientDocument::of(client, CLOCK.now());
    let text = serde_json::to_string_pretty(&document).map_err(Failure::failed)?;
    output.print(&document, text)
}

/// How long before its end `client list` warns of a key.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// The next end of a key or secret within [`SOON`].
fn ends_soon(client: &Client, now: UnixTime) -> Option<UnixTime> {
    let keys = client.keys().iter().map(|key| key.expires_at);
    let secrets = client.secrets().iter().map(|secret| secret.expires_at);
    let ends = keys.chain(secrets).flatten();
    ends.filter(|end| (now..now.plus(SOON)).contains(end)).min()
}

/// What can be done about it is named by its flag or command.
fn unchanged(error: ClientChangeError) -> Failure {
    match &error {
        ClientChangeError::Registration(error) => Failure::usage(error),
        ClientChangeError::TooManySecrets(client, _) => Failure::failed(format!(
            "{error}: rotate with a shorter --overlap, or wait until one has ended (grantor client show {client})"
        )),
        _ => Failure::failed(error),
    }
}

/// The client, read afresh.
async fn find(store: &Backend, id: &ClientId) -> Result<Arc<Client>, Failure> {
    store
        .clients()
        .get(id)
        .await?
        .ok_or_else(|| about(id, StoreError::Missing("client")))
}

/// Changes the client, however many others do so at the same time.
async fn change(
    store: &Backend,
    id: &ClientId,
    change: impl FnMut(&Client) -> Result<Client, Failure>,
) -> Result<Arc<Client>, Failure> {
    // Its name is in the error where there is none.
    find(store, id).await?;
    store.clients().change(id, &actor(), change).await
}

fn about(id: &ClientId, error: StoreError) -> Failure {
    match error {
        StoreError::Missing(_) => Failure::failed(format!("client {id} does not exist")),
        StoreError::Exists(_) => {
            Failure::failed(format!("a client or subject named {id} exists already"))
        }
        other => other.into(),
    }
}

/// What `--audience-policy` says.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyName {
    Strict,
    Legacy,
}

impl From<PolicyName> for AudiencePolicy {
    fn from(name: PolicyName) -> Self {
        match name {
            PolicyName::Strict => Self::Strict,
            PolicyName::Legacy => Self::Legacy,
        }
    }
}

/// What `--token-format` says.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    Jwt,
    Opaque,
}

impl From<FormatName> for TokenFormat {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Jwt => Self::Jwt,
            FormatName::Opaque => Self::Opaque,
        }
    }
}

fn short_name(grant: &GrantType) -> &str {
    match grant {
        _ if *grant == GrantType::JWT_BEARER => "jwt-bearer",
        _ if *grant == GrantType::CLIENT_CREDENTIALS => "client-credentials",
        other => other.as_str(),
    }
}

/// Registers keys until the end of their lifetime, if they have one.
fn ending_after(keys: Vec<Arc<VerificationKey>>, lifetime: Option<Duration>) -> Vec<ClientKey> {
    let expires_at = lifetime.map(|lifetime| CLOCK.now().plus(lifetime));
    keys.into_iter()
        .map(|key| ClientKey::new(key, expires_at))
        .collect()
}
