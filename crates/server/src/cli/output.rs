//! What commands print on standard output: text for people, or JSON for programs.

use std::fmt::Display;

use grantor::clock::UnixTime;
use serde::Serialize;

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
    pub fn print(self, value: &impl Serialize, text: impl Display) {
        match self.json {
            true => anstream::println!("{}", serde_json::to_string(value).expect("results are JSON")),
            false => anstream::println!("{text}"),
        }
    }

    /// Prints a list: a JSON array, or a table with columns as wide as they need to be.
    pub fn print_list<T: Serialize>(self, items: &[T], head: &[&str], row: impl Fn(&T) -> Vec<String>) {
        if self.json || items.is_empty() {
            return self.print(&items, "none");
        }
        let rows: Vec<Vec<String>> = items.iter().map(row).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].len()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |cells: Vec<String>| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let bold = anstyle::Style::new().bold();
        anstream::println!("{bold}{}{bold:#}", line(head.iter().map(|&cell| cell.to_owned()).collect()));
        rows.into_iter().for_each(|row| anstream::println!("{}", line(row)));
    }
}

/// A time as people read it, in UTC.
pub fn time(at: UnixTime) -> String {
    jiff::Timestamp::from_second(at.seconds()).map_or_else(|_| at.to_string(), |timestamp| timestamp.to_string())
}
