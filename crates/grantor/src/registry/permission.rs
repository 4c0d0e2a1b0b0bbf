//! Permissions: which client may act for which subject.
//!
//! Operator and person give theirs apart, so there are up to two records for a client and a
//! subject. What a client may get is what either allows.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ResourceId, Revision, Role};
use crate::{
    clock::UnixTime,
    types::{ClientId, GrantType, Name, Scope, SubjectId},
};

/// The party that gave a permission.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An operator of the server.
    #[default]
    Operator,
    /// The subject itself, on the consent page.
    Person,
}

impl Origin {
    /// The name, as stores and records have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Person => "person",
        }
    }

    /// The origin of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Operator, Self::Person]
            .into_iter()
            .find(|origin| origin.as_str() == name)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The name of a permission. Names are in order of client, subject and origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionId {
    /// Who may act.
    pub client: ClientId,
    /// For whom.
    pub subject: SubjectId,
    /// Who gave it.
    pub origin: Origin,
}

impl PermissionId {
    /// The operator's.
    pub fn by_operator(client: ClientId, subject: SubjectId) -> Self {
        let origin = Origin::Operator;
        Self {
            client,
            subject,
            origin,
        }
    }

    /// The person's own.
    pub fn by_person(client: ClientId, subject: SubjectId) -> Self {
        let origin = Origin::Person;
        Self {
            client,
            subject,
            origin,
        }
    }
}

/// A JSON array, for a name may contain any separator: client and subject, and behind them `person`
/// where it is the person's.
impl ResourceId for PermissionId {
    fn to_text(&self) -> String {
        match self.origin {
            Origin::Operator => json!([self.client, self.subject]),
            Origin::Person => json!([self.client, self.subject, self.origin]),
        }
        .to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        if let Ok((client, subject)) = serde_json::from_str(text) {
            return Some(Self::by_operator(client, subject));
        }
        match serde_json::from_str(text).ok()? {
            (client, subject, Origin::Person) => Some(Self::by_person(client, subject)),
            (.., Origin::Operator) => None,
        }
    }
}

/// This client may act for this subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Permission {
    /// Who may act.
    pub client: ClientId,
    /// For whom.
    pub subject: SubjectId,
    /// Who gave it.
    #[serde(default)]
    pub origin: Origin,
    /// Within which scope; `None` for all that the client may get, which no person says.
    pub scope: Option<Scope>,
    /// By which grants.
    #[serde(default = "jwt_bearer")]
    pub grants: Vec<GrantType>,
    /// When it was given; `None` if nobody has kept that.
    pub created_at: Option<UnixTime>,
    /// From when on it counts no more; `None` if it has no end.
    #[serde(default)]
    pub expires_at: Option<UnixTime>,
    /// Which version of the scopes' texts the person read; `None` where nothing was shown.
    #[serde(default)]
    pub text_version: Option<String>,
    /// The name under which files say what it is (`apply`); `None` where commands and pages do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// When something was last granted by it, to the hour, as far as its registry knows: no part of
    /// what was given, and of no change.
    #[serde(skip)]
    pub last_used_at: Option<UnixTime>,
    /// Which permission this is.
    #[serde(skip)]
    pub revision: Revision,
}

/// By what an operator's permission lets a client act where nothing else is said.
fn jwt_bearer() -> Vec<GrantType> {
    vec![GrantType::JWT_BEARER]
}

impl Permission {
    /// The operator lets `client` act for `subject`, by the JWT bearer grant.
    pub fn new(client: ClientId, subject: SubjectId, scope: Option<Scope>) -> Self {
        Self {
            client,
            subject,
            origin: Origin::Operator,
            scope,
            grants: jwt_bearer(),
            created_at: None,
            expires_at: None,
            text_version: None,
            managed_by: None,
            last_used_at: None,
            revision: Revision::default(),
        }
    }

    /// The person of `subject` lets `client` act, with exactly this scope and by exactly these
    /// grants.
    pub fn consented(
        client: ClientId,
        subject: SubjectId,
        scope: Scope,
        grants: Vec<GrantType>,
    ) -> Self {
        Self {
            origin: Origin::Person,
            grants,
            ..Self::new(client, subject, Some(scope))
        }
    }

    /// The same permission, for these grants.
    #[must_use]
    pub fn by_grants(self, grants: Vec<GrantType>) -> Self {
        Self { grants, ..self }
    }

    /// The same permission, given at this time.
    #[must_use]
    pub fn given_at(self, created_at: UnixTime) -> Self {
        Self {
            created_at: Some(created_at),
            ..self
        }
    }

    /// The same permission, until this time; without an end if `None`.
    #[must_use]
    pub fn until(self, expires_at: Option<UnixTime>) -> Self {
        Self { expires_at, ..self }
    }

    /// The same permission, given after reading this version of the scopes' texts.
    #[must_use]
    pub fn with_text_version(self, text_version: impl Into<String>) -> Self {
        Self {
            text_version: Some(text_version.into()),
            ..self
        }
    }

    /// The name.
    pub fn id(&self) -> PermissionId {
        PermissionId {
            client: self.client.clone(),
            subject: self.subject.clone(),
            origin: self.origin,
        }
    }

    /// Whether it counts at this time.
    pub fn is_in_force(&self, now: UnixTime) -> bool {
        // A person never allows everything.
        let says_what = self.origin == Origin::Operator || self.scope.is_some();
        says_what && self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether it lets the client act by this grant.
    pub fn lists(&self, grant: &GrantType) -> bool {
        self.grants.contains(grant)
    }
}

/// The numbers of the records that something was allowed by
/// ([`Revision::number`](crate::registry::Revision::number)): it ends with them, also when others
/// are given later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionNumbers {
    /// The operator's.
    pub operator: Option<u64>,
    /// The person's.
    pub person: Option<u64>,
}

impl PermissionNumbers {
    /// Whether there was none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The records of one client and one subject. Cloning it shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    operator: Option<Arc<Permission>>,
    person: Option<Arc<Permission>>,
}

impl Permissions {
    /// These records, each under its origin.
    pub fn of(records: impl IntoIterator<Item = Arc<Permission>>) -> Self {
        let mut permissions = Self::default();
        for record in records {
            match record.origin {
                Origin::Operator => permissions.operator = Some(record),
                Origin::Person => permissions.person = Some(record),
            }
        }
        permissions
    }

    /// The operator's record.
    pub fn operator(&self) -> Option<&Arc<Permission>> {
        self.operator.as_ref()
    }

    /// The person's record.
    pub fn person(&self) -> Option<&Arc<Permission>> {
        self.person.as_ref()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.operator.is_none() && self.person.is_none()
    }

    /// The operator's record alone.
    #[must_use]
    pub fn of_operator(self) -> Self {
        Self {
            person: None,
            ..self
        }
    }

    /// Those of the records that still are the ones with these numbers.
    #[must_use]
    pub fn still(mut self, numbers: PermissionNumbers) -> Self {
        let is = |record: &mut Arc<Permission>, number| Some(record.revision.number) == number;
        self.operator
            .take_if(|record| !is(record, numbers.operator));
        self.person.take_if(|record| !is(record, numbers.person));
        self
    }

    /// What the records in force allow together, by whichever grant; `None` if none is.
    pub fn in_force(&self, now: UnixTime) -> Option<Limit<'_>> {
        Limit::of(self, |permission| permission.is_in_force(now))
    }

    /// What the records in force allow by this grant; `None` if none of them lists it.
    pub fn covering(&self, grant: &GrantType, now: UnixTime) -> Option<Limit<'_>> {
        Limit::of(self, |permission| {
            permission.is_in_force(now) && permission.lists(grant)
        })
    }
}

/// What a client may do for a subject, by at least one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<'p> {
    operator: Option<&'p Permission>,
    person: Option<&'p Permission>,
}

impl<'p> Limit<'p> {
    /// By the records that count.
    fn of(permissions: &'p Permissions, counts: impl Fn(&Permission) -> bool) -> Option<Self> {
        let counting = |record: &'p Option<Arc<Permission>>| {
            record.as_deref().filter(|permission| counts(permission))
        };
        let (operator, person) = (
            counting(&permissions.operator),
            counting(&permissions.person),
        );
        operator.or(person)?;
        Some(Self { operator, person })
    }

    /// Of these scopes, those that either record allows, but for the server's own: of them
    /// [`Limit::role`] tells.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> Scope {
        match self.scope() {
            None => scope.clone(),
            Some(limit) => scope.intersection(&limit),
        }
        .without_reserved()
    }

    /// The greatest role that the operator's record names. All that the client may get names none, and
    /// what a person allows never does.
    pub fn role(&self) -> Option<Role> {
        Role::of_scope(self.operator?.scope.as_ref()?)
    }

    /// The scope that either record names; `None` for all that the client may get.
    pub fn scope(&self) -> Option<Cow<'p, Scope>> {
        let of = |record: &'p Permission| record.scope.as_ref();
        match (self.operator.map(of), self.person.map(of)) {
            (Some(Some(operator)), Some(Some(person))) => Some(Cow::Owned(operator.union(person))),
            (Some(scope), None) | (None, Some(scope)) => scope.map(Cow::Borrowed),
            (Some(None), Some(_)) | (Some(_), Some(None)) | (None, None) => None,
        }
    }

    /// The states of the records: the operator's, the person's.
    pub(crate) fn revisions(&self) -> (Option<Revision>, Option<Revision>) {
        let revision = |record: &Permission| record.revision;
        (self.operator.map(revision), self.person.map(revision))
    }

    /// The numbers of the records.
    pub fn numbers(&self) -> PermissionNumbers {
        let number = |record: &Permission| record.revision.number;
        PermissionNumbers {
            operator: self.operator.map(number),
            person: self.person.map(number),
        }
    }
}
