//! Who is compared: a server, a client of it, and what that client asks for.

use std::{error::Error, fs, path::Path, process::Command, rc::Rc, sync::Arc, time::Duration};

use grantor_testkit::postgres::{Database, Postgres};
use tempfile::TempDir;

use crate::{
    load::{Load, client_credentials_form, form_request, request},
    peers::Peers,
    process::Process,
    server::{Installation, Server},
    settings::Settings,
    sign::Signer,
};

/// Connections at the highest load.
pub const CONNECTIONS: usize = 64;
/// Clients that every server has registered.
const CLIENTS: usize = 10;

/// Who is compared.
pub struct Contestant {
    pub row: Row,
    signer: Signer,
    host: Rc<Host>,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub struct Row {
    pub server: &'static str,
    /// What goes in, and what comes out.
    pub exchange: &'static str,
    pub kind: Kind,
    usage: Use,
}

/// Whose code it is, and where it remembers used assertions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Floor,
    Memory,
    Durable,
    Postgres,
    PeerMemory,
    PeerDurable,
}

const FLOOR: Row = Row {
    server: "floor: bare hyper",
    exchange: RSA_GRANT,
    kind: Kind::Floor,
    usage: Use::Grant,
};
const MEMORY: Row = Row {
    server: "Grantor embedded, memory replay",
    kind: Kind::Memory,
    ..FLOOR
};
const AUTHLIB: [Row; 2] = [
    Row {
        server: "Authlib, 2 workers, memory replay",
        kind: Kind::PeerMemory,
        ..FLOOR
    },
    Row {
        server: "Authlib, 2 workers, SQLite replay",
        kind: Kind::PeerDurable,
        ..FLOOR
    },
];
const OIDC_PROVIDER: [Row; 2] = [
    Row {
        server: "node-oidc-provider, 2 processes, memory replay",
        kind: Kind::PeerMemory,
        ..BY_CLIENT_ASSERTION
    },
    Row {
        server: "node-oidc-provider, 2 processes, SQLite replay",
        kind: Kind::PeerDurable,
        ..BY_CLIENT_ASSERTION
    },
];
const BY_CLIENT_ASSERTION: Row = Row {
    exchange: "RS256 private_key_jwt -> ES256 JWT",
    usage: Use::ClientAuthentication,
    ..FLOOR
};
const RSA_GRANT: &str = "RS256 grant -> ES256 JWT";

impl Kind {
    /// What it remembers used assertions with, if it does.
    pub fn replay(self) -> &'static str {
        match self {
            Self::Floor => "no replay store",
            Self::Memory | Self::PeerMemory => "memory replay",
            Self::Durable | Self::PeerDurable => "SQLite replay",
            Self::Postgres => "PostgreSQL replay",
        }
    }

    pub fn is_peer(self) -> bool {
        matches!(self, Self::PeerMemory | Self::PeerDurable)
    }
}

/// How an assertion is used.
#[derive(Clone, Copy)]
enum Use {
    Grant,
    ClientAuthentication,
}

/// A program that is ready to be started, and what it is told then.
pub struct Installed {
    pub command: Command,
    pub input: String,
}

/// A running server, which several contestants may share.
struct Host {
    server: Running,
    start: Start,
}

enum Running {
    Grantor(Server),
    /// With the database that it asks, which goes first.
    OnDatabase(
        Server,
        #[expect(dead_code, reason = "lives as long as the server")] Database,
    ),
    /// With its settings and its log.
    Other(
        Process,
        #[expect(dead_code, reason = "lives as long as the server")] TempDir,
    ),
}

/// What a start cost.
#[derive(Clone, Copy)]
pub struct Start {
    /// Until the first token.
    pub time: Duration,
    /// Resident memory after that.
    pub resident_kib: u64,
}

impl Contestant {
    /// Starts everybody, peers and PostgreSQL included if they are asked for.
    pub fn all(
        peers: Option<&Peers>,
        postgres: Option<&Arc<Postgres>>,
    ) -> Result<Vec<Self>, Box<dyn Error>> {
        let mut all = vec![
            Self::inside("floor", FLOOR)?,
            Self::inside("memory", MEMORY)?,
        ];
        all.extend(durable()?);
        if let Some(server) = postgres {
            all.push(on_postgres(server)?);
        }
        let Some(peers) = peers else { return Ok(all) };
        for row in AUTHLIB {
            all.push(Self::other(row, |settings, file| {
                Ok(peers.authlib(settings, file))
            })?);
        }
        for row in OIDC_PROVIDER {
            all.push(Self::other(row, |settings, _| {
                peers.oidc_provider(settings)
            })?);
        }
        Ok(all)
    }

    pub fn process(&self) -> &Process {
        self.host.server.process()
    }

    pub fn start(&self) -> Start {
        self.host.start
    }

    pub fn load(&self) -> Load {
        Load {
            address: self.process().address(),
            connections: CONNECTIONS,
        }
    }

    /// Signs, and writes requests with it.
    pub fn requests(&self, count: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        Ok(self
            .signer
            .presign(count)?
            .iter()
            .map(|assertion| self.row.usage.request(self.load(), assertion))
            .collect())
    }

    /// A server that is a command of this program.
    fn inside(command: &str, row: Row) -> Result<Self, Box<dyn Error>> {
        Self::other(row, |_, file| {
            let mut program = Command::new(std::env::current_exe()?);
            program.args(["serve", command]).arg(file);
            Ok(Installed {
                command: program,
                input: String::new(),
            })
        })
    }

    /// A server that is told its settings.
    fn other(
        row: Row,
        installed: impl FnOnce(&Settings, &Path) -> Result<Installed, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let replay = (row.kind == Kind::PeerDurable).then(|| directory.path().join("replay.db"));
        let (settings, signer) = Settings::new(CLIENTS, replay)?;
        let file = directory.path().join("settings.json");
        fs::write(&file, serde_json::to_vec(&settings)?)?;
        let Installed { mut command, input } = installed(&settings, &file)?;
        let first = signer.presign(1)?;
        let process = Process::start(
            &mut command,
            &input,
            settings.address(),
            &directory.path().join("log"),
        )?;
        let host = Host::new(Running::Other(process, directory), row.usage, &first)?;
        Ok(Self {
            row,
            signer,
            host: Rc::new(host),
        })
    }
}

const DURABLE: Row = Row {
    server: "Grantor, durable replay (SQLite)",
    kind: Kind::Durable,
    ..FLOOR
};
const POSTGRES: Row = Row {
    server: "Grantor, durable replay (PostgreSQL)",
    kind: Kind::Postgres,
    ..FLOOR
};
/// What clients of the server with SQLite ask for, and how they are registered.
const EXCHANGES: [(Row, &[&str]); 5] = [
    (DURABLE, &["--generate-key", "RS256"]),
    (
        Row {
            exchange: "ES256 grant -> ES256 JWT",
            ..DURABLE
        },
        &["--generate-key", "ES256"],
    ),
    (
        Row {
            exchange: "Ed25519 grant -> ES256 JWT",
            ..DURABLE
        },
        &["--generate-key", "Ed25519"],
    ),
    (
        Row {
            exchange: "HS256 client_secret_jwt -> ES256 JWT",
            usage: Use::ClientAuthentication,
            ..DURABLE
        },
        &["--auth", "client_secret_jwt"],
    ),
    (
        Row {
            exchange: "RS256 grant -> opaque",
            ..DURABLE
        },
        &["--generate-key", "RS256", "--token-format", "opaque"],
    ),
];

/// One server with SQLite and ten clients, some of which never ask.
fn durable() -> Result<Vec<Contestant>, Box<dyn Error>> {
    let installation = Installation::new("")?;
    let mut signers = Vec::new();
    for number in 0..CLIENTS {
        let options = EXCHANGES
            .get(number)
            .map_or(&["--generate-key"][..], |(_, options)| options);
        signers.push(installation.register(&format!("bench-{number}"), options)?);
    }
    let first = signers[0].presign(1)?;
    let host = Rc::new(Host::new(
        Running::Grantor(installation.serve()?),
        DURABLE.usage,
        &first,
    )?);
    let contestant = |((row, _), signer): (&(Row, _), Signer)| Contestant {
        row: *row,
        signer,
        host: host.clone(),
    };
    Ok(EXCHANGES.iter().zip(signers).map(contestant).collect())
}

/// One node on a PostgreSQL database of its own.
fn on_postgres(server: &Arc<Postgres>) -> Result<Contestant, Box<dyn Error>> {
    let database = server.database();
    let configuration = format!(
        "[database]\nurl = {:?}\ndurability = \"local\"\n",
        database.url
    );
    let installation = Installation::new(&configuration)?;
    let signer = installation.register("bench-0", &["--generate-key", "RS256"])?;
    for number in 1..CLIENTS {
        installation.register(&format!("bench-{number}"), &["--generate-key"])?;
    }
    let first = signer.presign(1)?;
    let mut grantor = installation.serve()?;
    grantor
        .process
        .asks(server.process().ok_or("PostgreSQL does not run")?);
    let host = Host::new(
        Running::OnDatabase(grantor, database),
        POSTGRES.usage,
        &first,
    )?;
    Ok(Contestant {
        row: POSTGRES,
        signer,
        host: Rc::new(host),
    })
}

impl Use {
    fn request(self, load: Load, assertion: &str) -> Vec<u8> {
        match self {
            Self::Grant => request(load.address, assertion),
            Self::ClientAuthentication => {
                form_request(load.address, "", &client_credentials_form(assertion))
            }
        }
    }
}

impl Host {
    /// A server that was just started, asked for its first token.
    fn new(server: Running, usage: Use, assertions: &[String]) -> Result<Self, Box<dyn Error>> {
        let process = server.process();
        let load = Load {
            address: process.address(),
            connections: 1,
        };
        let start = Start::of(process, &usage.request(load, &assertions[0]))?;
        Ok(Self { server, start })
    }
}

impl Start {
    /// Asks for the first token.
    pub fn of(process: &Process, request: &[u8]) -> Result<Self, Box<dyn Error>> {
        let answer = Load {
            address: process.address(),
            connections: 1,
        }
        .ask(request);
        let time = process.spawned().elapsed();
        let answer =
            answer.map_err(|error| format!("no token: {error}\nthe server: {}", process.said()))?;
        if !answer.contains("\"access_token\"") {
            return Err(format!("an answer without a token: {answer}").into());
        }
        Ok(Self {
            time,
            resident_kib: process.resident_kib()?,
        })
    }
}

impl Running {
    fn process(&self) -> &Process {
        match self {
            Self::Grantor(server) | Self::OnDatabase(server, _) => &server.process,
            Self::Other(process, _) => process,
        }
    }
}
