//! The harness itself: what is killed is gone and comes back, what is cut is silent.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use super::*;

/// A server of its own.
fn server() -> Option<Arc<Postgres>> {
    let server = Postgres::new(&[]);
    if server.is_none() {
        skipped();
    }
    server
}

#[test]
fn each_database_is_new_and_its_owner_is_no_superuser() {
    let Some(first) = Database::of_test() else {
        return;
    };
    let second = first.server().database();
    first.psql("CREATE SCHEMA grantor").expect("made");
    second
        .psql("CREATE SCHEMA grantor")
        .expect("made here, too");
    let is_superuser = first.psql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user");
    assert_eq!(is_superuser.as_deref(), Ok("f"));
    let of_superuser = first.server().psql(&first.name, "SHOW is_superuser");
    assert_eq!(of_superuser.as_deref(), Ok("on"), "control");
    for durable in ["fsync", "full_page_writes", "synchronous_commit"] {
        let set = first.psql(&format!("SHOW {durable}"));
        assert_eq!(set.as_deref(), Ok("on"), "{durable}");
    }
    let has = |database: &Database, needle: &[u8]| {
        let octets = database.on_disk();
        octets.windows(needle.len()).any(|part| part == needle)
    };
    let make = "CREATE TABLE t AS SELECT 'a word to find' AS word";
    first.psql(make).expect("made");
    assert!(has(&first, b"a word to find") && !has(&second, b"a word to find"));
    let name = second.name.clone();
    drop(second);
    let is_there = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(first.psql(&is_there).as_deref(), Ok("0"));
}

#[test]
fn what_was_committed_is_there_after_every_process_was_killed() {
    let Some(server) = server() else {
        return;
    };
    let database = server.database();
    database
        .psql("CREATE SCHEMA grantor; CREATE TABLE t AS SELECT 7 AS n")
        .expect("made");
    server.kill();
    assert!(TcpStream::connect(server.address()).is_err(), "it is gone");
    server.start();
    assert_eq!(database.psql("SELECT n FROM t").as_deref(), Ok("7"));
    server.stop();
    assert!(TcpStream::connect(server.address()).is_err(), "it is gone");
    server.start();
    assert_eq!(database.psql("SELECT n FROM t").as_deref(), Ok("7"));
    let directory = server.directory.clone();
    assert!(directory.exists(), "control");
    drop((database, server));
    assert!(!directory.exists());
}

#[test]
fn a_paused_server_answers_nobody_until_it_goes_on() {
    let Some(server) = server() else {
        return;
    };
    server.pause();
    let asking = std::thread::spawn({
        let server = server.clone();
        move || (server.psql("postgres", "SELECT 1"), Instant::now())
    });
    let waited = wait::blocking::comes(Duration::from_millis(300), || asking.is_finished());
    assert!(!waited, "nobody is answered");
    let resumed = Instant::now();
    server.resume();
    let (answer, answered) = asking.join().expect("it ends");
    assert_eq!(answer.as_deref(), Ok("1"));
    assert!(answered > resumed);
}

#[test]
fn a_standby_has_what_was_committed_and_takes_over() {
    let Some(server) = server() else {
        return;
    };
    let standby = server.standby("other");
    server
        .psql("postgres", "CREATE TABLE t AS SELECT 7 AS n")
        .expect("made");
    let refused = standby.psql("postgres", "CREATE TABLE u (n int)");
    assert!(refused.is_err_and(|error| error.contains("read-only")));
    server.kill();
    standby.promote();
    assert_eq!(
        standby.psql("postgres", "SELECT n FROM t").as_deref(),
        Ok("7")
    );
    standby
        .psql("postgres", "CREATE TABLE u (n int)")
        .expect("it takes writes");
}

#[test]
fn a_line_loses_the_answer_that_it_is_told_to_lose_and_holds_what_it_is_told_to_hold() {
    let Some(database) = Database::of_test() else {
        return;
    };
    database
        .psql("CREATE SCHEMA grantor; CREATE TABLE t (n int)")
        .expect("made");
    let cut = Cut::before(database.server().address());
    let through = |sql: &str| {
        let mut psql = Command::new(database.server().program.path("psql"));
        psql.args(["-XAtq", "-d", &database.url_at(cut.address()), "-c", sql]);
        psql.env("PGOPTIONS", "-c search_path=grantor");
        psql.stdout(Stdio::null()).stderr(Stdio::null());
        psql
    };
    let is_done = |sql: &str| through(sql).status().expect("psql runs").success();
    let rows = || database.psql("SELECT count(*) FROM t");
    assert!(is_done("INSERT INTO t VALUES (1)"), "control");
    cut.lose_answer_to(b"VALUES (2)");
    assert!(!is_done("INSERT INTO t VALUES (2)"));
    assert_eq!(rows().as_deref(), Ok("2"), "it was done");
    assert_eq!(cut.losses(), 1);
    assert!(is_done("INSERT INTO t VALUES (2)"), "one answer, not all");
    for way in [Way::There, Way::Back] {
        cut.hold(way);
        let mut held = through("SELECT 1").spawn().expect("psql runs");
        let ends = || held.try_wait().expect("a status").is_some();
        assert!(!wait::blocking::comes(Duration::from_millis(200), ends));
        cut.release();
        assert!(held.wait().expect("it ends").success(), "{way:?}");
    }
}
