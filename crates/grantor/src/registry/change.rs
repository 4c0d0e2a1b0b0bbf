//! The record of a change: who changed what in the registry, when, in which way, and how it was
//! before.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Resource, ResourceId};
use crate::{
    clock::UnixTime,
    types::{ClientId, SubjectId},
};

/// The party that changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Who {
    /// A subject with a role.
    Operator(SubjectId),
    /// A client, by its own token.
    Client(ClientId),
    /// A subject, about itself.
    Person(SubjectId),
    /// A user of the machine, by number.
    LocalUser(u32),
    /// A program that embeds the library, by a name that it gives itself.
    Program(String),
    /// Nothing is known of it.
    Unknown,
}

/// As lists show it and filters name it.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(id) => write!(f, "operator {id}"),
            Self::Client(id) => write!(f, "client {id}"),
            Self::Person(id) => write!(f, "person {id}"),
            Self::LocalUser(uid) => write!(f, "local user {uid}"),
            Self::Program(name) => write!(f, "program {name}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The way by which a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Way {
    /// The console's pages.
    Console,
    /// The REST interface.
    Api,
    /// A command on the machine.
    Command,
    /// A file that `apply` read.
    Apply,
    /// A person's own page.
    OwnPage,
    /// A call of the library.
    Program,
    /// Directly in the database, past the library.
    Database,
}

/// As lists show it.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Console => "console",
            Self::Api => "api",
            Self::Command => "command",
            Self::Apply => "apply",
            Self::OwnPage => "own page",
            Self::Program => "program",
            Self::Database => "directly in the database",
        })
    }
}

/// A text that is no reason of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a reason of 1 to {} characters on one line, without control characters",
    Actor::LONGEST_REASON
)]
pub struct ReasonError;

/// The actor of a change: who, by which way, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Actor {
    /// The party.
    pub who: Who,
    /// The way.
    pub way: Way,
    /// The reason that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The network address, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub address: Option<IpAddr>,
    /// The id of the request that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

impl Actor {
    /// This party, by this way.
    pub fn new(who: Who, way: Way) -> Self {
        Self {
            who,
            way,
            reason: None,
            address: None,
            request: None,
        }
    }

    /// A program that embeds the library.
    pub fn program(name: &str) -> Self {
        Self::new(Who::Program(name.to_owned()), Way::Program)
    }

    /// Most characters of a reason that a person gives, whichever way.
    pub const LONGEST_REASON: usize = 256;

    /// Takes the reason that a person gives.
    ///
    /// # Errors
    /// [`ReasonError`]
    pub fn reason(text: &str) -> Result<String, ReasonError> {
        let is_reason = !text.trim().is_empty()
            && !text.chars().any(char::is_control)
            && text.chars().count() <= Self::LONGEST_REASON;
        is_reason.then(|| text.to_owned()).ok_or(ReasonError)
    }

    /// Gives the reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Gives the network address.
    #[must_use]
    pub fn from_address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Gives the id of the request.
    #[must_use]
    pub fn in_request(mut self, id: impl Into<String>) -> Self {
        self.request = Some(id.into());
        self
    }
}

/// What was done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It was registered.
    Create,
    /// It was replaced by another state of it.
    Replace,
    /// It was removed.
    Delete,
}

/// As lists show it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Delete => "delete",
        })
    }
}

/// The record of one change. Nothing edits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChangeRecord {
    /// The place in the order of changes, given by the store when it is kept: from 1 on.
    #[serde(default)]
    pub id: u64,
    /// When it was made.
    pub at: UnixTime,
    /// The actor.
    #[serde(flatten)]
    pub actor: Actor,
    /// The kind of the resource.
    pub resource: String,
    /// The name of the resource: of a permission, a JSON array of client and subject, and of
    /// `person` where that gave it.
    pub name: String,
    /// What was done.
    pub action: Action,
    /// All members before; `None` where there was nothing.
    pub before: Option<Value>,
    /// All members after; `None` where nothing is left.
    pub after: Option<Value>,
}

impl ChangeRecord {
    /// The record of a change of a resource, not yet kept.
    pub fn new<R: Resource>(
        id: &R::Id,
        action: Action,
        states: [Option<Value>; 2],
        actor: &Actor,
        at: UnixTime,
    ) -> Self {
        Self::of((R::NAME, id.to_text()), action, states, actor, at)
    }

    /// The record of a change of what no [`Resource`] is, by kind and name, not yet kept.
    pub fn of(
        (resource, name): (&str, String),
        action: Action,
        [before, after]: [Option<Value>; 2],
        actor: &Actor,
        at: UnixTime,
    ) -> Self {
        Self {
            id: 0,
            at,
            actor: actor.clone(),
            resource: resource.to_owned(),
            name,
            action,
            before,
            after,
        }
    }

    /// A record as a [`Log`](crate::storage::Log) has it.
    ///
    /// # Errors
    /// What is wrong with a text that is none.
    pub fn read(document: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(document)
    }

    /// Writes it to the log of the process too, once it is kept.
    pub fn log(&self) {
        let Actor {
            who,
            way,
            reason,
            address,
            request,
        } = &self.actor;
        tracing::info!(
            target: "grantor::change",
            change = self.id,
            %who,
            ?way,
            resource = self.resource,
            name = self.name,
            action = ?self.action,
            reason,
            address = address.map(tracing::field::display),
            request,
            "the registry was changed"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m061_a_reason_is_one_line_of_bounded_length_whichever_way_it_comes() {
        let longest = "é".repeat(Actor::LONGEST_REASON);
        for text in ["a", " two words ", &longest] {
            assert_eq!(Actor::reason(text), Ok(text.to_owned()));
        }
        let longer = format!("{longest}x");
        for text in ["", "  ", "a\nb", "a\tb", "\0", &longer] {
            assert_eq!(Actor::reason(text), Err(ReasonError), "{text:?}");
        }
    }
}
