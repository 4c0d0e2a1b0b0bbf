//! S006, S040-S044, S066: an assertion is accepted once, whichever nodes it is sent to at once, and
//! whatever becomes of a connection, a transaction or the server meanwhile.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock, UnixTime},
    storage::{
        Artifact, ArtifactKey, ArtifactKind, Artifacts as _, Claim, DEFAULT_REPLAY_QUOTA, Put,
        ReplayGuard as _, ReplayKey, ReplayKind, StoreError, Used,
    },
};
use grantor_stores::postgres::{Durability, Target};
use grantor_testkit::{
    postgres::{self, Cut, Postgres, ROLE, skipped},
    wait,
};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::engine::{Database, Store, accepts, refuses};

type Outcome = Result<Claim, StoreError>;

fn now() -> UnixTime {
    SystemClock.now()
}

fn key(name: impl ToString) -> ReplayKey {
    ReplayKey::new("https://issuer.example", &name.to_string())
}

/// A use that is remembered for ten minutes.
fn used(key: ReplayKey) -> Used {
    key.until(now().plus(Duration::from_secs(600)))
}

async fn claim(store: &Store, key: ReplayKey) -> Outcome {
    store.claim(&[used(key)], now(), DEFAULT_REPLAY_QUOTA).await
}

/// The same, begun now.
fn begin(store: &Store, key: ReplayKey) -> JoinHandle<Outcome> {
    let store = store.clone();
    tokio::spawn(async move { claim(&store, key).await })
}

async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        outcomes.push(task.await.expect("no panic"));
    }
    outcomes
}

async fn nodes<const N: usize>(database: &Database) -> [Store; N] {
    let mut nodes = Vec::new();
    for _ in 0..N {
        nodes.push(database.open().await);
    }
    nodes.try_into().expect("so many")
}

async fn node_at(database: &Database, target: &Target) -> Store {
    let opened = Store::open(target, &database.options()).await;
    opened.expect("the store opens")
}

fn is_fresh(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Claim::Fresh))
}

fn is_replayed(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Claim::Replayed(_)))
}

fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Err(StoreError::Unknown(_)))
}

fn how_many(outcomes: &[Outcome], is_it: impl Fn(&Outcome) -> bool) -> usize {
    outcomes.iter().filter(|outcome| is_it(outcome)).count()
}

/// Claims until it is answered, with a new key each time, as clients do after a failure.
async fn serves_again(store: &Store, name: &str) {
    let number = AtomicUsize::new(0);
    wait::until("claims are answered", async || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        is_fresh(&claim(store, key(format!("{name} {number}"))).await)
    })
    .await;
}

/// A session of another program.
async fn session(database: &postgres::Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls)
        .await
        .expect("a session");
    tokio::spawn(connection);
    let set = client.batch_execute("SET search_path = grantor");
    set.await.expect("set");
    client
}

/// Begins a transaction in which this is recorded, and leaves it open.
async fn hold(session: &Client, key: ReplayKey) {
    session.batch_execute("BEGIN").await.expect("begun");
    insert(session, key).await.expect("held");
}

async fn insert(session: &Client, key: ReplayKey) -> Result<(), tokio_postgres::Error> {
    let issuer = i64::from_be_bytes(key.issuer());
    let name = name_octets(&key)
        .iter()
        .fold(String::new(), |text, octet| format!("{text}{octet:02x}"));
    let insert = format!("INSERT INTO claim VALUES ({issuer}, '{name}', 1) ON CONFLICT DO NOTHING");
    session.batch_execute(&insert).await
}

/// What a key's row has beside the issuer.
fn name_octets(key: &ReplayKey) -> &[u8] {
    &key.as_bytes()[8..24]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sa01_one_of_many_at_once_on_three_nodes_is_fresh() {
    let Some(database) = Database::new() else {
        return;
    };
    let nodes = nodes::<3>(&database).await;
    for round in 0..20 {
        let at_once = (0..3 * 64).map(|number| begin(&nodes[number % 3], key(round)));
        let outcomes = all(at_once.collect()).await;
        assert_eq!(how_many(&outcomes, is_fresh), 1, "{round}");
        assert_eq!(how_many(&outcomes, is_replayed), 3 * 64 - 1, "{round}");
    }
    let others = (0..3 * 64).map(|number| begin(&nodes[number % 3], key(format!("o{number}"))));
    let outcomes = all(others.collect()).await;
    assert_eq!(
        how_many(&outcomes, is_fresh),
        3 * 64,
        "control: {outcomes:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s018_a_jti_that_is_signed_with_two_ends_is_used_once() {
    let Some(database) = Database::new() else {
        return;
    };
    let nodes = nodes::<2>(&database).await;
    let until = |seconds| now().plus(Duration::from_secs(seconds));
    for round in 0..20 {
        let at_once = [30, 59 * 60]
            .into_iter()
            .zip(&nodes)
            .map(|(seconds, node)| {
                let (node, used) = (node.clone(), key(round).until(until(seconds)));
                tokio::spawn(async move { node.claim(&[used], now(), DEFAULT_REPLAY_QUOTA).await })
            });
        let outcomes = all(at_once.collect()).await;
        assert_eq!(how_many(&outcomes, is_fresh), 1, "{outcomes:?}");
        assert_eq!(how_many(&outcomes, is_replayed), 1, "{outcomes:?}");
    }
}

/// Whether this database's server has told of a deadlock in it.
fn has_deadlocked(database: &Database) -> bool {
    let name = format!("@{}", database.database.name);
    let log = database.database.server().log();
    log.lines()
        .any(|line| line.contains("deadlock detected") && line.contains(&name))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s041_common_uses_in_any_order_on_four_nodes_do_not_wait_in_a_circle() {
    let Some(database) = Database::new() else {
        return;
    };
    let nodes = nodes::<4>(&database).await;
    // Each coprime to 2000: another order.
    let orders = [1, 1999, 7, 1333];
    let mut tasks = Vec::new();
    for place in 0..2000_u64 {
        for (node, order) in nodes.iter().zip(orders) {
            let number = place * order % 2000;
            // Of three requests one has two uses, and two requests may have one of them in common.
            let proof = ReplayKey::of(ReplayKind::PROOF, "a", &(number / 6).to_string());
            let keys = match number % 3 {
                0 => vec![key(number), proof],
                _ => vec![key(number)],
            };
            let store = node.clone();
            tasks.push(tokio::spawn(async move {
                let uses: Vec<Used> = keys.iter().map(|key| used(*key)).collect();
                let outcome = store.claim(&uses, now(), DEFAULT_REPLAY_QUOTA).await;
                (number, keys, outcome)
            }));
        }
    }
    let mut fresh = HashSet::new();
    let (mut singles, mut unanswered) = (0, Vec::new());
    for (number, keys, outcome) in all(tasks).await {
        match outcome {
            Ok(Claim::Fresh) => {
                singles += usize::from(keys.len() == 1);
                for key in keys {
                    assert!(fresh.insert(*key.as_bytes()), "{number} is fresh twice");
                }
            }
            Ok(Claim::Replayed(key)) => assert!(keys.contains(&key)),
            other => unanswered.push((number, other)),
        }
    }
    assert!(unanswered.is_empty(), "{unanswered:?}");
    assert_eq!(singles, (0..2000).filter(|number| number % 3 != 0).count());
    let rows = database.number("SELECT count(*) FROM claim");
    assert_eq!(usize::try_from(rows), Ok(fresh.len()), "all or none");
    assert!(!has_deadlocked(&database));

    // Control: the log tells of it.
    let (one, other) = tokio::join!(session(&database.database), session(&database.database));
    hold(&one, key("first")).await;
    hold(&other, key("second")).await;
    let (first, second) = tokio::join!(insert(&one, key("second")), insert(&other, key("first")),);
    assert!(first.is_err() || second.is_err());
    assert!(has_deadlocked(&database));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s042_of_one_use_in_a_group_that_fails_none_is_fresh_and_none_replayed() {
    let Some(database) = Database::new() else {
        return;
    };
    let [node] = nodes(&database).await;
    database.by_hand(&refuses("claim")).expect("a trigger");
    let outcomes = all((0..64).map(|_| begin(&node, key("a"))).collect()).await;
    assert_eq!(how_many(&outcomes, |outcome| outcome.is_err()), 64);
    database.by_hand(&accepts("claim")).expect("dropped");
    let outcomes = all((0..64).map(|_| begin(&node, key("a"))).collect()).await;
    assert_eq!(how_many(&outcomes, is_fresh), 1, "control");
    assert_eq!(how_many(&outcomes, is_replayed), 63, "control");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s043_what_another_transaction_holds_costs_the_others_no_answer() {
    let Some(database) = Database::new() else {
        return;
    };
    let [node] = nodes(&database).await;
    let other = session(&database.database).await;
    hold(&other, key(5)).await;
    let begun = Instant::now();
    let tasks = (0..200).map(|number| begin(&node, key(number))).collect();
    for (number, outcome) in all(tasks).await.into_iter().enumerate() {
        match number {
            5 => assert!(
                matches!(
                    outcome,
                    Err(StoreError::Unavailable(_) | StoreError::Unknown(_))
                ),
                "{outcome:?}"
            ),
            _ => assert!(is_fresh(&outcome), "{number}: {outcome:?}"),
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
    other.batch_execute("ROLLBACK").await.expect("let go");
    assert!(is_fresh(&claim(&node, key(5)).await), "control");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s003_a_claim_whose_answer_is_lost_is_unknown_and_used() {
    let Some(database) = Database::new() else {
        return;
    };
    let [other] = nodes(&database).await;
    let cut = Cut::before(database.database.server().address());
    let mut target = database.target();
    target.url = database.database.url_at(cut.address());
    let node = node_at(&database, &target).await;
    assert!(is_fresh(&claim(&node, key("before")).await), "control");
    let lost = key("lost");
    cut.lose_answer_to(name_octets(&lost));
    let outcome = claim(&node, lost).await;
    assert_eq!(cut.losses(), 1);
    assert!(is_unknown(&outcome), "{outcome:?}");
    let outcome = claim(&other, lost).await;
    assert!(is_replayed(&outcome), "{outcome:?}");
    serves_again(&node, "after").await;
    let outcome = claim(&node, lost).await;
    assert!(is_replayed(&outcome), "{outcome:?}");
    assert_eq!(node.fence(), None, "a lost connection loses no claim");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s044_a_claim_whose_session_is_ended_is_unknown() {
    let Some(database) = Database::new() else {
        return;
    };
    let [node] = nodes(&database).await;
    let [by, other] = [(); 2].map(|()| session(&database.database));
    let (by, other) = tokio::join!(by, other);
    hold(&by, key("held")).await;
    let waiting = begin(&node, key("held"));
    wait::until("its session is ended", async || {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let ended = other.query(end, &[]).await.expect("an answer");
        !ended.is_empty() || waiting.is_finished()
    })
    .await;
    let outcome = waiting.await.expect("no panic");
    assert!(is_unknown(&outcome), "{outcome:?}");
    by.batch_execute("ROLLBACK").await.expect("let go");
    serves_again(&node, "after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s044_a_wait_for_the_standby_that_is_cancelled_is_unknown() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let standby = server.standby("a");
    let grant = format!("GRANT pg_monitor TO {ROLE}");
    server.psql("postgres", &grant).expect("granted");
    let database = Database::of(server.database());
    let mut target = database.target();
    target.durability = Durability::Replicated;
    let node = node_at(&database, &target).await;
    assert!(is_fresh(&claim(&node, key("before")).await), "control");

    standby.pause();
    let waiting = begin(&node, key("waits"));
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
        WHERE wait_event = 'SyncRep' AND query LIKE 'INSERT INTO claim%'";
    wait::until("its wait is cancelled", async || {
        let cancelled = server.psql("postgres", cancel).expect("an answer");
        cancelled != "0" || waiting.is_finished()
    })
    .await;
    let outcome = waiting.await.expect("no panic");
    assert!(is_unknown(&outcome), "{outcome:?}");
    let outcome = claim(&node, key("nobody cancels")).await;
    assert!(outcome.is_err(), "{outcome:?}");
    standby.resume();
    serves_again(&node, "after").await;
    for used in ["before", "waits"] {
        let outcome = claim(&node, key(used)).await;
        assert!(is_replayed(&outcome), "{used}: {outcome:?}");
    }
}

/// Kills every process of the server and starts it again, several times, while two nodes claim as
/// much as they can; then everything that was told to be fresh is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sa04_what_was_fresh_before_the_server_was_killed_is_not_fresh_again() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let nodes = nodes::<2>(&database).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let (is_over, number) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
    let load = (0..32).map(|task| {
        let (store, told) = (nodes[task % 2].clone(), told.clone());
        let (is_over, number) = (is_over.clone(), number.clone());
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                let key = key(number.fetch_add(1, Ordering::Relaxed));
                match claim(&store, key).await {
                    Ok(Claim::Fresh) => told.lock().expect("no panic").push(key),
                    Ok(other) => panic!("{other:?} of what was never sent"),
                    // Not at once: the server is away.
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        })
    });
    let load: Vec<_> = load.collect();
    let count = || told.lock().expect("no panic").len();
    for round in 0..6 {
        let before = count();
        wait::until("claims are made", async || {
            count() > before + 300 + 100 * round
        })
        .await;
        tokio::task::block_in_place(|| {
            server.kill();
            server.start();
        });
    }
    for (node, name) in nodes.iter().zip(["after", "after here"]) {
        serves_again(node, name).await;
    }
    is_over.store(true, Ordering::Relaxed);
    all(load).await;
    let told = std::mem::take(&mut *told.lock().expect("no panic"));
    assert!(told.len() > 1_800);
    for some in told.chunks(512) {
        for node in &nodes {
            let outcomes = all(some.iter().map(|key| begin(node, *key)).collect()).await;
            let replayed = how_many(&outcomes, is_replayed);
            assert_eq!(replayed, some.len(), "of {}", told.len());
        }
    }
    for node in &nodes {
        assert_eq!(node.fence(), None, "the same server has lost nothing");
    }
}

/// Commits that nobody waits for, as those of decisions, are lost when the server is killed; their
/// transactions' numbers are used again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s066_a_killed_server_that_lost_only_what_nobody_waited_for_raises_no_fence() {
    let Some(server) = Postgres::new(&[("wal_writer_delay", "10s")]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let [node] = nodes(&database).await;
    database
        .by_hand("CREATE TABLE unwaited AS SELECT 0 AS n")
        .expect("made");
    let mut lost = 0;
    for round in 0..6 {
        serves_again(&node, &format!("round {round}")).await;
        let other = session(&database.database).await;
        let set = other.batch_execute("SET synchronous_commit = off");
        set.await.expect("set");
        let begun = Instant::now();
        let mut written = 0;
        while begun.elapsed() < Duration::from_millis(900 + 70 * round) {
            written += 1;
            let update = format!("UPDATE unwaited SET n = {written}");
            other.batch_execute(&update).await.expect("written");
        }
        tokio::task::block_in_place(|| {
            server.kill();
            server.start();
        });
        lost += written - database.number("SELECT n FROM unwaited");
    }
    assert!(lost > 0, "control: something is lost");
    serves_again(&node, "after").await;
    assert_eq!(node.fence(), None, "{lost} were lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s066_the_fence_is_raised_where_a_standby_takes_over_that_may_lack_claims() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let standby = server.standby("a");
    // Nobody waits for it.
    server.set("synchronous_standby_names", "");
    let database = Database::of(server.database());
    let mut target = database.target();
    let (one, other) = (server.address(), standby.address());
    target.url = format!("postgres://{ROLE}@{one},{other}/{}", database.database.name);
    let node = node_at(&database, &target).await;
    assert!(is_fresh(&claim(&node, key("before")).await));

    tokio::task::block_in_place(|| {
        server.kill();
        server.start();
    });
    serves_again(&node, "restarted").await;
    assert_eq!(node.fence(), None, "control: it is the same server");

    let since = now();
    tokio::task::block_in_place(|| {
        server.kill();
        standby.promote();
    });
    let number = AtomicUsize::new(0);
    wait::until("claims are answered", async || {
        let key = key(format!(
            "promoted {}",
            number.fetch_add(1, Ordering::Relaxed)
        ));
        let outcome = claim(&node, key).await;
        let fence = node.fence();
        assert!(
            !is_fresh(&outcome) || fence.is_some(),
            "fresh before the fence"
        );
        is_fresh(&outcome)
    })
    .await;
    let fence = node.fence().expect("raised");
    let leeway = Duration::from_secs(30);
    assert!(fence >= since.plus(leeway) && fence <= now().plus(leeway));
    // One that starts later knows it, and does not raise it again.
    target.url = format!("postgres://{ROLE}@{other}/{}", database.database.name);
    let later = node_at(&database, &target).await;
    assert_eq!(later.fence(), Some(fence));
}

/// An opaque token that this node keeps for ten minutes.
async fn kept_token(node: &Store) -> ArtifactKey {
    let token = ArtifactKey::of(ArtifactKind::ACCESS_TOKEN, "token");
    let artifact = Artifact::new(now(), now().plus(Duration::from_secs(600)));
    let put = node.put(token, artifact, 100).await;
    assert!(matches!(put, Ok(Put::Kept)), "{put:?}");
    token
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s066_a_fence_that_is_raised_by_hand_is_known_on_every_node() {
    let Some(database) = Database::new() else {
        return;
    };
    let [one, other] = nodes(&database).await;
    assert_eq!((one.fence(), other.fence()), (None, None), "control");
    let token = kept_token(&one).await;
    let is_there = async || other.get(&token, now()).await.expect("read").is_some();
    assert!(is_there().await, "control");
    let raised = one.raise_fence().await.expect("raised");
    assert_eq!((one.fence(), other.fence()), (Some(raised), Some(raised)));
    assert!(!is_there().await, "its revocation may be lost");
}

/// A dump of before was loaded, or the tables were emptied, while a node runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s066_what_is_recorded_of_the_server_is_not_there_any_more_and_the_fence_is_raised() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = database.open().await;
    let token = kept_token(&node).await;
    let found = node.get(&token, now()).await.expect("read");
    assert!(found.is_some() && node.fence().is_none(), "control");
    let delete = "DELETE FROM meta WHERE name = 'timeline'";
    database.by_hand(delete).expect("removed");
    let found = node.get(&token, now()).await.expect("read");
    assert!(found.is_none() && node.fence().is_some());
}

/// A standby that is not up to date is promoted: all that tells is how far its log goes. It is the
/// same with a server that was restored to an earlier moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s066_a_promoted_server_that_lacks_what_was_confirmed_raises_the_fence() {
    for is_behind in [false, true] {
        let Some(server) = Postgres::new(&[]) else {
            return skipped();
        };
        let (up_to_date, behind) = (server.standby("a"), server.standby("b"));
        server.set("synchronous_standby_names", "ANY 1 (a, b)");
        let database = Database::of(server.database());
        let grant = format!("GRANT pg_monitor TO {ROLE}");
        server.psql("postgres", &grant).expect("a grant");
        let mut target = database.target();
        target.durability = Durability::Replicated;
        let hosts = [&server, &up_to_date, &behind].map(|server| server.address().to_string());
        target.url = format!(
            "postgres://{ROLE}@{}/{}",
            hosts.join(","),
            database.database.name
        );
        let node = node_at(&database, &target).await;
        let other = node_at(&database, &target).await;
        let synced = || {
            let lag =
                "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()";
            server.psql("postgres", lag).expect("an answer") == "2"
        };
        wait::until("both have all", async || synced()).await;
        tokio::task::block_in_place(|| behind.kill());
        assert!(is_fresh(&claim(&node, key("confirmed by one")).await));
        let promoted = if is_behind { &behind } else { &up_to_date };
        let _confirming = tokio::task::block_in_place(|| {
            server.kill();
            up_to_date.kill();
            promoted.start();
            promoted.promote();
            promoted.standby("c")
        });
        serves_again(&node, "promoted").await;
        let fence = node.fence();
        assert_eq!(fence.is_some(), is_behind);
        let again = claim(&node, key("confirmed by one")).await;
        assert_eq!(is_replayed(&again), !is_behind, "{again:?}");
        // What the other node knows to be lost is behind that fence.
        serves_again(&other, "promoted, at the other").await;
        assert_eq!((other.fence(), node.fence()), (fence, fence));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s066_a_copy_in_another_database_of_the_same_server_raises_the_fence() {
    let Some(database) = Database::new() else {
        return;
    };
    drop(database.open().await);
    assert_eq!(database.open().await.fence(), None, "control");
    // As a dump of another database has it.
    let elsewhere =
        "UPDATE meta SET value = split_part(value, '/', 1) || '/1' WHERE name = 'system'";
    database.by_hand(elsewhere).expect("put");
    // Numbers of transactions that this server has not come to.
    let numbers = "INSERT INTO meta (name, value) VALUES ('pruned', '9000000000000000000');
        INSERT INTO change (xid, resource) VALUES ('9000000000000000000', 'everything')";
    database.by_hand(numbers).expect("put");
    assert!(database.open().await.fence().is_some());
    let left = "SELECT (SELECT count(*) FROM meta WHERE name = 'pruned') \
        + (SELECT count(*) FROM change WHERE xid = '9000000000000000000')";
    assert_eq!(database.number(left), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sa30_replays_write_nothing() {
    // Nothing vacuums the table meanwhile.
    let Some(server) = Postgres::new(&[("autovacuum_naptime", "1h")]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let as_superuser = |sql: &str| server.psql(&database.database.name, sql).expect(sql);
    as_superuser("CREATE EXTENSION pg_walinspect");
    let place = || as_superuser("SELECT pg_current_wal_insert_lsn()");
    // Records that are about the table of claims or its keys.
    let written = |from: &str| {
        let to = place();
        let count = format!(
            "SELECT count(*) FROM pg_get_wal_records_info('{from}', '{to}'), pg_class \
            WHERE relname IN ('claim', 'claim_pkey', 'claim_by_end') \
                AND block_ref LIKE '%/' || pg_relation_filenode(oid) || ' %'"
        );
        as_superuser(&count).parse::<u64>().expect("a number")
    };
    let nodes = nodes::<2>(&database).await;
    let send = async || {
        let mut outcomes = Vec::new();
        for part in 0..10 {
            let tasks =
                (0..1000).map(|number| begin(&nodes[number % 2], key(part * 1000 + number)));
            outcomes.extend(all(tasks.collect()).await);
        }
        outcomes
    };
    let from = place();
    assert_eq!(how_many(&send().await, is_fresh), 10_000);
    let of_fresh = written(&from);
    assert!(of_fresh >= 10_000, "control: {of_fresh}");
    let from = place();
    assert_eq!(how_many(&send().await, is_replayed), 10_000);
    assert_eq!(written(&from), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s006_the_quota_is_exact_on_one_node_and_soft_among_three() {
    let Some(database) = Database::new() else {
        return;
    };
    let nodes = nodes::<3>(&database).await;
    let send = async |issuer: &'static str, count: usize, nodes: &[Store], quota: u64| {
        let tasks = (0..count).map(|number| {
            let store = nodes[number % nodes.len()].clone();
            tokio::spawn(async move {
                let used = used(ReplayKey::new(issuer, &number.to_string()));
                store.claim(&[used], now(), quota).await
            })
        });
        let outcomes = all(tasks.collect()).await;
        let fresh = how_many(&outcomes, is_fresh);
        let over = how_many(&outcomes, |outcome| matches!(outcome, Ok(Claim::OverQuota)));
        assert_eq!(fresh + over, count, "each is answered");
        fresh
    };
    assert_eq!(send("one", 300, &nodes[..1], 100).await, 100, "at once");
    let mut fresh = 0;
    for number in 0..110 {
        let used = used(ReplayKey::new("another", &number.to_string()));
        let outcome = nodes[0].claim(&[used], now(), 100).await;
        fresh += usize::from(is_fresh(&outcome));
    }
    assert_eq!(fresh, 100, "one after another");
    let fresh = send("many", 15_000, &nodes, 10_000).await;
    assert!(
        (10_000..=10_000 + 2 * 625 + 256).contains(&fresh),
        "{fresh}"
    );
}
