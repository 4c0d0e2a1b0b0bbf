//! Logs in SQLite: decisions and changes are read in pages in the same way.
//!
//! Numbers are given in the order of commits, as one transaction writes at a time: behind the
//! newest number that is seen nothing is committed later.

use grantor::storage::{Cursor, Entry, List, LogPage, Start, StoreError};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};

use super::error::Failure;

/// The records of a table that pass a filter. Each has a `sequence`.
pub(super) struct Query<'f> {
    table: &'static str,
    /// The table, with the index that is read.
    from: &'static str,
    /// The expression that gives the document.
    document: &'static str,
    wanted: String,
    values: Vec<&'f dyn ToSql>,
    /// What its cursors are of.
    list: List,
}

impl<'f> Query<'f> {
    /// All of this table that fulfil the conditions that have a value.
    pub(super) fn new<const N: usize>(
        [table, from]: [&'static str; 2],
        document: &'static str,
        conditions: [(&str, Option<&'f dyn ToSql>); N],
        list: List,
    ) -> Self {
        let (mut wanted, mut values) = ("1".to_owned(), Vec::new());
        for (condition, value) in conditions {
            if let Some(value) = value {
                wanted = format!("{wanted} AND {condition}");
                values.push(value);
            }
        }
        Self {
            table,
            from,
            document,
            wanted,
            values,
            list,
        }
    }

    /// The table with the index that is read, which of its rows, and the values in that.
    pub(super) fn conditions(&self) -> (&str, &str, &[&'f dyn ToSql]) {
        (self.from, &self.wanted, &self.values)
    }

    pub(super) fn page(
        &self,
        connection: &Connection,
        start: &Start,
        limit: u32,
    ) -> Result<LogPage, Failure> {
        let (after, until) = match start {
            Start::Oldest => (0, i64::MAX),
            Start::After(cursor) => (self.sequence(cursor)?, i64::MAX),
            Start::Before(cursor) => {
                let until = self.sequence(cursor)?;
                (self.before(connection, until, limit)?, until)
            }
            Start::Last(count) => (self.before(connection, i64::MAX, *count)?, i64::MAX),
        };
        let found = self.select(connection, [after, until], limit)?;
        let next = match found.last() {
            Some((last, _)) if found.len() == limit as usize => *last,
            _ => self.newest(connection)?.max(after).min(until),
        };
        let entry = |(sequence, document)| Entry {
            cursor: self.cursor(sequence),
            document,
        };
        Ok(LogPage {
            previous: found.first().map(|(first, _)| self.cursor(first - 1)),
            next: self.cursor(next),
            entries: found.into_iter().map(entry).collect(),
        })
    }

    fn newest(&self, connection: &Connection) -> rusqlite::Result<i64> {
        let newest = format!("SELECT coalesce(max(sequence), 0) FROM {}", self.table);
        connection
            .prepare_cached(&newest)?
            .query_row([], |row| row.get(0))
    }

    fn select(
        &self,
        connection: &Connection,
        [after, until]: [i64; 2],
        limit: u32,
    ) -> rusqlite::Result<Vec<(i64, String)>> {
        let Self {
            from,
            document,
            wanted,
            values,
            ..
        } = self;
        let found = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let query = format!(
            "SELECT sequence, {document} FROM {from} WHERE {wanted} AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"
        );
        let values = [values.as_slice(), &[&after, &until, &limit]].concat();
        connection
            .prepare_cached(&query)?
            .query_map(values.as_slice(), found)?
            .collect()
    }

    /// The number behind which the newest records up to `until` are that pass the filter, at most
    /// `count` of them.
    fn before(&self, connection: &Connection, until: i64, count: u32) -> rusqlite::Result<i64> {
        let Self {
            from,
            wanted,
            values,
            ..
        } = self;
        let query = format!(
            "SELECT sequence FROM {from} WHERE {wanted} AND sequence <= ? ORDER BY sequence DESC LIMIT 1 OFFSET ?"
        );
        let values = [values.as_slice(), &[&until, &count]].concat();
        let found = connection
            .prepare_cached(&query)?
            .query_row(values.as_slice(), |row| row.get(0))
            .optional()?;
        Ok(found.unwrap_or(0))
    }

    fn cursor(&self, sequence: i64) -> Cursor {
        self.list.cursor(&sequence.to_string())
    }

    fn sequence(&self, cursor: &Cursor) -> Result<i64, StoreError> {
        let place = self.list.place(cursor)?;
        place.parse().map_err(|_| StoreError::Cursor)
    }
}

/// What a condition compares with, if it is set.
pub(super) fn value<T: ToSql>(value: &Option<T>) -> Option<&dyn ToSql> {
    value.as_ref().map(|value| value as _)
}
