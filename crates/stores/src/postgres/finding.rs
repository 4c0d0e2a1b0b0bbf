//! What a check of the server has found: a line that says what was found, what is wanted, and what
//! sets it.

use std::fmt;

/// One line of the table of checks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was asked for.
    pub name: &'static str,
    /// What was found.
    pub found: String,
    /// What is wanted.
    pub wanted: &'static str,
    /// The statement that sets it, or what else helps.
    pub remedy: String,
    /// What follows.
    pub level: Level,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is as it has to be.
    Kept,
    /// It is told, and nothing else.
    Warned,
    /// No node runs with it.
    Refused,
}

/// A finding that no node runs with, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub Finding);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            name,
            found,
            wanted,
            remedy,
            ..
        } = &self.0;
        write!(f, "{name}: found {found}, wanted {wanted}; {remedy}")
    }
}

/// All of them, as one error.
#[derive(Debug)]
pub(super) struct Unfits(pub(super) Vec<Unfit>);

impl std::error::Error for Unfits {}

impl fmt::Display for Unfits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join(" | "))
    }
}

/// Those of this level.
pub(super) fn at(level: Level, findings: &[Finding]) -> Vec<Unfit> {
    let here = findings.iter().filter(|finding| finding.level == level);
    here.cloned().map(Unfit).collect()
}

/// One that is kept or refused.
pub(super) fn finding(
    name: &'static str,
    found: impl Into<String>,
    wanted: &'static str,
    is_kept: bool,
    remedy: impl Into<String>,
) -> Finding {
    Finding {
        name,
        found: found.into(),
        wanted,
        remedy: remedy.into(),
        level: if is_kept { Level::Kept } else { Level::Refused },
    }
}
