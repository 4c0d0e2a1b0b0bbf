//! What operators read in the record of changes: who changed what, when, by which way and why, and
//! which members differ.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Difference, Error, Named, document::time, time_text};
use crate::{
    clock::UnixTime,
    registry::{Action, Actor, ChangeRecord},
    storage::{ChangeFilter, Cursor, Entry, Log, Start},
};

/// A change. Instead of all members, before and after, it has those that differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ChangeDocument {
    /// Its number, from 1 on, in the order in which changes were made.
    pub id: u64,
    /// When it was made (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub at: UnixTime,
    /// Who made it, by which way and why, from which address and by which request.
    #[serde(flatten)]
    pub actor: Actor,
    /// The kind of the resource.
    pub resource: String,
    /// The name of the resource: of a permission, a JSON array of client and subject, and of
    /// `person` where that gave it.
    pub name: String,
    /// What was done.
    pub action: Action,
    /// What differs, in the order of the members' names: all members where the resource was created
    /// or deleted. Times in it are in UTC (RFC 3339). Of keys and secrets there are fingerprints.
    pub differences: Vec<Difference>,
}

/// Some changes, and where to go on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChangePage {
    /// The changes, oldest first. One that cannot be read is left out, with a warning in the log.
    pub changes: Vec<ChangeDocument>,
    /// How many there were, with those left out: none at the end.
    pub count: usize,
    /// The place behind all that was looked at.
    pub next: Cursor,
    /// The place before the first of them, if there are any.
    pub previous: Option<Cursor>,
}

/// The record of changes.
#[derive(Clone, Copy)]
pub struct Changes<'a> {
    log: &'a dyn Log<ChangeRecord>,
}

impl<'a> Changes<'a> {
    /// That of this store.
    pub fn new(log: &'a dyn Log<ChangeRecord>) -> Self {
        Self { log }
    }

    /// The changes from `start` on that pass the filter, oldest first, at most `limit`. They are
    /// followed by asking again behind [`ChangePage::next`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &ChangeFilter,
        start: Start,
        limit: u32,
    ) -> Result<ChangePage, Error> {
        let page = self.log.page(filter, start, limit).await?;
        Ok(ChangePage {
            changes: page.entries.iter().filter_map(readable).collect(),
            count: page.entries.len(),
            next: page.next,
            previous: page.previous,
        })
    }

    /// One change, by the text of its number.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a text that is no number and for a change that cannot be read;
    /// [`Error::Store`]
    pub async fn get(&self, id: &str) -> Result<ChangeDocument, Error> {
        let unknown = || Error::NotFound(Named::Change(id.to_owned()));
        let number = id.parse().map_err(|_| unknown())?;
        let filter = ChangeFilter {
            id: Some(number),
            ..ChangeFilter::default()
        };
        let found = self.page(&filter, Start::Last(1), 1).await?.changes.pop();
        found.ok_or_else(unknown)
    }
}

impl From<ChangeRecord> for ChangeDocument {
    fn from(record: ChangeRecord) -> Self {
        let differences = differences(record.before, record.after);
        Self {
            id: record.id,
            at: record.at,
            actor: record.actor,
            resource: record.resource,
            name: record.name,
            action: record.action,
            differences,
        }
    }
}

/// Member by member, but where one of the two is no object: a registration that was spoilt by hand.
fn differences(before: Option<Value>, after: Option<Value>) -> Vec<Difference> {
    let [before, after] = [before, after].map(Option::unwrap_or_default);
    let members = |state: &Value| match state {
        Value::Object(members) => Some(readable_times(members)),
        Value::Null => Some(Map::new()),
        _ => None,
    };
    match (members(&before), members(&after)) {
        (Some(before), Some(after)) => {
            let mut differences = Difference::between(&before, &after);
            // A member without a value is as good as none.
            differences.retain(|one| one.before != one.after);
            differences
        }
        _ if before == after => Vec::new(),
        _ => vec![Difference {
            member: String::new(),
            before,
            after,
        }],
    }
}

/// What the names of members end with that hold a time: in records they are milliseconds since 1970.
const TIMES: [&str; 3] = ["_at", "_since", "_from"];

fn readable_times(members: &Map<String, Value>) -> Map<String, Value> {
    let member = |(name, value): (&String, &Value)| {
        let is_time = TIMES.iter().any(|end| name.ends_with(end));
        let value = match value.as_i64().filter(|_| is_time) {
            Some(millis) => time_text(UnixTime::from_millis(millis)).into(),
            None => readable_value(value),
        };
        (name.clone(), value)
    };
    members.iter().map(member).collect()
}

fn readable_value(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(readable_times(members)),
        Value::Array(items) => items.iter().map(readable_value).collect(),
        other => other.clone(),
    }
}

/// One of many. That one is damaged must not hide the others.
fn readable(stored: &Entry) -> Option<ChangeDocument> {
    let read = ChangeRecord::read(&stored.document);
    if let Err(error) = &read {
        tracing::warn!(
            place = %stored.cursor,
            %error,
            "a stored change cannot be read, and is left out"
        );
    }
    read.ok().map(ChangeDocument::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        registry::Subject,
        storage::{MemoryStore, Registries as _},
        types::SubjectId,
    };

    #[tokio::test]
    async fn m080_a_change_is_shown_by_the_members_that_differ() {
        let (store, by) = (
            MemoryStore::new(),
            Actor::program("test").because("a reason"),
        );
        let alice = Subject::new(SubjectId::parse("alice").expect("a subject"));
        let created = store.subjects().create(alice, &by).await.expect("created");
        let mut disabled = Subject::clone(&created);
        disabled.enabled = false;
        store
            .subjects()
            .replace(disabled, &by)
            .await
            .expect("replaced");
        let changes = Changes::new(&store);
        let change = changes.get("2").await.expect("a change");
        let shown = serde_json::to_value(&change).expect("JSON");
        let at = time_text(change.at);
        let expected = json!({
            "id": 2, "at": at, "who": {"kind": "program", "name": "test"}, "way": "program",
            "reason": "a reason", "resource": "subject", "name": "alice", "action": "replace",
            "differences": [{"member": "enabled", "before": true, "after": false}],
        });
        assert_eq!(shown, expected);
        let created = changes.get("1").await.expect("a change");
        let members = created.differences.iter().map(|one| &*one.member);
        assert!(members.eq(["enabled", "id"]), "{created:?}");
        for unknown in [
            "3",
            "0",
            "-1",
            "x0dk2vq8c3pmz7t",
            "18446744073709551616",
            "",
        ] {
            let error = changes.get(unknown).await.expect_err(unknown);
            assert!(
                matches!(error, Error::NotFound(Named::Change(_))),
                "{error:?}"
            );
        }
    }

    #[test]
    fn times_are_readable_and_nothing_else_is_touched() {
        let after = json!({
            "keys": [{"name": "k", "expires_at": 1_800_000_000_000_i64}],
            "tokens_since": null, "created_at": "by hand", "leeway": 30,
        });
        let shown = differences(None, Some(after));
        let values: Vec<_> = shown
            .iter()
            .map(|one| (&*one.member, one.after.clone()))
            .collect();
        let key = json!([{"name": "k", "expires_at": "2027-01-15T08:00:00Z"}]);
        let expected = [
            ("created_at", json!("by hand")),
            ("keys", key),
            ("leeway", json!(30)),
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn what_is_no_object_differs_as_a_whole() {
        let object = json!({"enabled": true});
        let shown = differences(Some(object.clone()), Some("spoilt".into()));
        let whole = Difference {
            member: String::new(),
            before: object,
            after: "spoilt".into(),
        };
        assert_eq!(shown, [whole]);
        assert!(differences(Some("spoilt".into()), Some("spoilt".into())).is_empty());
    }
}
