//! The registries in SQLite: what all kinds of resources have in common.

use std::sync::Arc;

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Action, Actor, ChangeRecord, Filter as _, Resource, ResourceId, Revision},
    storage::{AnyChange, Applied, Batch, Change, Cursor, List, Page, Registry, StoreError},
};
use rusqlite::{Connection, Row};
use serde_json::{Value, json};

use super::{
    SqliteStore, change_record,
    error::{Failure, text},
    search::{Names, Search},
};
use crate::{MasterKey, form};

/// A resource that has a table.
pub(super) trait Stored: Resource {
    /// Adds it, if its name is free.
    fn insert(&self, connection: &Connection, master_key: &MasterKey) -> Result<(), Failure>;

    /// Writes this state of it, and counts its version.
    fn update(&self, connection: &Connection, master_key: &MasterKey) -> Result<(), Failure>;

    /// Removes it, with what hangs on it.
    fn delete(connection: &Connection, id: &Self::Id) -> Result<(), Failure>;

    /// As it is stored.
    fn find(
        connection: &Connection,
        master_key: &MasterKey,
        id: &Self::Id,
    ) -> Result<Option<Arc<Self>>, Failure>;

    /// How a filter is asked of the table: it may let more through than pass.
    fn search(filter: &Self::Filter) -> Search;

    /// The name in a row of a search.
    fn name(row: &Row<'_>) -> Result<Self::Id, Failure> {
        let name = text(row, 0, Self::NAME)?;
        Ok(form::id::<Self>(name)?)
    }

    /// What a name has in this column.
    fn column(id: &Self::Id, _: &str) -> String {
        id.to_text()
    }

    /// Removes what ends when there is a new one, and records it.
    fn end_before(_: &mut Changing<'_>, _: &Self::Id) -> Result<(), Failure> {
        Ok(())
    }

    /// Records what goes when it is removed.
    fn record_what_goes_along(_: &mut Changing<'_>, _: &Self::Id) -> Result<(), Failure> {
        Ok(())
    }
}

#[async_trait]
impl<R: Stored> Registry<R> for SqliteStore {
    async fn get(&self, id: &R::Id) -> Result<Option<Arc<R>>, StoreError> {
        let (cached, id) = (self.0.cached.clone(), id.clone());
        self.0
            .readers()
            .read(move |connection| R::find(connection, &cached.source().master_key, &id))
            .await
    }

    async fn page(
        &self,
        filter: &R::Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Arc<R>>, StoreError> {
        let list = List::of::<R>(filter);
        let after = after.map(|cursor| list.id::<R>(cursor)).transpose()?;
        let (cached, filter, limit) = (self.0.cached.clone(), filter.clone(), limit.max(1));
        let search = move |connection: &Connection| {
            let master_key = &cached.source().master_key;
            search::<R>(connection, master_key, &filter, after, limit)
        };
        let found = self.0.lists.read(search).await?;
        let next = found.next.map(|id| list.cursor(&id.to_text()));
        Ok(Page::new(found.items, next))
    }

    async fn apply(&self, changes: Vec<Change<R>>, by: &Actor) -> Result<Applied<R>, StoreError> {
        let make = move |changing: &mut Changing<'_>| {
            let made = changes.into_iter().map(|change| changing.make(change));
            made.collect::<Result<_, _>>()
        };
        let (resources, _) = self.record_changes(by, make).await?;
        Ok(Applied::new(resources))
    }
}

#[async_trait]
impl Batch for SqliteStore {
    async fn apply_all(
        &self,
        changes: Vec<AnyChange>,
        by: &Actor,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let make = move |changing: &mut Changing<'_>| {
            let mut changes = changes.into_iter();
            changes.try_for_each(|change| changing.make_any(change))
        };
        let ((), records) = self.record_changes(by, make).await?;
        Ok(records)
    }
}

/// Resources that are read at once when the first did not fill the page.
const PORTION: u32 = 200;
/// After this many a page ends, so that none takes long; its cursor goes on.
const LOOKED_AT: usize = 1_000;

/// What a search found, and behind which name the next one begins.
struct Found<R: Resource> {
    items: Vec<Arc<R>>,
    next: Option<R::Id>,
}

/// At most `limit` of the resources that pass, behind the one named.
fn search<R: Stored>(
    connection: &Connection,
    master_key: &MasterKey,
    filter: &R::Filter,
    mut after: Option<R::Id>,
    limit: u32,
) -> Result<Found<R>, Failure> {
    let search = R::search(filter);
    let (mut items, mut looked_at, mut portion) = (Vec::new(), 0, limit);
    loop {
        let Names { ids, next } = search.names::<R>(connection, after.as_ref(), portion)?;
        let is_last = next.is_none();
        looked_at += ids.len();
        let is_short = ids.len() < portion as usize;
        let mut ids = ids.into_iter();
        while let Some(id) = ids.next() {
            let found = R::find(connection, master_key, &id)?;
            items.extend(found.filter(|one| filter.passes(one)));
            if items.len() == limit as usize {
                let has_more = !is_last || ids.len() > 0;
                let next = has_more.then_some(id);
                return Ok(Found { items, next });
            }
        }
        if is_last || is_short || looked_at >= LOOKED_AT {
            return Ok(Found { items, next });
        }
        (after, portion) = (next, PORTION);
    }
}

impl SqliteStore {
    /// Makes changes and keeps their records, in one transaction. Answers the records as they are
    /// kept.
    pub(super) async fn record_changes<T: Send + 'static>(
        &self,
        by: &Actor,
        make: impl FnOnce(&mut Changing<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<(T, Vec<ChangeRecord>), StoreError> {
        let (by, at) = (by.clone(), self.0.cached.clock().now());
        let work = move |connection: &Connection, master_key: &MasterKey| {
            let changing = Changing {
                connection,
                master_key,
                by: &by,
                at,
                records: Vec::new(),
            };
            Ok(changing.apply(make)?)
        };
        let (made, records) = self.write(work).await?;
        records.iter().for_each(ChangeRecord::log);
        Ok((made, records))
    }
}

impl SqliteStore {
    /// Keeps the record of a change of what is no registration, such as an invitation.
    ///
    /// # Errors
    /// [`StoreError`]: it may not have been kept.
    pub async fn keep_record(&self, record: ChangeRecord) -> Result<(), StoreError> {
        let by = record.actor.clone();
        let keep = move |changing: &mut Changing<'_>| {
            changing.records.push(record);
            Ok(())
        };
        self.record_changes(&by, keep).await.map(drop)
    }
}

/// The changes of one call, in its transaction.
pub(super) struct Changing<'a> {
    pub(super) connection: &'a Connection,
    pub(super) master_key: &'a MasterKey,
    pub(super) by: &'a Actor,
    pub(super) at: UnixTime,
    pub(super) records: Vec<ChangeRecord>,
}

impl Changing<'_> {
    fn apply<T>(
        mut self,
        make: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<(T, Vec<ChangeRecord>), Failure> {
        let recording = change_record::Recording::begin(self.connection)?;
        let made = make(&mut self)?;
        for record in &mut self.records {
            change_record::insert(self.connection, record)?;
        }
        recording.end()?;
        Ok((made, self.records))
    }

    fn make_any(&mut self, change: AnyChange) -> Result<(), Failure> {
        match change {
            AnyChange::Client(change) => self.make(change).map(drop),
            AnyChange::Subject(change) => self.make(change).map(drop),
            AnyChange::Operator(change) => self.make(change).map(drop),
            AnyChange::Permission(change) => self.make(change).map(drop),
            AnyChange::Scope(change) => self.make(change).map(drop),
            AnyChange::Password(change) => self.make(change).map(drop),
            AnyChange::Passkey(change) => self.make(change).map(drop),
            AnyChange::Issuer(change) => self.make(change).map(drop),
            AnyChange::Trust(change) => self.make(change).map(drop),
            AnyChange::NoneSince { kind, newest } => self.expect_none_since(kind, newest),
        }
    }

    fn expect_none_since(&self, kind: &'static str, newest: u64) -> Result<(), Failure> {
        match change_record::newest(self.connection, kind)? == newest {
            true => Ok(()),
            false => Err(StoreError::Conflict(kind).into()),
        }
    }

    fn make<R: Stored>(&mut self, change: Change<R>) -> Result<Option<Arc<R>>, Failure> {
        match change {
            Change::Create(resource) => {
                R::end_before(self, &resource.id())?;
                resource.insert(self.connection, self.master_key)?;
                let after = self.now::<R>(&resource.id())?;
                self.record::<R>(
                    &resource.id(),
                    Action::Create,
                    [None, Some(after.document())],
                );
                Ok(Some(after))
            }
            Change::Replace(resource) => {
                let id = resource.id();
                let before = self.now::<R>(&id)?;
                expect_unchanged::<R>(before.revision(), resource.revision())?;
                resource.update(self.connection, self.master_key)?;
                let after = self.now::<R>(&id)?;
                let documents = [before.document(), after.document()].map(Some);
                self.record::<R>(&id, Action::Replace, documents);
                Ok(Some(after))
            }
            Change::Delete(id, revision) => {
                let before = self.before_its_end::<R>(&id, revision)?;
                R::record_what_goes_along(self, &id)?;
                R::delete(self.connection, &id)?;
                self.record::<R>(&id, Action::Delete, [Some(before), None]);
                Ok(None)
            }
            Change::Expect(id, expected) => {
                let found = R::find(self.connection, self.master_key, &id)?;
                match found.as_ref().map(|found| found.revision()) == expected {
                    true => Ok(found),
                    false => Err(StoreError::Conflict(R::NAME).into()),
                }
            }
        }
    }

    /// Records the end of what goes along. What cannot be read goes without a record of its own.
    pub(super) fn goes_along<R: Resource>(
        &mut self,
        found: Result<Vec<R>, Failure>,
    ) -> Result<(), Failure> {
        for one in readable(found)?.unwrap_or_default() {
            self.record::<R>(&one.id(), Action::Delete, [Some(one.document()), None]);
        }
        Ok(())
    }

    /// What is stored under this name now.
    fn now<R: Stored>(&self, id: &R::Id) -> Result<Arc<R>, Failure> {
        let found = R::find(self.connection, self.master_key, id)?;
        Ok(found.ok_or(StoreError::Missing(R::NAME))?)
    }

    /// The document of what is about to be removed. A row that cannot be read can be removed too.
    fn before_its_end<R: Stored>(
        &self,
        id: &R::Id,
        revision: Option<Revision>,
    ) -> Result<Value, Failure> {
        match (readable(self.now::<R>(id))?, revision) {
            (Some(found), Some(revision)) => {
                expect_unchanged::<R>(found.revision(), revision)?;
                Ok(found.document())
            }
            (Some(found), None) => Ok(found.document()),
            (None, Some(_)) => Err(StoreError::Conflict(R::NAME).into()),
            (None, None) => Ok(json!("it could not be read")),
        }
    }

    fn record<R: Resource>(&mut self, id: &R::Id, action: Action, states: [Option<Value>; 2]) {
        let record = ChangeRecord::new::<R>(id, action, states, self.by, self.at);
        self.records.push(record);
    }
}

fn expect_unchanged<R: Resource>(found: Revision, expected: Revision) -> Result<(), Failure> {
    match found == expected {
        true => Ok(()),
        false => Err(StoreError::Conflict(R::NAME).into()),
    }
}

/// `None` for a row that does not hold what this program once wrote there.
fn readable<T>(read: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Failure::Unreadable(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}
