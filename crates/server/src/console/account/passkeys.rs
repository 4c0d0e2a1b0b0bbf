//! Adding a passkey of one's own, and removing one (C084, C093).

use askama::Template;
use grantor::{
    admin::Fault,
    registry::{CredentialId, Passkey},
    server::Body,
    types::DisplayName,
};
use http::Response;

use super::{ACCOUNT, NEW_PASSKEY, PASSKEY, words::Words};
use crate::{
    admin::{Problem, Slug},
    console::{Confirm, Done, Error, Form, Notice, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Named, Words as Told, markup, passkey_options},
    person::{NewPasskey, PasskeyError, PasskeyPage, Passkeys},
};

/// The fields.
const NAME: &str = "name";
const CREDENTIAL: &str = "credential";

/// The form in which operators add a passkey of their own.
pub struct NewPasskeyPage;

/// The question before one is removed.
pub struct RemovePasskeyPage;

#[derive(Template)]
#[template(path = "console/account/passkey.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    action: String,
    ticket: String,
    name: String,
    fault: Option<String>,
    back: String,
}

/// The passkeys of the console, if browsers can have any (DC8).
fn passkeys(visit: &Visit) -> Result<&Passkeys, Error> {
    visit.desk().passkeys.as_ref().ok_or(Error::NothingHere)
}

impl Form for NewPasskeyPage {
    type Path = ();

    const ROUTE: Route = Route::form(NEW_PASSKEY, Section::Account)
        .for_readers()
        .grave();
    const SECRET: &'static [&'static str] = &[CREDENTIAL];

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        passkeys(visit)?;
        let words = Words(visit.language());
        let back = visit.at(ACCOUNT, &[]);
        let name = match typed.text(NAME) {
            "" => words.usual_name(),
            typed => typed,
        };
        let view = View {
            words,
            summary: Summary::of(typed),
            trail: vec![(back.clone(), words.heading().to_owned())],
            action: visit.here(),
            ticket: visit.ticket(),
            name: name.to_owned(),
            fault: typed.fault(NAME).map(str::to_owned),
            back,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    /// Without a credential it is asked what one is to be made of.
    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let (passkeys, subject) = (passkeys(visit)?, visit.subject());
        let page = PasskeyPage {
            context: visit.context(),
            browser: visit.secret(),
        };
        let Some(sent) = typed.value(CREDENTIAL) else {
            let asked = passkeys.creation_options(&page, subject).await?;
            return Ok(Done::Answer(passkey_options(&asked)));
        };
        let name = DisplayName::parse(typed.text(NAME)).map_err(|error| {
            let fault = Fault::new(NAME, error.to_string());
            Problem::at_fault(Slug::Invalid, vec![fault])
        })?;
        let new = NewPasskey {
            subject,
            name,
            sent,
        };
        let sessions = &visit.desk().sessions;
        let made = passkeys.make_in_session(&page, sessions, new, visit.admin.actor());
        let made = made.await.map_err(|error| told(visit, error))?;
        let notice = Notice::of(words.passkey_added(Named(made.name.as_str())))
            .then(visit.at("", &[]), words.to_overview());
        Ok(Done::Go(visit.at(ACCOUNT, &[]), notice))
    }
}

impl Form for RemovePasskeyPage {
    type Path = CredentialId;

    const ROUTE: Route = Route::form(PASSKEY, Section::Account).for_readers().grave();

    async fn show(
        visit: &Visit,
        id: &CredentialId,
        typed: &Typed,
    ) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let own = own(visit, id).await?;
        let question = words.remove_it(Named(own.name.as_str()));
        let back = visit.at(ACCOUNT, &[]);
        let page = Confirm::ask(visit, typed, question, words.remove(), back.clone())
            .below(back, words.heading())
            .saying(markup(words.removing()));
        Ok(page.page(visit))
    }

    async fn submit(visit: &Visit, id: &CredentialId, _: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let own = own(visit, id).await?;
        let removed = passkeys(visit)?.remove(visit.subject(), id, visit.admin.actor());
        removed.await.map_err(|error| told(visit, error))?;
        let notice = Notice::of(words.passkey_removed(Named(own.name.as_str())));
        Ok(Done::Go(visit.at(ACCOUNT, &[]), notice))
    }
}

/// The operator's own passkey of this id; somebody else's is none (CA31).
async fn own(visit: &Visit, id: &CredentialId) -> Result<std::sync::Arc<Passkey>, Error> {
    let own = passkeys(visit)?
        .of(visit.context(), visit.subject())
        .await?;
    let own = own.into_iter().map(|own| own.passkey);
    own.into_iter()
        .find(|passkey| passkey.credential == *id)
        .ok_or(Error::NothingHere)
}

/// What an operator is told whose passkey is not made or removed.
fn told(visit: &Visit, error: PasskeyError) -> Error {
    let language = visit.language();
    match error {
        PasskeyError::Store(error) => error.into(),
        error => {
            let refusal = error.at_change(Told(language));
            Error::worded(Problem::new(Slug::Invalid, refusal.public_text()), language)
        }
    }
}
