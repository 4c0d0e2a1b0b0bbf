//! What the tests of every engine begin with.

use std::time::Duration;

use grantor::types::ClientId;
use grantor_testkit::wait;

pub fn id(text: &str) -> ClientId {
    ClientId::parse(text).expect("a client id")
}

/// Asks until it is so, or fails after a second: the bound within which a change by another process
/// is in force.
#[track_caller]
pub fn within_a_second(is_so: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    wait::within(Duration::from_secs(1), "in force", is_so)
}
