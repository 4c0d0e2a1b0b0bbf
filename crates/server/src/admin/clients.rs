//! Operations of clients.

mod body;
mod create;
mod keys;
mod preview;
mod secrets;

use grantor::{
    admin::{ClientDocument, ClientFilter, Error},
    registry::ConsentPolicy,
    types::ClientId,
};

pub use self::{
    body::{ClientBody, FederatedTrust},
    create::CreateClient,
    keys::{AddKeys, AddedKeys, ListKeys, RemoveKey},
    preview::PreviewClient,
    secrets::{MakeSecret, RemoveSecret, TwoSteps},
};
use super::{Administration, Answered, Input, Listed, NoQuery, Operation, PatchOf, Route, Warned};

const CLIENT: &str = "/clients/{client}";

/// Lists clients.
pub struct ListClients;

impl Operation for ListClients {
    type Path = ();
    type Query = ClientFilter;
    type Body = ();
    type Answer = Listed<ClientDocument>;

    const ROUTE: Route = Route::list("/clients", "list_clients", "List clients, by name");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let Input { query, portion, .. } = input;
        let clients = admin.clients();
        let after = portion.cursor();
        let page = clients.page(&query, after.as_ref(), portion.limit);
        Ok(Listed::from(page.await?).into())
    }
}

/// Shows a client.
pub struct ShowClient;

impl Operation for ShowClient {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ClientDocument;

    const ROUTE: Route = Route::get(CLIENT, "show_client", "Show a client");

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let client = admin.clients().get(&input.path).await?;
        let revision = client.revision;
        Ok(Answered::at(client, revision))
    }
}

/// Changes a client.
pub struct UpdateClient;

impl Operation for UpdateClient {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = PatchOf<ClientDocument>;
    type Answer = Warned<ClientDocument>;

    const ROUTE: Route = Route::patch(
        CLIENT,
        "update_client",
        "Change members of a client; `enabled` is the switch",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let (clients, patch) = (admin.clients(), input.body.patch);
        let changed = clients.update(&input.path, &patch, admin.actor()).await?;
        // Who only turns the switch is told nothing about the rest.
        let is_switch = patch.members().keys().all(|member| member == "enabled");
        let warnings = match is_switch {
            true => Vec::new(),
            false => consent_warnings(admin, &changed).await?,
        };
        let revision = changed.revision;
        Ok(Answered::at(Warned::new(changed, warnings), revision))
    }
}

/// Removes a client.
pub struct DeleteClient;

impl Operation for DeleteClient {
    type Path = ClientId;
    type Query = NoQuery;
    type Body = ();
    type Answer = ();

    const ROUTE: Route = Route::delete(
        CLIENT,
        "delete_client",
        "Remove a client with its keys, secrets and permissions",
    );

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        admin.clients().delete(&input.path, admin.actor()).await?;
        Ok(().into())
    }
}

/// What is missing where people are asked: a page (C006), and what scopes mean (C005).
async fn consent_warnings(
    admin: &Administration,
    client: &ClientDocument,
) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    if client.consent != ConsentPolicy::Ask {
        return Ok(warnings);
    }
    if !admin.has_people() {
        warnings.push(format!(
            "client {} asks people, and nobody can be asked here: consent counts as off until the \
             configuration has a section [person]",
            client.client_id
        ));
    }
    for scope in admin.scopes().undescribed(&client.scope).await? {
        warnings.push(format!(
            "scope {scope} has no description, and people will be asked about it by its name; \
             run: grantor scope set {scope} --en 'What it allows'"
        ));
    }
    Ok(warnings)
}
