//! Which registration a row is, and which state of it: two columns, `number` and `version`.

use grantor::registry::Revision;
use tokio_postgres::Row;

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
