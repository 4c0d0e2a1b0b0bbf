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
    clock::{Clock as _, UnixTime},
    jose::{Algorithm, VerificationKey},
    registry::{AudiencePolicy, Client, ClientKey, TokenFormat},
    storage::StoreError,
    types::{ClientId, GrantType},
};
use serde::Serialize;
use serde_json::{Value, json};

pub(super) use self::create::join;
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

/// Whether a client may use the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Enabled,
    Disabled,
}

async fn enable(
    store: &Backend,
    id: &ClientId,
    standing: Standing,
    output: Output,
) -> Result<(), Failure> {
    let enable = |client: &Client| {
        let mut metadata = client.metadata().clone();
        metadata.enabled = standing == Standing::Enabled;
        client
            .changed(metadata, client.keys().to_vec(), client.secrets().to_vec())
            .map_err(Failure::usage)
    };
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
    let clients: Vec<View> = store
        .clients()
        .all()
        .await?
        .iter()
        .map(|client| View::of(client))
        .collect();
    output.print_list(
        &clients,
        &["CLIENT", "AUTHENTICATION", "GRANTS", "SCOPE", "STATE"],
        |client| {
            let grants = client
                .grant_types
                .iter()
                .map(short_name)
                .collect::<Vec<_>>()
                .join(" ");
            let state = if client.enabled {
                "enabled"
            } else {
                "disabled"
            };
            let ends = client
                .ends_soon
                .as_ref()
                .map(|end| format!(", a key or secret ends {end}"))
                .unwrap_or_default();
            vec![
                client.client_id.to_string(),
                client.token_endpoint_auth_method.clone(),
                grants,
                client.scope.clone(),
                format!("{state}{ends}"),
            ]
        },
    )
}

fn show(client: &Client, output: Output) -> Result<(), Failure> {
    let view = View::of(client);
    let text = serde_json::to_string_pretty(&view).map_err(Failure::failed)?;
    output.print(&view, text)
}

/// A client as operators see it, in the words of RFC 7591 §2. Never a secret.
#[derive(Serialize)]
struct View {
    client_id: ClientId,
    enabled: bool,
    token_endpoint_auth_method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_endpoint_auth_signing_alg: Option<&'static str>,
    grant_types: Vec<GrantType>,
    scope: String,
    audience_policy: AudiencePolicy,
    assertion_profile: grantor::registry::AssertionProfile,
    token_format: TokenFormat,
    created_at: String,
    jwks: Value,
    keys: Vec<KeyView>,
    secrets: Vec<Value>,
    /// The next end of a key or secret within [`SOON`].
    #[serde(skip)]
    ends_soon: Option<String>,
}

/// How long before its end `client list` warns of a key.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// What is registered about a key beside the JWK.
#[derive(Serialize)]
struct KeyView {
    name: String,
    expires_at: Option<String>,
    /// Why it verifies nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl KeyView {
    fn of(key: &ClientKey, now: UnixTime) -> Self {
        let unusable = key.usable().err().map(ToString::to_string);
        let refused = unusable.or_else(|| (!key.is_live(now)).then(|| "expired".to_owned()));
        Self {
            name: key.name().into_owned(),
            expires_at: key.expires_at.map(time),
            refused,
        }
    }
}

impl View {
    fn of(client: &Client) -> Self {
        let metadata = client.metadata();
        let keys: Vec<_> = client.keys().iter().filter_map(|key| key.jwk()).collect();
        let secret = |expires| json!({"expires_at": expires});
        let now = CLOCK.now();
        let ends = client
            .keys()
            .iter()
            .map(|key| key.expires_at)
            .chain(client.secrets().iter().map(|secret| secret.expires_at));
        Self {
            client_id: metadata.id.clone(),
            enabled: metadata.enabled,
            token_endpoint_auth_method: metadata.auth_method.to_string(),
            token_endpoint_auth_signing_alg: metadata.signing_algorithm.map(Algorithm::name),
            grant_types: metadata.grant_types.clone(),
            scope: metadata.scope.to_string(),
            audience_policy: metadata.audience_policy,
            assertion_profile: metadata.assertion_profile,
            token_format: metadata.token_format,
            created_at: time(metadata.created_at),
            jwks: json!({"keys": keys}),
            keys: client
                .keys()
                .iter()
                .map(|key| KeyView::of(key, now))
                .collect(),
            ends_soon: ends
                .flatten()
                .filter(|end| (now..now.plus(SOON)).contains(end))
                .min()
                .map(time),
            secrets: client
                .secrets()
                .iter()
                .map(|stored| secret(stored.expires_at.map(time)))
                .collect(),
        }
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

/// A grant by its short name or its registered one.
fn grant_type(text: &str) -> Result<GrantType, String> {
    match text {
        "jwt-bearer" => Ok(GrantType::JWT_BEARER),
        "client-credentials" => Ok(GrantType::CLIENT_CREDENTIALS),
        _ if [GrantType::JWT_BEARER, GrantType::CLIENT_CREDENTIALS]
            .iter()
            .any(|known| known.as_str() == text) =>
        {
            text.parse().map_err(|_| String::new())
        }
        _ => Err("expected jwt-bearer or client-credentials".to_owned()),
    }
}

fn short_name(grant: &GrantType) -> &str {
    match grant {
        _ if *grant == GrantType::JWT_BEARER => "jwt-bearer",
        _ if *grant == GrantType::CLIENT_CREDENTIALS => "client-credentials",
        other => other.as_str(),
    }
}

pub(super) fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.name())
            .collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Registers keys until the end of their lifetime, if they have one.
fn ending_after(keys: Vec<Arc<VerificationKey>>, lifetime: Option<Duration>) -> Vec<ClientKey> {
    let expires_at = lifetime.map(|lifetime| CLOCK.now().plus(lifetime));
    keys.into_iter()
        .map(|key| ClientKey::new(key, expires_at))
        .collect()
}
