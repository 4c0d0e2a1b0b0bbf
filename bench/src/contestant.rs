//! Who is compared: a server, a client of it, and what that client asks for.

use std::{error::Error, fs, process::Command, rc::Rc, time::Duration};

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
/// Clients that every server but the peers' has registered.
const CLIENTS: usize = 10;

/// Who is compared.
pub struct Contestant {
    pub name: &'static str,
    /// What goes in, and what comes out.
    pub exchange: &'static str,
    pub kind: Kind,
    signer: Signer,
    usage: Use,
    host: Rc<Host>,
}

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Floor,
    Memory,
    Durable,
    Peer,
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
    /// With its settings and its log.
    Other(Process, #[expect(dead_code, reason = "lives as long as the server")] TempDir),
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
    /// Starts everybody, peers included if they are there.
    pub fn all(peers: Option<&Peers>) -> Result<Vec<Self>, Box<dyn Error>> {
        let mut all = vec![Self::inside("floor", Kind::Floor)?, Self::inside("memory", Kind::Memory)?];
        all.extend(durable()?);
        if let Some(peers) = peers {
            all.push(Self::other("Authlib, gunicorn, 2 workers", "RS256 grant -> ES256 JWT", Use::Grant, |settings, file| {
                Ok(peers.authlib(settings, file))
            })?);
            let exchange = "RS256 private_key_jwt -> ES256 JWT";
            all.push(Self::other("node-oidc-provider, cluster of 2", exchange, Use::ClientAuthentication, |settings, _| {
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
        Load { address: self.process().address(), connections: CONNECTIONS }
    }

    /// Signs, and writes requests with it.
    pub fn requests(&self, count: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        Ok(self.signer.presign(count)?.iter().map(|assertion| self.usage.request(self.load(), assertion)).collect())
    }

    /// A server that is a command of this program.
    fn inside(command: &'static str, kind: Kind) -> Result<Self, Box<dyn Error>> {
        let name = if kind == Kind::Floor { "floor: bare hyper" } else { "Grantor embedded, memory replay" };
        let contestant = Self::other(name, "RS256 grant -> ES256 JWT", Use::Grant, |_, file| {
            let mut program = Command::new(std::env::current_exe()?);
            program.args(["serve", command]).arg(file);
            Ok(Installed { command: program, input: String::new() })
        })?;
        Ok(Self { kind, ..contestant })
    }

    fn other(
        name: &'static str,
        exchange: &'static str,
        usage: Use,
        installed: impl FnOnce(&Settings, &std::path::Path) -> Result<Installed, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let (settings, signer) = Settings::new(CLIENTS)?;
        let file = directory.path().join("settings.json");
        fs::write(&file, serde_json::to_vec(&settings)?)?;
        let Installed { mut command, input } = installed(&settings, &file)?;
        let first = signer.presign(1)?;
        let process = Process::start(&mut command, &input, settings.address(), &directory.path().join("log"))?;
        let host = Host::new(Running::Other(process, directory), usage, &first)?;
        Ok(Self { name, exchange, kind: Kind::Peer, signer, usage, host: Rc::new(host) })
    }
}

/// One server with SQLite, ten clients, and what five of them ask for.
fn durable() -> Result<Vec<Contestant>, Box<dyn Error>> {
    let installation = Installation::new("")?;
    let secret = ["--auth", "client_secret_jwt"];
    let exchanges: [(&str, &[&str], Use); 5] = [
        ("RS256 grant -> ES256 JWT", &["--generate-key", "RS256"], Use::Grant),
        ("ES256 grant -> ES256 JWT", &["--generate-key", "ES256"], Use::Grant),
        ("Ed25519 grant -> ES256 JWT", &["--generate-key", "Ed25519"], Use::Grant),
        ("HS256 client_secret_jwt -> ES256 JWT", &secret, Use::ClientAuthentication),
        ("RS256 grant -> opaque", &["--generate-key", "RS256", "--token-format", "opaque"], Use::Grant),
    ];
    for number in exchanges.len()..CLIENTS {
        installation.register(&format!("idle-{number}"), &["--generate-key"])?;
    }
    let register =
        |(number, (_, options, _)): (usize, &(&str, &[&str], Use))| installation.register(&format!("bench-{number}"), options);
    let signers = exchanges.iter().enumerate().map(register).collect::<Result<Vec<_>, _>>()?;
    let first = signers[0].presign(1)?;
    let host = Rc::new(Host::new(Running::Grantor(installation.serve()?), Use::Grant, &first)?);
    let contestant = |((_, exchange, usage), signer): ((usize, &'static str, Use), Signer)| Contestant {
        name: "Grantor, durable replay (SQLite)",
        exchange,
        kind: Kind::Durable,
        signer,
        usage,
        host: host.clone(),
    };
    let exchanges = exchanges.into_iter().enumerate().map(|(number, (exchange, _, usage))| (number, exchange, usage));
    Ok(exchanges.zip(signers).map(contestant).collect())
}

impl Use {
    fn request(self, load: Load, assertion: &str) -> Vec<u8> {
        match self {
            Self::Grant => request(load.address, assertion),
            Self::ClientAuthentication => form_request(load.address, "", &client_credentials_form(assertion)),
        }
    }
}

impl Host {
    /// A server that was just started, asked for its first token.
    fn new(server: Running, usage: Use, assertions: &[String]) -> Result<Self, Box<dyn Error>> {
        let process = server.process();
        let load = Load { address: process.address(), connections: 1 };
        let start = Start::of(process, &usage.request(load, &assertions[0]))?;
        Ok(Self { server, start })
    }
}

impl Start {
    /// Asks for the first token.
    pub fn of(process: &Process, request: &[u8]) -> Result<Self, Box<dyn Error>> {
        let answer = Load { address: process.address(), connections: 1 }.ask(request);
        let time = process.spawned().elapsed();
        let answer = answer.map_err(|error| format!("no token: {error}\nthe server: {}", process.said()))?;
        if !answer.contains("\"access_token\"") {
            return Err(format!("an answer without a token: {answer}").into());
        }
        Ok(Self { time, resident_kib: process.resident_kib()? })
    }
}

impl Running {
    fn process(&self) -> &Process {
        match self {
            Self::Grantor(server) => &server.process,
            Self::Other(process, _) => process,
        }
    }
}
