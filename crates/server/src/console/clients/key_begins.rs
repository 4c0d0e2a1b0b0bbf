//! Since when the keys of a client are registered, as far as the record of changes tells.

use std::collections::BTreeMap;

use grantor::{clock::UnixTime, jose::json::Value, types::ClientId};

use crate::{
    admin::{Input, Portion, changes::ListChanges},
    console::{Error, Visit, changes},
};

/// Changes in which keys are looked for.
const MOST: u32 = 200;

/// The beginnings of the keys that the latest changes of this client added, by their names.
pub async fn key_begins(
    visit: &Visit,
    client: &ClientId,
) -> Result<BTreeMap<String, UnixTime>, Error> {
    let input = Input::<ListChanges> {
        path: (),
        query: changes::of("client", client.as_str()),
        portion: Portion {
            limit: MOST,
            last: Some(MOST),
            ..Portion::default()
        },
        body: (),
    };
    let mut begins = BTreeMap::new();
    for change in visit.ask(input).await?.items {
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
    Ok(begins)
}

fn names(keys: &Value) -> Vec<&str> {
    let keys = keys.as_array().into_iter().flatten();
    keys.filter_map(|key| key["name"].as_str()).collect()
}
