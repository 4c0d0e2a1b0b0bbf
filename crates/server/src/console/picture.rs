//! A chart with the same as a table (M183), and the counts over time that such charts are made of.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use grantor::{admin::StatisticsDocument, clock::UnixTime, storage::CountStep};

use crate::pages::{Markup, chart::Row, drawing, time};

/// A chart, and the same as a table.
pub struct Picture {
    pub chart: Markup,
    pub caption: String,
    /// The names of the columns: of what a row is, and of its values.
    pub head: Vec<String>,
    pub rows: Vec<Row>,
}

impl Picture {
    /// This chart, whose rows are numbers under these names.
    pub fn of(chart: &impl Display, rows: Vec<Row>, caption: String, head: Vec<String>) -> Self {
        Self {
            chart: drawing(chart),
            caption,
            head,
            rows,
        }
    }
}

/// Most columns of a chart over time: more are no wider than a pixel on a small screen.
const MOST_COLUMNS: usize = 120;

/// Counts over time, also of the steps in which nothing happened.
#[derive(Debug)]
pub struct Counts {
    /// When each column begins, and how it is called.
    pub columns: Vec<(UnixTime, String)>,
    /// How long a column is.
    pub each: Duration,
    /// The count of each column, for each key.
    pub of: BTreeMap<String, Vec<u64>>,
}

impl Counts {
    /// The picture of this answer. Steps are put together where they are many.
    pub fn of(document: &StatisticsDocument) -> Self {
        let step = millis(document.step.length());
        let all = document.to.millis() - document.from.millis();
        let steps = usize::try_from(all.div_euclid(step)).unwrap_or(0);
        let steps = steps + usize::from(all.rem_euclid(step) > 0);
        let together = steps.div_ceil(MOST_COLUMNS).max(1);
        let each = step.saturating_mul(i64::try_from(together).unwrap_or(1));
        let count = steps.div_ceil(together);
        let start = |column: usize| {
            let column = i64::try_from(column).unwrap_or(0);
            UnixTime::from_millis(document.from.millis() + column * each)
        };
        let mut of: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for row in &document.counts {
            let column = (row.start.millis() - document.from.millis()).div_euclid(each);
            let counts = of
                .entry(row.key.clone())
                .or_insert_with(|| vec![0; count.max(1)]);
            // Of old times there are hours, which may begin before the first minute.
            let last = counts.len() - 1;
            counts[usize::try_from(column).unwrap_or(0).min(last)] += row.count;
        }
        let is_long = all > millis(CountStep::Day.length()) + step;
        let label = |at| match (document.step, is_long) {
            (CountStep::Day, _) => time::day(at),
            (_, false) => time::clock(at),
            (_, true) => time::minute(at),
        };
        Self {
            columns: (0..count)
                .map(|column| (start(column), label(start(column))))
                .collect(),
            each: Duration::from_millis(each.unsigned_abs()),
            of,
        }
    }

    /// The counts of this key.
    pub fn key(&self, key: &str) -> Vec<u64> {
        let none = || vec![0; self.columns.len()];
        self.of.get(key).cloned().unwrap_or_else(none)
    }

    /// How many there are of this key.
    pub fn sum(&self, key: &str) -> u64 {
        self.of.get(key).map_or(0, |counts| counts.iter().sum())
    }

    /// How many there are of each key, the most first.
    pub fn sums(&self) -> Vec<(String, u64)> {
        let mut sums: Vec<_> = self
            .of
            .keys()
            .map(|key| (key.clone(), self.sum(key)))
            .collect();
        sums.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
        sums
    }

    /// The column with the most of this key, if there is any.
    pub fn peak(&self, key: &str) -> Option<(&str, u64)> {
        let counts = self.of.get(key)?.iter().copied().zip(&self.columns);
        let (most, (_, label)) = counts.max_by_key(|(count, _)| *count)?;
        (most > 0).then_some((label, most))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use grantor::storage::CountBy;
    use serde_json::json;

    use super::*;

    fn counts(from: &str, to: &str, step: &str, rows: &[(&str, &str, u64)]) -> Counts {
        let rows: Vec<_> = rows
            .iter()
            .map(|(start, key, count)| json!({"start": start, "key": key, "count": count}))
            .collect();
        let document =
            json!({"from": from, "to": to, "step": step, "by": CountBy::Outcome, "counts": rows});
        Counts::of(&serde_json::from_value(document).expect("a document"))
    }

    #[test]
    fn m084_steps_in_which_nothing_happened_are_columns_too() {
        let found = counts(
            "2027-01-15T07:00:00Z",
            "2027-01-15T07:04:30Z",
            "minute",
            &[
                ("2027-01-15T07:01:00Z", "granted", 3),
                ("2027-01-15T07:04:00Z", "granted", 4),
                ("2027-01-15T07:04:00Z", "refused", 1),
            ],
        );
        assert_eq!(found.key("granted"), [0, 3, 0, 0, 4]);
        assert_eq!(found.key("refused"), [0, 0, 0, 0, 1]);
        assert_eq!(found.key("undecided"), [0; 5]);
        assert_eq!(found.columns[4].1, "07:04");
        assert_eq!(found.peak("granted"), Some(("07:04", 4)));
        assert_eq!(found.sums()[0], ("granted".to_owned(), 7));
    }

    #[test]
    fn m084_many_steps_are_put_together_and_none_is_lost() {
        let rows = [
            ("2027-01-08T07:00:00Z", "granted", 1),
            ("2027-01-12T12:34:00Z", "granted", 2),
            ("2027-01-15T06:59:00Z", "granted", 4),
        ];
        let found = counts(
            "2027-01-08T07:00:00Z",
            "2027-01-15T07:00:00Z",
            "minute",
            &rows,
        );
        assert_eq!(found.columns.len(), MOST_COLUMNS);
        assert_eq!(found.each, Duration::from_secs(84 * 60));
        let granted = found.key("granted");
        assert_eq!(
            (granted[0], granted[119], granted.iter().sum()),
            (1, 4, 7_u64)
        );
    }
}
