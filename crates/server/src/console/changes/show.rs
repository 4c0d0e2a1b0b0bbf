//! One change: who, by which way and why, and each member before and after.

use askama::Template;
use grantor::{
    admin::{ChangeDocument, Difference},
    jose::json::Value,
    server::Body,
};
use http::Response;

use super::{CHANGE, CHANGES, all, is_decided, name_of, of, place, words::Words};
use crate::{
    admin::{Input, NoQuery, changes::ShowChange},
    console::{Error, Page, Route, Section, Shell, Visit, address},
    pages::{Markup, time},
};

/// One change.
pub struct ChangePage;

#[derive(Template)]
#[template(path = "console/changes/show.html")]
struct View {
    shell: Shell,
    words: Words,
    trail: Vec<(String, String)>,
    heading: Markup,
    number: u64,
    at: String,
    ago: String,
    who: Markup,
    by_them: String,
    way: &'static str,
    action: &'static str,
    kind: String,
    name: String,
    place: Option<String>,
    of_it: String,
    reason: Option<String>,
    address: Option<String>,
    request: Option<String>,
    /// The decision about the request, where it is on record.
    decision: Option<String>,
    rows: Vec<Row>,
}

struct Row {
    member: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl Page for ChangePage {
    type Path = String;
    type Query = NoQuery;

    const ROUTE: Route = Route::page(CHANGE, Section::Changes);

    async fn show(visit: &Visit, id: String, _: NoQuery) -> Result<Response<Body>, Error> {
        let change = visit.ask(Input::<ShowChange>::at(id)).await?;
        let words = Words(visit.language());
        let ChangeDocument {
            actor,
            resource,
            name,
            ..
        } = &change;
        let list = visit.at(CHANGES, &[]);
        let by_them = actor.who.to_string();
        let request = actor.request.clone();
        let view = View {
            words,
            heading: words.change(change.id),
            number: change.id,
            at: time::second(change.at),
            ago: time::distance(change.at, visit.now(), visit.language()),
            who: words.who_of(&actor.who),
            by_them: address(&list, &(), &[("actor", &by_them)]),
            way: words.way_of(actor.way),
            action: words.action_of(change.action),
            kind: words.kind_of(resource).to_owned(),
            name: name_of(resource, name),
            place: place(visit, resource, name),
            of_it: all(visit, &of(resource, name)),
            reason: actor.reason.clone(),
            address: actor.address.map(|address| address.to_string()),
            decision: request
                .as_deref()
                .filter(|_| is_decided(actor.way))
                .map(|id| visit.at("/decisions/{decision}", &[id])),
            request,
            rows: change.differences.iter().map(row).collect(),
            trail: vec![(list, words.heading().to_owned())],
            shell: visit.shell(),
        };
        Ok(visit.page(&view))
    }
}

fn row(difference: &Difference) -> Row {
    let member = Some(difference.member.clone()).filter(|member| !member.is_empty());
    Row {
        member,
        before: text_of(&difference.before),
        after: text_of(&difference.after),
    }
}

/// A value as people read it; nothing where there is none.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(serde_json::to_string_pretty(value).expect("JSON is text")),
    }
}
