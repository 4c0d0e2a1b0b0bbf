//! Records that are read page by page: listed, or followed as they are made.

use std::time::Duration;

use grantor::{
    admin,
    storage::{Cursor, Start},
    types::{escaped, escaped_json},
};
use serde::Serialize;

use super::{Failure, Global, Output, output};

/// Records read at once.
pub const PAGE: u32 = 256;
/// How often new records are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Some records, and where to go on.
pub struct Part<T> {
    /// The records, oldest first.
    pub records: Vec<T>,
    /// How many there were, with those that cannot be read: none at the end.
    pub count: usize,
    /// The place behind all that was looked at.
    pub next: Cursor,
}

/// The columns of a table of records.
pub struct Columns<T, const N: usize> {
    pub head: [&'static str; N],
    pub row: fn(&T) -> Vec<String>,
}

/// Prints the newest records, page by page: no number of them has to fit into memory.
pub async fn list<T: Serialize, const N: usize>(
    read: impl AsyncFn(Start) -> Result<Part<T>, admin::Error>,
    limit: u32,
    columns: &Columns<T, N>,
    global: &Global,
) -> Result<(), Failure> {
    let mut start = Start::Last(limit);
    let mut printed = Printed {
        output: global.output(),
        is_json: global.json,
        columns,
        pages: 0,
    };
    loop {
        let part = read(start).await?;
        if part.count == 0 {
            return printed.end();
        }
        printed.page(&part.records)?;
        start = Start::After(part.next);
    }
}

/// Prints records as they are made, a line each, until interrupted.
#[expect(
    clippy::disallowed_methods,
    reason = "another process that makes a record tells nobody"
)]
pub async fn follow<T: Serialize, const N: usize>(
    read: impl AsyncFn(Start) -> Result<Part<T>, admin::Error>,
    columns: &Columns<T, N>,
    output: Output,
) -> Result<(), Failure> {
    let mut start = Start::Last(0);
    let interrupted = tokio::signal::ctrl_c();
    let mut interrupted = std::pin::pin!(interrupted);
    loop {
        let part = read(start).await?;
        start = Start::After(part.next);
        for record in &part.records {
            let cells = (columns.row)(record);
            let cells: Vec<_> = cells.iter().map(|cell| escaped(cell)).collect();
            output.print(record, cells.join("  "))?;
        }
        let pause = if part.count < PAGE as usize {
            LOOK_EVERY
        } else {
            Duration::ZERO
        };
        tokio::select! {
            stopped = &mut interrupted => return stopped.map_err(Failure::failed),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// A list under way: a JSON array, or a table.
struct Printed<'c, T, const N: usize> {
    output: Output,
    is_json: bool,
    columns: &'c Columns<T, N>,
    pages: usize,
}

impl<T: Serialize, const N: usize> Printed<'_, T, N> {
    fn page(&mut self, records: &[T]) -> Result<(), Failure> {
        if records.is_empty() {
            return Ok(());
        }
        let is_first = self.pages == 0;
        self.pages += 1;
        match self.is_json {
            true => records.iter().enumerate().try_for_each(|(number, record)| {
                let before = if is_first && number == 0 { '[' } else { ',' };
                let record = serde_json::to_string(record).expect("records are JSON");
                printed(format_args!("{before}{}", escaped_json(&record)))
            }),
            false => {
                let head = if is_first { self.columns.head } else { [""; N] };
                self.output.print_list(records, &head, self.columns.row)
            }
        }
    }

    fn end(self) -> Result<(), Failure> {
        match self.pages {
            0 => self.output.print(&[(); 0], "none"),
            _ if self.is_json => printed(format_args!("]\n")),
            _ => Ok(()),
        }
    }
}

fn printed(text: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    output::write(text)
        .map_err(|error| Failure::unprinted("the result could not be printed", &error))
}
