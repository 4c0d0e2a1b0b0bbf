//! When a connection that could not be opened is tried again: after a while that differs from node
//! to node, so that a server that comes back is not asked by all at once.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use grantor::jose::crypto::random_bytes;

use super::error::Failure;

/// Shortest wait.
const SHORTEST: Duration = Duration::from_millis(50);
/// Longest wait after the first failure; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(200);
/// Longest wait while the server cannot be reached: it serves within 2 s once it can.
const LONGEST: Duration = Duration::from_millis(750);
/// Longest wait where the server has too many clients already: others have to go first.
const LONGEST_FULL: Duration = Duration::from_secs(2);

/// A pause before something is asked again.
#[expect(
    clippy::disallowed_methods,
    reason = "what others write or set, and whether a server is back, tells nobody"
)]
pub(super) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Why a server took no connection.
#[derive(Clone, Copy)]
pub(super) enum Reason {
    /// It does not answer.
    Away,
    /// It has too many clients already.
    Full,
}

/// The failures of one line, until one attempt succeeds.
#[derive(Default)]
pub(super) struct Backoff(Mutex<Option<Failed>>);

struct Failed {
    again_at: Instant,
    /// The longest wait after the next failure.
    ceiling: Duration,
    cause: String,
}

impl Backoff {
    /// Whether it may be tried now. Whoever may not is told at once: a request does not wait for
    /// another's attempt and then for its own.
    ///
    /// # Errors
    /// Unavailable, with what the last attempt failed by.
    pub(super) fn may_try(&self, now: Instant) -> Result<(), Failure> {
        match &*self.failed() {
            Some(failed) if now < failed.again_at => {
                let text = format!("no connection, tried again soon: {}", failed.cause);
                Err(Failure::unavailable(text))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// It is open.
    pub(super) fn succeeded(&self) {
        *self.failed() = None;
    }

    /// It could not be opened.
    pub(super) fn failed_by(&self, cause: String, reason: Reason, now: Instant) {
        let mut failed = self.failed();
        let (ceiling, longest) = match (reason, &*failed) {
            (Reason::Full, _) => (LONGEST_FULL, LONGEST_FULL),
            (Reason::Away, Some(failed)) => (failed.ceiling.min(LONGEST), LONGEST),
            (Reason::Away, None) => (FIRST, LONGEST),
        };
        *failed = Some(Failed {
            again_at: now + at_random(SHORTEST, ceiling),
            ceiling: (ceiling * 2).min(longest),
            cause,
        });
    }

    fn failed(&self) -> std::sync::MutexGuard<'_, Option<Failed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Between these two.
fn at_random(shortest: Duration, longest: Duration) -> Duration {
    let share = f64::from(u32::from_ne_bytes(random_bytes())) / f64::from(u32::MAX);
    shortest + longest.saturating_sub(shortest).mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s083_a_failed_attempt_is_repeated_after_50_ms_to_2_s() {
        let now = Instant::now();
        let (mut longest, mut shortest) = (Duration::ZERO, Duration::MAX);
        for _ in 0..500 {
            let backoff = Backoff::default();
            assert!(backoff.may_try(now).is_ok(), "the first attempt");
            for _ in 0..8 {
                backoff.failed_by("refused".to_owned(), Reason::Away, now);
                assert!(backoff.may_try(now + SHORTEST / 2).is_err());
                assert!(backoff.may_try(now + LONGEST).is_ok());
            }
            backoff.failed_by("too many clients".to_owned(), Reason::Full, now);
            assert!(backoff.may_try(now + LONGEST_FULL).is_ok());
            let again_at = backoff.failed().as_ref().map(|failed| failed.again_at);
            let wait = again_at.expect("it failed") - now;
            longest = longest.max(wait);
            shortest = shortest.min(wait);
            backoff.succeeded();
            assert!(backoff.may_try(now).is_ok());
        }
        assert!(longest > LONGEST, "{longest:?}");
        assert!(shortest < Duration::from_millis(300), "{shortest:?}");
    }
}
