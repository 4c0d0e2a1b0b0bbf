//! Parsed registrations at hand, so that the hot path never waits for the database, and the change log that empties them.
//!
//! A read that races with a change must not leave the old value behind, not even for a moment: each forgetting raises a generation, and
//! a value that was read under an older one is not put in.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState},
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard},
};

use grantor::{
    storage::{Client, Permission, StoreError, Subject},
    types::{ClientId, SubjectId},
};
use quick_cache::sync::Cache as Entries;
use rusqlite::Connection;

/// Digests of the names of all clients, as far as known, and the number of each one's row: a name that is not among them needs no
/// read, so that a stranger cannot make the database work, and the time of a refusal does not tell who is registered. Removed names
/// stay in until the next start; they are looked up and not found.
#[derive(Default)]
pub(super) struct KnownNames(RwLock<HashMap<u64, i64, BuildHasherDefault<NoHash>>>, RandomState);

impl KnownNames {
    /// The names of a database.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let known = Self::default();
        known.add_all(connection)?;
        Ok(known)
    }

    /// Reads all names anew: after changes were missed.
    pub(super) fn add_all(&self, connection: &Connection) -> rusqlite::Result<()> {
        let count: u32 = connection.query_row("SELECT count(*) FROM client", [], |row| row.get(0))?;
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
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(self.1.hash_one(name), number);
    }

    /// The number of the row in which a client of this name may be.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&self.1.hash_one(name)).copied()
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
    sequence: i64,
    resource: String,
    client: Option<ClientId>,
    /// The number of the client's row now, if there is one.
    number: Option<i64>,
    subject: Option<SubjectId>,
}

impl Change {
    /// Whether changes were missed, so that anything may have changed.
    pub(super) fn is_everything(&self) -> bool {
        self.resource.is_empty()
    }
}

/// The changes after `last`, and the newest sequence number.
pub(super) fn changes_since(connection: &Connection, last: i64) -> rusqlite::Result<(Vec<Change>, i64)> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, resource, change.client, subject, number FROM change LEFT JOIN client ON client.id = change.client \
         WHERE sequence > ?1 ORDER BY sequence",
    )?;
    let rows = statement.query_map([last], |row| {
        let client: Option<String> = row.get(2)?;
        let subject: Option<String> = row.get(3)?;
        Ok(Change {
            sequence: row.get(0)?,
            resource: row.get(1)?,
            client: client.and_then(|client| ClientId::parse(&client).ok()),
            number: row.get(4)?,
            subject: subject.and_then(|subject| SubjectId::parse(&subject).ok()),
        })
    })?;
    let changes = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let newest = changes.last().map_or(last, |change| change.sequence);
    // A gap at the start means that changes were pruned unread: forget everything.
    let pruned = changes.first().is_some_and(|first| first.sequence != last + 1);
    let forget_all = Change { sequence: newest, resource: String::new(), client: None, number: None, subject: None };
    Ok((if pruned { vec![forget_all] } else { changes }, newest))
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

    /// The cached value, else what `load` reads. That nothing was found is not remembered: an attacker could fill memory with it.
    pub(super) fn get_or_load<K: Eq + Hash + Clone, V: Clone>(
        &self,
        entries: &Entries<K, V>,
        key: &K,
        load: impl FnOnce() -> Result<Option<V>, StoreError>,
    ) -> Result<Option<V>, StoreError> {
        if let Some(value) = entries.get(key) {
            return Ok(Some(value));
        }
        let before = *self.generation.read().unwrap_or_else(PoisonError::into_inner);
        let Some(value) = load()? else { return Ok(None) };
        let generation = self.generation.read().unwrap_or_else(PoisonError::into_inner);
        if *generation == before {
            entries.insert(key.clone(), value.clone());
        }
        Ok(Some(value))
    }

    /// From then on nothing is put in that was read before. Held until what has to go is gone.
    fn next_generation(&self) -> RwLockWriteGuard<'_, u64> {
        let mut generation = self.generation.write().unwrap_or_else(PoisonError::into_inner);
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
                    self.names.insert(client.as_str(), change.number.unwrap_or_default());
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
    fn a_value_that_was_read_before_a_change_is_not_put_in() {
        let cache = Cache::new(KnownNames::default());
        let alice = SubjectId::parse("alice").expect("a subject");
        let read = |changes: Vec<Change>| {
            let load = || {
                // The change is noticed after the row was read and before the value is put in.
                cache.forget(&changes);
                Ok(Some(Subject::new(alice.clone())))
            };
            cache.get_or_load(&cache.subjects, &alice, load).expect("read");
            cache.subjects.get(&alice).is_some()
        };
        let change =
            || Change { sequence: 1, resource: "subject".to_owned(), client: None, number: None, subject: Some(alice.clone()) };
        assert!(!read(vec![change()]));
        assert!(read(Vec::new()), "without a change it is");
    }

    #[test]
    fn a_name_leads_to_the_row_it_has_now() {
        let mut connection = Connection::open_in_memory().expect("a database");
        migrate(&mut connection, Path::new("")).expect("migrated");
        let add = |number: i64, name: &str| {
            connection.execute("INSERT INTO party (name, kind) VALUES (?1, 'client')", [name]).expect("written");
            let insert = "INSERT INTO client (number, id, metadata, keys) VALUES (?1, ?2, '{}', '[]')";
            connection.execute(insert, (number, name)).expect("written");
        };
        add(5, "old");
        let cache = Cache::new(KnownNames::load(&connection).expect("read"));
        let (_, last) = changes_since(&connection, 0).expect("read");
        assert_eq!((cache.names.number("old"), cache.names.number("new")), (Some(5), None));
        add(6, "new");
        connection.execute("DELETE FROM party WHERE name = 'old'", []).expect("deleted");
        add(7, "old");
        cache.forget(&changes_since(&connection, last).expect("read").0);
        assert_eq!((cache.names.number("old"), cache.names.number("new")), (Some(7), Some(6)));
    }
}
