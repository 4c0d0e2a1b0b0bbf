//! Section 8 of the specification at size: the history of a million claims through faults of the
//! server, clients by the hundred thousand, decisions by the ten thousand a second.

#![expect(clippy::print_stdout, reason = "a measurement tells its numbers")]

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock},
    registry::Actor,
    server::{Decision, DecisionLog as _},
    storage::{
        Claim, ClientSource as _, DEFAULT_REPLAY_QUOTA, DecisionStore as _, Registries,
        ReplayGuard as _, ReplayKey, StoreError,
    },
};
use grantor_stores::Retention;
use grantor_testkit::{
    postgres::{Postgres, skipped},
    wait,
};
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;

use crate::{
    engine::{Database, Store, set},
    feed::client,
    given::id,
};

/// How many are told to be fresh.
const FRESH: usize = 1_000_000;
/// Senders that wait for their answers.
const SENDERS: usize = 384;
/// Between two faults.
const QUIET: Duration = Duration::from_secs(3);
/// Sent at once when all is sent again.
const AT_ONCE: usize = 2048;
/// Within which a change is in force.
const IN_FORCE: Duration = Duration::from_secs(1);
/// Longer than any test.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// A use, by its number: of many issuers, so that no quota is asked about.
fn key(number: u64) -> ReplayKey {
    let issuer = format!("https://issuer-{}.example", number % 61);
    ReplayKey::new(&issuer, &number.to_string())
}

async fn claim(store: &Store, number: u64) -> Result<Claim, StoreError> {
    let now = SystemClock.now();
    let used = key(number).until(now.plus(REMEMBERED));
    store.claim(&[used], now, DEFAULT_REPLAY_QUOTA).await
}

/// What senders were told.
#[derive(Default)]
struct History {
    next: AtomicU64,
    count: AtomicUsize,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    fresh: Vec<u64>,
    /// Not answered, and so perhaps used.
    maybe: Vec<u64>,
    faults: Vec<String>,
}

impl History {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, what: String) {
        self.told().faults.push(what);
    }

    /// Sends a new use to a node; of eight one at two nodes at once, and of eight another one again
    /// when it is fresh.
    async fn step(&self, nodes: &[Store]) {
        let number = self.next.fetch_add(1, Relaxed);
        let place = usize::try_from(number).expect("a small number");
        let (one, other) = (
            &nodes[place % nodes.len()],
            &nodes[(place + 1) % nodes.len()],
        );
        let outcomes = match number % 8 {
            0 => {
                let (one, other) = tokio::join!(claim(one, number), claim(other, number));
                vec![one, other]
            }
            _ => vec![claim(one, number).await],
        };
        let fresh = outcomes.iter().filter(|told| is_fresh(told)).count();
        let is_answered = outcomes.iter().all(Result::is_ok);
        match fresh {
            0 if is_answered => self.fault(format!("{number}, never used: {outcomes:?}")),
            0 => self.told().maybe.push(number),
            1 => {
                self.told().fresh.push(number);
                self.count.fetch_add(1, Relaxed);
            }
            _ => self.fault(format!("{number}: fresh twice at once")),
        }
        if number % 8 == 1 && fresh == 1 && is_fresh(&claim(other, number).await) {
            self.fault(format!("{number}: fresh again"));
        }
    }

    /// Nothing told so far is wrong, nothing that was fresh is fresh again at any node, and what may
    /// be used is fresh once at most.
    async fn holds(&self, nodes: &[Store]) -> (usize, usize) {
        let told = std::mem::take(&mut *self.told());
        assert!(told.faults.is_empty(), "{:?}", told.faults);
        for (number, some) in told.fresh.chunks(AT_ONCE).enumerate() {
            let node = &nodes[number % nodes.len()];
            let outcomes = sent(node, some).await;
            let wrong = outcomes.iter().find(|told| !is_replayed(told));
            assert!(wrong.is_none(), "{wrong:?}");
        }
        for some in told.maybe.chunks(AT_ONCE) {
            let mut fresh = vec![0; some.len()];
            for node in nodes {
                for (count, outcome) in fresh.iter_mut().zip(sent(node, some).await) {
                    *count += usize::from(is_fresh(&outcome));
                    assert!(outcome.is_ok(), "{outcome:?}");
                }
            }
            assert!(fresh.iter().all(|count| *count <= 1), "{fresh:?}");
        }
        (told.fresh.len(), told.maybe.len())
    }
}

fn is_fresh(outcome: &Result<Claim, StoreError>) -> bool {
    matches!(outcome, Ok(Claim::Fresh))
}

fn is_replayed(outcome: &Result<Claim, StoreError>) -> bool {
    matches!(outcome, Ok(Claim::Replayed(_)))
}

/// What a node tells of these, sent at once.
async fn sent(node: &Store, numbers: &[u64]) -> Vec<Result<Claim, StoreError>> {
    let tasks = numbers.iter().map(|number| {
        let (node, number) = (node.clone(), *number);
        tokio::spawn(async move { claim(&node, number).await })
    });
    all(tasks.collect()).await
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        outcomes.push(task.await.expect("no panic"));
    }
    outcomes
}

/// What this program says in each transaction of its own: that it keeps the records of its changes.
const AS_PROGRAM: &str = "SET LOCAL grantor.recording = 'on'";

/// The statements by which the client `a` is enabled or not.
fn turn(enabled: bool) -> String {
    let metadata = set("metadata", "enabled", &enabled.to_string());
    format!("{AS_PROGRAM}; UPDATE client SET metadata = {metadata} WHERE id = 'a'")
}

/// A session of somebody else.
async fn session(database: &Database) -> tokio_postgres::Client {
    let opened = tokio_postgres::connect(&database.database.url, NoTls).await;
    let (session, connection) = opened.expect("a session");
    tokio::spawn(connection);
    let set = session.batch_execute("SET search_path = grantor, public");
    set.await.expect("set");
    session
}

async fn by_hand(database: &Arc<Database>, sql: String) -> Result<String, String> {
    let database = database.clone();
    let asked = tokio::task::spawn_blocking(move || database.database.psql(&sql));
    asked.await.expect("no panic")
}

/// Whether a node tells what is in force, or what is a fault: what no longer was a second ago.
async fn told_in_time(node: &Store, wanted: bool, since: Instant, history: &History) -> bool {
    let is_late = since.elapsed() > IN_FORCE;
    let found = node.client(&id("a")).await;
    let Ok(Some(found)) = found else { return false };
    let is_in_force = found.metadata().enabled == wanted;
    if !is_in_force && is_late {
        history.fault(format!("not in force after {:?}", since.elapsed()));
    }
    is_in_force || is_late
}

#[expect(
    clippy::disallowed_methods,
    reason = "a pause between two looks of a task of its own"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Enables and disables a client until it is over. No node answers by what was in force longer than a
/// second ago. Answers how often it was turned.
async fn turns(
    database: Arc<Database>,
    nodes: Vec<Store>,
    history: Arc<History>,
    is_over: Arc<AtomicBool>,
) -> usize {
    let mut turned = 0;
    while !is_over.load(Relaxed) {
        let now = by_hand(
            &database,
            "SELECT enabled FROM client WHERE id = 'a'".to_owned(),
        )
        .await;
        let Ok(now) = now else { continue };
        let wanted = now != "t";
        // One that fails may have been done: it is looked at anew.
        if by_hand(&database, turn(wanted)).await.is_err() {
            continue;
        }
        let committed = Instant::now();
        for node in &nodes {
            while !told_in_time(node, wanted, committed, &history).await {
                pause().await;
            }
        }
        turned += 1;
    }
    turned
}

/// A million claims on three nodes, and a fault of the server every three seconds.
async fn through(fault: impl AsyncFn(&Arc<Postgres>, &Database, u64)) {
    let Some(server) = Postgres::new(&[("max_wal_size", "1GB")]) else {
        return skipped();
    };
    let database = Arc::new(Database::of(server.database()));
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(database.open().await);
    }
    let by = Actor::program("test");
    let created = nodes[0].clients().create(client("a"), &by).await;
    created.expect("created");
    let (history, is_over) = <(Arc<History>, Arc<AtomicBool>)>::default();
    let senders = (0..SENDERS).map(|_| {
        let (history, is_over, nodes) = (history.clone(), is_over.clone(), nodes.clone());
        tokio::spawn(async move {
            while !is_over.load(Relaxed) {
                history.step(&nodes).await;
                // Where it fails at once, others have their turn.
                tokio::task::yield_now().await;
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let turning = tokio::spawn(turns(
        database.clone(),
        nodes.clone(),
        history.clone(),
        is_over.clone(),
    ));
    let (begun, mut faults) = (Instant::now(), 0);
    while history.count.load(Relaxed) < FRESH {
        let (before, quiet) = (history.count.load(Relaxed), Instant::now());
        wait::until("claims are made", async || {
            history.count.load(Relaxed) > before + 1_000 && quiet.elapsed() > QUIET
        })
        .await;
        fault(&server, &database, history.next.load(Relaxed) + 1_000).await;
        faults += 1;
    }
    for node in &nodes {
        wait::until("claims go on", async || {
            let number = history.next.fetch_add(1, Relaxed);
            is_fresh(&claim(node, number).await)
        })
        .await;
    }
    is_over.store(true, Relaxed);
    all(senders).await;
    let turned = turning.await.expect("no panic");
    let took = begun.elapsed();
    let (fresh, maybe) = history.holds(&nodes).await;
    for node in &nodes {
        assert_eq!(node.fence(), None, "the same server has lost nothing");
    }
    assert!(
        begun.elapsed() < REMEMBERED / 2,
        "some have ended meanwhile"
    );
    println!(
        "{fresh} fresh and {maybe} not answered in {took:?}, {faults} faults, {turned} changes, {:?} in all",
        begun.elapsed()
    );
    assert!(faults >= 5 && turned >= 5 && maybe > 0, "too few to tell");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "nightly: a million claims, some minutes"]
async fn sa04_of_a_million_claims_none_is_fresh_twice_where_the_server_is_killed() {
    through(async |server, _, _| {
        tokio::task::block_in_place(|| {
            server.kill();
            server.start();
        });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "nightly: a million claims, some minutes"]
async fn sa06_of_a_million_claims_none_is_fresh_twice_where_the_server_stands_still() {
    let rounds = AtomicU64::new(0);
    through(async |server, _, _| {
        // Shorter and longer than a statement may take.
        let round = rounds.fetch_add(1, Relaxed);
        let time = Duration::from_millis(400 + 700 * (round % 5));
        server.pause();
        let paused = Instant::now();
        wait::until("time passes", async || paused.elapsed() > time).await;
        server.resume();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "nightly: a million claims, some minutes"]
async fn of_a_million_claims_none_is_fresh_twice_where_the_server_restarts_within_a_group() {
    through(async |server, database, soon| {
        // Somebody else holds a use that is sent soon: its group waits, and the server restarts.
        let session = session(database).await;
        let short = key(soon);
        let issuer = i64::from_be_bytes(short.issuer());
        let name = short.as_bytes()[8..24].iter();
        let name = name.fold(String::new(), |text, octet| format!("{text}{octet:02x}"));
        let hold = format!(
            "BEGIN; INSERT INTO claim VALUES ({issuer}, '{name}', 1) ON CONFLICT DO NOTHING"
        );
        session.batch_execute(&hold).await.expect("held");
        let waits = "SELECT count(*) FROM pg_stat_activity \
            WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO claim%'";
        wait::until("a group waits", async || database.number(waits) > 0).await;
        tokio::task::block_in_place(|| {
            server.stop();
            server.start();
        });
    })
    .await;
}

/// How many are imported.
const IMPORTED: u32 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "nightly: 100,000 clients in one transaction, half a minute"]
async fn sa15_all_of_a_large_import_are_found_and_a_change_beside_it_is_in_force() {
    let Some(database) = Database::new() else {
        return;
    };
    let database = Arc::new(database);
    let nodes = vec![database.open().await, database.open().await];
    let by = Actor::program("test");
    let created = nodes[0].clients().create(client("a"), &by).await;
    created.expect("created");
    let (history, is_over) = <(Arc<History>, Arc<AtomicBool>)>::default();
    let turning = tokio::spawn(turns(
        database.clone(),
        nodes.clone(),
        history.clone(),
        is_over.clone(),
    ));
    let import = format!(
        "{AS_PROGRAM}; INSERT INTO party (name, kind) SELECT 'imported-' || n, 'client' FROM generate_series(1, {IMPORTED}) AS n; \
         INSERT INTO client (id, metadata, keys) \
         SELECT 'imported-' || n, replace(metadata, '\"a\"', '\"imported-' || n || '\"'), keys \
         FROM client, generate_series(1, {IMPORTED}) AS n WHERE id = 'a'"
    );
    let session = session(&database).await;
    let imported = session.batch_execute(&import).await;
    let committed = Instant::now();
    imported.expect("imported");
    is_over.store(true, Relaxed);
    assert!(turning.await.expect("no panic") >= 2, "changes meanwhile");
    assert!(
        history.told().faults.is_empty(),
        "{:?}",
        history.told().faults
    );
    for node in &nodes {
        let last = id(&format!("imported-{IMPORTED}"));
        wait::within(IN_FORCE, "the last is found", async || {
            node.client(&last).await.is_ok_and(|found| found.is_some())
        })
        .await;
    }
    assert!(
        committed.elapsed() < 2 * IN_FORCE,
        "{:?}",
        committed.elapsed()
    );
    let numbers: Vec<u32> = (1..=IMPORTED).collect();
    for some in numbers.chunks(AT_ONCE) {
        let tasks = some.iter().map(|number| {
            let place = usize::try_from(*number).expect("a small number");
            let (node, name) = (nodes[place % 2].clone(), format!("imported-{number}"));
            tokio::spawn(async move {
                let found = node.client(&id(&name)).await;
                found.is_ok_and(|found| found.is_some_and(|it| it.metadata().id == id(&name)))
            })
        });
        let found = all(tasks.collect()).await;
        assert!(found.iter().all(|is_there| *is_there), "all are found");
    }
}

/// Decisions a second.
const DECISIONS: u32 = 20_000;
/// Most of them that are kept.
const KEPT: u64 = 50_000;

/// How long the slowest of a hundred claims took, by senders that ask one after the other; and how
/// many there were.
async fn slowest(node: &Store, next: &Arc<AtomicU64>, time: Duration) -> (Duration, usize) {
    let begun = Instant::now();
    let senders = (0..32).map(|_| {
        let (node, next) = (node.clone(), next.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            while begun.elapsed() < time {
                let asked = Instant::now();
                let outcome = claim(&node, next.fetch_add(1, Relaxed)).await;
                assert!(is_fresh(&outcome), "{outcome:?}");
                times.push(asked.elapsed());
            }
            times
        })
    });
    let mut times: Vec<Duration> = all(senders.collect()).await.concat();
    times.sort_unstable();
    (times[times.len() - 1 - times.len() / 100], times.len())
}

/// Hands over decisions at this rate until it is over; answers how many, and how many a second.
fn decide(node: &Store, is_over: &AtomicBool) -> (u64, f64) {
    let granted = r#"{"id":"x0dk2vq8c3pmz7t","at":1800000000000,"endpoint":"token","outcome":{"outcome":"granted"}}"#;
    let decision = Decision::read(granted).expect("a decision");
    let (begun, mut count) = (Instant::now(), 0);
    while !is_over.load(Relaxed) {
        let due = begun.elapsed().mul_f64(f64::from(DECISIONS)).as_secs();
        for _ in count..due {
            node.record(&decision);
        }
        count = count.max(due);
        wait::blocking::comes(Duration::from_millis(5), || false);
    }
    let seconds = u32::try_from(count).map_or(f64::MAX, f64::from);
    (count, seconds / begun.elapsed().as_secs_f64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "nightly: half a minute of decisions"]
async fn sa31_decisions_at_twenty_thousand_a_second_hold_up_no_claim() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let retention = Retention {
        rows: KEPT,
        ..Retention::default()
    };
    let node = database
        .open_with(|options| options.retention = retention)
        .await;
    let next = Arc::<AtomicU64>::default();
    let without = slowest(&node, &next, Duration::from_secs(6)).await;

    let is_over = Arc::<AtomicBool>::default();
    let deciding = std::thread::spawn({
        let (node, is_over) = (node.clone(), is_over.clone());
        move || decide(&node, &is_over)
    });
    let with = slowest(&node, &next, Duration::from_secs(8)).await;
    let dropped = node.dropped();
    // Somebody holds decisions up, and not claims.
    let session = session(&database).await;
    let hold = "BEGIN; SELECT pg_advisory_xact_lock(7523, 3)";
    session.batch_execute(hold).await.expect("held");
    let held_up = slowest(&node, &next, Duration::from_secs(4)).await;
    session.batch_execute("COMMIT").await.expect("let go");
    is_over.store(true, Relaxed);
    let (handed_over, rate) = deciding.join().expect("no panic");
    node.flush().await.expect("written");
    println!(
        "p99 and count of claims: {without:?} without, {with:?} with {rate:.0} decisions/s, {held_up:?} while they are held up; \
         {dropped} dropped, then {} of {handed_over}",
        node.dropped()
    );
    assert!(rate > f64::from(DECISIONS) * 0.9, "{rate:.0} decisions/s");
    assert!(node.dropped() > dropped, "those held up are dropped");
    let written = database.number("SELECT max(sequence) FROM decision");
    assert_eq!(
        u64::try_from(written),
        Ok(handed_over - node.dropped()),
        "each is written, or counted as dropped"
    );
    let kept = database.number("SELECT count(*) FROM decision");
    assert!(
        u64::try_from(kept).expect("a count") > KEPT,
        "control: more than are kept"
    );
    wait::within(
        Duration::from_secs(30),
        "it is within its bounds",
        async || {
            let kept = database.number("SELECT count(*) FROM decision");
            u64::try_from(kept).is_ok_and(|kept| kept <= KEPT)
        },
    )
    .await;
    for (what, (p99, _)) in [("with decisions", with), ("held up", held_up)] {
        assert!(
            p99 < 4 * without.0 + Duration::from_millis(20),
            "{what}: {p99:?}"
        );
    }
}
