//! What operators do with permissions.

use std::time::Duration;

use grantor_jose::json::Object;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Error, Fault, Named,
    document::{Document, time},
    error::none_of,
    manager::fault_of_manager,
};
use crate::{
    clock::UnixTime,
    registry::{
        Actor, Client, Origin, Permission, PermissionFilter, PermissionId, Resource as _, Revision,
        Subject,
    },
    storage::{Change, Cursor, Page, Registry, StoreError},
    types::{ClientId, GrantType, Name, Scope, SubjectId},
};

/// A permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PermissionDocument {
    /// The client that may act.
    pub client: ClientId,
    /// The subject that it may act for.
    pub subject: SubjectId,
    /// The party that gave it.
    #[serde(default)]
    pub origin: Origin,
    /// Within which scope; null for all that the client may get.
    #[serde(default)]
    pub scope: Option<Scope>,
    /// By which grants; by the JWT bearer grant where nothing is said.
    #[serde(default = "jwt_bearer")]
    pub grants: Vec<GrantType>,
    /// When it was given (RFC 3339); null if nobody has kept that. Not read.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub created_at: Option<UnixTime>,
    /// From then on it counts no more (RFC 3339); null if it has no end.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub expires_at: Option<UnixTime>,
    /// When something was last granted by it, to the hour (RFC 3339); null if nothing was, as far
    /// as it is known. Not read.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub last_used_at: Option<UnixTime>,
    /// The name under which files say what it is. Only `apply` sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// The state that it shows. Not a member: HTTP has it as `ETag`.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub revision: Revision,
}

fn jwt_bearer() -> Vec<GrantType> {
    vec![GrantType::JWT_BEARER]
}

impl Document for PermissionDocument {
    fn least() -> Object {
        ["client", "subject"]
            .map(|member| (member.to_owned(), json!("x")))
            .into_iter()
            .collect()
    }
}

impl PermissionDocument {
    /// The operator's, without an end: all that the client may get, by the JWT bearer grant.
    pub fn new(client: ClientId, subject: SubjectId) -> Self {
        Self::of(&Permission::new(client, subject, None))
    }

    /// What is registered about this permission.
    pub fn of(permission: &Permission) -> Self {
        Self {
            client: permission.client.clone(),
            subject: permission.subject.clone(),
            origin: permission.origin,
            scope: permission.scope.clone(),
            grants: permission.grants.clone(),
            created_at: permission.created_at,
            expires_at: permission.expires_at,
            last_used_at: permission.last_used_at,
            managed_by: permission.managed_by.clone(),
            revision: permission.revision,
        }
    }

    /// Reads a document strictly: what is unknown in it, or there twice, is refused.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Ok(Self::parse_document(text)?)
    }

    /// What is wrong with a permission that an operator gives, whatever else is registered.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.origin != Origin::Operator {
            let detail = "only the person gives this; leave it out";
            faults.push(Fault::new("origin", detail));
        }
        if self.grants.is_empty() {
            faults.push(Fault::new("grants", "name one"));
        }
        faults
    }

    /// Succeeds if an operator may give it in the place of one with this manager.
    fn check(&self, manager: &Option<Name>) -> Result<(), Error> {
        let mut faults = self.faults();
        let named = self.managed_by.as_ref().or(manager.as_ref());
        faults.extend(fault_of_manager(&named.cloned(), manager));
        none_of(faults)
    }

    /// What is given in the place of this one.
    fn successor_of(&self, before: &Permission) -> Permission {
        Permission {
            scope: self.scope.clone(),
            grants: self.grants.clone(),
            expires_at: self.expires_at,
            ..before.clone()
        }
    }

    /// The permission that it registers, given at this time.
    pub(super) fn permission(self, created_at: UnixTime) -> Permission {
        let permission = Permission::new(self.client, self.subject, self.scope)
            .by_grants(self.grants)
            .given_at(created_at)
            .until(self.expires_at);
        Permission {
            managed_by: self.managed_by,
            ..permission
        }
    }
}

/// The permissions of a registry.
#[derive(Clone, Copy)]
pub struct Permissions<'a> {
    registry: &'a dyn Registry<Permission>,
    now: UnixTime,
}

impl<'a> Permissions<'a> {
    /// Those of this registry, at this time.
    pub fn new(registry: &'a dyn Registry<Permission>, now: UnixTime) -> Self {
        Self { registry, now }
    }

    /// At most `limit` permissions in the order of their names. A page may be shorter although there
    /// is a next one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &PermissionFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<PermissionDocument>, Error> {
        let page = self.registry.page(filter, after, limit).await?;
        Ok(page.map(|permission| PermissionDocument::of(&permission)))
    }

    /// One permission.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn get(&self, id: &PermissionId) -> Result<PermissionDocument, Error> {
        let found = self.registry.get(id).await?;
        found
            .map(|permission| PermissionDocument::of(&permission))
            .ok_or_else(|| Error::NotFound(named(id)))
    }

    /// Lets one of these clients act for a subject, by the operator's word.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a person's, which only the person gives, and for what is beyond the
    /// client; [`Error::NotFound`] for either of them, [`Error::Exists`], [`Error::Store`]
    pub async fn create(
        &self,
        document: PermissionDocument,
        clients: &dyn Registry<Client>,
        by: &Actor,
    ) -> Result<PermissionDocument, Error> {
        document.check(&None)?;
        self.check_within(&document, clients).await?;
        let (client, subject) = (document.client.clone(), document.subject.clone());
        let created = self.registry.create(document.permission(self.now), by);
        let created = created.await.map_err(|error| {
            let named = match error {
                StoreError::Missing(Client::NAME) => Named::Client(client),
                StoreError::Missing(Subject::NAME) => Named::Subject(subject),
                _ => Named::Permission(client, subject),
            };
            Error::from(error).about(named)
        })?;
        Ok(PermissionDocument::of(&created))
    }

    /// Lets a client act for a subject by the operator's word, in the place of what that was.
    ///
    /// # Errors
    /// As [`Permissions::create`], but for [`Error::Exists`]; [`Error::Conflict`]
    pub async fn set(
        &self,
        document: PermissionDocument,
        clients: &dyn Registry<Client>,
        by: &Actor,
    ) -> Result<PermissionDocument, Error> {
        self.check_within(&document, clients).await?;
        let id = PermissionId::by_operator(document.client.clone(), document.subject.clone());
        let replaced = self.registry.change(&id, by, |before: &Permission| {
            document.check(&before.managed_by)?;
            Ok(document.successor_of(before))
        });
        match replaced.await {
            Err(Error::Store(StoreError::Missing(_))) => self.create(document, clients, by).await,
            replaced => {
                let replaced = replaced.map_err(|error: Error| error.about(named(&id)))?;
                Ok(PermissionDocument::of(&replaced))
            }
        }
    }

    /// Succeeds if all of it could be granted, as the client is registered now. Whether power over
    /// this server may be given is not for here: whoever may not is told so.
    async fn check_within(
        &self,
        document: &PermissionDocument,
        clients: &dyn Registry<Client>,
    ) -> Result<(), Error> {
        let Some(client) = clients.get(&document.client).await? else {
            return Err(Error::NotFound(Named::Client(document.client.clone())));
        };
        let mut permission = document.clone().permission(self.now);
        permission.scope = permission.scope.map(Scope::without_reserved);
        none_of(Vec::from_iter(fault_beyond(&client, &permission)))
    }

    /// Withdraws a permission.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn delete(&self, id: &PermissionId, by: &Actor) -> Result<(), Error> {
        let deleted = self.registry.delete(id, by).await;
        deleted.map_err(|error| Error::from(error).about(named(id)))
    }

    /// Ends the permissions by which nothing was granted for as long as this, nor since they were
    /// given: each is withdrawn, and recorded so. Those that are changed meanwhile stay, and those
    /// of which neither time is known. Answers how many were ended.
    ///
    /// # Errors
    /// [`Error::Store`]; those that were ended before stay so.
    pub async fn end_unused(&self, unused: Duration, by: &Actor) -> Result<u64, Error> {
        let last_day = self.now.minus(unused);
        let (every, mut ended, mut after) = (PermissionFilter::default(), 0, None);
        loop {
            let page = self.registry.page(&every, after.as_ref(), PAGE).await?;
            for permission in page.items {
                let last = permission.last_used_at.max(permission.created_at);
                if last.is_some_and(|last| last <= last_day) {
                    let delete = Change::Delete(permission.id(), Some(permission.revision));
                    match self.registry.apply(vec![delete], by).await {
                        Ok(_) => ended += 1,
                        Err(StoreError::Conflict(_) | StoreError::Missing(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(ended),
            }
        }
    }
}

/// What a permission allows beyond what its client is registered for: it would never be granted.
pub(super) fn fault_beyond(client: &Client, permission: &Permission) -> Option<Fault> {
    let (scope, registered) = (permission.scope.as_ref()?, &client.metadata().scope);
    (!scope.is_subset(registered)).then(|| {
        let detail = format!(
            "client {} is registered for '{registered}', and '{}' is beyond; leave it out, or \
             register the client for it",
            client.id(),
            scope.without(registered)
        );
        Fault::new("scope", detail)
    })
}

/// Permissions that are read at once.
const PAGE: u32 = 1000;

fn named(id: &PermissionId) -> Named {
    Named::Permission(id.client.clone(), id.subject.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        registry::{Action, ChangeRecord, ClientMetadata, PermissionNumbers},
        server::{Decision, DecisionLog as _, Request},
        storage::{ChangeFilter, MemoryStore, Registries as _, Start},
        types::AuthMethod,
    };

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    fn client(name: &str) -> ClientId {
        ClientId::parse(name).expect("a name")
    }

    fn subject(name: &str) -> SubjectId {
        SubjectId::parse(name).expect("a name")
    }

    /// With the clients `a` and `b`, and the subjects `alice` and `bob`.
    async fn store() -> MemoryStore {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        for name in ["a", "b"] {
            let metadata = ClientMetadata::new(client(name), AuthMethod::NONE, NOW);
            let client = Client::new(metadata, Vec::new(), Vec::new()).expect("a client");
            store
                .clients()
                .create(client, &by)
                .await
                .expect("registered");
        }
        for name in ["alice", "bob"] {
            let subject = Subject::new(subject(name));
            store
                .subjects()
                .create(subject, &by)
                .await
                .expect("registered");
        }
        store
    }

    #[tokio::test]
    async fn a_permission_is_given_found_and_withdrawn() {
        let (store, by) = (store().await, Actor::program("test"));
        let permissions = Permissions::new(store.permissions(), NOW);
        let given = PermissionDocument::new(client("a"), subject("alice"));
        let id = PermissionId::by_operator(client("a"), subject("alice"));
        let made = permissions
            .create(given.clone(), store.clients(), &by)
            .await
            .expect("given");
        assert_eq!(made.created_at, Some(NOW));
        let read = permissions.get(&id).await.expect("registered");
        let text = serde_json::to_vec(&read).expect("JSON");
        let read = PermissionDocument::parse(&text).expect("a document");
        assert_eq!(json!(read), json!(made));
        let again = permissions
            .create(given, store.clients(), &by)
            .await
            .expect_err("given already");
        assert!(matches!(again, Error::Exists(Named::Permission(..))));
        permissions.delete(&id, &by).await.expect("withdrawn");
        let gone = permissions.delete(&id, &by).await.expect_err("withdrawn");
        assert!(matches!(gone, Error::NotFound(Named::Permission(..))));
        let gone = permissions.get(&id).await.expect_err("withdrawn");
        assert!(matches!(gone, Error::NotFound(Named::Permission(..))));
    }

    #[tokio::test]
    async fn the_side_that_is_missing_is_named() {
        let (store, by) = (store().await, Actor::program("test"));
        let permissions = Permissions::new(store.permissions(), NOW);
        let give = async |name: &str, for_whom: &str| {
            let document = PermissionDocument::new(client(name), subject(for_whom));
            permissions.create(document, store.clients(), &by).await
        };
        let error = give("nobody", "alice").await.expect_err("no client");
        assert!(matches!(error, Error::NotFound(Named::Client(name)) if name == client("nobody")));
        let error = give("a", "nobody").await.expect_err("no subject");
        assert!(
            matches!(error, Error::NotFound(Named::Subject(name)) if name == subject("nobody"))
        );
        assert!(give("a", "alice").await.is_ok());
    }

    #[tokio::test]
    async fn m012_nobody_is_permitted_what_the_client_is_not_registered_for() {
        let (store, by) = (store().await, Actor::program("test"));
        let permissions = Permissions::new(store.permissions(), NOW);
        let widen = |client: &Client| {
            let mut metadata = client.metadata().clone();
            metadata.scope = Scope::parse("read write").expect("a scope");
            client.changed(metadata, Vec::new(), Vec::new())
        };
        let widened =
            |client: &Client| widen(client).map_err(|error| StoreError::Failed(Box::new(error)));
        let changed = store.clients().change(&client("a"), &by, widened).await;
        changed.expect("changed");
        let of = |scope: &str| {
            let mut document = PermissionDocument::new(client("a"), subject("alice"));
            document.scope = Some(Scope::parse(scope).expect("a scope"));
            document
        };
        let clients = store.clients();
        let beyond = |given: Result<PermissionDocument, Error>| match given {
            Err(Error::Invalid(faults)) => faults[0].pointer == "/scope" && faults.len() == 1,
            _ => false,
        };
        for wrong in ["read admin", "admin"] {
            assert!(beyond(permissions.create(of(wrong), clients, &by).await));
            assert!(beyond(permissions.set(of(wrong), clients, &by).await));
        }
        let given = permissions.create(of("read"), clients, &by).await;
        given.expect("within");
        assert!(beyond(
            permissions.set(of("read admin"), clients, &by).await
        ));
        let set = permissions.set(of("read write"), clients, &by).await;
        set.expect("within");
    }

    #[tokio::test]
    async fn nobody_gives_what_only_a_person_gives() {
        let (store, by) = (store().await, Actor::program("test"));
        let permissions = Permissions::new(store.permissions(), NOW);
        let mut document = PermissionDocument::new(client("a"), subject("alice"));
        document.origin = Origin::Person;
        document.grants.clear();
        let given = permissions.create(document, store.clients(), &by).await;
        let Err(Error::Invalid(faults)) = given else {
            unreachable!("two faults")
        };
        let pointers: Vec<_> = faults.iter().map(|fault| &*fault.pointer).collect();
        assert_eq!(pointers, ["/origin", "/grants"]);
    }

    #[tokio::test]
    async fn what_nobody_uses_ends_and_is_recorded() {
        let (store, by) = (store().await, Actor::program("test"));
        let day = |days: u64| NOW.plus(Duration::from_secs(days * 86_400));
        let give = async |name: &str, for_whom: &str, created_at: Option<UnixTime>| {
            let mut given = Permission::new(client(name), subject(for_whom), None);
            given.created_at = created_at;
            let given = store.permissions().create(given, &by).await;
            given.expect("registered").revision.number
        };
        give("a", "alice", Some(day(0))).await;
        let used = give("a", "bob", Some(day(0))).await;
        give("b", "alice", Some(day(1))).await;
        give("b", "bob", None).await;
        let numbers = PermissionNumbers {
            operator: Some(used),
            person: None,
        };
        let request = Request::blank(day(1));
        let mut decision = Decision::new("token", &request).with_permissions(numbers);
        (decision.client, decision.subject) = (Some(client("a")), Some(subject("bob")));
        store.record(&decision);

        let after = async |days: u64| {
            let unused = Duration::from_secs(400 * 86_400);
            let permissions = Permissions::new(store.permissions(), day(days));
            let ended = permissions.end_unused(unused, &by).await.expect("ended");
            let left = store.permissions().all().await.expect("a list");
            let name = |one: &Permission| format!("{} {}", one.client, one.subject);
            let left: Vec<_> = left.iter().map(|one| name(one)).collect();
            (ended, left.join(", "))
        };
        assert_eq!(after(399).await.0, 0);
        assert_eq!(after(400).await, (1, "a bob, b alice, b bob".to_owned()));
        assert_eq!(after(401).await, (2, "b bob".to_owned()));
        let log = store.changes();
        let log = log.page(&ChangeFilter::default(), Start::Last(2), 2).await;
        for entry in log.expect("a page").entries {
            let record: ChangeRecord = serde_json::from_str(&entry.document).expect("a record");
            assert_eq!((record.action, &record.actor), (Action::Delete, &by));
        }
    }

    #[tokio::test]
    async fn a_filter_finds_those_that_are_all_of_it() {
        let (store, by) = (store().await, Actor::program("test"));
        let permissions = Permissions::new(store.permissions(), NOW);
        for (name, for_whom) in [("a", "alice"), ("a", "bob"), ("b", "bob")] {
            let document = PermissionDocument::new(client(name), subject(for_whom));
            let given = permissions.create(document, store.clients(), &by).await;
            given.expect("given");
        }
        for (name, for_whom, origin, count) in [
            (None, None, None, 3),
            (Some("a"), None, None, 2),
            (None, Some("bob"), None, 2),
            (Some("b"), Some("alice"), None, 0),
            (Some("b"), Some("bob"), Some(Origin::Operator), 1),
            (Some("b"), Some("bob"), Some(Origin::Person), 0),
        ] {
            let filter = PermissionFilter {
                client: name.map(client),
                subject: for_whom.map(subject),
                origin,
                ..PermissionFilter::default()
            };
            let page = permissions.page(&filter, None, 50).await.expect("a page");
            assert_eq!(page.items.len(), count, "{filter:?}");
        }
    }
}
