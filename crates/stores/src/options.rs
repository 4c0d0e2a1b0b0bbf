//! What may be chosen of every store, whichever database is behind it.

use std::time::Duration;

use crate::waiting::DecisionRow;

/// Whether a database is made where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Create {
    /// With a master key and a signing key.
    #[default]
    IfMissing,
    /// A mistyped directory leaves nothing behind.
    Never,
}

/// Who removes what has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upkeep {
    /// This store, as long as it is open.
    #[default]
    Here,
    /// Servers: a command that is run for a moment, perhaps with another clock than theirs, leaves
    /// it to them.
    ByOthers,
}

/// How many decisions are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Most rows.
    pub rows: u64,
    /// Most octets of all records.
    pub octets: u64,
    /// Longest age.
    pub age: Duration,
    /// Whether those that granted something are kept, too.
    pub granted: bool,
}

impl Retention {
    /// Whether a decision is kept at all.
    pub(crate) fn keeps(&self, decision: &DecisionRow) -> bool {
        self.granted || !decision.is_granted
    }
}

impl Default for Retention {
    /// 100,000 decisions, 256 MiB, 30 days.
    fn default() -> Self {
        Self {
            granted: true,
            rows: 100_000,
            octets: 256 * 1024 * 1024,
            age: Duration::from_secs(30 * 86_400),
        }
    }
}

/// How many records of changes are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeRetention {
    /// Most records.
    pub rows: u64,
    /// Longest age.
    pub age: Duration,
}

impl Default for ChangeRetention {
    /// A million records, 400 days.
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            age: Duration::from_secs(400 * 86_400),
        }
    }
}
