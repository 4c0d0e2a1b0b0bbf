//! The list of clients.

use askama::Template;
use grantor::{
    admin::{ClientDocument, ClientFilter},
    server::Body,
};
use http::Response;

use super::words::Words;
use crate::{
    admin::{Input, clients::ListClients},
    console::{Error, Page, Pager, Route, Section, Shell, Table, Visit},
};

/// The list of clients.
pub struct ListPage;

#[derive(Template)]
#[template(path = "console/clients/list.html")]
struct View {
    shell: Shell,
    words: Words,
    filter: ClientFilter,
    rows: Vec<Row>,
    new: Option<String>,
    pager: Pager,
}

struct Row {
    path: String,
    name: String,
    id: String,
    is_enabled: bool,
    method: String,
    scope: String,
}

const TABLE: Table = Table {
    name: "clients",
    columns: &[
        "client_id",
        "client_name",
        "enabled",
        "token_endpoint_auth_method",
        "grant_types",
        "scope",
        "audience_policy",
        "consent",
        "redirect_uris",
        "jwks_uri",
        "keys",
        "secrets",
        "managed_by",
        "created_at",
    ],
};

impl Page for ListPage {
    type Path = ();
    type Query = ClientFilter;

    const ROUTE: Route = Route::page("/clients", Section::Clients);

    async fn show(visit: &Visit, (): (), filter: ClientFilter) -> Result<Response<Body>, Error> {
        if let Some(file) = visit.download::<ListClients>((), &filter, &TABLE).await? {
            return Ok(file);
        }
        let input = Input::<ListClients> {
            path: (),
            query: filter.clone(),
            portion: visit.list.portion(),
            body: (),
        };
        let found = visit.ask(input).await?;
        let view = View {
            words: Words(visit.language()),
            rows: found
                .items
                .iter()
                .map(|client| row(visit, client))
                .collect(),
            new: visit.may_edit().then(|| visit.at("/clients/new", &[])),
            pager: Pager::of(visit, &filter, found.next.as_deref()),
            shell: visit.shell(),
            filter,
        };
        Ok(visit.page(&view))
    }
}

fn row(visit: &Visit, client: &ClientDocument) -> Row {
    let id = client.client_id.as_str();
    Row {
        path: visit.at("/clients/{client}", &[id]),
        name: client
            .client_name
            .as_ref()
            .map_or(id, |name| name.as_str())
            .to_owned(),
        id: id.to_owned(),
        is_enabled: client.enabled,
        method: client.token_endpoint_auth_method.to_string(),
        scope: client.scope.to_string(),
    }
}
