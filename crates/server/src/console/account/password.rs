//! Setting one's own password (C093, C094).

use askama::Template;
use grantor::{admin::Fault, server::Body};
use http::Response;

use super::{ACCOUNT, PASSWORD, words::Words};
use crate::{
    admin::{Problem, Slug},
    console::{Done, Error, Form, Notice, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Words as Told, markup},
    person::Password,
};

/// The field.
const FIELD: &str = "password";

/// The form in which operators set their own password. No role is needed: it is theirs.
pub struct PasswordPage;

#[derive(Template)]
#[template(path = "console/account/password.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    action: String,
    ticket: String,
    fault: Option<String>,
    back: String,
}

impl Form for PasswordPage {
    type Path = ();

    const ROUTE: Route = Route::form(PASSWORD, Section::Account)
        .for_readers()
        .grave();
    const SECRET: &'static [&'static str] = &[FIELD];

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let back = visit.at(ACCOUNT, &[]);
        let view = View {
            words,
            summary: Summary::of(typed),
            trail: vec![(back.clone(), words.heading().to_owned())],
            action: visit.here(),
            ticket: visit.ticket(),
            fault: typed.fault(FIELD).map(str::to_owned),
            back,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let (desk, subject) = (visit.desk(), visit.subject());
        let worded = |problem| Error::worded(problem, visit.language());
        let sent = typed.value(FIELD).unwrap_or_default();
        let password = Password::chosen(sent, &subject.id, desk.site.host());
        let password = password.map_err(|unfit| {
            let fault = Fault::new(FIELD, Told(visit.language()).unfit(unfit));
            worded(Problem::at_fault(Slug::Invalid, vec![fault]))
        })?;
        let hashed = desk.passwords.hash(password).await;
        let busy = Told(visit.language()).too_many_sign_in();
        let digest = hashed.map_err(|_busy| worded(Problem::new(Slug::SlowDown, busy)))?;
        let (role, by) = (Some(&visit.operator), visit.admin.actor());
        let set = desk.set_password(&subject.id, role, digest, visit.now(), by);
        // Behind the change, so that nobody comes in by the password of before (C093).
        let secret = visit.begin_anew(set.await?).await?;
        let notice =
            Notice::of(markup(words.is_set())).then(visit.at("", &[]), words.to_overview());
        Ok(Done::GoAs(secret, visit.at(ACCOUNT, &[]), notice))
    }
}
