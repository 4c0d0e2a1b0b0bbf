//! `/health/ready` tells the truth when nothing can be written.

mod support;

use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use support::{Server, finished, grantor};

/// A server whose files may not grow beyond a size, as on a full disk.
struct Confined(Child);

impl Confined {
    /// The shell sets the limit, and ignores the signal that would come with the error.
    fn start(server: &Server, blocks: u32) -> Self {
        let serve = grantor(&server.data());
        let arguments = ["serve", "--listen", &server.address.to_string(), "--issuer", &server.issuer].map(str::to_owned);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")).arg(serve.get_program());
        shell.args(serve.get_args()).args(arguments).stderr(Stdio::null());
        let confined = Self(shell.spawn().expect("a shell"));
        let started = Instant::now();
        while TcpStream::connect(server.address).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "the server does not listen on {}", server.address);
            thread::sleep(Duration::from_millis(10));
        }
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
    let started = Instant::now();
    loop {
        let answer = server.send("GET", "/health/ready", &[], b"");
        if answer.status == status {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "expected {status}, got {answer:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_full_disk_is_not_ready_and_ready_again_when_there_is_space() {
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
        let output = grantor(&server.data()).args(["client", "create", &id, "--generate-key", "--out"]).arg(out).output();
        let created = finished(output.expect("the binary runs"));
        assert!(created.status.success(), "{}", created.stderr);
    }
    expect_ready(&server, 503);
    assert_eq!(server.send("GET", "/health/live", &[], b"").status, 200);

    let connection = Connection::open(server.data().join("grantor.db")).expect("the database");
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("space");
    expect_ready(&server, 200);
}
