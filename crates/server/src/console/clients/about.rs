//! The client that a page is about, and whether the operator may change it.

use grantor::{
    admin::ClientDocument,
    registry::Role,
    types::{ClientId, Scope},
};

use super::words::Words;
use crate::{
    admin::{Input, clients::ShowClient},
    console::{Error, Visit},
};

/// What a client is called on pages.
pub fn name_of(client: &ClientDocument) -> &str {
    let name = client.client_name.as_ref();
    name.map_or(client.client_id.as_str(), |name| name.as_str())
}

/// Whether this scope is power over this server.
pub fn is_power(scope: &Scope) -> bool {
    scope.reserved_tokens().next().is_some()
}

/// Whether the operator may change this client: one with power only as an owner (M012).
pub fn may_change(visit: &Visit, client: &ClientDocument) -> bool {
    visit.may(match is_power(&client.scope) {
        true => Role::Owner,
        false => Role::Editor,
    })
}

/// The client that a form changes. Who changes one with power proves anew who they are (M112).
///
/// # Errors
/// [`Error::Role`], [`Error::Anew`]; as the operation.
pub async fn to_change(visit: &Visit, id: &ClientId) -> Result<ClientDocument, Error> {
    let client = visit.ask(Input::<ShowClient>::at(id.clone())).await?;
    if !may_change(visit, &client) {
        return Err(Error::Role(Role::Owner));
    }
    if is_power(&client.scope) {
        visit.check_fresh()?;
    }
    Ok(client)
}

/// The page of a client.
pub fn page_of(visit: &Visit, id: &ClientId) -> String {
    visit.at("/clients/{client}", &[id.as_str()])
}

/// How one comes to a page below that of a client.
pub fn trail(visit: &Visit, client: &ClientDocument) -> Vec<(String, String)> {
    let words = Words(visit.language());
    vec![
        (visit.at("/clients", &[]), words.heading().to_owned()),
        (
            page_of(visit, &client.client_id),
            name_of(client).to_owned(),
        ),
    ]
}

/// The name under which files manage it.
pub fn manager(client: &ClientDocument) -> Option<String> {
    client.managed_by.as_ref().map(ToString::to_string)
}
