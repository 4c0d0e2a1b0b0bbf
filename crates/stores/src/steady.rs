//! A clock for removing what has ended: it cannot run ahead for a moment and take along what is
//! still in force.

use std::time::{Duration, Instant};

use grantor::clock::UnixTime;

/// How much faster than time the operating system's clock may be.
const SLACK: Duration = Duration::from_secs(1);
/// How long the clock has to stay ahead before it is believed.
const BELIEVED_AFTER: Duration = Duration::from_secs(600);

/// The latest time that is believed.
pub(crate) struct Steady {
    believed: UnixTime,
    at: Instant,
    ahead_since: Option<Instant>,
}

impl Steady {
    /// The clock as it is at a start is believed: nothing is known that says otherwise.
    pub(crate) fn new(now: UnixTime, at: Instant) -> Self {
        Self {
            believed: now,
            at,
            ahead_since: None,
        }
    }

    /// What is believed where the clock says `now`: as much, unless it went ahead by more than time
    /// did, and for less than ten minutes.
    pub(crate) fn believe(&mut self, now: UnixTime, at: Instant) -> UnixTime {
        let possible = self.believed.plus(at.saturating_duration_since(self.at));
        let is_ahead = now > possible.plus(SLACK);
        self.ahead_since = if is_ahead {
            self.ahead_since.or(Some(at))
        } else {
            None
        };
        let stays = self
            .ahead_since
            .is_some_and(|since| at.saturating_duration_since(since) >= BELIEVED_AFTER);
        self.believed = if is_ahead && !stays { possible } else { now };
        self.at = at;
        self.believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    #[test]
    fn a_clock_that_runs_ahead_is_not_believed_before_it_stays_there() {
        let begin = Instant::now();
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        let mut steady = Steady::new(START, begin);
        assert_eq!(
            steady.believe(START.plus(second), begin + second),
            START.plus(second)
        );
        assert_eq!(
            steady.believe(START.plus(2 * hour), begin + 2 * second),
            START.plus(2 * second),
            "two hours in a second"
        );
        assert_eq!(
            steady.believe(START.plus(3 * second), begin + 3 * second),
            START.plus(3 * second),
            "and back"
        );
        let ahead = |seconds: u32| {
            (
                START.plus(2 * hour + seconds * second),
                begin + seconds * second,
            )
        };
        for seconds in [4, 100, 603] {
            let (now, at) = ahead(seconds);
            assert_eq!(
                steady.believe(now, at),
                START.plus(seconds * second),
                "{seconds}"
            );
        }
        let (now, at) = ahead(604);
        assert_eq!(steady.believe(now, at), now, "ten minutes later");
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed() {
        let begin = Instant::now();
        let mut steady = Steady::new(START.plus(Duration::from_secs(60)), begin);
        assert_eq!(steady.believe(START, begin + Duration::from_secs(1)), START);
    }
}
