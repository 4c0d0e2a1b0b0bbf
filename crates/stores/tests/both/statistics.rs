//! Counts: added up by the hour when they are old, then forgotten; kept over a restart.

use std::{sync::Arc, time::Duration};

use grantor::{
    clock::{ManualClock, UnixTime},
    server::{Decision, Outcome},
    storage::{
        Count, CountBy, CountQuery, CountStep, DecisionStore as _, HOURS_KEPT, MINUTES_KEPT,
        StatisticsStore as _,
    },
};
use grantor_testkit::wait;

use crate::engine::{Database, Store, WRITTEN_AFTER_DROP, accepts, refuses};

/// The beginning of an hour.
const BEGIN: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

async fn open(database: &Database, now: UnixTime) -> Store {
    database.open_at(Arc::new(ManualClock::new(now))).await
}

/// Something was granted at this time.
fn count(store: &Store, at: UnixTime) {
    let granted = format!(
        r#"{{"id":"x0dk2vq8c3pmz7t","at":{},"endpoint":"token","outcome":{{"outcome":"granted"}}}}"#,
        at.millis()
    );
    let decision = Decision::read(&granted).expect("a decision");
    assert_eq!(decision.outcome, Outcome::Granted);
    store.count(&decision);
}

/// The counts of the first day, by the minute.
async fn counts(store: &Store) -> Vec<(UnixTime, u64)> {
    let query = CountQuery {
        from: BEGIN,
        to: BEGIN.plus(24 * HOUR),
        step: CountStep::Minute,
        by: CountBy::Outcome,
    };
    let counts = store.counts(&query, 1000).await.expect("counts");
    let row = |Count { start, count, .. }: Count| (start, count);
    counts.into_iter().map(row).collect()
}

/// Three in the first hour and one in the next, written.
async fn counted(database: &Database) -> [(UnixTime, u64); 3] {
    let store = open(database, BEGIN).await;
    let rows = [(BEGIN, 2), (BEGIN.plus(MINUTE), 1), (BEGIN.plus(HOUR), 1)];
    for (minute, times) in rows {
        (0..times).for_each(|_| count(&store, minute));
    }
    store.flush().await.expect("flushed");
    assert_eq!(counts(&store).await, rows);
    rows
}

#[tokio::test]
async fn m084_a_restart_keeps_counts_and_what_was_counted_last_is_written_before_the_end() {
    let Some(database) = Database::new() else {
        return;
    };
    let [first, second, third] = counted(&database).await;
    let store = open(&database, BEGIN).await;
    count(&store, BEGIN);
    // Without a flush.
    drop(store);
    let store = open(&database, BEGIN).await;
    let expected = [(first.0, 3), second, third];
    let is_written = async || counts(&store).await == expected;
    wait::within(WRITTEN_AFTER_DROP, "the last count", is_written).await;
}

#[tokio::test]
async fn m084_minutes_become_hours_after_seven_days_and_hours_end_after_400() {
    let Some(database) = Database::new() else {
        return;
    };
    let rows = counted(&database).await;
    let folded = [(BEGIN, 3), (BEGIN.plus(HOUR), 1)];
    // The sweeper stays ten seconds behind.
    let late = MINUTE;
    for (now, expected) in [
        (BEGIN.plus(MINUTES_KEPT + HOUR).minus(late), &rows[..]),
        (BEGIN.plus(MINUTES_KEPT + HOUR + late), &folded[..]),
        (BEGIN.plus(HOURS_KEPT).minus(late), &folded[..]),
        (BEGIN.plus(HOURS_KEPT + late), &folded[1..]),
        (BEGIN.plus(HOURS_KEPT + HOUR + late), &[]),
    ] {
        // What the clock says at a start is believed; the first group, or the store's task, sweeps.
        database.mark_for_sweep();
        let store = open(&database, now).await;
        count(&store, now);
        store.flush().await.expect("flushed");
        database.swept().await;
        assert_eq!(counts(&store).await, expected, "{now}");
    }
}

#[tokio::test]
async fn m084_what_cannot_be_written_now_is_counted_later() {
    let Some(database) = Database::new() else {
        return;
    };
    let store = open(&database, BEGIN).await;
    database.by_hand(&refuses("statistic")).expect("a trigger");
    count(&store, BEGIN);
    wait::until("a group that fails", async || store.flush().await.is_err()).await;
    database.by_hand(&accepts("statistic")).expect("dropped");
    store.flush().await.expect("flushed");
    assert_eq!(counts(&store).await, [(BEGIN, 1)]);
}
