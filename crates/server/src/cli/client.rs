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
    admin::{ClientDocument, ClientFilter, Standing},
    clock::{Clock as _, UnixTime},
    registry::ConsentPolicy,
    types::ClientId,
};
use serde_json::json;

pub use self::{
    delivery::key_file_name,
    public_keys::{read_input, read_jwks},
};
use super::{
    Administered, CLOCK, Failure, Global, Output, PAGE, every, output::time, parse::short_name,
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
        let admin = &global.administer()?;
        let output = global.output();
        match self {
            Self::List(List { audience: true }) => audience::report(admin, output).await,
            Self::List(List { audience: false }) => list(admin, output).await,
            Self::Show(Named { id }) => show(&admin.clients().get(&id).await?, output),
            Self::Update(command) => command.run(admin, output).await,
            Self::Disable(Named { id }) => enable(admin, &id, Standing::Disabled, output).await,
            Self::Enable(Named { id }) => enable(admin, &id, Standing::Enabled, output).await,
            Self::Delete(Named { id }) => {
                admin.clients().delete(&id, admin.actor()).await?;
                output.done(&json!({"deleted": id}), format_args!("client {id} deleted"))
            }
            Self::AddKey(command) => command.run(admin, output).await,
            Self::RemoveKey(command) => command.run(admin, output).await,
            Self::RotateSecret(command) => command.run(admin, output).await,
        }
    }
}

async fn enable(
    admin: &Administered,
    id: &ClientId,
    standing: Standing,
    output: Output,
) -> Result<(), Failure> {
    let clients = admin.clients();
    let changed = clients.set_standing(id, standing, admin.actor()).await?;
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

async fn list(admin: &Administered, output: Output) -> Result<(), Failure> {
    let clients = every(async |after| {
        let all = ClientFilter::default();
        admin.clients().page(&all, after, PAGE).await
    });
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

/// What is missing where people are asked: a page (C006), and what scopes mean (C005).
async fn warn_of_consent(admin: &Administered, client: &ClientDocument) -> Result<(), Failure> {
    if client.consent != ConsentPolicy::Ask {
        return Ok(());
    }
    if !admin.has_people {
        tracing::warn!(
            "client {} asks people, and nobody can be asked here: consent counts as off until the configuration has a section [person]",
            client.client_id
        );
    }
    for scope in admin.scopes().undescribed(&client.scope).await? {
        tracing::warn!(
            "scope {scope} has no description, and people will be asked about it by its name; \
             run: grantor scope set {scope} --en 'What it allows'"
        );
    }
    Ok(())
}
