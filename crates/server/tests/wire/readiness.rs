//! What goes on when something cannot be written: `/health/ready` tells the truth, and a log that
//! cannot be written stops nothing.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::support::{Answer, JWT_BEARER, Server, finished, grantor, held_address};
use grantor_testkit::binary::database::is_not_of_sqlite;
use grantor_testkit::wait;
use rusqlite::Connection;

/// A server whose files may not grow beyond a size, as on a full disk.
struct Confined(Child);

impl Confined {
    /// The shell sets the limit, and ignores the signal that would come with the error.
    fn start(server: &Server, blocks: u32) -> Self {
        Self::start_logging(server, blocks, Stdio::null())
    }

    fn start_logging(server: &Server, blocks: u32, log: impl Into<Stdio>) -> Self {
        let serve = grantor(&server.data());
        let arguments = [
            "serve",
            "--listen",
            &server.address.to_string(),
            "--issuer",
            &server.issuer,
        ]
        .map(str::to_owned);
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!(
                "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
            ))
            .arg(serve.get_program());
        shell
            .args(serve.get_args())
            .envs(grantor_testkit::binary::database::variables(&server.data()))
            .args(arguments)
            .stderr(log);
        Self::started(server, &mut shell)
    }

    /// Without a limit, and with this log.
    fn logging_to(server: &Server, log: impl Into<Stdio>) -> Self {
        let mut serve = grantor(&server.data());
        serve
            .args([
                "serve",
                "--listen",
                &server.address.to_string(),
                "--issuer",
                &server.issuer,
            ])
            .stderr(log);
        Self::started(server, &mut serve)
    }

    fn started(server: &Server, command: &mut Command) -> Self {
        let confined = Self(command.spawn().expect("a process"));
        wait::blocking::until("the server listens", || {
            TcpStream::connect(server.address).is_ok()
        });
        confined
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until the answer is this, for as long as an answer may be old and a little more.
fn expect_ready(server: &Server, status: u16) {
    let limit = Duration::from_secs(5);
    wait::blocking::within(limit, &format!("readiness is {status}"), || {
        server.send("GET", "/health/ready", &[], b"").status == status
    });
}

#[test]
fn a_full_disk_is_not_ready_and_ready_again_when_there_is_space() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let mut server = Server::start();
    server.client("billing", &["--generate-key"]);
    server.terminate();
    // Some pages of the write-ahead log fit, fifty do not.
    let _confined = Confined::start(&server, 128);
    expect_ready(&server, 200);
    for number in 0..12 {
        let out = server.directory().join(format!("client-{number}.json"));
        let id = format!("client-{number}");
        // Another process, without the limit, fills the log.
        let output = grantor(&server.data())
            .args(["client", "create", &id, "--generate-key", "--out"])
            .arg(out)
            .output();
        let created = finished(output.expect("the binary runs"));
        assert!(created.status.success(), "{}", created.stderr);
    }
    expect_ready(&server, 503);
    assert_eq!(server.send("GET", "/health/live", &[], b"").status, 200);

    let connection = Connection::open(server.data().join("grantor.db")).expect("the database");
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("space");
    expect_ready(&server, 200);
}

/// How many log lines are lost, by the metrics.
fn lines_lost(server: &Server, metrics: std::net::SocketAddr) -> u64 {
    let scrape = server.at(metrics, "GET", "/metrics");
    let line = scrape
        .body
        .lines()
        .find_map(|line| line.strip_prefix("grantor_log_lines_lost_total "));
    line.and_then(|count| count.parse().ok())
        .expect(&scrape.body)
}

fn grant(server: &Server) -> Answer {
    let assertion = server.ok(&["assertion", "mint", "--key", "billing.json"]);
    server.token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)])
}

/// Sends requests that are logged, and has the writer log too: another process holds the lock of
/// the database for longer than it waits.
fn goes_on(server: &Server, name: &str) {
    let other = Connection::open(server.data().join("grantor.db")).expect("a connection");
    other
        .execute_batch("BEGIN IMMEDIATE")
        .expect("the write lock");
    let refused = grant(server);
    assert_eq!(
        (refused.status, refused.error().as_str()),
        (503, "temporarily_unavailable"),
        "{name}"
    );
    other.execute_batch("ROLLBACK").expect("released");
    for number in 0..300 {
        // More than a pipe takes, and more than there are threads.
        let answer = server.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", &"x".repeat(100)),
            ("client_secret", "x"),
        ]);
        assert_eq!(answer.status, 400, "{name}, {number}");
    }
    assert_eq!(
        server.send("GET", "/health/live", &[], b"").status,
        200,
        "{name}"
    );
    expect_ready(server, 200);
    assert_eq!(grant(server).status, 200, "{name}");
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let closed = || -> io::Result<Stdio> { io::pipe().map(|(_, writer)| writer.into()) };
    let full = || {
        OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .map(Stdio::from)
    };
    let (stalled, never_read) = io::pipe()
        .map(|(reader, writer)| (writer, reader))
        .expect("a pipe");
    let rows = [
        ("stalled", stalled.into(), false),
        ("closed", closed().expect("a pipe"), true),
        ("full", full().expect("a file"), true),
    ];
    thread::scope(|scope| {
        for (name, log, is_lost) in rows {
            scope.spawn(move || {
                let metrics = held_address();
                let mut server = Server::start_with(&format!(
                    "log.level = \"debug\"\n[metrics]\nlisten = \"{metrics}\""
                ));
                server.client("billing", &["--generate-key"]);
                server.terminate();
                let mut serving = Confined::logging_to(&server, log);
                goes_on(&server, name);
                assert_eq!(lines_lost(&server, metrics) > 0, is_lost, "{name}");
                let stopped = Command::new("kill")
                    .args(["-TERM", &serving.0.id().to_string()])
                    .status();
                assert!(stopped.expect("kill").success());
                assert!(serving.0.wait().expect("it ends").success(), "{name}");
            });
        }
    });
    drop(never_read);
}

#[test]
fn a_command_ends_although_nobody_reads_what_it_says() {
    let (never_read, mut pipe) = io::pipe().expect("a pipe");
    let full = pipe.try_clone().expect("another end");
    // Fills the pipe, and waits for its reader, which goes away at the end.
    let filling = thread::spawn(move || pipe.write_all(&vec![b'x'; 1024 * 1024]));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut failing = grantor(directory.path())
        .args(["serve", "--issuer", "no URL"])
        .stderr(full)
        .spawn()
        .expect("a process");
    let has_ended = || failing.try_wait().expect("a status").is_some();
    wait::blocking::until("it ends without a reader", has_ended);
    assert_eq!(failing.wait().expect("it has ended").code(), Some(2));
    drop(never_read);
    assert!(filling.join().expect("no panic").is_err());
}

#[test]
fn lines_that_were_lost_are_told_once_the_log_can_be_written_again() {
    let mut server = Server::start();
    server.client("billing", &["--generate-key"]);
    server.terminate();
    // A log file that may not grow beyond a size, as on a full disk, until it is emptied, as an
    // operator would.
    let path = server.directory().join("log");
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .expect("a log");
    let _confined = Confined::start_logging(&server, 200, log);
    let ask = || {
        server.token(&[
            ("grant_type", "client_credentials"),
            ("client_id", &"x".repeat(100)),
            ("client_secret", "x"),
        ])
    };
    for _ in 0..300 {
        assert_eq!(ask().status, 400);
    }
    let size = || fs::metadata(&path).map(|file| file.len()).expect("the log");
    server.wait_until("the log is full", || {
        ask().status == 400 && size() >= 200 * 512
    });
    assert_eq!(ask().status, 400);
    fs::write(&path, "").expect("emptied");
    server.wait_until("the loss is told", || {
        ask().status == 400
            && fs::read_to_string(&path).is_ok_and(|text| text.contains("log lines were lost"))
    });
}
