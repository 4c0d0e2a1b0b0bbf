//! A client.

use askama::Template;
use grantor::{admin::ClientDocument, server::Body, types::ClientId};
use http::Response;

use super::words::Words;
use crate::{
    admin::{Input, NoQuery, clients::ShowClient},
    console::{Error, Page, Route, Section, Shell, Visit},
};

/// A client.
pub struct ClientPage;

#[derive(Template)]
#[template(path = "console/clients/show.html")]
struct View {
    shell: Shell,
    words: Words,
    list: String,
    name: String,
    client: ClientDocument,
    switch: Option<String>,
}

impl Page for ClientPage {
    type Path = ClientId;
    type Query = NoQuery;

    const ROUTE: Route = Route::page("/clients/{client}", Section::Clients);

    async fn show(visit: &Visit, id: ClientId, _: NoQuery) -> Result<Response<Body>, Error> {
        let client = visit.ask(Input::<ShowClient>::at(id)).await?;
        let names = [client.client_id.as_str()];
        let view = View {
            words: Words(visit.language()),
            list: visit.at("/clients", &[]),
            name: name_of(&client).to_owned(),
            switch: visit
                .may_edit()
                .then(|| visit.at("/clients/{client}/switch", &names)),
            shell: visit.shell(),
            client,
        };
        Ok(visit.page(&view))
    }
}

/// What a client is called on pages.
pub fn name_of(client: &ClientDocument) -> &str {
    let name = client.client_name.as_ref();
    name.map_or(client.client_id.as_str(), |name| name.as_str())
}
