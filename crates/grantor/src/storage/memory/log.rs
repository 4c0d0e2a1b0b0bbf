//! Decisions in memory: the newest of them.

use std::collections::VecDeque;

use async_trait::async_trait;

use super::{MemoryStore, lock};
use crate::{
    server::{Decision, DecisionLog},
    storage::{
        Cursor, DecisionFilter, DecisionIndex, DecisionStore, Entry, Log, LogPage, Start,
        StoreError,
    },
};

/// Most decisions that are kept.
const KEPT: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Decisions {
    kept: VecDeque<Kept>,
    /// The number of the last one; the first is 1.
    last: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    index: DecisionIndex,
    document: String,
}

impl DecisionLog for MemoryStore {
    fn record(&self, decision: &Decision) {
        let (index, document) = (DecisionIndex::of(decision), decision.record());
        let mut decisions = lock(&self.decisions);
        decisions.last += 1;
        let number = decisions.last;
        if decisions.kept.len() == KEPT {
            decisions.kept.pop_front();
        }
        decisions.kept.push_back(Kept {
            number,
            index,
            document,
        });
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
        lock(&self.decisions).page(filter, start, limit)
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

impl Decisions {
    fn page(
        &self,
        filter: &DecisionFilter,
        start: Start,
        limit: u32,
    ) -> Result<LogPage, StoreError> {
        let passing = || self.kept.iter().filter(|kept| filter.passes(&kept.index));
        let after = match start {
            Start::Oldest => 0,
            Start::After(cursor) => number(&cursor)?,
            Start::Last(count) => passing()
                .rev()
                .nth(count as usize)
                .map_or(0, |kept| kept.number),
        };
        let entries: Vec<Entry> = passing()
            .filter(|kept| kept.number > after)
            .take(limit as usize)
            .map(Kept::entry)
            .collect();
        let next = match entries.last() {
            Some(last) if entries.len() == limit as usize => last.cursor.clone(),
            _ => cursor(self.last),
        };
        Ok(LogPage { entries, next })
    }
}

impl Kept {
    fn entry(&self) -> Entry {
        Entry {
            cursor: cursor(self.number),
            document: self.document.clone(),
        }
    }
}

fn cursor(number: u64) -> Cursor {
    Cursor::of(&number.to_string())
}

fn number(cursor: &Cursor) -> Result<u64, StoreError> {
    let place = cursor.place().ok_or(StoreError::Cursor)?;
    place.parse().map_err(|_| StoreError::Cursor)
}
