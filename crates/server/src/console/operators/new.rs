//! Giving somebody a role who may not be registered yet.

use askama::Template;
use grantor::{admin::SubjectDocument, registry::Role, server::Body};
use http::Response;

use super::{
    OPERATORS,
    role::{give, roles, told},
    words::Words,
};
use crate::{
    admin::{
        Input,
        subjects::{CreateSubject, RoleBody, ShowSubject},
    },
    console::{Done, Error, Form, Pick, Route, Section, Shell, Summary, Typed, Visit},
};

/// The form of a new operator.
pub struct NewPage;

#[derive(Template)]
#[template(path = "console/operators/new.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    action: String,
    ticket: String,
    choices: Vec<Pick>,
    back: String,
    typed: Typed,
}

impl Form for NewPage {
    type Path = ();

    const ROUTE: Route = Route::form("/operators/new", Section::Operators)
        .for_owners()
        .grave();

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let chosen = typed.value("role").unwrap_or(Role::Reader.as_str());
        let back = visit.at(OPERATORS, &[]);
        let view = View {
            words,
            summary: Summary::of(typed),
            trail: vec![(back.clone(), words.heading().to_owned())],
            action: visit.here(),
            ticket: visit.ticket(),
            choices: Pick::of(roles(words), chosen),
            back,
            typed: typed.clone(),
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        // What is wrong with it is told before anybody is registered.
        typed.members().text("role").body::<RoleBody>()?;
        let new: SubjectDocument = typed.members().text("id").body()?;
        let id = new.id.clone();
        let registered = visit.find(Input::<ShowSubject>::at(id.clone())).await?;
        if registered.is_none() {
            visit.ask(Input::<CreateSubject>::with((), new)).await?;
        }
        let given = give(visit, &id, typed).await?;
        let notice = told(visit, Words(visit.language()), &given);
        Ok(Done::Go(visit.at(OPERATORS, &[]), notice))
    }
}
