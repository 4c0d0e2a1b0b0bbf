//! An OpenID provider that nobody here wrote, node-oidc-provider, as a trusted issuer: found by its
//! metadata, through rotations of its keys, and behind a server that fails in every way.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use grantor_testkit::{
    double::{
        Canary, Publisher, Reply,
        publisher::{JWKS, OPENID},
    },
    foreign::servers,
};
use http::header;
use serde_json::{Value, json};

use crate::support::{Answer, JWT_BEARER, Server, clock::Clock, read_answer};

/// The provider, in a process of its own. It ends with its standard input.
struct Provider {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Where it is.
    at: String,
}

impl Provider {
    /// One that gives JWTs for `audience`, under the name `issuer`, or that of where it is.
    fn start(audience: &str, algorithm: &str, issuer: Option<&str>) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/oidc_provider.js");
        let mut command = Command::new(interpreter().with_file_name("node"));
        command.arg(script).current_dir(node_packages());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Node.js starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut provider = Self {
            child,
            stdin,
            stdout,
            at: String::new(),
        };
        let settings = json!({"audience": audience, "algorithm": algorithm, "issuer": issuer});
        let at = provider.tell(&settings)["at"].clone();
        provider.at = at.as_str().expect("where it is").to_owned();
        provider
    }

    /// What it answers to this.
    fn tell(&mut self, what: &Value) -> Value {
        writeln!(self.stdin, "{what}").expect("it listens");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("UTF-8");
        serde_json::from_str(&line).unwrap_or_else(|_| unreachable!("it says {line:?}"))
    }

    /// A new JWT of its service.
    fn jwt(&mut self) -> String {
        let told = self.tell(&json!({"jwt": true}));
        told["jwt"].as_str().expect("a JWT").to_owned()
    }

    /// What it has at this path, asked for as the server at `name`.
    fn document(&self, path: &str, name: &str) -> Value {
        let address = self.at.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(address).expect("the provider accepts");
        let host = name.trim_start_matches("http://");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        read_answer(&mut stream).json()
    }
}

impl Drop for Provider {
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

/// A server under a clock that can be set, and how far it is ahead.
struct Clocked {
    server: Server,
    clock: Clock,
    ahead: i64,
}

impl Clocked {
    fn start(test: &str) -> Option<Self> {
        match Clock::new() {
            Ok(clock) => Some(Self {
                server: Server::start_under(&clock, ""),
                clock,
                ahead: 0,
            }),
            Err(why) => {
                let _ = writeln!(
                    io::stderr(),
                    "SKIPPED {test}: no library for the clock: {why}"
                );
                None
            }
        }
    }

    /// The time passes after which an unknown key is asked for again.
    fn later(&mut self) {
        self.ahead += 31;
        self.clock.set(self.ahead);
    }

    /// A trust for the service of the provider, which sends access tokens (RFC 9068).
    fn trusts(&self, issuer: &str) {
        let create = [
            "issuer",
            "create",
            issuer,
            "--name",
            "provider",
            "--discover",
        ];
        let options = ["--typ", "at+jwt", "--allow-internal", "127.0.0.0/8"];
        self.server.ok(&[&create[..], &options].concat());
        let trust = [
            "trust", "create", "ci", "--from", "provider", "--scope", "deploy",
        ];
        self.server
            .ok(&[&trust[..], &["--pin", "client_id=ci-service"]].concat());
    }

    fn ask(&self, jwt: &str) -> Answer {
        self.server
            .token(&[("grant_type", JWT_BEARER), ("assertion", jwt)])
    }

    #[track_caller]
    fn takes(&self, row: &str, jwt: &str) {
        let answer = self.ask(jwt);
        assert_eq!(answer.status, 200, "{row}: {answer:?}");
    }

    #[track_caller]
    fn refuses(&self, row: &str, jwt: &str) {
        let answer = self.ask(jwt);
        assert_eq!(answer.error(), "invalid_grant", "{row}: {answer:?}");
    }
}

#[test]
fn t003_t004_jwts_of_node_oidc_provider_are_taken_and_its_rotations_followed() {
    for algorithm in ["ES256", "RS256"] {
        let Some(mut here) = Clocked::start("oidc_provider") else {
            return;
        };
        let mut provider = Provider::start(&here.server.issuer, algorithm, None);
        here.trusts(&provider.at.clone());
        let jwt = provider.jwt();
        here.takes(algorithm, &jwt);
        here.refuses("T015 again", &jwt);
        let (before, other) = (provider.jwt(), provider.jwt());
        provider.tell(&json!({"rotate": true}));
        let after = provider.jwt();
        // T052: so soon after the last fetch an unknown key is not asked for.
        here.refuses("T052 too early", &after);
        here.takes("the old key is published beside", &before);
        here.later();
        here.takes("the new key", &after);
        here.takes("the old key, still", &other);
        let late = provider.jwt();
        let forgotten = {
            provider.tell(&json!({"rotate": true, "forget": true}));
            provider.jwt()
        };
        here.later();
        here.takes("the newest key alone", &forgotten);
        here.refuses("a key that is published no more", &late);
        // A JWT for somebody else, by the same provider.
        let mut elsewhere = Provider::start("https://other.example", algorithm, None);
        here.refuses("of another provider", &elsewhere.jwt());
    }
}

#[test]
fn t053_t056_t057_t059_honest_requests_go_on_whatever_stands_before_node_oidc_provider() {
    let Some(mut here) = Clocked::start("oidc_provider") else {
        return;
    };
    // What the provider says, said by a server that can be made to fail.
    let front = Publisher::apart(&[]);
    let issuer = front.issuer.clone();
    let mut provider = Provider::start(&here.server.issuer, "ES256", Some(&issuer));
    let well = |provider: &Provider| {
        let metadata = provider.document(OPENID, &issuer);
        assert_eq!(metadata["issuer"], issuer, "{metadata}");
        front.says(OPENID, Reply::json(&metadata));
        front.says(JWKS, Reply::json(&provider.document(JWKS, &issuer)));
        metadata
    };
    let metadata = well(&provider);
    assert_eq!(metadata["jwks_uri"], format!("{issuer}{JWKS}"));
    here.trusts(&issuer);
    here.takes("at first", &provider.jwt());
    let canary = Canary::at("127.0.0.1");
    let redirect = Reply::status(302).with_header(header::LOCATION, &canary.url("127.0.0.1"));
    let mut moved = metadata;
    moved["jwks_uri"] = json!(format!("{issuer}/nowhere"));
    for (row, path, reply) in [
        ("an outage", OPENID, Reply::status(503)),
        ("an error", JWKS, Reply::status(500)),
        ("a redirect", JWKS, redirect.clone()),
        ("a redirect of the metadata", OPENID, redirect),
        ("keys that are nowhere", OPENID, Reply::json(&moved)),
        ("silence", JWKS, Reply::Hang),
    ] {
        front.says(path, reply);
        let known = provider.jwt();
        // A key is rotated while the provider cannot be asked.
        provider.tell(&json!({"rotate": true}));
        let unknown = provider.jwt();
        here.later();
        here.refuses(&format!("{row}: a key that is not known yet"), &unknown);
        let started = Instant::now();
        here.takes(&format!("{row}: the key that is held"), &known);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(2), "{row}: {took:?}");
        // When it can be asked again the same JWT is good: it was not used up.
        well(&provider);
        here.later();
        here.takes(&format!("{row}: afterwards"), &unknown);
    }
    assert!(canary.saw_nothing(), "T057: a redirect was followed");
    // Slow is no failure: whoever needs a new key waits for it, and nobody else does.
    let known = provider.jwt();
    provider.tell(&json!({"rotate": true}));
    let unknown = provider.jwt();
    let keys = Reply::json(&provider.document(JWKS, &issuer));
    front.says(JWKS, keys.late(Duration::from_secs(2)));
    here.later();
    let asked = front.hits(JWKS);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| here.ask(&unknown));
        here.server
            .wait_until("the keys are asked for", || front.hits(JWKS) > asked);
        let started = Instant::now();
        here.takes("T059 beside a slow fetch", &known);
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "T059: {:?}",
            started.elapsed()
        );
        assert_eq!(waiting.join().expect("an answer").status, 200, "slow keys");
    });
}
