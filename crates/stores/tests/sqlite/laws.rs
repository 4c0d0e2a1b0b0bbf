//! SQLite on a real file: the laws every store keeps, and what only a file can do.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use grantor::{
    clock::{Clock, ManualClock, SystemClock, UnixTime},
    jose::Algorithm,
    keys::SigningKeys,
    registry::{Actor, Client, ClientMetadata, ClientSecret},
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts, Claim, ClientSource, DEFAULT_REPLAY_QUOTA,
        Ending, FamilyId, KeyStore as _, Put, Registries, ReplayGuard, ReplayKey, StoreError,
    },
    types::AuthMethod,
};
use grantor_stores::{
    Exposure, MasterKeyError, Upkeep,
    sqlite::{OpenError, Options, Restored, Revocations, SqliteStore},
};
use grantor_testkit::wait;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::given::{id, within_a_second};

/// So many stores on one new file.
async fn nodes(count: usize) -> (Vec<Arc<SqliteStore>>, TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(grantor::storage::conformance::NOW));
    let open = |_| open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    let nodes = (0..count).map(open).map(Arc::new).collect();
    (nodes, directory)
}

grantor::store_suite!(nodes);

pub fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(directory, &Options::default()).expect("the store opens")
}

fn open_with_clock(directory: &Path, clock: Arc<ManualClock>) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(
        directory,
        &Options {
            clock,
            ..Options::default()
        },
    )
}

fn refusal(directory: &Path) -> OpenError {
    SqliteStore::open(directory, &Options::default()).expect_err("the store must not open")
}

fn client(name: &str, method: AuthMethod, secrets: Vec<ClientSecret>) -> Client {
    Client::new(
        ClientMetadata::new(id(name), method, SystemClock.now()),
        Vec::new(),
        secrets,
    )
    .expect("a client")
}

/// Registers a public client.
async fn register(store: &SqliteStore, name: &str) {
    let (client, by) = (
        client(name, AuthMethod::NONE, Vec::new()),
        Actor::program("test"),
    );
    let created = store.clients().create(client, &by).await;
    created.expect("created");
}

fn in_a_minute() -> UnixTime {
    SystemClock.now().plus(Duration::from_secs(60))
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let key = ReplayKey::new("issuer", "jti");
    let store = open(directory.path());
    let ring = store.key_ring().published().to_vec();
    register(&store, "a").await;
    assert_eq!(
        store
            .claim(
                &[key.until(in_a_minute())],
                SystemClock.now(),
                DEFAULT_REPLAY_QUOTA
            )
            .await
            .expect("claimed"),
        Claim::Fresh
    );
    drop(store);

    let store = open(directory.path());
    assert_eq!(store.key_ring().published(), ring);
    assert!(store.client(&id("a")).await.expect("read").is_some());
    assert_eq!(
        store
            .claim(
                &[key.until(in_a_minute())],
                SystemClock.now(),
                DEFAULT_REPLAY_QUOTA
            )
            .await
            .expect("claimed"),
        Claim::Replayed(key)
    );
}

#[tokio::test]
async fn a_change_by_another_process_is_in_force_within_a_second() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (server, operator) = (open(directory.path()), open(directory.path()));
    register(&operator, "a").await;
    within_a_second(async || server.client(&id("a")).await.expect("read").is_some()).await;

    let before = operator
        .client(&id("a"))
        .await
        .expect("read")
        .expect("there");
    let mut metadata = before.metadata().clone();
    metadata.enabled = false;
    operator
        .clients()
        .replace(
            before.changed(metadata, vec![], vec![]).expect("a client"),
            &Actor::program("test"),
        )
        .await
        .expect("updated");
    within_a_second(async || {
        !server
            .client(&id("a"))
            .await
            .expect("read")
            .expect("the client")
            .metadata()
            .enabled
    })
    .await;

    operator
        .clients()
        .delete(&id("a"), &Actor::program("test"))
        .await
        .expect("deleted");
    within_a_second(async || server.client(&id("a")).await.expect("read").is_none()).await;

    let rotated = operator
        .signing_key_rotate(
            Algorithm::Ed25519,
            Duration::ZERO,
            Duration::from_secs(60),
            &Actor::program("test"),
        )
        .await
        .expect("rotated");
    within_a_second(async || server.key_ring().signing().key_id() == Some(&rotated.key_id)).await;
    assert_eq!(
        server.key_ring().published().len(),
        2,
        "the old key is still published"
    );
}

#[tokio::test]
async fn a_new_key_is_published_before_it_signs_and_an_old_one_until_its_tokens_have_ended() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_800_000_000_000)));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    let old = store.key_ring().signing().key_id().map(str::to_owned);
    let ahead = Duration::from_secs(30);
    let new = store
        .signing_key_rotate(
            Algorithm::Es256,
            ahead,
            Duration::from_secs(60),
            &Actor::program("test"),
        )
        .await
        .expect("rotated");
    assert_eq!(store.key_ring().published().len(), 2, "published at once");
    assert_eq!(
        store.key_ring().signing().key_id(),
        old.as_deref(),
        "the old key still signs"
    );
    clock.advance(Duration::from_secs(31));
    within_a_second(async || store.key_ring().signing().key_id() == Some(&new.key_id)).await;
    clock.advance(Duration::from_secs(58));
    // Who sees a change that was made after it has looked after it.
    let other = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    register(&other, "after").await;
    within_a_second(async || store.client(&id("after")).await.expect("read").is_some()).await;
    assert_eq!(
        store.key_ring().published().len(),
        2,
        "the old key's tokens may still be alive"
    );
    clock.advance(Duration::from_secs(2));
    within_a_second(async || store.key_ring().published().len() == 1).await;
}

#[tokio::test]
async fn expired_claims_are_removed_and_live_ones_stay_whatever_the_clock_does() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let start = UnixTime::from_millis(1_800_000_000_000);
    let clock = Arc::new(ManualClock::new(start));
    let until = |number: u32| start.plus(Duration::from_secs(if number < 90 { 60 } else { 6000 }));
    let claim = async |store: &SqliteStore, number: u32| {
        let key = ReplayKey::new("issuer", &number.to_string());
        store
            .claim(
                &[key.until(until(number))],
                clock.now(),
                DEFAULT_REPLAY_QUOTA,
            )
            .await
    };
    let reader = || Connection::open(directory.path().join("grantor.db")).expect("the file opens");
    let rows = || {
        reader()
            .query_row("SELECT count(*) FROM replay", [], |row| {
                row.get::<_, i64>(0)
            })
            .expect("a count")
    };
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    for number in 0..100 {
        assert_eq!(claim(&store, number).await.expect("claimed"), Claim::Fresh);
    }
    let before = rows();
    // Two hours ahead for a moment: nothing is removed, and what was used stays used.
    clock.advance(Duration::from_secs(7200));
    let last = store
        .claim(
            &[ReplayKey::new("issuer", "last").until(clock.now().plus(Duration::from_secs(60)))],
            clock.now(),
            1000,
        )
        .await;
    // The sweep that was due is in the same commit.
    assert_eq!(last.expect("claimed"), Claim::Fresh);
    assert_eq!(rows(), before + 1);
    clock.set(start);
    assert_eq!(
        claim(&store, 0).await.expect("decided"),
        Claim::Replayed(ReplayKey::new("issuer", "0"))
    );
    drop(store);

    // A start is believed: what has ended is removed, and the rest stays.
    clock.advance(Duration::from_secs(120));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    within_a_second(async || rows() < before).await;
    assert_eq!(
        claim(&store, 95).await.expect("decided"),
        Claim::Replayed(ReplayKey::new("issuer", "95"))
    );
    assert_eq!(store.fence(), None);
    // Another process has the right clock: what may have been removed is refused there at once.
    let right = Arc::new(ManualClock::new(start));
    let options = Options {
        clock: right.clone(),
        upkeep: Upkeep::ByOthers,
        ..Options::default()
    };
    let other = SqliteStore::open(directory.path(), &options).expect("the store opens");
    let used = other
        .claim(
            &[ReplayKey::new("issuer", "0").until(until(0))],
            start,
            DEFAULT_REPLAY_QUOTA,
        )
        .await;
    assert!(matches!(used, Err(StoreError::Unavailable(_))), "{used:?}");
    drop((store, other));

    // That start was wrong: whatever was used was used before now, and what is issued from now on
    // is decided again.
    clock.set(start);
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    assert_eq!(store.fence(), Some(start.plus(Duration::from_secs(30))));
    assert_eq!(
        claim(&store, 95).await.expect("decided"),
        Claim::Replayed(ReplayKey::new("issuer", "95"))
    );
    assert_eq!(claim(&store, 1000).await.expect("decided"), Claim::Fresh);
    let soon = store
        .claim(
            &[ReplayKey::new("issuer", "soon").until(start.plus(Duration::from_secs(60)))],
            start,
            DEFAULT_REPLAY_QUOTA,
        )
        .await;
    assert_eq!(soon.expect("decided"), Claim::Fresh, "no outage");
}

#[tokio::test]
async fn a_running_server_finds_out_that_its_clock_was_ahead() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let start = UnixTime::from_millis(1_800_000_000_000);
    let clock = Arc::new(ManualClock::new(start.plus(Duration::from_secs(7200))));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    let until = clock.now().plus(Duration::from_secs(1));
    let claimed = store
        .claim(
            &[ReplayKey::new("issuer", "1").until(until)],
            clock.now(),
            DEFAULT_REPLAY_QUOTA,
        )
        .await;
    assert_eq!(claimed.expect("decided"), Claim::Fresh);
    let reader = Connection::open(directory.path().join("grantor.db")).expect("the file opens");
    let rows = || {
        reader
            .query_row("SELECT count(*) FROM replay", [], |row| {
                row.get::<_, i64>(0)
            })
            .expect("a count")
    };
    drop(store);
    clock.advance(Duration::from_secs(20));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    within_a_second(async || rows() == 0).await;
    assert_eq!(store.fence(), None);
    clock.set(start);
    within_a_second(async || store.fence() == Some(start.plus(Duration::from_secs(30)))).await;
}

#[tokio::test]
async fn a_claim_that_waited_longer_than_it_is_remembered_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let start = UnixTime::from_millis(1_800_000_000_000);
    let clock = Arc::new(ManualClock::new(start.plus(Duration::from_secs(61))));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    let claim = async |seconds: u64| {
        let until = start.plus(Duration::from_secs(seconds));
        store
            .claim(
                &[ReplayKey::new("issuer", "jti").until(until)],
                start,
                DEFAULT_REPLAY_QUOTA,
            )
            .await
    };
    assert!(matches!(claim(60).await, Err(StoreError::Unavailable(_))));
    assert_eq!(claim(62).await.expect("decided"), Claim::Fresh);
}

#[tokio::test]
async fn no_wrong_clock_brings_a_revoked_token_back() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let start = UnixTime::from_millis(1_800_000_000_000);
    let clock = Arc::new(ManualClock::new(start));
    let open = |upkeep| {
        let options = Options {
            clock: clock.clone(),
            upkeep,
            ..Options::default()
        };
        SqliteStore::open(directory.path(), &options).expect("the store opens")
    };
    let (until, family) = (start.plus(Duration::from_secs(60)), FamilyId::of("t"));
    let server = open_with_clock(directory.path(), Arc::new(ManualClock::new(start)))
        .expect("the store opens");
    let ending = Ending {
        owner: Some(1),
        at: start,
        until,
    };
    assert_eq!(
        server
            .end_family(family, ending, 10)
            .await
            .expect("revoked"),
        Put::Kept
    );
    let is_revoked = async |store: &SqliteStore| {
        store
            .family_has_ended(&family, start)
            .await
            .expect("decided")
    };
    let reader = Connection::open(directory.path().join("grantor.db")).expect("the file opens");
    let rows = || {
        reader
            .query_row("SELECT count(*) FROM artifact", [], |row| {
                row.get::<_, i64>(0)
            })
            .expect("a count")
    };

    // Two hours ahead, and a command that is two days ahead, remove nothing.
    clock.advance(Duration::from_secs(7200));
    drop(open(Upkeep::Here));
    clock.advance(Duration::from_secs(2 * 86_400));
    drop(open(Upkeep::ByOthers));
    assert!(rows() == 1 && is_revoked(&server).await);
    // A server that is two days ahead does; that is known to the one that is right.
    let ahead = open(Upkeep::Here);
    within_a_second(async || rows() == 0).await;
    assert!(is_revoked(&server).await);
    drop((ahead, server));
    clock.set(start.plus(Duration::from_secs(5)));
    let server = open(Upkeep::Here);
    assert!(
        is_revoked(&server).await,
        "after a start with the right clock too"
    );
    let later = start.plus(Duration::from_secs(6));
    assert!(
        !server
            .family_has_ended(&FamilyId::of("u"), later)
            .await
            .expect("decided"),
        "one that is issued later"
    );
}

/// A world in which a backup was made, and then an assertion was used and a client registered.
struct BackedUp {
    directory: TempDir,
    clock: Arc<ManualClock>,
    store: SqliteStore,
    used: ReplayKey,
}

impl BackedUp {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_800_000_000_000)));
        let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
        store
            .clients()
            .create(
                client("early", AuthMethod::NONE, vec![]),
                &Actor::program("test"),
            )
            .await
            .expect("created");
        store
            .backup(&directory.path().join("backup"))
            .expect("backed up");
        let used = ReplayKey::new("issuer", "used");
        let world = Self {
            directory,
            clock,
            store,
            used,
        };
        assert_eq!(
            world.claim(&world.store).await.expect("claimed"),
            Claim::Fresh
        );
        world
            .store
            .clients()
            .create(
                client("late", AuthMethod::NONE, vec![]),
                &Actor::program("test"),
            )
            .await
            .expect("created");
        world
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn claim(&self, store: &SqliteStore) -> Result<Claim, StoreError> {
        let now = self.clock.now();
        store
            .claim(
                &[self.used.until(now.plus(Duration::from_secs(60)))],
                now,
                DEFAULT_REPLAY_QUOTA,
            )
            .await
    }

    fn open(&self) -> SqliteStore {
        open_with_clock(self.path(), self.clock.clone()).expect("the store opens")
    }

    fn restore(&self) -> Result<Restored, OpenError> {
        let options = Options {
            clock: self.clock.clone(),
            ..Options::default()
        };
        SqliteStore::restore(self.path(), &self.path().join("backup"), &options)
    }

    /// Assertions of before are refused from half a minute ahead of now.
    fn expect_fence(&self, store: &SqliteStore) {
        assert_eq!(
            store.fence(),
            Some(self.clock.now().plus(Duration::from_secs(30)))
        );
    }
}

async fn knows(store: &SqliteStore, name: &str) -> bool {
    store.client(&id(name)).await.expect("read").is_some()
}

#[tokio::test]
async fn a_backup_is_restored_while_a_server_runs() {
    let world = BackedUp::new().await;
    assert_eq!(world.store.fence(), None);
    let late = world
        .store
        .client(&id("late"))
        .await
        .expect("read")
        .expect("there")
        .revision()
        .number;
    world.restore().expect("restored");
    within_a_second(async || !knows(&world.store, "late").await).await;
    within_a_second(async || world.store.fence().is_some()).await;
    world.expect_fence(&world.store);
    assert!(knows(&world.store, "early").await);
    assert_eq!(
        world.claim(&world.store).await.expect("decided"),
        Claim::Replayed(world.used),
        "the process remembers"
    );

    // Later changes are followed, and no number is given again.
    let other = world.open();
    world.expect_fence(&other);
    other
        .clients()
        .create(
            client("later", AuthMethod::NONE, vec![]),
            &Actor::program("test"),
        )
        .await
        .expect("created");
    within_a_second(async || knows(&world.store, "later").await).await;
    let later = other
        .client(&id("later"))
        .await
        .expect("read")
        .expect("there")
        .revision()
        .number;
    assert!(later > late, "{later} {late}");
}

#[tokio::test]
async fn a_backup_is_restored_over_what_a_killed_server_left() {
    let world = BackedUp::new().await;
    // As after kill -9: the log stays beside the file.
    let crashed = tempfile::tempdir().expect("a temporary directory");
    for name in ["grantor.db", "grantor.db-wal", "master.key", "backup"] {
        fs::copy(world.path().join(name), crashed.path().join(name)).expect("copied");
    }
    let options = Options {
        clock: world.clock.clone(),
        ..Options::default()
    };
    SqliteStore::restore(crashed.path(), &crashed.path().join("backup"), &options)
        .expect("restored");
    let store = open_with_clock(crashed.path(), world.clock.clone()).expect("the store opens");
    assert!(knows(&store, "early").await && !knows(&store, "late").await);
    world.expect_fence(&store);
}

#[tokio::test]
async fn a_database_replaced_by_hand_is_noticed() {
    // While the server runs, through SQLite.
    let world = BackedUp::new().await;
    let backup = Connection::open(world.path().join("backup")).expect("the backup");
    let mut live = Connection::open(world.path().join("grantor.db")).expect("the database");
    rusqlite::backup::Backup::new(&backup, &mut live)
        .expect("a copy")
        .step(-1)
        .expect("copied");
    within_a_second(async || world.store.fence().is_some()).await;
    within_a_second(async || !knows(&world.store, "late").await).await;
    world
        .store
        .clients()
        .create(
            client("after", AuthMethod::NONE, vec![]),
            &Actor::program("test"),
        )
        .await
        .expect("created");
    assert!(knows(&world.store, "after").await);
    assert_eq!(
        world.claim(&world.store).await.expect("decided"),
        Claim::Replayed(world.used),
        "the process remembers"
    );

    // While no server runs, by copying a file.
    let world = BackedUp::new().await;
    let BackedUp {
        directory,
        clock,
        store,
        used,
    } = world;
    drop(store);
    fs::copy(
        directory.path().join("backup"),
        directory.path().join("grantor.db"),
    )
    .expect("copied");
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    let world = BackedUp {
        directory,
        clock,
        store,
        used,
    };
    world.expect_fence(&world.store);

    // The control: the same database, opened again.
    let world = BackedUp::new().await;
    drop(world.store);
    let store =
        open_with_clock(world.directory.path(), world.clock.clone()).expect("the store opens");
    assert_eq!(store.fence(), None);
}

#[tokio::test]
async fn what_cannot_be_restored_changes_nothing() {
    let world = BackedUp::new().await;
    let exists = world
        .store
        .backup(&world.path().join("backup"))
        .expect_err("a backup is there");
    assert!(exists.to_string().contains("never overwritten"), "{exists}");
    fs::write(
        world.path().join("foreign"),
        "something else, and long enough to be a database",
    )
    .expect("written");
    let options = Options {
        clock: world.clock.clone(),
        ..Options::default()
    };
    let foreign = SqliteStore::restore(world.path(), &world.path().join("foreign"), &options)
        .expect_err("no database");
    assert!(matches!(foreign, OpenError::Foreign(_)), "{foreign}");
    let absent = SqliteStore::restore(world.path(), &world.path().join("absent"), &options)
        .expect_err("no file");
    assert!(
        matches!(absent, OpenError::Foreign(_) | OpenError::Io { .. }),
        "{absent}"
    );
    let other = tempfile::tempdir().expect("a temporary directory");
    drop(open(other.path()));
    let wrong = SqliteStore::restore(other.path(), &world.path().join("backup"), &options)
        .expect_err("another key");
    assert!(matches!(wrong, OpenError::WrongMasterKey(_)), "{wrong}");
    assert!(!other.path().join("grantor.db.restoring").exists());
    assert!(knows(&world.store, "late").await && world.store.fence().is_none());
}

#[tokio::test]
async fn a_damaged_or_lost_database_is_brought_back() {
    let world = BackedUp::new().await;
    drop(world.open());
    let BackedUp {
        directory,
        clock,
        store,
        used,
    } = world;
    drop(store);
    let path = directory.path().join("grantor.db");
    // The last connection writes what is in the log into the file, perhaps a moment later.
    let log = directory.path().join("grantor.db-wal");
    wait::until("the log is gone", async || !log.exists()).await;
    let mut octets = fs::read(&path).expect("the file");
    octets[4096..8192].fill(0xa5);
    fs::write(&path, octets).expect("damaged");
    assert!(matches!(
        open_with_clock(directory.path(), clock.clone()),
        Err(OpenError::Damaged { .. })
    ));
    let options = Options {
        clock: clock.clone(),
        ..Options::default()
    };
    let restored =
        SqliteStore::restore(directory.path(), &directory.path().join("backup"), &options)
            .expect("restored");
    assert!(restored.set_aside.expect("kept").exists());
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    assert!(knows(&store, "early").await);
    drop(store);

    // A master key without a database is a database that was lost, and not a new server.
    fs::remove_file(&path).expect("removed");
    let lost = open_with_clock(directory.path(), clock.clone()).expect_err("no database");
    assert!(
        matches!(lost, OpenError::Lost { .. }) && lost.to_string().contains("grantor restore"),
        "{lost}"
    );
    fs::write(&path, "").expect("an empty file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    assert!(matches!(
        open_with_clock(directory.path(), clock.clone()),
        Err(OpenError::Lost { .. })
    ));
    SqliteStore::restore(directory.path(), &directory.path().join("backup"), &options)
        .expect("restored");
    let world = BackedUp {
        store: open_with_clock(directory.path(), clock.clone()).expect("it opens"),
        directory,
        clock,
        used,
    };
    assert!(knows(&world.store, "early").await);
    world.expect_fence(&world.store);
}

#[tokio::test]
async fn a_database_that_went_back_without_a_change_of_the_registry_is_noticed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_800_000_000_000)));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    // It claims nothing itself.
    let other = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    store
        .backup(&directory.path().join("backup"))
        .expect("backed up");
    let claimed = store
        .claim(
            &[ReplayKey::new("issuer", "used").until(clock.now().plus(Duration::from_secs(60)))],
            clock.now(),
            10,
        )
        .await;
    assert_eq!(claimed.expect("decided"), Claim::Fresh);
    let seen = || fs::read_to_string(directory.path().join("seen")).expect("a note");
    within_a_second(async || seen().contains("replay 1")).await;
    let backup = Connection::open(directory.path().join("backup")).expect("the backup");
    let mut live = Connection::open(directory.path().join("grantor.db")).expect("the database");
    rusqlite::backup::Backup::new(&backup, &mut live)
        .expect("a copy")
        .step(-1)
        .expect("copied");
    within_a_second(async || store.fence().is_some() && other.fence().is_some()).await;
}

#[tokio::test]
async fn no_number_is_given_again_whatever_was_put_in_the_place_of_the_database() {
    for replaced in ["by hand", "lost", "damaged"] {
        let world = BackedUp::new().await;
        let late = world
            .store
            .client(&id("late"))
            .await
            .expect("read")
            .expect("there")
            .revision()
            .number;
        let BackedUp {
            directory,
            clock,
            store,
            ..
        } = world;
        drop(store);
        let path = directory.path().join("grantor.db");
        let options = Options {
            clock: clock.clone(),
            ..Options::default()
        };
        let restore = || {
            SqliteStore::restore(directory.path(), &directory.path().join("backup"), &options)
                .expect("restored")
        };
        match replaced {
            "by hand" => drop(fs::copy(directory.path().join("backup"), &path).expect("copied")),
            "lost" => {
                fs::remove_file(&path).expect("removed");
                assert_eq!(restore().revocations, Revocations::Unknown);
                // Once more: what was not known then is not known now.
                assert_eq!(restore().revocations, Revocations::Kept);
            }
            _ => {
                let mut octets = fs::read(&path).expect("the file");
                octets[4096..8192].fill(0xa5);
                fs::write(&path, octets).expect("damaged");
                assert_eq!(restore().revocations, Revocations::Unknown);
            }
        }
        let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
        store
            .clients()
            .create(
                client("late", AuthMethod::NONE, vec![]),
                &Actor::program("test"),
            )
            .await
            .expect("created");
        let anew = store
            .client(&id("late"))
            .await
            .expect("read")
            .expect("there")
            .revision()
            .number;
        assert!(anew > late, "{replaced}: {anew} {late}");
        // Which tokens were revoked is not known.
        let before = UnixTime::from_millis(clock.now().millis() - 1000);
        assert!(
            store
                .family_has_ended(&FamilyId::of("t"), before)
                .await
                .expect("decided"),
            "{replaced}"
        );
        let after = clock.now().plus(Duration::from_secs(1));
        assert!(
            !store
                .family_has_ended(&FamilyId::of("t"), after)
                .await
                .expect("decided"),
            "{replaced}"
        );
    }
}

#[tokio::test]
async fn what_was_revoked_since_the_backup_stays_revoked() {
    let world = BackedUp::new().await;
    let now = world.clock.now();
    let leaked = world
        .store
        .key_ring()
        .signing()
        .key_id()
        .expect("a kid")
        .to_owned();
    let ending = Ending {
        owner: Some(1),
        at: now,
        until: now.plus(Duration::from_secs(60)),
    };
    assert_eq!(
        world
            .store
            .end_family(FamilyId::of("t"), ending, 10)
            .await
            .expect("revoked"),
        Put::Kept
    );
    world
        .store
        .signing_key_revoke(&leaked, Algorithm::Es256, &Actor::program("test"))
        .await
        .expect("revoked");
    assert_eq!(
        world.restore().expect("restored").revocations,
        Revocations::Kept
    );
    let store = world.open();
    assert!(
        store
            .key_ring()
            .published()
            .iter()
            .all(|key| key.key_id() != Some(&leaked))
    );
    assert!(store.key_ring().signing().key_id() != Some(&leaked));
    let is_revoked = async |token| {
        store
            .family_has_ended(&FamilyId::of(token), now)
            .await
            .expect("decided")
    };
    assert!(is_revoked("t").await && !is_revoked("u").await);
}

#[tokio::test]
async fn what_was_taken_or_replaced_since_the_backup_does_not_come_back() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_800_000_000_000)));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    let now = clock.now();
    let kind = ArtifactKind::new("urn:example:ticket");
    let key = |text| ArtifactKey::of(kind, text);
    let ticket = || Artifact::new(now, now.plus(Duration::from_secs(60)));
    for text in ["kept", "taken", "replaced"] {
        let put = store.put(key(text), ticket(), 10).await;
        assert_eq!(put.expect("put"), Put::Kept);
    }
    let backup = directory.path().join("backup");
    store.backup(&backup).expect("backed up");
    let taken = store.take(key("taken"), now).await.expect("decided");
    assert!(taken.is_some());
    let replaced = store.replace(key("replaced"), ticket(), now).await;
    replaced.expect("replaced");
    drop(store);
    let options = Options {
        clock: clock.clone(),
        ..Options::default()
    };
    let restore = || SqliteStore::restore(directory.path(), &backup, &options).expect("restored");
    let is_there = async |store: &SqliteStore, text| {
        let found = store.get(&key(text), now).await;
        found.expect("decided").is_some()
    };
    assert_eq!(restore().revocations, Revocations::Kept);
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    assert!(is_there(&store, "kept").await);
    assert!(!is_there(&store, "taken").await && !is_there(&store, "replaced").await);
    drop(store);

    // Where it cannot be known, nothing of before is there.
    fs::remove_file(directory.path().join("grantor.db")).expect("removed");
    assert_eq!(restore().revocations, Revocations::Unknown);
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    for text in ["kept", "taken", "replaced"] {
        assert!(!is_there(&store, text).await, "{text}");
        let taken = store.take(key(text), now).await.expect("decided");
        assert_eq!(taken, None, "{text}");
    }
}

#[tokio::test]
async fn a_backup_with_pages_of_another_size_is_restored() {
    let world = BackedUp::new().await;
    let backup = Connection::open(world.path().join("backup")).expect("the backup");
    backup
        .execute_batch("PRAGMA page_size = 1024; VACUUM;")
        .expect("smaller pages");
    drop(backup);
    world.restore().expect("restored");
    let store = world.open();
    assert!(knows(&store, "early").await && !knows(&store, "late").await);
}

#[tokio::test]
async fn a_key_that_ceased_to_sign_never_signs_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(ManualClock::new(UnixTime::from_millis(1_800_000_000_000)));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    let signing = || {
        store
            .key_ring()
            .signing()
            .key_id()
            .expect("a kid")
            .to_owned()
    };
    let rotate = async |ahead| {
        clock.advance(Duration::from_secs(1));
        store
            .signing_key_rotate(
                Algorithm::Es256,
                ahead,
                Duration::from_secs(3600),
                &Actor::program("test"),
            )
            .await
            .expect("rotated")
            .key_id
    };
    let first = signing();
    let planned = rotate(Duration::from_secs(60)).await;
    let new = rotate(Duration::ZERO).await;
    assert_eq!(signing(), new);
    let published: Vec<_> = store
        .key_ring()
        .published()
        .iter()
        .filter_map(|key| key.key_id().map(str::to_owned))
        .collect();
    assert!(!published.contains(&planned), "it would never have signed");
    store
        .signing_key_revoke(&new, Algorithm::Es256, &Actor::program("test"))
        .await
        .expect("revoked");
    assert!(![&first, &planned, &new].contains(&&signing()));
    clock.advance(Duration::from_secs(120));
    let successor = signing();
    within_a_second(async || {
        ![&first, &planned, &new].contains(&&signing()) && signing() == successor
    })
    .await;
}

#[tokio::test]
async fn the_keys_follow_a_clock_that_goes_ahead_and_back() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let start = UnixTime::from_millis(1_800_000_000_000);
    let clock = Arc::new(ManualClock::new(start));
    let store = open_with_clock(directory.path(), clock.clone()).expect("the store opens");
    let first = store.key_ring().signing().key_id().map(str::to_owned);
    store
        .signing_key_rotate(
            Algorithm::Es256,
            Duration::ZERO,
            Duration::from_secs(3600),
            &Actor::program("test"),
        )
        .await
        .expect("rotated");
    assert_eq!(store.key_ring().published().len(), 2);
    clock.advance(Duration::from_secs(7200));
    within_a_second(async || store.key_ring().published().len() == 1).await;
    clock.set(start);
    within_a_second(async || store.key_ring().published().len() == 2).await;
    drop(store);

    // Before the first key: the oldest signs, and nothing is refused.
    clock.set(UnixTime::from_millis(start.millis() - 86_400_000));
    let store = open_with_clock(directory.path(), clock).expect("the store opens");
    assert_eq!(
        store.key_ring().signing().key_id().map(str::to_owned),
        first
    );
}

#[tokio::test]
async fn no_secret_is_readable_in_the_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let secret = ClientSecret::generate();
    let readable = ClientSecret::readable(secret.clone(), None).expect("a secret");
    let store = open(directory.path());
    store
        .clients()
        .create(
            client("jwt", AuthMethod::CLIENT_SECRET_JWT, vec![readable]),
            &Actor::program("test"),
        )
        .await
        .expect("created");
    let digest = ClientSecret::digest(&secret, None);
    store
        .clients()
        .create(
            client("basic", AuthMethod::CLIENT_SECRET_BASIC, vec![digest]),
            &Actor::program("test"),
        )
        .await
        .expect("created");
    drop(store);
    let file = fs::read(directory.path().join("grantor.db")).expect("the file");
    let contains = |needle: &[u8]| file.windows(needle.len()).any(|window| window == needle);
    assert!(
        contains(b"client_secret_jwt"),
        "the control: metadata is readable"
    );
    assert!(!contains(secret.as_bytes()));
    assert!(!contains(b"\"d\":"), "no private JWK member");
}

#[tokio::test]
async fn what_is_committed_reaches_the_database_file_while_the_store_is_in_use() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    register(&store, "a-name-to-look-for").await;
    let name = b"a-name-to-look-for";
    let path = directory.path().join("grantor.db");
    let is_there = || {
        fs::read(&path)
            .expect("the file")
            .windows(name.len())
            .any(|window| window == name)
    };
    wait::until("it leaves the log", async || is_there()).await;
}

#[test]
fn files_are_for_their_owner_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let _store = open(directory.path());
    for name in ["grantor.db", "grantor.db-wal", "master.key"] {
        let mode = fs::metadata(directory.path().join(name))
            .expect(name)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_master_key_that_others_may_read_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    drop(open(directory.path()));
    let path = directory.path().join("master.key");
    let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
    for mode in [0o604, 0o644, 0o602] {
        set(mode);
        let error = refusal(directory.path());
        assert!(
            matches!(error, OpenError::MasterKey(MasterKeyError::Permissions(_))),
            "{mode:o}: {error}"
        );
    }
    // A group of this process, as `fsGroup` gives it; the file was made by this process, and so has
    // its group.
    for mode in [0o640, 0o440, 0o660] {
        set(mode);
        drop(open(directory.path()));
    }
    // Only root may give it to a group that this process is not in.
    if std::os::unix::fs::chown(&path, None, Some(4_242)).is_ok() {
        set(0o640);
        assert!(matches!(
            refusal(directory.path()),
            OpenError::MasterKey(MasterKeyError::Permissions(_))
        ));
    }
    set(0o600);
    drop(open(directory.path()));
}

#[test]
fn a_database_that_others_may_read_or_change_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    };
    // One that is in use has all its files.
    let _store = open(directory.path());
    for name in ["grantor.db", "grantor.db-wal", "grantor.db-shm", "lock"] {
        let path = directory.path().join(name);
        for (mode, exposure) in [
            (0o644, Exposure::Readable),
            (0o604, Exposure::Readable),
            (0o602, Exposure::Writable),
        ] {
            set(&path, mode);
            let error = refusal(directory.path());
            assert!(
                matches!(&error, OpenError::Exposed { exposure: found, .. } if *found == exposure),
                "{name} {mode:o}: {error}"
            );
            assert!(
                error
                    .to_string()
                    .contains(&format!("chmod 600 {}", path.display())),
                "{error}"
            );
        }
        for mode in [0o660, 0o600] {
            set(&path, mode);
            drop(open(directory.path()));
        }
    }
    for mode in [0o777, 0o1777, 0o703, 0o702] {
        set(directory.path(), mode);
        let error = refusal(directory.path());
        assert!(
            matches!(error, OpenError::OpenDirectory(_)) && error.to_string().contains("chmod 700"),
            "{mode:o}: {error}"
        );
    }
    for mode in [0o755, 0o2770, 0o700] {
        set(directory.path(), mode);
        drop(open(directory.path()));
    }
}

#[test]
fn a_missing_malformed_or_foreign_master_key_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let other = tempfile::tempdir().expect("a temporary directory");
    drop((open(directory.path()), open(other.path())));
    let path = directory.path().join("master.key");
    let own = fs::read(&path).expect("the key");
    let write = |content: &[u8]| fs::write(&path, content).expect("written");

    write(&fs::read(other.path().join("master.key")).expect("the other key"));
    assert!(matches!(
        refusal(directory.path()),
        OpenError::WrongMasterKey(_)
    ));
    write(b"short");
    assert!(matches!(
        refusal(directory.path()),
        OpenError::MasterKey(MasterKeyError::Malformed(_))
    ));
    fs::remove_file(&path).expect("removed");
    assert!(matches!(
        refusal(directory.path()),
        OpenError::MasterKey(MasterKeyError::Missing(_))
    ));
    assert!(!path.exists(), "no new key is made for an old database");
    fs::write(&path, own).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
    drop(open(directory.path()));
}

/// Opens, and asserts that the file is byte for byte what it was.
fn refusal_untouched(directory: &Path) -> OpenError {
    let path = directory.join("grantor.db");
    let before = fs::read(&path).expect("the file");
    let error = refusal(directory);
    assert!(
        fs::read(&path).expect("the file") == before,
        "the file was changed: {error}"
    );
    error
}

#[test]
fn a_newer_foreign_or_damaged_database_is_refused_untouched() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("grantor.db");
    drop(open(directory.path()));
    let good = fs::read(&path).expect("the file");
    let pragma = |name: &str, value: i64| {
        let connection = Connection::open(&path).expect("the file opens");
        connection
            .pragma_update(None, name, value)
            .expect("a pragma");
    };

    pragma("user_version", 99);
    assert!(matches!(
        refusal_untouched(directory.path()),
        OpenError::Newer { found: 99, .. }
    ));
    fs::write(&path, &good).expect("written");
    pragma("application_id", 7);
    assert!(matches!(
        refusal_untouched(directory.path()),
        OpenError::Foreign(_)
    ));
    fs::write(&path, b"this is a text file, not a database").expect("written");
    assert!(matches!(
        refusal_untouched(directory.path()),
        OpenError::Foreign(_)
    ));
    fs::write(&path, &good[..good.len() / 2]).expect("written");
    assert!(matches!(
        refusal_untouched(directory.path()),
        OpenError::Damaged { .. }
    ));
    let mut scribbled = good.clone();
    scribbled[4096..8192].fill(0x5a);
    fs::write(&path, &scribbled).expect("written");
    assert!(matches!(
        refusal_untouched(directory.path()),
        OpenError::Damaged { .. }
    ));
    fs::write(&path, &good).expect("written");
    drop(open(directory.path()));
}

#[test]
fn a_start_that_was_killed_before_its_first_commit_can_be_repeated() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("grantor.db"), b"").expect("written");
    fs::set_permissions(
        directory.path().join("grantor.db"),
        fs::Permissions::from_mode(0o600),
    )
    .expect("chmod");
    drop(open(directory.path()));
}

#[tokio::test]
async fn a_claim_that_was_not_written_was_not_made() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let claim = async |jti: &str| {
        let uses = [ReplayKey::new("issuer", jti).until(in_a_minute())];
        let claimed = store.claim(&uses, SystemClock.now(), DEFAULT_REPLAY_QUOTA);
        claimed.await.map_err(|_| "refused")
    };
    assert_eq!(claim("before").await, Ok(Claim::Fresh));
    let connection = Connection::open(directory.path().join("grantor.db")).expect("the file opens");
    connection
        .busy_timeout(Duration::from_secs(5))
        .expect("set");
    for (jti, failure) in [
        ("the statement fails", "ABORT"),
        ("SQLite rolls back", "ROLLBACK"),
    ] {
        let trigger = format!(
            "CREATE TRIGGER fails BEFORE INSERT ON replay BEGIN SELECT RAISE({failure}, 'full'); END"
        );
        connection
            .execute_batch(&trigger)
            .expect("the next write fails");
        assert_eq!(claim(jti).await, Err("refused"), "{jti}");
        assert_eq!(
            claim("before").await,
            Ok(Claim::Replayed(ReplayKey::new("issuer", "before"))),
            "{jti}: what needs no write is answered"
        );
        connection
            .execute_batch("DROP TRIGGER fails")
            .expect("writes succeed again");
        assert_eq!(
            (claim(jti).await, claim(jti).await),
            (
                Ok(Claim::Fresh),
                Ok(Claim::Replayed(ReplayKey::new("issuer", jti)))
            ),
            "{jti}"
        );
    }
    drop(store);
    let store = open(directory.path());
    let uses = [ReplayKey::new("issuer", "SQLite rolls back").until(in_a_minute())];
    let again = store.claim(&uses, SystemClock.now(), DEFAULT_REPLAY_QUOTA);
    assert_eq!(
        again.await.expect("decided"),
        Claim::Replayed(ReplayKey::new("issuer", "SQLite rolls back")),
        "on the disk too"
    );
}

#[tokio::test]
async fn when_sqlite_rolls_back_by_itself_no_registration_or_claim_behind_it_is_kept() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = open(directory.path());
    let connection = Connection::open(directory.path().join("grantor.db")).expect("the file opens");
    connection
        .busy_timeout(Duration::from_secs(5))
        .expect("set");
    let trigger = "CREATE TRIGGER fails BEFORE INSERT ON party WHEN new.name = 'fails' BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    connection
        .execute_batch(trigger)
        .expect("a registration fails");
    // All of them wait while another process writes, and so share a transaction.
    connection.execute_batch("BEGIN IMMEDIATE").expect("begun");
    let by = Actor::program("test");
    let register = |name| {
        let clients = store.clients();
        clients.create(client(name, AuthMethod::NONE, Vec::new()), &by)
    };
    let uses = [ReplayKey::new("issuer", "1").until(in_a_minute())];
    let claim = || store.claim(&uses, SystemClock.now(), DEFAULT_REPLAY_QUOTA);
    let release = async {
        connection
            .execute_batch("COMMIT")
            .expect("the lock is released");
    };
    // Each is handed over when it is polled first, in this order.
    let (_, fails, behind, claimed, ()) = tokio::join!(
        biased;
        register("waits"),
        register("fails"),
        register("behind"),
        claim(),
        release
    );
    assert!(
        fails.is_err() && behind.is_err() && claimed.is_err(),
        "{fails:?} {behind:?} {claimed:?}"
    );
    assert!(store.client(&id("behind")).await.expect("read").is_none());
    connection
        .execute_batch("DROP TRIGGER fails")
        .expect("registrations succeed again");
    assert_eq!(claim().await.expect("decided"), Claim::Fresh);
    register("behind").await.expect("registered");
}

#[tokio::test]
async fn a_server_that_missed_changes_finds_everything_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = open(directory.path());
    let path = directory.path().join("grantor.db");
    let operator = open(directory.path());
    register(&operator, "before").await;
    within_a_second(async || server.client(&id("before")).await.expect("read").is_some()).await;
    // Changes that were made and pruned between two looks: all that is left is a gap in the
    // sequence.
    let connection = Connection::open(&path).expect("the file opens");
    connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE")
        .expect("begun");
    let copy = "INSERT INTO party SELECT 'missed', kind FROM party; INSERT INTO client (id, metadata, keys)
        SELECT 'missed', replace(metadata, 'before', 'missed'), keys FROM client;
        UPDATE client SET metadata = replace(metadata, '\"enabled\":true', '\"enabled\":false') WHERE id = 'before';
        DELETE FROM change WHERE sequence < (SELECT max(sequence) FROM change);
        UPDATE change SET resource = 'subject', subject = 'x', client = NULL; COMMIT";
    connection.execute_batch(copy).expect("copied");
    within_a_second(async || server.client(&id("missed")).await.expect("read").is_some()).await;
    within_a_second(async || {
        !server
            .client(&id("before"))
            .await
            .expect("read")
            .expect("there")
            .metadata()
            .enabled
    })
    .await;
}

#[tokio::test]
async fn a_client_is_found_where_its_row_has_moved_to() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let operator = open(directory.path());
    for name in ["moved", "other"] {
        operator
            .clients()
            .create(
                client(name, AuthMethod::NONE, Vec::new()),
                &Actor::program("test"),
            )
            .await
            .expect("created");
    }
    let server = open(directory.path());
    let connection = Connection::open(directory.path().join("grantor.db")).expect("the file opens");
    // Without a word in the change log, and another takes its place.
    let moved = "DROP TRIGGER client_changed; UPDATE client SET number = number + 1000;
        UPDATE client SET number = number - 1001 WHERE id = 'other'";
    connection.execute_batch(moved).expect("moved");
    for name in ["moved", "other"] {
        let found = server
            .client(&id(name))
            .await
            .expect("read")
            .expect("there");
        assert_eq!(found.id().as_str(), name);
    }
}

#[test]
fn sqlite_is_built_with_the_flags_of_this_workspace() {
    let connection = Connection::open_in_memory().expect("a database");
    let used = |option: &str| {
        connection.query_row("SELECT sqlite_compileoption_used(?1)", [option], |row| {
            row.get::<_, bool>(0)
        })
    };
    assert_eq!(used("DEFAULT_MEMSTATUS=0"), Ok(true), ".cargo/config.toml");
    assert_eq!(
        used("ENABLE_MEMORY_MANAGEMENT"),
        Ok(false),
        ".cargo/config.toml"
    );
}
