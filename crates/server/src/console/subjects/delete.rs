//! Deleting a subject, with all that hangs on it.

use grantor::{server::Body, types::SubjectId};
use http::Response;

use super::{SUBJECT, SUBJECTS, to_change, what_stops, words::Words};
use crate::{
    admin::{Input, subjects::DeleteSubject},
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::{Coded, Named, markup},
};

/// The question before a subject is deleted.
pub struct DeletePage;

impl Form for DeletePage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form("/subjects/{subject}/delete", Section::Subjects).grave();

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let (state, revision) = to_change(visit, id).await?;
        let words = Words(visit.language());
        let back = visit.at(SUBJECT, &[id.as_str()]);
        let question = words.delete_it(Named(id.as_str()));
        let manager = state.subject.managed_by;
        let role = state.role.map(|role| words.has_role(Coded(role.as_str())));
        let page = Confirm::ask(visit, typed, question, words.delete(), back.clone())
            .below(visit.at(SUBJECTS, &[]), words.heading())
            .below(back, id.as_str())
            .saying(markup(words.deleting()))
            .saying(markup(words.goes_along()))
            .saying_all(role)
            .saying_all(what_stops(visit, id).await?)
            .in_state(revision)
            .managed_by(manager.map(|manager| manager.to_string()));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, id: &SubjectId, _: &Typed) -> Result<Done, Error> {
        to_change(visit, id).await?;
        let words = Words(visit.language());
        visit.ask(Input::<DeleteSubject>::at(id.clone())).await?;
        let notice = Notice::of(words.is_deleted(Named(id.as_str())));
        Ok(Done::Go(visit.at(SUBJECTS, &[]), notice))
    }
}
