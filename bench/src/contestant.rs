//! Who is compared: a server, a client of it, and what that client asks for.

use std::{
    error::Error, fs, net::SocketAddr, path::Path, process::Command, rc::Rc, sync::Arc,
    time::Duration,
};

use grantor_testkit::postgres::{Database, Postgres};
use tempfile::TempDir;

use crate::{
    load::{Load, client_credentials_form, form_request, request},
    peers::Peers,
    process::Process,
    server::{self, Installation, Server},
    settings::{self, Settings},
    sign::Signer,
};

/// Connections at the highest load.
pub const CONNECTIONS: usize = 64;
/// Clients that every server has registered.
const CLIENTS: usize = 10;
/// How long a server may take until it gives tokens.
const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Used assertions, and nothing else, in PostgreSQL.
    Claims,
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
const CLAIMS_IN_POSTGRES: Row = Row {
    server: "Grantor embedded, PostgreSQL replay",
    kind: Kind::Claims,
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
            Self::Claims | Self::Postgres => "PostgreSQL replay",
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
    /// With the database that it asks, its settings and its log.
    Other(
        Process,
        #[expect(dead_code, reason = "lives as long as the server")] Option<Database>,
        #[expect(dead_code, reason = "lives as long as the server")] TempDir,
    ),
}

/// What a start cost.
#[derive(Clone, Copy)]
pub struct Start {
    /// Until the first token.
    time: Duration,
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
            Self::inside("floor", FLOOR, None)?,
            Self::inside("memory", MEMORY, None)?,
        ];
        if let Some(engine) = postgres {
            all.push(Self::inside("memory", CLAIMS_IN_POSTGRES, Some(engine))?);
        }
        all.extend(durable()?);
        if let Some(engine) = postgres {
            all.extend(on_postgres(engine)?);
        }
        let Some(peers) = peers else { return Ok(all) };
        for row in AUTHLIB {
            all.push(Self::other(row, None, |settings, file| {
                Ok(peers.authlib(settings, file))
            })?);
        }
        for row in OIDC_PROVIDER {
            all.push(Self::other(row, None, |settings, _| {
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
        Load::to(self.process().address(), CONNECTIONS)
    }

    /// Signs, and writes requests with it.
    pub fn requests(&self, count: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        Ok(self
            .signer
            .presign(count)?
            .iter()
            .map(|assertion| self.row.usage.request(self.process().address(), assertion))
            .collect())
    }

    /// A server that is a command of this program.
    fn inside(
        command: &str,
        row: Row,
        engine: Option<&Arc<Postgres>>,
    ) -> Result<Self, Box<dyn Error>> {
        Self::other(row, engine, |_, file| {
            let mut program = Command::new(std::env::current_exe()?);
            program.args(["serve", command]).arg(file);
            Ok(Installed {
                command: program,
                input: String::new(),
            })
        })
    }

    /// A server that is told its settings, with a database of its own where there is an engine.
    fn other(
        row: Row,
        engine: Option<&Arc<Postgres>>,
        installed: impl FnOnce(&Settings, &Path) -> Result<Installed, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let replay = (row.kind == Kind::PeerDurable).then(|| directory.path().join("replay.db"));
        let (mut settings, signer) = Settings::new(CLIENTS, replay)?;
        let database = engine.map(|engine| engine.database());
        settings.database = database.as_ref().map(|database| settings::Database {
            url: database.url.clone(),
            master_key: directory.path().join("master.key"),
        });
        let file = directory.path().join("settings.json");
        fs::write(&file, serde_json::to_vec(&settings)?)?;
        let Installed { mut command, input } = installed(&settings, &file)?;
        let first = signer.presign(1)?;
        let mut process = Process::start(
            &mut command,
            &input,
            settings.address(),
            &directory.path().join("log"),
        )?;
        if let Some(engine) = engine {
            process.asks(engine)?;
        }
        let running = Running::Other(process, database, directory);
        let host = Host::new(running, row.usage, &first)?;
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
/// What a client asks for.
struct Exchange {
    text: &'static str,
    usage: Use,
    /// How the client is registered for it.
    options: &'static [&'static str],
}

const RSA: Exchange = Exchange {
    text: RSA_GRANT,
    usage: Use::Grant,
    options: &["--generate-key", "RS256"],
};
const EC: Exchange = Exchange {
    text: "ES256 grant -> ES256 JWT",
    usage: Use::Grant,
    options: &["--generate-key", "ES256"],
};
const ED25519: Exchange = Exchange {
    text: "Ed25519 grant -> ES256 JWT",
    usage: Use::Grant,
    options: &["--generate-key", "Ed25519"],
};
const SECRET: Exchange = Exchange {
    text: "HS256 client_secret_jwt -> ES256 JWT",
    usage: Use::ClientAuthentication,
    options: &["--auth", "client_secret_jwt"],
};
const OPAQUE: Exchange = Exchange {
    text: "RS256 grant -> opaque",
    usage: Use::Grant,
    options: &["--generate-key", "RS256", "--token-format", "opaque"],
};

/// A client holds more opaque tokens at once here than is usual.
const LIMITS: &str = "[limits]\ntokens_per_client = 1000000\n";

/// With SQLite.
fn durable() -> Result<Vec<Contestant>, Box<dyn Error>> {
    let exchanges = [RSA, EC, ED25519, SECRET, OPAQUE];
    served(Installation::new(LIMITS)?, DURABLE, &exchanges, |server| {
        Ok(Running::Grantor(server))
    })
}

/// One node on a PostgreSQL database of its own.
fn on_postgres(engine: &Arc<Postgres>) -> Result<Vec<Contestant>, Box<dyn Error>> {
    let database = engine.database();
    let installation = Installation::new(&(server::on_postgres(&database) + LIMITS))?;
    served(installation, POSTGRES, &[RSA, OPAQUE], |mut server| {
        server.process.asks(engine)?;
        Ok(Running::OnDatabase(server, database))
    })
}

/// A server with ten clients, some of which never ask.
fn served(
    installation: Installation,
    server: Row,
    exchanges: &[Exchange],
    running: impl FnOnce(Server) -> Result<Running, Box<dyn Error>>,
) -> Result<Vec<Contestant>, Box<dyn Error>> {
    let mut signers = Vec::new();
    for number in 0..CLIENTS {
        let options = exchanges
            .get(number)
            .map_or(&["--generate-key"][..], |exchange| exchange.options);
        signers.push(installation.register(&format!("bench-{number}"), options)?);
    }
    let first = signers[0].presign(1)?;
    let running = running(installation.serve()?)?;
    let host = Rc::new(Host::new(running, exchanges[0].usage, &first)?);
    let contestant = |(exchange, signer): (&Exchange, Signer)| Contestant {
        row: Row {
            exchange: exchange.text,
            usage: exchange.usage,
            ..server
        },
        signer,
        host: host.clone(),
    };
    Ok(exchanges.iter().zip(signers).map(contestant).collect())
}

impl Use {
    fn request(self, address: SocketAddr, assertion: &str) -> Vec<u8> {
        match self {
            Self::Grant => request(address, assertion),
            Self::ClientAuthentication => {
                form_request(address, "", &client_credentials_form(assertion))
            }
        }
    }
}

impl Host {
    /// A server that was just started, asked for its first token.
    fn new(server: Running, usage: Use, assertions: &[String]) -> Result<Self, Box<dyn Error>> {
        let process = server.process();
        let start = Start::of(process, &usage.request(process.address(), &assertions[0]))?;
        Ok(Self { server, start })
    }
}

impl Start {
    /// Until the first token.
    pub fn milliseconds(&self) -> f64 {
        self.time.as_secs_f64() * 1e3
    }

    /// Asks for the first token. A node on a database says 503 until it knows what is in force.
    pub fn of(process: &Process, request: &[u8]) -> Result<Self, Box<dyn Error>> {
        let load = Load::to(process.address(), 1);
        let mut answer = load.ask(request);
        while process.spawned().elapsed() < PATIENCE
            && (answer.as_ref()).is_err_and(|error| error.to_string().contains(" 503 "))
        {
            answer = load.ask(request);
        }
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
            Self::Other(process, ..) => process,
        }
    }
}
