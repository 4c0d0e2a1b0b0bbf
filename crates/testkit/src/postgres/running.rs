//! A server that runs, and the shell beside it that stops it when this program is gone.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use crate::wait;

/// Starts the server, says its process id, and waits for a line or the end of its input. At the end,
/// which comes with that of the program that it was started by, the server and its directory go.
const WATCH: &str = r#"
"$@" >>"$0/log" 2>&1 </dev/null &
server=$!
echo $server
exec >/dev/null 2>&1
if read -r _; then wait $server; else kill -QUIT $server; wait $server; rm -rf "$0"; fi
"#;

pub(super) struct Running {
    watch: Child,
    input: ChildStdin,
    server: u32,
}

impl Running {
    /// Starts this server from this shell, which runs as the user that the directory belongs to.
    pub(super) fn start(server: &Command, mut watch: Command, directory: &Path) -> Self {
        watch
            .args(["-c", WATCH])
            .arg(directory)
            .arg(server.get_program())
            .args(server.get_args())
            .envs(
                server
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What is typed at a terminal is not for it.
            .process_group(0);
        let mut watch = watch.spawn().expect("a shell");
        let mut line = String::new();
        BufReader::new(watch.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        Self {
            input: watch.stdin.take().expect("a pipe"),
            watch,
            server: line.trim().parse().expect("a process id"),
        }
    }

    /// Signals the first process, which starts all others.
    pub(super) fn signal(&self, name: &str) {
        signal(name, &[self.server]);
    }

    /// The id of the first process, which starts all others.
    pub(super) fn process(&self) -> u32 {
        self.server
    }

    /// Signals every process.
    pub(super) fn signal_all(&self, name: &str) {
        let mut all = children(self.server);
        all.push(self.server);
        signal(name, &all);
        if name == "KILL" {
            wait::blocking::until("they are gone", || !all.iter().any(|one| is_alive(*one)));
        }
    }

    /// Waits for its end, which has been asked for. Its directory stays.
    pub(super) fn ended(mut self) {
        self.input.write_all(b"\n").expect("the shell listens");
        self.watch.wait().expect("the shell ends");
    }

    /// Stops it, and removes its directory.
    pub(super) fn remove(self) {
        let Self {
            mut watch, input, ..
        } = self;
        // One that stands still would not hear that it is to stop.
        let mut all = children(self.server);
        all.push(self.server);
        signal("CONT", &all);
        drop(input);
        watch.wait().expect("the shell ends");
    }
}

fn signal(name: &str, processes: &[u32]) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).stderr(Stdio::null());
    kill.args(processes.iter().map(u32::to_string));
    // One that has ended meanwhile is fine.
    let _ = kill.status().expect("kill runs");
}

/// The processes that this one has started.
fn children(of: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("the processes");
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number| status(*number).is_some_and(|(_, parent)| parent == of))
        .collect()
}

fn is_alive(process: u32) -> bool {
    // One that nobody has asked how it ended is gone, too.
    status(process).is_some_and(|(state, _)| state != "Z")
}

/// The state and the parent of a process.
fn status(process: u32) -> Option<(String, u32)> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = status.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.to_owned();
    Some((state, fields.next()?.parse().ok()?))
}
