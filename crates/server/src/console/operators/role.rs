//! What an operator may do: giving, raising, lowering and taking a role.

use askama::Template;
use grantor::{admin::OperatorDocument, registry::Role, server::Body, types::SubjectId};
use http::Response;

use super::{OPERATORS, words::Words};
use crate::{
    admin::{
        Input, state_of,
        subjects::{DeleteRole, PutRole, ShowRole, ShowSubject},
    },
    console::{
        Done, Error, Form, Notice, Pick, Route, Section, Shell, Summary, Typed, Visit, subjects,
    },
    pages::{Coded, Markup, Named, markup, time},
};

/// The form of a subject's role.
pub struct RolePage;

const ROLE: &str = "/operators/{subject}/role";
/// What the form says where no role is meant.
pub const NONE: &str = "none";

#[derive(Template)]
#[template(path = "console/operators/role.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    question: Markup,
    sentences: Vec<Markup>,
    action: String,
    ticket: String,
    state: Option<String>,
    choices: Vec<Pick>,
    back: String,
    typed: Typed,
}

/// The roles that may be given.
pub fn roles(words: Words) -> impl Iterator<Item = Pick> {
    let pick = move |role: Role| Pick::new(role.as_str(), role.as_str()).meaning(words.means(role));
    Role::ALL.into_iter().map(pick)
}

impl Form for RolePage {
    type Path = SubjectId;

    const ROUTE: Route = Route::form(ROLE, Section::Operators).for_owners().grave();

    async fn show(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let subject = visit.ask(Input::<ShowSubject>::at(id.clone())).await?;
        let now = visit.find(Input::<ShowRole>::at(id.clone())).await?;
        let role = now.as_ref().map(|operator| operator.role);
        let mut sentences = vec![match role {
            Some(role) => words.now(Coded(role.as_str())),
            None => markup(words.now_none()),
        }];
        if let Some(at) = subject.last_seen {
            let ago = time::distance(at, visit.now(), visit.language());
            sentences.push(words.last_seen_at(&ago));
        }
        sentences.push(markup(words.at_once()));
        if role.is_none() {
            sentences.push(markup(words.first_ends()));
        }
        let chosen = match typed.value("role") {
            Some(typed) => typed,
            None => role.map_or(Role::Reader.as_str(), Role::as_str),
        };
        let none = || Pick::new(NONE, words.no_role()).meaning(words.takes_all());
        let choices = roles(words).chain(role.map(|_| none()));
        let view = View {
            words,
            summary: Summary::of(typed),
            trail: vec![(visit.at(OPERATORS, &[]), words.heading().to_owned())],
            question: words.role_of(Named(id.as_str())),
            sentences,
            action: visit.here(),
            ticket: visit.ticket(),
            state: now.map(|operator| state_of(operator.revision)),
            choices: Pick::of(choices, chosen),
            back: visit.at(subjects::SUBJECT, &[id.as_str()]),
            typed: typed.clone(),
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let back = visit.at(OPERATORS, &[]);
        let undo = visit.at(ROLE, &[id.as_str()]);
        if typed.text("role") == NONE {
            visit.ask(Input::<DeleteRole>::at(id.clone())).await?;
            let notice = Notice::of(words.has_no_role(Named(id.as_str())));
            return Ok(Done::Go(back, notice.then(undo, words.undo())));
        }
        let given = give(visit, id, typed).await?;
        Ok(Done::Go(back, told(visit, words, &given)))
    }
}

/// Gives the role that was chosen.
pub async fn give(visit: &Visit, id: &SubjectId, typed: &Typed) -> Result<OperatorDocument, Error> {
    let body = typed.members().text("role").body()?;
    let given = visit.ask(Input::<PutRole>::with(id.clone(), body)).await?;
    Ok(given.document)
}

/// Says that a role was given, and what comes next.
pub fn told(visit: &Visit, words: Words, given: &OperatorDocument) -> Notice {
    let (id, role) = (given.subject.as_str(), Coded(given.role.as_str()));
    match given.can_sign_in {
        true => Notice::of(words.has_role(Named(id), role)),
        false => {
            let invite = visit.at("/subjects/{subject}/invite", &[id]);
            let notice = words.has_role_and_cannot_sign_in(Named(id), role);
            Notice::of(notice).then(invite, words.invite())
        }
    }
}
