//! What a trust took, and would have taken as a shadow.

use askama::Template;
use grantor::{
    admin::{TrustReason, TrustReport},
    server::Body,
    types::Name,
};
use http::Response;

use super::{TRUST, words::Words};
use crate::{
    admin::{
        Input,
        trusts::{ReportQuery, ReportTrust},
    },
    console::{Error, Page, Route, Section, Shell, Visit},
    pages::{Markup, Named, count},
};

/// What a trust took, and would have taken.
pub struct ReportPage;

#[derive(Template)]
#[template(path = "console/trusts/report.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    heading: Markup,
    about: Markup,
    /// Of how many the reasons are, where they are not of all.
    newest: Option<Markup>,
    reasons: Vec<(TrustReason, String)>,
    report: TrustReport,
}

impl Page for ReportPage {
    type Path = Name;
    type Query = ReportQuery;

    const ROUTE: Route = Route::page("/trusts/{trust}/report", Section::Trusts).long();

    async fn show(visit: &Visit, name: Name, query: ReportQuery) -> Result<Response<Body>, Error> {
        let asked = Input::<ReportTrust>::at(name.clone()).asking(query);
        let report = visit.ask(asked).await?;
        let words = Words(visit.language());
        let name = name.as_str();
        let shown = |number| count(number, visit.language());
        let most = shown(report.looked_through.into());
        let reason = |reason: TrustReason| {
            let last = reason
                .last_seen
                .map_or("–".to_owned(), |at| visit.moment(at));
            (reason, last)
        };
        let view = View {
            trail: vec![
                (visit.at("/trusts", &[]), words.heading().to_owned()),
                (visit.at(TRUST, &[name]), name.to_owned()),
            ],
            heading: words.report_of(Named(name)),
            about: match report.since {
                Some(since) => words.report_since(&most, &visit.moment(since)),
                None => words.report_about(&most),
            },
            newest: (report.explained < report.not_taken())
                .then(|| words.reasons_of(&shown(report.explained))),
            reasons: report.reasons.iter().cloned().map(reason).collect(),
            words,
            shell: visit.shell(),
            report,
        };
        Ok(visit.page(&view))
    }
}
