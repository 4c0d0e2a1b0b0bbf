//! Which registration a row is, and which state of it: two columns, `number` and `version`.

use grantor::{registry::Revision, storage::StoreError};
use tokio_postgres::Row;

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
pub(super) fn read(row: &Row, first: usize) -> Revision {
    let column = |index: usize| row.get::<_, i64>(index).unsigned_abs();
    Revision::new(column(first), column(first + 1))
}

/// The row that was to be written was in the state that was expected. Whoever changes the registry
/// by hand takes no lock of ours, and may have been between the look and the change.
pub(super) fn expect_unchanged(written: u64, what: &'static str) -> Result<(), Failure> {
    match written {
        0 => Err(StoreError::Conflict(what).into()),
        _ => Ok(()),
    }
}
