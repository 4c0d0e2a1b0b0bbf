//! The server under test: a process of its own on a throw-away directory.

use std::{
    error::Error,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use grantor::jose::{Algorithm, PrivateJwk};
use tempfile::TempDir;

use crate::sign::Signer;

/// Killed when dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    issuer: String,
    algorithm: Algorithm,
    private_key: String,
    directory: TempDir,
}

impl Server {
    /// Registers one client with a key for `algorithm`, and serves with this `grantor.toml`.
    pub fn start(algorithm: Algorithm, configuration: &str) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("data"))?;
        fs::write(directory.path().join("data/grantor.toml"), configuration)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let issuer = format!("http://{address}");
        let binary = binary()?;
        let key_path = directory.path().join("bench.json");
        let mut create = command(&binary, directory.path(), &issuer);
        done(create.args(["client", "create", "bench", "--generate-key", algorithm.name(), "--out"]).arg(&key_path))?;
        let key_file: serde_json::Value = serde_json::from_slice(&fs::read(&key_path)?)?;
        let log = fs::File::create(directory.path().join("log"))?;
        let child = command(&binary, directory.path(), &issuer)
            .args(["serve", "--listen", &address.to_string()])
            .stderr(Stdio::from(log))
            .spawn()?;
        let private_key = key_file["private_key"].to_string();
        let server = Self { child, address, issuer, algorithm, private_key, directory };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if started.elapsed() > Duration::from_secs(10) {
                return Err("the server does not accept connections".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Registers a further client, with a secret, which nobody will ever know.
    pub fn register_secret_client(&self, id: &str) -> Result<(), Box<dyn Error>> {
        let mut create = command(&binary()?, self.directory.path(), &self.issuer);
        let out = self.directory.path().join(format!("{id}.json"));
        done(create.args(["client", "create", id, "--auth", "client_secret_basic", "--out"]).arg(out))
    }

    /// Signs as the client.
    pub fn signer(&self) -> Result<Signer, Box<dyn Error>> {
        let key = PrivateJwk::parse(self.private_key.as_bytes(), Some(self.algorithm))?;
        Ok(self.signer_with(key))
    }

    /// Signs with another key, and says it were the client.
    pub fn signer_with(&self, key: PrivateJwk) -> Signer {
        Signer { issuer: self.issuer.clone(), key: Arc::new(key) }
    }

    /// User and system time of the process so far, all threads (proc(5), `stat`, fields 14 and 15).
    pub fn cpu_time(&self) -> Result<Duration, Box<dyn Error>> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("unexpected format of /proc/PID/stat")?;
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<_, _>>()?;
        // USER_HZ, which Linux fixes at 100 for every process that looks.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/PID/status")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `grantor` as built by the same cargo profile, in the directory of this program.
fn binary() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name("grantor");
    match path.exists() {
        true => Ok(path),
        false => Err("build the server first: cargo build --release -p grantor-server".into()),
    }
}

fn done(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let output = command.output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

fn command(binary: &Path, directory: &Path, issuer: &str) -> Command {
    let mut command = Command::new(binary);
    command.arg("--data").arg(directory.join("data")).args(["--issuer", issuer]);
    command
}
