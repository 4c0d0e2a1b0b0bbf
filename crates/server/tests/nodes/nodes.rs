//! Nodes: processes of one issuer on one database, and requests to each of them.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use grantor::jose::SigningKey;
use grantor_testkit::{
    binary::{
        Answer, Finished, JWT_BEARER, Server, assertion, escape, finished, grantor, held_address,
        read_answer, signing_key,
    },
    postgres::{Database, Postgres, skipped},
    wait::blocking,
};

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
}

/// One address of one issuer, and the key of the honest client.
#[derive(Clone)]
pub struct Wire {
    pub node: usize,
    address: SocketAddr,
    issuer: Arc<str>,
    key: Arc<SigningKey>,
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
        }
    }
}

/// Starts one node; with a key file given, or with one made in its own data directory.
pub fn start(address: SocketAddr, issuer: &str, link: &Link, key: Option<&Path>) -> Server {
    let listen = address.to_string();
    let key = key.map(|path| path.to_string_lossy().into_owned());
    let mut variables = vec![
        ("GRANTOR_DATABASE_URL", link.url.as_str()),
        ("GRANTOR_DATABASE_DURABILITY", link.durability),
        ("GRANTOR_DRAIN_SECONDS", link.drain),
    ];
    variables.extend(
        key.iter()
            .map(|key| ("GRANTOR_MASTER_KEY_FILE", key.as_str())),
    );
    let arguments = ["--listen", &listen, "--issuer", issuer];
    Server::start_as(address, &arguments, &variables)
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
        assertion(&self.issuer, client, client, &self.key, LIFETIME)
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
