//! Making a new key, which signs soon.

use askama::Template;
use grantor::{
    admin::{SigningKeyState, SigningKeys},
    jose::Algorithm,
    server::Body,
};
use http::Response;

use super::words::Words;
use crate::{
    admin::{
        Input, Problem, Slug,
        signing_keys::{RotateSigningKey, Rotation},
    },
    console::{Done, Error, Form, Notice, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Coded, time::minute},
};

/// The question before a new key is made.
pub struct RotatePage;

#[derive(Template)]
#[template(path = "console/signing_keys/rotate.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    typed: Typed,
    algorithms: Vec<&'static str>,
    action: String,
    ticket: String,
    back: String,
}

impl Form for RotatePage {
    type Path = ();

    const ROUTE: Route = Route::form("/signing-keys/new", Section::SigningKeys)
        .for_owners()
        .grave();

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let back = visit.at("/signing-keys", &[]);
        let usual = visit.admin.terms().signing_algorithm;
        let others = Algorithm::ALL.into_iter();
        let others = others.filter(|other| *other != usual && !other.is_mac());
        let ahead = Rotation::AHEAD.as_secs().to_string();
        let view = View {
            summary: Summary::of(typed),
            words,
            trail: vec![(back.clone(), words.heading().to_owned())],
            typed: typed.or_else(|typed| typed.filling("ahead", &*ahead)),
            algorithms: [usual]
                .into_iter()
                .chain(others)
                .map(Algorithm::name)
                .collect(),
            action: visit.here(),
            ticket: visit.ticket(),
            back,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let body = typed.members().text("alg").number("ahead").body()?;
        let made = visit.ask(Input::<RotateSigningKey>::with((), body)).await;
        let made = made.map_err(|error| match error.problem() {
            Some(problem) if problem.slug == Slug::State => {
                let most = words.too_many(SigningKeys::MAX_PUBLISHED);
                Error::worded(Problem::new(Slug::State, most.0), visit.language())
            }
            _ => error,
        })?;
        let key = Coded(&made.kid);
        let notice = Notice::of(match made.state {
            SigningKeyState::Signing => words.signs_already(key),
            _ => words.is_published(key, &minute(made.signs_from)),
        });
        Ok(Done::Go(visit.at("/signing-keys", &[]), notice))
    }
}
