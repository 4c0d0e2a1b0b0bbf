//! Connections that are not to be had, that lead to a server which takes no writes any more, and
//! that a pooler is between.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use grantor_testkit::{
    binary::{Server, held_address},
    postgres::{Database, Postgres, ROLE, skipped, skipped_for},
    wait::blocking,
};

use crate::{
    faults::{HEALED, all_granted, between},
    load::{Load, pause},
    nodes::{Link, Nodes, database},
    replicated::{replicated, standby_of},
};

/// How soon a node serves that could not be started before.
const STARTED: Duration = Duration::from_secs(5);
/// How soon many nodes serve that are restarted at once.
const RESTARTED: Duration = Duration::from_secs(10);
/// What supervises nodes starts them again after this time (`contrib/grantor.service`).
const SUPERVISED: Duration = Duration::from_secs(2);
/// Where Debian has it, if the search path has none.
const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

/// A session of somebody else, which does nothing; none where the server has no room.
fn session(database: &Database) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(database.server().address()).expect("it listens");
    let name = &database.name;
    // The protocol's version 3.0, then names and values, each with a zero behind.
    let mut message = 0x0003_0000_u32.to_be_bytes().to_vec();
    message.extend(format!("user\0{ROLE}\0database\0{name}\0\0").as_bytes());
    let length = u32::try_from(message.len() + 4).expect("a short message");
    stream.write_all(&length.to_be_bytes()).expect("sent");
    stream.write_all(&message).expect("sent");
    // Messages follow: a letter, a length that counts itself, and so many octets. Whether there is
    // room is told behind the authentication.
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).expect("an answer");
        let [kind, length @ ..] = head;
        let length = u32::from_be_bytes(length).saturating_sub(4);
        let mut rest = vec![0; usize::try_from(length).expect("a short message")];
        stream.read_exact(&mut rest).expect("the whole message");
        match kind {
            b'Z' => return Some(stream),
            b'E' => return None,
            _ => {}
        }
    }
}

#[test]
#[ignore = "nightly: several servers, ten seconds"]
fn sa19_where_others_have_all_connections_nodes_go_on_and_new_ones_wait() {
    let Some(server) = Postgres::new(&[("max_connections", "24")]) else {
        return skipped();
    };
    let database = server.database();
    let nodes = Nodes::start(&database, 2);
    let load = Load::begin(&nodes);
    let mut others = Vec::new();
    // What nodes let go others take.
    let mut fill = || {
        while let Some(other) = session(&database) {
            others.push(other);
        }
    };
    fill();
    let full = Instant::now();
    let link = Link::local(&database.url);
    for _ in 0..3 {
        fill();
        let finished = nodes.refused(&link);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        let told = ["too many clients", "remaining connection slots"];
        let is_told = told.iter().any(|text| finished.stderr.contains(text));
        assert!(is_told, "{finished:?}");
        pause(Duration::from_secs(1));
    }
    let seen = load.history.answers();
    all_granted(
        &between(&seen, full, Instant::now(), |_| true),
        "with connections",
    );
    drop(others);
    let freed = Instant::now();
    pause(SUPERVISED);
    let (_new, wire) = nodes.one_more(&link);
    let serves = || wire.send(&wire.assertion()).status == 200;
    blocking::within(STARTED, "the new one serves", serves);
    assert!(freed.elapsed() < STARTED, "{:?}", freed.elapsed());
    nodes.serve_within(HEALED, "when there is room");
    load.grants(20);
    load.end().holds(&nodes, "others had all connections");
}

#[test]
#[ignore = "nightly: twelve servers, half a minute"]
fn s083_twelve_nodes_that_are_restarted_at_once_serve_within_10_s() {
    let settings = [("max_connections", "60"), ("log_connections", "on")];
    let Some(server) = Postgres::new(&settings) else {
        return skipped();
    };
    let database = server.database();
    let link = Link::local(&database.url).with(&[("GRANTOR_DATABASE_CONNECTIONS", "4")]);
    let mut nodes = Nodes::start_on(vec![link; 12]);
    let attempts = || server.log().matches("connection received").count();
    let before = attempts();
    let begun = Instant::now();
    nodes.restart_all();
    nodes.serve_within(
        RESTARTED.saturating_sub(begun.elapsed()),
        "restarted at once",
    );
    let (took, attempts) = (begun.elapsed(), attempts() - before);
    assert!(took < RESTARTED, "{took:?}");
    assert!(attempts <= 12 * 12, "{attempts} attempts in {took:?}");
    let load = Load::of(&nodes.wires, 1, Duration::from_millis(100));
    load.grants(100);
    load.end().holds(&nodes, "all were restarted");
}

#[test]
#[ignore = "nightly: several servers and a failover"]
fn sa20_a_server_that_is_read_only_now_is_left_with_each_connection() {
    let Some((primary, database)) = database() else {
        return;
    };
    let standby = standby_of(&primary);
    let hosts = format!("{},{}", primary.address(), standby.address());
    let url = database.url.replace(&primary.address().to_string(), &hosts);
    let nodes = Nodes::start_on(vec![replicated(url); 3]);
    let key = nodes.client("late");
    for wire in nodes.wires.iter().map(|wire| wire.of(&key)) {
        let answer = wire.send(&wire.assertion_of("late"));
        assert_eq!(answer.status, 200, "control: {answer:?}");
    }
    let load = Load::begin(&nodes);
    primary.set("default_transaction_read_only", "on");
    blocking::until("no write is taken", || {
        database.psql("CREATE TABLE grantor.t (n int)").is_err()
    });
    standby.promote();
    // Each commit waits for it: nothing is granted before.
    let third = standby.standby("third");
    nodes.serve_within(HEALED, "at the new primary");
    load.grants(20);
    // What is read is the new one's, too, on every connection that was there before.
    nodes.ok(&["client", "disable", "late"]);
    for wire in nodes.wires.iter().map(|wire| wire.of(&key)) {
        let answer = wire.send(&wire.assertion_of("late"));
        assert_eq!(answer.status, 400, "node {}: {answer:?}", wire.node);
    }
    load.end().holds(&nodes, "the old primary is read only");
    drop((nodes, third));
}

/// PgBouncer before a server. Ended when dropped.
struct Pooler {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Pooler {
    /// None where it is not installed: the test says that it is skipped.
    fn before(server: &Postgres, mode: &str, ignored: &str) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let all_may_read = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), all_may_read).expect("its mode");
        let (address, to) = (held_address(), server.address());
        let file = directory.path().join("pgbouncer.ini");
        let configuration = format!(
            "[databases]\n* = host={} port={} user={ROLE}\n[pgbouncer]\nlisten_addr = {}\nlisten_port = {}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\nignore_startup_parameters = {ignored}\n",
            to.ip(),
            to.port(),
            address.ip(),
            address.port(),
        );
        fs::write(&file, configuration).expect("a configuration");
        let program = match Path::new(PGBOUNCER).is_file() {
            true => PGBOUNCER,
            false => "pgbouncer",
        };
        let mut command = server.as_its_user(program);
        command
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            skipped_for("PgBouncer is not installed");
            return None;
        };
        let pooler = Self {
            child,
            address,
            _directory: directory,
        };
        blocking::until("PgBouncer listens", || TcpStream::connect(address).is_ok());
        Some(pooler)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "nightly: a pooler and several servers"]
fn sa22_s086_with_a_pooler_between_no_node_starts() {
    let Some((server, database)) = database() else {
        return;
    };
    let nodes = Nodes::start(&database, 1);
    for (mode, ignored) in [
        ("transaction", "extra_float_digits"),
        ("transaction", "extra_float_digits, options"),
        ("statement", "extra_float_digits, options"),
        ("session", "extra_float_digits"),
        ("session", "extra_float_digits, options"),
    ] {
        let what = format!("{mode}, ignoring {ignored}");
        let Some(pooler) = Pooler::before(&server, mode, ignored) else {
            return;
        };
        let link = Link::local(&database.url_at(pooler.address));
        let finished = nodes.refused(&link);
        assert_eq!(finished.status.code(), Some(2), "{what}: {finished:?}");
        assert!(finished.stderr.contains("pooler"), "{what}: {finished:?}");
    }
    let (server, wire): (Server, _) = nodes.one_more(&Link::local(&database.url));
    assert_eq!(wire.send(&wire.assertion()).status, 200, "control");
    drop(server);
}
