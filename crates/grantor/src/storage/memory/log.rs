//! Logs in memory: the newest records.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use async_trait::async_trait;

use super::{MemoryStore, lock};
use crate::{
    clock::UnixTime,
    registry::ChangeRecord,
    server::{Decision, DecisionLog, Outcome},
    storage::{
        ChangeFilter, Cursor, DecisionFilter, DecisionIndex, DecisionStore, Entry, GROUPED,
        LOOKED_THROUGH, List, Log, LogPage, Logged as _, RefusalGroup, RefusalGroups, Start,
        StoreError, TrustOutcomes,
    },
    types::{ClientId, Name, SubjectId},
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

    async fn groups(
        &self,
        filter: &DecisionFilter,
        limit: u32,
    ) -> Result<RefusalGroups, StoreError> {
        let decisions = lock(&self.decisions);
        let newest = decisions.kept.iter().rev().take(LOOKED_THROUGH as usize);
        let indexes = newest.map(|kept| &kept.index);
        let refusals = indexes.filter(|index| index.refused && filter.passes(index));
        Ok(grouped(refusals.take(GROUPED as usize), limit))
    }

    async fn newest_of(&self, clients: &[ClientId], limit: u32) -> Result<Vec<String>, StoreError> {
        let decisions = lock(&self.decisions);
        let newest = decisions.kept.iter().rev().take(LOOKED_THROUGH as usize);
        let is_of = |kept: &&Kept<DecisionIndex>| {
            let client = kept.index.client.as_deref();
            clients.iter().any(|id| Some(id.as_str()) == client)
        };
        let found = newest.filter(is_of).take(limit as usize);
        Ok(found.map(|kept| kept.document.clone()).collect())
    }

    async fn last_granted(
        &self,
        subjects: &[SubjectId],
        endpoints: &[&str],
    ) -> Result<Vec<(SubjectId, UnixTime)>, StoreError> {
        let decisions = lock(&self.decisions);
        let newest = decisions.kept.iter().rev().take(LOOKED_THROUGH as usize);
        let is_meant = |kept: &&Kept<DecisionIndex>| {
            let endpoint = kept.index.endpoint.as_deref();
            let is_there = endpoints.iter().any(|one| Some(*one) == endpoint);
            let subject = kept.index.subject.as_deref();
            is_there && subjects.iter().any(|id| Some(id.as_str()) == subject)
        };
        let mut last = BTreeMap::new();
        for kept in newest.filter(is_meant).take(GROUPED as usize) {
            let read = Decision::read(&kept.document).ok();
            let granted = read.filter(|read| matches!(read.outcome, Outcome::Granted));
            if let Some((subject, at)) = granted.and_then(|read| Some((read.subject?, read.at))) {
                let last = last.entry(subject).or_insert(at);
                *last = at.max(*last);
            }
        }
        Ok(last.into_iter().collect())
    }

    async fn outcomes_of(
        &self,
        trust: &Name,
        since: Option<UnixTime>,
        limit: u32,
    ) -> Result<TrustOutcomes, StoreError> {
        let decisions = lock(&self.decisions);
        let newest = decisions.kept.iter().rev().take(LOOKED_THROUGH as usize);
        let mut found = TrustOutcomes::default();
        for kept in newest.filter(|kept| since.is_none_or(|since| kept.index.at >= since)) {
            let mut trusts = kept.index.trusts.iter();
            let Some((_, outcome)) = trusts.find(|(name, _)| name == trust) else {
                continue;
            };
            *found.counts.entry(*outcome).or_default() += 1;
            if outcome.is_against() && found.against.len() < limit as usize {
                found.against.push(kept.document.clone());
            }
        }
        Ok(found)
    }
}

/// These refusals, newest first, by rule and party.
fn grouped<'i>(refusals: impl Iterator<Item = &'i DecisionIndex>, limit: u32) -> RefusalGroups {
    let mut groups: Vec<RefusalGroup> = Vec::new();
    for decision in refusals {
        let Some(rule) = &decision.rule else { continue };
        let known = groups
            .iter_mut()
            .find(|group| group.rule == *rule && group.party == decision.party);
        match known {
            Some(group) => {
                group.count += 1;
                group.first = group.first.min(decision.at);
                group.last = group.last.max(decision.at);
            }
            None => groups.push(RefusalGroup {
                rule: rule.clone(),
                party: decision.party.clone(),
                count: 1,
                first: decision.at,
                last: decision.at,
                newest: decision.id.clone(),
            }),
        }
    }
    // Stable: of equal ones that of the newest decision is the first.
    groups.sort_by_key(|group| Reverse(group.count));
    let all = groups.len() as u64;
    let refused = groups.iter().map(|group| group.count).sum();
    groups.truncate(limit as usize);
    RefusalGroups {
        groups,
        all,
        refused,
    }
}

impl<I> Records<I> {
    /// The number of the newest that is so, or 0.
    pub(super) fn newest(&self, is_so: impl Fn(&I) -> bool) -> u64 {
        let newest = self.kept.iter().rev().find(|kept| is_so(&kept.index));
        newest.map_or(0, |kept| kept.number)
    }

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
        let (after, until) = match start {
            Start::Oldest => (0, self.last),
            Start::After(cursor) => (number(list, &cursor)?, self.last),
            Start::Before(cursor) => {
                let until = number(list, &cursor)?;
                let mut before = passing().rev().skip_while(|kept| kept.number > until);
                let after = before.nth(limit as usize).map_or(0, |kept| kept.number);
                (after, until)
            }
            Start::Last(count) => {
                let after = passing().rev().nth(count as usize);
                (after.map_or(0, |kept| kept.number), self.last)
            }
        };
        let found: Vec<_> = passing()
            .filter(|kept| kept.number > after && kept.number <= until)
            .take(limit as usize)
            .collect();
        let next = match found.last() {
            Some(last) if found.len() == limit as usize => cursor(list, last.number),
            _ => cursor(list, until),
        };
        Ok(LogPage {
            previous: found.first().map(|first| cursor(list, first.number - 1)),
            entries: found.iter().map(|kept| kept.entry(list)).collect(),
            next,
        })
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
