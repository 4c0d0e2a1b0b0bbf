//! Disabling a subject, and enabling it again.

use grantor::{server::Body, types::SubjectId};
use http::Response;

use super::{SUBJECT, SUBJECTS, to_change, what_stops, words::Words};
use crate::{
    admin::{Input, subjects::UpdateSubject},
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::{Named, markup},
};

/// The question before a subject is disabled or enabled.
pub struct SwitchPage;

const SWITCH: &str = "/subjects/{subject}/switch";

impl Form for SwitchPage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form(SWITCH, Section::Subjects);

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let (state, revision) = to_change(visit, id).await?;
        let (words, name) = (Words(visit.language()), Named(id.as_str()));
        let back = visit.at(SUBJECT, &[id.as_str()]);
        let is_on = state.subject.enabled;
        let (question, sentence, verb) = match is_on {
            true => (words.disable_it(name), words.disabling(), words.disable()),
            false => (words.enable_it(name), words.enabling(), words.enable()),
        };
        let manager = state.subject.managed_by;
        let page = Confirm::ask(visit, typed, question, verb, back.clone())
            .below(visit.at(SUBJECTS, &[]), words.heading())
            .below(back, id.as_str())
            .saying(markup(sentence))
            .saying_all(what_stops(visit, id).await?)
            .in_state(revision)
            .sending("enabled", (!is_on).to_string())
            .managed_by(manager.map(|manager| manager.to_string()));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Done, Error> {
        to_change(visit, id).await?;
        let (words, name) = (Words(visit.language()), Named(id.as_str()));
        let is_on = typed.has("enabled", "true");
        let patch = typed.members().with("enabled", is_on).body()?;
        visit
            .ask(Input::<UpdateSubject>::with(id.clone(), patch))
            .await?;
        let notice = Notice::of(match is_on {
            true => words.is_enabled(name),
            false => words.is_disabled(name),
        });
        let undo = visit.at(SWITCH, &[id.as_str()]);
        let back = visit.at(SUBJECT, &[id.as_str()]);
        Ok(Done::Go(back, notice.then(undo, words.undo())))
    }
}
