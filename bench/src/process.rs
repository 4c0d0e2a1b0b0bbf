//! A server under test as the operating system sees it: a process and those it has started, their
//! time and their memory.

use std::{
    collections::HashMap,
    error::Error,
    fs::{self, File},
    io::Write as _,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use grantor_testkit::postgres::Postgres;

/// How long a server may take until it accepts connections: with millions of registrations, some
/// seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Killed when dropped.
pub struct Process {
    child: Child,
    /// The first process of the database server that it asks.
    database: Option<u32>,
    address: SocketAddr,
    spawned: Instant,
    log: PathBuf,
}

impl Process {
    /// Starts a server, tells it `input` on its standard input, and waits until it accepts
    /// connections at `address`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a program tells nobody when it listens, and how soon it does is measured"
    )]
    pub fn start(
        command: &mut Command,
        input: &str,
        address: SocketAddr,
        log: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let spawned = Instant::now();
        let file = File::create(log)?;
        command
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command
            .spawn()
            .map_err(|error| format!("{:?}: {error}", command.get_program()))?;
        let mut process = Self {
            child,
            database: None,
            address,
            spawned,
            log: log.to_owned(),
        };
        if let Some(stdin) = &mut process.child.stdin {
            // One that has already ended is noticed below.
            let _ = writeln!(stdin, "{input}");
        }
        while TcpStream::connect(address).is_err() {
            if spawned.elapsed() > PATIENCE || process.child.try_wait()?.is_some() {
                return Err(format!(
                    "{:?} does not accept connections: {}",
                    command.get_program(),
                    process.said()
                )
                .into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(process)
    }

    /// It asks this database server.
    pub fn asks(&mut self, server: &Postgres) -> Result<(), Box<dyn Error>> {
        let first = server.process().ok_or("PostgreSQL does not run")?;
        self.database = Some(first);
        Ok(())
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When it was started.
    pub fn spawned(&self) -> Instant {
        self.spawned
    }

    /// What it wrote: its last kilobytes.
    pub fn said(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.get(log.len().saturating_sub(2000)..)
            .unwrap_or(&log)
            .to_owned()
    }

    /// User and system time so far, of all threads of all its processes.
    pub fn cpu_time(&self) -> Result<Duration, Box<dyn Error>> {
        family(self.child.id())?.into_iter().map(cpu_time).sum()
    }

    /// The same of the database server that it asks; nothing where it has none.
    pub fn database_time(&self) -> Result<Duration, Box<dyn Error>> {
        let Some(first) = self.database else {
            return Ok(Duration::ZERO);
        };
        family(first)?.into_iter().map(cpu_time).sum()
    }

    /// Resident memory in KiB; pages that several of its processes share count once.
    pub fn resident_kib(&self) -> Result<u64, Box<dyn Error>> {
        match family(self.child.id())?.as_slice() {
            [only] => kib(*only, "status", "VmRSS:"),
            several => several
                .iter()
                .map(|process| kib(*process, "smaps_rollup", "Pss:"))
                .sum(),
        }
    }
}

/// A process and its descendants.
fn family(first: u32) -> Result<Vec<u32>, Box<dyn Error>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // One that has ended meanwhile is nobody's child.
        let Ok(stat) = stat(process) else { continue };
        children
            .entry(
                stat.get(1)
                    .and_then(|parent| parent.parse().ok())
                    .unwrap_or_default(),
            )
            .or_default()
            .push(process);
    }
    let mut family = vec![first];
    let mut next = 0;
    while let Some(parent) = family.get(next) {
        family.extend(children.remove(parent).unwrap_or_default());
        next += 1;
    }
    Ok(family)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system time of a process so far, all threads, with those of children it has waited for
/// (proc_pid_stat(5), fields 14 to 17).
pub fn cpu_time(process: u32) -> Result<Duration, Box<dyn Error>> {
    let ticks: u64 = stat(process)?
        .iter()
        .skip(11)
        .take(4)
        .map(|field| field.parse::<u64>())
        .sum::<Result<_, _>>()?;
    // USER_HZ, which Linux fixes at 100 for every process that looks.
    Ok(Duration::from_millis(ticks * 10))
}

/// The fields of `/proc/PID/stat` from the third on: the second may hold anything.
fn stat(process: u32) -> Result<Vec<String>, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat
        .rsplit_once(") ")
        .ok_or("unexpected format of /proc/PID/stat")?;
    Ok(fields.split(' ').map(str::to_owned).collect())
}

fn kib(process: u32, file: &str, name: &str) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(format!("/proc/{process}/{file}"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or_else(|| format!("no {name} in /proc/PID/{file}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
