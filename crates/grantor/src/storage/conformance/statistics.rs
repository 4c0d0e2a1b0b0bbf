//! The laws of [`StatisticsStore`].

use super::{NOW, Two, within_a_second};
use crate::{
    clock::UnixTime,
    server::{Decision, Outcome, Request},
    storage::{Count, CountBy, CountQuery, CountStep, DecisionKind, StatisticsStore},
    types::{ErrorCode, Rule},
};

/// Generates one test for each law of a [`StatisticsStore`]. `statistics_suite!(run make)` is a
/// future that tries them one after the other.
#[macro_export]
macro_rules! statistics_suite {
    ($make:path) => { $crate::statistics_suite!(@tests $make); };
    (run $make:path) => { $crate::statistics_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how statistics $make:
            m084_what_two_handles_count_is_added_up
            m084_counts_are_told_by_what_they_have_in_common
            m084_counts_are_told_by_the_minute_the_hour_and_the_day
            ma41_names_that_were_made_up_make_no_rows
        }
    };
}

/// The beginning of the minute, hour and day of these laws.
const DAY: UnixTime = UnixTime::from_millis(NOW.millis() - NOW.millis() % 86_400_000);

fn minute(number: u64) -> UnixTime {
    DAY.plus(CountStep::Minute.length() * u32::try_from(number).expect("a few"))
}

fn decided(endpoint: &'static str, outcome: Outcome, at: UnixTime) -> Decision {
    let mut decision = Decision::new(endpoint, &Request::blank(at));
    decision.outcome = outcome;
    decision
}

fn refused(rule: Rule) -> Outcome {
    Outcome::Refused {
        error: ErrorCode::INVALID_GRANT,
        rule,
        cause: "a cause".to_owned(),
    }
}

/// All that is counted of the day.
fn all(step: CountStep, by: CountBy) -> CountQuery {
    let (from, to) = (DAY, DAY.plus(CountStep::Day.length()));
    CountQuery { from, to, step, by }
}

/// Fails unless these are the rows within a second: in which minute they begin, and of what.
async fn tells(store: &impl StatisticsStore, query: CountQuery, rows: &[(u64, &str, u64)]) {
    let row = |&(start, key, count): &(u64, &str, u64)| Count {
        start: minute(start),
        key: key.to_owned(),
        count,
    };
    let expected: Vec<_> = rows.iter().map(row).collect();
    within_a_second(&format!("{expected:?}"), async || {
        store.counts(&query, 1000).await.expect("counts") == expected
    })
    .await;
}

/// Connections of their own, as several nodes have them.
pub async fn m084_what_two_handles_count_is_added_up<S: StatisticsStore>([one, other]: Two<S>) {
    for _ in 0..3 {
        one.count(&decided("token", Outcome::Granted, DAY));
        other.count(&decided("token", Outcome::Granted, minute(0)));
    }
    for store in [&one, &other] {
        let query = all(CountStep::Minute, CountBy::Outcome);
        tells(&**store, query, &[(0, "granted", 6)]).await;
    }
    // And again, to what is there.
    other.count(&decided("token", Outcome::Granted, DAY));
    let query = all(CountStep::Minute, CountBy::Outcome);
    tells(&*one, query, &[(0, "granted", 7)]).await;
}

/// Outcome, rule and endpoint.
pub async fn m084_counts_are_told_by_what_they_have_in_common<S: StatisticsStore>(
    [one, other]: Two<S>,
) {
    for (endpoint, outcome) in [
        ("token", Outcome::Granted),
        ("token", refused(Rule::Audience)),
        ("token", refused(Rule::Expiry)),
        ("token", refused(Rule::Throttled)),
        ("revocation", refused(Rule::Throttled)),
        ("authorization", Outcome::Undecided),
    ] {
        one.count(&decided(endpoint, outcome, DAY));
    }
    let by = |by| all(CountStep::Minute, by);
    let outcomes = [(0, "granted", 1), (0, "refused", 4), (0, "undecided", 1)];
    tells(&*other, by(CountBy::Outcome), &outcomes).await;
    let rules = [(0, "aud", 1), (0, "exp", 1), (0, "throttled", 2)];
    tells(&*other, by(CountBy::Rule), &rules).await;
    let endpoints = [
        (0, "authorization", 1),
        (0, "revocation", 1),
        (0, "token", 4),
    ];
    tells(&*other, by(CountBy::Endpoint), &endpoints).await;
}

/// Each step, a beginning that is in the answer and an end that is not, and no more rows than are
/// asked for.
pub async fn m084_counts_are_told_by_the_minute_the_hour_and_the_day<S: StatisticsStore>(
    [one, other]: Two<S>,
) {
    for number in [0, 1, 1, 59, 60, 1439] {
        let late_in_it = minute(number + 1).minus(std::time::Duration::from_millis(1));
        one.count(&decided("token", Outcome::Granted, late_in_it));
    }
    let by_outcome = |step| all(step, CountBy::Outcome);
    let granted = |rows: &[(u64, u64)]| -> Vec<(u64, &'static str, u64)> {
        let row = |&(start, count): &(u64, u64)| (start, "granted", count);
        rows.iter().map(row).collect()
    };
    let minutes = granted(&[(0, 1), (1, 2), (59, 1), (60, 1), (1439, 1)]);
    tells(&*other, by_outcome(CountStep::Minute), &minutes).await;
    let hours = granted(&[(0, 4), (60, 1), (1380, 1)]);
    tells(&*other, by_outcome(CountStep::Hour), &hours).await;
    tells(&*other, by_outcome(CountStep::Day), &granted(&[(0, 6)])).await;
    let (from, to) = (minute(1), minute(60));
    let part = CountQuery {
        from,
        to,
        ..by_outcome(CountStep::Minute)
    };
    tells(&*other, part, &granted(&[(1, 2), (59, 1)])).await;
    let two = other.counts(&by_outcome(CountStep::Minute), 2).await;
    assert_eq!(two.expect("counts").len(), 2);
}

/// A flood of refusals of different names and rules: none of them is a word of the program.
pub async fn ma41_names_that_were_made_up_make_no_rows<S: StatisticsStore>([one, other]: Two<S>) {
    const FLOOD: u64 = 100_000;
    for number in 0..FLOOD {
        let mut decision = decided("token", refused(Rule::named(format!("rule-{number}"))), DAY);
        decision.claims_client(&format!("client-{number}"));
        decision.claims_issuer(&format!("https://{number}.example"));
        one.count(&decision);
    }
    // The control: a rule of an extension, and one of this program.
    one.count(&decided("token", refused(Rule::named("seat")), DAY));
    one.count(&decided("token", refused(Rule::Audience), DAY));
    let rows = [
        (0, DecisionKind::OTHER, FLOOD),
        (0, "aud", 1),
        (0, "seat", 1),
    ];
    tells(&*other, all(CountStep::Minute, CountBy::Rule), &rows).await;
    let rows = [(0, "token", FLOOD + 2)];
    tells(&*other, all(CountStep::Minute, CountBy::Endpoint), &rows).await;
}
