//! One server with honest clients, and what is asked of it while something is wrong.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock, UnixTime},
    jose::{SigningKey, json::Object},
};
use grantor_testkit::NewAssertion;
use tempfile::TempDir;

use crate::{
    load::Load,
    oracle::Kept,
    support::{
        Answer, CLIENT_ASSERTION, Finished, JWT_BEARER, Server, clock::Clock, escape, finished,
        grantor, read_answer, signing_key,
    },
};

/// The longest that any answer may take, and any command: longer than a request may (15 s), and
/// than a lock is waited for (5 s).
pub const LIMIT: Duration = Duration::from_secs(20);
/// Long enough to be refused for nothing but its use within a test.
const LIFETIME: Duration = Duration::from_secs(300);

const CONFIGURATION: &str = "log.level = \"debug\"\n[assertion]\nleeway_seconds = 0";

/// An honest client.
pub struct Client {
    pub id: &'static str,
    key: SigningKey,
}

/// How clients reach the server, whichever process it is at the moment.
#[derive(Clone)]
pub struct Wire {
    address: SocketAddr,
    pub issuer: String,
    /// How far the clients' clock is off, in milliseconds.
    offset: Arc<AtomicI64>,
}

/// The two uses of an assertion.
#[derive(Clone, Copy, Debug)]
pub enum Use {
    Grant,
    ClientAuth,
}

pub struct World {
    pub server: Server,
    pub clients: Arc<Vec<Client>>,
    pub wire: Wire,
}

impl World {
    /// Two clients, one with opaque tokens.
    pub fn start() -> Self {
        Self::at(Server::start_with(CONFIGURATION))
    }

    /// The same, under this clock.
    pub fn start_under(clock: &Clock) -> Self {
        Self::at(Server::start_under(clock, CONFIGURATION))
    }

    fn at(server: Server) -> Self {
        let clients = [("billing", "jwt"), ("orders", "opaque")].map(|(id, format)| Client {
            id,
            key: signing_key(
                &server.client(id, &["--generate-key", "Ed25519", "--token-format", format]),
            ),
        });
        let wire = Wire {
            address: server.address,
            issuer: server.issuer.clone(),
            offset: Arc::default(),
        };
        let world = Self {
            server,
            clients: Arc::new(clients.into()),
            wire,
        };
        world.serves("at the start");
        world
    }

    /// Ends the process and starts it anew in a shell, see [`Server::restart_in`].
    pub fn restart_in(mut self, script: &str, variables: &[(&str, &Path)]) -> Self {
        self.server.kill();
        Self {
            server: self.server.restart_in(script, variables),
            ..self
        }
    }

    /// Ends the process and starts it anew under this clock.
    pub fn under(self, clock: &Clock) -> Self {
        Self {
            server: clock.restart(self.server),
            ..self
        }
    }

    /// Kills the process and starts it as usual.
    pub fn kill_and_restart(self) -> Self {
        Self {
            server: self.server.kill_and_restart(),
            ..self
        }
    }

    /// The load without a fault: everything is granted and kept.
    pub fn control(&self) -> Kept {
        let load = Load::begin(self);
        self.server.wait_until("the load without a fault", || {
            load.granted() >= 60 && load.registered() >= 2
        });
        let kept = load.end();
        assert!(kept.refused.is_empty(), "{:?}", kept.refused);
        let unanswered = kept.unanswered();
        assert!(unanswered.is_empty(), "{unanswered:?}");
        kept.holds(self, "control");
        kept
    }

    /// Health tells that all is well, and each client is granted a token; waits for that as long as
    /// [`Server::wait_until`] does.
    pub fn serves(&self, what: &str) {
        self.server
            .wait_until(&format!("ready {what}"), || self.ready() == 200);
        assert_eq!(self.live(), 200, "{what}");
        for client in self.clients.iter() {
            self.server.wait_until(&format!("a token {what}"), || {
                let answer = self
                    .wire
                    .use_assertion(Use::Grant, &self.wire.assertion(client, Use::Grant));
                assert!([200, 503].contains(&answer.status), "{what}: {answer:?}");
                answer.status == 200
            });
        }
    }

    pub fn ready(&self) -> u16 {
        self.wire.get("/health/ready").status
    }

    pub fn live(&self) -> u16 {
        self.wire.get("/health/live").status
    }

    /// Until the next fault is over: `/health/ready` says that something is wrong, `/health/live`
    /// that the process goes on.
    pub fn is_not_ready(&self, what: &str) {
        self.server
            .wait_until(&format!("not ready: {what}"), || self.ready() == 503);
        assert_eq!(self.live(), 200, "{what}");
    }
}

impl Wire {
    /// Sets the clients' clock.
    pub fn set_clock(&self, offset: i64) {
        self.offset.store(offset, Ordering::SeqCst);
    }

    /// To another server of the same issuer.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    /// An assertion made now, by the clients' clock.
    pub fn assertion(&self, client: &Client, usage: Use) -> String {
        let typ = match usage {
            Use::Grant => "JWT",
            Use::ClientAuth => "client-authentication+jwt",
        };
        let assertion = NewAssertion {
            issuer: client.id,
            subject: client.id,
            audience: &self.issuer,
            lifetime: LIFETIME,
            typ: Some(typ),
            claims: Object::new(),
        };
        let now =
            UnixTime::from_millis(SystemClock.now().millis() + self.offset.load(Ordering::SeqCst));
        assertion.sign(&client.key, now).expect("signed")
    }

    /// Asks for a token.
    pub fn use_assertion(&self, usage: Use, assertion: &str) -> Answer {
        match usage {
            Use::Grant => self.post(
                "/token",
                &[("grant_type", JWT_BEARER), ("assertion", assertion)],
            ),
            Use::ClientAuth => self.post(
                "/token",
                &[
                    ("grant_type", "client_credentials"),
                    AUTH,
                    ("client_assertion", assertion),
                ],
            ),
        }
    }

    /// Sends a token of this client to `/introspect` or `/revoke`; answers the client's assertion
    /// too.
    pub fn about(&self, path: &str, client: &Client, token: &str) -> (Answer, String) {
        let assertion = self.assertion(client, Use::ClientAuth);
        (
            self.post(
                path,
                &[("token", token), AUTH, ("client_assertion", &assertion)],
            ),
            assertion,
        )
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        self.ask("POST", path, &body.join("&"))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    /// Status 0 where there was no answer: the process was not there, or ended meanwhile.
    fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let started = Instant::now();
        let answer = self.try_ask(method, path, body);
        assert!(
            started.elapsed() < LIMIT,
            "{method} {path} hangs: {answer:?} after {:?}",
            started.elapsed()
        );
        assert_ne!(answer.status, 500, "{method} {path}: {answer:?}");
        answer
    }

    fn try_ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let none = Answer {
            status: 0,
            headers: Vec::new(),
            body: String::new(),
        };
        let Ok(mut stream) = TcpStream::connect(self.address) else {
            return none;
        };
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        let form = "Content-Type: application/x-www-form-urlencoded\r\nConnection: close";
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: as\r\n{form}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        match stream.write_all(format!("{head}{body}").as_bytes()) {
            Ok(()) => read_answer(&mut stream),
            Err(_) => none,
        }
    }
}

const AUTH: (&str, &str) = ("client_assertion_type", CLIENT_ASSERTION);

/// Runs a command on a data directory, within the time that a command may take.
pub fn command(data: &Path, arguments: &[&str]) -> Finished {
    run(grantor(data).args(arguments))
}

pub fn run(command: &mut Command) -> Finished {
    let started = Instant::now();
    let finished = finished(command.output().expect("the binary runs"));
    assert!(
        started.elapsed() < LIMIT,
        "{command:?} took {:?}",
        started.elapsed()
    );
    finished
}

pub fn directory() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}
