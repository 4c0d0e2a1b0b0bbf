//! The laws of storage, written once, run by every backend: a suite for each port, and
//! `grantor::store_suite!(make)` for a backend with all of them.
//!
//! `make` is an async function that takes how many handles of one new, empty backend it is to
//! make: connections of their own, as several nodes have them, or clones. It answers them in a
//! `Vec<Arc<_>>`, and a guard that is dropped after the law (a temporary directory, or nothing).
//! Where the backend's server is not on this machine it answers none: the law says `SKIPPED` on
//! standard error, past the test program's capture, and is not tried.
//! The steps of a law are spread over two handles: what one does counts at the other.

pub mod artifact;
pub mod issuer_replay;
pub mod keys;
pub mod log;
pub mod permission_use;
mod person;
pub mod registry;
pub mod replay;
pub mod statistics;

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use super::DEFAULT_REPLAY_QUOTA;
use crate::{
    clock::UnixTime,
    types::{ClientId, SubjectId},
};

/// Generates one test for each law of each port. See [`conformance`](crate::storage::conformance).
#[macro_export]
macro_rules! store_suite {
    ($make:path) => {
        $crate::registry_suite!($make);
        $crate::replay_suite!($make);
        $crate::artifact_suite!($make);
        $crate::log_suite!($make);
        $crate::statistics_suite!($make);
        $crate::permission_use_suite!($make);
        $crate::issuer_replay_suite!($make);
        $crate::key_suite!($make);
    };
}

/// Generates a test for each law, or a future that tries them one after the other.
#[doc(hidden)]
#[macro_export]
macro_rules! laws {
    (tests $suite:ident $make:path: $($law:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let (nodes, _guard) = $make(2).await;
                if let Some(two) = $crate::storage::conformance::two(stringify!($law), nodes) {
                    $crate::storage::conformance::$suite::$law(two).await;
                }
            }
        )*
    };
    (run $suite:ident $make:path: $($law:ident)*) => {
        async {
            $({
                let (nodes, _guard) = $make(2).await;
                if let Some(two) = $crate::storage::conformance::two(stringify!($law), nodes) {
                    $crate::storage::conformance::$suite::$law(two).await;
                }
            })*
        }
    };
}

/// Two handles of one backend.
pub type Two<S> = [Arc<S>; 2];

/// The two handles that were asked for, unless there is no such backend on this machine.
#[doc(hidden)]
pub fn two<S>(law: &str, nodes: Vec<Arc<S>>) -> Option<Two<S>> {
    if nodes.is_empty() {
        let _ = writeln!(io::stderr(), "SKIPPED {law}: there is no such backend here");
        return None;
    }
    let mut nodes = nodes.into_iter();
    Some([(); 2].map(|()| nodes.next().expect("as many handles as were asked for")))
}

/// The time at which the laws are tried: a backend that has a clock gets one that says so.
pub const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);
const QUOTA: u64 = DEFAULT_REPLAY_QUOTA;

/// So many seconds after [`NOW`].
fn at(seconds: u64) -> UnixTime {
    NOW.plus(Duration::from_secs(seconds))
}

fn id(text: &str) -> ClientId {
    ClientId::parse(text).expect("a client id")
}

fn subject_id(text: &str) -> SubjectId {
    SubjectId::parse(text).expect("a subject id")
}

/// Asks until it is so, or fails after a second: the bound within which what one node changes is
/// in force at every other.
#[expect(
    clippy::disallowed_methods,
    reason = "another node tells nobody when a change has reached it"
)]
async fn within_a_second(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "not within a second: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
