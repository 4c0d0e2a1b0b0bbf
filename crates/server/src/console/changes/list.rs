//! The list of changes, the newest first.

use askama::Template;
use grantor::{
    admin::ChangeDocument, clock::UnixTime, registry::Action, server::Body, storage::ChangeFilter,
};
use http::Response;
use serde::{Deserialize, Serialize};

use super::{
    CHANGE, CHANGES, name_of, place,
    words::{KINDS, Words},
};
use crate::{
    admin::{Input, changes::ListChanges},
    console::{Error, Page, Pager, Route, Section, Shell, Table, Visit},
    pages::{Markup, time},
};

/// The list of changes.
pub struct ListPage;

/// Which changes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// Only those of this actor.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// Only those of resources of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    /// Only those of resources of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Only those not older than this: a day, or a moment (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    /// Only those older than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl Wanted {
    fn filter(&self) -> Result<ChangeFilter, Error> {
        let mut filter = ChangeFilter::default();
        filter.actor.clone_from(&self.actor);
        filter.resource.clone_from(&self.resource);
        filter.name.clone_from(&self.name);
        filter.since = moment(self.since.as_deref())?;
        filter.until = moment(self.until.as_deref())?;
        Ok(filter)
    }

    /// The day of which the form's field speaks.
    fn day(&self) -> &str {
        let text = self.since.as_deref().unwrap_or_default();
        text.get(..time::LETTERS_OF_DAY).unwrap_or_default()
    }
}

fn moment(text: Option<&str>) -> Result<Option<UnixTime>, Error> {
    let Some(text) = text else {
        return Ok(None);
    };
    time::of_text(&time::moment(text))
        .map(Some)
        .ok_or(Error::Filter)
}

#[derive(Template)]
#[template(path = "console/changes/list.html")]
struct View {
    shell: Shell,
    words: Words,
    wanted: Wanted,
    kinds: [&'static str; 14],
    rows: Vec<Row>,
    pager: Pager,
}

impl View {
    fn is_unfiltered(&self) -> bool {
        self.wanted == Wanted::default()
    }
}

struct Row {
    path: String,
    at: String,
    ago: String,
    who: Markup,
    way: &'static str,
    kind: String,
    name: String,
    place: Option<String>,
    action: &'static str,
    members: String,
    reason: Option<String>,
}

const TABLE: Table = Table {
    name: "changes",
    columns: &[
        "id",
        "at",
        "who/kind",
        "who/name",
        "way",
        "action",
        "resource",
        "name",
        "reason",
        "address",
        "request",
        "differences",
    ],
};

impl Page for ListPage {
    type Path = ();
    type Query = Wanted;

    const ROUTE: Route = Route::page(CHANGES, Section::Changes);

    async fn show(visit: &Visit, (): (), wanted: Wanted) -> Result<Response<Body>, Error> {
        let filter = wanted.filter()?;
        if let Some(file) = visit.download::<ListChanges>((), &filter, &TABLE).await? {
            return Ok(file);
        }
        let found = visit.ask(Input::<ListChanges> {
            path: (),
            query: filter,
            portion: visit.list.portion(),
            body: (),
        });
        let found = found.await?;
        let words = Words(visit.language());
        let view = View {
            words,
            kinds: KINDS,
            rows: found
                .items
                .iter()
                .rev()
                .map(|change| row(visit, words, change))
                .collect(),
            pager: Pager::of_records(visit, &wanted, &found),
            shell: visit.shell(),
            wanted,
        };
        Ok(visit.page(&view))
    }
}

fn row(visit: &Visit, words: Words, change: &ChangeDocument) -> Row {
    let members = change.differences.iter().map(|one| match &*one.member {
        "" => words.whole(),
        member => member,
    });
    Row {
        path: visit.at(CHANGE, &[&change.id.to_string()]),
        at: time::minute(change.at),
        ago: time::distance(change.at, visit.now(), visit.language()),
        who: words.who_of(&change.actor.who),
        way: words.way_of(change.actor.way),
        kind: words.kind_of(&change.resource).to_owned(),
        name: name_of(&change.resource, &change.name),
        place: place(visit, &change.resource, &change.name),
        action: words.action_of(change.action),
        members: match change.action {
            Action::Replace => members.collect::<Vec<_>>().join(", "),
            _ => String::new(),
        },
        reason: change.actor.reason.clone(),
    }
}
