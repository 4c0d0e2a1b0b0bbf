//! Saying what a scope means.

use askama::Template;
use grantor::{
    admin::{Fault, ScopeDocument},
    server::Body,
    types::{Description, ScopeToken},
};
use http::Response;

use super::words::Words;
use crate::{
    admin::{
        Input, Problem, Slug,
        scopes::{PutScope, ScopeBody, ShowScope},
        state_of,
    },
    console::{Done, Error, Form, Notice, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Coded, Markup, markup},
};

/// Describing a scope.
pub struct NewPage;

/// Describing a scope anew.
pub struct EditPage;

#[derive(Template)]
#[template(path = "console/scopes/edit.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    title: &'static str,
    heading: Markup,
    typed: Typed,
    /// Whether the name is still to be said.
    is_new: bool,
    action: String,
    ticket: String,
    state: Option<String>,
    managed_by: Option<String>,
    back: String,
}

impl Form for NewPage {
    type Path = ();

    const ROUTE: Route = Route::form("/scopes/new", Section::Scopes);
    const FROM_QUERY: &'static [&'static str] = &["name"];

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let heading = markup(words.new_one());
        Ok(visit.form(
            typed,
            &view(visit, typed.clone(), words.new_one(), heading, None),
        ))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let wrong = |detail: String| {
            let fault = Fault::new("name", detail);
            Error::from(Problem::at_fault(Slug::Invalid, vec![fault]))
        };
        let name = ScopeToken::parse(typed.text("name"));
        let name = name.map_err(|error| wrong(error.to_string()))?;
        // PUT would take the place of what is there.
        let described = visit.find(Input::<ShowScope>::at(name.clone())).await?;
        if described.is_some() {
            return Err(wrong("is described already; change it there".to_owned()));
        }
        let words = Words(visit.language());
        let scope = put(visit, &name, typed).await?;
        Ok(done(
            visit,
            &scope,
            words.is_described(Coded(name.as_str())),
        ))
    }
}

impl Form for EditPage {
    type Path = ScopeToken;

    const ROUTE: Route = Route::form("/scopes/{name}/edit", Section::Scopes);

    async fn show(
        visit: &Visit,
        name: &ScopeToken,
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        let scope = visit.ask(Input::<ShowScope>::at(name.clone())).await?;
        let words = Words(visit.language());
        let text =
            |text: &Option<Description>| text.as_ref().map_or(String::new(), ToString::to_string);
        let filled = typed.or_else(|typed| {
            let typed = typed
                .filling("en", text(&scope.en))
                .filling("fr", text(&scope.fr));
            [("sensitive", scope.sensitive), ("optional", scope.optional)]
                .into_iter()
                .filter(|(_, is_so)| *is_so)
                .fold(typed, |typed, (name, _)| typed.filling(name, "true"))
        });
        let heading = words.edit_it(Coded(name.as_str()));
        let view = view(visit, filled, words.edit(), heading, Some(&scope));
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, name: &ScopeToken, typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let scope = put(visit, name, typed).await?;
        Ok(done(visit, &scope, words.is_changed(Coded(name.as_str()))))
    }
}

fn view(
    visit: &Visit,
    typed: Typed,
    title: &'static str,
    heading: Markup,
    scope: Option<&ScopeDocument>,
) -> View {
    let words = Words(visit.language());
    let list = visit.at("/scopes", &[]);
    let mut trail = vec![(list.clone(), words.heading().to_owned())];
    let own = scope.map(|scope| {
        let name = scope.name.as_str();
        (visit.at("/scopes/{name}", &[name]), name.to_owned())
    });
    trail.extend(own.clone());
    let manager = scope.and_then(|scope| scope.managed_by.as_ref());
    View {
        summary: Summary::of(&typed),
        words,
        trail,
        title,
        heading,
        typed,
        is_new: scope.is_none(),
        action: visit.here(),
        ticket: visit.ticket(),
        state: scope.map(|scope| state_of(scope.revision)),
        managed_by: manager.map(ToString::to_string),
        back: own.map_or(list, |(path, _)| path),
        shell: visit.shell(),
    }
}

async fn put(visit: &Visit, name: &ScopeToken, typed: &Typed) -> Result<ScopeDocument, Error> {
    let members = typed.members().text_or_null("en").text_or_null("fr");
    let body: ScopeBody = members.truth("sensitive").truth("optional").body()?;
    visit.ask(Input::<PutScope>::with(name.clone(), body)).await
}

fn done(visit: &Visit, scope: &ScopeDocument, sentence: Markup) -> Done {
    let path = visit.at("/scopes/{name}", &[scope.name.as_str()]);
    Done::Go(path, Notice::of(sentence))
}
