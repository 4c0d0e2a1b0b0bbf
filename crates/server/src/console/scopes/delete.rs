//! Taking away what is said of a scope.

use grantor::{server::Body, types::ScopeToken};
use http::Response;

use super::words::Words;
use crate::{
    admin::{
        Input,
        scopes::{DeleteScope, ShowScope},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::{Coded, markup},
};

/// The question before what is said of a scope is taken away.
pub struct DeletePage;

impl Form for DeletePage {
    type Path = ScopeToken;

    const ROUTE: Route = Route::form("/scopes/{name}/delete", Section::Scopes).grave();

    async fn show(
        visit: &Visit,
        name: &ScopeToken,
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        let scope = visit.ask(Input::<ShowScope>::at(name.clone())).await?;
        let words = Words(visit.language());
        let back = visit.at("/scopes/{name}", &[name.as_str()]);
        let question = words.delete_it(Coded(name.as_str()));
        let mut page = Confirm::ask(visit, typed, question, words.delete(), back.clone())
            .below(visit.at("/scopes", &[]), words.heading())
            .below(back, name.as_str())
            .saying(markup(words.clients_first()))
            .in_state(Some(scope.revision))
            .managed_by(scope.managed_by.as_ref().map(ToString::to_string));
        if scope.sensitive {
            page = page.saying(markup(words.no_longer_sensitive()));
        }
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, name: &ScopeToken, _: &Typed) -> Result<Done, Error> {
        visit.ask(Input::<DeleteScope>::at(name.clone())).await?;
        let words = Words(visit.language());
        let notice = Notice::of(words.is_deleted(Coded(name.as_str())));
        let again = format!("{}?name={name}", visit.at("/scopes/new", &[]));
        let list = visit.at("/scopes", &[]);
        Ok(Done::Go(list, notice.then(again, words.describe_again())))
    }
}
