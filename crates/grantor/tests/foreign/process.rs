//! A server in a process of its own. It is told on standard input what to be, and ends with it.

use grantor_testkit::foreign::servers;
use serde::Deserialize;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign");

/// A running server. Killed when dropped; should the test process be killed first, the server's
/// standard input ends.
pub(crate) struct Process {
    child: Child,
    /// Held open: its end ends the server, and without anybody to read the output the server
    /// breaks when it says more.
    _pipes: (ChildStdin, BufReader<ChildStdout>),
    pub(crate) at: Address,
}

/// Where a server is.
#[derive(Deserialize)]
pub(crate) struct Address {
    pub(crate) issuer: String,
    pub(crate) token_endpoint: String,
}

impl Process {
    /// Authlib in Flask, with these settings.
    pub(crate) fn authlib(settings: &Value) -> Self {
        let mut command = Command::new(interpreter());
        command
            .arg("-B")
            .arg(Path::new(SCRIPTS).join("authlib_server.py"));
        Self::start(command, settings)
    }

    /// node-oidc-provider, with these settings.
    pub(crate) fn oidc_provider(settings: &Value) -> Self {
        let mut command = Command::new(interpreter().with_file_name("node"));
        command
            .arg(Path::new(SCRIPTS).join("oidc_provider_server.js"))
            .current_dir(node_packages());
        Self::start(command, settings)
    }

    fn start(mut command: Command, settings: &Value) -> Self {
        let mut log = tempfile::tempfile().expect("a temporary file");
        let stderr = log.try_clone().expect("the same file");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut child = command.spawn().expect("the interpreter starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let mut line = String::new();
        // A server that has already ended is one that says nothing.
        let _ = writeln!(stdin, "{settings}");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut line).expect("UTF-8");
        let Ok(at) = serde_json::from_str(&line) else {
            let mut said = String::new();
            log.rewind()
                .and_then(|()| log.read_to_string(&mut said))
                .expect("what it said");
            unreachable!("{command:?} does not start: {line}{said}");
        };
        Self {
            child,
            _pipes: (stdin, stdout),
            at,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The interpreter of a virtual environment with the pinned packages, Node.js among them.
#[expect(clippy::panic, reason = "the problem in plain words is the message")]
fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = INTERPRETER.get_or_init(servers::interpreter);
    made.as_ref().unwrap_or_else(|problem| panic!("{problem}"))
}

/// The directory with the pinned packages of Node.js.
#[expect(clippy::panic, reason = "the problem in plain words is the message")]
fn node_packages() -> &'static Path {
    static DIRECTORY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = DIRECTORY.get_or_init(|| servers::node_packages(interpreter()));
    made.as_ref().unwrap_or_else(|problem| panic!("{problem}"))
}
