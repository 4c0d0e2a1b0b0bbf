//! Backups and restores by command, while the server is under load.

use std::fs;

use grantor_testkit::binary::database::is_not_of_sqlite;

use crate::{
    load::Load,
    oracle::{Fate, Kept, missing_from},
    world::{World, command, directory},
};

#[test]
fn a_backup_holds_what_was_answered_before_and_stops_nobody() {
    if is_not_of_sqlite("PostgreSQL has backups of its own") {
        return;
    }
    let world = World::start();
    let before = world.control();
    let load = Load::begin(&world);
    for number in 0..4 {
        let file = world
            .server
            .directory()
            .join(format!("{number}.db"))
            .display()
            .to_string();
        world.server.ok(&["backup", &file]);
        load.goes_on(&world, "beside a backup");
        let elsewhere = directory();
        fs::copy(
            world.server.data().join("master.key"),
            elsewhere.path().join("master.key"),
        )
        .expect("the master key");
        let restored = command(elsewhere.path(), &["restore", &file]);
        assert!(restored.status.success(), "{}", restored.stderr);
        let list = command(elsewhere.path(), &["--json", "subject", "list"]).stdout;
        assert_eq!(
            missing_from(&list, &before.subjects),
            Vec::<String>::new(),
            "{number}"
        );
    }
    assert_eq!((world.ready(), world.live()), (200, 200));
    let kept = load.end();
    assert!(
        kept.refused.is_empty() && kept.unsure.is_empty() && kept.unregistered.is_empty(),
        "{kept:?}"
    );
    before.and(kept).holds(&world, "backup");
}

/// What was used or revoked, before the backup or since, is refused; what was registered or given
/// before it is there. The second is what tells that nothing was revoked but what was to be: a server
/// that calls all tokens of before inactive would hide that an end was lost.
fn survives(world: &World, before: &Kept, since: &Kept, what: &str) {
    for kept in [before, since] {
        for used in &kept.used {
            let answer = world.wire.use_assertion(used.usage, &used.assertion);
            assert!(
                [400, 503].contains(&answer.status),
                "{what}: a used assertion: {answer:?}"
            );
        }
    }
    assert_eq!(
        before.subjects_missing(world),
        Vec::<String>::new(),
        "{what}"
    );
    let revoked = since
        .tokens
        .iter()
        .filter(|token| token.fate == Fate::Revoked);
    for token in before.tokens.iter().chain(revoked) {
        let is_active = token.fate == Fate::Given;
        let (answer, _) =
            world
                .wire
                .about("/introspect", &world.clients[token.client], &token.text);
        assert_eq!(
            (answer.status, &answer.json()["active"]),
            (200, &is_active.into()),
            "{what}: a token of {} that was {:?}: {answer:?}",
            world.clients[token.client].id,
            token.fate
        );
    }
    world.serves(what);
}

#[test]
fn a_restore_while_the_server_runs_lets_no_used_assertion_in_again() {
    if is_not_of_sqlite("PostgreSQL has backups of its own") {
        return;
    }
    let world = World::start();
    let before = world.control();
    let file = world
        .server
        .directory()
        .join("backup.db")
        .display()
        .to_string();
    world.server.ok(&["backup", &file]);
    let mut since = Kept::default();
    for restore in 0..3 {
        let load = Load::begin(&world);
        load.goes_on(&world, "before the restore");
        let restored = command(&world.server.data(), &["restore", &file, "--replace"]);
        assert!(restored.status.success(), "{}", restored.stderr);
        world
            .server
            .wait_until("the restore is noticed", || load.refused() > 0);
        load.goes_on(&world, "after the restore");
        let kept = load.end();
        kept.refusals_are_temporary("restore");
        assert!(kept.unsure.is_empty(), "{:?}", kept.unsure);
        since = since.and(kept);
        survives(&world, &before, &since, &format!("restore {restore}"));
    }
    let after = world.control();
    let world = world.kill_and_restart();
    survives(&world, &before, &since, "restored and started anew");
    after.holds(&world, "answered after the restore");
}
