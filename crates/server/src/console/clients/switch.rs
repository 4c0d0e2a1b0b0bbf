//! Disabling a client, and enabling it again.

use grantor::{server::Body, types::ClientId};
use http::Response;

use super::{show::name_of, words::Words};
use crate::{
    admin::{
        Input,
        clients::{ShowClient, UpdateClient},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::Named,
};

/// The question before a client is disabled or enabled.
pub struct SwitchPage;

impl Form for SwitchPage {
    type Path = ClientId;

    const ROUTE: Route = Route::form("/clients/{client}/switch", Section::Clients);

    async fn show(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Response<Body>, Error> {
        let client = visit.answered(Input::<ShowClient>::at(id.clone())).await?.0;
        let words = Words(visit.language());
        let name = Named(name_of(&client));
        let back = visit.at("/clients/{client}", &[id.as_str()]);
        let (question, sentence, verb) = match client.enabled {
            true => (words.disable_it(name), words.disabling(), words.disable()),
            false => (words.enable_it(name), words.enabling(), words.enable()),
        };
        let page = Confirm::ask(visit, typed, question, verb, back.clone())
            .below(visit.at("/clients", &[]), words.heading())
            .below(back, name_of(&client))
            .saying(crate::pages::markup(sentence))
            .in_state(Some(client.revision))
            .sending("enabled", (!client.enabled).to_string())
            .managed_by(client.managed_by.as_ref().map(ToString::to_string));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, id: &ClientId, typed: &Typed) -> Result<Done, Error> {
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
        let back = visit.at("/clients/{client}", &[id.as_str()]);
        Ok(Done::Go(back, notice.then(undo, words.undo())))
    }
}
