//! How many requests were decided, and how: what operators ask and read.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Error, Fault, document::time};
use crate::{
    clock::UnixTime,
    storage::{Count, CountBy, CountQuery, CountStep, MINUTES_KEPT, StatisticsStore},
};

/// Most rows of an answer: those of seven days by the minute, with each outcome.
const MOST: u32 = 31_000;

/// What is asked for. Each member may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct StatisticsQuery {
    /// The beginning (RFC 3339): rounded down to that of its step. Else an hour ago where the step
    /// is a minute, a day ago where it is an hour, and 30 days ago where it is a day.
    #[serde(with = "time::optional", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub from: Option<UnixTime>,
    /// The end (RFC 3339), which is not part of it. Else now.
    #[serde(with = "time::optional", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub to: Option<UnixTime>,
    /// How long the time of each row is. Of what is longer ago than seven days there are hours.
    pub step: CountStep,
    /// What the requests of each row have in common.
    pub by: CountBy,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StatisticsDocument {
    /// The beginning (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub from: UnixTime,
    /// The end (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub to: UnixTime,
    /// How long the time of each row is.
    pub step: CountStep,
    /// What the requests of each row have in common.
    pub by: CountBy,
    /// The rows, oldest first, then by key. What never happened has none.
    pub counts: Vec<CountDocument>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CountDocument {
    /// When its time begins (RFC 3339).
    #[serde(serialize_with = "time::serialize", deserialize_with = "time::read")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub start: UnixTime,
    /// The outcome (`granted`, `refused`, `undecided`), the broken rule or the endpoint.
    pub key: String,
    /// How many requests there were.
    pub count: u64,
}

/// The counts of decisions.
#[derive(Clone, Copy)]
pub struct Statistics<'a> {
    store: &'a dyn StatisticsStore,
    now: UnixTime,
}

impl<'a> Statistics<'a> {
    /// Those of this store.
    pub fn new(store: &'a dyn StatisticsStore, now: UnixTime) -> Self {
        Self { store, now }
    }

    /// The counts that are asked for.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a time that ends before it begins, or in which there are too many
    /// rows; [`Error::Store`]
    pub async fn counts(&self, query: &StatisticsQuery) -> Result<StatisticsDocument, Error> {
        let query = self.of(query)?;
        let CountQuery { from, to, step, by } = query;
        let counts = self.store.counts(&query, MOST + 1).await?;
        if counts.len() > MOST as usize {
            let much =
                format!("there are more than {MOST} rows; choose a longer step or less time");
            return Err(Error::Invalid(vec![Fault::new("step", much)]));
        }
        let counts = counts.into_iter().map(CountDocument::of).collect();
        Ok(StatisticsDocument {
            from,
            to,
            step,
            by,
            counts,
        })
    }

    /// The time that is meant.
    fn of(&self, query: &StatisticsQuery) -> Result<CountQuery, Error> {
        let StatisticsQuery { from, to, step, by } = *query;
        let to = to.unwrap_or(self.now);
        let from = from.unwrap_or_else(|| to.minus(usual(step)));
        if from >= to {
            let early = Fault::new(
                "to",
                "it is not later than the beginning; choose a later time",
            );
            return Err(Error::Invalid(vec![early]));
        }
        // Of old times there are hours, which begin with one.
        let is_old = from < self.now.minus(MINUTES_KEPT);
        let from = if is_old { from.start_of_hour() } else { from };
        let from = step.start(from);
        Ok(CountQuery { from, to, step, by })
    }
}

/// How long a time is looked at where nothing is said.
fn usual(step: CountStep) -> Duration {
    match step {
        CountStep::Minute => CountStep::Hour.length(),
        CountStep::Hour => CountStep::Day.length(),
        CountStep::Day => 30 * CountStep::Day.length(),
    }
}

impl CountDocument {
    fn of(Count { start, key, count }: Count) -> Self {
        Self { start, key, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        server::{Decision, Outcome, Request},
        storage::MemoryStore,
    };

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_030_000);

    fn granted(store: &MemoryStore, at: UnixTime) {
        let mut decision = Decision::new("token", &Request::blank(at));
        decision.outcome = Outcome::Granted;
        store.count(&decision);
    }

    #[tokio::test]
    async fn m084_what_is_not_said_is_the_last_hour_by_the_minute_and_outcome() {
        let store = MemoryStore::new();
        let (hour, minute) = (CountStep::Hour.length(), CountStep::Minute.length());
        granted(&store, NOW.minus(hour + minute));
        granted(&store, NOW.minus(hour));
        granted(&store, NOW);
        let statistics = Statistics::new(&store, NOW);
        let told = statistics.counts(&StatisticsQuery::default()).await;
        let told = serde_json::to_value(told.expect("counts")).expect("JSON");
        let expected = serde_json::json!({
            "from": "2027-01-15T07:00:00Z", "to": "2027-01-15T08:00:30Z", "step": "minute", "by": "outcome",
            "counts": [
                { "start": "2027-01-15T07:00:00Z", "key": "granted", "count": 1 },
                { "start": "2027-01-15T08:00:00Z", "key": "granted", "count": 1 },
            ],
        });
        assert_eq!(told, expected);
        let read: StatisticsDocument = serde_json::from_value(told).expect("a document");
        assert_eq!(read.counts.len(), 2);
    }

    #[tokio::test]
    async fn m084_a_time_that_ends_before_it_begins_is_refused() {
        let store = MemoryStore::new();
        let statistics = Statistics::new(&store, NOW);
        let asked = async |from: UnixTime, to: UnixTime| {
            let query = StatisticsQuery {
                from: Some(from),
                to: Some(to),
                ..StatisticsQuery::default()
            };
            statistics.counts(&query).await
        };
        let later = NOW.plus(CountStep::Minute.length());
        let refused = asked(later, NOW).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        let refused = asked(NOW, NOW).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        assert!(asked(NOW, later).await.is_ok());
    }

    #[tokio::test]
    async fn m084_an_answer_has_an_end() {
        let store = MemoryStore::new();
        let from = NOW.minus(MINUTES_KEPT);
        for number in 0..10_080 {
            for endpoint in ["a", "b", "c", "d"] {
                let at = from.plus(number * CountStep::Minute.length());
                let decision = Decision::new(endpoint, &Request::blank(at));
                store.count(&decision);
            }
        }
        let statistics = Statistics::new(&store, NOW);
        let asked = async |by| {
            let from = Some(from);
            let query = StatisticsQuery {
                from,
                by,
                ..StatisticsQuery::default()
            };
            statistics.counts(&query).await
        };
        let refused = asked(CountBy::Endpoint).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        let told = asked(CountBy::Outcome).await.expect("counts");
        assert_eq!(told.counts.len(), 10_080);
    }

    #[tokio::test]
    async fn m084_what_is_longer_ago_than_seven_days_is_told_by_the_hour() {
        let store = MemoryStore::new();
        let old = NOW.minus(MINUTES_KEPT + CountStep::Day.length());
        granted(&store, old);
        granted(&store, old.plus(10 * CountStep::Minute.length()));
        granted(&store, NOW);
        let query = StatisticsQuery {
            from: Some(old.plus(5 * CountStep::Minute.length())),
            to: Some(old.plus(CountStep::Hour.length())),
            ..StatisticsQuery::default()
        };
        let told = Statistics::new(&store, NOW).counts(&query).await;
        let counts = told.expect("counts").counts;
        assert_eq!(counts.len(), 1);
        assert_eq!((counts[0].start, counts[0].count), (old.start_of_hour(), 2));
    }
}
