//! A scope, as people read it.

use askama::Template;
use grantor::{
    admin::ScopeDocument,
    server::Body,
    types::{Description, ScopeToken},
};
use http::Response;

use super::words::Words;
use crate::{
    admin::{Input, NoQuery, scopes::ShowScope},
    console::{Error, Page, Route, Section, Shell, Visit},
    pages::Language,
};

/// A scope, as people read it.
pub struct ScopePage;

#[derive(Template)]
#[template(path = "console/scopes/show.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    readings: Vec<Reading>,
    edit: Option<String>,
    delete: Option<String>,
    scope: ScopeDocument,
}

/// What people of one language read.
struct Reading {
    heading: &'static str,
    language: Language,
    text: Option<String>,
}

impl Page for ScopePage {
    type Path = ScopeToken;
    type Query = NoQuery;

    const ROUTE: Route = Route::page("/scopes/{name}", Section::Scopes);

    async fn show(visit: &Visit, name: ScopeToken, _: NoQuery) -> Result<Response<Body>, Error> {
        let scope = visit.ask(Input::<ShowScope>::at(name)).await?;
        let words = Words(visit.language());
        let names = [scope.name.as_str()];
        let to = |template| visit.may_edit().then(|| visit.at(template, &names));
        let reading = |heading, language, text: &Option<Description>| Reading {
            heading,
            language,
            text: text.as_ref().map(ToString::to_string),
        };
        let view = View {
            trail: vec![(visit.at("/scopes", &[]), words.heading().to_owned())],
            readings: vec![
                reading(words.in_english(), Language::English, &scope.en),
                reading(words.in_french(), Language::French, &scope.fr),
            ],
            edit: to("/scopes/{name}/edit"),
            delete: to("/scopes/{name}/delete"),
            words,
            shell: visit.shell(),
            scope,
        };
        Ok(visit.page(&view))
    }
}
