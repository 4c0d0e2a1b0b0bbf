//! Registering a trust of an issuer, claim by claim.

use askama::Template;
use grantor::{
    admin::{Fault, IssuerDocument, Templates, TrustDocument},
    assertion::Usage,
    server::Body,
    types::ClientId,
};
use http::Response;

use super::{TRUST, by_template, fields, words::Words};
use crate::{
    admin::{Input, Problem, Slug, clients::ShowClient, issuers::ShowIssuer, trusts::CreateTrust},
    console::{Done, Error, Form, Notice, Route, Section, Shell, Summary, Typed, Visit},
    pages::{Coded, Link, Markup, Named, markup},
};

/// Registering a trust, claim by claim.
pub struct NewPage;

/// The fields of a trust on a page.
#[derive(Template)]
#[template(path = "console/trusts/edit.html")]
pub struct View {
    pub shell: Shell,
    pub words: Words,
    pub summary: Option<Summary>,
    pub trail: Vec<(String, String)>,
    pub title: &'static str,
    pub heading: Markup,
    pub typed: Typed,
    /// The trust that is changed.
    pub trust: Option<TrustDocument>,
    /// A sentence that its platform is known.
    pub template: Option<Markup>,
    pub lints: Vec<&'static str>,
    pub uses: [(&'static str, &'static str); 2],
    pub action: String,
    pub ticket: String,
    pub state: Option<String>,
    pub managed_by: Option<String>,
    pub back: String,
}

impl View {
    /// The fields of a trust that is new.
    pub fn of_new(visit: &Visit, typed: Typed) -> Self {
        let words = Words(visit.language());
        let list = visit.at("/trusts", &[]);
        Self {
            summary: Summary::of(&typed),
            words,
            trail: vec![(list.clone(), words.heading().to_owned())],
            title: words.by_hand(),
            heading: markup(words.by_hand()),
            lints: fields::lints(&typed),
            typed,
            trust: None,
            template: None,
            uses: [Usage::Grant, Usage::ClientAuthentication]
                .map(|usage| (fields::word_of(usage), words.usage(usage))),
            action: visit.here(),
            ticket: visit.ticket(),
            state: None,
            managed_by: None,
            back: list,
            shell: visit.shell(),
        }
    }
}

impl Form for NewPage {
    type Path = ();

    const ROUTE: Route = Route::form("/trusts/new", Section::Trusts);
    const FROM_QUERY: &'static [&'static str] = &["issuer"];

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let filled = typed.or_else(|typed| typed.filling("uses", fields::word_of(Usage::Grant)));
        let issuer = issuer_of(visit, typed.text("issuer")).await?;
        let template = issuer.and_then(|issuer| {
            let template = Templates::of(issuer.iss.as_str(), issuer.template.as_ref())?;
            let place = by_template::place(visit, template, &issuer);
            Some(words.has_template(Link::to(&place, &template.title)))
        });
        let view = View {
            template,
            ..View::of_new(visit, filled)
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let mut faults = Vec::new();
        if issuer_of(visit, typed.text("issuer")).await?.is_none() {
            let detail = "there is no issuer of this name or iss; register it first";
            faults.push(Fault::new("issuer", detail));
        }
        faults.extend(fault_of_client(visit, typed).await?);
        none_of(faults)?;
        let is_said = |name: &str| typed.has_any(name);
        let members = fields::members(typed.members().text("name").text("issuer"), is_said);
        let members = match typed.has("mode", "shadow") {
            true => members.with("mode", "shadow"),
            false => members,
        };
        let made = visit
            .ask(Input::<CreateTrust>::with((), members.body()?))
            .await?;
        let name = made.trust.name.as_str();
        let notice = Notice::of(match &made.client {
            Some(client) => {
                words.is_made_with_client(Named(name), Coded(client.client_id.as_str()))
            }
            None => words.is_made(Named(name)),
        });
        let page = visit.at(TRUST, &[name]);
        let job = format!("{page}#job");
        Ok(Done::Go(page, notice.then(job, words.next_job())))
    }
}

/// The issuer of this name or `iss`, if there is one.
pub async fn issuer_of(visit: &Visit, issuer: &str) -> Result<Option<IssuerDocument>, Error> {
    let found = visit.find(Input::<ShowIssuer>::at(issuer.to_owned()));
    Ok(found.await?.map(|shown| shown.issuer))
}

/// The fault that there is no such client.
pub async fn fault_of_client(visit: &Visit, typed: &Typed) -> Result<Option<Fault>, Error> {
    let wrong = |detail: String| Ok(Some(Fault::new("client", detail)));
    let id = match typed.text("client") {
        "" => return Ok(None),
        text => match ClientId::parse(text) {
            Ok(id) => id,
            Err(error) => return wrong(error.to_string()),
        },
    };
    match visit.find(Input::<ShowClient>::at(id.clone())).await? {
        Some(_) => Ok(None),
        None => wrong(format!(
            "there is no client {id}; register it first, or leave this out"
        )),
    }
}

/// Succeeds without a fault.
///
/// # Errors
/// All of them.
pub fn none_of(faults: Vec<Fault>) -> Result<(), Error> {
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Problem::at_fault(Slug::Invalid, faults).into()),
    }
}
