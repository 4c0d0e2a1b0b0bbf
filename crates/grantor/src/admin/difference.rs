//! What an update has changed, member by member.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A member that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Difference {
    /// The member; empty for the whole, where that is no JSON object.
    pub member: String,
    /// What it was; null if it was not there.
    pub before: Value,
    /// What it is; null if it is not there.
    pub after: Value,
}

impl Difference {
    /// What differs, in the order of the members' names.
    pub(super) fn between(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Self> {
        let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let member = |from: &Map<_, Value>, name: &str| from.get(name).cloned().unwrap_or_default();
        names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| Self {
                member: name.clone(),
                before: member(before, name),
                after: member(after, name),
            })
            .collect()
    }
}

/// A document after an update, and how it differs from the one before.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Updated<D> {
    /// The document as it is now.
    pub document: D,
    /// What differs, in the order of the members' names; nothing if all was so before.
    pub differences: Vec<Difference>,
}

impl<D: Serialize> Updated<D> {
    /// Compares.
    pub(super) fn new(before: &D, document: D) -> Self {
        let members = |document: &D| match serde_json::to_value(document) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let differences = Difference::between(&members(before), &members(&document));
        Self {
            document,
            differences,
        }
    }
}
