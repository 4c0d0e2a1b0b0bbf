//! What is registered, in memory, and the record of their changes.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use super::{MemoryStore, lock, log::Records};
use crate::{
    clock::{Clock as _, SystemClock, UnixTime},
    registry::{
        Action, Actor, ChangeRecord, Client, Filter as _, Issuers, Operator, Passkey, Password,
        Permission, PermissionId, Permissions, Resource, ResourceId, Revision, ScopeText, Subject,
        Trust, TrustedIssuer, Trusts,
    },
    server::Decision,
    storage::{
        AnyChange, Applied, Batch, Change, ClientEnds, ClientSource, Cursor, IssuerSource, List,
        Page, PermissionSource, Registry, StoreError, SubjectPermissions, SubjectSource,
    },
    types::{ClientId, IssuerId, SubjectId},
};

type Table<R> = BTreeMap<<R as Resource>::Id, Arc<R>>;

/// The registrations.
#[derive(Debug, Default)]
pub(super) struct Registered {
    /// The last number given to a registration.
    last_number: u64,
    clients: Table<Client>,
    subjects: Table<Subject>,
    operators: Table<Operator>,
    permissions: Table<Permission>,
    scopes: Table<ScopeText>,
    passwords: Table<Password>,
    passkeys: Table<Passkey>,
    issuers: Table<TrustedIssuer>,
    trusts: Table<Trust>,
    at_hand: AtHand,
    records: Records<ChangeRecord>,
}

/// What requests find issuers and trusts in, until one of them changes.
#[derive(Debug, Default)]
struct AtHand {
    issuers: Option<Arc<Issuers>>,
    trusts: HashMap<IssuerId, Arc<Trusts>>,
}

/// What the store must know of a kind of resource.
trait Kept: Resource {
    fn table(registered: &mut Registered) -> &mut Table<Self>;

    /// Whether there is room for a new one.
    fn check_new(&self, registered: &Registered) -> Result<(), StoreError>;

    /// Whether it may take the place of the one of its name.
    fn check_changed(&self, _: &Registered) -> Result<(), StoreError> {
        Ok(())
    }

    /// Drops what was made of it for requests.
    fn forget(&self, _: &mut AtHand) {}

    /// Removes what ends when there is a new one.
    fn end_before(_: &Self::Id, _: &mut Registered, _: &mut Journal<'_>) {}

    /// Removes what ends with it.
    fn end_along(_: &Self::Id, _: &mut Registered, _: &mut Journal<'_>) {}
}

impl Kept for Client {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.clients
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        registered.check_name(self.id().as_str())?;
        match registered.issuers.contains_key(self.id().as_str()) {
            true => Err(StoreError::Exists("client or issuer")),
            false => Ok(()),
        }
    }

    fn end_along(id: &ClientId, registered: &mut Registered, journal: &mut Journal<'_>) {
        registered.end_permissions(journal, |permission| permission.client == *id);
        registered.end_trusts(journal, |trust| trust.client == *id);
    }
}

impl Kept for Subject {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.subjects
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        registered.check_name(self.id.as_str())
    }

    fn end_along(id: &SubjectId, registered: &mut Registered, journal: &mut Journal<'_>) {
        registered.end_permissions(journal, |permission| permission.subject == *id);
        registered.end_credentials(id, journal);
        if let Some(operator) = registered.operators.remove(id) {
            journal.changed(id.clone(), Some(operator), None);
        }
    }
}

impl Kept for Permission {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.permissions
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        if !registered.clients.contains_key(&self.client) {
            return Err(StoreError::Missing("client"));
        }
        if !registered.subjects.contains_key(&self.subject) {
            return Err(StoreError::Missing("subject"));
        }
        match registered.permissions.contains_key(&self.id()) {
            true => Err(StoreError::Exists("permission")),
            false => Ok(()),
        }
    }
}

impl Kept for ScopeText {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.scopes
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        match registered.scopes.contains_key(&self.name) {
            true => Err(StoreError::Exists("scope")),
            false => Ok(()),
        }
    }
}

impl Kept for Password {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.passwords
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        if !registered.subjects.contains_key(&self.subject) {
            return Err(StoreError::Missing("subject"));
        }
        match registered.passwords.contains_key(&self.subject) {
            true => Err(StoreError::Exists("password")),
            false => Ok(()),
        }
    }
}

impl Kept for Passkey {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.passkeys
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        self.check_changed(registered)?;
        match registered.passkeys.contains_key(&self.credential) {
            true => Err(StoreError::Exists("passkey")),
            false => Ok(()),
        }
    }

    fn check_changed(&self, registered: &Registered) -> Result<(), StoreError> {
        match registered.subjects.contains_key(&self.subject) {
            true => Ok(()),
            false => Err(StoreError::Missing("subject")),
        }
    }
}

impl Kept for Operator {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.operators
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        if !registered.subjects.contains_key(&self.subject) {
            return Err(StoreError::Missing("subject"));
        }
        match registered.operators.contains_key(&self.subject) {
            true => Err(StoreError::Exists("operator")),
            false => Ok(()),
        }
    }

    fn end_before(id: &SubjectId, registered: &mut Registered, journal: &mut Journal<'_>) {
        registered.end_credentials(id, journal);
    }
}

impl Kept for TrustedIssuer {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.issuers
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        if registered.issuers.contains_key(&self.id) {
            return Err(StoreError::Exists("issuer"));
        }
        let is_client = |id| registered.clients.contains_key(&id);
        if ClientId::parse(self.id.as_str()).is_ok_and(is_client) {
            return Err(StoreError::Exists("client or issuer"));
        }
        self.check_changed(registered)
    }

    fn check_changed(&self, registered: &Registered) -> Result<(), StoreError> {
        let others = registered.issuers.values();
        let mut others = others.filter(|other| other.id != self.id);
        if others.clone().any(|other| other.name == self.name) {
            return Err(StoreError::Exists("issuer name"));
        }
        let has_domain = self.trust_domain.is_some();
        match has_domain && others.any(|other| other.trust_domain == self.trust_domain) {
            true => Err(StoreError::Exists("trust domain")),
            false => Ok(()),
        }
    }

    fn forget(&self, at_hand: &mut AtHand) {
        at_hand.issuers = None;
        at_hand.trusts.remove(&self.id);
    }

    fn end_along(id: &IssuerId, registered: &mut Registered, journal: &mut Journal<'_>) {
        registered.end_trusts(journal, |trust| trust.issuer == *id);
    }
}

impl Kept for Trust {
    fn table(registered: &mut Registered) -> &mut Table<Self> {
        &mut registered.trusts
    }

    fn check_new(&self, registered: &Registered) -> Result<(), StoreError> {
        self.check_changed(registered)?;
        match registered.trusts.contains_key(&self.name) {
            true => Err(StoreError::Exists("trust")),
            false => Ok(()),
        }
    }

    fn check_changed(&self, registered: &Registered) -> Result<(), StoreError> {
        if !registered.issuers.contains_key(&self.issuer) {
            return Err(StoreError::Missing("issuer"));
        }
        match registered.clients.contains_key(&self.client) {
            true => Ok(()),
            false => Err(StoreError::Missing("client")),
        }
    }

    fn forget(&self, at_hand: &mut AtHand) {
        at_hand.trusts.remove(&self.issuer);
    }
}

impl Registered {
    /// Clients and subjects share their names.
    fn check_name(&self, name: &str) -> Result<(), StoreError> {
        let is_client = ClientId::parse(name).is_ok_and(|id| self.clients.contains_key(&id));
        let is_subject = SubjectId::parse(name).is_ok_and(|id| self.subjects.contains_key(&id));
        match is_client || is_subject {
            true => Err(StoreError::Exists("client or subject")),
            false => Ok(()),
        }
    }

    /// The first revision of a new registration. A number is not given again, also where the change
    /// is taken back.
    fn register(&mut self) -> Revision {
        self.last_number += 1;
        Revision::first(self.last_number)
    }

    /// The record of changes.
    pub(super) fn records(&self) -> &Records<ChangeRecord> {
        &self.records
    }

    /// Makes changes and keeps their records, or takes back those that were made.
    fn apply<T>(
        &mut self,
        by: &Actor,
        make: impl FnOnce(&mut Self, &mut Journal<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, Vec<ChangeRecord>), StoreError> {
        let mut journal = Journal::new(by);
        match make(self, &mut journal) {
            Ok(made) => Ok((made, self.keep(journal.records))),
            Err(error) => {
                for undo in journal.undo.into_iter().rev() {
                    undo(self);
                }
                Err(error)
            }
        }
    }

    fn make_any(&mut self, change: AnyChange, journal: &mut Journal<'_>) -> Result<(), StoreError> {
        match change {
            AnyChange::Client(change) => self.make(change, journal).map(drop),
            AnyChange::Subject(change) => self.make(change, journal).map(drop),
            AnyChange::Operator(change) => self.make(change, journal).map(drop),
            AnyChange::Permission(change) => self.make(change, journal).map(drop),
            AnyChange::Scope(change) => self.make(change, journal).map(drop),
            AnyChange::Password(change) => self.make(change, journal).map(drop),
            AnyChange::Passkey(change) => self.make(change, journal).map(drop),
            AnyChange::Issuer(change) => self.make(change, journal).map(drop),
            AnyChange::Trust(change) => self.make(change, journal).map(drop),
            AnyChange::NoneSince { kind, newest } => {
                match self.records.newest(|record| record.resource == kind) == newest {
                    true => Ok(()),
                    false => Err(StoreError::Conflict(kind)),
                }
            }
        }
    }

    fn make<R: Kept>(
        &mut self,
        change: Change<R>,
        journal: &mut Journal<'_>,
    ) -> Result<Option<Arc<R>>, StoreError> {
        let (id, after) = match change {
            Change::Create(resource) => {
                resource.check_new(self)?;
                R::end_before(&resource.id(), self, journal);
                let revision = self.register();
                (resource.id(), Some(resource.with_revision(revision)))
            }
            Change::Replace(resource) => {
                let (id, revision) = (resource.id(), resource.revision());
                self.check_revision::<R>(&id, Some(revision))?;
                resource.check_changed(self)?;
                (id, Some(resource.with_revision(revision.next())))
            }
            Change::Delete(id, revision) => {
                self.check_revision::<R>(&id, revision)?;
                R::end_along(&id, self, journal);
                (id, None)
            }
            Change::Expect(id, expected) => return self.expect(&id, expected),
        };
        let after = after.map(Arc::new);
        let before = self.put(&id, after.clone());
        journal.changed(id, before, after.clone());
        Ok(after)
    }

    fn expect<R: Kept>(
        &mut self,
        id: &R::Id,
        expected: Option<Revision>,
    ) -> Result<Option<Arc<R>>, StoreError> {
        let found = R::table(self).get(id).cloned();
        match found.as_ref().map(|found| found.revision()) == expected {
            true => Ok(found),
            false => Err(StoreError::Conflict(R::NAME)),
        }
    }

    fn check_revision<R: Kept>(
        &mut self,
        id: &R::Id,
        expected: Option<Revision>,
    ) -> Result<(), StoreError> {
        let found = R::table(self).get(id).ok_or(StoreError::Missing(R::NAME))?;
        match expected.is_none_or(|expected| expected == found.revision()) {
            true => Ok(()),
            false => Err(StoreError::Conflict(R::NAME)),
        }
    }

    /// Replaces what is registered under a name. Answers what was.
    fn put<R: Kept>(&mut self, id: &R::Id, resource: Option<Arc<R>>) -> Option<Arc<R>> {
        if let Some(after) = &resource {
            after.forget(&mut self.at_hand);
        }
        let before = match resource {
            Some(resource) => R::table(self).insert(id.clone(), resource),
            None => R::table(self).remove(id),
        };
        if let Some(before) = &before {
            before.forget(&mut self.at_hand);
        }
        before
    }

    /// Removes what a subject signs in with.
    fn end_credentials(&mut self, id: &SubjectId, journal: &mut Journal<'_>) {
        if let Some(password) = self.passwords.remove(id) {
            journal.changed(id.clone(), Some(password), None);
        }
        let is_of_subject = |_: &_, passkey: &mut Arc<Passkey>| passkey.subject == *id;
        for (credential, passkey) in self.passkeys.extract_if(.., is_of_subject) {
            journal.changed(credential, Some(passkey), None);
        }
    }

    fn end_permissions(&mut self, journal: &mut Journal<'_>, ends: impl Fn(&Permission) -> bool) {
        let ends = |_: &_, permission: &mut Arc<Permission>| ends(permission);
        for (id, permission) in self.permissions.extract_if(.., ends) {
            journal.changed(id, Some(permission), None);
        }
    }

    fn end_trusts(&mut self, journal: &mut Journal<'_>, ends: impl Fn(&Trust) -> bool) {
        let ended = self.trusts.values().filter(|trust| ends(trust));
        let ended: Vec<_> = ended.map(|trust| trust.name.clone()).collect();
        for name in ended {
            let before = self.put::<Trust>(&name, None);
            journal.changed(name, before, None);
        }
    }

    /// All issuers, as requests find them.
    fn issuers(&mut self) -> Arc<Issuers> {
        let registered = self.issuers.values();
        let made = || Arc::new(Issuers::new(registered.cloned()));
        self.at_hand.issuers.get_or_insert_with(made).clone()
    }

    /// The trusts of this registration of an issuer. One that was registered later under the same
    /// `iss` is another one.
    fn trusts_of(&mut self, issuer: &TrustedIssuer) -> Arc<Trusts> {
        let registered = self.issuers.get(&issuer.id);
        if registered.is_none_or(|found| found.revision.number != issuer.revision.number) {
            return Arc::default();
        }
        let made = || {
            let trusts = self.trusts.values();
            let trusts = trusts.filter(|trust| trust.issuer == issuer.id);
            Arc::new(Trusts::new(trusts.cloned()))
        };
        let at_hand = self.at_hand.trusts.entry(issuer.id.clone());
        at_hand.or_insert_with(made).clone()
    }

    /// Keeps when permissions were used: in the hour in which it begins.
    pub(super) fn used(&mut self, decision: &Decision) {
        let numbers = decision.permissions();
        let (Some(client), Some(subject)) = (&decision.client, &decision.subject) else {
            return;
        };
        let hour = decision.at.start_of_hour();
        for (number, id) in [
            (numbers.operator, PermissionId::by_operator as fn(_, _) -> _),
            (numbers.person, PermissionId::by_person),
        ] {
            let used = self
                .permissions
                .get_mut(&id(client.clone(), subject.clone()));
            let is_same = |permission: &&mut Arc<Permission>| {
                Some(permission.revision.number) == number && permission.last_used_at < Some(hour)
            };
            if let Some(permission) = used.filter(is_same) {
                Arc::make_mut(permission).last_used_at = Some(hour);
            }
        }
    }

    /// Answers the records as they are kept.
    pub(super) fn keep(&mut self, mut records: Vec<ChangeRecord>) -> Vec<ChangeRecord> {
        for record in &mut records {
            self.records.push(|number| {
                record.id = number;
                let document = serde_json::to_string(record).expect("a record is JSON");
                (record.clone(), document)
            });
            record.log();
        }
        records
    }
}

/// Takes a change back.
type Undo = Box<dyn FnOnce(&mut Registered)>;

/// What was done so far, to record it or to take it back.
struct Journal<'a> {
    by: &'a Actor,
    records: Vec<ChangeRecord>,
    /// What takes each change back.
    undo: Vec<Undo>,
}

impl<'a> Journal<'a> {
    fn new(by: &'a Actor) -> Self {
        Self {
            by,
            records: Vec::new(),
            undo: Vec::new(),
        }
    }

    fn changed<R: Kept>(&mut self, id: R::Id, before: Option<Arc<R>>, after: Option<Arc<R>>) {
        self.records.push(self.record(&id, &before, &after));
        self.undo.push(Box::new(move |registered| {
            drop(registered.put(&id, before));
        }));
    }

    fn record<T: Resource>(
        &self,
        id: &T::Id,
        before: &Option<Arc<T>>,
        after: &Option<Arc<T>>,
    ) -> ChangeRecord {
        let action = match (before, after) {
            (None, _) => Action::Create,
            (Some(_), Some(_)) => Action::Replace,
            (Some(_), None) => Action::Delete,
        };
        let documents = [before, after].map(|state| state.as_ref().map(|one| one.document()));
        ChangeRecord::new::<T>(id, action, documents, self.by, SystemClock.now())
    }
}

#[async_trait]
impl<R: Kept> Registry<R> for MemoryStore {
    async fn get(&self, id: &R::Id) -> Result<Option<Arc<R>>, StoreError> {
        Ok(R::table(&mut lock(&self.registered)).get(id).cloned())
    }

    async fn page(
        &self,
        filter: &R::Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Arc<R>>, StoreError> {
        let list = List::of::<R>(filter);
        let from = match after {
            Some(cursor) => Bound::Excluded(list.id::<R>(cursor)?),
            None => Bound::Unbounded,
        };
        let limit = limit.max(1) as usize;
        let mut registered = lock(&self.registered);
        let rest = R::table(&mut registered).range((from, Bound::Unbounded));
        let read = rest
            .map(|(_, resource)| resource)
            .filter(|resource| filter.passes(resource))
            .take(limit.saturating_add(1))
            .cloned()
            .collect();
        let cursor = |last: &Arc<R>| list.cursor(&last.id().to_text());
        Ok(Page::of(read, limit, cursor))
    }

    async fn apply(&self, changes: Vec<Change<R>>, by: &Actor) -> Result<Applied<R>, StoreError> {
        let make = |registered: &mut Registered, journal: &mut Journal<'_>| {
            let made = changes.into_iter();
            made.map(|change| registered.make(change, journal))
                .collect()
        };
        let (resources, _) = lock(&self.registered).apply(by, make)?;
        Ok(Applied::new(resources))
    }
}

#[async_trait]
impl Batch for MemoryStore {
    async fn apply_all(
        &self,
        changes: Vec<AnyChange>,
        by: &Actor,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let make = |registered: &mut Registered, journal: &mut Journal<'_>| {
            let mut changes = changes.into_iter();
            changes.try_for_each(|change| registered.make_any(change, journal))
        };
        let ((), records) = lock(&self.registered).apply(by, make)?;
        Ok(records)
    }
}

#[async_trait]
impl ClientSource for MemoryStore {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, StoreError> {
        Ok(lock(&self.registered).clients.get(id).cloned())
    }
}

#[async_trait]
impl ClientEnds for MemoryStore {
    async fn clients_ending(
        &self,
        now: UnixTime,
        within: Duration,
        limit: usize,
    ) -> Result<Vec<ClientId>, StoreError> {
        let registered = lock(&self.registered);
        let (mut coming, mut over) = (Vec::new(), Vec::new());
        for client in registered.clients.values() {
            if !client.metadata().enabled {
                continue;
            }
            let keys: Vec<_> = client.keys().iter().map(|key| key.expires_at).collect();
            let secrets = client.secrets().iter().map(|secret| secret.expires_at);
            let secrets: Vec<_> = secrets.collect();
            let all = keys.iter().chain(&secrets).flatten();
            let next = all.filter(|at| (now..now.plus(within)).contains(at)).min();
            coming.extend(next.map(|at| (*at, client.id().clone())));
            let last = [&keys, &secrets]
                .into_iter()
                .filter_map(|ends| last_of(ends));
            let last = last
                .filter(|at| (now.minus(within)..now).contains(at))
                .max();
            over.extend(last.map(|at| (at, client.id().clone())));
        }
        coming.sort();
        over.sort();
        let over = over.into_iter().rev().take(limit);
        let found = coming.into_iter().take(limit).chain(over);
        Ok(found.map(|(_, id)| id).collect())
    }
}

/// When the last of all ends, if each does.
fn last_of(ends: &[Option<UnixTime>]) -> Option<UnixTime> {
    let all: Option<Vec<_>> = ends.iter().copied().collect();
    all?.into_iter().max()
}

#[async_trait]
impl SubjectSource for MemoryStore {
    async fn subject(&self, id: &SubjectId) -> Result<Option<Subject>, StoreError> {
        let subject = lock(&self.registered).subjects.get(id).cloned();
        Ok(subject.map(Arc::unwrap_or_clone))
    }
}

#[async_trait]
impl PermissionSource for MemoryStore {
    async fn permissions_of(
        &self,
        client: &ClientId,
        subject: &SubjectId,
    ) -> Result<Permissions, StoreError> {
        let registered = lock(&self.registered);
        let of_both = PermissionId::by_operator(client.clone(), subject.clone())
            ..=PermissionId::by_person(client.clone(), subject.clone());
        let records = registered.permissions.range(of_both);
        Ok(Permissions::of(records.map(|(_, record)| record.clone())))
    }
}

#[async_trait]
impl IssuerSource for MemoryStore {
    async fn issuers(&self) -> Result<Arc<Issuers>, StoreError> {
        Ok(lock(&self.registered).issuers())
    }

    async fn trusts(&self, issuer: &TrustedIssuer) -> Result<Arc<Trusts>, StoreError> {
        Ok(lock(&self.registered).trusts_of(issuer))
    }
}

#[async_trait]
impl SubjectPermissions for MemoryStore {
    async fn permissions_for(
        &self,
        subject: &SubjectId,
    ) -> Result<Vec<Arc<Permission>>, StoreError> {
        let registered = lock(&self.registered);
        let is_for = |permission: &&Arc<Permission>| permission.subject == *subject;
        let permissions = registered.permissions.values().filter(is_for);
        Ok(permissions.cloned().collect())
    }
}
