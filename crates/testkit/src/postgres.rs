//! PostgreSQL itself: a real server in a directory that is thrown away, on a free port of this
//! machine. All tests of a program share one; a test of failures has its own, which it may stop,
//! kill, cut off and restart. No server outlives the program, however that ends.

mod cut;
mod program;
mod running;

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

pub use self::cut::{Cut, Way};
use self::{program::Program, running::Running};
use crate::{binary::clock::Clock, port::held_address, wait};

/// The superuser of the tests.
pub const SUPERUSER: &str = "grantor_test";
/// The plain role that owns the databases, as users would have it.
pub const ROLE: &str = "grantor";
/// What every server is started with. What makes it durable is on by itself, and may be turned.
const SETTINGS: &[(&str, &str)] = &[
    ("max_connections", "500"),
    ("shared_buffers", "32MB"),
    ("min_wal_size", "32MB"),
    ("max_wal_size", "256MB"),
    ("wal_keep_size", "64MB"),
    // In its directory, which is removed: the system's own place keeps what a killed server leaves.
    ("dynamic_shared_memory_type", "mmap"),
    ("log_min_messages", "warning"),
    ("log_line_prefix", "%m [%p] %u@%d "),
];

static SHARED: OnceLock<Option<Arc<Postgres>>> = OnceLock::new();

/// A server of its own. Stopped and removed when dropped.
pub struct Postgres {
    program: Program,
    directory: PathBuf,
    address: SocketAddr,
    settings: Vec<(String, String)>,
    variables: Vec<(&'static str, PathBuf)>,
    databases: AtomicU32,
    running: Mutex<Option<Running>>,
}

/// A new database, owned by [`ROLE`]. Removed when dropped, whoever is connected to it.
pub struct Database {
    pub name: String,
    pub url: String,
    server: Arc<Postgres>,
}

impl Postgres {
    /// The server that all tests of this program share, if PostgreSQL is installed.
    pub fn shared() -> Option<Arc<Self>> {
        SHARED.get_or_init(|| Self::new(&[])).clone()
    }

    /// A server of its own with these settings, if PostgreSQL is installed. It lies in memory where
    /// the system has such a place: a disk that nobody waits for.
    pub fn new(settings: &[(&str, &str)]) -> Option<Arc<Self>> {
        Self::new_in(&memory(), settings)
    }

    /// The same, under this clock.
    pub fn new_under(clock: &Clock, settings: &[(&str, &str)]) -> Option<Arc<Self>> {
        Self::made(&memory(), settings, clock.variables().to_vec())
    }

    /// As [`Postgres::new`], in a new directory below this one.
    pub fn new_in(place: &Path, settings: &[(&str, &str)]) -> Option<Arc<Self>> {
        Self::made(place, settings, Vec::new())
    }

    fn made(
        place: &Path,
        settings: &[(&str, &str)],
        variables: Vec<(&'static str, PathBuf)>,
    ) -> Option<Arc<Self>> {
        let program = Program::find()?;
        let mut server = Self::empty(program, place, settings);
        server.variables = variables;
        server.program.run(
            server
                .program
                .command("initdb")
                .args([
                    "--auth=trust",
                    "--no-locale",
                    "--encoding=UTF8",
                    "--no-sync",
                ])
                .args(["--username", SUPERUSER, "--pgdata"])
                .arg(server.data()),
        );
        server.start();
        server
            .psql("postgres", &format!("CREATE ROLE {ROLE} LOGIN"))
            .expect("a new role");
        Some(Arc::new(server))
    }

    /// A directory for a server, and its port.
    fn empty(program: Program, place: &Path, settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("grantor-postgres-")
            .tempdir_in(place)
            .expect("a directory");
        // Whoever watches the server removes it: that is done even if this program is killed.
        let directory = directory.keep();
        program.give(&directory);
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            program,
            directory,
            address: held_address(),
            settings: SETTINGS.iter().chain(settings).map(own).collect(),
            variables: Vec::new(),
            databases: AtomicU32::new(0),
            running: Mutex::new(None),
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a server that was stopped or killed, on the same data and port, and waits until it
    /// answers.
    pub fn start(&self) {
        let mut running = self.running();
        assert!(running.is_none(), "it runs already");
        let mut server = self.program.command("postgres");
        server.envs(self.variables.iter().map(|(name, path)| (name, path)));
        server.arg("-D").arg(self.data());
        let mut set = |name: &str, value: &str| {
            server.args(["-c", &format!("{name}={value}")]);
        };
        set("listen_addresses", &self.address.ip().to_string());
        set("port", &self.address.port().to_string());
        set(
            "unix_socket_directories",
            &self.directory.display().to_string(),
        );
        for (name, value) in &self.settings {
            set(name, value);
        }
        *running = Some(Running::start(
            &server,
            self.program.shell(),
            &self.directory,
        ));
        drop(running);
        let answers = || self.psql("postgres", "SELECT 1").is_ok();
        assert!(
            wait::blocking::comes(wait::PATIENCE, answers),
            "PostgreSQL does not answer: {}",
            self.log()
        );
    }

    /// Stops it in good order; who is connected is disconnected.
    pub fn stop(&self) {
        let running = self.running().take().expect("it runs");
        running.signal("INT");
        running.ended();
    }

    /// Kills every process of it at once, as a power failure would, and waits until they are gone.
    pub fn kill(&self) {
        let running = self.running().take().expect("it runs");
        // A stopped one starts no further process meanwhile.
        running.signal("STOP");
        running.signal_all("KILL");
        running.ended();
    }

    /// Every process of it stands still: nobody is disconnected, and nobody is answered.
    pub fn pause(&self) {
        let running = self.running();
        let running = running.as_ref().expect("it runs");
        running.signal("STOP");
        running.signal_all("STOP");
    }

    /// Goes on after [`Postgres::pause`].
    pub fn resume(&self) {
        let running = self.running();
        running.as_ref().expect("it runs").signal_all("CONT");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of its first process, if it runs.
    pub fn process(&self) -> Option<u32> {
        self.running().as_ref().map(Running::process)
    }

    /// Another program of this machine, run as the user that its own run as: never as root.
    pub fn as_its_user(&self, program: &str) -> Command {
        self.program.as_user(Command::new(program))
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// A new, empty database.
    pub fn database(self: &Arc<Self>) -> Database {
        self.database_with("")
    }

    /// A new, empty database, made with these clauses, such as `LOCALE_PROVIDER icu ICU_LOCALE 'fr'`.
    pub fn database_with(self: &Arc<Self>, clauses: &str) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let create = format!("CREATE DATABASE {name} OWNER {ROLE} TEMPLATE template0 {clauses}");
        self.psql("postgres", &create).expect("a new database");
        Database {
            url: format!("postgres://{ROLE}@{}/{name}", self.address),
            name,
            server: self.clone(),
        }
    }

    /// What psql answers to this as the superuser: values between `|`, one row a line.
    ///
    /// # Errors
    /// What the server says.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        self.psql_as(SUPERUSER, database, sql)
    }

    fn psql_as(&self, role: &str, database: &str, sql: &str) -> Result<String, String> {
        let options = "-c search_path=grantor,public";
        self.psql_with(options, role, database, sql)
    }

    /// With these options of the session. One that is not answered, as where a commit waits for a
    /// standby that is gone, is ended after a while.
    fn psql_with(
        &self,
        options: &str,
        role: &str,
        database: &str,
        sql: &str,
    ) -> Result<String, String> {
        let mut psql = limited();
        psql.arg(self.program.path("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-U", role, "-d", database])
            .args(["-h", &self.address.ip().to_string()])
            .args(["-p", &self.address.port().to_string()])
            .args(["-c", sql])
            .env("PGOPTIONS", options)
            .env("PGCONNECT_TIMEOUT", "5")
            .stdin(Stdio::null());
        let output = psql.output().expect("psql runs");
        let text = |octets: Vec<u8>| String::from_utf8(octets).expect("UTF-8");
        match output.status.success() {
            true => Ok(text(output.stdout).trim_end_matches('\n').to_owned()),
            false => Err(text(output.stderr)),
        }
    }

    /// A standby of this name, which has all that is committed here; each commit here waits for it
    /// from now on.
    pub fn standby(&self, name: &str) -> Arc<Self> {
        let place = self.directory.parent().expect("a directory above");
        let standby = Self::empty(self.program.clone(), place, &[]);
        let primary = format!(
            "host={} port={} user={SUPERUSER} application_name={name}",
            self.address.ip(),
            self.address.port()
        );
        let mut copy = self.program.command("pg_basebackup");
        copy.args(["--write-recovery-conf", "--wal-method=stream", "--no-sync"])
            .args(["--checkpoint=fast", "--dbname", &primary, "--pgdata"])
            .arg(standby.data());
        self.program.run(&mut copy);
        standby.start();
        self.set("synchronous_standby_names", name);
        let is_waited_for = || {
            let state = "SELECT 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')";
            self.psql("postgres", state).is_ok_and(|rows| rows == "1")
        };
        wait::blocking::until("the standby is waited for", is_waited_for);
        Arc::new(standby)
    }

    /// Sets this from now on, and after a restart.
    pub fn set(&self, name: &str, value: &str) {
        for sql in [
            &*format!("ALTER SYSTEM SET {name} = '{value}'"),
            "SELECT pg_reload_conf()",
        ] {
            self.psql("postgres", sql).expect("it is set");
        }
    }

    /// Puts a file beside its data that nobody else may read, such as `pg_hba.conf`, and has it read
    /// anew.
    pub fn put(&self, name: &str, content: &str) {
        let path = self.data().join(name);
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        self.program.give(&path);
        self.psql("postgres", "SELECT pg_reload_conf()")
            .expect("it is read");
    }

    /// Makes a primary of a standby.
    pub fn promote(&self) {
        let promoted = self.psql("postgres", "SELECT pg_promote()");
        assert_eq!(promoted.as_deref(), Ok("t"));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        match self.running().take() {
            Some(running) => running.remove(),
            // Already gone is fine.
            None => drop(fs::remove_dir_all(&self.directory)),
        }
    }
}

impl Database {
    /// A new database of the shared server. Where PostgreSQL is not installed, says that the test of
    /// this thread is skipped.
    pub fn of_test() -> Option<Self> {
        let server = Postgres::shared();
        if server.is_none() {
            skipped();
        }
        Some(server?.database())
    }

    /// Its server.
    pub fn server(&self) -> &Arc<Postgres> {
        &self.server
    }

    /// What psql answers to this as the role that owns the database: values between `|`, one row a
    /// line. Tables are found in the schema `grantor`. Several statements are one transaction.
    ///
    /// # Errors
    /// What the server says.
    pub fn psql(&self, sql: &str) -> Result<String, String> {
        self.server.psql_as(ROLE, &self.name, sql)
    }

    /// The octets of all its files, when everything is written there.
    pub fn on_disk(&self) -> Vec<u8> {
        let ask = |sql: &str| self.server.psql(&self.name, sql).expect("an answer");
        ask("CHECKPOINT");
        let number = ask("SELECT oid FROM pg_database WHERE datname = current_database()");
        let files = fs::read_dir(self.server.data().join("base").join(number));
        let files = files.expect("its directory").map(|file| {
            let path = file.expect("a file").path();
            fs::read(path).expect("a readable file")
        });
        files.flatten().collect()
    }

    /// Its URL through another address, such as a [`Cut`]'s.
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://{ROLE}@{address}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let is_running = self.server.running().is_some();
        if is_running {
            let remove = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            // A standby that it would wait for may be gone already. What remains goes with the server.
            let options = "-c synchronous_commit=local";
            let _ = (self.server).psql_with(options, SUPERUSER, "postgres", &remove);
        }
    }
}

/// A place in memory, where there is one.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => memory.to_owned(),
        false => std::env::temp_dir(),
    }
}

/// Runs the program that is its first argument, and ends it when it takes too long.
fn limited() -> Command {
    let mut limited = Command::new("timeout");
    limited.arg((3 * wait::PATIENCE).as_secs().to_string());
    limited
}

/// Says that the test of this thread is skipped, past the test program's capture.
pub fn skipped() {
    skipped_for("PostgreSQL is not installed");
}

/// The same, for another reason.
pub fn skipped_for(why: &str) {
    use std::io::Write as _;
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

#[cfg(test)]
mod tests;
