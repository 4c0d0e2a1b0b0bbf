//! The overview.

use askama::Template;
use grantor::{
    admin::{ClientFilter, StatisticsDocument, StatisticsQuery},
    server::Body,
    storage::{CountBy, CountStep},
    types::ClientId,
};
use http::Response;
use serde::Deserialize;

use super::{
    item::{Item, legacy},
    words::Words,
};
use crate::{
    admin::{
        Input, Portion,
        attention::{End, ShowAttention},
        clients::ListClients,
        statistics::CountDecisions,
    },
    console::{
        Error, Page, Route, Section, Shell, Visit, address,
        picture::{Counts, Picture},
        statistics,
    },
    pages::{Markup, time},
};

/// The first page of the console.
pub struct OverviewPage;

/// Over which time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Span {
    /// 60 minutes.
    #[default]
    Hour,
    /// 24 hours.
    Day,
    /// 30 days.
    Month,
}

impl Span {
    fn step(self) -> CountStep {
        match self {
            Self::Hour => CountStep::Minute,
            Self::Day => CountStep::Hour,
            Self::Month => CountStep::Day,
        }
    }
}

/// What the query says.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    time: Span,
}

#[derive(Template)]
#[template(path = "console/overview/show.html")]
struct View {
    shell: Shell,
    words: Words,
    /// Where the first client is made, if there is none.
    first: Option<String>,
    has_clients: bool,
    items: Vec<Item>,
    as_of: Markup,
    spans: Vec<(String, &'static str, bool)>,
    requests: Picture,
    by_rule: Picture,
    statistics: String,
    ends: Vec<EndRow>,
    all_ends: String,
    legacy: Vec<(String, ClientId)>,
    all_legacy: Option<String>,
}

struct EndRow {
    path: String,
    name: String,
    key: Option<String>,
    at: String,
    distance: String,
}

/// Legacy clients that are named.
const LEGACY: usize = 10;

impl Page for OverviewPage {
    type Path = ();
    type Query = Query;

    const ROUTE: Route = Route::page("", Section::Overview);

    async fn show(
        visit: &Visit,
        (): (),
        Query { time: span }: Query,
    ) -> Result<Response<Body>, Error> {
        let (words, language, now) = (Words(visit.language()), visit.language(), visit.now());
        let found = visit.ask(Input::<ShowAttention>::at(())).await?;
        let outcomes = Counts::of(&counted(visit, span, CountBy::Outcome).await?);
        let rules = Counts::of(&counted(visit, span, CountBy::Rule).await?);
        let charts = statistics::Charts(statistics::Words(language));
        let client = |id: &ClientId| visit.at("/clients/{client}", &[id.as_str()]);
        let more_legacy = found.more_legacy || found.legacy.len() > LEGACY;
        let legacy_clients = found.legacy.iter().take(LEGACY);
        let items = found.items.iter();
        let view = View {
            words,
            first: visit.may_edit().then(|| visit.at("/clients/new", &[])),
            has_clients: has_clients(visit).await?,
            items: items.map(|item| Item::of(visit, item)).collect(),
            as_of: words.as_of(&time::clock(now)),
            spans: spans(visit, span),
            requests: charts.outcomes(&outcomes, "requests", words.requests()),
            by_rule: charts.kinds(&rules, CountBy::Rule, "by-rule", words.by_rule()),
            statistics: visit.at("/statistics", &[]),
            ends: found
                .ends
                .iter()
                .map(|end| row(visit, end, client(&end.client.client_id)))
                .collect(),
            all_ends: address(&visit.at("/clients", &[]), &[("ends_within", "30")], &[]),
            legacy: legacy_clients.map(|id| (client(id), id.clone())).collect(),
            all_legacy: more_legacy.then(|| legacy(visit)),
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

fn row(visit: &Visit, end: &End, path: String) -> EndRow {
    EndRow {
        path,
        name: end.client.shown().to_owned(),
        key: end.key.clone(),
        at: time::day(end.at),
        distance: time::distance(end.at, visit.now(), visit.language()),
    }
}

/// The last hour, day or month.
async fn counted(visit: &Visit, span: Span, by: CountBy) -> Result<StatisticsDocument, Error> {
    let query = StatisticsQuery {
        step: span.step(),
        by,
        ..StatisticsQuery::default()
    };
    let input = Input::<CountDecisions>::at(()).asking(query);
    visit.ask(input).await
}

fn spans(visit: &Visit, here: Span) -> Vec<(String, &'static str, bool)> {
    let words = Words(visit.language());
    let of = |(word, text, span): (&str, &'static str, Span)| {
        let query = [("time", word)];
        let query = &query[..usize::from(span != Span::default())];
        (address(&visit.here(), &query, &[]), text, span == here)
    };
    [
        ("hour", words.hour(), Span::Hour),
        ("day", words.day(), Span::Day),
        ("month", words.month(), Span::Month),
    ]
    .map(of)
    .into()
}

async fn has_clients(visit: &Visit) -> Result<bool, Error> {
    let input = Input::<ListClients> {
        path: (),
        query: ClientFilter::default(),
        portion: Portion {
            limit: 1,
            ..Portion::default()
        },
        body: (),
    };
    Ok(!visit.ask(input).await?.items.is_empty())
}
