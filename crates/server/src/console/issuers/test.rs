//! Trying a JWT of an issuer.

use grantor::server::Body;
use http::Response;

use super::{ISSUER, words::Words};
use crate::{
    admin::{Input, issuers::ShowIssuer, tried::TestIssuer},
    console::{
        Done, Error, Form, Route, Section, Typed, Visit,
        tried::{JWT, Trial, body},
    },
    pages::Named,
};

/// Trying a JWT of an issuer. Nothing is used up.
pub struct TestPage;

impl Form for TestPage {
    type Path = String;

    const ROUTE: Route = Route::form("/issuers/{issuer}/test", Section::Issuers).for_readers();
    const SECRET: &'static [&'static str] = &[JWT];

    async fn show(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Response<Body>, Error> {
        Ok(trial(visit, issuer, typed).await?.page(visit, None))
    }

    async fn submit(visit: &Visit, issuer: &String, typed: &Typed) -> Result<Done, Error> {
        let asked = Input::<TestIssuer>::with(issuer.clone(), body(typed)?);
        let tried = visit.ask(asked).await?;
        let page = trial(visit, issuer, typed).await?.page(visit, Some(tried));
        Ok(Done::Answer(page))
    }
}

async fn trial(visit: &Visit, issuer: &str, typed: &Typed) -> Result<Trial, Error> {
    let shown = visit
        .ask(Input::<ShowIssuer>::at(issuer.to_owned()))
        .await?;
    let words = Words(visit.language());
    let name = shown.issuer.name.as_str();
    Ok(Trial {
        trail: vec![
            (visit.at("/issuers", &[]), words.heading().to_owned()),
            (visit.at(ISSUER, &[name]), name.to_owned()),
        ],
        title: words.test(),
        heading: words.test_it(Named(name)),
        typed: typed.clone(),
    })
}
