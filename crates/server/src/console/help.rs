//! Help: what the keyboard does, and the words of the field, one line each.

mod words;

use askama::Template;
use grantor::server::Body;
use http::Response;

use self::words::Words;
use super::{Error, Page, Route, Section, Shell, Visit};
use crate::admin::NoQuery;

/// Help.
pub struct HelpPage;

#[derive(Template)]
#[template(path = "console/help.html")]
struct View {
    shell: Shell,
    words: Words,
    keys: Vec<(char, &'static str)>,
    terms: Vec<(&'static str, &'static str)>,
}

impl Page for HelpPage {
    type Path = ();
    type Query = NoQuery;

    const ROUTE: Route = Route::page("/help", Section::Help);

    async fn show(visit: &Visit, (): (), _: NoQuery) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let sections = Section::ALL.into_iter();
        let with_key = sections.filter(|section| *section != Section::Help);
        let key = |section: Section| Some((section.key()?, visit.words().section(section)));
        let view = View {
            words,
            keys: with_key.filter_map(key).collect(),
            terms: words.terms(),
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}
