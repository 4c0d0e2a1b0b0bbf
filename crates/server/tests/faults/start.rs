//! A start that meets a fault ends with one clear line and a code that is not zero, and the next
//! start works.

use std::{process::Command, time::Duration};

use grantor_testkit::binary::database::is_not_of_sqlite;

use crate::{
    lock::other,
    oracle::Kept,
    support::{Finished, Server, grantor, kill_after},
    world::{World, run},
};

/// A world whose server has ended, after some load.
fn ended() -> (World, Kept) {
    let mut world = World::start();
    let kept = world.control();
    assert!(world.server.terminate().success());
    (world, kept)
}

/// Runs `grantor serve` in a shell that does this first; it has to end by itself.
fn ends(server: &Server, script: &str) -> Finished {
    let serve = grantor(&server.data());
    let mut shell = Command::new("timeout");
    shell
        .args(["15", "sh", "-c", &format!("{script}; exec \"$0\" \"$@\"")])
        .arg(serve.get_program())
        .args(serve.get_args())
        .envs(grantor_testkit::binary::database::variables(&server.data()));
    let finished = run(shell.args([
        "serve",
        "--listen",
        &server.address.to_string(),
        "--issuer",
        &server.issuer,
    ]));
    let errors: Vec<_> = finished
        .stderr
        .lines()
        .filter(|line| line.contains("error: "))
        .collect();
    assert_eq!(
        (finished.status.code(), errors.len()),
        (Some(1), 1),
        "{script}: {}",
        finished.stderr
    );
    assert!(
        !finished.stderr.contains("panicked"),
        "{script}: {}",
        finished.stderr
    );
    finished
}

#[test]
fn a_start_on_a_full_disk_says_so_and_the_next_one_works() {
    if is_not_of_sqlite("the disk is PostgreSQL's") {
        return;
    }
    let (mut world, kept) = ended();
    let finished = ends(&world.server, "ulimit -f 0");
    let says = |words: &str| finished.stderr.contains(words);
    assert!(
        says("full") || says("disk I/O error") || says("File too large"),
        "{}",
        finished.stderr
    );
    world = World {
        server: world.server.restart(),
        ..world
    };
    kept.holds(&world, "started anew");
}

#[test]
fn a_start_on_a_locked_database_says_so_and_the_next_one_works() {
    if is_not_of_sqlite("it locks the file") {
        return;
    }
    let (mut world, kept) = ended();
    let other = other(&world);
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE")
        .expect("the lock");
    let finished = ends(&world.server, ":");
    assert!(finished.stderr.contains("locked"), "{}", finished.stderr);
    drop(other);
    world = World {
        server: world.server.restart(),
        ..world
    };
    kept.holds(&world, "started anew");
}

/// What a killed command leaves is a whole registration or none, and stops nobody.
#[test]
fn a_registration_that_is_killed_is_whole_or_none() {
    let world = World::start();
    let kept = world.control();
    let mut whole = 0;
    for kill in 0..12 {
        let (id, out) = (format!("killed-{kill}"), format!("killed-{kill}.json"));
        let mut create = grantor(&world.server.data());
        create.current_dir(world.server.directory()).args([
            "--issuer",
            &world.wire.issuer,
            "client",
            "create",
            &id,
        ]);
        let child = create
            .args(["--generate-key", "--out", &out])
            .spawn()
            .expect("the binary runs");
        kill_after(Duration::from_millis(kill * 6), child);
        let shown = world.server.run(&["client", "show", &id]);
        if shown.status.success() {
            whole += 1;
            assert!(
                world.server.directory().join(&out).exists(),
                "{id} is registered, and its key is lost"
            );
        }
        // Over what was left, or beside it.
        let again = world.server.run(&[
            "client",
            "create",
            &id,
            "--generate-key",
            "--out",
            &format!("again-{out}"),
        ]);
        assert_eq!(
            again.status.success(),
            !shown.status.success(),
            "{id}: {}",
            again.stderr
        );
    }
    assert!(whole < 12, "the first was killed at once");
    world.server.ok(&[
        "client",
        "create",
        "not-killed",
        "--generate-key",
        "--out",
        "not-killed.json",
    ]);
    kept.holds(&world, "commands killed");
}
