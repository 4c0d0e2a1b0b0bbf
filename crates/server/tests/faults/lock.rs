//! Another process holds the lock of the database, or reads from it for long.

use rusqlite::Connection;

use crate::{load::Load, oracle::Kept, world::World};

/// A connection of another process, as far as SQLite can tell.
pub fn other(world: &World) -> Connection {
    Connection::open(world.server.data().join("grantor.db")).expect("a connection")
}

/// Locks the database until requests are told to come back; answers what the load was answered.
pub fn locked_meanwhile(world: &World, load: Load, what: &str) -> Kept {
    let other = other(world);
    other
        .busy_timeout(std::time::Duration::from_secs(5))
        .expect("a timeout");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    world
        .server
        .wait_until("requests are told to come back", || load.refused() > 0);
    world.is_not_ready(what);
    other.execute_batch("ROLLBACK").expect("released");
    load.goes_on(world, "after the lock");
    let kept = load.end();
    kept.refusals_are_temporary(what);
    assert!(kept.unsure.is_empty(), "{:?}", kept.unsure);
    kept
}

#[test]
fn a_locked_database_refuses_for_a_while_and_loses_nothing() {
    if grantor_testkit::binary::database::is_not_of_sqlite("it looks at the file") {
        return;
    }
    let world = World::start();
    let before = world.control();
    let load = Load::begin(&world);
    load.goes_on(&world, "before the lock");
    let kept = locked_meanwhile(&world, load, "locked");
    before.and(kept).holds(&world, "locked");
}

/// The write-ahead log cannot be emptied while somebody reads an earlier state.
#[test]
fn a_reader_that_holds_the_log_stops_nobody() {
    if grantor_testkit::binary::database::is_not_of_sqlite("it looks at the file") {
        return;
    }
    let world = World::start();
    let before = world.control();
    let reader = other(&world);
    reader
        .execute_batch("BEGIN")
        .and_then(|()| reader.query_row("SELECT count(*) FROM client", [], |_| Ok(())))
        .expect("a reader");
    let load = Load::begin(&world);
    world
        .server
        .wait_until("honest requests go on beside a reader", || {
            load.granted() >= 300
        });
    assert_eq!((world.ready(), world.live()), (200, 200));
    reader
        .execute_batch("COMMIT")
        .expect("the end of the reading");
    load.goes_on(&world, "after the reader");
    let kept = load.end();
    assert!(
        kept.refused.is_empty() && kept.unsure.is_empty(),
        "{kept:?}"
    );
    before.and(kept).holds(&world, "log held");
}
