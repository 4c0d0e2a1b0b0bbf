//! Which registration a name stands for, and which state of it was read.

/// Tells a registration from a later one of the same name, and a state of it from the next.
///
/// A backend fills it in. A registration made by hand has the default, which no stored one has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Revision {
    /// Given when the registration is made, and never again: from 1 on.
    pub number: u64,
    /// Grows with each change: from 1 on.
    pub version: u64,
}

impl Revision {
    /// As a backend has stored it.
    pub fn new(number: u64, version: u64) -> Self {
        Self { number, version }
    }

    /// The first state of a registration.
    pub fn first(number: u64) -> Self {
        Self::new(number, 1)
    }

    /// The state after a change.
    #[must_use]
    pub fn next(self) -> Self {
        Self {
            version: self.version + 1,
            ..self
        }
    }
}
