//! The page of statistics.

use askama::Template;
use grantor::{
    admin::{StatisticsDocument, StatisticsQuery},
    clock::{UnixTime, time_text},
    server::Body,
    storage::{CountBy, CountStep},
};
use http::{Response, StatusCode};

use super::{Charts, Words};
use crate::{
    admin::{Input, Slug, statistics::CountDecisions},
    console::{
        Error, Page, Pager, Route, Section, Shell, Table, Visit, address,
        picture::{Counts, Picture},
    },
    pages::Markup,
};

/// How many requests were decided, and how.
pub struct StatisticsPage;

#[derive(Template)]
#[template(path = "console/statistics/show.html")]
struct View {
    shell: Shell,
    words: Words,
    query: StatisticsQuery,
    from: String,
    to: String,
    fault: Option<String>,
    times: Vec<(String, &'static str)>,
    counted: Option<Counted>,
    pager: Pager,
}

struct Counted {
    over_time: Picture,
    by_kind: Option<Picture>,
    each: Markup,
}

const TABLE: Table = Table {
    name: "statistics",
    columns: &["start", "key", "count"],
};

impl Page for StatisticsPage {
    type Path = ();
    type Query = StatisticsQuery;

    const ROUTE: Route = Route::page("/statistics", Section::Statistics);

    async fn show(visit: &Visit, (): (), query: StatisticsQuery) -> Result<Response<Body>, Error> {
        let file = visit.download::<CountDecisions>((), &query, &TABLE);
        if let Some(file) = file.await? {
            return Ok(file);
        }
        let words = Words(visit.language());
        let asked = visit.ask(Input::<CountDecisions>::at(()).asking(query.clone()));
        let (counted, fault) = match asked.await {
            Ok(document) => (Some(counted(&document, words)), None),
            Err(error) => match error.problem() {
                Some(problem) if problem.slug == Slug::Invalid => {
                    (None, Some(problem.detail.clone()))
                }
                _ => return Err(error),
            },
        };
        let text = |at: Option<UnixTime>| at.map(time_text).unwrap_or_default();
        let view = View {
            words,
            from: text(query.from),
            to: text(query.to),
            times: times(visit, &query),
            pager: Pager::of(visit, &query, None),
            counted,
            fault,
            query,
            shell: visit.shell(),
        };
        let mut page = visit.page(&view);
        if view.fault.is_some() {
            *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        Ok(page)
    }
}

fn counted(document: &StatisticsDocument, words: Words) -> Counted {
    let (counts, charts) = (Counts::of(document), Charts(words));
    let title = words.over_time();
    Counted {
        each: words.columns_of(&words.length(counts.each)),
        over_time: match document.by {
            CountBy::Outcome => charts.outcomes(&counts, "over-time", title),
            by => charts.all(&counts, by, "over-time", title),
        },
        by_kind: match document.by {
            CountBy::Outcome => None,
            by => Some(charts.kinds(&counts, by, "by-kind", words.by_kind())),
        },
    }
}

/// The last hour, day and month, counted so.
fn times(visit: &Visit, query: &StatisticsQuery) -> Vec<(String, &'static str)> {
    let words = Words(visit.language());
    let of = |(step, text)| {
        let query = StatisticsQuery {
            step,
            by: query.by,
            ..StatisticsQuery::default()
        };
        (address(&visit.here(), &query, &[]), text)
    };
    [
        (CountStep::Minute, words.hour()),
        (CountStep::Hour, words.day()),
        (CountStep::Day, words.month()),
    ]
    .map(of)
    .into()
}
