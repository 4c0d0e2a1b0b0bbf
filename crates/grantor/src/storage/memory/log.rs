//! Logs in memory: the newest records.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::{MemoryStore, lock};
use crate::{
    registry::ChangeRecord,
    server::{Decision, DecisionLog},
    storage::{
        ChangeFilter, Cursor, DecisionFilter, DecisionIndex, DecisionStore, Entry, List, Log,
        LogPage, Logged as _, Start, StoreError,
    },
};

/// Most records of a log that are kept.
const KEPT: usize = 10_000;

/// Records, each with what it is found by.
#[derive(Debug)]
pub(super) struct Records<I> {
    kept: VecDeque<Kept<I>>,
    /// The number of the last one; the first is 1.
    last: u64,
}

impl<I> Default for Records<I> {
    fn default() -> Self {
        Self {
            kept: VecDeque::new(),
            last: 0,
        }
    }
}

#[derive(Debug)]
struct Kept<I> {
    number: u64,
    index: I,
    document: String,
}

impl DecisionLog for MemoryStore {
    fn record(&self, decision: &Decision) {
        let (index, document) = (DecisionIndex::of(decision), decision.record());
        lock(&self.decisions).push(|_| (index, document));
        lock(&self.registered).used(decision);
    }
}

#[async_trait]
impl Log<Decision> for MemoryStore {
    async fn page(
        &self,
        filter: &DecisionFilter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let list = List::new(Decision::NAME, filter);
        let passes = |index: &DecisionIndex| filter.passes(index);
        lock(&self.decisions).page(passes, &list, start, limit)
    }
}

#[async_trait]
impl Log<ChangeRecord> for MemoryStore {
    async fn page(
        &self,
        filter: &ChangeFilter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let registered = lock(&self.registered);
        let list = List::new(ChangeRecord::NAME, filter);
        let passes = |record: &ChangeRecord| filter.passes(record);
        registered.records().page(passes, &list, start, limit)
    }
}

#[async_trait]
impl DecisionStore for MemoryStore {
    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn dropped(&self) -> u64 {
        0
    }
}

impl<I> Records<I> {
    /// Keeps what `make` makes for its number: what it is found by, and the document.
    pub(super) fn push(&mut self, make: impl FnOnce(u64) -> (I, String)) {
        self.last += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        let (index, document) = make(self.last);
        self.kept.push_back(Kept {
            number: self.last,
            index,
            document,
        });
    }

    fn page(
        &self,
        passes: impl Fn(&I) -> bool,
        list: &List,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let passing = || self.kept.iter().filter(|kept| passes(&kept.index));
        let after = match start {
            Start::Oldest => 0,
            Start::After(cursor) => number(list, &cursor)?,
            Start::Last(count) => passing()
                .rev()
                .nth(count as usize)
                .map_or(0, |kept| kept.number),
        };
        let entries: Vec<Entry> = passing()
            .filter(|kept| kept.number > after)
            .take(limit as usize)
            .map(|kept| kept.entry(list))
            .collect();
        let next = match entries.last() {
            Some(last) if entries.len() == limit as usize => last.cursor.clone(),
            _ => cursor(list, self.last),
        };
        Ok(LogPage { entries, next })
    }
}

impl<I> Kept<I> {
    fn entry(&self, list: &List) -> Entry {
        Entry {
            cursor: cursor(list, self.number),
            document: self.document.clone(),
        }
    }
}

fn cursor(list: &List, number: u64) -> Cursor {
    list.cursor(&number.to_string())
}

fn number(list: &List, cursor: &Cursor) -> Result<u64, StoreError> {
    let place = list.place(cursor)?;
    place.parse().map_err(|_| StoreError::Cursor)
}
