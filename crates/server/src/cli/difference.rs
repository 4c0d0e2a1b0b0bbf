//! What an update has changed, as people read it.

use std::fmt::Display;

use grantor::admin::{Difference, Updated};
use serde::Serialize;
use serde_json::Value;

use super::{Failure, Output, output::table};

/// Prints what differs, member by member; or that nothing does.
pub fn print<D: Serialize>(
    updated: &Updated<D>,
    what: impl Display,
    output: Output,
) -> Result<(), Failure> {
    if updated.differences.is_empty() {
        return output.done(updated, format_args!("{what} is as it was"));
    }
    let head = ["MEMBER", "BEFORE", "NOW"];
    let rows = table(&updated.differences, &head, row);
    output.done(updated, format_args!("{what} updated\n{rows}"))
}

/// A member, before and now.
pub fn row(difference: &Difference) -> Vec<String> {
    vec![
        difference.member.clone(),
        cell(&difference.before),
        cell(&difference.after),
    ]
}

/// A value: text bare, everything else as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
