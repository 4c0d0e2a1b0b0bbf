//! Medians, how far the runs lie apart, and how two things that were measured in turns compare.

/// What several runs measured of one thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// NaN for no runs.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self {
            median: at(values.len() / 2),
            least: at(0),
            most: at(values.len().saturating_sub(1)),
        }
    }
}

/// How many times as much the first is as the second: the median of what it was in each round,
/// because the machine's speed changes from one round to the next.
pub fn times(first: impl IntoIterator<Item = f64>, second: impl IntoIterator<Item = f64>) -> f64 {
    Spread::of(
        first
            .into_iter()
            .zip(second)
            .map(|(first, second)| first / second),
    )
    .median
}
