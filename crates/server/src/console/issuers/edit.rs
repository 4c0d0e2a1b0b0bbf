//! Changing an issuer.

use grantor::server::Body;
use http::Response;

use super::{ISSUER, by_hand::View, fields, words::Words};
use crate::{
    admin::{
        Input,
        issuers::{IssuerChange, ShowIssuer, UpdateIssuer},
        state_of,
    },
    console::{Done, Error, Form, Notice, Route, Section, Typed, Visit},
    pages::Named,
};

/// Changing an issuer.
pub struct EditPage;

impl Form for EditPage {
    type Path = String;

    const ROUTE: Route = Route::form("/issuers/{issuer}/edit", Section::Issuers);

    async fn show(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Response<Body>, Error> {
        let issuer = visit.ask(Input::<ShowIssuer>::at(issuer.clone())).await?;
        let issuer = issuer.issuer;
        let words = Words(visit.language());
        let name = issuer.name.as_str();
        let back = visit.at(ISSUER, &[name]);
        let new = View::of_new(visit, typed.or_else(|typed| fields::filled(typed, &issuer)));
        let view = View {
            trail: vec![
                (visit.at("/issuers", &[]), words.heading().to_owned()),
                (back.clone(), name.to_owned()),
            ],
            title: words.edit(),
            heading: words.edit_it(Named(name)),
            state: Some(state_of(issuer.revision)),
            managed_by: issuer.managed_by.as_ref().map(ToString::to_string),
            back,
            issuer: Some(issuer.clone()),
            ..new
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Done, Error> {
        let before = visit.ask(Input::<ShowIssuer>::at(issuer.clone())).await?;
        let words = Words(visit.language());
        let registered = fields::filled(Typed::default(), &before.issuer);
        // Of networks there is no field for all, and of boxes none is sent that is not ticked.
        let is_shown = |name: &str| typed.value(name).is_some() || name == "algorithms";
        let is_changed = |name: &str| is_shown(name) && typed.differs(&registered, name);
        let mut members = fields::members(typed.members(), is_changed);
        if typed.text(fields::FROM) != fields::SAME {
            members = fields::keys(members, typed);
        }
        if members.is_empty() {
            let name = Named(before.issuer.name.as_str());
            let notice = Notice::of(words.nothing_changed(name));
            return Ok(Done::Go(visit.at(ISSUER, &[issuer]), notice));
        }
        let query = IssuerChange {
            check: Some(!typed.has("skip_check", "true")),
            revoke_tokens: None,
        };
        let asked = Input::<UpdateIssuer>::with(issuer.clone(), members.body()?).asking(query);
        let changed = visit.ask(asked).await?.document;
        let name = changed.name.as_str();
        let notice = Notice::of(words.is_changed(Named(name)));
        Ok(Done::Go(visit.at(ISSUER, &[name]), notice))
    }
}
