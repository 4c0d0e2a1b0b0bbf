//! The record of decisions: refusals by rule and party first, then one by one (M121).

use std::time::Duration;

use askama::Template;
use grantor::{
    admin::GroupDocument,
    clock::{UnixTime, time_text},
    server::{Body, Decision, Outcome},
    storage::DecisionFilter,
    types::Scope,
};
use http::Response;

use super::{
    outcome::{tag, wrong},
    words::Words,
};
use crate::{
    admin::{
        Input,
        decisions::{GroupDecisions, Kept, ListDecisions},
    },
    console::{Error, Page, Pager, Route, Section, Shell, Table, Visit, address},
    pages::{Markup, Tag, count, time},
};

/// The record of decisions.
pub struct ListPage;

#[derive(Template)]
#[template(path = "console/decisions/list.html")]
struct View {
    shell: Shell,
    words: Words,
    /// The address without filter.
    here: String,
    filter: DecisionFilter,
    since: String,
    until: String,
    kept: Markup,
    as_of: Markup,
    times: Vec<Time>,
    /// Where this is the newest page, which follows.
    groups: Option<Groups>,
    rows: Vec<Row>,
    pager: Pager,
}

/// A link to a time.
struct Time {
    path: String,
    text: &'static str,
    is_here: bool,
}

struct Groups {
    sentence: String,
    rows: Vec<Group>,
}

struct Group {
    path: String,
    rule: String,
    wrong: Markup,
    party: Option<String>,
    count: String,
    first: String,
    last: String,
    newest: String,
}

struct Row {
    path: String,
    at: String,
    tag: Tag,
    endpoint: String,
    party: Option<String>,
    rule: Option<String>,
    /// What the library says of it, in English; or the scope.
    why: String,
}

const TABLE: Table = Table {
    name: "decisions",
    columns: &[
        "at",
        "id",
        "endpoint",
        "outcome/outcome",
        "outcome/error",
        "outcome/rule",
        "outcome/cause",
        "grant_type",
        "client",
        "auth_method",
        "claimed_client",
        "claimed_issuer",
        "issuer",
        "subject",
        "scope",
        "audience",
        "key_id",
        "sender",
    ],
};

impl Page for ListPage {
    type Path = ();
    type Query = DecisionFilter;

    const ROUTE: Route = Route::page("/decisions", Section::Decisions);

    async fn show(visit: &Visit, (): (), filter: DecisionFilter) -> Result<Response<Body>, Error> {
        // What is decided meanwhile is not in it, or there would be no end.
        let mut until_now = filter.clone();
        until_now.until.get_or_insert(visit.now());
        let file = visit.download::<ListDecisions>((), &until_now, &TABLE);
        if let Some(file) = file.await? {
            return Ok(file);
        }
        let words = Words(visit.language());
        let portion = visit.list.portion();
        let is_newest = portion.before.is_none() && portion.after.is_none();
        let groups = match is_newest {
            true => Some(groups(visit, &filter).await?),
            false => None,
        };
        let input = Input::<ListDecisions> {
            path: (),
            query: filter.clone(),
            portion,
            body: (),
        };
        let found = visit.ask(input).await?;
        let record = visit.admin.config.decisions;
        let text = |at: Option<UnixTime>| at.map(time_text).unwrap_or_default();
        let view = View {
            words,
            here: visit.here(),
            since: text(filter.since),
            until: text(filter.until),
            kept: words.kept(
                &count(record.rows, visit.language()),
                record.age.as_secs() / 86_400,
            ),
            as_of: words.as_of(&time::second(visit.now())),
            times: times(visit, &filter),
            groups,
            pager: Pager::of_records(visit, &filter, &found),
            rows: found
                .items
                .iter()
                .rev()
                .map(|Kept(decision)| row(visit, decision))
                .collect(),
            shell: visit.shell(),
            filter,
        };
        Ok(visit.page(&view))
    }
}

async fn groups(visit: &Visit, filter: &DecisionFilter) -> Result<Groups, Error> {
    let words = Words(visit.language());
    let found = visit.ask(Input::<GroupDecisions>::at(()).asking(filter.clone()));
    let found = found.await?;
    Ok(Groups {
        sentence: words.how_many(&found),
        rows: found
            .groups
            .into_iter()
            .map(|group| row_of(visit, filter, group))
            .collect(),
    })
}

fn row_of(visit: &Visit, filter: &DecisionFilter, group: GroupDocument) -> Group {
    let mut of_group = filter.clone();
    of_group.refused = true;
    of_group.rule = Some(group.rule.to_string());
    of_group.party.clone_from(&group.party);
    Group {
        path: address(&visit.here(), &of_group, &[]),
        wrong: wrong(&group.rule, Words(visit.language())),
        rule: group.rule.to_string(),
        party: group.party,
        count: count(group.count, visit.language()),
        first: time::second(group.first),
        last: time::second(group.last),
        newest: visit.at("/decisions/{decision}", &[&group.newest]),
    }
}

fn row(visit: &Visit, decision: &Decision) -> Row {
    let (rule, why) = match &decision.outcome {
        Outcome::Refused { rule, cause, .. } => (Some(rule.to_string()), cause.clone()),
        Outcome::Granted | Outcome::Undecided => {
            let scope = decision.scope.as_ref().map(Scope::to_string);
            (None, scope.unwrap_or_default())
        }
    };
    Row {
        path: visit.at("/decisions/{decision}", &[decision.id.as_str()]),
        at: time::second(decision.at),
        tag: tag(&decision.outcome, Words(visit.language())),
        endpoint: decision.endpoint.to_string(),
        party: decision.party().map(str::to_owned),
        rule,
        why,
    }
}

/// The last hour, and longer.
fn times(visit: &Visit, filter: &DecisionFilter) -> Vec<Time> {
    const HOUR: Duration = Duration::from_secs(3600);
    let (words, now) = (Words(visit.language()), visit.now());
    let of = |(text, length): (&'static str, Option<Duration>)| {
        let since = length.map(|length| now.minus(length));
        let mut of_time = filter.clone();
        (of_time.since, of_time.until) = (since, None);
        // A page that was opened a while ago is still of the same length.
        let is_here = match (filter.since, since, length) {
            (None, None, _) => true,
            (Some(asked), Some(since), Some(length)) => {
                asked.millis().abs_diff(since.millis()) < length.as_millis() as u64 / 4
            }
            _ => false,
        };
        Time {
            path: address(&visit.here(), &of_time, &[]),
            text,
            is_here: is_here && filter.until.is_none(),
        }
    };
    [
        (words.last_hour(), Some(HOUR)),
        (words.last_day(), Some(24 * HOUR)),
        (words.last_week(), Some(7 * 24 * HOUR)),
        (words.all_kept(), None),
    ]
    .map(of)
    .into()
}
