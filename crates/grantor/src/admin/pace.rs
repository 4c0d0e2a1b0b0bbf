//! Long computations that rest now and then, so that whoever polls them can end them there, and
//! others come in between.

use tokio::task::yield_now;

/// Steps between two rests: some milliseconds.
const STEPS: u32 = 32;

/// The steps of a computation.
#[derive(Debug, Default)]
pub(super) struct Pace {
    steps: u32,
}

impl Pace {
    /// Counts a step, and rests after some of them.
    pub async fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS) {
            yield_now().await;
        }
    }
}
