//! Records that are read page by page: listed, or followed as they are made.

use std::time::Duration;

use grantor::types::{escaped, escaped_json};
use serde::Serialize;

use super::{Connection, Failure, Global, Output, output};
use crate::admin::{Input, Operation, Portion, Recorded};

/// How often new records are looked for, here and at a server elsewhere.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOK_ELSEWHERE_EVERY: Duration = Duration::from_secs(1);

/// Where records are read: so many of the last, and then behind a place.
pub struct Reader<'c, O: Operation> {
    pub server: &'c Connection,
    pub filter: O::Query,
}

impl<O, T> Reader<'_, O>
where
    O: Operation<Path = (), Body = (), Answer = Recorded<T>>,
    O::Query: Clone,
{
    async fn read(&self, start: &Start) -> Result<Recorded<T>, Failure> {
        let (last, after) = match start {
            Start::Last(last) => (Some(*last), None),
            Start::After(place) => (None, Some(place.clone())),
        };
        let portion = Portion {
            after,
            limit: Portion::MOST,
            last,
            before: None,
        };
        let input = Input {
            path: (),
            query: self.filter.clone(),
            portion,
            body: (),
        };
        self.server.call::<O>(input).await
    }
}

/// Where a part begins.
enum Start {
    Last(u32),
    After(String),
}

impl Start {
    fn behind<T>(part: &Recorded<T>) -> Self {
        Self::After(part.next.clone().unwrap_or_default())
    }
}

/// The columns of a table of records.
pub struct Columns<T, const N: usize> {
    pub head: [&'static str; N],
    pub row: fn(&T) -> Vec<String>,
}

/// Prints the newest records, page by page: no number of them has to fit into memory.
pub async fn list<O, T: Serialize, const N: usize>(
    reader: &Reader<'_, O>,
    limit: u32,
    columns: &Columns<T, N>,
    global: &Global,
) -> Result<(), Failure>
where
    O: Operation<Path = (), Body = (), Answer = Recorded<T>>,
    O::Query: Clone,
{
    let mut start = Start::Last(limit);
    let mut printed = Printed {
        output: global.output(),
        is_json: global.json,
        columns,
        pages: 0,
    };
    loop {
        let part = reader.read(&start).await?;
        if !part.more {
            return printed.end();
        }
        printed.page(&part.items)?;
        start = Start::behind(&part);
    }
}

/// Prints records as they are made, a line each, until interrupted.
#[expect(
    clippy::disallowed_methods,
    reason = "another process that makes a record tells nobody"
)]
pub async fn follow<O, T: Serialize, const N: usize>(
    reader: &Reader<'_, O>,
    columns: &Columns<T, N>,
    output: Output,
) -> Result<(), Failure>
where
    O: Operation<Path = (), Body = (), Answer = Recorded<T>>,
    O::Query: Clone,
{
    let look_every = match reader.server {
        Connection::Here(_) => LOOK_EVERY,
        Connection::There(_) => LOOK_ELSEWHERE_EVERY,
    };
    let mut start = Start::Last(0);
    let interrupted = tokio::signal::ctrl_c();
    let mut interrupted = std::pin::pin!(interrupted);
    loop {
        let part = reader.read(&start).await?;
        start = Start::behind(&part);
        for record in &part.items {
            let cells = (columns.row)(record);
            let cells: Vec<_> = cells.iter().map(|cell| escaped(cell)).collect();
            output.print(record, cells.join("  "))?;
        }
        let pause = match part.more {
            true => Duration::ZERO,
            false => look_every,
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
