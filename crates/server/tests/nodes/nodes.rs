//! Nodes: processes of one issuer on one database, and requests to each of them.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock},
    jose::{SigningKey, sign},
};
use grantor_testkit::{
    binary::{
        Answer, Finished, JWT_BEARER, Server, assertion, clock::Clock, escape, finished, grantor,
        held_address, read_answer, signing_key,
    },
    postgres::{Database, Postgres, skipped},
    wait::blocking,
};
use serde_json::json;

/// The longest that an answer may take: twice what is promised, for busy machines.
pub const LIMIT: Duration = Duration::from_secs(4);
/// Long enough to be refused for nothing but its use within a test.
const LIFETIME: Duration = Duration::from_secs(300);
/// The honest client.
const CLIENT: &str = "billing";

/// How nodes reach their database.
#[derive(Clone)]
pub struct Link {
    pub url: String,
    pub durability: &'static str,
    /// For how many seconds a node goes on when it is told to end.
    pub drain: &'static str,
    /// Further variables of the process.
    pub more: Vec<(&'static str, String)>,
}

/// One address of one issuer, and the key of the honest client.
#[derive(Clone)]
pub struct Wire {
    pub node: usize,
    address: SocketAddr,
    issuer: Arc<str>,
    key: Arc<SigningKey>,
    /// Of its assertions.
    pub lifetime: Duration,
}

pub struct Nodes {
    pub servers: Vec<Server>,
    pub wires: Vec<Wire>,
    links: Vec<Link>,
    issuer: String,
    home: PathBuf,
    _first_home: tempfile::TempDir,
}

/// A server of its own with an empty database; none where PostgreSQL is not installed.
pub fn database() -> Option<(Arc<Postgres>, Database)> {
    let Some(server) = Postgres::new(&[]) else {
        skipped();
        return None;
    };
    let database = server.database();
    Some((server, database))
}

impl Link {
    /// What is committed is on the disk of this server.
    pub fn local(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            durability: "local",
            drain: "0",
            more: Vec::new(),
        }
    }

    /// The same, with these variables of the process, too.
    pub fn with(mut self, more: &[(&'static str, &str)]) -> Self {
        let more = more
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        self.more.extend(more);
        self
    }

    /// The same, under this clock.
    pub fn under(self, clock: &Clock) -> Self {
        let variables = clock.variables();
        let texts = variables
            .each_ref()
            .map(|(name, path)| (*name, path.to_str().expect("a path in UTF-8")));
        self.with(&texts)
    }
}

/// Starts one node; with a key file given, or with one made in its own data directory.
pub fn start(address: SocketAddr, issuer: &str, link: &Link, key: Option<&Path>) -> Server {
    let listen = address.to_string();
    let variables = variables(link, key);
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let arguments = ["--listen", &listen, "--issuer", issuer];
    Server::start_as(address, &arguments, &variables)
}

/// The variables of a node's process. What is used is sent again and again here: that is not held
/// against anybody.
fn variables(link: &Link, key: Option<&Path>) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("GRANTOR_DATABASE_URL", link.url.clone()),
        ("GRANTOR_DATABASE_DURABILITY", link.durability.to_owned()),
        ("GRANTOR_DRAIN_SECONDS", link.drain.to_owned()),
        ("GRANTOR_LIMITS_CLIENT_FAILURES_PER_MINUTE", "0".to_owned()),
        ("GRANTOR_LIMITS_ADDRESS_FAILURES_PER_MINUTE", "0".to_owned()),
    ];
    let key = key.map(|path| path.to_string_lossy().into_owned());
    variables.extend(key.map(|key| ("GRANTOR_MASTER_KEY_FILE", key)));
    variables.extend(link.more.iter().cloned());
    variables
}

impl Nodes {
    /// So many nodes that reach the database at its own URL.
    pub fn start(database: &Database, count: usize) -> Self {
        Self::start_on(vec![Link::local(&database.url); count])
    }

    /// One node for each link, and an honest client.
    pub fn start_on(links: Vec<Link>) -> Self {
        let first_home = tempfile::tempdir().expect("a directory");
        let addresses: Vec<_> = links.iter().map(|_| held_address()).collect();
        let issuer = format!("http://{}", addresses[0]);
        let first = start(addresses[0], &issuer, &links[0], None);
        blocking::until("the first node is ready", || {
            get(addresses[0], "/health/ready").status == 200
        });
        // It outlives the node, whose directory goes with it.
        let home = first_home.path().join("data");
        std::fs::create_dir(&home).expect("a directory");
        std::fs::copy(first.data().join("master.key"), home.join("master.key")).expect("a copy");
        let key_file = home.join("master.key");
        let mut servers = vec![first];
        for (address, link) in addresses.iter().zip(&links).skip(1) {
            servers.push(start(*address, &issuer, link, Some(&key_file)));
        }
        let mut nodes = Self {
            servers,
            wires: Vec::new(),
            links,
            issuer,
            home,
            _first_home: first_home,
        };
        let key = nodes.client(CLIENT);
        let wire = |(node, address): (usize, &SocketAddr)| Wire {
            node,
            address: *address,
            issuer: nodes.issuer.as_str().into(),
            key: key.clone(),
            lifetime: LIFETIME,
        };
        nodes.wires = addresses.iter().enumerate().map(wire).collect();
        nodes.serve_within(blocking_patience(), "at the start");
        nodes
    }

    /// Registers a client; answers its key.
    pub fn client(&self, id: &str) -> Arc<SigningKey> {
        let path = self.home.join(format!("{id}.json"));
        let out = path.to_string_lossy().into_owned();
        self.ok(&[
            "client",
            "create",
            id,
            "--generate-key",
            "Ed25519",
            "--out",
            &out,
        ]);
        Arc::new(signing_key(&path))
    }

    /// Runs a command on the database of the first node.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let output = grantor(&self.home)
            .env("GRANTOR_DATABASE_URL", &self.links[0].url)
            .env("GRANTOR_DATABASE_DURABILITY", self.links[0].durability)
            .args(["--issuer", &self.issuer])
            .args(arguments)
            .output();
        finished(output.expect("the binary runs"))
    }

    /// As [`Nodes::run`], asserting success.
    pub fn ok(&self, arguments: &[&str]) -> Finished {
        let finished = self.run(arguments);
        assert!(finished.status.success(), "{arguments:?}: {finished:?}");
        finished
    }

    /// Starts a node anew that has ended or is to be killed now.
    pub fn restart(&mut self, node: usize) {
        self.servers[node].kill();
        let key = self.home.join("master.key");
        let address = self.servers[node].address;
        self.servers[node] = start(address, &self.issuer, &self.links[node], Some(&key));
    }

    /// Ends all nodes at once, and starts them anew at once.
    pub fn restart_all(&mut self) {
        for server in &mut self.servers {
            server.kill();
        }
        let key = self.home.join("master.key");
        let (issuer, key) = (self.issuer.as_str(), key.as_path());
        self.servers = thread::scope(|scope| {
            let nodes = self.servers.iter().zip(&self.links);
            let starting: Vec<_> = nodes
                .map(|(server, link)| {
                    let address = server.address;
                    scope.spawn(move || start(address, issuer, link, Some(key)))
                })
                .collect();
            let started = starting.into_iter().map(|one| one.join());
            started.map(|one| one.expect("it starts")).collect()
        });
    }

    /// One node more, and the way to it.
    pub fn one_more(&self, link: &Link) -> (Server, Wire) {
        let key = self.home.join("master.key");
        let address = held_address();
        let server = start(address, &self.issuer, link, Some(&key));
        let node = self.wires.len();
        let first = self.wires[0].clone();
        let wire = Wire {
            node,
            address,
            ..first
        };
        (server, wire)
    }

    /// Starts one more process, which has to end by itself; answers how it did.
    pub fn refused(&self, link: &Link) -> Finished {
        let key = self.home.join("master.key");
        let mut command = grantor(&self.home);
        command
            .args(["serve", "--listen", &held_address().to_string()])
            .args(["--issuer", &self.issuer])
            .envs(variables(link, Some(&key)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let ends = || child.try_wait().expect("a status").is_some();
        let has_ended = blocking::comes(blocking_patience(), ends);
        if !has_ended {
            child.kill().expect("SIGKILL");
        }
        let finished = finished(child.wait_with_output().expect("its output"));
        assert!(has_ended, "it has not ended: {finished:?}");
        finished
    }

    /// The assertions of all wires live for so long from now on.
    pub fn living(mut self, lifetime: Duration) -> Self {
        for wire in &mut self.wires {
            wire.lifetime = lifetime;
        }
        self
    }

    /// From now on, an honest request to each node succeeds within this time.
    pub fn serve_within(&self, limit: Duration, what: &str) {
        let begun = Instant::now();
        thread::scope(|scope| {
            for wire in &self.wires {
                scope.spawn(move || {
                    let mut last = None;
                    let is_granted = blocking::comes(limit, || {
                        let answer = wire.send(&wire.assertion());
                        let status = answer.status;
                        last = Some(answer);
                        status == 200
                    });
                    let node = wire.node;
                    let log = self.servers[node].log();
                    let log = &log[log.len().saturating_sub(4)..];
                    assert!(
                        is_granted,
                        "node {node} does not serve {what} after {:?}: {last:?}; {log:?}",
                        begun.elapsed()
                    );
                });
            }
        });
    }

    /// What `/health/ready` of this node says.
    pub fn ready(&self, node: usize) -> Answer {
        self.wires[node].get("/health/ready")
    }
}

/// How long the start may take.
fn blocking_patience() -> Duration {
    grantor_testkit::wait::PATIENCE
}

impl Wire {
    /// The same node, for another client.
    pub fn of(&self, key: &Arc<SigningKey>) -> Self {
        Self {
            key: key.clone(),
            ..self.clone()
        }
    }

    /// An assertion of the honest client, made now.
    pub fn assertion(&self) -> String {
        self.assertion_of(CLIENT)
    }

    /// An assertion of this client, made now.
    pub fn assertion_of(&self, client: &str) -> String {
        assertion(&self.issuer, client, client, &self.key, self.lifetime)
    }

    /// An assertion of the honest client with this `jti`, made now.
    pub fn assertion_with(&self, jti: &str, lifetime: Duration) -> String {
        let now = SystemClock.now().seconds();
        let ends = now + i64::try_from(lifetime.as_secs()).expect("a short time");
        let claims = json!({
            "iss": CLIENT, "sub": CLIENT, "aud": &*self.issuer, "iat": now, "exp": ends, "jti": jti,
        });
        let signed = sign(&self.key, Some("JWT"), claims.to_string().as_bytes());
        signed.expect("signed")
    }

    /// Asks for a token. Status 0 where no answer came within [`LIMIT`].
    pub fn send(&self, assertion: &str) -> Answer {
        let body = format!(
            "grant_type={}&assertion={}",
            escape(JWT_BEARER),
            escape(assertion)
        );
        ask(self.address, "POST", "/token", &body)
    }

    pub fn get(&self, path: &str) -> Answer {
        get(self.address, path)
    }
}

/// Whether this answer says that the assertion was used before.
pub fn is_replay(answer: &Answer) -> bool {
    answer.status == 400 && answer.error() == "invalid_grant" && answer.body.contains("used before")
}

/// Asks an address.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, "GET", path, "")
}

fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let none = Answer {
        status: 0,
        headers: Vec::new(),
        body: String::new(),
    };
    let Ok(mut stream) = TcpStream::connect(address) else {
        return none;
    };
    stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: as\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    match stream.write_all(format!("{head}{body}").as_bytes()) {
        Ok(()) => read_answer(&mut stream),
        Err(_) => none,
    }
}
