//! Where PostgreSQL's programs are, and as whom they run: never as root.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The programs of one version.
#[derive(Clone)]
pub(super) struct Program {
    directory: PathBuf,
    user: Option<User>,
}

/// A user of this machine.
#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl Program {
    /// Those of the search path, else of the newest version where Debian puts them.
    pub(super) fn find() -> Option<Self> {
        let directory = of_search_path().or_else(newest_of_debian)?;
        let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        // The package has made this user.
        let user = is_root.then(|| User::called("postgres").expect("the user postgres"));
        Some(Self { directory, user })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// One of the programs, run as the user that may run a server.
    pub(super) fn command(&self, name: &str) -> Command {
        self.as_user(Command::new(self.path(name)))
    }

    /// A shell, run as the same user.
    pub(super) fn shell(&self) -> Command {
        self.as_user(Command::new("sh"))
    }

    /// Has it run as the user that may run a server.
    pub(super) fn as_user(&self, mut command: Command) -> Command {
        command.current_dir("/").stdin(Stdio::null());
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs it to its end, which has to be a good one.
    pub(super) fn run(&self, command: &mut Command) {
        let output = command.output().expect("the program runs");
        assert!(
            output.status.success(),
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Makes this the directory of that user.
    pub(super) fn give(&self, directory: &Path) {
        if let Some(User { uid, gid }) = self.user {
            chown(directory, Some(uid), Some(gid)).expect("the directory's owner");
        }
    }
}

impl User {
    fn called(name: &str) -> Option<Self> {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let fields = users.lines().map(|line| line.split(':'));
        fields.into_iter().find_map(|mut fields| {
            let is_it = fields.next() == Some(name);
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            is_it.then_some(Self { uid, gid })
        })
    }
}

fn has_server(directory: &Path) -> bool {
    ["postgres", "initdb", "psql", "pg_basebackup"]
        .iter()
        .all(|name| directory.join(name).is_file())
}

#[expect(
    clippy::disallowed_methods,
    reason = "where programs are is told by the environment"
)]
fn of_search_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|directory| has_server(directory))
}

fn newest_of_debian() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let versions = versions.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let directory = entry.path().join("bin");
        has_server(&directory).then_some((version, directory))
    });
    versions.max().map(|(_, directory)| directory)
}
