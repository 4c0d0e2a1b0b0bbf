//! The registries in PostgreSQL: what all kinds of resources have in common.
//!
//! Changes of the registry are made one after the other, by whichever node: a lock of all of them
//! is taken first. What a change rests on stays as it was read until the commit.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Action, Actor, ChangeRecord, Filter as _, Resource, ResourceId, Revision},
    storage::{AnyChange, Applied, Batch, Change, Cursor, List, Page, Registry, StoreError},
};
use serde_json::{Value, json};
use tokio_postgres::Row;

use super::{
    Inner, PostgresStore, change_record, connections::Lent, error::Failure, node, search::Search,
    session::Session,
};
use crate::{MasterKey, form};

/// A resource that has a table.
pub(super) trait Stored: Resource {
    /// Adds it, if its name is free.
    fn insert(&self, changing: &Changing) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Writes this state of it, and counts its version.
    fn update(&self, changing: &Changing) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Removes it, with what hangs on it.
    fn delete(
        changing: &Changing,
        id: &Self::Id,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Those of these names that are stored, in any order: one statement, so that their parts belong
    /// together.
    fn find_all(
        session: &Session,
        master_key: &MasterKey,
        ids: &[Self::Id],
    ) -> impl Future<Output = Result<Vec<Self>, Failure>> + Send;

    /// How a filter is asked of the table: it may let more through than pass.
    fn search(filter: &Self::Filter) -> Search;

    /// The name in a row of a search, which begins with the columns of the name.
    fn name(row: &Row) -> Result<Self::Id, Failure> {
        Ok(form::id::<Self>(row.get(0))?)
    }

    /// What a name has in this column.
    fn column(id: &Self::Id, _: &str) -> String {
        id.to_text()
    }

    /// Removes what ends when there is a new one, and records it.
    fn end_before(
        _: &mut Changing,
        _: &Self::Id,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }

    /// Records what goes when it is removed.
    fn record_what_goes_along(
        _: &mut Changing,
        _: &Self::Id,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }
}

/// The one of this name, as it is stored.
pub(super) async fn find<R: Stored>(
    session: &Session,
    master_key: &MasterKey,
    id: &R::Id,
) -> Result<Option<Arc<R>>, Failure> {
    let found = R::find_all(session, master_key, std::slice::from_ref(id)).await?;
    Ok(found.into_iter().next().map(Arc::new))
}

#[async_trait]
impl<R: Stored> Registry<R> for PostgresStore {
    async fn get(&self, id: &R::Id) -> Result<Option<Arc<R>>, StoreError> {
        let session = self.0.connections().reads().session().await?;
        Ok(find(&session, self.0.master_key(), id).await?)
    }

    /// One statement for all.
    async fn get_all(&self, ids: &[R::Id]) -> Result<Vec<Option<Arc<R>>>, StoreError> {
        let session = self.0.connections().reads().session().await?;
        let found = R::find_all(&session, self.0.master_key(), ids).await?;
        let found: HashMap<_, _> = found
            .into_iter()
            .map(|one| (one.id(), Arc::new(one)))
            .collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn page(
        &self,
        filter: &R::Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Arc<R>>, StoreError> {
        let list = List::of::<R>(filter);
        let after = after.map(|cursor| list.id::<R>(cursor)).transpose()?;
        let session = self.0.connections().lend_in_turn().await?;
        let search = search::<R>(&session, self.0.master_key(), filter, after, limit.max(1));
        let found = search.await?;
        session.give_back();
        let next = found.next.map(|id| list.cursor(&id.to_text()));
        Ok(Page::new(found.items, next))
    }

    async fn apply(&self, changes: Vec<Change<R>>, by: &Actor) -> Result<Applied<R>, StoreError> {
        let mut changing = Changing::begin(&self.0, by).await?;
        let make = async move {
            let mut resources = Vec::with_capacity(changes.len());
            for change in changes {
                resources.push(changing.make(change).await?);
            }
            changing.commit().await?;
            Ok::<_, StoreError>(resources)
        };
        Ok(Applied::new(to_its_end(make).await?))
    }
}

#[async_trait]
impl Batch for PostgresStore {
    async fn apply_all(
        &self,
        changes: Vec<AnyChange>,
        by: &Actor,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let mut changing = Changing::begin(&self.0, by).await?;
        let make = async move {
            for change in changes {
                changing.make_any(change).await?;
            }
            changing.commit().await
        };
        to_its_end(make).await
    }
}

/// Goes on where whoever waits for it goes away.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let ended = tokio::spawn(work).await;
    ended.unwrap_or_else(|defect| Err(StoreError::Unknown(defect.into())))
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
async fn search<R: Stored>(
    session: &Session,
    master_key: &MasterKey,
    filter: &R::Filter,
    mut after: Option<R::Id>,
    limit: u32,
) -> Result<Found<R>, Failure> {
    let search = R::search(filter);
    let (mut items, mut looked_at, mut portion) = (Vec::new(), 0, limit);
    loop {
        let names = search.names::<R>(session, after.as_ref(), portion).await?;
        let is_last = names.next.is_none();
        let is_short = names.ids.len() < portion as usize;
        looked_at += names.ids.len();
        let found = R::find_all(session, master_key, &names.ids).await?;
        let mut found: HashMap<R::Id, R> = found.into_iter().map(|one| (one.id(), one)).collect();
        let mut ids = names.ids.into_iter();
        while let Some(id) = ids.next() {
            let one = found.remove(&id).filter(|one| filter.passes(one));
            items.extend(one.map(Arc::new));
            if items.len() == limit as usize {
                let has_more = !is_last || ids.len() > 0;
                let next = has_more.then_some(id);
                return Ok(Found { items, next });
            }
        }
        if is_last || is_short || looked_at >= LOOKED_AT {
            return Ok(Found {
                items,
                next: names.next,
            });
        }
        (after, portion) = (names.next, PORTION);
    }
}

impl PostgresStore {
    /// Keeps the record of a change of what is no registration, such as an invitation.
    ///
    /// # Errors
    /// [`StoreError`]: it may not have been kept.
    pub async fn keep_record(&self, record: ChangeRecord) -> Result<(), StoreError> {
        let mut changing = Changing::begin(&self.0, &record.actor).await?;
        changing.records.push(record);
        to_its_end(async move { changing.commit().await.map(drop) }).await
    }
}

/// The changes of one call, in its transaction. Dropped before its commit, nothing was changed.
pub(super) struct Changing {
    session: Lent,
    store: Arc<Inner>,
    pub(super) by: Actor,
    pub(super) at: UnixTime,
    pub(super) records: Vec<ChangeRecord>,
}

/// Triggers leave recording to this program; the lock is that of all changes of the registry.
const BEGIN: &str = "BEGIN; SET LOCAL grantor.recording = 'on'; SET LOCAL lock_timeout = '1500ms'; \
    SELECT pg_advisory_xact_lock(7523, 2)";

impl Changing {
    /// Begins the transaction, when nobody else has one open.
    pub(super) async fn begin(store: &Arc<Inner>, by: &Actor) -> Result<Self, Failure> {
        let session = store.connections().lend().await?;
        session.batch(BEGIN).await?;
        Ok(Self {
            session,
            store: store.clone(),
            by: by.clone(),
            at: store.now(),
            records: Vec::new(),
        })
    }

    /// The session of the transaction.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// What secrets are sealed with.
    pub(super) fn master_key(&self) -> &MasterKey {
        self.store.master_key()
    }

    /// Keeps the records and commits; answers when all nodes have heeded it. Answers the records as
    /// they are kept.
    pub(super) async fn commit(mut self) -> Result<Vec<ChangeRecord>, StoreError> {
        let mut records = std::mem::take(&mut self.records);
        change_record::insert_all(self.session(), &mut records).await?;
        let xid = node::own_transaction(self.session()).await?;
        let committed = self.session.batch("COMMIT").await;
        committed.map_err(Failure::of_commit)?;
        self.session.give_back();
        records.iter().for_each(ChangeRecord::log);
        self.store.is_heeded(xid).await;
        Ok(records)
    }

    async fn make_any(&mut self, change: AnyChange) -> Result<(), Failure> {
        match change {
            AnyChange::Client(change) => self.make(change).await.map(drop),
            AnyChange::Subject(change) => self.make(change).await.map(drop),
            AnyChange::Operator(change) => self.make(change).await.map(drop),
            AnyChange::Permission(change) => self.make(change).await.map(drop),
            AnyChange::Scope(change) => self.make(change).await.map(drop),
            AnyChange::Password(change) => self.make(change).await.map(drop),
            AnyChange::Passkey(change) => self.make(change).await.map(drop),
            AnyChange::Issuer(change) => self.make(change).await.map(drop),
            AnyChange::Trust(change) => self.make(change).await.map(drop),
            AnyChange::NoneSince { kind, newest } => self.expect_none_since(kind, newest).await,
        }
    }

    async fn expect_none_since(&self, kind: &'static str, newest: u64) -> Result<(), Failure> {
        match change_record::newest(self.session(), kind).await? == newest {
            true => Ok(()),
            false => Err(StoreError::Conflict(kind).into()),
        }
    }

    async fn make<R: Stored>(&mut self, change: Change<R>) -> Result<Option<Arc<R>>, Failure> {
        match change {
            Change::Create(resource) => {
                let id = resource.id();
                R::end_before(self, &id).await?;
                resource.insert(self).await?;
                let after = self.now::<R>(&id).await?;
                self.record::<R>(&id, Action::Create, [None, Some(after.document())]);
                Ok(Some(after))
            }
            Change::Replace(resource) => {
                let id = resource.id();
                let before = self.now::<R>(&id).await?;
                expect_unchanged::<R>(before.revision(), resource.revision())?;
                resource.update(self).await?;
                let after = self.now::<R>(&id).await?;
                let documents = [before.document(), after.document()].map(Some);
                self.record::<R>(&id, Action::Replace, documents);
                Ok(Some(after))
            }
            Change::Delete(id, revision) => {
                let before = self.before_its_end::<R>(&id, revision).await?;
                R::record_what_goes_along(self, &id).await?;
                R::delete(self, &id).await?;
                self.record::<R>(&id, Action::Delete, [Some(before), None]);
                Ok(None)
            }
            Change::Expect(id, expected) => {
                let found = find::<R>(self.session(), self.master_key(), &id).await?;
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
    async fn now<R: Stored>(&self, id: &R::Id) -> Result<Arc<R>, Failure> {
        let found = find(self.session(), self.master_key(), id).await?;
        Ok(found.ok_or(StoreError::Missing(R::NAME))?)
    }

    /// The document of what is about to be removed. A row that cannot be read can be removed too.
    async fn before_its_end<R: Stored>(
        &self,
        id: &R::Id,
        revision: Option<Revision>,
    ) -> Result<Value, Failure> {
        match (readable(self.now::<R>(id).await)?, revision) {
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
        let record = ChangeRecord::new::<R>(id, action, states, &self.by, self.at);
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

/// The row that a statement was to write is there.
pub(super) fn expect_row(written: u64, what: &'static str) -> Result<(), Failure> {
    match written {
        0 => Err(StoreError::Missing(what).into()),
        _ => Ok(()),
    }
}
