//! One form for an issuer and a trust of a platform: a template asks for ids, and makes both of them.

use grantor::{
    admin::{IssuerDocument, Template, TemplateOption, Templates},
    server::Body,
};
use http::Response;
use serde_json::{Map, Value};

use super::{
    TRUST,
    by_hand::{fault_of_client, issuer_of, none_of},
    fields,
    words::Words,
};
use crate::{
    admin::{Input, issuers::CheckQuery, trusts::CreateTrust},
    console::{Done, Error, Form, Notice, Route, Section, Shell, Summary, Typed, Visit, address},
    pages::{Coded, Named},
};

/// Registering an issuer and a trust of a platform; first of all, which platform.
pub struct ByTemplatePage;

#[derive(askama::Template)]
#[template(path = "console/trusts/platforms.html")]
struct Choice {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    platforms: Vec<(String, &'static str)>,
    by_hand: String,
}

#[derive(askama::Template)]
#[template(path = "console/trusts/by_template.html")]
struct View {
    shell: Shell,
    words: Words,
    summary: Option<Summary>,
    trail: Vec<(String, String)>,
    template: &'static Template,
    typed: Typed,
    lints: Vec<&'static str>,
    action: String,
    ticket: String,
    back: String,
}

impl View {
    /// The field of an option.
    fn field(&self, option: &TemplateOption) -> String {
        field_of(option)
    }

    /// Whether it is needed in any case.
    fn is_needed(&self, option: &TemplateOption) -> bool {
        option.required && option.unless.is_empty()
    }
}

/// The members of the API are `options/NAME`.
fn field_of(option: &TemplateOption) -> String {
    format!("options/{}", option.name)
}

/// The form of a template, for this issuer.
pub fn place(visit: &Visit, template: &Template, issuer: &IssuerDocument) -> String {
    let fields = [
        (TEMPLATE, template.name.as_str()),
        (ISSUER, issuer.name.as_str()),
    ];
    address(&visit.at("/issuers/new", &[]), &fields, &[])
}

/// With the options that make this issuer.
fn filled(typed: Typed, template: &Template, issuer: &IssuerDocument) -> Typed {
    let options = template.options_of(issuer.iss.as_str()).unwrap_or_default();
    let named = options.into_iter();
    named.fold(typed, |typed, (name, value)| {
        let value = if value.is_empty() { "true" } else { &value };
        typed.filling(&format!("options/{name}"), value)
    })
}

/// The field that says which template.
const TEMPLATE: &str = "template";
/// Of which issuer its options are, where one is known.
const ISSUER: &str = "issuer";

impl Form for ByTemplatePage {
    type Path = ();

    const ROUTE: Route = Route::form("/issuers/new", Section::Issuers);
    const FROM_QUERY: &'static [&'static str] = &[TEMPLATE, ISSUER];

    async fn show(visit: &Visit, (): &(), typed: &Typed) -> Result<Response<Body>, Error> {
        let words = Words(visit.language());
        let here = visit.here();
        let list = visit.at("/issuers", &[]);
        let mut trail = vec![(list, visit.words().section(Section::Issuers).to_owned())];
        let template = match typed.text(TEMPLATE) {
            "" => {
                let platform = |template: &'static Template| {
                    let place = address(&here, &[(TEMPLATE, &template.name)], &[]);
                    (place, template.title.as_str())
                };
                let view = Choice {
                    words,
                    trail,
                    platforms: Templates::all().iter().map(platform).collect(),
                    by_hand: visit.at("/issuers/new/by-hand", &[]),
                    shell: visit.shell(),
                };
                return Ok(visit.form(typed, &view));
            }
            name => Templates::get(name)?,
        };
        trail.push((here.clone(), words.choose_platform().to_owned()));
        let issuer = issuer_of(visit, typed.text(ISSUER)).await?;
        let typed = &typed.or_else(|typed| match &issuer {
            Some(issuer) => filled(typed, template, issuer),
            None => typed,
        });
        let view = View {
            summary: Summary::of(typed),
            words,
            trail,
            template,
            lints: fields::lints(typed),
            typed: typed.clone(),
            action: here.clone(),
            ticket: visit.ticket(),
            back: here,
            shell: visit.shell(),
        };
        Ok(visit.form(typed, &view))
    }

    async fn submit(visit: &Visit, (): &(), typed: &Typed) -> Result<Done, Error> {
        let words = Words(visit.language());
        let template = Templates::get(typed.text(TEMPLATE));
        let template = template.map_err(|_| Error::NothingHere)?;
        none_of(Vec::from_iter(fault_of_client(visit, typed).await?))?;
        let is_said = |name: &str| name != "uses" && typed.has_any(name);
        let members = typed
            .members()
            .text("name")
            .with(TEMPLATE, template.name.as_str())
            .with("options", options(template, typed));
        let members = fields::members(members, is_said);
        let members = match typed.has("mode", "shadow") {
            true => members.with("mode", "shadow"),
            false => members,
        };
        let query = CheckQuery {
            check: Some(!typed.has("skip_check", "true")),
        };
        let asked = Input::<CreateTrust>::with((), members.body()?).asking(query);
        let made = visit.ask(asked).await?;
        let name = Named(made.trust.name.as_str());
        let issuer = made
            .issuer
            .as_ref()
            .map(|issuer| Named(issuer.name.as_str()));
        let client = made.client.as_ref();
        let client = client.map(|client| Coded(client.client_id.as_str()));
        let notice = Notice::of(match (issuer, client) {
            (Some(issuer), Some(client)) => words.is_made_with_both(name, issuer, client),
            (Some(issuer), None) => words.is_made_with_issuer(name, issuer),
            (None, Some(client)) => words.is_made_with_client(name, client),
            (None, None) => words.is_made(name),
        });
        let page = visit.at(TRUST, &[made.trust.name.as_str()]);
        let job = format!("{page}#job");
        Ok(Done::Go(page, notice.then(job, words.next_job())))
    }
}

/// The options that were named, by their names; flags are true.
fn options(template: &Template, typed: &Typed) -> Map<String, Value> {
    let named = template.options.iter().filter_map(|option| {
        let field = field_of(option);
        let value = match (option.is_flag, typed.text(&field)) {
            (_, "") => return None,
            (true, _) => Value::Bool(true),
            (false, text) => text.into(),
        };
        Some((option.name.clone(), value))
    });
    named.collect()
}
