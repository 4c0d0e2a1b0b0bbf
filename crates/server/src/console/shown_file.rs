//! A key file that is shown once, and saved by a form for browsers without script: it comes back from
//! the browser, sealed, and nothing of it is kept here (M115).

use std::time::Duration;

use grantor::{
    clock::UnixTime,
    server::{Body, SealKind},
};
use http::Response;
use serde::{Deserialize, Serialize};

use super::{Done, Error, Form, Route, Section, Typed, Visit};
use crate::pages::html;

const FILE: SealKind = SealKind::new("grantor:file-once");
/// How long what was shown can be saved.
const SAVED_WITHIN: Duration = Duration::from_secs(15 * 60);
/// The path of the form that saves.
const SAVE: &str = "/save";
const SEALED: &str = "sealed";

/// A file that is shown once, and how it is saved.
pub struct ShownFile {
    pub name: String,
    pub text: String,
    pub action: String,
    pub ticket: String,
    pub sealed: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    name: String,
    text: String,
    until: UnixTime,
}

impl ShownFile {
    /// This text, under this name.
    pub fn new(visit: &Visit, name: String, text: String) -> Self {
        let action = visit.at(SAVE, &[]);
        let sealed = Sealed {
            name: name.clone(),
            text: text.clone(),
            until: visit.now().plus(SAVED_WITHIN),
        };
        let seals = visit.context().seals();
        Self {
            name,
            text,
            ticket: visit.ticket_for(&action),
            action,
            sealed: seals.seal(FILE, visit.secret.expose(), &sealed),
        }
    }
}

/// Saves what the browser was shown: it comes back from there, and nothing is kept here.
pub struct SavePage;

impl Form for SavePage {
    type Path = ();

    const ROUTE: Route = Route::form(SAVE, Section::Clients);
    const SECRET: &'static [&'static str] = &[SEALED];

    async fn show(_: &Visit, (): &(), _: &Typed) -> Result<Response<Body>, Error> {
        Err(Error::NothingHere)
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let seals = visit.context().seals();
        let sealed = typed.value(SEALED).unwrap_or_default();
        let opened: Option<Sealed> = seals.open(FILE, visit.secret.expose(), sealed);
        let fresh = opened.filter(|file| visit.now() < file.until);
        let file = fresh.ok_or(Error::Shown)?;
        let saved = html::file(&file.name, "application/json", Body::from(file.text));
        Ok(Done::Answer(saved))
    }
}
