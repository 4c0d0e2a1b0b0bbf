//! How many there are of something, of which a page reads no more than a portion.

/// How many there are, as far as that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub number: u64,
    /// Whether there are more.
    pub has_more: bool,
}

impl Count {
    /// As many as were read, and more where there is a next portion.
    pub fn new(read: usize, next: Option<&String>) -> Self {
        Self {
            number: u64::try_from(read).unwrap_or(u64::MAX),
            has_more: next.is_some(),
        }
    }
}
