//! The real binary, started on a directory and a port of its own, and a plain HTTP/1.1 client that
//! sends exactly what it is told. For the tests of the crate that it is built from: cargo builds it
//! for no others.

pub mod admin;
pub mod browser;
pub mod clock;
pub mod console;
pub mod database;
pub mod flood;
pub mod frames;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use grantor::{
    client::KeyFile,
    clock::{Clock as _, SystemClock},
    jose::{SigningKey, json::Object},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::clock::Clock;
use crate::{NewAssertion, wait};
pub use crate::{port::held_address, world::JWT_BEARER};

/// A running `grantor serve`. Killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub issuer: String,
    directory: Arc<TempDir>,
    log: Arc<Mutex<Vec<Value>>>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// The `error` member.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The correlation id in the `error_description`.
    pub fn decision_id(&self) -> String {
        let description = self.json()["error_description"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        description
            .rsplit_once("(decision ")
            .map(|(_, id)| id.trim_end_matches(')').to_owned())
            .unwrap_or_default()
    }
}

impl Server {
    /// Starts on a new directory with the default configuration.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts on a new directory with this `grantor.toml`.
    pub fn start_with(configuration: &str) -> Self {
        Self::start_called(None, configuration, None)
    }

    /// Starts as [`Server::start_with`] does, under this clock. So is its database, where it is one of
    /// PostgreSQL.
    pub fn start_under(clock: &Clock, configuration: &str) -> Self {
        Self::start_called(None, configuration, Some(clock))
    }

    /// Starts as [`Server::start_with`] does, with an issuer whose host is `localhost`: browsers
    /// have passkeys for names only.
    pub fn start_at_localhost(configuration: &str) -> Self {
        Self::start_called(Some("localhost"), configuration, None)
    }

    /// Starts as [`Server::start_at_localhost`] and [`Server::start_under`] do.
    pub fn start_at_localhost_under(clock: &Clock, configuration: &str) -> Self {
        Self::start_called(Some("localhost"), configuration, Some(clock))
    }

    fn start_called(host: Option<&str>, configuration: &str, clock: Option<&Clock>) -> Self {
        let address = held_address();
        let host = host.map_or_else(|| address.ip().to_string(), str::to_owned);
        let directory = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        std::fs::create_dir(directory.path().join("data")).expect("a data directory");
        std::fs::write(directory.path().join("data/grantor.toml"), configuration)
            .expect("a configuration");
        let scheme = if configuration.contains("[tls]") {
            "https"
        } else {
            "http"
        };
        let issuer = format!("{scheme}://{host}:{}", address.port());
        if let Some(clock) = clock {
            database::put_under(&directory.path().join("data"), clock);
        }
        Self::start_on(directory, address, issuer, clock)
    }

    fn start_on(
        directory: Arc<TempDir>,
        address: SocketAddr,
        issuer: String,
        clock: Option<&Clock>,
    ) -> Self {
        let mut command = grantor(&directory.path().join("data"));
        if let Some(clock) = clock {
            clock.over(&mut command);
        }
        command.args([
            "serve",
            "--listen",
            &address.to_string(),
            "--issuer",
            &issuer,
        ]);
        Self::spawn(directory, address, issuer, command)
    }

    /// Starts `grantor serve` on a new directory with these arguments and variables, which have it
    /// listen at `address`.
    pub fn start_as(address: SocketAddr, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let directory = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        let mut command = grantor(&directory.path().join("data"));
        command
            .arg("serve")
            .args(arguments)
            .envs(variables.iter().copied());
        Self::spawn(directory, address, format!("http://{address}"), command)
    }

    fn spawn(
        directory: Arc<TempDir>,
        address: SocketAddr,
        issuer: String,
        mut command: Command,
    ) -> Self {
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::<Mutex<Vec<Value>>>::default();
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let kept = log.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(value);
            }
        });
        let server = Self {
            child,
            address,
            issuer,
            directory,
            log,
        };
        server.wait_until("listening", || TcpStream::connect(address).is_ok());
        server
    }

    /// Ends the process at once and starts it again on the same directory and port.
    pub fn kill_and_restart(mut self) -> Self {
        self.kill();
        self.restart()
    }

    /// Ends the process at once, as a power failure would (SIGKILL).
    pub fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("the process ends");
    }

    /// Starts a process that has ended again, on the same directory and port.
    pub fn restart(self) -> Self {
        Self::start_on(
            self.directory.clone(),
            self.address,
            self.issuer.clone(),
            None,
        )
    }

    /// Starts a process that has ended again, by a shell that does this and then becomes it: `exec
    /// "$0" "$@"` is in the script.
    pub fn restart_in(self, script: &str, variables: &[(&str, &Path)]) -> Self {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", script])
            .arg(program())
            .arg("--data")
            .arg(self.data())
            .envs(database::variables(&self.data()));
        shell
            .args([
                "serve",
                "--listen",
                &self.address.to_string(),
                "--issuer",
                &self.issuer,
            ])
            .envs(variables.iter().copied());
        Self::spawn(
            self.directory.clone(),
            self.address,
            self.issuer.clone(),
            shell,
        )
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill");
        self.child.wait().expect("the process ends")
    }

    /// Starts on a new directory as a process that may open no more than so many files.
    pub fn start_with_descriptors(number: u32) -> Self {
        let directory = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        let address = held_address();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {number}; exec \"$@\""), "sh"]);
        command
            .arg(program())
            .args(["serve", "--listen", &address.to_string()])
            .arg("--data")
            .arg(directory.path().join("data"))
            .envs(database::variables(&directory.path().join("data")));
        Self::spawn(directory, address, format!("http://{address}"), command)
    }

    /// Sends the process a signal such as `HUP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .expect("kill")
                .success()
        );
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory of the process that is not a file's, in octets.
    pub fn resident(&self) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .expect("its memory");
        line.trim()
            .trim_end_matches(" kB")
            .parse::<usize>()
            .expect("a number")
            * 1024
    }

    /// Whether the process is still running.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a status").is_none()
    }

    /// A directory for key files, beside the data.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Runs a command on the server's data directory and issuer.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let output = grantor(&self.data())
            .current_dir(self.directory())
            .args(["--issuer", &self.issuer])
            .args(arguments)
            .output()
            .expect("the binary runs");
        finished(output)
    }

    /// As [`Server::run`], asserting success; answers standard output without its last line break.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert!(
            finished.status.success(),
            "{arguments:?}: {}",
            finished.stderr
        );
        finished.stdout.trim_end().to_owned()
    }

    /// Registers a client; answers the path of its key file, if one is made.
    pub fn client(&self, id: &str, arguments: &[&str]) -> PathBuf {
        let path = self.directory().join(format!("{id}.json"));
        let out = path.to_string_lossy().into_owned();
        let brings_its_key = ["--jwks", "--pem"]
            .iter()
            .any(|flag| arguments.contains(flag));
        let out: &[&str] = match brings_its_key {
            true => &[],
            false => &["--out", &out],
        };
        self.ok(&[&["client", "create", id], out, arguments].concat());
        path
    }

    /// POSTs a form to `/token`.
    pub fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.post("/token", form, &[])
    }

    /// POSTs a form with further headers.
    pub fn post(&self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
            .collect();
        let all = [
            &[("Content-Type", "application/x-www-form-urlencoded")],
            headers,
        ]
        .concat();
        self.send("POST", path, &all, body.join("&").as_bytes())
    }

    /// Sends a request with exactly these headers, besides Host, Connection and Content-Length.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.address
        );
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        self.raw(&[request.as_bytes(), body].concat())
    }

    /// Asks another listener of the same process.
    pub fn at(&self, address: SocketAddr, method: &str, path: &str) -> Answer {
        let mut stream = TcpStream::connect(address).expect("the listener accepts");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        read_answer(&mut stream)
    }

    /// Sends octets and reads the answer until the server closes the connection.
    pub fn raw(&self, octets: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("the server accepts");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        // The server may answer and close before everything is sent.
        let _ = stream.write_all(octets);
        read_answer(&mut stream)
    }

    /// The decision record with this id, from the log; how it ended is gathered under `outcome`.
    pub fn decision(&self, id: &str) -> Value {
        let find = || {
            let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.iter()
                .rev()
                .find(|line| line["target"] == "grantor::decision" && line["id"] == id)
                .cloned()
        };
        self.wait_until("the decision is logged", || find().is_some());
        let mut record = find().expect("waited for");
        record["outcome"] = json!({"outcome": record["message"], "error": record["error"], "rule": record["rule"], "cause": record["cause"]});
        record
    }

    /// Everything logged so far.
    pub fn log(&self) -> Vec<Value> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits as [`wait::blocking::until`] does; a failure shows the log.
    pub fn wait_until(&self, what: &str, is_so: impl FnMut() -> bool) {
        assert!(
            wait::blocking::comes(wait::PATIENCE, is_so),
            "not so within {:?}: {what}; log: {:?}",
            wait::PATIENCE,
            self.log()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary under test. Cargo puts it beside the directory of the test programs.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test program has a path");
    let directory = test.parent().and_then(Path::parent);
    directory.expect("target/<profile>/deps").join("grantor")
}

/// The binary under test, on a data directory.
pub fn grantor(data: &Path) -> Command {
    let mut command = Command::new(program());
    command
        .arg("--data")
        .arg(data)
        .envs(database::variables(data));
    command
}

/// Kills a program when it has run for this long, wherever it is then.
#[expect(
    clippy::disallowed_methods,
    reason = "a program tells nobody where it is, and is to be killed everywhere"
)]
pub fn kill_after(time: Duration, mut running: Child) {
    thread::sleep(time);
    running.kill().expect("SIGKILL");
    running.wait().expect("it ends");
}

pub fn finished(output: std::process::Output) -> Finished {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Finished {
        status: output.status,
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

pub fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut octets = Vec::new();
    // A reset after the answer leaves the answer.
    let _ = stream.read_to_end(&mut octets);
    let text = String::from_utf8_lossy(&octets);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .unwrap_or(0);
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut answer = Answer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    };
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = without_chunks(body);
    }
    answer
}

/// The content of a body that came in chunks (RFC 9112 §7.1), as far as it came.
fn without_chunks(body: &str) -> String {
    let (mut content, mut rest) = (String::new(), body);
    while let Some((size, chunk)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        let Some((chunk, more)) = chunk.split_at_checked(size).filter(|_| size > 0) else {
            break;
        };
        content += chunk;
        rest = more.strip_prefix("\r\n").unwrap_or(more);
    }
    content
}

/// The key in a key file.
pub fn signing_key(path: &Path) -> SigningKey {
    KeyFile::read(path)
        .expect("a key file")
        .signing_key()
        .expect("a key that signs")
}

/// An assertion by `client` about `subject`, made now.
pub fn assertion(
    audience: &str,
    client: &str,
    subject: &str,
    key: &SigningKey,
    lifetime: Duration,
) -> String {
    let assertion = NewAssertion {
        issuer: client,
        subject,
        audience,
        lifetime,
        typ: Some("JWT"),
        claims: Object::new(),
    };
    assertion.sign(key, SystemClock.now()).expect("signed")
}

/// Escapes one field of a form.
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// The client assertion type of RFC 7523.
pub const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
