//! Who changed what: the record of changes, and the lines about it on the pages of resources.

mod list;
mod show;
mod words;

use grantor::{
    admin::ChangeDocument,
    registry::{Action, Origin, Way},
    storage::ChangeFilter,
};

use self::words::Words;
pub use self::{list::ListPage, show::ChangePage};
use super::{Error, Visit, address};
use crate::{
    admin::{Input, Portion, changes::ListChanges},
    pages::{Markup, Named, Part as _, time},
};

/// The path of the list below the console.
const CHANGES: &str = "/changes";
/// The path of one change.
const CHANGE: &str = "/changes/{change}";

/// How many lines are on the page of a resource.
const FEW: u32 = 5;

/// The changes of a resource, by its kind and name.
pub fn of(resource: &str, name: impl Into<String>) -> ChangeFilter {
    let mut filter = ChangeFilter::default();
    filter.resource = Some(resource.to_owned());
    filter.name = Some(name.into());
    filter
}

/// The changes of what a client may do for a subject: those by an operator, and those by the person.
pub fn of_permission(client: &str, subject: &str) -> [ChangeFilter; 2] {
    let names = [
        serde_json::json!([client, subject]),
        serde_json::json!([client, subject, Origin::Person.as_str()]),
    ];
    names.map(|name| of("permission", name.to_string()))
}

/// A change in one line: `console/changes/lines.html` shows several.
pub struct Line {
    pub path: String,
    pub at: String,
    pub ago: String,
    pub text: Markup,
}

/// The newest of these changes, the newest first.
///
/// # Errors
/// As [`ListChanges`].
pub async fn lines(visit: &Visit, filter: &ChangeFilter) -> Result<Vec<Line>, Error> {
    let input = Input::<ListChanges> {
        path: (),
        query: filter.clone(),
        portion: Portion {
            limit: FEW,
            ..Portion::default()
        },
        body: (),
    };
    let found = visit.ask(input).await?.items;
    Ok(found
        .iter()
        .rev()
        .map(|change| line(visit, change))
        .collect())
}

/// The path of the list of these changes.
pub fn all(visit: &Visit, filter: &ChangeFilter) -> String {
    address(&visit.at(CHANGES, &[]), filter, &[])
}

/// As `changed by operator olga: scope. It leaked`.
fn line(visit: &Visit, change: &ChangeDocument) -> Line {
    let words = Words(visit.language());
    let mut text = words.done_by(
        words.action_of(change.action),
        words.who_of(&change.actor.who),
    );
    if change.action == Action::Replace {
        let members = change
            .differences
            .iter()
            .map(|one| one.member.as_str().part());
        text.0 += &format!(": {}", members.collect::<Vec<_>>().join(", "));
    }
    if let Some(reason) = &change.actor.reason {
        text.0 += &format!(" ({})", Named(reason).part());
    }
    Line {
        path: visit.at(CHANGE, &[&change.id.to_string()]),
        at: time::minute(change.at),
        ago: time::distance(change.at, visit.now(), visit.language()),
        text,
    }
}

/// The page of the resource of a change, whether it is still there or not.
fn place(visit: &Visit, resource: &str, name: &str) -> Option<String> {
    let template = match resource {
        "client" => "/clients/{client}",
        "subject" | "operator" | "password" | "session" | "invitation" => "/subjects/{subject}",
        "permission" => {
            let names: Vec<String> = serde_json::from_str(name).ok()?;
            let [client, subject, ..] = &names[..] else {
                return None;
            };
            return Some(visit.at("/permissions/{client}/{subject}", &[client, subject]));
        }
        "scope" => "/scopes/{scope}",
        "issuer" => "/issuers/{issuer}",
        "trust" => "/trusts/{trust}",
        "signing_key" => return Some(visit.at("/signing-keys", &[])),
        _ => return None,
    };
    Some(visit.at(template, &[name]))
}

/// The name of the resource of a change, as people read it: of a permission, client and subject.
fn name_of(resource: &str, name: &str) -> String {
    let names: Option<Vec<String>> = match resource {
        "permission" => serde_json::from_str(name).ok(),
        _ => None,
    };
    names.map_or_else(|| name.to_owned(), |names| names.join(", "))
}

/// Whether the request that made it is on record as a decision.
fn is_decided(way: Way) -> bool {
    way == Way::OwnPage
}
