//! The overview.

use askama::Template;
use grantor::{
    admin::ClientFilter,
    server::Body,
    storage::{CountBy, CountStep},
};
use http::Response;
use serde::Deserialize;

use super::{
    attention::{self, Item, count},
    words::Words,
};
use crate::{
    admin::{Input, Portion, clients::ListClients},
    console::{
        Error, Page, Route, Section, Shell, Visit,
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
    more: Option<String>,
    as_of: Markup,
    spans: Vec<(String, &'static str, bool)>,
    requests: Picture,
    by_rule: Picture,
    ends: Vec<EndRow>,
}

struct EndRow {
    path: String,
    name: String,
    at: String,
    distance: String,
}

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
        let (ends, mut items, has_more) = attention::ends(visit).await?;
        items.extend(attention::items(visit, &ends).await?);
        let (step, back) = match span {
            Span::Hour => (CountStep::Minute, 3600),
            Span::Day => (CountStep::Hour, 24 * 3600),
            Span::Month => (CountStep::Day, 30 * 86_400),
        };
        let from = now.minus(std::time::Duration::from_secs(back));
        let outcomes = Counts::of(&count(visit, from, step, CountBy::Outcome).await?);
        let rules = Counts::of(&count(visit, from, step, CountBy::Rule).await?);
        let charts = statistics::Charts(statistics::Words(language));
        let has_clients = has_clients(visit).await?;
        let until = now.plus(std::time::Duration::from_secs(30 * 86_400));
        let more = format!(
            "{}?ends_before={}",
            visit.at("/clients", &[]),
            time::day(until) + "T00:00:00Z"
        );
        let here = visit.here();
        let spans = [
            (here.clone(), words.hour(), Span::Hour),
            (format!("{here}?time=day"), words.day(), Span::Day),
            (format!("{here}?time=month"), words.month(), Span::Month),
        ];
        let view = View {
            words,
            first: visit.may_edit().then(|| visit.at("/clients/new", &[])),
            has_clients,
            items,
            more: has_more.then_some(more),
            as_of: words.as_of(time::clock(now).as_str()),
            spans: spans
                .map(|(path, text, of)| (path, text, of == span))
                .into(),
            requests: charts.outcomes(&outcomes, "requests", words.tokens()),
            by_rule: charts.kinds(&rules, CountBy::Rule, "by-rule", words.by_rule()),
            ends: ends
                .iter()
                .map(|end| EndRow {
                    path: end.path.clone(),
                    name: end.name.clone(),
                    at: time::day(end.at),
                    distance: time::distance(end.at, now, language),
                })
                .collect(),
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
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
