//! Which registration a row is, and which state of it: two columns, `number` and `version`.

use grantor::registry::Revision;
use rusqlite::Row;

/// As the columns hold it.
pub(super) fn columns(revision: Revision) -> (i64, i64) {
    (column(revision.number), column(revision.version))
}

/// A number that counts from 1, as a column holds it.
pub(super) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// From the two columns that begin at `first`.
pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Revision> {
    let column = |index: usize| row.get(index).map(|value: i64| value.unsigned_abs());
    Ok(Revision::new(column(first)?, column(first + 1)?))
}
