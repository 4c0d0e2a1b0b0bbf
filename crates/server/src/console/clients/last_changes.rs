//! The latest changes of a client, and what they tell of its keys.

use std::collections::BTreeMap;

use grantor::{
    admin::ChangeDocument, clock::UnixTime, jose::json::Value, registry::Action,
    storage::ChangeFilter, types::ClientId,
};

use super::words::Words;
use crate::{
    admin::{Input, Portion, changes::ListChanges},
    console::{Error, Visit},
    pages::{
        Markup, markup,
        time::{distance, minute},
    },
};

/// Changes in which keys are looked for.
const MOST: u32 = 200;
/// Changes that are shown.
const SHOWN: usize = 5;

/// The latest changes of a client, oldest first.
pub struct LastChanges(Vec<ChangeDocument>);

/// A change, as it is shown.
pub struct Row {
    pub path: String,
    pub at: String,
    pub ago: String,
    pub who: String,
    pub way: String,
    pub what: Markup,
    pub reason: Option<String>,
}

impl LastChanges {
    /// Of this client.
    pub async fn of(visit: &Visit, client: &ClientId) -> Result<Self, Error> {
        let mut filter = ChangeFilter::default();
        filter.resource = Some("client".to_owned());
        filter.name = Some(client.to_string());
        let input = Input::<ListChanges> {
            path: (),
            query: filter,
            portion: Portion {
                limit: MOST,
                last: Some(MOST),
                ..Portion::default()
            },
            body: (),
        };
        Ok(Self(visit.ask(input).await?.items))
    }

    /// The last ones, newest first.
    pub fn rows(&self, visit: &Visit) -> Vec<Row> {
        let words = Words(visit.language());
        let row = |change: &ChangeDocument| Row {
            path: visit.at("/changes/{change}", &[&change.id.to_string()]),
            at: minute(change.at),
            ago: distance(change.at, visit.now(), visit.language()),
            who: change.actor.who.to_string(),
            way: change.actor.way.to_string(),
            what: match change.action {
                Action::Create => markup(words.created()),
                Action::Delete => markup(words.removed()),
                _ => {
                    let members = change.differences.iter();
                    let members: Vec<_> = members.map(|one| one.member.as_str()).collect();
                    words.members(&members.join(", "))
                }
            },
            reason: change.actor.reason.clone(),
        };
        self.0.iter().rev().take(SHOWN).map(row).collect()
    }

    /// Since when keys are registered, by their names, as far as that is on record.
    pub fn begins_of_keys(&self) -> BTreeMap<String, UnixTime> {
        let mut begins = BTreeMap::new();
        for change in &self.0 {
            let keys = change.differences.iter().find(|one| one.member == "keys");
            let Some(keys) = keys else {
                continue;
            };
            let before = names(&keys.before);
            for name in names(&keys.after) {
                if !before.contains(&name) {
                    begins.insert(name.to_owned(), change.at);
                }
            }
        }
        begins
    }
}

fn names(keys: &Value) -> Vec<&str> {
    let keys = keys.as_array().into_iter().flatten();
    keys.filter_map(|key| key["name"].as_str()).collect()
}
