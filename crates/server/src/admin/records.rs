//! Records, in the order in which they were made: the last ones, and what comes behind them.

use grantor::storage::{Cursor, Start};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Portion;

/// A part of the records.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Recorded<T> {
    /// The records, oldest first.
    pub items: Vec<T>,
    /// The place behind all that was looked at: its `after` has what is recorded from then on.
    pub next: Option<String>,
    /// The place before the first of these: its `before` has the older ones; null if there are none
    /// here.
    #[serde(default)]
    pub previous: Option<String>,
    /// Whether anything was found: if not, all that is recorded was read.
    pub more: bool,
}

impl<T> Recorded<T> {
    /// These records, of so many, those that cannot be read among them, between these places.
    pub fn new(items: Vec<T>, count: usize, previous: Option<&Cursor>, next: &Cursor) -> Self {
        Self {
            items,
            next: Some(next.to_string()),
            previous: previous.map(ToString::to_string),
            more: count > 0,
        }
    }
}

/// Where a part begins: behind its cursor, or before it, else with so many of the last.
pub fn start(portion: &Portion) -> Start {
    match (portion.cursor(), &portion.before) {
        (Some(after), _) => Start::After(after),
        (None, Some(before)) => Start::Before(Cursor::from_text(before)),
        (None, None) => Start::Last(portion.last.unwrap_or(portion.limit)),
    }
}
