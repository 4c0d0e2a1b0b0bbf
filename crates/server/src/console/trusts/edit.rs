//! Changing a trust.

use grantor::{server::Body, types::Name};
use http::Response;

use super::{
    TRUST,
    by_hand::{View, fault_of_client, none_of},
    fields,
    words::Words,
};
use crate::{
    admin::{
        Input, state_of,
        trusts::{ShowTrust, UpdateTrust},
    },
    console::{Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::Named,
};

/// Changing a trust.
pub struct EditPage;

impl Form for EditPage {
    type Path = Name;

    const ROUTE: Route = Route::form("/trusts/{trust}/edit", Section::Trusts);

    async fn show(visit: &Visit, name: &Name, typed: &Typed) -> Result<Response<Body>, Error> {
        let trust = visit.ask(Input::<ShowTrust>::at(name.clone())).await?;
        let words = Words(visit.language());
        let back = visit.at(TRUST, &[name.as_str()]);
        let new = View::of_new(visit, typed.or_else(|typed| fields::filled(typed, &trust)));
        let view = View {
            trail: vec![
                (visit.at("/trusts", &[]), words.heading().to_owned()),
                (back.clone(), name.to_string()),
            ],
            title: words.edit(),
            heading: words.edit_it(Named(name.as_str())),
            state: Some(state_of(trust.revision)),
            managed_by: trust.managed_by.as_ref().map(ToString::to_string),
            back,
            trust: Some(trust),
            ..new
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, name: &Name, typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        none_of(Vec::from_iter(fault_of_client(visit, typed).await?))?;
        let before = visit.ask(Input::<ShowTrust>::at(name.clone())).await?;
        let registered = fields::filled(Typed::default(), &before);
        let members = fields::members(typed.members(), |name| typed.differs(&registered, name));
        let page = visit.at(TRUST, &[name.as_str()]);
        if members.is_empty() {
            let notice = Notice::of(words.nothing_changed(Named(name.as_str())));
            return Ok(Done::Go(page, notice));
        }
        let asked = Input::<UpdateTrust>::with(name.clone(), members.body()?);
        visit.ask(asked).await?;
        let notice = Notice::of(words.is_changed(Named(name.as_str())));
        Ok(Done::Go(page, notice))
    }
}
