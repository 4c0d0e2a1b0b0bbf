//! The way of log lines to standard error: a bounded queue, and one thread that writes.
//!
//! Logging never fails, never blocks and never panics. A line that standard error does not take, or
//! that finds the queue full, is lost and counted. A full disk, a closed pipe or a reader that
//! stalls costs log lines, never an answer.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
    os::fd::AsFd as _,
    sync::{
        Condvar, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Most lines that wait.
const MOST_LINES: usize = 8192;
/// Most octets that wait.
const MOST_OCTETS: usize = 4 * 1024 * 1024;
/// How often at most the number of lost lines is told.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Pause before a non-blocking standard error, which was full, is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(10);
/// Longest wait at the end of the process for lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The queue of this process: there is one standard error.
static LINES: Lines = Lines::new();

/// Lines lost since the start of the process.
pub fn lost() -> u64 {
    LINES.lost.load(Ordering::Relaxed)
}

/// Writes the lines that wait, within a second, when it is dropped: at the end of the process, also
/// by a panic.
#[must_use]
pub struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        LINES.flush(FLUSH_TIMEOUT);
    }
}

/// Hands lines to the queue, one for each write. It never answers an error, which the subscriber
/// would print to standard error itself, and panic if that is closed.
#[derive(Clone, Copy, Debug)]
pub struct ToStandardError;

impl Write for ToStandardError {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| LINES.start());
        LINES.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A bounded queue of lines.
struct Lines {
    waiting: Mutex<Waiting>,
    /// There are lines.
    filled: Condvar,
    /// There are none, and none is being written.
    emptied: Condvar,
    lost: AtomicU64,
}

struct Waiting {
    lines: VecDeque<Vec<u8>>,
    octets: usize,
    is_writing: bool,
}

impl Lines {
    const fn new() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                lines: VecDeque::new(),
                octets: 0,
                is_writing: false,
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            lost: AtomicU64::new(0),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.lines.len() >= MOST_LINES || waiting.octets + line.len() > MOST_OCTETS {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.octets += line.len();
        waiting.lines.push_back(line.to_vec());
        drop(waiting);
        self.filled.notify_one();
    }

    /// The next line, once there is one.
    fn next(&self) -> Vec<u8> {
        let mut waiting = self.waiting();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                waiting.octets -= line.len();
                waiting.is_writing = true;
                return line;
            }
            waiting.is_writing = false;
            self.emptied.notify_all();
            waiting = self
                .filled
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until all lines are written, but no longer than `timeout`.
    fn flush(&self, timeout: Duration) {
        let is_busy = |waiting: &mut Waiting| waiting.is_writing || !waiting.lines.is_empty();
        drop(
            self.emptied
                .wait_timeout_while(self.waiting(), timeout, is_busy),
        );
    }

    /// Starts the thread that writes. Where it cannot be started, or there is no standard error,
    /// all lines are lost in the end.
    fn start(&'static self) {
        // Its own handle: whoever prints to standard error otherwise must not wait for a lock that
        // a stalled reader holds.
        let Ok(own) = io::stderr().as_fd().try_clone_to_owned() else {
            return;
        };
        let thread = thread::Builder::new().name("log".to_owned());
        drop(thread.spawn(move || self.write_all_to(File::from(own))));
    }

    fn write_all_to(&self, file: File) {
        let mut end = Sink {
            file,
            is_torn: false,
        };
        let (mut told, mut told_at) = (0, None::<Instant>);
        loop {
            let line = self.next();
            if end.write_line(&line).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let lost = self.lost.load(Ordering::Relaxed);
            if lost > told && told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                tracing::warn!(lost = lost - told, "{} log lines were lost", lost - told);
                (told, told_at) = (lost, Some(Instant::now()));
            }
        }
    }
}

/// Where lines go.
struct Sink<W> {
    file: W,
    /// The last line was written in part.
    is_torn: bool,
}

impl<W: Write> Sink<W> {
    /// Writes a line; after one that was cut off, on a new line.
    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.write_octets(b"\n")?;
            self.is_torn = false;
        }
        self.write_octets(line)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a reader of the log tells nobody that there is room"
    )]
    fn write_octets(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            match self.file.write(octets) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    octets = &octets[written..];
                    self.is_torn = !octets.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(FULL_PAUSE);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_in_lines_and_in_octets_and_the_rest_is_counted() {
        for (line, most) in [
            (&b"a line\n"[..], MOST_LINES),
            (&[b'a'; 64 * 1024], MOST_OCTETS / (64 * 1024)),
        ] {
            let lines = Lines::new();
            (0..most + 5).for_each(|_| lines.push(line));
            assert_eq!(
                (
                    lines.waiting().lines.len(),
                    lines.lost.load(Ordering::Relaxed)
                ),
                (most, 5)
            );
            lines.next();
            lines.push(b"b");
            assert_eq!(lines.waiting().lines.len(), most, "there is room again");
        }
    }

    /// Takes so many octets, then is full until it is emptied.
    struct Small {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Small {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let some = octets.len().min(self.room - self.taken.len());
            self.taken.extend(&octets[..some]);
            if some == 0 {
                Err(io::ErrorKind::StorageFull.into())
            } else {
                Ok(some)
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_behind_one_that_was_cut_off_begins_a_new_one() {
        let mut end = Sink {
            file: Small {
                taken: Vec::new(),
                room: 10,
            },
            is_torn: false,
        };
        assert!(end.write_line(b"first\n").is_ok());
        assert!(end.write_line(b"second\n").is_err());
        assert!(end.write_line(b"third\n").is_err());
        end.file.room = 100;
        assert!(end.write_line(b"fourth\n").is_ok() && end.write_line(b"fifth\n").is_ok());
        assert_eq!(
            String::from_utf8_lossy(&end.file.taken),
            "first\nseco\nfourth\nfifth\n"
        );
    }

    #[test]
    fn flushing_ends_when_nothing_writes() {
        let lines = Lines::new();
        lines.flush(Duration::ZERO);
        lines.push(b"a line\n");
        let started = Instant::now();
        lines.flush(Duration::from_millis(50));
        assert!(
            started.elapsed() >= Duration::from_millis(50) && !lines.waiting().lines.is_empty()
        );
    }
}
