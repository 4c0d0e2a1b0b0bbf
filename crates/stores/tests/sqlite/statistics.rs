//! Counts in SQLite: added up by the hour when they are old, then forgotten; kept over a restart.

use std::{path::Path, sync::Arc, time::Duration};

use grantor::{
    clock::{ManualClock, UnixTime},
    server::{Decision, Outcome},
    storage::{
        Count, CountBy, CountQuery, CountStep, DecisionStore as _, HOURS_KEPT, MINUTES_KEPT,
        StatisticsStore as _,
    },
};
use grantor_stores::sqlite::{Options, SqliteStore};
use grantor_testkit::wait;
use rusqlite::Connection;

/// The beginning of an hour.
const BEGIN: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn open(directory: &Path, now: UnixTime) -> SqliteStore {
    let options = Options {
        clock: Arc::new(ManualClock::new(now)),
        ..Options::default()
    };
    SqliteStore::open(directory, &options).expect("the store opens")
}

/// Something was granted at this time.
fn count(store: &SqliteStore, at: UnixTime) {
    let granted = format!(
        r#"{{"id":"x0dk2vq8c3pmz7t","at":{},"endpoint":"token","outcome":{{"outcome":"granted"}}}}"#,
        at.millis()
    );
    let decision = Decision::read(&granted).expect("a decision");
    assert_eq!(decision.outcome, Outcome::Granted);
    store.count(&decision);
}

/// The counts of the first day, by the minute.
async fn counts(store: &SqliteStore) -> Vec<(UnixTime, u64)> {
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
async fn counted(directory: &Path) -> [(UnixTime, u64); 3] {
    let store = open(directory, BEGIN);
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
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [first, second, third] = counted(directory.path()).await;
    let store = open(directory.path(), BEGIN);
    count(&store, BEGIN);
    // Without a flush.
    drop(store);
    let store = open(directory.path(), BEGIN);
    assert_eq!(counts(&store).await, [(first.0, 3), second, third]);
}

#[tokio::test]
async fn m084_minutes_become_hours_after_seven_days_and_hours_end_after_400() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let rows = counted(directory.path()).await;
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
        // What the clock says at a start is believed; the first group sweeps.
        let store = open(directory.path(), now);
        count(&store, now);
        store.flush().await.expect("flushed");
        assert_eq!(counts(&store).await, expected, "{now}");
    }
}

#[tokio::test]
async fn m084_what_cannot_be_written_now_is_counted_later() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path(), BEGIN);
    let other = Connection::open(directory.path().join("grantor.db")).expect("a connection");
    let refuses = "CREATE TRIGGER refuses BEFORE INSERT ON statistic BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    other.execute_batch(refuses).expect("a trigger");
    count(&store, BEGIN);
    wait::until("a group that fails", async || store.flush().await.is_err()).await;
    other
        .execute_batch("DROP TRIGGER refuses")
        .expect("dropped");
    store.flush().await.expect("flushed");
    assert_eq!(counts(&store).await, [(BEGIN, 1)]);
}
