//! Which registration a row is, and which state of it: two columns, `number` and `version`.

use grantor::{registry::Revision, storage::StoreError};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::error::Failure;

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

/// A replacement that found no row of its revision finds out why.
pub(super) fn expect_unchanged(
    connection: &Connection,
    changed: usize,
    resource: &'static str,
    id: &str,
) -> Result<(), Failure> {
    if changed > 0 {
        return Ok(());
    }
    let there = connection
        .query_row(
            "SELECT 1 FROM party WHERE name = ?1 AND kind = ?2",
            [id, resource],
            |_| Ok(()),
        )
        .optional()?;
    Err(there
        .map_or(StoreError::Missing(resource), |()| {
            StoreError::Conflict(resource)
        })
        .into())
}
