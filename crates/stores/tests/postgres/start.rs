//! S087, S088: what a server has to keep, each turned: the line that is told, that nothing was
//! written, and that the statement in the line puts it right. Then what nodes agree on.

use std::{
    net::SocketAddr,
    path::PathBuf,
    pin::pin,
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock},
    server::{Decision, DecisionLog as _},
    storage::{ClientSource as _, Readiness as _, ReplayGuard as _, ReplayKey, StoreError},
};
use grantor_stores::{
    Create, Upkeep,
    postgres::{Durability, Level, OpenError, Survey, Target, Windows, survey},
};
use grantor_testkit::{
    postgres::{Cut, Postgres, ROLE, Way, skipped},
    wait,
};
use tokio_postgres::NoTls;

use crate::{
    engine::{Database, Options, Store, accepts, refuses},
    given::id,
};

/// How soon a node has to know of what was turned, and of what was put right.
const SOON: Duration = Duration::from_secs(4);

/// The lines that no node starts with.
fn refused(survey: &Survey) -> Vec<String> {
    let refused = survey
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Refused);
    refused
        .map(|finding| format!("{} = {}", finding.name, finding.found))
        .collect()
}

async fn surveyed(url: &str, durability: Durability) -> Vec<String> {
    let survey = survey(&Target::new(url, durability)).await;
    refused(&survey.expect("the server answers"))
}

/// What lies in the schema; `nothing` where there is none.
fn contents(database: &Database) -> String {
    let digest = "SELECT CASE WHEN to_regnamespace('grantor') IS NULL THEN 'nothing' \
        ELSE md5(schema_to_xml('grantor', true, false, '')::text) END";
    let database = &database.database;
    let digest = database.server().psql(&database.name, digest);
    digest.expect("a digest")
}

/// Waits until nobody writes any more who did.
async fn quiet(database: &Database) {
    let sessions = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name LIKE 'grantor %'";
    wait::until("all sessions have ended", async || {
        database.number(sessions) == 0
    })
    .await;
}

/// Why it is not opened, when it was seen that nothing was written.
async fn not_opened(database: &Database, set: impl FnOnce(&mut Options)) -> String {
    let mut options = database.options();
    set(&mut options);
    not_opened_at(database, &database.target(), &options)
        .await
        .to_string()
}

async fn not_opened_at(database: &Database, target: &Target, options: &Options) -> OpenError {
    let before = contents(database);
    let refused = Store::open(target, options).await;
    let refused = refused.expect_err("it is refused");
    quiet(database).await;
    assert_eq!(contents(database), before, "something was written");
    refused
}

/// Does what a line says, as the superuser.
fn put_right(database: &Database, line: &str) {
    let (_, statements) = line.split_once("; run: ").expect("statements");
    let database = &database.database;
    for statement in statements.split("; ") {
        let done = database.server().psql(&database.name, statement);
        done.expect("it is put right");
    }
}

/// Turns a setting of the whole server, and waits until new sessions have it.
async fn turn(database: &Database, name: &str, value: &str) {
    let server = database.database.server();
    server.set(name, value);
    let show = format!("SHOW {name}");
    wait::until("the setting is in force", async || {
        server.psql("postgres", &show).as_deref() == Ok(value)
    })
    .await;
}

/// Why a node is not ready; empty where it is.
async fn unready(node: &Store) -> String {
    match node.check().await {
        Ok(()) => String::new(),
        Err(StoreError::Unavailable(cause)) => cause.to_string(),
        Err(error) => unreachable!("{error}"),
    }
}

/// Waits until the node says this of itself, and answers nothing.
async fn becomes_unready(node: &Store, line: &str) {
    let mut said = String::new();
    wait::within(SOON, line, async || {
        said = unready(node).await;
        said.contains(line)
    })
    .await;
    let answered = node.client(&id("nobody")).await;
    assert!(
        matches!(answered, Err(StoreError::Unavailable(_))),
        "{line}"
    );
}

/// A ready node that asks ten times a second whether the server keeps what is promised.
async fn checked_often(database: &Database) -> Store {
    let often = |options: &mut Options| options.checks_every = Duration::from_millis(100);
    let node = database.open_with(often).await;
    becomes_ready(&node).await;
    node
}

async fn becomes_ready(node: &Store) {
    let mut said = String::new();
    wait::within(SOON, "it is ready again", async || {
        said = unready(node).await;
        said.is_empty()
    })
    .await;
    let answered = node.client(&id("nobody")).await;
    assert!(answered.expect("it answers").is_none());
}

const SETTINGS: [(&str, &str, &str); 7] = [
    ("fsync", "off", "on"),
    ("full_page_writes", "off", "on"),
    ("autovacuum", "off", "on"),
    ("synchronous_commit", "off", "on or remote_apply"),
    ("synchronous_commit", "local", "on or remote_apply"),
    ("synchronous_commit", "remote_write", "on or remote_apply"),
    ("default_transaction_read_only", "on", "off"),
];

fn line_of((name, wrong, wanted): (&str, &str, &str)) -> String {
    let right = wanted.split(' ').next().expect("a word");
    format!(
        "{name}: found {wrong}, wanted {wanted}; run: ALTER SYSTEM SET {name} = {right}; SELECT pg_reload_conf()"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s087_no_node_starts_while_a_setting_is_wrong() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    for setting @ (name, wrong, _) in SETTINGS {
        turn(&database, name, wrong).await;
        let line = not_opened(&database, |_| {}).await;
        assert_eq!(line, line_of(setting));
        put_right(&database, &line);
        wait::until("it is put right", async || {
            let found = surveyed(&database.database.url, Durability::Local).await;
            found.is_empty()
        })
        .await;
    }
    assert_eq!(contents(&database), "nothing");
    let node = database.open().await;
    assert_ne!(contents(&database), "nothing", "control");
    becomes_ready(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s087_a_running_node_answers_nothing_while_a_setting_is_wrong() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let node = checked_often(&database).await;
    for setting @ (name, wrong, _) in SETTINGS {
        turn(&database, name, wrong).await;
        let line = line_of(setting);
        becomes_unready(&node, &line).await;
        put_right(&database, &line);
        becomes_ready(&node).await;
    }
}

#[tokio::test]
async fn s087_the_statement_sets_it_where_it_was_set() {
    let Some(server) = Postgres::new(&[("full_page_writes", "off")]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    assert_eq!(
        not_opened(&database, |_| {}).await,
        "full_page_writes: found off, wanted on; start the server without -c full_page_writes=..., or with -c full_page_writes=on"
    );
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let name = database.database.name.clone();
    for place in [
        format!("ROLE {ROLE}"),
        format!("DATABASE {name}"),
        format!("ROLE {ROLE} IN DATABASE {name}"),
    ] {
        let set = format!("ALTER {place} SET synchronous_commit = off");
        server.psql("postgres", &set).expect("it is set");
        let line = not_opened(&database, |_| {}).await;
        assert_eq!(
            line,
            format!(
                "synchronous_commit: found off, wanted on or remote_apply; run: ALTER {place} SET synchronous_commit = on"
            )
        );
        put_right(&database, &line);
        let found = surveyed(&database.database.url, Durability::Local).await;
        assert_eq!(found, Vec::<String>::new(), "{place}");
        let reset = format!("ALTER {place} RESET synchronous_commit");
        server.psql("postgres", &reset).expect("it is reset");
    }
}

#[tokio::test]
async fn s087_only_utf8_is_taken() {
    let Some(server) = Postgres::shared() else {
        return skipped();
    };
    let ascii = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
    let database = Database::of(server.database_with(ascii));
    let name = &database.database.name;
    assert_eq!(
        not_opened(&database, |_| {}).await,
        format!(
            "server_encoding: found SQL_ASCII, wanted UTF8; run: CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0 (in place of this one)"
        )
    );
}

#[tokio::test]
async fn s088_a_standby_is_refused_and_replicated_needs_one_that_this_role_may_see() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let mut target = database.target();
    target.durability = Durability::Replicated;
    let refused = async || {
        not_opened_at(&database, &target, &database.options())
            .await
            .to_string()
    };
    assert_eq!(
        refused().await,
        "synchronous_standby_names: found nothing, wanted the standbys that confirm a commit (durability = \"replicated\"); \
         run: ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (a, b)'; SELECT pg_reload_conf()\n\
         pg_stat_replication: found 0 standbys, none of them sync or quorum, wanted a standby that is sync or quorum; start a standby whose \
         application_name is in synchronous_standby_names; see: SELECT application_name, sync_state FROM pg_stat_replication"
    );
    let standby = server.standby("a");
    let line = refused().await;
    assert_eq!(
        line,
        format!(
            "pg_stat_replication: found standbys of which this role may see nothing, wanted a standby that is sync or quorum; \
             run: GRANT pg_monitor TO {ROLE}"
        )
    );
    put_right(&database, &line);
    let survey = survey(&target).await.expect("the server answers");
    assert!(survey.is_fit() && survey.schema.is_none());
    assert!(survey.contract.starts_with("replicated: "));
    let url = format!(
        "postgres://{ROLE}@{}/{}",
        standby.address(),
        database.database.name
    );
    let at_standby = Target::new(url, Durability::Local);
    assert_eq!(
        not_opened_at(&database, &at_standby, &database.options())
            .await
            .to_string(),
        "pg_is_in_recovery(): found true, wanted false; name the primary with [database] url"
    );
    Store::open(&target, &database.options())
        .await
        .expect("control");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s087_a_node_that_meets_commits_without_a_standby_is_not_ready_and_records_it() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let _standby = server.standby("a");
    let grant = format!("GRANT pg_monitor TO {ROLE}");
    server.psql("postgres", &grant).expect("a grant");
    let mut target = database.target();
    target.durability = Durability::Replicated;
    let recorded = "SELECT count(*) FROM meta WHERE name = 'unreplicated'";
    for (name, wrong, right) in [
        ("synchronous_standby_names", "", "a"),
        ("synchronous_commit", "local", "on"),
        ("synchronous_commit", "remote_write", "on"),
    ] {
        let node = Store::open(&target, &database.options()).await;
        let node = node.expect("it opens");
        becomes_ready(&node).await;
        assert_eq!(database.number(recorded), 0, "control");
        turn(&database, name, wrong).await;
        becomes_unready(&node, &format!("{name}: found ")).await;
        assert_eq!(database.number(recorded), 1, "{name}");
        turn(&database, name, right).await;
        becomes_ready(&node).await;
        let forget = "DELETE FROM meta WHERE name = 'unreplicated'";
        database.by_hand(forget).expect("deleted");
    }
}

/// How it is turned, and the line.
const TABLES: [(&str, &str); 5] = [
    (
        "ALTER TABLE node SET UNLOGGED",
        "relpersistence: found table grantor.node that is not logged, wanted p; run: ALTER TABLE grantor.node SET LOGGED",
    ),
    (
        "ALTER TABLE claim DISABLE TRIGGER claims_stay",
        "tgenabled: found trigger claims_stay of grantor.claim that is not enabled always, wanted A; \
         run: ALTER TABLE grantor.claim ENABLE ALWAYS TRIGGER claims_stay",
    ),
    (
        "ALTER TABLE claim ENABLE TRIGGER claims_stay",
        "tgenabled: found trigger claims_stay of grantor.claim that is not enabled always, wanted A; \
         run: ALTER TABLE grantor.claim ENABLE ALWAYS TRIGGER claims_stay",
    ),
    (
        "REVOKE INSERT ON claim FROM grantor",
        "privileges: found no INSERT on grantor.claim, wanted what Grantor does with its tables; run: GRANT INSERT ON grantor.claim TO grantor",
    ),
    (
        "REVOKE SELECT ON meta FROM grantor",
        "privileges: found no SELECT on grantor.meta, wanted what Grantor does with its tables; run: GRANT SELECT ON grantor.meta TO grantor",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s087_no_node_starts_with_tables_that_do_not_keep() {
    let Some(database) = Database::new() else {
        return;
    };
    drop(database.open().await);
    quiet(&database).await;
    let without_the_schema = [(
        "REVOKE USAGE ON SCHEMA grantor FROM grantor",
        "privileges: found no USAGE on SCHEMA grantor, wanted what Grantor does with its tables; run: GRANT USAGE ON SCHEMA grantor TO grantor",
    )];
    for (turned, line) in TABLES.into_iter().chain(without_the_schema) {
        database.by_hand(turned).expect("turned");
        assert_eq!(not_opened(&database, |_| {}).await, line);
        put_right(&database, line);
        drop(database.open().await);
        quiet(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s087_a_running_node_answers_nothing_with_tables_that_do_not_keep() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = checked_often(&database).await;
    for (turned, line) in TABLES {
        database.by_hand(turned).expect("turned");
        becomes_unready(&node, line).await;
        put_right(&database, line);
        becomes_ready(&node).await;
    }
}

#[tokio::test]
async fn s087_a_role_that_may_make_no_schema_is_told_the_grant() {
    let Some(database) = Database::new() else {
        return;
    };
    let (server, name) = (database.database.server(), &database.database.name);
    let owner = format!("ALTER DATABASE {name} OWNER TO CURRENT_USER");
    server.psql("postgres", &owner).expect("another owner");
    let line = not_opened(&database, |_| {}).await;
    assert_eq!(
        line,
        format!(
            "privileges: found no CREATE on DATABASE {name}, wanted what Grantor does with its tables; run: GRANT CREATE ON DATABASE {name} TO {ROLE}"
        )
    );
    let absent = not_opened(&database, |options| options.create = Create::Never).await;
    assert!(
        absent.starts_with("there are no tables of Grantor in this database"),
        "{absent}"
    );
    put_right(&database, &line);
    database.open().await;
}

#[tokio::test]
async fn a_schema_that_somebody_made_is_enough_for_a_role_that_may_make_none() {
    let Some(database) = Database::new() else {
        return;
    };
    let (server, name) = (database.database.server(), &database.database.name);
    for made in [
        format!("ALTER DATABASE {name} OWNER TO CURRENT_USER"),
        "CREATE EXTENSION pg_trgm".to_owned(),
        format!("CREATE SCHEMA grantor AUTHORIZATION {ROLE}"),
    ] {
        server.psql(name, &made).expect("made");
    }
    let right = format!("SELECT has_database_privilege('{ROLE}', '{name}', 'CREATE')");
    assert_eq!(server.psql(name, &right).as_deref(), Ok("f"), "control");
    let node = database.open().await;
    assert!(node.nodes().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s011_s015_s067_what_another_program_or_key_made_is_not_opened() {
    let Some(database) = Database::new() else {
        return;
    };
    drop(database.open().await);
    quiet(&database).await;
    let other = Database::new().expect("another");
    drop(other.open().await);
    let key_of_other = other.options().master_key;
    let line = not_opened(&database, |options| options.master_key = key_of_other).await;
    assert!(
        line.contains("this master key does not open the database")
            && line.contains("--master-key"),
        "{line}"
    );
    let missing = PathBuf::from("/nowhere/master.key");
    let line = not_opened(&database, |options| options.master_key = missing).await;
    assert!(
        line.starts_with("/nowhere/master.key: the master key of this database is missing")
            && line.contains("--master-key"),
        "{line}"
    );
    for (name, wrong, told) in [
        ("oldest", "999.0.0", "the database needs at least 999.0.0"),
        (
            "engine",
            "valkey",
            "[replay] engine is database here and valkey on the other nodes",
        ),
    ] {
        let right = database
            .database
            .psql(&format!("SELECT value FROM meta WHERE name = '{name}'"))
            .expect("a value");
        let put = |value: &str| {
            let put = format!("UPDATE meta SET value = '{value}' WHERE name = '{name}'");
            database.by_hand(&put).expect("put");
        };
        put(wrong);
        let line = not_opened(&database, |_| {}).await;
        assert!(line.contains(told), "{line}");
        put(&right);
        drop(database.open().await);
        quiet(&database).await;
    }
    // Tables of the next version: it says which is the oldest program that goes on with them.
    database
        .by_hand("UPDATE meta SET value = '999' WHERE name = 'schema'")
        .expect("put");
    drop(database.open().await);
    let schema = "SELECT value::bigint FROM meta WHERE name = 'schema'";
    assert_eq!(database.number(schema), 999, "it is left alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s015_a_running_node_that_is_too_old_stops_serving_and_says_so() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = database.open().await;
    let oldest = database
        .database
        .psql("SELECT value FROM meta WHERE name = 'oldest'")
        .expect("a value");
    let put = |value: &str| {
        let put = format!("UPDATE meta SET value = '{value}' WHERE name = 'oldest'");
        database.by_hand(&put).expect("put");
    };
    put("999.0.0");
    becomes_unready(
        &node,
        "the database needs at least 999.0.0; run a newer grantor",
    )
    .await;
    put(&oldest);
    becomes_ready(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s087_what_decisions_set_in_their_transaction_is_no_finding() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = checked_often(&database).await;
    let (session, connection) = tokio_postgres::connect(&database.database.url, NoTls)
        .await
        .expect("a session");
    tokio::spawn(connection);
    // Decisions wait for it in the middle of their transaction, which commits without waiting.
    let hold = "BEGIN; SELECT pg_advisory_xact_lock(7523, 3)";
    session.batch_execute(hold).await.expect("held");
    let granted = r#"{"id":"x0dk2vq8c3pmz7t","at":1800000000000,"endpoint":"token","outcome":{"outcome":"granted"}}"#;
    node.record(&Decision::read(granted).expect("a decision"));
    let waits = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database \
        WHERE datname = current_database() AND locktype = 'advisory' AND objid = 3 AND NOT granted";
    wait::until("decisions wait", async || database.number(waits) == 1).await;
    let (since, mut waited) = (Instant::now(), 0);
    while since.elapsed() < Duration::from_secs(3) {
        assert_eq!(unready(&node).await, "");
        waited += database.number(waits);
    }
    assert!(waited > 5, "control: {waited}");
    session.batch_execute("COMMIT").await.expect("let go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s087_a_trigger_that_is_gone_is_named_with_the_statement_that_makes_it() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = checked_often(&database).await;
    let statement = database
        .database
        .psql("SELECT pg_get_triggerdef(oid, true) FROM pg_trigger WHERE tgname = 'client_changed'")
        .expect("a statement");
    database
        .by_hand("DROP TRIGGER client_changed ON client")
        .expect("dropped");
    becomes_unready(&node, "no trigger client_changed of grantor.client").await;
    drop(node);
    let line = not_opened(&database, |_| {}).await;
    let (_, run) = line.split_once("run: ").expect("a statement");
    assert!(run.contains(&statement), "{line}");
    database.by_hand(run).expect("as it says");
    becomes_ready(&database.open().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s035_a_node_whose_claims_fail_is_not_ready() {
    let Some(database) = Database::new() else {
        return;
    };
    let node = database.open().await;
    let claim = async |name: &str| {
        let now = SystemClock.now();
        let until = now.plus(Duration::from_secs(60));
        let uses = [ReplayKey::new("https://idp.example", name).until(until)];
        node.claim(&uses, now, 100).await
    };
    assert!(claim("1").await.is_ok(), "control");
    assert_eq!(unready(&node).await, "", "control");
    database.by_hand(&refuses("claim")).expect("a trigger");
    assert!(claim("2").await.is_err());
    wait::within(SOON, "it is not ready", async || {
        unready(&node).await.contains("claims fail")
    })
    .await;
    database.by_hand(&accepts("claim")).expect("dropped");
    assert!(claim("2").await.is_ok());
    becomes_ready(&node).await;
}

fn windows(leeway: u64) -> Windows {
    Windows {
        issuer: "https://as.example".to_owned(),
        leeway: Duration::from_secs(leeway),
        max_lifetime: Duration::from_secs(3600),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s019_all_nodes_remember_for_as_long_as_any_accepts() {
    let Some(database) = Database::new() else {
        return;
    };
    let with = |leeway: u64| move |options: &mut Options| options.windows = Some(windows(leeway));
    let node = database.open_with(with(30)).await;
    // The same is taken.
    drop(database.open_with(with(30)).await);
    let mut options = database.options();
    with(300)(&mut options);
    let other = Store::open(&database.target(), &options).await;
    let told = other.expect_err("it is refused").to_string();
    assert!(
        told.starts_with(
            "assertion.leeway_seconds is 300s here and 30s on the other nodes of this database"
        ),
        "{told}"
    );
    let command = database
        .open_with(|options| options.upkeep = Upkeep::ByOthers)
        .await;
    let changed = command.change_windows(&windows(300)).await;
    assert!(
        matches!(changed, Err(OpenError::Running(1 | 2))),
        "{changed:?}"
    );
    becomes_ready(&node).await;
    drop(node);
    database
        .by_hand("UPDATE node SET seen = now() - interval '11 s'")
        .expect("they are gone");
    command
        .change_windows(&windows(300))
        .await
        .expect("nobody runs");
    // It accepts what was forgotten by the windows of before.
    let fence = "SELECT count(*) FROM meta WHERE name = 'fence' AND value::bigint > extract(epoch FROM now()) * 1000 + 290000";
    assert_eq!(database.number(fence), 1);
    drop(command);
    quiet(&database).await;
    let told = not_opened(&database, with(30)).await;
    assert!(
        told.starts_with("assertion.leeway_seconds is 30s here and 300s"),
        "{told}"
    );
    let node = database.open_with(with(300)).await;
    becomes_ready(&node).await;
    // Under way, which no command does.
    let put = "UPDATE meta SET value = replace(value, '300000', '30000') WHERE name = 'windows'";
    database.by_hand(put).expect("put");
    becomes_unready(&node, "the windows of this database were changed").await;
}

#[tokio::test]
async fn s085_what_the_url_says_otherwise_is_refused() {
    let refused = async |url: &str| {
        let survey = survey(&Target::new(url, Durability::Local)).await;
        survey.expect_err("it is refused").to_string()
    };
    for (url, named) in [
        ("postgres://a:secret@127.0.0.1/a", "password_file"),
        ("postgres://a@db.example/a?sslmode=prefer", "sslmode"),
        ("postgres://a@db.example/a?sslmode=disable", "sslmode"),
        (
            "postgres://a@127.0.0.1/a?options=-c%20fsync%3Doff",
            "options",
        ),
        (
            "postgres://a@127.0.0.1/a?target_session_attrs=read-only",
            "target_session_attrs",
        ),
        ("host=127.0.0.1,localhost hostaddr=127.0.0.1 user=a", "each"),
        ("host=127.0.0.1,localhost port=1,2,3 user=a", "each"),
    ] {
        let text = refused(url).await;
        assert!(
            text.starts_with("[database] url: ") && text.contains(named),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
}

/// A CA of the operator's own, and the certificate of a server.
struct Certificates {
    ca: String,
    server: String,
    key: String,
}

impl Certificates {
    fn of(name: &str) -> Self {
        let mut ca = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let own = ca.self_signed(&key).expect("a certificate");
        let issuer = rcgen::Issuer::new(ca, key);
        let leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let key = rcgen::KeyPair::generate().expect("a key");
        let server = leaf.signed_by(&key, &issuer).expect("a certificate");
        Self {
            ca: own.pem(),
            server: server.pem(),
            key: key.serialize_pem(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s085_a_server_is_known_by_its_name_and_by_who_signed_for_it() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("written");
        Some(path)
    };
    let certificates = Certificates::of("db.example");
    let ca = file("ca.pem", &certificates.ca);
    let at = |host: &str, ca_file: &Option<PathBuf>| {
        let mut target = database.target();
        target.url = format!(
            "host={host} hostaddr=127.0.0.1 port={} user={ROLE} dbname={} sslmode=require",
            server.address().port(),
            database.database.name
        );
        target.ca_file.clone_from(ca_file);
        target
    };
    let options = database.options();
    let refused = async |target: Target| {
        let refused = not_opened_at(&database, &target, &options).await;
        refused.to_string()
    };
    let no_tls = refused(at("db.example", &ca)).await;
    assert!(
        no_tls.contains("does not support TLS")
            && no_tls.contains("set ssl = on")
            && no_tls.contains("[database] url"),
        "{no_tls}"
    );
    server.put("server.crt", &certificates.server);
    server.put("server.key", &certificates.key);
    turn(&database, "ssl", "on").await;
    let other_ca = file("other.pem", &Certificates::of("db.example").ca);
    for (what, target) in [
        ("another name", at("other.example", &ca)),
        ("another CA", at("db.example", &other_ca)),
        ("the system's roots", at("db.example", &None)),
    ] {
        let told = refused(target).await;
        assert!(
            told.contains("invalid peer certificate")
                && told.contains("[database] ca_file")
                && told.contains("[database] url"),
            "{what}: {told}"
        );
    }
    for (name, content) in [("empty.pem", ""), ("text.pem", "no certificate")] {
        let told = refused(at("db.example", &file(name, content))).await;
        assert!(
            told.starts_with("[database] ca_file: ") && told.contains(name),
            "{told}"
        );
    }
    let node = Store::open(&at("db.example", &ca), &options).await;
    let node = node.expect("verified");
    let encrypted = "SELECT count(*) FILTER (WHERE ssl) * 100 + count(*) FILTER (WHERE NOT ssl) \
        FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'grantor %' AND datname = current_database()";
    let counts = server.psql(&database.database.name, encrypted);
    let counts: u64 = counts.expect("an answer").parse().expect("a number");
    assert!(counts >= 200 && counts.is_multiple_of(100), "{counts}");
    becomes_ready(&node).await;
}

/// A machine that is gone refuses no connection: whoever asks it hears nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s084_a_host_that_says_nothing_leaves_the_time_to_the_next() {
    let Some(database) = Database::new() else {
        return skipped();
    };
    let there = database.database.server().address();
    let gone = Cut::before(there);
    gone.hold(Way::Back);
    let at = |hosts: [SocketAddr; 2]| {
        let hosts = hosts.map(|host| host.to_string()).join(",");
        let mut target = database.target();
        target.url = target.url.replace(&there.to_string(), &hosts);
        target
    };
    let options = database.options();
    let nowhere = at([gone.address(); 2]);
    is_waited_for(&mut pin!(Store::open(&nowhere, &options))).await;
    let node = Store::open(&at([gone.address(), there]), &options).await;
    let node = node.expect("the second one answers");
    becomes_ready(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s084_a_start_and_a_command_wait_for_a_busy_server() {
    let Some(database) = Database::new() else {
        return skipped();
    };
    // The tables are there.
    drop(database.open().await);
    let there = database.database.server().address();
    let busy = Cut::before(there);
    let mut target = database.target();
    let address = busy.address().to_string();
    target.url = target.url.replace(&there.to_string(), &address);
    for upkeep in [Upkeep::Here, Upkeep::ByOthers] {
        let mut options = database.options();
        options.upkeep = upkeep;
        busy.hold(Way::Back);
        let mut opening = pin!(Store::open(&target, &options));
        is_waited_for(&mut opening).await;
        busy.release();
        opening.await.expect("it answers at last");
    }
}

/// It has not ended after longer than a request would wait for a connection.
async fn is_waited_for<T>(opening: &mut (impl Future<Output = Result<T, OpenError>> + Unpin)) {
    let ended = tokio::time::timeout(Duration::from_secs(3), opening).await;
    let told = ended.map(|opened| opened.map(drop).map_err(|error| error.to_string()));
    assert!(told.is_err(), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s085_the_password_is_read_at_each_connect() {
    let Some(server) = Postgres::new(&[]) else {
        return skipped();
    };
    let database = Database::of(server.database());
    let superuser = "local all all trust\nhost all grantor_test 127.0.0.1/32 trust\n";
    let by_password = format!("{superuser}host all {ROLE} 127.0.0.1/32 scram-sha-256\n");
    server.put("pg_hba.conf", &by_password);
    let set = |password: &str| {
        let set = format!("ALTER ROLE {ROLE} PASSWORD '{password}'");
        server.psql("postgres", &set).expect("it is set");
    };
    set("one");
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("password");
    let write = |password: &str| std::fs::write(&file, password).expect("written");
    let mut target = database.target();
    let options = database.options();
    let open = async |target: &Target| {
        let opened = Store::open(target, &options).await;
        opened.map_err(|error| error.to_string())
    };
    // It may be asked before the new rule is read.
    let told = wait_for_refusal(&target, &options).await;
    assert!(told.contains("[database] password_file"), "{told}");
    target.password_file = Some(file.clone());
    let told = open(&target).await.expect_err("there is no file");
    assert!(
        told.contains("[database] password_file: ") && told.contains(&*file.to_string_lossy()),
        "{told}"
    );
    write("two\n");
    let told = open(&target).await.expect_err("it is another");
    assert!(
        told.contains("password authentication failed")
            && told.contains("[database] password_file"),
        "{told}"
    );
    write("one\n");
    let node = open(&target).await.expect("it is the right one");
    becomes_ready(&node).await;
    // Rotated: what is open goes on, and new connections have the new one.
    set("two");
    becomes_ready(&node).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'grantor %'";
    server.psql("postgres", end).expect("ended");
    becomes_unready(&node, "password authentication failed").await;
    write("two\n");
    becomes_ready(&node).await;
}

async fn wait_for_refusal(target: &Target, options: &Options) -> String {
    let mut told = String::new();
    wait::until("it is refused", async || {
        match Store::open(target, options).await {
            Ok(_) => false,
            Err(error) => {
                told = error.to_string();
                true
            }
        }
    })
    .await;
    told
}
