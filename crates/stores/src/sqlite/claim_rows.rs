//! Replay claims on disk: those of one commit that last about as long share a row, which costs
//! hardly more than a row for one of them.

use grantor::{clock::UnixTime, storage::ReplayKey};
use rusqlite::{
    Connection, OptionalExtension as _,
    types::{FromSqlError, Type, ValueRef},
};

/// Octets of a claim in a row: the key, and until when in milliseconds since 1970, big-endian.
const CLAIM: usize = 40;

/// A claim that has to be written.
#[derive(Clone, Copy)]
pub(super) struct NewClaim {
    pub(super) key: ReplayKey,
    pub(super) until: UnixTime,
    /// The power of two below the milliseconds that it lasts: one row holds claims of one such
    /// span, so that none is kept for more than twice its time because of others.
    span: u32,
}

impl NewClaim {
    pub(super) fn new(key: ReplayKey, until: UnixTime, now: UnixTime) -> Self {
        Self {
            key,
            until,
            span: until.millis().saturating_sub(now.millis()).max(1).ilog2(),
        }
    }

    fn octets(&self) -> [u8; CLAIM] {
        let mut octets = [0; CLAIM];
        octets[..32].copy_from_slice(self.key.as_bytes());
        octets[32..].copy_from_slice(&self.until.millis().to_be_bytes());
        octets
    }
}

/// Writes the claims to the end of the table. Answers the last position, if there are any.
pub(super) fn append(
    connection: &Connection,
    claims: &mut [NewClaim],
) -> rusqlite::Result<Option<i64>> {
    let mut insert =
        connection.prepare_cached("INSERT INTO replay (until, claims) VALUES (?1, ?2)")?;
    claims.sort_unstable_by_key(|claim| claim.span);
    let mut last = None;
    for row in claims.chunk_by(|one, next| one.span == next.span) {
        let until = row.iter().map(|claim| claim.until.millis()).max();
        let octets: Vec<u8> = row.iter().flat_map(NewClaim::octets).collect();
        last = Some(insert.insert((until, octets))?);
    }
    Ok(last)
}

/// The last position that was ever given, whether its row is still there or not.
pub(super) fn newest(connection: &Connection) -> rusqlite::Result<i64> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'replay'")?;
    Ok(statement
        .query_row([], |row| row.get(0))
        .optional()?
        .unwrap_or_default())
}

/// Reads every claim behind a position, in force or not. Answers the position of the last, if there
/// are any.
pub(super) fn read_after(
    connection: &Connection,
    position: i64,
    mut each: impl FnMut(ReplayKey, UnixTime),
) -> rusqlite::Result<Option<i64>> {
    let query = "SELECT sequence, claims FROM replay WHERE sequence > ?1 ORDER BY sequence";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([position])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        claims_of(row.get_ref(1)?)?.for_each(|(key, until)| each(key, until));
        last = Some(row.get(0)?);
    }
    Ok(last)
}

/// Whether the table holds this claim with an end at or after `now`. Reads every row in force.
pub(super) fn contain(
    connection: &Connection,
    key: ReplayKey,
    now: UnixTime,
) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached("SELECT claims FROM replay WHERE until >= ?1")?;
    let mut rows = statement.query([now.millis()])?;
    while let Some(row) = rows.next()? {
        if claims_of(row.get_ref(0)?)?.any(|(claimed, until)| claimed == key && until >= now) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes rows of which every claim has ended, a bounded number. Answers how many.
pub(super) fn sweep(connection: &Connection, now: i64, most: i64) -> rusqlite::Result<usize> {
    let delete = "DELETE FROM replay WHERE sequence IN (SELECT sequence FROM replay WHERE until < ?1 LIMIT ?2)";
    connection.prepare_cached(delete)?.execute((now, most))
}

/// The claims in a row.
fn claims_of(
    column: ValueRef<'_>,
) -> rusqlite::Result<impl Iterator<Item = (ReplayKey, UnixTime)>> {
    let unreadable = |error: FromSqlError| {
        rusqlite::Error::FromSqlConversionFailure(1, Type::Blob, Box::new(error))
    };
    let octets = column.as_blob().map_err(unreadable)?;
    let (claims, rest) = octets.as_chunks::<CLAIM>();
    if !rest.is_empty() {
        return Err(unreadable(FromSqlError::InvalidBlobSize {
            expected_size: claims.len() * CLAIM,
            blob_size: octets.len(),
        }));
    }
    Ok(claims.iter().map(|claim| {
        let key = claim[..32].try_into().expect("32 octets");
        let until = i64::from_be_bytes(claim[32..].try_into().expect("8 octets"));
        (ReplayKey::from_bytes(key), UnixTime::from_millis(until))
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use std::{path::Path, time::Duration};

    use rusqlite_migration::Migrations;

    use super::*;
    use crate::sqlite::open::{MIGRATIONS, migrate};

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    /// The table as earlier programs had it, with what they wrote.
    fn table_with(earlier: &[(ReplayKey, UnixTime)]) -> Connection {
        let mut connection = Connection::open_in_memory().expect("a database");
        let migrations = Migrations::from_slice(MIGRATIONS);
        migrations
            .to_version(&mut connection, 8)
            .expect("as it was");
        for (key, until) in earlier {
            let insert = "INSERT INTO replay (key, until) VALUES (?1, ?2)";
            connection
                .execute(insert, (key.as_bytes(), until.millis()))
                .expect("written");
        }
        migrate(&mut connection, Path::new("")).expect("migrated");
        connection
    }

    /// An empty table of claims.
    pub(in super::super) fn table() -> Connection {
        table_with(&[])
    }

    fn key(number: u64) -> ReplayKey {
        ReplayKey::new("issuer", &number.to_string())
    }

    fn after(seconds: u64) -> UnixTime {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn rows(connection: &Connection) -> i64 {
        connection
            .query_row("SELECT count(*) FROM replay", [], |row| row.get(0))
            .expect("a count")
    }

    #[test]
    fn claims_of_a_commit_share_rows_by_how_long_they_last() {
        let connection = table();
        let lasting = [3600, 60, 3599, 61, 0];
        let mut claims: Vec<_> = (0..)
            .zip(lasting)
            .map(|(number, seconds)| NewClaim::new(key(number), after(seconds), NOW))
            .collect();
        assert_eq!(append(&connection, &mut claims).expect("written"), Some(3));
        let mut read = Vec::new();
        assert_eq!(
            read_after(&connection, 0, |key, until| read.push((key, until))).expect("read"),
            Some(3)
        );
        for (number, seconds) in (0..).zip(lasting) {
            assert!(read.contains(&(key(number), after(seconds))), "{seconds}");
            assert!(
                contain(&connection, key(number), after(seconds)).expect("read"),
                "{seconds}"
            );
            assert!(
                !contain(&connection, key(number), after(seconds + 1)).expect("read"),
                "{seconds}"
            );
        }
        assert_eq!(
            read_after(&connection, 3, |_, _| panic!("none is left")).expect("read"),
            None
        );
        assert_eq!(
            append(&connection, &mut []).expect("nothing to write"),
            None
        );

        for (seconds, left) in [(0, 3), (1, 2), (61, 2), (62, 1), (3600, 1), (3601, 0)] {
            sweep(&connection, after(seconds).millis(), 10).expect("swept");
            assert_eq!(rows(&connection), left, "{seconds}");
        }
    }

    #[test]
    fn a_sweep_is_bounded() {
        let connection = table();
        (0..5).for_each(|number| {
            drop(append(
                &connection,
                &mut [NewClaim::new(key(number), after(1), NOW)],
            ));
        });
        sweep(&connection, after(2).millis(), 2).expect("swept");
        assert_eq!(rows(&connection), 3);
    }

    #[test]
    fn claims_of_an_earlier_program_stay_in_force() {
        let connection = table_with(&[(key(1), after(60)), (key(2), after(600))]);
        let mut read = Vec::new();
        read_after(&connection, 0, |key, until| read.push((key, until))).expect("read");
        assert_eq!(read, [(key(1), after(60)), (key(2), after(600))]);
        sweep(&connection, after(61).millis(), 10).expect("swept");
        assert_eq!(rows(&connection), 1);
    }

    #[test]
    fn a_row_of_something_else_is_an_error() {
        let connection = table();
        connection
            .execute(
                "INSERT INTO replay (until, claims) VALUES (?1, zeroblob(81))",
                [after(1).millis()],
            )
            .expect("written");
        assert!(read_after(&connection, 0, |_, _| ()).is_err());
        assert!(contain(&connection, key(1), NOW).is_err());
    }
}
