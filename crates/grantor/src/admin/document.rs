//! How documents of operators are read: strictly, with all that is wrong at once, and by members
//! that a merge patch replaces (RFC 7396).

use grantor_jose::json::{self, Object, Value};
use serde::{Serialize, de::DeserializeOwned};

use super::Fault;
pub(super) use crate::clock::rfc3339 as time;
pub use crate::clock::time_text;

/// A document that operators read and write.
pub trait Document: Serialize + DeserializeOwned {
    /// The least that is such a document: the members without a default, each with any value that
    /// can be read.
    fn least() -> Object;

    /// Adds what is left out and depends on other members.
    fn complete(object: &mut Object) {
        let _ = object;
    }

    /// What is wrong within a member that cannot be read, as far as it can be said of its parts.
    fn faults_within(member: &str, value: &Value) -> Vec<Fault> {
        let _ = (member, value);
        Vec::new()
    }

    /// Reads the text of a JSON object. What is unknown in it, or there twice, is refused.
    ///
    /// # Errors
    /// All faults.
    fn parse_document(text: &[u8]) -> Result<Self, Vec<Fault>> {
        let object = json::parse_object(text)
            .map_err(|error| vec![Fault::of_all(format!("{error}; write a JSON object"))])?;
        Self::read(object)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// All faults: each member is tried by itself.
    fn read(mut object: Object) -> Result<Self, Vec<Fault>> {
        Self::complete(&mut object);
        let whole = |object| serde_json::from_value::<Self>(Value::Object(object));
        let error = match whole(object.clone()) {
            Ok(document) => return Ok(document),
            Err(error) => error,
        };
        let least = Self::least();
        let is_missing = |name: &&String| !object.contains_key(*name);
        let missing = least.keys().filter(is_missing);
        let mut faults: Vec<_> = missing
            .map(|name| Fault::new(name, "missing; name it"))
            .collect();
        for (name, value) in &object {
            let mut alone = least.clone();
            alone.insert(name.clone(), value.clone());
            if let Err(error) = whole(alone) {
                match Self::faults_within(name, value) {
                    within if within.is_empty() => {
                        faults.push(Fault::new(name, problem(&error)));
                    }
                    within => faults.extend(within),
                }
            }
        }
        match faults.is_empty() {
            true => Err(vec![Fault::of_all(error.to_string())]),
            false => Err(faults),
        }
    }

    /// This document with the members of a patch; one that is null there has its default.
    ///
    /// # Errors
    /// All faults.
    fn patched(&self, patch: &Patch) -> Result<Self, Vec<Fault>> {
        let Ok(Value::Object(mut object)) = serde_json::to_value(self) else {
            return Err(vec![Fault::of_all("no document can be made of it")]);
        };
        merge(&mut object, &patch.0);
        Self::read(object)
    }
}

/// What was expected, without what was there: that may be a secret in the wrong place.
pub fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let quotes = ["invalid type: ", "invalid value: ", "unknown variant "];
    match quotes.iter().any(|quote| text.starts_with(quote)) {
        _ if text.starts_with("unknown field") => "unknown; leave it out".to_owned(),
        true => match text.rsplit_once(", expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None => "is of another type or value than is expected here".to_owned(),
        },
        false => text,
    }
}

/// RFC 7396 §2
fn merge(target: &mut Object, patch: &Object) {
    for (name, value) in patch {
        match (value, target.get_mut(name)) {
            (Value::Null, _) => drop(target.remove(name)),
            (Value::Object(patch), Some(Value::Object(target))) => merge(target, patch),
            (Value::Object(patch), _) => {
                let mut new = Object::new();
                merge(&mut new, patch);
                target.insert(name.clone(), new.into());
            }
            (value, _) => drop(target.insert(name.clone(), value.clone())),
        }
    }
}

/// The members of a document that change, with their new values (RFC 7396).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch(Object);

impl Patch {
    /// Reads the text of a merge patch.
    ///
    /// # Errors
    /// A fault of the whole: it is no JSON object, or has a member twice.
    pub fn parse(text: &[u8]) -> Result<Self, Fault> {
        let object = json::parse_object(text);
        object
            .map(Self)
            .map_err(|error| Fault::of_all(format!("{error}; write a JSON object")))
    }

    /// Of these members.
    pub fn of(members: Object) -> Self {
        Self(members)
    }

    /// The members.
    pub fn members(&self) -> &Object {
        &self.0
    }

    /// Sets a member.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.insert(member.to_owned(), value.into());
        self
    }

    /// Whether it has this member.
    pub fn names(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }
}
