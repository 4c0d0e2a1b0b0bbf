//! Trying a JWT by one trust.

use grantor::{server::Body, types::Name};
use http::Response;

use super::{TRUST, words::Words};
use crate::{
    admin::{Input, tried::TestTrust, trusts::ShowTrust},
    console::{
        Done, Error, Form, Route, Section, Typed, Visit,
        tried::{JWT, Trial, body},
    },
    pages::Named,
};

/// Trying a JWT by one trust. Nothing is used up.
pub struct TestPage;

impl Form for TestPage {
    type Path = Name;

    const ROUTE: Route = Route::form("/trusts/{trust}/test", Section::Trusts).for_readers();
    const SECRET: &'static [&'static str] = &[JWT];

    async fn show(visit: &Visit, name: &Name, typed: &Typed) -> Result<Response<Body>, Error> {
        Ok(trial(visit, name, typed).await?.page(visit, None))
    }

    async fn submit(visit: &Visit, name: &Name, typed: &Typed) -> Result<Done, Error> {
        let asked = Input::<TestTrust>::with(name.clone(), body(typed)?);
        let tried = visit.ask(asked).await?;
        let page = trial(visit, name, typed).await?.page(visit, Some(tried));
        Ok(Done::Answer(page))
    }
}

async fn trial(visit: &Visit, name: &Name, typed: &Typed) -> Result<Trial, Error> {
    visit.ask(Input::<ShowTrust>::at(name.clone())).await?;
    let words = Words(visit.language());
    let name = name.as_str();
    Ok(Trial {
        trail: vec![
            (visit.at("/trusts", &[]), words.heading().to_owned()),
            (visit.at(TRUST, &[name]), name.to_owned()),
        ],
        title: words.test(),
        heading: words.test_it(Named(name)),
        typed: typed.clone(),
    })
}
