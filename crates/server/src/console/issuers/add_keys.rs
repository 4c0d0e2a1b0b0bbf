//! Uploading keys of an issuer.

use askama::Template;
use grantor::server::Body;
use http::Response;

use super::{ISSUER, words::Words};
use crate::{
    admin::{
        Input,
        issuers::{AddIssuerKeys, ShowIssuer},
        state_of,
    },
    console::{Done, Error, Form, Notice, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Markup, Named},
};

/// Uploading keys of an issuer.
pub struct AddKeysPage;

#[derive(Template)]
#[template(path = "console/issuers/add_keys.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    heading: Markup,
    typed: Typed,
    is_spiffe: bool,
    action: String,
    ticket: String,
    state: String,
    managed_by: Option<String>,
    back: String,
}

impl Form for AddKeysPage {
    type Path = String;

    const ROUTE: Route = Route::form("/issuers/{issuer}/keys", Section::Issuers);

    async fn show(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Response<Body>, Error> {
        let issuer = visit.ask(Input::<ShowIssuer>::at(issuer.clone())).await?;
        let issuer = issuer.issuer;
        let words = Words(visit.language());
        let name = issuer.name.as_str();
        let back = visit.at(ISSUER, &[name]);
        let view = View {
            summary: Summary::of(typed),
            words,
            trail: vec![
                (visit.at("/issuers", &[]), words.heading().to_owned()),
                (back.clone(), name.to_owned()),
            ],
            heading: words.add_keys_of(Named(name)),
            typed: typed.clone(),
            is_spiffe: issuer.keys.spiffe_bundle.is_some(),
            action: visit.here(),
            ticket: visit.ticket(),
            state: state_of(issuer.revision),
            managed_by: issuer.managed_by.as_ref().map(ToString::to_string),
            back,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let members = typed.members().part("keys", |keys| {
            keys.json("jwks").text("pem").json("spiffe_bundle")
        });
        let body = members.number("overlap").body()?;
        let asked = Input::<AddIssuerKeys>::with(issuer.clone(), body);
        let changed = visit.ask(asked).await?.document;
        let name = changed.name.as_str();
        let notice = Notice::of(words.keys_are_added(Named(name)));
        Ok(Done::Go(visit.at(ISSUER, &[name]), notice))
    }
}
