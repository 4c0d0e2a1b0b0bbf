//! What an update has changed, member by member.

use serde::Serialize;
use serde_json::Value;

/// A member that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The member.
    pub member: String,
    /// What it was; null if it was not there.
    pub before: Value,
    /// What it is; null if it is not there.
    pub after: Value,
}

/// A document after an update, and how it differs from the one before.
#[derive(Clone, Debug, Serialize)]
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
            _ => serde_json::Map::new(),
        };
        let (old, new) = (members(before), members(&document));
        let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
        let member = |from: &serde_json::Map<String, Value>, name: &str| {
            from.get(name).cloned().unwrap_or_default()
        };
        let differences = names
            .into_iter()
            .filter(|name| old.get(*name) != new.get(*name))
            .map(|name| Difference {
                member: name.clone(),
                before: member(&old, name),
                after: member(&new, name),
            })
            .collect();
        Self {
            document,
            differences,
        }
    }
}
