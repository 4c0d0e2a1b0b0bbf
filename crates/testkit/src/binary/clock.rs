//! A clock that can be set: a library that is loaded before the system's, and adds to its wall
//! clock what a file says.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use tempfile::TempDir;

use super::{Server, database};

const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Milliseconds, in a file that is mapped: what is written there is in force at once. */
static const volatile int64_t *offset;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) offset = page;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (failed || !offset || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
    int64_t nanoseconds = time->tv_nsec + (*offset % 1000) * 1000000;
    time->tv_sec += *offset / 1000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
    time->tv_nsec = (nanoseconds + 1000000000) % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A clock for servers and commands.
pub struct Clock {
    directory: TempDir,
}

impl Clock {
    /// Compiles the library.
    ///
    /// # Errors
    /// Why there is none: no compiler, or another system.
    pub fn new() -> Result<Self, String> {
        let clock = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        // Servers of another user are under it, too.
        let all_may_read = fs::Permissions::from_mode(0o755);
        fs::set_permissions(clock.directory.path(), all_may_read).expect("its mode");
        fs::write(clock.path("clock.c"), SOURCE).expect("a file");
        clock.write(0);
        let mut compiler = Command::new("cc");
        compiler
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(clock.library())
            .arg(clock.path("clock.c"));
        let output = compiler.output().map_err(|error| format!("cc: {error}"))?;
        match output.status.success() {
            true => Ok(clock),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn library(&self) -> PathBuf {
        self.path("clock.so")
    }

    /// Sets the clock of every process under it, so many seconds ahead of the true time.
    pub fn set(&self, seconds: i64) {
        database::stepping(self, || self.write(seconds));
    }

    fn write(&self, seconds: i64) {
        use std::os::unix::fs::FileExt as _;
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path("offset"))
            .expect("a file");
        // In place and at once: a file cut short would end who has it mapped.
        file.write_all_at(&(seconds * 1000).to_ne_bytes(), 0)
            .expect("written");
    }

    /// Where it is written how far ahead of the true time this clock is: in milliseconds, as eight
    /// octets in the order of this machine.
    pub fn offset(&self) -> PathBuf {
        self.path("offset")
    }

    /// What puts a program under it.
    pub fn variables(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("LD_PRELOAD", self.library()),
            ("CLOCK_OFFSET", self.offset()),
        ]
    }

    /// Ends the server, and starts it under this clock.
    ///
    /// # Panics
    /// Where its database is one of PostgreSQL that is not under this clock, see
    /// [`Server::start_under`]: a node by another clock than its database's is not ready.
    pub fn restart(&self, mut server: Server) -> Server {
        assert!(
            database::may_be_under(&server.data(), self),
            "its database is under another clock"
        );
        server.kill();
        let variables = self.variables();
        let variables = variables.each_ref().map(|(name, path)| (*name, &**path));
        server.restart_in("exec \"$0\" \"$@\"", &variables)
    }

    /// Has a command run under this clock.
    pub fn over<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.envs(self.variables())
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        database::remove_those_under(self);
    }
}
