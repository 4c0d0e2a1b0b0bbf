//! Waiting for what happens elsewhere: until it is so, and not for a time. Tests sleep here alone,
//! between two looks.

use std::time::{Duration, Instant};

/// How long a thing may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until it is so; fails after twenty seconds.
pub async fn until(what: &str, is_so: impl AsyncFnMut() -> bool) {
    within(PATIENCE, what, is_so).await;
}

/// Looks until it is so; fails when it is not after `limit`.
#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for tells nobody when it happens"
)]
pub async fn within(limit: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < limit, "not so within {limit:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same for threads.
pub mod blocking {
    use super::{Duration, Instant, PATIENCE, PAUSE};

    /// Looks until it is so; fails after twenty seconds.
    pub fn until(what: &str, is_so: impl FnMut() -> bool) {
        within(PATIENCE, what, is_so);
    }

    /// Looks until it is so; fails when it is not after `limit`.
    pub fn within(limit: Duration, what: &str, is_so: impl FnMut() -> bool) {
        assert!(comes(limit, is_so), "not so within {limit:?}: {what}");
    }

    /// Looks until it is so, or until `limit` is over; answers whether it is.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is waited for tells nobody when it happens"
    )]
    pub fn comes(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
        let started = Instant::now();
        loop {
            if is_so() {
                return true;
            }
            if started.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(PAUSE);
        }
    }
}
