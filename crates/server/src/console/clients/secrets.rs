//! Making a new secret for a client, which is shown once (M123).

use askama::Template;
use grantor::{server::Body, types::ClientId};
use http::Response;

use super::{
    about::{manager, name_of, page_of, to_change, trail},
    made::Made,
    words::Words,
};
use crate::{
    admin::{Input, clients::MakeSecret, state_of},
    console::{Done, Error, Form, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Markup, Named},
};

/// Making a secret.
pub struct NewSecretPage;

#[derive(Template)]
#[template(path = "console/clients/new_secret.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    heading: Markup,
    typed: Typed,
    action: String,
    ticket: String,
    state: String,
    managed_by: Option<String>,
    back: String,
}

impl Form for NewSecretPage {
    type Path = ClientId;

    const ROUTE: Route = Route::form("/clients/{client}/secrets/new", Section::Clients)
        .grave()
        .once();

    async fn show(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Response<Body>, Error> {
        let client = to_change(visit, id).await?;
        let words = Words(visit.language());
        let view = View {
            summary: Summary::of(typed),
            trail: trail(visit, &client),
            heading: words.new_secret_for(Named(name_of(&client))),
            typed: typed.clone(),
            action: visit.here(),
            ticket: visit.ticket(),
            state: state_of(client.revision),
            managed_by: manager(&client),
            back: page_of(visit, id),
            words,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Done, Error> {
        to_change(visit, id).await?;
        let members = typed.members().lasting("lifetime").lasting("overlap");
        let made = visit.ask(Input::<MakeSecret>::with(id.clone(), members.body()?));
        let made = made.await?;
        let words = Words(visit.language());
        let heading = words.secret_is_made(Named(name_of(&made.client)));
        let made = Made {
            client: made.client,
            private_key: None,
            client_secret: Some(made.client_secret),
            warnings: Vec::new(),
        };
        Ok(Done::Answer(made.page(visit, words.new_secret(), heading)))
    }
}
