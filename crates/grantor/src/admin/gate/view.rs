//! The registries as they would be after the changes that were decided so far.

use std::{
    any::Any,
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use super::{Guarded, Ports};
use crate::{
    registry::{ChangeRecord, Filter as _, ResourceId as _},
    storage::{AnyChange, Change, ChangeFilter, Start, StoreError},
};

/// How many resources are read ahead at once.
const AHEAD: usize = 500;

/// What is registered, each read once, with changes that are not made yet before it.
pub(super) struct View<'a> {
    pub(super) ports: &'a Ports,
    /// By kind and name.
    states: HashMap<(&'static str, String), State>,
    /// Under which conditions what was decided is right.
    rests_on: Vec<AnyChange>,
}

struct State {
    /// An `Option<Arc<R>>`.
    value: Box<dyn Any + Send + Sync>,
    place: Place,
}

/// Where a state is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It was read.
    Read,
    /// It was read, and a decision rests on it.
    ReliedOn,
    /// It is what a change leaves behind.
    Pending,
}

impl<'a> View<'a> {
    pub(super) fn of(ports: &'a Ports) -> Self {
        Self {
            ports,
            states: HashMap::new(),
            rests_on: Vec::new(),
        }
    }

    /// What is under this name then.
    pub(super) async fn get<R: Guarded>(
        &mut self,
        id: &R::Id,
    ) -> Result<Option<Arc<R>>, StoreError> {
        let key = key::<R>(id);
        if let Some(state) = self.states.get(&key) {
            return Ok(state.as_kind::<R>());
        }
        let found = R::registry(self.ports).get(id).await?;
        self.states.insert(key, State::new(&found, Place::Read));
        Ok(found)
    }

    /// Reads those of these names that were not read yet, many at once.
    pub(super) async fn read_ahead<R: Guarded>(&mut self, ids: &[R::Id]) -> Result<(), StoreError> {
        let mut seen = HashSet::new();
        let is_new = |id: &&R::Id| {
            let key = key::<R>(id);
            !self.states.contains_key(&key) && seen.insert(key)
        };
        let ids: Vec<_> = ids.iter().filter(is_new).cloned().collect();
        for ids in ids.chunks(AHEAD) {
            let found = match R::registry(self.ports).get_all(ids).await {
                // One of them cannot be read. Whoever asks for it finds out, and for no other.
                Err(StoreError::Failed(_)) => continue,
                found => found?,
            };
            for (id, found) in ids.iter().zip(found) {
                self.states
                    .insert(key::<R>(id), State::new(&found, Place::Read));
            }
        }
        Ok(())
    }

    /// All that pass a filter then.
    pub(super) async fn all_of<R: Guarded>(
        &mut self,
        filter: &R::Filter,
    ) -> Result<Vec<Arc<R>>, StoreError> {
        for registered in R::registry(self.ports).all_of(filter).await? {
            self.get::<R>(&registered.id()).await?;
        }
        let of_kind = self.states.iter().filter(|((kind, _), _)| *kind == R::NAME);
        let known = of_kind.filter_map(|(_, state)| state.as_kind::<R>());
        Ok(known.filter(|known| filter.passes(known)).collect())
    }

    /// All that are registered and pass a filter, for a decision that holds only as long as no other
    /// of this kind comes.
    pub(super) async fn rely_on_all<R: Guarded>(
        &mut self,
        filter: &R::Filter,
    ) -> Result<Vec<Arc<R>>, StoreError> {
        let kind = R::NAME;
        let is_relied_on = |condition: &AnyChange| matches!(condition, AnyChange::NoneSince { kind: of, .. } if *of == kind);
        // First the number: what comes meanwhile is behind it.
        if !self.rests_on.iter().any(is_relied_on) {
            let newest = self.newest(kind).await?;
            self.rests_on.push(AnyChange::NoneSince { kind, newest });
        }
        R::registry(self.ports).all_of(filter).await
    }

    /// The number of the newest record of a change of this kind, or 0.
    async fn newest(&self, kind: &'static str) -> Result<u64, StoreError> {
        let filter = ChangeFilter {
            resource: Some(kind.to_owned()),
            ..ChangeFilter::default()
        };
        let page = self.ports.log.page(&filter, Start::Last(1), 1).await?;
        let Some(entry) = page.entries.last() else {
            return Ok(0);
        };
        let newest = ChangeRecord::read(&entry.document);
        let newest = newest.map_err(|error| StoreError::Failed(error.into()))?;
        Ok(newest.id)
    }

    /// As [`View::get`], for a decision that holds only as long as it is so.
    pub(super) async fn rely_on<R: Guarded>(
        &mut self,
        id: &R::Id,
    ) -> Result<Option<Arc<R>>, StoreError> {
        let found = self.get::<R>(id).await?;
        if let Entry::Occupied(mut state) = self.states.entry(key::<R>(id))
            && state.get().place == Place::Read
        {
            state.get_mut().place = Place::ReliedOn;
            let revision = found.as_ref().map(|found| found.revision());
            let expect = Change::<R>::Expect(id.clone(), revision);
            self.rests_on.push(R::any(expect));
        }
        Ok(found)
    }

    /// What a change leaves behind under a name.
    pub(super) fn put<R: Guarded>(&mut self, id: &R::Id, after: Option<Arc<R>>) {
        let state = State::new(&after, Place::Pending);
        self.states.insert(key::<R>(id), state);
    }

    /// Whether a change has left something, or nothing, under this name.
    pub(super) fn is_pending<R: Guarded>(&self, id: &R::Id) -> bool {
        let state = self.states.get(&key::<R>(id));
        state.is_some_and(|state| state.place == Place::Pending)
    }

    /// The conditions.
    pub(super) fn conditions(self) -> Vec<AnyChange> {
        self.rests_on
    }
}

fn key<R: Guarded>(id: &R::Id) -> (&'static str, String) {
    (R::NAME, id.to_text())
}

impl State {
    fn new<R: Guarded>(value: &Option<Arc<R>>, place: Place) -> Self {
        let value = Box::new(value.clone());
        Self { value, place }
    }

    fn as_kind<R: Guarded>(&self) -> Option<Arc<R>> {
        let value = self.value.downcast_ref::<Option<Arc<R>>>();
        value.expect("each kind has a name of its own").clone()
    }
}
