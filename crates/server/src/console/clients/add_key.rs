//! Adding a key to a client: one that is made here, or one that it has (M123).

use askama::Template;
use grantor::{
    jose::Algorithm,
    server::Body,
    types::{ClientId, Needs},
};
use http::Response;

use super::{
    about::{manager, name_of, page_of, to_change, trail},
    made::Made,
    public_keys::{self, JWKS},
    words::Words,
};
use crate::{
    admin::{
        Input,
        clients::{AddKeys, ShowClient},
        state_of,
    },
    console::{Done, Error, Form, Notice, Pick, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Markup, Named},
};

/// Adding a key.
pub struct AddKeyPage;

#[derive(Template)]
#[template(path = "console/clients/add_key.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    heading: Markup,
    typed: Typed,
    sources: Vec<Pick>,
    algorithms: Vec<Pick>,
    action: String,
    ticket: String,
    state: String,
    managed_by: Option<String>,
    back: String,
}

/// The field that says where the key is made, and what it says of keys that are made elsewhere.
const SOURCE: &str = "source";
const BROUGHT: &str = "brought";

impl Form for AddKeyPage {
    type Path = ClientId;

    const ROUTE: Route = Route::form("/clients/{client}/keys/new", Section::Clients)
        .grave()
        .once();
    const SECRET: &'static [&'static str] = &[JWKS];

    async fn show(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Response<Body>, Error> {
        let client = to_change(visit, id).await?;
        let words = Words(visit.language());
        // A key file holds a key or a secret: who authenticates by a secret brings its keys.
        let method = &client.token_endpoint_auth_method;
        let has_secret = method.needs().is_some_and(Needs::is_secret);
        let here = (!has_secret).then(|| Pick::new("made", words.made_here()));
        let sources = here
            .into_iter()
            .chain([Pick::new(BROUGHT, words.brought())]);
        let usual = if has_secret { BROUGHT } else { "made" };
        let filled = typed.clone().filling(SOURCE, usual);
        let filled = public_keys::without_private(filled.filling("generate", "ES256"));
        let algorithms = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| !algorithm.is_mac())
            .map(|algorithm| Pick::new(algorithm.name(), algorithm.name()));
        let view = View {
            summary: Summary::of(typed),
            trail: trail(visit, &client),
            heading: words.add_key_to(Named(name_of(&client))),
            sources: Pick::of(sources, filled.text(SOURCE)),
            algorithms: Pick::of(algorithms, filled.text("generate")),
            action: visit.here(),
            ticket: visit.ticket(),
            state: state_of(client.revision),
            managed_by: manager(&client),
            back: page_of(visit, id),
            typed: filled,
            words,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Done, Error> {
        to_change(visit, id).await?;
        let mut members = typed.members().moment("expires_at").lasting("overlap");
        members = match typed.has(SOURCE, BROUGHT) {
            false => members.text("generate"),
            true => match public_keys::typed_keys(typed) {
                Ok(keys) => members.with(JWKS, keys.unwrap_or_else(public_keys::none)),
                Err(problem) => members.wrong(JWKS, problem),
            },
        };
        let added = visit.ask(Input::<AddKeys>::with(id.clone(), members.body()?));
        let added = added.await?;
        let words = Words(visit.language());
        let client = visit.ask(Input::<ShowClient>::at(id.clone())).await?;
        let name = name_of(&client).to_owned();
        if added.private_key.is_none() {
            let sentence = words.keys_are_added(Named(&name));
            let warned = added.warnings.iter();
            let sentence = warned.fold(sentence, |told, warning| words.warned(told, warning));
            return Ok(Done::Go(page_of(visit, id), Notice::of(sentence)));
        }
        let made = Made {
            client,
            private_key: added.private_key,
            client_secret: None,
            warnings: added.warnings,
        };
        let heading = words.key_is_made(Named(&name));
        Ok(Done::Answer(made.page(visit, words.new_key(), heading)))
    }
}
