//! Changing what a subject is called, and its language.

use askama::Template;
use grantor::{
    admin::SubjectDocument,
    server::Body,
    types::{self, SubjectId},
};
use http::Response;

use super::{SUBJECT, SUBJECTS, to_change, words::Words};
use crate::{
    admin::{Input, state_of, subjects::UpdateSubject},
    console::{
        Done, Error, Form, Members, Notice, Pick, Route, Section, Shell, Summary, Typed, Visit,
    },
    pages::{Language, Markup, Named},
};

/// The form of a change.
pub struct EditPage;

#[derive(Template)]
#[template(path = "console/subjects/edit.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    heading: Markup,
    typed: Typed,
    languages: Vec<Pick>,
    action: String,
    ticket: String,
    state: Option<String>,
    managed_by: Option<String>,
    back: String,
}

impl Form for EditPage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form("/subjects/{subject}/edit", Section::Subjects);

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let (state, revision) = to_change(visit, id).await?;
        let subject = state.subject;
        let words = Words(visit.language());
        let back = visit.at(SUBJECT, &[id.as_str()]);
        let filled = typed.or_else(|typed| filled(typed, &subject));
        let manager = subject.managed_by.as_ref();
        let view = View {
            summary: Summary::of(typed),
            trail: vec![
                (visit.at(SUBJECTS, &[]), words.heading().to_owned()),
                (back.clone(), id.to_string()),
            ],
            heading: words.edit_it(Named(id.as_str())),
            languages: languages(words, filled.text("language")),
            action: visit.here(),
            ticket: visit.ticket(),
            state: revision.map(state_of),
            managed_by: manager.map(ToString::to_string),
            back,
            typed: filled,
            words,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Done, Error> {
        let (state, _) = to_change(visit, id).await?;
        let (words, name) = (Words(visit.language()), Named(id.as_str()));
        let registered = filled(Typed::default(), &state.subject);
        let members = members(typed.members(), |name| typed.differs(&registered, name));
        let back = visit.at(SUBJECT, &[id.as_str()]);
        if members.is_empty() {
            let notice = Notice::of(words.nothing_changed(name));
            return Ok(Done::Go(back, notice));
        }
        let input = Input::<UpdateSubject>::with(id.clone(), members.body()?);
        visit.ask(input).await?;
        Ok(Done::Go(back, Notice::of(words.is_changed(name))))
    }
}

/// The languages of pages, of which this one is chosen, each in its own words.
pub fn languages(words: Words, chosen: &str) -> Vec<Pick> {
    let known = Language::ALL.map(|one| Pick::new(one.tag(), one.name()));
    Pick::any_of(words.no_language(), known, Some(chosen))
}

fn filled(typed: Typed, subject: &SubjectDocument) -> Typed {
    let name = subject.display_name.as_ref().map(ToString::to_string);
    let language = subject.language.map(types::Language::as_str);
    typed
        .filling("display_name", name.unwrap_or_default())
        .filling("language", language.unwrap_or_default())
}

/// The members that are wanted.
fn members<'t>(members: Members<'t>, wants: impl Fn(&str) -> bool) -> Members<'t> {
    let wanted = ["display_name", "language"];
    let wanted = wanted.into_iter().filter(|name| wants(name));
    wanted.fold(members, |members, name| members.text_or_null(name))
}
