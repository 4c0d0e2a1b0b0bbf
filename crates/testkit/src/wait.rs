//! Waiting for what happens in the background: until it is so, and not for a time.

use std::time::Duration;

/// How long a thing may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOKS: u32 = 1000;

/// Looks until it is so; fails after ten seconds.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..LOOKS {
        if is_so().await {
            return;
        }
        tokio::time::sleep(PATIENCE / LOOKS).await;
    }
    unreachable!("not so within {PATIENCE:?}: {what}");
}
