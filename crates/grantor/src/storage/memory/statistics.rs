//! Counts in memory: by the minute, then by the hour, then none. The time is that of the newest
//! decision.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{MemoryStore, lock};
use crate::{
    clock::UnixTime,
    server::Decision,
    storage::{
        Count, CountQuery, CountStep, DecisionKind, HOURS_KEPT, MINUTES_KEPT, StatisticsStore,
        StoreError,
    },
};

type Rows = BTreeMap<(UnixTime, DecisionKind), u64>;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    minutes: Rows,
    hours: Rows,
    /// The newest minute.
    newest: Option<UnixTime>,
}

impl Counts {
    fn add(&mut self, at: UnixTime, kind: DecisionKind) {
        let minute = CountStep::Minute.start(at);
        *self.minutes.entry((minute, kind)).or_default() += 1;
        if Some(minute) > self.newest {
            self.newest = Some(minute);
            self.fold(minute);
        }
    }

    /// Adds up what is old, and forgets what is older.
    fn fold(&mut self, now: UnixTime) {
        let until = now.minus(MINUTES_KEPT).start_of_hour();
        while let Some(oldest) = self.minutes.first_entry()
            && oldest.key().0 < until
        {
            let ((minute, kind), count) = oldest.remove_entry();
            *self
                .hours
                .entry((minute.start_of_hour(), kind))
                .or_default() += count;
        }
        let until = now.minus(HOURS_KEPT);
        while let Some(oldest) = self.hours.first_entry()
            && oldest.key().0 < until
        {
            oldest.remove();
        }
    }

    fn rows(&self, query: &CountQuery) -> BTreeMap<(UnixTime, &'static str), u64> {
        let mut rows = BTreeMap::new();
        for (&(start, kind), count) in self.hours.iter().chain(&self.minutes) {
            let is_asked_for = (query.from..query.to).contains(&start);
            if let Some(key) = kind.key(query.by).filter(|_| is_asked_for) {
                *rows.entry((query.step.start(start), key)).or_default() += count;
            }
        }
        rows
    }
}

#[async_trait]
impl StatisticsStore for MemoryStore {
    fn count(&self, decision: &Decision) {
        lock(&self.counts).add(decision.at, DecisionKind::of(decision));
    }

    async fn counts(&self, query: &CountQuery, limit: u32) -> Result<Vec<Count>, StoreError> {
        let rows = lock(&self.counts).rows(query);
        let rows = rows.into_iter().take(limit as usize);
        let row = |((start, key), count): ((UnixTime, &str), u64)| Count {
            start,
            key: key.to_owned(),
            count,
        };
        Ok(rows.map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Outcome, Request};

    #[test]
    fn m084_minutes_become_hours_after_seven_days_and_hours_end_after_400() {
        let hour = CountStep::Hour.length();
        let begin = UnixTime::from_millis(1_800_000_000_000);
        let mut decision = Decision::new("token", &Request::blank(begin));
        decision.outcome = Outcome::Granted;
        let kind = DecisionKind::of(&decision);
        let mut counts = Counts::default();
        for minute in [0, 1, 59, 60] {
            counts.add(begin.plus(minute * CountStep::Minute.length()), kind);
        }
        let sizes = |counts: &Counts| (counts.minutes.len(), counts.hours.len());
        assert_eq!(sizes(&counts), (4, 0));
        counts.add(begin.plus(MINUTES_KEPT + hour), kind);
        assert_eq!(sizes(&counts), (2, 1));
        assert_eq!(counts.hours[&(begin, kind)], 3);
        counts.add(begin.plus(HOURS_KEPT + hour), kind);
        let (minutes, hours): (Vec<_>, Vec<_>) = (
            counts.minutes.keys().collect(),
            counts.hours.keys().collect(),
        );
        assert_eq!(minutes, [&(begin.plus(HOURS_KEPT + hour), kind)]);
        let left = [
            &(begin.plus(hour), kind),
            &(begin.plus(MINUTES_KEPT + hour), kind),
        ];
        assert_eq!(hours, left);
    }
}
