//! Logs in PostgreSQL: decisions and changes are read in pages in the same way.
//!
//! Numbers are given in the order of commits, as whoever writes holds the lock of the log until the
//! commit: behind the newest number that is seen nothing is committed later. A server that was
//! restored, or that took over from another, may have gone back: a cursor beyond its newest number
//! is at its end.

use grantor::storage::{Cursor, Entry, List, LogPage, Start, StoreError};
use tokio_postgres::types::ToSql;

use super::{
    error::Failure,
    session::{Session, Value},
};

/// The records of a table that pass a filter. Each has a `sequence bigint`.
pub(super) struct Query<'f> {
    table: &'static str,
    /// The expression that gives the document.
    document: &'static str,
    /// With the values numbered from `$1` on.
    wanted: String,
    values: Vec<Value<'f>>,
    /// What its cursors are of.
    list: List,
}

impl<'f> Query<'f> {
    /// All of this table that fulfil the conditions that have a value, which stands where `?` is.
    pub(super) fn new<const N: usize>(
        table: &'static str,
        document: &'static str,
        conditions: [(&str, Option<Value<'f>>); N],
        list: List,
    ) -> Self {
        let (mut wanted, mut values) = ("true".to_owned(), Vec::new());
        for (condition, value) in conditions {
            if let Some(value) = value {
                wanted = format!("{wanted} AND {condition}");
                values.push(value);
            }
        }
        Self {
            table,
            document,
            wanted: numbered(&wanted, 1),
            values,
            list,
        }
    }

    /// A statement that begins with the values of the conditions: what `sql` makes of the conditions,
    /// each further `?` in it one of `more`.
    pub(super) fn statement(
        &self,
        sql: impl FnOnce(&str) -> String,
        more: &[Value<'f>],
    ) -> (String, Vec<Value<'f>>) {
        let sql = numbered(&sql(&self.wanted), self.values.len() + 1);
        (sql, [&self.values, more].concat())
    }

    /// One page, in one statement: all of it is of one moment.
    pub(super) async fn page(
        &self,
        session: &Session,
        start: &Start,
        limit: u32,
    ) -> Result<LogPage, Failure> {
        match self
            .find(&self.wanted, &self.values, session, start, limit)
            .await
        {
            Err(failure) if failure.is_of_text() => {
                self.find("false", &[], session, start, limit).await
            }
            found => found,
        }
    }

    async fn find(
        &self,
        wanted: &str,
        values: &[Value<'f>],
        session: &Session,
        start: &Start,
        limit: u32,
    ) -> Result<LogPage, Failure> {
        let (place, count) = match start {
            Start::Oldest => (0, None),
            Start::After(cursor) => (self.sequence(cursor)?, None),
            Start::Before(cursor) => (self.sequence(cursor)?, Some(i64::from(limit))),
            Start::Last(count) => (i64::MAX, Some(i64::from(*count))),
        };
        let most = i64::from(limit);
        let (found, more): (_, Vec<Value<'_>>) = match &count {
            None => (self.behind(wanted), vec![&place, &most]),
            Some(count) => (self.up_to(wanted), vec![&place, count, &most]),
        };
        let sql = numbered(&self.with_newest(&found), values.len() + 1);
        let rows = session.query(&sql, &[values, &more].concat()).await?;
        let newest: i64 = rows.first().map_or(0, |row| row.get(0));
        let end = if count.is_some() {
            newest.min(place)
        } else {
            newest
        };
        let found = rows
            .iter()
            .filter_map(|row| Some((row.get::<_, Option<i64>>(1)?, row.get(2))));
        Ok(self.page_of(found.collect(), end, limit))
    }

    /// `end` is the place behind all that was looked at, where fewer than `limit` were found.
    fn page_of(&self, found: Vec<(i64, String)>, end: i64, limit: u32) -> LogPage {
        let next = match found.last() {
            Some((last, _)) if found.len() == limit as usize => *last,
            _ => end,
        };
        let entry = |(sequence, document)| Entry {
            cursor: self.cursor(sequence),
            document,
        };
        LogPage {
            previous: found.first().map(|(first, _)| self.cursor(first - 1)),
            next: self.cursor(next),
            entries: found.into_iter().map(entry).collect(),
        }
    }

    /// Each that is found with the newest number of all; that number alone, if none is.
    fn with_newest(&self, found: &str) -> String {
        let table = self.table;
        format!(
            "SELECT newest, sequence, document \
            FROM (SELECT coalesce(max(sequence), 0) AS newest FROM {table}) AS end_of_all \
            LEFT JOIN ({found}) AS found ON true ORDER BY sequence"
        )
    }

    /// Those behind a place, the oldest so many.
    fn behind(&self, wanted: &str) -> String {
        let Self {
            table, document, ..
        } = self;
        format!(
            "SELECT sequence, {document} AS document FROM {table} \
            WHERE {wanted} AND sequence > ? ORDER BY sequence LIMIT ?"
        )
    }

    /// Of the newest so many up to a place, the oldest so many.
    fn up_to(&self, wanted: &str) -> String {
        let Self {
            table, document, ..
        } = self;
        format!(
            "SELECT sequence, document FROM (SELECT sequence, {document} AS document FROM {table} \
                WHERE {wanted} AND sequence <= ? ORDER BY sequence DESC LIMIT ?) AS newest_ones \
            ORDER BY sequence LIMIT ?"
        )
    }

    fn cursor(&self, sequence: i64) -> Cursor {
        self.list.cursor(&sequence.to_string())
    }

    fn sequence(&self, cursor: &Cursor) -> Result<i64, StoreError> {
        let place = self.list.place(cursor)?;
        place.parse().map_err(|_| StoreError::Cursor)
    }
}

/// With `$1`, `$2` for each `?`, from this number on.
pub(super) fn numbered(sql: &str, first: usize) -> String {
    let mut parts = sql.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (part, number) in parts.zip(first..) {
        numbered = format!("{numbered}${number}{part}");
    }
    numbered
}

/// What a condition compares with, if it is set.
pub(super) fn value<T: ToSql + Sync>(value: &Option<T>) -> Option<Value<'_>> {
    value.as_ref().map(|value| value as _)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_from_the_conditions_to_the_end_of_the_statement() {
        let (name, none) = (Some("a".to_owned()), None::<String>);
        let list = List::new("thing", &"filter");
        let conditions = [
            ("name = ?", value(&name)),
            ("kind = ?", value(&none)),
            ("? IN (one, other)", value(&name)),
        ];
        let query = Query::new("thing", "record", conditions, list);
        let select = |wanted: &str| format!("SELECT ? FROM thing WHERE {wanted} LIMIT ?");
        let (sql, values) = query.statement(select, &[&1_i64, &2_i64]);
        assert_eq!(
            sql,
            "SELECT $3 FROM thing WHERE true AND name = $1 AND $2 IN (one, other) LIMIT $4"
        );
        assert_eq!(values.len(), 4);
    }
}
