//! The registries in PostgreSQL: what all kinds of resources have in common.
//!
//! Changes of the registry are made one after the other, by whichever node: a lock of all of them
//! is taken first. What a change rests on stays as it was read until the commit.

use std::{
    collections::{HashMap, HashSet},
    iter::Peekable,
    sync::Arc,
    time::{Duration, Instant},
    vec,
};

use async_trait::async_trait;
use grantor::{
    clock::UnixTime,
    registry::{Action, Actor, ChangeRecord, Filter as _, Resource, ResourceId, Revision},
    storage::{AnyChange, Applied, Batch, Change, Cursor, List, Page, Registry, StoreError},
};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_postgres::Row;

use super::{
    Inner, PostgresStore, change_record, connections::Lent, error::Failure, node, search::Search,
    session::Session,
};
use crate::{MasterKey, form};

/// A resource that has a table.
pub(super) trait Stored: Resource {
    /// Adds it, if its name is free. Each kind has this or [`Stored::insert_all`].
    fn insert(&self, changing: &Changing) -> impl Future<Output = Result<(), Failure>> + Send {
        Self::insert_all(std::slice::from_ref(self), changing)
    }

    /// Adds these, of which each has another name, if all their names are free.
    fn insert_all(
        resources: &[Self],
        changing: &Changing,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async move {
            for resource in resources {
                resource.insert(changing).await?;
            }
            Ok(())
        }
    }

    /// Writes this state of it, and counts its version. Answers how many rows were written: none
    /// where its row is not of the version that it was read in.
    fn update(&self, changing: &Changing) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// Removes it, with what hangs on it. Answers how many rows were removed.
    fn delete(
        changing: &Changing,
        id: &Self::Id,
    ) -> impl Future<Output = Result<u64, Failure>> + Send;

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

    /// Whether something else ends when there is a new one.
    const ENDS_OTHERS: bool = false;

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
) -> Result<Option<R>, Failure> {
    let found = R::find_all(session, master_key, std::slice::from_ref(id)).await?;
    Ok(found.into_iter().next())
}

/// Those of these names, in their order: one statement for all.
async fn find_in_order<R: Stored>(
    session: &Session,
    master_key: &MasterKey,
    ids: &[R::Id],
) -> Result<Vec<Option<Arc<R>>>, Failure> {
    let found = R::find_all(session, master_key, ids).await?;
    let by_name = found.into_iter().map(|one| (one.id(), Arc::new(one)));
    let by_name: HashMap<_, _> = by_name.collect();
    Ok(ids.iter().map(|id| by_name.get(id).cloned()).collect())
}

#[async_trait]
impl<R: Stored> Registry<R> for PostgresStore {
    async fn get(&self, id: &R::Id) -> Result<Option<Arc<R>>, StoreError> {
        let session = self.0.connections().reads().session().await?;
        let found = find(&session, self.0.master_key(), id).await?;
        Ok(found.map(Arc::new))
    }

    async fn get_all(&self, ids: &[R::Id]) -> Result<Vec<Option<Arc<R>>>, StoreError> {
        let session = self.0.connections().reads().session().await?;
        Ok(find_in_order(&session, self.0.master_key(), ids).await?)
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
            let resources = changing.make(changes).await?;
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
            changing.make_any(changes).await?;
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

/// Triggers leave recording to this program; the lock is that of all changes of the registry, which
/// is waited for this long.
fn begin(waits: Duration) -> String {
    let milliseconds = waits.as_millis().max(1);
    format!(
        "BEGIN; SET LOCAL grantor.recording = 'on'; SET LOCAL lock_timeout = '{milliseconds}ms'; \
        SELECT pg_advisory_xact_lock(7523, 2); SET LOCAL lock_timeout = '1500ms'"
    )
}

/// A way to the server and back.
const A_WAY: Duration = Duration::from_secs(1);
/// How long a commit may take, and how much longer for each record of a change.
const COMMITTED_WITHIN: Duration = Duration::from_secs(2);
const FOR_EACH_RECORD: Duration = Duration::from_millis(1);

impl Changing {
    /// Begins the transaction, when nobody else has one open.
    pub(super) async fn begin(store: &Arc<Inner>, by: &Actor) -> Result<Self, Failure> {
        let long = || {
            Failure::unavailable(
                "the changes before this one take long; repeat it when they have ended",
            )
        };
        let (asked, waits) = (Instant::now(), store.connections().change_waits());
        let session = timeout(waits, store.connections().lend_for_change()).await;
        let session = session.map_err(|_| long())??;
        let left = waits.saturating_sub(asked.elapsed());
        let begun = session.batch_within(left + A_WAY, &begin(left)).await;
        begun.map_err(|failure| match failure.may_be_repeated() {
            true => long(),
            false => failure,
        })?;
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
        let more = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let limit = COMMITTED_WITHIN + FOR_EACH_RECORD.saturating_mul(more);
        let committed = self.session.batch_within(limit, "COMMIT").await;
        committed.map_err(Failure::of_commit)?;
        self.session.give_back();
        records.iter().for_each(ChangeRecord::log);
        self.store.wait_until_heeded(xid).await;
        Ok(records)
    }

    #[expect(
        clippy::result_large_err,
        reason = "a change of another kind is given back whole"
    )]
    async fn make_any(&mut self, changes: Vec<AnyChange>) -> Result<(), Failure> {
        let mut changes = changes.into_iter().peekable();
        // Those of one kind that stand one behind the other, at once.
        macro_rules! make {
            ($kind:ident, $first:expr) => {{
                let mut run = vec![$first];
                run.extend(std::iter::from_fn(|| {
                    changes.next_if_map(|change| match change {
                        AnyChange::$kind(change) => Ok(change),
                        other => Err(other),
                    })
                }));
                self.make(run).await?;
            }};
        }
        while let Some(change) = changes.next() {
            match change {
                AnyChange::Client(first) => make!(Client, first),
                AnyChange::Subject(first) => make!(Subject, first),
                AnyChange::Operator(first) => make!(Operator, first),
                AnyChange::Permission(first) => make!(Permission, first),
                AnyChange::Scope(first) => make!(Scope, first),
                AnyChange::Password(first) => make!(Password, first),
                AnyChange::Passkey(first) => make!(Passkey, first),
                AnyChange::Issuer(first) => make!(Issuer, first),
                AnyChange::Trust(first) => make!(Trust, first),
                AnyChange::NoneSince { kind, newest } => {
                    self.expect_none_since(kind, newest).await?;
                }
            }
        }
        Ok(())
    }

    async fn expect_none_since(&self, kind: &'static str, newest: u64) -> Result<(), Failure> {
        match change_record::newest(self.session(), kind).await? == newest {
            true => Ok(()),
            false => Err(StoreError::Conflict(kind).into()),
        }
    }

    /// Makes these one after the other; new ones that stand one behind the other, and conditions,
    /// by few statements.
    async fn make<R: Stored>(
        &mut self,
        changes: Vec<Change<R>>,
    ) -> Result<Vec<Option<Arc<R>>>, Failure> {
        let mut made = Vec::with_capacity(changes.len());
        let mut changes = changes.into_iter().peekable();
        while let Some(change) = changes.next() {
            match change {
                Change::Create(first) => {
                    let name = first.id();
                    let run = run(first, name, &mut changes, |change| match change {
                        Change::Create(resource) => Ok(resource),
                        other => Err(other),
                    });
                    made.extend(self.create(&run).await?.into_iter().map(Some));
                }
                Change::Expect(id, expected) => {
                    let first = (id.clone(), expected);
                    let run = run(first, id, &mut changes, |change| match change {
                        Change::Expect(id, expected) => Ok((id, expected)),
                        other => Err(other),
                    });
                    made.extend(self.expect(&run).await?);
                }
                Change::Replace(resource) => made.push(Some(self.replace(&resource).await?)),
                Change::Delete(id, revision) => {
                    self.delete::<R>(&id, revision).await?;
                    made.push(None);
                }
            }
        }
        Ok(made)
    }

    async fn create<R: Stored>(&mut self, resources: &[R]) -> Result<Vec<Arc<R>>, Failure> {
        let ids: Vec<R::Id> = resources.iter().map(R::id).collect();
        for id in &ids {
            R::end_before(self, id).await?;
        }
        R::insert_all(resources, self).await?;
        let mut created = Vec::with_capacity(ids.len());
        for (id, after) in ids.iter().zip(self.all_now::<R>(&ids).await?) {
            let after = after.ok_or(StoreError::Missing(R::NAME))?;
            self.record::<R>(id, Action::Create, [None, Some(after.document())]);
            created.push(after);
        }
        Ok(created)
    }

    async fn replace<R: Stored>(&mut self, resource: &R) -> Result<Arc<R>, Failure> {
        let id = resource.id();
        let before = self.now::<R>(&id).await?;
        expect_unchanged::<R>(before.revision(), resource.revision())?;
        // Whoever writes past this program takes no lock of ours, and may have been in between.
        if resource.update(self).await? == 0 {
            return Err(StoreError::Conflict(R::NAME).into());
        }
        let after = self.now::<R>(&id).await?;
        let documents = [before.document(), after.document()].map(Some);
        self.record::<R>(&id, Action::Replace, documents);
        Ok(after)
    }

    async fn delete<R: Stored>(
        &mut self,
        id: &R::Id,
        revision: Option<Revision>,
    ) -> Result<(), Failure> {
        let before = self.before_its_end::<R>(id, revision).await?;
        R::record_what_goes_along(self, id).await?;
        expect_row(R::delete(self, id).await?, R::NAME)?;
        self.record::<R>(id, Action::Delete, [Some(before), None]);
        Ok(())
    }

    async fn expect<R: Stored>(
        &self,
        expected: &[(R::Id, Option<Revision>)],
    ) -> Result<Vec<Option<Arc<R>>>, Failure> {
        let (ids, expected): (Vec<R::Id>, Vec<_>) = expected.iter().cloned().unzip();
        let found = self.all_now::<R>(&ids).await?;
        let revision = |found: &Option<Arc<R>>| found.as_ref().map(|found| found.revision());
        match found.iter().map(revision).eq(expected) {
            true => Ok(found),
            false => Err(StoreError::Conflict(R::NAME).into()),
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

    /// What is stored under these names now, in their order.
    async fn all_now<R: Stored>(&self, ids: &[R::Id]) -> Result<Vec<Option<Arc<R>>>, Failure> {
        find_in_order(self.session(), self.master_key(), ids).await
    }

    /// What is stored under this name now.
    async fn now<R: Stored>(&self, id: &R::Id) -> Result<Arc<R>, Failure> {
        let found = find(self.session(), self.master_key(), id).await?;
        Ok(Arc::new(found.ok_or(StoreError::Missing(R::NAME))?))
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

/// Most changes that are made by one statement, which has two seconds.
const AT_ONCE: usize = 100;

/// The first of a kind of change, and those behind it of this kind, each of another name.
fn run<R: Stored, T>(
    first: T,
    name: R::Id,
    changes: &mut Peekable<vec::IntoIter<Change<R>>>,
    take: impl Fn(Change<R>) -> Result<T, Change<R>>,
) -> Vec<T> {
    let mut names = HashSet::from([name]);
    let mut run = vec![first];
    // What ends is recorded before what it ends for.
    let most = if R::ENDS_OTHERS { 1 } else { AT_ONCE };
    while run.len() < most
        && let Some(next) = changes.next_if_map(|change| match names.insert(change.id()) {
            true => take(change),
            false => Err(change),
        })
    {
        run.push(next);
    }
    run
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

/// The row that a statement was to add was not there.
pub(super) fn expect_new(written: u64, what: &'static str) -> Result<(), Failure> {
    match written {
        0 => Err(StoreError::Exists(what).into()),
        _ => Ok(()),
    }
}

/// The row that a statement was to write is there.
pub(super) fn expect_row(written: u64, what: &'static str) -> Result<(), Failure> {
    match written {
        0 => Err(StoreError::Missing(what).into()),
        _ => Ok(()),
    }
}
