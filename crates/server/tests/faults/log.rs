//! Standard error cannot be written: its reader has gone away, or reads nothing while the database
//! is locked.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    process::Command,
};

use grantor_testkit::binary::database::is_not_of_sqlite;

use crate::{load::Load, lock::locked_meanwhile, oracle::Kept, world::World};

/// `O_NONBLOCK` of Linux: the pipe is opened before the server writes to it.
const NONBLOCK: i32 = 0o4000;

/// A server that logs into a pipe, and the end of it that nobody reads from.
fn logging_to_pipe() -> (World, Kept, File) {
    let world = World::start();
    let before = world.control();
    let pipe = world.server.directory().join("log");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .expect("mkfifo")
            .success()
    );
    let reader = OpenOptions::new()
        .read(true)
        .custom_flags(NONBLOCK)
        .open(&pipe)
        .expect("a pipe");
    let world = world.restart_in("exec \"$0\" \"$@\" 2>\"$LOG\"", &[("LOG", &pipe)]);
    (world, before, reader)
}

#[test]
fn a_log_whose_reader_goes_away_stops_nobody() {
    let (world, before, reader) = logging_to_pipe();
    let load = Load::begin(&world);
    load.goes_on(&world, "before the log is closed");
    drop(reader);
    load.goes_on(&world, "after the log was closed");
    load.goes_on(&world, "still");
    assert_eq!((world.ready(), world.live()), (200, 200));
    let kept = load.end();
    assert!(
        kept.refused.is_empty() && kept.unsure.is_empty(),
        "{kept:?}"
    );
    before.and(kept).holds(&world, "log closed");
}

#[test]
fn a_log_that_nobody_reads_while_the_database_is_locked_stops_nobody() {
    if is_not_of_sqlite("it locks the file") {
        return;
    }
    let (world, before, reader) = logging_to_pipe();
    let load = Load::begin(&world);
    // Each line has some 500 octets, and a pipe takes 64 KiB.
    world
        .server
        .wait_until("the pipe is full", || load.granted() >= 300);
    let kept = locked_meanwhile(&world, load, "locked, and no log");
    before.and(kept).holds(&world, "log stalled");
    drop(reader);
}
