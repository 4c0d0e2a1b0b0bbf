//! Removing an issuer.

use grantor::server::Body;
use http::Response;

use super::{
    ISSUER,
    show::trusts_of,
    switch::{came_last, concerned},
    words::Words,
};
use crate::{
    admin::{
        Input, Problem, Slug,
        issuers::{CascadeQuery, DeleteIssuer, ShowIssuer},
    },
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Tick, Typed, Visit},
    pages::{Named, markup},
};

/// The question before an issuer is removed.
pub struct DeletePage;

const CASCADE: &str = "cascade";

impl Form for DeletePage {
    type Path = String;

    const ROUTE: Route = Route::form("/issuers/{issuer}/delete", Section::Issuers).grave();

    async fn show(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Response<Body>, Error> {
        let issuer = visit.ask(Input::<ShowIssuer>::at(issuer.clone())).await?;
        let issuer = issuer.issuer;
        let words = Words(visit.language());
        let name = issuer.name.as_str();
        let back = visit.at(ISSUER, &[name]);
        let question = words.delete_it(Named(name));
        let mut page = Confirm::ask(visit, typed, question, words.delete(), back.clone())
            .below(visit.at("/issuers", &[]), words.heading())
            .below(back, name)
            .saying(markup(words.deleting()))
            .saying(concerned(visit, words, name).await?)
            .saying(came_last(visit, words, &issuer).await?)
            .in_state(Some(issuer.revision))
            .managed_by(issuer.managed_by.as_ref().map(ToString::to_string));
        if !trusts_of(visit, name).await?.items.is_empty() {
            page = page.offering(Tick {
                name: CASCADE,
                text: words.cascade(),
                hint: words.cascade_hint(),
            });
        }
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let query = CascadeQuery {
            cascade: Some(typed.has(CASCADE, "true")),
        };
        let asked = Input::<DeleteIssuer>::at(issuer.clone()).asking(query);
        let deleted = visit.ask(asked).await;
        let deleted = deleted.map_err(|error| match error.problem() {
            Some(problem) if problem.slug == Slug::InUse => {
                let problem = Problem::new(Slug::InUse, words.has_trusts_still());
                Error::worded(problem, visit.language())
            }
            _ => error,
        })?;
        let notice = Notice::of(match deleted.trusts.len() {
            0 => words.is_deleted(Named(issuer)),
            count => words.is_deleted_with(Named(issuer), count),
        });
        Ok(Done::Go(visit.at("/issuers", &[]), notice))
    }
}
