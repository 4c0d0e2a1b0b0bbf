//! Work that takes long, behind everything else that wants a core.

use std::{io, thread};

use rustix::process::{getpriority_process, setpriority_process};
use tokio::sync::oneshot;

/// How far such a thread steps back: beside others that want the core it gets a tenth of it.
const BACK: i32 = 10;
/// The lowest priority that there is.
const LAST: i32 = 19;

/// Does `work` on a thread of its own, of lower priority than those that answer requests for tokens
/// (what operators ask for may take seconds, and what clients ask for may not wait for it). The work
/// goes on where nobody waits for it any more.
///
/// # Errors
/// No thread can be had, or `work` panics.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, answer) = oneshot::channel();
    let work = move || {
        step_back();
        // Nobody may wait any more.
        let _ = done.send(work());
    };
    thread::Builder::new()
        .name("aside".to_owned())
        .spawn(work)?;
    let defect = |_| io::Error::other("a defect ended it before it was done");
    answer.await.map_err(defect)
}

/// Lowers the priority of this thread. Where that cannot be done, it works as others do.
fn step_back() {
    // To Linux, a process without an id is the thread that asks.
    if let Ok(priority) = getpriority_process(None) {
        let _ = setpriority_process(None, (priority + BACK).min(LAST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn m016_what_takes_long_has_a_lower_priority_and_others_keep_theirs() {
        let own = || getpriority_process(None).expect("a priority");
        let before = own();
        let there = aside(own).await.expect("a thread");
        assert_eq!(there, (before + BACK).min(LAST));
        assert_eq!(own(), before);
    }

    #[tokio::test]
    async fn a_panic_is_told_to_whoever_waits() {
        let error: io::Result<()> = aside(|| panic!("as it has to")).await;
        let error = error.expect_err("it panicked");
        assert_eq!(error.kind(), io::ErrorKind::Other);
    }
}
