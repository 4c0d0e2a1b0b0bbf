//! The change log: rows that triggers write, by which this process finds out what others have
//! changed.

use grantor::types::{ClientId, SubjectId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::feed::{Change, Look, News};

/// How far the change log was read: the last row, and its tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    sequence: i64,
    tag: i64,
}

impl Position {
    /// The end of the log.
    pub(super) fn newest(connection: &Connection) -> rusqlite::Result<Self> {
        let query = "SELECT sequence, tag FROM change ORDER BY sequence DESC LIMIT 1";
        let position = |row: &Row<'_>| {
            Ok(Self {
                sequence: row.get(0)?,
                tag: row.get(1)?,
            })
        };
        Ok(connection
            .prepare_cached(query)?
            .query_row([], position)
            .optional()?
            .unwrap_or_default())
    }

    /// What became of this row.
    fn state(self, connection: &Connection) -> rusqlite::Result<RowState> {
        let mut statement =
            connection.prepare_cached("SELECT tag FROM change WHERE sequence = ?1")?;
        let tag: Option<i64> = statement
            .query_row([self.sequence], |row| row.get(0))
            .optional()?;
        Ok(match tag {
            Some(tag) if tag == self.tag => RowState::There,
            None if self.sequence == 0 => RowState::There,
            None if Self::newest(connection)?.sequence > self.sequence => RowState::Pruned,
            Some(_) | None => RowState::Replaced,
        })
    }
}

enum RowState {
    There,
    /// More changes came than are kept.
    Pruned,
    /// The database is an earlier one now.
    Replaced,
}

/// What is new behind a position, and whether the database was replaced by an earlier one.
pub(super) fn look(
    connection: &Connection,
    last: Position,
) -> rusqlite::Result<(Look<Position>, Replaced)> {
    let replaced = match last.state(connection)? {
        RowState::There => return Ok((changes_since(connection, last)?, Replaced::No)),
        RowState::Pruned => Replaced::No,
        RowState::Replaced => Replaced::ByEarlier,
    };
    let everything = Look {
        news: News::Everything,
        position: Position::newest(connection)?,
    };
    Ok((everything, replaced))
}

/// Whether the database is another one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    No,
    ByEarlier,
}

/// The changes after `last`, and the newest position.
fn changes_since(connection: &Connection, last: Position) -> rusqlite::Result<Look<Position>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, tag, resource, change.client, subject, number, issuer FROM change LEFT JOIN client ON client.id = change.client \
         WHERE sequence > ?1 ORDER BY sequence",
    )?;
    let mut rows = statement.query([last.sequence])?;
    let (mut position, mut changes) = (last, Some(Vec::new()));
    while let Some(row) = rows.next()? {
        position = Position {
            sequence: row.get(0)?,
            tag: row.get(1)?,
        };
        let change = change(row)?;
        changes = changes.zip(change).map(|(mut changes, change)| {
            changes.push(change);
            changes
        });
    }
    let news = changes.map_or(News::Everything, News::Changes);
    Ok(Look { news, position })
}

/// What a row tells. `None` where it is not understood: then anything may have changed.
fn change(row: &Row<'_>) -> rusqlite::Result<Option<Change>> {
    let client: Option<String> = row.get(3)?;
    let subject: Option<String> = row.get(4)?;
    let issuer = row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs);
    let client = client.and_then(|client| ClientId::parse(&client).ok());
    let subject = subject.and_then(|subject| SubjectId::parse(&subject).ok());
    Ok(match (row.get_ref(2)?.as_str()?, client, subject) {
        ("issuer", None, None) => issuer.map(Change::Issuer),
        ("trust", None, None) => issuer.map(Change::TrustsOf),
        ("client", Some(id), None) => Some(Change::Client {
            id,
            number: row.get(5)?,
        }),
        ("subject", None, Some(id)) => Some(Change::Subject(id)),
        ("permission", Some(client), Some(subject)) => Some(Change::Permission(client, subject)),
        ("signing_key", ..) => Some(Change::SigningKeys),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sqlite::open::migrate;

    #[test]
    fn a_log_that_goes_back_or_is_pruned_means_everything() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate(&mut connection, Path::new("")).expect("migrated");
        let change = |count: usize| {
            for _ in 0..count {
                connection
                    .execute("INSERT INTO change (resource) VALUES ('signing_key')", [])
                    .expect("written");
            }
        };
        let look_behind = |last| {
            let (Look { news, position }, replaced) = look(&connection, last).expect("read");
            let changes = match news {
                News::Changes(changes) => Some(changes.len()),
                News::Everything => None,
            };
            ((changes, replaced), position)
        };
        change(5);
        let (seen, last) = look_behind(Position::default());
        assert_eq!(seen, (Some(5), Replaced::No));
        change(2);
        let (seen, last) = look_behind(last);
        assert_eq!(seen, (Some(2), Replaced::No));
        assert_eq!(look_behind(last).0, (Some(0), Replaced::No));
        // A backup of when there were five is restored, and three changes follow: the same numbers,
        // other rows.
        connection
            .execute("DELETE FROM change WHERE sequence > 5", [])
            .expect("deleted");
        connection
            .execute(
                "UPDATE sqlite_sequence SET seq = 5 WHERE name = 'change'",
                [],
            )
            .expect("set back");
        assert_eq!(look_behind(last).0, (None, Replaced::ByEarlier), "shorter");
        change(3);
        let (seen, last) = look_behind(last);
        assert_eq!(
            seen,
            (None, Replaced::ByEarlier),
            "as long as before, and longer"
        );
        change(1);
        assert_eq!(look_behind(last).0, (Some(1), Replaced::No));
        connection
            .execute("DELETE FROM change WHERE sequence < 9", [])
            .expect("pruned");
        assert_eq!(look_behind(last).0, (None, Replaced::No));
    }

    #[test]
    fn a_name_leads_to_the_row_it_has_now() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate(&mut connection, Path::new("")).expect("migrated");
        let add = |number: i64, name: &str| {
            connection
                .execute(
                    "INSERT INTO party (name, kind) VALUES (?1, 'client')",
                    [name],
                )
                .expect("written");
            let insert =
                "INSERT INTO client (number, id, metadata, keys) VALUES (?1, ?2, '{}', '[]')";
            connection.execute(insert, (number, name)).expect("written");
        };
        add(5, "old");
        let last = Position::newest(&connection).expect("read");
        add(6, "new");
        connection
            .execute("DELETE FROM party WHERE name = 'old'", [])
            .expect("deleted");
        add(7, "old");
        let (Look { news, .. }, _) = look(&connection, last).expect("read");
        let client = |name, number| Change::Client {
            id: ClientId::parse(name).expect("a client_id"),
            number: Some(number),
        };
        // A number of this moment, whatever it was when the change was made.
        let expected = [("new", 6), ("old", 7), ("old", 7)];
        assert_eq!(
            news,
            News::Changes(expected.map(|(name, number)| client(name, number)).into())
        );
    }
}
