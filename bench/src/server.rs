//! `grantor` as an operator runs it: the binary on a throw-away directory.

use std::{
    error::Error,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use grantor::{client::KeyFile, jose::Algorithm};
use grantor_testkit::{port::held_address, postgres::Database};
use tempfile::TempDir;

use crate::{process::Process, sign::Signer};

const CONFIGURATION: &str = "grantor.toml";
const MASTER_KEY: &str = "master.key";

/// A data directory before the server starts.
pub struct Installation {
    directory: TempDir,
    address: SocketAddr,
    issuer: String,
}

impl Installation {
    /// An empty one with this `grantor.toml`.
    pub fn new(configuration: &str) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("data"))?;
        fs::write(
            directory.path().join("data").join(CONFIGURATION),
            configuration,
        )?;
        let address = held_address();
        Ok(Self {
            directory,
            address,
            issuer: format!("http://{address}"),
        })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Another node of the same issuer, with the same configuration and master key.
    pub fn another(&self) -> Result<Self, Box<dyn Error>> {
        let another = Self {
            issuer: self.issuer.clone(),
            ..Self::new(&fs::read_to_string(self.data().join(CONFIGURATION))?)?
        };
        fs::copy(
            self.data().join(MASTER_KEY),
            another.data().join(MASTER_KEY),
        )?;
        Ok(another)
    }

    /// Moves all that is stored to a PostgreSQL database, on which it works from then on.
    pub fn move_to(&self, database: &Database) -> Result<(), Box<dyn Error>> {
        fs::write(self.data().join(CONFIGURATION), on_postgres(database))?;
        succeed(self.command()?.args(["move", "--json"]))
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Registers a client; who signs as it.
    pub fn register(&self, id: &str, options: &[&str]) -> Result<Signer, Box<dyn Error>> {
        let out = self.directory.path().join(format!("{id}.json"));
        let mut create = self.command()?;
        create
            .args(["client", "create", id])
            .args(options)
            .arg("--out")
            .arg(&out);
        succeed(&mut create)?;
        Ok(Signer {
            client: id.to_owned(),
            audience: self.issuer.clone(),
            key: Arc::new(KeyFile::read(&out)?.signing_key()?),
        })
    }

    /// Starts the server, and waits until it accepts connections.
    pub fn serve(self) -> Result<Server, Box<dyn Error>> {
        let mut command = self.command()?;
        command.args(["serve", "--listen", &self.address.to_string()]);
        let process = Process::start(
            &mut command,
            "",
            self.address,
            &self.directory.path().join("log"),
        )?;
        Ok(Server {
            process,
            installation: self,
        })
    }

    fn command(&self) -> Result<Command, Box<dyn Error>> {
        let mut command = Command::new(binary()?);
        command
            .arg("--data")
            .arg(self.data())
            .args(["--issuer", &self.issuer]);
        Ok(command)
    }
}

/// A running server. Killed when dropped.
pub struct Server {
    pub process: Process,
    installation: Installation,
}

impl Server {
    /// One client with a key for `algorithm`, and who signs as it.
    pub fn start(
        algorithm: Algorithm,
        configuration: &str,
    ) -> Result<(Self, Signer), Box<dyn Error>> {
        let installation = Installation::new(configuration)?;
        let signer = installation.register("bench", &["--generate-key", algorithm.name()])?;
        Ok((installation.serve()?, signer))
    }

    /// Registers a further client, with a secret, which nobody will ever know.
    pub fn register_secret_client(&self, id: &str) -> Result<(), Box<dyn Error>> {
        self.installation
            .register(id, &["--auth", "client_secret_basic"])
            .map(drop)
    }
}

/// The configuration of a node on this database.
pub fn on_postgres(database: &Database) -> String {
    format!(
        "[database]\nurl = {:?}\ndurability = \"local\"\n",
        database.url
    )
}

fn succeed(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// `grantor` as built by the same cargo profile, in the directory of this program.
fn binary() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name("grantor");
    let profile = path
        .parent()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str())
        .unwrap_or("release");
    match path.exists() {
        true => Ok(path),
        false => Err(format!(
            "build the server first: cargo build --profile {profile} -p grantor-server"
        )
        .into()),
    }
}
