//! A trust: what it takes, what it gives, and how a job uses it.

use askama::Template;
use grantor::{
    admin::{ClientAuth, TrustDocument},
    registry::{PinValue, SubjectMapping},
    server::Body,
    types::Name,
};
use http::Response;

use super::{TRUST, job::Job, mode::MODES, words::Words};
use crate::{
    admin::{
        Input, NoQuery,
        issuers::{ShowIssuer, ShownIssuer},
        trusts::ShowTrust,
    },
    console::{Error, Page, Route, Section, Shell, Visit, address},
    pages::{Coded, Link, Markup, Named, markup},
};

/// A trust.
pub struct TrustPage;

#[derive(Template)]
#[template(path = "console/trusts/show.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    actions: Option<Actions>,
    test: String,
    report: String,
    takes: Markup,
    lines: Vec<Markup>,
    client: Option<(String, String)>,
    subject: Markup,
    scope: Vec<String>,
    lifetime: Markup,
    copies: Vec<Markup>,
    client_auth: &'static str,
    job: Option<Job>,
    decisions: String,
    changes: String,
    made: Option<String>,
    trust: TrustDocument,
}

/// What an editor does.
struct Actions {
    edit: String,
    delete: String,
    /// The other modes: path and text.
    modes: Vec<(String, &'static str)>,
}

impl Page for TrustPage {
    type Path = Name;
    type Query = NoQuery;

    const ROUTE: Route = Route::page(TRUST, Section::Trusts);

    async fn show(visit: &Visit, name: Name, _: NoQuery) -> Result<Response<Body>, Error> {
        let trust = visit.ask(Input::<ShowTrust>::at(name)).await?;
        let iss = trust.issuer.to_string();
        let ShownIssuer { issuer, .. } = visit.ask(Input::<ShowIssuer>::at(iss)).await?;
        let words = Words(visit.language());
        let name = trust.name.as_str();
        let client = trust.client.as_ref().map(ToString::to_string);
        let of_trust =
            |template: &str, pairs: &[(&str, &str)]| address(&visit.at(template, &[]), &pairs, &[]);
        let place = visit.at("/issuers/{issuer}", &[issuer.name.as_str()]);
        let takes = words.takes_of(Link::to(&place, issuer.name.as_str()));
        let scope = trust.scope.tokens().map(str::to_owned);
        let view = View {
            trail: vec![(visit.at("/trusts", &[]), words.heading().to_owned())],
            actions: visit.may_edit().then(|| actions(visit, words, &trust)),
            test: visit.at("/trusts/{trust}/test", &[name]),
            report: visit.at("/trusts/{trust}/report", &[name]),
            takes,
            lines: lines(words, &trust),
            client: client.map(|id| (visit.at("/clients/{client}", &[&id]), id)),
            subject: subject(words, &trust.subject),
            scope: scope.collect(),
            lifetime: lifetime(words, &trust),
            copies: copies(words, &trust),
            client_auth: match trust.client_auth {
                ClientAuth::Required => words.required(),
                ClientAuth::Optional => words.optional(),
            },
            job: Job::of(visit, &issuer, &trust),
            decisions: of_trust("/decisions", &[("trust", name)]),
            changes: of_trust("/changes", &[("resource", "trust"), ("name", name)]),
            made: trust.created_at.map(|at| visit.moment(at)),
            words,
            shell: visit.shell(),
            trust: trust.clone(),
        };
        Ok(visit.page(&view))
    }
}

fn actions(visit: &Visit, words: Words, trust: &TrustDocument) -> Actions {
    let name = trust.name.as_str();
    let others = MODES.into_iter().filter(|(_, mode)| *mode != trust.mode);
    let place = visit.at("/trusts/{trust}/mode", &[name]);
    let link = |(word, mode)| (address(&place, &[("mode", word)], &[]), words.turn(mode));
    Actions {
        edit: visit.at("/trusts/{trust}/edit", &[name]),
        delete: visit.at("/trusts/{trust}/delete", &[name]),
        modes: others.map(link).collect(),
    }
}

/// What has to hold, line by line.
fn lines(words: Words, trust: &TrustDocument) -> Vec<Markup> {
    let pins = trust.pins.iter().map(|pin| {
        let claim = pin.claim.to_string();
        let claim = Coded(&claim);
        match &pin.value {
            PinValue::Text(text) => words.is_pinned(claim, Coded(text)),
            PinValue::Integer(number) => words.is_number(claim, Coded(&number.to_string())),
            PinValue::Boolean(value) => words.is_boolean(claim, Coded(&value.to_string())),
            PinValue::Contains(text) => words.contains(claim, Coded(text)),
            other => words.is_pinned(claim, Coded(&other.to_string())),
        }
    });
    let matches = trust.matches.iter().map(|one| {
        let claim = one.claim.to_string();
        words.matches(Coded(&claim), Coded(one.glob.as_str()))
    });
    let condition = trust.condition.iter();
    let condition = condition.map(|condition| words.condition_holds(Coded(condition.as_str())));
    pins.chain(matches).chain(condition).collect()
}

fn subject(words: Words, mapping: &SubjectMapping) -> Markup {
    let written = mapping.to_string();
    let (_, text) = written.split_once(':').unwrap_or(("", &written));
    match mapping {
        SubjectMapping::Fixed(subject) => words.subject_fixed(Named(subject.as_str())),
        SubjectMapping::Claim(_) => words.subject_claim(Coded(text)),
        SubjectMapping::Existing(_) => words.subject_existing(Coded(text)),
        _ => words.subject_template(Coded(text)),
    }
}

fn lifetime(words: Words, trust: &TrustDocument) -> Markup {
    match trust.lifetime {
        Some(lifetime) => words.at_most_seconds(lifetime.as_secs()),
        None => markup(words.server_lifetime()),
    }
}

fn copies(words: Words, trust: &TrustDocument) -> Vec<Markup> {
    let copies = trust.claims.iter();
    let copied = copies.map(|copy| {
        let from = copy.from.to_string();
        words.copied(Coded(&from), Coded(&copy.to))
    });
    copied.collect()
}
