//! Removing a trust.

use grantor::{server::Body, types::Name};
use http::Response;

use super::{TRUST, mode::used_last, words::Words};
use crate::{
    admin::{
        Input,
        trusts::{DeleteTrust, ShowTrust},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::{Coded, Named},
};

/// The question before a trust is removed.
pub struct DeletePage;

impl Form for DeletePage {
    type Path = Name;

    const ROUTE: Route = Route::form("/trusts/{trust}/delete", Section::Trusts).grave();

    async fn show(visit: &Visit, name: &Name, typed: &Typed) -> Result<Response<Body>, Error> {
        let trust = visit.ask(Input::<ShowTrust>::at(name.clone())).await?;
        let words = Words(visit.language());
        let client = trust.client.as_ref().map_or("", |client| client.as_str());
        let back = visit.at(TRUST, &[name.as_str()]);
        let question = words.delete_it(Named(name.as_str()));
        let page = Confirm::ask(visit, typed, question, words.delete(), back.clone())
            .below(visit.at("/trusts", &[]), words.heading())
            .below(back, name.as_str())
            .saying(words.deleting(Coded(client)))
            .saying(used_last(visit, words, name).await?)
            .in_state(Some(trust.revision))
            .managed_by(trust.managed_by.as_ref().map(ToString::to_string));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, name: &Name, _: &Typed) -> Result<Done, Error> {
        visit.ask(Input::<DeleteTrust>::at(name.clone())).await?;
        let words = Words(visit.language());
        let notice = Notice::of(words.is_deleted(Named(name.as_str())));
        Ok(Done::Go(visit.at("/trusts", &[]), notice))
    }
}
