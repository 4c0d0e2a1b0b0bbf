//! What a row holds, whichever database it is in: how a registration or a key becomes columns, and
//! how it comes back from them. What does not come back as it was written is [`Unreadable`].

pub(crate) mod client;
pub(crate) mod issuer;
pub(crate) mod operator;
pub(crate) mod passkey;
pub(crate) mod password;
pub(crate) mod permission;
pub(crate) mod scope_text;
pub(crate) mod signing_key;
pub(crate) mod subject;
pub(crate) mod trust;

use grantor::{
    registry::{Resource, ResourceId as _},
    storage::StoreError,
    types::Name,
};
use serde::{Deserialize, Serialize};

/// A row that does not hold what this program once wrote there.
#[derive(Debug, thiserror::Error)]
#[error("stored {what} cannot be read: {error}")]
pub(crate) struct Unreadable {
    what: &'static str,
    error: Box<dyn std::error::Error + Send + Sync>,
}

impl From<Unreadable> for StoreError {
    fn from(unreadable: Unreadable) -> Self {
        Self::Failed(Box::new(unreadable))
    }
}

pub(crate) fn unreadable(
    what: &'static str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Unreadable {
    Unreadable {
        what,
        error: error.into(),
    }
}

/// The name of a resource in a column.
pub(crate) fn id<R: Resource>(name: &str) -> Result<R::Id, Unreadable> {
    let id = R::Id::from_text(name);
    id.ok_or_else(|| unreadable(R::NAME, format!("{name:?} is no name")))
}

/// The name in a column, under which files say what it is.
pub(crate) fn manager(name: Option<String>) -> Result<Option<Name>, Unreadable> {
    let name = name.map(|name| Name::parse(&name)).transpose();
    name.map_err(|error| unreadable("managed_by", error))
}

/// A registration, or a part of it, as a document.
pub(crate) fn document(part: &impl Serialize) -> String {
    serde_json::to_string(part).expect("registrations are JSON")
}

fn from_document<'d, T: Deserialize<'d>>(
    what: &'static str,
    document: &'d str,
) -> Result<T, Unreadable> {
    serde_json::from_str(document).map_err(|error| unreadable(what, error))
}
