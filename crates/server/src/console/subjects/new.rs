//! Registering a subject.

use askama::Template;
use grantor::server::Body;
use http::Response;

use super::{SUBJECT, SUBJECTS, edit::languages, words::Words};
use crate::{
    admin::{Input, subjects::CreateSubject},
    console::{Done, Error, Form, Notice, Pick, Route, Section, Shell, Summary, Typed, Visit},
    pages::Named,
};

/// The form of a new subject.
pub struct NewPage;

#[derive(Template)]
#[template(path = "console/subjects/new.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    action: String,
    ticket: String,
    back: String,
    typed: Typed,
    languages: Vec<Pick>,
}

impl Form for NewPage {
    type Path = ();

    const ROUTE: Route = Route::form("/subjects/new", Section::Subjects);

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let back = visit.at(SUBJECTS, &[]);
        let view = View {
            words,
            summary: Summary::of(typed),
            trail: vec![(back.clone(), words.heading().to_owned())],
            action: visit.here(),
            ticket: visit.ticket(),
            back,
            typed: typed.clone(),
            languages: languages(words, typed.text("language")),
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let members = typed.members().text("id").text("display_name");
        let document = members.text("language").body()?;
        let made = visit
            .ask(Input::<CreateSubject>::with((), document))
            .await?;
        let id = made.document.id.as_str();
        let name = Named(id);
        let notice = Notice::of(match &made.warnings[..] {
            [] => words.is_made(name),
            warnings => words.is_made_but(name, &warnings.join(" ")),
        });
        let invite = visit.at("/subjects/{subject}/invite", &[id]);
        let place = visit.at(SUBJECT, &[id]);
        Ok(Done::Go(place, notice.then(invite, words.invite())))
    }
}
