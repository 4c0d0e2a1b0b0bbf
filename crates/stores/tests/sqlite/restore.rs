//! A restore while servers write: what they answer is taken over, or done in the new database.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use grantor::{
    clock::{Clock, SystemClock, UnixTime},
    storage::{Artifacts as _, Ending, FamilyId, Put},
};
use grantor_stores::sqlite::{Options, Revocations, SqliteStore};
use grantor_testkit::wait;
use rusqlite::Connection;

use super::laws::open;

fn restore(directory: &Path, clock: Arc<dyn Clock>) {
    let options = Options {
        clock,
        ..Options::default()
    };
    let restored = SqliteStore::restore(directory, &directory.join("backup"), &options);
    assert_eq!(restored.expect("restored").revocations, Revocations::Kept);
}

/// Tells the time, and notes whether somebody could read the database at that moment, and write into
/// it.
struct Watching {
    database: PathBuf,
    seen: Mutex<Vec<(bool, bool)>>,
}

impl Watching {
    fn new(directory: &Path) -> Arc<Self> {
        Arc::new(Self {
            database: directory.join("grantor.db"),
            seen: Mutex::default(),
        })
    }

    fn seen(&self) -> Vec<(bool, bool)> {
        std::mem::take(&mut self.seen.lock().expect("no test fails in between"))
    }
}

impl Clock for Watching {
    fn now(&self) -> UnixTime {
        let database = Connection::open(&self.database).expect("the database");
        database.busy_timeout(Duration::ZERO).expect("no patience");
        let read = database.query_row("SELECT count(*) FROM artifact", [], |_| Ok(()));
        let written = database.execute_batch("BEGIN IMMEDIATE; ROLLBACK");
        let seen = (read.is_ok(), written.is_ok());
        let mut all = self.seen.lock().expect("no test fails in between");
        all.push(seen);
        SystemClock.now()
    }
}

/// The time of a restore is the fence, before which uses and revocations may be lost: none comes
/// between it and the new database. Requests that only read are answered all the while.
#[tokio::test]
async fn f9_nobody_writes_between_the_time_of_a_restore_and_the_new_database() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let backup = directory.path().join("backup");
    store.backup(&backup).expect("backed up");
    drop(store);
    let clock = Watching::new(directory.path());
    restore(directory.path(), clock.clone());
    let seen = clock.seen();
    assert!(!seen.is_empty(), "it needs the time");
    assert!(seen.iter().all(|one| *one == (true, false)), "{seen:?}");
    // The control: the same look behind it.
    clock.now();
    assert_eq!(clock.seen(), [(true, true)]);
}

/// Without a pause, while the backup is put in place. What was answered is recorded: that everything
/// of before is inactive would hide a loss, so these are tokens of later.
#[tokio::test(flavor = "multi_thread")]
async fn f9_what_is_revoked_while_a_backup_is_restored_stays_revoked() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let backup = directory.path().join("backup");
    store.backup(&backup).expect("backed up");
    let (revoked, is_over) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
    let revoking = tokio::spawn({
        let (store, revoked, is_over) = (store.clone(), revoked.clone(), is_over.clone());
        async move {
            while !is_over.load(SeqCst) {
                let token = FamilyId::of(&revoked.load(SeqCst).to_string());
                let now = SystemClock.now();
                let ending = Ending {
                    owner: None,
                    at: now,
                    until: now.plus(Duration::from_secs(600)),
                };
                let put = store.end_family(token, ending, 10).await;
                assert_eq!(put.expect("revoked"), Put::Kept);
                revoked.fetch_add(1, SeqCst);
            }
        }
    });
    for _ in 0..5 {
        let before = revoked.load(SeqCst);
        wait::until("revoked", async || revoked.load(SeqCst) > before).await;
        let path = directory.path().to_owned();
        let restored = tokio::task::spawn_blocking(move || restore(&path, Arc::new(SystemClock)));
        restored.await.expect("restored");
    }
    is_over.store(true, SeqCst);
    revoking.await.expect("each revocation was answered");

    let later = SystemClock.now().plus(Duration::from_secs(60));
    let is_revoked = async |token: &str| {
        let ended = store.family_has_ended(&FamilyId::of(token), later).await;
        ended.expect("decided")
    };
    let mut lost = Vec::new();
    for number in 0..revoked.load(SeqCst) {
        if !is_revoked(&number.to_string()).await {
            lost.push(number);
        }
    }
    assert!(lost.is_empty(), "{lost:?} of {revoked:?}");
    assert!(!is_revoked("another").await, "the control");
}
