//! Fetching the keys of an issuer now.

use grantor::server::Body;
use http::Response;

use super::{ISSUER, words::Words};
use crate::{
    admin::{
        Input,
        issuers::{RefreshIssuer, ShowIssuer},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::{Named, markup},
};

/// The question before the keys of an issuer are fetched.
pub struct RefreshPage;

impl Form for RefreshPage {
    type Path = String;

    const ROUTE: Route = Route::form("/issuers/{issuer}/refresh", Section::Issuers);

    async fn show(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Response<Body>, Error> {
        let issuer = visit.ask(Input::<ShowIssuer>::at(issuer.clone())).await?;
        let issuer = issuer.issuer;
        let words = Words(visit.language());
        let name = issuer.name.as_str();
        let back = visit.at(ISSUER, &[name]);
        let question = words.fetch_them(Named(name));
        let page = Confirm::ask(visit, typed, question, words.fetch_now(), back.clone())
            .below(visit.at("/issuers", &[]), words.heading())
            .below(back, name)
            .saying(markup(words.fetching()))
            .in_state(Some(issuer.revision))
            .managed_by(issuer.managed_by.as_ref().map(ToString::to_string));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, issuer: &String, _: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let found = visit
            .ask(Input::<RefreshIssuer>::at(issuer.clone()))
            .await?;
        let name = found.name.as_str();
        let notice = Notice::of(match found.keys.len() {
            1 => words.fetched_one(Named(name)),
            count => words.fetched_many(count, Named(name)),
        });
        Ok(Done::Go(visit.at(ISSUER, &[name]), notice))
    }
}
