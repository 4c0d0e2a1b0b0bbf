//! The clock is wrong for a while, in either direction, in a running server or at its start.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use grantor_testkit::{
    binary::database::{is_not_of_sqlite, is_postgres},
    postgres::Database,
};
use serde_json::Value;

use crate::{
    load::Load,
    lock::other,
    oracle::{Fate, Kept},
    support::{Server, clock::Clock, grantor, held_address, program},
    world::{Use, Wire, World, directory, run},
};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A server under a clock that can be set.
fn clocked(test: &str) -> Option<(World, Clock)> {
    match Clock::new() {
        Ok(clock) => {
            let world = World::start_under(&clock);
            Some((world, clock))
        }
        Err(why) => {
            let _ = writeln!(
                io::stderr(),
                "SKIPPED {test}: no library for the clock: {why}"
            );
            None
        }
    }
}

/// The `kid`s in `/jwks`, in whatever order: the one that signs is the first, and on PostgreSQL that is a
/// new one after ten seconds only.
fn published(world: &World) -> BTreeSet<String> {
    let set = world.wire.get("/jwks").json();
    let keys = set["keys"].as_array().expect("keys").iter();
    keys.map(|key| key["kid"].as_str().expect("a name").to_owned())
        .collect()
}

/// What the server's clock says, by the record of a decision.
fn is_at(world: &World, seconds: i64) {
    use grantor::clock::{Clock as _, SystemClock};
    let answer = world.server.token(&[
        ("grant_type", "client_credentials"),
        ("client_id", "nobody"),
        ("client_secret", "x"),
    ]);
    let at = world.server.decision(&answer.decision_id())["at"]
        .as_i64()
        .expect("a time");
    let off = at / 1000 - SystemClock.now().seconds() - seconds;
    assert!(
        off.abs() < 5,
        "the clock is {off} s away from where it was set"
    );
}

/// Used assertions are not accepted, and revoked tokens not active, whatever the clock says.
fn lets_nothing_in(world: &World, kept: &Kept, what: &str) {
    lets_nothing_in_at(&world.wire, world, kept, what);
}

fn lets_nothing_in_at(wire: &Wire, world: &World, kept: &Kept, what: &str) {
    for used in &kept.used {
        let answer = wire.use_assertion(used.usage, &used.assertion);
        assert!(
            [400, 503].contains(&answer.status),
            "{what}: a used assertion: {answer:?}"
        );
    }
    for token in kept
        .tokens
        .iter()
        .filter(|token| token.fate == Fate::Revoked)
    {
        let (answer, _) = wire.about("/introspect", &world.clients[token.client], &token.text);
        // No answer is not a wrong one: the introspecting client's own assertion may have to wait.
        assert!(
            answer.status == 503 || answer.json()["active"] == false,
            "{what}: a revoked token: {answer:?}"
        );
    }
}

/// The clock steps under load, which is what sweeps.
#[test]
fn no_step_of_the_clock_under_load_lets_a_used_assertion_in_again() {
    let Some((world, clock)) =
        clocked("no_step_of_the_clock_under_load_lets_a_used_assertion_in_again")
    else {
        return;
    };
    let mut all = world.control();
    world.server.ok(&["key", "rotate", "--ahead", "0s"]);
    world
        .server
        .wait_until("two keys are published", || published(&world).len() == 2);
    let keys = published(&world);
    for step in [2 * HOUR, -2 * HOUR, 10 * DAY, -10 * DAY, 400] {
        // Some of the load asks while the clock is set.
        let load = Load::begin(&world);
        load.goes_on(&world, "before the step");
        clock.set(step);
        world.wire.set_clock(step * 1000);
        match step > 0 {
            true => load.goes_on(
                &world,
                &format!("with the clock {step} s ahead, at the clients as well"),
            ),
            false => load.is_heard(
                &world,
                &format!("with the clock {step} s off, at the clients as well"),
            ),
        }
        serves_or_says_why(&world, &format!("{step} s off"));
        is_at(&world, step);
        lets_nothing_in(&world, &all, &format!("{step}"));
        clock.set(0);
        world.wire.set_clock(0);
        load.goes_on(&world, "with the clock set right");
        let kept = load.end();
        // What was made by one clock and read by the other is refused, and rightly so.
        assert!(
            kept.refused
                .iter()
                .all(|answer| [400, 429, 503].contains(&answer.status)),
            "{step}: {:?}",
            kept.refused
        );
        let unanswered = kept.unanswered();
        assert!(unanswered.is_empty(), "{step}: {unanswered:?}");
        let back = Kept {
            tokens: Vec::new(),
            ..kept
        };
        lets_nothing_in(&world, &back, &format!("back from {step}"));
        assert_eq!(
            back.subjects_missing(&world),
            Vec::<String>::new(),
            "{step}"
        );
        all.used.extend(back.used);
        // F20: the key before has ended by the other clock, not by this one.
        world
            .server
            .wait_until(&format!("the same keys after {step} s"), || {
                published(&world) == keys
            });
    }
    lets_nothing_in(&world, &all, "after all");
    world.serves("after all");
    let world = world.under(&clock);
    lets_nothing_in(&world, &all, "after all, started anew");
    world.serves("after all, started anew");
}

/// A start believes its clock, for nothing tells otherwise: what that clock says has ended is
/// removed. When it is set back, what may have been removed is refused.
#[test]
fn no_start_under_a_wrong_clock_lets_a_used_assertion_in_again() {
    let Some((mut world, clock)) =
        clocked("no_start_under_a_wrong_clock_lets_a_used_assertion_in_again")
    else {
        return;
    };
    let kept = world.control();
    for step in [-DAY, -2 * HOUR, 2 * HOUR] {
        clock.set(step);
        world.wire.set_clock(step * 1000);
        world = world.under(&clock);
        is_at(&world, step);
        serves_or_says_why(&world, &format!("started {step} s off"));
        lets_nothing_in(&world, &kept, &format!("started {step} s off"));
        if step < 0 {
            clock.set(0);
            world.wire.set_clock(0);
            lets_nothing_in(&world, &kept, &format!("set right from {step} s"));
            world.serves(&format!("set right from {step} s"));
        }
        clock.set(0);
        world.wire.set_clock(0);
        world = world.under(&clock);
        lets_nothing_in(&world, &kept, &format!("started anew after {step} s"));
        match step < 0 {
            true => kept.holds(&world, &format!("started anew after {step} s")),
            false => serves_or_says_why(&world, "set back from a start ahead"),
        }
    }
    assert_eq!(kept.subjects_missing(&world), Vec::<String>::new());
}

/// Each client is granted a token, or told to come back, and the record says that it is the clock:
/// nothing is decided about uses that end before what may have been forgotten.
fn serves_or_says_why(world: &World, what: &str) {
    let ask = |client| {
        let answer = world
            .wire
            .use_assertion(Use::Grant, &world.wire.assertion(client, Use::Grant));
        if answer.status != 200 {
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (503, "temporarily_unavailable"),
                "{what}: {answer:?}"
            );
            let outcome = world.server.decision(&answer.decision_id())["outcome"].clone();
            let is_clock = outcome["cause"]
                .as_str()
                .is_some_and(|cause| cause.contains("the clock was ahead"));
            assert!(is_clock || outcome["rule"] == "fence", "{what}: {outcome}");
        }
    };
    world.clients.iter().for_each(ask);
    assert_eq!((world.ready(), world.live()), (200, 200), "{what}");
}

/// B5, F20: before the first signing key, commands work and the key set is whole.
#[test]
fn commands_and_keys_work_with_a_clock_that_is_behind() {
    let Some((world, clock)) = clocked("commands_and_keys_work_with_a_clock_that_is_behind") else {
        return;
    };
    let kept = world.control();
    world.server.ok(&["key", "rotate", "--ahead", "0s"]);
    world
        .server
        .wait_until("two keys are published", || published(&world).len() == 2);
    let keys = published(&world);
    for step in [0, -HOUR, -DAY, -400 * DAY] {
        clock.set(step);
        world.wire.set_clock(step * 1000);
        let file = |name: &str| {
            world
                .server
                .directory()
                .join(format!("{name}{step}"))
                .display()
                .to_string()
        };
        let (client, subject) = (format!("client{step}"), format!("late{step}"));
        for arguments in [
            &[
                "client",
                "create",
                &client,
                "--generate-key",
                "--out",
                &file("key"),
            ][..],
            &["client", "list"],
            &["client", "show", "billing"],
            &["client", "disable", &client],
            &["client", "enable", &client],
            &["subject", "create", &subject],
            &["permission", "create", "billing", &subject],
            &["permission", "list"],
            &["key", "list"],
            &["decisions", "list"],
            &["assertion", "mint", "--key", &file("key")],
            &["backup", &file("backup")],
        ] {
            if arguments[0] == "backup" && is_postgres() {
                // It has backups of its own.
                continue;
            }
            let mut command = grantor(&world.server.data());
            let finished = run(clock.over(
                command
                    .args(["--issuer", &world.wire.issuer])
                    .args(arguments),
            ));
            assert!(
                finished.status.success(),
                "{step} {arguments:?}: {}",
                finished.stderr
            );
        }
        let published = published(&world);
        assert!(
            keys.iter().all(|key| published.contains(key)),
            "{step}: {published:?} of {keys:?}"
        );
        serves_or_says_why(&world, &format!("{step} s off"));
    }
    clock.set(0);
    world.wire.set_clock(0);
    let list: Value =
        serde_json::from_str(&world.server.ok(&["--json", "subject", "list"])).expect("JSON");
    for step in [0, -HOUR, -DAY, -400 * DAY] {
        assert!(
            list.to_string().contains(&format!("\"late{step}\"")),
            "{step}: {list}"
        );
    }
    kept.holds(&world, "set right");
    let world = world.under(&clock);
    kept.holds(&world, "set right, and started anew");
}

/// A command is a start, too: while the clock is ahead for a moment, it removes what a running
/// server still goes by.
#[test]
fn a_command_under_a_wrong_clock_brings_back_nothing() {
    let Some((world, clock)) = clocked("a_command_under_a_wrong_clock_brings_back_nothing") else {
        return;
    };
    let kept = world.control();
    clock.set(2 * HOUR);
    let mut command = grantor(&world.server.data());
    let finished = run(clock.over(command.args(["subject", "create", "meanwhile"])));
    assert!(finished.status.success(), "{}", finished.stderr);
    clock.set(0);
    lets_nothing_in(&world, &kept, "after the command");
    assert_eq!(kept.subjects_missing(&world), Vec::<String>::new());
}

/// A further server on the same database. Killed when dropped.
struct Further(Child, SocketAddr);

impl Further {
    fn start(world: &World, clock: &Clock) -> Self {
        let (address, mut serve) = (held_address(), grantor(&world.server.data()));
        serve
            .args([
                "serve",
                "--listen",
                &address.to_string(),
                "--issuer",
                &world.wire.issuer,
            ])
            .stderr(Stdio::null());
        let further = Self(
            clock.over(&mut serve).spawn().expect("the binary starts"),
            address,
        );
        world
            .server
            .wait_until("it listens", || TcpStream::connect(address).is_ok());
        further
    }
}

impl Drop for Further {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Of three servers on one database one is started with a clock that is ahead, and removes what the
/// others still go by: what one has accepted shortly before, and another has not looked at yet.
#[test]
fn a_server_with_a_wrong_clock_beside_others_brings_back_nothing() {
    if is_not_of_sqlite("a node with a wrong clock does not start on PostgreSQL") {
        return;
    }
    let Some((world, right)) =
        clocked("a_server_with_a_wrong_clock_beside_others_brings_back_nothing")
    else {
        return;
    };
    let wrong = Clock::new().expect("as the one before");
    let beside = Further::start(&world, &right);
    let kept = world.control();
    wrong.set(2 * HOUR);
    let ahead = Further::start(&world, &wrong);
    let ask = |address, offset| {
        let wire = world.wire.at(address);
        wire.set_clock(offset);
        let status = wire
            .use_assertion(Use::Grant, &wire.assertion(&world.clients[0], Use::Grant))
            .status;
        wire.set_clock(0);
        status
    };
    // Each request gives it occasion to remove some.
    world.server.wait_until("it works by its own clock", || {
        ask(ahead.1, 2 * HOUR * 1000) == 200
    });
    let rows = || {
        other(&world)
            .query_row("SELECT count(*) FROM replay", [], |row| {
                row.get::<_, i64>(0)
            })
            .expect("a count")
    };
    world.server.wait_until("it has removed claims", || {
        ask(ahead.1, 2 * HOUR * 1000) > 0 && rows() < 20
    });
    for address in [beside.1, world.server.address] {
        lets_nothing_in_at(
            &world.wire.at(address),
            &world,
            &kept,
            "beside a server that is ahead",
        );
    }
    drop(ahead);
    for address in [beside.1, world.server.address] {
        lets_nothing_in_at(
            &world.wire.at(address),
            &world,
            &kept,
            "after a server that was ahead",
        );
    }
    serves_or_says_why(&world, "after a server that was ahead");
}

/// S047: PostgreSQL's clock is right, and the node's is not.
#[test]
fn s047_a_node_that_is_more_than_ten_seconds_off_its_database_does_not_start_nor_answer() {
    let Some(database) = Database::of_test() else {
        return;
    };
    let clock = Clock::new().expect("a compiler");
    let address = held_address();
    let listen = ["--listen", &address.to_string()];
    let (elsewhere, link) = (directory(), ("GRANTOR_DATABASE_URL", &*database.url));
    let durability = ("GRANTOR_DATABASE_DURABILITY", "local");
    for seconds in [-11, 11] {
        clock.set(seconds);
        let mut serve = Command::new("timeout");
        serve.arg("15").arg(program()).arg("--data");
        serve.arg(elsewhere.path().join("data")).arg("serve");
        let finished = run(clock.over(serve.args(listen).envs([link, durability])));
        assert_eq!(finished.status.code(), Some(2), "{seconds}: {finished:?}");
        let says = finished.stderr.contains("within 10 s of the server's");
        assert!(says, "{seconds}: {}", finished.stderr);
    }
    // The control: a little off it starts.
    clock.set(9);
    let [library, offset] = clock.variables();
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (library, offset) = ((library.0, path(&library.1)), (offset.0, path(&offset.1)));
    let under = [(library.0, &*library.1), (offset.0, &*offset.1)];
    let node = Server::start_as(
        address,
        &listen,
        &[&[link, durability][..], &under].concat(),
    );
    let statuses = || {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "nobody"),
            ("client_secret", "x"),
        ];
        let get = |path| node.send("GET", path, &[], &[]).status;
        (
            get("/health/live"),
            get("/health/ready"),
            node.token(&form).status,
        )
    };
    let serves = || statuses() == (200, 200, 400);
    node.wait_until("it serves", serves);
    for seconds in [-11, 11] {
        clock.set(seconds);
        let refuses = || statuses() == (200, 503, 503);
        node.wait_until(&format!("it refuses, {seconds} s off"), refuses);
        clock.set(-9);
        node.wait_until(&format!("it serves again after {seconds} s"), serves);
    }
}
