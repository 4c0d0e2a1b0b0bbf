//! Parsed registrations at hand, so that the hot path never waits for the database, and the change
//! log that empties them.
//!
//! A read that races with a change must not leave the old value behind, not even for a moment: each
//! forgetting raises a generation, and a value that was read under an older one is not put in.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState},
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard},
};

use grantor::{
    registry::{Client, Permission, Subject},
    storage::StoreError,
    types::{ClientId, SubjectId},
};
use quick_cache::sync::Cache as Entries;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// Digests of the names of all clients, as far as known, and the number of each one's row: a name
/// that is not among them needs no read, so that a stranger cannot make the database work, and the
/// time of a refusal does not tell who is registered. Removed names stay in until the next start;
/// they are looked up and not found.
#[derive(Default)]
pub(super) struct KnownNames(
    RwLock<HashMap<u64, i64, BuildHasherDefault<NoHash>>>,
    RandomState,
);

impl KnownNames {
    /// The names of a database.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let known = Self::default();
        known.add_all(connection)?;
        Ok(known)
    }

    /// Reads all names anew: after changes were missed.
    pub(super) fn add_all(&self, connection: &Connection) -> rusqlite::Result<()> {
        let count: u32 =
            connection.query_row("SELECT count(*) FROM client", [], |row| row.get(0))?;
        {
            let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
            let more = (count as usize).saturating_sub(numbers.len());
            numbers.reserve(more);
        }
        let mut statement = connection.prepare_cached("SELECT id, number FROM client")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.insert(row.get_ref(0)?.as_str()?, row.get(1)?);
        }
        Ok(())
    }

    fn insert(&self, name: &str, number: i64) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.1.hash_one(name), number);
    }

    /// The number of the row in which a client of this name may be.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&self.1.hash_one(name))
            .copied()
    }
}

/// The digests are hashes already.
#[derive(Default)]
struct NoHash(u64);

impl Hasher for NoHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}

/// Most entries of each kind.
const CAPACITY: usize = 100_000;

/// One row of the change log.
pub(super) struct Change {
    resource: String,
    client: Option<ClientId>,
    /// The number of the client's row now, if there is one.
    number: Option<i64>,
    subject: Option<SubjectId>,
}

impl Change {
    fn everything() -> Self {
        Self {
            resource: String::new(),
            client: None,
            number: None,
            subject: None,
        }
    }

    /// Whether changes were missed, so that anything may have changed.
    pub(super) fn is_everything(&self) -> bool {
        self.resource.is_empty()
    }
}

/// How far the change log was read: the last row, and its tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
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

/// What is new in the change log.
pub(super) struct News {
    pub(super) changes: Vec<Change>,
    pub(super) position: Position,
    /// Whether the database was replaced by an earlier one.
    pub(super) went_back: bool,
}

/// What is new behind a position. Where changes were missed, one that means everything.
pub(super) fn news(connection: &Connection, last: Position) -> rusqlite::Result<News> {
    let (missed, went_back) = match last.state(connection)? {
        RowState::There => (false, false),
        RowState::Pruned => (true, false),
        RowState::Replaced => (true, true),
    };
    let (changes, position) = match missed {
        true => (vec![Change::everything()], Position::newest(connection)?),
        false => changes_since(connection, last)?,
    };
    Ok(News {
        changes,
        position,
        went_back,
    })
}

/// The changes after `last`, and the newest position.
fn changes_since(
    connection: &Connection,
    last: Position,
) -> rusqlite::Result<(Vec<Change>, Position)> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, resource, change.client, subject, number, tag FROM change LEFT JOIN client ON client.id = change.client \
         WHERE sequence > ?1 ORDER BY sequence",
    )?;
    let mut position = last;
    let rows = statement.query_map([last.sequence], |row| {
        position = Position {
            sequence: row.get(0)?,
            tag: row.get(5)?,
        };
        let client: Option<String> = row.get(2)?;
        let subject: Option<String> = row.get(3)?;
        Ok(Change {
            resource: row.get(1)?,
            client: client.and_then(|client| ClientId::parse(&client).ok()),
            number: row.get(4)?,
            subject: subject.and_then(|subject| SubjectId::parse(&subject).ok()),
        })
    })?;
    let changes = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((changes, position))
}

pub(super) struct Cache {
    /// Held to read while a value is put in, to write while values are forgotten.
    generation: RwLock<u64>,
    pub(super) names: KnownNames,
    pub(super) clients: Entries<ClientId, Arc<Client>>,
    pub(super) subjects: Entries<SubjectId, Subject>,
    pub(super) permissions: Entries<(ClientId, SubjectId), Permission>,
}

impl Cache {
    pub(super) fn new(names: KnownNames) -> Self {
        Self {
            generation: RwLock::new(0),
            names,
            clients: Entries::new(CAPACITY),
            subjects: Entries::new(CAPACITY),
            permissions: Entries::new(CAPACITY),
        }
    }

    /// The cached value, else what `load` reads. That nothing was found is not remembered: an
    /// attacker could fill memory with it.
    pub(super) fn get_or_load<K: Eq + Hash + Clone, V: Clone>(
        &self,
        entries: &Entries<K, V>,
        key: &K,
        load: impl FnOnce() -> Result<Option<V>, StoreError>,
    ) -> Result<Option<V>, StoreError> {
        if let Some(value) = entries.get(key) {
            return Ok(Some(value));
        }
        let before = self.generation();
        let Some(value) = load()? else {
            return Ok(None);
        };
        let generation = self
            .generation
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if *generation == before {
            entries.insert(key.clone(), value.clone());
        }
        Ok(Some(value))
    }

    /// Raised by each forgetting.
    pub(super) fn generation(&self) -> u64 {
        *self
            .generation
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// From then on nothing is put in that was read before. Held until what has to go is gone.
    fn next_generation(&self) -> RwLockWriteGuard<'_, u64> {
        let mut generation = self
            .generation
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *generation += 1;
        generation
    }

    /// Forgets what the changes touched. Answers whether the signing keys are among them.
    pub(super) fn forget(&self, changes: &[Change]) -> bool {
        if changes.is_empty() {
            return false;
        }
        let _generation = self.next_generation();
        let mut keys_changed = false;
        for change in changes {
            match (change.resource.as_str(), &change.client, &change.subject) {
                ("client", Some(client), None) => {
                    self.names
                        .insert(client.as_str(), change.number.unwrap_or_default());
                    drop(self.clients.remove(client));
                }
                ("subject", None, Some(subject)) => drop(self.subjects.remove(subject)),
                ("permission", Some(client), Some(subject)) => {
                    drop(self.permissions.remove(&(client.clone(), subject.clone())));
                }
                ("signing_key", ..) => keys_changed = true,
                _ => {
                    self.remove_all();
                    keys_changed = true;
                }
            }
        }
        keys_changed
    }

    pub(super) fn clear(&self) {
        let _generation = self.next_generation();
        self.remove_all();
    }

    fn remove_all(&self) {
        self.clients.clear();
        self.subjects.clear();
        self.permissions.clear();
    }
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
        let look = |last| {
            let News {
                changes,
                position,
                went_back,
            } = news(&connection, last).expect("read");
            (
                (
                    changes.len(),
                    changes.iter().any(Change::is_everything),
                    went_back,
                ),
                position,
            )
        };
        change(5);
        let (seen, last) = look(Position::default());
        assert_eq!(seen, (5, false, false));
        change(2);
        let (seen, last) = look(last);
        assert_eq!(seen, (2, false, false));
        assert_eq!(look(last).0, (0, false, false));
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
        assert_eq!(look(last).0, (1, true, true), "shorter");
        change(3);
        let (seen, last) = look(last);
        assert_eq!(seen, (1, true, true), "as long as before, and longer");
        change(1);
        assert_eq!(look(last).0, (1, false, false));
        connection
            .execute("DELETE FROM change WHERE sequence < 9", [])
            .expect("pruned");
        assert_eq!(look(last).0, (1, true, false));
    }

    #[test]
    fn a_value_that_was_read_before_a_change_is_not_put_in() {
        let cache = Cache::new(KnownNames::default());
        let alice = SubjectId::parse("alice").expect("a subject");
        let read = |changes: Vec<Change>| {
            let load = || {
                // The change is noticed after the row was read and before the value is put in.
                cache.forget(&changes);
                Ok(Some(Subject::new(alice.clone())))
            };
            cache
                .get_or_load(&cache.subjects, &alice, load)
                .expect("read");
            cache.subjects.get(&alice).is_some()
        };
        let change = || Change {
            resource: "subject".to_owned(),
            client: None,
            number: None,
            subject: Some(alice.clone()),
        };
        assert!(!read(vec![change()]));
        assert!(read(Vec::new()), "without a change it is");
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
        let cache = Cache::new(KnownNames::load(&connection).expect("read"));
        let last = Position::newest(&connection).expect("read");
        assert_eq!(
            (cache.names.number("old"), cache.names.number("new")),
            (Some(5), None)
        );
        add(6, "new");
        connection
            .execute("DELETE FROM party WHERE name = 'old'", [])
            .expect("deleted");
        add(7, "old");
        cache.forget(&news(&connection, last).expect("read").changes);
        assert_eq!(
            (cache.names.number("old"), cache.names.number("new")),
            (Some(7), Some(6))
        );
    }
}
