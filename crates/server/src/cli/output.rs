//! What commands print on standard output: text for people, or JSON for programs. A result that
//! cannot be printed is a failure, for nobody may take half of it for the whole; it is never a
//! panic.

use std::{
    fmt::{self, Display},
    io::{self, Write as _},
};

pub use grantor::admin::time_text as time;
use grantor::types::{escaped, escaped_json};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::Failure;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints one result in the form that was asked for.
    pub fn print(self, value: &impl Serialize, text: impl Display) -> Result<(), Failure> {
        self.write(value, text)
            .map_err(|error| Failure::unprinted("the result could not be printed", &error))
    }

    /// As [`Output::print`], of a change: where that cannot be printed, the failure says that it
    /// was made all the same.
    pub fn done(self, value: &impl Serialize, text: impl Display) -> Result<(), Failure> {
        self.write(value, &text).map_err(|error| {
            Failure::unprinted(
                format_args!("{text}, but this could not be printed"),
                &error,
            )
        })
    }

    /// Prints a list: a JSON array, or a table with columns as wide as they need to be.
    pub fn print_list<T: Serialize>(
        self,
        items: &[T],
        head: &[&str],
        row: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), Failure> {
        self.print(&items, table(items, head, row))
    }

    fn write(self, value: &impl Serialize, text: impl Display) -> io::Result<()> {
        match self.json {
            true => write(format_args!(
                "{}\n",
                escaped_json(&serde_json::to_string(value).expect("results are JSON"))
            )),
            false => write(format_args!("{}\n", for_terminal(&text.to_string()))),
        }
    }
}

/// A table with columns as wide as they need to be.
pub fn table<T>(items: &[T], head: &[&str], row: impl Fn(&T) -> Vec<String>) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    let escaped_row = |item: &T| row(item).iter().map(|cell| escaped(cell)).collect();
    let rows: Vec<Vec<String>> = items.iter().map(escaped_row).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].width());
        cells
            .chain([head[column].width()])
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<String>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| cell.clone() + &" ".repeat(width - cell.width()));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    // A table that goes on has none.
    let has_head = head.iter().any(|cell| !cell.is_empty());
    let bold = anstyle::Style::new().bold();
    let head = format!(
        "{bold}{}{bold:#}",
        line(head.iter().map(|&cell| cell.to_owned()).collect())
    );
    let lines: Vec<String> = has_head
        .then_some(head)
        .into_iter()
        .chain(rows.into_iter().map(line))
        .collect();
    lines.join("\n")
}

/// Text of which nothing moves a cursor or turns a line around: only line breaks and styles (`ESC [
/// digits m`) are not escaped, which no name or cell has in it.
fn for_terminal(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, part) in text.split("\u{1b}[").enumerate() {
        let style = part.split_once('m').filter(|(style, _)| {
            style
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b';')
        });
        let rest = match style {
            Some((style, rest)) if number > 0 => {
                shown += &format!("\u{1b}[{style}m");
                rest
            }
            _ if number > 0 => {
                shown += &escaped("\u{1b}[");
                part
            }
            _ => part,
        };
        shown += &rest.split('\n').map(escaped).collect::<Vec<_>>().join("\n");
    }
    shown
}

/// The one place that writes on standard output. What was written has left the process when this
/// succeeds.
pub fn write(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_fmt(text)?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_and_line_breaks_are_left_and_nothing_else_that_a_terminal_acts_on() {
        assert_eq!(
            for_terminal("\u{1b}[1mbold\u{1b}[0m\nnext"),
            "\u{1b}[1mbold\u{1b}[0m\nnext"
        );
        let escaped = "\\u{1b}[2J \\u{9b}2J \\u{202e} \\u{2028} \\u{7f} \\u{1b}c \\u{1b}[1";
        assert_eq!(
            for_terminal("\u{1b}[2J \u{9b}2J \u{202e} \u{2028} \u{7f} \u{1b}c \u{1b}[1"),
            escaped
        );
    }
}
