//! Disabling a client, and enabling it again.

use grantor::{server::Body, types::ClientId};
use http::Response;

use super::{
    about::{manager, name_of, page_of, to_change, trail},
    words::Words,
};
use crate::{
    admin::{Input, clients::UpdateClient},
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::{Named, markup},
};

/// The question before a client is disabled or enabled.
pub struct SwitchPage;

impl Form for SwitchPage {
    type Path = ClientId;

    const ROUTE: Route = Route::form("/clients/{client}/switch", Section::Clients);

    async fn show(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Response<Body>, Error> {
        let client = to_change(visit, id).await?;
        let words = Words(visit.language());
        let name = Named(name_of(&client));
        let (question, sentence, verb) = match client.enabled {
            true => (words.disable_it(name), words.disabling(), words.disable()),
            false => (words.enable_it(name), words.enabling(), words.enable()),
        };
        let page = Confirm::ask(visit, typed, question, verb, page_of(visit, id))
            .below_all(trail(visit, &client))
            .saying(markup(sentence))
            .in_state(Some(client.revision))
            .sending("enabled", (!client.enabled).to_string())
            .managed_by(manager(&client));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Done, Error> {
        to_change(visit, id).await?;
        let words = Words(visit.language());
        let is_on = typed.has("enabled", "true");
        let patch = typed.members().with("enabled", is_on).body()?;
        let changed = visit.ask(Input::<UpdateClient>::with(id.clone(), patch));
        let changed = changed.await?.document;
        let name = Named(name_of(&changed));
        let notice = Notice::of(match is_on {
            true => words.is_enabled(name),
            false => words.is_disabled(name),
        });
        let undo = visit.at("/clients/{client}/switch", &[id.as_str()]);
        Ok(Done::Go(
            page_of(visit, id),
            notice.then(undo, words.undo()),
        ))
    }
}
