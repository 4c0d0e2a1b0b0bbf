//! S008, S014, S031 to S035: a node answers by what is in force, or not at all.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock},
    keys::SigningKeys as _,
    registry::Actor,
    storage::{
        Claim, ClientSource as _, KeyStore as _, Readiness as _, Registries, ReplayGuard as _,
        ReplayKey, StoreError,
    },
};
use grantor_stores::postgres::Durability;
use grantor_testkit::{
    postgres::{Postgres, ROLE, skipped},
    wait,
};
use tokio_postgres::NoTls;

use crate::{
    engine::{Database, Store, set},
    feed::{client, found, turned},
    given::{id, within_a_second},
};

/// What the bounds of the specification may be exceeded by on a busy machine.
const SLACK: Duration = Duration::from_millis(400);
/// Within which an answer that rests on the database stops.
const STOPS: Duration = Duration::from_secs(1);
/// Within which it comes back.
const COMES_BACK: Duration = Duration::from_secs(2);

fn by() -> Actor {
    Actor::program("test")
}

async fn create(node: &Store, name: &str) {
    let created = node.clients().create(client(name), &by()).await;
    created.expect("created");
}

async fn is_enabled(node: &Store, name: &str) -> bool {
    found(node, &id(name)).await.metadata().enabled
}

/// A session of somebody else.
async fn session(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("opened");
    tokio::spawn(connection);
    let set = client.batch_execute("SET search_path = grantor");
    set.await.expect("set");
    client
}

/// The statement by which a client is enabled or not.
fn turn(name: &str, enabled: bool) -> String {
    let metadata = set("metadata", "enabled", &enabled.to_string());
    format!("UPDATE client SET metadata = {metadata} WHERE id = '{name}'")
}

/// Asks for a client until it is refused as unavailable; answers when that was. No answer takes
/// longer than the limit of a look.
async fn stops(node: &Store, since: Instant) -> Duration {
    loop {
        let asked = Instant::now();
        let answer = node.client(&id("a")).await;
        let took = asked.elapsed();
        assert!(took < STOPS + SLACK, "an answer took {took:?}");
        match answer {
            Ok(_) => assert!(since.elapsed() < STOPS + SLACK, "it still answers"),
            Err(StoreError::Unavailable(_)) => return since.elapsed(),
            Err(error) => unreachable!("{error}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s035_a_node_whose_server_stands_still_answers_nothing_and_then_again() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let node = database.open().await;
    create(&node, "a").await;
    let keys = node.key_ring();
    for paused in [1_300, 2_300, 3_600, 5_000].map(Duration::from_millis) {
        found(&node, &id("a")).await;
        server.pause();
        let since = Instant::now();
        let stopped = stops(&node, since).await;
        assert!(stopped < STOPS + SLACK, "{stopped:?}");
        // What is answered from memory goes on.
        let signing = node.key_ring().signing().key_id().map(str::to_owned);
        assert_eq!(signing.as_deref(), keys.signing().key_id());
        while since.elapsed() < paused {
            let asked = Instant::now();
            let answer = node.client(&id("a")).await;
            assert!(matches!(answer, Err(StoreError::Unavailable(_))));
            let took = asked.elapsed();
            assert!(took < Duration::from_millis(300), "nobody waits: {took:?}");
            tokio::task::yield_now().await;
        }
        let ready = node.check().await.expect_err("it is not ready");
        let StoreError::Unavailable(cause) = ready else {
            panic!("{ready}");
        };
        let told = cause.to_string();
        assert!(told.contains("this node is not current"), "{told}");
        server.resume();
        wait::within(COMES_BACK, "it answers again", async || {
            node.client(&id("a")).await.is_ok()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s034_a_primary_that_cannot_commit_proves_nothing_though_it_answers_reads() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let standby = server.standby("a");
    let grant = format!("GRANT pg_monitor TO {ROLE}");
    server.psql("postgres", &grant).expect("a grant");
    let mut target = database.target();
    target.durability = Durability::Replicated;
    let node = Store::open(&target, &database.options()).await;
    let node = node.expect("it opens");
    create(&node, "a").await;
    for (round, paused) in [(0, 1_500), (1, 6_000)] {
        let paused = Duration::from_millis(paused);
        found(&node, &id("a")).await;
        let key = ReplayKey::new("issuer", &format!("jti {round}"));
        let now = SystemClock.now();
        let until = now.plus(Duration::from_secs(60));
        standby.pause();
        let since = Instant::now();
        let claimed = node.claim(&[key.until(until)], now, 1_000).await;
        let took = since.elapsed();
        assert!(
            matches!(
                claimed,
                Err(StoreError::Unknown(_) | StoreError::Unavailable(_))
            ),
            "{claimed:?}"
        );
        assert!(took < Duration::from_secs(2) + SLACK, "{took:?}");
        let answer = node.client(&id("a")).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))));
        while since.elapsed() < paused {
            // Reads are answered, and count for nothing.
            let read = node.clients().get(&id("a")).await;
            assert!(read.expect("a read").is_some());
            let answer = node.client(&id("a")).await;
            assert!(matches!(answer, Err(StoreError::Unavailable(_))));
            tokio::task::yield_now().await;
        }
        // A commit that waits cannot be called back: its connection stays with the server until the
        // standby is there, one for each that waits, and no more come.
        let sessions =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'grantor %'";
        let sessions: u32 = (server.psql("postgres", sessions).expect("an answer"))
            .parse()
            .expect("a number");
        assert!(
            sessions <= u32::from(target.connections) + 2,
            "{sessions} sessions"
        );
        standby.resume();
        wait::within(COMES_BACK + SLACK, "it answers again", async || {
            node.client(&id("a")).await.is_ok()
        })
        .await;
        let claimed = node.claim(&[key.until(until)], now, 1_000).await;
        assert!(
            matches!(claimed, Ok(Claim::Replayed(_))),
            "its commit was only not confirmed: {claimed:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s034_when_the_standby_is_gone_no_more_than_a_second_is_answered() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let standby = server.standby("a");
    let grant = format!("GRANT pg_monitor TO {ROLE}");
    server.psql("postgres", &grant).expect("a grant");
    let mut target = database.target();
    target.durability = Durability::Replicated;
    let node = Store::open(&target, &database.options()).await;
    let node = node.expect("it opens");
    create(&node, "a").await;
    standby.pause();
    let stopped = stops(&node, Instant::now()).await;
    assert!(stopped < STOPS + SLACK, "{stopped:?}");
    standby.resume();
    wait::within(COMES_BACK + SLACK, "it answers again", async || {
        node.client(&id("a")).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s031_what_a_slow_transaction_commits_late_is_seen() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = database.open().await;
    create(&node, "slow").await;
    create(&node, "quick").await;
    assert!(is_enabled(&node, "slow").await && is_enabled(&node, "quick").await);
    let (slow, quick) = (
        session(&database.database.url).await,
        session(&database.database.url).await,
    );
    let begun = format!("BEGIN; {}", turn("slow", false));
    slow.batch_execute(&begun).await.expect("begun");
    for round in 0..20 {
        let enabled = round % 2 == 1;
        quick
            .batch_execute(&turn("quick", enabled))
            .await
            .expect("committed");
        within_a_second(async || is_enabled(&node, "quick").await == enabled).await;
        assert!(is_enabled(&node, "slow").await, "it is not committed");
    }
    slow.batch_execute("COMMIT").await.expect("committed");
    within_a_second(async || !is_enabled(&node, "slow").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s032_an_open_transaction_elsewhere_holds_nothing_back() {
    let (Some(database), Some(elsewhere)) = (Database::new(), Database::new()) else {
        return;
    };
    let node = database.open().await;
    create(&node, "a").await;
    let other = session(&elsewhere.database.url).await;
    let open = "BEGIN; CREATE SCHEMA grantor; CREATE TABLE grantor.t (n int); INSERT INTO grantor.t VALUES (1)";
    other.batch_execute(open).await.expect("open");
    let here = session(&database.database.url).await;
    let open = "BEGIN; INSERT INTO meta (name, value) VALUES ('of another', '')";
    here.batch_execute(open).await.expect("open");
    for enabled in [false, true, false] {
        database.by_hand(&turn("a", enabled)).expect("committed");
        within_a_second(async || is_enabled(&node, "a").await == enabled).await;
    }
    for open in [other, here] {
        open.batch_execute("COMMIT").await.expect("it was open");
    }
}

/// Turns the client, and takes what the feed tells of it away in the same transaction; until the
/// node has looked behind it, and knows nothing of it.
async fn turn_unseen(database: &Database, enabled: bool) {
    let turn = turn("a", enabled);
    let unseen = format!(
        "{turn}; DELETE FROM change WHERE xid = pg_current_xact_id(); INSERT INTO meta (name, value) VALUES ('turned by', pg_current_xact_id()::text) \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    );
    database.by_hand(&unseen).expect("turned");
    let behind = "SELECT count(*) FROM node, meta \
        WHERE name = 'turned by' AND NOT pg_visible_in_snapshot(meta.value::xid8, confirmed)";
    wait::until("the node has looked", async || database.number(behind) == 0).await;
}

/// Waits until the look has ended that the node may have begun before, beside that of a request: it
/// heeds the same once more.
async fn has_beaten(database: &Database) {
    let now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let now = database.number(now);
    let seen = "SELECT (extract(epoch FROM min(seen)) * 1000000)::bigint FROM node";
    wait::until("the node has proven", async || database.number(seen) > now).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_waits_for_those_before_it_and_is_told_where_they_take_long() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = database.open().await;
    let session = session(&database.database.url).await;
    let hold = "BEGIN; SELECT pg_advisory_xact_lock(7523, 2)";
    let create = |name: &'static str| {
        let node = node.clone();
        tokio::spawn(async move { node.clients().create(client(name), &by()).await })
    };
    let waits = "SELECT count(*) FROM pg_locks \
        WHERE locktype = 'advisory' AND objid = 2 AND NOT granted \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

    session.batch_execute(hold).await.expect("held");
    let created = create("a");
    wait::until("it waits", async || database.number(waits) == 1).await;
    session.batch_execute("COMMIT").await.expect("let go");
    created.await.expect("no panic").expect("created");

    session.batch_execute(hold).await.expect("held");
    let refused = create("b").await.expect("no panic");
    let Err(StoreError::Unavailable(cause)) = refused else {
        panic!("{refused:?}")
    };
    let cause = cause.to_string();
    assert!(cause.contains("repeat it when they have ended"), "{cause}");
    session.batch_execute("COMMIT").await.expect("let go");
    create("b").await.expect("no panic").expect("created");

    // A row that somebody holds is waited for no longer than a statement may take.
    let hold = "BEGIN; UPDATE client SET metadata = metadata WHERE id = 'a'";
    session.batch_execute(hold).await.expect("held");
    let refused = node.clients().delete(&id("a"), &by()).await;
    let Err(StoreError::Unavailable(cause)) = refused else {
        panic!("{refused:?}")
    };
    assert!(cause.to_string().contains("lock timeout"), "{cause}");
    create("c")
        .await
        .expect("no panic")
        .expect("nothing is held");
    session.batch_execute("COMMIT").await.expect("let go");
    let deleted = node.clients().delete(&id("a"), &by()).await;
    deleted.expect("deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s038_changes_are_kept_for_an_hour_and_it_is_written_where_they_end() {
    // Of its own, for the same reason as the next.
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let node = database.open().await;
    for (name, minutes) in [("old", 61), ("young", 59)] {
        create(&node, name).await;
        let older = format!(
            "UPDATE change SET at = now() - interval '{minutes} minutes' WHERE client = '{name}'"
        );
        database.by_hand(&older).expect("older");
    }
    let count = |of: &str| database.number(&format!("SELECT count(*) FROM change WHERE {of}"));
    let pruned = "(SELECT coalesce(max(value), '0')::numeric FROM meta WHERE name = 'pruned')";
    let beyond = format!("client = 'young' AND xid::text::numeric >= {pruned}");
    assert_eq!((count("client = 'old'"), count(&beyond)), (1, 1), "control");
    database.mark_for_sweep();
    database.swept().await;
    assert_eq!(count("client = 'old'"), 0);
    assert_eq!(count("client = 'young'"), 1, "not yet an hour");
    assert_eq!(count(&beyond), 1, "whoever has read so far misses none");
    assert!(database.number(&format!("SELECT {pruned}::bigint")) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s033_where_the_feed_does_not_tell_all_everything_is_forgotten() {
    // Of its own: no other test holds the horizon back, behind which nothing is pruned.
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let node = database.open().await;
    create(&node, "a").await;
    let of_others = |count: u32| {
        format!(
            "INSERT INTO change (resource, client) SELECT 'client', 'other' FROM generate_series(1, {count})"
        )
    };
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE application_name LIKE 'grantor %' AND datname = current_database()";
    let pruned = "INSERT INTO meta (name, value) SELECT 'pruned', (pg_current_xact_id()::text::bigint + 1)::text \
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let mut enabled = true;
    for (what, sign) in [
        ("rows were pruned that nobody has seen", pruned),
        ("more rows than are read", &of_others(10_001)),
        (
            "it says so",
            "INSERT INTO change (resource) VALUES ('everything')",
        ),
        (
            "it says what is not known here",
            "INSERT INTO change (resource) VALUES ('of another version')",
        ),
        ("the connection is new", ended),
    ] {
        assert_eq!(is_enabled(&node, "a").await, enabled, "control");
        turn_unseen(&database, !enabled).await;
        assert_eq!(is_enabled(&node, "a").await, enabled, "control: {what}");
        // So many are read, and tell nothing of this one.
        database.by_hand(&of_others(9_000)).expect("written");
        database.by_hand("DELETE FROM change").expect("gone");
        assert_eq!(is_enabled(&node, "a").await, enabled, "control: {what}");
        database.by_hand(sign).expect(what);
        enabled = !enabled;
        within_a_second(async || {
            let found = node.client(&id("a")).await;
            found.is_ok_and(|found| found.is_some_and(|a| a.metadata().enabled == enabled))
        })
        .await;
        has_beaten(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s032_what_was_heeded_is_not_heeded_again_while_a_transaction_is_open() {
    let (Some(database), Some(elsewhere)) = (Database::new(), Database::new()) else {
        return;
    };
    let node = database.open().await;
    create(&node, "a").await;
    let other = session(&elsewhere.database.url).await;
    let open = "BEGIN; CREATE SCHEMA grantor";
    other.batch_execute(open).await.expect("open");
    for _ in 0..2 {
        let many = "INSERT INTO change (resource, client) SELECT 'client', 'other' FROM generate_series(1, 9000)";
        database.by_hand(many).expect("written");
        within_a_second(async || node.client(&id("a")).await.is_ok()).await;
    }
    assert!(is_enabled(&node, "a").await);
    turn_unseen(&database, false).await;
    assert!(
        is_enabled(&node, "a").await,
        "nothing was told, and nothing forgotten"
    );
    other.batch_execute("COMMIT").await.expect("it was open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s014_nodes_that_start_at_once_make_one_schema_and_one_key() {
    for _ in 0..4 {
        let Some(database) = Database::new() else {
            return;
        };
        let database = Arc::new(database);
        let opening: Vec<_> = (0..8)
            .map(|_| {
                let database = database.clone();
                tokio::spawn(async move { database.open().await })
            })
            .collect();
        let mut nodes = Vec::new();
        for opening in opening {
            nodes.push(opening.await.expect("it opens"));
        }
        let mut kids = BTreeSet::new();
        for node in &nodes {
            node.check().await.expect("it is ready");
            let keys = node.signing_key_list().await.expect("a list");
            assert_eq!(keys.len(), 1);
            kids.insert(keys[0].key_id.clone());
            let signing = node.key_ring().signing().key_id().map(str::to_owned);
            assert_eq!(signing.as_deref(), Some(&*keys[0].key_id));
        }
        assert_eq!(kids.len(), 1);
        create(&nodes[0], "a").await;
        found(&nodes[7], &id("a")).await;
        assert_eq!(database.number("SELECT count(*) FROM node"), 8);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s011_of_nodes_that_start_at_once_without_a_common_key_one_runs() {
    let Some(database) = Database::new() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let opening: Vec<_> = (0..8)
        .map(|node| {
            let (target, mut options) = (database.target(), database.options());
            options.master_key = directory.path().join(format!("{node}.key"));
            tokio::spawn(async move { Store::open(&target, &options).await })
        })
        .collect();
    let mut running = Vec::new();
    for opening in opening {
        match opening.await.expect("it ends") {
            Ok(node) => running.push(node),
            Err(error) => {
                let told = error.to_string();
                assert!(told.contains("--master-key"), "{told}");
            }
        }
    }
    assert_eq!(running.len(), 1);
    let kept = std::fs::read_dir(directory.path()).expect("its files");
    assert_eq!(kept.count(), 1, "one key");
}

/// How long a change takes to be answered.
async fn changes(node: &Store) -> Duration {
    let before = found(node, &id("a")).await;
    let asked = Instant::now();
    let replaced = node.clients().replace(turned(&before), &by()).await;
    replaced.expect("replaced");
    asked.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s008_a_change_is_answered_when_every_live_node_has_heeded_it() {
    let Some(database) = Database::new() else {
        return;
    };
    let (node, _other, _third) = (
        database.open().await,
        database.open().await,
        database.open().await,
    );
    create(&node, "a").await;
    let not_heeded = "SELECT count(*) FROM node WHERE NOT pg_visible_in_snapshot( \
        (SELECT xid FROM change WHERE client = 'a' ORDER BY position DESC LIMIT 1), confirmed)";
    let others = "SELECT count(*) FROM node WHERE seen > now() - interval '10 s'";
    assert_eq!(database.number(others), 3, "control");
    for _ in 0..5 {
        let took = changes(&node).await;
        // The node itself may tell the others later: it has heeded what it has done.
        assert!(database.number(not_heeded) <= 1, "the others have");
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
    let silent = |seen: &str| {
        format!(
            "INSERT INTO node (id, version, seen, clock_ms, confirmed) VALUES ('silent', '0.1.0', {seen}, 0, '3:3:') \
            ON CONFLICT (id) DO UPDATE SET seen = excluded.seen"
        )
    };
    database
        .by_hand(&silent("now() - interval '11 s'"))
        .expect("one that is gone");
    let took = changes(&node).await;
    assert!(took < Duration::from_millis(500), "it is gone: {took:?}");
    database
        .by_hand(&silent("now()"))
        .expect("one that was seen a moment ago");
    let took = changes(&node).await;
    let waits = Duration::from_secs(2)..Duration::from_secs(2) + SLACK;
    assert!(waits.contains(&took), "{took:?}");
    let listed = node.nodes().await.expect("a list");
    let silent = listed.iter().find(|node| node.id == "silent");
    assert!(!silent.expect("it is listed").is_current);
    assert_eq!(listed.iter().filter(|node| node.is_current).count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s037_no_change_waits_for_a_node_that_has_left() {
    let Some(database) = Database::new() else {
        return;
    };
    let (node, other) = (database.open().await, database.open().await);
    create(&node, "a").await;
    assert_eq!(node.nodes().await.expect("a list").len(), 2, "control");
    other.leave().await;
    assert_eq!(node.nodes().await.expect("a list").len(), 1);
    let took = changes(&node).await;
    assert!(took < Duration::from_millis(500), "{took:?}");
    // It says nothing any more, and so does not answer.
    within_a_second(async || other.client(&id("a")).await.is_err()).await;
    assert!(node.client(&id("a")).await.is_ok(), "control");
}

/// Who changes the registry by hand takes no lock of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_somebody_else_was_faster_than_is_not_made() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = database.open().await;
    create(&node, "a").await;
    let disabled = turned(&*found(&node, &id("a")).await);
    let other = session(&database.database.url).await;
    let open = format!("BEGIN; {}", "UPDATE client SET version = version + 1");
    other.batch_execute(&open).await.expect("held");
    let replace = {
        let node = node.clone();
        tokio::spawn(async move { node.clients().replace(disabled, &by()).await })
    };
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND wait_event_type = 'Lock' AND query LIKE '%UPDATE client SET metadata%'";
    wait::until("the change waits", async || database.number(waits) == 1).await;
    let records = "SELECT count(*) FROM change_record";
    let before = database.number(records);
    other.batch_execute("COMMIT").await.expect("committed");
    let replaced = replace.await.expect("no panic");
    assert!(
        matches!(replaced, Err(StoreError::Conflict("client"))),
        "{replaced:?}"
    );
    within_a_second(async || is_enabled(&node, "a").await).await;
    assert_eq!(database.number(records), before, "nothing is on record");
    // Control.
    let disabled = turned(&*found(&node, &id("a")).await);
    let replaced = node.clients().replace(disabled, &by()).await;
    assert!(replaced.is_ok(), "{replaced:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s034_a_command_is_no_node_and_answers_by_what_it_reads() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = database.open().await;
    create(&node, "a").await;
    let command = database
        .open_with(|options| options.upkeep = grantor_stores::Upkeep::ByOthers)
        .await;
    assert_eq!(database.number("SELECT count(*) FROM node"), 1);
    assert!(is_enabled(&command, "a").await);
    database.by_hand(&turn("a", false)).expect("turned");
    within_a_second(async || !is_enabled(&command, "a").await).await;
    assert!(changes(&command).await < Duration::from_millis(500));
    within_a_second(async || is_enabled(&node, "a").await).await;
}
