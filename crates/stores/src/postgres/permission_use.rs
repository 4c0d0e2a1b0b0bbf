//! When permissions were last used, to the hour: written beside the decisions, never waited for.

use std::collections::HashSet;

use grantor::clock::UnixTime;

use super::{
    error::Failure,
    session::{Session, Values},
};
use crate::waiting::DecisionRow;

/// Of permissions that are there still, in the order of their numbers: two nodes that write the same
/// ones wait for each other in one order.
const WRITE: &str = "INSERT INTO permission_use (number, used_at) \
    SELECT number, $2 FROM permission WHERE number = ANY($1) ORDER BY number \
    ON CONFLICT (number) DO UPDATE SET used_at = excluded.used_at \
    WHERE excluded.used_at > permission_use.used_at";

/// The permissions whose use in this hour is written: most uses need no statement.
#[derive(Default)]
pub(super) struct Uses {
    hour: Option<UnixTime>,
    written: HashSet<u64>,
}

/// Those that were used in an hour and are to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Used {
    hour: UnixTime,
    numbers: Vec<i64>,
}

impl Uses {
    /// The uses that are the first in their hour. Where they are not written, [`Uses::forget`] has the
    /// next use of each written.
    pub(super) fn take(&mut self, decisions: &[DecisionRow]) -> Vec<Used> {
        let uses = decisions.iter().flat_map(|decision| {
            let (hour, numbers) = (decision.at().start_of_hour(), decision.permissions());
            let numbers = [numbers.operator, numbers.person];
            numbers
                .into_iter()
                .flatten()
                .map(move |number| (hour, number))
        });
        self.take_new(uses)
    }

    /// What was written may not be there: the commit failed.
    pub(super) fn forget(&mut self) {
        self.written.clear();
    }

    fn take_new(&mut self, uses: impl Iterator<Item = (UnixTime, u64)>) -> Vec<Used> {
        let mut taken: Vec<Used> = Vec::new();
        for (hour, number) in uses {
            if !self.is_new(number, hour) {
                continue;
            }
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            match taken.last_mut().filter(|used| used.hour == hour) {
                Some(used) => used.numbers.push(number),
                None => taken.push(Used {
                    hour,
                    numbers: vec![number],
                }),
            }
        }
        taken
    }

    fn is_new(&mut self, number: u64, hour: UnixTime) -> bool {
        if Some(hour) > self.hour {
            self.hour = Some(hour);
            self.written.clear();
        }
        // One that is told late is told by a later one already, or lost.
        Some(hour) == self.hour && self.written.insert(number)
    }
}

/// Writes them, a statement for each hour.
pub(super) async fn write(session: &Session, uses: &[Used]) -> Result<(), Failure> {
    for used in uses {
        let values: &Values<'_> = &[&used.numbers, &used.hour.millis()];
        session.execute(WRITE, values).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_taken_once_an_hour_and_late_ones_are_not() {
        let hour = |hour: i64| UnixTime::from_millis(hour * 3_600_000);
        let used = |at, numbers: &[i64]| Used {
            hour: hour(at),
            numbers: numbers.to_vec(),
        };
        let mut uses = Uses::default();
        let mut take =
            |all: &[(i64, u64)]| uses.take_new(all.iter().map(|(at, number)| (hour(*at), *number)));
        assert_eq!(take(&[(1, 7), (1, 8), (1, 7)]), [used(1, &[7, 8])]);
        assert_eq!(take(&[(1, 7), (1, 9)]), [used(1, &[9])]);
        let next = [used(2, &[7])];
        assert_eq!(take(&[(2, 7), (1, 8), (2, 7)]), next);
        assert_eq!(take(&[(2, 8), (3, 8)]), [used(2, &[8]), used(3, &[8])]);
        uses.forget();
        assert_eq!(uses.take_new([(hour(3), 8)].into_iter()), [used(3, &[8])]);
    }
}
