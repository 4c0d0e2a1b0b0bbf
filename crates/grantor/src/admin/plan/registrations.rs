//! The one form of files, of exports and of `POST /apply`: what is to be registered, kind by kind.

use std::fmt;

use grantor_jose::json::{self, Object, Value};
use serde::{Deserialize, Serialize};

use crate::admin::{Error, Fault, error::none_of};

/// A kind of registration that files have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Clients.
    Client,
    /// Subjects.
    Subject,
    /// Permissions that operators give.
    Permission,
    /// Texts of scopes.
    Scope,
    /// Issuers.
    Issuer,
    /// Trusts.
    Trust,
}

impl Kind {
    /// All, in the order in which exports have them.
    pub const ALL: [Self; 6] = [
        Self::Client,
        Self::Subject,
        Self::Permission,
        Self::Scope,
        Self::Issuer,
        Self::Trust,
    ];

    /// Its member in the form of files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Subject => "subject",
            Self::Permission => "permission",
            Self::Scope => "scope",
            Self::Issuer => "issuer",
            Self::Trust => "trust",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Registrations as a file has them: of each kind an array of documents with the members that an
/// operator writes. Nothing is checked yet; [`Plans::make`](super::Plans::make) does that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Registrations {
    /// Documents of clients, and beside their members `secret = "make"`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client: Vec<Value>,
    /// Documents of subjects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject: Vec<Value>,
    /// Documents of permissions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permission: Vec<Value>,
    /// Documents of scopes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<Value>,
    /// Documents of issuers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuer: Vec<Value>,
    /// Documents of trusts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<Value>,
}

impl Registrations {
    /// Most octets of a text that is read.
    pub const MAX_BYTES: usize = 16 * 1024 * 1024;
    /// Most members and elements in it, all levels together.
    pub const MAX_ITEMS: usize = 2_000_000;

    /// Reads the text of a JSON object. What is unknown in it, or there twice, is refused.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        if text.len() > Self::MAX_BYTES {
            let most = Self::MAX_BYTES / (1024 * 1024);
            let detail = format!("has more than {most} MiB; make several of it");
            return Err(Fault::of_all(detail).into());
        }
        let object = json::parse_large_object(text, Self::MAX_ITEMS);
        let object =
            object.map_err(|error| Fault::of_all(format!("{error}; write a JSON object")))?;
        Self::read(object)
    }

    /// Reads an object.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all faults
    pub fn read(object: Object) -> Result<Self, Error> {
        let (mut read, mut faults) = (Self::default(), Vec::new());
        for (name, value) in object {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
            match (kind, value) {
                (Some(kind), Value::Array(items)) => *read.of_mut(kind) = items,
                (Some(_), _) => faults.push(Fault::new(&name, "expected an array of objects")),
                (None, _) => {
                    let kinds = Kind::ALL.map(Kind::as_str).join(", ");
                    let detail = format!("unknown; expected some of {kinds}");
                    faults.push(Fault::new(&name, detail));
                }
            }
        }
        none_of(faults)?;
        Ok(read)
    }

    /// The documents of a kind.
    pub fn of(&self, kind: Kind) -> &[Value] {
        match kind {
            Kind::Client => &self.client,
            Kind::Subject => &self.subject,
            Kind::Permission => &self.permission,
            Kind::Scope => &self.scope,
            Kind::Issuer => &self.issuer,
            Kind::Trust => &self.trust,
        }
    }

    /// The documents of a kind, to add some.
    pub fn of_mut(&mut self, kind: Kind) -> &mut Vec<Value> {
        match kind {
            Kind::Client => &mut self.client,
            Kind::Subject => &mut self.subject,
            Kind::Permission => &mut self.permission,
            Kind::Scope => &mut self.scope,
            Kind::Issuer => &mut self.issuer,
            Kind::Trust => &mut self.trust,
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        Kind::ALL.into_iter().all(|kind| self.of(kind).is_empty())
    }
}
