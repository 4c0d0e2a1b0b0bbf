//! Registering an issuer by hand.

use askama::Template;
use grantor::{
    admin::{IssuerDocument, KeysDocument},
    registry::{AudienceMatch, ReplayPolicy, Role},
    server::Body,
    types::IssuerId,
};
use http::Response;

use super::{ISSUER, fields, words::Words};
use crate::{
    admin::{
        Input,
        issuers::{CheckQuery, CreateIssuer},
    },
    console::{Done, Error, Form, Notice, Route, Section, Shell, Summary, Typed, Visit, address},
    pages::{Markup, Named, markup},
};

/// Registering an issuer by hand.
pub struct ByHandPage;

/// The fields of an issuer on a page.
#[derive(Template)]
#[template(path = "console/issuers/edit.html")]
pub struct View {
    pub shell: Shell,
    pub words: Words,
    pub summary: Option<Summary>,
    pub trail: Vec<(String, String)>,
    pub title: &'static str,
    pub heading: Markup,
    pub typed: Typed,
    /// The issuer that is changed.
    pub issuer: Option<IssuerDocument>,
    pub algorithms: Vec<&'static str>,
    pub policies: Vec<(String, ReplayPolicy)>,
    pub matches: Vec<(String, AudienceMatch)>,
    /// Whether the operator opens networks.
    pub may_open: bool,
    pub action: String,
    pub ticket: String,
    pub state: Option<String>,
    pub managed_by: Option<String>,
    pub back: String,
}

impl View {
    /// The fields of an issuer that is new.
    pub fn of_new(visit: &Visit, typed: Typed) -> Self {
        let words = Words(visit.language());
        let list = visit.at("/issuers", &[]);
        Self {
            summary: Summary::of(&typed),
            words,
            trail: vec![
                (list.clone(), words.heading().to_owned()),
                (visit.at("/issuers/new", &[]), words.new_one().to_owned()),
            ],
            title: words.by_hand(),
            heading: markup(words.by_hand()),
            typed,
            issuer: None,
            algorithms: fields::algorithms(),
            policies: fields::policies(),
            matches: fields::matches(),
            may_open: visit.may(Role::Owner),
            action: visit.here(),
            ticket: visit.ticket(),
            state: None,
            managed_by: None,
            back: list,
            shell: visit.shell(),
        }
    }
}

impl Form for ByHandPage {
    type Path = ();

    const ROUTE: Route = Route::form("/issuers/new/by-hand", Section::Issuers);

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let iss = IssuerId::parse("x").expect("a text");
        let usual = IssuerDocument::new(iss, None, KeysDocument::default());
        let typed = typed.or_else(|typed| {
            let typed = typed.filling("name", "").filling(fields::FROM, "discovery");
            fields::filled(typed, &usual)
        });
        Ok(visit.form(&typed.clone(), &View::of_new(visit, typed)))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let is_said = |name: &str| !typed.text(name).is_empty();
        let members = fields::members(typed.members().text("iss"), is_said);
        let body = fields::keys(members, typed).body()?;
        let query = CheckQuery {
            check: Some(!typed.has("skip_check", "true")),
        };
        let asked = Input::<CreateIssuer>::with((), body).asking(query);
        let made = visit.ask(asked).await?;
        let name = made.name.as_str();
        let notice = Notice::of(words.is_registered(Named(name)));
        let trust = visit.at("/trusts/new", &[]);
        let trust = address(&trust, &[("issuer", name)], &[]);
        let page = visit.at(ISSUER, &[name]);
        Ok(Done::Go(page, notice.then(trust, words.make_a_trust())))
    }
}
