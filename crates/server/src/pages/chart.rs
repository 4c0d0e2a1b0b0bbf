//! Charts, drawn here as SVG in three forms: columns over time, bars by kind, spans on a time line.
//!
//! Lengths are percents across and pixels downwards: a chart fills its page at any width, and its
//! texts keep their size. Shapes have classes of the style sheet, and never `style`, which the
//! policy of pages drops (M160). To a screen reader a chart is one image with a title and a
//! message; its [`Row`]s are for the same as a table (M183).
//!
//! Charts are `Display`, and stand in a template as [`drawing`](super::drawing) has them:
//! each text in them is escaped here.

mod bars;
mod columns;
mod spans;
mod svg;

pub use bars::{Bar, Bars};
pub use columns::{Column, Columns, Series};
pub use spans::{Span, Spans};

/// What a chart is called, and what it says.
#[derive(Clone, Debug)]
pub struct Caption {
    /// The name of the chart on its page: a word that is no other element's id there.
    pub id: &'static str,
    /// What is shown: `Tokens per minute`.
    pub title: String,
    /// What is to be seen in it, as a sentence: `Refusals rose at 00:21 to 18 a minute.`
    pub message: String,
    /// What the picture says instead where there is nothing to draw: `Nothing was decided.`
    pub empty: String,
}

/// The colour of a part, which has the same meaning in all charts of a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tone {
    /// What was granted, or is in use.
    First,
    /// What was refused, or ends soon.
    Second,
    /// A third kind.
    Third,
    /// The rest, or what is over.
    Other,
}

/// A row of the same as a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// The label of the column, bar or span.
    pub label: String,
    /// As texts, in the order of the chart's parts.
    pub values: Vec<String>,
}

/// The beginning of a text of which no more than `room` characters fit.
pub fn cut(whole: &str, room: usize) -> String {
    if whole.chars().count() <= room {
        return whole.to_owned();
    }
    let kept: String = whole.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests;
